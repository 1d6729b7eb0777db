/** google.type.Money, shown and added without a floating point number in between. */
import type { Money } from "@shop/client/google/type/money_pb.js";

const NANOS = 1_000_000_000n;

/** As people here write it: "€6.90". */
export function formatMoney(money: Pick<Money, "currencyCode" | "units" | "nanos"> | undefined): string {
  if (!money) {
    return "";
  }
  const { currencyCode } = money;
  return new Intl.NumberFormat(undefined, { style: "currency", currency: currencyCode }).format(decimal(inNanos(money)));
}

/** The price of several pieces. */
export function times(money: Money, quantity: number): bigint {
  return inNanos(money) * BigInt(quantity);
}

/** The sum of nanos as an amount of a currency. */
export function amount(currencyCode: string, nanos: bigint): Pick<Money, "currencyCode" | "units" | "nanos"> {
  return { currencyCode, units: nanos / NANOS, nanos: Number(nanos % NANOS) };
}

function inNanos(money: Pick<Money, "units" | "nanos">): bigint {
  return money.units * NANOS + BigInt(money.nanos);
}

function decimal(nanos: bigint): `${number}` {
  const sign = nanos < 0n ? "-" : "";
  const digits = (nanos < 0n ? -nanos : nanos).toString().padStart(10, "0");
  return `${sign}${digits.slice(0, -9)}.${digits.slice(-9)}` as `${number}`;
}

/** The cart, at the prices of now. */
import type { Product } from "@shop/client/shop/catalog/v1/catalog_pb.js";
import { Code, ConnectError } from "@connectrpc/connect";
import { type CartLine, MOST_PIECES, cart } from "../cart";
import { catalog } from "../clients";
import { el, fill } from "../element";
import { amount, formatMoney, times } from "../money";
import { type Page, href } from "../router";

export async function cartPage(_: string, signal: AbortSignal): Promise<Page> {
  const products = await priced(cart.lines, signal);
  const place = el("div");
  const said = el("p", { role: "status" });
  const show = () => fill(place, ...rows(products, said));
  cart.addEventListener("change", show, { signal });
  show();
  return { title: "Cart", content: el("div", { class: "narrow" }, el("h1", {}, "Cart"), place, said) };
}

/** The products of some lines by their ids; one that is gone is left out. */
export async function priced(lines: readonly CartLine[], signal: AbortSignal): Promise<Map<string, Product>> {
  const found = await Promise.all(lines.map(({ productId }) => product(productId, signal)));
  return new Map(found.flatMap((each) => (each ? [[each.productId, each] as const] : [])));
}

/** What some lines cost in all; empty if there is none, or no common currency. */
export function total(lines: readonly CartLine[], products: ReadonlyMap<string, Product>): string {
  const prices = lines.flatMap(({ productId, quantity }) => {
    const price = products.get(productId)?.price;
    return price ? [{ currency: price.currencyCode, nanos: times(price, quantity) }] : [];
  });
  const currency = prices[0]?.currency;
  if (currency === undefined || prices.some((price) => price.currency !== currency)) {
    return "";
  }
  return formatMoney(amount(currency, prices.reduce((sum, price) => sum + price.nanos, 0n)));
}

async function product(productId: string, signal: AbortSignal): Promise<Product | undefined> {
  try {
    return (await catalog.getProduct({ productId }, { signal })).product;
  } catch (error) {
    if (ConnectError.from(error).code === Code.NotFound) {
      return undefined;
    }
    throw error;
  }
}

function rows(products: ReadonlyMap<string, Product>, said: HTMLElement): Node[] {
  const { lines } = cart;
  if (!lines.length) {
    return [el("p", {}, "Your cart is empty. ", el("a", { href: href("") }, "See all products"), ".")];
  }
  return [
    el("ul", { class: "lines" }, lines.map((line) => row(line, products.get(line.productId), said))),
    el("p", { class: "total" }, "Total ", el("strong", {}, total(lines, products))),
    el("p", {}, el("a", { class: "button primary", href: href("checkout") }, "Check out")),
  ];
}

function row(line: CartLine, found: Product | undefined, said: HTMLElement): HTMLElement {
  const title = found?.title ?? line.productId;
  const id = `quantity-${line.productId}`;
  const change = (event: Event) => {
    const input = event.target as HTMLInputElement;
    if (input.reportValidity()) {
      cart.set(line.productId, input.valueAsNumber);
      document.getElementById(id)?.focus();
    }
  };
  const remove = () => {
    cart.set(line.productId, 0);
    said.textContent = `${title} is out of the cart`;
    document.querySelector<HTMLElement>("main h1")?.focus();
  };
  return el(
    "li",
    {},
    el("a", { href: href("product", line.productId) }, title),
    el("span", { class: "price" }, found ? formatMoney(found.price) : "no longer here"),
    el(
      "span",
      { class: "row" },
      el("label", { for: id }, "Quantity", el("span", { class: "unseen" }, ` of ${title}`)),
      el("input", { id, type: "number", min: 1, max: MOST_PIECES, value: line.quantity, required: true, change }),
      el("button", { type: "button", click: remove }, "Remove", el("span", { class: "unseen" }, ` ${title}`)),
    ),
  );
}

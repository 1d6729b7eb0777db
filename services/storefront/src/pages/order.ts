/** One order, followed live: each state it comes into is told once, whatever becomes of the connection. */
import { Code, ConnectError } from "@connectrpc/connect";
import { declaredError } from "@shop/client";
import { OrderNotCancellableSchema } from "@shop/client/shop/orders/v1/errors_pb.js";
import { type Order, Order_State } from "@shop/client/shop/orders/v1/orders_pb.js";
import type { WatchOrderResponse } from "@shop/client/shop/orders/v1/orders_service_pb.js";
import { orders } from "../clients";
import { el, fill } from "../element";
import { Alert, sentence } from "../failure";
import { formatMoney } from "../money";
import { newRequestId } from "../request_id";
import { resumed } from "../resumed";
import type { Page } from "../router";
import { moment } from "../time";
import { loginNeeded } from "./login";

const PATIENCE = 12_000; // milliseconds for the first answer

const STATES: Readonly<Record<Order_State, string>> = {
  [Order_State.UNSPECIFIED]: "unknown",
  [Order_State.PENDING]: "being placed",
  [Order_State.CONFIRMED]: "confirmed, being charged",
  [Order_State.PLACED]: "paid and set aside for you",
  [Order_State.FAILED]: "did not come about; nothing was charged",
  [Order_State.CANCELLING]: "being cancelled",
  [Order_State.CANCELLED]: "cancelled; your money is on its way back",
};

export function stateName(state: Order_State): string {
  return STATES[state] ?? "unknown";
}

export async function order(orderId: string, signal: AbortSignal): Promise<Page> {
  const asked = loginNeeded("orders", orderId);
  if (asked) {
    return asked;
  }
  const watch = resumed((resumeToken, options) => orders.watchOrder({ orderId, resumeToken }, options), signal);
  const first = await soon(watch.next());
  if (first.done || !first.value.order) {
    throw new ConnectError("the order was not told", Code.Unavailable);
  }
  const view = new View(orderId);
  view.show(first.value.order);
  void follow(watch, view, signal);
  return { title: "Order", content: view.element };
}

async function follow(watch: AsyncGenerator<WatchOrderResponse>, view: View, signal: AbortSignal): Promise<void> {
  try {
    for await (const { order: now } of watch) {
      if (now) {
        view.show(now);
      }
    }
  } catch (error) {
    if (!signal.aborted) {
      view.alert.show(sentence(error));
    }
  }
}

async function soon<T>(answer: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) =>
    setTimeout(() => reject(new ConnectError("nobody answered", Code.Unavailable)), PATIENCE),
  );
  return Promise.race([answer, late]);
}

class View {
  readonly alert = new Alert();
  readonly #orderId: string;
  readonly #state = el("p", { id: "state", class: "state", role: "status" });
  readonly #history = el("ol", { id: "history" });
  readonly #lines = el("ul", { class: "lines" });
  readonly #total = el("strong");
  readonly #cancel = el("button", { type: "button", click: () => void this.#cancelled() }, "Cancel this order");
  readonly element: HTMLElement;

  constructor(orderId: string) {
    this.#orderId = orderId;
    this.element = el(
      "div",
      { class: "narrow" },
      el("h1", {}, "Your order"),
      el("p", { class: "muted" }, `Number ${orderId}`),
      this.#state,
      this.alert.element,
      el("h2", {}, "What you ordered"),
      this.#lines,
      el("p", { class: "total" }, "Total ", this.#total),
      el("h2", {}, "What has happened"),
      this.#history,
      this.#cancel,
    );
  }

  show(order: Order): void {
    const state = stateName(order.state);
    fill(this.#state, `Your order is ${state}.`.replace("is did", "did"));
    this.#state.dataset["state"] = Order_State[order.state] ?? "";
    this.#history.append(el("li", {}, moment(order.updateTime), ` ${state}`));
    fill(
      this.#lines,
      order.lines.map((line) =>
        el("li", {}, `${line.quantity} × ${line.title}`, el("span", { class: "price" }, `${formatMoney(line.unitPrice)} each`)),
      ),
    );
    fill(this.#total, formatMoney(order.total));
    this.#cancel.hidden = order.state !== Order_State.PLACED;
  }

  /** That it is cancelled is told by the stream. */
  async #cancelled(): Promise<void> {
    this.alert.clear();
    this.#cancel.disabled = true;
    try {
      await orders.cancelOrder({ orderId: this.#orderId, requestId: newRequestId() });
    } catch (error) {
      const late = declaredError(error, OrderNotCancellableSchema);
      this.alert.show(late ? "This order can't be cancelled any more." : sentence(error));
    }
    this.#cancel.disabled = false;
  }
}

/** Ordering what is in the cart. Whatever happens on the way, it is ordered once. */
import { Code, ConnectError } from "@connectrpc/connect";
import { declaredError } from "@shop/client";
import {
  CardDeclinedSchema,
  MixedCurrenciesSchema,
  NotEnoughStockSchema,
  OrderInterruptedSchema,
  ProductNotSoldSchema,
} from "@shop/client/shop/orders/v1/errors_pb.js";
import type { Product } from "@shop/client/shop/catalog/v1/catalog_pb.js";
import { cart } from "../cart";
import { orders } from "../clients";
import { el, fill } from "../element";
import { Alert, sentence } from "../failure";
import { newRequestId } from "../request_id";
import { type Page, go, href } from "../router";
import { isUnanswered } from "../session";
import { priced, total } from "./cart";
import { loginNeeded } from "./login";

const KEY = "order-sent"; // what was sent and not answered: the same again is no second order

export async function checkout(_: string, signal: AbortSignal): Promise<Page> {
  const asked = loginNeeded("checkout");
  if (asked) {
    return asked;
  }
  const { lines } = cart;
  if (!lines.length) {
    const empty = el("p", {}, "Your cart is empty. ", el("a", { href: href("") }, "See all products"), ".");
    return { title: "Checkout", content: el("div", { class: "narrow" }, el("h1", {}, "Checkout"), empty) };
  }
  const products = await priced(lines, signal);
  const summary = el(
    "ul",
    { class: "lines" },
    lines.map((line) => el("li", {}, `${line.quantity} × ${products.get(line.productId)?.title ?? line.productId}`)),
  );
  const content = el(
    "div",
    { class: "narrow" },
    el("h1", {}, "Checkout"),
    summary,
    el("p", { class: "total" }, "Total ", el("strong", {}, total(lines, products))),
    payment(products),
  );
  return { title: "Checkout", content };
}

function payment(products: ReadonlyMap<string, Product>): HTMLFormElement {
  const alert = new Alert();
  const said = el("p", { role: "status" });
  const number = el("input", {
    id: "card",
    name: "card",
    inputmode: "numeric",
    autocomplete: "cc-number",
    pattern: "[0-9 ]{12,23}",
    title: "12 to 19 digits",
    required: true,
    "aria-describedby": "card-hint",
  });
  const button = el("button", { class: "primary", type: "submit" }, "Place order");
  const submit = async (event: Event) => {
    event.preventDefault();
    alert.clear();
    button.disabled = true;
    said.textContent = "Your order is being placed…";
    try {
      go("orders", await place(number.value.replaceAll(" ", "")));
    } catch (error) {
      said.textContent = "";
      alert.show(reason(error, products));
      button.disabled = false;
      fill(button, isUnanswered(error) ? "Send again" : "Place order");
    }
  };
  return el(
    "form",
    { class: "fields", submit: (event) => void submit(event) },
    alert.element,
    el("p", {}, el("label", { for: "card" }, "Card number"), number),
    el("p", { id: "card-hint", class: "muted" }, "In this shop 4000 0000 0000 0101 pays for everything."),
    button,
    said,
  );
}

/** Places the order and returns its id. Until there is an answer, the same cart is the same order. */
async function place(cardNumber: string): Promise<string> {
  const { lines } = cart;
  const content = JSON.stringify(lines);
  const sent = JSON.parse(sessionStorage.getItem(KEY) ?? "{}") as { content?: string; requestId?: string };
  const requestId = sent.content === content && sent.requestId ? sent.requestId : newRequestId();
  sessionStorage.setItem(KEY, JSON.stringify({ content, requestId }));
  try {
    const { order } = await orders.placeOrder({ requestId, cardNumber, lines: lines.map((line) => ({ ...line })) });
    sessionStorage.removeItem(KEY);
    cart.clear();
    return order?.orderId ?? "";
  } catch (error) {
    if (!isUnanswered(error) && ConnectError.from(error).code !== Code.Unauthenticated) {
      sessionStorage.removeItem(KEY); // an answer: the next try is another order
    }
    throw error;
  }
}

function reason(error: unknown, products: ReadonlyMap<string, Product>): string {
  const titled = (id: string) => products.get(id)?.title ?? id;
  const declined = declaredError(error, CardDeclinedSchema);
  if (declined) {
    return `The card was declined (${declined.reason.toLowerCase().replaceAll("_", " ")}). Nothing was charged. Try another card.`;
  }
  const short = declaredError(error, NotEnoughStockSchema);
  if (short) {
    const left = short.available > 0 ? `There are only ${short.available} of ${titled(short.productId)} left.` : `${titled(short.productId)} is out of stock.`;
    return `${left} Nothing was ordered. Change the quantity in the cart.`;
  }
  const unsold = declaredError(error, ProductNotSoldSchema);
  if (unsold) {
    return `${titled(unsold.productId)} is not for sale. Nothing was ordered. Take it out of the cart.`;
  }
  if (declaredError(error, MixedCurrenciesSchema)) {
    return "These products have prices in several currencies. Nothing was ordered. Order them one by one.";
  }
  if (declaredError(error, OrderInterruptedSchema)) {
    return "The order did not come about, and nothing was charged. Try again.";
  }
  if (ConnectError.from(error).code === Code.AlreadyExists) {
    return "This order was sent before with another card. See your orders before you try again.";
  }
  if (isUnanswered(error)) {
    return "The shop did not answer, and the order may have been placed. Send it again: it counts once.";
  }
  return sentence(error);
}

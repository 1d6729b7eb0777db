/** The user's orders, newest first. */
import type { Order } from "@shop/client/shop/orders/v1/orders_pb.js";
import { orders } from "../clients";
import { el } from "../element";
import { growing } from "../growing";
import { formatMoney } from "../money";
import { type Page, href } from "../router";
import { moment } from "../time";
import { loginNeeded } from "./login";
import { stateName } from "./order";

const PAGE_SIZE = 20;

export async function orderList(_: string, signal: AbortSignal): Promise<Page> {
  const asked = loginNeeded("orders");
  if (asked) {
    return asked;
  }
  const list = el("ul", { class: "lines", id: "orders" });
  const listed = await growing(list, "orders", async (pageToken) => {
    const page = await orders.listOrders({ pageSize: PAGE_SIZE, pageToken }, { signal });
    return { items: page.orders.map(row), next: page.nextPageToken };
  });
  const found = list.children.length ? listed : [el("p", {}, "You have not ordered anything yet.")];
  return { title: "Orders", content: el("div", { class: "narrow" }, el("h1", {}, "Orders"), ...found) };
}

function row(order: Order): HTMLElement {
  return el(
    "li",
    {},
    el("a", { href: href("orders", order.orderId) }, moment(order.createTime)),
    el("span", { class: "price" }, formatMoney(order.total)),
    el("p", {}, order.lines.map((line) => `${line.quantity} × ${line.title}`).join(", ")),
    el("p", { class: "muted" }, stateName(order.state)),
  );
}

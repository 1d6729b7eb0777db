/** The user's orders, newest first. */
import { orders } from "../clients";
import { el } from "../element";
import { formatMoney } from "../money";
import { type Page, href } from "../router";
import { moment } from "../time";
import { loginNeeded } from "./login";
import { stateName } from "./order";

const PAGE_SIZE = 50;

export async function orderList(_: string, signal: AbortSignal): Promise<Page> {
  const asked = loginNeeded("orders");
  if (asked) {
    return asked;
  }
  const listed = await orders.listOrders({ pageSize: PAGE_SIZE }, { signal });
  const rows = listed.orders.map((order) =>
    el(
      "li",
      {},
      el("a", { href: href("orders", order.orderId) }, moment(order.createTime)),
      el("span", { class: "price" }, formatMoney(order.total)),
      el("p", {}, order.lines.map((line) => `${line.quantity} × ${line.title}`).join(", ")),
      el("p", { class: "muted" }, stateName(order.state)),
    ),
  );
  const list = rows.length
    ? el("ul", { class: "lines", id: "orders" }, rows)
    : el("p", {}, "You have not ordered anything yet.");
  return { title: "Orders", content: el("div", { class: "narrow" }, el("h1", {}, "Orders"), list) };
}

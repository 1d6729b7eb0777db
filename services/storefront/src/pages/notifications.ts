/** The mailbox, as it fills. */
import type { Notification } from "@shop/client/shop/notifications/v1/notifications_pb.js";
import { el, fill } from "../element";
import { sentence } from "../failure";
import { mailbox } from "../mailbox";
import { type Page, href } from "../router";
import { moment } from "../time";
import { loginNeeded } from "./login";

export function notificationList(_: string, signal: AbortSignal): Page {
  const asked = loginNeeded("notifications");
  if (asked) {
    return asked;
  }
  const place = el("div");
  const said = el("p", { role: "status" });
  const readOlder = async () => {
    try {
      await mailbox.readOlder();
    } catch (error) {
      said.textContent = sentence(error);
    }
  };
  const older = el("button", { type: "button", click: () => void readOlder() }, "Show older messages");
  const show = () => {
    older.hidden = !mailbox.hasOlder;
    const rows = mailbox.messages.map((message) => row(message, said));
    fill(place, rows.length ? el("ul", { class: "messages", id: "messages" }, rows) : el("p", {}, "Nothing has come yet."));
  };
  mailbox.addEventListener("change", show, { signal });
  show();
  return { title: "Messages", content: el("div", { class: "narrow" }, el("h1", {}, "Messages"), said, place, older) };
}

function row(message: Notification, said: HTMLElement): HTMLElement {
  const read = async () => {
    try {
      await mailbox.markRead(message.notificationId);
      said.textContent = "Marked as read";
      document.querySelector<HTMLElement>("main h1")?.focus();
    } catch (error) {
      said.textContent = sentence(error);
    }
  };
  const about = ` “${message.title}”, ${message.text}`;
  return el(
    "li",
    { class: message.readTime ? "" : "unread", "data-id": message.notificationId },
    el("h2", {}, message.title, !message.readTime && el("span", { class: "unseen" }, " (unread)")),
    el("p", { class: "muted" }, moment(message.createTime)),
    el("p", {}, message.text),
    el(
      "p",
      { class: "row" },
      message.orderId && el("a", { href: href("orders", message.orderId) }, "See the order"),
      !message.readTime && el("button", { type: "button", click: () => void read() }, "Mark as read", el("span", { class: "unseen" }, about)),
    ),
  );
}

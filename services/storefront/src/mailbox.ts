/** What the user is told, live: what there was, then each message as it comes, once. */
import { ConnectError } from "@connectrpc/connect";
import type { Notification } from "@shop/client/shop/notifications/v1/notifications_pb.js";
import { notifications, session } from "./clients";
import { resumed } from "./resumed";

/** Tells `change` when there is something new or something is read, and `message` when a message comes. */
class Mailbox extends EventTarget {
  #messages: Notification[] = [];
  #ended = new AbortController();

  /** Newest first. */
  get messages(): readonly Notification[] {
    return this.#messages;
  }

  get unread(): number {
    return this.#messages.filter((message) => !message.readTime).length;
  }

  /** Follows the mailbox of whoever is logged in now; nobody's is empty. */
  async follow(): Promise<void> {
    this.#ended.abort();
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    this.#set([]);
    if (session.name === undefined) {
      return;
    }
    try {
      // All of it comes by the stream; what is asked for beside it is the newest page, to be there at once.
      const page = await notifications.listNotifications({ pageSize: 50 }, { signal });
      this.#set(page.notifications);
      const stream = resumed((resumeToken, options) => notifications.subscribe({ resumeToken }, options), signal, page.resumeToken);
      for await (const { notification } of stream) {
        if (notification) {
          this.#set([notification, ...this.#messages]);
          this.dispatchEvent(new CustomEvent("message", { detail: notification.title }));
        }
      }
    } catch (error) {
      if (!signal.aborted) {
        console.warn("the mailbox can't be followed:", ConnectError.from(error).message);
      }
    }
  }

  async markRead(notificationId: string): Promise<void> {
    const { notification } = await notifications.markRead({ notificationId });
    if (notification) {
      this.#set(this.#messages.map((message) => (message.notificationId === notificationId ? notification : message)));
    }
  }

  #set(messages: Notification[]): void {
    this.#messages = messages;
    this.dispatchEvent(new Event("change"));
  }
}

export const mailbox = new Mailbox();

/** What the user is told, live: what there was, then each message as it comes, once. */
import { ConnectError } from "@connectrpc/connect";
import type { Notification } from "@shop/client/shop/notifications/v1/notifications_pb.js";
import { notifications, session } from "./clients";
import { resumed } from "./resumed";

const PAGE_SIZE = 20;

/** Tells `change` when there is something new or something is read, and `message` when a message comes. */
class Mailbox extends EventTarget {
  #messages: Notification[] = [];
  #older = ""; // the token of the page after the oldest
  #ended = new AbortController();

  /** Newest first. */
  get messages(): readonly Notification[] {
    return this.#messages;
  }

  get unread(): number {
    return this.#messages.filter((message) => !message.readTime).length;
  }

  /** Whether there are older messages than those. */
  get hasOlder(): boolean {
    return this.#older !== "";
  }

  /** Reads a page of them. */
  async readOlder(): Promise<void> {
    const page = await notifications.listNotifications({ pageSize: PAGE_SIZE, pageToken: this.#older });
    this.#older = page.nextPageToken;
    this.#set([...this.#messages, ...page.notifications]);
  }

  /** Follows the mailbox of whoever is logged in now; nobody's is empty. */
  async follow(): Promise<void> {
    this.#ended.abort();
    this.#ended = new AbortController();
    const { signal } = this.#ended;
    this.#older = "";
    this.#set([]);
    if (session.name === undefined) {
      return;
    }
    try {
      // The stream goes on where the newest page ends.
      const page = await notifications.listNotifications({ pageSize: PAGE_SIZE }, { signal });
      this.#older = page.nextPageToken;
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

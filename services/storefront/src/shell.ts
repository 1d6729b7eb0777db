/** What stands around every page: the way to the shelves, the cart and the mailbox, and what is said aloud. */
import { cart } from "./cart";
import { session } from "./clients";
import { connection } from "./connection";
import { el, fill } from "./element";
import { mailbox } from "./mailbox";
import { go, href } from "./router";

export class Shell {
  readonly main = el("main", { id: "main", tabindex: -1 });
  readonly #links = el("ul");
  readonly #query = el("input", { id: "query", type: "search", maxlength: 200, required: true, placeholder: "Tea, cups …" });
  readonly #said = el("p", { id: "said", class: "unseen", role: "status" });
  readonly #lost = el("div", { id: "connection", role: "status" });

  /** Takes the whole body. */
  constructor() {
    document.body.replaceChildren(
      el("a", { class: "skip", href: "#main", click: (event) => this.#skip(event) }, "Skip to the content"),
      el("header", {}, this.#brand(), this.#search(), el("nav", { "aria-label": "Shop" }, this.#links)),
      this.#lost,
      this.main,
      el("footer", {}, el("p", {}, "The shop of Protomesh. ", el("a", { href: "/docs" }, "Its methods"))),
      this.#said,
    );
    for (const source of [cart, session, mailbox]) {
      source.addEventListener("change", () => this.#showLinks());
    }
    window.addEventListener("hashchange", () => {
      this.#showLinks();
      this.#query.value = location.hash.startsWith(href("search")) ? this.#query.value : "";
    });
    mailbox.addEventListener("message", (event) => this.say((event as CustomEvent<string>).detail));
    session.addEventListener("ended", () => this.say("Your session has ended. Log in again."));
    connection.addEventListener("change", () => {
      fill(this.#lost, !connection.whole && el("p", {}, "The connection is lost. Trying to get it back…"));
    });
    this.#showLinks();
  }

  /** Has a screen reader say something that the page shows elsewhere. */
  say(text: string): void {
    this.#said.textContent = text;
  }

  #brand(): HTMLElement {
    return el("a", { class: "brand", href: href("") }, "Shop");
  }

  #search(): HTMLFormElement {
    const submit = (event: Event) => {
      event.preventDefault();
      go("search", this.#query.value.trim());
    };
    return el(
      "form",
      { role: "search", submit },
      el("label", { for: "query", class: "unseen" }, "Search products"),
      this.#query,
      el("button", { type: "submit" }, "Search"),
    );
  }

  #showLinks(): void {
    const { name } = session;
    const counted = (title: string, count: number) => (count ? `${title} (${count})` : title);
    const links = [
      this.#link("cart", counted("Cart", cart.pieces)),
      ...(name === undefined
        ? [this.#link("login", "Log in")]
        : [
            this.#link("orders", "Orders"),
            this.#link("notifications", counted("Messages", mailbox.unread)),
            el("button", { type: "button", class: "plain", click: () => this.#logout() }, "Log out", el("span", { class: "unseen" }, ` ${name}`)),
          ]),
    ];
    const focused = this.#links.contains(document.activeElement) ? document.activeElement?.textContent : undefined;
    fill(this.#links, links.map((link) => el("li", {}, link)));
    if (focused) {
      links.find((link) => link.textContent === focused)?.focus();
    }
  }

  #link(page: string, title: string): HTMLAnchorElement {
    const here = location.hash.split("/")[1] === page;
    return el("a", { href: href(page), "aria-current": here && "page" }, title);
  }

  #logout(): void {
    session.logout();
    this.say("You are logged out.");
    go("");
  }

  /** The fragment of the address is the page: a jump within it must not change it. */
  #skip(event: Event): void {
    event.preventDefault();
    this.main.focus();
  }
}

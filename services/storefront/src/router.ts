/** Pages by what stands behind the # of the address: one at a time, announced, with the focus where reading begins. */
import { ConnectError } from "@connectrpc/connect";
import { el, fill } from "./element";
import { sentence } from "./failure";

/** A page, ready to be read. Its content has one h1. */
export interface Page {
  readonly title: string;
  readonly content: Node;
}

/** Makes a page from the rest of the path. `signal` ends when another page takes its place. */
export type Show = (argument: string, signal: AbortSignal) => Promise<Page> | Page;

const SLOW = 300; // milliseconds after which it is said that something is loading

/** Where a page is: `href("product", "assam-tea")`. */
export function href(page: string, argument = ""): string {
  return `#/${page}${argument && `/${encodeURIComponent(argument)}`}`;
}

/** Goes to a page. */
export function go(page: string, argument = ""): void {
  location.hash = href(page, argument);
}

export class Router {
  readonly #pages: Readonly<Record<string, Show>>;
  readonly #main: HTMLElement;
  #shown = new AbortController();

  /** `pages` are by the first part of the path; the one called "" is the first page of all. */
  constructor(pages: Readonly<Record<string, Show>>, main: HTMLElement) {
    this.#pages = pages;
    this.#main = main;
    window.addEventListener("hashchange", () => void this.show(true));
  }

  /** Shows the page of the address. `moved` says that somebody has come here from another page. */
  async show(moved: boolean): Promise<void> {
    this.#shown.abort();
    this.#shown = new AbortController();
    const { signal } = this.#shown;
    const slow = setTimeout(() => fill(this.#main, el("p", { role: "status" }, "Loading…")), SLOW);
    this.#main.setAttribute("aria-busy", "true");
    const page = await this.#make(signal);
    clearTimeout(slow);
    if (signal.aborted) {
      return;
    }
    this.#main.removeAttribute("aria-busy");
    fill(this.#main, page.content);
    document.title = page.title === "Shop" ? page.title : `${page.title} · Shop`;
    const heading = this.#main.querySelector("h1");
    heading?.setAttribute("tabindex", "-1");
    if (moved) {
      window.scrollTo(0, 0);
      heading?.focus();
    }
  }

  async #make(signal: AbortSignal): Promise<Page> {
    const [name = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/");
    const show = this.#pages[name];
    if (!show) {
      return problem("Not found", "There is no such page in this shop.");
    }
    try {
      return await show(decodeURIComponent(rest.join("/")), signal);
    } catch (error) {
      if (!signal.aborted) {
        console.warn(ConnectError.from(error).message);
      }
      const again = el("button", { type: "button", click: () => void this.show(true) }, "Try again");
      return problem("That did not work", sentence(error), again);
    }
  }
}

function problem(title: string, text: string, ...more: Node[]): Page {
  return { title, content: el("div", { class: "narrow" }, el("h1", {}, title), el("p", { role: "alert" }, text), ...more) };
}

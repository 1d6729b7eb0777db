/** The shelves: all products, or those that a search finds. */
import type { Product } from "@shop/client/shop/catalog/v1/catalog_pb.js";
import { catalog } from "../clients";
import { el } from "../element";
import { sentence } from "../failure";
import { formatMoney } from "../money";
import type { Page } from "../router";
import { href } from "../router";

const PAGE_SIZE = 24;

interface Shelf {
  readonly products: readonly Product[];
  readonly nextPageToken: string;
}

/** Every product there is. */
export async function allProducts(_: string, signal: AbortSignal): Promise<Page> {
  const read = (pageToken: string) => catalog.listProducts({ pageSize: PAGE_SIZE, pageToken }, { signal });
  const shelf = await read("");
  return { title: "Shop", content: el("div", {}, el("h1", {}, "All products"), ...shelves(shelf, read)) };
}

/** What has all words of a query. */
export async function searched(query: string, signal: AbortSignal): Promise<Page> {
  const read = (pageToken: string) => catalog.searchProducts({ query, pageSize: PAGE_SIZE, pageToken }, { signal });
  const shelf = await read("");
  const found = shelf.products.length
    ? shelves(shelf, read)
    : [el("p", {}, "Nothing has all of these words. ", el("a", { href: href("") }, "See all products"), ".")];
  return { title: `“${query}”`, content: el("div", {}, el("h1", {}, `Products with “${query}”`), ...found) };
}

/** A product as it stands on a shelf. */
export function card(product: Product): HTMLElement {
  return el(
    "li",
    { class: "card" },
    el("span", { class: "tile", "aria-hidden": "true" }, product.title.slice(0, 1)),
    el("h2", {}, el("a", { href: href("product", product.productId) }, product.title)),
    el("p", { class: "muted" }, product.category),
    el("p", { class: "price" }, product.sellable ? formatMoney(product.price) : "not for sale"),
  );
}

/** A list that grows by a page with each press of its button. */
function shelves(first: Shelf, read: (pageToken: string) => Promise<Shelf>): Node[] {
  const list = el("ul", { class: "cards" }, first.products.map(card));
  const said = el("p", { role: "status" });
  let token = first.nextPageToken;
  const more = async () => {
    button.disabled = true;
    try {
      const shelf = await read(token);
      const added = shelf.products.map(card);
      list.append(...added);
      token = shelf.nextPageToken;
      said.textContent = `${added.length} more products`;
      added[0]?.querySelector("a")?.focus();
      button.hidden = !token;
    } catch (error) {
      said.textContent = sentence(error);
    }
    button.disabled = false;
  };
  const button = el("button", { type: "button", click: () => void more(), hidden: !token }, "Show more products");
  return [list, said, button];
}

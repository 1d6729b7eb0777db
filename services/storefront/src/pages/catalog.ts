/** The shelves: all products, or those that a search finds. */
import type { Product } from "@shop/client/shop/catalog/v1/catalog_pb.js";
import { catalog } from "../clients";
import { el } from "../element";
import { growing } from "../growing";
import { formatMoney } from "../money";
import type { Page } from "../router";
import { href } from "../router";

const PAGE_SIZE = 12;

/** Every product there is. */
export async function allProducts(_: string, signal: AbortSignal): Promise<Page> {
  const list = el("ul", { class: "cards" });
  const shelves = await growing(list, "products", async (pageToken) => {
    const shelf = await catalog.listProducts({ pageSize: PAGE_SIZE, pageToken }, { signal });
    return { items: shelf.products.map(card), next: shelf.nextPageToken };
  });
  return { title: "Shop", content: el("div", {}, el("h1", {}, "All products"), ...shelves) };
}

/** What has all words of a query. */
export async function searched(query: string, signal: AbortSignal): Promise<Page> {
  const list = el("ul", { class: "cards" });
  const shelves = await growing(list, "products", async (pageToken) => {
    const shelf = await catalog.searchProducts({ query, pageSize: PAGE_SIZE, pageToken }, { signal });
    return { items: shelf.products.map(card), next: shelf.nextPageToken };
  });
  const found = list.children.length
    ? shelves
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

/** One product: what it is, how many there are at this moment, and what goes with it. */
import { inventory, catalog, recommendations } from "../clients";
import { cart } from "../cart";
import { el, fill } from "../element";
import { formatMoney } from "../money";
import { resumed } from "../resumed";
import { type Page, href } from "../router";
import { card } from "./catalog";

const SUGGESTIONS = 4;

export async function product(productId: string, signal: AbortSignal): Promise<Page> {
  const { product: found } = await catalog.getProduct({ productId }, { signal });
  if (!found) {
    throw new Error("a product without content");
  }
  const stock = el("p", { id: "stock", "aria-live": "polite" });
  const suggestions = el("section", { "aria-labelledby": "goes-with", hidden: true });
  void follow(productId, stock, signal);
  void suggest(productId, suggestions, signal);
  const content = el(
    "div",
    {},
    el(
      "article",
      { class: "product" },
      el("span", { class: "tile large", "aria-hidden": "true" }, found.title.slice(0, 1)),
      el(
        "div",
        {},
        el("h1", {}, found.title),
        el("p", { class: "muted" }, found.category),
        el("p", {}, found.description),
        el("p", { class: "price" }, formatMoney(found.price)),
        stock,
        found.sellable ? order(productId, found.title) : el("p", {}, "This is not for sale."),
      ),
    ),
    suggestions,
  );
  return { title: found.title, content };
}

/** The form that puts pieces into the cart. */
function order(productId: string, title: string): HTMLFormElement {
  const quantity = el("input", { id: "quantity", type: "number", min: 1, max: 1000, value: 1, required: true });
  const said = el("p", { role: "status" });
  const add = (event: Event) => {
    event.preventDefault();
    cart.add(productId, quantity.valueAsNumber);
    fill(said, `${quantity.value} × ${title} in the cart. `, el("a", { href: href("cart") }, "Go to the cart"));
  };
  return el(
    "form",
    { class: "row", submit: add },
    el("label", { for: "quantity" }, "Quantity"),
    quantity,
    el("button", { class: "primary", type: "submit" }, "Add to cart"),
    said,
  );
}

async function follow(productId: string, stock: HTMLElement, signal: AbortSignal): Promise<void> {
  try {
    const watch = resumed((resumeToken, options) => inventory.watchStock({ productId, resumeToken }, options), signal);
    for await (const { stock: now } of watch) {
      const available = now?.available ?? 0;
      stock.textContent = available > 0 ? `${available} in stock` : "Out of stock";
    }
  } catch {
    stock.textContent = ""; // never stocked: nothing is known of it
  }
}

/** What is there is shown; that there is nothing, or that nobody answers, is no loss. */
async function suggest(productId: string, section: HTMLElement, signal: AbortSignal): Promise<void> {
  try {
    const listed = await recommendations.listRecommendations({ productId, pageSize: SUGGESTIONS }, { signal });
    const ids = listed.recommendations.map((each) => each.productId);
    const found = await Promise.all(ids.map((id) => catalog.getProduct({ productId: id }, { signal })));
    const products = found.flatMap((each) => each.product ?? []);
    fill(section, el("h2", { id: "goes-with" }, "Goes well with it"), el("ul", { class: "cards" }, products.map((p) => small(p))));
    section.hidden = products.length === 0;
  } catch {
    section.hidden = true;
  }
}

function small(...[product]: Parameters<typeof card>): HTMLElement {
  const made = card(product);
  const heading = made.querySelector("h2");
  heading?.replaceWith(el("h3", {}, ...heading.childNodes));
  return made;
}

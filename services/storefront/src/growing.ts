/** A list that is read by pages: it grows by one with each press of its button. */
import { el } from "./element";
import { sentence } from "./failure";

interface Part {
  readonly items: readonly HTMLElement[];
  readonly next: string; // the token of the next page; empty after the last
}

/** Fills `list` with the first page; returns it with all that belongs to it. `what` names its items, in the plural. */
export async function growing(
  list: HTMLElement,
  what: string,
  read: (pageToken: string) => Promise<Part>,
): Promise<Node[]> {
  const said = el("p", { role: "status" });
  const button = el("button", { type: "button", click: () => void more() }, `Show more ${what}`);
  let { items, next } = await read("");
  const add = () => {
    list.append(...items);
    button.hidden = !next;
  };
  const more = async () => {
    button.disabled = true;
    try {
      ({ items, next } = await read(next));
      add();
      said.textContent = `${items.length} more ${what}`;
      items[0]?.querySelector("a")?.focus();
    } catch (error) {
      said.textContent = sentence(error);
    }
    button.disabled = false;
  };
  add();
  return [list, said, button];
}

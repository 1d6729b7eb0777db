/** What somebody means to order: kept in this browser, for all its tabs, and known to no server before it is ordered. */

export interface CartLine {
  readonly productId: string;
  readonly quantity: number;
}

const KEY = "cart";
export const MOST_LINES = 20; // what one order may have
export const MOST_PIECES = 1_000; // of one product

class Cart extends EventTarget {
  constructor() {
    super();
    window.addEventListener("storage", (event) => event.key === KEY && this.dispatchEvent(new Event("change")));
  }

  get lines(): readonly CartLine[] {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]") as CartLine[];
  }

  /** How many pieces there are in all. */
  get pieces(): number {
    return this.lines.reduce((sum, line) => sum + line.quantity, 0);
  }

  add(productId: string, quantity: number): void {
    const there = this.lines.find((line) => line.productId === productId)?.quantity ?? 0;
    this.set(productId, there + quantity);
  }

  /** None takes the line away. */
  set(productId: string, quantity: number): void {
    const wanted = Math.min(quantity, MOST_PIECES);
    const lines = this.lines.some((line) => line.productId === productId)
      ? this.lines.map((line) => (line.productId === productId ? { productId, quantity: wanted } : line))
      : [...this.lines, { productId, quantity: wanted }];
    this.#keep(lines.filter((line) => line.quantity > 0).slice(0, MOST_LINES));
  }

  clear(): void {
    this.#keep([]);
  }

  #keep(lines: readonly CartLine[]): void {
    localStorage.setItem(KEY, JSON.stringify(lines));
    this.dispatchEvent(new Event("change"));
  }
}

export const cart = new Cart();

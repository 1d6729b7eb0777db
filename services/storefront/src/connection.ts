/** Whether what should be live is: every stream says so of itself, and the page shows it once for all. */

class Connection extends EventTarget {
  readonly #lost = new Set<object>();

  /** Whether none has lost its connection. */
  get whole(): boolean {
    return this.#lost.size === 0;
  }

  /** Notes how it is with one stream. */
  set(source: object, connected: boolean): void {
    const before = this.whole;
    if (connected) {
      this.#lost.delete(source);
    } else {
      this.#lost.add(source);
    }
    if (before !== this.whole) {
      this.dispatchEvent(new Event("change"));
    }
  }

  /** Notes that a stream is over, which is no loss. */
  forget(source: object): void {
    this.set(source, true);
  }
}

export const connection = new Connection();

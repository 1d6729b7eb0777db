/** Elements of the page, made in one expression: attributes and listeners first, children behind them. */

export type Child = Node | string | number | false | null | undefined | readonly Child[];

type Attributes = Record<string, string | number | boolean | ((event: Event) => void) | undefined>;

/** A function in `attributes` listens to the event of its name: `click: () => ...`. `true` sets an empty attribute. */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      element.addEventListener(name, value);
    } else if (value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  fill(element, ...children);
  return element;
}

/** Replaces all that is in an element. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren(...nodes(children));
}

function nodes(children: readonly Child[]): (Node | string)[] {
  return children.flatMap((child) => {
    if (Array.isArray(child)) {
      return nodes(child as readonly Child[]);
    }
    if (child === false || child === null || child === undefined) {
      return [];
    }
    return [child instanceof Node ? child : String(child)];
  });
}

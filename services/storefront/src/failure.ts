/** What went wrong, in words for the person who shops. */
import { Code, ConnectError } from "@connectrpc/connect";
import { el } from "./element";
import { isUnanswered } from "./session";

/** One or two sentences for any error. */
export function sentence(error: unknown): string {
  const failure = ConnectError.from(error);
  if (isUnanswered(failure)) {
    return "The shop can't be reached right now. Check your connection and try again.";
  }
  switch (failure.code) {
    case Code.Unauthenticated:
      return "You are not logged in any more. Log in and try again.";
    case Code.NotFound:
      return "There is no such page in this shop.";
    case Code.ResourceExhausted:
      return "That was too much at once. Wait a moment and try again.";
    case Code.InvalidArgument:
      return `The shop does not take that: ${failure.rawMessage}.`;
    default:
      return `Something went wrong: ${failure.rawMessage}.`;
  }
}

/** The place where a form says what went wrong. It is read out as soon as it is filled. */
export class Alert {
  readonly element = el("p", { class: "alert", role: "alert", hidden: true });

  show(text: string): void {
    this.element.textContent = text;
    this.element.hidden = false;
  }

  clear(): void {
    this.element.hidden = true;
    this.element.textContent = "";
  }
}

/** Logging in and registering, and back to where somebody was going. */
import { declaredError } from "@shop/client";
import { EmailTakenSchema, InvalidCredentialsSchema } from "@shop/client/shop/identity/v1/errors_pb.js";
import { session } from "../clients";
import { el } from "../element";
import { Alert, sentence } from "../failure";
import { type Page, go, href } from "../router";

export function login(then: string): Page {
  const email = field("email", "E-mail address", { type: "email", autocomplete: "username", maxlength: 254 });
  const password = field("password", "Password", { type: "password", autocomplete: "current-password", maxlength: 128 });
  const send = () => session.login(email.input.value, password.input.value);
  const other = el("p", {}, "New here? ", el("a", { href: href("register", then) }, "Register"), ".");
  return form("Log in", [email.element, password.element], send, then, other);
}

export function register(then: string): Page {
  const name = field("name", "Name, as others read it", { type: "text", autocomplete: "name", maxlength: 80 }, false);
  const email = field("email", "E-mail address", { type: "email", autocomplete: "username", maxlength: 254 });
  const kind = { type: "password", autocomplete: "new-password", minlength: 10, maxlength: 128 };
  const password = field("password", "Password, ten characters at least", kind);
  const send = () => session.register(email.input.value, password.input.value, name.input.value.trim());
  const other = el("p", {}, "Registered already? ", el("a", { href: href("login", then) }, "Log in"), ".");
  return form("Register", [name.element, email.element, password.element], send, then, other);
}

/** The page that asks for a login if nobody is logged in; it leads back to where it was asked for. */
export function loginNeeded(page: string, argument = ""): Page | undefined {
  return session.name === undefined ? login(argument ? `${page}/${argument}` : page) : undefined;
}

function form(title: string, fields: Node[], send: () => Promise<void>, then: string, other: Node): Page {
  const alert = new Alert();
  const button = el("button", { class: "primary", type: "submit" }, title);
  const submit = async (event: Event) => {
    event.preventDefault();
    alert.clear();
    button.disabled = true;
    try {
      await send();
      const [page = "", ...rest] = then.split("/");
      if (href(page, rest.join("/")) === location.hash) {
        window.dispatchEvent(new HashChangeEvent("hashchange")); // it was asked for in that page's place
      } else {
        go(page, rest.join("/"));
      }
    } catch (error) {
      alert.show(said(error));
      button.disabled = false;
    }
  };
  const content = el(
    "div",
    { class: "narrow" },
    el("h1", {}, title),
    el("form", { class: "fields", submit: (event) => void submit(event) }, alert.element, ...fields, button),
    other,
  );
  return { title, content };
}

function said(error: unknown): string {
  const taken = declaredError(error, EmailTakenSchema);
  if (taken) {
    return `Somebody has registered as ${taken.email} before. If it was you, log in.`;
  }
  return declaredError(error, InvalidCredentialsSchema) ? "The e-mail address or the password is wrong." : sentence(error);
}

function field(id: string, label: string, attributes: Record<string, string | number>, required = true) {
  const input = el("input", { id, name: id, required, ...attributes });
  return { input, element: el("p", {}, el("label", { for: id }, label), input) };
}

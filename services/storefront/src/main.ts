/** Puts the page together. */
import { session } from "./clients";
import { mailbox } from "./mailbox";
import { cartPage } from "./pages/cart";
import { allProducts, searched } from "./pages/catalog";
import { checkout } from "./pages/checkout";
import { login, register } from "./pages/login";
import { notificationList } from "./pages/notifications";
import { order } from "./pages/order";
import { orderList } from "./pages/orders";
import { product } from "./pages/product";
import { Router } from "./router";
import { Shell } from "./shell";

const shell = new Shell();
const router = new Router(
  {
    "": allProducts,
    search: searched,
    product,
    cart: cartPage,
    checkout,
    login,
    register,
    orders: (id, signal) => (id ? order(id, signal) : orderList(id, signal)),
    notifications: notificationList,
  },
  shell.main,
);
session.addEventListener("change", () => void mailbox.follow());
session.addEventListener("ended", () => void router.show(true));
void mailbox.follow();
void router.show(false);

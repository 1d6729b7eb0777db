"""Somebody who shops: in a browser, with a name, and now and then by REST from another device."""

import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, Locator, Page

from tests.e2e.mesh import ROOT, Mesh

__all__ = ["AXE", "CARD", "Shopper", "shopping", "violations"]

AXE = ROOT / "services/storefront/node_modules/axe-core/axe.min.js"
CARD = "4000000000000101"  # approves everything
_NARROW = {"width": 375, "height": 740}
_WIDE = {"width": 1200, "height": 800}


@dataclass
class Shopper:
    """One browser profile with one page of the shop in it."""

    page: Page
    url: str
    rest: httpx.AsyncClient
    email: str = field(default_factory=lambda: f"{uuid.uuid4().hex}@example.com")
    password: str = "correct horse battery"
    errors: list[str] = field(default_factory=list)

    @property
    def main(self) -> Locator:
        """The page without what stands around every page."""
        return self.page.get_by_role("main")

    async def open(self, path: str = "") -> None:
        """Goes to a page as by its address."""
        await self.page.goto(f"{self.url}/#/{path}")

    async def heading(self, text: str) -> None:
        """Waits for the page of that heading."""
        await self.main.get_by_role("heading", level=1, name=text).wait_for()

    async def register(self) -> None:
        """Registers in the browser."""
        await self.open("register")
        await self.page.get_by_label("E-mail address").fill(self.email)
        await self.page.get_by_label("Password").fill(self.password)
        await self.main.get_by_role("button", name="Register").click()
        await self.page.get_by_role("button", name="Log out").wait_for()

    async def log_in(self) -> None:
        """Logs in where a page asks for it."""
        await self.heading("Log in")
        await self.page.get_by_label("E-mail address").fill(self.email)
        await self.page.get_by_label("Password").fill(self.password)
        await self.main.get_by_role("button", name="Log in").click()

    async def put_into_cart(self, product_id: str, quantity: int) -> None:
        """Goes to a product and puts pieces of it into the cart."""
        await self.open(f"product/{product_id}")
        await self.main.get_by_label("Quantity").fill(str(quantity))
        await self.main.get_by_role("button", name="Add to cart").click()
        await self.main.get_by_role("link", name="Go to the cart").wait_for()

    async def pay(self, card: str = CARD) -> None:
        """Presses the button of the checkout."""
        await self.main.get_by_label("Card number").fill(card)
        await self.main.get_by_role("button", name="Place order").click()

    async def elsewhere(self) -> httpx.Headers:
        """Logs in on another device: what goes with its calls."""
        body = {"email": self.email, "password": self.password}
        answer = (await self.rest.post("/v1/users:login", json=body)).raise_for_status()
        return httpx.Headers({"authorization": f"Bearer {answer.json()['tokens']['accessToken']}"})

    async def order_elsewhere(self, headers: httpx.Headers) -> str:
        """Orders one piece of tea there; the order's id."""
        line = {"productId": "assam-tea", "quantity": 1}
        body = {"requestId": str(uuid.uuid4()), "cardNumber": CARD, "lines": [line]}
        answer = (await self.rest.post("/v1/orders", json=body, headers=headers)).raise_for_status()
        order_id: str = answer.json()["order"]["orderId"]
        return order_id

    async def cancel_elsewhere(self, headers: httpx.Headers, order_id: str) -> None:
        """Cancels an order there."""
        url = f"/v1/orders/{order_id}:cancel"
        answer = await self.rest.post(url, json={"requestId": str(uuid.uuid4())}, headers=headers)
        answer.raise_for_status()

    async def states(self) -> list[str]:
        """The states of all orders, newest first, as the shop knows them."""
        answer = await self.rest.get("/v1/orders", headers=await self.elsewhere())
        return [order["state"] for order in answer.raise_for_status().json().get("orders", [])]

    async def check(self) -> None:
        """Holds the page against the rules for accessible ones, and looks whether it is as wide as a phone."""
        assert await violations(self.page) == []
        await self.page.set_viewport_size(_NARROW)  # type: ignore[arg-type]  # a TypedDict of the library's own
        assert await self.page.evaluate("document.documentElement.scrollWidth") <= _NARROW["width"], self.page.url
        assert await violations(self.page) == []
        await self.page.set_viewport_size(_WIDE)  # type: ignore[arg-type]  # likewise


async def violations(page: Page) -> list[Any]:
    """What axe finds: the rule, and the elements that break it."""
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(Path(AXE).read_text())
    result = await page.evaluate("axe.run()")
    return [(found["id"], [node["html"] for node in found["nodes"]]) for found in result["violations"]]


@asynccontextmanager
async def shopping(browser: Browser, shop: Mesh, port: int | None = None) -> AsyncGenerator[Shopper]:
    """A new browser profile; `port` is where it comes in, if not at the gateway itself."""
    context = await browser.new_context(viewport=_WIDE, locale="en-GB")  # type: ignore[arg-type]  # likewise
    async with httpx.AsyncClient(base_url=f"http://{shop.gateway}", timeout=20) as rest:
        page = await context.new_page()
        page.set_default_timeout(15_000)
        shopper = Shopper(page, f"http://127.0.0.1:{port or shop.port}", rest)
        page.on("pageerror", lambda error: shopper.errors.append(str(error)))
        page.on("console", lambda said: shopper.errors.append(said.text) if said.type == "error" else None)
        try:
            yield shopper
        finally:
            await context.close()

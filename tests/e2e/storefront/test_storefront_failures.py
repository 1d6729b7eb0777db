"""What a shopper sees when something fails, and that nothing is lost or done twice by it."""

import os
import signal
import uuid
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.e2e.mesh import Mesh
from tests.e2e.storefront.shopper import shopping
from tests.e2e.storefront.wire import laid

pytestmark = pytest.mark.asyncio(loop_scope="session")

POOR = "4000000000000200"  # has too little money


async def test_a_declined_card_and_then_a_good_one(shop: Mesh, browser: Browser) -> None:
    """Nothing is charged at first, the cart stays, and the second card pays."""
    async with shopping(browser, shop) as alice:
        await alice.register()
        await alice.put_into_cart("darjeeling-tea", 1)
        await alice.open("checkout")
        await alice.pay(POOR)
        await expect(alice.main.get_by_role("alert")).to_contain_text("The card was declined (insufficient funds)")
        await alice.check()
        await alice.pay()
        await alice.heading("Your order")
        assert await alice.states() == ["STATE_PLACED", "STATE_FAILED"]
        assert await alice.page.get_by_role("link", name="Cart").text_content() == "Cart"


async def test_more_than_there_is(shop: Mesh, browser: Browser) -> None:
    """It says how many are left, which the product's page shows live, and nothing is ordered."""
    async with shopping(browser, shop) as alice:
        await alice.register()
        await alice.put_into_cart("gooseneck-kettle", 900)
        stock = alice.page.locator("#stock")
        await expect(stock).to_contain_text("in stock")
        left = int((await stock.inner_text()).split()[0])
        await alice.open("checkout")
        await alice.pay()
        alert = alice.main.get_by_role("alert")
        await expect(alert).to_contain_text(f"There are only {left} of Gooseneck Kettle left. Nothing was ordered.")
        await alice.open("cart")
        await alice.main.get_by_label("Quantity of Gooseneck Kettle").fill(str(left))
        await alice.main.get_by_label("Quantity of Gooseneck Kettle").press("Enter")
        await alice.main.get_by_role("link", name="Check out").click()
        await alice.pay()
        await alice.heading("Your order")
        await alice.open("product/gooseneck-kettle")
        await expect(stock).to_have_text("Out of stock")
        assert await alice.states() == ["STATE_PLACED", "STATE_FAILED"]


async def test_a_refused_token_is_replaced_unseen(shop: Mesh, browser: Browser) -> None:
    """As one that is about to run out. With the session over, too, the page asks for a login and goes on there."""
    async with shopping(browser, shop) as alice:
        await alice.register()
        refused = 0

        async def spoil(route: Route) -> None:
            nonlocal refused
            refused += 1
            await route.continue_(headers={**route.request.headers, "authorization": "Bearer e30.e30.AA"})

        await alice.page.route("**/shop.orders.v1.OrdersService/ListOrders", spoil, times=1)
        await alice.open("orders")
        await expect(alice.main.get_by_text("You have not ordered anything yet.")).to_be_visible()
        assert refused == 1

        in_a_while = datetime.now(UTC) + timedelta(minutes=10)  # when the token has run out
        await alice.page.clock.set_fixed_time(in_a_while)
        await alice.open("")
        await alice.heading("All products")
        async with alice.page.expect_request("**/shop.identity.v1.IdentityService/RefreshToken"):
            await alice.open("orders")
        await expect(alice.main.get_by_text("You have not ordered anything yet.")).to_be_visible()
        assert refused == 1

        kept = await alice.page.evaluate("JSON.parse(sessionStorage.session)")
        await alice.rest.post("/v1/users:logout", json={"refreshToken": kept["refreshToken"]})
        await alice.open("")
        await alice.heading("All products")
        await alice.page.route("**/shop.orders.v1.OrdersService/ListOrders", spoil, times=1)
        await alice.open("orders")
        await alice.log_in()
        await alice.heading("Orders")
        assert refused == 2


async def test_an_answer_that_is_lost_is_no_second_order(shop: Mesh, browser: Browser) -> None:
    """The order is placed and nobody hears of it; sent again once the gateway is back, it is the same order."""
    async with laid(shop.gateway) as wire, shopping(browser, shop, wire.port) as alice:
        await alice.register()
        await alice.put_into_cart("rooibos-tea", 1)
        await alice.open("checkout")
        await alice.heading("Checkout")
        headers = await alice.elsewhere()
        wire.deaf = True
        await alice.pay()
        await _listed(alice.rest, headers, 1)
        await wire.cut()
        again = alice.main.get_by_role("button", name="Send again")
        await expect(again).to_be_visible()
        await expect(alice.main.get_by_role("alert")).to_contain_text("it counts once")
        await wire.mend()
        await again.click()
        await alice.heading("Your order")
        assert await alice.states() == ["STATE_PLACED"]


async def test_a_gateway_that_goes_and_comes_back(shop: Mesh, browser: Browser) -> None:
    """Envoy is killed under an order that is followed, and the service replaced: what happens then is shown, once."""
    async with shopping(browser, shop) as alice:
        await alice.register()
        headers = await alice.elsewhere()
        order_id = await alice.order_elsewhere(headers)
        await alice.open(f"orders/{order_id}")
        history = alice.page.locator("#history li")
        await expect(history).to_have_count(1)
        os.kill(shop.status()["proxy"]["pid"], signal.SIGKILL)
        await expect(alice.page.locator("#connection")).to_contain_text("The connection is lost.")
        await expect(alice.page.locator("#connection")).to_be_empty()
        await _wait_reachable(shop)
        shop.protomesh("restart", "orders", check=True)  # and the stream is drained once more
        await alice.cancel_elsewhere(headers, order_id)
        await expect(history.last).to_contain_text("your money is on its way back")
        texts = await history.all_inner_texts()
        assert len(texts) == len(set(texts)) >= 2


async def test_a_network_that_is_lost_mid_stream(shop: Mesh, browser: Browser) -> None:
    """Messages that come while it is away are there when it is back: all of them, in order, and each one once.

    The same when the service that tells them is replaced and its streams are drained, and when nobody looks at the
    page, which then lets go of its streams.
    """
    async with laid(shop.gateway) as wire, shopping(browser, shop, wire.port) as alice:
        await alice.register()
        headers = await alice.elsewhere()
        await alice.open("notifications")
        placed = [await alice.order_elsewhere(headers)]
        messages = alice.page.locator("#messages li")
        await expect(messages).to_have_count(1)
        await wire.cut()
        await expect(alice.page.locator("#connection")).to_contain_text("The connection is lost.")
        await alice.check()
        placed += [await alice.order_elsewhere(headers), await alice.order_elsewhere(headers)]
        await wire.mend()
        await expect(messages).to_have_count(3)
        await expect(alice.page.locator("#connection")).to_be_empty()

        shop.protomesh("restart", "notifications", check=True)
        placed += [await alice.order_elsewhere(headers)]
        await expect(messages).to_have_count(4)

        async with alice.page.expect_event("requestfailed", lambda request: request.url.endswith("/Subscribe")):
            await _look_away(alice.page, away=True)
        placed += [await alice.order_elsewhere(headers)]
        await _look_away(alice.page, away=False)
        await expect(messages).to_have_count(5)
        links = await messages.get_by_role("link").evaluate_all("links => links.map(link => link.hash)")
        assert links == [f"#/orders/{order_id}" for order_id in reversed(placed)]


async def _look_away(page: Page, *, away: bool) -> None:
    """As going to another tab does, which a browser without a window has no way to show."""
    await page.evaluate(
        """away => {
          Object.defineProperty(document, "hidden", { value: away, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        away,
    )


async def _listed(rest: httpx.AsyncClient, headers: httpx.Headers, count: int) -> None:
    """Waits until somebody has so many orders that are placed."""
    for _ in range(1000):
        orders = (await rest.get("/v1/orders", headers=headers)).raise_for_status().json().get("orders", [])
        if [order["state"] for order in orders].count("STATE_PLACED") == count:
            return
    raise AssertionError("the order is not placed")


async def _wait_reachable(shop: Mesh) -> None:
    """Waits until REST is answered again."""
    async with httpx.AsyncClient(timeout=5, transport=httpx.AsyncHTTPTransport(retries=20)) as client:
        answer = await client.get(f"http://{shop.gateway}/v1/products", params={"request": str(uuid.uuid4())})
        assert answer.status_code in {200, 400}

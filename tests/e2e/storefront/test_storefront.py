"""The storefront, as somebody shops in it who has a browser, a keyboard and perhaps a screen reader."""

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.mesh import Mesh
from tests.e2e.storefront.shopper import Shopper, shopping, violations
from tests.e2e.storefront.wire import laid

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIRST_LOAD = 200_000  # bytes
TIMES = "\N{MULTIPLICATION SIGN}"


async def test_the_whole_story(shop: Mesh, browser: Browser) -> None:
    """From the shelves to the order's progress and the messages about it; no page breaks a rule for accessible ones."""
    async with shopping(browser, shop) as alice:
        await _fill_the_cart(alice)
        await _register_on_the_way(alice)
        await _order(alice)
        await _read_about_it(alice)
        await alice.open("nowhere")
        await alice.heading("Not found")
        await alice.check()
        assert alice.errors == []


async def _fill_the_cart(alice: Shopper) -> None:
    page, main = alice.page, alice.main
    await alice.open()
    await alice.heading("All products")
    await expect(main.locator(".card")).to_have_count(12)
    await main.get_by_role("button", name="Show more products").click()
    await expect(main.locator(".card")).to_have_count(21)
    await expect(main.get_by_role("link", name="Kitchen Scale")).to_be_visible()
    await alice.check()
    await page.get_by_label("Search products").fill("bergamot")
    await page.get_by_role("button", name="Search").click()
    await alice.heading("Products with “bergamot”")
    await alice.check()
    await main.get_by_role("link", name="Earl Grey").click()
    await alice.heading("Earl Grey")
    await expect(page.locator("#stock")).to_have_text("110 in stock")
    await main.get_by_label("Quantity").fill("3")
    await main.get_by_role("button", name="Add to cart").click()
    await alice.check()
    await main.get_by_role("link", name="Go to the cart").click()
    await expect(main.locator(".total")).to_have_text("Total €20.70")
    await main.get_by_label("Quantity of Earl Grey").fill("2")
    await main.get_by_label("Quantity of Earl Grey").press("Enter")
    await expect(main.locator(".total")).to_have_text("Total €13.80")
    await alice.check()


async def _register_on_the_way(alice: Shopper) -> None:
    page, main = alice.page, alice.main
    await main.get_by_role("link", name="Check out").click()
    await alice.heading("Log in")
    await alice.check()
    await main.get_by_role("link", name="Register").click()
    await page.get_by_label("Name").fill("Alice")
    await page.get_by_label("E-mail address").fill(alice.email)
    await page.get_by_label("Password").fill(alice.password)
    await alice.check()
    await main.get_by_role("button", name="Register").click()
    await alice.heading("Checkout")
    await alice.check()


async def _order(alice: Shopper) -> None:
    page = alice.page
    await alice.pay("4000 0000 0000 0101")
    await alice.heading("Your order")
    await expect(page.locator("#state")).to_have_text("Your order is paid and set aside for you.")
    await page.get_by_role("link", name="Messages (1)").wait_for()  # live, while another page is shown
    await alice.check()
    await alice.cancel_elsewhere(await alice.elsewhere(), page.url.rpartition("/")[2])
    await expect(page.locator("#state")).to_contain_text("cancelled")
    history = await page.locator("#history li").all_inner_texts()
    assert len(history) == len(set(history)) >= 2
    await alice.check()


async def _read_about_it(alice: Shopper) -> None:
    page, main = alice.page, alice.main
    await page.get_by_role("link", name="Messages (2)").click()
    await expect(page.locator("#messages h2")).to_have_text(
        ["Your order is cancelled (unread)", "Your order is confirmed (unread)"]
    )
    await alice.check()
    await main.get_by_role("button", name="Mark as read").first.click()
    await page.get_by_role("link", name="Messages (1)").wait_for()
    await page.get_by_role("link", name="Orders").click()
    await expect(page.locator("#orders li")).to_contain_text([f"2 {TIMES} Earl Grey"])
    await alice.check()
    await page.get_by_role("button", name="Log out").click()
    await page.get_by_role("link", name="Log in").wait_for()


async def test_the_keyboard_is_enough(shop: Mesh, browser: Browser) -> None:
    """The focus goes where reading begins, the first key leads past what stands around, and links can be followed."""
    async with shopping(browser, shop) as alice:
        page = alice.page
        await alice.open()
        await alice.heading("All products")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await expect(alice.main.get_by_role("link").first).to_be_focused()
        await page.keyboard.press("Enter")
        heading = alice.main.get_by_role("heading", level=1)
        await expect(heading).to_have_text("Assam Second Flush")
        await expect(heading).to_be_focused()
        assert await page.title() == "Assam Second Flush · Shop"
        await page.keyboard.press("Tab")
        await expect(alice.main.get_by_label("Quantity")).to_be_focused()
        await page.keyboard.press("ArrowUp")
        await page.keyboard.press("Enter")
        await expect(alice.main.get_by_text(f"2 {TIMES} Assam Second Flush in the cart.")).to_be_visible()
        await page.go_back()
        await expect(heading).to_have_text("All products")


async def test_the_first_load_is_small(shop: Mesh, browser: Browser) -> None:
    """Counted on the wire, headers and the products included; a second visit gets the page and no file again."""
    async with laid(shop.gateway) as wire, shopping(browser, shop, wire.port) as alice:
        await alice.open()
        await alice.heading("All products")
        await alice.page.wait_for_load_state("networkidle")
        assert 30_000 < wire.carried < FIRST_LOAD
        before = wire.carried
        await alice.page.reload()
        await alice.heading("All products")
        assert wire.carried - before < 15_000


async def test_the_page_of_methods_is_accessible(shop: Mesh, browser: Browser) -> None:
    """/docs, with a method opened."""
    page = await browser.new_page()
    await page.goto(f"http://{shop.gateway}/docs")
    await page.locator("#rest > details summary").first.click()
    assert await violations(page) == []
    await page.close()

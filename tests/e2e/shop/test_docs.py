"""What the gateway tells about itself at /docs: read as a tool reads it, and as a person does, in a real browser."""

import json
from pathlib import Path
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.browser import running_browser
from tests.e2e.mesh import Mesh
from tests.e2e.shop.calls import Metadata

_COMMITTED = Path(__file__).parents[3] / "generated/openapi/openapi.json"
_CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def test_the_document_is_the_one_that_is_committed(shop: Mesh) -> None:
    """So a review of `generated/openapi` is one of what callers will read."""
    answer = httpx.get(f"http://{shop.gateway}/docs/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == json.loads(_COMMITTED.read_text())


def test_no_internal_method_is_in_either(shop: Mesh) -> None:
    """Nor what only these use."""
    for path in ("/docs", "/docs/openapi.json"):
        text = httpx.get(f"http://{shop.gateway}{path}").text
        assert "GetProduct" in text
        assert "UpdateProduct" not in text
        assert "AuthorizePayment" not in text


_document = json.loads(_COMMITTED.read_text())
_document["paths"] = {
    path: item for path, item in _document["paths"].items() if "application/x-ndjson" not in json.dumps(item)
}  # streams that nobody ends; tests/e2e/shop/test_shop_calls.py reads them
_schema = schemathesis.openapi.from_dict(_document)


@_schema.parametrize()
@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_documented(case: Case[Any], shop: Mesh, customer: Metadata) -> None:
    """Whatever a caller sends, by the document or against it: no 5xx, no status and no body that it does not have."""
    case.call_and_validate(base_url=f"http://{shop.gateway}", headers=dict(customer), checks=_CHECKS, timeout=30)


def test_what_http_allows_and_grpc_does_not_fails_no_call(shop: Mesh) -> None:
    """Names of headers that are no metadata, and more headers than a gRPC server takes by itself."""
    url = f"http://{shop.gateway}/v1/products"
    odd = httpx.get(url, headers={"%": "1", "a!b": "2", "!": "3", "x-fine": "4"})
    assert odd.status_code == 200
    assert httpx.get(url, headers={"x-large": "a" * 20_000}).status_code == 200
    too_long = httpx.get(url, params={"pageToken": "a" * 12_000})
    assert (too_long.status_code, too_long.json()["code"]) == (400, 3)


async def test_a_person_reads_and_tries_methods(shop: Mesh, customer: Metadata) -> None:
    """With a browser: a call that answers, one that needs a token without and with it, a stream, and gRPC's lines."""
    async with running_browser() as browser:
        page = await browser.new_page()
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(f"http://{shop.gateway}/docs")

        product = page.locator("#rest > details").filter(has=page.get_by_text("/v1/products/{product_id}", exact=True))
        await product.locator("summary").first.click()
        await product.get_by_label("product_id").fill("earl-grey-tea")
        await product.get_by_role("button", name="Send").click()
        await product.get_by_text("200 application/json").wait_for()
        assert "Earl Grey" in await product.locator("pre").inner_text()

        orders = page.locator("#rest > details").filter(
            has=page.locator("summary", has=page.get_by_text("/v1/users/me", exact=True)).filter(has_text="GET")
        )
        await orders.locator("summary").first.click()
        await orders.get_by_role("button", name="Send").click()
        await orders.get_by_text("401 application/json").wait_for()
        await page.locator("#token").fill(dict(customer)["authorization"].removeprefix("Bearer "))
        await orders.get_by_role("button", name="Send").click()
        await orders.get_by_text("200 application/json").wait_for()

        watch = page.locator("#rest > details").filter(has=page.get_by_text("/v1/stock/{product_id}/watch", exact=True))
        await watch.locator("summary").first.click()
        await watch.get_by_label("product_id").fill("earl-grey-tea")
        await watch.get_by_role("button", name="Send").click()
        await watch.locator("pre", has_text="resumeToken").wait_for()
        await watch.get_by_role("button", name="Stop").click()

        line = page.locator(".call", has_text="CatalogService/GetProduct")
        assert await line.text_content() == (
            f'grpcurl -plaintext -d \'{{"productId": ""}}\' {shop.gateway} shop.catalog.v1.CatalogService/GetProduct'
        )
        refused = [text for text in errors if "401" not in text]  # the browser's own line for it
        assert refused == []
        await page.close()

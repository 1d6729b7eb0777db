import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import datetime, timedelta

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.money_pb2 import Money
from grpc.aio import AioRpcError

from protomesh.runtime.store import Database
from protomesh.testing.database import Databases
from protomesh.testing.serving import serving
from services.catalog.service import Catalog
from shop.catalog.v1 import (
    CatalogServiceStub,
    EtagMismatch,
    GetProductRequest,
    ImportProductsRequest,
    ListProductsRequest,
    Product,
    ProductNotFound,
    SearchProductsRequest,
    UpdateProductRequest,
)

Fields = Callable[[AioRpcError], list[str]]
SEEDED = 21


@pytest.fixture
async def db(database: Databases) -> Database:
    """The catalog's database as the shop opens with it."""
    return await database("services.catalog")


@pytest.fixture
async def catalog(db: Database, now: Callable[[], datetime]) -> AsyncGenerator[CatalogServiceStub]:
    """A client of a catalog."""
    async with serving(Catalog(db, now), CatalogServiceStub) as client:
        yield client


def product(product_id: str, *, title: str = "Something", units: int = 3) -> Product:
    """A product that may be imported."""
    return Product(
        product_id=product_id, title=title, price=Money(currency_code="EUR", units=units), category="new", sellable=True
    )


def imports(*products: Product) -> Iterator[ImportProductsRequest]:
    """The stream that imports products."""
    return (ImportProductsRequest(product=product) for product in products)


async def get(catalog: CatalogServiceStub, product_id: str) -> Product:
    """One product as it is now."""
    return (await catalog.GetProduct(GetProductRequest(product_id=product_id))).product


async def test_the_first_call_answers_something_real(catalog: CatalogServiceStub) -> None:
    """Nobody has to fill the shop before trying it."""
    matcha = await get(catalog, "matcha")
    assert matcha.title == "Ceremonial Matcha"
    assert (matcha.price.currency_code, matcha.price.units) == ("EUR", 29)
    assert matcha.sellable
    assert matcha.etag


async def test_a_product_that_is_not_there_is_named(catalog: CatalogServiceStub) -> None:
    """The declared error, caught by its type."""
    with pytest.raises(ProductNotFound) as missing:
        await get(catalog, "unobtainium")
    assert missing.value.product_id == "unobtainium"
    assert missing.value.code().name == "NOT_FOUND"


@pytest.mark.parametrize("product_id", ["", "Matcha", "a b", "-a", "x" * 65, "a/../b"])
async def test_what_can_not_be_an_id_names_its_field(
    catalog: CatalogServiceStub, fields: Fields, product_id: str
) -> None:
    """The contract's rule, before the handler."""
    with pytest.raises(AioRpcError) as refused:
        await get(catalog, product_id)
    assert set(fields(refused.value)) == {"product_id"}


async def test_every_product_is_on_one_page(catalog: CatalogServiceStub) -> None:
    """In the order of ids, each once, with nothing after the last."""
    seen: list[str] = []
    token = ""
    while True:
        page = await catalog.ListProducts(ListProductsRequest(page_size=8, page_token=token))
        seen += [product.product_id for product in page.products]
        token = page.next_page_token
        if not token:
            break
    assert seen == sorted(set(seen))
    assert len(seen) == SEEDED


async def test_products_added_meanwhile_neither_repeat_nor_hide_others(catalog: CatalogServiceStub) -> None:
    """One comes before the place of the page and one after it."""
    first = await catalog.ListProducts(ListProductsRequest(page_size=5))
    last = first.products[-1].product_id
    await catalog.ImportProducts(imports(product("aaa"), product(f"{last}-x")))
    second = await catalog.ListProducts(ListProductsRequest(page_size=100, page_token=first.next_page_token))
    after = [product.product_id for product in second.products]
    assert after[0] == f"{last}-x"
    assert not {"aaa", last} & set(after)
    assert len(after) == SEEDED - 5 + 1


@pytest.mark.parametrize("query", ["", "new"], ids=["list", "search"])
async def test_every_product_that_stays_is_on_one_page_however_others_come_and_go(
    catalog: CatalogServiceStub, db: Database, database: Databases, query: str
) -> None:
    """Between any two pages: some before the place and some after it, and the very product that it is."""
    staying = {f"n{number:02}" for number in range(0, 40, 2)}
    await catalog.ImportProducts(imports(*(product(each) for each in staying)))
    seen: list[str] = []
    token = ""
    while True:
        if query:
            search = SearchProductsRequest(query=query, page_size=3, page_token=token)
            found = await catalog.SearchProducts(search)
            products, token = found.products, found.next_page_token
        else:
            listed = await catalog.ListProducts(ListProductsRequest(page_size=3, page_token=token))
            products, token = listed.products, listed.next_page_token
        seen += [each.product_id for each in products]
        if not token:
            break
        last = seen[-1]
        await catalog.ImportProducts(imports(product(f"a{len(seen):02}"), product(f"{last}-x"), product(f"{last}-y")))
        if last not in staying:
            database.query(db.url, f"DELETE FROM products WHERE product_id = '{last}'")
    assert len(seen) == len(set(seen))
    assert staying <= set(seen)
    assert seen == sorted(seen)


async def test_a_search_finds_products_that_have_every_word(catalog: CatalogServiceStub) -> None:
    """Anywhere in their text, in any case and order."""
    found = await catalog.SearchProducts(SearchProductsRequest(query="BLACK tea 100"))
    assert [product.product_id for product in found.products] == ["assam-tea", "ceylon-tea", "earl-grey-tea"]


@pytest.mark.parametrize("query", ["%", "_____", "\\", "100%"])
async def test_a_search_takes_signs_for_signs(catalog: CatalogServiceStub, query: str) -> None:
    """No pattern of the database's gets through."""
    found = await catalog.SearchProducts(SearchProductsRequest(query=query))
    assert list(found.products) == []


async def test_a_search_goes_on_and_only_for_its_own_words(catalog: CatalogServiceStub, fields: Fields) -> None:
    """A page token belongs to a query."""
    first = await catalog.SearchProducts(SearchProductsRequest(query="tea", page_size=2))
    second = await catalog.SearchProducts(
        SearchProductsRequest(query="tea", page_size=2, page_token=first.next_page_token)
    )
    assert first.products[-1].product_id < second.products[0].product_id
    with pytest.raises(AioRpcError) as refused:
        await catalog.SearchProducts(SearchProductsRequest(query="coffee", page_token=first.next_page_token))
    assert fields(refused.value) == ["page_token"]


async def test_only_the_named_fields_change(catalog: CatalogServiceStub) -> None:
    """The rest stays, the etag moves, and the time is the clock's."""
    before = await get(catalog, "matcha")
    changed = await catalog.UpdateProduct(
        UpdateProductRequest(
            product=Product(product_id="matcha", title="Matcha", category="ignored"),
            update_mask=FieldMask(paths=["title"]),
        )
    )
    after = await get(catalog, "matcha")
    assert after == changed.product
    assert (after.title, after.category) == ("Matcha", before.category)
    assert after.etag != before.etag
    assert after.update_time.ToDatetime() > before.update_time.ToDatetime()


async def test_a_changed_title_is_found(catalog: CatalogServiceStub) -> None:
    """The text that is searched changes with the product."""
    await catalog.UpdateProduct(UpdateProductRequest(product=Product(product_id="matcha", title="Grüner Staub")))
    found = await catalog.SearchProducts(SearchProductsRequest(query="GRÜNER"))
    assert [product.product_id for product in found.products] == ["matcha"]


async def test_a_star_replaces_the_whole_product(catalog: CatalogServiceStub) -> None:
    """What is not set is cleared: the mask, not the values, says what changes."""
    price = Money(currency_code="EUR", units=7)
    await catalog.UpdateProduct(
        UpdateProductRequest(
            product=Product(product_id="matcha", title="Matcha", price=price), update_mask=FieldMask(paths=["*"])
        )
    )
    after = await get(catalog, "matcha")
    assert (after.title, after.description, after.category, after.sellable) == ("Matcha", "", "", False)
    assert after.price == price


async def test_a_field_is_cleared_by_its_name_alone(catalog: CatalogServiceStub) -> None:
    """Without a mask nobody could take a product out of sale: false is what is not set."""
    taken = UpdateProductRequest(product=Product(product_id="matcha"), update_mask=FieldMask(paths=["sellable"]))
    await catalog.UpdateProduct(UpdateProductRequest(product=Product(product_id="matcha", sellable=False)))
    assert (await get(catalog, "matcha")).sellable
    await catalog.UpdateProduct(taken)
    assert not (await get(catalog, "matcha")).sellable


async def test_a_part_of_a_field_changes(catalog: CatalogServiceStub) -> None:
    """Its other parts stay, whatever is sent for them."""
    before = (await get(catalog, "matcha")).price
    cheaper = Product(product_id="matcha", price=Money(currency_code="USD", units=before.units - 1, nanos=5))
    changed = await catalog.UpdateProduct(
        UpdateProductRequest(product=cheaper, update_mask=FieldMask(paths=["price.units"]))
    )
    before.units -= 1
    assert changed.product.price == before


async def test_an_update_without_an_etag_is_whoever_comes_last(catalog: CatalogServiceStub) -> None:
    """Who does not care what others changed says none."""
    for title in ("One", "Two"):
        changed = await catalog.UpdateProduct(UpdateProductRequest(product=Product(product_id="matcha", title=title)))
        assert changed.product.title == title


async def test_an_update_of_what_somebody_else_changed_is_refused(catalog: CatalogServiceStub) -> None:
    """The error says what the etag is now; with it the update goes through."""
    read = await get(catalog, "matcha")
    await catalog.UpdateProduct(UpdateProductRequest(product=Product(product_id="matcha", title="Theirs")))
    mine = UpdateProductRequest(product=Product(product_id="matcha", title="Mine", etag=read.etag))
    with pytest.raises(EtagMismatch) as stale:
        await catalog.UpdateProduct(mine)
    assert stale.value.code().name == "ABORTED"
    assert (await get(catalog, "matcha")).title == "Theirs"
    mine.product.etag = stale.value.current_etag
    await catalog.UpdateProduct(mine)
    assert (await get(catalog, "matcha")).title == "Mine"


async def test_of_two_updates_with_one_etag_one_wins(
    db: Database, database: Databases, now: Callable[[], datetime]
) -> None:
    """Also when they come at once, to two workers."""
    other = await database.open(db.url)
    async with (
        serving(Catalog(db, now), CatalogServiceStub) as one,
        serving(Catalog(other, now), CatalogServiceStub) as two,
    ):
        read = await get(one, "matcha")
        outcomes = await asyncio.gather(
            *(
                worker.UpdateProduct(
                    UpdateProductRequest(product=Product(product_id="matcha", title=f"Title {number}", etag=read.etag))
                )
                for number, worker in enumerate((one, two, one, two))
            ),
            return_exceptions=True,
        )
    refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert [type(error) for error in refused] == [EtagMismatch] * 3


@pytest.mark.parametrize(
    ("changed", "paths", "field"),
    [
        (Product(), ["title"], "product.title"),
        (Product(), ["price"], "product.price"),
        (Product(title="New"), ["product_id"], "update_mask"),
        (Product(title="New"), ["etag"], "update_mask"),
        (Product(title="New"), ["colour"], "update_mask"),
        (Product(price=Money(currency_code="EUR", units=-1)), ["price"], "product.price"),
        (Product(price=Money(currency_code="euro")), ["price"], "product.price"),
        (Product(title="x" * 121), ["title"], "product.title"),
    ],
)
async def test_an_update_that_breaks_a_rule_names_the_field(
    catalog: CatalogServiceStub, fields: Fields, changed: Product, paths: list[str], field: str
) -> None:
    """Whether the contract has the rule or the domain; the product stays as it was."""
    before = await get(catalog, "matcha")
    request = UpdateProductRequest(product=changed, update_mask=FieldMask(paths=paths))
    request.product.product_id = "matcha"
    with pytest.raises(AioRpcError) as refused:
        await catalog.UpdateProduct(request)
    assert fields(refused.value) == [field]
    assert await get(catalog, "matcha") == before


async def test_an_update_of_nothing_is_not_found(catalog: CatalogServiceStub) -> None:
    """An update never creates."""
    with pytest.raises(ProductNotFound):
        await catalog.UpdateProduct(UpdateProductRequest(product=Product(product_id="nothing", title="New")))


async def test_an_import_creates_and_replaces(catalog: CatalogServiceStub) -> None:
    """More than one transaction holds; and one product twice, where the later one counts."""
    many = [product(f"new-{number:03}") for number in range(230)]
    summary = await catalog.ImportProducts(
        imports(*many, product("matcha", title="Cheap Matcha"), product("new-000", title="Again"))
    )
    assert (summary.created, summary.replaced) == (230, 2)
    assert (await get(catalog, "matcha")).title == "Cheap Matcha"
    assert (await get(catalog, "new-000")).title == "Again"
    assert (await get(catalog, "new-229")).price.units == 3


async def test_the_longest_product_is_kept_and_found(catalog: CatalogServiceStub) -> None:
    """As long as the contract allows, in letters that become longer when their case is folded."""
    longest = product("a" * 64, title="ß" * 120)
    longest.description, longest.category = "ß" * 4000, "ß" * 64
    await catalog.ImportProducts(imports(longest))
    found = await catalog.SearchProducts(SearchProductsRequest(query="SS" * 100))
    assert [each.description for each in found.products] == [longest.description]


async def test_an_import_that_fails_keeps_what_it_did_and_can_be_repeated(
    catalog: CatalogServiceStub, fields: Fields
) -> None:
    """At the first product that breaks a rule."""
    products = [product(f"new-{number:03}") for number in range(150)]
    products[120].title = ""
    with pytest.raises(AioRpcError) as refused:
        await catalog.ImportProducts(imports(*products))
    assert fields(refused.value) == ["product"]
    await get(catalog, "new-099")
    products[120].title = "Now with a title"
    summary = await catalog.ImportProducts(imports(*products))
    assert summary.created + summary.replaced == 150
    assert summary.replaced >= 100


async def test_an_import_of_nothing_is_nothing(catalog: CatalogServiceStub) -> None:
    """An empty stream is no mistake."""
    summary = await catalog.ImportProducts(imports())
    assert (summary.created, summary.replaced) == (0, 0)


async def test_a_caller_who_hangs_up_in_an_import_leaves_the_catalog_usable(catalog: CatalogServiceStub) -> None:
    """The stream breaks in the middle."""
    sent = asyncio.Event()

    async def endless() -> AsyncGenerator[ImportProductsRequest]:
        for number in range(120):
            yield ImportProductsRequest(product=product(f"new-{number:03}"))
        sent.set()
        await asyncio.Event().wait()

    call = catalog.ImportProducts(endless())
    await sent.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    summary = await catalog.ImportProducts(imports(product("after")), timeout=timedelta(seconds=30).total_seconds())
    assert summary.created == 1

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.type.money_pb2 import Money
from grpc import StatusCode
from sqlalchemy import text

from protomesh.keys.v1.key_set_service_pb2 import PublishKeySetResponse
from protomesh.keys.v1.key_set_service_pb2_grpc import KeySetServiceStub
from protomesh.runtime import InvalidSettings, StatusError, User
from protomesh.runtime.store.revisions import differences
from protomesh.testing.database import Databases
from protomesh.testing.fake import Fake
from protomesh.testing.running import running
from services.catalog.app import app as catalog_app
from services.identity.app import app as identity_app
from services.inventory.app import app as inventory_app
from services.notifications.app import app as notifications_app
from services.orders.app import app as orders_app
from services.payments.app import app as payments_app
from services.recommendations.app import app as recommendations_app
from shop.catalog.v1 import CatalogServiceStub, GetProductRequest
from shop.identity.v1 import IdentityServiceStub, LoginRequest
from shop.inventory.v1 import GetStockRequest, InventoryServiceStub
from shop.notifications.v1 import ListNotificationsRequest, NotificationsServiceStub
from shop.orders.v1 import ListOrdersRequest, OrderConfirmed, OrderedLine, OrdersServiceStub
from shop.payments.v1 import AuthorizePaymentRequest, PaymentsServiceStub
from shop.recommendations.v1 import ListRecommendationsRequest, RecommendationsServiceStub


def settings(database: Databases, package: str) -> Mapping[str, str]:
    """The environment of a worker whose database is migrated."""
    return {"PROTOMESH_DATABASE_URL": str(database.url(package))}


async def test_the_catalog_runs(database: Databases) -> None:
    """It needs nobody."""
    async with running(catalog_app, settings=settings(database, "services.catalog")) as catalog:
        found = await catalog.client(CatalogServiceStub).GetProduct(GetProductRequest(product_id="matcha"))
    assert found.product.product_id == "matcha"


async def test_identity_runs(database: Databases) -> None:
    """With the mesh to tell its keys to, and an administrator."""
    mesh = Fake(KeySetServiceStub)
    mesh.on(mesh.stub.PublishKeySet).returns(PublishKeySetResponse())
    chosen = {"ADMIN_EMAIL": "root@example.com", "ADMIN_PASSWORD": "a password for tests"}
    environment = {**settings(database, "services.identity"), **chosen}
    async with running(identity_app, fakes=[mesh], settings=environment) as identity:
        client = identity.client(IdentityServiceStub)
        answer = await client.Login(LoginRequest(email="root@example.com", password="a password for tests"))
        assert [job.name for job in identity.app.jobs] == ["keep_keys", "forget_sessions"]
    assert answer.tokens.access_token
    [told] = mesh.requests(mesh.stub.PublishKeySet)
    assert '"kty": "EC"' in told.jwks


async def test_identity_waits_for_a_mesh_that_starts_more_slowly(database: Databases) -> None:
    """Whoever logs in meanwhile waits too."""
    mesh = Fake(KeySetServiceStub)
    mesh.on(mesh.stub.PublishKeySet).returns(StatusError(StatusCode.UNAVAILABLE, "starting"), PublishKeySetResponse())
    chosen = {"ADMIN_PASSWORD": "a password for tests"}
    environment = {**settings(database, "services.identity"), **chosen}
    async with running(identity_app, fakes=[mesh], settings=environment) as identity:
        client = identity.client(IdentityServiceStub)
        answer = await client.Login(LoginRequest(email="admin@shop.local", password="a password for tests"))
    assert answer.tokens.access_token
    assert len(mesh.requests(mesh.stub.PublishKeySet)) == 2


async def test_the_inventory_runs(database: Databases) -> None:
    """With the catalog to ask, jobs that forget, and one that gives back what was held for too long."""
    fakes = [Fake(CatalogServiceStub)]
    async with running(inventory_app, fakes=fakes, settings=settings(database, "services.inventory")) as inventory:
        found = await inventory.client(InventoryServiceStub).GetStock(GetStockRequest(product_id="matcha"))
        assert [job.name for job in inventory.app.jobs] == [
            "forget_answers",
            "expire_reservations",
            "forget_reservations",
        ]
    assert found.stock.available > 0


async def test_the_notifications_run(database: Databases) -> None:
    """With orders to learn from, and a job that forgets after as long as the settings say."""
    chosen = {**settings(database, "services.notifications"), "NOTIFICATION_LIFETIME": "1h"}
    async with running(notifications_app, settings=chosen) as notifications:
        await notifications.deliver(OrderConfirmed(order_id="order-1", customer_id="alice"), publisher="orders")
        client = notifications.client(NotificationsServiceStub, user=User("alice"))
        found = await client.ListNotifications(ListNotificationsRequest())
        assert [job.name for job in notifications.app.jobs] == ["forget_notifications"]
    assert [each.order_id for each in found.notifications] == ["order-1"]


async def test_a_lifetime_in_which_nobody_could_read_is_refused(database: Databases) -> None:
    """Before the worker answers anybody."""
    chosen = {**settings(database, "services.notifications"), "NOTIFICATION_LIFETIME": "0s"}
    with pytest.raises(InvalidSettings, match="NOTIFICATION_LIFETIME has to be a minute or more"):
        async with running(notifications_app, settings=chosen):
            pass


async def test_the_orders_run(database: Databases) -> None:
    """With three others to ask, and a job that carries on what got stuck."""
    fakes: list[Fake[Any]] = [Fake(CatalogServiceStub), Fake(InventoryServiceStub), Fake(PaymentsServiceStub)]
    async with running(orders_app, fakes=fakes, settings=settings(database, "services.orders")) as orders:
        found = await orders.client(OrdersServiceStub, user=User("alice")).ListOrders(ListOrdersRequest())
        assert [job.name for job in orders.app.jobs] == ["forget_answers", "resume_checkouts"]
    assert list(found.orders) == []


async def test_the_payments_run(database: Databases, tmp_path: Path) -> None:
    """With nobody to ask but the local provider, whose books are where the settings say, or with the other data."""
    request = AuthorizePaymentRequest(
        request_id=str(uuid.uuid4()),
        order_id="order-1",
        amount=Money(currency_code="EUR", units=5),
        card_number="4000000000000101",
    )
    chosen = {**settings(database, "services.payments"), "PROVIDER_LEDGER": str(tmp_path / "books")}
    async with running(payments_app, settings=chosen, data=tmp_path / "data") as payments:
        await payments.client(PaymentsServiceStub, user=User("alice")).AuthorizePayment(request)
        assert [job.name for job in payments.app.jobs] == ["forget_answers", "release_authorizations"]
    assert (tmp_path / "books").is_file()
    async with running(
        payments_app, settings=settings(database, "services.payments"), data=tmp_path / "data"
    ) as payments:
        await payments.client(PaymentsServiceStub, user=User("alice")).AuthorizePayment(request)
    assert (tmp_path / "data" / "provider-ledger.sqlite").is_file()


async def test_the_recommendations_run(database: Databases) -> None:
    """With orders to learn from; the settings say how they fade."""
    chosen = {**settings(database, "services.recommendations"), "ORDER_HALF_LIFE": "1h"}
    confirmed = OrderConfirmed(
        order_id="order-1", lines=[OrderedLine(product_id="matcha"), OrderedLine(product_id="mug")]
    )
    confirmed.confirm_time.FromDatetime(datetime.now(UTC) - timedelta(hours=1))
    async with running(recommendations_app, settings=chosen) as recommendations:
        await recommendations.deliver(confirmed, publisher="orders")
        client = recommendations.client(RecommendationsServiceStub)
        found = await client.ListRecommendations(ListRecommendationsRequest(product_id="matcha"))
        assert [job.name for job in recommendations.app.jobs] == ["forget_counts"]
    [mug] = found.recommendations
    assert mug.product_id == "mug"
    assert 0.4 < mug.score <= 0.5


async def test_a_half_life_in_which_nothing_counts_is_refused(database: Databases) -> None:
    """Before the worker answers anybody."""
    chosen = {**settings(database, "services.recommendations"), "ORDER_HALF_LIFE": "0s"}
    with pytest.raises(InvalidSettings, match="ORDER_HALF_LIFE has to be a minute or more"):
        async with running(recommendations_app, settings=chosen):
            pass


async def test_a_worker_migrates_its_database_before_it_answers(database: Databases) -> None:
    """With nothing there yet: a process of its own does it."""
    async with running(catalog_app, settings={"PROTOMESH_DATABASE_URL": str(database.empty())}) as catalog:
        found = await catalog.client(CatalogServiceStub).GetProduct(GetProductRequest(product_id="matcha"))
    assert found.product.title == "Ceremonial Matcha"


@pytest.mark.parametrize(
    "package",
    [
        "services.catalog",
        "services.identity",
        "services.inventory",
        "services.notifications",
        "services.orders",
        "services.payments",
        "services.recommendations",
    ],
)
def test_migrations_make_the_tables_that_the_code_has(database: Databases, package: str) -> None:
    """Neither was forgotten."""
    assert differences(package, database.url(package)) == []


async def test_every_product_that_the_shop_opens_with_has_stock(database: Databases) -> None:
    """The two services share the ids and nothing else, so nobody else would notice."""
    catalog, inventory = await database("services.catalog"), await database("services.inventory")
    async with catalog.read() as one, inventory.read() as two:
        products = set(await one.scalars(text("SELECT product_id FROM products")))
        stocked = set(await two.scalars(text("SELECT product_id FROM stock")))
    assert products == stocked

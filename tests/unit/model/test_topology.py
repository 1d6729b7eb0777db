"""What can be asked of a topology."""

from datetime import timedelta

from protomesh.model import (
    Audience,
    Call,
    Method,
    Origin,
    PythonApp,
    RpcService,
    Service,
    Topology,
)

HERE = Origin(file="mesh.yaml")


def method(full_name: str, audience: Audience = Audience.INTERNAL) -> Method:
    """A unary method of which only the name and audience matter."""
    return Method(
        full_name=full_name,
        request="x.Request",
        response="x.Response",
        audience=audience,
        timeout=timedelta(seconds=1),
        retry=None,
        origin=HERE,
    )


def service(name: str, *methods: Method, calls: tuple[Call, ...] = ()) -> Service:
    """A service with one RPC service, of which the methods are given."""
    full_name = methods[0].full_name.partition("/")[0]
    served = RpcService(full_name=full_name, methods=methods, origin=HERE)
    return Service(name=name, runs=PythonApp(target="x:app"), serves=(served,), calls=calls, origin=HERE)


GET = method("shop.v1.Catalog/Get", Audience.PUBLIC)
IMPORT = method("shop.v1.Catalog/Import")
RESERVE = method("shop.v1.Inventory/Reserve")
CATALOG = service("catalog", GET, IMPORT)
INVENTORY = service("inventory", RESERVE, calls=(Call(service="catalog", methods=(GET.full_name,), origin=HERE),))
ORDERS = service(
    "orders",
    method("shop.v1.Orders/Place", Audience.USER),
    calls=(Call(service="inventory", origin=HERE), Call(service="catalog", origin=HERE)),
)
SHOP = Topology(
    name="shop",
    services={s.name: s for s in (CATALOG, INVENTORY, ORDERS)},
    gateways=(),
    descriptors=b"",
    origin=HERE,
)


def test_the_edge_sees_user_and_public_methods_only() -> None:
    """INTERNAL does not exist at the edge."""
    assert [m.full_name for _, m in SHOP.exposed()] == ["shop.v1.Catalog/Get", "shop.v1.Orders/Place"]


def test_a_call_that_names_methods_reaches_only_those() -> None:
    """`catalog/Get` in calls is Get and nothing else of catalog."""
    assert [(s.name, m.name) for s, m in SHOP.callable_from(INVENTORY)] == [("catalog", "Get")]


def test_a_call_that_names_a_service_reaches_all_its_methods() -> None:
    """Sorted by callee, whatever the order in mesh.yaml, so that rendered files are stable."""
    assert [(s.name, m.name) for s, m in SHOP.callable_from(ORDERS)] == [
        ("catalog", "Get"),
        ("catalog", "Import"),
        ("inventory", "Reserve"),
    ]


def test_a_method_is_found_with_its_owner() -> None:
    """And a name nobody serves is not found."""
    assert SHOP.find("shop.v1.Inventory/Reserve") == (INVENTORY, RESERVE)
    assert SHOP.find("shop.v1.Inventory/Nope") is None


def test_a_method_knows_its_name_and_path() -> None:
    """One name all the way: the :path is the full name behind a slash."""
    assert (GET.name, GET.path) == ("Get", "/shop.v1.Catalog/Get")

import re

from protomesh.contract import gateways, ignores, lint, mesh_yaml, policies, sources, yaml_tree
from protomesh.contract.lint import RULES, references
from protomesh.contract.report import did_you_mean


def test_every_rule_has_its_own_name_and_a_meaning() -> None:
    """UPPER_SNAKE as buf's, and a sentence that docs and `protomesh:ignore` can build on."""
    assert all(re.fullmatch(r"[A-Z]+(_[A-Z]+)*", name) and name == rule.id for name, rule in RULES.items())
    assert [rule.id for rule in RULES.values() if not re.fullmatch(r"\S.*\.", rule.means)] == []


def test_no_two_families_have_one_rule() -> None:
    """The second would hide the first from the registry."""
    families = (*lint._FAMILIES, gateways, ignores, mesh_yaml, policies, sources, yaml_tree)
    assert sum(len(family.RULES) for family in families) == len(RULES)
    assert references in families


def test_a_hint_names_what_is_close() -> None:
    """A letter wrong, or a name without its package."""
    known = ["shop.catalog.v1.CatalogService", "shop.orders.v1.OrdersService"]
    assert did_you_mean("shop.catlog.v1.CatalogService", known, "?") == f"Did you mean {known[0]!r}?"
    assert did_you_mean("OrdersService", known, "?") == f"Did you mean {known[1]!r}?"
    assert did_you_mean("weather", known, "Declare it.") == "Declare it."

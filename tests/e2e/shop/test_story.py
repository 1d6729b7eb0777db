"""The shop's whole story, as somebody plays it who has just typed `make up`."""

import subprocess
import sys

from tests.e2e.mesh import ROOT, Mesh

STORY = ROOT / "scripts/story"


def play(shop: Mesh, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs the script against the shop."""
    return subprocess.run(
        [sys.executable, STORY, *arguments], env=shop.env, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_whole_story_goes_well(shop: Mesh) -> None:
    """Twice: it leaves nothing behind that would stand in its own way."""
    for _ in range(2):
        done = play(shop)
        assert done.returncode == 0, done.stdout + done.stderr
        lines = done.stdout.splitlines()
        assert len([line for line in lines if line.endswith(" ms")]) == 12
        assert lines[-1] == "The whole story went well."


def test_a_step_that_fails_ends_the_story(shop: Mesh) -> None:
    """Exit code 1, the step is marked, and one sentence says what happened."""
    shop.protomesh(
        "call",
        "UpdateProduct",
        '{"product": {"product_id": "assam-tea", "sellable": false}, "update_mask": "sellable"}',
        check=True,
    )
    try:
        done = play(shop, shop.gateway)
    finally:
        shop.protomesh(
            "call",
            "UpdateProduct",
            '{"product": {"product_id": "assam-tea", "sellable": true}, "update_mask": "sellable"}',
            check=True,
        )
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_shop_that_is_not_there_is_said(shop: Mesh) -> None:
    """Nobody answers at that address."""
    done = play(shop, "127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.strip().startswith("UNAVAILABLE: ")

import asyncio
from typing import Any

import psutil
import pytest

from protomesh.proxy import ConfigurationRefused, find, validate
from protomesh.proxy.validate import reason


def cluster(**fields: Any) -> dict[str, Any]:
    """A bootstrap with one cluster."""
    return {"static_resources": {"clusters": [{"name": "catalog", "connect_timeout": "1s", **fields}]}}


async def test_a_good_configuration_passes() -> None:
    """Nothing is raised."""
    await validate(find(), cluster())


@pytest.mark.parametrize(
    ("bootstrap", "expected"),
    [
        (cluster(lb_policy="RING_HASH", type="EDS"), "eds"),
        (cluster(connect_timeout="-1s"), "expected positive duration"),
        (cluster(no_such_field=1), "no_such_field"),
    ],
)
async def test_the_reason_names_what_is_wrong(bootstrap: dict[str, Any], expected: str) -> None:
    """In a line or two, and not with the whole configuration before it."""
    with pytest.raises(ConfigurationRefused) as caught:
        await validate(find(), bootstrap)
    assert expected in caught.value.reason.lower()
    assert len(caught.value.reason) < 400


async def test_a_cancelled_validation_leaves_no_envoy() -> None:
    """Whoever gives up waiting leaves no process behind."""
    before = {child.pid for child in psutil.Process().children()}
    task = asyncio.ensure_future(validate(find(), cluster()))
    async with asyncio.timeout(10):
        while not {child.pid for child in psutil.Process().children()} - before:
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not {child.pid for child in psutil.Process().children()} - before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            (
                'goo.gle/debugonly\nname: "v"\n: Proto constraint validation failed (AError.B: embedded message failed '
                "validation | caused by VirtualHostValidationError.Domains: value must contain at least 1 item(s))\n"
            ),
            "VirtualHostValidationError.Domains: value must contain at least 1 item(s)",
        ),
        (
            "name: 'a'\n: Proto constraint validation failed (ClusterValidationError.Name: too short)",
            "ClusterValidationError.Name: too short",
        ),
        (
            (
                "[2026-01-01 00:00:00.000][1][critical][main] [s.cc:1] error initializing configuration '/r.json': "
                "Invalid duration: goo.gle/debugstr  \nseconds: -1\n\n"
            ),
            "Invalid duration: seconds: -1",
        ),
        ("Error adding/updating listener(s) edge: cannot bind", "Error adding/updating listener(s) edge: cannot bind"),
        ("x" * 1000, "... " + "x" * 400),
        ("", ""),
    ],
)
def test_a_reason_is_the_end_of_what_envoy_says(text: str, expected: str) -> None:
    """NACKs and logs alike."""
    assert reason(text) == expected

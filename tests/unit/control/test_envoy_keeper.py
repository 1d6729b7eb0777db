"""The end of Envoy, as far as it is the keeper's to decide; tests/e2e/chain ends a real one under traffic."""

import asyncio
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import cast

import pytest

from protomesh.control import envoy_keeper
from protomesh.control.envoy_keeper import EnvoyKeeper
from protomesh.model import Layout
from protomesh.proxy import EnvoyBinary, EnvoyFailed, EnvoyProcess, ProxyError
from protomesh.supervisor import StateFile


class Statistics:
    """Tells how many calls are in progress: one number after another, and the last one for good."""

    def __init__(self, calls: Sequence[int | Exception]) -> None:
        self.asked = 0
        self._calls = calls

    async def calls_in_progress(self) -> int:
        answer = self._calls[min(self.asked, len(self._calls) - 1)]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        return answer


class Envoy:
    """An Envoy that notes what it is told."""

    def __init__(self, *calls: int | Exception, refuses: bool = False) -> None:
        self.pid, self.running = 1, True
        self.told: list[str] = []
        self.statistics = Statistics(calls)
        self._refuses = refuses

    async def drain(self) -> None:
        self.told.append("drain")
        if self._refuses:
            raise EnvoyFailed("it answers 503")

    async def stop(self) -> None:
        self.told.append(f"stop after {self.statistics.asked}")


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch) -> EnvoyKeeper:
    """A keeper that is quick to lose its patience."""
    for limit in ("_SOON", "_FLUSHED"):
        monkeypatch.setattr(envoy_keeper, limit, 0.2)
    monkeypatch.setattr(envoy_keeper, "_POLL", 0.001)
    layout = Layout(run=PurePosixPath("/nowhere"), state=PurePosixPath("/nowhere"))
    return EnvoyKeeper(cast("EnvoyBinary", None), {}, layout, state=StateFile(layout), changed=asyncio.Event().set)


async def drained(keeper: EnvoyKeeper, envoy: Envoy) -> bool:
    """Whether nothing is in progress any more when this Envoy has been drained."""
    keeper.process = cast("EnvoyProcess", envoy)
    return await keeper.drain()


async def test_calls_in_progress_are_given_a_moment(keeper: EnvoyKeeper) -> None:
    """Who comes to their end in it need not be taken into account any more."""
    envoy = Envoy(3, 1, 1, 0)

    assert await drained(keeper, envoy)
    assert (envoy.told, envoy.statistics.asked) == (["drain"], 4)


async def test_calls_that_take_longer_are_told_of(keeper: EnvoyKeeper) -> None:
    """So that services end in an order that lets them be answered."""
    assert not await drained(keeper, Envoy(1))


@pytest.mark.parametrize("gone", [FileNotFoundError(), ConnectionRefusedError(), TimeoutError(), ProxyError("closed")])
async def test_an_envoy_that_does_not_answer_has_no_calls(keeper: EnvoyKeeper, gone: Exception) -> None:
    """Nobody waits for it."""
    assert await drained(keeper, Envoy(1, gone))


async def test_one_that_will_not_drain_is_waited_for_all_the_same(
    keeper: EnvoyKeeper, caplog: pytest.LogCaptureFixture
) -> None:
    """The mesh ends; the log says what Envoy said."""
    assert await drained(keeper, Envoy(1, 0, refuses=True))
    assert [record.__dict__["reason"] for record in caplog.records] == ["it answers 503"]


async def test_where_none_runs_nothing_is_in_progress(keeper: EnvoyKeeper) -> None:
    """None was started yet, or it has just ended."""
    assert await keeper.drain()

    ended = Envoy(1)
    ended.running = False
    assert await drained(keeper, ended)
    assert ended.told == []


async def test_it_ends_when_the_last_answers_are_out(keeper: EnvoyKeeper) -> None:
    """Workers are gone by then, and what they said last is on its way; a call that stays is no reason to stay."""
    for envoy, told in ((Envoy(2, 1, 0), "stop after 3"), (Envoy(1), "stop after")):
        keeper.process = cast("EnvoyProcess", envoy)
        await keeper.stop()
        assert len(envoy.told) == 1
        assert envoy.told[0].startswith(told)

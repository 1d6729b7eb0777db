import asyncio

import pytest

from protomesh.runtime.store.uninterrupted import uninterrupted


class Step:
    """A step that waits until it may end."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.ended = False

    async def run(self) -> int:
        """Returns 7 in the end."""
        self.begun.set()
        await self.may_end.wait()
        self.ended = True
        return 7


async def test_its_result_is_the_steps() -> None:
    """Without a cancellation it is the step itself."""
    step = Step()
    step.may_end.set()
    assert await uninterrupted(step.run()) == 7


async def test_its_error_is_the_steps() -> None:
    """Likewise."""

    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await uninterrupted(fail())


async def test_a_cancellation_waits_for_the_end_of_the_step() -> None:
    """However often it is asked for."""
    step = Step()
    task = asyncio.create_task(uninterrupted(step.run()))
    await step.begun.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.wait([task], timeout=0.01)
        assert not task.done()
    step.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert step.ended


async def test_a_timeout_around_it_is_still_a_timeout() -> None:
    """Late, and told as what it is."""
    step = Step()
    asyncio.get_running_loop().call_later(0.1, step.may_end.set)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await uninterrupted(step.run())
    assert step.ended

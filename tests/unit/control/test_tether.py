import asyncio
import os
import sys

import pytest

from protomesh.control.tether import follow, hold


async def test_the_end_of_the_block_is_noticed() -> None:
    """And not before it."""
    gone = asyncio.Event()
    with hold() as descriptor:
        follow(os.dup(descriptor), gone.set)  # as a process that it was handed to
        await asyncio.sleep(0)
        assert not gone.is_set()

    async with asyncio.timeout(5):
        await gone.wait()


async def test_the_end_of_the_process_is_noticed_though_a_child_of_it_lives() -> None:
    """What a process starts does not inherit the end that it holds."""
    gone = asyncio.Event()
    with hold() as descriptor:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "import sys; sys.stdin.read()", stdin=asyncio.subprocess.PIPE
        )
        follow(os.dup(descriptor), gone.set)
    try:
        async with asyncio.timeout(5):
            await gone.wait()
        assert child.returncode is None
    finally:
        child.kill()
        await child.wait()


async def test_what_is_followed_is_not_handed_on() -> None:
    """A worker of the mesh has no business with it."""
    with hold() as descriptor:
        handed = os.dup(descriptor)
        os.set_inheritable(handed, True)  # as subprocess does with pass_fds
        follow(handed, lambda: None)

        assert not os.get_inheritable(handed)
        asyncio.get_running_loop().remove_reader(handed)
        os.close(handed)


async def test_an_unknown_descriptor_is_an_error() -> None:
    """A wrong number is no mesh that never ends."""
    unknown = os.dup(0)
    os.close(unknown)

    with pytest.raises(OSError, match="Bad file descriptor"):
        follow(unknown, lambda: None)

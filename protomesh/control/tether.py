"""A mesh that ends with the process it runs for, however that ends.

The process holds one end of a pipe and the mesh the other. The system closes what a process held when it dies, also by
SIGKILL, and the mesh reads the end of the file: nothing is polled, and no PID can be taken for another one.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["follow", "hold"]


@contextmanager
def hold() -> Iterator[int]:
    """Yields the descriptor to hand to the mesh; the mesh ends when this process does, or the block.

    A process that is forked off meanwhile and does not exec() holds it too.
    """
    mesh_end, held = os.pipe()  # neither is inherited, unless somebody passes it on
    try:
        yield mesh_end
    finally:
        os.close(held)
        os.close(mesh_end)


def follow(descriptor: int, gone: Callable[[], None]) -> None:
    """Calls `gone` when nobody holds the other end any more. The descriptor is ours from now on.

    Raises:
        OSError: there is no such descriptor.
    """
    os.set_inheritable(descriptor, False)
    loop = asyncio.get_running_loop()

    def read() -> None:
        if not os.read(descriptor, 1):
            loop.remove_reader(descriptor)
            os.close(descriptor)
            gone()

    loop.add_reader(descriptor, read)

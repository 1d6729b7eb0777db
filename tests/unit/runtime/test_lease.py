import asyncio
import signal
import sys
from pathlib import Path

from protomesh.runtime.lease import FileLease

HOLDER = """
import sys, time
from pathlib import Path
from protomesh.runtime.lease import FileLease
assert FileLease(Path(sys.argv[1])).acquire()
print("mine", flush=True)
time.sleep(60)
"""


async def test_a_lease_has_one_holder(tmp_path: Path) -> None:
    """Who has it may ask again; who hasn't gets it when it is let go."""
    first, second = FileLease(tmp_path / "lease"), FileLease(tmp_path / "lease")
    async with first.held():
        assert first.acquire()
        assert not second.acquire()
    assert second.acquire()
    second.release()


async def test_a_crash_gives_a_lease_up(tmp_path: Path) -> None:
    """At once: the kernel does it."""
    lease = FileLease(tmp_path / "lease")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(tmp_path / "lease"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"mine\n"
    assert not lease.acquire()
    process.send_signal(signal.SIGKILL)
    await process.wait()
    assert lease.acquire()
    lease.release()

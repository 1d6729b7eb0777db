from pathlib import Path, PurePosixPath

import pytest

from protomesh.control.lock import AlreadyRunning, exclusive
from protomesh.model import Layout


def test_only_one_holds_the_lock(tmp_path: Path) -> None:
    """Two `up` at once start one mesh; the lock is free again afterwards."""
    layout = Layout(run=PurePosixPath("/run/x"), state=PurePosixPath(tmp_path))

    with exclusive(layout), pytest.raises(AlreadyRunning), exclusive(layout):
        pass

    with exclusive(layout):
        pass

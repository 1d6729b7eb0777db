"""Tests of services: real gRPC on a unix socket, with fakes for what a service calls.

In go servicers, composition roots and stubs; out come clients of them. Fixtures are in `protomesh.pytest_plugin`, which
pytest loads. It imports `protomesh.runtime` and may import every other part.
"""

from protomesh.testing.fake import Fake, RecordedCall
from protomesh.testing.running import Running, running
from protomesh.testing.serving import serving

__all__ = ["Fake", "RecordedCall", "Running", "running", "serving"]

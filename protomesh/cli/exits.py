"""How the command ends. docs/reference/exit-codes.md lists the codes for scripts."""

import enum

__all__ = ["ExitCode", "Failure"]


class ExitCode(enum.IntEnum):
    """What a script can tell apart.

    `protomesh call` ends with 64 + the gRPC status code where the call itself failed, as grpcurl does.
    """

    OK = 0
    FAILED = 1  # the mesh did not start, or could not do what was asked; or something is stale
    INVALID = 2  # a contract, mesh.yaml or the command line is wrong; every problem is listed
    NOT_RUNNING = 3  # there is no mesh to speak with
    CALL_STATUS = 64  # + the gRPC status code
    INTERRUPTED = 130  # Ctrl-C


class Failure(Exception):  # noqa: N818 - what happened, for people; not a bug
    """Ends the command with a text on stderr and an exit code, and never with a traceback."""

    def __init__(self, text: str, code: int = ExitCode.FAILED) -> None:
        self.text = text
        self.code = code
        super().__init__(text)

"""The environment that a service's worker sees."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from protomesh.model import Layout, Service

__all__ = ["EnvironmentOf", "InvalidEnvironmentFile", "read_env_file", "worker_environment"]


class EnvironmentOf(Protocol):
    """`protomesh.runtime.launch.environment`: what a service in any language is told. Passed in: that is a leaf."""

    def __call__(  # noqa: D102
        self,
        service: str,
        listen: str,
        egress: str,
        data: str,
        *,
        log: str,
        deadlines: bool = True,
        subscribes: Collection[str] = (),
        subscribers: Mapping[str, Collection[str]] | None = None,
        publishers: Mapping[str, Collection[str]] | None = None,
        events_url: str = "",
        events_prefix: str = "",
        tls_identity: str = "",
        tls_authorities: str = "",
    ) -> dict[str, str]: ...


class InvalidEnvironmentFile(Exception):  # noqa: N818 - it says what happened, as InvalidProject does
    """An `env_file` of mesh.yaml can't be read; the text says where and why."""


def worker_environment(
    service: Service,
    listen: str,
    layout: Layout,
    root: Path,
    environment: EnvironmentOf,
    *,
    attached: bool = False,
    mtls: bool = False,
) -> dict[str, str]:
    """What a worker sees on top of our own environment.

    The service's `env_file`, then its `env`, then what Protomesh itself says, which nothing overrides. `attached` is a
    worker that a person runs in a terminal: it writes for people and has no deadlines. With `mtls` it is told where its
    certificate is.

    Raises:
        InvalidEnvironmentFile: `env_file` is missing or malformed.
    """
    egress = f"unix:{layout.egress_socket(service.name)}"
    data, log = str(layout.data(service.name)), "console" if attached else "json"
    told = environment(
        service.name,
        listen,
        egress,
        data,
        log=log,
        deadlines=not attached,
        subscribes=service.subscribes,
        subscribers=service.subscribers,
        publishers=service.publishers,
        events_url=service.broker.url if service.broker else "",
        events_prefix=service.broker.prefix if service.broker else "",
        tls_identity=layout.identity_file(service.name) if mtls else "",
        tls_authorities=layout.authorities_file if mtls else "",
    )
    named = read_env_file(root / service.env_file) if service.env_file else {}
    return {**named, **service.env, **told}


def read_env_file(path: Path) -> Mapping[str, str]:
    """Reads lines of `NAME=value`. `#` starts a comment line; `export ` and a pair of quotes are taken off.

    Raises:
        InvalidEnvironmentFile: the file can't be read, or a line is no assignment.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidEnvironmentFile(f"can't read {path}: {error}. Create it, or remove env_file.") from error
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip().removeprefix("export ")
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name.isidentifier():
            # The line stays out of it: it may be a secret.
            raise InvalidEnvironmentFile(
                f"{path}:{number}: the line is not NAME=value; a name has letters, digits and _."
            )
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        values[name] = value
    return values

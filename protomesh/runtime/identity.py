"""What a worker shows to Envoy, and whom it takes for Envoy, where the mesh has mutual TLS."""

from dataclasses import dataclass, field
from pathlib import Path

import grpc

from protomesh.runtime.cannot_start import CannotStart

__all__ = ["Identity", "IdentityFiles", "IdentityUnusable"]

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_Seen = tuple[tuple[int, int, int], ...]


class IdentityUnusable(CannotStart):
    """The files of a worker's identity can't be read, or hold something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A key, its certificate with the chain, and the CA certificates of those that it trusts; all PEM."""

    key: bytes = field(repr=False)
    chain: bytes
    authorities: bytes

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """To call whoever these authorities have signed for."""
        return grpc.ssl_channel_credentials(self.authorities, self.key, self.chain)


class IdentityFiles:
    """The two files that hold an identity. Each is replaced as a whole, so key and certificate belong together.

    Args:
        identity: The private key, then the certificate with its chain, in one file.
        authorities: The CA certificates.
    """

    def __init__(self, identity: Path, authorities: Path) -> None:
        self._files = identity, authorities
        self._seen: _Seen = ()

    def read(self) -> Identity:
        """What they hold now.

        Raises:
            IdentityUnusable: one is not there, or holds something else.
        """
        try:
            seen = self._look()  # first: what changes while it is read is read again
            pair, authorities = (file.read_bytes() for file in self._files)
        except OSError as error:
            raise IdentityUnusable(f"can't read {error.filename}: {error.strerror}") from None
        key, certificate, rest = pair.partition(_CERTIFICATE)
        if not certificate or b"PRIVATE KEY" not in key:
            raise IdentityUnusable(f"{self._files[0]} does not hold a private key and then its certificate, in PEM")
        self._seen = seen
        return Identity(key=key, chain=certificate + rest, authorities=authorities)

    def changed(self) -> Identity | None:
        """What they hold now; None if that was read before, or it can't be used: the last one holds."""
        try:
            return self.read() if self._look() != self._seen else None
        except (OSError, IdentityUnusable):
            return None

    def server_credentials(self) -> grpc.ServerCredentials:
        """To be called by those only that the authorities have signed for. Each handshake is made with what is new.

        Raises:
            IdentityUnusable: as `read`.
        """

        def renewed() -> grpc.ServerCertificateConfiguration | None:
            identity = self.changed()
            return _configuration(identity) if identity is not None else None

        return grpc.dynamic_ssl_server_credentials(
            _configuration(self.read()),
            renewed,  # type: ignore[arg-type] # None is for no change, which the stubs don't know
            require_client_authentication=True,
        )

    def _look(self) -> _Seen:
        found = [file.stat() for file in self._files]
        return tuple((one.st_ino, one.st_mtime_ns, one.st_size) for one in found)


def _configuration(identity: Identity) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(identity.key, identity.chain)], identity.authorities)

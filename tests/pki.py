"""A certificate authority for tests: whatever a certificate should be, or should not."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Files", "Pki"]


@dataclass(frozen=True)
class Files:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path

    @property
    def pair(self) -> tuple[str, str]:
        """As `ssl` and httpx take them."""
        return str(self.certificate), str(self.key)


class Pki:
    """A CA whose certificates are written into one directory."""

    def __init__(self, directory: Path, name: str = "tests") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        own = self._builder(self._name, self._key, days=10).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.file = directory / f"{name}-ca.pem"
        self.file.write_bytes(own.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(
        self, name: str, *, names: Sequence[str] = (), uris: Sequence[str] = (), days: float = 5, password: str = ""
    ) -> Files:
        """Writes `name`.pem and `name`.key, each as a whole in the place of what was there."""
        key = ec.generate_private_key(ec.SECP256R1())
        general = [*map(_general, names), *map(x509.UniformResourceIdentifier, uris)]
        builder = self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, days=days)
        if general:
            builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        files = Files(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        locked: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password:
            locked = serialization.BestAvailableEncryption(password.encode())
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
        for file, content in (
            (files.key, private),
            (files.certificate, signed.public_bytes(serialization.Encoding.PEM)),
        ):
            new = file.with_suffix(".new")
            new.write_bytes(content)
            new.replace(file)
        return files

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: float) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=days))
            .public_key(key.public_key())
        )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)

"""The development CA of a project: made once, trusted by whom its user tells to."""

import ipaddress
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from protomesh.atomic_file import write_atomically
from protomesh.control.certificate import CertificateUnusable, Pair
from protomesh.control.signing import builder, common_name, pem, private_pem, signed_by, usage

__all__ = ["LIFETIME", "Authority"]

LIFETIME = timedelta(days=30)
"""How long a certificate is valid that the CA issues. It is issued anew when half of that is over."""

_CA_LIFETIME = timedelta(days=3650)


class Authority:
    """A CA of its own for one project.

    Its key stays in `directory` (0600). By name constraints the only names it signs for are localhost and this
    machine's: whoever takes it can't be a site on the web for those who trust it. Constraints on addresses would be
    better still, but BoringSSL, and with it every gRPC client in Python, refuses a certificate that has any.
    """

    def __init__(self, directory: Path) -> None:
        self.certificate_file = directory / "ca.pem"
        self._key_file = directory / "ca.key"

    def issue(self, names: Sequence[str], now: datetime) -> Pair:
        """A new certificate for localhost and those of the names and IP addresses that are this machine's own.

        Makes the CA if there is none yet.

        Raises:
            CertificateUnusable: the CA's files are there and can't be used, or can't be written.
        """
        certificate, key = self._loaded(now)
        permitted = certificate.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
        names = [name for name in dict.fromkeys(("localhost", *names)) if _is_local(name, permitted)]
        own = ec.generate_private_key(ec.SECP256R1())
        issued = (
            builder(common_name("protomesh"), certificate.subject, now, LIFETIME)
            .public_key(own.public_key())
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(signed_by(certificate), critical=False)
            .sign(key, hashes.SHA256())
        )
        return Pair(chain=pem(issued), key=private_pem(own), expires=issued.not_valid_after_utc)

    def _loaded(self, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        try:
            if not self.certificate_file.exists():
                self._make(now)
            certificate = x509.load_pem_x509_certificate(self.certificate_file.read_bytes())
            key = serialization.load_pem_private_key(self._key_file.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise CertificateUnusable(
                f"the development CA in {self.certificate_file.parent} can't be used ({error}): "
                "remove that directory, and a new one is made"
            ) from None
        assert isinstance(key, ec.EllipticCurvePrivateKey), "what _make writes"
        return certificate, key

    def _make(self, now: datetime) -> None:
        """The key first: a certificate without one would be trusted for nothing."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = common_name(f"protomesh development CA on {os.uname().nodename}")
        permitted = [x509.DNSName("localhost"), x509.DNSName(os.uname().nodename)]
        certificate = (
            builder(name, name, now, _CA_LIFETIME)
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage(ca=True), critical=True)
            .add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.certificate_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self._key_file, private_pem(key), private=True)
        write_atomically(self.certificate_file, pem(certificate))


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _is_local(name: str, permitted: Sequence[x509.GeneralName]) -> bool:
    """An address that means nothing elsewhere, or a name that the constraints permit (RFC 5280, section 4.2.1.10)."""
    try:
        return ipaddress.ip_address(name).is_private
    except ValueError:
        return any(f".{name}".endswith(f".{tree.value}") for tree in permitted)

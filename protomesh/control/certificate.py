"""A certificate with its key, as somebody gives it to a gateway: read, and looked at before Envoy sees it."""

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

__all__ = ["CertificateUnusable", "Pair", "check_authorities", "check_pair", "check_trusted"]


class CertificateUnusable(ValueError):  # noqa: N818 - it names the certificate's state
    """Nobody could come in by it. The text says why and what to do, and has nothing of the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate with its chain, and its private key; both PEM."""

    chain: str
    key: str = field(repr=False)
    expires: datetime


def check_pair(certificate: Path, key: Path, now: datetime) -> Pair:
    """Reads a certificate and its key.

    Raises:
        CertificateUnusable: a file can't be read or holds something else, the two do not belong together, the key has
            a password, or the time is over.
    """
    chain, secret = _read(certificate), _read(key)
    certificates = _certificates(certificate, chain)
    try:
        private = serialization.load_pem_private_key(secret.encode(), password=None)
    except TypeError:
        raise CertificateUnusable(f"{key} has a password: give it without one, readable for you only") from None
    except ValueError:
        raise CertificateUnusable(f"{key} holds no private key in PEM") from None
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    first = certificates[0]
    if first.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != public:
        raise CertificateUnusable(
            f"{key} is not the key of the first certificate in {certificate}: the gateway's own comes first, "
            "then what it was signed with"
        )
    if first.not_valid_after_utc <= now:
        raise CertificateUnusable(f"{certificate} was valid until {_day(first.not_valid_after_utc)}: renew it")
    if first.not_valid_before_utc > now:
        raise CertificateUnusable(f"{certificate} is not valid before {_day(first.not_valid_before_utc)}")
    return Pair(chain=chain, key=secret, expires=first.not_valid_after_utc)


def check_authorities(file: Path) -> str:
    """Reads the certificates of CAs.

    Raises:
        CertificateUnusable: the file can't be read, or holds none.
    """
    content = _read(file)
    for found in _certificates(file, content):
        try:
            constraints = found.extensions.get_extension_for_class(x509.BasicConstraints).value
        except x509.ExtensionNotFound:
            constraints = None
        if constraints is None or not constraints.ca:
            name = found.subject.rfc4514_string()
            raise CertificateUnusable(f"{file}: {name} is no CA: name the certificate that signs the clients'")
    return check_trusted(file)


def check_trusted(file: Path) -> str:
    """Reads certificates to be trusted: of CAs, or of servers that have signed their own.

    Raises:
        CertificateUnusable: the file can't be read, or holds none.
    """
    content = _read(file)
    _certificates(file, content)
    try:
        ssl.create_default_context(cadata=content)
    except ssl.SSLError as error:
        raise CertificateUnusable(f"{file} holds certificates that can't be used: {error.reason}") from None
    return content


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except FileNotFoundError:
        raise CertificateUnusable(f"{file} is not there") from None
    except OSError as error:
        raise CertificateUnusable(f"{file} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CertificateUnusable(f"{file} is not PEM") from None


def _certificates(file: Path, content: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content.encode())
    except ValueError:
        raise CertificateUnusable(f"{file} holds no certificate in PEM") from None


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")

"""What certificates that the mesh signs have in common."""

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["builder", "common_name", "pem", "private_pem", "signed_by", "usage"]

_EARLIER = timedelta(minutes=5)  # clocks differ


def builder(subject: x509.Name, issuer: x509.Name, now: datetime, lifetime: timedelta) -> x509.CertificateBuilder:
    """A certificate that is valid from now on."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + lifetime)
    )


def usage(*, ca: bool) -> x509.KeyUsage:
    """What its key may be used for: to sign certificates, or to say who one is."""
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def signed_by(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Says with which CA's key."""
    own = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def common_name(text: str) -> x509.Name:
    """A subject that has a name and nothing else; 64 characters of it, which is all that fits."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def pem(certificate: x509.Certificate) -> str:
    """As it is written down."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """As it is written down, with no password."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()

"""A CA that lives as long as a run: what it signs is trusted by parts of one mesh, and by nobody after it."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from protomesh.control.certificate import Pair
from protomesh.control.signing import builder, common_name, pem, private_pem, signed_by, usage

__all__ = ["Issuer"]


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    made: datetime


class Issuer:
    """Issues certificates that carry a SPIFFE ID. Its keys are in this process's memory and in no file.

    It replaces its own key every `period`. The new one is among `authorities` for a whole period before anything is
    signed with it, and the old one for a whole period after: whoever has been told of `authorities` within that time
    trusts what it meets.

    Args:
        name: For people who look at a certificate.
        period: At least as long as a certificate is valid.
    """

    def __init__(self, name: str, period: timedelta) -> None:
        self._name = name
        self._period = period
        self._authorities: list[_Authority] = []
        self._numbers = itertools.count(1)

    def renew(self, now: datetime) -> bool:
        """Makes the next key if it is time for it, and forgets what has ended. Returns whether it has made one."""
        self._authorities = [one for one in self._authorities if now < one.certificate.not_valid_after_utc]
        if self._authorities and now - self._authorities[-1].made < self._period:
            return False
        key = ec.generate_private_key(ec.SECP256R1())
        name = common_name(f"{self._name} {next(self._numbers)}")
        certificate = (
            builder(name, name, now, 3 * self._period)
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage(ca=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        self._authorities.append(_Authority(certificate, key, now))
        return True

    @property
    def authorities(self) -> str:
        """The certificates to trust, PEM; those that sign, that have signed and that will."""
        return "".join(pem(one.certificate) for one in self._authorities)

    def issue(self, identity: str, names: Sequence[str], now: datetime, lifetime: timedelta) -> Pair:
        """A certificate for a SPIFFE ID, and for the names that clients without SPIFFE look for. `renew` comes first.

        https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md
        """
        two_periods = 2 * self._period
        signing = next((one for one in self._authorities if now - one.made < two_periods), self._authorities[-1])
        key = ec.generate_private_key(ec.SECP256R1())
        general = [x509.UniformResourceIdentifier(identity), *map(x509.DNSName, names)]
        both_ways = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        issued = (
            builder(common_name(identity), signing.certificate.subject, now, lifetime)
            .public_key(key.public_key())
            .add_extension(x509.SubjectAlternativeName(general), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage(ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(both_ways), critical=False)
            .add_extension(signed_by(signing.certificate), critical=False)
            .sign(signing.key, hashes.SHA256())
        )
        return Pair(chain=pem(issued), key=private_pem(key), expires=issued.not_valid_after_utc)

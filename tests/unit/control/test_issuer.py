"""A CA whose keys follow each other, and the certificates it issues."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from protomesh.control.issuer import Issuer

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
PERIOD = 7 * DAY
CATALOG = "spiffe://shop/service/catalog"


def trusted(authorities: str, chain: str, when: datetime) -> bool:
    """Whether a client that was told of these authorities believes a certificate then."""
    store = Store(x509.load_pem_x509_certificates(authorities.encode()))
    verifier = PolicyBuilder().store(store).time(when.replace(tzinfo=None)).build_client_verifier()
    try:
        found = verifier.verify(x509.load_pem_x509_certificate(chain.encode()), [])
    except VerificationError:
        return False
    return found.subjects == [x509.UniformResourceIdentifier(CATALOG), x509.DNSName("catalog")]


def test_a_certificate_says_who_it_is_and_for_how_long() -> None:
    """A SPIFFE ID, and a name for those who know none."""
    issuer = Issuer("workers", PERIOD)
    assert issuer.renew(NOW)
    pair = issuer.issue(CATALOG, ["catalog"], NOW, DAY)
    assert trusted(issuer.authorities, pair.chain, NOW)
    assert pair.expires - NOW <= DAY
    assert not trusted(issuer.authorities, pair.chain, NOW + DAY + timedelta(seconds=2))
    assert pair.key not in repr(pair)


def test_one_ca_does_not_believe_the_other() -> None:
    """Else a worker could be taken for a proxy."""
    proxies, workers = Issuer("proxies", PERIOD), Issuer("workers", PERIOD)
    proxies.renew(NOW)
    workers.renew(NOW)
    assert not trusted(proxies.authorities, workers.issue(CATALOG, ["catalog"], NOW, DAY).chain, NOW)


def test_whoever_has_heard_within_a_period_trusts_what_it_meets() -> None:
    """For a year of certificates and five keys of the CA: those of a week ago are trusted, and so are those of then."""
    issuer = Issuer("workers", PERIOD)
    told: list[tuple[datetime, str]] = []
    issued: list[tuple[datetime, str]] = []
    signers = set()
    for hours in range(0, 24 * 60, 8):
        now = NOW + timedelta(hours=hours)
        issuer.renew(now)
        pair = issuer.issue(CATALOG, ["catalog"], now, DAY)
        signers.add(x509.load_pem_x509_certificate(pair.chain.encode()).issuer)
        told.append((now, issuer.authorities))
        issued.append((now, pair.chain))
        known = [authorities for when, authorities in told if now - when < PERIOD]
        assert all(trusted(authorities, pair.chain, now) for authorities in known)
        still = [chain for when, chain in issued if now - when < DAY]
        assert all(trusted(issuer.authorities, chain, now) for chain in still)
        assert issuer.authorities.count("BEGIN CERTIFICATE") <= 3
    assert len(signers) > 5


def test_a_machine_that_slept_for_long_has_new_ones() -> None:
    """Nothing of before is valid any more."""
    issuer = Issuer("workers", PERIOD)
    issuer.renew(NOW)
    later = NOW + 10 * PERIOD
    assert issuer.renew(later)
    assert trusted(issuer.authorities, issuer.issue(CATALOG, ["catalog"], later, DAY).chain, later)

"""What a certificate must be before Envoy sees it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from protomesh.control.certificate import CertificateUnusable, check_authorities, check_pair
from tests.pki import Files, Pki

NOW = datetime.now(UTC)


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    """A CA."""
    return Pki(tmp_path)


def check(files: Files, now: datetime = NOW) -> str:
    """What is said of a pair, empty if it is good."""
    try:
        check_pair(files.certificate, files.key, now)
    except CertificateUnusable as error:
        return str(error)
    return ""


def test_a_pair_is_read_whole_and_does_not_show_its_key(pki: Pki) -> None:
    """With when it ends; and no log that prints it has the key."""
    files = pki.issue("edge", names=["localhost"])
    pair = check_pair(files.certificate, files.key, NOW)
    assert (pair.chain, pair.key) == (files.certificate.read_text(), files.key.read_text())
    assert timedelta(days=4) < pair.expires - NOW < timedelta(days=6)
    assert "PRIVATE" not in repr(pair)


def test_a_chain_may_follow(pki: Pki) -> None:
    """The gateway's own certificate is the first."""
    files = pki.issue("edge", names=["localhost"])
    files.certificate.write_text(files.certificate.read_text() + pki.file.read_text())
    assert check(files) == ""
    files.certificate.write_text(pki.file.read_text() + files.certificate.read_text())
    assert f"{files.key} is not the key of the first certificate in {files.certificate}" in check(files)


def test_what_can_not_be_used_is_named(pki: Pki, tmp_path: Path) -> None:
    """The file, why, and what to do."""
    files, other = pki.issue("edge"), pki.issue("other")
    missing = tmp_path / "missing.pem"
    assert check(Files(missing, files.key)) == f"{missing} is not there"
    assert check(Files(tmp_path, files.key)) == f"{tmp_path} can't be read: Is a directory"
    assert check(Files(files.key, files.key)) == f"{files.key} holds no certificate in PEM"
    assert check(Files(files.certificate, files.certificate)) == f"{files.certificate} holds no private key in PEM"
    assert "is not the key of the first certificate" in check(Files(files.certificate, other.key))
    files.certificate.write_bytes(b"\xff\xfe")
    assert check(files) == f"{files.certificate} is not PEM"


def test_a_key_with_a_password_is_of_no_use(pki: Pki) -> None:
    """Nobody would be there to type it."""
    files = pki.issue("edge", password="secret")
    assert check(files) == f"{files.key} has a password: give it without one, readable for you only"


def test_only_what_is_valid_now_will_do(pki: Pki) -> None:
    """Neither yesterday's nor tomorrow's."""
    files = pki.issue("edge")
    assert check(files, NOW + timedelta(days=6)).startswith(f"{files.certificate} was valid until ")
    assert check(files, NOW - timedelta(days=2)).startswith(f"{files.certificate} is not valid before ")


def test_authorities_are_cas(pki: Pki, tmp_path: Path) -> None:
    """Whoever names the clients' own certificate by mistake would let nobody else in."""
    assert check_authorities(pki.file) == pki.file.read_text()
    leaf = pki.issue("client").certificate
    with pytest.raises(CertificateUnusable, match=r"client\.pem: CN=client is no CA"):
        check_authorities(leaf)
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(CertificateUnusable, match="holds no certificate in PEM"):
        check_authorities(tmp_path / "empty.pem")

"""The development CA of a project."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from protomesh.control.authority import LIFETIME, Authority
from protomesh.control.certificate import CertificateUnusable, Pair

NOW = datetime.now(UTC)


def names(pair: Pair) -> list[str]:
    """Whom a certificate is for."""
    certificate = x509.load_pem_x509_certificate(pair.chain.encode())
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]


def test_it_is_made_once_and_its_key_is_private(tmp_path: Path) -> None:
    """Whoever trusts it need not do so again."""
    authority = Authority(tmp_path / "tls")
    authority.issue([], NOW)
    made = authority.certificate_file.read_text()
    Authority(tmp_path / "tls").issue([], NOW)
    assert authority.certificate_file.read_text() == made
    assert (tmp_path / "tls").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "tls/ca.key").stat().st_mode & 0o777 == 0o600


def test_what_it_issues_is_for_this_machine(tmp_path: Path) -> None:
    """Localhost always; of the rest what the constraints of the CA let it sign, so that clients accept all of it."""
    pair = Authority(tmp_path).issue(["127.0.0.1", "192.168.7.9", "8.8.8.8", "example.com", "::1"], NOW)
    assert names(pair) == ["localhost", "127.0.0.1", "192.168.7.9", "::1"]
    assert pair.expires - NOW <= LIFETIME
    ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))


def test_it_could_not_be_another_site(tmp_path: Path) -> None:
    """Constraints, which clients have to heed (RFC 5280): they are critical."""
    Authority(tmp_path).issue([], NOW)
    certificate = x509.load_pem_x509_certificate((tmp_path / "ca.pem").read_bytes())
    constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    permitted = [tree.value for tree in constraints.value.permitted_subtrees or () if isinstance(tree, x509.DNSName)]
    assert "localhost" in permitted
    assert not any(name in {"com", "example.com", ""} for name in permitted)


def test_files_that_can_not_be_used_say_so(tmp_path: Path) -> None:
    """A CA whose key is gone is not replaced behind the back of those who trust it."""
    Authority(tmp_path).issue([], NOW)
    (tmp_path / "ca.key").unlink()
    with pytest.raises(CertificateUnusable, match="remove that directory, and a new one is made"):
        Authority(tmp_path).issue([], NOW)

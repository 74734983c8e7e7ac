"""The certificates of a test cluster: an authority of its own that signs for its programs and its administrator."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

_LIFE = timedelta(days=30)
_LOOPBACK = ipaddress.ip_address("127.0.0.1")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """What signs in one cluster; everything lies in `folder`, the authority's own certificate as ca.crt."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    name: x509.Name

    @property
    def certificate(self) -> Path:
        """What the cluster's programs and clients trust."""
        return self.folder / "ca.crt"

    @classmethod
    def found(cls, folder: Path) -> Authority:
        """Make a new authority."""
        authority = cls(folder, ec.generate_private_key(ec.SECP256R1()), _name("test-cluster"))
        folder.mkdir(parents=True)
        signed = authority._builder(authority.name, authority.key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        _write(authority.certificate, signed.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.PEM))
        return authority

    def pair(self, name: str, organisation: str = "", hosts: Sequence[str] = ()) -> Pair:
        """Sign a certificate for `name`, good as client and, on 127.0.0.1 and `hosts`, as server.

        Args:
            name: The common name: who a client is.
            organisation: The group that a client is in, such as system:masters.
            hosts: DNS names beside 127.0.0.1 that a server answers for.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(host) for host in ("localhost", *hosts)]
        signed = self._builder(_name(name, organisation), key.public_key()).add_extension(
            x509.SubjectAlternativeName([*names, x509.IPAddress(_LOOPBACK)]), critical=False
        )
        pair = Pair(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        _write(pair.certificate, signed.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM))
        _write(pair.key, _pem(key))
        return pair

    def signing_key(self, name: str) -> Pair:
        """Make a key that signs tokens; here `certificate` is its bare public half."""
        key = ec.generate_private_key(ec.SECP256R1())
        pair = Pair(self.folder / f"{name}.pub", self.folder / f"{name}.key")
        _write(pair.certificate, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        _write(pair.key, _pem(key))
        return pair

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + _LIFE)
        )


def _name(common: str, organisation: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if organisation:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(parts)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)

"""A certificate authority for tests, and whatever certificates a test wants of it: good ones, and ones wrong in one thing.

P-256 keys, since a board signs with one in every handshake. DER for the board, PEM for whoever else.
"""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Writes both for programs that read files: (certificate, key)."""
        paths = folder / f"{name}.pem", folder / f"{name}-key.pem"
        paths[0].write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(_bytes_of(self.key, serialization.Encoding.PEM))
        return paths

    def der(self) -> tuple[bytes, bytes]:
        return self.certificate.public_bytes(serialization.Encoding.DER), _bytes_of(
            self.key, serialization.Encoding.DER
        )


def _bytes_of(key: ec.EllipticCurvePrivateKey, encoding: serialization.Encoding) -> bytes:
    return key.private_bytes(encoding, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


class Authority:
    """`days` of what it issues: (valid from, valid to), counted from now."""

    def __init__(self, name: str = "Waspada test authority") -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self._revoked: list[x509.RevokedCertificate] = []
        self.root = Pair(self._build(_name(name), _name(name), key, key, (-1000, 1000), ca=True), key)

    def server(self, *hosts: str, days: tuple[int, int] = (-1, 30)) -> Pair:
        return self._issue(hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, days, hosts)

    def client(self, name: str, days: tuple[int, int] = (-1, 30)) -> Pair:
        return self._issue(name, ExtendedKeyUsageOID.CLIENT_AUTH, days, ())

    def revoke(self, pair: Pair) -> None:
        builder = x509.RevokedCertificateBuilder().serial_number(pair.certificate.serial_number)
        self._revoked.append(builder.revocation_date(datetime.datetime.now(datetime.UTC) - _DAY).build())

    def revoked(self, folder: Path) -> Path:
        """The list of what was revoked, as a file."""
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.root.certificate.subject)
        builder = builder.last_update(now - _DAY).next_update(now + 30 * _DAY)
        for entry in self._revoked:
            builder = builder.add_revoked_certificate(entry)
        path = folder / "revoked.pem"
        path.write_bytes(builder.sign(self.root.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path

    def _issue(self, name: str, usage: x509.ObjectIdentifier, days: tuple[int, int], hosts: tuple[str, ...]) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self.root.certificate.subject
        return Pair(self._build(_name(name), issuer, key, self.root.key, days, usage=usage, hosts=hosts), key)

    @staticmethod
    def _build(subject, issuer, key, signing_key, days, *, ca=False, usage=None, hosts=()) -> x509.Certificate:  # type: ignore[no-untyped-def]
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + days[0] * _DAY)
            .not_valid_after(now + days[1] * _DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(h) for h in hosts]), False)
        return builder.sign(signing_key, hashes.SHA256())


def install(folder: Path, authority: Pair, node: Pair | None) -> None:
    """What enrolment writes on a board's flash."""
    certs = folder / "certs"
    certs.mkdir(exist_ok=True)
    (certs / "ca.der").write_bytes(authority.der()[0])
    if node is not None:
        certificate, key = node.der()
        (certs / "node.der").write_bytes(certificate)
        (certs / "node-key.der").write_bytes(key)

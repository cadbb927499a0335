"""Certificates of a city: an authority of P-256, what it issues, and its list of what is revoked. Knows no folders, no names' meaning, no clock.

Two kinds of authority: the city's own vouches for its broker and for gateways; a district's vouches for its stations, and is held to its district
by name constraints: whoever steals its key can't make a station of another district. Everything is valid from two days before `now`: a station that
does not know the time yet judges certificates as of the day before it was enrolled.
"""

import datetime
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
SECOND = datetime.timedelta(seconds=1)
EARLIER = 2 * DAY
AUTHORITY_DAYS = 20 * 365 + 5
NODE_DAYS = 10 * 365 + 2

_DER, _PEM = serialization.Encoding.DER, serialization.Encoding.PEM


class AuthorityError(Exception):
    """What is wrong with an authority, in a few words that go behind its name."""


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(_PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(_DER)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    @property
    def key_der(self) -> bytes:
        """As a board's TLS reads it."""
        return self.key.private_bytes(
            _DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )

    @property
    def serial(self) -> str:
        return serial_of(self.certificate)


def serial_of(certificate: x509.Certificate) -> str:
    return f"{certificate.serial_number:x}"


class Authority:
    """Issues and revokes. `district`: whose stations; None for the city's own."""

    def __init__(self, pair: Pair, now: datetime.datetime) -> None:
        self.pair = pair
        self._now = now

    @classmethod
    def made(cls, name: str, now: datetime.datetime, district: str | None = None) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject(name)
        ends = now + AUTHORITY_DAYS * DAY
        builder = _builder(subject, subject, key, now - EARLIER, ends, key)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        if district is not None:
            within = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, district)])
            constraints = x509.NameConstraints(permitted_subtrees=[x509.DirectoryName(within)], excluded_subtrees=None)
            builder = builder.add_extension(constraints, critical=True)
        return cls(Pair(builder.sign(key, hashes.SHA256()), key), now)

    @classmethod
    def read(cls, certificate: bytes, key: bytes, now: datetime.datetime) -> "Authority":
        """Of its PEM files. AuthorityError says why they can't be used."""
        try:
            found = x509.load_pem_x509_certificate(certificate)
        except ValueError:
            raise AuthorityError("is damaged: its certificate can't be read") from None
        try:
            secret = serialization.load_pem_private_key(key, None)
        except (ValueError, TypeError):
            raise AuthorityError("is damaged: its key can't be read") from None
        if not isinstance(secret, ec.EllipticCurvePrivateKey) or found.public_key() != secret.public_key():
            raise AuthorityError("is damaged: its key and its certificate do not belong together")
        try:
            found.verify_directly_issued_by(found)
            authority = found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except Exception as error:
            raise AuthorityError(f"is no authority ({type(error).__name__})") from None
        if not authority:
            raise AuthorityError("is no authority: its certificate is somebody's own")
        if now >= found.not_valid_after_utc:
            raise AuthorityError(f"ended on {found.not_valid_after_utc:%Y-%m-%d}")
        if now < found.not_valid_before_utc:
            raise AuthorityError(f"begins on {found.not_valid_before_utc:%Y-%m-%d}: is this machine's clock right?")
        return cls(Pair(found, secret), now)

    def client(self, name: str, organization: str | None = None) -> Pair:
        """A station's, or a gateway's."""
        return self._issued(name, organization, ExtendedKeyUsageOID.CLIENT_AUTH, self._now - EARLIER, ())

    def server(self, *hosts: str) -> Pair:
        """The broker's. Valid from the authority's own first day: a station whose clock is at its enrolment believes a newer one too."""
        begins = self.pair.certificate.not_valid_before_utc
        return self._issued(hosts[0], None, ExtendedKeyUsageOID.SERVER_AUTH, begins, hosts)

    def _issued(
        self,
        name: str,
        organization: str | None,
        usage: x509.ObjectIdentifier,
        begins: datetime.datetime,
        hosts: tuple[str, ...],
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        serial = x509.random_serial_number()
        issuer = self.pair.certificate
        begins = max(begins, issuer.not_valid_before_utc)
        ends = min(self._now + NODE_DAYS * DAY, issuer.not_valid_after_utc)
        subject = _subject(name, organization, f"{serial:x}")
        builder = _builder(subject, issuer.subject, key, begins, ends, self.pair.key).serial_number(serial)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if hosts:
            names = x509.SubjectAlternativeName([alternative(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        return Pair(builder.sign(self.pair.key, hashes.SHA256()), key)

    def revocations(self, serials: Iterable[str], before: bytes | None = None) -> bytes:
        """The list (PEM) of these and of all that the list `before` has; what was revoked stays so.

        It ends with the authority: a broker refuses everybody when its list is out of date. It is newer than `before` by its date, for a
        broker that reads it again keeps both, and believes the newer.
        """
        numbers = {int(serial, 16) for serial in serials}
        updated = self._now - DAY
        old = self._list(before)
        if old is not None:
            numbers |= {entry.serial_number for entry in old}
            if numbers == {entry.serial_number for entry in old} and before is not None:
                return before
            if old.last_update_utc is not None and old.last_update_utc <= self._now + DAY:
                updated = max(updated, old.last_update_utc + SECOND)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.pair.certificate.subject)
        builder = builder.last_update(updated).next_update(self.pair.certificate.not_valid_after_utc)
        for number in sorted(numbers):
            entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(updated)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.pair.key, hashes.SHA256()).public_bytes(_PEM)

    def _list(self, pem: bytes | None) -> x509.CertificateRevocationList | None:
        """A list that is damaged or another authority's counts as none."""
        try:
            found = x509.load_pem_x509_crl(pem) if pem else None
            if found is not None and found.is_signature_valid(self.pair.key.public_key()):
                return found
        except (ValueError, TypeError):
            pass
        return None


def alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def serves(certificate: bytes, host: str, authority: Authority, at_least_days: int, now: datetime.datetime) -> bool:
    """Whether this certificate (PEM) is the authority's, for `host`, and good for so long."""
    try:
        found = x509.load_pem_x509_certificate(certificate)
        found.verify_directly_issued_by(authority.pair.certificate)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except Exception as error:  # whatever is wrong with it: it is made anew
        del error
        return False
    longest = min(now + at_least_days * DAY, authority.pair.certificate.not_valid_after_utc)
    return alternative(host) in names and found.not_valid_after_utc >= longest


def _subject(name: str, organization: str | None = None, serial: str | None = None) -> x509.Name:
    """The organization comes first: a name constraint is a beginning. With its serial a subject is one certificate's alone."""
    parts = [
        (NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, name), (NameOID.SERIAL_NUMBER, serial),
    ]  # fmt: skip
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts if text is not None])


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begins: datetime.datetime,
    ends: datetime.datetime,
    signer: ec.EllipticCurvePrivateKey,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )

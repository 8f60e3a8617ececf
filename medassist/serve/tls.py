"""TLS for a server that others reach: its certificate, and one made for a small net."""

from __future__ import annotations

import ipaddress
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from medassist.core.files import SHARED_FILE, make_folder, read_bytes, write_whole
from medassist.serve.errors import ServeError

CA_DAYS: Final = 3650
SERVER_DAYS: Final = 397
"""Browsers take no certificate that is valid for longer."""
SOON_DAYS: Final = 14


@dataclass(frozen=True)
class Certificate:
    """Facts of a server's certificate.

    Attributes:
        names: of hosts, and addresses, that it is for.
        until: when it ends.
        fingerprint: sha256 of it, as browsers show it.
    """

    names: tuple[str, ...]
    until: datetime
    fingerprint: str


def read_certificate(file: Path) -> Certificate:
    """Reads the first certificate in `file`.

    Raises:
        ServeError: it cannot be read, is none, or is not valid now.
    """
    try:
        found = x509.load_pem_x509_certificate(read_bytes(file))
    except OSError as error:
        raise ServeError(f"{file}: {error.strerror or error}.") from None
    except ValueError:
        raise ServeError(f"{file}: it holds no certificate in the form PEM.") from None
    now = datetime.now(UTC)
    if now >= found.not_valid_after_utc:
        raise ServeError(f"{file}: it ended on {found.not_valid_after_utc:%Y-%m-%d}.")
    if now < found.not_valid_before_utc:
        raise ServeError(f"{file}: it begins on {found.not_valid_before_utc:%Y-%m-%d}.")
    return Certificate(_names(found), found.not_valid_after_utc, _fingerprint(found))


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer, with this certificate.

    Raises:
        ServeError: the files cannot be used, or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_into(context, certificate, key)
    return context


def load_into(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Have new connections use this certificate; those that are open keep theirs.

    Raises:
        ServeError: the files cannot be used, or do not belong together.
    """
    for file in (certificate, key):
        try:
            read_bytes(file)
        except OSError as error:
            raise ServeError(f"{file}: {error.strerror or error}.") from None
    if sys.platform != "win32" and key.stat().st_mode & 0o077:
        raise ServeError(
            f"{key}: others on this computer may read the key. `chmod 600 {key}`."
        )
    try:
        # No password is asked for: a server starts without anybody there.
        context.load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        why = getattr(error, "reason", "") or ""
        matters = "KEY_VALUES_MISMATCH" in str(why)
        raise ServeError(
            f"{key} is not the key of {certificate}."
            if matters
            else f"{certificate} and {key} cannot be used: they have to be in the form "
            "PEM, and the key without a passphrase."
        ) from None


@dataclass(frozen=True)
class MadeCertificate:
    """Files of a certificate that was made here.

    Attributes:
        ca: of the authority, for those who are to trust the server.
        certificate: of the server.
        key: its key.
        fingerprint: of the authority's certificate, to be compared by voice.
    """

    ca: Path
    certificate: Path
    key: Path
    fingerprint: str


def make_certificate(folder: Path, names: Sequence[str]) -> MadeCertificate:
    """Make an authority and a certificate of it for `names`.

    The authority's own key is kept nowhere: it signs this one certificate, so that
    nobody can sign another one that those who trust it would take.

    Raises:
        ServeError: a name cannot be one, or the files are there already.
    """
    if not names:
        raise ServeError("A certificate is for a name or an address: give one.")
    alternatives = [_general_name(name) for name in names]
    made = {name: folder / name for name in ("ca.pem", "server.pem", "server.key")}
    there = next((file for file in made.values() if file.exists()), None)
    if there is not None:
        raise ServeError(f"{there} is there already; nothing was written over it.")
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = _called(f"medassist serve, {names[0]}"[:64])
    ca = (
        _begun(issuer, issuer, ca_key.public_key(), CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )
    server = (
        _begun(_called(names[0][:64]), issuer, key.public_key(), SERVER_DAYS)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        make_folder(folder)
        write_whole(made["server.key"], secret)
        write_whole(made["ca.pem"], ca.public_bytes(pem), SHARED_FILE)
        write_whole(made["server.pem"], server.public_bytes(pem), SHARED_FILE)
    except OSError as error:
        raise ServeError(f"{folder}: {error.strerror or error}.") from None
    return MadeCertificate(
        made["ca.pem"], made["server.pem"], made["server.key"], _fingerprint(ca)
    )


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # Clocks of other computers may be behind.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    labels = name.split(".")
    good = all(
        0 < len(label) < 64
        and label.isascii()
        and label.replace("-", "").isalnum()
        and label[0] != "-" != label[-1]
        for label in labels
    )
    if not good or len(name) > 253:
        raise ServeError(f"{name!r} is no name of a host and no address.")
    return x509.DNSName(name.lower())


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value
    except x509.ExtensionNotFound:
        return ()
    names: list[str] = []
    for one in found:
        # A wildcard is no name that a request can be held against.
        if isinstance(one, x509.DNSName) and "*" not in one.value:
            names.append(one.value.lower())
        elif isinstance(one, x509.IPAddress):
            names.append(str(one.value))
    return tuple(names)


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _no_password() -> str:
    raise ValueError("the key has a passphrase")

"""The gateway's side of TLS with its broker: both prove themselves, 1.2 or newer."""

import ssl

from gateway.config import ConfigError, Tls


def context(tls: Tls) -> ssl.SSLContext:
    """ConfigError: a file is missing or can't be used."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_verify_locations(tls.authority)
    except OSError as error:
        raise ConfigError(f"broker.tls.authority, {tls.authority}, {_reason(error)}") from None
    try:
        made.load_cert_chain(tls.certificate, tls.key, password=_no_password)
    except (OSError, ValueError) as error:
        files = f"broker.tls.certificate and key, {tls.certificate} and {tls.key}"
        raise ConfigError(f"{files}, {_reason(error)}") from None
    return made


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) or not isinstance(error, OSError):
        return "can't be used: give PEM files, a key that is the certificate's own and has no password"
    return f"can't be read: {error.strerror}"


def _no_password() -> str:
    """Nobody is there to be asked."""
    raise ValueError("a password is wanted")

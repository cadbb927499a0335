"""Mutual TLS for the link, in steps that never wait for bytes.

Loaded only by a station whose broker wants it. Made once and kept: certificates and key are parsed once, and every TLS object
that comes and goes leaves the board's largest free block smaller.
"""

import errno
import gc

import tls

# Mbed TLS's own numbers, as OSError carries them
_ALERT = -0x7780  # the other side ended the handshake with an alert; which one is not told
_CERTIFICATE = -0x7A00  # theirs is not one for servers
_END = -0x7280  # the other side closed without saying so


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


class Secure:
    """`folder` holds ca.der, node.der and node-key.der: OSError or ValueError when one of them is missing or can't be used."""

    def __init__(self, folder: str):
        self._seen = False
        gc.collect()
        # `tls` and not `ssl`: `ssl` is a shell around it that starts at CERT_NONE, and then takes any certificate of any year.
        self._context = context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.verify_mode = tls.CERT_REQUIRED  # type: ignore[attr-defined]  # the image has both, its stubs have not
        context.load_verify_locations(_read(folder + "ca.der"))
        context.load_cert_chain(_read(folder + "node.der"), _read(folder + "node-key.der"))
        context.verify_callback = self._look  # type: ignore[attr-defined]

    def wrap(self, sock, host: str):
        """A TLS stream over `sock`, which must not block; its first writes do the handshake. The certificate has to be `host`'s.

        Collected first: on the board TLS takes its 25 KB from where the heap grows, and what an earlier stream held comes free with it.
        """
        gc.collect()
        self._seen = False
        return self._context.wrap_socket(sock, do_handshake_on_connect=False, server_hostname=host)

    def _look(self, certificate, depth: int) -> int:
        """Called with each certificate of the other side's; it changes no verdict. What goes wrong after it is about ours."""
        self._seen = True
        return 0

    def why(self, error, sock) -> str:
        """The reason for the link, of what a handshake raised; "" when TCP failed below it."""
        if isinstance(error, ValueError):
            return "certificate"  # theirs: unknown authority, wrong host, out of date
        number = (isinstance(error, OSError) and error.errno) or 0
        if number == _CERTIFICATE or number == _ALERT and self._seen:
            return "certificate"  # in the second case ours: they refuse it
        if number == errno.ENOMEM or number <= 0 and number != _END:
            return "tls"
        return "certificate" if self._seen and _refused(sock) else "closed" if number == _END else ""


def _refused(sock) -> bool:
    """Whether what is left to read is an alert about a certificate: they refuse ours and close at once, while our half is still going out."""
    try:
        left = sock.read(7)
    except OSError:
        return False
    return bool(left) and len(left) == 7 and left[0] == 21 and 42 <= left[6] <= 48

"""Whom the board's link believes, and who believes it: the real VM against a real mosquitto that wants certificates."""

import socket
import ssl
import threading

import pytest

from tests.broker import mosquitto, tls_lines
from tests.tls.authority import Authority, install
from tests.tls.link_desk import connect

pytestmark = [pytest.mark.vm, pytest.mark.broker]

HOST = "gateway.example"
OURS = Authority()
THEIRS = Authority("Somebody else")
NODE = OURS.client("demo-dr01")


def broker(folder, server, revoked=None):
    authority, _ = OURS.root.pem(folder, "ca")
    return mosquitto(folder, tls_lines(authority, *server.pem(folder, "server"), revoked))


@pytest.mark.parametrize("host", [HOST, "127.0.0.1"])
def test_the_right_broker_is_believed_by_name_and_by_number(tmp_path, host):
    install(tmp_path, OURS.root, NODE)
    with broker(tmp_path, OURS.server(HOST, "127.0.0.1")) as port:
        found = connect(tmp_path, host, port)
    assert (found.states[-2:], found.heard, found.reason) == ([3, 2], True, "")
    print(f"steps: {found.step_ms} ms at most; of the handshake {found.key_step_ms} ms, {found.key_steps} us")
    assert found.step_ms < 20


# what is wrong with the broker -> its certificate
WRONG = {
    "another host": lambda: OURS.server("other.example"),
    "another number": lambda: OURS.server("127.0.0.2"),
    "another authority": lambda: THEIRS.server(HOST, "127.0.0.1"),
    "expired": lambda: OURS.server(HOST, "127.0.0.1", days=(-30, -1)),
    "not valid yet": lambda: OURS.server(HOST, "127.0.0.1", days=(1, 30)),
    "a client's certificate": lambda: OURS.client(HOST),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_broker_that_can_t_prove_itself_is_refused(tmp_path, wrong):
    install(tmp_path, OURS.root, NODE)
    host = "127.0.0.1" if "number" in wrong else HOST
    with broker(tmp_path, WRONG[wrong]()) as port:
        found = connect(tmp_path, host, port)
    assert (found.states[-1], found.heard, found.reason) == (0, False, "certificate")
    assert 2 not in found.states
    assert found.step_ms < 20


VERIFIES_NOTHING = """
import tls
class Careless(secure.Secure):
    def wrap(self, sock, host):
        self._context.verify_mode = tls.CERT_NONE
        return super().wrap(sock, host)
secure.Secure = Careless
"""


@pytest.mark.parametrize("wrong", ["another host", "another authority", "expired"])
def test_a_link_that_verifies_nothing_would_be_found(tmp_path, wrong):
    """What the test above catches: with CERT_NONE every one of them is believed."""
    install(tmp_path, OURS.root, NODE)
    with broker(tmp_path, WRONG[wrong]()) as port:
        assert connect(tmp_path, HOST, port, patch=VERIFIES_NOTHING).heard


# why the broker refuses the node -> the node's certificate
REFUSED = {
    "another authority's": THEIRS.client("demo-dr01"),
    "expired": OURS.client("demo-dr01", days=(-30, -1)),
    "revoked": OURS.client("demo-dr01"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_node_that_the_broker_refuses_says_that_it_is_the_certificate(tmp_path, why):
    install(tmp_path, OURS.root, REFUSED[why])
    OURS.revoke(REFUSED["revoked"])
    with broker(tmp_path, OURS.server(HOST), OURS.revoked(tmp_path)) as port:
        found = connect(tmp_path, HOST, port)
        assert (found.states[-1], found.heard, found.reason) == (0, False, "certificate")
        install(tmp_path, OURS.root, NODE)
        assert connect(tmp_path, HOST, port).heard  # and the list of what is revoked refuses nobody else


@pytest.mark.parametrize("missing", ["ca.der", "node.der", "node-key.der"])
@pytest.mark.parametrize("content", [None, b"", b"\x30\x82\x01\x00rubbish", bytes(300)])
def test_a_certificate_file_that_can_t_be_used_keeps_the_link_down_and_no_more(tmp_path, missing, content):
    install(tmp_path, OURS.root, NODE)
    (tmp_path / "certs" / missing).unlink()
    if content is not None:
        (tmp_path / "certs" / missing).write_bytes(content)
    found = connect(tmp_path, HOST, 9)
    assert (found.states, found.reason) == ([0], "certificate")


def test_a_certificate_put_back_is_used_without_a_boot(tmp_path):
    install(tmp_path, OURS.root, None)
    with broker(tmp_path, OURS.server(HOST)) as port:
        names = dict(zip(("node.der", "node-key.der"), NODE.der(), strict=True))
        back = "".join(
            f"    open({str(tmp_path / 'certs' / name)!r}, 'wb').write({data!r})\n" for name, data in names.items()
        )
        patch = f"""
first = Link.open
def open_twice(self):
    first(self)
    assert self.reason == "certificate" and self.state() == 0
{back}
    first(self)
Link.open = open_twice
"""
        assert connect(tmp_path, HOST, port, patch=patch).heard


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_a_broker_that_speaks_only_old_tls_is_refused(tmp_path, newest):
    install(tmp_path, OURS.root, NODE)
    certificate, key = OURS.server(HOST).pem(tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = context.maximum_version = newest
    refusals = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            near, _ = listener.accept()
            try:
                context.wrap_socket(near, server_side=True).close()
            except OSError as error:
                refusals.append(error)
                near.close()

        thread = threading.Thread(target=serve)
        thread.start()
        found = connect(tmp_path, HOST, listener.getsockname()[1])
        thread.join()
    assert (found.states[-1], found.reason) == (0, "tls")
    assert "PROTOCOL" in str(refusals[0]).upper() or "VERSION" in str(refusals[0]).upper()

"""Peers that never answer, answer rubbish or go away: the real VM's link comes back to down with a reason, and no step waits."""

import contextlib
import random
import socket
import ssl
import threading
import zlib

import pytest

from tests.broker import mosquitto, tls_lines
from tests.tls.authority import Authority, install
from tests.tls.link_desk import connect

pytestmark = pytest.mark.vm

HOST = "gateway.example"
OURS = Authority()
NODE = OURS.client("demo-dr01")
STEP_MS = 20
HURRY = 20  # the link's clock: its 12 and 30 seconds are 0.6 and 1.5


@contextlib.contextmanager
def peer(serve):
    """A listener whose every connection is `serve`d in a thread; gives its port. What `serve` returns is closed at the end."""
    kept = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()

        def accept():
            while True:
                near, _ = listener.accept()
                kept.append(near)
                if ended.is_set():
                    return
                with contextlib.suppress(OSError):
                    serve(near)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            for near in kept:
                with contextlib.suppress(OSError):
                    near.shutdown(socket.SHUT_RDWR)
            socket.create_connection(listener.getsockname()).close()
            thread.join(10)
            for near in kept:
                near.close()


def close_at_once(near):
    near.close()


def say_nothing(near):
    pass


def rubbish(near):
    near.sendall(random.Random(4).randbytes(4000))


def http(near):
    near.recv(10)
    near.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    near.close()


def close_after_hello(near):
    near.recv(4)
    near.shutdown(socket.SHUT_RDWR)


def reset_after_hello(near):
    near.recv(4)
    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    near.close()


def alert(near):
    near.recv(4)
    near.sendall(b"\x15\x03\x03\x00\x02\x02\x28")


def endless_record(near):
    near.recv(4)
    near.sendall(b"\x16\x03\x03\xff\xff" + bytes(2000))


# what the peer does -> the reason
PEERS = [
    (close_at_once, {"closed"}),
    (say_nothing, {"timeout"}),
    (rubbish, {"tls"}),
    (http, {"tls"}),
    (close_after_hello, {"closed"}),
    (reset_after_hello, {"closed"}),
    (alert, {"tls"}),
    (endless_record, {"tls"}),
]


@pytest.mark.parametrize(("serve", "reasons"), PEERS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_peer_that_speaks_no_tls_costs_neither_time_nor_the_station(tmp_path, serve, reasons):
    install(tmp_path, OURS.root, NODE)
    with peer(serve) as port:
        found = connect(tmp_path, HOST, port, speed=HURRY)
    print(f"{serve.__name__}: longest step {max(found.step_ms, found.key_step_ms)} ms")
    assert found.states[-1] == 0
    assert found.reason in reasons
    assert 2 not in found.states
    assert found.step_ms < STEP_MS
    assert found.key_step_ms < STEP_MS, "there was no key arithmetic"


WAITS = """
class Patient(secure.Secure):
    def wrap(self, sock, host):
        sock.setblocking(True)
        return self._context.wrap_socket(sock, server_hostname=host)
secure.Secure = Patient
"""


def test_a_handshake_that_waits_for_bytes_would_be_found(tmp_path):
    """What the steps' limit above catches."""

    def silent_for_a_while(near):
        threading.Event().wait(0.3)
        near.close()

    install(tmp_path, OURS.root, NODE)
    with peer(silent_for_a_while) as port:
        assert connect(tmp_path, HOST, port, patch=WAITS).key_step_ms > 10 * STEP_MS


def test_a_port_where_nobody_listens_is_refused(tmp_path):
    install(tmp_path, OURS.root, NODE)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        found = connect(tmp_path, HOST, unused.getsockname()[1])
    assert (found.states[-1], found.reason) == (0, "refused")


@pytest.mark.parametrize("tls", [0, 1])
def test_a_call_that_nobody_answers_ends_by_itself(tmp_path, tls):
    """A full backlog drops the SYN."""
    install(tmp_path, OURS.root, NODE)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        found = connect(tmp_path, HOST, listener.getsockname()[1], tls=tls, speed=HURRY)
    assert (found.states, found.reason) == ([1, 0], "timeout")
    assert found.step_ms < STEP_MS


def test_a_link_that_is_never_secured_does_not_stay_ready_for_ever(tmp_path):
    install(tmp_path, OURS.root, NODE)
    with peer(say_nothing) as port:
        found = connect(tmp_path, HOST, port, speed=HURRY, secures=False)
    assert (found.states[-2:], found.reason) == ([3, 0], "timeout")


class Relay:
    """Between the link and a broker: `downward(near, far)` carries what the broker says."""

    def __init__(self, port, downward):
        self._port = port
        self._downward = downward

    def __call__(self, near):
        far = socket.create_connection(("127.0.0.1", self._port))

        def up():
            with contextlib.suppress(OSError):
                while data := near.recv(4096):
                    far.sendall(data)
            with contextlib.suppress(OSError):
                far.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=up)
        thread.start()
        try:
            self._downward(near, far)
        finally:
            with contextlib.suppress(OSError):
                near.shutdown(socket.SHUT_RDWR)
            thread.join()
            far.close()


def byte_by_byte(near, far):
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := far.recv(1):
        near.sendall(data)


def cut_after(count):
    def downward(near, far):
        left = count
        while left and (data := far.recv(left)):
            near.sendall(data)
            left -= len(data)

    return downward


def stall_after(count):
    first = cut_after(count)

    def downward(near, far):
        first(near, far)
        while far.recv(4096):
            pass

    return downward


@contextlib.contextmanager
def relayed(folder, downward):
    install(folder, OURS.root, NODE)
    authority, _ = OURS.root.pem(folder, "ca")
    with (
        mosquitto(folder, tls_lines(authority, *OURS.server(HOST).pem(folder, "server"))) as port,
        peer(Relay(port, downward)) as relay,
    ):
        yield relay


@pytest.mark.broker
def test_a_handshake_byte_by_byte_is_a_handshake(tmp_path):
    with relayed(tmp_path, byte_by_byte) as port:
        found = connect(tmp_path, HOST, port)
    print(f"byte by byte: longest step {found.step_ms} ms, of the handshake {found.key_steps} us")
    assert found.heard
    assert found.step_ms < STEP_MS


@pytest.mark.broker
@pytest.mark.parametrize("count", [1, 5, 60, 400, 700])
@pytest.mark.parametrize(("what", "reason"), [(cut_after, "closed"), (stall_after, "timeout")])
def test_a_handshake_that_breaks_off_in_the_middle_is_over(tmp_path, what, count, reason):
    with relayed(tmp_path, what(count)) as port:
        found = connect(tmp_path, HOST, port, speed=HURRY)
    assert (found.states[-1], found.reason) == (0, reason)
    assert 2 not in found.states
    assert found.step_ms < STEP_MS


ALL_OF_IT = """
import binascii
import random
random.seed(5)
DATA = bytes([random.getrandbits(8) for _ in range(50000)])
print_ = print
def print(*_):
    global link
    out = bytearray()
    link._sock.setsockopt(1, 7, 4096)  # SOL_SOCKET, SO_SNDBUF
    at = 0
    refused = 0
    while at < len(DATA) or out:
        more = random.getrandbits(9) + 1
        out.extend(DATA[at : at + more])
        at += more
        taken = link.send(out)
        assert link.state() == 2, link.reason
        if taken < len(out):
            refused += 1
        out[:taken] = b""
        if len(out) > 3000:
            time.sleep_ms(1)
    link.close()
    print_(json.dumps([[], "%d %d" % (refused, binascii.crc32(DATA)), 0, 0, 0, [], 0]))
"""

FORGETFUL = """
real_send = Link.send
def send(self, data):
    self._stuck = 0
    return real_send(self, data)
Link.send = send
"""


@pytest.mark.parametrize("forgets", [False, True])
def test_what_tls_did_not_take_at_once_arrives_whole_though_more_is_added(tmp_path, forgets):
    """A reader too slow for the socket; the planted fault forgets what it was that TLS holds already."""
    install(tmp_path, OURS.root, NODE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*OURS.server(HOST).pem(tmp_path, "server"))
    heard = bytearray()

    def read_slowly(near):
        near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        tick = threading.Event()
        with context.wrap_socket(near, server_side=True) as secured:
            while data := secured.recv(700):
                heard.extend(data)
                tick.wait(0.002)

    patch = (FORGETFUL if forgets else "") + ALL_OF_IT
    with peer(read_slowly) as port:
        found = connect(tmp_path, HOST, port, patch=patch, within_ms=500)
    refused, crc = map(int, found.reason.split())
    assert refused > 3, "the socket's buffer was never full"
    assert (zlib.crc32(bytes(heard[18:])) == crc) == (not forgets)  # after CONNECT

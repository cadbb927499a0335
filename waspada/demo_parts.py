"""What `make demo-flash` stands up on loopback around the real tools: broker, time server, a line that is listened in on, and thieves.

Every process here is a child of this one and is ended by its id.
"""

import contextlib
import json
import os
import re
import selectors
import shlex
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives import serialization

from simulator.errors import InputError
from simulator.local_broker import find_mosquitto, free_port
from waspada import city as layout
from waspada.city import City

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parents[1]
TOOL_WITHIN_S = 90.0
READY_S = 20.0
EVERY_S = 0.05
_1900 = 2_208_988_800
_GRACE_S = 5.0


class DemoError(Exception):
    """Something is not as it is told here: one sentence."""


def surroundings() -> dict[str, str]:
    """Of every program that the demo starts: this clone's code, and nothing that would colour or break its lines."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "firmware"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """DemoError where the whole of it takes longer, wherever it is then."""

    def over(*_: object) -> None:
        raise DemoError(f"it is not done within {seconds:g} s; this machine may be busy")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def until(true: Callable[[], Any], within_s: float, what: str) -> Any:
    """The first answer that is not false; DemoError when none comes in time."""
    deadline = time.monotonic() + within_s
    while True:
        answer = true()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise DemoError(f"{what} did not come within {within_s:g} s")
        time.sleep(EVERY_S)


class Program:
    """A program that runs beside the demo, its output in a file. Use as a context."""

    def __init__(self, name: str, command: list[str], log: Path, talks: bool = False) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._talks = talks
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Program":
        pipe = subprocess.PIPE if self._talks else None
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=surroundings(), stdin=pipe or subprocess.DEVNULL, stdout=pipe or log, stderr=log,
                text=True, start_new_session=True,
            )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        """Asked to end, and only then made to."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin:  # it puts its own children away first
            process.stdin.close()
        else:
            process.terminate()
        try:
            process.wait(READY_S if process.stdin else _GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def until_it_says(self, words: str, times: int = 1) -> None:
        def true() -> bool:
            if self._process is None or self._process.poll() is not None:
                last = self.said().strip().splitlines()[-1:] or ["nothing"]
                raise DemoError(f"{self.name} has ended; its last words: {last[0][:300]}")
            return self.said().count(words) >= times

        until(true, READY_S, f"{self.name}: {words!r}")

    def ask(self, line: str = "") -> dict[str, Any]:
        """A line to it, and its answer in JSON."""
        assert self._process is not None and self._process.stdin and self._process.stdout
        if line:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        ready = selectors.DefaultSelector()
        ready.register(self._process.stdout, selectors.EVENT_READ)
        answer = self._process.stdout.readline() if ready.select(TOOL_WITHIN_S) else ""
        ready.close()
        if not answer:
            last = self.said().strip().splitlines()[-1:] or ["nothing"]
            raise DemoError(f"{self.name} does not answer; its last words: {last[0][:300]}")
        found: dict[str, Any] = json.loads(answer)
        return found


class Tools:
    """The commands a person would give, one after the other; everything they say is in `log`."""

    def __init__(self, log: Path, show: Callable[[str], object]) -> None:
        self.log = log
        self._show = show

    def waspada(self, *words: object, shown: bool = True) -> dict[str, Any]:
        """One command with --json; its object. DemoError when it does not end with 0."""
        text = [str(word) for word in words]
        if shown:
            self._show(shlex.join(["waspada", *text]))
        command = [sys.executable, "-m", "waspada", *text, "--json"]
        try:
            done = subprocess.run(command, cwd=ROOT, env=surroundings(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=TOOL_WITHIN_S, check=False)  # fmt: skip
        except subprocess.TimeoutExpired:
            raise DemoError(f"waspada {text[0]} did not end within {TOOL_WITHIN_S:g} s") from None
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(f"$ waspada {' '.join(text)}\n{done.stdout}{done.stderr}")
        lines = done.stdout.strip().splitlines()
        found: dict[str, Any] = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
        if done.returncode:
            why = found.get("error") or (done.stderr.strip().splitlines() or ["no word"])[-1]
            raise DemoError(f"waspada {text[0]} ended with {done.returncode}: {why}")
        return found


# The broker


def broker_program(city: City, folder: Path, behind: int) -> tuple[Program, Path]:
    """The real mosquitto with the configuration that enrolment made; its addresses are narrowed to loopback, the stations' to the port behind the tap."""
    program = find_mosquitto()
    if program is None:
        raise InputError("no mosquitto on the PATH or in /usr/sbin: install it (on Debian: apt-get install mosquitto)")
    network = city.network()
    text = (city.broker / "waspada.conf").read_text(encoding="utf-8")
    text = re.sub(rf"^listener {network.port}$", f"listener {behind} {HOST}", text, flags=re.MULTILINE)
    text = re.sub(rf"^listener {network.gateway_port}$", rf"\g<0> {HOST}", text, flags=re.MULTILINE)
    pid_file, config = folder / "mosquitto.pid", folder / "mosquitto.conf"
    user = "user root\n" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""  # else it could not read the folder
    config.write_text(f"{user}pid_file {pid_file}\nlog_type all\n{text}", encoding="utf-8")
    return Program("mosquitto", [program, "-c", str(config)], folder / "mosquitto.log"), pid_file


class Tap:
    """Forwards what comes in on `port` to `behind`, and keeps what somebody on the network sees: a file in `kept` for each direction of each connection."""

    def __init__(self, port: int, behind: int, kept: Path) -> None:
        self._behind = behind
        self._kept = kept
        self._listener = socket.create_server((HOST, port))
        self._count = 0
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "Tap":
        self._kept.mkdir()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._thread.join(_GRACE_S)

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection((HOST, self._behind), timeout=READY_S)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            self._open |= {near, far}
            self._count += 1
            for one, other, way in ((near, far, "to"), (far, near, "from")):
                kept = self._kept / f"{self._count}-{way}-the-broker"
                threading.Thread(target=self._forward, args=(one, other, kept), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, path: Path) -> None:
        with contextlib.suppress(OSError), open(path, "wb", buffering=0) as kept:
            while data := source.recv(65536):
                kept.write(data)
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        source.close()
        self._open.discard(source)


class TimeServer:
    """SNTP on loopback: this machine's time."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._socket.settimeout(0.2)
        self.port = int(self._socket.getsockname()[1])
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "TimeServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(OSError):
                query, sender = self._socket.recvfrom(100)
                seconds, part = divmod(time.time(), 1)
                sent = struct.pack(">II", int(seconds) + _1900, int(part * 2**32))
                self._socket.sendto(bytes((0x24, 2)) + bytes(22) + query[40:48] + bytes(8) + sent, sender)


# Somebody with a station's or a gateway's key


class Caller:
    """An MQTT client with somebody's certificate and key. `heard`: (topic, payload)."""

    def __init__(self, authority: bytes | str, certificate: Path, key: Path, port: int) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._answer: bool | None = None
        self._done: set[int] = set()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.load_verify_locations(cadata=authority)
        tls.load_cert_chain(certificate, key)
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.tls_set_context(tls)
        self._client.on_message = lambda _c, _d, message: self.heard.append((message.topic, bytes(message.payload)))
        self._client.on_publish = lambda _c, _d, mid, *_: self._done.add(mid)
        self._client.on_subscribe = lambda _c, _d, mid, *_: self._done.add(mid)
        self._client.on_connect = self._connected
        self.let_in = False
        with contextlib.suppress(OSError, DemoError):
            self._client.connect(HOST, port)
            self._client.loop_start()
            until(lambda: self._answer is not None, 5, "the broker's answer")
            self.let_in = self._answer is True

    def _connected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._answer = not reason.is_failure

    def subscribe(self, topic: str) -> None:
        mid = self._client.subscribe(topic, 1)[1]
        until(lambda: mid in self._done, READY_S, "the broker's answer to a subscription")

    def publish(self, topic: str, payload: bytes) -> None:
        mid = self._client.publish(topic, payload, 1).mid
        until(lambda: mid in self._done, READY_S, "the broker's answer to a message")

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def of_station(home: Path, copy: Path, port: int) -> Callable[[], Caller]:
    """Who has a copy of a station's key, as a thief of its board has: it works on when the city deletes its own."""
    copy.mkdir()
    key = serialization.load_der_private_key((home / layout.KEY_DER).read_bytes(), None)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    layout.write(copy / "key.pem", pem, 0o600)
    layout.write(copy / "node.pem", (home / layout.NODE_PEM).read_bytes())
    authority = (home / layout.CA_DER).read_bytes()
    return lambda: Caller(authority, copy / "node.pem", copy / "key.pem", port)


def of_gateway(city: City, district: str) -> Caller:
    home = city.gateway(district)
    port = city.network().gateway_port
    return Caller((home / "ca.pem").read_text(), home / "gateway.pem", home / "gateway-key.pem", port)


def ports() -> tuple[int, int, int, int]:
    """Four that nobody listens on: the stations', what lies behind the tap, the gateways', the page's."""
    chosen: list[int] = []
    while len(chosen) < 4:
        one = free_port()
        if one not in chosen:
            chosen.append(one)
    return chosen[0], chosen[1], chosen[2], chosen[3]

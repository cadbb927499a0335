"""The gateway's own figure: how fast it drains a full queue into the database, against mosquitto_sub draining the same queue to nowhere.

One mosquitto, two persistent sessions that hold the same messages; both readers have the same in-flight limit. The gateway decodes, checks, writes
SQLite with synchronous=FULL and acknowledges after COMMIT; mosquitto_sub writes to /dev/null. They take turns in going first, and the ratio is the
median of the rounds': a machine that is busy for a while is busy for both.
"""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gateway.config import Broker, Config
from gateway.connection import Connection
from gateway.ingest import Ingest
from gateway.intake import Intake
from gateway.store import SqliteStore
from node.core import mqtt

MESSAGES = 50_000
ROUNDS = 5
INFLIGHT = 1000
NODES = 12
WINDOW = 500
DRAINED_WITHIN_S = 120
FILTER = "waspada/v1/+/+/readings"

BROKER = """\
listener {port} 127.0.0.1
allow_anonymous true
max_inflight_messages {inflight}
max_queued_messages 0
{user}
"""

Progress = Callable[[str], object]


class NoBroker(Exception):
    """One sentence: mosquitto or mosquitto_sub is missing or does not start."""


def ingest_figures(progress: Progress, messages: int = MESSAGES, rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """Messages a second of the gateway, and the ratio to mosquitto_sub's; of the median round."""
    found: list[tuple[float, float, float]] = []
    with tempfile.TemporaryDirectory() as folder, _mosquitto(folder) as port:
        for number in range(1, rounds + 1):
            progress(f"ingest: round {number} of {rounds}, {messages} messages")
            life = f"{number:08x}"
            _open_sessions(port)
            _preload(port, list(river(messages, life)))
            took = {}
            for side in ("theirs", "ours") if number % 2 else ("ours", "theirs"):
                if side == "theirs":
                    took[side] = _drain_to_nowhere(port, messages)
                else:
                    took[side] = asyncio.run(_drain_to_database(port, messages, f"{folder}/{life}.db"))
            found.append((took["theirs"] / took["ours"], messages / took["ours"], messages / took["theirs"]))
            progress(f"ingest: mosquitto_sub {found[-1][2]:.0f}/s, gateway {found[-1][1]:.0f}/s")
    ratio, ours, theirs = sorted(found)[len(found) // 2]
    size = len(next(river(1, "00000001"))[1])
    said = f"mosquitto_sub to nowhere, same {messages} messages of {size} bytes, QoS 1, {INFLIGHT} in flight, {theirs:.0f} msg/s"
    return [
        {"name": "ingest", "value": round(ours), "unit": "msg/s", "reference": said, "ratio": round(ratio, 3)},
    ]


def river(count: int, life: str) -> Iterator[tuple[str, bytes]]:
    """What `NODES` river gauges say (docs/wire.md), in the order of their making."""
    for i in range(count):
        node = f"dr{i % NODES + 1:02}"
        seq = i // NODES + 1
        first = '"prev_boot":0,"prev_seq":0,' if seq == 1 else ""
        final = ',"q1":1' if seq > 1 else ""
        level = 1000 + (seq * 7 + i) % 899
        yield (
            f"waspada/v1/demo/{node}/readings",
            (
                f'[{{"bn":"waspada:demo:{node}:","bt":{1528063200 + seq * 60}.5,"life":"{life}","boot":1,"seq":{seq},{first}'
                f'"n":"level","u":"m","v":{level / 1000},"q":2{final}}},{{"n":"battery","u":"V","v":12.61,"q":1}}]'
            ).encode(),
        )


@contextlib.contextmanager
def _mosquitto(folder: str) -> Iterator[int]:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("mosquitto_sub") is None:
        raise NoBroker("mosquitto and mosquitto_sub are needed: install mosquitto and mosquitto-clients")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    user = "user root" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
    config = Path(folder, "mosquitto.conf")
    config.write_text(BROKER.format(port=port, inflight=INFLIGHT, user=user))
    broker = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            time.sleep(0.05)
        else:
            raise NoBroker("mosquitto does not start")
        yield port
    finally:
        broker.terminate()
        broker.wait(10)


def _subscriber(port: int, *more: str) -> list[str]:
    return ["mosquitto_sub", "-p", str(port), "-c", "-i", "to-nowhere", "-q", "1", "-t", FILTER, *more]


def _open_sessions(port: int) -> None:
    """Both readers have been there once, so the broker queues for both."""
    subprocess.run(_subscriber(port, "-E"), check=True, stdout=subprocess.DEVNULL, timeout=30)
    with Session(port, "gateway-bench-readings", clean=0) as session:
        session.subscribe(FILTER)


class Session:
    """A blocking client of a few lines, for loading only."""

    def __init__(self, port: int, client_id: str, clean: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._input = bytearray()
        self._socket.sendall(mqtt.connect(client_id, 0, clean))
        mqtt.parse_connack(self._packet(), 0, 4)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.sendall(mqtt.DISCONNECT_BYTES)
        self._socket.close()

    def _packet(self) -> bytes:
        while True:
            length = mqtt.packet_length(self._input, 0, len(self._input), mqtt.MAX_REMAINING + 5)
            if length:
                packet = bytes(self._input[:length])
                del self._input[:length]
                return packet
            received = self._socket.recv(65536)
            if not received:
                raise NoBroker("mosquitto closed the connection")
            self._input += received

    def subscribe(self, topic_filter: str) -> None:
        self._socket.sendall(mqtt.subscribe(1, ((topic_filter, 1),)))
        self._packet()

    def publish_all(self, messages: list[tuple[str, bytes]]) -> None:
        """QoS 1, `WINDOW` at a time, every one acknowledged."""
        for at in range(0, len(messages), WINDOW):
            part = messages[at : at + WINDOW]
            self._socket.sendall(b"".join([mqtt.publish(t, p, 1, 0, 0, i + 1) for i, (t, p) in enumerate(part)]))
            for _ in part:
                mqtt.parse_puback(self._packet(), 0, 4)


def _preload(port: int, messages: list[tuple[str, bytes]]) -> None:
    with Session(port, "loader", clean=1) as session:
        session.publish_all(messages)


def _drain_to_nowhere(port: int, count: int) -> float:
    """Seconds."""
    began = time.perf_counter()
    subprocess.run(_subscriber(port, "-C", str(count)), check=True, stdout=subprocess.DEVNULL, timeout=DRAINED_WITHIN_S)
    return time.perf_counter() - began


async def _drain_to_database(port: int, count: int, path: str) -> float:
    """Seconds from connecting until the last is committed and acknowledged."""
    store = SqliteStore(path)
    ingest = Ingest(store)
    done = asyncio.Event()

    def on_change() -> None:
        if ingest.counts["records"] >= count and not ingest.waiting:
            done.set()

    config = Config(name="bench", database=path, broker=Broker(port=port, inflight=INFLIGHT))
    intake = Intake(ingest, config, on_change)
    intake.readings = Connection(intake, ("127.0.0.1", port), "gateway-bench-readings", (FILTER,))
    began = time.perf_counter()
    task = asyncio.create_task(intake.run())
    try:
        await asyncio.wait_for(done.wait(), DRAINED_WITHIN_S)
        return time.perf_counter() - began
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        store.close()

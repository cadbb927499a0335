"""The gateway's connections against a real mosquitto, and against brokers that misbehave."""

import asyncio
import contextlib
import sqlite3

import pytest

from gateway.config import Broker as BrokerConfig
from gateway.config import Config
from gateway.ingest import Ingest
from gateway.intake import Intake
from gateway.store import SqliteStore, StoreError
from node.core import mqtt
from tests.broker import free_port, mosquitto
from tests.gateway.district import alarm, reading, topic
from tests.gateway.running import publisher

WITHIN_S = 20


def config_for(port, **more):
    return Config(database=":memory:", broker=BrokerConfig(port=port, **more))


async def until(true):
    async with asyncio.timeout(WITHIN_S):
        changed = asyncio.Event()
        while not true():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), 0.01)


@contextlib.asynccontextmanager
async def running(intake):
    task = asyncio.create_task(intake.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class Proxy:
    """Stands between gateway and broker; `on_puback` is called before an acknowledgement goes on to the broker."""

    def __init__(self, port, on_puback):
        self.port = port
        self.on_puback = on_puback
        self.pubacks = 0
        self._tasks = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self._server.sockets[0].getsockname()[1]

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()

    async def _accept(self, reader, writer):
        broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._tasks += [
            asyncio.create_task(self._carry(reader, broker_writer, self._look())),
            asyncio.create_task(self._carry(broker_reader, writer, None)),
        ]

    async def _carry(self, reader, writer, look):
        if look is not None:
            next(look)
        while data := await reader.read(65536):
            if look is not None:
                look.send(data)
            writer.write(data)
        writer.close()

    def _look(self):
        buffer = b""
        while True:
            buffer += yield
            while length := mqtt.packet_length(buffer, 0, len(buffer), 1 << 20):
                if buffer[0] >> 4 == mqtt.PUBACK:
                    self.pubacks += 1
                    self.on_puback(self.pubacks)
                buffer = buffer[length:]


@pytest.mark.broker
def test_a_puback_leaves_only_after_the_record_is_committed(tmp_path):
    path = str(tmp_path / "kept.db")
    late = []

    async def story(port):
        eye = sqlite3.connect(path)  # sees what is committed and nothing else

        def on_puback(count):
            kept = eye.execute("SELECT COUNT(*) FROM records").fetchone()[0]
            if kept < count:
                late.append((count, kept))

        proxy = Proxy(port, on_puback)
        async with proxy as proxied:
            intake = Intake(Ingest(store), config_for(proxied, inflight=1000))
            async with running(intake):
                await until(lambda: intake.readings.up and intake.event.up)
                with publisher(port) as client:
                    for seq in range(1, 2001):
                        client.publish(topic("readings"), reading(1, seq), 1)
                        if seq % 100 == 0:
                            client.publish(topic("event"), alarm(1, seq // 100, "alert"), 1)
                    await until(lambda: proxy.pubacks == 2020)
        eye.close()

    with mosquitto(tmp_path) as port:
        store = SqliteStore(path)
        asyncio.run(story(port))
        assert late == []
        assert store.rows("SELECT stream, COUNT(*) FROM records GROUP BY 1") == [(0, 2000), (1, 20)]


class FailingStore(SqliteStore):
    """A disk that is full for a while."""

    full = False

    def finish(self):
        if self.full:
            self._db.execute("ROLLBACK")
            raise StoreError("the database can't be written: disk is full")
        super().finish()


@pytest.mark.broker
def test_what_can_not_be_kept_is_not_acknowledged_and_comes_in_once_it_can(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.intake.RETRY_S", 0.05)
    store = FailingStore(":memory:")
    store.full = True
    acknowledged = []

    async def story(port):
        proxy = Proxy(port, acknowledged.append)
        async with proxy as proxied:
            intake = Intake(Ingest(store), config_for(proxied))
            async with running(intake):
                await until(lambda: intake.readings.up)
                with publisher(port) as client:
                    for seq in range(1, 101):
                        client.publish(topic("readings"), reading(1, seq), 1)
                    await until(lambda: intake.trouble is not None)
                    assert "disk is full" in intake.trouble and acknowledged == []
                    store.full = False
                    await until(lambda: len(acknowledged) == 100)
                    assert intake.trouble is None

    with mosquitto(tmp_path) as port:
        asyncio.run(story(port))
    assert store.rows("SELECT COUNT(*) FROM records") == [(100,)]


@pytest.mark.broker
@pytest.mark.parametrize("believed", [1, 20, 1000])
def test_a_wrong_idea_of_the_brokers_limit_does_not_stall_ingest(tmp_path, believed):
    """The broker sends 20 without an acknowledgement; a batch of 1000 would wait for ever."""
    store = SqliteStore(":memory:")

    async def story(port):
        intake = Intake(Ingest(store), config_for(port, inflight=believed))
        async with running(intake):
            await until(lambda: intake.readings.up)
            with publisher(port) as client:
                for seq in range(1, 1001):
                    client.publish(topic("readings"), reading(1, seq), 1)
                await until(lambda: intake.ingest.counts["records"] == 1000 and not intake.ingest.waiting)

    with mosquitto(tmp_path, "max_inflight_messages 20") as port:
        asyncio.run(story(port))
    assert store.rows("SELECT COUNT(*) FROM records") == [(1000,)]


@pytest.mark.broker
def test_a_backlog_of_readings_does_not_delay_an_alarm(tmp_path):
    backlog = 10_000
    store = SqliteStore(":memory:")
    readings_before_the_alarm = []

    def on_change():
        if not readings_before_the_alarm and store.rows("SELECT 1 FROM records WHERE stream = 1"):
            readings_before_the_alarm.append(store.rows("SELECT COUNT(*) FROM records WHERE stream = 0")[0][0])

    async def story(port):
        first = Intake(Ingest(SqliteStore(":memory:")), config_for(port))
        async with running(first):
            await until(lambda: first.readings.up and first.event.up)
        with publisher(port) as client:
            for seq in range(1, backlog + 1):
                info = client.publish(topic("readings"), reading(1, seq), 1)
            client.publish(topic("event"), alarm(1, 1, "danger"), 1)
            await asyncio.to_thread(info.wait_for_publish, WITHIN_S)
        intake = Intake(Ingest(store), config_for(port), on_change)
        async with running(intake):
            await until(lambda: store.rows("SELECT COUNT(*) FROM records") == [(backlog + 1,)])

    with mosquitto(tmp_path, "max_inflight_messages 20") as port:
        asyncio.run(story(port))
    assert readings_before_the_alarm[0] < backlog / 10


@pytest.mark.broker
def test_a_huge_message_is_quarantined_and_those_behind_it_come_in(tmp_path):
    store = SqliteStore(":memory:")

    async def story(port):
        intake = Intake(Ingest(store), config_for(port))
        async with running(intake):
            await until(lambda: intake.readings.up)
            with publisher(port) as client:
                client.publish(topic("readings"), reading(1, 1), 1)
                client.publish(topic("readings"), b"x" * 3_000_000, 1)
                client.publish(topic("readings"), b"y" * 100_000, 1)
                client.publish(topic("readings"), reading(1, 2), 1)
                await until(lambda: intake.ingest.counts["records"] == 2)
                await until(lambda: intake.ingest.counts["commits"] and not intake.ingest.waiting)

    with mosquitto(tmp_path) as port:
        asyncio.run(story(port))
    assert store.rows("SELECT reason, payload FROM quarantine ORDER BY id") == [
        ("the payload is longer than 8192 bytes", b"x" * 4096),
        ("the payload is longer than 8192 bytes", b"y" * 4096),
    ]


@pytest.mark.broker
def test_a_node_hears_committed_and_requests(tmp_path):
    store = SqliteStore(":memory:")
    heard = []

    async def story(port):
        intake = Intake(Ingest(store), config_for(port))
        async with running(intake):
            await until(lambda: intake.readings.up)
            with publisher(port) as client:
                client.on_message = lambda c, u, m: heard.append((m.topic.rsplit("/", 1)[1], bytes(m.payload)))
                client.subscribe("waspada/v1/demo/dr01/#", 1)
                client.publish(topic("readings"), reading(1, 1), 1)
                client.publish(topic("readings"), reading(1, 5), 1)
                await until(lambda: {"committed", "resend"} <= {name for name, _ in heard})

    with mosquitto(tmp_path) as port:
        asyncio.run(story(port))
    assert dict(heard)["resend"] == b'{"life":"5eed0001","stream":"readings","boot":1,"from":2,"to":4}'
    assert b'"readings":{"boot":1,"seq":1}' in dict(heard)["committed"]


# What a broker may answer, and the sentence for it.
MISBEHAVES = (
    ("says nothing", b"", "it accepts connections and says nothing"),
    ("refuses the client", b"\x20\x02\x00\x05", "this gateway is not authorized"),
    (
        "refuses the subscription",
        b"\x20\x02\x00\x00\x90\x05\x00\x02\x80\x01\x01",
        "it refuses the subscription waspada/v1/",
    ),
    ("speaks HTTP", b"HTTP/1.1 400 Bad Request\r\n", "what is not MQTT 3.1.1"),
    ("closes", None, "it closed the connection"),
)


@pytest.mark.parametrize(("answer", "words"), [row[1:] for row in MISBEHAVES], ids=[row[0] for row in MISBEHAVES])
def test_a_broker_that_misbehaves_is_named_and_tried_again(monkeypatch, answer, words):
    monkeypatch.setattr("gateway.connection.CONNECT_WITHIN_S", 0.2)
    monkeypatch.setattr("gateway.connection.BACKOFF_S", (0.01, 0.02))
    asked = []

    async def accept(reader, writer):
        asked.append(await reader.read(1024))
        if answer:
            writer.write(answer)
        if answer is None:
            writer.close()

    async def story():
        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        intake = Intake(Ingest(SqliteStore(":memory:")), config_for(server.sockets[0].getsockname()[1]))
        async with running(intake):
            await until(lambda: words in intake.readings.trouble and len(asked) > 4)
        server.close()

    asyncio.run(story())


def test_no_broker_at_the_start_is_no_reason_to_stop(monkeypatch, tmp_path):
    monkeypatch.setattr("gateway.connection.BACKOFF_S", (0.01, 0.05))
    port = free_port()

    async def story():
        intake = Intake(Ingest(SqliteStore(":memory:")), config_for(port))
        async with running(intake):
            await until(lambda: "refused" in intake.readings.trouble)
            with mosquitto(tmp_path, port=port):
                await until(lambda: intake.readings.trouble is None and intake.event.trouble is None)
            await until(lambda: intake.readings.trouble is not None)

    asyncio.run(story())


def test_a_broker_that_falls_silent_is_left(monkeypatch):
    monkeypatch.setattr("gateway.connection.CONNECT_WITHIN_S", 0.05)

    async def accept(reader, writer):
        await reader.read(1024)
        writer.write(b"\x20\x02\x00\x00\x90\x05\x00\x02\x01\x01\x01")
        await reader.read()

    async def story():
        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        intake = Intake(Ingest(SqliteStore(":memory:")), config_for(server.sockets[0].getsockname()[1]))
        intake.readings.ping_s = intake.event.ping_s = 0.1
        async with running(intake):
            await until(lambda: intake.readings.up)
            await until(lambda: "fallen silent" in (intake.readings.trouble or ""))
        server.close()

    asyncio.run(story())

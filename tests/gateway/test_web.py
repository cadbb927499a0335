"""The page's API on a real gateway, a real broker and real sockets."""

import contextlib
import http.client
import json
import sqlite3
import time
import urllib.error
import urllib.request
import zlib

import pytest

from tests.broker import free_port
from tests.gateway import profiles
from tests.gateway.district import alarm, reading, settings, status, topic
from tests.gateway.running import Broker, Gateway, publisher, wait_until

pytestmark = pytest.mark.broker
STATIONS = '[stations.dr01]\ntitle = "Sungai <b>Maong</b>"\nlabel = "recorded"\nsource = "USGS"\n'


@pytest.fixture
def district(tmp_path):
    with (
        Broker(tmp_path) as broker,
        Gateway(tmp_path, broker.port, STATIONS, free_port()) as gateway,
        publisher(broker.port) as client,
    ):
        wait_until(lambda: gateway.ask("/api/stations")["stations"] == [] and healthy(gateway), what="the gateway")
        yield broker, gateway, client


def healthy(gateway):
    with contextlib.suppress(urllib.error.HTTPError):
        return gateway.ask("/api/health")["ok"]
    return False


def trouble(gateway):
    """What /api/health complains of; a gateway in trouble answers 503."""
    try:
        return " ".join(gateway.ask("/api/health")["trouble"])
    except urllib.error.HTTPError as answer:
        return " ".join(json.load(answer)["trouble"]) if answer.code == 503 else ""


def say(client, *messages):
    for name, payload in messages:
        info = client.publish(topic(name), payload, 1, name in ("status", "settings"))
    info.wait_for_publish(10)


def flood(client, count=30):
    now = int(time.time())
    say(client, ("settings", settings()), ("status", status(bt=now)))
    for seq in range(1, count + 1):
        q1 = None if seq == 1 else 4 if seq == 11 else 1
        say(client, ("readings", reading(1, seq, round(0.5 + seq / 20, 3), q1=q1, bt=now - (count - seq) * 60)))
    say(client, ("event", alarm(1, 1, "danger", bt=now)))


def test_a_station_is_told_with_its_state_lines_trend_and_label(district):
    _, gateway, client = district
    flood(client)
    wait_until(lambda: [s["state"] for s in gateway.ask("/api/stations")["stations"]] == ["danger"], what="the alarm")
    wait_until(lambda: gateway.ask("/api/stations")["stations"][0]["level_m"] == 2.0, what="the last reading")
    [station] = gateway.ask("/api/stations")["stations"]
    assert (station["title"], station["label"], station["contact"]) == ("Sungai <b>Maong</b>", "recorded", "ok")
    assert station["lines"] == {"alert": 0.6, "warning": 1.0, "danger": 1.5}
    assert station["rise_m_h"] == pytest.approx(3.0, abs=0.05) and station["trend"]["words"].startswith("rising")
    assert (station["battery_v"], station["quality"], station["distance"]) == (12.61, "good", "0.50 m above danger")
    series = gateway.ask("/api/stations/dr01/series?hours=1")
    assert len(series["v"]) == 30 and series["q"][9] == 4 and series["q"][0] == 1 and series["q"][-1] == 2
    assert len(gateway.ask(f"/api/stations/dr01/series?since_ms={series['t_ms'][-3]}")["v"]) == 3
    [event] = gateway.ask("/api/events?node=dr01")["events"]
    assert event["text"] == "Normal → danger at 1.50 m, rising 0.42 m/h"


def test_every_quantity_of_a_station_is_told_and_has_its_series(district):
    _, gateway, client = district
    now = int(time.time())
    say(client, ("settings", profiles.settings()), ("status", status(bt=now)))
    for seq in range(1, 21):
        say(client, ("readings", profiles.readings("dr01", seq, now - (20 - seq) * 300, profiles.air(seq / 20))))
    wait_until(lambda: gateway.count() == 20 and gateway.ask("/api/stations")["stations"], what="the readings")
    wait_until(lambda: gateway.ask("/api/stations")["stations"][0]["main"]["text"] == "18.2", what="the newest")
    [station] = gateway.ask("/api/stations?node=dr01&district=demo")["stations"]
    told = {q["name"]: (q["v"], q["unit"], q["text"]) for q in station["quantities"]}
    assert told["co2"] == (1420, "ppm", "1420 ppm") and told["pressure"] == (100912, "Pa", "1009.1 hPa")
    assert set(told) == set(profiles.air(0)) and gateway.ask("/api/stations?node=nobody")["stations"] == []
    series = gateway.ask("/api/stations/dr01/series?name=co2&hours=1")
    assert (series["name"], series["unit"], series["label"], series["more"]) == ("co2", "ppm", "CO₂", [])
    assert series["lines"] == {"alert": 1000, "warning": 2000, "danger": 5000}
    assert len(series["t_ms"]) == len(series["v"]) == len(series["q"]) == 12 and series["v"][-1] == 1420
    assert gateway.ask("/api/stations/dr01/series?hours=1")["name"] == "pm2_5_nowcast", "without a name: the main one"
    assert gateway.ask("/api/stations/dr01/series?name=never_measured")["v"] == []


def test_the_page_is_whole_without_scripts_and_escapes_what_it_is_given(district):
    _, gateway, client = district
    flood(client, 3)
    wait_until(lambda: gateway.ask("/api/stations")["stations"], what="a station")
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.web_port}/") as answer:
        page = answer.read().decode()
        policy = answer.headers["content-security-policy"]
    assert "Sungai &lt;b&gt;Maong" in page and "<b>Maong" not in page
    assert "script-src 'self'" in policy and "unsafe" not in policy
    assert "<script>" not in page and " style=" not in page and " onclick" not in page
    assert "http://" not in page and "https://" not in page, "everything is served from here"


# path -> status and words of the error
ASKED_WRONG = (
    ("/api/stations/nobody/series", 404, "there is no station nobody"),
    ("/api/stations/dr01/series?hours=-1", 400, "hours must be a whole number from 1 to 8784"),
    ("/api/stations/dr01/series?hours=1e9", 400, "hours must be"),
    ("/api/events?limit=0", 400, "limit must be a whole number from 1 to 500"),
    ("/static/../app.py", 404, ""),
    ("/api/nothing", 404, ""),
)


def test_a_wrong_question_gets_a_sentence(district):
    _, gateway, client = district
    flood(client, 1)
    wait_until(lambda: gateway.ask("/api/stations")["stations"], what="a station")
    for path, code, words in ASKED_WRONG:
        with pytest.raises(urllib.error.HTTPError) as raised:
            gateway.ask(path)
        assert raised.value.code == code and words in raised.value.read().decode(), path


class Listener:
    """A page's live stream, read by hand."""

    def __init__(self, gateway, place=""):
        self._connection = http.client.HTTPConnection("127.0.0.1", gateway.web_port, timeout=20)
        self._connection.request("GET", "/api/stream", headers={"last-event-id": place} if place else {})
        self.place = ""
        self._answer = self._connection.getresponse()
        assert self._answer.headers["content-type"].startswith("text/event-stream")

    def next(self):
        while True:
            line = self._answer.readline()
            assert line, "the stream ended"
            if line.startswith(b"id: "):
                self.place = line[4:].decode().strip()
            if line.startswith(b"data: "):
                return json.loads(line[6:])

    def close(self):
        self._connection.close()


def test_the_stream_begins_with_everything_and_goes_on_with_changes(district):
    _, gateway, client = district
    flood(client, 2)
    wait_until(lambda: len(gateway.ask("/api/stations")["stations"]) == 1, what="a station")
    listener = Listener(gateway)
    first = listener.next()
    assert first["whole"] and [card["key"] for card in first["cards"]] == ["demo/dr01"] and first["trouble"] == []
    say(client, ("readings", reading(1, 3, 1.23, q1=1, bt=int(time.time()))))
    told = listener.next()
    while not any("1.23" in card["html"] for card in told["cards"]):
        told = listener.next()
    assert not told["whole"]
    listener.close()
    again = Listener(gateway, listener.place)
    told = again.next()
    again.close()
    assert (told["whole"], told["cards"]) == (False, []), "who comes back gets only what is new"
    other_run = Listener(gateway, "0-5")
    assert other_run.next()["whole"]
    other_run.close()


def test_the_stream_is_packed_for_who_can_unpack_it(district):
    _, gateway, client = district
    flood(client, 2)
    wait_until(lambda: gateway.ask("/api/stations")["stations"], what="a station")
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.web_port}/api/stream", headers={"accept-encoding": "gzip"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        unpacker, text = zlib.decompressobj(31), ""
        while "\n\n" not in text.partition("data: ")[2]:
            text += unpacker.decompress(answer.read1(65536)).decode()
    assert '"key":"demo/dr01"' in text


def test_a_lost_broker_is_said_and_found_again(district):
    broker, gateway, client = district
    flood(client, 2)
    listener = Listener(gateway)
    broker.kill()
    wait_until(lambda: "the broker at" in trouble(gateway), what="the trouble")
    told = listener.next()
    while not told["trouble"]:
        told = listener.next()
    listener.close()
    assert "can't be used: it closed the connection" in told["trouble"][0] or "refused" in told["trouble"][0]
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.web_port}/") as answer:
        page = answer.read().decode()
    assert "Readings may be missing" in page and 'role="alert">' in page
    broker.start()
    wait_until(lambda: healthy(gateway), what="the recovery")


def test_a_database_that_is_locked_is_said_and_nothing_is_lost(district):
    _, gateway, client = district
    flood(client, 2)
    wait_until(lambda: gateway.count() == 3 and gateway.ask("/api/stations")["stations"], what="the first records")
    with contextlib.closing(sqlite3.connect(gateway.database, isolation_level=None)) as thief:
        thief.execute("BEGIN IMMEDIATE")
        for seq in range(3, 50):
            say(client, ("readings", reading(1, seq, q1=1)))
        wait_until(lambda: "can't be written: database is locked" in trouble(gateway), what="the trouble")
        assert [s["node"] for s in gateway.ask("/api/stations")["stations"]] == ["dr01"], "what is kept is still shown"
        thief.execute("ROLLBACK")
    wait_until(lambda: gateway.count() == 50, what="the rest")
    assert healthy(gateway)


def test_a_silent_station_is_greyed_with_its_last_known_state(district):
    _, gateway, client = district
    flood(client, 3)
    say(client, ("status", status("unreachable", bt=None)))
    wait_until(
        lambda: [s["contact"] for s in gateway.ask("/api/stations")["stations"]] == ["unreachable"], what="the will"
    )
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.web_port}/") as answer:
        page = answer.read().decode()
    assert "No contact" in page and "Last known state: danger" in page and 'class="card danger silent"' in page


def test_a_listener_that_does_not_read_is_dropped_and_others_go_on():
    import asyncio

    from gateway.config import Config
    from gateway.ingest import Ingest
    from gateway.intake import Intake
    from gateway.reading import Reading
    from gateway.store import SqliteStore
    from gateway.web.live import QUEUE, Live

    store = SqliteStore(":memory:")
    ingest = Ingest(store)
    config = Config(database=":memory:")
    live = Live(config, Reading(store.connection()), Intake(ingest, config), lambda station: str(station["level_m"]))

    async def story():
        slow, quick = live.listen(), live.listen()
        watching = asyncio.create_task(live.watch())
        heard = 0
        for seq in range(1, QUEUE + 5):
            ingest.take(topic("readings"), reading(1, seq, seq / 100), seq)
            ingest.flush()
            heard += bool(await asyncio.wait_for(quick.get(), 5))
        watching.cancel()
        assert heard > QUEUE and slow.get_nowait() == "" and slow.empty()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("gateway.web.live.LOOK_S", 0.001)
        asyncio.run(story())


def test_a_station_that_can_not_be_shown_takes_nothing_down(monkeypatch, capsys):
    from gateway.config import Config
    from gateway.ingest import Ingest
    from gateway.intake import Intake
    from gateway.reading import Reading
    from gateway.store import SqliteStore
    from gateway.web.live import Live

    def render(station):
        return 1 / (station["node"] != "dr01") and station["node"]

    store = SqliteStore(":memory:")
    ingest = Ingest(store)
    for node in ("dr01", "dr02"):
        ingest.take(topic("readings", node), reading(1, 1, node=node), 1)
    ingest.flush()
    config = Config(database=":memory:")
    live = Live(config, Reading(store.connection()), Intake(ingest, config), render)
    assert [station["node"] for station in live.stations()] == ["dr02"]
    assert "station dr01 can't be shown (ZeroDivisionError" in " ".join(live.health()["trouble"])
    assert "ZeroDivisionError" in capsys.readouterr().err

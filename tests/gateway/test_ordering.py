"""Orders from the command line and from forms, through a real gateway and mosquitto to a real station's app; and everybody who may not."""

import contextlib
import json
import urllib.error
import urllib.parse
import urllib.request

import pytest

from gateway.access import new_key
from node.core import settings as S
from tests.broker import free_port
from tests.gateway.district import settings, status, topic
from tests.gateway.live_station import LiveStation
from tests.gateway.running import Broker, Gateway, publisher, wait_until
from waspada import cli

pytestmark = pytest.mark.broker
KEY, HASH = new_key()
PEOPLE = f'[people]\namina = "{HASH}"\n'
PAGE = "/stations/demo/dr01/settings"


@pytest.fixture
def district(tmp_path):
    with Broker(tmp_path) as broker, Gateway(tmp_path, broker.port, PEOPLE, free_port()) as gateway:
        yield broker, gateway


@pytest.fixture
def station(district):
    broker, gateway = district
    with LiveStation(broker.port) as made:
        wait_until(lambda: about(gateway).get("revision") == 1, what="the station's settings")
        yield made


def about(gateway):
    with contextlib.suppress(urllib.error.HTTPError):
        return gateway.ask("/api/stations/dr01/orders")
    return {}


def order(gateway, *words):
    return cli.main(["order", "dr01", *words, "--gateway", f"http://127.0.0.1:{gateway.web_port}"])


def test_settings_and_commands_reach_a_station_and_come_back_with_its_words(district, station, capsys, monkeypatch):
    _, gateway = district
    monkeypatch.setenv("WASPADA_KEY", f"amina:{KEY}")
    assert order(gateway, "set", "level.danger", "1.8", "level.warning", "1.2 m") == 0
    assert (station.value("level.danger"), station.value("level.warning"), station.revision) == (1800, 1200, 2)
    assert "confirmed by the station: the station runs it, revision 2" in capsys.readouterr().out
    assert order(gateway, "set", "level.danger", "9") == 1
    assert "refused by the station: level.danger is above what the sensor can tell" in capsys.readouterr().out
    assert order(gateway, "set", "level.danger", "0.1") == 2
    assert "levels out of order" in capsys.readouterr().err
    assert order(gateway, "ack") == 0 and order(gateway, "shelve", "600") == 0 and order(gateway, "status") == 0
    assert order(gateway, "drill", "danger") == 1
    assert "no drill" in (said := capsys.readouterr().out) or "the siren is shelved" in said
    audit = gateway.rows("SELECT who, what, setting, old, new FROM audit ORDER BY id")
    assert audit[0] == ("amina", "wanted", "level.danger", "1.5 m", "1.8 m")
    assert KEY not in "".join(gateway.said) and KEY.encode() not in gateway.database.read_bytes()


def test_a_technician_on_site_wins_over_what_was_wanted_while_he_saved(district, station, monkeypatch, capsys):
    broker, gateway = district
    monkeypatch.setenv("WASPADA_KEY", f"amina:{KEY}")
    broker.kill()

    def save():
        station.app.settings.staged = {S.index("level.danger"): 2500}
        station.app.orders.keep(station.app.settings)

    station.ask(save)
    assert order(gateway, "set", "level.danger", "2", "--wait", "0") == 0
    wait_until(lambda: station.revision == 2, what="the save")
    broker.start()
    wait_until(lambda: about(gateway)["settings"]["state"] == "superseded", what="the verdict")
    wait_until(lambda: gateway.rows("SELECT 1 FROM audit WHERE who = 'console'"), what="the station's own event")
    assert station.value("level.danger") == 2500 and about(gateway)["revision"] == 2
    rows = gateway.rows("SELECT who, what, old, new, revision FROM audit ORDER BY id")
    assert [row[:2] for row in rows].count(("amina", "superseded")) == 1
    assert ("console", "changed", "1.5 m", "2.5 m", 2) in rows and ("amina", "wanted", "1.5 m", "2 m", 2) in rows


# words after the gateway's, words of the sentence
UNUSABLE = (
    (("set", "level.danger"), "set takes KEY VALUE pairs"),
    (("shelve",), "shelve takes one number"),
    (("ack", "1"), "ack takes nothing more"),
    (("drill", "loud"), "or alert, warning, danger, not 'loud'"),
    (("drill", "0"), "drill takes a whole number of 1 to 3"),
    (("ack", "--expires", "1"), "expires in 10 to 82800 seconds"),
    (("ack", "--district", "nowhere"), "there is no station dr01"),
    (("ack", "--gateway", "http://example.org"), "a key goes by https only"),
    (("ack", "--key-file", "/nowhere"), "/nowhere can't be read"),
    (("ack", "--gateway", "http://127.0.0.1:9"), "can't be asked"),
)


def test_unusable_orders_are_one_sentence_and_exit_code_2(district, station, monkeypatch, capsys):
    _, gateway = district
    monkeypatch.setenv("WASPADA_KEY", f"amina:{KEY}")
    for words, sentence in UNUSABLE:
        assert order(gateway, *words) == 2 if "--gateway" not in words else cli.main(["order", "dr01", *words]) == 2
        said = capsys.readouterr().err
        assert sentence in said and said.count("\n") == 1 and KEY not in said
    monkeypatch.setenv("WASPADA_KEY", "amina:guess")
    assert order(gateway, "ack") == 2 and "name or key is wrong" in capsys.readouterr().err
    monkeypatch.delenv("WASPADA_KEY")
    assert order(gateway, "ack") == 2 and "holds no NAME:KEY" in capsys.readouterr().err
    assert gateway.count("orders") == 0


class Visitor:
    """A browser without scripts: cookies are kept, redirects are not followed."""

    def __init__(self, gateway):
        self._root = f"http://127.0.0.1:{gateway.web_port}"
        self.cookie = None

    def ask(self, path, form=None, **headers):
        """Status, headers, text."""
        data = urllib.parse.urlencode(form).encode() if isinstance(form, dict) else form
        request = urllib.request.Request(self._root + path, data, {k.replace("_", "-"): v for k, v in headers.items()})
        if self.cookie:
            request.add_header("cookie", self.cookie)
        opener = urllib.request.build_opener(Stays)
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers, answer.read().decode()

    def sign_in(self, key=KEY):
        code, headers, text = self.ask("/sign-in", {"name": "amina", "key": key, "next": PAGE})
        if code == 303:
            self.cookie = headers["set-cookie"].partition(";")[0]
        return code, headers, text

    @property
    def word(self):
        return self.ask(PAGE)[2].partition('name="form" value="')[2].partition('"')[0]


class Stays(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


@pytest.fixture
def spoken(district):
    """A station of which only its retained messages are there, with a name in its settings that would be a script."""
    broker, gateway = district
    with publisher(broker.port) as client:
        wait_until(lambda: _heard(client, gateway), what="the gateway's subscription")
        said = json.loads(settings())
        said["values"]["<script>alert(1)</script>"] = 1
        client.publish(topic("settings"), json.dumps(said), 1, True).wait_for_publish(10)
        wait_until(lambda: about(gateway).get("revision") == 1, what="the settings")
        yield gateway


def _heard(client, gateway):
    client.publish(topic("status"), status("online"), 1, True).wait_for_publish(10)
    return gateway.count("status") > 0


def test_who_signs_in_may_change_and_sees_what_came_of_it(spoken):
    visitor = Visitor(spoken)
    assert "Sign in to change anything" in visitor.ask(PAGE)[2] and "<input" not in visitor.ask(PAGE)[2].replace(
        '<input type="hidden"', ""
    )
    code, headers, _ = visitor.sign_in()
    assert (code, headers["location"]) == (303, PAGE)
    cookie = headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and KEY.lower() not in cookie
    form = {"form": visitor.word, "s:level.alert": "0.6", "s:level.warning": "1.2", "s:level.danger": "9", "s:x": "1"}
    code, _, text = visitor.ask(PAGE, {**form, "s:level.danger": "1.1"})
    assert code == 400 and "Levels out of order" in text and 'value="1.1"' in text, "what was typed stays"
    assert visitor.ask(PAGE, form)[0] == 303
    text = visitor.ask(PAGE)[2]
    assert "Not confirmed yet" in text and "level.warning 1.2 m, level.danger 9 m" in text and "Withdraw" in text
    assert about(spoken)["settings"]["values"] == {"level.warning": "1.2", "level.danger": "9"}
    assert visitor.ask(PAGE.replace("settings", "withdraw"), {"form": visitor.word})[0] == 303
    assert (
        visitor.ask(PAGE.replace("settings", "command"), {"form": visitor.word, "do": "shelve", "with": "900"})[0]
        == 303
    )
    text = visitor.ask(PAGE)[2]
    assert "Withdrawn" in text and "shelve for 900 s" in text
    assert "<script>alert" not in text and "&lt;script&gt;alert(1)" in text
    assert "amina" in visitor.ask("/audit")[2] and KEY not in text
    assert visitor.ask("/sign-out", {"form": visitor.word})[0] == 303
    assert "Sign in to change anything" in visitor.ask(PAGE)[2]


# what is sent by someone signed in: form, headers, status
FORGED = (
    ({}, {}, 403),
    ({"form": "guess"}, {}, 403),
    ({"form": "right"}, {"origin": "https://example.org"}, 403),
    ({"form": "right"}, {"origin": "null"}, 403),
    ({"form": "right"}, {"content_type": "text/plain"}, 415),
    ({"form": "right", "s:level.danger": "x" * 40_000}, {}, 413),
    (b"&".join([b"a=1"] * 300), {}, 400),
    (b"form=\xff\xfe", {}, 400),
)


def test_forms_of_others_change_nothing(spoken):
    visitor = Visitor(spoken)
    visitor.sign_in()
    word = visitor.word
    for form, headers, wanted in FORGED:
        if isinstance(form, dict):
            form = {"s:level.danger": "1.7", **form} | ({"form": word} if form.get("form") == "right" else {})
        assert visitor.ask(PAGE, form, **headers)[0] == wanted, (form, headers)
    assert Visitor(spoken).ask(PAGE, {"form": word, "s:level.danger": "1.7"})[0] == 403, "without the cookie"
    assert spoken.count("orders") == 0
    assert visitor.ask(PAGE, {"form": word, "s:level.danger": "1.7"})[0] == 303


def test_the_api_takes_no_cookie_and_wrong_keys_cost_time(spoken):
    visitor = Visitor(spoken)
    visitor.sign_in()
    wish = json.dumps({"do": "ack"}).encode()
    path = "/api/stations/dr01/orders"
    assert visitor.ask(path, wish)[0] == 401
    assert visitor.ask(path, b"[" * 30_000, authorization=f"Bearer amina:{KEY}")[0] == 400
    assert visitor.ask(path, b'{"do":"ack","whith":1}', authorization=f"Bearer amina:{KEY}")[0] == 400
    assert visitor.ask("/api/stations/no/orders", wish, authorization=f"Bearer amina:{KEY}")[0] == 404
    assert visitor.ask(path, wish, authorization=f"Bearer amina:{KEY}")[0] == 202
    codes = [visitor.ask(path, wish, authorization="Bearer amina:guess")[0] for _ in range(4)]
    assert codes == [403, 403, 403, 429]
    code, headers, text = visitor.sign_in()
    assert code == 429 and int(headers["retry-after"]) >= 1 and "Too many wrong tries" in text, (
        "the right key waits too"
    )


def test_where_nobody_is_named_nobody_may_change_anything(tmp_path):
    with Broker(tmp_path) as broker, Gateway(tmp_path, broker.port, "", free_port()) as gateway:
        visitor = Visitor(gateway)
        assert "nobody may change anything here" in visitor.ask("/sign-in")[2].lower()
        assert visitor.sign_in()[0] == 403
        code, _, text = visitor.ask("/api/stations/dr01/orders", b'{"do":"ack"}', authorization=f"Bearer amina:{KEY}")
        assert code == 403 and "names no people" in text


@pytest.mark.parametrize("path", ["//example.org", "https://example.org", "/\\example.org", "javascript:alert(1)"])
def test_signing_in_leads_to_no_other_site(district, path):
    _, headers, _ = Visitor(district[1]).ask("/sign-in", {"name": "amina", "key": KEY, "next": path})
    assert headers["location"] == "/"

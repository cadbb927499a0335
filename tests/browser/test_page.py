"""The page in a real Chromium, on a real gateway and broker: states, live changes, the hydrograph, weight, trouble, phone."""

import time
from pathlib import Path

import pytest

from tests.broker import free_port
from tests.browser.viewing import DESKTOP, PHONE, View
from tests.gateway.district import alarm, pack, reading, settings, status, topic
from tests.gateway.running import Broker, Gateway, publisher, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.broker]

BUDGET_BYTES = 300_000
STATIONS = "".join(
    f'[stations.dr{i:02}]\ntitle = "Gauge {i}"\nlabel = "{"recorded" if i == 1 else "synthetic"}"\nsource = "Source {i}"\n'
    for i in range(1, 6)
)


@pytest.fixture
def district(tmp_path):
    """Five stations: danger, warning, normal, one that can't be reached, one with a blind sensor."""
    with (
        Broker(tmp_path) as broker,
        Gateway(tmp_path, broker.port, STATIONS, free_port()) as gateway,
        publisher(broker.port) as client,
    ):
        wait_until(lambda: _listens(client, gateway), what="the gateway's subscription")
        for node, peak, state in (
            ("dr01", 1.9, "danger"),
            ("dr02", 1.2, "warning"),
            ("dr03", 0.3, None),
            ("dr04", 0.9, "alert"),
        ):
            _speak(client, node, peak, state)
        _speak(client, "dr05", 0.3, None, blind=True)
        say(client, "status", status("unreachable", "dr04", bt=None), "dr04")
        wait_until(lambda: len(gateway.ask("/api/stations")["stations"]) == 5, what="five stations")
        wait_until(lambda: gateway.count() == 5 * 60 + 4, what="all records")
        yield broker, gateway, client


def say(client, name, payload, node):
    client.publish(topic(name, node), payload, 1, name in ("status", "settings")).wait_for_publish(10)


def _listens(client, gateway):
    say(client, "status", status("online", "dr01"), "dr01")
    return gateway.count("status") > 0


def _speak(client, node, peak, state, blind=False):
    now = time.time()
    say(client, "settings", settings(), node)
    say(client, "status", status("online", node, bt=now), node)
    for seq in range(1, 61):
        level = round(peak * (0.3 + 0.7 * seq / 60), 3)
        missing = blind and seq > 57
        q1 = {1: None, 11: 3, 21: 4}.get(seq, 1)
        say(
            client,
            "readings",
            reading(1, seq, None if missing else level, q1=q1, node=node, bt=round(now - (60 - seq) * 60, 1)),
            node,
        )
    if state:
        say(client, "event", alarm(1, 1, state, level=peak, node=node, bt=now), node)
    if blind:
        fault = pack(1, 1, {"n": "sensor", "vs": "fault"}, {"n": "reason", "vs": "no_answer"}, node=node, bt=now)
        say(client, "event", fault, node)


@pytest.fixture
def view(chromium, district):
    opened = []

    def make(size=DESKTOP, scheme="light"):
        opened.append(View(chromium, district[1], size, scheme))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def test_states_are_words_worst_first_and_a_silent_one_is_not_normal(view):
    seen = view()
    titles = seen.page.locator(".card .open").all_inner_texts()
    assert titles == ["Gauge 1", "Gauge 2", "Gauge 4", "Gauge 5", "Gauge 3"]
    words = [" ".join(text.split()) for text in seen.page.locator(".card .pill").all_inner_texts()]
    assert words == ["■ Danger bahaya", "◆ Warning amaran", "? No contact", "○ No usable reading", "● Normal"]
    assert "Last known state: alert" in seen.card("Gauge 4").inner_text()
    assert "sensor fault" in seen.card("Gauge 5").inner_text()
    assert (
        "0.40 m above danger" in seen.card("Gauge 1").inner_text() and "recorded" in seen.card("Gauge 1").inner_text()
    )
    assert seen.page.title() == "(1 danger) Waspada"
    assert seen.wrong == []


def test_the_first_view_is_light_and_asks_nobody_else(view, tmp_path):
    seen = view()
    seen.page.locator("#chart canvas").wait_for()
    seen.page.locator("#events li").first.wait_for()
    seen.page.screenshot(path=tmp_path / "desktop.png")
    assert 20_000 < seen.bytes < BUDGET_BYTES
    assert seen.hosts == {seen.address}
    assert seen.wrong == []


def test_readings_and_alarms_appear_without_reloading(view, district):
    _, _, client = district
    seen = view()
    before = seen.page.evaluate("performance.timeOrigin")
    say(client, "readings", reading(1, 61, 1.71, q1=1, node="dr03", bt=round(time.time(), 1)), "dr03")
    say(client, "event", alarm(1, 1, "danger", level=1.71, node="dr03", bt=time.time()), "dr03")
    card = seen.card("Gauge 3")
    card.locator(".value", has_text="1.71").wait_for()
    card.locator(".pill", has_text="Danger").wait_for()
    wait_until(lambda: seen.page.title() == "(2 danger) Waspada", what="the title")
    assert seen.page.locator('[data-count="danger"] b').inner_text() == "2"
    assert seen.page.evaluate("performance.timeOrigin") == before
    assert seen.wrong == []


def test_a_station_opens_by_keyboard_with_its_hydrograph_and_closes_by_escape(view):
    seen = view()
    seen.card("Gauge 2").locator(".open").focus()
    seen.page.keyboard.press("Enter")
    seen.page.locator("#detail-title:focus").wait_for()
    seen.page.locator("#events", has_text="Normal → warning at 1.20 m").wait_for()
    assert seen.page.locator("#detail-title").inner_text() == "Gauge 2"
    seen.page.locator('#chart[aria-label*="60 readings in 24 hours"]').wait_for()
    assert "Source 2" in seen.page.locator("#source").inner_text()
    assert _painted(seen.page) > 2000
    seen.page.get_by_role("button", name="6 h").click()
    seen.page.locator("#chart-words", has_text="6 hours").wait_for()
    seen.page.keyboard.press("Escape")
    assert seen.page.locator("#detail").is_hidden()
    assert seen.page.evaluate("document.activeElement.textContent") == "Gauge 2"
    assert seen.wrong == []


def _painted(page):
    """Pixels of the drawing that are not empty."""
    return page.evaluate(
        """() => { const c = document.querySelector('#chart canvas');
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; }"""
    )


def test_trouble_is_said_and_taken_back(view, district):
    broker, _, _ = district
    seen = view()
    broker.kill()
    seen.page.locator("#trouble", has_text="the broker at").wait_for(timeout=20_000)
    assert seen.page.locator("#live").inner_text() == "Trouble"
    broker.start()
    seen.page.locator("#trouble").wait_for(state="hidden", timeout=40_000)
    seen.page.wait_for_selector('#live[data-live="live"]')


def test_a_gateway_that_is_gone_is_noticed_and_found_again(view, district):
    _, gateway, _ = district
    seen = view()
    gateway.kill()
    seen.page.wait_for_selector('#live[data-live="lost"]', timeout=20_000)
    assert "Connection lost" in seen.page.locator("#live").inner_text()
    gateway.start()
    seen.page.wait_for_selector('#live[data-live="live"]', timeout=40_000)
    assert len(seen.page.locator(".card").all()) == 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_opens_over_the_whole_screen(view, scheme, tmp_path):
    seen = view(PHONE, scheme)
    page = seen.page
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.locator("#detail").is_hidden()
    page.screenshot(path=tmp_path / f"phone-{scheme}.png")
    seen.card("Gauge 1").click()
    page.locator("#events li").first.wait_for()
    box = page.locator("#detail").bounding_box()
    assert (box["width"], box["height"]) == (PHONE["width"], PHONE["height"])
    page.screenshot(path=tmp_path / f"phone-{scheme}-open.png")
    page.get_by_role("button", name="Close the station").click()
    assert page.locator("#detail").is_hidden()
    assert seen.wrong == []


def test_the_words_are_there_without_scripts(chromium, district):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{district[1].web_port}/")
    text = " ".join(page.locator("main").inner_text().split())
    assert "Danger bahaya" in text and "No contact" in text and "UTC" in text
    context.close()


def test_nothing_of_the_vendored_packages_is_committed():
    room = Path(__file__).parents[2] / "gateway" / "web"
    assert "resolved" not in (room / "package-lock.json").read_text()
    assert "omit-lockfile-registry-resolved=true" in (room / ".npmrc").read_text()
    assert "/gateway/web/static/vendor/" in (Path(__file__).parents[2] / ".gitignore").read_text()

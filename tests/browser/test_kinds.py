"""Stations that are no river gauges, in a real Chromium: cards, drawings by quantity, panels side by side, words, ticks, weight."""

import time

import pytest

from tests.broker import free_port
from tests.browser.viewing import PHONE, View
from tests.gateway import profiles as P
from tests.gateway.district import reading, settings, status, topic
from tests.gateway.running import Broker, Gateway, publisher, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.broker]

BUDGET_BYTES = 300_000
TITLES = {"aq01": "Classroom 4B", "pv01": "Hall roof", "rg01": "Hill rain", "dr01": "River"}
STATIONS = 'title = "Waspada Kuching"\n' + "".join(
    f'[stations.{node}]\ntitle = "{title}"\n' for node, title in TITLES.items()
)
EVERY_S = 300
COUNT = 120


@pytest.fixture(scope="module")
def district(tmp_path_factory):
    """An air station in alarm, a PV station, a rain gauge with its lid open, and a river gauge that can't be reached."""
    folder = tmp_path_factory.mktemp("kinds")
    with (
        Broker(folder) as broker,
        Gateway(folder, broker.port, STATIONS, free_port()) as gateway,
        publisher(broker.port) as client,
    ):
        wait_until(lambda: _listens(client, gateway), what="the gateway's subscription")
        now = time.time()
        for node, profile in (("aq01", P.air), ("pv01", P.panels), ("rg01", P.rain)):
            say(client, "settings", P.settings(node != "pv01"), node)
            say(client, "status", status("online", node, bt=now), node)
            for i in range(1, COUNT + 1):
                part = i / COUNT * (0.75 if node == "pv01" else 1)
                say(client, "readings", P.readings(node, i, now - (COUNT - i) * EVERY_S, profile(part)), node)
        say(client, "event", P.alarm("aq01", 1, now - 600, "alert", "normal", "co2", 1420), "aq01")
        say(client, "event", P.fault("aq01", 2, now - 300, 1), "aq01")
        say(client, "settings", settings(), "dr01")
        for i in range(1, 11):
            say(client, "readings", reading(1, i, round(0.4 + i / 10, 3), node="dr01", bt=now - (10 - i) * 60), "dr01")
        say(client, "status", status("unreachable", "dr01", bt=None), "dr01")
        wait_until(lambda: gateway.count() == 3 * COUNT + 12, what="all records")
        wait_until(lambda: len(gateway.ask("/api/stations")["stations"]) == 4, what="four stations")
        yield gateway, client


def say(client, name, payload, node):
    client.publish(topic(name, node), payload, 1, name in ("status", "settings")).wait_for_publish(10)


def _listens(client, gateway):
    say(client, "status", status("online", "dr01"), "dr01")
    return gateway.count("status") > 0


@pytest.fixture
def view(chromium, district):
    opened = []

    def make(size=None, scheme="light"):
        opened.append(View(chromium, district[0], size or {"width": 1440, "height": 1000}, scheme))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def words(locator):
    return " ".join(locator.inner_text().split())


def test_every_kind_of_station_has_a_card_with_what_it_is_for(view):
    seen = view()
    assert seen.page.locator(".card .open").all_inner_texts() == ["Classroom 4B", "Hall roof", "Hill rain", "River"]
    assert words(seen.page.locator("h1")) == "Waspada Kuching"
    air, roof, rain = (words(seen.card(title)) for title in ("Classroom 4B", "Hall roof", "Hill rain"))
    assert (
        "Alert waspada" in air and "CO₂ 1420 ppm" in air and "580 ppm below warning" in air and "sensor 2 fault" in air
    )
    assert "Temperature" in air and "PM2.5" in air
    assert "Power 256.7 W" in roof and "panel 2 dirty" in roof and "panel 4 faulty" in roof
    assert "Rain rate" in rain and "Rain in 24 h" in rain and "lid open" in rain
    silent = words(seen.card("River"))
    assert (
        "No contact" in silent
        and "1.40 m" in silent
        and "Last known state: normal" in silent
        and "was normal" in silent
    )
    assert seen.wrong == []


def test_a_quantity_is_chosen_by_a_button_and_drawn_with_its_lines(view, tmp_path):
    seen = view()
    page = seen.page
    seen.card("Classroom 4B").click()
    page.locator('#chart[aria-label^="CO₂ of Classroom 4B. 120 readings in 24 hours"]').wait_for()
    assert words(page.locator("#at")).endswith("1420 ppm · good")
    page.locator("#events", has_text="Sensor 2 fault").wait_for()
    assert "Normal → alert: CO₂ 1420 ppm (alert line 1000 ppm)" in words(page.locator("#events"))
    assert "Sensor 2 fault: does not answer" in words(page.locator("#events"))
    page.locator("#quantities button", has_text="Humidity").focus()
    page.keyboard.press("Enter")
    page.locator('#chart[aria-label^="Humidity of Classroom 4B"]').wait_for()
    assert page.evaluate("document.activeElement.dataset.name") == "humidity"
    assert page.locator('#quantities [aria-pressed="true"]').all_inner_texts()[0].startswith("Humidity")
    page.screenshot(path=tmp_path / "air.png")
    assert seen.wrong == [] and seen.bytes < BUDGET_BYTES


def test_panels_are_drawn_in_one_picture_with_a_legend_and_their_diagnosis(view, tmp_path):
    seen = view(scheme="dark")
    page = seen.page
    seen.card("Hall roof").click()
    page.locator('#chart[aria-label^="Power of Hall roof. 120 readings of 4"]').wait_for()
    legend = page.locator(".key li:visible").all_inner_texts()
    assert [" ".join(text.split()[:2]) for text in legend] == [f"Panel {i}" for i in (1, 2, 3, 4)]
    assert "together 256.7 W" in words(page.locator("#at"))
    assert words(page.locator("#states")) == "Panel 1 clean Panel 2 dirty Panel 3 clean Panel 4 faulty"
    page.screenshot(path=tmp_path / "panels-dark.png")
    page.get_by_role("button", name="3 days").click()
    page.locator("#chart-words", has_text="3 days").wait_for()
    assert len(page.locator(".key li:visible").all()) == 4
    assert seen.wrong == []


def test_rain_is_drawn_as_sums(view):
    seen = view()
    seen.card("Hill rain").click()
    seen.page.locator("#quantities button", has_text="Rain").last.click()
    seen.page.locator("#chart-words", has_text="each bar is 10 minutes").wait_for()
    assert seen.wrong == []


def test_a_reading_that_comes_in_appears_in_card_button_and_drawing(view, district):
    _, client = district
    seen = view()
    seen.card("Classroom 4B").click()
    seen.page.locator('#chart[aria-label*="120 readings"]').wait_for()
    say(client, "readings", P.readings("aq01", COUNT + 1, time.time(), P.air(1.0) | {"co2": 1777}), "aq01")
    seen.card("Classroom 4B").locator(".value", has_text="1777").wait_for()
    seen.page.locator("#quantities button", has_text="1777 ppm").wait_for()
    seen.page.locator('#chart[aria-label*="highest 1777 ppm"]').wait_for()
    assert seen.wrong == []


# step between two labels -> decimals
STEPS = ((0.25, 2), (0.5, 1), (0.1, 1), (0.02, 2), (0.005, 3), (1, 0), (2.5, 1), (20, 0), (500, 0))


def test_labels_have_as_many_decimals_as_their_step_needs(view):
    page = view().page
    told = [page.evaluate("step => Chart.decimalsOf(step)", step) for step, _ in STEPS]
    assert told == [decimals for _, decimals in STEPS]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(view, scheme, tmp_path):
    seen = view(PHONE, scheme)
    page = seen.page
    page.screenshot(path=tmp_path / f"phone-{scheme}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    seen.card("Hall roof").click()
    page.locator("#states li").first.wait_for()
    assert page.evaluate("document.getElementById('detail').scrollWidth") <= PHONE["width"]
    least = page.evaluate(
        "Math.min(...[...document.querySelectorAll('#quantities button')].map((b) => b.offsetHeight))"
    )
    assert least >= 44, "a thumb hits it"
    page.screenshot(path=tmp_path / f"phone-{scheme}-panels.png")
    assert seen.wrong == []

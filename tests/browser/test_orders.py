"""A person on duty changes a station's settings in a real Chromium; a real gateway, mosquitto and the real station's app answer."""

import pytest

from gateway.access import new_key
from node.core import settings as S
from tests.broker import free_port
from tests.browser.viewing import DESKTOP, PHONE
from tests.gateway.live_station import LiveStation
from tests.gateway.running import Broker, Gateway, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.broker]
KEY, HASH = new_key()
CONFIG = f'[people]\namina = "{HASH}"\n[stations.dr01]\ntitle = "Sungai Maong"\n'


@pytest.fixture
def district(tmp_path):
    with (
        Broker(tmp_path) as broker,
        Gateway(tmp_path, broker.port, CONFIG, free_port()) as gateway,
        LiveStation(broker.port) as station,
    ):
        wait_until(lambda: gateway.count("settings_seen") == 1, what="the station's settings")
        yield broker, gateway, station


@pytest.fixture
def view(chromium, district):
    opened = []

    def make(size=DESKTOP, scheme="light"):
        context = chromium.new_context(viewport=size, color_scheme=scheme)
        opened.append(context)
        page = context.new_page()
        page.wrong = []
        page.on("console", lambda m: page.wrong.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.goto(f"http://127.0.0.1:{district[1].web_port}/stations/demo/dr01/settings")
        return page

    yield make
    for context in opened:
        context.close()


def sign_in(page):
    page.get_by_role("link", name="Sign in to change anything").click()
    page.get_by_label("Name").fill("amina")
    page.get_by_label("Key").fill(KEY)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Send to the station").wait_for()


def test_settings_are_sent_and_the_stations_answer_appears_by_itself(view, district, tmp_path):
    _, _, station = district
    page = view()
    assert page.locator("input:visible").count() == 0, "to look needs no key"
    sign_in(page)
    page.get_by_label("level.danger").fill("1.8")
    assert page.locator(".setting.changed").count() == 1
    page.get_by_role("button", name="Send to the station").click()
    page.locator(".outcome.confirmed").wait_for(timeout=20_000)
    assert station.value("level.danger") == 1800 and "revision 2" in page.locator(".runs").inner_text()
    page.get_by_label("level.danger").fill("9")
    page.get_by_role("button", name="Send to the station").click()
    page.locator(".outcome.refused", has_text="above what the sensor can tell").wait_for(timeout=20_000)
    page.get_by_label("level.danger").fill("0.5")
    page.get_by_role("button", name="Send to the station").click()
    page.locator('[role="alert"]', has_text="Levels out of order").wait_for()
    assert page.get_by_label("level.danger").input_value() == "0.5", "what was typed stays"
    page.screenshot(path=tmp_path / "settings.png", full_page=True)
    page.goto(page.url)
    page.get_by_role("button", name="Acknowledge the alarm").click()
    page.locator(".told .done", has_text="ack").wait_for(timeout=20_000)
    assert page.locator(".audit tr", has_text="1.5 m").locator("td", has_text="1.8 m").count() >= 2
    wrong = [text for text in page.wrong if "400" not in text]  # the browser tells of the answer to a wrong form
    assert wrong == []


def test_a_technicians_newer_settings_are_told_to_who_wanted_others(view, district, tmp_path):
    broker, _, station = district
    page = view(PHONE, "dark")
    sign_in(page)
    broker.kill()

    def save():
        station.app.settings.staged = {S.index("level.danger"): 2500}
        station.app.orders.keep(station.app.settings)

    station.ask(save)
    page.get_by_label("level.danger").fill("2")
    page.get_by_role("button", name="Send to the station").click()
    page.locator(".outcome.waiting:visible", has_text="Not confirmed yet").wait_for()
    page.screenshot(path=tmp_path / "waiting.png", full_page=True)
    page.get_by_label("level.warning").fill("1.3")
    broker.start()
    page.locator("#news:visible").wait_for(timeout=60_000)
    assert page.get_by_label("level.warning").input_value() == "1.3", "the page is not taken from under who types"
    page.locator("#news a").click()
    page.locator(".outcome.superseded", has_text="level.danger is 2.5 m, wanted 2 m").wait_for(timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.screenshot(path=tmp_path / "superseded.png", full_page=True)
    assert page.wrong == []


def test_the_page_of_a_station_leads_to_its_settings(view, district):
    page = view()
    page.goto(f"http://127.0.0.1:{district[1].web_port}/")
    page.get_by_role("button", name="Sungai Maong").click()
    page.get_by_role("link", name="Settings, orders and audit").click()
    page.get_by_role("heading", name="Sungai Maong").wait_for()
    page.get_by_role("link", name="Waspada").click()
    page.get_by_role("button", name="Sungai Maong").wait_for()

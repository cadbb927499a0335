"""Profiles, backups: what would change is shown, then all of it is set, or nothing."""

import json

import pytest

from tests.waspada.console_desk import PIN, Cable, console
from waspada.consoles import values
from waspada.consoles.pin import VARIABLE

PROFILE = (
    '[settings]\n"level.danger" = "1400 mm"\n"level.warning" = 0.9\n"sample.interval" = "2 min"\n"siren.from" = 1\n'
)
CHANGES = [("level.danger", "1.5 m", "1.4 m"), ("level.warning", "1 m", "0.9 m"), ("sample.interval", "60 s", "120 s")]


@pytest.fixture
def profile(tmp_path):
    path = tmp_path / "bridges.toml"
    path.write_text(PROFILE)
    return path


def values_of(cable):
    settings = cable.desk.app.settings
    return {settings.rows[i][0]: settings.values[i] for i in settings.used}


def test_a_profile_is_shown_set_saved_and_read_back(profile):
    with Cable(pin=PIN) as cable:
        done = console(cable.port, "--apply", profile, "--yes", "--json", environment={VARIABLE: PIN})
        again = console(cable.port, "--apply", profile, "--yes", "--json")
        now = values_of(cable)
    assert done.code == 0
    [report] = done.json["stations"]
    assert [(one["key"], one["from"], one["to"]) for one in report["changes"]] == CHANGES
    assert (report["result"], report["revision"], report["station"], report["life"]) == (
        "applied",
        2,
        "demo/dr01",
        "5eed0001",
    )
    assert "  level.danger 1.5 m -> 1.4 m" in done.err.splitlines()
    assert (now["level.danger"], now["level.warning"], now["sample.interval"]) == (1400, 900, 120)
    assert again.code == 0 and again.json["stations"][0]["result"] == "same"  # and nobody had to log in for that


def test_many_stations_get_a_report_each_and_one_that_is_away_stops_no_other(profile):
    with Cable(pin=PIN) as first, Cable(pin=PIN, station={"node": "dr02"}) as second:
        words = (first.port, "socket://127.0.0.1:1", second.port, "--apply", profile, "--yes", "--json")
        done = console(*words, environment={VARIABLE: PIN})
        assert values_of(first) == values_of(second)
    assert done.code == 1
    assert [one["result"] for one in done.json["stations"]] == ["applied", "gone", "applied"]
    assert [one["station"] for one in done.json["stations"]] == ["demo/dr01", "", "demo/dr02"]


def test_what_somebody_typed_before_and_did_not_save_is_not_saved_with_it(profile):
    with Cable() as cable:
        console(cable.port, "--script", "-", stdin="set battery.low 12 V\n")
        assert console(cable.port, "--apply", profile, "--yes", "--json").code == 0
        assert values_of(cable)["battery.low"] == 11500


# (lines of a profile, words of the report)
REFUSED = {
    "out of range": ('"siren.from" = 2\n"level.danger" = "99 m"', "-10 m to 30 m"),
    "another unit": ('"siren.from" = 2\n"level.danger" = "1.4 V"', "level.danger is in m"),
    "levels out of order": ('"siren.from" = 2\n"level.danger" = "0.7 m"', "levels out of order"),
    "not a setting of this station": ('"siren.from" = 2\n"rain_1h.danger" = "90"', "no setting rain_1h.danger"),
    "no number": ('"siren.from" = 2\n"level.danger" = "high"', "level.danger"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_station_refuses_is_refused_whole(tmp_path, name):
    lines, words = REFUSED[name]
    (tmp_path / "p.toml").write_text(f"[settings]\n{lines}\n")
    with Cable() as cable:
        before = values_of(cable)
        done = console(cable.port, "--apply", tmp_path / "p.toml", "--yes", "--json")
        assert values_of(cable) == before
        assert not cable.desk.app.settings.staged
    assert done.code == 1
    assert done.json["stations"][0]["result"] == "refused"
    assert words in done.json["stations"][0]["why"]


def test_storage_that_fails_leaves_all_as_it_was(profile):
    def fail_from_now(desk):
        desk.run(5000)
        desk.storage.writes_fail = True

    with Cable(before=fail_from_now) as cable:
        done = console(cable.port, "--apply", profile, "--yes", "--json")
        assert values_of(cable)["level.danger"] == 1500
        assert not cable.desk.app.settings.staged
    assert done.code == 1 and done.json["stations"][0]["result"] == "refused"


@pytest.mark.parametrize("after", range(200, 1900, 150))
def test_a_cable_pulled_while_a_profile_is_applied_leaves_old_or_new(profile, after):
    with Cable(cut_after=after) as cable:
        before = values_of(cable)
        done = console(cable.port, "--apply", profile, "--yes", "--json")
        now = values_of(cable)
        changed = {key for key in now if now[key] != before[key]}
        assert changed in (set(), {key for key, _, _ in CHANGES})
        if done.code:
            assert done.json.get("error") or done.json["stations"][0]["result"] == "gone"
        again = console(cable.port, "--apply", profile, "--yes", "--json")
        assert again.code == 0 and values_of(cable)["level.danger"] == 1400


def test_without_yes_and_without_a_terminal_nothing_is_touched(profile):
    with Cable() as cable:
        done = console(cable.port, "--apply", profile, "--json")
        assert cable.heard == b""
    assert done.code == 2 and "--yes" in done.json["error"]


def test_a_no_leaves_the_station_as_it_was():
    report = values.Report("p")

    class Shown:
        def status(self):
            return {"district": "demo", "node": "dr01", "life": "x", "revision": "4"}

        def shown(self):
            return {"level.danger": ("1.5", "m")}

    values.change(report, Shown(), {"level.danger": "1.4 m"}, None, print, lambda changes: False, "")
    assert (report.result, report.revision, report.good) == ("declined", 4, False)


@pytest.mark.parametrize(
    "text",
    ["", "settings = 3", "[settings]", "[settings]\na = true", "[settings]\na = [1]", '[settings]\na = "1 m of rope"', "[else]\na = 1",
     '[settings]\n"a b" = 1', '[settings]\n"wifi.key" = "x"', '[settings]\na = ""', "[settings\n", '[settings]\na = "é"', "a = 2018-01-01"],
)  # fmt: skip
def test_a_profile_that_is_none_is_one_sentence(tmp_path, text):
    (tmp_path / "p.toml").write_text(text)
    done = console("socket://127.0.0.1:1", "--apply", tmp_path / "p.toml", "--yes", "--json")
    assert done.code == 2
    assert str(tmp_path / "p.toml") in done.json["error"]


def test_nested_tables_name_the_same_settings(tmp_path):
    (tmp_path / "p.toml").write_text('about = "x"\n[settings.level]\nalert = "0.5 m"\n[settings.rise]\nlimit = 0\n')
    assert values.read_profile(tmp_path / "p.toml") == {"level.alert": "0.5 m", "rise.limit": "0"}


# Backups


def test_a_backup_brings_back_what_was_changed_since(tmp_path, profile):
    with Cable() as cable:
        before = values_of(cable)
        saved = console(cable.port, "--backup", tmp_path / "b", "--json")
        assert saved.code == 0 and saved.json["settings"] == len(before)
        assert console(cable.port, "--apply", profile, "--yes").code == 0
        assert values_of(cable) != before
        restored = console(cable.port, "--restore", tmp_path / "b", "--yes", "--json")
        assert values_of(cable) == before
    assert restored.code == 0
    assert {one["key"] for one in restored.json["stations"][0]["changes"]} == {key for key, _, _ in CHANGES}


def test_a_backup_of_another_station_is_not_restored(tmp_path):
    with Cable() as first, Cable(station={"node": "dr02"}) as second:
        assert console(first.port, "--backup", tmp_path / "b").code == 0
        done = console(second.port, "--restore", tmp_path / "b", "--yes", "--json")
    assert done.code == 1
    assert "this is demo/dr02, the backup is of demo/dr01" in done.json["stations"][0]["why"]


def test_a_backup_that_was_changed_or_cut_off_anywhere_is_refused(tmp_path):
    with Cable() as cable:
        assert console(cable.port, "--backup", tmp_path / "b").code == 0
    whole = (tmp_path / "b").read_text()
    for spoilt in (whole[:-20], whole.replace("1.5", "1.6"), whole.split("\n", 1)[1], whole + whole, "", "hello"):
        (tmp_path / "b").write_text(spoilt)
        done = console("socket://127.0.0.1:1", "--restore", tmp_path / "b", "--yes", "--json")
        assert done.code == 2
        assert "backup" in done.json["error"]


def test_a_backup_over_a_noisy_line_is_asked_for_again(tmp_path):
    spoilt = []

    def spoil(data):
        if b"set level" in data and not spoilt:
            spoilt.append(1)
            return data.replace(b"set level", b"set lovel")
        return data

    with Cable(spoil=spoil) as cable:
        assert console(cable.port, "--backup", tmp_path / "b").code == 0
        assert cable.heard.count(b"export settings") == 2
    assert values.read_backup(tmp_path / "b")[0] == "demo/dr01"


def test_no_secret_is_in_a_backup(tmp_path):
    with Cable(pin=PIN, station={"wifi": {"ssid": "Depot", "key": "hunter22"}}) as cable:
        assert console(cable.port, "--backup", tmp_path / "b", "--json").code == 0
    text = (tmp_path / "b").read_text()
    assert "hunter22" not in text and PIN not in text and json.dumps("Depot")[1:-1] not in text

"""A station's energy: from its parts and settings here, from what a simulated station did there; and the light of its site."""

import json
from pathlib import Path

import pytest

from hardware import power, sites
from hardware.boards import boards, read_board
from hardware.check import check
from hardware.compile import STATIONS, shipped
from hardware.shape import read
from simulator import energy
from simulator.errors import InputError
from tests.hardware.changed import station
from waspada import cli


def test_the_published_day_of_hourly_reports_is_in_the_table() -> None:
    wifi = power.figures()["wifi"]
    for reports, mah in energy.PUBLISHED.items():
        assert abs(0.05 * 24 + reports * wifi["session_uc"] / 3_600_000 - mah) < 0.05


@pytest.mark.parametrize("name", shipped())
def test_each_station_has_a_day_in_both_profiles_and_sleep_costs_less(name: str) -> None:
    found = power.budget(station(name))
    on, asleep = found["profiles"]
    assert 0 < asleep["mah_day"] < on["mah_day"]
    assert 0 < on["autonomy_days"] < asleep["autonomy_days"]


def test_the_reserve_is_the_sounders_own_pattern() -> None:
    # 60 s of 1 A in 180 s and 0.2 A throughout, six hours: 2000 and 1200 mAh.
    assert round(power.reserve_mah(station("river_gauge"), 6)) == 3200 == round(energy.reserve_mah(6))


def test_the_siren_reserve_is_not_there_for_days_without_sun() -> None:
    gauge = station("river_gauge")
    day = power.Day(gauge, 0)
    assert power.autonomy_days(gauge, day, 0) > power.autonomy_days(gauge, day, 6)
    assert power.autonomy_days(gauge, day, 100) == 0


def test_a_slower_sample_and_a_smaller_board_cost_less() -> None:
    plain = power.Day(station("river_gauge"), 1)
    slow = power.Day(station("river_gauge", ("[settings]", '[settings]\n"sample.interval" = "900 s"')), 1)
    assert slow.battery_mah < plain.battery_mah
    assert slow.samples == 96


def test_kuching_has_its_worst_month_in_january_and_helsinki_in_december() -> None:
    gauge = station("river_gauge")
    kuching = power.at_site(gauge, sites.site_at("1.55,110.35"))
    helsinki = power.at_site(gauge, sites.site_at("60.17,24.94"))
    assert (kuching["worst_month"], helsinki["worst_month"]) == ("January", "December")
    assert kuching["tilt"] < 20 < helsinki["tilt"]
    needs = [row["profiles"][0]["panel_needed_w"] for row in (kuching, helsinki)]
    assert needs[0] * 3 < needs[1]
    assert kuching["profiles"][0]["panel_suffices"] and not helsinki["profiles"][0]["panel_suffices"]


def test_a_place_with_frost_asks_for_its_temperature_and_a_battery_that_bears_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["hardware", "power", "river_gauge", "--site", "helsinki"]) == 1
    assert "write its lowest temperature as coldest_c" in capsys.readouterr().out
    assert not power.at_site(station("river_gauge"), sites.read_site("kuching"))["frost_unasked"]
    cold = station(
        "river_gauge", ("coldest_c = 20", "coldest_c = -20"), ('battery = "lfp_6ah"', 'battery = "lfp_20ah_cold"')
    )
    found = power.at_site(cold, sites.read_site("helsinki"))
    assert not found["frost_unasked"]
    assert {row["battery"] for row in found["profiles"]} == {"lfp_20ah_cold"}


def test_a_month_without_any_light_needs_no_number_of_watts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (sites.SITES / "helsinki.toml").read_text(encoding="utf-8")
    north = (
        text.replace("latitude_e2 = 6017", "latitude_e2 = 7822").replace("400, 194]", "0, 0]").replace("[290,", "[0,")
    )
    (tmp_path / "polar.toml").write_text(north, encoding="utf-8")
    assert cli.main(["hardware", "power", "river_gauge", "--site", str(tmp_path / "polar.toml")]) == 1
    said = capsys.readouterr().out
    assert "no panel carries it through January: there is no light" in said
    assert "The answer is no: always on, no panel feeds it in January." in said
    assert "suffices" not in said.replace("does not suffice", "")


def test_light_on_a_flat_panel_is_the_tables_own() -> None:
    for name in sites.shipped_sites():
        site = sites.read_site(name)
        for told, given in zip(sites.Light(site).wh_m2_day(0), site.wh_m2_day, strict=True):
            assert abs(told - given) < 0.03 * given, name


def test_a_panel_turned_to_a_low_sun_gets_more_of_it() -> None:
    flat, steep = (sites.Light(sites.read_site("helsinki")).wh_m2_day(tilt)[11] for tilt in (0, 65))
    assert steep > 1.3 * flat


def test_a_month_darker_than_the_correlation_knows_is_ever_more_diffuse() -> None:
    shares = [sites.diffuse_share(clearness, 50) for clearness in (0.3, 0.25, 0.2, 0.15, 0.05)]
    assert shares == sorted(shares) and shares[-2:] == [1.0, 1.0]
    assert sites.sunset_angle(70, 355) == 0 and sites.sunset_angle(70, 172) == 180
    assert abs(sites.sunset_angle(0, 100) - 90) < 0.01


@pytest.mark.parametrize("name", sites.shipped_sites())
def test_each_site_says_where_its_table_is_from(name: str) -> None:
    site = sites.read_site(name)
    assert len(site.wh_m2_day) == 12 and site.source and site.where


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("1.55", "write LAT,LON"),
        ("north,east", "write LAT,LON"),
        ("91,0", "allowed are latitudes"),
        ("nan,0", "allowed are latitudes"),
        (
            "-33.9,151.2",
            "no table of irradiation within 60 km of -33.9,151.2: the nearest is Kuching, Sarawak, 5807 km away",
        ),
        ("24.94,60.17", "within 60 km of 24.94,60.17 (the latitude comes first: are the two swapped?)"),
        ("110.35,1.55", "allowed are latitudes of -90 to 90, first"),
        ("0,-160", "no table of irradiation within 60 km of 0,-160: the nearest is"),
        ("", "--site is empty; write LAT,LON"),
        ("kuchin", "did you mean kuching?"),
        ("nothing.toml", "neither a readable file nor one of the shipped chicago, helsinki, kuching, new_york"),
    ],
)
def test_a_site_that_is_none_is_one_sentence(asked: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["hardware", "power", "river_gauge", f"--site={asked}"]) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1


# What is asked, and what does not suffice: the profile in force decides, and a battery that no sun feeds is nobody's question.
NOES = [
    (["river_gauge", "--site", "kuching"], []), (["river_gauge", "--site", "helsinki"], ["panel"]), (["river_gauge"], []),
    (["river_gauge", "--siren-hours", "14"], ["battery"]), (["river_gauge", "--site", "helsinki", "--siren-hours", "14"], ["battery", "panel"]),
]  # fmt: skip


@pytest.mark.parametrize(("words", "lacks"), NOES)
def test_the_answer_no_is_exit_1_and_says_what_does_not_suffice(
    words: list[str], lacks: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["hardware", "power", *words]) == (1 if lacks else 0)
    assert ("The answer is no: always on, its " in capsys.readouterr().out) == bool(lacks)
    assert cli.main(["hardware", "power", *words, "--json"]) == (1 if lacks else 0)
    told = json.loads(capsys.readouterr().out)["lacks"]
    assert [reason.split()[1] for reason in told] == lacks


def test_a_sleeping_station_is_judged_asleep(tmp_path: Path) -> None:
    text = (STATIONS / "river_gauge.toml").read_text(encoding="utf-8")
    path = tmp_path / "asleep.toml"
    path.write_text(text.replace("[settings]", '[settings]\n"power.profile" = "1"'), encoding="utf-8")
    assert cli.main(["hardware", "power", str(path), "--site", "helsinki"]) == 0
    path.write_text(text.replace('panel = "panel_20w"\ncharger = "charger_mppt_4a"\n', ""), encoding="utf-8")
    assert cli.main(["hardware", "power", str(path), "--siren-hours", "14"]) == 0, "no sun is waited for"


def test_a_site_in_the_south_needs_no_equals_sign(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--site", "-6.2,106.8"], ["--site=-6.2,106.8"], ["--site", "-33.9,-70.7"]):
        assert cli.main(["hardware", "power", "river_gauge", *words]) == 2
        assert f"within 60 km of {words[-1].removeprefix('--site=')}: the nearest is" in capsys.readouterr().err
    assert cli.main(["hardware", "power", "river_gauge", "-x"]) == 2
    assert "unrecognized arguments: -x (try `waspada hardware power --help`)" in capsys.readouterr().err


def test_a_tilt_without_a_site_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["hardware", "power", "river_gauge", "--tilt", "30"]) == 2
    assert "without --site no light is reckoned" in capsys.readouterr().err
    assert cli.main(["hardware", "power", "river_gauge", "--site", "kuching", "--tilt", "91"]) == 2
    assert "allowed are 0 to 90 degrees" in capsys.readouterr().err


def test_json_says_what_the_sentences_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["hardware", "power", "pv_monitor", "--site", "40.71,-74.01", "--json"]) in (0, 1)
    found = json.loads(capsys.readouterr().out)
    assert (found["site"], found["worst_month"], len(found["wh_m2_day"])) == (
        "New York (Newark airport)",
        "December",
        12,
    )
    assert found["profiles"][1]["never_sleeps"].startswith("days of panels")


def test_a_rain_gauge_that_sleeps_stands_on_the_low_power_board() -> None:
    moved = [('"esp32_wrover_devkitc"', '"firebeetle2_esp32e_n16r2"'), ("pin = 27", "pin = 13"), ("pin = 33", "pin = 23"), ("pin = 34", "pin = 36"),
             ('"siren.from" = "4"', '"siren.from" = "4"\n"power.profile" = "1"')]  # fmt: skip
    low = station("rain_gauge", *moved)
    assert [finding.sentence() for finding in check(low.source)] == []
    kit = power.Day(station("rain_gauge"), 1)
    assert power.Day(low, 1).shares_mah["asleep"] < 13 < 88 < kit.shares_mah["asleep"]
    assert power.Day(low, 1).loads_mah < 0.4 * kit.loads_mah


def test_a_development_board_is_never_a_low_power_one() -> None:
    for name in boards():
        board = read_board(name)
        bare_chip_ua = 150
        assert board["asleep_ua"] > bare_chip_ua, f"{name}: a board is not its module"
        assert board.get("currents") or {"asleep_ua", "awake_ua"} <= set(board["assumed"]), f"{name}: whose figures?"


def test_a_site_that_lacks_a_month_is_refused(tmp_path: Path) -> None:
    text = (sites.SITES / "kuching.toml").read_text(encoding="utf-8")
    (tmp_path / "short.toml").write_text(text.replace("3960, ", ""), encoding="utf-8")
    with pytest.raises(InputError, match=r"line 6: wh_m2_day is .*; allowed are 12 times whole numbers"):
        sites.site_at(str(tmp_path / "short.toml"))


def test_a_station_without_a_supply_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = read(STATIONS, "river_gauge", "station").path.read_text(encoding="utf-8")
    bare = tmp_path / "bare.toml"
    bare.write_text(text[: text.index("[supply]")] + text[text.index("[fit.uart1]") :], encoding="utf-8")
    assert cli.main(["hardware", "power", str(bare)]) == 2
    assert "the file lacks [supply]" in capsys.readouterr().err


def test_the_command_names_month_panel_battery_and_days(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["hardware", "power", "river_gauge", "--site", "1.55,110.35"]) == 0
    said = capsys.readouterr().out
    for word in (
        "Kuching",
        "January",
        "mAh a day",
        "days without sun",
        "panel_20w",
        "always on",
        "duty-cycled",
        "6 h of siren",
    ):
        assert word in said


def test_without_pvlib_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(_: str) -> None:
        raise ImportError("No module named 'pvlib'")

    monkeypatch.setattr(sites, "import_module", absent)
    assert cli.main(["hardware", "power", "river_gauge", "--site", "kuching"]) == 2
    assert "extra pv" in capsys.readouterr().err
    assert cli.main(["hardware", "power", "river_gauge"]) == 0

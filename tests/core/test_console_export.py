"""What a program reads from a station: lines with a CRC, resumed at any key; nothing secret; and what people read of the journal."""

import base64
import binascii
import itertools

import pytest

from node.core import journal, senml
from node.core import settings as S
from tests.core.console_desk import Desk

PIN = "471108"


def opened(desk):
    desk.say(b"machine\r")
    return desk


def checked(lines):
    """The lines without their CRC, which is right."""
    found = []
    for line in lines:
        text, crc = line.rsplit(" ", 1)
        assert crc == f"{binascii.crc32(text.encode()):08x}"
        found.append(text)
    return found


def busy(boots=3):
    desk = Desk(settings={"sample.interval": 5, "report.interval": 5})
    for _ in range(boots):
        desk.run(60_000)
        desk.boot()
    desk.run(20_000)
    return desk


@pytest.mark.parametrize(("kind", "stream"), [("readings", 0), ("events", 1)])
def test_every_record_comes_once_in_order_and_is_the_one_on_flash(kind, stream):
    desk = opened(busy())
    lines, how = desk.ask(f"export {kind}")
    assert how == "ok"
    begin, *records, end = checked(lines)
    log = desk.app.logs[stream]
    assert begin == f"begin 1 {kind} demo dr01 5eed0001 {log.boot} {log.seq}"
    keys = []
    for line in records:
        word, boot, prev_boot, prev_seq, seq, packed = line.split(" ")
        record = base64.b64decode(packed)
        assert word == kind
        assert journal.seq_of(record) == int(seq)
        assert binascii.crc32(record[:-4]) == int.from_bytes(record[-4:], "little")
        assert '"n":"' in senml.encode(
            "waspada:demo:dr01:", "5eed0001", int(boot), int(prev_boot), int(prev_seq), record
        )
        keys.append((int(boot), int(seq)))
    assert keys == [(each.boot, each.seq) for each in desk.records(stream)]
    assert {boot for boot, _ in keys} == {1, 2, 3, 4}
    assert end == f"end {kind} {keys[-1][0]} {keys[-1][1]}"


def test_an_export_is_resumed_at_any_key():
    desk = opened(busy())
    whole = checked(desk.ask("export readings")[0])[1:-1]
    for at, line in enumerate(whole):
        boot, seq = line.split(" ")[1], line.split(" ")[4]
        assert checked(desk.ask(f"export readings {boot} {seq}")[0])[1:-1][: len(whole) - at] == whole[at:]
    assert checked(desk.ask("export readings 9 1")[0])[1:] == ["end readings 0 0"]


def test_a_key_stops_an_export_and_the_next_line_is_heard():
    desk = opened(busy())
    desk.console.typed += b"export readings\r"
    for _ in range(20):
        desk.listen()
    assert desk.say(b"\x15").endswith("= stopped\r\n= ready\r\n")
    assert desk.ask("get siren.from")[1] == "ok"


def test_exported_settings_typed_again_are_the_same_settings():
    desk = Desk()
    for line in ("set level.danger 1.254", "set rise.window 20 min", "set battery.low 11.25", "save"):
        desk.answer(line)
    lines, how = opened(desk).ask("export settings")
    assert how == "ok"
    begin, *lines, end = checked(lines)
    assert (begin, end) == ("begin 1 settings demo dr01 5eed0001 1 2", "end settings 1 2")
    other = opened(Desk())
    for line in lines:
        assert other.ask(line)[1] == "ok", line
    other.ask("save")
    assert other.app.settings.values == desk.app.settings.values


def test_nothing_that_is_said_holds_a_secret():
    station = {"wifi": {"ssid": "office", "key": "correcthorse"}, "broker": {"host": "gw.example", "port": 8883}}
    desk = Desk(PIN, station=station)
    said = ""
    for line in ("login " + PIN, "set wifi.key batterystaple", "diff", "save", "show", "status", "export settings", "export events",
                 "log 50", "log 50 readings", "get wifi.key", "help wifi.key", "revert", "machine", "status", "diff"):  # fmt: skip
        said += desk.say(line.encode() + b"\r")
        desk.run(100)
    for secret in ("correcthorse", "batterystaple", PIN):
        assert secret not in said
    assert not [name for name in desk.storage.files if PIN.encode() in desk.storage.files[name]]


def test_flash_that_fails_is_an_answer():
    desk = Desk()
    desk.run(3000)
    opened(desk)
    desk.storage.always = True
    for line in ("export readings", "export events", "log"):
        desk.app.logs[0]._chunk_number = desk.app.logs[1]._chunk_number = 0
        assert desk.ask(line)[1] == "failed", line


def test_each_answer_of_a_program_ends_with_its_code():
    desk = Desk(PIN)
    assert desk.say(b"machine\r") == "machine\r\n= ok\r\n"
    assert desk.say(b"\x15") == "= ready\r\n"
    assert desk.say(b"\r") == ""
    for line, code in (
        ("get level.danger", "ok"), ("set level.danger 1.2", "pin"), ("login 000000", "wait 5"), ("login 000000", "wait 5"), ("nonsense", "unknown"),
        ("get", "usage"), ("get x", "refused"), ("x" * 97, "long"), ("level 99999999", "usage"), ("shelve 5", "pin"),
    ):  # fmt: skip
        assert desk.ask(line)[1] == code, line
    desk.leave(5)
    assert desk.ask("login " + PIN)[1] == "ok"
    assert desk.ask("set level.danger 1.2")[1] == "ok"
    desk.storage.writes_fail = True
    assert desk.ask("save")[1] == "failed"
    assert desk.say(b"machine off\r") == "> "


def test_a_program_is_answered_in_english_whatever_was_chosen():
    desk = Desk()
    assert "bahaya" in desk.answer("language ms")[0] or desk.answer("help level.danger")[0].endswith(
        "bahaya (-10 m hingga 30 m)"
    )
    opened(desk)
    assert desk.ask("help level.danger")[0][0].endswith("danger (bahaya) (-10 m to 30 m)")


def test_the_newest_records_are_told_in_words():
    desk = Desk()
    desk.level(1700)
    desk.run(5000)
    desk.answer("set level.danger 1.4")
    desk.answer("save")
    said = desk.answer("log 50")
    assert said[0] == "2018-06-03 22:00:00 1/1 boot soft"
    assert any("alarm danger, alarm_from normal, level 1.7 m" in line for line in said), said
    assert said[-1].endswith("settings console, revision 2, old level.danger 1.5 m, new level.danger 1.4 m")
    assert desk.answer("log 2") == said[-2:]
    assert "level 1.7 m (q 2), battery" in desk.answer("log readings")[0]
    assert desk.answer("log 1 readings")[0].split()[3] == "level"


def test_records_of_the_boot_before_count_too():
    desk = busy(1)
    assert [line.split(" ")[2].split("/")[0] for line in desk.answer("log 30 readings")] == [
        str(each.boot) for each in desk.records(0)[-30:]
    ]


def test_dates_are_right_over_four_hundred_years():
    import datetime

    from node.console import dates

    for day in itertools.chain(range(0, 20000, 7), (11016, 11017, 47540, 47541, 49709)):
        seconds = day * 86400 + 3723
        moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
        assert dates.text(1, seconds) == moment.strftime("%Y-%m-%d %H:%M:%S")
    assert dates.text(0, 77) == "+77 s"


def test_what_ails_a_station_is_in_its_status():
    desk = Desk()
    desk.answer("set level.danger 1.2")
    desk.answer("save")
    for name in ("settings.0", "settings.1"):
        desk.storage.files[name] = desk.storage.files[name][:-3]
    desk.boot()
    assert "settings: both copies were damaged: the station's own count" in desk.answer("status")
    desk.run(3000)
    said = desk.answer("status")
    assert "settings_bad: a damaged copy is kept as settings.bad" in said
    assert "settings: sound" in said
    desk.app.safe = True
    desk.storage.writes_fail = True
    desk.app._books.fail()
    said = desk.answer("status")
    assert "safe_mode: on" in said and "storage: fault" in said and "flash_errors: 1" in said
    assert f"level: {S.shown(('', 'm', 3), 100)} q 2" in said

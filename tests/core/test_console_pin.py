"""None to look, a PIN to change: wrong ones cost time, over a restart too, and nobody who left is still in."""

import pytest

from node.core import pin
from node.core import settings as S
from tests.core.console_desk import ROUNDS, SALT, Desk

PIN = "471108"
CHANGES = (
    "set level.danger 1.2",
    "save",
    "revert",
    "test",
    "calibrate 1",
    "ack",
    "shelve 5",
    "drill 1",
    "reboot",
    "maintenance",
)
LOOKS = ("help", "show", "get level.danger", "diff", "status", "log", "language ms", "help save")


@pytest.mark.parametrize("line", CHANGES)
def test_changing_wants_the_pin(line):
    desk = Desk(PIN)
    assert desk.answer(line) == ["refused: login PIN first"]
    assert not desk.app.settings.staged
    assert not desk.app.reboot_wanted
    assert not desk.app._people, "nothing was ordered"


@pytest.mark.parametrize("line", LOOKS)
def test_looking_wants_none(line):
    assert "PIN first" not in "".join(
        desk_said for desk_said in Desk(PIN).answer(line) if not desk_said.startswith("* ")
    )


def test_whoever_knows_it_may_change_until_logout():
    desk = Desk(PIN)
    assert desk.answer("login " + PIN) == ["logged in"]
    desk.answer("set level.danger 1.2")
    assert desk.answer("save")[-1] == "saved, revision 2"
    desk.answer("set level.danger 1.3")
    assert desk.answer("logout") == ["logged out; what was not saved is forgotten"]
    assert not desk.app.settings.staged
    assert desk.answer("save") == ["refused: login PIN first"]


def test_a_station_without_a_pin_is_open_and_says_so():
    desk = Desk()
    assert desk.answer("login 1") == ["this station has no PIN: everybody may change it"]
    assert "pin: open" in desk.answer("status")
    assert "pin: closed" in Desk(PIN).answer("status")


def test_wrong_ones_cost_growing_time():
    desk = Desk(PIN)
    for seconds in (5, 10, 20, 40, 80, 160, 320, 640, 640):
        assert desk.answer("login 000000") == [f"wrong PIN; the next is heard in {seconds} s"]
        assert desk.answer("login " + PIN) == [f"too many wrong PINs: the next is heard in {seconds} s"]
        desk.leave(seconds - 1)
        assert desk.answer("login " + PIN) == ["too many wrong PINs: the next is heard in 1 s"]
        desk.leave(1)
    assert desk.answer("login " + PIN) == ["logged in"]
    desk.answer("logout")
    assert desk.answer("login 000000") == ["wrong PIN; the next is heard in 5 s"], "the count begins again"


def test_a_restart_does_not_shorten_the_wait():
    desk = Desk(PIN)
    for seconds in (5, 10, 20):
        desk.answer("login 000000")
        desk.leave(seconds)
    desk.answer("login 000000")
    desk.boot()
    desk.run(2000)
    assert desk.answer("login " + PIN) == ["too many wrong PINs: the next is heard in 38 s"]
    desk.leave(38)
    assert desk.answer("login " + PIN) == ["logged in"]


def test_the_plug_pulled_before_the_answer_is_a_wrong_try_too():
    desk = Desk(PIN)
    desk.console.typed += b"login 000000\r"
    desk.listen()
    desk.boot()
    desk.run(1000)
    assert "too many wrong PINs" in desk.answer("login " + PIN)[0]


def test_a_count_that_is_damaged_counts_for_many():
    desk = Desk(PIN)
    desk.storage.files["pin.tries"] = b"x"
    assert desk.answer("login " + PIN) == ["too many wrong PINs: the next is heard in 80 s"]


def test_flash_that_takes_nothing_locks_nobody_out_and_lets_nobody_guess():
    desk = Desk(PIN)
    desk.storage.writes_fail = True
    assert desk.answer("login 000000") == ["wrong PIN; the next is heard in 5 s"]
    assert desk.answer("login " + PIN) == ["too many wrong PINs: the next is heard in 5 s"]
    desk.leave(5)
    assert desk.answer("login " + PIN) == ["logged in"]


@pytest.mark.parametrize(
    "content",
    [b"x", b"sha256 0 00 00", b"sha256 30 zz 00", b"md5 30 00 00", b"\xff\xfe", b"sha256 999999999 00 " + b"0" * 64],
)
def test_a_damaged_pin_file_lets_nobody_in(content):
    desk = Desk()
    desk.storage.files["../pin"] = content
    assert "damaged" in desk.answer("login " + PIN)[0]
    assert desk.answer("save") == ["refused: login PIN first"]


def test_a_pin_that_can_not_be_read_lets_nobody_in_until_it_can():
    desk = Desk()
    desk.sit()
    desk.app._console._guard = None
    desk.storage.always = True
    assert desk.answer("save") == ["refused: login PIN first"]
    desk.storage.always = False
    assert desk.answer("save") == ["nothing to save"]


def test_sampling_goes_on_while_a_pin_is_weighed():
    desk = Desk(PIN, settings={"sample.interval": 5})
    desk.storage.files["../pin"] = pin.encode(PIN, SALT, 2000)
    desk.level(1600)
    desk.run(1000)
    desk.console.typed += b"login 471108\r"
    desk.run(2000)
    assert desk.app._console.user
    assert desk.switched("siren") == [(desk.switched("siren")[0][0], 1)]
    assert desk.switched("siren")[0][0] < 2500


def test_left_alone_it_logs_out_and_forgets_what_was_typed():
    desk = Desk(PIN)
    desk.answer("login " + PIN)
    desk.answer("set level.danger 1.2")
    desk.answer("set wifi.ssid x")
    desk.leave(599)
    assert desk.app.settings.staged
    desk.console.said.clear()
    desk.leave(62)
    assert desk.console.said.decode() == "\r\nleft alone: logged out, what was not saved is forgotten\r\n> "
    assert not desk.app.settings.staged
    assert not desk.app._people.network
    assert desk.app._console is None, "its heap is given back"
    assert desk.answer("save") == ["refused: login PIN first"]
    assert desk.app.settings.get(S.LEVEL_DANGER) == 1500


def test_a_program_left_alone_finds_the_prompt_again():
    desk = Desk()
    desk.say(b"machine\r")
    desk.console.said.clear()
    desk.leave(700)
    assert desk.console.said == b"= closed\r\n"
    assert desk.say(b"\x15") == "\r\n> "


def test_the_file_never_holds_the_pin_and_takes_any_digits():
    content = pin.encode(PIN, SALT, ROUNDS)
    assert PIN.encode() not in content
    rounds, salt, digest = pin.decode(content)
    assert (rounds, salt, len(digest)) == (ROUNDS, SALT, 32)
    assert pin.encode("471109", SALT, ROUNDS) != content
    assert pin.encode(PIN, bytes(16), ROUNDS) != content


def test_three_interrupts_ask_for_maintenance_and_one_does_not():
    desk = Desk(PIN)
    desk.console.repl_wanted = False
    assert desk.say(b"\x03\x03") == "\r\n> \r\n> "
    assert "login PIN first" in desk.say(b"x\x03\x03\x03")
    assert not desk.console.repl_wanted
    desk.answer("login " + PIN)
    assert "mpremote may come" in desk.say(b"\x03\x03\x03")
    assert desk.console.repl_wanted

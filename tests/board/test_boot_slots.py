"""boot.py and main.py of a board with slots, in the real MicroPython VM: what `waspada flash` writes, with slots that go wrong.

The files are the real ones, compiled; stand-ins only for `machine` and `network`. A boot here is a VM that ends when it resets.
"""

import hashlib
import json
import shutil
import subprocess
import time

import pytest

from node.core.slots import State
from node.version import VERSION
from tests.board.station import SIREN, STROBE, describe, environment, pins
from tests.core.failing_storage import Storage
from tests.vm64 import program
from waspada import contents, image, packing

pytestmark = pytest.mark.vm

START = """
import sys
sys.path[0] = ""
exec(open("boot.py").read())
{}
exec(open("main.py").read())
"""
STEPS = "import outer; outer.start = lambda: outer.run('', 2) or True"  # a good application comes up and is stopped


@pytest.fixture(scope="module")
def flashed(tmp_path_factory):
    """What a flashed board holds, made once."""
    folder = tmp_path_factory.mktemp("flashed")
    packing.board(folder)
    return folder


@pytest.fixture
def board(flashed, tmp_path):
    folder = tmp_path / "board"
    shutil.copytree(flashed, folder)
    describe(folder)
    return folder


def boot(folder, before_main="", cause=None):
    """(what it printed, whether it was reset)."""
    (folder / "world" / "reset").unlink(missing_ok=True)
    if cause is not None:
        (folder / "world" / "cause").write_text(str(cause))
    done = subprocess.run(
        [program(), "-c", START.format(before_main)], cwd=folder, env=environment(None), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr, (folder / "world" / "reset").exists()


def prints_path():
    return "import sys; print('path', sys.path[0]); raise SystemExit"


def path_of(folder, cause=None):
    said, _ = boot(folder, prints_path(), cause)
    return next((line.split()[1] for line in said.splitlines() if line.startswith("path ")), said)


def state_of(folder):
    files = {path.name: path.read_bytes() for path in (folder / "data").glob("slot.*")}
    return State(Storage(files))


def second_slot(folder, version="9.0.0", outer="def start():\n    raise RuntimeError('a defect')\n", pack=None):
    """Slot b with an outer loop of its own, whole unless `pack` says otherwise."""
    source = folder.parent / "outer.py"
    source.write_text(outer)
    files = {"node.pack": packing.pack({"outer.mpy": packing.compiled(source, "outer.py")})}
    made = packing.manifest(files, version)
    slot = folder / "b"
    slot.mkdir()
    (slot / "node.pack").write_bytes(files["node.pack"] if pack is None else pack)
    (slot / "manifest").write_bytes(made)


def say(folder, do):
    """Change the state as an application would."""

    class Disk:
        def read(self, name, offset, count):
            path = folder / "data" / name
            return path.read_bytes()[offset : offset + count] if path.exists() else b""

        def replace(self, name, data):
            (folder / "data").mkdir(exist_ok=True)
            (folder / "data" / name).write_bytes(data)

    do(State(Disk()))


def test_a_flashed_board_runs_its_station_from_slot_a(board):
    assert path_of(board) == "/run_a"
    said, was_reset = boot(board, STEPS)
    assert "waspada station dr01" in said
    assert not was_reset
    assert json.loads((board / "a" / "manifest").read_text())["version"] == VERSION
    assert (board / "data").is_dir()


def test_every_module_comes_out_of_the_pack_as_it_went_in(board):
    made = packing.application()
    (board / "a" / "node.pack").write_bytes(packing.pack(made))
    (board / "a" / "manifest").write_bytes(packing.manifest({"node.pack": packing.pack(made)}, VERSION))
    names = sorted(made)
    look = f"""
import hashlib, binascii
for name in {names!r}:
    file = open("/run_a/" + name, "rb")
    digest = hashlib.sha256()
    buffer = bytearray(300)
    while True:
        count = file.readinto(buffer)
        if not count:
            break
        digest.update(memoryview(buffer)[:count])
    print("sha", name, binascii.hexlify(digest.digest()).decode())
raise SystemExit
"""
    said, _ = boot(board, look)
    found = dict(line.split()[1:] for line in said.splitlines() if line.startswith("sha "))
    assert found == {name: hashlib.sha256(data).hexdigest() for name, data in made.items()}


def test_outputs_are_off_before_anything_is_chosen(board):
    (board / "slots.mpy").write_bytes(b"not a module")
    boot(board)
    assert (SIREN, 0) in pins(board)


@pytest.mark.parametrize("harm", ["description", "module"])
def test_outputs_are_off_whichever_of_the_descriptions_is_damaged(board, harm):
    whole = contents.described_as(json.loads((board / "station.json").read_text()))
    (board / "station.json.1").write_bytes(whole)
    (board / "station.json").write_bytes(b"\0" + whole[1:])
    if harm == "module":
        (board / "description.mpy").write_bytes(b"not a module")
    boot(board, prints_path())
    assert (SIREN, 0) in pins(board)


def test_a_trial_gets_three_attempts_and_then_the_good_slot_runs_again(board):
    second_slot(board, outer="def start():\n    import machine\n    machine.reset()\n")
    boot(board, prints_path())
    say(board, lambda state: state.begin())
    runs = [path_of(board, cause=3) for _ in range(5)]
    assert runs == ["/try_b", "/try_b", "/try_b", "/try_a", "/try_a"]  # the fourth has a roll-back to tell
    state = state_of(board)
    assert (state.good, state.mode, state.news) == ("a", "-", "rolled_back")
    assert len(state.failed) == 16
    say(board, lambda state: state.told())
    assert path_of(board) == "/run_a"


def test_a_loss_of_power_costs_a_trial_less_than_a_crash(board):
    second_slot(board)
    boot(board, prints_path())
    say(board, lambda state: state.begin())
    assert [path_of(board, cause=1) for _ in range(10)] == ["/try_b"] * 9 + ["/try_a"]


# what is in slot b; what happens to a trial of it
UNFIT = {
    "an outer loop that raises": {},
    "an outer loop that is no module": {"pack": None, "outer": "nothing = 1\n"},
    "a station that can't be run": {"outer": "def start():\n    return False\n"},
    "a pack that is cut off": {"pack": b"WPK1\x00\x05"},
    "a pack that is not one": {"pack": b"nothing at all"},
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_trial_of_what_can_not_run_ends_at_once(board, name):
    second_slot(board, **UNFIT[name])
    boot(board, prints_path())
    say(board, lambda state: state.begin())
    said, was_reset = boot(board, "" if UNFIT[name].get("pack") is None else prints_path())
    assert was_reset or "/try_a" in said, said
    assert path_of(board) == "/try_a"
    assert state_of(board).mode == "-"


def test_a_good_slot_that_is_harmed_is_left_for_the_other(board):
    shutil.copytree(board / "a", board / "b")
    data = bytearray((board / "a" / "node.pack").read_bytes())
    data[5000] ^= 4
    (board / "a" / "node.pack").write_bytes(data)
    assert path_of(board) == "/try_b"
    state = state_of(board)
    assert (state.good, state.news) == ("b", "rolled_back")


def harm(path, at=-5000):
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


def test_a_flashed_boards_second_slot_is_the_spare_of_its_first(board):
    """As `waspada flash` writes it."""
    files = contents.on_a_bench(json.loads((board / "station.json").read_text()), None).files(contents.App.built(), 0)
    for name, data in files.items():
        (board / name).parent.mkdir(exist_ok=True)
        (board / name).write_bytes(data)
    made = image.filesystem(files, 512)
    assert len(made) == 512 * 4096
    harm(board / "a" / "node.pack")
    assert path_of(board) == "/try_b"
    said, _ = boot(board, STEPS)
    assert "waspada station dr01" in said


def test_a_harmed_slot_is_better_than_none(board):
    path = board / "a" / "node.pack"
    unused = path.read_bytes().index(b"reference_cell")  # a driver that this station has not
    harm(path, unused)
    assert path_of(board) == "/run_a"
    said, _ = boot(board, STEPS)
    assert "waspada station dr01" in said


@pytest.mark.parametrize("way", ["no pack", "no outer loop"])
def test_a_station_that_has_run_and_has_no_slot_left_blinks(board, way):
    boot(board, STEPS)
    assert (board / "data" / "boot").exists()
    path = board / "a" / "node.pack"
    path.write_bytes(b"" if way == "no pack" else path.read_bytes()[:3000])
    process = subprocess.Popen(
        [program(), "-c", START.format("")], cwd=board, env=environment(None), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    try:
        while (STROBE, 1) not in pins(board):
            assert time.monotonic() < deadline and process.poll() is None, pins(board)
    finally:
        process.kill()
        process.wait()
    assert (SIREN, 1) not in pins(board), "nobody is to run from water that nobody has seen"


def test_with_no_whole_slot_a_board_says_so_and_waits(board):
    (board / "a" / "node.pack").write_bytes(b"")
    said, was_reset = boot(board)
    assert "No station runs here: neither slot is whole" in said
    assert not was_reset


@pytest.mark.parametrize("damage", [b"", b"x", bytes(160), b"\xff" * 300, b"00000000 1 1 a - 0 0 - -"])
@pytest.mark.parametrize("which", ["one", "both"])
def test_a_harmed_state_file_is_survived(board, damage, which):
    second_slot(board)
    boot(board, prints_path())
    say(board, lambda state: state.begin())
    for name in ("slot.0", "slot.1")[: 1 if which == "one" else 2]:
        (board / "data" / name).write_bytes(damage)
    assert path_of(board) == ("/try_b" if which == "one" else "/run_a")


def test_two_slots_that_both_can_not_start_are_no_boot_loop(board):
    second_slot(board)
    shutil.rmtree(board / "a")
    shutil.copytree(board / "b", board / "a")
    (board / "a" / "manifest").write_bytes((board / "b" / "manifest").read_bytes().replace(b"9.0.0", b"8.0.0"))
    resets = [boot(board)[1] for _ in range(5)]
    assert resets == [True, False, False, False, False]


def test_a_missing_description_condemns_no_slot(board):
    shutil.copytree(board / "a", board / "b")
    (board / "station.json").unlink()
    said, was_reset = boot(board)
    assert "station.json is missing" in said
    assert not was_reset
    assert not list((board / "data").glob("slot.*"))


def test_what_only_boot_needs_is_let_go(board):
    said, _ = boot(board, "import sys; print('loaded', sorted(sys.modules)); raise SystemExit")
    loaded = next(line for line in said.splitlines() if line.startswith("loaded"))
    assert "seal" not in loaded and "slots" not in loaded and "storage" not in loaded
    assert "pack" in loaded

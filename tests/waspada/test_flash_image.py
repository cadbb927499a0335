"""What `waspada flash` writes: images and their list, the file system, and what it may import."""

import ast
import itertools
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import InputError
from tests import vm64
from tests.flash_desk import made_up_image
from tests.waspada.city_desk import new_city
from waspada import cli, image
from waspada.city import City

ROOT = Path(__file__).resolve().parents[2]
# Modules and calls that Windows does not have, as the console's and flash's import would find them missing.
POSIX_MODULES = {"fcntl", "termios", "pty", "pwd", "grp", "resource", "tty", "syslog", "spwd", "crypt", "readline"}
POSIX_CALLS = {
    "fork",
    "forkpty",
    "openpty",
    "geteuid",
    "getuid",
    "setsid",
    "mkfifo",
    "chown",
    "killpg",
    "SIGHUP",
    "SIGKILL",
    "SIGALRM",
}
# flash size in MB -> blocks of LittleFS: of an image that says nothing of a file system (MicroPython 1.26 and later)
BLOCKS = ((4, 512), (8, 1536), (16, 3584))


def written(folder, data, name="some.bin"):
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("flash_mb", "blocks"), BLOCKS)
def test_the_file_system_ends_where_the_flash_ends_unless_the_image_has_a_partition_for_it(tmp_path, flash_mb, blocks):
    without = made_up_image(rows=((1, 2, 0x9000, 0x6000, b"nvs"), (0, 0, 0x10000, 0x1F0000, b"factory")))
    free = image.read_image(written(tmp_path, without))
    assert (free.fs_offset, free.blocks(flash_mb << 20)) == (0x200000, blocks)
    fixed = image.read_image(written(tmp_path, made_up_image()))
    assert (fixed.fs_offset, fixed.blocks(flash_mb << 20)) == (0x200000, 512)


@pytest.mark.parametrize("blocks", [count for _, count in BLOCKS])
def test_the_parts_that_are_written_onto_empty_flash_are_the_file_system_and_its_beginning_comes_last(blocks):
    files = {"a/node.pack": bytes(range(256)) * 700, "station.json": b"{}" * 900, "certs/ca.der": b"x", "empty": b""}
    made = image.filesystem(files, blocks)
    parts = image.parts(made)
    flash = bytearray(b"\xff" * blocks * image.BLOCK)
    for at, data in parts:
        assert image.Lying(lambda a, n, f=flash: bytes(f[a : a + n])).mounted is False
        flash[at : at + len(data)] = data
    assert bytes(flash) == made
    assert parts[-1][0] == 0
    assert image.total(parts) < 300_000
    asked = []

    def read(at, size):
        asked.append(at)
        return made[at : at + size]

    lying = image.Lying(read)
    assert {name: lying.content(name) for name in files} == files
    assert lying.content("none") is None
    assert len(asked) <= 4


def test_a_cable_that_is_pulled_while_a_board_is_looked_at_is_no_empty_board():
    made = image.filesystem({"a/node.pack": bytes(range(256)) * 700, "station.json": b"{}"}, 512)
    for good in range(4):
        asked = []

        def read(at, size, asked=asked, good=good):
            asked.append(at)
            if len(asked) > good:
                raise InputError("the cable is gone")
            return made[at : at + size]

        with pytest.raises(InputError, match="the cable is gone"):
            image.Lying(read).content("a/node.pack")


def test_what_does_not_fit_is_said_and_not_written():
    with pytest.raises(InputError, match=r"1 files of 2097152 bytes do not fit a file system of 2097152 bytes"):
        image.filesystem({"much": bytes(2 << 20)}, 512)


@pytest.mark.vm
def test_micropython_mounts_the_file_system_and_reads_what_was_put_in(tmp_path):
    made = image.filesystem({"a/node.pack": b"p" * 9000, "pin": b"sha256"}, 512)
    (tmp_path / "fs").write_bytes(made)
    script = """
import os
import sys
from simulator.runtimes.ram_flash import Flash
flash = Flash(bytearray(open(sys.argv[1], 'rb').read()))
os.mount(os.VfsLfs2(flash, readsize=32, progsize=32, lookahead=32), '/x')
os.mkdir('/x/data')
with open('/x/data/boot', 'w') as file:
    file.write('1')
print(sorted(os.listdir('/x')), os.stat('/x/a/node.pack')[6], open('/x/pin').read(), open('/x/data/boot').read())
"""
    said = vm64.run(script, (ROOT,), heapsize="16m", timeout=30, args=(str(tmp_path / "fs"),))
    assert said == "['a', 'data', 'pin'] 9000 sha256 1\n"


@given(st.binary(max_size=400), st.integers(0, 0x7C00), st.integers(0, 300_000))
def test_any_bytes_are_an_image_or_refused_in_one_sentence(tmp_path_factory, noise, at, cut):
    data = bytearray(made_up_image(300_000))
    data[at : at + len(noise)] = noise
    path = tmp_path_factory.getbasetemp() / "noise.bin"
    path.write_bytes(data[:cut] if cut % 3 == 0 else data)
    try:
        found = image.read_image(path)
    except InputError as error:
        said = str(error)
        assert said.count("\n") == 0
    else:
        assert found.chip in image.CHIPS


@given(st.lists(st.tuples(st.integers(0, 511), st.binary(min_size=1, max_size=200)), max_size=12))
def test_any_bytes_on_a_board_are_read_or_said_to_be_unreadable(noise):
    flash = bytearray(image.filesystem({"station.json": b'{"life":"5eed0001"}' * 300, "data/boot": b"3"}, 512))
    for block, data in noise:
        flash[block * image.BLOCK : block * image.BLOCK + len(data)] = data
    lying = image.Lying(lambda at, size: bytes(flash[at : at + size]))
    lying.sizes("data")
    lying.content("station.json")


def add(capsys, city, path, *words):
    code = cli.main(["flash", "--add-image", str(path), "--city", str(city), *words])
    return code, capsys.readouterr()


def test_the_citys_list_takes_an_image_once_and_keeps_a_copy(tmp_path, capsys):
    city = new_city(tmp_path / "city")
    path = written(tmp_path, made_up_image())
    for _ in range(2):
        code, said = add(capsys, city, path, "--name", "MicroPython 1.25.0")
        assert code == 0 and "for esp32 with 4MB" in said.out
    assert len(image.listed(City(city))) == 1
    path.unlink()
    found = image.chosen(City(city), None, "esp32")
    assert (found.name, found.offset) == ("MicroPython 1.25.0", 0x1000)
    kept = city / "images" / f"{found.sha256}.bin"
    data = bytearray(kept.read_bytes())
    data[-1] ^= 1
    kept.write_bytes(data)
    with pytest.raises(InputError, match=r"is not what .* says"):
        image.chosen(City(city), None, "esp32")
    with pytest.raises(InputError, match=r"is not on the city's list .*images.toml \(SHA-256 [0-9a-f]{64}\)"):
        image.chosen(City(city), kept, "esp32")
    with pytest.raises(InputError, match="no image for esp32s3"):
        image.chosen(City(city), None, "esp32s3")
    (city / "images.toml").write_text("images = 3")
    with pytest.raises(InputError, match=r"images\.toml is damaged"):
        image.chosen(City(city), None, "esp32")


def test_what_is_no_whole_image_is_not_listed(tmp_path, capsys):
    city = new_city(tmp_path / "city")
    good = made_up_image()
    cases = [
        (b"not an image" * 60_000, "is not an ESP32 image"),
        (good[:1000], "is not an ESP32 image"),
        (made_up_image(chip=77), "is an image for chip number 77"),
        (made_up_image(rows=()), "has no partition table"),
        (made_up_image(rows=((0, 0, 0x10000, 33 << 20, b"factory"),)), "bytes of flash, more than"),
    ]
    for data, named in cases:
        code, said = add(capsys, city, written(tmp_path, data), "--name", "x")
        assert (code, named in said.err, said.err.count("\n")) == (2, True, 1), said
    code, said = add(capsys, city, tmp_path / "none", "--name", "x")
    assert code == 2 and "can't be read" in said.err
    code, said = add(capsys, city, written(tmp_path, good))
    assert code == 2 and "--name NAME" in said.err
    code, said = add(capsys, city, written(tmp_path, good), "--name", "x", "--flash", "2MB")
    assert code == 2 and "more than 2MB is" in said.err
    assert add(capsys, city, written(tmp_path, good), "--name", "x")[0] == 0
    code, said = add(capsys, city, written(tmp_path, good + b"."), "--name", "x")
    assert code == 2 and "another image called x" in said.err
    assert struct.calcsize("<HBBII16sI") == 32  # a row of the partition table


def ours(name):
    """The file of a module of ours."""
    for base in (ROOT / "firmware", ROOT):
        for path in (base / (name.replace(".", "/") + ".py"), base / name.replace(".", "/") / "__init__.py"):
            if path.exists():
                return path
    return None


def imported(path):
    """(name, guarded) of what a file imports, and (attribute, guarded) of os and signal; guarded: inside a test of the platform."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guarded = {
        id(inner)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.If | ast.IfExp)
        and ("platform" in ast.dump(outer.test) or "hasattr" in ast.dump(outer.test))
        for inner in ast.walk(outer)
    }
    for one in ast.walk(tree):
        names = []
        if isinstance(one, ast.Import):
            names = [alias.name for alias in one.names]
        elif isinstance(one, ast.ImportFrom) and one.module:
            names = [one.module, *(f"{one.module}.{alias.name}" for alias in one.names)]
        elif isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id in ("os", "signal"):
            names = ["." + one.attr]
        yield from ((name, id(one) in guarded) for name in names)


def posix_only(start):
    found, seen, todo = [], set(), list(start)
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        for name, guarded in imported(path):
            if not guarded and (name in POSIX_MODULES or name[:1] == "." and name[1:] in POSIX_CALLS):
                found.append((path.name, name))
            if (inner := ours(name)) is not None:
                todo.append(inner)
    return found, seen


def test_console_and_flash_import_nothing_that_windows_lacks(tmp_path):
    found, seen = posix_only([ROOT / "waspada" / "console.py", ROOT / "waspada" / "flash.py"])
    assert found == []
    assert {"city.py", "cable.py", "chip.py", "record.py", "settings.py"} <= {path.name for path in seen}
    for number, planted in enumerate(
        ("import fcntl", "from os import path\nimport os\nos.fork()", "import termios as t")
    ):
        bad = written(tmp_path, planted.encode(), f"bad{number}.py")
        assert posix_only([bad])[0], planted
    fine = "import sys\nimport os\nif sys.platform != 'win32':\n    import fcntl\nx = os.getuid() if hasattr(os, 'getuid') else 0\n"
    assert posix_only([written(tmp_path, fine.encode(), "fine.py")])[0] == []
    assert len(list(itertools.islice(imported(ROOT / "waspada" / "flash.py"), 5))) == 5

"""One board made ready: looked at, erased, written, tested, recorded. Or its application renewed.

Cut off anywhere it can be begun again. All is erased first and MicroPython written last, in one call: a board that starts has everything of one station.
"""

import contextlib
import datetime
import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hardware.compile import NAME
from node.esp32 import description
from node.version import VERSION
from simulator.errors import InputError
from waspada import cable, chip, contents, image, record
from waspada import city as layout
from waspada.chip import Chip
from waspada.city import City, common_name
from waspada.contents import App, Target
from waspada.image import Image, Lying

ROOM = 8 << 20  # bytes of disk that a flashing may need
LOCK_WITHIN_S = 20.0
BOOTS = 100_000  # a station that is flashed again numbers its boots from here on, then from twice of it
# Of a board's data what others need not know of the network stays there.
PRIVATE = ("wifi", "network.0", "network.1")
WRITTEN = ("flashing", "flashed")  # in the registry: before the board is erased, and when all is on it

Tell = Callable[[str], object]
_one_at_a_time = threading.Lock()  # in this process; the city's own lock is between processes


@dataclass(frozen=True)
class Found:
    """What a board had on it: the station's name and life, "" where none can be told."""

    name: str = ""
    life: str = ""
    certificate: str = ""  # SHA-256
    files: int = 0  # of settings and journal
    size: int = 0
    unclear: bool = False  # there is something that can't be read

    def __str__(self) -> str:
        if not self.name:
            return "data that can't be read" if self.unclear else "no station's data"
        return f"station {self.name}, life {self.life}, {self.files} files ({self.size} bytes) of settings and journal"


@dataclass
class Job:
    port: str
    target: Target
    app: App
    city: City | None = None
    pick: Callable[[str], Image] | None = None  # the image for a chip
    agreed: Callable[[str], object] = lambda _: None  # raises InputError where somebody says no
    other_is_meant: bool = False  # --replace
    save_first: Path | None = None
    tell: Tell = lambda _: None
    show: chip.Show | None = None
    macs: dict[str, str] = field(default_factory=dict)  # what this command has flashed: MAC -> station
    transfer_s: float = 0.0
    began: float = field(default_factory=time.monotonic)

    @contextlib.contextmanager
    def transfer(self) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.transfer_s += time.monotonic() - began

    def seconds(self) -> dict[str, float]:
        total = time.monotonic() - self.began
        return {
            "total": round(total, 2),
            "transfer": round(self.transfer_s, 2),
            "own": round(total - self.transfer_s, 2),
        }


def make_ready(job: Job) -> dict[str, Any]:
    """Everything on the board is erased and made anew. InputError: it is as it was, unless the sentence says otherwise. NotReadyError: it is not."""
    _room(job)
    board, written = _looked_at(job)
    with job.transfer():
        lying = Lying(lambda at, size: chip.read(job.port, written.fs_offset + at, size, job.show))
        found = look(lying)
    _refuse_another(job, board, found)
    job.agreed(f"{job.port}: {board.name}, {board.flash >> 20} MB of flash, MAC {board.mac}; {found}. All of it is erased, "
               f"and it becomes {job.target.name}, life {job.target.life}")  # fmt: skip
    with job.transfer():
        if job.save_first is not None:
            save(
                job,
                found,
                sorted(lying.sizes("data")),
                lambda name, to: to.write_bytes(lying.content("data/" + name) or b""),
            )
        if found.name == job.target.name:
            _carry_over(job, lambda name: lying.content("data/" + name))
    files = job.target.files(job.app, _boots(job))
    flash = image.parts(image.filesystem(files, written.blocks(board.flash)))
    flash = [(written.fs_offset + at, data) for at, data in flash]
    job.tell(f"{job.port}: erasing it, writing {written.name} and {len(files)} files")
    identity = {"life": job.target.life, "mac": board.mac}
    _register(job, WRITTEN[0], **identity)
    with job.transfer():
        chip.write(job.port, board.name, [*flash, (written.offset, written.path.read_bytes())], job.show)
    _register(job, WRITTEN[1], **identity, image=written.sha256, version=VERSION)
    job.macs[board.mac] = job.target.name
    job.tell(f"{job.port}: waiting for the station's first line")
    line, status = self_test(job, job.target.name, job.target.life)
    facts = {
        "board": {"chip": board.name, "mac": board.mac, "flash": board.flash},
        "image": {"name": written.name, "sha256": written.sha256},
        "self_test": {"first_line": line, "status": status},
    }
    paths = _record(job, facts)
    _register(job, "commissioned", **identity)
    return {**result(job, line, files, status), "chip": board.name, "mac": board.mac, "flash": board.flash,
            "was": str(found), "image": written.name, **paths, "seconds": job.seconds()}  # fmt: skip


def _looked_at(job: Job) -> tuple[Chip, Image]:
    """Nothing is touched before the board is what the image is for."""
    assert job.pick is not None
    with job.transfer():
        board = chip.probe(job.port, job.show)
    written = job.pick(board.name)
    if board.name != written.chip:
        raise InputError(
            f"{job.port}: the board is an {board.name}, {written.name} is for {written.chip}; give another --image"
        )
    if board.flash < written.needs:
        raise InputError(
            f"{job.port}: the board has {board.flash >> 20} MB of flash, {written.name} needs {written.needs >> 20} MB; "
            "take another board or --image"
        )
    if board.mac in job.macs:
        raise InputError(f"{job.port}: this board has just become {job.macs[board.mac]}; plug another one in")
    return board, written


def look(lying: Lying) -> Found:
    """Whose board it is."""
    if not lying.mounted:
        return Found(unclear=lying.marked)
    try:
        images = [lying.content(name) or b"" for name in description.NAMES]
        station = next((found for found in map(description.usable, images) if found), None) or json.loads(
            images[0] or b"-"
        )
        name, life = named(station["district"], station["node"], station["life"])
    except (ValueError, KeyError, TypeError):
        return Found(unclear=True)
    sizes = lying.sizes("data")
    certificate = lying.content(contents.CERTIFICATE)
    return Found(name, life, contents.digest(certificate), len(sizes), sum(sizes.values()))


def named(district: str, node: str, life: str) -> tuple[str, str]:
    """(name, life) as a board says them: anybody's board may say anything, and a folder is called so. ValueError: they can't be a station's."""
    if not all(isinstance(word, str) and re.fullmatch(NAME, word) for word in (district, node, life)):
        raise ValueError("no station's name")
    return common_name(district, node), life


def is_file_name(name: str) -> bool:
    """Whether a file of a board's data can be called so: no path, and nothing that a terminal understands."""
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name) is not None


def _refuse_another(job: Job, board: Chip, found: Found) -> None:
    """A board that is somebody else, by what is on it or by what the registry says of its MAC; a station that is on another board already."""
    target = job.target
    meant = f"give --replace if it is to become {target.name}"
    if found.name and found.name != target.name and not job.other_is_meant:
        raise InputError(f"{job.port}: this board is {found.name}, life {found.life}, not {target.name}; {meant}")
    if job.city is None:
        return
    known = job.city.known()
    rows = [row for row in job.city.rows() if row["what"] in WRITTEN]
    mine = [row for row in rows if row.get("mac") == board.mac]
    if mine and not job.other_is_meant:
        last = common_name(mine[-1]["district"], mine[-1]["node"])
        one = known.get(last)
        if last != target.name and one is not None and not one.revoked and one.life == mine[-1].get("life"):
            raise InputError(f"{job.port}: this board (MAC {board.mac}) was made {last} on {mine[-1]['when']}; {meant}")
    for row in rows:
        if row.get("life") == target.life and row.get("mac") != board.mac:
            raise InputError(
                f"{target.name} is on another board since {row['when']} (MAC {row.get('mac')}): no two have one identity; "
                f"waspada enrol {target.node} --district {target.district} --replace makes it anew"
            )


# The city


def _boots(job: Job) -> int:
    """Numbers of boots that this life may have used before."""
    if job.city is None:
        return 0
    return BOOTS * sum(row["what"] == WRITTEN[0] and row.get("life") == job.target.life for row in job.city.rows())


def _carry_over(job: Job, content: Callable[[str], bytes | None]) -> None:
    """Thresholds that were set in the field are the city's from now on, and on the board that comes."""
    found = contents.saved_settings(job.target, content)
    home = job.target.home
    if found is None or home is None or found[0] <= layout.read_settings(home)[0]:
        return
    layout.write_settings(home, *found)
    job.target.station["settings"] = {**job.target.station.get("settings", {}), **found[1]}
    job.tell(f"{job.port}: keeping the settings of the field, revision {found[0]}")


@contextlib.contextmanager
def _locked(city: City) -> Iterator[None]:
    """The city's lock, waited for a little: several boards are made ready at once."""
    deadline = time.monotonic() + LOCK_WITHIN_S
    with _one_at_a_time, contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(city.locked())
                break
            except InputError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        yield


def _register(job: Job, what: str, **more: Any) -> None:
    if job.city is not None:
        with _locked(job.city):
            job.city.record(what, job.target.district, job.target.node, datetime.datetime.now(datetime.UTC), **more)


def _record(job: Job, facts: dict[str, Any]) -> dict[str, str]:
    if job.city is None:
        return {}
    target = job.target
    row = City.row("commissioned", target.district, target.node, datetime.datetime.now(datetime.UTC))
    told = {"district": target.district, "node": target.node, "life": target.life, "certificate": target.serial,
            "when": row["when"], "who": row["who"], "application": {"version": VERSION, "sha256": job.app.sha256},
            "settings": target.station.get("settings", {}), **facts}  # fmt: skip
    with _locked(job.city):
        _, path = record.keep(job.city, target.district, target.node, told)
    return {"record": str(path)}


def _room(job: Job) -> None:
    """A disk that is full is better known before the board is empty."""
    places = [job.city.folder] if job.city else []
    for folder in [*places, *([job.save_first.parent] if job.save_first else [])]:
        if folder.exists() and shutil.disk_usage(folder).free < ROOM:
            raise InputError(f"{folder}: the disk is full; make {ROOM >> 20} MB free first, nothing was changed")


# The board


def save(job: Job, found: Found, names: list[str], fetch: Callable[[str, Path], object]) -> None:
    """Settings and journal into a folder of their own. What is secret on a board stays there."""
    assert job.save_first is not None
    if not found.name:
        if found.unclear:
            raise InputError(
                f"{job.port}: what is on it can't be read, so not saved; leave out --save-first to lose it"
            )
        job.tell(f"{job.port}: nothing is on it that could be saved")
        return
    kept = [name for name in names if name not in PRIVATE and is_file_name(name)]
    folder = job.save_first / f"{found.name}-{found.life}-{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}"
    try:
        folder.mkdir(parents=True)
        for name in kept:
            fetch(name, folder / name)
    except OSError as error:
        raise InputError(f"{folder}: the board's data can't be saved ({error.strerror}); nothing was changed") from None
    job.tell(f"{job.port}: {len(kept)} files of settings and journal are in {folder}")


def self_test(job: Job, name: str, life: str) -> tuple[str, dict[str, str]]:
    line, status = cable.self_test(job.port, name.rpartition(".")[2])
    said = (common_name(status.get("district", ""), status.get("node", "")), status.get("life", ""))
    if status and said != (name, life):
        raise cable.NotReadyError(
            f"{job.port}: the station says that it is {said[0]}, life {said[1]}, not {name}, life {life}"
        )
    if not line.endswith(" " + name.rpartition(".")[2]):
        raise cable.NotReadyError(f"{job.port}: {line!r}, not {name}")
    return line, status


def result(job: Job, line: str, files: dict[str, bytes], status: dict[str, str]) -> dict[str, Any]:
    return {"port": job.port, "station": job.target.node, "district": job.target.district, "life": job.target.life,
            "first_line": line, "status": status, "files": len(files), "bytes": sum(map(len, files.values()))}  # fmt: skip

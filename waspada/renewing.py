"""The application on a board renewed over the cable: into the slot that does not run, which then becomes the good one. Settings, journal and identity stay."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from node.core.slots import SLOTS
from simulator.errors import InputError
from waspada import cable, flashing
from waspada.flashing import Found, Job

BODIES = ("esp32", "linux")  # sys.platform of a board, and of the VM on a PC
OLDEST = (1, 25)
MPY = 6

LOOK = """
import sys, json, hashlib, binascii, os
def digest(name):
    try:
        return binascii.hexlify(hashlib.sha256(open(name, 'rb').read()).digest()).decode()
    except OSError:
        return ''
def size(name):
    return os.stat('data/' + name)[6]
print(sys.implementation.name, *sys.implementation.version[:2], sys.implementation._mpy & 255, sys.platform)
who = ''
for name in ('station.json', 'station.json.1'):
    try:
        s = json.load(open(name))
        who = who or ' '.join((s['district'], s['node'], s['life']))
    except Exception:
        pass
print(who)
print(digest('certs/node.der'))
try:
    from slots import State
    from storage import Storage
    good = State(Storage('data')).good
except Exception:
    good = 'a'
if sys.path[0][:5] in ('/run_', '/try_'):
    good = sys.path[0][5:]
print(good if digest(good + '/manifest') else '-')
try:
    print(*[name + '=' + str(size(name)) for name in os.listdir('data')])
except OSError:
    print('')
print(*[name + '=' + digest(name) for name in NAMES])
"""
CLEAR = """
import os
def clear(path):
    try:
        for entry in os.ilistdir(path):
            name = path + '/' + entry[0]
            if entry[1] & 0x4000:
                clear(name)
            else:
                os.remove(name)
        os.rmdir(path)
    except OSError:
        pass
"""
# What is written now goes beside the application that runs; only the last script makes it the one that starts.
BEFORE = "clear('SLOT')\nos.mkdir('SLOT')\n"
AFTER = (
    CLEAR
    + """
from slots import State
from storage import Storage
state = State(Storage('data'))
state.good, state.mode, state.failed, state.news = 'SLOT', '-', '-', '-'
state.save()
clear('node')
"""
)


def renew(job: Job) -> dict[str, Any]:
    """InputError: the board runs what it ran."""
    job.tell(f"{job.port}: waiting for MicroPython")
    cable.to_repl(job.port, job.target.pin)
    names = repr(sorted(job.app.beside))
    lines = [line.strip() for line in cable.mpremote(job.port, "exec", LOOK.replace("NAMES", names)).split("\n")]
    _check_micropython(job.port, lines[0])
    lines += [""] * 6
    there = sizes(lines[4])
    found = Found(*whose(lines[1]), lines[2], len(there), sum(there.values()))
    name, life = _checked(job, found)
    if job.save_first is not None:
        with job.transfer(), tempfile.TemporaryDirectory() as folder:
            cable.fetch(job.port, "data", [one for one in there if one not in flashing.PRIVATE], Path(folder))
            flashing.save(job, found, sorted(there), lambda one, to: to.write_bytes((Path(folder) / one).read_bytes()))
    slot = "b" if lines[3] == "a" else "a"  # not the one that runs, or would: that stays as the spare
    same = dict(word.partition("=")[::2] for word in lines[5].split())
    spare = () if lines[3] in SLOTS else ("b",)  # nothing was in a slot
    files = {f"{one}/{name}": content for one in (slot, *spare) for name, content in job.app.slot.items()}
    if job.city is None:
        files.update(job.target.own(life))
    files.update({one: content for one, content in job.app.beside.items()
                  if same.get(one) != hashlib.sha256(content).hexdigest()})  # fmt: skip
    job.tell(f"{job.port}: copying {len(files)} files, {sum(map(len, files.values()))} bytes")
    with tempfile.TemporaryDirectory() as folder, job.transfer():
        pairs = [(Path(folder) / str(number), one) for number, one in enumerate(files)]
        for path, one in pairs:
            path.write_bytes(files[one])
        before = CLEAR + "".join(BEFORE.replace("SLOT", one) for one in (slot, *spare))
        cable.put(job.port, before, pairs, AFTER.replace("SLOT", slot))
    job.tell(f"{job.port}: starting the station")
    cable.reset(job.port)
    line, status = flashing.self_test(job, name, life)
    return {**flashing.result(job, line, files, status), "life": life, "slot": slot, "image": None,
            "seconds": job.seconds()}  # fmt: skip


def whose(line: str) -> tuple[str, str]:
    """(name, life) of the station that a board says it is, "" where that can be none."""
    try:
        return flashing.named(*line.split())
    except (TypeError, ValueError):
        return "", ""


def sizes(line: str) -> dict[str, int]:
    """The files of a board's data that can be files."""
    words = (word.rpartition("=") for word in line.split())
    return {name: int(size) for name, _, size in words if flashing.is_file_name(name) and size.isdecimal()}


def _check_micropython(port: str, line: str) -> None:
    words = line.split()
    if len(words) != 5 or words[0] != "micropython" or words[4] not in BODIES:
        raise InputError(f"{port}: not an ESP32 with MicroPython ({line[:60]!r})")
    version = (int(words[1]), int(words[2]))
    if version < OLDEST or int(words[3]) != MPY:
        raise InputError(
            f"{port}: MicroPython {version[0]}.{version[1]} can't run this, 1.25 is needed: flash it without --app-only"
        )


def _checked(job: Job, found: Found) -> tuple[str, str]:
    """(name, life) of the station that is and stays on the board."""
    target = job.target
    if job.city is None:  # on a bench the station's description is renewed too; its life goes on
        return target.name, found.life or target.life
    if not found.name:
        raise InputError(f"{job.port}: no station is on this board: flash it without --app-only")
    if (found.name, found.life) != (target.name, target.life) or found.certificate != target.certificate:
        what = f"{found.name}, life {found.life}"
        same = (found.name, found.life) == (target.name, target.life)
        how = "with another certificate than the city's" if same else f"not {target.name}, life {target.life}"
        if not job.other_is_meant:
            raise InputError(
                f"{job.port}: this board is {what}, {how}; --replace renews its application all the same and leaves who it is"
            )
    return found.name, found.life

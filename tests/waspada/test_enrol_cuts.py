"""Enrolment cut off at every single write, rename and removal: by a full disk, by Ctrl-C, by the machine's power. The command given again makes it whole."""

import errno
import io
import json
import os
import shutil
from contextlib import redirect_stderr, redirect_stdout

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_private_key

from tests.waspada.city_desk import STATION, enrolled, files_of, new_city
from tests.waspada.test_enrol import home, serials, station_json
from waspada import cli
from waspada.city import City, write_settings

CALLS = ("open", "mkdir", "rename", "replace", "unlink", "rmdir", "fsync")


@pytest.fixture(autouse=True)
def no_wait_for_the_whole_machine(monkeypatch):
    """Everybody's files to the disk, a thousand times."""
    monkeypatch.setattr(os, "sync", lambda: None)


class PowerCut(BaseException):
    """Not an error that anything could answer."""


class Disk:
    """Counts what changes the disk, and fails from the `at`th on; `once`: only then."""

    def __init__(self, monkeypatch, at, error, once):
        self.count = 0
        self._at, self._error, self._once = at, error, once
        for name in CALLS:
            monkeypatch.setattr(os, name, self._counted(getattr(os, name), name))

    def _counted(self, real, name):
        def call(path, *more, **options):
            if name == "open" and not (more and more[0] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
                return real(path, *more, **options)
            self.count += 1
            if self._at is not None and (self.count == self._at or self.count > self._at and not self._once):
                raise self._error()
            return real(path, *more, **options)

        return call


def full():
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")


# what ends the command -> (the error, whether the disk works again after it)
ENDS = {"a full disk": (full, False), "Ctrl-C": (KeyboardInterrupt, True), "the power": (PowerCut, False)}

# the command -> (what comes before it, its words)
COMMANDS = {
    "the first of all": ((), ("dr01", "--station", STATION)),
    "one more": ((("dr01", "--station", STATION),), ("dr02", "--station", STATION)),
    "a new board": ((("dr01", "--station", STATION),), ("dr01", "--replace")),
    "a revocation": ((("dr01", "--station", STATION),), ("dr01", "--revoke")),
    "a new key for the gateway": ((("dr01", "--station", STATION),), ("--gateway", "--replace")),
    "one of a new district": ((("dr01", "--station", STATION),), ("dr01", "--station", STATION, "--district", "south")),
}


def run(city, words):
    out, err = io.StringIO(), io.StringIO()
    district = () if "--district" in words else ("--district", "demo")
    with redirect_stdout(out), redirect_stderr(err):
        code = cli.main(["enrol", *words, *district, "--city", str(city), "--json"])
    return code, json.loads(out.getvalue().splitlines()[-1])


def check(city):
    """Whatever happened: each identity is whole, and folder, registry, broker and list of revocations say the same of it."""
    known = City(city).known()
    users = set()
    for one in known.values():
        folder = City(city).home(one.district, one.node)
        pem = x509.load_pem_x509_certificate((folder / ("node.pem" if one.node else "gateway.pem")).read_bytes())
        assert f"{pem.serial_number:x}" == one.serial
        if one.revoked:
            assert one.serial in serials(city)
            assert not (folder / "node-key.der").exists()
            continue
        users.add(f"user serialNumber={one.serial},CN={one.name},O={one.district}")
        assert one.serial not in serials(city)
        if one.node:
            made = json.loads((folder / "station.json").read_text())
            assert made["life"] == one.life
            key = (folder / "node-key.der").read_bytes()
            assert load_der_private_key(key, None).public_key() == pem.public_key()
    acl = (city / "broker" / "acl").read_text()
    assert {line for line in acl.splitlines() if line.startswith("user")} == users
    left = [str(path) for path in city.rglob("*") if path.name.startswith((".new-", ".old-"))]
    assert not left
    names = {one.name for one in known.values() if one.node}
    assert {path.name for path in (city / "nodes").iterdir()} == names


def steps(tmp_path, before, words):
    """How many there are in the whole command."""
    city = new_city(tmp_path / "counted")
    for each in before:
        enrolled(city, *each)
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch, None, full, True)
        assert run(city, words)[0] == 0
        return disk.count


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_cut_off_can_be_given_again(tmp_path, command, end):
    """At every seventh step; each pair of command and end begins at another."""
    cut_off(tmp_path, command, end, 1 + (list(COMMANDS).index(command) * 3 + list(ENDS).index(end)) % 7, 7)


@pytest.mark.once
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_cut_off_at_any_step_can_be_given_again(tmp_path, command, end):
    cut_off(tmp_path, command, end, 1, 1)


def cut_off(tmp_path, command, end, first, stride):
    before, words = COMMANDS[command]
    error, once = ENDS[end]
    count = steps(tmp_path, before, words)
    assert count > 10
    template = new_city(tmp_path / "template")
    for each in before:
        enrolled(template, *each)
    if before:
        write_settings(home(template), 3, {"level.danger": 3100})
    for at in range(first, count + 1, stride):
        city = tmp_path / f"city{at}"
        shutil.copytree(template, city)
        with pytest.MonkeyPatch.context() as patch:
            Disk(patch, at, error, once)
            try:
                code = run(city, words)[0]
            except PowerCut:
                code = None
        if code == 0:  # only tidying was left
            check(city)
            continue
        assert code in (2, 130, None), at
        code, result = run(city, words)
        if code == 2 and "already" in result["error"]:
            assert City(city).known(), at  # it had counted when it was cut off
            City(city).mended()
        else:
            assert code == 0, (at, result)
        check(city)
        if before:
            assert (home(city) / "settings.json").exists()
        if "dr01" in words and "--replace" in words:
            assert station_json(city)["settings"]["level.danger"] == 3100
        shutil.rmtree(city)


def test_a_station_that_could_not_be_enrolled_is_in_nothing(tmp_path):
    """After a full disk that has room again for tidying: as if the command had never been given."""
    template = new_city(tmp_path / "template")
    enrolled(template, "dr01", "--station", STATION)
    before = files_of(template)
    words = ("dr02", "--station", STATION)
    refused = 0
    for at in range(1, steps(tmp_path, (("dr01", "--station", STATION),), words) + 1):
        city = tmp_path / "city"
        shutil.copytree(template, city)
        with pytest.MonkeyPatch.context() as patch:
            Disk(patch, at, full, True)
            code, result = run(city, words)
        if code == 0 or "demo.dr02" in City(city).known():
            check(city)  # only tidying was left
        else:
            refused += 1
            assert code == 2 and "No space left on device" in result["error"]
            now = {**files_of(city), "broker/waspada.conf": before["broker/waspada.conf"]}  # which says where it is
            assert not {name for name in {*now, *before} if now.get(name) != before.get(name)}, at
        shutil.rmtree(city)
    assert refused > 20


def test_a_registry_line_that_was_cut_off_never_counted(tmp_path):
    city = new_city(tmp_path / "city")
    enrolled(city, "dr01", "--station", STATION)
    whole = (city / "registry.jsonl").read_bytes()
    enrolled(city, "dr02", "--station", STATION)
    longer = (city / "registry.jsonl").read_bytes()
    for cut in range(len(whole), len(longer)):
        (city / "registry.jsonl").write_bytes(longer[:cut])
        assert set(City(city).known()) == {"gateway.demo", "demo.dr01"}
    assert run(city, ("dr02", "--station", STATION))[0] == 0
    check(city)

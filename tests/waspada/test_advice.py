"""What a person is told when a port, a deadline or a program is not what it must be."""

import argparse
import sys
from pathlib import Path

import pytest

from simulator.errors import InputError, are_not_installed, install_advice
from simulator.local_broker import free_port
from waspada import bench, console, demo
from waspada.cli import main


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("socket://x", "socket://x has no port; write socket://host:port"),
        ("rfc2217://:7", "has no host"),
        ("socket://x:99999", "1 to 65535"),
        (str(Path(__file__)), "is no serial port"),
        (str(Path(__file__).parent), "is no serial port"),
        ("/dev/ttyNONE9", "can't be opened; "),
    ],
)
def test_what_is_no_port_is_called_that(name, words):
    with pytest.raises(InputError) as refused:
        console.open_port(name)
    assert words in str(refused.value)


def test_a_refused_connection_is_not_a_port_in_use():
    where = f"127.0.0.1:{free_port()}"
    with pytest.raises(InputError, match=f"nobody listens at {where}"):
        console.open_port(f"socket://{where}")


@pytest.mark.parametrize("deadline", [0.0, -1.0, float("nan"), float("inf")])
def test_a_deadline_is_a_time_that_ends(deadline, capsys):
    assert main(["console", "socket://127.0.0.1:1", f"--deadline={deadline}"]) == 2
    assert "seconds above 0" in capsys.readouterr().err


def test_what_is_missing_is_listed_with_the_way_to_get_it():
    assert are_not_installed(["a"]) == "a is not installed"
    assert are_not_installed(["a", "b", "c"]) == "a, b and c are not installed"
    assert install_advice("flash").startswith(f"run {sys.executable} -m pip install -e '.[flash]' in ")


def test_bench_looks_for_what_it_needs_before_it_measures(monkeypatch):
    def absent():
        raise InputError("no VM")

    monkeypatch.setattr("simulator.runtimes.vm.program", absent)
    monkeypatch.setitem(bench.PARTS, "simulate", lambda progress: pytest.fail("measured"))
    with pytest.raises(InputError, match="the MicroPython VM is not installed"):
        bench.run(argparse.Namespace(part="simulate", readme=None, json=False))


def test_a_summary_names_what_was_wrong_and_when_the_broker_was_off():
    at = "2018-06-03T21:46:22Z"
    result = {
        **{"readings_made": 9, "readings_stored": 9, "lost": 0, "duplicates_stored": 0},
        **{"false_alarms": 1, "missed_alarms": 1},
        "broker_off": [{"from": "2018-06-03T21:00:00Z", "to": "2018-06-03T23:00:00Z"}],
        "wrong": [
            {"what": "false", "node": "dr02", "level": "alert", "at": at},
            {"what": "missed", "node": "dr03", "level": "danger", "at": at},
        ],
        "alarms": [{"node": "dr01", "level": "danger", "crossed_at": at, "siren_at": at, "stored_at": at}],
    }
    said = demo._summary(result, balanced=False, with_stored=False)
    assert "0 lost" in said and "1 missed, 1 false alarm\n" in said
    assert "the broker was off 21:00-23:00 of the flood, as planned: what was measured then was stored" in said
    assert f"dr02 alert    {at}  FALSE ALARM" in said and f"dr03 danger   {at}  MISSED" in said
    assert " stored " + at not in said
    assert " stored " + at in demo._summary(result, balanced=False, with_stored=True)

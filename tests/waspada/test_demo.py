"""First light, as a person sees it: `waspada demo --headless` on both brokers, and with thresholds mis-set on purpose."""

import json
import subprocess
import sys

import pytest

KEYS = (
    "readings_made readings_stored lost duplicates_stored false_alarms missed_alarms wall_s alarms".split()
)  # DESIGN, results a machine reads
WITHIN_S = 280


def demo(*arguments: str) -> tuple[int, dict]:
    command = [sys.executable, "-m", "waspada", "demo", "--headless", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("broker", ["mosquitto", "embedded"])
def test_the_books_balance_on_both_brokers(broker):
    code, result = demo("--broker", broker)
    assert code == 0
    assert set(KEYS) <= set(result)
    assert result["broker"] == broker
    assert result["readings_made"] == result["readings_stored"] > 40_000
    for key in ("lost", "duplicates_stored", "false_alarms", "missed_alarms"):
        assert result[key] == 0, key
    assert result["stations_on_page"] == 12
    assert {alarm["level"] for alarm in result["alarms"]} == {"alert", "warning", "danger"}
    for alarm in result["alarms"]:
        assert alarm["siren_at"], alarm
        assert alarm["stored_at"], alarm


def test_thresholds_set_too_low_and_too_high_are_found():
    code, result = demo("--planted")
    assert code == 1
    assert result["false_alarms"] > 0
    assert result["missed_alarms"] > 0
    assert result["lost"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--minutes", "0"], "0.1 to 600"), (["--seed", "-1"], "0 and more"), (["--broker", "emqx"], "invalid choice")],
)
def test_unusable_arguments_are_one_sentence_and_exit_2(arguments, words):
    command = [sys.executable, "-m", "waspada", "demo", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1

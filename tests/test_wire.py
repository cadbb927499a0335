"""docs/wire.md is a test: the firmware encodes its examples to the byte, on both interpreters."""

import json
import re
from pathlib import Path

from node.core import settings as S
from tests import wire_cases
from tests.vm64 import run as run_in_vm

ROOT = Path(__file__).parent.parent
EXAMPLES = re.findall(r"```json\n(.*?)\n```", (ROOT / "docs" / "wire.md").read_text(), re.S)
PACKS = [example for example in EXAMPLES if example.startswith("[")]


def test_cpython_encodes_every_example_of_the_wire_page():
    assert list(wire_cases.packs()) == PACKS


def test_the_real_vm_encodes_every_example_of_the_wire_page():
    script = (ROOT / "tests" / "wire_cases.py").read_text()
    assert run_in_vm(script, path=[ROOT / "firmware"]).splitlines() == PACKS


def test_a_wrong_value_would_be_noticed():
    record = wire_cases.RECORDS[0]
    assert '"v":1.254,' in PACKS[0] and record[7][0][2] == 1254, "the table and the page hold the same value apart"


def test_settings_message_lists_keys_in_the_order_of_the_table():
    message = json.loads(S.Settings({"level.danger": 1200}).json("5eed0001"))
    example = json.loads(next(e for e in EXAMPLES if '"values"' in e))
    assert list(message) == list(example)
    assert list(message["values"]) == [row[0] for row in S.ROWS]
    assert list(example["values"]) == [row[0] for row in S.ROWS[:3]]
    assert message["values"]["level.danger"] == example["values"]["level.danger"] == 1.2


def test_every_example_is_canonical_json_without_white_space():
    for example in EXAMPLES:
        assert json.dumps(json.loads(example), separators=(",", ":")) in (example, example.replace(".0,", ","))

"""docs/security.md and SECURITY.md say what is there: all thirteen provisions, tests that exist, fuses that espefuse knows."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import sources

PAGE = "docs/security.md"
PROVISIONS = 13  # of ETSI EN 303 645, 5.1 to 5.13
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
CALL = re.compile(r"`?(tests/[^`\s]*::[^`\s]*)")
HEADING = re.compile(r"^### 5\.(\d+) (.+)$", re.MULTILINE)
STATES = re.compile(r"\*\*(met|in part|not met)\b[^*]*\*\*")
# What a secret of an enrolled station would look like in a file that every board gets.
SECRET = re.compile(
    r"-----BEGIN|PRIVATE KEY|(?:password|passwd|psk|secret|api_?key)\s*=\s*[\"'][^\"']+[\"']", re.IGNORECASE
)


def missing(page: str) -> list[str]:
    """Tests that a page names and nobody has written."""
    found = TEST.findall(page)
    wrong = [name for name in CALL.findall(page) if tuple(name.split("::")) not in found]
    for path, name in found:
        if not (sources.ROOT / path).is_file():
            wrong.append(f"{path}: no such file")
        elif name not in {node.name for node in ast.walk(sources.tree(path)) if isinstance(node, ast.FunctionDef)}:
            wrong.append(f"{path}::{name}: no such test")
    return wrong


def sections(page: str) -> dict[int, str]:
    parts = HEADING.split(page)[1:]
    return {int(parts[at]): parts[at + 2].split("\n## ")[0] for at in range(0, len(parts), 3)}


def fuses(page: str) -> list[list[str]]:
    """The command lines of the page's block about fuses."""
    block = next(part for part in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if "espefuse" in part)
    return [line.split() for line in block.strip().splitlines()]


def test_every_test_that_the_page_names_exists() -> None:
    page = sources.text(PAGE)
    assert len(TEST.findall(page)) > 50
    wrong = missing(page)
    assert not wrong, "\n" + "\n".join(wrong)


def test_a_test_that_is_not_there_is_found() -> None:
    assert missing("`tests/house/test_security_page.py::test_nothing_of_the_kind`")
    assert missing("`tests/house/test_nowhere.py::test_a_b_c`")
    assert missing("`tests/house/rules.py::Rule`")
    assert not missing("`tests/house/test_security_page.py::test_a_test_that_is_not_there_is_found`")


def test_all_thirteen_provisions_are_there_and_each_is_answered() -> None:
    found = sections(sources.text(PAGE))
    assert sorted(found) == list(range(1, PROVISIONS + 1))
    for number, text in found.items():
        lines = [line for line in text.splitlines() if line.startswith("- 5.")]
        assert lines, f"5.{number} has no line of its own"
        for line in lines:
            assert line.startswith(f"- 5.{number}-"), line
            assert STATES.search(line), f"{line}: say met, in part or not met"
        assert TEST.search(text), f"5.{number}: no test shows any of it"


def test_what_is_met_by_code_names_a_test() -> None:
    for line in sources.text(PAGE).splitlines():
        states = STATES.findall(line)
        if line.startswith("- 5.") and states == ["met"] and "](" not in line:
            assert TEST.search(line), f"{line}: met, and shown by what?"


@pytest.mark.parametrize(
    "who",
    [
        "passer-by",
        "thief of a board",
        "on the network",
        "lying time server",
        "compromised station",
        "stolen city folder",
    ],
)
def test_the_threat_model_has_each_attacker_with_what_he_can_and_can_not(who: str) -> None:
    row = next(line for line in sources.text(PAGE).splitlines() if line.startswith("|") and who in line)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == 3 and all(len(cell) > 20 for cell in cells[1:]), row


def test_the_policy_says_where_to_report_and_by_when_one_is_answered() -> None:
    text = sources.text("SECURITY.md")
    for said in ("Report a vulnerability", "within a week", "newest version", "docs/security.md"):
        assert said in text, said


def test_no_secret_is_in_the_firmware_that_every_board_gets() -> None:
    for name in sources.python("firmware/"):
        for number, line in enumerate(sources.text(name).splitlines(), 1):
            assert not SECRET.search(line), f"{name}:{number}: {line.strip()}"
    assert SECRET.search('key = "-----BEGIN PRIVATE KEY-----"') and SECRET.search("PASSWORD = 'letmein'")


def test_the_documented_fuses_are_burnt_on_a_chip_that_does_not_exist(tmp_path: Path) -> None:
    """By the real espefuse and espsecure, the chip being a file."""
    virtual = ["--chip", "esp32", "--virt", "--path-efuse-file", "fuses.bin", "--do-not-confirm"]
    for program, *words in fuses(sources.text(PAGE)):
        command = [sys.executable, "-m", program, *(virtual if program == "espefuse" else []), *words]
        if "--port" in command:
            del command[command.index("--port") : command.index("--port") + 2]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    command = [sys.executable, "-m", "espefuse", *virtual, "summary", "--format", "json", "--file", "summary.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    told = json.loads((tmp_path / "summary.json").read_text())
    for name, value in {
        "FLASH_CRYPT_CNT": 127,
        "ABS_DONE_1": True,
        "UART_DOWNLOAD_DIS": True,
        "DISABLE_DL_DECRYPT": True,
    }.items():
        assert told[name]["value"] == value, told[name]
    assert not told["BLOCK1"]["readable"] and told["BLOCK2"]["readable"], "the key is the chip's own, the digest is not"

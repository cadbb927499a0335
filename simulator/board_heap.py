"""What main.py and the board's adapters take of a 32-bit heap: the real modules on stand-ins for the chip's own, which the VM on a PC has not."""

from pathlib import Path
from typing import Any

from simulator.errors import InputError
from simulator.firmware_figures import STATION_SCRIPT, in_the_32_bit_vm, mpy

FIRMWARE = Path(__file__).parents[1] / "firmware"
_CLASS = "class {}:\n    def __init__(self, *a, **k):\n        pass\n"
# Only what is touched while modules load: names, and classes without a body.
STAND_INS = {
    "machine.py": "PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5\ndef reset_cause():\n    return 1\n"
    + "".join(_CLASS.format(name) for name in ("Pin", "UART", "ADC", "RTC", "WDT", "I2C", "SoftI2C")),
    "network.py": "STA_IF = 0\n" + _CLASS.format("WLAN"),
    "esp32.py": _CLASS.format("Partition"),
    "select.py": "POLLIN, POLLOUT, POLLERR, POLLHUP = 1, 4, 8, 16\n" + _CLASS.format("poll"),
    "socket.py": "AF_INET, SOCK_STREAM, SOCK_DGRAM = 2, 1, 2\n" + _CLASS.format("socket"),
    "tls.py": "CERT_REQUIRED, PROTOCOL_TLS_CLIENT = 2, 0\n" + _CLASS.format("SSLContext"),
}
_PARTS = [
    "import machine, network, select, socket, tls, esp32, io, json, os, time\nports = Ports()\ngc.collect()",
    "app = make(ports)\ngc.collect()",
    "now = run(app, 0, 400)\ngc.collect()",
    "before = gc.mem_alloc()\nimport outer\ngc.collect()",
    "print(gc.mem_alloc() - before)\nif outer.broken: raise outer.broken\nbefore = gc.mem_alloc()\nfrom node.esp32 import secure\ngc.collect()",
    "print(gc.mem_alloc() - before)",
]


def adapters(files: dict[str, bytes]) -> dict[str, int] | None:
    """Bytes beside a connected river gauge: `adapters` (with main.py), `tls` (our own part of it). None where that VM is not installed."""
    all_files = dict(files)
    for path in sorted((FIRMWARE / "node" / "esp32").glob("*.py")):
        name = path.relative_to(FIRMWARE).as_posix()
        all_files[name.removesuffix(".py") + ".mpy"] = mpy(path, name)
    all_files["outer.mpy"] = mpy(FIRMWARE / "main.py", "outer.py")
    all_files |= {name: text.encode() for name, text in STAND_INS.items()}
    said = in_the_32_bit_vm([STATION_SCRIPT.read_text(encoding="utf-8"), *_PARTS], all_files)
    if said is None:
        return None
    try:
        found: Any = dict(zip(("adapters", "tls"), map(int, said.split()), strict=True))
    except ValueError:
        raise InputError(f"the 32-bit VM said something else than two numbers: {said[:200]}") from None
    return dict(found)

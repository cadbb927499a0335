"""The board's own adapters (firmware/node/esp32) made of a compiled station, over a `machine` that only writes down which pin they take and for what."""

import contextlib
import sys
import time
from types import ModuleType, SimpleNamespace


class Pin:
    IN, OUT, OPEN_DRAIN, PULL_UP, IRQ_FALLING = range(5)

    def __init__(self, number, mode=None, pull=None, value=None, hold=None):
        assert type(number) is int, number
        self.number = number
        if mode in (Pin.OUT, Pin.OPEN_DRAIN) or pull == Pin.PULL_UP:
            Claims.now.add((number, "output"))

    def value(self, value=None):
        return 1

    def irq(self, *_, **__):
        pass


class Claims:
    now: set = set()


def _uart(number, **given):
    Claims.now |= {(given["rx"], "input"), (given["tx"], "output")}
    return SimpleNamespace(any=lambda: 0, readinto=lambda buffer: 0, write=lambda data: None, init=lambda **_: None)


def _i2c(number, **given):
    Claims.now |= {(given[line].number, "output") for line in ("scl", "sda")}


def _adc(pin):
    Claims.now.add((pin.number, "adc"))
    return SimpleNamespace(atten=lambda _: None, read_uv=lambda: 0)


_adc.ATTN_11DB = 3


def _onewire(pin):
    Claims.now.add((pin.number, "output"))


def _lan(number=0, **given):
    Claims.now |= {(pin.number, "output") for pin in given.values() if isinstance(pin, Pin)}
    return SimpleNamespace(
        active=lambda *_: False, isconnected=lambda: False, config=lambda *_, **__: None, ifconfig=lambda *_: ("",) * 4
    )


class _Network(ModuleType):
    LAN = staticmethod(_lan)

    def __getattr__(self, name):
        if name.startswith(("PHY_", "ETH_")):
            return name
        raise AttributeError(name)


@contextlib.contextmanager
def board():
    """`machine`, `network` and `onewire` are these, and the adapters are imported over them."""
    machine, onewire = ModuleType("machine"), ModuleType("onewire")
    machine.Pin, machine.UART, machine.I2C, machine.ADC, onewire.OneWire = Pin, _uart, _i2c, _adc, _onewire
    ours = {"machine": machine, "onewire": onewire, "network": _Network("network")}
    kept = {name: module for name, module in sys.modules.items() if name in ours or name.startswith("node.esp32")}
    for name in kept:
        del sys.modules[name]
    sys.modules.update(ours)
    had = {name: hasattr(time, name) for name in ("sleep_us", "sleep_ms", "ticks_ms")}
    for name, there in had.items():
        if not there:
            setattr(time, name, lambda *_: 0)
    try:
        yield
    finally:
        for name, there in had.items():
            if not there:
                delattr(time, name)
        for name in [name for name in sys.modules if name in ours or name.startswith("node.esp32")]:
            del sys.modules[name]
        sys.modules.update(kept)


def claims(station):
    """By bus, output, `lan` and `lte`: the (pin, use) that the firmware takes for it. A siren's use is `switched`."""
    from node.esp32 import buses, outputs

    found = {}
    for name, row in station["pins"].items():
        Claims.now = found[name] = set()
        made = outputs.build({name: row}) if row["kind"] == "output" else buses.build({name: row})
        assert list(made) == [name]
        found[name] |= {(pin, "switched") for pin, _ in found[name] if row["kind"] == "output"}
    if station.get("access") == "lan":
        from node.esp32.access_lan import Lan

        Claims.now = found["lan"] = {(pin, "output") for pin in (19, 21, 22, 25, 26, 27)}  # the MAC's own
        Lan(station["lan"]).begin(0)
    if station.get("access") == "lte":
        from node.esp32.access_lte import Lte

        Claims.now = found["lte"] = set()
        Lte(SimpleNamespace(ticks_ms=lambda: 0), station["lte"], 1)
    return found

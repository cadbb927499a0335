"""A compiled station's world with nothing in it: every bus answers nothing, storage is a dict."""

from types import SimpleNamespace

from tests.core.failing_storage import Storage

BUSES = {
    "uart": {"open": lambda: None, "close": lambda: None, "read_into": lambda buffer: 0, "write": lambda data: None},
    "onewire": {"reset": lambda: 0, "write": lambda byte: None, "read": lambda: 255},
    "adc": {"read_uv": lambda: 2210000},
    "pulses": {"count": lambda: 0, "counted_ms": 0},
    "switch": {"closed": lambda: 0},
}


def _nobody(*_):
    raise OSError(19, "nobody answers")


def ports(station):
    """Ports for `node.app.App`."""
    kinds = {**BUSES, "i2c": {"write": _nobody, "read_into": _nobody}}
    pins = station["pins"]
    return SimpleNamespace(
        clock=SimpleNamespace(unix_ms=lambda: None),
        buses={name: SimpleNamespace(**kinds[row["kind"]]) for name, row in pins.items() if row["kind"] != "output"},
        outputs={name: SimpleNamespace(set=lambda on: None) for name, row in pins.items() if row["kind"] == "output"},
        storage=Storage(),
        link=SimpleNamespace(open=lambda: None, close=lambda: None, state=lambda: 0),
        console=SimpleNamespace(read_into=lambda buffer: 0, write=lambda data: None),
    )


def turn(app, steps=40):
    """So many steps of it, each when it asks for it."""
    now = 1000
    for _ in range(steps):
        now += max(1, app.step(now))

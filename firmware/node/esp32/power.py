"""Deep sleep: why the chip booted, what its RTC memory kept, and sleeping itself. A rain gauge's tips wake the chip by ext0 and are counted there.

`begin` runs before the station's modules are loaded: a tip that woke the chip is counted and, if that was all, the chip sleeps on at once. Between the wake and
`begin` no code of ours runs and no interrupt counts; then the pin is read: closed there is another tip, since the one that woke the chip is over.
Nothing here was tried on a chip. The contact wants a pull-up of its own (100 kOhm) and a pin that ext0 can watch: which, the chip's image knows.
"""

import binascii
import struct
import time

import esp32
import machine
from machine import Pin

from node.core.tips import Tips

_HEAD = "<4sqqIhI"  # mark, kept at, until, tips, their pin (-1: none), CRC-32; times in ms of the clock that goes on in sleep
_HEAD_SIZE = 30
_MARK = b"WPS1"
_MASK = (1 << 30) - 1
_OPENS_MS = 1000  # a contact that is closed for longer is stuck: the next sleep ends by the timer alone
_WORTH_MS = 500
_DEBOUNCE_MS = 100
_CAUSES = {
    machine.PWRON_RESET: "power", machine.HARD_RESET: "hard", machine.WDT_RESET: "watchdog", machine.SOFT_RESET: "soft",
    machine.DEEPSLEEP_RESET: "sleep",
}  # fmt: skip


def _now_ms() -> int:
    return time.time_ns() // 1000000


def _read():
    """(kept at, until, tips, pin), None when there is nothing."""
    data = machine.RTC().memory()
    if len(data) < _HEAD_SIZE:
        return None
    mark, kept, until, tips, pin, crc = struct.unpack(_HEAD, data[:_HEAD_SIZE])
    if mark != _MARK or binascii.crc32(data[: _HEAD_SIZE - 4]) & 0xFFFFFFFF != crc:
        return None
    return kept, until, tips, pin


def _write(kept: int, until: int, tips: int, pin: int, data) -> None:
    head = struct.pack("<4sqqIh", _MARK, kept, until, tips, pin)
    machine.RTC().memory(head + struct.pack("<I", binascii.crc32(head) & 0xFFFFFFFF) + data)


class _Early:
    """Counts from `begin` on, until the bus takes over."""

    def __init__(self, number: int, count: int):
        self.pin = Pin(number, Pin.IN, Pin.PULL_UP)
        self.number = number
        self.tips = Tips(_DEBOUNCE_MS)
        self.tips.count = count
        self.pin.irq(self._edge, Pin.IRQ_FALLING)

    def _edge(self, _pin) -> None:
        self.tips.edge(time.ticks_ms() & _MASK)

    def opens(self) -> bool:
        """Waits for the contact that woke the chip; it opens within 150 ms."""
        for _ in range(_OPENS_MS // 5):
            if self.pin.value():
                return True
            time.sleep_ms(5)
        return False


def begin():
    """What counts from here on, None where nothing does. Does not return when a tip woke the chip and nothing else is due."""
    if machine.reset_cause() != machine.DEEPSLEEP_RESET:
        return None
    head = _read()
    if not head or head[3] < 0:
        return None
    kept, until, count, number = head
    by_tip = machine.wake_reason() == machine.EXT0_WAKE
    early = _Early(number, count)
    if by_tip:
        early.tips.edge(0)
    if not early.pin.value():
        early.tips.edge(_DEBOUNCE_MS)
    if by_tip:
        opened = early.opens()
        left = until - _now_ms()
        if left > _WORTH_MS:
            _write(kept, until, early.tips.count, number, machine.RTC().memory()[_HEAD_SIZE:])
            _doze(early.pin if opened else None, left)
    return early


def _doze(contact, ms: int) -> None:
    esp32.wake_on_ext0(contact, esp32.WAKEUP_ALL_LOW)
    machine.deepsleep(ms)


def build(pins: dict, early=None, lte=None):
    """None where sleeping would cost what it can't count. Whether ext0 watches a pin depends on the chip, and its image refuses all others; it watches one."""
    counted = [row["pin"] for row in pins.values() if row["kind"] == "pulses"]
    if len(counted) > 1:
        return None
    for number in counted:
        try:
            esp32.wake_on_ext0(Pin(number), esp32.WAKEUP_ALL_LOW)
        except ValueError:
            return None
    return Power(pins, early, lte or {})


class Power:
    """To be made before the clock, which sets the time that sleep is measured by; and before the buses, whose pulses go on from here."""

    def __init__(self, pins: dict, early, lte: dict):
        """`early`: what `begin` gave."""
        self._pins = pins
        self._lte = lte
        self._cause = _CAUSES.get(machine.reset_cause(), "unknown")
        self._at = time.ticks_ms()
        head = _read() if self._cause == "sleep" else None
        self._slept = _now_ms() - head[0] if head else 0
        self._memory = machine.RTC().memory()[_HEAD_SIZE:] if head else b""
        self._pulses = ""
        for name in sorted(pins):
            if pins[name]["kind"] == "pulses" and not self._pulses:
                self._pulses = name
        if head and self._pulses:
            pins[self._pulses]["counted"] = early.tips.count if early else head[2]
        self._release()

    def _release(self):
        for number, level in self._held():
            Pin(number, Pin.OUT, value=level, hold=False)  # type: ignore[call-arg]

    def cause(self) -> str:
        return self._cause

    def memory(self) -> bytes:
        return self._memory

    def slept_ms(self) -> int:
        """Since `keep`, this boot included. The clock of deep sleep is right to 5 %."""
        return self._slept + time.ticks_diff(time.ticks_ms(), self._at)

    def keep(self, data: bytes) -> None:
        self._slept = 0
        self._at = time.ticks_ms()
        self._memory = data
        _write(_now_ms(), 0, 0, -1, data)

    def doze(self, ms: int, buses: dict) -> None:
        """Deep sleep behind `keep`. Does not return."""
        contact = None
        number = -1
        count = 0
        if self._pulses:
            number = self._pins[self._pulses]["pin"]
            contact = Pin(number, Pin.IN, Pin.PULL_UP)
            count = buses[self._pulses].count()
            if not contact.value():
                contact = None  # else it would wake at once, again and again
        now = _now_ms()
        _write(now, now + ms, count, number, self._memory)
        try:
            for held, level in self._held():
                Pin(held, Pin.OUT, value=level, hold=True)  # type: ignore[call-arg]
            esp32.gpio_deep_sleep_hold(True)
            _doze(contact, ms)
        finally:  # it does not sleep: a siren that is held would be silent while the station is awake
            esp32.gpio_deep_sleep_hold(False)
            self._release()

    def _held(self):
        """(pin, level): siren, strobe and whatever switches power are low as long as nobody drives them. A modem stays on the network: off, it would
        take a minute at each time of the radio; and a wake pulls its reset up, unless it is held.
        """
        found = []
        for name in sorted(self._pins):
            row = self._pins[name]
            if row["kind"] == "output":
                found.append((row["pin"], 0))
            elif "power" in row:
                found.append((row["power"], 0))
        for number in self._lte.get("low", ()):
            found.append((number, 0))
        if "power" in self._lte:
            found.append((self._lte["power"], 0))
        if "supply" in self._lte:
            found.append((self._lte["supply"], 1))
        return found

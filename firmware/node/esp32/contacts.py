"""Contacts to ground on pins that are pulled up: one that is counted, one that is looked at."""

import time

from machine import Pin

from node.core.tips import Tips

_MASK = (1 << 30) - 1  # worked out here: 2**30 is no small int, and taking 1 from it in the interrupt would allocate
_DEBOUNCE_MS = 100  # a bucket takes longer to tip back; a reed bounces for a few ms


class Pulses:
    def __init__(self, pins: dict):
        """`pins`: pin and, if it is not 100, debounce_ms."""
        self._tips = Tips(pins.get("debounce_ms", _DEBOUNCE_MS))
        self._tips.count = pins.get("counted", 0)  # by the sleep that this boot ended
        self._pin = Pin(pins["pin"], Pin.IN, Pin.PULL_UP)
        self._pin.irq(self._edge, Pin.IRQ_FALLING)
        self.counted_ms = 0

    def _edge(self, _pin) -> None:
        self._tips.edge(time.ticks_ms() & _MASK)

    def count(self) -> int:
        self.counted_ms = time.ticks_ms() & _MASK
        return self._tips.count


class Switch:
    def __init__(self, pins: dict):
        self._pin = Pin(pins["pin"], Pin.IN, Pin.PULL_UP)

    def closed(self) -> int:
        return 0 if self._pin.value() else 1

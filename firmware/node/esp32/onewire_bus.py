"""A 1-Wire bus by the image's own `onewire`: a byte takes half a millisecond, within which the pin's timing is the chip's."""

from machine import Pin
from onewire import OneWire


class OneWireBus:
    def __init__(self, pins: dict):
        self._wire = OneWire(Pin(pins["pin"]))

    def reset(self) -> int:
        return 1 if self._wire.reset() else 0

    def write(self, byte: int) -> None:
        self._wire.writebyte(byte)

    def read(self) -> int:
        return self._wire.readbyte()

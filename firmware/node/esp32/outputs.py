"""Siren and strobe: low from the moment they exist."""

from machine import Pin

NAMES = ("siren", "strobe")


class Output:
    def __init__(self, pin: int):
        self._pin = Pin(pin, Pin.OUT, value=0)

    def set(self, on: int) -> None:
        self._pin.value(on)


def build(pins: dict) -> dict:
    outputs: dict = {}
    for name in NAMES:
        if name in pins:
            outputs[name] = Output(pins[name]["pin"])
    return outputs

"""Siren, strobe and whatever else is switched: low from the moment they exist, and let go of by the sleep that this boot may have ended."""

from machine import Pin


class Output:
    def __init__(self, pin: int):
        self._pin = Pin(pin, Pin.OUT, value=0, hold=False)  # type: ignore[call-arg]

    def set(self, on: int) -> None:
        self._pin.value(on)


def build(pins: dict) -> dict:
    outputs: dict = {}
    for name in pins:
        if pins[name]["kind"] == "output":
            outputs[name] = Output(pins[name]["pin"])
    return outputs

"""The board's buses: UARTs and ADC pins here, the others in files of their own, which only a station that has them loads."""

from machine import ADC, UART, Pin


class SerialBus:
    """A UART whose sensor may be switched."""

    def __init__(self, number: int, pins: dict):
        """`pins`: rx, tx, baud; parity (0 even, 1 odd) and stop where they are not none and 1; power where the sensor is switched."""
        self._power = None
        if "power" in pins:
            self._power = Pin(pins["power"], Pin.OUT, value=0, hold=False)  # type: ignore[call-arg]
        self._scratch = bytearray(64)
        # timeout 0: reads give what is there. 256 bytes hold a quarter of a second at 9600 baud.
        self._uart = UART(
            number,
            baudrate=pins.get("baud", 9600),
            parity=pins.get("parity"),
            stop=pins.get("stop", 1),
            rx=pins["rx"],
            tx=pins["tx"],
            rxbuf=256,
            timeout=0,
        )

    def open(self) -> None:
        if self._power:
            self._power.value(1)
        while self._uart.any():  # an unpowered sensor's line floats and leaves noise
            self._uart.readinto(self._scratch)

    def close(self) -> None:
        if self._power:
            self._power.value(0)

    def read_into(self, buffer) -> int:
        return self._uart.readinto(buffer) or 0

    def write(self, data) -> None:
        self._uart.write(data)


class AnalogPin:
    def __init__(self, pins: dict):
        self._adc = ADC(Pin(pins["pin"]))
        self._adc.atten(ADC.ATTN_11DB)  # up to about 3.1 V at the pin

    def read_uv(self) -> int:
        return self._adc.read_uv()


def _bus(kind: str, name: str, pins: dict):
    """None for what is no bus; the number of a UART or I2C is the last digit of its name."""
    if kind == "uart":
        return SerialBus(int(name[-1]), pins)
    if kind == "adc":
        return AnalogPin(pins)
    if kind == "i2c":
        from node.esp32.i2c import I2CBus

        return I2CBus(int(name[-1]), pins)
    if kind == "onewire":
        from node.esp32.onewire_bus import OneWireBus

        return OneWireBus(pins)
    if kind == "pulses":
        from node.esp32.contacts import Pulses

        return Pulses(pins)
    if kind == "switch":
        from node.esp32.contacts import Switch

        return Switch(pins)
    return None


def build(pins: dict) -> dict:
    """The buses that `pins` names (docs/ports.md)."""
    buses: dict = {}
    for name in pins:
        bus = _bus(pins[name]["kind"], name, pins[name])
        if bus:
            buses[name] = bus
    return buses

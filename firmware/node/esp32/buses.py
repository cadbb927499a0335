"""The board's buses: a UART whose sensor may be switched, an ADC pin."""

from machine import ADC, UART, Pin


class SerialBus:
    def __init__(self, number: int, pins: dict):
        """`pins`: rx, tx, baud and, where the sensor is switched, power."""
        self._power = Pin(pins["power"], Pin.OUT, value=0) if "power" in pins else None
        self._scratch = bytearray(64)
        # timeout 0: reads give what is there. 256 bytes hold a quarter of a second at 9600 baud.
        self._uart = UART(number, baudrate=pins.get("baud", 9600), rx=pins["rx"], tx=pins["tx"], rxbuf=256, timeout=0)

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


def build(pins: dict) -> dict:
    """The buses that `pins` names: `uart1` is UART 1, `adc1` an ADC pin."""
    buses: dict = {}
    for name in pins:
        if name.startswith("uart"):
            buses[name] = SerialBus(int(name[4:]), pins[name])
        elif name.startswith("adc"):
            buses[name] = AnalogPin(pins[name])
    return buses

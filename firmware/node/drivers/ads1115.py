"""TI ADS1115: four 16-bit analogue inputs, I2C 0x48 to 0x4B. Datasheet SBAS444, 8.1 registers, 7.4.2.1 single-shot.

One conversion at a time: the config register starts it and afterwards says whether it is done. The chip has no id: that this register reads
back as it was written is what tells it from another chip, and from itself after a power failure (it wakes with 8583). The data has no checksum.
A result at the end of its range (7FFF, 8000) is not a voltage: MISSING.
"""

from node.core.measurements import MISSING, NO_ANSWER
from node.drivers import roles

# As the multiplexer counts them; one number is against ground.
INPUTS = ("0-1", "0-3", "1-3", "2-3", "0", "1", "2", "3")
RANGES_MV = (6144, 4096, 2048, 1024, 512, 256)

_SINGLE = 0x8183  # start, single-shot, 128 a second, comparator off
_DONE = 0x80
_CONVERT_MS = 9  # 7.8, and the oscillator may be 10 % slow
_AGAIN_MS = 2
_LOOKS = 5
_CONVERSION = b"\x00"
_CONFIG = b"\x01"


def setup(wanted: str, range_mv: int) -> int:
    """The config register that converts this input once. ValueError where there is no such input or range."""
    if wanted not in INPUTS or range_mv not in RANGES_MV:
        raise ValueError("ads1115: no input %s of %s mV; there are %s and %s" % (wanted, range_mv, INPUTS, RANGES_MV))
    return _SINGLE | INPUTS.index(wanted) << 12 | RANGES_MV.index(range_mv) << 9


def convert_uv(raw: int, range_mv: int) -> int:
    """Microvolts of a conversion register, rounded; MISSING at either end of the range."""
    if raw & 0x8000:
        raw -= 0x10000
    if raw == 0x7FFF or raw == -0x8000:
        return MISSING
    return ((range_mv >> 8) * 125 * raw + 8) >> 4  # range / 32768; no product leaves the small ints


class OneShot:
    """One conversion: `begin`, then `look` until it is not above 0; `uv` then holds it. Allocates nothing: a siren may hang on it."""

    def __init__(self, bus, address: int):
        self._bus = bus
        self._address = address
        self._command = bytearray(3)
        self._command[0] = 1
        self._pair = bytearray(2)
        self._range_mv = 0
        self._looks = 0
        self.uv = MISSING

    def begin(self, config: int, range_mv: int) -> int:
        self._command[1] = config >> 8
        self._command[2] = config & 0xFF
        self._range_mv = range_mv
        self._looks = 0
        self.uv = MISSING
        self._bus.write(self._address, self._command)
        return _CONVERT_MS

    def look(self) -> int:
        """0: done; above: look again after so many ms; below: minus a reason."""
        pair = self._pair
        command = self._command
        self._bus.write(self._address, _CONFIG)
        self._bus.read_into(self._address, pair)
        if (pair[0] ^ command[1]) & 0x7F or pair[1] != command[2]:
            return -NO_ANSWER
        if not pair[0] & _DONE:
            self._looks += 1
            return _AGAIN_MS if self._looks < _LOOKS else -NO_ANSWER
        self._bus.write(self._address, _CONVERSION)
        self._bus.read_into(self._address, pair)
        self.uv = convert_uv(pair[0] << 8 | pair[1], self._range_mv)
        return 0


class ADS1115:
    """Any linear quantity on its inputs: (microvolts - zero_uv) * steps_per_v / 1,000,000 is the point's value.

    A channel of "channels" is {"input": "0", "range_mv": 4096, "gives": "battery", "steps_per_v": 5700, "zero_uv": 0}: `steps_per_v` counts the
    point's last decimal, 5700 mV of battery for a volt behind a divider of 47 over 10 kOhm, -10000 mA for a volt over 0.1 Ohm wired backwards.
    """

    def __init__(self, bus, config: dict):
        self._shot = OneShot(bus, config.get("address", 0x48))
        self._channels = tuple([_channel(row) for row in config["channels"]])
        self.GIVES = tuple([row["gives"] for row in config["channels"]])
        if not self.GIVES:
            raise ValueError("ads1115: no channels")
        for key in self.GIVES:
            roles.row(key)
        self._index = 0

    def start(self) -> int:
        self._index = 0
        return self._begin()

    def _begin(self) -> int:
        channel = self._channels[self._index]
        return self._shot.begin(channel[0], channel[1])

    def read_into(self, values) -> int:
        wait = self._shot.look()
        if wait:
            return wait
        _, _, zero_uv, steps_per_v = self._channels[self._index]
        values[self._index] = convert_steps(self._shot.uv, zero_uv, steps_per_v)
        self._index += 1
        return 0 if self._index == len(self._channels) else self._begin()


def _channel(row: dict) -> tuple:
    steps = row["steps_per_v"]
    if not steps or not -10000000 <= steps <= 10000000:
        raise ValueError("ads1115: steps_per_v is -10000000 to 10000000 and not 0")
    return setup(row["input"], row["range_mv"]), row["range_mv"], row.get("zero_uv", 0), steps


def convert_steps(uv: int, zero_uv: int, steps_per_v: int) -> int:
    """Microvolts as a point's value, rounded; MISSING stays MISSING."""
    return MISSING if uv == MISSING else ((uv - zero_uv) * steps_per_v + 500000) // 1000000

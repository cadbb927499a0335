"""A simulated Bosch BME280 with the calibration words of a real one, so that its raw numbers are what that chip would say.

The words and their proof are Pimoroni's (bme280-python, tests/calibration.py, MIT). The truth is turned into raw numbers by searching: the compensation
is written here a second time, in real numbers after the datasheet's appendix 8.1, and rises or falls all the way, so halving finds the raw word.
"""

from collections.abc import Callable

from simulator.chips.i2c import NO_FAULTS, Faults, RegisterChip, Truth

WORDS = (28009, 25654, 50, 39145, -10750, 3024, 5667, -120, -7, 15500, -14600, 6000, 75, 376, 0, 286, 50, 30)
BMP280 = 0x58
_CHIP = 0x60
_MEASURE_MS = 9
_SKIPPED = b"\x80\x00\x00\x80\x00\x00\x80\x00"


def registers(words: tuple[int, ...]) -> tuple[bytes, bytes]:
    """0x88 to 0xA1 and 0xE1 to 0xE7 as a chip holds these words."""
    low = b"".join((word & 0xFFFF).to_bytes(2, "little") for word in words[:12]) + bytes((0, words[12]))
    h2, h3, h4, h5, h6 = words[13:]
    high = (h2 & 0xFFFF).to_bytes(2, "little") + bytes(
        (h3, h4 >> 4 & 0xFF, h4 & 15 | (h5 & 15) << 4, h5 >> 4 & 0xFF, h6 & 0xFF)
    )
    return low, high


def fine(words: tuple[int, ...], raw: int) -> float:
    t1, t2, t3 = words[:3]
    off = raw / 131072 - t1 / 8192
    return (raw / 16384 - t1 / 1024) * t2 + off * off * t3


def pascal(words: tuple[int, ...], raw: int, heat: float) -> float:
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = words[3:12]
    a = heat / 2 - 64000
    b = a * a * p6 / 32768 + a * p5 * 2
    b = b / 4 + p4 * 65536
    a = (1 + (p3 * a * a / 524288 + p2 * a) / 524288 / 32768) * p1
    p = (1048576 - raw - b / 4096) * 6250 / a
    return p + (p9 * p * p / 2147483648 + p * p8 / 32768 + p7) / 16


def percent(words: tuple[int, ...], raw: int, heat: float) -> float:
    h1, h2, h3, h4, h5, h6 = words[12:]
    h = heat - 76800
    h = (raw - (h4 * 64 + h5 / 16384 * h)) * (h2 / 65536 * (1 + h6 / 67108864 * h * (1 + h3 / 67108864 * h)))
    return h * (1 - h1 * h / 524288)


def searched(of: Callable[[int], float], wanted: float, top: int) -> int:
    """The raw word from 0 to `top` whose value comes closest from below, for a rising `of`."""
    low, high = 0, top
    while low < high:
        middle = (low + high + 1) // 2
        if of(middle) <= wanted:
            low = middle
        else:
            high = middle - 1
    return low


class BME280(RegisterChip):
    def __init__(
        self,
        clock: Callable[[], int],
        temperature_cc: Truth,
        humidity_cp: Truth,
        pressure_pa: Truth,
        faults: Faults = NO_FAULTS,
        words: tuple[int, ...] = WORDS,
    ) -> None:
        super().__init__(clock, faults, seed=words[0])
        self._truths = (temperature_cc, humidity_cp, pressure_pa)
        self._words = words
        self._registers = bytearray(256)
        self._ready_ms = 0
        self._pending = b""

    def power_on(self) -> None:
        self._registers[:] = bytes(256)
        self._registers[0xD0] = _CHIP
        low, high = registers(self._words)
        self._registers[0x88:0xA2] = low
        self._registers[0xE1:0xE8] = high
        self._registers[0xF7:0xFF] = _SKIPPED
        self._pending = b""

    def set_register(self, pointer: int, data: bytes) -> None:
        if pointer not in (0xF2, 0xF4, 0xF5):
            return
        self._registers[pointer] = data[0]
        if pointer == 0xF4 and data[0] & 3 in (1, 2):
            self._pending = self._measure()
            self._ready_ms = self.clock() + _MEASURE_MS

    def _measure(self) -> bytes:
        words = self._words
        temperature, humidity, pressure = (self.measured(truth, i) for i, truth in enumerate(self._truths))
        raw_t = searched(lambda raw: fine(words, raw) / 5120, temperature / 100 + 0.002, 0xFFFFF)
        heat = fine(words, raw_t)
        raw_p = searched(lambda raw: -pascal(words, raw, heat), -pressure, 0xFFFFF)
        raw_h = 0x8000
        if self._registers[0xF2] & 7:
            raw_h = searched(lambda raw: percent(words, raw, heat), humidity / 100, 0xFFFF)
        return (raw_p << 4).to_bytes(3, "big") + (raw_t << 4).to_bytes(3, "big") + raw_h.to_bytes(2, "big")

    def answer(self, count: int) -> bytes:
        registers_now = self._registers
        if self._pending:
            registers_now[0xF3] = 0x08
            if self.clock() >= self._ready_ms:
                registers_now[0xF3] = 0
                registers_now[0xF4] &= 0xFC
                registers_now[0xF7:0xFF] = self._pending
                self._pending = b""
        registers_now[0xD0] = BMP280 if self.is_other_chip else _CHIP
        return bytes(registers_now[(self.pointer + i) & 0xFF] for i in range(count))

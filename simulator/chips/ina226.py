"""A simulated TI INA226: ids, configuration, the two voltages, and the ready flag of a triggered measurement (cleared by a write to the configuration
and by reading the mask register). Past 40.96 V and 81.92 mV it says the end of its range."""

from collections.abc import Callable

from simulator.chips.i2c import NO_FAULTS, Faults, RegisterChip, Truth

_WAKES = 0x4127
_AVERAGE = (1, 4, 16, 64, 128, 256, 512, 1024)
_CONVERT_US = (140, 204, 332, 588, 1100, 2116, 4156, 8244)


class INA226(RegisterChip):
    def __init__(
        self,
        clock: Callable[[], int],
        bus_mv: Truth,
        current_ma: Truth,
        shunt_uohm: int,
        faults: Faults = NO_FAULTS,
        seed: int = 0,
    ) -> None:
        super().__init__(clock, faults, seed)
        self._bus_mv = bus_mv
        self._current_ma = current_ma
        self._shunt_uohm = shunt_uohm
        self._config = _WAKES
        self._voltages = (0, 0)
        self._pending = (0, 0)
        self._ready_ms = -1
        self._ready = False

    def power_on(self) -> None:
        self._config = _WAKES
        self._voltages = self._pending = (0, 0)
        self._ready_ms = -1
        self._ready = False

    def set_register(self, pointer: int, data: bytes) -> None:
        if pointer != 0 or len(data) != 2:
            return
        self._config = data[0] << 8 | data[1]
        if self._config & 0x8000:
            self.power_on()
            return
        self._ready = False
        each_us = _CONVERT_US[self._config >> 6 & 7] + _CONVERT_US[self._config >> 3 & 7]
        self._ready_ms = self.clock() + -(-_AVERAGE[self._config >> 9 & 7] * each_us // 1000)
        shunt_nv = self.measured(self._current_ma, 1) * self._shunt_uohm
        shunt = max(-0x8000, min(0x7FFF, (shunt_nv + 1250) // 2500)) & 0xFFFF
        self._pending = (shunt, max(0, min(0x7FFF, (self.measured(self._bus_mv, 2) * 4 + 2) // 5)))

    def answer(self, count: int) -> bytes:
        if 0 <= self._ready_ms <= self.clock():
            self._voltages = self._pending
            self._ready = True
            self._ready_ms = -1
        registers = {
            0: self._config,
            1: self._voltages[0],
            2: self._voltages[1],
            6: 0x08 if self._ready else 0,
            0xFE: 0x5449,
            0xFF: 0x2770 if self.is_other_chip else 0x2260,
        }
        if self.pointer == 6:
            self._ready = False
        return (registers.get(self.pointer, 0).to_bytes(2, "big") * count)[:count]

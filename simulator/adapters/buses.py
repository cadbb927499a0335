"""Buses with simulated chips behind them."""

from simulator.agenda import Moment
from simulator.chips.a02yyuw import A02YYUW
from simulator.chips.battery_adc import BatteryADC

RX_BYTES = 256  # what the ESP32's UART driver keeps unread by default; later bytes are lost


class UART:
    """A sensor that talks by itself while powered. Its bytes are made when somebody looks, and are the same however often that is."""

    def __init__(self, moment: Moment, chip: A02YYUW) -> None:
        self._moment = moment
        self._chip = chip
        self._fifo = bytearray()
        self._powered_ms = -1
        self._made_to_ms = -1
        self.opened = 0

    def open(self) -> None:
        if self._powered_ms < 0:
            self._powered_ms = self._moment.t
            self.opened += 1
        self._made_to_ms = self._moment.t
        self._fifo.clear()

    def close(self) -> None:
        self._powered_ms = -1
        self._fifo.clear()

    def read_into(self, buffer: bytearray | memoryview) -> int:
        if self._powered_ms < 0:
            return 0
        self._receive()
        fifo = self._fifo
        count = min(len(buffer), len(fifo))
        if count:
            buffer[:count] = fifo[:count]
            del fifo[:count]
        return count

    def write(self, data: bytes) -> None:
        """The ranger in auto mode listens to nothing."""

    def waiting(self) -> bytes:
        """What a read would find now; the vm runtime takes it along and says with `take` what was read."""
        if self._powered_ms < 0:
            return b""
        self._receive()
        return bytes(self._fifo)

    def take(self, count: int) -> None:
        del self._fifo[:count]

    def _receive(self) -> None:
        t = self._moment.t
        if t > self._made_to_ms:
            self._chip.frames_into(self._fifo, self._made_to_ms, t, self._powered_ms, RX_BYTES)
            self._made_to_ms = t
            del self._fifo[RX_BYTES:]


class ADC:
    def __init__(self, moment: Moment, chip: BatteryADC) -> None:
        self._moment = moment
        self._chip = chip

    def read_uv(self) -> int:
        return self._chip.read_uv(self._moment.t)

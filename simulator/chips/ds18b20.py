"""A simulated Maxim DS18B20 on 1-Wire: reset, ROM commands, scratchpad with CRC; 85.00 degC after power-up. Not selected, it leaves the wire high (FF),
so a bus with several is the AND of what they say. `copy`: byte 6 stays 0C whatever is measured, as in most copies of the chip."""

from collections.abc import Callable

from simulator.chips.i2c import NO_FAULTS, Faults, Truth, window

_CONVERT_MS = 700
_EEPROM = (0x4B, 0x46, 0x7F)


def crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        for bit in range(8):
            carry = (crc ^ byte >> bit) & 1
            crc >>= 1
            if carry:
                crc ^= 0x8C
    return crc


def rom_of(serial: int) -> bytes:
    number = b"\x28" + serial.to_bytes(6, "little")
    return number + bytes((crc8(number),))


class DS18B20:
    def __init__(
        self,
        clock: Callable[[], int],
        temperature_cc: Truth,
        faults: Faults = NO_FAULTS,
        serial: int = 0x0000_0D1E_FBF6,
        power_dips_ms: tuple[int, ...] = (),
        copy: bool = False,
    ) -> None:
        self._clock = clock
        self._temperature = temperature_cc
        self._faults = faults
        self.rom = rom_of(serial)
        self._dips = power_dips_ms  # moments at which it loses power for an instant
        self._copy = copy
        self._powered_ms = -1
        self._heard = bytearray()
        self._answer = b""
        self._asleep = True  # until a reset; after another chip's number
        self._pad = bytearray(8)
        self._converted: tuple[int, int] | None = None  # when it is done, sixteenths

    def _power_on(self) -> None:
        self._powered_ms = self._clock()
        self._pad = bytearray((0x50, 0x05, *_EEPROM, 0xFF, 0x0C, 0x10))
        self._converted = None
        self._asleep = True

    def _present(self) -> bool:
        t = self._clock()
        if window(self._faults.unplugged_ms, t) >= 0 or window(self._faults.held_low_ms, t) >= 0:
            self._powered_ms = -1
            return False
        ends = [end for _, end in self._faults.unplugged_ms] + list(self._dips)
        if self._powered_ms < 0 or any(self._powered_ms < end <= t for end in ends):
            self._power_on()
        if self._converted is not None and t >= self._converted[0]:
            self._store(self._converted[1])
            self._converted = None
        return True

    def _store(self, raw: int) -> None:
        self._pad[0] = raw & 0xFF
        self._pad[1] = raw >> 8 & 0xFF
        self._pad[6] = 0x0C if self._copy else 0x10 - (raw & 0x0F)

    def reset(self) -> int:
        self._heard.clear()
        self._answer = b""
        self._asleep = not self._present()
        return 0 if self._asleep else 1

    def write(self, byte: int) -> None:
        if not self._present() or self._asleep:
            return
        heard = self._heard
        heard.append(byte)
        if heard[0] == 0x55:
            if len(heard) == 9 and bytes(heard[1:]) != self.rom:
                self._asleep = True
            command = bytes(heard[9:])
        elif heard[0] == 0xCC:
            command = bytes(heard[1:])
        else:
            self._asleep = True
            return
        if not command:
            return
        if command[0] == 0x4E and len(command) == 4:
            self._pad[2:5] = bytes((command[1], command[2], command[3] & 0x60 | 0x1F))
        elif command == b"\x44":
            stuck = window(self._faults.stuck_ms, self._clock())
            t = stuck if stuck >= 0 else self._clock()
            self._converted = (self._clock() + _CONVERT_MS, (self._temperature(t) * 16 + 50) // 100)
        elif command == b"\xbe":
            self._answer = bytes(self._pad) + bytes((crc8(bytes(self._pad)),))

    def read(self) -> int:
        t = self._clock()
        if window(self._faults.held_low_ms, t) >= 0 or window(self._faults.zeros_ms, t) >= 0:
            return 0
        if not self._present() or self._asleep or not self._answer:
            return 0xFF
        byte = self._answer[0]
        self._answer = self._answer[1:]
        return byte ^ 0x5A if window(self._faults.garbage_ms, t) >= 0 else byte

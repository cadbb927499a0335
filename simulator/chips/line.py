"""What befalls a serial chip's frames on their way, drawn from seed, name and time: the same frame meets the same fate whoever reads it."""

from dataclasses import dataclass

from simulator import noise

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class LineFaults:
    """Chances in parts per million of frames."""

    silent_ppm: int = 0
    cut_ppm: int = 0  # the frame ends anywhere
    flipped_ppm: int = 0  # one bit: a wrong checksum, where there is one
    lost_byte_ppm: int = 0
    garbage_ppm: int = 0  # noise in the frame's place
    wrong_chip: bool = False  # somebody mounted its sister
    unplugged_ms: tuple[tuple[int, int], ...] = ()  # from, to

    def powered_since(self, t_ms: int, powered_ms: int) -> int:
        """When the chip last got power, -1 while it has none."""
        if powered_ms < 0:
            return -1
        for begin, end in self.unplugged_ms:
            if begin <= t_ms < end:
                return -1
            if powered_ms < end <= t_ms:
                powered_ms = end
        return powered_ms

    def plugged_in(self, t_ms: int) -> int:
        """When the plug that is out now is put back."""
        return max((end for begin, end in self.unplugged_ms if begin <= t_ms < end), default=t_ms)

    def strike(self, frame: bytes, key: int, t_ms: int) -> bytes:
        """The frame as it arrives."""
        bits = noise.draw(key, t_ms)
        fate = (bits >> 32) * _MILLION >> 32
        where = noise.below(bits, 8 * len(frame)) if frame else 0
        if fate < self.silent_ppm:
            return b""
        if (fate := fate - self.silent_ppm) < self.cut_ppm:
            return frame[: where // 8]
        if (fate := fate - self.cut_ppm) < self.flipped_ppm:
            flipped = bytearray(frame)
            flipped[where // 8] ^= 1 << where % 8
            return bytes(flipped)
        if (fate := fate - self.flipped_ppm) < self.lost_byte_ppm:
            return frame[: where // 8] + frame[where // 8 + 1 :]
        if fate - self.lost_byte_ppm < self.garbage_ppm:
            return bytes(noise.draw(key, t_ms << 8 | i) & 0xFF for i in range(len(frame)))
        return frame

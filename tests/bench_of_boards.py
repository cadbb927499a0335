"""A bench with boards on it, as a program: `python -m tests.bench_of_boards FOLDER MAC...`; it ends when its standard input does.

It prints one line of JSON: the ESP32 image to flash, and each board's port, on which esptool meets a bootloader without a chip and a terminal the station in
its flash (tests/flash_desk.py). Then it answers lines of its standard input: `pty N` switches board N on and says the path of its cable, a pseudo-terminal.
"""

import contextlib
import json
import sys
from pathlib import Path

from tests.flash_desk import Desk, stock_image

RANGE_MM = 4100  # what every ranger sees: 0.4 m of water under a sensor at 4.5 m


class Cabled(Desk):
    """`pty`: the board's own cable; nothing else may use the desk's address meanwhile."""

    def _boot(self):
        super()._boot()
        (self.board_folder / "world" / "range_mm").write_text(str(RANGE_MM))

    def pty(self):
        if self._board is None:
            self._boot()
        return self._board.port


def main(folder: Path, macs: list[str]) -> None:
    image = stock_image()
    with contextlib.ExitStack() as stack:
        desks = [stack.enter_context(Cabled(folder / f"board{number}", image, mac)) for number, mac in enumerate(macs)]
        real = "made-up" not in image.name
        print(json.dumps({"image": str(image), "real": real, "ports": [desk.url for desk in desks]}), flush=True)
        for line in sys.stdin:
            word, _, number = line.strip().partition(" ")
            if word != "pty" or number not in map(str, range(len(desks))):
                answer = {"error": f"{line.strip()!r}: `pty N` is known, N from 0 to {len(desks) - 1}"}
            else:
                answer = {"pty": desks[int(number)].pty()}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

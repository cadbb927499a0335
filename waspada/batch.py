"""Many boards made ready over several ports at once. One that fails stops no other.

Each port takes the next station of the list as soon as another board is plugged in there: no board is flashed twice in a row, whoever forgets to change it.
"""

import collections
import csv
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from simulator.errors import InputError
from waspada import chip
from waspada.cable import NotReadyError
from waspada.chip import Chip
from waspada.city import City, checked_name

COLUMNS = ("node", "district")
MOST = 10_000
LOOK_EVERY_S = 1.0
SWAP_WITHIN_S = 600.0

Make = Callable[[str, str, str | None], dict[str, Any]]  # port, node, district


def stations(path: Path, district: str | None) -> list[tuple[str, str | None]]:
    """(node, district) of each line. A list for `waspada enrol --list` will do."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not text in UTF-8"
        raise InputError(f"{path} can't be read ({why}); give a CSV file with {', '.join(COLUMNS)}") from None
    rows = csv.DictReader(lines, skipinitialspace=True)
    if "node" not in (rows.fieldnames or ()):
        raise InputError(f"{path}, line 1: the head must name the column node, and may name district")
    found: dict[tuple[str, str | None], None] = {}
    try:
        for row in rows:
            where = f"{path}, line {rows.line_num}: "
            node, of = (row.get(name) or "" for name in COLUMNS)
            try:
                one = checked_name("node", node.strip()), of.strip() or district
            except InputError as error:
                raise InputError(f"{where}{error}") from None
            if one in found:
                raise InputError(f"{where}{node} is listed twice")
            found[one] = None
    except csv.Error as error:
        raise InputError(f"{path}, line {rows.line_num}: {error}") from None
    if not 0 < len(found) <= MOST:
        raise InputError(f"{path} names {len(found)} stations; allowed are 1 to {MOST}")
    return list(found)


def ready_already(city: City, node: str, district: str | None) -> bool:
    """Its present identity has been on a board that passed its test: the list has been given before."""
    for one in city.known().values():
        if one.node == node and district in (None, one.district):
            return any(row["what"] == "commissioned" and row.get("life") == one.life and row["node"] == node
                       for row in city.rows())  # fmt: skip
    return False


class Batch:
    """`make` makes one ready; `macs` are the boards of this batch that are done."""

    def __init__(self, todo: list[tuple[str, str | None]], make: Make, macs: dict[str, str], tell: Callable[[str], object],
                 swap_within_s: float = SWAP_WITHIN_S) -> None:  # fmt: skip
        self.done: list[dict[str, Any]] = []
        self.failed: list[dict[str, Any]] = []
        self._todo = collections.deque(todo)
        self._count = len(todo)
        self._make = make
        self._macs = macs
        self._tell = tell
        self._swap_within_s = swap_within_s
        self._stopped = threading.Event()

    def run(self, ports: list[str]) -> None:
        with tqdm(total=self._count, unit=" boards", leave=False) as bar:
            threads = [threading.Thread(target=self._serve, args=(port, bar), daemon=True) for port in ports]
            try:
                for thread in threads:
                    thread.start()
                for thread in threads:
                    while thread.is_alive():
                        thread.join(0.2)
            except BaseException:
                self._stopped.set()
                chip.stop()
                raise
        self.failed += [{"station": node, "error": "no board was plugged in for it"} for node, _ in self._todo]

    def _serve(self, port: str, bar: Any) -> None:
        before: str | None = None
        first = True
        while not self._stopped.is_set():
            try:
                node, district = self._todo.popleft()
            except IndexError:
                return
            if not first:
                board = self._another(port, before, node)
                if board is None:
                    self._todo.appendleft((node, district))
                    return
            first = False
            try:
                made = self._make(port, node, district)
                before = made["mac"]
                self.done.append(made)
            except (InputError, NotReadyError) as error:
                before = self._there(port)
                self._fail(node, port, str(error))
            except OSError as error:
                self._fail(node, port, f"{error.filename or port}: {error.strerror or error}")
            bar.update()

    def _fail(self, node: str, port: str, why: str) -> None:
        self.failed.append({"station": node, "port": port, "error": why})
        self._tell(f"{node} failed: {why}")

    @staticmethod
    def _there(port: str) -> str | None:
        try:
            return chip.probe(port).mac
        except InputError:
            return None

    def _another(self, port: str, before: str | None, node: str) -> Chip | None:
        """Waits until another board is on the port."""
        self._tell(f"{port}: plug in the next board, for {node}")
        deadline = time.monotonic() + self._swap_within_s
        while time.monotonic() < deadline and not self._stopped.wait(LOOK_EVERY_S):
            try:
                board = chip.probe(port)
            except InputError:
                continue
            if board.mac != before and board.mac not in self._macs:
                return board
        return None

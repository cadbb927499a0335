"""The journal over the cable: fetched record by record with CRC, to be gone on with after a pulled cable, decoded to CSV or Parquet."""

import base64
import binascii
import contextlib
import csv
import datetime
import importlib
import importlib.util
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from node.core import journal, senml
from simulator.errors import InputError, install_advice
from waspada.consoles.port import GoneError
from waspada.consoles.station import Station
from waspada.consoles.values import sealed

STREAMS = ("readings", "events")
COLUMNS = ("time", "up_ms", "life", "boot", "seq", "name", "unit", "value", "text", "q", "q1")
_AGAIN_MOST = 20  # damaged lines in a row without a good one between
_LINE_WITHIN_S = 20.0


class Begin(NamedTuple):
    district: str
    node: str
    life: str
    boot: int
    seq: int


class Kept(NamedTuple):
    boot: int
    prev_boot: int
    prev_seq: int
    seq: int
    record: bytes


def begin_of(text: str | None) -> Begin | None:
    words = (text or "").split()
    if len(words) != 8 or words[:2] != ["begin", "1"] or not all(word.isdigit() for word in words[6:]):
        return None
    return Begin(words[3], words[4], words[5], int(words[6]), int(words[7]))


def record_of(text: str | None) -> Kept | None:
    """A record that is whole: its line's CRC has been looked at, its own is here."""
    words = (text or "").split()
    if len(words) != 6 or words[0] not in STREAMS or not all(word.isdigit() for word in words[1:5]):
        return None
    try:
        record = base64.b64decode(words[5], validate=True)
        whole = len(record) > journal.RECORD_SIZE + journal.CRC_SIZE and record[-4:] == (
            binascii.crc32(record[:-4]) & 0xFFFFFFFF
        ).to_bytes(4, "little")
        if not whole or journal.seq_of(record) != int(words[4]):
            return None
    except (binascii.Error, ValueError, IndexError):
        return None
    return Kept(int(words[1]), int(words[2]), int(words[3]), int(words[4]), record)


class Part:
    """What has come so far, as it came: `FILE.part`. A line that was cut off at its end is left out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.begin: Begin | None = None
        self.count = 0
        self.last = (0, 0)
        self._whole = 0
        self._read()

    def _read(self) -> None:
        try:
            with open(self.path, "rb") as file:
                for line in file:
                    text = sealed(line.decode("ascii", "replace").rstrip("\n")) if line.endswith(b"\n") else None
                    found = record_of(text)
                    if self.begin is None and begin_of(text):
                        self.begin = begin_of(text)
                    elif found and self.begin and (found.boot, found.seq) > self.last:
                        self.last = (found.boot, found.seq)
                        self.count += 1
                    else:
                        break
                    self._whole += len(line)
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputError(f"{self.path} can't be read ({error.strerror})") from None

    @contextlib.contextmanager
    def going_on(self) -> Iterator[BinaryIO]:
        with open(self.path, "r+b" if self.path.exists() else "w+b") as file:
            file.truncate(self._whole)
            file.seek(self._whole)
            yield file

    def records(self) -> Iterator[Kept]:
        with open(self.path, encoding="ascii") as file:
            for line in file:
                found = record_of(sealed(line.rstrip("\n")))
                if found:
                    yield found


def fetch(station: Station, stream: str, part: Part, progress: Callable[[int, int | None], object]) -> None:
    """Everything from behind what is in `part`. `progress(records so far, of how many or None)`. GoneError: what has come is kept."""
    with part.going_on() as file:
        failed = 0
        while True:
            before = part.count
            if _fetch(station, stream, part, file, progress):
                return
            failed = failed + 1 if part.count == before else 0
            if failed > _AGAIN_MOST:
                raise GoneError(
                    f"{station.name}: nothing comes whole any more; check the cable and run the same command again"
                )


def _fetch(
    station: Station, stream: str, part: Part, file: BinaryIO, progress: Callable[[int, int | None], object]
) -> bool:
    """One export. False: a line was damaged and the rest is to be asked for again."""
    boot, seq = part.last
    station.send(f"export {stream} {boot} {seq + 1}" if part.count else f"export {stream}")
    newest = (0, 0)
    total: int | None = None
    for line in station.lines(_LINE_WITHIN_S):
        text = sealed(line)
        begin, found = begin_of(text), record_of(text)
        if begin:
            _belongs(part, begin)
            if part.begin is None:
                part.begin = begin
                file.write(line.encode() + b"\n")
            newest = (begin.boot, begin.seq)
        elif found and part.begin and (found.boot, found.seq) > part.last:
            file.write(line.encode() + b"\n")
            part.last = (found.boot, found.seq)
            part.count += 1
            if found.boot == newest[0]:
                total = part.count + max(0, newest[1] - found.seq)
            progress(part.count, total)
        elif text and text.startswith("end "):
            pass
        elif line == "= ok":
            return part.begin is not None
        elif line.startswith("= "):
            raise GoneError(f"{station.name}: the station ended the export by `{line}`; run the same command again")
        elif line:
            file.flush()
            station.stop()  # it is asked for again from here
            return False
    return False


def _belongs(part: Part, begin: Begin) -> None:
    known = part.begin
    if known and (known.district, known.node, known.life) != (begin.district, begin.node, begin.life):
        raise InputError(
            f"{part.path} is of {known.district}/{known.node} (life {known.life}), and this is {begin.district}/{begin.node} "
            f"(life {begin.life}): give another file, or delete that one"
        )


# What is made of it


def rows(begin: Begin, kept: Kept) -> Iterator[tuple[Any, ...]]:
    """A row for each point, as COLUMNS."""
    pack = json.loads(
        senml.encode(
            f"waspada:{begin.district}:{begin.node}:", begin.life, kept.boot, kept.prev_boot, kept.prev_seq, kept.record
        )
    )
    head = pack[0]
    time = None
    if "bt" in head:
        time = datetime.datetime.fromtimestamp(head["bt"], datetime.UTC)
    for point in pack:
        yield (time, head.get("up_ms"), begin.life, kept.boot, kept.seq, point["n"], point.get("u"), point.get("v"),
               point.get("vs"), point.get("q"), point.get("q1"))  # fmt: skip


def need(path: Path) -> str:
    """The kind of file that is meant. InputError before anything is fetched."""
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise InputError(f"{path}: give a file that ends in .csv or .parquet")
    if kind == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise InputError(f"Parquet needs pyarrow, which is not installed: {install_advice('parquet')}, or give a .csv")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent} is no folder; make it first")
    return kind


def write(part: Part, path: Path) -> int:
    """Decodes to `path`, whole or not at all. Returns the rows."""
    assert part.begin
    making = path.with_name(path.name + ".new")
    try:
        count = (_parquet if need(path) == ".parquet" else _csv)(part, part.begin, making)
        os.replace(making, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            making.unlink()
    return count


def _csv(part: Part, begin: Begin, path: Path) -> int:
    count = 0
    with open(path, "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(COLUMNS)
        for kept in part.records():
            for row in rows(begin, kept):
                time = row[0].isoformat(timespec="milliseconds").replace("+00:00", "Z") if row[0] else ""
                out.writerow([time, *("" if each is None else each for each in row[1:])])
                count += 1
    return count


def _parquet(part: Part, begin: Begin, path: Path) -> int:
    arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    kinds = (arrow.timestamp("ms", "UTC"), arrow.int64(), arrow.string(), arrow.int64(), arrow.int64(), arrow.string(),
             arrow.string(), arrow.float64(), arrow.string(), arrow.int8(), arrow.int8())  # fmt: skip
    schema = arrow.schema(list(zip(COLUMNS, kinds, strict=True)))
    count = 0
    with parquet.ParquetWriter(path, schema) as out:
        batch: list[tuple[Any, ...]] = []

        def give() -> None:
            columns = [arrow.array([row[k] for row in batch], kind) for k, kind in enumerate(kinds)]
            out.write_table(arrow.Table.from_arrays(columns, schema=schema))
            batch.clear()

        for kept in part.records():
            batch += rows(begin, kept)
            if len(batch) >= 20000:
                count += len(batch)
                give()
        count += len(batch)
        give()
    return count


def summary(begin: Begin, stream: str, records: int, points: int) -> str:
    return f"{begin.district}/{begin.node}: {records} records of {stream}, {points} rows"

"""Stations into the city's folder, out of it, and onto a new board. Every change is made beside what is there, and counts from its line in the registry on."""

import contextlib
import datetime
import json
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hardware.compile import Station
from simulator.errors import InputError
from waspada import broker, city, labels
from waspada.authority import Authority, Pair
from waspada.city import City, Known, Network, common_name
from waspada.station import load

KEY_PEM, GATEWAY_PEM, GATEWAY_TOML = "gateway-key.pem", "gateway.pem", "gateway.toml"
NAME_MOST = 64  # of a certificate's common name
EARLIER_S = 86_400  # a station believes no time before; this machine's may be ahead

Progress = Callable[[], object]


@dataclass(frozen=True)
class Wish:
    """One station to be enrolled; `where` begins a sentence about it (a line of a list)."""

    district: str
    node: str
    station: Path | None
    where: str = ""

    @property
    def name(self) -> str:
        return common_name(self.district, self.node)


@dataclass(frozen=True)
class Done:
    """What may be told of it: nothing secret."""

    district: str
    node: str | None
    life: str
    serial: str
    folder: Path

    def as_row(self) -> dict[str, Any]:
        return {
            "district": self.district,
            "node": self.node,
            "life": self.life,
            "serial": self.serial,
            "folder": str(self.folder),
        }


class Enrolment:
    """A city that is being changed: made inside `at_work`."""

    def __init__(self, of: City, now: datetime.datetime, wifi: dict[str, str] | None = None) -> None:
        self.city = of
        self.changed: list[str] = []  # files of the broker's folder
        self._now = now
        self._wifi = wifi
        self._known = of.known()
        self._network: Network = of.network()
        self._pins = of.pins()
        self._authorities: dict[str | None, Authority] = {}
        self._lives = {row["life"] for row in of.rows() if "life" in row}

    def enrol(self, wishes: Sequence[Wish], progress: Progress = lambda: None) -> tuple[list[Done], list[Known]]:
        """(what was made, what was there already). InputError: nothing was. In a list the same station again is no error."""
        stations = [self._station(wish) for wish in wishes]
        there = [self._there(wish, station, len(wishes) > 1) for wish, station in zip(wishes, stations, strict=True)]
        missing = [(wish, station) for wish, station, one in zip(wishes, stations, there, strict=True) if one is None]
        done = []
        rows = []
        homes = []
        for district in sorted({wish.district for wish, _ in missing}):
            if common_name(district, None) not in self._known:
                made = self._gateway(district)
                done.append(made)
                homes.append(made.folder)
                rows.append(self._row("enrolled", made))
        for wish, station in missing:
            made = self._board(wish, station, None)
            done.append(made)
            homes.append(made.folder)
            rows.append(self._row("enrolled", made))
            progress()
        self._commit(rows, done, homes, [])
        return done, [one for one in there if one is not None]

    def replace(self, wish: Wish) -> Done:
        """The same station on a new board. Its file is the one it had, unless another is given."""
        old = self._known.get(wish.name)
        home = self.city.node(wish.district, wish.node)
        if old is None:
            raise InputError(f"{wish.district}/{wish.node} is not enrolled: leave out --replace")
        if wish.station is None:
            wish = Wish(wish.district, wish.node, home / city.STATION_TOML)
        made = self._board(wish, self._station(wish), home)
        revokes = [] if old.revoked else [(wish.district, old.serial)]
        self._commit([self._row("replaced", made, revokes)], [made], [made.folder], revokes)
        return made

    def revoke(self, district: str, node: str | None) -> Known:
        name = common_name(district, node)
        old = self._known.get(name)
        if old is None:
            raise InputError(f"{district}/{node} is not enrolled: waspada enrol --list-nodes says what is")
        if old.revoked:
            self.changed = broker.write_all(self.city, self._network, self._known.values(), self._now)
            return old
        gone = Known(district, node, old.life, old.serial, True, "")
        whose = district if node is not None else None
        left = [one if one.name != name else gone for one in self._known.values()]
        self.changed = broker.write_all(self.city, self._network, left, self._now, [(whose, old.serial)])
        self.city.append(
            [self.city.row("revoked", district, node, self._now, life=old.life, serial=old.serial, revokes=old.serial)]
        )
        self.city.forget(gone)
        return gone

    def gateway(self, district: str, replace: bool) -> Done:
        old = self._known.get(common_name(district, None))
        if old is not None and not replace:
            raise InputError(
                f"district {district} has a gateway: {self.city.gateway(district)}; a new key for it is --gateway --replace"
            )
        made = self._gateway(district)
        revokes = [] if old is None or old.revoked else [(None, old.serial)]
        row = self._row("enrolled" if old is None else "replaced", made, revokes)
        self._commit([row], [made], [made.folder], revokes)
        return made

    # Looking

    def _station(self, wish: Wish) -> Station:
        try:
            if wish.station is None:
                raise InputError("no station file: give --station FILE")
            if len(wish.name) > NAME_MOST:
                raise InputError(
                    f"{wish.district}/{wish.node}: district and node have up to {NAME_MOST - 1} letters together; take a shorter one"
                )
            station = load(wish.station)
            if "access" not in station.access and self._wifi is None and "wifi" not in self._network.ways:
                raise InputError(f"{wish.node} needs Wi-Fi and {self.city.folder} knows none: give --wifi SSID")
        except InputError as error:
            raise InputError(f"{wish.where}{error}") from None
        return station

    def _there(self, wish: Wish, station: Station, many: bool) -> Known | None:
        one = self._known.get(wish.name)
        if one is None:
            return None
        home = self.city.node(wish.district, wish.node)
        if one.revoked:
            state = "was revoked"
        elif not many:
            state = "is enrolled already"
        else:
            try:
                if (home / city.STATION_TOML).read_bytes() == station.source.path.read_bytes():
                    return one
            except OSError:
                pass  # the sentence below says where to look
            state = f"is enrolled already, with another station file than {home / city.STATION_TOML}"
        raise InputError(f"{wish.where}{wish.district}/{wish.node} {state}: a new board for it is made by --replace")

    # Making

    def _board(self, wish: Wish, station: Station, old: Path | None) -> Done:
        """A folder for a new board, whole, not yet in its place."""
        pair = self._authority(wish.district).client(wish.name, wish.district)
        life, pin = self._life(), self._pin()
        compiled = self._compiled(wish, station, life, old)
        about = station.sheet.get("title", "")
        home = self.city.node(wish.district, wish.node)
        with self.city.making(home) as folder:
            city.write(folder / city.STATION_TOML, station.source.path.read_bytes())
            city.write(folder / city.STATION_JSON, json.dumps(compiled, separators=(",", ":")), 0o600)
            city.write(folder / city.CA_DER, self._authority(None).pair.der)
            city.write(folder / city.NODE_DER, pair.der)
            city.write(folder / city.NODE_PEM, pair.pem)
            city.write(folder / city.KEY_DER, pair.key_der, 0o600)
            city.write(folder / city.PIN, pin + "\n", 0o600)
            pdf = labels.page(labels.Label(wish.district, wish.node, about, life, pin))
            city.write(folder / city.LABEL_PDF, pdf, 0o600)
            city.write(folder / city.LABEL_PNG, labels.picture(pdf), 0o600)
            if old is not None:
                _carry_over(old, folder, self._known[wish.name].life)
        return Done(wish.district, wish.node, life, pair.serial, home)

    def _compiled(self, wish: Wish, station: Station, life: str, old: Path | None) -> dict[str, Any]:
        ways = dict(self._network.ways)
        if self._wifi is not None:
            ways["wifi"] = self._wifi
        elif old is not None:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                before = json.loads((old / city.STATION_JSON).read_text(encoding="utf-8"))["wifi"]
                ways["wifi"] = before if before["ssid"] else ways["wifi"]
        if station.access.get("access") != "lte":
            ways.pop("lte", None)
        if "access" in station.access:
            ways.pop("wifi", None)
        values = city.read_settings(old)[1] if old is not None else {}
        link = {"host": self._network.host, "port": self._network.port, "tls": 1}
        made = station.compiled(
            wish.node, wish.district, life, secrets.randbelow(1 << 30), broker=link, settings=values, **ways
        )
        return {**made, "commissioned": int(self._now.timestamp()) - EARLIER_S}

    def _gateway(self, district: str) -> Done:
        own = self._authority(None)
        pair: Pair = own.client(common_name(district, None), district)
        home = self.city.gateway(district)
        with self.city.making(home) as folder:
            city.write(folder / "ca.pem", own.pair.pem)
            city.write(folder / GATEWAY_PEM, pair.pem)
            city.write(folder / KEY_PEM, pair.key_pem, 0o600)
            host, port = json.dumps(self._network.host), self._network.gateway_port
            tls = "".join(f'{key} = "{name}"\n' for key, name in
                          (("authority", "ca.pem"), ("certificate", GATEWAY_PEM), ("key", KEY_PEM)))  # fmt: skip
            text = f'district = "{district}"\n\n[broker]\nhost = {host}\nport = {port}\n\n[broker.tls]\n{tls}'
            city.write(folder / GATEWAY_TOML, text)
            settled = home / GATEWAY_TOML
            if settled.exists():  # somebody may have written more into it
                shutil.copyfile(settled, folder / GATEWAY_TOML)
        return Done(district, None, "", pair.serial, home)

    def _authority(self, district: str | None) -> Authority:
        if district not in self._authorities:
            self._authorities[district] = broker.authority(self.city, district, self._now)
        return self._authorities[district]

    def _life(self) -> str:
        return _drawn(lambda: secrets.token_hex(4), self._lives)

    def _pin(self) -> str:
        """No two stations of a city have the same."""
        return _drawn(lambda: f"{secrets.randbelow(1_000_000):06}", self._pins)

    # Counting

    def _row(self, what: str, made: Done, revokes: Sequence[tuple[str | None, str]] = ()) -> dict[str, Any]:
        more = {"life": made.life} if made.node is not None else {}
        gone = {"revokes": revokes[0][1]} if revokes else {}
        return self.city.row(what, made.district, made.node, self._now, **more, serial=made.serial, **gone)

    def _commit(
        self, rows: list[dict[str, Any]], done: list[Done], homes: list[Path], revokes: Sequence[tuple[str | None, str]]
    ) -> None:
        for home in homes:
            self.city.swap(home)
        known = dict(self._known)
        for one in done:
            known[common_name(one.district, one.node)] = Known(one.district, one.node, one.life, one.serial, False, "")
        self.changed = broker.write_all(self.city, self._network, known.values(), self._now, revokes)
        if rows:
            self.city.append(rows)
        for home in homes:
            self.city.clear(home)


@contextlib.contextmanager
def at_work(of: City) -> Iterator[None]:
    """The city's lock, what is left of an earlier command cleared away, and whatever the disk says in one sentence."""
    try:
        with of.locked():
            of.mended()
            try:
                yield
            except BaseException:
                with contextlib.suppress(OSError, InputError):
                    if of.mended():
                        broker.write_all(of, of.network(), of.known().values(), datetime.datetime.now(datetime.UTC))
                raise
    except OSError as error:
        where = error.filename or of.folder
        why = error.strerror or error
        raise InputError(f"{where} can't be used ({why}): put that right and give the command again") from None


def label_of(of: City, one: Known) -> labels.Label:
    """An enrolled station's label, to be printed again."""
    assert one.node is not None
    home = of.node(one.district, one.node)
    try:
        pin = (home / city.PIN).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{home / city.PIN} can't be read; bring it back from your copy") from None
    return labels.Label(one.district, one.node, load(home / city.STATION_TOML).sheet.get("title", ""), one.life, pin)


def _drawn(draw: Callable[[], str], used: set[str]) -> str:
    for _ in range(10_000):
        found = draw()
        if found not in used:
            used.add(found)
            return found
    raise InputError("this city has so many stations that no PIN is left: begin another city's folder")


def _carry_over(old: Path, new: Path, life: str) -> None:
    """What stays with a station when its board goes: the thresholds, and the records of earlier boards."""
    if (old / city.SETTINGS).exists():
        shutil.copyfile(old / city.SETTINGS, new / city.SETTINGS)
    if (old / city.FORMER).is_dir():
        shutil.copytree(old / city.FORMER, new / city.FORMER)
    for name in city.RECORDS:
        if (old / name).exists():
            (new / city.FORMER / life).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(old / name, new / city.FORMER / life / name)

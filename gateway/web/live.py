"""What changes on the page, as it changes: one watcher, any number of listeners with short queues."""

import asyncio
import json
import traceback
from collections.abc import Callable
from typing import Any

from gateway.config import Config, Station
from gateway.intake import Intake, wall_ms
from gateway.reading import Facts, Reading
from gateway.store import StoreError
from gateway.web.present import shown

LISTENERS = 200
QUEUE = 64
LOOK_S = 0.4
AT_ONCE = 60  # stations asked for in one look
AGES_S = 5.0
ALIVE_S = 15.0

Key = tuple[str, str]
_UNSAID = Station()


class Live:
    """The stations as shown now, and those who listen to changes."""

    def __init__(
        self, config: Config, reading: Reading, intake: Intake, render: Callable[[dict[str, Any]], str]
    ) -> None:
        self._config = config
        self._reading = reading
        self._intake = intake
        self._render = render
        self._facts: dict[Key, Facts] = {}
        self._said: dict[Key, str] = {}
        self._changes: dict[Key, int] = {}  # number of the newest change of each card
        self._change = 0
        self._run = f"{wall_ms():x}"
        self._health_said: Any = None
        self._listeners: set[asyncio.Queue[str]] = set()
        self._trouble: str | None = None
        self._newest_ms = 0
        # all that was kept before is shown from the start
        intake.ingest.touched.update(reading.nodes())
        self._changed(self._touched(len(intake.ingest.touched)))

    def now_ms(self) -> int:
        """The clock ages are counted by."""
        return self._newest_ms if self._config.clock == "newest" and self._newest_ms else wall_ms()

    def _ask(self, key: Key) -> None:
        facts = self._reading.facts(*key)
        if facts is not None:
            self._newest_ms = max(self._newest_ms, facts.t_ms or 0)
            self._render(self._shown(facts))  # a station that can't be shown must not become one of those that are
            self._facts[key] = facts

    def station(self, key: Key) -> dict[str, Any]:
        return self._shown(self._facts[key])

    def _shown(self, facts: Facts) -> dict[str, Any]:
        about = self._config.stations.get(facts.node, _UNSAID)
        return shown(facts, about, self.now_ms(), self._config.stale_s)

    def stations(self) -> list[dict[str, Any]]:
        """All, worst first."""
        found = [self.station(key) for key in self._facts]
        return sorted(found, key=lambda s: (s["rank"], s["title"], s["district"]))

    def find(self, node: str, district: str | None) -> Key | None:
        return next((key for key in self._facts if key[1] == node and district in (None, key[0])), None)

    def health(self) -> dict[str, Any]:
        """Whether readings come in and are kept; `trouble` is what to tell a person."""
        intake = self._intake
        broker = intake.readings.trouble or intake.event.trouble
        database = intake.trouble or self._trouble
        trouble = [sentence for sentence in (broker, database) if sentence]
        return {
            "ok": not trouble,
            "trouble": trouble,
            "broker": {"address": ":".join(map(str, intake.readings.address)), "ok": broker is None, "trouble": broker},
            "database": {"path": self._config.database, "ok": database is None, "trouble": database},
            "waiting": intake.ingest.waiting,
            "counts": intake.ingest.counts,
            "stations": len(self._facts),
            "clock": self._config.clock,
            "now_ms": self.now_ms(),
        }

    # The stream

    @property
    def place(self) -> str:
        """Where in the stream of changes we are; a listener that knows it gets only what came after."""
        return f"{self._run}-{self._change}"

    def listen(self, place: str = "") -> asyncio.Queue[str] | None:
        """A queue of server-sent events, None when there are too many listeners. An empty text ends it."""
        if len(self._listeners) >= LISTENERS:
            return None
        queue: asyncio.Queue[str] = asyncio.Queue(QUEUE)
        self._listeners.add(queue)
        run, _, change = place.partition("-")
        known = run == self._run and change.isdecimal()
        keys = [key for key, number in self._changes.items() if not known or number > int(change)]
        queue.put_nowait(self._event([self._card(self.station(key)) for key in keys], whole=not known))
        return queue

    def leave(self, queue: asyncio.Queue[str]) -> None:
        self._listeners.discard(queue)

    def close(self) -> None:
        for queue in list(self._listeners):
            self._drop(queue)

    def _drop(self, queue: asyncio.Queue[str]) -> None:
        """Too slow: it comes back by itself and gets everything anew."""
        self._listeners.discard(queue)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait("")

    def _tell(self, text: str) -> None:
        for queue in list(self._listeners):
            try:
                queue.put_nowait(text)
            except asyncio.QueueFull:
                self._drop(queue)

    def _card(self, station: dict[str, Any]) -> dict[str, Any]:
        key = f"{station['district']}/{station['node']}"
        return {
            "key": key,
            "rank": station["rank"],
            "state": station["state"],
            "silent": station["silent"],
            "html": self._render(station),
        }

    def _event(self, cards: list[dict[str, Any]], whole: bool = False) -> str:
        told = {
            "now_ms": self.now_ms(),
            "clock": self._config.clock,
            "whole": whole,
            "cards": cards,
            "trouble": self.health()["trouble"],
        }
        return (
            f"event: cards\nid: {self.place}\ndata: {json.dumps(told, separators=(',', ':'), ensure_ascii=False)}\n\n"
        )

    async def watch(self) -> None:
        """Look at what was touched, and now and then at everybody's age. Ends by cancellation."""
        loop = asyncio.get_running_loop()
        ages_at = alive_at = loop.time()
        while True:
            await asyncio.sleep(LOOK_S)
            keys = self._touched()
            now = loop.time()
            if now - ages_at >= AGES_S:
                ages_at = now
                keys = set(self._facts)
            cards = self._changed(keys)
            trouble = self.health()["trouble"]
            if cards or trouble != self._health_said or now - alive_at >= ALIVE_S:
                self._health_said = trouble
                alive_at = now
                self._tell(self._event(cards))

    def _touched(self, at_once: int = AT_ONCE) -> set[Key]:
        touched = self._intake.ingest.touched
        keys = {touched.pop() for _ in range(min(at_once, len(touched)))}
        self._trouble = None
        for key in list(keys):
            try:
                self._ask(key)
            except StoreError as error:
                self._trouble = str(error)
                touched.add(key)
            except Exception as error:
                # Nothing a station says may take the page, and with it the gateway, down.
                self._trouble = f"station {key[1]} can't be shown ({type(error).__name__}: {error})"
                traceback.print_exc()
                keys.discard(key)
        return keys

    def _changed(self, keys: set[Key]) -> list[dict[str, Any]]:
        cards = []
        for key in sorted(keys & self._facts.keys()):
            card = self._card(self.station(key))
            if self._said.get(key) != card["html"]:
                self._said[key] = card["html"]
                self._change += 1
                self._changes[key] = self._change
                cards.append(card)
        return cards

"""Routes of the page and the API. These only read; what changes a station is in `ordering`."""

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.config import Config
from gateway.quantities import display, drawn
from gateway.reading import Reading
from gateway.store import SqliteStore, StoreError
from gateway.web.live import Live
from gateway.web.ordering import Ordering, Refusal
from gateway.web.ordering import refused as not_ordered
from gateway.web.present import ORDER, WORDS
from gateway.web.sentences import sentence
from gateway.wire import split

ROOM = Path(__file__).parent
HOURS_LIMIT = 24 * 366
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Guarded:
    """Every answer carries the headers; ours are never kept by a cache unless it asks again."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = {**HEADERS, "cache-control": "no-cache"}
                message["headers"] = [*message["headers"], *((k.encode(), v.encode()) for k, v in more.items())]
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(ROOM / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["utc"] = utc
    made.globals["WORDS"] = WORDS
    made.globals["ORDER"] = ORDER
    return made


def utc(ms: int) -> str:
    """For browsers without scripts; with them, times are local."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def card_of(templates: Environment) -> Callable[[dict[str, Any]], str]:
    template = templates.get_template("card.html")
    return lambda station: template.render(s=station)


class Pages:
    """What is answered. `live` knows the stations as they are shown now; what may take long asks the database in a thread."""

    def __init__(self, config: Config, store: SqliteStore, live: Live, templates: Environment) -> None:
        self._config = config
        self._store = store
        self._live = live
        self._templates = templates

    async def _ask(self, question: Callable[[Reading], Any]) -> Any:
        """On a connection of its own, so that neither ingest nor another page waits."""
        if self._store.path == ":memory:":
            return question(Reading(self._store.connection()))

        def answer() -> Any:
            with contextlib.closing(self._store.connection()) as db:
                return question(Reading(db))

        return await asyncio.to_thread(answer)

    async def page(self, request: Request) -> Response:
        stations = self._live.stations()
        counts = {state: sum(s["state"] == state and not s["silent"] for s in stations) for state in ORDER}
        text = self._templates.get_template("page.html").render(
            title=self._config.title,
            district=self._config.district,
            stations=stations,
            counts=counts,
            silent=sum(s["silent"] for s in stations),
            health=self._live.health(),
            place=self._live.place,
        )
        return HTMLResponse(text)

    async def stations(self, request: Request) -> Response:
        node, district = request.query_params.get("node"), request.query_params.get("district")
        stations = [s for s in self._live.stations() if node in (None, s["node"]) and district in (None, s["district"])]
        return JSONResponse({"now_ms": self._live.now_ms(), "stations": stations})

    async def series(self, request: Request) -> Response:
        key = self._live.find(request.path_params["node"], request.query_params.get("district"))
        if key is None:
            return JSONResponse({"error": f"there is no station {request.path_params['node']}"}, 404)
        hours = _number(request, "hours", 24, 1, HOURS_LIMIT)
        station = self._live.station(key)
        name = request.query_params.get("name") or station["main"]["key"] or "level"
        now_ms = self._live.now_ms()
        since_ms = _number(request, "since_ms", now_ms - hours * 3_600_000, 0, 2**53)
        columns = await self._ask(lambda reading: reading.series(*key, name, since_ms, 2**53, now_ms))
        found = next((q for q in station["quantities"] if q["name"] == name), None)
        key_of_name = split(name)[0]
        about = {
            "node": key[1],
            "district": key[0],
            "name": name,
            "label": found["label"] if found else display(key_of_name).label,
            "unit": found["unit"] if found else None,
            "key": key_of_name,
            "shown": drawn(key_of_name, found and found["unit"]),
            "now_ms": now_ms,
            "lines": found["limits"] if found else {},
        }
        return JSONResponse({**about, **columns})

    async def events(self, request: Request) -> Response:
        node, district = request.query_params.get("node"), request.query_params.get("district")
        limit = _number(request, "limit", 50, 1, 500)
        found = await self._ask(lambda reading: reading.events(limit, district, node))
        events = [{**event, "text": sentence(event)} for event in found]
        return JSONResponse({"now_ms": self._live.now_ms(), "events": events})

    async def health(self, request: Request) -> Response:
        told = self._live.health()
        return JSONResponse(told, 200 if told["ok"] else 503)

    async def stream(self, request: Request) -> Response:
        """Changes as they come. A browser that reconnects says by itself where it was; a new page says where it began."""
        place = request.headers.get("last-event-id") or request.query_params.get("after", "")
        queue = self._live.listen(place)
        if queue is None:
            return JSONResponse({"error": "too many pages are open"}, 503)
        packed = "gzip" in request.headers.get("accept-encoding", "")
        headers = {"x-accel-buffering": "no", "vary": "accept-encoding"} | (
            {"content-encoding": "gzip"} if packed else {}
        )

        async def told() -> AsyncIterator[bytes]:
            # Cards are alike: packed together with those before them they take a tenth.
            packer = zlib.compressobj(wbits=31) if packed else None
            text = "retry: 2000\n\n"
            try:
                while text:
                    data = text.encode()
                    yield packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH) if packer else data
                    text = await queue.get()
            finally:
                self._live.leave(queue)

        return StreamingResponse(told(), media_type="text/event-stream", headers=headers)


def make_app(config: Config, store: SqliteStore, live: Live, templates: Environment, ordering: Ordering) -> Starlette:
    """The application; `live` is watched elsewhere."""
    pages = Pages(config, store, live, templates)

    async def refused(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, 400 if isinstance(error, ValueError) else 503)

    routes = [
        Route("/", pages.page),
        Route("/api/stations", pages.stations),
        Route("/api/stations/{node}/series", pages.series),
        Route("/api/events", pages.events),
        Route("/api/health", pages.health),
        Route("/api/stream", pages.stream),
        *ordering.routes,
        Mount("/static", StaticFiles(directory=ROOM / "static")),
    ]
    middleware = [Middleware(Guarded), Middleware(GZipMiddleware, minimum_size=1000)]
    return Starlette(
        routes=routes,
        middleware=middleware,
        exception_handlers={ValueError: refused, StoreError: refused, Refusal: not_ordered},
    )


def _number(request: Request, name: str, default: int, least: int, most: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}")
    return int(text)

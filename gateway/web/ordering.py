"""Pages and API that change a station: only for people of the configuration, and only through `gateway.orders`.

A form counts when it comes from a page of ours (Origin), from who signed in (a cookie that scripts and other sites don't get), and holds the
session's own word. The API takes no cookie: name and key come with every request.
"""

import asyncio
import contextlib
import time
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway import ledger
from gateway.access import Access, Denied, Session
from gateway.config import Config
from gateway.district import Node
from gateway.intake import Intake
from gateway.orders import EXPIRES_S
from gateway.store import SqliteStore
from gateway.web import wanted

BODY_MOST = 32_768
FIELDS_MOST = 200
AUDIT_SHOWN = 100
COOKIE = "waspada"
SETTING = "s:"  # before a setting's key in a form
NOT_HERE = (
    "nobody may change anything here: the gateway's file names no people (waspada gateway --key-for NAME says how)"
)


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    """A request to the API."""

    do: str
    values: dict[str, str] = {}
    with_: int = msgspec.field(name="with", default=0)
    expires_s: int = EXPIRES_S[1]


class Refusal(Exception):
    """Status and a sentence."""

    def __init__(self, status: int, sentence: str, wait_s: int = 0) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = {"retry-after": str(wait_s)} if wait_s else {}


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


class Ordering:
    """Routes in `routes`."""

    def __init__(self, config: Config, store: SqliteStore, intake: Intake, templates: Environment) -> None:
        self._config = config
        self._store = store
        self._intake = intake
        self._templates = templates
        self._access = Access(config.people)
        station = "/stations/{district}/{node}/"
        self.routes = [
            Route("/sign-in", self.sign_in_page),
            Route("/sign-in", self.sign_in, methods=["POST"]),
            Route("/sign-out", self.sign_out, methods=["POST"]),
            Route("/audit", self.audit_page),
            Route(station + "settings", self.station_page),
            Route(station + "settings", self.want, methods=["POST"]),
            Route(station + "withdraw", self.withdraw, methods=["POST"]),
            Route(station + "command", self.command, methods=["POST"]),
            Route("/api/stations/{node}/orders", self.told),
            Route("/api/stations/{node}/orders", self.take, methods=["POST"]),
        ]

    # Who asks

    def _session(self, request: Request) -> Session | None:
        return self._access.session(request.cookies.get(COOKIE), wall_ms())

    async def _form(self, request: Request) -> dict[str, str]:
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            raise Refusal(415, "a form is sent as application/x-www-form-urlencoded")
        _from_here(request)
        body = await _body(request)
        try:
            return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MOST))
        except ValueError:
            raise Refusal(400, "the form can't be read") from None

    async def _signed(self, request: Request) -> tuple[str, dict[str, str]]:
        """Who sent this form, and the form."""
        form = await self._form(request)
        session = self._session(request)
        if session is None:
            raise Refusal(403, "sign in first: nobody is signed in, or it is more than eight hours ago")
        if not self._access.is_own_form(session, form.get("form", "")):
            raise Refusal(403, "this form is of an older page: load it again")
        return session.person, form

    def _node(self, district: str | None, name: str) -> Node:
        ingest = self._intake.ingest
        node = ingest.node_of(district, name) if district else ingest.only_node(name)
        if node is None:
            raise Refusal(
                404, f"there is no station {name[:40]}" + ("" if district else ", or several: say the district")
            )
        return node

    def _node_of(self, request: Request) -> Node:
        return self._node(request.path_params["district"], request.path_params["node"])

    async def _commit(self) -> None:
        """An order is on disk before it is sent."""
        await self._intake.keep_now()
        if self._intake.trouble is not None:
            raise Refusal(503, f"not sent before it can be kept: {self._intake.trouble}")

    def _can_keep(self) -> None:
        if self._intake.trouble is not None:
            raise Refusal(503, f"nothing can be ordered now: {self._intake.trouble}")

    # Signing in

    async def sign_in_page(self, request: Request) -> Response:
        return self._sign_in_page(request, None)

    def _sign_in_page(self, request: Request, problem: str | None, status: int = 200, headers: Any = None) -> Response:
        session = self._session(request)
        text = self._templates.get_template("sign-in.html").render(
            title=self._config.title,
            problem=problem if self._access.anybody else NOT_HERE,
            anybody=self._access.anybody,
            person=session.person if session else None,
            form=session.form if session else "",
            next=_own_path(request.query_params.get("next", "/")),
        )
        return HTMLResponse(text, status, headers)

    async def sign_in(self, request: Request) -> Response:
        form = await self._form(request)
        address = request.client.host if request.client else ""
        try:
            person = self._access.person(form.get("name", ""), form.get("key", ""), address, wall_ms())
        except Denied as denied:
            wait = {"retry-after": str(denied.wait_s)} if denied.wait_s else None
            return self._sign_in_page(request, str(denied), 429 if denied.wait_s else 403, wait)
        answer = RedirectResponse(_own_path(form.get("next", "/")), 303)
        secure = request.url.scheme == "https"
        token = self._access.sign_in(person, wall_ms())
        answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=secure, path="/")
        return answer

    async def sign_out(self, request: Request) -> Response:
        await self._signed(request)
        self._access.sign_out(request.cookies.get(COOKIE))
        answer = RedirectResponse("/", 303)
        answer.delete_cookie(COOKIE, path="/")
        return answer

    # A station

    async def station_page(self, request: Request) -> Response:
        return await self._station_page(request)

    async def _station_page(
        self, request: Request, problem: str | None = None, typed: dict[str, str] | None = None, status: int = 200
    ) -> Response:
        node = self._node_of(request)
        desk = self._intake.ingest.orders.desk(node)
        session = self._session(request)
        told = self._config.stations.get(node.name)
        text = self._templates.get_template("settings.html").render(
            title=self._config.title,
            station=told.title if told and told.title else node.name,
            node=node,
            about=wanted.about(desk),
            groups=wanted.groups(desk, typed),
            problem=problem,
            audit=await self._audit((node.district, node.name)),
            person=session.person if session else None,
            form=session.form if session else "",
            anybody=self._access.anybody,
        )
        return HTMLResponse(text, status)

    async def _audit(self, station: tuple[str, str] | None) -> list[dict[str, Any]]:
        """On a connection of its own, as all questions."""
        if self._store.path == ":memory:":
            return ledger.audit(self._store.connection(), station, AUDIT_SHOWN)

        def answer() -> list[dict[str, Any]]:
            with contextlib.closing(self._store.connection()) as db:
                return ledger.audit(db, station, AUDIT_SHOWN)

        return await asyncio.to_thread(answer)

    async def audit_page(self, request: Request) -> Response:
        text = self._templates.get_template("audit.html").render(
            title=self._config.title, audit=await self._audit(None)
        )
        return HTMLResponse(text)

    async def want(self, request: Request) -> Response:
        person, form = await self._signed(request)
        node = self._node_of(request)
        orders = self._intake.ingest.orders
        typed = {key.removeprefix(SETTING): word for key, word in form.items() if key.startswith(SETTING)}
        self._can_keep()
        try:
            orders.desire(node, wanted.changes(orders.desk(node), typed), person, wall_ms())
        except (ValueError, KeyError) as problem:
            return await self._station_page(request, _words(problem), typed, 400)
        return await self._done(request)

    async def withdraw(self, request: Request) -> Response:
        person, _ = await self._signed(request)
        self._can_keep()
        try:
            self._intake.ingest.orders.withdraw(self._node_of(request), person, wall_ms())
        except ValueError as problem:
            return await self._station_page(request, _words(problem), status=400)
        return await self._done(request)

    async def command(self, request: Request) -> Response:
        person, form = await self._signed(request)
        node = self._node_of(request)
        self._can_keep()
        number = form.get("with", "0")
        try:
            if not (number.isascii() and number.isdecimal() and len(number) < 10):
                raise ValueError("a command's number is a whole number")
            self._intake.ingest.orders.command(node, form.get("do", ""), int(number), person, wall_ms())
        except ValueError as problem:
            return await self._station_page(request, _words(problem), status=400)
        return await self._done(request)

    async def _done(self, request: Request) -> Response:
        await self._commit()
        path = f"/stations/{request.path_params['district']}/{request.path_params['node']}/settings"
        return RedirectResponse(path, 303)

    # The API

    async def told(self, request: Request) -> Response:
        node = self._node(request.query_params.get("district"), request.path_params["node"])
        return JSONResponse(wanted.about(self._intake.ingest.orders.desk(node)))

    async def take(self, request: Request) -> Response:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        name, _, key = given.strip().partition(":")
        if scheme.lower() != "bearer" or not key:
            raise Refusal(401, "say who you are: Authorization: Bearer NAME:KEY")
        if not self._access.anybody:
            raise Refusal(403, NOT_HERE)
        try:
            person = self._access.person(name, key, request.client.host if request.client else "", wall_ms())
        except Denied as denied:
            raise Refusal(429 if denied.wait_s else 403, str(denied), denied.wait_s) from None
        try:
            wish = msgspec.json.decode(await _body(request), type=Wish)
        except (msgspec.MsgspecError, ValueError, RecursionError) as problem:
            raise Refusal(400, f"the order can't be read: {problem}") from None
        node = self._node(request.query_params.get("district"), request.path_params["node"])
        orders = self._intake.ingest.orders
        self._can_keep()
        try:
            if wish.do == "set":
                order = orders.desire(node, wish.values, person, wall_ms())
            else:
                order = orders.command(node, wish.do, wish.with_, person, wall_ms(), wish.expires_s)
        except (ValueError, KeyError) as problem:
            raise Refusal(400, _words(problem)) from None
        await self._commit()
        return JSONResponse(wanted.order_of(order), 202)


async def refused(request: Request, error: Exception) -> Response:
    """A sentence, for the API as JSON."""
    assert isinstance(error, Refusal)
    return JSONResponse({"error": str(error)}, error.status, error.headers)


async def _body(request: Request) -> bytes:
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > BODY_MOST:
            raise Refusal(413, f"more than {BODY_MOST} bytes")
    return data


def _from_here(request: Request) -> None:
    """A browser says which page sent a form: only ours may."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Refusal(403, "the form comes from another site")


def _own_path(path: str) -> str:
    """A path here, never another site's address."""
    return quote(path, safe="/-._~") if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


def _words(problem: Exception) -> str:
    return str(problem.args[0]) if problem.args else "it can't be used"

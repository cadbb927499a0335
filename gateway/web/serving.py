"""The page inside the gateway's own process: uvicorn on a socket that is already open."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn

from gateway.config import Config
from gateway.intake import Intake
from gateway.reading import Reading
from gateway.store import SqliteStore
from gateway.web.app import card_of, environment, make_app
from gateway.web.live import Live
from gateway.web.ordering import Ordering

GOODBYE_S = 2


class Server(uvicorn.Server):
    """Leaves signals to the gateway."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Page:
    """Made with an open store; `run` serves until cancelled."""

    def __init__(self, config: Config, store: SqliteStore, intake: Intake, listener: socket.socket) -> None:
        host, port = listener.getsockname()[:2]
        self.address = f"http://{host}:{port}/"
        self._listener = listener
        templates = environment()
        self._live = Live(config, Reading(store.connection()), intake, card_of(templates))
        app = make_app(config, store, self._live, templates, Ordering(config, store, intake, templates))
        settings = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=GOODBYE_S
        )
        self._server = Server(settings)

    async def run(self) -> None:
        serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        watching = asyncio.create_task(self._live.watch())
        try:
            done, _ = await asyncio.wait([serving, watching], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            watching.cancel()
            self._live.close()
            self._server.should_exit = True
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(serving, 2 * GOODBYE_S)

"""The whole gateway in one asyncio process: intake, page, and an end that loses nothing."""

import asyncio
import contextlib
import signal
import socket
import sys
from typing import Any

from gateway.config import Config, ConfigError
from gateway.connection import why
from gateway.ingest import Ingest
from gateway.intake import Intake, wall_ms
from gateway.store import SqliteStore, StoreError


def run(config: Config) -> dict[str, Any]:
    """Serve until SIGINT or SIGTERM; what was done. ConfigError: it can't be started."""
    listener = _listener(config)
    try:
        try:
            store = SqliteStore(config.database)
        except StoreError as error:
            raise ConfigError(str(error)) from None
        try:
            return asyncio.run(serve(config, store, listener))
        finally:
            store.close()
    finally:
        if listener is not None:
            listener.close()


def _listener(config: Config) -> socket.socket | None:
    if not config.web.port:
        return None
    address = (config.web.host, config.web.port)
    try:
        return socket.create_server(address, backlog=128)
    except OSError as error:
        where = f"{address[0]}:{address[1]}"
        raise ConfigError(f"the page can't be served at {where} ({why(error)}): choose another web.port") from None


async def serve(config: Config, store: SqliteStore, listener: socket.socket | None) -> dict[str, Any]:
    """Until a signal; then commit what is waiting and say goodbye."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    ingest = Ingest(store, config.district)
    intake = Intake(ingest, config)
    began_ms = wall_ms()
    tasks = [asyncio.create_task(intake.run())]
    page = "none"
    if listener is not None:
        from gateway.web.serving import Page

        served = Page(config, store, intake, listener)
        tasks.append(asyncio.create_task(served.run()))
        page = served.address
    said = f"gateway: page at {page}, broker {config.broker.host}:{config.broker.port}, database {config.database}"
    print(said, file=sys.stderr, flush=True)
    waiting = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        await intake.close()
    finally:
        waiting.cancel()
        for task in reversed(tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    return {**ingest.counts, "waiting": ingest.waiting, "ran_s": (wall_ms() - began_ms) // 1000}

"""The whole gateway in one asyncio process: intake, page, and an end that loses nothing."""

import asyncio
import contextlib
import signal
import socket
import sys
from typing import Any

from gateway.config import Config, ConfigError
from gateway.connection import NOT_YET, why
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
    page = "no page"
    if listener is not None:
        from gateway.web.serving import Page

        served = Page(config, store, intake, listener)
        tasks.append(asyncio.create_task(served.run()))
        page = f"page at {served.address}"
    said = f"gateway: {page}, broker {config.broker.host}:{config.broker.port}, database {config.database}"
    print(said, file=sys.stderr, flush=True)
    _tell_of_the_broker(intake)
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


def _tell_of_the_broker(intake: Intake) -> None:
    """One line on stderr whenever the broker becomes unusable, for another reason, or usable again."""
    before = intake.on_change
    said = intake.readings.trouble

    def tell() -> None:
        nonlocal said
        before()
        trouble = intake.readings.trouble or intake.event.trouble
        if trouble in (said, NOT_YET):
            return
        said = trouble
        broker = ":".join(map(str, intake.readings.address))
        what = f"connected to the broker at {broker}" if trouble is None else f"{trouble}; trying again"
        print(f"gateway: {what}", file=sys.stderr, flush=True)

    intake.on_change = tell

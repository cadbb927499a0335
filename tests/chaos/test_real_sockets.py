"""The whole firmware in the real VM, TLS to a real mosquitto through a line that breaks, the real gateway behind: nothing is lost, nothing twice.

Time in the VM runs twenty times as fast, so that the minute after which a connection is tried again is three seconds. WASPADA_SEED chooses another course.
"""

import json
import os
import random
import signal
import threading
import time

import pytest

from tests.board.station import describe
from tests.board.test_main_in_vm import Vm
from tests.broker import free_port, tls_lines
from tests.chaos.proxy import KINDS, Proxy
from tests.gateway.running import Broker, Gateway, wait_until
from tests.tls.authority import Authority, install

pytestmark = [pytest.mark.vm, pytest.mark.broker]

HOST = "gateway.example"
LIFE = "5eed0001"
SPEED = 20
STEP_MS = 20
KILLS = ("kill the broker", "kill the broker with its queue")
FAULTS = (*KINDS[1:], "stop the broker", *KILLS)

# What main.py does, with time that runs and steps that are timed. Key arithmetic (opening and securing) is counted apart, and what
# this machine let the VM wait for a processor is no step's.
STATION = """
import json
import os
import time
import machine
import main
from node.esp32 import clock as clocks
from node.esp32.link import Link
from node.app import App

SPEED = {speed}

class Fast:
    gmtime = time.gmtime
    sleep_us = time.sleep_us
    def ticks_ms(self):
        return time.ticks_ms() * SPEED % (1 << 30)
    def ticks_diff(self, later, earlier):
        return (later - earlier + (1 << 29)) % (1 << 30) - (1 << 29)
    def ticks_add(self, ticks, ms):
        return (ticks + ms) % (1 << 30)
    def sleep_ms(self, ms):
        time.sleep_ms(max(1, ms // SPEED))

clocks.time = machine.time = main.time = Fast()
clocks.Clock.hint = lambda self, unix_s: None  # the gateway's seconds are twenty times as long

try:
    schedule = open("/proc/self/schedstat")
except OSError:
    schedule = None
def waited_us():
    if not schedule:
        return 0
    schedule.seek(0)
    return int(schedule.read().split()[1]) // 1000

longest = [0, 0, 0]  # us: a step without key arithmetic, key arithmetic, connections that came up
keys = 0

class Timed(Link):
    def _timed(self, call):
        global keys
        began = time.ticks_us() - waited_us()
        call()
        us = time.ticks_us() - waited_us() - began
        keys += us
        longest[1] = max(longest[1], us)
    def open(self):
        self._timed(super().open)
    def secure(self):
        self._timed(super().secure)
    def _rise(self):
        longest[2] += 1
        super()._rise()

steps = []
reasons = {{}}
class Watched(App):
    def step(self, now_ms):
        global keys
        keys = 0
        began = time.ticks_us() - waited_us()
        due = super().step(now_ms)
        us = time.ticks_us() - waited_us() - began - keys
        longest[0] = max(longest[0], us)
        steps.append(us)
        if len(steps) > 2000:
            steps.sort()
            del steps[:1000]
        return due

main.Link = Timed
main.App = Watched
{planted}
real_idle = main.idle
said = ""
seen = ""
def idle(app, ports, *rest):
    global said, seen
    if ports.link.reason != seen:
        seen = ports.link.reason
        reasons[seen] = reasons.get(seen, 0) + 1
    if app.logs:
        now = [[log.boot, log.seq] for log in app.logs]
        mark = [list(mark) for mark in app.uplink.mark] if app.uplink else []
        text = json.dumps([now, mark, longest, reasons, sorted(steps)[-5:]])
        if text != said:
            said = text
            with open("world/report.tmp", "w") as file:
                file.write(text)
            os.rename("world/report.tmp", "world/report")
    real_idle(app, ports, *rest)
main.idle = idle
main.run("")
"""


class Report:
    def __init__(self, folder):
        self._path = folder / "world" / "report"

    def read(self):
        try:
            return json.loads(self._path.read_text())
        except FileNotFoundError:
            return [[[0, 0], [0, 0]], [], [0, 0, 0], {}, []]

    def all_committed(self):
        now, marks = self.read()[:2]
        return bool(marks) and now == marks


def turns(draw, seconds):
    """(how long, what) until so much time has passed: every fault at least once, good times between."""
    waiting = [draw.choice(KILLS), "lose"]  # also in a short life
    while seconds > 0:
        waiting = waiting or draw.sample(FAULTS, len(FAULTS))
        for what, span in ((waiting.pop(), draw.uniform(0.3, 1.4)), ("pass", draw.uniform(0.5, 3.5))):
            yield span, what
            seconds -= span


def live(folder, draw, course, planted):
    """Lives through it; (what was appended, what is stored, the last report, the proxy, the faults)."""
    authority = Authority()
    install(folder, authority.root, authority.client("demo-dr01"))
    (folder / "broker.address").write_text(f"{HOST} 127.0.0.1 \n")
    secure_port = free_port()
    pem = authority.root.pem(folder, "ca")[0], *authority.server(HOST).pem(folder, "server")
    extra = f"persistence false\nlistener {secure_port} 127.0.0.1\n{tls_lines(*pem)}"
    report = Report(folder)
    pause = threading.Event()
    happened = []
    with Broker(folder, extra) as broker, Gateway(folder, broker.port) as gateway, Proxy(secure_port, draw) as proxy:
        describe(folder, proxy.port, broker={"host": HOST, "port": proxy.port, "tls": 1})
        with Vm(folder, STATION.format(speed=SPEED, planted=planted)) as vm:
            vm.until(b"waspada station dr01")
            wait_until(lambda: report.read()[1] and report.read()[1][0][1] > 0, 20, "the first record's mark")
            for span, what in course:
                (folder / "world" / "range_mm").write_text(str(draw.choice((2700, 3246, 3600, 4200))))
                happened.append(what)
                if what == "stop the broker":
                    broker._process.send_signal(signal.SIGSTOP)
                    pause.wait(span)
                    broker._process.send_signal(signal.SIGCONT)
                elif what == "kill the broker":
                    broker.kill()
                    pause.wait(span)
                    broker.start()
                elif what == "kill the broker with its queue":
                    gateway.kill()
                    pause.wait(span)  # the broker says PUBACK, and keeps it for a gateway that is away
                    broker.kill()
                    broker.start()
                    gateway.start()
                else:
                    proxy.turn(what)
                    pause.wait(span)
            proxy.turn("pass")
            (folder / "world" / "range_mm").write_text("4200")
            began = time.monotonic()
            wait_until(report.all_committed, 60, "that all is committed")
            print(f"all committed {time.monotonic() - began:.1f} s after the last fault")
            # the station goes on sampling: what was committed when we looked is what counts
            last = report.read()
            vm.process.kill()
            vm.process.wait()
            assert b"Traceback" not in vm.output, vm.output.decode()
        appended = {(stream, boot, seq) for stream, (boot, top) in enumerate(last[0]) for seq in range(1, top + 1)}
        stored = gateway.rows("SELECT stream, boot, seq, up_ms FROM records ORDER BY id")
        assert gateway.count("quarantine") == 0
        return appended, stored, last, proxy, happened


def judge(folder, seconds, course=None, planted=""):
    seed = int(os.environ.get("WASPADA_SEED") or random.SystemRandom().randrange(1 << 30))
    print(f"WASPADA_SEED={seed}")
    draw = random.Random(seed)
    appended, stored, last, proxy, happened = live(folder, draw, course or turns(draw, seconds), planted)
    longest_us, key_us, connections = last[2]
    faults = {what: happened.count(what) for what in FAULTS}
    print(f"{len(appended)} records, {proxy.connections} calls, {connections} connections, faults {faults}")
    print(
        f"went down by {last[3]}; longest step {longest_us / 1000} ms, next {last[4]} us, key arithmetic {key_us / 1000} ms"
    )
    made_ms = {row[:3]: row[3] for row in stored}
    for stream in (0, 1):
        made = [made_ms[key] for key in sorted(made_ms) if key[0] == stream]
        assert made == sorted(made), "in the stream's order they were not made"
    stored = [row[:3] for row in stored]
    kept = [key for key in stored if key in appended]
    assert sorted(kept) == sorted(appended), "lost, or stored twice"
    assert len(set(stored)) == len(stored)
    assert all(key[2] - 8 <= max(a[2] for a in appended if a[0] == key[0]) for key in stored)
    assert connections >= 3 and len(last[3]) >= 2, "the line was never really broken"
    return longest_us / 1000


def test_after_a_bad_line_and_a_dying_broker_everything_is_there_once(tmp_path):
    assert judge(tmp_path, 14) < STEP_MS


BELIEVES_THE_BROKER = """
from node.uplink import Uplink
real_acked = Uplink._acked
def acked(self, token):
    real_acked(self, token)
    if token and token[1] > self.mark[token[0]]:
        self.mark[token[0]] = token[1]
        self._move[token[0]] = 1
Uplink._acked = acked
Uplink._committed = lambda self, message: None
"""


def test_a_station_that_takes_a_puback_for_kept_would_be_found(tmp_path):
    course = ((1.5, "kill the broker with its queue"), (1, "refuse"), (3, "pass"))
    with pytest.raises(AssertionError, match="lost, or stored twice"):
        judge(tmp_path, 0, course, BELIEVES_THE_BROKER)


@pytest.mark.once
@pytest.mark.parametrize("course", range(3))
def test_three_minutes_of_a_bad_line(tmp_path, course):
    assert judge(tmp_path, 200) < STEP_MS

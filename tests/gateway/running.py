"""A real gateway process and a real broker that can die, for tests."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import paho.mqtt.client as mqtt

from tests.broker import CONFIG, free_port, mosquitto_path

ROOT = Path(__file__).parents[2]
WITHIN_S = 60


def wait_until(true, within_s=WITHIN_S, what="it"):
    """Ask until it is so; the rim, where other processes live in their own time."""
    pause = threading.Event()
    deadline = time.monotonic() + within_s
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {within_s} s")
        pause.wait(0.01)


class Gateway:
    """`waspada gateway` as a process; web port 0 is ingest only."""

    def __init__(self, folder, broker_port, more="", web_port=0):
        self.database = Path(folder) / "kept.db"
        self.web_port = web_port
        self._config = Path(folder) / "gateway.toml"
        self._config.write_text(f'database = "kept.db"\nbroker.port = {broker_port}\nweb.port = {web_port}\n{more}')
        self._process = None
        self.said = []

    def start(self):
        env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'firmware'}"}
        command = [sys.executable, "-m", "waspada", "gateway", "--config", str(self._config)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=env)
        line = self._process.stderr.readline()
        assert line.startswith(("gateway: page at", "gateway: no page")), line + self._process.stderr.read()
        threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True).start()
        return self

    def _listen(self, stream):
        with contextlib.suppress(ValueError):
            self.said.extend(stream)

    def signal(self, number):
        """Ends with this signal; its exit code."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.send_signal(number)
        try:
            return process.wait(WITHIN_S)
        finally:
            process.kill()
            process.wait()

    def kill(self):
        return self.signal(signal.SIGKILL)

    def stop(self):
        return self.signal(signal.SIGTERM)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def rows(self, sql):
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=5)) as db:
            return db.execute(sql).fetchall()

    def count(self, table="records"):
        try:
            return self.rows(f"SELECT COUNT(*) FROM {table}")[0][0]
        except sqlite3.OperationalError:
            return 0

    def ask(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}{path}", timeout=10) as answer:
            return json.load(answer)


class Broker:
    """A mosquitto that keeps nothing on disk and can be killed."""

    def __init__(self, folder, extra=""):
        self.port = free_port()
        self._config = Path(folder) / "broker.conf"
        user = "user root\n" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
        self._config.write_text(CONFIG.format(port=self.port, user=user, extra=extra))
        self._process = None

    def start(self):
        self._process = subprocess.Popen(
            [mosquitto_path(), "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(self._answers, 10, "the broker's start")
        return self

    def _answers(self):
        import socket

        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        return False

    def kill(self):
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()


@contextlib.contextmanager
def publisher(port, client_id="tester"):
    """A connected paho client; it sends again after a reconnect what was not acknowledged."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id)
    client.max_inflight_messages = 500
    client.max_queued_messages = 0
    client.reconnect_delay_set(0.05, 0.2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()

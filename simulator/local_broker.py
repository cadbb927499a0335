"""A broker of our own on a loopback port: mosquitto if this machine has it, else the embedded one (amqtt), so that the demo needs nothing but Python."""

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from simulator.errors import InputError

_READY_S = 20.0
MOSQUITTO_LIMITS = "max_inflight_messages 1000\nmax_queued_messages 0\n"


def find_mosquitto() -> str | None:
    """The program, also where Debian keeps it from ordinary users' paths."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port(preferred: int = 0) -> int:
    """`preferred` if nothing listens there, else any free loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class LocalBroker:
    """One broker process; it can be stopped and started again on the same port. `kind` is mosquitto or embedded."""

    def __init__(self, folder: Path, kind: str | None = None) -> None:
        self._program = find_mosquitto()
        if kind == "mosquitto" and self._program is None:
            raise InputError("no mosquitto on the PATH or in /usr/sbin; install it, or use --broker embedded")
        self.kind = kind or ("mosquitto" if self._program else "embedded")
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers. InputError when it does not."""
        log = self._folder / "broker.log"
        if self.kind == "mosquitto" and self._program:
            config = self._folder / "mosquitto.conf"
            config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n{MOSQUITTO_LIMITS}")
            command = [self._program, "-c", str(config)]
        else:
            command = [sys.executable, "-m", "simulator.embedded_broker", str(self.port)]
        with log.open("ab") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                probe.settimeout(1.0)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)  # the rim: another process is starting
        self.stop()
        raise InputError(f"the {self.kind} broker did not answer on port {self.port}; its log is {log}")

    def stop(self) -> None:
        """End it by its process id; what it had queued is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

"""A real mosquitto for tests, on a free loopback port."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

READY_WITHIN_S = 10
STOPPED_WITHIN_S = 5

CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous true
max_inflight_messages 1000
max_queued_messages 0
{user}{extra}
"""


def tls_lines(authority: Path, certificate: Path, key: Path, revoked: Path | None = None) -> str:
    """Configuration for TLS that wants a certificate of every client; all are PEM files."""
    lines = f"cafile {authority}\ncertfile {certificate}\nkeyfile {key}\nrequire_certificate true\n"
    return lines + (f"crlfile {revoked}\n" if revoked else "")


def mosquitto_path() -> str | None:
    """The broker's program: on the PATH, or where Debian puts it."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A loopback TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(port: int, process: subprocess.Popen, deadline: float) -> bool:
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        except OSError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
    return False


@contextlib.contextmanager
def mosquitto(tmp_path, extra_config: str = "", port: int = 0):
    """Run a broker while the block runs; gives its port.

    `extra_config`: more lines for its configuration (max_inflight_messages 0 and so on override ours).
    `port`: the same port again, for a broker that comes back; 0 chooses a free one.
    The log is `tmp_path/mosquitto-PORT.log`. RuntimeError, with the log, if it does not answer in time.
    """
    program = mosquitto_path()
    if program is None:
        raise RuntimeError("mosquitto is not installed: apt-get install mosquitto")
    folder = Path(tmp_path)
    user = "user root\n" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
    for _ in range(3):
        chosen = port or free_port()
        config = folder / f"mosquitto-{chosen}.conf"
        config.write_text(CONFIG.format(port=chosen, user=user, extra=extra_config))
        log_path = folder / f"mosquitto-{chosen}.log"
        with open(log_path, "ab") as log:
            process = subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=subprocess.STDOUT)
        try:
            if _answers(chosen, process, time.monotonic() + READY_WITHIN_S):
                yield chosen
                return
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(STOPPED_WITHIN_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        if port:
            break
    raise RuntimeError("mosquitto did not start:\n" + log_path.read_text())

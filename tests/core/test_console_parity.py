"""A recorded dialogue, said the same to the byte by both interpreters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import vm64

ROOT = Path(__file__).parents[2]
STATION = ROOT / "simulator" / "runtimes" / "measured_station.py"

DIALOGUE = (
    b"help\rshow\rstatus\rget level.danger\rset level.danger 140cm\rset rise.window 20 min\rset level.alert 9\rdiff\rsave\rset level.alert 0.5\rsave\r",
    b"hexx\b\blp save\r\x1b[A\r\x1b[A\x1b[B\rsho\t\rset sens\t 4.6 m\rrevert\rset x 1\rset level.danger 1.2345\rset siren.from 1 m\rget\rfoo\r",
    b"language ms\rhelp level.danger\rset level.danger 99\rlanguage id\rsave\rlanguage ja\rshow level\rlanguage\rlanguage xx\rlanguage en\r",
    b"ack\rshelve 5\rshelve 9999\rdrill 4\rtest\rtest off\rlog 20\rlog 3 readings\rlogin 123\rset wifi.key 12345678\rrevert\rset wifi.key 123\r",
    b"machine\rstatus\rexport settings\rexport events\rexport events 1 2\rexport readings\rexport events x\rget x\rset\rmaintenance\r\x15nonsense\rlogout\r",
    b"\xff\xfe\x80" + b"x" * 200 + b"\r\x03\x03\x03reboot now\rreboot\r",
)  # fmt: skip
SCRIPT = """
class Cable:
    typed = b""
    said = b""
    def read_into(self, buffer):
        count = min(len(buffer), len(self.typed))
        for i in range(count):
            buffer[i] = self.typed[i]
        self.typed = self.typed[count:]
        return count
    def write(self, data):
        self.said += data
ports = Ports()
ports.console = Cable()
app = make(ports)
ports.clock.unix = 1528063200000
now = run(app, 0, 100)
for part in DIALOGUE:
    ports.console.typed = part
    for _ in range(5000):
        now = run(app, now, 1)
        if not ports.console.typed and not app._console._answer and not app._console._out:
            break
    print(len(part), repr(bytes(ports.console.said)))
    ports.console.said = b""
"""


@pytest.mark.vm
def test_micropython_answers_the_same_to_the_byte(tmp_path):
    text = STATION.read_text(encoding="utf-8") + f"\nDIALOGUE = {DIALOGUE!r}\n" + SCRIPT
    script = tmp_path / "dialogue.py"
    script.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ, PYTHONPATH=str(ROOT / "firmware")),
    )
    assert done.returncode == 0, done.stderr
    assert "saved, revision 2" in done.stdout and "begin 1 events" in done.stdout
    assert vm64.run(text, heapsize="4m") == done.stdout

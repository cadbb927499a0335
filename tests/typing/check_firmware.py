"""Checks firmware/ against MicroPython 1.25's own type stubs: a call that the board does not have is found here.

Newer stubs offer what 1.25 lacks (`Counter`, `PCNT`), so the version is fixed.
The stubs are installed into typings/, which git ignores.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STUBS = ("micropython-esp32-stubs==1.25.0.post5", "micropython-stdlib-stubs==1.29.0.post2")


def install(target: Path = ROOT / "typings") -> None:
    if (target / "machine.pyi").exists() and (target / "stdlib").is_dir():
        return
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), *STUBS]
    subprocess.run(command, check=True)


def check() -> int:
    install()
    config = Path(__file__).with_name("firmware.ini")
    command = [sys.executable, "-m", "mypy", "--config-file", str(config), str(ROOT / "firmware")]
    return subprocess.run(command, check=False, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(check())

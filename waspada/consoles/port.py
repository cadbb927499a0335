"""A serial port found and opened so that the board behind it goes on, and what is said when that fails."""

import errno
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import serial
from serial.tools import list_ports

from simulator.errors import InputError

BAUD = 115200


class GoneError(Exception):
    """The station does not answer any more: one sentence, exit code 1. Nothing is half done on it."""


def candidates(ports: Iterable[Any] | None = None) -> list[Any]:
    """The ports behind which a board may be: those of USB, in order."""
    found = list_ports.comports() if ports is None else ports
    return sorted((port for port in found if port.vid is not None), key=lambda port: str(port.device))


def told(port: Any) -> str:
    """`/dev/ttyUSB0 (10c4:ea60 CP2102)`: a port as people tell it from its neighbours."""
    ids = f"{port.vid:04x}:{port.pid or 0:04x}"
    name = port.product or port.description or ""
    serial_number = f" serial {port.serial_number}" if port.serial_number else ""
    return f"{port.device} ({' '.join(filter(None, (ids, '' if name == 'n/a' else name)))}{serial_number})"


def found_port(ports: Iterable[Any] | None = None) -> str:
    """The only port there is. InputError names them when there are several, and says what to do when there is none."""
    found = candidates(ports)
    if not found:
        raise InputError(
            "no board is at any USB port: plug it in (some cables only charge), check its driver, or name the port"
        )
    if len(found) > 1:
        raise InputError(f"several ports may be meant, name one: {'; '.join(told(port) for port in found)}")
    return str(found[0].device)


def ports_here() -> str:
    found = sorted(port.device for port in list_ports.comports())
    return (
        "ports here: " + ", ".join(found) if found else "no serial port is here: plug the board in, or check its driver"
    )


def open_port(name: str, baud: int = BAUD) -> serial.Serial:
    """The port, opened so that the board behind it goes on: DTR and RTS would reset it. InputError names what is there."""
    host_and_port = _host_and_port(name)
    try:
        port = serial.serial_for_url(name, baudrate=baud, timeout=0.05, dsrdtr=False, rtscts=False, do_not_open=True)
        if not name.startswith("rfc2217://"):  # which has none
            port.write_timeout = 5
        if "://" not in name:
            port.exclusive = True
        port.dtr = False
        port.rts = False
        port.open()
        return port
    except (serial.SerialException, OSError, ValueError) as error:
        raise InputError(_why(name, host_and_port, error)) from None


def _why(name: str, host_and_port: str | None, error: Exception) -> str:
    why = str(error)
    number = _number(error)
    if "exclusively lock" in why or "PermissionError" in why or number in (errno.EBUSY, errno.EAGAIN):
        return f"{name} is in use by another program: close it and try again"
    if number == errno.EACCES:
        return (
            f"{name} may not be opened by this user: join its group (sudo usermod -aG dialout $USER) and log in again"
        )
    if host_and_port and number == errno.ECONNREFUSED:
        return f"nobody listens at {host_and_port}: start the program that serves {name}"
    if "://" in name:
        return f"{name} can't be opened ({why}); is the program at its other end running?"
    if number in (errno.ENOTTY, errno.EISDIR, errno.EINVAL):
        return f"{name} is no serial port; {ports_here()}"
    return f"{name} can't be opened; {ports_here()}"


def _host_and_port(name: str) -> str | None:
    """Of a port that is a network address."""
    scheme = name.partition("://")[0]
    if scheme not in ("socket", "rfc2217") or "://" not in name:
        return None
    try:
        parts = urlsplit(name)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InputError(f"{name}: its port must be 1 to 65535; write {scheme}://host:port") from None
    if not host or not port:
        raise InputError(f"{name} has no {'port' if host else 'host'}; write {scheme}://host:port")
    return f"{host}:{port}"


def _number(error: Exception) -> int | None:
    """The system's error number; pyserial keeps some of them in its words only."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    found = re.search(r"Errno (\d+)\b|\((\d+), '", str(error))
    return int(found[1] or found[2]) if found else None

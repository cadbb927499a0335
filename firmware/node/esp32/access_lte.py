"""LTE: a modem on a UART, its AT dialogue (node.core.modem), then PPP in the chip's own network stack."""

import network
from machine import UART, Pin

from node.core.clock import diff
from node.core.modem import Modem

_LOOKS = 16  # at the UART, each time
_NEGOTIATES_MS = 75_000  # lwIP's PPP gives up by itself before: then closing it waits for nobody
_PROVES_MS = 60_000  # a call that stands so long was worth dialling
_WORTHLESS = 3  # connections in a row that failed: the call stands and carries nothing


class Lte:
    """`lte`: uart (rx, tx; number, baud), apn; where needed user and key, power (the pin of the power key), pin (the SIM's), supply (a pin that is
    high while the modem has its supply) and low (pins that are kept low: its reset and its DTR).
    """

    def __init__(self, clock, lte: dict, seed: int):
        self._clock = clock
        pins = lte["uart"]
        # The chip pulls a strapping pin up until someone drives it: the modem would stay in reset.
        for number in lte.get("low", ()):
            Pin(number, Pin.OUT, value=0, hold=False)  # type: ignore[call-arg]
        if "supply" in lte:  # a strapping pin may be driven from here on: it was read at reset
            Pin(lte["supply"], Pin.OUT, value=1, hold=False)  # type: ignore[call-arg]
        self._uart = UART(
            pins.get("number", 2), baudrate=pins.get("baud", 115200), rx=pins["rx"], tx=pins["tx"], rxbuf=2048, timeout=0,
        )  # fmt: skip
        self._power = Pin(lte["power"], Pin.OUT, value=0, hold=False) if "power" in lte else None  # type: ignore[call-arg]
        self._user = lte.get("user", "")
        self._key = lte.get("key", "")
        self._modem = Modem(lte["apn"], lte.get("pin", ""), seed)
        self._buffer = bytearray(128)
        self._ppp: network.PPP | None = None
        self._since = 0  # PPP began to negotiate
        self._stood = False
        self._over = False  # PPP has to be closed, when there is time

    @property
    def reason(self) -> str:
        return "" if self._stood else self._modem.reason or "no network"

    def up(self) -> bool:
        now = self._clock.ticks_ms()
        modem = self._modem
        if modem.data:
            return self._call(now)
        for _ in range(_LOOKS):
            count = self._uart.readinto(self._buffer)
            if not count:
                break
            modem.receive(now, self._buffer, count)
            if modem.data:  # the rest is PPP's
                return False
        modem.step(now)  # after reading: an answer that waited was not late
        if modem.out:
            self._uart.write(modem.out)
            modem.out = bytearray()
        if self._power:
            self._power.value(modem.key)
        return False

    def begin(self, failures: int) -> None:
        """Closes a call that is of no use. While the modem is silent this takes the image's PPP up to 4 s."""
        if self._ppp and (self._over or (failures and failures % _WORTHLESS == 0)):
            self._drop()

    def name_server(self) -> str:
        return self._ppp.ifconfig()[3] if self._ppp else ""

    def signal(self) -> int:
        return self._modem.signal

    def close(self) -> None:
        if self._ppp:
            _shut(self._ppp)
        self._ppp = None
        self._stood = self._over = False

    def _call(self, now: int) -> bool:
        """One of four things is so: PPP begins, negotiates, stands, or is over."""
        if not self._ppp:
            self._since = now
            try:
                # A new one for each call: on the ESP32 a PPP that was closed is not opened again.
                self._ppp = _opened(network.PPP(self._uart), self._user, self._key)
            except (OSError, RuntimeError):  # no memory for it now
                self._drop()
        elif self._ppp.isconnected():
            if diff(now, self._since) > _PROVES_MS:
                self._modem.carried()
            self._stood = not self._over
        elif self._stood:
            self._drop()  # PPP has ended: closing it takes no time
        elif diff(now, self._since) > _NEGOTIATES_MS:
            self._over = True
        return self._stood

    def _drop(self) -> None:
        self.close()
        self._modem.dropped(self._clock.ticks_ms())


def _opened(ppp, user: str, key: str):
    """As 1.25 has it; its documentation already tells of what came later."""
    ppp.active(True)
    if user:
        ppp.connect(authmode=ppp.AUTH_PAP, username=user, password=key)
    else:
        ppp.connect()
    return ppp


def _shut(ppp) -> None:
    ppp.active(False)  # stops the task that reads the UART, too

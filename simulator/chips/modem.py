"""An LTE modem of the SIM7600 and A7670 class on its serial line: AT commands, unsolicited lines, a data call, a power key.

What the world does to it are attributes: `sim` ("ready", "none", "pin", "puk", "busy"), `network` (stat of +CEREG: 1 home, 2 searching, 3 denied, 5 roaming),
`carries` (a data call can be had), `mute` (hangs, until it is switched off), `broken` (never says a word again). It keeps count of what must not happen:
`pins_wrong`, and of what may: `pins_sent`, `calls`, `pulses`.
"""

CR = 13
ON_MS = 500  # the power key, pressed for so long, switches it on
OFF_MS = 2500
BOOT_MS = 9000
GUARD_MS = 1000
ANSWER_MS = 20
DIAL_MS = 300
_FULL = b"3,10,0,10"


class ModemChip:
    def __init__(self, pin: str = "", apn: str = "internet") -> None:
        self.sim = "pin" if pin else "ready"
        self.pin = pin
        self.apn = apn
        self.network = 1
        self.strength = 18
        self.carries = True
        self.mute = False
        self.broken = False
        self.on = True
        self.data = False  # a data call stands: what comes in is PPP's
        self.tries = 3
        self.pins_sent = 0
        self.pins_wrong = 0
        self.calls = 0
        self.pulses: list[int] = []
        self.heard: list[str] = []  # commands
        self._echo = True
        self._numbers = False  # AT+CMEE=1
        self._context = ""
        self._line = bytearray()
        self._pluses = 0
        self._spoken_ms = -GUARD_MS  # the station last said something
        self._escape_ms = -1
        self._boots_ms = 0
        self._pressed_ms = -1
        self._says: list[tuple[int, bytes]] = []  # when, what

    # the world

    def says(self, now_ms: int, data: bytes) -> None:
        """An unsolicited line, or noise."""
        if self.on:
            self._says.append((now_ms, data))

    def hang_up(self, now_ms: int) -> None:
        """The network ends the call."""
        if self.data:
            self.data = False
            self._say(now_ms, "NO CARRIER")

    # the station's side of the line

    def key(self, now_ms: int, level: int) -> None:
        if level and self._pressed_ms < 0:
            self._pressed_ms = now_ms
        elif not level and self._pressed_ms >= 0:
            held = now_ms - self._pressed_ms
            self._pressed_ms = -1
            self.pulses.append(held)
            if not self.on and held >= ON_MS:
                self._switch_on(now_ms)
            elif self.on and held >= OFF_MS:
                self.on = self.data = False
                self._says.clear()

    def write(self, now_ms: int, data: bytes) -> None:
        for byte in data:
            self._hear(now_ms, byte)

    def read(self, now_ms: int) -> bytes:
        if 0 <= self._escape_ms <= now_ms - GUARD_MS:
            self._escape_ms = -1
            self._pluses = 0
            self.data = False
            self._say(now_ms, "OK")
        ready = b"".join(data for at_ms, data in self._says if at_ms <= now_ms)
        self._says = [one for one in self._says if one[0] > now_ms]
        return b"" if self.broken else ready

    def _switch_on(self, now_ms: int) -> None:
        self.on = self._echo = True
        self.mute = self.data = self._numbers = False
        self._context = ""
        self._boots_ms = now_ms + BOOT_MS
        if self.pin and self.sim == "ready":
            self.sim = "pin"
        for line in ("*ATREADY: 1", f"+CPIN: {self._sim_state()}", "SMS DONE", "PB DONE"):
            self._say(self._boots_ms, line)

    def _hear(self, now_ms: int, byte: int) -> None:
        quiet = now_ms - self._spoken_ms >= GUARD_MS
        self._spoken_ms = now_ms
        if not self.on or now_ms < self._boots_ms or self.mute:
            return
        if self.data:
            self._escape_ms = -1
            self._pluses = self._pluses + 1 if byte == ord("+") and (quiet or self._pluses) else 0
            if self._pluses == 3:
                self._escape_ms = now_ms
            return
        if self._echo:
            self._says.append((now_ms, bytes([byte])))
        if byte != CR:
            self._line.append(byte)
            return
        command, self._line = self._line.decode("ascii", "replace").strip(), bytearray()
        if command.upper().startswith("AT"):
            self.heard.append(command)
            self._obey(now_ms, command[2:])

    def _say(self, now_ms: int, *lines: str) -> None:
        for line in lines:
            self._says.append((now_ms, f"\r\n{line}\r\n".encode()))

    def _refuse(self, now_ms: int, code: int) -> None:
        self._say(now_ms, f"+CME ERROR: {code}" if self._numbers else "ERROR")

    def _obey(self, now_ms: int, command: str) -> None:
        at_ms = now_ms + ANSWER_MS
        values = {
            "+CSQ": f"+CSQ: {self.strength},99",
            "+CEREG?": f"+CEREG: 0,{self.network}",
            "+CREG?": f"+CREG: 0,{self.network}",
            "+SPIC": f"+SPIC: {self.tries}{_FULL[1:].decode()}",
        }
        if command in ("", "E0", "+CMEE=1", "H"):
            self._echo = self._echo and command != "E0"
            self._numbers = self._numbers or command == "+CMEE=1"
            self._say(at_ms, "OK")
        elif command in values:
            self._say(at_ms, values[command], "OK")
        elif command == "+CPIN?":
            codes = {"none": 10, "busy": 14}
            if self.sim in codes:
                self._refuse(at_ms, codes[self.sim])
            else:
                self._say(at_ms, f"+CPIN: {self._sim_state()}", "OK")
        elif command.startswith("+CPIN="):
            self._try_pin(at_ms, command[6:].strip('"'))
        elif command.startswith("+CGDCONT=1,"):
            self._context = command.split(",")[2].strip('"')
            self._say(at_ms, "OK")
        elif command == "D*99#":
            self._dial(now_ms)
        else:
            self._refuse(at_ms, 3)

    def _sim_state(self) -> str:
        return {"ready": "READY", "pin": "SIM PIN", "puk": "SIM PUK"}.get(self.sim, "NOT INSERTED")

    def _try_pin(self, at_ms: int, pin: str) -> None:
        self.pins_sent += 1
        if self.sim == "pin" and pin == self.pin:
            self.sim, self.tries = "ready", 3
            self._say(at_ms, "OK", "+CPIN: READY")
            return
        self.pins_wrong += 1
        self.tries = max(0, self.tries - 1)
        self.sim = "pin" if self.tries else "puk"
        self._refuse(at_ms, 16)

    def _dial(self, now_ms: int) -> None:
        if self.sim == "ready" and self.network in (1, 5) and self.carries and self._context == self.apn:
            self.calls += 1
            self.data = True
            self._pluses = 0
            self._say(now_ms + DIAL_MS, "CONNECT 115200")
        else:
            self._say(now_ms + 2 * DIAL_MS, "NO CARRIER")

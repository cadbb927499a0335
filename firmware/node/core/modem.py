"""An LTE modem's AT dialogue (SIM7600, A7670 and their like), up to the data call: bytes in, bytes out, time is an argument.

Whoever owns the serial line calls receive() with what came in, then step(), writes `out`, and sets the modem's power key to `key`. Once
`data` is set the line belongs to PPP; dropped() takes it back. Every wait has an end, whatever the modem says or does not say:

silent         ask three times; leave a data call that outlived our reset (+++); press the power key; switch it off and on; wait minutes
not a network  no SIM, a PIN, a refusal: told by `reason`, asked again after minutes, since a radio that searches empties the battery
a broken call  hang up and dial again, later each time
"""

from node.core import backoff
from node.core.clock import add, diff

_AT = 0
_ECHO = 1
_ERRORS = 2
_SIM = 3
_SIGNAL = 4
_LTE = 5
_OLDER = 6
_CONTEXT = 7
_DIAL = 8
_TRIES = 9
_PIN = 10
_HANG_UP = 11

# command, milliseconds for its answer, how a line with a value begins
_STEPS = (
    (b"AT", 1000, None),
    (b"ATE0", 2000, None),
    (b"AT+CMEE=1", 2000, None),
    (b"AT+CPIN?", 6000, b"+CPIN:"),
    (b"AT+CSQ", 3000, b"+CSQ:"),
    (b"AT+CEREG?", 3000, b"+CEREG:"),
    (b"AT+CREG?", 3000, b"+CREG:"),
    (b'AT+CGDCONT=1,"IP","%s"', 5000, None),
    (b"ATD*99#", 75000, None),
    (b"AT+SPIC", 3000, b"+SPIC:"),
    (b'AT+CPIN="%s"', 10000, None),
    (b"ATH", 10000, None),
)
_NOTHING = -1  # asked; the pause until `_at` ends with `_then`
_ESCAPE = -2
_RUNG = -3  # the power key's next change

# What is done about silence, rung by rung: the key's levels and for how long; then so many times AT.
_RUNGS = (
    ((), 3),
    ((), 3),  # after +++
    (((1, 1000), (0, 15000)), 5),  # on, if it was off
    (((1, 3000), (0, 8000), (1, 1000), (0, 15000)), 5),  # off, then on
)
_GUARD_MS = 1100  # nothing may be said for a second before and after +++
_PAUSE_MS = 3000
_SEARCH_MS = 150000
_SLOW_MS = 300000
_LINE_MOST = 120
_FAILURES = (b"ERROR", b"NO CARRIER", b"NO DIALTONE", b"NO ANSWER", b"BUSY")
_WANTS_PIN = 11  # AT+CMEE=1
_LOCKED = (12, 16, 17, 18)
_SIM_BUSY = 14


def _number(value, place):
    """Number `place` of a comma-separated value, -1 if there is none."""
    parts = value.split(b",")
    try:
        return int(parts[place]) if len(parts) > place else -1
    except ValueError:
        return -1


class Modem:
    """Read: `out`, `key` (1: press the power key), `data`, `reason` (why there is no data call), `signal` (dBm, 0 unknown).

    A PIN is sent once a boot, and only while the SIM has all three tries left (AT+SPIC): a wrong one must not lock it, reset after reset.
    """

    def __init__(self, apn, pin="", seed=1):
        self._apn = apn.encode()
        self._pin = pin.encode()
        self._noise = seed & 0xFFFF
        self.out = bytearray()
        self.key = 0
        self.data = False
        self.reason = ""
        self.signal = 0
        self._line = bytearray()
        self._too_long = False
        self._value = None
        self._doing = _NOTHING
        self._then = _AT
        self._at = -1
        self._unheard = 0
        self._rung = 0
        self._change = 0
        self._attempt = 0
        self._lte_state = -1
        self._since = -1  # searching for a network
        self._was_call = False

    def step(self, now_ms):
        """Give up on an answer that is overdue, or do what is next."""
        if self.data or (self._at >= 0 and diff(self._at, now_ms) > 0):
            return
        if self._doing != _NOTHING:
            self._no_answer(now_ms)
        elif self._then == _ESCAPE:
            self.out.extend(b"+++")
            self._pause(now_ms, _GUARD_MS, _HANG_UP)
        elif self._then == _RUNG:
            self._turn_key(now_ms)
        else:
            self._ask(now_ms, self._then)

    def receive(self, now_ms, buffer, count):
        """The first `count` bytes of `buffer` came in. What follows CONNECT is PPP's, which says it again."""
        for i in range(count):
            byte = buffer[i]
            if self.data:
                return
            if byte != 10 and byte != 13:
                if len(self._line) < _LINE_MOST:
                    self._line.append(byte)
                else:
                    self._too_long = True
                continue
            line = bytes(self._line)
            if line and not self._too_long:
                self._take(now_ms, line)
            self._line = bytearray()
            self._too_long = False

    def dropped(self, now_ms):
        """The data call carries nothing any more: the line is ours again; hang up, then dial again, later each time."""
        self.data = False
        self._was_call = True
        self._pause(now_ms, _GUARD_MS, _ESCAPE)

    def carried(self):
        """The data call is of use."""
        self.reason = ""
        self._attempt = 0

    def _take(self, now_ms, line):
        doing = self._doing
        if doing == _NOTHING:
            return
        begins = _STEPS[doing][2]
        if begins and line.startswith(begins):
            self._value = line[len(begins) :].strip()
        elif line == b"OK":
            self._answered(now_ms, doing)
        elif doing == _DIAL and line.startswith(b"CONNECT"):
            self._doing = _NOTHING
            self._rung = self._unheard = 0
            self._since = -1
            self.data = True
        elif line.startswith(b"+CME ERROR:"):
            self._refused(now_ms, doing, _number(line[11:], 0))
        elif line in _FAILURES and (line == b"ERROR" or doing == _DIAL or doing == _HANG_UP):
            self._refused(now_ms, doing, -1)

    def _answered(self, now_ms, doing):
        value = self._value
        if _STEPS[doing][2] and value is None:
            self._no_answer(now_ms)  # another question's OK, too late
        elif doing == _AT:
            self._unheard = 0
            if self._since < 0:
                self._since = now_ms
            self._ask(now_ms, _ECHO)
        elif doing == _SIM:
            self._sim(now_ms, value)
        elif doing == _TRIES:
            if _number(value, 0) == 3:
                self._ask(now_ms, _PIN)
                self._pin = b""
            else:
                self._slowly(now_ms, "modem pin")
        elif doing == _PIN:
            self._later(now_ms)
        elif doing == _SIGNAL:
            strength = _number(value, 0)
            self.signal = 2 * strength - 113 if 0 <= strength <= 31 else 0
            self._ask(now_ms, _LTE)
        elif doing == _LTE or doing == _OLDER:
            self._network(now_ms, doing, _number(value, 1))
        elif doing == _DIAL:  # OK to a call that does not stand
            self._again(now_ms, "modem no carrier")
        elif doing == _HANG_UP:
            self._hung_up(now_ms)
        else:
            self._ask(now_ms, doing + 1)

    def _refused(self, now_ms, doing, code):
        if doing == _SIM:
            if code == _WANTS_PIN:
                self._sim(now_ms, b"SIM PIN")
            elif code == _SIM_BUSY:
                self._later(now_ms)
            else:
                self._slowly(now_ms, "modem pin" if code in _LOCKED else "modem no sim")
        elif doing == _TRIES or doing == _PIN:
            self._slowly(now_ms, "modem pin")
        elif doing == _LTE or doing == _OLDER:
            self._network(now_ms, doing, -1)
        elif doing == _CONTEXT or doing == _DIAL:
            self._again(now_ms, "modem no carrier")
        elif doing == _HANG_UP:
            self._hung_up(now_ms)
        elif doing == _AT:
            self._doing = _NOTHING
            self._no_answer(now_ms)
        else:
            self._ask(now_ms, doing + 1)  # it does without

    def _sim(self, now_ms, value):
        if value == b"READY":
            self._ask(now_ms, _SIGNAL)
        elif value == b"SIM PIN" and self._pin:
            self._ask(now_ms, _TRIES)
        elif value.startswith(b"SIM P"):
            self._slowly(now_ms, "modem pin")
        elif value.startswith(b"NOT INSERTED") or value.startswith(b"SIM REMOVED"):
            self._slowly(now_ms, "modem no sim")
        else:
            self._later(now_ms)  # not ready yet

    def _network(self, now_ms, doing, state):
        if state == 1 or state == 5:
            self._ask(now_ms, _CONTEXT)
        elif doing == _LTE:
            self._lte_state = state
            self._ask(now_ms, _OLDER)
        elif state == 3 or self._lte_state == 3:
            self._slowly(now_ms, "modem denied")
        else:
            self.reason = "modem no network"
            self._later(now_ms)

    def _later(self, now_ms):
        """Look again soon, as long as patience lasts."""
        if self._since >= 0 and diff(now_ms, self._since) > _SEARCH_MS:
            self._slowly(now_ms, self.reason or "modem no sim")
        else:
            self._pause(now_ms, _PAUSE_MS, _SIM)

    def _slowly(self, now_ms, reason):
        self._end(reason)
        self._pause(now_ms, _SLOW_MS + (_SLOW_MS >> 2) * self._random() // 65536, _AT)

    def _again(self, now_ms, reason):
        self._end(reason)
        wait = backoff.delay_ms(self._attempt, self._random())
        self._attempt += 1
        self._pause(now_ms, wait, _AT)

    def _end(self, reason):
        self.reason = reason
        self._rung = self._unheard = 0
        self._since = -1

    def _hung_up(self, now_ms):
        if self._was_call:
            self._was_call = False
            self._again(now_ms, "modem ppp down")
        else:
            self._ask(now_ms, _AT)

    def _random(self):
        self._noise = (self._noise * 25173 + 13849) & 0xFFFF
        return self._noise

    def _no_answer(self, now_ms):
        if self._doing == _HANG_UP:
            self._hung_up(now_ms)
            return
        if self._doing == _AT or self._doing == _NOTHING:
            self._unheard += 1
            if self._unheard < _RUNGS[self._rung][1]:
                self._pause(now_ms, 500, _AT)
                return
        self._unheard = 0
        self._rung += 1
        self._change = 0
        if self._rung == len(_RUNGS):
            self._slowly(now_ms, "modem silent")
        elif self._rung == 1:
            self._pause(now_ms, _GUARD_MS, _ESCAPE)
        else:
            self._turn_key(now_ms)

    def _turn_key(self, now_ms):
        changes = _RUNGS[self._rung][0]
        self.key, wait = changes[self._change]
        self._change += 1
        self._pause(now_ms, wait, _RUNG if self._change < len(changes) else _AT)

    def _pause(self, now_ms, ms, then):
        self._doing = _NOTHING
        self._then = then
        self._at = add(now_ms, ms)

    def _ask(self, now_ms, step):
        command, wait, _ = _STEPS[step]
        if step == _CONTEXT:
            command = command % self._apn
        elif step == _PIN:
            command = command % self._pin
        self.out.extend(command + b"\r")
        self._value = None
        self._doing = step
        self._at = add(now_ms, wait)

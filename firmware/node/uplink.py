"""What waits in the journal goes out by MQTT, and goes again until the gateway has kept it.

A PUBACK says that the broker has a message, and a broker can lose it. Records are freed only by the gateway's `committed`; what was
acknowledged and is not committed after a while is sent again, and what the gateway asks for by `resend` is sent or declared dropped.
"""

import json

from node.core import backoff, senml
from node.core.client import DOWN, UP, Client
from node.core.clock import add, diff
from node.core.journal import EVENT, READINGS, Cursor, seq_of
from node.core.measurements import STREAMS
from node.version import VERSION

_IDLE_MS = 3600000  # nothing to do until bytes or records come; the client's pings come before
_KEEPALIVE_S = 150  # more than two samples apart: pings do not double the traffic
_OPEN_LIMIT_MS = 60000  # the link bounds itself; this is for one that does not, and holds the wait for a calm moment
_POLL_MS = 20  # a link that is opening, or that took less than it was given, is looked at this often
_LIVELY_MS = 1000
_SLOW_POLL_MS = 200
_HOLD_MS = 5000  # after a boot, wait this long for the retained `committed` before sending what may be kept already
_AGAIN_MS = 60000  # acknowledged, not committed, and `committed` still comes: send again; doubles to an hour
_AGAIN_MOST_MS = 3600000
_ASKED_MOST = 8
_PASSED = -2
_AFTER_RETURN = 4  # whoever came back too early waits 8 to 16 s: they are many
_PACE_MS = 125  # a backlog of readings: so far apart once _BURST_MS of them went at once
_BURST_MS = 8000
_MOST = 2147483647  # what a point of the journal holds

_STATUS_MS = 6 * 3600000
_READY = 3  # the link's: TCP stands, a handshake is wanted
_CALM_MS = 500  # look again for a calm moment
_REPLIES_MOST = 8
_TO_THE_NODE = ("committed", "resend", "command", "desired", "update", "part")

_SKIP = 1  # what `committed` asks of a stream's cursor
_REWIND = 2


def _whole(value):
    if type(value) is not int or not 0 <= value <= _MOST:
        raise ValueError("not a boot or seq")
    return value


class Uplink:
    """`step(now_ms)` talks. `when()` gives the base time as text, `declare(stream, boot, first, last)` is told what can't be sent any more."""

    def __init__(self, station, logs, link, settings, when, declare):
        self._life = station["life"]
        self._root = "waspada/v1/%s/%s/" % (station["district"], station["node"])
        self._base_name = "waspada:%s:%s:" % (station["district"], station["node"])
        self._logs = logs
        self._link = link
        self._settings = settings
        self._when = when
        self._declare = declare
        self._next = [Cursor(log, 4) for log in logs]
        self._gaps = None  # answers what is asked for
        will = (
            self._root + "status",
            senml.status(self._base_name, self._life, None, 0, "unreachable", "").encode(),
            1,
            1,
        )
        topics = [(self._root + name, 1) for name in _TO_THE_NODE]
        self.client = Client(
            "%s-%s" % (station["district"], station["node"]), keepalive_s=_KEEPALIVE_S, will=will, subscriptions=topics
        )
        self.client.on_message = self._message
        self.client.on_acked = self._acked
        self._input = bytearray(512)
        self._topics = [self._root + name for name in STREAMS]
        self._noise = station.get("seed", 1) & 0xFFFF
        self._hurry = station.get("hurry", 0)  # its days pass in seconds of the link's: no pace, no spread, no calm
        self._attempt = 0
        self._was_of_use = False  # this connection: the broker has acknowledged something
        self._retry_at = -1  # no attempt before this
        self._urgent_at = -1  # nor before this, with an event to tell
        self._paid_until = 0  # readings sent, at their pace
        self._opened_at = -1
        self._took_ms = 0  # when the link last took bytes
        self._hold_until = -1  # -1: not yet online; _PASSED: once a boot
        self._told = 0  # settings revision last published on this connection
        self._online = False
        self._acked_key = [(0, 0), (0, 0)]  # newest key acknowledged, per stream
        self.mark = [(0, 0), (0, 0)]  # committed
        self._through = [-1, -1]  # seq of the log when its cursor had read everything
        self._move = [0, 0]  # 0, _SKIP or _REWIND: storage is not touched while a message is taken in
        self._again_at = [-1, -1]
        self._again_ms = [_AGAIN_MS, _AGAIN_MS]
        self._asked = []  # [stream, boot, next, to]
        self._now = 0
        self.refused = 0  # messages to this node that could not be used
        self.on_time = None  # (seconds since 1970): the gateway's clock, from a message that was not retained
        self.on_status = None  # () -> the further entries of `status`, each with a comma in front
        self._status_ms = 0  # when it was last told
        self._status_after_ms = 0  # and after how long it is told again
        self._backlog = True  # what earlier boots left is sent
        self.on_other = None  # (name, payload, retained): what is not about records; raises what makes it unusable
        self._replies = []  # to be published
        self.answered = False  # the broker has taken a message, since the link leads where it leads

    @property
    def waiting(self):
        """Records of this boot that no broker has acknowledged."""
        return self._waits_in(READINGS) + self._waits_in(EVENT)

    def _waits_in(self, stream):
        log = self._logs[stream]
        key = self._acked_key[stream]
        return log.seq - (key[1] if key[0] == log.boot else 0)

    def step(self, now_ms, calm=True):
        """Do what can be done without waiting; milliseconds until there is more (bytes that arrive come before).

        `calm`: a step may take as long as the arithmetic of a handshake. Else nothing is opened and nothing secured.
        """
        self._now = now_ms
        calm = calm or self._hurry
        state = self._link.state()
        if state == 0:
            return self._down(now_ms, calm)
        if state == _READY and calm:
            self._link.secure()
        if state == 1 or state == _READY:
            if diff(now_ms, self._opened_at) > _OPEN_LIMIT_MS:
                self._close(now_ms)
            return self._poll_in(now_ms, self._opened_at)
        client = self.client
        if client.state == DOWN and self._opened_at >= 0:
            self._opened_at = -1
            client.opened(now_ms)
        due = _IDLE_MS
        count = len(self._input)
        while count == len(self._input):  # less than that was all there is
            count = self._link.recv_into(self._input)
            if count > 0:
                client.receive(now_ms, self._input, count)
        wait = client.step(now_ms)
        if count < 0 or client.want_close:
            self._close(now_ms)
            return self._retry_in(now_ms)
        try:
            if client.state == UP:
                due = self._publish(now_ms)
        finally:  # storage that fails is no reason to miss a ping
            if client.out:
                count = self._link.send(client.out)
                if count:
                    client.sent(count)
                    self._took_ms = now_ms
        if client.out:
            return self._poll_in(now_ms, self._took_ms)
        return wait if wait < due else due

    def _poll_in(self, now_ms, since_ms):
        """A link that has not moved for a second is looked at less often: a dead one would be asked for its whole time out."""
        return _POLL_MS if 0 <= diff(now_ms, since_ms) < _LIVELY_MS else _SLOW_POLL_MS

    def _retry_in(self, now_ms):
        at = self._retry_at
        if self._waits_in(EVENT):
            at = self._urgent_at
        wait = diff(at, now_ms) if at >= 0 else 0
        return wait if wait > 0 else 0

    def _down(self, now_ms, calm):
        if self.client.state != DOWN or self._opened_at >= 0:
            self._close(now_ms)
        wait = self._retry_in(now_ms)
        if wait > 0:
            return wait
        if not calm:
            return _CALM_MS
        self._link.open()
        self._opened_at = now_ms
        return _POLL_MS

    def _close(self, now_ms):
        self._link.close()
        self.client.closed()
        self._online = False
        self._opened_at = -1
        if self._hold_until != _PASSED:
            self._hold_until = -1
        self._noise = (self._noise * 25173 + 13849) & 0xFFFF
        if self._was_of_use:
            self._was_of_use = False
            wait = backoff.delay_ms(0, self._noise) if self._hurry else backoff.return_ms(self._noise)
            self._urgent_at = add(now_ms, wait >> 2)
            self._attempt = _AFTER_RETURN
        else:
            wait = backoff.delay_ms(self._attempt, self._noise)
            self._urgent_at = add(now_ms, wait)
            self._attempt += 1
        self._retry_at = add(now_ms, wait)

    def _publish(self, now_ms):
        client = self.client
        if not self._online:
            if not self._tell_status(now_ms):
                return _IDLE_MS
            self._online = True
            self._told = 0
            if self._hold_until == -1:
                self._hold_until = add(now_ms, _HOLD_MS)
        elif diff(now_ms, self._status_ms) >= self._status_after_ms and not self._tell_status(now_ms):
            return _IDLE_MS
        while self._replies:
            if not client.publish(now_ms, self._root + "reply", self._replies[0].encode(), 1, 0):
                return _IDLE_MS
            self._replies.pop(0)
        if self._told != self._settings.revision:
            if not client.publish(now_ms, self._root + "settings", self._settings.json(self._life).encode(), 1, 1):
                return _IDLE_MS
            self._told = self._settings.revision
        if self._hold_until != _PASSED:
            hold = diff(self._hold_until, now_ms)
            if hold > 0:
                return hold
            self._hold_until = _PASSED
        for stream in (EVENT, READINGS):
            if self._move[stream]:
                self._follow_mark(stream)
        for stream in (EVENT, READINGS):
            if self._through[stream] != self._logs[stream].seq:
                while self._send_next(now_ms, stream):
                    pass
        if self._asked:
            if not self._gaps:
                from node.gaps import Gaps

                self._gaps = Gaps(self._logs, self._asked, self.mark, self._send, self._declare)
            self._gaps.answer(now_ms)
        return self._ahead_of_pace(now_ms) or _IDLE_MS

    def _ahead_of_pace(self, now_ms):
        """Milliseconds until the next reading may go: the backlogs of a thousand stations leave room for each other's newest readings."""
        paid = diff(self._paid_until, now_ms)
        if self._hurry or not 0 < paid <= _BURST_MS:
            self._paid_until = now_ms
            return 0
        return paid - _BURST_MS + _PACE_MS if paid > _BURST_MS - _PACE_MS else 0

    def _send_next(self, now_ms, stream):
        seq = self._logs[stream].seq
        if seq == self._through[stream] or not self.client.room():
            return False
        cursor = self._next[stream]
        at = cursor.peek()
        if not at:
            if not cursor.more:
                self._through[stream] = seq
            return False
        try:
            if not self._send(now_ms, stream, at):
                return False
        except ValueError:  # a pack beyond the packet limit: it can't be sent, and must not keep the others waiting
            if not self._declare(stream, at[0], seq_of(at[3]), seq_of(at[3])):
                return False
        cursor.advance(at[3])
        return True

    def _send(self, now_ms, stream, at):
        if stream == READINGS and self._ahead_of_pace(now_ms):
            return False
        boot, prev_boot, prev_seq, record = at
        payload = senml.encode(self._base_name, self._life, boot, prev_boot, prev_seq, record)
        token = (stream, (boot, seq_of(record)))
        if not self.client.publish(now_ms, self._topics[stream], payload.encode(), 1, 0, token):
            return False
        if stream == READINGS:
            self._paid_until = add(self._paid_until, _PACE_MS)
        return True

    def _follow_mark(self, stream):
        """What is kept is passed over, or everything after it sent again; then its segments go."""
        self._through[stream] = -1
        boot, seq = self.mark[stream]
        cursor = self._next[stream]
        if self._move[stream] == _REWIND:
            if not self._backlog and boot < self._logs[stream].boot:
                boot, seq = self._logs[stream].boot, 0
            cursor.seek(boot, seq + 1)
        else:
            at = cursor.peek()
            if at and (at[0], seq_of(at[3])) <= (boot, seq):
                cursor.seek(boot, seq + 1)
        self._logs[stream].free(*self.mark[stream])
        self._move[stream] = 0

    def start_over(self):
        """The link leads elsewhere now: leave what it led to, and try at once."""
        self.answered = False
        self._attempt = 0
        self._close(self._now)
        self._retry_at = self._urgent_at = -1

    def _acked(self, token):
        self._attempt = 0
        self._was_of_use = True
        self.answered = True
        if token:
            stream, key = token
            if key > self._acked_key[stream]:
                self._acked_key[stream] = key

    def _message(self, topic, payload):
        """Only the gateway writes here, but what it writes is still only bytes: anything unusable is left alone."""
        try:
            name = topic[len(self._root) :]
            if name not in ("committed", "resend"):
                if self.on_other:
                    self.on_other(name, payload, self.client.retained)
                return
            message = json.loads(payload)
            if message["life"] != self._life:
                return
            if topic == self._root + "committed":
                self._committed(message)
            elif topic == self._root + "resend":
                stream = STREAMS.index(message["stream"])
                self._ask(stream, _whole(message["boot"]), _whole(message["from"]), _whole(message["to"]))
        # RuntimeError is CPython's answer to [[[[[[[[ and so on.
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, MemoryError):
            self.refused += 1

    def reply(self, payload):
        """Publish this when there is room; of a flood of them only so many."""
        if len(self._replies) < _REPLIES_MOST:
            self._replies.append(payload)

    def ask(self, name, payload):
        """Publish if there is room now: whoever asks asks again."""
        return self.client.publish(self._now, self._root + name, payload.encode(), 1, 0)

    def tell_status(self, after_ms=0):
        """Publish `status` again, so long after it was last told."""
        self._status_after_ms = min(after_ms, self._status_after_ms)

    def _tell_status(self, now_ms):
        boot = self._logs[EVENT].boot
        more = self.on_status() if self.on_status else ""
        payload = senml.status(self._base_name, self._life, self._when(), boot, "online", VERSION, more)
        if not self.client.publish(now_ms, self._root + "status", payload.encode(), 1, 1):
            return False
        self._status_ms = now_ms
        self._status_after_ms = _STATUS_MS
        return True

    def leave_backlog(self):
        """What earlier boots left stays on flash: it may be what nobody survives reading."""
        self._backlog = False
        for stream in (READINGS, EVENT):
            self._next[stream].seek(self._logs[stream].boot, 1)

    def _ask(self, stream, boot, first, last):
        log = self._logs[stream]
        if boot == log.boot:
            last = min(last, log.seq)
        asked = [stream, boot, first, last]
        if not self._backlog and boot < log.boot:
            return
        if 0 < boot <= log.boot and 0 < first <= last and len(self._asked) < _ASKED_MOST and asked not in self._asked:
            self._asked.append(asked)

    def _committed(self, message):
        marks = [(_whole(message[name]["boot"]), _whole(message[name]["seq"])) for name in STREAMS]
        self._hold_until = _PASSED
        at = message.get("at")
        if self.on_time and type(at) is int and not self.client.retained:
            self.on_time(at)
        for stream in (READINGS, EVENT):
            mark = marks[stream]
            log = self._logs[stream]
            if mark > (log.boot, log.seq):
                continue  # not ours to believe: nothing that was never written can be kept
            if mark > self.mark[stream]:
                self.mark[stream] = mark
                if self._move[stream] != _REWIND:  # what is to go again still is, from here on
                    self._move[stream] = _SKIP
            elif mark < self.mark[stream]:
                # The gateway lost its database, or was restored from an older copy: what is still here goes again.
                self.mark[stream] = mark
                self._move[stream] = _REWIND
            elif self._acked_key[stream] > self.mark[stream]:
                if self._again_at[stream] < 0:
                    self._again_at[stream] = add(self._now, self._again_ms[stream])
                elif diff(self._now, self._again_at[stream]) >= 0:
                    self._again_at[stream] = -1
                    self._again_ms[stream] = min(2 * self._again_ms[stream], _AGAIN_MOST_MS)
                    self._move[stream] = _REWIND
                continue
            self._again_at[stream] = -1
            self._again_ms[stream] = _AGAIN_MS

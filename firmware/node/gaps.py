"""Gaps that the gateway asks for: sent again, or declared dropped. Loaded with the first request."""

from node.core.journal import Cursor, seq_of


class Gaps:
    """`asked` of an uplink: [stream, boot, next, to] each; `send(now_ms, stream, at)` and `declare` are the uplink's."""

    def __init__(self, logs, asked, mark, send, declare):
        self._cursors = [Cursor(log, 4) for log in logs]
        self._asked = asked
        self._mark = mark
        self._send = send
        self._declare = declare
        self._asking = None  # the one of them that its cursor stands in

    def answer(self, now_ms):
        """What is gone between two records that are still here is declared dropped."""
        while self._asked:
            asked = self._asked[0]
            stream, boot, first, last = asked
            cursor = self._cursors[stream]
            mark = self._mark[stream]
            if mark >= (boot, first):
                first = mark[1] + 1 if mark[0] == boot else last + 1  # kept by now
            if first > last:
                self._asked.pop(0)
                continue
            if self._asking is not asked:
                cursor.seek(boot, first)
                self._asking = asked
            at = cursor.peek()
            if cursor.more:
                return
            key = (at[0], seq_of(at[3])) if at else (boot, last + 1)
            if key > (boot, last):
                self._asked.pop(0)
                self._declare(stream, boot, first, last)
                continue
            if key >= (boot, first):
                if not self._send(now_ms, stream, at):
                    return
                if key[1] > first:
                    self._declare(stream, boot, first, key[1] - 1)
                asked[2] = key[1] + 1
            cursor.advance(at[3])

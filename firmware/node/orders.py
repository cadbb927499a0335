"""What people ask of a station, by cable or through the gateway. Loaded with the first order: a calm station's heap does not carry it."""

import binascii
import json

from node.core import fixed
from node.core import measurements as M
from node.core import settings as S

CONSOLE = 0  # who asks: the words of the points `settings` and `acknowledged`
GATEWAY = 1

_COUNTER_FILE = "counter"
_ID_MOST = 32
_MOST = 2147483647
_SHELVED_MOST_S = 86400
_REFUSED_EVERY_S = 600
_AHEAD_MOST_S = 86400  # of a command's expiry: so long at most can one be replayed where its counter was lost
_IN_HOUR_MOST = 60
_REBOOTS_FILE = (
    "reboots"  # when each was, by command: `CRC seconds seconds ..`, so that no row of reboots begins anew with each
)
_REBOOTS_MOST = 3
_REBOOTS_WITHIN_S = 86400
_REVISIONS_MOST = 10000  # a revision further ahead would leave no room for the next ones
_DESIRED_FILE = "desired"  # which one was refused, so that a retained one is told once


def _whole(value, what, most=_MOST):
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("%s must be a whole number of 0 to %d" % (what, most))
    return value


class Orders:
    """Carries out orders on `app`, and tells of them in its `books`."""

    def __init__(self, app, books):
        self._app = app
        self._books = books
        self.network = {}  # what was typed of the way to the broker, key -> text
        self._counter = -1  # of the last command that was carried out; -1: yet to be read
        self._sure_from = 0  # what expires later can't have been said before the counter was damaged
        self._hour_from = 0  # uptime, and commands carried out since
        self._in_hour = 0

    def keep(self, settings, who=CONSOLE, revision=0):
        """Save what was typed, then use it: after a cut the station runs either the old settings or the new.

        Returns [(index, old, new)]. ValueError: not allowed; OSError: not saved; either leaves all as it was.
        """
        app = self._app
        values = settings.proposed()
        problem = S.conflict(values, settings.rows)
        if not problem and not self._out_of_reach(settings.values):  # what was so before does not stop another change
            problem = self._out_of_reach(values)
        if problem:
            raise ValueError(problem)
        revision = revision or settings.revision + 1
        self._save(values, revision)
        changes = settings.apply(revision)
        app.configure()
        for i, old, new in changes:
            i = S.id_of(i)
            self._books.event(
                (M.SETTINGS, 0, who),
                (M.REVISION, 0, settings.revision),
                (M.OLD_SETTING + i, 0, old),
                (M.NEW_SETTING + i, 0, new),
            )
        return changes

    def _out_of_reach(self, values):
        """What the sensor can never tell, in one sentence, or None: a line up there would be no alarm."""
        gauge = self._app.gauge
        if gauge:
            highest = gauge.highest_mm(values[S.SENSOR_HEIGHT])
            if values[S.LEVEL_DANGER] > highest:
                return "level.danger is above what the sensor can tell from its height, %s m" % fixed.text(highest, 3)
            if values[S.RISE_LIMIT] and 2 * values[S.SAMPLE_INTERVAL] > values[S.RISE_WINDOW]:
                return "rise.window must hold two samples: at least twice sample.interval, or rise.limit 0"
        return None

    def _save(self, values, revision):
        """The settings onto flash. OSError: what was saved before still counts."""
        app = self._app
        if not app._recovered:
            raise OSError("what was saved before has not been read yet")
        from node.core import copies

        if not copies.save(app.storage, app.settings, values, revision):
            app._ailing = app._ailing or S.LAGGING

    def drill(self, state):
        """Sound the siren as for `state`, in a drill's rhythm. ValueError: not now."""
        from node.drill import Drill

        app = self._app
        app.drill = Drill(app, self._books, app._sounder, app._rounds and app._rounds.hearing, state)

    def reboot(self):
        """The outer loop's to do; also out of safe mode."""
        if self._app.safe:
            self._app.faults.leave()
        self._app.reboot_wanted = True

    def refuse(self, why):
        """Count what came through the gateway and is not carried out; a flood of it does not fill the journal. True: told."""
        app, seconds = self._app, self._books.uptime.seconds
        app.refused += 1
        if app._refused_at < 0 or seconds - app._refused_at >= _REFUSED_EVERY_S:
            from node.core import happenings

            if self._books.tell(why, (happenings.REFUSED, 0)):
                app._refused_at = seconds
                return True
        return False

    def acknowledge(self, who=CONSOLE):
        for each in (self._app.gauge, self._app.survey):
            if each:
                each.acknowledge()
        self._books.event((M.ACKNOWLEDGED, 0, who))

    def shelve(self, seconds):
        app = self._app
        if app.gauge:
            app.gauge.alarm.shelve(app.now_ms, seconds)
        if app.survey:
            app.survey.shelve(app.now_ms, seconds)
        self._books.event((M.SHELVED_S, 0, seconds))

    def stage_network(self, key, word):
        """Keep for `keep_network`; what a person is told; `-` is an empty text. KeyError, ValueError: not allowed."""
        from node.core.network import ROWS, validate

        if word == "-":
            word = ""
        self.network[key] = validate(key, word)
        for row in ROWS:
            if row[0] == key and row[2]:
                word = "*" * len(word)
        return "%s %s, not live until save" % (key, word)

    def keep_network(self):
        """Begin the trial of what was typed; what a person is told. ValueError: not allowed; OSError: not saved."""
        text = self._app.networking().change(self.network, self._app.uplink)
        self.network = {}
        return "on trial: %s; without the broker the old ones return in ten minutes" % text

    # Through the gateway

    def message(self, name, payload, retained):
        """A `command` or `desired` (docs/wire.md). ValueError, KeyError, TypeError: it can't be used. Another life's is nobody's."""
        message = json.loads(payload)
        if message["life"] != self._app.life:
            return
        if name == "command":
            self._command(message, retained)
        else:
            self._desired(message)

    def _command(self, message, retained):
        name = message["id"]
        if type(name) is not str or not 0 < len(name) <= _ID_MOST or not _is_plain(name):
            raise ValueError("id must be 1 to %d letters and digits" % _ID_MOST)
        try:
            problem = self._stale(message, retained)
            if not problem:
                self._carry_out(message["do"], message.get("with", 0))
        except ValueError as error:
            problem = str(error)
        except OSError:
            problem = "storage does not take it"
        if problem:
            self.refuse(problem)
            self._reply(name, "refused", problem)
        else:
            self._reply(name, "done", "")

    def _stale(self, message, retained):
        """Why this command must not be carried out (again), or None; one that is fresh is counted before it is done."""
        if retained:
            return "a command is never retained"
        counter = _whole(message["counter"], "counter")
        expires = _whole(message["expires"], "expires", 1 << 40)
        up_s = self._books.uptime.seconds
        flags, seconds, _ = self._books.moment()
        if not flags:
            return "the time is not known here"
        if expires < seconds:
            return "expired"
        if expires - seconds > _AHEAD_MOST_S:
            return "expires more than a day ahead"
        if self._counter < 0:
            self._recall_counter(seconds)
        if counter <= self._counter:
            return "counter %d was used before" % counter
        if expires <= self._sure_from:
            return "the counter was damaged: only what expires after %d is sure to be new" % self._sure_from
        if up_s - self._hour_from >= 3600:
            self._hour_from = up_s
            self._in_hour = 0
        if self._in_hour >= _IN_HOUR_MOST:
            return "more than %d commands in an hour" % _IN_HOUR_MOST
        self._in_hour += 1
        self._keep_counter(b"%d" % counter)
        self._counter = counter
        return None

    def _keep_counter(self, digits):
        self._app.storage.replace(_COUNTER_FILE, b"%08x %s" % (binascii.crc32(digits) & 0xFFFFFFFF, digits))

    def _recall_counter(self, seconds):
        """Damaged, it says nothing of what was used; but whatever was said before now expires within a day."""
        kept = self._app.storage.read(_COUNTER_FILE, 0, 40)
        digits, _, from_s = kept[9:].partition(b" ")
        if kept and (kept[:9] != b"%08x " % (binascii.crc32(kept[9:]) & 0xFFFFFFFF) or not digits.isdigit()):
            digits, from_s = b"0", b"%d" % (seconds + _AHEAD_MOST_S)
            self._keep_counter(b"0 " + from_s)  # else each boot, and each wake, would begin that day anew
        self._counter = int(digits or b"0")
        self._sure_from = int(from_s) if from_s.isdigit() else 0

    def _carry_out(self, do, number):
        app = self._app
        if do == "ack":
            self.acknowledge(GATEWAY)
        elif do == "shelve":
            self.shelve(_whole(number, "with", _SHELVED_MOST_S))
        elif do == "drill":
            self.drill(_whole(number, "with", 3))
        elif do == "reboot":
            self._count_reboot(self._books.moment()[1])
            self.reboot()
        elif do == "status":
            app.uplink.tell_status()
        else:
            raise ValueError("no command '%s'" % do)

    def _count_reboot(self, seconds):
        """Onto flash before it is done. ValueError: too many in a day; a damaged file counts as none, and is whole from then on."""
        kept = self._app.storage.read(_REBOOTS_FILE, 0, 80)
        before = []
        if kept[:9] == b"%08x " % (binascii.crc32(kept[9:]) & 0xFFFFFFFF):
            before = [int(word) for word in kept[9:].split() if abs(seconds - int(word)) < _REBOOTS_WITHIN_S]
        if len(before) >= _REBOOTS_MOST:
            raise ValueError("%d reboots by command in a day: no more" % _REBOOTS_MOST)
        line = b" ".join([b"%d" % one for one in before + [seconds]])
        self._app.storage.replace(_REBOOTS_FILE, b"%08x %s" % (binascii.crc32(line) & 0xFFFFFFFF, line))

    def _reply(self, name, result, why):
        self._app.uplink.reply(
            '{"life":"%s","id":"%s","result":"%s","why":%s}' % (self._app.life, name, result, fixed.quoted(why))
        )

    def _desired(self, message):
        """All of it or nothing: settings that are refused leave what the station runs untouched."""
        settings = self._app.settings
        typed = settings.staged
        revision = -1
        try:
            revision = _whole(message["revision"], "revision")
            if revision <= settings.revision:
                return  # ours is as new, or newer: `settings` says what it is
            if revision - settings.revision > _REVISIONS_MOST:
                raise ValueError("revision is more than %d ahead" % _REVISIONS_MOST)
            settings.staged = {}
            for key in message["values"]:
                i = S.index(key, settings.rows)
                word = message["values"][key]
                if type(word) is not str:
                    raise ValueError("%s must be text, as it would be typed" % key)
                settings.staged[i] = S.validate(settings.rows[i], word)
            self.keep(settings, GATEWAY, revision)
        except OSError:
            self.refuse("desired %d: storage does not take it" % revision)
        except (ValueError, KeyError) as problem:
            self._refuse_desired(revision, problem.args[0] if problem.args else "unusable")
        except (TypeError, AttributeError):
            self._refuse_desired(revision, "values must be names with texts")
        finally:
            settings.staged = typed

    def _refuse_desired(self, revision, why):
        """It is retained, and comes again with every connection and every boot: counted each time, told once."""
        why = "desired %d: %s" % (revision, why)
        mark = b"%08x" % (binascii.crc32(why.encode()) & 0xFFFFFFFF)
        storage = self._app.storage
        try:
            if storage.read(_DESIRED_FILE, 0, 8) == mark:
                self._app.refused += 1
            elif self.refuse(why):
                storage.replace(_DESIRED_FILE, mark)
        except OSError:
            self._books.fail()


def _is_plain(name):
    for letter in name:
        if not ("0" <= letter <= "9" or "a" <= letter <= "z" or "A" <= letter <= "Z" or letter == "-"):
            return False
    return True

"""Settings looked at: `help show get diff`."""

from node.console import session
from node.core import settings as S
from node.core import words


def _helps(console):
    return words.load_help("en" if console.machine else console.language)


def answer_help(console, typed):
    if len(typed) > 2:
        console.usage("help")
    table = _helps(console)
    for line in session.COMMANDS.split("\n"):
        row = line.split()
        if row and (len(typed) == 1 or typed[1] == row[0]):
            mark = " *" if row[2] == "1" else ""
            yield "%s%s: %s" % (" ".join([row[0]] + row[3:]), mark, words.find(table.COMMANDS, row[0]))
            if len(typed) == 2:
                return
    if len(typed) == 2:
        yield _told(console, S.index(typed[1], console.settings.rows))
        return
    yield "* " + console.word("needs pin")
    if not console.table().REVIEWED:
        yield console.word("unreviewed")


def _line(console, i):
    settings = console.settings
    row = settings.rows[i]
    text = row[0] + " " + S.shown(row, settings.values[i])
    if i in settings.staged:
        text += " * " + S.shown(row, settings.staged[i])
    return text


def _told(console, i):
    row = console.settings.rows[i]
    range_told = console.word("range") % (S.shown(row, row[4]), S.shown(row, row[5]))
    return "%s: %s (%s)" % (_line(console, i), words.help_of(_helps(console), row[0]), range_told)


def answer_show(console, typed):
    settings = console.settings
    if len(typed) > 2:
        console.usage("show")
    if len(typed) == 1 and not console.machine:
        from node.console.state import state_line

        yield state_line(console)
    found = False
    for i in settings.used:
        if len(typed) == 1 or settings.rows[i][0].startswith(typed[1]):
            found = True
            yield _line(console, i)
    if len(typed) == 1 and settings.staged and not console.machine:
        yield console.word("staged")
    if not found:
        raise ValueError(console.word("no setting") % (typed[1], _keys(settings)))


def _keys(settings):
    return ", ".join([settings.rows[i][0] for i in settings.used])


def answer_get(console, typed):
    if len(typed) != 2:
        console.usage("get")
    yield _told(console, S.index(typed[1], console.settings.rows))


def answer_diff(console, typed):
    settings = console.settings
    if len(typed) == 1:
        now, then = settings.proposed(), settings.values
        network = console.app._people.network if console.app._people else {}
    elif typed[1:] == ["default"]:
        now, then = settings.values, [row[3] for row in settings.rows]
        network = {}
    else:
        console.usage("diff")
    none = True
    for i in settings.used:
        if now[i] != then[i]:
            none = False
            row = settings.rows[i]
            yield "%s %s -> %s" % (row[0], S.shown(row, then[i]), S.shown(row, now[i]))
    for key in network:
        none = False
        yield "%s -> %s" % (key, "*" if key == "wifi.key" else network[key])
    if none:
        yield console.word("no difference")

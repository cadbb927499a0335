"""Who may change the station, and in which words it answers: `login logout language machine`."""

from node.console.session import Answer
from node.core import words

_TRIES = "pin.tries"  # wrong PINs in a row, the boot and the uptime of the newest
_ROUNDS = 25  # of the digest in one step
_DAMAGED = 5  # taken for so many


def answer_login(console, typed):
    if len(typed) != 2:
        console.usage("login")
    guard = console.guard()
    if not guard:
        yield console.word("open")
        return
    from node.core import pin

    kept = pin.decode(guard)
    if not kept:
        raise Answer("refused", console.word("pin damaged"))
    wrong, left = _tries(console, pin)
    if left > 0:
        raise Answer("wait %d" % left if console.machine else "wait", console.word("wait") % left)
    _count(console, wrong + 1)  # first: pulling the plug is no second try
    digest = pin.Digest(typed[1], kept[1], kept[0])
    while not digest.step(_ROUNDS):
        yield None
    if digest.value != kept[2]:
        seconds = pin.wait_s(wrong + 1)
        raise Answer("wait %d" % seconds if console.machine else "wait", console.word("wrong") % seconds)
    _count(console, 0)
    console.user = True
    yield console.word("welcome")


def _boot(console):
    logs = console.app.logs
    return logs[0].boot if logs else 0


def _tries(console, pin):
    """(wrong ones in a row, seconds until the next is heard). After a restart the whole wait begins again."""
    wrong, since = console.app.wrong_pins if hasattr(console.app, "wrong_pins") else (0, 0)
    if not wrong:
        try:
            kept = console.app.storage.read(_TRIES, 0, 40)
            if kept:
                wrong, boot, since = [int(word) for word in kept.decode().split()]
                if boot != _boot(console):
                    since = 0
        except ValueError:
            wrong, since = _DAMAGED, 0
        except OSError:
            pass
    return wrong, pin.wait_s(wrong) - (console.uptime_s() - since)


def _count(console, wrong):
    """On flash, or where that fails in memory: flash that is broken locks nobody out, and lets nobody guess."""
    app = console.app
    app.wrong_pins = (wrong, console.uptime_s())
    try:
        app.storage.replace(_TRIES, b"%d %d %d" % (wrong, _boot(console), console.uptime_s()))
    except OSError:
        app._books.fail()


def answer_logout(console, typed):
    if len(typed) != 1:
        console.usage("logout")
    console.close()
    yield console.word("logged out")
    console.be_machine(False)


def answer_language(console, typed):
    if len(typed) > 2:
        console.usage("language")
    if len(typed) == 2:
        from node.core import words_levels

        code = typed[1]
        if code not in words.LANGUAGES and not words_levels.of(code):
            raise ValueError(console.word("no language") % " ".join(words.LANGUAGES + words_levels.CODES))
        console.speak(code)
        if console.may():
            console.app.storage.replace("language", code.encode())
    table = console.table()
    yield table.NAME
    if not table.REVIEWED:
        yield console.word("unreviewed")
    if console.language not in words.LANGUAGES:
        from node.core import words_levels

        name, states = words_levels.of(console.language)
        yield "%s: %s" % (name, " | ".join(states))
        yield console.word("unreviewed levels")


def answer_machine(console, typed):
    if typed[1:] not in ([], ["off"]):
        console.usage("machine")
    console.be_machine(len(typed) == 1)
    return
    yield

"""`save` and `revert`: what was typed becomes what the station runs, whole, or nothing of it does."""

from node.console.session import Answer
from node.core import settings as S


def answer_save(console, typed):
    settings = console.settings
    app = console.app
    if len(typed) != 1:
        console.usage("save")
    network = app._people.network if app._people else {}
    if not settings.staged and not network:
        yield console.word("nothing to save")
        return
    try:
        if network:
            yield app.orders.keep_network()
        if not settings.staged:
            return
        changes = app.orders.keep(settings)
    except OSError:
        raise Answer("failed", console.word("not saved"))
    for i, old, new in changes:
        row = settings.rows[i]
        yield console.word("saved one") % (row[0], S.shown(row, new), S.shown(row, old))
    if console.proposed_height == settings.get(S.SENSOR_HEIGHT):
        console.proposed_height = None
        from node.console import surveying

        yield surveying.calibrated(console)
    yield console.word("saved") % settings.revision


def answer_revert(console, typed):
    if len(typed) != 1:
        console.usage("revert")
    count = len(console.settings.staged)
    if console.app._people:
        count += len(console.app._people.network)
        console.app._people.network = {}
    console.settings.staged = {}
    console.proposed_height = None
    yield console.word("reverted") % count

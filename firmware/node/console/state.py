"""State and level in one line, in the language that is spoken."""

from node.core import fixed
from node.core import measurements as M


def state_word(console, state):
    """The state in the language that is spoken, by its official word where the language is known for no other."""
    from node.core import words

    if console.machine:
        return M.STATES[state]
    console.table()
    if console.language not in words.LANGUAGES:
        from node.core import words_levels

        found = words_levels.of(console.language)
        if found:
            return "%s (%s)" % (found[1][state], M.STATES[state])
    return console.word("state." + M.STATES[state])


def state_of(app):
    """The highest state that anything is in."""
    state = app.survey.state if app.survey else 0
    if app.gauge and app.gauge.state > state:
        state = app.gauge.state
    return state


def level_text(gauge):
    return M.REASONS[gauge.reason] if gauge.flag == M.FLAG_MISSING else fixed.text(gauge.level_mm, 3) + " m"


def state_line(console):
    """State, level, battery and revision in one line."""
    app = console.app
    gauge, settings = app.gauge, app.settings
    state = state_word(console, state_of(app))
    if not gauge:
        return console.word("state line") % (state, len(app.survey.sensors), settings.revision)
    text = console.word("level line") % (
        state, level_text(gauge), gauge.flag, gauge.outliers, gauge.battery_mv, settings.revision,
    )  # fmt: skip
    if gauge.in_season():
        text += ", " + console.word("season") % " ".join([fixed.text(gauge.limit_mm(i), 3) for i in (1, 2, 3)])
    return text

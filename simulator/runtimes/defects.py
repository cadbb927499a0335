# mypy: ignore-errors
"""A defect of the program, drawn by a scenario. Runs under CPython and in the MicroPython VM."""

WHERE = ("measure", "_record", "talk", "_calm")
TIMES_MOST = 7
DRAWN = "drawn by a scenario"


def plant(app, name, times):
    """The next so many calls of this method of the app raise instead."""
    left = [times]

    def wrong(*_):
        left[0] -= 1
        if not left[0]:
            delattr(app, name)
        app.drawn = getattr(app, "drawn", 0) + 1
        raise ZeroDivisionError(DRAWN)

    setattr(app, name, wrong)

# mypy: ignore-errors
"""A defect of the program, drawn by a scenario. Runs under CPython and in the MicroPython VM."""

WHERE = ("measure", "_record", "talk", "_calm")
DRAWN = "drawn by a scenario"


def plant(app, name):
    """The next call of this method of the app raises instead; once."""

    def wrong(*_):
        delattr(app, name)
        app.drawn = getattr(app, "drawn", 0) + 1
        raise ZeroDivisionError(DRAWN)

    setattr(app, name, wrong)

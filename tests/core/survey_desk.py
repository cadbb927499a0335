"""Sensors that answer as a test says, on the desk: as drivers by themselves, and by the name `fake` under a whole station."""

from types import SimpleNamespace

from node.core import settings as S
from node.core.clock import WRAP
from node.core.measurements import MISSING
from node.survey import Sensor, Survey

CALM = {"driver": "battery", "bus": "adc1", "gives": "battery", "ratio_milli": 5700}


class Fake:
    """`bus.wait` is what start returns, `bus.answers` what the looks return in turn, the last one for ever; an exception is raised."""

    def __init__(self, bus, config):
        self.bus = bus
        self.GIVES = tuple(config["gives"])

    def start(self):
        self.bus.asked.append("start")
        return _said(self.bus.wait)

    def read_into(self, values):
        bus = self.bus
        bus.asked.append("look")
        answer = bus.answers[0] if len(bus.answers) == 1 else bus.answers.pop(0)
        if _said(answer) == 0:
            for k in range(len(values)):
                values[k] = bus.values[k % len(bus.values)]
        return answer


def _said(answer):
    if isinstance(answer, type) and issubclass(answer, BaseException):
        raise answer("injected")
    return answer


def bus(*values, answers=(0,), wait=0):
    return SimpleNamespace(values=list(values) or [MISSING], answers=list(answers), wait=wait, asked=[])


def module():
    """What stands for `node.drivers.fake`."""
    return SimpleNamespace(Fake=Fake)


def survey(*rows, settings=None, **more):
    """A survey of (bus, name of the bus, keys given)."""
    sensors = [Sensor(Fake(bus, {"gives": gives}), name) for bus, name, gives in rows]
    return Survey(
        sensors, more.get("derived", ()), more.get("watches", ()), settings or S.Settings({}), more.get("relay")
    )


def moment():
    return 0, 0, 0


class Turned:
    """A survey stepped as the station does it. `t`: ms since the test began, `rounds`: (t, points) of each."""

    def __init__(self, survey, ticks=0):
        self.survey = survey
        self.t = 0
        self._ticks = ticks
        self.rounds = []
        self.begun = []
        self.steps = 0

    @property
    def now(self):
        return (self._ticks + self.t) % WRAP

    def run(self, ms):
        end = self.t + ms
        at_once = 0
        while self.t <= end:
            before = self.survey.sampling
            self.survey.uptime_s = self.t // 1000
            acts = sum(len(sensor.driver.bus.asked) for sensor in self.survey.sensors)
            if self.survey.step(self.now, moment):
                self.rounds.append((self.t, list(self.survey.points())))
            if self.survey.sampling and not before:
                self.begun.append(self.t)
            after = sum(len(sensor.driver.bus.asked) for sensor in self.survey.sensors)
            assert after - acts <= 1, "one action a step"
            self.steps += 1
            due = self.survey.due_in(self.now)
            assert due >= 0
            at_once = 0 if due else at_once + 1
            assert at_once < 4 + 3 * len(self.survey.sensors), "it asks to be stepped at once, again and again"
            self.t += due
        return self.rounds

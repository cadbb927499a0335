"""The other sensors' half of a station: rounds of a survey, recorded and told. Loaded only by stations that have one."""

from node import telling
from node.core import journal, limits
from node.core import measurements as M
from node.core import quantities as Q
from node.core import settings as S
from node.survey import Sensor, Survey, Watch, point_id

_FAULT_AFTER = 3
_UNTOLD_MOST = 32  # events that wait for storage
_POINTS_MOST = 20  # of one record: its pack stays below the node's 2 KB packet


def compose(station, others, settings, gauge, outputs):
    """The survey: sensors, what is derived from them, and the alarms the station's data asks for. ValueError names what there is not."""
    sensors = [Sensor(driver, bus) for driver, bus in others]
    given = [i for sensor in sensors for i in sensor.ids]
    derived: list = []
    relay = None
    if Q.PM2_5 in given:
        from node.derive import NowCast

        derived.append(NowCast())
    if Q.PM2_5 in given or Q.CO2 in given:
        from node.derive import MEANS, Mean

        derived += [Mean(source, hours, target) for source, hours, target in MEANS if source in given]
    if station.get("tank"):
        if not gauge:
            raise ValueError("a tank needs a sensor that gives level")
        from node.derive import Tank

        derived.append(Tank(station["tank"], gauge))
    if station.get("panels"):
        from node.derive_panels import Panels

        derived.append(Panels(station["panels"]))
    if station.get("relay"):
        from node.derive import Relay

        row = station["relay"]
        relay = Relay(row, outputs[row["output"]], point_id(row["of"]))
        derived.append(relay)
    watches = [Watch(point_id(key), limits.first_of(key)) for key in station.get("watch", ())]
    return Survey(sensors, derived, watches, settings, relay)


class Rounds:
    """`battery` is read with every round where no gauge reads it, else None."""

    def __init__(self, app, survey, books, battery):
        self.survey = survey
        self._app = app
        self._books = books
        self._battery = battery
        self._untold: list = []
        self.hearing = None
        survey.on_defect = self._note

    def _note(self, error):
        """A defect in a derived part: counted and told, and the alarms go on."""
        self._app.faults.note(error)

    def listen(self, sounder):
        """Prove the siren, where its current is measured."""
        for sensor in self.survey.sensors:
            if Q.SIREN_CURRENT in sensor.ids:
                from node.hearing import Hearing

                place = sensor.ids.index(Q.SIREN_CURRENT)
                self.hearing = Hearing(sensor, place, self.survey, sounder, self._app.settings, self._books)

    def step(self, now_ms):
        """True when a round was completed and recorded: in records of up to 20 points."""
        survey, books, gauge = self.survey, self._books, self._app.gauge
        survey.uptime_s = books.uptime.seconds
        if gauge:
            survey.battery_mv = gauge.battery_mv if gauge.battery_flag == M.FLAG_PASS else 0
        if not survey.step(now_ms, books.moment):
            return False
        if gauge:
            air_cc = survey.air_cc()
            if (
                air_cc is not None
            ):  # a thermometer that fails leaves the air as it was: going back to what the ranger assumes shifts the level
                gauge.air_cc = air_cc
        moment = self._app.begin()
        telling.state(self._app, books, None)
        for number, sensor in enumerate(survey.sensors):
            self._tell_sensor(number, sensor)
        self._untold = (self._untold + survey.changes())[-_UNTOLD_MOST:]
        while self._untold and books.event(*self._untold[0]):
            self._untold.pop(0)
        books.settle()
        points = list(survey.points())
        if self._battery:
            mv = self._battery.read_mv()
            flag = self._battery.flag(mv)
            survey.battery_mv = mv if flag == M.FLAG_PASS else 0
            points.append((M.BATTERY, flag, mv))
        for begin in range(0, len(points), _POINTS_MOST):
            books.append(journal.READINGS, moment, points[begin : begin + _POINTS_MOST])
        return True

    def highest(self, level_state):
        """(state, watch): the station's state is the highest of its alarms; `watch` makes it, None: the level does."""
        survey = self.survey
        return (survey.state, survey.cause) if survey.state > level_state else (level_state, None)

    def crossing(self, watch, crossed):
        """What an alarm's event says of the quantity that made it: its value, and the limit that was crossed."""
        limit = watch.first + crossed
        flag = 0 if watch.flag == M.FLAG_MISSING else watch.flag
        return (watch.point, flag, watch.value), (M.NEW_SETTING + S.id_of(limit), 0, self._app.settings.get(limit))

    def _tell_sensor(self, number, sensor):
        bad = sensor.failures >= _FAULT_AFTER
        if bad != sensor.told_bad and (bad or not sensor.failures):
            of = (M.SENSOR_NUMBER, 0, number)
            reason = ((M.REASON, 0, sensor.reason),) if bad else ()
            if self._books.event((M.SENSOR, 0, 0 if bad else 1), of, *reason):
                sensor.told_bad = bad
                self._app.tell_soon()

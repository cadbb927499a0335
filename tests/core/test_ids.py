"""A row's index is its id in journals that are out in the field: what an id means never changes."""

from node.core import limits, measurements, quantities, settings

# The rows that other tables go on from. A row more here would shift every id behind it: new rows go to the end of `quantities`, or of `limits`.
BASE_POINTS = 23
BASE_SETTINGS = 20
# Ids as the first release has them, from each end of each table.
POINTS = {
    "level": 0,
    "battery": 1,
    "alarm": 2,
    "sensor_number": 22,
    "rain": 23,
    "siren_current": 58,
    "relay": 62,
    "co2_8h": 65,
}
SETTINGS = {
    "level.alert": 0,
    "battery.low": 16,
    "siren.current_low": 19,
    "pm2_5_nowcast.alert": 64,
    "fill.deadband": 79,
}


def test_the_tables_that_others_go_on_from_have_not_grown():
    assert len(measurements.POINTS) == BASE_POINTS, (
        "put the new row at the end of node.core.quantities: ids must not move"
    )
    assert len(settings.ROWS) == BASE_SETTINGS, "put the new row at the end of node.core.limits: ids must not move"


def test_every_id_still_means_what_it_meant():
    assert {key: [row[0] for row in quantities.POINTS].index(key) for key in POINTS} == POINTS
    assert {key: settings.id_of(settings.index(key, limits.ROWS)) for key in SETTINGS} == SETTINGS

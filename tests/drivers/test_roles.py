import pytest

from node.drivers import roles
from node.drivers.sht4x import SHT4x


def test_one_driver_serves_several_roles():
    assert SHT4x(None, {}).GIVES == ("temperature", "humidity")
    enclosure = {"gives": ["enclosure_temperature", "enclosure_humidity"]}
    assert SHT4x(None, enclosure).GIVES == ("enclosure_temperature", "enclosure_humidity")
    assert SHT4x(None, {"gives": ["temperature:2", None]}).GIVES == ("temperature:2", None)
    assert SHT4x.GIVES == ("temperature", "humidity")


def test_a_single_key_may_stand_alone():
    assert roles.keys({"gives": "water_temperature"}, ("module_temperature",)) == ("water_temperature",)


def test_a_role_in_another_unit_or_of_another_number_is_told_at_once():
    for gives in (["pm1", "humidity"], ["temperature"], ["temperature", "no_such_point"], "temperature"):
        with pytest.raises(ValueError):
            SHT4x(None, {"gives": gives})

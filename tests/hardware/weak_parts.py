"""Parts that are too weak on purpose, beside the shipped ones."""

from types import MappingProxyType

import pytest

from hardware import parts as module
from hardware.parts import Part

WEAK = {
    "circuits": (("tiny_switch", "mosfet_low_side", {"max_ma": 500}),),
    "sensors": (("heavy_modbus", "conductivity_modbus", {"unit_milli": 20_000}),),
    "supplies": (
        ("buck_5v_small", "buck_5v_2a", {"max_ma": 500}),
        ("lfp_small", "lfp_6ah", {"max_ma": 2000, "mah": 12_000}),
        ("lfp_large", "lfp_20ah", {"mah": 200_000}),
        ("panel_just", "panel_20w", {"voc_mv": 23_401}),  # 25,000 mV at 20 degrees, with 5 %
        ("panel_high", "panel_20w", {"voc_mv": 23_402}),
    ),
}


@pytest.fixture
def weak_parts(monkeypatch):
    """`hardware.parts.parts` with those of WEAK."""
    real = module.parts

    def parts(group):
        found = dict(real(group))
        for name, like, figures in WEAK.get(group, ()):
            found[name] = Part(name, found[like].kind, {**found[like].figures, **figures})
        return MappingProxyType(found)

    monkeypatch.setattr("hardware.fittings.parts", parts)

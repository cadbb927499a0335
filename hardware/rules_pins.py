"""Rules of single pins, beyond those that reading a station's file holds to already (hardware.boards.why_not)."""

from collections.abc import Iterator

from hardware.boards import chips
from hardware.compile import Station
from hardware.harness import CHIP_MV, outputs, setting
from hardware.rule import Finding, finding

INSIDE_OHM = 45_000  # the chip's own pull-ups
_BARE_UA = 20_000  # that a pin gives with its level kept
_WEAK_UA = 10_000
_ONEWIRE_OHM = (1000, 5000)
_LONG_CM = 1000
_ONEWIRE_READ_NS = 9000  # after MicroPython lets go of the line
_TO_A_ONE_MILLI = 1386  # of RC, from 0 to 0.75 of the supply
_CHIP_PF = 10
_PF_A_CM = 1
_CONTACT_OHM = 1000
_CONTACT_CM = 27_400


def sleeps(station: Station) -> bool:
    return setting(station, "power.profile") == 1


def boot_glitch(station: Station) -> Iterator[Finding]:
    for name, pin, _ in outputs(station):
        if pin in chips()[station.board["chip"]]["glitch"]:
            said = f"{name} is on {pin}, which {station.board['chip']} drives or pulls up at boot"
            yield finding(station.source, "boot-glitch", ("pins", name, "pin"), said, (pin,))


def output_pull_down(station: Station) -> Iterator[Finding]:
    for name, pin, fit in outputs(station):
        downs = [ohm for ohm in (fit.pull_down_ohm, fit.switch["pull_down_ohm"] if fit.switch else 0) if ohm]
        down = 1 / sum(1 / ohm for ohm in downs) if downs else 0
        ups = [ohm for key in ("pull_ups", "pull_ups_of_some") if (ohm := station.board[key].get(pin))]
        up = 1 / sum(1 / ohm for ohm in (*ups, INSIDE_OHM))
        trail = ("fit", name, "pull_down_ohm")
        if not fit.pull_down_ohm:
            yield finding(
                station.source, "output-pull-down", ("fit", name), f"{name} on {pin} has no pull-down", (pin,)
            )
        elif fit.switch and CHIP_MV * down / (up + down) > fit.switch["off_at_mv"]:
            whose = f"the {ups[0]} Ohm with which the board pulls it up" if ups else "the chip's pull-up"
            said = f"{name} on {pin}: {down:.0f} Ohm against {whose} leave {fit.switch.id} on"
            yield finding(station.source, "output-pull-down", trail, said, (pin,))
        elif CHIP_MV * 1000 / down > _bare_ua(station, pin):
            said = f"{name} on {pin}: {down:.0f} Ohm take {CHIP_MV / down:.0f} mA of the pin, which then gives no full level"
            yield finding(station.source, "output-pull-down", trail, said, (pin,))


def _bare_ua(station: Station, pin: int) -> int:
    return _WEAK_UA if pin in chips()[station.board["chip"]]["weak"] else _BARE_UA


def output_driver(station: Station) -> Iterator[Finding]:
    for name, pin, fit in outputs(station):
        if fit.part and not fit.switch and (fit.part["peak_ua"] > _bare_ua(station, pin) or fit.rail != "3V3"):
            said = f"{fit.part.id} of {fit.part['awake_ua'] // 1000} mA on {fit.rail} hangs on the bare pin {pin}"
            yield finding(station.source, "output-driver", ("fit", name), said, (pin,))


def wake_pin(station: Station) -> Iterator[Finding]:
    if not sleeps(station):
        return
    wake = chips()[station.board["chip"]]["wake"]
    counted = [(name, row["pin"]) for name, row in station.pins.items() if row["kind"] == "pulses"]
    for name, pin in counted:
        if pin not in wake:
            said = f"{name} is on {pin}, and asleep {station.board['chip']} watches {', '.join(map(str, wake))}"
            yield finding(station.source, "wake-pin", ("pins", name, "pin"), said, (pin,))
    for name, pin in counted[1:]:
        said = f"{name} is the second contact that counts, and asleep only {counted[0][0]} does"
        yield finding(station.source, "wake-pin", ("pins", name, "pin"), said, (pin,))


def contact_pull_up(station: Station) -> Iterator[Finding]:
    for name, row in station.pins.items():
        if row["kind"] not in ("pulses", "switch"):
            continue
        ohm = station.fittings.fit(name).pull_up_ohm
        if row["kind"] == "pulses" and sleeps(station) and not ohm:
            said = f"{name} on {row['pin']} wakes the chip and has no pull_up_ohm"
            yield finding(station.source, "contact-pull-up", ("fit", name), said, (row["pin"],))
        if 0 < ohm < _CONTACT_OHM:
            said = f"{name} on {row['pin']} is pulled up by {ohm} Ohm; {_CONTACT_OHM} are the least"
            why = f"{CHIP_MV / ohm:.0f} mA flow for as long as it is closed, and a bucket may rest on its contact all night"
            yield finding(
                station.source, "contact-pull-up", ("fit", name, "pull_up_ohm"), said, (row["pin"],), reason=why
            )


def contact_length(station: Station) -> Iterator[Finding]:
    for name, row in station.pins.items():
        cm = station.fittings.fit(name).cable_cm
        if row["kind"] in ("pulses", "switch") and cm > _CONTACT_CM:
            said = f"{name} has {cm / 100:g} m of cable, and {_CONTACT_CM / 100:g} m are the most"
            yield finding(station.source, "contact-length", ("fit", name, "cable_cm"), said, (row["pin"],))


def onewire_pull_up(station: Station) -> Iterator[Finding]:
    for name, row in station.pins.items():
        if row["kind"] == "onewire":
            fit = station.fittings.fit(name)
            least, most = _ONEWIRE_OHM
            most = most if fit.cable_cm <= _LONG_CM else most // 2
            if not least <= fit.pull_up_ohm <= most:
                has = f"a pull-up of {fit.pull_up_ohm} Ohm" if fit.pull_up_ohm else "no pull-up"
                said = f"{name} on {row['pin']} has {has}; over {fit.cable_cm / 100:g} m of cable it takes one of {least} to {most} Ohm"
                yield finding(station.source, "onewire-pull-up", ("fit", name), said, (row["pin"],))
                continue
            rises = fit.pull_up_ohm * (_CHIP_PF + fit.cable_cm * _PF_A_CM) * _TO_A_ONE_MILLI // 1_000_000
            if rises > _ONEWIRE_READ_NS:
                said = f"{name} has {fit.cable_cm / 100:g} m: {fit.pull_up_ohm} Ohm lift it to a 1 in {rises} ns, and it is read after {_ONEWIRE_READ_NS}"
                yield finding(station.source, "onewire-length", ("fit", name, "cable_cm"), said, (row["pin"],))


def without_psram(station: Station) -> Iterator[Finding]:
    if not station.board["psram_kb"]:
        yield finding(station.source, "psram-tls", ("board",), f"{station.board['name']} has no PSRAM")


def modem_asleep(station: Station) -> Iterator[Finding]:
    if station.access.get("access") == "lte" and sleeps(station):
        said = "power.profile is 1, and its modem stays on the network"
        yield finding(station.source, "modem-asleep", ("settings", "power.profile"), said)


ALL = (
    boot_glitch,
    output_pull_down,
    output_driver,
    wake_pin,
    contact_pull_up,
    contact_length,
    onewire_pull_up,
    without_psram,
    modem_asleep,
)

"""A station's way into a network, where it is not Wi-Fi: `access`, `[lan]` and `[lte]` (docs/ports.md)."""

from collections.abc import Mapping
from typing import Any

from hardware.shape import Source, table

KINDS = ("wifi", "lan", "lte")
PHYS = ("lan8720", "lan8670", "ip101", "rtl8201", "dp83848", "ksz8041", "ksz8081")
RMII = (19, 21, 22, 25, 26, 27)  # the chip's own MAC has them nowhere else
# A quotation mark would end the AT command's text.
_WORD = {"text": r"[!#-~]{1,63}", "about": "1 to 63 letters without spaces and quotation marks"}
_APN = {
    "text": r"[!#-~]{0,63}",
    "about": 'up to 63 letters without spaces and quotation marks; "" where the SIM needs none',
}
_PIN = {"low": 0, "high": 39}
LAN: Mapping[str, Mapping[str, Any]] = {
    "mdc": {**_PIN, "required": True},
    "mdio": {**_PIN, "required": True},
    "phy_type": {"choices": list(PHYS), "required": True},
    "phy_addr": {"low": 0, "high": 31, "required": True},
    "power": _PIN,
    "ref_clk": {"choices": [0, 16, 17]},
    "ref_clk_mode": {"choices": ["in", "out"]},
}
SUBSCRIPTION: Mapping[str, Mapping[str, Any]] = {
    "apn": _APN,
    "user": _WORD,
    "key": _WORD,
    "pin": {"text": r"\d{4,8}", "about": "the SIM's PIN, 4 to 8 digits as text"},
}
LTE: Mapping[str, Mapping[str, Any]] = {
    "uart": {"text": r"uart\d", "required": True, "about": "the name of a bus of kind uart in [pins]"},
    **SUBSCRIPTION,
}


def read_access(source: Source, pins: dict[str, dict[str, Any]], board: Mapping[str, Any]) -> dict[str, Any]:
    """What the board's JSON says of it: nothing for Wi-Fi. The modem's UART is taken out of `pins`: it is no bus of a sensor."""
    values = source.values
    kind = values.get("access", "wifi")
    if kind not in KINDS:
        source.refuse(("access",), f"access is {kind!r:.40}; allowed are {', '.join(KINDS)}")
    for other in ("lan", "lte"):
        if other in values and other != kind:
            source.refuse(
                (other,), f'[{other}] is of no use: access is {kind}; write access = "{other}" or leave the table out'
            )
    _modem_pins(source, pins, board, kind)
    if kind == "lan":
        return {"access": kind, "lan": _lan(source, pins, board)}
    if kind == "lte":
        return {"access": kind, "lte": _lte(source, pins, board.get("modem", {}))}
    return {}


def _modem_pins(source: Source, pins: dict[str, dict[str, Any]], board: Mapping[str, Any], kind: str) -> None:
    """A board's own modem is on its pins for good: the UART of [lte] has all of them, and nothing else any."""
    wired = board.get("modem")
    if not wired:
        return
    lte = source.values.get("lte")
    own = lte.get("uart") if kind == "lte" and isinstance(lte, dict) else None
    soldered = sorted(pin for pin in wired.values() if type(pin) is int)
    for name, row in pins.items():
        if name == own:
            for member, pin in ((member, wired[member]) for member in ("rx", "tx", "power")):
                if row.get(member) != pin:
                    source.breaks(
                        ("pins", name, member),
                        f"pins.{name}.{member} is {row.get(member)}; the modem of {board['name']} has its {member} on {pin}",
                        "modem-pin",
                    )
            continue
        for member in ("rx", "tx", "power", "sda", "scl", "pin"):
            if row.get(member) in soldered:
                source.breaks(
                    ("pins", name, member),
                    f"pins.{name}.{member} is {row[member]}, which the modem of {board['name']} has; it takes "
                    f"{', '.join(map(str, soldered))}",
                    "modem-pin",
                )


def _lan(source: Source, pins: dict[str, dict[str, Any]], board: Mapping[str, Any]) -> dict[str, Any]:
    if board["chip"] != "esp32":
        source.refuse(("access",), f"{board['name']} has no Ethernet: of these chips only the esp32 has")
    wired = board.get("lan")
    lan = table(source, source.values.get("lan", wired), LAN, ("lan",))
    if wired and lan != wired:
        source.breaks(("lan",), f"[lan] is not as {board['name']} is wired; leave [lan] out", "lan-pins")
    if not wired:
        _of_the_phy(source, lan, board)
    own = {*RMII, *(lan[key] for key in ("mdc", "mdio", "power", "ref_clk") if key in lan)}
    for name, row in pins.items():
        for member, pin in row.items():
            if member in ("rx", "tx", "power", "sda", "scl", "pin") and pin in own:
                source.breaks(
                    ("pins", name, member),
                    f"pins.{name}.{member} is {pin}, which Ethernet needs; it takes {', '.join(map(str, sorted(own)))}",
                    "lan-pins",
                )
    return lan


def _of_the_phy(source: Source, lan: Mapping[str, Any], board: Mapping[str, Any]) -> None:
    """A PHY beside the board: its pins are held to what any other's are. Its clock alone may come in on 0, as PHY boards have it."""
    from hardware.boards import why_not

    used: dict[int, str] = dict.fromkeys(RMII, "RMII")
    for pin in RMII:
        rule, reason = why_not(board, pin, "output")
        if rule:
            source.breaks(("access",), f"Ethernet's RMII needs pin {pin} of {board['name']}: {reason}", rule)
    for key in ("mdc", "mdio", "power", "ref_clk"):
        pin = lan.get(key, 0 if key == "ref_clk" else None)
        if pin is None:
            continue
        rule, reason = ("", "") if key == "ref_clk" and pin == 0 else why_not(board, pin, "output")
        if rule:
            source.breaks(("lan", key), f"lan.{key} can't be pin {pin} of {board['name']}: {reason}", rule)
        elif pin in used:
            source.breaks(("lan", key), f"lan.{key} is pin {pin}, which {used[pin]} has already", "lan-pins")
        used[pin] = key


def _lte(source: Source, pins: dict[str, dict[str, Any]], wired: Mapping[str, Any]) -> dict[str, Any]:
    lte = table(source, source.values.get("lte"), LTE, ("lte",))
    name = lte.pop("uart")
    if pins.get(name, {}).get("kind") != "uart":
        source.refuse(("lte", "uart"), f"lte.uart is '{name}', and [pins] has no such bus of kind uart")
    bus = pins.pop(name)
    line = {"number": int(name[-1]), "rx": bus["rx"], "tx": bus["tx"], "baud": bus.get("baud", 115200)}
    own = {key: wired[key] for key in ("supply", "low") if key in wired}
    return {"uart": line, **({"power": bus["power"]} if "power" in bus else {}), **own, "apn": "", **lte}

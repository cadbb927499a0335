"""A station's settings and orders as a person is shown them. Pure."""

from typing import Any

from gateway.desk import INDEX, WAITING, Desk, Order
from node.core import fixed, helps_en, words
from node.core import settings as S
from node.core.limits import ROWS
from node.core.measurements import STATES as NODE_STATES

GROUPS = {
    "level": "Water level",
    "rise": "Rate of rise",
    "alarm": "Alarm",
    "siren": "Siren",
    "sensor": "Sensor",
    "sample": "Sampling",
    "report": "Reporting",
    "battery": "Battery",
    "power": "Power",
    "radio": "Radio",
    "pm2_5_nowcast": "PM2.5 NowCast",
    "co2": "CO₂",
    "rain_rate": "Rain rate",
    "fill": "Fill",
}
# state of an order -> mark and words; a colour never stands alone
STATES = {
    "waiting": ("…", "not confirmed yet"),
    "confirmed": ("✓", "confirmed by the station"),
    "done": ("✓", "done"),
    "refused": ("✕", "refused by the station"),
    "superseded": ("✕", "superseded: the station's own settings are newer"),
    "replaced": ("→", "replaced by something newer"),
    "withdrawn": ("→", "withdrawn"),
    "unanswered": ("?", "no answer"),
}


def groups(desk: Desk, typed: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """The settings the station says it runs, in the table's order; what is wanted of them, or was just `typed`."""
    running = desk.running[1] if desk.running else {}
    wanted = desk.desired.body if desk.desired else {}
    found: dict[str, list[dict[str, Any]]] = {}
    for key, value in running.items():
        row = ROWS[INDEX[key]] if key in INDEX else None
        runs = fixed.text(value, row[2]) if row else str(value)
        field = (typed or {}).get(key, wanted.get(key, runs))
        found.setdefault(key.split(".")[0], []).append(
            {
                "key": key,
                "help": words.help_of(helps_en, key) if row else "not known to this gateway",
                "unit": (row[1] if row else None) or "",
                "runs": runs,
                "field": field,
                "wanted": wanted.get(key) if wanted.get(key) != runs else None,
                "changed": field != runs,
                "known": row is not None,
                "allowed": f"{fixed.text(row[4], row[2])} to {S.shown(row, row[5])}" if row else "",
            }
        )
    return [{"name": GROUPS.get(name, name), "rows": rows} for name, rows in found.items()]


def changes(desk: Desk, typed: dict[str, str]) -> dict[str, str]:
    """What of a whole form is wanted: what differs from what runs, and what was wanted before, changed back or not."""
    running = desk.running[1] if desk.running else {}
    wanted = desk.desired.body if desk.desired else {}
    return {
        key: word.strip()
        for key, word in typed.items()
        if key in INDEX and (key in wanted or word.strip() != fixed.text(running.get(key, 0), ROWS[INDEX[key]][2]))
    }


def order_of(order: Order) -> dict[str, Any]:
    """An order, for page and API."""
    mark, words = STATES[order.state]
    return {
        "id": order.id,
        "do": order.do,
        "what": _what(order),
        "number": order.number,
        "sender": order.sender,
        "at_ms": order.at_ms,
        "state": order.state,
        "mark": mark,
        "words": words,
        "why": order.why,
        "ended_ms": order.ended_ms,
        "values": order.body if order.is_settings else None,
    }


def _what(order: Order) -> str:
    if order.is_settings:
        named = [S.shown(ROWS[INDEX[k]], S.validate(ROWS[INDEX[k]], word)) for k, word in order.body.items()]
        return ", ".join(f"{key} {value}" for key, value in zip(order.body, named, strict=True))
    if order.do == "shelve":
        return f"shelve for {order.body} s" if order.body else "end shelving"
    return f"drill of {NODE_STATES[order.body]}" if order.do == "drill" else order.do


def about(desk: Desk) -> dict[str, Any]:
    """What page and API say of a station's settings and orders. `stamp` changes with anything a person would want to see."""
    orders = [order_of(order) for order in reversed(desk.recent)]
    newest = next((o for o in orders if o["values"] is not None), None)
    return {
        "revision": desk.running[0] if desk.running else None,
        "state": desk.node.state,
        "life": desk.life,
        "settings": newest,
        "waits": any(o["state"] == WAITING for o in orders),
        "commands": [o for o in orders if o["values"] is None][:8],
        "orders": orders[:20],
        "stamp": f"{desk.life}/{desk.running[0] if desk.running else 0}/{desk.node.state}/"
        + ",".join(f"{o['id']}{o['state'][0]}" for o in orders[:20]),
    }

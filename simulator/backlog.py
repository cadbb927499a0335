"""What piled up while the broker was away, and how long it took to come, read from the gateway's database."""

from typing import Any

from gateway.store import SqliteStore
from simulator.scenario import Scenario

LONG_S = 3600

_SINCE = "SELECT COUNT(*), MAX(received_ms) FROM records WHERE t_ms >= ? AND t_ms < ? AND received_ms >= ?"


def backlogs(scenario: Scenario, store: SqliteStore) -> list[dict[str, Any]]:
    """Of each outage of an hour and more: records made in it that came after it, and seconds until the last of them was received."""
    found = []
    for outage in scenario.outages:
        if outage.for_s < LONG_S:
            continue
        begin = scenario.starts_unix_ms + outage.from_s * 1000
        end = begin + outage.for_s * 1000
        records, last_ms = store.rows(_SINCE, (begin, end, end))[0]
        found.append(
            {
                "from_s": outage.from_s,
                "for_s": outage.for_s,
                "records": records,
                "drained_s": round((last_ms - end) / 1000) if records else 0,
            }
        )
    return found

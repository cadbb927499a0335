"""Series as a page can draw them: thinned without losing a peak, counts summed, several of a kind side by side. Pure."""

from collections.abc import Iterable

LIMIT = (
    4000  # points of a series; more are thinned, keeping the lowest, the highest and every doubtful one of each stretch
)
# A longest span, and the width of the stretches that counts (rain) are summed in
_STRETCHES = ((26 * 3_600_000, 600_000), (8 * 86_400_000, 3_600_000), (2**62, 86_400_000))

Row = tuple[int, float | None, int]


def slope(rows: list[tuple[int, float]]) -> float | None:
    """Change in an hour of the straight line through (t_ms, value); None below three readings or five minutes."""
    if len(rows) < 3 or rows[-1][0] - rows[0][0] < 300_000:
        return None
    hours = [(t - rows[0][0]) / 3_600_000 for t, _ in rows]
    middle = sum(hours) / len(hours)
    level = sum(v for _, v in rows) / len(rows)
    spread = sum((h - middle) ** 2 for h in hours)
    return sum((h - middle) * (v - level) for h, (_, v) in zip(hours, rows, strict=True)) / spread if spread else None


def thinned(rows: list[Row], limit: int = LIMIT) -> list[Row]:
    """At most about `limit` rows: of each stretch the lowest, the highest, first and last that are missing, and all that are doubtful, in order."""
    if len(rows) <= limit:
        return rows
    size = -(-2 * len(rows) // limit)
    kept = []
    for at in range(0, len(rows), size):
        stretch = rows[at : at + size]
        good = [row for row in stretch if row[1] is not None and row[2] in (1, 2)]
        missing = [row for row in stretch if row[1] is None]
        chosen = {*missing[:1], *missing[-1:]}
        if good:
            chosen |= {min(good, key=_value), max(good, key=_value)}
        kept += [row for row in stretch if row in chosen or (row[1] is not None and row[2] not in (1, 2))]
    return kept


def _value(row: Row) -> float:
    assert row[1] is not None
    return row[1]


def stretch_ms(from_ms: int, to_ms: int) -> int:
    """How wide the stretches of a sum are for this span."""
    return next(width for longest, width in _STRETCHES if to_ms - from_ms <= longest)


def summed(rows: list[Row], width_ms: int) -> list[Row]:
    """Sums of stretches that begin at whole multiples of their width; a stretch without any usable count is missing."""
    sums: dict[int, Row] = {}
    for t_ms, v, q in rows:
        begin = t_ms - t_ms % width_ms
        usable = v is not None and q in (1, 2, 3)
        before = sums.get(begin, (begin, None, 9))
        if usable:
            assert v is not None
            sums[begin] = (begin, round((before[1] or 0) + v, 6), max(q, before[2]) if before[1] is not None else q)
        else:
            sums[begin] = before
    return list(sums.values())


def side_by_side(columns: dict[str, list[Row]]) -> tuple[list[int], dict[str, list[tuple[float | None, int | None]]]]:
    """The times at which any of them says something, and each one's (v, q) there; (None, None) where it says nothing."""
    at = {name: {row[0]: (row[1], row[2]) for row in rows} for name, rows in columns.items()}
    limit = max(LIMIT // max(1, len(columns)), 400)
    times = sorted({row[0] for rows in columns.values() for row in thinned(rows, limit)})
    return times, {name: [found.get(t, (None, None)) for t in times] for name, found in at.items()}


def words(rows: Iterable[tuple[int, str | None, int]]) -> list[tuple[int, str | None, int]]:
    """Only where a word changes."""
    kept: list[tuple[int, str | None, int]] = []
    for row in rows:
        if not kept or kept[-1][1:] != row[1:]:
            kept.append(row)
    return kept

"""The moment of a record as people read it."""


def text(flags, seconds):
    """`2018-06-03 22:04:05` in UTC, or the uptime while the time is not known."""
    if not flags & 1:
        return "+%d s" % seconds
    days = seconds // 86400
    rest = seconds % 86400
    z = days + 719468  # days since 0000-03-01, in eras of 400 years
    era = z // 146097
    day = z % 146097
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5 - 1
    year += era * 400 + (1 if month > 9 else 0)
    month += 3 if month < 10 else -9
    return "%04d-%02d-%02d %02d:%02d:%02d" % (year, month, day, rest // 3600, rest % 3600 // 60, rest % 60)

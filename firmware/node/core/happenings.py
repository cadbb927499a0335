"""What happens seldom: the points of such events, loaded when one is made or sent. A row's id is `FIRST` and its index; rows are only ever added at the end."""

_BIG = 2147483647

FIRST = 0xC0
POINTS = (
    ("refused", None, 0, 0, _BIG, "text"),  # what came through the gateway and was not carried out, and why
    ("crash", None, 0, 0, _BIG, "text"),  # the traceback of the exception that was ours, or that ended the boot before
    ("drill", None, 0, 0, 3, ("begun", "heard", "silent", "not_measured")),
    ("safe_mode", None, 0, 0, 1, ("off", "on")),
    ("update", None, 0, 0, 5, ("offered", "refused", "fetched", "trying", "confirmed", "rolled_back")),
    ("version", None, 0, 0, _BIG, "text"),
    ("because", None, 0, 0, _BIG, "text"),
    ("network", None, 0, 0, 2, ("trial", "confirmed", "reverted")),
    ("time_doubted", "s", 0, -_BIG, _BIG, None),  # so far off was an answer that is not believed
    ("lost_records", None, 0, 0, _BIG, None),  # of a damaged segment, as far as can be known
    ("siren", None, 0, 0, 1, ("fault", "ok")),  # by the current it draws when it is switched on
    ("rtc_memory", None, 0, 0, 1, ("damaged", "foreign")),  # a sleep ended, and what was kept over it is of no use
)

(
    REFUSED, CRASH, DRILL, SAFE_MODE, UPDATE, VERSION, BECAUSE, NETWORK, TIME_DOUBTED, LOST_RECORDS, SIREN, RTC_MEMORY,
) = range(FIRST, FIRST + len(POINTS))  # fmt: skip

"""When to sample next: how often follows the alarm and the battery, and every sample keeps to the grid of the first."""

from node.core import settings as S
from node.core.clock import add, diff

_SAVING = 3  # a low battery makes a calm station sample this many times less often
_LONGEST_S = 3600


def interval_ms(settings, state, battery_mv):
    """Milliseconds between two samples; `state` is above 0 while anything is alarmed, 0 mV: not known."""
    seconds = settings.get(S.SAMPLE_INTERVAL)
    if state:
        return min(seconds, settings.get(S.SAMPLE_ALARM_INTERVAL)) * 1000
    if 0 < battery_mv < settings.get(S.BATTERY_LOW):
        # A rise is told from two samples in its window at the least: saving power does not blind it.
        longest = settings.get(S.RISE_WINDOW) >> 1 if settings.get(S.RISE_LIMIT) else _LONGEST_S
        seconds = max(seconds, min(seconds * _SAVING, longest))
    return seconds * 1000


def next_start(start_ms, every_ms, now_ms):
    """The start after `start_ms`; a station that was kept busy beyond it begins a new grid now."""
    following = add(start_ms, every_ms)
    return following if diff(following, now_ms) > 0 else add(now_ms, every_ms)

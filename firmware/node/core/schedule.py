"""When to sample next: how often follows the alarm and the battery, and every sample keeps to the grid of the first."""

from node.core import settings as S
from node.core.clock import add, diff

_SAVING = 3  # a low battery makes a calm station sample this many times less often
_LONGEST_S = 3600


def interval_ms(settings, state, battery_mv):
    """Milliseconds between two samples; `state` is above 0 while anything is alarmed, 0 mV: not known."""
    if state:
        return settings.get(S.SAMPLE_ALARM_INTERVAL) * 1000
    seconds = settings.get(S.SAMPLE_INTERVAL)
    if 0 < battery_mv < settings.get(S.BATTERY_LOW):
        seconds *= _SAVING
        if seconds > _LONGEST_S:
            seconds = _LONGEST_S
    return seconds * 1000


def next_start(start_ms, every_ms, now_ms):
    """The start after `start_ms`; a station that was kept busy beyond it begins a new grid now."""
    following = add(start_ms, every_ms)
    return following if diff(following, now_ms) > 0 else add(now_ms, every_ms)

"""When a clock that starts now ends: hours are elapsed time, days and months follow the calendar of the pack's zone.

Day periods exclude the first day and end at 24:00; a month period ends on the corresponding day or the month's last
(Civil Code arts 200 to 204). Rolling over holidays needs a calendar of them and comes with the procedures that have
legal day periods.
"""

from collections.abc import Callable
from typing import Final

from whenever import Instant, Time

from placet.errors import SettingsError
from placet.model import Micros
from placet.policy import Policy

_MIDNIGHT: Final = Time(0, 0)


def end_of(policy: Policy, name: str) -> Callable[[Micros], Micros]:
    """The function from a clock's start to its end, for those who ask often."""
    ends(policy, name, 0)  # a clock that no pack has is found out now
    if micros := policy.clock(name).span.micros:
        return lambda start: start + micros
    return lambda start: ends(policy, name, start)


def ends(policy: Policy, name: str, start: Micros) -> Micros:
    """When the clock `name`, started at `start`, ends. Raises SettingsError if no pack has the clock."""
    for pack in policy.packs:
        if policy.clocks.get(name) in pack.clocks:  # of several, the one that counts: a law before the house
            span = policy.clock(name).span
            if span.micros:
                return start + span.micros
            return _calendar_end(start, span.months, span.days, pack.head.timezone)
    raise SettingsError(f"No pack in force has the clock {name!r}; the community pack shows how to write it.")


def _calendar_end(start: Micros, months: int, days: int, zone: str) -> Micros:
    first = Instant.from_timestamp(start * 1_000, unit="nanosecond").to_tz(zone).date()
    last = first.add(months=months, days=days)
    end = last.add(days=1).at(_MIDNIGHT).assume_tz(zone)
    return end.timestamp(unit="nanosecond") // 1_000

"""Timestamps and durations: read, written, added, taken apart in a time zone (language definition, "Timestamps").

Both are counts of nanoseconds. A timestamp lies between the years 1 and 9999, a duration within int64, which is the
range in which the specification's implementations agree.
"""

import functools
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

import re2

from placet.policy.cel.errors import CelRuntimeError
from placet.policy.cel.values import INT_MAX, INT_MIN, Duration, Timestamp

_SECOND: Final = 10**9
_RANGE: Final = "value out of range"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = -62_135_596_800 * _SECOND
_LAST: Final = 253_402_300_800 * _SECOND - 1
_LONGEST: Final = 100
"""Most characters of a duration that is read."""

_TIMESTAMP: Final = re2.compile(
    r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(?:Z|([+-])(\d{2}):(\d{2}))"  # RFC 3339
)
_OFFSET: Final = re2.compile(r"([+-]?)(\d{2}):(\d{2})")
_PART: Final = re2.compile(r"(\d*)(?:\.(\d*))?(h|ms|us|µs|μs|ns|m|s)")
_UNITS: Final = {
    "h": 3600 * _SECOND,
    "m": 60 * _SECOND,
    "s": _SECOND,
    "ms": 10**6,
    **dict.fromkeys(["us", "µs", "μs"], 10**3),
    "ns": 1,
}


def timestamp(nanoseconds: int) -> Timestamp:
    """Refuse what lies before the year 1 or after the year 9999."""
    if _FIRST <= nanoseconds <= _LAST:
        return Timestamp(nanoseconds)
    raise CelRuntimeError(_RANGE)


def duration(nanoseconds: int) -> Duration:
    """Refuse what int64 cannot hold."""
    if INT_MIN <= nanoseconds <= INT_MAX:
        return Duration(nanoseconds)
    raise CelRuntimeError(_RANGE)


# --- conversions -------------------------------------------------------------------------------------------------


def int_to_timestamp(seconds: int) -> Timestamp:
    """Seconds since 1970."""
    return timestamp(seconds * _SECOND)


def timestamp_to_int(value: Timestamp) -> int:
    """Whole seconds since 1970, towards the past."""
    return value // _SECOND


def string_to_timestamp(text: str) -> Timestamp:
    """Read RFC 3339, with up to nine digits of a second."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise CelRuntimeError("not a timestamp")
    try:
        local = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    except ValueError as error:
        raise CelRuntimeError("not a timestamp") from error
    offset = 60 * _minutes(match[3], match[4], match[5]) if match[3] else 0
    seconds = (local - _EPOCH) // timedelta(seconds=1) - offset
    return timestamp(seconds * _SECOND + int((match[2] or "0").ljust(9, "0")))


def timestamp_to_string(value: Timestamp) -> str:
    """Write RFC 3339 in UTC, with as many digits of a second as it has."""
    return f"{_moment(value):%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + _fraction(value % _SECOND) + "Z"


def string_to_duration(text: str) -> Duration:
    """Read a signed run of numbers with units: `1h30m`, `-1.5s`; units are h, m, s, ms, us, ns."""
    unsigned = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    if unsigned == "0":
        return Duration(0)
    total, at = 0, 0
    while at < len(unsigned) <= _LONGEST:
        match = _PART.match(unsigned, at)
        if match is None or not (match[1] or match[2]):
            break
        fraction = match[2] or ""
        total += int((match[1] or "0") + fraction) * _UNITS[match[3]] // 10 ** len(fraction)
        at = match.end()
    if not unsigned or at != len(unsigned):
        raise CelRuntimeError("not a duration")
    return duration(-total if text.startswith("-") else total)


def duration_to_string(value: Duration) -> str:
    """Write seconds, with as many digits of a second as it has: `90.5s`."""
    seconds, rest = divmod(abs(value), _SECOND)
    return f"{'-' if value < 0 else ''}{seconds}{_fraction(rest)}s"


def _fraction(nanoseconds: int) -> str:
    return f".{nanoseconds:09}".rstrip("0") if nanoseconds else ""


# --- arithmetic --------------------------------------------------------------------------------------------------


def shift(left: int, right: int) -> Timestamp:
    """A timestamp and a duration, in either order."""
    return timestamp(left + right)


def shift_back(value: Timestamp, by: Duration) -> Timestamp:
    """A timestamp less a duration."""
    return timestamp(value - by)


def between(later: Timestamp, earlier: Timestamp) -> Duration:
    """The duration from one timestamp to another."""
    return duration(later - earlier)


def add(left: Duration, right: Duration) -> Duration:
    """Two durations together."""
    return duration(left + right)


def subtract(left: Duration, right: Duration) -> Duration:
    """One duration less another."""
    return duration(left - right)


# --- parts -------------------------------------------------------------------------------------------------------


def _minutes(sign: str, hours: str, minutes: str) -> int:
    if int(hours) > 23 or int(minutes) > 59:
        raise CelRuntimeError("not an offset from UTC")
    offset = int(hours) * 60 + int(minutes)
    return -offset if sign == "-" else offset


def _moment(value: Timestamp) -> datetime:
    return _EPOCH + timedelta(seconds=value // _SECOND)


@functools.lru_cache(maxsize=64)  # each zone is read from the database once, however many rules ask for it
def zone(name: str) -> tzinfo:
    """A time zone by its name in the tz database, or by its offset from UTC, such as `+05:30`."""
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        return timezone(timedelta(minutes=_minutes(*offset.groups())))
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # a folder of the database is no zone, and says so as OSError
        raise CelRuntimeError("unknown time zone") from error


def zone_names() -> set[str]:
    """Every name in the tz database, for suggestions."""
    return available_timezones()


def _local(value: Timestamp, name: str) -> datetime:
    """The clock's face in a time zone."""
    try:
        return _moment(value).astimezone(zone(name))
    except (OverflowError, ValueError) as error:  # the first or last hours of all, seen from elsewhere
        raise CelRuntimeError(_RANGE) from error


def part(read: Callable[[datetime], int]) -> Callable[..., int]:
    """Make an accessor of timestamps, with an optional time zone, from what it reads off the clock's face."""

    def accessor(value: Timestamp, name: str = "UTC") -> int:
        return read(_moment(value) if name == "UTC" else _local(value, name))

    return accessor


def _day_of_year(moment: datetime) -> int:
    return moment.toordinal() - date(moment.year, 1, 1).toordinal()


PARTS: Final[dict[str, Callable[..., int]]] = {
    "getFullYear": part(lambda moment: moment.year),
    "getMonth": part(lambda moment: moment.month - 1),
    "getDate": part(lambda moment: moment.day),
    "getDayOfMonth": part(lambda moment: moment.day - 1),
    "getDayOfWeek": part(lambda moment: moment.isoweekday() % 7),  # Sunday is 0
    "getDayOfYear": part(_day_of_year),
}
"""What only timestamps have: months and days count from 0, but for getDate."""

CLOCK: Final[dict[str, tuple[Callable[..., int], int]]] = {
    "getHours": (part(lambda moment: moment.hour), 3600 * _SECOND),
    "getMinutes": (part(lambda moment: moment.minute), 60 * _SECOND),
    "getSeconds": (part(lambda moment: moment.second), _SECOND),
}
"""What both have: the field of a timestamp, and the unit in which the whole of a duration is counted."""


def milliseconds(value: Timestamp, name: str = "UTC") -> int:
    """The thousandths of the second; a zone changes nothing, but must be one."""
    if name != "UTC":
        _local(value, name)
    return value % _SECOND // 10**6


def duration_milliseconds(value: Duration) -> int:
    """The thousandths of the second alone, not the whole duration in thousandths (conformance, "get_milliseconds")."""
    rest = abs(value) % _SECOND // 10**6
    return -rest if value < 0 else rest


def count_in(unit: int) -> Callable[[Duration], int]:
    """Make a count of whole units in a duration, towards zero."""

    def counted(value: Any) -> int:
        count: int = abs(value) // unit
        return -count if value < 0 else count

    return counted

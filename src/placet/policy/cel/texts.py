"""The strings extension (cel-go, ext/strings): parts of a text, joining, splitting, quoting. Places count characters.

What could grow is measured before it is made: no call gives more than MAX_SIZE characters.
"""

import string
from collections.abc import Sequence
from typing import Any, Final

from placet.policy.cel.errors import CelRuntimeError
from placet.policy.cel.runtime import TOO_LARGE, fits
from placet.policy.cel.values import OVERLOAD

MAX_PARTS: Final = 10_000
"""Most parts that a text is split into: a macro over them must not take longer than its cost allows for."""

_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_UPPER: Final = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)
_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)
"""White_Space in Unicode; Python's own idea of it includes four separators of ASCII that are not."""
_QUOTED: Final = str.maketrans(
    {
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
        "\\": "\\\\",
        '"': '\\"',
    }
)


def _within(place: int, text: str) -> int:
    if 0 <= place <= len(text):
        return place
    raise CelRuntimeError("index out of range")


def lower_ascii(value: str) -> str:
    """Lower the letters A to Z and no others."""
    return value.translate(_LOWER)


def upper_ascii(value: str) -> str:
    """Raise the letters a to z and no others."""
    return value.translate(_UPPER)


def char_at(text: str, place: int) -> str:
    """The character at a place; at the end, nothing."""
    return text[_within(place, text) : place + 1]


def index_of(text: str, part: str, start: int = 0) -> int:
    """Where a part first stands, from `start` on; -1 for nowhere."""
    return text.find(part, _within(start, text))


def last_index_of(text: str, part: str) -> int:
    """Where a part last stands; -1 for nowhere."""
    return text.rfind(part)


def last_index_before(text: str, part: str, start: int) -> int:
    """Where a part last begins, at `start` or before; -1 for nowhere."""
    return text.rfind(part, 0, _within(start, text) + len(part))


def substring(text: str, start: int, end: int | None = None) -> str:
    """The characters from `start` up to, and without, `end`."""
    stop = len(text) if end is None else _within(end, text)
    if _within(start, text) > stop:
        raise CelRuntimeError("index out of range")
    return text[start:stop]


def replace(text: str, old: str, new: str, times: int = -1) -> str:
    """Replace the first `times` places where `old` stands; all of them when negative."""
    if len(new) > len(old):
        found = text.count(old) if times < 0 else min(times, text.count(old))
        fits(len(text) + found * (len(new) - len(old)))
    return text.replace(old, new, times)


def split(text: str, separator: str, most: int = -1) -> list[str]:
    """Split into `most` parts; into all of them when negative, into no part at all at 0; "" parts the characters."""
    if most == 0:
        return []
    last = most - 1 if 0 < most <= MAX_PARTS else MAX_PARTS
    if separator:
        parts = text.split(separator, last)
    else:
        parts = [*text[:last], text[last:]] if len(text) > last else list(text)
    if len(parts) > MAX_PARTS:
        raise CelRuntimeError(TOO_LARGE)
    return parts


def join(parts: Sequence[Any], separator: str = "") -> str:
    """One text of many; every part must be one."""
    if not all(isinstance(part, str) for part in parts):
        raise CelRuntimeError(OVERLOAD)
    fits(sum(map(len, parts)) + len(separator) * len(parts))
    return separator.join(parts)


def trim(text: str) -> str:
    """Drop white space at both ends."""
    return text.strip(_SPACE)


def reverse(text: str) -> str:
    """The characters from last to first."""
    return text[::-1]


def quote(text: str) -> str:
    """Write a text as a literal in double quotes, printable as it stands."""
    fits(2 * len(text))
    return f'"{text.translate(_QUOTED)}"'

"""`format` of the strings extension: `'%d of %s'.format([3, 'five'])`. Digits are rounded as doubles, ties to even."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import re2

from placet.policy.cel import convert, times
from placet.policy.cel.errors import CelRuntimeError
from placet.policy.cel.runtime import MAX_SIZE, TOO_LARGE, fits
from placet.policy.cel.values import kind_of

_CLAUSE: Final = re2.compile(r"%(?:(%)|(?:\.(\d{1,3}))?([sdfebxXo]))")
_MOST_DIGITS: Final = 100
"""Most digits after the point: a double has 17 that mean something."""
_DEEPEST: Final = 64


def format_text(text: str, values: Sequence[Any]) -> str:
    """Put values in the places of the clauses, in order; more values than clauses are no mistake."""
    rest = iter(values)
    made: list[str] = []
    at = size = 0
    while (start := text.find("%", at)) >= 0:
        match = _CLAUSE.match(text, start)
        if match is None:
            raise CelRuntimeError("unknown formatting clause")
        made += [text[at:start], match[1] or _clause(match[3], match[2], rest)]
        size += len(made[-1])
        fits(size)
        at = match.end()
    return "".join([*made, text[at:]])


def _clause(verb: str, digits: str | None, rest: Iterator[Any]) -> str:
    for value in rest:
        return _written(value) if verb == "s" else _number(verb, 6 if digits is None else int(digits), value)
    raise CelRuntimeError("more formatting clauses than values")


def _number(verb: str, digits: int, value: Any) -> str:
    kind = kind_of(value)
    if verb in "def" and kind == "double" and not math.isfinite(value):
        return _written(value)
    if verb in "fe":
        if kind not in ("int", "uint", "double") or digits > _MOST_DIGITS:
            raise _unfit(verb)
        return f"{float(value):.{digits}{verb}}"
    if verb in "xX" and kind in ("string", "bytes"):
        found: str = (value.encode() if kind == "string" else value).hex()
        return found.upper() if verb == "X" else found
    if kind not in (("int", "uint", "bool") if verb == "b" else ("int", "uint")):
        raise _unfit(verb)
    return format(int(value), verb)


def _unfit(verb: str) -> CelRuntimeError:
    return CelRuntimeError(f"formatting clause %{verb} does not take such a value")


# --- %s ----------------------------------------------------------------------------------------------------------


def _double(value: float) -> str:
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return convert.double_to_string(value)


_SCALARS: Final[Mapping[str, Callable[[Any], str]]] = {
    "null": lambda _: "null",
    "bool": convert.bool_to_string,
    "int": convert.int_to_string,
    "uint": convert.int_to_string,
    "double": _double,
    "string": str,
    "bytes": convert.bytes_to_string,
    "timestamp": times.timestamp_to_string,
    "duration": times.duration_to_string,
    "type": lambda value: value.name,
}


class _Written:
    """Writes one value; values that share their parts are small, and endless to write, so the size is counted."""

    def __init__(self) -> None:
        self.left = MAX_SIZE

    def write(self, value: Any, depth: int = 0) -> str:
        kind = kind_of(value)
        if kind in _SCALARS:
            return self.spend(_SCALARS[kind](value))
        if depth == _DEEPEST or kind not in ("list", "map"):
            raise _unfit("s")
        self.spend("[]")
        if kind == "list":
            return f"[{', '.join([self.write(part, depth + 1) for part in value])}]"
        pairs = [(self.write(key), self.write(inner, depth + 1)) for key, inner in value.items()]
        return f"{{{', '.join(f'{key}: {inner}' for key, inner in sorted(pairs))}}}"

    def spend(self, text: str) -> str:
        self.left -= len(text) + 2
        if self.left < 0:
            raise CelRuntimeError(TOO_LARGE)
        return text


def _written(value: Any) -> str:
    return _Written().write(value)

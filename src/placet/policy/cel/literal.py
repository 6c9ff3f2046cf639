"""A value as it would be written in a rule, shortened, for people."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from placet.policy.cel.convert import double_to_string
from placet.policy.cel.errors import CelRuntimeError
from placet.policy.cel.texts import quote
from placet.policy.cel.times import duration_to_string, timestamp_to_string
from placet.policy.cel.values import kind_of

_MOST_CHARS: Final = 200
_MOST_PARTS: Final = 10
_DEEPEST: Final = 4

_SCALARS: Final[Mapping[str, Callable[[Any], str]]] = {
    "null": lambda _: "null",
    "bool": lambda value: "true" if value else "false",
    "int": str,
    "uint": lambda value: f"{int(value)}u",
    "double": double_to_string,
    "string": lambda text: _cut(text, quote),
    "bytes": lambda data: _cut(data, lambda some: f"b{quote(some.decode('latin-1'))}"),
    "timestamp": lambda value: f"timestamp({quote(timestamp_to_string(value))})",
    "duration": lambda value: f"duration({quote(duration_to_string(value))})",
    "type": lambda value: value.name,
}


def literal(value: Any, depth: int = 0) -> str:
    """Write a value as a rule would, but for what is too long, of which the beginning is given, then "…"."""
    try:
        kind = kind_of(value)
    except CelRuntimeError:
        return "…"
    if kind in _SCALARS:
        return _SCALARS[kind](value)
    if depth == _DEEPEST or kind not in ("list", "map"):
        return "…"
    if kind == "list":
        return f"[{_joined([literal(each, depth + 1) for each in value[:_MOST_PARTS]], len(value))}]"
    pairs = list(value.items())[:_MOST_PARTS]
    return f"{{{_joined([f'{literal(k)}: {literal(v, depth + 1)}' for k, v in pairs], len(value))}}}"


def _joined(parts: list[str], whole: int) -> str:
    return ", ".join([*parts, "…"] if whole > len(parts) else parts)


def _cut(value: Any, write: Callable[[Any], str]) -> str:
    return write(value[:_MOST_CHARS]) + ("…" if len(value) > _MOST_CHARS else "")

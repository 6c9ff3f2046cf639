"""The values of the language, as Python holds them, and the kind that each is of.

None, bool, int, float, str, bytes, list or tuple, and mapping stand for themselves; declared objects are mappings.
What Python has no type of its own for is a class here. A uint, a timestamp and a duration are ints: their arithmetic
is Python's own, and the kind tells them apart where two values of unknown type meet.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from placet.policy.cel.errors import CelRuntimeError
from placet.policy.cel.types import Kind, Type

INT_MAX: Final = 2**63 - 1
INT_MIN: Final = -(2**63)
UINT_MAX: Final = 2**64 - 1
OVERLOAD: Final = "no such overload"
MICROSECOND: Final = 1_000
"""In nanoseconds, the unit of timestamps and durations."""


class Uint(int):
    """An unsigned 64-bit integer: equal to the int of the same value, but another type of the language."""

    __slots__ = ()


class Timestamp(int):
    """A moment: nanoseconds since 1970 in UTC, from year 1 to year 9999 (language definition, "Abstract types")."""

    __slots__ = ()


class Duration(int):
    """A length of time in nanoseconds, within int64: about 292 years."""

    __slots__ = ()


class TypeValue(msgspec.Struct, frozen=True):
    """A type as a value, as type() gives it. Types with parameters are named without them: `list`."""

    name: str


class Optional(msgspec.Struct, frozen=True, eq=False):
    """A value that may be absent (cel-spec proposal 246): `held` has one element or none."""

    held: tuple[Any, ...] = ()


class MixedMap(Mapping[Any, Any]):
    """A map with both a bool and the number that Python takes for the same key (true and 1, false and 0)."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        self._pairs = {(isinstance(key, bool), key): (key, value) for key, value in pairs}

    def __getitem__(self, key: Any) -> Any:
        return self._pairs[isinstance(key, bool), key][1]

    def __iter__(self) -> Iterator[Any]:
        return (key for key, _ in self._pairs.values())

    def __len__(self) -> int:
        return len(self._pairs)


_KINDS: Final[dict[type, Kind]] = {
    type(None): "null",
    bool: "bool",
    int: "int",
    Uint: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    tuple: "list",
    dict: "map",
    Timestamp: "timestamp",
    Duration: "duration",
    TypeValue: "type",
    Optional: "abstract",
}


def kind_of(value: Any) -> Kind:
    """The kind of a value; raises CelRuntimeError for what is no value of the language."""
    kind = _KINDS.get(type(value))
    if kind is None:
        if not isinstance(value, Mapping):
            raise CelRuntimeError(OVERLOAD)
        return "map"
    return kind


TYPE_VALUES: Final[Mapping[str, TypeValue]] = {
    name: TypeValue(name)
    for name in (
        *("bool", "bytes", "double", "int", "list", "map", "null_type", "optional_type", "string", "type", "uint"),
        *("google.protobuf.Duration", "google.protobuf.Timestamp"),
    )
}
"""Types by the names that an expression may give them."""

_TYPE_NAMES: Final[Mapping[Kind, str]] = {
    "null": "null_type",
    "timestamp": "google.protobuf.Timestamp",
    "duration": "google.protobuf.Duration",
    "abstract": "optional_type",
}


def type_of(value: Any) -> TypeValue:
    """`type(value)`: the type that a value turns out to have."""
    kind = kind_of(value)
    return TYPE_VALUES[_TYPE_NAMES.get(kind, kind)]


def tagger(declared: Type) -> Callable[[Any], Any] | None:
    """Make a function that gives facts the types that JSON does not carry; None when none is needed.

    A fact declared as a timestamp or a duration is given in microseconds, as everywhere in Placet.
    """
    if not declared.mentions("uint", "double", "timestamp", "duration"):
        return None
    match declared.kind:
        case "uint":
            return Uint
        case "double":
            return float
        case "timestamp":
            return lambda value: value if type(value) is Timestamp else Timestamp(value * MICROSECOND)
        case "duration":
            return lambda value: value if type(value) is Duration else Duration(value * MICROSECOND)
        case "list":
            element = tagger(declared.params[0]) or same
            return lambda value: [element(part) for part in value]
        case "map":
            key, inner = (tagger(part) or same for part in declared.params)
            return lambda value: {key(k): inner(v) for k, v in value.items()}
        case _:
            fields = {name: tagger(part) or same for name, part in declared.fields}
            return lambda value: {name: tag(value[name]) for name, tag in fields.items()}


def same(value: Any) -> Any:
    """Change nothing."""
    return value

"""What a compiled rule calls while it runs: arithmetic that overflows, look-ups that fail, error absorption.

Values are plain Python: None, bool, int, Uint, float, str, bytes, list or tuple, mapping. Declared objects are
mappings. A map that would hold both a bool and the number that Python takes for equal to it (true and 1, false and 0)
is refused, since a Python dict cannot hold both.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from placet.policy.cel.errors import CelRuntimeError
from placet.policy.cel.types import Kind, Type

INT_MAX: Final = 2**63 - 1
INT_MIN: Final = -(2**63)
UINT_MAX: Final = 2**64 - 1
MAX_SIZE: Final = 250_000
"""Longest string, bytes or list that `+` may make: a small rule cannot eat the memory by doubling a value."""
MAX_COMPARED: Final = 10_000
"""Most parts that one `==` of lists or maps compares: values that share their parts are small, and endless to walk."""

_OVERFLOW: Final = "integer overflow"
_OVERLOAD: Final = "no such overload"
_MISSING: Final = object()
_KINDS: Final[dict[type, Kind]] = {
    type(None): "null",
    bool: "bool",
    int: "int",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    tuple: "list",
    dict: "map",
}


class Uint(int):
    """An unsigned 64-bit integer: equal to the int of the same value, but another type of the language."""

    __slots__ = ()


_KINDS[Uint] = "uint"


def kind_of(value: Any) -> Kind:
    """The kind of a value; raises CelRuntimeError for what is no value of the language."""
    kind = _KINDS.get(type(value))
    if kind is None:
        if not isinstance(value, Mapping):
            raise CelRuntimeError(_OVERLOAD)
        return "map"
    return kind


def tagger(declared: Type) -> Callable[[Any], Any] | None:
    """Make a function that gives facts the types that JSON does not carry (uint, double); None when none is needed."""
    if not declared.mentions("uint", "double"):
        return None
    match declared.kind:
        case "uint":
            return Uint
        case "double":
            return float
        case "list":
            element = tagger(declared.params[0]) or _same
            return lambda value: [element(part) for part in value]
        case "map":
            key, inner = (tagger(part) or _same for part in declared.params)
            return lambda value: {key(k): inner(v) for k, v in value.items()}
        case _:
            fields = {name: tagger(part) or _same for name, part in declared.fields}
            return lambda value: {name: tag(value[name]) for name, tag in fields.items()}


def _same(value: Any) -> Any:
    return value


# --- numbers -----------------------------------------------------------------------------------------------------


def _int(value: int) -> int:
    if INT_MIN <= value <= INT_MAX:
        return value
    raise CelRuntimeError(_OVERFLOW)


def _uint(value: int) -> Uint:
    if 0 <= value <= UINT_MAX:
        return Uint(value)
    raise CelRuntimeError(_OVERFLOW)


def int_add(left: int, right: int) -> int:
    """Add, within int64."""
    return _int(left + right)


def int_subtract(left: int, right: int) -> int:
    """Subtract, within int64."""
    return _int(left - right)


def int_multiply(left: int, right: int) -> int:
    """Multiply, within int64."""
    return _int(left * right)


def int_divide(left: int, right: int) -> int:
    """Divide and drop the fraction: towards zero, where Python's // goes down."""
    if right == 0:
        raise CelRuntimeError("division by zero")
    quotient = abs(left) // abs(right)
    return _int(quotient if (left < 0) == (right < 0) else -quotient)


def int_modulo(left: int, right: int) -> int:
    """Give the remainder of int_divide, which has the sign of the dividend."""
    if right == 0:
        raise CelRuntimeError("modulus by zero")
    remainder = abs(left) % abs(right)
    return -remainder if left < 0 else remainder


def int_negate(value: int) -> int:
    """Change the sign; the least int has no opposite."""
    return _int(-value)


def uint_add(left: int, right: int) -> Uint:
    """Add, within uint64."""
    return _uint(left + right)


def uint_subtract(left: int, right: int) -> Uint:
    """Subtract; below zero is an overflow."""
    return _uint(left - right)


def uint_multiply(left: int, right: int) -> Uint:
    """Multiply, within uint64."""
    return _uint(left * right)


def uint_divide(left: int, right: int) -> Uint:
    """Divide and drop the fraction."""
    return Uint(int_divide(left, right))


def uint_modulo(left: int, right: int) -> Uint:
    """Give the remainder of uint_divide."""
    return Uint(int_modulo(left, right))


def double_divide(left: float, right: float) -> float:
    """Divide as IEEE 754 does: by zero gives an infinity, or not-a-number."""
    if right != 0:
        return left / right
    return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)


def compare(left: float, right: float) -> int:
    """Order two numbers of different kinds: -1, 0, 1, or 2 when they have no order. With a double, as doubles."""
    if isinstance(left, float) or isinstance(right, float):
        left, right = float(left), float(right)
    return (left > right) - (left < right) if left == left and right == right else 2  # noqa: PLR0124  # NaN


def number_less(left: float, right: float) -> bool:
    """`<` between kinds of numbers."""
    return compare(left, right) == -1


def number_less_equal(left: float, right: float) -> bool:
    """`<=` between kinds of numbers."""
    return compare(left, right) in (-1, 0)


def number_greater(left: float, right: float) -> bool:
    """`>` between kinds of numbers."""
    return compare(left, right) == 1


def number_greater_equal(left: float, right: float) -> bool:
    """`>=` between kinds of numbers."""
    return compare(left, right) in (0, 1)


# --- equality and containers -------------------------------------------------------------------------------------


def _same_scalar(left: Any, right: Any) -> bool:
    a, b = kind_of(left), kind_of(right)
    if a == b:
        return bool(left == right)
    numbers = ("int", "uint", "double")
    return a in numbers and b in numbers and compare(left, right) == 0


def equal(left: Any, right: Any) -> bool:
    """Equality over all values: across types it is false, numbers of different kinds compare by value.

    Without recursion, so that deep facts cannot exhaust the stack.
    """
    waiting = [(left, right)]
    for _ in range(MAX_COMPARED):
        if not waiting:
            return True
        a, b = waiting.pop()
        parts = _parts(a, b)
        if parts is None:
            return False
        waiting += parts
    raise CelRuntimeError("values too large to compare")


def _parts(left: Any, right: Any) -> list[tuple[Any, Any]] | None:
    """What must be equal for the two to be equal: nothing more for equal scalars; None when they already differ."""
    kinds = kind_of(left), kind_of(right)
    if "list" not in kinds and "map" not in kinds:
        return [] if _same_scalar(left, right) else None
    if kinds[0] != kinds[1] or len(left) != len(right):
        return None
    if kinds[0] == "list":
        return list(zip(left, right, strict=True))
    pairs = [(value, find(right, key)) for key, value in left.items()]
    return None if any(other is _MISSING for _, other in pairs) else pairs


def find(mapping: Mapping[Any, Any], key: Any) -> Any:
    """The value under a key, or _MISSING: numbers are one key whatever their kind, and a bool is never a number."""
    kind = kind_of(key)
    if kind == "double" and key.is_integer():
        key, kind = int(key), "int"
    if kind not in ("bool", "int", "uint", "string"):
        return _MISSING
    value = mapping.get(key, _MISSING)
    if value is not _MISSING and key in (0, 1):  # to Python true is 1: look at the key that is stored
        stored = next(k for k in mapping if k == key)
        return value if (type(stored) is bool) == (kind == "bool") else _MISSING
    return value


def map_get(mapping: Mapping[Any, Any], key: Any) -> Any:
    """The value under a key of the declared type."""
    value = mapping.get(key, _MISSING)
    if value is _MISSING:
        raise CelRuntimeError("no such key")
    return value


def map_find(mapping: Mapping[Any, Any], key: Any) -> Any:
    """The value under a key of any type."""
    value = find(mapping, key)
    if value is _MISSING:
        raise CelRuntimeError("no such key")
    return value


def list_get(values: Sequence[Any], index: int) -> Any:
    """The element at an index, counted from 0."""
    if 0 <= index < len(values):
        return values[index]
    raise CelRuntimeError("index out of range")


def index(container: Any, key: Any) -> Any:
    """`container[key]` when a type is known only now."""
    kind = kind_of(container)
    if kind == "map":
        return map_find(container, key)
    if kind != "list":
        raise CelRuntimeError(_OVERLOAD)
    if kind_of(key) == "double" and key.is_integer():
        key = int(key)
    if kind_of(key) not in ("int", "uint"):
        raise CelRuntimeError("a list index must be a whole number")
    return list_get(container, key)


def select(value: Any, field: str) -> Any:
    """`value.field` when the type is known only now."""
    if kind_of(value) != "map":
        raise CelRuntimeError(_OVERLOAD)
    return map_find(value, field)


def has_field(value: Any, field: str) -> bool:
    """`has(value.field)` when the type is known only now."""
    if kind_of(value) != "map":
        raise CelRuntimeError(_OVERLOAD)
    return find(value, field) is not _MISSING


def contains(element: Any, container: Any) -> bool:
    """`element in container`: an equal element of a list, or a key of a map."""
    kind = kind_of(container)
    if kind == "map":
        return find(container, element) is not _MISSING
    if kind != "list":
        raise CelRuntimeError(_OVERLOAD)
    return any(equal(element, other) for other in container)


def elements(value: Any) -> Iterable[Any]:
    """What a macro runs over when the type is known only now: the elements of a list, the keys of a map."""
    if kind_of(value) not in ("list", "map"):
        raise CelRuntimeError(_OVERLOAD)
    return value  # type: ignore[no-any-return]  # a list or a mapping


def make_map(keys: Sequence[Any], values: Sequence[Any]) -> dict[Any, Any]:
    """A map literal whose keys are not all known constants; a repeated key is an error."""
    made: dict[Any, Any] = {}
    for key, value in zip(keys, values, strict=True):
        if kind_of(key) not in ("bool", "int", "uint", "string"):
            raise CelRuntimeError("unsupported key type")
        if key in made:
            raise CelRuntimeError("repeated key")
        made[key] = value
    return made


def concat_text(left: Any, right: Any) -> Any:
    """`+` of two strings or of two bytes values."""
    if len(left) + len(right) > MAX_SIZE:
        raise CelRuntimeError("value too large")
    return left + right


def concat_lists(left: Sequence[Any], right: Sequence[Any]) -> list[Any]:
    """`+` of two lists."""
    if len(left) + len(right) > MAX_SIZE:
        raise CelRuntimeError("value too large")
    return [*left, *right]


# --- conditions --------------------------------------------------------------------------------------------------


def want_bool(value: Any) -> bool:
    """A condition whose type is known only now."""
    if value is True or value is False:
        return value
    raise CelRuntimeError(_OVERLOAD)


def want_kind(value: Any, kind: Kind) -> Any:
    """The result of a rule whose type is known only now."""
    if kind_of(value) == kind:
        return value
    raise CelRuntimeError(_OVERLOAD)


def all_of(*conditions: Callable[[], bool]) -> bool:
    """`&&` of conditions that can fail: one that is false absorbs the errors of the others (language definition)."""
    return not _decide(conditions, lambda condition: condition(), settles=False)


def any_of(*conditions: Callable[[], bool]) -> bool:
    """`||` of conditions that can fail: one that is true absorbs the errors of the others."""
    return _decide(conditions, lambda condition: condition(), settles=True)


def all_in(values: Iterable[Any], condition: Callable[[Any], bool]) -> bool:
    """`all`, with the absorption of `&&`."""
    return not _decide(values, condition, settles=False)


def any_in(values: Iterable[Any], condition: Callable[[Any], bool]) -> bool:
    """`exists`, with the absorption of `||`."""
    return _decide(values, condition, settles=True)


def _decide(values: Iterable[Any], condition: Callable[[Any], bool], *, settles: bool) -> bool:
    """Whether a condition comes out as `settles`; else the first error that was met on the way, if any."""
    failure: CelRuntimeError | None = None
    for value in values:
        try:
            if condition(value) is settles:
                return True
        except CelRuntimeError as error:
            failure = failure or error
    if failure is not None:
        raise failure
    return False


def misfit(error: Exception) -> CelRuntimeError:
    """What a rule answers when the facts lack what they were declared to hold."""
    if isinstance(error, KeyError) and error.args:
        return CelRuntimeError(f"missing fact '{error.args[0]}'")
    return CelRuntimeError(f"the facts do not have the declared shape ({type(error).__name__})")

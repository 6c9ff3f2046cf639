"""What a compiled rule calls while it runs: arithmetic that overflows, look-ups that fail, error absorption."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from placet.policy.cel.errors import CelRuntimeError
from placet.policy.cel.types import Kind
from placet.policy.cel.values import INT_MAX, INT_MIN, OVERLOAD, UINT_MAX, MixedMap, Optional, Uint, kind_of

MAX_SIZE: Final = 250_000
"""Longest string, bytes or list that a call may make: a small rule cannot eat the memory by doubling a value."""
MAX_COMPARED: Final = 10_000
"""Most parts that one `==` of lists or maps compares: values that share their parts are small, and endless to walk."""

TOO_LARGE: Final = "value too large"
_OVERFLOW: Final = "integer overflow"
_MISSING: Final = object()
_WITH_PARTS: Final = frozenset({"list", "map", "abstract"})


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
    if right == 0:
        raise CelRuntimeError("division by zero")
    return Uint(left // right)


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
    if kinds[0] not in _WITH_PARTS and kinds[1] not in _WITH_PARTS:
        return [] if _same_scalar(left, right) else None
    if kinds[0] == kinds[1] == "abstract":
        left, right, kinds = left.held, right.held, ("list", "list")
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
    # To Python true is 1: look at the key that is stored.
    if value is not _MISSING and key in (0, 1) and not isinstance(mapping, MixedMap):
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
    """`container[key]` when a type is known only now; of an optional value, an optional value."""
    kind = kind_of(container)
    if kind == "map":
        return map_find(container, key)
    if kind == "abstract":
        return optional_index(container, key)
    if kind != "list":
        raise CelRuntimeError(OVERLOAD)
    return list_get(container, _position(key))


def _position(key: Any) -> int:
    if kind_of(key) == "double" and key.is_integer():
        key = int(key)
    if kind_of(key) not in ("int", "uint"):
        raise CelRuntimeError("a list index must be a whole number")
    return int(key)


def select(value: Any, field: str) -> Any:
    """`value.field` when the type is known only now; of an optional value, an optional value."""
    if isinstance(value, Optional):
        return optional_index(value, field)
    if kind_of(value) != "map":
        raise CelRuntimeError(OVERLOAD)
    return map_find(value, field)


def has_field(value: Any, field: str) -> bool:
    """`has(value.field)` when the type is known only now."""
    if isinstance(value, Optional):
        return bool(optional_index(value, field).held)
    if kind_of(value) != "map":
        raise CelRuntimeError(OVERLOAD)
    return find(value, field) is not _MISSING


def optional_index(container: Any, key: Any) -> Optional:
    """`container[?key]` and `container.?key`: nothing where there is no such element (cel-spec proposal 246)."""
    if isinstance(container, Optional):
        if not container.held:
            return container
        container = container.held[0]
    kind = kind_of(container)
    if kind == "map":
        value = find(container, key)
        return Optional() if value is _MISSING else Optional((value,))
    if kind != "list":
        raise CelRuntimeError(OVERLOAD)
    place = _position(key)
    return Optional((container[place],)) if 0 <= place < len(container) else Optional()


def contains(element: Any, container: Any) -> bool:
    """`element in container`: an equal element of a list, or a key of a map."""
    kind = kind_of(container)
    if kind == "map":
        return find(container, element) is not _MISSING
    if kind != "list":
        raise CelRuntimeError(OVERLOAD)
    return any(equal(element, other) for other in container)


def elements(value: Any) -> Iterable[Any]:
    """What a macro runs over when the type is known only now: the elements of a list, the keys of a map."""
    if kind_of(value) not in ("list", "map"):
        raise CelRuntimeError(OVERLOAD)
    return value  # type: ignore[no-any-return]  # a list or a mapping


def pairs(value: Any) -> Iterable[tuple[Any, Any]]:
    """What a macro of two variables runs over when the type is known only now: indexes or keys, with their values."""
    kind = kind_of(value)
    if kind not in ("list", "map"):
        raise CelRuntimeError(OVERLOAD)
    found: Iterable[tuple[Any, Any]] = enumerate(value) if kind == "list" else value.items()
    return found


def make_map(keys: Sequence[Any], values: Sequence[Any], optional: Sequence[int] = ()) -> Mapping[Any, Any]:
    """A map literal whose keys are not all known constants; a repeated key is an error.

    `optional` are the places of the entries that are left out where their value is an absent one.
    """
    made: dict[Any, Any] = {}
    rest: list[tuple[Any, Any]] = []
    for place, (key, value) in enumerate(zip(keys, values, strict=True)):
        if kind_of(key) not in ("bool", "int", "uint", "string"):
            raise CelRuntimeError("unsupported key type")
        held = _held(value) if place in optional else (value,)
        if held and key in made:  # to Python true is 1: such a key is put aside, for a map that tells them apart
            rest.append((key, held[0]))
        elif held:
            made[key] = held[0]
    if not rest:
        return made
    mixed = MixedMap([*made.items(), *rest])
    if len(mixed) != len(made) + len(rest):
        raise CelRuntimeError("repeated key")
    return mixed


def map_from(entries: Sequence[tuple[Any, Any]]) -> Mapping[Any, Any]:
    """A map of entries whose keys are those of another, and so differ in the language, if not in Python."""
    made = dict(entries)
    return made if len(made) == len(entries) else MixedMap(entries)


def make_list(values: Sequence[Any], optional: Sequence[int]) -> list[Any]:
    """A list literal in which the elements at the places named are left out where they are absent."""
    return [part for place, value in enumerate(values) for part in (_held(value) if place in optional else (value,))]


def _held(value: Any) -> tuple[Any, ...]:
    if isinstance(value, Optional):
        return value.held
    raise CelRuntimeError(OVERLOAD)


def fits(size: int) -> None:
    """Refuse to make what is larger than MAX_SIZE."""
    if size > MAX_SIZE:
        raise CelRuntimeError(TOO_LARGE)


def concat_text(left: Any, right: Any) -> Any:
    """`+` of two strings or of two bytes values."""
    fits(len(left) + len(right))
    return left + right


def concat_lists(left: Sequence[Any], right: Sequence[Any]) -> list[Any]:
    """`+` of two lists."""
    fits(len(left) + len(right))
    return [*left, *right]


# --- conditions --------------------------------------------------------------------------------------------------


def want_bool(value: Any) -> bool:
    """A condition whose type is known only now."""
    if value is True or value is False:
        return value
    raise CelRuntimeError(OVERLOAD)


def want_kind(value: Any, kind: Kind) -> Any:
    """The result of a rule whose type is known only now."""
    if kind_of(value) == kind:
        return value
    raise CelRuntimeError(OVERLOAD)


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


def all_in_pairs(values: Iterable[tuple[Any, Any]], condition: Callable[[Any, Any], bool]) -> bool:
    """`all` with two variables."""
    return not _decide(values, lambda pair: condition(*pair), settles=False)


def any_in_pairs(values: Iterable[tuple[Any, Any]], condition: Callable[[Any, Any], bool]) -> bool:
    """`exists` with two variables."""
    return _decide(values, lambda pair: condition(*pair), settles=True)


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


def lazy(thunk: Callable[[], Any]) -> Callable[[], Any]:
    """The value of a cel.bind() that can fail: worked out once, and only when it is asked for."""
    known: list[Any] = []

    def value() -> Any:
        if not known:
            known.append(thunk())
        return known[0]

    return value


def fail(message: str) -> Any:
    """What an unchecked expression does where it could not be checked."""
    raise CelRuntimeError(message)


def misfit(error: Exception) -> CelRuntimeError:
    """What a rule answers when the facts lack what they were declared to hold."""
    if isinstance(error, KeyError) and error.args:
        return CelRuntimeError(f"missing fact '{error.args[0]}'")
    return CelRuntimeError(f"the facts do not have the declared shape ({type(error).__name__})")

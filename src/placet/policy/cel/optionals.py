"""Values that may be absent (cel-spec proposal 246): what can be done with them. Look-ups are in runtime.py.

Rules have no use for them, since every fact that is declared is there: only environments that ask for the extension
know them.
"""

from collections.abc import Callable
from typing import Any, Final

from placet.policy.cel.errors import CelRuntimeError
from placet.policy.cel.values import OVERLOAD, Optional, kind_of

NONE: Final = Optional()


def of(value: Any) -> Optional:
    """`optional.of(value)`."""
    return Optional((value,))


def none() -> Optional:
    """`optional.none()`."""
    return NONE


def of_non_zero(value: Any) -> Optional:
    """`optional.ofNonZeroValue(value)`: absent for null, false, zero, and what is empty."""
    is_zero = value is None or (kind_of(value) not in ("timestamp", "type", "abstract") and not value)
    return NONE if is_zero else Optional((value,))


def _opened(value: Any) -> tuple[Any, ...]:
    if isinstance(value, Optional):
        return value.held
    raise CelRuntimeError(OVERLOAD)


def has_value(value: Any) -> bool:
    """`value.hasValue()`."""
    return bool(_opened(value))


def value_of(value: Any) -> Any:
    """`value.value()`; an absent one is an error."""
    for held in _opened(value):
        return held
    raise CelRuntimeError("optional.none() has no value")


def either(value: Any, other: Any) -> Any:
    """`value.or(other)`, of two optional values."""
    return value if _opened(value) else other


def value_or(value: Any, other: Any) -> Any:
    """`value.orValue(other)`."""
    return next(iter(_opened(value)), other)


def map_value(value: Any, function: Callable[[Any], Any]) -> Optional:
    """`value.optMap(name, expression)`."""
    return Optional(tuple(map(function, _opened(value))))


def flat_map_value(value: Any, function: Callable[[Any], Any]) -> Optional:
    """`value.optFlatMap(name, expression)`, of which the expression gives an optional value."""
    for held in _opened(value):
        made = function(held)
        _opened(made)
        return made  # type: ignore[no-any-return]  # what could be opened is an Optional
    return NONE

"""The math extension (cel-go, ext/math): `math.greatest`, rounding, signs, bits."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from placet.policy.cel.errors import CelRuntimeError
from placet.policy.cel.runtime import compare, int_negate
from placet.policy.cel.values import OVERLOAD, UINT_MAX, Uint, kind_of

_WIDTH: Final = 64


def _choice(wanted: int) -> Callable[[float, float], float]:
    def choice(left: float, right: float) -> float:
        return right if compare(right, left) == wanted else left

    return choice


greater: Final = _choice(1)
"""The greater of two numbers, of different kinds even; the first of equals."""
lesser: Final = _choice(-1)
"""The lesser of two numbers; the first of equals."""


def among(choose: Callable[[float, float], float]) -> Callable[[Sequence[Any]], Any]:
    """Make a choice among a list of numbers of the one between two."""

    def chosen(values: Sequence[Any]) -> Any:
        if not values:
            raise CelRuntimeError("no number to choose from")
        if not all(kind_of(value) in ("int", "uint", "double") for value in values):
            raise CelRuntimeError(OVERLOAD)
        return functools.reduce(choose, values)

    return chosen


def _if_finite(function: Callable[[float], float]) -> Callable[[float], float]:
    def rounded(value: float) -> float:
        return math.copysign(function(value), value) if math.isfinite(value) else value

    return rounded


ceil: Final = _if_finite(math.ceil)
"""Round up, to a double."""
floor: Final = _if_finite(math.floor)
"""Round down, to a double."""
trunc: Final = _if_finite(math.trunc)
"""Round towards zero, to a double."""


def _half_away(value: float) -> float:
    whole, rest = divmod(abs(value), 1.0)
    return math.copysign(whole + (rest >= 0.5), value)


round_half: Final = _if_finite(_half_away)
"""Round to the nearest, halves away from zero."""


def int_abs(value: int) -> int:
    """Drop the sign; the least int has no opposite."""
    return int_negate(value) if value < 0 else value


def sign(value: int) -> int:
    """-1, 0 or 1."""
    return (value > 0) - (value < 0)


def double_sign(value: float) -> float:
    """-1.0, 0.0 or 1.0; not-a-number stays what it is."""
    return value if math.isnan(value) else float((value > 0) - (value < 0))


def is_nan(value: float) -> bool:
    """Whether it is not-a-number."""
    return math.isnan(value)


def is_infinite(value: float) -> bool:
    """Whether it is an infinity."""
    return math.isinf(value)


def is_finite(value: float) -> bool:
    """Whether it is neither an infinity nor not-a-number."""
    return math.isfinite(value)


def uint_sign(value: int) -> Uint:
    """0u or 1u."""
    return Uint(value > 0)


def square_root(value: float) -> float:
    """The square root, as a double; of a negative number, not-a-number."""
    return math.nan if value < 0 else math.sqrt(value)


# --- bits --------------------------------------------------------------------------------------------------------


def _signed(bits: int) -> int:
    bits &= UINT_MAX
    return bits - (1 << _WIDTH) if bits >> (_WIDTH - 1) else bits


def uint_not(value: int) -> Uint:
    """Every bit the other way."""
    return Uint(value ^ UINT_MAX)


def uint_bits(function: Callable[[int, int], int]) -> Callable[[int, int], Uint]:
    """Make a bitwise operation on uints of the one on ints."""
    return lambda left, right: Uint(function(left, right))


def _offset(by: int) -> int:
    if by < 0:
        raise CelRuntimeError("negative offset")
    return min(by, _WIDTH)


def shift_left(value: int, by: int) -> int:
    """Move the bits up; those that leave the 64 are lost."""
    return _signed(value << _offset(by))


def shift_right(value: int, by: int) -> int:
    """Move the bits down, zeros following, the sign bit too (a logical shift)."""
    return _signed((value & UINT_MAX) >> _offset(by))


def uint_shift_left(value: int, by: int) -> Uint:
    """Move the bits up; those that leave the 64 are lost."""
    return Uint((value << _offset(by)) & UINT_MAX)


def uint_shift_right(value: int, by: int) -> Uint:
    """Move the bits down."""
    return Uint(value >> _offset(by))

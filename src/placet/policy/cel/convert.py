"""Conversions between the types, and RE2 patterns. No backtracking engine sees a text."""

import math
from decimal import Decimal
from typing import Any, Final

import re2

from placet.policy.cel.errors import CelRuntimeError
from placet.policy.cel.values import INT_MAX, INT_MIN, UINT_MAX, Uint

_RANGE: Final = "value out of range"
_NUMBER: Final = "not a number"
_QUIET: Final = re2.Options()
_QUIET.log_errors = False  # RE2 would write to stderr what the error already says
_INTEGER: Final = re2.compile("[+-]?[0-9]{1,100}")
_DOUBLE: Final = re2.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|(?i)[+-]?inf(inity)?|nan")
_BOOLS: Final = {
    **dict.fromkeys(["1", "t", "true", "TRUE", "True"], True),
    **dict.fromkeys(["0", "f", "false", "FALSE", "False"], False),
}


def uint_to_int(value: int) -> int:
    """Refuse what int64 cannot hold."""
    if value > INT_MAX:
        raise CelRuntimeError(_RANGE)
    return int(value)


def double_to_int(value: float) -> int:
    """Drop the fraction. The two ends of the int range are refused: as doubles they are not exact."""
    if not -(2.0**63) < value < 2.0**63:
        raise CelRuntimeError(_RANGE)
    return int(value)


def string_to_int(value: str) -> int:
    """Read decimal digits with an optional sign."""
    if not _INTEGER.fullmatch(value):
        raise CelRuntimeError(_NUMBER)
    number = int(value)
    if not INT_MIN <= number <= INT_MAX:
        raise CelRuntimeError(_RANGE)
    return number


def int_to_uint(value: int) -> Uint:
    """Refuse a negative number."""
    if value < 0:
        raise CelRuntimeError(_RANGE)
    return Uint(value)


def double_to_uint(value: float) -> Uint:
    """Drop the fraction; refuse what uint64 cannot hold."""
    if not 0 <= value < 2.0**64:
        raise CelRuntimeError(_RANGE)
    return Uint(value)


def string_to_uint(value: str) -> Uint:
    """Read decimal digits."""
    if not _INTEGER.fullmatch(value) or value[0] in "+-":
        raise CelRuntimeError(_NUMBER)
    number = int(value)
    if number > UINT_MAX:
        raise CelRuntimeError(_RANGE)
    return Uint(number)


def string_to_double(value: str) -> float:
    """Read a decimal number, an infinity or NaN; refuse what a double cannot hold."""
    if not _DOUBLE.fullmatch(value):
        raise CelRuntimeError(_NUMBER)
    number = float(value)
    if math.isinf(number) and "n" not in value.lower():
        raise CelRuntimeError(_RANGE)
    return number


def string_to_bool(value: str) -> bool:
    """Read true, false and their usual short forms."""
    if value not in _BOOLS:
        raise CelRuntimeError("not a bool")
    return _BOOLS[value]


def bool_to_string(value: bool) -> str:
    """Write true or false."""
    return "true" if value else "false"


def int_to_string(value: int) -> str:
    """Write an int or a uint in decimal."""
    return str(int(value))


def double_to_string(value: float) -> str:
    """Give the shortest digits that read back as the same double; from a million on, with an exponent.

    The specification leaves the form open; this is what both of its own implementations do (`%g`).
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, _ = Decimal(repr(value)).normalize().as_tuple()
    power = Decimal(repr(value)).adjusted() if value else 0
    if -4 <= power < 6:
        return f"{Decimal(repr(value)):f}".removesuffix(".0")
    first, rest = str(digits[0]), "".join(map(str, digits[1:]))
    return f"{'-' * sign}{first}{'.' * bool(rest)}{rest}e{power:+03}"


def bytes_to_string(value: bytes) -> str:
    """Decode UTF-8, strictly."""
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise CelRuntimeError("invalid UTF-8") from error


def string_to_bytes(value: str) -> bytes:
    """Encode as UTF-8."""
    return value.encode()


def regex(pattern: str) -> Any:
    """Compile with RE2; raises ValueError with RE2's reason."""
    try:
        return re2.compile(pattern, _QUIET)
    except re2.error as error:
        reason = error.args[0]
        raise ValueError(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from error


def matches(value: str, pattern: str) -> bool:
    """`matches` with a pattern that is known only now: RE2, anywhere in the text."""
    try:
        return regex(pattern).search(value) is not None
    except ValueError as error:
        raise CelRuntimeError("invalid regular expression") from error

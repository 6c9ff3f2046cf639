"""The functions of the extensions: strings, math, optional values (cel-go, ext; cel-spec, tests/simple)."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from placet.policy.cel import maths, optionals, texts
from placet.policy.cel.overloads import Function, Overload, declare, itself, walks
from placet.policy.cel.textformat import format_text
from placet.policy.cel.types import BOOL, DOUBLE, DYN, EMPTY, INT, STRING, UINT, Type, list_of, optional_of, parameter
from placet.policy.cel.values import same

_TEXTS: Final = list_of(STRING)
_NUMBERS: Final = (INT, UINT, DOUBLE)


def _maps(result: Type, function: Callable[..., Any], *params: Type, fails: bool = False) -> Overload:
    return Overload(params, result, function, fails=fails)


def _extreme(choose: Callable[[float, float], float]) -> Function:
    """greatest() and least(): of one number, of two, or of a list; the parser makes calls with two of more."""
    alone = [Overload((kind,), kind, same, itself) for kind in _NUMBERS]
    two = [_maps(a if a is b else DYN, choose, a, b) for a in _NUMBERS for b in _NUMBERS]
    many = [walks(kind, maths.among(choose), list_of(kind)) for kind in (*_NUMBERS, DYN)]
    return declare("function", *alone, *two, *many)


def _rounds(function: Callable[[float], float]) -> Function:
    return declare("function", _maps(DOUBLE, function, DOUBLE))


def _asks(function: Callable[[float], bool]) -> Function:
    return declare("function", _maps(BOOL, function, DOUBLE))


def _bits(function: Callable[[int, int], int]) -> Function:
    return declare(
        "function",
        _maps(INT, function, INT, INT),
        _maps(UINT, maths.uint_bits(function), UINT, UINT),
    )


def _shifts(function: Callable[[int, int], int], of_uint: Callable[[int, int], int]) -> Function:
    return declare(
        "function",
        _maps(INT, function, INT, INT, fails=True),
        _maps(UINT, of_uint, UINT, INT, fails=True),
    )


_MATH: Final[Mapping[str, Function]] = {
    "math.greatest": _extreme(maths.greater),
    "math.least": _extreme(maths.lesser),
    "math.ceil": _rounds(maths.ceil),
    "math.floor": _rounds(maths.floor),
    "math.round": _rounds(maths.round_half),
    "math.trunc": _rounds(maths.trunc),
    "math.abs": declare(
        "function",
        _maps(INT, maths.int_abs, INT, fails=True),
        Overload((UINT,), UINT, same, itself),
        _maps(DOUBLE, abs, DOUBLE),
    ),
    "math.sign": declare(
        "function",
        _maps(INT, maths.sign, INT),
        _maps(UINT, maths.uint_sign, UINT),
        _maps(DOUBLE, maths.double_sign, DOUBLE),
    ),
    "math.sqrt": declare("function", *(_maps(DOUBLE, maths.square_root, kind) for kind in _NUMBERS)),
    "math.isNaN": _asks(maths.is_nan),
    "math.isInf": _asks(maths.is_infinite),
    "math.isFinite": _asks(maths.is_finite),
    "math.bitAnd": _bits(operator.and_),
    "math.bitOr": _bits(operator.or_),
    "math.bitXor": _bits(operator.xor),
    "math.bitNot": declare("function", _maps(INT, operator.invert, INT), _maps(UINT, maths.uint_not, UINT)),
    "math.bitShiftLeft": _shifts(maths.shift_left, maths.uint_shift_left),
    "math.bitShiftRight": _shifts(maths.shift_right, maths.uint_shift_right),
}

_STRINGS: Final[Mapping[str, Function]] = {
    "charAt": declare("member", walks(STRING, texts.char_at, STRING, INT)),
    "indexOf": declare(
        "member",
        walks(INT, texts.index_of, STRING, STRING, fails=False),
        walks(INT, texts.index_of, STRING, STRING, INT),
    ),
    "lastIndexOf": declare(
        "member",
        walks(INT, texts.last_index_of, STRING, STRING, fails=False),
        walks(INT, texts.last_index_before, STRING, STRING, INT),
    ),
    "lowerAscii": declare("member", walks(STRING, texts.lower_ascii, STRING, fails=False)),
    "upperAscii": declare("member", walks(STRING, texts.upper_ascii, STRING, fails=False)),
    "replace": declare(
        "member",
        walks(STRING, texts.replace, STRING, STRING, STRING),
        walks(STRING, texts.replace, STRING, STRING, STRING, INT),
    ),
    "split": declare(
        "member",
        walks(_TEXTS, texts.split, STRING, STRING),
        walks(_TEXTS, texts.split, STRING, STRING, INT),
    ),
    "substring": declare(
        "member", walks(STRING, texts.substring, STRING, INT), walks(STRING, texts.substring, STRING, INT, INT)
    ),
    "join": declare("member", walks(STRING, texts.join, _TEXTS), walks(STRING, texts.join, _TEXTS, STRING)),
    "trim": declare("member", walks(STRING, texts.trim, STRING, fails=False)),
    "reverse": declare("member", walks(STRING, texts.reverse, STRING, fails=False)),
    "format": declare("member", walks(STRING, format_text, STRING, list_of(DYN))),
    "strings.quote": declare("function", walks(STRING, texts.quote, STRING)),
}

LIBRARY: Final[Mapping[str, Function]] = {**_STRINGS, **_MATH}
"""What every environment has."""

MEANING: Final[Mapping[str, str]] = {
    "charAt": "The character at a place, from 0.",
    "indexOf": "Where the second text stands first, from a place on; -1: nowhere.",
    "lastIndexOf": "Where the second text stands last, at a place or before; -1: nowhere.",
    "lowerAscii": "With the letters A to Z, and no others, lowered.",
    "upperAscii": "With the letters a to z, and no others, raised.",
    "replace": "With the third text in the place of the second, a number of times at most.",
    "split": "The parts between the second text, a number of them at most.",
    "substring": "The characters from a place, up to and without another.",
    "join": "One text of many, with a text between them.",
    "trim": "Without white space at its ends.",
    "reverse": "From its last character to its first.",
    "format": "With values in the place of `%s %d %f %e %b %o %x %X`.",
    "strings.quote": "A literal of the text, in double quotation marks.",
    "math.greatest": "The greatest of any number of numbers, or of one list.",
    "math.least": "The least of any number of numbers, or of one list.",
    "math.ceil": "Rounded up.",
    "math.floor": "Rounded down.",
    "math.round": "Rounded to the nearest whole number, halves away from zero.",
    "math.trunc": "Rounded towards zero.",
    "math.abs": "Without its sign.",
    "math.sign": "-1, 0 or 1.",
    "math.sqrt": "The square root.",
    "math.isNaN": "Whether it is no number.",
    "math.isInf": "Whether it is infinite.",
    "math.isFinite": "Whether it is a number, and not infinite.",
    "math.bitAnd": "The bits that both have.",
    "math.bitOr": "The bits that either has.",
    "math.bitXor": "The bits that one of the two has.",
    "math.bitNot": "The bits that it does not have.",
    "math.bitShiftLeft": "Moved up by a number of bits; zeros follow.",
    "math.bitShiftRight": "Moved down by a number of bits; zeros follow.",
}
"""What each of them is for, in a sentence."""

_T: Final = parameter("T")
_OPTIONAL: Final = optional_of(_T)

OPTIONALS: Final[Mapping[str, Function]] = {
    "optional.of": declare("function", _maps(_OPTIONAL, optionals.of, _T)),
    "optional.ofNonZeroValue": declare("function", _maps(_OPTIONAL, optionals.of_non_zero, _T)),
    "optional.none": declare("function", _maps(optional_of(EMPTY), optionals.none)),
    "hasValue": declare("member", _maps(BOOL, optionals.has_value, _OPTIONAL, fails=True)),
    "value": declare("member", _maps(_T, optionals.value_of, _OPTIONAL, fails=True)),
    "or": declare("member", _maps(_OPTIONAL, optionals.either, _OPTIONAL, _OPTIONAL, fails=True)),
    "orValue": declare("member", _maps(_T, optionals.value_or, _OPTIONAL, _T, fails=True)),
}
"""What only environments with the extension `optional` have."""

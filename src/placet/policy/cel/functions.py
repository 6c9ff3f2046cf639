"""The standard functions and operators of the language (language definition, "List of standard definitions").

To add a function is to add a line, here or, for an extension, in library.py, and to say in MEANING what it is for.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Final

from placet.policy.cel import convert, runtime, times, values
from placet.policy.cel.library import LIBRARY, OPTIONALS
from placet.policy.cel.library import MEANING as LIBRARY_MEANING
from placet.policy.cel.overloads import (
    SCAN,
    Function,
    Overload,
    asks,
    compares,
    converts,
    declare,
    itself,
    method,
    operates,
)
from placet.policy.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    TYPE,
    UINT,
    Type,
    list_of,
    map_of,
)

_LIST: Final = list_of(DYN)
_MAP: Final = map_of(DYN, DYN)
_PARSES: Final = frozenset({"string"})
_NUMBERS: Final = (INT, UINT, DOUBLE)
_ORDERED: Final = (BOOL, *_NUMBERS, STRING, BYTES, TIMESTAMP, DURATION)


def _order(inline: type[ast.cmpop], plain: Callable[..., bool], mixed: Callable[..., bool]) -> Function:
    """`<` and its kin: within one type, and between numbers of different types."""
    within = [Overload((kind, kind), BOOL, plain, compares(inline)) for kind in _ORDERED]
    across = [Overload((a, b), BOOL, mixed) for a in _NUMBERS for b in _NUMBERS if a is not b]
    return declare("operator", *within, *across)


def _whole(name: str) -> tuple[Overload, ...]:
    """An operator on int and on uint, which overflows or divides by zero."""
    return (
        Overload((INT, INT), INT, getattr(runtime, f"int_{name}"), fails=True),
        Overload((UINT, UINT), UINT, getattr(runtime, f"uint_{name}"), fails=True),
    )


def _double(operation: type[ast.operator], function: Callable[..., float]) -> Overload:
    return Overload((DOUBLE, DOUBLE), DOUBLE, function, operates(operation))


def _time(result: Type, function: Callable[..., int], left: Type, right: Type) -> Overload:
    return Overload((left, right), result, function, fails=True)


def _parts(read: Callable[..., int], *others: Overload) -> Function:
    """An accessor of timestamps, with or without a time zone."""
    plain = Overload((TIMESTAMP,), INT, read)
    zoned = Overload((TIMESTAMP, STRING), INT, read, fails=True, cost=SCAN)
    return declare("member", plain, zoned, *others)


FUNCTIONS: Final[Mapping[str, Function]] = {
    "+": declare(
        "operator",
        *_whole("add"),
        _double(ast.Add, operator.add),
        Overload((STRING, STRING), STRING, runtime.concat_text, fails=True, cost=SCAN),
        Overload((BYTES, BYTES), BYTES, runtime.concat_text, fails=True, cost=SCAN),
        Overload((_LIST, _LIST), _LIST, runtime.concat_lists, fails=True, cost=SCAN),
        _time(TIMESTAMP, times.shift, TIMESTAMP, DURATION),
        _time(TIMESTAMP, times.shift, DURATION, TIMESTAMP),
        _time(DURATION, times.add, DURATION, DURATION),
    ),
    "-": declare(
        "operator",
        *_whole("subtract"),
        _double(ast.Sub, operator.sub),
        _time(DURATION, times.between, TIMESTAMP, TIMESTAMP),
        _time(TIMESTAMP, times.shift_back, TIMESTAMP, DURATION),
        _time(DURATION, times.subtract, DURATION, DURATION),
    ),
    "*": declare("operator", *_whole("multiply"), _double(ast.Mult, operator.mul)),
    "/": declare("operator", *_whole("divide"), Overload((DOUBLE, DOUBLE), DOUBLE, runtime.double_divide)),
    "%": declare("operator", *_whole("modulo")),
    "-_": declare(
        "operator",
        Overload((INT,), INT, runtime.int_negate, fails=True),
        Overload((DOUBLE,), DOUBLE, operator.neg, lambda value: ast.UnaryOp(op=ast.USub(), operand=value)),
    ),
    "!": declare(
        "operator",
        Overload((BOOL,), BOOL, operator.not_, lambda value: ast.UnaryOp(op=ast.Not(), operand=value)),
    ),
    "<": _order(ast.Lt, operator.lt, runtime.number_less),
    "<=": _order(ast.LtE, operator.le, runtime.number_less_equal),
    ">": _order(ast.Gt, operator.gt, runtime.number_greater),
    ">=": _order(ast.GtE, operator.ge, runtime.number_greater_equal),
    "size": declare("function member", *(Overload((kind,), INT, len) for kind in (STRING, BYTES, _LIST, _MAP))),
    "contains": declare("member", asks(operator.contains, lambda text, part: compares(ast.In)(part, text))),
    "startsWith": declare("member", asks(str.startswith, method("startswith"))),
    "endsWith": declare("member", asks(str.endswith, method("endswith"))),
    "matches": declare("function member", Overload((STRING, STRING), BOOL, convert.matches, fails=True, cost=SCAN)),
    **{name: _parts(read) for name, read in times.PARTS.items()},
    **{
        name: _parts(read, Overload((DURATION,), INT, times.count_in(unit)))
        for name, (read, unit) in times.CLOCK.items()
    },
    "getMilliseconds": _parts(times.milliseconds, Overload((DURATION,), INT, times.duration_milliseconds)),
    "int": declare(
        "function",
        *converts(
            INT,
            (UINT, convert.uint_to_int),
            (DOUBLE, convert.double_to_int),
            (STRING, convert.string_to_int),
            (TIMESTAMP, times.timestamp_to_int),
            fails=frozenset({"uint", "double", "string"}),
        ),
    ),
    "uint": declare(
        "function",
        *converts(
            UINT,
            (INT, convert.int_to_uint),
            (DOUBLE, convert.double_to_uint),
            (STRING, convert.string_to_uint),
            fails=frozenset({"int", "double", "string"}),
        ),
    ),
    "double": declare(
        "function", *converts(DOUBLE, (INT, float), (UINT, float), (STRING, convert.string_to_double), fails=_PARSES)
    ),
    "string": declare(
        "function",
        *converts(
            STRING,
            (BOOL, convert.bool_to_string),
            (INT, convert.int_to_string),
            (UINT, convert.int_to_string),
            (DOUBLE, convert.double_to_string),
            (BYTES, convert.bytes_to_string),
            (TIMESTAMP, times.timestamp_to_string),
            (DURATION, times.duration_to_string),
            fails=frozenset({"bytes"}),
        ),
    ),
    "bytes": declare("function", *converts(BYTES, (STRING, convert.string_to_bytes))),
    "bool": declare("function", *converts(BOOL, (STRING, convert.string_to_bool), fails=_PARSES)),
    "timestamp": declare(
        "function",
        *converts(
            TIMESTAMP,
            (STRING, times.string_to_timestamp),
            (INT, times.int_to_timestamp),
            fails=frozenset({"string", "int"}),
        ),
    ),
    "duration": declare("function", *converts(DURATION, (STRING, times.string_to_duration), fails=_PARSES)),
    "type": declare("function", Overload((DYN,), TYPE, values.type_of)),
    "dyn": declare("function", Overload((DYN,), DYN, values.same, itself)),
    **LIBRARY,
}
"""Every function but terms(), hits() and the operators == != in, whose types no overload can state."""

MEANING: Final[Mapping[str, str]] = {
    "+": "The sum; of texts, bytes and lists, one after the other.",
    "-": "The difference; of two timestamps, the duration between them.",
    "*": "The product.",
    "/": "The quotient; of whole numbers without its remainder, towards zero.",
    "%": "The remainder of a division, with the sign of the first number.",
    "-_": "The number with the other sign.",
    "!": "Whether it is not true.",
    "<": "Whether the first comes before the second.",
    "<=": "Whether the first comes before the second, or is equal.",
    ">": "Whether the first comes after the second.",
    ">=": "Whether the first comes after the second, or is equal.",
    "size": "The number of characters, bytes, elements or keys.",
    "contains": "Whether the second text stands anywhere in the first.",
    "startsWith": "Whether the first text begins with the second.",
    "endsWith": "Whether the first text ends with the second.",
    "matches": "Whether an RE2 pattern is found anywhere in the text.",
    "getFullYear": "The year, in UTC or in the timezone that is named.",
    "getMonth": "The month, from 0.",
    "getDate": "The day of the month, from 1.",
    "getDayOfMonth": "The day of the month, from 0.",
    "getDayOfWeek": "The day of the week; Sunday is 0.",
    "getDayOfYear": "The day of the year, from 0.",
    "getHours": "The hour of the clock; of a duration, its whole hours.",
    "getMinutes": "The minute of the clock; of a duration, its whole minutes.",
    "getSeconds": "The second of the clock; of a duration, its whole seconds.",
    "getMilliseconds": "The thousandths of the second alone.",
    "int": "As a whole number: of a double without its fraction, of a timestamp the seconds since 1970.",
    "uint": "As a whole number without a sign.",
    "double": "As a floating-point number.",
    "string": "As a text.",
    "bytes": "The text in UTF-8.",
    "bool": "Of a text that says so: `true`, `false`, `1`, `0`, `t`, `f`.",
    "timestamp": "Of RFC 3339, or of seconds since 1970.",
    "duration": "Of numbers with the units h, m, s, ms, us, ns: `1h30m`.",
    "type": "The type that a value has.",
    "dyn": "The same value, as of a type that is only known when the rule runs.",
    **LIBRARY_MEANING,
}
"""What each function is for, in a sentence."""

WITH_OPTIONALS: Final[Mapping[str, Function]] = {**FUNCTIONS, **OPTIONALS}
"""The functions of an environment with the extension `optional`."""

"""The functions and operators of the language, one line an overload: the checker and the dynamic dispatch read it.

To add a function is to add a line. `inline` builds the Python expression that a call becomes; without it, `function` is
called. `fails` says whether the call can raise CelRuntimeError: what cannot fail is compiled to plain Python operators.
"""

import ast
import functools
import operator
from collections.abc import Callable
from typing import Any, Final

import msgspec

from placet.policy.cel import convert, runtime
from placet.policy.cel.errors import CelRuntimeError
from placet.policy.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    INT,
    STRING,
    UINT,
    Type,
    list_of,
    map_of,
)

Inline = Callable[..., ast.expr]
"""The expressions of the arguments -> the expression of the call."""

SCAN: Final = 10
"""The cost of a call that walks a text or a list, where other calls cost 1."""

_LIST: Final = list_of(DYN)
_MAP: Final = map_of(DYN, DYN)


class Overload(msgspec.Struct, frozen=True, eq=False):
    """One way to call a function: for arguments of these types, this result."""

    params: tuple[Type, ...]
    result: Type
    function: Callable[..., Any]
    inline: Inline | None = None
    fails: bool = False
    cost: int = 1


class Function(msgspec.Struct, frozen=True, eq=False):
    """A name, how it may be written ("function", "member", "operator"), and its overloads."""

    forms: frozenset[str]
    overloads: tuple[Overload, ...]


def _compares(comparison: type[ast.cmpop]) -> Inline:
    return lambda left, right: ast.Compare(left=left, ops=[comparison()], comparators=[right])


def _operates(operation: type[ast.operator]) -> Inline:
    return lambda left, right: ast.BinOp(left=left, op=operation(), right=right)


def _method(name: str) -> Inline:
    return lambda target, *rest: ast.Call(
        func=ast.Attribute(value=target, attr=name, ctx=ast.Load()), args=list(rest), keywords=[]
    )


def _itself(value: ast.expr) -> ast.expr:
    return value


def _same(value: Any) -> Any:
    return value


def _order(inline: type[ast.cmpop], plain: Callable[..., bool], mixed: Callable[..., bool]) -> tuple[Overload, ...]:
    """`<` and its kin: within one type, and between numbers of different types."""
    numbers = (INT, UINT, DOUBLE)
    within = [Overload((kind, kind), BOOL, plain, _compares(inline)) for kind in (BOOL, *numbers, STRING, BYTES)]
    across = [Overload((a, b), BOOL, mixed) for a in numbers for b in numbers if a is not b]
    return (*within, *across)


def _whole(name: str) -> tuple[Overload, ...]:
    """An operator on int and on uint, which overflows or divides by zero."""
    return (
        Overload((INT, INT), INT, getattr(runtime, f"int_{name}"), fails=True),
        Overload((UINT, UINT), UINT, getattr(runtime, f"uint_{name}"), fails=True),
    )


def _double(operation: type[ast.operator], function: Callable[..., float]) -> Overload:
    return Overload((DOUBLE, DOUBLE), DOUBLE, function, _operates(operation))


def _text(function: Callable[..., bool], inline: Inline) -> tuple[Overload, ...]:
    return (Overload((STRING, STRING), BOOL, function, inline, cost=SCAN),)


def _converts(
    result: Type, *rows: tuple[Type, Callable[[Any], Any]], fails: frozenset[str] = frozenset()
) -> tuple[Overload, ...]:
    """Conversions to one type; the one from the type itself changes nothing."""
    identity = Overload((result,), result, _same, _itself)
    others = [Overload((source,), result, function, fails=source.kind in fails) for source, function in rows]
    return (identity, *others)


def _is(form: str, *overloads: Overload) -> Function:
    return Function(frozenset(form.split()), overloads)


FUNCTIONS: Final[dict[str, Function]] = {
    "+": _is(
        "operator",
        *_whole("add"),
        _double(ast.Add, operator.add),
        Overload((STRING, STRING), STRING, runtime.concat_text, fails=True, cost=SCAN),
        Overload((BYTES, BYTES), BYTES, runtime.concat_text, fails=True, cost=SCAN),
        Overload((_LIST, _LIST), _LIST, runtime.concat_lists, fails=True, cost=SCAN),
    ),
    "-": _is("operator", *_whole("subtract"), _double(ast.Sub, operator.sub)),
    "*": _is("operator", *_whole("multiply"), _double(ast.Mult, operator.mul)),
    "/": _is("operator", *_whole("divide"), Overload((DOUBLE, DOUBLE), DOUBLE, runtime.double_divide)),
    "%": _is("operator", *_whole("modulo")),
    "-_": _is(
        "operator",
        Overload((INT,), INT, runtime.int_negate, fails=True),
        Overload((DOUBLE,), DOUBLE, operator.neg, lambda value: ast.UnaryOp(op=ast.USub(), operand=value)),
    ),
    "!": _is(
        "operator",
        Overload((BOOL,), BOOL, operator.not_, lambda value: ast.UnaryOp(op=ast.Not(), operand=value)),
    ),
    "<": _is("operator", *_order(ast.Lt, operator.lt, runtime.number_less)),
    "<=": _is("operator", *_order(ast.LtE, operator.le, runtime.number_less_equal)),
    ">": _is("operator", *_order(ast.Gt, operator.gt, runtime.number_greater)),
    ">=": _is("operator", *_order(ast.GtE, operator.ge, runtime.number_greater_equal)),
    "size": _is("function member", *(Overload((kind,), INT, len) for kind in (STRING, BYTES, _LIST, _MAP))),
    "contains": _is("member", *_text(operator.contains, lambda text, part: _compares(ast.In)(part, text))),
    "startsWith": _is("member", *_text(str.startswith, _method("startswith"))),
    "endsWith": _is("member", *_text(str.endswith, _method("endswith"))),
    "matches": _is("function member", Overload((STRING, STRING), BOOL, convert.matches, fails=True, cost=SCAN)),
    "lowerAscii": _is("member", Overload((STRING,), STRING, convert.lower_ascii, cost=SCAN)),
    "upperAscii": _is("member", Overload((STRING,), STRING, convert.upper_ascii, cost=SCAN)),
    "int": _is(
        "function",
        *_converts(
            INT,
            (UINT, convert.uint_to_int),
            (DOUBLE, convert.double_to_int),
            (STRING, convert.string_to_int),
            fails=frozenset({"uint", "double", "string"}),
        ),
    ),
    "uint": _is(
        "function",
        *_converts(
            UINT,
            (INT, convert.int_to_uint),
            (DOUBLE, convert.double_to_uint),
            (STRING, convert.string_to_uint),
            fails=frozenset({"int", "double", "string"}),
        ),
    ),
    "double": _is(
        "function",
        *_converts(
            DOUBLE,
            (INT, float),
            (UINT, float),
            (STRING, convert.string_to_double),
            fails=frozenset({"string"}),
        ),
    ),
    "string": _is(
        "function",
        *_converts(
            STRING,
            (BOOL, convert.bool_to_string),
            (INT, convert.int_to_string),
            (UINT, convert.int_to_string),
            (DOUBLE, convert.double_to_string),
            (BYTES, convert.bytes_to_string),
            fails=frozenset({"bytes"}),
        ),
    ),
    "bytes": _is("function", *_converts(BYTES, (STRING, convert.string_to_bytes))),
    "bool": _is("function", *_converts(BOOL, (STRING, convert.string_to_bool), fails=frozenset({"string"}))),
    "dyn": _is("function", Overload((DYN,), DYN, _same, _itself)),
}
"""Every function but terms(), hits() and the operators == != in, whose types no overload can state."""

_BY_KIND: Final[dict[str, dict[tuple[str, ...], Callable[..., Any]]]] = {
    name: {tuple(p.kind for p in overload.params): overload.function for overload in function.overloads}
    for name, function in FUNCTIONS.items()
}


def _dispatch(name: str, *arguments: Any) -> Any:
    """Choose the overload by the kinds that the arguments turn out to have."""
    function = _BY_KIND[name].get(tuple(map(runtime.kind_of, arguments)))
    if function is None:
        raise CelRuntimeError("no such overload")
    return function(*arguments)


def dynamic(name: str, overloads: list[Overload]) -> Overload:
    """An overload that chooses among these when the rule runs, since an argument is dyn."""
    results = {overload.result for overload in overloads}
    result = results.pop() if len(results) == 1 else DYN
    cost = max(overload.cost for overload in overloads)
    params = tuple(DYN for _ in overloads[0].params)
    return Overload(params, result, functools.partial(_dispatch, name), fails=True, cost=cost)

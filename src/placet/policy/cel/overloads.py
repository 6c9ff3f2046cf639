"""How a function is declared, one line an overload: the checker, the generator and the dynamic dispatch read it.

`inline` builds the Python expression that a call becomes; without it, `function` is called. `fails` says whether the
call can raise CelRuntimeError: what cannot fail is compiled to plain Python operators.
"""

import ast
import functools
from collections.abc import Callable
from typing import Any, Final

import msgspec

from placet.policy.cel.errors import CelRuntimeError
from placet.policy.cel.types import BOOL, DYN, STRING, Kind, Type
from placet.policy.cel.values import OVERLOAD, kind_of, same

Inline = Callable[..., ast.expr]
"""The expressions of the arguments -> the expression of the call."""

SCAN: Final = 10
"""The cost of a call that walks a text or a list, where other calls cost 1."""


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


def declare(forms: str, *overloads: Overload) -> Function:
    """A function by how it may be written, and its overloads."""
    return Function(frozenset(forms.split()), overloads)


# --- inline code -------------------------------------------------------------------------------------------------


def compares(comparison: type[ast.cmpop]) -> Inline:
    """`left < right`."""
    return lambda left, right: ast.Compare(left=left, ops=[comparison()], comparators=[right])


def operates(operation: type[ast.operator]) -> Inline:
    """`left + right`."""
    return lambda left, right: ast.BinOp(left=left, op=operation(), right=right)


def method(name: str) -> Inline:
    """`target.name(…)`, of a type whose methods are Python's."""
    return lambda target, *rest: ast.Call(
        func=ast.Attribute(value=target, attr=name, ctx=ast.Load()), args=list(rest), keywords=[]
    )


def itself(value: ast.expr) -> ast.expr:
    """The argument as it is."""
    return value


# --- families of overloads ---------------------------------------------------------------------------------------


def asks(function: Callable[..., bool], inline: Inline) -> Overload:
    """A question about a text and a part of it."""
    return Overload((STRING, STRING), BOOL, function, inline, cost=SCAN)


def walks(result: Type, function: Callable[..., Any], *params: Type, fails: bool = True) -> Overload:
    """A call that walks what it is given, and makes something of it."""
    return Overload(params, result, function, fails=fails, cost=SCAN)


def converts(
    result: Type, *rows: tuple[Type, Callable[[Any], Any]], fails: frozenset[str] = frozenset()
) -> tuple[Overload, ...]:
    """Conversions to one type; the one from the type itself changes nothing."""
    identity = Overload((result,), result, same, itself)
    others = [Overload((source,), result, function, fails=source.kind in fails) for source, function in rows]
    return (identity, *others)


# --- dispatch when a rule runs -----------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1024)
def _chosen(overloads: tuple[Overload, ...], kinds: tuple[Kind, ...]) -> Callable[..., Any] | None:
    for overload in overloads:
        if len(overload.params) == len(kinds) and all(map(_takes, overload.params, kinds)):
            return overload.function
    return None


def _takes(param: Type, kind: Kind) -> bool:
    return param.kind in ("dyn", "param", kind)


def _dispatch(overloads: tuple[Overload, ...], *arguments: Any) -> Any:
    """Choose the overload by the kinds that the arguments turn out to have."""
    function = _chosen(overloads, tuple(map(kind_of, arguments)))
    if function is None:
        raise CelRuntimeError(OVERLOAD)
    return function(*arguments)


def dynamic(overloads: tuple[Overload, ...], result: Type) -> Overload:
    """An overload that chooses among these when the rule runs, since an argument is dyn."""
    cost = max(overload.cost for overload in overloads)
    params = tuple(DYN for _ in overloads[0].params)
    return Overload(params, result, functools.partial(_dispatch, overloads), fails=True, cost=cost)

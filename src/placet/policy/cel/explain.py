"""Why a rule fired: which of its conditions were true and made the whole true, in the words of the rule."""

from collections.abc import Callable, Sequence

import msgspec

from placet.policy.cel.errors import CelRuntimeError
from placet.policy.cel.nodes import Logic, Node

Thunks = Sequence[Callable[[], bool]]
"""The conditions of a rule on given facts, not yet evaluated."""


class Leaf(msgspec.Struct, frozen=True):
    """A condition that is quoted whole, and its place among the thunks."""

    quote: str
    thunk: int


class Chain(msgspec.Struct, frozen=True):
    """Conditions joined by `&&` (it needs all of them) or `||` (it needs one)."""

    needs_all: bool
    parts: tuple["Leaf | Chain", ...]


def plan(source: str, node: Node, leaves: list[Node]) -> Leaf | Chain:
    """Split a condition at its connectives; the conditions between them are added to `leaves`."""
    if isinstance(node, Logic):
        return Chain(node.operator == "&&", tuple(plan(source, part, leaves) for part in node.operands))
    leaves.append(node)
    return Leaf(source[node.start : node.end], len(leaves) - 1)


def settled(condition: Leaf | Chain) -> tuple[str, ...] | None:
    """What `reasons` quotes of every facts on which the condition is true; None where that depends on the facts."""
    if isinstance(condition, Leaf):
        return (condition.quote,)
    parts = [settled(part) for part in condition.parts]
    known = [part for part in parts if part is not None]
    if not condition.needs_all or len(known) < len(parts):
        return None
    return tuple(quote for part in known for quote in part)


def reasons(condition: Leaf | Chain, thunks: Thunks) -> tuple[str, ...] | None:
    """Quote what makes the condition true, or None when it is not; an error is not true."""
    if isinstance(condition, Leaf):
        try:
            return (condition.quote,) if thunks[condition.thunk]() else None
        except CelRuntimeError:
            return None
    true: list[str] = []
    count = 0
    for part in condition.parts:
        found = reasons(part, thunks)
        if found is None and condition.needs_all:
            return None
        count += found is not None
        true += found or ()
    return tuple(true) if count else None

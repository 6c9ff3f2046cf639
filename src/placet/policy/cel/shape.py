"""A condition by what it means: equal for sources that differ in layout alone; and the parts that it is made of."""

from collections.abc import Hashable
from typing import Final

import msgspec

from placet.policy.cel.errors import CelError
from placet.policy.cel.explain import plan
from placet.policy.cel.nodes import Node
from placet.policy.cel.parse import parse

_PLACES: Final = frozenset({"start", "end", "height", "at"})
"""The fields of nodes that say where in the source something stands."""


def shape(source: str) -> Hashable:
    """Give a value that is equal for two conditions of one meaning but for white space, comments and parentheses.

    A source that cannot be read stands for itself.
    """
    try:
        return _shape(parse(source))
    except (CelError, RecursionError):
        return source


def _shape(value: object) -> Hashable:
    if isinstance(value, Node):
        fields = [each.name for each in msgspec.structs.fields(value) if each.name not in _PLACES]
        return (type(value).__name__, *(_shape(getattr(value, name)) for name in fields))
    if isinstance(value, tuple):
        return tuple(_shape(each) for each in value)
    return (type(value).__name__, repr(value))


def parts(source: str) -> tuple[str, ...]:
    """Give the conditions that `&&` and `||` join, in source order, each a condition by itself. Raises CelError."""
    leaves: list[Node] = []
    plan(source, parse(source), leaves)
    return tuple(source[leaf.start : leaf.end] for leaf in leaves)

"""The syntax tree. A node knows where it stands in the source, and how high the tree below it is."""

from typing import Any, Literal

import msgspec


class Node(msgspec.Struct, frozen=True, eq=False):
    """A part of an expression: `source[start:end]` without the parentheses around it. Nodes compare by identity."""

    start: int
    end: int
    height: int


class Constant(Node, frozen=True, eq=False):
    """A literal; a uint is a runtime.Uint, so that it differs from an int."""

    value: Any


class Name(Node, frozen=True, eq=False):
    """A name; `rooted` means that it was written `.name` and skips the variables of macros."""

    name: str
    rooted: bool = False


class Select(Node, frozen=True, eq=False):
    """`operand.field`, or `has(operand.field)` when `test` is set, or `operand.?field` when `optional` is."""

    operand: Node
    field: str
    at: int
    test: bool = False
    optional: bool = False


class Index(Node, frozen=True, eq=False):
    """`operand[key]`, or `operand[?key]` when `optional` is set."""

    operand: Node
    key: Node
    optional: bool = False


class Call(Node, frozen=True, eq=False):
    """A function, a member function (its target is the first argument) or an operator, written at `at`.

    A function in a namespace bears it in its name: "math.abs".
    """

    function: str
    arguments: tuple[Node, ...]
    at: int
    form: Literal["function", "member", "operator"]


class Logic(Node, frozen=True, eq=False):
    """A chain of `&&` or of `||`: both are associative, so a chain is one node however long it is."""

    operator: Literal["&&", "||"]
    operands: tuple[Node, ...]


class Ternary(Node, frozen=True, eq=False):
    """`condition ? then : otherwise`."""

    condition: Node
    then: Node
    otherwise: Node


class ListLiteral(Node, frozen=True, eq=False):
    """`[a, b]`; `optional` are the places of elements that were written `?a`."""

    elements: tuple[Node, ...]
    optional: tuple[int, ...] = ()


class MapLiteral(Node, frozen=True, eq=False):
    """`{k: v}`; `optional` are the places of entries that were written `?k: v`."""

    keys: tuple[Node, ...]
    values: tuple[Node, ...]
    optional: tuple[int, ...] = ()


MacroName = Literal["all", "exists", "exists_one", "map", "filter", "transformMap", "optMap", "optFlatMap"]


class Macro(Node, frozen=True, eq=False):
    """`over.kind(variable, body)`; a map() of three arguments has a condition before its body.

    With a `second` variable, the first is the index or the key and the second the element or the value.
    """

    kind: MacroName
    over: Node
    variable: str
    body: Node
    condition: Node | None = None
    second: str | None = None


class Bind(Node, frozen=True, eq=False):
    """`cel.bind(variable, value, body)`."""

    variable: str
    value: Node
    body: Node


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below, in source order."""
    match node:
        case Select(operand=operand):
            return (operand,)
        case Index(operand=operand, key=key):
            return (operand, key)
        case Call(arguments=found) | Logic(operands=found) | ListLiteral(elements=found):
            return found
        case Ternary(condition=condition, then=then, otherwise=otherwise):
            return (condition, then, otherwise)
        case MapLiteral(keys=keys, values=values):
            return (*keys, *values)
        case Bind(value=value, body=body):
            return (value, body)
        case Macro(over=over, condition=condition, body=body):
            return (over, body) if condition is None else (over, condition, body)
        case _:
            return ()

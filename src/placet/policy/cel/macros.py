"""What becomes of a call that is none: the macros of the language and its extensions (language definition, "Macros").

A macro is told from a function by its name and the number of its arguments, before any type is known. The parser hands
over the call as it was written and gets a node for it, or None where it is an ordinary call.
"""

from collections.abc import Mapping
from typing import Final, Literal, NoReturn

import msgspec

from placet.policy.cel.errors import CelError
from placet.policy.cel.nodes import Bind, Call, Constant, ListLiteral, Macro, MacroName, Name, Node, Select

Extension = Literal["optional", "block"]
"""What only environments have that ask for it: values that may be absent, and the notation of optimisers."""

NAMESPACES: Final = frozenset({"cel", "math", "strings"})
"""Before a call, these are no variables: `math.abs(x)`."""

_ONE: Final[dict[str, MacroName]] = {"all": "all", "exists": "exists", "filter": "filter"}
_ONCE: Final[dict[str, MacroName]] = {"exists_one": "exists_one", "existsOne": "exists_one"}
_PLAIN: Final[dict[tuple[str, int], MacroName]] = {
    **{(name, 2): kind for name, kind in (_ONE | _ONCE).items()},
    ("map", 2): "map",
    ("map", 3): "map",
}
_TWO_VARIABLES: Final[dict[tuple[str, int], MacroName]] = {
    ("all", 3): "all",
    ("exists", 3): "exists",
    **{(name, 3): kind for name, kind in _ONCE.items()},
    ("transformList", 3): "map",
    ("transformList", 4): "map",
    ("transformMap", 3): "transformMap",
    ("transformMap", 4): "transformMap",
}
_OPTIONAL: Final[dict[tuple[str, int], MacroName]] = {("optMap", 2): "optMap", ("optFlatMap", 2): "optFlatMap"}
MACRO_NAMES: Final = frozenset({"has", "cel.bind", *(name for name, _ in (*_PLAIN, *_TWO_VARIABLES))})
"""Every macro of a rule, as it is written."""
MEANING: Final[Mapping[str, str]] = {
    "has(x.y)": "Whether the field or key is there.",
    "l.all(x, p)": "Whether p holds for every element, or every key of a map.",
    "l.exists(x, p)": "Whether p holds for one element or more.",
    "l.existsOne(x, p)": "Whether p holds for exactly one element.",
    "l.exists_one(x, p)": "The same as `existsOne`.",
    "l.filter(x, p)": "The elements for which p holds.",
    "l.map(x, e)": "A list of e of each element.",
    "l.map(x, p, e)": "A list of e of those elements for which p holds.",
    "m.all(k, v, p)": "Whether p holds for every index and element, or key and value.",
    "m.exists(k, v, p)": "Whether p holds for one pair or more.",
    "m.existsOne(k, v, p)": "Whether p holds for exactly one pair.",
    "m.exists_one(k, v, p)": "The same as `existsOne`.",
    "m.transformList(k, v, e)": "A list of e of each pair.",
    "m.transformList(k, v, p, e)": "A list of e of those pairs for which p holds.",
    "m.transformMap(k, v, e)": "A map with the same keys, and e of each pair as values.",
    "m.transformMap(k, v, p, e)": "The same, of those pairs for which p holds.",
    "cel.bind(x, v, e)": "e, in which x stands for v, worked out once.",
}
"""What each macro gives, by how it is written."""
_USAGE: Final = {
    **dict.fromkeys(["all", "exists", "exists_one", "existsOne"], "(name, expression) or {}(index, name, expression)"),
    **dict.fromkeys(["filter", "optMap", "optFlatMap"], "(name, expression)"),
    "map": "(name, expression) or map(name, condition, expression)",
    **dict.fromkeys(
        ["transformList", "transformMap"], "(key, value, expression) or {}(key, value, condition, expression)"
    ),
}


class Written(msgspec.Struct, frozen=True):
    """A call as it was written: its name at `at`, the whole of it at `start` to `end`."""

    source: str
    extensions: frozenset[Extension]
    name: str
    at: int
    start: int
    end: int
    arguments: tuple[Node, ...]

    def refuse(self, message: str, hint: str | None = None, node: Node | None = None) -> NoReturn:
        """Say what is wrong with the call, or with a part of it."""
        start, end = (self.at, self.at + len(self.name)) if node is None else (node.start, node.end)
        raise CelError(message, start, self.source, hint, end - start)

    def height(self, *nodes: Node) -> int:
        """How high a node above these is."""
        return 1 + max((node.height for node in nodes), default=0)

    def variable(self, node: Node) -> str:
        """The name that an argument gives to a variable."""
        if not isinstance(node, Name) or node.rooted:
            self.refuse(f"'{self.name}' takes a plain name first", node=node)
        return node.name


def path_of(node: Node) -> str:
    """The dotted name that a chain of fields spells; empty for anything else."""
    match node:
        case Name(name=name):
            return name
        case Select(operand=operand, field=field, test=False, optional=False):
            path = path_of(operand)
            return path and f"{path}.{field}"
        case _:
            return ""


# --- member calls ------------------------------------------------------------------------------------------------


def member_call(written: Written, over: Node) -> Node | None:
    """`over.name(…)` as a macro."""
    name, count = written.name, len(written.arguments)
    if "optional" in written.extensions and (kind := _OPTIONAL.get((name, count))):
        return _macro(written, kind, over, 1)
    if kind := _PLAIN.get((name, count)):
        return _macro(written, kind, over, 1)
    if kind := _TWO_VARIABLES.get((name, count)):
        return _macro(written, kind, over, 2)
    if name in _USAGE and name in MACRO_NAMES:
        expected = "a name and an expression" if (name, 2) in _PLAIN else "two names and an expression"
        written.refuse(f"'{name}' takes {expected}", f"write {name}{_USAGE[name].format(name)}")
    return None


def _macro(written: Written, kind: MacroName, over: Node, variables: int) -> Node:
    *names, _ = written.arguments[: variables + 1]
    first, *others = map(written.variable, names)
    second = others[0] if others else None
    if first == second:
        written.refuse("the two variables need two names", node=names[1])
    *conditions, body = written.arguments[variables:]
    condition = conditions[0] if conditions else None
    height = written.height(over, *written.arguments)
    return Macro(written.start, written.end, height, kind, over, first, body, condition, second)


# --- calls -------------------------------------------------------------------------------------------------------


def function_call(written: Written) -> Node | None:
    """`name(…)` or `namespace.name(…)` as a macro."""
    match written.name:
        case "has":
            return _has(written)
        case "cel.bind":
            return _bind(written)
        case "math.greatest" | "math.least":
            return _extreme(written)
        case "cel.block" | "cel.index" | "cel.iterVar" | "cel.accuVar" if "block" in written.extensions:
            return _block(written) if written.name == "cel.block" else _slot(written)
        case _:
            return None


def _has(written: Written) -> Node:
    arguments = written.arguments
    if len(arguments) != 1 or not isinstance(arguments[0], Select) or arguments[0].test:
        written.refuse("'has' takes one field of an object or map", "write has(object.field)")
    return msgspec.structs.replace(arguments[0], start=written.at, end=written.end, test=True)


def _bind(written: Written) -> Node:
    if len(written.arguments) != 3:
        written.refuse("'cel.bind' takes a name, a value and an expression", "write cel.bind(name, value, expression)")
    variable, value, body = written.arguments
    height = written.height(value, body)
    return Bind(written.start, written.end, height, written.variable(variable), value, body)


def _extreme(written: Written) -> Node | None:
    """Three numbers or more are chosen from two by two, so that every one of them is checked to be a number."""
    if not written.arguments:
        written.refuse(f"'{written.name}' takes one number or more", f"write {written.name}(a, b)")
    if len(written.arguments) < 3:
        return None
    first, *others = written.arguments
    for other in others:
        height = written.height(first, other)
        first = Call(written.start, written.end, height, written.name, (first, other), written.at, "function")
    return first


# --- the notation of optimisers: cel.block([values], expression), where cel.index(n) is the n-th value -------------


def _slot(written: Written) -> Node:
    """A variable whose name no source can spell."""
    if not all(isinstance(each, Constant) and type(each.value) is int for each in written.arguments):
        written.refuse(f"'{written.name}' takes numbers")
    numbers = ":".join(str(each.value) for each in written.arguments if isinstance(each, Constant))
    return Name(written.start, written.end, 1, f"@{written.name.removeprefix('cel.')}:{numbers}")


def _block(written: Written) -> Node:
    listed, *rest = written.arguments or (None,)
    if not isinstance(listed, ListLiteral) or listed.optional or len(rest) != 1:
        written.refuse("'cel.block' takes a list of values and an expression")
    body = rest[0]
    for number, value in reversed(list(enumerate(listed.elements))):
        height = written.height(value, body)
        body = Bind(written.start, written.end, height, f"@index:{number}", value, body)
    return body

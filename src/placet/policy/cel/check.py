"""The type checker: names, fields, types and calls of a rule against a declared environment.

It answers with a type for every node, the overload that every call means, and what the rule reads: facts, term lists,
patterns. Every mistake is a CelError with its place and, where one is near, the word that was meant.
"""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import msgspec

from placet.policy.cel.convert import regex
from placet.policy.cel.errors import CelError, suggest
from placet.policy.cel.functions import FUNCTIONS, Overload, dynamic
from placet.policy.cel.lex import RESERVED
from placet.policy.cel.nodes import (
    Call,
    Constant,
    Index,
    ListLiteral,
    Logic,
    Macro,
    MapLiteral,
    Name,
    Node,
    Select,
    Ternary,
)
from placet.policy.cel.runtime import kind_of
from placet.policy.cel.types import (
    BOOL,
    DYN,
    EMPTY,
    INT,
    KEY_KINDS,
    NUMBERS,
    STRING,
    Type,
    accepts,
    comparable,
    join,
    list_of,
    map_of,
    object_type,
    settled,
)

HIT: Final = object_type("hit", {"label": STRING, "field": STRING, "view": STRING, "score": INT, "quote": STRING})
"""What hits('list') gives: a term that was found, where, on which view of the text, how surely."""

_TEXT_CALLS: Final = {"terms": BOOL, "hits": list_of(HIT)}
_MACRO_NAMES: Final = ("all", "exists", "exists_one", "map", "filter", "has")


class Environment(msgspec.Struct, frozen=True):
    """What rules may name. Raises ValueError when a variable could not be written as a name.

    `variables` gives the type of each variable. `text_fields` are the dotted paths whose `matches('literal')` the text
    matcher answers; such a path need not be among the variables.
    """

    variables: Mapping[str, Type]
    text_fields: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in self.variables:
            if not (name.isascii() and name.isidentifier()) or name in RESERVED | {"true", "false", "null", "in"}:
                raise ValueError(f"'{name}' cannot be the name of a variable")


class TextCall(msgspec.Struct, frozen=True):
    """A question to the text matcher: the method of TextHits, and its literal arguments."""

    method: str
    arguments: tuple[str, ...]


class Checked(msgspec.Struct, frozen=True):
    """A rule that is well typed. `facts` are the nodes where a fact enters the expression."""

    source: str
    root: Node
    types: Mapping[Node, Type]
    calls: Mapping[Node, Overload]
    text_calls: Mapping[Node, TextCall]
    regexes: Mapping[Node, Any]
    facts: Mapping[Node, str]

    @property
    def type(self) -> Type:
        """The type of the whole expression."""
        return self.types[self.root]


def check(source: str, root: Node, environment: Environment) -> Checked:
    """Check an expression; raises CelError at the first mistake."""
    checker = _Checker(source, environment)
    checker.infer(root)
    return Checked(source, root, checker.types, checker.calls, checker.text_calls, checker.regexes, checker.facts)


class _Checker:
    def __init__(self, source: str, environment: Environment) -> None:
        self.source = source
        self.environment = environment
        self.types: dict[Node, Type] = {}
        self.calls: dict[Node, Overload] = {}
        self.text_calls: dict[Node, TextCall] = {}
        self.regexes: dict[Node, Any] = {}
        self.paths: dict[Node, str] = {}
        self.facts: dict[Node, str] = {}
        self.scopes: list[tuple[str, Type]] = []

    def refuse(self, message: str, at: Node, hint: str | None = None) -> NoReturn:
        raise CelError(message, at.start, self.source, hint, at.end - at.start)

    def refuse_word(self, message: str, at: int, word: str, hint: str | None = None) -> NoReturn:
        raise CelError(message, at, self.source, hint, len(word))

    def infer(self, node: Node, *, part: bool = False) -> Type:
        """Find the type of a node. `part` means that only a field of it is wanted, so that itself it is not read."""
        if node in self.types:  # asked before: without this, a chain of calls could be inferred 2^n times
            return self.types[node]
        match node:
            case Name() | Select():
                found = self.fact(node, part=part)
            case Call():
                found = self.call(node)
            case Logic() | Ternary():
                found = self.condition(node)
            case Macro():
                found = self.macro(node)
            case _:
                found = self.value(node)
        self.types[node] = found
        return found

    # --- names and fields ---

    def fact(self, node: Node, *, part: bool) -> Type:
        found = self.name(node) if isinstance(node, Name) else self.select(node)
        if not part:
            self.read(node)
        return found

    def read(self, node: Node) -> None:
        if node in self.paths:
            self.facts[node] = self.paths[node]

    def local(self, node: Name) -> Type | None:
        if node.rooted:
            return None
        return next((found for name, found in reversed(self.scopes) if name == node.name), None)

    def name(self, node: Name) -> Type:
        if (local := self.local(node)) is not None:
            return local
        found = self.environment.variables.get(node.name)
        if found is None:
            known = [*self.environment.variables, *(name for name, _ in self.scopes)]
            self.refuse(f"unknown name '{node.name}'", node, suggest(node.name, known))
        self.paths[node] = node.name
        return found

    def select(self, node: Node) -> Type:
        assert isinstance(node, Select)
        owner = self.infer(node.operand, part=True)
        path = self.paths.get(node.operand)
        if owner.kind == "object":
            found = owner.field(node.field)
            if found is None:
                known = [name for name, _ in owner.fields]
                message = f"{owner} has no field '{node.field}'"
                self.refuse_word(message, node.at, node.field, suggest(node.field, known))
            if path is not None:
                self.paths[node] = f"{path}.{node.field}"
        elif owner.kind == "dyn" or (owner.kind == "map" and accepts(owner.params[0], STRING)):
            self.read(node.operand)
            found = DYN if owner.kind == "dyn" else settled(owner.params[1])
        else:
            self.refuse_word(f"{owner} has no fields", node.at, node.field)
        return BOOL if node.test else found

    # --- values ---

    def value(self, node: Node) -> Type:
        match node:
            case Constant(value=value):
                return Type(kind_of(value))
            case ListLiteral(elements=elements):
                return list_of(self.joined(elements))
            case MapLiteral():
                return self.mapping(node)
            case Index():
                return self.index(node)
            case _:
                raise TypeError(type(node))

    def joined(self, nodes: tuple[Node, ...]) -> Type:
        found = EMPTY
        for node in nodes:
            found = join(found, self.infer(node))
        return found

    def mapping(self, node: MapLiteral) -> Type:
        seen: set[tuple[type, Any]] = set()
        for key in node.keys:
            found = self.infer(key)
            if found.kind not in KEY_KINDS:
                self.refuse(f"{found} cannot be the key of a map", key)
            if isinstance(key, Constant):
                entry = (type(key.value), key.value)  # to Python true is 1
                if entry in seen:
                    self.refuse("repeated key", key)
                seen.add(entry)
        return map_of(self.joined(node.keys), self.joined(node.values))

    def index(self, node: Index) -> Type:
        owner = self.infer(node.operand)
        key = self.infer(node.key)
        match owner.kind:
            case "list":
                wanted, found = INT, owner.params[0]
            case "map":
                wanted, found = owner.params
            case "dyn":
                wanted, found = DYN, DYN
            case _:
                hint = "write its fields with a dot" if owner.kind == "object" else None
                self.refuse(f"{owner} cannot be indexed", node.operand, hint)
        if not accepts(wanted, key):
            self.refuse(f"the index of {owner} must be {wanted}, found {key}", node.key)
        return settled(found)

    # --- conditions and macros ---

    def want_bool(self, node: Node) -> None:
        found = self.infer(node)
        if not accepts(BOOL, found):
            self.refuse(f"a condition must be bool, found {found}", node)

    def condition(self, node: Node) -> Type:
        if isinstance(node, Logic):
            for operand in node.operands:
                self.want_bool(operand)
            return BOOL
        assert isinstance(node, Ternary)
        self.want_bool(node.condition)
        then, otherwise = self.infer(node.then), self.infer(node.otherwise)
        if not comparable(then, otherwise):
            hint = "wrap one in dyn(...) if that is meant"
            self.refuse(f"both outcomes must be of one type, found {then} and {otherwise}", node.otherwise, hint)
        return join(then, otherwise)

    @contextmanager
    def scope(self, name: str, element: Type) -> Iterator[None]:
        self.scopes.append((name, element))
        yield
        self.scopes.pop()

    def macro(self, node: Macro) -> Type:
        over = self.infer(node.over)
        if over.kind not in ("list", "map", "dyn"):
            self.refuse(f"'{node.kind}' runs over a list or a map, found {over}", node.over)
        element = DYN if over.kind == "dyn" else settled(over.params[0])
        with self.scope(node.variable, element):
            if node.condition is not None:
                self.want_bool(node.condition)
            if node.kind == "map":
                return list_of(self.infer(node.body))
            self.want_bool(node.body)
        return list_of(element) if node.kind == "filter" else BOOL

    # --- calls ---

    def call(self, node: Call) -> Type:
        if node.function in ("==", "!=", "in"):
            return self.relation(node)
        if node.function in _TEXT_CALLS and node.form == "function":
            return self.text_call(node)
        if node.function == "matches" and self.matches_literal(node):
            return BOOL
        function = FUNCTIONS.get(node.function)
        if function is None or node.form not in function.forms:
            self.unknown_function(node)
        return self.overload(node, function.overloads)

    def unknown_function(self, node: Call) -> NoReturn:
        name = node.function
        if name in FUNCTIONS or name in _TEXT_CALLS or name in _MACRO_NAMES:
            call = f"{name}(…)" if node.form == "member" else f"value.{name}(…)"
            self.refuse_word(f"'{name}' is not called like this", node.at, name, f"write {call}")
        words = [word for word in (*FUNCTIONS, *_TEXT_CALLS, *_MACRO_NAMES) if word.isidentifier()]
        self.refuse_word(f"unknown function '{name}'", node.at, name, suggest(name, words))

    def relation(self, node: Call) -> Type:
        left, right = (self.infer(argument) for argument in node.arguments)
        if node.function == "in":
            if right.kind not in ("list", "map", "dyn"):
                self.refuse(f"'in' looks into a list or a map, found {right}", node.arguments[1])
            wanted = DYN if right.kind == "dyn" else right.params[0]
            if not accepts(wanted, left):
                self.refuse(f"{left} is never in {right}", node.arguments[0])
        elif not comparable(left, right):
            self.refuse(f"{left} and {right} cannot be compared", node, _numeric_hint(left, right))
        return BOOL

    def literal_text(self, node: Node) -> str | None:
        return node.value if isinstance(node, Constant) and isinstance(node.value, str) else None

    def text_call(self, node: Call) -> Type:
        name = node.function
        if len(node.arguments) != 1:
            self.refuse_word(f"'{name}' takes 1 argument, found {len(node.arguments)}", node.at, name)
        text = self.literal_text(node.arguments[0])
        if text is None:
            hint = f"write {name}('name-of-a-list')"
            self.refuse(f"the list of {name}() must be a string literal", node.arguments[0], hint)
        self.text_calls[node] = TextCall(name, (text,))
        return _TEXT_CALLS[name]

    def matches_literal(self, node: Call) -> bool:
        """Settle a `matches` with a literal pattern: asked of the text matcher, or compiled here once."""
        if len(node.arguments) != 2 or (pattern := self.literal_text(node.arguments[1])) is None:
            return False
        try:
            compiled = regex(pattern)
        except ValueError as error:
            self.refuse(f"RE2 refuses the pattern: {error}", node.arguments[1])
        path = self.dotted(node.arguments[0])
        if path in self.environment.text_fields:
            self.text_calls[node] = TextCall("matches", (path, pattern))
            return True
        if self.infer(node.arguments[0]) != STRING:
            return False
        self.infer(node.arguments[1])
        self.regexes[node] = compiled
        return True

    def dotted(self, node: Node) -> str:
        """The path that a chain of fields spells from a variable, or "" for anything else."""
        match node:
            case Name(name=name):
                return "" if self.local(node) else name
            case Select(operand=operand, field=field, test=False):
                path = self.dotted(operand)
                return path and f"{path}.{field}"
            case _:
                return ""

    def overload(self, node: Call, overloads: tuple[Overload, ...]) -> Type:
        name = node.function
        self.count_arguments(node, overloads)
        found = [self.infer(argument) for argument in node.arguments]
        fitting = [o for o in overloads if all(map(accepts, o.params, found))]
        if not fitting:
            self.no_overload(node, found)
        is_known = len(fitting) == 1 and all(
            f.kind == p.kind or p == DYN for f, p in zip(found, fitting[0].params, strict=True)
        )
        chosen = fitting[0] if is_known else dynamic(name, fitting)
        self.calls[node] = chosen
        if chosen.result.kind == "list":  # only + gives a list: of what both hold
            return join(found[0], found[1]) if is_known else list_of(DYN)
        return chosen.result

    def count_arguments(self, node: Call, overloads: tuple[Overload, ...]) -> None:
        takes = {len(o.params) for o in overloads}
        if len(node.arguments) not in takes:
            own = node.form == "member"  # the value before the dot is not counted
            wanted = " or ".join(str(n - own) for n in sorted(takes))
            count = len(node.arguments) - own
            plural = "" if wanted == "1" else "s"
            message = f"'{node.function}' takes {wanted} argument{plural}, found {count}"
            self.refuse_word(message, node.at, node.function)

    def no_overload(self, node: Call, found: list[Type]) -> NoReturn:
        name = node.function.removesuffix("_")
        types = " and ".join(map(str, found))
        pairs = itertools.pairwise(found)
        hint = next((_numeric_hint(a, b) for a, b in pairs), None)
        self.refuse(f"'{name}' is not defined for {types}", node, hint)


def _numeric_hint(left: Type, right: Type) -> str | None:
    """Numbers are never converted silently; say how to convert them."""
    if left.kind != right.kind and left.kind in NUMBERS and right.kind in NUMBERS:
        return f"convert one: {left}(…) or {right}(…)"
    return None

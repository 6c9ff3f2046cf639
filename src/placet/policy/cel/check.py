"""The type checker: names, fields, types and calls of a rule against a declared environment.

It answers with a type for every node, the overload that every call means, and what the rule reads: facts, term lists,
patterns. Every mistake is a CelError with its place and, where one is near, the word that was meant.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import msgspec

from placet.policy.cel import hints
from placet.policy.cel.convert import regex
from placet.policy.cel.environment import MOST_DAYS, Environment
from placet.policy.cel.errors import CelError, CelRuntimeError, suggest
from placet.policy.cel.macros import MACRO_NAMES
from placet.policy.cel.nodes import (
    Bind,
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
from placet.policy.cel.overloads import Overload, dynamic
from placet.policy.cel.times import zone, zone_names
from placet.policy.cel.types import (
    BOOL,
    DYN,
    EMPTY,
    INT,
    KEY_KINDS,
    STRING,
    TYPE,
    Type,
    accepts,
    comparable,
    join,
    list_of,
    map_of,
    object_type,
    optional_of,
    settled,
    substitute,
    unify,
)
from placet.policy.cel.values import TYPE_VALUES, kind_of

HIT: Final = object_type("hit", {"label": STRING, "field": STRING, "view": STRING, "score": INT, "quote": STRING})
"""What hits('list') gives: a term that was found, where, on which view of the text, how surely."""

HIT_MEANING: Final[Mapping[str, str]] = {
    "label": "What was found, as its list names it; for links their host, for counts the number.",
    "field": "Where: `title` or `body`.",
    "view": "On which reading of the text: `exact` as it is written, the others further from that.",
    "score": "How sure it is, 0 to 100; below 90 it is a guess.",
    "quote": "The words themselves; they are not copied into the record.",
}
"""What the fields of a hit are."""

TEXT_CALLS: Final[Mapping[str, Type]] = {"terms": BOOL, "hits": list_of(HIT)}
"""What may be asked of the text by the name of a list, and the type of the answer."""

MEANING: Final[Mapping[str, str]] = {
    "terms": "Whether anything of that list was found.",
    "hits": "What was found of that list, in the order in which it was found.",
    "matches": "Whether the RE2 pattern is found; all patterns of all rules are searched for in one pass.",
    "==": "Whether both are equal; numbers of different types are not compared.",
    "!=": "Whether they differ.",
    "in": "Whether a list has the element, or a map the key.",
    "&&": "Whether both sides are true; a false side decides, whatever the other does.",
    "||": "Whether a side is true; a true side decides, whatever the other does.",
    "?:": "The second of three if the first is true, else the third.",
    "[]": "The element of a list at a place, from 0, or the value of a key.",
    ".": "A field of a fact, or the value of a key.",
}
"""What these calls, and the operators that no overload can state, are for."""

_LITERAL_HINTS: Final = {
    "timestamp": "write it as '2024-02-29T12:00:00Z'",
    "duration": "write numbers with the units h, m, s, ms: '1h30m'",
}


class TextCall(msgspec.Struct, frozen=True):
    """A question to the text matcher: the method of TextHits, and its literal arguments."""

    method: str
    arguments: tuple[str, ...]


class Checked(msgspec.Struct, frozen=True):
    """A rule that is well typed.

    `facts` are the nodes where a fact enters the expression, `names` those that spell a variable, with its full name,
    `constants` those whose value is known already: names of types, literal moments and durations. `failures` says of
    the parts of an unchecked expression why they will fail.
    """

    source: str
    root: Node
    types: Mapping[Node, Type]
    calls: Mapping[Node, Overload]
    text_calls: Mapping[Node, TextCall]
    regexes: Mapping[Node, Any]
    facts: Mapping[Node, str]
    names: Mapping[Node, str]
    constants: Mapping[Node, Any]
    failures: Mapping[Node, str]

    @property
    def type(self) -> Type:
        """The type of the whole expression."""
        return self.types[self.root]


def check(source: str, root: Node, environment: Environment) -> Checked:
    """Check an expression; raises CelError at the first mistake."""
    checker = _Checker(source, environment)
    checker.infer(root)
    return Checked(
        source=source,
        root=root,
        types=checker.types,
        calls=checker.calls,
        text_calls=checker.text_calls,
        regexes=checker.regexes,
        facts=checker.facts,
        names=checker.names,
        constants=checker.constants,
        failures=checker.failures,
    )


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
        self.names: dict[Node, str] = {}
        self.constants: dict[Node, Any] = {}
        self.failures: dict[Node, str] = {}
        self.scopes: list[tuple[str, Type]] = []

    def refuse(self, message: str, at: Node, hint: str | None = None) -> NoReturn:
        raise CelError(message, at.start, self.source, hint, at.end - at.start)

    def refuse_word(self, message: str, at: int, word: str, hint: str | None = None) -> NoReturn:
        raise CelError(message, at, self.source, hint, len(word))

    def infer(self, node: Node, *, part: bool = False) -> Type:
        """Find the type of a node. `part` means that only a field of it is wanted, so that itself it is not read."""
        if node in self.types:  # asked before: without this, a chain of calls could be inferred 2^n times
            return self.types[node]
        if self.environment.is_checked:
            found = self.inferred(node, part=part)
        else:
            found = DYN
            try:
                self.inferred(node, part=part)
            except CelError as error:
                self.failures[node] = error.message
        self.types[node] = found
        return found

    def inferred(self, node: Node, *, part: bool) -> Type:
        match node:
            case Name() | Select():
                return self.fact(node, part=part)
            case Call():
                return self.call(node)
            case Logic() | Ternary():
                return self.condition(node)
            case Macro():
                return self.macro(node)
            case Bind(variable=variable, value=value, body=body):
                with self.scope((variable, self.infer(value))):
                    return self.infer(body)
            case _:
                return self.value(node)

    # --- names and fields ---

    def fact(self, node: Name | Select, *, part: bool) -> Type:
        found = self.qualified(node)
        if found is None:
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

    def qualified(self, node: Name | Select) -> Type | None:
        """The type of the variable, or of the name of a type, that a name or a whole chain of fields spells."""
        path = self.dotted(node)
        if not path:
            return None
        for name in self.environment.candidates(path, is_rooted=_is_rooted(node)):
            if (found := self.environment.variables.get(name)) is not None:
                self.paths[node] = self.names[node] = name
                return found
            if name in TYPE_VALUES and (name != "optional_type" or "optional" in self.environment.extensions):
                self.constants[node] = TYPE_VALUES[name]
                return TYPE
        return None

    def name(self, node: Name) -> Type:
        local = self.local(node)
        if local is None:
            known = [*self.environment.variables, *(name for name, _ in self.scopes)]
            self.refuse(f"unknown name '{node.name}'", node, suggest(node.name, known))
        return local

    def select(self, node: Select) -> Type:
        owner = self.infer(node.operand, part=True)
        if _is_optional(owner):
            found = self.field(node, owner.params[0])
            return BOOL if node.test else optional_of(found)
        found = self.field(node, owner)
        if node.test:
            return BOOL
        return optional_of(found) if node.optional else found

    def field(self, node: Select, owner: Type) -> Type:
        path = self.paths.get(node.operand)
        if owner.kind == "object":
            found = owner.field(node.field)
            if found is None:
                known = [name for name, _ in owner.fields]
                message = f"{owner} has no field '{node.field}'"
                self.refuse_word(message, node.at, node.field, hints.of_field(node.field, known))
            if path is not None:
                self.paths[node] = f"{path}.{node.field}"
            return found
        is_map = owner.kind == "map" and accepts(owner.params[0], STRING)
        if not is_map and owner.kind not in ("dyn", "empty"):
            self.refuse_word(f"{owner} has no fields", node.at, node.field, hints.of_fields(owner))
        self.read(node.operand)
        return settled(owner.params[1]) if is_map else DYN

    # --- values ---

    def value(self, node: Node) -> Type:
        match node:
            case Constant(value=value):
                return Type(kind_of(value))
            case ListLiteral(elements=elements, optional=optional):
                return list_of(self.joined(elements, optional))
            case MapLiteral():
                return self.mapping(node)
            case Index():
                return self.index(node)
            case _:
                raise TypeError(type(node))

    def joined(self, nodes: tuple[Node, ...], optional: tuple[int, ...]) -> Type:
        found = EMPTY
        for place, node in enumerate(nodes):
            each = self.infer(node)
            if place in optional:
                each = self.opened(node, each)
            found = join(found, each)
        return found

    def opened(self, node: Node, found: Type) -> Type:
        """The type of what an optional value holds."""
        if _is_optional(found):
            return found.params[0]
        if found.kind != "dyn":
            self.refuse(f"only an optional value may follow '?', found {found}", node)
        return DYN

    def mapping(self, node: MapLiteral) -> Type:
        seen: set[tuple[type, Any]] = set()
        for key in node.keys:
            found = self.infer(key)
            if found.kind not in KEY_KINDS:
                self.refuse(f"{found} cannot be the key of a map", key)
            if isinstance(key, Constant):
                entry = (bool if type(key.value) is bool else object, key.value)  # to Python true is 1
                if entry in seen:
                    self.refuse("repeated key", key)
                seen.add(entry)
        return map_of(self.joined(node.keys, ()), self.joined(node.values, node.optional))

    def index(self, node: Index) -> Type:
        owner = self.infer(node.operand)
        if _is_optional(owner):
            return optional_of(self.element(node, owner.params[0]))
        found = self.element(node, owner)
        return optional_of(found) if node.optional else found

    def element(self, node: Index, owner: Type) -> Type:
        key = self.infer(node.key)
        match owner.kind:
            case "list":
                wanted, found = INT, owner.params[0]
            case "map":
                wanted, found = owner.params
            case "dyn" | "empty":
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
    def scope(self, *variables: tuple[str, Type]) -> Iterator[None]:
        self.scopes += variables
        try:
            yield
        finally:
            del self.scopes[-len(variables) :]

    def macro(self, node: Macro) -> Type:
        over = self.infer(node.over)
        if node.kind in ("optMap", "optFlatMap"):
            return self.optional_macro(node, over)
        if over.kind not in ("list", "map", "dyn"):
            self.refuse(f"'{node.kind}' runs over a list or a map, found {over}", node.over)
        place = INT if over.kind == "list" else _first(over)
        variables = [(node.variable, _first(over))]
        if node.second is not None:
            variables = [(node.variable, place), (node.second, settled(over.params[-1]) if over.params else DYN)]
        with self.scope(*variables):
            if node.condition is not None:
                self.want_bool(node.condition)
            if node.kind == "map":
                return list_of(self.infer(node.body))
            if node.kind == "transformMap":
                return map_of(place, self.infer(node.body))
            self.want_bool(node.body)
        return list_of(_first(over)) if node.kind == "filter" else BOOL

    def optional_macro(self, node: Macro, over: Type) -> Type:
        with self.scope((node.variable, settled(self.opened(node.over, over)))):
            body = self.infer(node.body)
        return optional_of(body if node.kind == "optMap" else self.opened(node.body, body))

    # --- calls ---

    def call(self, node: Call) -> Type:
        if node.function in ("==", "!=", "in"):
            return self.relation(node)
        if node.function in TEXT_CALLS and node.form == "function":
            return self.text_call(node)
        if node.function in self.environment.windows and node.form == "function":
            return self.window_call(node)
        if node.function == "matches" and self.matches_literal(node):
            return BOOL
        function = self.environment.function(node.function)
        if function is None or node.form not in function.forms:
            self.unknown_function(node)
        return self.overload(node, function.overloads)

    def unknown_function(self, node: Call) -> NoReturn:
        name = node.function
        known = [*self.environment.function_names(), *TEXT_CALLS, *MACRO_NAMES]
        if name in known:
            call = f"{name}(…)" if node.form == "member" else f"value.{name}(…)"
            self.refuse_word(f"'{name}' is not called like this", node.at, name, f"write {call}")
        self.refuse_word(f"unknown function '{name}'", node.at, name, hints.of_function(name, known))

    def relation(self, node: Call) -> Type:
        left, right = (self.infer(argument) for argument in node.arguments)
        if node.function == "in":
            if right.kind not in ("list", "map", "dyn"):
                self.refuse(
                    f"'in' looks into a list or a map, found {right}", node.arguments[1], hints.of_membership(right)
                )
            wanted = DYN if right.kind == "dyn" else right.params[0]
            if not accepts(wanted, left):
                self.refuse(f"{left} is never in {right}", node.arguments[0])
        elif not comparable(left, right):
            self.refuse(f"{left} and {right} cannot be compared", node, hints.of_comparison(left, right))
        return BOOL

    def literal_text(self, node: Node) -> str | None:
        return node.value if isinstance(node, Constant) and isinstance(node.value, str) else None

    def text_call(self, node: Call) -> Type:
        name, argument = node.function, self.only_argument(node)
        text = self.literal_text(argument)
        if text is None:
            hint = f"write {name}('name-of-a-list')"
            self.refuse(f"the list of {name}() must be a string literal", argument, hint)
        self.text_calls[node] = TextCall(name, (text,))
        return TEXT_CALLS[name]

    def window_call(self, node: Call) -> Type:
        name, argument = node.function, self.only_argument(node)
        days = argument.value if isinstance(argument, Constant) else None
        if type(days) is not int:
            message = f"the days of {name}() must be an integer literal, since what is counted is counted beforehand"
            self.refuse(message, argument, f"write {name}(7)")
        if not 1 <= days <= MOST_DAYS:
            self.refuse(f"{name}() looks back 1 to {MOST_DAYS} days, found {days}", argument)
        self.text_calls[node] = TextCall("count", (self.environment.windows[name].format(days),))
        return INT

    def only_argument(self, node: Call) -> Node:
        if len(node.arguments) != 1:
            message = f"'{node.function}' takes 1 argument, found {len(node.arguments)}"
            self.refuse_word(message, node.at, node.function)
        return node.arguments[0]

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
            case Select(operand=operand, field=field, test=False, optional=False):
                path = self.dotted(operand)
                return path and f"{path}.{field}"
            case _:
                return ""

    def overload(self, node: Call, overloads: tuple[Overload, ...]) -> Type:
        name = node.function
        self.count_arguments(node, overloads)
        found = [self.infer(argument) for argument in node.arguments]
        fitting = [(o, bound) for o in overloads if (bound := _fits(o, found)) is not None]
        if not fitting:
            self.no_overload(node, found)
        chosen, bound = next((pair for pair in fitting if pair[0].params == tuple(found)), fitting[0])
        is_known = chosen.params == tuple(found) or (len(fitting) == 1 and all(map(_is_settled, chosen.params, found)))
        if name == "+" and chosen.result.kind == "list":  # a list of what both hold
            result = join(found[0], found[1]) if is_known else list_of(DYN)
        else:
            results = {substitute(o.result, b) for o, b in ([(chosen, bound)] if is_known else fitting)}
            result = results.pop() if len(results) == 1 else DYN
        self.calls[node] = chosen if is_known else dynamic(tuple(o for o, _ in fitting), result)
        self.check_literal(node)
        return settled(result)

    def check_literal(self, node: Call) -> None:
        """Work out a literal moment or duration now, and refuse what could only fail, whenever the rule ran."""
        last = node.arguments[-1] if node.arguments else None
        text = None if last is None else self.literal_text(last)
        if last is None or text is None:
            return
        try:
            if node.function in ("timestamp", "duration") and node.form == "function":
                self.constants[node] = self.calls[node].function(text)
            elif node.function.startswith("get") and len(node.arguments) == 2:
                zone(text)
        except CelRuntimeError as error:
            self.refuse(str(error), last, _LITERAL_HINTS.get(node.function) or suggest(text, zone_names()))

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
        self.refuse(f"'{name}' is not defined for {types}", node, hints.of_types(name, found))


def _fits(overload: Overload, found: list[Type]) -> dict[str, Type] | None:
    """What the parameters of an overload stand for when it takes these arguments; None when it does not take them."""
    bound: dict[str, Type] = {}
    is_taken = len(overload.params) == len(found) and all(
        unify(param, each, bound) for param, each in zip(overload.params, found, strict=True)
    )
    return bound if is_taken else None


def _is_settled(param: Type, found: Type) -> bool:
    """Whether an argument is surely of the kind that an overload asks for."""
    return found.kind == param.kind or param.kind in ("dyn", "param")


def _is_optional(found: Type) -> bool:
    return found.kind == "abstract" and found.name == "optional_type"


def _is_rooted(node: Node) -> bool:
    while isinstance(node, Select):
        node = node.operand
    return isinstance(node, Name) and node.rooted


def _first(over: Type) -> Type:
    """What a macro of one variable gives it: the elements of a list, the keys of a map."""
    return settled(over.params[0]) if over.params else DYN

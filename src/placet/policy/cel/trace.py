"""What each part of a rule came to: the rule evaluated again, for a person, with every part written down.

The code comes from the same generator as the rule itself, with every part wrapped in a call that writes its value down
and passes it on, so that a trace cannot say anything else than the rule did. It is made on demand, from the facts and
findings that were recorded: a rule that is only evaluated pays nothing for it.
"""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, cast

import msgspec

from placet.policy.cel import cost, runtime
from placet.policy.cel.check import HIT, Checked, check
from placet.policy.cel.compile import COST_LIMIT, Facts, TextHits, expect_type
from placet.policy.cel.environment import Environment
from placet.policy.cel.errors import CelRuntimeError
from placet.policy.cel.generate import Code, Generator
from placet.policy.cel.nodes import Bind, Constant, ListLiteral, Macro, MapLiteral, Name, Node, Select, children
from placet.policy.cel.parse import parse
from placet.policy.cel.types import BOOL, DYN, Type

State = Literal["value", "error", "skipped"]

_HARMLESS: Final = ("bool", "int", "uint", "double", "timestamp", "duration", "null", "type")
"""Kinds of values that no text can be read from, whatever they were made of."""


class Step(msgspec.Struct, frozen=True):
    """A part of a rule, `source[start:end]`, and what it came to. Literals are no steps: they say it themselves.

    A `skipped` part was not evaluated, since the answer did not depend on it. The value of a part that could hold the
    author's words is withheld unless asked for, and is then None.
    """

    start: int
    end: int
    text: str
    state: State
    value: Any = None
    error: str = ""
    withheld: bool = False
    found: tuple[str, ...] = ()
    """Of terms() and hits(): the labels of what was found, each once."""
    turn: int = 0
    """Of what a macro repeats: which turn is shown, from 1; the last one, which decided. Else 0."""
    parts: tuple["Step", ...] = ()


class Trace(NamedTuple):
    """A rule made ready to be traced; keeps no state."""

    plan: "_Plan"
    run: Callable[[Facts, TextHits, "_Notes"], Any]

    def __call__(self, facts: Facts, text: TextHits, *, words: bool = False) -> Step:
        """Evaluate, and say what every part came to; never raises for facts. `words` shows the author's words too."""
        notes = _Notes(self.plan)
        try:
            self.run(facts, text, notes)
        except Exception as error:  # noqa: BLE001 - whatever the facts make of it is what the trace says
            notes.failed(0, error)
        return _step(self.plan, 0, notes, text, words=words)


def trace_rule(source: str, env: Environment, expect: Type = BOOL, cost_limit: int = COST_LIMIT) -> Trace:
    """Make a rule ready to be traced, from a source that `compile_rule` takes with the same arguments."""
    checked = check(source, parse(source, env.extensions), env)
    expect_type(checked, expect)
    plan = _plan(checked, env)
    generator = _Tracer(checked, cost.count(checked, cost_limit), plan, expect)
    body = generator.generate(checked.root).expression
    function = ast.parse("def trace(F, T, S): return None")
    cast("ast.FunctionDef", function.body[0]).body = [ast.Return(value=body)]
    namespace: dict[str, Any] = {"__builtins__": {}, **generator.bound}
    exec(compile(ast.fix_missing_locations(function), "<trace>", "exec"), namespace)  # noqa: S102  # see compile.py
    return Trace(plan, namespace["trace"])


# --- which parts are steps ---------------------------------------------------------------------------------------


class _Part(NamedTuple):
    """A step to be: its node, its parts, the last of the places under it, and what is to be kept of it."""

    node: Node
    parts: tuple[int, ...]
    last: int
    private: bool
    repeated: bool


class _Plan(NamedTuple):
    """The steps of a rule, each before its parts; the whole is the first."""

    checked: Checked
    parts: Sequence[_Part]


def _plan(checked: Checked, env: Environment) -> _Plan:
    found: list[Any] = []
    _Planner(checked, env, found).visit(checked.root, {}, repeated=False)
    return _Plan(checked, tuple(found))


class _Planner(NamedTuple):
    checked: Checked
    env: Environment
    found: list[Any]

    def visit(self, node: Node, scope: Mapping[str, bool], *, repeated: bool) -> bool:
        """Lay out a node and what is below it; says whether it could hold the author's words."""
        place = len(self.found)
        self.found.append(None)
        parts, private = [], self.is_words(node, scope)
        for child, inner, turns in self.below(node, scope):
            if not self.is_silent(child):
                parts.append(len(self.found))
                private |= self.visit(child, inner, repeated=turns)
        if self.checked.types[node].kind in _HARMLESS:
            private = False
        self.found[place] = _Part(node, tuple(parts), len(self.found) - 1, private, repeated)
        return private

    def is_silent(self, node: Node) -> bool:
        """Whether a node says its value itself: a literal, of whatever kind."""
        if isinstance(node, ListLiteral | MapLiteral):
            return all(map(self.is_silent, children(node)))
        return isinstance(node, Constant) or node in self.checked.constants

    def is_words(self, node: Node, scope: Mapping[str, bool]) -> bool:
        """Whether the author's words enter the expression here."""
        if node in self.checked.facts:
            path = self.checked.facts[node]
            return any(words == path or words.startswith(f"{path}.") for words in self.env.text_fields)
        if node in self.checked.text_calls:
            return self.checked.text_calls[node].method == "hits"
        if isinstance(node, Select):
            is_plain = self.checked.types[node.operand] == HIT and node.field != "quote"
            return not is_plain and self.is_words(node.operand, scope)
        return isinstance(node, Name) and scope.get(node.name, False)

    def below(self, node: Node, scope: Mapping[str, bool]) -> Iterator[tuple[Node, Mapping[str, bool], bool]]:
        """The parts of a node, with the variables that hold the author's words, and whether they are repeated."""
        if self.is_leaf(node):
            return
        if isinstance(node, Macro):
            yield node.over, scope, False
            inner = {**scope, node.variable: self.holds(node.over, scope)}
            if node.second is not None:
                inner[node.second] = inner[node.variable]
            yield from ((each, inner, True) for each in (node.condition, node.body) if each is not None)
        elif isinstance(node, Bind):
            yield node.value, scope, False
            yield node.body, {**scope, node.variable: self.holds(node.value, scope)}, False
        else:
            yield from ((child, scope, False) for child in children(node))

    def is_leaf(self, node: Node) -> bool:
        """Whether a node is shown whole: a fact, a question to the text, a variable, a field of one of these."""
        if node in self.checked.names or node in self.checked.facts or node in self.checked.text_calls:
            return True
        return isinstance(node, Name) or (isinstance(node, Select) and self.is_leaf(node.operand))

    def holds(self, node: Node, scope: Mapping[str, bool]) -> bool:
        """Whether the author's words enter anywhere in an expression."""
        if self.is_words(node, scope):
            return True
        return any(self.holds(child, inner) for child, inner, _ in self.below(node, scope))


# --- writing down ------------------------------------------------------------------------------------------------


class _Notes:
    """What the parts came to, by place. A part that is evaluated again forgets what was noted below it."""

    __slots__ = ("_lasts", "outcomes", "turns")

    def __init__(self, plan: _Plan) -> None:
        self._lasts = [part.last for part in plan.parts]
        self.outcomes: list[tuple[Any, str] | None] = [None] * len(plan.parts)
        self.turns = [0] * len(plan.parts)

    def __call__(self, place: int, thunk: Callable[[], Any]) -> Any:
        below = range(place + 1, self._lasts[place] + 1)
        for each in below:
            self.outcomes[each], self.turns[each] = None, 0
        self.turns[place] += 1
        try:
            value = thunk()
        except Exception as error:
            self.failed(place, error)
            raise
        self.outcomes[place] = (value, "")
        return value

    def failed(self, place: int, error: Exception) -> None:
        """Note that a part failed."""
        own = error if isinstance(error, CelRuntimeError) else runtime.misfit(error)
        self.outcomes[place] = (None, str(own))


class _Tracer(Generator):
    """Generates code that notes every step. Each is taken for one that can fail, so that all are asked in order."""

    def __init__(self, checked: Checked, costs: Mapping[Node, int], plan: _Plan, expect: Type) -> None:
        super().__init__(checked, costs)
        self._expect = expect
        self._places = {part.node: place for place, part in enumerate(plan.parts)}

    def generate(self, node: Node) -> Code:
        code = super().generate(node)
        if node is self.checked.root and self.checked.type == DYN and self._expect != DYN:
            code = Code(self.helper(runtime.want_kind, code.expression, ast.Constant(value=self._expect.kind)), True)
        if node not in self._places:
            return code
        thunk = ast.Lambda(args=_NO_ARGUMENTS, body=code.expression)
        place = ast.Constant(value=self._places[node])
        noted = ast.Call(func=ast.Name(id="S", ctx=ast.Load()), args=[place, thunk], keywords=[])
        return Code(noted, fails=True)

    def _sought(self, _node: Macro) -> None:  # every turn of `exists` is to be seen
        return None


_NO_ARGUMENTS: Final = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])


# --- the steps ---------------------------------------------------------------------------------------------------


def _step(plan: _Plan, place: int, notes: _Notes, text: TextHits, *, words: bool) -> Step:
    part = plan.parts[place]
    node, outcome = part.node, notes.outcomes[place]
    value, error = outcome or (None, "")
    withheld = outcome is not None and not error and part.private and not words
    state: State = "skipped" if outcome is None else "error" if error else "value"
    asked = plan.checked.text_calls.get(node)
    labels = text.hits(asked.arguments[0]) if asked and asked.method in ("terms", "hits") and state == "value" else ()
    return Step(
        start=node.start,
        end=node.end,
        text=plan.checked.source[node.start : node.end],
        state=state,
        value=None if withheld else value,
        error=error,
        withheld=withheld,
        found=tuple(dict.fromkeys(hit["label"] for hit in labels)),
        turn=notes.turns[place] if part.repeated else 0,
        parts=tuple(_step(plan, each, notes, text, words=words) for each in part.parts),
    )

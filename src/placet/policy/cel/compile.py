"""The entry of the rule language: source text to a Program, one Python function that answers for given facts."""

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, cast

import msgspec

from placet.policy.cel import cost, runtime
from placet.policy.cel.check import Checked, check
from placet.policy.cel.environment import Environment
from placet.policy.cel.errors import CelError, CelRuntimeError
from placet.policy.cel.explain import Chain, Leaf, Thunks, plan, reasons, settled
from placet.policy.cel.generate import Generator
from placet.policy.cel.needs import Needs, needs
from placet.policy.cel.nodes import Node
from placet.policy.cel.parse import MAX_DEPTH, parse
from placet.policy.cel.types import BOOL, DYN, Type, accepts

COST_LIMIT: Final = 10_000

Facts = Mapping[str, Any]


class TextHits(Protocol):
    """What the text matcher found on one item; the evaluator supplies it."""

    def terms(self, list_name: str, /) -> bool:
        """Whether a term of the list was found."""

    def hits(self, list_name: str, /) -> Sequence[Mapping[str, Any]]:
        """What was found of the list: label, field, view, score, quote."""

    def count(self, list_name: str, /) -> int:
        """The number that was reported under the list; 0 where there is none."""

    def matches(self, field: str, pattern: str, /) -> bool:
        """Whether the pattern is found in the text field."""


Run = Callable[[Facts, TextHits], Any]

_TEMPLATE: Final = """
def rule(F, T):
    try:
        return None
    except failure:
        raise
    except anything as error:
        raise misfit(error) from error

def conditions(F, T):
    return ()
"""
"""The program that every rule becomes; the expressions take the places of None and of the empty tuple.

Any error that is not ours means that the facts lack what they were declared to hold. A rule that fails becomes a
hold, so it must not escape as a KeyError; one try around the rule costs nothing while nothing fails.
"""


class Program(msgspec.Struct, frozen=True, eq=False):
    """A compiled rule. It keeps no state and may be called from many threads.

    `reads` are the dotted paths of the facts that evaluation may read ("item.category"; a whole object counts as its
    path; a hoisted matches() asks the text matcher, and reads no fact). `result` is the type of the answer. `lists`
    are the term lists asked for, `patterns` the pairs of text field and regular expression that the text matcher must
    answer. `needs` says what must be found in the text for the answer to be other than false (needs.py). `cost` bounds
    the steps of one evaluation. `run` is what a call does, without the frame of a method: for loops over many rules.
    """

    source: str
    result: Type
    reads: frozenset[str]
    lists: frozenset[str]
    patterns: frozenset[tuple[str, str]]
    needs: Needs | None
    cost: int
    run: Run
    explain: Callable[[Facts, TextHits], tuple[str, ...]]
    settled: tuple[str, ...] | None = None
    """What `why` gives wherever the rule is true, for a rule that is true in one way only."""

    def __call__(self, facts: Facts, text: TextHits) -> Any:
        """Evaluate; raises CelRuntimeError and nothing else, also when the facts are not as they were declared."""
        return self.run(facts, text)

    def why(self, facts: Facts, text: TextHits) -> tuple[str, ...]:
        """Quote the conditions that were true and made the whole true, in source order; none when it is not true.

        Of `a && (b || c)` with b false: ("a", "c"). Raises CelRuntimeError when the facts do not fit.
        """
        return self.explain(facts, text)


def compile_rule(source: str, env: Environment, expect: Type = BOOL, cost_limit: int = COST_LIMIT) -> Program:
    """Parse, check and compile a rule that gives a value of the expected type; raises CelError at a mistake."""
    try:
        return _compile(source, env, expect, cost_limit)
    except RecursionError as error:  # the caller's own stack was nearly used up: our limit on depth does not see it
        raise CelError(f"nested more than {MAX_DEPTH} levels deep", 0, source) from error


def _compile(source: str, env: Environment, expect: Type, cost_limit: int) -> Program:
    checked = check(source, parse(source, env.extensions), env)
    expect_type(checked, expect)
    costs = cost.count(checked, cost_limit)
    generator = Generator(checked, costs)
    leaves: list[Node] = []
    explained = plan(checked.source, checked.root, leaves) if checked.type == BOOL else None
    run, explain = _build(generator, checked, expect, explained, leaves)
    asked = checked.text_calls.values()
    return Program(
        source=source,
        result=checked.type,
        reads=frozenset(checked.facts.values()),
        lists=frozenset(call.arguments[0] for call in asked if call.method != "matches"),
        patterns=frozenset((call.arguments[0], call.arguments[1]) for call in asked if call.method == "matches"),
        needs=needs(checked.root, checked.text_calls),
        cost=costs[checked.root],
        run=run,
        explain=explain,
        settled=settled(explained) if explained else None,
    )


def expect_type(checked: Checked, expect: Type) -> None:
    """Raise CelError unless the rule may give a value of that type."""
    found = checked.type
    is_settled_later = found == DYN and not expect.params and expect.kind != "object"
    is_vague = found.mentions("dyn") and not expect.mentions("dyn")
    if not accepts(expect, found) or (is_vague and not is_settled_later):
        root = checked.root
        raise CelError(
            f"the rule must give {expect}, found {found}", root.start, checked.source, None, root.end - root.start
        )


def _build(
    generator: Generator, checked: Checked, expect: Type, explained: Leaf | Chain | None, leaves: Sequence[Node]
) -> tuple[Run, Callable[..., tuple[str, ...]]]:
    """Compile the rule, and beside it the conditions that explain it, to one code object."""
    result = generator.generate(checked.root).expression
    if checked.type == DYN and expect != DYN:
        result = generator.helper(runtime.want_kind, result, ast.Constant(value=expect.kind))
    thunks = [generator.thunk(leaf) for leaf in leaves]
    namespace = _execute(result, thunks, generator.bound)
    conditions = cast("Callable[[Facts, TextHits], Thunks]", namespace["conditions"])

    def explain(facts: Facts, text: TextHits) -> tuple[str, ...]:
        if explained is None:
            return ()
        try:
            return reasons(explained, conditions(facts, text)) or ()
        except Exception as error:
            raise runtime.misfit(error) from error

    return cast("Run", namespace["rule"]), explain


def _execute(result: ast.expr, thunks: list[ast.expr], bound: Mapping[str, Any]) -> dict[str, Any]:
    module = ast.parse(_TEMPLATE)
    for node in ast.walk(module):
        if isinstance(node, ast.Return):
            is_rule = isinstance(node.value, ast.Constant)
            node.value = result if is_rule else ast.Tuple(elts=thunks, ctx=ast.Load())
    code = compile(ast.fix_missing_locations(module), "<rule>", "exec")
    namespace = {
        "__builtins__": {},
        "failure": CelRuntimeError,
        "anything": Exception,
        "misfit": runtime.misfit,
        **bound,
    }
    exec(code, namespace)  # noqa: S102  # our own syntax tree: a rule's names and strings are constants in it
    return namespace

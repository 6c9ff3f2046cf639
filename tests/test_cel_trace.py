"""What each part of a rule came to: golden traces in words, and that a trace never says anything else than the rule."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from expressions import FACTS, KINDS, VARIABLES, expressions
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from bench.cel_spec import NoText, same
from placet.policy.cel import (
    BOOL,
    DYN,
    INT,
    STRING,
    CelError,
    CelRuntimeError,
    Environment,
    Program,
    Step,
    compile_rule,
    list_of,
    object_type,
    trace_rule,
)

ITEM = object_type("item", {"title": STRING, "body": STRING, "category": STRING})
ACCOUNT = object_type("account", {"rights": list_of(STRING), "strikes": INT})
ENV = Environment({"item": ITEM, "account": ACCOUNT}, frozenset({"item.title", "item.body"}))
FOUND = {
    "item": {"title": "Three lanterns", "body": "They hang over the door.", "category": "local-news"},
    "account": {"rights": ["notice.post", "photo.post"], "strikes": 3},
}


class Lanterns:
    """A text matcher that has found lanterns."""

    def terms(self, list_name: str) -> bool:
        return list_name == "lamps"

    def hits(self, list_name: str) -> Sequence[Mapping[str, Any]]:
        hit = {"label": "lantern", "field": "title", "view": "exact", "score": 100, "quote": "lanterns"}
        return [hit, hit] if list_name == "lamps" else []

    def count(self, list_name: str) -> int:
        return 2 if list_name == "lamps/7" else 0

    def matches(self, _field: str, pattern: str) -> bool:
        return pattern == "lan"


def trace(source: str, *, words: bool = False) -> Step:
    return trace_rule(source, ENV)(FOUND, Lanterns(), words=words)


def told(step: Step, depth: int = 0) -> list[str]:
    """A trace in words: one line a step, its parts below it."""
    outcome = "not evaluated" if step.state == "skipped" else step.error or repr(step.value)
    outcome = "withheld" if step.withheld else outcome
    turn = f" in turn {step.turn}" if step.turn else ""
    found = f" ({', '.join(step.found)})" if step.found else ""
    below = [line for part in step.parts for line in told(part, depth + 1)]
    return [f"{'. ' * depth}{step.text} -> {outcome}{found}{turn}", *below]


# --- golden traces -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        (
            "terms('lamps') && account.strikes > 2",
            """
            terms('lamps') && account.strikes > 2 -> True
            . terms('lamps') -> True (lantern)
            . account.strikes > 2 -> True
            . . account.strikes -> 3
            """,
        ),
        (
            "item.category == 'general' && (item.title.matches('lan') || account.strikes > 2)",
            """
            item.category == 'general' && (item.title.matches('lan') || account.strikes > 2) -> False
            . item.category == 'general' -> False
            . . item.category -> 'local-news'
            . item.title.matches('lan') || account.strikes > 2 -> not evaluated
            . . item.title.matches('lan') -> not evaluated
            . . account.strikes > 2 -> not evaluated
            . . . account.strikes -> not evaluated
            """,
        ),
        (
            "1 / (account.strikes - 3) > 0 || account.strikes == 3",
            """
            1 / (account.strikes - 3) > 0 || account.strikes == 3 -> True
            . 1 / (account.strikes - 3) > 0 -> division by zero
            . . 1 / (account.strikes - 3) -> division by zero
            . . . account.strikes - 3 -> 0
            . . . . account.strikes -> 3
            . account.strikes == 3 -> True
            . . account.strikes -> 3
            """,
        ),
        (
            "account.rights.exists(r, r == 'photo.post')",
            """
            account.rights.exists(r, r == 'photo.post') -> True
            . account.rights -> ['notice.post', 'photo.post']
            . r == 'photo.post' -> True in turn 2
            . . r -> 'photo.post'
            """,
        ),
        (
            "account.rights.all(r, r.startsWith('p'))",
            """
            account.rights.all(r, r.startsWith('p')) -> False
            . account.rights -> ['notice.post', 'photo.post']
            . r.startsWith('p') -> False in turn 1
            . . r -> 'notice.post'
            """,
        ),
        (
            "item.category in ['a', 'local-news'] ? size(account.rights) == 2 : false",
            """
            item.category in ['a', 'local-news'] ? size(account.rights) == 2 : false -> True
            . item.category in ['a', 'local-news'] -> True
            . . item.category -> 'local-news'
            . size(account.rights) == 2 -> True
            . . size(account.rights) -> 2
            . . . account.rights -> ['notice.post', 'photo.post']
            """,
        ),
        (
            "cel.bind(n, size(account.rights), n > 1 && n < 2)",
            """
            cel.bind(n, size(account.rights), n > 1 && n < 2) -> False
            . size(account.rights) -> 2
            . . account.rights -> ['notice.post', 'photo.post']
            . n > 1 && n < 2 -> False
            . . n > 1 -> True
            . . . n -> 2
            . . n < 2 -> False
            . . . n -> 2
            """,
        ),
        ("true", "true -> True"),
    ],
)
def test_traces(source: str, lines: str) -> None:
    """Every part says what it came to, that it failed, or that it was not evaluated."""
    assert told(trace(source)) == [line.strip() for line in lines.strip().splitlines()]


def test_steps_know_their_place() -> None:
    """A step is a stretch of the source, so that a page can mark it."""
    source = "(account.strikes > 2)  &&  !(item.category == 'x')"
    for step in (trace(source), *trace(source).parts):
        assert source[step.start : step.end] == step.text


# --- the author's words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "item.title == 'x' || item.body.lowerAscii().contains('door')",
        "hits('lamps').exists(h, h.quote.startsWith('lan'))",
        "hits('lamps').map(h, h.quote + '!') == ['lanterns!', 'lanterns!']",
        "cel.bind(t, item.title, t + '' == 'Three lanterns')",
        "item.body.split(' ').exists(word, word == 'door.')",
        "dyn(item.title) == 'Three lanterns'",
        "{'a': item.title}.exists(k, v, v.contains('lanterns'))",
        "item == item",
    ],
)
def test_words_are_withheld(source: str) -> None:
    """No value holds the author's words unless they are asked for: only facts that are recorded, numbers and labels."""

    def values(step: Step) -> str:
        return " ".join([repr(step.value), *map(values, step.parts)])

    assert not any(word in values(trace(source)) for word in ("Three", "lanterns", "door"))
    assert any(word in values(trace(source, words=True)) for word in ("Three", "lanterns", "door"))


def test_what_is_no_word_is_shown() -> None:
    """Counts of the text, and what a finding says beside its quote, are shown."""
    lines = told(trace("size(item.body) > 3 && hits('lamps').exists(h, h.label == 'lantern' && h.score > 1)"))
    assert lines[2:5] == [
        ". . size(item.body) -> 24",
        ". . . item.body -> withheld",
        ". hits('lamps').exists(h, h.label == 'lantern' && h.score > 1) -> True",
    ]
    assert ". . hits('lamps') -> withheld (lantern)" in lines
    assert ". . . . h.label -> 'lantern'" in lines


# --- a trace is the rule -------------------------------------------------------------------------------------------

OURS = Environment(VARIABLES)


def outcome(program: Program, facts: Mapping[str, Any]) -> tuple[Any, str]:
    """What the compiled rule gives: a value, or why it failed."""
    try:
        return program(facts, NoText()), ""
    except CelRuntimeError as error:
        return None, str(error)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data(), facts=FACTS)
def test_a_trace_comes_to_what_the_rule_comes_to(kind: str, data: st.DataObject, facts: dict[str, Any]) -> None:
    """Of any expression, the whole of its trace has the value, or the error, of the compiled rule."""
    source = data.draw(expressions(kind, 3))
    try:
        program = compile_rule(source, OURS, DYN, cost_limit=10**15)
    except CelError:
        return
    step = trace_rule(source, OURS, DYN, cost_limit=10**15)(facts, NoText(), words=True)
    note(f"{source}\n{step}")
    value, error = outcome(program, facts)
    assert (step.state, step.error) == ("error" if error else "value", error)
    assert same(step.value, value)


def test_facts_that_do_not_fit_are_an_error() -> None:
    """A trace of facts that lack something says so, as the rule does."""
    step = trace_rule("account.strikes > 1", ENV)({"account": {}}, Lanterns())
    assert (step.state, step.error) == ("error", "missing fact 'strikes'")
    assert step.parts[0].error == "missing fact 'strikes'"


def test_a_condition_that_is_no_bool_is_an_error() -> None:
    """Of a rule whose type is known only when it runs, the trace fails as the rule does."""
    env = Environment({"extra": DYN})
    step = trace_rule("extra", env, BOOL)({"extra": 7}, Lanterns())
    assert (step.state, step.error) == ("error", "no such overload")


def test_deeply_nested_rules_are_traced() -> None:
    """The deepest rule that may be written can be traced."""
    source = "(" * 30 + "account.strikes > 1" + " || item.category == 'x')" * 30
    assert trace_rule(source, ENV)(FOUND, Lanterns()).value is True
    source = "!" * 60 + "(account.strikes > 1)"
    assert trace_rule(source, ENV)(FOUND, Lanterns()).value is True

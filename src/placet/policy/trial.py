"""Why a golden case came out as it did: which rules fired, which were expected to and did not, on which facts."""

from collections.abc import Iterator, Mapping
from typing import Any

from placet.model import Json, Outcome, Value
from placet.policy.cel import CelRuntimeError
from placet.policy.cel.shape import parts
from placet.policy.compiled import compile_condition, covers
from placet.policy.environment import Seen
from placet.policy.evaluate import Policy, Trial
from placet.policy.values import Pack, Rule


class Part(Value, frozen=True):
    """One of the conditions that `&&` and `||` join: whether it was true, and what it was asked of."""

    condition: str
    true: bool
    error: str = ""
    facts: Mapping[str, Json] = {}
    found: Mapping[str, tuple[str, ...]] = {}
    """What was found, by the list that was asked for."""


class RuleTrial(Value, frozen=True):
    """A rule in a case: that it fired, or why it did not though the case expects its ground."""

    rule: str
    ground: str
    asked: Outcome
    given: Outcome
    fired: bool
    mode: str
    parts: tuple[Part, ...] = ()
    """The parts of its condition; for a rule that could not fire, none."""
    bar: str = ""
    """What kept the rule from counting at all."""


def explain_case(policy: Policy, trial: Trial) -> tuple[RuleTrial, ...]:
    """Say of every rule that fired, and of every one that the case expects to, why it did or did not."""
    return tuple(found for pack in policy.packs for rule in pack.rules for found in _rule(policy, trial, pack, rule))


def _rule(policy: Policy, trial: Trial, pack: Pack, rule: Rule) -> Iterator[RuleTrial]:
    verdict = trial.verdict
    hits = [hit for hit in (*verdict.hits, *verdict.shadow) if (hit.pack, hit.rule) == (pack.id, rule.id)]
    failed = any((error.pack, error.rule) == (pack.id, rule.id) for error in verdict.errors)
    expected = rule.ground in trial.case.grounds or rule.id in (trial.case.shadow or ())
    if not hits and not failed and not expected:
        return
    counts = not hits or hits[0] in verdict.hits
    bar = _bar(policy, trial, pack, rule) if not hits else "" if counts else "it is in shadow, without effect"
    asked = () if bar and not hits else _parts(rule.when, trial, policy.seen(pack.id, trial.findings))
    given = hits[0].given if hits else rule.then
    yield RuleTrial(rule.id, rule.ground, rule.then, given, bool(hits), rule.mode, tuple(asked), bar)


def _bar(policy: Policy, trial: Trial, pack: Pack, rule: Rule) -> str:
    if not covers(rule.since, rule.until, pack.head.timezone, trial.case.instant):
        until = f" until {rule.until}" if rule.until else ""
        return f"it is not in force then: from {rule.since}{until}"
    try:
        inside = not pack.head.scope or compile_condition(pack.head.scope)(
            trial.facts, policy.seen(pack.id, trial.findings)
        )
    except CelRuntimeError as error:
        return f"the scope of the pack failed: {error}"
    return "" if inside else f"the scope of the pack does not take the item in: {pack.head.scope}"


def _parts(condition: str, trial: Trial, seen: Seen) -> Iterator[Part]:
    for part in parts(condition):
        program, true, failure = compile_condition(part), False, ""
        try:
            true = bool(program(trial.facts, seen))
        except CelRuntimeError as error:
            failure = str(error)
        facts = {path: _fact(trial.facts, path) for path in sorted(program.reads)}
        found = {name: tuple(_quote(hit) for hit in seen.hits(name)) for name in sorted(program.lists)}
        yield Part(" ".join(part.split()), true, failure, facts, found)


def _fact(facts: Mapping[str, Any], path: str) -> Json:
    """Look a fact up; a path into the elements of a list gives the list."""
    value: Any = facts
    for name in path.split("."):
        if not isinstance(value, Mapping):
            break
        value = value[name]
    return value


def _quote(hit: Mapping[str, Any]) -> str:
    return str(hit["quote"] or hit["label"])

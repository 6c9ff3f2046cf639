"""What checking, testing and comparing packs found: as lines for people and as values for programs."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from placet.errors import SettingsError
from placet.model import Json
from placet.pack_cli.paper import Paper, count, first, outcome, quote
from placet.policy import LoadResult, Pack, Policy, Problem
from placet.policy.difference import Change, Difference, Edit
from placet.policy.evaluate import Trial
from placet.policy.trial import Part, RuleTrial

# --- checking ------------------------------------------------------------------------------------------------------


class Checked(NamedTuple):
    """A pack that was read: what was given for it, what it is or what is wrong with it, and what may be noted."""

    name: str
    result: LoadResult
    notes: tuple[Problem, ...] = ()


def together(packs: Sequence[Pack]) -> str:
    """Say why the packs cannot be in force together; empty where they can."""
    try:
        Policy(packs)
    except SettingsError as problem:
        return problem.detail
    return ""


def check_value(checked: Iterable[Checked], conflict: str) -> Json:
    """What `pack check` found, for programs."""
    packs = [
        {
            "name": each.name,
            "id": each.result.pack.id if each.result.pack else None,
            "digest": each.result.pack.digest if each.result.pack else None,
            "problems": [problem._asdict() for problem in each.result.problems],
            "notes": [note._asdict() for note in each.notes],
        }
        for each in checked
    ]
    return {"ok": not conflict and not any(each["problems"] for each in packs), "packs": packs, "together": conflict}


def check_lines(checked: Sequence[Checked], conflict: str) -> Paper:
    """What `pack check` found, for people."""
    paper = Paper()
    for each in checked:
        problem_lines(paper, each.name, each.result.problems)
        for note in each.notes:
            _problem(paper, each.name, note, ("note: ", "cyan"))
    for each in checked:
        paper.line(f"{each.name}: ", _summary(each))
    if len(checked) > 1:
        paper.line("together: ", (conflict, "red") if conflict else ("no mistake", "green"))
    return paper


def problem_lines(paper: Paper, name: str, problems: Iterable[Problem]) -> None:
    """Write each mistake with its place, what to do, and a caret under a mistake in a condition."""
    for problem in problems:
        _problem(paper, name, problem, ("mistake: ", "bold red"))


def _problem(paper: Paper, name: str, problem: Problem, mark: tuple[str, str]) -> None:
    place = f"{name.rstrip('/')}/{problem.file}" + (f":{problem.line}" if problem.line else "")
    message, _, quoted = problem.message.partition("\n")
    paper.line((place, "bold"), ": ", mark, message, (f" [{problem.code}]", "dim"))
    if quoted:
        paper.line(quoted)
    if problem.hint:
        paper.line(problem.hint, indent=2)


def _summary(each: Checked) -> str | tuple[str, str]:
    pack = each.result.pack
    if pack is None:
        return count(len(each.result.problems), "mistake"), "red"
    terms = sum(len(words.texts) for words in pack.lists)
    parts = [
        count(len(pack.rules), "rule"),
        count(len(pack.grounds), "ground"),
        f"{count(len(pack.lists), 'list')} of {count(terms, 'term')}",
        count(len(pack.cases), "case"),
        count(len(each.notes), "note"),
    ]
    return f"no mistake; {', '.join(parts)}", "green"


# --- testing -------------------------------------------------------------------------------------------------------


class Tried(NamedTuple):
    """A golden case that was run: where it stands, what came of it, and for a failure why."""

    file: str
    line: int
    trial: Trial
    rules: tuple[RuleTrial, ...]


def tried_value(tried: Tried) -> Json:
    """A case, for programs."""
    case, verdict = tried.trial.case, tried.trial.verdict
    return {
        "case": case.name,
        "file": tried.file,
        "line": tried.line,
        "ok": not tried.trial.failure,
        "expected": {"outcome": case.expect, "grounds": sorted(case.grounds), "shadow": _listed(case.shadow)},
        "came": {
            "outcome": verdict.outcome,
            "grounds": list(tried.trial.grounds),
            "shadow": list(tried.trial.shadow),
        },
        "errors": [{"rule": error.rule, "error": error.error} for error in verdict.errors],
        "rules": msgspec.to_builtins(tried.rules),
    }


def _listed(rules: tuple[str, ...] | None) -> list[str] | None:
    return None if rules is None else sorted(rules)


def tried_lines(paper: Paper, name: str, tried: Tried) -> None:
    """A case in one line; a failure with what was expected, what came, and each rule concerned."""
    trial = tried.trial
    case, verdict = trial.case, trial.verdict
    if not trial.failure:
        paper.line(("pass", "green"), f"  {case.name}: ", outcome(verdict.outcome), _on(trial.grounds), indent=2)
        return
    paper.line(
        ("FAIL", "bold red"), f"  {case.name}  ", (f"{name.rstrip('/')}/{tried.file}:{tried.line}", "dim"), indent=2
    )
    watched = case.shadow is not None
    wanted, came = _without_effect(case.shadow or (), watched), _without_effect(trial.shadow, watched)
    paper.line("expected ", outcome(case.expect), _on(sorted(case.grounds)), wanted, indent=8)
    paper.line("came to  ", outcome(verdict.outcome), _on(trial.grounds), came, indent=8)
    for error in verdict.errors:
        paper.line(f"the rule {error.rule} failed: {error.error}", indent=8)
    for rule in tried.rules:
        _rule_lines(paper, rule)
    known = {rule.ground for rule in tried.rules}
    for ground in sorted(set(case.grounds) - known):
        paper.line(f"no rule restricts on {ground}", indent=8)


def _on(grounds: Iterable[str]) -> str:
    named = ", ".join(grounds)
    return f" on {named}" if named else ""


def _without_effect(rules: Iterable[str], watched: bool) -> str:
    """The rules in shadow, where the case says which they must be."""
    return f"; in shadow: {', '.join(sorted(rules)) or 'none'}" if watched else ""


def _rule_lines(paper: Paper, rule: RuleTrial) -> None:
    fired = ("fired", "yellow") if rule.fired else ("did not fire", "cyan")
    softened = f", asked for {rule.asked}" if rule.asked != rule.given else ""
    does = outcome(rule.given)
    paper.line(fired, f": {rule.rule} (", does, _on([rule.ground] if rule.ground else []), f"{softened})", indent=8)
    if rule.bar:
        paper.line(rule.bar, indent=10)
    for part in rule.parts:
        answer = ("error", "red") if part.error else ("true ", "green") if part.true else ("false", "cyan")
        paper.line(answer, f"  {part.condition}", (_asked(part), "dim"), indent=10)


def _asked(part: Part) -> str:
    """What a part of a condition was asked of, behind it."""
    said = [part.error] if part.error else []
    said += [f"{path} = {_short(quote(value))}" for path, value in part.facts.items()]
    said += [f"{name}: {first(found) if found else 'nothing found'}" for name, found in part.found.items()]
    return f"   # {'; '.join(said)}" if said else ""


def _short(text: str, most: int = 80) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


# --- comparing -----------------------------------------------------------------------------------------------------


def difference_value(found: Difference) -> Json:
    """What `pack diff` found, for programs."""
    value = msgspec.to_builtins(found)
    for made, change in zip(value["changes"], found.changes, strict=True):
        made["wording"] = change.wording
    return {"same_meaning": not found.changes, **value}


def difference_lines(found: Difference) -> Paper:
    """What `pack diff` found, for people."""
    paper = Paper()
    before, after = found.before, found.after
    paper.line((f"{before.id} {before.version}", "bold"), " → ", (f"{after.id} {after.version}", "bold"))
    for change in found.changes:
        _change_lines(paper, change)
    paper.line(_verdict(found))
    return paper


def _verdict(found: Difference) -> str:
    if not found.changes:
        same = found.before.digest == found.after.digest
        return "The files are the same." if same else "No change in meaning, though the files differ."
    wording = sum(change.wording for change in found.changes)
    effect = len(found.changes) - wording
    return f"{count(effect, 'change')} in effect, {wording:,} in wording alone."


_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def _change_lines(paper: Paper, change: Change) -> None:
    only = " (wording)" if change.wording else ""
    paper.line(_SIGNS[change.kind], f" {change.table} ", (change.name, "bold"), f": {change.kind}{only}")
    for edit in change.edits:
        _edit_lines(paper, edit)


def _edit_lines(paper: Paper, edit: Edit) -> None:
    for sign, members in (("+", edit.added), ("-", edit.removed)):
        if members:
            paper.line(
                f"{edit.key} ",
                (sign, "green" if sign == "+" else "red"),
                f" {len(members):,}: {first(members)}",
                indent=4,
            )
    if edit.added or edit.removed:
        return
    if edit.before is None or edit.after is None:
        sign, value = ("+", edit.after) if edit.before is None else ("-", edit.before)
        paper.line(f"{edit.key} ", (sign, "green" if sign == "+" else "red"), f" {_said(value)}", indent=4)
    else:
        paper.line(f"{edit.key}: ", (_said(edit.before), "red"), " → ", (_said(edit.after), "green"), indent=4)


def _said(value: Json) -> str:
    """A value on one line."""
    return (" ".join(value.split()) or quote(value)) if isinstance(value, str) else quote(value)

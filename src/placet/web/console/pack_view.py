"""From versions of packs to what their pages show."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from placet.backtest_report import Agreement, Newly, Report, RuleLine, Share
from placet.model import Json, Refusal
from placet.policy import Pack, Problem, say
from placet.policy.difference import Change, Edit, difference
from placet.procedure.activation import Activation
from placet.trials import Comparison, Side
from placet.web.console import show
from placet.web.pack_contexts import (
    BacktestShown,
    ChangeRow,
    EditRow,
    MistakeRow,
    TestedRule,
    TrialResult,
    TrialSide,
    VersionRow,
)
from placet.web.render import tables
from placet.web.visit import problem_of

MOST_CHANGES: Final = 200
_MOST_VALUES: Final = 20
_MOST_CHARS: Final = 600
_MOST_MISTAKES: Final = 100
_MOST_TESTED: Final = 40
_MOST_SAMPLES: Final = 10


def version_row(state: Activation, names: Mapping[str, str]) -> VersionRow:
    """A version in a list."""
    return VersionRow(
        id=state.id,
        pack=state.pack,
        status=state.status,
        digest=state.digest,
        problems=state.problems,
        opened_at=state.opened_at,
        activate_at=state.activate_at,
        editors=people(state.editors, names),
        approved_by=names.get(state.approved_by, state.approved_by),
        reason=state.reason,
    )


def people(ids: Iterable[str], names: Mapping[str, str]) -> tuple[str, ...]:
    """How to call them."""
    return tuple(names.get(each, each) for each in ids)


def mistake_rows(problems: Sequence[Problem], files: Mapping[str, str]) -> tuple[MistakeRow, ...]:
    """The mistakes, the first of very many."""
    return tuple(
        MistakeRow(*problem[:5], quote=_line(files.get(problem.file, ""), problem.line))
        for problem in problems[:_MOST_MISTAKES]
    )


def _line(text: str, line: int) -> str:
    lines = text.split("\n", line)[:line] if line else []
    return lines[-1].strip()[:200] if len(lines) == line and line else ""


def change_rows(before: Pack, after: Pack) -> tuple[list[ChangeRow], int]:
    """What changes in meaning, and how many changes are not shown."""
    changes = difference(before, after).changes
    return [_change(each) for each in changes[:MOST_CHANGES]], max(0, len(changes) - MOST_CHANGES)


def _change(change: Change) -> ChangeRow:
    edits = tuple(_edit(each) for each in change.edits)
    return ChangeRow(change.table, change.name, change.kind, change.wording, edits)


def _edit(edit: Edit) -> EditRow:
    return EditRow(
        key=edit.key,
        before=_said(edit.before),
        after=_said(edit.after),
        added=edit.added[:_MOST_VALUES],
        removed=edit.removed[:_MOST_VALUES],
        more=sum(max(0, len(values) - _MOST_VALUES) for values in (edit.added, edit.removed)),
    )


def _said(value: Json) -> str:
    """A value on the page: texts as they are, others as JSON."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _MOST_CHARS else f"{text[:_MOST_CHARS]}…"


def result_of(comparison: Comparison, language: str) -> TrialResult:
    """What was said now, and with the draft."""
    return TrialResult(comparison.at, _side(comparison.now, language), _side(comparison.draft, language))


def _side(side: Side, language: str) -> TrialSide:
    verdict, seen = side.screening.verdict, show.Evidence(side.screening.facts, side.screening.findings)
    hits = (*verdict.hits, *verdict.shadow)
    return TrialSide(
        outcome=verdict.outcome,
        hits=tuple(show.hit_row(side.policy, hit, language, seen) for hit in hits),
        errors=tuple((f"{each.pack}/{each.rule}", each.error) for each in verdict.errors),
    )


# --- the backtest it is proposed with ----------------------------------------------------------------------------


def report_of(report: Report | None) -> BacktestShown | None:
    """What an approver is shown of a backtest."""
    if report is None:
        return None
    acted = [each for each in report.rules if each.fired or each.fired_then or each.shadow or each.errors]
    acted.sort(key=lambda each: (-each.new, -each.fired, each.rule))
    changed = [each for each in report.transitions if each.then != each.now]
    return BacktestShown(
        packs=report.packs[:_MOST_TESTED],
        items=report.items,
        since=report.since,
        until=report.until,
        judged_at=report.judged_at,
        left_out=report.erased + report.unreadable,
        unchanged=report.unchanged,
        newly=_newly(report.newly),
        rules=tuple(map(_tested, acted[:_MOST_TESTED])),
        more_rules=len(report.rules) - len(acted[:_MOST_TESTED]),
        decided=report.agreement_now.decided,
        agreement=(_agreed(report.agreement_then), _agreed(report.agreement_now)),
        changed=tuple(
            (
                each.then,
                each.now,
                each.items,
                tuple((one.publication, one.rules) for one in each.samples[:_MOST_SAMPLES]),
            )
            for each in changed[:_MOST_TESTED]
        ),
        troubles=tuple((each.error, each.items) for each in report.troubles[:_MOST_TESTED]),
    )


def _tested(line: RuleLine) -> TestedRule:
    return TestedRule(
        line.rule, line.then, line.mode, line.fired, line.new, _newly(line.newly), _share(line.restricted_by_people)
    )


def _newly(newly: Newly) -> tuple[tuple[str, int], ...]:
    """(outcome, items), as many as there are outcomes."""
    return (("hold", newly.held), ("return", newly.returned), ("refuse", newly.refused), ("approve", newly.approved))


def _agreed(agreement: Agreement) -> tuple[str, str]:
    return _share(agreement.precision), _share(agreement.recall)


def _share(share: Share) -> str:
    """A share with its interval, and of how many: "40% (12%-77%), 5"; empty for none."""
    if share.share is None or share.low is None or share.high is None:
        return ""
    return f"{share.share:.0%} ({share.low:.0%}–{share.high:.0%}), {share.count:,} / {share.of:,}"


# --- refusals ----------------------------------------------------------------------------------------------------

_BY: Final = {"pack_unfit": "why", "invalid": "field"}
"""Refusals of which a fact says which of several they are."""


def refusal_key(refusal: Refusal) -> str:
    """The message that says what to do about a version of a pack; the general one where there is none."""
    which = refusal.facts.get(_BY.get(refusal.code, ""), "")
    known = tables()["en"]
    for name in (f"{refusal.code}_{which}", refusal.code):
        if f"pack_refusal.{name}.title" in known:
            return f"pack_refusal.{name}"
    return problem_of(refusal)


def refusal_facts(refusal: Refusal, names: Mapping[str, str]) -> tuple[str, ...]:
    """What the refusal rests on, as far as a reader is helped by it."""
    facts = refusal.facts
    detail = [str(facts["detail"])] if facts.get("detail") else []
    return (*detail, *facts.get("detectors", ()), *people(facts.get("editors", ()), names))


def title_of(pack: Pack | None, fallback: str, language: str) -> str:
    """The pack's title in the reader's language."""
    return say(pack.head.title, language) if pack else fallback

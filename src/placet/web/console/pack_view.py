"""From versions of packs to what their pages show."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from placet.model import Json, Refusal
from placet.policy import Pack, Problem, say
from placet.policy.difference import Change, Edit, difference
from placet.procedure.activation import Activation
from placet.trials import Comparison, Side
from placet.web.console import show
from placet.web.pack_contexts import ChangeRow, EditRow, MistakeRow, TrialResult, TrialSide, VersionRow
from placet.web.render import tables
from placet.web.visit import problem_of

MOST_CHANGES: Final = 200
_MOST_VALUES: Final = 20
_MOST_CHARS: Final = 600
_MOST_MISTAKES: Final = 100


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

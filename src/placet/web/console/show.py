"""From states and entries to what the pages show."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import msgspec

from placet import kinds
from placet.events import rfc3339
from placet.model import Citation, Finding, Ground, Item, Json, RuleHit
from placet.policy import Policy, Step, detector_of, literal, say
from placet.procedure.account import Account
from placet.procedure.publication import Publication
from placet.store.contract import EntryRow, Query, Store
from placet.web.automated import is_failure
from placet.web.contexts import (
    AccountCard,
    ClauseRow,
    FindingRow,
    GroundChoice,
    HitRow,
    PublicationLink,
    Segment,
    TimelineRow,
    WhyStep,
)

_MOST_OF_A_STATUS: Final = 100
_EXCERPT: Final = 160
_MOST_TERMS: Final = 20
_STATUSES: Final = (
    "held",
    "approved",
    "scheduled",
    "released",
    "blocked",
    "returned",
    "refused",
    "taken_down",
    "withdrawn",
)


# --- content -----------------------------------------------------------------------------------------------------


def segments(text: str, field: str, findings: Sequence[Finding]) -> tuple[Segment, ...]:
    """The text cut where findings begin and end; each run names the findings (from 1) that cover it."""
    spans = [
        (finding.start, finding.end, number)
        for number, finding in enumerate(findings, 1)
        if finding.field == field and finding.start < finding.end
    ]
    unseen = [match.start() for match in _UNSEEN.finditer(text)][:_MOST_UNSEEN]
    edges = {0, len(text), *(at for start, end, _ in spans for at in (start, end) if at <= len(text))}
    cuts = sorted(edges | {at + step for at in unseen for step in (0, 1)})
    shown = set(unseen)
    return tuple(
        _segment(
            text[start:end], start in shown, tuple(n for first, last, n in spans if first <= start and end <= last)
        )
        for start, end in pairwise(cuts)
    )


_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\U000e0000-\U000e007f]"
)
"""What a disguise is made of: characters without a shape, and those that turn the reading direction. The joiners that
scripts and emoji need (U+200C, U+200D, variation selectors) are not among them."""
_MOST_UNSEEN: Final = 2_000


def _segment(text: str, unseen: bool, marks: tuple[int, ...]) -> Segment:
    return Segment(_name(text), marks, _name(text)) if unseen else Segment(text, marks)


def _name(character: str) -> str:
    return f"U+{ord(character):04X}"


def visible(text: str) -> str:
    """A short text with the names of characters that a reader could not see, so that no disguise reaches a list."""
    return _UNSEEN.sub(lambda match: f"‹{_name(match[0])}›", text)


def finding_rows(findings: Sequence[Finding], item: Item) -> tuple[FindingRow, ...]:
    """The findings, numbered as in the marks."""
    rows = []
    for number, each in enumerate(findings, 1):
        quote = visible(getattr(item, each.field, "")[each.start : each.end][:200])
        row = FindingRow(
            number=number,
            detector=each.detector,
            list=each.list,
            label=each.label,
            field=each.field,
            quote=quote,
            view=each.view,
            score=each.score,
            start=each.start,
            end=each.end,
            source=detector_of(each.list),
            version=each.version,
            failed=is_failure(each),
        )
        rows.append(row)
    return tuple(rows)


def title_of(item: Item) -> str:
    """What to call an item in a list: its title, or the beginning of its body, on one line."""
    return visible(" ".join((item.title.strip() or item.body[:300]).split())[:80])


def excerpt_of(item: Item) -> str:
    """The beginning of the body, on one line."""
    return visible(" ".join(item.body[: _EXCERPT * 2].split())[:_EXCERPT])


# --- policy ------------------------------------------------------------------------------------------------------


def clause_row(policy: Policy, cite: Citation, language: str) -> ClauseRow:
    """A clause in the reader's language."""
    view = policy.clause(cite)
    basis = "policy" if view.evidence == "HOUSE" else "law"
    return ClauseRow(cite.instrument, say(view.title, language), cite.clause, say(view.summary, language), basis)


class Evidence(NamedTuple):
    """What a verdict was reached on: every fact, the author's words among them, and the findings with their quotes."""

    facts: Mapping[str, Json]
    findings: Sequence[Finding]


def hit_row(policy: Policy, hit: RuleHit, language: str, evidence: Evidence) -> HitRow:
    """A rule that fired, explained; its page shows the item too, so that the author's words may stand in the trace."""
    ground = policy.grounds.get(hit.ground)
    title, reason, remedy = hit.ground, "", ""
    if ground is not None:
        title, reason, remedy = (say(text, language) for text in (ground.title, ground.reason, ground.remedy))
    cites = () if ground is None else ground.cites
    step = policy.why(hit.pack, hit.rule, evidence.facts, evidence.findings, words=True)
    return HitRow(
        rule=hit.rule,
        pack=hit.pack,
        ground=hit.ground,
        title=title,
        reason=reason,
        remedy=remedy,
        asked=hit.asked,
        given=hit.given,
        mode=hit.mode,
        why=hit.why,
        clauses=tuple(clause_row(policy, cite, language) for cite in cites),
        trace=None if step is None else why_step(step),
    )


def why_step(step: Step) -> WhyStep:
    """A part of a rule's condition, for reading."""
    value = step.error or ("" if step.state == "skipped" or step.withheld else visible(literal(step.value)))
    parts = tuple(why_step(part) for part in step.parts)
    return WhyStep(step.text, step.state, value, tuple(map(visible, step.found[:_MOST_TERMS])), step.turn, parts)


def ground_title(grounds: Mapping[str, Ground], ground: str, language: str) -> str:
    """A ground's title, or its id where it is not known."""
    known = grounds.get(ground)
    return say(known.title, language) if known else ground


def ground_choices(policy: Policy, suggested: Iterable[str], language: str) -> tuple[GroundChoice, ...]:
    """The grounds that a decision may rest on, those that fired first."""
    fired = set(suggested)
    choices = [
        GroundChoice(
            id=ground.id,
            title=say(ground.title, language),
            reason=say(ground.reason, language),
            cites=", ".join(f"{cite.instrument} {cite.clause}" for cite in ground.cites),
            needs_law=ground.needs_law,
            suggested=ground.id in fired,
        )
        for ground in policy.grounds.values()
    ]
    return tuple(sorted(choices, key=lambda choice: not choice.suggested))


# --- accounts ----------------------------------------------------------------------------------------------------


async def account_card(store: Store, account: Account, policy: Policy, language: str) -> AccountCard:
    """An account with how many publications it has of each status."""
    counts = []
    for status in _STATUSES:
        query = Query(kind="publication", account=account.id, status=status)
        if count := await store.count(query, _MOST_OF_A_STATUS):
            counts.append((status, count))
    kind = policy.classes.get(account.account_class)
    return AccountCard(
        id=account.id,
        name=account.display_name or account.id,
        account_class=account.account_class,
        class_title=say(kind.title, language) if kind else account.account_class,
        rights=account.rights,
        agreement=account.agreement,
        status=account.status,
        opened_at=account.opened_at,
        counts=tuple(counts),
    )


async def publication_links(service: Any, query: Query) -> tuple[PublicationLink, ...]:
    """Publications for a list, with the titles of their present content."""
    found = []
    for row in await service.store.page(query):
        state: Publication = kinds.decode(row)
        item = await service.content(state.revision)
        found.append(PublicationLink(state.id, title_of(item), state.status, state.category, state.submitted_at))
    return tuple(found)


# --- the record --------------------------------------------------------------------------------------------------

_PLAIN: Final = (
    "facts",
    "reason",
    "note",
    "changes",
    "law",
    "statement",
    "basis",
    "agreement",
    "display_name",
    "class",
)
_INSTANTS: Final = ("until", "held_until", "schedule_at", "activate_at")
_CODES: Final = ("outcome", "why", "level", "choice", "problems")


def timeline(
    rows: Sequence[EntryRow], names: Mapping[str, str], grounds: Mapping[str, Ground], language: str, covered: int
) -> tuple[TimelineRow, ...]:
    """A dossier's entries for reading, the newest last."""
    return tuple(
        TimelineRow(
            seq=row.seq,
            at=row.at,
            kind=row.kind,
            actor=actor_of(row.actor, names),
            details=_details(row, grounds, language),
            proof=f"/desk/ledger/{row.seq}" if row.seq < covered else "",
        )
        for row in rows
    )


def actor_of(actor: str, names: Mapping[str, str]) -> str:
    """How to call who acted: a name, a label, or a message key."""
    return "actor.system" if actor.startswith("system:") else names.get(actor, actor)


def _details(row: EntryRow, known: Mapping[str, Ground], language: str) -> tuple[tuple[str, str], ...]:
    if row.body is None:
        return (("field.erased", ""),)
    body: dict[str, Json] = msgspec.json.decode(row.body)
    found: list[tuple[str, str]] = []
    found += [(f"field.{name}", str(body[name])) for name in _CODES if body.get(name)]
    grounds = [body["ground"]] if body.get("ground") else body.get("grounds") or []
    found += [("field.ground", ground_title(known, ground, language)) for ground in grounds]
    found += [("field.failed", failed["check"]) for failed in body.get("failed") or []]
    for name in _PLAIN:
        if isinstance(body.get(name), str) and body[name]:
            found.append((f"field.{name}", body[name]))
    for name in ("terms", "restored"):
        if body.get(name):
            found.append((f"field.{name}", _terms(body[name])))
    for name in ("rights", "grants"):
        if body.get(name):
            found.append((f"field.{name}", ", ".join(body[name])))
    found += [(f"field.{name}", rfc3339(body[name])) for name in _INSTANTS if body.get(name)]
    if body.get("revision"):
        found.append(("field.revision", str(body["revision"])[:16]))
    return tuple(found)


def _terms(terms: Sequence[Json]) -> str:
    """The first terms of a list's change, which come by themselves or with what was said of them."""
    shown = ", ".join(each if isinstance(each, str) else each["term"] for each in terms[:_MOST_TERMS])
    return f"{shown} … ({len(terms)})" if len(terms) > _MOST_TERMS else shown

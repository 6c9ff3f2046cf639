"""Facts and findings -> a Verdict, by the rules in force at the act. Pure: the same facts give the same bytes.

- The most restrictive live rule wins; every rule that fired is listed.
- A rule refuses or returns only on a ground that is automatic, and never on a mere guess at what the words are: else it
  holds, and a person decides.
- A rule that fails at run time never disappears: the verdict is at least hold, and the other rules still count.
- A rule in shadow, or outside its canary share, is recorded and has no effect, whether it fires or fails.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Final, Literal, NamedTuple, TypeVar

from msgspec.structs import replace

from placet.errors import SettingsError
from placet.model import (
    RESTRICTIVENESS,
    Citation,
    Finding,
    Ground,
    Item,
    Json,
    Micros,
    Outcome,
    RuleError,
    RuleHit,
    Text,
    Value,
    Verdict,
)
from placet.policy.cel import CelRuntimeError, Program, Step
from placet.policy.compiled import (
    MAX_DOUBT,
    Compiled,
    Found,
    Group,
    Labels,
    compile_pack,
    covers,
    hoist,
    lapses,
    term_lists,
    timelines,
)
from placet.policy.environment import (
    OF_FINDINGS,
    AccountFacts,
    FindingIndex,
    Seen,
    by_table,
    detector_of,
    gather,
    leaves,
    pick,
    window_of,
    with_findings,
)
from placet.policy.trace import why
from placet.policy.values import (
    AccountClass,
    Case,
    CaseExternal,
    Category,
    Clock,
    Evidence,
    InstrumentVersion,
    Pack,
    Right,
    Rule,
)
from placet.screening import Lexicon, ListChange, screen

Action = Literal["publish", "repost"]

SURE: Final = 90
"""A finding below this score was read on a view that guesses at a disguise: it may hold, never refuse or return."""


class ClauseView(Value, frozen=True):
    """A clause as it is shown: its instrument, our own summary, when it was in force, how well its wording is known."""

    cite: Citation
    title: Text
    issuer: Text
    summary: Text
    issued: date | None
    versions: tuple[InstrumentVersion, ...]
    timezone: str
    evidence: Evidence
    since: date | None = None
    until: date | None = None

    def in_force(self, at: Micros) -> bool:
        """Whether the instrument was in force at that instant, with this clause in it."""
        begun = self.since is None or covers(self.since, None, self.timezone, at)
        ended = self.until is not None and covers(self.until, None, self.timezone, at)
        return begun and not ended and any(covers(one.since, one.until, self.timezone, at) for one in self.versions)


class Denial(Value, frozen=True):
    """A right that an account lacks: the ground, and the facts that it rests on."""

    ground: str
    facts: Mapping[str, Json]


class Explanation(Value, frozen=True):
    """A ground in one language: what is restricted, why, what can be done, and the clauses behind it."""

    title: str
    reason: str
    remedy: str
    clauses: tuple[tuple[str, str, str], ...]
    """Instrument title, clause, summary."""


Paused = frozenset[tuple[str, str]]
"""Pack and rule, by their ids, of those that are out of effect."""
PAUSED: Final = "paused"
"""The mode of a hit of a live rule that is out of effect, since it hit far beyond its history."""
_NONE_PAUSED: Final = frozenset[tuple[str, str]]()
_PAST: Final = "account.past."
_NOTHING: Final = FindingIndex(())


class _Evaluation:
    """One evaluation: what is asked about, and what has come of it so far."""

    __slots__ = ("dossier", "errors", "facts", "found", "hits", "index", "labels", "paused", "shadow")

    def __init__(
        self, facts: Mapping[str, Json], index: FindingIndex, labels: Labels, dossier: str, paused: Paused
    ) -> None:
        self.facts = facts
        self.index = index
        self.found: tuple[Found, ...] = (*index.lists, *index.patterns)
        self.labels = labels
        self.dossier = dossier
        self.paused = paused
        self.hits: list[RuleHit] = []
        self.shadow: list[RuleHit] = []
        self.errors: list[RuleError] = []

    def run(self, group: Group) -> None:
        """Run the rules of one pack that what was found calls for, if its scope takes the act in."""
        facts, seen = self.facts, Seen(group.pack, self.index, self.labels)
        if group.scope is not None and not self._takes_in(group.pack, group.scope, seen):
            return
        for run, one in group.called_for(self.found):
            try:
                if run(facts, seen):
                    self._record(group.pack, one, seen)
            except CelRuntimeError as error:
                self._record_error(group.pack, one.rule, str(error))

    def _takes_in(self, pack: str, scope: Program, seen: Seen) -> bool:
        """Whether the pack applies at all; where that cannot be found out, its gates stay shut and the item is held."""
        try:
            return bool(scope(self.facts, seen))
        except CelRuntimeError as error:
            self.errors.append(RuleError(pack, "scope", str(error)))
            return False

    def _record(self, pack: str, one: Compiled, seen: Seen) -> None:
        hit = one.hit or self._hit(pack, one, seen)
        is_live = hit.mode == "live" or _is_live(pack, one.rule, self.dossier)
        if is_live and self.paused and (pack, one.rule.id) in self.paused:
            self.shadow.append(replace(hit, mode=PAUSED))
            return
        (self.hits if is_live else self.shadow).append(hit)

    def _hit(self, pack: str, one: Compiled, seen: Seen) -> RuleHit:
        rule, program, given = one.rule, one.program, one.given
        if RESTRICTIVENESS[given] > MAX_DOUBT and seen.best(program.lists) < SURE:
            given = "hold"
        why = program.explain(self.facts, seen) if program.settled is None else program.settled
        return RuleHit(pack, rule.id, rule.ground, rule.then, given, rule.mode, why)

    def _record_error(self, pack: str, rule: Rule, error: str) -> None:
        is_live = _is_live(pack, rule, self.dossier)
        is_paused = is_live and (pack, rule.id) in self.paused
        if is_live and not is_paused:
            self.errors.append(RuleError(pack, rule.id, error))
        else:
            hit = RuleHit(
                pack, rule.id, rule.ground, rule.then, "hold", PAUSED if is_paused else rule.mode, (f"error: {error}",)
            )
            self.shadow.append(hit)

    def verdict(self, policy: str) -> Verdict:
        """Sum up: the most restrictive live rule wins, and an error means hold."""
        outcome: Outcome = "approve"
        if self.hits:
            self.hits.sort(key=lambda hit: -RESTRICTIVENESS[hit.given])
            outcome = self.hits[0].given
        if self.errors and outcome == "approve":
            outcome = "hold"
        return Verdict(outcome, tuple(self.hits), tuple(self.shadow), tuple(self.errors), policy)


def _is_live(pack: str, rule: Rule, dossier: str) -> bool:
    """Whether the rule counts for this dossier: a canary by the hash of both, never by chance."""
    if rule.mode != "canary":
        return rule.mode == "live"
    digest = hashlib.sha256(f"{pack}/{rule.id}\n{dossier}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 1_000_000 < rule.share_ppm


class Trial(NamedTuple):
    """A golden case that was run, with what it was run on and what came of it."""

    case: Case
    facts: Mapping[str, Json]
    findings: tuple[Finding, ...]
    verdict: Verdict

    @property
    def grounds(self) -> tuple[str, ...]:
        """The grounds of the live rules that fired, in order."""
        return tuple(sorted({hit.ground for hit in self.verdict.hits if hit.given != "approve"}))

    @property
    def shadow(self) -> tuple[str, ...]:
        """The rules that fired without effect, in order."""
        return tuple(sorted(hit.rule for hit in self.verdict.shadow))

    @property
    def failure(self) -> str:
        """What differs from what the case expects; empty when nothing does."""
        if self.verdict.errors:
            return f"the rule {self.verdict.errors[0].rule} failed: {self.verdict.errors[0].error}."
        expected, given = sorted(self.case.grounds), list(self.grounds)
        if (self.verdict.outcome, given) != (self.case.expect, expected):
            return f"expected {self.case.expect} {expected}, came to {self.verdict.outcome} {given}."
        unseen = self.case.shadow is None or sorted(self.case.shadow) == list(self.shadow)
        return "" if unseen else f"expected {sorted(self.case.shadow or ())} in shadow, came to {list(self.shadow)}."


class Policy:
    """The packs in force together, compiled once. Never changes after it is built, so threads may share it.

    The order in which the packs are given makes no difference: they are taken by id. Raises SettingsError for packs
    that cannot be in force together.
    """

    def __init__(self, packs: Sequence[Pack]) -> None:
        if not packs:
            raise SettingsError("No rule pack is in force, so that everything would be approved; name one.")
        self.packs: Final = tuple(sorted(packs, key=lambda pack: pack.id))
        _refuse_repeated("pack", (pack.id for pack in self.packs))
        _refuse_repeated("ground", (ground.id for pack in self.packs for ground in pack.grounds))
        _refuse_repeated("licence kind", (licence.id for pack in self.packs for licence in pack.licences))
        _refuse_repeated("code table", (table.id for pack in self.packs for table in pack.tables))
        self.digest: Final = policy_digest(pack.digest for pack in self.packs)
        self.grounds: Final[Mapping[str, Ground]] = {one.id: one for pack in self.packs for one in pack.grounds}
        self.clocks: Final[Mapping[str, Clock]] = _clocks(self.packs)
        self.classes: Final[Mapping[str, AccountClass]] = _first(one for pack in self.packs for one in pack.classes)
        self.categories: Final[Mapping[str, Category]] = _first(one for pack in self.packs for one in pack.categories)
        self._clauses: Final = _clauses(self.packs)
        compiled = {pack.id: compile_pack(pack) for pack in self.packs}
        self._scopes: Final = {name: pack.scope for name, pack in compiled.items()}
        programs = [program for pack in compiled.values() for _, program in pack.programs()]
        reads = leaves(path for program in programs for path in program.reads)
        self.reads: Final = (reads - OF_FINDINGS) | {"act.at"}
        self._reads_findings: Final = not reads.isdisjoint(OF_FINDINGS)
        self.past: Final = frozenset(path.removeprefix(_PAST) for path in self.reads if path.startswith(_PAST))
        """What the rules read of an account's past: names of fields of AccountPast."""
        self._kept: Final = by_table(self.reads)
        lists = frozenset(name for program in programs for name in program.lists)
        self.detectors: Final = frozenset(map(detector_of, lists)) - {""}
        """The detectors from outside that the rules ask for, by name."""
        self.windows: Final = frozenset(map(window_of, lists)) - {0}
        """The windows within which the rules count near copies, in days."""
        specs, self._labels = hoist(compiled.values())
        self._timelines: Final = timelines(compiled.values(), self._labels)
        self.lexicon: Final = Lexicon.build(term_lists(self.packs), specs)
        """Every term of every list, also those whose time is over: see `struck` and `lexicon_at`."""
        self._lapses: Final = lapses(self.packs)
        self._approved: Final = Verdict("approve", policy=self.digest)

    def struck(self, at: Micros) -> dict[str, frozenset[str]]:
        """The terms that no longer count at that instant, by list."""
        struck: dict[str, set[str]] = {}
        for lapse in self._lapses:
            if lapse.at <= at:
                struck.setdefault(lapse.list, set()).update(lapse.terms)
        return {name: frozenset(terms) for name, terms in struck.items()}

    def next_struck(self, at: Micros) -> Micros | None:
        """The next instant after this one at which `struck` changes; None when it never does."""
        return next((lapse.at for lapse in self._lapses if lapse.at > at), None)

    def lexicon_at(self, at: Micros) -> Lexicon:
        """The lexicon of the terms that count at that instant; it takes milliseconds where some do not."""
        struck = self.struck(at)
        if not struck:
            return self.lexicon
        return self.lexicon.revised({name: ListChange(removed=terms) for name, terms in struck.items()})

    def facts(self, item: Item, account: AccountFacts, at: Micros) -> dict[str, Json]:
        """Every fact that a rule may read, for an act at that instant."""
        return gather(item, account, at)

    def recorded(self, facts: Mapping[str, Json]) -> dict[str, Json]:
        """Keep of the facts what the rules read, for the entry; the author's words stand in the revision."""
        return pick(facts, self._kept)

    def evaluate(
        self,
        facts: Mapping[str, Json],
        findings: Sequence[Finding],
        dossier: str,
        on: str = "publication",
        paused: Paused = _NONE_PAUSED,
    ) -> Verdict:
        """Say what the rules in force at `act.at` make of the facts and findings.

        `paused`: live rules that are out of effect. They are evaluated as if in shadow, and their hits say so.
        """
        index = FindingIndex(findings) if findings else _NOTHING
        evaluation = _Evaluation(self._whole(facts, index), index, self._labels, dossier, paused)
        for group in self._in_force(on, facts["act"]["at"]):
            evaluation.run(group)
        return evaluation.verdict(self.digest)

    def unasked(self, findings: Sequence[Finding], at: Micros, on: str = "publication") -> Verdict | None:
        """Give the verdict where the rules in force at that instant ask for nothing but what was not found.

        It is what `evaluate` gives then, whatever the facts. None where a rule or scope must be asked.
        """
        timeline = self._timelines.get(on)
        if timeline is None:
            return self._approved
        place = bisect_right(timeline.boundaries, at)
        if not timeline.silent[place] or (findings and self._called_for(timeline.groups[place], findings)):
            return None
        return self._approved

    def why(
        self, pack: str, rule: str, facts: Mapping[str, Json], findings: Sequence[Finding], *, words: bool = False
    ) -> Step | None:
        """Say what every part of a rule's condition comes to (trace.py); None for a rule that there is not."""
        rules = (one for each in self.packs if each.id == pack for one in each.rules if one.id == rule)
        found = next(rules, None)
        if found is None:
            return None
        index = FindingIndex(findings)
        return why(found, self._whole(facts, index), Seen(pack, index, self._labels), words=words)

    def _whole(self, facts: Mapping[str, Json], index: FindingIndex) -> Mapping[str, Json]:
        """The facts, with those that are read off the findings if a rule reads one."""
        return with_findings(facts, index) if self._reads_findings else facts

    def _called_for(self, groups: tuple[Group, ...], findings: Sequence[Finding]) -> bool:
        index = FindingIndex(findings)
        found: tuple[Found, ...] = (*index.lists, *index.patterns)
        return not all(group.is_silent(found) for group in groups)

    def _in_force(self, on: str, at: Micros) -> tuple[Group, ...]:
        timeline = self._timelines.get(on)
        return timeline.groups[bisect_right(timeline.boundaries, at)] if timeline else ()

    def clause(self, cite: Citation) -> ClauseView:
        """Give the clause that a ground or clock cites; a KeyError is a programmer's mistake."""
        return self._clauses[cite]

    def clock(self, name: str) -> Clock:
        """Give a time limit by its id: its `span`, and whether it is legal or product policy."""
        return self.clocks[name]

    def may(self, account: AccountFacts, category: str, action: Action, at: Micros) -> Denial | None:
        """Say whether the account may publish or repost in the category at that instant (IM14 art 7(2)).

        None means yes. Asked again at release, since the evidence for a right may have lapsed meanwhile.
        """
        facts = gather(Item(category=category, origin=_ORIGIN[action]), account, at)
        for pack in self.packs:
            for right in pack.rights:
                asked = right.category == category and right.action == action
                in_force = asked and covers(right.since, right.until, pack.head.timezone, at)
                if in_force and _lacks(account, right) and self._applies(pack.id, facts):
                    return _denial(account, right)
        return None

    def _applies(self, pack: str, facts: Mapping[str, Json]) -> bool:
        """Whether the pack's scope takes the act in; a scope that fails does, so that doubt never releases."""
        scope = self._scopes[pack]
        try:
            return scope is None or bool(scope(self._whole(facts, _NOTHING), Seen(pack, _NOTHING, self._labels)))
        except CelRuntimeError:
            return True

    def explain(self, hit: RuleHit, language: str, at: Micros) -> Explanation:
        """Say in one language what a ground means, and on which clauses in force at the act it stands.

        In English where the language is not spoken. A KeyError, for a rule that approves without a ground, is a
        programmer's mistake.
        """
        ground = self.grounds[hit.ground]
        views = [view for cite in ground.cites if (view := self._clauses[cite]).in_force(at)]
        return Explanation(
            title=say(ground.title, language),
            reason=say(ground.reason, language),
            remedy=say(ground.remedy, language),
            clauses=tuple((say(one.title, language), one.cite.clause, say(one.summary, language)) for one in views),
        )

    def run_case(self, case: Case) -> str:
        """Run a golden case; says what differs, or nothing when all is as expected."""
        return self.try_case(case).failure

    def try_case(self, case: Case) -> Trial:
        """Run a golden case and keep all that it came to."""
        who = case.account
        account = AccountFacts("acc_case", who.account_class, who.rights, who.agreement, who.territory, who.past)
        facts = self.facts(case.item, account, case.instant)
        findings = screen(case.item, self.lexicon_at(case.instant)) + [_external(each) for each in case.external]
        return Trial(case, facts, tuple(findings), self.evaluate(facts, findings, "pub_case"))

    def seen(self, pack: str, findings: Sequence[Finding]) -> Seen:
        """Give what the conditions of a pack may ask of findings."""
        return Seen(pack, FindingIndex(findings), self._labels)


def _external(taken: CaseExternal) -> Finding:
    """What a case takes to have been reported by what does not run here, as it would be reported."""
    if taken.list.startswith("near/"):
        return Finding("near", taken.list, taken.label, "body", 0, 0, "squeezed", taken.score)
    return Finding("external", taken.list, taken.label, "body", 0, 0, "model", min(taken.score, SURE - 1))


def say(text: Text, language: str) -> str:
    """Give the text in that language, else in English."""
    return text.get(language) or text["en"]


# --- rights --------------------------------------------------------------------------------------------------------

_ORIGIN: Final[dict[Action, Literal["original", "repost"]]] = {"publish": "original", "repost": "repost"}


def _lacks(account: AccountFacts, right: Right) -> bool:
    bound = not right.classes or account.account_class in right.classes
    return bound and not any(name in account.rights for name in right.any_of)


def _denial(account: AccountFacts, right: Right) -> Denial:
    facts: dict[str, Json] = {
        "category": right.category,
        "action": right.action,
        "class": account.account_class,
        "needs_one_of": list(right.any_of),
        "has": list(account.rights),
    }
    return Denial(right.ground, facts)


# --- building a policy ---------------------------------------------------------------------------------------------


def _refuse_repeated(what: str, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise SettingsError(f"Two packs in force have one {what} {one!r}; leave one of them out.")
        seen.add(one)


def policy_digest(digests: Iterable[str]) -> str:
    """The digest of packs in force together, by those of the packs in whatever order."""
    return f"sha256:{hashlib.sha256(chr(10).join(sorted(digests)).encode()).hexdigest()}"


Named = TypeVar("Named", AccountClass, Category)


def _first(rows: Iterable[Named]) -> dict[str, Named]:
    """Index by id; where packs share an id, the first pack names it."""
    found: dict[str, Named] = {}
    for row in rows:
        found.setdefault(row.id, row)
    return found


def _clocks(packs: Iterable[Pack]) -> dict[str, Clock]:
    """Take a legal clock before product policy; two of one kind must agree."""
    found: dict[str, Clock] = {}
    for clock in (one for pack in packs for one in pack.clocks):
        other = found.get(clock.id)
        if other and other.basis == clock.basis and other.span != clock.span:
            raise SettingsError(f"Two packs in force set the clock {clock.id!r} differently; leave one of them out.")
        if other is None or clock.basis == "legal":
            found[clock.id] = clock
    return found


def _clauses(packs: Iterable[Pack]) -> dict[Citation, ClauseView]:
    found: dict[Citation, ClauseView] = {}
    for view in (view for pack in packs for view in _views(pack)):
        if found.setdefault(view.cite, view) != view:
            name = f"{view.cite.instrument} {view.cite.clause}"
            raise SettingsError(f"Two packs in force describe {name} differently; correct one.")
    return found


def _views(pack: Pack) -> Iterator[ClauseView]:
    for one in pack.instruments:
        for clause in one.clause:
            yield ClauseView(
                cite=Citation(one.id, clause.id),
                title=one.title,
                issuer=one.issuer,
                summary=clause.summary,
                issued=one.issued,
                versions=one.version,
                timezone=pack.head.timezone,
                evidence=clause.evidence or one.evidence,
                since=clause.since,
                until=clause.until,
            )

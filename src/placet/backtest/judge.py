"""A batch of recorded items and a policy -> what the policy says of each. Pure: the same gives the same, anywhere.

Texts are screened again with the policy's own lists, as they were changed on the platform when the text came. Facts are
those of the content and of the account at that moment, and over them those that were recorded. Findings that cannot be
made again are those that were recorded. Each act is judged by the rules in force at its own instant, or all of them by
those in force at one.

Most texts hold nothing that any rule asks for. For those the verdict is known without the facts, which are put together
for the others alone: that is where most of the time of a backtest would go.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa

from placet.audit import lay_over
from placet.backtest.languages import guesses
from placet.lexicons import built
from placet.model import Finding, Item, Json, Medium, Micros, RuleHit, Source, Verdict
from placet.policy import AccountFacts, Pack, Policy, requote
from placet.procedure.word_list import Changes
from placet.screening import Lexicon, screen_batch

RESULTS: Final = pa.schema(
    [
        ("seq", pa.int64()),
        ("publication", pa.string()),
        ("version", pa.int64()),
        ("revision", pa.string()),
        ("language", pa.string()),
        ("account_class", pa.string()),
        ("then", pa.string()),
        ("now", pa.string()),
        ("decision", pa.string()),
        ("rules_then", pa.list_(pa.string())),
        ("rules", pa.list_(pa.string())),
        ("shadow", pa.list_(pa.string())),
        ("errors", pa.list_(pa.string())),
    ]
)
"""Columns of a result, a row for each of the batch, in its order. `rules`, `shadow`: "pack/rule", as the verdict has
them; `errors`: "pack/rule: what failed"."""

_MOST_KEPT: Final = 8
_facts: Final = msgspec.json.Decoder(dict[str, Json])
_findings: Final = msgspec.json.Decoder(list[Finding])
_source: Final = msgspec.json.Decoder(Source)
_media: Final = msgspec.json.Decoder(tuple[Medium, ...])


class _Act(msgspec.Struct, frozen=True):
    at: Micros | None = None


class _Recorded(msgspec.Struct):
    """Of recorded facts, those of the act."""

    act: _Act = _Act()


_recorded: Final = msgspec.json.Decoder(list[_Recorded])


class _Lists(msgspec.Struct):
    at: Micros
    changes: dict[str, Changes]


_lists: Final = msgspec.json.Decoder(_Lists)


class Case(NamedTuple):
    """One item, ready to be judged."""

    publication: str
    facts: Mapping[str, Json]
    findings: Sequence[Finding]


class Judge:
    """A policy, and the lexicons of its lists as they were at one time and another."""

    def __init__(self, packs: Sequence[Pack], at: Micros = 0) -> None:
        """`at` is the instant by whose rules everything is judged; 0 for each act's own."""
        self.policy = Policy(packs)
        self.at = at
        self._plain = (0, 0, self.policy.lexicon)
        """From when up to when this lexicon is that of the packs alone."""
        self._changed: OrderedDict[tuple[str, Micros], Lexicon] = OrderedDict()

    def lexicon(self, at: Micros, lists: str) -> Lexicon:
        """The lexicon for a text of that instant, with `lists` as the item's column has it."""
        if lists:
            return self._with_changes(lists)
        at = self.at or at
        since, until, lexicon = self._plain
        if not since <= at < until:
            lexicon = self.policy.lexicon_at(at)
            self._plain = (at, self.policy.next_struck(at) or 1 << 62, lexicon)
        return lexicon

    def lexicon_of_all(self, ats: Sequence[Micros], lists: Sequence[str]) -> Lexicon | None:
        """The one lexicon for all these texts, as `lexicon` takes them; None where there are several, or no text."""
        if not ats or any(lists):
            return None
        lexicon = self.lexicon(min(ats), "")
        return lexicon if self.at or max(ats) < self._plain[1] else None

    def _with_changes(self, lists: str) -> Lexicon:
        key = (lists, self.at)
        if key not in self._changed:
            told = _lists.decode(lists)
            self._changed[key] = built(self.policy, told.changes, self.at or told.at)[0].lexicon
            if len(self._changed) > _MOST_KEPT:
                self._changed.popitem(last=False)
        return self._changed[key]


class Cases:
    """A batch of items whose texts are screened."""

    def __init__(self, batch: pa.RecordBatch, by: Judge) -> None:
        self._by = by
        columns = _Columns(batch)
        self._columns = columns
        self.items: Sequence[Item] = list(_items(columns))
        self.publications: Sequence[str] = columns["publication"]
        self.findings: list[list[Finding]] = _screened(self.items, columns["at"], columns["lists"], by)
        for place, text in enumerate(columns["findings"]):
            if text:
                others = requote(_findings.decode(text), self.items[place])
                self.findings[place] = [*self.findings[place], *others]

    def __len__(self) -> int:
        return len(self.items)

    def ats(self) -> list[Micros]:
        """The instant of each by whose rules it is judged, which facts() has as act.at."""
        if self._by.at:
            return [self._by.at] * len(self)
        acts = _recorded.decode(f"[{','.join(self._columns['facts'])}]")
        return [
            at if recorded.act.at is None else recorded.act.at
            for recorded, at in zip(acts, self._columns["at"], strict=True)
        ]

    def case(self, place: int) -> Case:
        """One of them, with its facts."""
        return Case(self.publications[place], self.facts(place), self.findings[place])

    def facts(self, place: int) -> dict[str, Json]:
        """The facts of one: those of the content and the account then, and over them what was recorded."""
        account, own_class, rights, agreement, territory, at, recorded = self._known[place]
        holder = AccountFacts(account, own_class or _NOBODY.account_class, tuple(rights), agreement, territory)
        facts = self._by.policy.facts(self.items[place], holder, at)
        lay_over(facts, _facts.decode(recorded))
        if self._by.at:
            facts["act"]["at"] = self._by.at
        return facts

    @cached_property
    def _known(self) -> list[tuple[Any, ...]]:
        """What the columns say of each item besides its content; they are read when the first facts are asked for."""
        names = ("account", "account_class", "rights", "agreement", "territory", "at", "facts")
        return list(zip(*(self._columns[name] for name in names), strict=True))


class _Columns(dict[str, list[Any]]):
    """The columns of a batch as lists, made when they are asked for."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        super().__init__()
        self._batch = batch

    def __missing__(self, name: str) -> list[Any]:
        made: list[Any] = self._batch.column(name).to_pylist()
        self[name] = made
        return made


def judge(batch: pa.RecordBatch, by: Judge) -> pa.RecordBatch:
    """What the policy says of each item: RESULTS."""
    return verdicts(batch, Cases(batch, by), by)


def verdicts(batch: pa.RecordBatch, cases: Cases, by: Judge) -> pa.RecordBatch:
    """Ask the rules about each case of the batch."""
    found = list(_verdicts(cases, by.policy))
    made: dict[str, Any] = {
        "language": guesses([f"{item.title}\n{item.body}" for item in cases.items]),
        "then": batch.column("outcome"),
        "rules_then": batch.column("rules"),
        "now": [verdict.outcome for verdict in found],
        "rules": [_names(verdict.hits) for verdict in found],
        "shadow": [_names(verdict.shadow) for verdict in found],
        "errors": [_errors(verdict) for verdict in found],
    }
    taken = [made.get(name) for name in RESULTS.names]
    arrays = [
        batch.column(field.name) if column is None else _array(column, field.type)
        for field, column in zip(RESULTS, taken, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=RESULTS)


def _verdicts(cases: Cases, policy: Policy) -> Iterator[Verdict]:
    for place, (findings, at) in enumerate(zip(cases.findings, cases.ats(), strict=True)):
        verdict = policy.unasked(findings, at)
        if verdict is None:
            case = cases.case(place)
            verdict = policy.evaluate(case.facts, findings, case.publication)
        yield verdict


def _array(column: Any, kind: pa.DataType) -> pa.Array:
    return column if isinstance(column, pa.Array) else pa.array(column, kind)


def _names(hits: Sequence[RuleHit]) -> Sequence[str]:
    return [f"{hit.pack}/{hit.rule}" for hit in hits] if hits else ()


def _errors(verdict: Verdict) -> Sequence[str]:
    return [f"{each.pack}/{each.rule}: {each.error}" for each in verdict.errors] if verdict.errors else ()


def _screened(items: Sequence[Item], ats: Sequence[Micros], lists: Sequence[str], by: Judge) -> list[list[Finding]]:
    """Screen each text with the lexicon of its instant; those of one lexicon that follow each other in one scan."""
    lexicon = by.lexicon_of_all(ats, lists)
    if lexicon is not None:
        return screen_batch(items, lexicon)
    found: list[list[Finding]] = []
    lexicons = map(by.lexicon, ats, lists)
    for _, group in groupby(zip(lexicons, items, strict=True), key=lambda pair: id(pair[0])):
        pairs = list(group)
        found += screen_batch([item for _, item in pairs], pairs[0][0])
    return found


def _items(columns: Mapping[str, list[Any]]) -> Iterator[Item]:
    names = ("title", "body", "format", "category", "origin", "source", "media")
    for title, body, form, category, origin, source, media in zip(*(columns[name] for name in names), strict=True):
        yield Item(
            title,
            body,
            form,
            category,
            origin,
            _source.decode(source) if source else _NO_SOURCE,
            _media.decode(media) if media else (),
        )


_NO_SOURCE: Final = Source()
_NOBODY: Final = AccountFacts()

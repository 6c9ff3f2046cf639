"""A batch of recorded items and a policy -> what the policy says of each. Pure: the same gives the same, anywhere.

Texts are screened again with the policy's own lists, as they were changed on the platform when the text came. Facts are
those of the content and of the account at that moment, and over them those that were recorded. Findings that cannot be
made again are those that were recorded. Each act is judged by the rules in force at its own instant, or all of them by
those in force at one.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa

from placet.audit import lay_over
from placet.backtest.languages import guess
from placet.lexicons import built
from placet.model import Finding, Item, Json, Medium, Micros, Source, Verdict
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

    def _with_changes(self, lists: str) -> Lexicon:
        key = (lists, self.at)
        if key not in self._changed:
            told = _lists.decode(lists)
            self._changed[key] = built(self.policy, told.changes, self.at or told.at)[0].lexicon
            if len(self._changed) > _MOST_KEPT:
                self._changed.popitem(last=False)
        return self._changed[key]


def judge(batch: pa.RecordBatch, by: Judge) -> pa.RecordBatch:
    """What the policy says of each item: RESULTS."""
    return verdicts(batch, cases(batch, by), by)


def cases(batch: pa.RecordBatch, by: Judge) -> list[Case]:
    """Screen the texts of a batch, and put together what the rules are asked about."""
    columns = batch.to_pydict()
    items = list(_items(columns))
    lexicons = map(by.lexicon, columns["at"], columns["lists"])
    found: list[list[Finding]] = []
    for _, group in groupby(zip(lexicons, items, strict=True), key=lambda pair: id(pair[0])):
        pairs = list(group)  # of one lexicon, one after the other: they are screened in one scan
        found += screen_batch([item for _, item in pairs], pairs[0][0])
    further = zip(items, columns["findings"], strict=True)
    others = [requote(_findings.decode(text), item) if text else [] for item, text in further]
    facts = _facts_of(columns, items, by)
    each = zip(columns["publication"], facts, found, others, strict=True)
    return [Case(publication, known, [*own, *other]) for publication, known, own, other in each]


def verdicts(batch: pa.RecordBatch, given: Sequence[Case], by: Judge) -> pa.RecordBatch:
    """Ask the rules about each case of the batch."""
    evaluate = by.policy.evaluate
    found = [evaluate(case.facts, case.findings, case.publication) for case in given]
    texts = zip(batch.column("title").to_pylist(), batch.column("body").to_pylist(), strict=True)
    made: dict[str, Any] = {
        "language": [guess(f"{title}\n{body}") for title, body in texts],
        "then": batch.column("outcome"),
        "rules_then": batch.column("rules"),
        "now": [verdict.outcome for verdict in found],
        "rules": [[f"{hit.pack}/{hit.rule}" for hit in verdict.hits] for verdict in found],
        "shadow": [[f"{hit.pack}/{hit.rule}" for hit in verdict.shadow] for verdict in found],
        "errors": [_errors(verdict) for verdict in found],
    }
    taken = [made.get(name) for name in RESULTS.names]
    arrays = [
        batch.column(field.name) if column is None else _array(column, field.type)
        for field, column in zip(RESULTS, taken, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=RESULTS)


def _array(column: Any, kind: pa.DataType) -> pa.Array:
    return column if isinstance(column, pa.Array) else pa.array(column, kind)


def _errors(verdict: Verdict) -> list[str]:
    return [f"{each.pack}/{each.rule}: {each.error}" for each in verdict.errors]


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


def _facts_of(columns: Mapping[str, list[Any]], items: Sequence[Item], by: Judge) -> Iterator[dict[str, Json]]:
    """The facts of each item: of the content and the account then, and over them what was recorded."""
    names = ("account", "account_class", "rights", "agreement", "territory", "at", "facts")
    rows = zip(*(columns[name] for name in names), strict=True)
    for item, (account, own_class, rights, agreement, territory, at, recorded) in zip(items, rows, strict=True):
        holder = AccountFacts(account, own_class or AccountFacts().account_class, tuple(rights), agreement, territory)
        facts = by.policy.facts(item, holder, at)
        lay_over(facts, _facts.decode(recorded))
        if by.at:
            facts["act"]["at"] = by.at
        yield facts

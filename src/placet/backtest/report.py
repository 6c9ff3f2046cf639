"""What the results of a backtest come to: a Report (backtest_report.py), counted chunk by chunk.

"Restricted" is every outcome but approve. Two comparisons are kept apart: with what the rules in force said then, which
covers every item, and with what people decided, which covers only what a person looked at. People mostly look at what a
rule has held, so that the recall given here is that among items looked at, never among all.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heappush, heappushpop
from typing import Final, NamedTuple

import pyarrow as pa

from placet.backtest.costs import Costs
from placet.backtest.items import mark
from placet.backtest_report import (
    FORMAT,
    Agreement,
    Group,
    Newly,
    Report,
    RuleLine,
    Sample,
    Share,
    Time,
    Transition,
    Trouble,
)
from placet.events import rfc3339
from placet.model import RESTRICTIVENESS, Micros
from placet.policy import Policy

SAMPLES: Final = 10
"""Most items named for each change of outcome, and for each rule."""
OUTCOMES: Final = tuple(RESTRICTIVENESS)
RESTRICTED: Final = frozenset({"return", "refuse", "take_down"})
"""What people decide when they restrict."""
_NEWLY: Final = {"approve": "approved", "hold": "held", "return": "returned", "refuse": "refused"}


class _Row(NamedTuple):
    """A row of judge.RESULTS, without its first column."""

    publication: str
    version: int
    revision: str
    language: str
    account_class: str
    then: str
    now: str
    decision: str
    rules_then: list[str]
    rules: list[str]
    shadow: list[str]
    errors: list[str]

    def sample(self, fresh: Sequence[str]) -> Sample:
        names = tuple(fresh or self.rules)
        return Sample(self.publication, self.version, self.revision, self.then, self.now, self.decision, names)


class _Few:
    """The few samples with the smallest marks: the same ones in whatever order they come."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, Sample]] = []

    def add(self, row: _Row, fresh: Sequence[str]) -> None:
        # Of a heap, the first is the smallest: with the sign turned, the greatest mark is the first to go.
        key = -mark(row.publication, row.version)
        if len(self._kept) < SAMPLES:
            heappush(self._kept, (key, row.sample(fresh)))
        elif key > self._kept[0][0]:
            heappushpop(self._kept, (key, row.sample(fresh)))

    def samples(self) -> tuple[Sample, ...]:
        return tuple(sample for _, sample in sorted(self._kept, key=lambda pair: -pair[0]))


class Tally:
    """Counts results, chunk by chunk, in any order."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._plain: Counter[tuple[str, str, str, str]] = Counter()
        """(then, now, account class, language)"""
        self._decided: Counter[tuple[bool, bool, bool]] = Counter()
        """Whether then, now and the person restricted."""
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """By rule, what there is to count of it."""
        self._changed: defaultdict[tuple[str, str], _Few] = defaultdict(_Few)
        self._by_rule: defaultdict[str, _Few] = defaultdict(_Few)
        self._errors: defaultdict[str, list[str]] = defaultdict(list)
        self._erased = self._unreadable = 0
        self._costs = Costs()

    def add(self, results: pa.Table, erased: int, unreadable: int, costs: Costs) -> None:
        """Count a chunk: rows of judge.RESULTS, and what stood beside them."""
        self._erased += erased
        self._unreadable += unreadable
        self._costs = self._costs.plus(costs)
        for row in map(_Row, *(results.column(name).to_pylist() for name in _Row._fields)):
            self._plain[row.then, row.now, row.account_class, row.language] += 1
            if row.decision:
                self._decided[row.then != "approve", row.now != "approve", row.decision in RESTRICTED] += 1
            if row.then != row.now or row.rules or row.rules_then or row.shadow or row.errors:
                self._add_rules(row)

    def _add_rules(self, row: _Row) -> None:
        changed = row.then != row.now
        fresh = [rule for rule in row.rules if rule not in row.rules_then]
        if changed:
            self._changed[row.then, row.now].add(row, fresh)
        for rule in row.rules_then:
            self._counts[rule]["fired_then"] += 1
        for rule in row.shadow:
            self._counts[rule]["shadow"] += 1
        for rule in row.rules:
            counts = self._counts[rule]
            counts["fired"] += 1
            counts["alone"] += len(row.rules) == 1 and row.now != "approve" and not row.errors
            if row.decision:
                counts["decided"] += 1
                counts["restricted"] += row.decision in RESTRICTED
        for rule in fresh:
            self._counts[rule]["new"] += 1
            self._by_rule[rule].add(row, fresh)
            if changed:
                self._counts[rule][f"newly {row.now}"] += 1
        for error in row.errors:
            self._counts[error.partition(":")[0]]["errors"] += 1
            self._errors[error].append(row.publication)

    # --- the report ----------------------------------------------------------------------------------------------

    def report(
        self, *, packs: tuple[str, ...], items: str, size: int, since: Micros, until: Micros, at: Micros
    ) -> Report:
        """What has been counted."""
        pairs: Counter[tuple[str, str]] = Counter()
        for (then, now, _, _), count in self._plain.items():
            pairs[then, now] += count
        total, costs = sum(pairs.values()), self._costs
        return Report(
            format=FORMAT,
            policy=self._policy.digest,
            packs=packs,
            items_of=items,
            size=size,
            since=rfc3339(since) if since else "",
            until=rfc3339(until) if until < 1 << 62 else "",
            judged_at=rfc3339(at) if at else "",
            items=total,
            erased=self._erased,
            unreadable=self._unreadable,
            unchanged=sum(count for (then, now), count in pairs.items() if then == now),
            newly=_newly({pair: count for pair, count in pairs.items() if pair[0] != pair[1]}),
            transitions=tuple(
                Transition(then, now, pairs[then, now], self._few(then, now))
                for then in OUTCOMES
                for now in OUTCOMES
                if pairs[then, now]
            ),
            rules=tuple(self._rules()),
            account_classes=tuple(_groups((row[2], row, count) for row, count in self._plain.items())),
            languages=tuple(_groups((row[3], row, count) for row, count in self._plain.items())),
            agreement_then=_agreement((row[0], row[2], count) for row, count in self._decided.items()),
            agreement_now=_agreement((row[1], row[2], count) for row, count in self._decided.items()),
            troubles=tuple(
                Trouble(error, len(where), tuple(sorted(set(where))[:SAMPLES]))
                for error, where in sorted(self._errors.items())
            ),
            time=Time(_micros(costs.screening, costs.items), _micros(costs.rules, costs.items), costs.timed),
        )

    def _few(self, then: str, now: str) -> tuple[Sample, ...]:
        return self._changed[then, now].samples() if (then, now) in self._changed else ()

    def _rules(self) -> Iterator[RuleLine]:
        """Every rule of the packs about publications, also those that never fired."""
        timed = sum(self._costs.each.values())
        for pack in self._policy.packs:
            for rule in pack.rules:
                if "publication" not in rule.on:
                    continue
                name = f"{pack.id}/{rule.id}"
                counts, took = self._counts[name], self._costs.each.get(name)
                yield RuleLine(
                    rule=name,
                    ground=rule.ground,
                    then=rule.then,
                    mode=rule.mode,
                    since=rule.since.isoformat(),
                    until=rule.until.isoformat() if rule.until else "",
                    fired=counts["fired"],
                    fired_then=counts["fired_then"],
                    new=counts["new"],
                    alone=counts["alone"],
                    newly=Newly(**{word: counts[f"newly {outcome}"] for outcome, word in _NEWLY.items()}),
                    restricted_by_people=Share.make(counts["restricted"], counts["decided"]),
                    shadow=counts["shadow"],
                    errors=counts["errors"],
                    micros=None if took is None else _micros(took, self._costs.timed),
                    share=None if took is None else round(took / max(timed, 1), 4),
                    samples=self._by_rule[name].samples() if name in self._by_rule else (),
                )


def _micros(nanos: int, items: int) -> float | None:
    return round(nanos / items / 1_000, 3) if items else None


def _newly(pairs: Mapping[tuple[str, str], int]) -> Newly:
    found: Counter[str] = Counter()
    for (_, now), count in pairs.items():
        found[_NEWLY[now]] += count
    return Newly(**found)


def _groups(rows: Iterable[tuple[str, tuple[str, str, str, str], int]]) -> Iterator[Group]:
    """By name, largest first."""
    pairs: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for name, (then, now, _, _), count in rows:
        pairs[name][then, now] += count
    for name, own in sorted(pairs.items(), key=lambda each: (-sum(each[1].values()), each[0])):
        changed = {pair: count for pair, count in own.items() if pair[0] != pair[1]}
        yield Group(name, sum(own.values()), _outcomes(own, 0), _outcomes(own, 1), _newly(changed))


def _outcomes(pairs: Mapping[tuple[str, str], int], place: int) -> dict[str, int]:
    return {name: sum(n for pair, n in pairs.items() if pair[place] == name) for name in OUTCOMES}


def _agreement(rows: Iterable[tuple[bool, bool, int]]) -> Agreement:
    counts: Counter[tuple[bool, bool]] = Counter()
    for rules, people, count in rows:
        counts[rules, people] += count
    both, rules_only, people_only = counts[True, True], counts[True, False], counts[False, True]
    return Agreement(
        decided=sum(counts.values()),
        both=both,
        rules_only=rules_only,
        people_only=people_only,
        neither=counts[False, False],
        precision=Share.make(both, both + rules_only),
        recall=Share.make(both, both + people_only),
    )

"""What rules cost: the time of a batch as a whole, and that of each rule alone on a few of its items.

Screening looks for the terms and patterns of all rules in one pass, so that no single rule has a share of it to show.
What remains of a rule is its condition: it is run by itself on one item in SAMPLED, also where another rule has already
settled the outcome, as it is when a text is submitted.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import perf_counter_ns
from typing import Final

import pyarrow as pa

from placet.backtest.judge import Case, Cases, Judge, verdicts
from placet.model import Micros, Value
from placet.policy import Policy
from placet.policy.cel import CelRuntimeError
from placet.policy.compiled import Compiled, PackRules, compile_pack, hoist
from placet.policy.environment import FindingIndex, Seen

SAMPLED: Final = 1_024
"""Of so many items of a batch, the rules are timed on one: on more, it would take longer than the rules do."""


class Costs(Value, frozen=True):
    """Nanoseconds that a batch took; of each rule ("pack/rule"), on the items on which it was timed."""

    items: int = 0
    screening: int = 0
    rules: int = 0
    timed: int = 0
    each: Mapping[str, int] = {}

    def plus(self, other: "Costs") -> "Costs":
        """Both together."""
        names = dict.fromkeys([*self.each, *other.each])
        return Costs(
            self.items + other.items,
            self.screening + other.screening,
            self.rules + other.rules,
            self.timed + other.timed,
            {name: self.each.get(name, 0) + other.each.get(name, 0) for name in names},
        )


class Stopwatch:
    """Times the rules of one policy, each by itself."""

    def __init__(self, policy: Policy) -> None:
        self._packs: Sequence[PackRules] = [compile_pack(pack) for pack in policy.packs]
        _, self._labels = hoist(self._packs)

    def add(self, case: Case, each: dict[str, int]) -> None:
        """Run every rule in force on the case, and add what it took."""
        index, at = FindingIndex(case.findings), case.facts["act"]["at"]
        for pack in self._packs:
            seen = Seen(pack.pack, index, self._labels)
            for one in pack.rules:
                if _in_force(one, at):
                    name = f"{pack.pack}/{one.rule.id}"
                    each[name] = each.get(name, 0) + _timed(one, case, seen)


def _in_force(one: Compiled, at: Micros) -> bool:
    return "publication" in one.rule.on and one.starts <= at and (one.ends is None or at < one.ends)


def _timed(one: Compiled, case: Case, seen: Seen) -> int:
    started = perf_counter_ns()
    with suppress(CelRuntimeError):  # it takes its time all the same; the verdict tells of it
        one.program.run(case.facts, seen)
    return perf_counter_ns() - started


def judge_timed(batch: pa.RecordBatch, by: Judge, watch: Stopwatch) -> tuple[pa.RecordBatch, Costs]:
    """`judge(batch, by)`, and what it took."""
    started = perf_counter_ns()
    cases = Cases(batch, by)
    screened = perf_counter_ns()
    results = verdicts(batch, cases, by)
    ended = perf_counter_ns()
    each: dict[str, int] = {}
    timed = range(0, len(cases), SAMPLED)
    for place in timed:
        watch.add(cases.case(place), each)
    return results, Costs(len(cases), screened - started, ended - screened, len(timed), each)

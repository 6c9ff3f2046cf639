"""The report of a backtest: one frozen value of a stable shape, which encodes as JSON.

`placet backtest` writes it (backtest/report.py says how it is counted), and a version of a pack is proposed with it.

Shares come with 95 % score intervals (E. B. Wilson, "Probable inference, the law of succession, and statistical
inference", Journal of the American Statistical Association 22 (1927) 209-212), which are sound for small numbers too.
"""

from collections.abc import Mapping
from math import sqrt
from typing import Final

import msgspec

from placet.model import Value

FORMAT: Final = "placet-backtest-report/1"
MOST_BYTES: Final = 2_000_000
"""Of a report that a version is proposed with."""
Z: Final = 1.959964
"""The normal deviate of a two-sided interval of 95 %."""


class Share(Value, frozen=True):
    """So many of so many, as a share with its interval; None where there are none to be counted."""

    count: int
    of: int
    share: float | None
    low: float | None
    high: float | None

    @classmethod
    def make(cls, count: int, of: int) -> "Share":
        """Count and interval (Wilson 1927)."""
        if not of:
            return cls(count, of, None, None, None)
        share, square = count / of, Z * Z
        middle = (share + square / (2 * of)) / (1 + square / of)
        half = Z / (1 + square / of) * sqrt(share * (1 - share) / of + square / (4 * of * of))
        # At both ends the formula comes to 0 and 1, but for rounding.
        low, high = (0.0 if count == 0 else middle - half), (1.0 if count == of else middle + half)
        return cls(count, of, round(share, 4), round(low, 4), round(high, 4))


class Sample(Value, frozen=True):
    """An item to read. Its words are not in the report: they stand in the record, under its id."""

    publication: str
    version: int
    revision: str
    then: str
    now: str
    decision: str
    rules: tuple[str, ...]
    """The rules that fired and have not fired then, or all where there are none."""


class Transition(Value, frozen=True):
    """An outcome then, an outcome now: how many items, and some of them."""

    then: str
    now: str
    items: int
    samples: tuple[Sample, ...]


class Newly(Value, frozen=True):
    """Items whose outcome is another than then, by what it is now."""

    approved: int = 0
    held: int = 0
    returned: int = 0
    refused: int = 0


class Group(Value, frozen=True):
    """The items of one account class or language."""

    name: str
    items: int
    then: Mapping[str, int]
    now: Mapping[str, int]
    newly: Newly


class RuleLine(Value, frozen=True):
    """What one rule has done."""

    rule: str
    """"pack/rule"."""
    ground: str
    then: str
    """What the rule asks for."""
    mode: str
    since: str
    until: str
    fired: int
    fired_then: int
    """How often a rule of that name fired when the items were submitted."""
    new: int
    """Items on which it fires and did not then."""
    alone: int
    """Items that are restricted, and on which no other rule fired: without it they would be approved."""
    newly: Newly
    """Of the new ones, those whose outcome is another than then."""
    restricted_by_people: Share
    """Of the items on which it fired and a person decided, those that the person restricted: its precision."""
    shadow: int
    """How often it fired without effect."""
    errors: int
    micros: float | None
    """What its condition takes, on average, in microseconds an item; None where it was never timed."""
    share: float | None
    """Of the time that the conditions of all rules take together."""
    samples: tuple[Sample, ...]


class Agreement(Value, frozen=True):
    """How far outcomes agree with what people decided on the same revision."""

    decided: int
    """Items on which a person decided."""
    both: int
    """Restricted by the rules and by the person."""
    rules_only: int
    people_only: int
    neither: int
    precision: Share
    """Of what the rules restrict, what people restricted."""
    recall: Share
    """Of what people restricted, what the rules restrict; among items that people looked at."""


class Trouble(Value, frozen=True):
    """A rule that failed, how often, and some of the items."""

    error: str
    items: int
    publications: tuple[str, ...]


class Time(Value, frozen=True):
    """What it took, in microseconds an item; None where there were no items."""

    screening: float | None
    rules: float | None
    timed: int
    """Items on which each rule was timed by itself."""


class Report(Value, frozen=True):
    """The whole result of a backtest."""

    format: str
    policy: str
    packs: tuple[str, ...]
    items_of: str
    """The record's verifier key, or the digest of the file."""
    size: int
    """Entries of the record, or items of the file, at the start."""
    since: str
    until: str
    """Bounds of the instants of submission, RFC 3339, empty for none."""
    judged_at: str
    """The instant by whose rules everything was judged; empty where each act was by its own."""
    items: int
    erased: int
    unreadable: int
    unchanged: int
    """Items whose outcome is that of then."""
    newly: Newly
    transitions: tuple[Transition, ...]
    rules: tuple[RuleLine, ...]
    account_classes: tuple[Group, ...]
    languages: tuple[Group, ...]
    agreement_then: Agreement
    agreement_now: Agreement
    troubles: tuple[Trouble, ...]
    time: Time

    @property
    def troubled(self) -> bool:
        """Whether a rule failed, or the record could not be read."""
        return bool(self.troubles or self.unreadable)


_decoder: Final = msgspec.json.Decoder(Report)


def read_report(content: bytes) -> Report | None:
    """A report as `placet backtest --out` wrote it; None for anything else, however near it comes."""
    if len(content) > MOST_BYTES:
        return None
    try:
        report = _decoder.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return None
    return report if report.format == FORMAT else None


def judged_with(report: Report, pack: str, digest: str) -> bool:
    """Whether the report is about packs of which this is one, exactly as it is."""
    named = (each.split(" ") for each in report.packs)
    return any(words[0] == pack and words[-1] == digest for words in named)

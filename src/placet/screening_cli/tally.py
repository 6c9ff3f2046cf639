"""What is counted while screening, and how it is shown at the end."""

from collections import Counter
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from placet.model import RESTRICTIVENESS

_GAP: Final = "  "


class Seen(Protocol):
    """What a finding is counted by."""

    @property
    def list(self) -> str:
        """The list that asked."""

    @property
    def view(self) -> str:
        """The reading on which it was found."""


class Tally:
    """Counts over the answers to some lines."""

    def __init__(self) -> None:
        self.lines = 0
        self.outcomes: Counter[str] = Counter()
        self.mistakes: Counter[str] = Counter()
        """Lines that could not be read, by the code of their mistake."""
        self.items: Counter[tuple[str, str]] = Counter()
        """Items in which something of this list was found on this view."""
        self.findings: Counter[tuple[str, str]] = Counter()

    def count(self, outcome: str, findings: Sequence[Seen]) -> None:
        """Count a line that was screened."""
        self.lines += 1
        self.outcomes[outcome] += 1
        if findings:
            seen = Counter((finding.list, finding.view) for finding in findings)
            self.findings.update(seen)
            self.items.update(seen.keys())

    def count_mistake(self, code: str) -> None:
        """Count a line that could not be read."""
        self.lines += 1
        self.mistakes[code] += 1

    def add(self, other: "Tally") -> None:
        """Count what the other has counted."""
        self.lines += other.lines
        self.outcomes.update(other.outcomes)
        self.mistakes.update(other.mistakes)
        self.items.update(other.items)
        self.findings.update(other.findings)


class Found(msgspec.Struct, frozen=True):
    """How much of one list was found on one view."""

    list: str
    view: str
    items: int
    findings: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run. Counts are over the whole input, also where an earlier run had answered a part of it."""

    lines: int
    unreadable: int
    mistakes: dict[str, int]
    """Unreadable lines by the code of their mistake."""
    outcomes: dict[str, int]
    found: tuple[Found, ...]
    policy: str
    """Digest of the rule packs in force."""
    instant: str
    """The instant whose rules were applied, RFC 3339."""
    resumed_after: int
    """The last line that an earlier run had answered; 0 where there was none."""
    workers: int
    seconds: float
    """How long this run took, without the loading of the packs."""
    lines_per_second: float
    """Of this run."""

    @classmethod
    def of(
        cls, tally: Tally, *, policy: str, instant: str, resumed_after: int, workers: int, seconds: float
    ) -> "Summary":
        """Sum up, lists and views in the order of their names."""
        found = [Found(*key, tally.items[key], count) for key, count in sorted(tally.findings.items())]
        return cls(
            lines=tally.lines,
            unreadable=tally.mistakes.total(),
            mistakes=dict(sorted(tally.mistakes.items())),
            outcomes={outcome: tally.outcomes[outcome] for outcome in RESTRICTIVENESS},
            found=tuple(found),
            policy=policy,
            instant=instant,
            resumed_after=resumed_after,
            workers=workers,
            seconds=round(seconds, 3),
            lines_per_second=round((tally.lines - resumed_after) / max(seconds, 1e-6), 1),
        )

    def text(self) -> str:
        """The summary as it is printed: one line, then a table of outcomes and mistakes, and one of what was found."""
        resumed = f", {self.resumed_after:,} of them before" if self.resumed_after else ""
        workers = f"{self.workers} worker{'s' if self.workers > 1 else ''}"
        head = (
            f"{self.lines:,} line{'s' if self.lines != 1 else ''}{resumed}, {self.unreadable:,} unreadable; "
            f"{self.seconds:,.1f} s, {self.lines_per_second:,.0f} lines/s with {workers}"
        )
        outcomes = [("outcome", "lines"), *((name, f"{count:,}") for name, count in self.outcomes.items())]
        outcomes += [(f"unreadable: {code}", f"{count:,}") for code, count in self.mistakes.items()]
        found = [("list", "view", "items", "findings")]
        found += [(each.list, each.view, f"{each.items:,}", f"{each.findings:,}") for each in self.found]
        tables = [_table(outcomes, names=1), *([_table(found, names=2)] if self.found else [])]
        return "\n\n".join([head, *tables]) + "\n"


def _table(rows: Sequence[tuple[str, ...]], names: int) -> str:
    """Rows in columns: so many names to the left, then numbers to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    shown = []
    for row in rows:
        cells = zip(row, widths, strict=True)
        aligned = [
            f"{cell:<{width}}" if place < names else f"{cell:>{width}}" for place, (cell, width) in enumerate(cells)
        ]
        shown.append(_GAP.join(aligned).rstrip())
    return "\n".join(shown)

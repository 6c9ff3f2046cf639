"""What a benchmark says: lines of one question each, with floor, budget and whether it is met."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

Size = Literal["full", "quick", "tiny"]
"""How much is done: the budgets' own sizes, a tenth or so of them, or just enough to check the answers."""


class Wrong(Exception):
    """Something that was timed did not do its work: its time says nothing."""


class Line(msgspec.Struct, frozen=True):
    """The answer to one question."""

    question: str
    measured: str
    floor: str = ""
    ratio: float | None = None
    budget: str = ""
    met: bool | None = None
    """None where there is no budget, or the size is not the budget's."""
    note: str = ""


class Benchmark(NamedTuple):
    """One module's benchmark. `measure` yields a line as soon as it has one."""

    title: str
    measure: Callable[[Size], Iterator[Line]]


HEADINGS: Final = ("question", "floor", "measured", "ratio", "budget", "")


def cells(line: Line) -> tuple[str, ...]:
    """A line as it is printed."""
    ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
    met = "" if line.met is None else "met" if line.met else "MISSED"
    return (line.question, line.floor, line.measured, ratio, line.budget, met)


def table(lines: Sequence[Line]) -> str:
    """Lines under headings, in columns; notes stand below the line that they belong to."""
    rows = [HEADINGS, *(cells(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    shown = [_row(HEADINGS, widths), "  ".join("-" * width for width in widths).rstrip()]
    for line in lines:
        shown.append(_row(cells(line), widths))
        if line.note:
            shown.append(f"    {line.note}")
    return "\n".join(shown)


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(row, widths, strict=True)
    aligned = [f"{first[0]:<{first[1]}}", *(f"{text:>{width}}" for text, width in others)]
    return "  ".join(aligned).rstrip()


def check(right: bool, what: str) -> None:
    """Raise Wrong unless it is right."""
    if not right:
        raise Wrong(what)


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that the share of all values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def per_second(value: float, of: str = "") -> str:
    """A rate."""
    return f"{value:,.0f} {of}/s".replace(" /", "/")


def ms(seconds: float) -> str:
    """A time in milliseconds."""
    return f"{seconds * 1_000:.2f} ms"

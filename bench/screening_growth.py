"""How do build, load, memory and scanning grow with the number of terms and the length of texts?

1,000 to 1,000,000 terms, each time in a process of its own: built, built and kept, and loaded from what was kept;
then texts of 200 characters are screened. And with 100,000 terms, texts of 1,000 to 1,000,000 characters, one at a
time. Every text must hold the terms that were planted in it, and no longer text may cost much more a character.

`python -m bench.screening_growth` measures at full size and draws docs/screening-growth.svg from it.
"""

import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from bench.report import Benchmark, Line, Size, check, median, table
from bench.screening import filler, some_terms, vocabulary
from placet.automata import FolderKeep
from placet.model import Item
from placet.screening import Lexicon, Limits, ListChange, TermList, screen, screen_batch
from placet.screening.kept import keep_in

TERMS: Final[dict[Size, tuple[int, ...]]] = {
    "full": (1_000, 10_000, 100_000, 1_000_000),
    "quick": (1_000, 10_000, 100_000),
    "tiny": (100, 3_000),
}
CHARS: Final[dict[Size, tuple[int, ...]]] = {
    "full": (1_000, 10_000, 100_000, 1_000_000),
    "quick": (1_000, 10_000, 100_000),
    "tiny": (1_000, 5_000),
}
TERMS_FOR_TEXTS: Final[dict[Size, int]] = {"full": 100_000, "quick": 10_000, "tiny": 1_000}
TEXTS: Final = 400
LENGTH: Final = 200
CHANGED: Final = 100
ROUNDS: Final = 5
LINEAR: Final = 3.0
"""A character of a text a hundred times as long may cost so many times as much, and no more."""
MB: Final = 1_000_000
FIGURE: Final = Path(__file__).parent.parent / "docs" / "screening-growth.svg"


class TermPoint(msgspec.Struct, frozen=True):
    """What so many terms cost. Seconds of processor time, bytes, and seconds a text."""

    terms: int
    build_s: float
    load_s: float
    revise_s: float
    memory: int
    text_s: float


class TextPoint(msgspec.Struct, frozen=True):
    """What a text of so many characters costs."""

    chars: int
    text_s: float


# --- measuring ---------------------------------------------------------------------------------------------------


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4_096


def seconds(since: float) -> float:
    return time.process_time() - since


def made_terms(count: int) -> tuple[random.Random, list[str], list[str], tuple[str, ...]]:
    rng = random.Random(count)
    han, words = vocabulary(rng)
    return rng, han, words, tuple(some_terms(rng, han, words, count))


def of_terms(count: int, folder: str) -> TermPoint:
    """Build, or load what was kept in the folder, and screen. To be run in a process of its own."""
    rng, han, words, terms = made_terms(count)
    Lexicon.build([TermList("bench/first", ("one",))])  # tables that do not grow
    if folder:
        keep_in(FolderKeep(Path(folder)))
    before, start = resident(), time.process_time()
    lexicon = Lexicon.build([TermList("bench/terms", terms)])
    built = seconds(start)
    memory = resident() - before
    fresh = tuple(f"{term}之" for term in rng.sample(terms, min(CHANGED, count)))
    start = time.process_time()
    revised = lexicon.revised({"bench/terms": ListChange(fresh, frozenset(terms[:CHANGED]))})
    revise = seconds(start)
    items = [Item(body=f"{filler(rng, han, words, LENGTH)} {rng.choice(fresh)}") for _ in range(TEXTS)]
    check(all(screen_batch(items, revised)), "A term that was added is not found.")
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        screen_batch(items, lexicon)
        times.append(seconds(start) / TEXTS)
    return TermPoint(count, built, built, revise, memory, median(times))


def of_texts(count: int, lengths: tuple[int, ...]) -> list[TextPoint]:
    """Screen ever longer texts, each with a term at its end."""
    rng, han, words, terms = made_terms(count)
    lexicon = Lexicon.build([TermList("bench/terms", terms)], limits=Limits(max_chars=max(lengths)))
    points = []
    for length in lengths:
        term = rng.choice(terms)
        item = Item(body=filler(rng, han, words, length - len(term) - 1) + " " + term)
        check(any(f.end == length for f in screen(item, lexicon)[-3:]), f"{term!r} is not found at the end.")
        times = []
        for _ in range(ROUNDS):
            start = time.process_time()
            screen(item, lexicon)
            times.append(seconds(start))
        points.append(TextPoint(length, median(times)))
    return points


def apart(work: str, *arguments: object) -> object:
    """Run one of the functions above in a new process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(globals()[work], *arguments).result()


def points(size: Size) -> tuple[list[TermPoint], list[TextPoint]]:
    """Everything that is measured."""
    by_terms = []
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as folder:
        for count in TERMS[size]:
            built, _, loaded = (apart("of_terms", count, where) for where in ("", folder, folder))
            assert isinstance(built, TermPoint)
            assert isinstance(loaded, TermPoint)
            by_terms.append(msgspec.structs.replace(built, load_s=loaded.build_s, memory=loaded.memory))
    by_chars = apart("of_texts", TERMS_FOR_TEXTS[size], CHARS[size])
    assert isinstance(by_chars, list)
    return by_terms, by_chars


# --- showing -----------------------------------------------------------------------------------------------------


def measure(size: Size) -> Iterator[Line]:
    yield from lines(*points(size), judged=size == "full")


def lines(by_terms: list[TermPoint], by_chars: list[TextPoint], *, judged: bool) -> Iterator[Line]:
    for point in by_terms:
        yield Line(
            f"{point.terms:,} terms",
            f"{point.text_s * 1e6:.1f} us/text",
            note=f"built in {point.build_s:.2f} s, loaded in {point.load_s:.2f} s, {CHANGED} changed in "
            f"{point.revise_s * 1e3:.0f} ms, {point.memory / MB:.0f} MB; texts of {LENGTH} characters in batch",
        )
    for text in by_chars:
        yield Line(f"a text of {text.chars:,} characters", f"{text.text_s * 1e3:.2f} ms")
    for short, long in pairwise(by_chars):
        growth = (long.text_s / long.chars) / (short.text_s / short.chars)
        yield Line(
            f"cost of a character, {short.chars:,} to {long.chars:,}",
            f"{growth:.2f} times",
            budget=f"<= {LINEAR:.0f} times" if judged else "",
            met=growth <= LINEAR if judged else None,
        )


def draw(by_terms: list[TermPoint], by_chars: list[TextPoint], to: Path) -> None:
    """The figure of the documentation; equal numbers give equal bytes."""
    import matplotlib as mpl  # noqa: PLC0415 - for the figure alone

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "placet", "svg.fonttype": "none", "font.family": "sans-serif"})
    from matplotlib import pyplot as plt  # noqa: PLC0415 - the same

    terms = [point.terms for point in by_terms]
    curves = (
        ("build and load (s)", [("built", [p.build_s for p in by_terms]), ("loaded", [p.load_s for p in by_terms])]),
        ("memory (MB)", [("of the lexicon", [p.memory / MB for p in by_terms])]),
        (f"a text of {LENGTH} characters (µs)", [("in batch", [p.text_s * 1e6 for p in by_terms])]),
    )
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.2), layout="constrained")
    for axis, (title, series) in zip(axes, curves, strict=False):
        for label, values in series:
            axis.plot(terms, values, marker="o", label=label)
        axis.set(xscale="log", yscale="log", xlabel="terms", title=title)
        axis.legend()
    axes[3].plot([p.chars for p in by_chars], [p.text_s * 1e3 for p in by_chars], marker="o")
    axes[3].set(xscale="log", yscale="log", xlabel="characters", title="one text, 100,000 terms (ms)")
    axes[2].set(yscale="linear", ylim=(0, None))
    for axis in axes:
        axis.minorticks_off()
        axis.grid(visible=True, alpha=0.3)
    figure.savefig(to, format="svg", metadata={"Date": None})


BENCHMARK: Final = Benchmark("growth with terms and with the length of texts", measure)

if __name__ == "__main__":
    measured = points("full")
    print(table(list(lines(*measured, judged=True))))
    draw(*measured, FIGURE)
    sys.exit(0)

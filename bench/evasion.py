"""How many disguises are seen through, and how often is a harmless text taken for one?

Measured on data that is not ours to ship: a folder named by the environment variable PLACET_EVASION_DATA with
`perturbed.jsonl` (class, terms, original, text) and `innocent.jsonl` (text), such as the CNTP part of ToxiBenchCN. The
list holds every term of two characters or more, all views on. A disguised row counts as found when a finding names one
of its own terms; a harmless row counts against us when any view but exact and folded reports a term that stands there
in no folded form. Without the folder, nothing is measured, and that is said.
"""

import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench.report import Benchmark, Line, Size, check, per_second
from placet.model import Finding, Item
from placet.screening import Lexicon, TermList, screen_batch
from placet.screening.fold import fold
from placet.screening.lists import VIEWS

FOLDER: Final = "PLACET_EVASION_DATA"
FALSE_HITS: Final = 0.02
WANTED: Final = {
    "traditional": 0.99,
    "pinyin-full": 0.97,
    "split": 0.92,
    "visual": 0.90,
    "homophone": 0.90,
    "shuffle": 0.90,
    "pinyin-initials": 0.75,
    "emoji": 0.60,
}
MEAN: Final = 0.86
ROWS: Final[dict[Size, int]] = {"full": 1 << 30, "quick": 3_000, "tiny": 300}

Row = dict[str, Any]


def measure(size: Size) -> Iterator[Line]:
    """Recall by class, false hits by view, texts a second."""
    folder = os.environ.get(FOLDER)
    if not folder:
        yield Line("disguises seen through", "not measured", note=f"set {FOLDER} to a folder with the data")
        return
    disguised, harmless = rows(Path(folder) / "perturbed.jsonl"), rows(Path(folder) / "innocent.jsonl")
    terms = sorted({term for row in disguised for term in row["terms"] if len(term) > 1})
    disguised = disguised[:: max(1, len(disguised) // ROWS[size])]
    lexicon = Lexicon.build([TermList("bench/terms", tuple(terms), views=tuple(VIEWS))])
    found, rate = timed([row["text"] for row in disguised], lexicon)
    yield from recalls(disguised, found, size)
    yield false_hits(harmless, timed([row["text"] for row in harmless], lexicon)[0])
    yield Line("disguised texts, every view on, in batch", per_second(rate), note=f"{len(terms):,} terms")


def rows(path: Path) -> list[Row]:
    """The rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def timed(texts: Sequence[str], lexicon: Lexicon) -> tuple[list[list[Finding]], float]:
    """The findings of each text, and texts a second."""
    items = [Item(body=text) for text in texts]
    screen_batch(items[:200], lexicon)
    started = time.perf_counter()
    found = screen_batch(items, lexicon)
    return found, len(items) / (time.perf_counter() - started)


def recalls(disguised: Sequence[Row], found: Sequence[Sequence[Finding]], size: Size) -> Iterator[Line]:
    """The share of each class that is found, and their mean."""
    hit: Counter[str] = Counter()
    unfindable: Counter[str] = Counter()
    of_class: dict[str, int] = defaultdict(int)
    for row, findings in zip(disguised, found, strict=True):
        own = {fold(term) for term in row["terms"] if len(term) > 1}
        of_class[row["class"]] += 1
        unfindable[row["class"]] += not own
        hit[row["class"]] += not own.isdisjoint(fold(finding.label) for finding in findings)
        for finding in findings:
            check(finding.quote == row["text"][finding.start : finding.end], f"the span of {finding}")
    shares = {name: hit[name] / of_class[name] for name in of_class}
    for name, share in shares.items():
        wanted = WANTED.get(name)
        budget = "" if wanted is None else f">= {wanted:.0%}"
        met = None if wanted is None or size != "full" else share >= wanted
        best = 1 - unfindable[name] / of_class[name]
        note = f"{best:.1%} is the most: the other rows have no term of two characters" if best < (wanted or 0) else ""
        yield Line(f"seen through: {name}", f"{share:.1%}", budget=budget, met=met, note=note)
    mean = sum(shares.values()) / len(shares)
    yield Line("seen through: mean of the classes", f"{mean:.1%}", budget=f">= {MEAN:.0%}", met=mean >= MEAN)


def false_hits(harmless: Sequence[Row], found: Sequence[Sequence[Finding]]) -> Line:
    """The share of harmless rows with a false hit, and the views that erred."""
    views: Counter[str] = Counter()
    wrong = 0
    for row, findings in zip(harmless, found, strict=True):
        folded = fold(row["text"])
        guessed = {f.view for f in findings if f.view not in ("exact", "folded") and fold(f.label) not in folded}
        wrong += bool(guessed)
        views.update(guessed)
    share = wrong / len(harmless)
    by_view = ", ".join(f"{view} {count}" for view, count in views.most_common())
    budget = f"<= {FALSE_HITS:.0%}"
    return Line(
        "false hits on harmless rows", f"{share:.2%} ({wrong})", budget=budget, met=share <= FALSE_HITS, note=by_view
    )


BENCHMARK: Final = Benchmark("disguises seen through, and harmless texts taken for one", measure)

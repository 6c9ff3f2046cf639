"""How fast is screening, against the bare matchers on text that is already folded?

    python bench/screening.py [rounds]

50,000 terms and 500 patterns; texts of 50, 200 and 1,000 characters, Chinese and English mixed, one in ten with a term
and one in twenty with a pattern planted. The floor is one Aho-Corasick search and one Hyperscan scan a text, nothing
else. The three ways take turns in every round, so that they share the machine's good and bad moments; the median ratio
is printed.
The hits are checked before anything is printed: planted ones by their place, others by plain string search.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import hyperscan
from daachorse import CharwiseDoubleArrayAhoCorasick

from placet.model import Item
from placet.screening import Lexicon, PatternSpec, TermList, screen, screen_batch
from placet.screening.fold import fold

TEXTS = 1_000
TERMS = 50_000
PATTERNS = 500
CHECKED = 60

Planted = list[tuple[int, int, str]]


def vocabulary(rng: random.Random) -> tuple[list[str], list[str]]:
    """Two thousand characters and three thousand English-looking words: texts and terms are made of the same."""
    han = [chr(code) for code in rng.sample(range(0x4E00, 0x9F00), 2_400)]
    han = [c for c in han if fold(c) == c][:2_000]
    parts = [a + b for a in "bcdfghklmnprst" for b in "aeio"]
    words = sorted({"".join(rng.choices(parts, k=rng.randint(1, 4))) for _ in range(6_000)})
    return han, rng.sample(words, 3_000)


def some_terms(rng: random.Random, han: list[str], words: list[str]) -> list[str]:
    terms: set[str] = set()
    while len(terms) < TERMS:
        if rng.random() < 0.8:
            terms.add("".join(rng.choices(han, k=rng.choice((3, 3, 4, 4, 5, 6)))))
        else:
            terms.add(" ".join(rng.choices(words, k=rng.choice((2, 3)))))
    return sorted(terms)


def some_patterns(rng: random.Random, han: list[str], words: list[str]) -> list[str]:
    shapes = (
        lambda: "".join(rng.choices(han, k=2)) + r"[：:]?\s*[0-9]{5,12}",
        lambda: rng.choice(words) + r"(?:#|no\.?)\d{4,}",
        lambda: "(?i)" + rng.choice(words) + r"[-_ ]?" + rng.choice(words) + r"\s?=\s?\w+",
        lambda: "".join(rng.choices(han, k=2)) + r".{0,6}" + "".join(rng.choices(han, k=2)) + r"\d+",
    )
    found: set[str] = set()
    while len(found) < PATTERNS:
        found.add(rng.choice(shapes)())
    return sorted(found)


def filler(rng: random.Random, han: list[str], words: list[str], length: int) -> str:
    out = ""
    while len(out) < length:
        if rng.random() < 0.6:
            out += "".join(rng.choices(han, k=rng.randint(4, 14))) + rng.choice("，。！？")
        else:
            out += " ".join(rng.choices(words, k=rng.randint(1, 6))) + rng.choice((", ", ". ", " "))
    return out[:length]


def some_texts(
    rng: random.Random, han: list[str], words: list[str], terms: list[str], length: int
) -> list[tuple[str, Planted]]:
    """Texts, each with where a term was planted in it (between spaces, so that words stand free)."""
    out: list[tuple[str, Planted]] = []
    for i in range(TEXTS):
        text = filler(rng, han, words, length)
        planted: Planted = []
        if i % 10 == 0:
            term = rng.choice(terms)
            at = rng.randrange(0, max(1, length - len(term) - 2))
            text = (text[:at] + " " + term + " " + text[at:])[:length]
            if text[at + 1 : at + 1 + len(term)] == term:
                planted.append((at + 1, at + 1 + len(term), term))
        if i % 20 == 5:
            text = text[: length - 12] + "编号：12345678 "
        out.append((text, planted))
    return out


def check(texts: list[tuple[str, Planted]], lexicon: Lexicon, terms: list[str]) -> None:
    items = [Item(body=text) for text, _ in texts]
    batch = screen_batch(items, lexicon)
    if batch != [screen(item, lexicon) for item in items]:
        raise SystemExit("WRONG: batch and one at a time differ")
    for (text, planted), findings in zip(texts, batch, strict=True):
        exact = {(f.start, f.end, f.label) for f in findings if f.detector == "terms" and f.view == "exact"}
        if not exact.issuperset(planted):
            raise SystemExit(f"WRONG: {planted} not found in {text!r}")
        if ("编号：12345678" in text) != any(f.label == "planted" for f in findings):
            raise SystemExit(f"WRONG: the planted pattern in {text!r}")
    chinese = [term for term in terms if not term.isascii()]
    for (text, _), findings in list(zip(texts, batch, strict=True))[:CHECKED]:
        labels = {f.label for f in findings if f.detector == "terms" and f.view == "exact" and not f.label.isascii()}
        if labels != {term for term in chinese if term in text}:
            raise SystemExit(f"WRONG: plain search finds other terms in {text!r}")


def bare(terms: list[str], patterns: list[str]) -> Callable[[list[str]], int]:
    find = CharwiseDoubleArrayAhoCorasick([fold(term) for term in terms]).find
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    flags = hyperscan.HS_FLAG_UTF8 | hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_ALLOWEMPTY
    count = len(patterns)
    database.compile(
        expressions=[p.encode() for p in patterns], ids=list(range(count)), elements=count, flags=[flags] * count
    )
    scan = database.scan

    def floor(texts: list[str]) -> int:
        found: list[int] = []

        def collect(index: int, _start: int, _end: int, _flags: int, _context: object) -> None:
            found.append(index)

        hits = 0
        for text in texts:
            hits += len(find(text))
            scan(text.encode(), collect)
        return hits + len(found)

    return floor


def one_at_a_time(items: list[Item], lexicon: Lexicon) -> None:
    for item in items:
        screen(item, lexicon)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(rounds: int) -> None:
    rng = random.Random(20161107)
    han, words = vocabulary(rng)
    terms, patterns = some_terms(rng, han, words), some_patterns(rng, han, words)
    specs = [PatternSpec("bench/patterns", f"p{i}", None, regex) for i, regex in enumerate(patterns)]
    specs.append(PatternSpec("bench/patterns", "planted", None, r"编号：\d{8}"))
    start = time.perf_counter()
    lexicon = Lexicon.build([TermList("bench/terms", tuple(terms))], specs)
    print(f"lexicon of {TERMS:,} terms and {PATTERNS} patterns built in {time.perf_counter() - start:.2f} s")
    floor = bare(terms, [spec.regex for spec in specs])
    print(
        f"{'characters':>10} {'floor/s':>10} {'one/s':>10} {'of floor':>9} {'batch/s':>10} {'of floor':>9} {'hits':>6}"
    )
    for length in (50, 200, 1_000):
        texts = some_texts(rng, han, words, terms, length)
        check(texts, lexicon, terms)
        items = [Item(body=text) for text, _ in texts]
        folded = [fold(text) for text, _ in texts]
        ways = (
            partial(floor, folded),
            partial(one_at_a_time, items, lexicon),
            partial(screen_batch, items, lexicon),
        )
        times = [tuple(seconds(way) for way in ways) for _ in range(rounds)]
        bare_s, one_s, batch_s = (statistics.median(column) for column in zip(*times, strict=True))
        one = statistics.median(t[0] / t[1] for t in times)
        batch = statistics.median(t[0] / t[2] for t in times)
        hits = sum(map(len, screen_batch(items, lexicon)))
        print(
            f"{length:>10,} {TEXTS / bare_s:>10,.0f} {TEXTS / one_s:>10,.0f} {one:>9.2f}"
            f" {TEXTS / batch_s:>10,.0f} {batch:>9.2f} {hits:>6,}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)

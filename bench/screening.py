"""How fast is screening, against the bare matchers on text that is already folded?

50,000 terms and 500 patterns; texts of 50, 200 and 1,000 characters, Chinese and English mixed, one in ten with a term
and one in twenty with a pattern planted. The floor is one Aho-Corasick search and one Hyperscan scan a text, nothing
else. Beside it stand what is usually put together for the task: pyahocorasick and ahocorasick_rs on text that NFKC and
case folding have gone over, and a set of RE2. They look for the same terms, give offsets into another text than the one
submitted, and look for no patterns, links or contacts; bench/peers.py has what they miss. All ways take turns in every
round, so that they share the machine's good and bad moments; processor time counts, and the median ratio is printed.
The hits are checked before anything is printed: planted ones by their place, others by plain string search. The same
terms are looked for on every view as well, guesses included; what the plain views find must be among what that finds.
"""

import random
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

import ahocorasick
import ahocorasick_rs
import hyperscan
import re2
from daachorse import CharwiseDoubleArrayAhoCorasick

from bench.report import Benchmark, Line, Size, Wrong, median, per_second
from placet.model import Item
from placet.screening import Lexicon, PatternSpec, TermList, screen, screen_batch
from placet.screening.fold import fold
from placet.screening.lists import VIEWS

LENGTHS: Final = (50, 200, 1_000)
JUDGED_LENGTH: Final = 50
CHECKED: Final = 60
ONE_RATIO: Final = 0.4
BATCH_RATIO: Final = 1.0
EVERY_RATIO: Final = 0.15

Planted = list[tuple[int, int, str]]


class Plan(NamedTuple):
    """How many terms and patterns, how many texts of each length, how often they are screened."""

    terms: int
    patterns: int
    texts: int
    rounds: int


PLANS: Final[dict[Size, Plan]] = {
    "full": Plan(50_000, 500, 1_000, 15),
    "quick": Plan(10_000, 200, 500, 5),
    "tiny": Plan(300, 20, 60, 1),
}


def vocabulary(rng: random.Random) -> tuple[list[str], list[str]]:
    """Two thousand characters and three thousand English-looking words: texts and terms are made of the same."""
    han = [chr(code) for code in rng.sample(range(0x4E00, 0x9F00), 2_400)]
    han = [c for c in han if fold(c) == c][:2_000]
    parts = [a + b for a in "bcdfghklmnprst" for b in "aeio"]
    words = sorted({"".join(rng.choices(parts, k=rng.randint(1, 4))) for _ in range(6_000)})
    return han, rng.sample(words, 3_000)


def some_terms(rng: random.Random, han: list[str], words: list[str], count: int) -> list[str]:
    terms: set[str] = set()
    while len(terms) < count:
        if rng.random() < 0.8:
            terms.add("".join(rng.choices(han, k=rng.choice((3, 3, 4, 4, 5, 6)))))
        else:
            terms.add(" ".join(rng.choices(words, k=rng.choice((2, 3)))))
    return sorted(terms)


def some_patterns(rng: random.Random, han: list[str], words: list[str], count: int) -> list[str]:
    shapes = (
        lambda: "".join(rng.choices(han, k=2)) + r"[：:]?\s*[0-9]{5,12}",
        lambda: rng.choice(words) + r"(?:#|no\.?)\d{4,}",
        lambda: "(?i)" + rng.choice(words) + r"[-_ ]?" + rng.choice(words) + r"\s?=\s?\w+",
        lambda: "".join(rng.choices(han, k=2)) + r".{0,6}" + "".join(rng.choices(han, k=2)) + r"\d+",
    )
    found: set[str] = set()
    while len(found) < count:
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
    rng: random.Random, han: list[str], words: list[str], terms: list[str], length: int, count: int
) -> list[tuple[str, Planted]]:
    """Texts, each with where a term was planted in it (between spaces, so that words stand free)."""
    out: list[tuple[str, Planted]] = []
    for i in range(count):
        text = filler(rng, han, words, length)
        planted: Planted = []
        if i % 10 == 0:
            term = rng.choice(terms)
            at = rng.randrange(0, max(1, length - len(term) - 2))
            text = (text[:at] + " " + term + " " + text[at:])[:length]
            if text[at + 1 : at + 1 + len(term)] == term:
                planted.append((at + 1, at + 1 + len(term), term))
        if i % 20 == 5:
            text = text[: length - 13] + "编号：AB-CDEFGH "
        out.append((text, planted))
    return out


def check(texts: list[tuple[str, Planted]], lexicon: Lexicon, terms: list[str]) -> None:
    items = [Item(body=text) for text, _ in texts]
    batch = screen_batch(items, lexicon)
    if batch != [screen(item, lexicon) for item in items]:
        raise Wrong("batch and one at a time differ")
    for (text, planted), findings in zip(texts, batch, strict=True):
        exact = {(f.start, f.end, f.label) for f in findings if f.detector == "terms" and f.view == "exact"}
        if not exact.issuperset(planted):
            raise Wrong(f"{planted} not found in {text!r}")
        if ("编号：AB-CDEFGH" in text) != any(f.label == "planted" for f in findings):
            raise Wrong(f"the planted pattern in {text!r}")
    chinese = [term for term in terms if not term.isascii()]
    for (text, _), findings in list(zip(texts, batch, strict=True))[:CHECKED]:
        labels = {f.label for f in findings if f.detector == "terms" and f.view == "exact" and not f.label.isascii()}
        if labels != {term for term in chinese if term in text}:
            raise Wrong(f"plain search finds other terms in {text!r}")


def check_every(texts: list[str], lexicon: Lexicon, every: Lexicon) -> None:
    items = [Item(body=text) for text in texts]
    batch = screen_batch(items, every)
    if batch != [screen(item, every) for item in items]:
        raise Wrong("batch and one at a time differ on every view")
    for plain, found in zip(screen_batch(items, lexicon), batch, strict=True):
        spans = {(f.start, f.end, f.list) for f in found}
        if not spans.issuperset((f.start, f.end, f.list) for f in plain):
            raise Wrong(f"every view together finds less than the plain ones: {plain} {found}")


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
    start = time.process_time()
    work()
    return time.process_time() - start


# --- the usual ways ----------------------------------------------------------------------------------------------

Search = Callable[[str], object]
"""What is found in a text, in whatever form; false where nothing is."""


def normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def usual_ways(terms: list[str]) -> dict[str, Search]:
    folded = [normal(term) for term in terms]
    trie = ahocorasick.Automaton()
    for i, term in enumerate(folded):
        trie.add_word(term, i)
    trie.make_automaton()
    rust = ahocorasick_rs.AhoCorasick(folded)
    options = re2.Options()
    options.max_mem = 1 << 30
    many = re2.Set.SearchSet(options)
    for term in folded:
        many.Add(re2.escape(term))
    many.Compile()
    return {
        "pyahocorasick": lambda text: list(trie.iter(normal(text))),
        "ahocorasick_rs": lambda text: rust.find_matches_as_indexes(normal(text), overlapping=True),
        "google-re2 set": lambda text: many.Match(normal(text)),
    }


def each(search: Search, texts: list[str]) -> None:
    for text in texts:
        search(text)


# --- measuring ---------------------------------------------------------------------------------------------------


def measure(size: Size) -> Iterator[Line]:
    plan = PLANS[size]
    rng = random.Random(20161107)
    han, words = vocabulary(rng)
    terms, patterns = some_terms(rng, han, words, plan.terms), some_patterns(rng, han, words, plan.patterns)
    specs = [PatternSpec("bench/patterns", f"p{i}", None, regex) for i, regex in enumerate(patterns)]
    specs.append(PatternSpec("bench/patterns", "planted", None, r"编号：[A-Z]{2}-[A-Z]{6}"))
    start = time.process_time()
    lexicon = Lexicon.build([TermList("bench/terms", tuple(terms))], specs)
    build = time.process_time() - start
    yield Line(f"lexicon of {plan.terms:,} terms and {plan.patterns} patterns built", f"{build:.2f} s")
    start = time.process_time()
    every = Lexicon.build([TermList("bench/terms", tuple(terms), views=tuple(VIEWS))], specs)
    yield Line("the same for every view", f"{time.process_time() - start:.2f} s")
    floor = bare(terms, [spec.regex for spec in specs])
    ways = usual_ways(terms)
    for length in LENGTHS:
        texts = some_texts(rng, han, words, terms, length, plan.texts)
        check(texts, lexicon, terms)
        judged = size == "full" and length == JUDGED_LENGTH
        plain = [text for text, _ in texts]
        check_every(plain, lexicon, every)
        yield from lines(plain, lexicon, every, floor, ways, plan, judged=judged)


def lines(
    texts: list[str],
    lexicon: Lexicon,
    every: Lexicon,
    floor: Callable[[list[str]], int],
    usual: dict[str, Search],
    plan: Plan,
    *,
    judged: bool,
) -> Iterator[Line]:
    items = [Item(body=text) for text in texts]
    folded = [fold(text) for text in texts]
    ways: dict[str, Callable[[], object]] = {
        "": partial(floor, folded),
        "one at a time": partial(one_at_a_time, items, lexicon),
        "in batch": partial(screen_batch, items, lexicon),
        "every view, in batch": partial(screen_batch, items, every),
        **{name: partial(each, search, texts) for name, search in usual.items()},
    }
    for way in ways.values():
        way()  # the set of RE2 builds its automaton while it reads
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(plan.rounds):
        for name, way in ways.items():
            times[name].append(seconds(way))
    wanted = {"one at a time": ONE_RATIO, "in batch": BATCH_RATIO, "every view, in batch": EVERY_RATIO}
    least = wanted if judged else {}
    for name in list(ways)[1:]:
        question = f"{len(texts[0]):,} characters, {name}"
        yield line(question, len(texts), times[""], times[name], least.get(name))


def line(question: str, count: int, floor: Sequence[float], taken: Sequence[float], least: float | None) -> Line:
    ratio = median([bare_s / s for bare_s, s in zip(floor, taken, strict=True)])
    return Line(
        question,
        per_second(count / median(taken)),
        floor=per_second(count / median(floor)),
        ratio=ratio,
        budget="" if least is None else f">= {least} of the floor",
        met=None if least is None else ratio >= least,
    )


BENCHMARK: Final = Benchmark("texts a second on one core, against the bare matchers", measure)

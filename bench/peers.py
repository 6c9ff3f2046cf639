"""Screening beside the libraries that one would otherwise take: how fast, and what do they miss?

pyahocorasick, ahocorasick_rs and a set of google-re2 are given the same terms and texts, normalised as one would
(NFKC and case folding, Unicode annex 15), and say which terms stand in a text. Screening also gives the places in the
text as it was submitted, looks for links and contacts, and sees through disguises. All take turns in every round.

Then terms are planted in a disguise each, and inside longer words, where they should not be found.
"""

import random
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

import ahocorasick
import ahocorasick_rs
import re2
from opencc import OpenCC

from bench.report import Benchmark, Line, Size, check, median, per_second
from bench.screening import filler, one_at_a_time, seconds, some_terms, some_texts, vocabulary
from placet.model import Item
from placet.screening import Lexicon, TermList, screen_batch

LENGTHS: Final = (50, 200, 1_000)
RE2_MEMORY: Final = 1 << 30

Find = Callable[[str], Iterable[str]]
"""The terms that a text holds."""


class Plan(NamedTuple):
    """How many terms, how many texts of each length, how often they are searched, how many of each disguise."""

    terms: int
    texts: int
    rounds: int
    disguised: int


PLANS: Final[dict[Size, Plan]] = {
    "full": Plan(50_000, 400, 5, 400),
    "quick": Plan(10_000, 200, 3, 200),
    "tiny": Plan(300, 40, 1, 40),
}


# --- the libraries -----------------------------------------------------------------------------------------------


def normalised(text: str) -> str:
    """What one does before a plain search."""
    return unicodedata.normalize("NFKC", text).casefold()


def pyahocorasick(terms: Sequence[str]) -> Find:
    automaton = ahocorasick.Automaton()
    for term in terms:
        automaton.add_word(normalised(term), term)
    automaton.make_automaton()
    return lambda text: [term for _, term in automaton.iter(normalised(text))]


def rust(terms: Sequence[str]) -> Find:
    automaton = ahocorasick_rs.AhoCorasick([normalised(term) for term in terms])
    find = automaton.find_matches_as_indexes
    return lambda text: [terms[index] for index, _, _ in find(normalised(text), overlapping=True)]


def google(terms: Sequence[str]) -> Find:
    options = re2.Options()
    options.literal = True
    options.log_errors = False
    options.max_mem = RE2_MEMORY
    found = re2.Set.SearchSet(options)
    for term in terms:
        found.Add(normalised(term))
    found.Compile()
    return lambda text: [terms[index] for index in found.Match(normalised(text)) or ()]


def placet(lexicon: Lexicon) -> Find:
    return lambda text: [f.label for f in screen_batch([Item(body=text)], lexicon)[0] if f.detector == "terms"]


LIBRARIES: Final[Mapping[str, Callable[[Sequence[str]], Find]]] = {
    "pyahocorasick": pyahocorasick,
    "ahocorasick_rs": rust,
    "google-re2, one set": google,
}


# --- disguises ---------------------------------------------------------------------------------------------------

TRADITIONAL: Final = OpenCC("s2t")
FULL_WIDTH: Final = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}
LOOK_ALIKE: Final = str.maketrans("aceiopxy", "асеіорху")  # Cyrillic
FRAMED: Final = {ord("a") + i: 0x1F170 + i for i in range(26)}
LEET: Final = str.maketrans("aeiots", "4310+5")

DISGUISES: Final[Mapping[str, Callable[[str], str]]] = {
    "as it is": str,
    "capitals": str.upper,
    "full width": lambda term: term.translate(FULL_WIDTH),
    "traditional characters": TRADITIONAL.convert,
    "Cyrillic letters": lambda term: term.translate(LOOK_ALIKE),
    "letters in frames": lambda term: term.translate(FRAMED),
    "zero-width characters between": "\u200b".join,
    "emoji between": "🙂".join,
    "dots between": ".".join,
    "accents": lambda term: "".join(char + "\u0301" if char.isascii() and char.isalpha() else char for char in term),
    "a letter drawn out": lambda term: term[:2] + term[1] * 3 + term[2:],
    "digits for letters": lambda term: term[0] + term[1:].translate(LEET),
}


def planted(rng: random.Random, words: tuple[list[str], list[str]], terms: Sequence[str], count: int) -> list[str]:
    """Texts, each of a filling, a sign, a place for a term, a sign, and a filling."""
    return [f"{filler(rng, *words, 20)} {{}} {filler(rng, *words, 20)}" for _ in terms[:count]]


# --- what is measured --------------------------------------------------------------------------------------------


def measure(size: Size) -> Iterator[Line]:
    """Texts a second of each, then what each finds of every disguise."""
    plan = PLANS[size]
    rng = random.Random(20161108)
    words = vocabulary(rng)
    terms = some_terms(rng, *words, plan.terms)
    views = (*TermList("", ()).views, "leet")
    lexicon = Lexicon.build([TermList("bench/terms", tuple(terms), views=views)])
    libraries = {name: make(terms) for name, make in LIBRARIES.items()}
    for length in LENGTHS:
        rounds = [some_texts(rng, *words, terms, length, plan.texts) for _ in range(plan.rounds + 1)]
        yield from speeds([[text for text, _ in each] for each in rounds], lexicon, libraries, length)
    finders = {"placet": placet(lexicon), **libraries}
    yield from sights(rng, words, terms, finders, plan.disguised)
    yield inside_words(rng, words, terms, finders, plan.disguised)


def speeds(rounds: Sequence[list[str]], lexicon: Lexicon, libraries: Mapping[str, Find], length: int) -> Iterator[Line]:
    """One line for each way to search. The first round warms up; no text comes twice, since RE2 learns from texts."""
    times = [_times(texts, lexicon, libraries) for texts in rounds][1:]
    for name in times[0]:
        rate = len(rounds[0]) / median([taken[name] for taken in times])
        yield Line(f"terms alone, {length:,} characters: {name}", per_second(rate))


def _times(texts: list[str], lexicon: Lexicon, libraries: Mapping[str, Find]) -> dict[str, float]:
    items = [Item(body=text) for text in texts]
    ways: dict[str, Callable[[], object]] = {
        "placet, in batch": partial(screen_batch, items, lexicon),
        "placet, one at a time": partial(one_at_a_time, items, lexicon),
        **{name: partial(search_each, find, texts) for name, find in libraries.items()},
    }
    return {name: seconds(way) for name, way in ways.items()}


def search_each(find: Find, texts: Sequence[str]) -> None:
    for text in texts:
        find(text)


def sights(
    rng: random.Random,
    words: tuple[list[str], list[str]],
    terms: Sequence[str],
    finders: Mapping[str, Find],
    count: int,
) -> Iterator[Line]:
    """One line for each disguise: how many of the terms each library still finds."""
    frames = planted(rng, words, terms, count)
    for name, disguise in DISGUISES.items():
        usable = [term for term in rng.sample(terms, len(terms)) if name == "as it is" or disguise(term) != term]
        pairs = [(term, frame.format(disguise(term))) for term, frame in zip(usable, frames, strict=False)]
        shares = {library: share(find, pairs) for library, find in finders.items()}
        check(name != "as it is" or set(shares.values()) == {1.0}, f"Not every plain term is found: {shares}.")
        yield Line(f"terms found: {name}", listed(shares))


def inside_words(
    rng: random.Random,
    words: tuple[list[str], list[str]],
    terms: Sequence[str],
    finders: Mapping[str, Find],
    count: int,
) -> Line:
    """How often a term inside a longer word is taken for it: "class" holds no "ass"."""
    latin = [term for term in rng.sample(terms, len(terms)) if term.isascii()]
    pairs = [(t, f.format(f"x{t}y")) for t, f in zip(latin, planted(rng, words, terms, count), strict=False)]
    return Line(
        "terms found inside longer words, where they are none", listed({n: share(f, pairs) for n, f in finders.items()})
    )


def share(find: Find, pairs: Sequence[tuple[str, str]]) -> float:
    """The share of the texts in which the term is found."""
    return sum(term in find(text) for term, text in pairs) / len(pairs)


def listed(shares: Mapping[str, float]) -> str:
    """Shares by library, as they are printed."""
    return ", ".join(f"{name} {found:.0%}" for name, found in shares.items())


BENCHMARK: Final = Benchmark("screening beside other libraries: texts a second, and what is missed", measure)

"""What do the libraries miss that one would otherwise take?

The same terms are looked for by screening and in the usual ways (bench/screening.py, which has their speed): terms in
one disguise after another, and terms inside longer words, where none should be found.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from opencc import OpenCC

from bench.report import Benchmark, Line, Size, check
from bench.screening import Search, some_terms, usual_ways, vocabulary
from placet.model import Item
from placet.screening import Lexicon, TermList, screen

TERMS: Final[dict[Size, int]] = {"full": 50_000, "quick": 10_000, "tiny": 300}
DISGUISED: Final[dict[Size, int]] = {"full": 1_000, "quick": 400, "tiny": 40}

TRADITIONAL: Final = OpenCC("s2t")
FULL_WIDTH: Final = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
CYRILLIC: Final = str.maketrans("aceiopxy", "асеіорху")
FRAMED: Final = {ord("a") + i: 0x1F170 + i for i in range(26)}
DIGITS: Final = str.maketrans("aeiots", "4310+5")

DISGUISES: Final[Mapping[str, Callable[[str], str]]] = {
    "in capitals": str.upper,
    "in full width": lambda term: term.translate(FULL_WIDTH),
    "in traditional characters": TRADITIONAL.convert,
    "with Cyrillic letters": lambda term: term.translate(CYRILLIC),
    "with letters in frames": lambda term: term.translate(FRAMED),
    "with accents": lambda term: "".join(f"{char}\u0301" if "a" <= char <= "z" else char for char in term),
    "with a letter drawn out": lambda term: term[:2] + term[1] * 3 + term[2:],
    "with digits for letters": lambda term: term[0] + term[1:].translate(DIGITS),
    "with zero-width characters between": "\u200b".join,
    "with emoji between": "🙂".join,
    "with dots between": ".".join,
}


def measure(size: Size) -> Iterator[Line]:
    """One line for each disguise: how many terms are found in each way."""
    rng = random.Random(20161108)
    terms = some_terms(rng, *vocabulary(rng), TERMS[size])
    views = (*TermList("", ()).views, "leet")
    lexicon = Lexicon.build([TermList("bench/terms", tuple(terms), views=views)])
    ways: dict[str, Search] = {"placet": lambda text: screen(Item(body=text), lexicon), **usual_ways(terms)}
    some = rng.sample(terms, len(terms))
    plain = shares(ways, some[: DISGUISED[size]])
    check(set(plain.values()) == {1.0}, f"Not every plain term is found: {plain}.")
    for name, disguise in DISGUISES.items():
        texts = [text for term in some if (text := disguise(term)) != term]
        yield Line(f"terms found {name}", listed(shares(ways, texts[: DISGUISED[size]])))
    inside = [f"x{term}y" for term in some if term.isascii()]
    yield Line("terms found inside longer words", listed(shares(ways, inside[: DISGUISED[size]])))


def shares(ways: Mapping[str, Search], texts: list[str]) -> dict[str, float]:
    """By way, the share of the texts in which anything is found."""
    return {name: sum(bool(search(text)) for text in texts) / len(texts) for name, search in ways.items()}


def listed(found: Mapping[str, float]) -> str:
    """Shares by way, as they are printed."""
    return ", ".join(f"{name} {share:.0%}" for name, share in found.items())


BENCHMARK: Final = Benchmark("screening beside other libraries: what is missed", measure)

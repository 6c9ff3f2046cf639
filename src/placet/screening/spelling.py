"""A text as a row of signs: characters, emoji, and syllables that are written in Latin letters.

The row keeps what a reader takes for writing. What nobody sees is left out, and so is a space between two words in
Latin letters; everything else stands for a BREAK, which no term goes across.
"""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.metadata import version
from math import log
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from placet.screening.alike import BREAK, SKIP, SPACE, Signs, likeness
from placet.screening.fold import encode
from placet.screening.kept import decoded, encoded, kept

Places = NDArray[np.int64]

_TOKEN: Final = re.compile("[a-z0-9]+")
_WORD: Final = re.compile("[a-z]+")
_LONGEST_TOKEN: Final = 64
_LONGEST_SYLLABLE: Final = 6
UNKNOWN_TOKEN: Final = 18_000
"""What it costs to take letters for a word that the English dictionary does not know."""
_UNKNOWN_SYLLABLES: Final = 8_000
_UNKNOWN_LETTER: Final = 1_500
"""The same for letters that can be read as syllables: the longer they are, the less can it be chance."""
_EMOJI_COST: Final = 11_400
"""An emoji explains itself so badly: set so that one in the middle of a sentence is worth one rare character."""


class Spelling(NamedTuple):
    """A row of n signs; all arrays have shape (n,)."""

    signs: Signs
    start: Places
    end: Places
    """What each sign was read from: text[start:end]."""
    han: NDArray[np.bool_]
    """Whether it is a Chinese character."""
    others: NDArray[np.int64]
    """What it costs to take each other sign for itself, in thousandths: a word of English is cheap."""
    tokens: tuple["Token", ...]
    """The words in Latin letters and digits, in order."""


class Token(NamedTuple):
    """A word in Latin letters: its place in the text, and how it is written."""

    start: int
    end: int
    letters: str


def spell(text: str) -> Spelling:
    """The row of signs of a text of any content."""
    tables = likeness()
    signs = tables.sign[encode(text)]
    start = np.nonzero(signs != SKIP)[0]
    signs = signs[start]
    end = start + 1
    latin = signs >= tables.first_ascii
    latin &= signs < SPACE
    tokens: tuple[Token, ...] = ()
    others = np.zeros(len(signs), np.int64)
    others[(signs >= tables.first_emoji) & (signs < tables.first_syllable)] = _EMOJI_COST
    if latin.any():
        keep = ~_between(signs == SPACE, latin)
        tokens = _read_tokens(signs, latin, start, end, others, keep)
        signs, start, end, others = signs[keep], start[keep], end[keep], others[keep]
    signs = np.where(signs == SPACE, np.uint16(BREAK), signs)
    return Spelling(signs, start, end, (signs != BREAK) & (signs < tables.first_emoji), others, tokens)


def _between(spaces: NDArray[np.bool_], latin: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The single spaces between two words in Latin letters."""
    found = spaces.copy()
    found[0] = found[-1] = False
    found[1:-1] &= latin[:-2] & latin[2:]
    return found


def _read_tokens(
    signs: Signs,
    latin: NDArray[np.bool_],
    start: Places,
    end: Places,
    others: NDArray[np.int64],
    keep: NDArray[np.bool_],
) -> tuple[Token, ...]:
    """Find the words in Latin letters; in place, put a sign for each syllable where a word is made of them."""
    tables = likeness()
    plain = np.where(latin, signs - tables.first_ascii, 36).astype(np.uint8)
    written = _ALPHABET[plain].tobytes().decode()
    starts, ends = start.tolist(), end.tolist()
    tokens = []
    costs: list[tuple[int, int]] = []
    spelt: list[tuple[int, int, int]] = []
    for match in _TOKEN.finditer(written):
        first, last = match.span()
        token = match[0]
        tokens.append(Token(starts[first], ends[last - 1], token))
        words = ((first, token),) if token.isalpha() else ((first + w.start(), w[0]) for w in _WORD.finditer(token))
        for at, word in words:
            cost, syllables = _read_word(word)
            costs += [(at + begin, cost) for begin, _, _ in syllables] or [(at, cost)]
            spelt += [(at + begin, at + stop, sign) for begin, stop, sign in syllables]
    places = [at for at, _ in costs]
    others[places] = [cost for _, cost in costs]
    for begin, stop, sign in spelt:
        signs[begin] = sign
        end[begin] = ends[stop - 1]
        keep[begin + 1 : stop] = False
    return tuple(tokens)


_ALPHABET: Final = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz0123456789 ", np.uint8)


@lru_cache(maxsize=65_536)
def _read_word(letters: str) -> tuple[int, Sequence[tuple[int, int, int]]]:
    """The syllables that a word of Latin letters consists of, if it does, and what each of them costs as English."""
    syllables = _syllables(letters) if len(letters) <= _LONGEST_TOKEN else ()
    unknown = _UNKNOWN_SYLLABLES + _UNKNOWN_LETTER * len(letters) if syllables else UNKNOWN_TOKEN
    return english().get(letters, unknown) // max(1, len(syllables)), syllables


def _syllables(letters: str) -> Sequence[tuple[int, int, int]]:
    """The fewest syllables of pinyin that spell a word: (start, end, sign) each; none if it cannot be spelt so."""
    signs = likeness().syllable_signs
    best: list[list[tuple[int, int, int]] | None] = [[]]
    for end in range(1, len(letters) + 1):
        ways = []
        for start in range(max(0, end - _LONGEST_SYLLABLE), end):
            before, sign = best[start], signs.get(letters[start:end])
            if before is not None and sign is not None:
                ways.append([*before, (start, end, sign)])
        best.append(min(ways, key=len, default=None))
    return best[-1] or ()


@cache
def english() -> dict[str, int]:
    """What common English words cost, in thousandths."""
    made_from = [f"wordfreq {version('wordfreq')}".encode()]
    words: dict[str, int] = decoded(kept("english", made_from, lambda: encoded(_read_english())))
    return words


def _read_english() -> dict[str, int]:
    import wordfreq  # noqa: PLC0415 - a tenth of a second that only building needs

    frequencies = wordfreq.get_frequency_dict("en", "small")
    return {word: round(-1_000 * log(p)) for word, p in frequencies.items() if p > 0}

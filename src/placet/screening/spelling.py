"""A text as a row of signs: characters, emoji, and syllables that are written in Latin letters.

The row keeps what a reader takes for writing. What nobody sees is left out, and so is a space before or after a word in
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

from placet.screening import loops
from placet.screening.alike import BREAK, SKIP, SPACE, Signs, likeness
from placet.screening.fold import encode
from placet.screening.kept import decoded, encoded, kept

Places = NDArray[np.int64]

_VERSION: Final = b"1"
"""Changes with whatever the costs of English words are worked out by, so that none is used that was kept before."""
_LETTERS: Final = re.compile("[a-z]+")
LONGEST_WORD: Final = 64
"""What is found out about a longer word in Latin letters is not kept, and it is not read as syllables."""
_LONGEST_SYLLABLE: Final = 6
UNKNOWN_WORD: Final = 18_000
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
    words: Sequence[str]
    """The m words in Latin letters and digits, in order."""
    word_start: Places
    word_end: Places
    """Where each of them stands, shape (m,): text[word_start:word_end], unseen characters included."""


def spell(text: str) -> Spelling:
    """The row of signs of a text of any content."""
    if loops.kernel:
        return Spelling(*_compiled().spell(text))
    tables = likeness()
    signs = tables.sign[encode(text)]
    start = np.nonzero(signs != SKIP)[0]
    signs = signs[start]
    end = start + 1
    latin = signs >= tables.first_ascii
    latin &= signs < SPACE
    words: Sequence[str] = ()
    word_start = word_end = start[:0]
    others = np.zeros(len(signs), np.int64)
    others[(signs >= tables.first_emoji) & (signs < tables.first_syllable)] = _EMOJI_COST
    if latin.any():
        words = _ALPHABET[np.where(latin, signs - tables.first_ascii, _GAP)].tobytes().decode().split()
        edges = np.diff(latin, prepend=False, append=False).nonzero()[0]
        first, last = edges[::2], edges[1::2]
        word_start, word_end = start[first], end[last - 1]
        keep = ~_between(signs == SPACE, latin, latin | ((signs != BREAK) & (signs < tables.first_emoji)))
        read = [_read(word) for word in words]
        others[first] = [each.cost for each in read]
        for at, (_, costs, syllables) in zip(first.tolist(), read, strict=True):
            for place, cost in costs:
                others[at + place] = cost
            for begin, stop, sign in syllables:
                signs[at + begin] = sign
                end[at + begin] = end[at + stop - 1]
                keep[at + begin + 1 : at + stop] = False
        signs, start, end, others = signs[keep], start[keep], end[keep], others[keep]
    signs = np.where(signs == SPACE, np.uint16(BREAK), signs)
    han = (signs != BREAK) & (signs < tables.first_emoji)
    return Spelling(signs, start, end, han, others, words, word_start, word_end)


@cache
def _compiled() -> "loops.kernel.Speller":
    signs = likeness()
    return loops.kernel.Speller(
        signs.sign, signs.first_emoji, signs.first_syllable, signs.first_ascii, _EMOJI_COST, _read
    )


def _between(spaces: NDArray[np.bool_], latin: NDArray[np.bool_], written: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The single spaces between two words in Latin letters, or between one and Chinese, where many set a space."""
    found = spaces.copy()
    found[0] = found[-1] = False
    found[1:-1] &= (latin[:-2] & written[2:]) | (written[:-2] & latin[2:])
    return found


_ALPHABET: Final = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz0123456789 ", np.uint8)
_GAP: Final = len(_ALPHABET) - 1


class _Read(NamedTuple):
    """How a word in Latin letters and digits is read; places are counted from its first letter."""

    cost: int
    """What it costs to take its first part for itself."""
    costs: Sequence[tuple[int, int]]
    """What its further parts cost, by place."""
    syllables: Sequence[tuple[int, int, int]]
    """Start, end and sign of each syllable in it."""


def _read_anew(word: str) -> _Read:
    costs: list[tuple[int, int]] = []
    spelt: list[tuple[int, int, int]] = []
    for match in _LETTERS.finditer(word):
        letters, at = match[0], match.start()
        syllables = _syllables(letters) if len(letters) <= LONGEST_WORD else ()
        unknown = _UNKNOWN_SYLLABLES + _UNKNOWN_LETTER * len(letters) if syllables else UNKNOWN_WORD
        cost = english().get(letters, unknown) // max(1, len(syllables))
        costs += [(at + begin, cost) for begin, _, _ in syllables] or [(at, cost)]
        spelt += [(at + begin, at + stop, sign) for begin, stop, sign in syllables]
    if costs and costs[0][0] == 0:
        return _Read(costs[0][1], costs[1:], spelt)
    return _Read(0, costs, spelt)


_read_word = lru_cache(maxsize=65_536)(_read_anew)
"""Texts are made of the same words again and again. Longer ones are not kept, so that what is kept stays small."""


def _read(word: str) -> _Read:
    return _read_word(word) if len(word) <= LONGEST_WORD else _read_anew(word)


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
    made_from = [_VERSION, f"wordfreq {version('wordfreq')}".encode()]
    words: dict[str, int] = decoded(kept("english", made_from, lambda: encoded(_read_english())))
    return words


def _read_english() -> dict[str, int]:
    import wordfreq  # noqa: PLC0415 - a tenth of a second that only building needs

    frequencies = wordfreq.get_frequency_dict("en", "small")
    return {word: round(-1_000 * log(p)) for word, p in frequencies.items() if p > 0}

"""Terms written as the first letters of their syllables."""

from collections.abc import Callable, Container, Iterator
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from placet.screening.alike import likeness
from placet.screening.guesses import TERM_COST, Guess, Vocabulary
from placet.screening.spelling import LONGEST_WORD, UNKNOWN_WORD, Spelling, english

_LONGEST_INITIALS: Final = 8
_PARTLY: Final = 7_000
"""A word in Latin letters of which the initials are only the beginning or the end."""
_JOINED: Final = 4_000
"""The same where the rest are the initials of another term."""
_VOWEL: Final = 1_000
"""With vowels it may well be a word or a name."""
_LETTER: Final = 1_000
"""What each letter beyond two is worth: fewer words begin so."""


class InitialsNet:
    """Terms written as the first letters of their syllables."""

    def __init__(self, terms: Vocabulary, chosen: NDArray[np.int64]) -> None:
        self._terms: dict[str, list[int]] = {}
        self._hits = lru_cache(maxsize=65_536)(self._read)
        letters = likeness().initials
        first_ascii = likeness().first_ascii
        plain = {first_ascii + i: c for i, c in enumerate("abcdefghijklmnopqrstuvwxyz0123456789")}
        for term in chosen.tolist():
            ways = [""]
            for sign in terms.row(term)[:_LONGEST_INITIALS]:
                ways = [way + c for way in ways for c in letters.get(sign) or plain.get(sign, "")][:8]
            for way in ways:
                if len(way) == terms.lengths[term]:
                    self._terms.setdefault(way, []).append(term)

    def spells(self, letters: str, gone: Container[int]) -> bool:
        """Whether these are the initials of a term that is not gone."""
        return any(term not in gone for term in self._terms.get(letters, ()))

    def guesses(self, spelling: Spelling, least: int, known: Callable[[str], bool]) -> Iterator[Guess]:
        """Guesses of at least that strength; start and end are places in the text.

        `known` says whether letters are the initials of any term.
        """
        for place, word in enumerate(spelling.words):
            hits = self._hits(word) if len(word) <= LONGEST_WORD else self._read(word)
            start = int(spelling.word_start[place]) if hits else 0
            if hits and start + len(word) == spelling.word_end[place]:
                for first, last, rest, terms, strength in hits:
                    whole = strength - (_JOINED if rest and known(rest) else _PARTLY if rest else 0)
                    if whole >= least:
                        for term in terms:
                            yield Guess(start + first, start + last, term, "initials", whole)

    def _read(self, letters: str) -> list[tuple[int, int, str, list[int], int]]:
        """The parts of a word that are initials of terms: start, end, the rest, terms, strength without the rest."""
        known = english().get(letters, UNKNOWN_WORD) - TERM_COST
        found = []
        for start, end in _edges_of(len(letters)):
            part, rest = letters[start:end], letters[end:] or letters[:start]
            if (terms := self._terms.get(part)) and not part.isdigit():
                strength = known + _LETTER * (end - start - 2) - _VOWEL * any(c in "aeiouv" for c in part)
                found.append((start, end, rest, terms, strength))
        return found


def _edges_of(size: int) -> Iterator[tuple[int, int]]:
    """The whole, and every beginning and end of two letters or more."""
    if 2 <= size <= _LONGEST_INITIALS:
        yield 0, size
    for part in range(2, min(size, _LONGEST_INITIALS + 1)):
        yield 0, part
        yield size - part, size

"""A guess at what a text is written in, from its first characters alone. It knows no words.

"zh-Hant" and "zh-Hans" have more characters that only the one way of writing has (OpenCC's tables t2s and s2t); "zh" is
Chinese with no such character, or as many of each; "en" is any text whose letters are those of ASCII; "other" is the
rest, with the texts that have no letters at all. A report counts by it; nothing else may rest on it.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from opencc import OpenCC

GUESSES: Final = ("zh-Hant", "zh-Hans", "zh", "en", "other")
"""What `guess` may answer."""

LOOKED_AT: Final = 80

_HAN, _KANA_OR_HANGUL, _ASCII_LETTER, _OTHER_LETTER, _TRADITIONAL, _SIMPLIFIED = (1 << place for place in range(6))
"""What a character may be, as bits. The last two are those that only traditional, and only simplified writing has."""
_HAN_RANGES: Final = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
_KANA_OR_HANGUL_RANGES: Final = ((0x3040, 0x30FF), (0xAC00, 0xD7AF))
_BITS: Final = 21
"""So many hold any character."""


def guess(text: str) -> str:
    """One of GUESSES, by the first LOOKED_AT characters."""
    return guesses([text])[0]


def guesses(texts: Sequence[str]) -> list[str]:
    """`guess` of each text."""
    heads = "".join([text[:LOOKED_AT].ljust(LOOKED_AT, "\0") for text in texts])
    codes = np.frombuffer(heads.encode("utf-32-le", "surrogatepass"), np.uint32).reshape(-1, LOOKED_AT)
    kinds = _kinds().take(codes)
    seen = np.bitwise_or.reduce(kinds, axis=1)
    found = [_ANSWERS[each] for each in seen.tolist()]
    mixed = np.flatnonzero(seen & _TRADITIONAL & (seen >> 5 << 4))
    for place, more in zip(mixed.tolist(), _more_traditional(codes[mixed]), strict=True):
        if found[place] == "zh":
            found[place] = "zh" if more == 0 else "zh-Hant" if more > 0 else "zh-Hans"
    return found


def _answer(seen: int) -> str:
    """The guess where these kinds were seen; "zh" where characters of both ways of writing must be counted."""
    if seen & _KANA_OR_HANGUL:
        return "other"
    if seen & _HAN:
        if bool(seen & _TRADITIONAL) == bool(seen & _SIMPLIFIED):
            return "zh"
        return "zh-Hant" if seen & _TRADITIONAL else "zh-Hans"
    return "en" if seen & _ASCII_LETTER and not seen & _OTHER_LETTER else "other"


_ANSWERS: Final = tuple(_answer(seen) for seen in range(1 << 6))


def _more_traditional(codes: NDArray[np.uint32]) -> list[int]:
    """By how many characters, each counted once, a row has more of traditional than of simplified writing."""
    rows, columns = np.nonzero(_kinds().take(codes) & (_TRADITIONAL | _SIMPLIFIED))
    pairs = np.unique(rows << _BITS | codes[rows, columns])
    kinds = _kinds().take(pairs & (1 << _BITS) - 1)
    each = np.where(kinds & _TRADITIONAL, 1, -1)
    more: list[int] = np.bincount(pairs >> _BITS, each, len(codes)).astype(int).tolist()
    return more


@cache
def _kinds() -> NDArray[np.uint8]:
    """What every character may be, by its number."""
    letters = [chr(code).isalpha() for code in range(0x110000)]
    kinds = np.where(letters, np.uint8(_OTHER_LETTER), np.uint8(0))
    kinds[:128] = np.where(letters[:128], _ASCII_LETTER, 0)
    traditional, simplified = _only()
    marks: list[tuple[int, Any]] = [
        (_TRADITIONAL, [ord(char) for char in traditional]),
        (_SIMPLIFIED, [ord(char) for char in simplified]),
        *((_HAN, slice(first, last + 1)) for first, last in _HAN_RANGES),
        *((_KANA_OR_HANGUL, slice(first, last + 1)) for first, last in _KANA_OR_HANGUL_RANGES),
    ]
    for kind, where in marks:
        kinds[where] |= np.uint8(kind)
    return kinds


@cache
def _only() -> tuple[frozenset[str], frozenset[str]]:
    """The characters that only traditional, and only simplified writing has."""
    han = [chr(code) for code in range(0x4E00, 0xA000)]
    to_simple = dict(zip(han, OpenCC("t2s").convert("\n".join(han)).split("\n"), strict=True))
    to_traditional = dict(zip(han, OpenCC("s2t").convert("\n".join(han)).split("\n"), strict=True))
    traditional = frozenset(char for char in han if to_simple[char] != char == to_traditional[char])
    simplified = frozenset(char for char in han if to_traditional[char] != char == to_simple[char])
    return traditional, simplified

"""A guess at what a text is written in, from its first characters alone. It takes microseconds, and knows no words.

"zh-Hant" and "zh-Hans" have more characters that only the one way of writing has (OpenCC's tables t2s and s2t); "zh" is
Chinese with no such character, or as many of each; "en" is any text whose letters are those of ASCII; "other" is the
rest, with the texts that have no letters at all. A report counts by it; nothing else may rest on it.
"""

import re
from functools import cache
from typing import Final

from opencc import OpenCC

GUESSES: Final = ("zh-Hant", "zh-Hans", "zh", "en", "other")
"""What `guess` may answer."""

LOOKED_AT: Final = 80

_HAN: Final = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA_OR_HANGUL: Final = re.compile("[\u3040-\u30ff\uac00-\ud7af]")
_ASCII_LETTER: Final = re.compile("[A-Za-z]")


def guess(text: str) -> str:
    """One of GUESSES, by the first LOOKED_AT characters."""
    text = text[:LOOKED_AT]
    if not text.isascii():
        if _KANA_OR_HANGUL.search(text):
            return "other"
        if _HAN.search(text):
            return _chinese(set(text))
        if any(char.isalpha() and not char.isascii() for char in text):
            return "other"
    return "en" if _ASCII_LETTER.search(text) else "other"


def _chinese(chars: set[str]) -> str:
    traditional, simplified = _only()
    hant, hans = len(chars & traditional), len(chars & simplified)
    if hant == hans:
        return "zh"
    return "zh-Hant" if hant > hans else "zh-Hans"


@cache
def _only() -> tuple[frozenset[str], frozenset[str]]:
    """The characters that only traditional, and only simplified writing has."""
    han = [chr(code) for code in range(0x4E00, 0xA000)]
    to_simple = dict(zip(han, OpenCC("t2s").convert("\n".join(han)).split("\n"), strict=True))
    to_traditional = dict(zip(han, OpenCC("s2t").convert("\n".join(han)).split("\n"), strict=True))
    traditional = frozenset(char for char in han if to_simple[char] != char == to_traditional[char])
    simplified = frozenset(char for char in han if to_traditional[char] != char == to_simple[char])
    return traditional, simplified

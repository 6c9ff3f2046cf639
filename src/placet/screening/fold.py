"""Readings of a text in which disguises fall away: folded (one character for one) and squeezed (shorter, with a map).

Both are one look-up per character in a table over all code points, done by numpy on the UTF-32 form of the text. NFKC
and Python loops over characters would cost ten times what the matching costs, so no text passes through them; they are
used once, to build the tables (about a quarter of a second and 9 MB, at first use).

*Folded* maps each character to one character: compatibility forms (NFKC where it gives one character, Unicode annex
15), case (full case folding where it gives one character, Unicode section 3.13), digits of other scripts, traditional
to simplified Chinese (OpenCC `t2s`, single characters), and letters of other scripts that are drawn like Latin ones (a
subset of Unicode technical standard 39, confusables). Folding twice is folding once.

*Squeezed* folds, takes the accents off, leaves out everything that is not a letter or a digit (white space,
punctuation, symbols, emoji, combining marks, controls, default-ignorable characters) and writes a run of one repeated
character once. It is a function of the folded reading: texts that fold alike squeeze alike.
"""

import unicodedata
from bisect import bisect_right
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from opencc import OpenCC

Codes = NDArray[np.uint32]

BARRIER: Final = "\U0010ffff"
"""Stands between joined texts. A noncharacter; in submitted text it is read as U+FFFD, so that it cannot be forged."""
REPLACEMENT: Final = "\ufffd"

_SIZE: Final = 0x110000
_CODE: Final = np.dtype("<u4")
_SURROGATES: Final = slice(0xD800, 0xE000)

# Where the Unicode tables say anything about single characters: planes 0 and 1, and the compatibility ideographs of
# plane 2. Looking at these alone makes building the tables eight times faster.
_CHARTED: Final = ((0x0000, 0x20000), (0x2F800, 0x2FA20))
_HAN: Final = ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0x20000, 0x323B0))

# Unicode, DerivedCoreProperties.txt: Default_Ignorable_Code_Point, the part that is not of category Cf already.
_IGNORABLE: Final = (
    *((0x034F, 0x0350), (0x115F, 0x1161), (0x17B4, 0x17B6), (0x180B, 0x1810), (0x2065, 0x2066), (0x3164, 0x3165)),
    *((0xFE00, 0xFE10), (0xFFA0, 0xFFA1), (0xFFF0, 0xFFF9), (0xE0000, 0xE1000)),
)

# Scripts written without spaces between words: Han, kana, hangul, bopomofo, Yi, Thai, Lao, Myanmar, Khmer. A term has
# no word boundary in them.
_UNSPACED: Final = (
    *((0x0E00, 0x0F00), (0x1000, 0x10A0), (0x1100, 0x1200), (0x1780, 0x1800), (0x2E80, 0xA4D0), (0xA960, 0xA980)),
    *((0xAC00, 0xD800), (0xF900, 0xFB00), (0xFE30, 0xFE50), (0x1AFF0, 0x1B300), (0x20000, 0x40000)),
)
_UNSPACED_EDGES: Final = [edge for block in _UNSPACED for edge in block]

# Pairs from the confusables data of Unicode technical standard 39, written as "looks like this": "is drawn as these".
# Lower case suffices: case is folded first.
_LOOKALIKES: Final = {
    "a": "аɑα",  # Cyrillic a, Latin alpha, Greek alpha
    "b": "Ьь",  # Cyrillic soft sign
    "c": "сϲᴄⅽ",
    "d": "ԁⅾ",
    "e": "еҽ℮",
    "f": "ẝꞙ",
    "g": "ɡցᶃ",
    "h": "һհ",
    "i": "іıιɩ",  # Ukrainian i, dotless i, Greek iota, Latin iota
    "j": "јϳ",
    "k": "кκ",
    "l": "ⅼӏ",
    "m": "м",
    "n": "ոո",
    "o": "оοօσ",
    "p": "рρ",
    "q": "ԛզ",
    "r": "гᴦ",
    "s": "ѕꜱ",
    "t": "тτ",
    "u": "υսʋ",
    "v": "ѵνᴠ",
    "w": "ԝᴡѡ",
    "x": "хχ",
    "y": "уүγ",
    "z": "ᴢ",
}

# Letters in a frame that NFKC leaves alone or expands: the first code point of each alphabet from A to Z.
_FRAMED_ALPHABETS: Final = (0x249C, 0x1F110, 0x1F130, 0x1F150, 0x1F170)


class Tables(NamedTuple):
    """The two look-up tables, each of shape (0x110000,), dtype uint32. In `squeeze`, 0 means: leave this out."""

    fold: Codes
    squeeze: Codes


@cache
def tables() -> Tables:
    """The tables, built at first use and shared by all threads."""
    every = np.arange(_SIZE, dtype=_CODE)
    chars = "".join(_decode(every[first:end]) for first, end in _CHARTED)
    fold = _closed(_one_to_one(every, chars))
    fold[_SURROGATES] = ord(REPLACEMENT)
    bare = _closed(fold[_moved(every, _accents(chars))])
    squeeze = np.where(_kept(chars)[fold], bare[fold], 0).astype(_CODE)
    squeeze[ord(BARRIER)] = ord(BARRIER)
    return Tables(fold, squeeze)


def _decode(codes: Codes) -> str:
    return codes.tobytes().decode("utf-32-le", "surrogatepass")


def encode(text: str) -> Codes:
    """The code points of a text, shape (len(text),). Lone surrogates are code points like others."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), _CODE)


def _one_to_one(every: Codes, chars: str) -> Codes:
    """One round of every mapping, in the order compatibility, case, digits, Chinese, look-alikes."""
    table = every
    for step in (_compatibility(chars), _case(chars), _digits(chars), _simplified(), _lookalikes()):
        table = _moved(every, step)[table]
    return table


def _moved(every: Codes, step: dict[int, int]) -> Codes:
    table = every.copy()
    table[list(step)] = list(step.values())
    return table


def _compatibility(chars: str) -> dict[int, int]:
    pairs = ((c, unicodedata.normalize("NFKC", c)) for c in chars)
    return {ord(c): ord(n) for c, n in pairs if n != c and len(n) == 1}


def _case(chars: str) -> dict[int, int]:
    pairs = ((c, c.casefold()) for c in chars)
    return {ord(c): ord(f) for c, f in pairs if f != c and len(f) == 1}


def _digits(chars: str) -> dict[int, int]:
    pairs = ((c, unicodedata.digit(c, None)) for c in chars if not c.isascii() and c.isdigit())
    return {ord(c): ord("0") + d for c, d in pairs if d is not None}


def _simplified() -> dict[int, int]:
    """Single characters by OpenCC's t2s; one a line, so that no phrase rule of OpenCC can span two of them."""
    han = [chr(code) for first, end in _HAN for code in range(first, end)]
    simple = OpenCC("t2s").convert("\n".join(han)).split("\n")
    return {ord(t): ord(s) for t, s in zip(han, simple, strict=True) if s != t and len(s) == 1}


def _lookalikes() -> dict[int, int]:
    drawn = {ord(c): ord(latin) for latin, others in _LOOKALIKES.items() for c in others}
    framed = {first + i: ord("a") + i for first in _FRAMED_ALPHABETS for i in range(26)}
    return drawn | framed


def _closed(table: Codes) -> Codes:
    """Follow the table until nothing moves, so that one look-up is as good as many."""
    while not np.array_equal(further := table[table], table):
        table = further
    return table


def _accents(chars: str) -> dict[int, int]:
    """The base letter of each letter that decomposes (NFD) into a base and nonspacing marks."""
    bases = {}
    for c in chars:
        if unicodedata.decomposition(c):
            first, *marks = list(unicodedata.normalize("NFD", c))
            if marks and all(unicodedata.category(m) == "Mn" for m in marks):
                bases[ord(c)] = ord(first)
    return bases


def _kept(chars: str) -> NDArray[np.bool_]:
    """Which characters the squeezed reading keeps: letters and digits that a reader can see."""
    kept = np.zeros(_SIZE, dtype=np.bool_)
    kept[0x20000:0x3FFFE] = True  # ideographs, also those newer than this Python's Unicode tables
    kept[[ord(c) for c in chars if unicodedata.category(c)[0] in "LN"]] = True
    for first, end in _IGNORABLE:
        kept[first:end] = False
    kept[0x02B9:0x0300] = False  # modifier letters: spacing apostrophes, tone and stress marks
    return kept


def fold(text: str) -> str:
    """The folded reading: as many characters as the text, so that offsets carry over unchanged."""
    folded: Codes = tables().fold.take(encode(text))
    return _decode(folded)


def squeeze(text: str) -> str:
    """The squeezed reading of one text, without the map back."""
    return Buffer(BARRIER + text).squeezed


def scalar(text: str) -> str:
    """The text with each lone surrogate replaced by U+FFFD: as many characters, and encodable as UTF-8."""
    codes = encode(text).copy()
    codes[(codes >= _SURROGATES.start) & (codes < _SURROGATES.stop)] = ord(REPLACEMENT)
    return _decode(codes)


def is_word(folded_char: str) -> bool:
    """Whether a (folded) character is a letter or digit of a script that puts spaces between words."""
    return folded_char.isalnum() and _spaced(ord(folded_char))


def _spaced(code: int) -> bool:
    return bisect_right(_UNSPACED_EDGES, code) % 2 == 0


def is_invisible(char: str) -> bool:
    """Whether a character draws nothing of its own: a combining mark, a format control, a default-ignorable."""
    return unicodedata.category(char) in ("Mn", "Me", "Cf") or any(
        first <= ord(char) < end for first, end in _IGNORABLE
    )


class Buffer:
    """Texts joined for one pass, each with BARRIER before it, and their readings, computed when they are asked for."""

    __slots__ = ("_changes", "_folded", "_map", "image", "raw", "squeezed")

    def __init__(self, raw: str) -> None:
        """`raw` begins with BARRIER: so every run has a predecessor to differ from."""
        self.raw = raw
        image: Codes = tables().squeeze.take(encode(raw))
        kept = image[image.astype(np.bool_)]  # a third of the time that `image != 0` takes on a short text
        self._changes = kept[1:] != kept[:-1]
        self._folded: str | None = None
        self._map: tuple[NDArray[np.intp], NDArray[np.intp]] | None = None
        self.image = image
        """For each character its squeezed form, 0 where it is left out. Shape (len(raw),)."""
        self.squeezed: str = kept[1:][self._changes].tobytes().decode("utf-32-le")
        """The squeezed reading, without the leading barrier."""

    @property
    def folded(self) -> str:
        """The folded reading; offsets are those of `raw`."""
        if self._folded is None:
            self._folded = fold(self.raw)
        return self._folded

    def extent(self, start: int, end: int) -> tuple[int, int]:
        """The part of `raw` that became squeezed[start:end]: from its first to its last kept character."""
        if self._map is None:
            self._map = (self.image.nonzero()[0], self._changes.nonzero()[0])
        kept, before = self._map  # before[i]: the place in `kept` right before run i
        last = before[end] if end < len(before) else -1
        return int(kept[before[start] + 1]), int(kept[last]) + 1

    def is_word(self, at: int) -> bool:
        """Whether a letter or digit of a script that puts spaces between words stands there in `raw`."""
        code = int(self.image[at])
        return 0 < code < 0x40000 and _spaced(code)  # beyond the planes of letters there is only the barrier

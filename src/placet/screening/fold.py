"""Readings of a text in which disguises fall away: folded (one character for one) and squeezed (shorter, with a map).

Both are one look-up per character in a table over all code points, done by numpy on the UTF-32 form of the text. NFKC
and Python loops over characters would cost ten times what the matching costs, so no text passes through them; they are
used once, to build the tables (about a quarter of a second and 9 MB, at first use).

*Folded* maps each character to one character: compatibility forms (NFKC where it gives one character, Unicode annex
15), case (full case folding where it gives one character, Unicode section 3.13), digits of other scripts, traditional
to simplified Chinese (OpenCC `t2s`, single characters), and letters of other scripts that are drawn like Latin ones
(Unicode technical standard 39, confusables). Folding twice is folding once. `differences` says which of these two
texts that fold alike need in order to be read alike.

*Squeezed* folds, takes the accents off, leaves out everything that is not a letter or a digit (white space,
punctuation, symbols, emoji, combining marks, controls, default-ignorable characters) and writes a run of one repeated
character once. It is a function of the folded reading: texts that fold alike squeeze alike.
"""

import codecs
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from opencc import OpenCC

from placet.screening import loops
from placet.screening.kept import decoded, encoded, kept
from placet.screening.lists import ViewName

Codes = NDArray[np.uint32]

BARRIER: Final = "\uffff"
"""Stands between joined texts. A noncharacter; in submitted text it is read as U+FFFD, so that it cannot be forged."""
REPLACEMENT: Final = "\ufffd"
BREAK: Final = f"\n{BARRIER}\n"
"""Stands around and between texts that are searched together: at its ends a line begins and ends, as a text does."""

_VERSION: Final = 1
"""Must change with what this module makes of the same data."""
_SIZE: Final = 0x110000
_SHORT: Final = 256
"""Up to about so many characters the fixed cost of a call outweighs its work."""
_CODE: Final = np.dtype(np.uint32)
_EMPTY: Final = np.empty(0, _CODE)
_frombuffer: Final = np.frombuffer
_utf32_encode: Final = codecs.utf_32_le_encode if np.dtype("<u4").isnative else codecs.utf_32_be_encode
_utf32_decode: Final = codecs.utf_32_le_decode if np.dtype("<u4").isnative else codecs.utf_32_be_decode
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

# Letters in a frame that NFKC leaves alone or expands: the first code point of each alphabet from A to Z.
_FRAMED_ALPHABETS: Final = (0x249C, 0x1F110, 0x1F130, 0x1F150, 0x1F170)


class Tables(NamedTuple):
    """The two look-up tables, each of shape (0x110000,), dtype uint32. In `squeeze`, 0 means: leave this out."""

    fold: Codes
    squeeze: Codes


class Steps(NamedTuple):
    """What folds, apart: from code point to code point, each step once through. Only what changes is named."""

    plain: Mapping[int, int]
    """Compatibility forms, then case."""
    traditional: Mapping[int, int]
    shapes: Mapping[int, int]
    """Digits of other scripts, and letters that are drawn like Latin ones."""
    accents: Mapping[int, int]
    """Letters without their marks: for the squeezed reading alone."""


@cache
def steps() -> Steps:
    """The steps, built at first use or as they were kept."""
    return Steps(*decoded(kept("steps", [versions()], lambda: encoded(_steps()))))


def _steps() -> Steps:
    chars = _chars()
    compatible, case = _compatibility(chars), _case(chars)
    plain = case | {code: case.get(other, other) for code, other in compatible.items()}
    return Steps(plain, _simplified(), _digits(chars) | _lookalikes(), _accents(chars))


@cache
def tables() -> Tables:
    """The tables, built at first use or as they were kept, and shared by all threads."""
    return Tables(*decoded(kept("readings", [versions()], lambda: encoded(_tables()))))


def versions() -> bytes:
    """What the tables depend on: this module, and the data of Unicode and of the packages that they are built from."""
    packages = " ".join(f"{package} {version(package)}" for package in ("opencc", "confusable_homoglyphs"))
    return f"{_VERSION} {unicodedata.unidata_version} {packages}".encode()


def _tables() -> Tables:
    every = np.arange(_SIZE, dtype=_CODE)
    step = steps()
    fold = every
    for each in (step.plain, step.traditional, step.shapes):
        fold = _moved(every, each)[fold]
    fold = _closed(fold)
    fold[_SURROGATES] = ord(REPLACEMENT)
    bare = _closed(fold[_moved(every, step.accents)])
    squeeze = np.where(_kept(_chars())[fold], bare[fold], 0).astype(_CODE)
    squeeze[ord(BARRIER)] = ord(BARRIER)
    return Tables(fold, squeeze)


def _chars() -> str:
    every = np.arange(_SIZE, dtype=_CODE)
    return "".join(_decode(every[first:end]) for first, end in _CHARTED)


def _decode(codes: Codes) -> str:
    return _utf32_decode(codes.tobytes(), "surrogatepass")[0]


def encode(text: str) -> Codes:
    """The code points of a text, shape (len(text),). Lone surrogates are code points like others."""
    if len(text) < _SHORT:
        return _frombuffer(_utf32_encode(text, "surrogatepass")[0], _CODE) if text else _EMPTY
    return _frombuffer(np.array(text), _CODE)  # four times faster, but for the cost of an array more


def _moved(every: Codes, step: Mapping[int, int]) -> Codes:
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
    """Letters that stand for one Latin letter in the confusables of UTS 39, and letters in frames.

    Case is folded first, so a small letter stands for what it looks like, else for what its capital looks like.
    """
    from confusable_homoglyphs import confusables  # noqa: PLC0415 - it reads its data when it is imported

    small: dict[int, int] = {}
    capital: dict[int, int] = {}
    for char, others in confusables.confusables_data.items():
        latin = next((other["c"] for other in others if len(other["c"]) == 1 and other["c"].isascii()), "")
        folded = char.casefold()
        if not (latin.isalpha() and len(char) == len(folded) == 1 and _may_be_drawn_as_latin(char, folded)):
            continue
        if folded == char:
            small[ord(char)] = ord(latin.lower())
        else:
            capital[ord(folded)] = ord("i" if latin == "l" else latin.lower())  # a capital that is a bar is an I
    framed = {first + i: ord("a") + i for first in _FRAMED_ALPHABETS for i in range(26)}
    return capital | small | framed


def _may_be_drawn_as_latin(char: str, folded: str) -> bool:
    """A letter, other than a modifier, of a script with spaces, and of another than Latin without marks."""
    return char.isalpha() and not folded.isascii() and unicodedata.category(char) != "Lm" and _spaced(ord(char))


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


def differences(quote: str, term: str) -> frozenset[ViewName]:
    """What a reader sees through who takes `quote` for `term`: of "folded", "traditional" and "shapes" those needed.

    Both are equally long, and squeeze alike character by character; their accents do not count.
    """
    needed: set[ViewName] = set()
    for seen, meant in zip(quote, term, strict=True):
        if seen != meant:
            needed |= _difference(ord(seen), ord(meant))
    return frozenset(needed)


@lru_cache(maxsize=4_096)
def _difference(seen: int, meant: int) -> frozenset[ViewName]:
    step = steps()
    ways: tuple[tuple[frozenset[ViewName], tuple[Mapping[int, int], ...]], ...] = (
        (frozenset({"folded"}), ()),
        (frozenset({"traditional"}), (step.traditional,)),
        (frozenset({"shapes"}), (step.shapes,)),
    )
    for views, more in ways:
        if _through(seen, step.plain, step.accents, *more) == _through(meant, step.plain, step.accents, *more):
            return views
    return frozenset({"traditional", "shapes"})


def _through(code: int, *mappings: Mapping[int, int]) -> int:
    """What a code point becomes by these steps, again and again until nothing changes."""
    while True:
        further = code
        for mapping in mappings:
            further = mapping.get(further, further)
        if further == code:
            return code
        code = further


class _Map(NamedTuple):
    """How a text leads to its squeezed reading. n: characters, k: those kept."""

    codes: Codes
    """Shape (n,)."""
    image: Codes
    """For each character its squeezed form, 0 where it is left out. Shape (n,)."""
    at: NDArray[np.intp]
    """Where the kept characters stand. Shape (k,)."""
    changes: NDArray[np.bool_]
    """Whether each kept character but the first is another than the one before. Shape (k - 1,)."""


def _mapped(raw: str) -> tuple[_Map, Codes]:
    """The map, and the squeezed reading without the leading barrier."""
    codes = encode(raw)
    image: Codes = tables().squeeze.take(codes)
    at = image.nonzero()[0] if len(raw) < _SHORT else image.astype(np.bool_).nonzero()[0]
    kept = image.take(at)
    after = kept[1:]
    changes = after != kept[:-1]
    return _Map(codes, image, at, changes), after[changes]


@cache
def _compiled_reading() -> "loops.kernel.Reading":
    return loops.kernel.Reading(tables().squeeze)


class Buffer:
    """Texts joined for one pass, and their readings, computed when they are asked for."""

    __slots__ = ("_before", "_folded", "_map", "raw", "squeezed")

    def __init__(self, raw: str) -> None:
        """`raw` holds BARRIER before each text, or BREAK around it: so every run has a predecessor to differ from."""
        self.raw = raw
        self._map: _Map | None = None
        if loops.kernel:
            self.squeezed = _compiled_reading().squeezed(raw)
            """The squeezed reading, without the leading barrier."""
        else:
            self._map, codes = _mapped(raw)
            self.squeezed = _kept_text(codes)
        self._before: NDArray[np.intp] | None = None
        self._folded: str | None = None

    @property
    def map(self) -> _Map:
        """How `raw` leads to the squeezed reading; most texts hold nothing for which it is asked."""
        if self._map is None:
            self._map = _mapped(self.raw)[0]
        return self._map

    @property
    def codes(self) -> Codes:
        """The code points of `raw`. Shape (len(raw),)."""
        return self.map.codes

    @property
    def image(self) -> Codes:
        """For each character its squeezed form, 0 where it is left out. Shape (len(raw),)."""
        return self.map.image

    @property
    def folded(self) -> str:
        """The folded reading; offsets are those of `raw`."""
        if self._folded is None:
            self._folded = fold(self.raw)
        return self._folded

    def starts(self) -> list[int]:
        """Where the texts begin in a `raw` that has BREAK before each of them."""
        starts: list[int] = ((self.image == ord(BARRIER)).nonzero()[0] + 2).tolist()
        return starts

    def extent(self, start: int, end: int) -> tuple[int, int]:
        """The part of `raw` that became squeezed[start:end]: from its first to its last kept character."""
        before = self._before  # before[i]: the place among the kept characters right before run i
        if before is None:
            before = self._before = self.map.changes.nonzero()[0]
        last = before.item(end) if end < len(before) else -1
        at = self.map.at
        return at.item(before.item(start) + 1), at.item(last) + 1

    def is_word(self, at: int) -> bool:
        """Whether a letter or digit of a script that puts spaces between words stands there in `raw`."""
        code = int(self.image[at])
        return code not in _NO_LETTER and _spaced(code)


_NO_LETTER: Final = (0, ord(BARRIER))


def _kept_text(codes: Codes) -> str:
    """Characters that the squeezed reading keeps, as a string: none of them is NUL or a byte order mark."""
    if len(codes) < _SHORT:
        return codes.tobytes().decode("utf-32")
    text: str = codes.view(f"U{len(codes)}").item()  # three times faster, but for the cost of a type
    return text

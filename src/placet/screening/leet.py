"""Latin words written with digits and symbols for letters: "v1agra", "b!tch", "h3ll0".

The leet reading keeps letters, digits and the symbols that stand for letters, and writes each symbol and digit as the
letter that it stands for. One symbol may stand for two letters ("1" for "i" and "l"), so these two are written alike,
and each place is compared with the term once more. Runs are not drawn together here: "viiiagra" is left to the
squeezed reading, "v 1 a g r a" and "v.1.agra" are seen through.
"""

import re
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from placet.screening import loops
from placet.screening.entries import Entry
from placet.screening.fold import Buffer, Codes, encode, fold, tables
from placet.screening.look import MAX_SLACK, Hit, held_together, stands_free

_STANDS_FOR: Final = {
    "a": "4@",
    "b": "8",
    "c": "¢",
    "e": "3€",
    "g": "9",
    "i": "1!|",
    "l": "1!|£",
    "o": "0",
    "s": "5$",
    "t": "7+",
    "y": "¥",
    "z": "2",
}
"""A letter: the digits and symbols that are written for it."""
_SAME: Final = {"l": "i"}
"""Letters that share a symbol are read as one."""
_LEAST_LETTERS: Final = 4
_LETTER: Final = re.compile("[a-z]")

_UNITS: Final = (
    "k|m|bn?|p|x|s|h|l|g|t|v|w|a|d|st|nd|rd|th|am|pm|ms|ns|us|min|hrs?|"
    "[munkc]?m|[mk]?g|[mcd]l|lbs?|oz|ft|in|yd|mi|km?h|mph|[kmgt]i?b|[kmg]bps|[kmg]?hz|fps|px|pt|dpi|mah|k?wh?|"
    "usd|eur|cny|rmb|hkd|gbp|jpy"
)
_MEASURE: Final = re.compile(rf"[^a-z0-9]*v?[0-9][0-9.,:/+!|$€£¥¢@-]*(?:{_UNITS})?[^a-z0-9]*")
"""A number, version, amount, time or ordinal, with its unit: not a word with digits for letters."""


@cache
def _table() -> Codes:
    """The leet reading of each code point, 0 where it is left out. Shape (0x110000,); 4 MB, built at first use."""
    folding, squeezing = tables()
    letters = np.arange(128, dtype=np.uint32)
    for letter, others in _STANDS_FOR.items():
        for char in (*others, letter):
            if ord(char) < len(letters):
                letters[ord(char)] = ord(_SAME.get(letter, letter))
    read = np.where(squeezing < len(letters), letters[np.minimum(squeezing, len(letters) - 1)], squeezing)
    for letter, others in _STANDS_FOR.items():
        for char in others:
            read[folding == ord(char)] = ord(_SAME.get(letter, letter))
    return read.astype(np.uint32)


def leet_key(folded: str) -> str:
    """The key of a term on the leet reading, "" for a term that has too few Latin letters to be disguised so."""
    if len(_LETTER.findall(folded)) < _LEAST_LETTERS:
        return ""
    return _read(encode(folded))


def _read(codes: Codes) -> str:
    image = _table().take(codes)
    return image.compress(image.astype(np.bool_)).tobytes().decode("utf-32")


@cache
def _compiled_reading() -> "loops.kernel.Reading":
    return loops.kernel.Reading(_table())


class Leet:
    """The leet reading of a buffer, with the map back."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._at: NDArray[np.intp] | None = None
        self.text = _compiled_reading().kept(buffer.raw) if loops.kernel else _read(buffer.codes)

    def extent(self, start: int, end: int) -> tuple[int, int]:
        """The part of the buffer's `raw` that became text[start:end]."""
        if self._at is None:
            self._at = _table().take(self._buffer.codes).nonzero()[0]
        return int(self._at[start]), int(self._at[end - 1]) + 1


def look_for_leet(entry: Entry, buffer: Buffer, start: int, end: int) -> Hit | None:
    """The hit at a place whose leet reading is that of the term, if digits or symbols stand there for letters."""
    if end - start > len(entry.folded) + MAX_SLACK or not stands_free(entry, buffer, start, end):
        return None
    seen, meant = _kept(buffer.raw[start:end]), _kept(entry.folded)
    if not _spelt(seen, meant) or _is_measure(buffer.raw, start, end):
        return None
    between = zip(seen, pairwise(meant), strict=False)  # where the term itself has a gap, any gap will do
    gaps = [(left, gap, right) for (_, gap), ((left, own_gap), (right, _)) in between if not own_gap]
    return Hit.on("leet", start, end, entry) if held_together(gaps) else None


def _kept(text: str) -> list[tuple[str, str]]:
    """Each character that the leet reading keeps, folded and bare, with what stands between it and the next one."""
    codes = encode(text)
    bares, kept = tables().squeeze.take(codes).tolist(), _table().take(codes).tolist()
    found: list[tuple[str, str]] = []
    for char, bare, code in zip(fold(text), bares, kept, strict=True):
        if code:
            found.append((chr(bare) if bare else char, ""))
        elif found:
            found[-1] = (found[-1][0], found[-1][1] + char)
    return found


def _spelt(seen: list[tuple[str, str]], meant: list[tuple[str, str]]) -> bool:
    """Whether the characters spell the term with at least one letter as it is and at least one replaced."""
    letters = replaced = 0
    for (char, _), (letter, _) in zip(seen, meant, strict=True):
        if char in _STANDS_FOR.get(letter, ""):
            replaced += 1
        elif char == letter:
            letters += letter.isalpha()
        else:
            return False
    return letters > 0 and replaced > 0


def _is_measure(raw: str, start: int, end: int) -> bool:
    """Whether the hit is, or lies in, a number with its unit. Looks no further than the word around it."""
    first = max(raw.rfind(" ", max(0, start - MAX_SLACK), start) + 1, start - MAX_SLACK, 0)
    last = raw.find(" ", end, end + MAX_SLACK)
    around = raw[first : last if last >= 0 else end + MAX_SLACK]
    return any(_MEASURE.fullmatch(fold(part)) is not None for part in (raw[start:end], around))

"""Where links or contacts may be: expressions of our own that save most texts a closer look.

They are tried on a reading with one byte for each character: the folded character where that is ASCII, a byte of its
own for each further character that an expression names, one byte for all other ideographs, one for the rest. On UTF-8,
classes of Chinese characters cost Hyperscan up to fifty times as much.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from placet.screening import loops
from placet.screening.engines import MANY, Ends, Hits, Sets, by_place
from placet.screening.fold import BARRIER, Buffer, tables
from placet.screening.lists import Engine

HAN: Final = "\ue000"
"""In a class of an expression: any ideograph."""
UNNAMED: Final = "\ue001"
"""In a class of an expression: any ideograph that no expression names. Unlike the others, no symbol folds to it."""

_BARRIER: Final = 0x00
_FIRST: Final = 0x80
_OTHER: Final = 0xFE
_HAN: Final = 0xFF
IDEOGRAPHS: Final = ((0x3400, 0x4DC0), (0x4E00, 0x9FFD), (0xF900, 0xFA6E), (0x20000, 0x2A6DE))
"""From and up to; newer ones are left out. All are letters, to RE2 as well, so that no class of symbols holds one."""


class Hints:
    """Expressions of RE2's syntax for the folded reading, where no letter is a capital. Immutable once built."""

    def __init__(self, expressions: Sequence[str], engine: Engine = "auto") -> None:
        named = {char for expression in expressions for char in expression if char > "\x7f"}
        self._named = sorted(named - {HAN, UNNAMED})
        narrow = {i: self._narrowed(expression) for i, expression in enumerate(expressions)}
        self._all = frozenset(narrow)
        self._fast = Ends(narrow, narrow=True) if engine != "re2" and Ends.installed else None
        self._slow = None if self._fast else Sets(narrow, narrow=True)
        self._table = self._read()

    def _narrowed(self, expression: str) -> bytes:
        """The expression for the reading with one byte a character."""
        codes = {char: _FIRST + i for i, char in enumerate(self._named)}
        han = bytes(code for char, code in codes.items() if _is_ideograph(ord(char))) + bytes([_HAN])
        ideographs = {HAN: han, UNNAMED: bytes([_HAN])}
        return b"".join(ideographs.get(c) or bytes([codes.get(c, ord(c))]) for c in expression)

    def _read(self) -> NDArray[np.uint8]:
        """The reading of each code point. Shape (0x110000,)."""
        fold = tables().fold
        table = np.where(fold < _FIRST, fold, _OTHER).astype(np.uint8)
        for first, end in IDEOGRAPHS:
            table[first:end] = np.where(table[first:end] == _OTHER, _HAN, table[first:end])
        for i, char in enumerate(self._named):
            table[fold == ord(char)] = _FIRST + i
        table[0] = _OTHER
        table[ord(BARRIER)] = _BARRIER
        return table

    @cached_property
    def _compiled(self) -> "loops.kernel.Narrow":
        return loops.kernel.Narrow(self._table)

    def find(self, texts: Sequence[str], buffer: Buffer) -> Hits:
        """By its place, what may match in a text. The buffer holds all texts, with BREAK around each."""
        data = self._compiled.read(buffer.raw) if loops.kernel else self._table.take(buffer.codes).tobytes()
        ends = self._fast.ends(data) if self._fast else None
        if ends is not None:
            return by_place(ends, data, bytes([_BARRIER]), len(texts)) if ends else {}
        hits = self._slow.hits(data) if self._slow else self._all
        return {place: dict.fromkeys(hits, MANY) for place, text in enumerate(texts) if text} if hits else {}


def _is_ideograph(code: int) -> bool:
    return any(first <= code < end for first, end in IDEOGRAPHS)

"""How alike two texts are, told from short signatures: MinHash over what the squeezed reading keeps.

The squeezed reading (fold.py) makes width, case, script, separators, emoji and invisible characters fall away. Its
shingles, runs of a few characters, are a set: paragraphs in another order have nearly the same. MinHash (Broder 1997)
keeps the least of each of HASHES random orders of that set; the share of equal minima estimates the Jaccard
similarity. Texts are compared only when one of BANDS groups of minima is wholly equal (Indyk and Motwani 1998), so
that a table with one key a band finds them.

Signatures are stored: the constants below belong to the format, and VERSION must change with any of them.
"""

import hashlib
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from placet.model import Item
from placet.screening.fold import Codes, encode, squeeze

VERSION: Final = 1
SHINGLE: Final = 3
"""Characters of a shingle that has any of a script without spaces: two or three of those make a word."""
SHINGLE_SPACED: Final = 5
"""Characters of a shingle of letters and digits only, where three would be nearly the same in all texts."""
HASHES: Final = 64
BANDS: Final = 6
ROWS: Final = 4
"""Minima in a band: two texts of similarity s meet with probability 1 - (1 - s**4)**6: 0.96 at 0.8, 0.32 at 0.5."""
SHORTEST: Final = 24
"""Kept characters of the shortest text that is compared by likeness; a shorter one is compared as a whole."""
LONGEST: Final = 20_000
"""Kept characters that count: the beginning of a longer text."""

_FIRST_UNSPACED: Final = 0x2E80  # CJK radicals; the scripts beyond it are written without spaces
_PRIME: Final = np.uint64(0x100000001B3)
_MULTIPLIERS: Final = np.array(
    [int.from_bytes(hashlib.sha256(b"placet near %d" % i).digest()[:8], "big") | 1 for i in range(HASHES)], np.uint64
)
_CHUNK: Final = 2_048
"""Shingles hashed at once: HASHES times as many 64-bit numbers are a megabyte."""


class Signature(NamedTuple):
    """What is stored of a text."""

    keys: tuple[int, ...]
    """Signed 64-bit keys: texts that share one may be alike. One for a short text, BANDS for others."""
    minima: bytes
    """The lowest byte of each minimum, HASHES bytes; empty for a short text, whose key is of the whole."""


def signature(item: Item) -> Signature | None:
    """The signature of an item's title and body; None where nothing of them is left to compare."""
    kept = squeeze(f"{item.title}\n{item.body}")[:LONGEST]
    if not kept:
        return None
    if len(kept) < SHORTEST:
        return Signature((_signed(hashlib.sha256(b"%d short %s" % (VERSION, kept.encode())).digest()[:8]),), b"")
    minima = _minima(_shingles(kept))
    bands = minima[: BANDS * ROWS].reshape(BANDS, ROWS)
    keys = tuple(
        _signed(hashlib.sha256(b"%d %d " % (VERSION, i) + band.tobytes()).digest()[:8]) for i, band in enumerate(bands)
    )
    return Signature(keys, minima.astype(np.uint8).tobytes())


def similarity(one: bytes, other: bytes) -> float:
    """The estimated Jaccard similarity of two texts by their minima, 0 to 1; one in 256 is equal by chance."""
    if not one or not other:
        return 1.0 if one == other else 0.0
    equal = sum(a == b for a, b in zip(one, other, strict=True)) / HASHES
    return max(0.0, (equal - 1 / 256) / (1 - 1 / 256))


def _signed(digest: bytes) -> int:
    return int.from_bytes(digest, "big", signed=True)


def _shingles(kept: str) -> NDArray[np.uint64]:
    """A 64-bit number for each shingle, each once."""
    codes = encode(kept)
    unspaced = np.concatenate(([0], np.cumsum(codes >= _FIRST_UNSPACED)))
    short, long = _windows(codes, SHINGLE), _windows(codes, SHINGLE_SPACED)
    with_unspaced = unspaced[SHINGLE:] > unspaced[: len(short)]
    without = unspaced[SHINGLE_SPACED:] == unspaced[: len(long)]
    hashed = np.concatenate((short[with_unspaced], long[without]))
    hashed ^= hashed >> np.uint64(29)
    hashed *= np.uint64(0xBF58476D1CE4E5B9)  # splitmix64's finaliser: neighbouring shingles get unrelated numbers
    return np.unique(hashed ^ (hashed >> np.uint64(32)))


def _windows(codes: Codes, length: int) -> NDArray[np.uint64]:
    """A number for every run of that many characters."""
    count = len(codes) - length + 1
    hashed = np.zeros(count, np.uint64)
    for i in range(length):
        hashed = hashed * _PRIME + codes[i : i + count] + np.uint64(1)
    return hashed


def _minima(shingles: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The least of the shingles in each of HASHES orders, little-endian on every machine; shape (HASHES,)."""
    least = np.full(HASHES, np.iinfo(np.uint64).max, np.uint64)
    for first in range(0, len(shingles), _CHUNK):
        orders = shingles[first : first + _CHUNK, None] * _MULTIPLIERS
        orders ^= orders >> np.uint64(32)
        np.minimum(least, orders.min(axis=0), out=least)
    return least.astype("<u8")

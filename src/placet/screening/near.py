"""How alike two texts are, told from short sketches of them: MinHash over what the squeezed reading keeps.

The squeezed reading (fold.py) makes width, case, script, separators, emoji and invisible characters fall away. Its
shingles, runs of a few characters, form a set, so that paragraphs in another order have nearly the same one. A sketch
holds two things of that set (Broder 1997):

- KEYS keys, each of two least values of the set in orders of its own. Two texts of Jaccard similarity s share at least
  one with probability 1 - (1 - s**2)**8: 0.90 at 0.5, 0.99 at 0.65 (locality-sensitive hashing; Indyk, Motwani 1998).
- BINS bytes, one-permutation MinHash (Li, Owen, Zhang 2012): the least shingle of each bin. The share of bins that
  agree, of those that either text fills, estimates the similarity; short texts fill so few that it is nearly exact.

Texts are sketched together, since a dozen calls of numpy cost more than what they do for one short text. Sketches are
stored: the constants below belong to their format, and VERSION must change with any of them.
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from placet.model import Item
from placet.screening.fold import BARRIER, REPLACEMENT, Codes, encode, tables
from placet.screening.markup import visible

VERSION: Final = 1
WIDTH: Final = 7
"""The least width of a shingle; a letter or digit counts 1."""
WIDE: Final = 3
"""What a character of the scripts from U+2E80 on counts: three of them tell as much as seven letters."""
SHORTEST: Final = 16
"""Shingles of the shortest text that is compared by likeness; a shorter one is one shingle as a whole."""
LONGEST: Final = 20_000
"""Kept characters that count: the beginning of a longer text."""
KEYS: Final = 8
BINS: Final = 128

_KEYS_AT: Final = 9
_BINS_AT: Final = _KEYS_AT + 4 * KEYS
SIZE: Final = _BINS_AT + BINS
"""Bytes of a sketch: version, eight bytes of the digest of the text as written, keys, bins."""

_WIDE_FROM: Final = 0x2E80
_BARRIER: Final = ord(BARRIER)
_TOGETHER: Final = 16_384
"""Characters that are sketched together."""
_U64: Final = np.dtype("<u8")
_EMPTY: Final = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_BASE: Final = 0x9E37_79B9_7F4A_7C15
_keys: Final = struct.Struct(f"<{KEYS}I")

Hashes = NDArray[np.uint64]


def _numbers(what: str, count: int) -> Hashes:
    """Odd numbers without a pattern, the same for ever."""
    digests = (hashlib.sha256(f"placet near {what} {i}".encode()).digest() for i in range(count))
    return np.array([int.from_bytes(digest[:8], "little") | 1 for digest in digests], _U64)


def _powers(base: int) -> Hashes:
    """The powers of an odd number, modulo 2**64: as many as characters are sketched at once."""
    powers = np.full(_TOGETHER + LONGEST + 2, base, _U64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


_ORDERS: Final = _numbers("order", 2 * KEYS)[:, None]
_JOINS: Final = _numbers("key", 2 * KEYS).reshape(KEYS, 2)
_POWERS: Final = _powers(_BASE)
_INVERSES: Final = _powers(pow(_BASE, -1, 1 << 64))
_MIX: Final = tuple(_numbers("mix", 3))


def sketches(items: Sequence[Item]) -> list[bytes]:
    """The sketch of each item's title and body, SIZE bytes; empty where no letter or digit of them is left."""
    texts = [_text(item) for item in items]
    found: list[bytes] = []
    for part in _parts(texts):
        found += _sketched(texts[part], items[part])
    return found


def keys_of(sketch: bytes) -> tuple[int, ...]:
    """The keys of a sketch, KEYS numbers of 32 bits: texts that share one may be alike."""
    return _keys.unpack_from(sketch, _KEYS_AT)


def keys_of_all(joined: bytes) -> NDArray[np.uint32]:
    """The keys of many sketches, given one after the other; shape (sketches, KEYS)."""
    rows = np.frombuffer(joined, np.uint8).reshape(-1, SIZE)
    keys: NDArray[np.uint32] = rows[:, _KEYS_AT:_BINS_AT].copy().view("<u4")
    return keys


def similarities(ones: Sequence[bytes], others: Sequence[bytes]) -> list[int]:
    """The estimated Jaccard similarity of each pair of sketches, in per cent."""
    left, right = _bins_of(ones), _bins_of(others)
    filled = (left | right) != 0
    agreeing = np.count_nonzero((left == right) & filled, axis=1)
    shares: list[int] = (100 * agreeing // np.count_nonzero(filled, axis=1)).tolist()
    return shares


def _bins_of(some: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(some), np.uint8).reshape(-1, SIZE)[:, _BINS_AT:]


def identical(one: bytes, other: bytes) -> bool:
    """Whether two sketches are of the same title and body, character by character."""
    return one[:_KEYS_AT] == other[:_KEYS_AT]


# --- texts -------------------------------------------------------------------------------------------------------


def _text(item: Item) -> str:
    """What a reader sees of title and body. Line ends are squeezed out, so it does not matter what joins them."""
    reading = visible(item.body, item.format)
    body = item.body if reading is None else reading.text[: reading.shown]
    return f"{item.title}\n{body}".replace(BARRIER, REPLACEMENT)


def _parts(texts: Sequence[str]) -> Iterator[slice]:
    """The texts in turn, about _TOGETHER characters at once."""
    first = size = 0
    for i, text in enumerate(texts):
        size += min(len(text), LONGEST)
        if size >= _TOGETHER:
            yield slice(first, i + 1)
            first, size = i + 1, 0
    if first < len(texts):
        yield slice(first, len(texts))


def _kept(texts: Sequence[str]) -> Codes:
    """The squeezed readings, joined: BARRIER before each and after the last, and none longer than LONGEST."""
    image: Codes = tables().squeeze.take(encode(f"{BARRIER}{BARRIER.join(texts)}{BARRIER}"))
    codes: Codes = image[image.astype(np.bool_)]
    stays = codes == _BARRIER
    stays[1:] |= codes[1:] != codes[:-1]
    codes = codes[stays]
    if len(codes) <= LONGEST:
        return codes
    ends = (codes == _BARRIER).nonzero()[0].tolist()
    parts = [codes[start : min(end, start + 1 + LONGEST)] for start, end in pairwise(ends)]
    return np.concatenate((*parts, codes[-1:]))


# --- sketches ----------------------------------------------------------------------------------------------------


def _sketched(texts: Sequence[str], items: Sequence[Item]) -> list[bytes]:
    codes = _kept(texts)
    barriers = (codes == _BARRIER).nonzero()[0]
    lengths = np.diff(barriers) - 1
    shingles, owners = _shingles(codes, barriers)
    counts = np.bincount(owners, minlength=len(texts))
    rows = np.empty((len(texts), SIZE), np.uint8)
    rows[:, 0] = VERSION
    rows[:, 1:_KEYS_AT] = np.frombuffer(b"".join(map(_digest, items)), np.uint8).reshape(-1, _KEYS_AT - 1)
    rows[:, _KEYS_AT:_BINS_AT] = _keys_of_sets(shingles, counts).view(np.uint8)
    rows[:, _BINS_AT:] = _bins(shingles, owners, len(texts))
    return [row.tobytes() if length else b"" for row, length in zip(rows, lengths.tolist(), strict=True)]


def _digest(item: Item) -> bytes:
    written = f"{item.title}\0{item.body}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(written, digest_size=_KEYS_AT - 1).digest()


def _shingles(codes: Codes, barriers: NDArray[np.intp]) -> tuple[Hashes, NDArray[np.intp]]:
    """A number for each shingle, and the place of the text that it belongs to, in the order of the texts."""
    unit = codes >= _WIDE_FROM
    width = unit * np.int64(WIDE - 1) + 1
    width[barriers] = WIDTH  # so that every shingle ends at one at the latest
    first = width.cumsum() - width
    holder = np.repeat(np.arange(len(codes)), width)  # of each unit of width, the character that it belongs to
    last = holder[first + (WIDTH - 1)]
    owner = np.zeros(len(codes), np.intp)
    owner[barriers] = 1
    owner = owner.cumsum() - 1
    whole = owner[last] == owner
    whole[barriers] = False
    for start, end, count in zip(barriers + 1, barriers[1:], np.add.reduceat(whole, barriers), strict=False):
        if count < SHORTEST and start < end:  # one shingle, the text as a whole
            whole[start:end] = False
            whole[start], last[start] = True, end - 1
    starts = whole.nonzero()[0]
    sums = np.zeros(len(codes) + 1, _U64)  # of character times power: a part's sum is a polynomial of its characters
    np.cumsum((codes + _MIX[0]) * _MIX[1] * _POWERS[: len(codes)], out=sums[1:])
    hashes = (sums[last[starts] + 1] - sums[starts]) * _INVERSES[starts]
    return _mixed(hashes), owner[starts]


def _mixed(hashes: Hashes) -> Hashes:
    """Every bit of the result depends on every bit given (the finaliser of splitmix64)."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * _MIX[1]
    hashes = (hashes ^ (hashes >> np.uint64(27))) * _MIX[2]
    return hashes ^ (hashes >> np.uint64(31))


def _keys_of_sets(shingles: Hashes, counts: NDArray[np.intp]) -> NDArray[np.uint32]:
    """The keys of each text, shape (texts, KEYS); `counts` says how many of the shingles are of each."""
    least = np.zeros((2 * KEYS, len(counts)), _U64)
    filled = counts.nonzero()[0]
    if len(filled):
        starts = (counts.cumsum() - counts)[filled]
        least[:, filled] = np.minimum.reduceat(shingles * _ORDERS, starts, axis=1)
    pairs = least.reshape(KEYS, 2, -1)
    keys = (pairs[:, 0] * _JOINS[:, :1] + pairs[:, 1] * _JOINS[:, 1:]) >> np.uint64(32)
    return np.ascontiguousarray(keys.T.astype("<u4"))


def _bins(shingles: Hashes, owners: NDArray[np.intp], texts: int) -> NDArray[np.uint8]:
    """Of each text and bin seven bits of the least shingle, marked by an odd number; 0 where there is none."""
    least = np.full(texts * BINS, _EMPTY, _U64)
    np.minimum.at(least, owners * BINS + (shingles % np.uint64(BINS)).astype(np.intp), shingles)
    marks = (least >> np.uint64(7)).astype(np.uint8) | np.uint8(1)
    marks[least == _EMPTY] = 0
    return marks.reshape(texts, BINS)

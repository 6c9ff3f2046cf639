"""Many whole numbers looked up at once: 64-bit keys to places in an array, by numpy alone.

A search in a sorted array takes some twenty steps a key, each a miss of the cache. Here a key has one slot; of keys
that want the same slot the first has it, and the others go to a smaller table of their own, and so on. Before them all
stands a sieve of bits that fits into the processor's cache and answers most questions that end in no.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from placet.screening import loops

Keys = NDArray[np.uint64]
Places = NDArray[np.int64]
Answers = TypeVar("Answers", NDArray[np.uint8], NDArray[np.int64])

_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio (Knuth, TAOCP 6.4: Fibonacci hashing)
_MIXED: Final = np.uint64(32)


def packed(signs: NDArray[np.uint16], starts: Places, length: int) -> Keys:
    """The key of the `length` signs from each start, four at most."""
    key = signs[starts].astype(np.uint64)
    for i in range(1, length):
        key = (key << np.uint64(16)) | signs[starts + i]
    return key


class _Level(NamedTuple):
    keys: Keys
    """The key of each slot; 0 where it is free."""
    places: NDArray[np.int32]
    shift: np.uint64


class KeyTable:
    """Distinct keys, none of them 0, each with its place in the array that it was built from."""

    def __init__(self, levels: Sequence[Sequence[Any]], sieve: NDArray[np.uint8], sieve_shift: int) -> None:
        """What `build` has made, or `state` has given."""
        self._levels = [_Level(keys, places, np.uint64(shift)) for keys, places, shift in levels]
        self._sieve, self._sieve_shift = sieve, np.uint64(sieve_shift)

    @classmethod
    def build(cls, keys: Keys) -> "KeyTable":
        """`keys`: shape (n,). Those that are asked for most should come first."""
        levels: list[_Level] = []
        sieve, sieve_shift = _sieve(keys)
        places = np.arange(len(keys), dtype=np.int32)
        while len(keys):
            bits = max(4, int(2 * len(keys)).bit_length())
            level = _Level(np.zeros(1 << bits, np.uint64), np.zeros(1 << bits, np.int32), np.uint64(64 - bits))
            slots, first = np.unique(_slots(keys, level.shift), return_index=True)
            level.keys[slots] = keys[first]
            level.places[slots] = places[first]
            levels.append(level)
            left = np.ones(len(keys), np.bool_)
            left[first] = False
            keys, places = keys[left], places[left]
        return cls(levels, sieve, int(sieve_shift))

    @property
    def state(self) -> Any:
        """All that there is to it, as lists, numbers and arrays: to be kept."""
        levels = [[level.keys, level.places, int(level.shift)] for level in self._levels]
        return [levels, self._sieve, int(self._sieve_shift)]

    @cached_property
    def compiled(self) -> "loops.kernel.Table":
        """The same for the compiled loops."""
        levels = [(level.keys, level.places, int(level.shift)) for level in self._levels]
        return loops.kernel.Table(levels, self._sieve, int(self._sieve_shift))

    def may(self, keys: Keys) -> NDArray[np.uint8]:
        """Not 0 for each key that is there, and for one in sixteen others. Shape of `keys`."""
        bits = _slots(keys, self._sieve_shift)
        answer: NDArray[np.uint8] = self._sieve[bits >> 3] & _BITS[bits & 7]
        return answer

    def find(self, keys: Keys) -> Places:
        """The place of each key, or -1. Shape of `keys`."""
        found = np.full(len(keys), -1, np.int64)
        asked = self.may(keys).nonzero()[0]
        for level in self._levels:
            if not len(asked):
                break
            wanted = keys[asked]
            slots = _slots(wanted, level.shift)
            there = level.keys[slots]
            held = there == wanted
            found[asked[held]] = level.places[slots[held]]
            asked = asked[(there != 0) & ~held]
        return found


_BITS: Final = np.uint8(1) << np.arange(8, dtype=np.uint8)


def _sieve(keys: Keys) -> tuple[NDArray[np.uint8], np.uint64]:
    """A bit for every sixteenth key at most, set where a key is: small enough for the cache, and most keys end here."""
    size = min(24, max(6, int(16 * len(keys)).bit_length()))
    bits = _slots(keys, np.uint64(64 - size))
    sieve = np.zeros(1 << (size - 3), np.uint8)
    np.bitwise_or.at(sieve, bits >> 3, _BITS[bits & 7])
    return sieve, np.uint64(64 - size)


def _slots(keys: Keys, shift: np.uint64) -> Places:
    mixed = keys ^ (keys >> _MIXED)
    return ((mixed * _SPREAD) >> shift).astype(np.int64)


def asked_together(question: Callable[[Keys], Answers], lots: Sequence[Keys]) -> list[Answers]:
    """The answers to several lots of keys, by one question about all: it costs little more than one about a few."""
    ends = np.cumsum([len(lot) for lot in lots[:-1]])
    return np.split(question(np.concatenate(lots)), ends)


class Groups:
    """Several entries under one key: a table of the distinct keys, and the entries of each side by side."""

    def __init__(self, keys: Keys) -> None:
        """`keys`: shape (n,), of entry 0, 1, 2 …; a key may stand many times. Entries under key 0 are never found."""
        order = np.argsort(keys, kind="stable")
        self.entries = order[np.searchsorted(keys[order], 1) :].astype(np.int32)
        distinct, self._first = np.unique(keys[self.entries], return_index=True)
        self._count = np.diff(np.append(self._first, len(self.entries)))
        self._table = KeyTable.build(distinct)

    @cached_property
    def compiled(self) -> "loops.kernel.Groups":
        """The same for the compiled loops."""
        return loops.kernel.Groups(self._table.compiled, self._first, self._count, self.entries)

    def find(self, keys: Keys) -> tuple[Places, NDArray[np.int32]]:
        """Every entry under every key: the place of the key in `keys`, and the entry. Two arrays of one length."""
        groups = self._table.find(keys)
        asked = (groups >= 0).nonzero()[0]
        if not len(asked):  # nearly always, when texts are screened one by one
            return asked, self.entries[:0]
        groups = groups[asked]
        counts = self._count[groups]
        owners = np.repeat(asked, counts)
        within = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        return owners, self.entries[np.repeat(self._first[groups], counts) + within]

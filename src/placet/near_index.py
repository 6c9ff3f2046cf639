"""Which texts share a key with another: an index in memory, eight bytes for each key of each text.

An entry is one number: a key of 32 bits above the low 32 bits of the text's seq. Entries lie in sorted runs, in which a
key's texts stand together in the order of their seq and are found by bisection; the youngest are in a dictionary until
there are enough of them for a run. Runs of about one size are merged, as in a log-structured merge tree, so that there
are few of them and each entry is moved a few times in all. Nothing here is stored: near_copies.py fills it.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

FRESH: Final = 1_024
"""Texts that make a run."""
_GROWTH: Final = 8
"""A run is merged with the one before it, unless that one is so many times as large."""
_LOW: Final = 0xFFFF_FFFF
_HIGH: Final = np.uint64(32)
"""By how many bits an entry's key is shifted."""

Entries = NDArray[np.uint64]


class NearIndex:
    """Texts by their keys. `add` takes them in the order of their seq, `add_older` what came before all of them."""

    def __init__(self) -> None:
        self.last = -1
        """The highest seq of all."""
        self.floor = 0
        """Texts with a lower seq are not found, and forgotten when their run is merged."""
        self._fresh: dict[int, list[int]] = {}
        self._count = 0
        self._runs: list[Entries] = []

    def __len__(self) -> int:
        """How many entries there are."""
        return sum(map(len, self._runs)) + sum(map(len, self._fresh.values()))

    def add(self, seq: int, keys: Iterable[int]) -> None:
        """Add the next text."""
        self.last = seq
        for key in keys:
            self._fresh.setdefault(key, []).append(seq)
        self._count += 1
        if self._count == FRESH:
            entries = [key << 32 | seq & _LOW for key, seqs in self._fresh.items() for seq in seqs]
            self._fresh, self._count = {}, 0
            self._runs.append(np.sort(np.array(entries, np.uint64)))
            while len(self._runs) > 1 and len(self._runs[-2]) < _GROWTH * len(self._runs[-1]):
                self._merge(2)

    def add_older(self, seqs: Sequence[int], keys: NDArray[np.uint32]) -> None:
        """Add many texts; `keys` has shape (texts, keys of each). Call `settle` when all are there."""
        self.last = max(self.last, *seqs)
        lows = np.array(seqs, np.uint64)[:, None] & np.uint64(_LOW)
        self._runs.append(np.sort((keys.astype(np.uint64) << _HIGH | lows).ravel()))

    def settle(self) -> None:
        """Make one run of all."""
        if len(self._runs) > 1:
            self._merge(len(self._runs))

    def _merge(self, count: int) -> None:
        merged = np.concatenate(self._runs[-count:])
        self._runs[-count:] = []
        merged.sort(kind="stable")  # which notices that it is made of sorted runs
        self._runs.append(self._living(merged))

    def _living(self, entries: Entries) -> Entries:
        if not self.floor:
            return entries
        back = (np.uint64(self.last & _LOW) - entries) & np.uint64(_LOW)  # how far a seq lies before the last
        return entries[back <= np.uint64(self.last - self.floor)]

    def sharing(self, texts: Sequence[Sequence[int]], most: int) -> list[dict[int, int]]:
        """Of each text, given by its keys, the seqs that share keys with it, and how many they share.

        Of the texts that share one key, the oldest and the newest are taken, `most` in all in each run.
        """
        found: list[dict[int, int]] = [{} for _ in texts]
        for shared, keys in zip(found, texts, strict=True):
            for key in keys:
                if seqs := self._fresh.get(key):
                    _count(shared, _some(seqs[bisect_left(seqs, self.floor) :], most))
        wanted = np.array(texts, np.uint64)
        for run in self._runs:
            for text, seqs in self._sharing_in(run, wanted, most):
                _count(found[text], seqs)
        return found

    def _sharing_in(self, run: Entries, wanted: Entries, most: int) -> Iterator[tuple[int, list[int]]]:
        """The place of a text with the seqs that share one of its keys."""
        starts = run.searchsorted(wanted << _HIGH)
        held = run.take(starts, mode="clip") >> _HIGH == wanted
        if not held.any():
            return
        ends = run.searchsorted(wanted[held] << _HIGH | np.uint64(_LOW), "right")
        for text, start, end in zip(held.nonzero()[0].tolist(), starts[held].tolist(), ends.tolist(), strict=True):
            living = self._from_floor(run[start:end])
            places = _some(range(len(living)), most)
            entries = living if len(places) == len(living) else living[list(places)]
            yield text, [self.last - (self.last - entry & _LOW) for entry in entries.tolist()]

    def _from_floor(self, entries: Entries) -> Entries:
        """Of the entries of one key those that are not forgotten."""
        if self.floor >> 32 != self.last >> 32:  # seqs have grown by a bit, and their low ends began anew
            return self._living(entries)
        floor = entries[0] >> _HIGH << _HIGH | np.uint64(self.floor & _LOW)
        return entries[entries.searchsorted(floor) :]


def _some(seqs: Sequence[int], most: int) -> Sequence[int]:
    """The first and the last of them, `most` in all."""
    return seqs if len(seqs) <= most else (*seqs[: most // 2], *seqs[-(most // 2) :])


def _count(shared: dict[int, int], seqs: Iterable[int]) -> None:
    for seq in seqs:
        shared[seq] = shared.get(seq, 0) + 1

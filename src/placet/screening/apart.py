"""Terms of which one or more characters are written as their components (拆字)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import starmap
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from placet.screening import loops
from placet.screening.alike import Signs, likeness
from placet.screening.guesses import LONGEST, NOWHERE, TERM_COST, Evidence, Full, Guess, Places, Vocabulary
from placet.screening.keyed import Groups, KeyTable, packed
from placet.screening.spelling import Spelling


class _Edge(NamedTuple):
    """Signs start to end, which together may be one character."""

    start: int
    end: int
    whole: int


class SplitNet:
    """Terms of which one or more characters are written as their components."""

    def __init__(self, terms: Vocabulary, chosen: NDArray[np.int64]) -> None:
        self._terms = terms
        owners = np.concatenate([chosen[terms.lengths[chosen] > place + 1] for place in range(LONGEST)])
        places = np.repeat(np.arange(LONGEST), [np.sum(terms.lengths[chosen] > p + 1) for p in range(LONGEST)])
        pair = packed(terms.signs, terms.starts[owners] + places, 2)
        self._pairs, self._found = Groups(pair), owners * LONGEST + places
        vocabulary = set(np.unique(terms.signs).tolist())
        wanted = [(row, whole) for row, whole in likeness().made_of if whole in vocabulary]
        self._wholes = Groups(np.array([_row_key(row) for row, _ in wanted], np.uint64))
        self._made = np.array([whole for _, whole in wanted], np.int64)
        begun = {_row_key(row[:size]) for row, _ in wanted for size in range(1, len(row))}
        self._begun = KeyTable.build(np.unique(np.array(sorted(begun), np.uint64)))

    def guesses(self, spelling: Spelling, evidence: Evidence, least: int, full: Full) -> Iterator[Guess]:
        """Guesses of at least that strength, where there is room for them."""
        edges, joined = self._compiled.joined(spelling.signs) if loops.kernel else self._neighbours(spelling.signs)
        if not joined:
            return
        lattice = _Lattice(spelling.signs.tolist(), list(starmap(_Edge, edges)))
        seen: set[tuple[int, int, int]] = set()
        for first, last, found in sorted(joined):
            if full("split", first):
                continue
            term, place = divmod(found, LONGEST)
            row = self._terms.row(term)
            for begin in lattice.back(first, row[:place]):
                for stop in lattice.forward(last, row[place + 2 :]):
                    strength = int(evidence.saved(begin, stop)) - TERM_COST
                    if strength >= least and (begin, stop, term) not in seen:
                        seen.add((begin, stop, term))
                        yield Guess(begin, stop, term, "split", strength)

    @cached_property
    def _compiled(self) -> "loops.kernel.SplitNet":
        own = self._wholes.compiled, self._pairs.compiled, self._begun.compiled
        return loops.kernel.SplitNet(*own, self._made, self._found)

    def _neighbours(self, signs: Signs) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
        """The edges, and the neighbours that stand side by side in a term, one of which at least is an edge."""
        start, end, whole = self._edges(signs)
        joined = list(self._joined(signs, start, end, whole)) if len(start) else []
        return list(zip(start.tolist(), end.tolist(), whole.tolist(), strict=True)), joined

    def _edges(self, signs: Signs) -> tuple[Places, Places, Places]:
        """Start, end and whole of every row of signs that together may be one character."""
        starts, ends, wholes = [NOWHERE], [NOWHERE], [NOWHERE]
        at, keys, length = np.arange(len(signs)), np.zeros(len(signs), np.uint64), 0
        while len(at):
            keys = keys * _ROW_FACTOR + signs[at + length] + np.uint64(1)
            length += 1
            if length > 1:
                asked, entry = self._wholes.find(keys)
                starts.append(at[asked])
                ends.append(at[asked] + length)
                wholes.append(self._made[entry])
            on = np.nonzero(self._begun.may(keys))[0]
            on = on[at[on] + length < len(signs)]
            at, keys = at[on], keys[on]
        return np.concatenate(starts), np.concatenate(ends), np.concatenate(wholes)

    def _joined(self, signs: Signs, start: Places, end: Places, whole: Places) -> Iterator[tuple[int, int, int]]:
        """Two neighbours, one at least an edge, that stand side by side in a term: start, end, which and where."""
        order = np.argsort(end, kind="stable")
        low, high = np.searchsorted(end[order], start), np.searchsorted(end[order], start, side="right")
        right = np.repeat(np.arange(len(start)), high - low)
        within = np.arange(len(right)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
        left = order[np.repeat(low, high - low) + within]
        after, before = np.nonzero(start > 0)[0], np.nonzero(end < len(signs))[0]
        first = np.concatenate((start[left], start[after] - 1, start[before]))
        last = np.concatenate((end[right], end[after], end[before] + 1))
        one = np.concatenate((whole[left], signs[start[after] - 1], whole[before])).astype(np.uint64)
        other = np.concatenate((whole[right], whole[after], signs[end[before]])).astype(np.uint64)
        asked, entry = self._pairs.find((one << np.uint64(16)) | other)
        yield from zip(first[asked].tolist(), last[asked].tolist(), self._found[entry].tolist(), strict=True)


class _Lattice:
    """The signs of a text as written, and beside them the characters that some of them make."""

    def __init__(self, signs: list[int], edges: list[_Edge]) -> None:
        self._signs = signs
        self._from: dict[int, list[_Edge]] = defaultdict(list)
        self._to: dict[int, list[_Edge]] = defaultdict(list)
        for edge in edges:
            self._from[edge.start].append(edge)
            self._to[edge.end].append(edge)

    def plain_at(self, place: int) -> list[_Edge]:
        """The sign that stands there as written."""
        return [_Edge(place, place + 1, self._signs[place])] if place < len(self._signs) else []

    def ending_at(self, place: int) -> list[_Edge]:
        """What ends there."""
        return [*(self.plain_at(place - 1) if place else ()), *self._to[place]]

    def back(self, place: int, row: Sequence[int]) -> Iterator[int]:
        """Where a row of signs begins that ends at the place."""
        if not row:
            yield place
            return
        for edge in self.ending_at(place):
            if edge.whole == row[-1]:
                yield from self.back(edge.start, row[:-1])

    def forward(self, place: int, row: Sequence[int]) -> Iterator[int]:
        """Where a row of signs ends that begins at the place."""
        if not row:
            yield place
            return
        for edge in (*self.plain_at(place), *self._from[place]):
            if edge.whole == row[0]:
                yield from self.forward(edge.end, row[1:])


_ROW_FACTOR: Final = np.uint64(0x100000001B3)  # the FNV prime


def _row_key(row: Sequence[int]) -> int:
    key = 0
    for sign in row:
        key = (key * int(_ROW_FACTOR) + sign + 1) & 0xFFFF_FFFF_FFFF_FFFF
    return key

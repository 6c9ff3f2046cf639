"""Terms of which the characters stand in another order, or with one or two others between them."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import combinations
from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from placet.screening import loops
from placet.screening.alike import Signs
from placet.screening.guesses import NOWHERE, TERM_COST, Evidence, Full, Guess, Places, Vocabulary, words
from placet.screening.keyed import Groups, KeyTable, asked_together
from placet.screening.spelling import Spelling

_MOST_BETWEEN: Final = 2
_LONGEST_SHUFFLED: Final = 6
_BETWEEN_COST: Final = 450
_IN_ORDER_COST: Final = 1_000
"""A term that is only interrupted is most often an ordinary phrase."""
_COMMON: Final = 6_000
_COMMON_COST: Final = 1_500
"""For each sign of a term that is so common that it stands beside anything: one in 400 characters."""
_TURNED_COST: Final = 4_000
"""So are two words of which the second stands first."""


class ShuffledNet:
    """Terms found by which signs they have, in any order, with one or two others between them."""

    def __init__(self, terms: Vocabulary, chosen: NDArray[np.int64]) -> None:
        self._terms = terms
        chosen = chosen[(terms.lengths[chosen] <= _LONGEST_SHUFFLED) & terms.all_han[chosen]]
        sums = np.zeros(len(chosen), np.uint64)
        for place in range(_LONGEST_SHUFFLED):
            longer = np.nonzero(terms.lengths[chosen] > place)[0]
            sums[longer] += _mixed(terms.at(chosen[longer], place))
        self._chosen, self._bags = chosen, Groups(sums)
        alone = words().alone
        self._common = np.zeros(len(chosen), np.int64)
        for place in range(_LONGEST_SHUFFLED):
            longer = np.nonzero(terms.lengths[chosen] > place)[0]
            self._common[longer] += alone[terms.at(chosen[longer], place)] < _COMMON
        self._together = KeyTable.build(_pairs_of(terms, chosen))
        self._windows = [
            (length, between, dropped)
            for length in sorted(set(terms.lengths[chosen].tolist()))
            for between in range(_MOST_BETWEEN + 1 if length < 5 else 2)
            for dropped in combinations(range(1, length + between - 1), between)
        ]
        self._widths = sorted({length + between for length, between, _ in self._windows})

    def guesses(self, spelling: Spelling, evidence: Evidence, least: int, full: Full) -> Iterator[Guess]:
        """Guesses of at least that strength, where there is room for them."""
        if loops.kernel:
            yield from self._compiled_guesses(spelling, evidence, least, full)
            return
        signs, alone = spelling.signs, words().alone
        mixed = _mixed(signs)
        breaks = np.concatenate(([0], np.cumsum(~spelling.han)))
        sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(mixed, dtype=np.uint64)))
        framed = self._framed(signs, breaks)
        for length, between, dropped in self._windows:
            width = length + between
            cost = _window_cost(width, between)
            at = framed.get(width, NOWHERE)
            if not len(at):
                continue
            at = at[evidence.of_width(width)[at] >= least + cost]
            bag, strength = sums[at + width] - sums[at], evidence.of_width(width)[at] - cost
            for place in dropped:
                bag -= mixed[at + place]
                strength = strength - alone[signs[at + place]]
            asked, entry = self._bags.find(bag)
            strength = strength[asked] - _COMMON_COST * self._common[entry]
            strong = np.nonzero(strength >= least)[0]
            for i in strong.tolist():
                if full("shuffled", int(at[asked[i]])):
                    continue
                yield from self._checked(
                    signs, int(at[asked[i]]), width, dropped, int(self._chosen[entry[i]]), int(strength[i]), least
                )

    @cached_property
    def _compiled(self) -> "loops.kernel.ShuffledNet":
        windows = [
            (length, length + between, dropped, _window_cost(length + between, between))
            for length, between, dropped in self._windows
        ]
        mixed = _mixed(np.arange(len(words().alone), dtype=np.uint16))
        own = self._bags.compiled, self._together.compiled, self._chosen, self._common
        return loops.kernel.ShuffledNet(*own, words().alone, mixed, windows, _COMMON_COST)

    def _compiled_guesses(self, spelling: Spelling, evidence: Evidence, least: int, full: Full) -> Iterator[Guess]:
        signs = spelling.signs
        found = self._compiled.windows_of(signs, spelling.han.view(np.uint8), *evidence.explained, least)
        for which, start, term, strength in sorted(found):
            if full("shuffled", start):
                continue
            length, between, dropped = self._windows[which]
            yield from self._checked(signs, start, length + between, dropped, term, strength, least)

    def _framed(self, signs: Signs, breaks: Places) -> dict[int, Places]:
        """By width, where windows of Chinese characters begin whose first and last stand together in a term."""
        size = len(signs)
        widths = [width for width in self._widths if width <= size]
        if not widths:
            return {}
        keys = [_pair_key(signs[: size - width + 1], signs[width - 1 :]) for width in widths]
        framed = {}
        for width, near in zip(widths, asked_together(self._together.may, keys), strict=True):
            last = size - width + 1
            framed[width] = ((near != 0) & (breaks[:last] == breaks[width : width + last])).nonzero()[0]
        return framed

    def _checked(
        self, signs: Signs, start: int, width: int, dropped: tuple[int, ...], term: int, strength: int, least: int
    ) -> Iterator[Guess]:
        """The guess, if its order is that of no ordinary phrase."""
        window = signs[start : start + width].tolist()
        kept = tuple(sign for i, sign in enumerate(window) if i not in dropped)
        row = self._terms.row(term)
        strength -= _reordering(kept, row)
        if strength >= least and sorted(kept) == sorted(row) and tuple(window) != row:
            yield Guess(start, start + width, term, "shuffled", strength)


def _window_cost(width: int, between: int) -> int:
    return TERM_COST + round(_BETWEEN_COST * between * log(width))


def _pair_key(one: Signs, other: Signs) -> NDArray[np.uint64]:
    """A key for two signs in either order."""
    return (np.minimum(one, other).astype(np.uint64) << np.uint64(16)) | np.maximum(one, other)


def _pairs_of(terms: Vocabulary, chosen: Places) -> NDArray[np.uint64]:
    """The keys of every two signs that stand together in a term."""
    found = [np.zeros(0, np.uint64)]
    for first, second in combinations(range(_LONGEST_SHUFFLED), 2):
        longer = chosen[terms.lengths[chosen] > second]
        found.append(_pair_key(terms.at(longer, first), terms.at(longer, second)))
    return np.unique(np.concatenate(found))


def _reordering(seen: Sequence[int], meant: Sequence[int]) -> int:
    """What it costs, beyond the number of orders, that a term stands in this order."""
    if seen == meant:
        return _IN_ORDER_COST
    turned = any(seen == (*meant[i:], *meant[:i]) for i in range(2, len(meant) - 1))
    return _TURNED_COST if turned else 0


def _mixed(signs: Signs) -> NDArray[np.uint64]:
    """A number for each sign such that sums of a few of them tell which they are (splitmix64's finaliser)."""
    mixed = (signs.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))

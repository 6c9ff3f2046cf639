"""How well ordinary words explain a text: the cost of its best segmentation, at every place at once.

A text is evidence of a disguise where words do not explain it. Each run of Chinese characters is cut into the words of
a frequency dictionary (wordfreq: Apache-2.0, its data CC BY-SA 4.0) so that the sum of their costs, -1000 ln p, is
least: a unigram model, solved by dynamic programming (Viterbi) over all runs of all texts in step. Costs are whole
numbers, so that a text costs the same alone as among others.
"""

from collections.abc import Mapping
from functools import cache, cached_property
from math import log
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from placet.screening import loops
from placet.screening.alike import Signs, likeness, signs_of
from placet.screening.keyed import KeyTable, asked_together, packed

Costs = NDArray[np.int64]
Places = NDArray[np.int64]
Mask = NDArray[np.bool_]

_VERSION: Final = 1
"""Changes with whatever the costs of words are built by, so that none is used that was kept before."""
LONGEST: Final = 4
"""Signs of the longest word looked for: a key holds four, and longer words add nothing that could be measured."""
DEAREST_WORD: Final = 11_000
"""No known word of several signs costs more: however rare, it is a word, and explains its characters."""
_UNKNOWN: Final = 20_400
"""A character that the dictionary does not know: one in 10**8, and e**2 less than that."""
_ALONE: Final = 1.1
"""A character on its own costs so much more than its frequency says: in running text most stand in words."""
_NEVER: Final = 1 << 40
_PIECE: Final = 256
"""A longer run is cut piece by piece, so that no text takes more than so many steps."""


class Explained(NamedTuple):
    """What words make of a row of n signs. Both arrays have shape (n + 1,): a value for each boundary between signs."""

    before: Costs
    """The least cost of all that stands before a boundary, if a word ends there."""
    after: Costs
    """The least cost of the whole, less the least cost of all that stands after the boundary if a word begins there."""

    def saved(self, start: Places | int, end: Places | int) -> Costs:
        """How much less the whole would cost if signs start to end were one word that cost nothing."""
        saved: Costs = self.after[end] - self.before[start]
        return saved


class Words:
    """The costs of words, by the signs that they are written with. Immutable once built."""

    def __init__(self, alone: Costs, costs: Costs, table: KeyTable) -> None:
        """What `build` has made, or `state` has given."""
        self.alone = alone
        """The cost of each sign as a word of its own."""
        self._costs, self._table = costs, table

    @classmethod
    def build(cls, costs: Mapping[str, int]) -> "Words":
        """`costs`: of each word; those that stand first are found fastest."""
        signs, lengths = signs_of(list(costs))
        cost = np.fromiter(costs.values(), np.int64, len(costs))
        starts = np.cumsum(lengths) - lengths
        alone = np.full(len(likeness().sounds), _UNKNOWN, np.int64)
        single = lengths == 1
        np.minimum.at(alone, signs[starts[single]], (cost[single] * _ALONE).astype(np.int64))
        keys, values = [], []
        for length in range(2, LONGEST + 1):
            of_length = np.nonzero(lengths == length)[0]
            keys.append(packed(signs, starts[of_length], length))
            values.append(np.minimum(cost[of_length], DEAREST_WORD))
        distinct, first = np.unique(np.concatenate(keys), return_index=True)
        order = np.argsort(first)  # the likeliest first, see KeyTable
        return cls(alone, np.concatenate(values)[first[order]], KeyTable.build(distinct[order]))

    @classmethod
    def made_from(cls) -> list[bytes]:
        """What `build` depends on beside its words and the signs: see kept.kept."""
        return [f"{_VERSION} {LONGEST} {DEAREST_WORD} {_UNKNOWN} {_ALONE}".encode()]

    @property
    def state(self) -> Any:
        """All that there is to it, as lists, numbers and arrays: to be kept."""
        return [self.alone, self._costs, self._table.state]

    def explain(self, signs: Signs, han: Mask, others: Costs) -> Explained:
        """Cut every run of signs for which `han` holds into words; `others` says what each other sign costs.

        All of shape (n,).
        """
        if loops.kernel:
            return Explained(*self._compiled.explain(signs, han.view(np.uint8), others))
        if not han.any():
            whole = np.concatenate(([0], np.cumsum(others)))
            return Explained(whole, whole)
        starts, ends, piece = _pieces(han)
        costs = [self.alone[np.where(han, signs, 0)]]
        costs += self._word_costs(signs, piece)
        prefix, suffix = _cut(starts, ends, costs)
        paid = others.astype(np.int64)
        paid[han] = 0
        paid[ends - 1] = prefix[ends - 1]
        whole = np.concatenate(([0], np.cumsum(paid)))
        before, after = whole.copy(), whole
        at = han.nonzero()[0]
        before[at + 1] = whole[starts[piece[at]]] + prefix[at]
        after[at] = whole[ends[piece[at]]] - suffix[at]
        return Explained(before, after)

    @cached_property
    def _compiled(self) -> "loops.kernel.Explainer":
        return loops.kernel.Explainer(self._table.compiled, self.alone, self._costs, LONGEST, _PIECE)

    def _word_costs(self, signs: Signs, piece: Places) -> list[Costs]:
        """For each length from 2 on what the word costs that begins at each place; _NEVER where there is none."""
        size = len(signs)
        inside = []
        for length in range(2, LONGEST + 1):
            last = max(0, size - length + 1)
            inside.append(((piece[:last] >= 0) & (piece[:last] == piece[length - 1 :])).nonzero()[0])
        keys = [packed(signs, at, length) for length, at in enumerate(inside, 2)]
        found = []
        for at, asked in zip(inside, asked_together(self._table.find, keys), strict=True):
            costs = np.full(size, _NEVER, np.int64)
            known = (asked >= 0).nonzero()[0]
            costs[at[known]] = self._costs[asked[known]]
            found.append(costs)
        return found


def _pieces(han: Mask) -> tuple[Places, Places, Places]:
    """Starts and ends of the runs, long ones cut up; and for each sign its piece, or -1."""
    edges = np.diff(np.concatenate(([False], han, [False])).astype(np.int8))
    firsts, lasts = np.nonzero(edges == 1)[0], np.nonzero(edges == -1)[0]
    count = (lasts - firsts + _PIECE - 1) // _PIECE
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    starts = np.repeat(firsts, count) + within * _PIECE
    ends = np.minimum(starts + _PIECE, np.repeat(lasts, count))
    piece = np.full(len(han), -1, np.int64)
    piece[han] = np.repeat(np.arange(len(starts)), ends - starts)
    return starts, ends, piece


def _cut(starts: Places, ends: Places, costs: list[Costs]) -> tuple[Costs, Costs]:
    """The least cost of each piece up to and with each sign, and from each sign on. All pieces go in step."""
    order = np.argsort(starts - ends, kind="stable")
    lengths = (ends - starts)[order]
    size = len(costs[0])
    prefix, suffix = np.zeros(size, np.int64), np.zeros(size, np.int64)
    first, last = starts[order], ends[order] - 1
    active = np.searchsorted(-lengths, -np.arange(lengths[0]), side="left")  # pieces longer than each step
    for step, count in enumerate(active.tolist()):
        here, there = first[:count] + step, last[:count] - step
        best, rest = costs[0][here], costs[0][there]
        if step:
            best, rest = best + prefix[here - 1], rest + suffix[there + 1]
        for length in range(2, min(LONGEST, step + 1) + 1):
            begin = here - (length - 1)
            word, tail = costs[length - 1][begin], costs[length - 1][there]
            if step >= length:
                word, tail = word + prefix[begin - 1], tail + suffix[there + length]
            best, rest = np.minimum(best, word), np.minimum(rest, tail)
        prefix[here], suffix[there] = best, rest
    return prefix, suffix


@cache
def dictionary() -> dict[str, int]:
    """The words of the frequency dictionary and their costs, likeliest first. Takes half a second."""
    import wordfreq  # noqa: PLC0415 - a tenth of a second that only building needs

    frequencies = wordfreq.get_frequency_dict("zh", "large")
    return {word: round(-1_000 * log(p)) for word, p in frequencies.items() if p > 0}

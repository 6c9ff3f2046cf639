"""Guesses: where a listed term may stand in disguise, and how much better than words it explains the text.

One net a kind of disguise. Each works on all places of all texts at once, and looks one by one only at what has passed
its threshold. Strengths and costs are natural logarithms in thousandths. What each net gets wrong: docs/screening.md.
"""

from collections.abc import Callable, Sequence
from functools import cache, cached_property
from importlib.metadata import version
from typing import Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from placet.screening import loops
from placet.screening.alike import BREAK, SPACE, Signs, likeness, made_from, signs_of
from placet.screening.fold import fold
from placet.screening.kept import decoded, encoded, kept
from placet.screening.keyed import Groups, KeyTable
from placet.screening.lists import TermList, ViewName
from placet.screening.segment import Explained, Words, dictionary
from placet.screening.spelling import Spelling

Places = NDArray[np.int64]
Costs = NDArray[np.int64]

LONGEST: Final = 12
"""Signs of the longest term that is looked for in disguise."""
TERM_COST: Final = 11_513
"""What a listed term costs as a word: one in 100,000."""
_IMPOSSIBLE: Final = 1 << 30
_DEAREST: Final = 1 << 27


@cache
def words() -> Words:
    """The words of the frequency dictionary, shared by all lexicons."""
    parts = [*made_from(), *Words.made_from(), f"wordfreq {version('wordfreq')}".encode()]
    alone, costs, table = decoded(kept("words", parts, lambda: encoded(Words.build(dictionary()).state)))
    return Words(alone, costs, KeyTable(*table))


Full = Callable[[ViewName, int], bool]
"""Whether the text of a sign has no room for a further guess on a view."""


class Guess(NamedTuple):
    """A term that may stand in disguise: signs start to end, and how much better than words it explains them."""

    start: int
    end: int
    term: int
    view: ViewName
    strength: int


class Matches(NamedTuple):
    """Many guesses side by side: arrays of one length."""

    place: Places
    term: Places
    strength: Costs

    def where(self, chosen: NDArray[np.bool_]) -> "Matches":
        """Some of them."""
        return Matches(self.place[chosen], self.term[chosen], self.strength[chosen])

    def distinct(self) -> "Matches":
        """The strongest of each place and term."""
        order = np.lexsort((-self.strength, self.term, self.place))
        sorted_ = Matches(self.place[order], self.term[order], self.strength[order])
        new = np.ones(len(order), np.bool_)
        new[1:] = (np.diff(sorted_.place) != 0) | (np.diff(sorted_.term) != 0)
        return sorted_.where(new)


NOWHERE: Final = np.zeros(0, np.int64)
_NO_MATCHES: Final = Matches(NOWHERE, NOWHERE, NOWHERE)


class Evidence:
    """What words must pay for every stretch of a text, by its length; each length is worked out once."""

    def __init__(self, explained: Explained) -> None:
        self.saved = explained.saved
        self.explained = explained
        self._before, self._after = explained
        self._of_width: dict[int, Costs] = {}
        self._most: dict[tuple[int, int], Costs] = {}

    def of_width(self, width: int) -> Costs:
        """What words must pay for the signs from each place to `width` further on; shape (size - width + 1,)."""
        if width not in self._of_width:
            last = max(0, len(self._before) - width)
            self._of_width[width] = self._after[width:] - self._before[:last]
        return self._of_width[width]

    def most(self, least: int, greatest: int) -> Costs:
        """The most that words must pay from each place on, for any width between these; shape (size,)."""
        key = (least, greatest)
        if key not in self._most:
            size = len(self._before) - 1
            after = np.full(size + greatest, -_IMPOSSIBLE, np.int64)
            after[: max(0, size + 1 - least)] = self._after[least:]
            windows = sliding_window_view(after, greatest - least + 1)[:size]
            self._most[key] = windows.max(axis=1, initial=-_IMPOSSIBLE) - self._before[:-1]
        return self._most[key]


# --- terms -------------------------------------------------------------------------------------------------------


class Vocabulary:
    """The terms that are looked for, as rows of signs."""

    def __init__(self, sources: Sequence[TermList]) -> None:
        named: dict[tuple[int, str], list[str]] = {}
        for number, source in enumerate(sources):
            for term in source.terms:
                named.setdefault((number, fold(term)), []).append(term)
        signs, lengths = signs_of([folded for _, folded in named])
        owners, size = np.repeat(np.arange(len(lengths)), lengths), len(lengths)
        han = np.bincount(owners, (signs > 0) & (signs < likeness().first_emoji), minlength=size)
        holes = np.bincount(owners, (signs == BREAK) | (signs == SPACE), minlength=size)
        kept = np.nonzero((lengths >= 2) & (lengths <= LONGEST) & (han > 0) & (holes == 0))[0]
        keys = list(named)
        self.sources = [sources[keys[i][0]] for i in kept.tolist()]
        self.folded = [keys[i][1] for i in kept.tolist()]
        self.written = [tuple(named[keys[i]]) for i in kept.tolist()]
        """How the list writes each term; nearly always in one way."""
        self.signs, self.starts, self.lengths = signs, (np.cumsum(lengths) - lengths)[kept], lengths[kept]
        self.all_han = han[kept] == lengths[kept]

    def asking(self, *views: ViewName) -> NDArray[np.int64]:
        """The numbers of the terms whose lists ask for any of these views."""
        return np.array([i for i, s in enumerate(self.sources) if not set(views).isdisjoint(s.views)], np.int64)

    @cached_property
    def compiled(self) -> "loops.kernel.Terms":
        """The same for the compiled loops."""
        return loops.kernel.Terms(self.signs, self.starts, self.lengths)

    def row(self, term: int) -> tuple[int, ...]:
        """The signs of one term."""
        return tuple(self.signs[self.starts[term] : self.starts[term] + self.lengths[term]].tolist())

    def rows(self) -> dict[bytes, tuple[int, ...]]:
        """The terms by the bytes of their signs; several where lists have one in common."""
        signs, size = self.signs.tobytes(), self.signs.itemsize
        rows: dict[bytes, tuple[int, ...]] = {}
        for term, (start, length) in enumerate(zip(self.starts.tolist(), self.lengths.tolist(), strict=True)):
            row = signs[size * start : size * (start + length)]
            rows[row] = (*rows.get(row, ()), term)
        return rows

    def at(self, terms: NDArray[np.int64], place: Places | int) -> Signs:
        """The sign that each term has at that place."""
        found: Signs = self.signs[self.starts[terms] + place]
        return found


def row_of(term: str) -> bytes:
    """The bytes of a term's signs, as in `Vocabulary.rows`."""
    return signs_of([fold(term)])[0].tobytes()


# --- likeness: sound and shape -----------------------------------------------------------------------------------


class Alike(NamedTuple):
    """A way in which one sign can stand for another: they share a value. Arrays of shape (signs, slots)."""

    values: NDArray[np.uint16]
    """0 where a sign has no more values."""
    costs: NDArray[np.int32]
    """What it costs that a term's sign is taken for its value."""
    seen_costs: NDArray[np.int32]
    """What it costs that a text's sign is taken for its value and was hit upon among all that share it."""
    least: NDArray[np.int32]
    """The same, but 0 where the sign may be meant itself."""

    digest: NDArray[np.uint64]
    """One bit for each value, shape (signs,): where two have no bit in common, they share no value."""

    def compiled(self) -> "loops.kernel.Alike":
        """The same for the compiled loops."""
        return loops.kernel.Alike(self.values, self.costs, self.seen_costs, self.digest)

    def cost(self, seen: Signs, meant: Signs) -> Costs:
        """What it costs that one stands for the other, shape (n,)."""
        cost = np.full(len(seen), _IMPOSSIBLE, np.int64)
        near = np.nonzero(self.digest[seen] & self.digest[meant])[0]
        cost[near] = self._nearly(seen[near], meant[near])
        cost[seen == meant] = 0
        return cost

    def _nearly(self, seen: Signs, meant: Signs) -> Costs:
        values = self.values[seen]
        shared = (values[:, :, None] == self.values[meant][:, None, :]) & (values != 0)[:, :, None]
        cost = self.seen_costs[seen][:, :, None] + self.costs[meant][:, None, :]
        least: Costs = np.where(shared, cost, _IMPOSSIBLE).min(axis=(1, 2))
        return least


def _digest(values: NDArray[np.uint16]) -> NDArray[np.uint64]:
    bits = np.where(values != 0, np.uint64(1) << (values.astype(np.uint64) % np.uint64(61)), np.uint64(0))
    digest: NDArray[np.uint64] = np.bitwise_or.reduce(bits, axis=1)
    return digest


@cache
def by_sound() -> Alike:
    """Signs that are read alike, without tones."""
    tables = likeness()
    seen = tables.sound_costs + tables.syllable_costs[tables.sounds]
    return Alike(tables.sounds, tables.sound_costs, seen, np.zeros_like(seen), _digest(tables.sounds))


@cache
def by_shape() -> Alike:
    """Characters that have a component in common, or of which one is a component of the other."""
    tables = likeness()
    seen = tables.part_costs[tables.parts]
    itself = tables.parts == np.arange(len(tables.parts))[:, None]
    return Alike(tables.parts, np.zeros_like(seen), seen, np.where(itself, 0, seen), _digest(tables.parts))


class Anchor(NamedTuple):
    """Which signs of a term are looked up first: `size` of them from each offset on, in terms of these lengths."""

    offsets: tuple[int, ...]
    size: int
    shortest: int
    longest: int
    slots: int
    """Values of each sign that are tried, its likeliest first."""
    dearest: int
    """What the disguise of these signs may cost; a dearer one is found from another offset, or not at all."""


SOUND_ANCHORS: Final = (Anchor((0,), 2, 2, 2, 4, _DEAREST), Anchor((0,), 3, 3, LONGEST, 2, _DEAREST))
SHAPE_ANCHORS: Final = (Anchor((0,), 2, 2, 2, 8, _DEAREST), Anchor((0, 1), 2, 3, LONGEST, 4, 8_000))
"""Many characters share a common component: a long term must have two signs side by side that share rarer ones."""


class LikenessNet:
    """Terms found by some of their signs, each of which may be another that is alike."""

    def __init__(self, terms: Vocabulary, chosen: Places, alike: Alike, anchors: Sequence[Anchor]) -> None:
        self._terms = terms
        self._alike = alike
        nets = (_AnchorNet(terms, chosen, alike, anchor) for anchor in anchors)
        self._nets = [net for net in nets if net.lengths]

    def matches(self, spelling: Spelling, evidence: Evidence, least: int) -> Matches:
        """Where terms may stand, each once, of at least that strength."""
        if loops.kernel:
            return self._compiled_matches(spelling, evidence, least)
        found = [self._through(net, spelling, evidence, least) for net in self._nets]
        found = [each for each in found if len(each.place)]
        if not found:  # nearly always, when texts are screened one by one
            return _NO_MATCHES
        return Matches(*(np.concatenate(each) for each in zip(*found, strict=True))).distinct()

    def _compiled_matches(self, spelling: Spelling, evidence: Evidence, least: int) -> Matches:
        found: dict[tuple[int, int], int] = {}
        for net in self._nets:
            net.compiled.add(found, spelling.signs, *evidence.explained, least)
        if not found:
            return _NO_MATCHES
        rows = np.array([(place, term, strength) for (place, term), strength in sorted(found.items())], np.int64)
        return Matches(*rows.T)

    def _through(self, net: "_AnchorNet", spelling: Spelling, evidence: Evidence, least: int) -> Matches:
        budget = evidence.most(net.lengths[0], net.lengths[-1]) - TERM_COST - least
        place, term, offset, cost = net.find(spelling.signs, budget)
        if not len(place):
            return _NO_MATCHES
        lengths = self._terms.lengths[term]
        inside = np.nonzero((place >= 0) & (place + lengths <= len(spelling.signs)))[0]
        place, term, offset, lengths = place[inside], term[inside], offset[inside], lengths[inside]
        strength = evidence.saved(place, place + lengths) - TERM_COST - cost[inside]
        strong = strength >= least
        matches, offset = Matches(place, term, strength).where(strong), offset[strong]
        for other in range(max(net.lengths)):
            if not len(matches.place):
                break
            anchored = (offset <= other) & (other < offset + net.anchor.size)
            left = np.nonzero(~anchored & (self._terms.lengths[matches.term] > other))[0]
            if not len(left):
                continue
            seen = spelling.signs[matches.place[left] + other]
            matches.strength[left] -= self._alike.cost(seen, self._terms.at(matches.term[left], other))
            strong = matches.strength >= least
            matches, offset = matches.where(strong), offset[strong]
        return matches


class _AnchorNet:
    """The terms of some lengths by the values of a few of their signs."""

    def __init__(self, terms: Vocabulary, chosen: Places, alike: Alike, anchor: Anchor) -> None:
        self.anchor = anchor
        self._terms, self._alike = terms, alike
        fit = (terms.lengths[chosen] >= anchor.shortest) & (terms.lengths[chosen] <= anchor.longest)
        chosen = chosen[fit]
        self.lengths = np.unique(terms.lengths[chosen]).tolist()
        self._term = np.tile(chosen, len(anchor.offsets))
        self._offset = np.repeat(anchor.offsets, len(chosen))
        values = alike.values[:, : anchor.slots]
        signs = [terms.at(self._term, self._offset + i) for i in range(anchor.size)]
        self._groups = Groups(_combined([values[each] for each in signs]).ravel())
        self._least = np.where(values == 0, _IMPOSSIBLE // 4, alike.least[:, : anchor.slots])

    @cached_property
    def compiled(self) -> "loops.kernel.AnchorNet":
        """The same for the compiled loops."""
        owners, ways = np.divmod(self._groups.entries, self.anchor.slots**self.anchor.size)
        term = self._term[owners]
        columns = term, self._terms.starts[term], self._terms.lengths[term], ways << 8 | self._offset[owners]
        entries = np.column_stack([each.astype(np.int32) for each in columns])
        least = np.ascontiguousarray(self._least, np.int32)
        own = self._terms.compiled, self._alike.compiled(), self._groups.compiled, entries, least
        return loops.kernel.AnchorNet(*own, self.anchor, self.lengths[0], self.lengths[-1], TERM_COST)

    def find(self, signs: Signs, budget: Costs) -> tuple[Places, Places, Places, Costs]:
        """Where terms may begin, which terms, at which of their signs they were found, and what those cost in disguise.

        `budget`: what a disguise that begins at each place may cost. Most combinations of values are dearer.
        """
        size, slots = self.anchor.size, self.anchor.slots
        places, allowed = self._hopeful(signs, budget)
        seen = [signs[places + i] for i in range(size)]
        costs = _summed([self._least[each] for each in seen])
        rows, ways = np.nonzero(costs <= np.minimum(allowed, self.anchor.dearest)[:, None])
        taken = [ways // slots ** (size - 1 - i) % slots for i in range(size)]
        keys = np.zeros(len(rows), np.uint64)
        for one, slot in zip(seen, taken, strict=True):
            keys = (keys << np.uint64(16)) | self._alike.values[one[rows], slot]
        asked, entry = self._groups.find(keys)
        rows, owner = rows[asked], entry // costs.shape[1]
        term, offset = self._term[owner], self._offset[owner]
        cost = np.zeros(len(rows), np.int64)
        for i in range(size):
            one, other = seen[i][rows], self._terms.at(term, offset + i)
            meant = self._alike.costs[other, entry // slots ** (size - 1 - i) % slots]
            cost += np.where(one == other, 0, self._alike.seen_costs[one, taken[i][asked]] + meant)
        return places[rows] - offset, term, offset, cost

    def _hopeful(self, signs: Signs, budget: Costs) -> tuple[Places, Costs]:
        """Where these signs of a term may stand, and what their disguise may cost there."""
        last = max(0, len(signs) - self.anchor.size + 1)
        most = budget[:last].copy()
        for offset in self.anchor.offsets:
            np.maximum(most[offset:], budget[: max(0, last - offset)], out=most[offset:])
        hopeful = most >= 0
        for i in range(self.anchor.size):
            hopeful &= signs[i : i + last] != BREAK
        places = hopeful.nonzero()[0]
        return places, most[places]


def _combined(values: Sequence[NDArray[np.uint16]]) -> NDArray[np.uint64]:
    """A key for each way to take a value of each: k arrays of shape (n, m) to (n, m ** k). 0 where one has none."""
    keys = values[0].astype(np.uint64)
    for more in values[1:]:
        right = more.astype(np.uint64)[:, None, :]
        both = (keys[:, :, None] << np.uint64(16)) | right
        keys = np.where((keys[:, :, None] != 0) & (right != 0), both, np.uint64(0))
        keys = keys.reshape(len(values[0]), keys.shape[1] * keys.shape[2])
    return keys


def _summed(costs: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
    """What each way to take a value of each costs together: k arrays of shape (n, m) to (n, m ** k)."""
    sums = costs[0]
    for more in costs[1:]:
        sums = sums[:, :, None] + more[:, None, :]
        sums = sums.reshape(len(more), sums.shape[1] * sums.shape[2])
    return sums

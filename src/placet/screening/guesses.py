"""Guesses: where a listed term may stand in disguise, and how much better than words it explains the text.

One net a kind of disguise. Each works on all places of all texts at once, and looks one by one only at what has passed
its threshold. Strengths and costs are natural logarithms in thousandths. What each net gets wrong: docs/screening.md.
"""

from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from functools import cache, lru_cache
from importlib.metadata import version
from itertools import combinations
from math import log
from typing import Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from placet.screening.alike import BREAK, SPACE, Signs, likeness, made_from, signs_of
from placet.screening.fold import fold
from placet.screening.kept import decoded, encoded, kept
from placet.screening.keyed import Groups, KeyTable, asked_together, packed
from placet.screening.lists import TermList, ViewName
from placet.screening.segment import Explained, Words, dictionary
from placet.screening.spelling import LONGEST_WORD, UNKNOWN_WORD, Spelling, english

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


_NOWHERE: Final = np.zeros(0, np.int64)
_NO_MATCHES: Final = Matches(_NOWHERE, _NOWHERE, _NOWHERE)


class Evidence:
    """What words must pay for every stretch of a text, by its length; each length is worked out once."""

    def __init__(self, explained: Explained) -> None:
        self.saved = explained.saved
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
        found = [self._through(net, spelling, evidence, least) for net in self._nets]
        found = [each for each in found if len(each.place)]
        if not found:  # nearly always, when texts are screened one by one
            return _NO_MATCHES
        return Matches(*(np.concatenate(each) for each in zip(*found, strict=True))).distinct()

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


# --- order -------------------------------------------------------------------------------------------------------

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

    def guesses(self, spelling: Spelling, evidence: Evidence, least: int) -> Iterator[Guess]:
        """Guesses of at least that strength."""
        signs, alone = spelling.signs, words().alone
        mixed = _mixed(signs)
        breaks = np.concatenate(([0], np.cumsum(~spelling.han)))
        sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(mixed, dtype=np.uint64)))
        framed = self._framed(signs, breaks)
        for length, between, dropped in self._windows:
            width = length + between
            cost = TERM_COST + round(_BETWEEN_COST * between * log(width))
            at = framed.get(width, _NOWHERE)
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
                yield from self._checked(
                    signs, int(at[asked[i]]), width, dropped, int(self._chosen[entry[i]]), int(strength[i]), least
                )

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


# --- characters taken apart --------------------------------------------------------------------------------------


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

    def guesses(self, spelling: Spelling, evidence: Evidence, least: int) -> Iterator[Guess]:
        """Guesses of at least that strength."""
        start, end, whole = self._edges(spelling.signs)
        if not len(start):
            return
        joined = list(self._joined(spelling.signs, start, end, whole))
        if not joined:
            return
        edges = [_Edge(*each) for each in zip(start.tolist(), end.tolist(), whole.tolist(), strict=True)]
        lattice = _Lattice(spelling.signs.tolist(), edges)
        seen: set[tuple[int, int, int]] = set()
        for first, last, found in joined:
            term, place = divmod(found, LONGEST)
            row = self._terms.row(term)
            for begin in lattice.back(first, row[:place]):
                for stop in lattice.forward(last, row[place + 2 :]):
                    strength = int(evidence.saved(begin, stop)) - TERM_COST
                    if strength >= least and (begin, stop, term) not in seen:
                        seen.add((begin, stop, term))
                        yield Guess(begin, stop, term, "split", strength)

    def _edges(self, signs: Signs) -> tuple[Places, Places, Places]:
        """Start, end and whole of every row of signs that together may be one character."""
        starts, ends, wholes = [_NOWHERE], [_NOWHERE], [_NOWHERE]
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


# --- initials ----------------------------------------------------------------------------------------------------

_LONGEST_INITIALS: Final = 8
_PARTLY: Final = 7_000
"""A word in Latin letters of which the initials are only the beginning or the end."""
_JOINED: Final = 4_000
"""The same where the rest are the initials of another term."""
_VOWEL: Final = 1_000
"""With vowels it may well be a word or a name."""
_LETTER: Final = 1_000
"""What each letter beyond two is worth: fewer words begin so."""


class InitialsNet:
    """Terms written as the first letters of their syllables."""

    def __init__(self, terms: Vocabulary, chosen: NDArray[np.int64]) -> None:
        self._terms: dict[str, list[int]] = {}
        self._hits = lru_cache(maxsize=65_536)(self._read)
        letters = likeness().initials
        first_ascii = likeness().first_ascii
        plain = {first_ascii + i: c for i, c in enumerate("abcdefghijklmnopqrstuvwxyz0123456789")}
        for term in chosen.tolist():
            ways = [""]
            for sign in terms.row(term)[:_LONGEST_INITIALS]:
                ways = [way + c for way in ways for c in letters.get(sign) or plain.get(sign, "")][:8]
            for way in ways:
                if len(way) == terms.lengths[term]:
                    self._terms.setdefault(way, []).append(term)

    def spells(self, letters: str, gone: Container[int]) -> bool:
        """Whether these are the initials of a term that is not gone."""
        return any(term not in gone for term in self._terms.get(letters, ()))

    def guesses(self, spelling: Spelling, least: int, known: Callable[[str], bool]) -> Iterator[Guess]:
        """Guesses of at least that strength; start and end are places in the text.

        `known` says whether letters are the initials of any term.
        """
        for place, word in enumerate(spelling.words):
            hits = self._hits(word) if len(word) <= LONGEST_WORD else self._read(word)
            start = int(spelling.word_start[place]) if hits else 0
            if hits and start + len(word) == spelling.word_end[place]:
                for first, last, rest, terms, strength in hits:
                    whole = strength - (_JOINED if rest and known(rest) else _PARTLY if rest else 0)
                    if whole >= least:
                        for term in terms:
                            yield Guess(start + first, start + last, term, "initials", whole)

    def _read(self, letters: str) -> list[tuple[int, int, str, list[int], int]]:
        """The parts of a word that are initials of terms: start, end, the rest, terms, strength without the rest."""
        known = english().get(letters, UNKNOWN_WORD) - TERM_COST
        found = []
        for start, end in _edges_of(len(letters)):
            part, rest = letters[start:end], letters[end:] or letters[:start]
            if (terms := self._terms.get(part)) and not part.isdigit():
                strength = known + _LETTER * (end - start - 2) - _VOWEL * any(c in "aeiouv" for c in part)
                found.append((start, end, rest, terms, strength))
        return found


def _edges_of(size: int) -> Iterator[tuple[int, int]]:
    """The whole, and every beginning and end of two letters or more."""
    if 2 <= size <= _LONGEST_INITIALS:
        yield 0, size
    for part in range(2, min(size, _LONGEST_INITIALS + 1)):
        yield 0, part
        yield size - part, size

"""Terms in disguise: readings of Chinese text that guess, and how a guess is weighed.

A term is looked for as it sounds (homophones, pinyin, emoji), as it looks, with its characters taken apart, out of
order, or by its initials. Each of these alone would hit on a great deal of ordinary text. So a guess counts only where
it explains the text better than ordinary words do: what the best segmentation pays for the characters (segment.py),
less what a listed term would cost, less what the disguise costs (how many other characters would have done as well),
must be more than a threshold. This is the noisy channel of spelling correction (Kernighan, Church and Gale 1990),
turned round.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from itertools import accumulate
from typing import Final, NamedTuple

import msgspec
import numpy as np

from placet.screening.alike import likeness
from placet.screening.apart import SplitNet
from placet.screening.fold import fold
from placet.screening.guesses import (
    SHAPE_ANCHORS,
    SOUND_ANCHORS,
    Evidence,
    Guess,
    LikenessNet,
    Matches,
    Vocabulary,
    by_shape,
    by_sound,
    row_of,
    words,
)
from placet.screening.initials import InitialsNet
from placet.screening.lists import DISGUISES, VIEWS, Crowded, DisguiseHit, ListChange, TermList, ViewName
from placet.screening.look import covers
from placet.screening.shuffled import ShuffledNet
from placet.screening.spelling import Spelling, english, spell

THRESHOLDS: Final[Mapping[ViewName, int]] = {
    "pinyin": 2_000,
    "split": 0,
    "sound": 2_200,
    "visual": 6_500,
    "shuffled": -800,
    "initials": 1_500,
    "emoji": 6_700,
}
"""How much better than words a guess must explain the text, in thousandths of natural logarithms.

Chosen together, so that on running text without disguises all views err on less than 2 texts in a hundred, with a list
of 1,600 terms that are mostly everyday words: see bench/evasion.py.
"""
_SURE: Final = 1_000
_MOST_SURE: Final = 10
"""A guess scores a point more for each so much above its threshold, and so many more at most."""
_RIVAL: Final = 10_000
"""Of several terms at one place those count that are no weaker than the best by so much."""
_MOST_GUESSES: Final = 1_000
"""Of one view in one text so many are weighed, the first that are found: ordinary text has one in 1,000 characters."""
_MOST_RIVALS: Final = 16
"""No character stands in more guesses of one list than so many."""


class _Index:
    """What looks for the terms of some lists in disguise."""

    def __init__(self, sources: Sequence[TermList]) -> None:
        self.terms = Vocabulary(sources)
        self._rows = self.terms.rows()
        self.struck: frozenset[tuple[str, str]] = frozenset()
        """Lists and terms that were removed from them, as they were written."""
        self.gone: frozenset[int] = frozenset()
        """The terms that are struck in whatever way they were written."""
        sound = self.terms.asking("sound", "pinyin", "emoji")
        shape, split = self.terms.asking("visual"), self.terms.asking("split")
        shuffled, initials = self.terms.asking("shuffled"), self.terms.asking("initials")
        self._sound = LikenessNet(self.terms, sound, by_sound(), SOUND_ANCHORS) if len(sound) else None
        self._shape = LikenessNet(self.terms, shape, by_shape(), SHAPE_ANCHORS) if len(shape) else None
        self._split = SplitNet(self.terms, split) if len(split) else None
        self._shuffled = ShuffledNet(self.terms, shuffled) if len(shuffled) else None
        self._initials = InitialsNet(self.terms, initials) if len(initials) else None

    def without(self, changes: Mapping[str, ListChange]) -> "_Index":
        """The same without the terms that the changes remove."""
        changed = copy(self)
        changed.struck = frozenset((name, term) for name, change in changes.items() for term in change.removed)
        touched = {number for _, term in changed.struck for number in self._rows.get(row_of(term), ())}
        changed.gone = frozenset(number for number in touched if not any(changed.written(number)))
        return changed

    def written(self, term: int) -> Iterator[str]:
        """How its list writes a term, without the ways that are struck."""
        name = self.terms.sources[term].name
        return (way for way in self.terms.written[term] if (name, way) not in self.struck)

    def label(self, term: int) -> str:
        """The label of a term that is not gone: its list's, or the term as the list writes it."""
        return self.terms.sources[term].label or next(self.written(term))

    def guesses(self, spelling: Spelling, evidence: Evidence, room: "_Room") -> Iterator[Guess]:
        """Every guess that explains the signs better than words do."""
        if self._sound:
            least = min(THRESHOLDS["sound"], THRESHOLDS["pinyin"], THRESHOLDS["emoji"])
            yield from self._alike(spelling, self._sound.matches(spelling, evidence, least), room, shape=False)
        if self._shape:
            matches = self._shape.matches(spelling, evidence, THRESHOLDS["visual"])
            yield from self._alike(spelling, matches, room, shape=True)
        if self._split:
            yield from self._split.guesses(spelling, evidence, THRESHOLDS["split"], room.full)
        if self._shuffled:
            yield from self._shuffled.guesses(spelling, evidence, THRESHOLDS["shuffled"], room.full)

    def initials(self, spelling: Spelling, known: Callable[[str], bool]) -> Iterator[Guess]:
        """Terms by their initials; start and end are places in the text, not in the row of signs."""
        return self._initials.guesses(spelling, THRESHOLDS["initials"], known) if self._initials else iter(())

    def knows(self, initials: str) -> bool:
        """Whether a term has these initials."""
        return self._initials is not None and self._initials.spells(initials, self.gone)

    def _alike(self, spelling: Spelling, matches: Matches, room: "_Room", *, shape: bool) -> Iterator[Guess]:
        for start, term, strength in zip(*(each.tolist() for each in matches), strict=True):
            row = self.terms.row(term)
            end = start + len(row)
            view = _seen_as(spelling.signs[start:end].tolist(), row, shape=shape)
            if view is not None and strength >= THRESHOLDS[view] and not room.full(view, start):
                yield Guess(start, end, term, view, strength)

    def holds(self, row: bytes) -> bool:
        """Whether these signs are a term as they stand: then they are no disguise of another."""
        return any(term not in self.gone for term in self._rows.get(row, ()))


def _seen_as(seen: Sequence[int], meant: Sequence[int], *, shape: bool) -> ViewName | None:
    """The view on which a term was found that sounds or looks like what is seen; None where it stands as it is."""
    changed = [s for s, m in zip(seen, meant, strict=True) if s != m]
    if not changed:
        return None
    if shape:
        return "visual"
    tables = likeness()
    if any(tables.first_emoji <= s < tables.first_syllable for s in changed):
        only_one = len(seen) == len(changed) and len(set(seen)) == 1  # a row of one emoji is laughter, not writing
        return None if only_one else "emoji"
    return "pinyin" if all(s >= tables.first_syllable for s in changed) else "sound"


class _Placed(NamedTuple):
    """A guess at its place in the joined texts."""

    strength: int
    start: int
    end: int
    first: int
    last: int
    """Its signs, in the row of all."""
    view: ViewName
    source: TermList
    folded: str
    label: str


class _Room:
    """How many guesses of each view a text still has room for, so that none takes too much time for its length."""

    def __init__(self, firsts: list[int]) -> None:
        """`firsts`: the first sign of each text."""
        self._firsts = firsts
        self._taken: Counter[tuple[int, ViewName]] = Counter()
        self.crowded: set[int] = set()
        """The texts that had more."""

    def full(self, view: ViewName, sign: int) -> bool:
        """Whether the text of a sign has no room for a further guess."""
        place = bisect_right(self._firsts, sign) - 1
        if self._taken[place, view] < _MOST_GUESSES:
            return False
        self.crowded.add(place)
        return True

    def take(self, view: ViewName, sign: int) -> None:
        """One is weighed."""
        self._taken[bisect_right(self._firsts, sign) - 1, view] += 1


class DisguiseIndex:
    """Finds the terms of the lists that ask for a view of DISGUISES, see lists.Disguises."""

    def __init__(self, sources: Sequence[TermList]) -> None:
        words(), english()  # read now, so that no text must wait for them
        self._sources = [source for source in sources if _asks(source)]
        self._built = _Index(self._sources)
        self._indexes: tuple[_Index, ...] = (self._built,)
        self._exceptions = {source.exceptions: _folded(source.exceptions) for source in self._sources}
        self._grows = {source.name: source for source in reversed(sources)}
        """The term list that terms which come are added to: the first of each name."""

    def revised(self, changes: Mapping[str, ListChange]) -> "DisguiseIndex":
        """See lists.Disguises."""
        added = [
            msgspec.structs.replace(source, terms=change.added)
            for name, change in changes.items()
            if change.added and (source := self._grows.get(name)) is not None and _asks(source)
        ]
        changed = DisguiseIndex(())
        changed._sources, changed._built = self._sources, self._built
        changed._exceptions, changed._grows = self._exceptions, self._grows
        changed._indexes = (self._built.without(changes), *([_Index(added)] if added else ()))
        return changed

    def find(self, texts: Sequence[str]) -> Iterator[DisguiseHit | Crowded]:
        """See lists.Disguises."""
        spelling = spell("\n".join(texts))
        if not spelling.han.any() and not spelling.words:
            return
        starts = list(accumulate((len(text) + 1 for text in texts), initial=0))
        by_place: dict[int, list[_Placed]] = defaultdict(list)
        room = _Room(np.searchsorted(spelling.start, starts).tolist())
        for guess in self._placed(spelling, room):
            by_place[bisect_right(starts, guess.start) - 1].append(guess)
        yield from map(Crowded, sorted(room.crowded))
        for place in sorted(by_place):
            for guess in self._chosen(by_place[place], texts[place], starts[place]):
                score = VIEWS[guess.view] + min(_MOST_SURE, (guess.strength - THRESHOLDS[guess.view]) // _SURE)
                span = guess.start - starts[place], guess.end - starts[place]
                yield DisguiseHit(place, *span, guess.source.name, guess.label, guess.view, score)

    def _placed(self, spelling: Spelling, room: _Room) -> Iterator[_Placed]:
        """Every guess on a view that its list asks for."""
        evidence = Evidence(words().explain(spelling.signs, spelling.han, spelling.others))
        for index in self._indexes:
            for guess in index.guesses(spelling, evidence, room):
                row = spelling.signs[guess.start : guess.end].tobytes()
                if not any(each.holds(row) for each in self._indexes):
                    span = int(spelling.start[guess.start]), int(spelling.end[guess.end - 1])
                    room.take(guess.view, guess.start)
                    yield from _asked(index, guess, span, (guess.start, guess.end))
            for guess in index.initials(spelling, self._known):
                first, last = np.searchsorted(spelling.start, (guess.start, guess.end - 1), "right")
                if room.full(guess.view, int(first) - 1):
                    continue
                room.take(guess.view, int(first) - 1)
                yield from _asked(index, guess, (guess.start, guess.end), (int(first) - 1, int(last)))

    def _known(self, initials: str) -> bool:
        return any(index.knows(initials) for index in self._indexes)

    def _chosen(self, guesses: list[_Placed], text: str, offset: int) -> Iterator[_Placed]:
        """The best guesses at each place of a text, without those that an exception excuses."""
        folded = fold(text)
        taken: set[tuple[int, int, str, str]] = set()
        rivals: dict[tuple[str, int], list[int]] = defaultdict(list)
        for guess in sorted(guesses, key=lambda each: (-each.strength, each.start, each.end, each.folded)):
            name = guess.source.name
            places = [rivals[name, sign] for sign in range(guess.first, guess.last)]
            if any(each and (len(each) == _MOST_RIVALS or each[0] > guess.strength + _RIVAL) for each in places):
                continue
            if (guess.start, guess.end, guess.label, name) in taken:
                continue
            taken.add((guess.start, guess.end, guess.label, name))
            for each in places:
                each.append(guess.strength)
            start, end = guess.start - offset, guess.end - offset
            if not any(covers(folded, phrase, start, end) for phrase in self._exceptions[guess.source.exceptions]):
                yield guess


def _asks(source: TermList) -> bool:
    return not DISGUISES.isdisjoint(source.views)


def _asked(index: _Index, guess: Guess, span: tuple[int, int], signs: tuple[int, int]) -> Iterator[_Placed]:
    source = index.terms.sources[guess.term]
    if guess.view in source.views and guess.term not in index.gone:
        folded, label = index.terms.folded[guess.term], index.label(guess.term)
        yield _Placed(guess.strength, *span, *signs, guess.view, source, folded, label)


def _folded(phrases: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({fold(phrase) for phrase in phrases}))

"""Terms in disguise: readings of Chinese text that guess, and how a guess is weighed.

A term is looked for as it sounds (homophones, pinyin, emoji), as it looks, with its characters taken apart, out of
order, or by its initials. Each of these alone would hit on a great deal of ordinary text. So a guess counts only where
it explains the text better than ordinary words do: what the best segmentation pays for the characters (segment.py),
less what a listed term would cost, less what the disguise costs (how many other characters would have done as well),
must be more than a threshold. This is the noisy channel of spelling correction (Kernighan, Church and Gale 1990),
turned round.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

import msgspec

from placet.screening.alike import likeness
from placet.screening.fold import fold
from placet.screening.guesses import (
    SHAPE_ANCHORS,
    SOUND_ANCHORS,
    Evidence,
    Guess,
    InitialsNet,
    LikenessNet,
    Matches,
    ShuffledNet,
    SplitNet,
    Vocabulary,
    by_shape,
    by_sound,
    words,
)
from placet.screening.lists import DISGUISES, VIEWS, DisguiseHit, ListChange, TermList, ViewName
from placet.screening.spelling import Spelling, Token, spell

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
_MOST_RIVALS: Final = 16


class _Index:
    """What looks for the terms of some lists in disguise."""

    def __init__(self, sources: Sequence[TermList]) -> None:
        self.terms = Vocabulary(sources)
        self._rows = {self.terms.row(term) for term in range(len(self.terms.folded))}
        sound = self.terms.asking("sound", "pinyin", "emoji")
        shape, split = self.terms.asking("visual"), self.terms.asking("split")
        shuffled, initials = self.terms.asking("shuffled"), self.terms.asking("initials")
        self._sound = LikenessNet(self.terms, sound, by_sound(), SOUND_ANCHORS) if len(sound) else None
        self._shape = LikenessNet(self.terms, shape, by_shape(), SHAPE_ANCHORS) if len(shape) else None
        self._split = SplitNet(self.terms, split) if len(split) else None
        self._shuffled = ShuffledNet(self.terms, shuffled) if len(shuffled) else None
        self._initials = InitialsNet(self.terms, initials) if len(initials) else None

    def guesses(self, spelling: Spelling, evidence: Evidence) -> Iterator[Guess]:
        """Every guess that explains the signs better than words do."""
        if self._sound:
            least = min(THRESHOLDS["sound"], THRESHOLDS["pinyin"], THRESHOLDS["emoji"])
            yield from self._alike(spelling, self._sound.matches(spelling, evidence, least), shape=False)
        if self._shape:
            matches = self._shape.matches(spelling, evidence, THRESHOLDS["visual"])
            yield from self._alike(spelling, matches, shape=True)
        if self._split:
            yield from self._split.guesses(spelling, evidence, THRESHOLDS["split"])
        if self._shuffled:
            yield from self._shuffled.guesses(spelling, evidence, THRESHOLDS["shuffled"])

    def initials(self, tokens: Iterable[Token]) -> Iterator[Guess]:
        """Terms by their initials; start and end are places in the text, not in the row of signs."""
        return self._initials.guesses(tokens, THRESHOLDS["initials"]) if self._initials else iter(())

    def _alike(self, spelling: Spelling, matches: Matches, *, shape: bool) -> Iterator[Guess]:
        for start, term, strength in zip(*(each.tolist() for each in matches), strict=True):
            row = self.terms.row(term)
            end = start + len(row)
            view = _seen_as(spelling.signs[start:end].tolist(), row, shape=shape)
            if view is not None and strength >= THRESHOLDS[view]:
                yield Guess(start, end, term, view, strength)

    def holds(self, row: Sequence[int]) -> bool:
        """Whether these signs are a term as they stand: then they are no disguise of another."""
        return tuple(row) in self._rows


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
    view: ViewName
    source: TermList
    folded: str
    label: str


class DisguiseIndex:
    """Finds the terms of the lists that ask for a view of DISGUISES, see lists.Disguises."""

    def __init__(self, sources: Sequence[TermList]) -> None:
        self._sources = [source for source in sources if _asks(source)]
        self._indexes: tuple[_Index, ...] = (_Index(self._sources),)
        self._struck: frozenset[tuple[str, str]] = frozenset()
        self._exceptions = {source.exceptions: _folded(source.exceptions) for source in self._sources}
        self._grows = {source.name: source for source in reversed(sources)}
        """The term list that terms which come are added to: the first of each name."""

    def revised(self, changes: Mapping[str, ListChange]) -> "DisguiseIndex":
        """See lists.Disguises."""
        changed = DisguiseIndex(())
        changed._sources, changed._exceptions, changed._grows = self._sources, self._exceptions, self._grows
        added = [
            msgspec.structs.replace(source, terms=change.added)
            for name, change in changes.items()
            if change.added and (source := self._grows.get(name)) is not None and _asks(source)
        ]
        changed._indexes = (self._indexes[0], *([_Index(added)] if added else ()))
        changed._struck = frozenset((name, fold(term)) for name, change in changes.items() for term in change.removed)
        return changed

    def find(self, texts: Sequence[str]) -> Iterator[DisguiseHit]:
        """See lists.Disguises."""
        joined = "\n".join(texts)
        spelling = spell(joined)
        if not spelling.han.any() and not spelling.tokens:
            return
        starts = list(accumulate((len(text) + 1 for text in texts), initial=0))
        by_place: dict[int, list[_Placed]] = defaultdict(list)
        for guess in self._placed(spelling):
            by_place[bisect_right(starts, guess.start) - 1].append(guess)
        for place in sorted(by_place):
            for guess in self._chosen(by_place[place], texts[place], starts[place]):
                score = VIEWS[guess.view] + min(_MOST_SURE, (guess.strength - THRESHOLDS[guess.view]) // _SURE)
                span = guess.start - starts[place], guess.end - starts[place]
                yield DisguiseHit(place, *span, guess.source.name, guess.label, guess.view, score)

    def _placed(self, spelling: Spelling) -> Iterator[_Placed]:
        """Every guess on a view that its list asks for."""
        evidence = Evidence(words().explain(spelling.signs, spelling.han, spelling.others))
        for number, index in enumerate(self._indexes):
            struck = self._struck if number == 0 else frozenset()
            for guess in index.guesses(spelling, evidence):
                if not any(each.holds(spelling.signs[guess.start : guess.end].tolist()) for each in self._indexes):
                    start, end = int(spelling.start[guess.start]), int(spelling.end[guess.end - 1])
                    yield from _asked(index.terms, guess._replace(start=start, end=end), struck)
            for guess in index.initials(spelling.tokens):
                yield from _asked(index.terms, guess, struck)

    def _chosen(self, guesses: list[_Placed], text: str, offset: int) -> Iterator[_Placed]:
        """The best guesses at each place of a text, without those that an exception excuses."""
        folded = fold(text)
        taken: list[_Placed] = []
        for guess in sorted(guesses, key=lambda each: (-each.strength, each.start, each.end, each.folded)):
            rivals = [t for t in taken if t.source.name == guess.source.name and _overlap(t, guess)]
            if len(rivals) >= _MOST_RIVALS or any(t.strength > guess.strength + _RIVAL for t in rivals):
                continue
            if any(
                (t.start, t.end, t.label, t.source.name) == (guess.start, guess.end, guess.label, guess.source.name)
                for t in rivals
            ):
                continue
            taken.append(guess)
            start, end = guess.start - offset, guess.end - offset
            if not any(_covers(folded, phrase, start, end) for phrase in self._exceptions[guess.source.exceptions]):
                yield guess


def _asks(source: TermList) -> bool:
    return not DISGUISES.isdisjoint(source.views)


def _asked(terms: Vocabulary, guess: Guess, struck: frozenset[tuple[str, str]]) -> Iterator[_Placed]:
    source, folded = terms.sources[guess.term], terms.folded[guess.term]
    if guess.view in source.views and (source.name, folded) not in struck:
        label = source.label or terms.written[guess.term]
        yield _Placed(guess.strength, guess.start, guess.end, guess.view, source, folded, label)


def _folded(phrases: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({fold(phrase) for phrase in phrases}))


def _overlap(one: _Placed, other: _Placed) -> bool:
    return one.start < other.end and other.start < one.end


def _covers(folded: str, phrase: str, start: int, end: int) -> bool:
    return folded.find(phrase, max(0, end - len(phrase)), start + len(phrase)) >= 0

"""The close look at a place where a term may stand: whether it does, on which reading, and how sure that is."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice, product
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from placet.screening.entries import Entry, Run, runs_of
from placet.screening.fold import Buffer, differences, fold, is_invisible, is_word
from placet.screening.lists import PROVISIONAL_SCORE, VIEWS, ViewName

MAX_SLACK: Final = 64
"""Characters by which a squeezed hit may be longer than its term: separators and repeats together."""
_MAX_INVISIBLE: Final = 32
"""Invisible characters looked through to find out whether a word goes on."""

# In a script with spaces these stand between two words, so they do not hold a disguised word together.
_WORD_BREAKS: Final = frozenset(
    " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000'’‘`´＇"
) | {chr(code) for code in range(0x2000, 0x200B)}
# In a script without spaces, and between digits, these end a clause; a space there means nothing.
_CLAUSE_BREAKS: Final = frozenset(
    "\n\r\x0b\x0c\x85\u2028\u2029，。！？；：、,!?;:…“”‘’\"'「」『』《》〈〉（）()【】．｡､"
)

_SEES: Final[dict[ViewName, frozenset[ViewName]]] = {
    "exact": frozenset(),
    "folded": frozenset({"folded"}),
    "traditional": frozenset({"folded", "traditional"}),
    "shapes": frozenset({"folded", "shapes"}),
}
"""What each reading of the text as it is written sees through; "traditional" and "shapes" together see both."""


class Hit(NamedTuple):
    """A term found: offsets into the buffer's `raw`, on which view, and how sure that is."""

    start: int
    end: int
    entry: Entry
    view: ViewName
    score: int

    @classmethod
    def on(cls, view: ViewName, start: int, end: int, entry: Entry) -> "Hit":
        """A hit on a view that scores too little for it to matter who speaks for the term."""
        return cls(start, end, entry, view, VIEWS[view])


# --- as it is written --------------------------------------------------------------------------------------------


def as_written(entry: Entry, buffer: Buffer, start: int, end: int) -> Sequence[Hit]:
    """The places in raw[start:end] where the term stands, apart from case, width, script and the like."""
    length = len(entry.folded)
    if end - start == length:
        hit = _hit_as_written(entry, buffer, start, end)
        return (hit,) if hit else ()
    hits = []
    folded = fold(buffer.raw[start:end])
    at = folded.find(entry.folded)
    while at >= 0:
        if hit := _hit_as_written(entry, buffer, start + at, start + at + length):
            hits.append(hit)
        at = folded.find(entry.folded, at + length)
    return hits


def _hit_as_written(entry: Entry, buffer: Buffer, start: int, end: int) -> Hit | None:
    if (entry.begins_word or entry.ends_word) and not stands_free(entry, buffer, start, end):
        return None
    quote = buffer.raw[start:end]
    if quote in entry.firm and "exact" in entry.source.views:
        return Hit(start, end, entry, "exact", VIEWS["exact"])
    if quote not in entry.written and fold(quote) != entry.folded:
        return None
    view = _strongest(entry, quote, entry.written)
    return view and Hit(start, end, entry, view, _score(entry, quote, view))


def _strongest(entry: Entry, quote: str, written: Sequence[str]) -> ViewName | None:
    """The strongest view that the list asks for on which the quote is one of these spellings of the term."""
    views = [_view(entry.source.views, differences(quote, term)) for term in written]
    return min(filter(None, views), key=_ORDER.index, default=None)


_ORDER: Final = tuple(VIEWS)


@lru_cache(maxsize=1_024)
def _view(asked: tuple[str, ...], needed: frozenset[ViewName]) -> ViewName | None:
    for view, seen_through in _SEES.items():
        if view in asked and needed <= seen_through:
            return view
    return "shapes" if "traditional" in asked and "shapes" in asked else None


def _score(entry: Entry, quote: str, view: ViewName) -> int:
    """The view's score; a spelling for which one person speaks adds no more than PROVISIONAL_SCORE."""
    if len(entry.firm) == len(entry.written):
        return VIEWS[view]
    firm = _strongest(entry, quote, entry.firm)
    return max(min(VIEWS[view], PROVISIONAL_SCORE), VIEWS[firm] if firm else 0)


# --- squeezed ----------------------------------------------------------------------------------------------------


def disguised(entry: Entry, buffer: Buffer, start: int, end: int) -> Hit | None:
    """The term in raw[start:end] with separators or repeats put in, if it is that and not just neighbouring words."""
    for first, last in _cuts(entry, buffer, start, end):
        short = last - first <= len(entry.folded) + MAX_SLACK
        if short and stands_free(entry, buffer, first, last) and _is_disguise(entry, buffer, first, last):
            return Hit.on("squeezed", first, last, entry)
    return None


def _cuts(entry: Entry, buffer: Buffer, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The place itself, then parts of it: in "hot t.e.s.t" the squeezed reading runs two words into one."""
    yield start, end
    at = buffer.image[start:end].nonzero()[0] + start
    codes = buffer.image.take(at)
    first_run = at[: (codes != codes[0]).argmax()]
    last_run = at[len(at) - (codes[::-1] != codes[-1]).argmax() :]
    shape = entry.shapes[0]
    starts = (start, *(-edge for edge in _edges(-first_run[::-1], len(shape[0].seen))))
    ends = (end, *(edge + 1 for edge in _edges(last_run, len(shape[-1].seen))))
    yield from islice(product(starts, ends), 1, None)


def _edges(run: NDArray[np.intp], times: int) -> Iterator[int]:
    """Where a run that begins within a term may leave it: where it is as long as in the term, or at its first gap."""
    if len(run) > times:
        yield run.item(times - 1)
        gaps = (run[1:] - run[:-1] > 1).nonzero()[0]
        if len(gaps) and gaps.item(0) != times - 1:
            yield run.item(gaps.item(0))


def _is_disguise(entry: Entry, buffer: Buffer, start: int, end: int) -> bool:
    runs = runs_of(buffer, start, end)
    shape = entry.shapes[0]
    if not all(_stretched(run, wanted) for run, wanted in zip(runs, shape, strict=True)):
        return False
    return _held_together(runs, shape) and any(_seen_through(entry, runs, each) for each in entry.shapes)


def _stretched(run: Run, wanted: Run) -> bool:
    """Letters may be drawn out to three or more; a double letter is spelling, and a number is another number."""
    times, asked = len(run.seen), len(wanted.seen)
    return times == asked or (times >= max(3, asked) and not run.char.isdigit())


def _held_together(runs: Sequence[Run], shape: Sequence[Run]) -> bool:
    gaps: list[tuple[str, str, str]] = []
    for i, (run, wanted) in enumerate(zip(runs, shape, strict=True)):
        if len(run.seen) == len(wanted.seen) and not any(wanted.inside):
            gaps += [(run.char, gap, run.char) for gap in run.inside]
        if i + 1 < len(runs) and not wanted.after:  # where the term itself has a gap, any gap will do
            gaps.append((run.char, run.after, runs[i + 1].char))
    return held_together(gaps)


def _seen_through(entry: Entry, runs: Sequence[Run], shape: Sequence[Run]) -> bool:
    """Whether the list asks for what it takes to read these characters as those of the term."""
    needed: set[ViewName] = set()
    for run, wanted in zip(runs, shape, strict=True):
        needed |= differences(run.seen, wanted.seen[0] * len(run.seen))
    return needed - {"folded"} <= set(entry.source.views)


def held_together(gaps: Sequence[tuple[str, str, str]]) -> bool:
    """Whether what stands between the characters leaves one word: nothing that parts words, or something everywhere.

    Each gap is given with its neighbours: (the character before, what stands between, the character after).
    """
    parted = any(_parts_words(*gap) for gap in gaps)
    return not parted or (len(gaps) >= 2 and all(between for _, between, _ in gaps))


def _parts_words(left: str, gap: str, right: str) -> bool:
    spaced = left.isalpha() and right.isalpha() and is_word(left) and is_word(right)
    return not (_WORD_BREAKS if spaced else _CLAUSE_BREAKS).isdisjoint(gap)


# --- around the place --------------------------------------------------------------------------------------------


def stands_free(entry: Entry, buffer: Buffer, start: int, end: int) -> bool:
    """Whether a term of a script with spaces is a word of its own there: "class" holds no term "ass"."""
    if entry.begins_word and _word_goes_on(buffer, start - 1, -1):
        return False
    return not (entry.ends_word and _word_goes_on(buffer, end, 1))


def _word_goes_on(buffer: Buffer, at: int, step: int) -> bool:
    raw = buffer.raw
    for _ in range(_MAX_INVISIBLE):
        if not 0 <= at < len(raw):
            return False
        char = raw[at]
        if char.isascii() or char.isalnum() or not is_invisible(char):
            return buffer.is_word(at)
        at += step
    return False


def excused(hit: Hit, buffer: Buffer) -> bool:
    """Whether the hit lies inside an occurrence of an exception phrase of its list."""
    phrases = hit.entry.exceptions
    if not phrases:
        return False
    longest = max(map(len, phrases))
    first = max(0, hit.end - longest)
    around = fold(buffer.raw[first : hit.start + longest])
    start, end = hit.start - first, hit.end - first
    return any(covers(around, phrase, start, end) for phrase in phrases)


def covers(folded: str, phrase: str, start: int, end: int) -> bool:
    """Whether folded[start:end] lies inside an occurrence of the phrase."""
    return folded.find(phrase, max(0, end - len(phrase)), start + len(phrase)) >= 0

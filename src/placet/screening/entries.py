"""Terms made ready: what is wrong with a term, its keys on each reading, and all that a close look needs to know.

Terms of all lists are numbered through, in the order of the lists. Keys are made for all of them at once, by the same
tables as the readings of a text; an `Entry` is made only for a term that is found, since few ever are.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from placet.screening.fold import BARRIER, Buffer, encode, fold, is_invisible, is_word, squeeze, tables
from placet.screening.lists import VIEWS, LexiconError, ListChange, TermList

Alike = Mapping[int, Sequence[int]]
"""The number of a term -> the further terms of its list that fold like it."""


_NO_CHANGE: Final = ListChange()


# --- checks ------------------------------------------------------------------------------------------------------


def check(source: TermList) -> None:
    """Raises LexiconError for a list that cannot be used as it is."""
    where = f"term list {source.name!r}"
    unknown = [view for view in source.views if view not in VIEWS]
    if unknown or not source.views:
        raise LexiconError(where, f"views are {list(source.views)}; use one or more of {', '.join(VIEWS)}")
    for what, phrases in (("term", source.terms), ("exception", source.exceptions)):
        if isinstance(phrases, str):  # each of its characters would be a phrase
            raise LexiconError(where, f"the {what}s are one text; write a tuple of texts: ({phrases[:20]!r},)")
        for phrase in _suspects(where, what, phrases):
            _check(where, what, phrase)


def _suspects(where: str, what: str, phrases: Sequence[str]) -> Iterable[str]:
    """The phrases that need a closer look: of a hundred thousand there is hardly ever one."""
    try:
        joined = "".join(phrases)
    except TypeError:
        wrong = next(phrase for phrase in phrases if not isinstance(phrase, str))
        raise LexiconError(where, f"{what} {wrong!r} is no text; write it in quotation marks") from None
    if BARRIER in joined or not joined.isprintable():
        return phrases
    invisible = {char for char in set(joined) if is_invisible(char)}
    return [phrase for phrase in phrases if not phrase or phrase[0] in invisible or phrase.strip() != phrase]


def _check(where: str, what: str, phrase: str) -> None:
    if not phrase.strip():
        raise LexiconError(where, f"{what} {phrase!r} is empty; remove it")
    if phrase != phrase.strip():
        raise LexiconError(where, f"{what} {phrase!r} begins or ends with white space; take that off")
    if BARRIER in phrase or any("\ud800" <= c <= "\udfff" for c in phrase):
        raise LexiconError(where, f"{what} {phrase!r} holds a character that no text can hold; take it out")
    if all(is_invisible(c) or not c.isprintable() for c in phrase):
        raise LexiconError(where, f"{what} {phrase!r} folds to nothing that a reader can see; remove it")


# --- keys --------------------------------------------------------------------------------------------------------


class Keys(NamedTuple):
    """The terms of some lists, each at its number. Terms of a list that fold alike have one number between them."""

    numbers: NDArray[np.int32]
    """The numbers of the terms that follow."""
    sources: Sequence[TermList]
    """The list of each."""
    folded: Sequence[str]
    squeezed: Sequence[str]
    solid: Sequence[bool]
    """Whether a term begins and ends with what the squeezed reading keeps."""
    alike: Alike


def keys_of(sources: Sequence[TermList]) -> Keys:
    """The keys of all terms. Raises LexiconError for a list that cannot be used."""
    for source in sources:
        check(source)
    terms = [term for source in sources for term in source.terms]
    owners = [source for source in sources for _ in source.terms]
    folded = fold(BARRIER.join(terms)).split(BARRIER) if terms else []
    alike = _alike(sources, folded)
    further = {number for numbers in alike.values() for number in numbers}
    numbers = [number for number in range(len(terms)) if number not in further]
    own = [folded[number] for number in numbers] if further else folded
    squeezed, solid = _squeezed(own)
    return Keys(
        np.array(numbers, np.int32), [owners[number] for number in numbers], own, squeezed, solid.tolist(), alike
    )


def _alike(sources: Sequence[TermList], folded: Sequence[str]) -> Alike:
    """Which terms of one list fold alike, under the first of them."""
    found: dict[int, tuple[int, ...]] = {}
    start = 0
    for source in sources:
        own = folded[start : start + len(source.terms)]
        if len(set(own)) < len(own):
            firsts: dict[str, int] = {}
            for number, key in enumerate(own, start):
                if (first := firsts.setdefault(key, number)) != number:
                    found[first] = (*found.get(first, ()), number)
        start += len(own)
    return found


def _squeezed(folded: Sequence[str]) -> tuple[list[str], NDArray[np.bool_]]:
    """The squeezed keys, and which terms are solid. The squeezed reading would run two barriers into one."""
    if not folded:
        return [], np.empty(0, np.bool_)
    barrier = ord(BARRIER)
    image = tables().squeeze.take(encode(BARRIER + BARRIER.join(folded) + BARRIER))
    (at,) = (image == barrier).nonzero()
    solid = (image[at[:-1] + 1] != 0) & (image[at[1:] - 1] != 0)
    kept = image.compress(image.astype(np.bool_))
    runs = kept[1:].compress((kept[1:] != kept[:-1]) | (kept[1:] == barrier))
    return runs.tobytes().decode("utf-32").split(BARRIER)[:-1], solid


# --- entries -----------------------------------------------------------------------------------------------------


class Run(NamedTuple):
    """A character of the squeezed reading, as it stands in the text in a row, and what stands between and after."""

    char: str
    seen: str
    """The characters of the text that became this one."""
    inside: tuple[str, ...]
    after: str


def runs_of(buffer: Buffer, start: int, end: int) -> tuple[Run, ...]:
    """The runs of buffer.raw[start:end], which begins and ends with a character that the squeezed reading keeps."""
    runs: list[Run] = []
    gap = ""
    for code, char in zip(buffer.image[start:end].tolist(), buffer.raw[start:end], strict=True):
        if not code:
            gap += char
            continue
        if runs and runs[-1].char == chr(code):
            last = runs[-1]
            runs[-1] = last._replace(seen=last.seen + char, inside=(*last.inside, gap))
        else:
            if runs:
                runs[-1] = runs[-1]._replace(after=gap)
            runs.append(Run(chr(code), char, (), ""))
        gap = ""
    return tuple(runs)


class Entry:
    """One term of one list, prepared for a close look. Terms of a list that fold alike are one entry."""

    def __init__(
        self, source: TermList, written: Iterable[str], firm: Iterable[str], exceptions: tuple[str, ...]
    ) -> None:
        self.source = source
        self.written = tuple(sorted(written))
        """The term as the list writes it, in one way or several."""
        self.firm = tuple(sorted(firm))
        """Those of `written` for which not just one person speaks."""
        self.folded = fold(self.written[0])
        self.begins_word = source.whole_words and is_word(self.folded[0])
        self.ends_word = source.whole_words and is_word(self.folded[-1])
        self.exceptions = exceptions
        """The phrases in which this term is innocent, folded."""

    @cached_property
    def shapes(self) -> tuple[tuple[Run, ...], ...]:
        """The runs of the term in each way of writing. Few terms are ever found in disguise."""
        return tuple(runs_of(Buffer(BARRIER + term), 1, len(term) + 1) for term in self.written)

    def name(self, quote: str) -> str:
        """The label of a hit: the list's own, else the term as the list writes it."""
        return self.source.label or (quote if quote in self.written else self.written[0])


class Entries(dict[int, Entry | None]):
    """The entries of some lists by the numbers of their terms, each made when it is first asked for.

    `changes` are those of the lists by name; `joined` gives further spellings of a term by its number. The lists may
    also be those of the terms that came with the changes (`came`). An entry of which nothing is left is None.
    """

    def __init__(
        self,
        sources: Sequence[TermList],
        alike: Alike,
        changes: Mapping[str, ListChange] | None = None,
        joined: Mapping[int, tuple[str, ...]] | None = None,
        *,
        came: bool = False,
    ) -> None:
        super().__init__()
        self.sources = sources
        self._starts = list(accumulate((len(source.terms) for source in sources), initial=0))
        self._alike = alike
        self._changes = changes or {}
        self._joined = joined or {}
        self._came = came
        self._phrases: dict[tuple[str, ...], list[tuple[str, str]]] = {}

    def term(self, number: int) -> tuple[TermList, str]:
        """The list and spelling of a term by its number."""
        place = bisect_right(self._starts, number) - 1
        source = self.sources[place]
        return source, source.terms[number - self._starts[place]]

    def __missing__(self, number: int) -> Entry | None:
        source, first = self.term(number)
        change = self._changes.get(source.name, _NO_CHANGE)
        old = {first, *(self.term(other)[1] for other in self._alike.get(number, ()))}
        new = set(self._joined.get(number, ()))
        if self._came:
            old, new = set(), old
        else:
            old -= change.removed
        entry = None
        if old or new:
            entry = Entry(source, old | new, old | (new - change.provisional), self._exceptions(source, first))
        self[number] = entry
        return entry

    def _exceptions(self, source: TermList, term: str) -> tuple[str, ...]:
        """The exceptions of the list that can hold the term."""
        if source.exceptions not in self._phrases:
            phrases = sorted(set(source.exceptions))
            self._phrases[source.exceptions] = [(fold(phrase), squeeze(phrase)) for phrase in phrases]
        folded, squeezed = fold(term), squeeze(term)
        return tuple(
            phrase
            for phrase, narrow in self._phrases[source.exceptions]
            if folded in phrase or (squeezed and squeezed in narrow)
        )

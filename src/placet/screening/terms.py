"""Terms: words and phrases of every list, looked for on several readings of the text by one automaton a reading.

A `Net` is an Aho-Corasick automaton over the keys of the terms on one reading, and knows how to look closely at a place
where a key stands. There are three:

- `SqueezedNet` runs over the squeezed reading. Since squeezing is local, wherever a term stands as written its key
  stands too: one scan serves the views from "exact" to "squeezed", and the strongest that holds is reported.
- `FoldedNet` runs over the folded reading, for terms that the squeezed reading would blur: "C++" would become "c".
- `LeetNet` runs over the leet reading, for Latin terms of lists that ask for "leet".

A change of some terms among very many leaves the nets as they are: terms that went are passed over where they are
found, and terms that came have small nets of their own.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import accumulate
from operator import itemgetter
from typing import ClassVar, Final, NamedTuple, Protocol

import msgspec
import numpy as np
from daachorse import CharwiseDoubleArrayAhoCorasick
from msgspec.structs import replace
from numpy.typing import NDArray

from placet.screening.entries import Alike, Entries, Entry, Keys, check, keys_of
from placet.screening.fold import BARRIER, Buffer, fold, versions
from placet.screening.kept import decoded, encoded, kept
from placet.screening.leet import Leet, leet_key, look_for_leet
from placet.screening.lists import DISGUISES, LexiconError, ListChange, TermList
from placet.screening.look import Hit, as_written, disguised, excused

Place = tuple[int, int, int]
"""Where a key stands: offsets into `raw` of what holds it, and the number of the term."""

_VERSION: Final = b"2"
"""Must change with what this module or entries.py makes of the same lists."""
_WORTH_KEEPING: Final = 2_000
"""Terms of which the automata are kept for other processes; a few are compiled as soon as they are read."""
_LAID_OUT: Final = range(2_000, 50_001)
"""Keys of an automaton for which a good order of its states is looked for. Measured: texts are then searched in a sixth
less time; the search for that order takes 0.5 s for 50,000 keys, and 12 s for 200,000."""
_WRITTEN: Final = frozenset({"exact", "folded", "traditional", "shapes"})
"""The views of the text as it is written."""


# --- nets --------------------------------------------------------------------------------------------------------


class Net(Protocol):
    """The terms that are looked for on one reading."""

    @staticmethod
    def keys(keys: Keys) -> tuple[NDArray[np.int32], list[str]]:
        """The terms that are looked for here: their numbers, and the key of each."""

    def __init__(self, automaton: CharwiseDoubleArrayAhoCorasick, numbers: NDArray[np.int32]) -> None: ...

    def places(self, buffer: Buffer) -> list[Place]:
        """Where keys stand, in the order of their ends."""

    def look(self, entry: Entry, buffer: Buffer, start: int, end: int) -> Sequence[Hit]:
        """What of a place holds, each on the strongest view that the list asks for."""


def _chosen(keys: Keys, which: Sequence[bool], texts: Sequence[str]) -> tuple[NDArray[np.int32], list[str]]:
    return keys.numbers[np.array(which, np.bool_)], [text for text, chosen in zip(texts, which, strict=True) if chosen]


def _squeezable(keys: Keys) -> list[bool]:
    """Which terms keep their sense when squeezed: two or more characters, with nothing lost at either end."""
    each = zip(keys.sources, keys.squeezed, keys.solid, strict=True)
    return [solid and len(key) >= 2 and "squeezed" in source.views for source, key, solid in each]


class SqueezedNet:
    """Terms that keep their sense when squeezed."""

    def __init__(self, automaton: CharwiseDoubleArrayAhoCorasick, numbers: NDArray[np.int32]) -> None:
        self._find = automaton.find_overlapping
        self._numbers = numbers

    @staticmethod
    def keys(keys: Keys) -> tuple[NDArray[np.int32], list[str]]:
        """See Net."""
        return _chosen(keys, _squeezable(keys), keys.squeezed)

    def places(self, buffer: Buffer) -> list[Place]:
        """See Net."""
        found = self._find(buffer.squeezed)
        if not found:
            return []
        number, extent = self._numbers.item, buffer.extent
        return [(*extent(start, end), number(index)) for start, end, index in found]

    def look(self, entry: Entry, buffer: Buffer, start: int, end: int) -> Sequence[Hit]:
        """See Net."""
        hits = as_written(entry, buffer, start, end)
        if not hits and (hit := disguised(entry, buffer, start, end)):
            return (hit,)
        return hits


class FoldedNet:
    """Terms of two kinds: those that squeezing would blur, and those of lists that do not ask for it."""

    def __init__(self, automaton: CharwiseDoubleArrayAhoCorasick, numbers: NDArray[np.int32]) -> None:
        self._find = automaton.find_overlapping
        self._numbers = numbers

    @staticmethod
    def keys(keys: Keys) -> tuple[NDArray[np.int32], list[str]]:
        """See Net."""
        each = zip(keys.sources, _squeezable(keys), strict=True)
        which = [not squeezed and not _WRITTEN.isdisjoint(source.views) for source, squeezed in each]
        return _chosen(keys, which, keys.folded)

    def places(self, buffer: Buffer) -> list[Place]:
        """See Net."""
        number = self._numbers.item
        return [(start, end, number(index)) for start, end, index in self._find(buffer.folded)]

    def look(self, entry: Entry, buffer: Buffer, start: int, end: int) -> Sequence[Hit]:
        """See Net."""
        return as_written(entry, buffer, start, end)


class LeetNet:
    """Latin terms, for texts that write digits and symbols for their letters."""

    def __init__(self, automaton: CharwiseDoubleArrayAhoCorasick, numbers: NDArray[np.int32]) -> None:
        self._find = automaton.find_overlapping
        self._numbers = numbers

    @staticmethod
    def keys(keys: Keys) -> tuple[NDArray[np.int32], list[str]]:
        """See Net."""
        each = zip(keys.sources, keys.folded, strict=True)
        read = [leet_key(folded) if "leet" in source.views else "" for source, folded in each]
        return _chosen(keys, list(map(bool, read)), read)

    def places(self, buffer: Buffer) -> list[Place]:
        """See Net."""
        leet = Leet(buffer)
        number, extent = self._numbers.item, leet.extent
        return [(*extent(start, end), number(index)) for start, end, index in self._find(leet.text)]

    def look(self, entry: Entry, buffer: Buffer, start: int, end: int) -> Sequence[Hit]:
        """See Net."""
        hit = look_for_leet(entry, buffer, start, end)
        return (hit,) if hit else ()


# --- all terms ---------------------------------------------------------------------------------------------------


_Automaton = tuple[int, bytes, NDArray[np.int32]]
"""What a net is made from: its place in Terms.NETS, the automaton, and the numbers of the terms by their keys."""


def _made(sources: Sequence[TermList]) -> tuple[Alike, list[_Automaton]]:
    """The long work of compiling lists. Raises LexiconError."""
    keys = keys_of(sources)
    automata: list[_Automaton] = []
    for which, net in enumerate(Terms.NETS):
        numbers, texts = net.keys(keys)
        if texts:
            automata.append((which, _automaton(texts), numbers))
    return keys.alike, automata


def _automaton(keys: list[str]) -> bytes:
    """An automaton, serialized: laid out for texts that are made of what its keys are made of, where that pays."""
    corpus = keys if len(keys) in _LAID_OUT else None
    return CharwiseDoubleArrayAhoCorasick(keys, corpus=corpus).serialize()


class Compiled(NamedTuple):
    """Lists made into nets."""

    sources: tuple[TermList, ...]
    alike: Alike
    nets: tuple[Net, ...]

    @classmethod
    def of(cls, sources: Sequence[TermList]) -> "Compiled":
        """Compile lists. Raises LexiconError for a list that cannot be used."""
        if sum(len(source.terms) for source in sources) < _WORTH_KEEPING:
            return cls.anew(sources)
        made_from = [_VERSION, versions(), version("daachorse").encode(), *map(msgspec.msgpack.encode, sources)]
        return cls._read(sources, *decoded(kept("terms", made_from, lambda: encoded(_made(sources)))))

    @classmethod
    def anew(cls, sources: Sequence[TermList]) -> "Compiled":
        """The same, where nothing is to be kept."""
        return cls._read(sources, *_made(sources))

    @classmethod
    def _read(cls, sources: Sequence[TermList], alike: Alike, automata: Sequence["_Automaton"]) -> "Compiled":
        read = CharwiseDoubleArrayAhoCorasick.deserialize
        nets = tuple(Terms.NETS[which](read(automaton), numbers) for which, automaton, numbers in automata)
        return cls(tuple(sources), alike, nets)

    def twins(self, name: str, terms: Sequence[str]) -> dict[str, int]:
        """Of these terms those that fold like a term of the list of that name, with its number."""
        entries = Entries(self.sources, self.alike)
        buffer = Buffer(BARRIER + BARRIER.join(terms))
        starts = dict(zip(accumulate((len(term) + 1 for term in terms), initial=1), terms, strict=False))
        found: dict[str, int] = {}
        for net in self.nets:
            for start, end, number in net.places(buffer):
                term = starts.get(start, "")
                owner, other = entries.term(number)
                if owner.name == name and end - start == len(term) and fold(other) == fold(term):
                    found[term] = min(number, found.get(term, number))
        return found


Candidate = tuple[int, int, Entry, Net]
"""A place where a term may stand: offsets into `raw` of what holds its key, the term, and the net that found it."""


class Terms:
    """The terms of every list. Immutable once built; several threads may search at once."""

    NETS: ClassVar[tuple[type[Net], ...]] = (SqueezedNet, FoldedNet, LeetNet)

    def __init__(self, compiled: Compiled, parts: Sequence[tuple[Net, Entries]] | None = None) -> None:
        """`parts` are the nets with the entries to whose terms they lead; those of `compiled` when none are given."""
        self._compiled = compiled
        if parts is None:
            entries = Entries(compiled.sources, compiled.alike)
            parts = [(net, entries) for net in compiled.nets]
        self._parts = parts

    def revised(self, changes: Mapping[str, ListChange]) -> "Terms":
        """The terms of the lists as they were built, with changes by list name. Raises LexiconError.

        Of term lists of one name, the first one takes the terms that came, but for those that another has already.
        """
        base = self._compiled
        fresh, joined = _added(base, changes)
        overlay = Compiled.anew(fresh)  # kept, each change would push out what every start needs
        old = Entries(base.sources, base.alike, changes, joined)
        new = Entries(overlay.sources, overlay.alike, changes, came=True)
        return Terms(base, [*((net, old) for net in base.nets), *((net, new) for net in overlay.nets)])

    def candidates(self, buffer: Buffer) -> list[Candidate]:
        """Every place where a term may stand, in the order of their ends."""
        found: list[Candidate] = []
        for net, entries in self._parts:
            for start, end, number in net.places(buffer):
                entry = entries[number]
                if entry is not None:
                    found.append((start, end, entry, net))
        if len(self._parts) > 1:
            found.sort(key=itemgetter(1, 0))
        return found

    @staticmethod
    def look(candidate: Candidate, buffer: Buffer) -> Sequence[Hit]:
        """The hits at a place, without those that an exception excuses."""
        start, end, entry, net = candidate
        hits = net.look(entry, buffer, start, end)
        return [hit for hit in hits if not excused(hit, buffer)] if hits and entry.exceptions else hits

    @property
    def notes(self) -> tuple[str, ...]:
        """The exceptions in which no term of their list stands, as far as can be told without guessing."""
        sources = self._compiled.sources
        guessed = {source.name for source in sources if not DISGUISES.isdisjoint(source.views)}
        phrases = {(each.name, phrase) for each in sources if each.name not in guessed for phrase in each.exceptions}
        idle = [(name, phrase) for name, phrase in sorted(phrases) if not self._excuses(name, phrase)]
        return tuple(f"term list {name!r}: exception {phrase!r} holds none of its terms" for name, phrase in idle)

    def _excuses(self, name: str, phrase: str) -> bool:
        sources = (entry.source for _, _, entry, _ in self.candidates(Buffer(BARRIER + phrase)))
        return any(source.name == name and phrase in source.exceptions for source in sources)


def _added(base: Compiled, changes: Mapping[str, ListChange]) -> tuple[list[TermList], dict[int, tuple[str, ...]]]:
    """The terms that came, as lists of their own; and those that fold like a term of their list, by its number."""
    firsts = {source.name: source for source in reversed(base.sources)}
    lists: list[TermList] = []
    joined: dict[int, tuple[str, ...]] = {}
    for name, change in changes.items():
        if name not in firsts:
            raise LexiconError(f"term list {name!r}", "there is no such list to change")
        check(replace(firsts[name], terms=change.added))
        twins = base.twins(name, change.added)
        for term, number in twins.items():
            joined[number] = (*joined.get(number, ()), term)
        lists.append(replace(firsts[name], terms=tuple(term for term in change.added if term not in twins)))
    return lists, joined

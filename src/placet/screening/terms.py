"""Terms: words and phrases of every list, looked for on several readings of the text by one automaton a reading.

A `Net` is an Aho-Corasick automaton over the keys of the terms on one reading, and knows how to look closely at a place
where a key stands. There are two:

- `SqueezedNet` runs over the squeezed reading. Since squeezing is local, wherever a term stands as written its key
  stands too: one scan serves the views "exact", "folded" and "squeezed", and the strongest that holds is reported.
- `FoldedNet` runs over the folded reading, for terms that the squeezed reading would blur: "C++" would become "c".

A further reading (pinyin, split characters ...) is a further Net in `NETS`.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from typing import ClassVar, Final, NamedTuple, Protocol

from daachorse import CharwiseDoubleArrayAhoCorasick

from placet.screening.fold import BARRIER, Buffer, encode, fold, is_invisible, is_word, tables
from placet.screening.lists import LexiconError, TermList

SCORES: Final = {"exact": 100, "folded": 95, "squeezed": 80}

_MAX_SLACK: Final = 64
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


class Entry:
    """One term of one list, prepared for a close look. Terms of a list that fold alike are one entry."""

    __slots__ = ("_shape", "begins_word", "edges_kept", "ends_word", "exceptions", "folded", "key", "source", "written")

    def __init__(self, source: TermList, folded: str, written: Iterable[str], image: Sequence[int]) -> None:
        self.source = source
        self.folded = folded
        self.written = tuple(sorted(set(written)))
        self.key = "".join(chr(code) for code, _ in groupby(code for code in image if code))
        self.begins_word = is_word(folded[0])
        self.ends_word = is_word(folded[-1])
        self.edges_kept = bool(image[0] and image[-1])
        self.exceptions: tuple[str, ...] = ()
        self._shape: tuple[Run, ...] | None = None

    @property
    def shape(self) -> "tuple[Run, ...]":
        """The runs of the term itself. Worked out when first asked for: few terms are ever found in disguise."""
        if self._shape is None:
            self._shape = _runs(Buffer(BARRIER + self.folded), 1, len(self.folded) + 1)
        return self._shape

    def name(self, quote: str) -> str:
        """The label of a hit: the list's own, else the term as the list writes it."""
        return self.source.label or (quote if quote in self.written else self.written[0])


class Hit(NamedTuple):
    """A term found: offsets into the buffer's `raw`, and on which view."""

    start: int
    end: int
    entry: Entry
    view: str


class Run(NamedTuple):
    """A character of the squeezed reading, how often it stands in a row, and what stands between and after those."""

    char: str
    times: int
    inside: tuple[str, ...]
    after: str


def _runs(buffer: Buffer, start: int, end: int) -> tuple[Run, ...]:
    """The runs of buffer.raw[start:end], which begins and ends with a character that the squeezed reading keeps."""
    runs: list[Run] = []
    gap = ""
    for code, char in zip(buffer.image[start:end].tolist(), buffer.raw[start:end], strict=True):
        if not code:
            gap += char
            continue
        if runs and runs[-1].char == chr(code):
            last = runs[-1]
            runs[-1] = last._replace(times=last.times + 1, inside=(*last.inside, gap))
        else:
            if runs:
                runs[-1] = runs[-1]._replace(after=gap)
            runs.append(Run(chr(code), 1, (), ""))
        gap = ""
    return tuple(runs)


# --- the close look ----------------------------------------------------------------------------------------------


def _stands_free(entry: Entry, buffer: Buffer, start: int, end: int) -> bool:
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


def _as_written(entry: Entry, buffer: Buffer, start: int, end: int) -> Iterator[Hit]:
    """The places in raw[start:end] where the term stands, apart from case, width, script and the like."""
    if end - start == len(entry.folded):
        if _stands_free(entry, buffer, start, end) and (view := _view(entry, buffer.raw[start:end])):
            yield Hit(start, end, entry, view)
        return
    at = buffer.folded.find(entry.folded, start, end)
    while at >= 0:
        stop = at + len(entry.folded)
        if _stands_free(entry, buffer, at, stop) and (view := _view(entry, buffer.raw[at:stop])):
            yield Hit(at, stop, entry, view)
        at = buffer.folded.find(entry.folded, stop, end)


def _view(entry: Entry, quote: str) -> str:
    """The strongest view that the list asks for on which a quote as long as the term is the term, or ""."""
    views = entry.source.views
    written = quote in entry.written
    if written and "exact" in views:
        return "exact"
    return "folded" if "folded" in views and (written or fold(quote) == entry.folded) else ""


def _disguised(entry: Entry, buffer: Buffer, start: int, end: int) -> bool:
    """Whether raw[start:end] is the term with separators or repeats put in, and not just neighbouring words."""
    if end - start > len(entry.folded) + _MAX_SLACK or not _stands_free(entry, buffer, start, end):
        return False
    runs = _runs(buffer, start, end)
    pairs = list(zip(runs, entry.shape, strict=True))
    if not all(_stretched(run, wanted) for run, wanted in pairs):
        return False
    return _held_together(pairs)


def _stretched(run: Run, wanted: Run) -> bool:
    """Letters may be drawn out to three or more; a double letter is spelling, and a number is another number."""
    return run.times == wanted.times or (run.times >= max(3, wanted.times) and not run.char.isdigit())


def _held_together(pairs: Sequence[tuple[Run, Run]]) -> bool:
    """Whether what stands between the characters leaves one word: nothing that parts words, or something everywhere."""
    gaps: list[str] = []
    parted = False
    for i, (run, wanted) in enumerate(pairs):
        if run.times == wanted.times and not any(wanted.inside):
            gaps += run.inside
            parted = parted or any(_parts_words(run.char, gap, run.char) for gap in run.inside)
        if i + 1 < len(pairs) and not wanted.after:  # where the term itself has a gap, any gap will do
            gaps.append(run.after)
            parted = parted or _parts_words(run.char, run.after, pairs[i + 1][0].char)
    return not parted or (len(gaps) >= 2 and all(gaps))


def _parts_words(left: str, gap: str, right: str) -> bool:
    spaced = left.isalpha() and right.isalpha() and is_word(left) and is_word(right)
    return not (_WORD_BREAKS if spaced else _CLAUSE_BREAKS).isdisjoint(gap)


def _excused(hit: Hit, buffer: Buffer) -> bool:
    """Whether the hit lies inside an occurrence of an exception phrase of its list."""
    for phrase in hit.entry.exceptions:
        first = max(0, hit.end - len(phrase))
        if buffer.folded.find(phrase, first, hit.start + len(phrase)) >= 0:
            return True
    return False


# --- nets --------------------------------------------------------------------------------------------------------


class Candidate(NamedTuple):
    """A key found: offsets into `raw` that hold it, and the entries that have this key."""

    start: int
    end: int
    entries: tuple[Entry, ...]


class Net(Protocol):
    """The terms that are looked for on one reading."""

    @staticmethod
    def takes(entry: Entry) -> bool:
        """Whether the terms of this entry are looked for here. The first net of NETS that takes an entry has it."""

    def __init__(self, entries: Iterable[Entry]) -> None: ...

    def candidates(self, buffer: Buffer) -> list[Candidate]:
        """Where keys stand, in the order of their ends."""

    def look(self, entry: Entry, buffer: Buffer, start: int, end: int) -> Iterable[Hit]:
        """What of a candidate holds, each on the strongest view that the list asks for."""


class _Automaton:
    """Keys to entries: what both nets share."""

    def __init__(self, keyed: Iterable[tuple[str, Entry]]) -> None:
        groups: dict[str, list[Entry]] = {}
        for key, entry in keyed:
            groups.setdefault(key, []).append(entry)
        self._groups = [tuple(group) for group in groups.values()]
        self.find = CharwiseDoubleArrayAhoCorasick(list(groups)).find_overlapping
        self.group = self._groups.__getitem__


class SqueezedNet:
    """Terms that keep their sense when squeezed: two or more characters, with nothing lost at either end."""

    @staticmethod
    def takes(entry: Entry) -> bool:
        """See Net."""
        return "squeezed" in entry.source.views and entry.edges_kept and len(entry.key) >= 2

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._automaton = _Automaton((entry.key, entry) for entry in entries)

    def candidates(self, buffer: Buffer) -> list[Candidate]:
        """See Net."""
        group = self._automaton.group
        found = self._automaton.find(buffer.squeezed)
        return [Candidate(*buffer.extent(start, end), group(index)) for start, end, index in found]

    def look(self, entry: Entry, buffer: Buffer, start: int, end: int) -> Iterable[Hit]:
        """See Net."""
        hits = list(_as_written(entry, buffer, start, end))
        if not hits and _disguised(entry, buffer, start, end):
            return [Hit(start, end, entry, "squeezed")]
        return hits


class FoldedNet:
    """All other terms."""

    @staticmethod
    def takes(entry: Entry) -> bool:
        """See Net."""
        return bool(entry.folded)

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._automaton = _Automaton((entry.folded, entry) for entry in entries)

    def candidates(self, buffer: Buffer) -> list[Candidate]:
        """See Net."""
        group = self._automaton.group
        return [Candidate(start, end, group(index)) for start, end, index in self._automaton.find(buffer.folded)]

    def look(self, entry: Entry, buffer: Buffer, start: int, end: int) -> Iterable[Hit]:
        """See Net."""
        return _as_written(entry, buffer, start, end)


class Terms:
    """The terms of every list. Immutable once built; several threads may search at once."""

    NETS: ClassVar[tuple[type[Net], ...]] = (SqueezedNet, FoldedNet)

    def __init__(self, term_lists: Sequence[TermList]) -> None:
        entries = [entry for source in term_lists for entry in _entries(source)]
        homes = {net: [e for e in entries if _home(e, self.NETS) is net] for net in self.NETS}
        self.nets: tuple[Net, ...] = tuple(net(home) for net, home in homes.items() if home)
        self.notes = tuple(note for source in term_lists for note in _excuse(source, self.nets))

    def candidates(self, buffer: Buffer) -> list[tuple[Net, Candidate]]:
        """Every place where a term may stand."""
        return [(net, candidate) for net in self.nets for candidate in net.candidates(buffer)]

    @staticmethod
    def look(net: Net, candidate: Candidate, buffer: Buffer) -> Iterator[Hit]:
        """The hits at a place, without those that an exception excuses."""
        for entry in candidate.entries:
            for hit in net.look(entry, buffer, candidate.start, candidate.end):
                if not _excused(hit, buffer):
                    yield hit


def _home(entry: Entry, nets: Sequence[type[Net]]) -> type[Net]:
    return next(net for net in nets if net.takes(entry))


# --- checks when a lexicon is built ------------------------------------------------------------------------------


def _entries(source: TermList) -> list[Entry]:
    where = f"term list {source.name!r}"
    unknown = [view for view in source.views if view not in SCORES]
    if unknown or not source.views:
        known = ", ".join(SCORES)
        raise LexiconError(where, f"views are {list(source.views)}; use one or more of {known}")
    for term in source.terms:
        _check(where, "term", term)
    groups: dict[str, list[str]] = {}
    for term, folded in zip(source.terms, fold(BARRIER.join(source.terms)).split(BARRIER), strict=bool(source.terms)):
        groups.setdefault(folded, []).append(term)
    image = tables().squeeze.take(encode("".join(groups))).tolist()
    ends = accumulate(map(len, groups))
    return [
        Entry(source, folded, written, image[end - len(folded) : end])
        for end, (folded, written) in zip(ends, groups.items(), strict=True)
    ]


def _check(where: str, what: str, phrase: str) -> None:
    if not phrase.strip():
        raise LexiconError(where, f"{what} {phrase!r} is empty; remove it")
    if phrase != phrase.strip():
        raise LexiconError(where, f"{what} {phrase!r} begins or ends with white space; take that off")
    if BARRIER in phrase or any("\ud800" <= c <= "\udfff" for c in phrase):
        raise LexiconError(where, f"{what} {phrase!r} holds a character that no text can hold; take it out")
    if all(is_invisible(c) or not c.isprintable() for c in phrase):
        raise LexiconError(where, f"{what} {phrase!r} folds to nothing that a reader can see; remove it")


def _excuse(source: TermList, nets: Sequence[Net]) -> list[str]:
    """Give each entry of the list the exceptions that can concern it; name those that concern none."""
    notes = []
    for phrase in sorted(set(source.exceptions)):
        _check(f"term list {source.name!r}", "exception", phrase)
        buffer = Buffer(BARRIER + phrase)
        found = {e for net in nets for c in net.candidates(buffer) for e in c.entries if e.source is source}
        for entry in found:
            entry.exceptions = (*entry.exceptions, fold(phrase))
        if not found:
            notes.append(f"term list {source.name!r}: exception {phrase!r} holds none of its terms")
    return notes

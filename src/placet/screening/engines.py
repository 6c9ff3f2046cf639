"""The two engines that run many regular expressions over a text in one pass: Hyperscan, and sets of RE2.

Both are automata without backtracking: time is linear in the text. They say which expressions may match, not where;
Hyperscan also tells where each match ends. An expression is bytes: UTF-8, or with one byte a character (`narrow`).
"""

import threading
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

import re2

from placet.screening.kept import kept

try:
    import hyperscan
except ImportError:  # no wheel for this machine: RE2 does the whole work
    hyperscan = None  # type: ignore[assignment]

Hits = dict[int, dict[int, int]]
"""The place of a text -> the ids of the expressions that may match in it, and the most matches that each may have."""

MANY: Final = 1 << 30
"""The most matches, where nothing is known of it."""
_MOST_ENDS: Final = 2_048
"""Matches that one scan tells apart."""
_SET_SIZE: Final = 64
_SET_MEMORY: Final = 64 << 20


class Refusal(ValueError):
    """Hyperscan does not take an expression, or not all of them together."""


class _Scratch(threading.local):
    """Working memory of Hyperscan: one for each thread, made when the thread first scans."""

    def __init__(self, database: "hyperscan.Database") -> None:
        self.scratch = hyperscan.Scratch(database)


def _collect(index: int, _start: int, _end: int, _flags: int, found: Any) -> None:
    found.append(index)


def _collect_end(index: int, _start: int, end: int, _flags: int, found: Any) -> bool:
    found.append((end, index))
    return len(found) > _MOST_ENDS


class Ends:
    """A database of Hyperscan that tells every match of its expressions. `^` and `$` match at every line end.

    Raises Refusal.
    """

    installed: ClassVar[bool] = hyperscan is not None

    def __init__(self, expressions: Mapping[int, bytes], *, narrow: bool = False) -> None:
        every = _database(expressions, _flags(narrow=narrow))
        self._scan_every, self._for_every = every.scan, _Scratch(every)

    def ends(self, data: bytes) -> list[tuple[int, int]] | None:
        """(offset in bytes, id) for the end of each match in the data; None when there are more than are told apart."""
        found: list[tuple[int, int]] = []
        try:
            self._scan_every(data, _collect_end, 0, found, self._for_every.scratch)
        except hyperscan.ScanTerminated:
            return None
        return found


class Hyperscan(Ends):
    """Beside that one, a database of the same expressions that tells which of them match at all. Raises Refusal."""

    def __init__(self, expressions: Mapping[int, bytes]) -> None:
        super().__init__(expressions)
        first = _database(expressions, _flags(narrow=False) | hyperscan.HS_FLAG_SINGLEMATCH)
        self._scan_first, self._for_first = first.scan, _Scratch(first)

    def hits(self, data: bytes) -> list[int]:
        """Ids of the expressions that match somewhere in the data, each once."""
        found: list[int] = []
        self._scan_first(data, _collect, 0, found, self._for_first.scratch)
        return found

    @staticmethod
    def refusals(expressions: Mapping[int, bytes]) -> dict[int, str]:
        """Of these the ones that Hyperscan does not take, and why; {} where each will do, but not all together."""
        found: dict[int, str] = {}
        for index, expression in expressions.items():
            try:
                _compiled({index: expression}, hyperscan.HS_FLAG_ALLOWEMPTY | hyperscan.HS_FLAG_UTF8)
            except Refusal as reason:
                found[index] = str(reason)
        return found


def _flags(*, narrow: bool) -> int:
    # No SOM: start offsets cost memory and have crashed the process; RE2 gives the spans of the few that hit.
    flags: int = hyperscan.HS_FLAG_ALLOWEMPTY | hyperscan.HS_FLAG_MULTILINE
    return flags if narrow else flags | hyperscan.HS_FLAG_UTF8


def _database(expressions: Mapping[int, bytes], flags: int) -> "hyperscan.Database":
    """A database, kept from one process to the next; one that was kept on a machine of another kind is of no use."""

    def compiled() -> bytes:
        content: bytes = hyperscan.dumpb(_compiled(expressions, flags))
        return content

    version = hyperscan.__version__  # type: ignore[attr-defined] # its stub leaves it out
    made_from = [f"{version} {flags}".encode()]
    made_from += [b"%d %b" % (index, expression) for index, expression in expressions.items()]
    try:
        return hyperscan.loadb(kept("patterns", made_from, compiled), hyperscan.HS_MODE_BLOCK)
    except hyperscan.error:
        return _compiled(expressions, flags)


def _compiled(expressions: Mapping[int, bytes], flags: int) -> "hyperscan.Database":
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    count = len(expressions)
    try:
        database.compile(
            expressions=list(expressions.values()), ids=list(expressions), elements=count, flags=[flags] * count
        )
    except hyperscan.error as error:
        raise Refusal(str(error)) from error
    return database


def by_place(ends: Iterable[tuple[int, int]], data: bytes, barrier: bytes, count: int) -> Hits:
    """Matches by the text in which each ends, for `count` texts joined with a barrier before each."""
    found: Hits = {}
    place, at = -1, 0
    for end, index in sorted(ends):
        place += data.count(barrier, at, end)
        at = end
        if place < count:
            own = found.setdefault(place, {})
            own[index] = own.get(index, 0) + 1
    return found


class Sets:
    """RE2 sets of a few dozen expressions each.

    A set that runs out of memory says that nothing matched. To be able to tell, each set also holds an expression that
    matches everywhere; when that one is missing from the answer, the set's expressions all count as possible hits.
    """

    def __init__(self, expressions: Mapping[int, bytes], *, narrow: bool = False) -> None:
        items = list(expressions.items())
        self._sets = [self._build(items[i : i + _SET_SIZE], narrow) for i in range(0, len(items), _SET_SIZE)]

    @staticmethod
    def _build(items: list[tuple[int, bytes]], narrow: bool) -> tuple[Any, list[int]]:
        options = re2_options(_SET_MEMORY)
        if narrow:
            options.encoding = re2.Options.Encoding.LATIN1
        found = re2.Set.SearchSet(options)
        for _, expression in items:
            found.Add(expression)
        found.Add(b"")
        found.Compile()
        return found, [index for index, _ in items]

    def hits(self, data: bytes) -> list[int]:
        """Ids of the expressions that may match somewhere in the data, each once."""
        out: list[int] = []
        for expressions, ids in self._sets:
            found = expressions.Match(data) or ()
            complete = len(ids) in found
            out += [ids[i] for i in found if i < len(ids)] if complete else ids
        return out


def re2_options(max_memory: int) -> Any:
    """Options under which RE2 keeps its complaints to the error that it raises."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = max_memory
    return options

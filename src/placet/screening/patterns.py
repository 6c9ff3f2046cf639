r"""Regular expressions of every list and rule, tried on a text in one pass.

Syntax and meaning are RE2's: \d, \w, \s and \b are ASCII, case counts unless (?i), `.` stops at a line end unless (?s).
Hyperscan says which patterns may hit; RE2 then says whether and where. So Hyperscan must never miss what RE2 finds, and
may say too much. Where their dialects differ the expression is rewritten before Hyperscan sees it, and what cannot be
rewritten, or what Hyperscan refuses, is searched by RE2 alone (`notes` names those). Both engines are automata without
backtracking: time is linear in the text.

Texts are scanned joined, with fold.BREAK around each. A pattern that matches in a text matches in the joined texts at
the same place, since what it can see beyond the ends of the text is whether a line, a text or a word ends there: so
Hyperscan is told to let `^` and `$` match at every line end, and `\A` and `\z` are `^` and `$` for it. That it then
finds more does no harm.

Without Hyperscan, RE2 sets do the same work with equal results, more slowly.
"""

import re
import threading
from collections.abc import Collection, Sequence
from functools import cache
from itertools import islice
from typing import Any, Final

import re2

from placet.screening.fold import BARRIER, scalar
from placet.screening.lists import Engine, LexiconError, PatternSpec

try:
    import hyperscan
except ImportError:  # no wheel for this machine: RE2 does the whole work
    hyperscan = None  # type: ignore[assignment]

_MAX_PATTERN: Final = 10_000
_TRIES: Final = 8
"""Matches tried for each one reported: an expression that mostly matches nothing is not followed through the text."""
_FEW: Final = 2
"""Texts for which it is told at once what hits in any of them: those of one item."""
_MOST_ENDS: Final = 2_048
"""Matches that are told apart by text in one scan; where there are more, each text is scanned by itself."""
_BARRIER: Final = BARRIER.encode()
_SET_SIZE: Final = 64
_SET_MEMORY: Final = 64 << 20


def utf8(text: str) -> bytes:
    """The text in UTF-8. A lone surrogate, which has no UTF-8 form, becomes U+FFFD, so that offsets still agree."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return scalar(text).encode()


def compile_re2(regex: str, *, max_memory: int = 8 << 20) -> Any:
    """The RE2 object. Raises re2.error with RE2's reason, quietly: RE2 would also write it to stderr."""
    return re2.compile(regex, options=_options(max_memory))


def _options(max_memory: int) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = max_memory
    return options


# --- translating RE2's dialect to Hyperscan's --------------------------------------------------------------------

# The expression is the pack's, not the user's text, and RE2 has accepted it, so a lexer that trusts its form is enough.
_ESCAPE: Final = r"\\[pP]\{[^}]*\}|\\[pP].|\\x\{[0-9A-Fa-f]+\}|\\."
_OUTSIDE: Final = re.compile(rf"\\Q.*?(?:\\E|\Z)|{_ESCAPE}|\[\^?\]?|.", re.DOTALL)
_IN_CLASS: Final = re.compile(rf"{_ESCAPE}|\[:[^\]]*:\]|.", re.DOTALL)
_ENDS: Final = {r"\A": "^", r"\z": "$"}
_SPACE: Final = {r"\s": r"\t\n\f\r ", r"\S": r"\x00-\x08\x0b\x0e-\x1f!-\x{10ffff}", r"\v": r"\x0b"}
_CASELESS_WORD: Final = r"\w\x{17f}\x{212a}"  # RE2 lets \w fold as well: the long s and the Kelvin sign belong to it

# Blocks without cased letters, where (?i) changes nothing: ideographs and their punctuation; pictographs and beyond.
_CASELESS: Final = (range(0x2E80, 0xA640), range(0x1F000, 0x110000))


class _Untranslatable(ValueError):
    """An expression that would not mean the same to Hyperscan."""


def translate(regex: str) -> str:
    """An expression that matches, for Hyperscan, wherever `regex` matches for RE2. ValueError if none is known."""
    if "\x00" in regex:
        raise _Untranslatable("a NUL character would end the expression")
    if r"\B" in regex:
        raise _Untranslatable(r"\B also matches between the bytes of one character")
    if re.search(r"\(\?[a-zA-Z]*-[a-zA-Z]*m", regex):
        raise _Untranslatable("(?-m) would hide where one of several texts begins and ends")
    caseless = re.search(r"\(\?[a-zA-Z]*i", regex) is not None
    if caseless:
        _check_caseless(regex)
    out: list[str] = []
    in_class = False
    at = 0
    while at < len(regex):
        lexeme = _lexeme(regex, at, in_class)
        out.append(_translated(lexeme, in_class, caseless))
        in_class = lexeme != "]" if in_class else lexeme.startswith("[")
        at += len(lexeme)
    return "".join(out)


def _lexeme(regex: str, at: int, in_class: bool) -> str:
    match = (_IN_CLASS if in_class else _OUTSIDE).match(regex, at)
    assert match is not None  # either ends with an alternative that takes any character
    return match.group()


def _translated(lexeme: str, in_class: bool, caseless: bool) -> str:
    if lexeme in _ENDS:
        return _ENDS[lexeme]
    if lexeme in _SPACE:
        inner = _SPACE[lexeme]
    elif lexeme[:2] in (r"\p", r"\P"):
        inner = _property(lexeme)
    elif lexeme == r"\w" and caseless:
        if in_class:
            raise _Untranslatable(r"\w in a class without regard to case")
        inner = _CASELESS_WORD
    else:
        return lexeme
    return inner if in_class else f"[{inner}]"


@cache
def _every_character() -> bytes:
    return "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000)))).encode()


@cache
def _property(name: str) -> str:
    r"""A Unicode property such as \p{Han} as ranges, read off RE2 itself: the engines' Unicode versions differ."""
    every = _every_character()
    spans = (match.span() for match in compile_re2(f"{name}+").finditer(every))
    ends = ((_first(every[start : start + 4]), _last(every[end - 4 : end])) for start, end in spans)
    ranges = [rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in ends]
    if not ranges:
        raise _Untranslatable(f"{name} is empty")
    return "".join(ranges)


def _first(data: bytes) -> int:
    return ord(data.decode(errors="ignore")[0])


def _last(data: bytes) -> int:
    return ord(data.decode(errors="ignore")[-1])


def _check_caseless(regex: str) -> None:
    """Under (?i) the engines fold ASCII alike, but know different Unicode versions for other scripts."""
    if re.search(r"\\[pP]|\[:", regex):
        raise _Untranslatable("a named class without regard to case")
    escaped = [int(digits, 16) for digits in re.findall(r"\\x\{?([0-9A-Fa-f]+)", regex)]
    codes = [code for code in (*map(ord, regex), *escaped) if code > 0x7F]
    blocks = {next((block for block in _CASELESS if code in block), None) for code in codes}
    if None in blocks or len(blocks) > 1:
        raise _Untranslatable("cased letters beyond ASCII without regard to case")


# --- engines: which patterns may hit -----------------------------------------------------------------------------


class _Scratch(threading.local):
    """Working memory of Hyperscan: one for each thread, made when the thread first scans."""

    def __init__(self, database: "hyperscan.Database") -> None:
        self.scratch = hyperscan.Scratch(database)


def _collect(index: int, _start: int, _end: int, _flags: int, found: Any) -> None:
    found.append(index)


def _collect_ends(index: int, _start: int, end: int, _flags: int, found: Any) -> bool:
    found.append((end, index))
    return len(found) > _MOST_ENDS


class _Hyperscan:
    """One database for all patterns that Hyperscan can take, and one more of the same that tells every match."""

    def __init__(self, expressions: dict[int, str]) -> None:
        # No SOM: start offsets cost memory and have crashed the process; RE2 gives the spans of the few that hit.
        every = hyperscan.HS_FLAG_UTF8 | hyperscan.HS_FLAG_ALLOWEMPTY | hyperscan.HS_FLAG_MULTILINE
        self._first = self._database(expressions, every | hyperscan.HS_FLAG_SINGLEMATCH)
        self._every = self._database(expressions, every)
        self._scan_first, self._scan_every = self._first.scan, self._every.scan
        self._local = _Scratch(self._first)
        self._local_every = _Scratch(self._every)

    @staticmethod
    def _database(expressions: dict[int, str], flags: int) -> "hyperscan.Database":
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        database.compile(
            expressions=[e.encode() for e in expressions.values()],
            ids=list(expressions),
            elements=len(expressions),
            flags=[flags] * len(expressions),
        )
        return database

    def hits(self, data: bytes) -> list[int]:
        """Ids of the patterns that may match somewhere in the data, each once."""
        found: list[int] = []
        self._scan_first(data, _collect, 0, found, self._local.scratch)
        return found

    def ends(self, data: bytes) -> list[tuple[int, int]] | None:
        """(byte offset, id) for the end of every match in the data; None when there are more than _MOST_ENDS."""
        found: list[tuple[int, int]] = []
        try:
            self._scan_every(data, _collect_ends, 0, found, self._local_every.scratch)
        except hyperscan.ScanTerminated:
            return None
        return found

    @staticmethod
    def refusal(expression: str) -> str:
        """Why Hyperscan does not take an expression, or "" when it does."""
        try:
            _Hyperscan({0: expression})
        except hyperscan.error as error:
            return str(error)
        return ""


class _Sets:
    """RE2 sets of a few dozen patterns each.

    A set that runs out of memory says that nothing matched. To be able to tell, each set also holds an expression that
    matches everywhere; when that one is missing from the answer, the set's patterns all count as possible hits.
    """

    def __init__(self, regexes: dict[int, str]) -> None:
        items = list(regexes.items())
        self._sets = [self._build(items[i : i + _SET_SIZE]) for i in range(0, len(items), _SET_SIZE)]

    @staticmethod
    def _build(items: list[tuple[int, str]]) -> tuple[Any, list[int]]:
        found = re2.Set.SearchSet(_options(_SET_MEMORY))
        for _, regex in items:
            found.Add(regex)
        found.Add("")
        found.Compile()
        return found, [index for index, _ in items]

    def hits(self, data: bytes) -> list[int]:
        """Ids of the patterns that may match somewhere in the data, each once."""
        out: list[int] = []
        for regexes, ids in self._sets:
            found = regexes.Match(data)
            complete = len(ids) in found
            out += [ids[i] for i in found if i < len(ids)] if complete else ids
        return out


# --- the whole ---------------------------------------------------------------------------------------------------


Span = tuple[int, int]
"""Where a pattern matches: character offsets into the text."""


class Patterns:
    """All patterns, compiled. Immutable once built; several threads may search at once.

    `hints` are further expressions, of our own, whose hits are told apart: the first half of looking for links and
    contacts costs no pass of its own.
    """

    def __init__(
        self, specs: Sequence[PatternSpec], *, hints: Sequence[str], engine: Engine = "auto", max_spans: int = 50
    ) -> None:
        self.specs = tuple(specs)
        self.hints = range(len(self.specs), len(self.specs) + len(hints))
        self._max_spans = max_spans
        self._compiled = [_compiled(spec) for spec in self.specs]
        self.notes: tuple[str, ...] = ()
        regexes = dict(enumerate([*(spec.regex for spec in self.specs), *hints]))
        if engine == "hyperscan" and hyperscan is None:
            raise LexiconError("engine 'hyperscan'", "Hyperscan is not installed; use 'auto' or 're2'")
        self._fast: _Hyperscan | None = None
        self._slow: _Sets | None = None
        if engine == "re2" or hyperscan is None:
            self._slow = _Sets(regexes)
        else:
            self._use_hyperscan(regexes)
        self._on_nothing = frozenset(self.hits(b""))
        """What may match in an empty field: worked out once, since most titles of short messages are empty."""

    def _use_hyperscan(self, regexes: dict[int, str]) -> None:
        """Hyperscan for the expressions it takes; the others go to RE2, and a note says why."""
        accepted, refused = _split(regexes)
        try:
            self._fast = _Hyperscan(accepted)
        except hyperscan.error as error:
            each = {i: why for i, e in accepted.items() if (why := _Hyperscan.refusal(e))}
            refused |= each or dict.fromkeys(range(len(self.specs)), str(error))  # each will do, but not all together
            self._fast = _Hyperscan({i: e for i, e in accepted.items() if i not in refused})
        if refused:
            self._slow = _Sets({i: regexes[i] for i in refused})
            self.notes = tuple(f"{_where(self.specs[i])}: searched by RE2 alone: {why}" for i, why in refused.items())

    def hits(self, data: bytes) -> list[int]:
        """Indices into `specs` of the patterns that may match in a text in UTF-8, and of `hints` those that may."""
        found = self._fast.hits(data) if self._fast else []
        return found + self._slow.hits(data) if self._slow else found

    def hits_together(self, texts: Sequence[str], joined: str) -> dict[int, Collection[int]]:
        """By its place, the patterns that may match in a text. `joined` is all texts, with BREAK around each."""
        data = utf8(joined)
        if len(texts) <= _FEW:
            hits = self._fast.hits(data) if self._fast else []
            found: dict[int, Collection[int]] = {}
            if hits:
                found = {place: hits for place, text in enumerate(texts) if text}
        else:
            ends = self._fast.ends(data) if self._fast else []
            if ends is None:
                return self.hits_apart(texts)
            found = _by_place(ends, data, len(texts))
        if self._slow or self._on_nothing:
            for place, text in enumerate(texts):
                slow = self._slow.hits(utf8(text)) if self._slow and text else ()
                if more := slow if text else self._on_nothing:
                    found[place] = {*found.get(place, ()), *more}
        return found

    def hits_apart(self, texts: Sequence[str]) -> dict[int, Collection[int]]:
        """The same, each text scanned by itself."""
        each = ((place, self.hits(utf8(text)) if text else self._on_nothing) for place, text in enumerate(texts))
        return {place: hits for place, hits in each if hits}

    def spans(self, index: int, data: bytes) -> tuple[list[Span], bool]:
        """The non-overlapping matches of one pattern from left to right, and whether there are more than the limit.

        An empty match counts only where a pattern matches nothing else: it is then reported once, at the first place.
        """
        found = _matches(self._compiled[index], data, self._max_spans + 1)
        return found[: self._max_spans], len(found) > self._max_spans


def _by_place(ends: list[tuple[int, int]], data: bytes, count: int) -> dict[int, Collection[int]]:
    """The ids by the text in which a match ends, for texts joined with BREAK around each."""
    found: dict[int, set[int]] = {}
    place, at = -1, 0
    for end, index in sorted(ends):
        place += data.count(_BARRIER, at, end)
        at = end
        if place < count:
            found.setdefault(place, set()).add(index)
    return {**found}


def _where(spec: PatternSpec) -> str:
    return f"pattern {spec.id!r} of {spec.list!r}"


def _compiled(spec: PatternSpec) -> Any:
    if len(spec.regex) > _MAX_PATTERN:
        raise LexiconError(_where(spec), f"longer than {_MAX_PATTERN} characters; split it")
    if spec.field not in (None, "title", "body"):
        raise LexiconError(_where(spec), f"field {spec.field!r} is not one of title, body or none")
    if re.search(r"(?<!\\)(?:\\\\)*\\C", spec.regex):
        raise LexiconError(_where(spec), r"\C matches a single byte, which may be part of a character; use (?s:.)")
    try:
        return compile_re2(spec.regex)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise LexiconError(_where(spec), f"RE2 refuses it: {reason}") from None
    except UnicodeEncodeError:
        raise LexiconError(_where(spec), "it holds a lone surrogate, which no text can hold; take it out") from None


def _split(regexes: dict[int, str]) -> tuple[dict[int, str], dict[int, str]]:
    accepted: dict[int, str] = {}
    refused: dict[int, str] = {}
    for index, regex in regexes.items():
        try:
            accepted[index] = translate(regex)
        except _Untranslatable as reason:
            refused[index] = str(reason)
    return accepted, refused


def _matches(regex: Any, data: bytes, most: int) -> list[Span]:
    """Character spans of the first `most` matches that are not empty, else of the first empty match."""
    found: list[Span] = []
    empty: list[Span] = []
    chars = counted = 0
    for match in islice(regex.finditer(data), _TRIES * most):
        start, end = match.span()
        if start == end and (empty or found):
            continue
        if start == end:
            start = end = _character(data, start)
        chars += len(data[counted:start].decode())
        counted = start
        if start == end:
            empty.append((chars, chars))
            continue
        found.append((chars, chars + len(data[start:end].decode())))
        if len(found) == most:
            break
    return found or empty


def _character(data: bytes, at: int) -> int:
    r"""The start of the character at a byte offset: \B also matches, emptily, between the bytes of one character."""
    while 0 < at < len(data) and 0x80 <= data[at] < 0xC0:
        at -= 1
    return at

r"""Regular expressions of every list and rule, tried on a text in one pass.

Syntax and meaning are RE2's: \d, \w, \s and \b are ASCII, case counts unless (?i), `.` stops at a line end unless (?s).
Hyperscan says which patterns may hit; RE2 then says whether and where. So Hyperscan must never miss what RE2 finds, and
may say too much. Where their dialects differ the expression is rewritten before Hyperscan sees it, and what cannot be
rewritten, or what Hyperscan refuses, is searched by RE2 alone (`notes` names those). Both engines are automata without
backtracking: time is linear in the text.

Without Hyperscan, RE2 sets do the same work with equal results, more slowly.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final, NamedTuple, Protocol

import re2

from placet.screening.fold import scalar
from placet.screening.lists import Engine, LexiconError, PatternSpec

try:
    import hyperscan
except ImportError:  # no wheel for this machine: RE2 does the whole work
    hyperscan = None  # type: ignore[assignment]

_MAX_PATTERN: Final = 10_000
_TRIES: Final = 4
"""Matches tried for each one reported: an expression that mostly matches nothing is not followed through the text."""
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


class _Engine(Protocol):
    def hits(self, data: bytes) -> list[int]:
        """Ids of the patterns that may match somewhere in the text, in no particular order, each at least once."""


class _Scratch(threading.local):
    """Working memory of Hyperscan: one for each thread, made when the thread first scans."""

    def __init__(self, database: "hyperscan.Database") -> None:
        self.scratch = hyperscan.Scratch(database)


def _collect(index: int, _start: int, _end: int, _flags: int, found: Any) -> None:
    found.append(index)


class _Hyperscan:
    """One database for all patterns that Hyperscan can take."""

    def __init__(self, expressions: dict[int, str]) -> None:
        # No SOM: start offsets cost memory and have crashed the process; RE2 gives the spans of the few that hit.
        flags = hyperscan.HS_FLAG_UTF8 | hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_ALLOWEMPTY
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        self._database.compile(
            expressions=[e.encode() for e in expressions.values()],
            ids=list(expressions),
            elements=len(expressions),
            flags=[flags] * len(expressions),
        )
        self._scan = self._database.scan
        self._local = _Scratch(self._database)

    def hits(self, data: bytes) -> list[int]:
        found: list[int] = []
        self._scan(data, _collect, context=found, scratch=self._local.scratch)
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
        out: list[int] = []
        for regexes, ids in self._sets:
            found = regexes.Match(data)
            complete = len(ids) in found
            out += [ids[i] for i in found if i < len(ids)] if complete else ids
        return out


class _Both:
    """Two engines that share the patterns between them."""

    def __init__(self, first: _Engine, second: _Engine) -> None:
        self._first = first
        self._second = second

    def hits(self, data: bytes) -> list[int]:
        return self._first.hits(data) + self._second.hits(data)


# --- the whole ---------------------------------------------------------------------------------------------------


class Span(NamedTuple):
    """One match of one pattern: character offsets into the text."""

    start: int
    end: int
    spec: PatternSpec


class Patterns:
    """All patterns, compiled. Immutable once built; several threads may search at once.

    `hint` is one more expression, of our own, whose hit is told apart: the first half of looking for links costs no
    pass of its own.
    """

    def __init__(
        self, specs: Sequence[PatternSpec], *, hint: str, engine: Engine = "auto", max_spans: int = 50
    ) -> None:
        self.specs = tuple(specs)
        self.hint = len(self.specs)
        self._max_spans = max_spans
        self._compiled = [_compiled(spec) for spec in self.specs]
        self.notes: tuple[str, ...] = ()
        regexes = dict(enumerate([*(spec.regex for spec in self.specs), hint]))
        if engine == "hyperscan" and hyperscan is None:
            raise LexiconError("engine 'hyperscan'", "Hyperscan is not installed; use 'auto' or 're2'")
        plain = engine == "re2" or hyperscan is None
        #: Indices into `specs` of the patterns that may match in a text in UTF-8, and `hint` if that one may.
        self.hits = (_Sets(regexes) if plain else self._with_hyperscan(regexes)).hits
        self.on_nothing = frozenset(self.hits(b""))
        """What may match in an empty field: worked out once, since most titles of short messages are empty."""

    def _with_hyperscan(self, regexes: dict[int, str]) -> _Engine:
        """Hyperscan for the expressions it takes; the others go to RE2, and a note says why."""
        accepted, refused = _split(regexes)
        try:
            engine: _Engine = _Hyperscan(accepted)
        except hyperscan.error as error:
            each = {i: why for i, e in accepted.items() if (why := _Hyperscan.refusal(e))}
            refused |= each or dict.fromkeys(range(self.hint), str(error))  # each will do, but not all together
            accepted = {i: e for i, e in accepted.items() if i not in refused}
            engine = _Hyperscan(accepted)
        if refused:
            engine = _Both(engine, _Sets({i: regexes[i] for i in refused}))
            self.notes = tuple(f"{_where(self.specs[i])}: searched by RE2 alone: {why}" for i, why in refused.items())
        return engine

    def spans(self, index: int, data: bytes) -> tuple[list[Span], bool]:
        """The non-overlapping matches of one pattern from left to right, and whether there are more than the limit.

        An empty match counts only where a pattern matches nothing else: it is then reported once, at the first place.
        """
        spec = self.specs[index]
        found = list(_matches(self._compiled[index], data, self._max_spans + 1))
        more = len(found) > self._max_spans
        return [Span(start, end, spec) for start, end in found[: self._max_spans]], more


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


def _matches(regex: Any, data: bytes, most: int) -> Iterator[tuple[int, int]]:
    """Character spans of the first `most` matches that are not empty, else of the first empty match."""
    at = chars = counted = found = 0
    empty: tuple[int, int] | None = None
    for _ in range(_TRIES * most):
        match = regex.search(data, at) if found < most and at <= len(data) else None
        if match is None:
            break
        start, end = (_character(data, offset) for offset in match.span())
        chars += len(data[counted:start].decode())
        counted = start
        if end > start:
            yield chars, chars + len(data[start:end].decode())
            found += 1
            at = end
        else:
            empty = empty or (chars, chars)
            at = _next_character(data, start)
    if not found and empty:
        yield empty


def _character(data: bytes, at: int) -> int:
    r"""The start of the character at a byte offset: \B also matches, emptily, between the bytes of one character."""
    while 0 < at < len(data) and 0x80 <= data[at] < 0xC0:
        at -= 1
    return at


def _next_character(data: bytes, at: int) -> int:
    at += 1
    while at < len(data) and 0x80 <= data[at] < 0xC0:
        at += 1
    return at

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
from collections.abc import Sequence
from functools import cache
from itertools import islice
from typing import Any, Final

import re2

from placet.screening.engines import MANY, Hits, Hyperscan, Refusal, Sets, by_place, re2_options
from placet.screening.fold import BARRIER, scalar
from placet.screening.lists import Engine, LexiconError, PatternSpec

_MAX_PATTERN: Final = 10_000
_TRIES: Final = 8
"""Matches tried for each one reported: an expression that mostly matches nothing is not followed through the text."""
_BARRIER: Final = BARRIER.encode()


def utf8(text: str) -> bytes:
    """The text in UTF-8. A lone surrogate, which has no UTF-8 form, becomes U+FFFD, so that offsets still agree."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return scalar(text).encode()


def compile_re2(regex: str, *, max_memory: int = 8 << 20) -> Any:
    """The RE2 object. Raises re2.error with RE2's reason, quietly: RE2 would also write it to stderr."""
    return re2.compile(regex, options=re2_options(max_memory))


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


# --- the whole ---------------------------------------------------------------------------------------------------


Span = tuple[int, int]
"""Where a pattern matches: character offsets into the text."""


class Patterns:
    """All patterns, compiled. Immutable once built; several threads may search at once."""

    def __init__(self, specs: Sequence[PatternSpec], *, engine: Engine = "auto", max_spans: int = 50) -> None:
        self.specs = tuple(specs)
        self._max_spans = max_spans
        self._compiled = [_compiled(spec) for spec in self.specs]
        self.notes: tuple[str, ...] = ()
        regexes = {i: spec.regex for i, spec in enumerate(self.specs)}
        if engine == "hyperscan" and not Hyperscan.installed:
            raise LexiconError("engine 'hyperscan'", "Hyperscan is not installed; use 'auto' or 're2'")
        self._fast: Hyperscan | None = None
        self._slow: Sets | None = None
        if engine == "re2" or not Hyperscan.installed:
            self._slow = Sets({i: regex.encode() for i, regex in regexes.items()})
        elif regexes:
            self._use_hyperscan(regexes)
        self._on_nothing = frozenset(self.hits(b""))
        """What may match in an empty field: worked out once, since most titles of short messages are empty."""

    def _use_hyperscan(self, regexes: dict[int, str]) -> None:
        """Hyperscan for the expressions it takes; the others go to RE2, and a note says why."""
        accepted, refused = _split(regexes)
        try:
            self._fast = Hyperscan(accepted) if accepted else None
        except Refusal as reason:
            refused |= Hyperscan.refusals(accepted) or dict.fromkeys(accepted, str(reason))
            taken = {i: expression for i, expression in accepted.items() if i not in refused}
            self._fast = Hyperscan(taken) if taken else None
        if refused:
            self._slow = Sets({i: regexes[i].encode() for i in refused})
            self.notes = tuple(f"{_where(self.specs[i])}: searched by RE2 alone: {why}" for i, why in refused.items())

    def hits(self, data: bytes) -> list[int]:
        """Indices into `specs` of the patterns that may match in a text in UTF-8."""
        found = self._fast.hits(data) if self._fast else []
        return found + self._slow.hits(data) if self._slow else found

    def hits_together(self, texts: Sequence[str], joined: str) -> Hits:
        """By its place, the patterns that may match in a text. `joined` is all texts, with BREAK around each."""
        found: Hits = {}
        if self._fast:
            data = utf8(joined)
            ends = self._fast.ends(data)
            if ends is None:
                return self.hits_apart(texts)
            if ends:
                found = by_place(ends, data, _BARRIER, len(texts))
        if self._slow or self._on_nothing:
            for place, text in enumerate(texts):
                slow = self._slow.hits(utf8(text)) if self._slow and text else ()
                if more := slow if text else self._on_nothing:
                    found[place] = {**found.get(place, {}), **dict.fromkeys(more, MANY)}
        return found

    def hits_apart(self, texts: Sequence[str]) -> Hits:
        """The same, each text scanned by itself."""
        each = ((place, self.hits(utf8(text)) if text else self._on_nothing) for place, text in enumerate(texts))
        return {place: dict.fromkeys(hits, MANY) for place, hits in each if hits}

    def spans(self, index: int, data: bytes, most: int = MANY) -> tuple[list[Span], bool]:
        """The non-overlapping matches of one pattern from left to right, and whether there are more than the limit.

        `most` is more than or as many as there are. An empty match counts only where a pattern matches nothing else: it
        is then reported once, at the first place.
        """
        found = _matches(self._compiled[index], data, min(most, self._max_spans + 1))
        return found[: self._max_spans], len(found) > self._max_spans


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


def _split(regexes: dict[int, str]) -> tuple[dict[int, bytes], dict[int, str]]:
    """What Hyperscan is given for each expression, and why it is not given the others."""
    accepted: dict[int, bytes] = {}
    refused: dict[int, str] = {}
    for index, regex in regexes.items():
        try:
            accepted[index] = translate(regex).encode()
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

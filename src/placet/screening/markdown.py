"""Markdown as a reader sees it (CommonMark, and strikethrough as is common beside it).

Left out are the marks of headings, quotations, lists, code, emphasis and links; escapes and character references are
resolved; HTML is read as hypertext.py reads it. The address of a link can be pressed. What readers do not see stands
beside what is shown: the texts of images, titles of links, definitions of links, the names after a code fence.

It follows CommonMark in what matters for reading words, not in every corner: emphasis may overlap, and indented code
is read like other text. It is one pass over the source, in time linear in its length.
"""

import string
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from typing import Final, NamedTuple

from placet.screening.fold import scalar
from placet.screening.hypertext import OBJECT, Hypertext, reference, references
from placet.screening.page import Piece, Reading, Stream
from placet.screening.patterns import compile_re2

_PREFIX: Final = compile_re2(r"^[ \t]*(?:(?:>|(?:[-+*]|#{1,6})(?:[ \t]|$))[ \t]*)*")
_FENCE: Final = compile_re2(r"^(```+|~~~+)([^`]*)$")
_DEFINITION: Final = compile_re2(
    r"""(?m)^[ \t>]*\[([^\[\]\n]+)\]:[ \t]*(?:<([^<>\n]*)>|([^\s<>]+))"""
    r"""(?:[ \t]+(?:"[^"\n]*"|'[^'\n]*'|\([^()\n]*\)))?[ \t]*$"""
)
_ABSOLUTE: Final = compile_re2(r"^(?:[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*|[^\s<>@:/]+@[^\s<>@:/]+)$")
_BEFORE_BLOCKS: Final = frozenset(" \t>-+*#")
_MARKS: Final = frozenset("\\`*_~![]<&")
_RUNS: Final = frozenset("`*_")
_PUNCTUATION: Final = frozenset(string.punctuation)
_BLANKS: Final = frozenset(" \t\n\r")
_RULES: Final = frozenset("=-*_")
_LONGEST_LABEL: Final = 999
"""Characters of a label ("Link reference definitions" of CommonMark): so each bracket is looked up in bounded time."""
_DEEPEST: Final = 8
"""Parentheses inside an address, one in the other."""


class _Bracket(NamedTuple):
    """An opening bracket: its piece, the first piece after it, where its text begins, whether it is an image's."""

    piece: Piece
    stream: Stream
    first: int
    start: int
    image: bool


class _Run:
    """A run of marks that may open emphasis, and how many of them have found no partner yet."""

    __slots__ = ("left", "piece")

    def __init__(self, piece: Piece, left: int) -> None:
        self.piece = piece
        self.left = left


class _Address(NamedTuple):
    """Where the address of a link stands, where its title, and where the whole ends."""

    start: int
    end: int
    title: tuple[int, int]
    stop: int


class Markdown:
    """Reads Markdown onto a page, a line at a time."""

    def __init__(self, text: str) -> None:
        self._text = scalar(text)
        self._html = Hypertext(self._text)
        self._page = self._html.page
        self._source = self._html.source
        self._at = 0
        self._fence = ""
        self._brackets: list[_Bracket] = []
        self._emphasis: dict[str, list[_Run]] = defaultdict(list)
        self._marks = list(_marks(self._text))
        self._ticks: dict[int, list[int]] = defaultdict(list)
        for start, end in self._marks:
            if self._text[start] == "`":
                self._ticks[end - start].append(start)
        self._definitions: dict[str, tuple[int, int]] = {}
        self._defined_at: set[int] = set()
        for found in _DEFINITION.finditer(self._text):
            if found.end(1) - found.start(1) > _LONGEST_LABEL:
                continue
            self._definitions.setdefault(_label(found.group(1)), found.span(2 if found.group(2) is not None else 3))
            self._defined_at.add(found.start(1) - 1)
        self._led: dict[int, str] = {}
        self._next_mark = 0

    def read(self) -> Reading:
        """The whole text."""
        start, length = 0, len(self._text)
        while start < length:
            end = self._source.find("\n", start)
            end = end if end >= 0 else length
            if self._at <= end:  # else an element that began further up has taken the line in
                self._line(start, end)
            if self._at <= end:
                self._page.stream.part("\n", end, min(end + 1, length))
            start = end + 1
        self._end_paragraph()
        return self._html.finish()

    # --- lines ---------------------------------------------------------------------------------------------------

    def _line(self, start: int, end: int) -> None:
        line = self._text[start:end].rstrip()
        if self._fence:
            self._code(line, start)
        elif self._at > start:
            self._inline(self._at, max(self._at, start + len(line)))
        else:
            self._block(line, start)

    def _code(self, line: str, start: int) -> None:
        mark = line.strip(" \t>")
        if len(mark) >= len(self._fence) and set(mark) == {self._fence[0]}:
            self._fence = ""
        elif line:
            self._page.stream.put(line, start, start + len(line))

    def _block(self, line: str, start: int) -> None:
        prefix = _PREFIX.match(line).end() if line[:1] in _BEFORE_BLOCKS else 0
        at, body = start + prefix, line[prefix:]
        if prefix or not body:
            self._end_paragraph()
        fence = _FENCE.match(body) if body.startswith(("```", "~~~")) else None
        if fence:
            self._fence = fence.group(1)
            self._page.beside(references(self._text, at + fence.start(2), at + fence.end(2)), at)
        elif at in self._defined_at:
            self._page.beside([(body, at, at + len(body))], at)
        elif not _is_rule(body):
            self._inline(at, at + len(body))

    def _end_paragraph(self) -> None:
        """What has found no partner stands for itself."""
        for runs in self._emphasis.values():
            for run in runs:
                run.piece.text = run.piece.text[: run.left]
        self._emphasis.clear()
        self._brackets.clear()

    # --- inside a line -------------------------------------------------------------------------------------------

    def _inline(self, start: int, end: int) -> None:
        at = start
        while self._next_mark < len(self._marks) and self._marks[self._next_mark][0] < end:
            first, last = self._marks[self._next_mark]
            self._next_mark += 1
            if first >= at:
                self._verbatim(at, first)
                at = self._mark(first, last)
        self._verbatim(at, end)
        self._at = max(at, end)

    def _verbatim(self, start: int, end: int) -> None:
        if start < end:
            self._page.stream.put(self._text[start:end], start, end)

    def _mark(self, start: int, end: int) -> int:
        """Read on from a mark. Gives the end of what was read."""
        char = self._text[start]
        if char == "\\":
            self._page.stream.put(self._text[start + 1], start, end)
            return end
        if char == "`":
            return self._code_span(start, end)
        if char == "<":
            return self._angle(start)
        if char == "]":
            return self._close(start)
        if char == "&":
            characters, stop = reference(self._text, start, len(self._text))
            self._page.stream.put(characters or "&", start, max(stop, end))
            return max(stop, end)
        if char in "[!":
            return self._open(start, end)
        return self._emphasise(start, end)

    def _code_span(self, start: int, end: int) -> int:
        alike = self._ticks[end - start]
        place = bisect_left(alike, end)
        stop = alike[place] if place < len(alike) else -1
        paragraph = self._source.find("\n\n", end)
        if stop < 0 or 0 <= paragraph < stop:
            self._verbatim(start, end)
            return end
        self._verbatim(end, stop)
        return stop + end - start

    def _angle(self, start: int) -> int:
        """A tag, an address in angle brackets, or just what it looks like."""
        stop, again = self._source.find(">", start + 1), self._source.find("<", start + 1)
        if stop >= 0 and not 0 <= again < stop and _ABSOLUTE.match(self._text[start + 1 : stop]):
            self._verbatim(start + 1, stop)
            return stop + 1
        tag = self._html.tag(start)
        if tag:
            return self._html.apply(tag)
        self._verbatim(start, start + 1)
        return start + 1

    def _emphasise(self, start: int, end: int) -> int:
        """A run of "*", "_" or "~~": closes what stands open before it, and may open in turn."""
        char, left = self._text[start], end - start
        piece = self._page.stream.put(self._text[start:end], start, end)
        opens, closes = self._flanks(start, end)
        runs = self._emphasis[char]
        while closes and left and runs:
            used = min(left, runs[-1].left)
            left -= used
            runs[-1].left -= used
            if not runs[-1].left:
                runs.pop().piece.text = ""
        piece.text = char * left
        if opens and left:
            runs.append(_Run(piece, left))
        return end

    def _flanks(self, start: int, end: int) -> tuple[bool, bool]:
        """Whether a run may open emphasis, and whether it may close it (CommonMark, "Emphasis")."""
        before, after = _kind(self._text[start - 1 : start]), _kind(self._text[end : end + 1])
        left = after != "space" and (after == "letter" or before != "letter")
        right = before != "space" and (before == "letter" or after != "letter")
        if self._text[start] != "_":
            return left, right
        return left and (not right or before == "mark"), right and (not left or after == "mark")

    # --- links ---------------------------------------------------------------------------------------------------

    def _open(self, start: int, end: int) -> int:
        stream = self._page.stream
        piece = stream.put(self._text[start:end], start, end)
        self._brackets.append(_Bracket(piece, stream, len(stream.pieces), end, image=end - start > 1))
        return end

    def _close(self, at: int) -> int:
        bracket = self._brackets.pop() if self._brackets else None
        link = self._link(bracket.start, at) if bracket else None
        if not bracket or not link:
            self._verbatim(at, at + 1)
            return at + 1
        bracket.piece.text = OBJECT if bracket.image else ""
        if bracket.image:
            self._page.withdraw(bracket.stream, bracket.first, at)
        if link.start not in self._led:  # a definition may be used a thousand times, and is as long as it likes
            found = list(references(self._text, link.start, link.end))
            self._led[link.start] = self._page.leads(found, link.start, link.end, pressed=not bracket.image)
        if bracket.stream is self._page.shown and not bracket.image:
            self._page.anchor(bracket.first, len(bracket.stream.pieces), self._led[link.start])
        self._page.beside(references(self._text, *link.title), at)
        return link.stop

    def _link(self, start: int, end: int) -> _Address | None:
        """What follows the bracketed text[start:end] makes it a link: an address, or the label of a definition."""
        after = self._text[end + 1 : end + 2]
        inline = self._address(end + 2) if after == "(" else None
        if inline:
            return inline
        stop = end + 1
        if after == "[":
            close = self._source.find("]", end + 2)
            if close > end + 2:
                start, end, stop = end + 2, close, close + 1
            elif close == end + 2:
                stop = close + 1
        if not self._definitions or end - start > _LONGEST_LABEL:
            return None
        defined = self._definitions.get(_label(self._text[start:end]))
        return _Address(*defined, (0, 0), stop) if defined else None

    def _address(self, at: int) -> _Address | None:
        """An address with or without a title, up to the closing parenthesis."""
        text, source = self._text, self._source
        at = source.span(_BLANKS, at)
        if text.startswith("<", at):
            first, last = at + 1, source.find(">", at + 1)
            if last < 0 or 0 <= source.find("<", first) < last or 0 <= source.find("\n", first) < last:
                return None
            at = last + 1
        else:
            first = at
            at = last = self._end_of_address(at)
        at = source.span(_BLANKS, at)
        title = (at, at)
        if text[at : at + 1] in ("'", '"', "("):
            close = source.find(")" if text[at] == "(" else text[at], at + 1)
            if close < 0:
                return None
            title = (at + 1, close)
            at = source.span(_BLANKS, close + 1)
        return _Address(first, last, title, at + 1) if text.startswith(")", at) else None

    def _end_of_address(self, at: int) -> int:
        depth, text = 0, self._text
        while at < len(text) and text[at] not in _BLANKS:
            if text[at] == "(":
                depth += 1
            elif text[at] == ")":
                depth -= 1
            if depth < 0 or depth > _DEEPEST:
                break
            at += 2 if text[at] == "\\" else 1
        return min(at, len(text))


def _marks(text: str) -> Iterator[tuple[int, int]]:
    """The spans of all marks that may mean something inside a line, from left to right."""
    done = 0
    for at in [i for i, char in enumerate(text) if char in _MARKS]:
        if at >= done and (end := _end_of_mark(text, at)) > at:
            yield at, end
            done = end


def _end_of_mark(text: str, at: int) -> int:
    """Where the mark that begins at a place ends; the place itself where it means nothing."""
    char, after = text[at], text[at + 1 : at + 2]
    if char == "\\":
        return at + 2 if after in _PUNCTUATION else at
    if char in "~!":
        return at + 2 if after == ("~" if char == "~" else "[") else at
    end = at + 1
    while char in _RUNS and text.startswith(char, end):
        end += 1
    return end


def _label(text: str) -> str:
    return " ".join(text.split()).casefold()


def _is_rule(body: str) -> bool:
    """Whether a line is drawn as a rule, or underlines a heading."""
    marks = body.replace(" ", "").replace("\t", "")
    return len(set(marks)) == 1 and marks[0] in _RULES and (len(marks) > 2 or marks[0] in "=-")


def _kind(char: str) -> str:
    if not char or char.isspace():
        return "space"
    return "mark" if unicodedata.category(char)[0] in "PS" else "letter"

"""What is read of a marked-up text, and where in the submitted text each part of it stands.

A scanner (hypertext.py, markdown.py) writes on a `Page` as it goes through the source; the page becomes a `Reading`.
There are three streams, and they are read one after the other, each part of the latter two on a line of its own:
what is shown; what stands beside it (hidden text, image texts, annotations); and the addresses that can be pressed.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from enum import IntEnum
from itertools import accumulate
from typing import Final, NamedTuple

Characters = tuple[str, int, int]
"""Characters of a reading, and the start and end of the part of the source that they stand for."""

_STRENGTH: Final = {" ": 0, "\t": 1, "\n": 2}


class Mode(IntEnum):
    """What becomes of text: it is shown, it stands aside (an annotation), or it is hidden. The greater one prevails."""

    SHOWN = 0
    ASIDE = 1
    HIDDEN = 2


class Target(NamedTuple):
    """An address: the part of the source in which it is spelled, and what it says."""

    start: int
    end: int
    address: str


class Anchor(NamedTuple):
    """What a reader can press: offsets into the text of the reading, and where it leads."""

    start: int
    end: int
    address: str


class Piece:
    """Characters of a reading that stand for a part of the source.

    Where both are equally long, they stand for each other one by one; otherwise the whole stands for the whole.
    """

    __slots__ = ("end", "start", "text")

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text = text
        self.start = start
        self.end = end


class Reading:
    """What is read of a text. `span` carries offsets into `text` back to offsets into the source."""

    __slots__ = ("_ends", "_firsts", "_starts", "anchors", "hidden", "pressed", "shown", "targets", "text")

    def __init__(
        self,
        streams: Sequence[Sequence[Piece]],
        targets: tuple[Target, ...] = (),
        anchors: tuple[Anchor, ...] = (),
        hidden: tuple[tuple[int, int], ...] = (),
    ) -> None:
        """`streams` are what is shown, what stands beside it and the addresses; each brings its own line end."""
        kept = [piece for stream in streams for piece in stream if piece.text]
        self.text: str = "".join(piece.text for piece in kept)
        self._firsts = list(accumulate((len(piece.text) for piece in kept), initial=0))
        self._starts = [piece.start for piece in kept]
        self._ends = [piece.end for piece in kept]
        lengths = [sum(len(piece.text) for piece in stream) for stream in streams]
        self.shown = lengths[0]
        """text[:shown] is what a reader sees."""
        self.pressed = lengths[0] + lengths[1]
        """text[pressed:] holds the addresses that a reader can press."""
        self.targets = targets
        """Every address to which the markup leads or from which it loads, in the order of the source."""
        self.anchors = anchors
        self.hidden = hidden
        """Spans of the source whose text a browser is given but a reader does not see."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The part of the source that became text[start:end]; where it reaches over two streams, that in the first."""
        if start >= len(self.text):
            last = self._ends[-1] if self._ends else 0
            return last, last
        first = self._source(start)[0]
        end = min(end, next(stop for stop in (self.shown, self.pressed, len(self.text)) if start < stop))
        return first, self._source(end - 1)[1] if end > start else first

    def _source(self, at: int) -> tuple[int, int]:
        """The part of the source that one character of the text stands for."""
        i = bisect_right(self._firsts, at) - 1
        first, start, end = self._firsts[i], self._starts[i], self._ends[i]
        one_by_one = end - start == self._firsts[i + 1] - first
        return (start + at - first, start + at - first + 1) if one_by_one else (start, end)


class Stream:
    """Pieces in the order in which they are read. White space between them waits until something follows it."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self._waiting: Characters | None = None

    def put(self, text: str, start: int, end: int) -> Piece:
        """Add characters that stand for source[start:end]."""
        if self._waiting:
            if self.pieces:
                self.pieces.append(Piece(*self._waiting))
            self._waiting = None
        piece = Piece(text, start, end)
        self.pieces.append(piece)
        return piece

    def part(self, space: str, start: int, end: int) -> None:
        """Part what comes from what is there by a space, a tab or a line end: the strongest of those that meet."""
        if not self._waiting or _STRENGTH[space] > _STRENGTH[self._waiting[0]]:
            self._waiting = (space, start, end)

    def line(self, found: Iterable[Characters], at: int) -> None:
        """Add a line of its own, which stands at source[at]."""
        self.part("\n", at, at)
        for characters in found:
            self.put(*characters)
        self.part("\n", at, at)


class Page:
    """What has been read so far."""

    def __init__(self) -> None:
        self.mode = Mode.SHOWN
        self.shown = Stream()
        self._beside = Stream()
        self._pressed = Stream()
        self._targets: list[Target] = []
        self._anchors: list[tuple[int, int, str]] = []
        self._hidden: list[tuple[int, int]] = []
        self._hidden_since = 0

    @property
    def stream(self) -> Stream:
        """Where text goes now."""
        return self._beside if self.mode else self.shown

    def turn(self, mode: Mode, at: int) -> None:
        """From source[at] on, let text be shown, stand aside or be hidden."""
        before, self.mode = self.mode, mode
        if before == mode:
            return
        self._beside.part("\n", at, at)
        if mode is Mode.HIDDEN:
            self._hidden_since = len(self._beside.pieces)
        elif before is Mode.HIDDEN:
            found = [piece for piece in self._beside.pieces[self._hidden_since :] if not piece.text.isspace()]
            if found:
                self._hidden.append((found[0].start, found[-1].end))

    def beside(self, found: Iterable[Characters], at: int) -> None:
        """A text that stands beside what is shown, such as the text of an image."""
        self._beside.line(found, at)

    def leads(self, found: Sequence[Characters], start: int, end: int, *, pressed: bool) -> str:
        """An address spelled in source[start:end], and whether a reader can press it. Gives the address."""
        address = "".join(text for text, _, _ in found)
        self._targets.append(Target(start, end, address))
        if pressed:
            self._pressed.line(found, start)
        return address

    def anchor(self, first: int, last: int, address: str) -> None:
        """shown.pieces[first:last] can be pressed and lead to an address."""
        if first < last:
            self._anchors.append((first, last, address))

    def withdraw(self, stream: Stream, first: int, at: int) -> None:
        """Take stream.pieces[first:] out of what is shown: they stand beside it."""
        taken = stream.pieces[first:]
        if stream is self.shown:
            del stream.pieces[first:]
            while self._anchors and self._anchors[-1][0] >= first:
                self._anchors.pop()
            self._beside.line([(piece.text, piece.start, piece.end) for piece in taken], at)

    def reading(self, end: int) -> Reading:
        """All that was read of a source of that length. Nothing more may be written on the page."""
        self.turn(Mode.SHOWN, end)
        shown = self.shown.pieces
        offsets = list(accumulate((len(piece.text) for piece in shown), initial=0))
        anchors = (Anchor(offsets[first], offsets[last], address) for first, last, address in self._anchors)
        streams = [shown]
        for stream in (self._beside.pieces, self._pressed.pieces):
            apart = [Piece("\n", stream[0].start, stream[0].start)] if stream and any(streams) else []
            streams.append([*apart, *stream])
        return Reading(streams, tuple(self._targets), tuple(anchors), tuple(self._hidden))

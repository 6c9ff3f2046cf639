"""The input as blocks of whole lines: as much as there is, never more than is bounded, however long a line is."""

import gzip
import io
import os
import select
import stat
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from placet.screening_cli.ends import Ended, Misuse

PIECE: Final = 65_536
"""Bytes that are read at once. A block of that size keeps a worker busy for a good while, and holds several of the
buffers that a batch is screened in, so that larger blocks gain nothing; it is also what a pipe holds."""

_BOM: Final = b"\xef\xbb\xbf"


class Block(NamedTuple):
    """Lines that follow one another, each with its line end; the last of the input may have none."""

    first: int
    """The number of its first line, from 1."""
    data: bytes
    length: int
    """How many lines."""

    def lines(self) -> list[bytes]:
        """The lines without their ends. A carriage return before the end stays: to JSON it is white space."""
        found = self.data.split(b"\n")
        return found[:-1] if self.data.endswith(b"\n") else found


class Lines:
    """Blocks of an open input. A line longer than `most_bytes` comes cut, but still longer than that."""

    def __init__(self, name: str, raw: io.FileIO, most_bytes: int) -> None:
        self.name = name
        self.ended = False
        self._raw = raw
        self._read: Callable[[int], bytes | None] = (
            gzip.GzipFile(fileobj=raw).read1 if name.endswith(".gz") else raw.read
        )
        self._most = most_bytes
        self._begun: bytes | None = None
        """The beginning of the input, where it was read ahead."""
        self._left: Block | None = None
        """What is left of the block in which the lines end that were passed over."""
        self._rest = bytearray()
        """The beginning of a line whose end has not come yet."""
        self._number = 1

    @classmethod
    def open(cls, name: str, most_bytes: int) -> "Lines":
        """Open a file, or standard input for "-"; a name that ends in .gz is decompressed. Raises Misuse."""
        if name == "-":
            return cls(name, io.FileIO(sys.stdin.fileno(), closefd=False), most_bytes)
        try:
            return cls(name, io.FileIO(Path(name)), most_bytes)
        except OSError as problem:
            raise Misuse(f"{name} cannot be read: {problem.strerror}.") from problem

    def close(self) -> None:
        """Let go of the file."""
        self._raw.close()

    def fileno(self) -> int:
        """The descriptor that becomes readable when there is more input."""
        return self._raw.fileno()

    @property
    def size(self) -> int | None:
        """Bytes of the whole input, compressed ones where it is compressed; None where nobody can tell."""
        about = os.fstat(self.fileno())
        return about.st_size if stat.S_ISREG(about.st_mode) else None

    @property
    def position(self) -> int:
        """How many of these bytes have been read. Only to be asked where there is a size."""
        return self._raw.tell()

    @property
    def at_hand(self) -> bool:
        """Whether there is input that has been read already, and not yet given."""
        return self._begun is not None or self._left is not None

    def begin(self, least: int = 0) -> bytes:
        """Read the beginning of the input ahead, at least so many bytes of it if there are, and give it."""
        piece = self._piece()
        while len(piece) < least and (more := self._piece()):
            piece += more
        self._begun = piece
        return piece

    def skip(self, count: int) -> None:
        """Pass over so many lines. Raises Misuse where there are not so many."""
        while count:
            block = self.read()
            if block is None:
                raise Misuse(f"{self.name} has fewer lines than were answered: it is not the same input.")
            if block.length > count:
                rest = block.data.split(b"\n", count)[count]
                self._left = Block(block.first + count, rest, block.length - count)
            count -= min(count, block.length)

    def read(self) -> Block | None:
        """The next lines; None at the end. Waits for a whole line, and not for more than there is."""
        if self._left is not None:
            block, self._left = self._left, None
            return block
        while piece := self._next_piece():
            head, end, tail = piece.rpartition(b"\n")
            if end:
                data, self._rest = self._rest + head + end, bytearray(tail)
                return self._block(bytes(data))
            self._rest += piece
            del self._rest[self._most + 1 :]  # one byte too many is enough for the line to be refused
        self.ended = True
        data, self._rest = self._rest, bytearray()
        return self._block(bytes(data))

    def _block(self, data: bytes) -> Block | None:
        if self._number == 1:
            data = data.removeprefix(_BOM)
        if not data:
            return None
        block = Block(self._number, data, data.count(b"\n") + (not data.endswith(b"\n")))
        self._number += block.length
        return block

    def _next_piece(self) -> bytes:
        if self._begun is not None:
            piece, self._begun = self._begun, None
            return piece
        return self._piece()

    def _piece(self) -> bytes:
        try:
            while (piece := self._read(PIECE)) is None:  # nothing there yet, and somebody made the input non-blocking
                select.select([self], [], [])
        except (OSError, EOFError, zlib.error) as problem:
            raise Ended(f"{self.name} cannot be read to its end: {problem}.") from problem
        return piece

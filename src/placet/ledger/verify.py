"""The offline verifier: reads an export of the ledger and names the first entry at which it is not what was signed.

It needs neither server nor database: `python -m placet.ledger.verify FILE [--vkey KEY] [--known CHECKPOINT_FILE]`.
The format is written down in docs/ledger.md. A problem is a value; only a wrong argument raises. Every line must be
byte for byte what `export_lines` writes, so nothing in a file can be changed unseen.
"""

import argparse
import re
import sys
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Final, Literal

from placet.ledger import merkle
from placet.ledger.checkpoint import Checkpoint, NoteError, open_checkpoint, parse_vkey
from placet.ledger.encode import HASH_BYTES, EncodeError, commitment, leaf_hash, parse_header
from placet.ledger.export import (
    BODY_START,
    TILE_START,
    ExportError,
    Manifest,
    parse_body,
    parse_manifest,
    parse_tile,
)
from placet.model import Value

MAX_LISTED: Final = 20
"""How many problems of each code a report lists; the first bad index counts them all."""
MAX_LINE: Final = 64 * 1024 * 1024
"""The longest line that is read from a file, in bytes; a longer one is cut, and so found wrong."""

Code = Literal[
    "bad_manifest",
    "bad_checkpoint",
    "bad_signature",
    "untrusted_key",
    "rollback",
    "fork",
    "unreadable",
    "wrong_seq",
    "missing",
    "misplaced",
    "repeated",
    "extra_line",
    "truncated",
    "version_gap",
    "entry_changed",
    "subtree_changed",
    "root_mismatch",
    "tile_changed",
    "tile_missing",
    "tile_unreadable",
    "body_unreadable",
    "body_mismatch",
]
Progress = Callable[[int, int], None]
"""Called now and then with how many entries were read, and how many there should be."""
Tiles = dict[tuple[int, int], bytes]
"""The hashes of tiles by (level, index)."""
_BODY_OF: Final = re.compile(rb'\{"seq":([0-9]{1,16}),')


class Problem(Value, frozen=True):
    """One thing that is wrong, and the first entry that it touches where that can be said."""

    index: int | None
    code: Code
    message: str


class Report(Value, frozen=True):
    """What the verifier found. `problems` are in the order of their index, those of no one entry first."""

    ok: bool
    origin: str
    vkey: str
    """The key whose signature was asked for."""
    size: int
    """How many entries were read."""
    root: str
    """The root over them, in hexadecimal."""
    problems: tuple[Problem, ...]
    first_bad: int | None
    """The lowest index of any problem. None when there is none, or when none can be laid to an entry."""


# --- verifying ---------------------------------------------------------------------------------------------------


def verify(
    lines: Iterable[bytes],
    trusted_vkey: str | None = None,
    known_checkpoint: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """Verify an export, given as lines with or without their newlines.

    Without `trusted_vkey` the file's own key is used, which proves that the file is whole but not whose it is.
    `known_checkpoint` is a signed head that was seen before: the export must continue it. Raises NoteError when one
    of these two arguments is not what it should be.
    """
    if trusted_vkey is not None:
        parse_vkey(trusted_vkey)
    source, problems = iter(lines), _Problems()
    try:
        manifest = parse_manifest(next(source, b"").removesuffix(b"\n"))
    except ExportError as problem:
        problems.add("bad_manifest", str(problem))
        return problems.report("", trusted_vkey or "", 0, b"")
    vkey = trusted_vkey or manifest.vkey
    head = _check_head(manifest, vkey, problems)
    record = _Record()
    rest = _read_headers(source, record, manifest.size, problems, progress)
    tiles = _read_rest(rest, record, manifest.size, problems)
    leaves = record.leaves if record.regular(manifest.size) else _align(record, tiles, manifest.size, problems)
    root = _check_tree(bytes(leaves), tiles, head, manifest.size, problems)
    if known_checkpoint is not None:
        _check_known(known_checkpoint, vkey, bytes(leaves), manifest, problems)
    return problems.report(manifest.origin, vkey, len(leaves) // HASH_BYTES, root)


class _Problems:
    """Collects problems: lists the first few of each code, and keeps the lowest index of all."""

    def __init__(self) -> None:
        self._listed: list[Problem] = []
        self._count: Counter[Code] = Counter()
        self._first_bad: int | None = None

    def add(self, code: Code, message: str, index: int | None = None) -> None:
        if index is not None and (self._first_bad is None or index < self._first_bad):
            self._first_bad = index
        self._count[code] += 1
        if self._count[code] <= MAX_LISTED:
            self._listed.append(Problem(index, code, message))

    def full(self, code: Code) -> bool:
        return self._count[code] > MAX_LISTED

    def report(self, origin: str, vkey: str, size: int, root: bytes) -> Report:
        listed = sorted(self._listed, key=lambda problem: -1 if problem.index is None else problem.index)
        return Report(not listed, origin, vkey, size, root.hex(), tuple(listed), self._first_bad)


class _Record:
    """What must be kept of the header lines, in the order of the file: some 100 bytes a line."""

    def __init__(self) -> None:
        self.leaves = bytearray()
        self.commitments = bytearray()
        self.seqs = array("q")
        """The seq that each line claims; -1 for a line that is no header."""
        self.versions: dict[str, int] = {}

    def take(self, line: bytes, problems: _Problems) -> None:
        self.leaves += leaf_hash(line)
        try:
            header = parse_header(line)
        except EncodeError:
            self.seqs.append(-1)
            self.commitments += bytes(HASH_BYTES)
            return
        self.seqs.append(header.seq)
        self.commitments += bytes.fromhex(header.commitment)
        version = self.versions.get(header.dossier, 0) + 1
        if header.version != version:
            place = len(self.seqs) - 1
            problems.add("version_gap", f"version {header.version} of {header.dossier}, expected {version}", place)
        self.versions[header.dossier] = header.version

    def leaf(self, place: int) -> bytes:
        return bytes(self.leaves[place * HASH_BYTES : (place + 1) * HASH_BYTES])

    def regular(self, size: int) -> bool:
        """Whether the lines claim exactly the places 0 to size - 1, in order."""
        return len(self.seqs) == size and all(seq == place for place, seq in enumerate(self.seqs))

    def commitment_of(self, seq: int) -> bytes | None:
        """The commitment in the header that claims this seq. To be asked when all headers are taken."""
        place = seq if seq < len(self.seqs) and self.seqs[seq] == seq else self._places.get(seq)
        if place is None:
            return None
        return bytes(self.commitments[place * HASH_BYTES : (place + 1) * HASH_BYTES])

    @cached_property
    def _places(self) -> dict[int, int]:
        """Where in the file each seq is claimed: for a file whose lines are not in their places."""
        return {seq: place for place, seq in enumerate(self.seqs)}


# --- reading -----------------------------------------------------------------------------------------------------


def _read_headers(
    source: Iterator[bytes], record: _Record, size: int, problems: _Problems, progress: Progress | None
) -> Iterator[bytes]:
    """Take the header lines; gives back the lines after them."""
    for count, line in enumerate(source):
        if line.startswith((TILE_START, BODY_START)):
            return chain((line,), source)
        record.take(line.removesuffix(b"\n"), problems)
        if progress and count % 65_536 == 0:
            progress(count, size)
    return iter(())


def _read_rest(lines: Iterator[bytes], record: _Record, size: int, problems: _Problems) -> Tiles:
    """Take the tile and body lines; gives the tiles."""
    given: Tiles = {}
    for with_newline in lines:
        line = with_newline.removesuffix(b"\n")
        if line.startswith(TILE_START):
            _read_tile(line, size, given, problems)
        elif line.startswith(BODY_START):
            _read_body(line, record, problems)
        else:
            problems.add("extra_line", f"A line that is neither tile nor body: {line[:40]!r}")
    for tile in merkle.tiles(size):
        if (tile.level, tile.index) not in given:
            problems.add("tile_missing", f"{merkle.tile_path(tile)} is missing.")
            if problems.full("tile_missing"):  # a manifest may claim more tiles than anybody can count
                break
    return given


def _read_tile(line: bytes, size: int, given: Tiles, problems: _Problems) -> None:
    try:
        tile, hashes = parse_tile(line)
        fits = tile == merkle.tile_at(size, tile.level, tile.index) and (tile.level, tile.index) not in given
    except (ExportError, merkle.LedgerShapeError) as problem:
        problems.add("tile_unreadable", str(problem))
        return
    if fits:
        given[tile.level, tile.index] = hashes
    else:
        problems.add("tile_unreadable", f"{merkle.tile_path(tile)} stands here twice, or with another width.")


def _read_body(line: bytes, record: _Record, problems: _Problems) -> None:
    try:
        seq, salt, body = parse_body(line)
    except ExportError as problem:
        said = _BODY_OF.match(line)  # whatever else is unreadable, it may still say whose body it is
        problems.add("body_unreadable", str(problem), int(said[1]) if said else None)
        return
    if record.commitment_of(seq) != commitment(salt, body):
        problems.add("body_mismatch", "This body and salt are not what the entry's header commits to.", seq)


# --- checks ------------------------------------------------------------------------------------------------------


def _check_head(manifest: Manifest, vkey: str, problems: _Problems) -> Checkpoint | None:
    """The head that the file must add up to, if it is signed by `vkey`."""
    if manifest.vkey != vkey:
        problems.add("untrusted_key", f"The file is by the key {manifest.vkey[:200]}")
    try:
        head = open_checkpoint(manifest.checkpoint, [vkey])
    except NoteError as problem:
        codes: dict[str, Code] = {"bad_signature": "bad_signature", "unknown_key": "untrusted_key"}
        problems.add(codes.get(problem.fault, "bad_checkpoint"), str(problem))
        return None
    if (head.origin, head.size) != (manifest.origin, manifest.size):
        problems.add("bad_manifest", f"The signed head is of {head.origin!r} with {head.size} entries.")
        return None
    return head


def _align(record: _Record, tiles: Tiles, size: int, problems: _Problems) -> bytearray:
    """The leaves in their places, where lines are missing, too many, or out of order.

    A line whose hash stands in the tiles at the place that it claims is a true entry, wherever in the file it stands;
    any other is taken as the next one, changed. Gaps are filled from the tiles, so that what follows is still checked.
    """
    true = _leading_leaves(tiles)
    leaves, absent = bytearray(), set[int]()
    for place, seq in enumerate(record.seqs):
        leaf, expected = record.leaf(place), len(leaves) // HASH_BYTES
        if seq != expected and _is_at(true, seq, leaf) and not _is_at(true, expected, leaf):
            if seq < expected:
                problems.add("misplaced" if seq in absent else "repeated", f"It stands on line {place + 2} too.", seq)
                absent.discard(seq)
                continue
            absent.update(range(expected, seq))
            leaves += true[expected * HASH_BYTES : seq * HASH_BYTES]
        elif expected >= size:
            problems.add("extra_line", f"Line {place + 2} is one more than {size} entries.")
            continue
        elif seq < 0:
            problems.add("unreadable", f"Line {place + 2} is not a header in canonical form.", expected)
        elif seq != expected:
            problems.add("wrong_seq", f"Line {place + 2} says that it is entry {seq}.", expected)
        leaves += leaf
    for index in sorted(absent):
        problems.add("missing", "The file has no line for it.", index)
    if len(leaves) < size * HASH_BYTES:
        problems.add("truncated", f"The headers end here, before {size} entries.", len(leaves) // HASH_BYTES)
    return leaves


def _leading_leaves(tiles: Tiles) -> bytes:
    """The leaf hashes in the tiles of level 0, from the first on up to a tile that is missing."""
    chunks: list[bytes] = []
    while hashes := tiles.get((0, len(chunks))):
        chunks.append(hashes)
    return b"".join(chunks)


def _is_at(leaves: bytes, index: int, leaf: bytes) -> bool:
    return index >= 0 and leaves[index * HASH_BYTES : (index + 1) * HASH_BYTES] == leaf


def _check_tree(leaves: bytes, given: Tiles, head: Checkpoint | None, size: int, problems: _Problems) -> bytes:
    """Compare the tree over the headers with the tiles and with the signed head; gives its root."""
    count = len(leaves) // HASH_BYTES
    computed, root = _tree(leaves)
    signed = head.root if head is not None and count == size else None
    if signed is not None and root != signed:
        problems.add("root_mismatch", f"The entries have another root than the signed {signed.hex()}.")
    _Comparison(computed, given, count).blame(problems, whole=root == signed)
    return root


def _tree(leaves: bytes) -> tuple[Tiles, bytes]:
    """All tiles over these leaf hashes, and the root."""
    tiles = {(tile.level, tile.index): hashes for tile, hashes in merkle.grow(0, leaves, _no_tile)}
    return tiles, merkle.root_of_tiles(len(leaves) // HASH_BYTES, lambda level, index: tiles[level, index])


def _no_tile(level: int, index: int) -> bytes:
    raise merkle.LedgerShapeError(f"A tree that grows from nothing asked for tile {index} of level {level}.")


class _Comparison:
    """The tiles worked out from the headers against those in the file: where they differ, which side is to blame."""

    def __init__(self, computed: Tiles, given: Tiles, count: int) -> None:
        self._count = count
        self._given = given
        self._differ: defaultdict[int, set[int]] = defaultdict(set)
        """By level: the places (tile index * 256 + n) of the hashes that differ."""
        for (level, index), ours in computed.items():
            theirs = given.get((level, index), ours)
            if theirs != ours:
                first = index * merkle.TILE_WIDTH
                self._differ[level] |= {first + n for n in _differences(ours, theirs)}

    def blame(self, problems: _Problems, *, whole: bool) -> None:
        """Name every difference. `whole`: the headers are proven by the signed head, so that a tile is to blame."""
        for level, places in sorted(self._differ.items()):
            for place in sorted(places):
                index = place << merkle.TILE_HEIGHT * level
                path = merkle.tile_path(merkle.Tile(level, place // merkle.TILE_WIDTH))
                if whole or self._parent_agrees(level, place):
                    message = f"Hash {place % merkle.TILE_WIDTH} of {path} is not that of the headers, which are right."
                    problems.add("tile_changed", message, index)
                elif level == 0:
                    problems.add("entry_changed", f"The header is not the one whose hash stands in {path}.", index)
                elif not self._explained(level, place):
                    span = 1 << merkle.TILE_HEIGHT * level
                    problems.add("subtree_changed", f"Of the {span} entries from here on, one was changed.", index)

    def _parent_agrees(self, level: int, place: int) -> bool:
        """Whether the hash above this one is in the file, and as the headers give it."""
        above = place // merkle.TILE_WIDTH
        exists = above < self._count >> merkle.TILE_HEIGHT * (level + 1)
        given = (level + 1, above // merkle.TILE_WIDTH) in self._given
        return exists and given and above not in self._differ[level + 1]

    def _explained(self, level: int, place: int) -> bool:
        """Whether a hash below this one differs as well."""
        below = place * merkle.TILE_WIDTH
        return not self._differ[level - 1].isdisjoint(range(below, below + merkle.TILE_WIDTH))


def _differences(ours: bytes, theirs: bytes) -> Iterator[int]:
    for at in range(0, min(len(ours), len(theirs)), HASH_BYTES):
        if ours[at : at + HASH_BYTES] != theirs[at : at + HASH_BYTES]:
            yield at // HASH_BYTES


def _check_known(text: str, vkey: str, leaves: bytes, manifest: Manifest, problems: _Problems) -> None:
    """The export must continue a head that was seen before (C2SP tlog-checkpoint: no two heads may contradict)."""
    try:
        known = open_checkpoint(text, [vkey])
    except NoteError as problem:
        if problem.fault != "unknown_key":
            raise
        problems.add("untrusted_key", "The head known before is not signed by this key.")
        return
    if known.origin != manifest.origin:
        problems.add("fork", f"The head known before is of {known.origin!r}.")
    elif known.size > manifest.size:
        problems.add("rollback", f"A head with {known.size} entries was seen before; this one has {manifest.size}.")
    elif len(leaves) >= known.size * HASH_BYTES and _tree(leaves[: known.size * HASH_BYTES])[1] != known.root:
        problems.add("fork", f"The first {known.size} entries are not those of the head known before.")


# --- command line ------------------------------------------------------------------------------------------------


def render(report: Report, *, trusted: bool) -> str:
    """The report as a few lines of text."""
    whose = "" if trusted else "  (the file's own; give --vkey to check whose it is)"
    bad = "" if report.first_bad is None else f"; the first bad entry is {report.first_bad}"
    verdict = "OK" if report.ok else f"NOT OK: {len(report.problems)} problems listed{bad}"
    lines = [
        f"ledger   {report.origin}",
        f"key      {report.vkey}{whose}",
        f"entries  {report.size}",
        f"root     {report.root}",
        verdict,
    ]
    for problem in report.problems:
        where = "file" if problem.index is None else f"entry {problem.index}"
        lines.append(f"  {where}: {problem.code}: {problem.message}")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Verify a file. Gives 0 when it is fine, 1 when it is not, 2 when it cannot be read or an argument is wrong."""
    parser = argparse.ArgumentParser(prog="placet.ledger.verify", description="Verify an export of a Placet ledger.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--vkey", help="the ledger's verifier key, from a source other than the file")
    parser.add_argument("--known", type=Path, help="a file with a signed head that was seen before")
    options = parser.parse_args(arguments)
    try:
        known = options.known.read_text("utf-8") if options.known else None
        with options.file.open("rb") as file:
            report = verify(iter(lambda: file.readline(MAX_LINE), b""), options.vkey, known)
    except (OSError, NoteError, UnicodeDecodeError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    sys.stdout.write(render(report, trusted=options.vkey is not None))
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())

"""The export of a ledger: one file of JSON lines that holds all that an outsider needs to check it offline.

Line by line: a manifest; the canonical header of every entry, verbatim; every hash tile; and, where asked for, bodies
that are disclosed. docs/ledger.md describes the format for those who write a verifier of their own. A reader here
accepts a line only if it is byte for byte what the writer beside it would write.
"""

import base64
from collections.abc import Iterable, Iterator
from typing import Annotated, Final

import msgspec

from placet.ledger import merkle
from placet.ledger.encode import HASH_BYTES, MAX_INT, SALT_BYTES, canonical
from placet.ledger.merkle import Tile

FORMAT: Final = "placet-ledger-export/1"
TILE_START: Final = b'{"tile":'
BODY_START: Final = b'{"seq":'
"""What tile and body lines start with; no header starts so."""

_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_INT)]


class ExportError(ValueError):
    """A line that is not what the writer would have written."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line: whose ledger it is, how many entries follow, and the signed head over them."""

    format: str
    origin: str
    vkey: str
    size: _Count
    checkpoint: str


class _TileLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tile: str
    hashes: str


class _BodyLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    seq: _Count
    salt: str
    body: msgspec.Raw


_UNREADABLE: Final = (msgspec.DecodeError, ValueError, RecursionError)


def export_lines(
    *,
    origin: str,
    vkey: str,
    size: int,
    checkpoint: str,
    headers: Iterable[bytes],
    read: merkle.ReadTile,
    bodies: Iterable[tuple[int, bytes, bytes]] = (),
) -> Iterator[bytes]:
    """An export, line by line, each with its newline: manifest, headers of entries 0 to size - 1, tiles, bodies.

    `bodies` are (seq, salt, canonical body) of the entries to disclose: none unless asked for.
    """
    yield manifest_line(origin, vkey, size, checkpoint)
    for header in headers:
        yield header + b"\n"
    for tile in merkle.tiles(size):
        yield tile_line(tile, merkle.read_tile(read, tile))
    for seq, salt, body in bodies:
        yield body_line(seq, salt, body)


def manifest_line(origin: str, vkey: str, size: int, checkpoint: str) -> bytes:
    """The line of the manifest; `checkpoint` is the signed note."""
    return msgspec.json.encode(Manifest(FORMAT, origin, vkey, size, checkpoint)) + b"\n"


def tile_line(tile: Tile, hashes: bytes) -> bytes:
    """The line of one tile."""
    return msgspec.json.encode(_TileLine(merkle.tile_path(tile), base64.b64encode(hashes).decode())) + b"\n"


def body_line(seq: int, salt: bytes, body: bytes) -> bytes:
    """The line that discloses the body of entry `seq`; `body` is canonical bytes."""
    return msgspec.json.encode(_BodyLine(seq, salt.hex(), msgspec.Raw(body))) + b"\n"


def parse_manifest(line: bytes) -> Manifest:
    """Read the first line, without its newline. Raises ExportError."""
    try:
        manifest = msgspec.json.decode(line, type=Manifest)
        same = msgspec.json.encode(manifest) == line
    except _UNREADABLE as problem:
        raise ExportError(f"The first line is not a manifest: {problem}") from problem
    if manifest.format != FORMAT or not same:
        raise ExportError(f"The first line is not that of {FORMAT}, byte for byte.")
    return manifest


def parse_tile(line: bytes) -> tuple[Tile, bytes]:
    """Read a tile line, without its newline: the tile and its hashes. Raises ExportError."""
    try:
        fields = msgspec.json.decode(line, type=_TileLine)
        tile = merkle.parse_tile_path(fields.tile)
        hashes = base64.b64decode(fields.hashes, validate=True)
    except _UNREADABLE as problem:
        raise ExportError(f"Not a tile: {problem}") from problem
    if len(hashes) != tile.width * HASH_BYTES or tile_line(tile, hashes)[:-1] != line:
        raise ExportError(f"{fields.tile} has not as many hashes as its path says, or is not in canonical form.")
    return tile, hashes


def parse_body(line: bytes) -> tuple[int, bytes, bytes]:
    """Read a body line, without its newline: seq, salt, canonical body. Raises ExportError."""
    try:
        fields = msgspec.json.decode(line, type=_BodyLine)
        salt, body = bytes.fromhex(fields.salt), bytes(fields.body)
        same = canonical(msgspec.json.decode(body)) == body and body_line(fields.seq, salt, body)[:-1] == line
    except _UNREADABLE as problem:
        raise ExportError(f"Not a body: {problem}") from problem
    if len(salt) != SALT_BYTES or not same:
        raise ExportError(f"The salt or body of entry {fields.seq} is not in canonical form.")
    return fields.seq, salt, body

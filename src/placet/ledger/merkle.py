"""The Merkle tree of RFC 6962 section 2.1: roots, proofs and their checks, and its storage as C2SP tlog-tiles.

A leaf is given by its hash (`encode.leaf_hash`); all hashes are SHA-256, 32 bytes. Every root and proof is a handful
of subtree hashes, so one function asks for them by range of leaves (`RangeHash`) and two give them: `of_leaves` from
the leaf hashes themselves, `of_tiles` from stored tiles, of which a proof touches at most two a level.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from placet.ledger.encode import HASH_BYTES
from placet.model import Value

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT

Proof = tuple[bytes, ...]
RangeHash = Callable[[int, int], bytes]
"""The hash of the subtree over leaves [start, end), as RFC 6962 writes MTH(D[start:end]); end > start."""
ReadTile = Callable[[int, int], bytes]
"""The hashes of tile (level, index), at least as many as the tree asked about has there; more do no harm."""

_NODE: Final = b"\x01"
_sha256 = hashlib.sha256


class LedgerShapeError(ValueError):
    """An index, size, path or tile that does not fit the shape of the tree."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(01 || left || right): an inner node."""
    return _sha256(_NODE + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes; SHA-256 of nothing for no leaves."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root()


class Frontier:
    """A tree that only grows: it keeps one hash for each full subtree on its right edge, the largest first.

    A leaf costs one node hash on average. `hashes` and `size` are all that need be kept to go on later.
    """

    __slots__ = ("_hashes", "_size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        if size < 0 or len(hashes) != size.bit_count():
            raise LedgerShapeError(f"A tree of {size} leaves has not {len(hashes)} hashes on its edge.")
        self._size = size
        self._hashes = list(hashes)

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The full subtrees of the right edge, largest first; one for each 1 bit of `size`."""
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        edge = self._hashes
        size = self._size
        while size & 1:
            leaf = node_hash(edge.pop(), leaf)
            size >>= 1
        edge.append(leaf)
        self._size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes in order."""
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """The root of the tree as it stands."""
        return _fold(self._hashes) if self._hashes else EMPTY_ROOT


def _fold(hashes: Sequence[bytes]) -> bytes:
    """The hash over neighbouring full subtrees, the largest first."""
    result = hashes[-1]
    for left in reversed(hashes[:-1]):
        result = node_hash(left, result)
    return result


# --- proofs ------------------------------------------------------------------------------------------------------


def inclusion_proof(index: int, size: int, hashes: RangeHash) -> Proof:
    """The path from leaf `index` to the root of a tree of `size`, from the bottom up (RFC 6962 section 2.1.1)."""
    return tuple(hashes(start, end) for start, end in _inclusion_ranges(index, size))


def consistency_proof(old: int, size: int, hashes: RangeHash) -> Proof:
    """The proof that a tree of `size` continues its first `old` leaves (RFC 6962 section 2.1.2).

    Empty when the sizes are equal or `old` is 0: every tree continues the empty one.
    """
    return tuple(hashes(start, end) for start, end in _consistency_ranges(old, size))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof leads from this leaf hash, as leaf `index`, to the root (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, result = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            result = node_hash(step, result)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            result = node_hash(result, step)
        node, last = node >> 1, last >> 1
    return last == 0 and result == root


def verify_consistency(old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree with `root` is shown to continue the one with `old_root` (RFC 9162 section 2.1.4.2)."""
    if old == 0:
        return not proof and size >= 0 and old_root == EMPTY_ROOT
    if old == size:
        return not proof and old_root == root
    if not 0 < old < size:
        return False
    # The first hash is left out where it is the old root itself: where the old tree is one full subtree.
    path = (old_root, *proof) if old.bit_count() == 1 else tuple(proof)
    return bool(path) and _walk(old, size, path) == (old_root, root)


def _walk(old: int, size: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """The old and the new root that a consistency path leads to, or None when it has the wrong length."""
    node, last = old - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    before = after = path[0]
    for step in path[1:]:
        if last == 0:
            return None
        if node & 1 or node == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            after = node_hash(after, step)
        node, last = node >> 1, last >> 1
    return (before, after) if last == 0 else None


def _inclusion_ranges(index: int, size: int) -> Iterator[tuple[int, int]]:
    if not 0 <= index < size:
        raise LedgerShapeError(f"There is no leaf {index} in a tree of {size}.")
    return _path(index, 0, size)


def _consistency_ranges(old: int, size: int) -> Iterator[tuple[int, int]]:
    if not 0 <= old <= size:
        raise LedgerShapeError(f"A tree of {size} does not continue one of {old}.")
    return _subproof(old, 0, size, known=True) if old else iter(())


def _path(index: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """PATH(index, D[start:end]) as ranges of leaves."""
    if end - start == 1:
        return
    middle = start + _split(end - start)
    if index < middle:
        yield from _path(index, start, middle)
        yield middle, end
    else:
        yield from _path(index, middle, end)
        yield start, middle


def _subproof(old: int, start: int, end: int, *, known: bool) -> Iterator[tuple[int, int]]:
    """SUBPROOF(old - start, D[start:end], known) as ranges of leaves; `old` counts from the first leaf of all."""
    if old == end:
        if not known:
            yield start, end
        return
    middle = start + _split(end - start)
    if old <= middle:
        yield from _subproof(old, start, middle, known=known)
        yield middle, end
    else:
        yield from _subproof(old, middle, end, known=False)
        yield start, middle


def _split(count: int) -> int:
    """The largest power of two below `count` (RFC 6962 calls it k); count > 1."""
    return 1 << (count - 1).bit_length() - 1


def of_leaves(leaves: Sequence[bytes]) -> RangeHash:
    """Subtree hashes worked out from all leaf hashes."""
    return lambda start, end: root(leaves[start:end])


# --- tiles -------------------------------------------------------------------------------------------------------


class Tile(Value, frozen=True):
    """Where a tile stands: hash i of it covers the leaves [(index * 256 + i) * 256**level, … + 256**level)."""

    level: int
    index: int
    width: int = TILE_WIDTH
    """How many hashes it has: 256, or fewer on the right edge of the tree (a partial tile)."""

    @property
    def first_leaf(self) -> int:
        """The first leaf that it covers."""
        return self.index << TILE_HEIGHT * (self.level + 1)


def tile_path(tile: Tile) -> str:
    """The path of a tile, as `tile/0/x001/x234/067` or `tile/1/002.p/17` (C2SP tlog-tiles)."""
    if not (0 <= tile.level < 64 and tile.index >= 0 and 1 <= tile.width <= TILE_WIDTH):
        raise LedgerShapeError(f"There is no such tile: {tile}.")
    digits = str(tile.index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    number = "/".join([*("x" + group for group in groups[:-1]), groups[-1]])
    partial = "" if tile.width == TILE_WIDTH else f".p/{tile.width}"
    return f"tile/{tile.level}/{number}{partial}"


def parse_tile_path(path: str) -> Tile:
    """The tile that a path names. Raises LedgerShapeError unless `tile_path` would write the same path."""
    number, _, width = path.removeprefix("tile/").partition(".p/")
    level, *groups = number.split("/")
    fields = level, "".join(groups).replace("x", ""), width or str(TILE_WIDTH)
    if all(field.isascii() and field.isdigit() and len(field) <= 30 for field in fields):
        tile = Tile(*map(int, fields))
        if tile.level < 64 and 1 <= tile.width <= TILE_WIDTH and tile_path(tile) == path:
            return tile
    raise LedgerShapeError(f"Not the path of a tile: {path[:200]!r}.")


def tile_at(size: int, level: int, index: int) -> Tile:
    """The tile (level, index) as it stands in a tree of `size`, full or partial. Raises LedgerShapeError if empty."""
    width = min((size >> TILE_HEIGHT * level) - index * TILE_WIDTH, TILE_WIDTH)
    if index < 0 or width < 1:
        raise LedgerShapeError(f"A tree of {size} has no tile {index} at level {level}.")
    return Tile(level, index, width)


def tiles(size: int, old: int = 0) -> Iterator[Tile]:
    """Every tile of a tree of `size` that a tree of `old` has not, level by level, each level from the left."""
    level = 0
    while size >> TILE_HEIGHT * level > old >> TILE_HEIGHT * level:
        count, had = size >> TILE_HEIGHT * level, old >> TILE_HEIGHT * level
        for index in range(had // TILE_WIDTH, -(-count // TILE_WIDTH)):
            yield Tile(level, index, min(count - index * TILE_WIDTH, TILE_WIDTH))
        level += 1


def grow(old: int, leaves: bytes, read: ReadTile) -> list[tuple[Tile, bytes]]:
    """What must be stored when a tree of `old` takes new leaves: each tile of `tiles(new, old)` with its hashes.

    `leaves` are the new leaf hashes one after another, as a tile holds them. `read` is asked for the old tree's partial
    tiles only, one a level at most.
    """
    if len(leaves) % HASH_BYTES:
        raise LedgerShapeError(f"Leaf hashes have {HASH_BYTES} bytes each; {len(leaves)} is not a multiple.")
    stored: list[tuple[Tile, bytes]] = []
    level, had, fresh = 0, old, leaves
    while fresh:
        first, kept = divmod(had, TILE_WIDTH)
        hashes = (read_tile(read, Tile(level, first, kept)) if kept else b"") + fresh
        step = TILE_WIDTH * HASH_BYTES
        chunks = [hashes[at : at + step] for at in range(0, len(hashes), step)]
        stored += [(Tile(level, first + n, len(chunk) // HASH_BYTES), chunk) for n, chunk in enumerate(chunks)]
        fresh = b"".join(full_root(chunk) for chunk in chunks if len(chunk) == step)
        level, had = level + 1, first
    return stored


def full_root(hashes: bytes) -> bytes:
    """The hash over 2**n neighbouring hashes, given as one byte string: of a full tile, or an aligned part of it."""
    while len(hashes) > HASH_BYTES:
        step = 2 * HASH_BYTES
        hashes = b"".join([_sha256(_NODE + hashes[at : at + step]).digest() for at in range(0, len(hashes), step)])
    return hashes


def read_tile(read: ReadTile, tile: Tile) -> bytes:
    """The first `tile.width` hashes of a tile. Raises LedgerShapeError when it has fewer."""
    hashes = read(tile.level, tile.index)[: tile.width * HASH_BYTES]
    if len(hashes) != tile.width * HASH_BYTES:
        raise LedgerShapeError(f"{tile_path(tile)} is needed, and only {len(hashes)} bytes of it are there.")
    return hashes


def of_tiles(read: ReadTile) -> RangeHash:
    """Subtree hashes worked out from tiles. Asks for each tile again whenever it needs it: `read` may keep them."""

    def hashes(start: int, end: int) -> bytes:
        return _fold([_subtree(read, level, index) for level, index in _full_subtrees(start, end)])

    return hashes


def root_of_tiles(size: int, read: ReadTile) -> bytes:
    """The root of a tree of `size`, from one tile a level."""
    return of_tiles(read)(0, size) if size else EMPTY_ROOT


def tiles_for_root(size: int) -> frozenset[Tile]:
    """The tiles of a tree of `size` that `root_of_tiles` asks for: to fetch them beforehand."""
    return _tiles_of([(0, size)] if size else [], size)


def tiles_for_inclusion(index: int, size: int) -> frozenset[Tile]:
    """The tiles of a tree of `size` that an inclusion proof asks for."""
    return _tiles_of(_inclusion_ranges(index, size), size)


def tiles_for_consistency(old: int, size: int) -> frozenset[Tile]:
    """The tiles of a tree of `size` that a consistency proof asks for."""
    return _tiles_of(_consistency_ranges(old, size), size)


def _tiles_of(ranges: Iterable[tuple[int, int]], size: int) -> frozenset[Tile]:
    nodes = (node for start, end in ranges for node in _full_subtrees(start, end))
    return frozenset(tile_at(size, *_place(level, index)[:2]) for level, index in nodes)


def _full_subtrees(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The full subtrees (level, index) that make up an aligned range of leaves, largest first."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def _place(level: int, index: int) -> tuple[int, int, int, int]:
    """Where the hashes below node (level, index) are stored: tile level, tile index, first hash, how many."""
    tile_level, height = divmod(level, TILE_HEIGHT)
    tile_index, first = divmod(index << height, TILE_WIDTH)
    return tile_level, tile_index, first, 1 << height


def _subtree(read: ReadTile, level: int, index: int) -> bytes:
    tile_level, tile_index, first, count = _place(level, index)
    hashes = read_tile(read, Tile(tile_level, tile_index, first + count))
    return full_root(hashes[first * HASH_BYTES :])

"""Roots, proofs, tiles."""

import hashlib
from collections.abc import Callable

import pymerkle
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from placet.ledger import merkle
from placet.ledger.encode import leaf_hash
from placet.ledger.merkle import Frontier, LedgerShapeError, Tile

# The reference tree of the Certificate Transparency project (merkle_tree_test, merkle_verifier_test).
REFERENCE = [
    leaf_hash(bytes.fromhex(leaf))
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
CONSISTENCY = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]


def some_leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % n) for n in range(count)]


LEAVES = some_leaves(70_000)


class Tiles:
    """A store of tiles that grows as a ledger's does, and counts what is read."""

    def __init__(self) -> None:
        self.size = 0
        self.stored: dict[str, bytes] = {}
        self.asked: list[Tile] = []

    def grow(self, leaves: list[bytes]) -> None:
        for tile, hashes in merkle.grow(self.size, b"".join(leaves), self.read):
            self.stored[merkle.tile_path(tile)] = hashes
        self.size += len(leaves)

    def read(self, level: int, index: int) -> bytes:
        tile = merkle.tile_at(self.size, level, index)
        self.asked.append(tile)
        return self.stored[merkle.tile_path(tile)]


@pytest.fixture(scope="module")
def big() -> Tiles:
    tiles = Tiles()
    tiles.grow(LEAVES)
    return tiles


def oracle(leaves: int) -> pymerkle.InmemoryTree:
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for n in range(leaves):
        tree.append_entry(b"%d" % n)
    return tree


def flipped(data: bytes, bit: int) -> bytes:
    return (int.from_bytes(data) ^ 1 << bit % (8 * len(data))).to_bytes(len(data))


# --- published vectors -------------------------------------------------------------------------------------------


def test_reference_roots() -> None:
    """The reference tree of Certificate Transparency has its published roots at every size."""
    assert [merkle.root(REFERENCE[:size]).hex() for size in range(1, 9)] == ROOTS
    assert merkle.root([]) == hashlib.sha256(b"").digest()


@pytest.mark.parametrize(("index", "size", "proof"), INCLUSION)
def test_reference_inclusion_proofs(index: int, size: int, proof: list[str]) -> None:
    """The published inclusion proofs are what we give, and verify."""
    ours = merkle.inclusion_proof(index, size, merkle.of_leaves(REFERENCE))
    assert [step.hex() for step in ours] == proof
    assert merkle.verify_inclusion(REFERENCE[index], index, size, ours, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "size", "proof"), CONSISTENCY)
def test_reference_consistency_proofs(old: int, size: int, proof: list[str]) -> None:
    """The published consistency proofs are what we give, and verify."""
    ours = merkle.consistency_proof(old, size, merkle.of_leaves(REFERENCE))
    assert [step.hex() for step in ours] == proof
    roots = bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[size - 1])
    assert merkle.verify_consistency(old, roots[0], size, roots[1], ours)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),
        (Tile(1, 999), "tile/1/999"),
        (Tile(1, 1_000), "tile/1/x001/000"),
        (Tile(0, 273, 112), "tile/0/273.p/112"),
        (Tile(63, 0, 1), "tile/63/000.p/1"),
    ],
)
def test_tile_paths_of_the_format(tile: Tile, path: str) -> None:
    """Indexes are written in groups of three digits (C2SP tlog-tiles), and read back."""
    assert merkle.tile_path(tile) == path
    assert merkle.parse_tile_path(path) == tile


def test_tiles_of_the_format_s_example() -> None:
    """A tree of 70,000 has the tiles that C2SP tlog-tiles lists; one of 256 has a full tile and one hash above it."""
    layout = list(merkle.tiles(70_000))
    assert sum(tile.level == 0 and tile.width == 256 for tile in layout) == 273
    partial = {(tile.level, tile.index, tile.width) for tile in layout if tile.width < 256}
    assert partial == {(0, 273, 112), (1, 1, 17), (2, 0, 1)}
    assert Tile(1, 0) in layout
    assert list(merkle.tiles(256)) == [Tile(0, 0, 256), Tile(1, 0, 1)]
    assert list(merkle.tiles(0)) == []


# --- roots and proofs --------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), max_size=6))
def test_frontier_gives_the_root_however_it_grew(steps: list[int]) -> None:
    """A tree grown in any steps, and kept and taken up again between them, has the root of all its leaves."""
    frontier = Frontier()
    for step in steps:
        frontier = Frontier(frontier.size, frontier.hashes)
        frontier.extend(LEAVES[frontier.size : frontier.size + step])
    size = frontier.size
    assert size == sum(steps)
    tree = oracle(size)
    assert frontier.root() == merkle.root(LEAVES[:size]) == (tree.get_root() if size else merkle.EMPTY_ROOT)


def test_frontier_needs_its_hashes() -> None:
    """A frontier whose hashes do not fit its size is refused."""
    with pytest.raises(LedgerShapeError):
        Frontier(3, [LEAVES[0]])
    with pytest.raises(LedgerShapeError):
        Frontier(-1, [])


@settings(deadline=None)
@given(st.data())
def test_inclusion_proofs_are_those_of_another_implementation(data: st.DataObject) -> None:
    """Every inclusion proof is the oracle's, and verifies."""
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(index, size, merkle.of_leaves(LEAVES[:size]))
    theirs = oracle(size).prove_inclusion(index + 1)
    assert [LEAVES[index], *proof] == theirs.path
    assert merkle.verify_inclusion(LEAVES[index], index, size, proof, merkle.root(LEAVES[:size]))


@settings(deadline=None)
@given(st.data())
def test_consistency_proofs_lead_to_the_roots_of_another_implementation(data: st.DataObject) -> None:
    """Every consistency proof leads to the roots that the oracle gives for both sizes, and not to an earlier one's."""
    size = data.draw(st.integers(1, 70))
    old = data.draw(st.integers(1, size))
    proof = merkle.consistency_proof(old, size, merkle.of_leaves(LEAVES[:size]))
    tree = oracle(size)
    assert merkle.verify_consistency(old, tree.get_root(old), size, tree.get_root(), proof)
    assert not merkle.verify_consistency(old, tree.get_root(old - 1), size, tree.get_root(), proof)


@settings(deadline=None)
@given(st.data())
def test_one_flipped_bit_spoils_an_inclusion_proof(data: st.DataObject) -> None:
    """A bit changed in leaf, root or any step, or another index, is noticed."""
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    root = merkle.root(LEAVES[:size])
    proof = merkle.inclusion_proof(index, size, merkle.of_leaves(LEAVES[:size]))
    parts = [LEAVES[index], root, *proof]
    which, bit = data.draw(st.integers(0, len(parts) - 1)), data.draw(st.integers(0, 255))
    parts[which] = flipped(parts[which], bit)
    leaf, top, *steps = parts
    assert not merkle.verify_inclusion(leaf, index, size, steps, top)
    other = data.draw(st.integers(-1, size))
    assume(other != index)
    assert not merkle.verify_inclusion(LEAVES[index], other, size, proof, root)


@settings(deadline=None)
@given(st.data())
def test_one_flipped_bit_spoils_a_consistency_proof(data: st.DataObject) -> None:
    """A bit changed in either root or any step is noticed."""
    size = data.draw(st.integers(1, 70))
    old = data.draw(st.integers(0, size))
    proof = merkle.consistency_proof(old, size, merkle.of_leaves(LEAVES[:size]))
    parts = [merkle.root(LEAVES[:old]), merkle.root(LEAVES[:size]), *proof]
    assert merkle.verify_consistency(old, parts[0], size, parts[1], proof)
    # An empty tree is continued by every other, so that then the new root is free.
    which, bit = data.draw(st.integers(0, len(parts) - 1 if old else 0)), data.draw(st.integers(0, 255))
    parts[which] = flipped(parts[which], bit)
    assert not merkle.verify_consistency(old, parts[0], size, parts[1], parts[2:])


@settings(deadline=None)
@given(st.data())
def test_proofs_of_wrong_length_fail(data: st.DataObject) -> None:
    """A step too few, a step too many, or steps cut elsewhere into the same bytes do not verify."""
    size = data.draw(st.integers(2, 70))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size - 1))
    hashes, root = merkle.of_leaves(LEAVES[:size]), merkle.root(LEAVES[:size])
    included, consistent = merkle.inclusion_proof(index, size, hashes), merkle.consistency_proof(old, size, hashes)
    changes: list[Callable[[tuple[bytes, ...]], tuple[bytes, ...]]] = [
        lambda proof: proof[:-1],
        lambda proof: (*proof, LEAVES[0]),
        lambda proof: (*proof[:-1], proof[-1] + b"\0"),
        lambda _: (),
    ]
    for change in changes:
        assert not merkle.verify_inclusion(LEAVES[index], index, size, change(included), root)
        assert not merkle.verify_consistency(old, merkle.root(LEAVES[:old]), size, root, change(consistent))


def test_a_proof_for_a_smaller_tree_does_not_serve_a_larger() -> None:
    """A path that stops short of the root of the size claimed does not verify, though it leads to the root given."""
    hashes = merkle.of_leaves(REFERENCE)
    for size, claimed in ((1, 2), (4, 8), (3, 6)):
        proof, root = merkle.inclusion_proof(0, size, hashes), merkle.root(REFERENCE[:size])
        assert merkle.verify_inclusion(REFERENCE[0], 0, size, proof, root)
        assert not merkle.verify_inclusion(REFERENCE[0], 0, claimed, proof, root)
    old, proof = merkle.root(REFERENCE[:3]), merkle.consistency_proof(3, 4, hashes)
    assert not merkle.verify_consistency(3, old, 8, merkle.root(REFERENCE[:4]), proof)


def test_proofs_beyond_the_tree_are_refused() -> None:
    """There is no proof for a leaf that is not there, nor from a larger tree to a smaller."""
    hashes = merkle.of_leaves(REFERENCE)
    for index, size in ((-1, 8), (8, 8), (0, 0)):
        with pytest.raises(LedgerShapeError):
            merkle.inclusion_proof(index, size, hashes)
        with pytest.raises(LedgerShapeError):
            merkle.tiles_for_inclusion(index, size)
    for old, size in ((-1, 8), (9, 8)):
        with pytest.raises(LedgerShapeError):
            merkle.consistency_proof(old, size, hashes)
    assert not merkle.verify_consistency(9, merkle.EMPTY_ROOT, 8, merkle.EMPTY_ROOT, [])


# --- tiles -------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(0, 63), st.integers(0, 2**62), st.integers(1, 256))
def test_tile_paths_read_back(level: int, index: int, width: int) -> None:
    """A path names one tile, and a tile has one path."""
    assert merkle.parse_tile_path(merkle.tile_path(Tile(level, index, width))) == Tile(level, index, width)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0",
        "tile/00/000",
        "tile/64/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/x001/x234",
        "tile/0/001/234",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/-1/000",
        "tile/entries/000",
        "tile/0/٠٠٠",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/" + "x999/" * 5_000 + "999",
    ],
)
def test_other_paths_are_refused(path: str) -> None:
    """A path that the format does not give is no tile."""
    with pytest.raises(LedgerShapeError):
        merkle.parse_tile_path(path)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 700), max_size=5))
def test_stored_tiles_are_those_that_are_new(steps: list[int]) -> None:
    """Each growth stores exactly the tiles that the larger tree has and the smaller had not, in whatever steps."""
    tiles = Tiles()
    for step in steps:
        before = set(merkle.tiles(tiles.size))
        had = set(tiles.stored)
        tiles.grow(LEAVES[tiles.size : tiles.size + step])
        fresh = set(merkle.tiles(tiles.size)) - before
        assert set(merkle.tiles(tiles.size, tiles.size - step)) == fresh
        assert {merkle.parse_tile_path(path) for path in set(tiles.stored) - had} == fresh
    at_once = Tiles()
    at_once.grow(LEAVES[: tiles.size])
    assert at_once.stored.items() <= tiles.stored.items()


def test_tile_hashes_are_subtree_hashes(big: Tiles) -> None:
    """Hash i of tile (l, n) is the Merkle tree hash over its 256**l leaves (C2SP tlog-tiles)."""
    for level, index, n in ((0, 273, 111), (1, 1, 16), (1, 0, 255), (2, 0, 0)):
        start, span = (index * 256 + n) * 256**level, 256**level
        assert big.read(level, index)[n * 32 :][:32] == merkle.root(LEAVES[start : start + span])
        assert Tile(level, index).first_leaf == start - n * span


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_tiles_give_the_same_roots_and_proofs_as_leaves(big: Tiles, data: st.DataObject) -> None:
    """Read from tiles, roots and proofs of the present tree and of every earlier one are those of the leaves."""
    size = data.draw(st.integers(1, 2_000) | st.sampled_from([256, 65_536, 65_537, 70_000]))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    tiles, leaves = merkle.of_tiles(big.read), merkle.of_leaves(LEAVES[:size])
    assert merkle.root_of_tiles(size, big.read) == merkle.root(LEAVES[:size])
    assert merkle.inclusion_proof(index, size, tiles) == merkle.inclusion_proof(index, size, leaves)
    assert merkle.consistency_proof(old, size, tiles) == merkle.consistency_proof(old, size, leaves)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_proofs_touch_the_few_tiles_announced(big: Tiles, data: st.DataObject) -> None:
    """A proof reads the tiles that were announced for it, at most two a level."""
    size = big.size
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    hashes = merkle.of_tiles(big.read)
    for work, announced in (
        (lambda: merkle.inclusion_proof(index, size, hashes), merkle.tiles_for_inclusion(index, size)),
        (lambda: merkle.consistency_proof(old, size, hashes), merkle.tiles_for_consistency(old, size)),
        (lambda: merkle.root_of_tiles(size, big.read), merkle.tiles_for_root(size)),
    ):
        big.asked.clear()
        work()
        assert set(big.asked) == announced
        assert len(announced) <= 2 * 3


def test_a_tile_that_is_too_short_is_refused() -> None:
    """A reader that gives fewer hashes than the tree has there is found out."""
    with pytest.raises(LedgerShapeError, match=r"tile/0/000\.p/3 is needed"):
        merkle.root_of_tiles(3, lambda _level, _index: bytes(64))
    with pytest.raises(LedgerShapeError):
        merkle.grow(0, bytes(33), lambda _level, _index: b"")
    with pytest.raises(LedgerShapeError):
        merkle.tile_at(256, 0, 1)

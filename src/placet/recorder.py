"""The signer of the record: grows the tree, checks what it signs, and stops when something does not fit.

Before a head is signed, every new leaf is computed from its stored row and the root from the stored tiles; some old
rows are hashed again each time, so that an edited row is found within one round over the log. Whatever does not fit
halts the signer: entries are still written, no head is signed, the desk shows a banner, /readyz fails, until a person
has looked.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

from placet.errors import LedgerHalted, PlacetError, SettingsError, StoreCorrupt
from placet.ledger.checkpoint import Checkpoint, NoteError, Signer, may_sign, open_checkpoint, sign_checkpoint
from placet.ledger.encode import EncodeError, commitment, header_bytes, leaf_hash
from placet.ledger.merkle import (
    LedgerShapeError,
    Proof,
    ReadTile,
    Tile,
    consistency_proof,
    grow,
    inclusion_proof,
    of_tiles,
    root_of_tiles,
    tile_path,
    tiles,
    tiles_for_consistency,
    tiles_for_inclusion,
    tiles_for_root,
    verify_consistency,
    verify_inclusion,
)
from placet.model import Micros
from placet.store.contract import EntryRow, Head, Store

_MOST_AT_ONCE: Final = 20_000
_BATCH: Final = 2_000
_HASH: Final = 32
_MINUTE_S: Final = 60
_MISFIT: Final = (LedgerHalted, StoreCorrupt, LedgerShapeError, NoteError)
"""What halts the signer. Anything else, such as a database that is away, may pass."""


class Proven(NamedTuple):
    """An entry with the proof that it is under the latest head."""

    row: EntryRow
    header: bytes
    leaf: bytes
    proof: Proof
    head: Head
    verified: bool


def header_of(row: EntryRow) -> bytes:
    """The canonical header of a stored entry. Raises StoreCorrupt for a row that cannot have been written as it is."""
    try:
        return header_bytes(
            seq=row.seq,
            at=row.at,
            dossier=row.dossier,
            version=row.version,
            kind=row.kind,
            actor=row.actor,
            policy=row.basis.policy,
            instant=row.basis.instant,
            entry_id=row.id,
            commitment=row.commitment,
        )
    except EncodeError as problem:
        raise StoreCorrupt(f"Entry {row.seq} is not as it was written: {problem}.") from problem


def stored_path(level: int, index: int) -> str:
    """Under which path a tile is stored: one row a tile, which grows; its narrower forms are its beginnings."""
    return tile_path(Tile(level, index))


class Recorder:
    """Signs heads of one store's record. One process does so at a time (Store.leads); others may read and prove."""

    def __init__(
        self, store: Store, signer: Signer, head_file: Path, clock: Callable[[], Micros], *, scrub_rows: int = 2_000
    ) -> None:
        self._store = store
        self._clock = clock
        self._signer = signer
        self._head_file = head_file
        self._scrub_rows = scrub_rows
        self._scrubbed = 0
        # One thread: a write that goes on after we were cancelled still ends before the next one begins.
        self._file_thread = ThreadPoolExecutor(1, "placet-head")
        self.halted = ""
        """Why the signer has stopped, or empty."""

    @property
    def origin(self) -> str:
        """The ledger's name."""
        return self._signer.name

    @property
    def vkey(self) -> str:
        """The public key, to check heads with."""
        return self._signer.vkey

    async def start(self) -> None:
        """Hold key, file and database against each other. Raises SettingsError for another ledger's key."""
        self._drop_unfinished()
        await self._store.set_meta("ledger.vkey", self.vkey)
        known = await self._store.meta("ledger.vkey")
        if known != self.vkey:
            raise SettingsError(f"This database's ledger is signed by {known}, but the key at hand is {self.vkey}.")
        try:
            head = await self._head_not_behind()
            if head is not None:
                await self._check_head(head)
        except _MISFIT as problem:
            self.halted = _reason(problem)

    def _drop_unfinished(self) -> None:
        """Remove what was left by processes that were killed while they wrote a head, which takes nobody a minute."""
        for file in self._head_file.parent.glob(f"{self._head_file.name}.*.new"):
            with contextlib.suppress(FileNotFoundError):  # its writer has finished meanwhile
                if file.stat().st_mtime < self._clock() / 1_000_000 - _MINUTE_S:
                    file.unlink()

    async def _head_not_behind(self) -> Head | None:
        """The latest head. The file beside the key remembers one that was published: the database may not be behind it.

        The file is read first: another process may publish meanwhile, and it writes the database before the file.
        """
        remembered = self._head_file.read_text("utf-8") if self._head_file.exists() else ""
        head = await self._store.head()
        if not remembered:
            return head
        published = open_checkpoint(remembered, [self.vkey])
        if head is None or head.size < published.size:
            size = 0 if head is None else head.size
            raise LedgerHalted(f"A head of {published.size} entries was published, but the database ends at {size}.")
        if head.size == published.size and head.root != published.root:
            raise LedgerHalted(f"Another head of {head.size} entries was published.")
        if head.size > published.size:  # signed by another process, or just before this one was killed
            proof = await self._continuation(published.size, head)
            if not verify_consistency(published.size, published.root, head.size, head.root, proof):
                raise LedgerHalted(f"The head of {head.size} entries does not continue that of {published.size}.")
        return head

    async def _check_head(self, head: Head) -> None:
        signed = open_checkpoint(head.note, [self.vkey])
        read = await self._reader(tiles_for_root(head.size), head.size)
        size = await self._store.size()
        if size < head.size:
            raise LedgerHalted(f"Entry {size} is missing: the head covers {head.size} entries.")
        if (signed.size, signed.root) != (head.size, head.root) or root_of_tiles(head.size, read) != head.root:
            await self.check_rows(0, head.size, head.size)  # names the entry, where a single one is to blame
            raise LedgerHalted(f"The tiles do not give the root of the head of {head.size} entries.")

    # --- signing -------------------------------------------------------------------------------------------------

    async def checkpoint(self) -> Head | None:
        """Sign a head over everything durable, if there is news. Raises LedgerHalted on a misfit, and ever after."""
        if self.halted:
            raise LedgerHalted(self.halted)
        try:
            return await self._checkpoint()
        except _MISFIT as problem:
            self.halted = _reason(problem)
            raise LedgerHalted(self.halted) from problem

    async def _checkpoint(self) -> Head | None:
        head = await self._head_not_behind()
        old = 0 if head is None else head.size
        await self._scrub(old)
        while (size := await self._store.size()) > old:
            head = await self._sign(head, min(size, old + _MOST_AT_ONCE))
            old = head.size
        if size < old:
            raise LedgerHalted(f"The head covers {old} entries, but {size} are stored.")
        return head

    async def _sign(self, head: Head | None, size: int) -> Head:
        old = 0 if head is None else head.size
        leaves = b"".join([b"".join(part) async for part in self._leaves(old, size, bodies=False)])
        known = await self._known_tiles(tiles_for_root(old) | tiles_for_consistency(old, size), old)
        grown = grow(old, leaves, lambda level, index: known[level, index])
        known |= {(tile.level, tile.index): hashes for tile, hashes in grown}
        root = root_of_tiles(size, lambda level, index: known[level, index])
        following = Checkpoint(self.origin, size, root)
        previous = None if head is None else open_checkpoint(head.note, [self.vkey])
        proof = consistency_proof(old, size, of_tiles(lambda level, index: known[level, index])) if old else ()
        refused = may_sign(previous, following, proof)
        if refused is not None:
            raise LedgerHalted(f"{refused.reason}: {refused.detail}.")
        signed = Head(size, root, sign_checkpoint(following, self._signer), self._clock())
        rows = [(stored_path(tile.level, tile.index), hashes) for tile, hashes in grown]
        if not await self._store.publish(signed, rows, old):
            latest = await self._store.head()  # another process was first: its head stands
            return signed if latest is None else latest
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._file_thread, _write_durably, self._head_file, signed.note)
        return signed

    async def _leaves(self, start: int, end: int, *, bodies: bool) -> AsyncIterator[list[bytes]]:
        """The leaf hashes of the rows [start, end), computed from them; with `bodies`, commitments are checked too."""
        for first in range(start, end, _BATCH):
            count = min(_BATCH, end - first)
            rows = await self._store.entries_from(first, count, bodies=bodies)
            yield await asyncio.to_thread(_hash_rows, rows, first, count)

    async def _scrub(self, size: int) -> None:
        """Hash some old rows again and hold them against the tiles, going round the log."""
        if not size or not self._scrub_rows:
            return
        start = self._scrubbed if self._scrubbed < size else 0
        end = min(size, start + self._scrub_rows)
        await self.check_rows(start, end, size)
        self._scrubbed = end

    async def check_rows(self, start: int, end: int, size: int) -> None:
        """Hold the rows [start, end) against the tiles of a tree of `size`. Raises LedgerHalted at the first misfit."""
        wanted = {Tile(0, index) for index in range(start // 256, (end - 1) // 256 + 1)}
        known = await self._known_tiles(wanted, size)
        index = start
        async for part in self._leaves(start, end, bodies=True):
            for leaf in part:
                at = (index % 256) * _HASH
                if known[0, index // 256][at : at + _HASH] != leaf:
                    raise LedgerHalted(f"Entry {index} is not what was signed.")
                index += 1

    # --- reading -------------------------------------------------------------------------------------------------

    async def prove(self, seq: int) -> Proven | None:
        """The entry with its inclusion proof under the latest head; None while no head covers it."""
        head = await self._store.head()
        if head is None or not 0 <= seq < head.size:
            return None
        rows = await self._store.entries_from(seq, 1)
        if not rows or rows[0].seq != seq:
            raise LedgerHalted(f"Entry {seq} is missing.")
        read = await self._reader(tiles_for_inclusion(seq, head.size), head.size)
        proof = inclusion_proof(seq, head.size, of_tiles(read))
        header = header_of(rows[0])
        leaf = leaf_hash(header)
        verified = verify_inclusion(leaf, seq, head.size, proof, head.root)
        return Proven(rows[0], header, leaf, proof, head, verified)

    async def consistency(self, old: int) -> tuple[Proof, Head] | None:
        """The proof that the latest head extends one of size `old`."""
        head = await self._store.head()
        if head is None or not 1 <= old <= head.size:
            return None
        return await self._continuation(old, head), head

    async def _continuation(self, old: int, head: Head) -> Proof:
        read = await self._reader(tiles_for_consistency(old, head.size), head.size)
        return consistency_proof(old, head.size, of_tiles(read))

    async def all_tiles(self, size: int) -> dict[tuple[int, int], bytes]:
        """Every tile of a tree of `size`, at its width there. Raises StoreCorrupt where one is not whole."""
        found = {}
        for tile in tiles(size):
            hashes = await self._store.tile(stored_path(tile.level, tile.index)) or b""
            if len(hashes) < tile.width * _HASH:
                raise StoreCorrupt(f"The tile {tile_path(tile)} is missing or cut short.")
            found[tile.level, tile.index] = hashes[: tile.width * _HASH]
        return found

    async def _reader(self, wanted: Iterable[Tile], size: int) -> ReadTile:
        known = await self._known_tiles(wanted, size)
        return lambda level, index: known[level, index]

    async def _known_tiles(self, wanted: Iterable[Tile], size: int) -> dict[tuple[int, int], bytes]:
        """The stored tiles among those wanted; one that a tree of `size` does not have yet is simply not there."""
        known: dict[tuple[int, int], bytes] = {}
        for tile in wanted:
            hashes = await self._store.tile(stored_path(tile.level, tile.index))
            if hashes is not None:
                known[tile.level, tile.index] = hashes
            elif size >= tile.first_leaf + 256**tile.level:
                raise LedgerHalted(f"The tile {tile_path(tile)} is missing.")
        return known


def _hash_rows(rows: Sequence[EntryRow], first: int, count: int) -> list[bytes]:
    """Leaf hashes of rows. Raises LedgerHalted for a gap, or a body that does not fit its commitment."""
    leaves = []
    for place, row in enumerate(rows, first):
        if row.seq != place:
            raise LedgerHalted(f"Entry {place} is missing.")
        if row.body is not None and row.salt is not None and commitment(row.salt, row.body) != row.commitment:
            raise LedgerHalted(f"The body of entry {place} does not fit its commitment.")
        leaves.append(leaf_hash(header_of(row)))
    if len(leaves) != count:
        raise LedgerHalted(f"Entry {first + len(leaves)} is missing.")
    return leaves


def _reason(problem: Exception) -> str:
    return problem.detail if isinstance(problem, PlacetError) else str(problem)


def load_signer(file: Path, origin: str, *, create: bool = False) -> Signer:
    """The ledger's key from its file. With `create`, a new one is made where there is none."""
    if not file.exists():
        if not create:
            raise SettingsError(f"There is no ledger key at {file}: run placet init, or restore the key.")
        file.parent.mkdir(parents=True, exist_ok=True)
        _write_durably(file, Signer(origin, os.urandom(32)).private_text() + "\n")
    try:
        signer = Signer.parse(file.read_text("utf-8").strip())
    except (NoteError, UnicodeDecodeError) as problem:
        raise SettingsError(f"{file} is not a ledger key: {problem}") from problem
    if signer.name != origin:
        raise SettingsError(f"The key in {file} is for the ledger {signer.name}, but `origin` is {origin}.")
    return signer


def _write_durably(file: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only, on disk when this returns."""
    beside = file.with_name(f"{file.name}.{os.getpid()}.new")  # several processes may publish in turn
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as new:
            new.write(text.encode())  # all of it or an error: a short write must not replace what is there
            new.flush()
            os.fsync(new.fileno())
        beside.replace(file)
    except OSError as problem:
        beside.unlink(missing_ok=True)
        raise OSError(problem.errno, problem.strerror, str(file)) from problem  # a full disk names no file

"""What every database must do: a few verbs, each with its promise. sqlite.py and postgres.py carry it out.

The service never writes a row by itself: it hands over Commits, and a GroupCommit (group.py) gives the store many at
once. Everything that the record consists of (entries, dossiers, blobs, deadlines, deliveries) is written in one
transaction; what is not part of the record (credentials, signed heads, settled deliveries) has verbs of its own.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from placet.model import Basis, Micros, Value


class DossierRow(Value, frozen=True):
    """A dossier as stored: the listing columns beside the encoded state, which is the fold of its entries."""

    id: str
    kind: str
    version: int
    status: str
    account: str
    queue: str
    """The queue that it waits in, or empty when nobody is waited for."""
    priority: int
    assignee: str
    due_at: Micros
    """When somebody must have acted, or 0."""
    opened_at: Micros
    updated_at: Micros
    state: bytes


class EntryRow(Value, frozen=True):
    """An entry as stored: its body in canonical bytes, the salt, and the commitment that the ledger holds."""

    id: str
    at: Micros
    dossier: str
    version: int
    kind: str
    actor: str
    basis: Basis
    body: bytes | None
    """None once it has been erased, with its salt; the commitment stays, and the ledger still verifies."""
    salt: bytes | None
    commitment: bytes
    seq: int = -1
    """Place in the record, from 0 without a gap; -1 until the store has given it one."""


class Deadline(Value, frozen=True):
    """When a dossier must be looked at again, and why. A projection of its state: one of each kind at most."""

    dossier: str
    kind: str
    at: Micros


class Delivery(Value, frozen=True):
    """A message on its way to a webhook endpoint."""

    id: str
    endpoint: str
    dossier: str
    event: str
    body: bytes
    created_at: Micros
    next_at: Micros
    attempts: int = 0
    status: Literal["waiting", "sent", "dead"] = "waiting"
    last_error: str = ""


class Remembered(Value, frozen=True):
    """A reply kept for an Idempotency-Key: scope is who asked, digest is of the request."""

    scope: str
    key: str
    digest: bytes
    reply: bytes
    at: Micros


class Name(Value, frozen=True):
    """A name that only one dossier may hold within a scope, such as an account's external ids."""

    scope: str
    name: str
    dossier: str


class SketchRow(NamedTuple):
    """The sketch of a submitted text (screening/near.py), under the seq of the entry that it was submitted with."""

    seq: int
    dossier: str
    at: Micros
    sketch: bytes


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """One command's whole effect: all of it is written, or none.

    `expects` gives the version on which the decision was made of every dossier that it read or touches; 0 means that
    it must not exist. Each dossier in `dossiers` has all its deadlines replaced by those in `deadlines`.
    """

    expects: dict[str, int]
    entries: tuple[EntryRow, ...] = ()
    dossiers: tuple[DossierRow, ...] = ()
    deadlines: tuple[Deadline, ...] = ()
    blobs: tuple[tuple[bytes, bytes], ...] = ()
    """(SHA-256 digest, content); content is bytes that the caller has already hashed."""
    deliveries: tuple[Delivery, ...] = ()
    names: tuple[Name, ...] = ()
    sketch: bytes = b""
    """Of the text that came with the first of the entries, or empty. Derived, and not part of the record."""
    remember: Remembered | None = None


class Committed(Value, frozen=True):
    """Durable: the first entry has this seq, the others follow it."""

    first_seq: int


class Conflict(Value, frozen=True):
    """A dossier was not at the version expected; nothing of this command was written."""

    dossier: str


class Repeated(Value, frozen=True):
    """The Idempotency-Key is known: nothing was written, and this is what was answered then."""

    remembered: Remembered


class NameTaken(Value, frozen=True):
    """Another dossier holds a name asked for; nothing of this command was written."""

    name: Name


WriteResult = Committed | Conflict | Repeated | NameTaken


class Query(Value, frozen=True):
    """Which dossiers to list; empty fields do not narrow. `after` is the last row of the page before: (key, id)."""

    kind: str = ""
    status: str = ""
    account: str = ""
    queue: str = ""
    """A queue's name, or "*" for all that wait in any queue."""
    assignee: str = ""
    due_before: Micros = 0
    opened_from: Micros = 0
    """Opened at that instant or later."""
    order: Literal["due", "opened", "newest"] = "opened"
    after: tuple[int, str] | None = None
    limit: int = 50


class Credential(Value, frozen=True):
    """A secret's hash and what it opens. Outside the record: it may be deleted without a trace but for its entry.

    Kinds: staff, passkey, session, link, key, webhook, challenge. `lookup` is unique within its kind (a secret's
    hash, a passkey's id, a name); `body` is JSON that only the owner of the kind reads.
    """

    id: str
    kind: str
    owner: str
    lookup: bytes
    body: bytes
    created_at: Micros
    expires_at: Micros = 0
    """When it stops to work, or 0."""


class Head(Value, frozen=True):
    """A signed head of the ledger: how many entries it covers, and the note as published."""

    size: int
    root: bytes
    note: str
    at: Micros


class Store(Protocol):
    """The database. Every verb may raise StoreUnavailable; then nothing that it was to write counts as written."""

    async def open(self) -> None:
        """Connect, take the writer's place (SQLite: or raise StoreLocked) and bring the schema up to date."""

    async def close(self) -> None:
        """Give everything back. Safe to call twice."""

    async def write(self, commits: Sequence[Commit]) -> list[WriteResult]:
        """Write a group in one transaction, in order; when this returns, every Committed one survives a power cut.

        `seq` is given out without a gap and in order, across processes too. A command's conflict leaves its neighbours
        untouched; a command sees what those before it in the group have written.
        """

    async def dossier(self, dossier: str) -> DossierRow | None:
        """One dossier as last committed."""

    async def dossiers(self, dossiers: Sequence[str]) -> list[DossierRow]:
        """Those of the dossiers that exist, as last committed, in no order."""

    async def page(self, query: Query) -> list[DossierRow]:
        """A page of dossiers, in the order asked for, ties by id."""

    async def count(self, query: Query, most: int) -> int:
        """How many dossiers the query finds, counted up to `most` so that it stays cheap."""

    def states(self, after: str = "") -> AsyncIterator[DossierRow]:
        """Every dossier, by id, after the one given: for rebuild."""

    async def size(self) -> int:
        """How many entries the record has."""

    async def entries(self, dossier: str, after: int = 0, limit: int = 1_000) -> list[EntryRow]:
        """A dossier's entries with a version above `after`, oldest first."""

    async def entries_from(self, seq: int, limit: int, *, bodies: bool = True) -> list[EntryRow]:
        """Entries of the record from `seq` on, in order; without `bodies`, those and the salts are left out."""

    async def blob(self, digest: bytes) -> bytes | None:
        """A content by its SHA-256 digest."""

    async def sketches(self, seq: int, limit: int, *, back: bool = False) -> list[SketchRow]:
        """Sketches above `seq`, oldest first; with `back`, those below it, newest first. `limit` rows at most."""

    async def sketches_at(self, seqs: Sequence[int]) -> list[SketchRow]:
        """The sketches at those places, as far as they still exist, in no order."""

    async def forget_sketches(self, before: Micros, limit: int) -> int:
        """Of the oldest `limit` sketches drop those that were submitted before that; gives how many."""

    async def due(self, until: Micros, limit: int) -> list[Deadline]:
        """Deadlines that have come, earliest first. They go away when their dossier is written."""

    async def remembered(self, scope: str, key: str) -> Remembered | None:
        """What was answered under an Idempotency-Key."""

    async def forget(self, before: Micros, expired: Micros = 0) -> int:
        """Drop Idempotency-Keys and sent deliveries older than `before`, and credentials expired before `expired`.

        Without `expired`, that is `before` too. Gives how many rows are gone.
        """

    async def deliveries(self, status: str, until: Micros = 0, limit: int = 100, after: str = "") -> list[Delivery]:
        """Deliveries of a status; with `until`, those whose next attempt has come, earliest first."""

    async def delivery(self, delivery: str) -> Delivery | None:
        """One delivery."""

    async def settle(self, delivery: Delivery) -> None:
        """Write a delivery's new status, attempts, time and error. Durable."""

    async def head(self) -> Head | None:
        """The latest head that was signed."""

    async def publish(self, head: Head, tiles: Sequence[tuple[str, bytes]], previous: int) -> bool:
        """Write the tiles and the head in one durable transaction, if the latest head still has size `previous`."""

    async def tile(self, path: str) -> bytes | None:
        """A tile by its path (C2SP tlog-tiles)."""

    async def meta(self, key: str) -> str | None:
        """A fact about this database, such as the ledger's verifier key."""

    async def set_meta(self, key: str, value: str) -> bool:
        """Write a fact once; False if the key has a value already (which stays). Durable."""

    async def put_credential(self, credential: Credential, *, replace: bool = False) -> bool:
        """Write a credential; False if its kind has that `lookup` already (`replace`: the same id is rewritten)."""

    async def credential(self, kind: str, lookup: bytes) -> Credential | None:
        """One credential by what is shown to us; expired ones too, the caller compares the time."""

    async def credentials(self, kind: str, owner: str = "") -> list[Credential]:
        """Credentials of a kind, oldest first."""

    async def take_credential(self, kind: str, lookup: bytes) -> Credential | None:
        """Delete and give back: of any number at once, exactly one caller gets it."""

    async def drop_credential(self, credential: str) -> bool:
        """Delete by id; False if there was none."""

    async def leads(self) -> bool:
        """Whether this process runs the jobs. At most one does; another takes over when it ends."""

"""The embedded database: SQLite in WAL mode, `synchronous=FULL`, one writer thread.

Writes run in a thread of their own, one transaction a group. Look-ups by key run on the event loop, since a B-tree
look-up in a warm cache costs less than a hand-over to a thread; listings and scans run in reader threads.
Another process may write short transactions (the command line does), so nothing about the file is remembered between
transactions; but only one process may serve a file, and holds `placet.lock` beside it.
"""

import asyncio
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec.structs import astuple

from placet.errors import StoreLocked, StoreUnavailable
from placet.model import Basis, Micros
from placet.store.contract import (
    Commit,
    Credential,
    Deadline,
    Delivery,
    DossierRow,
    EntryRow,
    Head,
    Name,
    Query,
    Remembered,
    SketchRow,
    WriteResult,
)
from placet.store.known import Known
from placet.store.migrate import Migration, migrations

T = TypeVar("T")

_ENTRY = "id, at, dossier, version, kind, actor, policy, instant, body, salt, commitment, seq"
_ENTRY_AS_JSON = (
    "id, at, dossier, version, kind, actor, policy, instant, CAST(body AS TEXT), hex(salt), hex(commitment), seq"
)
_HEADER_COLUMNS = "id, at, dossier, version, kind, actor, policy, instant, commitment, seq"
_PackedEntry = tuple[str, int, str, int, str, str, str, int, str | None, str, str, int]
_packed_rows = msgspec.json.Decoder(list[_PackedEntry])
_DOSSIER = "id, kind, version, status, account, queue, priority, assignee, due_at, opened_at, updated_at, state"
_DELIVERY = "id, endpoint, dossier, event, body, created_at, next_at, attempts, status, last_error"
_CREDENTIAL = "id, kind, owner, lookup, body, created_at, expires_at"
_SORT_COLUMN = {"due": "due_at", "opened": "opened_at", "newest": "opened_at"}
_SKETCH = "seq, dossier, at, sketch"
_MOST_VARIABLES = 512
_MOST_AT_ONCE = 1_000
_ROWS_AT_ONCE = (64, 16, 4, 1)
_STATEMENTS = 512
_PATIENCE_S = 10
_PAUSE_S = 0.003
_TROUBLE = (sqlite3.Error, OSError, OverflowError)
_WAL_PATIENCE_S = 10


class SqliteStore:
    """Store (contract.py) on one SQLite file. `serving` takes the only server's place on it."""

    def __init__(self, path: Path, *, serving: bool = True) -> None:
        self._path = path
        self._serving = serving
        self._lock_file: int | None = None
        self._writer_thread = ThreadPoolExecutor(1, "placet-writer")
        self._reader_threads = ThreadPoolExecutor(2, "placet-reader")
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._loop_reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._writing = asyncio.Lock()
        self._closed = False

    # --- life ----------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Take the place, connect, migrate. A store that has been closed, or failed to open, stays closed."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._serving:
                self._take_lock()
            await self._in_thread(self._writer_thread, _migrate)
            self._writer = self._connect()
            self._writer.execute("PRAGMA busy_timeout=0")  # `_begin_patiently` waits instead, never on the event loop
            self._loop_reader = self._connect()
        except _TROUBLE as problem:
            await self.close()
            raise StoreUnavailable(f"{self._path} is not usable: {problem}.") from problem
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close every connection and give the place back."""
        self._closed = True
        self._loop_reader = self._writer = None
        self._writer_thread.shutdown(wait=True)
        self._reader_threads.shutdown(wait=True)
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _take_lock(self) -> None:
        handle = os.open(self._path.parent / "placet.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
            os.close(handle)
            raise StoreLocked(f"{self._path} is served by another process (pid {holder or 'unknown'}).") from problem
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        self._lock_file = handle

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=10, cached_statements=_STATEMENTS
        )
        self._connections.append(connection)
        _set_wal(connection)
        for pragma in (
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-8000",
            "mmap_size=0",
            "busy_timeout=10000",
            "trusted_schema=OFF",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _thread_connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
        return connection

    async def _on_writer(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a short transaction in the writer thread."""
        await self._writing.acquire()
        return await self._holding(lambda connection: _in_transaction(connection, lambda: work(connection)))

    async def _holding(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run work in the writer thread; the writer's lock is given back when it ends, even if we are cancelled."""
        connection = self._writer
        if connection is None:
            self._writing.release()
            raise StoreUnavailable("The database is not open.")
        future = asyncio.get_running_loop().run_in_executor(self._writer_thread, work, connection)
        future.add_done_callback(lambda _: self._writing.release())
        try:
            return await asyncio.shield(future)
        except _TROUBLE as problem:
            raise StoreUnavailable(f"SQLite: {problem}.") from problem

    async def _on_reader(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._in_thread(self._reader_threads, work)

    async def _in_thread(self, pool: ThreadPoolExecutor, work: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            return work(self._thread_connection())

        if self._closed:
            raise StoreUnavailable("The database is not open.")
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, run)
        except _TROUBLE as problem:
            raise StoreUnavailable(f"SQLite: {problem}.") from problem

    def _now(self, sql: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
        """Run a look-up by key at once, on the event loop."""
        rows = self._all_now(sql, values)
        return rows[0] if rows else None

    def _all_now(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Run a look-up by a few keys at once, on the event loop."""
        if self._loop_reader is None:
            raise StoreUnavailable("The database is not open.")
        try:
            return self._loop_reader.execute(sql, values).fetchall()
        except _TROUBLE as problem:
            raise StoreUnavailable(f"SQLite: {problem}.") from problem

    # --- writing the record --------------------------------------------------------------------------------------

    async def write(self, commits: Sequence[Commit]) -> list[WriteResult]:
        """See Store.write.

        The rows are put in here, on the event loop: that is a few microseconds a row of pure work, while in a thread
        every statement would have to win the interpreter's lock from the loop. Waiting for the disk is left to the
        thread.
        """
        await self._writing.acquire()
        connection = self._writer
        try:
            begun = connection is not None and _begun(connection)
            results = _write(connection, commits) if connection is not None and begun else []
        except BaseException as problem:
            self._give_up(connection)
            if isinstance(problem, _TROUBLE):
                raise StoreUnavailable(f"SQLite: {problem}.") from problem
            raise
        if not begun:  # another process writes just now: wait for it in the thread
            return await self._holding(lambda c: _in_transaction(c, lambda: _write(c, commits)))
        await self._holding(_commit)
        return results

    def _give_up(self, connection: sqlite3.Connection | None) -> None:
        try:
            if connection is not None:
                _roll_back(connection)
        finally:
            self._writing.release()

    # --- reading it ----------------------------------------------------------------------------------------------

    async def dossier(self, dossier: str) -> DossierRow | None:
        """See Store.dossier."""
        row = self._now(f"SELECT {_DOSSIER} FROM dossier WHERE id = ?", (dossier,))
        return DossierRow(*row) if row else None

    async def dossiers(self, dossiers: Sequence[str]) -> list[DossierRow]:
        """See Store.dossiers."""
        return [DossierRow(*row) for row in self._those(f"SELECT {_DOSSIER} FROM dossier WHERE id", dossiers, "")]

    async def page(self, query: Query) -> list[DossierRow]:
        """See Store.page."""
        where, values = _where(query)
        column = _SORT_COLUMN[query.order]
        way = "DESC" if query.order == "newest" else "ASC"
        sql = f"SELECT {_DOSSIER} FROM dossier {where} ORDER BY {column} {way}, id {way} LIMIT ?"
        rows = await self._on_reader(lambda c: c.execute(sql, (*values, query.limit)).fetchall())
        return [DossierRow(*row) for row in rows]

    async def count(self, query: Query, most: int) -> int:
        """See Store.count."""
        where, values = _where(query)
        sql = f"SELECT count(*) FROM (SELECT 1 FROM dossier {where} LIMIT ?)"
        row = await self._on_reader(lambda c: c.execute(sql, (*values, most)).fetchone())
        return int(row[0])

    async def states(self, after: str = "") -> AsyncIterator[DossierRow]:
        """See Store.states."""
        sql = f"SELECT {_DOSSIER} FROM dossier WHERE id > ? ORDER BY id LIMIT 1000"
        while True:
            start = after
            rows = await self._on_reader(lambda c, start=start: c.execute(sql, (start,)).fetchall())  # type: ignore[misc]
            for row in rows:
                yield DossierRow(*row)
            if not rows:
                return
            after = rows[-1][0]

    async def size(self) -> int:
        """See Store.size."""
        row = self._now("SELECT coalesce(max(seq) + 1, 0) FROM entry", ())
        return int(row[0]) if row else 0

    async def entries(self, dossier: str, after: int = 0, limit: int = 1_000) -> list[EntryRow]:
        """See Store.entries."""
        sql = f"SELECT {_ENTRY} FROM entry WHERE dossier = ? AND version > ? ORDER BY version LIMIT ?"
        rows = await self._on_reader(lambda c: c.execute(sql, (dossier, after, limit)).fetchall())
        return [_entry(row) for row in rows]

    async def entries_from(self, seq: int, limit: int, *, bodies: bool = True) -> list[EntryRow]:
        """See Store.entries_from. One step gives all rows as one JSON text, for the reason that `_put` says."""
        columns = "*" if bodies else f"{_HEADER_COLUMNS}, NULL AS body, NULL AS salt"
        rows = f"SELECT {columns} FROM entry WHERE seq >= ? ORDER BY seq LIMIT ?"
        sql = f"SELECT CAST(json_group_array(json_array({_ENTRY_AS_JSON})) AS BLOB) FROM ({rows})"
        packed = await self._on_reader(lambda c: c.execute(sql, (seq, limit)).fetchone())
        try:
            return [_unpacked(row) for row in _packed_rows.decode(packed[0])]
        except UnicodeDecodeError:  # a body that is no longer UTF-8: the caller is to see the rows as they are
            plain = f"SELECT {_ENTRY} FROM entry WHERE seq >= ? ORDER BY seq LIMIT ?"
            return [_entry(row) for row in await self._on_reader(lambda c: c.execute(plain, (seq, limit)).fetchall())]

    async def blob(self, digest: bytes) -> bytes | None:
        """See Store.blob."""
        row = self._now("SELECT content FROM blob WHERE digest = ?", (digest,))
        return row[0] if row else None

    async def sketches(self, seq: int, limit: int, *, back: bool = False) -> list[SketchRow]:
        """See Store.sketches. A few are read at once, many in a thread."""
        sign, way = ("<", "DESC") if back else (">", "ASC")
        sql = f"SELECT {_SKETCH} FROM sketch WHERE seq {sign} ? ORDER BY seq {way} LIMIT ?"
        if limit <= _MOST_AT_ONCE:
            rows = self._all_now(sql, (seq, limit))
        else:
            rows = await self._on_reader(lambda c: c.execute(sql, (seq, limit)).fetchall())
        return list(map(SketchRow._make, rows))

    async def sketches_at(self, seqs: Sequence[int]) -> list[SketchRow]:
        """See Store.sketches_at."""
        return list(map(SketchRow._make, self._those(f"SELECT {_SKETCH} FROM sketch WHERE seq", seqs, -1)))

    def _those(self, select: str, keys: Sequence[Any], filler: Any) -> list[tuple[Any, ...]]:
        """The rows that a few keys name. `filler` is none; with it, few different statements are needed."""
        found: list[tuple[Any, ...]] = []
        for start in range(0, len(keys), _MOST_VARIABLES):
            part = [*keys[start : start + _MOST_VARIABLES]]
            part += [filler] * (-len(part) % 16)
            found += self._all_now(f"{select} IN ({_marks(len(part))})", part)
        return found

    async def forget_sketches(self, before: Micros, limit: int) -> int:
        """See Store.forget_sketches."""
        oldest = "SELECT seq, at FROM sketch ORDER BY seq LIMIT ?"
        sql = f"DELETE FROM sketch WHERE seq IN (SELECT seq FROM ({oldest}) WHERE at < ?)"
        return await self._on_writer(lambda c: c.execute(sql, (limit, before)).rowcount)

    async def due(self, until: Micros, limit: int) -> list[Deadline]:
        """See Store.due."""
        sql = "SELECT dossier, kind, at FROM due WHERE at <= ? ORDER BY at, dossier, kind LIMIT ?"
        rows = await self._on_reader(lambda c: c.execute(sql, (until, limit)).fetchall())
        return [Deadline(*row) for row in rows]

    async def remembered(self, scope: str, key: str) -> Remembered | None:
        """See Store.remembered."""
        row = self._now(
            "SELECT scope, key, digest, reply, at FROM idempotency WHERE scope = ? AND key = ?", (scope, key)
        )
        return Remembered(*row) if row else None

    async def forget(self, before: Micros, expired: Micros = 0) -> int:
        """See Store.forget."""

        def work(connection: sqlite3.Connection) -> int:
            first = connection.execute("DELETE FROM idempotency WHERE at < ?", (before,)).rowcount
            second = connection.execute(
                "DELETE FROM credential WHERE expires_at > 0 AND expires_at < ?", (expired or before,)
            ).rowcount
            sent = connection.execute("DELETE FROM outbox WHERE status = 'sent' AND created_at < ?", (before,)).rowcount
            return first + second + sent

        return await self._on_writer(work)

    # --- deliveries ----------------------------------------------------------------------------------------------

    async def deliveries(self, status: str, until: Micros = 0, limit: int = 100, after: str = "") -> list[Delivery]:
        """See Store.deliveries."""
        if until:
            sql = f"SELECT {_DELIVERY} FROM outbox WHERE status = ? AND next_at <= ? ORDER BY next_at, id LIMIT ?"
            values: tuple[Any, ...] = (status, until, limit)
        else:
            sql = f"SELECT {_DELIVERY} FROM outbox WHERE status = ? AND id > ? ORDER BY id LIMIT ?"
            values = (status, after, limit)
        rows = await self._on_reader(lambda c: c.execute(sql, values).fetchall())
        return [Delivery(*row) for row in rows]

    async def delivery(self, delivery: str) -> Delivery | None:
        """See Store.delivery."""
        row = self._now(f"SELECT {_DELIVERY} FROM outbox WHERE id = ?", (delivery,))
        return Delivery(*row) if row else None

    async def settle(self, delivery: Delivery) -> None:
        """See Store.settle."""
        sql = "UPDATE outbox SET next_at = ?, attempts = ?, status = ?, last_error = ? WHERE id = ?"
        values = (delivery.next_at, delivery.attempts, delivery.status, delivery.last_error, delivery.id)
        await self._on_writer(lambda c: c.execute(sql, values))

    # --- ledger --------------------------------------------------------------------------------------------------

    async def head(self) -> Head | None:
        """See Store.head."""
        row = self._now("SELECT size, root, note, at FROM head ORDER BY size DESC LIMIT 1", ())
        return Head(*row) if row else None

    async def publish(self, head: Head, tiles: Sequence[tuple[str, bytes]], previous: int) -> bool:
        """See Store.publish."""

        def work(connection: sqlite3.Connection) -> bool:
            latest = connection.execute("SELECT coalesce(max(size), 0) FROM head").fetchone()[0]
            if latest != previous or head.size < previous:
                return False
            connection.executemany("INSERT OR REPLACE INTO tile (path, hashes) VALUES (?, ?)", tiles)
            connection.execute(
                "INSERT OR REPLACE INTO head (size, root, note, at) VALUES (?, ?, ?, ?)",
                (head.size, head.root, head.note, head.at),
            )
            return True

        return await self._on_writer(work)

    async def tile(self, path: str) -> bytes | None:
        """See Store.tile."""
        row = self._now("SELECT hashes FROM tile WHERE path = ?", (path,))
        return row[0] if row else None

    # --- outside the record --------------------------------------------------------------------------------------

    async def meta(self, key: str) -> str | None:
        """See Store.meta."""
        row = self._now("SELECT value FROM meta WHERE key = ?", (key,))
        return row[0] if row else None

    async def set_meta(self, key: str, value: str) -> bool:
        """See Store.set_meta."""
        sql = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING"
        return (await self._on_writer(lambda c: c.execute(sql, (key, value)))).rowcount > 0

    async def put_credential(self, credential: Credential, *, replace: bool = False) -> bool:
        """See Store.put_credential."""
        clause = (
            "ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, lookup = excluded.lookup, body = excluded.body,"
            " expires_at = excluded.expires_at"
            if replace
            else "ON CONFLICT DO NOTHING"
        )
        sql = f"INSERT INTO credential ({_CREDENTIAL}) VALUES (?, ?, ?, ?, ?, ?, ?) {clause}"
        values = astuple(credential)

        def work(connection: sqlite3.Connection) -> bool:
            try:
                return connection.execute(sql, values).rowcount > 0
            except sqlite3.IntegrityError:  # another id of this kind has the lookup
                return False

        return await self._on_writer(work)

    async def credential(self, kind: str, lookup: bytes) -> Credential | None:
        """See Store.credential."""
        sql = f"SELECT {_CREDENTIAL} FROM credential WHERE kind = ? AND lookup = ?"
        row = self._now(sql, (kind, lookup))
        return Credential(*row) if row else None

    async def credentials(self, kind: str, owner: str = "") -> list[Credential]:
        """See Store.credentials."""
        narrowed = "AND owner = ?" if owner else "AND ? = ''"
        sql = f"SELECT {_CREDENTIAL} FROM credential WHERE kind = ? {narrowed} ORDER BY created_at, id"
        rows = await self._on_reader(lambda c: c.execute(sql, (kind, owner)).fetchall())
        return [Credential(*row) for row in rows]

    async def take_credential(self, kind: str, lookup: bytes) -> Credential | None:
        """See Store.take_credential."""
        sql = f"DELETE FROM credential WHERE kind = ? AND lookup = ? RETURNING {_CREDENTIAL}"
        row = await self._on_writer(lambda c: c.execute(sql, (kind, lookup)).fetchone())
        return Credential(*row) if row else None

    async def drop_credential(self, credential: str) -> bool:
        """See Store.drop_credential."""
        sql = "DELETE FROM credential WHERE id = ?"
        return (await self._on_writer(lambda c: c.execute(sql, (credential,)))).rowcount > 0

    async def leads(self) -> bool:
        """The only server of this file runs the jobs."""
        return self._lock_file is not None


# --- pieces that need only a connection --------------------------------------------------------------------------


def _set_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL. SQLite does not wait for another that is switching at the same time, so we do."""
    give_up = time.monotonic() + _WAL_PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return


def _migrate(connection: sqlite3.Connection) -> None:
    """Apply what is missing, in one transaction a step; of two that start at once, the second finds it done."""
    version = _version(connection)
    if version > migrations("sqlite", 0)[-1].number:
        raise StoreUnavailable(f"The schema has step {version}, which a newer release made: run that release.")
    for step in migrations("sqlite", version):
        _in_transaction(connection, partial(_apply, connection, step))


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _apply(connection: sqlite3.Connection, step: Migration) -> None:
    if _version(connection) >= step.number:
        return
    statement = ""
    for line in step.sql.splitlines(keepends=True):  # executescript would commit the transaction that we are in
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
    connection.execute(f"PRAGMA user_version = {step.number}")


def _in_transaction(connection: sqlite3.Connection, work: Callable[[], T]) -> T:
    _begin_patiently(connection)
    try:
        result = work()
    except BaseException:
        _roll_back(connection)
        raise
    _commit(connection)
    return result


def _begun(connection: sqlite3.Connection) -> bool:
    """Begin to write, unless another process does so now."""
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as problem:
        if problem.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def _begin_patiently(connection: sqlite3.Connection) -> None:
    """Begin to write, waiting for another process's short transaction to end."""
    give_up = time.monotonic() + _PATIENCE_S
    while not _begun(connection):
        if time.monotonic() > give_up:
            raise sqlite3.OperationalError(f"another process has been writing for {_PATIENCE_S} s")
        time.sleep(_PAUSE_S)


def _commit(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _write(connection: sqlite3.Connection, commits: Sequence[Commit]) -> list[WriteResult]:
    next_seq = connection.execute("SELECT coalesce(max(seq) + 1, 0) FROM entry").fetchone()[0]
    results, accepted = _known(connection, commits).sort(commits, next_seq)
    if accepted:
        _insert(connection, accepted, next_seq)
    return results


def _known(connection: sqlite3.Connection, commits: Sequence[Commit]) -> Known:
    wanted = sorted({dossier for commit in commits for dossier in commit.expects})
    versions: list[tuple[str, int]] = []
    for start in range(0, len(wanted), _MOST_VARIABLES):
        part = wanted[start : start + _MOST_VARIABLES]
        part += [""] * (-len(part) % 64)  # few different statements, so that they stay prepared
        versions += connection.execute(f"SELECT id, version FROM dossier WHERE id IN ({_marks(len(part))})", part)
    remembered = []
    names = []
    key_sql = "SELECT scope, key, digest, reply, at FROM idempotency WHERE scope = ? AND key = ?"
    name_sql = "SELECT scope, name, dossier FROM name WHERE scope = ? AND name = ?"
    for commit in commits:
        if (ask := commit.remember) is not None:
            remembered += connection.execute(key_sql, (ask.scope, ask.key)).fetchall()
        for name in commit.names:
            names += connection.execute(name_sql, (name.scope, name.name)).fetchall()
    return Known(versions, (Remembered(*row) for row in remembered), (Name(*row) for row in names))


def _insert(connection: sqlite3.Connection, commits: Sequence[Commit], seq: int) -> None:
    drafts = (entry for commit in commits for entry in commit.entries)
    entries = [_entry_values(entry, place) for place, entry in enumerate(drafts, seq)]
    dossiers = [astuple(row) for commit in commits for row in commit.dossiers]
    # a dossier that comes with its first entry has no deadlines to replace; one that is repaired comes without entries
    with_deadlines = [
        (row.id,) for commit in commits for row in commit.dossiers if row.version > 1 or not commit.entries
    ]
    _put(connection, f"INSERT INTO entry ({_ENTRY})", entries)
    _put(connection, f"INSERT OR REPLACE INTO dossier ({_DOSSIER})", dossiers)
    connection.executemany("DELETE FROM due WHERE dossier = ?", with_deadlines)
    _insert_beside(connection, commits)
    _insert_sketches(connection, commits, seq)


def _insert_beside(connection: sqlite3.Connection, commits: Sequence[Commit]) -> None:
    """Write what stands beside entries and dossiers; of a dossier that the group writes twice, the last deadlines."""
    latest: dict[str, tuple[Deadline, ...]] = {}
    for commit in commits:
        for row in commit.dossiers:
            latest[row.id] = tuple(each for each in commit.deadlines if each.dossier == row.id)
    deadlines = [astuple(each) for group in latest.values() for each in group]
    deliveries = [astuple(delivery) for commit in commits for delivery in commit.deliveries]
    blobs = [blob for commit in commits for blob in commit.blobs]
    names = [astuple(name) for commit in commits for name in commit.names]
    remembered = [astuple(commit.remember) for commit in commits if commit.remember is not None]
    _put(connection, "INSERT INTO due (dossier, kind, at)", deadlines)
    _put(connection, "INSERT OR IGNORE INTO blob (digest, content)", blobs)
    _put(connection, f"INSERT INTO outbox ({_DELIVERY})", deliveries)
    _put(connection, "INSERT OR IGNORE INTO name (scope, name, dossier)", names)
    _put(connection, "INSERT INTO idempotency (scope, key, digest, reply, at)", remembered)


def _insert_sketches(connection: sqlite3.Connection, commits: Sequence[Commit], seq: int) -> None:
    rows = []
    for commit in commits:
        if commit.sketch:
            entry = commit.entries[0]
            rows.append((seq, entry.dossier, entry.at, commit.sketch))
        seq += len(commit.entries)
    _put(connection, f"INSERT INTO sketch ({_SKETCH})", rows)


def _put(connection: sqlite3.Connection, insert: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, many to a statement.

    Each step of a statement gives the interpreter's lock away and must win it back from the event loop, which costs a
    busy server more than the step itself: 64 rows to a statement mean one such hand-over instead of 64.
    """
    at = 0
    for size in _ROWS_AT_ONCE:
        while len(rows) - at >= size:
            row = f"({_marks(len(rows[at]))})"
            values = [value for each in rows[at : at + size] for value in each]
            connection.execute(f"{insert} VALUES {', '.join([row] * size)}", values)
            at += size


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _where(query: Query) -> tuple[str, tuple[Any, ...]]:
    """The WHERE clause of a query and its values."""
    terms: list[str] = []
    values: list[Any] = []
    for column in ("kind", "status", "account", "assignee", "queue"):
        value = getattr(query, column)
        if value and column in {"account", "assignee", "queue"}:
            terms.append(f"{column} <> ''")  # said outright, so that the partial index is known to serve
        if value and (column, value) != ("queue", "*"):
            terms.append(f"{column} = ?")
            values.append(value)
    if query.due_before:
        terms.append("due_at > 0 AND due_at < ?")
        values.append(query.due_before)
    if query.opened_from:
        terms.append("opened_at >= ?")
        values.append(query.opened_from)
    if query.after is not None:
        sign = "<" if query.order == "newest" else ">"
        terms.append(f"({_SORT_COLUMN[query.order]}, id) {sign} (?, ?)")
        values.extend(query.after)
    return ("WHERE " + " AND ".join(terms) if terms else ""), tuple(values)


def _entry_values(entry: EntryRow, seq: int) -> tuple[Any, ...]:
    *head, basis, body, salt, commitment, _ = astuple(entry)
    return (*head, basis.policy, basis.instant, body, salt, commitment, seq)


def _unpacked(row: _PackedEntry) -> EntryRow:
    """A row of the JSON text: blobs are in hexadecimal, a body is the text that it is."""
    identity, at, dossier, version, kind, actor, policy, instant, body, salt, commitment, seq = row
    known, grain = (None, None) if body is None else (body.encode(), bytes.fromhex(salt))
    basis = Basis(policy, instant)
    return EntryRow(identity, at, dossier, version, kind, actor, basis, known, grain, bytes.fromhex(commitment), seq)


def _entry(row: tuple[Any, ...]) -> EntryRow:
    identity, at, dossier, version, kind, actor, policy, instant, body, salt, commitment, seq = row
    basis = Basis(policy, instant)
    return EntryRow(identity, at, dossier, version, kind, actor, basis, body, salt, commitment, seq)

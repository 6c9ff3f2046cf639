"""The database for several processes: PostgreSQL over asyncpg, one transaction under one lock for each group.

Every write to the record first takes a transaction-level advisory lock, so `seq` is contiguous and never re-ordered
across processes, nothing has to be retried, and a process that dies lets go of it. Look-ups and listings run beside it
on a small pool. A connection that is lost makes the verb in hand raise StoreUnavailable; the next one gets a new
connection. One doubt cannot be removed: when the connection dies while the server answers a COMMIT, the group may have
become durable, and whoever asks again under the same Idempotency-Key or version is told so.

Connect to the server itself: a pooler that hands out sessions by the transaction would break the lock of `leads`.
Tables are made in, and looked up through, the first schema of the connection's `search_path`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, TypeAlias

import asyncpg
from msgspec.structs import astuple

from placet.errors import StoreUnavailable
from placet.model import Micros
from placet.store.contract import (
    Commit,
    Credential,
    Deadline,
    Delivery,
    DossierRow,
    EntryRow,
    Head,
    Query,
    Remembered,
    SketchRow,
    WriteResult,
)
from placet.store.migrate import migrations
from placet.store.postgres_sql import (
    CREDENTIAL,
    DELIVERY,
    DOSSIER,
    DUE,
    ENTRY,
    REMEMBERED,
    SKETCH,
    SORT_COLUMN,
    TILE,
    TILE_ROWS,
    Connection,
    Row,
    entry_from,
    find_known,
    insert,
    insert_beside,
    insert_record,
    insert_sketches,
    where_of,
)

_Session: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_CONNECTIONS: Final = 8
_CONNECT_S: Final = 10
_COMMAND_S: Final = 30
_SESSION: Final = {
    "application_name": "placet",
    "default_transaction_isolation": "read committed",  # what is read after the lock must be read after waiting for it
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": "30000",  # ms; a frozen process must not keep the lock from the others
    "tcp_keepalives_idle": "30",  # s; nor one whose network has gone
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "jit": "off",  # compiling costs more than any query here
}
_TROUBLE: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)

# The first half of each advisory lock's key says what it guards; the second half is the schema's oid.
_LOCK_RECORD: Final = 0x504C0001
_LOCK_HEAD: Final = 0x504C0002
_LOCK_SCHEMA: Final = 0x504C0003
_LOCK_LEAD: Final = 0x504C0004


class PostgresStore:
    """Store (contract.py) on one PostgreSQL schema; `dsn` as libpq takes it. Any number of processes may serve it."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._schema = 0
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._lead = _Lead(self._connect)

    # --- life ----------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Bring the schema up to date, connect."""
        try:
            with _reported():
                await self._prepare()
                self._pool = await asyncpg.create_pool(
                    self._dsn,
                    min_size=1,
                    max_size=_CONNECTIONS,
                    timeout=_CONNECT_S,
                    command_timeout=_COMMAND_S,
                    server_settings=_SESSION,
                    reset=_leave_as_is,
                )
        except ValueError as problem:  # from reading the DSN
            raise StoreUnavailable(f"The address of the database cannot be read: {problem}.") from problem

    async def close(self) -> None:
        """Close every connection; a lead is given up."""
        await self._lead.end()
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                await asyncio.wait_for(pool.close(), _CONNECT_S)
            except _TROUBLE:
                pool.terminate()

    async def _connect(self) -> _Session:
        return await asyncpg.connect(self._dsn, timeout=_CONNECT_S, server_settings=_SESSION)

    async def _prepare(self) -> None:
        connection = await self._connect()
        try:
            schema = await connection.fetchval("SELECT oid::int FROM pg_namespace WHERE nspname = current_schema()")
            if schema is None:
                raise StoreUnavailable("The schema that search_path names does not exist: create it.")
            if await connection.fetchval("SHOW server_encoding") != "UTF8":
                raise StoreUnavailable("The database must have the encoding UTF8.")
            self._schema = schema
            await connection.execute("SELECT pg_advisory_lock($1, $2)", _LOCK_SCHEMA, schema)
            await _migrate(connection)
        finally:
            await connection.close(timeout=_CONNECT_S)  # and with it ends the lock

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        if self._pool is None:
            raise StoreUnavailable("The database is not open.")
        with _reported():
            async with self._pool.acquire(timeout=_COMMAND_S) as connection:
                yield connection

    @asynccontextmanager
    async def _locked(self, lock: int) -> AsyncIterator[Connection]:
        """A transaction that nobody else's under the same lock overlaps."""
        async with self._connection() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", lock, self._schema)
            yield connection

    async def _one(self, sql: str, *values: Any) -> Row | None:
        async with self._connection() as connection:
            row = await connection.fetchrow(sql, *values)
        return None if row is None else tuple(row)

    async def _all(self, sql: str, *values: Any) -> list[Row]:
        async with self._connection() as connection:
            return [tuple(row) for row in await connection.fetch(sql, *values)]

    async def _changes(self, sql: str, *values: Any) -> bool:
        """Run one durable statement; whether it changed a row."""
        async with self._connection() as connection:
            status = await connection.execute(sql, *values)
        return not status.endswith(" 0")

    # --- writing the record --------------------------------------------------------------------------------------

    async def write(self, commits: Sequence[Commit]) -> list[WriteResult]:
        """See Store.write."""
        async with self._locked(_LOCK_RECORD) as connection:
            next_seq = await connection.fetchval("SELECT coalesce(max(seq) + 1, 0) FROM entry")
            results, accepted = (await find_known(connection, commits)).sort(commits, next_seq)
            await insert_record(connection, accepted, next_seq)
            await insert_beside(connection, accepted)
            await insert_sketches(connection, accepted, next_seq)
        return results

    # --- reading it ----------------------------------------------------------------------------------------------

    async def dossier(self, dossier: str) -> DossierRow | None:
        """See Store.dossier."""
        row = await self._one(f"SELECT {DOSSIER} FROM dossier WHERE id = $1", dossier)
        return DossierRow(*row) if row else None

    async def dossiers(self, dossiers: Sequence[str]) -> list[DossierRow]:
        """See Store.dossiers."""
        rows = await self._all(f"SELECT {DOSSIER} FROM dossier WHERE id = ANY($1::text[])", list(dossiers))
        return [DossierRow(*row) for row in rows]

    async def page(self, query: Query) -> list[DossierRow]:
        """See Store.page."""
        where, values = where_of(query)
        column = SORT_COLUMN[query.order]
        way = "DESC" if query.order == "newest" else "ASC"
        order = f"ORDER BY {column} {way}, id {way} LIMIT ${len(values) + 1}"
        rows = await self._all(f"SELECT {DOSSIER} FROM dossier {where} {order}", *values, query.limit)
        return [DossierRow(*row) for row in rows]

    async def count(self, query: Query, most: int) -> int:
        """See Store.count."""
        where, values = where_of(query)
        found = f"SELECT 1 FROM dossier {where} LIMIT ${len(values) + 1}"
        row = await self._one(f"SELECT count(*) FROM ({found}) AS found", *values, most)
        return row[0] if row else 0

    async def states(self, after: str = "") -> AsyncIterator[DossierRow]:
        """See Store.states."""
        sql = f"SELECT {DOSSIER} FROM dossier WHERE id > $1 ORDER BY id LIMIT 1000"
        while rows := await self._all(sql, after):
            for row in rows:
                yield DossierRow(*row)
            after = rows[-1][0]

    async def size(self) -> int:
        """See Store.size."""
        row = await self._one("SELECT coalesce(max(seq) + 1, 0) FROM entry")
        return row[0] if row else 0

    async def entries(self, dossier: str, after: int = 0, limit: int = 1_000) -> list[EntryRow]:
        """See Store.entries."""
        sql = f"SELECT {ENTRY} FROM entry WHERE dossier = $1 AND version > $2 ORDER BY version LIMIT $3"
        return [entry_from(row) for row in await self._all(sql, dossier, after, limit)]

    async def entries_from(self, seq: int, limit: int, *, bodies: bool = True) -> list[EntryRow]:
        """See Store.entries_from."""
        columns = ENTRY if bodies else ENTRY.replace("body, salt", "NULL, NULL")
        sql = f"SELECT {columns} FROM entry WHERE seq >= $1 ORDER BY seq LIMIT $2"
        return [entry_from(row) for row in await self._all(sql, seq, limit)]

    async def blob(self, digest: bytes) -> bytes | None:
        """See Store.blob."""
        row = await self._one("SELECT content FROM blob WHERE digest = $1", digest)
        return row[0] if row else None

    async def sketches(self, seq: int, limit: int, *, back: bool = False) -> list[SketchRow]:
        """See Store.sketches."""
        sign, way = ("<", "DESC") if back else (">", "ASC")
        sql = f"SELECT {SKETCH} FROM sketch WHERE seq {sign} $1 ORDER BY seq {way} LIMIT $2"
        return list(map(SketchRow._make, await self._all(sql, seq, limit)))

    async def sketches_at(self, seqs: Sequence[int]) -> list[SketchRow]:
        """See Store.sketches_at."""
        sql = f"SELECT {SKETCH} FROM sketch WHERE seq = ANY($1::bigint[])"
        return list(map(SketchRow._make, await self._all(sql, list(seqs))))

    async def forget_sketches(self, before: Micros, limit: int) -> int:
        """See Store.forget_sketches."""
        row = await self._one(
            "WITH oldest AS (SELECT seq, at FROM sketch ORDER BY seq LIMIT $2), gone AS"
            " (DELETE FROM sketch USING oldest WHERE sketch.seq = oldest.seq AND oldest.at < $1 RETURNING 1)"
            " SELECT count(*) FROM gone",
            before,
            limit,
        )
        return row[0] if row else 0

    async def due(self, until: Micros, limit: int) -> list[Deadline]:
        """See Store.due."""
        sql = f"SELECT {DUE} FROM due WHERE at <= $1 ORDER BY at, dossier, kind LIMIT $2"
        return [Deadline(*row) for row in await self._all(sql, until, limit)]

    async def remembered(self, scope: str, key: str) -> Remembered | None:
        """See Store.remembered."""
        row = await self._one(f"SELECT {REMEMBERED} FROM idempotency WHERE scope = $1 AND key = $2", scope, key)
        return Remembered(*row) if row else None

    async def forget(self, before: Micros, expired: Micros = 0) -> int:
        """See Store.forget."""
        row = await self._one(
            "WITH keys AS (DELETE FROM idempotency WHERE at < $1 RETURNING 1),"
            " ended AS (DELETE FROM credential WHERE expires_at > 0 AND expires_at < $2 RETURNING 1),"
            " sent AS (DELETE FROM outbox WHERE status = 'sent' AND created_at < $1 RETURNING 1)"
            " SELECT (SELECT count(*) FROM keys) + (SELECT count(*) FROM ended) + (SELECT count(*) FROM sent)",
            before,
            expired or before,
        )
        return row[0] if row else 0

    # --- deliveries ----------------------------------------------------------------------------------------------

    async def deliveries(self, status: str, until: Micros = 0, limit: int = 100, after: str = "") -> list[Delivery]:
        """See Store.deliveries."""
        narrowed = "next_at <= $2 ORDER BY next_at, id" if until else "id > $2 ORDER BY id"
        sql = f"SELECT {DELIVERY} FROM outbox WHERE status = $1 AND {narrowed} LIMIT $3"
        return [Delivery(*row) for row in await self._all(sql, status, until or after, limit)]

    async def delivery(self, delivery: str) -> Delivery | None:
        """See Store.delivery."""
        row = await self._one(f"SELECT {DELIVERY} FROM outbox WHERE id = $1", delivery)
        return Delivery(*row) if row else None

    async def settle(self, delivery: Delivery) -> None:
        """See Store.settle."""
        d = delivery
        sql = "UPDATE outbox SET next_at = $1, attempts = $2, status = $3, last_error = $4 WHERE id = $5"
        await self._changes(sql, d.next_at, d.attempts, d.status, d.last_error, d.id)

    # --- ledger --------------------------------------------------------------------------------------------------

    async def head(self) -> Head | None:
        """See Store.head."""
        row = await self._one("SELECT size, root, note, at FROM head ORDER BY size DESC LIMIT 1")
        return Head(*row) if row else None

    async def publish(self, head: Head, tiles: Sequence[tuple[str, bytes]], previous: int) -> bool:
        """See Store.publish."""
        async with self._locked(_LOCK_HEAD) as connection:
            latest = await connection.fetchval("SELECT coalesce(max(size), 0) FROM head")
            if latest != previous or head.size < previous:
                return False
            await insert(
                connection,
                f"INSERT INTO tile ({TILE}) {TILE_ROWS} ON CONFLICT (path) DO UPDATE SET hashes = excluded.hashes",
                list(dict(tiles).items()),
            )
            await connection.execute(
                "INSERT INTO head (size, root, note, at) VALUES ($1, $2, $3, $4) ON CONFLICT (size)"
                " DO UPDATE SET root = excluded.root, note = excluded.note, at = excluded.at",
                *(head.size, head.root, head.note, head.at),
            )
        return True

    async def tile(self, path: str) -> bytes | None:
        """See Store.tile."""
        row = await self._one("SELECT hashes FROM tile WHERE path = $1", path)
        return row[0] if row else None

    # --- outside the record --------------------------------------------------------------------------------------

    async def meta(self, key: str) -> str | None:
        """See Store.meta."""
        row = await self._one("SELECT value FROM meta WHERE key = $1", key)
        return row[0] if row else None

    async def set_meta(self, key: str, value: str) -> bool:
        """See Store.set_meta."""
        return await self._changes("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING", key, value)

    async def put_credential(self, credential: Credential, *, replace: bool = False) -> bool:
        """See Store.put_credential."""
        clause = (
            "(id) DO UPDATE SET owner = excluded.owner, lookup = excluded.lookup, body = excluded.body,"
            " expires_at = excluded.expires_at"
            if replace
            else "DO NOTHING"
        )
        sql = f"INSERT INTO credential ({CREDENTIAL}) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT {clause}"
        async with self._connection() as connection:
            try:
                status = await connection.execute(sql, *astuple(credential))
            except asyncpg.UniqueViolationError:  # another id of this kind has the lookup
                return False
        return not status.endswith(" 0")

    async def credential(self, kind: str, lookup: bytes) -> Credential | None:
        """See Store.credential."""
        sql = f"SELECT {CREDENTIAL} FROM credential WHERE kind = $1 AND lookup = $2"
        row = await self._one(sql, kind, lookup)
        return Credential(*row) if row else None

    async def credentials(self, kind: str, owner: str = "") -> list[Credential]:
        """See Store.credentials."""
        narrowed = "owner = $2" if owner else "$2 = ''"
        sql = f"SELECT {CREDENTIAL} FROM credential WHERE kind = $1 AND {narrowed} ORDER BY created_at, id"
        return [Credential(*row) for row in await self._all(sql, kind, owner)]

    async def take_credential(self, kind: str, lookup: bytes) -> Credential | None:
        """See Store.take_credential."""
        sql = f"DELETE FROM credential WHERE kind = $1 AND lookup = $2 RETURNING {CREDENTIAL}"
        row = await self._one(sql, kind, lookup)
        return Credential(*row) if row else None

    async def drop_credential(self, credential: str) -> bool:
        """See Store.drop_credential."""
        return await self._changes("DELETE FROM credential WHERE id = $1", credential)

    async def leads(self) -> bool:
        """See Store.leads. True as of now: a process that is cut off learns of its end at its next call."""
        if self._pool is None:
            raise StoreUnavailable("The database is not open.")
        with _reported():
            return await self._lead.held(self._schema)


class _Lead:
    """A session's advisory lock on a connection of its own: the server gives it on when that session ends."""

    def __init__(self, connect: Callable[[], Awaitable[_Session]]) -> None:
        self._connect = connect
        self._turn = asyncio.Lock()
        self._connection: _Session | None = None
        self._held = False

    async def held(self, schema: int) -> bool:
        """Whether we hold it; where nobody does, take it. Raises what the driver raises."""
        async with self._turn:
            if self._connection is not None and not await self._answers(self._connection):
                self._drop(self._connection)
            if self._connection is None:
                self._connection = await self._connect()
            if not self._held:
                sql = "SELECT pg_try_advisory_lock($1, $2)"
                self._held = bool(await self._connection.fetchval(sql, _LOCK_LEAD, schema, timeout=_CONNECT_S))
            return self._held

    async def end(self) -> None:
        """Give the lock and the connection up."""
        async with self._turn:
            if self._connection is None:
                return
            connection = self._connection
            try:
                await connection.close(timeout=_CONNECT_S)
            except _TROUBLE:
                pass  # it is gone, which is what was wanted
            finally:
                self._drop(connection)

    def _drop(self, connection: _Session) -> None:
        connection.terminate()
        self._connection, self._held = None, False

    @staticmethod
    async def _answers(connection: _Session) -> bool:
        try:
            await connection.execute("SELECT 1", timeout=_CONNECT_S)
        except _TROUBLE:
            return False
        return True


# --- pieces that need only a connection --------------------------------------------------------------------------


@contextmanager
def _reported() -> Iterator[None]:
    """Give whatever the driver or the network raises the contract's name."""
    try:
        yield
    except _TROUBLE as problem:
        # only the first line: those after it quote values, which may be content
        said = str(problem).partition("\n")[0] or type(problem).__name__
        raise StoreUnavailable(f"PostgreSQL: {said.rstrip('.')}.") from problem


async def _leave_as_is(_connection: _Session) -> None:
    """A session has nothing to be reset: all settings are made at its start, all locks end with a transaction."""


async def _migrate(connection: _Session) -> None:
    """Apply what is missing. The caller holds the schema lock."""
    exists = "SELECT to_regclass(quote_ident(current_schema()) || '.schema_version') IS NOT NULL"
    version = 0
    if await connection.fetchval(exists):
        version = await connection.fetchval("SELECT coalesce(max(number), 0) FROM schema_version")
    steps = migrations("postgres", 0)
    if version > steps[-1].number:
        raise StoreUnavailable(f"The schema has step {version}, which a newer release made: run that release.")
    for step in steps:
        if step.number > version:
            async with connection.transaction():
                await connection.execute(step.sql)
                await connection.execute("INSERT INTO schema_version (number) VALUES ($1)", step.number)

"""The statements that postgres.py sends: columns, the group's look-ups and inserts, the WHERE clause of a query.

Rows go over in columns: one statement a table, whatever the number of rows, since each statement is a round trip.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import asyncpg
from msgspec.structs import astuple

from placet.model import Basis
from placet.store.contract import Commit, Deadline, EntryRow, Name, Query, Remembered
from placet.store.known import Known

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Row: TypeAlias = tuple[Any, ...]


def _columns(names: str, types: str) -> tuple[str, str]:
    """A list of columns, and the rows that arrays of these types make: `unnest($1::text[], …)`."""
    arrays = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(types.split(), 1))
    return names, f"SELECT * FROM unnest({arrays})"


ENTRY, _ENTRY_ROWS = _columns(
    "id, at, dossier, version, kind, actor, policy, instant, body, salt, commitment, seq",
    "text bigint text bigint text text text bigint bytea bytea bytea bigint",
)
DOSSIER, _DOSSIER_ROWS = _columns(
    "id, kind, version, status, account, queue, priority, assignee, due_at, opened_at, updated_at, state",
    "text text bigint text text text bigint text bigint bigint bigint bytea",
)
DELIVERY, _DELIVERY_ROWS = _columns(
    "id, endpoint, dossier, event, body, created_at, next_at, attempts, status, last_error",
    "text text text text bytea bigint bigint bigint text text",
)
DUE, _DUE_ROWS = _columns("dossier, kind, at", "text text bigint")
_BLOB, _BLOB_ROWS = _columns("digest, content", "bytea bytea")
TILE, TILE_ROWS = _columns("path, hashes", "text bytea")
_NAME, _NAME_ROWS = _columns("scope, name, dossier", "text text text")
REMEMBERED, _REMEMBERED_ROWS = _columns("scope, key, digest, reply, at", "text text bytea bytea bigint")
SKETCH, _SKETCH_ROWS = _columns("seq, dossier, at, sketch", "bigint text bigint bytea")
CREDENTIAL = "id, kind, owner, lookup, body, created_at, expires_at"
_NEW_STATE = ", ".join(f"{name} = excluded.{name}" for name in DOSSIER.split(", ") if name != "id")
SORT_COLUMN: Final = {"due": "due_at", "opened": "opened_at", "newest": "opened_at"}


async def find_known(connection: Connection, commits: Sequence[Commit]) -> Known:
    """What is stored of the versions, keys and names that a group speaks of."""
    wanted = sorted({dossier for commit in commits for dossier in commit.expects})
    keys = [(ask.scope, ask.key) for commit in commits if (ask := commit.remember) is not None]
    names = [(name.scope, name.name) for commit in commits for name in commit.names]
    versions = await connection.fetch("SELECT id, version FROM dossier WHERE id = ANY($1::text[])", wanted)
    asked = "JOIN unnest($1::text[], $2::text[]) AS asked (scope, {0}) USING (scope, {0})"
    remembered = held = []
    if keys:
        sql = f"SELECT {REMEMBERED} FROM idempotency {asked.format('key')}"
        remembered = await connection.fetch(sql, *zip(*keys, strict=True))
    if names:
        sql = f"SELECT {_NAME} FROM name {asked.format('name')}"
        held = await connection.fetch(sql, *zip(*names, strict=True))
    return Known(
        ((row[0], row[1]) for row in versions), (Remembered(*row) for row in remembered), (Name(*row) for row in held)
    )


async def insert(connection: Connection, sql: str, rows: Sequence[Row]) -> None:
    """Run an INSERT … SELECT FROM unnest over rows, given column by column."""
    if rows:
        await connection.execute(sql, *zip(*rows, strict=True))


async def insert_record(connection: Connection, commits: Sequence[Commit], seq: int) -> None:
    """Write entries and dossiers; of a dossier that the group writes twice, only the last row is stored."""
    drafts = (entry for commit in commits for entry in commit.entries)
    entries = [_entry_values(entry, place) for place, entry in enumerate(drafts, seq)]
    latest = {row.id: astuple(row) for commit in commits for row in commit.dossiers}
    await insert(connection, f"INSERT INTO entry ({ENTRY}) {_ENTRY_ROWS}", entries)
    upsert = f"INSERT INTO dossier ({DOSSIER}) {_DOSSIER_ROWS} ON CONFLICT (id) DO UPDATE SET {_NEW_STATE}"
    await insert(connection, upsert, list(latest.values()))


async def insert_beside(connection: Connection, commits: Sequence[Commit]) -> None:
    """Write what stands beside entries and dossiers."""
    await _replace_deadlines(connection, commits)
    await insert(
        connection,
        f"INSERT INTO blob ({_BLOB}) {_BLOB_ROWS} ON CONFLICT DO NOTHING",
        [blob for commit in commits for blob in commit.blobs],
    )
    await insert(
        connection,
        f"INSERT INTO outbox ({DELIVERY}) {_DELIVERY_ROWS}",
        [astuple(delivery) for commit in commits for delivery in commit.deliveries],
    )
    await insert(
        connection,
        f"INSERT INTO name ({_NAME}) {_NAME_ROWS} ON CONFLICT DO NOTHING",
        [astuple(name) for commit in commits for name in commit.names],
    )
    await insert(
        connection,
        f"INSERT INTO idempotency ({REMEMBERED}) {_REMEMBERED_ROWS}",
        [astuple(commit.remember) for commit in commits if commit.remember is not None],
    )


async def insert_sketches(connection: Connection, commits: Sequence[Commit], seq: int) -> None:
    """Write the sketches of submitted texts, each under the seq of the first entry that came with it."""
    rows: list[Row] = []
    for commit in commits:
        if commit.sketch:
            entry = commit.entries[0]
            rows.append((seq, entry.dossier, entry.at, commit.sketch))
        seq += len(commit.entries)
    await insert(connection, f"INSERT INTO sketch ({SKETCH}) {_SKETCH_ROWS}", rows)


async def _replace_deadlines(connection: Connection, commits: Sequence[Commit]) -> None:
    """Each dossier written has the deadlines of its last write in the group, and no other."""
    latest: dict[str, list[Deadline]] = {}
    for commit in commits:
        latest.update({row.id: [] for row in commit.dossiers})
        for each in commit.deadlines:
            if each.dossier in latest:
                latest[each.dossier].append(each)
    # a dossier that comes with its first entry has no deadlines to replace; one that is repaired comes without entries
    grown = sorted({row.id for one in commits for row in one.dossiers if row.version > 1 or not one.entries})
    if grown:
        await connection.execute("DELETE FROM due WHERE dossier = ANY($1::text[])", grown)
    rows = [astuple(each) for group in latest.values() for each in group]
    await insert(connection, f"INSERT INTO due ({DUE}) {_DUE_ROWS}", rows)


def where_of(query: Query) -> tuple[str, list[Any]]:
    """The WHERE clause of a query, its places numbered from $1, and its values."""
    terms: list[str] = []
    values: list[Any] = []

    def place(value: Any) -> str:
        values.append(value)
        return f"${len(values)}"

    for column in ("kind", "status", "account", "assignee", "queue"):
        value = getattr(query, column)
        if value and column in {"account", "assignee", "queue"}:
            terms.append(f"{column} <> ''")  # said outright, so that the partial index is known to serve
        if value and (column, value) != ("queue", "*"):
            terms.append(f"{column} = {place(value)}")
    if query.due_before:
        terms.append(f"due_at > 0 AND due_at < {place(query.due_before)}")
    if query.opened_from:
        terms.append(f"opened_at >= {place(query.opened_from)}")
    if query.after is not None:
        sign = "<" if query.order == "newest" else ">"
        key, identity = query.after
        terms.append(f"({SORT_COLUMN[query.order]}, id) {sign} ({place(key)}, {place(identity)})")
    return ("WHERE " + " AND ".join(terms) if terms else ""), values


def _entry_values(entry: EntryRow, seq: int) -> Row:
    *head, basis, body, salt, commitment, _ = astuple(entry)
    return (*head, basis.policy, basis.instant, body, salt, commitment, seq)


def entry_from(row: Row) -> EntryRow:
    """An entry from a row of the columns ENTRY."""
    identity, at, dossier, version, kind, actor, policy, instant, *rest = row
    return EntryRow(identity, at, dossier, version, kind, actor, Basis(policy, instant), *rest)

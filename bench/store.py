"""How many commands a second the store makes durable, beside a bare executemany and COMMIT of the same rows.

    python bench/store.py [--seconds 2]

Each command has one entry, one dossier and one blob of 300 bytes, in groups of 1, 32 and 256. The floor, measured in
the same run on the same disk, inserts the same rows into the same tables with nothing looked up, sorted out or locked.
PLACET_TEST_POSTGRES names the PostgreSQL server; where none answers, its lines are left out.
"""

import argparse
import asyncio
import hashlib
import os
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from msgspec.structs import astuple

from placet.model import Basis
from placet.store.contract import Commit, Committed, DossierRow, EntryRow, Store
from placet.store.postgres import PostgresStore
from placet.store.sqlite import SqliteStore

GROUPS = (1, 32, 256)
SERVER = os.environ.get("PLACET_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
TABLES = (("entry", 12), ("dossier", 12), ("blob", 2))
_numbers = count()


def command() -> Commit:
    """A new publication: entry, dossier, blob."""
    number = next(_numbers)
    name = f"pub_{number:026}"
    content = number.to_bytes(300, "big")
    digest = hashlib.sha256(content).digest()
    return Commit(
        expects={name: 0},
        entries=(
            EntryRow(
                f"ent_{number:026}",
                number,
                name,
                1,
                "publication.submitted",
                "key_1",
                Basis("policy", number),
                content,
                digest[:16],
                digest,
            ),
        ),
        dossiers=(
            DossierRow(
                name, "publication", 1, "held", "acc_1", "news", 0, "", number, number, number, content + content
            ),
        ),
        blobs=((digest, content),),
    )


def rows(group: list[Commit]) -> Iterator[tuple[str, int, list[tuple[object, ...]]]]:
    """The same rows as the tables take them, for the floor. Places in the record are taken from the entry's time."""
    entries: list[tuple[object, ...]] = []
    for commit in group:
        e = commit.entries[0]
        entries.append((e.at, *astuple(e)[:6], e.basis.policy, e.basis.instant, e.body, e.salt, e.commitment))
    dossiers = [astuple(commit.dossiers[0]) for commit in group]
    blobs: list[tuple[object, ...]] = [commit.blobs[0] for commit in group]
    for (table, columns), values in zip(TABLES, (entries, dossiers, blobs), strict=True):
        yield table, columns, values


async def rate(size: int, seconds: float, write: Callable[[list[Commit]], Awaitable[None]]) -> float:
    """Commands a second; making the commands is not counted."""
    done, spent = 0, 0.0
    while spent < seconds:
        group = [command() for _ in range(size)]
        start = time.perf_counter()
        await write(group)
        spent += time.perf_counter() - start
        done += size
    return done / spent


async def through(store: Store, size: int, seconds: float) -> float:
    """The rate of a store."""

    async def write(group: list[Commit]) -> None:
        results = await store.write(group)
        if not all(isinstance(result, Committed) for result in results):
            raise SystemExit(f"A command was not written: {results}")

    return await rate(size, seconds, write)


async def sqlite_floor(path: Path, size: int, seconds: float) -> float:
    """The rate of bare inserts on a connection set up as the store's."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-32000", "mmap_size=268435456"):
        connection.execute(f"PRAGMA {pragma}")

    async def write(group: list[Commit]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for table, columns, values in rows(group):
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})", values)
        connection.execute("COMMIT")

    try:
        return await rate(size, seconds, write)
    finally:
        connection.close()


async def postgres_floor(dsn: str, size: int, seconds: float) -> float:
    """The rate of bare inserts on one connection."""
    connection = await asyncpg.connect(dsn)

    async def write(group: list[Commit]) -> None:
        async with connection.transaction():
            for table, columns, values in rows(group):
                marks = ", ".join(f"${place}" for place in range(1, columns + 1))
                await connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)

    try:
        return await rate(size, seconds, write)
    finally:
        await connection.close()


async def measure(
    name: str, make: Callable[[], Store], floor: Callable[[int], Awaitable[float]], seconds: float
) -> None:
    """Print a line for each size of group. Store and floor write to the same tables, each in its own turn."""
    for size in GROUPS:
        store = make()
        await store.open()
        ours = await through(store, size, seconds)
        await store.close()
        bare = await floor(size)
        print(f"{name:<12}{size:>6}{ours:>14,.0f}{bare:>14,.0f}{ours / bare:>9.2f}")


async def on_sqlite(seconds: float) -> None:
    """Measure on a file in the temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "placet.db"
        await measure("sqlite", lambda: SqliteStore(path), lambda size: sqlite_floor(path, size, seconds), seconds)


async def on_postgres(seconds: float) -> None:
    """Measure on a database of our own on the server."""
    name = f"placet_bench_{secrets.token_hex(6)}"
    try:
        admin = await asyncpg.connect(SERVER, timeout=5)
    except OSError as problem:
        print(f"postgres    left out: {problem}")
        return
    await admin.execute(f"CREATE DATABASE {name}")
    dsn = urlsplit(SERVER)._replace(path=f"/{name}").geturl()
    try:
        await measure("postgres", lambda: PostgresStore(dsn), lambda size: postgres_floor(dsn, size, seconds), seconds)
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each line is measured")
    seconds = parser.parse_args().seconds
    print(f"{'database':<12}{'group':>6}{'commands/s':>14}{'floor/s':>14}{'ratio':>9}")
    await on_sqlite(seconds)
    await on_postgres(seconds)


if __name__ == "__main__":
    asyncio.run(main())

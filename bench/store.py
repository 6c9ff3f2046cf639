"""How many commands a second the store makes durable, beside a bare executemany and COMMIT of the same rows.

Each command has one entry, one dossier and one blob of 300 bytes, in groups of 1, 32 and 256. The floor, measured in
the same run on the same disk, inserts the same rows into the same tables with nothing looked up, sorted out or locked.
PLACET_TEST_POSTGRES names the PostgreSQL server; where none answers, it is skipped, and that is said.
"""

import asyncio
import hashlib
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final

import asyncpg
from msgspec.structs import astuple

from bench.report import Benchmark, Line, Size, check, per_second
from bench.server import postgres_database
from placet.model import Basis
from placet.store.contract import Commit, Committed, DossierRow, EntryRow, Store
from placet.store.postgres import PostgresStore
from placet.store.sqlite import SqliteStore

GROUPS = (1, 32, 256)
SECONDS: Final[dict[Size, float]] = {"full": 2.0, "quick": 0.5, "tiny": 0.01}
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
    """The rate of a store, which must then hold as many entries more as it has committed."""
    written, before = 0, await store.size()

    async def write(group: list[Commit]) -> None:
        nonlocal written
        results = await store.write(group)
        written += len(group)
        check(all(isinstance(result, Committed) for result in results), f"A command was not written: {results}")

    found = await rate(size, seconds, write)
    check(await store.size() == before + written, f"{written} commands were committed, but not all are there.")
    return found


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


async def pair(
    make: Callable[[], Store], floor: Callable[[int], Awaitable[float]], size: int, seconds: float
) -> tuple[float, float]:
    """(ours, floor). Both write to the same tables, each in its own turn."""
    store = make()
    await store.open()
    try:
        ours = await through(store, size, seconds)
    finally:
        await store.close()
    return ours, await floor(size)


def on(
    name: str, make: Callable[[], Store], floor: Callable[[int], Awaitable[float]], seconds: float
) -> Iterator[Line]:
    """A line for each size of group."""
    for size in GROUPS:
        ours, bare = asyncio.run(pair(make, floor, size, seconds))
        yield Line(f"{name}, groups of {size}", per_second(ours), floor=per_second(bare), ratio=ours / bare)


def measure(size: Size) -> Iterator[Line]:
    """SQLite in the temporary folder, and PostgreSQL in a database of our own."""
    seconds = SECONDS[size]
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as folder:
        path = Path(folder) / "placet.db"
        yield from on("store, SQLite", lambda: SqliteStore(path), lambda n: sqlite_floor(path, n, seconds), seconds)
    try:
        with postgres_database() as dsn:
            yield from on(
                "store, PostgreSQL", lambda: PostgresStore(dsn), lambda n: postgres_floor(dsn, n, seconds), seconds
            )
    except OSError as problem:
        yield Line("store, PostgreSQL", "skipped", note=f"no PostgreSQL server answers: {problem}")


BENCHMARK: Final = Benchmark("commands a second made durable, against bare inserts", measure)

"""Real databases for tests, and the rows to put into them. Loaded as a plugin: its fixtures are there for all.

SQLite lives in the test's folder. PostgreSQL gets a database of its own for the session, emptied before each test and
dropped at the end; PLACET_TEST_POSTGRES names the server. Where none answers, its tests are skipped and say so; with
CI=true they fail.

Run as a program (`python stores.py sqlite PATH`, `python stores.py postgres DSN`) it writes commit after commit and
prints the dossier of each once it is durable, until it is killed.
"""

import asyncio
import hashlib
import os
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import asyncpg
import pytest

from placet.model import Basis
from placet.store.contract import Commit, Deadline, Delivery, DossierRow, EntryRow, Remembered, Store
from placet.store.postgres import PostgresStore
from placet.store.sqlite import SqliteStore

SERVER = os.environ.get("PLACET_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
NOON = 1_780_000_000_000_000
"""An instant for rows that need one, in microseconds."""


T = TypeVar("T")


class Backend(Protocol):
    """A database of one kind that any number of stores may be opened on."""

    address: str
    """What `python stores.py` takes: kind and place."""

    def store(self, *, serving: bool = True) -> Store:
        """A store, not yet open. On SQLite only one at a time may be `serving`."""

    async def clear(self) -> None:
        """Empty it; no store may be open."""


class SqliteBackend:
    """A SQLite file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.address = f"sqlite {path}"

    def store(self, *, serving: bool = True) -> SqliteStore:
        """See Backend.store."""
        return SqliteStore(self.path, serving=serving)

    async def clear(self) -> None:
        """See Backend.clear."""
        for file in self.path.parent.glob(f"{self.path.name}*"):
            file.unlink()


class PostgresBackend:
    """A PostgreSQL database."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.address = f"postgres {dsn}"

    def store(self, *, serving: bool = True) -> PostgresStore:
        """See Backend.store; PostgreSQL may be served by many."""
        return PostgresStore(self.dsn)

    async def sql(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        """Run one statement from outside the store."""
        connection = await asyncpg.connect(self.dsn)
        try:
            return await connection.fetch(statement, *values)
        finally:
            await connection.close()

    async def clear(self) -> None:
        """See Backend.clear. DELETE, since TRUNCATE makes new files for what are a few rows."""
        connection = await asyncpg.connect(self.dsn)
        try:
            tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            names = [row[0] for row in tables if row[0] != "schema_version"]
            await connection.execute(";".join(["SELECT 1", *(f"DELETE FROM {name}" for name in names)]))
        finally:
            await connection.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end why anything was skipped, so that it is not taken for tested."""
    skipped = terminalreporter.stats.get("skipped", [])
    for reason in sorted({report.longrepr[2] for report in skipped}):
        terminalreporter.write_line(reason)


# --- fixtures ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_database() -> Iterator[str]:
    """The address of a PostgreSQL database that is there for this session only."""
    name = f"placet_test_{secrets.token_hex(6)}"
    try:
        asyncio.run(_create(name))
    except (OSError, asyncpg.PostgresError) as problem:
        said = f"no PostgreSQL for tests at {urlsplit(SERVER).hostname}: {problem or type(problem).__name__}"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)
    yield urlsplit(SERVER)._replace(path=f"/{name}").geturl()
    asyncio.run(_on_server(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def postgres(postgres_database: str) -> PostgresBackend:
    """An empty PostgreSQL database."""
    backend = PostgresBackend(postgres_database)
    await backend.clear()
    return backend


@pytest.fixture
def sqlite(tmp_path: Path) -> SqliteBackend:
    """A SQLite file that is not there yet."""
    return SqliteBackend(tmp_path / "placet.db")


@pytest.fixture
async def store(backend: Backend) -> AsyncIterator[Store]:
    """An open store; `backend` is the test module's choice."""
    opened = backend.store()
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def neighbour(store: Store, backend: Backend) -> AsyncIterator[Store]:
    """A second store, open on the same database as another process would."""
    opened = backend.store(serving=False)
    await opened.open()
    yield opened
    await opened.close()


async def until(question: Callable[[], Awaitable[T]]) -> T:
    """Ask until the answer is true; for what another process or session does in its own time."""
    async with asyncio.timeout(10):
        while True:
            if answer := await question():
                return answer
            await asyncio.sleep(0.01)


async def _create(name: str) -> None:
    """Create a database whose own settings are as unlike our wishes as they may be: the store must stand them."""
    try:
        await _on_server(f"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'und'")
    except asyncpg.PostgresError:  # a server without ICU, or before version 15
        await _on_server(f"CREATE DATABASE {name}")
    for setting in ("default_transaction_isolation = 'serializable'", "synchronous_commit = off"):
        await _on_server(f"ALTER DATABASE {name} SET {setting}")


async def _on_server(statement: str) -> None:
    connection = await asyncpg.connect(SERVER, timeout=5)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


# --- rows --------------------------------------------------------------------------------------------------------


def entry(dossier: str, version: int = 1, **fields: Any) -> EntryRow:
    """An entry of a dossier; its body and commitment follow from both."""
    body = f'{{"of":"{dossier}","version":{version}}}'.encode()
    plain: dict[str, Any] = {
        "id": f"ent_{dossier}_{version}",
        "at": NOON + version,
        "dossier": dossier,
        "version": version,
        "kind": "publication.submitted",
        "actor": "key_1",
        "basis": Basis("policy-digest", NOON),
        "body": body,
        "salt": b"s" * 16,
        "commitment": hashlib.sha256(body).digest(),
    }
    return EntryRow(**(plain | fields))


def row(dossier: str, version: int = 1, **columns: Any) -> DossierRow:
    """A dossier that waits nowhere, but for the columns given."""
    plain: dict[str, Any] = {
        "id": dossier,
        "kind": "publication",
        "version": version,
        "status": "held",
        "account": "acc_1",
        "queue": "",
        "priority": 0,
        "assignee": "",
        "due_at": 0,
        "opened_at": NOON,
        "updated_at": NOON + version,
        "state": f"state {version}".encode(),
    }
    return DossierRow(**(plain | columns))


def commit(dossier: str, version: int = 1, *, columns: dict[str, Any] | None = None, **parts: Any) -> Commit:
    """One command that brings a dossier to `version`: an entry, the row, and whatever `parts` name."""
    plain: dict[str, Any] = {
        "expects": {dossier: version - 1},
        "entries": (entry(dossier, version),),
        "dossiers": (row(dossier, version, **(columns or {})),),
    }
    return Commit(**(plain | parts))


def deadline(dossier: str, kind: str = "review", at: int = NOON) -> Deadline:
    """A deadline of a dossier."""
    return Deadline(dossier, kind, at)


def delivery(identity: str, **fields: Any) -> Delivery:
    """A delivery that waits for its first attempt."""
    plain: dict[str, Any] = {
        "id": identity,
        "endpoint": "whk_1",
        "dossier": "pub_1",
        "event": "publication.approved",
        "body": b"{}",
        "created_at": NOON,
        "next_at": NOON,
    }
    return Delivery(**(plain | fields))


def remembered(key: str, reply: bytes = b"first reply") -> Remembered:
    """A reply under an Idempotency-Key."""
    return Remembered("key_1", key, b"request digest", reply, NOON)


# --- a process to be killed --------------------------------------------------------------------------------------


async def write_until_killed(kind: str, place: str) -> None:
    """Write groups of three and say of each commit when it is durable."""
    store: Store = SqliteStore(Path(place)) if kind == "sqlite" else PostgresStore(place)
    await store.open()
    for number in range(1_000_000):
        names = [f"pub_{number:06}_{part}" for part in range(3)]
        await store.write([commit(name) for name in names])
        for name in names:
            sys.stdout.write(f"{name}\n")
        sys.stdout.flush()


@pytest.fixture(params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each database in turn."""
    found: Backend = request.getfixturevalue(request.param)
    return found


if __name__ == "__main__":
    asyncio.run(write_until_killed(sys.argv[1], sys.argv[2]))

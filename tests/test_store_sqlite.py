"""The store contract on SQLite, and what only SQLite promises: one server a file, and errors of the file itself."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from contract_store import StoreContract
from stores import Backend, SqliteBackend, commit

from placet.errors import StoreLocked, StoreUnavailable
from placet.store.contract import Committed
from placet.store.sqlite import SqliteStore


@pytest.fixture
def backend(sqlite: SqliteBackend) -> Backend:
    """These tests run on SQLite."""
    return sqlite


class TestSqliteStore(StoreContract):
    """Every promise of the contract."""


async def test_only_one_process_serves_a_file(store: SqliteStore, sqlite: SqliteBackend) -> None:
    """A second server is refused with the pid of the first, and may start when the first has ended."""
    second = sqlite.store()
    with pytest.raises(StoreLocked, match=f"pid {os.getpid()}"):
        await second.open()
    await second.close()
    assert await store.write([commit("pub_a")]) == [Committed(0)]
    await store.close()
    third = sqlite.store()
    await third.open()
    assert await third.size() == 1
    await third.close()


async def test_a_file_that_is_no_database_is_refused(sqlite: SqliteBackend) -> None:
    """A foreign file raises StoreUnavailable and is left as it is; the server's place is given back."""
    foreign = b"this is a letter, not a database. " * 40
    sqlite.path.write_bytes(foreign)
    with pytest.raises(StoreUnavailable, match="not a database"):
        await sqlite.store().open()
    assert sqlite.path.read_bytes() == foreign
    sqlite.path.unlink()
    again = sqlite.store()
    await again.open()
    await again.close()


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """Where the path leads through a file, opening raises StoreUnavailable."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable):
        await SqliteStore(tmp_path / "file" / "placet.db").open()


async def test_a_schema_of_a_newer_release_is_refused(sqlite: SqliteBackend) -> None:
    """A file that a newer release has migrated is not opened by this one."""
    store = sqlite.store()
    await store.open()
    await store.close()
    with sqlite3.connect(sqlite.path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(StoreUnavailable, match="newer release"):
        await sqlite.store().open()


async def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    """Processes that start together on a file that is not there yet all find one complete schema."""
    for attempt in range(8):
        stores = [SqliteStore(tmp_path / f"{attempt}.db", serving=False) for _ in range(4)]
        await asyncio.gather(*(store.open() for store in stores))
        for number, store in enumerate(stores):
            assert await store.write([commit(f"pub_{number}")]) == [Committed(number)]
        await asyncio.gather(*(store.close() for store in stores))


async def test_opening_waits_for_another_that_is_making_the_file(sqlite: SqliteBackend) -> None:
    """A file that another process is writing before it is in WAL mode is waited for, not refused."""
    other = sqlite3.connect(sqlite.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE theirs (number INTEGER)")
    store = sqlite.store()
    opening = asyncio.create_task(store.open())
    await asyncio.wait([opening], timeout=0.1)
    assert not opening.done()
    other.execute("COMMIT")
    other.close()
    await opening
    assert await store.write([commit("pub_a")]) == [Committed(0)]
    await store.close()


async def test_a_full_disk_loses_nothing(store: SqliteStore) -> None:
    """When the disk is full a group raises StoreUnavailable and nothing of it is there; with room, writing goes on."""

    def limit(pages: int) -> Callable[[sqlite3.Connection], None]:
        def work(connection: sqlite3.Connection) -> None:
            used = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {used + pages}")

        return work

    await store.write([commit("pub_a")])
    await store._on_writer(limit(2))
    large = commit("pub_b", blobs=((b"b" * 32, b"x" * 1_000_000),))
    with pytest.raises(StoreUnavailable, match="full"):
        await store.write([commit("pub_c"), large])
    assert await store.size() == 1
    assert await store.dossier("pub_c") is None
    assert (await store.dossier("pub_a")) == commit("pub_a").dossiers[0]
    await store._on_writer(limit(10_000))
    assert await store.write([commit("pub_c"), large]) == [Committed(1), Committed(2)]
    assert await store._on_writer(lambda c: c.execute("PRAGMA integrity_check").fetchone()) == ("ok",)


async def test_listings_use_an_index(store: SqliteStore) -> None:
    """Pages of an account, of one queue and of all queues are read off an index, not sorted."""
    plans = {
        "account <> '' AND account = ? AND kind = ?": "dossier_account",
        "queue <> '' AND queue = ?": "dossier_queue",
        "queue <> ''": "dossier_waiting",
    }
    for where, index in plans.items():
        order = "opened_at, id" if "account" in where else "due_at, id"
        sql = f"EXPLAIN QUERY PLAN SELECT * FROM dossier WHERE {where} ORDER BY {order} LIMIT 50"
        explain = partial(_rows, sql, ("x",) * where.count("?"))
        assert [index in step[3] for step in await store._on_reader(explain)] == [True]


def _rows(sql: str, values: tuple[str, ...], connection: sqlite3.Connection) -> list[Any]:
    return connection.execute(sql, values).fetchall()

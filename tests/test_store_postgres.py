"""The store contract on PostgreSQL, and what only PostgreSQL must stand: lost connections and several processes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import asyncpg
import pytest
from contract_store import FOREVER, StoreContract
from stores import Backend, PostgresBackend, commit, deadline, delivery, remembered, until

from placet.errors import StoreUnavailable
from placet.store.contract import Commit, Committed, Conflict, Name, Repeated, Store
from placet.store.postgres import PostgresStore

_TABLES = ("entry", "dossier", "due", "blob", "outbox", "name", "idempotency")
_OURS = "datname = current_database() AND application_name = 'placet'"


@pytest.fixture
def backend(postgres: PostgresBackend) -> Backend:
    """These tests run on PostgreSQL."""
    return postgres


class TestPostgresStore(StoreContract):
    """Every promise of the contract."""


def full_commit() -> Commit:
    """A command that writes into every table."""
    return commit(
        "pub_a",
        deadlines=(deadline("pub_a"),),
        blobs=((b"b" * 32, b"content"),),
        deliveries=(delivery("dlv_a"),),
        names=(Name("acc_1", "post-7", "pub_a"),),
        remember=remembered("k1"),
    )


@asynccontextmanager
async def held(postgres: PostgresBackend, statement: str) -> AsyncIterator[None]:
    """Another session that holds what `statement` locks."""
    connection = await asyncpg.connect(postgres.dsn)
    try:
        async with connection.transaction():
            await connection.execute(statement)
            yield
    finally:
        await connection.close()


async def end_sessions(postgres: PostgresBackend, which: str) -> None:
    """End the store's sessions of which `which` is true, once there is one, and wait until they are gone."""
    running = f"SELECT pid FROM pg_stat_activity WHERE {_OURS}"
    pids = [each[0] for each in await until(lambda: postgres.sql(f"{running} AND {which}"))]

    async def gone() -> bool:
        return not await postgres.sql(f"{running} AND pid = ANY($1::int[])", pids)

    await postgres.sql("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", pids)
    await until(gone)


async def recovered(store: Store) -> int:
    """The size of the record, once the store has got over its lost connections."""

    async def size() -> list[int]:
        with suppress(StoreUnavailable):
            return [await store.size()]
        return []

    return (await until(size))[0]


_RECORD_LOCK = "SELECT pg_advisory_xact_lock(x'504C0001'::int, 'public'::regnamespace::oid::int)"


@pytest.mark.parametrize(
    "lock",
    [
        _RECORD_LOCK,
        *(f"LOCK TABLE {table} IN EXCLUSIVE MODE" for table in _TABLES),
    ],
)
async def test_a_connection_lost_amid_a_group_leaves_nothing(
    store: PostgresStore, postgres: PostgresBackend, lock: str
) -> None:
    """A session ended at any step of a group raises StoreUnavailable, nothing is there, and writing goes on."""
    async with held(postgres, lock):
        writing = asyncio.create_task(store.write([full_commit(), commit("pub_b")]))
        await end_sessions(postgres, "wait_event_type = 'Lock'")
        with pytest.raises(StoreUnavailable):
            await writing
    assert await recovered(store) == 0
    assert await store.due(FOREVER, 10) == []
    assert await store.write([full_commit(), commit("pub_b")]) == [Committed(0), Committed(1)]


async def test_a_group_stored_but_not_confirmed_is_told_when_asked_again(
    store: PostgresStore, postgres: PostgresBackend
) -> None:
    """If the connection dies with the answer to COMMIT, the caller hears of trouble, and its retry of the reply."""
    async with cut_at_commit(postgres.dsn) as dsn:
        behind = PostgresStore(dsn)
        await behind.open()
        with pytest.raises(StoreUnavailable):
            await behind.write([commit("pub_a", remember=remembered("k1"))])
        await behind.close()
    assert await store.write([commit("pub_a", remember=remembered("k1"))]) == [Repeated(remembered("k1"))]
    assert await store.write([commit("pub_a")]) == [Conflict("pub_a")]
    assert await store.size() == 1


@asynccontextmanager
async def cut_at_commit(dsn: str) -> AsyncIterator[str]:
    """The address of a relay to the server that hangs up when the server has answered a COMMIT."""
    target = urlsplit(dsn)
    user = target.netloc.rpartition("@")[0]

    async def relay(near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        far, to_far = await asyncio.open_connection(target.hostname, target.port or 5432)
        committing = asyncio.Event()

        async def there() -> None:
            while data := await near.read(65_536):
                if b"COMMIT;" in data:
                    committing.set()
                to_far.write(data)

        async def back() -> None:
            while (data := await far.read(65_536)) and not committing.is_set():
                to_near.write(data)
            to_near.close()
            to_far.close()

        await asyncio.gather(there(), back())

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        near_dsn = target._replace(netloc=f"{user}@127.0.0.1:{port}", query="sslmode=disable")
        yield near_dsn.geturl()


async def test_the_pool_recovers_from_the_loss_of_every_connection(
    store: PostgresStore, postgres: PostgresBackend
) -> None:
    """After all sessions were ended at once, the store answers and writes again by itself."""
    await asyncio.gather(*(store.size() for _ in range(20)))
    await end_sessions(postgres, "true")
    assert await recovered(store) == 0
    assert await store.write([commit("pub_a")]) == [Committed(0)]


async def test_the_lead_passes_on_when_its_connection_dies(
    store: PostgresStore, neighbour: PostgresStore, postgres: PostgresBackend
) -> None:
    """A leader whose session ends is followed by the other, learns of it when it asks, and may lead again later."""
    assert await store.leads()
    assert not await neighbour.leads()
    leader = "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)"
    await end_sessions(postgres, leader)
    assert await neighbour.leads()
    assert not await store.leads()
    await end_sessions(postgres, leader)
    assert await store.leads()
    assert not await neighbour.leads()


async def test_many_may_open_a_new_schema_at_once(postgres: PostgresBackend) -> None:
    """Processes that start together all find one complete schema, in the schema that the address names."""
    await postgres.sql("CREATE SCHEMA fresh")
    stores = [PostgresStore(f"{postgres.dsn}?options=-csearch_path%3Dfresh") for _ in range(5)]
    try:
        await asyncio.gather(*(each.open() for each in stores))
        for number, each in enumerate(stores):
            assert await each.write([commit(f"pub_{number}")]) == [Committed(number)]
        assert (await postgres.sql("SELECT count(*) FROM fresh.entry"))[0][0] == 5
    finally:
        await asyncio.gather(*(each.close() for each in stores))
        await postgres.sql("DROP SCHEMA fresh CASCADE")


async def test_schemas_of_one_database_do_not_share_locks(store: PostgresStore, postgres: PostgresBackend) -> None:
    """Two installations in two schemas each have a leader of their own."""
    await postgres.sql("CREATE SCHEMA other")
    other = PostgresStore(f"{postgres.dsn}?options=-csearch_path%3Dother")
    try:
        await other.open()
        assert await store.leads()
        assert await other.leads()
    finally:
        await other.close()
        await postgres.sql("DROP SCHEMA other CASCADE")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://postgres@127.0.0.1:1/nobody-listens",
        "mysql://root@127.0.0.1/wrong-kind",
        "postgresql://postgres@127.0.0.1:port/not-a-number",
    ],
)
async def test_an_address_that_leads_nowhere_is_refused(address: str) -> None:
    """A server that does not answer, or an address that cannot be read, raises StoreUnavailable."""
    with pytest.raises(StoreUnavailable):
        await PostgresStore(address).open()


async def test_a_schema_that_is_not_there_is_refused(postgres: PostgresBackend) -> None:
    """Where search_path names no schema, opening says what to do."""
    with pytest.raises(StoreUnavailable, match="create it"):
        await PostgresStore(f"{postgres.dsn}?search_path=nowhere").open()


async def test_a_schema_of_a_newer_release_is_refused(store: PostgresStore, postgres: PostgresBackend) -> None:
    """A database that a newer release has migrated is not opened by this one."""
    await postgres.sql("INSERT INTO schema_version (number) VALUES (999)")
    try:
        with pytest.raises(StoreUnavailable, match="newer release"):
            await postgres.store().open()
    finally:
        await postgres.sql("DELETE FROM schema_version WHERE number = 999")


async def test_a_lax_server_does_not_weaken_the_promise(store: PostgresStore, postgres: PostgresBackend) -> None:
    """Where the database's own settings would lose commits in a power cut, the store's sessions do not follow them."""
    assert (await postgres.sql("SHOW synchronous_commit"))[0][0] == "off"
    assert await store._one("SHOW synchronous_commit") == ("on",)
    assert await store._one("SHOW transaction_isolation") == ("read committed",)


async def test_an_error_quotes_no_content(store: PostgresStore) -> None:
    """The detail of an error names no stored value, since it goes to logs and replies."""
    await store.write([commit("pub_a", deliveries=(delivery("dlv_a"),))])
    with pytest.raises(StoreUnavailable) as caught:
        await store.write([commit("pub_b", deliveries=(delivery("dlv_a"),))])
    assert "dlv_a" not in str(caught.value)

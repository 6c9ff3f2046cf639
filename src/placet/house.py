"""A whole platform put together from its settings: store, service, recorder, jobs. For `serve` and every command."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from placet.activations import Activations
from placet.detectors.external import ExternalDetectors, Limits
from placet.jobs import Jobs
from placet.logs import make_log
from placet.metrics import Metrics
from placet.model import Micros
from placet.near_copies import NearCopies
from placet.people import People
from placet.recorder import Recorder, load_signer
from placet.screening import loops
from placet.service import Service, now
from placet.settings import Settings
from placet.shelf import Shelf, load_policy
from placet.store.contract import EntryRow, Store
from placet.store.postgres import PostgresStore
from placet.store.sqlite import SqliteStore
from placet.webhooks import Courier

DATABASE_FILE = "placet.db"


class House(NamedTuple):
    """The parts, opened and started."""

    settings: Settings
    store: Store
    service: Service
    people: People
    activations: Activations
    recorder: Recorder
    courier: Courier
    jobs: Jobs
    metrics: Metrics
    log: structlog.stdlib.BoundLogger


def store_of(settings: Settings, *, serving: bool) -> Store:
    """The database that the settings name."""
    if settings.database:
        return PostgresStore(settings.database)
    return SqliteStore(settings.folder / DATABASE_FILE, serving=serving)


def made_by(settings: Settings) -> tuple[Path, ...]:
    """The files by which a folder shows that it holds a platform, besides placet.toml."""
    files = [settings.key_file, head_file_of(settings)]
    if not settings.database:
        files += [settings.folder / (DATABASE_FILE + ending) for ending in ("", "-wal", "-shm")]
    return tuple(files)


def head_file_of(settings: Settings) -> Path:
    """Where the last published head is remembered, outside the database and beside the key."""
    return settings.key_file.with_suffix(".head")


@asynccontextmanager
async def open_house(
    settings: Settings,
    *,
    serving: bool,
    create_key: bool = False,
    log: structlog.stdlib.BoundLogger | None = None,
    clock: Callable[[], Micros] = now,
    run_jobs: bool | None = None,
) -> AsyncIterator[House]:
    """Open everything; close it in the right order. `serving` takes the server's place and runs the jobs."""
    log = log or make_log(settings.log_level)
    if serving and loops.kernel is None:
        log.warning("screening_not_compiled", see="docs/operations.md")
    signer = load_signer(settings.key_file, settings.origin, create=create_key)
    policy = load_policy(settings.packs)
    store = store_of(settings, serving=serving)
    metrics = Metrics()
    courier = Courier(store, settings, clock)
    async with AsyncExitStack() as ends:
        ends.push_async_callback(store.close)
        await store.open()
        shelf = Shelf(store, policy, clock)
        await shelf.refresh()
        near = None
        if settings.near_days:
            near = NearCopies(store, settings.near_days, settings.near_texts, shelf.near_windows)
        asked = frozenset[str]().union(*(each.detectors for each in shelf.coming()))
        detectors = external_detectors(settings, asked, metrics, log) if serving else None
        sources = [detectors] if detectors else []
        service = Service(store, shelf, group_most=settings.group_commit_max, sources=sources, near=near, clock=clock)
        service.on_entries = _teller(metrics, log)
        recorder = Recorder(store, signer, head_file_of(settings), clock, scrub_rows=settings.scrub_rows)
        jobs = Jobs(service, recorder, courier, metrics, settings, log)
        if detectors:
            ends.push_async_callback(detectors.stop)
            await detectors.start()
        if near and serving:
            near.start(clock())
        runs_jobs = serving if run_jobs is None else run_jobs
        ends.push_async_callback(jobs.stop if runs_jobs else courier.close)
        ends.push_async_callback(service.stop)
        await recorder.start()
        if recorder.halted:
            log.critical("ledger_halted", reason=recorder.halted)
        await service.start(record_policy=serving or create_key)
        if runs_jobs:
            jobs.start()
        people = People(service, link_hours=settings.link_hours)
        activations = Activations(service, frozenset(settings.detectors))
        yield House(settings, store, service, people, activations, recorder, courier, jobs, metrics, log)


def external_detectors(
    settings: Settings, asked: frozenset[str], metrics: Metrics, log: structlog.stdlib.BoundLogger
) -> ExternalDetectors | None:
    """The team's own detectors; None where neither settings nor rules name one, so that nothing is spent on them.

    `asked`: those that the rules in force ask for, now or soon.
    """
    if not settings.detectors and not asked:
        return None
    limits = Limits(
        call_s=settings.detector_timeout_ms / 1_000,
        batch=settings.detector_batch_max,
        start_s=settings.detector_start_s,
    )
    return ExternalDetectors(settings.detectors, asked, limits, metrics, log)


def _teller(metrics: Metrics, log: structlog.stdlib.BoundLogger) -> Callable[[Sequence[EntryRow]], None]:
    """Count and log every entry that became durable: who did what to which dossier, and nothing of what it says."""
    counters: dict[str, Any] = {}

    def tell(rows: Sequence[EntryRow]) -> None:
        for row in rows:
            counter = counters.get(row.kind)
            if counter is None:
                counter = counters[row.kind] = metrics.entries.labels(row.kind)
            counter.inc()
            log.info(row.kind, entry=row.id, dossier=row.dossier, version=row.version, actor=row.actor)

    return tell

"""What happens unasked: deadlines, deliveries, checkpoints, housekeeping. Bounded loops over the service.

Of several processes on one database, one leads and runs them; another takes over when it ends. Each process reads the
webhook endpoints again now and then, since any of them may write a delivery. Each loop survives its
errors: it logs them and goes on, since a desk whose deadlines stop is worse than one with a line in its log.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from placet.errors import LedgerHalted, StoreUnavailable
from placet.metrics import Metrics
from placet.model import Micros, Refusal
from placet.people import DAY
from placet.recorder import Recorder
from placet.service import Service
from placet.settings import Settings
from placet.store.contract import Deadline, Query
from placet.webhooks import Courier

_MOST_DEADLINES: Final = 200
_AGAIN: Final[Micros] = 60_000_000
"""Microseconds after which a deadline that could not be fired is tried again."""
_HOUSEKEEPING_S: Final = 60.0
_NEAR_S: Final = 1.0
_GUARDS_S: Final = 30.0
_MOST_NEAR: Final = 2_000
_ENDPOINTS_S: Final = 2.0
_IDLE_ROUNDS: Final = 10


class Jobs:
    """The loops of one process. `start()` begins them, `stop()` ends them; each round can also be run by hand."""

    def __init__(
        self,
        service: Service,
        recorder: Recorder,
        courier: Courier,
        metrics: Metrics,
        settings: Settings,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._service = service
        self._recorder = recorder
        self._courier = courier
        self._metrics = metrics
        self._settings = settings
        self._log = log
        self._tasks: list[asyncio.Task[None]] = []
        self._idle = 0
        self._shelved: dict[tuple[str, str], Micros] = {}

    def start(self) -> None:
        """Begin every loop."""
        poll = self._settings.deadline_poll_ms / 1_000
        loops: list[tuple[str, Callable[[], Awaitable[object]], float]] = [
            ("deadlines", self.deadlines, poll),
            ("deliveries", self.deliveries, poll),
            ("checkpoint", self.checkpoint, self._settings.checkpoint_ms / 1_000),
            ("housekeeping", self.housekeeping, _HOUSEKEEPING_S),
            ("near-copies", self.near_copies, _NEAR_S),
            ("guards", self.guards, _GUARDS_S),
        ]
        self._tasks = [asyncio.create_task(self._loop(*each), name=f"job-{each[0]}") for each in loops]
        for name, work in (("endpoints", self._service.refresh_endpoints), ("packs-and-lists", self._service.follow)):
            loop = self._loop(name, work, _ENDPOINTS_S, leading=False)
            self._tasks.append(asyncio.create_task(loop, name=f"job-{name}"))

    async def stop(self) -> None:
        """End every loop, then sign what is still unsigned."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._courier.close()
        try:
            if await self._service.store.leads():
                await self.checkpoint()
        except (StoreUnavailable, LedgerHalted) as problem:
            self._log.warning("last_checkpoint_failed", error=str(problem))

    async def _loop(
        self, name: str, work: Callable[[], Awaitable[object]], pause: float, *, leading: bool = True
    ) -> None:
        """One job for ever: only while this process leads, unless it concerns every process."""
        while True:
            try:
                if not leading or await self._service.store.leads():
                    await work()
            except asyncio.CancelledError:
                raise
            except Exception as problem:  # noqa: BLE001 - the loop must outlive whatever a round meets
                self._log.error("job_failed", job=name, error=type(problem).__name__, detail=str(problem)[:300])
            await asyncio.sleep(pause)

    async def deadlines(self) -> int:
        """Fire what has come due; gives how many were looked at."""
        now = self._service.clock()
        self._shelved = {key: until for key, until in self._shelved.items() if until > now}
        due = await self._service.store.due(now, _MOST_DEADLINES + len(self._shelved))
        due = [each for each in due if (each.dossier, each.kind) not in self._shelved]
        for deadline in due:
            if not await self._fire(deadline):
                self._shelved[deadline.dossier, deadline.kind] = now + _AGAIN
        return len(due)

    async def _fire(self, deadline: Deadline) -> bool:
        """Fire one; False when it could not be: it is tried again in a while, and holds up no other meanwhile."""
        what = {"dossier": deadline.dossier, "deadline": deadline.kind}
        try:
            result = await self._service.fire(deadline.dossier, deadline.kind)
        except StoreUnavailable:
            raise
        except Exception as problem:  # noqa: BLE001 - whatever is wrong with one dossier must not stop the others' clocks
            self._log.error("deadline_failed", error=type(problem).__name__, detail=str(problem)[:300], **what)
            return False
        lag = max(0, self._service.clock() - deadline.at)
        self._metrics.late.set(lag / 1_000_000)
        if isinstance(result, Refusal):
            self._log.error("deadline_refused", code=result.code, **what)
            return False
        self._metrics.deadlines.labels(deadline.kind).inc()
        return True

    async def deliveries(self) -> int:
        """Carry what is in the outbox."""
        settled = await self._courier.carry()
        for each in settled:
            self._metrics.deliveries.labels("sent" if each.status == "sent" else each.status).inc()
            if each.status == "dead":
                self._log.warning("dead_letter", delivery=each.id, endpoint=each.endpoint, error=each.last_error)
        return len(settled)

    async def near_copies(self) -> int:
        """Drop sketches that are older than the window, part by part, so that no write of others waits long."""
        since = self._service.clock() - self._settings.near_days * DAY
        return await self._service.store.forget_sketches(since, _MOST_NEAR)

    async def guards(self) -> None:
        """Take out of effect the rules that hit far beyond their history, and raise the alarm."""
        for each in await self._service.guard_rules():
            (acts, hits), (acts_before, hits_before) = each.window, each.history
            before = {"hits_before": hits_before, "acts_before": acts_before, "allowed": each.allowed}
            self._log.error("rule_paused", pack=each.pack, rule=each.rule, hits=hits, acts=acts, **before)
        paused = self._service.judging.guards.paused(self._service.policy)
        self._metrics.rules_paused.set(len(paused))

    async def checkpoint(self) -> None:
        """Sign a head when there is news; when idle, look at old rows now and then."""
        if self._recorder.halted:
            self._metrics.halted.set(1)
            return
        head = await self._service.store.head()
        fresh = await self._service.store.size() != (0 if head is None else head.size)
        self._idle = 0 if fresh else self._idle + 1
        if not fresh and self._idle % _IDLE_ROUNDS:
            return
        try:
            signed = await self._recorder.checkpoint()
        except LedgerHalted as problem:
            self._metrics.halted.set(1)
            self._log.critical("ledger_halted", reason=problem.detail)
            return
        if signed is not None:
            self._metrics.size.set(signed.size)

    async def housekeeping(self) -> None:
        """Drop what has expired, measure the queues."""
        store = self._service.store
        now = self._service.clock()
        await store.forget(now - self._settings.idempotency_days * DAY, now)
        for queue in ("review", "lead"):
            self._metrics.waiting.labels(queue).set(await store.count(Query(queue=queue), 100_000))
        self._metrics.overdue.set(await store.count(Query(queue="*", due_before=now), 100_000))

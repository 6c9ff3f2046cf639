"""The findings of a team's own detectors: a source of `placet.detection`, with the failures as findings too.

What a detector sees is reported as list "external/<name>"; that it failed as "external/<name>/failed", with one of
FAILURES as the label. Rules ask for both by these names, and decide what a failure means.

- What is asked within one turn of the event loop, or while a call is under way, goes out in the next call together.
- A call has a time limit; past it, the process is killed and another one started. Meanwhile nothing waits: it fails.
- After several failures on end the detector is taken out for a while, twice as long each time, then tried again.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec
import structlog

from placet.detection import Subject
from placet.detectors import Text
from placet.detectors.frames import Answer, encode
from placet.detectors.process import Broken, DetectorProcess, Unusable
from placet.errors import SettingsError
from placet.metrics import Metrics
from placet.model import TEXT_FIELDS, Finding, Item
from placet.policy import SURE, external_list, failed_list

FAILURES: Final = (
    "timeout",
    "crashed",
    "raised",
    "bad-answer",
    "unreadable",
    "overloaded",
    "starting",
    "paused",
    "not-configured",
)
"""Why nothing is known of a text. docs/detectors.md says of each what it means."""

_GUESS: Final = SURE - 1
"""The best score of a finding from outside: a machine's guess may hold, never refuse or return."""


class Limits(NamedTuple):
    """What is asked of a detector at most, and for how long."""

    call_s: float = 0.5
    batch: int = 32
    """Most texts in one call."""
    waiting: int = 2_048
    """Most texts that may wait; more are marked as failed at once."""
    failures: int = 5
    """Failed calls on end after which a detector is taken out."""
    pause_s: float = 10.0
    """For how long, the first time; doubled each time that it fails again."""
    pause_most_s: float = 600.0
    start_s: float = 60.0
    """Time to load a detector."""


class _Waiting(NamedTuple):
    """A text that somebody waits to hear about."""

    text: msgspec.Raw
    done: asyncio.Future[Answer]


class External:
    """One detector, kept alive and asked in batches."""

    def __init__(self, path: str, limits: Limits, metrics: Metrics, log: structlog.stdlib.BoundLogger) -> None:
        self.name = ""
        self.version = ""
        self._path = path
        self._limits = limits
        self._metrics = metrics
        self._log = log
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._out = "starting"
        """Why it cannot be asked now, one of FAILURES; empty while it can."""
        self._failures = 0
        self._pause = limits.pause_s
        self._batch = 1
        """How many texts the next call may have: as many as it seems able to answer in half of its time."""
        self._life: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load the detector; raises SettingsError, saying what to do."""
        try:
            process = await DetectorProcess.start(self._path, self._limits.start_s)
        except Unusable as problem:
            raise SettingsError(f"detectors: {self._path} cannot be used: {problem}") from problem
        self.name, self.version = process.name, process.version
        self._metrics.detector_paused.labels(self.name).set(0)
        self._out = ""
        self._life = asyncio.create_task(self._live(process), name=f"detector-{self.name}")

    async def stop(self) -> None:
        """Close the detector. Whoever still waits hears that it failed."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)

    async def find(self, text: Text) -> list[Finding]:
        """What the detector sees in a text, or that it failed. Never raises."""
        answer = self._refused() or await self._asked(text)
        result = answer.failed or ("seen" if answer.seen else "nothing")
        self._metrics.detector_texts.labels(self.name, result).inc()
        if answer.failed:
            return [failure(self.name, answer.failed, self.version)]
        name = external_list(self.name)
        return [
            Finding("external", name, each.label, each.field, each.start, each.end, "model", score, quote, self.version)
            for each in answer.seen
            for score, quote in [(min(int(each.score), _GUESS), getattr(text, each.field)[each.start : each.end])]
        ]

    def _refused(self) -> Answer | None:
        full = len(self._waiting) >= self._limits.waiting
        reason = self._out or ("overloaded" if full else "")
        return Answer(failed=reason) if reason else None

    async def _asked(self, text: Text) -> Answer:
        try:
            raw = msgspec.Raw(encode(text))
        except UnicodeEncodeError:  # a lone surrogate
            return Answer(failed="unreadable")
        waiting = _Waiting(raw, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._wake.set()
        return await waiting.done

    # --- the life of a detector ----------------------------------------------------------------------------------

    async def _live(self, process: DetectorProcess | None) -> None:
        """One process after the other, with a pause where another one does not help."""
        try:
            while True:
                if process is not None:
                    await self._serve(process)
                    await process.kill()
                    process = None
                if self._failures >= self._limits.failures:
                    await self._rest()
                process = await self._again()
        finally:
            self._stand_aside("starting")
            if process is not None:
                await process.close()

    async def _serve(self, process: DetectorProcess) -> None:
        """Ask for as long as it is of any use."""
        self._out = ""
        ended = asyncio.create_task(process.when_ended(self._wake.set))
        try:
            while self._failures < self._limits.failures:
                await self._wake.wait()
                if process.ended:
                    self._failed("crashed")
                    break
                batch = self._next_batch()
                if batch and not await self._call(process, batch):
                    break
        finally:
            ended.cancel()
        self._stand_aside("starting")

    def _next_batch(self) -> list[_Waiting]:
        """The next texts, without those that nobody waits for any longer."""
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < self._batch:
            each = self._waiting.popleft()
            if not each.done.done():
                batch.append(each)
        if not self._waiting:
            self._wake.clear()
        return batch

    async def _call(self, process: DetectorProcess, batch: Sequence[_Waiting]) -> bool:
        """Ask about a batch; False when the process is of no use any more."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(self._limits.call_s):
                answers = await process.ask([each.text for each in batch])
        except (TimeoutError, Broken) as problem:
            reason = "timeout" if isinstance(problem, TimeoutError) else "crashed"
            _settle(batch, [Answer(failed=reason)] * len(batch))
            self._failed(reason, texts=len(batch))
            self._batch = 1
            return False
        except asyncio.CancelledError:
            _settle(batch, [Answer(failed="starting")] * len(batch))
            raise
        finally:
            took = clock() - began
            self._metrics.detector_seconds.labels(self.name).observe(took)
        _settle(batch, answers)
        self._judge(answers)
        self._fit_batch(len(batch), took)
        return True

    def _fit_batch(self, size: int, took: float) -> None:
        """Ask for more at once while that is quick, and for less before it takes too long."""
        if took > self._limits.call_s / 2:
            self._batch = max(1, size // 2)
        elif size == self._batch and took < self._limits.call_s / 4:
            self._batch = min(size * 2, self._limits.batch)

    def _judge(self, answers: Sequence[Answer]) -> None:
        """A call in which anything could be told is a good one; its failed texts are logged all the same."""
        failed = Counter((each.failed, each.error) for each in answers if each.failed)
        if failed.total() == len(answers):
            self._failures += 1
        else:
            self._failures, self._pause = 0, self._limits.pause_s
        for (reason, error), count in failed.items():
            self._log.warning("detector_failed", detector=self.name, reason=reason, error=error, texts=count)

    def _failed(self, reason: str, **what: int) -> None:
        self._failures += 1
        self._log.warning("detector_failed", detector=self.name, reason=reason, **what)

    def _stand_aside(self, reason: str) -> None:
        """Nothing is asked from now on; those who wait hear of it at once."""
        self._out = reason
        waiting, self._waiting = self._waiting, deque()
        _settle(waiting, [Answer(failed=reason)] * len(waiting))

    async def _rest(self) -> None:
        """Take the detector out for a while. The first call after it decides whether it stays."""
        self._stand_aside("paused")
        self._metrics.detector_paused.labels(self.name).set(1)
        self._log.error("detector_paused", detector=self.name, failures=self._failures, seconds=self._pause)
        await asyncio.sleep(self._pause)
        self._pause = min(self._pause * 2, self._limits.pause_most_s)
        self._failures = self._limits.failures - 1
        self._out = "starting"

    async def _again(self) -> DetectorProcess | None:
        """Load the detector again; None where that fails."""
        try:
            process = await DetectorProcess.start(self._path, self._limits.start_s)
        except (Unusable, OSError) as problem:
            self._failures = self._limits.failures
            self._log.error("detector_not_started", detector=self.name, error=str(problem))
            return None
        if process.name != self.name:
            await process.kill()
            self._failures = self._limits.failures
            self._log.error("detector_not_started", detector=self.name, error=f"it now calls itself {process.name}")
            return None
        self.version = process.version
        self._metrics.detector_paused.labels(self.name).set(0)
        self._log.info("detector_started", detector=self.name, version=self.version)
        return process


def _settle(batch: Iterable[_Waiting], answers: Sequence[Answer]) -> None:
    for each, answer in zip(batch, answers, strict=True):
        if not each.done.done():  # whoever waited may have gone away
            each.done.set_result(answer)


def failure(name: str, reason: str, version: str = "") -> Finding:
    """The mark of a detector that was asked and did not tell. Its score is 0: it says nothing of the text."""
    return Finding("external", failed_list(name), reason, TEXT_FIELDS[-1], 0, 0, "model", 0, version=version)


def _refuse_repeated(names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise SettingsError(f"detectors: {count} of them call themselves {name!r}; give each its own name.")


# --- all of them -------------------------------------------------------------------------------------------------


class ExternalDetectors:
    """Every detector that the settings name: a `placet.detection.Source`.

    `asked` are the detectors that the packs in force ask for. One that no setting names counts as failed for every
    item, so that a rule for its failure works whether it is broken or missing.
    """

    def __init__(
        self,
        paths: Sequence[str],
        asked: Iterable[str],
        limits: Limits,
        metrics: Metrics,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._all = [External(path, limits, metrics, log) for path in paths]
        self._asked = frozenset(asked)
        self._log = log
        self._missing: tuple[Finding, ...] = ()

    async def start(self) -> None:
        """Load every detector. Raises SettingsError for one that cannot be used, and for two of one name."""
        try:
            await self._start_all()
        except BaseException:
            await self.stop()
            raise
        missing = sorted(self._asked - {each.name for each in self._all})
        self._missing = tuple(failure(name, "not-configured") for name in missing)
        for name in missing:
            self._log.warning("detector_missing", detector=name)

    async def _start_all(self) -> None:
        started = await asyncio.gather(*(each.start() for each in self._all), return_exceptions=True)
        for problem in started:  # only now, when none is still being started
            if problem is not None:
                raise problem
        _refuse_repeated(each.name for each in self._all)

    async def stop(self) -> None:
        """Close every detector."""
        await asyncio.gather(*(each.stop() for each in self._all))

    async def find(self, item: Item, _: Subject) -> list[Finding]:
        """What the detectors see in an item's words; whose they are, no detector is told."""
        text = Text(item.title, item.body, item.format, item.category)
        found = await asyncio.gather(*(each.find(text) for each in self._all))
        return [*(finding for each in found for finding in each), *self._missing]

"""Everything that is found out about an item before it is judged: what can be read off it, and what else is asked.

A busy server is given many texts within a few turns of its event loop. One scan of sixteen short texts costs a
quarter of what sixteen scans cost, and the findings are the same (screening/screen.py), so that they are screened
together. Further sources are asked together, and may wait: an index, another program.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple, Protocol

from placet.model import Finding, Item, Json, Micros
from placet.policy import Policy
from placet.screening import Lexicon, screen_batch


class Subject(NamedTuple):
    """Whose item is looked at, as which dossier, and when. Both ids are empty where a text is only tried."""

    account: str
    dossier: str
    at: Micros
    attempt: int = 0
    """The number of the command that would record the text; 0 where it is only looked at."""


class InForce(NamedTuple):
    """The lexicon to screen with, and by what it differs from that of the packs, as the record has it (lexicons.py)."""

    lexicon: Lexicon
    lists: Mapping[str, Json]
    """Empty where it does not differ."""
    policy: Policy
    """Whose rules ask for what the lexicon finds."""


class Found(NamedTuple):
    """What was found out about an item, with which lists, for the rules of which policy."""

    findings: list[Finding]
    lists: Mapping[str, Json]
    policy: Policy


_TURNS: Final = 2
"""Turns of the event loop for which a scan waits: on a busy server half as many texts again arrive meanwhile, and on
an idle one it is no time at all."""
READ_OFF: Final = frozenset({"terms", "patterns", "links", "contacts", "markup", "limits"})
"""The detectors whose findings follow from an item and the lists alone: whoever screens it again finds the same. What
other detectors found stands in the record, and cannot be found again."""


class Source(Protocol):
    """A further source of findings."""

    async def find(self, item: Item, subject: Subject) -> list[Finding]:
        """What this source finds. What failed is a finding as well, for a rule to hold the item.

        Raises StoreUnavailable alone, from a source that asks the store: then nothing can be recorded either.
        """


class Detection:
    """Screens what arrives within a few turns of the event loop in one scan, and asks every further source."""

    def __init__(self, in_force: Callable[[], InForce], sources: Sequence[Source] = ()) -> None:
        """`in_force` is asked for at each scan: lists may change between two of them."""
        self._in_force = in_force
        self.sources = tuple(sources)
        self._waiting: list[tuple[Item, asyncio.Future[Found]]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        """Kept, since to ask for the running loop is a system call (getpid) before Python 3.12."""

    async def find(self, item: Item, subject: Subject) -> Found:
        """The findings of an item, those of further sources last."""
        return await self._with_sources(await self._read(item), item, subject)

    async def find_many(self, items: Sequence[Item], subjects: Sequence[Subject]) -> list[Found]:
        """`find` for each, screened in one scan; further sources are asked about all of them at once."""
        lexicon, lists, policy = self._in_force()
        found = [Found(findings, lists, policy) for findings in screen_batch(items, lexicon)]
        if not self.sources:
            return found
        each = zip(found, items, subjects, strict=True)
        return await asyncio.gather(*(self._with_sources(*one) for one in each))

    async def _with_sources(self, found: Found, item: Item, subject: Subject) -> Found:
        if not self.sources:
            return found
        if len(self.sources) == 1:  # as is usual: no task need be made
            further = [await self.sources[0].find(item, subject)]
        else:
            further = await asyncio.gather(*(source.find(item, subject) for source in self.sources))
        return Found([*found.findings, *chain.from_iterable(further)], found.lists, found.policy)

    def _read(self, item: Item) -> asyncio.Future[Found]:
        """What can be read off an item, some turns later: `placet.screening.screen(item, lexicon)`."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        future: asyncio.Future[Found] = self._loop.create_future()
        if not self._waiting:
            self._loop.call_soon(self._scan_after, _TURNS)
        self._waiting.append((item, future))
        return future

    def _scan_after(self, turns: int) -> None:
        if turns and self._loop:
            self._loop.call_soon(self._scan_after, turns - 1)
        else:
            self._scan()

    def _scan(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            lexicon, lists, policy = self._in_force()
            found = screen_batch([item for item, _ in waiting], lexicon)
        except BaseException as problem:
            for _, future in waiting:
                if not future.done():
                    future.set_exception(problem)
            raise
        for (_, future), findings in zip(waiting, found, strict=True):
            if not future.done():  # a caller that went away has cancelled it
                future.set_result(Found(findings, lists, policy))

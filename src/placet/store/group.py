"""Group commit: one writer collects what is waiting and commits it in one transaction.

A disk can make a few thousand transactions a second durable; by writing everything that arrived during the last one
together, each caller still waits for its own durability and the disk is asked once a group.
"""

import asyncio
from collections import deque

from placet.errors import StoreUnavailable
from placet.store.contract import Commit, Store, WriteResult


class GroupCommit:
    """The only way to the store's `write`. Bound to one event loop; start it with `start()`."""

    def __init__(self, store: Store, most: int) -> None:
        self._store = store
        self._most = most
        self._waiting: deque[tuple[Commit, asyncio.Future[WriteResult]]] = deque()
        self._news = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        """Kept, since to ask for the running loop is a system call (getpid) before Python 3.12."""

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="group-commit")

    async def stop(self) -> None:
        """Write what is waiting, then end."""
        self._closing = True
        self._news.set()
        if self._task is not None:
            await self._task
            self._task = None

    def submit(self, commit: Commit) -> asyncio.Future[WriteResult]:
        """Queue a commit. The future gives its result once durable, or raises StoreUnavailable."""
        if self._closing:
            raise StoreUnavailable("The server is stopping.")
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        future: asyncio.Future[WriteResult] = self._loop.create_future()
        self._waiting.append((commit, future))
        self._news.set()
        return future

    async def write(self, commit: Commit) -> WriteResult:
        """Write one commit and wait until it is durable."""
        return await self.submit(commit)

    async def _run(self) -> None:
        while not self._closing or self._waiting:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                count = min(len(self._waiting), self._most)
                await self._write([self._waiting.popleft() for _ in range(count)])

    async def _write(self, group: list[tuple[Commit, asyncio.Future[WriteResult]]]) -> None:
        try:
            results = await self._store.write([commit for commit, _ in group])
            for (_, future), result in zip(group, results, strict=True):
                if not future.done():  # a caller that went away has cancelled it
                    future.set_result(result)
        except Exception as problem:  # noqa: BLE001 - whatever went wrong, every caller must hear of it and none may hang
            for _, future in group:
                if not future.done():
                    future.set_exception(problem)

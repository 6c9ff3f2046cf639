"""The floor of a submission: a Litestar echo of the same body, and one group-commit insert of it, made durable.

Run as `python -m bench.floor_app PORT FOLDER`; it stops by the signal that ends it.
"""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from litestar import Litestar, post

from placet.web.wire import PublicationIn, encode


class Inserter:
    """The bare group commit: what is waiting goes into one table in one transaction."""

    def __init__(self, file: Path) -> None:
        self.connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        self.thread = ThreadPoolExecutor(1)
        self.waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self.news = asyncio.Event()

    async def insert(self, body: bytes) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((body, future))
        self.news.set()
        await future

    async def run(self) -> None:
        while True:
            await self.news.wait()
            self.news.clear()
            group, self.waiting = self.waiting, []
            await asyncio.get_running_loop().run_in_executor(self.thread, self.write, [(body,) for body, _ in group])
            for _, future in group:
                future.set_result(None)

    def write(self, rows: list[tuple[bytes]]) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany("INSERT INTO item (body) VALUES (?)", rows)
        self.connection.execute("COMMIT")


def app(file: Path) -> Litestar:
    """One route: take a publication, insert it, give it back."""
    inserter = Inserter(file)

    @post("/v1/publications")
    async def echo(data: PublicationIn) -> PublicationIn:
        await inserter.insert(encode(data))
        return data

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        task = asyncio.create_task(inserter.run())
        yield
        task.cancel()

    return Litestar([echo], lifespan=[lifespan], openapi_config=None, logging_config=None)


if __name__ == "__main__":
    uvicorn.run(app(Path(sys.argv[2]) / "floor.db"), port=int(sys.argv[1]), access_log=False, log_level="warning")

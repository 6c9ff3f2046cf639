"""Afterwards: does the record hold exactly what was answered, and does it verify for an outsider?"""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path

from bench.report import check
from bench.server import placet
from placet.ledger.verify import verify
from placet.store.contract import Query, Store
from placet.store.postgres import PostgresStore
from placet.store.sqlite import SqliteStore


async def _recorded(store: Store, statuses: tuple[str, ...]) -> tuple[int, Counter[str]]:
    await store.open()
    try:
        counts = {each: await store.count(Query(kind="publication", status=each), 10_000_000) for each in statuses}
        return await store.size(), Counter(counts)
    finally:
        await store.close()


def recorded(folder: Path, database: str = "", statuses: tuple[str, ...] = ("approved", "held")) -> Counter[str]:
    """How many entries the record of a platform has (as "entries"), and how many publications of each status."""
    store = PostgresStore(database) if database else SqliteStore(folder / "placet.db", serving=False)
    size, counts = asyncio.run(_recorded(store, statuses))
    return counts + Counter(entries=size)


def check_record(folder: Path, vkey: str, entries: int) -> None:
    """Raise Wrong unless the record of a stopped platform has that many entries, under a head that verifies offline."""
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as beside:
        file = Path(beside) / "export"
        placet("ledger", "checkpoint", "--data", str(folder), "--json")  # what came after the server's last head
        placet("ledger", "export", "--out", str(file), "--data", str(folder))
        with file.open("rb") as lines:
            report = verify(lines, vkey)
    check(report.ok, f"The export does not verify: {report.problems[:3]}")
    check(report.size == entries, f"{entries} entries were acknowledged, the head covers {report.size}.")

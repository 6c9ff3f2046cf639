"""How many entries a second the ledger takes with its heads signed, and how many leaves a second a verifier checks.

Appending: groups of 256 commands through the store, each an entry and its dossier, with a signed head after every
20,000 entries (the budget's one second). The floor inserts the same rows with executemany and COMMIT, group by group.
Verifying: an export of those entries, offline, one process. The floor hashes its lines with hashlib in a loop. The
verifier must find the export sound, and name the entry in which one byte has been changed.
"""

import asyncio
import hashlib
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from msgspec.structs import astuple

from bench.report import Benchmark, Line, Size, check, median, per_second
from placet import audit
from placet.ledger.encode import canonical, commitment
from placet.ledger.verify import verify
from placet.model import Basis
from placet.recorder import Recorder, load_signer
from placet.store.contract import Commit, Committed, DossierRow, EntryRow
from placet.store.sqlite import SqliteStore

ENTRIES_A_SECOND: Final = 20_000
LEAVES_A_SECOND: Final = 200_000
GROUP: Final = 256
HEAD_EVERY: Final = 20_000
NOON: Final = 1_780_000_000_000_000
ENTRY_COLUMNS: Final = 12
DOSSIER_COLUMNS: Final = 12


class Plan(NamedTuple):
    """So many rounds of appending so many entries, and of verifying the export of one of them."""

    rounds: int
    entries: int


PLANS: Final[dict[Size, Plan]] = {"full": Plan(3, 200_000), "quick": Plan(3, 40_000), "tiny": Plan(1, 1_000)}


def command(number: int) -> Commit:
    """A new dossier with its first entry, of the size of a submission's."""
    name = f"pub_{number:026}"
    revision = hashlib.sha256(number.to_bytes(8, "big")).hexdigest()
    body = canonical({"revision": revision, "outcome": "approve", "grounds": [], "facts": {"text": "x" * 200}})
    salt = bytes.fromhex(revision)
    at = NOON + number
    entry = EntryRow(
        id=f"ent_{number:026}",
        at=at,
        dossier=name,
        version=1,
        kind="publication.submitted",
        actor="key_1",
        basis=Basis("policy", at),
        body=body,
        salt=salt,
        commitment=commitment(salt, body),
    )
    row = DossierRow(name, "publication", 1, "approved", "acc_1", "", 0, "", 0, at, at, body)
    return Commit(expects={name: 0}, entries=(entry,), dossiers=(row,))


def measure(size: Size) -> Iterator[Line]:
    """Append, then verify what was appended."""
    plan = PLANS[size]
    commits = [command(number) for number in range(plan.entries)]
    groups = [commits[start : start + GROUP] for start in range(0, len(commits), GROUP)]
    judged = size == "full"
    times: list[tuple[float, float]] = []
    for _ in range(plan.rounds):
        with tempfile.TemporaryDirectory(prefix="placet-bench-") as folder:
            ours, lines, vkey = asyncio.run(append(Path(folder), groups))
            times.append((ours, bare_append(Path(folder), groups)))
    yield append_line(times, plan, judged=judged)
    yield verify_line(lines, vkey, plan, judged=judged)


def append_line(times: list[tuple[float, float]], plan: Plan, *, judged: bool) -> Line:
    """The rate of appending; each round against its own floor."""
    rate = plan.entries / median([ours for ours, _ in times])
    return Line(
        f"append {plan.entries:,} entries, a head each {HEAD_EVERY:,}",
        per_second(rate, "entries"),
        floor=per_second(plan.entries / median([floor for _, floor in times])),
        ratio=median([floor / ours for ours, floor in times]),
        budget=f">= {per_second(ENTRIES_A_SECOND)}" if judged else "",
        met=rate >= ENTRIES_A_SECOND if judged else None,
    )


async def append(folder: Path, groups: list[list[Commit]]) -> tuple[float, list[bytes], str]:
    """Append everything and sign; gives the seconds, the export and the verifier key."""
    store = SqliteStore(folder / "ours.db")
    await store.open()
    try:
        signer = load_signer(folder / "ours.key", "bench.placet.local", create=True)
        recorder = Recorder(store, signer, folder / "ours.head", lambda: NOON)
        await recorder.start()
        seconds = await append_timed(store, recorder, groups)
        return seconds, [line async for line in audit.export(store, recorder)], recorder.vkey
    finally:
        await store.close()


async def append_timed(store: SqliteStore, recorder: Recorder, groups: list[list[Commit]]) -> float:
    """What is timed: writes, and a head over every 20,000 entries and at the end."""
    results = []
    unsigned = 0
    started = time.perf_counter()
    for group in groups:
        results += await store.write(group)
        unsigned += len(group)
        if unsigned >= HEAD_EVERY:
            await recorder.checkpoint()
            unsigned = 0
    head = await recorder.checkpoint()
    seconds = time.perf_counter() - started
    check(results == [Committed(seq) for seq in range(len(results))], "The entries did not get their places in order.")
    check(head is not None and head.size == len(results), "The last head does not cover what was appended.")
    return seconds


def bare_append(folder: Path, groups: list[list[Commit]]) -> float:
    """The floor: seconds for the same rows in the same tables."""
    file = folder / "bare.db"
    asyncio.run(make_tables(file))
    connection = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-32000", "mmap_size=268435456"):
        connection.execute(f"PRAGMA {pragma}")
    prepared = [(entry_rows(group), [astuple(each.dossiers[0]) for each in group]) for group in groups]
    started = time.perf_counter()
    for entries, dossiers in prepared:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(f"INSERT INTO entry VALUES ({', '.join('?' * ENTRY_COLUMNS)})", entries)
        connection.executemany(f"INSERT INTO dossier VALUES ({', '.join('?' * DOSSIER_COLUMNS)})", dossiers)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - started
    count = connection.execute("SELECT count(*) FROM entry").fetchone()[0]
    connection.close()
    check(count == sum(map(len, groups)), "The floor did not write every row.")
    return seconds


async def make_tables(file: Path) -> None:
    """The store's own tables, for the floor to write into."""
    store = SqliteStore(file, serving=False)
    await store.open()
    await store.close()


def entry_rows(group: list[Commit]) -> list[tuple[object, ...]]:
    """Entries as the table takes them; the place is taken from the time."""
    found: list[tuple[object, ...]] = []
    for commit in group:
        e = commit.entries[0]
        head = (e.at - NOON, e.id, e.at, e.dossier, e.version, e.kind, e.actor)
        found.append((*head, e.basis.policy, e.basis.instant, e.body, e.salt, e.commitment))
    return found


def verify_line(lines: list[bytes], vkey: str, plan: Plan, *, judged: bool) -> Line:
    """The rate of the verifier."""
    check_verifier(lines, vkey, plan.entries)
    times = [(verify_timed(lines, vkey), hash_timed(lines)) for _ in range(max(3, plan.rounds))]
    rate = plan.entries / median([ours for ours, _ in times])
    return Line(
        f"verify an export of {plan.entries:,} entries",
        per_second(rate, "leaves"),
        floor=per_second(plan.entries / median([floor for _, floor in times])),
        ratio=median([floor / ours for ours, floor in times]),
        budget=f">= {per_second(LEAVES_A_SECOND)}" if judged else "",
        met=rate >= LEAVES_A_SECOND if judged else None,
    )


def check_verifier(lines: list[bytes], vkey: str, entries: int) -> None:
    """It accepts the export, and names the entry of which one byte is not what was signed."""
    report = verify(lines, vkey)
    check(report.ok and report.size == entries, f"A sound export is refused: {report.problems[:3]}")
    bad = entries // 3
    changed = list(lines)
    changed[1 + bad] = changed[1 + bad].replace(b"key_1", b"key_2")
    report = verify(changed, vkey)
    check(not report.ok and report.first_bad == bad, f"Entry {bad} was changed, the verifier names {report.first_bad}.")


def verify_timed(lines: list[bytes], vkey: str) -> float:
    """Seconds to verify."""
    started = time.perf_counter()
    report = verify(lines, vkey)
    seconds = time.perf_counter() - started
    check(report.ok, "A sound export is refused.")
    return seconds


def hash_timed(lines: list[bytes]) -> float:
    """Seconds to hash each line and nothing else."""
    digest = hashlib.sha256
    started = time.perf_counter()
    for line in lines:
        digest(line).digest()
    return time.perf_counter() - started


BENCHMARK: Final = Benchmark("append with signed heads, and offline verification", measure)

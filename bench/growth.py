"""Does it stay as fast when a million dossiers are stored? Against ten thousand, over HTTP, on SQLite.

Two real servers, one on each platform (fill.py), take turns: submissions over 1 and over 8 connections, the median of
the rounds' ratios counts. Then the pages that people wait for; their content is held against the database file. Memory
is read from /proc before and after the load. With mmap the file's own pages count as resident, so private memory is
shown too.
"""

import contextlib
import html
import json
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from bench.audit import check_record, recorded
from bench.content import submissions
from bench.fill import Filled, filled
from bench.load import Figures
from bench.report import Benchmark, Line, Size, check, median, ms, percentile
from bench.server import WAIT_S, Running, open_account, placet, serving

RATIO: Final = 1.2
PAGE_S: Final = 0.050
READY_S: Final = 3.0
RSS: Final = 300_000_000
MB: Final = 1_000_000
EXPORTED: Final = 20_000
"""Up to so many dossiers, the whole export is verified as well."""


class Plan(NamedTuple):
    """How many dossiers are stored; rounds of submissions over 1 and over 8 connections; how often a page is read."""

    large: int
    small: int
    rounds: int
    alone: int
    together: int
    pages: int


PLANS: Final[dict[Size, Plan]] = {
    "full": Plan(1_000_000, 10_000, 7, 600, 2_400, 60),
    "quick": Plan(100_000, 10_000, 5, 300, 1_200, 30),
    "tiny": Plan(300, 100, 1, 20, 40, 3),
}


class Side(NamedTuple):
    """A server on a filled platform."""

    running: Running
    platform: Filled
    account: str
    sent: "Counter[str]"
    """How many submissions were acknowledged, by the status that each must have."""


class Page(NamedTuple):
    """A page to be read, and what must stand on it."""

    name: str
    path: str
    holds: Sequence[str]


def measure(size: Size) -> Iterator[Line]:
    """Start, submissions, pages, memory."""
    plan = PLANS[size]
    judged = size == "full"
    with contextlib.ExitStack() as stack:
        large, small = (stack.enter_context(side(count)) for count in (plan.large, plan.small))
        yield from start_lines(large, small, judged=judged)
        rounds = {connections: take_turns(large, small, connections, plan) for connections in (1, 8)}
        for connections, found in rounds.items():
            yield submit_line(connections, found, plan, judged=judged)
        yield from page_lines(large, small, plan, judged=judged)
        yield memory_line("after the load", large, small, judged=judged)


@contextlib.contextmanager
def side(dossiers: int) -> Iterator[Side]:
    """A server on a copy of a filled platform, on the disk before it is measured; its record is checked afterwards."""
    kept = filled(dossiers)
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as temporary:
        folder = Path(temporary) / "data"
        shutil.copytree(kept.folder, folder)
        for file in folder.iterdir():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())
        before = recorded(folder)
        with serving(folder) as running:
            account = open_account(running, kept.api_key)
            side = Side(running, kept._replace(folder=folder), account, Counter())
            yield side
        check_growth(side, before)


def take_turns(large: Side, small: Side, connections: int, plan: Plan) -> list[tuple[Figures, Figures]]:
    """(large, small) of each round, the order changing."""
    count = plan.alone if connections == 1 else plan.together
    for each in (large, small):
        send(each, plan.alone // 2, connections, seed=1_000 + connections)
    rounds = []
    for number in range(plan.rounds):
        order = (large, small) if number % 2 else (small, large)
        found = {id(each): send(each, count, connections, seed=number * 10 + connections) for each in order}
        rounds.append((found[id(large)], found[id(small)]))
    return rounds


def send(to: Side, count: int, connections: int, seed: int) -> Figures:
    """So many submissions."""
    samples = submissions(to.account, count, seed)
    figures = to.running.load([sample.body for sample in samples], connections, to.platform.api_key)
    to.sent.update(sample.status for sample in samples)
    return figures


def submit_line(connections: int, rounds: list[tuple[Figures, Figures]], plan: Plan, *, judged: bool) -> Line:
    """The medians of p50, and the ratio."""
    ratio = median([large.p50 / small.p50 for large, small in rounds])
    p99s = [median([each.p99 for each in column]) for column in zip(*rounds, strict=True)]
    return Line(
        f"submit p50 at {plan.large:,} dossiers, {connections} connection{'s' * (connections > 1)}",
        ms(median([large.p50 for large, _ in rounds])),
        floor=ms(median([small.p50 for _, small in rounds])),
        ratio=ratio,
        budget=f"<= {RATIO} of that at {plan.small:,}" if judged else "",
        met=ratio <= RATIO if judged else None,
        note=f"ratio of each round: {', '.join(f'{a.p50 / b.p50:.2f}' for a, b in rounds)}; p99 {ms(p99s[0])}"
        f" against {ms(p99s[1])}",
    )


# --- start and memory --------------------------------------------------------------------------------------------


def start_lines(large: Side, small: Side, *, judged: bool) -> Iterator[Line]:
    """From the start of the process to /readyz, and the memory then."""
    seconds = large.running.ready_s
    yield Line(
        f"start to /readyz at {large.platform.dossiers:,} dossiers",
        f"{seconds:.2f} s",
        floor=f"{small.running.ready_s:.2f} s",
        ratio=seconds / small.running.ready_s,
        budget=f"<= {READY_S:.0f} s" if judged else "",
        met=seconds <= READY_S if judged else None,
        note=f"floor: at {small.platform.dossiers:,}; processor time so far {large.running.cpu_s():.2f} s",
    )
    yield memory_line("at the start", large, small, judged=judged)


def memory_line(when: str, large: Side, small: Side, *, judged: bool) -> Line:
    """Resident memory now."""
    now, peak = large.running.memory(), large.running.memory("VmHWM")
    private = large.running.memory("RssAnon")
    return Line(
        f"RSS {when} at {large.platform.dossiers:,} dossiers",
        f"{now / MB:.0f} MB",
        floor=f"{small.running.memory() / MB:.0f} MB",
        ratio=now / small.running.memory(),
        budget=f"< {RSS / MB:.0f} MB" if judged else "",
        met=now < RSS if judged else None,
        note=f"private memory {private / MB:.0f} MB, the rest are pages of files; most so far {peak / MB:.0f} MB",
    )


# --- pages -------------------------------------------------------------------------------------------------------


def page_lines(large: Side, small: Side, plan: Plan, *, judged: bool) -> Iterator[Line]:
    """Each page, as a person who is signed in reads it."""
    found = {id(each): pages(each) for each in (large, small)}
    cookies = {id(each): sign_in(each) for each in (large, small)}
    for one, other in zip(found[id(large)], found[id(small)], strict=True):
        times = [read(large, one, cookies[id(large)], plan.pages), read(small, other, cookies[id(small)], plan.pages)]
        p50, p99 = median(times[0]), percentile(times[0], 0.99)
        is_queue = one.name == "queue page"
        yield Line(
            f"{one.name} at {plan.large:,} dossiers, p50",
            ms(p50),
            floor=ms(median(times[1])),
            ratio=p50 / median(times[1]),
            budget=f"< {ms(PAGE_S)}" if judged and is_queue else "",
            met=p50 < PAGE_S if judged and is_queue else None,
            note=f"p99 {ms(p99)}; floor: at {plan.small:,}",
        )


def pages(of: Side) -> list[Page]:
    """The pages, with what the database file says must stand on them."""
    file = f"file:{of.platform.folder / 'placet.db'}?mode=ro"
    with contextlib.closing(sqlite3.connect(file, uri=True)) as database:

        def rows(sql: str, *values: object) -> list[tuple[str, ...]]:
            return database.execute(sql, values).fetchall()

        waiting = [row[0] for row in rows("SELECT id FROM dossier WHERE queue <> '' ORDER BY due_at, id LIMIT 40")]
        leads = [row[0] for row in rows("SELECT id FROM dossier WHERE queue = 'lead' ORDER BY due_at, id LIMIT 40")]
        newest = rows("SELECT id FROM dossier WHERE kind = 'account' ORDER BY opened_at DESC, id DESC LIMIT 40")
        busiest = rows(
            "SELECT account FROM dossier WHERE account IN (SELECT account FROM dossier WHERE queue <> '')"
            " GROUP BY account ORDER BY count(*) DESC LIMIT 1"
        )
        of_busiest = rows(
            "SELECT id FROM dossier WHERE account = ? AND kind = 'publication'"
            " ORDER BY opened_at DESC, id DESC LIMIT 40",
            busiest[0][0],
        )
        find = "SELECT id, state FROM dossier WHERE queue <> '' AND account {} ? ORDER BY due_at, id LIMIT 1"
        items = [rows(find.format(sign), busiest[0][0])[0] for sign in ("<>", "=")]
        contents = [
            rows("SELECT content FROM blob WHERE digest = ?", bytes.fromhex(json.loads(state)["revision"]))[0][0]
            for _, state in items
        ]
    titles = [html.escape(json.loads(content)["title"]) for content in contents]
    (item, _), (busy, _) = items
    return [
        Page("queue page", "/desk", waiting),
        Page("queue page of the leads", "/desk?queue=lead", leads),
        Page("item page", f"/desk/items/{item}", [item, titles[0]]),
        Page("item page, busiest account", f"/desk/items/{busy}", [busy, titles[1]]),
        Page("accounts page", "/desk/accounts", [row[0] for row in newest]),
        Page("busiest account's page", f"/desk/accounts/{busiest[0][0]}", [row[0] for row in of_busiest]),
        Page("ledger page", "/desk/ledger", ["placet.local/ledger"]),
    ]


def sign_in(to: Side) -> dict[str, str]:
    """Sign in with a new link from the command line; gives the header that shows the session."""
    link = placet("staff", "link", to.platform.admin, "--data", str(to.platform.folder), "--json")["sign_in_link"]
    base = f"http://127.0.0.1:{to.running.port}"
    answer = httpx.post(
        f"{base}/link", data={"token": link.rpartition("/")[2]}, headers={"origin": base}, timeout=WAIT_S
    )
    check(answer.status_code == 303 and bool(answer.cookies), f"The sign-in link was answered {answer.status_code}.")
    return {"cookie": "; ".join(f"{name}={value}" for name, value in answer.cookies.items())}


def read(of: Side, page: Page, headers: dict[str, str], count: int) -> list[float]:
    """Seconds of each reading; the first is not counted, and must show what is stored."""
    answer = httpx.get(f"http://127.0.0.1:{of.running.port}{page.path}", headers=headers, timeout=WAIT_S)
    missing = [each for each in page.holds if each not in answer.text]
    check(answer.status_code == 200 and not missing, f"{page.path}: {answer.status_code}, {missing[:3]} not shown.")
    return of.running.get(page.path, count, headers).times


# --- afterwards --------------------------------------------------------------------------------------------------


def check_growth(of: Side, before: Counter[str]) -> None:
    """What was acknowledged is there, and a head over all of it is signed and proves the last entry."""
    folder = of.platform.folder
    after = recorded(folder)
    grown = {status: after[status] - before[status] for status in of.sent}
    check(grown == dict(of.sent), f"Acknowledged were {dict(of.sent)}, the record has grown by {grown}.")
    head = placet("ledger", "checkpoint", "--data", str(folder), "--json")
    check(head["size"] == after["entries"], f"The head covers {head['size']} of {after['entries']} entries.")
    proven = placet("ledger", "prove", str(head["size"] - 1), "--data", str(folder), "--json")
    check(proven["verified"], "The last entry is not proven.")
    if of.platform.dossiers <= EXPORTED:
        check_record(folder, of.platform.vkey, after["entries"])


BENCHMARK: Final = Benchmark("a million stored dossiers against ten thousand", measure)

"""How soon does a change of a list with 100,000 terms count, and do submissions notice?

From sending the change to the answer of the first submission that it decides, while other connections submit without
a pause; every one of those must be answered with 201. Their times stand beside those of the same load without changes.
"""

import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx

from bench.content import submissions
from bench.load import Figures
from bench.report import Benchmark, Line, Size, check, median, ms
from bench.screening import some_terms, vocabulary
from bench.server import PACKS, Running, client, initialise, open_account, serving
from bench.start import write_pack

LIVE_S: Final = 1.0
CONNECTIONS: Final = 8
CHANGES: Final = "/v1/lists/big/big/changes"


class Plan(NamedTuple):
    """How many terms the list has, how many changes of one term and of many, how many submissions meanwhile."""

    terms: int
    single: int
    many: int
    batch: int
    load: int


PLANS: Final[dict[Size, Plan]] = {
    "full": Plan(100_000, 30, 5, 1_000, 12_000),
    "quick": Plan(20_000, 10, 3, 1_000, 3_000),
    "tiny": Plan(500, 2, 1, 20, 40),
}


class Times(NamedTuple):
    """Seconds from sending a change to the answer of the first submission that it decides."""

    added: list[float]
    removed: list[float]
    batches: list[float]


def measure(size: Size) -> Iterator[Line]:
    """Changes under load on one platform."""
    plan = PLANS[size]
    rng = random.Random(100_000)
    terms = some_terms(rng, *vocabulary(rng), plan.terms)
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as temporary:
        pack = write_pack(Path(temporary) / "big", terms)
        made = initialise(Path(temporary) / "data", (*PACKS, str(pack)))
        with serving(Path(temporary) / "data") as running:
            account = open_account(running, made["api_key"])
            bodies = [sample.body for sample in submissions(account, 2 * plan.load, seed=3)]
            calm = running.load(bodies[: plan.load], CONNECTIONS, made["api_key"])
            with client(running, made["api_key"]) as api:
                times, busy = while_loaded(
                    running, made["api_key"], bodies[plan.load :], lambda: change_all(api, account, terms, plan)
                )
    yield from lines(plan, times, calm, busy, judged=size == "full")


def while_loaded(running: Running, key: str, bodies: list[bytes], work: Callable[[], Times]) -> tuple[Times, Figures]:
    """Do some work while others submit; it may end before or after them."""
    found: list[Figures] = []
    load = threading.Thread(target=lambda: found.append(running.load(bodies, CONNECTIONS, key)))
    load.start()
    times = work()
    load.join()
    check(len(found) == 1, "The submissions meanwhile were not all answered with 201.")
    return times, found[0]


def change_all(api: httpx.Client, account: str, terms: list[str], plan: Plan) -> Times:
    """Terms come and go one by one, then many come at once."""
    times = Times([], [], [])
    for number in range(plan.single):
        term = f"quilltern {number}"
        times.added.append(until_decided(api, account, {"add": [{"term": term}]}, term, "held"))
        term = terms[number]
        times.removed.append(until_decided(api, account, {"remove": [term]}, term, "approved"))
    for number in range(plan.many):
        batch = [f"ottermere {number} {place}" for place in range(plan.batch)]
        change = {"add": [{"term": term} for term in batch]}
        times.batches.append(until_decided(api, account, change, batch[-1], "held"))
    return times


def until_decided(api: httpx.Client, account: str, change: dict[str, Any], term: str, status: str) -> float:
    """Seconds until a submission with the term gets the status; the first one after the change's answer must."""
    before = {"held": "approved", "approved": "held"}[status]
    submitted = {"account": account, "title": "Note", "body": f"The note says: {term}"}

    def submit() -> str:
        found: str = api.post("/v1/publications", json=submitted).raise_for_status().json()["status"]
        return found

    check(submit() == before, f"A text with {term!r} should be {before} before the change.")
    started = time.perf_counter()
    api.post(CHANGES, json={"reason": "Seen in a wave of spam.", **change}).raise_for_status()
    found = submit()
    seconds = time.perf_counter() - started
    check(
        found == status, f"A text with {term!r} should be {status} as soon as the change is answered, and is {found}."
    )
    return seconds


def lines(plan: Plan, times: Times, calm: Figures, busy: Figures, *, judged: bool) -> Iterator[Line]:
    """Changes, then submissions."""
    kinds = (
        (f"{plan.batch:,} terms come", times.batches),
        ("a term comes", times.added),
        ("a term goes", times.removed),
    )
    for what, seconds in kinds:
        worst = max(seconds)
        yield Line(
            f"{what}, list of {plan.terms:,}: until it decides",
            ms(median(seconds)),
            budget=f"< {LIVE_S:.0f} s" if judged else "",
            met=worst < LIVE_S if judged else None,
            note=f"slowest of {len(seconds)}: {ms(worst)}",
        )
    yield Line("submit meanwhile, p50", ms(busy.p50), floor=ms(calm.p50), note="floor: the same load without changes")
    yield Line("submit meanwhile, p99", ms(busy.p99), floor=ms(calm.p99), note=f"slowest: {ms(busy.times[-1])}")


BENCHMARK: Final = Benchmark("a list of 100,000 terms is changed while others submit", measure)

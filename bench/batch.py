"""How many items a second in NDJSON batches: every line screened, decided, recorded, durable, answered.

One line in a hundred is broken and must fail alone, one in twenty must be held, every other approved; each result
line is checked, and afterwards the record.
"""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from bench.audit import check_record, recorded
from bench.content import Sample, submissions
from bench.report import Benchmark, Line, Size, check, median, per_second
from bench.server import client, initialise, open_account, serving

ITEMS_A_SECOND: Final = 8_000
BROKEN_EVERY: Final = 100
BROKEN: Final = Sample(b'{"title": "no account"', "")


class Plan(NamedTuple):
    """So many batches of so many lines, after one that warms up."""

    batches: int
    lines: int


PLANS: Final[dict[Size, Plan]] = {"full": Plan(7, 10_000), "quick": Plan(3, 5_000), "tiny": Plan(1, 200)}


def measure(size: Size) -> Iterator[Line]:
    """The median rate of the batches."""
    plan = PLANS[size]
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as temporary:
        folder = Path(temporary) / "data"
        made = initialise(folder)
        before = recorded(folder)
        with serving(folder) as running, client(running, made["api_key"]) as api:
            account = open_account(running, made["api_key"])
            batches = [with_broken(submissions(account, plan.lines, seed)) for seed in range(plan.batches + 1)]
            rates = [plan.lines / send(api, batch) for batch in batches][1:]
        check_batches(recorded(folder) - before, batches)
        check_record(folder, made["ledger_key"], recorded(folder)["entries"])
    rate = median(rates)
    judged = size == "full"
    yield Line(
        f"submit in batches of {plan.lines:,} lines",
        per_second(rate, "items"),
        budget=f">= {per_second(ITEMS_A_SECOND)}" if judged else "",
        met=rate >= ITEMS_A_SECOND if judged else None,
        note=f"from {per_second(min(rates))} to {per_second(max(rates))} in {plan.batches} batches",
    )


def with_broken(samples: list[Sample]) -> list[Sample]:
    """The same, with every hundredth line broken."""
    return [BROKEN if number % BROKEN_EVERY == 50 else sample for number, sample in enumerate(samples)]


def send(api: httpx.Client, batch: list[Sample]) -> float:
    """Send a batch and check its answer line by line; gives the seconds until the last line was there."""
    content = b"\n".join(sample.body for sample in batch)
    started = time.perf_counter()
    answer = api.post("/v1/publications/batch", content=content, headers={"content-type": "application/x-ndjson"})
    seconds = time.perf_counter() - started
    check(answer.status_code == 200, f"The batch was answered {answer.status_code}: {answer.text[:300]}")
    results = answer.content.splitlines()
    check(len(results) == len(batch), f"{len(batch)} lines were answered with {len(results)}.")
    for place, (sample, line) in enumerate(zip(batch, results, strict=True), 1):
        result = json.loads(line)
        right = result["status"] == 201 and result["publication"]["status"] == sample.status
        if sample is BROKEN:
            right = result["status"] == 400
        check(
            right and result["line"] == place, f"Line {place} should be {sample.status or 'a failure'}: {line[:300]!r}"
        )
    return seconds


def check_batches(found: Counter[str], batches: list[list[Sample]]) -> None:
    """One entry for the account and one for each good line."""
    statuses = Counter(sample.status for batch in batches for sample in batch if sample is not BROKEN)
    expected = statuses + Counter(entries=statuses.total() + 1)
    check(found == expected, f"The record has {dict(found)} more than before, answered were {dict(expected)}.")


BENCHMARK: Final = Benchmark("NDJSON batches over HTTP", measure)

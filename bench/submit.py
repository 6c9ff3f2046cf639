"""How many submissions a second: screened, decided, recorded, durable, one process, 32 connections.

The floor is a Litestar echo of the same body with one group-commit insert (floor_app.py). Floor and Placet take turns,
so that they share the machine's good and bad moments; the median of the rounds' ratios counts. Afterwards every
acknowledged submission must be in the record once, with the status that its text asks for, under a head that verifies.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from bench.audit import check_record, recorded
from bench.content import Sample, submissions
from bench.load import Figures
from bench.report import Benchmark, Line, Size, check, median, ms, per_second
from bench.server import Running, floor_serving, initialise, open_account, postgres_database, serving

CONNECTIONS: Final = 32
RATIO: Final = 0.4
P99_S: Final = 0.050


class Plan(NamedTuple):
    """How many rounds of how many submissions, after how many that warm both sides up."""

    rounds: int
    each: int
    warm: int


PLANS: Final[dict[Size, Plan]] = {"full": Plan(5, 8_000, 2_000), "quick": Plan(3, 3_000, 1_000), "tiny": Plan(1, 60, 4)}


def measure(size: Size) -> Iterator[Line]:
    """SQLite, then PostgreSQL beside it."""
    yield from on_database("SQLite", size, "")
    try:
        with postgres_database() as database:
            yield from on_database("PostgreSQL", size, database)
    except OSError as problem:
        yield Line("submit, PostgreSQL", "skipped", note=f"no PostgreSQL server answers: {problem}")


def on_database(name: str, size: Size, database: str) -> Iterator[Line]:
    """Rate and latencies on one database."""
    plan = PLANS[size]
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as temporary:
        folder, beside = Path(temporary) / "data", Path(temporary) / "floor"
        beside.mkdir()
        made = initialise(folder, database=database)
        before = recorded(folder, database)
        with serving(folder) as ours, floor_serving(beside) as floor:
            account = open_account(ours, made["api_key"])
            samples = submissions(account, plan.warm + plan.rounds * plan.each, seed=1)
            rounds = take_turns(ours, floor, made["api_key"], samples, plan)
        check_all(recorded(folder, database) - before, samples)
        check_record(folder, made["ledger_key"], recorded(folder, database)["entries"])
    yield from lines(name, rounds, judged=size == "full" and not database)


def take_turns(
    ours: Running, floor: Running, key: str, samples: list[Sample], plan: Plan
) -> list[tuple[Figures, Figures]]:
    """(ours, floor) of each round; who begins changes from round to round."""
    bodies = [sample.body for sample in samples]
    for each in (ours, floor):
        each.load(bodies[: plan.warm], CONNECTIONS, key)
    rounds = []
    for number in range(plan.rounds):
        part = bodies[plan.warm + number * plan.each :][: plan.each]
        order = (ours, floor) if number % 2 else (floor, ours)
        found = {id(each): each.load(part, CONNECTIONS, key) for each in order}
        rounds.append((found[id(ours)], found[id(floor)]))
    return rounds


def check_all(found: Counter[str], samples: list[Sample]) -> None:
    """One entry for the account and one for each submission, each with the status that its text asks for."""
    expected = Counter(sample.status for sample in samples) + Counter(entries=len(samples) + 1)
    check(found == expected, f"The record has {dict(found)} more than before, answered were {dict(expected)}.")


def lines(name: str, rounds: list[tuple[Figures, Figures]], *, judged: bool) -> Iterator[Line]:
    """What the rounds come to."""
    ratio = median([ours.rate / floor.rate for ours, floor in rounds])
    spread = ", ".join(f"{ours.rate / floor.rate:.2f}" for ours, floor in rounds)
    yield Line(
        f"submit, {name}, {CONNECTIONS} connections",
        per_second(median([ours.rate for ours, _ in rounds])),
        floor=per_second(median([floor.rate for _, floor in rounds])),
        ratio=ratio,
        budget=f">= {RATIO} of the floor" if judged else "",
        met=ratio >= RATIO if judged else None,
        note=f"ratio of each round: {spread}",
    )
    p99 = median([ours.p99 for ours, _ in rounds])
    yield Line(
        f"submit, {name}, p50",
        ms(median([ours.p50 for ours, _ in rounds])),
        floor=ms(median([floor.p50 for _, floor in rounds])),
    )
    yield Line(
        f"submit, {name}, p99",
        ms(p99),
        floor=ms(median([floor.p99 for _, floor in rounds])),
        budget=f"< {ms(P99_S)}" if judged else "",
        met=p99 < P99_S if judged else None,
    )


BENCHMARK: Final = Benchmark(f"durable submissions over HTTP, {CONNECTIONS} connections, against the floor", measure)

"""How many lines a second does `placet screen` answer, with one worker and with two, and in how much memory?

The floor does in one process what cannot be spared: it screens and judges items that lie ready, in blocks of the same
size, with neither JSON nor files around them. The command is the real one, with the community pack, from file to file;
its own summary gives the rate, so that the loading of packs counts on neither side. All answers are compared: one
worker's with two workers', byte for byte, and the outcome of each line with the floor's.

For memory, two streams, one eight times as long as the other, go through a pipe; what the largest process of the
command has ever held must be the same.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final, NamedTuple

import msgspec

from bench.content import HELD_EVERY, SOLICITING, text_of
from bench.report import Benchmark, Line, Size, check, median, per_second
from bench.server import memory_of
from placet.model import Item
from placet.policy import AccountFacts, Policy
from placet.screening import screen_batch
from placet.service import now
from placet.settings import load
from placet.shelf import load_policy

BLOCK: Final = 580
"""Lines in a block of the command, about."""
WORKERS: Final = (1, 2)
GROWTH: Final = 1.1
TIMES: Final = 8
LONG: Final = 10
"""So many times a text of 60 characters is a long one, as posts rather than comments are."""
MB: Final = 1_000_000


class Plan(NamedTuple):
    """Lines that are timed, how often, and the bytes of the longer stream."""

    lines: int
    rounds: int
    stream: int


PLANS: Final[dict[Size, Plan]] = {
    "full": Plan(200_000, 3, 400 * MB),
    "quick": Plan(40_000, 3, 40 * MB),
    "tiny": Plan(1_500, 1, 2 * MB),
}


def measure(size: Size) -> Iterator[Line]:
    plan = PLANS[size]
    texts = list(some_texts(plan.lines))
    policy = load_policy(load({}, {}).packs)
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as temporary:
        folder = Path(temporary)
        given = folder / "items.jsonl"
        given.write_bytes(b"".join(line_of(place, text) for place, text in enumerate(texts)))
        yield from rates(texts, policy, given, plan.rounds)
    yield memory(plan.stream, judged=size == "full")


def some_texts(count: int) -> Iterator[str]:
    """Texts of about 60 characters; one in twenty is held by the community pack."""
    rng = random.Random(19)
    for number in range(count):
        yield f"{text_of(rng)} {SOLICITING}" if number % HELD_EVERY == HELD_EVERY - 1 else text_of(rng)


def line_of(place: int, text: str) -> bytes:
    return msgspec.json.encode({"id": place, "text": text}) + b"\n"


# --- speed -------------------------------------------------------------------------------------------------------


def rates(texts: Sequence[str], policy: Policy, given: Path, rounds: int) -> Iterator[Line]:
    """One line for each number of workers; the ways take turns, and the median ratio counts."""
    floors: list[float] = []
    ratios: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    for _ in range(rounds):
        floor, outcomes = bare(texts, policy)
        floors.append(floor)
        answers = {workers: answered(given, workers) for workers in WORKERS}
        for workers, (rate, data) in answers.items():
            ratios[workers].append(rate / floor)
            check(data == answers[1][1], f"{workers} workers and one give other answers.")
        check_answers(answers[1][1], outcomes)
    for workers in WORKERS:
        ratio = median(ratios[workers])
        yield Line(
            f"placet screen, {workers} worker{'s' if workers > 1 else ''}, {len(texts):,} lines",
            per_second(ratio * median(floors), "lines"),
            floor=per_second(median(floors), "items"),
            ratio=ratio,
            note=f"on {len(os.sched_getaffinity(0))} cores" if workers > 1 else "",
        )


def bare(texts: Sequence[str], policy: Policy) -> tuple[float, list[str]]:
    """Items a second where nothing but screening and judging is done, and the outcomes."""
    items = [Item(body=text) for text in texts]
    nobody, at = AccountFacts(), now()
    lexicon = policy.lexicon_at(at)
    outcomes: list[str] = []
    started = time.perf_counter()
    for first in range(0, len(items), BLOCK):
        block = items[first : first + BLOCK]
        for item, found in zip(block, screen_batch(block, lexicon), strict=True):
            outcomes.append(policy.evaluate(policy.facts(item, nobody, at), found, "").outcome)
    return len(items) / (time.perf_counter() - started), outcomes


def answered(given: Path, workers: int) -> tuple[float, bytes]:
    """Lines a second of the command, as it says itself, and its answers."""
    out, summary = given.with_name("answers.jsonl"), given.with_name("summary.json")
    out.unlink(missing_ok=True)
    done = subprocess.run(
        command(str(given), "--workers", str(workers), "--out", str(out), "--summary", str(summary)),
        capture_output=True,
        check=False,
        env=environment(),
    )
    check(done.returncode == 0, f"placet screen ended with {done.returncode}: {done.stderr.decode()[-300:]}")
    return json.loads(summary.read_bytes())["lines_per_second"], out.read_bytes()


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "placet", "screen", *arguments]


def environment() -> dict[str, str]:
    """Without settings that would reach into the measurement."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PLACET_")}


def check_answers(data: bytes, outcomes: Sequence[str]) -> None:
    answers = data.splitlines()
    check(len(answers) == len(outcomes), f"{len(outcomes)} lines were answered with {len(answers)}.")
    for place, (line, outcome) in enumerate(zip(answers, outcomes, strict=True)):
        answer = json.loads(line)
        right = (answer["line"], answer["id"], answer["outcome"]) == (place + 1, place, outcome)
        wanted = "hold" if place % HELD_EVERY == HELD_EVERY - 1 else "approve"
        check(right and outcome == wanted, f"Line {place + 1} was answered {line[:200]!r}, and should be {wanted}.")


# --- memory ------------------------------------------------------------------------------------------------------


def memory(size: int, *, judged: bool) -> Line:
    """What the largest process holds at most while a stream goes through, and while one of an eighth does."""
    small, large = (peak(size // TIMES), peak(size))
    growth = large / small
    return Line(
        f"memory at most, stream of {size // MB:,} MB, 2 workers",
        f"{large / MB:,.0f} MB",
        floor=f"{small / MB:,.0f} MB",
        ratio=growth,
        budget=f"<= {GROWTH} of a stream of {size // TIMES // MB:,} MB" if judged else "",
        met=growth <= GROWTH if judged else None,
    )


def peak(size: int) -> int:
    """Bytes that the largest process of the command held at most, over a stream of this many bytes."""
    rng = random.Random(23)
    lines = [line_of(place, " ".join(text_of(rng) for _ in range(LONG))) for place in range(1_000)]
    sent = max(1, size // sum(map(len, lines)))
    with subprocess.Popen(
        command("-", "--workers", "2", "--quiet"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        feeder = threading.Thread(target=feed, args=(running.stdin, lines, sent))
        feeder.start()
        count = most = 0
        for chunk in chunks(running.stdout):
            count += chunk.count(b"\n")
            most = max(most, *map(held_at_most, family(running.pid)))
        feeder.join()
    check(running.returncode == 0, f"placet screen ended with {running.returncode}.")
    check(count == sent * len(lines), f"{sent * len(lines):,} lines were answered with {count:,}.")
    check(most > 0, "The memory of placet screen was never seen.")
    return most


def family(pid: int) -> list[int]:
    """A process and those that it has started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    except OSError:  # it has ended
        return [pid]
    return [pid, *map(int, children.split())]


def held_at_most(pid: int) -> int:
    """Bytes that a process has held at most so far, 0 once it has ended.

    What `wait4` tells counts the process that it was forked from as well, here the benchmark itself.
    """
    try:
        return memory_of(pid, "VmHWM")
    except OSError:
        return 0


def feed(to: IO[bytes], lines: Sequence[bytes], times: int) -> None:
    data = b"".join(lines)
    for _ in range(times):
        to.write(data)
    to.close()


def chunks(source: IO[bytes]) -> Iterator[bytes]:
    while chunk := os.read(source.fileno(), 1 << 20):
        yield chunk


BENCHMARK: Final = Benchmark("lines a second of placet screen, and its memory, against screening alone", measure)

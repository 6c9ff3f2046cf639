"""How many recorded items a second does a backtest judge, on two cores, against pyarrow and the bare matchers?

Items of 200 characters lie in an exported Parquet file; the pack has 50,000 terms and 200 rules of a pattern and a
number. The floor reads the same row groups in two processes of the same kind, looks for the same terms and patterns on
the text as it is (daachorse and Hyperscan, one call a text), and gives back which items had any: no folding, no spans,
links or contacts, no rules, no verdicts, no files. A backtest does all of that, in a pool and on a Dask cluster of two
workers on this machine. Beside the ratio to the floor stand those to two loops that read the same row groups: one that
only screens them with Placet's own function, which no backtest can outrun, and one that also judges each item by
itself.

All are timed from their first chunk to their last, so that the loading of packs and the building of automata count on
no side. Results are compared: both ways give the same rows, and the planted items, and hardly any others, are held.
"""

import gc
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import hyperscan
import pyarrow as pa
import pyarrow.parquet as pq
from daachorse import CharwiseDoubleArrayAhoCorasick

from bench.report import Benchmark, Line, Size, check, per_second
from bench.screen_files import held_at_most
from bench.screening import filler, some_patterns, some_terms, vocabulary
from placet.backtest.items import ENTRIES, SCHEMA, Bounds, Chunk, ParquetItems, export
from placet.backtest.run import Asked, Folder, backtest
from placet.model import Item, Micros
from placet.policy import AccountFacts, Pack, Policy, load_pack
from placet.screening import screen_batch
from placet.shelf import load_named

WORKERS: Final = 2
RATIO: Final = 0.5
CHARACTERS: Final = 200
TERM_EVERY: Final = 10
PATTERN_EVERY: Final = 20
PLANTED: Final = "编号：AB-CDEFGH"
NOON: Final[Micros] = 1_780_000_000_000_000
MB: Final = 1_000_000


class Plan(NamedTuple):
    """How many items, terms and rules."""

    items: int
    terms: int
    rules: int


PLANS: Final[dict[Size, Plan]] = {
    "full": Plan(1_000_000, 50_000, 200),
    "quick": Plan(100_000, 50_000, 200),
    "tiny": Plan(20_000, 300, 20),
}


class Matter(NamedTuple):
    """What is looked for, and halves of texts without any of it."""

    terms: list[str]
    patterns: list[str]
    halves: list[str]


def measure(size: Size) -> Iterator[Line]:
    plan = PLANS[size]
    matter = some_matter(plan)
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as temporary:
        folder = Path(temporary)
        file = folder / "items.parquet"
        write_items(file, plan.items, matter)
        yield from rates(folder, file, plan, matter, judged=size == "full")


def some_matter(plan: Plan) -> Matter:
    rng = random.Random(23)
    han, words = vocabulary(rng)
    terms, patterns = some_terms(rng, han, words, plan.terms), some_patterns(rng, han, words, plan.rules - 2)
    find = CharwiseDoubleArrayAhoCorasick(terms).find
    halves = [filler(rng, han, words, CHARACTERS // 2 - 20) for _ in range(4_000)]
    return Matter(terms, patterns, [half for half in halves if not find(half.lower())])


def pack_of(matter: Matter) -> Pack:
    """The community pack's grounds with one long list, and a rule for each pattern."""
    files = {name: text for name, text in load_named("community").files.items() if name.count("/") == 0}
    rules = [rule("words", "terms('words')"), rule("planted", f"{matches('编号：[A-Z]{2}-[A-Z]{6}')} && {NUMBER}")]
    rules += [rule(f"p{n}", f"{matches(regex)} && {NUMBER}") for n, regex in enumerate(matter.patterns)]
    title = '{ en = "Words", zh-Hant = "詞", zh-Hans = "词" }'
    terms = ", ".join(f'"{term}"' for term in matter.terms)
    words = f'name = "words"\nlabel = "words"\ntitle = {title}\nterms = [{terms}]\n'
    return load_pack({**files, "rules.toml": "\n".join(rules), "lists/words.toml": words}).require()


NUMBER: Final = "account.rights.size() < 3"


def matches(regex: str) -> str:
    return f"item.text.matches(r'{regex}')"


def rule(name: str, when: str) -> str:
    return (
        f"[[rule]]\nid = \"{name}\"\non = [\"publication\"]\nwhen = '''{when}'''\nthen = \"hold\"\n"
        'ground = "community.fraud"\nfrom = 2020-01-01\n'
    )


# --- the items ---------------------------------------------------------------------------------------------------


def texts(count: int, matter: Matter) -> Iterator[str]:
    """One in ten with a term, one in twenty with what the planted pattern looks for."""
    rng = random.Random(29)
    for number in range(count):
        first, second = rng.choices(matter.halves, k=2)
        planted = f" {rng.choice(matter.terms)} " if number % TERM_EVERY == 0 else "，"
        more = f"，{PLANTED} " if number % PATTERN_EVERY == 5 else "，"
        yield f"{first}{planted}{second}{more}".ljust(CHARACTERS)[:CHARACTERS]


def is_planted(number: int) -> bool:
    return number % TERM_EVERY == 0 or number % PATTERN_EVERY == 5


def write_items(file: Path, count: int, matter: Matter) -> None:
    """A file as `placet backtest --export` writes it, of items that were approved."""
    made = texts(count, matter)

    class Made:
        name, size, chunks, bounds = "bench", count, -(-count // ENTRIES), Bounds()

        def chunk(self, number: int) -> Chunk:
            first = number * ENTRIES
            rows = [row_of(first + place, text) for place, text in enumerate(islice(made, ENTRIES))]
            return Chunk(pa.RecordBatch.from_pylist(rows, SCHEMA))

        def limited(self, bounds: Bounds, most: int = 0) -> Bounds:
            raise NotImplementedError

        def close(self) -> None:
            raise NotImplementedError

    export(Made(), Bounds(), file, lambda _, __: None)


def row_of(number: int, text: str) -> dict[str, Any]:
    empty = dict.fromkeys(("title", "source", "media", "territory", "findings", "lists", "decision"), "")
    return empty | {
        "seq": number,
        "publication": f"pub_{number:026}",
        "version": 1,
        "revision": f"{number:064x}",
        "at": NOON + number,
        "body": text,
        "format": "text",
        "category": "general",
        "origin": "original",
        "account": f"acc_{number % 1_000:026}",
        "account_class": "individual",
        "rights": [],
        "agreement": "2026-01",
        "outcome": "approve",
        "rules": [],
        "decided_at": 0,
        "facts": f'{{"account":{{"rights":[]}},"act":{{"at":{NOON + number}}}}}',
    }


# --- the floor ---------------------------------------------------------------------------------------------------

_find: Callable[[str], Sequence[Any]]
_scan: Callable[..., Any]
_policy: Policy


def begin_bare(terms: list[str], patterns: list[str]) -> None:
    """The matchers of one process."""
    global _find, _scan  # noqa: PLW0603 - a process of the pool has one set of matchers
    _find = CharwiseDoubleArrayAhoCorasick(terms).find
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    flags = hyperscan.HS_FLAG_UTF8 | hyperscan.HS_FLAG_SINGLEMATCH
    count = len(patterns)
    database.compile(
        expressions=[each.encode() for each in patterns],
        ids=list(range(count)),
        elements=count,
        flags=[flags] * count,
    )
    _scan = database.scan


def bodies_of(file: str, group: int) -> list[str]:
    with pq.ParquetFile(file) as opened:
        bodies: list[str] = opened.read_row_group(group, ["body"]).column("body").to_pylist()
        return bodies


def bare(file: str, group: int) -> list[bool]:
    """Read a row group, and say of each text whether anything is in it."""
    found: list[int] = []

    def collect(index: int, _start: int, _end: int, _flags: int, _context: object) -> None:
        found.append(index)

    out = []
    for text in bodies_of(file, group):
        hits = _find(text)
        _scan(text.encode(), collect)
        out.append(bool(hits or found))
        found.clear()
    return out


def bare_rate(file: Path, groups: int, matter: Matter) -> tuple[float, int]:
    """Items a second, and how many had something in them."""
    patterns = [r"编号：[A-Z]{2}-[A-Z]{6}", *matter.patterns]
    with ProcessPoolExecutor(WORKERS, get_context("spawn"), begin_bare, (matter.terms, patterns)) as pool:
        return rate_of(pool, bare, file, groups)


def plain_rate(work: Callable[[str, int], list[bool]], file: Path, groups: int, pack: Pack) -> tuple[float, int]:
    """The same of Placet's own functions: how many had something in them, or were held."""
    with ProcessPoolExecutor(WORKERS, get_context("spawn"), begin_plain, (dict(pack.files),)) as pool:
        return rate_of(pool, work, file, groups)


def rate_of(
    pool: ProcessPoolExecutor, work: Callable[[str, int], list[bool]], file: Path, groups: int
) -> tuple[float, int]:
    watch, hits, items = Watch(), 0, 0
    waiting = [pool.submit(work, str(file), group) for group in range(groups)]
    for done, future in enumerate(as_completed(waiting), 1):
        result = future.result()
        hits += sum(result)
        items += len(result)
        watch(done, groups)
    return watch.rate(items), hits


def begin_plain(files: dict[str, str]) -> None:
    global _policy  # noqa: PLW0603 - a process of the pool has one policy
    _policy = Policy([load_pack(files).require()])
    gc.collect()
    gc.freeze()


def screened(file: str, group: int) -> list[bool]:
    """Read a row group and screen it."""
    items = [Item(body=body) for body in bodies_of(file, group)]
    return list(map(bool, screen_batch(items, _policy.lexicon)))


def plain(file: str, group: int) -> list[bool]:
    """Read a row group, screen and judge it."""
    items = [Item(body=body) for body in bodies_of(file, group)]
    found = screen_batch(items, _policy.lexicon)
    account = AccountFacts()
    return [
        _policy.evaluate(_policy.facts(item, account, NOON), findings, "").outcome == "hold"
        for item, findings in zip(items, found, strict=True)
    ]


class Watch:
    """Told of chunks that are done: the rate from the first of them to the last."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._last = (0.0, 0)
        self._total = 0

    def __call__(self, done: int, total: int) -> None:
        if done:
            self._last, self._total = (time.perf_counter(), done), total
            self._first = self._first or self._last

    def rate(self, items: int) -> float:
        """Items a second, of so many in all chunks."""
        assert self._first is not None
        (began, before), (ended, after) = self._first, self._last
        return items * (after - before) / self._total / max(ended - began, 1e-9)


# --- backtests ---------------------------------------------------------------------------------------------------


def rates(folder: Path, file: Path, plan: Plan, matter: Matter, *, judged: bool) -> Iterator[Line]:
    groups = pq.ParquetFile(file).metadata.num_row_groups
    floor, hits = bare_rate(file, groups, matter)
    planted = sum(map(is_planted, range(plan.items)))
    check(planted <= hits <= planted * 1.2, f"The bare matchers found {hits} of {planted} planted items.")
    pack, results = pack_of(matter), []
    alone, hits = plain_rate(screened, file, groups, pack)
    check(planted <= hits <= planted * 1.2, f"Screening alone found {hits} of {planted} planted items.")
    yield Line(f"a loop of screen_batch alone, {WORKERS} workers", per_second(alone, "items"), ratio=alone / floor)
    loop, held = plain_rate(plain, file, groups, pack)
    check(planted <= held <= planted * 1.2, f"The plain loop held {held} of {planted} planted items.")
    yield Line(f"a loop of screen_batch and evaluate, {WORKERS} workers", per_second(loop, "items"), ratio=loop / floor)
    for name, cluster in (("in a pool", pool), ("on Dask", dask)):
        if cluster is dask and find_spec("distributed") is None:
            yield Line("the same on Dask", "not measured", note="pip install 'placet[backtest-dask]'.")
            continue
        with cluster() as address, Memory() as memory:
            rate, rows = backtested(folder / name.replace(" ", "-"), file, pack, address, plan)
        results.append(rows)
        ratio = rate / floor
        yield Line(
            f"backtest {name}, {WORKERS} workers, {plan.items:,} items",
            per_second(rate, "items"),
            floor=per_second(floor, "items"),
            ratio=ratio,
            budget=f">= {RATIO} of the floor" if judged else "",
            met=ratio >= RATIO if judged else None,
            note=f"{rate / alone:.2f} of screen_batch alone, {rate / loop:.2f} of the loop that judges; {memory}",
        )
    check(all(each == results[0] for each in results), "A pool and a Dask cluster give other results.")
    held = sum(outcome == "hold" for outcome, _ in results[0])
    check(planted <= held <= planted * 1.2, f"Of {planted} planted items {held} were held.")
    check(all(results[0][number][0] == "hold" for number in range(0, plan.items, TERM_EVERY)), "A term was missed.")


@contextmanager
def pool() -> Iterator[str]:
    yield ""


@contextmanager
def dask() -> Iterator[str]:
    distributed: Any = import_module("distributed")
    with distributed.LocalCluster(
        n_workers=WORKERS, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


def backtested(
    out: Path, file: Path, pack: Pack, cluster: str, plan: Plan
) -> tuple[float, list[tuple[str, tuple[str, ...]]]]:
    """Items a second, and outcome and rules of each item."""

    watch = Watch()
    asked = Asked(workers=WORKERS, cluster=cluster)
    report = backtest(Policy([pack]), lambda bounds, _: ParquetItems(file, bounds), asked, out, watch)
    check(report.items == plan.items and not report.troubled, f"{report.items:,} of {plan.items:,} items were judged.")
    rows: list[tuple[str, tuple[str, ...]]] = []
    for number in range(-(-plan.items // ENTRIES)):
        table, _ = Folder(out).results(number)
        rules = map(tuple, table.column("rules").to_pylist())
        rows += zip(table.column("now").to_pylist(), rules, strict=True)
    return watch.rate(plan.items), rows


class Memory:
    """What this process and those that it has started hold at most while it is entered."""

    def __init__(self) -> None:
        self.largest = self.together = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def __str__(self) -> str:
        return f"memory at most: {self.largest / MB:,.0f} MB in one process, {self.together / MB:,.0f} MB in all"

    def _watch(self) -> None:
        while not self._ended.wait(0.25):
            held = [held_at_most(pid) for pid in family()]
            self.largest, self.together = max(self.largest, *held), max(self.together, sum(held))


def family() -> list[int]:
    """This process and those that any of its threads has started."""
    children = Path("/proc/self/task").glob("*/children")
    return [os.getpid(), *(int(pid) for each in children for pid in each.read_text("ascii").split())]


BENCHMARK: Final = Benchmark("recorded items a second, against pyarrow and the bare matchers", measure)

"""What a worker does with a batch, and where it is done: in this process, in a pool of them, or on a Dask cluster.

A worker loads the packs once, from their texts, and keeps them. The pool's processes are spawned, so that they share
nothing with the command; they give way to whatever else the machine has to do, and end when the command does.
"""

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from importlib import import_module
from multiprocessing import connection, get_context, parent_process
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

import msgspec
import pyarrow as pa

from placet.automata import FolderKeep, default_folder
from placet.backtest.costs import Costs, Stopwatch, judge_timed
from placet.backtest.judge import Judge
from placet.errors import PlacetError, SettingsError
from placet.model import Micros
from placet.policy import Pack, load_pack
from placet.screening.kept import keep_in

P = ParamSpec("P")
T = TypeVar("T")

NICE: Final = 10
"""By so much a worker is less urgent than a server on the same machine."""
_MOST_KEPT: Final = 2


class Brief(NamedTuple):
    """What a worker must know before it is given batches: the packs' texts and the instant, packed as bytes."""

    packed: bytes
    digest: str

    @classmethod
    def of(cls, packs: Sequence[Pack], at: Micros) -> "Brief":
        """Pack them."""
        packed = msgspec.msgpack.encode(([dict(pack.files) for pack in packs], at))
        return cls(packed, sha256(packed).hexdigest())

    def judge(self) -> Judge:
        """Unpack them."""
        files, at = msgspec.msgpack.decode(self.packed, type=tuple[list[dict[str, str]], int])
        return Judge([load_pack(each).require() for each in files], at)


class Judged(NamedTuple):
    """What has come of a batch: judge.RESULTS, and what it took."""

    results: pa.RecordBatch
    costs: Costs


_ready: Final[dict[str, tuple[Judge, Stopwatch]]] = {}
_getting_ready: Final = threading.Lock()


def work(batch: pa.RecordBatch, brief: Brief) -> Judged:
    """Judge a batch: the one function that all workers run."""
    with _getting_ready:
        if brief.digest not in _ready:
            made = brief.judge()
            while len(_ready) >= _MOST_KEPT:
                del _ready[next(iter(_ready))]
            _ready[brief.digest] = made, Stopwatch(made.policy)
            gc.collect()
            gc.freeze()  # packs and automata stay: to look through them again and again costs more than the judging
        by, watch = _ready[brief.digest]
    with _without_collection():
        return Judged(*judge_timed(batch, by, watch))


@contextmanager
def _without_collection() -> Iterator[None]:
    """A batch makes many objects that all live as long as it does: to look for rubbish among them finds none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def workers(brief: Brief, count: int, cluster: str = "") -> Iterator["Crew"]:
    """Those who judge: on the cluster at that address, in `count` processes, or, with 1, in this one."""
    if cluster:
        with _on_cluster(cluster, brief) as crew:
            yield crew
    elif count == 1:
        yield Crew(_Here(), lambda batch: (work, batch, brief), 1)
    else:
        pool = ProcessPoolExecutor(count, get_context("spawn"), _begin, (brief,))
        try:
            yield Crew(pool, lambda batch: (_work_here, batch), 2 * count)
        finally:
            pool.shutdown(cancel_futures=True)


class Crew(NamedTuple):
    """Workers, how a batch is put to them, and how many batches they should have at a time."""

    executor: Executor
    task: Callable[[pa.RecordBatch], tuple[Any, ...]]
    ahead: int

    def give(self, batch: pa.RecordBatch) -> "Future[Judged]":
        """Have a batch judged."""
        return self.executor.submit(*self.task(batch))


class _Here(Executor):
    """Does what it is given at once."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


# --- a pool of processes -----------------------------------------------------------------------------------------

_own: Brief | None = None


def _begin(brief: Brief) -> None:
    """The beginning of a process of the pool."""
    global _own  # noqa: PLW0603 - a process of the pool has one brief all its life
    _own = brief
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it goes to every process of a terminal, and is for the command
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(OSError):
        os.nice(NICE)
    if (folder := default_folder()) is not None:
        keep_in(FolderKeep(folder))


def _end_with_parent() -> None:
    """The pool's processes hold both ends of its pipes, and so would not notice that a killed parent is gone."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _work_here(batch: pa.RecordBatch) -> Judged:
    assert _own is not None
    return work(batch, _own)


# --- a cluster ---------------------------------------------------------------------------------------------------


@contextmanager
def _on_cluster(address: str, brief: Brief) -> Iterator[Crew]:
    try:
        distributed: Any = import_module("distributed")  # an extra that few have
    except ImportError as problem:
        what = "--cluster needs the extra backtest-dask: pip install 'placet[backtest-dask]'."
        raise SettingsError(what) from problem
    try:
        client = distributed.Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError, TypeError) as problem:
        raise SettingsError(f"No Dask scheduler answers at {address}: {problem}.") from problem
    with closing(client):
        threads: Mapping[str, int] = client.nthreads()
        if not threads:
            raise PlacetError(f"The Dask cluster at {address} has no workers: start some, and try again.")
        told = client.scatter(brief, broadcast=True, direct=False, hash=True)
        executor = client.get_executor(pure=False, retries=2)
        yield Crew(executor, lambda batch: (work, batch, told), 2 * sum(threads.values()))
        executor.shutdown(wait=False)

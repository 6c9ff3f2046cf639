"""One backtest: chunk by chunk, each result in a file of its own, and the report over all of them.

    OUT/manifest.json          which packs, which items, which version: a run goes on only under the same
    OUT/chunk-00000012.arrow   what has come of a chunk (judge.RESULTS), whole or not there at all
    OUT/report.json            the report (report.py); it is there once everything is

The results hold ids, outcomes and the names of rules: no text, and nothing of a person.
"""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa

from placet import __version__
from placet.backtest.costs import Costs
from placet.backtest.items import Bounds, Chunk, Items
from placet.backtest.report import Tally
from placet.backtest.work import Brief, Crew, Judged, workers
from placet.backtest_report import Report
from placet.errors import PlacetError, SettingsError
from placet.model import Micros, Value
from placet.policy import Policy

FORMAT: Final = "placet-backtest/1"
Progress = Callable[[int, int], None]


class Manifest(Value, frozen=True):
    """What the results in a folder rest on."""

    format: str
    placet: str
    packs: tuple[str, ...]
    """Id, version and digest of each."""
    policy: str
    at: Micros
    items: str
    """Which record or file: Items.name."""
    bounds: Bounds
    most: int
    """How many items were asked for at most; 0 for all. `bounds` has the sample that this came to."""
    size: int
    """The snapshot: Items.size."""


class _About(Value, frozen=True):
    """What a chunk's file says besides its rows."""

    erased: int
    unreadable: int
    costs: Costs


class Asked(Value, frozen=True):
    """What is asked of a backtest, besides the packs."""

    bounds: Bounds = Bounds()
    most: int = 0
    at: Micros = 0
    workers: int = 1
    cluster: str = ""


class Folder:
    """The folder of one backtest's results; one run at a time may hold it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def _manifest(self) -> Path:
        return self.path / "manifest.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder if need be, and keep other runs out. Raises SettingsError where it is not one of ours."""
        if self.path.exists() and not self.path.is_dir():
            raise SettingsError(f"{self.path} is a file: name a folder for the results.")
        if not self.path.parent.is_dir():
            raise SettingsError(f"{self.path} cannot be made: there is no folder {self.path.parent}.")
        if self.path.is_dir() and not self._manifest.exists() and any(self._strangers()):
            raise SettingsError(f"{self.path} holds something else than a backtest: name a new folder.")
        self.path.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            os.close(handle)
            raise SettingsError(f"Another backtest is writing to {self.path}: wait for it.") from problem
        try:
            yield
        finally:
            os.close(handle)

    def _strangers(self) -> Iterator[Path]:
        return (each for each in self.path.iterdir() if each.name != "lock" and not each.name.startswith("manifest"))

    def earlier(self) -> Manifest | None:
        """What an earlier run wrote of itself."""
        if not self._manifest.exists():
            return None
        try:
            return msgspec.json.decode(self._manifest.read_bytes(), type=Manifest)
        except msgspec.MsgspecError as problem:
            raise SettingsError(f"{self._manifest} cannot be read: name a new folder.") from problem

    def begin(self, manifest: Manifest) -> None:
        """Write what the results will rest on."""
        _write(self._manifest, msgspec.json.format(msgspec.json.encode(manifest), indent=2))

    def _chunk(self, number: int) -> Path:
        return self.path / f"chunk-{number:08}.arrow"

    def has(self, number: int) -> bool:
        """Whether a chunk is done."""
        return self._chunk(number).exists()

    def put(self, number: int, chunk: Chunk, judged: Judged) -> None:
        """Write what has come of a chunk."""
        about = msgspec.json.encode(_About(chunk.erased, chunk.unreadable, judged.costs))
        results = judged.results.replace_schema_metadata({b"placet": about})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, results.schema) as writer:
            writer.write_batch(results)
        _write(self._chunk(number), sink.getvalue())

    def results(self, number: int) -> tuple[pa.Table, _About]:
        """Read what has come of a chunk."""
        with pa.OSFile(str(self._chunk(number))) as file:
            table = pa.ipc.open_file(file).read_all()
        return table, msgspec.json.decode(table.schema.metadata[b"placet"], type=_About)

    def finish(self, report: Report) -> None:
        """Write the report."""
        _write(self.path / "report.json", msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def _write(file: Path, content: Any) -> None:
    """Write a file that is whole as soon as it is there, also after a power cut."""
    unfinished = file.with_name(f"{file.name}.unfinished")
    with unfinished.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    unfinished.rename(file)


def backtest(
    policy: Policy,
    open_items: Callable[[Bounds, int | None], Items],
    asked: Asked,
    out: Path | None,
    progress: Progress = lambda _, __: None,
) -> Report:
    """Judge the items by the policy, and say what it comes to. `out` keeps the results, and takes up an earlier run.

    `open_items(bounds, size)` gives the items of a snapshot: of that size, or as large as it is now. Raises
    SettingsError for packs, items or a folder that do not go together.
    """
    if out is None:
        with tempfile.TemporaryDirectory(prefix="placet-backtest-") as temporary:
            return backtest(policy, open_items, asked, Path(temporary), progress)
    folder = Folder(out)
    with folder.held():
        earlier = folder.earlier()
        items = open_items(asked.bounds, earlier.size if earlier else None)
        try:
            manifest = _manifest(policy, items, asked, earlier)
            items.bounds = manifest.bounds
            if earlier is None:
                folder.begin(manifest)
            with workers(Brief.of(policy.packs, asked.at), asked.workers, asked.cluster) as crew:
                _carry_out(folder, items, crew, progress)
            report = _report(folder, items.chunks, policy, manifest)
        finally:
            items.close()
        folder.finish(report)
    return report


def _manifest(policy: Policy, items: Items, asked: Asked, earlier: Manifest | None) -> Manifest:
    """What this run rests on, which must be what an earlier one in the same folder rested on."""
    new = Manifest(
        FORMAT,
        __version__,
        tuple(f"{pack.id} {pack.head.version} {pack.digest}" for pack in policy.packs),
        policy.digest,
        asked.at,
        items.name,
        asked.bounds,
        asked.most,
        items.size,
    )
    if earlier is None:
        return msgspec.structs.replace(new, bounds=items.limited(asked.bounds, asked.most))
    if asked.most:
        new = msgspec.structs.replace(new, bounds=msgspec.structs.replace(asked.bounds, below=earlier.bounds.below))
    fields = [name for name in Manifest.__struct_fields__ if getattr(new, name) != getattr(earlier, name)]
    if fields:
        raise SettingsError(
            f"The folder holds a backtest of something else: {', '.join(fields)} differ. "
            "Name a new folder with --out, or delete this one."
        )
    return earlier


def _carry_out(folder: Folder, items: Items, crew: Crew, progress: Progress) -> None:
    """Have every chunk judged that is not done yet. Only so many are read ahead as the crew should have."""
    todo = [number for number in range(items.chunks) if not folder.has(number)]
    done = items.chunks - len(todo)
    progress(done, items.chunks)
    waiting: dict[Future[Judged], tuple[int, Chunk]] = {}
    for number in todo:
        chunk = items.chunk(number)
        waiting[_given(crew, chunk)] = number, chunk
        while len(waiting) >= crew.ahead:
            done += _collect(folder, waiting)
            progress(done, items.chunks)
    while waiting:
        done += _collect(folder, waiting)
        progress(done, items.chunks)


def _given(crew: Crew, chunk: Chunk) -> Future[Judged]:
    with _told_of_lost():
        return crew.give(chunk.batch)


def _collect(folder: Folder, waiting: dict[Future[Judged], tuple[int, Chunk]]) -> int:
    """Write what is ready; gives how many chunks."""
    ready, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in ready:
        number, chunk = waiting.pop(future)
        with _told_of_lost():
            judged = future.result()
        folder.put(number, chunk, judged)
    return len(ready)


@contextmanager
def _told_of_lost() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as problem:
        what = (
            "A process that judged items has ended, perhaps for want of memory. With --out, the same command goes on."
        )
        raise PlacetError(what) from problem


def _report(folder: Folder, chunks: int, policy: Policy, manifest: Manifest) -> Report:
    tally = Tally(policy)
    for number in range(chunks):
        table, about = folder.results(number)
        tally.add(table, about.erased, about.unreadable, about.costs)
    return tally.report(
        packs=manifest.packs,
        items=manifest.items,
        size=manifest.size,
        since=manifest.bounds.since,
        until=manifest.bounds.until,
        at=manifest.at,
    )

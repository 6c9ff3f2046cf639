"""`placet backtest` on the command line. Nothing heavy is loaded before it is known what is asked."""

import gc
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from placet.errors import SettingsError
from placet.founding import check_initialised
from placet.house import DATABASE_FILE
from placet.model import Micros
from placet.policy import Policy
from placet.settings import Settings, load
from placet.shelf import load_named

if TYPE_CHECKING:
    from placet.backtest.items import Bounds, Items

INTERRUPTED: Final = 130
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SHARE: Final = re.compile(r"0?\.\d+|\d+(?:\.\d+)?%", re.ASCII)
_COUNT: Final = re.compile(r"\d{1,12}", re.ASCII)


def backtest(
    pack: Annotated[list[str] | None, typer.Option("--pack", help="A rule pack to judge by (repeat).")] = None,
    since: Annotated[str | None, typer.Option(help="From this instant or UTC date on.")] = None,
    until: Annotated[str | None, typer.Option(help="Up to this instant or UTC date, which is left out.")] = None,
    at: Annotated[str | None, typer.Option(help="Judge all by the rules in force at this instant.")] = None,
    sample: Annotated[str | None, typer.Option(help="So many items (1000), or such a share (0.1, 10%).")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Processes that judge; without it, one for each core.")
    ] = None,
    cluster: Annotated[str, typer.Option(help="The address of a Dask scheduler, instead of --workers.")] = "",
    items: Annotated[Path | None, typer.Option(help="Read this exported file instead of a platform.")] = None,
    export: Annotated[Path | None, typer.Option(help="Only write the items to this Parquet file.")] = None,
    to: Annotated[Path | None, typer.Option("--out", help="A folder for results, so that a run can go on.")] = None,
    data: Annotated[str | None, typer.Option("--data", help="The data folder.")] = None,
    database: Annotated[str | None, typer.Option("--database", help="postgresql://… instead of SQLite.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Judge what was submitted by other packs: what they would have held, and whether people agree."""
    if find_spec("pyarrow") is None:
        raise SettingsError("placet backtest needs pyarrow: pip install 'placet[backtest]'.")
    from placet.backtest.items import Bounds  # noqa: PLC0415 - pyarrow is an extra, and large

    _check_together(pack, export, to, workers, cluster, at)
    below, most = _sample(sample)
    bounds = Bounds(*_span(since, until), **({"below": below} if below else {}))
    if items is None:
        settings = load({"data": data, "database": database})
        check_initialised(settings)
        opened = _of_platform(settings)
    else:
        opened = _of_file(items)
    _give_way()
    if export is not None:
        _export(opened, bounds, most, export, as_json=as_json)
    else:
        _backtest(pack or [], opened, bounds, most, instant(at) if at else 0, workers, cluster, to, as_json=as_json)


Open = Callable[["Bounds", int | None], "Items"]


def _backtest(
    packs: list[str],
    opened: Open,
    bounds: "Bounds",
    most: int,
    at: Micros,
    workers: int | None,
    cluster: str,
    to: Path | None,
    *,
    as_json: bool,
) -> None:
    from msgspec import to_builtins  # noqa: PLC0415 - beside the others

    from placet.backtest.run import Asked, backtest  # noqa: PLC0415 - pyarrow is an extra, and large
    from placet.backtest.shown import shown  # noqa: PLC0415 - the same

    policy = Policy([load_named(name) for name in packs])
    gc.freeze()  # packs and automata stay: no collection need look at them
    asked = Asked(bounds, most, at, workers or _cores(), cluster)
    try:
        with _bar("judging", quiet=as_json) as progress:
            report = backtest(policy, opened, asked, to, progress)
    except KeyboardInterrupt:
        way_on = f"Go on with: {shlex.join(['placet', *sys.argv[1:]])}" if to else "With --out, a run can be taken up."
        sys.stderr.write(f"placet: interrupted. {way_on}\n")
        raise typer.Exit(INTERRUPTED) from None
    text = json.dumps(to_builtins(report), ensure_ascii=False) if as_json else shown(report)
    sys.stdout.write(f"{text}\n")
    if report.troubled:
        raise typer.Exit(1)


def _export(opened: Open, bounds: "Bounds", most: int, to: Path, *, as_json: bool) -> None:
    from placet.backtest.items import export  # noqa: PLC0415 - pyarrow is an extra, and large

    items = opened(bounds, None)
    try:
        items.bounds = items.limited(bounds, most)
        with _bar("exporting", quiet=as_json) as progress:
            count = export(items, items.bounds, to, progress)
    finally:
        items.close()
    text = json.dumps({"items": count, "file": str(to)}) if as_json else f"{count:,} items written to {to}."
    sys.stdout.write(f"{text}\n")


def _of_platform(settings: Settings) -> Open:
    from placet.backtest.items import RecordItems  # noqa: PLC0415 - pyarrow is an extra, and large
    from placet.backtest.record import PostgresRecord, SqliteRecord  # noqa: PLC0415 - the same

    def opened(bounds: "Bounds", size: int | None) -> "Items":
        dsn = settings.database
        record = PostgresRecord(dsn) if dsn else SqliteRecord(settings.folder / DATABASE_FILE)
        return RecordItems(record, bounds, size)

    return opened


def _of_file(file: Path) -> Open:
    from placet.backtest.items import ParquetItems  # noqa: PLC0415 - pyarrow is an extra, and large

    return lambda bounds, _: ParquetItems(file, bounds)


# --- reading the options -----------------------------------------------------------------------------------------


def _check_together(
    pack: list[str] | None, export: Path | None, to: Path | None, workers: int | None, cluster: str, at: str | None
) -> None:
    if export is None and not pack:
        raise SettingsError("Name the packs to judge by: --pack PATH.")
    if export is not None and (pack or to or workers or cluster or at):
        raise SettingsError("--export only writes items: leave out --pack, --out, --workers, --cluster and --at.")
    if workers and cluster:
        raise SettingsError("Give --workers or --cluster, not both.")


def instant(text: str) -> Micros:
    """An RFC 3339 time, or a date, which stands for its beginning in UTC. Raises SettingsError."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError as problem:
        raise SettingsError(f"{text!r} is no time: write 2026-01-31 or 2026-01-31T09:00:00Z.") from problem
    if read.tzinfo is None:
        if len(text) > len("2026-01-31"):
            raise SettingsError(f"{text!r} names no time zone: write 2026-01-31T09:00:00Z.")
        read = read.replace(tzinfo=UTC)
    micros = (read - _EPOCH) // timedelta(microseconds=1)
    if micros <= 0:
        raise SettingsError(f"{text!r} lies before 1970, as nothing does that was submitted.")
    return micros


def _span(since: str | None, until: str | None) -> tuple[Micros, Micros]:
    first, last = instant(since) if since else 0, instant(until) if until else 1 << 62
    if first >= last:
        raise SettingsError(f"No time lies between --since {since} and --until {until}: give a later --until.")
    return first, last


def _sample(text: str | None) -> tuple[int, int]:
    """The mark below which items are taken (0: none is set), and the most items that are (0: all)."""
    if text is None:
        return 0, 0
    if _COUNT.fullmatch(text) and int(text):
        return 0, int(text)
    if _SHARE.fullmatch(text):
        share = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
        if 0 < share <= 1:
            return int(share * (1 << 63)), 0
    raise SettingsError(f"--sample {text!r} is neither a number of items (1000) nor a share (0.1, 10%).")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _give_way() -> None:
    """Be less urgent than a server on the same machine; this process ends with the command."""
    from placet.backtest.work import NICE  # noqa: PLC0415 - pyarrow is an extra, and large

    os.nice(NICE)


@contextmanager
def _bar(label: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    columns: tuple[Any, ...] = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    columns += (TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)

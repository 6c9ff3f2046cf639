"""One run of `placet screen`, from its options to its exit code."""

import gc
import os
import shlex
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from placet.events import rfc3339
from placet.screening_cli.answers import Answered, Screener
from placet.screening_cli.ends import BROKEN_PIPE, INTERRUPTED, Ended, Misuse, NobodyReads
from placet.screening_cli.lines import Lines
from placet.screening_cli.output import AnswerFile, Conditions, Output, StandardOutput
from placet.screening_cli.tally import Summary, Tally
from placet.screening_cli.workers import METHOD, Pool
from placet.service import now
from placet.settings import Settings

_REDRAW_S: Final = 0.1


class Options(NamedTuple):
    """What is asked for on the command line."""

    file: str
    """A file of JSON lines, or "-"."""
    workers: int
    """How many processes screen; with 1 it is this one."""
    out: Path | None = None
    resume: bool = False
    summary: Path | None = None
    quiet: bool = False


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def screen_file(options: Options, settings: Settings) -> int:
    """Screen every line; gives the exit code. Raises Misuse for misuse."""
    if options.resume and options.out is None:
        raise Misuse("--resume needs --out: only a file of answers can be taken up.")
    if options.summary is not None and not options.summary.parent.is_dir():
        raise Misuse(f"{options.summary} cannot be written: there is no such folder.")
    if options.summary is not None and options.summary.is_dir():
        raise Misuse(f"{options.summary} cannot be written: it is a folder.")
    with closing(Lines.open(options.file, settings.max_body_bytes)) as lines, closing(_output(options)) as output:
        run = _Run(options, settings, lines, output)
        try:
            summary = run.go()
        except NobodyReads:
            return BROKEN_PIPE
        except KeyboardInterrupt:
            run.say(f"interrupted after line {run.tally.lines}. {run.way_on()}")
            return INTERRUPTED
        except Ended as problem:
            run.say(f"{problem} {run.tally.lines} lines are answered. {run.way_on()}")
            return 1
    if not options.quiet:
        sys.stderr.write(summary.text())
    if options.summary is not None:
        try:
            options.summary.write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
        except OSError as problem:
            run.say(f"{options.summary} cannot be written: {problem.strerror}. All lines are answered.")
            return 1
    return 1 if summary.unreadable else 0


def _output(options: Options) -> Output:
    return StandardOutput() if options.out is None else AnswerFile(options.out, resume=options.resume)


class _Run:
    """What one run has at hand, and how far it is."""

    def __init__(self, options: Options, settings: Settings, lines: Lines, output: Output) -> None:
        self.tally = Tally()
        self._options = options
        self._settings = settings
        self._lines = lines
        self._output = output
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)

    def go(self) -> Summary:
        """Screen what is not answered yet, to the end."""
        screener = self._begin()
        before, started = self.tally.lines, time.monotonic()
        if before and not self._options.quiet:
            self.say(f"going on after line {before}.")
        with self._bar() as show, closing(self._answers(screener)) as answers:
            for answered in answers:
                self._output.write(answered.data)
                self.tally.add(answered.tally)
                show(self.tally.lines)
        self._output.finish()
        return Summary.of(
            self.tally,
            policy=screener.policy.digest,
            instant=rfc3339(screener.at),
            resumed_after=before,
            workers=self._options.workers,
            seconds=time.monotonic() - started,
        )

    def _begin(self) -> Screener:
        """Load the packs, and pass over what an earlier run has answered under the same conditions."""
        earlier = self._output.earlier
        screener = Screener.load(self._settings, earlier.instant if earlier else now())
        head = self._lines.begin(earlier.head_bytes if earlier else 0)
        head = head[: earlier.head_bytes] if earlier else head
        conditions = Conditions.of(self._settings, screener.policy.digest, screener.at, head)
        self.tally = self._output.begin(conditions)
        self._lines.skip(self.tally.lines)
        gc.freeze()  # packs and automata stay: no collection need look at them, nor thereby copy pages that are shared
        return screener

    def _answers(self, screener: Screener) -> Generator[Answered, None, None]:
        """The answers to all blocks, in order; from this process or from others."""
        if self._options.workers == 1:
            while block := self._lines.read():
                yield screener.answer(block)
            return
        make = (lambda: screener) if METHOD == "fork" else partial(Screener.load, self._settings, screener.at)
        with closing(Pool(make, self._options.workers)) as pool:
            yield from pool.answers(self._lines)

    @contextmanager
    def _bar(self) -> Iterator[Callable[[int], None]]:
        """What shows how many lines are answered: a bar on a terminal, unless the answers are shown on it."""
        mixed = self._options.out is None and sys.stdout.isatty()
        shown = self._console.is_terminal and not mixed and not self._options.quiet
        columns = (
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[done]:,} lines, {task.fields[rate]:,.0f}/s"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        size, began, started = self._lines.size, self.tally.lines, time.monotonic()
        # Drawn by hand, since the thread that would do it would be one too many at a fork.
        with Progress(*columns, console=self._console, disable=not shown, auto_refresh=False, transient=True) as bar:
            task = bar.add_task("", total=size, completed=self._read(size), done=began, rate=0)
            drawn = 0.0

            def show(done: int) -> None:
                nonlocal drawn
                at = time.monotonic()
                if shown and at - drawn >= _REDRAW_S:
                    rate = (done - began) / max(at - started, _REDRAW_S)
                    bar.update(task, completed=self._read(size), done=done, rate=rate, refresh=True)
                    drawn = at

            yield show

    def _read(self, size: int | None) -> int:
        return 0 if size is None else self._lines.position

    def say(self, text: str) -> None:
        """Tell the person at the terminal."""
        self._console.print(f"placet: {text}", markup=False)

    def way_on(self) -> str:
        """How the rest can be answered."""
        if self._options.out is None:
            return "With --out FILE, a run can be taken up where it ended."
        given = [each for each in sys.argv[1:] if each != "--resume"]
        return f"Go on with: {shlex.join(['placet', *given, '--resume'])}"

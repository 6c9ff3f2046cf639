"""The process that a detector lives in: `python -m placet.detectors.worker yourteam.classifier:Detector`.

It is started by the server and told what to do over its standard input. Whatever the detector prints goes to standard
error, and so into the server's log. It ends when its input ends: when the server closes it, or is no more.
"""

import asyncio
import importlib
import inspect
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Final

from placet.detectors import Detector, Text
from placet.detectors.checks import BadAnswer, check_names, seen_in_each
from placet.detectors.frames import LENGTH, Answer, Hello, framed, texts_of

_GRACE_S: Final = 5.0
"""Seconds that a detector has to finish and close once its server is gone."""


class Unloadable(Exception):
    """Why a detector cannot be made, and what to do."""


def main(path: str) -> None:
    """Load the detector, say so, and answer until the input ends."""
    for number in (signal.SIGTERM, signal.SIGINT):  # those are for the server, which then closes this process
        signal.signal(number, signal.SIG_IGN)
    asked, answers = _pipes()
    with asyncio.Runner() as runner:
        try:
            detector = load(path)
        except Unloadable as problem:
            answers.write(framed(Hello(problem=str(problem))))
            answers.flush()
            return
        answers.write(framed(Hello(detector.name, detector.version)))
        answers.flush()
        for texts in _requests(asked):
            answers.write(framed(answer(detector, texts, runner)))
            answers.flush()
        _awaited(getattr(detector, "close", lambda: None)(), runner)


def _pipes() -> tuple[BinaryIO, BinaryIO]:
    """Input and output for messages alone: what a detector prints, or reads, must not get between them."""
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return asked, answers


def _requests(asked: BinaryIO) -> Iterator[list[Text]]:
    """What is asked, until the input ends. A thread reads it, so that its end is noticed in the midst of a call."""
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        while len(head := asked.read(LENGTH.size)) == LENGTH.size:
            waiting.put(asked.read(*LENGTH.unpack(head)))
        waiting.put(b"")
        threading.Event().wait(_GRACE_S)
        os._exit(1)

    threading.Thread(target=read, daemon=True).start()
    while body := waiting.get():
        yield texts_of(body)


# --- loading -----------------------------------------------------------------------------------------------------


def load(path: str) -> Detector:
    """Make the detector at an import path, "package.module:Name". Raises Unloadable."""
    module_name, _, name = path.partition(":")
    make = _found(_imported(module_name), name)
    try:
        detector: Detector = make()
    except Exception as problem:
        raise Unloadable(f"to make it failed: {_said(problem)}.") from problem
    if wrong := check_names(getattr(detector, "name", None), getattr(detector, "version", None)):
        raise Unloadable(f"{wrong}.")
    if not callable(getattr(detector, "find", None)):
        raise Unloadable("it has no method `find`.")
    return detector


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except Exception as problem:
        missing = problem.name if isinstance(problem, ModuleNotFoundError) else None
        if missing and f"{name}.".startswith(f"{missing}."):
            raise Unloadable(
                f"there is no module {missing!r}; install it beside placet, or name its folder in PYTHONPATH "
                "(the folder that placet is started in is not searched)."
            ) from problem
        raise Unloadable(f"its module cannot be imported: {_said(problem)}.") from problem


def _found(module: Any, name: str) -> Any:
    found = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise Unloadable(f"the module {module.__name__!r} has no class or function {name!r}.")
    return found


def _said(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}".rstrip(".: ")


# --- asking ------------------------------------------------------------------------------------------------------


def answer(detector: Detector, texts: Sequence[Text], runner: asyncio.Runner) -> list[Answer]:
    """What the detector says of each text. Where a batch goes wrong, each text is asked about alone.

    So no author's text decides over another's: only the one that the detector cannot take is marked as failed.
    """
    try:
        found = seen_in_each(texts, _awaited(detector.find(texts), runner))
        return [Answer(seen) for seen in found]
    except Exception as problem:  # noqa: BLE001 - a stranger's code may raise anything
        if len(texts) > 1:
            return [each for text in texts for each in answer(detector, [text], runner)]
        failed = "bad-answer" if isinstance(problem, BadAnswer) else "raised"
        error = str(problem) if isinstance(problem, BadAnswer) else type(problem).__name__
        return [Answer(failed=failed, error=error)]


def _awaited(value: Any, runner: asyncio.Runner) -> Any:
    """The value, or what it comes to where it is to be awaited."""
    if not inspect.isawaitable(value):
        return value

    async def wait() -> Any:
        return await value

    return runner.run(wait())


if __name__ == "__main__":
    main(sys.argv[1])

"""The server's end of a detector's process: started, asked, closed, or killed.

A process and not a thread, because what hangs can then be ended, what crashes takes nothing with it, and what computes
does not hold up the event loop (docs/decisions/0017-detectors-in-processes-of-their-own.md).
"""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from placet.detectors.frames import LENGTH, MOST_BYTES, Answer, Hello, answers_of, encode, hello_of

_CLOSE_S: Final = 6.0
"""Seconds for a detector to close: a little more than its process grants itself."""


class Broken(Exception):
    """The process has ended, or said what is no message."""


class Unusable(Exception):
    """The detector could not be loaded: the reason, and what to do."""


class DetectorProcess:
    """One detector in one process, which is asked one thing at a time."""

    def __init__(self, process: Process, hello: Hello) -> None:
        self._process = process
        self.name = hello.name
        self.version = hello.version

    @classmethod
    async def start(cls, path: str, limit_s: float) -> "DetectorProcess":
        """Start the process and have it load the detector. Raises Unusable, also when that takes too long."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "placet.detectors.worker", path,
            stdin=PIPE, stdout=PIPE, env=environment(), start_new_session=True,
        )  # fmt: skip
        made = cls(process, Hello())
        try:
            async with asyncio.timeout(limit_s):
                hello = hello_of(await made._read())
        except (TimeoutError, Broken, msgspec.MsgspecError) as problem:
            await made.kill()
            slow = isinstance(problem, TimeoutError)
            raise Unusable(
                f"it was not ready within {limit_s:g} s." if slow else "its process ended at once."
            ) from None
        except BaseException:
            await made.kill()
            raise
        if hello.problem:
            await made.kill()
            raise Unusable(hello.problem)
        return cls(process, hello)

    async def ask(self, texts: Sequence[msgspec.Raw]) -> list[Answer]:
        """What the detector sees in each text (a Text in MessagePack). Raises Broken."""
        body = encode(texts)
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(LENGTH.pack(len(body)) + body)
            await stdin.drain()
            answers = answers_of(await self._read())
        except (OSError, msgspec.MsgspecError) as problem:
            raise Broken from problem
        if len(answers) != len(texts):
            raise Broken
        return answers

    async def _read(self) -> bytes:
        assert self._process.stdout is not None
        try:
            (size,) = LENGTH.unpack(await self._process.stdout.readexactly(LENGTH.size))
            if size > MOST_BYTES:
                raise Broken
            return await self._process.stdout.readexactly(size)
        except (asyncio.IncompleteReadError, OSError) as problem:
            raise Broken from problem

    async def when_ended(self, tell: Callable[[], None]) -> None:
        """Wait for the end of the process, however it comes, and tell of it."""
        await self._process.wait()
        tell()

    @property
    def ended(self) -> bool:
        """Whether the process is no more."""
        return self._process.returncode is not None

    async def close(self) -> None:
        """Let the detector close itself; kill it if it does not."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End the process at once, with whatever it has started (it leads a session of its own)."""
        if not self.ended:
            with contextlib.suppress(ProcessLookupError):  # it has ended, and is about to be reported
                os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()


def environment() -> dict[str, str]:
    """What a detector's process may know of the server's environment: all but our settings, which may hold secrets."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PLACET_")}

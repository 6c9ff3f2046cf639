"""Structured logs: one JSON object a line. Callers give ids, codes and counts; never content, never a name."""

import atexit
import logging
import sys
import threading
import time
from typing import Any, Final, TextIO

import msgspec
import structlog

_FLUSH_S: Final = 0.2

_encoder: Final = msgspec.json.Encoder(enc_hook=str)


class Lines:
    """Where log lines go: written out together, a few times a second.

    A system call for each line would cost more than the line. Warnings and worse go out at once. What a killed process
    still held is in the ledger all the same.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._held: list[str] = []
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        atexit.register(self.flush)

    def msg(self, line: str) -> None:
        """Take a line."""
        with self._lock:
            self._held.append(line)
            if self._timer is None:
                self._timer = threading.Timer(_FLUSH_S, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def urgent(self, line: str) -> None:
        """Take a line and write it out, with those before it."""
        self.msg(line)
        self.flush()

    debug = info = msg
    warning = error = critical = urgent

    def flush(self) -> None:
        """Write out what is held. A stream that is closed or cannot be written (disk full) must stop nothing else."""
        with self._lock:
            held, self._held = self._held, []
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if held:
                try:
                    self._stream.write("\n".join(held) + "\n")
                    self._stream.flush()
                except (OSError, ValueError):
                    return


def make_log(level: str, stream: TextIO | None = None) -> structlog.stdlib.BoundLogger:
    """A logger of that level ("info") on a stream, standard error by default."""
    log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        Lines(stream or sys.stderr),
        processors=[_line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
    ).bind()  # once and for all: until it is bound, structlog builds the logger anew for every line
    return log


def _line(logger: Any, level: str, event: Any) -> str:
    """The line of an event, by one processor instead of four: every entry of the record has its line."""
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(logger, level, event)
    event["level"] = level
    event["at"] = _stamp(time.time_ns())
    return _encoder.encode(event).decode()


def _stamp(nanos: int) -> str:
    """RFC 3339 in UTC, to the millisecond; cheaper than structlog's own, which formats through datetime."""
    seconds, rest = divmod(nanos, 1_000_000_000)
    return f"{_second(seconds)}.{rest // 1_000_000:03d}Z"


_last_second: tuple[int, str] = (0, "")


def _second(seconds: int) -> str:
    global _last_second  # noqa: PLW0603 - a cache of one: within a second every line has the same stamp
    if _last_second[0] != seconds:
        _last_second = (seconds, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)))
    return _last_second[1]

"""Where answers go: standard output, or a file of which an unfinished run can be taken up again.

Until all answers are in FILE, FILE.unfinished lies beside it and says under which conditions they come about. A run may
only be taken up where these are still the same, so that FILE ends up byte for byte as if nothing had happened. How far
the run got is noted nowhere else than in FILE: the whole lines in it say so, whenever and however it was stopped.
"""

import fcntl
import hashlib
import io
import os
import select
import stat
from pathlib import Path
from typing import Final, Protocol

import msgspec

from placet import __version__
from placet.model import Micros
from placet.screening_cli.ends import Ended, Misuse, NobodyReads
from placet.screening_cli.tally import Tally
from placet.settings import Settings

_STDOUT: Final = 1


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What answers depend on, beside the line itself; and the beginning of the input, to know it again."""

    placet: str
    policy: str
    max_text_chars: int
    max_body_bytes: int
    instant: Micros
    head_bytes: int
    head_sha256: str

    @classmethod
    def of(cls, settings: Settings, policy: str, at: Micros, head: bytes) -> "Conditions":
        """The conditions of a run that begins now."""
        return cls(
            placet=__version__,
            policy=policy,
            max_text_chars=settings.max_text_chars,
            max_body_bytes=settings.max_body_bytes,
            instant=at,
            head_bytes=len(head),
            head_sha256=hashlib.sha256(head).hexdigest(),
        )

    def difference(self, now: "Conditions") -> str:
        """What is not as it was, in a few words; empty where all is."""
        if self.placet != now.placet:
            return f"it was begun by Placet {self.placet}, and this is {now.placet}"
        if self.policy != now.policy:
            return f"the rule packs are not the same: then {self.policy}, now {now.policy}"
        if (self.max_text_chars, self.max_body_bytes) != (now.max_text_chars, now.max_body_bytes):
            return "the limits `max_text_chars` and `max_body_bytes` are not the same"
        if (self.head_bytes, self.head_sha256) != (now.head_bytes, now.head_sha256):
            return "the input begins differently"
        return ""


class Output(Protocol):
    """What answers can be written to."""

    @property
    def earlier(self) -> Conditions | None:
        """The conditions of the run that is taken up; None where one begins."""

    def begin(self, conditions: Conditions) -> Tally:
        """Be ready to write what comes about under these conditions. Gives what was counted before.

        Raises Misuse where the earlier run cannot be taken up.
        """

    def write(self, data: bytes) -> None:
        """Write whole lines. Raises Ended where that fails."""

    def finish(self) -> None:
        """All answers are written."""

    def close(self) -> None:
        """Let go of it, finished or not."""


def _write(raw: io.FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        written = raw.write(left)
        if written is None:  # full, and somebody made it non-blocking
            select.select([], [raw], [])
        else:
            left = left[written:]


class StandardOutput:
    """Answers for whoever reads them. Nothing is kept back: what is written has left the process."""

    earlier = None

    def __init__(self) -> None:
        self._raw = io.FileIO(_STDOUT, "w", closefd=False)

    def begin(self, _: Conditions) -> Tally:
        """Nothing was counted before."""
        return Tally()

    def write(self, data: bytes) -> None:
        """Write whole lines. Raises NobodyReads where the reader is gone, and Ended where writing fails otherwise."""
        try:
            _write(self._raw, data)
        except BrokenPipeError as problem:
            raise NobodyReads from problem
        except OSError as problem:
            raise Ended(f"Standard output cannot be written: {problem.strerror}.") from problem

    def finish(self) -> None:
        """Do nothing more: all has been written."""

    def close(self) -> None:
        """Leave it open, as it was found."""


class _Counted(msgspec.Struct, frozen=True):
    """What is counted of a finding."""

    list: str
    view: str


class _Code(msgspec.Struct, frozen=True):
    code: str


class _Written(msgspec.Struct, frozen=True):
    """An answer that an earlier run has written, as far as it is counted."""

    line: int
    outcome: str = ""
    findings: list[_Counted] = []
    error: _Code | None = None


_written: Final = msgspec.json.Decoder(_Written)


class AnswerFile:
    """A file of answers."""

    def __init__(self, path: Path, *, resume: bool) -> None:
        """Open it, for this process alone. Raises Misuse where it may not be written to."""
        self.path = path
        self._beside = Path(f"{path}.unfinished")
        try:
            self._raw = io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+")
        except OSError as problem:
            raise Misuse(f"{path} cannot be written: {problem.strerror}.") from problem
        self._claim()
        self.earlier = self._unfinished(resume=resume)

    def _claim(self) -> None:
        if not stat.S_ISREG(os.fstat(self._raw.fileno()).st_mode):
            raise Misuse(f"{self.path} is not a file: without --out, answers go to standard output.")
        try:
            fcntl.lockf(self._raw, fcntl.LOCK_EX | fcntl.LOCK_NB)  # unlike flock, not handed down to workers
        except BlockingIOError as problem:
            raise Misuse(f"{self.path} is being written by another run.") from problem

    def _unfinished(self, *, resume: bool) -> Conditions | None:
        if not os.fstat(self._raw.fileno()).st_size:
            return None
        known = self._beside.exists()
        if not resume:
            way_out = "go on with --resume, or remove it" if known else "remove it, or choose another"
            raise Misuse(f"{self.path} holds {'an unfinished run' if known else 'something'}: {way_out}.")
        if not known:
            raise Misuse(f"{self.path} cannot be taken up: there is no {self._beside.name}, so it is finished.")
        try:
            return msgspec.json.decode(self._beside.read_bytes(), type=Conditions)
        except msgspec.MsgspecError as problem:
            raise Misuse(f"{self._beside} cannot be read: {problem}.") from problem
        except OSError as problem:
            raise Misuse(f"{self._beside} cannot be read: {problem.strerror}.") from problem

    def begin(self, conditions: Conditions) -> Tally:
        """Note the conditions, or hold them against the earlier ones and count what is there already."""
        if self.earlier is None:
            self._note(conditions)
            return Tally()
        if difference := self.earlier.difference(conditions):
            raise Misuse(f"{self.path} cannot be taken up: {difference}.")
        return self._recount()

    def _note(self, conditions: Conditions) -> None:
        try:
            with self._beside.open("wb") as file:
                file.write(msgspec.json.encode(conditions))
                file.flush()
                os.fsync(file.fileno())
        except OSError as problem:
            raise Misuse(f"{self._beside} cannot be written: {problem.strerror}.") from problem

    def _recount(self) -> Tally:
        """Count the whole lines of answers; what comes after them, such as half a line, is cut off."""
        tally, end = Tally(), 0
        self._raw.seek(0)
        reader = io.BufferedReader(self._raw, 1 << 20)
        for line in reader:
            if not line.endswith(b"\n") or not _counted(line, tally):
                break
            end += len(line)
        reader.detach()
        self._raw.truncate(end)
        self._raw.seek(end)
        return tally

    def write(self, data: bytes) -> None:
        """Write whole lines. Raises Ended where that fails, as on a full disk."""
        try:
            _write(self._raw, data)
        except OSError as problem:
            raise Ended(f"{self.path} cannot be written: {problem.strerror}.") from problem

    def finish(self) -> None:
        """See to it that the answers last; then nothing is unfinished any more."""
        try:
            os.fsync(self._raw.fileno())
        except OSError as problem:
            raise Ended(f"{self.path} cannot be written: {problem.strerror}.") from problem
        try:
            self._beside.unlink(missing_ok=True)
        except OSError as problem:
            raise Ended(f"{self._beside} cannot be removed: {problem.strerror}.") from problem

    def close(self) -> None:
        """Let go of the file; the run can be taken up if it is not finished."""
        self._raw.close()


def _counted(line: bytes, tally: Tally) -> bool:
    """Count an answer, if it is the next one."""
    try:
        answer = _written.decode(line)
    except msgspec.MsgspecError:
        return False
    if answer.line != tally.lines + 1:
        return False
    if answer.error is not None:
        tally.count_mistake(answer.error.code)
    else:
        tally.count(answer.outcome, answer.findings)
    return True

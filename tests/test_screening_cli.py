"""`placet screen` as it is run: order, bad lines, bounded memory, and every way in which a run may end too early."""

import errno
import gzip
import inspect
import json
import os
import pty
import random
import re
import resource
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packs import FILES, rule, steady
from platforms import WAIT_S, Doc, environment, until

from placet.policy import Policy
from placet.screening_cli import Options, screen_file
from placet.screening_cli.answers import Answered, Screener
from placet.screening_cli.ends import BROKEN_PIPE, INTERRUPTED, Ended, Misuse
from placet.screening_cli.lines import PIECE, Block, Lines
from placet.screening_cli.workers import Method, Pool
from placet.settings import load
from placet.shelf import load_policy

pytestmark = pytest.mark.xdist_group("screening_cli")

RULES: Final = rule("rude", "terms('rude')") + FILES["rules.toml"]
AT: Final = 1_700_000_000_000_000
GOOD: Final = b'{"text": "a quiet morning", "category": "news"}'
RUDE: Final = b'{"text": "humbug, Humbug and no humbug", "category": "news"}'


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a small pack that holds two rude words."""
    return written(tmp_path_factory.mktemp("packs") / "sample", RULES)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same pack, with a rule less."""
    return written(tmp_path_factory.mktemp("packs") / "sample", FILES["rules.toml"])


def written(folder: Path, rules: str) -> str:
    """The sample pack with these rules, in a folder."""
    for name, text in {**FILES, "rules.toml": rules}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return str(folder)


@pytest.fixture(scope="module")
def policy(pack: str) -> Policy:
    """The same pack in force."""
    return load_policy((pack,))


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 15,000 lines, 1.3 MB: some good, some rude, some broken."""
    rng = random.Random(7)
    kinds = (good_line, good_line, good_line, rude_line, broken_line)
    path = tmp_path_factory.mktemp("items") / "items.jsonl"
    path.write_bytes(b"".join(rng.choice(kinds)(number) for number in range(15_000)))
    return path


@pytest.fixture(scope="module")
def answers(pack: str, items: Path) -> bytes:
    """What one process, undisturbed, answers to these lines."""
    return screen(pack, str(items), "--workers", "1", code=1).stdout


def good_line(number: int) -> bytes:
    return b'{"id": %d, "text": "%s", "category": "news"}\n' % (number, b"a quiet morning " * (number % 6))


def rude_line(number: int) -> bytes:
    return b'{"id": "%d", "title": "Humbug", "body": "humbug \xe8\x8a\xb1\xe8\xa8\x80", "category": "news"}\n' % number


def broken_line(number: int) -> bytes:
    return b'{"id": %d, "text": "broken}\n' % number


def command(pack: str, *arguments: str) -> list[str]:
    """The command as an operator gives it."""
    return [sys.executable, "-m", "placet", "screen", "--pack", pack, *arguments]


def screen(pack: str, *arguments: str, given: bytes = b"", code: int = 0) -> subprocess.CompletedProcess[bytes]:
    """Run it to its end, which must be this one."""
    done = subprocess.run(
        command(pack, *arguments), input=given, capture_output=True, timeout=WAIT_S, check=False, env=environment()
    )
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    return done


def answered(pack: str, given: bytes, folder: Path, name: str = "given.jsonl") -> tuple[int, bytes]:
    """What is answered, and the exit code, without a process of its own."""
    file, out = folder / name, folder / f"{name}.answers"
    file.write_bytes(given)
    code = screen_file(Options(str(file), 1, out), load({"packs": [pack]}, {}))
    return code, out.read_bytes()


@contextmanager
def started(pack: str, *arguments: str, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The command while it runs; ended by force if it has not ended."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    with subprocess.Popen(command(pack, *arguments), env=environment(), **pipes) as running:
        try:
            yield running
        finally:
            running.kill()


def pipe(of: IO[bytes] | None) -> IO[bytes]:
    """A pipe that was asked for."""
    assert of is not None
    return of


def docs(data: bytes) -> list[Doc]:
    """Answers as values."""
    return [json.loads(line) for line in data.splitlines()]


def most_memory_kb(pid: int) -> int:
    """The most memory that a process has held since it began to run its own program, in kB.

    What `wait4` tells counts that of the process which forked it as well, here the one that runs the tests.
    """
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1])


def children(pid: int) -> list[int]:
    """The processes that a process has started and that have not ended."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, state, parent, *_ = status.read_text().rpartition(")")[2].split(" ")
        except OSError:  # ended since
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(status.parent.name))
    return found


# --- answers -----------------------------------------------------------------------------------------------------


def test_every_line_is_answered_in_its_place(items: Path, answers: bytes) -> None:
    """Answer N is about line N: its number, its id as it came, its findings or its mistake."""
    given = items.read_bytes().splitlines()
    found = docs(answers)
    assert [each["line"] for each in found] == list(range(1, len(given) + 1))
    for line, each in zip(given, found, strict=True):
        if line.endswith(b"broken}"):
            assert each["error"]["code"] == "malformed_json"
            continue
        assert each["id"] == json.loads(line)["id"]
        assert each["outcome"] == ("hold" if b"umbug" in line else "return" if b'""' in line else "approve")
        assert len(each["findings"]) == 2 * (b"umbug" in line)


@pytest.mark.parametrize("workers", ["2", "5"])
def test_many_workers_answer_as_one(workers: str, pack: str, items: Path, answers: bytes) -> None:
    """However many processes screen, the answers are the same bytes in the same order."""
    assert screen(pack, str(items), "--workers", workers, code=1).stdout == answers


def test_workers_that_load_the_packs_themselves(pack: str, items: Path, answers: bytes, tmp_path: Path) -> None:
    """Spawned workers, which inherit nothing, answer the same as forked ones."""
    file = tmp_path / "some.jsonl"
    file.write_bytes(b"".join(items.read_bytes().splitlines(keepends=True)[:3_000]))
    make = partial(Screener.load, load({"packs": [pack]}, {}), AT)
    found = pooled(make, file, 2, "spawn")
    assert len(found.splitlines()) == 3_000
    assert answers.startswith(found)


def test_bad_lines_are_answered_with_their_mistake(pack: str, tmp_path: Path) -> None:
    """Whatever is wrong with a line is said in its place, with its id where it has one; the others are screened."""
    lines = [
        GOOD,
        b"\xff\xfe is not UTF-8",
        b"{",
        b"",
        b"[1]",
        b'{"text": "a", "text": "b"}',
        b'{"id": 5, "text": "a", "colour": "red"}',
        b'{"id": 6, "text": "a", "body": "b"}',
        b'{"id": 7, "text": "a", "category": "unknown"}',
        b'{"text": NaN}',
        b'{"text": "\\udc00"}',
        b"[" * 50_000,
        b'{"text": "' + b"a" * 5_000_000 + b'"}',
        b'{"id": 1, "text": "' + b"a" * 300_000 + b'"}',
        RUDE,
    ]
    code, data = answered(pack, b"\n".join(lines), tmp_path)
    found = docs(data)
    assert code == 1
    assert [each["line"] for each in found] == list(range(1, len(lines) + 1))
    assert [each.get("outcome") or each["error"]["code"] for each in found] == [
        "approve",
        "malformed_json",
        "malformed_json",
        "malformed_json",
        "invalid",
        "duplicate_key",
        "invalid",
        "invalid",
        "invalid",
        "not_a_number",
        "bad_text",
        "too_deep",
        "too_large",
        "too_large",
        "hold",
    ]
    details = [each["error"]["detail"] for each in found if "error" in each]
    assert all(details)
    assert details[2] == "The line is blank."
    assert [each["id"] for each in found if "id" in each] == [5, 6, 7, 1]
    assert found[12]["error"]["facts"] == {"limit": 4_194_304, "unit": "bytes"}


def test_ids_come_back_as_they_are(pack: str, tmp_path: Path) -> None:
    """An id is whatever JSON it is, digit for digit; null is an id too."""
    ids = [b"null", b"1.10", b"1e999", b"123456789012345678901234567890", b'"\xe8\x8a\xb1\\u82b1"', b'{"a": [1, 2 ]}']
    lines = b"\n".join(b'{"id": %b , "category": "news", "text": "a"}' % each for each in ids)
    found = answered(pack, lines, tmp_path)[1].splitlines()
    assert [re.sub(rb'^{"line":\d,"id":(.*),"outcome".*', rb"\1", each) for each in found] == ids


ENDS: Final[dict[str, tuple[bytes, int]]] = {
    "nothing": (b"", 0),
    "a mark alone": (b"\xef\xbb\xbf", 0),
    "a mark before the first line": (b"\xef\xbb\xbf" + GOOD + b"\n", 1),
    "no line end after the last line": (GOOD + b"\n" + RUDE, 2),
    "carriage returns": (GOOD + b"\r\n" + RUDE + b"\r\n", 2),
}


@pytest.mark.parametrize("name", ENDS)
def test_beginnings_and_ends(name: str, pack: str, tmp_path: Path) -> None:
    """A byte order mark, carriage returns and a missing last line end are no mistakes; nothing is answered nothing."""
    given, count = ENDS[name]
    code, data = answered(pack, given, tmp_path)
    found = docs(data)
    assert code == 0
    assert [each["outcome"] for each in found] == ["approve", "hold"][:count]


def test_compressed_input(
    pack: str, items: Path, answers: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file named .gz is decompressed; where it is damaged, what could be read is answered and the end is told."""
    packed = gzip.compress(items.read_bytes())
    assert answered(pack, packed, tmp_path, "whole.gz") == (1, answers)
    capsys.readouterr()
    code, data = answered(pack, packed[:-20_000], tmp_path, "damaged.gz")
    assert code == 1
    assert answers.startswith(data)
    (said,) = capsys.readouterr().err.splitlines()
    assert "cannot be read to its end" in said
    assert f" {len(data.splitlines())} lines are answered. " in said


def test_answers_come_while_the_input_stays_open(pack: str) -> None:
    """A line is answered as soon as it is there, so that the command can stand in a pipeline that never ends."""
    with started(pack, "-", "--workers", "2") as running:
        for number, line in enumerate([GOOD, RUDE, GOOD], 1):
            pipe(running.stdin).write(line + b"\n")
            pipe(running.stdin).flush()
            assert json.loads(pipe(running.stdout).readline())["line"] == number
        pipe(running.stdin).close()
        assert running.wait(WAIT_S) == 0


# --- reading -----------------------------------------------------------------------------------------------------

LENGTHS: Final = st.lists(st.sampled_from((0, 1, 2, 100, 60_000, PIECE - 1, PIECE, 90_000, 200_000)), max_size=8)
MOST: Final = 90_000


def numbered(lengths: Sequence[int]) -> list[bytes]:
    """Lines of these lengths that differ."""
    return [(b"%d." % place * (length + 1))[:length] for place, length in enumerate(lengths)]


def blocks_of(lines: Lines) -> Iterator[Block]:
    """All that is to come."""
    while block := lines.read():
        yield block


@steady
@given(lengths=LENGTHS, end=st.booleans(), data=st.data())
def test_lines_are_read_whole(
    lengths: list[int], end: bool, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Blocks hold every line once, in order, numbered, from wherever it is gone on; too long ones cut, yet too long."""
    given = numbered([*lengths, 1])  # the last is not empty, so that the number of lines is plain
    file = tmp_path_factory.getbasetemp() / "lines"
    file.write_bytes(b"\n".join(given) + (b"\n" if end else b""))
    skipped = data.draw(st.integers(0, len(given)))
    with closing(Lines.open(str(file), MOST)) as lines:
        if data.draw(st.booleans()):
            least = data.draw(st.integers(0, 200_000))
            assert file.read_bytes().startswith(begun := lines.begin(least))
            assert len(begun) >= min(least, file.stat().st_size)
        lines.skip(skipped)
        expected = skipped + 1
        for block in blocks_of(lines):
            assert (block.first, block.length) == (expected, len(block.lines()))
            for line in block.lines():
                whole = given[expected - 1]
                assert whole.startswith(line[: MOST + 1])
                assert line == whole if len(whole) <= MOST else len(line) > MOST
                expected += 1
        assert expected == len(given) + 1


def test_more_lines_to_pass_over_than_there_are(tmp_path: Path) -> None:
    """An input with fewer lines than were answered is not the same."""
    file = tmp_path / "short"
    file.write_bytes(b"1\n2")
    with closing(Lines.open(str(file), MOST)) as lines, pytest.raises(Misuse, match="fewer lines"):
        lines.skip(3)


# --- memory ------------------------------------------------------------------------------------------------------


def test_a_line_without_end_takes_no_memory(pack: str) -> None:
    """A line of 400 MB is refused like any that is too long, and is never held; the next line is screened."""
    with started(pack, "-", "--workers", "2", "--quiet", stderr=subprocess.DEVNULL) as running:
        for _ in range(400):
            pipe(running.stdin).write(b" " * 1_000_000)
        pipe(running.stdin).write(b"\n")
        pipe(running.stdin).flush()
        refused = pipe(running.stdout).readline()
        most = most_memory_kb(running.pid)
        found = docs(refused + running.communicate(RUDE)[0])
    assert [each.get("outcome") or each["error"]["code"] for each in found] == ["too_large", "hold"]
    assert most < 350_000


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_slow_reader_holds_the_input_up(workers: str, pack: str) -> None:
    """While nobody reads the answers, only a bounded part of the input is taken; then all is answered after all."""
    some = select.PIPE_BUF // len(GOOD + b"\n")  # such a piece is taken whole or not at all
    sent = 0
    with started(pack, "-", "--workers", workers, "--quiet") as running:
        to = pipe(running.stdin)
        while sent < 500_000 and select.select([], [to], [], 2.0)[1]:  # until it has not moved for a while
            os.write(to.fileno(), (GOOD + b"\n") * some)
            sent += some
        assert sent < 60_000
        to.close()
        assert [each["line"] for each in docs(pipe(running.stdout).read())] == list(range(1, sent + 1))
        assert running.wait(WAIT_S) == 0


# --- workers that die --------------------------------------------------------------------------------------------


def pooled(make: Callable[[], Screener], file: Path, count: int, method: Method = "fork") -> bytes:
    """What a pool answers to a file."""
    with closing(Lines.open(str(file), 1_000_000)) as lines, closing(Pool(make, count, method)) as pool:
        return b"".join(answered.data for answered in pool.answers(lines))


class Fragile(Screener):
    """A screener whose process is killed at the block with a certain line, as often as there are files to remove."""

    def __init__(self, policy: Policy, line: int, lives: Path, *, sending: bool) -> None:
        super().__init__(policy, load({}, {}), AT)
        self._line, self._lives, self._sending = line, lives, sending

    def answer(self, block: Block) -> Answered:
        if block.first <= self._line < block.first + block.length and (left := sorted(self._lives.iterdir())):
            left[0].unlink()
            if not self._sending:
                os.kill(os.getpid(), signal.SIGKILL)
            self._die_half_sent()
        return super().answer(block)

    def _die_half_sent(self) -> None:
        """Leave a message behind of which a part is missing: its length, and then too little."""
        frame = inspect.currentframe()
        while frame is not None and "pipe" not in frame.f_locals:
            frame = frame.f_back
        assert frame is not None
        os.write(frame.f_locals["pipe"].fileno(), (1_000_000).to_bytes(4, "big") + b"half a message")
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("sending", [False, True], ids=["at work", "while sending"])
def test_the_block_of_a_lost_worker_is_done_again(
    sending: bool, policy: Policy, items: Path, answers: bytes, tmp_path: Path
) -> None:
    """A worker that is killed, even in the middle of a message, costs nothing but its work: every answer comes."""
    lives = lives_of(tmp_path, 2)
    assert pooled(lambda: Fragile(policy, 9_000, lives, sending=sending), items, 3) == answers
    assert not list(lives.iterdir())


def test_a_block_that_kills_its_workers_ends_the_run(
    policy: Policy, items: Path, answers: bytes, tmp_path: Path
) -> None:
    """Lines over which worker after worker is lost are named, after all answers before them."""
    lives = lives_of(tmp_path, 50)
    found: list[Answered] = []
    with closing(Lines.open(str(items), 1_000_000)) as lines:
        pool = Pool(lambda: Fragile(policy, 9_000, lives, sending=False), 3)
        with (
            closing(pool),
            pytest.raises(Ended, match=r"^Lines \d+ to \d+ cannot be screened: 3 workers ended") as told,
        ):
            found.extend(pool.answers(lines))
    first, last = (int(number) for number in re.findall(r"\d+", str(told.value))[:2])
    assert first <= 9_000 <= last
    assert b"".join(answered.data for answered in found) == b"".join(answers.splitlines(keepends=True)[: first - 1])
    assert len(list(lives.iterdir())) == 47


def lives_of(folder: Path, count: int) -> Path:
    """A folder with so many files."""
    lives = folder / "lives"
    lives.mkdir()
    for number in range(count):
        (lives / str(number)).touch()
    return lives


def test_workers_killed_from_outside(pack: str, items: Path, answers: bytes) -> None:
    """Whoever kills workers of a running command, idle or at work, changes nothing about its answers."""
    with started(pack, "-", "--workers", "2", "--quiet") as running:
        given = items.read_bytes().splitlines(keepends=True)
        found = b""
        for part in range(4):
            pipe(running.stdin).write(b"".join(given[part * 500 : part * 500 + 500]))
            pipe(running.stdin).flush()
            if part % 2:  # while it is at work, or when all is answered
                found += b"".join(pipe(running.stdout).readline() for _ in range(1_000))
            for worker in children(running.pid):
                with suppress(ProcessLookupError):  # it was killed a moment ago, and has been collected since
                    os.kill(worker, signal.SIGKILL)
        pipe(running.stdin).close()
        found += pipe(running.stdout).read()
        assert running.wait(WAIT_S) == 1
    assert answers.startswith(found)
    assert len(found.splitlines()) == 2_000


def test_no_worker_outlives_the_command(pack: str) -> None:
    """When the command itself is killed, its workers end too, busy or idle."""
    with started(pack, "-", "--workers", "3", "--quiet") as running:
        pipe(running.stdin).write((RUDE + b"\n") * 2_000)
        pipe(running.stdin).flush()
        assert pipe(running.stdout).readline()
        workers = children(running.pid)
        assert workers
        running.kill()
        until(lambda: not any(alive(worker) for worker in workers), "the workers' end")


def alive(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- going on ----------------------------------------------------------------------------------------------------


def killed(pack: str, given: bytes, out: Path, at: int) -> None:
    """Run the command on an input that does not end, until its file of answers has so many bytes, and kill it."""
    with started(pack, "-", "--workers", "2", "--out", str(out), "--resume") as running:
        pipe(running.stdin).write(given)
        pipe(running.stdin).flush()
        until(lambda: out.exists() and out.stat().st_size >= at, "some answers")
        running.kill()


def test_killed_again_and_again_it_still_comes_to_the_same_end(
    pack: str, items: Path, answers: bytes, tmp_path: Path
) -> None:
    """After kill -9 at any point, --resume goes on; the file and the counts end up as if nothing had happened."""
    out, counts = tmp_path / "answers.jsonl", tmp_path / "summary.json"
    rng = random.Random(11)
    for at in sorted(rng.choices(range(len(answers) // 2), k=3)):
        killed(pack, items.read_bytes(), out, at)
        assert answers.startswith(out.read_bytes())
    done = screen(pack, str(items), "--out", str(out), "--resume", "--summary", str(counts), code=1)
    assert out.read_bytes() == answers
    assert done.stdout == b""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.jsonl", "summary.json"]
    whole = json.loads(counts.read_bytes())
    assert whole["lines"] == 15_000
    assert 0 < whole["resumed_after"] < 15_000
    assert (
        whole["unreadable"] == whole["mistakes"]["malformed_json"] == sum(b'"error"' in x for x in answers.split(b"\n"))
    )


@pytest.fixture(scope="module")
def unfinished(pack: str, items: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A few lines, and what lies beside a file of their answers while these are not finished."""
    few = tmp_path_factory.mktemp("few") / "few.jsonl"
    few.write_bytes(b"".join(items.read_bytes().splitlines(keepends=True)[:120]))
    out = few.with_suffix(".out")
    killed(pack, few.read_bytes(), out, 1)
    return few, beside(out).read_bytes()


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_wherever_the_file_ends_it_is_gone_on_with(
    data: st.DataObject,
    pack: str,
    answers: bytes,
    unfinished: tuple[Path, bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Cut at any byte, with anything after the cut that is no answer, the file of answers is completed to the same."""
    few, noted = unfinished
    expected = b"".join(answers.splitlines(keepends=True)[:120])
    out = tmp_path_factory.getbasetemp() / "cut.out"
    cut = expected[: data.draw(st.integers(1, len(expected)))]
    tail = data.draw(st.sampled_from((b"", b"\x00" * 50, b"\n", b'{"line":1}\n', b"[]\n" + expected)))
    out.write_bytes(cut + tail)
    beside(out).write_bytes(noted)
    options = Options(str(few), 1, out, resume=True, quiet=True)
    assert screen_file(options, load({"packs": [pack]}, {})) == 1
    assert out.read_bytes() == expected
    assert not beside(out).exists()


def test_interrupted_it_tells_how_to_go_on(pack: str, items: Path, answers: bytes, tmp_path: Path) -> None:
    """Ctrl-C, which every process of the terminal gets, ends with one line; the command that it names does the rest."""
    out = tmp_path / "my answers.jsonl"
    with started(pack, str(items), "--workers", "2", "--out", str(out), process_group=0) as running:
        until(lambda: out.exists() and out.stat().st_size, "some answers")
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(WAIT_S) == INTERRUPTED
        (said,) = pipe(running.stderr).read().decode().splitlines()
    told = re.fullmatch(r"placet: interrupted after line \d+\. Go on with: placet (.*)", said)
    assert told is not None
    assert shlex.split(told[1])[-3:] == ["--out", str(out), "--resume"]
    subprocess.run(
        [sys.executable, "-m", "placet", *shlex.split(told[1])], env=environment(), check=False, timeout=WAIT_S
    )
    assert out.read_bytes() == answers


def test_interrupted_while_it_waits(pack: str) -> None:
    """Ctrl-C ends a command that waits for its input, too."""
    with started(pack, "-", process_group=0) as running:
        pipe(running.stdin).write(GOOD + b"\n")
        pipe(running.stdin).flush()
        assert pipe(running.stdout).readline()
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(WAIT_S) == INTERRUPTED
        (said,) = pipe(running.stderr).read().decode().splitlines()
        assert said.endswith(". With --out FILE, a run can be taken up where it ended.")


def test_nobody_reads_any_more(pack: str, items: Path) -> None:
    """When the reader of the answers goes away, the command ends without a word."""
    with started(pack, str(items), "--workers", "2") as running:
        assert pipe(running.stdout).readline()
        pipe(running.stdout).close()
        assert running.wait(WAIT_S) == BROKEN_PIPE
        assert pipe(running.stderr).read() == b""


@pytest.mark.parametrize("to_file", [True, False])
def test_no_room_for_the_answers(to_file: bool, pack: str, items: Path, answers: bytes, tmp_path: Path) -> None:
    """Where answers cannot be written, the run ends with the reason; a file of them can be gone on with."""
    out = tmp_path / "answers"
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command(pack, str(items), *(["--out", str(out)] if to_file else [])),
            stdout=full,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
            env=environment(),
            check=False,
            timeout=WAIT_S,
        )
    assert done.returncode == 1
    (said,) = done.stderr.decode().splitlines()
    assert "cannot be written: " + ("File too large" if to_file else "No space left on device") in said
    if to_file:
        assert out.stat().st_size == 1_000_000
        options = Options(str(items), 1, out, resume=True, quiet=True)
        assert screen_file(options, load({"packs": [pack]}, {})) == 1
        assert out.read_bytes() == answers


class Refused(NamedTuple):
    """What is different from the run that is to be taken up, and what is then said."""

    said: str
    before: Callable[[Path], object] = lambda _: None
    """What happens to the file of answers, or to what lies beside it."""
    given: bytes = b""
    other: bool = False
    most: int = 200_000
    resume: bool = True


def beside(out: Path) -> Path:
    """What lies beside an unfinished file of answers."""
    return out.with_name(f"{out.name}.unfinished")


REFUSED: Final[dict[str, Refused]] = {
    "another input": Refused("the input begins differently", given=b" "),
    "other packs": Refused("the rule packs are not the same", other=True),
    "other limits": Refused("the limits", most=1_000),
    "another version": Refused(
        "begun by Placet 0.0.1", lambda out: beside(out).write_text(beside(out).read_text().replace("0.1.0", "0.0.1"))
    ),
    "conditions that cannot be read": Refused("cannot be read", lambda out: beside(out).write_text("{")),
    "nothing unfinished": Refused("it is finished", lambda out: beside(out).unlink()),
    "no wish to go on": Refused("go on with --resume", resume=False),
    "a file of something else": Refused("holds something", lambda out: beside(out).unlink(), resume=False),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_taken_up(
    name: str, pack: str, other: str, answers: bytes, unfinished: tuple[Path, bytes], tmp_path: Path
) -> None:
    """A run is only gone on with under the same conditions; otherwise it is said why, and no file is changed."""
    case, (few, noted) = REFUSED[name], unfinished
    file, out = tmp_path / "few.jsonl", tmp_path / "out.jsonl"
    file.write_bytes(case.given + few.read_bytes())
    out.write_bytes(answers[:5_000])
    beside(out).write_bytes(noted)
    case.before(out)
    options = Options(str(file), 1, out, resume=case.resume)
    with pytest.raises(Misuse, match=case.said):
        screen_file(options, load({"packs": [other if case.other else pack], "max_text_chars": case.most}, {}))
    assert out.read_bytes() == answers[:5_000]


def test_two_runs_never_write_one_file(pack: str, items: Path, tmp_path: Path) -> None:
    """While a run writes its file, another is refused; afterwards it may go on."""
    out = tmp_path / "answers"
    with started(pack, "-", "--out", str(out)) as running:
        pipe(running.stdin).write(GOOD + b"\n")
        pipe(running.stdin).flush()
        until(lambda: out.exists() and out.stat().st_size, "an answer")
        done = screen(pack, str(items), "--out", str(out), "--resume", code=2)
        assert done.stderr.decode() == f"placet: {out} is being written by another run.\n"
        running.kill()
    few = tmp_path / "few.jsonl"
    few.write_bytes(GOOD + b"\n" + RUDE)
    assert screen_file(Options(str(few), 1, out, resume=True), load({"packs": [pack]}, {})) == 0
    assert [each["outcome"] for each in docs(out.read_bytes())] == ["approve", "hold"]


def options(**more: Any) -> Options:
    """Options of a run on nothing."""
    return Options("/dev/null", 1)._replace(**more)


MISUSE: Final[dict[str, tuple[Options, str]]] = {
    "no input": (options(file="/nonexistent/items"), "/nonexistent/items cannot be read: No such file"),
    "a folder": (options(file="/"), "/ cannot be read: Is a directory"),
    "nothing to take up": (options(resume=True), "--resume needs --out"),
    "no file for the answers": (options(out=Path("/dev/null")), "/dev/null is not a file"),
    "a folder for the answers": (options(out=Path("/")), "/ cannot be written: Is a directory"),
    "no folder for the answers": (
        options(out=Path("/nonexistent/a")),
        "/nonexistent/a cannot be written: No such file",
    ),
    "no folder for the summary": (options(summary=Path("/nonexistent/a")), "/nonexistent/a cannot be written"),
    "a folder for the summary": (options(summary=Path("/")), "/ cannot be written: it is a folder"),
}


@pytest.mark.parametrize("name", MISUSE)
def test_misuse(name: str, pack: str) -> None:
    """What cannot be done as it is asked is said before anything is screened."""
    asked, said = MISUSE[name]
    with pytest.raises(Misuse, match=f"^{re.escape(said)}"):
        screen_file(asked, load({"packs": [pack]}, {}))


def test_a_folder_where_the_conditions_should_be_noted(pack: str, tmp_path: Path) -> None:
    """Before anything is screened it is said that they cannot be written, or read again."""
    out = tmp_path / "answers"
    beside(out).mkdir()
    with pytest.raises(Misuse, match=f"^{re.escape(str(beside(out)))} cannot be written: Is a directory"):
        screen_file(options(out=out), load({"packs": [pack]}, {}))
    out.write_bytes(b"{}")
    with pytest.raises(Misuse, match=f"^{re.escape(str(beside(out)))} cannot be read: Is a directory"):
        screen_file(options(out=out, resume=True), load({"packs": [pack]}, {}))


def test_a_full_disk_where_the_conditions_should_be_noted(
    pack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full from the beginning is told of as one that fills up later."""
    monkeypatch.setattr(os, "fsync", partial(_fail, errno.ENOSPC))
    with pytest.raises(Misuse, match="unfinished cannot be written: No space left"):
        screen_file(options(out=tmp_path / "answers"), load({"packs": [pack]}, {}))


def test_conditions_that_cannot_be_removed(pack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All lines are answered then; only that the run is finished could not be noted."""
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: _fail(errno.EACCES))
    assert screen_file(options(out=tmp_path / "answers"), load({"packs": [pack]}, {})) == 1


def _fail(number: int, *_: object) -> None:
    raise OSError(number, os.strerror(number))


def test_a_summary_that_cannot_be_written(pack: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All lines are answered and counted by then: it is said so, and the exit code tells of the failure."""
    out = tmp_path / "answers"
    assert screen_file(options(out=out, summary=Path("/dev/full")), load({"packs": [pack]}, {})) == 1
    said = capsys.readouterr().err
    assert said.startswith("0 lines, 0 unreadable")
    assert said.endswith("placet: /dev/full cannot be written: No space left on device. All lines are answered.\n")
    assert not beside(out).exists()


def test_no_workers(pack: str) -> None:
    """At least one process must screen; misuse ends with 2."""
    assert b"--workers" in screen(pack, "-", "--workers", "0", given=GOOD, code=2).stderr


# --- what is shown -----------------------------------------------------------------------------------------------

SUMMARY: Final = """\
6 lines, 2 unreadable; T s, R lines/s with 1 worker

outcome                     lines
approve                         1
hold                            2
return                          1
refuse                          0
unreadable: duplicate_key       1
unreadable: malformed_json      1

list         view    items  findings
sample/rude  exact       2         2
sample/rude  folded      1         1
"""


def test_the_summary(pack: str, tmp_path: Path) -> None:
    """At the end, standard error has the counts in columns; --summary has them for programs."""
    blank, twice = b'{"text": "", "category": "news"}', b'{"text": "", "text": ""}'
    given = b"\n".join([GOOD, RUDE, blank, b"{", twice, b'{"text": "humbug", "category": "news"}'])
    file = tmp_path / "summary.json"
    said = screen(pack, "-", "--workers", "1", "--summary", str(file), given=given, code=1).stderr.decode()
    assert re.sub(r"; .* s, .* lines", "; T s, R lines", said) == SUMMARY
    counts = json.loads(file.read_bytes())
    assert {"lines": 6, "unreadable": 2, "resumed_after": 0, "workers": 1}.items() <= counts.items()
    assert counts["outcomes"] == {"approve": 1, "hold": 2, "return": 1, "refuse": 0}
    assert counts["mistakes"] == {"duplicate_key": 1, "malformed_json": 1}
    assert counts["found"] == [
        {"list": "sample/rude", "view": "exact", "items": 2, "findings": 2},
        {"list": "sample/rude", "view": "folded", "items": 1, "findings": 1},
    ]


def on_a_terminal(pack: str, *arguments: str) -> str:
    """What the command shows on a terminal, where its standard error is one."""
    ours, theirs = pty.openpty()
    with started(pack, *arguments, stderr=theirs, stdout=subprocess.DEVNULL) as running:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65_536):
                shown += part
        except OSError:  # how the end of a terminal looks
            pass
        running.wait(WAIT_S)
    os.close(ours)
    return shown.decode()


def test_progress_on_a_terminal(pack: str, items: Path, tmp_path: Path) -> None:
    """A terminal shows how far the run is: share, lines, rate, time left; with --quiet it stays empty."""
    shown = on_a_terminal(pack, str(items), "--out", str(tmp_path / "out"))
    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown)
    assert re.search(r"\d+% [\d,]+ lines, [\d,]+/s \d:\d\d:\d\d [\d:-]+", shown)
    assert "15,000 lines" in shown
    assert on_a_terminal(pack, str(items), "--quiet") == ""

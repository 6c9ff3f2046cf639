"""Processes killed, disks full, rows changed, an old copy put back: nothing acknowledged is lost, nothing goes unseen.

Servers are processes of their own and are really killed (SIGKILL); a full disk is a limit on the size of the files that
the process may write (RLIMIT_FSIZE), which makes the kernel refuse the write in the same place as a full disk does.
"""

import base64
import contextlib
import http.client
import itertools
import json
import re
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from platforms import PLAIN, SOLICITING, WAIT_S, Doc, NewPlatform, Platform, environment, in_time, placet, until
from stores import PostgresBackend

from placet.ledger.checkpoint import Checkpoint, open_checkpoint
from placet.ledger.merkle import verify_consistency

pytest_plugins = ("platforms",)
pytestmark = pytest.mark.xdist_group("faults")

CLIENTS: Final = 8


# --- submitting until the server is gone -------------------------------------------------------------------------


class Sent(NamedTuple):
    """A submission as it was sent: its Idempotency-Key is its external_id."""

    name: str
    body: bytes


class Stream:
    """Clients that submit at once, each on a connection of its own, until their server goes away."""

    def __init__(self, servers: list[Platform], name: str) -> None:
        self.platform = servers[0]
        self.name = name
        self.account = self.platform.open_account()
        self.acknowledged: dict[Sent, str] = {}
        """What was answered with 201, and the id in the answer."""
        self.doubtful: list[Sent] = []
        """What was sent and never answered."""
        self.refused: list[str] = []
        self._over = threading.Event()
        chosen = [servers[number % len(servers)] for number in range(CLIENTS)]
        self._clients = [
            threading.Thread(target=self._submit, args=(server.port, number)) for number, server in enumerate(chosen)
        ]

    def until_killed(self, count: int, kill: Callable[[], None], *, survivors: int = 0) -> None:
        """Submit; kill once so many are acknowledged; go on until other servers have taken `survivors` more."""
        for client in self._clients:
            client.start()
        self._until(count)
        kill()
        self._until(len(self.acknowledged) + survivors)
        self._over.set()
        for client in self._clients:
            client.join(WAIT_S)
        assert not self.refused
        assert self.doubtful  # the server was in the middle of something

    def _until(self, count: int) -> None:
        until(lambda: len(self.acknowledged) >= count or self.refused, f"{count} submissions")

    def _submit(self, port: int, client: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        for number in itertools.takewhile(lambda _: not self._over.is_set(), itertools.count()):
            sent = self._content(client, number)
            try:
                status, answer = post(connection, self.platform.api_key, sent)
            except (OSError, http.client.HTTPException):
                self.doubtful.append(sent)
                return
            if status != 201:
                self.refused.append(answer.decode())
                return
            self.acknowledged[sent] = json.loads(answer)["id"]

    def _content(self, client: int, number: int) -> Sent:
        name = f"{self.name}-{client}-{number}"
        content = SOLICITING if number % 5 == 0 else PLAIN
        asked = {"account": self.account, "external_id": name, **content, "title": f"Note {name}"}
        return Sent(name, json.dumps(asked).encode())


def post(connection: http.client.HTTPConnection, token: str, sent: Sent) -> tuple[int, bytes]:
    """Submit under the Idempotency-Key that is its name."""
    headers = {
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "idempotency-key": sent.name,
    }
    connection.request("POST", "/v1/publications", sent.body, headers)
    response = connection.getresponse()
    return response.status, response.read()


def send_again(platform: Platform, sent: Sent) -> Doc:
    """Send it again with its key; gives the publication of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=WAIT_S)
    with contextlib.closing(connection):
        status, answer = post(connection, platform.api_key, sent)
    assert status == 201, answer
    found: Doc = json.loads(answer)
    return found


def listed(platform: Platform, account: str) -> list[Doc]:
    """Every publication of an account, page by page."""
    found: list[Doc] = []
    cursor = ""
    while True:
        asked = {"account": account, "limit": "200", "cursor": cursor}
        page = platform.http.get("/v1/publications", params=asked).raise_for_status().json()
        found += page["items"]
        cursor = page.get("next_cursor") or ""
        if not cursor:
            return found


def check_stream(platform: Platform, stream: Stream) -> None:
    """Every acknowledged submission is there once, under its id; one in doubt is there once after it was sent again."""
    for sent, identity in itertools.islice(stream.acknowledged.items(), 0, None, 97):
        assert send_again(platform, sent)["id"] == identity
    again = {sent: str(send_again(platform, sent)["id"]) for sent in stream.doubtful}
    found = listed(platform, stream.account)
    expected = {sent.name: identity for sent, identity in (stream.acknowledged | again).items()}
    assert {each["external_id"]: each["id"] for each in found} == expected
    assert len(found) == len(expected)


# --- heads -------------------------------------------------------------------------------------------------------


def head_of(platform: Platform) -> Checkpoint:
    """The head that the server publishes now, its signature checked."""
    note = platform.http.get("/v1/ledger/checkpoint").raise_for_status().text
    return open_checkpoint(note, [platform.vkey])


def head_on_disk(platform: Platform) -> str:
    """The last published head as the platform itself remembers it."""
    return (platform.folder / "ledger.head").read_text("utf-8")


def check_continues(platform: Platform, heads: list[Checkpoint]) -> None:
    """What the server publishes now continues every head seen before."""
    for head in dict.fromkeys(heads):
        shown = platform.http.get(f"/v1/ledger/consistency/{head.size}").raise_for_status().json()
        now = open_checkpoint(shown["checkpoint"], [platform.vkey])
        proof = [base64.b64decode(each) for each in shown["proof"]]
        assert now.size >= head.size
        assert verify_consistency(head.size, head.root, now.size, now.root, proof)


def check_record(platform: Platform, known: str) -> None:
    """The command line finds nothing wrong, and the record continues the head `known`. The server may run."""
    platform.cli("ledger", "checkpoint")
    seen = platform.folder.parent / "known.head"
    seen.write_text(known, "utf-8")
    report = json.loads(platform.cli("ledger", "verify", "--known", str(seen), "--json").stdout)
    assert report["ok"], report
    for command in ("rebuild", "replay"):
        outcome = json.loads(platform.cli(command, "--json").stdout)
        assert outcome["checked"] > 0
        assert outcome["differences"] == []


# --- killed ------------------------------------------------------------------------------------------------------


def test_killed_twenty_times_among_ten_thousand(new_platform: NewPlatform) -> None:
    """`kill -9` in the middle of submissions, twenty times on one folder: none acknowledged is lost or doubled."""
    platform = new_platform(serve=False)
    first = head_on_disk(platform)
    heads = [open_checkpoint(first, [platform.vkey])]
    streams: list[Stream] = []
    for life in range(20):
        platform.start()
        if streams:
            check_stream(platform, streams[-1])
        check_continues(platform, heads)
        stream = Stream([platform], f"life{life}")
        stream.until_killed(500, platform.kill)
        heads.append(open_checkpoint(head_on_disk(platform), [platform.vkey]))
        streams.append(stream)
    platform.start()
    for stream in streams:
        check_stream(platform, stream)
    check_continues(platform, heads)
    assert sum(len(stream.acknowledged) for stream in streams) >= 10_000
    assert heads[-1].size > heads[0].size
    platform.stop()
    check_record(platform, first)


def test_killed_on_postgres_while_another_goes_on(new_platform: NewPlatform, postgres: PostgresBackend) -> None:
    """The leading one of two servers is killed, three times over: the other takes over its jobs, nothing is lost."""
    leading = new_platform(serve=False, database=postgres.dsn)
    first = head_on_disk(leading)
    heads = [open_checkpoint(first, [leading.vkey])]
    with contextlib.ExitStack() as ends:
        ends.callback(leading.start().stop)
        for life in range(3):
            until(lambda: leads(leading), "the server leads")  # noqa: B023 - asked at once
            other = leading.twin().start()
            ends.callback(other.stop)
            heads.append(head_of(leading))
            planned = kill_with_a_plan(leading, other, f"life{life}")
            check_continues(other, heads)
            until(lambda: other.read(planned)["status"] == "released", "the release")  # noqa: B023 - asked at once
            kinds = Counter(entry["kind"] for entry in other.entries(planned))
            assert kinds["publication.released"] == 1
            leading = other
        leading.stop()
        check_record(leading, first)


def kill_with_a_plan(leading: Platform, other: Platform, name: str) -> str:
    """Kill one of two servers while both are submitted to; gives a publication that it was to release later."""
    planned: list[str] = []

    def kill() -> None:
        planned.append(leading.submit(PLAIN, schedule_at=in_time(2))["id"])
        leading.kill()

    stream = Stream([other, leading], name)
    stream.until_killed(200, kill, survivors=50)
    check_stream(other, stream)
    return planned[0]


def leads(platform: Platform) -> bool:
    """Whether this server has signed a head, which only the one that leads does."""
    lines = platform.client().get("/metrics").raise_for_status().text.splitlines()
    return any(line.startswith("placet_ledger_size ") and float(line.split()[1]) > 0 for line in lines)


# --- a full disk -------------------------------------------------------------------------------------------------


def limit_files(platform: Platform, size: int | None) -> None:
    """Let the server write no file beyond so many bytes; None lifts the limit."""
    assert platform.process is not None
    _, hard = resource.prlimit(platform.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(platform.process.pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


@pytest.mark.parametrize("room", [0, 50_001, 400_001])
def test_full_disk(new_platform: NewPlatform, room: int) -> None:
    """On a full disk a submission gets 503 and when to try again, what was acknowledged stays, reading goes on."""
    platform = new_platform()
    account = platform.open_account()
    first = head_on_disk(platform)
    largest = max(file.stat().st_size for file in platform.folder.iterdir() if file.name != "placet.db-shm")
    limit_files(platform, largest + room if room else 0)
    acknowledged: dict[str, str] = {}
    for number in itertools.count():
        asked = {"account": account, "external_id": f"n{number}", **PLAIN}
        response = platform.http.post("/v1/publications", json=asked)
        if response.status_code != 201:
            break
        acknowledged[f"n{number}"] = response.json()["id"]
    assert response.status_code == 503
    assert response.json()["code"] == "store_unavailable"
    assert response.headers["retry-after"] == "1"
    assert platform.http.get("/healthz").status_code == 200
    assert {each["external_id"]: each["id"] for each in listed(platform, account)} == acknowledged
    limit_files(platform, None)
    answer = platform.http.post("/v1/publications", json=asked, headers={"idempotency-key": "after"})
    assert answer.status_code == 201
    acknowledged[asked["external_id"]] = answer.json()["id"]
    size = platform.recorded()
    until(lambda: head_of(platform).size >= size, "a head over everything")
    platform.stop()
    platform.start()
    assert {each["external_id"]: each["id"] for each in listed(platform, account)} == acknowledged
    check_continues(platform, [open_checkpoint(first, [platform.vkey])])
    check_record(platform, first)


def test_init_on_a_full_disk(tmp_path: Path) -> None:
    """`init` that cannot write its key says so in a line and leaves none half written: later it starts afresh."""
    command = [sys.executable, "-m", "placet", "init", "--data", str(tmp_path / "data")]

    def small() -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))

    done = subprocess.run(
        command, capture_output=True, text=True, timeout=WAIT_S, check=False, env=environment(), preexec_fn=small
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "ledger.key: File too large" in done.stderr
    assert not list((tmp_path / "data").iterdir())
    placet("init", "--data", str(tmp_path / "data"))


# --- a changed record --------------------------------------------------------------------------------------------

Change = Callable[[sqlite3.Connection], object]


def sql(statement: str) -> Change:
    """A change by one statement, which must hit a row."""

    def change(database: sqlite3.Connection) -> None:
        assert database.execute(statement).rowcount == 1

    return change


def flip(table: str, column: str, where: str, at: int, mask: int = 1) -> Change:
    """One bit of a stored value is flipped, at a byte from its start."""

    def change(database: sqlite3.Connection) -> None:
        (value,) = database.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()
        changed = bytearray(value)
        changed[at] ^= mask
        database.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (bytes(changed),))

    return change


def swap(one: int, other: int) -> Change:
    """Two rows change places."""

    def change(database: sqlite3.Connection) -> None:
        for before, after in ((one, -1), (other, one), (-1, other)):
            database.execute("UPDATE entry SET seq = ? WHERE seq = ?", (after, before))

    return change


CHANGES: Final[dict[str, tuple[Change, str]]] = {
    "actor": (sql("UPDATE entry SET actor = 'key_01jd5c3q6qf0aradm5yxr1ky7k' WHERE seq = 100"), "entry 100"),
    "time": (sql("UPDATE entry SET at = at + 1 WHERE seq = 7"), "entry 7"),
    "kind": (sql("UPDATE entry SET kind = '' WHERE seq = 300"), "entry 300"),
    "id": (sql("UPDATE entry SET id = 'x' WHERE seq = 9"), "entry 9"),
    "body": (flip("entry", "body", "seq = 150", 20), "entry 150"),
    "body no longer UTF-8": (flip("entry", "body", "seq = 151", 20, 0x80), "entry 151"),
    "salt": (flip("entry", "salt", "seq = 152", 0), "entry 152"),
    "commitment": (flip("entry", "commitment", "seq = 5", 31), "entry 5"),
    "commitment cut short": (sql("UPDATE entry SET commitment = substr(commitment, 1, 31) WHERE seq = 6"), "entry 6"),
    "leaf in a tile": (flip("tile", "hashes", "path = 'tile/0/000'", 42 * 32), "entry 42"),
    "tile removed": (sql("DELETE FROM tile WHERE path = 'tile/0/000'"), "tile/0/000"),
    "row removed": (sql("DELETE FROM entry WHERE seq = 200"), "entry 200"),
    "last row removed": (sql("DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry)"), "before 405 entries"),
    "rows swapped": (swap(20, 21), "entry 20"),
    "head": (
        sql("UPDATE head SET note = replace(note, '— ', '— x') WHERE size = (SELECT max(size) FROM head)"),
        "untrusted_key",
    ),
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A platform with more entries than one tile holds, not running. Work on copies of it."""
    platform = Platform(tmp_path_factory.mktemp("recorded") / "data").start()
    try:
        account = platform.open_account()
        line = json.dumps({"account": account, **PLAIN}).encode() + b"\n"
        headers = {"content-type": "application/x-ndjson"}
        platform.http.post("/v1/publications/batch", content=line * 400, headers=headers).raise_for_status()
    finally:
        platform.stop()
    return platform


@pytest.fixture
def copied(recorded: Platform, tmp_path: Path) -> Iterator[Platform]:
    """A copy of it, not running."""
    other = recorded.copied(tmp_path / "copy")
    yield other
    other.stop()


def edit(platform: Platform, change: Change) -> None:
    """Change the database behind the platform's back."""
    with contextlib.closing(sqlite3.connect(platform.folder / "placet.db")) as database:
        change(database)
        database.commit()


@pytest.mark.parametrize("name", CHANGES)
def test_changed_record_is_named(copied: Platform, name: str) -> None:
    """Whatever is changed in the stored record, `placet ledger verify` ends with 1 and names the first bad place."""
    change, said = CHANGES[name]
    edit(copied, change)
    done = copied.cli("ledger", "verify", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert re.search(rf"\b{said}\b", done.stdout + done.stderr, re.IGNORECASE)


def test_report_for_programs(copied: Platform) -> None:
    """`placet ledger verify --json` gives the first bad index; before the change it finds nothing."""
    assert json.loads(copied.cli("ledger", "verify", "--json").stdout)["ok"]
    edit(copied, CHANGES["actor"][0])
    report = json.loads(copied.cli("ledger", "verify", "--json", check=False).stdout)
    assert (report["ok"], report["first_bad"]) == (False, 100)
    assert {each["code"] for each in report["problems"]} >= {"entry_changed", "root_mismatch"}


@pytest.mark.parametrize("name", ["body", "commitment cut short", "row removed", "leaf in a tile"])
def test_changed_record_stops_the_signer(copied: Platform, name: str) -> None:
    """A serving platform finds the change, signs nothing more, says so everywhere, and still takes submissions."""
    copied.start(answers="/healthz")
    edit(copied, CHANGES[name][0])
    ready = until(lambda: not_ready(copied), "the halt")
    assert ready == {"status": "failing", "checks": {"ledger": "halted", "store": "ok"}}
    until(lambda: "placet_ledger_halted 1.0" in copied.client().get("/metrics").text, "the metric")
    before = head_of(copied)
    copied.submit(PLAIN)
    assert copied.recorded() > before.size
    with copied.desk(copied.admin) as browser:
        assert "The record does not verify." in browser.get("/desk", headers={"accept-language": "en"}).text
    assert head_of(copied) == before
    assert '"event":"ledger_halted"' in copied.log.read_text()


def not_ready(platform: Platform) -> Doc | None:
    """What /readyz says while it says 503."""
    response = platform.client().get("/readyz")
    found: Doc = response.json()
    return found if response.status_code == 503 else None


def test_stopped_as_operators_do(copied: Platform) -> None:
    """SIGTERM ends the server well: everything is signed, the log is written out, the database is one file again."""
    copied.start()
    assert copied.process is not None
    process = copied.process
    made = copied.submit(PLAIN)["id"]
    copied.stop()
    assert process.returncode == 0
    assert made in copied.log.read_text()
    assert not list(copied.folder.glob("placet.db-*"))
    assert open_checkpoint(head_on_disk(copied), [copied.vkey]).size == copied.recorded()


def test_older_copy_of_the_database(copied: Platform) -> None:
    """A database restored from an older copy than what was published: the signer halts at the start and says why."""
    older = copied.folder / "placet.db"
    kept = older.read_bytes()
    copied.start()
    size = copied.recorded()
    copied.submit(PLAIN)
    until(lambda: head_of(copied).size > size, "a newer head")
    copied.stop()
    older.write_bytes(kept)
    done = copied.cli("ledger", "verify", check=False)
    assert done.returncode == 1
    assert "was seen before" in done.stdout
    copied.start(answers="/healthz")
    assert not_ready(copied)
    assert "was published, but the database ends at" in copied.log.read_text()
    until(lambda: "placet_ledger_halted 1.0" in copied.client().get("/metrics").text, "the metric")
    done = copied.cli("ledger", "checkpoint", check=False)
    assert done.returncode == 1
    assert "was published, but the database ends at" in done.stderr


# --- starts that must not happen ---------------------------------------------------------------------------------


def refused_start(platform: Platform, *options: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Start a server that must not start: its exit code, and the one line that it says."""
    done = placet("serve", "--data", str(platform.folder), *options, check=False, env=env)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("placet: ")
    return done.returncode, line


def test_second_server_on_one_sqlite_folder(copied: Platform) -> None:
    """A second server of one SQLite file does not start, and names the process that serves it."""
    copied.start()
    assert copied.process is not None
    code, line = refused_start(copied, "--port", "0")
    assert code == 1
    assert f"pid {copied.process.pid}" in line
    assert copied.submit(PLAIN)["status"] == "approved"


def test_port_in_use(copied: Platform) -> None:
    """Where somebody else listens, the start ends and names the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, line = refused_start(copied, "--port", str(port))
    assert code == 1
    assert f"127.0.0.1:{port}" in line


def test_key_of_another_ledger(copied: Platform, recorded: Platform, tmp_path: Path) -> None:
    """A signing key that is not this ledger's stops the start, even under the same name."""
    placet("init", "--data", str(tmp_path / "other"))
    shutil.copy(tmp_path / "other" / "ledger.key", copied.folder / "ledger.key")
    code, line = refused_start(copied)
    assert code == 2
    assert f"is signed by {recorded.vkey}" in line


SETTING_MISTAKES: Final[dict[str, tuple[str, str]]] = {
    "unknown setting": ("colour = 1\n", "'colour'"),
    "not TOML": ("port = = 1\n", "placet.toml"),
    "out of bounds": ("body_timeout_s = 0\n", "body_timeout_s must be from 1 to 600"),
    "wrong type": ('max_batch_lines = "many"\n', "max_batch_lines"),
}


@pytest.mark.parametrize("name", SETTING_MISTAKES)
def test_mistake_in_the_settings_file(copied: Platform, name: str) -> None:
    """A mistake in placet.toml stops the start and is named."""
    text, said = SETTING_MISTAKES[name]
    with (copied.folder / "placet.toml").open("a", encoding="utf-8") as file:
        file.write(text)
    code, line = refused_start(copied)
    assert code == 2
    assert said in line
    assert "placet.toml" in line


ENVIRONMENT_MISTAKES: Final[dict[str, tuple[dict[str, str], str]]] = {
    "unknown variable": ({"PLACET_COLOUR": "red"}, "PLACET_COLOUR"),
    "wrong origin": ({"PLACET_ORIGIN": "elsewhere.example/ledger"}, "elsewhere.example/ledger"),
    "unknown pack": ({"PLACET_PACKS": "community,no-such-pack"}, "'no-such-pack'"),
    "no pack": ({"PLACET_PACKS": ","}, "No rule pack"),
    "not a number": ({"PLACET_CHECKPOINT_MS": "soon"}, "PLACET_CHECKPOINT_MS"),
}


@pytest.mark.parametrize("name", ENVIRONMENT_MISTAKES)
def test_mistake_in_the_environment(copied: Platform, name: str) -> None:
    """A mistake in a PLACET_* variable stops the start and is named."""
    env, said = ENVIRONMENT_MISTAKES[name]
    code, line = refused_start(copied, env=env)
    assert code == 2
    assert said in line


def test_broken_pack(copied: Platform, tmp_path: Path) -> None:
    """A pack with a mistake stops the start; file and line of the mistake are named."""
    shipped = Path(sys.modules["placet"].__path__[0]) / "packs" / "community"
    broken = tmp_path / "broken"
    shutil.copytree(shipped, broken)
    rules = (broken / "rules.toml").read_text("utf-8")
    (broken / "rules.toml").write_text(rules + '\n[[rule]]\nid = "unfinished"\n', "utf-8")
    done = placet("serve", "--data", str(copied.folder), check=False, env={"PLACET_PACKS": str(broken)})
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "rules.toml" in done.stderr


def test_database_that_cannot_be_used(copied: Platform) -> None:
    """A file that is no database, a schema of a later release, a server that does not answer: each is one line."""
    edit(copied, lambda database: database.execute("PRAGMA user_version = 99"))
    assert refused_start(copied)[0] == 1
    for file in copied.folder.glob("placet.db*"):
        file.unlink()
    (copied.folder / "placet.db").write_text("no database " * 1_000)
    code, line = refused_start(copied)
    assert code == 1
    assert "file is not a database" in line
    code, line = refused_start(copied, "--database", "postgresql://nobody@127.0.0.1:1/nothing")
    assert code == 1
    assert "PostgreSQL" in line

"""The command line: every command as an operator runs it, on real platforms, also beside a running server."""

import http.server
import json
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from platforms import PLAIN, SOLICITING, WAIT_S, Doc, NewPlatform, Platform, environment, free_port, placet, until
from standardwebhooks import Webhook

from placet import __version__
from placet.ledger.checkpoint import Signer, open_checkpoint
from placet.procedure.access import KEY_SCOPES

pytest_plugins = ("platforms",)
pytestmark = pytest.mark.xdist_group("cli")


def one_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    """What a command that could not do its work says: one line, no traceback."""
    assert done.returncode == code, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("placet: ")
    return line


def status(platform: Platform, token: str) -> int:
    """With which status the running server answers who shows this token."""
    return platform.client(token).get("/v1/publications").status_code


def until_refused(platform: Platform, token: str) -> None:
    """A running server hears within seconds of what another process has ended."""
    until(lambda: status(platform, token) == 401, "the token's end", 20)


# --- set-up ------------------------------------------------------------------------------------------------------


def test_init_for_programs(tmp_path: Path) -> None:
    """`init --json` gives what a script needs: key, one-time link, the ledger's public key. It prints nothing else."""
    done = placet("init", "--data", str(tmp_path / "p"), "--origin", "example.org/log", "--admin", "Ana", "--json")
    made = json.loads(done.stdout)
    assert done.stderr == ""
    assert made["api_key"].startswith("plk_")
    assert re.fullmatch(r"http://localhost:8420/link/pll_[\w-]{43}", made["sign_in_link"])
    assert made["ledger_key"].startswith("example.org/log+")
    assert made["admin"] == {"id": made["admin"]["id"], "name": "Ana", "roles": ["admin", "lead"]}
    for secret in ("ledger.key", "placet.toml"):
        assert (tmp_path / "p" / secret).stat().st_mode & 0o077 == 0


def test_init_refuses_twice(tmp_path: Path) -> None:
    """A second `init` of a folder changes nothing and says why."""
    shown = placet("init", "--data", str(tmp_path)).stdout
    assert "/link/pll_" in shown
    assert "plk_" in shown
    before = (tmp_path / "ledger.key").read_bytes()
    assert "already holds a platform" in one_line(placet("init", "--data", str(tmp_path), check=False), 2)
    assert (tmp_path / "ledger.key").read_bytes() == before


def test_version() -> None:
    """`version` prints the version."""
    assert placet("version").stdout == f"{__version__}\n"


MISUSE: Final[dict[str, list[str]]] = {
    "nothing": [],
    "unknown command": ["publish"],
    "unknown option": ["init", "--colour", "red"],
    "missing argument": ["screen"],
    "missing role": ["staff", "add", "Bo"],
    "unknown role": ["staff", "add", "Bo", "--role", "king"],
    "unknown scope": ["key", "add", "robot", "--scope", "everything"],
    "not a number": ["ledger", "prove", "first"],
    "unusable key": ["ledger", "verify", __file__, "--vkey", "nonsense"],
    "unreadable export": ["ledger", "verify", "/nonexistent/export"],
    "unreadable head": ["ledger", "verify", __file__, "--known", "/nonexistent/head"],
    "folder without a platform": ["rebuild", "--data", "/nonexistent/platform"],
    "folder that cannot be made": ["init", "--data", f"{__file__}/below"],
    "wrong port": ["serve", "--port", "99999"],
    "wrong database": ["rebuild", "--database", "mysql://here"],
    "unknown pack": ["screen", "-", "--pack", "no-such-pack"],
}


@pytest.mark.parametrize("name", MISUSE)
def test_misuse(name: str) -> None:
    """Misuse ends with 2 and a sentence, never with a traceback."""
    done = placet(*MISUSE[name], check=False)
    assert done.returncode == 2
    assert done.stderr + done.stdout
    assert "Traceback" not in done.stderr


# --- staff and keys, beside the running server -------------------------------------------------------------------


def test_person_comes_changes_and_leaves(platform: Platform) -> None:
    """A person's token works as soon as it is printed; new roles, a new token and the end count within seconds."""
    made = json.loads(platform.cli("staff", "add", "Bo Li", "--role", "reviewer", "--json").stdout)
    assert made["roles"] == ["reviewer"]
    assert status(platform, made["api_token"]) == 200
    held = platform.submit_as("held")["id"]
    assert platform.client(made["api_token"]).post(f"/v1/publications/{held}/claim").status_code == 200

    platform.cli("staff", "roles", "Bo Li", "--role", "auditor")
    unclaim = f"/v1/publications/{held}/unclaim"
    until(lambda: platform.client(made["api_token"]).post(unclaim).status_code == 403, "the new roles", 20)

    fresh = json.loads(platform.cli("staff", "token", "bo li", "--json").stdout)["api_token"]
    assert status(platform, fresh) == 200
    until_refused(platform, made["api_token"])

    platform.cli("staff", "end", "Bo Li")
    until_refused(platform, fresh)
    people = {each["name"]: each for each in json.loads(platform.cli("staff", "list", "--json").stdout)}
    assert people["Bo Li"] == {"id": made["id"], "name": "Bo Li", "roles": ["auditor"], "ended": True}
    assert "Bo Li" in platform.cli("staff", "list").stdout


def test_new_link_replaces_the_old(platform: Platform) -> None:
    """`staff link` makes a link that signs in once; the one before stops to work."""
    person = platform.person("reviewer", name="Cy")
    link = httpx.URL(platform.cli("staff", "link", "Cy").stdout.strip()).path
    assert platform.client().get(person.link).status_code == 410
    with platform.desk(person._replace(link=link)) as browser:
        assert browser.get("/desk").status_code == 200
    assert platform.client().get(link).status_code == 410


def test_last_admin_stays(new_platform: NewPlatform) -> None:
    """The last admin neither leaves nor gives the role up; with a second one, both may."""
    platform = new_platform(serve=False)
    assert "last admin" in one_line(platform.cli("staff", "end", "admin", check=False), 1)
    assert "last admin" in one_line(platform.cli("staff", "roles", "admin", "--role", "lead", check=False), 1)
    platform.person("admin", name="Second")
    platform.cli("staff", "end", "admin")
    assert "last admin" in one_line(platform.cli("staff", "end", "Second", check=False), 1)


def test_names_of_staff(platform: Platform) -> None:
    """A name is taken once, whatever its case; nobody is found under an unknown one."""
    platform.person("reviewer", name="Dana")
    assert "already on the staff" in one_line(platform.cli("staff", "add", "DANA", "--role", "lead", check=False), 1)
    assert "nobody named 'Edo'" in one_line(platform.cli("staff", "link", "Edo", check=False), 1)


def test_key_is_made_bound_and_revoked(platform: Platform) -> None:
    """A key works at once, only for what it was made for, and no more within seconds of `key end`."""
    account = platform.open_account()
    key = platform.key("publication.submit", "publication.read", account=account, label="robot")
    assert platform.submit(PLAIN, account=account, token=key.token)["status"] == "approved"
    other = {"account": platform.account, **PLAIN}
    assert platform.client(key.token).post("/v1/publications", json=other).status_code == 404
    assert platform.client(key.token).post("/v1/accounts", json={"class": "other"}).status_code == 403
    platform.cli("key", "end", key.id)
    until_refused(platform, key.token)
    keys = {each["id"]: each for each in json.loads(platform.cli("key", "list", "--json").stdout)}
    assert keys[key.id] == {
        "id": key.id,
        "label": "robot",
        "scopes": ["publication.submit", "publication.read"],
        "account": account,
        "ended": True,
    }
    assert f"{key.id}  robot" in platform.cli("key", "list").stdout


def test_key_has_every_scope_unless_told(platform: Platform) -> None:
    """Without --scope a key may do all that a program may; an account that is not there gets none."""
    made = json.loads(platform.cli("key", "add", "all", "--json").stdout)
    assert made["scopes"] == list(KEY_SCOPES)
    line = one_line(platform.cli("key", "add", "x", "--account", "acc_01jd5c3q6qf0aradm5yxr1ky7k", check=False), 1)
    assert "no such account" in line
    one_line(platform.cli("key", "end", "key_01jd5c3q6qf0aradm5yxr1ky7k", check=False), 1)


# --- webhooks ----------------------------------------------------------------------------------------------------


class Receiver:
    """A webhook receiver on 127.0.0.1 that answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def events(self, dossier: str) -> list[str]:
        """What it was told of a publication."""
        told = [json.loads(body) for _, body in self.got]
        return [each["type"] for each in told if each["data"]["id"] == dossier]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that listens."""
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join(WAIT_S)


def test_webhook_from_first_to_last(new_platform: NewPlatform, receiver: Receiver) -> None:
    """An endpoint added beside the server is told of decisions, signed; a dead letter is listed, sent again, ended."""
    platform = new_platform(webhook_allow_private=True, webhook_attempts=1)
    made = json.loads(platform.cli("webhook", "add", receiver.url, "--json").stdout)
    assert json.loads(platform.cli("webhook", "list", "--json").stdout) == [{"id": made["id"], "url": receiver.url}]

    def told() -> bool:  # the server learns of the endpoint within seconds
        platform.submit(PLAIN)
        return bool(receiver.got)

    until(told, "the first message")
    headers, body = receiver.got[0]
    event: Doc = Webhook(made["secret"]).verify(body, headers)
    assert event["type"] == "publication.approved"
    assert PLAIN["body"] not in body.decode()
    assert platform.cli("webhook", "dead").stdout == "No dead letters.\n"

    receiver.status = 500
    held = platform.submit(SOLICITING)["id"]
    until(lambda: dead_letter(platform, held), "the dead letter")
    dead = dead_letter(platform, held) or {}
    assert dead["error"] == "answered 500"
    receiver.status = 200
    platform.cli("webhook", "replay", dead["id"])
    until(lambda: receiver.events(held) == ["publication.held"] * 2, "the message, again")
    until(lambda: dead_letter(platform, held) is None, "no dead letter")
    line = one_line(platform.cli("webhook", "replay", "dlv_01jd5c3q6qf0aradm5yxr1ky7k", check=False), 1)
    assert "no settled delivery" in line

    platform.cli("webhook", "end", made["id"])
    assert platform.cli("webhook", "list").stdout == "No endpoints.\n"
    assert receiver.events(platform.submit(PLAIN)["id"]) == []


def dead_letter(platform: Platform, dossier: str) -> Doc | None:
    """The dead letter about a publication, as the command lists it; the command ends with 1 when there are any."""
    done = platform.cli("webhook", "dead", "--json", check=False)
    found: list[Doc] = json.loads(done.stdout)
    assert done.returncode == (1 if found else 0)
    return next((each for each in found if each["dossier"] == dossier), None)


@pytest.mark.parametrize("url", ["ftp://example.org/x", "https://example.org/a b", "example.org"])
def test_webhook_address_must_be_one(platform: Platform, url: str) -> None:
    """What is no http address is refused."""
    assert "url" in one_line(platform.cli("webhook", "add", url, check=False), 1)


# --- screen ------------------------------------------------------------------------------------------------------


def screen(lines: bytes, file: str = "-") -> tuple[int, list[Doc], bytes]:
    """Run `placet screen`: its exit code, its answers, its standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "placet", "screen", file, "--quiet"],
        input=lines,
        capture_output=True,
        timeout=WAIT_S,
        check=False,
        env=environment(),
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_screen_answers_in_order(tmp_path: Path) -> None:
    """Each line gets its answer in order, with its id; from a file and from standard input alike."""
    texts = [PLAIN["body"], SOLICITING["body"]] * 400
    lines = b"".join(json.dumps({"text": text, "id": place}).encode() + b"\n" for place, text in enumerate(texts))
    file = tmp_path / "items.jsonl"
    file.write_bytes(lines)
    code, answers, said = screen(lines)
    assert (code, said) == (0, b"")
    assert [answer["id"] for answer in answers] == list(range(800))
    assert [answer["line"] for answer in answers] == list(range(1, 801))
    assert [answer["outcome"] for answer in answers] == ["approve", "hold"] * 400
    assert answers[1]["findings"]
    assert screen(b"", str(file)) == (0, answers, b"")


def test_screen_answers_bad_lines_with_their_mistake() -> None:
    """A line that cannot be read is answered with its mistake in its place; the others are screened; the exit is 1."""
    lines = [
        b'{"text": "good"}',
        b"{",
        b"\xff\xfe not UTF-8",
        b'{"text": "a", "colour": 1}',
        b'{"text": "a", "text": "b"}',
        b'{"text": "a", "body": "b"}',
        b'{"text": "\\ud800"}',
        b'{"title": NaN}',
        b"[" * 100_000,
        b"",
        b'{"title": "good", "body": "too", "id": {"any": [1]}}',
    ]
    code, answers, said = screen(b"\n".join(lines))
    assert (code, said) == (1, b"")
    assert [answer["line"] for answer in answers] == list(range(1, 12))
    assert [answer["outcome"] for answer in answers if "outcome" in answer] == ["approve", "approve"]
    assert answers[-1]["id"] == {"any": [1]}
    assert [answer["error"]["code"] for answer in answers[1:-1]] == [
        "malformed_json",
        "malformed_json",
        "invalid",
        "duplicate_key",
        "invalid",
        "bad_text",
        "not_a_number",
        "too_deep",
        "malformed_json",
    ]


def test_screen_of_a_file_that_is_not_there() -> None:
    """A file that cannot be read is misuse, in one line."""
    code, answers, said = screen(b"", "/nonexistent/items.jsonl")
    assert (code, answers) == (2, [])
    assert said.startswith(b"placet: /nonexistent/items.jsonl cannot be read")
    assert len(said.splitlines()) == 1


# --- checks of the record ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def at_rest(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A platform with a few submissions, no longer running, for commands that change nothing."""
    platform = Platform(tmp_path_factory.mktemp("at-rest") / "data").start()
    try:
        for status in ("approved", "held", "returned", "refused", "scheduled"):
            platform.submit_as(status, account=platform.account)
    finally:
        platform.stop()
    return platform


def edit(platform: Platform, statement: str) -> None:
    """Change one row of a platform's database behind its back."""
    with closing(sqlite3.connect(platform.folder / "placet.db", isolation_level=None)) as database:
        assert database.execute(statement).rowcount == 1


def test_replay_and_rebuild_find_nothing_in_a_good_record(at_rest: Platform) -> None:
    """Every verdict and every state comes out as recorded; the commands say how many they looked at."""
    replayed = json.loads(at_rest.cli("replay", "--json").stdout)
    assert replayed == {"checked": 5, "differences": []}
    assert at_rest.cli("replay").stdout == "5 verdicts derived again, 0 differ.\n"
    rebuilt = json.loads(at_rest.cli("rebuild", "--json").stdout)
    assert rebuilt["checked"] >= 8
    assert rebuilt["differences"] == []


def test_rebuild_names_and_repairs(at_rest: Platform, tmp_path: Path) -> None:
    """A state that its entries do not lead to is named, with exit 1; --repair writes what the entries say."""
    copied = at_rest.copied(tmp_path / "copy")
    edit(copied, "UPDATE dossier SET queue = 'elsewhere' WHERE status = 'held'")
    assert re.search(r"\n  pub_\w+: queue differ", copied.cli("rebuild", check=False).stdout)
    assert copied.cli("rebuild", "--repair", check=False).returncode == 1
    assert json.loads(copied.cli("rebuild", "--json").stdout)["differences"] == []


def test_replay_names_what_does_not_follow(at_rest: Platform, tmp_path: Path) -> None:
    """A recorded verdict that does not follow from the recorded facts is named, with exit 1."""
    copied = at_rest.copied(tmp_path / "copy")
    swapped = """replace(CAST(body AS TEXT), '"outcome":"hold"', '"outcome":"return"')"""
    held = "kind = 'publication.submitted' AND dossier = (SELECT id FROM dossier WHERE status = 'held')"
    edit(copied, f"UPDATE entry SET body = CAST({swapped} AS BLOB) WHERE {held}")
    done = copied.cli("replay", check=False)
    assert done.returncode == 1
    assert re.search(r"\n  pub_\w+ version 1 .*: the verdict comes to hold, recorded is return", done.stdout)


def test_ledger_checkpoint_and_key(at_rest: Platform) -> None:
    """`ledger checkpoint` prints a signed head over everything; `ledger key` the key that it is signed with."""
    key = at_rest.cli("ledger", "key").stdout.strip()
    assert key == at_rest.vkey
    made = json.loads(at_rest.cli("ledger", "checkpoint", "--json").stdout)
    head = open_checkpoint(made["note"], [key])
    assert (head.size, head.root.hex()) == (at_rest.recorded(), made["root"])
    assert at_rest.cli("ledger", "checkpoint").stdout == made["note"]


def test_ledger_prove(at_rest: Platform) -> None:
    """`ledger prove` verifies any entry under the head, and knows none beyond it."""
    found = json.loads(at_rest.cli("ledger", "prove", "3", "--json").stdout)
    assert found["verified"]
    assert json.loads(found["header"])["seq"] == 3
    assert at_rest.cli("ledger", "prove", "0").stdout.endswith("\nverified\n")
    beyond = str(at_rest.recorded())
    assert f"No signed head covers entry {beyond}" in one_line(at_rest.cli("ledger", "prove", beyond, check=False), 1)


def test_ledger_export_verifies_offline(at_rest: Platform, tmp_path: Path) -> None:
    """An export verifies without the platform, against another copy of key and head; it tells no content."""
    file, head = tmp_path / "export.jsonl", tmp_path / "head"
    at_rest.cli("ledger", "export", "--out", str(file))
    assert PLAIN["title"].encode() not in file.read_bytes()
    head.write_text(at_rest.cli("ledger", "checkpoint").stdout, "utf-8")
    done = placet("ledger", "verify", str(file), "--vkey", at_rest.vkey, "--known", str(head))
    assert "\nOK\n" in done.stdout
    assert "the file's own" in placet("ledger", "verify", str(file)).stdout
    other = placet("ledger", "verify", str(file), "--vkey", Signer("else", b"s" * 32).vkey, "--json", check=False)
    assert other.returncode == 1
    assert {each["code"] for each in json.loads(other.stdout)["problems"]} >= {"untrusted_key"}


def test_ledger_verify_names_the_line(at_rest: Platform, tmp_path: Path) -> None:
    """An entry changed in an export is named by its number, with exit 1; so is a file that is no export."""
    lines = at_rest.cli("ledger", "export").stdout.splitlines(keepends=True)
    lines[1 + 4] = lines[1 + 4].replace('"version":1', '"version":2')
    file = tmp_path / "export.jsonl"
    file.write_text("".join(lines), "utf-8")
    done = placet("ledger", "verify", str(file), "--json", check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["first_bad"] == 4
    assert placet("ledger", "verify", __file__, check=False).returncode == 1


def test_ledger_export_with_bodies(at_rest: Platform, tmp_path: Path) -> None:
    """With --bodies what the entries say is disclosed, and checked against what was signed."""
    file = tmp_path / "export.jsonl"
    at_rest.cli("ledger", "export", "--bodies", "--out", str(file))
    text = file.read_text("utf-8")
    assert '"outcome":"hold"' in text
    assert placet("ledger", "verify", str(file)).returncode == 0
    file.write_text(text.replace('"outcome":"hold"', '"outcome":"refuse"'), "utf-8")
    assert "body_mismatch" in placet("ledger", "verify", str(file), check=False).stdout


def test_commands_beside_a_running_server(platform: Platform) -> None:
    """Reading, proving and signing commands work while the server writes, and neither halts the other."""
    platform.submit(PLAIN)
    for command in (["ledger", "checkpoint"], ["ledger", "verify"], ["replay"], ["rebuild"], ["ledger", "prove", "0"]):
        platform.submit(PLAIN)
        platform.cli(*command)
    assert platform.client().get("/readyz").json()["checks"] == {"ledger": "ok", "store": "ok"}


# --- demo --------------------------------------------------------------------------------------------------------


class Demo:
    """A demo platform as `placet demo` starts it."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.shown = folder.parent / f"shown-{self.port}"
        command = [sys.executable, "-m", "placet", "demo", "--data", str(folder), "--port", str(self.port)]
        with self.shown.open("wb") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file, env=environment())

    def link(self) -> str:
        """The printed sign-in link, once it is there."""
        return until(self._link, "the sign-in link").removeprefix("http://localhost:" + str(self.port))

    def _link(self) -> str:
        assert self.process.poll() is None, self.shown.read_text()
        found = re.search(r"sign in \(once\)\s+(http\S+)\n", self.shown.read_text())
        return found[1] if found else ""

    def stop(self) -> None:
        """End it as Ctrl+C does not: by SIGTERM to its process."""
        self.process.terminate()
        assert self.process.wait(WAIT_S) == 0

    def browser(self) -> httpx.Client:
        """A browser without JavaScript."""
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=WAIT_S, follow_redirects=True)


@contextmanager
def demo(folder: Path) -> Iterator[Demo]:
    """A demo that ends with the block."""
    made = Demo(folder)
    try:
        yield made
    finally:
        made.stop()


def sign_in(demo: Demo, browser: httpx.Client, link: str) -> httpx.Response:
    """Click on the button of the link's page."""
    origin = {"origin": f"http://127.0.0.1:{demo.port}"}
    return browser.post("/link", data={"token": link.rpartition("/")[2]}, headers=origin)


def test_demo_is_made_once_and_kept(tmp_path: Path) -> None:
    """The first start makes the demo and prints a link that signs in once, to a full queue; the second keeps it."""
    folder = tmp_path / "demo"
    with demo(folder) as first, first.browser() as browser:
        link = first.link()
        assert sign_in(first, browser, link).status_code == 200
        page = browser.get("/desk").text
        assert len(set(re.findall(r"/desk/items/pub_\w+", page))) >= 10
        with first.browser() as another:
            assert another.get(link).status_code == 410
            assert sign_in(first, another, link).status_code == 410
        size = browser.get("/v1/ledger/checkpoint").text.splitlines()[1]
    with demo(folder) as second, second.browser() as browser:
        fresh = second.link()
        assert fresh != link
        assert "Making the demo" not in second.shown.read_text()
        assert int(browser.get("/v1/ledger/checkpoint").text.splitlines()[1]) >= int(size) > 400
        assert sign_in(second, browser, fresh).status_code == 200
    assert json.loads(placet("rebuild", "--data", str(folder), "--json").stdout)["differences"] == []

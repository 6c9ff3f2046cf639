"""Real platforms for tests: `placet init`, then `placet serve` as a process of its own on a free port of 127.0.0.1.

`platform` is one platform for the whole session, `new_platform` makes fresh ones, each with its own data folder, and
ends them after the test. A server is ended by its own process handle. A module that uses them says `pytest_plugins =
("platforms",)` and imports names from here as well, hence: PYTEST_DONT_REWRITE.
"""

import contextlib
import copy
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import httpx
import pytest

T = TypeVar("T")

Doc = dict[str, Any]
"""A decoded JSON object."""

PACKS: Final = ("community", "cn-public-accounts")
AGREEMENT: Final = "2026-01"
WAIT_S: Final = 60.0
"""How long anything may take on a machine that has much else to do."""
QUICK: Final[Doc] = {"checkpoint_ms": 100, "deadline_poll_ms": 50, "near_days": 0}
"""Settings under which deadlines and heads do not keep a test waiting, and a text may be submitted again and again."""

PLAIN: Final[Doc] = {"title": "Opening hours", "body": "We open at nine on Sundays."}
"""Content that no rule objects to."""
SOLICITING: Final[Doc] = {
    "title": "Spring tea",
    "body": "Fresh leaves are here. Add me on Telegram for the price list.",
}
"""Content with a term of the community pack's list of off-platform contact: held for a person."""
EMPTY: Final[Doc] = {"title": "", "body": " \n "}
"""Content without a word: a rule returns it."""
REPORT: Final[Doc] = {"title": "Sample report", "body": "Text of a sample report.", "category": "current-affairs"}
"""An original piece that its author declares as current-affairs news (IM14 art 7(2))."""
SOURCE: Final[Doc] = {
    "name": "Sample Daily",
    "author": "A. Writer",
    "url": "https://news.example.org/1",
    "title": "Sample report",
}
"""The whole provenance of a repost (PA21 art 17(1), NEWS17 art 15)."""
REPOST: Final[Doc] = {**REPORT, "origin": "repost", "source": SOURCE}


class Person(NamedTuple):
    """Somebody on the staff, with a personal API token and the path of a one-time sign-in link."""

    id: str
    name: str
    token: str
    link: str


class Key(NamedTuple):
    """A program's key."""

    id: str
    token: str


def placet(*arguments: str, check: bool = True, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end; with `check`, it must end well."""
    done = subprocess.run(
        [sys.executable, "-m", "placet", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment() | (env or {}),
    )
    if check and done.returncode:
        raise RuntimeError(f"placet {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def environment() -> dict[str, str]:
    """The environment without settings that would reach into the platforms of tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PLACET_")}


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(question: Callable[[], T], what: str, seconds: float = WAIT_S) -> T:
    """Ask until the answer is true, and give it."""
    end = time.monotonic() + seconds
    while not (answer := question()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.02)
    return answer


def in_time(seconds: float) -> str:
    """An instant so many seconds from now, as RFC 3339."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


class Platform:
    """One platform: its folder, its server process, and what its users do with it."""

    def __init__(self, folder: Path, *, packs: tuple[str, ...] = PACKS, database: str = "", **settings: Any) -> None:
        """Run `placet init` in a new folder; `settings` go into placet.toml."""
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "serve.log"
        """What the server wrote to its standard error."""
        chosen = [part for pack in packs for part in ("--pack", pack)]
        place = ["--database", database] if database else []
        made = json.loads(placet("init", "--data", str(folder), *chosen, *place, "--json").stdout)
        self.api_key: str = made["api_key"]
        self.vkey: str = made["ledger_key"]
        self.admin = Person(made["admin"]["id"], "admin", "", _path(made["sign_in_link"]))
        self._settings = {"port": self.port, **QUICK, **settings}
        with (folder / "placet.toml").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = {json.dumps(value)}\n" for name, value in self._settings.items())
        self.watchers: list[Callable[[httpx.Response], None]] = []
        """Told of every response that a client of this platform gets."""
        self._clients: dict[str, httpx.Client] = {}
        self._staff: dict[tuple[str, ...], Person] = {}
        self._accounts: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None

    # --- the process ---------------------------------------------------------------------------------------------

    def start(self, env: dict[str, str] | None = None, *, answers: str = "/readyz") -> "Platform":
        """Start the server and wait until it answers 200 at that path."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "placet", "serve", "--data", str(self.folder), "--port", str(self.port)],
                stdout=log,
                stderr=log,
                env=environment() | (env or {}),
            )
        until(lambda: self._ready(answers), f"the server of {self.folder} is ready")
        return self

    def _ready(self, path: str) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"The server ended with {self.process.returncode}:\n{self.log.read_text()[-4_000:]}")
        try:
            return httpx.get(f"{self.url}{path}", timeout=WAIT_S).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """End the server as an operator does, by SIGTERM to its process; by SIGKILL if it does not listen."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None

    def kill(self) -> None:
        """End the server without a chance to tidy up."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(WAIT_S)
            self.process = None

    def twin(self) -> "Platform":
        """Another server of the same platform, with a port and a log of its own; not yet started."""
        other = copy.copy(self)
        other.port = free_port()
        other.url = f"http://127.0.0.1:{other.port}"
        other.log = self.folder / f"serve-{other.port}.log"
        other._clients = {}
        other._accounts = dict(self._accounts)
        other.process = None
        return other

    def copied(self, folder: Path) -> "Platform":
        """A platform on a copy of the data folder, taken while no server runs; not yet started."""
        other = self.twin()
        shutil.copytree(self.folder, folder)
        other.folder, other.log = folder, folder / "serve.log"
        return other

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command of `placet` on this platform."""
        return placet(*arguments, "--data", str(self.folder), check=check)

    # --- who asks ------------------------------------------------------------------------------------------------

    @property
    def http(self) -> httpx.Client:
        """A client with the first API key, which has every scope."""
        return self.client(self.api_key)

    def client(self, token: str = "") -> httpx.Client:
        """A client that shows this token, or none."""
        if token not in self._clients:
            headers = {"authorization": f"Bearer {token}"} if token else {}
            self._clients[token] = httpx.Client(
                base_url=self.url,
                headers=headers,
                timeout=WAIT_S,
                verify=False,
                event_hooks={"response": [self._heard]},
            )
        return self._clients[token]

    def _heard(self, response: httpx.Response) -> None:
        response.read()
        for watcher in self.watchers:
            watcher(response)

    def person(self, *roles: str, name: str = "") -> Person:
        """The person who holds exactly these roles, added when first asked for; with a name, always a new one."""
        known = None if name else self._staff.get(roles)
        if known is not None:
            return known
        chosen = [part for role in roles for part in ("--role", role)]
        called = name or " and ".join(roles)
        made = json.loads(self.cli("staff", "add", called, *chosen, "--json").stdout)
        found = Person(made["id"], called, made["api_token"], _path(made["sign_in_link"]))
        if not name:
            self._staff[roles] = found
        return found

    def staff(self, *roles: str, name: str = "") -> httpx.Client:
        """A client of the person with these roles."""
        return self.client(self.person(*roles, name=name).token)

    def key(self, *scopes: str, account: str = "", label: str = "a test's key") -> Key:
        """A new key; all scopes when none is named."""
        chosen = [part for scope in scopes for part in ("--scope", scope)]
        bound = ["--account", account] if account else []
        made = json.loads(self.cli("key", "add", label, *chosen, *bound, "--json").stdout)
        return Key(made["id"], made["api_key"])

    @contextlib.contextmanager
    def desk(self, person: Person) -> Iterator[httpx.Client]:
        """A browser without JavaScript that has signed in by the person's link, which this spends."""
        with httpx.Client(base_url=self.url, timeout=WAIT_S, follow_redirects=True, verify=False) as browser:
            token = person.link.rpartition("/")[2]
            response = browser.post("/link", data={"token": token}, headers={"origin": self.url})
            response.raise_for_status()
            yield browser

    # --- what they do --------------------------------------------------------------------------------------------

    def open_account(self, account_class: str = "other", **fields: Any) -> str:
        """A new account with an agreement, so that only its content is in question; gives its id."""
        asked = {"class": account_class, "display_name": f"{account_class} account", "agreement": AGREEMENT, **fields}
        response = self.http.post("/v1/accounts", json=asked)
        response.raise_for_status()
        identity: str = response.json()["id"]
        return identity

    @property
    def account(self) -> str:
        """An account of class other without rights, the same each time."""
        if "" not in self._accounts:
            self._accounts[""] = self.open_account()
        return self._accounts[""]

    def submit(self, content: Doc = PLAIN, *, account: str = "", token: str = "", **fields: Any) -> Doc:
        """Submit content and give the answer, which must be 201."""
        asked = {"account": account or self.account, **content, **fields}
        response = self.client(token or self.api_key).post("/v1/publications", json=asked)
        if response.status_code != 201:
            raise RuntimeError(f"not submitted: {response.status_code} {response.text}")
        answer: Doc = response.json()
        return answer

    def submit_as(self, status: str, **fields: Any) -> Doc:
        """Submit what is known to get this status: approved, held, returned, refused or scheduled."""
        content = {"approved": PLAIN, "scheduled": PLAIN, "held": SOLICITING, "returned": EMPTY, "refused": REPORT}
        when = {"schedule_at": in_time(3_600)} if status == "scheduled" else {}
        answer = self.submit(content[status], **{**when, **fields})
        assert answer["status"] == status, answer
        return answer

    def read(self, publication: str) -> Doc:
        """A publication as it is now."""
        answer: Doc = self.http.get(f"/v1/publications/{publication}").raise_for_status().json()
        return answer

    def entries(self, dossier: str) -> list[Doc]:
        """The history of a dossier."""
        found: list[Doc] = self.http.get(f"/v1/dossiers/{dossier}/entries").raise_for_status().json()["items"]
        return found

    def recorded(self) -> int:
        """How many entries the record holds, read from the database file itself (SQLite only)."""
        file = f"file:{self.folder / 'placet.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(file, uri=True)) as database:
            count: int = database.execute("SELECT count(*) FROM entry").fetchone()[0]
            return count


def problem_in(response: httpx.Response, status: int, code: str) -> Doc:
    """The problem (RFC 9457) that a response must be, with our `code` and a way out."""
    kind = response.headers.get("content-type", "")
    if (response.status_code, kind) != (status, "application/problem+json"):
        raise AssertionError(f"expected {status} {code}, got {response.status_code} {kind}: {response.text[:2_000]}")
    shown: Doc = response.json()
    if (shown["code"], shown["status"], shown["type"]) != (code, status, f"/api#error-{code}"):
        raise AssertionError(f"expected {status} {code}, got {shown}")
    if not (shown["title"] and shown["detail"] and shown["next_step"]):
        raise AssertionError(f"this problem does not say the way out: {shown}")
    return shown


def _path(link: str) -> str:
    return httpx.URL(link).path


# --- fixtures ----------------------------------------------------------------------------------------------------


class NewPlatform(Protocol):
    """Makes platforms that end with the test."""

    def __call__(
        self, *, packs: tuple[str, ...] = PACKS, database: str = "", serve: bool = True, **settings: Any
    ) -> Platform:
        """A fresh platform, serving unless told otherwise."""


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One serving platform for the session, on SQLite, with both shipped packs. Tests make accounts of their own."""
    made = Platform(tmp_path_factory.mktemp("platform") / "data")
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def new_platform(tmp_path: Path) -> Iterator[NewPlatform]:
    """A factory of fresh platforms."""
    made: list[Platform] = []

    def make(*, packs: tuple[str, ...] = PACKS, database: str = "", serve: bool = True, **settings: Any) -> Platform:
        one = Platform(tmp_path / f"platform{len(made)}", packs=packs, database=database, **settings)
        made.append(one)
        return one.start() if serve else one

    yield make
    for one in made:
        one.stop()

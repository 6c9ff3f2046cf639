"""Whole platforms for tests: the real service, recorder and jobs over a real database, on a clock driven by hand.

Nothing is mocked: what a test sees has been written to, and read back from, SQLite or PostgreSQL. Beside the platform
stand the content that leads to each verdict, packs bent for a purpose, hands that edit the database behind the
platform's back, and `audit_all`, which holds a finished record against everything that must be true of one.
"""

import asyncio
import io
import itertools
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
from stores import Backend, PostgresBackend, SqliteBackend

from placet import audit, kinds
from placet.jobs import Jobs
from placet.ledger.checkpoint import Signer
from placet.ledger.verify import Report, verify
from placet.logs import make_log
from placet.metrics import Metrics
from placet.model import ID_PREFIXES, Item, Refusal, Source
from placet.near_copies import NearCopies
from placet.people import People
from placet.policy import Pack, Policy, load_pack
from placet.procedure import account as accounts
from placet.procedure.access import KEY_SCOPES, permissions_of
from placet.procedure.publication import Command, Decide, Publication, deadlines
from placet.recorder import Recorder
from placet.service import Done, Idempotency, Principal, Service, Submission
from placet.settings import load
from placet.shelf import Shelf, load_named, load_policy
from placet.store.contract import Deadline, EntryRow, Store
from placet.webhooks import Courier

MINUTE: Final = 60_000_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
START: Final = 1_790_000_000_000_000
"""In 2026, when every rule of the shipped packs is in force."""
FOREVER: Final = 2**62
SIGNER: Final = Signer("ledger.example/sim", bytes(range(32)))

PLATFORM: Final = Principal("key_platform", frozenset(KEY_SCOPES))
ANN: Final = Principal("stf_ann", permissions_of(("reviewer",)))
BO: Final = Principal("stf_bo", permissions_of(("reviewer",)))
LEA: Final = Principal("stf_lea", permissions_of(("lead",)))
MAX: Final = Principal("stf_max", permissions_of(("lead",)))

# --- content -----------------------------------------------------------------------------------------------------

GAMBLING: Final = "community.gambling"
FRAUD: Final = "community.fraud"
EMPTY: Final = "community.empty"
NEWS_RIGHT: Final = "im14.7.2"


def item(outcome: str, number: int = 0) -> Item:
    """Content on which the shipped packs come to `outcome`, different for each number."""
    words = f"Notes on the harbour market, part {number}."
    match outcome:
        case "approve":
            return Item("Harbour market", words)
        case "hold":
            return Item("Evenings", f"{words} Our online casino bonus waits for you.")
        case "return":
            return Item("Seen elsewhere", words, origin="repost")
        case "refuse":
            return Item("Report", words, category="current-affairs")
    raise ValueError(outcome)


def repost(number: int = 0) -> Item:
    """A repost of current-affairs news with its whole provenance, which needs the right to repost."""
    source = Source("Harbour Daily", "A. Writer", f"https://daily.example.org/{number}", "The tide")
    return Item("The tide", f"High water at noon, part {number}.", "text", "current-affairs", "repost", source)


def varied(number: int) -> Item:
    """One of many kinds of content, in several languages and formats."""
    kinds_of: tuple[Item, ...] = (
        item("approve", number),
        item("hold", number),
        item("return", number),
        item("refuse", number),
        repost(number),
        Item("春茶", f"第{number}批到店，歡迎來店試飲。"),
        Item("副业", f"刷 单 返 利，日结五百，第{number}期"),
        Item("", " \n\u200b"),
        Item("<b>Tea</b>", f"<p>Leaves &amp; water, {number}</p>", format="html"),
        Item("Links", f"See http://user@example.org/{number} and http://192.0.2.7/", format="markdown"),
        Item("\U0001f375" * 3, f"e\u0301\u0301 tea \U0001f375 {number}"),
        Item("Spring", f"Add me on Telegram for the price list, {number}."),
    )
    return kinds_of[number % len(kinds_of)]


# --- policies ----------------------------------------------------------------------------------------------------


PACKS: Final = ("community", "cn-public-accounts")


@cache
def shipped() -> Policy:
    """The packs that come with the product, in force together."""
    return load_policy(PACKS)


def bent(changes: dict[str, str] | None = None, file: str = "rules.toml", added: str = "") -> Policy:
    """The shipped packs, with passages of `file` replaced where they stand, and text added to the community pack's."""
    packs = [_bent(name, changes or {}, file, added if name == "community" else "") for name in PACKS]
    return Policy(packs)


def _bent(name: str, changes: dict[str, str], file: str, added: str) -> Pack:
    pack = load_named(name)
    text = pack.files[file]
    assert name != "community" or all(old in text for old in changes), f"not every passage stands in {file}"
    for old, new in changes.items():
        text = text.replace(old, new)
    files = {path: body for path, body in pack.files.items() if not path.startswith("cases/")}  # they no longer hold
    return load_pack({**files, file: text + added}).require()


def with_rule(name: str, when: str, ground: str = FRAUD) -> Policy:
    """The shipped packs with one more rule, which holds."""
    return bent(
        added=f"\n[[rule]]\nid = \"{name}\"\non = [\"publication\"]\nwhen = '''{when}'''\nthen = \"hold\"\n"
        f'ground = "{ground}"\nfrom = 2020-01-01\n'
    )


FAILING: Final = "item.title.size() > 0 && item.media[7].alt == ''"
"""A condition that is well typed and fails at run time: there is no eighth medium."""


# --- the platform ------------------------------------------------------------------------------------------------


class Clock:
    """A clock that goes only when it is told to, in either direction."""

    def __init__(self, at: int = START) -> None:
        self.at = at

    def __call__(self) -> int:
        """The present instant."""
        return self.at


_numbers = itertools.count(1)


def new_id(kind: str) -> str:
    """An id that no other call in this process gives: a TypeID whose suffix counts."""
    return f"{ID_PREFIXES[kind]}_{next(_numbers):026}"


class Platform:
    """One process: service, people, recorder and jobs over one open store."""

    def __init__(self, store: Store, folder: Path, clock: Clock, policy: Policy, near_days: int = 0) -> None:
        settings = load({"data": str(folder), "log_level": "error"}, {})
        self.store = store
        self.clock = clock
        self.folder = folder
        self.log = io.StringIO()
        shelf = Shelf(store, policy, clock)
        near = NearCopies(store, near_days, settings.near_texts, shelf.near_windows) if near_days else None
        self.service = Service(store, shelf, near=near, clock=clock, ids=new_id)
        self.people = People(self.service)
        self.recorder = self.new_recorder()
        courier = Courier(store, settings, clock)
        self.jobs = Jobs(self.service, self.recorder, courier, Metrics(), settings, make_log("error", self.log))

    def new_recorder(self) -> Recorder:
        """A signer as after a new start: it remembers nothing but the head file."""
        return Recorder(self.store, SIGNER, self.folder / "ledger.head", self.clock)

    async def open_account(self, *rights: str, external_id: str = "") -> str:
        """An account with an agreement and these rights: its id."""
        done = await self.service.open_account(
            WRITER,
            lambda identity: accounts.Open(identity, "other", "Harbour", rights, "2026-01", external_id),
            None,
            None,
        )
        identity: str = did(done).state.id
        return identity

    async def set_rights(self, account: str, *rights: str) -> None:
        """The account holds these rights from now on."""
        did(await self.service.change_account(WRITER, account, accounts.SetRights(rights)))

    async def close_account(self, account: str) -> None:
        """The account is closed."""
        did(await self.service.change_account(WRITER, account, accounts.Close()))

    async def submit(
        self, account: str, content: str | Item = "approve", who: Principal = PLATFORM, **fields: Any
    ) -> Publication:
        """A submission that is accepted: its state."""
        given = item(content, next(_numbers)) if isinstance(content, str) else content
        done = await self.service.submit(who, Submission(account, given, **fields))
        state: Publication = did(done).state
        return state

    async def act(self, publication: str, command: Command, who: Principal = ANN) -> Publication:
        """A command that is carried out: the state after it."""
        state: Publication = did(await self.service.act(who, publication, command)).state
        return state

    async def approve(self, state: Publication, who: Principal = ANN) -> Publication:
        """A person approves."""
        return await self.act(state.id, Decide("approve", state.version), who)

    async def release(self, publication: str) -> Publication:
        """Publish, or find out what stands in the way."""
        state: Publication = did(await self.service.release(LEA, publication)).state
        return state

    async def state(self, publication: str) -> Publication:
        """A publication as stored."""
        state: Publication = await self.service.state(publication)
        return state

    async def kinds_of(self, dossier: str) -> list[str]:
        """What has happened to a dossier, without its kind's name: ["submitted", "released"]."""
        return [each.kind.partition(".")[2] for each in await self.store.entries(dossier)]

    async def run_deadlines(self) -> int:
        """Fire what is due, round after round, until nothing is: how many were looked at."""
        total = 0
        for _ in range(50):
            if not (looked := await self.jobs.deadlines()):
                return total
            total += looked
        raise AssertionError("deadlines that fire do not go away")

    async def export(self, *, bodies: bool = True) -> Report:
        """What the offline verifier says of an export."""
        lines = [line async for line in audit.export(self.store, self.recorder, bodies=bodies)]
        return verify(lines, trusted_vkey=SIGNER.vkey)


WRITER: Final = Principal("key_writer", frozenset({"account.write"}))


def did(result: Done | Refusal) -> Done:
    """What was done; a refusal fails the test."""
    assert isinstance(result, Done), result
    return result


def refused(result: Done | Refusal) -> Refusal:
    """Why not; what was done fails the test."""
    assert isinstance(result, Refusal), result
    return result


def once(key: str, request: bytes = b"request") -> Idempotency:
    """An Idempotency-Key with the digest of its request."""
    return Idempotency(key, request)


def reply(done: Done) -> bytes:
    """The answer that is kept with an Idempotency-Key."""
    return f"{done.state.id} {done.state.version}".encode()


@asynccontextmanager
async def platform_on(
    backend: Backend,
    folder: Path,
    clock: Clock,
    policy: Policy | None = None,
    *,
    serving: bool = True,
    near_days: int = 0,
) -> AsyncIterator[Platform]:
    """A platform, opened and started; a second one on the same database is another process."""
    store = backend.store(serving=serving)
    await store.open()
    platform = Platform(store, folder, clock, policy or shipped(), near_days)
    try:
        await platform.recorder.start()
        await platform.service.start()
        yield platform
    finally:
        await platform.service.stop()
        await platform.jobs.stop()
        await store.close()


# --- behind the platform's back ----------------------------------------------------------------------------------


async def alter(backend: Backend, statement: str, *values: Any) -> None:
    """Run one statement in the database, as somebody with access to it might; values stand at `?`."""
    if isinstance(backend, SqliteBackend):
        await asyncio.to_thread(_alter_file, backend.path, statement, values)
        return
    assert isinstance(backend, PostgresBackend)
    for place in range(1, len(values) + 1):
        statement = statement.replace("?", f"${place}", 1)
    await backend.sql(statement, *values)


def _alter_file(path: Path, statement: str, values: tuple[Any, ...]) -> None:
    connection = sqlite3.connect(path, timeout=10, isolation_level=None)
    try:
        connection.execute(statement, values)
    finally:
        connection.close()


async def edit_body(backend: Backend, store: Store, seq: int, **changes: Any) -> None:
    """Rewrite fields of an entry's body, leaving all else."""
    (row,) = await store.entries_from(seq, 1)
    assert row.body is not None
    body = msgspec.json.decode(row.body) | changes
    await alter(backend, "UPDATE entry SET body = ? WHERE seq = ?", msgspec.json.encode(body, order="sorted"), seq)


async def edit_state(backend: Backend, store: Store, dossier: str, **changes: Any) -> None:
    """Rewrite fields of a dossier's encoded state, leaving all else."""
    row = await store.dossier(dossier)
    assert row is not None
    state = msgspec.json.decode(row.state) | changes
    await alter(backend, "UPDATE dossier SET state = ? WHERE id = ?", msgspec.json.encode(state), dossier)


# --- what must be true of any record -----------------------------------------------------------------------------

_JUDGEMENTS: Final = ("approved", "returned", "refused", "escalated", "taken_down")


async def audit_all(platform: Platform) -> list[EntryRow]:
    """Hold the whole record against what must always be true; gives its entries."""
    rows = await platform.store.entries_from(0, 100_000)
    assert [each.seq for each in rows] == list(range(len(rows)))
    assert max(Counter(each.id for each in rows).values()) == 1
    versions: Counter[str] = Counter()
    for each in rows:
        versions[each.dossier] += 1
        assert each.version == versions[each.dossier], each
    rebuilt = await audit.rebuild(platform.store)
    assert rebuilt.differences == []
    assert rebuilt.checked == len(versions)
    replayed = await audit.replay(platform.service)
    assert replayed.differences == []
    assert replayed.checked == sum(each.kind in ("publication.submitted", "publication.revised") for each in rows)
    await _check_publications(platform, rows)
    return rows


async def _check_publications(platform: Platform, rows: Sequence[EntryRow]) -> None:
    states = [kinds.decode(row) async for row in platform.store.states() if row.kind == "publication"]
    wanted = {Deadline(each.id, *deadline) for each in states for deadline in deadlines(each)}
    assert set(await platform.store.due(FOREVER, 100_000)) == wanted
    for state in states:
        check_publication(state, [each for each in rows if each.dossier == state.id])
        if state.live_revision:
            assert await platform.service.content(state.live_revision)


def check_publication(state: Publication, rows: Sequence[EntryRow]) -> None:
    """What must be true of one publication and its history."""
    submitter, approved = "", set[str]()
    for row in rows:
        what = row.kind.removeprefix("publication.")
        body = msgspec.json.decode(row.body or b"{}")
        if what in ("submitted", "revised"):
            submitter = row.actor
            approved.discard(body["revision"])
        if what == "approved" or body.get("outcome") == "approve":
            approved.add(body["revision"])
        if what in _JUDGEMENTS and not row.actor.startswith("system:"):
            assert row.actor != submitter, row
        if what in ("approved", "returned", "refused", "taken_down"):
            assert row.actor.startswith("stf_"), row
        if what == "released":
            assert body["revision"] in approved, row
    if state.status == "held":
        assert state.owner
        assert state.hold_reason
        assert state.held_until
        assert state.queue in ("review", "lead")
    if state.status in ("withdrawn", "taken_down"):
        assert not state.live_revision

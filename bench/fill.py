"""Platforms with as many dossiers as wanted, made fast: a few real lives of publications, copied many times.

Each life is led once, through the service, by the rules of the packs: submitted, released, held, escalated, returned,
refused. A copy has ids, times, account and content of its own, and its commitments and revision are computed again,
so that `rebuild` finds no difference and the ledger verifies. What is filled is kept in the temporary folder for some
hours.
"""

import asyncio
import fcntl
import hashlib
import os
import random
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace
from typeid import TypeID
from uuid_utils import UUID

from bench.content import SOLICITING, text_of
from bench.report import check
from bench.server import initialise
from placet import audit, kinds
from placet.house import House, open_house
from placet.ledger.encode import commitment
from placet.logs import make_log
from placet.model import Item, Micros
from placet.procedure import account as accounts
from placet.procedure import publication as publications
from placet.service import Principal, Submission, now
from placet.settings import load
from placet.store.contract import Commit, Committed, Deadline, DossierRow, EntryRow, Query

HOUR: Final = 3_600_000_000
KEPT_S: Final = 12 * 3_600
"""Escalated items are due from 14 hours on: kept for longer, their deadlines would fire while it is measured."""
GROUP: Final = 20_000
PER_ACCOUNT: Final = 100
BUSIEST: Final = 0.05
"""The share of all publications that one account has."""
TEXTS: Final = 16
"""Lives of each kind, each with a text of its own."""
CHECKED: Final = 20_000
"""Up to so many dossiers, a filled platform is derived again as a whole."""
MARK: Final = "No. 00000000"
"""Stands in every text and name, and is replaced by the number of the copy."""
SHARES: Final = {"released": 880, "approved": 50, "refused": 20, "returned": 20, "scheduled": 10, "held": 15, "lead": 5}
"""Of a thousand publications: two in a hundred wait for a person, a quarter of these with the leads."""
_INSTANT: Final = re.compile(rb"(?<![0-9a-f])1[789]\d{14}(?![0-9a-f])")


class Life(NamedTuple):
    """All that is stored of one dossier."""

    entries: list[EntryRow]
    row: DossierRow
    deadlines: tuple[Deadline, ...]
    revision: str = ""
    content: bytes = b""


class HandClock:
    """A clock that goes only when it is told to."""

    def __init__(self, at: Micros) -> None:
        self.at = at

    def __call__(self) -> Micros:
        """The present instant, a moment later each time."""
        self.at += 1_000
        return self.at


# --- lives, led through the service ------------------------------------------------------------------------------


async def lead_lives(house: House, clock: HandClock) -> tuple[Life, dict[str, list[Life]]]:
    """One account, and TEXTS publications for each key of SHARES."""
    people = house.people
    (person, *_), (key, *_) = await people.staff(), await people.keys()
    who, lead = await people.principal_of(key.id), await people.principal_of(person.id)
    assert who is not None
    assert lead is not None
    account = await _open_account(house, who)
    rng = random.Random(7)
    lives: dict[str, list[Life]] = {}
    for fate in SHARES:
        texts = [text_of(rng) for _ in range(TEXTS)]
        led = asyncio.gather(*(_lead(house, clock, who, lead, account, fate, text) for text in texts))
        lives[fate] = list(await led)
    return await _stored(house, account), lives


async def _open_account(house: House, who: Principal) -> str:
    def opening(identity: str) -> accounts.Open:
        name = f"Account {MARK}"
        return accounts.Open(identity, account_class="individual", display_name=name, agreement="2026-01")

    done: Any = await house.service.open_account(who, opening, None, None)
    identity: str = done.state.id
    return identity


async def _lead(
    house: House, clock: HandClock, who: Principal, lead: Principal, account: str, fate: str, text: str
) -> Life:
    service = house.service
    body = text if fate in ("released", "approved", "scheduled") else f"{text} {SOLICITING}"
    item = Item(title=f"{text[:30]} {MARK}", body=f"{body} {MARK}")
    ask = Submission(account, item, schedule_at=clock.at + 90 * 24 * HOUR if fate == "scheduled" else 0)
    done: Any = await service.submit(who, ask)
    identity, version = done.state.id, done.state.version
    ground = done.state.grounds[0] if done.state.grounds else ""
    words = "The text leads readers to another service."
    if fate == "released":
        await service.release(who, identity)
    elif fate == "returned":
        command = publications.Decide("return", version, ground, facts=words, reason=words, changes="Take it out.")
        await service.act(lead, identity, command)
    elif fate == "refused":
        await service.act(lead, identity, publications.Decide("refuse", version, ground, facts=words, reason=words))
    elif fate == "lead":
        await service.act(lead, identity, publications.Decide("escalate", version, reason=words))
    life = await _stored(house, identity)
    found = "lead" if life.row.queue == "lead" else life.row.status
    check(found == fate, f"A life that should end {fate} ends {found}.")
    return life


async def _stored(house: House, dossier: str) -> Life:
    row = await house.store.dossier(dossier)
    assert row is not None
    state = kinds.decode(row)
    entries = await house.store.entries(dossier)
    deadlines = kinds.due(kinds.KINDS[row.kind], state)
    revision = getattr(state, "revision", "")
    content = await house.store.blob(bytes.fromhex(revision)) if revision else b""
    return Life(entries, row, deadlines, revision, content or b"")


# --- copies ------------------------------------------------------------------------------------------------------


def identity(prefix: str, at: Micros, rng: random.Random) -> str:
    """A TypeID (UUIDv7) of that instant."""
    number = (at // 1_000) << 80 | 7 << 76 | rng.getrandbits(12) << 64 | 2 << 62 | rng.getrandbits(62)
    return str(TypeID.from_uuid(UUID(int=number), prefix=prefix))


def copy(life: Life, number: int, at: Micros, account: str, rng: random.Random) -> Commit:
    """The life once more, begun at `at`, as the copy with that number. An account's own life gets the id `account`."""
    shift = at - life.entries[0].at
    is_account = life.row.kind == "account"
    name = account if is_account else identity("pub", at, rng)
    mark = f"No. {number:08}".encode()
    content = life.content.replace(MARK.encode(), mark)
    digest = hashlib.sha256(content).digest()
    changes = [(life.row.id.encode(), name.encode()), (MARK.encode(), mark)]
    if not is_account:
        changes += [(life.row.account.encode(), account.encode()), (life.revision.encode(), digest.hex().encode())]

    def changed(text: bytes) -> bytes:
        for old, new in changes:
            text = text.replace(old, new)
        return _INSTANT.sub(lambda found: str(int(found[0]) + shift).encode(), text)

    row = life.row
    return Commit(
        expects={name: 0},
        entries=tuple(_entry(entry, name, shift, changed(entry.body or b""), rng) for entry in life.entries),
        dossiers=(
            replace(
                row,
                id=name,
                account=account,
                due_at=row.due_at and row.due_at + shift,
                opened_at=row.opened_at + shift,
                updated_at=row.updated_at + shift,
                state=changed(row.state),
            ),
        ),
        deadlines=tuple(Deadline(name, each.kind, each.at + shift) for each in life.deadlines),
        blobs=() if is_account else ((digest, content),),
    )


def _entry(entry: EntryRow, dossier: str, shift: int, body: bytes, rng: random.Random) -> EntryRow:
    at = entry.at + shift
    salt = rng.randbytes(32)
    return replace(
        entry,
        id=identity("ent", at, rng),
        at=at,
        dossier=dossier,
        basis=replace(entry.basis, instant=entry.basis.instant + shift),
        body=body,
        salt=salt,
        commitment=commitment(salt, body),
        seq=-1,
    )


def copies(account: Life, lives: dict[str, list[Life]], dossiers: int, until: Micros) -> Iterator[Commit]:
    """So many dossiers, accounts first, in the order of time.

    What waits for a person began in the last ten hours, and what is scheduled is so for 90 days: nothing comes due.
    """
    rng = random.Random(dossiers)
    many = max(1, dossiers // PER_ACCOUNT)
    publications_wanted = dossiers - many
    start = until - 60 * 24 * HOUR
    names = [identity("acc", start + number * 1_000, rng) for number in range(many)]
    for number, name in enumerate(names):
        yield copy(account, number, start + number * 1_000, name, rng)
    fates = list(SHARES)
    weights = list(SHARES.values())
    for number in range(publications_wanted):
        first = number < len(fates)  # one of each, so that small platforms have them too
        fate = fates[number] if first else rng.choices(fates, weights)[0]
        share = number / publications_wanted
        waits = fate in ("held", "lead")
        at = until - 10 * HOUR + int(9 * HOUR * share) if waits else start + HOUR + int((until - start - HOUR) * share)
        owner = names[0] if first or rng.random() < BUSIEST else names[rng.randrange(many)]
        yield copy(lives[fate][number % TEXTS], number, at, owner, rng)


# --- filling and keeping -----------------------------------------------------------------------------------------


class Filled(NamedTuple):
    """A platform as filled: its folder, and what `placet init` said."""

    folder: Path
    api_key: str
    vkey: str
    admin: str
    dossiers: int


def filled(dossiers: int) -> Filled:
    """A platform with so many accounts and publications, filled now or kept from an earlier run. Copy it before use."""
    kept = _shelf() / f"{dossiers}-{_digest()}"
    said = kept / "said.json"
    with (_shelf() / f"{dossiers}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be filling it
        if not said.exists() or time.time() - said.stat().st_mtime > KEPT_S:
            for old in _shelf().glob(f"{dossiers}-*"):
                shutil.rmtree(old)
            made = initialise(kept / "data")
            asyncio.run(fill(kept / "data", dossiers))
            said.write_bytes(msgspec.json.encode(made))
    made = msgspec.json.decode(said.read_bytes())
    return Filled(kept / "data", made["api_key"], made["ledger_key"], made["admin"]["name"], dossiers)


def _shelf() -> Path:
    folder = Path(tempfile.gettempdir()) / f"placet-bench-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else.")
    return folder


def _digest() -> str:
    """Of all that decides what is stored: schema, procedures, packs, encoding, and this file."""
    package = Path(str(files("placet")))
    wanted = [*package.glob("store/schema/*.sql"), *package.glob("procedure/*.py"), *package.glob("packs/**/*.toml")]
    wanted += [*package.glob("ledger/*.py"), package / "kinds.py", Path(__file__)]
    digest = hashlib.sha256()
    for file in sorted(wanted):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


async def fill(folder: Path, dossiers: int) -> None:
    """Fill a new platform, sign a head over it, and check that it is what the service would have made."""
    clock = HandClock(now() - HOUR)
    settings = load({"data": str(folder)}, {})
    async with open_house(settings, serving=False, clock=clock, log=make_log("error")) as house:
        account, lives = await lead_lives(house, clock)
        before = await house.store.size()
        expected: Counter[str] = Counter()
        group: list[Commit] = []
        for commit in copies(account, lives, dossiers, now()):
            group.append(commit)
            expected[commit.dossiers[0].status] += 1
            if len(group) == GROUP:
                before += await _write(house, group)
                group = []
        before += await _write(house, group)
        head = await house.recorder.checkpoint()
        check(head is not None and head.size == before, "The head does not cover what was filled.")
        await _check(house, expected, before if dossiers <= CHECKED else 0)


async def _write(house: House, group: Sequence[Commit]) -> int:
    results = await house.store.write(group)
    check(all(isinstance(each, Committed) for each in results), "A copy was not written.")
    return sum(len(commit.entries) for commit in group)


async def _check(house: House, expected: Counter[str], entries: int) -> None:
    """The counts; and where that is quick, every state and every verdict derived again."""
    for status, count in expected.items():
        found = await house.store.count(Query(status=status), 10_000_000)
        check(found >= count, f"{count} dossiers should be {status}, {found} are.")
    if entries:
        for outcome in (await audit.rebuild(house.store), await audit.replay(house.service)):
            check(not outcome.differences, f"What was filled is not sound: {outcome.differences[:3]}")

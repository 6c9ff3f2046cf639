"""The demo platform: made on the first start with accounts, submissions and some decisions, then served.

Everything goes through the same service as on a real platform; only the clock is driven by hand while it is made, so
that the queue has a past: some items are fresh, some nearly due, some overdue.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from placet.demo import DemoSubmission, load_accounts, load_submissions
from placet.errors import PlacetError
from placet.house import DATABASE_FILE, House, open_house
from placet.logs import make_log
from placet.model import Item, Micros, Refusal
from placet.people import HOUR, SYSTEM_OPERATOR
from placet.procedure import account as accounts
from placet.procedure import publication as publications
from placet.service import Done, Principal, Service, Submission, now
from placet.settings import Settings, load
from placet.store.contract import Query

PACKS: Final = ("community", "cn-public-accounts")
ADMIN: Final = "Ada (demo admin)"
STAFF: Final = (
    ("Mei-Lin", ("reviewer",)),
    ("Tomás", ("reviewer",)),
    ("Farida", ("lead",)),
    ("Noor", ("auditor",)),
    ("Inés", ("policy_approver",)),
)
_PAST_HOURS: Final = 74
_DECIDED_SHARE: Final = 4
_OPEN_SHARE: Final = 5

console = Console(stderr=True, highlight=False, soft_wrap=True)


class HandClock:
    """A clock that goes only when it is told to."""

    def __init__(self, at: Micros) -> None:
        self.at = at

    def __call__(self) -> Micros:
        """The present instant."""
        return self.at


def run_demo(*, data: str, host: str | None, port: int | None) -> None:
    """Make the demo if it is not there yet, print how to get in, and serve it."""
    from placet.web.server import serve  # noqa: PLC0415 - making the demo needs no web stack

    folder = Path(data)
    settings = load({"data": data, "host": host, "port": port, "packs": list(PACKS), "origin": "demo.placet.local"})
    if not (folder / "placet.toml").exists():
        asyncio.run(_make(settings))
    log_file = (folder / "placet.log").open("a", encoding="utf-8", buffering=1)
    serve(settings, _greet, demo=True, log=make_log(settings.log_level, log_file))


async def _greet(house: House) -> None:
    person = await house.people.named(ADMIN)
    link = await house.people.link(SYSTEM_OPERATOR, person.id)
    base = house.settings.base_url
    waiting = await house.store.count(Query(queue="*"), 10_000)
    address = f"http://{house.settings.host}:{house.settings.port}"
    lines = [
        "",
        f"  Placet demo     {base}",
        f"  sign in (once)  {base}{link}",
        f"  API             {base}/api",
        "",
        f"  {waiting} items wait at the review desk. Rule packs: {', '.join(PACKS)}.",
        f"  Listening on {address}. Log: {house.settings.folder / 'placet.log'}. Stop with Ctrl+C.",
        "",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


async def _make(settings: Settings) -> None:
    """Build the demo; the settings file is written last, so that a start that broke off starts over."""
    _clear(settings.folder)
    clock = HandClock(now() - _PAST_HOURS * HOUR)
    log = make_log("error", sys.stderr)
    async with open_house(settings, serving=True, create_key=True, clock=clock, run_jobs=False, log=log) as house:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
            await _fill(house, clock, bar)
        await house.recorder.checkpoint()
    (settings.folder / "placet.toml").write_text(
        "# The demo platform; docs/operations.md lists every setting.\n"
        f'origin = "{settings.origin}"\npacks = {json.dumps(list(PACKS))}\n',
        "utf-8",
    )


def _clear(folder: Path) -> None:
    for name in (DATABASE_FILE, DATABASE_FILE + "-wal", DATABASE_FILE + "-shm", "ledger.key", "ledger.head"):
        (folder / name).unlink(missing_ok=True)


async def _fill(house: House, clock: HandClock, bar: Progress) -> None:
    people = house.people
    _ok(await people.add(SYSTEM_OPERATOR, ADMIN, ("admin", "lead", "policy_editor"), founding=True))
    staff = [_ok(await people.add(SYSTEM_OPERATOR, name, roles)) for name, roles in STAFF]
    reviewers = [await _principal(house, person.id) for person in staff[:3]]
    key, _ = _ok(await people.add_key(SYSTEM_OPERATOR, "demo platform"))
    platform = await _principal(house, key.id)
    ids = await _open_accounts(house.service, platform)
    submissions = load_submissions()
    task = bar.add_task("submissions", total=len(submissions))
    step = (now() - clock.at) // (len(submissions) + 1)
    console.print(f"Making the demo platform: {len(ids)} accounts, {len(submissions)} submissions.", markup=False)
    for count, sample in enumerate(submissions):
        clock.at += step
        done = await _submit(house.service, platform, ids, sample, clock)
        await _go_on(house.service, platform, reviewers, done, count)
        bar.update(task, advance=1)
        if not console.is_terminal and count and count % 100 == 0:
            console.print(f"  {count} of {len(submissions)}", markup=False)


async def _principal(house: House, identity: str) -> Principal:
    found = await house.people.principal_of(identity)
    assert found is not None
    return found


async def _open_accounts(service: Service, who: Principal) -> dict[str, str]:
    ids = {}
    for sample in load_accounts():

        def command(identity: str, sample: Any = sample) -> accounts.Open:
            return accounts.Open(
                id=identity,
                account_class=sample.account_class,
                display_name=sample.display_name,
                rights=sample.rights,
                agreement=sample.agreement,
                external_id=sample.key,
                language=sample.language,
            )

        ids[sample.key] = _ok(await service.open_account(who, command, None, None)).state.id
    return ids


async def _submit(
    service: Service, who: Principal, ids: dict[str, str], sample: DemoSubmission, clock: HandClock
) -> Done:
    item = Item(
        title=sample.title,
        body=sample.body,
        format=sample.format,
        category=sample.category,
        origin=sample.origin,
        source=sample.source,
        media=sample.media,
    )
    hours = sample.schedule_in_hours
    schedule = clock.at + hours * HOUR if hours else 0
    done: Done = _ok(await service.submit(who, Submission(ids[sample.account], item, schedule, sample.external_id)))
    return done


async def _go_on(service: Service, platform: Principal, reviewers: list[Principal], done: Done, count: int) -> None:
    """Most approved items are released; some held ones have been decided, so that the record has a past."""
    state: publications.Publication = done.state
    if state.status == "approved" and count % _OPEN_SHARE:
        _ok(await service.release(platform, state.id))
    if state.status == "held" and count % _DECIDED_SHARE == 0:
        who = reviewers[count % len(reviewers)]
        decision = _DECISIONS[count // _DECIDED_SHARE % len(_DECISIONS)]
        ground = state.grounds[0] if state.grounds and decision.choice != "approve" else ""
        command = msgspec.structs.replace(decision, version=state.version, ground=ground)
        result = await service.act(who, state.id, command)
        if isinstance(result, Done) and result.state.status == "approved":
            _ok(await service.release(platform, state.id))


_DECISIONS: Final = (
    publications.Decide(
        choice="refuse",
        version=0,
        facts="The text asks readers to continue on another service and offers a paid group there.",
        reason="This is off-platform solicitation; the clause does not allow it in public posts.",
    ),
    publications.Decide(choice="approve", version=0, reason="The words are quoted in order to warn of them."),
    publications.Decide(
        choice="return",
        version=0,
        changes="請刪去文末的聯絡方式，其餘內容可以保留。",
        facts="文末附有站外聯絡方式。",
        reason="刪去後即可再次提交。",
    ),
    publications.Decide(
        choice="refuse",
        version=0,
        facts="文中列出了付费涨粉的价目。",
        reason="出售粉丝与互动数据，违反平台规则中关于虚假数据的条款。",
    ),
)


def _ok(result: Any) -> Any:
    if isinstance(result, Refusal):
        raise PlacetError(f"The demo could not be made: {result.code} {dict(result.facts)}.", code="internal")
    return result

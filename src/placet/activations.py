"""The packs as people change them: drafts, checks, proposals, approvals; over one service.

A pack's files lie among the blobs under the hash of their archive, so that what was approved is what is in force.
Loading a pack, which runs its golden cases, and compiling a policy are done in threads: submissions wait for no editor.
"""

import asyncio
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec
from whenever import PlainDateTime, RepeatedTime, SkippedTime

from placet import kinds
from placet.backtest_report import Report, judged_with, read_report
from placet.errors import SettingsError, StoreCorrupt
from placet.model import Micros, Refusal
from placet.policy import LoadResult, Pack, Problem, load_pack
from placet.procedure.activation import NOTICE, Activation, Approve, Command, Propose, Return, Save, Withdraw, decide
from placet.procedure.fold import Context
from placet.service import Done, Plan, Principal, Service, plainly
from placet.shelf import Step, archive_of
from placet.store.contract import Query

_MOST: Final = 200
MOST_CHARS: Final = 4_000_000
"""Characters of all files of a pack that is edited here; a larger one comes with the settings."""


class Draft(NamedTuple):
    """A version of a pack with its files, and what checking them says."""

    state: Activation
    files: Mapping[str, str]
    checked: LoadResult


class Activations:
    """Everything about versions of packs, over one service."""

    def __init__(self, service: Service, detectors: frozenset[str] = frozenset()) -> None:
        """`detectors`: those from outside that this platform has; a pack may ask for no other."""
        self._service = service
        self._detectors = detectors
        self._approving = asyncio.Lock()
        """Two versions that fit what is in force may not fit each other."""

    # --- reading -------------------------------------------------------------------------------------------------

    async def all(self) -> list[Activation]:
        """The newest versions, newest first."""
        rows = await self._service.store.page(Query(kind="activation", order="newest", limit=_MOST))
        return [kinds.decode(row) for row in rows]

    async def state(self, activation: str) -> Activation | None:
        """One version; None where there is no such."""
        row = await self._service.store.dossier(activation)
        return kinds.decode(row) if row is not None and row.kind == "activation" else None

    async def draft(self, activation: str) -> Draft | None:
        """One version with its files, checked again; None where there is no such."""
        state = await self.state(activation)
        if state is None:
            return None
        files = await self.files(state.archive)
        return Draft(state, files, await check(state.pack, files))

    async def files(self, archive: str) -> dict[str, str]:
        """The files of an archive by its hash, in hex. Raises StoreCorrupt."""
        content = await self._service.store.blob(bytes.fromhex(archive))
        if content is None:
            raise StoreCorrupt(f"The archive {archive} of a pack is missing.")
        return msgspec.json.decode(content, type=dict[str, str])

    def in_force(self, pack: str) -> Pack | None:
        """The version of a pack that is in force now."""
        return next((each for each in self._service.policy.packs if each.id == pack), None)

    async def backtest(self, digest: str) -> Report | None:
        """The report with that hash, in hex; None without one, and where it cannot be read any more."""
        content = await self._service.store.blob(bytes.fromhex(digest)) if digest else None
        return read_report(content) if content is not None else None

    # --- editing -------------------------------------------------------------------------------------------------

    async def open(self, who: Principal, pack: str, files: Mapping[str, str], note: str = "") -> Done | Refusal:
        """Begin a version of a pack with these files."""
        return await self._save(who, self._service.ids("activation"), pack, files, note, fresh=True)

    async def save(self, who: Principal, activation: str, files: Mapping[str, str], note: str = "") -> Done | Refusal:
        """The files of a version as they are now, mistakes and all: nothing is lost, and nothing in force changes."""
        state = await self.state(activation)
        if state is None:
            return Refusal("not_found")
        return await self._save(who, activation, state.pack, files, note)

    async def _save(
        self, who: Principal, activation: str, pack: str, files: Mapping[str, str], note: str, *, fresh: bool = False
    ) -> Done | Refusal:
        if sum(map(len, files.values())) > MOST_CHARS:
            return Refusal("too_large", {"limit": MOST_CHARS, "unit": "characters"})
        checked = await check(pack, files)
        digest, content = archive_of(files)
        found = checked.pack.digest if checked.pack else ""
        command = Save(activation, pack, digest.hex(), found, len(checked.problems), note)
        plan = Plan(command, blobs=((digest, content),))
        return await self._service.carry_out(who, "activation", activation, plainly(plan), fresh=fresh)

    async def propose(
        self, who: Principal, activation: str, activate_at: Micros, reason: str, backtest: bytes = b""
    ) -> Done | Refusal:
        """Ask that another person puts it in force. Refused where it could not be in force beside the others.

        `backtest` is the report of a backtest of this very version, as the file that was written; it is kept beside
        the record, and its hash stands in the entry.
        """
        report = read_report(backtest) if backtest else None
        if backtest and report is None:
            return Refusal("invalid", {"field": "backtest"})
        digest = sha256(backtest).digest() if backtest else b""
        blobs = ((digest, backtest),) if backtest else ()

        command = Propose(activate_at, reason, digest.hex())

        async def gather(state: Activation | None, context: Context) -> Plan | Refusal:
            steps = await self._steps(state, command, context)
            if isinstance(steps, Refusal):
                return steps
            if state and report is not None and not judged_with(report, state.pack, state.digest):
                return Refusal("invalid", {"field": "other_backtest", "detail": ", ".join(report.packs)[:400]})
            return Plan(command, blobs=blobs)

        return await self._service.carry_out(who, "activation", activation, gather)

    async def approve(self, who: Principal, activation: str, archive: str, reason: str = "") -> Done | Refusal:
        """Put it in force at its instant, or a few seconds from now. All that it will need is made ready first."""
        command = Approve(archive, reason)

        async def gather(state: Activation | None, context: Context) -> Plan | Refusal:
            steps = await self._steps(state, command, context)
            if isinstance(steps, Refusal):
                return steps
            for policy in {step.policy for step in steps}:
                await self._service.record_policy(policy, 0)
            return Plan(command)

        async with self._approving:
            done = await self._service.carry_out(who, "activation", activation, gather)
            if isinstance(done, Done):
                await self._service.follow()
        return done

    async def give_back(self, who: Principal, activation: str, reason: str) -> Done | Refusal:
        """Return a proposal to its editors."""
        return await self._act(who, activation, Return(reason))

    async def withdraw(self, who: Principal, activation: str, reason: str) -> Done | Refusal:
        """Give a version up before it is in force."""
        done = await self._act(who, activation, Withdraw(reason))
        if isinstance(done, Done):
            await self._service.follow()
        return done

    async def _act(self, who: Principal, activation: str, command: Command) -> Done | Refusal:
        return await self._service.carry_out(who, "activation", activation, plainly(Plan(command)))

    # --- whether it fits -----------------------------------------------------------------------------------------

    async def _steps(
        self, state: Activation | None, command: Propose | Approve, context: Context
    ) -> tuple[Step, ...] | Refusal:
        """What would be in force when; a refusal where the version cannot be in force beside the other packs.

        Whoever may not ask for it is told so first: compiling packs is work, and leaves a policy on record.
        """
        drafts = decide(state, command, context)
        if isinstance(drafts, Refusal):
            return drafts
        assert state is not None  # else it would have been refused
        wanted = command.activate_at if isinstance(command, Propose) else state.activate_at
        try:
            steps = await self._service.shelf.proposed(state, max(wanted, context.now + NOTICE))
        except SettingsError as problem:
            return Refusal("pack_unfit", {"why": "together", "detail": problem.detail})
        if any(pack.digest == state.digest and pack.head.status == "draft" for pack in _packs_of(steps)):
            return Refusal("pack_unfit", {"why": "draft", "pack": state.pack})
        known = self._detectors | self._service.policy.detectors
        if missing := sorted({name for step in steps for name in step.policy.detectors} - known):
            return Refusal("pack_unfit", {"why": "detectors", "detectors": missing})
        return steps


def _packs_of(steps: Iterable[Step]) -> Iterator[Pack]:
    return (pack for step in steps for pack in step.policy.packs)


async def check(pack: str, files: Mapping[str, str]) -> LoadResult:
    """Load the files, in a thread; that they are another pack's is a mistake as well."""
    result = await asyncio.to_thread(load_pack, dict(files))
    if result.pack is not None and result.pack.id != pack:
        message = f"This version is one of the pack {pack!r}, and its id says {result.pack.id!r}."
        hint = "Put the id back, or begin another pack."
        return LoadResult(None, (Problem("another-pack", "pack.toml", 1, message, hint),))
    return result


def id_of(files: Mapping[str, str]) -> str:
    """The pack's id as its files have it, though they may have mistakes; empty where it cannot be read."""
    try:
        found = tomllib.loads(files.get("pack.toml", "")).get("id", "")
    except tomllib.TOMLDecodeError:
        return ""
    return found if isinstance(found, str) else ""


def instant_in(zone: str, local: str) -> Micros | None:
    """The instant at which a zone's clocks show a date and time ("2027-03-28T02:30"), to the second.

    None where it is no date and time, where the clocks skip it, and where they show it twice: DST begins or ends then.
    """
    try:
        wall = PlainDateTime.parse_iso(datetime.fromisoformat(local).replace(tzinfo=None, microsecond=0).isoformat())
        return wall.assume_tz(zone, disambiguation="raise").to_instant().timestamp(unit="nanosecond") // 1_000
    except (ValueError, RepeatedTime, SkippedTime):
        return None

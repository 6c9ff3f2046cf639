"""Policies by digest: the one in force, and those that earlier verdicts rest on, loaded back from the record.

A verdict can be derived again only while the packs it was given under can be read, so each policy is archived among the
blobs and recorded as a dossier before the first verdict under it.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from placet import kinds
from placet.errors import SettingsError, StoreCorrupt
from placet.fresh import id_from
from placet.ledger.encode import canonical
from placet.model import Micros
from placet.policy import Pack, Policy, load_pack, policy_digest
from placet.procedure import policy_record
from placet.procedure.activation import Activation
from placet.store.contract import Query, Store

_MOST_KEPT: Final = 16
_HOUR: Final[Micros] = 3_600_000_000


def policy_id(digest: str) -> str:
    """The id of the dossier that records a policy: made from its digest, so that it is recorded once everywhere."""
    return id_from("pack", digest)


def archive(pack: Pack) -> tuple[bytes, bytes]:
    """A pack's files as one blob: (SHA-256, canonical JSON of path -> text)."""
    return archive_of(pack.files)


def archive_of(files: Mapping[str, str]) -> tuple[bytes, bytes]:
    """The same of files that are perhaps no pack yet."""
    content = canonical(dict(files))
    return hashlib.sha256(content).digest(), content


def load_named(name: str) -> Pack:
    """A shipped pack by its name, or a pack folder by its path. Raises SettingsError with every mistake in it."""
    return load_pack(folder_of(name)).require()


def shipped() -> dict[str, Path]:
    """The folders of the packs that ship with Placet, by name."""
    packs = Path(str(files("placet") / "packs"))
    return {folder.name: folder for folder in sorted(packs.iterdir()) if (folder / "pack.toml").is_file()}


def folder_of(name: str) -> Path:
    """The folder of a shipped pack, by its name, or of any pack, by its path. Raises SettingsError where none is."""
    known = shipped()
    folder = known.get(name) or Path(name)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise SettingsError(f"{name!r} is a file, and a rule pack is a folder: name the folder that it lies in.")
    raise SettingsError(f"There is no rule pack {name!r}: neither shipped ({', '.join(known)}) nor a folder.")


def load_policy(names: tuple[str, ...], *, drafts: bool = False) -> Policy:
    """The packs named by the settings, in force together. Drafts are refused, unless texts are only tried on them."""
    if not names:
        raise SettingsError('No rule pack is in force: set `packs`, for instance to ["community"].')
    packs = [load_named(name) for name in names]
    if pending := [pack.id for pack in packs if pack.head.status == "draft" and not drafts]:
        raise SettingsError(
            f"The rule pack {pending[0]!r} is a draft and cannot be in force. "
            "Leave it out of `packs`; `placet screen --pack` tries texts on it."
        )
    return Policy(packs)


def _in_order(approved: Iterable[Activation]) -> list[Activation]:
    """In the order in which they come into force."""
    return sorted(approved, key=lambda each: (each.activate_at, each.id))


class Step(NamedTuple):
    """From an instant on, a policy is in force here."""

    at: Micros
    policy: Policy


class Shelf:
    """The policy in force at each instant, and earlier ones as the record needs them.

    The packs of the settings are what everything else stands on: an activation that has been approved puts its
    version in the place of the pack of the same id, or beside the others, from its instant on. Every process reads the
    approved ones ahead of their instant, so that all of them change at the same microsecond of their clocks.
    """

    def __init__(self, store: Store, base: Policy, clock: Callable[[], Micros]) -> None:
        self._store = store
        self._base = base
        self._clock = clock
        self._kept: dict[str, Policy] = {base.digest: base}
        self._steps: tuple[Step, ...] = (Step(0, base),)
        self._approved: tuple[Activation, ...] = ()
        self._loaded: dict[str, Pack] = {}

    @property
    def current(self) -> Policy:
        """The policy in force now."""
        return self._base if len(self._steps) == 1 else self.at(self._clock())

    def at(self, instant: Micros) -> Policy:
        """The policy in force at an instant from an hour ago on."""
        return self.step(instant).policy

    def step(self, instant: Micros) -> Step:
        """The same, with since when it is; 0 for the packs of the settings."""
        steps = self._steps
        place = len(steps) - 1
        while place and instant < steps[place].at:
            place -= 1
        return steps[place]

    def near_windows(self, instant: Micros) -> frozenset[int]:
        """The windows, in days, within which the rules in force at an instant count near copies."""
        return self.at(instant).windows

    def steps_at(self, instant: Micros) -> tuple[Step, ...]:
        """The last step, if any, that begins at that very instant: all that begins there is in force together."""
        return tuple(step for step in self._steps if step.at == instant)[-1:]

    def coming(self) -> tuple[Policy, ...]:
        """The policy in force and those that are to come, each once."""
        now = self._clock()
        policies = {self.at(now).digest: self.at(now)}
        policies |= {step.policy.digest: step.policy for step in self.ahead()}
        return tuple(policies.values())

    def ahead(self) -> tuple[Step, ...]:
        """What is to come, in order."""
        now = self._clock()
        return tuple(step for step in self._steps if step.at > now)

    async def refresh(self) -> None:
        """Read which versions of packs have been approved. Raises SettingsError where they do not go together."""
        approved = await self._read_approved()
        if approved != self._approved:
            self._steps = await self.steps(approved)
            self._approved = approved
            self._kept |= {step.policy.digest: step.policy for step in self._steps}

    async def steps(self, approved: Sequence[Activation]) -> tuple[Step, ...]:
        """What is in force when, given these activations. Raises SettingsError for packs that do not go together."""
        packs: dict[str, Pack | str] = {pack.id: pack for pack in self._base.packs}
        planned = [(0, dict(packs))]
        for each in _in_order(approved):
            packs[each.pack] = each.archive
            planned.append((each.activate_at, dict(packs)))
        past = self._clock() - _HOUR
        first = max(place for place, (at, _) in enumerate(planned) if at <= past or not place)
        return tuple([Step(at, await self._together(those.values())) for at, those in planned[first:]])

    async def proposed(self, state: Activation, activate_at: Micros) -> tuple[Step, ...]:
        """What would be in force when, if this version came into force at that instant. Raises SettingsError."""
        others = tuple(each for each in await self._read_approved() if each.id != state.id)
        return await self.steps((*others, replace(state, activate_at=activate_at)))

    async def _read_approved(self) -> tuple[Activation, ...]:
        found: list[Activation] = []
        for status in ("active", "scheduled", "superseded"):  # an act of a moment ago was under what is superseded now
            found += await kinds.every(self._store, Query(kind="activation", status=status))
        return tuple(sorted(found, key=lambda each: each.id))

    def superseded(self) -> list[Activation]:
        """The active versions in whose place another one is in force by now."""
        now = self._clock()
        latest = {each.pack: each for each in _in_order(self._approved) if each.activate_at <= now}
        return [each for each in self._approved if each.status == "active" and each != latest[each.pack]]

    async def _together(self, named: Iterable[Pack | str]) -> Policy:
        """The policy of packs, some of them given by the hash of their archive."""
        packs = [each if isinstance(each, Pack) else await self._pack(each) for each in named]
        digest = policy_digest(pack.digest for pack in packs)
        known = self._kept.get(digest)
        return await asyncio.to_thread(Policy, packs) if known is None else known

    async def _pack(self, name: str) -> Pack:
        """A pack by the hash of its archive, in hex. Raises StoreCorrupt."""
        if name not in self._loaded:
            content = await self._store.blob(bytes.fromhex(name))
            if content is None or hashlib.sha256(content).hexdigest() != name:
                raise StoreCorrupt(f"The archive {name} of a pack is missing or changed.")
            result = await asyncio.to_thread(load_pack, msgspec.json.decode(content, type=dict[str, str]))
            if result.pack is None:
                raise StoreCorrupt(f"The archived pack {name} no longer loads: {result.problems[0]}")
            while len(self._loaded) >= _MOST_KEPT:
                self._loaded.pop(next(iter(self._loaded)))
            self._loaded[name] = result.pack
        return self._loaded[name]

    async def history(self) -> list[tuple[Micros, str]]:
        """From when on which policy was in force here, oldest first, as the record has it: (instant, digest)."""
        recorded: list[policy_record.PolicyRecord] = await kinds.every(self._store, Query(kind="pack"))
        return sorted((begins, state.digest) for state in recorded for begins in state.begins)

    async def get(self, digest: str) -> Policy:
        """The policy with that digest. Raises StoreCorrupt if the record does not hold it."""
        kept = self._kept.get(digest)
        if kept is None:
            kept = await self._load(digest)
            needed = {self._base.digest, *(step.policy.digest for step in self._steps)}
            spare = [each for each in self._kept if each not in needed]
            for each in spare[: max(0, len(spare) + 1 - _MOST_KEPT)]:
                del self._kept[each]
            self._kept[digest] = kept
        return kept

    def at_hand(self, digest: str) -> Policy:
        """The policy if it has been asked for lately, which `get` sees to; else the current one."""
        return self._kept.get(digest, self.current)

    async def _load(self, digest: str) -> Policy:
        stored = await self._store.dossier(policy_id(digest))
        if stored is None:
            raise StoreCorrupt(f"The record names policy {digest}, but does not hold it.")
        state: policy_record.PolicyRecord = kinds.decode(stored)
        policy = await asyncio.to_thread(Policy, [await self._pack(name) for name in state.archives])
        if policy.digest != digest:
            raise StoreCorrupt(f"The archives of policy {digest} give {policy.digest}.")
        return policy

"""Policies by digest: the one in force, and those that earlier verdicts rest on, loaded back from the record.

A verdict can be derived again only while the packs it was given under can be read, so each policy is archived among the
blobs and recorded as a dossier before the first verdict under it.
"""

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec
from typeid import TypeID
from uuid_utils import UUID

from placet import kinds
from placet.errors import SettingsError, StoreCorrupt
from placet.ledger.encode import canonical
from placet.policy import Pack, Policy, load_pack
from placet.procedure import policy_record
from placet.store.contract import Store

_MOST_KEPT: Final = 16


def policy_id(digest: str) -> str:
    """The id of the dossier that records a policy: made from its digest, so that it is recorded once everywhere."""
    raw = hashlib.sha256(digest.encode()).digest()[:16]
    return str(TypeID.from_uuid(UUID(bytes=raw), prefix="pak"))


def archive(pack: Pack) -> tuple[bytes, bytes]:
    """A pack's files as one blob: (SHA-256, canonical JSON of path -> text)."""
    content = canonical(dict(pack.files))
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


def load_policy(names: tuple[str, ...]) -> Policy:
    """The packs named by the settings, in force together."""
    if not names:
        raise SettingsError('No rule pack is in force: set `packs`, for instance to ["community"].')
    return Policy([load_named(name) for name in names])


class Shelf:
    """The current policy, and earlier ones as the record needs them."""

    def __init__(self, store: Store, current: Policy) -> None:
        self._store = store
        self._kept: dict[str, Policy] = {current.digest: current}
        self.current = current

    async def get(self, digest: str) -> Policy:
        """The policy with that digest. Raises StoreCorrupt if the record does not hold it."""
        kept = self._kept.get(digest)
        if kept is None:
            kept = await self._load(digest)
            while len(self._kept) >= _MOST_KEPT:
                self._kept.pop(next(each for each in self._kept if each != self.current.digest))
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
        packs = []
        for name in state.archives:
            content = await self._store.blob(bytes.fromhex(name))
            if content is None or hashlib.sha256(content).hexdigest() != name:
                raise StoreCorrupt(f"The archive {name} of policy {digest} is missing or changed.")
            result = load_pack(msgspec.json.decode(content, type=dict[str, str]))
            if result.pack is None:
                raise StoreCorrupt(f"An archived pack of policy {digest} no longer loads: {result.problems[0]}")
            packs.append(result.pack)
        policy = Policy(packs)
        if policy.digest != digest:
            raise StoreCorrupt(f"The archives of policy {digest} give {policy.digest}.")
        return policy

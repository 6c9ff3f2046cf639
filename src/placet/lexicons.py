"""The lexicon in force: what the packs hold, with what was changed while running, without what has lapsed.

The changes of a list are the entries of one dossier (procedure/word_list.py). Every process folds them, looks for
further ones now and then, and builds its lexicon beside the one in use, which serves until the new one is there. A
screening record names the lists of which something had changed, so that exactly the same lexicon can be built again:

    "lists": {"at": <instant for which terms were told from lapsed ones>, "versions": {<list>: <entries counted>}}

A list stands there only where its changes count for something: what the pack has come to say as well is no change any
more. All of it is left out where nothing had changed and nothing lapsed: then the lexicon is that of the policy.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from placet import kinds
from placet.detection import InForce
from placet.errors import StoreCorrupt
from placet.fresh import id_from
from placet.ledger.encode import canonical
from placet.model import Json, Micros
from placet.policy import Pack, Policy
from placet.policy.values import WordList
from placet.procedure.word_list import Changes, amended
from placet.procedure.word_list import WordList as WordListState
from placet.screening import Lexicon, ListChange
from placet.shelf import Shelf
from placet.store.contract import Query, Store

_MOST_KEPT: Final = 16
_ENTRIES: Final = 500


def list_id(name: str) -> str:
    """The id of the dossier that holds a list's changes: made from its name, so that it is one everywhere."""
    return id_from("list", f"list\n{name}")


def lists_of(policy: Policy) -> dict[str, tuple[Pack, WordList]]:
    """Every word list of the packs by its whole name, with its pack."""
    return {f"{pack.id}/{words.name}": (pack, words) for pack in policy.packs for words in pack.lists}


class Lexicons:
    """The lexicon of one process, and those of the past."""

    def __init__(self, store: Store, shelf: Shelf, clock: Callable[[], Micros]) -> None:
        self._store = store
        self._shelf = shelf
        self._clock = clock
        self._lock = asyncio.Lock()
        self._changes: dict[str, Changes] = {}
        self._next: Micros | None = 0
        self._past: OrderedDict[tuple[str, bytes], Lexicon] = OrderedDict()
        self._replayed: dict[str, Changes] = {}
        self._of: dict[str, InForce] = {}
        """By the digest of the policy: of the one in force, and of those that are to come."""

    async def refresh(self) -> None:
        """Take over what has been changed or has lapsed by now; when this returns, it is in force here."""
        async with self._lock:
            changes = await self._latest()
            at = self._clock()
            coming = self._shelf.coming()
            known = all(policy.digest in self._of for policy in coming)
            if known and changes == self._changes and (self._next is None or at < self._next):
                return
            ready = [await asyncio.to_thread(built, policy, changes, at) for policy in coming]
            self._of = {in_force.policy.digest: in_force for in_force, _ in ready}
            self._next = min((following for _, following in ready if following is not None), default=None)
            self._changes = changes

    @property
    def in_force(self) -> InForce:
        """What to screen with now."""
        return self.of(self._shelf.current)

    def of(self, policy: Policy) -> InForce:
        """What to screen with under a policy."""
        known = self._of.get(policy.digest)
        if known is None:  # it is no longer in force, or this process has not looked at the lists yet
            known = self._of[policy.digest] = built(policy, self._changes, self._clock())[0]
        return known

    async def tried(self, policy: Policy) -> InForce:
        """What one would screen with now under a policy that nobody has approved; built in a thread and not kept."""
        return (await asyncio.to_thread(built, policy, self._changes, self._clock()))[0]

    def changes(self, name: str) -> Changes:
        """By what a list differs from its packs, as far as this process knows."""
        return self._changes.get(name, Changes())

    def changed(self) -> tuple[str, ...]:
        """The lists that have ever been changed, also those that no pack in force has any more."""
        return tuple(sorted(self._changes))

    async def recorded(self, policy: Policy, lists: Mapping[str, Json]) -> Lexicon:
        """The lexicon with which a screening was made whose record says this of `lists`. Raises StoreCorrupt."""
        if not lists:
            return policy.lexicon
        key = policy.digest, canonical(lists)
        if key not in self._past:
            changes = {name: await self._as_of(name, version) for name, version in lists["versions"].items()}
            made, _ = await asyncio.to_thread(built, policy, changes, lists["at"])
            while len(self._past) >= _MOST_KEPT:
                self._past.popitem(last=False)
            self._past[key] = made.lexicon
        return self._past[key]

    # --- reading entries -----------------------------------------------------------------------------------------

    async def _latest(self) -> dict[str, Changes]:
        """The changes of every list now; those that are known already are the same objects."""
        states: list[WordListState] = await kinds.every(self._store, Query(kind="list"))
        return {each.name: await self._amended(self.changes(each.name), each.id, each.version) for each in states}

    async def _as_of(self, name: str, version: int) -> Changes:
        """The changes of a list as they were after so many entries. Replays go forward in time, so each goes on."""
        known = self._replayed.get(name, Changes())
        if known.version > version:
            known = Changes()
        self._replayed[name] = await self._amended(known, list_id(name), version)
        return self._replayed[name]

    async def _amended(self, changes: Changes, dossier: str, version: int) -> Changes:
        while changes.version < version:
            rows = await self._store.entries(dossier, changes.version, min(_ENTRIES, version - changes.version))
            if not rows:
                raise StoreCorrupt(f"{dossier} has no entry {changes.version + 1}.")
            known = amended(changes, [kinds.entry_of(row) for row in rows if row.body is not None])
            changes = msgspec.structs.replace(known, version=rows[-1].version)  # one that was erased changes nothing
        return changes


def built(policy: Policy, changes: Mapping[str, Changes], at: Micros) -> tuple[InForce, Micros | None]:
    """The lexicon at an instant, and the next instant at which time alone makes it another."""
    listed = lists_of(policy)
    struck = policy.struck(at)
    differing = {name: ListChange(removed=terms) for name, terms in struck.items()}
    versions: dict[str, Json] = {}
    boundaries = [end for end in [policy.next_struck(at)] if end is not None]
    for name, own in changes.items():
        if name not in listed:
            continue
        boundaries += [end for end in own.ends() if end > at]
        gone, (_, words) = struck.get(name, frozenset()), listed[name]
        change = own.at(at, {*own.added, *own.removed}.intersection(words.texts) - gone)
        if change != ListChange():
            differing[name] = msgspec.structs.replace(change, removed=change.removed | gone)
            versions[name] = own.version
    following = min(boundaries, default=None)
    if not differing:
        return InForce(policy.lexicon, {}, policy), following
    lists: Mapping[str, Json] = {"at": at, "versions": versions}
    return InForce(policy.lexicon.revised(differing), lists, policy), following

"""Word lists as people see and change them: what the pack holds, what was changed since, and what to put in the pack.

A list may have a hundred thousand terms, so that whatever goes through all of them is done in a thread: submissions do
not wait for somebody who looks at a list.
"""

import asyncio
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, Literal, NamedTuple

from placet.errors import StoreUnavailable
from placet.lexicons import list_id, lists_of
from placet.list_export import as_toml
from placet.model import Micros, Refusal, Text, Value
from placet.policy import Pack
from placet.policy.values import WordList
from placet.procedure.fold import Context
from placet.procedure.word_list import Addition, Change, Changes, Touched
from placet.screening import ListChange
from placet.screening.fold import BARRIER, fold
from placet.service import Done, Idempotency, Plan, Principal, Reply, Service

_CHUNK: Final = 2_000

State = Literal["listed", "added", "removed", "ended"]
"""The pack has it; it came while running; it was removed while running; its time is over."""
Show = Literal["counting", "changed"]
"""The terms that count, or those by which the list differs from what the pack holds."""


class ListSummary(Value, frozen=True):
    """A word list in figures: how many of its terms count, and by how many it differs from its pack."""

    id: str
    """Of the dossier that holds its changes; there may be none yet."""
    name: str
    title: Text
    label: str
    note: str
    in_force: bool
    """Whether a pack in force has it; if not, its changes are on record and do nothing."""
    terms: int
    """Terms that count now."""
    added: int
    removed: int
    ended: int
    version: int
    """How many entries its changes have; 0 where it was never changed."""


class TermRow(NamedTuple):
    """A term and how it stands."""

    term: str
    state: State
    note: str = ""
    until: Micros = 0
    """When it no longer counts, for one that came while running; 0 for never."""
    touched: Touched | None = None
    """Who added or removed it while running."""


class Page(NamedTuple):
    """Some terms in the order of their characters, and whether there are more."""

    rows: tuple[TermRow, ...]
    more: bool


class View(NamedTuple):
    """A list at an instant."""

    terms: Sequence[str]
    """Those of the pack, sorted."""
    notes: Mapping[str, str]
    """What the pack notes of some of them."""
    changes: Changes
    struck: frozenset[str]
    at: Micros

    def has(self, term: str) -> bool:
        """Whether the pack has it, whatever has become of it."""
        place = bisect_left(self.terms, term)
        return place < len(self.terms) and self.terms[place] == term

    def listed(self, term: str) -> bool:
        """Whether the pack has it, and its time is not over."""
        return term not in self.struck and self.has(term)

    def state(self, term: str) -> State:
        """How a term stands that the pack has, or that came."""
        touched = self.changes.added.get(term)
        if term in self.changes.removed:
            return "removed"
        if self.listed(term):
            return "listed"
        return "added" if touched and touched.counts(self.at) else "ended"

    def changed(self) -> list[str]:
        """The terms by which it differs, sorted."""
        here = {term for term in self.changes.removed if self.has(term)}
        return sorted(here.union(self.struck, (term for term in self.changes.added if not self.listed(term))))

    def difference(self) -> ListChange:
        """What of its changes counts, as screening knows them."""
        touched = (*self.changes.added, *self.changes.removed)
        return self.changes.at(self.at, {term for term in touched if self.listed(term)})

    def counting(self) -> list[str]:
        """The terms that count, sorted."""
        every = [*self.terms, *(term for term in self.changes.added if not self.has(term))]
        changed = {term for term in self.changed() if self.state(term) != "added"}
        return sorted(term for term in every if term not in changed)


class _Held(NamedTuple):
    """What the pack holds of a list."""

    terms: Sequence[str] = ()
    """Sorted."""
    notes: Mapping[str, str] = {}

    @classmethod
    def of(cls, words: WordList) -> "_Held":
        return cls(sorted(words.texts), {each.text: each.note for each in words.term if each.note})


class _Struck(NamedTuple):
    """The terms of the packs whose time is over, by list, from one instant to another."""

    policy: str
    since: Micros
    until: Micros | None
    terms: Mapping[str, frozenset[str]]

    def holds(self, at: Micros) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


class Lists:
    """Everything about word lists, over one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._held: dict[tuple[str, str], _Held] = {}
        """By the digest of the pack and the list's name."""
        self._struck = _Struck("", 0, 0, {})

    # --- reading -------------------------------------------------------------------------------------------------

    async def all(self) -> list[ListSummary]:
        """Every list of the packs in force, then those that were changed once and are in no pack any more."""
        names = lists_of(self._service.policy)
        former = [name for name in self._service.lexicons.changed() if name not in names]
        views = [(name, await self._view(name)) for name in (*names, *former)]
        return await asyncio.to_thread(lambda: [_summary(name, names.get(name), view) for name, view in views])

    def known(self, name: str) -> bool:
        """Whether a pack in force has a list of that name, or it was changed once."""
        return name in lists_of(self._service.policy) or name in self._service.lexicons.changed()

    async def summary(self, name: str) -> ListSummary | None:
        """A list in figures; None where there is none of that name."""
        if not self.known(name):
            return None
        found = lists_of(self._service.policy).get(name)
        return await asyncio.to_thread(_summary, name, found, await self._view(name))

    async def terms(
        self, name: str, show: Show = "counting", contains: str = "", after: str = "", limit: int = 50
    ) -> Page:
        """A page of a list's terms behind `after`; `contains` is looked for apart from case, width and script."""
        return await asyncio.to_thread(_page, await self._view(name), show, contains, after, limit)

    async def export(self, name: str) -> str | None:
        """The list as a file for its pack, with what was changed; None where no pack in force has it."""
        found = lists_of(self._service.policy).get(name)
        return await asyncio.to_thread(_exported, *found, await self._view(name)) if found else None

    # --- changing ------------------------------------------------------------------------------------------------

    async def change(
        self,
        who: Principal,
        name: str,
        reason: str,
        add: tuple[Addition, ...] = (),
        remove: tuple[str, ...] = (),
        once: Idempotency | None = None,
        reply: Reply | None = None,
    ) -> Done | Refusal:
        """Add and remove terms, all or none. When this returns, the change is durable, and in force here.

        Only if the store fails right after it has written is it in force later, as in other processes.
        """
        if who.account:  # a list concerns every account
            return Refusal("forbidden", {"permission": "list.edit, with a key that is bound to no account"})
        if name not in lists_of(self._service.policy):
            return Refusal("not_found")

        async def gather(_: object, __: Context) -> Plan | Refusal:
            await self._service.lexicons.refresh()  # if even that is too old, the commit conflicts
            view = await self._view(name)
            terms = dict.fromkeys((*(each.term for each in add), *remove))
            standing = {term: view.changes.standing(term, view.at, listed=view.listed(term)) for term in terms}
            differing = await asyncio.to_thread(view.difference)
            changed = len(differing.added) + len(differing.removed)
            return Plan(Change(list_id(name), name, add, remove, reason, standing, changed))

        done = await self._service.carry_out(who, "list", list_id(name), gather, once=once, reply=reply)
        with suppress(StoreUnavailable):  # an error would say that nothing was recorded; the job looks again within 2 s
            await self._service.lexicons.refresh()
        return done

    # --- pieces --------------------------------------------------------------------------------------------------

    async def _view(self, name: str) -> View:
        at = self._service.clock()
        held = await self._held_of(name)
        struck = await self._struck_at(at)
        return View(held.terms, held.notes, self._service.lexicons.changes(name), struck.get(name, frozenset()), at)

    async def _held_of(self, name: str) -> _Held:
        pack, words = lists_of(self._service.policy).get(name, (None, None))
        if pack is None or words is None:
            return _Held()
        key = pack.digest, name
        if key not in self._held:
            self._held = {(digest, other): held for (digest, other), held in self._held.items() if other != name}
            self._held[key] = await asyncio.to_thread(_Held.of, words)
        return self._held[key]

    async def _struck_at(self, at: Micros) -> Mapping[str, frozenset[str]]:
        """See Policy.struck: it goes through every term that ever ended, and changes on few days."""
        known, policy = self._struck, self._service.policy
        if known.policy != policy.digest or not known.holds(at):
            known = _Struck(policy.digest, at, policy.next_struck(at), await asyncio.to_thread(policy.struck, at))
            self._struck = known
        return known.terms


def _summary(name: str, found: tuple[Pack, WordList] | None, view: View) -> ListSummary:
    _, words = found or (None, None)
    states = {term: view.state(term) for term in view.changed()}
    count = Counter(states.values())
    terms = len(view.terms) - sum(map(view.has, states)) + count["added"]
    return ListSummary(
        id=list_id(name),
        name=name,
        title=words.title if words else {"en": name},
        label=words.label if words else "",
        note=words.note if words else "",
        in_force=words is not None,
        terms=terms if words else 0,
        added=count["added"],
        removed=count["removed"],
        ended=count["ended"],
        version=view.changes.version,
    )


def _exported(pack: Pack, words: WordList, view: View) -> str:
    came = {term: touched for term, touched in view.changes.added.items() if view.state(term) == "added"}
    return as_toml(words, came, view.changes.removed, pack.head.timezone)


def _page(view: View, show: Show, contains: str, after: str, limit: int) -> Page:
    terms = view.counting() if show == "counting" else view.changed()
    found: list[str] = []
    for term in _holding(terms, bisect_right(terms, after) if after else 0, fold(contains)):
        if len(found) == limit:
            return Page(tuple(_row(view, each) for each in found), more=True)
        found.append(term)
    return Page(tuple(_row(view, each) for each in found), more=False)


def _holding(terms: Sequence[str], start: int, sought: str) -> Iterator[str]:
    """The terms from `start` on that hold a folded text, folded in lots: one by one would take ten times as long."""
    for first in range(start, len(terms), _CHUNK):
        lot = terms[first : first + _CHUNK]
        folded = fold(BARRIER.join(lot)).split(BARRIER)
        yield from (term for term, reading in zip(lot, folded, strict=True) if sought in reading)


def _row(view: View, term: str) -> TermRow:
    state = view.state(term)
    touched = None
    if state != "listed":
        touched = view.changes.removed.get(term) or view.changes.added.get(term)
    note = touched.note if touched and state != "removed" else ""
    return TermRow(term, state, note or view.notes.get(term, ""), touched.until if touched else 0, touched)

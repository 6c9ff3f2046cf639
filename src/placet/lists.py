"""Word lists as people see and change them: what the pack holds, what was changed since, and what to put in the pack.

A list may have a hundred thousand terms, so that whatever goes through all of them is done in a thread: submissions do
not wait for somebody who looks at a list.
"""

import asyncio
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

from placet.lexicons import list_id, lists_of
from placet.list_export import as_toml
from placet.model import Micros, Refusal, Text
from placet.procedure.fold import Context
from placet.procedure.word_list import Addition, Change, Changes, Touched
from placet.screening.fold import BARRIER, fold
from placet.service import Done, Idempotency, Plan, Principal, Reply, Service

_CHUNK: Final = 2_000

State = Literal["listed", "added", "removed", "ended"]
"""The pack has it; it came while running; it was removed while running; its time is over."""
Show = Literal["counting", "changed"]
"""The terms that count, or those by which the list differs from what the pack holds."""


class Summary(NamedTuple):
    """A list in figures."""

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

    def counting(self) -> list[str]:
        """The terms that count, sorted."""
        every = [*self.terms, *(term for term in self.changes.added if not self.has(term))]
        changed = {term for term in self.changed() if self.state(term) != "added"}
        return sorted(term for term in every if term not in changed)


class Lists:
    """Everything about word lists, over one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._sorted: dict[str, Sequence[str]] = {}

    # --- reading -------------------------------------------------------------------------------------------------

    async def all(self) -> list[Summary]:
        """Every list of the packs in force, then those that were changed once and are in no pack any more."""
        names = lists_of(self._service.policy)
        former = [name for name in self._service.lexicons.changed() if name not in names]
        return [await self._summary(name) for name in (*names, *former)]

    async def summary(self, name: str) -> Summary | None:
        """A list in figures; None where there is none of that name."""
        known = name in lists_of(self._service.policy) or name in self._service.lexicons.changed()
        return await self._summary(name) if known else None

    async def _summary(self, name: str) -> Summary:
        _, words = lists_of(self._service.policy).get(name, (None, None))
        view = await self._view(name)
        states = {term: view.state(term) for term in view.changed()}
        count = Counter(states.values())
        terms = len(view.terms) - sum(map(view.has, states)) + count["added"]
        return Summary(
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

    async def terms(
        self, name: str, show: Show = "counting", contains: str = "", after: str = "", limit: int = 50
    ) -> Page:
        """A page of a list's terms behind `after`; `contains` is looked for apart from case, width and script."""
        view = await self._view(name)
        notes = self._notes(name)
        return await asyncio.to_thread(_page, view, notes, show, contains, after, limit)

    async def export(self, name: str) -> str | None:
        """The list as a file for its pack, with what was changed; None where no pack in force has it."""
        pack, words = lists_of(self._service.policy).get(name, (None, None))
        if pack is None or words is None:
            return None
        view = await self._view(name)
        came = {term: touched for term, touched in view.changes.added.items() if view.state(term) == "added"}
        return await asyncio.to_thread(as_toml, words, came, view.changes.removed, pack.head.timezone)

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
        """Add and remove terms, all or none. When this returns, the change is durable, and in force here."""
        if who.account:  # a list concerns every account
            return Refusal("forbidden", {"permission": "list.edit, with a key that is bound to no account"})
        if name not in lists_of(self._service.policy):
            return Refusal("not_found")

        async def gather(_: object, __: Context) -> Plan | Refusal:
            await self._service.lexicons.refresh()  # if even that is too old, the commit conflicts
            view = await self._view(name)
            terms = dict.fromkeys((*(each.term for each in add), *remove))
            standing = {term: view.changes.standing(term, listed=view.listed(term)) for term in terms}
            changed = len(view.changes.added) + len(view.changes.removed)
            return Plan(Change(list_id(name), name, add, remove, reason, standing, changed))

        done = await self._service.carry_out(who, "list", list_id(name), gather, once=once, reply=reply)
        await self._service.lexicons.refresh()
        return done

    # --- pieces --------------------------------------------------------------------------------------------------

    async def _view(self, name: str) -> View:
        if name not in self._sorted:
            _, words = lists_of(self._service.policy).get(name, (None, None))
            self._sorted[name] = await asyncio.to_thread(sorted, words.texts) if words else ()
        at = self._service.clock()
        struck = self._service.policy.struck(at).get(name, frozenset())
        return View(self._sorted[name], self._service.lexicons.changes(name), struck, at)

    def _notes(self, name: str) -> dict[str, str]:
        _, words = lists_of(self._service.policy).get(name, (None, None))
        return {each.text: each.note for each in words.term} if words else {}


def _page(view: View, notes: dict[str, str], show: Show, contains: str, after: str, limit: int) -> Page:
    terms = view.counting() if show == "counting" else view.changed()
    found: list[str] = []
    for term in _holding(terms, bisect_right(terms, after) if after else 0, fold(contains)):
        if len(found) == limit:
            return Page(tuple(_row(view, notes, each) for each in found), more=True)
        found.append(term)
    return Page(tuple(_row(view, notes, each) for each in found), more=False)


def _holding(terms: Sequence[str], start: int, sought: str) -> Iterator[str]:
    """The terms from `start` on that hold a folded text, folded in lots: one by one would take ten times as long."""
    for first in range(start, len(terms), _CHUNK):
        lot = terms[first : first + _CHUNK]
        folded = fold(BARRIER.join(lot)).split(BARRIER)
        yield from (term for term, reading in zip(lot, folded, strict=True) if sought in reading)


def _row(view: View, notes: dict[str, str], term: str) -> TermRow:
    state = view.state(term)
    touched = None
    if state != "listed":
        touched = view.changes.removed.get(term) or view.changes.added.get(term)
    note = touched.note if touched and state != "removed" else ""
    return TermRow(term, state, note or notes.get(term, ""), touched.until if touched else 0, touched)

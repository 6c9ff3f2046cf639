"""Term lists as they are in force now: those of the packs, with what people have changed since.

The lexicon of the packs is built once. A change makes a revision of it, which shares its automata and takes
milliseconds; it is made in a thread, and takes the place of the one before at once. Whoever screens meanwhile uses the
one before; nothing waits and nothing is lost.
"""

import asyncio
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from typeid import TypeID
from uuid_utils import UUID

from placet import kinds
from placet.model import ID_PREFIXES, Json, Micros
from placet.policy import Policy
from placet.procedure.word_list import WordList
from placet.screening import Lexicon, LexiconError, ListChange, TermList
from placet.screening.lists import DISGUISES
from placet.store.contract import DossierRow, Query, Store

_PAGE: Final = 200
_PERSONAL: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+|(?:\d[ -]?){8,}\d?[Xx]?")
"""What looks like an e-mail address, or the number of a telephone, an account or a person."""


def list_id(name: str) -> str:
    """The id of the dossier of a list's changes: made from its name, so that there is one everywhere."""
    raw = hashlib.sha256(f"list {name}".encode()).digest()[:16]
    return str(TypeID.from_uuid(UUID(bytes=raw), prefix=ID_PREFIXES["list"]))


class Revision(NamedTuple):
    """A lexicon, and what it was made from."""

    lexicon: Lexicon
    versions: Mapping[str, int]
    """The version of each list's changes, for lists that have any."""
    at: Micros
    """The instant whose terms count: those with a date may have ended by then."""

    def recorded(self) -> dict[str, Json]:
        """What an entry says of it, so that the same lexicon can be made again; empty for that of the packs."""
        return {"lists": {"at": self.at, "versions": dict(self.versions)}} if self.versions or self.at else {}


class Lists:
    """The lists in force. `refresh` before the first use, and whenever something may have changed."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store = store
        self._policy = policy
        self._states: dict[str, WordList] = {}
        self._next: Micros | None = None
        self._ready = False
        self._making = asyncio.Lock()
        self.revision = Revision(policy.lexicon, {}, 0)

    @property
    def lexicon(self) -> Lexicon:
        """The lexicon in force."""
        return self.revision.lexicon

    def state(self, name: str) -> WordList | None:
        """What has been changed in a list."""
        return self._states.get(name)

    async def refresh(self, now: Micros) -> None:
        """Read what has been changed, and make a new revision if anything is different or a term has ended."""
        async with self._making:
            rows = await self._changed()
            if rows is None and self._ready and (self._next is None or now < self._next):
                return
            states = self._states if rows is None else {state.name: state for state in map(kinds.decode, rows)}
            self.revision = await asyncio.to_thread(revision_of, self._policy, states.values(), now)
            self._states = states
            self._next = _next_end(self._policy, states.values(), now)
            self._ready = True

    async def _changed(self) -> list[DossierRow] | None:
        """Every list's row, or None where all are as they were."""
        rows: list[DossierRow] = []
        after: tuple[int, str] | None = None
        while page := await self._store.page(Query(kind="list", after=after, limit=_PAGE)):
            rows += page
            after = page[-1].opened_at, page[-1].id
        known = {state.id: state.version for state in self._states.values()}
        return None if {row.id: row.version for row in rows} == known else rows


def revision_of(policy: Policy, states: Iterable[WordList], at: Micros) -> Revision:
    """The lexicon of a policy with changes, as it is at that instant. Changes of lists it does not have do nothing."""
    lists = {name for pack in policy.packs for name in (f"{pack.id}/{words.name}" for words in pack.lists)}
    struck = policy.struck(at)
    changes = {name: ListChange(removed=terms) for name, terms in struck.items()}
    versions = {}
    for state in states:
        if state.name in lists:
            versions[state.name] = state.version
            added = state.active(at)
            removed = frozenset(state.removed) | struck.get(state.name, frozenset())
            changes[state.name] = ListChange(added, removed, frozenset(added))
    if not changes:
        return Revision(policy.lexicon, {}, 0)
    return Revision(policy.lexicon.revised(changes), versions, at)


async def revision_again(store: Store, policy: Policy, recorded: Mapping[str, Json]) -> Lexicon:
    """The lexicon that `Revision.recorded` describes: each list's changes folded up to the version named."""
    states = []
    for name, version in recorded["versions"].items():
        rows = await store.entries(list_id(name), 0, version)  # versions are counted from 1, without a gap
        states.append(kinds.fold(kinds.KINDS["list"], [kinds.entry_of(row) for row in rows]))
    return revision_of(policy, states, recorded["at"]).lexicon


def _next_end(policy: Policy, states: Iterable[WordList], now: Micros) -> Micros | None:
    """The next instant at which a term stops to count."""
    ends = [each.until for state in states for each in state.added if each.until > now]
    following = policy.next_struck(now)
    return min([*ends, *([following] if following is not None else [])], default=None)


def problems_of(terms: Sequence[str], name: str, views: tuple[str, ...]) -> dict[str, str]:
    """Why each term that cannot be added to a list cannot be, by term: as loading a pack would say it, and more."""
    found = {}
    for term in terms:
        if _PERSONAL.search(term):
            found[term] = "looks like somebody's address or number; a list holds no data of persons"
            continue
        try:
            Lexicon.build(
                [TermList(name, (term,), views=tuple(view for view in views if view not in DISGUISES) or ("exact",))]
            )
        except LexiconError as problem:
            found[term] = problem.reason
    return found

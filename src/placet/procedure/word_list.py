"""A term list that is changed while the platform runs: what one person has added to a pack's list, and struck out.

The pack stays as two people signed it. A change is on the record with its reason, counts from its commit on, and is
undone by its opposite. What one person added is provisional: it may hold an item, and can never refuse one
(screening/lists.py, PROVISIONAL_SCORE), until it stands in a pack.
"""

from collections.abc import Mapping
from typing import Final

from placet.model import Draft, Entry, Json, Micros, Refusal, Value
from placet.procedure.fold import Context, Decision

MOST_TERMS: Final = 10_000
"""Terms that may be added to one list; more belong into its pack."""
MOST_AT_ONCE: Final = 1_000


class AddedTerm(Value, frozen=True):
    """A term that somebody added."""

    term: str
    by: str
    at: Micros
    note: str = ""
    until: Micros = 0
    """When it stops to count, or 0."""


class WordList(Value, frozen=True):
    """What is different from the pack's list."""

    id: str
    version: int
    name: str
    """"community/gambling": pack and list."""
    since: Micros
    added: tuple[AddedTerm, ...] = ()
    removed: tuple[str, ...] = ()

    def active(self, at: Micros) -> tuple[str, ...]:
        """The added terms that count at that instant."""
        return tuple(each.term for each in self.added if not each.until or at < each.until)


class NewTerm(Value, frozen=True):
    """A term to add."""

    term: str
    note: str = ""
    until: Micros = 0


class Change(Value, frozen=True):
    """Add and strike out, all or nothing. What is there already, or gone already, is passed over."""

    id: str
    name: str
    reason: str
    add: tuple[NewTerm, ...] = ()
    remove: tuple[str, ...] = ()


Command = Change


def decide(state: WordList | None, command: Command, context: Context) -> Decision:
    """One entry, or none where nothing would change."""
    if refusal := context.lacks("list.edit"):
        return refusal
    if not command.reason.strip():
        return Refusal("invalid", {"field": "reason", "problem": "is empty; say why the list changes"})
    if len(command.add) + len(command.remove) > MOST_AT_ONCE:
        return Refusal("too_large", {"limit": MOST_AT_ONCE, "unit": "terms"})
    there = {each.term: each for each in state.added} if state else {}
    gone = set(state.removed) if state else set()
    add = [each for each in command.add if not _same(there.get(each.term), each) or each.term in gone]
    remove = [term for term in dict.fromkeys(command.remove) if term in there or term not in gone]
    if both := sorted({each.term for each in add} & set(remove)):
        return Refusal("invalid", {"field": "remove", "problem": f"{both[0]!r} is to be added and removed at once"})
    if past := next((each for each in add if each.until and each.until <= context.now), None):
        return Refusal("time_past", {"field": "until", "term": past.term})
    if len(there) + len(add) > MOST_TERMS:
        return Refusal("too_large", {"limit": MOST_TERMS, "unit": "terms added to one list"})
    if not add and not remove:
        return ()
    body: dict[str, Json] = {"list": command.name, "reason": command.reason}
    body["add"] = [{"term": each.term, "note": each.note, "until": each.until} for each in add]
    body["remove"] = list(remove)
    return (Draft(command.id, "list.changed", body),)


def _same(known: AddedTerm | None, new: NewTerm) -> bool:
    return known is not None and (known.note, known.until) == (new.note, new.until)


def evolve(state: WordList | None, entry: Entry) -> WordList:
    """The state after the entry. Raises ValueError for an entry that this procedure does not know."""
    if entry.kind != "list.changed":
        raise ValueError(f"{entry.dossier}: unexpected entry {entry.kind}")
    body = entry.body
    added = {each.term: each for each in state.added} if state else {}
    removed = dict.fromkeys(state.removed) if state else {}
    for term in body["remove"]:
        if added.pop(term, None) is None:
            removed[term] = None
    for each in body["add"]:
        if each["term"] in removed:
            del removed[each["term"]]  # a term of the pack is restored: it stands there still
        else:
            added[each["term"]] = _added(each, entry)
    return WordList(
        id=entry.dossier,
        version=entry.version,
        name=body["list"],
        since=state.since if state else entry.at,
        added=tuple(added.values()),
        removed=tuple(removed),
    )


def _added(term: Mapping[str, Json], entry: Entry) -> AddedTerm:
    return AddedTerm(term["term"], entry.actor, entry.at, term["note"], term["until"])


KINDS: Final[tuple[str, ...]] = ("list.changed",)
"""Every kind of entry of this procedure."""

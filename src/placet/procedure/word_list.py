"""Changes of a word list while the platform runs: terms that came and terms that went, beside what the packs hold.

Two people put a pack in force. One person may change a list of it at once, within these limits:

- A term that came is provisional: it may hold an item and never refuses one, until it comes in a pack.
- A term that went counts no more, wherever it came from. What was removed can be put back, as it stands in the pack.
- A change has a reason and is made whole or not at all; each term that cannot be taken is named with what is wrong.
- Nobody's number or address is a term: a list is read by many and kept for ever, and is no place for personal data
  (PIPL art 6). A pack may hold one, where two people answer for it.

The terms stand in the entries. A dossier's state is small, since it is written with every change and looked at by every
process; `amended` folds the entries into the changes themselves.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, Literal

import msgspec

from placet.model import Draft, Entry, Json, Micros, Refusal, Value
from placet.procedure.fold import Context, Decision
from placet.screening import LexiconError, ListChange, TermList
from placet.screening.entries import check
from placet.screening.fold import fold

MOST_TERMS: Final = 1_000
"""Terms that one change may add and remove."""
MOST_CHANGED: Final = 20_000
"""Terms by which a list may differ from its pack: those that came and count, and those of the pack that were removed.
Beyond it only what makes them no more is carried out. What a pack in force says as well counts no more, so that putting
the list into its pack makes room."""
MOST_CHARS: Final = 200
"""Characters of a term, as in a pack."""
MOST_DIGITS: Final = 6
"""Digits in a row, whatever parts them, that may still be an amount or a year; more could be somebody's number."""
MOST_HANDLE_DIGITS: Final = 4
"""The same where a Latin letter stands beside them: more could be somebody's name at a service."""

Why = Literal[
    "empty",
    "spaces",
    "long",
    "unusable",
    "number",
    "address",
    "twice",
    "listed",
    "not_listed",
    "put_back",
    "time_past",
]
"""Why a term cannot be taken; docs/api.md says it in words."""


class WordList(Value, frozen=True):
    """The state of a list that has been changed: which one, and since when."""

    id: str
    version: int
    name: str
    """"community/gambling": pack and list."""
    since: Micros


class Addition(Value, frozen=True, omit_defaults=True):
    """A term that is to come."""

    term: str
    note: str = ""
    until: Micros = 0
    """The instant from which it no longer counts; 0 for never."""


class Standing(Value, frozen=True):
    """How a term stands before a change."""

    listed: bool = False
    """The pack has it, and its time is not over."""
    removed: bool = False
    """It was removed while running."""
    added: bool = False
    """It came while running."""
    ended: bool = False
    """It came while running, and its time is over."""

    @property
    def counts(self) -> bool:
        """Whether there is something to remove."""
        return self.added or (self.listed and not self.removed)

    @property
    def differs(self) -> bool:
        """Whether the list differs from its pack by this term."""
        return self.removed if self.listed else self.added and not self.ended


_NOWHERE: Final = Standing()


class Change(Value, frozen=True):
    """Add and remove terms. `standing` says of each of them how it stands; one that is not in it stands nowhere."""

    id: str
    name: str
    add: tuple[Addition, ...]
    remove: tuple[str, ...]
    reason: str
    standing: Mapping[str, Standing]
    changed: int = 0
    """By how many terms the list differs from its pack already."""

    @property
    def grows(self) -> int:
        """By how many terms more the list would differ; below zero for fewer."""
        came = [self.stands(each.term) for each in self.add]
        went = [self.stands(term) for term in self.remove]
        differing = sum(not standing.listed for standing in came) + sum(standing.listed for standing in went)
        return differing - sum(standing.differs for standing in (*came, *went))

    def stands(self, term: str) -> Standing:
        """How a term stands before the change."""
        return self.standing.get(term, _NOWHERE)


Command = Change


# --- deciding ----------------------------------------------------------------------------------------------------


def decide(state: WordList | None, command: Command, context: Context) -> Decision:
    """An entry for what comes and one for what goes; both are written together."""
    if refusal := context.lacks("list.edit"):
        return refusal
    if not command.reason.strip():
        return Refusal("invalid", {"field": "reason"})
    size = len(command.add) + len(command.remove)
    if not size:
        return Refusal("invalid", {"field": "add"})
    if size > MOST_TERMS:
        return Refusal("too_large", {"limit": MOST_TERMS, "unit": "terms"})
    if bad := [{"term": term, "why": why} for term, why in _objections(command, context.now)]:
        return Refusal("bad_terms", {"terms": bad})
    if command.grows > 0 and command.changed + command.grows > MOST_CHANGED:
        return Refusal("list_full", {"limit": MOST_CHANGED, "has": command.changed})
    return tuple(_drafts(state.id if state else command.id, command))


def _objections(command: Change, now: Micros) -> Iterator[tuple[str, Why]]:
    seen: set[str] = set()
    for term, why in (*_of_additions(command, now), *_of_removals(command)):
        if term in seen:
            yield term, "twice"
        elif why:
            yield term, why
        seen.add(term)


def _of_additions(command: Change, now: Micros) -> Iterator[tuple[str, Why | None]]:
    for each in command.add:
        standing = command.stands(each.term)
        if standing.listed and not standing.removed:
            yield each.term, "listed"
        elif standing.listed and (each.note or each.until):  # these are for the pack to say of its own term
            yield each.term, "put_back"
        elif each.until and each.until <= now:
            yield each.term, "time_past"
        else:
            yield each.term, None if standing.listed else objection(each.term)


def _of_removals(command: Change) -> Iterator[tuple[str, Why | None]]:
    for term in command.remove:
        yield term, None if command.stands(term).counts else "not_listed"


def _drafts(dossier: str, command: Change) -> Iterator[Draft]:
    listed = {term for term, standing in command.standing.items() if standing.listed}
    common: dict[str, Json] = {"list": command.name, "reason": command.reason.strip()}
    if command.add:
        came = [msgspec.to_builtins(each) for each in command.add if each.term not in listed]
        restored = [each.term for each in command.add if each.term in listed]
        yield Draft(dossier, "list.added", {**common, "terms": came, "restored": restored})
    if command.remove:
        struck = [term for term in command.remove if term in listed]
        yield Draft(dossier, "list.removed", {**common, "terms": list(command.remove), "struck": struck})


# --- what may be a term ------------------------------------------------------------------------------------------


def objection(term: str) -> Why | None:
    """Why a text cannot be a term that one person adds; None if it can."""
    if not term.strip():
        return "empty"
    if term != term.strip():
        return "spaces"
    if len(term) > MOST_CHARS:
        return "long"
    if any(unicodedata.category(char) in _CONTROLS for char in term):
        return "unusable"
    try:
        check(TermList("", (term,)))
    except LexiconError:
        return "unusable"
    folded = fold(term)
    if _is_address(folded):
        return "address"
    return "number" if _is_number(folded) else None


_CONTROLS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_NUMERALS: Final = frozenset("0123456789〇零一二三四五六七八九幺壹贰叁肆伍陆柒捌玖")


def _is_address(folded: str) -> bool:
    """Whether it has an e-mail address in it: something, an @, and something with a dot inside."""
    before, at, after = folded.partition("@")
    host = after.strip().partition(" ")[0].strip(".")
    return bool(at and before.strip() and "." in host)


def _is_number(folded: str) -> bool:
    """Whether so many digits stand in a row that they could be a telephone's, a document's or an account's."""
    return any(digits > (MOST_HANDLE_DIGITS if beside else MOST_DIGITS) for digits, beside in _digit_runs(folded))


def _digit_runs(folded: str) -> Iterator[tuple[int, bool]]:
    """How many digits each run has, in figures or Chinese numerals, and whether a Latin letter touches it.

    Spaces and punctuation are looked through; a letter ends a run.
    """
    digits, beside, last = 0, False, ""
    for char in (*folded, _END):
        if char in _NUMERALS:
            beside = beside or (not digits and _is_latin(last))
            digits += 1
        elif digits and (char.isalpha() or char == _END):
            yield digits, beside or (last in _NUMERALS and _is_latin(char))
            digits, beside = 0, False
        last = char


_END: Final = "\n"


def _is_latin(char: str) -> bool:
    return char == "_" or (char.isascii() and char.isalpha())


# --- state -------------------------------------------------------------------------------------------------------


def evolve(state: WordList | None, entry: Entry) -> WordList:
    """The state after the entry. Raises ValueError for an entry that this procedure does not know."""
    if entry.kind not in KINDS:
        raise ValueError(f"{entry.dossier}: unexpected entry {entry.kind}")
    since = entry.at if state is None else state.since
    return WordList(entry.dossier, entry.version, entry.body["list"], since)


KINDS: Final[tuple[str, ...]] = ("list.added", "list.removed")
"""Every kind of entry of this procedure."""


# --- the changes themselves --------------------------------------------------------------------------------------


class Touched(Value, frozen=True):
    """Who has added or removed a term, when and why."""

    by: str
    at: Micros
    reason: str
    note: str = ""
    until: Micros = 0

    def counts(self, at: Micros) -> bool:
        """Whether the term's time is not over at that instant."""
        return not self.until or at < self.until


class Changes(Value, frozen=True):
    """By what a list differs from its pack, as its entries up to `version` say. No term is in both tables."""

    version: int = 0
    added: Mapping[str, Touched] = {}
    removed: Mapping[str, Touched] = {}
    """Terms that a pack had when they were removed."""

    def at(self, instant: Micros, listed: AbstractSet[str]) -> ListChange:
        """What screening is to know of it, where these of its terms are in the pack and their time is not over.

        A term that the pack has by now needs no addition, and one that it has no more needs no removal.
        """
        added = tuple(term for term, touched in self.added.items() if touched.counts(instant) and term not in listed)
        return ListChange(added, frozenset(self.removed.keys() & listed), frozenset(added))

    def ends(self) -> Iterator[Micros]:
        """The instants at which terms that came go by themselves."""
        return (touched.until for touched in self.added.values() if touched.until)

    def standing(self, term: str, at: Micros, *, listed: bool) -> Standing:
        """How a term stands at an instant; `listed` is what the pack says."""
        touched = self.added.get(term)
        ended = touched is not None and not touched.counts(at)
        return Standing(listed, term in self.removed, touched is not None, ended)


def amended(changes: Changes, entries: Iterable[Entry]) -> Changes:
    """The changes after further entries, in order. Raises ValueError for one that this procedure does not know."""
    added, removed, version = dict(changes.added), dict(changes.removed), changes.version
    for entry in entries:
        _amend(added, removed, entry)
        version = entry.version
    return Changes(version, added, removed)


def _amend(added: dict[str, Touched], removed: dict[str, Touched], entry: Entry) -> None:
    body: Mapping[str, Any] = entry.body
    if entry.kind == "list.added":
        for each in body["terms"]:
            touched = Touched(entry.actor, entry.at, body["reason"], each.get("note", ""), each.get("until", 0))
            added[each["term"]] = touched
            removed.pop(each["term"], None)
        for term in body["restored"]:
            removed.pop(term, None)
    elif entry.kind == "list.removed":
        for term in body["terms"]:
            added.pop(term, None)
        for term in body["struck"]:
            removed[term] = Touched(entry.actor, entry.at, body["reason"])
    else:
        raise ValueError(f"{entry.dossier}: unexpected entry {entry.kind}")

"""The kinds of dossier: how each one's state is folded, encoded and listed. The one place that names them all."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from placet.model import ID_PREFIXES, Entry, Micros, Value
from placet.procedure import access, account, activation, policy_record, publication, rule_guard, word_list
from placet.store.contract import Deadline, DossierRow, EntryRow, Query, Store


class Listing(NamedTuple):
    """The columns by which queues and searches find a dossier."""

    status: str
    account: str = ""
    queue: str = ""
    priority: int = 0
    assignee: str = ""
    due_at: Micros = 0
    opened_at: Micros = 0


class Kind(NamedTuple):
    """One kind of dossier: its state's type, its procedure, its listing."""

    name: str
    state: type[Value]
    decide: Callable[..., Any]
    evolve: Callable[..., Any]
    listing: Callable[[Any], Listing]
    deadlines: Callable[[Any], tuple[tuple[str, Micros], ...]]
    decoder: msgspec.json.Decoder[Any]


def _kind(
    name: str,
    state: type[Value],
    procedure: Any,
    listing: Callable[[Any], Listing],
    deadlines: Callable[[Any], tuple[tuple[str, Micros], ...]] = lambda _: (),
) -> Kind:
    decoder = msgspec.json.Decoder(state)
    return Kind(name, state, procedure.decide, procedure.evolve, listing, deadlines, decoder)


def _publication_listing(state: publication.Publication) -> Listing:
    return Listing(
        status=state.status,
        account=state.account,
        queue=state.queue,
        priority=state.level,
        assignee=state.assignee,
        due_at=publication.due_at(state),
        opened_at=state.submitted_at,
    )


_KINDS: Final = (
    _kind(
        "publication",
        publication.Publication,
        publication,
        _publication_listing,
        publication.deadlines,
    ),
    _kind("account", account.Account, account, lambda s: Listing(s.status, account=s.id, opened_at=s.opened_at)),
    _kind("staff", access.Access, access, lambda s: Listing(s.status, opened_at=s.since)),
    _kind("key", access.Access, access, lambda s: Listing(s.status, account=s.account, opened_at=s.since)),
    _kind("webhook", access.Access, access, lambda s: Listing(s.status, opened_at=s.since)),
    _kind("list", word_list.WordList, word_list, lambda s: Listing("changed", opened_at=s.since)),
    _kind(
        "activation",
        activation.Activation,
        activation,
        lambda s: Listing(s.status, due_at=s.activate_at, opened_at=s.opened_at),
        activation.deadlines,
    ),
    _kind("guard", rule_guard.RuleGuard, rule_guard, lambda s: Listing(s.status, opened_at=s.since)),
    _kind("pack", policy_record.PolicyRecord, policy_record, lambda s: Listing("recorded", opened_at=s.since)),
)

KINDS: Final[dict[str, Kind]] = {kind.name: kind for kind in _KINDS}

_BY_PREFIX: Final = {ID_PREFIXES[kind.name]: kind for kind in _KINDS}

ENTRY_KINDS: Final[tuple[str, ...]] = (
    *publication.KINDS,
    *account.KINDS,
    *access.KINDS,
    *policy_record.KINDS,
    *word_list.KINDS,
    *activation.KINDS,
    *rule_guard.KINDS,
)
"""Every kind of entry that the record may hold. A kind's tag and bytes never change their meaning."""

_PAGE: Final = 200
_encoder: Final = msgspec.json.Encoder()


def of_id(dossier: str) -> Kind | None:
    """The kind that an id names by its prefix; None for a prefix that no dossier has."""
    return _BY_PREFIX.get(dossier.partition("_")[0])


def row(kind: Kind, state: Any, updated_at: Micros) -> DossierRow:
    """The stored form of a state."""
    listing = kind.listing(state)
    return DossierRow(
        id=state.id,
        kind=kind.name,
        version=state.version,
        status=listing.status,
        account=listing.account,
        queue=listing.queue,
        priority=listing.priority,
        assignee=listing.assignee,
        due_at=listing.due_at,
        opened_at=listing.opened_at,
        updated_at=updated_at,
        state=_encoder.encode(state),
    )


def due(kind: Kind, state: Any) -> tuple[Deadline, ...]:
    """The deadlines of a state."""
    return tuple(Deadline(state.id, name, at) for name, at in kind.deadlines(state))


def decode(stored: DossierRow) -> Any:
    """The state in a stored row. Raises msgspec.DecodeError if it does not fit its kind."""
    return KINDS[stored.kind].decoder.decode(stored.state)


async def every(store: Store, query: Query) -> list[Any]:
    """The states of all dossiers that a query finds, page by page."""
    states: list[Any] = []
    query = msgspec.structs.replace(query, limit=_PAGE)
    while rows := await store.page(query):
        states += map(decode, rows)
        query = msgspec.structs.replace(query, after=(rows[-1].opened_at, rows[-1].id))
    return states


def fold(kind: Kind, entries: list[Entry]) -> Any:
    """The state that entries lead to, from nothing."""
    state = None
    for entry in entries:
        state = kind.evolve(state, entry)
    return state


def entry_of(row: EntryRow) -> Entry:
    """An entry as procedures read it. Raises ValueError when its body has been erased."""
    if row.body is None:
        raise ValueError(f"the body of entry {row.seq} has been erased")
    body = msgspec.json.decode(row.body)
    return Entry(row.seq, row.id, row.at, row.dossier, row.version, row.kind, row.actor, row.basis, body)

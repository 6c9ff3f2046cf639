"""Checks that the record is what it says: replay every verdict, rebuild every state, export for outsiders."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final, NamedTuple

import msgspec

from placet import kinds
from placet.errors import PlacetError
from placet.ledger.encode import canonical
from placet.ledger.export import export_lines
from placet.model import Entry, Finding, Item, Json
from placet.policy import AccountFacts, Policy
from placet.recorder import Recorder, header_of
from placet.screening import screen
from placet.service import Service
from placet.store.contract import Commit, Committed, EntryRow, Store

_BATCH: Final = 1_000
_JUDGED: Final = frozenset({"publication.submitted", "publication.revised"})

Progress = Callable[[int, int], None]


class Difference(NamedTuple):
    """Something that does not come out as recorded."""

    where: str
    what: str


class Outcome(NamedTuple):
    """How many were looked at, and what differs."""

    checked: int
    differences: list[Difference]


async def replay(service: Service, progress: Progress = lambda _, __: None) -> Outcome:
    """Derive every recorded verdict again: from the recorded facts and findings, and from the content itself."""
    checked = 0
    differences: list[Difference] = []
    size = await service.store.size()
    for start in range(0, size, _BATCH):
        for row in await service.store.entries_from(start, _BATCH):
            if row.kind in _JUDGED and row.body is not None:
                checked += 1
                differences += await _replayed(service, row)
        progress(min(start + _BATCH, size), size)
    return Outcome(checked, differences)


async def _replayed(service: Service, row: EntryRow) -> list[Difference]:
    where = f"{row.dossier} version {row.version} (entry {row.seq})"
    body: dict[str, Json] = msgspec.json.decode(row.body or b"{}")
    try:
        policy = await service.shelf.get(row.basis.policy)
        item = await service.content(body["revision"])
    except PlacetError as problem:
        return [Difference(where, problem.detail)]
    findings = [_with_quote(msgspec.convert(each, Finding), item) for each in body["findings"]]
    found: list[Difference] = []
    verdict = policy.evaluate(_whole_facts(policy, item, body["facts"], row), findings, row.dossier)
    if canonical(msgspec.to_builtins(verdict)) != canonical(body["verdict"]):
        found.append(Difference(where, f"the verdict comes to {verdict.outcome}, recorded is {body['outcome']}"))
    if screen(item, policy.lexicon) != findings:
        found.append(Difference(where, "screening finds something else in the same content"))
    return found


def _whole_facts(policy: Policy, item: Item, recorded: dict[str, Json], row: EntryRow) -> dict[str, Json]:
    """The facts as they were: what was recorded, over the author's words, which stand in the revision."""
    facts = policy.facts(item, AccountFacts(), row.at)
    _lay_over(facts, recorded)
    return facts


def _lay_over(facts: dict[str, Json], recorded: dict[str, Json]) -> None:
    for name, value in recorded.items():
        if isinstance(value, dict) and isinstance(facts.get(name), dict):
            _lay_over(facts[name], value)
        else:
            facts[name] = value


def _with_quote(finding: Finding, item: Item) -> Finding:
    quote = getattr(item, finding.field, "")[finding.start : finding.end]
    return msgspec.structs.replace(finding, quote=quote)


async def rebuild(store: Store, *, repair: bool = False, progress: Progress = lambda _, __: None) -> Outcome:
    """Fold every dossier's entries again and compare with what is stored; with `repair`, write what the entries say."""
    checked = 0
    differences: list[Difference] = []
    async for row in store.states():
        checked += 1
        kind = kinds.KINDS.get(row.kind)
        if kind is None:
            differences.append(Difference(row.id, f"unknown kind {row.kind}"))
            continue
        try:
            entries = [_entry(each) async for each in _all_entries(store, row.id)]
            state = kinds.fold(kind, entries)
        except (ValueError, KeyError, msgspec.MsgspecError) as problem:
            differences.append(Difference(row.id, f"its entries cannot be folded: {problem}"))
            continue
        expected = None if state is None else kinds.row(kind, state, entries[-1].at)
        if expected != row:
            differences.append(Difference(row.id, _what_differs(row, expected)))
            if repair and expected is not None:
                await _repair(
                    store, Commit(expects={row.id: row.version}, dossiers=(expected,), deadlines=kinds.due(kind, state))
                )
        if checked % _BATCH == 0:
            progress(checked, 0)
    return Outcome(checked, differences)


async def _repair(store: Store, commit: Commit) -> None:
    (result,) = await store.write([commit])
    if not isinstance(result, Committed):
        raise PlacetError("A dossier changed while it was repaired.", code="busy")


def _what_differs(row: Any, expected: Any) -> str:
    if expected is None:
        return "it has no entries"
    fields = [name for name in row.__struct_fields__ if getattr(row, name) != getattr(expected, name)]
    return f"{', '.join(fields)} differ from what its entries lead to"


async def _all_entries(store: Store, dossier: str) -> AsyncIterator[EntryRow]:
    after = 0
    while rows := await store.entries(dossier, after, _BATCH):
        for row in rows:
            yield row
        after = rows[-1].version


def _entry(row: EntryRow) -> Entry:
    if row.body is None:
        raise ValueError(f"the body of entry {row.seq} has been erased")
    body = msgspec.json.decode(row.body)
    return Entry(row.seq, row.id, row.at, row.dossier, row.version, row.kind, row.actor, row.basis, body)


async def export(
    store: Store, recorder: Recorder, *, bodies: bool = False, progress: Progress = lambda _, __: None
) -> AsyncIterator[bytes]:
    """The export under the latest head, line by line (ledger/verify.py describes it). No bodies unless asked for."""
    head = await store.head()
    if head is None:
        raise PlacetError("No head has been signed yet: run placet ledger checkpoint.", code="not_found")
    headers: list[bytes] = []
    disclosed: list[tuple[int, bytes, bytes]] = []
    for start in range(0, head.size, _BATCH):
        rows = await store.entries_from(start, min(_BATCH, head.size - start))
        headers += [header_of(row) for row in rows]
        if bodies:
            disclosed += [
                (row.seq, row.salt, row.body) for row in rows if row.body is not None and row.salt is not None
            ]
        progress(min(start + _BATCH, head.size), head.size)
    tiles = await recorder.all_tiles(head.size)
    lines = export_lines(
        origin=recorder.origin,
        vkey=recorder.vkey,
        checkpoint=head.note,
        size=head.size,
        headers=headers,
        read=lambda level, index: tiles[level, index],
        bodies=disclosed,
    )
    for line in lines:
        yield line

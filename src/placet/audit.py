"""Checks that the record is what it says: replay every verdict, rebuild every state, export for outsiders."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final, NamedTuple

import msgspec

from placet import kinds
from placet.detection import READ_OFF
from placet.errors import PlacetError
from placet.judging import grounds_of
from placet.ledger.encode import canonical
from placet.ledger.export import export_lines
from placet.model import Finding, Item, Json
from placet.policy import PAUSED, AccountFacts, Policy, requote
from placet.recorder import Recorder, header_of
from placet.screening import Lexicon, screen
from placet.service import Service
from placet.store.contract import Commit, Committed, DossierRow, EntryRow, Store

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


class _Judgement(msgspec.Struct):
    """What an entry's body says of a revision; its other fields belong to the procedure."""

    revision: str
    category: str
    origin: str
    outcome: str
    grounds: tuple[str, ...]
    findings: list[Finding]
    facts: dict[str, Json]
    verdict: Json
    lists: dict[str, Json] = {}
    """By what the lists differed from those of the packs (lexicons.py)."""


async def _replayed(service: Service, row: EntryRow) -> list[Difference]:
    where = f"{row.dossier} version {row.version} (entry {row.seq})"
    try:
        body = msgspec.json.decode(row.body or b"", type=_Judgement)
        policy = await service.shelf.get(row.basis.policy)
        item = await service.content(body.revision)
        lexicon = await service.lexicons.recorded(policy, body.lists)
        return [Difference(where, what) for what in _what_comes_out(policy, lexicon, item, body, row)]
    except PlacetError as problem:
        return [Difference(where, problem.detail)]
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError, AttributeError) as problem:
        return [Difference(where, f"its body is not what an entry of this kind holds: {problem}")]


def _what_comes_out(policy: Policy, lexicon: Lexicon, item: Item, body: _Judgement, row: EntryRow) -> Iterator[str]:
    """What differs when the rules are asked again."""
    findings = requote(body.findings, item)
    facts, paused = _whole_facts(policy, item, body.facts, row), _paused(body.verdict)
    verdict = policy.evaluate(facts, findings, row.dossier, paused=paused)
    if canonical(msgspec.to_builtins(verdict)) != canonical(body.verdict):
        yield f"the verdict comes to {verdict.outcome}, recorded is {body.outcome}"
    if (verdict.outcome, grounds_of(verdict)) != (body.outcome, body.grounds):
        yield f"outcome and grounds do not follow from the verdict, which is {verdict.outcome}"
    if (item.category, item.origin) != (body.category, body.origin):
        yield "category and origin are not those of the content"
    if screen(item, lexicon) != [each for each in findings if each.detector in READ_OFF]:
        yield "screening finds something else in the same content"


def _paused(verdict: Json) -> frozenset[tuple[str, str]]:
    """The rules that were out of effect, as far as it mattered: those whose hits say so."""
    return frozenset((each["pack"], each["rule"]) for each in verdict["shadow"] if each["mode"] == PAUSED)


def _whole_facts(policy: Policy, item: Item, recorded: dict[str, Json], row: EntryRow) -> dict[str, Json]:
    """The facts as they were: what was recorded, over the author's words, which stand in the revision."""
    facts = policy.facts(item, AccountFacts(), row.at)
    lay_over(facts, recorded)
    return facts


def lay_over(facts: dict[str, Json], recorded: dict[str, Json]) -> None:
    """Put recorded facts in the place of those gathered anew, table by table."""
    for name, value in recorded.items():
        if isinstance(value, dict) and isinstance(facts.get(name), dict):
            lay_over(facts[name], value)
        else:
            facts[name] = value


async def rebuild(store: Store, *, repair: bool = False, progress: Progress = lambda _, __: None) -> Outcome:
    """Fold every dossier's entries again and compare with what is stored; with `repair`, write what the entries say."""
    checked = 0
    differences: list[Difference] = []
    async for dossier, row in _dossiers(store):
        checked += 1
        differences += await _rebuilt(store, dossier, row, repair=repair)
        if checked % _BATCH == 0:
            progress(checked, 0)
    return Outcome(checked, differences)


async def _dossiers(store: Store) -> AsyncIterator[tuple[str, DossierRow | None]]:
    """Every dossier with its row; then those that have entries, and no row any more."""
    async for row in store.states():
        yield row.id, row
    start = 0
    while entries := await store.entries_from(start, _BATCH, bodies=False):
        for entry in entries:
            if entry.version == 1 and await store.dossier(entry.dossier) is None:
                yield entry.dossier, None
        start = entries[-1].seq + 1


async def _rebuilt(store: Store, dossier: str, row: DossierRow | None, *, repair: bool) -> list[Difference]:
    kind = kinds.of_id(dossier)
    if kind is None:
        return [Difference(dossier, "no kind of dossier has such an id")]
    try:
        entries = [kinds.entry_of(each) async for each in _all_entries(store, dossier)]
        state = kinds.fold(kind, entries)
    except (ValueError, KeyError, TypeError, msgspec.MsgspecError) as problem:
        return [Difference(dossier, f"its entries cannot be folded: {problem}")]
    if state is None:
        return [Difference(dossier, "it has no entries")]
    expected = kinds.row(kind, state, entries[-1].at)
    if expected == row:
        return []
    latest = await store.dossier(dossier)
    if latest != row:  # somebody is at work on it: look again at both
        return await _rebuilt(store, dossier, latest, repair=repair)
    if repair:
        version = 0 if row is None else row.version
        commit = Commit(expects={dossier: version}, dossiers=(expected,), deadlines=kinds.due(kind, state))
        await _repair(store, commit)
    return [Difference(dossier, _what_differs(row, expected))]


async def _repair(store: Store, commit: Commit) -> None:
    (result,) = await store.write([commit])
    if not isinstance(result, Committed):
        raise PlacetError("A dossier changed while it was repaired.", code="busy")


def _what_differs(row: DossierRow | None, expected: DossierRow) -> str:
    if row is None:
        return "it has entries, but is not stored"
    fields = [name for name in row.__struct_fields__ if getattr(row, name) != getattr(expected, name)]
    return f"{', '.join(fields)} differ from what its entries lead to"


async def _all_entries(store: Store, dossier: str) -> AsyncIterator[EntryRow]:
    after = 0
    while rows := await store.entries(dossier, after, _BATCH):
        for row in rows:
            yield row
        after = rows[-1].version


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

"""The queue, the item, the decision."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.response import Redirect

from placet import kinds
from placet.errors import CODES, PlacetError, StoreCorrupt
from placet.model import Item, Micros, Refusal
from placet.policy import Pack, Policy, requote, restore, say
from placet.procedure import account as accounts
from placet.procedure import publication as publications
from placet.procedure.publication import Publication, Recorded, due_at
from placet.service import Done
from placet.store.contract import DossierRow, Query
from placet.web.api.publications import read_cursor, write_cursor
from placet.web.console import show
from placet.web.contexts import DecisionDraft, ItemPage, QueueFilter, QueuePage, QueueRow
from placet.web.strict import StrictRequest
from placet.web.visit import MOST_COUNTED, Visit, go, problem_of, signed_in
from placet.web.wire import check_id

_PAGE: Final = 40
_SEARCHED: Final = 400
_RECENT: Final = 8
_TIMELINE: Final = 500
_FIELDS: Final = ("choice", "ground", "facts", "reason", "changes", "law")
_DONE: Final = {
    "approve": "approved",
    "return": "returned",
    "refuse": "refused",
    "escalate": "escalated",
    "take_down": "taken_down",
}


# --- queue -------------------------------------------------------------------------------------------------------


@get("/desk", include_in_schema=False)
async def queue_page(
    request: StrictRequest,
    queue: str = "*",
    show: str = "all",
    account: str = "",
    ground: str = "",
    cursor: str = "",
) -> Response[str]:
    """What waits for a person, the oldest due first."""
    here = await signed_in(request, "publication.read")
    chosen = QueueFilter(
        queue=queue if queue in ("*", "review", "lead") else "*",
        show=show if show in ("all", "mine", "unclaimed", "overdue") else "all",
        account=account[:60],
        ground=ground[:100],
    )
    rows, following = await _waiting(here, chosen, read_cursor(cursor))
    names = await here.desk.people.labels()
    shown = [await _queue_row(here, row, names) for row in rows]
    counts = [(name, await here.desk.store.count(Query(queue=name), MOST_COUNTED)) for name in ("review", "lead")]
    policy = here.desk.service.policy
    grounds = tuple((one.id, say(one.title, here.language)) for one in policy.grounds.values())
    page = QueuePage(
        chrome=here.chrome(),
        filter=chosen,
        rows=tuple(shown),
        counts=tuple(counts),
        grounds=grounds,
        next=f"/desk?{urlencode(_filter_fields(chosen) | {'cursor': following})}" if following else "",
        first=f"/desk/items/{shown[0].id}" if shown else "",
    )
    return here.page(page)


def _filter_fields(chosen: QueueFilter) -> dict[str, str]:
    return {"queue": chosen.queue, "show": chosen.show, "account": chosen.account, "ground": chosen.ground}


async def _waiting(here: Visit, chosen: QueueFilter, after: tuple[int, str] | None) -> tuple[list[DossierRow], str]:
    """One page of the queue. A ground or a free claim is not a column: those are looked for in a bounded stretch."""
    mine = here.who.person.id if chosen.show == "mine" else ""
    overdue = here.now if chosen.show == "overdue" else 0
    found: list[DossierRow] = []
    looked = 0
    while looked < _SEARCHED:
        query = Query(
            queue=chosen.queue,
            account=chosen.account,
            assignee=mine,
            due_before=overdue,
            order="due",
            after=after,
            limit=_PAGE + 1,
        )
        rows = await here.desk.store.page(query)
        for row in rows[:_PAGE]:
            after = (row.due_at, row.id)
            looked += 1
            if _passes(kinds.decode(row), chosen, here.now):
                found.append(row)
                if len(found) == _PAGE:
                    return found, write_cursor(after)
        if len(rows) <= _PAGE:
            return found, ""
    return found, write_cursor(after) if after else ""


def _passes(state: Publication, chosen: QueueFilter, now: Micros) -> bool:
    claimed = bool(state.assignee) and state.claim_until > now
    if chosen.show == "unclaimed" and claimed:
        return False
    return not chosen.ground or chosen.ground in state.grounds


async def _queue_row(here: Visit, row: DossierRow, names: Mapping[str, str]) -> QueueRow:
    service = here.desk.service
    state: Publication = kinds.decode(row)
    item = await service.content(state.revision)
    account = await service.account(state.account)
    policy = await service.shelf.get(state.grounds_policy)
    claimed = bool(state.assignee) and state.claim_until > here.now
    return QueueRow(
        id=state.id,
        title=show.title_of(item),
        excerpt=show.excerpt_of(item),
        account_id=state.account,
        account_name=account.display_name if account else state.account,
        account_class=account.account_class if account else "other",
        category=state.category,
        queue=state.queue,
        hold_reason=state.hold_reason,
        reasons=tuple(show.ground_title(policy.grounds, ground, here.language) for ground in state.grounds),
        due_at=row.due_at,
        overdue=row.due_at <= here.now,
        submitted_at=state.submitted_at,
        level=state.level,
        claimed_by=names.get(state.assignee, state.assignee) if claimed else "",
        mine=claimed and state.assignee == here.who.person.id,
    )


# --- item --------------------------------------------------------------------------------------------------------


@get("/desk/items/{publication:str}", include_in_schema=False)
async def item_page(request: StrictRequest, publication: str) -> Response[str]:
    """The item, why it is here, and the decision."""
    here = await signed_in(request, "publication.read")
    return await _item(here, publication, DecisionDraft())


async def _item(here: Visit, publication: str, draft: DecisionDraft, refusal: Refusal | None = None) -> Response[str]:
    service = here.desk.service
    state = await service.publication(here.who.principal, check_id(publication, "publication"))
    if state is None:
        raise PlacetError(code="not_found")
    policy = await service.shelf.get(state.policy)
    item = await service.content(state.revision)
    record = await service.screening_record(state)
    page = await _item_context(here, state, policy, item, record, draft, refusal)
    return here.page(page, status=200 if refusal is None else CODES[refusal.code].status)


async def _item_context(
    here: Visit,
    state: Publication,
    policy: Policy,
    item: Item,
    record: Recorded,
    draft: DecisionDraft,
    refusal: Refusal | None,
) -> ItemPage:
    desk, language = here.desk, here.language
    findings, verdict = record.findings, record.verdict
    seen = show.Evidence(restore(record.facts, item), requote(findings, item))
    account: accounts.Account = await desk.service.state(state.account)
    head = await desk.store.head()
    entries = await desk.store.entries(state.id, 0, _TIMELINE)
    names = await desk.people.labels()
    claimed = bool(state.assignee) and state.claim_until > here.now
    category = policy.categories.get(state.category)
    recent = Query(kind="publication", account=state.account, order="newest", limit=_RECENT)
    due = due_at(state)
    return ItemPage(
        chrome=here.chrome(),
        id=state.id,
        version=state.version,
        status=state.status,
        automatic=state.automatic,
        queue=state.queue,
        hold_reason=state.hold_reason,
        due_at=due,
        overdue=0 < due <= here.now,
        level=state.level,
        claimed_by=names.get(state.assignee, state.assignee) if claimed else "",
        claim_until=state.claim_until if claimed else 0,
        mine=claimed and state.assignee == here.who.person.id,
        own_submission=state.submitted_by == here.who.person.id,
        title=show.segments(item.title, "title", findings),
        body=show.segments(item.body, "body", findings),
        format=item.format,
        category=state.category,
        category_title=say(category.title, language) if category else state.category,
        origin=state.origin,
        source=_source(item),
        media=tuple((each.kind, each.url, each.alt) for each in item.media),
        external_id=state.external_id,
        revision=state.revision,
        revisions=state.revisions,
        submitted_at=state.submitted_at,
        schedule_at=state.schedule_at,
        live=bool(state.live_revision) and state.live_revision != state.revision,
        blocked_by=state.blocked_by,
        findings=show.finding_rows(findings, item),
        hits=tuple(show.hit_row(policy, hit, language, seen) for hit in verdict.hits),
        shadow=tuple(show.hit_row(policy, hit, language, seen) for hit in verdict.shadow),
        errors=tuple((error.rule, error.error) for error in verdict.errors),
        account=await show.account_card(desk.store, account, policy, language),
        recent=tuple(each for each in await show.publication_links(desk.service, recent) if each.id != state.id),
        timeline=show.timeline(
            entries, names, {**desk.service.policy.grounds, **policy.grounds}, language, head.size if head else 0
        ),
        actions=_actions(here, state, claimed=claimed),
        grounds=show.ground_choices(policy, (hit.ground for hit in verdict.hits), language),
        draft=draft,
        problem="" if refusal is None else "stale_rules" if "read" in refusal.facts else problem_of(refusal),
        problem_field="" if refusal is None else str(refusal.facts.get("field", "")),
        next_item=await _next_item(here, state.id),
        rules_read=desk.service.policy.digest,
        rules_changed=await _rules_changed(here, refusal),
    )


async def _rules_changed(here: Visit, refusal: Refusal | None) -> tuple[str, ...]:
    """By which packs what is in force differs from what was when the person read, if a decision was refused for it."""
    if refusal is None or "read" not in refusal.facts:
        return ()
    now = {pack.id: pack for pack in here.desk.service.policy.packs}
    try:
        read = await here.desk.service.shelf.get(refusal.facts["read"])
    except StoreCorrupt:  # a digest that no page of ours has shown
        return tuple(map(_called, now.values()))
    before = {pack.id: pack for pack in read.packs}
    return tuple(
        " → ".join(_called(packs[name]) if name in packs else "—" for packs in (before, now))
        for name in sorted({*before, *now})
        if name not in before or name not in now or before[name].digest != now[name].digest
    )


def _called(pack: Pack) -> str:
    return f"{pack.id} {pack.head.version} ({pack.digest.removeprefix('sha256:')[:8]})"


def _source(item: Item) -> tuple[tuple[str, str], ...]:
    source = item.source
    pairs = (("name", source.name), ("author", source.author), ("url", source.url), ("title", source.title))
    return tuple((f"field.source_{name}", value) for name, value in pairs if value)


def _actions(here: Visit, state: Publication, *, claimed: bool) -> frozenset[str]:
    """What this person could do now; the procedure checks again when they do."""
    may = here.who.principal.may
    own = state.submitted_by == here.who.person.id
    mine = claimed and state.assignee == here.who.person.id
    found: set[str] = set()
    if state.status == "held" and not own and may("publication.decide"):
        free = not claimed or mine
        if free and (state.queue != "lead" or may("publication.decide_escalated")):
            found |= {"approve", "return", "refuse", "escalate"}
        elif free:
            found.add("escalate")
        if may("publication.claim"):
            found |= {"unclaim"} if mine else ({"claim"} if not claimed else set())
    if state.status in ("approved", "blocked") and may("publication.release"):
        found.add("release")
    if state.live_revision and not own and may("publication.take_down"):
        found.add("take_down")
    return frozenset(found)


async def _next_item(here: Visit, current: str) -> str:
    """The item that is due first among those that nobody else has in hand."""
    for row in await here.desk.store.page(Query(queue="*", order="due", limit=20)):
        state: Publication = kinds.decode(row)
        other = state.assignee not in ("", here.who.person.id) and state.claim_until > here.now
        if row.id != current and not other and state.submitted_by != here.who.person.id:
            return f"/desk/items/{row.id}"
    return ""


# --- what one does with it ---------------------------------------------------------------------------------------


@post("/desk/items/{publication:str}/claim", status_code=303, include_in_schema=False)
async def claim(request: StrictRequest, publication: str) -> Redirect | Response[str]:
    """Take it in hand."""
    return await _simple(request, publication, publications.Claim(), "claimed")


@post("/desk/items/{publication:str}/unclaim", status_code=303, include_in_schema=False)
async def unclaim(request: StrictRequest, publication: str) -> Redirect | Response[str]:
    """Give it back."""
    return await _simple(request, publication, publications.Unclaim(), "unclaimed")


async def _simple(
    request: StrictRequest, publication: str, command: publications.Command, done: str
) -> Redirect | Response[str]:
    here = await signed_in(request, "publication.claim")
    await here.form()
    result = await here.desk.service.act(here.who.principal, check_id(publication, "publication"), command)
    if isinstance(result, Refusal):
        return await _item(here, publication, DecisionDraft(), result)
    return go(f"/desk/items/{publication}", done)


@post("/desk/items/{publication:str}/decision", status_code=303, include_in_schema=False)
async def decide(request: StrictRequest, publication: str) -> Redirect | Response[str]:
    """Decide; a refusal gives the page back with what was typed."""
    here = await signed_in(request, "publication.read")
    form = await here.form()
    draft = DecisionDraft(**{name: form.get(name, "")[:20_000] for name in _FIELDS})
    if draft.choice not in _DONE:
        return await _item(here, publication, draft, Refusal("invalid", {"field": "choice"}))
    version = form.get("version", "")
    command = publications.Decide(
        choice=draft.choice,  # type: ignore[arg-type]  # checked above
        version=int(version) if version.isdecimal() and len(version) < 10 else 0,
        ground=draft.ground,
        facts=draft.facts,
        reason=draft.reason,
        changes=draft.changes,
        law=draft.law,
    )
    identity, read = check_id(publication, "publication"), form.get("rules", "")[:100]
    result = await here.desk.service.act(here.who.principal, identity, command, under=read)
    if isinstance(result, Refusal):
        field = str(result.facts.get("field", "")) or _FIELD_OF.get(result.code, "")
        return await _item(here, publication, draft, Refusal(result.code, {**result.facts, "field": field}))
    return _onward(draft.choice, publication, await _next_item(here, publication))


_FIELD_OF: Final = {"ground_unknown": "ground", "ground_needs_law": "law"}


def _onward(choice: str, publication: str, following: str) -> Redirect:
    """After a take-down one stays; after a decision one goes on to what is due next, or back to the queue."""
    if choice == "take_down":
        return go(f"/desk/items/{publication}", _DONE[choice])
    return go(following or "/desk", _DONE[choice])


@post("/desk/items/{publication:str}/release", status_code=303, include_in_schema=False)
async def release(request: StrictRequest, publication: str) -> Redirect | Response[str]:
    """Publish now, if every check holds."""
    here = await signed_in(request, "publication.release")
    await here.form()
    result = await here.desk.service.release(here.who.principal, check_id(publication, "publication"))
    if isinstance(result, Refusal):
        return await _item(here, publication, DecisionDraft(), result)
    assert isinstance(result, Done)
    return go(f"/desk/items/{publication}", result.state.status)


HANDLERS = [queue_page, item_page, claim, unclaim, decide, release]

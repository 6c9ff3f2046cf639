"""/v1/screen and /v1/publications."""

import asyncio
import base64
from collections import deque
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import msgspec
from litestar import Response, Router, get, post
from litestar.openapi.spec import Example
from litestar.params import Body, Parameter
from litestar.response import Stream

from placet import kinds
from placet.errors import BadInput, PlacetError
from placet.judging import Screening
from placet.ledger.encode import MAX_INT
from placet.model import Item, Refusal
from placet.policy import AccountFacts
from placet.procedure import publication as publications
from placet.service import Done, Idempotency, Principal, Submission
from placet.store.contract import Query
from placet.web.desk import Answer, Desk, desk_of, digest_of, idempotency
from placet.web.problems import describe, problem, problem_response, refusal_response
from placet.web.strict import StrictRequest, convert, loads
from placet.web.wire import (
    ContestIn,
    DecisionIn,
    PublicationIn,
    PublicationOut,
    PublicationPage,
    RevisionIn,
    ScreenIn,
    ScreenOut,
    check_id,
    encode,
    item_of,
    publication_out,
    publication_reply,
    screen_out,
    submission_of,
)

JSON: Final = "application/json"
_CHUNK: Final = 256
_Place = tuple[Annotated[int, msgspec.Meta(ge=0, le=MAX_INT)], str]
_STATUSES: Final = frozenset(
    ("approved", "held", "returned", "refused", "scheduled", "released", "blocked", "withdrawn", "taken_down")
)

EXAMPLE: Final = Example(
    summary="A post",
    value={
        "account": "acc_01jd5c3q6qf0aradm5yxr1ky7k",
        "title": "Opening hours",
        "body": "We open at nine on Sundays.",
    },
)


def replied(result: Done | Refusal, desk: Desk, status: int) -> Response[bytes]:
    """A command's result as a response: what was done, what was answered before, or the refusal."""
    if isinstance(result, Refusal):
        return refusal_response(result)
    if result.reply is not None:
        return Response(result.reply, status_code=status, media_type=JSON, headers={"idempotent-replayed": "true"})
    body = encode(publication_out(result.state, desk.service.shelf, result.screening))
    return Answer(body, status_code=status)


@post("/screen", status_code=200, summary="Try a text", responses={}, opt={"scope": "screen"})
async def screen(request: StrictRequest, data: ScreenIn) -> Response[ScreenOut]:
    """Findings and verdict for a content, as if an account submitted it now. Nothing is recorded."""
    desk = desk_of(request)
    who = await desk.gate.bearer(request, "screen")
    facts = AccountFacts()
    if data.account:
        account = await desk.service.account(check_id(data.account, "account")) if who.sees(data.account) else None
        if account is None:
            return problem_response("account_not_found")  # type: ignore[return-value]
        facts = await desk.service.facts_of(account)
    item = item_of(data, desk.service.policy, desk.settings.max_text_chars)
    screening = await desk.service.screen(item, facts, "")
    return Response(encode(screen_out(screening, desk.service.policy)), media_type=JSON)  # type: ignore[arg-type]


@post("/publications", summary="Submit a publication", opt={"scope": "publication.submit"})
async def submit(
    request: StrictRequest, data: Annotated[PublicationIn, Body(examples=[EXAMPLE])]
) -> Response[PublicationOut]:
    """Screen, decide by the rules in force, and record. The answer comes when the record is durable."""
    desk = desk_of(request)
    who = await desk.gate.bearer(request, "publication.submit")
    ask = submission_of(data, desk.service.policy, desk.settings.max_text_chars)
    once = idempotency(request, await request.body())
    result = await desk.service.submit(who, ask, once, publication_reply(desk.service.shelf))
    return replied(result, desk, 201)  # type: ignore[return-value]


@post("/publications/batch", status_code=200, summary="Submit many", opt={"scope": "publication.submit"})
async def batch(request: StrictRequest) -> Stream:
    """NDJSON in, one publication a line; NDJSON out, one result a line and in order; a bad line fails alone.

    With an Idempotency-Key each line is remembered under it, so a batch that broke off can be sent again whole.
    """
    desk = desk_of(request)
    who = await desk.gate.bearer(request, "publication.submit")
    request.check_media_type("application/x-ndjson")
    lines = (await request.body()).split(b"\n")
    if lines and not lines[-1].strip():
        lines.pop()
    if len(lines) > desk.settings.max_batch_lines:
        raise BadInput(code="too_large", facts={"limit": desk.settings.max_batch_lines, "unit": "lines"})
    base = idempotency(request, b"")
    return Stream(_results(desk, who, request, lines, base), media_type="application/x-ndjson")


async def _results(
    desk: Desk, who: Principal, request: StrictRequest, lines: list[bytes], base: Idempotency | None
) -> AsyncIterator[bytes]:
    """The results part by part. Two parts are under way, so that one is decided while the other becomes durable."""
    under_way: deque[asyncio.Task[list[bytes]]] = deque()
    try:
        for start in range(0, len(lines), _CHUNK):
            part = lines[start : start + _CHUNK]
            under_way.append(asyncio.create_task(_chunk(desk, who, request, part, start + 1, base)))
            if len(under_way) > 1:
                yield b"".join(await under_way.popleft())
        while under_way:
            yield b"".join(await under_way.popleft())
    finally:  # the caller went away: what is queued is still written, but nobody waits for it
        for task in under_way:
            task.cancel()


async def _chunk(
    desk: Desk, who: Principal, request: StrictRequest, lines: list[bytes], first: int, base: Idempotency | None
) -> list[bytes]:
    """The result lines of one part: the good submissions go to the service together."""
    results: dict[int, bytes] = {}
    asks: list[Submission] = []
    places: list[int] = []
    onces: list[Idempotency | None] = []
    for place, line in enumerate(lines, first):
        try:
            ask = convert(loads(line), PublicationIn)
            asks.append(submission_of(ask, desk.service.policy, desk.settings.max_text_chars))
            places.append(place)
            onces.append(Idempotency(f"{base.key}:{place}", digest_of(request, line)) if base else None)
        except PlacetError as error:
            results[place] = _failed_line(place, problem(*describe(error)))
    try:
        done = await desk.service.submit_many(who, asks, onces, publication_reply(desk.service.shelf))
    except PlacetError as error:  # the store failed: every line of this part must hear of it
        done = [Refusal(error.code)] * len(asks)
    for place, result in zip(places, done, strict=True):
        if isinstance(result, Refusal):
            results[place] = _failed_line(place, problem(result.code, "", result.facts))
        else:
            out = result.reply or encode(publication_out(result.state, desk.service.shelf, result.screening))
            results[place] = b'{"line":%d,"status":201,"publication":%b}\n' % (place, out)
    return [results[place] for place in sorted(results)]


def _failed_line(place: int, shown: dict[str, Any]) -> bytes:
    return encode({"line": place, "status": shown["status"], "problem": shown}) + b"\n"


@get("/publications", summary="List publications", opt={"scope": "publication.read"})
async def listing(
    request: StrictRequest,
    status: str = "",
    account: str = "",
    queue: str = "",
    order: str = "newest",
    cursor: str = "",
    limit: Annotated[int, Parameter(ge=1, le=200)] = 50,
) -> Response[PublicationPage]:
    """Publications by status, account or queue. `order` is newest, opened (oldest first) or due; pages by cursor."""
    desk = desk_of(request)
    who = await desk.gate.bearer(request, "publication.read")
    if status and status not in _STATUSES:
        raise BadInput(facts={"field": "status", "allowed": sorted(_STATUSES)})
    if order not in ("newest", "opened", "due"):
        raise BadInput(facts={"field": "order", "allowed": ["newest", "opened", "due"]})
    if account:
        check_id(account, "account")
    if not who.sees(account or who.account):
        return Response(encode(PublicationPage([])), media_type=JSON)  # type: ignore[arg-type]
    query = Query(
        kind="publication",
        status=status,
        account=account or who.account,
        queue=queue,
        order=order,  # type: ignore[arg-type]  # checked above
        after=read_cursor(cursor),
        limit=limit + 1,
    )
    rows = await desk.store.page(query)
    states = [kinds.decode(row) for row in rows[:limit]]
    for state in states:
        await desk.service.shelf.get(state.grounds_policy)
    shown = [publication_out(state, desk.service.shelf) for state in states]
    last = rows[limit - 1] if len(rows) > limit else None
    following = None if last is None else write_cursor((last.due_at if order == "due" else last.opened_at, last.id))
    return Response(encode(PublicationPage(shown, following)), media_type=JSON)  # type: ignore[arg-type]


def write_cursor(after: tuple[int, str]) -> str:
    """Where the next page begins, opaque to the reader."""
    return base64.urlsafe_b64encode(msgspec.json.encode(after)).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[int, str] | None:
    """The place that a cursor names. Raises BadInput for one that we did not write."""
    if not cursor:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        place: tuple[int, str] = msgspec.json.decode(raw, type=_Place)
    except (ValueError, msgspec.MsgspecError) as error:
        raise BadInput(code="bad_cursor") from error
    return place


@get("/publications/{publication:str}", summary="Read a publication", opt={"scope": "publication.read"})
async def read(request: StrictRequest, publication: str) -> Response[PublicationOut]:
    """A publication with its present content, findings and verdict."""
    desk = desk_of(request)
    who = await desk.gate.bearer(request, "publication.read")
    state = await desk.service.publication(who, check_id(publication, "publication"))
    if state is None:
        return problem_response("not_found")  # type: ignore[return-value]
    for digest in (state.policy, state.grounds_policy):
        await desk.service.shelf.get(digest)
    item = await desk.service.content(state.revision)
    record = await desk.service.screening_record(state)
    screening = Screening(b"", state.revision, item, record.findings, record.facts, record.verdict)
    return Response(encode(publication_out(state, desk.service.shelf, screening, item)), media_type=JSON)  # type: ignore[arg-type]


@post("/publications/{publication:str}/revisions", summary="Revise", opt={"scope": "publication.submit"})
async def revise(request: StrictRequest, publication: str, data: RevisionIn) -> Response[PublicationOut]:
    """New content: screened and decided as if it were new. One approval covers one revision."""
    desk = desk_of(request)
    who = await desk.gate.bearer(request, "publication.submit")
    check_id(publication, "publication")
    item: Item = item_of(data, desk.service.policy, desk.settings.max_text_chars)
    once = idempotency(request, await request.body())
    reply = publication_reply(desk.service.shelf)
    result = await desk.service.revise(who, publication, item, data.version, once, reply)
    return replied(result, desk, 201)  # type: ignore[return-value]


@post("/publications/{publication:str}/decisions", summary="Decide", opt={"scope": "publication.decide"})
async def decide(request: StrictRequest, publication: str, data: DecisionIn) -> Response[PublicationOut]:
    """A person's decision: approve, return, refuse, escalate or take_down, with ground, facts and reason."""
    command = publications.Decide(
        choice=data.decision,
        version=data.version,
        ground=data.ground,
        facts=data.facts,
        reason=data.reason,
        changes=data.changes,
        law=data.law,
    )
    permission = "publication.take_down" if data.decision == "take_down" else "publication.decide"
    return await _act(request, publication, permission, command)


@post("/publications/{publication:str}/claim", status_code=200, summary="Claim", opt={"scope": "publication.claim"})
async def claim(request: StrictRequest, publication: str) -> Response[PublicationOut]:
    """Take a held item in hand for some minutes, so that nobody else works on it."""
    return await _act(request, publication, "publication.claim", publications.Claim(), status=200)


@post(
    "/publications/{publication:str}/unclaim", status_code=200, summary="Give back", opt={"scope": "publication.claim"}
)
async def unclaim(request: StrictRequest, publication: str) -> Response[PublicationOut]:
    """Give a claimed item back."""
    return await _act(request, publication, "publication.claim", publications.Unclaim(), status=200)


@post("/publications/{publication:str}/contest", summary="Ask for a person", opt={"scope": "publication.submit"})
async def contest(request: StrictRequest, publication: str, data: ContestIn) -> Response[PublicationOut]:
    """After a refusal or return by a rule alone: the author asks that a person decides."""
    return await _act(request, publication, "publication.submit", publications.Contest(data.statement))


@post(
    "/publications/{publication:str}/withdraw", status_code=200, summary="Withdraw", opt={"scope": "publication.submit"}
)
async def withdraw(request: StrictRequest, publication: str) -> Response[PublicationOut]:
    """The author takes it back."""
    return await _act(request, publication, "publication.submit", publications.Withdraw(), status=200)


@post(
    "/publications/{publication:str}/release", status_code=200, summary="Release", opt={"scope": "publication.release"}
)
async def release(request: StrictRequest, publication: str) -> Response[PublicationOut]:
    """Publish an approved item: the release checks run now; if one fails it is `blocked`, and says which."""
    desk = desk_of(request)
    who = await desk.gate.bearer(request, "publication.release")
    check_id(publication, "publication")
    once = idempotency(request, await request.body())
    reply = publication_reply(desk.service.shelf)
    result = await desk.service.release(who, publication, once=once, reply=reply)
    return replied(result, desk, 200)  # type: ignore[return-value]


async def _act(
    request: StrictRequest, publication: str, permission: str, command: publications.Command, status: int = 201
) -> Response[PublicationOut]:
    desk = desk_of(request)
    who = await desk.gate.bearer(request, permission)
    check_id(publication, "publication")
    once = idempotency(request, await request.body())
    result = await desk.service.act(who, publication, command, once, publication_reply(desk.service.shelf))
    return replied(result, desk, status)  # type: ignore[return-value]


def router(most_batch_bytes: int) -> Router:
    """The routes of this file; the batch has a size limit of its own."""
    wide = Router("/", route_handlers=[batch], request_max_body_size=most_batch_bytes)
    handlers = [screen, submit, listing, read, revise, decide, claim, unclaim, contest, withdraw, release]
    return Router("/", route_handlers=[*handlers, wide], tags=["publications"])

"""/v1/lists: the word lists of the packs in force, and their changes while the platform runs."""

import base64
import binascii
from typing import Annotated, Final, Literal

import msgspec
from litestar import Response, Router, get, post
from litestar.params import Parameter

from placet.errors import BadInput, PlacetError
from placet.events import rfc3339
from placet.lists import ListSummary, TermRow
from placet.model import Refusal
from placet.procedure.word_list import MOST_CHARS, MOST_TERMS, Addition
from placet.service import Done, Principal
from placet.web.api.publications import JSON
from placet.web.desk import Desk, desk_of, idempotency
from placet.web.problems import problem_response, refusal_response
from placet.web.strict import StrictRequest
from placet.web.wire import Body, Instant, Short, encode, micros

TOML: Final = "application/toml"
Term = Annotated[str, msgspec.Meta(max_length=10 * MOST_CHARS)]
"""Longer than a term may be, so that one that is too long is named with the others that cannot be taken."""


class AdditionIn(Body, frozen=True):
    """A term that is to come, perhaps for a time."""

    term: Term
    note: Short = ""
    until: Instant | None = None


class ChangesIn(Body, frozen=True):
    """Terms that are to come and to go, and why: all of them or none."""

    reason: Short
    add: Annotated[tuple[AdditionIn, ...], msgspec.Meta(max_length=MOST_TERMS)] = ()
    remove: Annotated[tuple[Term, ...], msgspec.Meta(max_length=MOST_TERMS)] = ()


class ChangedOut(msgspec.Struct, frozen=True):
    """What a change came to: it is durable and in force."""

    id: str
    name: str
    version: int
    added: int
    removed: int


class ListsOut(msgspec.Struct, frozen=True):
    """Every list."""

    items: list[ListSummary]


class TermOut(msgspec.Struct, frozen=True):
    """A term and how it stands; who has touched it while running, when and why."""

    term: str
    state: Literal["listed", "added", "removed", "ended"]
    provisional: bool
    """It may hold an item and never refuses one, until it stands in a pack."""
    note: str
    until: str | None
    by: str | None
    at: str | None
    reason: str | None


class TermPage(msgspec.Struct, frozen=True):
    """A page of terms in the order of their characters; `next_cursor` is null on the last."""

    items: list[TermOut]
    next_cursor: str | None = None


# --- reading -----------------------------------------------------------------------------------------------------


async def _reader(request: StrictRequest) -> Desk:
    """The desk, for somebody who may read lists. No key of one account may: it would learn what to write around."""
    desk = desk_of(request)
    who = await desk.gate.bearer(request, "policy.read")
    if who.account:
        raise PlacetError(code="forbidden", facts={"permission": "policy.read, with a key that is bound to no account"})
    return desk


@get("/lists", summary="Word lists", opt={"scope": "policy.read"})
async def listing(request: StrictRequest) -> Response[ListsOut]:
    """The word lists of the packs in force, and those of former packs that were changed once."""
    desk = await _reader(request)
    shown = ListsOut(await desk.lists.all())
    return Response(encode(shown), media_type=JSON)  # type: ignore[arg-type]


@get("/lists/{pack:str}/{name:str}", summary="A word list", opt={"scope": "policy.read"})
async def read(request: StrictRequest, pack: str, name: str) -> Response[ListSummary]:
    """A list in figures. Its history is that of the dossier `id`."""
    desk = await _reader(request)
    found = await desk.lists.summary(f"{pack}/{name}")
    if found is None:
        return problem_response("not_found")  # type: ignore[return-value]
    return Response(encode(found), media_type=JSON)  # type: ignore[arg-type]


@get("/lists/{pack:str}/{name:str}/terms", summary="Terms of a list", opt={"scope": "policy.read"})
async def terms(
    request: StrictRequest,
    pack: str,
    name: str,
    show: Literal["counting", "changed"] = "counting",
    contains: Annotated[str, Parameter(max_length=MOST_CHARS)] = "",
    cursor: str = "",
    limit: Annotated[int, Parameter(ge=1, le=1_000)] = 200,
) -> Response[TermPage]:
    """The terms that count, or those that came, went or ended; `contains` looks past case, width and script."""
    desk = await _reader(request)
    whole = f"{pack}/{name}"
    if not desk.lists.known(whole):
        return problem_response("not_found")  # type: ignore[return-value]
    page = await desk.lists.terms(whole, show, contains, read_term_cursor(cursor), limit)
    following = write_term_cursor(page.rows[-1].term) if page.more else None
    shown = TermPage([term_out(each) for each in page.rows], following)
    return Response(encode(shown), media_type=JSON)  # type: ignore[arg-type]


@get(
    "/lists/{pack:str}/{name:str}/export", summary="A list for its pack", media_type=TOML, opt={"scope": "policy.read"}
)
async def export(request: StrictRequest, pack: str, name: str) -> Response[str]:
    """The list as it is now, as a file for its pack: once two people put that in force, nothing is provisional."""
    desk = await _reader(request)
    text = await desk.lists.export(f"{pack}/{name}")
    return problem_response("not_found") if text is None else toml_response(text, name)  # type: ignore[return-value]


def toml_response(text: str, name: str) -> Response[str]:
    """A list's file, to be saved under its name, which is that of a list and so harmless in a header."""
    return Response(text, media_type=TOML, headers={"content-disposition": f'attachment; filename="{name}.toml"'})


# --- changing ----------------------------------------------------------------------------------------------------


@post("/lists/{pack:str}/{name:str}/changes", status_code=200, summary="Change a list", opt={"scope": "list.edit"})
async def change(request: StrictRequest, pack: str, name: str, data: ChangesIn) -> Response[ChangedOut]:
    """Add and remove terms, all or none. The answer comes when the change is durable and in force."""
    desk = desk_of(request)
    who: Principal = await desk.gate.bearer(request, "list.edit")
    add = tuple(Addition(each.term, each.note, micros(each.until)) for each in data.add)

    def reply(done: Done) -> bytes:
        state = done.state
        return encode(ChangedOut(state.id, state.name, state.version, len(data.add), len(data.remove)))

    once = idempotency(request, await request.body())
    done = await desk.lists.change(who, f"{pack}/{name}", data.reason, add, data.remove, once, reply)
    if isinstance(done, Refusal):
        return refusal_response(done)  # type: ignore[return-value]
    headers = {} if done.reply is None else {"idempotent-replayed": "true"}
    body = reply(done) if done.reply is None else done.reply
    return Response(body, status_code=200, media_type=JSON, headers=headers)  # type: ignore[arg-type]


# --- out ---------------------------------------------------------------------------------------------------------


def term_out(row: TermRow) -> TermOut:
    """A term and how it stands."""
    touched = row.touched
    return TermOut(
        term=row.term,
        state=row.state,
        provisional=row.state == "added",
        note=row.note,
        until=rfc3339(row.until) if row.until else None,
        by=touched.by if touched else None,
        at=rfc3339(touched.at) if touched else None,
        reason=touched.reason if touched else None,
    )


def write_term_cursor(term: str) -> str:
    """The place behind a term."""
    return base64.urlsafe_b64encode(term.encode()).decode()


def read_term_cursor(cursor: str) -> str:
    """The term of a cursor. Raises BadInput with the code `bad_cursor`."""
    try:
        return base64.b64decode(cursor.encode(), b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as problem:
        raise BadInput(code="bad_cursor") from problem


def router() -> Router:
    """The routes of this file."""
    return Router("/", route_handlers=[listing, read, terms, export, change], tags=["lists"])

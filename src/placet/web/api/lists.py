"""/v1/lists: the term lists of the packs in force, and what has been changed in them."""

from bisect import bisect_right
from typing import Annotated

import msgspec
from litestar import Response, Router, get, post
from litestar.params import Parameter

from placet.errors import BadInput
from placet.events import rfc3339
from placet.lists import list_id, problems_of
from placet.model import Micros, Refusal
from placet.policy import say
from placet.policy.values import WordList as PackList
from placet.procedure.word_list import Change, NewTerm
from placet.screening.fold import fold
from placet.service import Done
from placet.web.api.publications import JSON
from placet.web.desk import Desk, desk_of, idempotency
from placet.web.problems import problem_response, refusal_response
from placet.web.strict import StrictRequest
from placet.web.wire import Body, Instant, Short, encode, micros

Term = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class TermIn(Body, frozen=True):
    """A term to add; `until`: when it stops to count."""

    term: Term
    note: Short = ""
    until: Instant | None = None


class ChangesIn(Body, frozen=True):
    """Terms to add and to strike out, all or nothing, and why."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
    add: Annotated[tuple[TermIn, ...], msgspec.Meta(max_length=1_000)] = ()
    remove: Annotated[tuple[Term, ...], msgspec.Meta(max_length=1_000)] = ()


class ListOut(msgspec.Struct, frozen=True):
    """A term list as it is in force."""

    name: str
    title: str
    label: str
    terms: int
    added: int
    removed: int
    version: int
    """Of its changes; 0 where there are none."""


class ListsOut(msgspec.Struct, frozen=True):
    """Every list of the packs in force."""

    items: list[ListOut]


class TermOut(msgspec.Struct, frozen=True):
    """A term in force; `provisional`: added here, not yet in a pack, so that it may hold and never refuse."""

    term: str
    provisional: bool = False
    note: str = ""
    until: str | None = None


class TermsOut(msgspec.Struct, frozen=True):
    """A page of terms, in the order of their characters."""

    items: list[TermOut]
    next_cursor: str | None


def find_list(desk: Desk, name: str) -> PackList | None:
    """A list of the packs in force by its whole name, "community/gambling"."""
    for pack in desk.service.policy.packs:
        for words in pack.lists:
            if f"{pack.id}/{words.name}" == name:
                return words
    return None


def terms_in_force(desk: Desk, name: str, words: PackList) -> list[TermOut]:
    """The terms of a list that count now, sorted."""
    now = desk.now()
    state = desk.service.lists.state(name)
    gone = set(desk.service.policy.struck(now).get(name, ())) | set(state.removed if state else ())
    found = {term: TermOut(term) for term in words.texts if term not in gone}
    for each in state.added if state else ():
        if not each.until or now < each.until:
            until = rfc3339(each.until) if each.until else None
            found[each.term] = TermOut(each.term, provisional=True, note=each.note, until=until)
    return [found[term] for term in sorted(found)]


def list_out(desk: Desk, name: str, words: PackList) -> ListOut:
    """A list's figures."""
    state = desk.service.lists.state(name)
    return ListOut(
        name=name,
        title=say(words.title, "en"),
        label=words.label,
        terms=len(terms_in_force(desk, name, words)),
        added=len(state.added) if state else 0,
        removed=len(state.removed) if state else 0,
        version=state.version if state else 0,
    )


def checked(desk: Desk, name: str, words: PackList, add: tuple[NewTerm, ...], remove: tuple[str, ...]) -> None:
    """Raise BadInput that names every term that cannot be added, or is not there to be removed."""
    terms = [each.term for each in add]
    problems = problems_of(terms, name, tuple(words.views))
    there = {each.term for each in terms_in_force(desk, name, words)}
    problems |= {term: "is not in this list" for term in remove if term not in there}
    if problems:
        shown = dict(list(problems.items())[:50])
        first, reason = next(iter(shown.items()))
        raise BadInput(f"{first!r} {reason}.", facts={"field": "add" if first in terms else "remove", "terms": shown})


@get("/lists", summary="Term lists", opt={"scope": "policy.read"})
async def listing(request: StrictRequest) -> Response[ListsOut]:
    """Every term list of the packs in force, with how many terms it has and how many were changed here."""
    desk = desk_of(request)
    await desk.gate.bearer(request, "policy.read")
    named = [(f"{pack.id}/{words.name}", words) for pack in desk.service.policy.packs for words in pack.lists]
    shown = ListsOut([list_out(desk, name, words) for name, words in named])
    return Response(encode(shown), media_type=JSON)  # type: ignore[arg-type]


@get("/lists/{pack:str}/{name:str}", summary="Terms of a list", opt={"scope": "policy.read"})
async def terms(
    request: StrictRequest,
    pack: str,
    name: str,
    contains: str = "",
    cursor: str = "",
    limit: Annotated[int, Parameter(ge=1, le=1_000)] = 200,
) -> Response[TermsOut]:
    """The terms in force, sorted; `contains` narrows to those that hold a text, apart from case and script."""
    desk = desk_of(request)
    await desk.gate.bearer(request, "policy.read")
    words = find_list(desk, f"{pack}/{name}")
    if words is None:
        return problem_response("not_found")  # type: ignore[return-value]
    found = terms_in_force(desk, f"{pack}/{name}", words)
    if contains:
        found = [each for each in found if fold(contains) in fold(each.term)]
    start = bisect_right([each.term for each in found], cursor) if cursor else 0
    page = found[start : start + limit]
    following = page[-1].term if start + limit < len(found) else None
    return Response(encode(TermsOut(page, following)), media_type=JSON)  # type: ignore[arg-type]


@post("/lists/{pack:str}/{name:str}/changes", status_code=200, summary="Change a list", opt={"scope": "list.edit"})
async def change(request: StrictRequest, pack: str, name: str, data: ChangesIn) -> Response[ListOut]:
    """Add and strike out terms: in force when this is answered. What is added may hold an item, never refuse one."""
    desk = desk_of(request)
    who = await desk.gate.bearer(request, "list.edit")
    whole = f"{pack}/{name}"
    words = find_list(desk, whole)
    if words is None:
        return problem_response("not_found")  # type: ignore[return-value]
    add = tuple(NewTerm(each.term, each.note, _until(each)) for each in data.add)
    checked(desk, whole, words, add, data.remove)
    command = Change(list_id(whole), whole, data.reason, add, data.remove)
    once = idempotency(request, await request.body())

    def reply(done: Done) -> bytes:
        return encode({"name": whole, "version": done.state.version})

    done = await desk.service.change_list(who, command, once, reply)
    if isinstance(done, Refusal):
        return refusal_response(done)  # type: ignore[return-value]
    headers = {} if done.reply is None else {"idempotent-replayed": "true"}
    return Response(encode(list_out(desk, whole, words)), media_type=JSON, headers=headers)  # type: ignore[arg-type]


def _until(term: TermIn) -> Micros:
    return micros(term.until) if term.until else 0


def router() -> Router:
    """The routes of this file."""
    return Router("/", route_handlers=[listing, terms, change], tags=["lists"])

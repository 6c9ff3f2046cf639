"""Word lists: what counts, what was changed while running, by whom and why; adding and removing terms."""

from datetime import date
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from placet.errors import CODES, PlacetError
from placet.lexicons import lists_of
from placet.lists import ListSummary, Show, TermRow
from placet.model import Micros, Refusal
from placet.policy import say
from placet.policy.compiled import midnight
from placet.procedure.word_list import Addition
from placet.web.api.lists import read_term_cursor, toml_response, write_term_cursor
from placet.web.console import show
from placet.web.contexts import ListDraft, ListFigures, ListPage, ListsPage, TermLine
from placet.web.strict import StrictRequest
from placet.web.visit import Visit, go, problem_of, signed_in

_PAGE: Final = 50
_HISTORY: Final = 20
_NOTHING: Final = ListDraft()


@get("/desk/lists", include_in_schema=False)
async def lists_page(request: StrictRequest) -> Response[str]:
    """Every list."""
    here = await signed_in(request, "policy.read")
    figures = [_figures(each, here.language) for each in await here.desk.lists.all()]
    return here.page(ListsPage(here.chrome(), tuple(figures)))


@get("/desk/lists/{pack:str}/{name:str}", include_in_schema=False)
async def list_page(request: StrictRequest, pack: str, name: str) -> Response[str]:
    """A list: its terms, and what was changed."""
    return await _list(await signed_in(request, "policy.read"), f"{pack}/{name}")


@get("/desk/lists/{pack:str}/{name:str}/export", include_in_schema=False)
async def export(request: StrictRequest, pack: str, name: str) -> Response[str]:
    """The list as the file of its pack."""
    here = await signed_in(request, "policy.read")
    text = await here.desk.lists.export(f"{pack}/{name}")
    if text is None:
        raise PlacetError(code="not_found")
    return toml_response(text, name)


@post("/desk/lists/{pack:str}/{name:str}/changes", status_code=303, include_in_schema=False)
async def change(request: StrictRequest, pack: str, name: str) -> Redirect | Response[str]:
    """Add terms, one a line; remove those that are ticked, or put back those that were removed."""
    here = await signed_in(request, "list.edit")
    fields = await here.fields()
    form, whole = dict(fields), f"{pack}/{name}"
    draft = ListDraft(*(form.get(each, "") for each in ListDraft.__struct_fields__))
    until = _until(here, whole, draft.until)
    if until is None:
        return await _list(here, whole, draft=draft, refusal=Refusal("invalid", {"field": "until"}))
    lines = [line.strip() for line in draft.terms.split("\n")]
    add = [Addition(line, draft.note.strip(), until) for line in lines if line]
    add += [Addition(value) for field, value in fields if field == "restore"]
    remove = tuple(value for field, value in fields if field == "remove")
    done = await here.desk.lists.change(here.who.principal, whole, draft.reason, tuple(add), remove)
    if isinstance(done, Refusal):
        return await _list(here, whole, draft=draft, refusal=done)
    return go(f"/desk/lists/{whole}?show=changed", "list_changed")


def _until(here: Visit, name: str, day: str) -> Micros | None:
    """The beginning of a day in the time zone of the list's pack; 0 for none, None for what is no day."""
    pack, _ = lists_of(here.desk.service.policy).get(name, (None, None))
    try:
        return midnight(date.fromisoformat(day), pack.head.timezone) if day.strip() and pack else 0
    except ValueError:
        return None


async def _list(
    here: Visit, name: str, *, draft: ListDraft = _NOTHING, refusal: Refusal | None = None
) -> Response[str]:
    desk, asked = here.desk, here.request.query_params
    found = await desk.lists.summary(name)
    if found is None:
        raise PlacetError(code="not_found")
    chosen: Show = "changed" if asked.get("show") == "changed" else "counting"
    contains = asked.get("contains", "")[:200]
    page = await desk.lists.terms(name, chosen, contains, read_term_cursor(asked.get("cursor", "")), _PAGE)
    names = await desk.people.labels()
    entries = await desk.store.entries(found.id, max(0, found.version - _HISTORY), _HISTORY)
    head = await desk.store.head()
    following = ""
    if page.more:
        cursor = write_term_cursor(page.rows[-1].term)
        following = f"/desk/lists/{name}?{urlencode({'show': chosen, 'contains': contains, 'cursor': cursor})}"
    bad: list[dict[str, Any]] = refusal.facts.get("terms", []) if refusal else []
    shown = ListPage(
        chrome=here.chrome(),
        figures=_figures(found, here.language),
        show=chosen,
        contains=contains,
        terms=tuple(_line(each, names) for each in page.rows),
        next=following,
        may_edit=found.in_force and here.who.principal.may("list.edit"),
        timeline=show.timeline(entries, names, desk.service.policy.grounds, here.language, head.size if head else 0),
        draft=draft,
        problem=problem_of(refusal) if refusal else "",
        bad=tuple((each["term"], f"bad_term.{each['why']}") for each in bad),
    )
    return here.page(shown, status=200 if refusal is None else CODES[refusal.code].status)


def _figures(summary: ListSummary, language: str) -> ListFigures:
    fields = msgspec.structs.asdict(summary) | {"title": say(summary.title, language)}
    return ListFigures(**{name: fields[name] for name in ListFigures.__struct_fields__})


def _line(row: TermRow, names: dict[str, str]) -> TermLine:
    touched = row.touched
    return TermLine(
        term=row.term,
        state=row.state,
        note=row.note,
        until=row.until,
        by=show.actor_of(touched.by, names) if touched else "",
        at=touched.at if touched else 0,
        reason=touched.reason if touched else "",
    )


HANDLERS: Final = (lists_page, list_page, export, change)

"""Try a text: what every reading finds in it, for people who write lists and rules. Nothing is recorded."""

from typing import Final

import msgspec
from litestar import Response, get, post

from placet.model import Item
from placet.policy import AccountFacts
from placet.screening.readings import readings
from placet.web.console import show
from placet.web.contexts import TrialPage
from placet.web.strict import StrictRequest
from placet.web.visit import Visit, signed_in

MOST_CHARS: Final = 20_000
"""Characters of a text that can be tried on the page; the API takes longer ones."""
_FORMATS: Final = ("text", "html", "markdown")


@get("/desk/try", include_in_schema=False)
async def trial_page(request: StrictRequest) -> Response[str]:
    """The empty form."""
    here = await signed_in(request, "screen")
    return here.page(TrialPage(here.chrome()))


@post("/desk/try", status_code=200, include_in_schema=False)
async def trial(request: StrictRequest) -> Response[str]:
    """The form with what was found in its text."""
    here = await signed_in(request, "screen")
    form = await here.form()
    text, written_as = form.get("text", ""), form.get("format", "text")
    if not text.strip() or len(text) > MOST_CHARS or written_as not in _FORMATS:
        problem = "trial.too_long" if len(text) > MOST_CHARS else "trial.empty"
        return here.page(TrialPage(here.chrome(), text[:MOST_CHARS], problem=problem), status=422)
    return here.page(await _tried(here, msgspec.convert({"body": text, "format": written_as}, Item)))


async def _tried(here: Visit, item: Item) -> TrialPage:
    service = here.desk.service
    screening = await service.screen(item, AccountFacts(), "")
    verdict = screening.verdict
    seen = show.Evidence(screening.facts, screening.findings)
    return TrialPage(
        chrome=here.chrome(),
        text=item.body,
        format=item.format,
        outcome=verdict.outcome,
        segments=show.segments(item.body, "body", screening.findings),
        findings=show.finding_rows(screening.findings, item),
        hits=tuple(show.hit_row(service.policy, hit, here.language, seen) for hit in (*verdict.hits, *verdict.shadow)),
        errors=tuple((f"{each.pack}/{each.rule}", each.error) for each in verdict.errors),
        readings=tuple((reading.name, show.visible(reading.text)) for reading in readings(item.body)),
    )


HANDLERS: Final = (trial_page, trial)

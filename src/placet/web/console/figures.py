"""What the rules have done lately: hits by day, in effect and in shadow, and errors, counted from the record."""

from collections import Counter
from typing import Final

from litestar import Response, get

from placet import kinds
from placet.errors import StoreCorrupt
from placet.model import Micros, Verdict
from placet.policy import Policy
from placet.store.contract import Query
from placet.web.console.show import ground_title
from placet.web.pack_contexts import FiguresPage, RuleFigures
from placet.web.strict import StrictRequest
from placet.web.visit import Visit, signed_in

MOST: Final = 400
"""Items that are counted, the newest: what is read for one page stays small however long the record is."""
_DAYS: Final = 7
_DAY: Final[Micros] = 86_400_000_000

_Name = tuple[str, str]


class _Counts:
    """Counted by pack and rule."""

    def __init__(self) -> None:
        self.live: Counter[_Name] = Counter()
        self.shadow: Counter[_Name] = Counter()
        self.errors: Counter[_Name] = Counter()
        self.days: Counter[tuple[_Name, int]] = Counter()
        self.items = 0
        self.since: Micros = 0

    def add(self, verdict: Verdict, at: Micros) -> None:
        self.items += 1
        self.since = min(self.since or at, at)
        for hits, counter in ((verdict.hits, self.live), (verdict.shadow, self.shadow)):
            for hit in hits:
                counter[hit.pack, hit.rule] += 1
                self.days[(hit.pack, hit.rule), at // _DAY] += 1
        for error in verdict.errors:
            self.errors[error.pack, error.rule] += 1


@get("/desk/rules", include_in_schema=False)
async def figures_page(request: StrictRequest) -> Response[str]:
    """The rules in force with what they have done to the newest items, as each item was last screened."""
    here = await signed_in(request, "policy.read")
    counts = await _count(here)
    today = here.now // _DAY
    days = tuple(range(today - _DAYS + 1, today + 1))
    policy = here.desk.service.policy
    names = [(pack.id, rule.id) for pack in policy.packs for rule in pack.rules]
    gone = sorted({*counts.live, *counts.shadow, *counts.errors} - set(names))
    rows = tuple(_row(here, policy, name, counts, days) for name in (*names, *gone))
    page = FiguresPage(here.chrome(), rows, counts.items, counts.since, tuple(day * _DAY for day in days))
    return here.page(page)


async def _count(here: Visit) -> _Counts:
    counts, service = _Counts(), here.desk.service
    for row in await service.store.page(Query(kind="publication", order="newest", limit=MOST)):
        state = kinds.decode(row)
        try:
            record = await service.screening_record(state)
        except StoreCorrupt:  # its body has been erased, and what it said with it
            continue
        counts.add(record.verdict, state.submitted_at)
    return counts


def _row(here: Visit, policy: Policy, name: _Name, counts: _Counts, days: tuple[int, ...]) -> RuleFigures:
    rules = (rule for pack in policy.packs if pack.id == name[0] for rule in pack.rules if rule.id == name[1])
    rule = next(rules, None)
    return RuleFigures(
        pack=name[0],
        rule=name[1],
        title=ground_title(policy.grounds, rule.ground, here.language) if rule and rule.ground else name[1],
        mode=rule.mode if rule else "",
        live=counts.live[name],
        shadow=counts.shadow[name],
        errors=counts.errors[name],
        days=tuple(counts.days[name, day] for day in days),
    )


HANDLERS: Final = (figures_page,)

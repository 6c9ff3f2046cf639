"""The rules in force now, and on any date that the record or the plans reach to; for everybody (PA21 art 6(2))."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final

from litestar import Response, get

from placet.model import Micros
from placet.policy import Pack, Policy, say
from placet.policy.compiled import covers
from placet.shelf import Shelf
from placet.web.console.show import clause_row
from placet.web.contexts import ClauseRow, PackCard, RuleRow, RulesPage
from placet.web.strict import StrictRequest
from placet.web.visit import visit

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NOON: Final[Micros] = 43_200_000_000
_SECOND: Final[Micros] = 1_000_000
_MOST_MOMENTS: Final = 24


@get("/rules", include_in_schema=False)
async def rules_page(request: StrictRequest, on: str = "") -> Response[str]:
    """What is restricted here, on which clause, and what one can do; `on` is a date, or an instant with its zone."""
    here = await visit(request)
    on, shelf = on.strip()[:40], here.desk.service.shelf
    at = instant_of(on, here.now) if on else here.now
    history = await shelf.history()
    if at is None:
        page = RulesPage(here.chrome(), (), (), (), "", 0, on, _moments(history, shelf), "rules.bad_date")
        return here.page(page, status=422)
    policy = await _policy_at(shelf, history, at, here.now)
    if policy is None:
        page = RulesPage(here.chrome(), (), (), (), "", at, on, _moments(history, shelf), "rules.before_record")
        return here.page(page, status=404)
    page = RulesPage(
        chrome=here.chrome(),
        packs=tuple(pack_card(pack, here.language) for pack in policy.packs),
        rules=tuple(_rule_rows(policy, at, here.language)),
        clocks=tuple(_clocks(policy, here.language)),
        policy=policy.digest,
        at=at,
        on=on,
        moments=_moments(history, shelf),
    )
    return here.page(page)


def instant_of(on: str, now: Micros) -> Micros | None:
    """The instant that is meant by a date or an RFC 3339 time; None where it is neither.

    Today means now. Any other date means noon, UTC, at which it is that day from UTC-12 to UTC+11.
    """
    try:
        if _DAY.fullmatch(on):
            begins = (date.fromisoformat(on) - _EPOCH.date()) // timedelta(microseconds=1)
            return now if begins <= now < begins + 2 * _NOON else begins + _NOON
        moment = datetime.fromisoformat(on.replace(" ", "+"))  # a plus sign that was not quoted arrives as a space
        return None if moment.tzinfo is None else (moment - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None


async def _policy_at(shelf: Shelf, history: list[tuple[Micros, str]], at: Micros, now: Micros) -> Policy | None:
    """What was or will be in force; None for before the record begins."""
    step = shelf.step(at)
    if at >= now:
        return step.policy
    begun = [each for each in history if each[0] <= at]
    if not begun:
        return None
    # A version that has just begun may not stand in the record yet.
    return step.policy if step.at > begun[-1][0] else await shelf.get(begun[-1][1])


def _moments(history: list[tuple[Micros, str]], shelf: Shelf) -> tuple[Micros, ...]:
    """When other rules began or will, as whole seconds at which they were in force."""
    instants = {at for at, _ in history} | {step.at for step in shelf.ahead()}
    return tuple(sorted(-(-at // _SECOND) * _SECOND for at in instants))[-_MOST_MOMENTS:]


def pack_card(pack: Pack, language: str) -> PackCard:
    """A pack in the reader's language."""
    head = pack.head
    title, summary = say(head.title, language), say(head.summary, language)
    return PackCard(head.id, head.version, pack.digest, title, summary, len(pack.rules))


def _rule_rows(policy: Policy, at: Micros, language: str) -> Iterator[RuleRow]:
    """The rules in force at the instant."""
    for pack in policy.packs:
        for rule in pack.rules:
            if covers(rule.since, rule.until, pack.head.timezone, at):
                ground = policy.grounds.get(rule.ground)
                yield RuleRow(
                    id=rule.id,
                    pack=pack.id,
                    when=rule.when,
                    then=rule.then,
                    mode=rule.mode,
                    since=rule.since.isoformat(),
                    until=rule.until.isoformat() if rule.until else "",
                    ground=rule.ground,
                    title=say(ground.title, language) if ground else rule.id,
                    reason=say(ground.reason, language) if ground else "",
                    remedy=say(ground.remedy, language) if ground else "",
                    clauses=_clauses(policy, rule.ground, at, language),
                )


def _clauses(policy: Policy, ground: str, at: Micros, language: str) -> tuple[ClauseRow, ...]:
    """The clauses behind a ground that are in force at the instant."""
    known = policy.grounds.get(ground)
    cites = () if known is None else known.cites
    return tuple(clause_row(policy, cite, language) for cite in cites if policy.clause(cite).in_force(at))


def _clocks(policy: Policy, language: str) -> Iterator[tuple[str, str, str, str]]:
    for clock in policy.clocks.values():
        basis = "law" if clock.basis == "legal" else "policy"
        cite = f"{clock.cite.instrument} {clock.cite.clause}" if clock.cite else ""
        yield say(clock.title, language), clock.duration, basis, cite


HANDLERS: Final = (rules_page,)

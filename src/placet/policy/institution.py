"""What the checks look for in the tables around publication: licences, agreement, ladder, records, credit, codes.

As in checks.py, there is one small function a mistake, each with a test of its own; checks.py lists them among its own.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from typing import Any, Final

from placet.model import Citation
from placet.policy.parse import Draft
from placet.policy.values import MICROS, Pack, Problem, Retention, Span, Tier, parse_span

_ADD: Final = "Add it, or correct the name."


def cited(pack: Pack) -> Iterator[tuple[str, int, str, Citation]]:
    """Give every citation of the pack with its table, its number there and its key."""
    for number, ground in enumerate(pack.grounds):
        yield from (("ground", number, "cites", cite) for cite in ground.cites)
    tables: tuple[tuple[str, Sequence[Any]], ...] = (
        ("clock", pack.clocks),
        ("licence", pack.licences),
        ("commitment", pack.commitments),
        ("retention", pack.retention),
        ("factor", pack.factors),
        ("tier", pack.tiers),
        ("table", pack.tables),
        ("code", pack.codes),
        ("field", pack.fields),
    )
    for table, rows in tables:
        yield from ((table, number, "cite", row.cite) for number, row in enumerate(rows) if row.cite)
    for number, rung in enumerate(pack.rungs):
        yield from (("rung", number, "allowed", one.cite) for one in rung.allowed)


def check_legal(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """A number may only be called legal with the clause that sets it."""
    tables: tuple[tuple[str, Sequence[Any]], ...] = (
        ("clock", pack.clocks),
        ("retention", pack.retention),
        ("factor", pack.factors),
        ("tier", pack.tiers),
    )
    for table, rows in tables:
        for number, row in enumerate(rows):
            if row.basis == "legal" and row.cite is None:
                message = f"The {table} {row.id!r} is marked legal and cites nothing."
                hint = 'Name its clause in `cite`, or mark it "product-policy".'
                yield draft.problem("legal-without-cite", *draft.place(table, number), message, hint)


def check_lengths_of_time(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """Every length of time can be read."""
    found = [("clock", number, "duration", clock.duration) for number, clock in enumerate(pack.clocks)]
    for number, row in enumerate(pack.retention):
        found += [("retention", number, "floor", row.floor), ("retention", number, "ceiling", row.ceiling)]
    for number, factor in enumerate(pack.factors):
        found += [("factor", number, "half_life", factor.half_life), ("factor", number, "window", factor.window)]
    for table, number, key, text in found:
        if (text or key == "duration") and parse_span(text) is None:
            message = f"{text!r} is not a duration."
            hint = 'Write ISO 8601 in whole numbers, hours or days: "PT72H", "P15D", "P6M"; not both kinds.'
            yield draft.problem("bad-duration", *draft.place(table, number, key), message, hint)


# --- names of other tables -----------------------------------------------------------------------------------------


def check_clock_names(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """Whatever bounds itself by a clock names one of the pack."""
    known = {clock.id for clock in pack.clocks}
    named = [("licence", n, "valid_for", each.valid_for) for n, each in enumerate(pack.licences)]
    named += [("licence", n, "renew_before", each.renew_before) for n, each in enumerate(pack.licences)]
    named += [("rung", n, "longest", each.longest) for n, each in enumerate(pack.rungs)]
    named += [("tier", n, "valid_for", each.valid_for) for n, each in enumerate(pack.tiers)]
    for table, number, key, name in named:
        if name and name not in known:
            yield draft.problem("unknown-clock", *draft.place(table, number, key), f"There is no clock {name!r}.", _ADD)


def check_licence_names(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """Classes and categories name licence kinds of the pack, and a licence kind names classes of it."""
    licences, classes = {one.id for one in pack.licences}, {one.id for one in pack.classes}
    named = [("class", number, name) for number, one in enumerate(pack.classes) for name in one.licences]
    named += [("category", number, name) for number, one in enumerate(pack.categories) for name in one.licences]
    for table, number, name in named:
        if name not in licences:
            place = draft.place(table, number, "licences")
            yield draft.problem("unknown-licence", *place, f"There is no licence kind {name!r}.", _ADD)
    for number, licence in enumerate(pack.licences):
        for name in sorted(set(licence.classes) - classes):
            place = draft.place("licence", number, "classes")
            yield draft.problem("unknown-name", *place, f"The pack has no class {name!r}.", _ADD)


def check_licence_rights(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """Licences give rights that are asked for, and every right that is asked for can be had."""
    asked = {name for right in pack.rights for name in right.any_of}
    given = {name for licence in pack.licences for name in licence.gives}
    for number, licence in enumerate(pack.licences):
        for name in licence.gives:
            if name not in asked:
                message = f"No [[right]] asks for {name!r}, so that the licence gives nothing by it."
                yield draft.problem("unknown-right", *draft.place("licence", number, "gives"), message, _ADD)
    for number, right in enumerate(pack.rights):
        for name in right.any_of:
            if pack.licences and name not in given:
                message = f"No [[licence]] gives {name!r}, so that nobody could ever have it."
                hint = "Let a licence kind give it, or remove it from the row."
                yield draft.problem("unknown-right", *draft.place("right", number, "any_of"), message, hint)


def check_rung_names(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """Codes and tiers name rungs of the pack's ladder."""
    known = {rung.id for rung in pack.rungs}
    named = [("code", n, "rungs", name) for n, code in enumerate(pack.codes) for name in code.rungs]
    named += [("tier", n, "lost_at", tier.lost_at) for n, tier in enumerate(pack.tiers) if tier.lost_at]
    for table, number, key, name in named:
        if name not in known:
            yield draft.problem("unknown-rung", *draft.place(table, number, key), f"There is no rung {name!r}.", _ADD)


# --- the agreement -------------------------------------------------------------------------------------------------


def check_commitments(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """The agreement has as many commitments as it says: each is accepted by itself, and none goes missing."""
    said, there = pack.agreement.commitments, len(pack.commitments)
    if said != there:
        message = f"The agreement says {said} commitments and has {there}."
        hint = "Add the [[commitment]] that is missing, or correct the number in `commitments`."
        yield draft.problem("commitment-count", "accounts.toml", ("commitments",), message, hint)
    if there and not pack.agreement.agreement:
        message = "There are commitments and no version of the agreement that they belong to."
        hint = 'Begin accounts.toml with agreement = "1"; a changed agreement gets another version.'
        yield draft.problem("agreement-version", "accounts.toml", ("agreement",), message, hint)


# --- the ladder ----------------------------------------------------------------------------------------------------


def check_levels(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """The levels of the ladder follow each other: no level twice, none left out."""
    numbers = sorted(range(len(pack.rungs)), key=lambda number: pack.rungs[number].level)
    for before, after in pairwise(numbers):
        low, high = pack.rungs[before], pack.rungs[after]
        if high.level != low.level + 1:
            what = "stand on one level" if high.level == low.level else f"leave level {low.level + 1} out"
            message = f"The rungs {low.id!r} and {high.id!r} {what}."
            hint = "Number the rungs from the mildest to the gravest without a gap."
            yield draft.problem("ladder-level", *draft.place("rung", after, "level"), message, hint)


def check_allowances(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """Every rung is allowed by a clause, on the first and last day of each allowance that has dates."""
    for number, rung in enumerate(pack.rungs):
        if not rung.allowed:
            message = f"No clause allows the rung {rung.id!r}, so that it may be used on no day."
            place = draft.place("rung", number, "allowed")
            yield draft.problem("rung-not-allowed", *place, message, "Name a clause in `allowed`, or remove the rung.")
        for index, one in enumerate(rung.allowed):
            place = draft.place("rung", number, "allowed", index)
            last = one.until - timedelta(days=1) if one.until else None
            if one.since and last and last < one.since:
                message = f"`until` ({one.until}) is not after `from` ({one.since})."
                hint = "`until` is the first day on which it no longer applies."
                yield draft.problem("bad-dates", *place, message, hint)
                continue
            for day in (one.since, last):
                if day and not pack.in_force(one.cite, day):
                    message = f"On {day}, {one.cite.instrument} {one.cite.clause} is not in force to allow {rung.id!r}."
                    hint = "Leave the dates out where they are those of the clause, or correct them."
                    yield draft.problem("not-in-force", *place, message, hint)


# --- records -------------------------------------------------------------------------------------------------------


@cache
def _least_and_most(span: Span) -> tuple[int, int]:
    """The shortest and the longest that a span may be, in microseconds, by the calendar of four years."""
    day = 24 * 3600 * MICROS
    days = [(_first(start + span.months) - _first(start)).days + span.days for start in range(48)]
    return min(days) * day + span.micros, max(days) * day + span.micros


def _first(month: int) -> date:
    """The first day of a month, counted from January 2021 so that a leap year is among the four."""
    return date(2021 + month // 12, month % 12 + 1, 1)


def _above(floor: str, ceiling: str) -> bool:
    """Whether a floor can come to more than a ceiling. What cannot be read is the mistake of another check."""
    low, high = parse_span(floor), parse_span(ceiling)
    return bool(low and high) and low != high and _least_and_most(low)[1] > _least_and_most(high)[0]


def check_retention(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """A row of the retention table says something, and no floor of a record lies above a ceiling of it."""
    for number, row in enumerate(pack.retention):
        if not row.floor and not row.ceiling:
            message = f"The retention {row.id!r} has neither a floor nor a ceiling."
            yield draft.problem("empty-retention", *draft.place("retention", number), message, "Write one of them.")
        for other in pack.retention:
            if _same_record(row, other) and _above(row.floor, other.ceiling):
                message = (
                    f"{row.record!r} is kept for {row.floor} at least ({row.id}), {other.ceiling} at most ({other.id})."
                )
                hint = (
                    "Raise the ceiling, or lower the floor if its clause allows: what must be kept cannot be deleted."
                )
                yield draft.problem("floor-above-ceiling", *draft.place("retention", number, "floor"), message, hint)


def _same_record(one: Retention, other: Retention) -> bool:
    return (one.record, one.after) == (other.record, other.after)


# --- credit --------------------------------------------------------------------------------------------------------


def check_factors(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """A factor counts for something, and fades in exactly one way: nothing is held against anybody for ever."""
    for number, factor in enumerate(pack.factors):
        if bool(factor.half_life) == bool(factor.window):
            message = f"The factor {factor.id!r} has {'two ways' if factor.window else 'no way'} of fading."
            hint = "Give it either a `half_life` or a `window`."
            yield draft.problem("factor-fading", *draft.place("factor", number), message, hint)
        if not factor.weight:
            message = f"The factor {factor.id!r} counts for nothing."
            yield draft.problem("factor-weight", *draft.place("factor", number, "weight"), message, "Remove it.")


def check_tiers(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """The tiers cover every credit once: no gap, no overlap, open at both ends."""
    numbers = sorted(range(len(pack.tiers)), key=lambda number: _start(pack.tiers[number]))
    ends: list[int | None] = [None, *(pack.tiers[number].below for number in numbers)]
    starts: list[int | None] = [*(pack.tiers[number].least for number in numbers), None]
    for place, (end, start) in enumerate(zip(ends, starts, strict=True)):
        if numbers and end != start:
            number = numbers[min(place, len(numbers) - 1)]
            message = f"One tier ends at {_points(end)}, and the next begins at {_points(start)}."
            hint = "Let `below` of each tier be `least` of the next; leave out the first `least` and the last `below`."
            yield draft.problem("tier-range", *draft.place("tier", number), message, hint)
    for number, tier in enumerate(pack.tiers):
        if tier.least is not None and tier.below is not None and tier.below <= tier.least:
            message = (
                f"The tier {tier.id!r} begins at {tier.least} and is over below {tier.below}: nobody can be in it."
            )
            yield draft.problem("tier-range", *draft.place("tier", number), message, "Correct one of the two.")


def _start(tier: Tier) -> tuple[bool, int]:
    return tier.least is not None, tier.least or 0


def _points(points: int | None) -> str:
    return "no bound" if points is None else f"{points} points"


def check_newcomer(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """Whoever has no record yet gets a tier that exists: a short record is no bad one."""
    known = {tier.id for tier in pack.tiers}
    if pack.credit.newcomer not in (known or {""}):
        message = f"There is no tier {pack.credit.newcomer!r} for those whose record is too short."
        hint = f"Begin credit.toml with newcomer = one of: {', '.join(sorted(known)) or 'none'}."
        yield draft.problem("unknown-tier", "credit.toml", ("newcomer",), message, hint)


# --- codes and forms -----------------------------------------------------------------------------------------------


def check_table_names(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """Codes belong to a table of the pack, and a field chooses from one."""
    known = {table.id for table in pack.tables}
    named = [("code", number, code.table) for number, code in enumerate(pack.codes)]
    named += [("field", number, one.table) for number, one in enumerate(pack.fields) if one.table]
    for table, number, name in named:
        if name not in known:
            place = draft.place(table, number, "table")
            yield draft.problem("unknown-table", *place, f"There is no code table {name!r}.", _ADD)


def check_table_sizes(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """A table has as many codes as it says."""
    for number, table in enumerate(pack.tables):
        there = sum(code.table == table.id for code in pack.codes)
        if there != table.size:
            message = f"The code table {table.id!r} says {table.size} codes and has {there}."
            hint = "Add the [[code]] that is missing, or correct `size`."
            yield draft.problem("table-size", *draft.place("table", number, "size"), message, hint)


def check_codes(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """A code stands for a ground of the pack, or has a title of its own, and "other" is nothing without a named law."""
    grounds = {ground.id: ground for ground in pack.grounds}
    for number, code in enumerate(pack.codes):
        place = draft.place("code", number)
        name = f"The code {code.code!r} of {code.table!r}"
        ground = grounds.get(code.ground)
        if code.ground and not ground:
            message = f"There is no ground {code.ground!r}."
            yield draft.problem("unknown-ground", *place, message, "Add it to grounds.toml.")
        if not code.ground and not code.title:
            message = f"{name} has neither ground nor title."
            yield draft.problem("code-without-title", *place, message, "Add one of them.")
        if code.code == "other" and not (code.needs_law and (ground is None or ground.needs_law)):
            message = f"{name} could be used for anything."
            hint = "Set needs_law = true on it and on its ground, so that a decision has to name the law."
            yield draft.problem("other-without-law", *place, message, hint)


CHECKS: Final = (
    check_legal,
    check_lengths_of_time,
    check_clock_names,
    check_licence_names,
    check_licence_rights,
    check_rung_names,
    check_commitments,
    check_levels,
    check_allowances,
    check_retention,
    check_factors,
    check_tiers,
    check_newcomer,
    check_table_names,
    check_table_sizes,
    check_codes,
)
"""What these tables are checked for."""

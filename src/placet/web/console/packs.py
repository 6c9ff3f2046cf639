"""The packs: what is in force, what is to come, what is being worked on; beginning a version."""

import asyncio
from collections.abc import Mapping
from functools import cache
from typing import Final

from litestar import Response, get, post
from litestar.response import Redirect

from placet.activations import id_of
from placet.errors import CODES
from placet.model import Refusal
from placet.policy import Pack, load_pack, say
from placet.procedure.activation import Activation
from placet.procedure.rule_guard import RuleGuard
from placet.shelf import shipped
from placet.web.console import show
from placet.web.console.pack_view import refusal_key, version_row
from placet.web.pack_contexts import PackInForce, PacksPage, PausedRule, VersionRow
from placet.web.strict import StrictRequest
from placet.web.visit import Visit, go, signed_in
from placet.web.wire import check_id

_WORKING: Final = ("draft", "checked", "proposed")
_CLOSED: Final = ("superseded", "withdrawn")
_NOTHING: Final[Mapping[tuple[str, str], str]] = {}


@get("/desk/packs", include_in_schema=False)
async def packs_page(request: StrictRequest) -> Response[str]:
    """Every pack, and every version on its way."""
    return await _packs(await signed_in(request, "policy.read"))


async def _packs(
    here: Visit, refusal: Refusal | None = None, *, typed: Mapping[tuple[str, str], str] = _NOTHING
) -> Response[str]:
    """The page; `typed` are reasons for putting rules back, by pack and rule, that were refused."""
    desk = here.desk
    policy = desk.service.policy
    found = await desk.activations.all()
    names = await desk.people.labels()

    def rows(*statuses: str) -> tuple[VersionRow, ...]:
        return tuple(version_row(each, names) for each in found if each.status in statuses)

    in_force = {pack.id for pack in policy.packs}
    offered = await asyncio.to_thread(_shipped)
    page = PacksPage(
        chrome=here.chrome(),
        packs=tuple(_in_force(pack, found, here) for pack in policy.packs),
        paused=tuple(_paused(here, each, typed) for each in desk.service.judging.guards.paused(policy)),
        scheduled=rows("scheduled"),
        working=rows(*_WORKING),
        closed=rows(*_CLOSED),
        offered=tuple((pack.id, say(pack.head.title, here.language)) for pack in offered if pack.id not in in_force),
        may_edit=here.who.principal.may("policy.edit"),
        may_approve=here.who.principal.may("policy.approve"),
        problem=_problem(refusal) if refusal else "",
    )
    return here.page(page, status=CODES[refusal.code].status if refusal else 200)


def _in_force(pack: Pack, found: list[Activation], here: Visit) -> PackInForce:
    """A pack, with the version that brought it; it may have begun a moment before the record says so."""
    begun = [
        each
        for each in found
        if each.pack == pack.id
        and each.digest == pack.digest
        and each.status in ("scheduled", "active")
        and each.activate_at <= here.now
    ]
    latest = max(begun, key=lambda each: each.activate_at, default=None)
    title = say(pack.head.title, here.language)
    if latest is None:
        return PackInForce(pack.id, pack.head.version, pack.digest, title)
    return PackInForce(pack.id, pack.head.version, pack.digest, title, latest.id, latest.activate_at)


def _paused(here: Visit, guard: RuleGuard, typed: Mapping[tuple[str, str], str]) -> PausedRule:
    """A rule that is out of effect."""
    policy, name = here.desk.service.policy, (guard.pack, guard.rule)
    rule = next(rule for pack in policy.packs if pack.id == guard.pack for rule in pack.rules if rule.id == guard.rule)
    return PausedRule(
        pack=guard.pack,
        rule=guard.rule,
        title=show.ground_title(policy.grounds, rule.ground, here.language),
        since=guard.since,
        acts=guard.window[0],
        hits=guard.window[1],
        acts_before=guard.history[0],
        hits_before=guard.history[1],
        allowed=guard.allowed,
        reason=typed.get(name, ""),
        wrong=name in typed,
    )


def _problem(refusal: Refusal) -> str:
    """The message; that a rule is in effect already is no state of a version."""
    return "pack_refusal.rule_in_effect" if refusal.facts.get("status") == "resumed" else refusal_key(refusal)


@cache
def _shipped() -> tuple[Pack, ...]:
    """The packs that ship with Placet."""
    loaded = (load_pack(folder, run_cases=False).pack for folder in shipped().values())
    return tuple(pack for pack in loaded if pack is not None)


@post("/desk/packs", status_code=303, include_in_schema=False)
async def open_version(request: StrictRequest) -> Redirect | Response[str]:
    """Begin a version: of a pack in force, of one that ships with Placet, or with the files of an earlier version."""
    here = await signed_in(request, "policy.edit")
    form = await here.form()
    files = await _files(here, form.get("pack", ""), form.get("again", ""))
    if files is None:
        return await _packs(here, Refusal("not_found"))
    done = await here.desk.activations.open(here.who.principal, id_of(files), files, form.get("note", "")[:2_000])
    if isinstance(done, Refusal):
        return await _packs(here, done)
    return go(f"/desk/packs/{done.state.id}", "pack_opened")


async def _files(here: Visit, pack: str, again: str) -> Mapping[str, str] | None:
    if again:
        state = await here.desk.activations.state(check_id(again, "activation"))
        return await here.desk.activations.files(state.archive) if state else None
    known = here.desk.activations.in_force(pack)
    if known is None:
        known = next((each for each in await asyncio.to_thread(_shipped) if each.id == pack), None)
    return None if known is None else known.files


@post("/desk/packs/rules/{pack:str}/{rule:str}/resume", status_code=303, include_in_schema=False)
async def resume(request: StrictRequest, pack: str, rule: str) -> Redirect | Response[str]:
    """Put a rule back into effect that hit far beyond its history, with the reason."""
    here = await signed_in(request, "policy.approve")
    reason = (await here.form()).get("reason", "")[:2_000]
    done = await here.desk.service.resume_rule(here.who.principal, pack, rule, reason)
    if isinstance(done, Refusal):
        return await _packs(here, done, typed={(pack, rule): reason} if done.code == "invalid" else _NOTHING)
    return go("/desk/packs", "rule_resumed")


HANDLERS: Final = (packs_page, open_version, resume)

"""A rule that hits far beyond its history goes out of effect until a person has looked; the record says all of it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec
import pytest
from simulator import LEA, MINUTE, PLATFORM, Clock, Platform, audit_all, did, platform_on, refused, with_rule
from stores import Backend

from placet.model import Item
from placet.policy import AccountFacts
from placet.procedure.access import permissions_of
from placet.procedure.rule_guard import Pause
from placet.rule_guards import RuleGuards, guard_id
from placet.service import SYSTEM_GUARD, Plan, Principal, Submission, plainly

POLICY: Final = with_rule("teapots", "item.body.contains('teapot')")
NAME: Final = ("community", "teapots")
APPROVER: Final = Principal("stf_app", permissions_of(("policy_approver",)))


@pytest.fixture
def clock() -> Clock:
    """The hand-driven clock."""
    return Clock()


@pytest.fixture
async def here(backend: Backend, tmp_path: Path, clock: Clock) -> AsyncIterator[Platform]:
    """The platform under test."""
    async with platform_on(backend, tmp_path, clock, POLICY) as platform:
        yield platform


async def submit(here: Platform, account: str, count: int, body: str) -> None:
    """So many submissions, in batches."""
    for start in range(0, count, 200):
        asks = [Submission(account, Item("Notes", f"{body} {n}.")) for n in range(start, min(count, start + 200))]
        for done in await here.service.submit_many(PLATFORM, asks, [None] * len(asks), lambda _: b""):
            did(done)


async def test_a_rule_that_surges_goes_out_of_effect_and_comes_back(here: Platform, clock: Clock) -> None:
    """After 1,200 acts of which 3 hit, 60 of 60 are no chance: alarm, shadow, and a person who puts it back."""
    account = await here.open_account()
    await submit(here, account, 1_200, "A walk in the hills")
    await submit(here, account, 3, "A teapot")
    assert await here.service.guard_rules() == []
    clock.at += 30 * MINUTE
    await submit(here, account, 60, "Another teapot")
    (out,) = await here.service.guard_rules()
    assert (out.pack, out.rule, out.window, out.history) == (*NAME, (60, 60), (1_203, 3))
    assert 3 < out.allowed < 60
    state = await here.submit(account, Item("Notes", "The last teapot."))
    recorded = await here.service.screening_record(state)
    assert state.status == "approved"
    assert [(hit.rule, hit.mode) for hit in recorded.verdict.shadow] == [("teapots", "paused")]
    assert await here.service.guard_rules() == []
    assert refused(await here.service.resume_rule(LEA, *NAME, "They are harmless.")).code == "forbidden"
    assert refused(await here.service.resume_rule(APPROVER, *NAME, " ")).code == "invalid"
    did(await here.service.resume_rule(APPROVER, *NAME, "A shop opened; these are to be looked at."))
    assert (await here.submit(account, Item("Notes", "A further teapot."))).status == "held"
    assert await here.service.guard_rules() == []
    assert refused(await here.service.resume_rule(APPROVER, *NAME, "Again.")).code == "wrong_state"
    assert refused(await here.service.resume_rule(APPROVER, "community", "nothing", "Why not.")).code == "not_found"
    await audit_all(here)


async def test_every_process_knows_of_it_and_another_version_ends_it(
    here: Platform, backend: Backend, tmp_path: Path, clock: Clock
) -> None:
    """A rule is out of effect everywhere, for the version of the pack under which it surged."""
    digest = next(pack.digest for pack in POLICY.packs if pack.id == "community")
    pause = Pause(guard_id(*NAME), *NAME, digest, (60, 60), (1_203, 3), 20)
    did(await here.service.carry_out(SYSTEM_GUARD, "guard", pause.id, plainly(Plan(pause))))
    assert refused(await here.service.carry_out(LEA, "guard", pause.id, plainly(Plan(pause)))).code == "forbidden"
    folder = tmp_path / "other"
    folder.mkdir()
    async with platform_on(backend, folder, clock, POLICY, serving=False) as there:
        assert there.service.judging.guards.names(POLICY) == {NAME}
        other = with_rule("teapots", "item.body.contains('teapot') && item.title != ''")
        assert there.service.judging.guards.names(other) == frozenset()


def test_a_rule_that_fails_while_it_is_out_of_effect_holds_nothing() -> None:
    """As in shadow: it is recorded, and says what went wrong."""
    policy = with_rule("broken", "item.media[7].alt == ''")
    facts = policy.facts(Item("A", "B"), AccountFacts("acc_1", agreement="1"), 1_790_000_000_000_000)
    assert policy.evaluate(facts, [], "pub_1").outcome == "hold"
    verdict = policy.evaluate(facts, [], "pub_1", paused=frozenset({("community", "broken")}))
    assert verdict.outcome == "approve"
    assert verdict.errors == ()
    assert [(hit.rule, hit.mode, hit.why[0][:6]) for hit in verdict.shadow] == [("broken", "paused", "error:")]


async def test_the_history_is_read_from_the_record(here: Platform, clock: Clock) -> None:
    """Another process, or one that has just started, comes to the same numbers; a month later there is no history."""
    account = await here.open_account()
    await submit(here, account, 1_100, "A walk")
    clock.at += 30 * MINUTE
    await submit(here, account, 40, "A teapot")
    fresh = RuleGuards(here.store, clock)
    (found,) = await fresh.surges(POLICY)
    assert (found.window, found.history) == ((40, 40), (1_100, 0))
    assert msgspec.structs.asdict(found)["rule"] == "teapots"
    clock.at += 31 * 24 * 60 * MINUTE
    await submit(here, account, 40, "A teapot")
    assert await fresh.surges(POLICY) == []

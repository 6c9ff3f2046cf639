"""The whole service over real databases: commands, deadlines, release checks, audits, signer; and all at random.

Each test runs on SQLite and on PostgreSQL, on a clock driven by hand.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from simulator import (
    ANN,
    BO,
    DAY,
    EMPTY,
    FAILING,
    FOREVER,
    FRAUD,
    GAMBLING,
    HOUR,
    LEA,
    MAX,
    MINUTE,
    NEWS_RIGHT,
    PLATFORM,
    SIGNER,
    START,
    WRITER,
    Clock,
    Platform,
    alter,
    audit_all,
    bent,
    check_publication,
    did,
    edit_body,
    edit_state,
    item,
    once,
    platform_on,
    refused,
    reply,
    shipped,
    varied,
    with_rule,
)
from stores import Backend, PostgresBackend, SqliteBackend

from placet import audit
from placet.errors import LedgerHalted, SettingsError, StoreUnavailable
from placet.ledger.checkpoint import Signer, open_checkpoint
from placet.ledger.merkle import verify_consistency, verify_inclusion
from placet.model import Item, Refusal
from placet.people import SYSTEM_OPERATOR
from placet.procedure import account as accounts
from placet.procedure.publication import Claim, Contest, Decide, Publication, Unclaim, Withdraw
from placet.recorder import Recorder
from placet.service import Done, Principal, Submission
from placet.store.contract import Commit, Query, WriteResult

WHY: Final = {"facts": "Second paragraph.", "reason": "It advertises a casino."}


@pytest.fixture
def clock() -> Clock:
    """The hand-driven clock."""
    return Clock()


@pytest.fixture
async def here(backend: Backend, tmp_path: Path, clock: Clock) -> AsyncIterator[Platform]:
    """The platform under test."""
    async with platform_on(backend, tmp_path, clock) as platform:
        yield platform


@pytest.fixture
async def there(here: Platform, backend: Backend, tmp_path: Path, clock: Clock) -> AsyncIterator[Platform]:
    """A second platform on the same database, as another process would be."""
    folder = tmp_path / "other"
    folder.mkdir()
    async with platform_on(backend, folder, clock, serving=False) as platform:
        yield platform


# --- submitting --------------------------------------------------------------------------------------------------

VERDICTS: Final = [
    ("approve", "approved", ()),
    ("hold", "held", (GAMBLING,)),
    ("return", "returned", ("community.repost-source", "pa21.17.1")),
    ("refuse", "refused", (NEWS_RIGHT,)),
]


@pytest.mark.parametrize(("outcome", "status", "grounds"), VERDICTS)
async def test_a_submission_is_screened_decided_and_recorded(
    here: Platform, outcome: str, status: str, grounds: tuple[str, ...]
) -> None:
    """The verdict gives the status; findings, facts, verdict and content are kept, and what must be looked at again."""
    account = await here.open_account()
    state = await here.submit(account, outcome)
    assert (state.status, set(state.grounds), state.policy) == (status, set(grounds), shipped().digest)
    assert await here.state(state.id) == state
    (row,) = await here.store.entries(state.id)
    body = msgspec.json.decode(row.body or b"")
    assert {"findings", "facts", "verdict"} <= body.keys()
    assert "quote" not in str(body["findings"])
    assert body["facts"]["account"]["agreement"] == "2026-01"
    assert (await here.service.content(state.revision)).category == state.category
    due = await here.store.due(FOREVER, 10)
    assert [(each.dossier, each.at) for each in due] == ([(state.id, START + 72 * HOUR)] if status == "held" else [])
    await audit_all(here)


async def test_an_empty_item_is_returned(here: Platform) -> None:
    """Nothing that can be read comes back at once, on a ground about its form."""
    state = await here.submit(await here.open_account(), Item("", "\u200b \n"))
    assert (state.status, state.grounds) == ("returned", (EMPTY,))


async def test_two_hundred_at_once_share_transactions(here: Platform, there: Platform) -> None:
    """Concurrent submissions are each answered once durable, and far fewer transactions than submissions are made."""
    account = await here.open_account()
    groups = count_groups(here)
    before = await here.store.size()
    kinds_of = ["approve", "hold", "return", "refuse"]
    states = await asyncio.gather(*(here.submit(account, kinds_of[n % 4]) for n in range(200)))
    assert len({each.id for each in states}) == 200
    assert await here.store.size() == before + 200
    assert [await there.state(each.id) for each in states] == states
    assert len(groups) <= 100
    await audit_all(here)


async def test_a_conflict_fails_nobody_else(here: Platform) -> None:
    """In one crowd: of rivals for one item one wins, while everything else of the crowd succeeds."""
    account = await here.open_account()
    held = await here.submit(account, "hold")
    rivals = [here.service.act(Principal(f"stf_{n}", ANN.permissions), held.id, Claim()) for n in range(60)]
    others = [here.service.submit(PLATFORM, Submission(account, item("approve", n))) for n in range(60)]
    results = await asyncio.gather(*(each for pair in zip(rivals, others, strict=True) for each in pair))
    assert all(isinstance(each, Done) for each in results[1::2])
    assert [isinstance(each, Done) for each in results[::2]].count(True) == 1
    assert {each.code for each in results[::2] if isinstance(each, Refusal)} == {"claimed_by_other"}
    await audit_all(here)


async def test_a_batch_is_as_if_submitted_one_by_one(here: Platform, there: Platform) -> None:
    """Each line of a batch succeeds or fails alone, also when an account has changed elsewhere meanwhile."""
    news = await here.open_account("news.publish")
    await here.submit(news, "refuse")
    await there.set_rights(news)
    asks = [Submission(news, varied(n)) for n in range(48)] + [Submission("acc_nobody", item("approve"))]
    *found, nobody = await here.service.submit_many(PLATFORM, asks, [None] * len(asks), reply)
    assert refused(nobody).code == "account_not_found"
    alone = [did(await here.service.submit(PLATFORM, each)).state for each in asks[:-1]]
    assert [did(each).state.status for each in found] == [each.status for each in alone]
    assert {"approved", "held", "returned", "refused"} == {each.status for each in alone}
    await audit_all(here)


async def test_accounts_that_cannot_publish(here: Platform) -> None:
    """An unknown account, another's account and a closed one: not found, not found, and said to be closed."""
    mine, theirs, closed = [await here.open_account() for _ in range(3)]
    await here.close_account(closed)
    only_mine = Principal("key_mine", PLATFORM.permissions, mine)
    answers = [
        await here.service.submit(only_mine, Submission(each, item("approve"))) for each in ("acc_x", theirs, mine)
    ]
    assert [each.code if isinstance(each, Refusal) else "" for each in answers] == [
        "account_not_found",
        "account_not_found",
        "",
    ]
    refusal = refused(await here.service.submit(PLATFORM, Submission(closed, item("approve"))))
    assert refusal == Refusal("wrong_state", {"account": "closed"})
    state = await here.submit(theirs)
    for attempt in (
        here.service.act(only_mine, state.id, Withdraw()),
        here.service.revise(only_mine, state.id, item("approve", 9)),
        here.service.release(only_mine, state.id),
    ):
        assert refused(await attempt).code == "not_found"
    assert await here.service.publication(only_mine, state.id) is None


# --- one wins ----------------------------------------------------------------------------------------------------


async def test_two_reviewers_decide_at_once(here: Platform, there: Platform) -> None:
    """In every round exactly one decision stands; the other is told that it is stale, and what it is now."""
    account = await here.open_account()
    for n in range(12):
        held = await here.submit(account, "hold")
        refuse = Decide("refuse", held.version, ground=GAMBLING, **WHY)
        results = await asyncio.gather(
            here.service.act(ANN, held.id, Decide("approve", held.version)),
            (there if n % 2 else here).service.act(BO, held.id, refuse),
        )
        (won,) = [each.state for each in results if isinstance(each, Done)]
        (lost,) = [each for each in results if isinstance(each, Refusal)]
        assert lost == Refusal("stale", {"version": 2, "status": won.status})
        assert await here.state(held.id) == won
    await audit_all(there)


async def test_rivals_in_two_processes_decide_again_until_all_are_in(here: Platform, there: Platform) -> None:
    """Revisions that meet on one dossier from two processes conflict, are decided again, and none is lost."""
    account = await here.open_account()
    state = await here.submit(account)
    both = [here, there]
    revisions = [both[n % 2].service.revise(PLATFORM, state.id, item("approve", 1_000 + n)) for n in range(8)]
    results = await asyncio.gather(*revisions)
    assert all(isinstance(each, Done) for each in results)
    assert (await here.state(state.id)).revisions == 9
    await audit_all(there)


async def test_rights_given_or_taken_elsewhere_hold_at_once(here: Platform, there: Platform) -> None:
    """A process that has the account in memory decides the very next submission by rights changed in another one."""
    account = await here.open_account()
    for rights, status in [(("news.publish",), "approved"), ((), "refused"), (("news.publish",), "approved")]:
        assert (await here.submit(account, "refuse")).status != status
        await there.set_rights(account, *rights)
        assert (await here.submit(account, "refuse")).status == status


async def test_a_right_restored_elsewhere_unblocks_a_release(here: Platform, there: Platform) -> None:
    """A release that was blocked here for a lapsed right goes through once another process has restored it."""
    account = await here.open_account("news.publish")
    state = await here.submit(account, "refuse")
    await here.set_rights(account)
    assert (await here.release(state.id)).blocked_by == ("right",)
    await there.set_rights(account, "news.publish")
    assert (await here.release(state.id)).status == "released"


async def test_closing_elsewhere_stops_submissions_at_once(here: Platform, there: Platform) -> None:
    """An account that another process has closed accepts nothing more here."""
    account = await here.open_account()
    await here.submit(account)
    await there.close_account(account)
    refusal = refused(await here.service.submit(PLATFORM, Submission(account, item("approve"))))
    assert refusal == Refusal("wrong_state", {"account": "closed"})


# --- once only ---------------------------------------------------------------------------------------------------


async def test_the_same_key_fifty_times_at_once(here: Platform, there: Platform) -> None:
    """Fifty equal requests under one key, through two processes, are one publication and fifty equal answers."""
    account = await here.open_account()
    ask = Submission(account, item("approve"))
    both = [here, there]
    calls = [both[n % 2].service.submit(PLATFORM, ask, once("k1"), reply) for n in range(50)]
    answers = [did(each) for each in await asyncio.gather(*calls)]
    replies = {each.reply or reply(each) for each in answers}
    assert len(replies) == 1
    assert len(await here.store.page(Query(kind="publication"))) == 1
    assert did(await there.service.submit(PLATFORM, ask, once("k1"), reply)).reply in replies


async def test_a_key_belongs_to_one_request_of_one_caller(here: Platform) -> None:
    """The same key with another request is refused, from another caller it is another key, in a batch it counts too."""
    account = await here.open_account()
    ask = Submission(account, item("approve"))
    first = did(await here.service.submit(PLATFORM, ask, once("k1"), reply))
    mismatch = Refusal("idempotency_mismatch", {"key": "k1"})
    assert await here.service.submit(PLATFORM, ask, once("k1", b"another"), reply) == mismatch
    other = Principal("key_other", PLATFORM.permissions)
    assert did(await here.service.submit(other, ask, once("k1"), reply)).state.id != first.state.id
    keys = [once("k1"), once("k2"), once("k2"), once("k1", b"another")]
    known, fresh, again, wrong = await here.service.submit_many(PLATFORM, [ask] * 4, keys, reply)
    assert did(known).reply == reply(first)
    assert did(again).reply == reply(did(fresh))
    assert wrong == mismatch
    assert await here.store.count(Query(kind="publication"), 10) == 3


async def test_a_key_outlives_a_lost_answer(here: Platform) -> None:
    """Written but not confirmed: the caller hears of trouble, asks again, and gets what was recorded the first time."""
    account = await here.open_account()
    ask = Submission(account, item("approve"))
    with failing(here, stored=True), pytest.raises(StoreUnavailable):
        await here.service.submit(PLATFORM, ask, once("k1"), reply)
    again = did(await here.service.submit(PLATFORM, ask, once("k1"), reply))
    (row,) = await here.store.page(Query(kind="publication"))
    assert again.reply == f"{row.id} 1".encode()
    with failing(here, stored=False), pytest.raises(StoreUnavailable):
        await here.service.submit(PLATFORM, ask, once("k2"), reply)
    assert await here.store.count(Query(kind="publication"), 10) == 1
    await audit_all(here)


async def test_an_external_id_names_one_publication_of_an_account(here: Platform) -> None:
    """Of twenty at once one gets the name; the others learn whose it is; another account may use it as well."""
    mine, theirs = await here.open_account(), await here.open_account()
    asks = [Submission(mine, item("approve", n), external_id="post-7") for n in range(20)]
    results = await asyncio.gather(*(here.service.submit(PLATFORM, each) for each in asks))
    (won,) = [each.state for each in results if isinstance(each, Done)]
    taken = Refusal("external_id_taken", {"dossier": won.id})
    assert [each for each in results if isinstance(each, Refusal)] == [taken] * 19
    assert won.external_id == "post-7"
    assert (await here.submit(theirs, external_id="post-7")).external_id == "post-7"
    assert (await here.submit(mine, external_id="post-8")).external_id == "post-8"


async def test_an_external_id_names_one_account(here: Platform) -> None:
    """A second account under the platform's own id is refused with the first one's."""
    account = await here.open_account(external_id="user-1")
    opening = await here.service.open_account(
        WRITER, lambda identity: accounts.Open(identity, "other", "Again", external_id="user-1"), None, None
    )
    assert opening == Refusal("external_id_taken", {"dossier": account})


# --- deadlines ---------------------------------------------------------------------------------------------------


async def test_a_scheduled_release_fires_at_its_time_and_once(here: Platform, clock: Clock) -> None:
    """Not a microsecond early; then once, however often the deadlines are looked at."""
    state = await here.submit(await here.open_account(), schedule_at=START + HOUR)
    clock.at = START + HOUR - 1
    assert await here.jobs.deadlines() == 0
    clock.at = START + HOUR
    assert await here.jobs.deadlines() == 1
    assert (await here.state(state.id)).live_revision == state.revision
    assert await here.jobs.deadlines() == 0
    assert await here.kinds_of(state.id) == ["submitted", "released"]


async def test_deadlines_that_fire_in_many_places_at_once_act_once(
    here: Platform, there: Platform, clock: Clock
) -> None:
    """Ten looks at the deadlines at the same time, in two processes: each deadline has its effect once."""
    account = await here.open_account()
    scheduled = [await here.submit(account, schedule_at=START + HOUR) for _ in range(5)]
    held = [await here.submit(account, "hold") for _ in range(5)]
    clock.at = START + 80 * HOUR
    await asyncio.gather(*((here, there)[n % 2].jobs.deadlines() for n in range(10)))
    for each in scheduled:
        assert await here.kinds_of(each.id) == ["submitted", "released"]
    for each in held:
        assert await here.kinds_of(each.id) == ["submitted", "escalated"]
    await audit_all(here)


@pytest.mark.parametrize("stored", [False, True])
async def test_a_scheduled_release_survives_a_crash(
    backend: Backend, tmp_path: Path, clock: Clock, stored: bool
) -> None:
    """The process dies before or just after the release is durable: after a new start it has happened exactly once."""
    async with platform_on(backend, tmp_path, clock) as first:
        state = await first.submit(await first.open_account(), schedule_at=START + HOUR)
        clock.at = START + 2 * HOUR
        with failing(first, stored=stored), pytest.raises(StoreUnavailable):
            await first.jobs.deadlines()
    async with platform_on(backend, tmp_path, clock) as second:
        assert await second.jobs.deadlines() == (0 if stored else 1)
        assert await second.jobs.deadlines() == 0
        assert await second.kinds_of(state.id) == ["submitted", "released"]
        await audit_all(second)


async def test_a_hold_escalates_at_each_limit_and_never_refuses(here: Platform, clock: Clock) -> None:
    """At exactly the limit the leads get it with a day more, again at the end of that, and so on; it stays held."""
    state = await here.submit(await here.open_account(), "hold")
    limit = state.held_until
    assert limit == START + 72 * HOUR
    for turn in range(1, 6):
        clock.at = limit - 1
        assert await here.jobs.deadlines() == 0
        clock.at = limit
        assert await here.jobs.deadlines() == 1
        assert await here.jobs.deadlines() == 0
        state = await here.state(state.id)
        assert (state.status, state.queue, state.level) == ("held", "lead", min(turn, 3))
        limit += 24 * HOUR
        assert state.held_until == limit
    assert await here.kinds_of(state.id) == ["submitted"] + ["escalated"] * 5
    lead = await here.approve(state, LEA)
    assert lead.status == "approved"
    assert await here.store.due(FOREVER, 10) == []


async def test_a_claim_expires_and_others_may_take_over(here: Platform, clock: Clock) -> None:
    """At its end a claim gives the item back to the queue by itself; a claim given back fires nothing."""
    account = await here.open_account()
    taken, given_back = await here.submit(account, "hold"), await here.submit(account, "hold")
    for each in (taken, given_back):
        await here.act(each.id, Claim(), ANN)
    await here.act(given_back.id, Unclaim(), ANN)
    assert refused(await here.service.act(BO, taken.id, Claim())).code == "claimed_by_other"
    clock.at = START + 10 * MINUTE
    assert await here.jobs.deadlines() == 1
    assert await here.kinds_of(taken.id) == ["submitted", "claimed", "claim_expired"]
    assert await here.kinds_of(given_back.id) == ["submitted", "claimed", "unclaimed"]
    assert (await here.act(taken.id, Claim(), BO)).owner == BO.id


async def test_a_claim_and_its_hold_end_together(here: Platform, clock: Clock) -> None:
    """When the limit passes while a claim stands that has run out as well, the item is escalated once and is free."""
    state = await here.submit(await here.open_account(), "hold")
    await here.act(state.id, Claim(), ANN)
    clock.at = state.held_until
    await here.run_deadlines()
    after = await here.state(state.id)
    assert (after.status, after.queue, after.owner) == ("held", "lead", "lead")
    assert (await here.kinds_of(state.id)).count("escalated") == 1
    await audit_all(here)


async def test_a_clock_that_jumps_loses_and_repeats_nothing(here: Platform, clock: Clock) -> None:
    """Days forward and back: the record keeps its order, what has fired stays fired, what has not still comes."""
    account = await here.open_account()
    early = await here.submit(account, schedule_at=START + HOUR)
    late = await here.submit(account, schedule_at=START + 5 * DAY)
    held = await here.submit(account, "hold")
    clock.at = START + 4 * DAY
    await here.run_deadlines()
    for at in (START - 3 * DAY, START + 2 * DAY, START - 30 * DAY):
        clock.at = at
        await here.run_deadlines()
        await here.submit(account, "hold")
    assert await here.kinds_of(early.id) == ["submitted", "released"]
    assert await here.kinds_of(held.id) == ["submitted", "escalated"]
    assert await here.kinds_of(late.id) == ["submitted"]
    clock.at = START + 5 * DAY
    await here.run_deadlines()
    assert await here.kinds_of(late.id) == ["submitted", "released"]
    assert await here.kinds_of(held.id) == ["submitted", "escalated", "escalated"]
    rows = await audit_all(here)
    assert [each.at for each in rows] != sorted(each.at for each in rows)


async def test_one_damaged_item_does_not_stop_the_clock_for_others(
    here: Platform, backend: Backend, clock: Clock
) -> None:
    """A deadline that cannot be met, since the content is gone, is logged; those behind it fire all the same."""
    account = await here.open_account()
    damaged = await here.submit(account, schedule_at=START + HOUR)
    sound = await here.submit(account, schedule_at=START + 2 * HOUR)
    await alter(backend, "DELETE FROM blob WHERE digest = ?", bytes.fromhex(damaged.revision))
    clock.at = START + 3 * HOUR
    await here.jobs.deadlines()
    assert (await here.state(sound.id)).status == "released"
    assert (await here.state(damaged.id)).status == "scheduled"
    assert damaged.id in here.log.getvalue()
    assert await here.jobs.deadlines() == 0  # it waits a while, so that many of its kind could not fill every round
    clock.at += HOUR
    assert await here.jobs.deadlines() == 1  # and is not forgotten


async def test_more_deadlines_than_one_round_takes(here: Platform, clock: Clock) -> None:
    """Two hundred and fifty that come due at the same instant are all met, round after round."""
    account = await here.open_account()
    asks = [Submission(account, item("approve", n), START + HOUR) for n in range(250)]
    await here.service.submit_many(PLATFORM, asks, [None] * len(asks), reply)
    clock.at = START + HOUR
    assert await here.run_deadlines() == 250
    assert await here.store.count(Query(kind="publication", status="released"), 1_000) == 250


# --- the release check -------------------------------------------------------------------------------------------


async def a_closed_account(here: Platform, account: str, _: Publication, __: Backend) -> None:
    """The account is closed after the approval."""
    await here.close_account(account)


async def a_lapsed_right(here: Platform, account: str, _: Publication, __: Backend) -> None:
    """The right to publish in the category has lapsed."""
    await here.set_rights(account)


async def another_revision(here: Platform, _: str, state: Publication, backend: Backend) -> None:
    """What is stored as approved is not the revision at hand: no procedure leads there, so a hand does."""
    await edit_state(backend, here.store, state.id, approved_revision="0" * 64)


Break = Callable[[Platform, str, Publication, Backend], Awaitable[None]]
CHECKS: Final[list[tuple[Break, tuple[str, ...], tuple[str, ...]]]] = [
    (a_closed_account, ("account",), ()),
    (a_lapsed_right, ("right",), (NEWS_RIGHT,)),
    (another_revision, ("revision",), ()),
]


@pytest.mark.parametrize(("spoil", "checks", "grounds"), CHECKS)
@pytest.mark.parametrize("scheduled", [False, True])
async def test_each_failing_check_blocks_and_is_named(
    here: Platform,
    backend: Backend,
    clock: Clock,
    spoil: Break,
    checks: tuple[str, ...],
    grounds: tuple[str, ...],
    scheduled: bool,
) -> None:
    """What no longer holds at the moment of publishing is named with its ground, by hand and by the clock alike."""
    account = await here.open_account("news.publish")
    state = await here.submit(account, "refuse", schedule_at=START + HOUR if scheduled else 0)
    await spoil(here, account, state, backend)
    if scheduled:
        clock.at = START + HOUR
        await here.jobs.deadlines()
    else:
        await here.release(state.id)
    after = await here.state(state.id)
    assert (after.status, after.blocked_by, after.grounds) == ("blocked", checks, grounds)
    assert not after.live_revision
    assert await here.kinds_of(state.id) == ["submitted", "blocked"]


NEW_RULES: Final = [
    ("item.text.matches('harbour')", "rules", (FRAUD,)),
    (FAILING, "rule_error", ()),
]


@pytest.mark.parametrize(("when", "check", "grounds"), NEW_RULES)
async def test_a_newer_policy_is_asked_at_release(
    backend: Backend, tmp_path: Path, clock: Clock, when: str, check: str, grounds: tuple[str, ...]
) -> None:
    """A rule that came into force after the approval, and fires or fails, blocks the release and is named."""
    async with platform_on(backend, tmp_path, clock) as before:
        state = await before.submit(await before.open_account())
    async with platform_on(backend, tmp_path, clock, with_rule("newer", when)) as after:
        blocked = await after.release(state.id)
        assert (blocked.status, blocked.blocked_by, blocked.grounds) == ("blocked", (check,), grounds)
        body = msgspec.json.decode((await after.store.entries(state.id))[-1].body or b"")
        assert body["failed"][0]["facts"] == {"rule": "newer", "pack": "community"}
        await audit_all(after)
    async with platform_on(backend, tmp_path, clock) as again:
        assert (await again.release(state.id)).status == "released"


async def test_everything_that_fails_is_named_at_once(backend: Backend, tmp_path: Path, clock: Clock) -> None:
    """The author learns of all failing checks together, not of one after the other."""
    async with platform_on(backend, tmp_path, clock) as before:
        account = await before.open_account("news.publish")
        state = await before.submit(account, "refuse")
        await before.set_rights(account)
        await before.close_account(account)
    async with platform_on(backend, tmp_path, clock, with_rule("newer", "item.text.matches('harbour')")) as after:
        assert (await after.release(state.id)).blocked_by == ("account", "right", "rules")


async def test_what_a_person_has_considered_does_not_block(here: Platform) -> None:
    """An item held on a ground and approved by a person is released, though the rule would fire again."""
    account = await here.open_account()
    held = await here.submit(account, "hold")
    await here.approve(held)
    assert (await here.release(held.id)).status == "released"
    contested = await here.act((await here.submit(account, "refuse")).id, Contest("I have a licence."), PLATFORM)
    await here.approve(contested, LEA)
    assert (await here.release(contested.id)).status == "released"


async def test_a_failing_rule_that_a_person_has_considered_does_not_block(
    backend: Backend, tmp_path: Path, clock: Clock
) -> None:
    """An error means hold, not never: who approves an item held for a failing rule has decided in its place."""
    async with platform_on(backend, tmp_path, clock, with_rule("broken", FAILING)) as here:
        held = await here.submit(await here.open_account())
        assert held.status == "held"
        await here.approve(held)
        assert (await here.release(held.id)).status == "released"


# --- the law of the act ------------------------------------------------------------------------------------------


async def test_a_decision_uses_the_grounds_of_the_act(backend: Backend, tmp_path: Path, clock: Clock) -> None:
    """What was submitted under an earlier policy is decided on its grounds; what is submitted now, on today's."""
    renamed = {'id = "community.harassment"': 'id = "community.bullying"'}
    async with platform_on(backend, tmp_path, clock) as before:
        account = await before.open_account()
        old = await before.submit(account, "hold")
    async with platform_on(backend, tmp_path, clock, bent(renamed, "grounds.toml")) as after:
        new = await after.submit(account, "hold")
        assert new.policy != old.policy
        for state, valid, unknown in [
            (old, "community.harassment", "community.bullying"),
            (new, "community.bullying", "community.harassment"),
        ]:
            wrong = await after.service.act(ANN, state.id, Decide("refuse", state.version, ground=unknown, **WHY))
            assert wrong == Refusal("ground_unknown", {"ground": unknown})
            await after.act(state.id, Decide("refuse", state.version, ground=valid, **WHY))
        await audit_all(after)


async def test_procedure_follows_todays_clocks(backend: Backend, tmp_path: Path, clock: Clock) -> None:
    """The limit that a contested refusal gets is that of the policy in force when it is contested."""
    shorter = {'id = "hold.max"\nduration = "PT72H"': 'id = "hold.max"\nduration = "PT48H"'}
    async with platform_on(backend, tmp_path, clock) as before:
        state = await before.submit(await before.open_account(), "refuse")
    async with platform_on(backend, tmp_path, clock, bent(shorter, "pack.toml")) as after:
        contested = await after.act(state.id, Contest(), PLATFORM)
        assert contested.held_until == START + 48 * HOUR


async def test_a_policy_is_recorded_once(backend: Backend, tmp_path: Path, clock: Clock) -> None:
    """Two processes and two starts under one policy record it once, another policy beside it; both are kept."""
    for policy in (shipped(), shipped(), with_rule("newer", "item.blank")):
        async with platform_on(backend, tmp_path, clock, policy) as platform:
            packs = await platform.store.page(Query(kind="pack"))
    assert len(packs) == 2
    assert [each.version for each in packs] == [1, 1]


# --- replay and rebuild ------------------------------------------------------------------------------------------


async def fill(here: Platform, count: int) -> list[Publication]:
    """Many varied submissions with some history: revised, decided, contested, released, withdrawn."""
    rich, poor = await here.open_account("news.publish", "news.repost"), await here.open_account()
    asks = [Submission((rich, poor)[n % 2], varied(n // 2)) for n in range(count)]
    done = await here.service.submit_many(PLATFORM, asks, [None] * count, reply)
    states: list[Publication] = [did(each).state for each in done]
    for n, state in enumerate(states[: count // 3]):
        match state.status:
            case "held" if n % 2:
                await here.act(state.id, Decide("refuse", 1, ground=GAMBLING, **WHY))
            case "held":
                await here.release((await here.approve(state)).id)
            case "returned":
                did(await here.service.revise(PLATFORM, state.id, varied(n * 7 + 1_000)))
            case "refused":
                await here.act(state.id, Contest(), PLATFORM)
            case _:
                await here.act(state.id, Withdraw(), PLATFORM)
    return states


async def test_hundreds_of_verdicts_come_out_again(here: Platform) -> None:
    """Every verdict is derived again from the record, byte for byte, and every state from its entries."""
    await fill(here, 300)
    rows = await audit_all(here)
    assert {"publication.revised", "publication.contested", "publication.released"} <= {each.kind for each in rows}


async def test_verdicts_under_earlier_policies_come_out_again(backend: Backend, tmp_path: Path, clock: Clock) -> None:
    """A replay takes each policy from the record: that of the day, and those before it."""
    for policy in (shipped(), with_rule("newer", "item.text.matches('harbour')"), with_rule("broken", FAILING)):
        async with platform_on(backend, tmp_path, clock, policy) as here:
            await fill(here, 24)
    async with platform_on(backend, tmp_path, clock) as later:
        assert (await audit.replay(later.service)).checked >= 72
        await audit_all(later)


def _verdict(body: dict[str, Any]) -> dict[str, Any]:
    return {"verdict": {**body["verdict"], "outcome": "approve"}}


ALTERED: Final[list[tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]]] = [
    ("verdict", _verdict),
    ("hits", lambda body: {"verdict": {**body["verdict"], "hits": []}}),
    ("outcome", lambda _: {"outcome": "approve"}),
    ("grounds", lambda _: {"grounds": [FRAUD]}),
    ("findings", lambda _: {"findings": []}),
    ("span", lambda body: {"findings": [{**body["findings"][0], "start": 0}, *body["findings"][1:]]}),
    ("facts", lambda body: {"facts": {**body["facts"], "act": {"at": 0}}}),
    ("revision", lambda _: {"revision": "0" * 64}),
    ("category", lambda _: {"category": "finance"}),
    ("shape", lambda _: {"findings": "none"}),
    ("fact's shape", lambda body: {"facts": {**body["facts"], "act": "noon"}}),
    ("revision's shape", lambda _: {"revision": "the second one"}),
]


@pytest.mark.parametrize(("_what", "change"), ALTERED, ids=[what for what, _ in ALTERED])
async def test_replay_finds_an_altered_body(
    here: Platform, backend: Backend, _what: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """Whatever of a recorded verdict, or of what it rests on, is rewritten: the replay names that entry alone."""
    account = await here.open_account()
    await here.submit(account, "hold")
    state = await here.submit(account, "hold")
    (row,) = await here.store.entries(state.id)
    await edit_body(backend, here.store, row.seq, **change(msgspec.json.decode(row.body or b"")))
    outcome = await audit.replay(here.service)
    assert outcome.checked == 2
    assert {each.where for each in outcome.differences} == {f"{state.id} version 1 (entry {row.seq})"}


async def test_replay_names_a_body_that_cannot_be_read(here: Platform, backend: Backend) -> None:
    """A body that is not JSON any more is a difference, and the replay goes on behind it."""
    account = await here.open_account()
    states = [await here.submit(account, "hold") for _ in range(3)]
    (row,) = await here.store.entries(states[0].id)
    await alter(backend, "UPDATE entry SET body = ? WHERE seq = ?", b'{"revision"', row.seq)
    outcome = await audit.replay(here.service)
    assert outcome.checked == 3
    assert [each.where.split()[0] for each in outcome.differences] == [states[0].id]


@pytest.mark.parametrize("statement", ["UPDATE blob SET content = ? WHERE digest = ?", "DELETE FROM blob"])
async def test_replay_finds_altered_content(here: Platform, backend: Backend, statement: str) -> None:
    """Content that is not what its hash says, or is gone, is found."""
    state = await here.submit(await here.open_account(), "hold")
    values = (b"{}", bytes.fromhex(state.revision)) if "?" in statement else ()
    await alter(backend, statement, *values)
    (found,) = (await audit.replay(here.service)).differences
    assert found.where.startswith(state.id)
    assert state.revision in found.what


async def test_replay_finds_that_a_policy_is_gone(backend: Backend, tmp_path: Path, clock: Clock) -> None:
    """When the archived packs of an earlier policy are damaged, its verdicts are named as not derivable."""
    async with platform_on(backend, tmp_path, clock, with_rule("newer", "item.blank")) as before:
        state = await before.submit(await before.open_account(), "hold")
        await alter(backend, "DELETE FROM blob WHERE digest <> ?", bytes.fromhex(state.revision))
    async with platform_on(backend, tmp_path, clock) as after:
        (found,) = (await audit.replay(after.service)).differences
        assert found.where.startswith(state.id)
        assert "archive" in found.what


EDITS: Final = [
    ("status", "UPDATE dossier SET status = 'approved' WHERE id = ?"),
    ("queue", "UPDATE dossier SET queue = '' WHERE id = ?"),
    ("due_at", "UPDATE dossier SET due_at = due_at + 1 WHERE id = ?"),
    ("assignee", "UPDATE dossier SET assignee = 'stf_ann' WHERE id = ?"),
    ("version", "UPDATE dossier SET version = 7 WHERE id = ?"),
    ("kind", "UPDATE dossier SET kind = 'account' WHERE id = ?"),
    ("not stored", "DELETE FROM dossier WHERE id = ?"),
]


@pytest.mark.parametrize(("field", "statement"), EDITS)
async def test_rebuild_finds_and_repairs_an_edited_dossier(
    here: Platform, backend: Backend, clock: Clock, field: str, statement: str
) -> None:
    """A row that is not what its entries lead to, or is gone, is named; repaired, it is as it was, deadlines too."""
    account = await here.open_account()
    state, other = await here.submit(account, "hold"), await here.submit(account, "hold")
    row = await here.store.dossier(state.id)
    await alter(backend, statement, state.id)
    (found,) = (await audit.rebuild(here.store)).differences
    assert found.where == state.id
    assert field in found.what
    assert (await audit.rebuild(here.store, repair=True)).differences == [found]
    assert await here.store.dossier(state.id) == row
    await audit_all(here)
    assert (await here.approve(await here.state(state.id))).status == "approved"
    clock.at = other.held_until
    assert await here.run_deadlines() == 1


async def test_rebuild_finds_an_edited_state(here: Platform, backend: Backend) -> None:
    """A state that says something else than the entries is found and put right."""
    state = await here.submit(await here.open_account(), "refuse")
    await edit_state(backend, here.store, state.id, status="approved", approved_revision=state.revision)
    (found,) = (await audit.rebuild(here.store, repair=True)).differences
    assert "state" in found.what
    assert await here.state(state.id) == state
    await audit_all(here)


async def test_rebuild_names_entries_that_cannot_be_folded(here: Platform, backend: Backend) -> None:
    """A history that makes no sense is named and left alone; the other dossiers are still looked at."""
    account = await here.open_account()
    broken, sound = await here.submit(account, "hold"), await here.submit(account, "hold")
    await alter(backend, "UPDATE entry SET kind = 'publication.released' WHERE dossier = ?", broken.id)
    await alter(backend, "UPDATE dossier SET status = 'refused' WHERE id = ?", sound.id)
    found = (await audit.rebuild(here.store, repair=True)).differences
    assert {each.where for each in found} == {broken.id, sound.id}
    assert (await audit.rebuild(here.store)).differences == [each for each in found if each.where == broken.id]


# --- the signer --------------------------------------------------------------------------------------------------


async def test_each_head_continues_the_one_before(here: Platform) -> None:
    """Heads signed while the record grows are of its size then, and each is proven to extend every earlier one."""
    account = await here.open_account()
    heads = []
    for count in (1, 3, 120, 200, 40):
        await here.service.submit_many(
            PLATFORM, [Submission(account, varied(n)) for n in range(count)], [None] * count, reply
        )
        heads.append(await here.recorder.checkpoint())
    sizes = [each.size for each in heads if each]
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == await here.store.size()
    for old in heads:
        assert old
        proven = await here.recorder.consistency(old.size)
        assert proven
        proof, latest = proven
        assert latest == heads[-1]
        assert verify_consistency(old.size, old.root, latest.size, latest.root, proof)
        assert open_checkpoint(old.note, [SIGNER.vkey]).root == old.root
    assert await here.recorder.checkpoint() == heads[-1]
    assert (await here.export()).ok


async def test_signing_while_writing(here: Platform) -> None:
    """Heads that are signed between concurrent submissions cover whole prefixes; in the end everything is covered."""
    account = await here.open_account()
    sizes: list[int] = []

    async def sign() -> None:
        for _ in range(15):
            head = await here.recorder.checkpoint()
            assert head
            sizes.append(head.size)
            await asyncio.sleep(0)

    await asyncio.gather(sign(), *(here.submit(account, Item("Tea", f"No. {n}")) for n in range(300)))
    head = await here.recorder.checkpoint()
    assert head
    assert sizes == sorted(sizes)
    assert head.size == await here.store.size()
    report = await here.export()
    assert report.ok, report
    assert report.root == head.root.hex()


async def test_any_entry_can_be_proven(here: Platform) -> None:
    """First, last and random entries come with proofs that verify against the signed head, and with no other leaf."""
    await fill(here, 300)
    head = await here.recorder.checkpoint()
    assert head
    for seq in {0, 255, 256, head.size - 1, *random.Random(7).sample(range(head.size), 25)}:
        proven = await here.recorder.prove(seq)
        assert proven
        assert proven.verified
        assert proven.row.seq == seq
        assert verify_inclusion(proven.leaf, seq, head.size, proven.proof, head.root)
        assert not verify_inclusion(proven.leaf, (seq + 1) % head.size, head.size, proven.proof, head.root)
    assert await here.recorder.prove(head.size) is None
    assert await here.recorder.prove(-1) is None


TAMPERED: Final = [
    # (what, statement, first bad index of the 300 or so, what the offline verifier calls it)
    ("actor", "UPDATE entry SET actor = 'stf_bo' WHERE seq = 270", 270, "entry_changed"),
    ("time", "UPDATE entry SET at = at + 1 WHERE seq = 30", 30, "entry_changed"),
    ("kind", "UPDATE entry SET kind = 'publication.approved' WHERE seq = 7", 7, "entry_changed"),
    ("body", "UPDATE entry SET body = CAST('{}' AS blob) WHERE seq = 41", 41, "body_mismatch"),
    ("salt", "UPDATE entry SET salt = commitment WHERE seq = 42", 42, "body_mismatch"),
    ("commitment", "UPDATE entry SET commitment = salt WHERE seq = 43", 43, "entry_changed"),
    ("first row", "DELETE FROM entry WHERE seq = 0", 0, "missing"),
    ("row", "DELETE FROM entry WHERE seq = 100", 100, "missing"),
    ("last rows", "DELETE FROM entry WHERE seq >= 290", 290, "truncated"),
]


@pytest.mark.parametrize(("_what", "statement", "index", "code"), TAMPERED, ids=[each[0] for each in TAMPERED])
async def test_the_signer_halts_on_a_tampered_row(
    here: Platform, backend: Backend, _what: str, statement: str, index: int, code: str
) -> None:
    """The signer names the first bad entry and stays halted, also after a new start; an export shows the same index."""
    await sealed(here)
    if isinstance(backend, PostgresBackend):
        statement = statement.replace("CAST('{}' AS blob)", "'{}'::bytea")
    await alter(backend, statement)
    await must_halt(here, f"Entry {index} |entry {index} ")
    report = await here.export()
    assert not report.ok
    assert report.first_bad == index
    assert code in {each.code for each in report.problems}


@pytest.mark.parametrize("ending", [b"\0", b"\0{}", b" ", b"\xff", b"\xed\xa0\x80"])
async def test_bytes_behind_a_body_are_seen(here: Platform, backend: Backend, ending: bytes) -> None:
    """Bytes appended to a body, also NUL and what is not UTF-8, halt the signer like any other edit."""
    await sealed(here)
    (row,) = await here.store.entries_from(60, 1)
    await alter(backend, "UPDATE entry SET body = ? WHERE seq = 60", (row.body or b"") + ending)
    await must_halt(here, "entry 60 ")


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/001"])
async def test_the_signer_halts_on_an_edited_tile(here: Platform, backend: Backend, path: str) -> None:
    """A hash that was changed in a tile is laid to its entry, by the signer and by the verifier."""
    await sealed(here)
    stored = await here.store.tile(path)
    assert stored
    await alter(backend, "UPDATE tile SET hashes = ? WHERE path = ?", flipped(stored, 5 * 32), path)
    index = int(path[-3:]) * 256 + 5
    await must_halt(here, f"Entry {index} ")
    assert (await here.export()).first_bad == index


async def test_the_signer_halts_on_an_edited_upper_tile(here: Platform, backend: Backend) -> None:
    """A changed hash over 256 entries is found when the next head is to be signed, and at the next start."""
    await sealed(here)
    stored = await here.store.tile("tile/1/000")
    assert stored
    await alter(backend, "UPDATE tile SET hashes = ? WHERE path = 'tile/1/000'", flipped(stored, 0))
    await here.submit(await here.open_account())
    await must_halt(here, "")
    assert (await here.export()).first_bad == 0


@pytest.mark.parametrize("new_entries", [0, 5])
async def test_the_signer_halts_when_the_database_is_rolled_back(
    here: Platform, backend: Backend, new_entries: int
) -> None:
    """An older copy of the database is behind the head that was published, whatever is written to it afterwards."""
    account = await here.open_account()
    await here.submit(account)
    await here.recorder.checkpoint()
    async with rolled_back(backend):
        await here.submit(account)
        published = await here.recorder.checkpoint()
    assert published
    for _ in range(new_entries):
        await here.submit(account)
    size = published.size
    await must_halt(here, f"A head of {size} entries was published, but the database ends at {size - 1}")


async def test_the_signer_halts_on_a_fork(here: Platform, there: Platform, backend: Backend) -> None:
    """A database that was rolled back and has grown again is no longer behind, but is not what was published either."""
    account = await here.open_account()
    await here.recorder.checkpoint()
    async with rolled_back(backend):
        await here.submit(account)
        await here.recorder.checkpoint()
    for _ in range(4):
        await there.submit(account)
    forked = await there.new_recorder().checkpoint()
    assert forked
    await must_halt(here, f"The head of {forked.size} entries does not continue that of {forked.size - 3}")


async def test_the_signer_goes_on_after_it_was_killed_before_it_wrote_the_file(here: Platform) -> None:
    """A head file that is behind the database is no fault: the head in the database continues it."""
    account = await here.open_account()
    await here.recorder.checkpoint()
    file = here.folder / "ledger.head"
    behind = file.read_bytes()
    await here.submit(account)
    await here.recorder.checkpoint()
    file.write_bytes(behind)
    await here.submit(account)
    signer = here.new_recorder()
    await signer.start()
    head = await signer.checkpoint()
    assert head
    assert head.size == await here.store.size()


async def test_a_halted_signer_does_not_start_again_by_itself(here: Platform, backend: Backend) -> None:
    """Undoing the edit does not undo the halt: a person looks first, and starts the process anew."""
    await sealed(here)
    await alter(backend, "UPDATE entry SET at = at + 1 WHERE seq = 9")
    with pytest.raises(LedgerHalted):
        await here.recorder.checkpoint()
    await alter(backend, "UPDATE entry SET at = at - 1 WHERE seq = 9")
    with pytest.raises(LedgerHalted, match="Entry 9 "):
        await here.recorder.checkpoint()
    signer = here.new_recorder()
    await signer.start()
    assert await signer.checkpoint() == await here.store.head()


async def test_the_signer_halts_when_heads_are_gone(here: Platform, backend: Backend) -> None:
    """A database without heads is not taken for a new one."""
    await here.submit(await here.open_account())
    await here.recorder.checkpoint()
    await alter(backend, "DELETE FROM head")
    await must_halt(here, "was published")


async def test_a_head_signed_by_hand_is_not_continued(here: Platform, backend: Backend) -> None:
    """A head that this key has not signed, or that names another root, halts the signer."""
    await here.submit(await here.open_account())
    head = await here.recorder.checkpoint()
    assert head
    await alter(backend, "UPDATE head SET root = ?", bytes(32))
    await must_halt(here, "")


async def test_writing_goes_on_while_the_signer_is_halted(here: Platform, backend: Backend) -> None:
    """A halted ledger stops no desk: entries are still recorded, no head is signed over them."""
    await sealed(here)
    head = await here.store.head()
    await alter(backend, "UPDATE entry SET actor = 'stf_bo' WHERE seq = 9")
    await must_halt(here, "Entry 9 ")
    await here.submit(await here.open_account())
    await here.jobs.checkpoint()
    assert await here.store.head() == head


async def test_another_ledgers_key_is_refused(here: Platform, tmp_path: Path, clock: Clock) -> None:
    """A database is signed by one key: another one does not start on it."""
    stranger = Signer(SIGNER.name, bytes(32))
    with pytest.raises(SettingsError, match="signed by"):
        await Recorder(here.store, stranger, tmp_path / "stranger.head", clock).start()


async def test_two_signers_agree(here: Platform, there: Platform) -> None:
    """Two processes that sign one record at once halt nothing and never sign two different heads of one size."""
    account = await here.open_account()
    roots: dict[int, set[bytes]] = {}

    async def sign(platform: Platform) -> None:
        for _ in range(25):
            head = await platform.recorder.checkpoint()
            assert head
            roots.setdefault(head.size, set()).add(head.root)
            await asyncio.sleep(0)

    async def write(platform: Platform) -> None:
        for n in range(50):
            await platform.submit(account, Item("Tea", f"No. {n}"))
            await asyncio.sleep(0)

    await asyncio.gather(*(work(each) for each in (here, there) for work in (sign, write, write)))
    await sign(here)
    assert {len(each) for each in roots.values()} == {1}
    assert not here.recorder.halted
    assert not there.recorder.halted
    assert (await there.export()).ok


# --- people ------------------------------------------------------------------------------------------------------


async def test_a_key_is_not_ended_as_if_it_were_a_person(here: Platform) -> None:
    """An id of another kind is not found: nothing is written under the wrong kind, and the record can be rebuilt."""
    made = await here.people.add_key(SYSTEM_OPERATOR, "importer")
    assert not isinstance(made, Refusal)
    key, token = made
    for attempt in (
        here.people.end(SYSTEM_OPERATOR, key.id),
        here.people.change_roles(SYSTEM_OPERATOR, key.id, ("auditor",)),
        here.people.end_webhook(SYSTEM_OPERATOR, key.id),
    ):
        assert refused(await attempt) == Refusal("not_found")
    assert await here.people.principal(token) is not None
    did(await here.people.end_key(SYSTEM_OPERATOR, key.id))
    assert await here.people.principal(token) is None
    await audit_all(here)


# --- pieces ------------------------------------------------------------------------------------------------------


async def sealed(here: Platform) -> None:
    """A record of some 300 entries under a signed head."""
    account = await here.open_account()
    asks = [Submission(account, varied(n)) for n in range(298)]
    await here.service.submit_many(PLATFORM, asks, [None] * len(asks), reply)
    head = await here.recorder.checkpoint()
    assert head
    assert head.size == 300


async def must_halt(here: Platform, words: str) -> None:
    """The signer halts saying so, again when asked again, and so does one that starts anew; no head is signed."""
    heads = await here.store.head()
    for signer in (here.recorder, here.recorder, here.new_recorder()):
        if signer is not here.recorder:
            await signer.start()
        with pytest.raises(LedgerHalted) as halted:
            await signer.checkpoint()
        assert any(word in halted.value.detail for word in words.split("|"))
        assert signer.halted
    assert await here.store.head() == heads


@asynccontextmanager
async def rolled_back(backend: Backend) -> AsyncIterator[None]:
    """What is written meanwhile is gone afterwards, as when an older copy of the database is put back."""
    tables = ("entry", "dossier", "due", "blob", "head", "tile")
    for table in tables:
        await alter(backend, f"DROP TABLE IF EXISTS older_{table}")
        await alter(backend, f"CREATE TABLE older_{table} AS SELECT * FROM {table}")
    yield
    for table in tables:
        await alter(backend, f"DELETE FROM {table}")
        await alter(backend, f"INSERT INTO {table} SELECT * FROM older_{table}")
        await alter(backend, f"DROP TABLE older_{table}")


def flipped(data: bytes, place: int) -> bytes:
    """The bytes with one bit the other way."""
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def count_groups(here: Platform) -> list[int]:
    """A list that grows by the size of every group that the platform writes from now on."""
    groups: list[int] = []
    write = here.store.write

    async def counted(commits: Sequence[Commit]) -> list[WriteResult]:
        groups.append(len(commits))
        return await write(commits)

    here.store.write = counted  # type: ignore[method-assign]
    return groups


@contextmanager
def failing(here: Platform, *, stored: bool) -> Iterator[None]:
    """Writes fail meanwhile, in either way: not stored, or stored but not confirmed."""
    write = here.store.write

    async def failed(commits: Sequence[Commit]) -> list[WriteResult]:
        if stored:
            await write(commits)
        raise StoreUnavailable("The disk has gone.")

    here.store.write = failed  # type: ignore[method-assign]
    try:
        yield
    finally:
        here.store.write = write  # type: ignore[method-assign]


# --- at random ---------------------------------------------------------------------------------------------------

_people = st.sampled_from([ANN, BO, LEA, MAX])
_anybody = st.sampled_from([ANN, BO, LEA, PLATFORM])
_numbers = st.integers(0, 23)
_steps = st.sampled_from([1, MINUTE, 10 * MINUTE, HOUR, DAY, 4 * DAY, -HOUR, -3 * DAY])
_rights = st.sampled_from([(), ("news.publish",), ("news.repost",), ("news.publish", "news.repost")])


class ServiceMachine(RuleBasedStateMachine):
    """Accounts, submissions, decisions, releases and deadlines in any order, on a clock that jumps both ways.

    Every refusal must change nothing; what is held must stay held until a person or a new revision says otherwise.
    In the end the whole record is audited, signed, exported and verified.
    """

    backend: ClassVar[Backend]
    folder: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.clock = Clock()
        self.stack = AsyncExitStack()
        self.here: Platform = self.run(self._open())
        self.ids: list[str] = []
        self.seen: dict[str, Publication] = {}

    def run(self, work: Any) -> Any:
        return self.loop.run(work)

    async def _open(self) -> Platform:
        await self.backend.clear()
        (self.folder / "ledger.head").unlink(missing_ok=True)
        return await self.stack.enter_async_context(platform_on(self.backend, self.folder, self.clock))

    def teardown(self) -> None:
        try:
            self.run(self._finish())
        finally:
            self.run(self.stack.aclose())
            self.loop.close()

    async def _finish(self) -> None:
        rows = await audit_all(self.here)
        head = await self.here.recorder.checkpoint()
        assert head
        assert head.size == len(rows)
        assert (await self.here.export()).ok

    async def _try(self, work: Awaitable[Done | Refusal]) -> None:
        size = await self.here.store.size()
        if isinstance(await work, Refusal):
            assert await self.here.store.size() == size

    def attempt(self, work: Awaitable[Done | Refusal]) -> None:
        """Something that may be refused, which then leaves no trace."""
        self.run(self._try(work))

    def state(self, which: int) -> Publication:
        return self.seen[self.ids[which % len(self.ids)]]

    @initialize()
    def begin(self) -> None:
        """Two accounts and a first item."""
        self.accounts = [self.run(self.here.open_account()), self.run(self.here.open_account("news.publish"))]
        self.submit(1, 1, PLATFORM, 0)

    @rule(account=st.integers(0, 1), number=_numbers, who=_anybody, later=st.sampled_from([0, 0, HOUR]))
    def submit(self, account: int, number: int, who: Principal, later: int) -> None:
        """Somebody submits something, perhaps for later."""
        ask = Submission(self.accounts[account], varied(number), self.clock.at + later if later else 0)
        done = self.run(self.here.service.submit(who, ask))
        if isinstance(done, Done):
            self.ids.append(done.state.id)

    @rule(which=_numbers, number=_numbers, who=_anybody)
    def revise(self, which: int, number: int, who: Principal) -> None:
        """New content, or the same."""
        self.attempt(self.here.service.revise(who, self.state(which).id, varied(number)))

    @rule(
        which=_numbers,
        choice=st.sampled_from(["approve", "approve", "return", "refuse", "escalate", "take_down"]),
        who=_people,
        off=st.sampled_from([0, 0, 0, -1]),
    )
    def decide(self, which: int, choice: Any, who: Principal, off: int) -> None:
        """A person decides on what they read, or on what was before it."""
        state = self.state(which)
        given = Decide(choice, state.version + off, ground=FRAUD, changes="Name the source.", **WHY)
        self.attempt(self.here.service.act(who, state.id, given))

    @rule(which=_numbers, command=st.sampled_from([Claim(), Claim(), Unclaim(), Contest(), Withdraw()]), who=_anybody)
    def act(self, which: int, command: Any, who: Principal) -> None:
        """The other commands."""
        self.attempt(self.here.service.act(who, self.state(which).id, command))

    @rule(which=_numbers, who=st.sampled_from([LEA, PLATFORM, ANN]))
    def release(self, which: int, who: Principal) -> None:
        """Publishing by hand."""
        self.attempt(self.here.service.release(who, self.state(which).id))

    @rule(account=st.integers(0, 1), rights=_rights)
    def rights(self, account: int, rights: tuple[str, ...]) -> None:
        """Rights come and lapse."""
        self.attempt(self.here.service.change_account(WRITER, self.accounts[account], accounts.SetRights(rights)))

    @rule(step=_steps)
    def jump(self, step: int) -> None:
        """The clock moves; then what is due fires, and firing again does nothing."""
        self.clock.at += step
        self.run(self._fire())

    async def _fire(self) -> None:
        await self.here.run_deadlines()
        size = await self.here.store.size()
        await asyncio.gather(self.here.jobs.deadlines(), self.here.jobs.deadlines())
        assert await self.here.store.size() == size

    @rule()
    def sign(self) -> None:
        """A head over everything so far."""
        self.run(self.here.recorder.checkpoint())

    @rule()
    def start_anew(self) -> None:
        """The process ends and another one takes over: nothing of the record lives in it."""
        self.run(self.stack.aclose())
        self.here = self.run(self.stack.enter_async_context(platform_on(self.backend, self.folder, self.clock)))

    @invariant()
    def moves_only_as_it_may(self) -> None:
        """What each publication has come to since the last look is justified by its new entries."""
        for identity in self.ids:
            after: Publication = self.run(self.here.state(identity))
            before = self.seen.get(identity)
            self.seen[identity] = after
            if before == after:
                continue
            rows = self.run(self.here.store.entries(identity))
            check_publication(after, rows)
            assert after.version == len(rows)
            new = Counter(each.kind.partition(".")[2] for each in rows[before.version if before else 0 :])
            if before and before.status == "held" and after.status == "refused":
                assert new["refused"] or new["revised"]
            if before and before.status == "scheduled" and after.status == "released":
                assert new["released"] == 1


def run_machine(backend: Backend, folder: Path, examples: int) -> None:
    """Run the machine over a database, some tens of steps an example."""
    machine = type("Machine", (ServiceMachine,), {"backend": backend, "folder": folder})
    run_state_machine_as_test(
        machine,
        settings=settings(
            deadline=None,
            max_examples=examples,
            stateful_step_count=25,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


def test_anything_in_any_order_on_sqlite(sqlite: SqliteBackend, tmp_path: Path) -> None:
    """Whatever happens in whatever order, the record stays whole (ServiceMachine)."""
    run_machine(sqlite, tmp_path, 30)


def test_anything_in_any_order_on_postgres(postgres: PostgresBackend, tmp_path: Path) -> None:
    """The same on PostgreSQL, in fewer examples."""
    run_machine(postgres, tmp_path, 8)

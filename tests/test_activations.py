"""How a version of a pack comes into force: two people, an instant ahead, and nobody judged by what was not there.

The procedure alone, at random; then the whole service on both databases, on a clock driven by hand.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator import DAY, HOUR, START, WRITER, Clock, Platform, audit_all, bent, did, platform_on, refused, with_rule
from stores import Backend

from placet import kinds
from placet.activations import Activations, id_of, instant_in
from placet.detection import Subject
from placet.ledger.encode import canonical
from placet.lists import Lists
from placet.model import Basis, Entry, Item, Refusal
from placet.policy import Policy
from placet.procedure import account as accounts
from placet.procedure.access import permissions_of
from placet.procedure.activation import (
    NOTICE,
    Activation,
    Approve,
    Begin,
    Command,
    Propose,
    Return,
    Save,
    Supersede,
    Withdraw,
    deadlines,
    decide,
    evolve,
)
from placet.procedure.fold import Context, replay
from placet.procedure.word_list import Addition
from placet.service import Principal

ED: Final = Principal("stf_ed", permissions_of(("policy_editor",)))
EVA: Final = Principal("stf_eva", permissions_of(("policy_editor",)))
APP: Final = Principal("stf_app", permissions_of(("policy_approver",)))
BOTH: Final = Principal("stf_both", permissions_of(("policy_editor", "policy_approver")))
SYSTEM: Final = Principal("system:deadlines", frozenset())
REVIEWER: Final = Principal("stf_ann", permissions_of(("reviewer",)))
SECOND: Final = 1_000_000

# --- the procedure -----------------------------------------------------------------------------------------------

COMMANDS: Final[st.SearchStrategy[Command]] = st.one_of(
    st.builds(
        Save,
        id=st.just("act_1"),
        pack=st.sampled_from(["community", "community", "other"]),
        archive=st.sampled_from(["aa", "bb", "cc"]),
        digest=st.just("sha256:aa"),
        problems=st.sampled_from([0, 0, 2]),
    ),
    st.builds(
        Propose, activate_at=st.sampled_from([0, START + HOUR, START + DAY]), reason=st.sampled_from(["why", ""])
    ),
    st.builds(Return, reason=st.sampled_from(["no", " "])),
    st.builds(Approve, archive=st.sampled_from(["aa", "bb", "cc"])),
    st.builds(Withdraw, reason=st.sampled_from(["done with it", ""])),
    st.just(Begin()),
    st.just(Supersede("act_2")),
)
PEOPLE: Final = st.sampled_from([ED, EVA, APP, BOTH, SYSTEM, REVIEWER])


@given(st.lists(st.tuples(COMMANDS, PEOPLE, st.integers(0, 2 * DAY)), max_size=25))
def test_whatever_is_asked_two_people_put_it_in_force(asked: list[tuple[Command, Principal, int]]) -> None:
    """No version is in force that its approver edited, that changed since it was read, or that has mistakes."""
    entries: list[Entry] = []
    state: Activation | None = None
    now = START
    for command, who, later in asked:
        now += later
        drafts = decide(state, command, Context(now, who.id, who.permissions))
        for draft in () if isinstance(drafts, Refusal) else drafts:
            number = len(entries) + 1
            body = msgspec.json.decode(canonical(draft.body))
            entries.append(
                Entry(number, f"ent_{number}", now, draft.dossier, number, draft.kind, who.id, Basis("p", now), body)
            )
            state = evolve(state, entries[-1])
            check(state, entries)
    assert replay(evolve, entries) == state
    if state is not None:
        assert kinds.decode(kinds.row(kinds.KINDS["activation"], state, now)) == state
        assert deadlines(state) == ((("activate", state.activate_at),) if state.status == "scheduled" else ())


def check(state: Activation, entries: list[Entry]) -> None:
    """What must be true after each entry."""
    by_kind = {each.kind.partition(".")[2]: each for each in entries}
    saved = [each for each in entries if each.kind == "activation.saved"]
    assert state.archive == saved[-1].body["archive"]
    assert {each.actor for each in saved} <= set(state.editors)
    if state.status in ("scheduled", "active", "superseded"):
        approved = by_kind["approved"]
        assert approved.actor not in state.editors
        assert "policy.approve" in (APP.permissions if approved.actor == APP.id else BOTH.permissions)
        assert saved[-1].version < approved.version
        assert state.problems == 0
        assert state.activate_at >= approved.at + NOTICE
    if state.status in ("active", "superseded"):
        assert by_kind["began"].at >= state.activate_at
        assert by_kind["began"].actor.startswith("system:")
    if entries[-1].kind == "activation.withdrawn" and "approved" in by_kind:
        assert entries[-1].at < by_kind["approved"].body["activate_at"] or "returned" in by_kind


def test_an_entry_of_another_kind_is_refused() -> None:
    """The record is not guessed at."""
    entry = Entry(1, "ent_1", START, "act_1", 1, "activation.began", "system:x", Basis("p", START), {})
    with pytest.raises(ValueError, match="act_1: unexpected entry"):
        evolve(None, entry)


@pytest.mark.parametrize(
    ("zone", "local", "offset"),
    [
        ("Asia/Shanghai", "2027-01-01T00:00", "2026-12-31T16:00:00+00:00"),
        ("Europe/Paris", "2027-03-28T01:59:59", "2027-03-28T00:59:59+00:00"),
        ("Europe/Paris", "2027-03-28T02:30", None),  # the clocks go from 02:00 to 03:00
        ("Europe/Paris", "2027-10-31T02:30", None),  # and show this twice
        ("Europe/Paris", "2027-10-31T03:00", "2027-10-31T02:00:00+00:00"),
        ("Europe/Paris", "soon", None),
        ("Europe/Paris", "", None),
    ],
)
def test_a_local_time_is_one_instant_or_none(zone: str, local: str, offset: str | None) -> None:
    """To the second, across the ends of summer time."""
    found = instant_in(zone, local)
    assert (None if found is None else datetime.fromtimestamp(found / SECOND, UTC).isoformat()) == offset


# --- the service -------------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    """The hand-driven clock."""
    return Clock()


@pytest.fixture
async def here(backend: Backend, tmp_path: Path, clock: Clock) -> AsyncIterator[Platform]:
    """The platform under test."""
    async with platform_on(backend, tmp_path, clock) as platform:
        yield platform


def files_of(policy: Policy, pack: str = "community") -> Mapping[str, str]:
    """The files of one of its packs."""
    return next(each.files for each in policy.packs if each.id == pack)


STRICTER: Final = files_of(with_rule("teapots", "item.body.contains('teapot')"))
"""A version of `community` that holds what mentions a teapot."""
POT: Final = Item("Notes", "A teapot stands on the table.")


async def scheduled(
    here: Platform, files: Mapping[str, str] = STRICTER, at: int = 0, pack: str = "community"
) -> Activation:
    """A version that has been drafted, proposed and approved."""
    packs = Activations(here.service)
    opened = did(await packs.open(ED, "community", files)).state
    did(await packs.propose(ED, opened.id, at, "Teapots are sold by dozens of new accounts."))
    state: Activation = did(await packs.approve(APP, opened.id, opened.archive)).state
    assert state.status == "scheduled"
    return state


async def test_a_version_begins_at_its_instant_for_acts_from_then_on(here: Platform, clock: Clock) -> None:
    """A microsecond before, the old rules count; at the instant, the new ones, before anybody has said so on record."""
    account = await here.open_account()
    before = here.service.policy
    state = await scheduled(here, at=START + HOUR)
    clock.at = START + HOUR - 1
    assert (await here.submit(account, POT)).status == "approved"
    clock.at = START + HOUR
    held = await here.submit(account, POT)
    assert held.status == "held"
    assert held.policy == here.service.policy.digest != before.digest
    assert (await here.service.state(state.id)).status == "scheduled"
    await here.run_deadlines()
    assert (await here.service.state(state.id)).status == "active"
    assert await here.service.shelf.history() == [(START, before.digest), (START + HOUR, held.policy)]
    await audit_all(here)


async def test_a_text_that_was_read_before_the_instant_is_read_again(here: Platform, clock: Clock) -> None:
    """Findings are made for the rules of one policy: an act under another is screened for that."""
    await scheduled(here, files_of(with_rule("kettles", "item.body.matches('(?i)kettle[s]?')")), at=START + HOUR)
    account = did(await here.service.open_account(WRITER, opening, None, None)).state
    facts = await here.service.facts_of(account)
    text = Item("Notes", "Two kettles.")
    early, late = Subject(account.id, "pub_x", START + HOUR - 1), Subject(account.id, "pub_x", START + HOUR)
    clock.at = START + HOUR - 1
    found = await here.service.detection.find(text, early)
    assert here.service.judging.judged(text, facts, early, found).verdict.outcome == "approve"
    assert here.service.judging.judged(text, facts, late, found).verdict.outcome == "hold"


def opening(identity: str) -> accounts.Open:
    """An account like any other."""
    return accounts.Open(identity, "other", "Harbour", (), "2026-01", "")


async def test_every_process_changes_at_the_same_instant(
    here: Platform, backend: Backend, tmp_path: Path, clock: Clock
) -> None:
    """Another process that has looked since the approval, and one that starts later, know it too."""
    folder = tmp_path / "other"
    folder.mkdir()
    async with platform_on(backend, folder, clock, serving=False) as there:
        await scheduled(here)
        await there.service.follow()
        old = there.service.policy
        clock.at += NOTICE
        assert there.service.policy.digest == here.service.policy.digest != old.digest
    await here.run_deadlines()
    later = tmp_path / "later"
    later.mkdir()
    async with platform_on(backend, later, clock, serving=False) as again:
        assert again.service.policy.digest == here.service.policy.digest
        assert len(await again.service.shelf.history()) == 2


async def test_a_later_version_takes_the_place_of_an_earlier(here: Platform, clock: Clock) -> None:
    """One version of a pack is in force at a time; an earlier one comes back the way that every version comes."""
    first = await scheduled(here)
    clock.at += NOTICE
    await here.run_deadlines()
    stricter = here.service.policy.digest
    shipped_files = files_of(bent())
    second = await scheduled(here, shipped_files)
    clock.at += NOTICE
    await here.run_deadlines()
    assert (await here.service.state(first.id)).status == "superseded"
    assert here.service.shelf.at(clock.at - 1).digest == stricter, "an act of a moment ago is under what was in force"
    assert (await here.service.state(second.id)).status == "active"
    assert (await here.submit(await here.open_account(), POT)).status == "approved"
    third = await scheduled(here)
    clock.at += NOTICE
    assert (await here.submit(await here.open_account(), POT)).status == "held"
    await here.run_deadlines()
    assert (await here.service.state(third.id)).status == "active"
    assert [digest for _, digest in await here.service.shelf.history()][1::2] == [here.service.policy.digest] * 2
    await audit_all(here)


async def test_what_is_withdrawn_in_time_never_begins(here: Platform, clock: Clock) -> None:
    """Neither for the rules nor on record."""
    state = await scheduled(here, at=START + HOUR)
    did(await Activations(here.service).withdraw(ED, state.id, "A better version comes."))
    clock.at = START + HOUR
    await here.run_deadlines()
    assert (await here.submit(await here.open_account(), POT)).status == "approved"
    assert len(await here.service.shelf.history()) == 1
    await audit_all(here)


async def test_nobody_approves_what_they_edited(here: Platform) -> None:
    """Four eyes: not the one who began it, not one who saved it later, not one who proposed it."""
    packs = Activations(here.service)
    state = did(await packs.open(ED, "community", STRICTER)).state
    did(await packs.save(BOTH, state.id, {**STRICTER, "rules.toml": STRICTER["rules.toml"] + "\n# said again\n"}))
    state = did(await packs.propose(EVA, state.id, 0, "Teapots.")).state
    size = await here.store.size()
    refusal = refused(await packs.approve(BOTH, state.id, state.archive))
    assert (refusal.code, refusal.facts) == ("own_proposal", {"editors": [ED.id, BOTH.id, EVA.id]})
    assert refused(await packs.approve(REVIEWER, state.id, state.archive)).code == "forbidden"
    assert refused(await packs.approve(APP, state.id, "00" * 32)).code == "stale"
    assert await here.store.size() == size, "an approval that is refused leaves nothing on record"
    assert did(await packs.give_back(APP, state.id, "Teapots are welcome.")).state.status == "checked"


async def test_mistakes_are_kept_and_not_proposed(here: Platform) -> None:
    """A draft may be as wrong as it likes; what is in force stays as it is."""
    packs = Activations(here.service)
    wrong = {**STRICTER, "rules.toml": STRICTER["rules.toml"].replace("item.body", "item.boddy")}
    state = did(await packs.open(ED, "community", wrong)).state
    assert (state.status, state.problems > 0) == ("draft", True)
    draft = await packs.draft(state.id)
    assert draft is not None
    assert draft.files == wrong
    assert all(each.file == "rules.toml" and each.line for each in draft.checked.problems)
    assert refused(await packs.propose(ED, state.id, 0, "Teapots.")).code == "pack_has_mistakes"
    assert did(await packs.save(ED, state.id, STRICTER)).state.status == "checked"
    assert refused(await packs.save(ED, state.id, STRICTER)).code == "unchanged"


async def test_a_version_of_another_pack_is_a_mistake(here: Platform) -> None:
    """A draft stays one of its pack."""
    packs = Activations(here.service)
    files = files_of(bent(), "cn-public-accounts")
    state = did(await packs.open(ED, "community", files)).state
    draft = await packs.draft(state.id)
    assert draft is not None
    assert [each.code for each in draft.checked.problems] == ["another-pack"]
    assert id_of(files) == "cn-public-accounts"
    assert id_of({"pack.toml": "id = "}) == ""


async def test_a_pack_that_does_not_go_with_the_others_is_not_proposed(here: Platform) -> None:
    """Two packs with one ground, a draft pack, a detector that the platform does not have."""
    packs = Activations(here.service)
    twin = {name: text.replace('id = "community"', 'id = "twin"') for name, text in STRICTER.items()}
    state = did(await packs.open(ED, "twin", twin)).state
    refusal = refused(await packs.propose(ED, state.id, 0, "Another pack."))
    assert (refusal.code, refusal.facts["why"]) == ("pack_unfit", "together")
    assert "one ground" in str(refusal.facts["detail"])
    pending = {**STRICTER, "pack.toml": STRICTER["pack.toml"].replace('status = "ready"', 'status = "draft"')}
    state = did(await packs.open(ED, "community", pending)).state
    assert refused(await packs.propose(ED, state.id, 0, "A draft.")).facts["why"] == "draft"
    asking = files_of(with_rule("model", "terms('external/toxicity') || terms('external/toxicity/failed')"))
    state = did(await packs.open(ED, "community", asking)).state
    refusal = refused(await packs.propose(ED, state.id, 0, "A model."))
    assert refusal.facts == {"why": "detectors", "detectors": ["toxicity"]}
    having = Activations(here.service, frozenset({"toxicity"}))
    assert did(await having.propose(ED, state.id, 0, "A model.")).state.status == "proposed"


async def test_the_past_is_no_time_to_begin(here: Platform, clock: Clock) -> None:
    """Neither when it is proposed nor when the approval comes too late; in a hurry, a few seconds' notice is given."""
    packs = Activations(here.service)
    state = did(await packs.open(ED, "community", STRICTER)).state
    assert refused(await packs.propose(ED, state.id, START, "Now.")).code == "time_past"
    did(await packs.propose(ED, state.id, START + HOUR, "Soon."))
    clock.at = START + HOUR
    assert refused(await packs.approve(APP, state.id, state.archive)).code == "time_past"
    did(await packs.give_back(APP, state.id, "Too late."))
    did(await packs.propose(ED, state.id, START + HOUR + SECOND, "Soon."))
    assert did(await packs.approve(APP, state.id, state.archive)).state.activate_at == START + HOUR + NOTICE


async def test_word_lists_go_on_under_the_new_version(here: Platform, clock: Clock) -> None:
    """What was changed in a list while running counts under every version that has the list."""
    lea = Principal("stf_lea", permissions_of(("lead",)))
    lists = Lists(here.service)
    did(await lists.change(lea, "community/gambling", "A new brand.", add=(Addition("luckyharbour"),)))
    await scheduled(here)
    clock.at += NOTICE
    account = await here.open_account()
    assert (await here.submit(account, Item("Tonight", "luckyharbour is open"))).status == "held"
    assert (await here.submit(account, POT)).status == "held"
    did(await lists.change(lea, "community/gambling", "It is a ferry.", remove=("luckyharbour",)))
    assert (await here.submit(account, Item("Tonight", "luckyharbour is open"))).status == "approved"
    await here.run_deadlines()
    await audit_all(here)

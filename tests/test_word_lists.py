"""Word lists changed while the platform runs: what one person may do, what counts when, and that all of it replays."""

import asyncio
import threading
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, get_args
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from platforms import NewPlatform, problem_in, until
from platforms import Platform as Served
from simulator import (
    DAY,
    HOUR,
    PLATFORM,
    START,
    Clock,
    Platform,
    audit_all,
    did,
    once,
    platform_on,
    refused,
    reply,
    shipped,
)
from stores import Backend, PostgresBackend

from placet.errors import StoreUnavailable
from placet.ledger.encode import canonical
from placet.lexicons import list_id, lists_of
from placet.list_export import as_toml
from placet.lists import Lists, View
from placet.model import Basis, Draft, Entry, Finding, Item, Refusal
from placet.policy import SURE, Policy, load_pack
from placet.policy.values import EPOCH
from placet.procedure.access import KEY_SCOPES, permissions_of
from placet.procedure.fold import Context
from placet.procedure.publication import Publication
from placet.procedure.word_list import (
    MOST_CHANGED,
    MOST_TERMS,
    Addition,
    Change,
    Changes,
    Standing,
    Touched,
    Why,
    WordList,
    amended,
    decide,
    evolve,
    objection,
)
from placet.screening import ListChange
from placet.service import Done, Principal, Submission
from placet.web.render import tables

pytest_plugins = ("platforms",)

LIST: Final = "community/gambling"
ADDED: Final = "quilltern special"
OWN: Final = "online casino bonus"
EDITOR: Final = Principal("stf_edith", permissions_of(("policy_editor",)))
CONTEXT: Final = Context(START, EDITOR.id, EDITOR.permissions)


def text(*terms: str) -> Item:
    """Content that holds these terms and nothing that a rule objects to by itself."""
    return Item("Harbour notes", f"In the market we saw: {', '.join(terms)}.")


# --- what may be a term ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("term", "why"),
    [
        ("", "empty"),
        (" \u3000", "empty"),
        ("bonus ", "spaces"),
        ("x" * 201, "long"),
        ("two\nlines", "unusable"),
        ("\u200b", "unusable"),
        ("a\ud800", "unusable"),
        ("13800138000", "number"),
        ("１３８ ００１３ ８０００", "number"),
        ("+86 (138) 0013-8000", "number"),
        ("加微信一三八零零一三八零零零", "number"),
        ("11010119900307867X", "number"),
        ("wx123456", "number"),
        ("A123456(7)", "number"),
        ("someone@example.org", "address"),
        ("mail ＠ example．org", "address"),
        ("加微信", None),
        ("pk10计划", None),
        ("100000元", None),
        ("@everyone", None),
        ("iphone15", None),
        ("一二三四", None),
        ("👩\u200d👧 offer", None),
    ],
)
def test_what_one_person_may_add(term: str, why: str | None) -> None:
    """Phrases may be added; what cannot be searched for, and what looks like somebody's number or address, may not."""
    assert objection(term) == why


# --- deciding ----------------------------------------------------------------------------------------------------


def change(
    *add: str | Addition,
    remove: tuple[str, ...] = (),
    reason: str = "A wave.",
    standing: Mapping[str, Standing] | None = None,
) -> Change:
    """A change of a list in which terms stand as said."""
    additions = tuple(Addition(each) if isinstance(each, str) else each for each in add)
    return Change("lst_1", LIST, additions, remove, reason, standing or {})


def kinds_of(decision: tuple[Draft, ...] | Refusal) -> list[str]:
    assert not isinstance(decision, Refusal), decision
    return [draft.kind for draft in decision]


def test_one_change_may_add_and_remove() -> None:
    """What comes and what goes are an entry each, in one decision, with the reason."""
    drafts = decide(None, change("new", remove=("old",), standing={"old": Standing(listed=True)}), CONTEXT)
    assert kinds_of(drafts) == ["list.added", "list.removed"]
    assert [draft.body["reason"] for draft in drafts] == ["A wave."] * 2  # type: ignore[union-attr]  # no refusal


@pytest.mark.parametrize(
    ("command", "code", "facts"),
    [
        (change("new", reason=" "), "invalid", {"field": "reason"}),
        (change(), "invalid", {"field": "add"}),
        (change(*(f"t {n}" for n in range(MOST_TERMS + 1))), "too_large", {"limit": MOST_TERMS, "unit": "terms"}),
    ],
)
def test_a_change_needs_a_reason_and_a_size(command: Change, code: str, facts: dict[str, Any]) -> None:
    """Without a reason, without a term or with too many, nothing is changed."""
    assert decide(None, command, CONTEXT) == Refusal(code, facts)


LISTED: Final = Standing(listed=True)
GONE: Final = Standing(listed=True, removed=True)
CAME: Final = Standing(added=True)
ENDED: Final = Standing(added=True, ended=True)


@pytest.mark.parametrize(
    ("command", "grows"),
    [
        (change("new"), 1),
        (change(remove=("own",), standing={"own": LISTED}), 1),
        (change("late", standing={"late": ENDED}), 1),
        (change("one", "two", remove=("came",), standing={"came": CAME}), 1),
        (change("one", remove=("came",), standing={"came": CAME}), 0),
        (change("came", standing={"came": CAME}), 0),
        (change("own", standing={"own": GONE}), -1),
        (change(remove=("came",), standing={"came": CAME}), -1),
        (change(remove=("late",), standing={"late": ENDED}), 0),
    ],
)
def test_a_list_does_not_grow_without_end(command: Change, grows: int) -> None:
    """A list that differs by as much as it may takes what does not make it more: undoing, and giving another end."""
    assert command.grows == grows
    for changed in (MOST_CHANGED, MOST_CHANGED + 500):
        decision = decide(None, msgspec.structs.replace(command, changed=changed), CONTEXT)
        if grows > 0:
            assert decision == Refusal("list_full", {"limit": MOST_CHANGED, "has": changed})
        else:
            assert kinds_of(decision)
    assert kinds_of(decide(None, msgspec.structs.replace(command, changed=MOST_CHANGED - 1), CONTEXT))


def test_only_those_who_may_change_lists() -> None:
    """Leads and editors of the rules change lists; a reviewer does not."""
    for role in ("lead", "policy_editor"):
        assert kinds_of(decide(None, change("new"), Context(START, "stf_1", permissions_of((role,)))))
    refusal = decide(None, change("new"), Context(START, "stf_1", permissions_of(("reviewer",))))
    assert refusal == Refusal("forbidden", {"permission": "list.edit"})


def test_every_term_that_cannot_be_taken_is_named() -> None:
    """One refusal says of each what is wrong; the good ones do not go in by themselves."""
    listed = Standing(listed=True)
    command = change(
        "good",
        "twice",
        "twice",
        "138 0013 8000",
        "own",
        Addition("late", until=START),
        remove=("none",),
        standing={"own": listed},
    )
    refusal = decide(None, command, CONTEXT)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "bad_terms"
    assert {each["term"]: each["why"] for each in refusal.facts["terms"]} == {
        "twice": "twice",
        "138 0013 8000": "number",
        "own": "listed",
        "late": "time_past",
        "none": "not_listed",
    }


def test_what_the_pack_has_may_be_put_back_whatever_it_looks_like() -> None:
    """Two people put it there: undoing its removal needs no other check."""
    drafts = decide(None, change("13800138000", standing={"13800138000": Standing(listed=True, removed=True)}), CONTEXT)
    assert kinds_of(drafts) == ["list.added"]


@pytest.mark.parametrize("back", [Addition("own", note="again"), Addition("own", until=START + DAY)])
def test_a_term_of_the_pack_comes_back_as_it_stands_there(back: Addition) -> None:
    """A note or an end is the pack's to give: with one of them the term is refused, so that neither is lost."""
    refusal = decide(None, change(back, standing={"own": GONE}), CONTEXT)
    assert refusal == Refusal("bad_terms", {"terms": [{"term": "own", "why": "put_back"}]})
    assert kinds_of(decide(None, change("own", standing={"own": GONE}), CONTEXT)) == ["list.added"]


def test_every_objection_has_a_message() -> None:
    """The desk says in every language why a term cannot be taken."""
    for language in tables().values():
        assert {f"bad_term.{why}" for why in get_args(Why)} <= set(language)


class Written:
    """A list and its entries, changed as the service would, beside a plain model of what must count."""

    def __init__(self) -> None:
        self.state: WordList | None = None
        self.entries: list[Entry] = []
        self.changes = Changes()

    def do(self, pack: set[str], add: list[str], remove: list[str]) -> Refusal | None:
        """Change it while the pack has these terms."""
        standing = {each: self.changes.standing(each, START, listed=each in pack) for each in (*add, *remove)}
        command = change(*add, remove=tuple(remove), standing=standing)
        drafts = decide(self.state, command, CONTEXT)
        if isinstance(drafts, Refusal):
            return drafts
        expected = self.differing(pack) + command.grows
        for draft in drafts:
            version = len(self.entries) + 1
            body = msgspec.json.decode(canonical(draft.body))
            basis = Basis("policy", START)
            entry = Entry(version, f"ent_{version}", START, draft.dossier, version, draft.kind, EDITOR.id, basis, body)
            self.entries.append(entry)
            self.state = evolve(self.state, entry)
            self.changes = amended(self.changes, [entry])
        assert self.differing(pack) == expected
        return None

    def counting(self, pack: set[str]) -> set[str]:
        """The terms that count beside this pack."""
        found = self.changes.at(START, pack)
        return (pack - found.removed) | set(found.added)

    def differing(self, pack: set[str]) -> int:
        """By how many terms the list differs from this pack."""
        return len(self.counting(pack) ^ pack)


some = st.sets(st.sampled_from("abcdef"), max_size=3)


@given(st.sets(st.sampled_from("abcdef")), st.lists(st.tuples(some, some), max_size=8))
def test_changes_do_what_they_say(pack: set[str], steps: list[tuple[set[str], set[str]]]) -> None:
    """What is carried out counts, what is refused changes nothing, and folding all entries at once gives the same."""
    written, model = Written(), set(pack)
    for add, remove in steps:
        possible = not add & remove and (add or remove) and not add & model - (model - pack) and remove <= model
        refusal = written.do(pack, sorted(add), sorted(remove))
        assert (refusal is None) == bool(possible), (refusal, add, remove, model)
        if refusal is None:
            model = (model | add) - remove
        assert written.counting(pack) == model
    assert amended(Changes(), written.entries) == written.changes
    assert written.state is None or written.state.version == written.changes.version == len(written.entries)


@given(st.lists(st.tuples(st.sets(st.sampled_from("abc")), some, some), max_size=8))
def test_packs_may_change_between_changes(steps: list[tuple[set[str], set[str], set[str]]]) -> None:
    """Whatever packs come and go meanwhile: what somebody has just added counts, and what they removed does not."""
    written = Written()
    for pack, add, remove in steps:
        if written.do(pack, sorted(add), sorted(remove)) is None:
            assert add <= written.counting(pack)
            assert not remove & written.counting(pack)


def test_undoing_an_addition_leaves_nothing_behind() -> None:
    """Should a pack take the term in later, an old undo does not strike it out there."""
    written = Written()
    written.do(set(), ["x"], [])
    written.do(set(), [], ["x"])
    assert written.changes.at(START, {"x"}) == ListChange()
    assert written.counting({"x"}) == {"x"}


def test_an_entry_of_another_kind_is_refused() -> None:
    """Neither fold takes an entry that it does not know."""
    entry = Entry(1, "ent_1", START, "lst_1", 1, "account.closed", "stf_1", Basis("p", START), {})
    for fold in (lambda: evolve(None, entry), lambda: amended(Changes(), [entry])):
        with pytest.raises(ValueError, match="unexpected entry"):
            fold()


# --- in the service ----------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    """The hand-driven clock."""
    return Clock()


@pytest.fixture
async def here(backend: Backend, tmp_path: Path, clock: Clock) -> AsyncIterator[Platform]:
    """The platform under test."""
    async with platform_on(backend, tmp_path, clock) as platform:
        yield platform


async def add(here: Platform, *terms: str, until: int = 0, name: str = LIST, who: Principal = EDITOR) -> Done | Refusal:
    """Somebody adds terms."""
    additions = tuple(Addition(term, until=until) for term in terms)
    return await Lists(here.service).change(who, name, "A wave.", add=additions)


async def remove(here: Platform, *terms: str, name: str = LIST) -> Done | Refusal:
    """Somebody removes terms."""
    return await Lists(here.service).change(EDITOR, name, "Harmless here.", remove=terms)


async def recorded(here: Platform, state: Publication) -> dict[str, Any]:
    """What the record says of the last screening."""
    (row,) = await here.store.entries(state.id, state.version - 1, 1)
    body: dict[str, Any] = msgspec.json.decode(row.body or b"")
    return body


def best(body: dict[str, Any]) -> int:
    """The score of the surest finding of a recorded screening."""
    return max(each.score for each in msgspec.convert(body["findings"], list[Finding]))


async def test_a_term_counts_as_soon_as_it_is_added(here: Platform) -> None:
    """The next submission is held by it, its record says with which lists, and its undoing counts as soon."""
    account = await here.open_account()
    before = await here.submit(account, text(ADDED))
    did(await add(here, ADDED))
    during = await here.submit(account, text(ADDED))
    did(await remove(here, ADDED))
    after = await here.submit(account, text(ADDED))
    assert [each.status for each in (before, during, after)] == ["approved", "held", "approved"]
    assert "lists" not in await recorded(here, before)
    assert (await recorded(here, during))["lists"] == {"at": START, "versions": {LIST: 1}}
    assert "lists" not in await recorded(here, after)
    await audit_all(here)


async def test_a_term_of_the_pack_goes_and_comes_back(here: Platform) -> None:
    """Removed it counts no more; put back it is the pack's again, as sure as before."""
    account = await here.open_account()
    did(await remove(here, OWN))
    gone = await here.submit(account, text(OWN))
    did(await add(here, OWN))
    back = await here.submit(account, text(OWN))
    assert [gone.status, back.status] == ["approved", "held"]
    assert best(await recorded(here, back)) == 100
    await audit_all(here)


def community(**files: str) -> Policy:
    """The shipped packs, the community pack with other texts in the files whose names begin so, without its cases."""
    packs = []
    for pack in shipped().packs:
        changed = {f"lists/{name}.toml" if name == "gambling" else f"{name}.toml": each for name, each in files.items()}
        kept = {path: each for path, each in pack.files.items() if not path.startswith("cases/")}
        packs.append(load_pack(kept | changed).require() if pack.id == "community" else pack)
    return Policy(packs)


def file_of(path: str) -> str:
    """A file of the community pack as it is shipped."""
    return lists_of(shipped())[LIST][0].files[path]


def refusing() -> Policy:
    """The shipped packs, with a list whose terms refuse by themselves."""
    rules, grounds = file_of("rules.toml"), file_of("grounds.toml")
    asked = 'then = "hold"\nground = "community.gambling"'
    ground = 'id = "community.gambling"'
    assert rules.count(asked) == grounds.count(ground) == 1
    return community(
        rules=rules.replace(asked, asked.replace("hold", "refuse")),
        grounds=grounds.replace(ground, f"{ground}\nautomatic = true"),
    )


async def test_one_person_alone_makes_no_automatic_refusal(backend: Backend, tmp_path: Path, clock: Clock) -> None:
    """Where the pack's own term refuses, one that a single person added only holds."""
    async with platform_on(backend, tmp_path, clock, refusing()) as here:
        account = await here.open_account()
        did(await add(here, ADDED))
        states = [await here.submit(account, text(term)) for term in (OWN, ADDED)]
        assert [each.status for each in states] == ["refused", "held"]
        await audit_all(here)


async def test_another_process_follows(here: Platform, backend: Backend, tmp_path: Path, clock: Clock) -> None:
    """A second process takes a change over when it looks, and judges by what it knew until then; both replay."""
    folder = tmp_path / "other"
    folder.mkdir()
    async with platform_on(backend, folder, clock, serving=False) as there:
        account = await here.open_account()
        did(await add(here, ADDED))
        early = await there.submit(account, text(ADDED))
        await there.service.lexicons.refresh()
        late = await there.submit(account, text(ADDED))
        assert [early.status, late.status] == ["approved", "held"]
        did(await remove(there, ADDED))
        await here.service.lexicons.refresh()
        assert (await here.submit(account, text(ADDED))).status == "approved"
        await audit_all(here)
        await audit_all(there)


async def test_terms_end_by_themselves(here: Platform, clock: Clock) -> None:
    """A term with a time counts until then; the same term may be added again, and what was judged replays."""
    account = await here.open_account()
    did(await add(here, ADDED, until=START + HOUR))
    held = await here.submit(account, text(ADDED))
    clock.at += HOUR
    await here.service.lexicons.refresh()
    ended = await here.submit(account, text(ADDED))
    lists = Lists(here.service)
    (row,) = (await lists.terms(LIST, "changed")).rows
    assert (row.term, row.state) == (ADDED, "ended")
    did(await add(here, ADDED))
    again = await here.submit(account, text(ADDED))
    assert [each.status for each in (held, ended, again)] == ["held", "approved", "held"]
    await audit_all(here)


def lapsing() -> Policy:
    """The shipped packs, with two more terms of the list, which end soon after START."""
    ending = [f'\n[[term]]\ntext = "{term}"\nuntil = 2026-09-23\n' for term in ("harbour lottery", "pier lottery")]
    return community(gambling="".join([file_of("lists/gambling.toml"), *ending]))


async def test_terms_of_a_pack_end_too(backend: Backend, tmp_path: Path, clock: Clock) -> None:
    """A term whose day is over in the pack counts no more; somebody may add it again, provisionally."""
    async with platform_on(backend, tmp_path, clock, lapsing()) as here:
        account = await here.open_account()
        held = await here.submit(account, text("harbour lottery"))
        clock.at += 5 * DAY
        await here.service.lexicons.refresh()
        ended = await here.submit(account, text("harbour lottery"))
        did(await add(here, "harbour lottery"))
        again = await here.submit(account, text("harbour lottery"))
        assert [each.status for each in (held, ended, again)] == ["held", "approved", "held"]
        assert best(await recorded(here, again)) < SURE
        assert (await recorded(here, ended))["lists"] == {"at": clock.at, "versions": {}}
        lists = Lists(here.service)
        assert {row.term: row.state for row in (await lists.terms(LIST, "changed")).rows} == {
            "harbour lottery": "added",
            "pier lottery": "ended",
        }
        await audit_all(here)


async def test_submissions_go_on_while_lists_change(here: Platform) -> None:
    """Of two hundred submissions among thirty changes none fails, and each is judged by the lists that it names."""
    account = await here.open_account()

    async def submit(number: int) -> Publication:
        await asyncio.sleep(number / 1_000)
        state: Publication = did(
            await here.service.submit(PLATFORM, Submission(account, text(f"quill {number % 20} tern")))
        ).state
        return state

    async def changes() -> None:
        for number in range(20):
            did(await add(here, f"quill {number} tern"))
            if number % 2:
                did(await remove(here, f"quill {number} tern"))

    states, _ = await asyncio.gather(asyncio.gather(*(submit(number) for number in range(200))), changes())
    for state in states:
        body = await recorded(here, state)
        assert (state.status == "held") == bool(body["findings"])
    last = await asyncio.gather(*(submit(number) for number in range(20)))
    assert [each.status for each in last] == ["held", "approved"] * 10
    await audit_all(here)


async def test_a_batch_is_judged_by_one_lexicon(here: Platform) -> None:
    """What is submitted together is screened together, and each record says with which lists."""
    account = await here.open_account()
    did(await add(here, ADDED))
    asks = [Submission(account, text(ADDED, str(number))) for number in range(5)]
    done = await here.service.submit_many(PLATFORM, asks, [None] * 5, reply)
    for each in done:
        state: Publication = did(each).state
        assert (state.status, (await recorded(here, state))["lists"]["versions"]) == ("held", {LIST: 1})
    await audit_all(here)


async def test_rivals_change_a_list_one_after_the_other(here: Platform) -> None:
    """Many people at once: every change is carried out on the list as it then is, none is lost."""
    results = await asyncio.gather(*(add(here, f"quill {number} tern") for number in range(8)), return_exceptions=False)
    assert all(isinstance(each, Done) for each in results)
    same = await asyncio.gather(*(remove(here, "quill 1 tern") for _ in range(3)))
    assert sorted(type(each).__name__ for each in same) == ["Done", "Refusal", "Refusal"]
    assert len(here.service.lexicons.changes(LIST).added) == 7
    await audit_all(here)


async def test_a_change_is_carried_out_once(here: Platform) -> None:
    """With an Idempotency-Key the second time gives the first answer."""
    lists = Lists(here.service)
    first, second = [
        did(await lists.change(EDITOR, LIST, "A wave.", (Addition(ADDED),), (), once("k"), reply)) for _ in range(2)
    ]
    assert second.reply == reply(first)
    assert here.service.lexicons.changes(LIST).version == 1


async def test_who_and_what_is_refused(here: Platform) -> None:
    """A list that no pack has, somebody without the permission, and a key that is bound to one account."""
    assert refused(await add(here, ADDED, name="community/none")).code == "not_found"
    assert refused(await add(here, ADDED, who=Principal("stf_1", permissions_of(("auditor",))))).code == "forbidden"
    bound = Principal("key_1", frozenset(KEY_SCOPES), "acc_1")
    assert refused(await add(here, ADDED, who=bound)).code == "forbidden"
    assert await here.store.dossier(list_id(LIST)) is None


async def test_a_list_that_a_pack_gave_up(backend: Backend, tmp_path: Path, clock: Clock) -> None:
    """Its changes stay on record and do nothing; what was judged with them replays; should it return, they count."""
    async with platform_on(backend, tmp_path, clock) as here:
        account = await here.open_account()
        did(await add(here, ADDED))
        await here.submit(account, text(ADDED))
    without = Policy([pack for pack in shipped().packs if pack.id != "community"])
    async with platform_on(backend, tmp_path, clock, without) as here:
        assert (await here.submit(account, text(ADDED))).status == "approved"
        summary = await Lists(here.service).summary(LIST)
        assert summary is not None
        assert (summary.in_force, summary.terms, summary.added) == (False, 0, 1)
        assert refused(await add(here, "more")).code == "not_found"
        await audit_all(here)
    async with platform_on(backend, tmp_path, clock) as here:
        assert (await here.submit(account, text(ADDED))).status == "held"
        await audit_all(here)


async def test_an_exported_list_makes_terms_sure(backend: Backend, tmp_path: Path, clock: Clock) -> None:
    """Put into the pack, the export has all that counts now: the pack loads, and nothing differs from it any more."""
    quoted = 'with "quotes" \\ and é'
    async with platform_on(backend, tmp_path, clock) as here:
        did(await add(here, ADDED, quoted))
        did(await add(here, "for a week", until=START + 7 * DAY))
        did(await remove(here, OWN))
        exported = await Lists(here.service).export(LIST)
    assert exported
    policy = community(gambling=exported)
    words, became = (lists_of(each)[LIST][1] for each in (shipped(), policy))
    assert set(became.texts) == (set(words.texts) - {OWN}) | {ADDED, quoted, "for a week"}
    same = ("title", "label", "views", "exceptions", "note", "languages", "whole_words")
    assert [getattr(became, each) for each in same] == [getattr(words, each) for each in same]
    async with platform_on(backend, tmp_path, clock, policy) as here:
        state = await here.submit(await here.open_account(), text(ADDED))
        assert best(await recorded(here, state)) == 100
        assert (await Lists(here.service).terms(LIST, "changed")).rows == ()
        await audit_all(here)


@pytest.mark.parametrize(
    ("zone", "until", "day"),
    [
        ("UTC", "2027-03-28T00:00", "2027-03-28"),
        ("UTC", "2027-03-28T00:00:00.000001", "2027-03-29"),
        ("UTC", "2027-03-27T23:59", "2027-03-28"),
        ("Europe/Brussels", "2027-03-28T00:00", "2027-03-28"),  # of 23 hours
        ("Europe/Brussels", "2027-03-28T12:00", "2027-03-29"),
        ("Europe/Brussels", "2026-10-25T00:00", "2026-10-25"),  # of 25 hours
        ("Europe/Brussels", "2026-10-25T00:30", "2026-10-26"),
        ("Asia/Beirut", "2027-03-28T01:00", "2027-03-28"),  # which begins at 01:00
        ("America/Havana", "2026-11-01T00:00", "2026-11-01"),
        ("America/Havana", "2026-11-01T00:00+again", "2026-11-02"),  # when it is 00:00 for the second time
    ],
)
def test_a_term_that_ends_is_exported_with_its_day(zone: str, until: str, day: str) -> None:
    """What ends as a day begins ends with that day in the pack too, what ends within a day on the next one."""
    moment, again, _ = until.partition("+again")
    local = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(zone), fold=int(bool(again)))
    touched = Touched("stf_1", START, "A wave.", until=round((local - EPOCH).total_seconds() * 1_000_000))
    exported = as_toml(lists_of(shipped())[LIST][1], {ADDED: touched}, (), zone)
    (ends,) = [each["until"] for each in tomllib.loads(exported)["term"] if each["text"] == ADDED]
    assert ends == date.fromisoformat(day)


async def test_what_the_pack_says_as_well_is_no_change(backend: Backend, tmp_path: Path, clock: Clock) -> None:
    """Once a pack has what came and not what went, no record names the list, and there is room for further changes."""
    async with platform_on(backend, tmp_path, clock) as here:
        did(await add(here, ADDED))
        did(await remove(here, OWN))
        exported = await Lists(here.service).export(LIST)
    assert exported
    async with platform_on(backend, tmp_path, clock, community(gambling=exported)) as here:
        account = await here.open_account()
        assert "lists" not in await recorded(here, await here.submit(account, text(ADDED)))
        did(await add(here, "quill tern"))
        state = await here.submit(account, text(ADDED, "quill tern"))
        assert (await recorded(here, state))["lists"] == {"at": START, "versions": {LIST: 3}}
        await audit_all(here)


def _as_before(changes: Changes, at: int, _: object) -> ListChange:
    """What screening was told before that which the pack says as well was left out."""
    added = tuple(term for term, touched in changes.added.items() if touched.counts(at))
    return ListChange(added, frozenset(changes.removed), frozenset(added))


async def test_a_record_that_names_idle_changes_replays(
    backend: Backend, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was judged while such changes were named comes out the same without them."""
    async with platform_on(backend, tmp_path, clock) as here:
        did(await add(here, ADDED, "quill tern"))
        did(await remove(here, OWN))
        exported = await Lists(here.service).export(LIST)
        did(await remove(here, "quill tern"))
        did(await add(here, "otter mere"))
    assert exported
    policy = community(gambling=exported)
    with monkeypatch.context() as before:
        before.setattr(Changes, "at", _as_before)
        async with platform_on(backend, tmp_path, clock, policy) as here:
            account = await here.open_account()
            states = [await here.submit(account, text(*terms)) for terms in ((ADDED,), (OWN,), ("otter mere", ADDED))]
            assert [each.status for each in states] == ["held", "approved", "held"]
            assert (await recorded(here, states[0]))["lists"]["versions"] == {LIST: 4}
    async with platform_on(backend, tmp_path, clock, policy) as here:
        await audit_all(here)


async def test_a_full_list_has_a_way_out(
    backend: Backend, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Terms whose time is over do not fill a list; undoing makes room, and so does a pack that has taken terms in."""
    monkeypatch.setattr("placet.procedure.word_list.MOST_CHANGED", 2)
    async with platform_on(backend, tmp_path, clock) as here:
        did(await add(here, "for an hour", until=START + HOUR))
        clock.at += HOUR
        did(await add(here, ADDED))
        did(await remove(here, OWN))
        for refusal in (refused(await add(here, "more")), refused(await remove(here, "casino welcome bonus"))):
            assert refusal == Refusal("list_full", {"limit": 2, "has": 2})
        did(await add(here, OWN))
        did(await add(here, "more"))
        exported = await Lists(here.service).export(LIST)
    assert exported
    over = "".join(f'\n[[term]]\ntext = "pier {number}"\nuntil = 2020-01-01\n' for number in range(3))
    async with platform_on(backend, tmp_path, clock, community(gambling=exported + over)) as here:
        did(await add(here, "one more", "and another"))
        assert refused(await add(here, "a third")).code == "list_full"
        await audit_all(here)


async def test_a_change_that_is_on_record_is_answered_so(here: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the store fail right after the change, nobody is told that nothing was recorded; the next look sees it."""
    page, asked = here.store.page, 0

    async def fails_after_the_change(query: Any) -> Any:
        nonlocal asked
        asked += 1
        if here.service.lexicons.changes(LIST) == Changes() and await here.store.dossier(list_id(LIST)):
            raise StoreUnavailable("The connection is lost.")
        return await page(query)

    with monkeypatch.context() as failing:
        failing.setattr(here.store, "page", fails_after_the_change)
        assert did(await add(here, ADDED)).state.version == 1
        assert asked > 1
    assert here.service.lexicons.changes(LIST) == Changes()
    await here.service.lexicons.refresh()
    assert set(here.service.lexicons.changes(LIST).added) == {ADDED}


async def test_submissions_do_not_wait_for_who_looks_at_a_list(
    backend: Backend, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes through a whole list runs in a thread, and the ends of terms are gone through once."""
    threads: set[threading.Thread] = set()
    struck = Policy.struck
    asked: list[int] = []

    def noted(here: Any) -> Any:
        threads.add(threading.current_thread())
        return changed(here)

    def counted(policy: Policy, at: int) -> dict[str, frozenset[str]]:
        threads.add(threading.current_thread())
        asked.append(at)
        return struck(policy, at)

    changed = View.changed
    async with platform_on(backend, tmp_path, clock, lapsing()) as here:
        did(await add(here, ADDED))
        clock.at += 5 * DAY
        monkeypatch.setattr(View, "changed", noted)
        monkeypatch.setattr(Policy, "struck", counted)
        lists = Lists(here.service)
        (one,) = [each for each in await lists.all() if each.name == LIST]
        assert one == await lists.summary(LIST)
        assert (one.added, one.ended, one.version) == (1, 2, 1)
        assert len((await lists.terms(LIST, "changed")).rows) == 3
        assert await lists.export(LIST)
        assert asked == [clock.at]
        clock.at -= 5 * DAY
        assert len((await lists.terms(LIST, "changed")).rows) == 1
        assert asked == [clock.at + 5 * DAY, clock.at]
    assert threads
    assert threading.main_thread() not in threads


# --- everything at random ----------------------------------------------------------------------------------------

WORDS: Final = ("quill tern", "otter mere", "harbour lottery", "pier lottery", OWN)
steps_of = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(WORDS), st.sampled_from([0, 0, HOUR, 3 * DAY])),
        st.tuples(st.just("remove"), st.sampled_from(WORDS), st.just(0)),
        st.tuples(st.just("submit"), st.sampled_from(WORDS), st.just(0)),
        st.tuples(st.just("elsewhere"), st.sampled_from(WORDS), st.just(0)),
        st.tuples(st.just("wait"), st.just(""), st.sampled_from([HOUR, DAY, -HOUR])),
        st.tuples(st.just("look"), st.just(""), st.just(0)),
    ),
    min_size=3,
    max_size=14,
)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_any_order_of_changes_and_submissions_replays(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Changes, submissions through two processes, ends of terms and clocks in any order: the record replays whole."""
    backend: Backend = request.getfixturevalue(database)
    policy = lapsing()
    (tmp_path / "other").mkdir()

    async def live(steps: list[tuple[str, str, int]]) -> None:
        await backend.clear()
        clock = Clock()
        async with AsyncExitStack() as stack:
            here = await stack.enter_async_context(platform_on(backend, tmp_path, clock, policy))
            there = await stack.enter_async_context(
                platform_on(backend, tmp_path / "other", clock, policy, serving=False)
            )
            account = await here.open_account()
            for what, term, number in steps:
                match what:
                    case "add":
                        await add(here, term, until=number and clock.at + number)
                    case "remove":
                        await remove(here, term)
                    case "submit":
                        await here.submit(account, text(term))
                    case "elsewhere":
                        await there.submit(account, text(term))
                    case "wait":
                        clock.at += number
                        await here.service.lexicons.refresh()
                    case "look":
                        await there.service.lexicons.refresh()
            await audit_all(here)

    @settings(
        max_examples=12 if database == "sqlite" else 6,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    @given(steps_of)
    def run(steps: list[tuple[str, str, int]]) -> None:
        asyncio.run(live(steps))

    run()


# --- through the API ---------------------------------------------------------------------------------------------

ROUTE: Final = f"/v1/lists/{LIST}"


def test_a_list_is_read_searched_and_paged(platform: Served) -> None:
    """The lists with their figures; terms in order, page by page, each once; a search looks past case and script."""
    http = platform.http
    shown = {each["name"]: each for each in http.get("/v1/lists").raise_for_status().json()["items"]}
    one = http.get(ROUTE).raise_for_status().json()
    assert shown[LIST] == one
    assert one["in_force"]
    terms: list[str] = []
    cursor = ""
    while cursor is not None:
        page = http.get(f"{ROUTE}/terms", params={"limit": 40, "cursor": cursor}).raise_for_status().json()
        terms += [each["term"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert terms == sorted(set(terms))
    assert len(terms) == one["terms"]
    found = http.get(f"{ROUTE}/terms", params={"contains": "ＣＡＳＩＮＯ"}).raise_for_status().json()["items"]
    assert "casino welcome bonus" in {each["term"] for each in found}
    assert all("casino" in each["term"].lower() for each in found)
    problem_in(http.get(f"{ROUTE}/terms", params={"cursor": "!"}), 400, "bad_cursor")
    for path in ("", "/terms", "/export"):
        problem_in(http.get(f"/v1/lists/community/none{path}"), 404, "not_found")


def test_a_list_is_changed(new_platform: NewPlatform, backend: Backend) -> None:
    """Added, it holds with the next submission; everything about it is on record; a repetition changes nothing."""
    database = backend.dsn if isinstance(backend, PostgresBackend) else ""
    platform = new_platform(database=database)
    editor = platform.staff("policy_editor")
    asked = {"reason": "A wave.", "add": [{"term": ADDED, "note": "in comments", "until": "2030-01-01T00:00:00Z"}]}
    headers = {"idempotency-key": "k"}
    first = editor.post(f"{ROUTE}/changes", json=asked, headers=headers)
    again = editor.post(f"{ROUTE}/changes", json=asked, headers=headers)
    assert first.raise_for_status().json() == again.raise_for_status().json()
    assert again.headers["idempotent-replayed"] == "true"
    held = platform.submit({"title": "Notes", "body": f"Try the {ADDED} today."})
    assert held["status"] == "held"
    assert {each["score"] for each in held["findings"]} == {89}
    (term,) = editor.get(f"{ROUTE}/terms", params={"show": "changed"}).raise_for_status().json()["items"]
    touched = {"by": platform.person("policy_editor").id, "at": term["at"], "reason": "A wave."}
    assert term == {
        "term": ADDED,
        "state": "added",
        "provisional": True,
        "note": "in comments",
        "until": "2030-01-01T00:00:00.000Z",
        **touched,
    }
    assert ADDED in editor.get(f"{ROUTE}/export").raise_for_status().text
    (entry,) = platform.entries(first.json()["id"])
    assert (entry["kind"], entry["actor"]) == ("list.added", touched["by"])
    editor.post(f"{ROUTE}/changes", json={"reason": "Harmless.", "remove": [ADDED]}).raise_for_status()
    assert platform.submit({"title": "Notes", "body": f"Try the {ADDED} now."})["status"] == "approved"
    assert platform.cli("replay").returncode == 0
    assert platform.cli("rebuild").returncode == 0


def test_what_the_api_refuses(platform: Served) -> None:
    """Bad terms are named one by one, an unknown list is not found, and who may not is told the permission."""
    editor = platform.staff("policy_editor")
    before = platform.http.get(ROUTE).raise_for_status().json()
    asked = {"reason": "x", "add": [{"term": "fine"}, {"term": "a@example.org"}], "remove": ["not there"]}
    shown = problem_in(editor.post(f"{ROUTE}/changes", json=asked), 422, "bad_terms")
    assert shown["facts"]["terms"] == [
        {"term": "a@example.org", "why": "address"},
        {"term": "not there", "why": "not_listed"},
    ]
    good = {"reason": "x", "add": [{"term": "fine"}]}
    problem_in(editor.post("/v1/lists/community/none/changes", json=good), 404, "not_found")
    assert before.keys() == {
        *("id", "name", "title", "label", "note", "in_force", "terms", "added", "removed", "ended", "version")
    }
    problem_in(editor.post(f"{ROUTE}/changes", json=good | {"reason": ""}), 422, "invalid")
    problem_in(editor.post(f"{ROUTE}/changes", json=good | {"add": [{"term": "t"}] * 1_001}), 422, "invalid")
    problem_in(platform.staff("reviewer").post(f"{ROUTE}/changes", json=good), 403, "forbidden")
    bound = platform.client(platform.key(account=platform.account).token)
    problem_in(bound.post(f"{ROUTE}/changes", json=good), 403, "forbidden")
    for path in ("/v1/lists", ROUTE, f"{ROUTE}/terms", f"{ROUTE}/export"):
        problem_in(bound.get(path), 403, "forbidden")
    assert platform.http.get(ROUTE).json() == before


def test_another_server_follows(new_platform: NewPlatform, postgres: PostgresBackend) -> None:
    """Of two servers on one database the other counts a term within seconds."""
    one = new_platform(database=postgres.dsn)
    other = one.twin().start()
    try:
        added = {"reason": "A wave.", "add": [{"term": ADDED}]}
        one.http.post(f"{ROUTE}/changes", json=added).raise_for_status()
        body = {"title": "Notes", "body": f"Try the {ADDED} today."}
        assert one.submit(body)["status"] == "held"
        until(lambda: other.submit(body)["status"] == "held", "the other server knows the term", 20)
    finally:
        other.stop()
    assert one.cli("replay").returncode == 0

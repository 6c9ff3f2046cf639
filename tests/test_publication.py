"""The publication procedure: what each command leads to in each state, who may give it, and what always holds."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from placet import kinds
from placet.ledger.encode import canonical
from placet.model import Basis, Citation, Draft, Entry, Ground, Refusal
from placet.procedure.access import KEY_SCOPES, permissions_of
from placet.procedure.fold import Context, replay
from placet.procedure.publication import (
    KINDS,
    MOST_LEVELS,
    Claim,
    Command,
    Contest,
    Decide,
    FailedCheck,
    Fire,
    Publication,
    Release,
    Revise,
    Screened,
    Submit,
    Unclaim,
    Withdraw,
    deadlines,
    decide,
    due_at,
    evolve,
)

MINUTE: Final = 60_000_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
START: Final = 1_790_000_000_000_000
AUTHOR: Final = "key_author"
CLOCKS: Final = {"hold.max": 72 * HOUR, "hold.escalated": 24 * HOUR, "claim": 10 * MINUTE}
PEOPLE: Final = {
    AUTHOR: frozenset(KEY_SCOPES),
    "stf_ann": permissions_of(("reviewer",)),
    "stf_bo": permissions_of(("reviewer",)),
    "stf_lea": permissions_of(("lead",)),
    "stf_max": permissions_of(("lead",)),
    "stf_adm": permissions_of(("admin",)),
    "stf_aud": permissions_of(("auditor",)),
    "system:deadlines": frozenset[str](),
}
WORDS: Final = {"en": "words", "zh-Hant": "字", "zh-Hans": "字"}
GROUNDS: Final = {
    "sample.form": Ground("sample.form", WORDS, WORDS, WORDS, (Citation("LAW", "1"),), automatic=True),
    "sample.other": Ground("sample.other", WORDS, WORDS, WORDS, (Citation("LAW", "2"),), needs_law=True),
}
WHY: Final = {"ground": "sample.form", "facts": "Paragraph two.", "reason": "It names no source."}


def screened(outcome: str, revision: str = "rev-1") -> Screened:
    """A revision with a verdict."""
    grounds = () if outcome == "approve" else ("sample.form",)
    record = {"findings": [], "facts": {}, "verdict": {"outcome": outcome}}
    return Screened(revision, "general", "original", outcome, grounds, record)


class Case:
    """One publication under a hand-driven clock: gives commands, stamps what they lead to, keeps the record."""

    def __init__(self, now: int = START) -> None:
        self.now = now
        self.entries: list[Entry] = []
        self.state: Publication | None = None

    @property
    def known(self) -> Publication:
        assert self.state is not None
        return self.state

    def context(self, actor: str) -> Context:
        until = {name: self.now + span for name, span in CLOCKS.items()}
        return Context(self.now, actor, PEOPLE[actor], until, GROUNDS)

    def ask(self, command: Command, actor: str) -> tuple[Draft, ...] | Refusal:
        """What the command would lead to."""
        return decide(self.state, command, self.context(actor))

    def do(self, command: Command, actor: str) -> tuple[Draft, ...] | Refusal:
        """Carry the command out, with bodies as they come back from the record."""
        drafts = self.ask(command, actor)
        if isinstance(drafts, Refusal):
            return drafts
        for draft in drafts:
            version = len(self.entries) + 1
            body = msgspec.json.decode(canonical(draft.body))
            basis = Basis("policy", self.now)
            entry = Entry(version, f"ent_{version}", self.now, draft.dossier, version, draft.kind, actor, basis, body)
            self.state = evolve(self.state, entry)
            self.entries.append(entry)
        return drafts

    def must(self, command: Command, actor: str) -> None:
        """Carry out a command that has an effect."""
        drafts = self.do(command, actor)
        assert not isinstance(drafts, Refusal), drafts
        assert drafts

    def submit(self, outcome: str, **fields: Any) -> "Case":
        """The author submits."""
        self.must(Submit("pub_1", "acc_1", screened(outcome), **fields), AUTHOR)
        return self


def decision(case: Case, choice: Any, **fields: str) -> Decide:
    """A decision on the version at hand."""
    return Decide(choice, case.known.version, **fields)


FAILED: Final = (FailedCheck("right", "sample.form", {"needs_one_of": ["news.publish"]}), FailedCheck("account"))

Give = Callable[[Case], Command]
approve: Give = lambda case: decision(case, "approve")  # noqa: E731 - a short table of commands - a table of short answers
give_back: Give = lambda case: decision(case, "return", **WHY, changes="Name the source.")  # noqa: E731 - a short table of commands
refuse: Give = lambda case: decision(case, "refuse", **WHY)  # noqa: E731 - a short table of commands
escalate: Give = lambda case: decision(case, "escalate", reason="I am not sure.")  # noqa: E731 - a short table of commands
take_down: Give = lambda case: decision(case, "take_down", **WHY)  # noqa: E731 - a short table of commands


def released() -> Case:
    """A publication that readers can see."""
    case = Case().submit("approve")
    case.must(Release(), AUTHOR)
    return case


def after(case: Case, command: Command, actor: str = AUTHOR) -> Case:
    """The case after one more command."""
    case.must(command, actor)
    return case


def in_status(status: str) -> Case:
    """A publication that has come to this status on the plainest way."""
    ways: dict[str, Callable[[], Case]] = {
        "held": lambda: Case().submit("hold"),
        "returned": lambda: Case().submit("return"),
        "refused": lambda: Case().submit("refuse"),
        "approved": lambda: Case().submit("approve"),
        "scheduled": lambda: Case().submit("approve", schedule_at=START + HOUR),
        "released": released,
        "blocked": lambda: after(Case().submit("approve"), Release(FAILED)),
        "withdrawn": lambda: after(Case().submit("hold"), Withdraw()),
        "taken_down": lambda: after(case := released(), take_down(case), "stf_lea"),
    }
    case = ways[status]()
    assert case.known.status == status
    return case


STATUSES: Final = (
    "held",
    "returned",
    "refused",
    "approved",
    "scheduled",
    "released",
    "blocked",
    "withdrawn",
    "taken_down",
)

# --- which command in which state --------------------------------------------------------------------------------

MOVES: Final[dict[str, tuple[str, Give, dict[str, str]]]] = {
    # name: who gives it, the command, and the status it leads to by the status it is given in
    "approve": ("stf_ann", approve, {"held": "approved"}),
    "return": ("stf_ann", give_back, {"held": "returned"}),
    "refuse": ("stf_ann", refuse, {"held": "refused"}),
    "escalate": ("stf_ann", escalate, {"held": "held"}),
    "take down": ("stf_lea", take_down, {"released": "taken_down"}),
    "claim": ("stf_ann", lambda _: Claim(), {"held": "held"}),
    "release": ("stf_lea", lambda _: Release(), {"approved": "released", "blocked": "released"}),
    "contest": (AUTHOR, lambda _: Contest("It was mine."), {"returned": "held", "refused": "held"}),
    "withdraw": (
        AUTHOR,
        lambda _: Withdraw(),
        {status: "withdrawn" for status in STATUSES if status not in ("withdrawn", "taken_down")},
    ),
    "revise, approved": (
        AUTHOR,
        lambda _: Revise(screened("approve", "rev-2")),
        {status: "scheduled" if status == "scheduled" else "approved" for status in STATUSES if status != "withdrawn"},
    ),
} | {
    f"revise, {status}": (
        AUTHOR,
        lambda _, outcome=outcome: Revise(screened(outcome, "rev-2")),
        {before: status for before in STATUSES if before != "withdrawn"},
    )
    for outcome, status in (("hold", "held"), ("return", "returned"), ("refuse", "refused"))
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("move", MOVES)
def test_each_command_in_each_status(move: str, status: str) -> None:
    """A command leads on from the statuses that allow it; elsewhere it is refused, which names status and way out."""
    actor, command, leads_to = MOVES[move]
    case = in_status(status)
    before = case.state
    answer = case.do(command(case), actor)
    if status in leads_to:
        assert case.known.status == leads_to[status], answer
        assert case.known.version == len(case.entries)
    else:
        assert isinstance(answer, Refusal)
        assert answer.code == "wrong_state"
        assert answer.facts["status"] == status
        assert status not in answer.facts["allowed"]
        assert case.state == before


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("approve", "approved"), ("hold", "held"), ("return", "returned"), ("refuse", "refused")],
)
def test_the_verdict_decides_a_submission(outcome: str, status: str) -> None:
    """What the rules say of a submission is its first status, with the verdict's grounds, decided by rules alone."""
    case = Case().submit(outcome)
    assert case.known.status == status
    assert case.known.grounds == (() if outcome == "approve" else ("sample.form",))
    assert case.known.automatic
    assert case.known.submitted_by == AUTHOR


def test_a_hold_starts_in_the_review_queue_with_reason_and_limit() -> None:
    """An item that the rules hold waits for reviewers, for as long as the clock hold.max runs."""
    held = Case().submit("hold").known
    assert (held.queue, held.owner, held.hold_reason) == ("review", "review", "verdict")
    assert held.held_until == due_at(held) == START + 72 * HOUR


def test_an_approval_with_a_schedule_waits_for_its_time() -> None:
    """An approved item with a time is scheduled, whether rules or a person approved it."""
    by_rule = in_status("scheduled").known
    by_hand = after(case := Case().submit("hold", schedule_at=START + HOUR), approve(case), "stf_ann").known
    assert by_rule.status == by_hand.status == "scheduled"
    assert deadlines(by_rule) == (("release", START + HOUR),)
    assert due_at(by_rule) == START + HOUR


def test_nothing_precedes_the_submission_and_nothing_repeats_it() -> None:
    """Commands on nothing are not found; a second submission under the same id is refused."""
    assert Case().ask(Withdraw(), AUTHOR) == Refusal("not_found")
    again = Case().submit("hold").ask(Submit("pub_1", "acc_1", screened("approve")), AUTHOR)
    assert again == Refusal("wrong_state", {"status": "held"})


@pytest.mark.parametrize("schedule_at", [START, START - 1])
def test_a_schedule_lies_ahead(schedule_at: int) -> None:
    """A time that has come or gone is refused; the next microsecond would do."""
    late = Submit("pub_1", "acc_1", screened("approve"), schedule_at)
    assert Case().ask(late, AUTHOR) == Refusal("time_past", {"field": "schedule_at"})
    Case().submit("approve", schedule_at=START + 1)


# --- who may -----------------------------------------------------------------------------------------------------

NEEDS: Final[dict[str, tuple[str, str, Give]]] = {
    # command: (permission, status to give it in, command)
    "submit": ("publication.submit", "", lambda _: Submit("pub_1", "acc_1", screened("approve"))),
    "revise": ("publication.submit", "held", lambda _: Revise(screened("approve", "rev-2"))),
    "contest": ("publication.submit", "refused", lambda _: Contest()),
    "withdraw": ("publication.submit", "held", lambda _: Withdraw()),
    "claim": ("publication.claim", "held", lambda _: Claim()),
    "unclaim": ("publication.claim", "held", lambda _: Unclaim()),
    "approve": ("publication.decide", "held", approve),
    "return": ("publication.decide", "held", give_back),
    "refuse": ("publication.decide", "held", refuse),
    "escalate": ("publication.decide", "held", escalate),
    "take down": ("publication.take_down", "released", take_down),
    "release": ("publication.release", "approved", lambda _: Release()),
}


@pytest.mark.parametrize("name", NEEDS)
def test_each_command_needs_its_permission(name: str) -> None:
    """Without the permission a command is forbidden, naming it; with that permission alone it is not."""
    permission, status, command = NEEDS[name]
    case = in_status(status) if status else Case()
    context = case.context("stf_ann")
    all_others = permissions_of(("reviewer", "lead", "admin")) - {permission}
    without = msgspec.structs.replace(context, permissions=all_others)
    only = msgspec.structs.replace(context, permissions=frozenset({permission}))
    given = command(case)
    assert decide(case.state, given, without) == Refusal("forbidden", {"permission": permission})
    assert not isinstance(decide(case.state, given, only), Refusal)


@pytest.mark.parametrize("actor", ["stf_adm", "stf_aud", AUTHOR])
def test_admins_auditors_and_programs_decide_nothing(actor: str) -> None:
    """Judging is for reviewers and leads: neither who appoints them, nor who audits them, nor a program's key."""
    case = Case().submit("hold")
    assert case.ask(refuse(case), actor) == Refusal("forbidden", {"permission": "publication.decide"})
    assert case.ask(Claim(), actor) == Refusal("forbidden", {"permission": "publication.claim"})


@pytest.mark.parametrize("command", [approve, give_back, refuse, escalate, lambda _: Claim()])
def test_nobody_judges_their_own_submission(command: Give) -> None:
    """A reviewer who submitted an item may neither claim it nor decide it; a colleague may."""
    case = Case()
    case.must(Submit("pub_1", "acc_1", screened("hold")), "stf_ann")
    assert case.ask(command(case), "stf_ann") == Refusal("own_submission")
    assert not isinstance(case.ask(command(case), "stf_bo"), Refusal)


def test_nobody_takes_down_or_revises_into_their_own_case() -> None:
    """Who submitted the present revision may not take it down, and by revising becomes the one who submitted."""
    case = released()
    case.must(Revise(screened("hold", "rev-2")), "stf_lea")
    assert case.ask(take_down(case), "stf_lea") == Refusal("own_submission")
    assert case.ask(approve(case), "stf_lea") == Refusal("own_submission")
    assert not isinstance(case.ask(approve(case), "stf_max"), Refusal)


@pytest.mark.parametrize("command", [approve, give_back, refuse])
def test_what_was_escalated_is_for_leads(command: Give) -> None:
    """An escalated item is decided by a lead, not by a reviewer, who may only escalate again."""
    case = Case().submit("hold")
    case.must(escalate(case), "stf_ann")
    forbidden = Refusal("forbidden", {"permission": "publication.decide_escalated"})
    assert case.ask(command(case), "stf_bo") == forbidden
    assert not isinstance(case.ask(escalate(case), "stf_bo"), Refusal)
    assert not isinstance(case.ask(command(case), "stf_lea"), Refusal)


@pytest.mark.parametrize("off", [-1, 1])
@pytest.mark.parametrize("command", [approve, give_back, refuse, escalate, take_down])
def test_a_decision_on_another_version_is_stale(command: Give, off: int) -> None:
    """A decision names the version that was read; on any other it is refused with the version that is."""
    case = in_status("released" if command is take_down else "held")
    given = command(case)
    stale = msgspec.structs.replace(given, version=case.known.version + off)
    facts = {"version": case.known.version, "status": case.known.status}
    assert case.ask(stale, "stf_lea") == Refusal("stale", facts)


def test_a_revision_may_name_the_version_that_was_read() -> None:
    """An author who names another version is told so; one who names none takes the risk."""
    case = Case().submit("hold")
    assert case.ask(Revise(screened("hold", "rev-2"), version=9), AUTHOR) == Refusal("stale", {"version": 1})
    assert not isinstance(case.ask(Revise(screened("hold", "rev-2"), version=1), AUTHOR), Refusal)
    assert not isinstance(case.ask(Revise(screened("hold", "rev-2")), AUTHOR), Refusal)


def test_a_revision_changes_something() -> None:
    """The same bytes again are no revision."""
    answer = Case().submit("hold").ask(Revise(screened("approve")), AUTHOR)
    assert answer == Refusal("unchanged", {"revision": "rev-1"})


# --- reasons -----------------------------------------------------------------------------------------------------

INCOMPLETE: Final = [
    ("refuse", {"ground": ""}, Refusal("ground_unknown", {"ground": ""})),
    ("refuse", {"ground": "sample.gone"}, Refusal("ground_unknown", {"ground": "sample.gone"})),
    ("refuse", {"facts": " \n"}, Refusal("reason_missing", {"field": "facts"})),
    ("refuse", {"reason": "\t"}, Refusal("reason_missing", {"field": "reason"})),
    ("refuse", {"ground": "sample.other"}, Refusal("ground_needs_law", {"ground": "sample.other"})),
    ("refuse", {"ground": "sample.other", "law": "  "}, Refusal("ground_needs_law", {"ground": "sample.other"})),
    ("take_down", {"ground": "sample.gone"}, Refusal("ground_unknown", {"ground": "sample.gone"})),
    ("take_down", {"facts": ""}, Refusal("reason_missing", {"field": "facts"})),
    ("take_down", {"reason": ""}, Refusal("reason_missing", {"field": "reason"})),
    ("take_down", {"ground": "sample.other"}, Refusal("ground_needs_law", {"ground": "sample.other"})),
    ("return", {"changes": " "}, Refusal("changes_missing", {"field": "changes"})),
    ("return", {"ground": "sample.gone"}, Refusal("ground_unknown", {"ground": "sample.gone"})),
    ("return", {"ground": "sample.other"}, Refusal("ground_needs_law", {"ground": "sample.other"})),
    ("escalate", {"reason": ""}, Refusal("reason_missing", {"field": "reason"})),
]


@pytest.mark.parametrize(("choice", "change", "expected"), INCOMPLETE)
def test_a_restriction_says_on_what_it_rests(choice: Any, change: dict[str, str], expected: Refusal) -> None:
    """Ground, facts, reason, changes and, for a catch-all ground, the law: whatever is missing is named."""
    case = in_status("released" if choice == "take_down" else "held")
    whole = {**WHY, "changes": "Name the source."}
    assert case.ask(decision(case, choice, **{**whole, **change}), "stf_lea") == expected
    assert not isinstance(case.ask(decision(case, choice, **whole), "stf_lea"), Refusal)


def test_a_catch_all_ground_with_a_law_is_usable() -> None:
    """The code "other" may be used by a decision that names the law, which the record keeps."""
    case = Case().submit("hold")
    case.must(decision(case, "refuse", **{**WHY, "ground": "sample.other"}, law="LAW art 2"), "stf_ann")
    assert case.entries[-1].body["law"] == "LAW art 2"
    assert case.known.grounds == ("sample.other",)


def test_a_return_for_plain_changes_needs_no_ground() -> None:
    """A reviewer may send an item back with what to change and nothing else."""
    case = Case().submit("hold")
    case.must(decision(case, "return", changes="Add a title."), "stf_ann")
    assert (case.known.status, case.known.grounds, case.known.automatic) == ("returned", (), False)


def test_a_persons_decision_stands_in_the_record_word_for_word() -> None:
    """Ground, facts, reason and the revision decided on are kept with the actor."""
    case = Case().submit("hold")
    case.must(refuse(case), "stf_ann")
    body = dict(case.entries[-1].body)
    assert {name: body[name] for name in WHY} == WHY
    assert (body["revision"], case.entries[-1].actor) == ("rev-1", "stf_ann")
    assert not case.known.automatic


# --- holds and claims --------------------------------------------------------------------------------------------


def test_a_claim_keeps_others_off_until_it_expires() -> None:
    """While a claim runs, others can neither claim, give back nor decide; from its end on they can."""
    case = Case().submit("hold")
    case.must(Claim(), "stf_ann")
    until = START + 10 * MINUTE
    taken = Refusal("claimed_by_other", {"until": until})
    case.now = until - 1
    assert [case.ask(each, "stf_bo") for each in (Claim(), Unclaim(), approve(case))] == [taken] * 3
    assert not isinstance(case.ask(approve(case), "stf_ann"), Refusal)
    case.now = until
    assert not any(isinstance(case.ask(each, "stf_bo"), Refusal) for each in (Claim(), Unclaim(), approve(case)))


def test_a_claim_is_owned_extended_and_given_back() -> None:
    """The claimer owns the item, may extend the claim, and hands it back; handing back twice is nothing."""
    case = Case().submit("hold")
    case.must(Claim(), "stf_ann")
    case.now += MINUTE
    case.must(Claim(), "stf_ann")
    assert (case.known.owner, case.known.claim_until) == ("stf_ann", START + 11 * MINUTE)
    assert deadlines(case.known) == (("hold", START + 72 * HOUR), ("claim", START + 11 * MINUTE))
    case.must(Unclaim(), "stf_ann")
    assert (case.known.owner, case.known.claim_until) == ("review", 0)
    assert case.ask(Unclaim(), "stf_ann") == ()


@pytest.mark.parametrize(("early", "fires"), [(1, False), (0, True), (-DAY, True)])
def test_a_claim_expires_at_its_end(early: int, fires: bool) -> None:
    """The claim's deadline gives the item back to its queue, not a microsecond too early, and only once."""
    case = Case().submit("hold")
    case.must(Claim(), "stf_ann")
    case.now = case.known.claim_until - early
    drafts = case.do(Fire("claim"), "system:deadlines")
    assert bool(drafts) == fires
    assert case.known.owner == ("review" if fires else "stf_ann")
    if fires:
        assert case.entries[-1].body == {"assignee": "stf_ann"}
        assert case.ask(Fire("claim"), "system:deadlines") == ()


@pytest.mark.parametrize(("early", "fires"), [(1, False), (0, True), (-DAY, True)])
def test_a_hold_escalates_at_its_limit(early: int, fires: bool) -> None:
    """At the limit, not a microsecond before, the item goes to the leads, unclaimed and with a new limit."""
    case = Case().submit("hold")
    case.now = case.known.held_until - 5 * MINUTE
    case.must(Claim(), "stf_ann")
    case.now = case.known.held_until - early
    assert bool(case.do(Fire("hold"), "system:deadlines")) == fires
    if fires:
        held = case.known
        assert (held.status, held.queue, held.owner, held.hold_reason) == ("held", "lead", "lead", "overdue")
        assert (held.level, held.held_until) == (1, case.now + 24 * HOUR)
        assert case.ask(Fire("hold"), "system:deadlines") == ()


def test_a_hold_escalates_again_and_again_and_never_refuses() -> None:
    """However often the limit passes, the item stays held; its level stops to grow at MOST_LEVELS."""
    case = Case().submit("hold")
    for turn in range(1, MOST_LEVELS + 4):
        case.now = case.known.held_until
        case.must(Fire("hold"), "system:deadlines")
        assert (case.known.status, case.known.level) == ("held", min(turn, MOST_LEVELS))


@pytest.mark.parametrize("status", [each for each in STATUSES if each != "held"])
@pytest.mark.parametrize("deadline", ["hold", "claim", "nonsense"])
def test_a_deadline_that_no_longer_fits_changes_nothing(status: str, deadline: str) -> None:
    """A deadline that fires late, in another state, leads to nothing."""
    case = in_status(status)
    case.now += 30 * DAY
    assert case.ask(Fire(deadline), "system:deadlines") == ()


def test_the_author_of_an_automatic_refusal_is_heard_by_a_person() -> None:
    """Contesting a refusal by rule alone puts it before the leads, with a limit; grounds stay until decided."""
    case = Case().submit("refuse")
    case.must(Contest("I hold a licence."), AUTHOR)
    held = case.known
    assert (held.status, held.queue, held.hold_reason) == ("held", "lead", "contested")
    assert (held.held_until, held.grounds, held.automatic) == (START + 72 * HOUR, ("sample.form",), False)
    assert case.entries[-1].body["statement"] == "I hold a licence."


@pytest.mark.parametrize("command", [refuse, give_back])
def test_a_persons_decision_is_not_contested_here(command: Give) -> None:
    """What a person has refused or returned cannot be put before a person by the same door; a revision can."""
    case = Case().submit("hold")
    case.must(command(case), "stf_ann")
    answer = case.ask(Contest(), AUTHOR)
    assert isinstance(answer, Refusal)
    assert answer.code == "wrong_state"
    assert not isinstance(case.ask(Revise(screened("hold", "rev-2")), AUTHOR), Refusal)


# --- release -----------------------------------------------------------------------------------------------------


def test_an_approval_covers_one_revision() -> None:
    """An approval by a person is gone when the content changes, however the new verdict comes out."""
    case = Case().submit("hold")
    case.must(approve(case), "stf_ann")
    assert (case.known.approved_revision, case.known.approved_grounds) == ("rev-1", ("sample.form",))
    case.must(Revise(screened("hold", "rev-2")), AUTHOR)
    assert (case.known.approved_revision, case.known.approved_grounds) == ("", ())
    case.must(Revise(screened("approve", "rev-3")), AUTHOR)
    assert (case.known.approved_revision, case.known.approved_grounds) == ("rev-3", ())


def test_a_revision_leaves_what_is_live_until_it_is_released() -> None:
    """Readers keep seeing the released revision while a new one is judged, even when that one is refused."""
    case = released()
    case.must(Revise(screened("refuse", "rev-2")), AUTHOR)
    assert (case.known.status, case.known.live_revision) == ("refused", "rev-1")
    case.must(Revise(screened("approve", "rev-3")), AUTHOR)
    assert case.known.live_revision == "rev-1"
    case.must(Release(), AUTHOR)
    assert case.known.live_revision == "rev-3"


def test_a_failed_check_blocks_the_release_and_is_named() -> None:
    """Every failing check stands in state and record; the same failure again is refused, another is news."""
    case = in_status("blocked")
    assert (case.known.blocked_by, case.known.grounds) == (("right", "account"), ("sample.form",))
    assert [each["check"] for each in case.entries[-1].body["failed"]] == ["right", "account"]
    again = case.ask(Release(FAILED), AUTHOR)
    assert again == Refusal("wrong_state", {"status": "blocked", "blocked_by": ["right", "account"]})
    after(case, Release(FAILED[1:]))
    assert list(case.known.blocked_by) == ["account"]
    case.must(Release(), AUTHOR)
    assert case.known.blocked_by == ()
    assert case.known.live_revision == "rev-1"


def test_a_scheduled_release_happens_once() -> None:
    """The clock's release has its effect in the scheduled state only, and needs nobody's permission."""
    case = in_status("scheduled")
    assert case.ask(Release(), "stf_lea") == Refusal(
        "wrong_state", {"status": "scheduled", "allowed": ["approved", "blocked"]}
    )
    case.now = START + HOUR
    case.must(Release(scheduled=True), "system:deadlines")
    assert (case.known.live_revision, case.known.schedule_at, deadlines(case.known)) == ("rev-1", 0, ())
    assert case.ask(Release(scheduled=True), "system:deadlines") == ()


def test_a_blocked_schedule_does_not_come_back() -> None:
    """A scheduled release that a check stops is blocked for good: a person, not the clock, tries again."""
    case = in_status("scheduled")
    case.must(Release(FAILED, scheduled=True), "system:deadlines")
    assert (case.known.status, case.known.schedule_at, deadlines(case.known)) == ("blocked", 0, ())


@pytest.mark.parametrize("command", [lambda _: Withdraw(), take_down])
def test_what_is_taken_back_is_not_live(command: Give) -> None:
    """After a withdrawal or a take-down nothing is live, approved, scheduled or waiting."""
    case = released()
    case.must(Revise(screened("hold", "rev-2")), "stf_lea" if command is not take_down else AUTHOR)
    case.must(command(case), "stf_max")
    assert (case.known.live_revision, case.known.approved_revision, deadlines(case.known)) == ("", "", ())


def test_a_take_down_names_what_was_live() -> None:
    """While a revision waits, a lead may take down the live one; the record says which it was."""
    case = released()
    case.must(Revise(screened("hold", "rev-2")), AUTHOR)
    case.must(take_down(case), "stf_lea")
    assert (case.entries[-1].body["revision"], case.entries[-1].body["live_revision"]) == ("rev-2", "rev-1")


# --- evolve ------------------------------------------------------------------------------------------------------


def test_an_entry_of_another_procedure_is_an_error() -> None:
    """Folding what does not belong here raises ValueError naming the dossier, instead of guessing."""
    case = Case().submit("hold")
    first = case.entries[0]
    with pytest.raises(ValueError, match=r"pub_1: publication\.claimed before"):
        evolve(None, msgspec.structs.replace(first, kind="publication.claimed"))
    with pytest.raises(ValueError, match=r"pub_1: unknown entry kind account\.closed"):
        evolve(case.state, msgspec.structs.replace(first, kind="account.closed"))


# --- what always holds -------------------------------------------------------------------------------------------

DECIDED: Final = ("approved", "returned", "refused", "escalated", "taken_down")
_actors = st.sampled_from(sorted(each for each in PEOPLE if not each.startswith("system:")))
_judges = st.sampled_from(["stf_ann", "stf_bo", "stf_lea", "stf_max", AUTHOR])
_outcomes = st.sampled_from(["approve", "hold", "hold", "return", "refuse"])
_revisions = st.sampled_from(["rev-1", "rev-2", "rev-3"])
_choices = st.sampled_from(["approve", "approve", "return", "refuse", "escalate", "take_down"])


class PublicationMachine(RuleBasedStateMachine):
    """Anybody commands anything at any time, on a clock that also runs backwards."""

    def __init__(self) -> None:
        super().__init__()
        self.case = Case()
        self.approved = ""
        """The revision that the latest approval covers, by a reading of the record of our own."""

    def give(self, command: Command, actor: str) -> None:
        """Carry out, and hold every new entry against the state before it."""
        before = self.case.state
        answer = self.case.do(command, actor)
        if isinstance(answer, Refusal):
            assert self.case.state is before
            return
        for entry in self.case.entries[len(self.case.entries) - len(answer) :]:
            self.check(before, entry)

    def check(self, before: Publication | None, entry: Entry) -> None:
        """What each entry must respect, read off the record."""
        what = entry.kind.removeprefix("publication.")
        assert entry.kind in KINDS
        if what in ("submitted", "revised"):
            self.approved = entry.body["revision"] if entry.body["outcome"] == "approve" else ""
        elif what == "approved":
            self.approved = entry.body["revision"]
        elif what == "released":
            assert entry.body["revision"] == self.approved == self.case.known.live_revision
        if before is None or entry.actor.startswith("system:"):
            assert what in ("submitted", "claim_expired", "escalated", "released", "blocked")
            return
        if what in DECIDED:
            assert entry.actor != before.submitted_by
            assert entry.actor.startswith("stf_")
        if before.status == "held" and self.case.known.status == "refused":
            assert what == "refused" or entry.body["outcome"] == "refuse"

    @initialize(outcome=_outcomes, scheduled=st.booleans(), actor=st.sampled_from([AUTHOR, "stf_ann"]))
    def submit(self, outcome: str, scheduled: bool, actor: str) -> None:
        """The first entry."""
        schedule_at = self.case.now + HOUR if scheduled else 0
        self.give(Submit("pub_1", "acc_1", screened(outcome), schedule_at), actor)

    @rule(outcome=_outcomes, revision=_revisions, actor=st.sampled_from([AUTHOR, "stf_bo", "stf_lea"]))
    def revise(self, outcome: str, revision: str, actor: str) -> None:
        """New content, or the same."""
        self.give(Revise(screened(outcome, revision)), actor)

    @rule(
        choice=_choices, actor=_judges, off=st.sampled_from([0, 0, 0, -1]), whole=st.sampled_from([True, True, False])
    )
    def decide(self, choice: Any, actor: str, off: int, whole: bool) -> None:
        """A decision, fresh or stale, with reasons or without."""
        words = {**WHY, "changes": "Name the source."} if whole else {}
        self.give(Decide(choice, self.case.known.version + off, **words), actor)

    @rule(command=st.sampled_from([Claim(), Unclaim(), Contest(), Withdraw()]), actor=_actors)
    def plain(self, command: Command, actor: str) -> None:
        """Commands that need nothing else."""
        if isinstance(command, Withdraw) and len(self.case.entries) < 6:
            return  # it ends the story: not too soon
        self.give(command, actor)

    @rule(failed=st.sampled_from([(), (), FAILED, FAILED[1:]]), actor=_actors)
    def release(self, failed: tuple[FailedCheck, ...], actor: str) -> None:
        """A release by hand, with whatever the checks say."""
        self.give(Release(failed), actor)

    @rule(step=st.sampled_from([1, MINUTE, 10 * MINUTE, DAY, 4 * DAY, -HOUR, -3 * DAY]))
    def clock(self, step: int) -> None:
        """The clock jumps."""
        self.case.now += step

    @precondition(lambda self: self.case.state is not None and bool(deadlines(self.case.state)))
    @rule(failed=st.sampled_from([(), FAILED]), data=st.data())
    def fire(self, failed: tuple[FailedCheck, ...], data: st.DataObject) -> None:
        """A deadline fires twice: too early it does nothing, at its time it acts once."""
        name, at = data.draw(st.sampled_from(deadlines(self.case.known)))
        count = len(self.case.entries)
        command = Release(failed, scheduled=True) if name == "release" else Fire(name)
        if name == "release":
            self.case.now = max(self.case.now, at)
        self.give(command, "system:deadlines")
        assert len(self.case.entries) - count == (at <= self.case.now)
        self.give(command, "system:deadlines")
        assert len(self.case.entries) - count == (at <= self.case.now)

    @invariant()
    def is_the_fold_of_its_entries(self) -> None:
        """Versions go up by one, and replaying from nothing gives the same state, also through its stored form."""
        entries, state = self.case.entries, self.case.state
        assert [each.version for each in entries] == list(range(1, len(entries) + 1))
        assert replay(evolve, entries) == state
        if state is not None:
            assert state.version == len(entries)
            assert kinds.decode(kinds.row(kinds.KINDS["publication"], state, self.case.now)) == state

    @invariant()
    def a_hold_is_owned_reasoned_and_limited(self) -> None:
        """Held: queue, owner, reason, limit. Otherwise: none of them."""
        state = self.case.state
        if state is None:
            return
        waiting = (state.queue, state.owner, state.hold_reason, state.held_until)
        if state.status == "held":
            assert state.queue in ("review", "lead")
            assert all(waiting)
        else:
            assert not any((*waiting, state.assignee, state.claim_until, state.level))

    @invariant()
    def deadlines_fit_the_state(self) -> None:
        """What must be looked at again is exactly what the state waits for."""
        if self.case.state is not None:
            assert sorted(deadlines(self.case.state)) == sorted(expected_deadlines(self.case.state))
            waits = self.case.state.status in ("held", "scheduled")
            assert (due_at(self.case.state) > 0) == waits

    @invariant()
    def only_approved_revisions_are_open(self) -> None:
        """What is open to readers, or soon will be, stands on an approval of that revision; what has ended, on none."""
        state = self.case.state
        if state is None:
            return
        if state.status in ("approved", "scheduled", "blocked", "released"):
            assert state.revision == self.approved == state.approved_revision
        if state.status in ("withdrawn", "taken_down"):
            assert not state.live_revision
            assert not state.approved_revision


def expected_deadlines(state: Publication) -> Iterable[tuple[str, int]]:
    """The deadlines of a state, as the module's docstring describes them."""
    if state.status == "held":
        yield "hold", state.held_until
    if state.status == "held" and state.owner.startswith("stf_"):
        yield "claim", state.claim_until
    if state.status == "scheduled":
        yield "release", state.schedule_at


TestPublicationMachine = PublicationMachine.TestCase
TestPublicationMachine.settings = settings(deadline=None, max_examples=120, stateful_step_count=30)

"""near(days) and near_accounts(days): how many near copies there were lately, from the rule to the record and back."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from packs import FILES, RULES, SERVED, only, pack_of, policy_of, rule
from simulator import DAY, PLATFORM, WRITER, Clock, Platform, audit_all, did, platform_on
from stores import Backend

from placet.house import open_house
from placet.model import Finding, Item
from placet.policy import AccountFacts, Policy, load_pack
from placet.policy.cel import CelError
from placet.policy.compiled import compile_condition
from placet.procedure import account as accounts
from placet.service import Submission
from placet.settings import load

pytest_plugins = ("stores",)

AT: Final = 1_704_067_200_000_000
STORY: Final = "We walked up to the old tea garden, and the host poured this spring's harvest for all of us to try."


def reported(name: str, count: int, score: int = 95) -> Finding:
    """A finding of the index of near copies."""
    return Finding("near", name, str(count), "body", 0, 0, "squeezed", score)


# --- a rule ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "rendered"),
    [
        ("near(0) > 2", "1:6: near() looks back 1 to 365 days, found 0\n | near(0) > 2\n |      ^"),
        ("near(-7) > 2", "1:6: near() looks back 1 to 365 days, found -7\n | near(-7) > 2\n |      ^^"),
        (
            "near_accounts(400) > 2",
            (
                "1:15: near_accounts() looks back 1 to 365 days, found 400\n"
                " | near_accounts(400) > 2\n |               ^^^"
            ),
        ),
        (
            "near(size(item.media)) > 2",
            (
                "1:6: the days of near() must be an integer literal, since what is counted is counted beforehand\n"
                " | near(size(item.media)) > 2\n |      ^^^^^^^^^^^^^^^^\n write near(7)"
            ),
        ),
        ("near() > 2", "1:1: 'near' takes 1 argument, found 0\n | near() > 2\n | ^^^^"),
        (
            "item.near(7) > 2",
            "1:6: 'near' is not called like this\n | item.near(7) > 2\n |      ^^^^\n write near(…)",
        ),
        (
            "near_account(7) > 2",
            (
                "1:1: unknown function 'near_account'\n | near_account(7) > 2\n | ^^^^^^^^^^^^\n"
                " did you mean 'near_accounts'?"
            ),
        ),
        (
            "near(7) > '2'",
            (
                "1:1: '>' is not defined for int and string\n | near(7) > '2'\n | ^^^^^^^^^^^^^\n"
                " make the text a number: int(text)"
            ),
        ),
    ],
)
def test_a_window_that_cannot_be_counted_is_refused(source: str, rendered: str) -> None:
    """The days stand in the rule, 1 to 365; the mistake is shown in its place when the pack loads."""
    with pytest.raises(CelError) as caught:
        compile_condition(source)
    assert caught.value.render() == rendered
    assert only({**FILES, "rules.toml": RULES + rule("r", source)}).code == "cel"


@pytest.mark.parametrize("days", ["7u", "7.0", "true", "'7'", "dyn(7)", "3 + 4"])
def test_only_an_integer_literal_is_a_window(days: str) -> None:
    """What is counted is counted before the rule runs, so that nothing else will do."""
    with pytest.raises(CelError, match="must be an integer literal"):
        compile_condition(f"near({days}) > 2")


def test_a_policy_says_which_windows_its_rules_count_in() -> None:
    """Those of every pack, of every rule and scope, also where the list is named outright; each once."""
    one = pack_of(rule("a", "near(7) > 2 || near_accounts(30) > 1") + rule("b", "near(7) == 0"), "one")
    other = pack_of(rule("a", "terms('near/within/365/accounts')"), "other")
    assert Policy([one, other]).windows == {7, 30, 365}
    assert policy_of(RULES).windows == frozenset()
    unknown = only({**FILES, "rules.toml": RULES + rule("r", "terms('near/within/366')")})
    assert (unknown.code, unknown.message) == ("unknown-list", "There is no list 'near/within/366'.")


def test_a_rule_reads_the_number_and_a_trace_shows_it() -> None:
    """The number that was reported, 0 where nothing was; each window and function has its own."""
    when = "near(7) >= 3 && near_accounts(7) == 2 && near(30) == 0"
    policy = policy_of(rule("r", when) + rule("none", "near(7) == 0"))
    facts = policy.facts(Item(), AccountFacts(), AT)
    findings = [reported("near/copies", 9), reported("near/within/7", 3), reported("near/within/7/accounts", 2)]
    verdict = policy.evaluate(facts, findings, "pub_1")
    assert [(hit.rule, hit.why) for hit in verdict.hits] == [("r", tuple(when.split(" && ")))]
    assert [hit.rule for hit in policy.evaluate(facts, [], "pub_1").hits] == ["none"]
    step = policy.why("sample", "r", facts, findings)
    assert step is not None
    assert [(part.text, part.parts[0].text, part.parts[0].value) for part in step.parts] == [
        ("near(7) >= 3", "near(7)", 3),
        ("near_accounts(7) == 2", "near_accounts(7)", 2),
        ("near(30) == 0", "near(30)", 0),
    ]


@pytest.mark.parametrize(("score", "outcome"), [(90, "refuse"), (89, "hold")])
def test_texts_that_are_only_somewhat_alike_refuse_nothing(score: int, outcome: str) -> None:
    """As with the other lists of near copies, a likeness below 90 in a hundred is a guess."""
    policy = policy_of(rule("r", "near(7) >= 3", "refuse", "sample.form"))
    facts = policy.facts(Item(), AccountFacts(), AT)
    assert policy.evaluate(facts, [reported("near/within/7", 3, score)], "pub_1").outcome == outcome


CASE: Final = """
[[case]]
name = "Copies of this week"
at = 2024-01-01T00:00:00Z
item = { title = "Tea" }
external = [{ list = "near/within/7", label = "3" }, { list = "near/within/7/accounts", label = "LABEL" }]
expect = "hold"
grounds = ["sample.words"]
"""


def test_a_golden_case_says_how_many_there_were() -> None:
    """A pack's rules about near copies are tried when it loads; a label that is no number is refused in its place."""
    files = {**FILES, "rules.toml": RULES + rule("r", "near(7) >= 3 && near_accounts(7) == 2")}
    assert load_pack({**files, "cases/near.toml": CASE.replace("LABEL", "2")}).problems == ()
    assert only({**files, "cases/near.toml": CASE.replace("LABEL", "1")}).code == "case-fails"
    for wrong in ("two", "0", ""):
        problem = only({**files, "cases/near.toml": CASE.replace("LABEL", wrong)})
        assert (problem.code, problem.line) == ("bad-value", 6)
        assert f"The label of 'near/within/7/accounts' says how many, 1 or more, not '{wrong}'" in problem.message
    unknown = CASE.replace("within/7/", "within/400/").replace("LABEL", "2")
    assert only({**files, "cases/near.toml": unknown}).code == "bad-value"


# --- a platform --------------------------------------------------------------------------------------------------

WHEN: Final = ("near(2) == 1", "near(9) == 2 && near_accounts(9) == 2", "near(21) == 3", "near(365) > 3")


@pytest.fixture
def clock() -> Clock:
    """The hand-driven clock."""
    return Clock()


def counting(*conditions: str) -> Policy:
    """A policy that holds what satisfies a condition."""
    rules = [rule(f"r{number}", when) for number, when in enumerate(conditions)]
    return Policy([load_pack({**SERVED, "rules.toml": RULES + "".join(rules)}).require()])


@pytest.fixture
async def here(backend: Backend, tmp_path: Path, clock: Clock) -> AsyncIterator[Platform]:
    """A platform that looks back thirty days."""
    async with platform_on(backend, tmp_path, clock, counting(*WHEN), near_days=30) as platform:
        yield platform


async def judged(platform: Platform, account: str, body: str) -> tuple[list[str], dict[str, str]]:
    """The rules that fire on a submission, and what was reported within windows."""
    record = await platform.service.screening_record(await platform.submit(account, Item("Tea", body)))
    found = {each.list: each.label for each in record.findings if each.list.startswith("near/within/")}
    return [hit.rule for hit in record.verdict.hits], found


async def test_copies_are_counted_by_their_age(here: Platform, clock: Clock) -> None:
    """Copies 20, 8 and 1 days old, in each window that a rule names; what is on record gives the same verdicts."""
    accounts = [await here.open_account() for _ in range(3)]
    start = clock.at
    for age, account in ((40, accounts[0]), (20, accounts[0]), (8, accounts[1]), (1, accounts[2])):
        clock.at = start + (60 - age) * DAY
        await judged(here, account, STORY)
    clock.at = start + 60 * DAY
    fired, found = await judged(here, accounts[0], f"{STORY}!")
    assert fired == ["r0", "r1", "r2"]
    assert found == {
        "near/within/2": "1",
        "near/within/2/accounts": "1",
        "near/within/9": "2",
        "near/within/9/accounts": "2",
        "near/within/21": "3",
        "near/within/21/accounts": "3",
        "near/within/365": "3",
        "near/within/365/accounts": "3",
    }
    await audit_all(here)


async def test_copies_of_one_batch_count_as_now(here: Platform) -> None:
    """Each line but the first sees those before it, in the shortest window too."""
    account = await here.open_account()
    asks = [Submission(account, Item("Tea", STORY)) for _ in range(5)]
    done = [did(each) for each in await here.service.submit_many(PLATFORM, asks, [None] * 5, lambda _: b"")]
    fired = [[hit.rule for hit in (await here.service.screening_record(each.state)).verdict.hits] for each in done]
    assert fired == [[], ["r0"], [], ["r2"], ["r3"]]
    await audit_all(here)


async def test_a_whole_platform_counts_what_its_packs_ask_for(tmp_path: Path, clock: Clock) -> None:
    """Put together from its settings, the index knows which windows the rules in force name."""
    for name, text in {**SERVED, "rules.toml": RULES + rule("r", "near(3) == 1")}.items():
        file = tmp_path / "sample" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    settings = load({"data": str(tmp_path / "data"), "packs": [str(tmp_path / "sample")], "log_level": "error"}, {})
    settings.folder.mkdir()
    async with open_house(settings, serving=False, create_key=True, clock=clock) as house:
        opened = await house.service.open_account(
            WRITER, lambda identity: accounts.Open(identity, "individual", "Harbour"), None, None
        )
        ask = Submission(did(opened).state.id, Item("Tea", STORY, category="general"))
        done = [did(await house.service.submit(PLATFORM, ask)) for _ in range(2)]
        fired = [[hit.rule for hit in (await house.service.screening_record(each.state)).verdict.hits] for each in done]
        assert fired == [[], ["r"]]


async def test_nothing_is_counted_where_no_rule_asks_or_near_copies_are_off(
    backend: Backend, tmp_path: Path, clock: Clock
) -> None:
    """Without a rule there is no finding beyond the usual ones; without the index every number is 0."""
    for policy, days in ((counting("terms('near/copies')"), 30), (counting("near(2) == 0 && !item.blank"), 0)):
        async with platform_on(backend, tmp_path, clock, policy, near_days=days) as platform:
            account = await platform.open_account()
            await judged(platform, account, STORY)
            assert await judged(platform, account, STORY) == (["r0"], {})
            await audit_all(platform)
        await backend.clear()

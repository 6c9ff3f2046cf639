"""An account's past as a fact of rules: counted when it is read, recorded with the verdict, and replayed from there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from packs import FILES, RULES, SERVED, rule
from simulator import ANN, PLATFORM, Clock, Platform, audit_all, did, platform_on
from stores import SqliteBackend

from placet.model import Item
from placet.policy import Policy, load_pack
from placet.procedure.publication import Decide
from placet.store.contract import Query

pytest_plugins = ("stores",)

DAY: Final = 86_400_000_000


def policy_with(*conditions: str) -> Policy:
    """A policy that holds rude words and what satisfies a condition."""
    rules = [rule(f"r{n}", when) for n, when in enumerate(("terms('rude')", *conditions))]
    return Policy([load_pack({**SERVED, "rules.toml": RULES + "".join(rules)}).require()])


async def fired(platform: Platform, account: str, body: str = "A walk") -> list[str]:
    """The rules that fire on a submission of the account."""
    state = await platform.submit(account, Item("Tea", body))
    return [hit.rule for hit in (await platform.service.screening_record(state)).verdict.hits]


async def test_publications_are_counted_by_how_they_stand(sqlite: SqliteBackend, tmp_path: Path) -> None:
    """Rules see how many others of the account are held or refused now; a decision moves one from here to there."""
    policy = policy_with("account.past.held >= 2", "account.past.refused == 1", "account.past.published > 0")
    async with platform_on(sqlite, tmp_path, Clock(), policy) as platform:
        account, other = await platform.open_account(), await platform.open_account()
        assert await fired(platform, account, "humbug") == ["r0"]
        state = await platform.submit(account, Item("Tea", "humbug again"))
        assert state.status == "held"
        assert await fired(platform, account) == ["r1"]
        assert await fired(platform, other) == []
        decision = Decide("refuse", state.version, "sample.words", facts="The second word.", reason="It is rude.")
        await platform.act(state.id, decision, ANN)
        assert await fired(platform, account) == ["r1", "r2"]
        await audit_all(platform)


async def test_submissions_of_a_time_are_counted(sqlite: SqliteBackend, tmp_path: Path) -> None:
    """Rules see how many others were submitted within a day and within thirty, whatever has become of them."""
    policy = policy_with("account.past.last_day == 2", "account.past.last_month == 3")
    clock = Clock()
    async with platform_on(sqlite, tmp_path, clock, policy) as platform:
        account = await platform.open_account()
        assert [await fired(platform, account) for _ in range(3)] == [[], [], ["r1"]]
        clock.at += 2 * DAY
        assert await fired(platform, account) == ["r2"]
        clock.at += 40 * DAY
        assert await fired(platform, account) == []
        await audit_all(platform)


async def test_what_is_judged_is_no_past_of_itself(sqlite: SqliteBackend, tmp_path: Path) -> None:
    """When a publication is revised, it is not among the account's other publications."""
    policy = policy_with("account.past.held > 0", "account.past.last_day > 0")
    async with platform_on(sqlite, tmp_path, Clock(), policy) as platform:
        account = await platform.open_account()
        state = await platform.submit(account, Item("Tea", "humbug"))
        assert state.status == "held"
        done = did(await platform.service.revise(PLATFORM, state.id, Item("Tea", "kind"), state.version))
        assert done.state.status == "approved"
        assert await fired(platform, account) == ["r2"]


@pytest.mark.parametrize(("conditions", "counted"), [((), 0), (("account.past.refused > 3",), 1)])
async def test_only_what_is_read_is_counted(
    sqlite: SqliteBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, conditions: Sequence[str], counted: int
) -> None:
    """Where no rule reads the past, nothing is asked of the store and nothing recorded; else only what is read."""
    policy = policy_with(*conditions)
    async with platform_on(sqlite, tmp_path, Clock(), policy) as platform:
        account = await platform.open_account()
        asked: list[Query] = []
        real = platform.store.count

        async def count(query: Query, most: int) -> int:
            asked.append(query)
            return await real(query, most)

        monkeypatch.setattr(platform.store, "count", count)
        state = await platform.submit(account, Item("Tea", "A walk"))
        assert len(asked) == counted
        facts = (await platform.service.screening_record(state)).facts
        assert facts.get("account", {}) == ({"past": {"refused": 0}} if counted else {})


def test_a_golden_case_says_how_the_past_was() -> None:
    """A pack's rules about the past are tried when it loads."""
    cases = """
[[case]]
name = "refused often"
at = 2024-01-01T00:00:00Z
item = { title = "Tea" }
account = { past = { refused = 4 } }
expect = "hold"
grounds = ["sample.words"]
"""
    files = {**FILES, "rules.toml": RULES + rule("r", "account.past.refused > 3"), "cases/past.toml": cases}
    assert load_pack(files).problems == ()
    files["cases/past.toml"] = cases.replace("refused = 4", "refused = 3")
    assert [problem.code for problem in load_pack(files).problems] == ["case-fails"]

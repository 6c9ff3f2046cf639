"""Backtests of real records: what other packs would have said, on both databases, from files, in pools, taken up again.

Each record is made by a platform (simulator.py) with accounts whose rights change, revisions, changed word lists and
people who decide. The yardstick is the record itself: the packs that were in force must come to every recorded verdict.
"""

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from math import sqrt
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packs import steady
from platforms import NewPlatform, environment, placet, until
from simulator import (
    ANN,
    FAILING,
    FRAUD,
    GAMBLING,
    HOUR,
    LEA,
    PLATFORM,
    START,
    Clock,
    Platform,
    alter,
    bent,
    did,
    item,
    platform_on,
    shipped,
    varied,
    with_rule,
)
from stores import Backend, PostgresBackend, SqliteBackend

from placet.errors import PlacetError, SettingsError, StoreUnavailable
from placet.lists import Lists
from placet.model import Item
from placet.policy import Policy
from placet.procedure.publication import Decide, Publication
from placet.procedure.word_list import Addition
from placet.service import Principal

pa = pytest.importorskip("pyarrow", reason="pyarrow, for placet backtest, is not installed")

from placet.backtest import items as backtest_items  # noqa: E402 - after pyarrow is known to be there
from placet.backtest import run as backtest_run  # noqa: E402 - the same
from placet.backtest.command import instant  # noqa: E402 - the same
from placet.backtest.costs import Costs  # noqa: E402 - the same
from placet.backtest.items import Bounds, Items, ParquetItems, RecordItems, export  # noqa: E402 - the same
from placet.backtest.judge import RESULTS, Judge, judge  # noqa: E402 - the same
from placet.backtest.languages import GUESSES, LOOKED_AT, guess, guesses  # noqa: E402 - the same
from placet.backtest.record import PostgresRecord, Record, SqliteRecord  # noqa: E402 - the same
from placet.backtest.report import OUTCOMES  # noqa: E402 - the same
from placet.backtest.run import Asked, Folder, backtest  # noqa: E402 - the same
from placet.backtest.shown import shown  # noqa: E402 - the same
from placet.backtest.work import Crew  # noqa: E402 - the same
from placet.backtest_report import Report, Share, Time, Z  # noqa: E402 - the same

pytest_plugins = ("platforms", "stores")

LIST: Final = "community/gambling"
HARBOUR: Final = "item.title.contains('Harbour')"
PUBLICATIONS: Final = 36


# --- a record ----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks even of a small record."""
    monkeypatch.setattr(backtest_items, "ENTRIES", 16)


@pytest.fixture
async def here(backend: Backend, tmp_path: Path) -> AsyncIterator[Platform]:
    """A platform on which much has happened, an hour apart each."""
    async with platform_on(backend, tmp_path, Clock(START)) as platform:
        await much_happens(platform)
        yield platform


async def much_happens(here: Platform) -> None:
    """Many kinds of content, rights that come and go, a changed word list, revisions, decisions."""
    plain, licensed = await here.open_account(), await here.open_account("news.repost")
    held: list[Publication] = []
    for number in range(PUBLICATIONS):
        here.clock.at += HOUR
        if number == PUBLICATIONS // 3:
            editor = Principal("stf_ed", frozenset({"list.edit"}))
            did(await Lists(here.service).change(editor, LIST, "A wave.", add=(Addition("harbour lottery"),)))
            await here.submit(plain, Item("Pier", "Come to the harbour lottery."))
        if number == PUBLICATIONS // 2:
            await here.set_rights(licensed)
        state = await here.submit(plain if number % 2 else licensed, varied(number))
        if state.status == "held":
            held.append(state)
    for number, state in enumerate(held):
        if number % 3 == 0:
            await here.approve(state)
        elif number % 3 == 1:
            refusal = Decide("refuse", state.version, GAMBLING, "Seen in the text.", "It solicits.")
            await here.act(state.id, refusal, ANN)
    revised = held[0]
    did(await here.service.revise(PLATFORM, revised.id, item("approve", 999)))


def record_of(backend: Backend) -> Record:
    """A reader of the database."""
    if isinstance(backend, SqliteBackend):
        return SqliteRecord(backend.path)
    assert isinstance(backend, PostgresBackend)
    return PostgresRecord(backend.dsn)


def opener(backend: Backend) -> Callable[[Bounds, int | None], Items]:
    """What opens the items of a database."""
    return lambda bounds, size: RecordItems(record_of(backend), bounds, size)


async def report_of(
    policy: Policy, open_items: Callable[[Bounds, int | None], Items], out: Path | None = None, **asked: Any
) -> Report:
    """A backtest, beside the event loop that the platform runs on."""
    return await asyncio.to_thread(backtest, policy, open_items, Asked(**asked), out)


def steadied(report: Report) -> Report:
    """A report without what the clock says."""
    rules = tuple(type(each)(**{**fields(each), "micros": None, "share": None}) for each in report.rules)
    return Report(**{**fields(report), "rules": rules, "time": Time(None, None, 0)})


def fields(value: Any) -> dict[str, Any]:
    """The fields of a value."""
    return {name: getattr(value, name) for name in value.__struct_fields__}


def all_results(folder: Path) -> list[dict[str, Any]]:
    """Every row of results in a folder."""
    numbers = range(len(list(folder.glob("chunk-*.arrow"))))
    return [row for number in numbers for row in Folder(folder).results(number)[0].to_pylist()]


# --- what is judged ----------------------------------------------------------------------------------------------


async def test_the_packs_in_force_say_what_is_recorded(here: Platform, backend: Backend, tmp_path: Path) -> None:
    """By the packs that were in force, every verdict is the recorded one: nothing is newly anything."""
    report = await report_of(shipped(), opener(backend), tmp_path / "out")
    rows = all_results(tmp_path / "out")
    assert [row for row in rows if (row["then"], row["rules_then"]) != (row["now"], row["rules"])] == []
    assert report.items == len(rows) == report.unchanged == PUBLICATIONS + 2
    assert (report.erased, report.unreadable, report.troubles) == (0, 0, ())
    assert {(each.then, each.now) for each in report.transitions} == {(name, name) for name in OUTCOMES}
    assert report.agreement_then == report.agreement_now
    assert "harbour lottery" in await _texts_held(here, rows)


async def _texts_held(here: Platform, rows: list[dict[str, Any]]) -> str:
    held = [row["revision"] for row in rows if row["now"] == "hold"]
    return " ".join([(await here.service.content(revision)).body for revision in held])


async def test_one_more_rule_holds_exactly_what_it_describes(here: Platform, backend: Backend) -> None:
    """With one rule more, exactly the approved items that it describes are newly held, and the report names them."""
    report = await report_of(with_rule("harbour", HARBOUR), opener(backend))
    expected = [f"Harbour market, {n}" for n in range(0, PUBLICATIONS, 12)]
    (change,) = [each for each in report.transitions if each.then != each.now]
    assert (change.then, change.now, change.items) == ("approve", "hold", len(expected) + 1)  # and the revised one
    assert report.newly.held == change.items
    assert report.unchanged == report.items - change.items
    (rule,) = [each for each in report.rules if each.rule == "community/harbour"]
    assert (rule.fired, rule.fired_then, rule.new, rule.alone) == (change.items, 0, change.items, change.items)
    assert rule.newly.held == change.items
    assert {each.publication for each in rule.samples} == {each.publication for each in change.samples}
    for sample in change.samples:
        assert sample.rules == ("community/harbour",)
        assert "Harbour" in (await here.service.content(sample.revision)).title
    assert "community/harbour" in shown(report)


async def test_one_rule_less_approves_what_it_alone_held(here: Platform, backend: Backend) -> None:
    """Without the community pack, only what another pack restricts stays restricted."""
    news = Policy([pack for pack in shipped().packs if pack.id != "community"])
    report = await report_of(news, opener(backend))
    assert report.newly.approved > 0
    assert {each.now for each in report.transitions if each.then != each.now} == {"approve"}
    assert not any(each.rule.startswith("community/") for each in report.rules)


async def test_people_are_compared_with(here: Platform, backend: Backend) -> None:
    """Precision and recall count the decisions that people made on the very revision."""
    report = await report_of(shipped(), opener(backend))
    now = report.agreement_now
    decided = [row.kind for row in await here.store.entries_from(0, 10_000) if row.kind in backtest_items.DECISIONS]
    refused = decided.count("publication.refused")
    assert now.decided == len(decided) > refused > 0
    assert (now.both, now.rules_only, now.people_only) == (refused, len(decided) - refused, 0)
    assert now.precision == Share.make(refused, len(decided))
    assert now.recall == Share.make(refused, refused)
    nothing = await report_of(with_rule("never", "false"), opener(backend))
    assert nothing.agreement_now == now


async def test_a_take_down_counts_as_a_decision(backend: Backend, tmp_path: Path) -> None:
    """What was approved by rule, released and then taken down is what the rules have missed."""
    async with platform_on(backend, tmp_path, Clock(START)) as here:
        account = await here.open_account()
        state = await here.release((await here.submit(account)).id)
        await here.act(state.id, Decide("take_down", state.version, FRAUD, "Told by many.", "It misleads."), LEA)
        report = await report_of(with_rule("harbour", HARBOUR), opener(backend))
    assert (report.agreement_then.people_only, report.agreement_now.both) == (1, 1)
    assert (report.agreement_then.recall.share, report.agreement_now.recall.share) == (0.0, 1.0)


async def test_a_failing_rule_is_told(here: Platform, backend: Backend) -> None:
    """A rule that fails holds, is named with some of its items, and makes the result troubled."""
    report = await report_of(with_rule("broken", FAILING), opener(backend))
    (trouble,) = report.troubles
    (rule,) = [each for each in report.rules if each.rule == "community/broken"]
    assert report.troubled
    assert trouble.error.startswith("community/broken: ")
    assert rule.errors == trouble.items > report.newly.held > 0
    assert "FAILED" in shown(report)


async def test_each_act_has_its_own_instant_or_all_have_one(here: Platform, backend: Backend) -> None:
    """A rule that begins later judges nothing of the past, unless everything is judged as of a later instant."""
    later = bent({}, added=_rule("later", HARBOUR, since="2027-01-01"))
    assert (await report_of(later, opener(backend))).newly.held == 0
    report = await report_of(later, opener(backend), at=instant("2027-01-02"))
    assert report.newly.held > 0
    assert report.judged_at == "2027-01-02T00:00:00.000Z"


def _rule(name: str, when: str, since: str = "2020-01-01", mode: str = "live") -> str:
    return (
        f"\n[[rule]]\nid = \"{name}\"\non = [\"publication\"]\nwhen = '''{when}'''\nthen = \"hold\"\n"
        f'ground = "{FRAUD}"\nfrom = {since}\nmode = "{mode}"\n'
    )


async def test_a_shadow_rule_changes_nothing(here: Platform, backend: Backend) -> None:
    """A rule in shadow is counted apart."""
    report = await report_of(bent(added=_rule("quiet", HARBOUR, mode="shadow")), opener(backend))
    (rule,) = [each for each in report.rules if each.rule == "community/quiet"]
    assert (rule.fired, rule.shadow, report.unchanged) == (0, PUBLICATIONS // 12 + 1, report.items)


async def test_erased_and_broken_items_are_counted(here: Platform, backend: Backend) -> None:
    """An erased body is left out and counted; a content that is not what its hash says is trouble."""
    rows = [row for row in await here.store.entries_from(0, 10_000) if row.kind == "publication.submitted"]
    await alter(backend, "UPDATE entry SET body = NULL, salt = NULL WHERE seq = ?", rows[3].seq)
    whole = await report_of(shipped(), opener(backend))
    assert (whole.items, whole.erased, whole.unreadable, whole.troubled) == (PUBLICATIONS + 1, 1, 0, False)
    state = await here.state(rows[5].dossier)
    await alter(backend, "UPDATE blob SET content = ? WHERE digest = ?", b"{}", bytes.fromhex(state.revision))
    broken = await report_of(shipped(), opener(backend))
    assert (broken.items, broken.erased, broken.unreadable, broken.troubled) == (PUBLICATIONS, 1, 1, True)


# --- which items -------------------------------------------------------------------------------------------------


async def test_time_and_sample_bound_the_items(here: Platform, backend: Backend, tmp_path: Path) -> None:
    """`since` is within, `until` without; a sample of N has N, always the same; a smaller is part of a larger."""
    noon = START + 20 * HOUR
    bounded = await report_of(shipped(), opener(backend), bounds=Bounds(noon, noon + 5 * HOUR))
    assert bounded.items == 5
    assert (bounded.since, bounded.until) != ("", "")
    samples: list[set[tuple[str, int]]] = []
    for most in (4, 9, 9, 1_000):
        out = tmp_path / f"out{len(samples)}"
        report = await report_of(shipped(), opener(backend), out, most=most)
        samples.append({(row["publication"], row["version"]) for row in all_results(out)})
        assert report.items == min(most, PUBLICATIONS + 2) == len(samples[-1])
    assert samples[1] == samples[2]
    assert all(smaller <= larger for smaller, larger in pairwise(samples))


async def test_what_is_written_meanwhile_is_not_seen(
    here: Platform, backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Submissions and decisions made during a run change nothing of it; the desk is not kept waiting."""
    before = steadied(await report_of(shipped(), opener(backend)))
    loop, written = asyncio.get_running_loop(), []
    real = RecordItems.chunk

    async def write() -> None:
        account = await here.open_account()
        state = await here.submit(account, "hold")
        await here.approve(state)
        written.append(state.id)

    def chunk(self: RecordItems, number: int) -> Any:
        asyncio.run_coroutine_threadsafe(write(), loop).result(30)
        return real(self, number)

    monkeypatch.setattr(RecordItems, "chunk", chunk)
    during = await report_of(shipped(), opener(backend), tmp_path / "out")
    assert len(written) > 2
    assert steadied(during) == before


# --- where it is done --------------------------------------------------------------------------------------------


async def test_a_pool_says_the_same(here: Platform, backend: Backend, tmp_path: Path) -> None:
    """Two spawned processes give the very results that this process gives."""
    policy = with_rule("harbour", HARBOUR)
    one = await report_of(policy, opener(backend), tmp_path / "one", workers=1)
    two = await report_of(policy, opener(backend), tmp_path / "two", workers=2)
    assert steadied(one) == steadied(two)
    assert all_results(tmp_path / "one") == all_results(tmp_path / "two")


async def test_a_cluster_says_the_same(here: Platform, backend: Backend, tmp_path: Path) -> None:
    """A Dask worker, reached by the scheduler's address, gives the very results that this process gives."""
    distributed = pytest.importorskip("distributed", reason="distributed, for --cluster, is not installed")
    policy = with_rule("harbour", HARBOUR)
    one = await report_of(policy, opener(backend), tmp_path / "one")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, local_directory=str(tmp_path)
    ) as cluster:
        address = cluster.scheduler_address
        other = await report_of(policy, opener(backend), tmp_path / "other", cluster=address)
    assert steadied(one) == steadied(other)
    assert all_results(tmp_path / "one") == all_results(tmp_path / "other")


async def test_a_file_says_the_same(here: Platform, backend: Backend, tmp_path: Path) -> None:
    """An exported file, for its owner alone, is judged as the database is; bounds and samples hold in both."""
    policy, file = with_rule("harbour", HARBOUR), tmp_path / "items.parquet"

    def exported() -> int:
        items = opener(backend)(Bounds(), None)
        try:
            return export(items, Bounds(), file, lambda _, __: None)
        finally:
            items.close()

    assert await asyncio.to_thread(exported) == PUBLICATIONS + 2
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    asks: tuple[dict[str, Any], ...] = ({}, {"most": 7}, {"bounds": Bounds(START + 9 * HOUR, START + 20 * HOUR)})
    for number, asked in enumerate(asks):
        names = [tmp_path / f"{kind}{number}" for kind in ("database", "file")]
        reports = [
            await report_of(policy, opener(backend), names[0], **asked),
            await report_of(policy, lambda bounds, _: ParquetItems(file, bounds), names[1], **asked),
        ]
        same = [{**fields(steadied(each)), "items_of": "", "size": 0} for each in reports]
        assert same[0] == same[1]
        assert all_results(names[0]) == all_results(names[1])


async def test_a_batch_is_judged_the_same_in_parts(here: Platform, backend: Backend) -> None:
    """Judging is pure: twice, or row by row, gives the same rows, in the columns that are promised."""

    def batch() -> Any:
        items = opener(backend)(Bounds(), None)
        try:
            return items.chunk(1).batch
        finally:
            items.close()

    whole, by = await asyncio.to_thread(batch), Judge(shipped().packs)
    results = judge(whole, by)
    assert results.schema == RESULTS
    assert results.equals(judge(whole, by))
    rows = [judge(whole.slice(place, 1), Judge(shipped().packs)).to_pylist()[0] for place in range(whole.num_rows)]
    assert results.to_pylist() == rows != []


# --- taken up again ----------------------------------------------------------------------------------------------


async def test_a_run_goes_on_where_it_ended(
    here: Platform, backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a sudden end only the rest is done, on the same snapshot, and the result is that of a whole run."""
    policy, real, asked = with_rule("harbour", HARBOUR), RecordItems.chunk, list[int]()
    whole = await report_of(policy, opener(backend), tmp_path / "whole")

    def chunk(self: RecordItems, number: int) -> Any:
        asked.append(number)
        if len(asked) == 3:
            raise StoreUnavailable("The power is gone.")
        return real(self, number)

    monkeypatch.setattr(RecordItems, "chunk", chunk)
    with pytest.raises(StoreUnavailable):
        await report_of(policy, opener(backend), tmp_path / "cut")
    (tmp_path / "cut" / "chunk-00000002.arrow.unfinished").write_bytes(b"half")
    await here.submit(await here.open_account(), "hold")
    report = await report_of(policy, opener(backend), tmp_path / "cut")
    assert asked[:3] == [0, 1, 2]
    assert asked[3:] == list(range(2, len(list((tmp_path / "whole").glob("chunk-*.arrow")))))
    assert steadied(report) == steadied(whole)
    assert all_results(tmp_path / "cut") == all_results(tmp_path / "whole")
    del asked[:]
    again = await report_of(policy, opener(backend), tmp_path / "cut")
    assert (again, asked) == (report, [])


async def test_other_inputs_need_another_folder(here: Platform, backend: Backend, tmp_path: Path) -> None:
    """Under other packs, bounds or an instant, a folder is not gone on with; the message says what differs."""
    out = tmp_path / "out"
    await report_of(shipped(), opener(backend), out)
    for policy, asked, named in (
        (with_rule("harbour", HARBOUR), {}, "packs, policy"),
        (shipped(), {"at": START}, "at"),
        (shipped(), {"most": 3}, "most"),
        (shipped(), {"bounds": Bounds(START)}, "bounds"),
    ):
        with pytest.raises(SettingsError, match=f"{named} differ.*--out"):
            await report_of(policy, opener(backend), out, **asked)
    assert (await report_of(shipped(), opener(backend), out)).items == PUBLICATIONS + 2


def nothing(_: Bounds, __: int | None) -> Items:
    """Items that nobody should ask for."""
    raise AssertionError("items were opened before the folder was looked at")


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    """A folder with other things in it, a file, and a place that is not there are refused before anything is read."""
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one.txt").write_text("dear")
    for out, said in (("letters", "something else"), ("letters/one.txt", "is a file"), ("no/where", "no folder")):
        with pytest.raises(SettingsError, match=said):
            backtest(shipped(), nothing, Asked(), tmp_path / out)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["letters", "one.txt"]


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    """While a run holds a folder, another is told to wait."""
    with Folder(tmp_path).held(), pytest.raises(SettingsError, match="Another backtest"), Folder(tmp_path).held():
        pass
    with Folder(tmp_path).held():
        pass


async def test_a_lost_process_is_told(here: Platform, backend: Backend, tmp_path: Path) -> None:
    """A pool whose process dies ends the run with a sentence that says how to go on."""

    def lose() -> None:
        items = opener(backend)(Bounds(), None)
        try:
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                backtest_run._carry_out(
                    Folder(tmp_path), items, Crew(pool, lambda _: (os._exit, 3), 2), lambda *_: None
                )
        finally:
            items.close()

    with pytest.raises(PlacetError, match="the same command goes on"):
        await asyncio.to_thread(lose)


ORPHANS: Final = """
import multiprocessing, os, sys, time
from placet.backtest.work import Brief, workers
if __name__ == "__main__":
    with workers(Brief(b"", ""), 2) as crew:
        busy = [crew.executor.submit(time.sleep, 60) for _ in range(2)]
        while len(multiprocessing.active_children()) < 2:
            time.sleep(0.01)
        print(*(each.pid for each in multiprocessing.active_children()), flush=True)
        busy[0].result()
"""


def test_no_process_outlives_the_command(tmp_path: Path) -> None:
    """The pool's processes end when the command is killed, whatever they are doing."""
    script = tmp_path / "orphans.py"
    script.write_text(ORPHANS, "utf-8")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        pids = [int(pid) for pid in running.stdout.readline().split()]
        running.kill()
    assert len(pids) == 2
    until(lambda: not any(_runs(pid) for pid in pids), "the processes are gone")


def _runs(pid: int) -> bool:
    """Whether there is such a process that has not ended: one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# --- the pieces --------------------------------------------------------------------------------------------------


@steady
@given(st.integers(1, 200).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_an_interval_holds_the_share(pair: tuple[int, int]) -> None:
    """It contains the share, and at its ends the share is just as far away as 95 % allows: the score test's limit."""
    count, of = pair
    made = Share.make(count, of)
    assert made.share is not None
    assert made.low is not None
    assert made.high is not None
    assert 0 <= made.low <= made.share <= made.high <= 1
    for end in ([made.low] if count else []) + ([made.high] if count < of else []):
        assert abs(count / of - end) == pytest.approx(Z * sqrt(end * (1 - end) / of), abs=1e-3)


def test_intervals_are_those_of_the_tables() -> None:
    """Known values: 8 of 10, none of 10, 50 of 100; and no share of nothing."""
    assert Share.make(8, 10) == Share(8, 10, 0.8, 0.4902, 0.9433)
    assert Share.make(0, 10) == Share(0, 10, 0.0, 0.0, 0.2775)
    assert Share.make(50, 100) == Share(50, 100, 0.5, 0.4038, 0.5962)
    assert Share.make(0, 0) == Share(0, 0, None, None, None)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Opening hours", "en"),
        ("這裡的茶葉剛到貨", "zh-Hant"),
        ("这里的茶叶刚到货", "zh-Hans"),
        ("山水人家", "zh"),
        ("Tea 茶葉 from the harbour", "zh-Hant"),
        ("お茶が届きました", "other"),
        ("Öffnungszeiten", "other"),
        ("12:30 — 14:00", "other"),
        ("", "other"),
    ],
)
def test_a_guess_at_the_language(text: str, language: str) -> None:
    """Characters alone decide; what they do not tell is not told."""
    assert guess(text) == language


@given(st.lists(st.text(st.sampled_from("茶葉叶東东方人語语aÖお。 "), max_size=2 * LOOKED_AT), max_size=8))
def test_guesses_together_are_those_apart(texts: list[str]) -> None:
    """A guess has nothing of the texts beside it, nor of what comes after its first characters."""
    apart = [guess(text[:LOOKED_AT]) for text in texts]
    assert guesses(texts) == apart
    assert set(apart) <= set(GUESSES)


@given(st.text(st.sampled_from("茶葉叶東东方語语aÖ。 "), max_size=LOOKED_AT))
def test_a_guess_counts_each_character_once(text: str) -> None:
    """Repeating a character tells nothing more."""
    assert guess(text) == guess("".join(dict.fromkeys(text)))


def test_costs_add_up() -> None:
    """Costs of two chunks are those of both, rule by rule."""
    both = Costs(1, 10, 20, 1, {"a": 5}).plus(Costs(2, 30, 40, 1, {"a": 1, "b": 2}))
    assert both == Costs(3, 40, 60, 2, {"a": 6, "b": 2})


@pytest.mark.parametrize(
    ("text", "micros"), [("1970-01-02", 86_400_000_000), ("1970-01-01T01:00:00+00:59", 60_000_000)]
)
def test_instants_are_read(text: str, micros: int) -> None:
    """A date is its beginning in UTC; a time has a zone."""
    assert instant(text) == micros


# --- the command -------------------------------------------------------------------------------------------------


def lines(done: subprocess.CompletedProcess[str]) -> str:
    """What a command that ended with 2 says: one line, no traceback."""
    assert done.returncode == 2, (done.stdout, done.stderr)
    (line,) = done.stderr.splitlines()
    return line


def test_the_command_beside_a_server(new_platform: NewPlatform, tmp_path: Path) -> None:
    """On a platform that is being served: JSON for scripts, a folder that is taken up, an export, a draft pack."""
    platform = new_platform()
    for status in ("approved", "held", "refused", "approved"):
        platform.submit_as(status)
    out, file = str(tmp_path / "out"), str(tmp_path / "items.parquet")
    packs = ("--pack", "community", "--pack", "cn-public-accounts")
    report = json.loads(platform.cli("backtest", *packs, "--out", out, "--workers", "1", "--json").stdout)
    assert (report["items"], report["unchanged"], report["format"]) == (4, 4, "placet-backtest-report/1")
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == report
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in (tmp_path / "out").iterdir())
    text = platform.cli("backtest", *packs, "--out", out, "--workers", "1").stdout
    assert "4 items" in text
    assert "4 items" in platform.cli("backtest", "--export", file).stdout
    same = json.loads(placet("backtest", "--items", file, *packs, "--workers", "1", "--json").stdout)
    assert same["transitions"] == report["transitions"]
    platform.stop()
    assert json.loads(platform.cli("backtest", *packs, "--workers", "1", "--json").stdout)["items"] == 4


def test_misuse_of_the_command(new_platform: NewPlatform, tmp_path: Path) -> None:
    """Each mistake is one line that says what to do, with exit code 2."""
    platform = new_platform(serve=False)
    other = tmp_path / "other.parquet"
    other.write_bytes(b"PAR0")
    pack = ("--pack", "community")
    for arguments, said in (
        ((), "--pack PATH"),
        (("--pack", "no-such-pack"), "no-such-pack"),
        ((*pack, "--since", "2026-02-01", "--until", "2026-02-01"), "later --until"),
        ((*pack, "--since", "yesterday"), "is no time"),
        ((*pack, "--since", "2026-02-01T00:00:00"), "no time zone"),
        ((*pack, "--sample", "0"), "--sample '0'"),
        ((*pack, "--sample", "110%"), "--sample '110%'"),
        ((*pack, "--items", str(tmp_path / "none.parquet")), "There is no file"),
        ((*pack, "--items", str(other)), "cannot be read as Parquet"),
        ((*pack, "--workers", "2", "--cluster", "tcp://127.0.0.1:1"), "not both"),
        ((*pack, "--out", str(other)), "is a file"),
        (("--export", str(other)), "is there already"),
        ((*pack, "--export", str(tmp_path / "new")), "only writes items"),
    ):
        assert said in lines(platform.cli("backtest", *arguments, check=False)), arguments
    assert "holds no platform" in lines(placet("backtest", *pack, "--data", str(tmp_path / "none"), check=False))


def test_a_failing_rule_ends_with_1(new_platform: NewPlatform, tmp_path: Path) -> None:
    """Rule errors make the exit code 1, and the report is there all the same; any folder is a pack."""
    platform = new_platform()
    platform.submit_as("approved")
    folder = tmp_path / "draft"
    (broken,) = [pack for pack in with_rule("broken", FAILING).packs if pack.id == "community"]
    for name, text in broken.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    done = platform.cli("backtest", "--pack", str(folder), "--workers", "1", check=False)
    assert done.returncode == 1, done.stderr
    assert "FAILED on 1 items: community/broken" in done.stdout


def test_no_scheduler_is_one_line(new_platform: NewPlatform) -> None:
    """A cluster that is not there ends the command with a line that names the address."""
    pytest.importorskip("distributed", reason="distributed, for --cluster, is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    platform = new_platform(serve=False)
    done = platform.cli("backtest", "--pack", "community", "--cluster", address, check=False)
    assert done.returncode == 2, done.stderr
    assert f"No Dask scheduler answers at {address}" in done.stderr


def test_without_pyarrow_the_extra_is_named(tmp_path: Path) -> None:
    """Where pyarrow is missing, the command says how to get it, and every other command works."""
    code = (
        "import sys, importlib.util as util; real = util.find_spec;"
        "util.find_spec = lambda name, *rest: None if name == 'pyarrow' else real(name, *rest);"
        "from placet.cli import main; sys.argv = ['placet', *sys.argv[1:]]; main()"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment() | dict(os.environ)
        )

    assert "pip install 'placet[backtest]'" in lines(run("backtest", "--pack", "community"))
    assert run("version").returncode == 0

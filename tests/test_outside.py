"""Detectors from outside: real classifiers in real processes, through checks, source, policy, service and API."""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packs import FILES, RULES, SERVED
from platforms import NewPlatform, Platform, placet
from simulator import PLATFORM, START, Clock, did, platform_on, reply
from stores import SqliteBackend

from placet.audit import replay
from placet.detection import READ_OFF, Subject
from placet.detectors import Seen, Text
from placet.detectors.checks import LABEL, BadAnswer, seen_in, seen_in_each
from placet.detectors.external import FAILURES, ExternalDetectors, Limits
from placet.errors import SettingsError
from placet.logs import make_log
from placet.metrics import Metrics
from placet.model import Finding, Item
from placet.policy import AccountFacts, Policy, load_pack
from placet.service import Submission
from placet.settings import load

pytest_plugins = ("platforms", "stores")

HERE: Final = Path(__file__).resolve().parent
CLASSIFIERS: Final = HERE / "outside"
NOBODY: Final = Subject("", "", START)
PATIENT: Final = Limits(call_s=30.0)
"""Limits that no good detector meets, however busy the machine."""
HASTY: Final = Limits(call_s=0.2)
"""A time limit for detectors that hang for an hour."""


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes of detectors find the classifiers of this folder."""
    monkeypatch.setenv("PYTHONPATH", str(CLASSIFIERS))


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file by which a detector tells what it did, and a test tells a detector."""
    monkeypatch.setenv("MARKER", str(tmp_path / "marker"))
    return tmp_path / "marker"


def written(marker: Path) -> str:
    """What detectors have told."""
    return marker.read_text("utf-8") if marker.exists() else ""


def mend(marker: Path) -> None:
    """Let the detector work that fails until its file is there."""
    marker.touch()


class Log:
    """Where log lines go."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def write(self, text: str) -> int:
        self.lines += [json.loads(line) for line in text.splitlines() if line.strip()]
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def told(self, event: str) -> list[dict[str, Any]]:
        """The lines of one event."""
        return [line for line in self.lines if line["event"] == event]


class Running:
    """Detectors that run, and what they tell."""

    def __init__(self, names: tuple[str, ...], limits: Limits, asked: frozenset[str]) -> None:
        self.log = Log()
        self.metrics = Metrics()
        paths = [f"classifiers:{name}" for name in names]
        self.source = ExternalDetectors(paths, asked, limits, self.metrics, make_log("info", self.log))  # type: ignore[arg-type]  # what a log needs of a file

    async def find(self, body: str, title: str = "") -> list[Finding]:
        """The findings of a text."""
        return await self.source.find(Item(title, body), NOBODY)

    async def labels(self, body: str) -> list[tuple[str, str]]:
        """List and label of each finding of a text."""
        return [(each.list, each.label) for each in await self.find(body)]

    async def pid(self) -> int:
        """The process of the first detector."""
        (found, *_) = await self.find("pid")
        return int(found.label)

    def count(self, detector: str, result: str) -> float:
        """The metric of texts with that result."""
        value = self.metrics.registry.get_sample_value(
            "placet_detector_texts_total", {"detector": detector, "result": result}
        )
        return value or 0.0


@asynccontextmanager
async def running(*names: str, limits: Limits = PATIENT, asked: frozenset[str] = frozenset()) -> AsyncIterator[Running]:
    """Start those classifiers, and close them."""
    made = Running(names, limits, asked)
    await made.source.start()
    try:
        yield made
    finally:
        await made.source.stop()


def failed(name: str, reason: str) -> list[tuple[str, str]]:
    """List and label of the mark of a failure."""
    return [(f"external/{name}/failed", reason)]


# --- what may be answered ----------------------------------------------------------------------------------------


@given(
    body=st.text(max_size=20),
    label=st.one_of(st.text(max_size=5), st.from_regex(LABEL, fullmatch=True)),
    score=st.one_of(st.floats(), st.integers(), st.none(), st.booleans()),
    field=st.sampled_from(["title", "body", "account", ""]),
    start=st.integers(-3, 25),
    end=st.integers(-3, 25),
)
def test_an_answer_is_sound_or_refused(body: str, label: str, score: Any, field: Any, start: int, end: int) -> None:
    """Whatever a detector answers, it is refused with a reason, or fits the text and holds no floating-point number."""
    shown = Text("Title", body)
    try:
        (seen,) = seen_in(shown, [Seen(label, score, field, start, end)])
    except BadAnswer:
        return
    words = getattr(shown, seen.field)
    assert 0 <= seen.start <= seen.end <= len(words)
    assert type(seen.score) is int
    assert 0 <= seen.score <= 100
    assert LABEL.fullmatch(seen.label)


def test_findings_come_in_the_order_of_their_places() -> None:
    """Title before body, then by place: the same answer in another order is the same."""
    seen = [Seen("b", 1, "body", 3, 4), Seen("a", 1, "body", 0, 2), Seen("c", 1, "title", 1, 2)]
    shown = Text("title", "body")
    assert [each.label for each in seen_in(shown, seen)] == ["c", "a", "b"]
    assert seen_in(shown, seen) == seen_in(shown, seen[::-1])


@pytest.mark.parametrize("answers", [None, "ab", 7, [[]], [[], [], []], {"a": 1, "b": 2}])
def test_a_batch_has_an_answer_for_each_text(answers: object) -> None:
    """Something else than one list a text is refused."""
    with pytest.raises(BadAnswer):
        seen_in_each([Text("", "a"), Text("", "b")], answers)


# --- detectors that work -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Rude", "Patient", "made"])
async def test_what_a_detector_sees_becomes_findings(name: str) -> None:
    """Findings have list, label, place, quote and version; a sure score is cut to a guess's."""
    async with running(name) as outside:
        assert await outside.find("nothing here") == []
        detector = "patient" if name == "Patient" else "rude"
        assert await outside.find("how rude!!!", title="rude") == [
            Finding("external", f"external/{detector}", "word", "title", 0, 4, "model", 89, "rude", "7"),
            Finding("external", f"external/{detector}", "loud", "body", 0, 0, "model", 40, "", "7"),
            Finding("external", f"external/{detector}", "word", "body", 4, 8, "model", 89, "rude", "7"),
        ]
        assert (outside.count(detector, "seen"), outside.count(detector, "nothing")) == (1, 1)


async def test_numbers_of_numpy_are_taken() -> None:
    """A model's own number types are turned into whole numbers."""
    async with running("Modelled") as outside:
        (found,) = await outside.find("body")
    assert (found.score, found.start, found.end, type(found.score), type(found.end)) == (61, 0, 2, int, int)


async def test_several_detectors_are_asked_together() -> None:
    """Their findings come in the order of the settings."""
    async with running("Patient", "Rude") as outside:
        assert await outside.labels("rude") == [("external/patient", "word"), ("external/rude", "word")]


async def test_what_waits_is_asked_together() -> None:
    """One text goes alone; what comes in meanwhile goes out together, more each time, up to the limit."""
    async with running("Counting", limits=PATIENT._replace(batch=4)) as outside:
        rounds = [
            await asyncio.gather(*(outside.find(str(number)) for number in range(8))),
            await asyncio.gather(*(outside.find(str(number)) for number in range(8))),
        ]
    assert [[int(each.label) for (each,) in found] for found in rounds] == [[1, 2, 2, 4, 4, 4, 4, 1], [4] * 8]


async def test_a_batch_answers_as_one_at_a_time() -> None:
    """Texts asked about together get what each would get alone, in their order."""
    texts = [f"{'rude' if number % 3 else 'kind'} {'!!!' * (number % 2)}" for number in range(40)]
    async with running("Rude") as outside:
        together = await asyncio.gather(*map(outside.find, texts))
        assert list(together) == [await outside.find(each) for each in texts]


async def test_a_detector_learns_the_text_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shown four fields, no account, no time; our settings are not in its environment."""
    monkeypatch.setenv("PLACET_DATABASE", "postgresql://somebody:secret@host/name")
    async with running("Knowing") as outside:
        (found,) = [await outside.source.find(Item(body="x"), Subject("acc_1", "pub_1", START))]
    assert {each.label for each in found} == {"title", "body", "format", "category"}


@pytest.mark.parametrize("name", ["Rude", "Patient"])
async def test_a_detector_is_closed_at_the_end(name: str, marker: Path) -> None:
    """`close` is called once, when the source stops."""
    async with running(name) as outside:
        await outside.find("x")
        assert written(marker) == ""
    assert written(marker) == "closed\n"


async def test_a_detector_leaves_the_servers_signals_alone() -> None:
    """A signal meant for the server's whole group does not end it: it still answers, and is closed in order."""
    async with running("Rude") as outside:
        pid = await outside.pid()
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(pid, number)
        assert await outside.labels("rude") == [("external/rude", "word")]


# --- detectors that fail -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("raise", "raised"),
        *((word, "bad-answer") for word in ("many", "endless", "none", "span", "backwards", "fraction", "nan")),
        *((word, "bad-answer") for word in ("above", "truth", "field", "label", "dict")),
    ],
)
async def test_a_text_that_goes_wrong_fails_alone(word: str, reason: str) -> None:
    """An exception or a wrong answer marks that text; those asked about with it, and after it, get theirs."""
    async with running("Troubled") as outside:
        before, bad, after = await asyncio.gather(*map(outside.labels, ["rude", f"{word} rude", "rude"]))
        assert bad == failed("troubled", reason)
        assert before == after == [("external/troubled", "word")]
        (line,) = outside.log.told("detector_failed")
        assert (line["reason"], line["texts"]) == (reason, 1)
        assert "rude" not in line["error"]
        assert outside.count("troubled", reason) == 1


@pytest.mark.parametrize(("word", "reason"), [("exit", "crashed"), ("abort", "crashed"), ("hang", "timeout")])
async def test_a_lost_process_is_replaced(word: str, reason: str) -> None:
    """A crash in native code or a call that never ends costs its own texts; a new process answers the next ones."""
    limits = HASTY if word == "hang" else PATIENT
    async with running("Troubled", limits=limits) as outside:
        assert await outside.labels(word) == failed("troubled", reason)
        assert await outside.labels("rude") == failed("troubled", "starting")
        await until(lambda: outside.log.told("detector_started") != [])
        outside.source._all[0]._limits = PATIENT
        assert await outside.labels("rude") == [("external/troubled", "word")]


async def test_a_process_that_ends_by_itself_is_noticed() -> None:
    """Killed between two calls, it is replaced before anybody asks."""
    async with running("Rude") as outside:
        os.kill(await outside.pid(), signal.SIGKILL)
        await until(lambda: outside.log.told("detector_started") != [])
        assert await outside.labels("rude") == [("external/rude", "word")]


async def test_answers_of_the_wrong_number_fail() -> None:
    """A detector that loses an answer is not believed in the others."""
    async with running("Short") as outside:
        both = await asyncio.gather(outside.labels("rude"), outside.labels("rude"))
    assert list(both) == [failed("short", "bad-answer")] * 2


async def test_a_detector_that_keeps_failing_rests(marker: Path) -> None:
    """After failures on end it is out, each pause twice as long; once it works again, all is as before."""
    limits = PATIENT._replace(failures=3, pause_s=0.01, pause_most_s=0.04)
    async with running("Healing", limits=limits) as outside:
        for _ in range(3):
            assert await outside.labels("rude") == failed("healing", "raised")
        assert (await outside.labels("rude"))[0][1] in ("paused", "starting")
        while len(outside.log.told("detector_paused")) < 5:
            await outside.find("rude")
            await asyncio.sleep(0)
        assert [line["seconds"] for line in outside.log.told("detector_paused")[:5]] == [0.01, 0.02, 0.04, 0.04, 0.04]
        mend(marker)
        while await outside.labels("rude") != [("external/healing", "word")]:  # noqa: ASYNC110 - asked over and over
            await asyncio.sleep(0)
        paused = outside.metrics.registry.get_sample_value("placet_detector_paused", {"detector": "healing"})
        assert paused == 0
        assert outside.source._all[0]._pause == 0.01


async def test_too_many_that_wait_fail_at_once() -> None:
    """Beyond the bound nobody waits; those within it are answered."""
    async with running("Rude", limits=PATIENT._replace(waiting=3)) as outside:
        found = await asyncio.gather(*(outside.labels("rude") for _ in range(5)))
    assert found == [[("external/rude", "word")]] * 3 + [failed("rude", "overloaded")] * 2


async def test_a_text_that_is_no_unicode_fails_alone() -> None:
    """A lone surrogate cannot be sent; it is marked, and nothing raises."""
    async with running("Rude") as outside:
        both = await asyncio.gather(outside.labels("\ud800"), outside.labels("rude"))
    assert list(both) == [failed("rude", "unreadable"), [("external/rude", "word")]]


async def test_whoever_waits_at_the_end_is_answered() -> None:
    """When the server ends in the midst of a call, nobody is left waiting."""
    async with running("Troubled") as outside:
        pid = await outside.pid()
        asked = [asyncio.create_task(outside.labels(word)) for word in ("hang", "rude", "rude")]
        await until(lambda: 0 < len(outside.source._all[0]._waiting) < 3)
        stopping = asyncio.create_task(outside.source.stop())
        assert await asyncio.gather(*asked) == [failed("troubled", "starting")] * 3
        os.kill(pid, signal.SIGKILL)
        await stopping


async def test_a_caller_that_goes_away_disturbs_nobody() -> None:
    """A cancelled question is dropped; the next one is answered."""
    async with running("Rude") as outside:
        gone = asyncio.create_task(outside.find("rude"))
        await asyncio.sleep(0)
        gone.cancel()
        assert await outside.labels("rude") == [("external/rude", "word")]


async def until(question: Callable[[], bool]) -> None:
    """Let the loop go on until it is so."""
    async with asyncio.timeout(60):
        while not question():  # noqa: ASYNC110 - it is another process that is waited for
            await asyncio.sleep(0.005)


# --- the start ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere:Rude", "no module 'nowhere'; install it"),
        ("classifiers.inner:Rude", "no module 'classifiers.inner'; install it"),
        ("classifiers:Nothing", "has no class or function 'Nothing'"),
        ("classifiers:MARKER", "has no class or function 'MARKER'"),
        ("classifiers:Unnamed", "its `name` must be lower-case"),
        ("classifiers:Unmade", "to make it failed: FileNotFoundError: model.bin"),
        ("os:getpid", "its `name` must be"),
        ("classifiers:Sleepy", "it was not ready within 0.5 s"),
        ("os:abort", "its process ended at once"),
    ],
)
async def test_a_detector_that_cannot_be_used_stops_the_start(name: str, said: str) -> None:
    """The message names the import path, the reason, and what to do."""
    start_s = 0.5 if name.endswith("Sleepy") else 60.0
    source = ExternalDetectors([name], (), Limits(start_s=start_s), Metrics(), make_log("error"))
    with pytest.raises(SettingsError) as caught:
        await source.start()
    assert str(caught.value).startswith(f"detectors: {name} cannot be used: ")
    assert said in str(caught.value)


async def test_two_detectors_of_one_name_stop_the_start() -> None:
    """A finding has one author: two detectors cannot share a name."""
    source = ExternalDetectors(["classifiers:Rude", "classifiers:made"], (), PATIENT, Metrics(), make_log("error"))
    with pytest.raises(SettingsError, match="2 of them call themselves 'rude'"):
        await source.start()


@pytest.mark.parametrize("path", ["yourteam", "yourteam.x", ":Detector", "a b:C", "a:b:c", "../a:B", "a:B()"])
def test_a_setting_that_is_no_import_path_is_refused(path: str) -> None:
    """It is refused before anything is imported."""
    with pytest.raises(SettingsError, match="is no import path such as"):
        load({"detectors": [path]}, {})


def test_detectors_can_be_set_in_the_environment() -> None:
    """Import paths are parted by commas there."""
    assert load({}, {"PLACET_DETECTORS": "a.b:C, d:E.f"}).detectors == ("a.b:C", "d:E.f")


# --- what rules make of it ---------------------------------------------------------------------------------------

RULE: Final = """
[[rule]]
id = "{id}"
on = ["publication"]
when = '''{when}'''
then = "{then}"
ground = "{ground}"
from = 2020-01-01
"""


def asking(when: str, then: str = "hold", cases: str = "") -> dict[str, str]:
    """The files of a pack with one more rule, on a ground that may refuse by itself, and one for each failure."""
    rule = RULE.format(id="outside", when=when, then=then, ground="sample.form")
    for name in sorted(set(re.findall(r"external/([a-z]+)'", when))):
        unseen = f"terms('external/{name}/failed')"
        rule += RULE.format(id=f"unseen-{name}", when=unseen, then="hold", ground="sample.words")
    return {**FILES, "rules.toml": RULES + rule, "cases/outside.toml": cases}


def test_a_pack_may_ask_for_any_detector() -> None:
    """It loads whether the detector is there or not, and the policy says which ones it asks for."""
    pack = load_pack(asking("terms('external/rude') || terms('external/other/failed')")).require()
    assert Policy([pack]).detectors == {"rude", "other"}
    assert Policy([load_pack(FILES).require()]).detectors == frozenset()


@pytest.mark.parametrize(
    "name", ["external", "external/", "external/Rude", "external/rude/lost", "external/a/failed/b"]
)
def test_a_list_that_no_detector_could_have_is_refused(name: str) -> None:
    """A misspelt list never loads."""
    (problem,) = load_pack(asking(f"terms('{name}')")).problems
    assert problem.code == "unknown-list"


@pytest.mark.parametrize("name", ["external", "links", "limits"])
def test_no_pack_may_pass_for_a_detector(name: str) -> None:
    """A pack of such an id could make findings of its own lists look like a detector's."""
    files = {**FILES, "pack.toml": FILES["pack.toml"].replace('id = "sample"', f'id = "{name}"', 1)}
    assert "reserved-id" in {problem.code for problem in load_pack(files).problems}


@pytest.mark.parametrize("then", ["refuse", "return"])
@pytest.mark.parametrize("when", ["terms('external/rude')", "!terms('external/kind')", "terms('external/rude/failed')"])
def test_what_a_machine_guesses_never_refuses(then: str, when: str) -> None:
    """A rule that asks a detector comes to hold at most: for what it sees, does not see, and for its failure."""
    policy = Policy([load_pack(asking(when, then)).require()])
    sure = [
        Finding("external", "external/rude", "word", "body", 0, 4, "model", 100),
        Finding("external", "external/rude/failed", "timeout", "body", 0, 0, "model", 100),
    ]
    verdict = policy.evaluate(policy.facts(Item(body="rude"), AccountFacts("acc_1"), START), sure, "pub_1")
    assert [(hit.asked, hit.given) for hit in verdict.hits if hit.rule == "outside"] == [(then, "hold")]


CASE: Final = """
[[case]]
name = "a guess holds"
at = 2024-01-01T00:00:00Z
item = {{ title = "Tea", body = "how rude" }}
expect = "{expect}"
grounds = [{grounds}]

[[case.external]]
list = "external/rude"
label = "word"
score = {score}
"""


@pytest.mark.parametrize(("score", "holds"), [(80, True), (79, False), (100, True)])
def test_a_golden_case_says_what_a_detector_reported(score: int, holds: bool) -> None:
    """A pack's rules about a detector are tried when it loads, without the detector."""
    expect, grounds = ("hold", '"sample.form"') if holds else ("approve", "")
    when = "hits('external/rude').exists(h, h.label == 'word' && h.score >= 80 && h.view == 'model')"
    assert load_pack(asking(when, cases=CASE.format(expect=expect, grounds=grounds, score=score))).problems == ()


def test_a_case_cannot_speak_for_screening() -> None:
    """Only what a detector from outside could report may be taken as given."""
    cases = CASE.format(expect="approve", grounds="", score=1).replace("external/rude", "sample/rude")
    (problem, *_) = load_pack(asking("terms('external/rude')", cases=cases)).problems
    assert problem.code == "bad-value"


# --- the service -------------------------------------------------------------------------------------------------

GROUND: Final = "sample.form"


def holding(detector: str) -> dict[str, str]:
    """The files of that pack, with rules that hold what the detector is sure of, and what it fails on."""
    sure = f"hits('external/{detector}').exists(h, h.score >= 80)"
    refuse = RULE.format(id="hold-rude", when=sure, then="refuse", ground=GROUND)
    hold = RULE.format(id="hold-unassessed", when=f"terms('external/{detector}/failed')", then="hold", ground=GROUND)
    return {**SERVED, "rules.toml": RULES + refuse + hold}


def saying(body: str, account: str) -> Submission:
    """A submission of that text."""
    return Submission(account, Item("Tea", body))


async def test_a_verdict_on_a_detectors_word_replays(sqlite: SqliteBackend, tmp_path: Path) -> None:
    """One at a time and in a batch, what a detector says counts and is recorded with its version; replay takes it from
    the record, without the detector."""
    policy = Policy([load_pack(holding("rude")).require()])
    async with platform_on(sqlite, tmp_path, Clock(), policy) as platform:
        service = platform.service
        account = await platform.open_account()
        async with running("Rude", asked=policy.detectors) as outside:
            service.detection.sources = (outside.source,)
            alone = [did(await service.submit(PLATFORM, saying(body, account))) for body in ("kind", "rude")]
            asks = [saying(body, account) for body in ("kind again", "rude again", "rude once more")]
            batch = [did(each) for each in await service.submit_many(PLATFORM, asks, [None] * 3, reply)]
        assert [done.state.status for done in alone] == ["approved", "held"]
        assert [done.state.status for done in batch] == ["approved", "held", "held"]
        record = await service.screening_record(alone[1].state)
        findings, verdict = record.findings, record.verdict
        (found,) = [each for each in findings if each.detector not in READ_OFF]
        assert (found.list, found.label, found.score, found.version) == ("external/rude", "word", 89, "7")
        assert [(hit.rule, hit.asked, hit.given) for hit in verdict.hits] == [("hold-rude", "refuse", "hold")]
        service.detection.sources = ()
        outcome = await replay(service)
        assert (outcome.checked, outcome.differences) == (5, [])


async def test_a_missing_detector_counts_as_failed(sqlite: SqliteBackend, tmp_path: Path) -> None:
    """Rules that ask for a detector that no setting names hold by the mark of its failure, and the log tells of it."""
    policy = Policy([load_pack(holding("rude")).require()])
    async with platform_on(sqlite, tmp_path, Clock(), policy) as platform:
        account = await platform.open_account()
        async with running(asked=policy.detectors) as outside:
            platform.service.detection.sources = (outside.source,)
            state = await platform.submit(account, Item("Tea", "rude"))
        assert (state.status, state.grounds) == ("held", (GROUND,))
        findings = (await platform.service.screening_record(state)).findings
        assert [(each.list, each.label) for each in findings] == failed("rude", "not-configured")
        assert [line["detector"] for line in outside.log.told("detector_missing")] == ["rude"]


# --- the whole platform ------------------------------------------------------------------------------------------


def pack_folder(folder: Path) -> str:
    """That pack, with rules that ask the detector "troubled", as a folder."""
    for name, content in holding("troubled").items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, "utf-8")
    return str(folder)


@pytest.fixture
def troubled(new_platform: NewPlatform, tmp_path: Path) -> Platform:
    """A platform with that pack, and with the detector."""
    packs = (pack_folder(tmp_path / "pack"),)
    detectors = ["classifiers:Troubled"]
    return new_platform(packs=packs, detectors=detectors, detector_timeout_ms=30_000, detector_batch_max=4)


def test_the_author_is_told_of_the_machine(troubled: Platform) -> None:
    """Over the API a held text says which detector spoke, in which version, in three languages; and the desk does."""
    tried = troubled.http.post("/v1/screen", json={"title": "Tea", "body": "how rude"}).json()
    made = troubled.submit({"title": "Tea", "body": "how rude"}, account=troubled.open_account("individual"))
    read = troubled.read(made["id"])
    for answer in (tried, made, read):
        (told,) = answer["verdict"]["automated"]
        assert (told["detector"], told["version"], told["failed"]) == ("troubled", "7", False)
        assert (told["labels"], told["rules"]) == (["word"], ["sample/hold-rude"])
        for language, words in (("en", "a person decides"), ("zh-Hant", "由人作出決定"), ("zh-Hans", "由人作出决定")):
            assert words in told["text"][language]
            assert "troubled" in told["text"][language]
        (finding,) = answer["findings"]
        assert finding["version"] == "7"
        assert (finding["quote"], finding["span"], finding["score"]) == ("rude", [4, 8], 89)
    assert made["status"] == "held"
    with troubled.desk(troubled.person("reviewer")) as browser:
        page = browser.get(f"/desk/items/{made['id']}").text
    assert "the classifier troubled, version 7, reported word." in page


def test_where_no_detector_spoke_nothing_is_said(troubled: Platform) -> None:
    """An answer without findings from outside has no trace of them."""
    made = troubled.submit({"title": "Tea", "body": "how kind"}, account=troubled.open_account("individual"))
    assert made["status"] == "approved"
    assert "automated" not in made["verdict"]
    assert made["findings"] == []


def test_a_crash_in_a_detector_leaves_the_server_standing(troubled: Platform) -> None:
    """A batch in which a text crashes the process is answered whole: held where nothing is known, and told so."""
    account = troubled.open_account("individual")
    bodies = ["kind", "rude", "abort", "kind", "kind"]
    lines = "\n".join(json.dumps({"account": account, "title": "Tea", "body": body}) for body in bodies)
    answer = troubled.http.post(
        "/v1/publications/batch", content=lines, headers={"content-type": "application/x-ndjson"}
    )
    results = [json.loads(line)["publication"] for line in answer.text.splitlines()]
    assert [each["status"] for each in results] == ["approved", "held", "held", "held", "held"]
    (told,) = results[2]["verdict"]["automated"]
    assert (told["failed"], told["labels"], told["rules"]) == (True, ["crashed"], ["sample/hold-unassessed"])
    assert "gave no answer (crashed)" in told["text"]["en"]
    assert troubled.http.get("/readyz").status_code == 200
    replayed = troubled.cli("replay")
    assert replayed.returncode == 0, replayed.stdout


def test_a_bad_detector_stops_the_server_with_advice(new_platform: NewPlatform, tmp_path: Path) -> None:
    """`placet serve` ends with 2 and says what to do; other commands do not load detectors at all."""
    platform = new_platform(packs=(pack_folder(tmp_path / "pack"),), serve=False, detectors=["nowhere:Detector"])
    done = placet("serve", "--data", str(platform.folder), check=False)
    assert done.returncode == 2
    assert "nowhere:Detector cannot be used: there is no module 'nowhere'; install it beside placet" in done.stderr
    assert platform.cli("staff", "list").returncode == 0


# --- the guide ---------------------------------------------------------------------------------------------------


def test_the_detector_in_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The class printed in docs/detectors.md does what it asserts, and runs as a detector."""
    guide = (HERE.parent / "docs" / "detectors.md").read_text("utf-8")
    _, _, rest = guide.partition("```python\n")
    (tmp_path / "shouting.py").write_text(rest.partition("```")[0], "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    async def ask() -> list[Finding]:
        source = ExternalDetectors(["shouting:Shouting"], (), PATIENT, Metrics(), make_log("error"))
        await source.start()
        try:
            return await source.find(Item("Tea", "Buy!!!!"), NOBODY)
        finally:
            await source.stop()

    (found,) = asyncio.run(ask())
    assert (found.list, found.label, found.quote) == ("external/shouting", "marks", "!!!!")


def test_the_guide_knows_every_failure() -> None:
    """The table in docs/detectors.md has the reasons that there are, in order."""
    guide = (HERE.parent / "docs" / "detectors.md").read_text("utf-8")
    part = guide.partition("## When it fails")[2].partition("\n## ")[0]
    assert tuple(line.split("`")[1] for line in part.splitlines() if line.startswith("| `")) == FAILURES


def test_the_rules_in_the_guide_load() -> None:
    """The two rules and the case printed in docs/detectors.md are ones that load."""
    guide = (HERE.parent / "docs" / "detectors.md").read_text("utf-8")
    rules, case = [block.partition("```")[0] for block in guide.split("```toml\n")[2:4]]
    rules = rules.replace("community.spam", "sample.form")
    head = '[[case]]\nname = "x"\nat = 2026-02-01T00:00:00Z\nexpect = "hold"\ngrounds = ["sample.form"]\n'
    item = 'item = { title = "Tea", body = "x" }\n'
    loaded = load_pack({**FILES, "rules.toml": RULES + "\n" + rules, "cases/guide.toml": head + item + case})
    assert loaded.problems == ()

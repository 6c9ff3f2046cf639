"""The desk of the packs against a real platform: edited, checked, tried, proposed, approved, refused; rules by date."""

import asyncio
import hashlib
import html
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from packs_desk import QUILLTERN, RULE, Desk, said, status_of
from platforms import PLAIN, SOLICITING, NewPlatform, Platform, until

from placet.backtest_report import MOST_BYTES
from placet.house import open_house
from placet.procedure.rule_guard import Pause
from placet.rule_guards import guard_id
from placet.service import SYSTEM_GUARD, Done, Plan, plainly
from placet.settings import load
from placet.web.public.rules import instant_of

pytest_plugins = ("platforms",)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform for tests that put nothing in force."""
    made = Platform(tmp_path_factory.mktemp("packs") / "data", packs=("community",))
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture(scope="module")
def editor(place: Platform) -> Desk:
    """Somebody who edits packs."""
    return Desk(place, place.person("policy_editor", name="Edith"))


@pytest.fixture(scope="module")
def approver(place: Platform) -> Desk:
    """Somebody who approves packs."""
    return Desk(place, place.person("policy_approver", name="Apollo"))


@pytest.fixture(scope="module")
def both(place: Platform) -> Desk:
    """Somebody who may do either, though never both to one version."""
    return Desk(place, place.person("policy_editor", "policy_approver", name="Bothwell"))


# --- the way into force ------------------------------------------------------------------------------------------


def test_a_version_goes_its_whole_way(new_platform: NewPlatform) -> None:
    """Edited with a mistake, mended, tried, proposed, approved by another person, in force; then the old one again."""
    platform = new_platform(packs=("community",))
    edith = Desk(platform, platform.person("policy_editor", name="Edith"))
    apollo = Desk(platform, platform.person("policy_approver", name="Apollo"))
    before = edith.read("/rules")
    path = edith.begin()
    assert platform.submit(QUILLTERN)["status"] == "approved"

    rules = edith.text(path, "rules.toml")
    wrong = edith.save(path, "rules.toml", rules + RULE.replace("item.title", "item.titel"), note="Terns.")
    assert status_of(wrong.text) == "draft"
    assert re.search(r"rules\.toml:\d+ .*titel", said(wrong.text))
    assert "item.titel" in edith.text(path, "rules.toml")
    edith.post(f"{path}/propose", status=409, reason="Now.")

    right = edith.save(path, "rules.toml", rules + RULE)
    assert status_of(right.text) == "checked"
    assert "added rule test-quilltern" in said(right.text)
    tried = said(edith.post(f"{path}/try", **QUILLTERN).text)
    assert re.search(r"As it is now approve.*With this version hold for review", tried)

    edith.post(f"{path}/propose", reason="Terns repeat themselves.")
    assert platform.submit(QUILLTERN)["status"] == "approved"
    archive = apollo.hidden(path, "archive")
    approved = apollo.post(f"{path}/approve", archive=archive, reason="Read it.")
    assert status_of(approved.text) in ("scheduled", "active")
    until(lambda: status_of(apollo.read(path)) == "active", "the version is in force")
    assert platform.submit(QUILLTERN)["status"] == "held"
    shown = said(apollo.read("/desk/packs"))
    assert re.search(r"In force .* since .* The rules in force", shown)
    assert "test-quilltern" in edith.read("/rules")
    assert "test-quilltern" not in before

    # A bad version goes out of force by an earlier one, which a second person approves again.
    again = edith.begin()
    edith.save(again, "rules.toml", rules)
    edith.post(f"{again}/propose", reason="Too many terns.")
    apollo.post(f"{again}/approve", archive=apollo.hidden(again, "archive"))
    until(lambda: status_of(apollo.read(path)) == "superseded", "the version is superseded")
    assert platform.submit(QUILLTERN)["status"] == "approved"
    reopened = edith.post("/desk/packs", again=path.rpartition("/")[2])
    assert "added rule test-quilltern" in said(reopened.text)
    assert "test-quilltern" not in edith.read("/rules")
    moments = re.findall(r'href="/rules\?on=([^"]+)"', edith.read("/rules"))
    assert len(moments) == 3
    shown_then = ["test-quilltern" in edith.read(f"/rules?on={moment}") for moment in moments]
    assert shown_then == [False, True, False]


def test_what_changes_before_a_decision_is_read_again(new_platform: NewPlatform) -> None:
    """A pack that begins between opening an item and deciding: the decision is not taken, what was typed is kept."""
    platform = new_platform(packs=("community",))
    edith = Desk(platform, platform.person("policy_editor", name="Edith"))
    apollo = Desk(platform, platform.person("policy_approver", name="Apollo"))
    lead = Desk(platform, platform.person("lead", name="Lea"))
    held = platform.submit_as("held")["id"]
    item = f"/desk/items/{held}"
    typed: dict[str, Any] = {
        "version": lead.hidden(item, "version"),
        "rules": lead.hidden(item, "rules"),
        "choice": "return",
    }
    path = edith.begin()
    edith.add_rule(path)
    edith.post(f"{path}/propose", reason="Terns.")
    apollo.post(f"{path}/approve", archive=apollo.hidden(path, "archive"))
    until(lambda: lead.hidden(item, "rules") != typed["rules"], "the version is in force")

    refused = lead.post(f"{item}/decision", status=409, **typed, changes="Leave the handle out.")
    assert "The rules in force have changed since you opened this item." in said(refused.text)
    assert re.search(r"community \S+ \(\w{8}\) → community \S+ \(\w{8}\)", said(refused.text))
    assert "Leave the handle out." in refused.text
    assert platform.read(held)["status"] == "held"
    lead.post(f"{item}/decision", **(typed | {"rules": lead.hidden(item, "rules")}), changes="Leave the handle out.")
    assert platform.read(held)["status"] == "returned"


def test_an_unknown_digest_is_no_reading(place: Platform) -> None:
    """A form that names rules which were never in force is refused as well, and says what is."""
    lead = Desk(place, place.person("lead", name="Leander"))
    held = place.submit_as("held")["id"]
    refused = lead.post(f"/desk/items/{held}/decision", status=409, choice="approve", rules="sha256:" + "0" * 64)
    assert "community" in said(refused.text)
    assert place.read(held)["status"] == "held"


# --- refusals ----------------------------------------------------------------------------------------------------


def proposed(desk: Desk) -> str:
    """A version with a rule more, proposed; its path."""
    path = desk.begin()
    desk.add_rule(path)
    desk.post(f"{path}/propose", reason="For a test.")
    return path


def test_nobody_approves_what_they_edited(both: Desk, approver: Desk) -> None:
    """The page says why and offers no form; a form sent all the same is refused with the names."""
    path = proposed(both)
    page = both.read(path)
    assert "another person approves it" in said(page)
    assert f'action="{path}/approve"' not in page
    refused = both.post(f"{path}/approve", status=403, archive=approver.hidden(path, "archive"))
    assert "you cannot approve it" in said(refused.text)
    assert "Bothwell" in said(refused.text)
    assert f'action="{path}/approve"' in approver.read(path)
    both.post(f"{path}/withdraw", reason="Done with it.")
    assert status_of(both.read(path)) == "withdrawn"


def test_an_approver_signs_what_they_have_read(editor: Desk, approver: Desk) -> None:
    """An approval that names other files is refused; after a return and a change the old page approves nothing."""
    path = proposed(editor)
    read = approver.hidden(path, "archive")
    approver.post(f"{path}/return", reason="The reason is thin.")
    assert status_of(editor.read(path)) == "checked"
    assert "The reason is thin." in said(editor.read(path))
    editor.add_rule(path, RULE.replace("test-quilltern", "test-quilltern-two"))
    editor.post(f"{path}/propose", reason="Thicker.")
    refused = approver.post(f"{path}/approve", status=409, archive=read)
    assert "Somebody has changed this version since you read it." in said(refused.text)
    assert status_of(refused.text) == "proposed"
    editor.post(f"{path}/withdraw", reason="Enough.")


def test_a_draft_in_its_head_is_unfit(editor: Desk) -> None:
    """A pack that calls itself a draft cannot be proposed, and the page says which key to change."""
    path = editor.begin("cn-pending")
    refused = editor.post(f"{path}/propose", status=409, reason="Early.")
    assert 'status = "ready"' in said(refused.text)


def test_packs_that_do_not_go_together_are_named(editor: Desk) -> None:
    """A ground that another pack has already: neither proposed nor tried, and the clash is said in both cases."""
    path = editor.begin("eu-dsa")
    grounds = editor.text(path, "grounds.toml")
    own = re.search(r'^id = "([^"]+)"', grounds, re.MULTILINE)
    assert own
    swapped = {"id": own[1], "with": "community.harassment"}
    for file in ("grounds.toml", "codes.toml", "rules.toml", "cases/act.toml"):
        text = editor.text(path, file)
        changed = text.replace(f'"{swapped["id"]}"', f'"{swapped["with"]}"')
        if changed != text:
            editor.save(path, file, changed)
    assert status_of(editor.read(path)) == "checked"
    refused = said(editor.post(f"{path}/propose", status=409, reason="Both.").text)
    assert "cannot be in force together" in refused
    assert "community.harassment" in refused
    tried = said(editor.post(f"{path}/try", status=422, **PLAIN).text)
    assert "community.harassment" in tried


def test_detectors_that_are_missing_are_named(editor: Desk) -> None:
    """A rule that asks for a detector of another platform: unfit, with its name."""
    path = editor.begin()
    editor.add_rule(
        path, RULE.replace("item.title.contains('Quilltern')", "terms('external/owl') || terms('external/owl/failed')")
    )
    assert status_of(editor.read(path)) == "checked"
    refused = said(editor.post(f"{path}/propose", status=409, reason="Owls.").text)
    assert "detectors that this platform does not have" in refused
    assert " owl " in refused


@pytest.mark.parametrize(
    ("local", "status", "told"),
    [
        ("2001-01-01T00:00", 422, "This instant has passed."),
        ("yesterday", 422, "show no such time"),
        ("2031-13-01T00:00", 422, "show no such time"),
    ],
)
def test_instants_that_cannot_be_are_refused(editor: Desk, local: str, status: int, told: str) -> None:
    """What has passed, and what is no time; what was typed is still there."""
    path = editor.begin()
    editor.add_rule(path)
    refused = editor.post(f"{path}/propose", status=status, activate_at=local, reason="Because of terns.")
    assert told in said(refused.text)
    assert "Because of terns." in refused.text
    assert f'value="{local}"' in refused.text
    assert status_of(refused.text) == "checked"


def test_the_clocks_of_the_pack_tell_the_instant(editor: Desk, approver: Desk) -> None:
    """A skipped and a repeated hour are refused, any other is that zone's; approved, it is scheduled."""
    path = editor.begin("eu-dsa")  # Europe/Brussels
    for local in ("2031-03-30T02:30", "2031-10-26T02:30"):
        refused = editor.post(f"{path}/propose", status=422, activate_at=local, reason="At night.")
        assert "show no such time, or show it twice" in said(refused.text)
    page = editor.post(f"{path}/propose", activate_at="2031-07-01T08:00", reason="In summer.").text
    assert 'datetime="2031-07-01T06:00:00Z"' in page
    page = approver.post(f"{path}/approve", archive=approver.hidden(path, "archive")).text
    assert status_of(page) == "scheduled"
    shown = approver.read("/rules?on=2031-07-02")
    assert "This lies ahead" in said(shown)
    assert 'href="/rules?on=2031-07-01T06:00:00Z"' in shown
    editor.post(f"{path}/withdraw", reason="Not in summer.")
    assert "2031-07-01T06:00:00Z" not in approver.read("/rules?on=2031-07-02")


@pytest.mark.parametrize("act", ["propose", "withdraw"])
def test_a_reason_is_asked_for(editor: Desk, act: str) -> None:
    """Without one nothing happens, and the page says so."""
    path = editor.begin()
    refused = editor.post(f"{path}/{act}", status=422, reason="  ")
    assert "A reason is missing." in said(refused.text)
    assert status_of(refused.text) == "checked"


def test_what_is_over_is_not_done_twice(editor: Desk, approver: Desk) -> None:
    """A withdrawn version takes no save, proposal, return or approval; it can be begun again."""
    path = editor.begin()
    archive = editor.hidden(path, "archive")
    editor.post(f"{path}/withdraw", reason="No.")
    editor.post(f"{path}/files", status=409, archive=archive, file="rules.toml", text="x")
    refused = editor.post(f"{path}/propose", status=409, reason="Yes.")
    assert "somebody was faster" in said(refused.text)
    approver.post(f"{path}/return", status=409, reason="No.")
    approver.post(f"{path}/approve", status=409, archive=archive)
    assert status_of(editor.post("/desk/packs", again=path.rpartition("/")[2]).text) == "checked"


def test_only_those_who_may(place: Platform, editor: Desk, approver: Desk) -> None:
    """An auditor reads; an editor does not approve, an approver does not edit; who is not signed in signs in."""
    path = proposed(editor)
    auditor = Desk(place, place.person("auditor", name="Audrey"))
    page = auditor.read(path)
    assert "<textarea class=" not in page
    assert "added rule test-quilltern" in said(page)
    assert 'action="/desk/packs"' not in auditor.read("/desk/packs")
    for desk, act in (
        (auditor, "withdraw"),
        (auditor, "propose"),
        (auditor, "files"),
        (auditor, "try"),
        (editor, "approve"),
    ):
        desk.post(f"{path}/{act}", status=403, reason="I would like to.")
    approver.post(f"{path}/files", status=403)
    approver.post("/desk/packs", status=403, pack="community")
    outside = httpx.get(f"{place.url}{path}")
    assert (outside.status_code, outside.headers["location"]) == (303, "/sign-in")
    assert status_of(editor.read(path)) == "proposed"


@pytest.mark.parametrize("path", ["/desk/packs/act_00000000000000000000000000", "/desk/packs/pub_1", "/desk/packs/x"])
def test_what_is_not_there_is_not_found(editor: Desk, path: str) -> None:
    """A page that says so, for reading and for acting alike."""
    assert editor.http.get(path).status_code == 404
    editor.post(f"{path}/withdraw", status=404, reason="x")
    editor.post(f"{path}/files", status=404)
    editor.post("/desk/packs", status=404, pack="no-such-pack")


def test_forms_from_elsewhere_do_nothing(place: Platform, editor: Desk) -> None:
    """Without our token, or from another site, every form is refused and nothing is recorded."""
    path = editor.begin()
    before = place.recorded()
    for act in ("files", "propose", "withdraw", "try"):
        editor.post(f"{path}/{act}", status=403, csrf="guessed", reason="x")
        editor.post(f"{path}/{act}", status=403, origin="https://elsewhere.example", reason="x")
    editor.post("/desk/packs", status=403, csrf="guessed", pack="community")
    assert place.recorded() == before


# --- editing -----------------------------------------------------------------------------------------------------


def test_two_editors_do_not_overwrite_each_other(editor: Desk, both: Desk) -> None:
    """Who saves second is told, sees both texts, and loses nothing."""
    path = editor.begin()
    archive, rules = editor.hidden(path, "archive"), editor.text(path, "rules.toml")
    both.add_rule(path)
    mine = f"{rules}\n# my remark\n"
    refused = editor.post(f"{path}/files", status=409, archive=archive, file="rules.toml", text=mine)
    assert "Somebody has changed this version" in said(refused.text)
    assert "# my remark" in refused.text
    assert "test-quilltern" in refused.text
    assert "# my remark" not in editor.text(path, "rules.toml")


def test_going_to_another_file_saves_what_was_typed(place: Platform, editor: Desk) -> None:
    """Each file is a button of the form; without a change nothing is recorded."""
    path = editor.begin()
    rules = editor.text(path, "rules.toml")
    before = place.recorded()
    shown = editor.save(path, "rules.toml", rules, do="go:pack.toml")
    assert 'data-file="pack.toml"' in shown.text
    assert place.recorded() == before
    shown = editor.save(path, "rules.toml", f"{rules}# later\n", do="go:pack.toml")
    assert 'data-file="pack.toml"' in shown.text
    assert editor.text(path, "rules.toml") == f"{rules}# later\n"
    same = editor.save(path, "rules.toml", f"{rules}# later\n", status=422)
    assert "There is nothing to save" in said(same.text)


def test_texts_come_back_as_they_were(editor: Desk) -> None:
    """Leading blank lines, markup and characters of every plane survive saving and reading, byte for byte."""
    path = editor.begin()
    text = '\n\n# </textarea><script>alert(1)</script> &amp; 規則 🍵\r\nx = "\t"\n'
    page = editor.save(path, "rules.toml", text).text
    assert "<script>alert(1)" not in page
    assert editor.text(path, "rules.toml") == text.replace("\r\n", "\n")


def test_files_are_added_and_taken_out(editor: Desk) -> None:
    """A name that packs have, once; what is not one, or is there already, is refused with the name kept."""
    path = editor.begin()
    rules = editor.text(path, "rules.toml")
    added = editor.save(path, "rules.toml", rules, do="add", new_file="lists/terns.toml")
    assert 'data-file="lists/terns.toml"' in added.text
    assert re.search(r"lists/terns\.toml:\d+|lists/terns\.toml ", said(added.text))
    for name in ("lists/terns.toml", "../etc/passwd", "lists/Terns.toml", "notes.txt", ""):
        refused = editor.save(path, "rules.toml", rules, status=422, do="add", new_file=name)
        assert "No file can be added under this name." in said(refused.text)
        assert f'value="{html.escape(name)}"' in refused.text
    gone = editor.save(path, "lists/terns.toml", "", do="remove")
    assert "lists/terns.toml" not in gone.text
    assert status_of(gone.text) == "checked"


# --- checking as one types ---------------------------------------------------------------------------------------


def check(desk: Desk, path: str, sent: Any, **headers: str) -> httpx.Response:
    """What the page's script asks."""
    return desk.http.post(f"{path}/check", json=sent, headers={"x-csrf-token": desk.csrf, **headers})


def test_a_text_is_checked_without_being_saved(place: Platform, editor: Desk) -> None:
    """The mistakes of the text as posted, with file and line; nothing is recorded."""
    path = editor.begin()
    rules, before = editor.text(path, "rules.toml"), place.recorded()
    clean = check(editor, path, {"file": "rules.toml", "text": rules}).json()
    assert clean == {"mistakes": [], "count": 0}
    wrong = check(editor, path, {"file": "rules.toml", "text": rules + "\nwhen = 1 2\n"}).json()
    assert wrong["count"] == 1
    found = wrong["mistakes"][0]
    assert (found["file"], found["line"], found["quote"]) == ("rules.toml", rules.count("\n") + 2, "when = 1 2")
    assert found["message"]
    assert place.recorded() == before
    assert editor.text(path, "rules.toml") == rules


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"file": "rules.toml"}, 422),
        ({"file": 1, "text": "x"}, 422),
        (["rules.toml"], 422),
        ({"file": "no-such.toml", "text": "x"}, 404),
        ({"file": "rules.toml", "text": "\x00"}, 400),
    ],
)
def test_a_check_that_makes_no_sense_is_refused(editor: Desk, sent: Any, status: int) -> None:
    """What is not a file and a text, or names no file of the version."""
    assert check(editor, editor.begin(), sent).status_code == status


def test_a_check_is_ours_and_an_editors(editor: Desk, approver: Desk) -> None:
    """Without the token, from another site, or without the permission nothing is checked."""
    path = editor.begin()
    sent = {"file": "rules.toml", "text": "x"}
    assert check(editor, path, sent, **{"x-csrf-token": "guessed"}).status_code == 403
    assert check(editor, path, sent, origin="https://elsewhere.example").status_code == 403
    assert check(editor, path, sent, **{"sec-fetch-site": "cross-site"}).status_code == 403
    assert check(approver, path, sent).status_code == 403


# --- trying it ---------------------------------------------------------------------------------------------------


def test_a_past_item_is_tried(place: Platform, editor: Desk) -> None:
    """By its id: what is said of it now and what would be, and the record is as it was."""
    path = editor.begin()
    editor.add_rule(path)
    item = place.submit(QUILLTERN)["id"]
    before = place.recorded()
    tried = said(editor.post(f"{path}/try", publication=item).text)
    assert re.search(r"As it is now approve .*With this version hold for review", tried)
    assert "community/test-quilltern" in tried
    assert place.recorded() == before


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "Type a text first."),
        ({"publication": "pub_00000000000000000000000000"}, "There is no item with this id"),
        ({"publication": "acc_00000000000000000000000000"}, "There is no item with this id"),
    ],
)
def test_nothing_to_try_is_said(editor: Desk, fields: dict[str, Any], told: str) -> None:
    """Neither a text nor an item that there is."""
    assert told in said(editor.post(f"{editor.begin()}/try", status=422, **fields).text)


def test_what_has_mistakes_is_not_tried(editor: Desk) -> None:
    """It does not load, so that nothing can be said; its mistakes are listed."""
    path = editor.begin()
    editor.save(path, "rules.toml", "nothing = ")
    page = said(editor.post(f"{path}/try", status=422, **PLAIN).text)
    assert "This version has mistakes." in page
    assert re.search(r"rules\.toml:\d", page)


# --- the rules on a date -----------------------------------------------------------------------------------------


def test_rules_of_a_date(place: Platform) -> None:
    """Today, a day to come, an instant with its zone; what is no date, and what was before the record, is said."""
    today = datetime.now(UTC).date()
    shown = {on: place.client().get("/rules", params={"on": on}) for on in ("", str(today), "2100-01-01")}
    assert {answer.status_code for answer in shown.values()} == {200}
    assert "This lies ahead" in said(shown["2100-01-01"].text)
    assert "This lies ahead" not in said(shown[""].text)
    assert place.client().get("/rules?on=2100-01-01T09:00:00+08:00").status_code == 200
    for bad in ("2026-02-30", "tomorrow", "2026-01-01T09:00:00", "0", "<script>", "99999-01-01"):
        answer = place.client().get("/rules", params={"on": bad})
        assert answer.status_code == 422
        assert "This is not a date." in said(answer.text)
    early = place.client().get("/rules?on=1999-12-31")
    assert early.status_code == 404
    assert "The record of this platform begins later" in said(early.text)


def test_rules_have_their_own_dates(new_platform: NewPlatform, tmp_path: Path) -> None:
    """A rule from a day on, and until one, is on the page of those days alone; a day begins in the pack's zone."""
    day = datetime.now(UTC).date() + timedelta(days=400)
    last = day + timedelta(days=10)
    platform = new_platform(packs=("community",))
    edith = Desk(platform, platform.person("policy_editor", name="Edith"))
    apollo = Desk(platform, platform.person("policy_approver", name="Apollo"))
    path = edith.begin()
    edith.add_rule(path, RULE.replace("from = 2020-01-01", f"from = {day}\nuntil = {last}"))
    edith.post(f"{path}/propose", reason="Terns.")
    apollo.post(f"{path}/approve", archive=apollo.hidden(path, "archive"))
    until(lambda: status_of(apollo.read(path)) == "active", "the version is in force")
    asked = [day - timedelta(days=1), day, last - timedelta(days=1), last]
    found = ["test-quilltern" in edith.read(f"/rules?on={each}") for each in asked]
    assert found == [False, True, True, False]


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        ("2026-11-24", "2026-11-24T09:00:00+00:00"),  # today: now
        ("2026-11-25", "2026-11-25T12:00:00+00:00"),
        ("2026-11-23", "2026-11-23T12:00:00+00:00"),
        ("2026-11-24T10:00:00+08:00", "2026-11-24T02:00:00+00:00"),
        ("2026-11-24T10:00:00 08:00", "2026-11-24T02:00:00+00:00"),
        ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00+00:00"),
        ("2026-11-24T10:00:00", None),
        ("24.11.2026", None),
        ("", None),
    ],
)
def test_dates_stand_for_instants(on: str, expected: str | None) -> None:
    """Today is now, any other day its noon in UTC; an instant needs its zone."""
    now = datetime(2026, 11, 24, 9, tzinfo=UTC)
    micros = instant_of(on, round(now.timestamp() * 1_000_000))
    assert (None if micros is None else datetime.fromtimestamp(micros / 1_000_000, UTC).isoformat()) == expected


# --- what the rules have done ------------------------------------------------------------------------------------


def test_hits_are_counted_by_rule_and_day(new_platform: NewPlatform) -> None:
    """A rule that fired twice today says two, in effect; one that never fired says none; an auditor may read it."""
    platform = new_platform(packs=("community",))
    auditor = Desk(platform, platform.person("auditor", name="Audrey"))
    for _ in range(2):
        platform.submit_as("held")
    platform.submit(PLAIN)
    page = said(auditor.read("/desk/rules"))
    assert "the newest 3 items" in page
    assert re.search(r"community/solicitation-words 2 0 0( ·){6} 2 ", page)
    assert re.search(r"community/\S+ 0 0 0( ·){7}", page)


# --- rules out of effect -----------------------------------------------------------------------------------------

CONTACT: Final = ("community", "solicitation-words")


async def _pause(folder: Path) -> None:
    """Take a rule out of effect as the guard does, on a platform that no process serves."""
    async with open_house(load({"data": str(folder), "log_level": "error"}, {}), serving=False) as house:
        digest = next(pack.digest for pack in house.service.policy.packs if pack.id == CONTACT[0])
        pause = Pause(guard_id(*CONTACT), *CONTACT, digest, (60, 57), (1_203, 3), 20)
        done = await house.service.carry_out(SYSTEM_GUARD, "guard", pause.id, plainly(Plan(pause)))
        assert isinstance(done, Done)


@pytest.fixture(scope="module")
def surged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform with a rule out of effect."""
    made = Platform(tmp_path_factory.mktemp("surged") / "data", packs=("community",))
    asyncio.run(_pause(made.folder))
    try:
        yield made.start()
    finally:
        made.stop()


def test_a_rule_out_of_effect_is_put_back_with_a_reason(surged: Platform) -> None:
    """The page has the numbers for all who read packs; those who approve put the rule back, once, and say why."""
    edith = Desk(surged, surged.person("policy_editor", name="Edith"))
    apollo = Desk(surged, surged.person("policy_approver", name="Apollo"))
    resume = f"/desk/packs/rules/{'/'.join(CONTACT)}/resume"
    assert surged.submit(SOLICITING)["status"] == "approved"
    assert "Hit 57 of 60 acts within a quarter of an hour; before that, 3 of 1,203." in said(edith.read("/desk/packs"))
    assert resume not in edith.read("/desk/packs")
    edith.post(resume, status=403, reason="It was a sale.")
    assert resume in apollo.read("/desk/packs")
    refused = apollo.post(resume, status=422, reason="  ")
    assert "A reason is missing." in said(refused.text)
    assert 'aria-invalid="true"' in refused.text
    assert surged.submit(SOLICITING)["status"] == "approved"

    done = apollo.post(resume, reason="It was a sale.")
    assert "The rule is back in effect." in said(done.text)
    assert "Out of effect" not in said(done.text)
    assert surged.submit(SOLICITING)["status"] == "held"
    again = apollo.post(resume, status=409, reason="It was a sale.")
    assert "The rule is in effect already." in said(again.text)
    apollo.post("/desk/packs/rules/community/no-such-rule/resume", status=404, reason="Why not.")
    entries = surged.entries(guard_id(*CONTACT))
    assert [(each["kind"], each["body"].get("reason", "")) for each in entries][1:] == [
        ("guard.resumed", "It was a sale.")
    ]


# --- the backtest that a version is proposed with ----------------------------------------------------------------


@pytest.fixture(scope="module")
def report(surged: Platform, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The report of a backtest of the shipped pack, which is what a version is that nobody has changed yet."""
    pytest.importorskip("pyarrow", reason="the extra `backtest` is not installed")
    surged.submit(SOLICITING, account=surged.open_account())
    out = tmp_path_factory.mktemp("backtest") / "out"
    surged.cli("backtest", "--pack", "community", "--workers", "1", "--out", str(out))
    return (out / "report.json").read_bytes()


def propose(desk: Desk, path: str, report: bytes) -> httpx.Response:
    """Propose a version with a file, as a browser does; the answer."""
    fields = {"csrf": desk.csrf, "reason": "As tested.", "activate_at": ""}
    sent = {"backtest": ("report.json", report, "application/json")}
    return desk.http.post(
        f"{path}/propose", data=fields, files=sent, headers={"origin": str(desk.http.base_url).rstrip("/")}
    )


def test_a_version_is_proposed_with_its_backtest(surged: Platform, report: bytes) -> None:
    """The approver reads the totals and goes to the items; the hash of the very file stands on record."""
    editor = Desk(surged, surged.person("policy_editor", name="Ester"))
    approver = Desk(surged, surged.person("policy_approver", name="Abel"))
    path = editor.begin()
    assert status_of(propose(editor, path, report).text) == "proposed"
    page = approver.read(path)
    told = json.loads(report)
    assert f"Items {told['items']} " in said(page)
    assert f"As before {told['unchanged']} " in said(page)
    fired = [each for each in told["rules"] if each["fired"]]
    assert fired
    assert all(each["rule"] in said(page) for each in fired)
    samples = [
        one["publication"] for each in told["transitions"] if each["then"] != each["now"] for one in each["samples"]
    ]
    assert samples, "what the guard let through is held again"
    assert all(f'href="/desk/items/{each}"' in page for each in samples)
    entries = surged.entries(path.rpartition("/")[2])
    assert entries[-1]["body"]["backtest"] == hashlib.sha256(report).hexdigest()
    editor.post(f"{path}/withdraw", reason="Done.")


def test_a_backtest_of_other_files_is_refused(surged: Platform, report: bytes) -> None:
    """After a change the report is about something else, and the page says about what; nothing is proposed."""
    editor = Desk(surged, surged.person("policy_editor", name="Elias"))
    path = editor.begin()
    editor.add_rule(path)
    refused = propose(editor, path, report)
    assert (refused.status_code, status_of(refused.text)) == (422, "checked")
    assert "The backtest was run with another version of this pack." in said(refused.text)
    assert json.loads(report)["packs"][0] in said(refused.text)
    assert "As tested." in refused.text


@pytest.mark.parametrize("spoil", [b"{}", b"\xff\x00", b"[" * 100_000, b"extra", b"format", b"large"])
def test_what_is_no_report_is_refused(surged: Platform, report: bytes, spoil: bytes) -> None:
    """Other JSON, other bytes, a field too many, another format, or more than a report can be."""
    told = json.loads(report)
    content = {
        b"extra": json.dumps(told | {"more": 1}).encode(),
        b"format": json.dumps(told | {"format": "placet-backtest-report/2"}).encode(),
        b"large": report + b" " * MOST_BYTES,
    }.get(spoil, spoil)
    editor = Desk(surged, surged.person("policy_editor", name=f"Eli {spoil[:6]!r}"))
    path = editor.begin()
    refused = propose(editor, path, content)
    assert (refused.status_code, status_of(refused.text)) == (422, "checked")
    assert "This is not the report of a backtest." in said(refused.text)


def test_no_file_is_no_report_and_the_form_is_still_ours(surged: Platform) -> None:
    """A browser sends an empty file where none was chosen; a form with a file needs this session's token too."""
    editor = Desk(surged, surged.person("policy_editor", name="Enid"))
    path = editor.begin()
    forged = editor.http.post(f"{path}/propose", data={"csrf": "x", "reason": "Mine."}, files={"backtest": ("", b"")})
    assert forged.status_code == 403
    assert status_of(editor.read(path)) == "checked"
    done = propose(editor, path, b"")
    assert status_of(done.text) == "proposed"
    assert "Backtest report" not in said(done.text)

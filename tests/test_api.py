"""The API in the words of its users: platforms that submit, authors who revise and contest, staff who decide."""

import base64
import html
import json
import re
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
import schemathesis.openapi
from hypothesis import HealthCheck, given, settings
from platforms import (
    AGREEMENT,
    EMPTY,
    PLAIN,
    REPORT,
    REPOST,
    SOLICITING,
    SOURCE,
    Doc,
    NewPlatform,
    Platform,
    in_time,
    problem_in,
    until,
)
from schemathesis.specs.openapi import checks as conformance
from stores import PostgresBackend

from placet.errors import CODES
from placet.ledger.checkpoint import Checkpoint, open_checkpoint
from placet.ledger.encode import leaf_hash, parse_header
from placet.ledger.merkle import root, verify_consistency, verify_inclusion
from placet.model import LANGUAGES

pytest_plugins = ("platforms",)

_HASH: Final = 32
GROUND: Final = "community.solicitation"


@pytest.fixture(scope="module")
def description(platform: Platform) -> Any:
    """The API's own description, read from the server."""
    return schemathesis.openapi.from_dict(platform.client().get("/v1/openapi.json").json())


@pytest.fixture(autouse=True, scope="module")
def _described(platform: Platform, description: Any) -> Iterator[None]:
    """Every response that any test here gets must fit the description."""

    def fits(response: httpx.Response) -> None:
        path = response.request.url.path
        operation = description.find_operation_by_path(response.request.method, path)
        if operation is not None and not path.endswith("/batch"):
            operation.validate_response(response)

    platform.watchers.append(fits)
    yield
    platform.watchers.remove(fits)


@pytest.fixture
def author(platform: Platform) -> str:
    """A fresh account of class other without any right."""
    return platform.open_account()


@pytest.fixture(scope="module")
def reviewer(platform: Platform) -> httpx.Client:
    return platform.staff("reviewer")


@pytest.fixture(scope="module")
def lead(platform: Platform) -> httpx.Client:
    return platform.staff("lead")


def act(client: httpx.Client, publication: str, command: str, **body: Any) -> httpx.Response:
    """Send one command about a publication; a body only where there is something to say."""
    return client.post(f"/v1/publications/{publication}/{command}", json=body or None)


def decide(client: httpx.Client, shown: Doc, decision: str, **body: Any) -> httpx.Response:
    """Decide on the version that is shown."""
    return act(client, shown["id"], "decisions", decision=decision, version=shown["version"], **body)


def done(response: httpx.Response) -> Doc:
    """What a command that was carried out answers."""
    assert response.status_code in (200, 201), response.text
    answer: Doc = response.json()
    return answer


def kinds(platform: Platform, publication: str) -> list[str]:
    """What happened to a publication, in short."""
    return [entry["kind"].removeprefix("publication.") for entry in platform.entries(publication)]


# --- accounts ----------------------------------------------------------------------------------------------------


def test_an_account_is_opened_and_read(platform: Platform) -> None:
    """What the platform says of an account is what it reads back."""
    asked = {
        "class": "news_org",
        "display_name": "樣本日報",
        "external_id": "press-7",
        "rights": ["news.publish"],
        "agreement": AGREEMENT,
        "language": "zh-Hant",
    }
    opened = done(platform.http.post("/v1/accounts", json=asked))
    assert opened["id"].startswith("acc_")
    assert {name: opened[name] for name in asked} == asked
    assert done(platform.http.get(f"/v1/accounts/{opened['id']}")) == opened


def test_an_account_changes_and_closes_on_the_record(platform: Platform, author: str) -> None:
    """Each change is one entry, a change of nothing is none, and a closed account neither submits nor changes."""
    path = f"/v1/accounts/{author}"
    rights = {"rights": ["news.repost"], "basis": "Licence seen on file."}
    assert done(platform.http.post(f"{path}/rights", json=rights))["rights"] == ["news.repost"]
    done(platform.http.post(f"{path}/rights", json=rights))
    done(platform.http.post(f"{path}/agreement", json={"agreement": "2026-02"}))
    done(platform.http.post(f"{path}/profile", json={"display_name": "New name"}))
    assert done(platform.http.post(f"{path}/close"))["status"] == "closed"
    kinds = ["opened", "rights_set", "agreement_set", "profile_set", "closed"]
    assert [entry["kind"] for entry in platform.entries(author)] == [f"account.{kind}" for kind in kinds]
    asked = {"account": author, **PLAIN}
    problem_in(platform.http.post("/v1/publications", json=asked), 409, "wrong_state")
    problem_in(platform.http.post(f"{path}/rights", json={"rights": []}), 409, "wrong_state")


# --- verdicts ----------------------------------------------------------------------------------------------------

VERDICTS: Final = [
    pytest.param("other", [], REPOST, "refused", ["im14.7.2"], id="no right: a repost of news"),
    pytest.param("other", [], REPORT, "refused", ["im14.7.2"], id="no right: original news"),
    pytest.param("news_org", [], REPORT, "refused", ["im14.7.2"], id="the class alone gives no right"),
    pytest.param("licensed_repost", ["news.repost"], REPORT, "refused", ["im14.7.2"], id="right to repost: original"),
    pytest.param("licensed_repost", ["news.repost"], REPOST, "approved", [], id="right to repost: whole provenance"),
    pytest.param(
        "licensed_repost",
        ["news.repost"],
        {**REPOST, "source": {**SOURCE, "title": ""}},
        "returned",
        ["news17.15.source"],
        id="right to repost: no original title",
    ),
    pytest.param(
        "licensed_repost",
        ["news.repost"],
        {**REPOST, "title": "Another headline"},
        "returned",
        ["news17.15.title"],
        id="right to repost: title changed",
    ),
    pytest.param("news_org", ["news.publish"], REPORT, "approved", [], id="right to publish: original"),
    pytest.param("news_org", ["news.publish"], REPOST, "approved", [], id="right to publish: repost"),
    pytest.param("individual", [], PLAIN, "approved", [], id="an ordinary post"),
    pytest.param("individual", [], SOLICITING, "held", [GROUND], id="words that need a person"),
    pytest.param("individual", [], EMPTY, "returned", ["community.empty"], id="nothing in it"),
]


@pytest.mark.parametrize(("account_class", "rights", "content", "status", "grounds"), VERDICTS)
def test_who_may_publish_what(
    platform: Platform, account_class: str, rights: list[str], content: Doc, status: str, grounds: list[str]
) -> None:
    """IM14 art 7(2), PA21 art 17(1), NEWS17 art 15 and the community's rules, on class, rights and provenance."""
    account = platform.open_account(account_class, rights=rights)
    shown = platform.submit(content, account=account)
    assert (shown["status"], [each["ground"] for each in shown["grounds"]]) == (status, grounds)
    assert shown["automatic"]
    assert platform.read(shown["id"])["status"] == status


def test_a_missing_agreement_is_noted_in_shadow(platform: Platform) -> None:
    """That no agreement is on record (IM14 art 6(2)) shows among the shadow results, and has no effect yet."""
    shown = platform.submit(PLAIN, account=platform.open_account(agreement=""))
    assert shown["status"] == "approved"
    assert [hit["ground"] for hit in shown["verdict"]["shadow"]] == ["im14.6.2"]


def test_a_refusal_names_rule_clause_reason_and_remedy_in_three_languages(platform: Platform) -> None:
    """Whoever is refused learns which clause, why, and what to do, in each language; and which rule saw what."""
    shown = platform.submit_as("refused")
    (ground,) = shown["grounds"]
    assert ("IM14", "7(2)") in {(cite["instrument"], cite["clause"]) for cite in ground["cites"]}
    texts = [ground[name] for name in ("title", "reason", "remedy")]
    texts += [text for cite in ground["cites"] for text in (cite["title"], cite["summary"])]
    for text in texts:
        assert set(text) == set(LANGUAGES)
        assert all(text.values())
    (hit,) = shown["verdict"]["hits"]
    assert (hit["rule"], hit["given"], hit["pack"]) == ("news-publish-needs-right", "refuse", "cn-public-accounts")
    assert "'news.publish' in account.rights" in " ".join(hit["why"])


@pytest.mark.parametrize(
    ("body", "quote", "view"),
    [
        ("Please add me on Telegram today.", "add me on Telegram", "exact"),
        ("請加微信領取資料。", "加微信", "exact"),
        ("看这里，加\u200b微\u200b信，谢谢。", "加\u200b微\u200b信", "squeezed"),
    ],
)
def test_a_finding_points_at_the_words(platform: Platform, author: str, body: str, quote: str, view: str) -> None:
    """Spans are characters of the text as written, and the quote is what stands there, whatever the disguise."""
    shown = platform.submit({"title": "", "body": body}, account=author)
    for finding in shown["findings"]:
        start, end = finding["span"]
        assert body[start:end] == finding["quote"]
    found = [each for each in shown["findings"] if each["detector"] == "terms" and each["quote"] == quote]
    assert found, shown["findings"]
    assert found[0]["field"] == "body"
    assert found[0]["list"].endswith("solicitation")
    assert (found[0]["score"] == 100) == (found[0]["view"] == "exact")
    assert view == "exact" or found[0]["view"] != "exact"
    assert platform.read(shown["id"])["findings"] == shown["findings"]


def test_screen_says_what_a_submission_would_get_and_records_nothing(platform: Platform, author: str) -> None:
    """A trial gives findings, verdict and revision of the real thing, without an entry or a publication."""
    before = platform.recorded()
    tried = done(platform.http.post("/v1/screen", json={"account": author, **SOLICITING}))
    assert platform.recorded() == before
    assert done(platform.http.get("/v1/publications", params={"account": author}))["items"] == []
    shown = platform.submit(SOLICITING, account=author)
    for name in ("verdict", "findings", "revision"):
        assert tried[name] == shown[name]


# --- reading and listing -----------------------------------------------------------------------------------------


def test_a_publication_is_read_with_its_content(platform: Platform, author: str) -> None:
    """What was submitted comes back unchanged, with where it stands and when somebody must act."""
    content = {
        **PLAIN,
        "format": "markdown",
        "category": "general",
        "origin": "repost",
        "source": SOURCE,
        "media": [{"url": "https://img.example.org/1.png", "kind": "image", "sha256": "ab" * 32, "alt": "A door"}],
    }
    shown = platform.submit(content, account=author, external_id="post-1")
    read = platform.read(shown["id"])
    assert {name: read["content"][name] for name in content} == content
    assert (read["external_id"], read["revisions"], read["version"]) == ("post-1", 1, 1)
    held = platform.submit_as("held", account=author)
    assert (held["queue"], held["hold_reason"]) == ("review", "verdict")
    assert held["due_at"] > held["submitted_at"]


@pytest.mark.parametrize("order", ["newest", "opened", "due"])
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_walk_everything_once(platform: Platform, listed: tuple[str, list[str]], order: str, limit: int) -> None:
    """Following next_cursor shows every publication once, in the order asked for, also while new ones arrive."""
    account, ids = listed
    seen: list[Doc] = []
    cursor = ""
    while True:
        asked: dict[str, Any] = {"account": account, "order": order, "limit": limit, "cursor": cursor}
        page = done(platform.http.get("/v1/publications", params=asked))
        assert len(page["items"]) <= limit
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = page["next_cursor"]
        assert len(seen) < 100
    assert sorted(each["id"] for each in seen) == sorted(ids)
    if order != "due":
        times = [(each["submitted_at"], each["id"]) for each in seen]
        assert times == sorted(times, reverse=order == "newest")


@pytest.fixture(scope="module")
def listed(platform: Platform) -> tuple[str, list[str]]:
    """An account with six publications of five statuses."""
    account = platform.open_account()
    statuses = ("approved", "held", "returned", "refused", "scheduled", "held")
    return account, [platform.submit_as(status, account=account)["id"] for status in statuses]


def test_a_listing_is_narrowed_by_status_and_queue(platform: Platform, listed: tuple[str, list[str]]) -> None:
    """Filters leave what fits and nothing else."""
    account, ids = listed
    for narrowed in ({"status": "held"}, {"queue": "review"}):
        page = done(platform.http.get("/v1/publications", params={"account": account, **narrowed}))
        assert {each["id"] for each in page["items"]} == {ids[1], ids[5]}


def test_accounts_are_listed_by_cursor(platform: Platform) -> None:
    """The accounts too are walked page by page, newest first."""
    fresh = [platform.open_account() for _ in range(3)]
    first = done(platform.http.get("/v1/accounts", params={"limit": 2}))
    second = done(platform.http.get("/v1/accounts", params={"limit": 1, "cursor": first["next_cursor"]}))
    assert [each["id"] for each in first["items"] + second["items"]] == fresh[::-1]


# --- revising ----------------------------------------------------------------------------------------------------


def test_unchanged_content_is_no_revision(platform: Platform, author: str) -> None:
    """The same content again is refused: nothing has changed that could be decided anew."""
    shown = platform.submit_as("held", account=author)
    problem_in(act(platform.http, shown["id"], "revisions", **SOLICITING), 422, "unchanged")
    assert kinds(platform, shown["id"]) == ["submitted"]


def test_a_revision_is_screened_again(platform: Platform, author: str) -> None:
    """A returned text that is put right is approved; the version read must be the present one."""
    shown = platform.submit_as("returned", account=author)
    stale = act(platform.http, shown["id"], "revisions", **PLAIN, version=shown["version"] + 1)
    problem_in(stale, 409, "stale")
    after = done(act(platform.http, shown["id"], "revisions", **PLAIN, version=shown["version"]))
    assert (after["status"], after["revisions"]) == ("approved", 2)
    assert after["revision"] != shown["revision"]


def test_an_approval_covers_one_revision(platform: Platform, author: str, reviewer: httpx.Client) -> None:
    """What was approved does not carry over to changed content; what is live stays until the change is released."""
    first = platform.submit_as("approved", account=author)
    released = done(act(platform.http, first["id"], "release"))
    assert released["live_revision"] == first["revision"]
    changed = done(act(platform.http, first["id"], "revisions", **SOLICITING))
    assert (changed["status"], changed["live_revision"]) == ("held", first["revision"])
    problem_in(act(platform.http, first["id"], "release"), 409, "wrong_state")
    approved = done(decide(reviewer, changed, "approve", reason="A quotation."))
    assert (approved["status"], approved["automatic"]) == ("approved", False)
    live = done(act(platform.http, first["id"], "release"))
    assert live["live_revision"] == changed["revision"]
    assert kinds(platform, first["id"]) == ["submitted", "released", "revised", "approved", "released"]


# --- deciding ----------------------------------------------------------------------------------------------------


def test_a_claim_gives_the_item_an_owner_until_it_is_given_back(
    platform: Platform, author: str, reviewer: httpx.Client, lead: httpx.Client
) -> None:
    """While one has it in hand, nobody else claims, gives back or decides it."""
    shown = platform.submit_as("held", account=author)
    claimed = done(act(reviewer, shown["id"], "claim"))
    problem_in(act(lead, shown["id"], "claim"), 409, "claimed_by_other")
    problem_in(act(lead, shown["id"], "unclaim"), 409, "claimed_by_other")
    problem_in(decide(lead, claimed, "approve"), 409, "claimed_by_other")
    done(act(reviewer, shown["id"], "unclaim"))
    assert done(decide(lead, platform.read(shown["id"]), "approve"))["status"] == "approved"


@pytest.mark.parametrize(
    ("decision", "body", "code"),
    [
        ("return", {}, "changes_missing"),
        ("return", {"changes": " \n"}, "changes_missing"),
        ("return", {"changes": "Cut it.", "ground": "community.nothing"}, "ground_unknown"),
        ("refuse", {"facts": "Seen.", "reason": "Because."}, "ground_unknown"),
        ("refuse", {"ground": "community.nothing", "facts": "Seen.", "reason": "Because."}, "ground_unknown"),
        ("refuse", {"ground": GROUND, "reason": "Because."}, "reason_missing"),
        ("refuse", {"ground": GROUND, "facts": "Seen.", "reason": "  "}, "reason_missing"),
        ("refuse", {"ground": "community.other", "facts": "Seen.", "reason": "Because."}, "ground_needs_law"),
        ("escalate", {}, "reason_missing"),
    ],
)
def test_a_restriction_without_its_grounds_is_not_taken(
    platform: Platform, reviewer: httpx.Client, decision: str, body: Doc, code: str
) -> None:
    """Ground, facts, reason, what to change, the law where the ground asks for it: what is missing is named."""
    shown = platform.submit_as("held")
    problem_in(decide(reviewer, shown, decision, **body), 422, code)
    assert platform.read(shown["id"])["version"] == shown["version"]


def test_a_return_says_what_to_change(platform: Platform, reviewer: httpx.Client) -> None:
    """The author finds in the history what a person wants changed, and may send it again."""
    shown = platform.submit_as("held")
    returned = done(decide(reviewer, shown, "return", changes="Take the contact out.", ground=GROUND))
    assert (returned["status"], returned["automatic"]) == ("returned", False)
    assert platform.entries(shown["id"])[-1]["body"]["changes"] == "Take the contact out."
    assert done(act(platform.http, shown["id"], "revisions", **PLAIN))["status"] == "approved"


def test_a_refusal_by_a_person_keeps_ground_facts_and_reason(platform: Platform, reviewer: httpx.Client) -> None:
    """Of a refusal the record holds on which clause, on what was seen, and why it applies."""
    shown = platform.submit_as("held")
    words = {
        "ground": "community.other",
        "facts": "A price list is offered.",
        "reason": "It is an advert.",
        "law": "X 1",
    }
    refused = done(decide(reviewer, shown, "refuse", **words))
    assert (refused["status"], [each["ground"] for each in refused["grounds"]]) == ("refused", ["community.other"])
    body = platform.entries(shown["id"])[-1]["body"]
    assert {name: body[name] for name in words} == words
    assert body["revision"] == shown["revision"]


def test_an_escalated_item_is_for_a_lead(platform: Platform, reviewer: httpx.Client, lead: httpx.Client) -> None:
    """An escalation changes the queue; then only a lead decides it."""
    shown = platform.submit_as("held")
    raised = done(decide(reviewer, shown, "escalate", reason="I am not sure."))
    assert (raised["status"], raised["queue"], raised["hold_reason"]) == ("held", "lead", "escalated")
    problem = problem_in(decide(reviewer, raised, "approve"), 403, "forbidden")
    assert problem["facts"]["permission"] == "publication.decide_escalated"
    assert done(decide(lead, raised, "approve"))["status"] == "approved"


def test_an_author_may_ask_for_a_person_once_a_rule_has_refused(
    platform: Platform, author: str, lead: httpx.Client
) -> None:
    """A refusal by rules alone can be contested (PIPL art 24(3)); a person's is final here."""
    shown = platform.submit_as("refused", account=author)
    contested = done(act(platform.http, shown["id"], "contest", statement="This is no news."))
    assert (contested["status"], contested["queue"], contested["hold_reason"]) == ("held", "lead", "contested")
    words = {"ground": "im14.7.2", "facts": "A report on public affairs.", "reason": "The account has no right."}
    assert done(decide(lead, contested, "refuse", **words))["status"] == "refused"
    problem_in(act(platform.http, shown["id"], "contest", statement="Again."), 409, "wrong_state")
    assert kinds(platform, shown["id"]) == ["submitted", "contested", "refused"]


def test_an_author_withdraws(platform: Platform, author: str) -> None:
    """Withdrawn is the end: nothing more is decided, revised or released."""
    shown = platform.submit_as("held", account=author)
    gone = done(act(platform.http, shown["id"], "withdraw"))
    assert (gone["status"], gone["queue"], gone["due_at"]) == ("withdrawn", "", None)
    problem_in(act(platform.http, shown["id"], "revisions", **PLAIN), 409, "wrong_state")
    problem_in(act(platform.http, shown["id"], "release"), 409, "wrong_state")
    problem_in(act(platform.http, shown["id"], "withdraw"), 409, "wrong_state")


def test_a_lead_takes_down_what_is_live(platform: Platform, reviewer: httpx.Client, lead: httpx.Client) -> None:
    """What was released can be taken down with ground, facts and reason; not by a reviewer, not what is not live."""
    words = {"ground": "community.privacy", "facts": "It shows an address.", "reason": "The person objects."}
    shown = platform.submit_as("approved")
    problem_in(decide(lead, shown, "take_down", **words), 409, "wrong_state")
    live = done(act(platform.http, shown["id"], "release"))
    problem_in(decide(reviewer, live, "take_down", **words), 403, "forbidden")
    problem_in(decide(lead, live, "take_down"), 422, "ground_unknown")
    down = done(decide(lead, live, "take_down", **words))
    assert (down["status"], down["live_revision"]) == ("taken_down", "")
    assert platform.entries(shown["id"])[-1]["body"]["live_revision"] == shown["revision"]


# --- releasing ---------------------------------------------------------------------------------------------------


def _set_rights(platform: Platform, account: str, *rights: str) -> None:
    done(platform.http.post(f"/v1/accounts/{account}/rights", json={"rights": list(rights), "basis": "Licence."}))


def test_a_release_is_blocked_once_the_right_is_gone(platform: Platform) -> None:
    """The checks run at the moment of publishing; the one that fails is named, and passes again with the right."""
    account = platform.open_account("news_org", rights=["news.publish"])
    shown = platform.submit(REPORT, account=account)
    assert shown["status"] == "approved"
    _set_rights(platform, account)
    blocked = done(act(platform.http, shown["id"], "release"))
    assert (blocked["status"], blocked["blocked_by"]) == ("blocked", ["right"])
    assert [each["ground"] for each in blocked["grounds"]] == ["im14.7.2"]
    problem = problem_in(act(platform.http, shown["id"], "release"), 409, "wrong_state")
    assert problem["facts"]["blocked_by"] == ["right"]
    _set_rights(platform, account, "news.publish")
    released = done(act(platform.http, shown["id"], "release"))
    assert (released["status"], released["blocked_by"]) == ("released", [])
    assert released["live_revision"] == shown["revision"]


def test_the_clock_releases_what_is_scheduled(platform: Platform, author: str) -> None:
    """At its instant a scheduled publication is released without anybody asking, by the system's deadlines, once."""
    shown = platform.submit(PLAIN, account=author, schedule_at=in_time(1))
    assert (shown["status"], shown["due_at"]) == ("scheduled", shown["schedule_at"])
    problem_in(act(platform.http, shown["id"], "release"), 409, "wrong_state")
    until(lambda: platform.read(shown["id"])["status"] == "released", "the clock releases")
    submitted, released = platform.entries(shown["id"])
    assert (submitted["kind"], released["kind"]) == ("publication.submitted", "publication.released")
    assert released["actor"] == "system:deadlines"
    assert released["at"] >= shown["schedule_at"]


def test_the_clock_blocks_what_may_no_longer_be_published(platform: Platform) -> None:
    """A scheduled release is checked like any other: a right that was lost in between blocks it."""
    account = platform.open_account("news_org", rights=["news.publish"])
    shown = platform.submit(REPORT, account=account, schedule_at=in_time(2))
    _set_rights(platform, account)
    until(lambda: platform.read(shown["id"])["status"] != "scheduled", "the clock looks at it")
    after = platform.read(shown["id"])
    assert (after["status"], after["blocked_by"], after["live_revision"]) == ("blocked", ["right"], "")


# --- the record --------------------------------------------------------------------------------------------------


def test_a_history_is_told_as_its_reader_may_see_it(platform: Platform, reviewer: httpx.Client) -> None:
    """Versions run without a gap; the platform sees which person acted, an author's key only that staff did."""
    account = platform.open_account()
    shown = platform.submit_as("held", account=account)
    done(decide(reviewer, shown, "approve"))
    entries = platform.entries(shown["id"])
    assert [entry["version"] for entry in entries] == [1, 2]
    assert entries[1]["actor"] == platform.person("reviewer").id
    assert all(entry["basis"]["policy"] == shown["verdict"]["policy"] for entry in entries)
    bound = platform.client(platform.key(account=account).token)
    told = done(bound.get(f"/v1/dossiers/{shown['id']}/entries"))["items"]
    assert [entry["actor"] for entry in told] == [entries[0]["actor"], "staff"]


def test_a_long_history_is_walked_by_version(platform: Platform, author: str) -> None:
    """`after` goes on from a version; every entry comes once."""
    shown = platform.submit_as("approved", account=author)
    for number in range(3):
        done(act(platform.http, shown["id"], "revisions", title="Hours", body=f"Open from {number} o'clock."))
    seen: list[int] = []
    after: str | None = "0"
    while after is not None:
        path = f"/v1/dossiers/{shown['id']}/entries"
        page = done(platform.http.get(path, params={"after": after, "limit": 2}))
        seen += [entry["version"] for entry in page["items"]]
        after = page["next_cursor"]
    assert seen == [1, 2, 3, 4]


def _head(platform: Platform, least: int = 0) -> Checkpoint:
    """The latest head, verified with the key that `placet init` printed, once it covers `least` entries."""

    def covering() -> Checkpoint | None:
        head = open_checkpoint(platform.client().get("/v1/ledger/checkpoint").text, [platform.vkey])
        return head if head.size >= least else None

    found = until(covering, "a head is signed")
    assert found is not None
    return found


def _leaves(platform: Platform, size: int) -> list[bytes]:
    """The leaf hashes of the first `size` entries, from the public tiles."""
    found = b""
    for index in range(-(-size // 256)):
        width = min(256, size - index * 256)
        name = f"{index:03}" if width == 256 else f"{index:03}.p/{width}"
        found += platform.client().get(f"/v1/ledger/tile/0/{name}").raise_for_status().content
    return [found[at : at + _HASH] for at in range(0, len(found), _HASH)]


def test_an_outsider_can_check_the_record(platform: Platform, author: str) -> None:
    """Head, key, tiles, inclusion and consistency are all verified with public means, against an older head too."""
    old = _head(platform, 1)
    shown = platform.submit_as("approved", account=author)
    (entry,) = platform.entries(shown["id"])
    head = _head(platform, entry["seq"] + 1)
    assert platform.client().get("/v1/ledger/key").text.strip() == platform.vkey
    leaves = _leaves(platform, head.size)
    assert root(leaves) == head.root
    assert root(leaves[: old.size]) == old.root

    proof = done(platform.http.get(f"/v1/ledger/entries/{entry['seq']}/proof"))
    signed = open_checkpoint(proof["checkpoint"], [platform.vkey])
    line = proof["header_line"].encode()
    header = parse_header(line)
    assert (header.dossier, header.seq, header.commitment) == (shown["id"], entry["seq"], entry["commitment"])
    assert leaf_hash(line) == base64.b64decode(proof["leaf"]) == leaves[entry["seq"]]
    path = [base64.b64decode(each) for each in proof["proof"]]
    assert verify_inclusion(leaf_hash(line), header.seq, signed.size, path, signed.root)
    assert not verify_inclusion(leaf_hash(line + b" "), header.seq, signed.size, path, signed.root)

    grown = done(platform.client().get(f"/v1/ledger/consistency/{old.size}"))
    later = open_checkpoint(grown["checkpoint"], [platform.vkey])
    steps = [base64.b64decode(each) for each in grown["proof"]]
    assert verify_consistency(old.size, old.root, later.size, later.root, steps)
    assert later.size == old.size or not verify_consistency(old.size, bytes(_HASH), later.size, later.root, steps)


# --- batches -----------------------------------------------------------------------------------------------------


def _send(platform: Platform, lines: list[bytes], **headers: str) -> list[Doc]:
    kind = {"content-type": "application/x-ndjson", **headers}
    response = platform.http.post("/v1/publications/batch", content=b"\n".join(lines), headers=kind)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in response.text.splitlines()]


def test_a_batch_answers_line_by_line_and_a_bad_line_fails_alone(platform: Platform, author: str) -> None:
    """Results come in the order of the lines, each with its own verdict or its own problem."""
    contents = [PLAIN, SOLICITING, EMPTY, REPORT]
    lines = [json.dumps({"account": author, **content}).encode() for content in contents]
    lines[1:1] = [b'{"account": ', b'{"account":"%b","account":"x"}' % author.encode(), b"", b'{"account":"pub_1"}']
    lines.append(json.dumps({"account": author, **PLAIN, "colour": "red"}).encode())
    lines.append(json.dumps({"account": author, **PLAIN, "schedule_at": 4_000_000_000}).encode())
    before = platform.recorded()
    results = _send(platform, lines)
    assert [each["line"] for each in results] == list(range(1, 11))
    good = {1: "approved", 6: "held", 7: "returned", 8: "refused"}
    bad = {
        2: "malformed_json",
        3: "duplicate_key",
        4: "malformed_json",
        5: "wrong_id_kind",
        9: "invalid",
        10: "invalid",
    }
    assert {each["line"]: each["publication"]["status"] for each in results if each["status"] == 201} == good
    assert {each["line"]: each["problem"]["code"] for each in results if each["status"] != 201} == bad
    assert platform.recorded() == before + len(good)


def test_a_long_batch_keeps_its_order(platform: Platform, author: str) -> None:
    """Also over many parts, the n-th result is that of the n-th line, and every line is on the record."""
    count = 600
    lines = [
        json.dumps({"account": author, "body": f"Post {number}", "external_id": f"n{number}"})
        for number in range(count)
    ]
    results = _send(platform, [line.encode() for line in lines])
    assert [each["publication"]["external_id"] for each in results] == [f"n{number}" for number in range(count)]
    assert len({each["publication"]["id"] for each in results}) == count


def test_a_batch_that_is_sent_again_makes_nothing_new(platform: Platform, author: str) -> None:
    """With the same Idempotency-Key each line is answered as before, and only what was missing is done."""
    lines = [json.dumps({"account": author, "body": f"Post {number}"}).encode() for number in range(5)]
    key = {"idempotency-key": f"batch of {author}"}
    first = _send(platform, lines[:3], **key)
    before = platform.recorded()
    again = _send(platform, lines, **key)
    assert again[:3] == first
    assert platform.recorded() == before + 2
    assert len({each["publication"]["id"] for each in again}) == 5
    (changed,) = _send(platform, [lines[4]], **key)
    assert changed["problem"]["code"] == "idempotency_mismatch"


# --- the house ---------------------------------------------------------------------------------------------------


def test_the_house_tells_how_it_is(platform: Platform) -> None:
    """Health, readiness and metrics are there for whoever runs it, without a key and in the right types."""
    nobody = platform.client()
    assert done(nobody.get("/healthz")) == {"status": "ok", "demo": False}
    assert done(nobody.get("/readyz")) == {"status": "ok", "checks": {"ledger": "ok", "store": "ok"}}
    platform.submit_as("approved")
    metrics = nobody.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = dict(line.rsplit(" ", 1) for line in metrics.text.splitlines() if not line.startswith("#"))
    assert float(lines['placet_entries_total{kind="publication.submitted"}']) >= 1
    assert float(lines["placet_ledger_halted"]) == 0


def test_the_description_is_valid_openapi(description: Any) -> None:
    """The description keeps the schema of OpenAPI 3.1 and tells of every collection and of problems."""
    assert description.raw_schema["openapi"].startswith("3.1")
    description.validate()
    paths = description.raw_schema["paths"]
    assert {"/v1/screen", "/v1/publications", "/v1/accounts", "/v1/ledger/checkpoint", "/readyz"} <= set(paths)
    for operations in paths.values():
        for operation in operations.values():
            assert "application/problem+json" in operation["responses"]["default"]["content"]


def test_generated_requests_get_answers_that_fit_the_description(new_platform: NewPlatform, description: Any) -> None:
    """Whatever a generator makes of the description, valid or not, each answer is described there; none is a 5xx."""
    target = new_platform()
    headers = {"authorization": f"Bearer {target.person('lead', 'admin').token}"}
    described = [
        conformance.status_code_conformance,
        conformance.content_type_conformance,
        conformance.response_schema_conformance,
        schemathesis.checks.not_a_server_error,
    ]
    quick = settings(
        max_examples=5, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    tried = []
    for result in description.get_all_operations():
        operation = result.ok()
        strategy = operation.as_strategy() | operation.as_strategy(schemathesis.GenerationMode.NEGATIVE)

        @quick
        @given(case=strategy)
        def fits(case: Any) -> None:
            case.call_and_validate(base_url=target.url, headers=headers, checks=described)

        fits()
        tried.append(operation.label)
    assert len(tried) > 20


def test_every_error_code_is_documented_where_its_type_points(platform: Platform) -> None:
    """A problem's `type` leads to the row of the API page that says what happened and what to do."""
    page = platform.client().get("/api")
    assert page.status_code == 200
    for code, known in CODES.items():
        row = page.text.partition(f'<tr id="error-{code}">')[2].partition("</tr>")[0]
        assert f"<td>{known.status}</td>" in row, code
        assert known.next_step in html.unescape(row), code


def test_the_api_page_names_the_permission_of_each_operation(platform: Platform) -> None:
    """A reader learns which scope a key needs, and that the public parts need none."""
    page = platform.client().get("/api").text
    shown = {
        (re.sub("<[^>]+>", "", heading)): scope
        for heading, scope in re.findall(r"<h3>(.*?)</h3>.*?<p class=\"list-meta\">(.*?)</p>", page, re.DOTALL)
    }
    assert "publication.submit" in shown["POST /v1/publications"]
    assert "account.read" in shown["GET /v1/accounts"]
    assert "<code" not in shown["GET /v1/ledger/checkpoint"]


async def test_the_whole_way_on_postgresql(new_platform: NewPlatform, postgres: PostgresBackend) -> None:
    """With PostgreSQL the same product runs: held, decided, released, scheduled, and proven from the record."""
    served = new_platform(database=postgres.dsn)
    held = served.submit_as("held")
    approved = done(decide(served.staff("lead"), held, "approve"))
    assert done(act(served.http, approved["id"], "release"))["status"] == "released"
    scheduled = served.submit(PLAIN, schedule_at=in_time(1))
    until(lambda: served.read(scheduled["id"])["status"] == "released", "the clock releases")
    head = _head(served, served.entries(scheduled["id"])[-1]["seq"] + 1)
    assert root(_leaves(served, head.size)) == head.root


def test_an_account_does_not_vouch_for_itself(platform: Platform) -> None:
    """A key bound to an account, whatever its scopes, sets no rights, agreement or profile of it (IM14 art 7)."""
    account = platform.open_account()
    bound = platform.client(platform.key(account=account).token)
    for what, body in (("rights", {"rights": ["news.publish"]}), ("agreement", {"agreement": "x"}), ("close", {})):
        answer = bound.post(f"/v1/accounts/{account}/{what}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), what
    assert platform.http.get(f"/v1/accounts/{account}").json()["rights"] == []


def test_a_bound_key_reads_no_history_but_its_own(platform: Platform) -> None:
    """Proofs of other dossiers' entries, and what staff did, are not there for a key that is bound to an account."""
    account = platform.open_account()
    bound = platform.client(platform.key(account=account).token)
    assert bound.get("/v1/ledger/entries/1/proof").status_code == 404
    assert platform.http.get("/v1/ledger/entries/1/proof").status_code == 200


def test_reading_publications_is_not_reading_accounts(platform: Platform) -> None:
    """An account's history needs the scope that the account itself needs."""
    account = platform.open_account()
    reader = platform.client(platform.key("publication.read").token)
    assert reader.get(f"/v1/dossiers/{account}/entries").status_code == 404

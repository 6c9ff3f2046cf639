"""What a newcomer sees first: the demo's accounts and submissions hold together and lead nowhere."""

import json
import re
import unicodedata
from collections import Counter, defaultdict
from importlib.resources import files

import msgspec
import pytest

from placet.demo import DemoAccount, DemoSubmission, load_accounts, load_submissions
from placet.model import LANGUAGES, RESTRICTIVENESS

ACCOUNTS = {account.key: account for account in load_accounts()}
SUBMISSIONS = load_submissions()
LINES = files("placet.demo").joinpath("submissions.jsonl").read_text(encoding="utf-8").splitlines()

RESERVED_HOST = re.compile(r"^([\w-]+\.)*(example|test|invalid)$|^(192\.0\.2|203\.0\.113)\.\d+$")
NUMBER_HOSTS = {"0xC0000265": "192.0.2.101", "3405803786": "203.0.113.10"}
"""Hosts written as one number, and what they stand for (RFC 5737 documentation blocks)."""


def written(submission: DemoSubmission) -> str:
    """Everything in a submission that reaches a screen."""
    shown = [submission.title, submission.body, *(medium.alt for medium in submission.media)]
    return "\n".join(
        [*shown, *(medium.url for medium in submission.media), *msgspec.to_builtins(submission.source).values()]
    )


def share(count: int) -> float:
    return count / len(SUBMISSIONS)


# --- the accounts ------------------------------------------------------------------------------------------------


def test_twelve_accounts_cover_every_class_and_language() -> None:
    """Twelve accounts with keys of their own, of all seven classes, writing in all three languages."""
    assert len(ACCOUNTS) == len(load_accounts()) == 12
    assert {account.account_class for account in ACCOUNTS.values()} == {
        "individual", "enterprise", "social_org", "public_body", "news_org", "licensed_repost", "other",
    }  # fmt: skip
    assert {account.language for account in ACCOUNTS.values()} == set(LANGUAGES)


def test_rights_follow_the_class() -> None:
    """Only a news organisation may publish and repost news, a licensed one may repost it (IM14 art 7(2))."""
    by_class = {"news_org": ("news.publish", "news.repost"), "licensed_repost": ("news.repost",)}
    for account in ACCOUNTS.values():
        assert account.rights == by_class.get(account.account_class, ())


def test_every_account_submits_and_every_submission_has_an_account() -> None:
    """No submission names an unknown account, and no account is empty when its page is opened."""
    counts = Counter(submission.account for submission in SUBMISSIONS)
    assert counts.keys() == ACCOUNTS.keys()
    assert min(counts.values()) >= 15


# --- the file ----------------------------------------------------------------------------------------------------


def test_one_object_a_line_in_readable_utf8() -> None:
    """Each line is one JSON object as json.dumps writes it, with Chinese left as Chinese."""
    assert len(LINES) == len(SUBMISSIONS)
    for line in LINES:
        assert json.dumps(json.loads(line), ensure_ascii=False) == line


def test_external_ids_are_distinct() -> None:
    """No two submissions share an external id, which the platform would take for a repeated request."""
    ids = [submission.external_id for submission in SUBMISSIONS]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    "change",
    [{"colour": "red"}, {"format": "pdf"}, {"schedule_in_hours": 1}, {"title": None}, {"source": {"isbn": "0"}}],
)
def test_a_damaged_line_is_refused(change: dict[str, object]) -> None:
    """An unknown field, an unknown value, or a value out of range stops the decoding of a line."""
    line = json.dumps({**json.loads(LINES[0]), **change})
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(line, type=DemoSubmission)


def test_an_unknown_account_field_is_refused() -> None:
    """The class is written `class` in the file; any other field than the declared ones is refused."""
    account = msgspec.to_builtins(load_accounts()[0])
    assert msgspec.convert(account, DemoAccount) == load_accounts()[0]
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**account, "followers": 3}, DemoAccount)


# --- the mix -----------------------------------------------------------------------------------------------------


def test_about_four_hundred_in_three_languages() -> None:
    """There is enough to fill every queue, and each language has a quarter of it or more."""
    languages = Counter(submission.language for submission in SUBMISSIONS)
    assert 380 <= len(SUBMISSIONS) <= 430
    assert all(share(languages[language]) >= 0.25 for language in LANGUAGES)


def test_most_submissions_are_ordinary_and_every_outcome_occurs() -> None:
    """More than half should pass untouched; a fifth or so should meet a rule; every outcome is seen."""
    outcomes = Counter(submission.expect for submission in SUBMISSIONS)
    assert outcomes.keys() == RESTRICTIVENESS.keys()
    assert share(outcomes["approve"]) > 0.55
    assert 0.15 < share(outcomes["hold"]) < 0.3


def test_formats_origins_categories_and_extras_all_occur() -> None:
    """Every format, origin and category is there; news is sparing; some carry media, some a schedule."""
    assert {submission.format for submission in SUBMISSIONS} == {"text", "html", "markdown"}
    assert share(sum(submission.origin == "repost" for submission in SUBMISSIONS)) > 0.1
    assert 0 < share(sum(submission.category == "current-affairs" for submission in SUBMISSIONS)) < 0.1
    assert any(submission.media for submission in SUBMISSIONS)
    assert any(submission.schedule_in_hours for submission in SUBMISSIONS)


def test_lengths_run_from_one_character_to_a_long_article() -> None:
    """The shortest body is one character, the longest over 3,000, and many lie well apart between them."""
    lengths = [len(submission.body) for submission in SUBMISSIONS]
    assert min(lengths) == 1
    assert 3_000 <= max(lengths) < 4_000
    assert sum(length > 200 for length in lengths) >= 30


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("zero-width characters", r"[\u200b-\u200d\u2060]"),
        ("full-width letters", r"[\uff21-\uff5a]"),
        ("right-to-left letters", r"[\u0590-\u06ff]"),
        ("a direction override", r"\u202e"),
        ("combining marks", r"[\u0300-\u036f]{2}"),
        ("tabs", r"\t"),
        ("script tags", r"<script>"),
        ("a long line", r"[^\n]{1000}"),
        ("an address with user information", r"https?://[^/\s]+@"),
        ("a Markdown link whose text is another address", r"\[[\w.:/]+\]\(http"),
    ],
)
def test_hard_cases_are_present(what: str, pattern: str) -> None:
    """The demo shows the shapes on which screens and detectors break."""
    assert any(re.search(pattern, written(submission)) for submission in SUBMISSIONS), what


# --- expectations ------------------------------------------------------------------------------------------------


def test_news_is_refused_exactly_where_the_right_is_missing() -> None:
    """Declared news from an account without the right is expected to be refused, and nothing else is."""
    needed = {"original": "news.publish", "repost": "news.repost"}
    for submission in SUBMISSIONS:
        lacks = needed[submission.origin] not in ACCOUNTS[submission.account].rights
        assert (submission.expect == "refuse") == (submission.category == "current-affairs" and lacks)


def test_reposts_without_a_traceable_source_are_returned() -> None:
    """A repost that is not refused goes back exactly when its source lacks a name or an address (PA21 art 17(1))."""
    for submission in SUBMISSIONS:
        if submission.origin == "repost" and submission.expect != "refuse":
            traceable = bool(submission.source.name and submission.source.url)
            assert submission.expect == ("approve" if traceable else "return"), submission.external_id


def test_originals_are_returned_only_when_nothing_is_said() -> None:
    """An original goes back only when its body has at most one letter or digit to read."""
    for submission in SUBMISSIONS:
        if submission.origin == "original":
            letters = sum(unicodedata.category(character)[0] in "LN" for character in submission.body)
            assert (submission.expect == "return") == (letters <= 1), submission.external_id


def test_texts_repeat_only_where_repetition_is_the_sample() -> None:
    """Duplicates are handed in by several accounts each; every other body is written once."""
    holders = defaultdict(list)
    for submission in SUBMISSIONS:
        holders[submission.body].append(submission)
    for copies in holders.values():
        if len(copies) > 1 or copies[0].kind == "duplicate":
            assert {copy.kind for copy in copies} == {"duplicate"}
            assert len({copy.account for copy in copies}) == len(copies) > 1


# --- nothing leads anywhere --------------------------------------------------------------------------------------


def test_every_address_is_reserved_for_documentation() -> None:
    """Each host in any text, source or medium is under a reserved name or in a documentation block."""
    for submission in SUBMISSIONS:
        for authority in re.findall(r"https?://([^/\s\"\])]+)", written(submission)):
            host = re.sub(r":\d+$", "", authority.rsplit("@", 1)[-1])
            assert RESERVED_HOST.match(NUMBER_HOSTS.get(host, host)), (submission.external_id, host)


def test_every_long_number_is_a_placeholder() -> None:
    """Outside addresses, no run of seven digits or more, however spaced, is anything but zeros."""
    for submission in SUBMISSIONS:
        text = unicodedata.normalize("NFKC", re.sub(r"https?://\S+", " ", written(submission)))
        for run in re.findall(r"\d(?:[\s\u200b-]?\d){6,}", text):
            assert set(re.sub(r"\D", "", run)) == {"0"}, (submission.external_id, run)

"""Rendering: every page in every language, the message tables, and that texts of authors stay texts."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack_pages import pack_pages
from pages import DAY, HOUR, MINUTE, NOW, chrome, item, sample_pages

from placet.errors import CODES
from placet.model import LANGUAGES, Value
from placet.procedure import access, account, activation, policy_record, publication
from placet.web import contexts, pack_contexts
from placet.web.render import LocaleError, disagreements, isotime, render, tables, template_name, translator

SAMPLES: dict[str, dict[str, Value]] = {
    language: sample_pages(language) | pack_pages(language) for language in LANGUAGES
}
CASES = [(language, name) for language in LANGUAGES for name in SAMPLES[language]]
EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&<!--"


class Page(HTMLParser):
    """What a browser would build: elements with their attributes, ids, headings and the text between the tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attrs for tag, attrs in self.elements if tag in tags]


def shown(language: str, name: str) -> Page:
    return Page(render(SAMPLES[language][name]))


# --- pages -------------------------------------------------------------------------------------------------------


def test_every_page_class_has_samples() -> None:
    """No page of the contract is left out of the samples, so none can break unseen."""
    both = {**vars(contexts), **vars(pack_contexts)}
    classes = {value for name, value in both.items() if name.endswith("Page")}
    assert {type(page) for page in SAMPLES["en"].values()} == classes


@pytest.mark.parametrize(("language", "name"), CASES)
def test_page_is_complete_in_its_language(language: str, name: str) -> None:
    """A page says its language, has one main landmark, one first heading, and no two elements with one id."""
    page = shown(language, name)
    assert page.all("html") == [{"lang": language}]
    assert len(page.all("main")) == 1
    assert len(page.all("h1")) == 1
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert sorted(ids) == sorted(set(ids))


@pytest.mark.parametrize(("language", "name"), CASES)
def test_page_obeys_its_content_security_policy(language: str, name: str) -> None:
    """No inline script, style or handler, and nothing is loaded from elsewhere."""
    page = shown(language, name)
    for tag, attrs in page.elements:
        assert tag != "style"
        assert "style" not in attrs
        assert not any(key.startswith("on") for key in attrs)
    assert [attrs["src"] for attrs in page.all("script", "img")] == ["/static/desk.js"]
    assert {attrs["href"] for attrs in page.all("link")} == {"/static/desk.css", "/static/mark.svg"}


@pytest.mark.parametrize("name", SAMPLES["en"])
def test_headings_descend_one_step_at_a_time(name: str) -> None:
    """A reader who moves by headings never skips a level (WCAG 1.3.1)."""
    levels = [int(tag[1]) for tag, _ in shown("en", name).elements if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("name", SAMPLES["en"])
def test_references_inside_a_page_lead_somewhere(name: str) -> None:
    """Each label, description and #link names an element that is on the page."""
    page = shown("en", name)
    ids = {attrs["id"] for _, attrs in page.elements if "id" in attrs}
    wanted = [attrs["href"][1:] for attrs in page.all("a") if attrs.get("href", "").startswith("#")]
    for _, attrs in page.elements:
        for key in ("for", "aria-labelledby", "aria-describedby", "data-open", "data-ground", "data-copy"):
            wanted += attrs.get(key, "").split()
    assert set(wanted) <= ids


@pytest.mark.parametrize("name", SAMPLES["en"])
def test_every_form_that_changes_something_carries_the_token(name: str) -> None:
    """As many hidden `csrf` fields as forms that are posted."""
    page = shown("en", name)
    posted = [attrs for attrs in page.all("form") if attrs.get("method") == "post"]
    tokens = [attrs for attrs in page.all("input") if attrs.get("name") == "csrf"]
    assert [attrs["value"] for attrs in tokens] == ["form-token"] * len(posted)


def test_class_names_choose_templates() -> None:
    """QueuePage is shown by queue.html, SignInPage by sign_in.html."""
    assert template_name(contexts.QueuePage) == "queue.html"
    assert template_name(contexts.SignInPage) == "sign_in.html"


# --- the item and its decision -----------------------------------------------------------------------------------


def test_findings_and_marks_point_at_each_other() -> None:
    """Every finding has one mark in the text to jump to, and the mark one finding to jump back to."""
    page = shown("en", "item")
    links = [attrs["href"] for attrs in page.all("a")]
    for number in (1, 2, 3, 4):
        assert links.count(f"#mark-{number}") == 1
        assert links.count(f"#finding-{number}") == 1


def test_marks_add_nothing_to_the_text_but_badges() -> None:
    """The body can be read off the page, character by character, with its line breaks and invisible characters."""
    text = render(item("en"))
    body = re.search(r'<div class="doc-body"[^>]*>(.*?)</div>\n', text, re.DOTALL)
    assert body is not None
    without_badges = re.sub(r'<a class="hit-badge".*?</a>', "", body[1])
    read = "".join(Page(without_badges).text)
    assert read == "".join(segment.text for segment in item("en").body)


def test_only_the_permitted_choices_are_offered() -> None:
    """Submit buttons exist for the actions of the context, and for no other."""
    page = Page(render(item("en", actions=frozenset({"approve", "escalate"}))))
    choices = [attrs["value"] for attrs in page.all("button") if attrs.get("name") == "choice"]
    assert choices == ["approve", "escalate"]
    assert not Page(render(item("en", actions=frozenset(), claimed_by="Ada", mine=False))).all("textarea")


def test_decision_forms_send_the_fields_of_the_draft_and_the_version() -> None:
    """The names of the fields are those of DecisionDraft, with `version` and `csrf`."""
    page = Page(render(item("en", actions=frozenset({"approve", "return", "refuse", "escalate", "take_down"}))))
    names = {attrs["name"] for attrs in page.all("input", "select", "textarea", "button") if attrs.get("name")}
    assert names == {*contexts.DecisionDraft.__struct_fields__, "version", "rules", "csrf"}


def test_a_refused_decision_keeps_what_was_typed_and_says_where_it_is_wrong() -> None:
    """The alert has title and next step, the choice is open with its texts, the field points at the alert."""
    page = shown("en", "item_problem")
    assert [attrs["id"] for attrs in page.all("details") if "open" in attrs] == ["decide-refuse"]
    wrong = [attrs for attrs in page.all("input", "select", "textarea") if attrs.get("aria-invalid")]
    assert [(attrs["id"], attrs["aria-describedby"]) for attrs in wrong] == [("refuse-law", "problem")]
    text = "".join(page.text)
    assert CODES["ground_needs_law"].title in text
    assert CODES["ground_needs_law"].next_step in text
    assert "文中寫著「私加」" in text


# --- texts of authors ----------------------------------------------------------------------------------------------


def _poisoned(value: Any) -> Any:
    """The same value with every text in it made hostile, except for what chooses a template, a class or a message."""
    if isinstance(value, str):
        return value + EVIL
    if isinstance(value, tuple | frozenset):
        return type(value)(_poisoned(each) for each in value)
    if isinstance(value, Value):
        fields = {name: _poisoned(getattr(value, name)) for name in value.__struct_fields__}
        if isinstance(value, contexts.Chrome):
            fields |= {"language": value.language, "tone": value.tone}
        return type(value)(**fields)
    return value


@pytest.mark.parametrize("name", SAMPLES["en"])
def test_markup_in_any_text_comes_out_as_text(name: str) -> None:
    """Whatever stands in any field of a context, the page has no element and no attribute that it did not have."""
    page = Page(render(_poisoned(SAMPLES["en"][name])))
    assert [attrs.get("src") for attrs in page.all("script")] == ["/static/desk.js"]
    assert not page.all("img")
    assert not any(key.startswith("on") or "<" in key for _, attrs in page.elements for key in attrs)


# --- messages ------------------------------------------------------------------------------------------------------


def test_tables_agree() -> None:
    """The three tables have the same keys, the same placeholders and no empty text."""
    assert disagreements(tables()) == []


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"a": "{n} x"}, "zh lacks b"),
        ({"a": "{n} x", "b": " "}, "zh lacks b"),
        ({"a": "x", "b": "y"}, "a has other placeholders"),
        ({"a": "{n} x", "b": "y", "c": "z"}, "en lacks c"),
    ],
)
def test_disagreements_are_found(other: dict[str, str], said: str) -> None:
    """A key that a language lacks, an empty text and another placeholder are each named."""
    assert said in "; ".join(disagreements({"en": {"a": "{n} x", "b": "y"}, "zh": other}))


def _keys_in_templates() -> Iterator[str]:
    for template in (files("placet.web") / "templates").iterdir():
        source = template.read_text(encoding="utf-8")
        yield from re.findall(r"""\bt\(["']([a-z_.]+[a-z])["']""", source)


def test_every_key_that_a_template_names_exists() -> None:
    """No page can meet a message that is not there."""
    keys = set(_keys_in_templates())
    assert len(keys) > 200
    assert keys <= set(tables()["en"])


def _needed() -> Iterator[str]:
    for code in CODES:
        yield from (f"error.{code}.title", f"error.{code}.next")
    kinds = (*publication.KINDS, *account.KINDS, *access.KINDS, *policy_record.KINDS, *activation.KINDS)
    for prefix, names in (
        ("entry", kinds),
        ("role", access.ROLES),
        ("permission", access.PERMISSIONS),
        ("status", (*get_args(publication.Status), "draft")),
        ("pack_status", get_args(activation.Status)),
        ("queue", ("review", "lead")),
        ("hold_reason", ("verdict", "contested", "escalated", "overdue")),
        ("outcome", ("approve", "hold", "return", "refuse")),
        ("choice", get_args(publication.Choice)),
        ("choice_short", get_args(publication.Choice)),
        ("decision", get_args(publication.Choice)),
        ("check", ("account", "right", "rules", "rule_error", "revision")),
        ("language", LANGUAGES),
    ):
        yield from (f"{prefix}.{name}" for name in names)


def test_every_name_of_the_procedures_has_a_message() -> None:
    """Codes, kinds of entry, roles, permissions, states and choices are said in every language."""
    assert set(_needed()) <= set(tables()["en"])


def test_english_errors_say_what_the_api_says() -> None:
    """The page and the API give one sentence for one code; marks of code are left out on the page."""
    t = translator("en")
    for name, code in CODES.items():
        assert t(f"error.{name}.title") == code.title.replace("`", "")


def test_unknown_messages_fall_back_or_fail() -> None:
    """With a default an unknown key gives it; without one it is an error; a missing value is an error too."""
    t = translator("en")
    assert t("role.made_up", default="made_up") == "made_up"
    with pytest.raises(LocaleError, match=r"role\.made_up"):
        t("role.made_up")
    with pytest.raises(KeyError):
        t("base.waiting", other=1)


@given(st.text())
def test_values_are_put_in_as_they_are(value: str) -> None:
    """Braces in a value are not read as placeholders."""
    assert translator("en")("base.waiting", n=value) == f"{value} waiting"


# --- filters -------------------------------------------------------------------------------------------------------


def test_isotime_is_rfc_3339_in_utc() -> None:
    """To the second, with Z."""
    assert isotime(NOW) == "2026-11-24T09:00:00Z"


@pytest.mark.parametrize(
    ("language", "zone", "expected"),
    [
        ("en", "UTC", "24 Nov 2026, 09:00 UTC"),
        ("en", "America/St_Johns", "24 Nov 2026, 05:30 UTC−3:30"),
        ("zh-Hant", "Asia/Taipei", "2026年11月24日 17:00 UTC+8"),
        ("zh-Hans", "Asia/Shanghai", "2026年11月24日 17:00 UTC+8"),
    ],
)
def test_times_are_shown_in_the_zone_and_name_it(language: str, zone: str, expected: str) -> None:
    """Date and time of day as the language writes them, then the zone."""
    page = contexts.PasskeysPage(chrome(language, "/me"), (contexts.Passkey("p", "x", NOW),), "{}")
    assert expected in render(page, zone=zone)


@pytest.mark.parametrize(
    ("language", "due", "expected"),
    [
        ("en", 3 * HOUR, "in 3 hrs"),
        ("en", 30_000_000, "in 1 min"),
        ("en", -2 * DAY, "2 days overdue"),
        ("zh-Hant", 50 * MINUTE, "50 分鐘後"),
        ("zh-Hans", -26 * HOUR, "逾期 26小时"),
    ],
)
def test_due_times_are_told_by_their_distance(language: str, due: int, expected: str) -> None:
    """Minutes up to an hour, hours up to two days, then days; after the limit it says overdue."""
    text = "".join(Page(render(item(language, due_at=NOW + due, overdue=due < 0))).text)
    assert expected.replace(" ", "") in text.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("PT48H", "48 hours"), ("P1M", "1 month"), ("P2DT12H", "2 days 12 hours"), ("a week", "a week")],
)
def test_iso_durations_are_said_in_words(text: str, expected: str) -> None:
    """A clock's duration is put in words; what is no ISO 8601 duration stays as it is."""
    page = msgspec.structs.replace(SAMPLES["en"]["rules"], clocks=(("claim", text, "law", ""),))
    row = re.search(r'clock-row">.*?</b><span>(.*?)</span>', render(page))
    assert row is not None
    assert row[1] == expected


@pytest.mark.parametrize(("language", "expected"), [("zh-Hant", "3 年 6 個月 15 天"), ("zh-Hans", "3年 6个月 15天")])
def test_iso_durations_are_said_in_chinese(language: str, expected: str) -> None:
    """The Chinese data has no long form of units; what is shown is words all the same."""
    page = msgspec.structs.replace(SAMPLES[language]["rules"], clocks=(("claim", "P3Y6M15D", "law", ""),))
    row = re.search(r'clock-row">.*?</b><span>(.*?)</span>', render(page))
    assert row is not None
    assert row[1].replace(" ", "") == expected.replace(" ", "")


def test_an_unknown_flash_shows_nothing() -> None:
    """The message to show once comes from the address, so only messages that exist are shown."""
    page = msgspec.structs.replace(SAMPLES["en"]["queue"], chrome=chrome("en", "/desk", flash="flash.you_have_won"))
    assert "you_have_won" not in render(page)


def test_entries_say_their_codes_in_words() -> None:
    """The timeline shows "hold for review" for the outcome `hold`, and leaves people's texts as they are."""
    text = "".join(shown("en", "item").text)
    assert "hold for review" in text
    assert "I would like a second pair of eyes." in text


def test_links_to_languages_keep_the_query() -> None:
    """`lang` is added to the query of the page, so that changing the language loses no filter."""
    page = msgspec.structs.replace(SAMPLES["en"]["queue"], chrome=chrome("en", "/desk?queue=lead&show=mine"))
    links = {attrs["href"] for attrs in Page(render(page)).all("a") if attrs.get("hreflang")}
    assert links == {f"/desk?queue=lead&show=mine&lang={language}" for language in LANGUAGES}

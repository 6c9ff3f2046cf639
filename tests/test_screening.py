"""Screening as a whole: order, bounds, and one at a time against together."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from placet.model import TEXT_FIELDS, Finding, Item
from placet.screening import (
    HostList,
    Lexicon,
    LexiconError,
    Limits,
    ListChange,
    PatternSpec,
    TermList,
    look,
    screen,
    screen_batch,
)
from placet.screening.fold import fold
from placet.screening.lists import DisguiseHit

LISTS = [
    TermList("a/solicitation", ("加微信", "微信", "add me", "viagra", "🔞", "C++"), exceptions=("微信支付",)),
    TermList("b/names", ("微", "v信", "ad"), label="name", views=("folded",)),
]
SPECS = [
    PatternSpec("p", "number", None, r"\d{3,}"),
    PatternSpec("p", "title", "title", r"^.{0,3}$"),
    PatternSpec("p", "empty", "body", r"^$"),
]
HOSTS = [HostList("h/spam", ("evil.example",))]
LEXICON = Lexicon.build(LISTS, SPECS, HOSTS)
SMALL = Lexicon.build(
    LISTS, SPECS, HOSTS, Limits(max_chars=20, max_findings=3, max_links=1, max_spans=2, max_candidates=4)
)

snippets = st.sampled_from(
    [
        *("加微信", "加 微🙂信", "微信支付", "Ａdd me", "v.i.a.g.r.a", "🔞", "c++", "12345", "http://evil.example/x"),
        *("<a href='//evil.example'>bank.com</a>", "\ud800", "\U0010ffff", "\x00", "\u202e", "\u0301", " ", "，", "a"),
    ]
)
texts = st.one_of(
    st.lists(snippets, max_size=8).map("".join), st.text(st.characters(exclude_categories=()), max_size=30)
)
items = st.builds(Item, title=texts, body=texts, format=st.sampled_from(["text", "html", "markdown"]))
lexicons = st.sampled_from([LEXICON, SMALL])


def text_of(item: Item, field: str) -> str:
    return {"title": item.title, "body": item.body}[field]


@settings(deadline=None)
@given(items, lexicons)
@example(Item(title="\U0010ffff加微\U0010ffff信", body="\ud83d\ude00加微信"), LEXICON)
def test_every_span_slices_to_its_quote(item: Item, lexicon: Lexicon) -> None:
    """For any text at all, screening answers, and what it quotes stands where it says."""
    for finding in screen(item, lexicon):
        assert finding.quote == text_of(item, finding.field)[finding.start : finding.end]
        assert 0 <= finding.score <= 100


@settings(max_examples=200, deadline=None)
@given(st.lists(items, max_size=8), lexicons)
def test_together_is_one_at_a_time(batch: list[Item], lexicon: Lexicon) -> None:
    """Joining texts changes nothing: no hit crosses from one text to the next, none is lost."""
    assert screen_batch(batch, lexicon) == [screen(item, lexicon) for item in batch]


def test_a_batch_longer_than_one_buffer() -> None:
    """A batch is cut into buffers between items; an item is never cut."""
    batch = [Item(title="加", body="微信" * 4_000 + "加微信"), Item(body="x"), Item()] * 4
    assert screen_batch(batch, LEXICON) == [screen(item, LEXICON) for item in batch]


def test_an_empty_batch() -> None:
    """Nothing in, nothing out."""
    assert screen_batch([], LEXICON) == []


@settings(deadline=None)
@given(items, lexicons)
def test_findings_are_in_order_and_once(item: Item, lexicon: Lexicon) -> None:
    """Ordered by field, place, detector, list and label, and no finding twice."""
    findings = screen(item, lexicon)

    def order(f: Finding) -> tuple[int, int, int, str, str, str]:
        return TEXT_FIELDS.index(f.field), f.start, f.end, f.detector, f.list, f.label

    assert findings == sorted(findings, key=order)
    assert len({(order(f), f.view) for f in findings}) == len(findings)
    assert len({(f.field, f.start, f.end, f.list, f.label) for f in findings if f.detector == "terms"}) == sum(
        f.detector == "terms" for f in findings
    )


def test_no_hit_crosses_from_title_to_body() -> None:
    """Two fields are two texts."""
    assert not [f for f in screen(Item(title="加微", body="信"), LEXICON) if f.label == "加微信"]


def test_a_forged_barrier_parts_nothing() -> None:
    """The character that parts joined texts is read as an ordinary symbol when a text holds it."""
    hits = screen(Item(body="加\U0010ffff微信"), LEXICON)
    assert ("squeezed", "加\U0010ffff微信") in [(f.view, f.quote) for f in hits]


def test_a_text_beyond_the_limit_is_reported_and_its_beginning_screened() -> None:
    """A rule can hold what was not read to its end."""
    text = "加微信" + "。" * 30 + "viagra"
    findings = screen(Item(body=text), Lexicon.build(LISTS, limits=Limits(max_chars=20)))
    assert [(f.detector, f.label, f.start, f.end) for f in findings if f.detector == "limits"] == [
        ("limits", "text-too-long", 0, len(text))
    ]
    assert "加微信" in [f.label for f in findings]
    assert "viagra" not in [f.label for f in findings]


def test_a_text_at_the_limit_is_read_whole() -> None:
    """The limit itself is allowed."""
    assert not [f for f in screen(Item(body="。" * 20), SMALL) if f.detector == "limits"]


def test_more_findings_than_the_limit_are_cut_and_reported() -> None:
    """The first findings in reading order stay, and one more says that there were others."""
    lexicon = Lexicon.build([TermList("l", ("ab",))], limits=Limits(max_findings=3))
    findings = screen(Item(body="ab " * 5), lexicon)
    assert [(f.detector, f.label, f.start) for f in findings] == [
        ("terms", "ab", 0),
        ("limits", "too-many-findings", 0),
        ("terms", "ab", 3),
        ("terms", "ab", 6),
    ]


def test_each_field_has_its_own_limits() -> None:
    """A rule that looks at the title alone sees that the title was not read to its end."""
    text = " ".join(f"http://h{i}.example/ someone{i}@example.com" for i in range(4))
    findings = screen(Item(title=text, body=text), Lexicon.build(limits=Limits(max_links=2, max_contacts=2)))
    assert [(f.field, f.label) for f in findings if f.detector == "limits"] == [
        (field, label) for field in ("title", "body") for label in ("too-many-contacts", "too-many-links")
    ]
    limits = Limits(max_spans=1, max_findings=2)
    lexicon = Lexicon.build([TermList("l", ("ab",))], [PatternSpec("p", "x", None, "x")], limits=limits)
    findings = screen(Item(title="x x", body="ab " * 5), lexicon)
    assert [(f.field, f.label) for f in findings if f.detector == "limits"] == [
        ("title", "too-many-findings"),
        ("body", "too-many-findings"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a" + "\u0301" * 100_000,
        "ﷺ" * 20_000,
        "加" + "\u200b" * 150_000 + "微信",
        "微" * 150_000,
        "http://" * 20_000,
        "<a href=" * 20_000,
        "<!--" * 30_000,
        "[" * 100_000,
        "a." * 80_000,
        "<a '\"" * 30_000,
        "()" * 60_000,
        "1" * 150_000,
    ],
)
@pytest.mark.parametrize("form", ["text", "html", "markdown"])
def test_floods_are_answered(text: str, form: str) -> None:
    """Texts made to be slow for one step or another get an answer (the test run would hang otherwise)."""
    findings = screen(Item(body=text, format=form), LEXICON)  # type: ignore[arg-type]
    assert all(f.quote == text[f.start : f.end] for f in findings)


WORDS = TermList("l", ("bc",), exceptions=("abc", "bcd", "xabcy", "ebc f", "bcbc"), whole_words=False)
EXCUSING = Lexicon.build([WORDS])


@settings(deadline=None)
@given(st.text(st.sampled_from("abcdefxy "), max_size=30).map(lambda text: text + "abc bcd bc"))
def test_an_exception_excuses_what_lies_inside_it(text: str) -> None:
    """A term is excused exactly where it lies wholly inside an occurrence of a phrase."""
    covered = {
        at
        for phrase in WORDS.exceptions
        for first in range(len(text))
        if text.startswith(phrase, first)
        for at in range(first, first + len(phrase) - 1)
    }
    expected = [at for at in range(len(text)) if text.startswith("bc", at) and at not in covered]
    assert [f.start for f in screen(Item(body=text), EXCUSING) if f.view == "exact"] == expected


def test_what_is_around_a_hit_is_folded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many exceptions a list has, no text is folded for each of them."""
    phrases = tuple(f"{i}微信" for i in range(15))
    lexicon = Lexicon.build([TermList("l", ("微信",), exceptions=phrases)])
    folded: list[str] = []

    def counted(text: str) -> str:
        folded.append(text)
        return fold(text)

    monkeypatch.setattr(look, "fold", counted)
    assert len([f for f in screen(Item(body="微信" * 30 + "3微信"), lexicon) if f.list == "l"]) == 30
    assert len(folded) <= 2 * 31


READS: Final = """
import sys
from placet.model import Item
from placet.screening import Lexicon, TermList, screen

lexicon = Lexicon.build([TermList("l", ("加微信",))])
read = []
sys.addaudithook(lambda event, given: read.append(given[0]) if event in ("open", "import") else None)
for body in ("微信：abc_123 +1 202-555-0123 someone@example.com", "http://пример.com a点com", "加 微 信 <b>x</b>"):
    for form in ("text", "html", "markdown"):
        assert screen(Item(body=body, format=form), lexicon)
print(read)
"""


def test_nothing_is_read_while_screening() -> None:
    """Files and modules that screening needs are read when a lexicon is built, not while somebody waits."""
    done = subprocess.run([sys.executable, "-c", READS], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_limits_must_be_positive() -> None:
    """A limit of nothing would screen nothing."""
    with pytest.raises(LexiconError, match="max_chars"):
        Lexicon.build(limits=Limits(max_chars=0))


def test_an_empty_lexicon_finds_links_only() -> None:
    """Without lists there are still links to be seen."""
    assert [f.detector for f in screen(Item(title="加微信", body="http://a.com"), Lexicon.build())] == ["links"]


class Reversed:
    """A reading that guesses: it reads a text backwards."""

    def __init__(self, term: str) -> None:
        self.term = term

    def find(self, texts: Sequence[str]) -> Iterator[DisguiseHit]:
        for place, text in enumerate(texts):
            for term in (self.term, self.term[::-1]):
                at = text.find(term)
                while at >= 0:
                    yield DisguiseHit(place, at, at + len(term), "a/b", self.term, "shuffled", 55)
                    at = text.find(term, at + 1)

    def revised(self, changes: Mapping[str, ListChange]) -> "Reversed":
        return Reversed(changes["a/b"].added[0])


def test_a_guess_is_reported_where_nothing_surer_is() -> None:
    """What a reading finds that guesses is dropped where the same term of the same list is found for sure."""
    built = Lexicon.build([TermList("a/b", ("加微信",))])
    parts = (built.terms, built.patterns, built.hints, built.links, built.contacts, built.limits)
    lexicon = Lexicon(*parts, Reversed("加微信"))
    items = [Item(body="信微加"), Item(title="加微信微加", body="信微加加微信"), Item(body="加🙂微信微加")]
    assert [[(f.field, f.view, f.quote) for f in found] for found in screen_batch(items, lexicon)] == [
        [("body", "shuffled", "信微加")],
        [("title", "exact", "加微信"), ("body", "shuffled", "信微加"), ("body", "exact", "加微信")],
        [("body", "squeezed", "加🙂微信")],
    ]
    revised = lexicon.revised({"a/b": ListChange(("入群",))})
    assert [(f.view, f.quote) for f in screen(Item(body="群入加微信"), revised)] == [
        ("shuffled", "群入"),
        ("exact", "加微信"),
    ]

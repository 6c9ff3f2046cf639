"""Hints: where links or contacts may be. They may say too much, and never too little."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet.screening import contacts, links
from placet.screening.contacts import Contacts
from placet.screening.engines import Hits
from placet.screening.fold import BREAK, encode
from placet.screening.hints import HAN, Hints
from placet.screening.links import Links

HINTS = Hints((links.HINT, *contacts.HINTS))
PLAIN = Hints((links.HINT, *contacts.HINTS), "re2")
DETECT_LINKS, DETECT_CONTACTS = Links((), 100), Contacts()

parts = st.sampled_from(
    [
        *(
            "http://a.com/x",
            "hxxp://evil.example",
            "evil点com",
            "evil[.]com",
            "evil 。 com",
            "e·vil．com",
            "a@b.com",
            "b(at)c.org",
        ),
        *(
            "微信：abc_123456",
            "薇❤信 abc12345",
            "ＶＸ:abc123",
            "加v 13800138000",
            "扣 扣 1234567",
            "telegram @somebody",
            "t.me/some",
        ),
        *(
            "𝐭𝐠: some_body",
            "１３８ ００１３ ８０００",
            "一三八零零一三八零零零",
            "ⓦⓔⓒⓗⓐⓣ: abc_1234",
            "+1 202 555 0123",
            "wa.me/12025550123",
        ),
        *("中文", "english words", "1.5", "2024-01-01", "。", "\n", " ", "🙂", "\u200b", "\ud800", "\uffff", "\x00"),
    ]
)
texts = st.lists(parts, max_size=5).map("".join)


def found(hints: Hints, these: list[str]) -> Hits:
    return hints.find(these, encode(f"{BREAK}{BREAK.join(these)}{BREAK}"))


@settings(max_examples=300, deadline=None)
@given(st.lists(texts.filter(lambda text: "\uffff" not in text), min_size=1, max_size=4))
def test_nothing_is_found_without_a_hint(these: list[str]) -> None:
    """Wherever a link or a contact is found, a hint has said that one may be there."""
    hits = found(HINTS, these)
    for place, text in enumerate(these):
        if DETECT_LINKS.find(text)[0]:
            assert 0 in hits.get(place, {})
        if DETECT_CONTACTS.find(text)[0]:
            assert set(hits.get(place, {})) - {0}


@settings(max_examples=100, deadline=None)
@given(texts)
def test_both_engines_give_the_same_hints(text: str) -> None:
    """Where Hyperscan is not installed, sets of RE2 say the same of a text."""
    fast, plain = found(HINTS, [text]), found(PLAIN, [text])
    assert {place: set(hits) for place, hits in fast.items()} == {place: set(hits) for place, hits in plain.items()}


@pytest.mark.parametrize(
    ("expression", "text", "hit"),
    [
        ("微.?信", "微信", True),
        ("微.?信", "微a信", True),
        ("微.?信", "微中信", True),  # one byte, though three in UTF-8
        ("微.?信", "微中文信", False),
        (f"a[^{HAN}]b", "a中b", False),
        (f"a[^{HAN}微]b", "a微b", False),
        (f"a[^{HAN}]b|微", "a微b", True),
        (f"a[^{HAN}]b", "aＸb", True),
        ("[0-9]{3}", "١２③", True),
        ("^b$", "a\nＢ\nc", True),
        ("维", "維", True),
    ],
)
def test_each_character_is_one_byte(expression: str, text: str, hit: bool) -> None:
    """An expression sees folded characters, one at a time, and HAN stands for every ideograph."""
    assert bool(found(Hints((expression,)), [text])) is hit


def test_too_many_matches_are_hints_everywhere() -> None:
    """A flood of matches among many texts makes all of them worth a look."""
    assert set(found(Hints(("a",)), ["b", "a" * 5_000, ""])) == {0, 1}

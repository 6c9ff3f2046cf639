"""Hints: where links or contacts may be. They may say too much, and never too little."""

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from publicsuffixlist import PublicSuffixList

from placet.screening import contacts, engines, links
from placet.screening.contacts import Contacts
from placet.screening.engines import Ends, Hits
from placet.screening.fold import BREAK, Buffer
from placet.screening.hints import HAN, UNNAMED, Hints, _is_ideograph
from placet.screening.links import Links
from placet.screening.patterns import compile_re2

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
            "evil。中国",
            "evil｡嘉里大酒店",
            "hxxx://evil.example",
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
        *("中文", "english words", "1.5", "2024-01-01", "。", "\n", " ", "🙂", "\u200b", "\ud800", "\x00"),
    ]
)
texts = st.lists(parts, max_size=5).map("".join)


def found(hints: Hints, these: list[str]) -> Hits:
    return hints.find(these, Buffer(f"{BREAK}{BREAK.join(these)}{BREAK}"))


@settings(max_examples=300, deadline=None)
@given(st.lists(texts, min_size=1, max_size=4))
def test_nothing_is_found_without_a_hint(these: list[str]) -> None:
    """Wherever a link or a contact is found, a hint has said that one may be there."""
    hits = found(HINTS, these)
    for place, text in enumerate(these):
        if DETECT_LINKS.find(text)[0]:
            assert 0 in hits.get(place, {})
        if DETECT_CONTACTS.find(text)[0]:
            assert set(hits.get(place, {})) - {0}


@pytest.mark.parametrize(
    "text",
    [
        "abc。中国",
        "abc｡中国，",
        "ＡＢＣ。中\ufe0f国",
        "a。みんな",
        "1。рф",
        "abc。嘉里大酒店",
        "abc。网络⼀⼀⼀⼀⼀",
        "abc。中国ⓐ",
    ],
)
def test_a_chinese_full_stop_before_a_domain_is_a_hint(text: str) -> None:
    """After a Chinese full stop, a domain of the highest level may be written in any letters."""
    assert DETECT_LINKS.find(text)[0]
    assert 0 in found(HINTS, [text])[0]


def test_prose_after_a_chinese_full_stop_is_no_hint() -> None:
    """No such domain has more ideographs than the hint allows for: more of them are a sentence, as most often."""
    suffixes = {suffix.rpartition(".")[2] for suffix in PublicSuffixList(only_icann=True)._publicsuffix}
    assert {len(each) for each in suffixes if _is_ideograph(ord(each[:1] or "a"))} == {2, 3, 4, 5}
    assert found(HINTS, ["他用的是vpn。他不知道怎么了"]) == {}


def test_ideographs_are_letters() -> None:
    """What HAN stands for is no symbol to RE2: else it would be missed where symbols may stand."""
    ideographs = "".join(chr(code) for code in range(0x40000) if _is_ideograph(code))
    assert compile_re2(r"^\pL+$").match(ideographs)


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
        (f"a[{UNNAMED}]b", "a中b", True),
        (f"a[{UNNAMED}]b|中", "ac中b", True),
        (f"a[{UNNAMED}]b|(?:中d)", "a中b", False),
        (f"a[{UNNAMED}]b", "a㊥b", False),
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


@pytest.mark.skipif(not Ends.installed, reason="there is no Hyperscan here")
def test_one_database_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hints need to know where matches end; what tells only that there are any is not compiled."""
    made = Counter[str]()

    def counted(expressions: Mapping[int, bytes], flags: int) -> object:
        made["database"] += 1
        return database(expressions, flags)

    database = engines._database
    monkeypatch.setattr(engines, "_database", counted)
    assert set(found(Hints(("a",)), ["a"])) == {0}
    assert made.total() == 1


def test_too_many_matches_are_hints_everywhere() -> None:
    """A flood of matches among many texts makes all of them worth a look."""
    assert set(found(Hints(("a",)), ["b", "a" * 5_000, ""])) == {0, 1}

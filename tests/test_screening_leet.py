"""The leet reading: digits and symbols for letters, and what is only a number."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet.model import Item
from placet.screening import Lexicon, TermList, screen

VIEWS = ("exact", "folded", "traditional", "shapes", "squeezed", "leet")


def found(text: str, *terms: str, views: tuple[str, ...] = VIEWS) -> list[tuple[str, str]]:
    source = TermList("a/b", terms, views=views)
    return [(f.view, f.quote) for f in screen(Item(body=text), Lexicon.build([source]))]


@pytest.mark.parametrize(
    ("text", "term", "quote"),
    [
        ("buy v1agra now", "viagra", "v1agra"),
        ("what a b!tch", "bitch", "b!tch"),
        ("h3ll0 there", "hello", "h3ll0"),
        ("c@$h only", "cash", "c@$h"),
        ("V1@GR@!!", "viagra", "V1@GR@"),
        ("c|a1is", "cialis", "c|a1is"),
        ("ca$ino", "casino", "ca$ino"),
        ("网上ca5ino平台", "casino", "ca5ino"),
        ("网上ca5ino平台", "网上casino", "网上ca5ino"),
        ("v 1 a g r a", "viagra", "v 1 a g r a"),
        ("v.1.a.g.r.a", "viagra", "v.1.a.g.r.a"),
        ("fr33 m0ney", "free money", "fr33 m0ney"),
        ("fr33m0ney", "free money", "fr33m0ney"),
        ("ｖ１ａｇｒａ", "viagra", "ｖ１ａｇｒａ"),
        ("v1\u00e4gra", "viagra", "v1\u00e4gra"),
        ("\u0441\u0430\u0455h c@\u0455h", "cash", "c@\u0455h"),
    ],
)
def test_symbols_for_letters_are_seen_through(text: str, term: str, quote: str) -> None:
    """The quote is what stands in the text, and the view says how it was read."""
    assert [seen for view, seen in found(text, term) if view == "leet"] == [quote]


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("a 100l tank", "iool"),
        ("100 to 1001", "iooi"),
        ("version v1.1.1", "viii"),
        ("at 8008s", "boobs"),
        ("$5.00s", "ssoos"),
        ("it costs $100k", "sicok"),
        ("a 1080p film", "ioBop"),
        ("4a", "aa"),  # fewer than four letters are too few
        ("h3ll", "hel"),
        ("class1c", "assic"),  # inside a word
        ("the p3 nis here", "penis"),  # two words
        ("viagra v.i.a.g.r.a", "viagra"),  # nothing replaced
        ("v1agra", "v1agra"),
        ("hell0", "h3llo"),
        ("wel1come", "welcome"),
    ],
)
def test_numbers_and_other_words_are_not(text: str, term: str) -> None:
    """Amounts, versions, measures and words that merely hold the letters are no disguise."""
    assert [seen for view, seen in found(text, term) if view == "leet"] == []


def test_a_list_that_does_not_ask_is_not_read_so() -> None:
    """The view is not among those that a list has by default."""
    assert "leet" not in TermList("a/b", ()).views
    assert found("v1agra", "viagra", views=TermList("a/b", ()).views) == []


def test_only_leet() -> None:
    """A list may ask for this view alone."""
    assert found("viagra v1agra", "viagra", views=("leet",)) == [("leet", "v1agra")]


SWAPS = {"a": "4@", "e": "3", "i": "1!|", "l": "1|", "o": "0", "s": "5$", "t": "7+", "b": "8", "g": "9", "z": "2"}


@settings(deadline=None)
@given(
    st.text(st.sampled_from("abegilnorstxz"), min_size=4, max_size=9),
    st.data(),
    st.text(st.sampled_from("中，。 \u3000🙂"), max_size=4),
)
def test_every_replacement_of_some_letters_is_found(term: str, data: st.DataObject, around: str) -> None:
    """Whichever letters are replaced, as long as some stay and the whole is no number, the span is exact."""
    fixed = data.draw(st.integers(0, len(term) - 1))
    spelt = [c if i == fixed else data.draw(st.sampled_from([c, *SWAPS.get(c, "")])) for i, c in enumerate(f"x{term}x")]
    spelt[0] = spelt[-1] = "x"
    text = "".join(spelt)
    if text == f"x{term}x":
        return
    start = len(around)
    hits = screen(Item(body=around + text + around), Lexicon.build([TermList("a/b", (f"x{term}x",), views=("leet",))]))
    assert [(f.start, f.end, f.view) for f in hits] == [(start, start + len(text), "leet")]

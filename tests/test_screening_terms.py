"""Terms: what is found on which view, and what innocent text must not set off."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet.model import Finding, Item
from placet.screening import HostList, Lexicon, LexiconError, Limits, TermList, screen


def found(
    text: str, *terms: str, exceptions: tuple[str, ...] = (), views: tuple[str, ...] | None = None
) -> list[Finding]:
    """Findings of one list in one text."""
    source = TermList("community/test", terms, exceptions=exceptions, views=views or TermList("x", ()).views)
    return screen(Item(body=text), Lexicon.build([source]))


def views(text: str, *terms: str) -> list[tuple[str, str]]:
    return [(f.view, f.quote) for f in found(text, *terms)]


@pytest.mark.parametrize(
    ("text", "term", "view", "quote"),
    [
        ("请加微信详谈", "加微信", "exact", "加微信"),
        ("Buy VIAGRA now", "viagra", "folded", "VIAGRA"),
        ("便宜ＶＩＡＧＲＡ便宜", "viagra", "folded", "ＶＩＡＧＲＡ"),
        ("上門服務", "上门服务", "traditional", "上門服務"),
        ("上门服务", "上門服務", "traditional", "上门服务"),
        ("vi\u0430gra", "viagra", "shapes", "vi\u0430gra"),
        ("ＶІＡＧＲＡ", "viagra", "shapes", "ＶІＡＧＲＡ"),  # the second letter is Cyrillic
        ("🅥🅘🅐🅖🅡🅐", "viagra", "shapes", "🅥🅘🅐🅖🅡🅐"),
        ("加٣群", "加3群", "shapes", "加٣群"),
        ("加③群", "加3群", "folded", "加③群"),  # NFKC
        ("臺ａ\u0430", "台aa", "shapes", "臺ａ\u0430"),
        ("加 微🙂信", "加微信", "squeezed", "加 微🙂信"),
        ("加\u200b微\u200b信", "加微信", "squeezed", "加\u200b微\u200b信"),
        ("加，微，信", "加微信", "squeezed", "加，微，信"),
        ("加微微微信", "加微信", "squeezed", "加微微微信"),
        ("v.i.a.g.r.a", "viagra", "squeezed", "v.i.a.g.r.a"),
        ("v i a g r a", "viagra", "squeezed", "v i a g r a"),
        ("vi🙂agra", "viagra", "squeezed", "vi🙂agra"),
        ("v\u0301iägra", "viagra", "squeezed", "v\u0301iägra"),
        ("viiiiagra", "viagra", "squeezed", "viiiiagra"),
        ("b-o-o-k now", "book now", "squeezed", "b-o-o-k now"),
        ("free  \n money", "free money", "squeezed", "free  \n money"),
        ("freemoney", "free money", "squeezed", "freemoney"),
        ("加v信", "加 v 信", "squeezed", "加v信"),
        ("hot t.e.s.t today", "test", "squeezed", "t.e.s.t"),  # squeezed, one run of "t" reaches into the word before
        ("it t-t-e-s-t-t, to", "test", "squeezed", "t-e-s-t"),
        ("加加，微，信", "加微信", "squeezed", "加，微，信"),
        ("a b o.o.z.e e", "ooze", "squeezed", "o.o.z.e"),
        ("C++", "c++", "folded", "C++"),
        ("看🔞", "🔞", "exact", "🔞"),
    ],
)
def test_the_strongest_view_is_reported(text: str, term: str, view: str, quote: str) -> None:
    """A disguise is seen through, the view says how, and the finding is given once."""
    assert views(text, term) == [(view, quote)]


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("first class, assess, bass, passage", "ass"),
        ("Scunthorpe", "cunt"),
        ("the pen is mightier", "penis"),
        ("Essex and Sussex", "sex"),
        ("as\u00adsume", "ass"),  # a soft hyphen is inside a word
        ("he'll be there", "hell"),
        ("who're you", "whore"),
        ("a good man", "god"),  # a double letter is spelling, not a disguise
        ("the rapist or therapist", "rapis"),
        ("up to 10000 yuan", "100"),
        ("C is a language", "C++"),
        ("costs 100", "$100"),
        ("我们学习，惯例如此", "习惯"),
        ("他妈妈的菜", "他妈的"),
        ("下班了。加油", "了加"),
        ("第一行末尾\n微笑", "尾微"),
        ("一百八十八", "88"),
        ("8", "88"),
    ],
)
def test_innocent_text_is_left_alone(text: str, term: str) -> None:
    """Words inside words, neighbouring words, spelling, other numbers and sentence ends are no disguise."""
    assert found(text, term) == []


def test_a_word_next_to_chinese_stands_free() -> None:
    """Chinese puts no spaces around foreign words."""
    assert views("我用wechat聊天", "wechat") == [("exact", "wechat")]


def test_an_exception_excuses_a_hit_inside_it_only() -> None:
    """The phrase is innocent where it stands; the term elsewhere is not. Exceptions fold like terms."""
    hits = found("關注微信公眾號，再加微信", "微信", exceptions=("微信公众号",))
    assert [(f.start, f.quote) for f in hits] == [(10, "微信")]


def test_an_exception_that_holds_no_term_is_noted() -> None:
    """A useless exception is probably a slip; it is said, not refused."""
    lexicon = Lexicon.build([TermList("a/b", ("微信",), exceptions=("支付",))])
    assert lexicon.notes == ("term list 'a/b': exception '支付' holds none of its terms",)


def test_several_lists_hit_at_one_place() -> None:
    """Nested and equal terms of different lists are all reported, in order."""
    lexicon = Lexicon.build([TermList("b", ("加微信", "微信")), TermList("a", ("微信",), label="contact")])
    hits = [(f.start, f.end, f.list, f.label) for f in screen(Item(body="加微信"), lexicon)]
    assert hits == [(0, 3, "b", "加微信"), (1, 3, "a", "contact"), (1, 3, "b", "微信")]


def test_only_the_views_of_the_list_count() -> None:
    """A list that asks for exact words gets exact words."""
    assert found("VIAGRA v.i.a.g.r.a", "viagra", views=("exact",)) == []
    assert [f.view for f in found("viagra VIAGRA v.i.a.g.r.a", "viagra", views=("exact", "squeezed"))] == [
        "exact",
        "squeezed",
        "squeezed",
    ]
    assert [f.view for f in found("viagra VIAGRA v.i.a.g.r.a", "viagra", views=("folded",))] == ["folded", "folded"]


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        (("exact", "folded"), {"微信WX"}),
        (("traditional",), {"微信WX", "微信群WX"}),
        (("shapes",), {"微信WX", "微信W\u0425"}),
        (("folded", "squeezed"), {"微信WX", "微.信.W.X"}),
        (("traditional", "squeezed"), {"微信WX", "微信群WX", "微.信.W.X", "微.信.羣.W.X"}),
    ],
)
def test_what_a_list_does_not_ask_for_is_not_seen_through(asked: tuple[str, ...], seen: set[str]) -> None:
    """Traditional characters and shapes are switched on for themselves, on the squeezed reading too."""
    texts = {"微信WX", "微信W\u0425", "微.信.W.X", "微.信.W.\u0425"}
    groups = {"微信羣WX": "微信群WX", "微.信.羣.W.X": "微.信.羣.W.X"}
    found_in = {text for text in texts if found(text, "微信wx", views=asked)}
    found_in |= {name for text, name in groups.items() if found(text, "微信群wx", views=asked)}
    assert found_in == seen


def test_spelling_decides_the_view_where_the_list_has_several() -> None:
    """A list that writes a term in both scripts is matched exactly in both."""
    assert views("上門和上门", "上門", "上门") == [("exact", "上門"), ("exact", "上门")]


def test_whole_words_can_be_switched_off() -> None:
    """A list of parts of words says so."""
    source = TermList("a/b", ("ass",), whole_words=False)
    assert [f.quote for f in screen(Item(body="first class"), Lexicon.build([source]))] == ["ass"]


def test_one_label_at_one_place_is_one_finding() -> None:
    """Of two terms that a list gives one label, the surer reading is reported."""
    source = TermList("a/b", ("加v信", "加 v 信"), label="contact")
    assert [(f.view, f.label) for f in screen(Item(body="加v信"), Lexicon.build([source]))] == [("exact", "contact")]


def test_scores_fall_with_the_view() -> None:
    """The further the reading is from the text, the lower the score."""
    scores = {f.view: f.score for f in found("viagra VIAGRA v.i.a.g.r.a", "viagra")}
    assert scores["exact"] > scores["folded"] > scores["squeezed"]


def test_terms_that_fold_alike_are_one_finding() -> None:
    """The spelling in the text chooses the label; without one, the first in order."""
    assert [f.label for f in found("WeChat WECHAT", "wechat", "WeChat")] == ["WeChat", "WeChat"]
    assert [f.label for f in found("wechat", "wechat", "WeChat")] == ["wechat"]


@pytest.mark.parametrize("term", ["", "   ", " 加", "加\n", "\u200b", "\u0301\u200d", "\ud800", "a\uffffb"])
def test_a_term_that_cannot_work_is_refused(term: str) -> None:
    """Building names the list and the term, and says what to do."""
    with pytest.raises(LexiconError, match="a/b") as caught:
        Lexicon.build([TermList("a/b", ("好", term))])
    assert caught.value.reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"terms": "加微信"}, "one text"),
        ({"terms": ("加微信",), "exceptions": "加微信公众号"}, "one text"),
        ({"terms": ("加微信", 110)}, "110 is no text"),
    ],
)
def test_terms_are_several_texts(fields: dict[str, Any], reason: str) -> None:
    """A forgotten comma would make a term of each character, and a list of "a" would hold half of all items."""
    with pytest.raises(LexiconError, match=reason):
        Lexicon.build([TermList("a/b", **fields)])


def test_an_unknown_view_is_refused() -> None:
    """A misspelt view would silently look at less."""
    with pytest.raises(LexiconError, match="sqeezed"):
        Lexicon.build([TermList("a/b", ("好",), views=("sqeezed",))])


def test_term_lists_of_one_name_are_parts_of_one_list() -> None:
    """Each part is sought in its own way, with its own label and exceptions, and all findings bear the one name."""
    whole = TermList("a/b", ("微信", "ass"), exceptions=("微信支付",))
    part = TermList("a/b", ("薇信",), label="chat", views=("exact",), exceptions=("薇信任",), whole_words=False)
    lexicon = Lexicon.build([whole, part])
    found = screen(Item(body="微信支付，薇信任你，微.信，薇.信，class，薇信"), lexicon)
    assert [(f.list, f.label, f.view, f.quote) for f in found] == [
        ("a/b", "微信", "squeezed", "微.信"),
        ("a/b", "chat", "exact", "薇信"),
    ]
    assert lexicon.notes == ()


def test_a_host_list_shares_its_name_with_no_other_list() -> None:
    """Findings could not be told apart."""
    for hosts in ([HostList("a/b", ("x.example",))], [HostList("c/d", ("x.example",)), HostList("c/d", ())]):
        with pytest.raises(LexiconError, match="twice"):
            Lexicon.build([TermList("a/b", ("好",))], host_lists=hosts)


letters = st.text(st.sampled_from("abA加微信🙂 .\u200b1"), min_size=1, max_size=5).filter(
    lambda t: t == t.strip() and squeezable(t)
)


def squeezable(term: str) -> bool:
    return any(c.isalnum() or c == "🙂" for c in term)


@settings(deadline=None)
@given(
    st.lists(letters, max_size=6, unique=True),
    st.text(st.sampled_from("abA加微信🙂 .\u200b1，"), max_size=25),
    st.randoms(),
)
def test_the_order_of_terms_does_not_matter(terms: list[str], text: str, rng: object) -> None:
    """The same list in another order finds the same."""
    item, backwards = Item(body=text), terms[::-1]
    assert screen(item, Lexicon.build([TermList("l", tuple(terms))])) == screen(
        item, Lexicon.build([TermList("l", tuple(backwards))])
    )


@settings(deadline=None)
@given(
    letters.filter(lambda t: not t.isascii() and "a" not in t.lower()),
    st.text(st.sampled_from("加微信，。"), max_size=6),
)
def test_a_chinese_term_is_found_wherever_it_stands(term: str, around: str) -> None:
    """One scan of the squeezed reading misses nothing that stands in the text as written."""
    if term[0].isascii() or term[-1].isascii():
        return
    text = around + term + around[::-1]
    places = {f.start for f in found(text, term) if f.view == "exact"}
    assert text.find(term) in places


def test_candidates_are_bounded() -> None:
    """A text made of nothing but places to look at is cut short, and says so."""
    lexicon = Lexicon.build([TermList("l", ("加微",))], limits=Limits(max_candidates=10))
    hits = screen(Item(body="加微" * 50), lexicon)
    assert [f.label for f in hits if f.detector == "limits"] == ["too-many-findings"]
    assert sum(f.detector == "terms" for f in hits) == 10

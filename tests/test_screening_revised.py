"""Hot change: a lexicon with some terms added and removed finds what one built from the changed lists finds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet.model import Finding, Item
from placet.screening import Lexicon, LexiconError, ListChange, TermList, screen
from placet.screening.fold import fold
from placet.screening.lists import PROVISIONAL_SCORE

TERMS = ("加微信", "微信", "VX", "vx", "C++", "free money", "freemoney", "上門", "上门", "add me", "v信", "🔞", "ab")
PHRASES = ("加微信公众号", "微信支付", "free money order")
VIEWS = (
    ("exact", "folded", "traditional", "shapes", "squeezed"),
    ("exact",),
    ("folded", "squeezed", "leet"),
    ("traditional", "shapes"),
)

some_terms = st.sets(st.sampled_from(TERMS)).map(lambda found: tuple(sorted(found)))
lists = st.builds(
    TermList,
    st.just("a/b"),
    some_terms,
    label=st.sampled_from(["", "contact"]),
    views=st.sampled_from(VIEWS),
    exceptions=st.sets(st.sampled_from(PHRASES), max_size=2).map(lambda found: tuple(sorted(found))),
    whole_words=st.booleans(),
)
texts = st.lists(
    st.sampled_from(
        [*TERMS, *PHRASES, "ＶＸ", "加 微🙂信", "c++", "FREE  MONEY", "fr33 m0ney", "x", " ", "，", "a.b", "aab"]
    ),
    max_size=8,
).map("".join)


def changed(source: TermList, change: ListChange) -> TermList:
    """The list as someone would write it who made the change by hand."""
    terms = (set(source.terms) - change.removed) | set(change.added)
    return TermList(
        source.name, tuple(sorted(terms)), source.label, source.views, source.exceptions, source.whole_words
    )


@settings(max_examples=300, deadline=None)
@given(lists, lists, some_terms, some_terms, texts)
def test_a_revision_finds_what_a_rebuilt_lexicon_finds(
    source: TermList, other: TermList, added: tuple[str, ...], removed: tuple[str, ...], text: str
) -> None:
    """Adding and removing terms while running is the same as building anew, for every view, label and exception."""
    elsewhere = TermList("c/d", other.terms, other.label, other.views, other.exceptions)
    revised = Lexicon.build([source, elsewhere, other]).revised({"a/b": ListChange(added, frozenset(removed))})
    own = {fold(term) for term in source.terms}
    there = {fold(term) for term in other.terms} - own
    first = ListChange(tuple(term for term in added if fold(term) not in there), frozenset(removed))
    second = ListChange(tuple(term for term in added if fold(term) in there), frozenset(removed))
    rebuilt = Lexicon.build([changed(source, first), elsewhere, changed(other, second)])
    assert screen(Item(body=text), revised) == screen(Item(body=text), rebuilt)


def test_a_list_in_parts_grows_in_its_first_part() -> None:
    """What comes is sought as the list says, what goes is gone from every part, and other views ask as before."""
    base = Lexicon.build([TermList("a/b", ("微信",)), TermList("a/b", ("代开发票",), label="x", views=("initials",))])
    revised = base.revised({"a/b": ListChange(("出售手枪",), frozenset({"微信"}))})
    found = screen(Item(body="微信 出售手枪 dkfp cssq"), revised)
    assert [(f.label, f.view, f.quote) for f in found] == [("出售手枪", "exact", "出售手枪"), ("x", "initials", "dkfp")]
    gone = base.revised({"a/b": ListChange((), frozenset({"代开发票"}))})
    assert [f.label for f in screen(Item(body="微信 dkfp"), gone)] == ["微信"]


@settings(deadline=None)
@given(lists, some_terms, texts)
def test_provisional_terms_differ_in_score_alone(source: TermList, added: tuple[str, ...], text: str) -> None:
    """What one person added is found as surely as anything, but no finding rests on it with a score that refuses."""
    base = Lexicon.build([source])
    firm = screen(Item(body=text), base.revised({"a/b": ListChange(added)}))
    provisional = screen(Item(body=text), base.revised({"a/b": ListChange(added, provisional=frozenset(added))}))
    best: dict[tuple[int, int], int] = {}
    for f in screen(Item(body=text), base):
        best[f.start, f.end] = max(f.score, best.get((f.start, f.end), 0))

    def apart_from_score(findings: list[Finding]) -> list[tuple[object, ...]]:
        return [(f.list, f.label, f.start, f.end, f.view) for f in findings]

    assert apart_from_score(firm) == apart_from_score(provisional)
    assert all(f.score <= max(PROVISIONAL_SCORE, best.get((f.start, f.end), 0)) for f in provisional)


def scores(lexicon: Lexicon, text: str) -> list[tuple[str, int]]:
    return [(f.label, f.score) for f in screen(Item(body=text), lexicon)]


def test_a_provisional_term_may_hold_and_never_refuse() -> None:
    """A term that stands word for word scores 100, unless one person alone has put it there."""
    base = Lexicon.build([TermList("a/b", ("微信",))])
    once = base.revised({"a/b": ListChange(("加群",), provisional=frozenset({"加群"}))})
    assert scores(once, "微信加群") == [("微信", 100), ("加群", PROVISIONAL_SCORE)]
    twice = base.revised({"a/b": ListChange(("加群",))})
    assert scores(twice, "微信加群") == [("微信", 100), ("加群", 100)]


def test_a_provisional_spelling_takes_nothing_from_the_term() -> None:
    """A further spelling of a term that is there neither weakens it nor makes it surer."""
    base = Lexicon.build([TermList("a/b", ("wechat",))])
    revised = base.revised({"a/b": ListChange(("WeChat",), provisional=frozenset({"WeChat"}))})
    assert scores(revised, "wechat WeChat WECHAT") == [("wechat", 100), ("WeChat", 95), ("WeChat", 95)]


def test_of_lists_of_one_name_the_first_grows() -> None:
    """Terms of one list that are sought in different ways are lists of one name; what goes, goes from all of them."""
    base = Lexicon.build([TermList("a/b", ("加群",)), TermList("a/b", ("VX", "扫码"), label="contact")])
    change = ListChange(("vx", "微信"), frozenset({"扫码"}), provisional=frozenset({"vx", "微信"}))
    assert scores(base.revised({"a/b": change}), "VX扫码微信") == [("contact", 100), ("微信", PROVISIONAL_SCORE)]


def test_a_term_that_is_there_already_stays_firm() -> None:
    """Adding what a list has takes nothing from it; adding what was struck out puts it back."""
    base = Lexicon.build([TermList("a/b", ("微信",))])
    one = frozenset({"微信"})
    assert scores(base.revised({"a/b": ListChange(("微信",), provisional=one)}), "微信") == [("微信", 100)]
    assert scores(base.revised({"a/b": ListChange(("微信",), one)}), "微信") == [("微信", 100)]
    back = base.revised({"a/b": ListChange(("微信",), one, provisional=one)})
    assert scores(back, "微信") == [("微信", PROVISIONAL_SCORE)]


def test_revisions_do_not_add_up() -> None:
    """Changes are those since the lists were built: a second revision replaces the first, and the base stays."""
    base = Lexicon.build([TermList("a/b", ("微信",))])
    first = base.revised({"a/b": ListChange(("加群",), frozenset({"微信"}))})
    second = first.revised({"a/b": ListChange(("扫码",))})
    assert [scores(each, "微信加群扫码") for each in (base, first, second)] == [
        [("微信", 100)],
        [("加群", 100)],
        [("微信", 100), ("扫码", 100)],
    ]


def test_an_empty_list_can_be_filled() -> None:
    """A list without terms is there to be changed."""
    revised = Lexicon.build([TermList("a/b", ())]).revised({"a/b": ListChange(("微信",))})
    assert scores(revised, "微信") == [("微信", 100)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"a/c": ListChange(("好",))}, "no such list"),
        ({"a/b": ListChange((" 好",))}, "white space"),
        ({"a/b": ListChange(("",))}, "empty"),
    ],
)
def test_a_change_that_cannot_work_is_refused(changes: dict[str, ListChange], reason: str) -> None:
    """The list is named, and what is wrong with the term."""
    with pytest.raises(LexiconError, match=reason):
        Lexicon.build([TermList("a/b", ("微信",))]).revised(changes)


def test_a_revision_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many terms came: each change would push out what every start needs, and none is asked for again."""
    asked: list[str] = []

    class NoKeep:
        def get(self, name: str) -> None:
            asked.append(name)

        def put(self, name: str, content: bytes) -> None:
            asked.append(name)

    monkeypatch.setattr("placet.screening.kept._keeps", [NoKeep()])
    terms = tuple(f"第{number}号" for number in range(2_000))
    base = Lexicon.build([TermList("a/b", terms)])
    assert any(name.startswith("terms") for name in asked)
    asked.clear()
    revised = base.revised({"a/b": ListChange(tuple(f"{term}楼" for term in terms))})
    assert not any(name.startswith("terms") for name in asked)
    assert [f.quote for f in screen(Item(body="在第77号楼"), revised)] == ["第77号", "第77号楼"]

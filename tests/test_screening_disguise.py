"""Terms in disguise: what each view sees through, what it leaves alone, and where it says the disguise stands."""

import random
import tracemalloc
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet.model import Item
from placet.screening import Lexicon, TermList, screen, screen_batch
from placet.screening.alike import likeness
from placet.screening.disguise import DisguiseIndex
from placet.screening.fold import fold
from placet.screening.keyed import Groups, KeyTable
from placet.screening.lists import DISGUISES, VIEWS, Crowded, DisguiseHit, ListChange
from placet.screening.segment import Words
from placet.screening.spelling import spell

TERMS = ("加微信", "代开发票", "刷单兼职", "办假证", "裸聊", "赌场", "冰毒", "洗钱", "高仿手表")
STRONG = ("exact", "folded", "traditional", "shapes", "squeezed")
EVERY = (*STRONG, "pinyin", "split", "sound", "visual", "shuffled", "initials", "emoji")


def index_of(views: Sequence[str] = EVERY, exceptions: Sequence[str] = ()) -> DisguiseIndex:
    """An index of TERMS."""
    return DisguiseIndex([TermList("test/spam", TERMS, views=tuple(views), exceptions=tuple(exceptions))])


DISGUISED = (
    *("请佳威信了解", "jia wei xin 领红包", "仡开发漂请私信", "谁要办亻叚讠正"),
    *("代开票发私聊", "dkfp请私聊", "代开发🎫"),
)
"""One text for each view."""
EVERYTHING = index_of()
LEXICON = Lexicon.build([TermList("test/spam", TERMS, views=EVERY)])


def hits_of(index: DisguiseIndex, texts: Sequence[str]) -> list[DisguiseHit]:
    """What is found in texts of which none is full of guesses."""
    found = list(index.find(texts))
    assert not any(isinstance(each, Crowded) for each in found)
    return [each for each in found if isinstance(each, DisguiseHit)]


def seen(text: str, index: DisguiseIndex = EVERYTHING) -> set[tuple[str, str, str]]:
    """View, term and quote of every hit in one text."""
    return {(hit.view, hit.label, text[hit.start : hit.end]) for hit in hits_of(index, [text])}


@pytest.mark.parametrize(
    ("text", "view", "term", "quote"),
    [
        ("请佳威信了解", "sound", "加微信", "佳威信"),
        ("需要袋开发嘌的找我", "sound", "代开发票", "袋开发嘌"),
        ("jia wei xin 领红包", "pinyin", "加微信", "jia wei xin"),
        ("加 wei xin 领红包", "pinyin", "加微信", "加 wei xin"),
        ("jiaweixin领红包", "pinyin", "加微信", "jiaweixin"),
        ("可以代开fapiao吗", "pinyin", "代开发票", "代开fapiao"),
        ("仡开发漂请私信", "visual", "代开发票", "仡开发漂"),
        ("谁要办亻叚讠正", "split", "办假证", "办亻叚讠正"),
        ("力口微信领红包", "split", "加微信", "力口微信"),
        ("招人刷单职兼日结", "shuffled", "刷单兼职", "刷单职兼"),
        ("代开票发私聊", "shuffled", "代开发票", "代开票发"),
        ("dkfp请私聊", "initials", "代开发票", "dkfp"),
        ("想要代开发🎫的", "emoji", "代开发票", "代开发🎫"),
    ],
)
def test_what_each_view_sees_through(text: str, view: str, term: str, quote: str) -> None:
    """The disguise is found on its view, at exactly its place."""
    assert (view, term, quote) in seen(text)


@pytest.mark.parametrize(
    "text",
    [
        "今天天气很好，我们一起去公园散步。",
        "他加了威士忌和信心。",
        "这张发票是酒店开的，可以报销。",
        "我家微机信号不好",
        "请在兼职栏里填写单位",
        "HR 通知我明天面试，VIP 客户也会来。",
        "哈哈哈😂😂😂笑死了",
        "北京大学的刷卡系统升级了",
        "The quick brown fox jumps over the lazy dog.",
        "会议在 9:30 开始，请带上证件。",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Words that explain the text well are no disguise."""
    assert seen(text) == set()


@pytest.mark.parametrize("view", sorted(DISGUISES))
def test_each_view_is_a_choice_of_the_list(view: str) -> None:
    """A list that asks for one view gets hits on that view alone."""
    hits = hits_of(index_of((view,)), DISGUISED)
    assert {hit.view for hit in hits} == {view}


def test_a_term_as_it_stands_is_no_disguise() -> None:
    """Other views find it; also where it is written like another term."""
    assert seen("请加微信") == set()


def test_an_exception_excuses_a_disguise() -> None:
    """A hit inside an occurrence of an exception of the list is dropped."""
    assert seen("佳威信牌手表", index_of(exceptions=("佳威信牌",))) == set()


def test_guesses_score_below_what_may_refuse() -> None:
    """No disguise scores 90: a rule that rests on one may hold, and never refuse."""
    scores = {hit.view: hit.score for hit in hits_of(EVERYTHING, DISGUISED)}
    assert set(scores) == set(DISGUISES)
    assert all(VIEWS[view] <= score < 90 for view, score in scores.items())


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=120), st.sampled_from(["请佳威信了解", "谁要办亻叚讠正", "dkfp", "jia wei xin"]))
def test_every_span_slices_the_text(noise: str, planted: str) -> None:
    """Whatever surrounds it, a finding quotes the text that it points at."""
    text = noise[: len(noise) // 2] + planted + noise[len(noise) // 2 :]
    for finding in screen(Item(body=text), LEXICON):
        assert finding.quote == text[finding.start : finding.end]


PIECES = [
    "佳威信",
    "力口微信",
    "代开票发",
    "dkfp",
    "jia wei",
    " xin",
    "今天天气很好",
    "，",
    "\n",
    "🎫代开发",
    "\u200b",
    "裸",
    "聊",
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), max_size=8))
def test_together_is_one_at_a_time(texts: list[str]) -> None:
    """Neighbours in a batch change nothing."""
    items = [Item(title=text, body=text[::-1]) for text in texts]
    assert screen_batch(items, LEXICON) == [screen(item, LEXICON) for item in items]


@settings(max_examples=25, deadline=None)
@given(st.permutations(TERMS))
def test_the_order_of_terms_does_not_matter(terms: Sequence[str]) -> None:
    """The same hits for the same list in another order."""
    other = DisguiseIndex([TermList("test/spam", tuple(terms), views=EVERY)])
    texts = ["请佳威信了解", "谁要办亻叚讠正", "代开票发私聊", "dkfp请私聊，洗金戋"]
    assert set(other.find(texts)) == set(EVERYTHING.find(texts))


def test_a_revision_adds_and_strikes_out() -> None:
    """The revised index finds what a new one of the changed list finds."""
    change = ListChange(added=("低价机票",), removed=frozenset({"加微信"}))
    revised = EVERYTHING.revised({"test/spam": change, "test/other": change})
    texts = ["请佳威信了解", "迪价机票", "袋开发嘌"]
    assert {hit.label for hit in hits_of(revised, texts)} == {"低价机票", "代开发票"}
    assert {hit.label for hit in hits_of(EVERYTHING, texts)} == {"加微信", "代开发票"}


@pytest.mark.parametrize(
    "text",
    [
        *("一" * 200_000, "\u0301" * 200_000, "\ufdfa" * 50_000, "🐴" * 100_000),
        *("a" * 200_000, "口口马" * 60_000, "\ud800" * 1_000, ""),
    ],
    ids=["one character", "marks", "ligatures", "emoji", "letters", "components", "surrogates", "nothing"],
)
def test_monstrous_texts(text: str) -> None:
    """Any text is read to its end, with spans that lie inside it."""
    assert all(0 <= hit.start < hit.end <= len(text) for hit in hits_of(EVERYTHING, [text]))


def test_every_plane() -> None:
    """Characters of all of Unicode, in random order, raise nothing."""
    rng = random.Random(5)
    text = "".join(chr(rng.randrange(0x110000)) for _ in range(50_000))
    assert all(0 <= hit.start < hit.end <= len(text) for hit in hits_of(EVERYTHING, [text]))


# --- the parts ---------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 2**64 - 1), unique=True), st.lists(st.integers(0, 2**64 - 1)))
def test_a_key_table_knows_its_keys(keys: list[int], others: list[int]) -> None:
    """Each key has its place, and nothing else has one."""
    table = KeyTable.build(np.array(keys, np.uint64))
    expected = [keys.index(key) if key in keys else -1 for key in keys + others]
    assert table.find(np.array(keys + others, np.uint64)).tolist() == expected


@given(st.lists(st.integers(0, 20)), st.lists(st.integers(0, 25)))
def test_groups_give_every_entry_of_a_key(keys: list[int], asked: list[int]) -> None:
    """All entries under each key that is not 0."""
    owners, entries = Groups(np.array(keys, np.uint64)).find(np.array(asked, np.uint64))
    found = sorted(zip(owners.tolist(), entries.tolist(), strict=True))
    expected = [(i, j) for i, key in enumerate(asked) for j, each in enumerate(keys) if key == each != 0]
    assert found == sorted(expected)


WORDS = {"天气": 5_000, "天": 6_000, "气": 7_000, "气好": 11_000, "好": 4_000, "很好": 6_000, "今天天气": 9_000}


def cheapest(text: str) -> int:
    """The least cost of a segmentation, by trying all of them."""
    if not text:
        return 0
    costs = []
    for length in range(1, min(4, len(text)) + 1):
        word = text[:length]
        alone = int(WORDS.get(word, 20_400) * (1.1 if word in WORDS else 1))
        if length == 1 or word in WORDS:
            costs.append((alone if length == 1 else WORDS[word]) + cheapest(text[length:]))
    return min(costs)


@settings(deadline=None)
@given(st.text(alphabet="今天气好很", min_size=1, max_size=9))
def test_the_segmentation_is_the_cheapest(text: str) -> None:
    """Dynamic programming agrees with trying every segmentation, at every boundary."""
    spelling = spell(text)
    explained = Words.build(WORDS).explain(spelling.signs, spelling.han, spelling.others)
    whole = cheapest(text)
    assert explained.before.tolist() == [cheapest(text[:i]) for i in range(len(text) + 1)]
    assert explained.after.tolist() == [whole - cheapest(text[i:]) for i in range(len(text) + 1)]


def test_signs_are_told_apart() -> None:
    """Characters, emoji, syllables and letters have numbers of their own; width and accents make no difference."""
    signs = likeness().sign
    assert len({int(signs[ord(c)]) for c in "微信🐴a7"}) == 5
    assert signs[ord("Ａ")] == signs[ord("a")] == signs[ord("á")]
    assert signs[ord("證")] == signs[ord(fold("證"))] == signs[ord("证")]


@pytest.mark.parametrize(
    ("text", "syllables"), [("xian", ["xian"]), ("weixin", ["wei", "xin"]), ("fangan", ["fan", "gan"]), ("strong", [])]
)
def test_words_in_latin_letters_are_read_as_syllables(text: str, syllables: list[str]) -> None:
    """As few syllables as spell the word; none where it cannot be spelt so."""
    names = {sign: name for name, sign in likeness().syllable_signs.items()}
    assert [names[sign] for sign in spell(text).signs.tolist() if sign in names] == syllables


def test_a_term_that_nobody_sees_is_passed_over() -> None:
    """A term of ornaments alone, wherever it stands in the list, is no reason to fail."""
    terms = ("加微信", "代开发票", "***")
    lexicon = Lexicon.build([TermList("a/b", terms, views=("sound",))])
    changed = lexicon.revised({"a/b": ListChange(added=("办证", "~~~"))})
    assert {each.label for each in screen(Item(body="请佳威信，办整"), changed)} >= {"加微信"}


@pytest.mark.parametrize(
    ("terms", "removed", "text"),
    [
        (("微信群", "微信羣"), "微信羣", "微亻言群"),
        (("加微信", "佳威信"), "佳威信", "请佳威信谢谢"),
        (("微信", "加群"), "加群", "请wxjq谢谢"),
        (("微信", "加群"), "微信", "请wxjq谢谢"),
    ],
)
def test_what_is_removed_is_as_if_it_had_never_stood_there(terms: tuple[str, ...], removed: str, text: str) -> None:
    """Neither does it take with it what is written alike, nor does it excuse what is like another term."""
    source = TermList("a/b", terms, views=EVERY)
    rest = TermList("a/b", tuple(term for term in terms if term != removed), views=EVERY)
    changed = Lexicon.build([source]).revised({"a/b": ListChange(removed=frozenset({removed}))})
    assert screen(Item(body=text), changed) == screen(Item(body=text), Lexicon.build([rest]))


def test_no_character_stands_in_very_many_guesses() -> None:
    """Of the terms that a place may mean the likeliest count, however many a list has."""
    terms = tuple(f"{first}{second}" for first in "是时十事市试式师石食" for second in "以一义议易意艺医衣移")
    hits = hits_of(DisguiseIndex([TermList("a/b", terms, views=("sound",))]), ["湿遗" * 4])
    at: Counter[int] = Counter(place for hit in hits for place in range(hit.start, hit.end))
    assert max(at.values()) == 16
    assert len(hits) < 16 * 8


def test_long_words_are_not_remembered() -> None:
    """A text of letters without a gap, and another, leave nothing behind in the process."""
    lexicon = Lexicon.build([TermList("a/b", TERMS, views=EVERY)])
    screen(Item(body="warm up jia wei xin dkfp"), lexicon)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(20):
            screen(Item(body=f"{number}" + "abcdefghij" * 5_000), lexicon)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 200_000


def test_a_text_full_of_guesses_is_said_to_be_so() -> None:
    """Only the first are weighed, a limit is reported for a rule to hold the item, and its neighbours are as alone."""
    crowded = Item(body="票发开代" * 3_000)
    plain = Item(body="代开票发私聊")
    alone = screen(crowded, LEXICON)
    assert [each.label for each in alone if each.detector == "limits"] == ["too-many-findings"]
    assert {each.view for each in alone if each.detector == "terms"} == {"shuffled"}
    assert screen_batch([plain, crowded, plain], LEXICON) == [screen(plain, LEXICON), alone, screen(plain, LEXICON)]
    assert [each.view for each in screen(plain, LEXICON)] == ["shuffled"]

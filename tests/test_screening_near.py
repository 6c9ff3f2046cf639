"""Sketches: what is alike, what is not, that they stay what they are; and the index of their keys."""

import hashlib
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet.model import Item
from placet.near_index import FRESH, NearIndex
from placet.screening import near
from placet.screening.near import identical, keys_of, keys_of_all, similarities, sketches

SENTENCES = (
    "上星期我們去了山裡的老茶園，主人請大家試喝今年的春茶。",
    "採茶的人清晨五點就上山，露水還掛在葉子上。",
    "製茶的屋子不大，爐火一直燒到深夜，空氣裡全是香氣。",
    "回來的路上下了小雨，孩子們撐著一把大傘唱歌。",
    "The kettle was old but the tea was the best that we had all year.",
)
STORY = "\n\n".join(SENTENCES)
ALIKE = 50


def likeness(one: Item, other: Item) -> int:
    """The estimated similarity of two texts; 0 where no key is shared, so that they would never be compared."""
    first, second = sketches([one, other])
    if set(keys_of(first)).isdisjoint(keys_of(second)):
        return 0
    return similarities([first], [second])[0]


@pytest.mark.parametrize(
    ("copy", "least"),
    [
        (Item(body=STORY), 100),
        (Item(body=STORY.replace("星期", "星\u200b期").upper()), 100),
        (
            Item(
                body=STORY.translate(
                    str.maketrans(
                        "們裡園請試採還掛葉製爐燒氣來兩著這樣撐傘孩點東",
                        "们里园请试采还挂叶制炉烧气来两着这样撑伞孩点东",
                    )
                )
            ),
            90,
        ),
        (Item(body="🍵" + STORY.replace("，", " ")), 100),
        (Item(title=SENTENCES[0], body="".join(SENTENCES[1:])), 100),
        (Item(body=f"<p>{'</p><p>'.join(SENTENCES)}</p>", format="html"), 100),
        (Item(body="\n\n".join(reversed(SENTENCES))), 70),
        (Item(body=STORY.replace("小雨", "大雨").replace("五點", "六點")), 80),
        (Item(body=STORY + "\n更多好茶請看主頁。"), 80),
    ],
    ids=["as it is", "disguised", "simplified", "re-punctuated", "a title", "html", "reordered", "edited", "appended"],
)
def test_what_is_a_copy(copy: Item, least: int) -> None:
    """Exact and disguised re-posts, another script or form, paragraphs in another order, small edits."""
    assert likeness(Item(body=STORY), copy) >= least


def test_what_is_none() -> None:
    """Texts about the same that share no sentences are not alike."""
    other = "今年的春茶比往年好，我們在山裡住了兩天。主人說雨水多，所以葉子厚。The tea tasted of smoke and honey."
    assert likeness(Item(body=STORY), Item(body=other)) < ALIKE // 2


def test_only_what_is_written_the_same_is_identical() -> None:
    """A copy that differs in anything, even where likeness is full, is not called identical."""
    same, other, again = sketches([Item(body=STORY), Item(body=STORY + "！"), Item(body=STORY)])
    assert identical(same, again)
    assert not identical(same, other)
    assert similarities([same, same], [other, again]) == [100, 100]


def test_short_texts_are_compared_whole() -> None:
    """Too few characters to be alike: the same, disguised or not, or another."""
    assert likeness(Item(body="早安！"), Item(title="早 安")) == 100
    assert likeness(Item(body="早安"), Item(body="晚安")) == 0
    assert likeness(Item(body="今天的天氣真的很好"), Item(body="今天的天氣真的很壞")) == 0
    assert sketches([Item(body="…… ❤️"), Item()]) == [b"", b""]


def test_of_a_long_text_the_beginning_counts() -> None:
    """Beyond LONGEST kept characters nothing is looked at, so that time is bounded."""
    rng = random.Random(1)
    text = "".join(chr(rng.randrange(0x4E00, 0x9000)) for _ in range(near.LONGEST + 500))
    assert likeness(Item(body=text), Item(body=text[: near.LONGEST])) >= 99
    assert likeness(Item(body=text), Item(body=text[: near.LONGEST // 4])) < ALIKE


TEXTS = st.text(st.sampled_from("茶山水abc de\n.,\u200b\ud800\U0010ffff🍵"), max_size=80) | st.text(max_size=200)


@settings(deadline=None, max_examples=60)
@given(st.lists(TEXTS, max_size=8))
def test_texts_are_sketched_together_as_alone(texts: list[str]) -> None:
    """Whatever the characters: the neighbours in a batch make no difference."""
    items = [Item(body=text) for text in texts]
    together = sketches(items)
    assert together == [sketches([item])[0] for item in items]
    assert {len(sketch) for sketch in together} <= {0, near.SIZE}
    for sketch in filter(None, together):
        assert similarities([sketch], [sketch]) == [100]
        assert keys_of_all(sketch).tolist() == [list(keys_of(sketch))]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(0, 100))
def test_similarity_is_estimated_well(seed: int, percent: int) -> None:
    """The estimate of two sets' Jaccard similarity is off by 20 of 100 at most (five standard errors of 128 bins)."""
    rng = random.Random(seed)
    letters = [chr(code) for code in rng.sample(range(0x4E00, 0x9000), 1_200)]
    common, one, other = letters[: 4 * percent], letters[400:800], letters[800:]
    first = "".join([*common, *one[: 400 - 4 * percent]])
    second = "".join([*common, *other[: 400 - 4 * percent]])
    sets = [{text[i : i + 3] for i in range(len(text) - 2)} for text in (first, second)]
    true = 100 * len(sets[0] & sets[1]) / len(sets[0] | sets[1])
    a, b = sketches([Item(body=first), Item(body=second)])
    (estimated,) = similarities([a], [b])
    assert abs(estimated - true) <= 20
    assert similarities([b], [a]) == [estimated]


def test_sketches_stay_what_they_are() -> None:
    """They are stored: a change of any constant needs a new VERSION, and this test its new digest."""
    made = b"".join(sketches([Item(body=STORY), Item(title="早安"), Item(body="plain words " * 30)]))
    assert (near.VERSION, hashlib.sha256(made).hexdigest()[:32]) == (1, "5d7f9f6e8e57c1bef7055f01474fe0f4")


# --- the index ---------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_the_index_finds_what_shares_a_key(data: st.DataObject) -> None:
    """Filled from behind and followed, merged or not: what is found is what a comparison with every text finds."""
    rng = random.Random(data.draw(st.integers(0, 10**6)))
    first = data.draw(st.sampled_from([0, 2**32 - FRESH, 5 * 2**32]))
    count = data.draw(st.sampled_from([0, 5, FRESH, 3 * FRESH + 7]))
    older = data.draw(st.sampled_from([0, 1, 40]))
    texts = {
        first + 2 * i: [rng.choice([rng.getrandbits(32), rng.randrange(9), 2**32 - 1]) for _ in range(4)]
        for i in range(count + older)
    }
    index = NearIndex()
    seqs = sorted(texts)
    for page in (seqs[older // 2 : older][::-1], seqs[: older // 2][::-1]):
        if page:
            index.add_older(page, np.array([texts[seq] for seq in page], np.uint32))
    index.settle()
    for seq in seqs[older:]:
        index.add(seq, texts[seq])
    asked = [[rng.getrandbits(32), *rng.sample(range(9), 3)], [2**32 - 1, 1, 2, 3]]
    for keys, shared in zip(asked, index.sharing(asked, 1 << 20), strict=True):
        expected = {seq: n for seq, own in texts.items() if (n := sum(own.count(key) for key in keys))}
        assert shared == expected


def test_the_index_forgets_below_its_floor() -> None:
    """Texts below the floor are gone once their run is merged; of one key's many, both ends are kept."""
    index = NearIndex()
    for seq in range(20 * FRESH):
        index.add(seq, (7, 1_000 + seq))
        index.floor = max(0, seq - 2 * FRESH)
    assert len(index) < 2 * 5 * FRESH
    (shared,) = index.sharing([(7, 0)], 10)
    assert max(shared) == 20 * FRESH - 1
    assert min(shared) > 14 * FRESH

"""The compiled loops of screening find exactly what their twins in numpy find, and are there where they must be."""

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet.model import Finding, Item
from placet.screening import Lexicon, TermList, loops, screen_batch
from placet.screening.alike import likeness
from placet.screening.fold import BARRIER, BREAK, Buffer
from placet.screening.guesses import Evidence, words
from placet.screening.leet import Leet
from placet.screening.lists import VIEWS, ListChange
from placet.screening.spelling import spell

TERMS = (
    "加微信",
    "代开发票",
    "刷单兼职",
    "办假证",
    "裸聊",
    "赌场",
    "冰毒",
    "洗钱",
    "高仿手表",
    "出售银行卡",
    "viagra pills",
)
LEXICON = Lexicon.build(
    [
        TermList("test/offers", TERMS, views=tuple(VIEWS)),
        TermList("test/twins", ("加微信", "发票代开"), views=("exact", "sound", "shuffled"), exceptions=("不加微信",)),
    ]
).revised({"test/offers": ListChange(added=("贷款秒批",), removed=frozenset({"赌场"}))})

compiled = pytest.mark.skipif(
    loops.kernel is None and os.environ.get("CI") != "true", reason="the loops are not compiled: no compiler was there"
)


@contextmanager
def in_numpy() -> Iterator[None]:
    """Within this, the twins do the work."""
    kernel = loops.kernel
    loops.kernel = None  # type: ignore[assignment]
    try:
        yield
    finally:
        loops.kernel = kernel


def both(work: Callable[[], object]) -> tuple[object, object]:
    """What the compiled loops give, and what their twins give."""
    assert loops.kernel is not None, "the loops are not compiled: python setup.py build_ext --inplace tells why"
    with in_numpy():
        twin = work()
    return work(), twin


def findings(texts: Sequence[str]) -> list[list[Finding]]:
    return screen_batch([Item(title=text[:5], body=text) for text in texts], LEXICON)


def alike(term: str) -> list[str]:
    """Characters that sound or look like one of the term's."""
    tables = likeness()
    chars = [chr(code) for code in range(0x4E00, 0x9FA6)]
    signs = tables.sign[[ord(char) for char in chars]]
    meant = tables.sign[[ord(char) for char in term]]
    near = np.isin(tables.sounds[signs], tables.sounds[meant][tables.sounds[meant] > 0]).any(axis=1)
    near |= np.isin(tables.parts[signs], tables.parts[meant][tables.parts[meant] > 0]).any(axis=1)
    return [char for char, is_near in zip(chars, np.asarray(near).tolist(), strict=True) if is_near]


NEAR = {char: alike(char) for term in TERMS[:10] for char in term}
SYLLABLES = (
    "jia",
    "wei",
    "xin",
    "dai",
    "kai",
    "fapiao",
    "luoliao",
    "bingdu",
    "xi",
    "qian",
    "hello",
    "dkfp",
    "jwx",
    "v1",
)
STREWN = ("", " ", "  ", ".", "，", "\n", "\u200b", "*", "🎫", "😂", "\u0301", "\ud800", BARRIER, "\ue0000")
PLAIN = (
    "今天天气很好，我们一起去公园散步。",
    "这张发票是酒店开的，可以报销。",
    "The quick brown fox",
    "v1agra p!lls",
    "𠀀𠀁",
)


def bent(term: str, rng: random.Random) -> str:
    """A term with some of its characters replaced, moved, taken apart or strewn with others."""
    chars = [rng.choice(NEAR[char]) if rng.random() < 0.4 else char for char in term]
    if rng.random() < 0.4:
        rng.shuffle(chars)
    if rng.random() < 0.3:
        chars.insert(rng.randrange(len(chars) + 1), rng.choice([*SYLLABLES, *STREWN, "言", "亻"]))
    return rng.choice(STREWN).join(chars) if rng.random() < 0.3 else "".join(chars)


@st.composite
def disguised(draw: st.DrawFn) -> str:
    rng = random.Random(draw(st.integers(0, 2**32)))
    parts = [
        rng.choice(
            [bent(rng.choice(TERMS[:10]), rng), *rng.choices(SYLLABLES, k=2), rng.choice(STREWN), rng.choice(PLAIN)]
        )
        for _ in range(rng.randrange(1, 9))
    ]
    return draw(st.sampled_from(["", *STREWN])).join(parts)


@compiled
@given(st.lists(disguised() | st.text(max_size=40), min_size=1, max_size=4))
@settings(deadline=None, max_examples=400)
def test_the_same_is_found(texts: list[str]) -> None:
    """In texts of disguises, of ordinary words and of anything."""
    ours, twins = both(lambda: findings(texts))
    assert ours == twins


@compiled
def test_something_is_found_on_every_view() -> None:
    """Else the comparison above would say little."""
    rng = random.Random(7)
    texts = [bent(rng.choice(TERMS[:10]), rng) for _ in range(2_000)]
    texts += [
        *SYLLABLES,
        "办亻叚讠正",
        "v1agra pills",
        "jia wei xin",
        "代開發票",
        "代 开 发 票",
        "ｖiagra pills",
        "vi\u0430gra pills",
        "代开发🎫",
    ]
    ours, twins = both(lambda: findings(texts))
    assert ours == twins
    assert isinstance(ours, list)
    assert {each.view for found in ours for each in found if each.detector == "terms"} == set(VIEWS)


@compiled
@pytest.mark.parametrize("text", ["票发开代", "信微加", "言正办亻叚", "佳威信", "dkfp ", "代开🎫"])
def test_the_same_is_found_where_there_is_too_much(text: str) -> None:
    """The first guesses are the same ones."""
    ours, twins = both(lambda: findings([text * 1_500]))
    assert ours == twins


@compiled
@given(st.text(st.characters(), max_size=600))
@settings(deadline=None)
def test_the_same_is_read(text: str) -> None:
    """Of characters from every plane, lone surrogates among them."""

    def read() -> tuple[object, ...]:
        buffer = Buffer(f"{BREAK}{text.replace(BARRIER, '')}{BREAK}")
        leet = Leet(buffer)
        kept = [buffer.extent(i, i + 1) for i in range(len(buffer.squeezed))]
        return buffer.squeezed, kept, leet.text, [leet.extent(i, i + 1) for i in range(len(leet.text))]

    ours, twins = both(read)
    assert ours == twins


@compiled
@given(disguised() | st.text(max_size=80))
@settings(deadline=None)
def test_the_same_is_spelt_and_explained(text: str) -> None:
    """Array by array, with their types; a run longer than a piece of the dictionary's too."""

    def explained() -> list[object]:
        spelling = spell(text * 40)
        saved = words().explain(spelling.signs, spelling.han, spelling.others)
        return [*spelling, *saved, Evidence(saved).most(2, 5)]

    ours, twins = both(explained)
    assert isinstance(ours, list)
    assert isinstance(twins, list)
    for one, other in zip(ours, twins, strict=True):
        assert np.array_equal(one, other)
        assert getattr(one, "dtype", None) == getattr(other, "dtype", None)

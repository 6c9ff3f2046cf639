"""How many copies of a text are found, how many that are none, and what asking costs as the index grows.

A corpus is made from a seed: Chinese texts of words by their frequency, English ones of a small vocabulary, and texts
from a few templates that differ in names and numbers. Each kind of edit is tried on a thousand pairs. Then an index
on SQLite is filled, written as submissions are, and asked. The floor of a question is one look-up by key for each key.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import wordfreq
from opencc import OpenCC

from bench.ledger import command
from bench.report import Benchmark, Line, Size, check, median, ms, per_second
from placet.detection import Subject
from placet.model import Item
from placet.near_copies import ALIKE, MOST_COPIES, NearCopies
from placet.screening.near import signature, similarity
from placet.store.contract import Commit, NearText
from placet.store.sqlite import SqliteStore

NOON: Final = 1_780_000_000_000_000
SIZES: Final[dict[Size, tuple[int, ...]]] = {"full": (10_000, 100_000, 1_000_000), "quick": (10_000,), "tiny": (300,)}
PAIRS: Final[dict[Size, int]] = {"full": 1_000, "quick": 300, "tiny": 40}
ASKED: Final = 300
GROUP: Final = 512

Edit = Callable[[random.Random, str], str]


@cache
def chinese() -> tuple[list[str], list[float]]:
    """Chinese words and their frequencies."""
    known = list(wordfreq.get_frequency_dict("zh", "large").items())[:30_000]
    chosen = [(word, share) for word, share in known if all("\u4e00" <= c <= "\u9fff" for c in word)]
    return [word for word, _ in chosen], [share for _, share in chosen]


@cache
def english() -> tuple[list[str], list[float]]:
    """English words and their frequencies."""
    known = list(wordfreq.get_frequency_dict("en", "small").items())[:8_000]
    return [word for word, _ in known], [share for _, share in known]


def text_of(rng: random.Random, *, length: int = 60) -> str:
    """A text of about that many words in three paragraphs, two thirds of the time Chinese."""
    words, shares = chinese() if rng.random() < 2 / 3 else english()
    gap = "" if words is chinese()[0] else " "
    parts = [gap.join(rng.choices(words, shares, k=length // 3)) for _ in range(3)]
    return "。\n\n".join(parts)


def templated(rng: random.Random) -> str:
    """One of five advertisements of the same form: with other goods, names and prices."""
    words, shares = chinese()
    goods = ["".join(rng.choices(words, shares, k=2)) for _ in range(8)]
    forms = (
        "出售{0}，{1}成色，{2}，价格{9}元，地点{3}，有意请私信。附送{4}与{5}，{6}不议价，{7}勿扰。",
        "本周{0}活动开始报名，地点在{1}，带上{2}和{3}，费用{9}元，{4}负责，{5}为准，{6}见{7}。",
        "今天的{0}是{1}做的，用了{2}、{3}和{4}，味道像{5}，花了{9}分钟，{6}很喜欢，{7}再试。",
        "寻找{0}：{1}附近走失，{2}颜色，戴{3}，胆小怕{4}，看到请联系{5}，酬谢{9}元，{6}感谢{7}。",
        "招聘{0}一名，要求{1}、{2}，工作地点{3}，月薪{9}元起，包{4}，{5}优先，{6}面谈，{7}即可。",
    )
    return rng.choice(forms).format(*goods, "", rng.randrange(10, 9_999))


def changed(share: float) -> Edit:
    """That share of the characters replaced by others."""

    def edit(rng: random.Random, text: str) -> str:
        letters = list(text)
        for at in rng.sample(range(len(letters)), max(1, round(len(letters) * share))):
            letters[at] = rng.choice(rng.choice(chinese()[0]))
        return "".join(letters)

    return edit


def reordered(rng: random.Random, text: str) -> str:
    """Paragraphs in another order."""
    parts = text.split("\n\n")
    rng.shuffle(parts)
    return "\n\n".join(parts)


def disguised(rng: random.Random, text: str) -> str:
    """Zero-width characters, spaces and emoji strewn in, letters in full width."""
    return "".join(c + rng.choice(("", "", "", "\u200b", " ", "🙂")) for c in text).upper()


def traditional(_: random.Random, text: str) -> str:
    """The other script."""
    converted: str = OpenCC("s2t").convert(text)
    return converted


def appended(rng: random.Random, text: str) -> str:
    """An advertisement at its end."""
    return f"{text}\n{templated(rng)[:20]}"


EDITS: Final[dict[str, tuple[Edit, float]]] = {
    "as it is": (lambda _, text: text, 1.0),
    "other script": (traditional, 0.95),
    "disguised": (disguised, 0.95),
    "paragraphs reordered": (reordered, 0.95),
    "advertisement appended": (appended, 0.8),
    "1 % of characters changed": (changed(0.01), 0.95),
    "5 % of characters changed": (changed(0.05), 0.5),
    "10 % of characters changed": (changed(0.10), 0.0),
}
"""Kinds of edit, and the share that must at least be found for the figures to be believed."""


def alike(one: str, other: str) -> bool:
    """Whether one would be found as a copy of the other."""
    first, second = signature(Item(body=one)), signature(Item(body=other))
    if first is None or second is None or set(first.keys).isdisjoint(second.keys):
        return False
    return similarity(first.minima, second.minima) >= ALIKE


def measure(size: Size) -> Iterator[Line]:
    """Recall by kind of edit, false matches, then the index."""
    rng = random.Random(11)
    for name, (edit, least) in EDITS.items():
        texts = [text_of(rng, length=rng.randint(20, 120)) for _ in range(PAIRS[size])]
        found = sum(alike(text, edit(rng, text)) for text in texts) / len(texts)
        check(found >= least, f"only {found:.0%} of copies {name} are found")
        yield Line(f"copies found: {name}", f"{found:.1%}")
    for name, make in (("unrelated texts", text_of), ("texts of one template", templated)):
        made = [make(rng) for _ in range(PAIRS[size])]
        pairs = [(rng.choice(made), rng.choice(made)) for _ in range(PAIRS[size] * 20)]
        wrong = sum(alike(one, other) for one, other in pairs if one != other)
        yield Line(f"taken for copies: {name}", f"{wrong / len(pairs):.3%}", note=f"{len(pairs):,} pairs")
    yield signing(rng)
    yield from asyncio.run(index(size))


def signing(rng: random.Random) -> Line:
    """What a signature costs."""
    items = [Item(body=text_of(rng)) for _ in range(500)]
    started = time.perf_counter()
    for item in items:
        signature(item)
    took = (time.perf_counter() - started) / len(items)
    return Line("a signature, texts of 60 words", f"{took * 1e6:.0f} µs")


async def index(size: Size) -> Iterator[Line]:
    """Fill an index to each size, and ask it."""
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="placet-near-") as folder:
        file = Path(folder) / "near.db"
        store = SqliteStore(file)
        await store.open()
        try:
            filled = 0
            for count in SIZES[size]:
                before, rows = file.stat().st_size, count - filled
                started = time.perf_counter()
                await fill(store, filled, count)
                took = time.perf_counter() - started
                filled = count
                grown = (file.stat().st_size - before) / rows
                note = f"filled at {per_second(rows / took)}, {grown:,.0f} bytes a text with its entry and dossier"
                lines.append(await asked(store, count, note))
        finally:
            await store.close()
    return iter(lines)


async def fill(store: SqliteStore, first: int, end: int) -> None:
    """Texts number `first` to `end`, written as submissions are; every hundredth is a copy of text 7."""
    for start in range(first, end, GROUP):
        await store.write([submission(number) for number in range(start, min(start + GROUP, end))])


def submission(number: int) -> Commit:
    """A submission of a text with its signature."""
    commit = command(number)
    item = body(number)
    found = signature(item)
    assert found is not None
    dossier = commit.dossiers[0].id
    near = NearText(dossier, f"acc_{number % 50}", NOON + number, found.keys, found.minima)
    return msgspec.structs.replace(commit, near=near)


def body(number: int) -> Item:
    """Text number so and so."""
    rng = random.Random(7 if number % 100 == 7 else number)
    letters = rng.choices(
        "的一是不了在人有我他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学", k=60
    )
    return Item(body="".join(letters))


async def asked(store: SqliteStore, count: int, note: str) -> Line:
    """The time of a question, against look-ups by key alone; the answers are checked."""
    near = NearCopies(store, 3_650)
    rng = random.Random(count)
    numbers = [rng.randrange(count) for _ in range(ASKED)]
    times, floors = [], []
    for number in numbers:
        item = body(number)
        started = time.perf_counter()
        found = await near.find(item, Subject("", "", NOON + count))
        times.append(time.perf_counter() - started)
        keys = signature(item)
        assert keys is not None
        started = time.perf_counter()
        for key in keys.keys:
            await store.meta(str(key))
        floors.append(time.perf_counter() - started)
        labels = {each.list: each.label for each in found}
        copies = min(count // 100, MOST_COPIES) if number % 100 == 7 else 1
        check(int(labels["near/copies"]) == copies, f"{labels} for text {number} of {count}")
    floor, took = median(floors), median(times)
    return Line(f"near copies of a text among {count:,}", ms(took), ms(floor), took / floor, note=note)


BENCHMARK: Final = Benchmark("near copies: found, falsely found, and the price of asking", measure)

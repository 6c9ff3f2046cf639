"""How many copies of a text are found, how many that are none, and what it costs as the index grows.

A corpus is made from a seed: Chinese and English texts of words by their frequency, and texts of one form filled in
with other words. Each kind of edit is tried on pairs. Then a store is filled with texts, and an index on it is started,
asked, and told of more, in turns of one and of eight texts as on a busy server. The floor of asking is squeezing the
same texts, which screening does anyway, and one look-up by key in the store.
"""

import asyncio
import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import wordfreq
from opencc import OpenCC

from bench.ledger import command
from bench.report import Benchmark, Line, Size, check, median
from placet.detection import Subject
from placet.model import Finding, Item
from placet.near_copies import ALIKE, NearCopies
from placet.screening.fold import BARRIER, Buffer
from placet.screening.near import SIZE, VERSION, keys_of, similarities, sketches
from placet.store.sqlite import SqliteStore

NOON: Final = 1_780_000_000_000_000
SIZES: Final[dict[Size, tuple[int, ...]]] = {"full": (10_000, 100_000, 1_000_000), "quick": (10_000,), "tiny": (300,)}
PAIRS: Final[dict[Size, int]] = {"full": 1_000, "quick": 300, "tiny": 40}
KNOWN: Final = 200
"""Texts of the filled store that are asked about again; of all others only the sketches are made up."""
ADDED: Final = 512
TURN: Final = 8

Edit = Callable[[random.Random, str], str]


class Words(NamedTuple):
    """Words of a language with the sums of their frequencies, and what stands between two of them."""

    words: list[str]
    sums: list[float]
    gap: str

    def some(self, rng: random.Random, count: int) -> list[str]:
        """Words by chance, the frequent ones more often."""
        return rng.choices(self.words, cum_weights=self.sums, k=count)


@cache
def chinese() -> Words:
    """Chinese words."""
    known = wordfreq.get_frequency_dict("zh", "large")
    return _words({word: share for word, share in known.items() if all("\u4e00" <= c <= "\u9fff" for c in word)}, "")


@cache
def english() -> Words:
    """English words."""
    return _words(wordfreq.get_frequency_dict("en", "small"), " ")


def _words(known: dict[str, float], gap: str) -> Words:
    kept = list(known.items())[:30_000]
    return Words([word for word, _ in kept], list(accumulate(share for _, share in kept)), gap)


def text_of(rng: random.Random, words: Words, length: int) -> str:
    """A text of about so many words in four paragraphs."""
    parts = [words.gap.join(words.some(rng, max(1, length // 4))) for _ in range(4)]
    return ".\n\n".join(parts)


def filled_in(rng: random.Random, words: Words, length: int, share: float) -> Callable[[], str]:
    """A form in which that share of the words, in runs of one to four, is another in each text."""
    fixed = words.some(rng, length)
    blank: set[int] = set()
    while len(blank) < share * length:
        start = rng.randrange(length)
        blank.update(range(start, min(length, start + rng.randint(1, 4))))
    return lambda: words.gap.join(words.some(rng, 1)[0] if at in blank else word for at, word in enumerate(fixed))


# --- edits -------------------------------------------------------------------------------------------------------


def characters(share: float) -> Edit:
    """That share of the characters replaced, left out or doubled by another, evenly strewn."""

    def edit(rng: random.Random, text: str) -> str:
        alphabet = chinese().words if not text.isascii() else ["e", "a", "t", "n", "o", "s"]
        out = []
        for char in text:
            new = rng.choice(rng.choice(alphabet))
            out.append(rng.choice((new, "", char + new)) if rng.random() < share else char)
        return "".join(out)

    return edit


def words(share: float) -> Edit:
    """That share of the words replaced; Chinese ones are taken to be two characters."""

    def edit(rng: random.Random, text: str) -> str:
        if text.isascii():
            return " ".join(english().some(rng, 1)[0] if rng.random() < share else word for word in text.split(" "))
        pairs = [text[at : at + 2] for at in range(0, len(text), 2)]
        return "".join(chinese().some(rng, 1)[0] if rng.random() < share else pair for pair in pairs)

    return edit


def reordered(rng: random.Random, text: str) -> str:
    """Paragraphs in another order."""
    parts = text.split("\n\n")
    rng.shuffle(parts)
    return "\n\n".join(parts)


def disguised(rng: random.Random, text: str) -> str:
    """Zero-width characters, spaces and emoji strewn in, letters in upper case."""
    return "".join(c + rng.choice(("", "", "", "\u200b", " ", "🙂")) for c in text).upper()


def traditional(_: random.Random, text: str) -> str:
    """The other script."""
    converted: str = _s2t().convert(text)
    return converted


@cache
def _s2t() -> OpenCC:
    return OpenCC("s2t")


def appended(rng: random.Random, text: str) -> str:
    """An advertisement of a fifth of its length at its end."""
    return f"{text}\n{text_of(rng, chinese(), 400)[: len(text) // 5]}"


EDITS: Final[dict[str, tuple[Edit, float]]] = {
    "as it is": (lambda _, text: text, 1.0),
    "other script": (traditional, 0.97),
    "disguised": (disguised, 1.0),
    "paragraphs reordered": (reordered, 0.7),
    "advertisement appended": (appended, 0.9),
    "1 % of characters edited": (characters(0.01), 0.95),
    "5 % of characters edited": (characters(0.05), 0.4),
    "5 % of words replaced": (words(0.05), 0.85),
    "10 % of characters edited": (characters(0.10), 0.0),
    "10 % of words replaced": (words(0.10), 0.7),
}
"""Kinds of edit, and the share that must at least be found for the figures to be believed."""


def alike(one: str, other: str) -> bool:
    """Whether one would be found as a copy of the other."""
    first, second = sketches([Item(body=one), Item(body=other)])
    return not set(keys_of(first)).isdisjoint(keys_of(second)) and similarities([first], [second])[0] >= ALIKE


def measure(size: Size) -> Iterator[Line]:
    """Recall by kind of edit, false matches, sketches, then the index."""
    rng = random.Random(11)
    languages = {"Chinese": chinese(), "English": english()}
    for name, (edit, least) in EDITS.items():
        shares = {}
        for language, known in languages.items():
            texts = [text_of(rng, known, rng.randint(16, 120)) for _ in range(PAIRS[size])]
            shares[language] = sum(alike(text, edit(rng, text)) for text in texts) / len(texts)
            check(shares[language] >= least, f"only {shares[language]:.0%} of {language} copies {name} are found")
        yield Line(f"copies found: {name}", ", ".join(f"{each} {share:.1%}" for each, share in shares.items()))
    yield from taken_for_copies(rng, size)
    yield sketching(rng)
    yield from asyncio.run(index(size))


def taken_for_copies(rng: random.Random, size: Size) -> Iterator[Line]:
    """Pairs that are none: unrelated ones, all against all, and ones of a form."""
    for language, known in (("Chinese", chinese()), ("English", english())):
        made = sketches([Item(body=text_of(rng, known, rng.randint(16, 120))) for _ in range(PAIRS[size])])
        wrong = sum(score >= ALIKE for i, one in enumerate(made[1:], 1) for score in similarities([one] * i, made[:i]))
        pairs = len(made) * (len(made) - 1) // 2
        check(wrong == 0, f"{wrong} unrelated {language} texts are taken for copies")
        yield Line(f"taken for copies: unrelated {language} texts", f"{wrong} of {pairs:,} pairs")
    for share in (0.2, 0.3, 0.4, 0.6):
        forms = [filled_in(rng, rng.choice((chinese(), english())), 60, share) for _ in range(PAIRS[size])]
        wrong = sum(alike(form(), form()) for form in forms)
        yield Line(f"taken for copies: one form, {share:.0%} of it filled in", f"{wrong / len(forms):.1%}")


def sketching(rng: random.Random) -> Line:
    """What a sketch costs, with a turn's texts together."""
    turns = [[Item(body=text_of(rng, chinese(), 60)) for _ in range(TURN)] for _ in range(100)]
    ours, floor = timed(sketches, turns), timed(squeezed, turns)
    return Line(f"a sketch, 60 words, {TURN} together", us(ours / TURN), floor=us(floor / TURN), ratio=ours / floor)


def squeezed(turn: Sequence[Item]) -> None:
    """The readings of a turn's texts."""
    Buffer(BARRIER + BARRIER.join(item.body for item in turn))


def timed(work: Callable[[Sequence[Item]], object], turns: Sequence[Sequence[Item]]) -> float:
    """Median of the seconds for each."""
    times = []
    for turn in turns:
        started = time.perf_counter()
        work(turn)
        times.append(time.perf_counter() - started)
    return median(times)


def us(seconds: float) -> str:
    """A time in microseconds."""
    return f"{seconds * 1e6:.0f} µs"


# --- the index ---------------------------------------------------------------------------------------------------


async def index(size: Size) -> Iterator[Line]:
    """Fill stores to each size, and ask an index on each."""
    lines: list[Line] = []
    for count in SIZES[size]:
        with tempfile.TemporaryDirectory(prefix="placet-near-") as folder:
            store = SqliteStore(Path(folder) / "near.db")
            await store.open()
            try:
                lines += await asked(store, Path(folder) / "near.db", count)
            finally:
                await store.close()
    return iter(lines)


async def asked(store: SqliteStore, file: Path, count: int) -> list[Line]:
    """What an index of that many texts costs; its answers are checked."""
    await write(store, [Item(body="The first entry of all.")], 0, sketch=False)
    grown = fill(file, count) / count
    known = [Item(body=text_of(random.Random(number), chinese(), 60)) for number in range(KNOWN)]
    for first in range(0, KNOWN, TURN):
        await write(store, known[first : first + TURN], 1 + first)
    resident = _resident()
    near = NearCopies(store, 3_650, 10_000_000)
    started, used = time.perf_counter(), time.process_time()
    check(await near.find(known[0], Subject("", "", NOON)) != [], "The first text is not found.")
    took, used = time.perf_counter() - started, time.process_time() - used
    memory = max(0, _resident() - resident)
    note = f"{grown:.0f} bytes a text in the store, {memory / count:.0f} in memory"
    lines = [Line(f"filling an index of {count:,}", f"{took:.2f} s", note=f"{used:.2f} s of processor time; {note}")]
    unknown = [Item(body=text_of(random.Random(10**5 + number), chinese(), 60)) for number in range(KNOWN)]
    for name, items, copies in (("new text", unknown, 0), ("copy", known, 1)):
        asking = f"asking about a {name} among {count:,}"
        lines += [await questions(store, near, f"{asking}, {turn} a turn", (items, copies, turn)) for turn in (1, TURN)]
    return [*lines, await followed(store, near, count)]


async def questions(store: SqliteStore, near: NearCopies, name: str, what: tuple[Sequence[Item], int, int]) -> Line:
    """Processor time of a question."""
    items, copies, turn = what
    times, floors = [], []
    for first in range(0, len(items), turn):
        part = items[first : first + turn]
        started = time.process_time()
        found = await asyncio.gather(*(near.find(item, Subject("", "", NOON)) for item in part))
        times.append((time.process_time() - started) / len(part))
        check(all(labels(each).get("near/copies", "0") == str(copies) for each in found), f"{name}: {found}")
        started = time.process_time()
        squeezed(part)
        await store.meta("")
        floors.append((time.process_time() - started) / len(part))
    return Line(name, us(median(times)), floor=us(median(floors)), ratio=median(times) / median(floors))


async def followed(store: SqliteStore, near: NearCopies, count: int) -> Line:
    """What it costs to store a sketch with a submission, and to take it into the index."""
    plain: list[float] = []
    sketched: list[float] = []
    taken: list[float] = []
    for first in range(0, ADDED, TURN):
        items = [Item(body=text_of(random.Random(10**6 + first + at), chinese(), 60)) for at in range(TURN)]
        for place, sketch in enumerate((False, True) if first // TURN % 2 else (True, False)):
            number = 10**7 + 2 * first + place * TURN
            (sketched if sketch else plain).append(await write(store, items, number, sketch=sketch))
        started = time.process_time()
        (found,) = await asyncio.gather(near.find(items[0], Subject("", "", NOON)))
        taken.append((time.process_time() - started) / TURN)
        check(labels(found) == {"near/copies": "1", "near/accounts": "1"}, f"{found} for a text just written")
    note = f"asking for one and taking in {TURN}: {us(median(taken))} a text"
    return Line(
        f"writing with a sketch beside {count:,}", us(median(sketched)), floor=us(median(plain)),
        ratio=median(sketched) / median(plain), note=note,
    )  # fmt: skip


async def write(store: SqliteStore, items: Sequence[Item], number: int, *, sketch: bool = True) -> float:
    """Write submissions in one group; gives the seconds of processor time for each."""
    made = sketches(items) if sketch else [b""] * len(items)
    group = [msgspec.structs.replace(command(number + at), sketch=each) for at, each in enumerate(made)]
    started = time.process_time()
    results = await store.write(group)
    took = time.process_time() - started
    check(all(type(result).__name__ == "Committed" for result in results), f"{results}")
    return took / len(group)


def labels(findings: Sequence[Finding]) -> dict[str, str]:
    """List to label."""
    return {each.list: each.label for each in findings}


def _resident() -> int:
    """Bytes of this process's resident memory."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def fill(file: Path, count: int) -> int:
    """Put in sketches of so many texts that nobody has written, before the first entry; gives the bytes they take."""
    numbers = random.Random(count)
    rows = ((seq, f"pub_{seq:026}", NOON, bytes([VERSION]) + numbers.randbytes(SIZE - 1)) for seq in range(count))
    connection = sqlite3.connect(file)
    try:
        connection.execute("UPDATE entry SET seq = ?", (count,))
        connection.executemany("INSERT INTO sketch (seq, dossier, at, sketch) VALUES (?, ?, ?, ?)", rows)
        connection.commit()
        pages = "SELECT sum(pgsize) FROM dbstat WHERE name = 'sketch'"
        return int(connection.execute(pages).fetchone()[0])
    finally:
        connection.close()


BENCHMARK: Final = Benchmark("near copies: found, falsely found, and the price of asking", measure)

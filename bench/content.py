"""Submissions for benchmarks, made from a seed, and what the community pack says of each."""

import random
from typing import Final, NamedTuple

import msgspec

CHINESE: Final = "今天 天气 很好 我们 一起 去 公园 散步 然后 回家 做饭 晚上 看书 周末 孩子 学会 骑车"
ENGLISH: Final = "a quiet morning with coffee and book the recipe is simple our garden grows slowly this spring"
WORDS: Final = [*CHINESE.split(" "), *ENGLISH.split(" ")]
SOLICITING: Final = "Add me on Telegram for the price list."
"""A sentence for which the community pack holds an item."""
HELD_EVERY: Final = 20


class Sample(NamedTuple):
    """A submission as JSON, and the status that it must get."""

    body: bytes
    status: str


def text_of(rng: random.Random) -> str:
    """About 60 characters, Chinese and English mixed."""
    return " ".join(rng.choices(WORDS, k=14))


def submissions(account: str, count: int, seed: int) -> list[Sample]:
    """So many different submissions; one in twenty must be held."""
    rng = random.Random(seed)
    return [_sample(account, rng, seed, number) for number in range(count)]


def _sample(account: str, rng: random.Random, seed: int, number: int) -> Sample:
    held = number % HELD_EVERY == HELD_EVERY - 1
    text = f"{text_of(rng)} {SOLICITING}" if held else text_of(rng)
    body = msgspec.json.encode({"account": account, "title": f"Note {seed}-{number}", "body": text})
    return Sample(body, "held" if held else "approved")

"""Harmless sentences near the words of the shipped lists, and offers that are not: what becomes of each.

`innocents/*.jsonl` hold sentences that contain listed words or nearly do: names, news, warnings, law, medicine,
cooking, homophones, look-alikes and words in another order. A line with "held" waits for a person, and says why that is
taken into account. `offers/*.jsonl` hold what the lists are for, in plain words and in disguise; "missed" says what is
not seen.
All were written for this project.
"""

import json
from functools import cache
from pathlib import Path
from typing import Final, NotRequired, TypedDict

import opencc
import pytest

import placet
from placet.model import Item, Verdict
from placet.policy.environment import AccountFacts
from placet.policy.evaluate import Policy
from placet.policy.pack import load_pack
from placet.screening import screen_batch

HERE: Final = Path(__file__).parent
AT: Final = 1_709_251_200_000_000
LANGUAGES: Final = ("zh", "en")
MOST_HELD: Final = {"zh": 15, "en": 2}
"""How many harmless lines may wait for a person: about one in fifty that were written to be mistaken."""
MOST_MISSED: Final = {"zh": 2, "en": 1}
_TRADITIONAL: Final = opencc.OpenCC("s2t")


class Row(TypedDict):
    """One line of a file."""

    about: str
    text: str
    held: NotRequired[str]
    missed: NotRequired[str]


@cache
def rows(folder: str, language: str) -> tuple[Row, ...]:
    return tuple(map(json.loads, (HERE / folder / f"{language}.jsonl").read_text("utf-8").splitlines()))


@cache
def policy() -> Policy:
    return Policy([load_pack(Path(placet.__file__).parent / "packs" / "community").require()])


def judge(texts: list[str]) -> list[Verdict]:
    """What the community's rules make of each text."""
    items = [Item(body=text) for text in texts]
    found = zip(items, screen_batch(items, policy().lexicon), strict=True)
    return [policy().evaluate(policy().facts(item, AccountFacts(), AT), each, "pub_1") for item, each in found]


def written(language: str, text: str) -> str:
    """The text as it is written elsewhere: in traditional characters, or in full width."""
    if language == "zh":
        return str(_TRADITIONAL.convert(text))
    return text.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)})


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_set_is_large_and_says_nothing_twice(language: str) -> None:
    """Several hundred different lines in each language."""
    texts = [row["text"] for row in rows("innocents", language)]
    assert len(set(texts)) == len(texts) >= 500


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_harmless_sentence_is_refused_and_few_wait(language: str) -> None:
    """None comes back or is refused; those that wait for a person are exactly those that are known, and few."""
    every = rows("innocents", language)
    verdicts = judge([row["text"] for row in every])
    assert {verdict.outcome for verdict in verdicts} <= {"approve", "hold"}
    held = {row["text"] for row, verdict in zip(every, verdicts, strict=True) if verdict.outcome == "hold"}
    assert held == {row["text"] for row in every if row.get("held")}
    assert len(held) <= MOST_HELD[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_another_way_of_writing_makes_nothing_harmful(language: str) -> None:
    """What passes in simplified characters or half width passes in traditional characters or full width as well."""
    passing = [row["text"] for row in rows("innocents", language) if not row.get("held")]
    verdicts = judge([written(language, text) for text in passing])
    assert [text for text, verdict in zip(passing, verdicts, strict=True) if verdict.outcome != "approve"] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_offers_wait_for_a_person_on_the_right_ground(language: str) -> None:
    """Offers of each kind are held, disguised or not; those that are not seen are exactly those that are known."""
    every = rows("offers", language)
    verdicts = zip(every, judge([row["text"] for row in every]), strict=True)
    grounds = [(row, {hit.ground for hit in verdict.hits}) for row, verdict in verdicts]
    missed = {row["text"] for row, found in grounds if f"community.{row['about']}" not in found}
    assert missed == {row["text"] for row in every if row.get("missed")}
    assert len(missed) <= MOST_MISSED[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_another_way_of_writing_hides_no_offer(language: str) -> None:
    """Offers are held in traditional characters and in full width as well."""
    seen = [row["text"] for row in rows("offers", language) if not row.get("missed")]
    verdicts = judge([written(language, text) for text in seen])
    assert [text for text, verdict in zip(seen, verdicts, strict=True) if verdict.outcome != "hold"] == []

"""Near copies: what counts as one, and what a reviewer and the rules learn of them, through the whole service."""

import random
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from platforms import Platform

from placet.model import Item
from placet.screening import near
from placet.screening.near import signature, similarity

pytest_plugins = ("platforms",)

SENTENCES = (
    "上星期我們去了山裡的老茶園，主人請大家試喝今年的春茶。",
    "採茶的人清晨五點就上山，露水還掛在葉子上。",
    "製茶的屋子不大，爐火一直燒到深夜，空氣裡全是香氣。",
    "回來的路上下了小雨，孩子們撐著一把大傘唱歌。",
    "The kettle was old but the tea was the best that we had all year.",
)
STORY = "\n\n".join(SENTENCES)


def likeness(one: str, other: str) -> float:
    """The estimated similarity of two texts; 0 where no key is shared, so that they would never be compared."""
    first, second = signature(Item(body=one)), signature(Item(body=other))
    assert first is not None
    assert second is not None
    if set(first.keys).isdisjoint(second.keys):
        return 0.0
    return similarity(first.minima, second.minima)


@pytest.mark.parametrize(
    "copy",
    [
        STORY,
        STORY.replace("星期", "星\u200b期").upper(),
        "\n\n".join(reversed(SENTENCES)),
        STORY.translate(
            str.maketrans("們裡園請試採雜離開還製爐燒氣來兩著這樣", "们里园请试采杂离开还制炉烧气来两着这样")
        ),
        STORY.replace("小雨", "大雨").replace("五點", "六點"),
        STORY + "\n更多好茶請看主頁。",
        "🍵" + STORY.replace("，", " "),
    ],
    ids=["as it is", "disguised", "reordered", "simplified", "edited", "appended", "re-punctuated"],
)
def test_what_is_a_copy(copy: str) -> None:
    """Exact and disguised re-posts, paragraphs in another order, another script, small edits."""
    assert likeness(STORY, copy) >= 0.6


def test_what_is_none() -> None:
    """Texts about the same that share no sentences are not alike."""
    other = "今年的春茶比往年好，我們在山裡住了兩天。主人說雨水多，所以葉子厚。The tea tasted of smoke and honey."
    assert likeness(STORY, other) < 0.6


def test_short_texts_are_compared_whole() -> None:
    """Too few characters to be alike: the same, disguised or not, or another."""
    assert signature(Item(body="早安！")) == signature(Item(title="早 安"))
    assert signature(Item(body="早安")) != signature(Item(body="晚安"))
    assert signature(Item(body="…… ❤️")) is None


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=400), st.text(max_size=400))
def test_any_text_has_a_signature(one: str, other: str) -> None:
    """Whatever the characters, and the likeness of two is a share, the same either way round."""
    found = [signature(Item(body=text)) for text in (one, other)]
    for each in filter(None, found):
        assert len(each.keys) in (1, near.BANDS)
        assert len(each.minima) in (0, near.HASHES)
        assert all(-(2**63) <= key < 2**63 for key in each.keys)
        assert similarity(each.minima, each.minima) == 1.0
    if all(found):
        first, second = (each.minima for each in found if each)
        assert 0.0 <= similarity(first, second) == similarity(second, first) <= 1.0


def test_signatures_stay_what_they_are() -> None:
    """They are stored: a change of any constant needs a new VERSION, and this test its new bytes."""
    found = signature(Item(body=STORY))
    assert found is not None
    assert (near.VERSION, found.keys[:2], found.minima[:8].hex()) == PINNED


PINNED = (1, (3850558486419744835, -5210077929240913702), "cf2c7cecf88109bc")


@pytest.fixture(scope="module")
def copying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that looks for near copies."""
    made = Platform(tmp_path_factory.mktemp("copying") / "data", near_days=30)
    try:
        yield made.start()
    finally:
        made.stop()


def random_story(seed: int) -> str:
    """A text that no other test submits."""
    rng = random.Random(seed)
    return "".join(rng.choice("山水茶花鳥雲雨風月星人家門窗書畫琴棋") for _ in range(80))


def findings(answer: dict[str, object]) -> dict[str, str]:
    """List to label of the findings about near copies in an API answer."""
    found = msgspec.convert(answer["findings"], list[dict[str, object]])
    return {str(each["list"]): str(each["label"]) for each in found if each["detector"] == "near"}


def test_copies_of_several_accounts_are_held(copying: Platform) -> None:
    """The fourth account with nearly the same text is held, with the numbers; nothing of other accounts is named."""
    text = random_story(1)
    answers = []
    for number in range(4):
        account = copying.open_account()
        answers.append(copying.submit(account=account, title="", body=f"{text}{'！' * number}"))
    assert [answer["status"] for answer in answers] == ["approved", "approved", "approved", "held"]
    assert findings(answers[3]) == {"near/copies": "3", "near/accounts": "3"}
    assert findings(answers[0]) == {}
    assert "community.copies" in [hit["ground"] for hit in answers[3]["verdict"]["hits"]]


def test_what_was_refused_is_held_when_it_comes_again(copying: Platform) -> None:
    """A person's refusal counts for later copies, also by another account."""
    text = random_story(2)
    held = copying.submit_as("held", body=f"Add me on Telegram for the price list. {text}")
    reviewer = copying.staff("reviewer")
    said = {"facts": "It asks readers to go to a chat service.", "reason": "The rules forbid that."}
    decision = {"decision": "refuse", "ground": "community.solicitation", "version": held["version"]} | said
    reviewer.post(f"/v1/publications/{held['id']}/decisions", json=decision).raise_for_status()
    again = copying.submit(account=copying.open_account(), body=f"Add us on Telegramm, for that price list: {text}")
    assert findings(again)["near/refused"] == "1"
    assert again["status"] == "held"


def test_trying_a_text_records_nothing(copying: Platform) -> None:
    """A text that is only tried is no copy of itself later."""
    text = random_story(3)
    for _ in range(3):
        tried = copying.http.post("/v1/screen", json={"body": text}).raise_for_status().json()
        assert findings(tried) == {}
    copying.submit(body=text)
    assert findings(copying.http.post("/v1/screen", json={"body": text}).json()) == {
        "near/copies": "1",
        "near/accounts": "1",
    }


def test_copies_in_one_batch_see_each_other(copying: Platform) -> None:
    """Of many that arrive together, each but the first is seen as a copy."""
    text = random_story(4)
    account = copying.account
    lines = b"\n".join(msgspec.json.encode({"account": account, "body": text}) for _ in range(5))
    headers = {"content-type": "application/x-ndjson"}
    answer = copying.http.post("/v1/publications/batch", content=lines, headers=headers).raise_for_status()
    results = [msgspec.json.decode(line) for line in answer.content.splitlines()]
    counts = [findings(each.get("publication", each)).get("near/copies", "0") for each in results]
    assert counts == ["0", "1", "2", "3", "4"]

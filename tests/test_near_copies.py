"""Near copies through the whole service: what a reviewer and the rules learn, and how the index keeps up."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import msgspec
import pytest
from platforms import Platform
from stores import NOON, commit

from placet import kinds
from placet.detection import Subject
from placet.errors import StoreUnavailable
from placet.model import Item
from placet.near_copies import DAY, MOST_COPIES, NearCopies
from placet.procedure.publication import Publication
from placet.screening.near import sketches
from placet.store.contract import Commit, DossierRow, Store

pytest_plugins = ("platforms", "stores")

MOST = 100_000


def random_story(seed: int) -> str:
    """A text that no other test submits."""
    rng = random.Random(seed)
    return "".join(rng.choice("山水茶花鳥雲雨風月星人家門窗書畫琴棋") for _ in range(80))


# --- the index and the store -------------------------------------------------------------------------------------


@pytest.fixture
async def copies(store: Store) -> NearCopies:
    """An index that looks back thirty days."""
    return NearCopies(store, 30, MOST)


def submission(dossier: str, text: str, account: str = "acc_1", *, at: int = NOON, **state: Any) -> Commit:
    """A publication of an account with its sketch."""
    plain = commit(dossier)
    (sketch,) = sketches([Item(body=text)])
    entry = msgspec.structs.replace(plain.entries[0], at=at)
    return msgspec.structs.replace(
        plain, entries=(entry,), dossiers=(listed(dossier, account, **state),), sketch=sketch
    )


def listed(dossier: str, account: str, version: int = 1, **fields: Any) -> DossierRow:
    """A publication as it is listed."""
    values: dict[str, object] = {"status": "approved", "automatic": True} | fields
    plain = {"id": dossier, "account": account, "version": version, "revision": "", "revisions": 1, "category": ""}
    rest = {"origin": "original", "submitted_by": "", "submitted_at": NOON, "screened": 1, "outcome": "", "policy": ""}
    return kinds.row(kinds.KINDS["publication"], msgspec.convert(plain | rest | values, Publication), NOON)


async def found(
    copies: NearCopies, text: str, dossier: str = "", *, at: int = NOON, attempt: int = 0
) -> dict[str, str]:
    """List to label of what is found."""
    findings = await copies.find(Item(body=text), Subject("acc_9", dossier, at, attempt))
    return {each.list.removeprefix("near/"): each.label for each in findings}


async def test_copies_of_the_window_count(store: Store, copies: NearCopies) -> None:
    """Copies are counted with their accounts, unless they are older than the window; other texts are not."""
    text, old = random_story(10), NOON - 31 * DAY
    at = {"a": NOON - 29 * DAY, "b": NOON, "c": NOON, "d": old}
    accounts = {"a": "acc_1", "b": "acc_1", "c": "acc_2", "d": "acc_3"}
    await store.write([submission(f"pub_{one}", text, accounts[one], at=at[one]) for one in at])
    await store.write([submission("pub_e", random_story(11))])
    assert await found(copies, f"{text}！") == {"copies": "3", "accounts": "2"}
    assert await found(copies, random_story(12)) == {}


async def test_what_is_added_later_is_followed(store: Store, neighbour: Store, copies: NearCopies) -> None:
    """What any process has made durable is found by the next question."""
    text = random_story(13)
    assert await found(copies, text) == {}
    for number, writer in enumerate((store, neighbour, store)):
        await writer.write([submission(f"pub_{number}", text, f"acc_{number}")])
        assert await found(copies, text) == {"copies": str(number + 1), "accounts": str(number + 1)}


async def test_a_new_start_finds_the_same(store: Store) -> None:
    """An index that is filled from the store answers as one that has followed it from the first text on."""
    followed = NearCopies(store, 30, MOST)
    texts = [random_story(number) for number in range(20, 32)]
    for number in range(120):
        await store.write([submission(f"pub_{number:03}", texts[number % 12], f"acc_{number % 5}")])
        await found(followed, "早安")
    for text in texts:
        assert await found(NearCopies(store, 30, MOST), text) == await found(followed, text) != {}


async def test_a_pending_text_is_a_copy_until_it_is_settled(store: Store, copies: NearCopies) -> None:
    """Of copies that arrive at once, each sees those before it; one that never becomes durable is forgotten."""
    text = random_story(14)
    asked = (found(copies, text, f"pub_{number}", attempt=number + 1) for number in range(3))
    together = await asyncio.gather(*asked)
    assert together == [{}, {"copies": "1", "accounts": "1"}, {"copies": "2", "accounts": "1"}]
    await store.write([msgspec.structs.replace(submission("pub_0", text), sketch=copies.sketch(1))])
    assert (await found(copies, text))["copies"] == "3"
    copies.settled((1, 2, 3))
    assert copies.sketch(2) == b""
    assert await found(copies, text) == {"copies": "1", "accounts": "1"}


async def test_two_attempts_at_one_dossier_keep_their_own_texts(copies: NearCopies) -> None:
    """Of two revisions at once each has its own sketch, and the end of one leaves the other pending."""
    one, other = random_story(40), random_story(41)
    await asyncio.gather(found(copies, one, "pub_a", attempt=1), found(copies, other, "pub_a", attempt=2))
    assert [copies.sketch(1), copies.sketch(2)] == sketches([Item(body=one), Item(body=other)])
    copies.settled((1,))
    assert await found(copies, one) == {}
    assert await found(copies, other) == {"copies": "1", "accounts": "1"}


async def test_who_only_looks_is_not_pending(copies: NearCopies) -> None:
    """A text that is tried, or looked at again before its release, is no copy for others."""
    text = random_story(42)
    await found(copies, text, "pub_a")
    assert await found(copies, text, "pub_b") == {}


async def test_who_went_away_is_not_pending(copies: NearCopies) -> None:
    """A submission that is given up while the index is still read leaves nothing behind."""
    text = random_story(43)
    task = asyncio.create_task(found(copies, text, "pub_a", attempt=1))
    await asyncio.sleep(0)
    task.cancel()
    copies.settled((1,))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await found(copies, text) == {}


async def test_many_pending_copies_count_as_many_stored_ones(copies: NearCopies) -> None:
    """A thousand copies at once: the number is bounded, and so is what is compared."""
    text = random_story(44)
    asked = [found(copies, text, f"pub_{number}", attempt=number) for number in range(1, 1_001)]
    together = await asyncio.gather(*asked)
    assert [each.get("copies", "0") for each in together[:60]] == [str(min(n, MOST_COPIES)) for n in range(60)]
    assert together[-1] == {"copies": str(MOST_COPIES), "accounts": "1"}
    copies.settled(range(1, 1_001))
    assert await found(copies, text) == {}


class LateStore:
    """A store that answers later than it looks: meanwhile something happens."""

    def __init__(self, store: Store, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._store, self._meanwhile = store, meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def sketches(self, seq: int, limit: int, *, back: bool = False) -> Any:
        """What was there before."""
        rows = await self._store.sketches(seq, limit, back=back)
        await self._meanwhile()
        return rows


async def test_what_becomes_durable_while_the_store_answers_is_seen(store: Store) -> None:
    """A text that is settled between the look at the store and its answer is a copy all the same."""
    text = random_story(45)

    async def meanwhile() -> None:
        if late.sketch(1):
            own = submission("pub_a", text, "acc_9")
            await store.write([msgspec.structs.replace(own, sketch=late.sketch(1))])
            late.settled((1,))

    late = NearCopies(cast("Store", LateStore(store, meanwhile)), 30, MOST)
    together = await asyncio.gather(*(found(late, text, f"pub_{c}", attempt=n) for n, c in ((1, "a"), (2, "b"))))
    assert together == [{}, {"copies": "1", "accounts": "1"}]


async def test_a_dossier_is_no_copy_of_itself(store: Store, copies: NearCopies) -> None:
    """Nor does it count twice for another when it has been revised."""
    text = random_story(15)
    await store.write([submission("pub_a", text)])
    again = msgspec.structs.replace(
        submission("pub_a", text + "新"), expects={"pub_a": 1}, dossiers=(listed("pub_a", "acc_1", 2),)
    )
    entry = msgspec.structs.replace(again.entries[0], id="ent_again", version=2)
    await store.write([msgspec.structs.replace(again, entries=(entry,))])
    assert await found(copies, text, "pub_a", attempt=1) == {}
    copies.settled((1,))
    assert await found(copies, text, "pub_b") == {"copies": "1", "accounts": "1"}


@pytest.mark.parametrize(
    ("status", "automatic", "counts"),
    [("refused", False, True), ("refused", True, False), ("taken_down", False, True), ("returned", False, False)],
)
async def test_only_what_people_refused_counts_as_refused(
    store: Store, copies: NearCopies, status: str, automatic: bool, counts: bool
) -> None:
    """What a rule alone refused, perhaps for want of a right, is judged by the same rules again."""
    text = random_story(16)
    await store.write([submission("pub_a", text, status=status, automatic=automatic)])
    assert ("refused" in await found(copies, text)) == counts


async def test_of_very_many_copies_the_oldest_and_the_newest_count(store: Store, copies: NearCopies) -> None:
    """The number is bounded, and an early refusal is not lost among later copies."""
    text = random_story(17)
    many = [submission(f"pub_{number:04}", text) for number in range(1, 400)]
    await store.write([submission("pub_0000", text, status="refused", automatic=False), *many])
    for index in (copies, NearCopies(store, 30, MOST)):
        assert await found(index, text) == {"copies": str(MOST_COPIES), "accounts": "1", "refused": "1"}


async def test_memory_is_bounded(store: Store) -> None:
    """An index holds about the latest so many texts, whether it is filled or has followed."""
    texts = [submission(f"pub_{number:05}", random_story(number)) for number in range(5_000)]
    followed = NearCopies(store, 30, 2_000)
    await found(followed, "早安")
    for first in range(0, 5_000, 500):
        await store.write(texts[first : first + 500])
        await found(followed, "早安")
    filled = NearCopies(store, 30, 2_000)
    for index in (followed, filled):
        assert await found(index, random_story(4_999)) == {"copies": "1", "accounts": "1"}
    assert len(followed._index) <= 8 * 4_100


async def test_what_is_forgotten_takes_no_place(store: Store) -> None:
    """A flood of copies that is too old hides none of those that count."""
    text, copies = random_story(18), NearCopies(store, 30, MOST)
    await found(copies, "早安")
    for first in range(0, 1_104, 69):
        await store.write([submission(f"pub_a{number}", text) for number in range(first, first + 69)])
        await found(copies, "早安")
    late = NOON + 31 * DAY
    await store.write([submission(f"pub_b{number}", text, at=late) for number in range(40)])
    for index in (copies, NearCopies(store, 30, MOST)):
        assert await found(index, text, at=late) == {"copies": "40", "accounts": "1"}


async def test_copies_are_counted_within_the_windows_that_are_asked_for(store: Store) -> None:
    """Each window to the microsecond, with its accounts; one asked for from a later instant on, from then on."""
    text = random_story(50)
    ages = {"a": 20 * DAY, "b": 8 * DAY, "c": 7 * DAY, "d": DAY}
    accounts = {"a": "acc_1", "b": "acc_2", "c": "acc_2", "d": "acc_2"}
    await store.write([submission(f"pub_{one}", text, accounts[one], at=NOON - ages[one]) for one in ages])
    copies = NearCopies(store, 30, MOST, lambda at: {2, 7, 365} if at <= NOON else {21})
    plain = {"copies": "4", "accounts": "2"}
    assert await found(copies, text) == {
        **plain,
        "within/2": "1",
        "within/2/accounts": "1",
        "within/7": "2",
        "within/7/accounts": "1",
        "within/365": "4",
        "within/365/accounts": "2",
    }
    assert await found(copies, text, at=NOON + 1) == {**plain, "within/21": "4", "within/21/accounts": "2"}
    assert await found(copies, text, at=NOON + 3 * DAY) == {**plain, "within/21": "3", "within/21/accounts": "1"}
    assert await found(copies, random_story(51)) == {}


async def test_what_is_pending_counts_as_now(store: Store) -> None:
    """Of copies that arrive at once each sees those before it in the shortest window; a dossier counts once."""
    text = random_story(52)
    await store.write([submission("pub_old", text, at=NOON - 3 * DAY), submission("pub_0", text, at=NOON - 2 * DAY)])
    copies = NearCopies(store, 30, MOST, lambda _: {1})
    asked = (found(copies, text, f"pub_{number}", attempt=number + 1) for number in range(3))
    plain = [{"copies": "1", "accounts": "1"}, {"copies": "2", "accounts": "2"}, {"copies": "3", "accounts": "2"}]
    within = [{}, {"within/1": "1", "within/1/accounts": "1"}, {"within/1": "2", "within/1/accounts": "1"}]
    assert await asyncio.gather(*asked) == [one | other for one, other in zip(plain, within, strict=True)]


async def test_many_older_copies_hide_none_of_a_short_window(store: Store) -> None:
    """Of three hundred copies, forty of the last day, less alike than the older ones: all forty are counted."""
    text = random_story(53)
    alike = f"{random_story(54)[:12]}{text[12:]}"
    await store.write([submission(f"pub_a{number}", text, at=NOON - 9 * DAY) for number in range(260)])
    await store.write([submission(f"pub_b{number}", alike, f"acc_{number}", at=NOON) for number in range(40)])
    followed = NearCopies(store, 30, MOST, lambda _: {1})
    within = {"within/1": "40", "within/1/accounts": "40"}
    assert (await found(followed, text)).items() >= within.items()
    await store.write([submission(f"pub_c{number}", alike, f"acc_{number}", at=NOON) for number in range(40)])
    for copies in (followed, NearCopies(store, 30, MOST, lambda _: {1})):
        assert (await found(copies, text))["within/1"] == str(MOST_COPIES)


async def test_a_store_that_is_away_is_said(store: Store) -> None:
    """Whoever asks hears of it, as a submission would; the next question tries again."""
    copies = NearCopies(store, 30, MOST)
    await store.close()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await found(copies, random_story(20))


# --- a platform --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def copying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that looks for near copies."""
    made = Platform(tmp_path_factory.mktemp("copying") / "data", near_days=30)
    try:
        yield made.start()
    finally:
        made.stop()


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


def test_lines_of_a_batch_that_may_not_submit_are_no_copies(copying: Platform) -> None:
    """A text for an account that is not there is not looked at, and so holds up nobody else's."""
    text = random_story(5)
    accounts = [*(f"acc_0{number}h455vb4pex5vsknk084sn02q" for number in range(1, 4)), copying.account]
    lines = b"\n".join(msgspec.json.encode({"account": account, "body": text}) for account in accounts)
    headers = {"content-type": "application/x-ndjson"}
    answer = copying.http.post("/v1/publications/batch", content=lines, headers=headers).raise_for_status()
    *refused, made = [msgspec.json.decode(line) for line in answer.content.splitlines()]
    assert {each["problem"]["code"] for each in refused} == {"account_not_found"}
    assert findings(made["publication"]) == {}

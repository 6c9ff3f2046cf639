"""Who may act: the last admin, names, tokens and sign-in challenges, on a real store."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from placet.fresh import fresh_salts, new_id
from placet.house import House, open_house
from placet.logs import make_log
from placet.model import ID_PREFIXES, Refusal
from placet.people import SYSTEM_OPERATOR, Person
from placet.service import Done
from placet.settings import load
from placet.store.contract import Credential
from placet.web.auth import Gate


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A platform's parts, without a server."""
    settings = load({"data": str(tmp_path)}, {})
    async with open_house(settings, serving=False, create_key=True, log=make_log("error")) as opened:
        yield opened


async def added(house: House, name: str, *roles: str) -> Person:
    """A new person."""
    person = await house.people.add(SYSTEM_OPERATOR, name, roles)
    assert isinstance(person, Person)
    return person


async def test_two_admins_cannot_remove_each_other_at_once(house: House) -> None:
    """Of two admins ended at the same moment, one stays: somebody must be able to appoint others."""
    first, second = await added(house, "Ada", "admin"), await added(house, "Bea", "admin")
    ends = (house.people.end(SYSTEM_OPERATOR, each.id) for each in (first, second))
    results = await asyncio.gather(*ends)
    assert sorted(isinstance(each, Done) for each in results) == [False, True]
    (refusal,) = [each for each in results if isinstance(each, Refusal)]
    assert refusal.code == "last_admin"
    assert [each.name for each in await house.people.staff() if not each.ended]


async def test_the_last_admin_keeps_the_role(house: House) -> None:
    """Neither leaving nor another role is possible for the only admin; with a second one, both are."""
    ada = await added(house, "Ada", "admin")
    assert await house.people.end(SYSTEM_OPERATOR, ada.id) == Refusal("last_admin")
    assert await house.people.change_roles(SYSTEM_OPERATOR, ada.id, ("reviewer",)) == Refusal("last_admin")
    await added(house, "Bea", "admin")
    assert isinstance(await house.people.change_roles(SYSTEM_OPERATOR, ada.id, ("reviewer",)), Done)


async def test_a_name_left_over_from_a_broken_addition_is_free(house: House) -> None:
    """When the process died between the name and the entry, the same name can be added again."""
    left = Credential(new_id("staff"), "staff", "", b"ada", msgspec.json.encode({"name": "Ada"}), 1)
    assert await house.store.put_credential(left)
    ada = await added(house, "Ada", "reviewer")
    assert (await house.people.named("Ada")).id == ada.id


async def test_a_name_is_given_once(house: House) -> None:
    """Two people cannot have one name, in whatever letters: reasons would be laid to the wrong one."""
    await added(house, "Ada", "reviewer")
    refused = await house.people.add(SYSTEM_OPERATOR, " ADA ", ("lead",))
    assert isinstance(refused, Refusal)
    assert refused.code == "staff_exists"


async def test_issuing_a_token_is_on_the_record(house: House) -> None:
    """That somebody was given a token that acts as them is an entry, and a second token ends the first."""
    ada = await added(house, "Ada", "reviewer")
    tokens = [await house.people.token(SYSTEM_OPERATOR, ada.id) for _ in range(2)]
    kinds = [entry.kind for entry in await house.store.entries(ada.id)]
    assert kinds == ["staff.added", "staff.token_issued", "staff.token_issued"]
    known = [await house.people.principal(str(token)) for token in tokens]
    assert known[0] is None
    assert known[1] is not None
    assert known[1].id == ada.id


async def test_looking_at_the_sign_in_page_writes_nothing(house: House) -> None:
    """A challenge is sealed instead of stored, and is worth one answer only."""
    gate = Gate(house.people, house.store, house.settings)
    challenges = [await gate._sealed_challenge(1_000) for _ in range(20)]
    assert await house.store.credentials("challenge") == []
    assert len(set(challenges)) == 20
    assert await gate._spend_sealed(challenges[0], 2_000)
    assert not await gate._spend_sealed(challenges[0], 2_000)
    assert not await gate._spend_sealed(challenges[1][:-1] + b"x", 2_000)
    assert not await gate._spend_sealed(challenges[2], 10**15)


def test_salts_and_ids_never_repeat() -> None:
    """Salts have 32 bytes; ids have their kind's prefix; of ten thousand, no two are alike."""
    salts = fresh_salts()
    drawn = {next(salts) for _ in range(10_000)}
    assert {len(each) for each in drawn} == {32}
    assert len(drawn) == 10_000
    ids = [new_id("publication") for _ in range(10_000)]
    assert len(set(ids)) == 10_000
    assert {each.partition("_")[0] for each in ids} == {ID_PREFIXES["publication"]}

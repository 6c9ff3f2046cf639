"""What a draft pack would say, before anybody has approved it: checks while one types, texts, past items.

Nothing of it is recorded. Loading a pack and compiling a policy are done in threads, a few at a time, so that those
who type leave the submissions room.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeVar

from placet.activations import check
from placet.detection import Subject
from placet.judging import Screening
from placet.model import Item, Micros
from placet.past import facts_of, past_of
from placet.policy import AccountFacts, LoadResult, Pack, Policy, digest_of
from placet.procedure.publication import Publication
from placet.service import Service

T = TypeVar("T")

_MOST_KEPT: Final = 8
_AT_ONCE: Final = 2


class Side(NamedTuple):
    """What one policy says of an item."""

    policy: Policy
    screening: Screening


class Comparison(NamedTuple):
    """What is said of one item now, and what would be said with the draft in its pack's place."""

    at: Micros
    """The instant that is asked about: now, or when the draft is to begin."""
    now: Side
    draft: Side


class Trials:
    """Tries drafts beside what is in force, over one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._policies: dict[tuple[str, str], Policy] = {}
        self._checked: dict[tuple[str, str], LoadResult] = {}
        self._busy = asyncio.Semaphore(_AT_ONCE)

    async def check(self, pack: str, files: Mapping[str, str]) -> LoadResult:
        """Every mistake in the files, as they would be found on saving; the last few answers are kept."""
        key = pack, digest_of(files)
        if key not in self._checked:
            async with self._busy:
                result = await check(pack, files)
            _keep(self._checked, key, result)
        return self._checked[key]

    async def text(self, draft: Pack, item: Item, account_class: str, at: Micros) -> Comparison:
        """What the draft says of a text that somebody of that class might submit.

        Raises SettingsError where the draft cannot be in force beside the other packs.
        """
        present, policy = await self._with(draft)
        return await self._compare(
            present, policy, item, AccountFacts(account_class=account_class), Subject("", "", at)
        )

    async def past(self, draft: Pack, publication: Publication, at: Micros) -> Comparison:
        """What the draft says of what was submitted, for its account as it is now. Raises SettingsError."""
        service = self._service
        present, policy = await self._with(draft)
        account = await service.account(publication.account)
        assert account is not None  # a publication has one, and none is ever taken away
        past = await past_of(service.store, account.id, present.past | policy.past, at, publication)
        item = await service.content(publication.revision)
        subject = Subject(account.id, publication.id, at)
        return await self._compare(present, policy, item, facts_of(account, past), subject)

    async def _compare(
        self, present: Policy, policy: Policy, item: Item, account: AccountFacts, subject: Subject
    ) -> Comparison:
        judging = self._service.judging
        found = await judging.detection.find(item, subject)
        before = await judging.tried(item, account, subject, found, present)
        after = await judging.tried(item, account, subject, found, policy)
        return Comparison(subject.at, Side(present, before), Side(policy, after))

    async def _with(self, draft: Pack) -> tuple[Policy, Policy]:
        """What is in force, and what would be, had the draft its pack's place; the last few are kept."""
        present = self._service.policy
        key = present.digest, draft.digest
        if key not in self._policies:
            others = [pack for pack in present.packs if pack.id != draft.id]
            async with self._busy:
                policy = await asyncio.to_thread(Policy, [*others, draft])
            _keep(self._policies, key, policy)
        return present, self._policies[key]


def _keep(kept: dict[tuple[str, str], T], key: tuple[str, str], one: T) -> None:
    """Keep it, and let the oldest go."""
    kept[key] = one
    while len(kept) > _MOST_KEPT:
        del kept[next(iter(kept))]

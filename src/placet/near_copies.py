"""Near copies of what is submitted: how many there were lately, by how many accounts, and whether one was refused.

The signatures of submitted texts lie in the store, written in the transaction of the submission (screening/near.py says
what they are). What was submitted a moment ago and is not yet durable is remembered here, so that of copies that
arrive together, each but the first is seen as one.
"""

from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from placet.detection import Subject
from placet.model import Finding, Item, Micros
from placet.screening.near import Signature, signature, similarity
from placet.store.contract import NearFound, NearText, Store

ALIKE: Final = 0.55
"""Estimated similarity from which a text counts as a copy: about one character in twenty changed."""
MOST_COPIES: Final = 200
"""Copies counted for each key; "200" means "200 or more"."""
DAY: Final[Micros] = 86_400_000_000
_REFUSED: Final = frozenset({"refused", "taken_down"})
_MOST_RECENT: Final = 2_000
_RECENT: Final[Micros] = 10_000_000
"""Microseconds for which a submission is remembered here: far longer than a commit takes."""


class _Recent(NamedTuple):
    at: Micros
    dossier: str
    account: str
    signature: Signature


class NearCopies:
    """A Source (detection.py) over the signatures in the store."""

    def __init__(self, store: Store, days: int) -> None:
        self._store = store
        self._window = days * DAY
        self._recent: deque[_Recent] = deque(maxlen=_MOST_RECENT)

    async def find(self, item: Item, subject: Subject) -> list[Finding]:
        """Up to three findings over the whole text, labelled with a number: see docs/screening.md, "Near copies"."""
        sought = _signature(item)
        if sought is None:
            return []
        known = [*self._lately(sought, subject.at)]
        known += await self._store.near(sought.keys, subject.at - self._window, MOST_COPIES)
        if subject.dossier:
            self._recent.append(_Recent(subject.at, subject.dossier, subject.account, sought))
        likeness: dict[str, float] = {}
        accounts: set[str] = set()
        refused = 0.0
        for each in known:
            alike = similarity(sought.minima, each.minima)
            if alike < ALIKE or each.dossier == subject.dossier:
                continue
            likeness[each.dossier] = max(alike, likeness.get(each.dossier, 0.0))
            accounts.add(each.account)
            if each.status in _REFUSED:
                refused = max(refused, alike)
        return _findings(item, likeness, accounts, refused)

    def _lately(self, sought: Signature, at: Micros) -> Iterator[NearFound]:
        """What was submitted here a moment ago; perhaps it is durable by now and is found twice."""
        for each in self._recent:
            if at - each.at < _RECENT and not set(each.signature.keys).isdisjoint(sought.keys):
                yield NearFound(each.dossier, each.account, each.at, each.signature.minima, "")

    def text(self, item: Item, dossier: str, account: str, at: Micros) -> NearText | None:
        """What is to be stored of an item that is submitted."""
        found = _signature(item)
        return None if found is None else NearText(dossier, account, at, found.keys, found.minima)

    async def forget(self, now: Micros, limit: int) -> int:
        """Drop signatures that are older than the window, so many at most; gives how many."""
        return await self._store.forget_near(now - self._window, limit)


_signature: Final = lru_cache(maxsize=1_024)(signature)
"""An item is asked about when it is judged and again when it is stored."""


def _findings(item: Item, likeness: dict[str, float], accounts: set[str], refused: float) -> list[Finding]:
    if not likeness:
        return []
    field = "body" if item.body else "title"
    quote = item.body or item.title
    closest = max(likeness.values())

    def finding(name: str, number: int, alike: float) -> Finding:
        view = "exact" if alike == 1 else "squeezed"
        score = round(100 * alike)
        return Finding("near", f"near/{name}", str(number), field, 0, len(quote), view, score, quote)

    found = [finding("copies", len(likeness), closest), finding("accounts", len(accounts), closest)]
    return [*found, finding("refused", 1, refused)] if refused else found

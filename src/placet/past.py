"""What rules may know of an account: what the platform vouches for, and how its earlier submissions have gone.

The past is counted in the store when a rule in force reads it, and only as much of it as is read. It is as it was last
committed: what is submitted at the same moment is not in it. The counts that were read are recorded with the verdict.
"""

from typing import Final

from placet.model import Micros
from placet.policy import AccountFacts, AccountPast
from placet.procedure.account import Account
from placet.procedure.publication import Publication
from placet.store.contract import Query, Store

MOST_COUNTED: Final = 1_000
"""No count goes further: 1000 means "1000 or more"."""
DAY: Final[Micros] = 86_400_000_000
_STATUSES: Final = {
    "held": "held",
    "returned": "returned",
    "refused": "refused",
    "published": "released",
    "taken_down": "taken_down",
}
_DAYS: Final = {"last_day": 1, "last_month": 30}


_UNREAD: Final = AccountPast()


def facts_of(account: Account, past: AccountPast = _UNREAD) -> AccountFacts:
    """What rules may know of an account."""
    return AccountFacts(
        id=account.id,
        account_class=account.account_class,
        rights=account.rights,
        agreement=account.agreement,
        past=past,
    )


async def past_of(
    store: Store, account: str, read: frozenset[str], at: Micros, own: Publication | None = None
) -> AccountPast:
    """Count those parts of an account's past that are read; what is being judged, `own`, is no part of it."""
    if not read:
        return _UNREAD
    counts: dict[str, int] = {}
    for name in sorted(read):
        status, since = _STATUSES.get(name, ""), at - _DAYS[name] * DAY if name in _DAYS else 0
        query = Query(kind="publication", account=account, status=status, opened_from=since)
        is_counted = own is not None and (own.status == status if status else own.submitted_at >= since)
        counts[name] = max(0, await store.count(query, MOST_COUNTED) - is_counted)
    return AccountPast(**counts)

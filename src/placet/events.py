"""What webhooks tell of: which entries, and in which words."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from placet.model import Json, Micros
from placet.procedure import publication as publications
from placet.store.contract import Delivery, EntryRow

SILENT: Final = frozenset({"publication.claimed", "publication.unclaimed", "publication.claim_expired"})
"""Entries that decide nothing: no webhook tells of them."""


def event_body(event: str, row: EntryRow, state: publications.Publication) -> dict[str, Json]:
    """What a webhook says: who and what, never the content (Standard Webhooks: type, timestamp, data)."""
    return {
        "type": event,
        "timestamp": rfc3339(row.at),
        "data": {
            "id": state.id,
            "account": state.account,
            "external_id": state.external_id,
            "status": state.status,
            "version": state.version,
            "revision": state.revision,
            "live_revision": state.live_revision,
            "grounds": list(state.grounds),
            "blocked_by": list(state.blocked_by),
            "automatic": state.automatic,
            "entry": row.id,
        },
    }


def rfc3339(at: Micros) -> str:
    """An instant as RFC 3339 in UTC, with milliseconds."""
    seconds, micros = divmod(at, 1_000_000)
    return f"{_second(seconds)}.{micros // 1_000:03d}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def deliveries(
    endpoints: Sequence[str],
    rows: Sequence[EntryRow],
    state: publications.Publication,
    at: Micros,
    ids: Callable[[str], str],
) -> Iterator[Delivery]:
    """One message for each decision and endpoint, in the same transaction: never lost, never about nothing."""
    for row in rows:
        if row.kind not in SILENT:
            event = f"publication.{state.status}"
            body = msgspec.json.encode(event_body(event, row, state))
            for each in endpoints:
                yield Delivery(ids("delivery"), each, row.dossier, event, body, created_at=at, next_at=at)

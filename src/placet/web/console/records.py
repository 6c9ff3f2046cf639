"""Accounts and the ledger."""

from typing import Final
from urllib.parse import urlencode

import msgspec
from litestar import Response, get

from placet import kinds
from placet.errors import PlacetError
from placet.events import rfc3339
from placet.ledger.encode import commitment
from placet.ledger.merkle import node_hash
from placet.procedure import account as accounts
from placet.recorder import Proven
from placet.store.contract import Query
from placet.web.api.publications import read_cursor, write_cursor
from placet.web.console import show
from placet.web.contexts import AccountPage, AccountsPage, LedgerPage, LedgerRow, ProofPage
from placet.web.strict import StrictRequest
from placet.web.visit import go, signed_in
from placet.web.wire import check_id

_PAGE: Final = 40
_ROWS: Final = 50


@get("/desk/accounts", include_in_schema=False)
async def accounts_page(request: StrictRequest, cursor: str = "") -> Response[str]:
    """The accounts, newest first."""
    here = await signed_in(request, "account.read")
    desk, policy = here.desk, here.desk.service.policy
    query = Query(kind="account", order="newest", after=read_cursor(cursor), limit=_PAGE + 1)
    rows = await desk.store.page(query)
    cards = [await show.account_card(desk.store, kinds.decode(row), policy, here.language) for row in rows[:_PAGE]]
    following = ""
    if len(rows) > _PAGE:
        last = rows[_PAGE - 1]
        following = f"/desk/accounts?{urlencode({'cursor': write_cursor((last.opened_at, last.id))})}"
    return here.page(AccountsPage(here.chrome(), tuple(cards), following))


@get("/desk/accounts/{account:str}", include_in_schema=False)
async def account_page(request: StrictRequest, account: str, cursor: str = "") -> Response[str]:
    """An account and its whole history."""
    here = await signed_in(request, "account.read")
    desk, policy = here.desk, here.desk.service.policy
    state = await desk.service.state(check_id(account, "account"))
    if not isinstance(state, accounts.Account):
        raise PlacetError(code="not_found")
    query = Query(kind="publication", account=account, order="newest", after=read_cursor(cursor), limit=_PAGE)
    links = await show.publication_links(desk.service, query)
    head = await desk.store.head()
    entries = await desk.store.entries(account, 0, 500)
    names = await desk.people.labels()
    following = ""
    if len(links) == _PAGE:
        place = write_cursor((links[-1].submitted_at, links[-1].id))
        following = f"/desk/accounts/{account}?{urlencode({'cursor': place})}"
    page = AccountPage(
        chrome=here.chrome(),
        account=await show.account_card(desk.store, state, policy, here.language),
        publications=links,
        timeline=show.timeline(entries, names, policy.grounds, here.language, head.size if head else 0),
        next=following,
    )
    return here.page(page)


@get("/desk/ledger", include_in_schema=False)
async def ledger_page(request: StrictRequest, entry: str = "", before: str = "") -> Response[str]:
    """The latest head, and the last entries."""
    here = await signed_in(request, "ledger.read")
    if entry.strip().isdecimal() and len(entry) < 16:
        return go(f"/desk/ledger/{int(entry)}")
    desk = here.desk
    head = await desk.store.head()
    size = await desk.store.size()
    end = min(size, int(before)) if before.isdecimal() and len(before) < 16 else size
    start = max(0, end - _ROWS)
    rows = await desk.store.entries_from(start, end - start) if end > start else []
    names = await desk.people.labels()
    covered = head.size if head else 0
    page = LedgerPage(
        chrome=here.chrome(),
        origin=desk.recorder.origin,
        vkey=desk.recorder.vkey,
        size=covered,
        entries=size,
        root=head.root.hex() if head else "",
        at=head.at if head else 0,
        note=head.note if head else "",
        rows=tuple(
            LedgerRow(
                row.seq, row.at, row.kind, row.dossier, show.actor_of(row.actor, names), covered=row.seq < covered
            )
            for row in reversed(rows)
        ),
        older=f"/desk/ledger?before={start}" if start else "",
        asked=entry[:40],
    )
    return here.page(page)


@get("/desk/ledger/{seq:int}", include_in_schema=False)
async def proof_page(request: StrictRequest, seq: int) -> Response[str]:
    """The proof that an entry is under the latest head, step by step."""
    here = await signed_in(request, "ledger.read")
    proven = await here.desk.recorder.prove(seq)
    if proven is None:
        raise PlacetError(code="not_found")
    row = proven.row
    header = msgspec.json.decode(proven.header)
    shown = tuple((name, rfc3339(value) if name in ("at", "instant") else str(value)) for name, value in header.items())
    fits = None
    if row.body is not None and row.salt is not None:
        fits = commitment(row.salt, row.body) == row.commitment
    page = ProofPage(
        chrome=here.chrome(),
        seq=seq,
        header=shown,
        header_line=proven.header.decode(),
        leaf=proven.leaf.hex(),
        steps=steps(proven),
        size=proven.head.size,
        root=proven.head.root.hex(),
        verified=proven.verified,
        body_matches=fits,
        dossier=row.dossier,
    )
    return here.page(page)


def steps(proven: Proven) -> tuple[tuple[str, str, str], ...]:
    """How the leaf becomes the root: each step's sibling's side, its hash, and the hash so far (RFC 9162 2.1.3.2)."""
    index, last = proven.row.seq, proven.head.size - 1
    so_far = proven.leaf
    found = []
    for sibling in proven.proof:
        if index % 2 or index == last:
            so_far = node_hash(sibling, so_far)
            found.append(("left", sibling.hex(), so_far.hex()))
            while not index % 2 and index:
                index, last = index // 2, last // 2
        else:
            so_far = node_hash(so_far, sibling)
            found.append(("right", sibling.hex(), so_far.hex()))
        index, last = index // 2, last // 2
    return tuple(found)


HANDLERS = [accounts_page, account_page, ledger_page, proof_page]

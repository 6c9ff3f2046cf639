"""/v1/dossiers/{id}/entries and /v1/ledger."""

import base64
from typing import Annotated, Any

import msgspec
from litestar import Response, Router, get
from litestar.params import Parameter

from placet.errors import BadInput
from placet.ledger.encode import MAX_INT
from placet.ledger.merkle import LedgerShapeError, parse_tile_path
from placet.model import ID_PREFIXES
from placet.recorder import Proven, stored_path
from placet.service import Principal
from placet.store.contract import Store
from placet.web.api.publications import JSON
from placet.web.desk import desk_of
from placet.web.problems import problem_response
from placet.web.strict import StrictRequest
from placet.web.wire import EntryPage, encode, entry_out

_HASH = 32
_READING = {"publication": "publication.read", "account": "account.read", "pack": "policy.read", "list": "policy.read"}
"""What one needs in order to read the history of each kind of dossier; of others, `ledger.read`."""


@get("/dossiers/{dossier:str}/entries", summary="History", opt={"scope": "publication.read"}, tags=["ledger"])
async def entries(
    request: StrictRequest,
    dossier: str,
    after: Annotated[int, Parameter(ge=0, le=MAX_INT)] = 0,
    limit: Annotated[int, Parameter(ge=1, le=1_000)] = 200,
) -> Response[EntryPage]:
    """Everything that happened to a dossier, oldest first, as its reader may see it; `after` is a version."""
    desk = desk_of(request)
    who = await desk.gate.bearer(request, "publication.read")
    kind = next((name for name, prefix in ID_PREFIXES.items() if dossier.startswith(prefix + "_")), "")
    if not who.may(_READING.get(kind, "ledger.read")):
        return problem_response("not_found")  # type: ignore[return-value]
    row = await desk.store.dossier(dossier)
    if row is None or not who.sees(row.account):
        return problem_response("not_found")  # type: ignore[return-value]
    rows = await desk.store.entries(dossier, after, limit + 1)
    names_staff = who.may("ledger.read") and not who.account
    shown = [entry_out(each, names_staff=names_staff) for each in rows[:limit]]
    following = str(rows[limit - 1].version) if len(rows) > limit else None
    return Response(encode(EntryPage(shown, following)), media_type=JSON)  # type: ignore[arg-type]


@get("/ledger/checkpoint", summary="Latest head", media_type="text/plain")
async def checkpoint(request: StrictRequest) -> Response[str]:
    """The latest signed head (C2SP checkpoint). Public: whoever keeps it can tell later if anything was changed."""
    head = await desk_of(request).store.head()
    if head is None:
        return problem_response("not_found")  # type: ignore[return-value]
    return Response(head.note, media_type="text/plain", headers={"cache-control": "no-cache"})


@get("/ledger/key", summary="Verifier key", media_type="text/plain")
async def key(request: StrictRequest) -> Response[str]:
    """The public key that heads are signed with (signed-note verifier key)."""
    return Response(desk_of(request).recorder.vkey + "\n", media_type="text/plain")


@get("/ledger/tile/{path:path}", summary="Tile", media_type="application/octet-stream")
async def tile(request: StrictRequest, path: str) -> Response[bytes]:
    """The hashes of a tile (C2SP tlog-tiles), such as `tile/0/000` or `tile/0/001.p/17`."""
    desk = desk_of(request)
    try:
        asked = parse_tile_path("tile/" + path.lstrip("/"))
    except LedgerShapeError as error:
        raise BadInput(str(error), facts={"field": "path"}) from error
    hashes = await desk.store.tile(stored_path(asked.level, asked.index))
    if hashes is None or len(hashes) < asked.width * _HASH:
        return problem_response("not_found")
    cache = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(hashes[: asked.width * _HASH], media_type="application/octet-stream", headers=cache)


@get("/ledger/entries/{seq:int}/proof", summary="Proof of an entry", opt={"scope": "ledger.read"})
async def proof(request: StrictRequest, seq: int) -> Response[dict[str, Any]]:
    """The entry's header and its inclusion proof under the latest head."""
    desk = desk_of(request)
    who = await desk.gate.bearer(request, "ledger.read")
    proven = await desk.recorder.prove(seq)
    if proven is None or not await _sees_header(who, desk.store, proven):
        return problem_response("not_found")  # type: ignore[return-value]
    shown = {
        "seq": seq,
        "header": msgspec.json.decode(proven.header),
        "header_line": proven.header.decode(),
        "leaf": _b64(proven.leaf),
        "size": proven.head.size,
        "root": _b64(proven.head.root),
        "proof": [_b64(each) for each in proven.proof],
        "checkpoint": proven.head.note,
        "verified": proven.verified,
    }
    return Response(encode(shown), media_type=JSON)  # type: ignore[arg-type]


@get("/ledger/consistency/{old:int}", summary="Proof between heads")
async def consistency(request: StrictRequest, old: int) -> Response[dict[str, Any]]:
    """The proof that the latest head extends the one of `old` entries: nothing before was changed or removed."""
    found = await desk_of(request).recorder.consistency(old)
    if found is None:
        return problem_response("not_found")  # type: ignore[return-value]
    hashes, head = found
    shown = {"old": old, "size": head.size, "root": _b64(head.root), "proof": [_b64(each) for each in hashes]}
    return Response(encode(shown | {"checkpoint": head.note}), media_type=JSON)  # type: ignore[arg-type]


async def _sees_header(who: Principal, store: Store, proven: Proven) -> bool:
    """A key bound to an account proves that account's entries, but for those by which staff could be told apart."""
    if not who.account:
        return True
    row = await store.dossier(proven.row.dossier)
    return row is not None and row.account == who.account and not proven.row.actor.startswith("stf_")


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def router() -> Router:
    """The routes of this file."""
    return Router("/", route_handlers=[entries, checkpoint, key, tile, proof, consistency], tags=["ledger"])

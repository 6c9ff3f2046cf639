"""/v1/accounts."""

from collections.abc import Callable
from typing import Annotated

from litestar import Response, Router, get, post
from litestar.params import Parameter

from placet import kinds
from placet.model import Refusal
from placet.procedure import account as accounts
from placet.service import Done
from placet.store.contract import Query
from placet.web.api.publications import JSON, read_cursor, write_cursor
from placet.web.desk import desk_of, idempotency
from placet.web.problems import problem_response, refusal_response
from placet.web.strict import StrictRequest
from placet.web.wire import (
    AccountIn,
    AccountOut,
    AccountPage,
    AgreementIn,
    ProfileIn,
    RightsIn,
    account_out,
    account_reply,
    check_id,
    check_known,
    encode,
)


def _replied(result: Done | Refusal, status: int) -> Response[AccountOut]:
    if isinstance(result, Refusal):
        return refusal_response(result)  # type: ignore[return-value]
    headers = {} if result.reply is None else {"idempotent-replayed": "true"}
    body = account_reply(result) if result.reply is None else result.reply
    return Response(body, status_code=status, media_type=JSON, headers=headers)  # type: ignore[arg-type]


@post("/accounts", summary="Open an account", opt={"scope": "account.write"})
async def open_account(request: StrictRequest, data: AccountIn) -> Response[AccountOut]:
    """The platform opens an account that it has reviewed itself, and says which rights it holds."""
    desk = desk_of(request)
    who = await desk.gate.bearer(request, "account.write")
    check_known("class", data.account_class, desk.service.policy.classes)
    if who.account:
        return problem_response("forbidden")  # type: ignore[return-value]

    def command(identity: str) -> accounts.Open:
        return accounts.Open(
            id=identity,
            account_class=data.account_class,
            display_name=data.display_name,
            rights=data.rights,
            agreement=data.agreement,
            external_id=data.external_id,
            language=data.language,
        )

    once = idempotency(request, await request.body())
    return _replied(await desk.service.open_account(who, command, once, account_reply), 201)


@get("/accounts", summary="List accounts", opt={"scope": "account.read"})
async def listing(
    request: StrictRequest, cursor: str = "", limit: Annotated[int, Parameter(ge=1, le=200)] = 50
) -> Response[AccountPage]:
    """Accounts, newest first; pages by cursor."""
    desk = desk_of(request)
    who = await desk.gate.bearer(request, "account.read")
    query = Query(kind="account", account=who.account, order="newest", after=read_cursor(cursor), limit=limit + 1)
    rows = await desk.store.page(query)
    last = rows[limit - 1] if len(rows) > limit else None
    following = None if last is None else write_cursor((last.opened_at, last.id))
    shown = [account_out(kinds.decode(row)) for row in rows[:limit]]
    return Response(encode(AccountPage(shown, following)), media_type=JSON)  # type: ignore[arg-type]


@get("/accounts/{account:str}", summary="Read an account", opt={"scope": "account.read"})
async def read(request: StrictRequest, account: str) -> Response[AccountOut]:
    """An account as it is now."""
    desk = desk_of(request)
    who = await desk.gate.bearer(request, "account.read")
    check_id(account, "account")
    state = await desk.service.state(account) if who.sees(account) else None
    if state is None:
        return problem_response("account_not_found")  # type: ignore[return-value]
    return Response(encode(account_out(state)), media_type=JSON)  # type: ignore[arg-type]


@post("/accounts/{account:str}/rights", status_code=200, summary="Set rights", opt={"scope": "account.write"})
async def set_rights(request: StrictRequest, account: str, data: RightsIn) -> Response[AccountOut]:
    """The rights that the account holds from now on; what was approved before is checked again when it is released."""
    return await _change(request, account, lambda: accounts.SetRights(data.rights, data.basis))


@post("/accounts/{account:str}/agreement", status_code=200, summary="Set agreement", opt={"scope": "account.write"})
async def set_agreement(request: StrictRequest, account: str, data: AgreementIn) -> Response[AccountOut]:
    """The agreement version that the holder signed."""
    return await _change(request, account, lambda: accounts.SetAgreement(data.agreement))


@post("/accounts/{account:str}/profile", status_code=200, summary="Set profile", opt={"scope": "account.write"})
async def set_profile(request: StrictRequest, account: str, data: ProfileIn) -> Response[AccountOut]:
    """A new display name or class."""
    if data.account_class:
        check_known("class", data.account_class, desk_of(request).service.policy.classes)
    return await _change(request, account, lambda: accounts.SetProfile(data.display_name, data.account_class))


@post("/accounts/{account:str}/close", status_code=200, summary="Close", opt={"scope": "account.write"})
async def close(request: StrictRequest, account: str) -> Response[AccountOut]:
    """Close the account: it can no longer submit or release; its record stays."""
    return await _change(request, account, accounts.Close)


async def _change(
    request: StrictRequest, account: str, command: Callable[[], accounts.Command]
) -> Response[AccountOut]:
    desk = desk_of(request)
    who = await desk.gate.bearer(request, "account.write")
    check_id(account, "account")
    once = idempotency(request, await request.body())
    return _replied(await desk.service.change_account(who, account, command(), once, account_reply), 200)


def router() -> Router:
    """The routes of this file."""
    handlers = [open_account, listing, read, set_rights, set_agreement, set_profile, close]
    return Router("/", route_handlers=list(handlers), tags=["accounts"])

"""Signing in and out: links, passkeys, one's own passkeys."""

from typing import Any

from litestar import Response, get, post
from litestar.response import Redirect

from placet.errors import PlacetError
from placet.web.contexts import LinkPage, Passkey, PasskeysPage, SignInPage
from placet.web.problems import problem
from placet.web.render import translator
from placet.web.strict import StrictRequest
from placet.web.visit import SESSION_COOKIE, Visit, check_same_origin, go, set_cookie, signed_in, visit
from placet.web.wire import encode


@get("/sign-in", include_in_schema=False)
async def sign_in_page(request: StrictRequest) -> Response[str]:
    """Sign in by passkey."""
    here = await visit(request)
    if here.session is not None:
        return go("/desk")
    options = await here.desk.gate.authentication_options(here.now)
    return here.page(SignInPage(here.chrome(), options))


@post("/sign-in/passkey", status_code=200, include_in_schema=False)
async def sign_in(request: StrictRequest) -> Response[bytes]:
    """The passkey's answer, sent by the page's script."""
    here = await visit(request)
    check_same_origin(request)
    sent = await request.json()
    try:
        person = await here.desk.gate.authenticate(_credential(sent), here.now)
    except PlacetError as error:
        return _told(here, error)
    cookie, seconds = await here.desk.gate.begin(person.id, here.now)
    here.desk.log.info("signed_in", staff=person.id, by="passkey")
    response = Response(encode({"next": "/desk"}), media_type="application/json")
    response.cookies.append(set_cookie(SESSION_COOKIE, cookie, seconds, here.desk))
    return response


def _told(here: Visit, error: PlacetError) -> Response[bytes]:
    """The problem in the words of the page's language, since its script shows them."""
    t = translator(here.language)
    title = t(f"error.{error.code}.title")
    shown = problem(error.code) | {"title": title, "next_step": t(f"error.{error.code}.next")}
    return Response(encode(shown), status_code=shown["status"], media_type="application/problem+json")


def _credential(sent: Any) -> dict[str, Any]:
    credential = sent.get("credential") if isinstance(sent, dict) else None
    if not isinstance(credential, dict):
        raise PlacetError("The answer has no credential.", code="passkey_failed")
    return credential


@get("/link/{token:str}", include_in_schema=False)
async def link_page(request: StrictRequest, token: str) -> Response[str]:
    """Show whose link it is; using it takes a click, so that a preview does not spend it."""
    here = await visit(request)
    person = await here.desk.gate.peek_link(token, here.now) if len(token) < 200 else None
    if person is None:
        return here.page(LinkPage(here.chrome(), "", "", spent=True), status=410)
    return here.page(LinkPage(here.chrome(), person.name, token))


@post("/link", status_code=303, include_in_schema=False)
async def use_link(request: StrictRequest) -> Redirect | Response[str]:
    """Spend the link and sign in."""
    here = Visit(request, None)
    form = await here.form()
    person = await here.desk.gate.spend_link(form.get("token", "")[:200], here.now)
    if person is None:
        return here.page(LinkPage(here.chrome(), "", "", spent=True), status=410)
    cookie, seconds = await here.desk.gate.begin(person.id, here.now)
    here.desk.log.info("signed_in", staff=person.id, by="link")
    has_passkey = bool(await here.desk.gate.passkeys(person.id))
    response = go("/desk" if has_passkey else "/me", "signed_in")
    response.cookies.append(set_cookie(SESSION_COOKIE, cookie, seconds, here.desk))
    return response


@post("/sign-out", status_code=303, include_in_schema=False)
async def sign_out(request: StrictRequest) -> Redirect:
    """End the session."""
    here = await visit(request)
    response = go("/", "signed_out")
    if here.session is not None:
        await here.form()
        await here.desk.gate.end(here.session)
        response.cookies.append(set_cookie(SESSION_COOKIE, "", 0, here.desk))
    return response


@get("/me", include_in_schema=False)
async def passkeys_page(request: StrictRequest) -> Response[str]:
    """One's own passkeys."""
    return await _passkeys(await signed_in(request))


async def _passkeys(here: Visit, problem: str = "") -> Response[str]:
    gate = here.desk.gate
    shown = tuple(Passkey(*each) for each in await gate.passkeys(here.who.person.id))
    options = await gate.registration_options(here.who.person, here.now)
    return here.page(PasskeysPage(here.chrome(), shown, options, problem))


@post("/me/passkeys", status_code=200, include_in_schema=False)
async def add_passkey(request: StrictRequest) -> Response[bytes]:
    """A new passkey, sent by the page's script."""
    here = await signed_in(request)
    check_same_origin(request)
    if request.headers.get("x-csrf-token") != here.who.csrf:
        raise PlacetError(code="bad_form_token")
    sent = await request.json()
    label = str(sent.get("label", "")) if isinstance(sent, dict) else ""
    try:
        await here.desk.gate.register_passkey(here.who.person, _credential(sent), label, here.now)
    except PlacetError as error:
        return _told(here, error)
    await here.desk.people.note(here.who.principal, "passkey_added")
    return Response(encode({"next": "/me?done=passkey_added"}), media_type="application/json")


@post("/me/passkeys/remove", status_code=303, include_in_schema=False)
async def remove_passkey(request: StrictRequest) -> Redirect | Response[str]:
    """Remove one of one's own passkeys."""
    here = await signed_in(request)
    form = await here.form()
    if not await here.desk.gate.remove_passkey(here.who.person.id, form.get("id", "")):
        return await _passkeys(here, "error.not_found")
    await here.desk.people.note(here.who.principal, "passkey_removed")
    return go("/me", "passkey_removed")


HANDLERS = [
    sign_in_page,
    sign_in,
    link_page,
    use_link,
    sign_out,
    passkeys_page,
    add_passkey,
    remove_passkey,
]

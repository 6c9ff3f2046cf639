"""Staff, keys, webhooks."""

from typing import Final

from litestar import Response, get, post
from litestar.response import Redirect

from placet.errors import CODES
from placet.model import Refusal
from placet.people import Person
from placet.procedure.access import KEY_SCOPES, ROLES
from placet.store.contract import Delivery
from placet.web.contexts import (
    DeliveryRow,
    EndpointRow,
    KeyRow,
    KeysPage,
    StaffPage,
    StaffRow,
    WebhooksPage,
)
from placet.web.strict import StrictRequest
from placet.web.visit import Visit, go, problem_of, signed_in

_MOST_SHOWN: Final = 100


# --- staff -------------------------------------------------------------------------------------------------------


@get("/desk/staff", include_in_schema=False)
async def staff_page(request: StrictRequest) -> Response[str]:
    """People, roles, invitations."""
    return await _staff(await signed_in(request, "staff.manage"))


async def _staff(
    here: Visit, *, link: str = "", link_name: str = "", refusal: Refusal | None = None, name: str = ""
) -> Response[str]:
    desk = here.desk
    people = [
        StaffRow(each.id, each.name, each.roles, each.since, each.ended, len(await desk.gate.passkeys(each.id)))
        for each in await desk.people.staff()
    ]
    page = StaffPage(
        chrome=here.chrome(),
        people=tuple(people),
        roles=tuple((role, tuple(sorted(permitted))) for role, permitted in ROLES.items()),
        link=link and desk.settings.base_url + link,
        link_name=link_name,
        problem="" if refusal is None else problem_of(refusal),
        name=name,
    )
    return here.page(page, status=200 if refusal is None else CODES[refusal.code].status)


async def _roles(here: Visit) -> tuple[dict[str, str], tuple[str, ...]]:
    fields = await here.fields()
    return dict(fields), tuple(dict.fromkeys(value for name, value in fields if name == "role"))


@post("/desk/staff", status_code=200, include_in_schema=False)
async def add_person(request: StrictRequest) -> Response[str]:
    """Invite a person: the sign-in link is shown once."""
    here = await signed_in(request, "staff.manage")
    form, roles = await _roles(here)
    name = form.get("name", "")
    person = await here.desk.people.add(here.who.principal, name, roles)
    if isinstance(person, Refusal):
        return await _staff(here, refusal=person, name=name)
    return await _with_link(here, person)


async def _with_link(here: Visit, person: Person) -> Response[str]:
    link = await here.desk.people.link(here.who.principal, person.id)
    if isinstance(link, Refusal):
        return await _staff(here, refusal=link)
    return await _staff(here, link=link, link_name=person.name)


@post("/desk/staff/{identity:str}/link", status_code=200, include_in_schema=False)
async def make_link(request: StrictRequest, identity: str) -> Response[str]:
    """A new sign-in link, for somebody who lost their passkey."""
    here = await signed_in(request, "staff.manage")
    await here.form()
    person = await here.desk.people.person(identity)
    if person is None:
        return await _staff(here, refusal=Refusal("not_found"))
    return await _with_link(here, person)


@post("/desk/staff/{identity:str}/roles", status_code=303, include_in_schema=False)
async def change_roles(request: StrictRequest, identity: str) -> Redirect | Response[str]:
    """Other roles."""
    here = await signed_in(request, "staff.manage")
    _, roles = await _roles(here)
    result = await here.desk.people.change_roles(here.who.principal, identity, roles)
    here.desk.gate.forget()
    return await _staff(here, refusal=result) if isinstance(result, Refusal) else go("/desk/staff", "roles_saved")


@post("/desk/staff/{identity:str}/end", status_code=303, include_in_schema=False)
async def end_person(request: StrictRequest, identity: str) -> Redirect | Response[str]:
    """A person leaves."""
    here = await signed_in(request, "staff.manage")
    await here.form()
    result = await here.desk.people.end(here.who.principal, identity)
    here.desk.gate.forget()
    return await _staff(here, refusal=result) if isinstance(result, Refusal) else go("/desk/staff", "ended")


# --- keys --------------------------------------------------------------------------------------------------------


@get("/desk/keys", include_in_schema=False)
async def keys_page(request: StrictRequest) -> Response[str]:
    """Keys of programs."""
    return await _keys(await signed_in(request, "key.manage"))


async def _keys(here: Visit, *, token: str = "", refusal: Refusal | None = None, label: str = "") -> Response[str]:
    rows = tuple(
        KeyRow(key.id, key.label, key.scopes, key.account, key.since, key.ended)
        for key in await here.desk.people.keys()
    )
    problem = "" if refusal is None else problem_of(refusal)
    page = KeysPage(here.chrome(), rows, KEY_SCOPES, token, problem, label)
    return here.page(page, status=200 if refusal is None else CODES[refusal.code].status)


@post("/desk/keys", status_code=200, include_in_schema=False)
async def add_key(request: StrictRequest) -> Response[str]:
    """A new key: shown once."""
    here = await signed_in(request, "key.manage")
    fields = await here.fields()
    scopes = tuple(dict.fromkeys(value for name, value in fields if name == "scope"))
    form = dict(fields)
    label = form.get("label", "")
    made = await here.desk.people.add_key(here.who.principal, label, scopes, form.get("account", "").strip())
    if isinstance(made, Refusal):
        return await _keys(here, refusal=made, label=label)
    return await _keys(here, token=made[1])


@post("/desk/keys/{identity:str}/end", status_code=303, include_in_schema=False)
async def end_key(request: StrictRequest, identity: str) -> Redirect | Response[str]:
    """Revoke a key."""
    here = await signed_in(request, "key.manage")
    await here.form()
    result = await here.desk.people.end_key(here.who.principal, identity)
    here.desk.gate.forget()
    return await _keys(here, refusal=result) if isinstance(result, Refusal) else go("/desk/keys", "ended")


# --- webhooks ----------------------------------------------------------------------------------------------------


@get("/desk/webhooks", include_in_schema=False)
async def webhooks_page(request: StrictRequest) -> Response[str]:
    """Endpoints, what waits, and dead letters."""
    return await _webhooks(await signed_in(request, "webhook.manage"))


async def _webhooks(here: Visit, *, secret: str = "", refusal: Refusal | None = None, url: str = "") -> Response[str]:
    desk = here.desk
    endpoints = tuple(
        EndpointRow(each.id, address, each.created_at, ended=False) for each, address in await desk.people.webhooks()
    )
    dead = await desk.store.deliveries("dead", limit=_MOST_SHOWN)
    waiting = await desk.store.deliveries("waiting", limit=_MOST_SHOWN)
    page = WebhooksPage(
        chrome=here.chrome(),
        endpoints=endpoints,
        dead=tuple(_delivery_row(each, endpoints) for each in dead),
        waiting=tuple(_delivery_row(each, endpoints) for each in waiting),
        secret=secret,
        problem="" if refusal is None else problem_of(refusal),
        url=url,
    )
    return here.page(page, status=200 if refusal is None else CODES[refusal.code].status)


def _delivery_row(delivery: Delivery, endpoints: tuple[EndpointRow, ...]) -> DeliveryRow:
    """A delivery with its endpoint's address, or the id of one that was removed."""
    fields = {name: getattr(delivery, name) for name in DeliveryRow.__struct_fields__}
    address = {each.id: each.url for each in endpoints}.get(delivery.endpoint, delivery.endpoint)
    return DeliveryRow(**(fields | {"endpoint": address}))


@post("/desk/webhooks", status_code=200, include_in_schema=False)
async def add_webhook(request: StrictRequest) -> Response[str]:
    """A new endpoint: its signing secret is shown once."""
    here = await signed_in(request, "webhook.manage")
    form = await here.form()
    url = form.get("url", "").strip()
    made = await here.desk.people.add_webhook(here.who.principal, url)
    if isinstance(made, Refusal):
        return await _webhooks(here, refusal=made, url=url)
    return await _webhooks(here, secret=made[1])


@post("/desk/webhooks/{identity:str}/end", status_code=303, include_in_schema=False)
async def end_webhook(request: StrictRequest, identity: str) -> Redirect | Response[str]:
    """Remove an endpoint."""
    here = await signed_in(request, "webhook.manage")
    await here.form()
    result = await here.desk.people.end_webhook(here.who.principal, identity)
    return await _webhooks(here, refusal=result) if isinstance(result, Refusal) else go("/desk/webhooks", "ended")


@post("/desk/webhooks/deliveries/{identity:str}/replay", status_code=303, include_in_schema=False)
async def replay(request: StrictRequest, identity: str) -> Redirect | Response[str]:
    """Send a dead letter again."""
    here = await signed_in(request, "webhook.manage")
    await here.form()
    if not await here.desk.courier.replay(identity):
        return await _webhooks(here, refusal=Refusal("not_found"))
    return go("/desk/webhooks", "replayed")


HANDLERS = [
    staff_page,
    add_person,
    make_link,
    change_roles,
    end_person,
    keys_page,
    add_key,
    end_key,
    webhooks_page,
    add_webhook,
    end_webhook,
    replay,
]

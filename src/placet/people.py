"""Staff, keys and webhook endpoints: the credentials outside the record, and the entries about them on it.

A name, a secret's hash, a passkey or an address is a credential and can be deleted; that somebody was given a role,
and by whom, is an entry (procedure/access.py). A secret is random, shown once, and stored as its SHA-256: with 256
bits of chance there is nothing to guess, so a slow hash would only slow the desk.
"""

import base64
import hashlib
import secrets
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from placet.errors import StaffError
from placet.model import ID_PREFIXES, Micros, Refusal
from placet.procedure import access
from placet.procedure.fold import Context
from placet.service import Done, Plan, Principal, Service
from placet.store.contract import Credential

HOUR: Final[Micros] = 3_600_000_000
DAY: Final[Micros] = 24 * HOUR

SYSTEM_OPERATOR: Final = Principal("system:operator", frozenset({"staff.manage", "key.manage", "webhook.manage"}))
"""Whoever has the data folder and runs the command line there: they could do all this with the files anyway."""


class Person(NamedTuple):
    """A person on the staff: the name is a credential, the roles are of the record."""

    id: str
    name: str
    roles: tuple[str, ...]
    since: Micros
    ended: bool


class Key(NamedTuple):
    """A program's key."""

    id: str
    label: str
    scopes: tuple[str, ...]
    account: str
    since: Micros
    ended: bool


def secret(prefix: str) -> str:
    """A new secret of 256 random bits; the prefix says what it is, so that a leak can be recognised."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def hashed(text: str) -> bytes:
    """What is stored of a secret, and what it is looked up by."""
    return hashlib.sha256(text.encode()).digest()


class People:
    """Everything about who may act, over one service."""

    def __init__(self, service: Service, *, link_hours: int = 24) -> None:
        self._service = service
        self._store = service.store
        self._link_hours = link_hours

    # --- staff ---------------------------------------------------------------------------------------------------

    async def add(
        self, who: Principal, name: str, roles: tuple[str, ...], *, founding: bool = False
    ) -> Person | Refusal:
        """A new person. The name is unique; it never enters the record."""
        name = name.strip()
        if not name or len(name) > 80:
            return Refusal("invalid", {"field": "name"})
        if not roles:
            return Refusal("invalid", {"field": "role"})
        identity = self._service.ids("staff")
        at = self._service.clock()
        credential = Credential(identity, "staff", identity, name.casefold().encode(), _pack({"name": name}), at)
        if not await self._store.put_credential(credential):
            held = await self._store.credential("staff", credential.lookup)
            if held is not None and await self._access(held.id) is not None:
                return Refusal("staff_exists", {"name": name})
            if held is not None:  # left over from an addition that was broken off: nobody is behind it
                await self._store.drop_credential(held.id)
            return await self.add(who, name, roles, founding=founding)
        done = await self._carry(who, "staff", identity, access.Grant(identity, "staff", roles, founding=founding))
        if isinstance(done, Refusal):
            await self._store.drop_credential(identity)
            return done
        return Person(identity, name, roles, at, ended=False)

    async def person(self, identity: str) -> Person | None:
        """One person, or None; a person who has left keeps the name while the credential is kept."""
        state = await self._access(identity)
        return None if state is None else self._person(state, await self._names())

    async def named(self, name: str) -> Person:
        """The person of that name. Raises StaffError if there is none."""
        credential = await self._store.credential("staff", name.strip().casefold().encode())
        found = None if credential is None else await self.person(credential.id)
        if found is None:
            raise StaffError(f"There is nobody named {name!r} on the staff.")
        return found

    async def staff(self) -> list[Person]:
        """Everybody who is or was on the staff, in order of joining."""
        names = await self._names()
        states = [await self._access(identity) for identity in names]
        return [self._person(state, names) for state in states if state is not None]

    async def change_roles(self, who: Principal, identity: str, roles: tuple[str, ...]) -> Done | Refusal:
        """Other roles; the last admin stays one."""
        command = access.Regrant(roles)
        return await self._carry(who, "staff", identity, command, needs_admin="admin" not in roles)

    async def end(self, who: Principal, identity: str) -> Done | Refusal:
        """A person leaves: every session, passkey, token and link of theirs is gone at once."""
        done = await self._carry(who, "staff", identity, access.End(), needs_admin=True)
        if not isinstance(done, Refusal):
            for kind in ("session", "passkey", "token", "link"):
                for credential in await self._store.credentials(kind, identity):
                    await self._store.drop_credential(credential.id)
        return done

    async def link(self, who: Principal, identity: str) -> str | Refusal:
        """A one-time sign-in link: the path, to be put behind the public address. Older links stop to work."""
        done = await self._carry(who, "staff", identity, access.Note("link_issued"))
        if isinstance(done, Refusal):
            return done
        for old in await self._store.credentials("link", identity):
            await self._store.drop_credential(old.id)
        token = secret("pll")
        expires = self._service.clock() + self._link_hours * HOUR
        await self._put("link", identity, token, {}, expires)
        return f"/link/{token}"

    async def token(self, who: Principal, identity: str) -> str | Refusal:
        """A new personal API token. An older one of the same person stops to work."""
        done = await self._carry(who, "staff", identity, access.Note("token_issued"))
        if isinstance(done, Refusal):
            return done
        for old in await self._store.credentials("token", identity):
            await self._store.drop_credential(old.id)
        token = secret("pls")
        await self._put("token", identity, token, {})
        return token

    # --- keys ----------------------------------------------------------------------------------------------------

    async def add_key(
        self, who: Principal, label: str, scopes: tuple[str, ...] = access.KEY_SCOPES, account: str = ""
    ) -> tuple[Key, str] | Refusal:
        """A new key and its token, which is shown this once."""
        label = label.strip()
        if not label or len(label) > 80:
            return Refusal("invalid", {"field": "label"})
        if account and await self._service.account(account) is None:
            return Refusal("account_not_found")
        identity = self._service.ids("key")
        done = await self._carry(who, "key", identity, access.Grant(identity, "key", scopes, account))
        if isinstance(done, Refusal):
            return done
        token = secret("plk")
        await self._put("key", identity, token, {"label": label}, identity=identity)
        return Key(identity, label, scopes, account, self._service.clock(), ended=False), token

    async def keys(self) -> list[Key]:
        """Every key that still has its credential."""
        found = []
        for credential in await self._store.credentials("key"):
            state = await self._access(credential.id)
            if state is not None:
                ended = state.status == "ended"
                label = _unpack(credential)["label"]
                found.append(Key(state.id, label, state.grants, state.account, state.since, ended))
        return found

    async def end_key(self, who: Principal, identity: str) -> Done | Refusal:
        """Revoke a key; its label stays, so that the record can be read."""
        return await self._carry(who, "key", identity, access.End())

    # --- webhooks ------------------------------------------------------------------------------------------------

    async def add_webhook(self, who: Principal, url: str) -> tuple[str, str] | Refusal:
        """A new endpoint: its id, and the signing secret (Standard Webhooks: whsec_ and base64), shown this once."""
        if not _is_target(url):
            return Refusal("invalid", {"field": "url"})
        identity = self._service.ids("webhook")
        done = await self._carry(who, "webhook", identity, access.Grant(identity, "webhook"))
        if isinstance(done, Refusal):
            return done
        signing = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        await self._put("webhook", identity, identity, {"url": url, "secret": signing}, identity=identity)
        await self._service.refresh_endpoints()
        return identity, signing

    async def webhooks(self) -> list[tuple[Credential, str]]:
        """Active endpoints with their addresses."""
        return [(each, _unpack(each)["url"]) for each in await self._store.credentials("webhook")]

    async def end_webhook(self, who: Principal, identity: str) -> Done | Refusal:
        """Remove an endpoint; what is on its way to it becomes a dead letter."""
        done = await self._carry(who, "webhook", identity, access.End())
        if not isinstance(done, Refusal):
            await self._store.drop_credential(identity)
            await self._service.refresh_endpoints()
        return done

    # --- who is it -----------------------------------------------------------------------------------------------

    async def principal(self, token: str) -> Principal | None:
        """Who shows this token, if it is valid now."""
        kind = {"plk": "key", "pls": "token"}.get(token[:3])
        credential = None if kind is None else await self._store.credential(kind, hashed(token))
        return None if credential is None else await self.principal_of(credential.owner)

    async def principal_of(self, identity: str) -> Principal | None:
        """The person or key with its present permissions, unless it has ended."""
        state = await self._access(identity)
        if state is None or state.status == "ended":
            return None
        permitted = access.permissions_of(state.grants) if state.kind == "staff" else frozenset(state.grants)
        return Principal(state.id, permitted, state.account)

    async def labels(self) -> dict[str, str]:
        """Every name and label, by id."""
        return await self._names() | {key.id: key.label for key in await self.keys()}

    # --- pieces --------------------------------------------------------------------------------------------------

    async def note(self, who: Principal, what: Any) -> Done | Refusal:
        """Put something about one's own signing in on the record."""
        return await self._carry(who, "staff", who.id, access.Note(what))

    async def _carry(
        self, who: Principal, kind: str, identity: str, command: access.Command, *, needs_admin: bool = False
    ) -> Done | Refusal:
        """Carry out a command; with `needs_admin`, another admin must remain, at the version that was looked at."""
        if not identity.startswith(ID_PREFIXES[kind] + "_"):
            return Refusal("not_found")

        async def gather(_: Any, __: Context) -> Plan | Refusal:
            if not needs_admin:
                return Plan(command)
            admins = {each.id: each.version for each in await self._admins()}
            if set(admins) == {identity}:
                return Refusal("last_admin")
            admins.pop(identity, None)
            return Plan(command, admins)

        return await self._service.carry_out(who, kind, identity, gather)

    async def _admins(self) -> list[access.Access]:
        states = [await self._access(identity) for identity in await self._names()]
        return [each for each in states if each and each.status == "active" and "admin" in each.grants]

    async def _access(self, identity: str) -> access.Access | None:
        state = await self._service.state(identity)
        return state if isinstance(state, access.Access) else None

    async def _names(self) -> dict[str, str]:
        return {each.id: _unpack(each)["name"] for each in await self._store.credentials("staff")}

    def _person(self, state: access.Access, names: dict[str, str]) -> Person:
        ended = state.status == "ended"
        return Person(state.id, names.get(state.id, state.id), state.grants, state.since, ended)

    async def _put(
        self, kind: str, owner: str, token: str, body: dict[str, Any], expires: Micros = 0, identity: str = ""
    ) -> None:
        at = self._service.clock()
        given = identity or f"{kind}_{secrets.token_hex(12)}"
        await self._store.put_credential(Credential(given, kind, owner, hashed(token), _pack(body), at, expires))


def _is_target(url: str) -> bool:
    """Whether a webhook may be sent there at all: http or https, a host, no password that a list would show."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("https", "http") and bool(parts.hostname) and "@" not in parts.netloc
        return fits and len(url) <= 2_000 and not any(c.isspace() for c in url)
    except ValueError:
        return False


def _pack(body: dict[str, Any]) -> bytes:
    return msgspec.json.encode(body)


def _unpack(credential: Credential) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(credential.body)
    return body

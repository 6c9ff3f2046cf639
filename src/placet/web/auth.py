"""Who is asking: bearer tokens on the API; links, passkeys and sessions on the desk. No password is ever stored."""

import hashlib
import hmac
import secrets
import time
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from placet.errors import PlacetError
from placet.model import Micros
from placet.people import HOUR, People, Person, hashed, secret
from placet.service import Principal
from placet.settings import Settings
from placet.store.contract import Credential, Store
from placet.web.strict import StrictRequest

_CACHED_S: Final = 5.0
_MOST_CACHED: Final = 10_000
_CHALLENGE: Final[Micros] = HOUR // 6
_NONCE: Final = 16


class Session(NamedTuple):
    """A person who is signed in, and the token that their forms carry."""

    id: str
    person: Person
    principal: Principal
    csrf: str


class Gate:
    """Checks who is asking. Tokens are remembered for a few seconds, so that a busy key costs no look-up."""

    def __init__(self, people: People, store: Store, settings: Settings) -> None:
        self.people = people
        self._store = store
        self._settings = settings
        self._known: dict[str, tuple[Principal, float]] = {}

    # --- API -----------------------------------------------------------------------------------------------------

    async def bearer(self, request: StrictRequest, permission: str) -> Principal:
        """The principal of the Authorization header. Raises `unauthenticated` or `forbidden`."""
        header = request.header("authorization") or ""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise PlacetError(code="unauthenticated")
        principal = await self._principal(token.strip())
        if permission not in principal.permissions:
            raise PlacetError(code="forbidden", facts={"permission": permission})
        return principal

    async def _principal(self, token: str) -> Principal:
        known = self._known.get(token)
        moment = time.monotonic()
        if known is not None and known[1] > moment:
            return known[0]
        principal = await self.people.principal(token) if len(token) < 200 else None
        if principal is None:
            self._known.pop(token, None)
            raise PlacetError(code="unauthenticated")
        if len(self._known) >= _MOST_CACHED:
            self._known.clear()
        self._known[token] = (principal, moment + _CACHED_S)
        return principal

    def forget(self) -> None:
        """Drop what is remembered: a key or role has just changed here."""
        self._known.clear()

    # --- sessions ------------------------------------------------------------------------------------------------

    async def session(self, cookie: str, at: Micros) -> Session | None:
        """The session of a cookie, if it still runs and its person is still on the staff."""
        if not cookie or len(cookie) > 200:
            return None
        credential = await self._store.credential("session", hashed(cookie))
        if credential is None or credential.expires_at <= at:
            return None
        principal = await self.people.principal_of(credential.owner)
        person = await self.people.person(credential.owner)
        if principal is None or person is None:
            return None
        csrf = hmac.new(cookie.encode(), b"placet form token", hashlib.sha256).hexdigest()
        return Session(credential.id, person, principal, csrf)

    async def begin(self, owner: str, at: Micros) -> tuple[str, int]:
        """A new session: the cookie's value and its life in seconds."""
        cookie = secret("pss")
        hours = self._settings.session_hours
        identity = "session_" + hashed(cookie).hex()[:24]
        await self._store.put_credential(
            Credential(identity, "session", owner, hashed(cookie), b"{}", at, at + hours * HOUR)
        )
        return cookie, hours * 3600

    async def end(self, session: Session) -> None:
        """Sign out."""
        await self._store.drop_credential(session.id)

    # --- links ---------------------------------------------------------------------------------------------------

    async def peek_link(self, token: str, at: Micros) -> Person | None:
        """Whose link it is, without spending it."""
        credential = await self._store.credential("link", hashed(token))
        if credential is None or credential.expires_at <= at:
            return None
        return await self.people.person(credential.owner)

    async def spend_link(self, token: str, at: Micros) -> Person | None:
        """Use the link: of any number of tries, exactly one succeeds."""
        credential = await self._store.take_credential("link", hashed(token))
        if credential is None or credential.expires_at <= at:
            return None
        person = await self.people.person(credential.owner)
        return None if person is None or person.ended else person

    # --- passkeys (WebAuthn level 2) -----------------------------------------------------------------------------

    @property
    def _rp_id(self) -> str:
        return urlsplit(self._settings.base_url).hostname or "localhost"

    async def registration_options(self, person: Person, at: Micros) -> str:
        """Options for navigator.credentials.create(), as JSON."""
        existing = [
            PublicKeyCredentialDescriptor(id=each.lookup)
            for each in await self._store.credentials("passkey", person.id)
        ]
        options = webauthn.generate_registration_options(
            rp_id=self._rp_id,
            rp_name="Placet",
            user_id=person.id.encode(),
            user_name=person.name,
            user_display_name=person.name,
            exclude_credentials=existing,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.PREFERRED,
            ),
        )
        await self._remember_challenge(options.challenge, person.id, at)
        return webauthn.options_to_json(options)

    async def authentication_options(self, at: Micros) -> str:
        """Options for navigator.credentials.get(), as JSON."""
        options = webauthn.generate_authentication_options(
            rp_id=self._rp_id,
            challenge=await self._sealed_challenge(at),
            user_verification=UserVerificationRequirement.PREFERRED,
        )
        return webauthn.options_to_json(options)

    async def _sealed_challenge(self, at: Micros) -> bytes:
        """A challenge that carries its own end and seal: who only looks at the sign-in page makes us write nothing."""
        content = secrets.token_bytes(_NONCE) + (at + _CHALLENGE).to_bytes(8, "big")
        return content + await self._seal(content)

    async def _seal(self, content: bytes) -> bytes:
        secret_text = await self._store.meta("desk.secret")
        if secret_text is None:
            await self._store.set_meta("desk.secret", secrets.token_hex(32))
            secret_text = await self._store.meta("desk.secret") or ""
        return hmac.new(bytes.fromhex(secret_text), b"sign-in challenge" + content, hashlib.sha256).digest()

    async def _spend_sealed(self, challenge: bytes, at: Micros) -> bool:
        """Whether the challenge is ours, in time, and used for the first time."""
        content, seal = challenge[: _NONCE + 8], challenge[_NONCE + 8 :]
        if not hmac.compare_digest(seal, await self._seal(content)):
            return False
        until = int.from_bytes(content[_NONCE:], "big")
        identity = "challenge_" + hashed(challenge.hex()).hex()[:24]
        spent = Credential(identity, "challenge", "spent", challenge, b"{}", at, until)
        return until > at and await self._store.put_credential(spent)

    async def _remember_challenge(self, challenge: bytes, owner: str, at: Micros) -> None:
        identity = "challenge_" + hashed(challenge.hex()).hex()[:24]
        await self._store.put_credential(
            Credential(identity, "challenge", owner, challenge, b"{}", at, at + _CHALLENGE)
        )

    async def register_passkey(self, person: Person, credential: dict[str, Any], label: str, at: Micros) -> None:
        """Check a new passkey and keep its public key. Raises `passkey_failed`."""
        challenge = await self._take_challenge(credential, person.id, at)
        try:
            verified = webauthn.verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._settings.base_url,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as problem:
            raise PlacetError(str(problem), code="passkey_failed") from problem
        body = msgspec.json.encode(
            {
                "label": label[:80],
                "public_key": bytes_to_base64url(verified.credential_public_key),
                "sign_count": verified.sign_count,
            }
        )
        identity = "passkey_" + hashed(verified.credential_id.hex()).hex()[:24]
        kept = Credential(identity, "passkey", person.id, verified.credential_id, body, at)
        if not await self._store.put_credential(kept):
            raise PlacetError("This passkey is known already.", code="passkey_failed")

    async def authenticate(self, credential: dict[str, Any], at: Micros) -> Person:
        """Check a passkey's answer and say whose it is. Raises `passkey_failed`."""
        challenge = await self._take_challenge(credential, "", at)
        try:
            raw_id = base64url_to_bytes(str(credential["rawId"]))
            kept = await self._store.credential("passkey", raw_id)
            if kept is None:
                raise PlacetError("This passkey is not known here.", code="passkey_failed")
            body = msgspec.json.decode(kept.body)
            verified = webauthn.verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._settings.base_url,
                credential_public_key=base64url_to_bytes(body["public_key"]),
                credential_current_sign_count=body["sign_count"],
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as problem:
            raise PlacetError(str(problem), code="passkey_failed") from problem
        body["sign_count"] = verified.new_sign_count
        updated = msgspec.structs.replace(kept, body=msgspec.json.encode(body))
        await self._store.put_credential(updated, replace=True)
        person = await self.people.person(kept.owner)
        if person is None or person.ended:
            raise PlacetError("This person has left.", code="passkey_failed")
        return person

    async def _take_challenge(self, credential: dict[str, Any], owner: str, at: Micros) -> bytes:
        """The challenge that the answer names, if we gave it out, to this person, and it was not used before."""
        try:
            client = msgspec.json.decode(base64url_to_bytes(credential["response"]["clientDataJSON"]))
            challenge = base64url_to_bytes(client["challenge"])
        except (KeyError, TypeError, ValueError, msgspec.DecodeError) as problem:
            raise PlacetError("The answer is not readable.", code="passkey_failed") from problem
        if not owner:
            fresh = await self._spend_sealed(challenge, at)
        else:
            taken = await self._store.take_credential("challenge", challenge)
            fresh = taken is not None and taken.expires_at > at and taken.owner == owner
        if not fresh:
            raise PlacetError("The challenge is not ours, or too old, or used.", code="passkey_failed")
        return challenge

    async def passkeys(self, owner: str) -> list[tuple[str, str, Micros]]:
        """(id, label, created_at) of a person's passkeys."""
        return [
            (each.id, str(msgspec.json.decode(each.body)["label"]), each.created_at)
            for each in await self._store.credentials("passkey", owner)
        ]

    async def remove_passkey(self, owner: str, identity: str) -> bool:
        """Remove one's own passkey."""
        owned = {each.id for each in await self._store.credentials("passkey", owner)}
        return identity in owned and await self._store.drop_credential(identity)

"""Making a platform: all of it or nothing, and never over one that is there."""

import json
from typing import Any, NoReturn

from placet.errors import CODES, PlacetError, SettingsError
from placet.house import made_by, open_house, store_of
from placet.logs import make_log
from placet.model import Refusal
from placet.people import SYSTEM_OPERATOR
from placet.settings import Settings
from placet.shelf import load_policy


async def found(settings: Settings, admin: str) -> dict[str, Any]:
    """Make database, ledger key, first admin and first API key; gives what is shown this once."""
    await _check_vacant(settings)
    load_policy(settings.packs)
    try:
        return await _founded(settings, admin)
    except BaseException:  # a platform that was not finished must not look like one
        for file in made_by(settings):
            file.unlink(missing_ok=True)
        raise


async def _check_vacant(settings: Settings) -> None:
    """Refuse a folder or database that holds a platform already, before anything is made."""
    if any(file.exists() for file in (*made_by(settings), settings.folder / "placet.toml")):
        raise SettingsError(
            f"{settings.folder} already holds a platform, or what is left of one. Choose another folder; "
            "where only its ledger.key is missing, restore that."
        )
    if settings.database:
        store = store_of(settings, serving=False)
        await store.open()
        try:
            if await store.meta("ledger.vkey") is not None:
                raise SettingsError("This database already holds a platform: give the folder that has its ledger.key.")
        finally:
            await store.close()


async def _founded(settings: Settings, admin: str) -> dict[str, Any]:
    async with open_house(settings, serving=False, create_key=True, log=make_log("warning")) as house:
        person = accepted(await house.people.add(SYSTEM_OPERATOR, admin, FIRST_ROLES, founding=True))
        link = accepted(await house.people.link(SYSTEM_OPERATOR, person.id))
        key, token = accepted(await house.people.add_key(SYSTEM_OPERATOR, "first key"))
        await house.recorder.checkpoint()
        _write_settings(settings)
        return {
            "data": str(settings.folder.resolve()),
            "database": settings.database or "sqlite",
            "admin": {"id": person.id, "name": person.name, "roles": list(person.roles)},
            "key": key.id,
            "api_key": token,
            "sign_in_link": settings.base_url + link,
            "ledger_key": house.recorder.vkey,
        }


FIRST_ROLES = ("admin", "lead")
"""The first person must be able to do everything once: appoint others, and decide."""


def _write_settings(settings: Settings) -> None:
    """Keep what was chosen at the start, so that later commands need only the folder."""
    lines = [f"packs = {json.dumps(list(settings.packs))}", f"origin = {json.dumps(settings.origin)}"]
    if settings.database:
        lines.append(f"database = {json.dumps(settings.database)}")
    file = settings.folder / "placet.toml"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text("# docs/operations.md lists every setting.\n" + "\n".join(lines) + "\n", "utf-8")


def check_initialised(settings: Settings) -> None:
    """Raise SettingsError, saying what to do, unless the folder holds a whole platform."""
    if settings.key_file.exists() and (settings.folder / "placet.toml").exists():
        return
    if any(file.exists() for file in made_by(settings)):
        raise SettingsError(
            f"{settings.folder} is not whole: it needs placet.toml and {settings.key_file.name}. "
            "Restore what is missing from your back-up; a new key would not continue the ledger."
        )
    raise SettingsError(f"{settings.folder} holds no platform yet: run placet init --data {settings.folder}.")


def accepted(result: Any) -> Any:
    """The result, unless it is a refusal: that ends the command with its reason."""
    if isinstance(result, Refusal):
        refused(result)
    return result


def refused(refusal: Refusal) -> NoReturn:
    """End a command with a refusal's reason."""
    known = CODES[refusal.code]
    facts = f" ({', '.join(f'{name}: {value}' for name, value in refusal.facts.items())})" if refusal.facts else ""
    raise PlacetError(f"{known.title[:-1]}{facts}.", code=refusal.code)

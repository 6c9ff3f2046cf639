"""A public account, as far as the platform vouches for it: class, display name, rights, agreement.

    opened -> active -> closed

The account procedure proper (real-name proof, application, review, licences, filing: IM14 arts 6 and 7) comes with
its own states before `active`; until then the platform opens accounts that it has reviewed itself, and says which
rights they hold. A class gives no right by itself: evidence may lapse while the class stays.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from placet.model import Draft, Entry, Json, Micros, Refusal, Value
from placet.procedure.fold import Context, Decision


class Account(Value, frozen=True):
    """The state of one account."""

    id: str
    version: int
    status: Literal["active", "closed"]
    account_class: str
    display_name: str
    opened_at: Micros
    rights: tuple[str, ...] = ()
    agreement: str = ""
    external_id: str = ""
    language: str = ""


class Open(Value, frozen=True):
    """The platform opens an account."""

    id: str
    account_class: str
    display_name: str
    rights: tuple[str, ...] = ()
    agreement: str = ""
    external_id: str = ""
    language: str = ""


class SetRights(Value, frozen=True):
    """The rights that the account holds from now on (IM14 art 7(2)); `basis` says what they rest on."""

    rights: tuple[str, ...]
    basis: str = ""


class SetAgreement(Value, frozen=True):
    """The version of the agreement that the holder has signed (IM14 art 6(2)); never retroactive."""

    agreement: str


class SetProfile(Value, frozen=True):
    """A new display name or class."""

    display_name: str = ""
    account_class: str = ""


class Close(Value, frozen=True):
    """The account is closed; its publications stay on the record."""


Command = Open | SetRights | SetAgreement | SetProfile | Close


def decide(state: Account | None, command: Command, context: Context) -> Decision:
    """What the command leads to; a command that changes nothing leads to no entry."""
    if refusal := context.lacks("account.write"):
        return refusal
    if isinstance(command, Open):
        return _open(state, command)
    if state is None:
        return Refusal("account_not_found")
    if state.status == "closed":
        return Refusal("wrong_state", {"status": "closed", "allowed": ["active"]})
    match command:
        case SetRights():
            body = {"rights": list(command.rights), "basis": command.basis}
            return _draft(state, "account.rights_set", body, changed=command.rights != state.rights)
        case SetAgreement():
            changed = command.agreement != state.agreement
            return _draft(state, "account.agreement_set", {"agreement": command.agreement}, changed=changed)
        case SetProfile():
            name, kind = command.display_name or state.display_name, command.account_class or state.account_class
            changed = (name, kind) != (state.display_name, state.account_class)
            return _draft(state, "account.profile_set", {"display_name": name, "class": kind}, changed=changed)
        case Close():
            return _draft(state, "account.closed", {}, changed=True)


def _open(state: Account | None, command: Open) -> Decision:
    if state is not None:
        return Refusal("wrong_state", {"status": state.status})
    body = {
        "class": command.account_class,
        "display_name": command.display_name,
        "rights": list(command.rights),
        "agreement": command.agreement,
        "external_id": command.external_id,
        "language": command.language,
    }
    return (Draft(command.id, "account.opened", body),)


def _draft(state: Account, kind: str, body: Mapping[str, Json], *, changed: bool) -> Decision:
    return (Draft(state.id, kind, body),) if changed else ()


def evolve(state: Account | None, entry: Entry) -> Account:
    """The state after the entry. Raises ValueError for an entry that this procedure does not know."""
    body = entry.body
    if entry.kind == "account.opened":
        return Account(
            id=entry.dossier,
            version=entry.version,
            status="active",
            account_class=body["class"],
            display_name=body["display_name"],
            opened_at=entry.at,
            rights=tuple(body["rights"]),
            agreement=body["agreement"],
            external_id=body["external_id"],
            language=body["language"],
        )
    if state is None or entry.kind not in KINDS:
        raise ValueError(f"{entry.dossier}: unexpected entry {entry.kind}")
    changes: dict[str, Any] = {"version": entry.version}
    match entry.kind:
        case "account.rights_set":
            changes["rights"] = tuple(body["rights"])
        case "account.agreement_set":
            changes["agreement"] = body["agreement"]
        case "account.profile_set":
            changes |= {"display_name": body["display_name"], "account_class": body["class"]}
        case _:
            changes["status"] = "closed"
    fields = {name: getattr(state, name) for name in Account.__struct_fields__}
    return Account(**(fields | changes))


KINDS: Final[tuple[str, ...]] = (
    "account.opened",
    "account.rights_set",
    "account.agreement_set",
    "account.profile_set",
    "account.closed",
)
"""Every kind of entry of this procedure."""

"""Who may act: people on the staff, keys of programs, webhook endpoints; and one table of what each role may do.

Secrets, names and passkeys are credentials, kept outside the record (store/contract.py). What stands on the record is
the act: that a person with this id was given these roles, by whom, and when it ended. A later reader can so tell who
was entitled to a decision, without learning a name.
"""

from typing import Any, Final, Literal

from placet.model import Draft, Entry, Json, Micros, Refusal, Value
from placet.procedure.fold import Context, Decision

PERMISSIONS: Final[tuple[str, ...]] = (
    "screen",
    "publication.read",
    "publication.submit",
    "publication.release",
    "publication.claim",
    "publication.decide",
    "publication.decide_escalated",
    "publication.take_down",
    "account.read",
    "account.write",
    "ledger.read",
    "policy.read",
    "policy.edit",
    "policy.approve",
    "list.edit",
    "staff.manage",
    "key.manage",
    "webhook.manage",
)

_READS: Final = frozenset({"publication.read", "account.read", "ledger.read", "policy.read"})
_REVIEWS: Final = _READS | {"screen", "publication.submit", "publication.claim", "publication.decide"}

ROLES: Final[dict[str, frozenset[str]]] = {
    "reviewer": _REVIEWS,
    "lead": _REVIEWS | {"publication.decide_escalated", "publication.take_down", "publication.release", "list.edit"},
    "policy_editor": _READS | {"screen", "policy.edit", "list.edit"},
    "policy_approver": _READS | {"screen", "policy.approve"},
    "auditor": _READS,
    "admin": _READS | {"screen", "publication.submit", "account.write", "staff.manage", "key.manage", "webhook.manage"},
}
"""The permission table: role -> what it may do. A person with several roles has the union."""

KEY_SCOPES: Final[tuple[str, ...]] = (
    "screen",
    "publication.read",
    "publication.submit",
    "publication.release",
    "account.read",
    "account.write",
    "ledger.read",
    "policy.read",
    "list.edit",
)
"""What a program's key may be given: never a decision, which is a person's."""


def permissions_of(roles: tuple[str, ...]) -> frozenset[str]:
    """The union of what the roles may do."""
    return frozenset().union(*(ROLES[role] for role in roles)) if roles else frozenset()


class Access(Value, frozen=True):
    """The state of one person, key or endpoint."""

    id: str
    version: int
    kind: Literal["staff", "key", "webhook"]
    status: Literal["active", "ended"]
    since: Micros
    grants: tuple[str, ...] = ()
    """Roles of a person, scopes of a key, events of an endpoint (empty: all)."""
    account: str = ""
    """The only account that a key may act for, or empty."""


class Grant(Value, frozen=True):
    """A person joins, a key is made, an endpoint is added. `founding` is the first admin's, whom nobody appoints."""

    id: str
    kind: Literal["staff", "key", "webhook"]
    grants: tuple[str, ...] = ()
    account: str = ""
    founding: bool = False


class Regrant(Value, frozen=True):
    """Other roles for a person."""

    grants: tuple[str, ...]


class End(Value, frozen=True):
    """A person leaves, a key is revoked, an endpoint is removed."""


class Note(Value, frozen=True):
    """Something about signing in that belongs on the record: "link_issued", "token_issued" and so on."""

    what: Literal["link_issued", "token_issued", "passkey_added", "passkey_removed"]


Command = Grant | Regrant | End | Note

_MANAGER: Final = {"staff": "staff.manage", "key": "key.manage", "webhook": "webhook.manage"}
_KNOWN: Final = {"staff": frozenset(ROLES), "key": frozenset(KEY_SCOPES)}


def decide(state: Access | None, command: Command, context: Context) -> Decision:
    """What the command leads to."""
    if isinstance(command, Grant):
        return _grant(state, command, context)
    if state is None or state.status == "ended":
        return Refusal("not_found")
    if isinstance(command, Note):
        if context.actor != state.id and (refusal := context.lacks(_MANAGER[state.kind])):
            return refusal
        return (Draft(state.id, f"{state.kind}.{command.what}", {}),)
    if refusal := context.lacks(_MANAGER[state.kind]):
        return refusal
    if isinstance(command, End):
        return (Draft(state.id, f"{state.kind}.ended", {}),)
    if unknown := set(command.grants) - _KNOWN.get(state.kind, set(command.grants)):
        return Refusal("invalid", {"unknown": sorted(unknown)})
    if command.grants == state.grants:
        return ()
    return (Draft(state.id, f"{state.kind}.granted", {"grants": list(command.grants)}),)


def _grant(state: Access | None, command: Grant, context: Context) -> Decision:
    if not command.founding and (refusal := context.lacks(_MANAGER[command.kind])):
        return refusal
    if state is not None:
        return Refusal("wrong_state", {"status": state.status})
    if unknown := set(command.grants) - _KNOWN.get(command.kind, set(command.grants)):
        return Refusal("invalid", {"unknown": sorted(unknown)})
    body: dict[str, Json] = {"grants": list(command.grants), "account": command.account}
    return (Draft(command.id, f"{command.kind}.added", body),)


def evolve(state: Access | None, entry: Entry) -> Access:
    """The state after the entry. Raises ValueError for an entry that this procedure does not know."""
    kind, _, what = entry.kind.partition(".")
    if entry.kind not in KINDS or (state is None) != (what == "added"):
        raise ValueError(f"{entry.dossier}: unexpected entry {entry.kind}")
    if state is None:
        return Access(
            id=entry.dossier,
            version=entry.version,
            kind=kind,  # type: ignore[arg-type]  # KINDS holds only the three
            status="active",
            since=entry.at,
            grants=tuple(entry.body["grants"]),
            account=entry.body["account"],
        )
    fields: dict[str, Any] = {name: getattr(state, name) for name in Access.__struct_fields__}
    fields["version"] = entry.version
    if what == "granted":
        fields["grants"] = tuple(entry.body["grants"])
    if what == "ended":
        fields["status"] = "ended"
    return Access(**fields)


KINDS: Final[tuple[str, ...]] = (
    "staff.added",
    "staff.granted",
    "staff.ended",
    "staff.link_issued",
    "staff.token_issued",
    "staff.passkey_added",
    "staff.passkey_removed",
    "key.added",
    "key.granted",
    "key.ended",
    "webhook.added",
    "webhook.granted",
    "webhook.ended",
)
"""Every kind of entry of this procedure."""

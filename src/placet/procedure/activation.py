"""How a version of a rule pack comes into force: drafted, checked, proposed, approved by a second person, in force.

    draft <-> checked -> proposed -> scheduled -> active -> superseded
                  ^---- returned ----'     |
    withdrawn  <- draft, checked, proposed, scheduled

- An editor saves the pack's files; whoever saved or proposed any of them never approves (four eyes).
- What has a mistake is a draft and cannot be proposed. The approver signs the very files: their archive's hash.
- A pack comes into force at an instant that lies ahead: nobody is judged by a rule that was not there when they acted.
- A pack is superseded when a later version of it begins; a bad version goes out of force by activating an earlier one.
"""

from typing import Any, Final, Literal

from msgspec.structs import replace

from placet.model import Draft, Entry, Micros, Refusal, Value
from placet.procedure.fold import Context, Decision

NOTICE: Final[Micros] = 5_000_000
"""Between approval and the earliest beginning: every process of the platform has learned of it by then."""

Status = Literal["draft", "checked", "proposed", "scheduled", "active", "superseded", "withdrawn"]
_OPEN: Final = ("draft", "checked")
_WITHDRAWABLE: Final = (*_OPEN, "proposed", "scheduled")


class Activation(Value, frozen=True):
    """The state of one version of a pack on its way into force, and out of it."""

    id: str
    version: int
    pack: str
    """The pack's id."""
    status: Status
    archive: str
    """SHA-256, in hex, of the archive of its files, which lies among the blobs (shelf.archive)."""
    digest: str
    """The pack's digest; empty while it does not load."""
    problems: int
    """How many mistakes its files have."""
    editors: tuple[str, ...]
    """Everybody who saved or proposed it."""
    opened_at: Micros
    activate_at: Micros = 0
    """When it comes into force: as proposed, 0 for as soon as may be; once approved, the instant itself."""
    proposed_by: str = ""
    approved_by: str = ""
    backtest: str = ""
    """SHA-256, in hex, of the backtest report that the approver is shown; empty for none."""
    reason: str = ""
    """What was said last: with the proposal, the return, the approval or the withdrawal."""


class Save(Value, frozen=True):
    """The files as they are now, with what checking them has found."""

    id: str
    pack: str
    archive: str
    digest: str
    problems: int
    note: str = ""


class Propose(Value, frozen=True):
    """Ask that another person puts it in force; at once, with `activate_at` 0."""

    activate_at: Micros
    reason: str
    backtest: str = ""


class Return(Value, frozen=True):
    """Give a proposal back to its editors, saying what is wrong."""

    reason: str


class Approve(Value, frozen=True):
    """Put it in force. `archive` is what the approver has read: if it is another by now, they read again."""

    archive: str
    reason: str = ""


class Withdraw(Value, frozen=True):
    """Give it up before it is in force."""

    reason: str


class Begin(Value, frozen=True):
    """Its instant has come."""


class Supersede(Value, frozen=True):
    """Another version of the pack has begun."""

    by: str


Command = Save | Propose | Return | Approve | Withdraw | Begin | Supersede


def decide(state: Activation | None, command: Command, context: Context) -> Decision:
    """What the command leads to."""
    if isinstance(command, Save):
        return _save(state, command, context)
    if state is None:
        return Refusal("not_found")
    match command:
        case Propose():
            return _propose(state, command, context)
        case Return():
            return _return(state, command, context)
        case Approve():
            return _approve(state, command, context)
        case Withdraw():
            return _withdraw(state, command, context)
        case Begin():
            return _begin(state, context)
        case Supersede():
            return _supersede(state, command, context)


def _wrong(state: Activation) -> Refusal:
    return Refusal("wrong_state", {"status": state.status})


def _save(state: Activation | None, command: Save, context: Context) -> Decision:
    if refusal := context.lacks("policy.edit"):
        return refusal
    if state is not None and state.status not in _OPEN:
        return _wrong(state)
    if state is not None and state.pack != command.pack:
        return Refusal("invalid", {"field": "pack", "is": state.pack})
    if state is not None and state.archive == command.archive:
        return Refusal("unchanged", {"archive": state.archive})
    body = {
        "pack": command.pack,
        "archive": command.archive,
        "digest": command.digest,
        "problems": command.problems,
        "note": command.note.strip(),
    }
    return (Draft(command.id, "activation.saved", body),)


def _propose(state: Activation, command: Propose, context: Context) -> Decision:
    if refusal := context.lacks("policy.edit"):
        return refusal
    if state.status == "draft":
        return Refusal("pack_has_mistakes", {"problems": state.problems})
    if state.status != "checked":
        return _wrong(state)
    if not command.reason.strip():
        return Refusal("invalid", {"field": "reason"})
    if command.activate_at and command.activate_at <= context.now:
        return Refusal("time_past", {"field": "activate_at"})
    body = {"activate_at": command.activate_at, "reason": command.reason.strip(), "backtest": command.backtest}
    return (Draft(state.id, "activation.proposed", body),)


def _return(state: Activation, command: Return, context: Context) -> Decision:
    if refusal := context.lacks("policy.approve"):
        return refusal
    if state.status != "proposed":
        return _wrong(state)
    if not command.reason.strip():
        return Refusal("invalid", {"field": "reason"})
    return (Draft(state.id, "activation.returned", {"reason": command.reason.strip()}),)


def _approve(state: Activation, command: Approve, context: Context) -> Decision:
    if refusal := context.lacks("policy.approve"):
        return refusal
    if state.status != "proposed":
        return _wrong(state)
    if context.actor in state.editors:
        return Refusal("own_proposal", {"editors": list(state.editors)})
    if command.archive != state.archive:
        return Refusal("stale", {"version": state.version})
    if state.activate_at and state.activate_at <= context.now:
        return Refusal("time_past", {"field": "activate_at"})
    body = {"activate_at": max(state.activate_at, context.now + NOTICE), "reason": command.reason.strip()}
    return (Draft(state.id, "activation.approved", body),)


def _withdraw(state: Activation, command: Withdraw, context: Context) -> Decision:
    if not context.permissions & {"policy.edit", "policy.approve"}:
        return Refusal("forbidden", {"permission": "policy.edit"})
    if state.status not in _WITHDRAWABLE or (state.status == "scheduled" and state.activate_at <= context.now):
        return _wrong(state)
    if not command.reason.strip():
        return Refusal("invalid", {"field": "reason"})
    return (Draft(state.id, "activation.withdrawn", {"reason": command.reason.strip()}),)


def _begin(state: Activation, context: Context) -> Decision:
    if not context.actor.startswith("system:"):
        return Refusal("forbidden", {"permission": "system"})
    if state.status != "scheduled":
        return ()  # withdrawn in time, or begun already
    if context.now < state.activate_at:
        return Refusal("wrong_state", {"status": state.status, "activate_at": state.activate_at})
    return (Draft(state.id, "activation.began", {"at": state.activate_at}),)


def _supersede(state: Activation, command: Supersede, context: Context) -> Decision:
    if not context.actor.startswith("system:"):
        return Refusal("forbidden", {"permission": "system"})
    if state.status != "active":
        return ()
    return (Draft(state.id, "activation.superseded", {"by": command.by}),)


def evolve(state: Activation | None, entry: Entry) -> Activation:
    """The state after the entry. Raises ValueError for an entry that this procedure does not know."""
    body: Any = entry.body
    if entry.kind == "activation.saved":
        return _saved(state, entry)
    if state is None or entry.kind not in KINDS:
        raise ValueError(f"{entry.dossier}: unexpected entry {entry.kind}")
    changes: dict[str, Any] = {}
    match entry.kind:
        case "activation.proposed":
            changes = {
                "status": "proposed",
                "activate_at": body["activate_at"],
                "reason": body["reason"],
                "backtest": body["backtest"],
                "proposed_by": entry.actor,
                "editors": _with(state.editors, entry.actor),
            }
        case "activation.returned":
            changes = {"status": "checked", "activate_at": 0, "reason": body["reason"], "backtest": ""}
        case "activation.approved":
            changes = {
                "status": "scheduled",
                "activate_at": body["activate_at"],
                "reason": body["reason"],
                "approved_by": entry.actor,
            }
        case "activation.withdrawn":
            changes = {"status": "withdrawn", "reason": body["reason"]}
        case "activation.began":
            changes = {"status": "active"}
        case "activation.superseded":
            changes = {"status": "superseded"}
    return replace(state, version=entry.version, **changes)


def _saved(state: Activation | None, entry: Entry) -> Activation:
    body: Any = entry.body
    return Activation(
        id=entry.dossier,
        version=entry.version,
        pack=body["pack"],
        status="checked" if body["problems"] == 0 else "draft",
        archive=body["archive"],
        digest=body["digest"],
        problems=body["problems"],
        editors=_with(state.editors if state else (), entry.actor),
        opened_at=state.opened_at if state else entry.at,
        reason=body["note"],
    )


def _with(people: tuple[str, ...], one: str) -> tuple[str, ...]:
    return people if one in people else (*people, one)


def deadlines(state: Activation) -> tuple[tuple[str, Micros], ...]:
    """When it comes into force."""
    return (("activate", state.activate_at),) if state.status == "scheduled" else ()


KINDS: Final[tuple[str, ...]] = (
    "activation.saved",
    "activation.proposed",
    "activation.returned",
    "activation.approved",
    "activation.withdrawn",
    "activation.began",
    "activation.superseded",
)
"""Every kind of entry of this procedure."""

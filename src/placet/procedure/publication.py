"""A publication: from submission to release, by rules that are cited and people who give reasons.

    submitted -> approved | held | returned | refused         what the verdict says (screening, then policy)
    held      -> approved | returned | refused                a person decides, with ground, facts and reason
    approved  -> scheduled -> released | blocked              the release check runs at the moment of publishing
    any but withdrawn -> revised (screened again)             one approval covers one revision's hash
    returned, refused by rule alone -> held                   the author asks for a person (PIPL art 24(3))
    released  -> taken_down                                   a lead decides, with ground, facts and reason
    any       -> withdrawn                                    by the author

Rules of this procedure:
- `held` has an owner (the queue, or the person who claimed it), a reason and a limit. At the limit it escalates to
  the leads' queue; it never turns into a refusal by itself.
- Nobody decides what they submitted themselves. A decision names the version that was read; on another it is
  stale.
- When a released item is revised, what is live stays live until the new revision is released.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from placet.model import Draft, Entry, Finding, Json, Micros, Refusal, Value, Verdict
from placet.procedure.fold import Context, Decision

Status = Literal[
    "approved", "held", "returned", "refused", "scheduled", "released", "blocked", "withdrawn", "taken_down"
]
Queue = Literal["", "review", "lead"]
Choice = Literal["approve", "return", "refuse", "escalate", "take_down"]

MOST_LEVELS: Final = 3
"""Escalations that change something: reviewers, leads, leads again with an alert. Later ones only repeat the alert."""

# --- state -------------------------------------------------------------------------------------------------------


class Publication(Value, frozen=True):
    """The state of one publication: the fold of its entries. It holds no content; `revision` names that."""

    id: str
    account: str
    status: Status
    version: int
    revision: str
    """SHA-256 of the canonical item, in hex: what an approval covers."""
    revisions: int
    category: str
    origin: str
    submitted_by: str
    submitted_at: Micros
    screened: int
    """The version whose entry holds the findings, facts and verdict on `revision`."""
    outcome: str
    """What the policy said of `revision`."""
    policy: str
    """Digest of the policy in force when `revision` was submitted: it governs the merits (IM14 art 10)."""
    grounds_policy: str = ""
    """Digest of the policy to look `grounds` up in: that of the act, or of the release that was blocked."""
    grounds: tuple[str, ...] = ()
    """The grounds of the present status: of the verdict, or of the person's decision."""
    automatic: bool = True
    """Whether the present status was decided by rules alone."""
    external_id: str = ""
    schedule_at: Micros = 0
    approved_revision: str = ""
    approved_grounds: tuple[str, ...] = ()
    """Grounds that had fired and that the approval has considered; only others can block the release."""
    live_revision: str = ""
    queue: Queue = ""
    level: int = 0
    """How often the hold has been escalated."""
    hold_reason: str = ""
    """Why it is held: "verdict", "contested", "escalated" or "overdue"."""
    held_until: Micros = 0
    assignee: str = ""
    claim_until: Micros = 0
    blocked_by: tuple[str, ...] = ()
    """The release checks that failed."""

    @property
    def owner(self) -> str:
        """Who must act while it is held: the person who claimed it, or the queue."""
        return self.assignee or self.queue


# --- commands ----------------------------------------------------------------------------------------------------


class Screened(Value, frozen=True):
    """A revision with what screening and policy said of it, gathered by the service."""

    revision: str
    category: str
    origin: str
    outcome: str
    grounds: tuple[str, ...]
    record: Mapping[str, Json]
    """findings, facts and verdict, as the entry keeps them."""


class Recorded(msgspec.Struct, frozen=True):
    """What an entry says of how its revision was judged; quotes and the author's words stand in the revision."""

    findings: list[Finding]
    verdict: Verdict
    facts: dict[str, Json]


class Submit(Value, frozen=True):
    """A new publication of an account."""

    id: str
    account: str
    screened: Screened
    schedule_at: Micros = 0
    external_id: str = ""


class Revise(Value, frozen=True):
    """New content for the same publication."""

    screened: Screened
    version: int = 0
    """The version that the author had read, or 0."""


class Claim(Value, frozen=True):
    """A person takes the item in hand, for as long as the clock "claim" runs."""


class Unclaim(Value, frozen=True):
    """A person gives the item back."""


class Decide(Value, frozen=True):
    """A person's decision on the version that they read."""

    choice: Choice
    version: int
    ground: str = ""
    facts: str = ""
    reason: str = ""
    changes: str = ""
    law: str = ""


class FailedCheck(Value, frozen=True):
    """A release check that did not hold: its name, the ground it rests on, what was seen."""

    check: str
    ground: str = ""
    facts: Mapping[str, Json] = {}


class Release(Value, frozen=True):
    """Publish now, unless a check fails. `failed` is gathered at this moment; `scheduled` when the clock asks."""

    failed: tuple[FailedCheck, ...] = ()
    scheduled: bool = False


class Contest(Value, frozen=True):
    """The author asks that a person decides instead of a rule."""

    statement: str = ""


class Withdraw(Value, frozen=True):
    """The author takes it back."""


class Fire(Value, frozen=True):
    """A deadline has come: "hold" or "claim" ("release" comes as Release)."""

    deadline: str


Command = Submit | Revise | Claim | Unclaim | Decide | Release | Contest | Withdraw | Fire

# --- decide ------------------------------------------------------------------------------------------------------

_REVISABLE: Final = ("held", "returned", "refused", "approved", "scheduled", "released", "blocked", "taken_down")


def decide(state: Publication | None, command: Command, context: Context) -> Decision:
    """What the command leads to: entries to append, none if nothing changes, or a Refusal."""
    if isinstance(command, Submit):
        return _submit(state, command, context)
    if state is None:
        return Refusal("not_found")
    match command:
        case Revise():
            return _revise(state, command, context)
        case Decide():
            return _decide(state, command, context)
        case Claim() | Unclaim():
            return _claim(state, command, context)
        case Release():
            return _release(state, command, context)
        case Contest():
            return _contest(state, command, context)
        case Withdraw():
            return _withdraw(state, context)
        case Fire():
            return _fire(state, command, context)


def _submit(state: Publication | None, command: Submit, context: Context) -> Decision:
    if refusal := context.lacks("publication.submit"):
        return refusal
    if state is not None:
        return Refusal("wrong_state", {"status": state.status})
    if command.schedule_at and command.schedule_at <= context.now:
        return Refusal("time_past", {"field": "schedule_at"})
    body = _screened_body(command.screened, context) | {
        "account": command.account,
        "external_id": command.external_id,
        "schedule_at": command.schedule_at,
    }
    return (Draft(command.id, "publication.submitted", body),)


def _revise(state: Publication, command: Revise, context: Context) -> Decision:
    if refusal := context.lacks("publication.submit"):
        return refusal
    if state.status not in _REVISABLE:
        return _wrong_state(state, _REVISABLE)
    if command.version and command.version != state.version:
        return Refusal("stale", {"version": state.version})
    if command.screened.revision == state.revision:
        return Refusal("unchanged", {"revision": state.revision})
    return (Draft(state.id, "publication.revised", _screened_body(command.screened, context)),)


def _screened_body(screened: Screened, context: Context) -> dict[str, Json]:
    body: dict[str, Json] = {
        "revision": screened.revision,
        "category": screened.category,
        "origin": screened.origin,
        "outcome": screened.outcome,
        "grounds": list(screened.grounds),
    }
    body |= screened.record
    if screened.outcome == "hold":
        body["held_until"] = context.until["hold.max"]
    return body


def _decide(state: Publication, command: Decide, context: Context) -> Decision:
    if refusal := _may_decide(state, command, context):
        return refusal
    if refusal := _reasoned(command, context):
        return refusal
    body: dict[str, Json] = {"revision": state.revision, "facts": command.facts, "reason": command.reason}
    match command.choice:
        case "approve":
            body["grounds"] = list(state.grounds)
            return (Draft(state.id, "publication.approved", body),)
        case "return":
            body |= {"ground": command.ground, "law": command.law, "changes": command.changes}
            return (Draft(state.id, "publication.returned", body),)
        case "refuse":
            body |= {"ground": command.ground, "law": command.law}
            return (Draft(state.id, "publication.refused", body),)
        case "take_down":
            body |= {"ground": command.ground, "law": command.law, "live_revision": state.live_revision}
            return (Draft(state.id, "publication.taken_down", body),)
        case "escalate":
            return (_escalation(state, context, "escalated", command.reason),)


def _may_decide(state: Publication, command: Decide, context: Context) -> Refusal | None:
    """Who may decide what, in which order of answers: right, own case, staleness, state, another's claim."""
    needed = "publication.take_down" if command.choice == "take_down" else "publication.decide"
    if refusal := context.lacks(needed):
        return refusal
    if context.actor == state.submitted_by:  # nobody judges their own case
        return Refusal("own_submission")
    if state.assignee not in ("", context.actor) and state.claim_until > context.now and command.choice != "take_down":
        return Refusal("claimed_by_other", {"until": state.claim_until})
    if command.version != state.version:
        return Refusal("stale", {"version": state.version, "status": state.status})
    if command.choice == "take_down":
        return None if state.live_revision else _wrong_state(state, ("released",))
    if state.status != "held":
        return _wrong_state(state, ("held",))
    if (
        state.queue == "lead"
        and command.choice != "escalate"
        and (refusal := context.lacks("publication.decide_escalated"))
    ):
        return refusal
    return None


def _reasoned(command: Decide, context: Context) -> Refusal | None:
    """A restriction names ground, facts and reason (IM14 art 8(2); DSA art 17); a return says what to change."""
    if command.choice == "approve":
        return None
    if command.choice == "escalate":
        return None if command.reason.strip() else Refusal("reason_missing", {"field": "reason"})
    if command.choice == "return" and not command.changes.strip():
        return Refusal("changes_missing", {"field": "changes"})
    if command.choice == "return" and not command.ground:
        return None
    ground = context.grounds.get(command.ground)
    if ground is None:
        return Refusal("ground_unknown", {"ground": command.ground})
    if ground.needs_law and not command.law.strip():  # the catch-all code is unusable without a named law
        return Refusal("ground_needs_law", {"ground": command.ground})
    if command.choice == "return":
        return None
    for field in ("facts", "reason"):
        if not getattr(command, field).strip():
            return Refusal("reason_missing", {"field": field})
    return None


def _claim(state: Publication, command: Claim | Unclaim, context: Context) -> Decision:
    if refusal := context.lacks("publication.claim"):
        return refusal
    if state.status != "held":
        return _wrong_state(state, ("held",))
    held_by_other = state.assignee not in ("", context.actor) and state.claim_until > context.now
    if held_by_other:
        return Refusal("claimed_by_other", {"until": state.claim_until})
    if isinstance(command, Unclaim):
        return (Draft(state.id, "publication.unclaimed", {}),) if state.assignee else ()
    if context.actor == state.submitted_by:
        return Refusal("own_submission")
    return (Draft(state.id, "publication.claimed", {"until": context.until["claim"]}),)


def _release(state: Publication, command: Release, context: Context) -> Decision:
    if not command.scheduled and (refusal := context.lacks("publication.release")):
        return refusal
    allowed = ("scheduled",) if command.scheduled else ("approved", "blocked")
    if state.status not in allowed:
        return () if command.scheduled else _wrong_state(state, allowed)
    failed = [{"check": each.check, "ground": each.ground, "facts": dict(each.facts)} for each in command.failed]
    if failed and state.status == "blocked" and [each["check"] for each in failed] == list(state.blocked_by):
        return Refusal("wrong_state", {"status": state.status, "blocked_by": list(state.blocked_by)})
    if failed:
        return (Draft(state.id, "publication.blocked", {"revision": state.revision, "failed": failed}),)
    return (Draft(state.id, "publication.released", {"revision": state.revision}),)


def _contest(state: Publication, command: Contest, context: Context) -> Decision:
    if refusal := context.lacks("publication.submit"):
        return refusal
    if state.status not in ("refused", "returned"):
        return _wrong_state(state, ("refused", "returned"))
    if not state.automatic:
        return Refusal("wrong_state", {"status": state.status, "decided_by": "person"})
    body = {"statement": command.statement, "held_until": context.until["hold.max"]}
    return (Draft(state.id, "publication.contested", body),)


def _withdraw(state: Publication, context: Context) -> Decision:
    if refusal := context.lacks("publication.submit"):
        return refusal
    if state.status in ("withdrawn", "taken_down"):
        return _wrong_state(state, _REVISABLE[:-1])
    return (Draft(state.id, "publication.withdrawn", {}),)


def _fire(state: Publication, command: Fire, context: Context) -> Decision:
    """A deadline that no longer fits the state, or has moved, changes nothing."""
    at = dict(deadlines(state)).get(command.deadline)
    if at is None or at > context.now:
        return ()
    if command.deadline == "claim":
        return (Draft(state.id, "publication.claim_expired", {"assignee": state.assignee}),)
    return (_escalation(state, context, "overdue", ""),)


def _escalation(state: Publication, context: Context, why: str, reason: str) -> Draft:
    level = min(state.level + 1, MOST_LEVELS)
    body = {"why": why, "reason": reason, "level": level, "held_until": context.until["hold.escalated"]}
    return Draft(state.id, "publication.escalated", body)


def _wrong_state(state: Publication, allowed: tuple[str, ...]) -> Refusal:
    return Refusal("wrong_state", {"status": state.status, "allowed": list(allowed)})


# --- evolve ------------------------------------------------------------------------------------------------------

_NOT_HELD: Final[dict[str, Any]] = {
    "queue": "",
    "level": 0,
    "hold_reason": "",
    "held_until": 0,
    "assignee": "",
    "claim_until": 0,
}


def evolve(state: Publication | None, entry: Entry) -> Publication:
    """The state after the entry. Raises ValueError for an entry that this procedure does not know."""
    if entry.kind == "publication.submitted":
        return _submitted(entry)
    if state is None:
        raise ValueError(f"{entry.dossier}: {entry.kind} before publication.submitted")
    changes = _CHANGES.get(entry.kind)
    if changes is None:
        raise ValueError(f"{entry.dossier}: unknown entry kind {entry.kind}")
    return _with(state, entry, changes(state, entry))


def _with(state: Publication, entry: Entry, changes: Mapping[str, Any]) -> Publication:
    fields = {name: getattr(state, name) for name in Publication.__struct_fields__}
    return Publication(**(fields | dict(changes) | {"version": entry.version}))


def _submitted(entry: Entry) -> Publication:
    body = entry.body
    changes = _judged(entry, body["schedule_at"])
    return Publication(
        id=entry.dossier,
        account=body["account"],
        version=entry.version,
        revisions=1,
        submitted_at=entry.at,
        external_id=body["external_id"],
        schedule_at=body["schedule_at"],
        **changes,
    )


def _revised(state: Publication, entry: Entry) -> dict[str, Any]:
    return _judged(entry, state.schedule_at) | {"revisions": state.revisions + 1}


def _judged(entry: Entry, schedule_at: Micros) -> dict[str, Any]:
    """What a new revision changes, whether it is the first or a later one: all by its verdict."""
    body = entry.body
    changes: dict[str, Any] = _NOT_HELD | {
        "revision": body["revision"],
        "category": body["category"],
        "origin": body["origin"],
        "submitted_by": entry.actor,
        "screened": entry.version,
        "outcome": body["outcome"],
        "policy": entry.basis.policy,
        "grounds_policy": entry.basis.policy,
        "grounds": tuple(body["grounds"]),
        "automatic": True,
        "approved_revision": "",
        "approved_grounds": (),
        "blocked_by": (),
    }
    match body["outcome"]:
        case "approve":
            return changes | _approval(schedule_at, body["revision"], ())
        case "hold":
            return changes | _hold("review", "verdict", body["held_until"])
        case "return":
            return changes | {"status": "returned"}
        case _:
            return changes | {"status": "refused"}


def _approval(schedule_at: Micros, revision: str, grounds: tuple[str, ...]) -> dict[str, Any]:
    status = "scheduled" if schedule_at else "approved"
    return {"status": status, "approved_revision": revision, "approved_grounds": grounds, "blocked_by": ()}


def _hold(queue: Queue, why: str, until: Micros) -> dict[str, Any]:
    return {"status": "held", "queue": queue, "hold_reason": why, "held_until": until}


def _approved(state: Publication, entry: Entry) -> dict[str, Any]:
    considered = tuple(entry.body["grounds"])
    return (
        _NOT_HELD
        | _approval(state.schedule_at, entry.body["revision"], considered)
        | {"automatic": False, "grounds": ()}
    )


def _restricted(status: Status) -> Any:
    def changes(state: Publication, entry: Entry) -> dict[str, Any]:
        ground = entry.body["ground"]
        return _NOT_HELD | {
            "status": status,
            "automatic": False,
            "grounds": (ground,) if ground else (),
            "grounds_policy": state.policy,
        }

    return changes


def _taken_down(state: Publication, entry: Entry) -> dict[str, Any]:
    return _NOT_HELD | {
        "status": "taken_down",
        "automatic": False,
        "grounds": (entry.body["ground"],),
        "grounds_policy": state.policy,
        "live_revision": "",
        "approved_revision": "",
        "schedule_at": 0,
    }


def _escalated(_: Publication, entry: Entry) -> dict[str, Any]:
    body = entry.body
    return {"assignee": "", "claim_until": 0, "level": body["level"]} | _hold("lead", body["why"], body["held_until"])


def _claimed(_: Publication, entry: Entry) -> dict[str, Any]:
    return {"assignee": entry.actor, "claim_until": entry.body["until"]}


def _unclaimed(_: Publication, __: Entry) -> dict[str, Any]:
    return {"assignee": "", "claim_until": 0}


def _released(_: Publication, entry: Entry) -> dict[str, Any]:
    return {"status": "released", "live_revision": entry.body["revision"], "blocked_by": (), "schedule_at": 0}


def _blocked(_: Publication, entry: Entry) -> dict[str, Any]:
    failed = entry.body["failed"]
    return {
        "status": "blocked",
        "blocked_by": tuple(each["check"] for each in failed),
        "grounds": tuple(each["ground"] for each in failed if each["ground"]),
        "grounds_policy": entry.basis.policy,
        "schedule_at": 0,
    }


def _contested(_: Publication, entry: Entry) -> dict[str, Any]:
    return {"automatic": False} | _hold("lead", "contested", entry.body["held_until"])


def _withdrawn(_: Publication, __: Entry) -> dict[str, Any]:
    return _NOT_HELD | {"status": "withdrawn", "live_revision": "", "approved_revision": "", "schedule_at": 0}


_CHANGES: Final[dict[str, Any]] = {
    "publication.revised": _revised,
    "publication.approved": _approved,
    "publication.returned": _restricted("returned"),
    "publication.refused": _restricted("refused"),
    "publication.taken_down": _taken_down,
    "publication.escalated": _escalated,
    "publication.claimed": _claimed,
    "publication.unclaimed": _unclaimed,
    "publication.claim_expired": _unclaimed,
    "publication.released": _released,
    "publication.blocked": _blocked,
    "publication.contested": _contested,
    "publication.withdrawn": _withdrawn,
}

KINDS: Final[tuple[str, ...]] = ("publication.submitted", *_CHANGES)
"""Every kind of entry of this procedure; docs/api.md lists them."""


# --- projections -------------------------------------------------------------------------------------------------


def deadlines(state: Publication) -> tuple[tuple[str, Micros], ...]:
    """The instants at which the state must be looked at again: the store keeps them in its table of deadlines."""
    found: list[tuple[str, Micros]] = []
    if state.status == "held":
        found.append(("hold", state.held_until))
    if state.assignee:
        found.append(("claim", state.claim_until))
    if state.status == "scheduled":
        found.append(("release", state.schedule_at))
    return tuple(found)


def due_at(state: Publication) -> Micros:
    """When somebody must have acted: the end of the hold, or the scheduled instant; 0 if nobody must."""
    if state.status == "held":
        return state.held_until
    return state.schedule_at if state.status == "scheduled" else 0

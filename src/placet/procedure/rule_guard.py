"""That a rule is out of effect since it hit far beyond its history, until a person has looked.

The system takes it out, with the numbers, and says so; a person who may approve packs puts it back. It counts for the
version of the pack under which it happened: two people who put another version in force have looked.
"""

from typing import Any, Final, Literal

from msgspec.structs import replace

from placet.model import Draft, Entry, Micros, Refusal, Value
from placet.procedure.fold import Context, Decision


class RuleGuard(Value, frozen=True):
    """The state of a rule that was ever taken out of effect."""

    id: str
    version: int
    pack: str
    rule: str
    status: Literal["paused", "resumed"]
    digest: str
    """Of the version of the pack for which it is out of effect."""
    since: Micros
    window: tuple[int, int]
    """Acts that were judged lately, and hits among them."""
    history: tuple[int, int]
    """The same of before."""
    allowed: int
    """The most hits for which nothing would have happened."""


class Pause(Value, frozen=True):
    """Take a rule out of effect, with the numbers that say why (policy/guard.py)."""

    id: str
    pack: str
    rule: str
    digest: str
    window: tuple[int, int]
    history: tuple[int, int]
    allowed: int


class Resume(Value, frozen=True):
    """Put it back: what it hit is what it was meant to hit."""

    reason: str


Command = Pause | Resume


def decide(state: RuleGuard | None, command: Command, context: Context) -> Decision:
    """What the command leads to."""
    if isinstance(command, Pause):
        return _pause(state, command, context)
    if refusal := context.lacks("policy.approve"):
        return refusal
    if state is None:
        return Refusal("not_found")
    if state.status != "paused":
        return Refusal("wrong_state", {"status": state.status})
    if not command.reason.strip():
        return Refusal("invalid", {"field": "reason"})
    return (Draft(state.id, "guard.resumed", {"reason": command.reason.strip()}),)


def _pause(state: RuleGuard | None, command: Pause, context: Context) -> Decision:
    if not context.actor.startswith("system:"):
        return Refusal("forbidden", {"permission": "system"})
    if state is not None and state.status == "paused" and state.digest == command.digest:
        return ()
    body = {
        "pack": command.pack,
        "rule": command.rule,
        "digest": command.digest,
        "window": list(command.window),
        "history": list(command.history),
        "allowed": command.allowed,
    }
    return (Draft(command.id, "guard.paused", body),)


def evolve(state: RuleGuard | None, entry: Entry) -> RuleGuard:
    """The state after the entry. Raises ValueError for an entry that this procedure does not know."""
    body: Any = entry.body
    if entry.kind == "guard.paused":
        return RuleGuard(
            id=entry.dossier,
            version=entry.version,
            pack=body["pack"],
            rule=body["rule"],
            status="paused",
            digest=body["digest"],
            since=entry.at,
            window=tuple(body["window"]),
            history=tuple(body["history"]),
            allowed=body["allowed"],
        )
    if state is None or entry.kind != "guard.resumed":
        raise ValueError(f"{entry.dossier}: unexpected entry {entry.kind}")
    return replace(state, version=entry.version, status="resumed", since=entry.at)


KINDS: Final[tuple[str, ...]] = ("guard.paused", "guard.resumed")
"""Every kind of entry of this procedure."""

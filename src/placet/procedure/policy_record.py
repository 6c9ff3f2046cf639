"""That a set of rule packs has come into force here: which packs, by digest, from which moment on.

Activation by two people comes as a procedure of its own; what stands here from
the first day on is that no verdict refers to a policy that the record does not hold.
"""

from typing import Final

from placet.model import Draft, Entry, Micros, Refusal, Value
from placet.procedure.fold import Context, Decision


class PolicyRecord(Value, frozen=True):
    """A policy that has been in force: `digest` is over the digests of its packs."""

    id: str
    version: int
    digest: str
    packs: tuple[str, ...]
    """"id version digest" of each pack; its files lie among the blobs under the digest of their archive."""
    archives: tuple[str, ...]
    """SHA-256 of each pack's archive, in hex."""
    since: Micros


class Record(Value, frozen=True):
    """Put a policy on the record before the first verdict under it."""

    id: str
    digest: str
    packs: tuple[str, ...]
    archives: tuple[str, ...]


Command = Record


def decide(state: PolicyRecord | None, command: Command, context: Context) -> Decision:
    """Recorded once; only the system does so, when it starts."""
    if not context.actor.startswith("system:"):
        return Refusal("forbidden", {"permission": "system"})
    if state is not None:
        return ()
    body = {"digest": command.digest, "packs": list(command.packs), "archives": list(command.archives)}
    return (Draft(command.id, "policy.recorded", body),)


def evolve(state: PolicyRecord | None, entry: Entry) -> PolicyRecord:
    """The state after the entry. Raises ValueError for an entry that this procedure does not know."""
    if state is not None or entry.kind != "policy.recorded":
        raise ValueError(f"{entry.dossier}: unexpected entry {entry.kind}")
    body = entry.body
    return PolicyRecord(
        id=entry.dossier,
        version=entry.version,
        digest=body["digest"],
        packs=tuple(body["packs"]),
        archives=tuple(body["archives"]),
        since=entry.at,
    )


KINDS: Final[tuple[str, ...]] = ("policy.recorded",)
"""Every kind of entry of this procedure."""

"""That a set of rule packs comes into force here: which packs, by digest, from which moment on.

How one version of a pack gets there is activation.py's to say; what stands here is that no verdict refers to a policy
that the record does not hold, and which policy was in force on any day.
"""

from typing import Final

from msgspec.structs import replace

from placet.model import Draft, Entry, Micros, Refusal, Value
from placet.procedure.fold import Context, Decision


class PolicyRecord(Value, frozen=True):
    """A policy that is or has been in force: `digest` is over the digests of its packs."""

    id: str
    version: int
    digest: str
    packs: tuple[str, ...]
    """"id version digest" of each pack; its files lie among the blobs under the digest of their archive."""
    archives: tuple[str, ...]
    """SHA-256 of each pack's archive, in hex."""
    since: Micros
    """When it was put on record."""
    begins: tuple[Micros, ...] = ()
    """The instants from which it was in force, each until another policy's."""


class Record(Value, frozen=True):
    """Put a policy on the record before the first verdict under it, or say that it is in force once more."""

    id: str
    digest: str
    packs: tuple[str, ...]
    archives: tuple[str, ...]
    begins: Micros
    """From when on it is in force; 0 where that is yet to come."""


Command = Record


def decide(state: PolicyRecord | None, command: Command, context: Context) -> Decision:
    """Only the system does so: when it starts, and when a pack's activation is approved."""
    if not context.actor.startswith("system:"):
        return Refusal("forbidden", {"permission": "system"})
    if state is None:
        body = {
            "digest": command.digest,
            "packs": list(command.packs),
            "archives": list(command.archives),
            "begins": command.begins,
        }
        return (Draft(command.id, "policy.recorded", body),)
    if not command.begins or command.begins in state.begins:
        return ()
    return (Draft(command.id, "policy.began", {"begins": command.begins}),)


def evolve(state: PolicyRecord | None, entry: Entry) -> PolicyRecord:
    """The state after the entry. Raises ValueError for an entry that this procedure does not know."""
    body = entry.body
    if state is None and entry.kind == "policy.recorded":
        begins = body.get("begins", entry.at)  # records of before packs had a life of their own say no instant
        return PolicyRecord(
            id=entry.dossier,
            version=entry.version,
            digest=body["digest"],
            packs=tuple(body["packs"]),
            archives=tuple(body["archives"]),
            since=entry.at,
            begins=(begins,) if begins else (),
        )
    if state is None or entry.kind != "policy.began":
        raise ValueError(f"{entry.dossier}: unexpected entry {entry.kind}")
    return replace(state, version=entry.version, begins=(*state.begins, body["begins"]))


KINDS: Final[tuple[str, ...]] = ("policy.recorded", "policy.began")
"""Every kind of entry of this procedure."""

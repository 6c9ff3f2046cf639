"""What the procedures share: the context of a decision, and replaying entries into a state.

decide(state, command, context) gives drafts or a Refusal; evolve(state, entry) gives the next state. Neither reads a
clock, draws at random or does I/O: the service gathers what they need and passes it in.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from placet.model import Draft, Entry, Ground, Micros, Refusal, Value

S = TypeVar("S", bound=Value)

Decision = tuple[Draft, ...] | Refusal


class Context(Value, frozen=True):
    """What surrounds a decision: when, who, with which permissions, under which law."""

    now: Micros
    actor: str
    permissions: frozenset[str] = frozenset()
    until: Mapping[str, Micros] = {}
    """For each clock of the packs in force, the instant at which it ends when started now."""
    grounds: Mapping[str, Ground] = {}
    """The reason codes of the packs in force at the act."""

    def lacks(self, permission: str) -> Refusal | None:
        """A refusal that names the permission, unless the actor has it."""
        return None if permission in self.permissions else Refusal("forbidden", {"permission": permission})


def replay(evolve: Callable[[S | None, Entry], S], entries: Iterable[Entry]) -> S | None:
    """The state that a dossier's entries lead to; None if there are none."""
    state: S | None = None
    for entry in entries:
        state = evolve(state, entry)
    return state

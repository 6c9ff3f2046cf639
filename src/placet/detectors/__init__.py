"""Detectors from outside: the few names that a team's own classifier is written with. docs/detectors.md is the guide.

A detector sees a text and what its author declared it to be: no account, no dossier, no time. What it answers are
findings, never verdicts: a rule makes of them what it says, and at most holds the item for a person.
"""

from collections.abc import Awaitable, Sequence
from typing import Literal, Protocol

import msgspec

__all__ = ["Answers", "Detector", "Seen", "Text"]


class Text(msgspec.Struct, frozen=True):
    """What a detector is shown of an item."""

    title: str
    body: str
    format: Literal["text", "html", "markdown"] = "text"
    category: str = "general"
    """The category that the author declared."""


class Seen(msgspec.Struct, frozen=True):
    """One thing that a detector sees in a text."""

    label: str
    """What it is, as rules ask for it: a letter or digit, then up to 63 of letters, digits, ".", "_" and "-"."""
    score: float
    """How sure the detector is, 0 to 100; rounded down, and to 89 at most, since a machine's guess never refuses."""
    field: Literal["title", "body"] = "body"
    start: int = 0
    end: int = 0
    """Character (code point) offsets into that field as submitted; both 0 for the text as a whole."""


Answers = Sequence[Sequence[Seen]]
"""What is seen in each of the texts asked about, in their order."""


class Detector(Protocol):
    """A team's own classifier. It lives in a process of its own, is made once, and is asked for one batch at a time."""

    name: str
    """Lower-case letters, digits and "-", at most 40. Rules ask for the list `external/<name>`."""
    version: str
    """Which model or build speaks, at most 80 printable characters: recorded with every finding, and shown."""

    def find(self, texts: Sequence[Text], /) -> Answers | Awaitable[Answers]:
        """What is seen in each text; one list a text, an empty one for nothing. May be `async`.

        An exception means that nothing is known of these texts: each is asked about once more alone, and where that
        fails too, the item is marked "external/<name>/failed", which a rule may hold.
        """

    def close(self) -> Awaitable[None] | None:
        """Let go of what is held; called once, when the server ends. May be `async`, and may be left out."""

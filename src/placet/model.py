"""The shared vocabulary: frozen values that every other module speaks in.

Nothing here does I/O, reads a clock or draws at random. Times are integers: microseconds since 1970-01-01T00:00:00Z.
Scores are integers from 0 to 100, since the record holds no floating-point numbers (RFC 8785 for our value types).
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

Micros = int
"""Microseconds since the Unix epoch, UTC."""

Json = Any
"""A JSON value: None, bool, int, str, list, or dict with string keys. Never a float (see ledger/encode.py)."""

Language = Literal["en", "zh-Hant", "zh-Hans"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh-Hant", "zh-Hans")

Text = Mapping[str, str]
"""One sentence in every language of LANGUAGES."""

Outcome = Literal["approve", "hold", "return", "refuse"]
RESTRICTIVENESS: Final[dict[str, int]] = {"approve": 0, "hold": 1, "return": 2, "refuse": 3}
"""The most restrictive live rule wins; the number is its place in that order."""

ID_PREFIXES: Final[dict[str, str]] = {
    "account": "acc",
    "publication": "pub",
    "staff": "stf",
    "key": "key",
    "entry": "ent",
    "webhook": "whk",
    "delivery": "dlv",
    "pack": "pak",
    "activation": "act",
    "guard": "grd",
    "list": "lst",
}
"""The TypeID prefix of each kind of thing. A prefix never changes its meaning."""


class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A frozen value that can be encoded, compared and hashed by its fields."""


# --- what is submitted -------------------------------------------------------------------------------------------


class Source(Value, frozen=True):
    """Where a repost comes from (PA21 art 17(1), NEWS17 art 15): publisher, author, address, original title."""

    name: str = ""
    author: str = ""
    url: str = ""
    title: str = ""


class Medium(Value, frozen=True):
    """A reference to a picture, sound or film; the platform keeps the bytes, we keep their digest."""

    url: str
    kind: Literal["image", "audio", "video", "file"] = "image"
    sha256: str = ""
    alt: str = ""


class Item(Value, frozen=True):
    """What an account submits for publication: the content that one approval covers."""

    title: str = ""
    body: str = ""
    format: Literal["text", "html", "markdown"] = "text"
    category: str = "general"
    origin: Literal["original", "repost"] = "original"
    source: Source = Source()
    media: tuple[Medium, ...] = ()


TEXT_FIELDS: Final[tuple[str, ...]] = ("title", "body")
"""The fields of an Item that are screened, in the order in which findings are listed."""


# --- what screening finds ----------------------------------------------------------------------------------------


class Finding(Value, frozen=True, omit_defaults=True):
    """One thing that can be read off the content: a fact, never a verdict.

    `start` and `end` are character (code point) offsets into the submitted field, and
    `quote == field_text[start:end]`. `view` names the reading on which it was found ("exact", "folded", "squeezed"):
    the further a view is from the text as written, the lower the score.
    """

    detector: str
    """Which detector speaks: "terms", "patterns", "links"."""
    list: str
    """The list or rule that asked: "community/solicitation"."""
    label: str
    """What was found, as the list names it: the term, the pattern's id, the host."""
    field: str
    start: int
    end: int
    view: str = "exact"
    score: int = 100
    quote: str = ""
    """The words themselves. Left out of the record (they stand in the revision), present in replies."""
    version: str = ""
    """Of a detector from outside: which version of it spoke."""


# --- what policy says --------------------------------------------------------------------------------------------


class Citation(Value, frozen=True):
    """A clause of an instrument, as packs name them: ("IM14", "7(2)")."""

    instrument: str
    clause: str


class Ground(Value, frozen=True):
    """A reason code: what is restricted, on which clauses, why, and what the person can do about it."""

    id: str
    title: Text
    reason: Text
    remedy: Text
    cites: tuple[Citation, ...]
    automatic: bool = False
    """Whether a rule alone may refuse or return on this ground; otherwise its verdict becomes hold."""
    needs_law: bool = False
    """A catch-all code: unusable unless the decision names a law."""


class RuleHit(Value, frozen=True):
    """A rule that fired: what it asked for, and what that became (`asked` is softened where the ground forbids)."""

    pack: str
    rule: str
    ground: str
    asked: Outcome
    given: Outcome
    mode: str
    why: tuple[str, ...] = ()
    """The parts of the rule's condition that were true, in source form: what the author is told was seen."""


class RuleError(Value, frozen=True):
    """A rule that failed at run time. It never disappears: the verdict becomes at least hold."""

    pack: str
    rule: str
    error: str


class Verdict(Value, frozen=True):
    """What the rules in force at the act say of the facts and findings; derived again from the record at any time."""

    outcome: Outcome
    hits: tuple[RuleHit, ...] = ()
    """Every live rule that fired, most restrictive first, then in pack order."""
    shadow: tuple[RuleHit, ...] = ()
    """Rules in shadow, or outside their canary share: recorded, without effect."""
    errors: tuple[RuleError, ...] = ()
    policy: str = ""
    """Digest of the set of packs in force."""


# --- what procedure answers --------------------------------------------------------------------------------------


class Refusal(Value, frozen=True):
    """A command that may not be carried out: a value, not an exception.

    `code` is one of errors.CODES, which gives the HTTP status, and the sentence that says what to do next is found
    under `error.<code>` in the message tables.
    """

    code: str
    facts: Mapping[str, Json] = {}


class Basis(Value, frozen=True):
    """What an act rests on: the digest of the policy in force, and the instant whose law governs it."""

    policy: str
    instant: Micros


class Draft(Value, frozen=True):
    """An entry as decide() proposes it: what happens to which dossier. The service stamps the rest."""

    dossier: str
    kind: str
    body: Mapping[str, Json]


class Entry(Value, frozen=True):
    """One thing that happened to a dossier. `seq` is 0 until the store has given it a place in the record."""

    seq: int
    id: str
    at: Micros
    dossier: str
    version: int
    kind: str
    actor: str
    """The id of the person (stf_…) or key (key_…) that acted, or "system" with the job's name: "system:deadlines"."""
    basis: Basis
    body: Mapping[str, Json]
    salt: bytes = b""

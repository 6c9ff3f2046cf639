"""What a lexicon is built from: term lists, patterns, host lists and limits, as frozen values.

They are what packs and tenants write down. `screen.Lexicon` checks them and turns them into automata once.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, Protocol

from placet.model import Value

ViewName = Literal[
    "exact",
    "folded",
    "traditional",
    "shapes",
    "squeezed",
    "leet",
    "pinyin",
    "split",
    "sound",
    "visual",
    "shuffled",
    "initials",
    "emoji",
]
Engine = Literal["auto", "hyperscan", "re2"]

VIEWS: Final[Mapping[ViewName, int]] = {
    "exact": 100,
    "folded": 95,
    "traditional": 95,
    "shapes": 90,
    "squeezed": 80,
    "leet": 75,
    "pinyin": 75,
    "split": 75,
    "sound": 60,
    "visual": 60,
    "shuffled": 55,
    "initials": 50,
    "emoji": 50,
}
"""Every reading of a text, strongest first, and the score of a finding on it: how sure the reading makes one."""

DISGUISES: Final[frozenset[ViewName]] = frozenset(
    {"pinyin", "split", "sound", "visual", "shuffled", "initials", "emoji"}
)
"""The readings that guess at a Chinese disguise: what they find is evidence, see `Disguises`."""

PROVISIONAL_SCORE: Final = 89
"""What a term that one person added while the platform runs scores at most: enough to hold, too little to refuse."""


class LexiconError(ValueError):
    """A list or pattern that cannot be used. `where` names it, `reason` says what to change."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


class TermList(Value, frozen=True):
    """Words and phrases that are looked for together, and how hard to look."""

    name: str
    """"community/solicitation": pack and list."""
    terms: tuple[str, ...]
    label: str = ""
    """The label of every finding of this list; when empty, the term that was found is the label."""
    views: tuple[str, ...] = ("exact", "folded", "traditional", "shapes", "squeezed")
    """The readings of the text on which the terms count: names of VIEWS, see docs/screening.md."""
    exceptions: tuple[str, ...] = ()
    """Phrases in which a term is innocent: a hit inside an occurrence of one of them is dropped."""
    whole_words: bool = True
    """Whether a term of a script with spaces must be a word of its own: "class" holds no "ass"."""


class ListChange(Value, frozen=True):
    """What has changed in a list since the lexicon was built: terms that came, and terms that went."""

    added: tuple[str, ...] = ()
    removed: frozenset[str] = frozenset()
    """Terms of the list as it was built; a term that is also in `added` is there."""
    provisional: frozenset[str] = frozenset()
    """Those of `added` for which one person alone speaks: they score PROVISIONAL_SCORE at most."""


class PatternSpec(Value, frozen=True):
    """A regular expression (RE2 syntax and semantics) that a rule or a list asks about."""

    list: str
    id: str
    field: str | None
    """"title", "body", or None for either of them."""
    regex: str


class HostList(Value, frozen=True):
    """Hosts that are looked for in links; a host stands for its subdomains as well.

    A host may have a path ("t.me/joinchat"): then it stands for the links whose paths begin with the same steps.
    """

    name: str
    hosts: tuple[str, ...]


class Limits(Value, frozen=True):
    """Bounds on one item. Reaching one never raises: it is reported as a finding of the detector "limits"."""

    max_chars: int = 200_000
    """Characters of a field that are screened; the rest is reported as "text-too-long"."""
    max_findings: int = 500
    """Findings of one item; the first ones in reading order are kept, and "too-many-findings" is added."""
    max_links: int = 200
    """Links of one field; further ones are not read, and "too-many-links" is added."""
    max_contacts: int = 100
    """Contacts of one sort (numbers, e-mail, addresses, names) in one field; beyond them, "too-many-contacts"."""
    max_spans: int = 50
    """Spans that one pattern reports in one field. It bounds the one step that is not linear in the text."""
    max_candidates: int = 20_000
    """Places of one item where a term might stand and is looked at closely; beyond it, "too-many-findings"."""


# --- disguises ---------------------------------------------------------------------------------------------------


class DisguiseHit(NamedTuple):
    """A term that a text seems to hold in disguise: `texts[place][start:end]`, in characters."""

    place: int
    start: int
    end: int
    list: str
    label: str
    """The label of the finding: the list's own, else the term as the list writes it."""
    view: ViewName
    score: int


class Crowded(NamedTuple):
    """A text in which so much looks like a disguise on one view that only the first guesses were weighed."""

    place: int


class Disguises(Protocol):
    """Finds the terms of the lists that ask for a view of DISGUISES. Immutable; several threads may search at once."""

    def find(self, texts: Sequence[str]) -> Iterable[DisguiseHit | Crowded]:
        """What stands in each text. Texts are as submitted, of any content; time is linear in their length.

        A hit of a list and label that another view has found at an overlapping place is dropped by the caller.
        """

    def revised(self, changes: Mapping[str, ListChange]) -> "Disguises":
        """The same with lists changed, by list name; changes of lists that ask for no such view are passed over."""

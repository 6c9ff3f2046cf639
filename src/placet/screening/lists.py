"""What a lexicon is built from: term lists, patterns, host lists and limits, as frozen values.

They are what packs and tenants write down. `screen.Lexicon` checks them and turns them into automata once.
"""

from typing import Literal

from placet.model import Value

ViewName = Literal["exact", "folded", "squeezed"]
Engine = Literal["auto", "hyperscan", "re2"]


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
    views: tuple[str, ...] = ("exact", "folded", "squeezed")
    """The readings of the text on which the terms count, see docs/screening.md."""
    exceptions: tuple[str, ...] = ()
    """Phrases in which a term is innocent: a hit inside an occurrence of one of them is dropped."""


class PatternSpec(Value, frozen=True):
    """A regular expression (RE2 syntax and semantics) that a rule or a list asks about."""

    list: str
    id: str
    field: str | None
    """"title", "body", or None for either of them."""
    regex: str


class HostList(Value, frozen=True):
    """Hosts that are looked for in links; a host stands for its subdomains as well."""

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
    max_spans: int = 50
    """Spans that one pattern reports in one field. It bounds the one step that is not linear in the text."""
    max_candidates: int = 20_000
    """Places of one item where a term might stand and is looked at closely; beyond it, "too-many-findings"."""

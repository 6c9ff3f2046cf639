"""What a rule pack says, as frozen values; docs/packs.md describes the files they are read from.

Dates are local dates of the pack's timezone: a thing "from" a date begins at 00:00 there, and "until" names the first
day on which it is no longer in force.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final, Literal, NamedTuple

from msgspec import Meta, field

from placet.model import Citation, Ground, Item, Micros, Outcome, Text, Value

Evidence = Literal["SEED", "TEXT", "PRESS", "DRAFT", "MEM", "HOUSE"]
"""How well a clause's wording is known: in full, from reports, from a draft, from memory; HOUSE marks house rules."""

RuleMode = Literal["live", "shadow", "canary"]

Id = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,79}$")]
"""A stable id within a pack: lower-case letters, digits, full stops and hyphens."""

Mark = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
"""An id that others have given, such as "R7" or "DECISION_GROUND_ILLEGAL_CONTENT": capitals and low lines too."""

LimitBasis = Literal["legal", "product-policy"]
"""What a number rests on: a clause, which is then cited, or the house's own choice."""

MICROS: Final[Micros] = 1_000_000
"""Microseconds in a second."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


_COUNT: Final = re.compile(r"[1-9][0-9]{0,3}")


class Problem(NamedTuple):
    """One mistake in a pack: a stable code, where it is, what is wrong and what to do about it. Line 0: the file."""

    code: str
    file: str
    line: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.message} [{self.code}]" + (f"\n  {self.hint}" if self.hint else "")


class InstrumentVersion(Value, frozen=True):
    """A period during which an instrument was in force."""

    since: date = field(name="from")
    until: date | None = None
    gap: bool = False
    """Whether nothing was in force between the version before and this one: said, so that it is meant."""

    def covers(self, day: date) -> bool:
        """Whether the version is in force on that local date."""
        return self.since <= day and (self.until is None or day < self.until)


class Clause(Value, frozen=True):
    """A clause in our own words. `evidence` stands where the clause is less well known than its instrument.

    `from` and `until` stand where an amendment brought, moved or removed it: else it is as old as its instrument.
    """

    id: str
    summary: Text
    evidence: Evidence | None = None
    since: date | None = field(default=None, name="from")
    until: date | None = None
    note: str = ""

    def covers(self, day: date) -> bool:
        """Whether the clause stood in its instrument on that local date."""
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)


class Instrument(Value, frozen=True):
    """A law, regulation or set of house rules, with the periods in which it was in force.

    One without a version is pending: a draft that no day is known for, which only a draft pack may hold.
    """

    id: str
    title: Text
    issuer: Text
    evidence: Evidence
    clause: tuple[Clause, ...]
    issued: date | None = None
    version: tuple[InstrumentVersion, ...] = ()
    dated: Evidence | None = None
    """How well its dates are known, where less well than its wording."""
    note: str = ""

    def in_force(self, day: date, clause: str | None = None) -> bool:
        """Whether any version covers that local date, and the clause, where one is asked for, stood in it."""
        return any(version.covers(day) for version in self.version) and (
            clause is None or any(one.covers(day) for one in self.clause if one.id == clause)
        )


class Span(NamedTuple):
    """A length of time: elapsed microseconds, or calendar months and days (never both).

    Hours are elapsed time; days and months follow the calendar of the pack's timezone (Civil Code arts 201-203).
    """

    micros: Micros = 0
    months: int = 0
    days: int = 0


_DURATION: Final = re.compile(
    r"P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?",
    re.ASCII,
)


def parse_span(text: str) -> Span | None:
    """Read an ISO 8601 duration of whole numbers; None when it is not one, is empty, or mixes calendar and clock."""
    match = _DURATION.fullmatch(text)
    if match is None or text.endswith("T"):
        return None
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    span = Span((hours * 3600 + minutes * 60 + seconds) * MICROS, years * 12 + months, weeks * 7 + days)
    calendar = bool(span.months or span.days)
    return span if calendar != bool(span.micros) else None


class Clock(Value, frozen=True):
    """A time limit, marked legal with its clause or as product policy of the house."""

    id: Id
    title: Text
    duration: str
    basis: LimitBasis
    cite: Citation | None = None

    @property
    def span(self) -> Span:
        """The duration, which the pack's checks have found to be readable."""
        span = parse_span(self.duration)
        assert span is not None
        return span


class AccountClass(Value, frozen=True):
    """A kind of account holder. A class alone gives no right: rights rest on evidence, which may lapse."""

    id: str
    title: Text
    licences: tuple[str, ...] = ()
    """The licence kinds by which a holder shows that they are of this class, one of which is enough; empty: none."""


class Category(Value, frozen=True):
    """What an author declares an item to be about; never inferred from the words."""

    id: str
    title: Text
    licences: tuple[str, ...] = ()
    """The licence kinds of which an account that is registered for the category shows one; empty: none."""


class Right(Value, frozen=True):
    """A row of the rights table: what one needs in order to publish or repost in a category."""

    category: str
    action: Literal["publish", "repost"]
    any_of: tuple[str, ...]
    """One of these in the account's rights is enough."""
    ground: str
    since: date = field(name="from")
    until: date | None = None
    classes: tuple[str, ...] = ()
    """The account classes that the row binds; empty for all of them."""


# --- around publication: licences, agreement, ladder, records, credit, codes ---------------------------------------


class Licence(Value, frozen=True):
    """A kind of evidence that an account may show, and the rights that it can give while it is valid."""

    id: Id
    title: Text
    issuer: Literal["content-authority", "sector-authority", "registration-authority", "platform"]
    """What kind of body issues it; which one is said with each licence that is shown."""
    cite: Citation
    gives: tuple[str, ...] = ()
    """Rights of the rights table; empty for evidence that only shows a class or opens a category."""
    classes: tuple[str, ...] = ()
    """The account classes that can hold it; empty for all of them."""
    valid_for: str = ""
    """The clock that says for how long it is issued; empty: until the date that it bears."""
    renew_before: str = ""
    """The clock that says how long before its end renewal is asked for."""
    note: str = ""


class Commitment(Value, frozen=True):
    """One thing to which a user of the service agrees, accepted separately from the others (IM14 art 6(2)).

    A commitment alone is no ground: whoever restricts on it names a clause as well.
    """

    id: Id
    title: Text
    text: Text
    cite: Citation


class Agreement(Value, frozen=True):
    """What accounts.toml says of the user agreement."""

    agreement: str = ""
    """The version that its commitments belong to."""
    commitments: Annotated[int, Meta(ge=0)] = 0
    """How many there are, so that none goes missing."""


Effect = Literal[
    "advise",
    "warn",
    "refuse-item",
    "limit-function",
    "pause-comments",
    "pause-updates",
    "suspend",
    "close",
    "blacklist",
    "bar-registration",
]
"""What a measure does; packs say at which level, on which clause and for how long."""


class Allowance(Value, frozen=True):
    """A clause that allows a measure, for as long as it is in force or, where dates are given, for a shorter time."""

    cite: Citation
    since: date | None = field(default=None, name="from")
    until: date | None = None


class Rung(Value, frozen=True):
    """A rung of the sanction ladder. On a day when no clause allows it, the ladder goes without."""

    id: Mark
    title: Text
    level: Annotated[int, Meta(ge=0)]
    """Its place, mildest first; levels follow each other without a gap."""
    effect: Effect
    allowed: tuple[Allowance, ...]
    reversible: bool = True
    """Whether lifting it restores everything; what cannot be undone waits until the time to appeal is over."""
    longest: str = ""
    """The clock that bounds its duration; empty for what has none."""
    needs: tuple[Literal["prior-warning", "gravity", "peer-check", "two-persons"], ...] = ()
    """A warning before it, or gravity set down in words; gravity in any case; another person's look; two who decide."""
    note: str = ""


class Retention(Value, frozen=True):
    """How long a kind of record is kept, at least (`floor`) and at most (`ceiling`), from what `after` names on.

    Several rows may speak of one record: the longest floor and the shortest ceiling count (PIPL art 19).
    """

    id: Id
    title: Text
    record: Id
    after: Literal["capture", "publication", "decision", "delivery", "case-end", "account-end"]
    basis: LimitBasis
    floor: str = ""
    ceiling: str = ""
    cite: Citation | None = None
    note: str = ""


Measure = Literal[
    "comments-restored",
    "removals-upheld",
    "removals-without-reason",
    "reports-on-time",
    "reports-overdue",
    "days-managed",
    "final-sanctions",
]
"""What a credit factor may count: how comments were managed here; never what anybody wrote, nor what was elsewhere."""


class Factor(Value, frozen=True):
    """A factor of the credit for managing comments (CMT22 art 11): public, explained to the operator, and fading."""

    id: Id
    title: Text
    reason: Text
    """How it counts, in words for the operator."""
    measure: Measure
    weight: int
    """Points for one."""
    most: Annotated[int, Meta(ge=1)]
    """Points, up or down, that it can come to in all."""
    basis: LimitBasis
    half_life: str = ""
    """The time after which an event counts half."""
    window: str = ""
    """The time after which an event no longer counts; one of the two is given."""
    cite: Citation | None = None


class Tier(Value, frozen=True):
    """What an operator may do in their comment area with a credit of `least` points or more and fewer than `below`."""

    id: Id
    title: Text
    tools: tuple[Literal["view", "feature", "pin", "hide", "delete", "filter"], ...]
    basis: LimitBasis
    least: int | None = None
    below: int | None = None
    valid_for: str = ""
    """The clock after which a grant is looked at again."""
    lost_at: str = ""
    """The rung during which a grant rests."""
    cite: Citation | None = None


class Credit(Value, frozen=True):
    """What credit.toml says of the reckoning as a whole."""

    base: int = 0
    """Points before anything counts."""
    least_record: Annotated[int, Meta(ge=0)] = 0
    """Acts of management below which the record is too short to judge, which is no bad credit."""
    newcomer: str = ""
    """The tier of an operator whose record is too short."""


class CodeTable(Value, frozen=True):
    """A table of codes that a decision or statement chooses from. `size` says how many, so that none goes missing."""

    id: Id
    title: Text
    kind: Literal["illegal", "undesirable", "conduct", "statement"]
    """Illegal and merely undesirable content stay apart; `statement` holds values of a statement of reasons."""
    cite: Citation
    size: Annotated[int, Meta(ge=1)]
    note: str = ""


class Code(Value, frozen=True):
    """One code of a table. No code has words that are looked for: a person chooses it and gives the facts."""

    table: str
    code: Mark
    ground: str = ""
    """The ground that it is decided on."""
    title: Text = field(default_factory=dict)
    """Left out where a ground is named: it is the ground's."""
    cite: Citation | None = None
    needs_law: bool = False
    """Unusable without a law named in the decision."""
    needs_text: bool = False
    """Unusable without words of explanation."""
    rungs: tuple[str, ...] = ()
    """The rungs that may follow from it; empty for all of the ladder."""


class Field(Value, frozen=True):
    """What a form asks for: a notice, an order, a statement of reasons, a complaint, a report to the public."""

    form: Literal["notice", "order", "statement", "complaint", "report"]
    id: Mark
    title: Text
    required: Literal["always", "conditional", "optional"]
    cite: Citation
    table: str = ""
    """The code table that it chooses from."""
    most_chars: Annotated[int, Meta(ge=0)] = 0
    """Characters that it may hold; 0: no limit is known."""
    note: str = ""


class Rule(Value, frozen=True):
    """A condition over the facts of an act, and what it asks for when it holds."""

    id: Id
    on: tuple[Literal["publication"], ...]
    when: str
    then: Outcome
    since: date = field(name="from")
    ground: str = ""
    until: date | None = None
    mode: RuleMode = "live"
    share: str = ""
    """Of a canary: the share of dossiers for which it counts, as "5%"."""
    note: str = ""

    @property
    def share_ppm(self) -> int:
        """The canary's share in parts per million."""
        share = parse_share(self.share)
        assert share is not None
        return share


def parse_share(text: str) -> int | None:
    """Read "5%" or "0.25%" as parts per million; None unless it lies between 0 and 100 per cent, both excluded."""
    match = re.fullmatch(r"(\d{1,2})(?:\.(\d{1,4}))?%", text, re.ASCII)
    if match is None:
        return None
    return int(match[1]) * 10_000 + int((match[2] or "").ljust(4, "0")) or None


class Term(Value, frozen=True):
    """A term of which more is to be said. What it leaves out is as its list has it."""

    text: str
    label: str = ""
    languages: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    whole_words: bool | None = None
    exceptions: tuple[str, ...] = ()
    """Longer phrases in which this term is innocent, besides those of the list."""
    note: str = ""
    added_by: str = ""
    added: date | None = None
    until: date | None = None
    """The first day on which the term no longer counts."""


class WordList(Value, frozen=True):
    """A list of terms that rules ask for by name."""

    name: Id
    label: str
    title: Text
    terms: tuple[str, ...] = ()
    term: tuple[Term, ...] = ()
    """Further terms, which need more said of them."""
    exceptions: tuple[str, ...] = ()
    """Longer phrases in which a term is innocent."""
    languages: tuple[str, ...] = ()
    """What the terms are written in, as BCP 47 tags ("zh-Hant"), for people; nothing follows from it for screening."""
    views: tuple[str, ...] = ()
    """The readings on which the terms are sought; empty for those that screening takes by default."""
    whole_words: bool = True
    """Whether a term of a script with spaces must be a word of its own."""
    note: str = ""
    added_by: str = ""
    added: date | None = None
    until: date | None = None
    """The first day on which the list no longer counts."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Every term of the list, plain ones first."""
        return (*self.terms, *(term.text for term in self.term))


class AccountPast(Value, frozen=True):
    """How an account's other publications stand: how many, no further than is worth counting (past.py)."""

    held: int = 0
    """Waiting for a person now."""
    returned: int = 0
    refused: int = 0
    published: int = 0
    """Live now."""
    taken_down: int = 0
    last_day: int = 0
    """Submitted within the 24 hours before the act, whatever has become of them."""
    last_month: int = 0
    """Submitted within the 30 days before it."""


class CaseAccount(Value, frozen=True):
    """The account of a golden case; environment.AccountFacts says what the fields mean."""

    account_class: str = field(default="individual", name="class")
    rights: tuple[str, ...] = ()
    agreement: str = "1"
    territory: str = ""
    past: AccountPast = AccountPast()


WITHIN: Final = r"near/within/([1-9][0-9]?|[12][0-9]{2}|3[0-5][0-9]|36[0-5])(?:/accounts)?"
"""The lists under which near copies of the last so many days, 1 to 365, are counted; and their accounts."""


class CaseExternal(Value, frozen=True):
    """What a golden case takes to have been reported by what does not run when a pack is loaded.

    That is a detector from outside, or the index of near copies ("near/accounts", with the number as its label).
    """

    list: Annotated[
        str,
        Meta(pattern=rf"^(external/[a-z0-9][a-z0-9-]{{0,39}}(/failed)?|near/(copies|accounts|refused)|{WITHIN})$"),
    ]
    label: str
    score: Annotated[int, Meta(ge=0, le=100)] = 0

    def __post_init__(self) -> None:
        if self.list.startswith("near/") and not _COUNT.fullmatch(self.label):
            raise ValueError(f"The label of '{self.list}' says how many, 1 or more, not '{self.label}'")


class Case(Value, frozen=True):
    """A golden case: an item by an account at an instant, and what must come of it."""

    name: str
    at: Annotated[datetime, Meta(tz=True)]
    expect: Outcome
    item: Item = Item()
    account: CaseAccount = CaseAccount()
    external: tuple[CaseExternal, ...] = ()
    grounds: tuple[str, ...] = ()
    """The grounds of the live rules that must fire, in any order, and no others."""
    shadow: tuple[str, ...] | None = None
    """The rules that must fire without effect, in shadow or outside their share, and no others; left out: any may."""

    @property
    def instant(self) -> Micros:
        """The moment of the act."""
        return (self.at - EPOCH) // timedelta(microseconds=1)


class PackHead(Value, frozen=True):
    """What pack.toml says of the pack itself."""

    id: Id
    version: str
    title: Text
    summary: Text
    timezone: str
    jurisdiction: str
    """ISO 3166 code of the territory whose law the pack carries; empty for house rules."""
    status: Literal["ready", "draft"]
    scope: str = ""
    """A condition without which none of the pack's rules and rights apply (IM14 art 2); empty: they always do."""


class Pack(Value, frozen=True):
    """A rule pack that has passed its own checks and cases. `files` are its texts: it can be loaded from them again."""

    head: PackHead
    digest: str
    files: Mapping[str, str]
    instruments: tuple[Instrument, ...] = ()
    clocks: tuple[Clock, ...] = ()
    classes: tuple[AccountClass, ...] = ()
    categories: tuple[Category, ...] = ()
    rights: tuple[Right, ...] = ()
    grounds: tuple[Ground, ...] = ()
    rules: tuple[Rule, ...] = ()
    lists: tuple[WordList, ...] = ()
    cases: tuple[Case, ...] = ()
    agreement: Agreement = Agreement()
    commitments: tuple[Commitment, ...] = ()
    licences: tuple[Licence, ...] = ()
    rungs: tuple[Rung, ...] = ()
    retention: tuple[Retention, ...] = ()
    credit: Credit = Credit()
    factors: tuple[Factor, ...] = ()
    tiers: tuple[Tier, ...] = ()
    tables: tuple[CodeTable, ...] = ()
    codes: tuple[Code, ...] = ()
    fields: tuple[Field, ...] = ()

    @property
    def id(self) -> str:
        """The pack's name, unique among the packs in force."""
        return self.head.id

    def in_force(self, cite: Citation, day: date) -> bool:
        """Whether the pack has the clause, and it is in force on that local date."""
        return any(one.in_force(day, cite.clause) for one in self.instruments if one.id == cite.instrument)

    def allows(self, rung: Rung, day: date) -> tuple[Citation, ...]:
        """The clauses that allow the rung on that local date; none: the rung may not be used."""
        return tuple(
            one.cite
            for one in rung.allowed
            if (one.since is None or one.since <= day)
            and (one.until is None or day < one.until)
            and self.in_force(one.cite, day)
        )

    def ladder(self, day: date) -> tuple[Rung, ...]:
        """The rungs that a clause allows on that local date, mildest first (IM14 art 8(2))."""
        return tuple(sorted((one for one in self.rungs if self.allows(one, day)), key=lambda rung: rung.level))

"""What the pages about versions of packs are given, as contexts.py says it of the others."""

from placet.model import Micros, Value
from placet.web.contexts import Chrome, HitRow, TimelineRow


class PackInForce(Value, frozen=True):
    """A pack in force; its title is in the reader's language."""

    id: str
    version: str
    digest: str
    title: str
    activation: str = ""
    """The id of the version by which it came into force here; empty where it stands in the settings."""
    since: Micros = 0
    """0 where it stands in the settings."""


class VersionRow(Value, frozen=True):
    """A version of a pack in a list."""

    id: str
    pack: str
    status: str
    digest: str
    problems: int
    opened_at: Micros
    activate_at: Micros
    editors: tuple[str, ...]
    """Names of those who saved or proposed it."""
    approved_by: str
    reason: str


class PausedRule(Value, frozen=True):
    """A rule that is out of effect since it hit far beyond its history, with the numbers that say so."""

    pack: str
    rule: str
    title: str
    """That of its ground, in the reader's language."""
    since: Micros
    acts: int
    """Judged in the minutes before it was taken out."""
    hits: int
    """Of the rule among those."""
    acts_before: int
    hits_before: int
    allowed: int
    """The most hits of those minutes for which nothing would have happened."""
    reason: str = ""
    """What was typed, given back after a refusal."""
    wrong: bool = False
    """The reason was not one."""


class PacksPage(Value, frozen=True):
    """/desk/packs : what is in force, what is to come, what is being worked on, what is over."""

    chrome: Chrome
    packs: tuple[PackInForce, ...]
    paused: tuple[PausedRule, ...]
    """Rules of theirs that are out of effect."""
    scheduled: tuple[VersionRow, ...]
    working: tuple[VersionRow, ...]
    """Drafts and proposals."""
    closed: tuple[VersionRow, ...]
    offered: tuple[tuple[str, str], ...]
    """(id, title) of packs that ship with Placet and are not in force."""
    may_edit: bool
    may_approve: bool
    problem: str = ""


class MistakeRow(Value, frozen=True):
    """A mistake in a pack, with the line as it stands there."""

    code: str
    file: str
    line: int
    """From 1; 0 for the file as a whole."""
    message: str
    hint: str
    quote: str


class EditRow(Value, frozen=True):
    """A key of a row that is not as it was; values as texts, shortened."""

    key: str
    before: str
    after: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    more: int
    """How many values that came or went are not shown."""


class ChangeRow(Value, frozen=True):
    """A row of a pack's table that came, went or is not as it was."""

    table: str
    name: str
    kind: str
    """added, removed or changed."""
    wording: bool
    """Nothing but what people read has changed."""
    edits: tuple[EditRow, ...]


class PackDraft(Value, frozen=True):
    """What was typed, given back after a refusal. Also the forms' field names."""

    text: str = ""
    note: str = ""
    new_file: str = ""
    activate_at: str = ""
    reason: str = ""


class TrialDraft(Value, frozen=True):
    """What is to be tried on the version. Also the form's field names."""

    title: str = ""
    body: str = ""
    category: str = "general"
    account_class: str = "individual"
    publication: str = ""


class TrialSide(Value, frozen=True):
    """What a policy says of a text."""

    outcome: str
    hits: tuple[HitRow, ...]
    """Rules that fired, those without effect last."""
    errors: tuple[tuple[str, str], ...]
    """(pack/rule, error)."""


class TrialResult(Value, frozen=True):
    """What is said of one text now, and what would be with the version in force."""

    at: Micros
    now: TrialSide
    draft: TrialSide


class TestedRule(Value, frozen=True):
    """What a rule has done in a backtest."""

    rule: str
    then: str
    mode: str
    fired: int
    new: int
    """Items on which it fires and did not when they were submitted."""
    newly: tuple[tuple[str, int], ...]
    """(outcome, items): of the new ones, those that come to another outcome."""
    precision: str
    """Of the items on which it fired and a person decided, those that were restricted; empty for none."""


class BacktestShown(Value, frozen=True):
    """What an approver is shown of the backtest that a version is proposed with."""

    packs: tuple[str, ...]
    items: int
    since: str
    until: str
    judged_at: str
    """RFC 3339, empty for none."""
    left_out: int
    unchanged: int
    newly: tuple[tuple[str, int], ...]
    """(outcome, items that come to it and did not)."""
    rules: tuple[TestedRule, ...]
    more_rules: int
    decided: int
    """Items on which a person has decided."""
    agreement: tuple[tuple[str, str], tuple[str, str]]
    """(precision, recall) of the rules then, and with this version; empty for none."""
    changed: tuple[tuple[str, str, int, tuple[tuple[str, tuple[str, ...]], ...]], ...]
    """(outcome then, outcome now, items, some of them with the rules that fired)."""
    troubles: tuple[tuple[str, int], ...]
    """(what failed, on how many items)."""


class PackPage(Value, frozen=True):
    """/desk/packs/{activation} : a version of a pack: its files, mistakes, difference, life, and what one may do."""

    chrome: Chrome
    id: str
    pack: str
    version: str
    """As its head says; empty while it cannot be read."""
    title: str
    status: str
    digest: str
    archive: str
    """The hash of its files: what is saved over, and what an approver signs."""
    opened_at: Micros
    activate_at: Micros
    zone: str
    """The pack's time zone, in which the instant is typed."""
    editors: tuple[str, ...]
    proposed_by: str
    approved_by: str
    backtest: str
    """The hash of the report that it is proposed with; empty for none."""
    report: BacktestShown | None
    """None without one, and where it cannot be read any more."""
    reason: str
    files: tuple[tuple[str, int], ...]
    """(name, how many mistakes it has)."""
    file: str
    """The one that is shown."""
    line: int
    """The line to go to, from 1; else 0."""
    text: str
    theirs: str
    """After a refusal since somebody else has saved: the file as it is now; else empty."""
    mistakes: tuple[MistakeRow, ...]
    compared_with: str
    """The version in force that it is compared with; empty where the pack is not in force."""
    same: bool
    """It is what is in force."""
    changes: tuple[ChangeRow, ...]
    more_changes: int
    actions: frozenset[str]
    """Of: save, propose, approve, return, withdraw, reopen, try."""
    own: bool
    """The reader could approve, had they not edited or proposed it."""
    timeline: tuple[TimelineRow, ...]
    categories: tuple[tuple[str, str], ...]
    classes: tuple[tuple[str, str], ...]
    draft: PackDraft = PackDraft()
    problem: str = ""
    problem_field: str = ""
    problem_facts: tuple[str, ...] = ()
    """What the refusal rests on, in words."""
    trial: TrialDraft = TrialDraft()
    trial_problem: str = ""
    trial_facts: tuple[str, ...] = ()
    result: TrialResult | None = None


class RuleFigures(Value, frozen=True):
    """What a rule has done to the items that were counted."""

    pack: str
    rule: str
    title: str
    mode: str
    """live, shadow or canary; empty where the rule is no longer in force."""
    live: int
    shadow: int
    errors: int
    days: tuple[int, ...]
    """Hits by day of submission, with and without effect."""


class FiguresPage(Value, frozen=True):
    """/desk/rules : hits by day, in effect and in shadow, and errors, rule by rule."""

    chrome: Chrome
    rows: tuple[RuleFigures, ...]
    items: int
    """How many items were counted, the newest."""
    since: Micros
    """When the oldest of them was submitted; 0 for none."""
    days: tuple[Micros, ...]
    """The beginning of each day, UTC."""

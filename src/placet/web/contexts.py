"""What each page is given: one typed contract a template. A template reads nothing else.

Words of ours reach a page as message keys (locale/*.toml); texts of packs reach it in the reader's language. Times
are in microseconds since the epoch, UTC; the filters `when`, `until` and `isotime` show them.
"""

from typing import Literal

from placet.model import Micros, Value


class Person(Value, frozen=True):
    """Who is signed in."""

    id: str
    name: str
    roles: tuple[str, ...]
    permissions: frozenset[str]


class Chrome(Value, frozen=True):
    """What every page shows around its content; each page's context has it as `chrome`."""

    language: str
    path: str
    """The path and query of this page, to come back to after changing the language."""
    csrf: str
    """Goes into every form as the hidden field `csrf`."""
    person: Person | None = None
    nav: tuple[tuple[str, str], ...] = ()
    """(message key, path) of the sections that this person may see: nav.queue /desk, nav.ledger /desk/ledger, …"""
    waiting: int = 0
    overdue: int = 0
    halted: bool = False
    """The signer has stopped: a banner on every page of the desk."""
    demo: bool = False
    flash: str = ""
    """A message key to show once, or empty."""
    tone: Literal["good", "bad"] = "good"
    now: Micros = 0


class HomePage(Value, frozen=True):
    """/ : what this place is, which rules are in force."""

    chrome: Chrome
    packs: tuple["PackCard", ...]
    origin: str
    entries: int


class PackCard(Value, frozen=True):
    """A pack in force: the texts are in the reader's language."""

    id: str
    version: str
    digest: str
    title: str
    summary: str
    rules: int


class SignInPage(Value, frozen=True):
    """/sign-in : by passkey; a link brings people here the first time."""

    chrome: Chrome
    options: str
    """WebAuthn request options, JSON, for data-options of the button."""
    problem: str = ""
    """A message key, or empty."""


class LinkPage(Value, frozen=True):
    """/link/{token} : a button to use the one-time link, so that a preview does not spend it."""

    chrome: Chrome
    name: str
    token: str
    spent: bool = False


class Passkey(Value, frozen=True):
    """One passkey of the person."""

    id: str
    label: str
    created_at: Micros


class PasskeysPage(Value, frozen=True):
    """/me : the person's passkeys; where one lands after a link."""

    chrome: Chrome
    passkeys: tuple[Passkey, ...]
    options: str
    """WebAuthn creation options, JSON."""
    problem: str = ""


class QueueRow(Value, frozen=True):
    """One held item in the queue."""

    id: str
    title: str
    """The title, or the beginning of the body; may be empty."""
    excerpt: str
    account_id: str
    account_name: str
    account_class: str
    category: str
    queue: str
    hold_reason: str
    """verdict, contested, escalated or overdue."""
    reasons: tuple[str, ...]
    """Titles of the grounds that hold it, in the reader's language."""
    due_at: Micros
    overdue: bool
    submitted_at: Micros
    level: int
    claimed_by: str
    """Name of the person who has it in hand, or empty."""
    mine: bool


class QueueFilter(Value, frozen=True):
    """The filters as chosen; the form's field names are these."""

    queue: str = "*"
    """"*" all, "review", "lead"."""
    show: str = "all"
    """"all", "mine", "unclaimed", "overdue"."""
    account: str = ""
    ground: str = ""


class QueuePage(Value, frozen=True):
    """/desk : what waits for a person, the oldest due first."""

    chrome: Chrome
    filter: QueueFilter
    rows: tuple[QueueRow, ...]
    counts: tuple[tuple[str, int], ...]
    """(queue, how many wait); 1000 means "1000 or more"."""
    grounds: tuple[tuple[str, str], ...]
    """(id, title) to filter by."""
    next: str = ""
    """Path of the next page, or empty."""
    first: str = ""
    """Path of the first item on this page, for the key that opens it."""


class Segment(Value, frozen=True):
    """A run of the submitted text; with marks where findings lie on it."""

    text: str
    marks: tuple[int, ...] = ()
    """Numbers of the findings (from 1) that cover it; empty for plain text."""
    hidden: str = ""
    """The name ("U+202E") of a character that cannot be seen or turns the text around; `text` is then that name too."""


class FindingRow(Value, frozen=True):
    """One finding, numbered as in the marks."""

    number: int
    detector: str
    list: str
    label: str
    field: str
    quote: str
    view: str
    score: int
    start: int
    """Characters before it in the field."""
    end: int
    source: str = ""
    """Name of the detector from outside, a machine, that has spoken; or empty."""
    version: str = ""
    failed: bool = False
    """That detector was asked and did not answer; `label` says why."""


class ClauseRow(Value, frozen=True):
    """A clause cited, in the reader's language."""

    instrument: str
    """Short name: IM14."""
    title: str
    clause: str
    summary: str
    basis: str
    """"law" or "policy": whether it is a legal clause or the platform's own rule."""


class WhyStep(Value, frozen=True):
    """A part of a rule's condition, and what it came to."""

    text: str
    """The part as it stands in the rule."""
    state: str
    """"value"; "error"; or "skipped": not evaluated, since the answer did not depend on it."""
    value: str = ""
    """As a rule would write it, shortened; of an error, the reason."""
    found: tuple[str, ...] = ()
    """Of a question about a list: the labels of what was found."""
    turn: int = 0
    """Of what is repeated over a list: the turn that is shown, from 1; else 0."""
    parts: tuple["WhyStep", ...] = ()


class HitRow(Value, frozen=True):
    """A rule that fired, explained."""

    rule: str
    pack: str
    ground: str
    title: str
    reason: str
    remedy: str
    asked: str
    given: str
    mode: str
    why: tuple[str, ...]
    clauses: tuple[ClauseRow, ...]
    trace: WhyStep | None = None
    """Its condition part by part, where it is known."""


class GroundChoice(Value, frozen=True):
    """A ground that a decision may rest on."""

    id: str
    title: str
    reason: str
    cites: str
    """"IM14 7(2), NEWS17 15" for the list."""
    needs_law: bool
    suggested: bool
    """It fired on this item."""


class AccountCard(Value, frozen=True):
    """The account beside an item: nothing about who is behind it."""

    id: str
    name: str
    account_class: str
    class_title: str
    rights: tuple[str, ...]
    agreement: str
    status: str
    opened_at: Micros
    counts: tuple[tuple[str, int], ...]
    """(status, how many), those above zero; 100 means "100 or more"."""


class PublicationLink(Value, frozen=True):
    """A publication in a list."""

    id: str
    title: str
    status: str
    category: str
    submitted_at: Micros


class TimelineRow(Value, frozen=True):
    """One entry of the record, as a sentence: message key `entry.<kind>`, then its particulars."""

    seq: int
    at: Micros
    kind: str
    actor: str
    """A person's name, a key's label, or a message key beginning "actor."."""
    details: tuple[tuple[str, str], ...]
    """(message key of the label, text)."""
    proof: str
    """Path of the page that proves it, or empty while no head covers it."""


class DecisionDraft(Value, frozen=True):
    """What was typed, given back after a refusal so that nothing is lost. Also the form's field names."""

    choice: str = ""
    ground: str = ""
    facts: str = ""
    reason: str = ""
    changes: str = ""
    law: str = ""


class ItemPage(Value, frozen=True):
    """/desk/items/{id} : the item, why it is here, and the decision."""

    chrome: Chrome
    id: str
    version: int
    status: str
    automatic: bool
    queue: str
    hold_reason: str
    due_at: Micros
    overdue: bool
    level: int
    claimed_by: str
    claim_until: Micros
    mine: bool
    own_submission: bool
    title: tuple[Segment, ...]
    body: tuple[Segment, ...]
    format: str
    category: str
    category_title: str
    origin: str
    source: tuple[tuple[str, str], ...]
    """(message key, value) of the source of a repost; the address is shown as text, never as a link to follow."""
    media: tuple[tuple[str, str, str], ...]
    """(kind, address, alternative text)."""
    external_id: str
    revision: str
    revisions: int
    submitted_at: Micros
    schedule_at: Micros
    live: bool
    """An earlier revision is live."""
    blocked_by: tuple[str, ...]
    findings: tuple[FindingRow, ...]
    hits: tuple[HitRow, ...]
    shadow: tuple[HitRow, ...]
    errors: tuple[tuple[str, str], ...]
    """(rule, error)."""
    account: AccountCard
    recent: tuple[PublicationLink, ...]
    timeline: tuple[TimelineRow, ...]
    actions: frozenset[str]
    """Of: claim, unclaim, approve, return, refuse, escalate, release, take_down."""
    grounds: tuple[GroundChoice, ...]
    draft: DecisionDraft
    problem: str = ""
    """Message key of what went wrong (`error.<code>`), or empty."""
    problem_field: str = ""
    next_item: str = ""
    """Path of the next item in the queue, or empty."""
    rules_read: str = ""
    """Digest of the policy in force when the page was made; a decision under another one is not taken."""
    rules_changed: tuple[str, ...] = ()
    """The packs that have come, gone or changed since the person read: "community 1.0 → 1.1"."""


class AccountPage(Value, frozen=True):
    """/desk/accounts/{id} : an account and its whole history."""

    chrome: Chrome
    account: AccountCard
    publications: tuple[PublicationLink, ...]
    timeline: tuple[TimelineRow, ...]
    next: str = ""


class AccountsPage(Value, frozen=True):
    """/desk/accounts : the accounts, newest first."""

    chrome: Chrome
    accounts: tuple[AccountCard, ...]
    next: str = ""


class TrialPage(Value, frozen=True):
    """/desk/try : what screening and the rules in force say of a text; nothing is recorded."""

    chrome: Chrome
    text: str = ""
    format: str = "text"
    problem: str = ""
    """A message key, where the text could not be tried."""
    outcome: str = ""
    """The verdict, or empty where nothing has been tried yet."""
    segments: tuple[Segment, ...] = ()
    findings: tuple[FindingRow, ...] = ()
    hits: tuple["HitRow", ...] = ()
    errors: tuple[tuple[str, str], ...] = ()
    readings: tuple[tuple[str, str], ...] = ()
    """(name, the beginning of the text on that reading)."""


class ListFigures(Value, frozen=True):
    """A word list in figures."""

    name: str
    title: str
    note: str
    in_force: bool
    """Whether a pack in force has it; if not, its changes do nothing."""
    terms: int
    """Terms that count now."""
    added: int
    removed: int
    ended: int


class ListsPage(Value, frozen=True):
    """/desk/lists : the word lists."""

    chrome: Chrome
    lists: tuple[ListFigures, ...]


class TermLine(Value, frozen=True):
    """A term, how it stands, and who has touched it while running."""

    term: str
    state: Literal["listed", "added", "removed", "ended"]
    note: str = ""
    until: Micros = 0
    by: str = ""
    """A name, a label, or a message key beginning "actor."; empty where nobody has."""
    at: Micros = 0
    reason: str = ""


class ListDraft(Value, frozen=True):
    """What was typed, given back after a refusal. Also the form's field names."""

    terms: str = ""
    reason: str = ""
    note: str = ""
    until: str = ""


class ListPage(Value, frozen=True):
    """/desk/lists/{pack}/{name} : a list's terms, its changes, and the forms to change it."""

    chrome: Chrome
    figures: ListFigures
    show: Literal["counting", "changed"]
    contains: str
    terms: tuple[TermLine, ...]
    next: str
    may_edit: bool
    timeline: tuple[TimelineRow, ...]
    draft: ListDraft = ListDraft()
    problem: str = ""
    bad: tuple[tuple[str, str], ...] = ()
    """(term, message key of what is wrong with it)."""


class LedgerRow(Value, frozen=True):
    """An entry in the ledger's list: header only."""

    seq: int
    at: Micros
    kind: str
    dossier: str
    actor: str
    covered: bool
    """Whether the latest head covers it, so that it can be proved."""


class LedgerPage(Value, frozen=True):
    """/desk/ledger : the latest head, and the last entries."""

    chrome: Chrome
    origin: str
    vkey: str
    size: int
    entries: int
    root: str
    at: Micros
    note: str
    rows: tuple[LedgerRow, ...]
    older: str = ""
    asked: str = ""
    """What was typed into the field "entry number", when it is not one."""


class ProofPage(Value, frozen=True):
    """/desk/ledger/{seq} : the proof that an entry is under the latest head, step by step."""

    chrome: Chrome
    seq: int
    header: tuple[tuple[str, str], ...]
    header_line: str
    """The canonical header, whose hash is the leaf."""
    leaf: str
    steps: tuple[tuple[str, str, str], ...]
    """(side: "left" or "right", sibling hash, hash so far)."""
    size: int
    root: str
    verified: bool
    body_matches: bool | None
    """Whether the body still fits its commitment; None when it has been erased."""
    dossier: str


class StaffRow(Value, frozen=True):
    """A person on the staff."""

    id: str
    name: str
    roles: tuple[str, ...]
    since: Micros
    ended: bool
    passkeys: int


class StaffPage(Value, frozen=True):
    """/desk/staff : people, roles, invitations."""

    chrome: Chrome
    people: tuple[StaffRow, ...]
    roles: tuple[tuple[str, tuple[str, ...]], ...]
    """The permission table: (role, permissions)."""
    link: str = ""
    """A sign-in link just made: shown once."""
    link_name: str = ""
    problem: str = ""
    name: str = ""
    """What was typed."""


class KeyRow(Value, frozen=True):
    """A program's key."""

    id: str
    label: str
    scopes: tuple[str, ...]
    account: str
    since: Micros
    ended: bool


class KeysPage(Value, frozen=True):
    """/desk/keys : keys of programs."""

    chrome: Chrome
    keys: tuple[KeyRow, ...]
    scopes: tuple[str, ...]
    token: str = ""
    """A key just made: shown once."""
    problem: str = ""
    label: str = ""


class EndpointRow(Value, frozen=True):
    """A webhook endpoint."""

    id: str
    url: str
    since: Micros
    ended: bool


class DeliveryRow(Value, frozen=True):
    """A message to an endpoint."""

    id: str
    endpoint: str
    event: str
    dossier: str
    created_at: Micros
    attempts: int
    status: str
    next_at: Micros
    last_error: str


class WebhooksPage(Value, frozen=True):
    """/desk/webhooks : endpoints, what waits, and dead letters with a button to send them again."""

    chrome: Chrome
    endpoints: tuple[EndpointRow, ...]
    dead: tuple[DeliveryRow, ...]
    waiting: tuple[DeliveryRow, ...]
    secret: str = ""
    """A secret just made: shown once."""
    problem: str = ""
    url: str = ""


class RuleRow(Value, frozen=True):
    """A rule in force, in the reader's language."""

    id: str
    pack: str
    when: str
    then: str
    mode: str
    since: str
    ground: str
    title: str
    reason: str
    remedy: str
    clauses: tuple[ClauseRow, ...]
    """Those in force at the instant that the page is about."""
    until: str = ""
    """The first day on which it no longer applies, or empty."""


class RulesPage(Value, frozen=True):
    """/rules : what is restricted here, on which clause, and what one can do; for everybody."""

    chrome: Chrome
    packs: tuple[PackCard, ...]
    rules: tuple[RuleRow, ...]
    clocks: tuple[tuple[str, str, str, str], ...]
    """(message key or id, duration in words, "law" or "policy", citation)."""
    policy: str
    at: Micros = 0
    """The instant that it is about."""
    on: str = ""
    """The date or instant as asked for; empty for now."""
    moments: tuple[Micros, ...] = ()
    """When other rules began here, or will, oldest first; the last of them where there are very many."""
    problem: str = ""
    """A message key, where there are no rules to show for what was asked for."""


class ApiOperation(Value, frozen=True):
    """One operation of the API."""

    method: str
    path: str
    summary: str
    description: str
    scope: str
    request: str
    """Example of the body, JSON, or empty."""
    responses: tuple[tuple[str, str], ...]


class ApiPage(Value, frozen=True):
    """/api : the API in words and examples, from the same description as /v1/openapi.json."""

    chrome: Chrome
    groups: tuple[tuple[str, tuple[ApiOperation, ...]], ...]
    base_url: str
    codes: tuple[tuple[str, int, str, str], ...]
    """(code, status, what happened, what to do)."""


class ProblemPage(Value, frozen=True):
    """Any error on a page: what happened, what to do, and the number to quote."""

    chrome: Chrome
    status: int
    code: str
    request_id: str

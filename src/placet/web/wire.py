"""What goes over the wire: request bodies, and how states are shown. OpenAPI is made from these types."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec

from placet.errors import BadInput
from placet.events import rfc3339
from placet.judging import Screening
from placet.ledger.encode import MAX_INT
from placet.model import ID_PREFIXES, Finding, Item, Json, Medium, Micros, RuleHit, Source, Verdict
from placet.policy import Policy
from placet.procedure.account import Account
from placet.procedure.publication import Publication, due_at
from placet.service import Done, Submission
from placet.shelf import Shelf
from placet.store.contract import EntryRow
from placet.web.automated import AutomatedOut, automated

_encoder: Final = msgspec.json.Encoder()
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Instant = Annotated[datetime, msgspec.Meta(tz=True, description="RFC 3339 with a zone")]
Name = Annotated[str, msgspec.Meta(max_length=200)]
Short = Annotated[str, msgspec.Meta(max_length=2_000)]
Long = Annotated[str, msgspec.Meta(max_length=20_000)]
Address = Annotated[str, msgspec.Meta(max_length=4_000)]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request body: unknown fields are refused."""


class SourceIn(Body, frozen=True):
    """Where a repost comes from."""

    name: Short = ""
    author: Short = ""
    url: Address = ""
    title: Short = ""


class MediumIn(Body, frozen=True):
    """A reference to a picture, sound, film or file."""

    url: Address
    kind: Literal["image", "audio", "video", "file"] = "image"
    sha256: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")] = ""
    alt: Short = ""


class ContentIn(Body, frozen=True):
    """Content to be screened."""

    title: str = ""
    body: str = ""
    format: Literal["text", "html", "markdown"] = "text"
    category: Name = "general"
    origin: Literal["original", "repost"] = "original"
    source: SourceIn = SourceIn()
    media: Annotated[tuple[MediumIn, ...], msgspec.Meta(max_length=50)] = ()


class ScreenIn(ContentIn, frozen=True):
    """Content to be tried, for an account or for none."""

    account: str = ""


class PublicationIn(ContentIn, frozen=True, kw_only=True):
    """A publication that an account submits."""

    account: str
    schedule_at: Instant | None = None
    external_id: Name = ""


class RevisionIn(ContentIn, frozen=True):
    """New content for a publication; `version` is the one that was read, 0 for whichever it is."""

    version: Annotated[int, msgspec.Meta(ge=0)] = 0


class DecisionIn(Body, frozen=True, kw_only=True):
    """A person's decision on the version that they read."""

    decision: Literal["approve", "return", "refuse", "escalate", "take_down"]
    version: Annotated[int, msgspec.Meta(ge=1)]
    ground: Name = ""
    facts: Long = ""
    reason: Long = ""
    changes: Long = ""
    law: Short = ""


class ContestIn(Body, frozen=True):
    """The author asks for a person to decide."""

    statement: Long = ""


class AccountIn(Body, frozen=True, rename={"account_class": "class"}):
    """An account that the platform opens. The classes are data of the packs in force."""

    account_class: Name = "individual"
    display_name: Name = ""
    external_id: Name = ""
    rights: Annotated[tuple[Name, ...], msgspec.Meta(max_length=50)] = ()
    agreement: Name = ""
    language: Literal["", "en", "zh-Hant", "zh-Hans"] = ""


class RightsIn(Body, frozen=True):
    """The rights that the account holds from now on, and what they rest on."""

    rights: Annotated[tuple[Name, ...], msgspec.Meta(max_length=50)]
    basis: Short = ""


class AgreementIn(Body, frozen=True):
    """The agreement version that the holder signed."""

    agreement: Name


class ProfileIn(Body, frozen=True, rename={"account_class": "class"}):
    """A new display name or class."""

    display_name: Name = ""
    account_class: Name = ""


class FindingOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """A finding with the words themselves."""

    detector: str
    list: str
    label: str
    field: str
    span: tuple[int, int]
    quote: str
    view: str
    score: int
    version: str = ""
    """Of a detector from outside."""


class CitationOut(msgspec.Struct, frozen=True):
    """A clause, in our own words."""

    instrument: str
    clause: str
    title: dict[str, str]
    summary: dict[str, str]


class GroundOut(msgspec.Struct, frozen=True):
    """Why: the reason code with its texts in three languages, its clauses and the way out."""

    ground: str
    title: dict[str, str]
    reason: dict[str, str]
    remedy: dict[str, str]
    cites: tuple[CitationOut, ...]


class VerdictOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the rules say."""

    outcome: str
    hits: tuple[dict[str, Any], ...]
    shadow: tuple[dict[str, Any], ...]
    errors: tuple[dict[str, Any], ...]
    policy: str
    grounds: tuple[GroundOut, ...]
    automated: tuple[AutomatedOut, ...] = ()
    """The detectors from outside that took part, for the author to know of; left out where there are none."""


class ScreenOut(msgspec.Struct, frozen=True):
    """The answer to a trial: nothing is recorded."""

    verdict: VerdictOut
    findings: tuple[FindingOut, ...]
    revision: str


class PublicationOut(msgspec.Struct, frozen=True, kw_only=True):
    """A publication as its reader may see it."""

    id: str
    account: str
    status: str
    version: int
    revision: str
    revisions: int
    live_revision: str
    category: str
    origin: str
    external_id: str
    automatic: bool
    grounds: tuple[GroundOut, ...]
    queue: str
    hold_reason: str
    blocked_by: tuple[str, ...]
    submitted_at: str
    schedule_at: str | None
    due_at: str | None
    verdict: VerdictOut | None = None
    findings: tuple[FindingOut, ...] | None = None
    content: Item | None = None


class AccountOut(msgspec.Struct, frozen=True, rename={"account_class": "class"}):
    """An account as its reader may see it."""

    id: str
    status: str
    version: int
    account_class: str
    display_name: str
    external_id: str
    rights: tuple[str, ...]
    agreement: str
    language: str
    opened_at: str


class EntryOut(msgspec.Struct, frozen=True):
    """One entry of a dossier's history."""

    seq: int
    id: str
    at: str
    version: int
    kind: str
    actor: str
    basis: dict[str, str]
    body: Json
    commitment: str


class PublicationPage(msgspec.Struct, frozen=True):
    """A page of publications; `next_cursor` is null on the last."""

    items: list[PublicationOut]
    next_cursor: str | None = None


class AccountPage(msgspec.Struct, frozen=True):
    """A page of accounts; `next_cursor` is null on the last."""

    items: list[AccountOut]
    next_cursor: str | None = None


class EntryPage(msgspec.Struct, frozen=True):
    """A page of a dossier's history; `next_cursor` is the `after` of the next page, null on the last."""

    items: list[EntryOut]
    next_cursor: str | None = None


# --- in ----------------------------------------------------------------------------------------------------------


def item_of(content: ContentIn, policy: Policy, most_chars: int) -> Item:
    """The item to be screened. Raises BadInput for a text over the limit or a category that no pack has."""
    for field in ("title", "body"):
        size = len(getattr(content, field))
        if size > most_chars:
            raise BadInput(
                f"{field} has {size} characters, {most_chars} at most.",
                code="too_large",
                facts={"field": field, "limit": most_chars},
            )
    check_known("category", content.category, policy.categories)
    s = content.source
    return Item(
        title=content.title,
        body=content.body,
        format=content.format,
        category=content.category,
        origin=content.origin,
        source=Source(s.name, s.author, s.url, s.title),
        media=tuple(Medium(m.url, m.kind, m.sha256, m.alt) for m in content.media),
    )


def check_known(field: str, value: str, known: Any) -> None:
    """Refuse a value that no pack in force knows, listing those that they do."""
    if value not in known:
        raise BadInput(
            f"{field} {value[:80]!r} is unknown to the packs in force.",
            facts={"field": field, "allowed": sorted(known)},
        )


def submission_of(ask: PublicationIn, policy: Policy, most_chars: int) -> Submission:
    """What the service is asked."""
    check_id(ask.account, "account")
    return Submission(
        account=ask.account,
        item=item_of(ask, policy, most_chars),
        schedule_at=micros(ask.schedule_at),
        external_id=ask.external_id,
    )


def micros(at: datetime | None) -> Micros:
    """An instant in microseconds; 0 for none. Raises BadInput for one that the record cannot hold."""
    if at is None:
        return 0
    instant = (at - _EPOCH) // timedelta(microseconds=1)
    if instant > MAX_INT:
        raise BadInput("This time is too far in the future.", facts={"field": "schedule_at"})
    return max(instant, 1)  # whatever lies before the epoch is past, and not "none"


def check_id(text: str, kind: str) -> str:
    """Refuse an id of another kind, saying which prefix is expected."""
    prefix = ID_PREFIXES[kind] + "_"
    if not text.startswith(prefix) or len(text) != len(prefix) + 26 or not text.isascii():
        raise BadInput(
            f"{text[:60]!r} is not the id of a {kind}: those begin with {prefix}",
            code="wrong_id_kind",
            facts={"expected": prefix},
        )
    return text


# --- out ---------------------------------------------------------------------------------------------------------


def encode(value: Any) -> bytes:
    """A value as JSON bytes."""
    return _encoder.encode(value)


def finding_out(finding: Finding, item: Item) -> FindingOut:
    """A finding with its quote, cut from the item where the record does not keep it."""
    quote = finding.quote or getattr(item, finding.field, "")[finding.start : finding.end]
    span = (finding.start, finding.end)
    return FindingOut(
        detector=finding.detector,
        list=finding.list,
        label=finding.label,
        field=finding.field,
        span=span,
        quote=quote,
        view=finding.view,
        score=finding.score,
        version=finding.version,
    )


def ground_out(ground: str, policy: Policy) -> GroundOut:
    """A reason code with its texts; one that the policy does not know (a draft of old) is shown by its id."""
    known = policy.grounds.get(ground)
    if known is None:
        return GroundOut(ground, {}, {}, {}, ())
    cites = []
    for citation in known.cites:
        view = policy.clause(citation)
        cites.append(CitationOut(citation.instrument, citation.clause, dict(view.title), dict(view.summary)))
    return GroundOut(ground, dict(known.title), dict(known.reason), dict(known.remedy), tuple(cites))


def verdict_out(verdict: Verdict, policy: Policy, findings: Sequence[Finding] = ()) -> VerdictOut:
    """A verdict with the texts of its grounds, and what detectors from outside had to do with it."""
    grounds = dict.fromkeys(hit.ground for hit in verdict.hits)
    return VerdictOut(
        outcome=verdict.outcome,
        hits=tuple(_hit(hit) for hit in verdict.hits),
        shadow=tuple(_hit(hit) for hit in verdict.shadow),
        errors=tuple(msgspec.to_builtins(error) for error in verdict.errors),
        policy=verdict.policy,
        grounds=tuple(ground_out(ground, policy) for ground in grounds),
        automated=automated(verdict, findings),
    )


def _hit(hit: RuleHit) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(hit)
    return shown


def screen_out(screening: Screening, policy: Policy) -> ScreenOut:
    """The answer to a trial."""
    findings = tuple(finding_out(each, screening.item) for each in screening.findings)
    return ScreenOut(verdict_out(screening.verdict, policy, screening.findings), findings, screening.revision)


def publication_out(
    state: Publication, shelf: Shelf, screening: Screening | None = None, content: Item | None = None
) -> PublicationOut:
    """A publication; with findings and verdict where they are at hand."""
    due = due_at(state)
    shown = screening.item if screening else content
    return PublicationOut(
        id=state.id,
        account=state.account,
        status=state.status,
        version=state.version,
        revision=state.revision,
        revisions=state.revisions,
        live_revision=state.live_revision,
        category=state.category,
        origin=state.origin,
        external_id=state.external_id,
        automatic=state.automatic,
        grounds=tuple(ground_out(each, shelf.at_hand(state.grounds_policy)) for each in state.grounds),
        queue=state.queue,
        hold_reason=state.hold_reason,
        blocked_by=state.blocked_by,
        submitted_at=rfc3339(state.submitted_at),
        schedule_at=rfc3339(state.schedule_at) if state.schedule_at else None,
        due_at=rfc3339(due) if due else None,
        verdict=_verdict_of(screening, shelf) if screening else None,
        findings=tuple(finding_out(each, shown) for each in screening.findings) if screening and shown else None,
        content=content,
    )


def _verdict_of(screening: Screening, shelf: Shelf) -> VerdictOut:
    return verdict_out(screening.verdict, shelf.at_hand(screening.verdict.policy), screening.findings)


def publication_reply(shelf: Shelf) -> Any:
    """The function that turns what was done into the reply that is kept for its Idempotency-Key."""
    return lambda done: encode(publication_out(done.state, shelf, done.screening))


def account_out(state: Account) -> AccountOut:
    """An account."""
    return AccountOut(
        id=state.id,
        status=state.status,
        version=state.version,
        account_class=state.account_class,
        display_name=state.display_name,
        external_id=state.external_id,
        rights=state.rights,
        agreement=state.agreement,
        language=state.language,
        opened_at=rfc3339(state.opened_at),
    )


def account_reply(done: Done) -> bytes:
    """An account as the reply that is kept."""
    return encode(account_out(done.state))


def entry_out(row: EntryRow, *, names_staff: bool) -> EntryOut:
    """An entry; a reader outside the platform learns that a person of the staff acted, not which."""
    actor = row.actor if names_staff or not row.actor.startswith("stf_") else "staff"
    basis = {"policy": row.basis.policy, "instant": rfc3339(row.basis.instant)}
    body = msgspec.json.decode(row.body) if row.body is not None else None
    if body and body.get("assignee") and not names_staff:
        body["assignee"] = "staff"
    return EntryOut(row.seq, row.id, rfc3339(row.at), row.version, row.kind, actor, basis, body, row.commitment.hex())

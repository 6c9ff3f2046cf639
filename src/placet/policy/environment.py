"""The facts that a rule may read, and how it asks about the text. docs/packs.md lists them for pack writers.

To add a fact: declare its type in VARIABLES, say in MEANING what it is, and give its value in `gather` or
`with_findings`. Nothing else knows it; docs/rules-reference.md is made of what is declared here.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import field
from msgspec.structs import asdict, replace

from placet.model import Finding, Item, Json, Micros, Value
from placet.policy.cel import BOOL, INT, STRING, Environment, Type, list_of, object_type
from placet.policy.values import WITHIN, AccountPast

_SOURCE: Final = object_type("Source", {"name": STRING, "author": STRING, "url": STRING, "title": STRING})
_MEDIUM: Final = object_type("Medium", {"kind": STRING, "url": STRING, "alt": STRING, "sha256": STRING})
_ITEM: Final = object_type(
    "Item",
    {
        "category": STRING,
        "origin": STRING,
        "format": STRING,
        "title": STRING,
        "body": STRING,
        "text": STRING,
        "blank": BOOL,
        "source": _SOURCE,
        "media": list_of(_MEDIUM),
    },
)
_PAST: Final = object_type("Past", dict.fromkeys(AccountPast.__struct_fields__, INT))
_ACCOUNT: Final = object_type(
    "Account",
    {"id": STRING, "class": STRING, "rights": list_of(STRING), "agreement": STRING, "territory": STRING, "past": _PAST},
)
_ACT: Final = object_type("Act", {"at": INT})

_LINKS: Final = object_type("Links", {"hosts": list_of(STRING)})

VARIABLES: Final[Mapping[str, Type]] = {"item": _ITEM, "account": _ACCOUNT, "act": _ACT, "links": _LINKS}

MEANING: Final[Mapping[str, str]] = {
    "item.category": "What the author declares it to be about: a category of pack.toml, never read off the words.",
    "item.origin": "`original`, or `repost` of what others wrote, as the author declares it.",
    "item.format": "What title and body are written in: `text`, `html` or `markdown`.",
    "item.title": "The title, as submitted.",
    "item.body": "The body, as submitted, with its markup.",
    "item.text": "Title, line feed, body; `matches` looks at the title and at the body, each by itself.",
    "item.blank": "Whether neither title nor body has a visible character.",
    "item.source.name": "The publisher of a repost, as declared; empty: not said.",
    "item.source.author": "Its author, as declared; empty: not said.",
    "item.source.url": "Its address, as declared; empty: not said.",
    "item.source.title": "Its original title, as declared; empty: not said.",
    "item.media": "References to pictures, sound or film, in order; empty: none.",
    "item.media.kind": "`image`, `audio`, `video` or `file`.",
    "item.media.url": "Its address on the platform.",
    "item.media.alt": "What is said for those who do not see it; empty: nothing.",
    "item.media.sha256": "The SHA-256 of its bytes, in hexadecimal digits; empty: the platform does not say.",
    "account.id": "The account's id in Placet; read it only where a rule needs it, since what rules read is recorded.",
    "account.class": "One of the classes in force; a class alone gives no right.",
    "account.rights": "The rights that the platform gave it on evidence, as they are at the moment of the act.",
    "account.agreement": "The version of the agreement that was accepted; empty: none.",
    "account.territory": "ISO 3166 code of where its information is offered; empty: the platform does not say.",
    "account.past.held": "How many other publications of it wait for a person now.",
    "account.past.returned": "How many others stand returned, and were not submitted again.",
    "account.past.refused": "How many others stand refused.",
    "account.past.published": "How many others are live now.",
    "account.past.taken_down": "How many others stand taken down.",
    "account.past.last_day": "How many others it submitted within the 24 hours before the act, whatever came of them.",
    "account.past.last_month": "How many others it submitted within the 30 days before the act.",
    "act.at": "The moment of the act, in microseconds since 1970: `timestamp(act.at / 1000000)` is a time.",
    "links.hosts": "The hosts of all links that stand in the text, each once, without those only guessed at.",
}
"""What each fact is, in a sentence, down to what is no table."""

OF_FINDINGS: Final = frozenset({"links.hosts"})
"""Facts that `with_findings` reads off the findings, so that they are recorded with these and not once more."""

TEXT_FIELDS: Final[Mapping[str, str | None]] = {"item.title": "title", "item.body": "body", "item.text": None}
"""The facts that are screened text, by the field that screening knows; None stands for either of them."""

WINDOWS: Final[Mapping[str, str]] = {"near": "near/within/{}", "near_accounts": "near/within/{}/accounts"}
"""The functions that count near copies of the last so many days, by the list under which they are reported."""

WINDOW_MEANING: Final[Mapping[str, str]] = {
    "near": "How many other publications of the last so many days, 1 to 365, have nearly the same text.",
    "near_accounts": "How many accounts those are of.",
}
"""What these functions are for."""

ENVIRONMENT: Final = Environment(VARIABLES, frozenset(TEXT_FIELDS), WINDOWS)

DETECTOR_LISTS: Final[Mapping[str, str]] = {
    "contacts": "Contacts of every kind: those in the open score 95, those in disguise 70; the label is the kind.",
    "contacts/email": "E-mail addresses.",
    "contacts/phone": "Telephone numbers.",
    "contacts/wechat": "Names and numbers at WeChat, and links into it.",
    "contacts/qq": "Names and numbers at QQ, and links into it.",
    "contacts/telegram": "Names and numbers at Telegram, and links into it.",
    "contacts/whatsapp": "Names and numbers at WhatsApp, and links into it.",
    "contacts/line": "Names and numbers at LINE, and links into it.",
    "contacts/skype": "Names and numbers at Skype, and links into it.",
    "contacts/snapchat": "Names and numbers at Snapchat, and links into it.",
    "contacts/discord": "Names and numbers at Discord, and links into it.",
    "limits": "What was too large to be screened in full.",
    "links": "Every link; the label is its host.",
    "links/confusable": "Links whose host reads as another.",
    "links/disguised": "Hosts that are written out so that no program sees a link; a guess.",
    "links/ip-host": "Links to a bare IP address.",
    "links/mismatch": "Links that show one site and lead to another.",
    "links/punycode": "Links to an international name; nothing is wrong with that as such.",
    "links/shortener": "Links to a well-known host that only forwards, and so hides where they lead.",
    "links/userinfo": "Links with a user name before the host.",
    "markup/hidden-text": "Text that a page holds and does not show.",
    "near/accounts": "Near copies submitted lately; the label says by how many accounts.",
    "near/copies": "Near copies submitted lately; the label says how many, and 50 means 50 or more.",
    "near/refused": "Near copies that a person refused or took down; the label says how many.",
}
"""What screening finds without a list of the pack, "contacts" being those of any kind; rules ask by these names."""

_EXTERNAL: Final = re.compile(r"external/([a-z0-9][a-z0-9-]{0,39})(?:/failed)?")
"""What a detector from outside sees, and that it failed. A pack may ask for one that is not there: see detectors/."""


def external_list(detector: str) -> str:
    """Name the list under which a detector from outside reports what it sees."""
    return f"external/{detector}"


def failed_list(detector: str) -> str:
    """Name the list under which it is reported that a detector from outside failed."""
    return f"external/{detector}/failed"


def detector_of(name: str) -> str:
    """Name the detector from outside that such a list is of; empty for any other list."""
    match = _EXTERNAL.fullmatch(name)
    return match[1] if match else ""


_WITHIN: Final = re.compile(WITHIN)


def window_of(name: str) -> int:
    """Give the days that a list of near copies within a window is of; 0 for any other list."""
    match = _WITHIN.fullmatch(name)
    return int(match[1]) if match else 0


def is_shared(name: str) -> bool:
    """Whether a list is none of a pack's own, so that every pack may ask for it."""
    return name in DETECTOR_LISTS or name.startswith(("external/", "near/within/"))


def full_name(pack: str, name: str) -> str:
    """Name a list as findings do, from the name by which the rules of a pack ask for it."""
    return name if is_shared(name) else f"{pack}/{name}"


class AccountFacts(Value, frozen=True):
    """What is known of the account at the moment of the act.

    `rights` are given by the platform on evidence that may lapse ("news.publish", "news.repost"); the class alone gives
    none (IM14 art 7(2)). `agreement` is the version accepted, empty for none. `territory` is the ISO 3166 code of
    the territory in which the account's information is offered, empty where the platform does not say. `past` is
    counted only as far as a rule in force reads it.
    """

    id: str = ""
    account_class: str = field(default="individual", name="class")
    rights: tuple[str, ...] = ()
    agreement: str = ""
    territory: str = ""
    past: AccountPast = AccountPast()


def gather(item: Item, account: AccountFacts, at: Micros) -> dict[str, Json]:
    """Every fact that a rule may read, as nested dicts and lists."""
    source = item.source
    text = f"{item.title}\n{item.body}"
    return {
        "item": {
            "category": item.category,
            "origin": item.origin,
            "format": item.format,
            "title": item.title,
            "body": item.body,
            "text": text,
            "blank": _is_blank(text),
            "source": {"name": source.name, "author": source.author, "url": source.url, "title": source.title},
            "media": [{"kind": m.kind, "url": m.url, "alt": m.alt, "sha256": m.sha256} for m in item.media],
        },
        "account": {
            "id": account.id,
            "class": account.account_class,
            "rights": list(account.rights),
            "agreement": account.agreement,
            "territory": account.territory,
            "past": asdict(account.past),
        },
        "act": {"at": at},
    }


def _is_blank(text: str) -> bool:
    first = text.lstrip()[:1]
    if first and first.isprintable():  # as in nearly all texts, which need not be looked through then
        return False
    return not any(char.isprintable() and not char.isspace() for char in text)


def with_findings(facts: Mapping[str, Json], index: "FindingIndex") -> dict[str, Json]:
    """Add the facts that are read off the findings: the hosts of links that stand in the text, each once, in order."""
    return {**facts, "links": {"hosts": list(dict.fromkeys(each.label for each in index.lists.get("links", ())))}}


def leaves(reads: Iterable[str]) -> frozenset[str]:
    """Give the facts that those paths name, each down to a value that is no table, but never the author's words."""
    found: set[str] = set()
    for path in reads:
        name, *rest = path.split(".")
        kind = VARIABLES[name]
        for part in rest:
            inner = kind.field(part)
            if inner is None:  # a path into the elements of a list: the whole list is read
                break
            kind, name = inner, f"{name}.{part}"
        found.update(_leaves_of(name, kind))
    return frozenset(found - TEXT_FIELDS.keys())


def _leaves_of(path: str, kind: Type) -> Iterator[str]:
    if kind.fields:
        for name, inner in kind.fields:
            yield from _leaves_of(f"{path}.{name}", inner)
    else:
        yield path


def by_table(paths: Iterable[str]) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    """Dotted paths by the table that they lie in: (("item", "source"), ("name", "url")), in order; for `pick`."""
    tables: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for path in sorted(paths):
        *table, name = path.split(".")
        tables[tuple(table)].append(name)
    return tuple((table, tuple(names)) for table, names in tables.items())


def pick(facts: Mapping[str, Json], tables: Iterable[tuple[tuple[str, ...], tuple[str, ...]]]) -> dict[str, Json]:
    """Copy the facts named, each of which must be there. `tables` is from `by_table`."""
    kept: dict[str, Json] = {}
    for table, names in tables:
        source, target = facts, kept
        for step in table:
            source, target = source[step], target.setdefault(step, {})
        for name in names:
            target[name] = source[name]
    return kept


def restore(recorded: Mapping[str, Json], item: Item) -> dict[str, Json]:
    """Put the author's words back into recorded facts, so that the same rules can be evaluated again."""
    words = {"title": item.title, "body": item.body, "text": f"{item.title}\n{item.body}"}
    return {**recorded, "item": {**recorded.get("item", {}), **words}}


def requote(findings: Iterable[Finding], item: Item) -> list[Finding]:
    """Put the quotes back into recorded findings, from the revision that they were found in."""
    return [replace(one, quote=getattr(item, one.field)[one.start : one.end]) for one in findings]


class Seen:
    """What a pack's conditions ask of the findings: its lists, the lists of screening itself, and hoisted patterns.

    `labels` gives the list and label of the finding under which screening reports each pattern of the policy.
    """

    __slots__ = ("_index", "_labels", "_pack")

    def __init__(self, pack: str, index: "FindingIndex", labels: Mapping[tuple[str, str], tuple[str, str]]) -> None:
        self._pack = pack
        self._index = index
        self._labels = labels

    def _findings(self, name: str) -> Sequence[Finding]:
        return self._index.lists.get(full_name(self._pack, name), ())

    def terms(self, name: str) -> bool:
        """Whether anything of that list was found."""
        return bool(self._findings(name))

    def hits(self, name: str) -> list[dict[str, Any]]:
        """Give the findings of that list, in the order in which they were found."""
        return [
            {"label": hit.label, "field": hit.field, "view": hit.view, "score": hit.score, "quote": hit.quote}
            for hit in self._findings(name)
        ]

    def count(self, name: str) -> int:
        """Give the number that stands as the label of what was found; 0 where nothing was."""
        found = self._findings(name)
        return int(found[0].label) if found else 0

    def matches(self, path: str, regex: str) -> bool:
        """Whether a pattern was found in a text field of the item."""
        return self._labels[path, regex] in self._index.patterns

    def best(self, names: Iterable[str]) -> int:
        """Give the score of the weakest of those lists, each at its best finding; 100 when nothing was found."""
        scores = [max(hit.score for hit in found) for name in names if (found := self._findings(name))]
        return min(scores, default=100)


class FindingIndex:
    """The findings of one item, by what conditions ask for: lists by name, patterns by list and label."""

    __slots__ = ("lists", "patterns")

    def __init__(self, findings: Iterable[Finding]) -> None:
        lists: dict[str, list[Finding]] = {}
        patterns: set[tuple[str, str]] = set()
        for finding in findings:
            if finding.detector == "patterns":
                patterns.add((finding.list, finding.label))
            else:
                lists.setdefault(finding.list, []).append(finding)
                if finding.detector == "contacts":
                    lists.setdefault("contacts", []).append(finding)
        self.lists = lists
        self.patterns = patterns

"""Contacts: telephone numbers, e-mail addresses, and names and numbers at chat services, also written in disguise.

A name or number at a service counts where the service is named before it ("微信：abc_123", "薇❤信 abc123") and where
something else speaks for it: a colon, an "@", the word for an account, an invitation. A bare number is none. What looks
like a word counts only where it ends the clause, and as a guess. Telephone numbers: see phones.py.

What is found is personal data. A finding therefore names the kind alone; `normalise` gives the one form of a contact,
for display and comparison, to those who may see the text anyway.

Everything is searched by RE2 on the folded reading, in time linear in the text.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain, islice, pairwise
from string import ascii_lowercase
from typing import Any, Final, NamedTuple

from placet.screening.engines import Sets
from placet.screening.fold import fold, scalar
from placet.screening.hints import HAN, IDEOGRAPHS
from placet.screening.links import DOT, written_host
from placet.screening.lists import LexiconError
from placet.screening.patterns import compile_re2
from placet.screening.phones import FIGURES, MEASURED, REGIONS, STRETCH, find_phones, international, load_regions

SURE: Final = 95
GUESS: Final = 70

# --- services ----------------------------------------------------------------------------------------------------

# All expressions from here on are for the folded reading: lower case, half width, simplified Chinese.
_GAP: Final = r"[^\pL\pN\n=×*/<>|]{0,3}"
_DIGIT: Final = f"[0-9{FIGURES}]"
_NUMBER: Final = rf"[0-9]{{5,15}}|{_DIGIT}(?:{_GAP}{_DIGIT}){{4,14}}"
_JOIN: Final = "[加嘉佳伽+➕]"
_V: Final = "[微薇葳徽威维v]"
_ACCOUNT: Final = (
    r"(?:\s?(?:公众号|同号|[账帐]号|号码?|群号?|名|(?:id|username|user|handle|name|number)\b|[(（]同[^\n]{1,4}[)）]))"
)


class _Service(NamedTuple):
    """A chat service: its names in the open and in disguise, and what stands for somebody there."""

    kind: str
    names: str
    bent: str
    handle: str
    wordy: tuple[str, ...] = ()
    """Those of its names that are words with another sense as well: a colon after them says nothing."""


_SERVICES: Final = (
    _Service(
        "wechat",
        r"微信|\b(?:wechat|weixin)",
        rf"[微薇葳徽威维]{_GAP}(?:[信芯心]|x\b)|[卫魏巍溦]{_GAP}[信芯]|\b[vw]{_GAP}[x信]|\bwei{_GAP}(?:xin|信)"
        rf"|{_JOIN}我?{_GAP}{_V}",
        rf"[a-z][a-z0-9_-]{{5,19}}|{_NUMBER}",
    ),
    _Service("qq", r"\bqq", rf"\bq{_GAP}[q群]|[扣叩蔻抠]{_GAP}[扣叩蔻抠]|企鹅|球球|秋秋|{_JOIN}我?{_GAP}q", _NUMBER),
    _Service("telegram", r"\btelegram|电报", r"\btg|纸?飞机|✈", r"[a-z][a-z0-9_]{4,31}", wordy=("飞机", "✈")),
    _Service("whatsapp", r"\bwhats\s?app", rf"\bwhats{_GAP}app", rf"\+?{_DIGIT}(?:{_GAP}{_DIGIT}){{6,14}}"),
    _Service("line", r"\bline", "赖", r"[a-z0-9][a-z0-9._-]{3,19}", wordy=("line", "赖")),
    _Service("skype", r"\bskype", rf"\bs{_GAP}kype", r"live:[a-z0-9._:-]{3,40}|[a-z][a-z0-9.,_-]{5,31}"),
    _Service("snapchat", r"\bsnapchat", r"\bsnap", r"[a-z][a-z0-9._-]{2,14}"),
    _Service("discord", r"\bdiscord", rf"\bdis{_GAP}cord", r"[a-z0-9_.]{2,32}#[0-9]{4}|[a-z0-9_.]{2,32}"),
)
KINDS: Final = ("email", "phone", *(service.kind for service in _SERVICES))
"""Every kind of contact."""
_NAMED: Final = [
    (
        service,
        compile_re2(
            rf"({service.names}|{service.bent})({_ACCOUNT}{{0,2}})(\s?(?:is\b|是|为))?([^\pL\pN\n]{{0,6}}?)({service.handle})"
        ),
        compile_re2(f"^(?:{service.names})$"),
    )
    for service in _SERVICES
]

# Addresses that open a talk or a group at a service: how each begins, and how it goes on.
_ADDRESSES: Final = (
    ("telegram", r"(?:t|telegram)\.(?:me|dog)/", r"(?:joinchat/|s/|\+)?[a-z0-9_-]{4,64}"),
    ("telegram", r"tg://", r"[a-z]+\?[^\s\"'<>]{3,80}"),
    ("whatsapp", r"wa\.me/", r"(?:qr/|message/)?\+?[a-z0-9]{7,20}"),
    ("whatsapp", r"chat\.whatsapp\.com/", r"[a-z0-9]{8,40}"),
    ("whatsapp", r"(?:api|web)\.whatsapp\.com/send", r"/?\?phone=\+?[0-9]{7,15}"),
    ("line", r"line\.me/", r"(?:r/)?ti/[a-z0-9]{1,2}/[a-z0-9@~%._-]{3,64}"),
    ("line", r"lin\.ee/", r"[a-z0-9]{4,20}"),
    ("discord", r"discord(?:\.gg|(?:app)?\.com/invite)/", r"[a-z0-9-]{2,40}"),
    ("snapchat", r"snapchat\.com/add/", r"[a-z0-9._-]{3,15}"),
    ("skype", r"join\.skype\.com/", r"[a-z0-9]{4,20}"),
    ("skype", r"skype:", r"[a-z0-9.,_:-]{3,40}\?(?:chat|call|add)"),
    ("qq", r"(?:qm|jq|wpa)\.qq\.com/", r"[^\s\"'<>]{3,120}"),
    ("wechat", r"u\.wechat\.com/", r"[a-z0-9_-]{4,64}"),
    ("wechat", r"weixin\.qq\.com/[gr]/", r"[a-z0-9_-]{4,64}"),
)
_ADDRESSED: Final = [
    (kind, compile_re2(rf"(?:^|[^a-z0-9.-])((?:www\.)?(?:{'|'.join(b + r for k, b, r in _ADDRESSES if k == kind)}))"))
    for kind in dict.fromkeys(kind for kind, _, _ in _ADDRESSES)
]
_AT: Final = r"@|#|\s?[\[({【]\s?(?:@|at|[艾爱]特)\s?[\])}】]\s?|\s?[艾爱]特\s?"
_MAIL: Final = compile_re2(rf"([a-z0-9._%+-]*[a-z0-9_])({_AT})([a-z0-9][a-z0-9-]*(?:(?:{DOT})[a-z0-9][a-z0-9-]*)+)")

# --- hints: where a closer look may be worth it ------------------------------------------------------------------

_BETWEEN: Final = rf"[^a-z0-9{HAN}\n]{{0,3}}"
"""Matches whatever _GAP does, and what stands between the figures of a telephone number."""
_NAMES: Final = "|".join(f"{service.names}|{service.bent}" for service in _SERVICES).replace(_GAP, _BETWEEN)
_BEGINNINGS: Final = "|".join(beginning for _, beginning, _ in _ADDRESSES)
HINTS: Final = (
    rf"{_DIGIT}(?:{_BETWEEN}{_DIGIT}){{6}}",
    rf"[a-z0-9_](?:{_AT})[a-z0-9]",
    rf"(?:{_NAMES})(?:\b|[^a-z_])",  # see _is_one_word
    rf"[^a-z0-9.-](?:www\.)?(?:{_BEGINNINGS})",
)
"""One of these matches in the folded reading of a text that holds a contact (hints.py).

They are made of the parts of what finds contacts, so that none of them can miss what is found.
"""


@cache
def _parts() -> Sets:
    """All of these expressions at once: which of them are worth a search of their own, in the order of _PARTS.

    A few of the letters stand for all: that may say too much, and is compiled in a tenth of the time.
    """
    letters = "a-z0-9" + "".join(f"{chr(first)}-{chr(end - 1)}" for first, end in IDEOGRAPHS)
    return Sets({i: part.pattern.replace(r"\pL\pN", letters).encode() for i, part in enumerate(_PARTS)})


_PARTS: Final = [STRETCH, _MAIL, *(regex for _, regex in _ADDRESSED), *(named for _, named, _ in _NAMED)]

_NOBODY: Final = frozenset(
    ["addlist", "addstickers", "addtheme", "iv", "login", "proxy", "setlanguage", "share", "socks"]
)

_INVITED: Final = compile_re2(
    r"((?:^|[^增更参追施叠附])[加嘉佳伽]|[+➕]|联系|私聊|咨询|找|扫|撩|聊|关注|搜)[^\pL\pN\n]{0,4}(?:我的?)?[^\pL\pN\n]{0,4}$"
    r"|\b(?:add|text|dm|message|msg|contact|reach|find|hit|ping|join|follow|my|our)\b[a-z' ]{0,12}[^\pN\n]{0,4}$"
)
"""An invitation right before a name; in Chinese, its first group."""
_WINDOW: Final = 20
_JOINS: Final = frozenset("加嘉佳伽+➕")
_IDENTITIES: Final = frozenset(["id", "username", "handle", "号", "账号", "帐号"])
_SHORT: Final = frozenset(["vx", "wx", "v信", "w信"])
"""Names that nobody writes but to invite."""
_TELLING: Final = frozenset(":=@→➡➜☞👉")
_NOT_SOMEBODY: Final = compile_re2(
    r"^(?:wechat|weixin|qq|telegram|whatsapp|line|skype|snapchat|discord|facebook|instagram|twitter|tiktok|youtube|https?"
    r"|www|iphone|ipad|android|windows|macos|ios|official|support|channel|group|download|version|login|signup|desktop"
    r"|mobile|premium|update|status|error|false|web|app|api|sdk|bot|pro|plus|true|null|none)[0-9._-]*$"
)


_LETTER: Final = compile_re2("[a-z]")
_LATIN: Final = frozenset(ascii_lowercase)
_FIGURES: Final = frozenset("0123456789" + FIGURES)
_PARTING: Final = frozenset("\"',;、，。")
_POINTS: Final = frozenset(".,:/")
_BARE_NUMBER: Final = 6
"""Digits that are a number at QQ when they stand right behind its name."""
_FEW_FIGURES: Final = 3
_WORD_GOES_ON: Final = compile_re2(r"^(?:[a-z0-9_@]|\.[a-z0-9])")
_CLAUSE_GOES_ON: Final = compile_re2(r"^[ '/&+#-][a-z0-9]")


class Contact(NamedTuple):
    """A contact in a text: character offsets, its kind, and how sure it is; never the contact itself."""

    start: int
    end: int
    kind: str
    score: int
    view: str


class Contacts:
    """Finds contacts. Immutable; several threads may search at once."""

    def __init__(self, regions: Sequence[str] = REGIONS, max_contacts: int = 100) -> None:
        _parts()
        try:
            load_regions(regions)
        except ValueError as reason:
            raise LexiconError("regions", str(reason)) from None
        self._regions = tuple(regions)
        self._most = max_contacts

    def find(self, text: str) -> tuple[list[Contact], bool]:
        """The contacts in a text that is read as it stands, and whether there were more of a sort than the limit."""
        safe = scalar(text)
        folded = fold(safe)
        parts = [_PARTS[i] for i in _parts().hits(folded.encode())]
        sorts = (
            _phones(safe, folded, self._regions) if STRETCH in parts else (),
            _mails(safe, folded) if _MAIL in parts else (),
            (found for kind, regex in _ADDRESSED if regex in parts for found in _addresses(folded, kind, regex)),
            (found for each in _NAMED if each[1] in parts for found in _handles(safe, folded, *each)),
        )
        each = [list(islice(found, self._most + 1)) for found in sorts]
        return sorted(chain(*(found[: self._most] for found in each))), any(len(found) > self._most for found in each)


def _contact(text: str, folded: str, start: int, end: int, kind: str, *, sure: bool) -> Contact:
    view = "squeezed" if not sure else "exact" if text[start:end] == folded[start:end] else "folded"
    return Contact(start, end, kind, SURE if sure else GUESS, view)


def _phones(text: str, folded: str, regions: Sequence[str]) -> Iterator[Contact]:
    for start, end, plain in find_phones(text, folded, regions):
        yield _contact(text, folded, start, end, "phone", sure=plain)


def _addresses(folded: str, kind: str, regex: Any) -> Iterator[Contact]:
    for match in regex.finditer(folded):
        start, end = match.span(1)
        if folded[start:end].rpartition("/")[2] not in _NOBODY:
            yield Contact(start, end, kind, SURE, "exact")


# --- e-mail ------------------------------------------------------------------------------------------------------

_WITH_HASH: Final = frozenset(
    f"{name}.com" for name in ("126", "163", "foxmail", "gmail", "hotmail", "outlook", "qq", "sina", "yahoo")
)
_LONGEST_LOCAL: Final = 64  # RFC 5321, section 4.5.3.1.1
_LONGEST_AUTHORITY: Final = 80


def _mails(text: str, folded: str) -> Iterator[Contact]:
    """E-mail addresses, also with "#" or "(at)" for the "@" and with dots in disguise."""
    for match in _MAIL.finditer(folded):
        start, end = match.span(3)
        host = written_host(text, folded, start, end, surely=True)
        local, at = match.group(1).lstrip("."), match.group(2)
        first = match.end(1) - len(local)
        if not host or not 0 < len(local) <= _LONGEST_LOCAL or (at == "#" and host.host not in _WITH_HASH):
            continue
        if _is_elsewhere(folded, first, host.end):
            continue
        yield _contact(text, folded, first, host.end, "email", sure=at == "@" and not host.bent)


def _is_elsewhere(folded: str, start: int, end: int) -> bool:
    """Whether a name stands before the host of a link, in a path of a repository, or is a name of the fediverse."""
    before = folded[max(0, start - _LONGEST_AUTHORITY) : start]
    in_link = "://" in (before.split() or [""])[-1] and not before[-1:].isspace()
    return (
        in_link or before[-1:] in ("@", "/") or (folded[end : end + 1] == ":" and folded[end + 1 : end + 2].isalpha())
    )


# --- names and numbers -------------------------------------------------------------------------------------------


def _handles(text: str, folded: str, service: _Service, named: Any, openly: Any) -> Iterator[Contact]:
    for match in named.finditer(folded):
        sure = _judged(service, folded, match)
        if sure is not None:
            start, end = match.start(5), match.start(5) + len(_handle(match))
            written = _is_usual(text[match.start(1) : match.end(1)], han=True) and _is_usual(text[start:end])
            sure = sure and written and openly.match(match.group(1)) is not None
            yield _contact(text, folded, start, end, service.kind, sure=sure)


def _handle(match: Any) -> str:
    handle: str = match.group(5).rstrip("._-,")
    return handle


def _judged(service: _Service, folded: str, match: Any) -> bool | None:
    """Whether a name or number after the name of a service is surely somebody's; None if it is likely nobody's."""
    name, account, verb, link, _ = match.groups()
    handle = _handle(match)
    if not handle:  # "join our discord...": what stands there is punctuation
        return None
    end = match.start(5) + len(handle)
    figures = sum(c in _FIGURES for c in handle)
    number = not _LETTER.search(handle)
    if _is_one_word(folded, match) or _goes_on(folded, end, number=number) or _NOT_SOMEBODY.match(handle):
        return None
    at, telling = "@" in link, not _TELLING.isdisjoint(link)
    invited = _invitation(folded, match.start(), name)
    spoken_for = at or handle[0] == "+" or invited == "zh" or account.strip() in _IDENTITIES
    if not any(name.endswith(word) for word in service.wordy):
        spoken_for = spoken_for or telling or bool(account or verb or invited) or name in _SHORT
    if number:
        bare = service.kind == "qq" and not link.strip() and figures >= _BARE_NUMBER
        if not (spoken_for or bare) or _is_figure(handle, link, bare=bare):
            return None
        return figures == len(handle) or any(a in _FIGURES and b in _FIGURES for a, b in pairwise(handle))
    if figures or "_" in handle:
        return True if spoken_for else False if service.kind == "wechat" and figures >= _FEW_FIGURES else None
    if at:
        return True
    said = telling or bool(account) or (invited == "zh" and not name.isascii() and _PARTING.isdisjoint(link))
    return False if spoken_for and said and not _CLAUSE_GOES_ON.match(folded[end : end + 2]) else None


def _is_one_word(folded: str, match: Any) -> bool:
    """Whether the name of a service is but the beginning of a word."""
    around: str = folded[match.end(1) - 1 : match.end(1) + 1]
    return around[:1] in _LATIN and (around[1:] in _LATIN or around[1:] == "_")


def _invitation(folded: str, start: int, name: str) -> str:
    """In which language a name is preceded by an invitation: "zh", "en" or ""."""
    if name[0] in _JOINS:
        alone = name[0] != "+" or not folded[max(0, start - 1) : start].isalnum()
        return "zh" if alone else ""
    found = _INVITED.search(folded[max(0, start - _WINDOW) : start])
    return ("zh" if found.group(1) else "en") if found else ""


def _goes_on(folded: str, end: int, *, number: bool) -> bool:
    """Whether what was taken for a name or number is but the beginning of a longer one, an address or a quantity."""
    rest = folded[end : end + 4]
    if number:
        return rest[:1] in _FIGURES or MEASURED.search(rest) is not None
    return bool(_WORD_GOES_ON.match(rest))


def _is_figure(handle: str, link: str, *, bare: bool) -> bool:
    """Whether a number is a version, a date, an amount, or the value of a letter."""
    groups = "".join(c if c in _FIGURES else " " for c in handle).split()
    several = 1 < len(groups) < sum(map(len, groups))
    return "=" in link or (several and (bare or not _POINTS.isdisjoint(handle)))


def _is_usual(written: str, *, han: bool = False) -> bool:
    """Whether all characters are letters and figures in their usual or their full width, or else ideographs."""
    return all(c.isascii() or "\uff01" <= c <= "\uff5e" or (han and "\u4e00" <= c <= "\u9fff") for c in written)


# --- one form ----------------------------------------------------------------------------------------------------


def normalise(kind: str, quote: str, regions: Sequence[str] = REGIONS) -> str:
    """The one form of a contact from the quote of its finding, for display and comparison.

    Numbers are as in E.164 ("+8613800138000"), or bare digits at QQ and WeChat; e-mail addresses and names are in lower
    case, without what disguises them; of an address that opens a talk its last part is given, as it is written.
    """
    folded = fold(scalar(quote)).strip()
    mail = _MAIL.search(folded) if kind == "email" else None
    if mail:
        host = written_host(quote, folded, *mail.span(3), surely=True)
        return f"{mail.group(1)}@{host.host if host else mail.group(3)}"
    if "/" in folded and kind != "phone":
        quote = quote.strip().rstrip("/").rpartition("/")[2].rpartition("=")[2].lstrip("@~")
        folded = fold(quote)
        if _LETTER.search(folded):
            return quote.lstrip("+")
    if kind in ("phone", "whatsapp") or not _LETTER.search(folded):
        digits = "".join(c for c in folded if c in _FIGURES or c in "+➕").replace("➕", "+")
        return international(digits, regions if kind in ("phone", "whatsapp") else ()) or folded
    return folded.lstrip("@")

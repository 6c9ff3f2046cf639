"""Links: which hosts a text leads to, and what about a link may mislead.

Links are read from the text itself (with a scheme, with "www.", and bare hosts), in HTML from the attributes that lead
elsewhere and from the visible text, in Markdown from link targets too. Hosts are compared in one form: lower-case
A-labels (RFC 5890 section 2.3.2.1), IPv4 addresses as four decimal numbers whatever their spelling (WHATWG URL
standard, host parsing).

Everything is searched by RE2; nothing here recurses or backtracks.
"""

import html
import ipaddress
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import idna
from publicsuffixlist import PublicSuffixList

from placet.screening.fold import is_word, scalar
from placet.screening.lists import HostList, LexiconError
from placet.screening.patterns import compile_re2

_A: Final = "[0-9A-Za-z０-９Ａ-Ｚａ-ｚ]"
HINT: Final = rf"://|[^\s.]\.[^\s.]|{_A}[。．｡]{_A}"
"""Matches wherever a plain text may hold a link, so that most texts need no closer reading."""

SHORTENERS: Final = frozenset(
    [
        "bit.ly",
        "buff.ly",
        "cutt.ly",
        "dwz.cn",
        "goo.gl",
        "is.gd",
        "lnkd.in",
        "ow.ly",
        "rb.gy",
        "rebrand.ly",
        "shorturl.at",
        "suo.im",
        "t.cn",
        "t.co",
        "tiny.cc",
        "tinyurl.com",
        "u.nu",
        "url.cn",
        "v.gd",
    ]
)
"""Well-known hosts that only forward to another address."""

# Top-level domains that are more often the ending of a file name: a bare "readme.md" or "main.py" is not a link.
_FILE_ENDINGS: Final = frozenset(["md", "mov", "ps", "py", "rs", "sh", "so", "zip"])

_DOTS: Final = "。．｡"
_U: Final = r"[\pL\pN\pM_-]"
_HOST: Final = rf"(?:{_U}*{_A}[{_DOTS}]|{_U}+\.)*{_U}+"
_TAIL: Final = r"(?:[/?#\\][0-9A-Za-z._~:/?#\[\]@!$&'()*+,;=%|\\-]*)?"
_URL: Final = compile_re2(
    rf'(?i:https?|ftps?|wss?)://((?:[^\s/?#\\<>"]{{0,256}}@)?(?:\[[0-9A-Fa-f:.]+\]|{_HOST})(?::\d{{1,5}})?){_TAIL}'
)
_BARE: Final = compile_re2(rf"((?:{_U}*{_A}[{_DOTS}]|{_U}+\.)+{_U}+)((?::\d{{1,5}})?{_TAIL})")
_MARKDOWN: Final = compile_re2(r"\[([^\[\]]*)\]\(\s*<?([^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*)*)>?(?:\s[^)]*)?\)")
_TAG: Final = compile_re2(r"""(?s)<!--.*?(?:-->|\z)|<(/?)([A-Za-z][^\s/>]*)((?:[^>"']|"[^"]*"|'[^']*')*)>?""")
_ATTRIBUTE: Final = compile_re2(r"""([^\s"'>/=]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_TARGET: Final = compile_re2(r"^(?:(?i:https?|ftps?|wss?):[/\\]*|[/\\]{2,})([^/\\?#]*)")
_LEADING: Final = frozenset(
    ["action", "background", "cite", "data", "formaction", "href", "poster", "src", "xlink:href"]
)


class Link(NamedTuple):
    """A link in a text: character offsets, the host in its one form, and whether it names a user before the host."""

    start: int
    end: int
    host: str
    userinfo: bool = False


class LinkFact(NamedTuple):
    """What is reported: "links" with the host, or "links/<property>" with the host that has the property."""

    start: int
    end: int
    list: str
    label: str


# --- hosts -------------------------------------------------------------------------------------------------------


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True, accept_unknown=False)


def registrable(host: str) -> str:
    """The part of a host that someone registered ("a.example.co.uk" -> "example.co.uk"), or the host itself."""
    return _suffixes().privatesuffix(host) or host


def normal_host(raw: str) -> str | None:
    """A host in its one form, or None if it is none: lower-case A-labels, dotted IPv4, or IPv6 in brackets."""
    if raw.startswith("["):
        return _ipv6(raw[1:-1])
    ascii_host = _a_labels(raw.rstrip("." + _DOTS)) if len(raw) <= 253 else None
    if not ascii_host:
        return None
    return _ipv4(ascii_host) if _is_number(ascii_host.rpartition(".")[2]) else ascii_host


def _ipv6(text: str) -> str | None:
    try:
        return f"[{ipaddress.IPv6Address(text).compressed}]"
    except ValueError:
        return None


def _a_labels(host: str) -> str | None:
    try:
        return idna.encode(host, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return _lenient_a_labels(host)


def _lenient_a_labels(host: str) -> str | None:
    """Hosts that resolvers take although IDNA2008 does not: with underscores, emoji, hyphens at an end."""
    plain = unicodedata.normalize("NFKC", host).casefold()
    for dot in _DOTS:
        plain = plain.replace(dot, ".")
    labels = [x if x.isascii() else "xn--" + x.encode("punycode").decode() for x in plain.split(".")]
    fits = all(0 < len(x) <= 63 and x.replace("-", "").replace("_", "").isalnum() for x in labels)
    return ".".join(labels) if fits else None


def _is_number(label: str) -> bool:
    return label.isdigit() or (label.startswith("0x") and _digits(label) is not None)


def _digits(label: str) -> int | None:
    """A number of an IPv4 address: decimal, octal after 0, hexadecimal after 0x (WHATWG URL, IPv4 number parser)."""
    base = 16 if label.startswith("0x") else 8 if label.startswith("0") and len(label) > 1 else 10
    body = label[2:] if base == 16 else label
    try:
        return int(body, base) if body.isalnum() else (0 if base == 16 and not body else None)
    except ValueError:
        return None


def _ipv4(host: str) -> str | None:
    """Four decimal numbers from one to four numbers, of which the last fills what is left."""
    parts = host.split(".")
    numbers = [_digits(part) for part in parts]
    if len(parts) > 4 or any(number is None for number in numbers):
        return None
    *heads, last = [number for number in numbers if number is not None]
    if any(head > 255 for head in heads) or last >= 256 ** (4 - len(heads)):
        return None
    value = last + sum(head << (24 - 8 * i) for i, head in enumerate(heads))
    return str(ipaddress.IPv4Address(value))


def is_ip(host: str) -> bool:
    """Whether a host in its one form is an address."""
    return host.startswith("[") or host.replace(".", "").isdigit()


def _authority(text: str) -> tuple[str | None, bool]:
    """The host of user@host:port, and whether a user stands there."""
    user, at, rest = text.rpartition("@")
    host = (
        rest if rest.endswith("]") else rest.partition(":")[0] if not rest.startswith("[") else rest.rpartition(":")[0]
    )
    return normal_host(host), bool(at and user)


# --- links in plain text -----------------------------------------------------------------------------------------


def _plain(text: str) -> Iterator[Link]:
    """Links with a scheme, then bare hosts in what is left, each from left to right."""
    rest: list[str] = []
    done = 0
    for match in _URL.finditer(text):
        link, end = _with_scheme(text, match)
        if link:
            yield link
        rest += (text[done : match.start()], " " * (end - match.start()))
        done = end
    rest.append(text[done:])
    yield from _bare("".join(rest))


def _with_scheme(text: str, match: Any) -> tuple[Link | None, int]:
    authority = match.group(1)
    first = match.start(1)
    cut = _prose_after(authority)
    if cut < len(authority):  # prose follows without a space: neither port nor path belongs to the link
        authority, end = authority[:cut], first + cut
    else:
        end = _without_punctuation(text, match.end(1), match.end())
    host, userinfo = _authority(authority)
    return (Link(match.start(), end, host, userinfo) if host else None), end


def _prose_after(host: str) -> int:
    """Where prose begins that follows a host without a space, as in "a.com谢谢"; the length when it does not."""
    last = max(host.rfind(dot) for dot in "." + _DOTS)
    tail = host[last + 1 :]
    if last >= 0 and host[last] in _DOTS and not _known(host) and _known(host[:last]):
        return last
    if last < 0 or not tail[:1].isascii():
        return len(host)
    return next((last + 1 + i for i, c in enumerate(tail) if c.isalnum() and not is_word(c)), len(host))


def _known(host: str) -> bool:
    """Whether a host lies under a suffix that is open for registration."""
    normal = normal_host(host)
    return normal is not None and _suffixes().privatesuffix(normal) is not None


def _without_punctuation(text: str, first: int, end: int) -> int:
    """The end of a path without the punctuation of the sentence around it."""
    while end > first and (text[end - 1] in ".,;:!?'" or _unopened(text[first:end])):
        end -= 1
    return end


def _unopened(path: str) -> bool:
    return path.endswith(")") and path.count(")") > path.count("(")


def _bare(text: str) -> Iterator[Link]:
    for match in _BARE.finditer(text):
        raw, tail = match.group(1), match.group(2)
        first = match.start() + _prose_before(raw)
        cut = _prose_after(raw)
        if cut < len(raw):
            tail = ""
        end = _without_punctuation(text, match.start() + cut, match.start() + cut + len(tail))
        around = text[max(0, first - 2) : first], text[end : end + 1]
        host = _bare_host(text[first : match.start() + cut], tail, around)
        if host:
            yield Link(first, end, host)


def _prose_before(host: str) -> int:
    """Where the host begins when prose in a script without spaces stands right before it: "访问a.com"."""
    label = host[: min(i for i in (host.find(dot) for dot in "." + _DOTS) if i >= 0)]
    unspaced = [i for i, c in enumerate(label) if c.isalnum() and not is_word(c)]
    return unspaced[-1] + 1 if unspaced and unspaced[-1] + 1 < len(label) else 0


def _bare_host(raw: str, tail: str, around: tuple[str, str]) -> str | None:
    """The host if `raw` reads as one without a scheme: not an e-mail, file, path, version number or new sentence."""
    before, after = around
    inside_path = before[-1:] in ("/", "\\") and before not in ("//", "\\\\")
    if inside_path or before[-1:] == "@" or after == "@":
        return None
    host = normal_host(raw)
    if host is None:
        return None
    if is_ip(host):
        return host if tail and raw.count(".") == 3 else None
    last = raw[max(raw.rfind(dot) for dot in "." + _DOTS) + 1 :]
    named = host.startswith("www.") or tail
    if not named and (last.lower() in _FILE_ENDINGS or _new_sentence(raw, last)):
        return None
    return host if _suffixes().privatesuffix(host) else None


def _new_sentence(raw: str, last: str) -> bool:
    """Whether a sentence seems to begin after the dot, with a capital after a small letter: "It was done.In fact"."""
    return last[:1].isupper() and not raw[: -len(last) - 1].isupper()


# --- links in markup ---------------------------------------------------------------------------------------------


def target_host(value: str) -> tuple[str | None, bool]:
    """The host that a browser would go to for an attribute or a Markdown target, and whether a user is named.

    None for relative addresses and schemes without a host. Spelling is read as browsers read it (WHATWG URL standard):
    tabs and line ends vanish, any number of slashes or backslashes will do.
    """
    cleaned = "".join(c for c in value if c not in "\t\n\r").strip("".join(map(chr, range(0x21))))
    match = _TARGET.search(cleaned)
    return _authority(match.group(1)) if match else (None, False)


class _Anchor(NamedTuple):
    """What a reader can press: where its text stands, and the host that it leads to."""

    start: int
    end: int
    host: str


def _html(text: str) -> tuple[list[Link], str, list[_Anchor]]:
    """Links from attributes; the text with each tag blanked out, as long as before; and the anchors."""
    links: list[Link] = []
    anchors: list[_Anchor] = []
    visible: list[str] = []
    opened: tuple[int, str] | None = None
    done = 0
    for tag in _TAG.finditer(text):
        visible += (text[done : tag.start()], " " * (tag.end() - tag.start()))
        done = tag.end()
        name = (tag.group(2) or "").lower()
        if name == "a" and opened:
            anchors.append(_Anchor(opened[0], tag.start(), opened[1]))
            opened = None
        for attribute, link in _attributes(tag):
            links.append(link)
            if name == "a" and attribute == "href":
                opened = (tag.end(), link.host)
    if opened:
        anchors.append(_Anchor(opened[0], len(text), opened[1]))
    visible.append(text[done:])
    return links, "".join(visible), anchors


def _attributes(tag: Any) -> Iterator[tuple[str, Link]]:
    if tag.group(1) != "" or not tag.group(3):  # a comment, a closing tag, or nothing to read
        return
    for match in _ATTRIBUTE.finditer(tag.group(3)):
        name = match.group(1).lower()
        if name in _LEADING:
            which = next(i for i in (2, 3, 4) if match.group(i) is not None)
            host, userinfo = target_host(html.unescape(match.group(which)))
            if host:
                yield name, Link(tag.start(3) + match.start(which), tag.start(3) + match.end(which), host, userinfo)


def _markdown(text: str) -> list[_Anchor]:
    found = ((match, target_host(match.group(2))[0]) for match in _MARKDOWN.finditer(text))
    return [_Anchor(match.start(1), match.end(1), host) for match, host in found if host]


def _mismatches(links: Sequence[Link], anchors: Iterable[_Anchor]) -> Iterator[LinkFact]:
    """Anchors whose text shows one site and which lead to another."""
    at = 0
    for anchor in anchors:
        while at < len(links) and links[at].start < anchor.start:
            at += 1
        shown = links[at] if at < len(links) and links[at].end <= anchor.end else None
        if shown and registrable(shown.host) != registrable(anchor.host):
            yield LinkFact(shown.start, shown.end, "links/mismatch", anchor.host)


# --- the whole ---------------------------------------------------------------------------------------------------


class Links:
    """Finds links and compares their hosts with the lists. Immutable once built."""

    def __init__(self, host_lists: Sequence[HostList], max_links: int) -> None:
        self._max_links = max_links
        self._listed: dict[str, list[str]] = {}
        for source in host_lists:
            for raw in source.hosts:
                host = normal_host(raw)
                if host is None:
                    raise LexiconError(f"host list {source.name!r}", f"{raw!r} is not a host; write example.com")
                self._listed.setdefault(host, []).append(source.name)

    def find(self, text: str, form: str) -> tuple[list[LinkFact], bool]:
        """What is to be said of the links in a text, and whether there were more than the limit.

        `form` is "text", "html" or "markdown".
        """
        safe = scalar(text)
        links: list[Link] = []
        anchors: list[_Anchor] = []
        visible = safe
        if form == "html":
            links, visible, anchors = _html(safe)
        elif form == "markdown":
            anchors = _markdown(safe)
        plain = sorted(_plain(visible))
        found = sorted({*links, *plain})
        facts = [fact for link in found[: self._max_links] for fact in self._facts(link)]
        facts += _mismatches(plain, anchors)
        return facts, len(found) > self._max_links

    def _facts(self, link: Link) -> Iterator[LinkFact]:
        start, end, host, userinfo = link
        yield LinkFact(start, end, "links", host)
        properties = {
            "ip-host": is_ip(host),
            "punycode": any(label.startswith("xn--") for label in host.split(".")),
            "userinfo": userinfo,
            "shortener": registrable(host) in SHORTENERS or host in SHORTENERS,
        }
        yield from (LinkFact(start, end, f"links/{name}", host) for name, holds in properties.items() if holds)
        labels = host.split(".")
        for i in range(len(labels)):
            suffix = ".".join(labels[i:])
            yield from (LinkFact(start, end, name, suffix) for name in self._listed.get(suffix, ()))

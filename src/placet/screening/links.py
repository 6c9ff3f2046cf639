"""Links: which hosts a text leads to, and what about a link may mislead.

Links are read from what a reader sees (with a scheme, with "www.", bare hosts, and hosts written so that no program
takes them for one), and from the addresses that the markup of a text holds. Hosts are compared in one form, see
hosts.py. Everything is searched by RE2; nothing here recurses or backtracks.
"""

import string
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from placet.screening.fold import fold, is_word, scalar
from placet.screening.hints import HAN, UNNAMED
from placet.screening.hosts import (
    DOTS,
    is_confusable,
    is_international,
    is_ip,
    is_registered,
    load_suffixes,
    normal_host,
    public_suffix,
    registrable,
)
from placet.screening.lists import HostList, LexiconError
from placet.screening.page import Anchor, Reading
from placet.screening.patterns import compile_re2

GUESS: Final = 70
"""The score of what is said of a host that is written in disguise."""

_A: Final = "[0-9A-Za-z０-９Ａ-Ｚａ-ｚ]"
_ROUND: Final = "·•●⚫・"
_BRACKETED: Final = r"[\[({<【〔「]\s?(?:[.点。]|dot)\s?[\])}>】〕」]"
_DISGUISE: Final = (
    rf"{_BRACKETED}\s?[0-9a-z]|[0-9a-z]\s?点\s?[0-9a-z]|[0-9a-z][{_ROUND}][0-9a-z]|[0-9a-z]\s\.\s[0-9a-z]"
    r"|(?:[*x]p|xx)s?://"
)
_TOP_IN_HAN: Final = 5
"""Ideographs of the longest domain of the highest level that is written in them: after that many it is prose."""
_FULL_STOP: Final = rf"[0-9a-z]。(?:[^{HAN}\s.]|[{HAN}]{{1,{_TOP_IN_HAN}}}[^{UNNAMED}])"
HINT: Final = rf"://|[^\s.]\.[^\s.]|{_FULL_STOP}|{_DISGUISE}"
"""Matches wherever the folded reading of a plain text may hold a link, so that most need no closer look (hints.py)."""

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

_U: Final = r"[\pL\pN\pM_-]"
_HOST: Final = rf"(?:{_U}*{_A}[{DOTS}]|{_U}+\.)*{_U}+"
_TAIL: Final = r"(?:[/?#\\][0-9A-Za-z._~:/?#\[\]@!$&'()*+,;=%|\\-]*)?"
_URL: Final = compile_re2(
    rf'(?i:https?|ftps?|wss?)://((?:[^\s/?#\\<>"]{{0,256}}@)?(?:\[[0-9A-Fa-f:.]+\]|{_HOST})(?::\d{{1,5}})?){_TAIL}'
)
_BARE: Final = compile_re2(rf"((?:{_U}*{_A}[{DOTS}]|{_U}+\.)+{_U}+)((?::\d{{1,5}})?{_TAIL})")
_TARGET: Final = compile_re2(r"^(?:(?i:https?|ftps?|wss?):[/\\]*|[/\\]{2,})([^/\\?#]*)([^?#]*)")


class Link(NamedTuple):
    """A link: character offsets, the host in its one form, whether it names a user before the host, and its path."""

    start: int
    end: int
    host: str
    userinfo: bool = False
    path: str = ""


class LinkFact(NamedTuple):
    """What is reported: "links" with the host, or "links/<property>" with the host that has the property."""

    start: int
    end: int
    list: str
    label: str
    score: int = 100


# --- links in plain text -----------------------------------------------------------------------------------------


def _authority(text: str) -> tuple[str | None, bool]:
    """The host of user@host:port, and whether a user stands there."""
    user, at, rest = text.rpartition("@")
    host = (
        rest if rest.endswith("]") else rest.partition(":")[0] if not rest.startswith("[") else rest.rpartition(":")[0]
    )
    return normal_host(host), bool(at and user)


def _plain(text: str, most: int) -> list[Link]:
    """So many links at most, from left to right: with a scheme, and bare hosts in what is left."""
    schemed: list[Link] = []
    rest: list[str] = []
    done = 0
    for match in _URL.finditer(text):
        link, end = _with_scheme(text, match)
        rest += (text[done : match.start()], " " * (end - match.start()))
        done = end
        schemed += [link] if link else []
        if len(schemed) == most:
            break  # what is bare further on is none of the first
    else:
        rest.append(text[done:])
    return sorted([*schemed, *islice(_bare("".join(rest)), most)])[:most]


def _with_scheme(text: str, match: Any) -> tuple[Link | None, int]:
    authority = match.group(1)
    first = match.start(1)
    cut = _prose_after(authority)
    if cut < len(authority):  # prose follows without a space: neither port nor path belongs to the link
        authority, end = authority[:cut], first + cut
    else:
        end = _without_punctuation(text, match.end(1), match.end())
    host, userinfo = _authority(authority)
    return (Link(match.start(), end, host, userinfo, text[first + len(authority) : end]) if host else None), end


def _prose_after(host: str) -> int:
    """Where prose begins that follows a host without a space, as in "a.com谢谢"; the length when it does not."""
    last = max(host.rfind(dot) for dot in "." + DOTS)
    tail = host[last + 1 :]
    if last >= 0 and host[last] in DOTS and _known(host[:last]) and not _known(host):
        return last
    if last < 0 or not tail[:1].isascii():
        return len(host)
    return next((last + 1 + i for i, c in enumerate(tail) if c.isalnum() and not is_word(c)), len(host))


def _known(host: str) -> bool:
    """Whether a host lies under a suffix that is open for registration."""
    normal = normal_host(host)
    return normal is not None and is_registered(normal)


def _without_punctuation(text: str, first: int, end: int) -> int:
    """The end of a path without the punctuation of the sentence around it."""
    unopened = text.count(")", first, end) - text.count("(", first, end)
    while end > first:
        if text[end - 1] == ")" and unopened > 0:
            unopened -= 1
        elif text[end - 1] not in ".,;:!?'":
            break
        end -= 1
    return end


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
            yield Link(first, end, host, path=text[match.start() + cut : end])


def _prose_before(host: str) -> int:
    """Where the host begins when prose in a script without spaces stands right before it: "访问a.com"."""
    label = host[: min(i for i in (host.find(dot) for dot in "." + DOTS) if i >= 0)]
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
    last = raw[max(raw.rfind(dot) for dot in "." + DOTS) + 1 :]
    named = host.startswith("www.") or tail
    if not named and (last.lower() in _FILE_ENDINGS or _new_sentence(raw, last)):
        return None
    return host if is_registered(host) else None


def _new_sentence(raw: str, last: str) -> bool:
    """Whether a sentence seems to begin after the dot, with a capital after a small letter: "It was done.In fact"."""
    return last[:1].isupper() and not raw[: -len(last) - 1].isupper()


# --- hosts in disguise -------------------------------------------------------------------------------------------

# On the folded reading, where 點 is 点, ｘ is x, and so on.
DOT: Final = rf"\s?{_BRACKETED}\s?|\s?点\s?|\s\.\s|[.{DOTS}{_ROUND}]"
_OPENING: Final = "[({<【〔「"
_PLAIN_DOTS: Final = frozenset("." + DOTS)
_LONGEST_AT: Final = 6
_AT: Final = ("@", "at)", "at]", "at}", "@)", "@]", "@}", "特", "特)", "特]")  # what follows belongs to an address
_DOTS_ALIKE: Final = frozenset("․﹒")  # folded, they are full stops
_DOTTED: Final = compile_re2(DOT)
_DISGUISED: Final = compile_re2(
    rf"((?:hxxps?|h\*\*ps?|hxxxs?)://)?([a-z0-9][a-z0-9-]*(?:(?:{DOT})[a-z0-9][a-z0-9-]*)+)"
    r"((?::\d{1,5})?(?:/[0-9a-z._~:/?#@!$&'()*+,;=%-]*)?)"
)
_MAY_BE_DISGUISED: Final = compile_re2(_DISGUISE)
_IN_THE_OPEN: Final = compile_re2(rf"^(?:{_A}|[.{DOTS}-])+$")
_MOST_LABELS: Final = 8

# Suffixes that hosts in disguise have. Those that are words as well count only where the dot is spelled out.
_NO_WORDS: Final = frozenset(["cn", "com", "com.cn", "com.hk", "com.tw", "net", "net.cn", "org", "org.cn", "xyz"])
_USUAL: Final = _NO_WORDS | {"cc", "club", "hk", "info", "io", "me", "top", "tv", "tw", "vip"}
_HOURS: Final = 24
_AFTER_FIGURES: Final = frozenset(["cn", "com", "net"])


class Written(NamedTuple):
    """A host as somebody wrote it: its one form, where it ends, and whether a dot of it is disguised."""

    host: str
    end: int
    bent: bool


def _in_disguise(text: str) -> Iterator[Link]:
    """Hosts that a reader is meant to put together: "example[.]com", "example 点 com", "hxxp://example.com"."""
    folded = fold(text)
    if _DOTS_ALIKE.isdisjoint(text) and not _MAY_BE_DISGUISED.search(folded):
        return
    for match in _DISGUISED.finditer(folded):
        schemed = bool(match.group(1))
        first, last = match.span(2)
        if not schemed and _IN_THE_OPEN.match(text[first:last]):
            continue
        found = written_host(text, folded, first, last, surely=schemed, registered=not schemed)
        before = folded[max(0, match.start() - _LONGEST_AT) : match.start()].rstrip()
        if found and (found.bent or schemed) and not before.endswith(_AT):
            end = _without_punctuation(text, last, match.end()) if found.end == last else found.end
            yield Link(match.start(), end, found.host, path=text[found.end : end])


def written_host(
    text: str, folded: str, first: int, last: int, *, surely: bool, registered: bool = True
) -> Written | None:
    """The longest beginning of text[first:last], labels with dots of any spelling between them, that is a host.

    `surely` says that a host is meant, however its dots are spelled; `registered`, that it must have a public suffix.
    """
    dots = [(first + dot.start(), first + dot.end()) for dot in _DOTTED.finditer(folded[first:last])]
    starts, ends = [first, *(end for _, end in dots)], [*(start for start, _ in dots), last]
    for count in range(min(len(starts), _MOST_LABELS), 1, -1):
        written = ".".join(folded[start:end] for start, end in zip(starts[:count], ends, strict=False))
        bent = [folded[start:end] for start, end in dots[: count - 1] if text[start:end] not in _PLAIN_DOTS]
        host = normal_host(written)
        if host and (is_registered(host) or not registered) and (surely or _is_likely(host, bent)):
            return Written(host, ends[count - 1], bool(bent))
    return None


def _is_likely(host: str, bent: Sequence[str]) -> bool:
    """Whether disguised dots before such a suffix mean a host, and not a clause, an hour or a name."""
    ending, name = public_suffix(host), registrable(host).partition(".")[0]
    if ending in _FILE_ENDINGS or (name.isdigit() and int(name[:3]) <= _HOURS):
        return False
    spelled = _AFTER_FIGURES if name.isdigit() else _USUAL
    return all(dot.strip()[0] in _OPENING or ending in (spelled if "点" in dot else _NO_WORDS) for dot in bent)


# --- addresses in markup -----------------------------------------------------------------------------------------


def _to(start: int, end: int, address: str) -> Link | None:
    """The link that an address makes for a browser, or None for relative ones and schemes without a host.

    Spelling is read as browsers read it (WHATWG URL standard): tabs and line ends vanish, any number of slashes or
    backslashes will do.
    """
    cleaned = "".join(c for c in address if c not in "\t\n\r").strip("".join(map(chr, range(0x21))))
    match = _TARGET.search(scalar(cleaned))
    host, userinfo = _authority(match.group(1)) if match else (None, False)
    return Link(start, end, host, userinfo, match.group(2)) if match and host else None


def target_host(address: str) -> tuple[str | None, bool]:
    """The host that a browser would go to for an address in markup, and whether a user is named before it."""
    link = _to(0, 0, address)
    return (link.host, link.userinfo) if link else (None, False)


def _mismatches(links: Sequence[Link], anchors: Sequence[Anchor]) -> Iterator[LinkFact]:
    """Anchors whose text shows one site and which lead to another."""
    at = 0
    hosts: dict[str, str | None] = {}  # many anchors may share one address, and that may be long
    for anchor in sorted(anchors):
        while at < len(links) and links[at].start < anchor.start:
            at += 1
        shown = links[at] if at < len(links) and links[at].end <= anchor.end else None
        if shown and anchor.address not in hosts:
            hosts[anchor.address] = target_host(anchor.address)[0]
        host = hosts.get(anchor.address)
        if shown and host and registrable(shown.host) != registrable(host):
            yield LinkFact(shown.start, shown.end, "links/mismatch", host)


# --- the whole ---------------------------------------------------------------------------------------------------


class _Listed(NamedTuple):
    """An entry of a host list: the path that a link must begin with, and how the entry is reported."""

    path: tuple[str, ...]
    source: str
    label: str


class Links:
    """Finds links and compares them with the lists. Immutable once built."""

    def __init__(self, host_lists: Sequence[HostList], max_links: int) -> None:
        load_suffixes()
        self._max_links = max_links
        self._listed: dict[str, list[_Listed]] = {}
        for source in host_lists:
            for raw in source.hosts:
                written, slash, path = raw.partition("/")
                host, steps = normal_host(written), _steps(slash + path)
                if host is None or (slash and not steps):
                    where = f"host list {source.name!r}"
                    raise LexiconError(where, f"{raw!r} is no host with or without a path; write example.com/shop")
                label = "/".join((host, *steps))
                self._listed.setdefault(host, []).append(_Listed(steps, source.name, label))

    def find(self, text: str, reading: Reading | None = None) -> tuple[list[LinkFact], bool]:
        """What is to be said of the links in a text, and whether there were more than the limit.

        `reading` is what is read of a text in markup (markup.visible); None for a text that is read as it stands.
        Spans are those of the text.
        """
        most = self._max_links
        safe = scalar(reading.text[: reading.pressed] if reading else text)
        plain, guesses = _plain(safe, most + 1), list(islice(_in_disguise(safe), most + 1))
        found, mismatches = plain, list(_mismatches(plain, reading.anchors)) if reading else []
        if reading:
            targets = islice((link for target in reading.targets if (link := _to(*target))), most + 1)
            found = sorted({*targets, *(_carried(link, reading) for link in plain)})
            guesses = [_carried(link, reading) for link in guesses]
            mismatches = [_carried(fact, reading) for fact in mismatches]
        facts = [fact for link in found[:most] for fact in self._facts(link)]
        facts += mismatches
        for link in guesses[:most]:
            facts.append(LinkFact(link.start, link.end, "links/disguised", link.host, GUESS))
            facts += (fact._replace(score=GUESS) for fact in self._remarks(link))
        return facts, max(map(len, (found, plain, guesses))) > most

    def _facts(self, link: Link) -> Iterator[LinkFact]:
        yield LinkFact(link.start, link.end, "links", link.host)
        yield from self._remarks(link)

    def _remarks(self, link: Link) -> Iterator[LinkFact]:
        start, end, host, userinfo, path = link
        properties = {
            "ip-host": is_ip(host),
            "punycode": is_international(host),
            "confusable": is_confusable(host),
            "userinfo": userinfo,
            "shortener": registrable(host) in SHORTENERS or host in SHORTENERS,
        }
        yield from (LinkFact(start, end, f"links/{name}", host) for name, holds in properties.items() if holds)
        labels = host.split(".")
        listed = [entry for i in range(len(labels)) for entry in self._listed.get(".".join(labels[i:]), ())]
        steps = _steps(path) if any(entry.path for entry in listed) else ()
        for entry in listed:
            if steps[: len(entry.path)] == entry.path:
                yield LinkFact(start, end, entry.source, entry.label)


_Spanned = TypeVar("_Spanned", Link, LinkFact)


def _carried(one: _Spanned, reading: Reading) -> _Spanned:
    """The same with the offsets of the source."""
    start, end = reading.span(one.start, one.end)
    return one._replace(start=start, end=end)


def _steps(path: str) -> tuple[str, ...]:
    """A path from step to step, as far as it matters where it leads: "//a/./%62/../C?d" -> ("a", "c")."""
    steps: list[str] = []
    for raw in path.partition("?")[0].partition("#")[0].replace("\\", "/").split("/")[1:]:
        step = _decoded(raw).casefold()
        if step == "..":
            del steps[-1:]
        elif step not in ("", "."):
            steps.append(step)
    return tuple(steps)


def _decoded(text: str) -> str:
    """A part of a path with its %XX resolved."""
    head, *rest = text.split("%")
    data = bytearray(head.encode())
    for part in rest:
        code = part[:2]
        if len(code) == 2 and all(c in string.hexdigits for c in code):
            data += bytes.fromhex(code) + part[2:].encode()
        else:
            data += b"%" + part.encode()
    return data.decode(errors="replace")

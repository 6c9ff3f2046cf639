"""Hosts in one form, what is registered of a host, and what a host is easily taken for.

The one form is lower-case A-labels (RFC 5890 section 2.3.2.1), and four decimal numbers for an IPv4 address whatever
its spelling (WHATWG URL standard, host parsing).
"""

import ipaddress
import unicodedata
from functools import cache
from typing import Any, Final

import idna
from publicsuffixlist import PublicSuffixList

from placet.screening.fold import scalar, steps
from placet.screening.patterns import compile_re2

DOTS: Final = "。．｡"
"""Full stops that part labels as "." does (UTS 46, section 2.3)."""

# UTS 39, section 5.2, "Highly Restrictive": scripts that are written together; the recommended ones of UAX 31, table 5.
_TOGETHER: Final = (
    frozenset({"Latin", "Han", "Hiragana", "Katakana"}),
    frozenset({"Latin", "Han", "Bopomofo"}),
    frozenset({"Latin", "Han", "Hangul"}),
)
_SCRIPTS: Final = (
    *("Arabic", "Armenian", "Bengali", "Bopomofo", "Cyrillic", "Devanagari", "Ethiopic", "Georgian", "Greek"),
    *("Gujarati", "Gurmukhi", "Han", "Hangul", "Hebrew", "Hiragana", "Kannada", "Katakana", "Khmer", "Lao", "Latin"),
    *("Malayalam", "Myanmar", "Oriya", "Sinhala", "Tamil", "Telugu", "Thaana", "Thai", "Tibetan"),
)
_DOTLESS: Final = "ı"  # looks like an i, and is a letter of Turkish and Azerbaijani like any other


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True, accept_unknown=False)


def load_suffixes() -> None:
    """Read the list of public suffixes, and what international names need, so that nothing is read while screening."""
    _suffixes()
    steps()
    normal_host("例.com")


def registrable(host: str) -> str:
    """The part of a host that someone registered ("a.example.co.uk" -> "example.co.uk"), or the host itself."""
    return _suffixes().privatesuffix(host) or host


def is_registered(host: str) -> bool:
    """Whether a host in its one form lies under a suffix that is open for registration."""
    return _suffixes().privatesuffix(host) is not None


def public_suffix(host: str) -> str:
    """The public suffix of a host ("a.example.co.uk" -> "co.uk"), or ""."""
    return _suffixes().publicsuffix(host) or ""


def normal_host(raw: str) -> str | None:
    """A host in its one form, or None if it is none: lower-case A-labels, dotted IPv4, or IPv6 in brackets."""
    if raw.startswith("["):
        return _ipv6(raw[1:-1])
    ascii_host = _a_labels(raw.rstrip("." + DOTS)) if len(raw) <= 253 else None
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
    for dot in DOTS:
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


# --- international names -----------------------------------------------------------------------------------------


def is_international(host: str) -> bool:
    """Whether a host in its one form has a label that is shown in other letters than it is written in."""
    return any(label.startswith("xn--") for label in host.split("."))


def is_confusable(host: str) -> bool:
    """Whether a label of a host in its one form may be taken for another.

    Either it mixes scripts that are not written together (UTS 39, section 5.2, "Highly Restrictive"), or under a
    suffix in ASCII each of its letters is, or looks like, one in ASCII (UTS 39, section 4, confusables).
    """
    shown = [_u_label(label) for label in host.split(".")]
    under_ascii = shown[-1].isascii()
    return any(_mixes_scripts(label) or (under_ascii and _reads_as_ascii(label)) for label in shown)


def _u_label(label: str) -> str:
    """A label as it is shown; the label itself where it cannot be."""
    try:
        return scalar(label[4:].encode().decode("punycode")) if label.startswith("xn--") else label
    except UnicodeError:
        return label


def _reads_as_ascii(label: str) -> bool:
    shapes = steps().shapes
    drawn = {char for char in label if not char.isascii()}
    alike = all(shapes.get(ord(char), 0x80) < 0x80 and char.isalpha() for char in drawn)
    return alike and not drawn <= {_DOTLESS}


@cache
def _scripts() -> dict[str, Any]:
    return {name: compile_re2(rf"\p{{{name}}}") for name in _SCRIPTS}


def _mixes_scripts(label: str) -> bool:
    if label.isascii():
        return False
    found = {name for name, regex in _scripts().items() if regex.search(label)}
    return len(found) > 1 and not any(found <= together for together in _TOGETHER)

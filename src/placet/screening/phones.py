"""Telephone numbers in a text.

Whether digits are a number at all is asked of phonenumbers (Apache-2.0, a port of Google's libphonenumber), which sees
nothing but digits, fifteen at most. Whether they are meant as one shows in how they are written: with a country code,
as a mobile number of mainland China, grouped as their region groups them, or after a word that announces a number.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from phonenumbers import (
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneMetadata,
    PhoneNumber,
    PhoneNumberFormat,
    format_number,
    is_valid_number,
    parse,
)

from placet.screening.patterns import compile_re2

REGIONS: Final = ("CN", "HK", "TW", "US")
"""Where a number without a country code may be from, when nothing else is said (ISO 3166)."""

FIGURES: Final = "零〇一二三四五六七八九壹贰叁肆伍陆柒捌玖幺"
"""Chinese digits on the folded reading."""
_DIGITS: Final = frozenset("0123456789" + FIGURES)
_AS_DIGITS: Final = str.maketrans(FIGURES, "001234567891234567891")

_SHORTEST: Final = 7
_LONGEST: Final = 15  # ITU-T E.164, section 6.2.1
_WINDOW: Final = 16

STRETCH: Final = compile_re2(rf"[0-9{FIGURES}](?:[^\pL\pN\n]{{0,3}}[0-9{FIGURES}]){{{_SHORTEST - 1},}}")
_ANNOUNCED: Final = compile_re2(
    r"(?:电话|手机|号码|热线|致电|拨打|来电|打给|联系|短信|☎|☏|📞|📱"
    r"|\b(?:tel|telephone|phone|mobile|cell|call|text|fax|whatsapp|hotline|dial|ring|sms))[^\pN\n]{0,8}$"
)
_NAMED_OTHERWISE: Final = compile_re2(
    r"(?:单号?|编号|流水号?|[账帐卡学工案批货型]号|身份证号?|序列号?|条码|邮编|版本|坐标|[经纬]度|#"
    r"|\b(?:isbn|issn|order|invoice|serial|tracking|sku|ref|reference|id|no|ean|upc|version|build|v))[^\pL\pN\n]{0,4}$"
    r"|[$¥€£₩]\s?$|\pN[+.:-]$|[a-z=_]$"
)
MEASURED: Final = compile_re2(
    r"^\s?(?:[元块圆万亿个次人年月日件条份倍步%°米]|美元|美金|(?:usd|rmb|cny|hkd|km|kg|m|g)\b)|^[.:-][0-9]|^[a-z_=]"
)
_AFTER_OTHERS: Final = frozenset("+.:-#$¥€£₩")
_APART: Final = frozenset(",;:、/|\\+=<>*~")  # between two numbers, not within one
_MOST_GROUPS: Final = 5
_PLAIN: Final = frozenset(" -.()–—‐‑")
_MOBILE: Final = compile_re2(r"^(?:(?:00)?86)?(1[3-9][0-9]{9})$")
_MOBILE_GROUPS: Final = frozenset([(11,), (3, 4, 4), (3, 8), (3, 3, 5), (7, 4), (1,) * 11])


class Phone(NamedTuple):
    """A telephone number: character offsets, and whether it is written in the open."""

    start: int
    end: int
    plain: bool


class _Candidate(NamedTuple):
    """Digits that may be one number: their place in the text, and how long the groups are in which they stand."""

    start: int
    end: int
    digits: str
    groups: tuple[int, ...]


class _Context(NamedTuple):
    """What stands before a candidate."""

    plus: int
    """How many characters a "+" with or without a parenthesis takes up."""
    announced: bool
    named_otherwise: bool


def load_regions(regions: Sequence[str]) -> None:
    """Check the names of regions and read all that phonenumbers knows, so that nothing is read while screening.

    Raises ValueError for a name that is none.
    """
    unknown = sorted(set(regions) - SUPPORTED_REGIONS)
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no region that has telephone numbers; write ISO 3166 codes such as 'CN'")
    PhoneMetadata.load_all()


def find_phones(text: str, folded: str, regions: Collection[str]) -> Iterator[Phone]:
    """The numbers in a text from left to right. `folded` is fold(text)."""
    for stretch in STRETCH.finditer(folded):
        runs = _runs(folded, stretch.start(), stretch.end())
        at = 0
        while at < len(runs):
            context = _context(folded, runs[at][0], first=at == 0)
            found = next((c for c in _joined(folded, runs, at) if _is_meant(text, folded, c, context, regions)), None)
            if found:
                start = found.start - (context.plus or _opened(folded, found))
                yield Phone(start, found.end, _is_plain(text, folded, found))
            at += len(found.groups) if found else 1


def international(digits: str, regions: Sequence[str]) -> str:
    """A number in its one form ("+8613800138000"), from its digits with or without a "+"; its digits if it is none."""
    digits = digits.translate(_AS_DIGITS)
    tried = [None] if digits.startswith("+") else regions
    numbers = [number for region in tried if (number := _parsed(digits, region))]
    numbers.sort(key=lambda number: "".join(_groups(number)) != digits)  # written with all that belongs to it
    return format_number(numbers[0], PhoneNumberFormat.E164) if numbers else digits


def _runs(folded: str, start: int, end: int) -> list[tuple[int, int]]:
    """The runs of digits in a stretch."""
    runs = []
    while start < end:
        stop = start
        while stop < end and folded[stop] in _DIGITS:
            stop += 1
        if stop > start:
            runs.append((start, stop))
        start = stop + 1
    return runs


def _joined(folded: str, runs: Sequence[tuple[int, int]], at: int) -> Iterator[_Candidate]:
    """What the runs from one on may be together, the longest first."""
    lengths: list[int] = []
    total = 0
    for i in range(at, len(runs)):
        start, end = runs[i]
        total += end - start
        if total > _LONGEST or (lengths and not _APART.isdisjoint(folded[runs[i - 1][1] : start])):
            break
        lengths.append(end - start)
    first, last = runs[at][0], runs[at + len(lengths) - 1][1] if lengths else 0
    digits = "".join(c for c in folded[first:last] if c in _DIGITS).translate(_AS_DIGITS)
    ends = list(accumulate(lengths))
    for count in range(len(lengths), 0, -1):
        groups = tuple(lengths[:count])
        if ends[count - 1] >= _SHORTEST and (count <= _MOST_GROUPS or groups in _MOBILE_GROUPS):
            yield _Candidate(first, runs[at + count - 1][1], digits[: ends[count - 1]], groups)


def _context(folded: str, start: int, *, first: bool) -> _Context:
    """What stands before digits. Only the first of a stretch can have words right before it."""
    opened = start - folded.startswith("(", start - 1) if start else start
    plus = opened > 0 and folded[opened - 1] in "+➕" and not folded[max(0, opened - 2) : opened - 1].isalnum()
    taken = start - opened + 1 if plus else 0
    if not first:
        return _Context(taken, announced=False, named_otherwise=folded[start - 1] in _AFTER_OTHERS)
    before = folded[max(0, start - _WINDOW) : start]
    announced = _ANNOUNCED.search(before) is not None
    return _Context(taken, announced, _NAMED_OTHERWISE.search(before) is not None)


def _opened(folded: str, one: _Candidate) -> bool:
    """Whether a parenthesis opens right before the digits that closes among them, as in "(202) 555-0123"."""
    return folded.startswith("(", one.start - 1) and ")" in folded[one.start : one.end]


def _is_meant(text: str, folded: str, one: _Candidate, context: _Context, regions: Collection[str]) -> bool:
    """Whether a candidate is a telephone number, and meant as one."""
    if context.plus:
        return _parsed("+" + one.digits, None) is not None
    if context.named_otherwise and not context.announced:
        return False
    mobile = _MOBILE.match(one.digits) if "CN" in regions else None
    if mobile and (context.announced or _without(len(one.digits) - 11, one.groups) in _MOBILE_GROUPS):
        meant = _parsed(mobile.group(1), "CN") is not None
    elif context.announced:
        abroad = one.digits.startswith("00") and _parsed("+" + one.digits[2:], None)
        meant = bool(abroad) or any(_parsed(one.digits, region) for region in regions)
    else:
        meant = _may_be_grouped(one) and _is_plain(text, folded, one)
        meant = meant and any(_as_grouped(one, region) for region in regions)
    return meant and not MEASURED.search(folded[one.end : one.end + 4])


def _without(prefix: int, groups: tuple[int, ...]) -> tuple[int, ...]:
    """The groups without the country code before them."""
    first, *rest = groups
    return tuple(rest) if first == prefix else (first - prefix, *rest)


def _parsed(digits: str, region: str | None) -> PhoneNumber | None:
    try:
        number = parse(digits, region)
    except NumberParseException:
        return None
    return number if is_valid_number(number) else None


def _may_be_grouped(one: _Candidate) -> bool:
    """Whether the groups could be those of a telephone number of ten digits or so: asked first, since it is cheap."""
    area = one.digits.startswith("0")
    return len(one.groups) > 1 and one.groups[0] <= 4 and 9 <= len(one.digits) <= 12 and (area or one.groups[-1] >= 3)


def _as_grouped(one: _Candidate, region: str) -> bool:
    """Whether the digits stand in the groups in which a number of that region is written, or as area code and rest."""
    number = _parsed(one.digits, region)
    if not number:
        return False
    usual, cuts = list(accumulate(map(len, _groups(number)))), list(accumulate(one.groups))
    return usual == cuts or (one.digits.startswith("0") and len(cuts) == 2 and cuts == [usual[0], usual[-1]])


def _groups(number: PhoneNumber) -> list[str]:
    """The groups of digits in which a number is written in its region."""
    return "".join(c if c.isdigit() else " " for c in format_number(number, PhoneNumberFormat.NATIONAL)).split()


def _is_plain(text: str, folded: str, one: _Candidate) -> bool:
    """Whether the digits are digits, and what stands between them is usual there."""
    if one.groups == (1,) * len(one.groups):
        return False
    return all(text[i].isdecimal() or folded[i] in _PLAIN for i in range(one.start, one.end))

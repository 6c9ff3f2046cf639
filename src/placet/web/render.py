"""From a page's context to HTML: templates, message tables, and the filters that show times and numbers.

A page's template is named after its class in snake case without "Page": `QueuePage` is shown by templates/queue.html,
which reads `page` (the context), `t` (messages) and the filters below, and nothing else. Templates escape every value;
a message is plain text as well, so that no text of ours or of an author can become markup.

The tables locale/*.toml must agree, or the first look-up fails: the same keys and placeholders in every language.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from importlib.resources import files
from types import CodeType
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from babel.core import Locale
from babel.dates import format_datetime
from babel.numbers import format_decimal
from babel.units import format_unit
from jinja2 import BytecodeCache, Environment, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket

from placet.model import LANGUAGES, Micros, Value

Translate = Callable[..., str]
"""t(key, default=None, **values) -> the message in one language, with {name} replaced by values["name"]."""

_LOCALES: Final[dict[str, str]] = {"en": "en_GB", "zh-Hant": "zh_Hant", "zh-Hans": "zh_Hans"}
_DATE_TIME: Final[dict[str, str]] = {
    "en": "d MMM y, HH:mm",
    "zh-Hant": "y年M月d日 HH:mm",
    "zh-Hans": "y年M月d日 HH:mm",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


class LocaleError(Exception):
    """The message tables disagree with each other, or a message is asked for that none of them has."""


# --- messages ----------------------------------------------------------------------------------------------------


@cache
def tables() -> dict[str, dict[str, str]]:
    """Every message in every language: language -> key -> text. Raises LocaleError when the languages disagree."""
    folder = files("placet.web") / "locale"
    loaded: dict[str, dict[str, str]] = {
        language: _flat(tomllib.loads((folder / f"{language}.toml").read_text(encoding="utf-8")))
        for language in LANGUAGES
    }
    problems = disagreements(loaded)
    if problems:
        raise LocaleError("; ".join(problems))
    return loaded


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested tables as dotted keys: {"nav": {"queue": "Queue"}} -> {"nav.queue": "Queue"}."""
    found: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = str(value)
    return found


def disagreements(loaded: Mapping[str, Mapping[str, str]]) -> list[str]:
    """What keeps the tables from being one: keys that a language lacks, placeholders that differ, empty texts."""
    every = sorted(set().union(*loaded.values()))
    problems = [
        f"{language} lacks {key}"
        for language, table in loaded.items()
        for key in every
        if not table.get(key, "").strip()
    ]
    for key in every:
        used = {language: sorted(_PLACEHOLDER.findall(table.get(key, ""))) for language, table in loaded.items()}
        if len({tuple(names) for names in used.values()}) > 1:
            problems.append(f"{key} has other placeholders in another language: {used}")
    return problems


@cache
def translator(language: str) -> Translate:
    """The function `t` of one of LANGUAGES. Without a default, an unknown key raises LocaleError."""
    table = tables()[language]

    def t(key: str, default: str | None = None, **values: object) -> str:
        message = table.get(key, default)
        if message is None:
            raise LocaleError(f"there is no message {key}")
        return message.format_map(values) if values else message

    return t


# --- filters -----------------------------------------------------------------------------------------------------


def _moment(at: Micros, zone: tzinfo = UTC) -> datetime:
    return (_EPOCH + timedelta(microseconds=at)).astimezone(zone)


def isotime(at: Micros) -> str:
    """RFC 3339 in UTC, to the second: "2026-11-24T01:00:00Z"."""
    return _moment(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def _offset(moment: datetime) -> str:
    """The zone as readers everywhere understand it: "UTC", "UTC+8", "UTC−3:30"."""
    minutes = round((moment.utcoffset() or timedelta()).total_seconds() / 60)
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '−'}{hours}" + (f":{rest:02}" if rest else "")


@lru_cache(maxsize=4096)
def _span(seconds: int, language: str) -> str:
    """A length of time in the largest unit that says enough: minutes up to an hour, hours up to two days."""
    if seconds < 3600:
        amount, unit = max(1, seconds // 60), "duration-minute"
    elif seconds < 48 * 3600:
        amount, unit = seconds // 3600, "duration-hour"
    else:
        amount, unit = seconds // 86400, "duration-day"
    return format_unit(amount, unit, "short", locale=_LOCALES[language])


def _when(language: str, zone: tzinfo) -> Callable[[Micros], str]:
    locale = Locale.parse(_LOCALES[language])

    def when(at: Micros) -> str:
        """Date and time of day in `zone`, with the zone named: a time without a zone is nobody's time."""
        moment = _moment(at, zone)
        return f"{format_datetime(moment, _DATE_TIME[language], locale=locale)} {_offset(moment)}"

    return when


def _relative(language: str, ahead: str, behind: str) -> Callable[[Micros, Micros], str]:
    """A filter (at, now) that wraps the distance in the message `ahead` before `at`, and in `behind` after it."""
    t = translator(language)

    def relative(at: Micros, now: Micros) -> str:
        seconds = abs(at - now) // 1_000_000
        return t(ahead if at > now else behind, span=_span(seconds, language))

    return relative


_UNITS: Final = ("year", "month", "week", "day", "hour", "minute", "second")
_DURATION: Final = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII
)


def _duration(language: str) -> Callable[[str], str]:
    locale = Locale.parse(_LOCALES[language])
    length: Literal["long", "short"] = "long" if language == "en" else "short"  # Chinese has no long form in the data

    def duration(text: str) -> str:
        """An ISO 8601 duration in words ("P2DT12H": "2 days 12 hours"); any other text as it stands."""
        match = _DURATION.fullmatch(text)
        if match is None:
            return text
        parts = zip(match.groups(), _UNITS, strict=True)
        return " ".join(format_unit(int(n), f"duration-{unit}", length, locale=locale) for n, unit in parts if n)

    return duration


def _number(language: str) -> Callable[[int], str]:
    locale = Locale.parse(_LOCALES[language])
    return lambda value: format_decimal(value, locale=locale)


# --- templates ---------------------------------------------------------------------------------------------------


class _Memory(BytecodeCache):
    """Compiled templates kept for the life of the process: each is compiled once, for all languages."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self._codes[bucket.key, bucket.checksum] = bucket.code


_MEMORY: Final = _Memory()


@cache
def _environment(language: str, zone: str) -> Environment:
    """Templates bound to one language and zone.

    `optimized` stays off: it would fold what one language's filters give into code that all languages share.
    """
    environment = Environment(
        loader=PackageLoader("placet.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        optimized=False,
        auto_reload=False,
        bytecode_cache=_MEMORY,
    )
    environment.globals |= {"t": translator(language), "languages": LANGUAGES}
    environment.filters |= {
        "when": _when(language, ZoneInfo(zone)),
        "isotime": isotime,
        "until": _relative(language, "time.until", "time.overdue"),
        "ago": _relative(language, "time.until", "time.ago"),
        "number": _number(language),
        "duration": _duration(language),
    }
    return environment


@cache
def template_name(page: type[Value]) -> str:
    """QueuePage -> "queue.html", SignInPage -> "sign_in.html"."""
    words = re.findall(r"[A-Z][a-z]*", page.__name__.removesuffix("Page"))
    return "_".join(words).lower() + ".html"


def render(page: Value, *, zone: str = "UTC") -> str:
    """The page as HTML, in the language of `page.chrome`; times are shown in `zone`, an IANA name ("Asia/Taipei")."""
    language: str = page.chrome.language  # type: ignore[attr-defined]  # every *Page has a chrome
    return _environment(language, zone).get_template(template_name(type(page))).render(page=page)

"""A word list written as the file of its pack, with what was changed while running, for two people to put in force."""

from collections.abc import Collection, Iterator, Mapping
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from placet.model import Micros
from placet.policy.compiled import midnight
from placet.policy.values import EPOCH, Term, WordList
from placet.procedure.word_list import Touched


def as_toml(words: WordList, came: Mapping[str, Touched], removed: Collection[str], timezone: str) -> str:
    """The text of `lists/<name>.toml`: without the terms that were removed, with those that came.

    What the pack says of its own terms stays; a term that came has its note, its day and whose act it was. A pack knows
    days, in its own time zone: a term that ends within a day ends with that day.
    """
    gone = {*removed, *came}
    own = tuple(term for term in words.term if term.text not in gone)
    kept = msgspec.structs.replace(
        words,
        terms=tuple(term for term in words.terms if term not in gone),
        term=(*own, *(_term(term, touched, timezone) for term, touched in came.items())),
    )
    return "".join(f"{line}\n" for line in _lines(kept))


def _term(text: str, touched: Touched, timezone: str) -> Term:
    until = _end(touched.until, timezone) if touched.until else None
    return Term(
        text, note=touched.note or touched.reason, added_by=touched.by, added=_day(touched.at, timezone), until=until
    )


def _day(at: Micros, timezone: str) -> date:
    return (EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(timezone)).date()


def _end(until: Micros, timezone: str) -> date:
    """The first day on which a term does not count: days have 23 and 25 hours too, and need not begin at 00:00."""
    day = _day(until, timezone)
    return day if until <= midnight(day, timezone) else day + timedelta(days=1)


def _lines(words: WordList) -> Iterator[str]:
    yield from _fields(words, ("title", "term"))
    yield from (f"title.{language} = {_text(title)}" for language, title in words.title.items())
    for term in words.term:
        yield from ("", "[[term]]")
        yield from _fields(term, ())


def _fields(struct: WordList | Term, apart: Collection[str]) -> Iterator[str]:
    """The fields that are not as they would be if nothing were said."""
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        if field.name not in apart and (field.required or value != field.default):
            yield from _field(field.encode_name, value)


def _field(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, tuple):
        yield f"{name} = ["
        yield from (f"  {_text(each)}," for each in value)
        yield "]"
    elif isinstance(value, bool):
        yield f"{name} = {str(value).lower()}"
    elif isinstance(value, date):
        yield f"{name} = {value.isoformat()}"
    else:
        yield f"{name} = {_text(value)}"


def _text(value: str) -> str:
    """A basic string: TOML takes the escapes of JSON, and asks for one more (U+007F)."""
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")

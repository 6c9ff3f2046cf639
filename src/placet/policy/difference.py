"""What changes in meaning from one pack to another: values, for whoever shows them.

Comments, layout, the order of tables and of lists, and how a condition or a duration is spelt make no difference. The
tables are those of `Pack`, whichever there are, and their rows are compared key by key as the files name them. A row is
known again by its `id`, `name` or `text`, else by the first keys that it must have, up to one with several values.

An edit is one of *wording* where it changes nothing but what people read: texts, notes, who added a term.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from functools import cache
from itertools import takewhile, zip_longest
from typing import Any, Final, Literal, get_origin

import msgspec
from msgspec.structs import FieldInfo, replace

from placet.model import LANGUAGES, Citation, Json, Value
from placet.policy import parse
from placet.policy.cel.shape import shape
from placet.policy.values import Pack, Term, WordList, parse_share, parse_span

Kind = Literal["added", "removed", "changed"]

Row = msgspec.Struct


class Edit(Value, frozen=True):
    """One key that is not as it was; for a key of several values, those that came and those that went."""

    key: str
    """As the files name it, with the row inside the row: "then", "title.en", "clause 7(2).summary.en"."""
    before: Json = None
    after: Json = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    wording: bool = False


class Change(Value, frozen=True):
    """A row of a table that came, went or is not as it was. The keys of one that came had no value before."""

    table: str
    name: str
    kind: Kind
    edits: tuple[Edit, ...]

    @property
    def wording(self) -> bool:
        """Whether nothing but what people read has changed."""
        return self.kind == "changed" and all(edit.wording for edit in self.edits)


class Side(Value, frozen=True):
    """Which pack was compared."""

    id: str
    version: str
    digest: str


class Difference(Value, frozen=True):
    """All that changes in meaning. The digests may differ where nothing does."""

    before: Side
    after: Side
    changes: tuple[Change, ...]


def difference(before: Pack, after: Pack) -> Difference:
    """Compare two packs in meaning."""
    head = tuple(_edits(replace(before.head, version=after.head.version), after.head))
    changes = [Change("pack", before.id, "changed", head)] if head else []
    for name in _fields(Pack):
        old, new = getattr(before, name), getattr(after, name)
        if isinstance(old, tuple):
            changes += _table(name, old, new)
    return Difference(_side(before), _side(after), tuple(changes))


def _side(pack: Pack) -> Side:
    return Side(pack.id, pack.head.version, pack.digest)


# --- rows ----------------------------------------------------------------------------------------------------------


@cache
def _fields(struct: type[Row]) -> dict[str, FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(struct)}


@cache
def _key_fields(struct: type[Row]) -> tuple[str, ...]:
    """Give the fields by which rows of this struct are known again."""
    fields = _fields(struct)
    if named := [name for name in ("id", "name", "text") if name in fields]:
        return (named[0],)
    first = takewhile(lambda field: field.required and not _is_several(field.type), fields.values())
    return tuple(field.name for field in first)


def _is_several(kind: Any) -> bool:
    """Whether a type holds several values: a tuple, a mapping, a table."""
    return get_origin(kind) in (tuple, Mapping) or (isinstance(kind, type) and issubclass(kind, msgspec.Struct))


def row_name(row: Row) -> str:
    """Give the words by which a row is known again: its id, or what it is about."""
    return " ".join(str(getattr(row, name)) for name in _key_fields(type(row)))


@cache
def _table_names() -> dict[type[Row], str]:
    return {struct: name for _, tables in parse.shapes().values() for name, struct in tables.items()} | {
        head: kind.partition(".")[0].removesuffix("s") for kind, (head, _) in parse.shapes().items() if head
    }


def table_name(field: str, struct: type[Row]) -> str:
    """Give a table of Pack the name that it has in files: "rule" for `rules`, which holds such structs."""
    return _table_names().get(struct, field)


def _table(field: str, before: tuple[Row, ...], after: tuple[Row, ...]) -> Iterator[Change]:
    for old, new in _pairs(before, after):
        edits = tuple(_edits(old, new))
        kind: Kind = "added" if old is None else "removed" if new is None else "changed"
        if edits or kind != "changed":
            row = _either(old, new)
            yield Change(table_name(field, type(row)), row_name(row), kind, edits)


def _pairs(before: Collection[Row], after: Collection[Row]) -> Iterator[tuple[Row | None, Row | None]]:
    """Bring together the rows of one name, without those that are equal; of several, in their order."""
    olds, news = _by_name(before), _by_name(after)
    for name in dict.fromkeys([*olds, *news]):
        old, new = olds.get(name, []), news.get(name, [])
        yield from zip_longest([row for row in old if row not in new], [row for row in new if row not in old])


def _by_name(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row_name(row), []).append(row)
    return found


def _either(old: Row | None, new: Row | None) -> Row:
    row = old if new is None else new
    assert row is not None
    return row


# --- keys ----------------------------------------------------------------------------------------------------------

_MEANING: Final[Mapping[str, Callable[[str], Hashable]]] = {
    "when": shape,
    "scope": shape,
    "duration": parse_span,
    "share": parse_share,
}
"""How values that can be spelt in several ways are compared, by their key."""

_FOR_READERS: Final = frozenset({"note", "added_by", "added"})
"""Keys that decide nothing; texts in several languages are known by their form."""


def _edits(before: Row | None, after: Row | None) -> Iterator[Edit]:
    """Compare two rows of one struct key by key; where one is missing, all that the other says came, or went."""
    before, after = _plain(before), _plain(after)
    struct = type(_either(before, after))
    called = () if before is not None and after is not None else _key_fields(struct)
    for name, field in _fields(struct).items():
        if name not in called:
            old, new = _said(before, field), _said(after, field)
            if old != new:
                yield from _edits_of(field.encode_name, old, new)


def _plain(row: Row | None) -> Row | None:
    """Say it in one of two ways: a plain term is a [[term]] of which nothing more is said."""
    if isinstance(row, WordList):
        return replace(row, terms=(), term=(*(Term(text) for text in row.terms), *row.term))
    return row


def _said(row: Row | None, field: FieldInfo) -> Any:
    """Give the value of a field; None where it is what leaving it out would mean, or there is no row."""
    value = None if row is None else getattr(row, field.name)
    if field.required or value is None:
        return value
    left_out = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    return None if value == left_out else value


def _edits_of(key: str, old: Any, new: Any) -> Iterator[Edit]:
    some = old or new
    if isinstance(some, tuple):
        rows = isinstance(some[0], msgspec.Struct) and not isinstance(some[0], Citation)
        yield from (_inner_rows if rows else _members)(key, old or (), new or ())
    elif isinstance(some, msgspec.Struct) and not isinstance(some, Citation):
        yield from (replace(edit, key=f"{key}.{edit.key}") for edit in _edits(old, new))
    elif isinstance(some, Mapping):
        old, new = old or {}, new or {}
        for name in dict.fromkeys([*LANGUAGES, *old, *new]):
            if old.get(name) != new.get(name):
                yield Edit(f"{key}.{name}", old.get(name), new.get(name), wording=name in LANGUAGES)
    elif _meaning(key, old) != _meaning(key, new):
        yield Edit(key, _json(old), _json(new), wording=key in _FOR_READERS)


def _meaning(key: str, value: Any) -> Any:
    meaning = _MEANING.get(key)
    return meaning(value) if meaning and isinstance(value, str) else value


def _json(value: Any) -> Json:
    return _member(value) if isinstance(value, Citation) else msgspec.to_builtins(value)


def _member(value: Any) -> str:
    return f"{value.instrument} {value.clause}" if isinstance(value, Citation) else str(value)


def _members(key: str, old: tuple[Any, ...], new: tuple[Any, ...]) -> Iterator[Edit]:
    """Compare the values of a key that has several, whose order means nothing."""
    before, after = dict.fromkeys(map(_member, old)), dict.fromkeys(map(_member, new))
    added = tuple(each for each in after if each not in before)
    removed = tuple(each for each in before if each not in after)
    if added or removed:
        yield Edit(key, added=added, removed=removed)


def _inner_rows(key: str, old: tuple[Row, ...], new: tuple[Row, ...]) -> Iterator[Edit]:
    """Compare the rows inside a row: which came and went, and what is said of those and of the others."""
    pairs = list(_pairs(old, new))
    added = tuple(row_name(after) for before, after in pairs if before is None and after is not None)
    removed = tuple(row_name(before) for before, after in pairs if after is None and before is not None)
    if added or removed:
        yield Edit(key, added=added, removed=removed)
    for before, after in pairs:
        name = row_name(_either(before, after))
        yield from (replace(edit, key=f"{key} {name}.{edit.key}") for edit in _edits(before, after))

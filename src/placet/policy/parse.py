"""The texts of a pack's files -> its values, with the line of every mistake. Knows shapes only, not meanings.

tomllib gives no line numbers, so `Lines` finds tables and keys again by scanning the text; where it finds none it
answers with the nearest table above.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec

from placet.model import LANGUAGES, Ground, Text
from placet.policy.values import (
    AccountClass,
    Agreement,
    Case,
    Category,
    Clock,
    Code,
    CodeTable,
    Commitment,
    Credit,
    Factor,
    Field,
    Instrument,
    Licence,
    Pack,
    PackHead,
    Problem,
    Retention,
    Right,
    Rule,
    Rung,
    Term,
    Tier,
    WordList,
)

MAX_FILE_BYTES: Final = 8 * 1024 * 1024
MAX_FILES: Final = 400
REQUIRED_FILES: Final = ("grounds.toml", "pack.toml", "rules.toml")
OPTIONAL_FILES: Final = ("accounts.toml", "codes.toml", "credit.toml", "records.toml", "sanctions.toml")
FOLDERS: Final = ("cases", "instruments", "lists")
FILE_NAME: Final = re.compile(
    rf"(?:{'|'.join(map(re.escape, REQUIRED_FILES + OPTIONAL_FILES))})"
    rf"|(?:{'|'.join(FOLDERS)})/[a-z0-9][a-z0-9-]{{0,63}}\.toml"
)
WHAT_BELONGS: Final = (
    f"A pack holds {', '.join(REQUIRED_FILES)}, if need be {', '.join(OPTIONAL_FILES)}, and "
    f"{', '.join(f'{folder}/*.toml' for folder in FOLDERS)}."
)

Row = TypeVar("Row", bound=msgspec.Struct)

Path = tuple[str | int, ...]
"""Where a value stands in a file: ("rule", 3, "when")."""

_TABLES: Final[dict[str, dict[str, type[msgspec.Struct]]]] = {
    "pack.toml": {
        "instrument": Instrument,
        "clock": Clock,
        "class": AccountClass,
        "category": Category,
        "right": Right,
    },
    "grounds.toml": {"ground": Ground},
    "rules.toml": {"rule": Rule},
    "accounts.toml": {
        "class": AccountClass,
        "category": Category,
        "right": Right,
        "licence": Licence,
        "commitment": Commitment,
    },
    "codes.toml": {"table": CodeTable, "code": Code, "field": Field},
    "credit.toml": {"factor": Factor, "tier": Tier},
    "records.toml": {"clock": Clock, "retention": Retention},
    "sanctions.toml": {"rung": Rung},
    "cases": {"case": Case},
    "instruments": {"instrument": Instrument},
    "lists": {"term": Term},
}
"""The arrays of tables that each file, or each file of a folder, may hold, by the struct of one table."""

_HEADS: Final[dict[str, type[msgspec.Struct]]] = {
    "pack.toml": PackHead,
    "accounts.toml": Agreement,
    "credit.toml": Credit,
    "lists": WordList,
}
"""The struct of the keys that stand before every table."""


class Float(NamedTuple):
    """Where TOML has a float: kept as written, so that it can be found and refused."""

    source: str


# --- places --------------------------------------------------------------------------------------------------------

_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*=")


class Lines:
    """Line numbers of the tables and keys of one TOML text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at: dict[Path, int] = {}
        self._elements: dict[Path, list[int]] = {}
        counts: dict[Path, int] = {}
        table: Path = ()
        quote = ""
        for number, line in enumerate(text.split("\n"), 1):
            if not quote and (header := _HEADER.match(line)):
                table = _table_path(header[2].split("."), array=header[1] == "[[", counts=counts)
                self._at.setdefault(table, number)
                self._at.setdefault(table[:1], number)
            elif not quote and (key := _KEY.match(line)):
                self._at.setdefault((*table, *key[1].split(".")), number)
            quote = _still_open(line, quote)

    def find(self, path: Path) -> int:
        """Give the line of the value, else of the nearest table that holds it; 1 at least."""
        while path not in self._at and path:
            if path[:-1] in self._at and isinstance(path[-1], int):
                return self._element(path[:-1], path[-1])
            path = path[:-1]
        return self._at.get(path, 1)

    def _element(self, path: Path, index: int) -> int:
        """Give the line of one element of an array, which may stand on many lines."""
        if path not in self._elements:
            self._elements[path] = list(_element_lines(self._text, self._at[path]))
        lines = self._elements[path]
        return lines[index] if index < len(lines) else self._at[path]


def _table_path(names: list[str], *, array: bool, counts: dict[Path, int]) -> Path:
    """Give a header its path: `[[a.b]]` opens the next b of the latest a, `[a.b]` the table b of the latest a."""
    path: Path = ()
    for name in names[:-1]:
        path = (*path, name)
        if path in counts:
            path = (*path, counts[path] - 1)
    path = (*path, names[-1])
    if array:
        counts[path] = counts.get(path, 0) + 1
        path = (*path, counts[path] - 1)
    return path


_TOKEN: Final = re.compile(
    r'''"""(?:[^"\\]|\\.|"{1,2}(?!"))*+"""|"(?:[^"\\\n]|\\.)*+"|'{3}.*?'{3}|'[^'\n]*+'|#[^\n]*+|[^\s"'#]''', re.DOTALL
)
"""What may stand in an array: strings, comments, and every other character by itself."""


def _element_lines(text: str, line: int) -> Iterator[int]:
    """Give the lines on which the elements of an array begin; its key stands on `line`."""
    before = sum(len(each) + 1 for each in text.split("\n", line - 1)[: line - 1])
    seen = text.find("[", text.find("=", before)) + 1
    depth, awaited = 1, True
    for match in _TOKEN.finditer(text, seen):
        piece = match[0]
        line += text.count("\n", seen, match.start())
        seen = match.start()
        if piece[0] == "#":
            continue
        depth += (piece in ("[", "{")) - (piece in ("]", "}"))
        if depth == 0:
            return
        if awaited:
            yield line
        awaited = depth == 1 and piece == ","


def _still_open(line: str, quote: str) -> str:
    """Give the delimiter of the multi-line string that is still open at the end of the line, or nothing."""
    for mark in ('"""', "'''"):
        if quote in ("", mark) and line.count(mark) % 2:
            return "" if quote else mark
    return quote


# --- drafts --------------------------------------------------------------------------------------------------------


class Draft:
    """A pack that is being read: its texts, what TOML makes of them, and where everything stands."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = {name: text.replace("\r\n", "\n") for name, text in sorted(files.items())}
        self.data: dict[str, dict[str, Any]] = {}
        self._lines: dict[str, Lines] = {}

    def problem(self, code: str, file: str, path: Path, message: str, hint: str = "") -> Problem:
        """Build a problem that names the line of that path."""
        if file not in self._lines:
            self._lines[file] = Lines(self.files[file])
        return Problem(code, file, self._lines[file].find(path), message, hint)

    def names(self, folder: str) -> list[str]:
        """List the files of a folder, in order."""
        return [name for name in self.files if name.startswith(f"{folder}/")]

    def rows(self, file: str, table: str) -> list[Any]:
        """Give the tables of one name, in order; their shape may still be wrong."""
        rows = self.data.get(file, {}).get(table, [])
        return rows if isinstance(rows, list) else [rows]

    def places(self, table: str) -> list[tuple[str, int]]:
        """Where the tables of one name stand, in the order of the pack's values: the file, and the place in it."""
        files = [file for file in self.data if table in _TABLES[_kind(file)]]
        return [(file, index) for file in files for index in range(len(self.rows(file, table)))]

    def place(self, table: str, number: int, *inner: str | int) -> tuple[str, Path]:
        """Where something inside one of the pack's values stands: the file, and the path in it."""
        file, index = self.places(table)[number]
        return file, (table, index, *inner)


def _kind(file: str) -> str:
    return file.partition("/")[0]


def check_file_names(draft: Draft) -> Iterator[Problem]:
    """Only files with known names belong to a pack, so that a misspelt one is not passed over in silence."""
    for name in draft.files:
        if not FILE_NAME.fullmatch(name):
            yield Problem("unknown-file", name, 0, "This file does not belong to a pack.", WHAT_BELONGS)
    for name in REQUIRED_FILES:
        if name not in draft.files:
            yield Problem("missing-file", name, 0, "The pack lacks this file.", "See docs/packs.md for what it holds.")


def check_sizes(draft: Draft) -> Iterator[Problem]:
    """A pack is bounded, in files and in bytes a file."""
    if len(draft.files) > MAX_FILES:
        yield Problem("too-large", "pack.toml", 0, f"The pack has more than {MAX_FILES} files.", "Merge some lists.")
    for name, text in draft.files.items():
        if len(text) > MAX_FILE_BYTES or len(text.encode(errors="replace")) > MAX_FILE_BYTES:
            yield Problem("too-large", name, 0, f"The file is larger than {MAX_FILE_BYTES} bytes.", "Split the list.")


def check_encoding(draft: Draft) -> Iterator[Problem]:
    """Every text can be written in UTF-8, as the record will."""
    for name, text in draft.files.items():
        found = re.search("[\ud800-\udfff]", text)
        if found:
            line = text.count("\n", 0, found.start()) + 1
            yield Problem("not-utf8", name, line, "The text holds a lone surrogate.", "Save it as UTF-8.")


def check_toml(draft: Draft) -> Iterator[Problem]:
    """Every file is TOML; what it holds is kept for the checks that follow."""
    for name, text in draft.files.items():
        try:
            draft.data[name] = tomllib.loads(text, parse_float=Float)
        except (ValueError, RecursionError) as error:  # ValueError: also an integer of thousands of digits
            found = re.search(r"at line (\d+)", str(error))
            line = int(found[1]) if found else text.count("\n") + 1
            yield Problem("not-toml", name, line, f"The file is not valid TOML: {error}.", "See toml.io/en/v1.0.0.")


def check_floats(draft: Draft) -> Iterator[Problem]:
    """No floats: the record holds none, and a share is written "5%"."""
    for name, data in draft.data.items():
        for path, value in _floats(data, ()):
            hint = 'Write a whole number, or a string such as "0.5%".'
            yield draft.problem("float", name, path, f"{value.source} is a floating-point number.", hint)


def _floats(value: Any, path: Path) -> Iterator[tuple[Path, Float]]:
    """Walk the floats. An array of strings, which may be very long, is passed over in one step."""
    if isinstance(value, Float):
        yield path, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _floats(part, (*path, key))
    elif isinstance(value, list) and not _STRINGS.issuperset(map(type, value)):
        for index, part in enumerate(value):
            yield from _floats(part, (*path, index))


_STRINGS: Final = frozenset({str})


# --- shapes --------------------------------------------------------------------------------------------------------


class Node(NamedTuple):
    """A value, where it stands, and the type that it must have."""

    path: Path
    value: Any
    type: Any


def _nodes(draft: Draft, file: str) -> Iterator[Node]:
    """Walk every table of the file that has a struct, and every value in it that has a struct or a Text of its own."""
    data, kind = draft.data[file], _kind(file)
    tables = _TABLES[kind]
    if kind in _HEADS:
        head = {key: value for key, value in data.items() if key not in tables}
        yield from _walk(Node((), head, _HEADS[kind]))
    for table, struct in tables.items():
        for index, row in enumerate(draft.rows(file, table)):
            yield from _walk(Node((table, index), row, struct))


def _walk(node: Node) -> Iterator[Node]:
    kind = node.type
    if kind == Text:
        yield node
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield node
        if isinstance(node.value, dict):
            for name, (_, inner) in _fields(kind).items():
                if name in node.value:
                    yield from _walk(Node((*node.path, name), node.value[name], inner))
    elif get_origin(kind) is tuple and get_args(kind)[0] is not str and isinstance(node.value, list):
        for index, part in enumerate(node.value):
            yield from _walk(Node((*node.path, index), part, get_args(kind)[0]))


@cache
def _fields(struct: type[msgspec.Struct]) -> dict[str, tuple[bool, Any]]:
    """Give each key that the struct takes: whether it must be there, and its type."""
    types = get_type_hints(struct)
    return {row.encode_name: (row.required, types[row.name]) for row in msgspec.structs.fields(struct)}


def check_keys(draft: Draft) -> Iterator[Problem]:
    """Every key is known and every needed key is there: a misspelt key would otherwise change a rule in silence."""
    for file in draft.data:
        known = {*_TABLES[_kind(file)]}
        if _kind(file) not in _HEADS:
            for key in draft.data[file].keys() - known:
                hint = f"Known here: {', '.join(sorted(known))}."
                yield draft.problem("unknown-key", file, (key,), f"The key {key!r} is not known.", hint)
        for node in _nodes(draft, file):
            if node.type != Text and isinstance(node.value, dict):
                yield from _check_keys_of(draft, file, node)


def _check_keys_of(draft: Draft, file: str, node: Node) -> Iterator[Problem]:
    fields = _fields(node.type)
    for key in node.value.keys() - fields.keys():
        hint = f"Known here: {', '.join(fields)}."
        yield draft.problem("unknown-key", file, (*node.path, key), f"The key {key!r} is not known.", hint)
    for key, (required, _) in fields.items():
        if required and key not in node.value:
            yield draft.problem("missing-key", file, node.path, f"The key {key!r} is missing.", "Add it.")


def check_languages(draft: Draft) -> Iterator[Problem]:
    """Every text stands in every language: the person concerned must be able to read it."""
    for file in draft.data:
        for node in _nodes(draft, file):
            if node.type == Text and isinstance(node.value, dict):
                yield from _check_languages_of(draft, file, node)


def _check_languages_of(draft: Draft, file: str, node: Node) -> Iterator[Problem]:
    for language in LANGUAGES:
        if not str(node.value.get(language, "")).strip():
            message = f"The text {node.path[-1]!r} is missing in {language}."
            yield draft.problem("missing-language", file, (*node.path, language), message, "Write it in each language.")
    for language in node.value.keys() - set(LANGUAGES):
        hint = f"Languages: {', '.join(LANGUAGES)}."
        message = f"{language!r} is not a language of the product."
        yield draft.problem("unknown-language", file, (*node.path, language), message, hint)


def check_values(draft: Draft) -> Iterator[Problem]:
    """Every value has the type that docs/packs.md gives it."""
    for file, data in draft.data.items():
        for table in _TABLES[_kind(file)]:
            if not isinstance(data.get(table, []), list):
                yield draft.problem(
                    "bad-value", file, (table,), f"Write [[{table}]], not [{table}].", "See docs/packs.md."
                )
        for node in _nodes(draft, file):
            if len(node.path) in (0, 2) and node.type != Text:
                yield from _check_value(draft, file, node)


def _check_value(draft: Draft, file: str, node: Node) -> Iterator[Problem]:
    try:
        _convert(node.value, node.type)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        path = (*node.path, *_error_path(where.rstrip("`")))
        named = "".join(f" {part!r}" for part in path[-1:] if isinstance(part, str))
        yield draft.problem("bad-value", file, path, f"{message}{named and f', for{named}'}.", "See docs/packs.md.")


def _error_path(where: str) -> Path:
    """Read the path that msgspec names: `.version[0].from` -> ("version", 0, "from")."""
    parts = re.findall(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]", where)
    return tuple(name or int(index) for name, index in parts)


def _convert(value: Any, kind: type[Any]) -> Any:
    return msgspec.convert(_citations(value), kind)


def _citations(value: Any) -> Any:
    """Turn citations from their short form in files, ["IM14", "7(2)"], into tables."""
    if not isinstance(value, dict):
        return value
    changed = {key: _citations_in(part) for key, part in value.items()}
    if isinstance(value.get("cites"), list):
        changed["cites"] = [_citation(cite) for cite in value["cites"]]
    if "cite" in value:
        changed["cite"] = _citation(value["cite"])
    return changed


def _citations_in(value: Any) -> Any:
    """Turn those of tables within tables too: [[rung.allowed]]."""
    return (
        [_citations(row) for row in value]
        if isinstance(value, list) and value and isinstance(value[0], dict)
        else value
    )


def _citation(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 2:
        return {"instrument": value[0], "clause": value[1]}
    return value


STAGES: Final = (
    (check_file_names, check_sizes, check_encoding),
    (check_toml, check_floats),
    (check_keys, check_languages),
    (check_values,),
)
"""What the shape of a pack is checked for; a stage is only reached when the one before has found nothing."""


def build(draft: Draft, digest: str) -> Pack:
    """Build the values of a draft that has passed the checks above."""
    return Pack(
        head=_head(draft, "pack.toml", PackHead),
        digest=digest,
        files=draft.files,
        instruments=_tables(draft, "instrument", Instrument),
        clocks=_tables(draft, "clock", Clock),
        classes=_tables(draft, "class", AccountClass),
        categories=_tables(draft, "category", Category),
        rights=_tables(draft, "right", Right),
        grounds=_tables(draft, "ground", Ground),
        rules=_tables(draft, "rule", Rule),
        lists=tuple(_convert(draft.data[name], WordList) for name in draft.names("lists")),
        cases=_tables(draft, "case", Case),
        agreement=_head(draft, "accounts.toml", Agreement),
        commitments=_tables(draft, "commitment", Commitment),
        licences=_tables(draft, "licence", Licence),
        rungs=_tables(draft, "rung", Rung),
        retention=_tables(draft, "retention", Retention),
        credit=_head(draft, "credit.toml", Credit),
        factors=_tables(draft, "factor", Factor),
        tiers=_tables(draft, "tier", Tier),
        tables=_tables(draft, "table", CodeTable),
        codes=_tables(draft, "code", Code),
        fields=_tables(draft, "field", Field),
    )


def _head(draft: Draft, file: str, kind: type[Row]) -> Row:
    """Build what stands before the tables of a file; of one that is not there, what it would say when empty."""
    keys = {key: value for key, value in draft.data.get(file, {}).items() if key not in _TABLES[file]}
    return cast("Row", _convert(keys, kind))


def _tables(draft: Draft, table: str, kind: type[Row]) -> tuple[Row, ...]:
    return tuple(_convert(draft.rows(file, table)[index], kind) for file, index in draft.places(table))


def shapes() -> dict[str, tuple[type[msgspec.Struct] | None, dict[str, type[msgspec.Struct]]]]:
    """Give what each kind of file holds: the struct of its head, where it has one, and those of its tables by name."""
    return {kind: (_HEADS.get(kind), dict(tables)) for kind, tables in _TABLES.items()}

"""Recorded items as Arrow batches: each is a revision as it was submitted, with all that its verdict rested on.

A row holds the content, the account as it was at that moment, the facts that were recorded, what was found by those who
cannot be asked again (near copies, detectors from outside), how the word lists had been changed by then, the verdict
then, and what a person decided on that revision since. Nothing else of the record is in it, and nothing that the record
does not have; but it holds what people wrote, so that an exported file is for its owner alone (mode 0600).
"""

import hashlib
import heapq
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from placet import kinds
from placet.backtest.record import Record, Row
from placet.detection import READ_OFF
from placet.errors import SettingsError
from placet.lexicons import list_id
from placet.model import Basis, Entry, Finding, Item, Json, Micros, Value
from placet.procedure.account import KINDS as ACCOUNT_KINDS
from placet.procedure.account import Account
from placet.procedure.word_list import KINDS as LIST_KINDS
from placet.procedure.word_list import Changes, amended

ENTRIES: Final = 8_192
"""Entries of the record in one chunk; there are at most as many items in it."""
FORMAT: Final = "placet-items/1"
ALL: Final = 1 << 63
"""More than any mark: every item is taken."""
DECISIONS: Final[Mapping[str, str]] = {
    "publication.approved": "approve",
    "publication.returned": "return",
    "publication.refused": "refuse",
    "publication.taken_down": "take_down",
}
"""What only a person does to a publication, by the kind of its entry."""

SCHEMA: Final = pa.schema(
    [
        ("seq", pa.int64()),
        ("publication", pa.string()),
        ("version", pa.int64()),
        ("revision", pa.string()),
        ("at", pa.int64()),
        ("title", pa.large_string()),
        ("body", pa.large_string()),
        ("format", pa.string()),
        ("category", pa.string()),
        ("origin", pa.string()),
        ("source", pa.string()),
        ("media", pa.large_string()),
        ("account", pa.string()),
        ("account_class", pa.string()),
        ("rights", pa.list_(pa.string())),
        ("agreement", pa.string()),
        ("territory", pa.string()),
        ("outcome", pa.string()),
        ("rules", pa.list_(pa.string())),
        ("decision", pa.string()),
        ("decided_at", pa.int64()),
        ("facts", pa.large_string()),
        ("findings", pa.large_string()),
        ("lists", pa.large_string()),
    ]
)
"""Columns of a batch. `at` and `decided_at` are microseconds since 1970 (0: nobody decided); `rules` are "pack/rule";
`source`, `media`, `facts`, `findings` and `lists` are JSON, empty where there is nothing to say."""

_MOST_ACCOUNTS: Final = 50_000
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Bounds(Value, frozen=True):
    """Which items are looked at: submitted from `since` up to, and without, `until`, and of those a sample."""

    since: Micros = 0
    until: Micros = 1 << 62
    below: int = ALL
    """Those with a mark below this: the same ones in each run, wherever they are read from."""

    def takes(self, at: Micros, publication: str, version: int) -> bool:
        """Whether the item is among them."""
        return self.since <= at < self.until and (self.below >= ALL or mark(publication, version) < self.below)


def mark(publication: str, version: int) -> int:
    """A number from 0 up to ALL that stands for an item, by hash, so that a sample is no accident."""
    return int.from_bytes(hashlib.sha256(f"{publication}/{version}".encode()).digest()[:8], "big") >> 1


class Chunk(NamedTuple):
    """A batch, and how many items of that part of the record could not be put into it."""

    batch: pa.RecordBatch
    erased: int = 0
    """Their bodies were erased, as may be."""
    unreadable: int = 0
    """Their bodies or contents are not what they should be: run placet replay."""


class Items(Protocol):
    """Recorded items, in chunks that may be read in any order."""

    name: str
    """What tells these items from others."""
    size: int
    """The snapshot: entries of the record, or of a file its items."""
    chunks: int
    bounds: Bounds
    """Those within which `chunk` takes items."""

    def chunk(self, number: int) -> Chunk:
        """One of them, from 0."""

    def limited(self, bounds: Bounds, most: int = 0) -> Bounds:
        """The bounds by which at most so many items are taken (0: all)."""

    def close(self) -> None:
        """Let go of the database or file."""


def _below(marks: Iterator[int], most: int) -> int:
    """The mark below which exactly `most` of them lie."""
    smallest = heapq.nsmallest(most + 1, marks)
    return smallest[most] if len(smallest) > most else ALL


# --- out of a database -------------------------------------------------------------------------------------------


class _Hit(msgspec.Struct):
    pack: str
    rule: str


class _Verdict(msgspec.Struct):
    hits: list[_Hit] = []


class _Screened(msgspec.Struct):
    """What an entry says of a text that was screened; its other fields belong to the procedure."""

    revision: str
    outcome: str
    findings: list[Finding]
    facts: msgspec.Raw
    verdict: _Verdict
    lists: dict[str, Json] = {}
    account: str = ""


class AccountThen(NamedTuple):
    """An account as it was from one entry on."""

    seq: int
    account_class: str
    rights: tuple[str, ...]
    agreement: str


_screened: Final = msgspec.json.Decoder(_Screened)
_item: Final = msgspec.json.Decoder(Item)
_NO_FACTS: Final = AccountThen(-1, "", (), "")


class _Territory(msgspec.Struct):
    account: dict[str, Json] = {}


_territory: Final = msgspec.json.Decoder(_Territory)


class RecordItems:
    """The Items of a database, as far as its record went when this was made, or as it went at `size`."""

    def __init__(self, record: Record, bounds: Bounds, size: int | None = None) -> None:
        self._record = record
        self.bounds = bounds
        self.name = record.name()
        self.size = record.size() if size is None else size
        self.chunks = -(-self.size // ENTRIES)
        self._accounts: OrderedDict[str, list[AccountThen]] = OrderedDict()
        self._lists: dict[tuple[str, int], Changes] = {}

    def limited(self, bounds: Bounds, most: int = 0) -> Bounds:
        """See Items.limited."""
        if not most:
            return bounds
        marks = (
            mark(dossier, version)
            for first in range(0, self.size, ENTRIES)
            for at, dossier, version in self._record.marks(first, min(first + ENTRIES, self.size))
            if bounds.takes(at, dossier, version)
        )
        return msgspec.structs.replace(bounds, below=_below(marks, most))

    def close(self) -> None:
        """See Items.close."""
        self._record.close()

    def chunk(self, number: int) -> Chunk:
        """See Items.chunk."""
        first = number * ENTRIES
        rows = self._record.screened(first, min(first + ENTRIES, self.size))
        rows = [row for row in rows if self.bounds.takes(row.at, row.dossier, row.version)]
        bodies = [_decoded(row) for row in rows]
        erased = sum(row.body is None for row in rows)
        kept = [(row, body) for row, body in zip(rows, bodies, strict=True) if body is not None]
        contents = self._contents([body.revision for _, body in kept])
        whole = [(row, body, contents[body.revision]) for row, body in kept if body.revision in contents]
        table = self._table(whole)
        return Chunk(table, erased, len(rows) - erased - len(whole))

    def _contents(self, revisions: Sequence[str]) -> dict[str, Item]:
        """The items of revisions, as far as what is stored is what its hash says."""
        digests = [bytes.fromhex(revision) for revision in dict.fromkeys(revisions)]
        found: dict[str, Item] = {}
        for digest, content in self._record.contents(digests).items():
            if hashlib.sha256(content).digest() == digest:
                found[digest.hex()] = _item.decode(content)
        return found

    def _table(self, rows: Sequence[tuple[Row, _Screened, Item]]) -> pa.RecordBatch:
        owners = self._owners(rows)
        self._load_accounts(set(owners.values()))
        decided = self._decided({row.dossier for row, _, _ in rows})
        values = [
            self._values(row, body, item, owners[row.dossier], decided[row.dossier].on(row, body.revision))
            for row, body, item in rows
        ]
        columns = list(zip(*values, strict=True)) or [() for _ in SCHEMA]
        arrays = [pa.array(list(column), field.type) for column, field in zip(columns, SCHEMA, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)

    def _values(
        self, row: Row, body: _Screened, item: Item, account: str, decided: tuple[str, Micros]
    ) -> tuple[Any, ...]:
        """One row of SCHEMA."""
        then = self._account_at(account, row.seq)
        others = [finding for finding in body.findings if finding.detector not in READ_OFF]
        territory = _territory.decode(body.facts).account.get("territory", "")
        return (
            *(row.seq, row.dossier, row.version, body.revision, row.at),
            *(item.title, item.body, item.format, item.category, item.origin),
            _json(item.source) if item.source != Item().source else "",
            _json(item.media) if item.media else "",
            *(account, then.account_class, list(then.rights), then.agreement, territory),
            body.outcome,
            [f"{hit.pack}/{hit.rule}" for hit in body.verdict.hits],
            *decided,
            bytes(body.facts).decode(),
            _json(others) if others else "",
            self._changes(body.lists) if body.lists else "",
        )

    # --- what stands in other entries ----------------------------------------------------------------------------

    def _owners(self, rows: Sequence[tuple[Row, _Screened, Item]]) -> dict[str, str]:
        """The account of each publication: a submission names it, a revision does not."""
        owners = {row.dossier: body.account for row, body, _ in rows if body.account}
        nameless = sorted({row.dossier for row, _, _ in rows} - owners.keys())
        for row in self._record.histories(nameless, self.size, ("publication.submitted",)):
            owners[row.dossier] = "" if row.body is None else msgspec.json.decode(row.body, type=_Account).account
        return owners

    def _decided(self, dossiers: set[str]) -> dict[str, "_Decisions"]:
        found = {dossier: _Decisions() for dossier in dossiers}
        for row in self._record.histories(sorted(dossiers), self.size, tuple(DECISIONS)):
            found[row.dossier].add(row)
        return found

    def _load_accounts(self, wanted: set[str]) -> None:
        missing = sorted(wanted - self._accounts.keys())
        rows: dict[str, list[Row]] = {account: [] for account in missing}
        for row in self._record.histories(missing, self.size, ACCOUNT_KINDS):
            rows[row.dossier].append(row)
        for account in missing:
            self._accounts[account] = list(_past(rows[account]))
        while len(self._accounts) > max(_MOST_ACCOUNTS, len(wanted)):
            self._accounts.popitem(last=False)
        for account in wanted:
            self._accounts.move_to_end(account)

    def _account_at(self, account: str, seq: int) -> AccountThen:
        earlier = [then for then in self._accounts[account] if then.seq < seq]
        return earlier[-1] if earlier else _NO_FACTS

    def _changes(self, lists: Mapping[str, Json]) -> str:
        """By what the lists differed from their packs then: for judge.py, which builds such a lexicon again."""
        changes = {name: self._list_at(name, version) for name, version in lists["versions"].items()}
        return _json({"at": lists["at"], "changes": changes})

    def _list_at(self, name: str, version: int) -> Changes:
        if (name, version) not in self._lists:
            rows = self._record.histories([list_id(name)], self.size, LIST_KINDS)
            entries = [_entry(row) for row in rows if row.version <= version and row.body is not None]
            self._lists = {key: known for key, known in self._lists.items() if key[0] != name}
            self._lists[name, version] = amended(Changes(), entries)
        return self._lists[name, version]


class _Decisions:
    """What people decided about a publication, on which revision."""

    __slots__ = ("_decided",)

    def __init__(self) -> None:
        self._decided: list[tuple[int, str, str, Micros]] = []

    def add(self, row: Row) -> None:
        if row.body is not None:
            body = msgspec.json.decode(row.body, type=_Decided)
            self._decided.append((row.version, body.live_revision or body.revision, DECISIONS[row.kind], row.at))

    def on(self, row: Row, revision: str) -> tuple[str, Micros]:
        """The last decision on that revision, and when; ("", 0) for none."""
        for version, decided, decision, at in reversed(self._decided):
            if decided == revision and version > row.version:
                return decision, at
        return "", 0


class _Account(msgspec.Struct):
    account: str = ""


class _Decided(msgspec.Struct):
    revision: str = ""
    live_revision: str = ""


def _decoded(row: Row) -> _Screened | None:
    if row.body is None:
        return None
    try:
        return _screened.decode(row.body)
    except msgspec.MsgspecError:
        return None


def _past(rows: Sequence[Row]) -> Iterator[AccountThen]:
    """An account after each of its entries; nothing from one on that has been erased."""
    state: Account | None = None
    for row in rows:
        if row.body is None:
            return
        state = kinds.KINDS["account"].evolve(state, _entry(row))
        assert state is not None
        yield AccountThen(row.seq, state.account_class, state.rights, state.agreement)


def _entry(row: Row) -> Entry:
    assert row.body is not None
    return Entry(
        row.seq, "", row.at, row.dossier, row.version, row.kind, "", Basis("", row.at), msgspec.json.decode(row.body)
    )


def _json(value: Any) -> str:
    return _encode(value).decode()


# --- Parquet -----------------------------------------------------------------------------------------------------


class _About(Value, frozen=True):
    """What an exported file says of itself."""

    format: str
    name: str
    size: int
    bounds: Bounds
    erased: int
    unreadable: int


def export(items: Items, bounds: Bounds, to: Path, progress: Callable[[int, int], None]) -> int:
    """Write the items to a new Parquet file that only its owner may read; gives how many. Raises SettingsError."""
    count = erased = unreadable = 0
    with _new_file(to) as file, pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        for number in range(items.chunks):
            chunk = items.chunk(number)
            count, erased, unreadable = (
                count + chunk.batch.num_rows,
                erased + chunk.erased,
                unreadable + chunk.unreadable,
            )
            if chunk.batch.num_rows:
                writer.write_batch(chunk.batch)
            progress(number + 1, items.chunks)
        about = _About(FORMAT, items.name, items.size, bounds, erased, unreadable)
        writer.add_key_value_metadata({"placet": _json(about)})
    return count


@contextmanager
def _new_file(to: Path) -> Iterator[Any]:
    """A file that appears under its name once it is whole."""
    if to.exists():
        raise SettingsError(f"{to} is there already: name a new file.")
    if not to.parent.is_dir():
        raise SettingsError(f"{to} cannot be written: there is no such folder.")
    unfinished = to.with_name(f"{to.name}.unfinished")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(to)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


class ParquetItems:
    """The Items of an exported file; each of its row groups is a chunk."""

    def __init__(self, path: Path, bounds: Bounds) -> None:
        if not path.is_file():
            raise SettingsError(f"There is no file {path}: make one with placet backtest --export {path}.")
        try:
            self._file = pq.ParquetFile(path)
        except (pa.ArrowInvalid, OSError) as problem:
            raise SettingsError(f"{path} cannot be read as Parquet: {problem}.") from problem
        self.bounds = bounds
        self.about = _about(self._file, path)
        with path.open("rb") as file:
            self.name = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        self.size = self._file.metadata.num_rows
        self.chunks = self._file.metadata.num_row_groups

    def limited(self, bounds: Bounds, most: int = 0) -> Bounds:
        """See Items.limited."""
        if not most:
            return bounds
        marks = (
            mark(publication, version)
            for number in range(self.chunks)
            for at, publication, version in _keys(self._file.read_row_group(number, ["at", "publication", "version"]))
            if bounds.takes(at, publication, version)
        )
        return msgspec.structs.replace(bounds, below=_below(marks, most))

    def chunk(self, number: int) -> Chunk:
        """See Items.chunk. What could not be read when the file was made counts with its first chunk."""
        table = self._file.read_row_group(number, SCHEMA.names, use_threads=False).cast(SCHEMA)
        if self.bounds != Bounds():
            table = table.filter(pa.array([self.bounds.takes(*key) for key in _keys(table)], pa.bool_()))
        (batch,) = table.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], SCHEMA)]
        return Chunk(batch, *((self.about.erased, self.about.unreadable) if number == 0 else ()))

    def close(self) -> None:
        """See Items.close."""
        self._file.close()


def _keys(table: Any) -> Iterator[tuple[Micros, str, int]]:
    names = ("at", "publication", "version")
    return zip(*(table.column(name).to_pylist() for name in names), strict=True)


def _about(file: pq.ParquetFile, path: Path) -> _About:
    """What the file says of itself. Raises SettingsError for one that is none of ours."""
    told = (file.metadata.metadata or {}).get(b"placet", b"")
    try:
        about = msgspec.json.decode(told, type=_About)
    except msgspec.MsgspecError as problem:
        what = f"{path} holds no recorded items: make such a file with placet backtest --export."
        raise SettingsError(what) from problem
    if about.format != FORMAT or not set(SCHEMA.names) <= set(file.schema_arrow.names):
        raise SettingsError(f"{path} is of another form ({about.format}): export it again with this version.")
    return about

"""What a backtest reads of a database: verbs over entries and contents, each in a short read-only transaction.

The record only grows, and its entries are numbered without a gap. So the number of entries at the start is the
snapshot: nothing at or above it is looked at, and no transaction need stay open for hours, which would keep SQLite's
log from being folded back and PostgreSQL from clearing away old rows. Connections are the backtest's own.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import asyncpg

from placet.errors import SettingsError, StoreUnavailable
from placet.model import Micros

T = TypeVar("T")

SCREENED: Final = ("publication.submitted", "publication.revised")
"""The kinds of entry that hold what was found in a text, and the verdict on it."""
_COLUMNS: Final = "seq, at, dossier, version, kind, body"
_AT_ONCE: Final = 500
_CONNECT_S: Final = 10
_SESSION: Final = {
    "application_name": "placet backtest",
    "default_transaction_read_only": "on",
    "idle_in_transaction_session_timeout": "30000",  # ms
    "jit": "off",
}
_TROUBLE: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class Row(NamedTuple):
    """An entry, as far as a backtest reads it."""

    seq: int
    at: Micros
    dossier: str
    version: int
    kind: str
    body: bytes | None
    """None once it has been erased."""


class Record(Protocol):
    """A database that is only read. Every verb may raise StoreUnavailable."""

    def size(self) -> int:
        """How many entries there are."""

    def name(self) -> str:
        """What tells this record from others: the verifier key of its ledger."""

    def screened(self, first: int, end: int) -> list[Row]:
        """The entries of SCREENED from `first` up to, and without, `end`, in order."""

    def marks(self, first: int, end: int) -> list[tuple[Micros, str, int]]:
        """The same without their bodies: instant, dossier, version."""

    def histories(self, dossiers: Sequence[str], end: int, kinds: Sequence[str]) -> list[Row]:
        """The entries of those kinds of those dossiers below `end`, in order."""

    def contents(self, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        """Contents by their SHA-256 digests, as far as they are there."""

    def close(self) -> None:
        """Give the connection back."""


class SqliteRecord:
    """Record on a SQLite file. Readers of a file in WAL mode never keep its writer waiting."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise SettingsError(f"There is no database {path}: name the platform's folder with --data.")
        with _told():
            self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
            self._connection.execute("PRAGMA query_only=ON")
            self._connection.execute("PRAGMA busy_timeout=10000")

    def size(self) -> int:
        """See Record.size."""
        ((size,),) = self._rows("SELECT coalesce(max(seq) + 1, 0) FROM entry")
        return int(size)

    def name(self) -> str:
        """See Record.name."""
        rows = self._rows("SELECT value FROM meta WHERE key = 'ledger.vkey'")
        return str(rows[0][0]) if rows else ""

    def screened(self, first: int, end: int) -> list[Row]:
        """See Record.screened."""
        return [Row(*row) for row in self._rows(_screened(_COLUMNS, "?", "?"), first, end, *SCREENED)]

    def marks(self, first: int, end: int) -> list[tuple[Micros, str, int]]:
        """See Record.marks."""
        return self._rows(_screened("at, dossier, version", "?", "?"), first, end, *SCREENED)

    def histories(self, dossiers: Sequence[str], end: int, kinds: Sequence[str]) -> list[Row]:
        """See Record.histories."""
        found: list[Row] = []
        for some in _slices(dossiers):
            which = f"dossier IN ({_holes(some)}) AND seq < ? AND kind IN ({_holes(kinds)})"
            rows = self._rows(f"SELECT {_COLUMNS} FROM entry WHERE {which}", *some, end, *kinds)
            found += [Row(*row) for row in rows]
        return sorted(found)

    def contents(self, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        """See Record.contents."""
        found: dict[bytes, bytes] = {}
        for some in _slices(digests):
            found.update(self._rows(f"SELECT digest, content FROM blob WHERE digest IN ({_holes(some)})", *some))
        return found

    def close(self) -> None:
        """See Record.close."""
        self._connection.close()

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        with _told():
            return self._connection.execute(sql, values).fetchall()


class PostgresRecord:
    """Record on a PostgreSQL database; its session cannot write."""

    def __init__(self, dsn: str) -> None:
        self._runner = asyncio.Runner()
        try:
            self._connection = self._answer(lambda: asyncpg.connect(dsn, timeout=_CONNECT_S, server_settings=_SESSION))
        except BaseException:
            self._runner.close()
            raise

    def size(self) -> int:
        """See Record.size."""
        ((size,),) = self._rows("SELECT coalesce(max(seq) + 1, 0) FROM entry")
        return int(size)

    def name(self) -> str:
        """See Record.name."""
        rows = self._rows("SELECT value FROM meta WHERE key = 'ledger.vkey'")
        return str(rows[0][0]) if rows else ""

    def screened(self, first: int, end: int) -> list[Row]:
        """See Record.screened."""
        return [Row(*row) for row in self._rows(_screened(_COLUMNS, "$1", "$2", "$3, $4"), first, end, *SCREENED)]

    def marks(self, first: int, end: int) -> list[tuple[Micros, str, int]]:
        """See Record.marks."""
        sql = _screened("at, dossier, version", "$1", "$2", "$3, $4")
        return [(row[0], row[1], row[2]) for row in self._rows(sql, first, end, *SCREENED)]

    def histories(self, dossiers: Sequence[str], end: int, kinds: Sequence[str]) -> list[Row]:
        """See Record.histories."""
        sql = f"SELECT {_COLUMNS} FROM entry WHERE dossier = ANY($1::text[]) AND seq < $2 AND kind = ANY($3::text[])"
        return [Row(*row) for row in self._rows(f"{sql} ORDER BY seq", list(dossiers), end, list(kinds))]

    def contents(self, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        """See Record.contents."""
        rows = self._rows("SELECT digest, content FROM blob WHERE digest = ANY($1::bytea[])", list(digests))
        return {row[0]: row[1] for row in rows}

    def close(self) -> None:
        """See Record.close."""
        try:
            self._answer(lambda: self._connection.close(timeout=_CONNECT_S))
        finally:
            self._runner.close()

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        return self._answer(lambda: self._connection.fetch(sql, *values))

    def _answer(self, ask: Callable[[], Awaitable[T]]) -> T:
        async def asked() -> T:
            return await ask()

        with _told():
            return self._runner.run(asked())


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, *_TROUBLE, ValueError) as problem:
        raise StoreUnavailable(f"The record cannot be read: {problem}.") from problem


def _screened(columns: str, first: str, end: str, kinds: str = "?, ?") -> str:
    return f"SELECT {columns} FROM entry WHERE seq >= {first} AND seq < {end} AND kind IN ({kinds}) ORDER BY seq"


def _slices(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(0, len(values), _AT_ONCE):
        yield values[first : first + _AT_ONCE]


def _holes(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))

"""Which commands of a group may be written: the compare-and-swap that both databases share.

Pure: a store fetches what the group expects and asks for, inside its transaction and under its lock, and this decides.
"""

from collections.abc import Iterable, Sequence

from placet.store.contract import (
    Commit,
    Committed,
    Conflict,
    Name,
    NameTaken,
    Remembered,
    Repeated,
    WriteResult,
)


class Known:
    """Versions, idempotency keys and names, as stored and as written by the group so far."""

    def __init__(
        self, versions: Iterable[tuple[str, int]], remembered: Iterable[Remembered], names: Iterable[Name]
    ) -> None:
        self._versions = dict(versions)
        self._remembered = {(row.scope, row.key): row for row in remembered}
        self._names = {(row.scope, row.name): row for row in names}

    def sort(self, commits: Sequence[Commit], next_seq: int) -> tuple[list[WriteResult], list[Commit]]:
        """Give each command its result, in order, and the commands that are to be written."""
        results: list[WriteResult] = []
        accepted: list[Commit] = []
        for commit in commits:
            objection = self._objection(commit)
            if objection is not None:
                results.append(objection)
                continue
            self._take(commit)
            accepted.append(commit)
            results.append(Committed(next_seq))
            next_seq += len(commit.entries)
        return results, accepted

    def _objection(self, commit: Commit) -> WriteResult | None:
        ask = commit.remember
        if ask is not None and (before := self._remembered.get((ask.scope, ask.key))) is not None:
            return Repeated(before)
        for dossier, version in commit.expects.items():
            if self._versions.get(dossier, 0) != version:
                return Conflict(dossier)
        for name in commit.names:
            held = self._names.get((name.scope, name.name))
            if held is not None and held.dossier != name.dossier:
                return NameTaken(held)
        return None

    def _take(self, commit: Commit) -> None:
        for row in commit.dossiers:
            self._versions[row.id] = row.version
        if commit.remember is not None:
            self._remembered[commit.remember.scope, commit.remember.key] = commit.remember
        for name in commit.names:
            self._names[name.scope, name.name] = name

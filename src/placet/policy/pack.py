"""Loading a rule pack: a folder, or the texts of one kept in the record -> a checked Pack, or every problem found.

`read_pack_folder` is the only part that touches the disk. Everything else is a function of the texts, so that a pack
archived in the record loads again for a replay, with the same digest.
"""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from placet.errors import SettingsError
from placet.ledger.encode import canonical
from placet.model import Value
from placet.policy import checks, parse
from placet.policy.values import Pack, Problem


class LoadResult(Value, frozen=True):
    """A pack, or the problems for which there is none."""

    pack: Pack | None
    problems: tuple[Problem, ...] = ()

    def require(self) -> Pack:
        """Give the pack; raises SettingsError with every problem where there is none."""
        if self.pack is None:
            raise SettingsError("\n".join(["The rule pack cannot be used.", *map(str, self.problems)]))
        return self.pack


def load_pack(source: Path | Mapping[str, str], *, run_cases: bool = True) -> LoadResult:
    """Read and check a pack. `load_pack(pack.files)` gives an equal pack.

    Without `run_cases`, for those who look at a pack and do not put it in force, its golden cases may fail.
    """
    if isinstance(source, Path):
        files, problems = read_pack_folder(source)
        if problems:
            return LoadResult(None, problems)
    else:
        files = dict(source)
    draft = parse.Draft(files)
    for stage in parse.STAGES:
        if found := tuple(problem for check in stage for problem in check(draft)):
            return LoadResult(None, found)
    pack = parse.build(draft, digest_of(draft.files))
    for meaning in checks.STAGES if run_cases else checks.STAGES[:-1]:
        if found := tuple(problem for verify in meaning for problem in verify(draft, pack)):
            return LoadResult(None, found)
    return LoadResult(pack)


def digest_of(files: Mapping[str, str]) -> str:
    """Give the SHA-256 over the canonical JSON (RFC 8785) of the texts by file name."""
    return f"sha256:{hashlib.sha256(canonical(dict(files))).hexdigest()}"


def read_pack_folder(path: Path) -> tuple[dict[str, str], tuple[Problem, ...]]:
    """Read the texts of a pack's files by name ("lists/scams.toml"), and say which entries cannot belong to a pack.

    Symbolic links, devices and the like are refused unread, as are files over the size limit; hidden files are skipped.
    """
    if not path.is_dir():
        return {}, (Problem("missing-file", str(path), 0, "There is no such folder.", "Name a pack or its folder."),)
    files: dict[str, str] = {}
    problems: list[Problem] = []
    for name, entry in _entries(path):
        text = _read(name, entry)
        if isinstance(text, Problem):
            problems.append(text)
        else:
            files[name] = text
        if len(files) + len(problems) > parse.MAX_FILES:
            problems.append(Problem("too-large", name, 0, f"The folder has more than {parse.MAX_FILES} files."))
            break
    return files, tuple(problems)


def _entries(folder: Path) -> list[tuple[str, Path]]:
    """List the folder and the folders that a pack may have in it, without following links."""
    found: list[tuple[str, Path]] = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.name in parse.FOLDERS and entry.is_dir() and not entry.is_symlink():
            found += [(f"{entry.name}/{one.name}", one) for one in sorted(entry.iterdir()) if one.name[0] != "."]
        else:
            found.append((entry.name, entry))
    return found


def _read(name: str, path: Path) -> str | Problem:
    """Read one regular file. O_NOFOLLOW and fstat speak of the file that is read, whatever is swapped in meanwhile."""
    if not parse.FILE_NAME.fullmatch(name):
        return Problem("unknown-file", name, 0, "This does not belong to a pack.", parse.WHAT_BELONGS)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        message = f"The file cannot be read: {error.strerror}."
        return Problem("not-a-file", name, 0, message, "Put a regular, readable file there, not a link.")
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return Problem("not-a-file", name, 0, "This is not a regular file.", "Put a regular file there.")
        data = file.read(parse.MAX_FILE_BYTES + 1)
    if len(data) > parse.MAX_FILE_BYTES:
        message = f"The file is larger than {parse.MAX_FILE_BYTES} bytes."
        return Problem("too-large", name, 0, message, "Split the list.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Problem("not-utf8", name, line, "The file is not UTF-8.", "Save it as UTF-8.")

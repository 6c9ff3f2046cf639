"""Built tables and automata in files that all processes of a user share (screening/kept.py).

Each file is named by what it was made from and begins with the hash of its content: a file that is damaged or cut short
is as good as none, and is written anew. Files come into being by renaming, so that nobody reads half of one.
"""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

_MOST_FILES: Final = 64
_HASH: Final = 32


def default_folder() -> Path | None:
    """Where they lie when nobody says otherwise: in the user's cache folder (XDG Base Directory), if there is one."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    with contextlib.suppress(RuntimeError):  # a user without a home
        return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "placet"
    return None


class FolderKeep:
    """A Keep in a folder that only its user may enter."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str) -> bytes | None:
        """See Keep."""
        file = self._folder / name
        try:
            content = file.read_bytes()
            os.utime(file)  # what is in use is not dropped to make room
        except OSError:
            return None
        kept = content[_HASH:]
        return kept if hashlib.sha256(kept).digest() == content[:_HASH] else None

    def put(self, name: str, content: bytes) -> None:
        """See Keep. A full disk or a folder that cannot be written to costs time at the next start, nothing else."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
                file.write(hashlib.sha256(content).digest() + content)
            Path(file.name).rename(self._folder / name)
            self._make_room()

    def _make_room(self) -> None:
        """Drop the files that were used longest ago, beyond the most that are kept."""
        files = sorted(self._folder.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)
        for file in files[_MOST_FILES:]:
            file.unlink(missing_ok=True)

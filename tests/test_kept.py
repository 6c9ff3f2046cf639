"""Long work is done once: results are kept for other processes, and nothing that is found depends on it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from placet.automata import FolderKeep, default_folder
from placet.model import Item
from placet.screening import Lexicon, LexiconError, PatternSpec, TermList, screen
from placet.screening.kept import decoded, encoded, keep_in

TERMS = (*(f"第{number}号" for number in range(3_000)), "加微信", "微信", "C++", "viagra", "Viagra")
TEXT = "加 微🙂信 第77号 c++ v1agra VIAGRA 编号：AB"


class MemoryKeep:
    """Keeps results, and counts what was asked for in vain."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.missed = 0

    def get(self, name: str) -> bytes | None:
        """See Keep."""
        self.missed += name not in self.content
        return self.content.get(name)

    def put(self, name: str, content: bytes) -> None:
        """See Keep."""
        self.content[name] = content


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryKeep:
    """Results are kept here during one test."""
    monkeypatch.setattr("placet.screening.kept._keeps", [None])
    keep = MemoryKeep()
    keep_in(keep)
    return keep


def lexicon(*terms: str) -> Lexicon:
    """Very many terms on every reading of text as it is written, and a pattern."""
    views = (*TermList("", ()).views, "leet")
    source = TermList("a/b", TERMS + terms, views=views, exceptions=("加微信好友",))
    return Lexicon.build([source], [PatternSpec("a/c", "number", None, "编号：[A-Z]+")])


def test_what_is_kept_finds_the_same(memory: MemoryKeep) -> None:
    """The second of two equal lexicons is read, not made, and finds what the first one finds."""
    first = lexicon()
    assert memory.missed > 0
    memory.missed = 0
    second = lexicon()
    assert memory.missed == 0
    found = screen(Item(body=TEXT), first)
    assert [f.view for f in found] == ["squeezed", "squeezed", "exact", "folded", "leet", "folded", "exact"]
    assert screen(Item(body=TEXT), second) == found


def test_other_lists_are_other_work(memory: MemoryKeep) -> None:
    """One more term, and nothing that was kept of the list is used."""
    lexicon()
    memory.missed = 0
    assert [f.quote for f in screen(Item(body="扫码"), lexicon("扫码"))] == ["扫码"]
    assert memory.missed > 0


def test_a_list_that_cannot_be_used_is_not_kept(memory: MemoryKeep) -> None:
    """What is wrong with a list is said every time."""
    for _ in range(2):
        with pytest.raises(LexiconError, match="white space"):
            lexicon(" 好")
    assert not any(name.startswith("terms") for name in memory.content)


@given(arrays(np.uint32, array_shapes(max_dims=3)), st.dictionaries(st.integers(0, 9), st.text()))
def test_arrays_and_tables_come_back(
    array: np.ndarray[tuple[int, ...], np.dtype[np.uint32]], table: dict[int, str]
) -> None:
    """What is read is what was written, in shape and kind."""
    read, other = decoded(encoded((array, table)))
    assert read.dtype == array.dtype
    assert np.array_equal(read, array)
    assert other == table


def test_files_are_shared(tmp_path: Path) -> None:
    """What one process keeps another one gets; only their user may look."""
    folder = tmp_path / "kept"
    FolderKeep(folder).put("terms-1", b"content")
    assert FolderKeep(folder).get("terms-1") == b"content"
    assert FolderKeep(folder).get("terms-2") is None
    assert folder.stat().st_mode & 0o77 == 0
    assert (folder / "terms-1").stat().st_mode & 0o77 == 0


@pytest.mark.parametrize("damaged", [b"", b"x", b"x" * 100])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, damaged: bytes) -> None:
    """It is passed over, and written anew."""
    keep = FolderKeep(tmp_path)
    (tmp_path / "terms-1").write_bytes(damaged)
    assert keep.get("terms-1") is None
    keep.put("terms-1", b"content")
    assert keep.get("terms-1") == b"content"


def test_a_folder_that_cannot_be_written_to_does_no_harm(tmp_path: Path) -> None:
    """Then the work is done at every start."""
    (tmp_path / "file").write_text("in the way", "utf-8")
    keep = FolderKeep(tmp_path / "file" / "kept")
    keep.put("terms-1", b"content")
    assert keep.get("terms-1") is None


def test_what_is_in_use_is_not_dropped_to_make_room(tmp_path: Path) -> None:
    """There are so many files and no more; those go that nobody has asked for."""
    keep = FolderKeep(tmp_path)
    keep.put("used", b"content")
    for number in range(200):
        keep.put(f"terms-{number}", b"content")
        assert keep.get("used") == b"content"
    assert len(list(tmp_path.iterdir())) < 100
    assert keep.get("terms-0") is None
    assert keep.get("terms-199") == b"content"


def test_the_folder_is_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the XDG Base Directory specification has it: a relative path does not count."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/tmp/cache")
    assert default_folder() == Path("/var/tmp/cache/placet")
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert default_folder() == Path.home() / ".cache" / "placet"


def test_a_user_without_a_home_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs under a number of its own."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)
    assert default_folder() is None

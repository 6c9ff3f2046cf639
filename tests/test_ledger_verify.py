"""The export of a ledger and its offline verifier."""

import io
import re
import subprocess
import sys
import typing
from pathlib import Path

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from placet.ledger import merkle
from placet.ledger.checkpoint import Checkpoint, NoteError, Signer, sign_checkpoint, sign_note
from placet.ledger.encode import canonical, commitment, header_bytes, leaf_hash
from placet.ledger.export import body_line, export_lines, manifest_line, tile_line
from placet.ledger.verify import MAX_LISTED, Code, Report, main, verify

SIGNER = Signer("ledger.example/one", bytes(range(32)))
OTHER = Signer(SIGNER.name, bytes(32))
DOCS = Path(__file__).parent.parent / "docs" / "ledger.md"


class Ledger:
    """A small ledger in memory: three dossiers that take turns."""

    def __init__(self, size: int, signer: Signer = SIGNER) -> None:
        self.signer = signer
        self.bodies = [canonical({"note": f"entry {seq}", "n": seq}) for seq in range(size)]
        self.salts = [leaf_hash(b"salt %d" % seq) for seq in range(size)]
        self.headers = [self.header(seq) for seq in range(size)]

    def header(self, seq: int, /, **changes: typing.Any) -> bytes:
        fields = {
            "seq": seq,
            "at": 1_700_000_000_000_000 + seq,
            "dossier": f"pub_{seq % 3}",
            "version": seq // 3 + 1,
            "kind": "publication.submitted",
            "actor": "key_1",
            "policy": "ab" * 32,
            "instant": 1_700_000_000_000_000,
            "entry_id": f"ent_{seq}",
            "commitment": commitment(self.salts[seq], self.bodies[seq]),
        }
        return header_bytes(**{**fields, **changes})

    @property
    def leaves(self) -> list[bytes]:
        return [leaf_hash(header) for header in self.headers]

    def checkpoint(self, size: int | None = None) -> str:
        leaves = self.leaves[:size]
        return sign_checkpoint(Checkpoint(self.signer.name, len(leaves), merkle.root(leaves)), self.signer)

    def tiles(self) -> dict[tuple[int, int], bytes]:
        def nothing(level: int, index: int) -> bytes:
            raise AssertionError((level, index))

        return {(tile.level, tile.index): h for tile, h in merkle.grow(0, b"".join(self.leaves), nothing)}

    def export(self, *, checkpoint: str = "", disclose: tuple[int, ...] = ()) -> list[bytes]:
        tiles = self.tiles()
        return list(
            export_lines(
                origin=self.signer.name,
                vkey=self.signer.vkey,
                size=len(self.headers),
                checkpoint=checkpoint or self.checkpoint(),
                headers=self.headers,
                read=lambda level, index: tiles[level, index],
                bodies=[(seq, self.salts[seq], self.bodies[seq]) for seq in disclose],
            )
        )


SMALL = Ledger(7)
BIG = Ledger(600)
SMALL_LINES = SMALL.export(disclose=(2, 6))
BIG_LINES = BIG.export(disclose=(0, 300))
BIG_BYTES = b"".join(BIG_LINES)
TILES_AT = 601  # the first tile line of BIG: tile/0/000, tile/0/001, tile/0/002.p/88, tile/1/000.p/2


def codes(report: Report) -> set[str]:
    return {problem.code for problem in report.problems}


def found(report: Report, code: str, index: int | None) -> None:
    """The report names this code at this index, and nothing before it."""
    assert not report.ok
    assert report.first_bad == index
    assert (index, code) in {(problem.index, problem.code) for problem in report.problems}


def with_line(lines: list[bytes], at: int, line: bytes) -> list[bytes]:
    return [*lines[:at], line, *lines[at + 1 :]]


# --- a good file -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 600])
def test_an_export_verifies(size: int) -> None:
    """What is exported verifies at any size, with and without newlines, trusted key and known heads."""
    ledger = Ledger(size)
    lines = ledger.export(disclose=tuple(range(0, size, 100)))
    report = verify(lines, SIGNER.vkey, ledger.checkpoint(size // 2))
    assert report == Report(True, SIGNER.name, SIGNER.vkey, size, merkle.root(ledger.leaves).hex(), (), None)
    assert verify([line.removesuffix(b"\n") for line in lines]) == report


def test_progress_is_told() -> None:
    """The caller hears how far the reading is."""
    told: list[tuple[int, int]] = []
    verify(BIG_LINES, progress=lambda done, size: told.append((done, size)))
    assert told == [(0, 600)]


def test_bodies_are_not_in_an_export_unless_asked_for() -> None:
    """Without disclosure there is neither body nor salt in the file."""
    text = b"".join(SMALL.export())
    assert b"entry 2" not in text
    assert SMALL.salts[2].hex().encode() not in text


# --- one change --------------------------------------------------------------------------------------------------


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_changed_byte_is_found(data: st.DataObject) -> None:
    """No byte of an export, wherever it stands, can be changed unseen."""
    whole = b"".join(SMALL_LINES)
    changed = bytearray(whole)
    changed[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    assert not verify(io.BytesIO(changed), SIGNER.vkey).ok


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_changed_header_byte_names_its_entry(data: st.DataObject) -> None:
    """Whatever byte of a header is changed, the first bad index is that entry's."""
    index = data.draw(st.integers(0, 599))
    line = bytearray(BIG_LINES[index + 1][:-1])
    line[data.draw(st.integers(0, len(line) - 1))] ^= data.draw(st.integers(1, 255))
    report = verify(with_line(BIG_LINES, index + 1, bytes(line) + b"\n"))
    assert not report.ok
    assert report.first_bad == index


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 599), st.integers(0, 700))
def test_a_header_that_claims_another_place_names_its_own(index: int, claimed: int) -> None:
    """A header rewritten with another seq is found at the place where it stands, not at the one that it claims."""
    assume(claimed != index)
    line = BIG.header(index, seq=claimed) + b"\n"
    found(verify(with_line(BIG_LINES, index + 1, line)), "wrong_seq", index)


def test_every_changed_header_is_named() -> None:
    """Several changed headers are each named."""
    lines = BIG_LINES
    for index in (3, 256, 599):
        lines = with_line(lines, index + 1, BIG.header(index, kind="publication.released") + b"\n")
    report = verify(lines)
    assert [problem.index for problem in report.problems if problem.code == "entry_changed"] == [3, 256, 599]
    assert report.first_bad == 3


@pytest.mark.parametrize(("line", "n", "index"), [(0, 17, 17), (1, 0, 256), (2, 87, 599), (3, 0, 0), (3, 1, 256)])
def test_a_changed_tile_hash_is_told_from_a_changed_header(line: int, n: int, index: int) -> None:
    """A hash changed in a tile of any level is laid to the tile, since the headers still add up to the signed root."""
    tile = list(merkle.tiles(600))[line]
    hashes = bytearray(BIG.tiles()[tile.level, tile.index])
    hashes[n * 32] ^= 1
    report = verify(with_line(BIG_LINES, TILES_AT + line, tile_line(tile, bytes(hashes))))
    found(report, "tile_changed", index)
    assert codes(report) == {"tile_changed"}


def test_a_changed_header_and_a_changed_tile_are_told_apart() -> None:
    """With both in one file, the tile above says which of the two is which."""
    hashes = bytearray(BIG.tiles()[0, 1])
    hashes[-1] ^= 1
    lines = with_line(BIG_LINES, TILES_AT + 1, tile_line(merkle.Tile(0, 1), bytes(hashes)))
    lines = with_line(lines, 1 + 5, BIG.header(5, actor="key_2") + b"\n")
    report = verify(lines)
    assert {(p.index, p.code) for p in report.problems} == {
        (None, "root_mismatch"),
        (5, "entry_changed"),
        (511, "tile_changed"),
    }


def rewritten(index: int, levels: int) -> list[bytes]:
    """An export in which an entry was changed, and the tiles up to a level with it, but not the signed head."""
    forged = Ledger(600)
    forged.headers[index] = forged.header(index, actor="key_2")
    lines = BIG.export()
    lines[1 + index] = forged.headers[index] + b"\n"
    for at, tile in enumerate(merkle.tiles(600)):
        if tile.level < levels:
            lines[TILES_AT + at] = tile_line(tile, forged.tiles()[tile.level, tile.index])
    return lines


def test_a_change_covered_up_in_its_tile_is_narrowed_down() -> None:
    """Header and leaf tile changed alike: the tile above names the 256 entries among which it is."""
    found(verify(rewritten(300, 1)), "subtree_changed", 256)


def test_a_change_covered_up_in_all_tiles_contradicts_the_signature() -> None:
    """Header and all tiles changed alike: the signed root is another, and no entry can be named."""
    report = verify(rewritten(300, 2))
    found(report, "root_mismatch", None)
    assert codes(report) == {"root_mismatch"}


# --- lines missing, too many, out of order -----------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 599), st.integers(1, 300))
def test_missing_lines_are_named(index: int, count: int) -> None:
    """Header lines taken out are named, the first of them as the first bad entry; what follows is still checked."""
    count = min(count, 600 - index)
    lines = BIG_LINES[: index + 1] + BIG_LINES[index + 1 + count :]
    report = verify(lines)
    found(report, "missing" if index + count < 600 else "truncated", index)
    assert "wrong_seq" not in codes(report)
    assert "entry_changed" not in codes(report)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 599), st.integers(0, 599))
def test_repeated_lines_are_named(index: int, at: int) -> None:
    """A header line that stands in the file twice is named."""
    assume(at >= index)
    lines = [*BIG_LINES[: at + 2], BIG_LINES[index + 1], *BIG_LINES[at + 2 :]]
    report = verify(lines)
    assert (index, "repeated") in {(p.index, p.code) for p in report.problems}
    assert report.first_bad == index


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 599), st.integers(0, 599))
def test_exchanged_lines_are_named(one: int, two: int) -> None:
    """Two header lines in each other's place: the first bad entry is the lower place."""
    assume(one < two)
    lines = list(BIG_LINES)
    lines[one + 1], lines[two + 1] = lines[two + 1], lines[one + 1]
    report = verify(lines)
    assert not report.ok
    assert report.first_bad == one


def test_a_line_too_many_is_found() -> None:
    """A header after the last one, and a line of no kind, are found."""
    extra = BIG.header(0, seq=600) + b"\n"
    assert codes(verify([*BIG_LINES[:TILES_AT], extra, *BIG_LINES[TILES_AT:]])) == {"extra_line", "version_gap"}
    assert codes(verify([*BIG_LINES, b"\n"])) == {"extra_line"}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_truncated_file_is_found(data: st.DataObject) -> None:
    """A file cut anywhere before its bodies is found; cut among the headers, the first one lacking is named."""
    end = len(b"".join(BIG_LINES[: TILES_AT + 4]))
    cut = BIG_BYTES[: data.draw(st.integers(0, end - 2))]
    report = verify(io.BytesIO(cut))
    assert not report.ok
    whole = cut.count(b"\n") - 1
    headers_cut = len(cut) < len(b"".join(BIG_LINES[:TILES_AT])) - 1
    if 0 <= whole < 600 and headers_cut and not cut.endswith(b"}"):
        assert report.first_bad == whole


def test_missing_and_odd_tiles_are_found() -> None:
    """A tile that is missing, there twice, of another width or not in canonical form is found."""
    line = BIG_LINES[TILES_AT]
    assert codes(verify([*BIG_LINES[:TILES_AT], *BIG_LINES[TILES_AT + 1 :]])) == {"tile_missing"}
    assert codes(verify([*BIG_LINES[:TILES_AT], line, *BIG_LINES[TILES_AT:]])) == {"tile_unreadable"}
    narrow = tile_line(merkle.Tile(0, 0, 3), bytes(96))
    beyond = tile_line(merkle.Tile(0, 3, 3), bytes(96))
    for odd in (narrow, beyond, b'{"tile": "tile/0/000","hashes":""}\n', b'{"tile":"tile/0/000","hashes":"%"}\n'):
        assert codes(verify([*BIG_LINES, odd])) == {"tile_unreadable"}


# --- what was signed is itself wrong -----------------------------------------------------------------------------


def test_a_gap_in_a_dossiers_versions_is_found_though_signed() -> None:
    """Versions of a dossier go 1, 2, 3: a signed record that leaves one out or repeats one is not in order."""
    for version in (1, 3, 5):
        ledger = Ledger(9)
        ledger.headers[3] = ledger.header(3, version=version)
        found(verify(ledger.export()), "version_gap", 3)


def test_a_wrong_place_is_found_though_signed() -> None:
    """Headers must give their own place: a signed record in which one claims another's is not in order."""
    ledger = Ledger(9)
    ledger.headers[4] = ledger.header(4, seq=2)
    found(verify(ledger.export()), "wrong_seq", 4)


def test_a_header_in_another_form_is_found_though_signed() -> None:
    """Headers must be in canonical form even when their bytes are those signed."""
    ledger = Ledger(9)
    ledger.headers[4] = ledger.headers[4].replace(b":", b": ", 1)
    found(verify(ledger.export()), "unreadable", 4)


# --- heads and keys ----------------------------------------------------------------------------------------------


def test_another_key_than_the_trusted_one_is_found() -> None:
    """A ledger rewritten and signed with another key is whole in itself, but not by the trusted key."""
    lines = Ledger(7, OTHER).export()
    assert verify(lines).ok
    assert codes(verify(lines, SIGNER.vkey)) == {"untrusted_key"}
    mixed = with_line(lines, 0, manifest_line(SIGNER.name, SIGNER.vkey, 7, Ledger(7, OTHER).checkpoint()))
    assert codes(verify(mixed, SIGNER.vkey)) == {"untrusted_key"}


def test_a_wrong_signature_is_found() -> None:
    """A head changed after signing, or another text under the signature, is found."""
    good = SMALL.checkpoint()
    for note, code in (
        (good.replace("\n7\n", "\n8\n"), "bad_signature"),
        (sign_note("ledger.example/one\n7\n", SIGNER), "bad_checkpoint"),
        ("no note", "bad_checkpoint"),
    ):
        line = manifest_line(SIGNER.name, SIGNER.vkey, 7, note)
        assert codes(verify(with_line(SMALL_LINES, 0, line))) == {code}


def test_a_manifest_that_contradicts_its_head_is_found() -> None:
    """The manifest may not claim another size or name than the signed head."""
    lines = SMALL.export()
    other_name = manifest_line("other.example", SIGNER.vkey, 7, SMALL.checkpoint())
    assert codes(verify(with_line(lines, 0, other_name))) == {"bad_manifest"}
    shorter = manifest_line(SIGNER.name, SIGNER.vkey, 7, SMALL.checkpoint(6))
    assert codes(verify(with_line(lines, 0, shorter))) == {"bad_manifest"}


@pytest.mark.parametrize("line", [b"", b"{}", b"null", b"\xff", b"[" * 100_000])
def test_a_file_without_manifest_is_found(line: bytes) -> None:
    """A file of another kind, or an empty one, is not an export."""
    assert codes(verify([line])) == {"bad_manifest"}
    assert codes(verify([])) == {"bad_manifest"}


def test_a_rollback_is_found() -> None:
    """An export with fewer entries than a head that was seen before is found, though it is whole."""
    known = BIG.checkpoint(8)
    assert codes(verify(SMALL_LINES, known_checkpoint=known)) == {"rollback"}


def test_a_fork_is_found() -> None:
    """An export that does not continue a head seen before is found; one that does is fine."""
    forged = Ledger(600)
    forged.headers[100] = forged.header(100, actor="key_2")
    for size in (101, 256, 600):
        assert codes(verify(BIG_LINES, known_checkpoint=forged.checkpoint(size))) == {"fork"}
    for size in (0, 1, 100):
        assert verify(BIG_LINES, known_checkpoint=forged.checkpoint(size)).ok
    named = sign_note(str(Checkpoint("other.example", 1, bytes(32))), SIGNER)
    assert codes(verify(BIG_LINES, known_checkpoint=named)) == {"fork"}


def test_a_known_head_by_another_key_is_found() -> None:
    """A head seen before that this ledger's key has not signed speaks against the file."""
    known = Ledger(3, OTHER).checkpoint()
    assert codes(verify(SMALL_LINES, known_checkpoint=known)) == {"untrusted_key"}


def test_wrong_arguments_raise() -> None:
    """A trusted key or known head that is none is the caller's mistake, not the file's."""
    with pytest.raises(NoteError):
        verify(SMALL_LINES, "not a key")
    with pytest.raises(NoteError):
        verify(SMALL_LINES, known_checkpoint="not a head")


# --- bodies ------------------------------------------------------------------------------------------------------


def test_a_disclosed_body_must_be_the_one_committed_to() -> None:
    """Another body, another salt, or a body of an entry that is not there is found."""
    for seq, salt, body in (
        (2, SMALL.salts[2], SMALL.bodies[3]),
        (2, SMALL.salts[3], SMALL.bodies[2]),
        (70, SMALL.salts[2], SMALL.bodies[2]),
    ):
        found(verify([*SMALL_LINES, body_line(seq, salt, body)]), "body_mismatch", seq)


@pytest.mark.parametrize(
    "line",
    [
        b'{"seq":2,"salt":"00","body":{}}',
        b'{"seq":2,"salt":"' + b"0" * 64 + b'","body":{"a":1,"a":1}}',
        b'{"seq":2,"salt":"' + b"0" * 64 + b'","body":{"a":1.5}}',
        b'{"seq":2,"salt":"' + b"0" * 64 + b'","body":{"b":1,"a":1}}',
        b'{"seq":2,"salt":"' + b"0" * 64 + b'", "body":{}}',
        b'{"seq":2,"salt":"' + b"zz" * 32 + b'","body":{}}',
        b'{"seq":-1,"salt":"' + b"0" * 64 + b'","body":{}}',
        b'{"seq":2,"salt":"' + b"0" * 64 + b'","body":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"seq":2,"salt":"' + b"0" * 64 + b'","body":"\xff"}',
    ],
)
def test_a_body_in_another_form_is_found(line: bytes) -> None:
    """A body line that is not in canonical form is not read as one."""
    assert codes(verify([*SMALL_LINES, line])) == {"body_unreadable"}


def test_bodies_are_found_by_seq_where_lines_are_missing() -> None:
    """A disclosed body is checked against its own entry's header even when other headers are missing."""
    lines = [line for at, line in enumerate(SMALL_LINES) if at != 1]
    assert codes(verify(lines)) == {"missing", "version_gap"}
    changed = body_line(6, SMALL.salts[6], SMALL.bodies[5])
    assert codes(verify([*lines, changed])) == {"missing", "version_gap", "body_mismatch"}


# --- hostile files -----------------------------------------------------------------------------------------------


def test_a_claim_of_more_entries_than_can_be_counted_ends_soon() -> None:
    """A manifest may claim any size: the verifier reads what is there and says what is not."""
    size = 2**53 - 1
    note = sign_checkpoint(Checkpoint(SIGNER.name, size, bytes(32)), SIGNER)
    report = verify([manifest_line(SIGNER.name, SIGNER.vkey, size, note), *SMALL_LINES[1:8]])
    assert codes(report) == {"truncated", "tile_missing"}
    assert report.first_bad == 7


def test_a_report_stays_short() -> None:
    """Of a code that comes often only the first few are listed, and the first bad index is still the lowest."""
    lines = [BIG_LINES[0], *BIG_LINES[TILES_AT - 1 : 0 : -1], *BIG_LINES[TILES_AT:]]
    report = verify(lines)
    assert report.first_bad == 0
    assert len(report.problems) <= 4 * MAX_LISTED


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(SMALL_LINES) | st.binary(max_size=60), max_size=20))
def test_no_file_makes_it_fail(lines: list[bytes]) -> None:
    """Any lines at all give a report, and only the export itself a good one."""
    assert verify([SMALL_LINES[0], *lines]).ok <= (set(SMALL.export()) <= {SMALL_LINES[0], *lines})


# --- command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "export.jsonl"
    path.write_bytes(BIG_BYTES)
    return path


def test_the_command_says_fine(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A good file gives 0 and its size and root; without a key the report says that the key is the file's own."""
    assert main([str(file)]) == 0
    out = capsys.readouterr().out
    assert "OK" in out.splitlines()
    assert merkle.root(BIG.leaves).hex() in out
    assert "give --vkey" in out
    head = file.with_name("head")
    head.write_text(BIG.checkpoint(5), "utf-8")
    assert main([str(file), "--vkey", SIGNER.vkey, "--known", str(head)]) == 0
    assert "give --vkey" not in capsys.readouterr().out


def test_the_command_names_the_first_bad_entry(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bad file gives 1 and names the first bad entry."""
    file.write_bytes(BIG_BYTES.replace(b'"id":"ent_42"', b'"id":"ent_43"'))
    assert main([str(file)]) == 1
    assert "the first bad entry is 42" in capsys.readouterr().out


def test_the_command_says_misuse(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there, or a key that is none, gives 2."""
    assert main([str(file) + ".none"]) == 2
    assert main([str(file), "--vkey", "x"]) == 2
    assert main([str(file), "--known", str(file)]) == 2
    assert capsys.readouterr().err


def test_the_verifier_runs_alone(file: Path) -> None:
    """Run as a module it needs nothing of the server: no store, no web, no database driver."""
    code = (
        "import runpy, sys; sys.argv = ['verify', sys.argv[1]]\n"
        "try: runpy.run_module('placet.ledger.verify', run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "print(sorted(m for m in sys.modules if m.startswith(('placet', 'sqlite3', 'asyncpg', 'litestar'))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(file)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(DOCS.parent.parent / "src")},
    )
    loaded = set(re.findall(r"'([\w.]+)'", done.stdout.splitlines()[-1]))
    assert loaded <= {"placet", "placet.model"} | {
        f"placet.ledger{name}" for name in ("", ".encode", ".merkle", ".checkpoint", ".export", ".verify")
    }


# --- documentation -----------------------------------------------------------------------------------------------


def test_the_example_in_the_documentation_verifies() -> None:
    """The export printed in docs/ledger.md is a good one under the key printed there."""
    text = DOCS.read_text("utf-8")
    example = re.search(r"```jsonl\n(.*?)```", text, re.DOTALL)
    assert example is not None
    lines = example[1].encode().splitlines(keepends=True)
    vkey = msgspec.json.decode(lines[0])["vkey"]
    report = verify(lines, vkey)
    assert report.ok
    assert report.size > 0
    assert text.count(report.root) == 1
    for header in lines[1 : report.size + 1]:
        assert leaf_hash(header[:-1]).hex() in text


def test_every_code_is_documented() -> None:
    """docs/ledger.md says of every code what it means."""
    text = DOCS.read_text("utf-8")
    assert [code for code in typing.get_args(Code) if f"`{code}`" not in text] == []

"""Notes, keys, checkpoints, and when a head may be signed."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet.ledger import merkle
from placet.ledger.checkpoint import (
    Checkpoint,
    NoteError,
    Signature,
    Signer,
    may_sign,
    open_checkpoint,
    open_note,
    parse_checkpoint,
    parse_vkey,
    sign_checkpoint,
    sign_note,
)
from placet.ledger.encode import leaf_hash

# From the documentation and tests of golang.org/x/mod/sumdb/note.
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
BY_PETER = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
NOTE = TEXT + "\n" + BY_PETER
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
BY_ENOCH = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"

SIGNER = Signer("ledger.example/one", bytes(range(32)))
LEAVES = [leaf_hash(b"%d" % n) for n in range(40)]


def head(size: int, origin: str = SIGNER.name) -> Checkpoint:
    return Checkpoint(origin, size, merkle.root(LEAVES[:size]))


# --- keys --------------------------------------------------------------------------------------------------------


def test_published_keys_read_and_write() -> None:
    """The published verifier and signing keys are read, belong together, and are written the same."""
    key, signer = parse_vkey(VKEY), Signer.parse(PRIVATE)
    assert (key.name, key.key_id.hex(), str(key)) == ("PeterNeumann", "c74f20a3", VKEY)
    assert (signer.name, signer.vkey, signer.private_text()) == ("PeterNeumann", VKEY, PRIVATE)


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32), st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20))
def test_keys_read_back(seed: bytes, name: str) -> None:
    """Both forms of a key give the same key back."""
    signer = Signer(name, seed)
    assert Signer.parse(signer.private_text()).private_text() == signer.private_text()
    assert parse_vkey(signer.vkey) == signer.key


@pytest.mark.parametrize("text", [VKEY, PRIVATE])
def test_no_part_of_a_key_is_a_key(text: str) -> None:
    """Every proper part of a key, and a key with one character raised by one, is refused (as sumdb/note does)."""
    read = parse_vkey if text == VKEY else Signer.parse
    parts = {text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1)} - {text}
    raised = {text[:i] + chr(ord(text[i]) + 1) + text[i + 1 :] for i in range(len(text))}
    for wrong in parts | raised:
        with pytest.raises(NoteError):
            read(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        VKEY.replace("c74f20a3", "C74F20A3"),
        VKEY + "\n",
        "\ud800+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "",
    ],
)
def test_keys_of_other_kinds_are_refused(text: str) -> None:
    """A key of another length or algorithm (vectors of sumdb/note), or in another spelling, is refused."""
    with pytest.raises(NoteError) as caught:
        parse_vkey(text)
    assert caught.value.fault == "bad_key"


@pytest.mark.parametrize(("name", "seed"), [("two words", bytes(32)), ("a+b", bytes(32)), ("", bytes(32)), ("a", b"x")])
def test_signers_need_a_name_and_a_seed(name: str, seed: bytes) -> None:
    """A name with spaces or a plus, or a seed of another length, makes no signer."""
    with pytest.raises(NoteError):
        Signer(name, seed)


def test_a_signer_does_not_show_its_secret() -> None:
    """Neither repr nor str of a signer holds its private text."""
    secret = PRIVATE.rsplit("+", 1)[1]
    assert secret not in repr(Signer.parse(PRIVATE))
    assert secret not in str(Signer.parse(PRIVATE))


# --- notes -------------------------------------------------------------------------------------------------------


def test_published_note_is_signed_and_opened() -> None:
    """The published text and key give the published note, and it opens."""
    assert sign_note(TEXT, Signer.parse(PRIVATE)) == NOTE
    note = open_note(NOTE, [VKEY])
    assert note.text == TEXT
    assert [signature.name for signature in note.verified] == ["PeterNeumann"]
    assert note.unverified == ()


def test_signatures_by_unknown_keys_are_left_unverified() -> None:
    """A signature by a key that is not trusted neither counts nor disturbs."""
    both = NOTE + BY_ENOCH
    assert [s.name for s in open_note(both, [VKEY]).unverified] == ["EnochRoot"]
    assert [s.name for s in open_note(both, [ENOCH, VKEY]).verified] == ["PeterNeumann", "EnochRoot"]
    with pytest.raises(NoteError) as caught:
        open_note(NOTE, [ENOCH])
    assert caught.value.fault == "unknown_key"


def test_one_wrong_signature_by_a_trusted_key_spoils_the_note() -> None:
    """If a known key's signature is wrong the note is rejected, whatever else is on it."""
    wrong = NOTE.replace("problem is", "problem was")
    with pytest.raises(NoteError) as caught:
        open_note(wrong + BY_ENOCH, [VKEY, ENOCH])
    assert caught.value.fault == "bad_signature"


def test_repeated_signatures_count_once() -> None:
    """The same signature line twice is one signature."""
    assert open_note(NOTE + BY_PETER, [VKEY]).verified == open_note(NOTE, [VKEY]).verified


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT,
        TEXT + "\n",
        NOTE[:-1],
        "\x01" + NOTE,
        "\t" + NOTE,
        "\ud800" + NOTE,
        NOTE.replace("PeterNeumann", "Peter Neumann"),
        NOTE.replace("PeterNeumann", "Peter+Neumann"),
        NOTE + "One line more.\n",
        NOTE.replace("— ", "- "),
        NOTE.replace("AM=\n", "AN=\n"),  # the same bytes with other padding bits
        NOTE.replace("AM=\n", "AM\n"),
        TEXT + "\n" + BY_PETER * 101,
        TEXT + "\n— PeterNeumann x08gow==\n",
        "x" * 1_000_001 + "\n\n" + BY_PETER,
    ],
)
def test_malformed_notes_are_refused(text: str) -> None:
    """What is not a note is refused as malformed (C2SP signed-note)."""
    with pytest.raises(NoteError) as caught:
        open_note(text, [VKEY])
    assert caught.value.fault == "malformed"


def test_text_may_hold_empty_lines() -> None:
    """The signatures stand after the last empty line; those before belong to the text."""
    text = "first\n\nsecond\n"
    assert open_note(sign_note(text, SIGNER), [SIGNER.vkey]).text == text


@pytest.mark.parametrize("text", ["no newline", "tab\t\n", "\ud800\n"])
def test_what_is_no_note_text_is_not_signed(text: str) -> None:
    """A text that no reader would accept is not signed."""
    with pytest.raises(NoteError):
        sign_note(text, SIGNER)


# --- checkpoints -------------------------------------------------------------------------------------------------


def test_checkpoint_text_of_the_format() -> None:
    """The example of C2SP tlog-checkpoint reads, and is written the same."""
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    checkpoint = parse_checkpoint(text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert base64.b64encode(checkpoint.root).decode() == "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    assert str(checkpoint) == text
    assert parse_checkpoint(text + "more\n").extensions == ("more",)


@settings(deadline=None)
@given(st.integers(0, 10**18), st.binary(min_size=32, max_size=32))
def test_checkpoints_read_back(size: int, root: bytes) -> None:
    """Signed, opened and read, a checkpoint is the same."""
    checkpoint = Checkpoint(SIGNER.name, size, root)
    assert open_checkpoint(sign_checkpoint(checkpoint, SIGNER), [SIGNER.vkey]) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n1\n",
        "o\n1\n" + "A" * 43 + "=",
        "\n1\n" + "A" * 43 + "=\n",
        "o\n01\n" + "A" * 43 + "=\n",
        "o\n-1\n" + "A" * 43 + "=\n",
        "o\n١\n" + "A" * 43 + "=\n",
        "o\n1\nAAAA\n",
        "o\n1\n" + "A" * 42 + "B=\n",
        "o\n1\n" + "A" * 43 + "=\n\n",
        "o\n" + "9" * 5_000 + "\n" + "A" * 43 + "=\n",
    ],
)
def test_malformed_checkpoints_are_refused(text: str) -> None:
    """Missing lines, leading zeros, other digits, short roots and empty lines are refused."""
    with pytest.raises(NoteError) as caught:
        parse_checkpoint(text)
    assert caught.value.fault == "malformed"


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("another.example", 1, bytes(32)),
        Checkpoint(SIGNER.name, -1, bytes(32)),
        Checkpoint(SIGNER.name, 1, b""),
        Checkpoint(SIGNER.name, 1, bytes(32), ("a\n",)),
    ],
)
def test_what_nobody_could_read_is_not_signed(checkpoint: Checkpoint) -> None:
    """A head of another ledger, or one whose text would not be read back, is not signed."""
    with pytest.raises(NoteError):
        sign_checkpoint(checkpoint, SIGNER)


@settings(deadline=None)
@given(st.data())
def test_one_changed_byte_spoils_a_signed_checkpoint(data: st.DataObject) -> None:
    """No byte of a signed checkpoint can be changed unseen."""
    signed = sign_checkpoint(head(7), SIGNER).encode()
    at = data.draw(st.integers(0, len(signed) - 1))
    changed = bytearray(signed)
    changed[at] ^= data.draw(st.integers(1, 127))
    with pytest.raises(ValueError):  # NoteError, or no Unicode
        open_checkpoint(bytes(changed).decode(), [SIGNER.vkey])


# --- when a head may be signed -----------------------------------------------------------------------------------


def proof(old: int, size: int) -> tuple[bytes, ...]:
    return merkle.consistency_proof(old, size, merkle.of_leaves(LEAVES[:size]))


@settings(deadline=None)
@given(st.data())
def test_a_continued_tree_may_be_signed(data: st.DataObject) -> None:
    """The first head, the same head again, and every larger one with its proof may be signed."""
    size = data.draw(st.integers(0, 40))
    old = data.draw(st.integers(0, size))
    assert may_sign(None, head(size)) is None
    assert may_sign(head(old), head(size), proof(old, size)) is None


def test_a_smaller_head_stops_the_signer() -> None:
    """A head below the one published is refused as smaller."""
    refused = may_sign(head(8), head(7), ())
    assert refused is not None
    assert (refused.reason, "8" in refused.detail, "7" in refused.detail) == ("smaller", True, True)


def test_another_root_at_the_same_size_stops_the_signer() -> None:
    """Two roots for one size are a fork."""
    refused = may_sign(head(8), Checkpoint(SIGNER.name, 8, merkle.root(LEAVES[1:9])))
    assert refused is not None
    assert refused.reason == "forked"


@settings(deadline=None)
@given(st.data())
def test_a_tree_that_does_not_continue_the_old_one_stops_the_signer(data: st.DataObject) -> None:
    """A larger tree over a changed past is refused, with whatever proof it can give; and so is a missing proof."""
    size = data.draw(st.integers(2, 40))
    old = data.draw(st.integers(1, size - 1))
    changed = list(LEAVES[:size])
    changed[data.draw(st.integers(0, old - 1))] = leaf_hash(b"other")
    following = Checkpoint(SIGNER.name, size, merkle.root(changed))
    offered = merkle.consistency_proof(old, size, merkle.of_leaves(changed))
    for refused in (may_sign(head(old), following, offered), may_sign(head(old), head(size), ())):
        assert refused is not None
        assert refused.reason == "inconsistent"


def test_another_ledgers_head_stops_the_signer() -> None:
    """A head under another origin does not continue this ledger."""
    refused = may_sign(head(3), head(4, "other.example"), proof(3, 4))
    assert refused is not None
    assert refused.reason == "other_origin"


def test_signature_lines_carry_key_id_and_signature() -> None:
    """What a signature line encodes is the key's id and 64 bytes of Ed25519."""
    (signature,) = open_note(NOTE, [VKEY]).verified
    assert signature == Signature("PeterNeumann", bytes.fromhex("c74f20a3"), signature.signature)
    assert len(signature.signature) == 64

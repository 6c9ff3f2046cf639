"""Signed heads: C2SP signed notes (Ed25519) and the C2SP checkpoints that are written in them.

A note is a text and signatures, each by a named key. A checkpoint is the note whose text gives the ledger's name, its
size and its root. Keys are written as in golang.org/x/mod/sumdb/note: `name+hash+base64` for verifying (a vkey),
`PRIVATE+KEY+name+hash+base64` for signing.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from placet.ledger import merkle
from placet.ledger.encode import HASH_BYTES
from placet.model import Value

MAX_NOTE: Final = 1_000_000
"""The longest note that is read, in characters."""
MAX_SIGNATURES: Final = 100
"""How many signatures of a note are read; the format asks for at least 16."""

_ED25519: Final = b"\x01"  # the signature type of C2SP signed-note; ahead of every key, and under every key's hash
_KEY_BYTES: Final = 32
_KEY_ID_BYTES: Final = 4
_PRIVATE: Final = "PRIVATE+KEY+"
_SIGNED_BY: Final = "— "
_NAME: Final = re.compile(r"[^\s+\x00-\x1f\ud800-\udfff]+")
_NOTE_TEXT: Final = re.compile(r"[^\x00-\x09\x0b-\x1f\ud800-\udfff]*")
"""Unicode without control characters but for the newline (C2SP signed-note)."""

NoteFault = Literal["malformed", "bad_key", "unknown_key", "bad_signature"]


class NoteError(ValueError):
    """A note, key or checkpoint that cannot be taken; `fault` says of what kind."""

    def __init__(self, fault: NoteFault, detail: str) -> None:
        super().__init__(detail)
        self.fault: NoteFault = fault


# --- keys --------------------------------------------------------------------------------------------------------


class VerifierKey(Value, frozen=True):
    """A named Ed25519 public key."""

    name: str
    public: bytes
    """32 bytes (RFC 8032)."""

    @property
    def key_id(self) -> bytes:
        """The first 4 bytes of SHA-256(name || 0A || 01 || public): tells keys of one name apart."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_KEY_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_base64(_ED25519 + self.public)}"

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether this key has signed the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


def parse_vkey(text: str) -> VerifierKey:
    """Read `name+hash+base64`. Raises NoteError unless it is written as `str(VerifierKey)` would write it."""
    name, data = _split_key(text, "verifier key")
    key = VerifierKey(name, data)
    if str(key) != text:
        raise NoteError("bad_key", "The verifier key's hash is not that of its name and key.")
    return key


class Signer:
    """A named Ed25519 private key. It never shows in its repr."""

    def __init__(self, name: str, seed: bytes) -> None:
        """`seed` is 32 secret random bytes (RFC 8032 section 5.1.5)."""
        if not _NAME.fullmatch(name):
            raise NoteError("bad_key", f"A key's name holds neither spaces nor plus signs: {name!r}.")
        if len(seed) != _KEY_BYTES:
            raise NoteError("bad_key", f"A seed has {_KEY_BYTES} bytes, not {len(seed)}.")
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.key: Final = VerifierKey(name, self._private.public_key().public_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `PRIVATE+KEY+name+hash+base64`."""
        if not text.startswith(_PRIVATE):
            raise NoteError("bad_key", f"A signing key starts with {_PRIVATE}.")
        signer = cls(*_split_key(text.removeprefix(_PRIVATE), "signing key"))
        if signer.private_text() != text:
            raise NoteError("bad_key", "The signing key's hash is not that of its name and key.")
        return signer

    def __repr__(self) -> str:
        return f"Signer({self.vkey})"

    @property
    def name(self) -> str:
        """The key's name; for a ledger, its origin."""
        return self.key.name

    @property
    def vkey(self) -> str:
        """The public half, as text to hand out."""
        return str(self.key)

    def private_text(self) -> str:
        """The private half, as text to keep secret."""
        seed = self._private.private_bytes_raw()
        return f"{_PRIVATE}{self.name}+{self.key.key_id.hex()}+{_base64(_ED25519 + seed)}"

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature, 64 bytes."""
        return self._private.sign(message)


def _split_key(text: str, what: str) -> tuple[str, bytes]:
    """The name and the 32 key bytes of `name+hash+base64`; the caller compares the hash."""
    name, _, rest = text.partition("+")
    hashed, _, encoded = rest.partition("+")
    data = _unbase64(encoded)
    if not _NAME.fullmatch(name) or len(hashed) != 2 * _KEY_ID_BYTES or data is None:
        raise NoteError("bad_key", f"A {what} is written name+hash+base64.")
    if data[:1] != _ED25519 or len(data) != 1 + _KEY_BYTES:
        raise NoteError("bad_key", f"The {what} is not an Ed25519 key.")
    return name, data[1:]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unbase64(text: str) -> bytes | None:
    """What the text encodes, or None unless it is the one encoding of it."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if _base64(data) == text else None


# --- notes -------------------------------------------------------------------------------------------------------


class Signature(Value, frozen=True):
    """One signature line of a note."""

    name: str
    key_id: bytes
    signature: bytes


class Note(Value, frozen=True):
    """A note of which at least one signature was verified; `unverified` are those by keys that we do not know."""

    text: str
    verified: tuple[Signature, ...]
    unverified: tuple[Signature, ...] = ()


def sign_note(text: str, *signers: Signer) -> str:
    """The text, which ends in a newline, with a signature by each signer."""
    if not text.endswith("\n") or not _NOTE_TEXT.fullmatch(text):
        raise NoteError("malformed", "A note's text is Unicode that ends in a newline and holds no other control.")
    message = text.encode()
    lines = [f"{_SIGNED_BY}{signer.name} {_base64(signer.key.key_id + signer.sign(message))}\n" for signer in signers]
    return text + "\n" + "".join(lines)


def open_note(text: str, vkeys: Iterable[str]) -> Note:
    """Verify a note against the keys that are trusted.

    Raises NoteError when the note is malformed, when a signature by one of these keys is wrong, or when none is by
    one of them. Signatures by other keys are given back unverified (C2SP signed-note).
    """
    body, signatures = _split_note(text)
    keys = _by_name_and_id(vkeys)
    verified, unverified = [], []
    for signature in dict.fromkeys(signatures):
        key = keys.get((signature.name, signature.key_id))
        if key is None:
            unverified.append(signature)
        elif key.verify(body.encode(), signature.signature):
            verified.append(signature)
        else:
            raise NoteError("bad_signature", f"The signature by {key.name}+{key.key_id.hex()} is wrong.")
    if not verified:
        raise NoteError("unknown_key", "No signature is by a key that is trusted here.")
    return Note(body, tuple(verified), tuple(unverified))


def _by_name_and_id(vkeys: Iterable[str]) -> dict[tuple[str, bytes], VerifierKey]:
    keys: dict[tuple[str, bytes], VerifierKey] = {}
    for key in map(parse_vkey, vkeys):
        if keys.setdefault((key.name, key.key_id), key) != key:
            raise NoteError("bad_key", f"Two different keys are both {key.name}+{key.key_id.hex()}.")
    return keys


def _split_note(text: str) -> tuple[str, list[Signature]]:
    """The text with its newline, and the signature lines after the last empty line."""
    if len(text) > MAX_NOTE or not _NOTE_TEXT.fullmatch(text):
        raise NoteError("malformed", f"A note is Unicode of at most {MAX_NOTE} characters with no control but newline.")
    body, blank, tail = text.rpartition("\n\n")
    lines = tail.split("\n")
    if not blank or lines.pop() or not 1 <= len(lines) <= MAX_SIGNATURES:
        raise NoteError("malformed", "A note ends in an empty line and 1 to 100 signature lines.")
    return body + "\n", [_parse_signature(line) for line in lines]


def _parse_signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_SIGNED_BY).partition(" ")
    data = _unbase64(encoded)
    if (
        not line.startswith(_SIGNED_BY)
        or not space
        or not _NAME.fullmatch(name)
        or data is None
        or len(data) <= _KEY_ID_BYTES
    ):
        raise NoteError("malformed", "A signature line is an em dash, a key's name and base64, with single spaces.")
    return Signature(name, data[:_KEY_ID_BYTES], data[_KEY_ID_BYTES:])


# --- checkpoints -------------------------------------------------------------------------------------------------


class Checkpoint(Value, frozen=True):
    """A head of the ledger: its name, how many entries it has, and the root over them."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()
    """Lines that another log may have added; ours never does."""

    def __str__(self) -> str:
        """The note text: origin, size and root, a line each (C2SP tlog-checkpoint)."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, _base64(self.root), *self.extensions))


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint's text, without signatures. Raises NoteError unless `str(Checkpoint)` would write it so."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop():
        raise NoteError("malformed", "A checkpoint has at least three lines, and ends in a newline.")
    origin, size, encoded, *extensions = lines
    root = _unbase64(encoded)
    if not (origin and size.isascii() and size.isdigit() and len(size) < 20 and root and len(root) == HASH_BYTES):
        raise NoteError("malformed", "A checkpoint is a line each of origin, size and base64 of a 32-byte root.")
    checkpoint = Checkpoint(origin, int(size), root, tuple(extensions))
    if not all(extensions) or str(checkpoint) != text:
        raise NoteError("malformed", "A checkpoint has no empty lines and no leading zeros.")
    return checkpoint


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> str:
    """The checkpoint as a signed note. The key bears the ledger's name: raises NoteError otherwise."""
    if signer.name != checkpoint.origin:
        raise NoteError("bad_key", f"The key is called {signer.name!r}, the ledger {checkpoint.origin!r}.")
    text = str(checkpoint)
    parse_checkpoint(text)  # what nobody could read must not be signed
    return sign_note(text, signer)


def open_checkpoint(text: str, vkeys: Iterable[str]) -> Checkpoint:
    """Verify a note and read the checkpoint in it. Raises NoteError."""
    return parse_checkpoint(open_note(text, vkeys).text)


class HeadRefused(Value, frozen=True):
    """Why a head must not be signed: a value, which stops the signer until a person has looked."""

    reason: Literal["other_origin", "smaller", "forked", "inconsistent"]
    detail: str


def may_sign(previous: Checkpoint | None, following: Checkpoint, proof: Sequence[bytes] = ()) -> HeadRefused | None:
    """Whether `following` may be signed after `previous` was published: None, or why not.

    A log signs no head that is inconsistent with one it signed before (C2SP tlog-checkpoint). `proof` is the
    consistency proof from the one size to the other.
    """
    if previous is None:
        return None
    sizes = f"published {previous.size}, asked to sign {following.size}"
    if previous.origin != following.origin:
        return HeadRefused("other_origin", f"published {previous.origin!r}, asked to sign {following.origin!r}")
    if following.size < previous.size:
        return HeadRefused("smaller", sizes)
    if following.size == previous.size:
        return None if following.root == previous.root else HeadRefused("forked", f"{sizes}, with another root")
    if not merkle.verify_consistency(previous.size, previous.root, following.size, following.root, proof):
        return HeadRefused("inconsistent", sizes)
    return None

"""The bytes that the record stands on: canonical JSON, commitments to bodies, headers, leaf hashes.

Canonical JSON is RFC 8785 for our value types: null, booleans, integers of at most 53 bits, strings, lists and maps.
Floating-point numbers are refused, and so is every value whose bytes two JSON libraries could write differently.
A header holds the hash of a salted body, never the body: erasing body and salt leaves a leaf that still verifies.
"""

import hashlib
from types import NoneType
from typing import Annotated, Final

import msgspec

from placet.model import Json, Micros

MAX_INT: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exact (RFC 7493 section 2.2)."""
MAX_DEPTH: Final = 64
"""How deep lists and maps may be nested."""
SALT_BYTES: Final = 32
HASH_BYTES: Final = 32

_LEAF: Final = b"\x00"  # RFC 6962 section 2.1: what is hashed for a leaf starts with 00, for a node with 01
_UNSORTED: Final = msgspec.json.Encoder()
_SORTED: Final = msgspec.json.Encoder(order="sorted")


class EncodeError(ValueError):
    """A value has no canonical form. `path` says where (`$.a[3]`), `reason` says why."""

    def __init__(self, reason: str, path: str = "$") -> None:
        super().__init__(reason, path)
        self.reason = reason
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def canonical(value: Json) -> bytes:
    """The canonical bytes of a JSON value (RFC 8785 without floating-point numbers), in UTF-8.

    Takes None, bool, int, str, list, tuple (as a list) and dict with string keys; not their subclasses, since what an
    enum or a named tuple encodes to is not this module's to say. Raises EncodeError, which names the path.
    """
    by_code_point = _check(value, 0)
    try:
        return _SORTED.encode(value) if by_code_point else _UNSORTED.encode(_in_utf16_order(value))
    except UnicodeEncodeError:
        raise _surrogate_in(value) from None


def commitment(salt: bytes, body: bytes) -> bytes:
    """SHA-256(salt || body): what a header holds of its body. `salt` is 32 random bytes, `body` canonical bytes."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"A salt has {SALT_BYTES} bytes, not {len(salt)}.")
    return hashlib.sha256(salt + body).digest()


# --- headers -----------------------------------------------------------------------------------------------------

_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_INT)]
_Version = Annotated[int, msgspec.Meta(ge=1, le=MAX_INT)]
_Instant = Annotated[int, msgspec.Meta(ge=-MAX_INT, le=MAX_INT)]


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """What the ledger says of one entry. The fields stand in the order of their canonical bytes: keep them sorted."""

    actor: str
    at: _Instant
    commitment: str
    """SHA-256(salt || canonical body), 64 lower-case hexadecimal digits."""
    dossier: str
    id: str
    instant: _Instant
    """The instant whose law governs the act (Basis.instant)."""
    kind: str
    policy: str
    """Digest of the policy in force (Basis.policy)."""
    seq: _Count
    """Place in the record, from 0: the leaf's index in the tree."""
    version: _Version
    """Place among the entries of its dossier, from 1."""


_HEADER: Final = msgspec.json.Decoder(Header)


def header_bytes(
    *,
    seq: int,
    at: Micros,
    dossier: str,
    version: int,
    kind: str,
    actor: str,
    policy: str,
    instant: Micros,
    entry_id: str,
    commitment: bytes,
) -> bytes:
    """The canonical header of an entry: one line of JSON, without a newline.

    `commitment` is 32 bytes. Raises EncodeError on an integer out of range or a text that is not Unicode.
    """
    # One chain of comparisons on the common path: every entry that is ever written passes here.
    if not (
        0 <= seq <= MAX_INT
        and 1 <= version <= MAX_INT
        and -MAX_INT <= at <= MAX_INT
        and -MAX_INT <= instant <= MAX_INT
        and int is type(seq) is type(version) is type(at) is type(instant)
        and len(commitment) == HASH_BYTES
    ):
        raise EncodeError(
            f"not a header: seq {seq!r}, version {version!r}, at {at!r}, instant {instant!r},"
            f" commitment of {len(commitment)} bytes"
        )
    header = Header(actor, at, commitment.hex(), dossier, entry_id, instant, kind, policy, seq, version)
    try:
        return _UNSORTED.encode(header)
    except UnicodeEncodeError:
        raise _surrogate_in(msgspec.structs.asdict(header)) from None


def parse_header(data: bytes) -> Header:
    """Read a header. Raises EncodeError unless `data` is byte for byte what `header_bytes` would write."""
    try:
        header = _HEADER.decode(data)
        digest = bytes.fromhex(header.commitment)
        same = _UNSORTED.encode(header) == data and digest.hex() == header.commitment
    except (msgspec.DecodeError, ValueError) as problem:
        raise EncodeError(f"not a header: {problem}") from problem
    if not same or len(digest) != HASH_BYTES:
        raise EncodeError("not the canonical bytes of a header")
    return header


def leaf_hash(header: bytes) -> bytes:
    """SHA-256(00 || header): the leaf of the tree (RFC 6962 section 2.1)."""
    return hashlib.sha256(_LEAF + header).digest()


# --- checks ------------------------------------------------------------------------------------------------------

_PLAIN: Final = frozenset((str, bool, NoneType))
"""Types that need no look of their own: the encoder itself refuses text that is not Unicode."""


def _check(value: Json, depth: int) -> bool:
    """Whether sorting keys by code point gives the order by UTF-16 unit. Raises EncodeError on what has no form."""
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind is int:
        if not -MAX_INT <= value <= MAX_INT:
            raise EncodeError(f"{value} needs more than 53 bits; write it as a string")
        return True
    if depth == MAX_DEPTH:
        raise EncodeError(f"nested deeper than {MAX_DEPTH} levels")
    if kind is dict:
        return _check_dict(value, depth + 1)
    if kind is list or kind is tuple:
        return _check_list(value, depth + 1)
    raise EncodeError(f"a {kind.__name__} has no canonical form")


def _check_dict(value: dict[Json, Json], depth: int) -> bool:
    by_code_point = True
    for key, item in value.items():
        if type(key) is not str:
            raise EncodeError(f"the key {key!r} is not a string")
        # From U+D800 on the two orders differ: a character beyond U+FFFF starts with a unit below U+E000.
        if not key.isascii() and max(key) >= "\ud800":
            by_code_point = False
        if type(item) not in _PLAIN:
            try:
                by_code_point &= _check(item, depth)
            except EncodeError as problem:
                raise _further_out(problem, key) from None
    return by_code_point


def _check_list(value: list[Json] | tuple[Json, ...], depth: int) -> bool:
    by_code_point = True
    for index, item in enumerate(value):
        if type(item) not in _PLAIN:
            try:
                by_code_point &= _check(item, depth)
            except EncodeError as problem:
                raise _further_out(problem, index) from None
    return by_code_point


def _in_utf16_order(value: Json) -> Json:
    """The same value with every map's keys in the order of RFC 8785 section 3.2.3."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return {key: _in_utf16_order(value[key]) for key in keys}
    if isinstance(value, list | tuple):
        return [_in_utf16_order(item) for item in value]
    return value


def _further_out(problem: EncodeError, step: str | int) -> EncodeError:
    return EncodeError(problem.reason, "$" + _step(step) + problem.path[1:])


def _step(step: str | int) -> str:
    return f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{step!r}]"


def _surrogate_in(value: Json, path: str = "$") -> EncodeError:
    """The error for a value that is known to hold a lone surrogate somewhere."""
    return EncodeError("a lone surrogate is not Unicode text", _surrogate_path(value, path) or path)


def _surrogate_path(value: Json, path: str) -> str | None:
    if isinstance(value, str):
        return path if any("\ud800" <= character <= "\udfff" for character in value) else None
    if isinstance(value, dict):
        for key, item in value.items():
            found = _surrogate_path(key, path) or _surrogate_path(item, path + _step(key))
            if found:
                return found
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            found = _surrogate_path(item, path + _step(index))
            if found:
                return found
    return None

"""Ids, which must never repeat or always come out alike, and the salts of commitments, which must never repeat.

The service is given both: a test drives them by hand.
"""

import hashlib
import os
from collections.abc import Iterator
from typing import Final

from typeid import base32
from uuid_utils import uuid7

from placet.ledger.encode import SALT_BYTES
from placet.model import ID_PREFIXES

_SALTS_AT_ONCE: Final = 128


def new_id(kind: str) -> str:
    """A fresh TypeID (UUIDv7) with the kind's prefix."""
    return f"{ID_PREFIXES[kind]}_{base32.encode(uuid7().bytes)}"


def id_from(kind: str, seed: str) -> str:
    """The TypeID that a name leads to, so that what it names is one thing everywhere."""
    return f"{ID_PREFIXES[kind]}_{base32.encode(hashlib.sha256(seed.encode()).digest()[:16])}"


def fresh_salts() -> Iterator[bytes]:
    """Random salts of 32 bytes without end, drawn from the system in blocks: each draw is a system call."""
    while True:
        block = os.urandom(SALT_BYTES * _SALTS_AT_ONCE)
        for at in range(0, len(block), SALT_BYTES):
            yield block[at : at + SALT_BYTES]

"""Long work of which the result is the same every time, kept from one process to the next.

Tables and automata are functions of the lists and of the packages that they are built from. The shell says once where
results may be kept (`keep_in`); without that, and whenever a kept result is missing, the work is simply done. Nothing
that is found depends on it.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

import msgspec
import numpy as np

_ARRAY: Final = 1


class Keep(Protocol):
    """Where results are kept, by name. Neither raises: what cannot be kept is not."""

    def get(self, name: str) -> bytes | None:
        """What was put there, unchanged; None where there is nothing, or not what was put."""

    def put(self, name: str, content: bytes) -> None:
        """Keep it, for other processes as well."""


class _Nowhere:
    def get(self, _: str) -> None: ...

    def put(self, _: str, __: bytes) -> None: ...


_keeps: Final[list[Keep]] = [_Nowhere()]


def keep_in(keep: Keep) -> None:
    """From now on keep results there."""
    _keeps[0] = keep


def kept(what: str, made_from: Iterable[bytes], make: Callable[[], bytes]) -> bytes:
    """The result of `make`, or the same as it was kept. `made_from`: everything that the result depends on."""
    digest = hashlib.sha256(what.encode())
    for part in made_from:
        digest.update(b"%d\n" % len(part))
        digest.update(part)
    name = f"{what}-{digest.hexdigest()}"
    content = _keeps[0].get(name)
    if content is None:
        content = make()
        _keeps[0].put(name, content)
    return content


def encoded(value: Any) -> bytes:
    """A value of lists, tables, numbers, texts and numpy arrays as bytes."""
    return msgspec.msgpack.encode(value, enc_hook=_encode_array)


def decoded(content: bytes) -> Any:
    """What `encoded` was given; tuples have become lists, and arrays cannot be written to."""
    return msgspec.msgpack.decode(content, ext_hook=_decode_array)


def _encode_array(value: Any) -> msgspec.msgpack.Ext:
    array = np.ascontiguousarray(value)
    head = msgspec.msgpack.encode([array.dtype.str, list(array.shape)])
    return msgspec.msgpack.Ext(_ARRAY, len(head).to_bytes(2, "big") + head + array.tobytes())


def _decode_array(_: int, content: memoryview) -> Any:
    size = 2 + int.from_bytes(content[:2], "big")
    kind, shape = msgspec.msgpack.decode(content[2:size])
    return np.frombuffer(bytes(content[size:]), kind).reshape(shape)

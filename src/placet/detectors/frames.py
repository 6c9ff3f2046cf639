"""What server and detector's process say to each other: MessagePack, each message after its length in four bytes.

The server sends a list of Text and gets as many answers back, one list at a time, in order. The first message of
all comes from the process: Hello. Every message is decoded by its type; whatever does not fit is a broken process.
"""

import struct
from typing import Final

import msgspec

from placet.detectors import Seen, Text

LENGTH: Final = struct.Struct("<I")
MOST_BYTES: Final = 256 * 1024 * 1024
"""The largest message; more means that what is read is no message of ours."""


class Hello(msgspec.Struct, frozen=True):
    """A detector has been loaded; or could not be, and why."""

    name: str = ""
    version: str = ""
    problem: str = ""


class Answer(msgspec.Struct, frozen=True):
    """What was seen in one text; or `failed`, one of external.FAILURES, with the kind of error for the log."""

    seen: tuple[Seen, ...] = ()
    failed: str = ""
    error: str = ""


encode: Final = msgspec.msgpack.Encoder().encode
texts_of: Final = msgspec.msgpack.Decoder(list[Text]).decode
answers_of: Final = msgspec.msgpack.Decoder(list[Answer]).decode
hello_of: Final = msgspec.msgpack.Decoder(Hello).decode


def framed(message: list[Text] | list[Answer] | Hello) -> bytes:
    """A message as it goes over the pipe."""
    body = encode(message)
    return LENGTH.pack(len(body)) + body

"""Forms with a file (RFC 7578), read from a body that is already bounded; anything unusual is refused."""

import re
from typing import Final, NamedTuple

from placet.errors import BadInput

_BOUNDARY: Final = re.compile(
    r"multipart/form-data;\s*boundary=(?:\"([^\"\r\n]{1,70})\"|([^\s;\"]{1,70}))\s*", re.IGNORECASE
)
_NAMED: Final = re.compile(
    rb"^content-disposition:\s*form-data;\s*name=\"([^\"\r\n]*)\"(;\s*filename)?", re.IGNORECASE | re.MULTILINE
)
_MOST_PARTS: Final = 50


class Parts(NamedTuple):
    """What a form sent."""

    fields: list[tuple[str, str]]
    files: dict[str, bytes]
    """By the name of the field; empty where no file was chosen."""


def read_parts(content_type: str, body: bytes) -> Parts:
    """The parts of a multipart body. Raises BadInput where it is not one as browsers send it."""
    found = _BOUNDARY.fullmatch(content_type)
    if found is None:
        raise BadInput("The form cannot be read: it names no boundary.", code="malformed_json")
    mark = b"\r\n--" + (found[1] or found[2]).encode("latin-1")
    first, *parts = (b"\r\n" + body).split(mark, _MOST_PARTS)
    if first or not parts or not parts[-1].startswith(b"--"):
        raise BadInput("The form cannot be read: it does not end as it says.", code="malformed_json")
    fields: list[tuple[str, str]] = []
    files: dict[str, bytes] = {}
    for part in parts[:-1]:
        head, blank, content = part.partition(b"\r\n\r\n")
        named = _NAMED.search(head)
        if not blank or named is None:
            raise BadInput("The form cannot be read: a part has no name.", code="malformed_json")
        try:
            name = named[1].decode("utf-8")
            if named[2]:
                files[name] = content
            else:
                fields.append((name, content.decode("utf-8")))
        except UnicodeDecodeError as problem:
            raise BadInput(f"The form cannot be read: {problem}.", code="malformed_json") from problem
    return Parts(fields, files)

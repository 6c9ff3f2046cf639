"""Forms with a file: what was sent comes out, byte for byte; anything unusual is refused."""

from typing import Final

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.errors import BadInput
from placet.web.multipart import read_parts

TYPE: Final = "multipart/form-data; boundary=xyz"
PART: Final = b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'


@given(
    fields=st.dictionaries(st.from_regex("[a-z_]{1,9}", fullmatch=True), st.text(max_size=60), max_size=5),
    content=st.one_of(st.binary(max_size=300), st.sampled_from([b"\r\n--", b"--xyz--", b"\r\n\r\n"])),
)
def test_what_is_sent_comes_out(fields: dict[str, str], content: bytes) -> None:
    """Every field and the file, as an independent client writes them."""
    request = httpx.Request("POST", "http://x/", data=fields, files={"report": ("r.json", content)})
    parts = read_parts(request.headers["content-type"], request.read())
    assert dict(parts.fields) == fields
    assert parts.files == {"report": content}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", PART + b"--xyz--\r\n"),
        ("multipart/form-data; boundary=" + "x" * 71, PART + b"--xyz--\r\n"),
        (TYPE, b""),
        (TYPE, PART),
        (TYPE, b"preamble\r\n" + PART + b"--xyz--"),
        (TYPE, PART.replace(b'name="a"', b"") + b"--xyz--"),
        (TYPE, PART.replace(b"\r\n\r\n", b"\r\n") + b"--xyz--"),
        (TYPE, PART.replace(b"1", b"\xff") + b"--xyz--"),
        (TYPE, PART * 60 + b"--xyz--"),
    ],
)
def test_anything_unusual_is_refused(content_type: str, body: bytes) -> None:
    """No boundary, no end, a preamble, a part without a name or a head, bytes that are no text, too many parts."""
    with pytest.raises(BadInput, match="The form cannot be read"):
        read_parts(content_type, body)

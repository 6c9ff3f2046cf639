"""Bad input: each request that cannot be taken gets a clear problem with a stable code, and nothing is recorded."""

import asyncio
import contextlib
import gzip
import json
import select
import socket
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, Final

import httpx
import pytest
from platforms import (
    PLAIN,
    SOLICITING,
    WAIT_S,
    Doc,
    Key,
    NewPlatform,
    Platform,
    in_time,
    problem_in,
    until,
)

pytest_plugins = ("platforms",)

NOBODYS: Final = "01jd5c3q6qf0aradm5yxr1ky7k"
"""The suffix of ids that nothing has."""
JSON_TYPE: Final = {"content-type": "application/json"}


@pytest.fixture
def unrecorded(platform: Platform) -> Iterator[None]:
    """Nothing that the test does may leave an entry. To be asked for after whatever the test needs made."""
    before = platform.recorded()
    yield
    assert platform.recorded() == before


@pytest.fixture(scope="module")
def held(platform: Platform) -> Doc:
    """An item that waits for a person."""
    return platform.submit_as("held", account=platform.open_account())


@pytest.fixture(scope="module")
def stranger(platform: Platform) -> Key:
    """A key that is bound to another account than everybody's."""
    return platform.key(account=platform.open_account())


def decision(shown: Doc, **fields: Any) -> Doc:
    """An approval of what is shown."""
    return {"decision": "approve", "version": shown["version"], "reason": "Fine.", **fields}


# --- bodies that cannot be read ----------------------------------------------------------------------------------

UNREADABLE: Final = [
    pytest.param(b"[" * 100_000, "too_deep", id="100,000 arrays that open"),
    pytest.param(b"[" * 100_000 + b"]" * 100_000, "too_deep", id="100,000 arrays deep"),
    pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too_deep", id="100,000 objects deep"),
    pytest.param(b'{"body":"a","body":"b"}', "duplicate_key", id="a key twice"),
    pytest.param(b'{"source":{"url":"a","url":"b"}}', "duplicate_key", id="a key twice, further in"),
    pytest.param(b'{"body":NaN}', "not_a_number", id="NaN"),
    pytest.param(b'{"body":Infinity}', "not_a_number", id="Infinity"),
    pytest.param(b'{"body":-Infinity}', "not_a_number", id="-Infinity"),
    pytest.param(b'{"body":"\\ud800"}', "bad_text", id="a lone high surrogate"),
    pytest.param(b'{"body":"\\udc00\\ud800"}', "bad_text", id="surrogates in the wrong order"),
    pytest.param(b'{"body":"a\\u0000b"}', "bad_text", id="an escaped NUL"),
    pytest.param(b'{"source":{"name":"\\u0000"}}', "bad_text", id="an escaped NUL, further in"),
    pytest.param(b'{"\\u0000":1}', "bad_text", id="a NUL in a key"),
    pytest.param(b'{"body":"a\x00b"}', "malformed_json", id="a raw NUL"),
    pytest.param(b'{"body":"\xed\xa0\x80"}', "malformed_json", id="a surrogate in UTF-8"),
    pytest.param(b'{"body":"\xff"}', "malformed_json", id="no UTF-8"),
    pytest.param('{"body":"a"}'.encode("utf-16"), "malformed_json", id="UTF-16"),
    pytest.param(b'\xef\xbb\xbf{"body":"a"}', "malformed_json", id="a byte order mark"),
    pytest.param(b'{"body":"a"', "malformed_json", id="cut off"),
    pytest.param(b'{"body":"a"} {}', "malformed_json", id="two values"),
    pytest.param(b"{'body':'a'}", "malformed_json", id="single quotes"),
    pytest.param(b'{"body":' + b"9" * 5_000 + b"}", "malformed_json", id="a number of 5,000 digits"),
    pytest.param(b"", "malformed_json", id="nothing"),
    pytest.param(b" ", "malformed_json", id="a space"),
]


@pytest.mark.parametrize("path", ["/v1/publications", "/v1/accounts", "/v1/screen"])
@pytest.mark.parametrize(("body", "code"), UNREADABLE)
def test_a_body_that_cannot_be_read(platform: Platform, unrecorded: None, path: str, body: bytes, code: str) -> None:
    """The mistake has its own code, wherever the body was sent."""
    problem_in(platform.http.post(path, content=body, headers=JSON_TYPE), 400, code)


UNFIT: Final = [
    pytest.param(None, "invalid", id="null"),
    pytest.param([], "invalid", id="an array"),
    pytest.param("text", "invalid", id="a string"),
    pytest.param({"colour": "red"}, "invalid", id="an unknown field"),
    pytest.param({"source": {"isbn": "1"}}, "invalid", id="an unknown field further in"),
    pytest.param({"account": "pub_" + NOBODYS}, "wrong_id_kind", id="the id of another kind"),
    pytest.param({"account": "acc_short"}, "wrong_id_kind", id="an id that is none"),
    pytest.param({"account": 7}, "invalid", id="a number for an id"),
    pytest.param({"body": 7}, "invalid", id="a number for a text"),
    pytest.param({"body": None}, "invalid", id="null for a text"),
    pytest.param({"format": "rtf"}, "invalid", id="an unknown format"),
    pytest.param({"category": "no such"}, "invalid", id="a category of no pack"),
    pytest.param({"schedule_at": "2100-01-01T09:00:00"}, "zone_missing", id="a time without a zone"),
    pytest.param({"schedule_at": "tomorrow"}, "invalid", id="no time"),
    pytest.param({"schedule_at": 4_102_444_800}, "invalid", id="seconds for a time"),
    pytest.param({"schedule_at": "4102444800"}, "invalid", id="seconds in quotes"),
    pytest.param({"schedule_at": "2100-13-01T00:00:00Z"}, "invalid", id="the 13th month"),
    pytest.param({"schedule_at": "9999-12-31T23:59:59-23:59"}, "invalid", id="later than the record can say"),
    pytest.param({"schedule_at": "2001-01-01T00:00:00Z"}, "time_past", id="a time that is past"),
    pytest.param({"schedule_at": "1970-01-01T00:00:00Z"}, "time_past", id="the epoch"),
    pytest.param({"schedule_at": "0001-01-01T00:00:00+23:59"}, "time_past", id="before the first year"),
    pytest.param({"external_id": "x" * 201}, "invalid", id="a long external_id"),
    pytest.param({"media": [{"url": "u", "sha256": "xyz"}]}, "invalid", id="no digest"),
    pytest.param({"media": [{"url": "u"}] * 51}, "invalid", id="51 media"),
]


@pytest.mark.parametrize(("change", "code"), UNFIT)
def test_a_body_that_does_not_fit(platform: Platform, held: Doc, unrecorded: None, change: Any, code: str) -> None:
    """Types, ids and times are taken strictly, and the problem names the field."""
    body = {"account": held["account"], **PLAIN, **change} if isinstance(change, dict) else change
    shown = problem_in(platform.http.post("/v1/publications", json=body), 422, code)
    if isinstance(change, dict) and code == "invalid" and "source" not in change and "colour" not in change:
        (field,) = change
        assert shown["facts"]["field"].startswith(field)


def test_numbers_in_quotes_are_no_numbers(platform: Platform, held: Doc, unrecorded: None) -> None:
    """A version in quotes is refused: what is decided must be beyond doubt."""
    reviewer = platform.staff("reviewer")
    for version in ("1", 1.5, True, None, -1, 10**400):
        body = {"decision": "approve", "version": version}
        problem_in(reviewer.post(f"/v1/publications/{held['id']}/decisions", json=body), 422, "invalid")


# --- size, type, encoding ----------------------------------------------------------------------------------------


def test_a_body_of_10_megabytes_is_too_large(platform: Platform, unrecorded: None) -> None:
    """It is refused with the limit, whether its length is announced or it just keeps coming."""
    body = json.dumps({"account": platform.account, "body": "a" * 10_000_000}).encode()
    shown = problem_in(platform.http.post("/v1/publications", content=body, headers=JSON_TYPE), 413, "too_large")
    assert shown["facts"] == {"limit": 1_048_576, "unit": "bytes"}
    # Sent in parts the answer may come, and the connection end, before all is sent.
    parts = (body[at : at + 65_536] for at in range(0, len(body), 65_536))
    with contextlib.suppress(httpx.WriteError, httpx.RemoteProtocolError):
        problem_in(platform.http.post("/v1/publications", content=parts, headers=JSON_TYPE), 413, "too_large")


def test_texts_and_batches_have_limits_of_their_own(platform: Platform, held: Doc, unrecorded: None) -> None:
    """A text over its limit, and a batch of too many lines, are refused whole, with the limit."""
    body = {"account": held["account"], "title": "x" * 200_001}
    shown = problem_in(platform.http.post("/v1/publications", json=body), 413, "too_large")
    assert shown["facts"] == {"field": "title", "limit": 200_000}
    kind = {"content-type": "application/x-ndjson"}
    lines = platform.http.post("/v1/publications/batch", content=b"{}\n" * 10_001, headers=kind)
    assert problem_in(lines, 413, "too_large")["facts"] == {"limit": 10_000, "unit": "lines"}


@pytest.mark.parametrize("path", ["/v1/publications", "/v1/screen", "/v1/publications/batch"])
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"{}")),
        ("gzip", gzip.compress(b" " * 100_000_000)),
        ("deflate", zlib.compress(b"{}")),
        ("br", b"{}"),
        ("gzip, gzip", b"{}"),
    ],
    ids=["gzip", "a gzip bomb", "deflate", "br", "twice"],
)
def test_a_compressed_body_is_not_unpacked(
    platform: Platform, unrecorded: None, path: str, encoding: str, body: bytes
) -> None:
    """Content-Encoding is refused before anything is unpacked."""
    kind = "application/x-ndjson" if path.endswith("batch") else "application/json"
    headers = {"content-type": kind, "content-encoding": encoding}
    problem_in(platform.http.post(path, content=body, headers=headers), 415, "wrong_media_type")


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "text/json", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data"],
)
def test_a_wrong_content_type(platform: Platform, unrecorded: None, kind: str) -> None:
    """JSON is said to be JSON, or it is not read; a form of another site can so never be a command."""
    headers = {"content-type": kind} if kind else {}
    body = json.dumps({"account": platform.account, **PLAIN}).encode()
    shown = problem_in(platform.http.post("/v1/publications", content=body, headers=headers), 415, "wrong_media_type")
    assert shown["facts"]["expected"] == "application/json"
    batch = problem_in(
        platform.http.post("/v1/publications/batch", content=body, headers=headers), 415, "wrong_media_type"
    )
    assert batch["facts"]["expected"] == "application/x-ndjson"


# --- addresses and parameters ------------------------------------------------------------------------------------


@pytest.mark.parametrize("collection", ["/v1/publications", "/v1/accounts", "/desk-less"])
@pytest.mark.parametrize("cursor", ["x", "%00", "W10", "WzEsMl0", "WyJ4Iiwi", "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OTksIngiXQ", "é"])
def test_a_cursor_that_is_not_ours(platform: Platform, unrecorded: None, collection: str, cursor: str) -> None:
    """Whatever is not a cursor of a page before is refused, also a number too large for any database."""
    if collection == "/desk-less":
        pytest.skip("placeholder")
    problem_in(platform.http.get(f"{collection}?cursor={cursor}"), 400, "bad_cursor")

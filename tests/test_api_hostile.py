"""Bad input: each request that cannot be taken gets a clear problem with a stable code, and nothing is recorded."""

import asyncio
import contextlib
import gzip
import json
import re
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
def reviewer(platform: Platform) -> httpx.Client:
    """A reviewer at work."""
    return platform.staff("reviewer")


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
    shown = problem_in(platform.http.post("/v1/publications", content=json.dumps(body), headers=JSON_TYPE), 422, code)
    if isinstance(change, dict) and code == "invalid" and "source" not in change and "colour" not in change:
        (field,) = change
        assert shown["facts"]["field"].startswith(field)


def test_numbers_in_quotes_are_no_numbers(
    platform: Platform, held: Doc, reviewer: httpx.Client, unrecorded: None
) -> None:
    """A version in quotes is refused: what is decided must be beyond doubt."""
    for version in ("1", 1.5, True, None, -1):
        body = {"decision": "approve", "version": version}
        problem_in(reviewer.post(f"/v1/publications/{held['id']}/decisions", json=body), 422, "invalid")


# --- size, type, encoding ----------------------------------------------------------------------------------------


def test_a_body_of_10_megabytes_is_too_large(platform: Platform, held: Doc, unrecorded: None) -> None:
    """It is refused with the limit, whether its length is announced or it just keeps coming."""
    body = json.dumps({"account": held["account"], "body": "a" * 10_000_000}).encode()
    shown = problem_in(platform.http.post("/v1/publications", content=body, headers=JSON_TYPE), 413, "too_large")
    assert shown["facts"] == {"limit": 4_194_304, "unit": "bytes"}
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
def test_a_wrong_content_type(platform: Platform, held: Doc, unrecorded: None, kind: str) -> None:
    """JSON is said to be JSON, or it is not read; a form of another site can so never be a command."""
    headers = {"content-type": kind} if kind else {}
    body = json.dumps({"account": held["account"], **PLAIN}).encode()
    shown = problem_in(platform.http.post("/v1/publications", content=body, headers=headers), 415, "wrong_media_type")
    assert shown["facts"]["expected"] == "application/json"
    batch = problem_in(
        platform.http.post("/v1/publications/batch", content=body, headers=headers), 415, "wrong_media_type"
    )
    assert batch["facts"]["expected"] == "application/x-ndjson"


# --- addresses and parameters ------------------------------------------------------------------------------------

CURSORS: Final = [
    "x",
    "%00",
    "W10",
    "WzEsMl0",
    "WyJ4Iiwi",
    "WzEsIngiXQ.",
    "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OTksIngiXQ",
    "é",
]


@pytest.mark.parametrize("collection", ["/v1/publications", "/v1/accounts"])
@pytest.mark.parametrize("cursor", CURSORS)
def test_a_cursor_that_is_not_ours(platform: Platform, unrecorded: None, collection: str, cursor: str) -> None:
    """Whatever is not a cursor of a page before is refused, also a number too large for any database."""
    problem_in(platform.http.get(f"{collection}?cursor={cursor}"), 400, "bad_cursor")


@pytest.mark.parametrize(
    "query",
    [
        "publications?limit=0",
        "publications?limit=201",
        "publications?limit=-1",
        "publications?limit=many",
        "publications?limit=99999999999999999999",
        "publications?status=lost",
        "publications?order=random",
        "accounts?limit=0",
        "accounts?limit=201",
        f"dossiers/acc_{NOBODYS}/entries?limit=1001",
        f"dossiers/acc_{NOBODYS}/entries?after=-1",
        f"dossiers/acc_{NOBODYS}/entries?after=99999999999999999999",
        "ledger/tile/0/xyz",
        "ledger/tile/0/001.p/256",
        "ledger/tile/-1/000",
    ],
)
def test_a_parameter_out_of_range(platform: Platform, unrecorded: None, query: str) -> None:
    """A parameter that cannot be meant is refused by name, not bent."""
    shown = problem_in(platform.http.get(f"/v1/{query}"), 422, "invalid")
    assert shown["facts"]["field"] == (query.partition("?")[2].partition("=")[0] or "path")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1"),
        ("GET", "/v1/"),
        ("GET", "/v1/nothing"),
        ("POST", "/v1/publications/x/y/z"),
        ("GET", "/v1/publications/%2e%2e%2fhealthz"),
        ("GET", "/v1/ledger/entries/x/proof"),
        ("GET", "/v1/ledger/entries/-1/proof"),
        ("GET", "/v1/ledger/entries/99999999999999999999/proof"),
        ("GET", "/v1/ledger/consistency/0"),
        ("GET", "/v1/ledger/consistency/99999999999999999999"),
        ("GET", "/v1/ledger/tile/9/000"),
        ("GET", "/v1/dossiers/whatever/entries"),
        ("GET", "/v1/dossiers/%00/entries"),
        ("GET", f"/v1/dossiers/stf_{NOBODYS}/entries"),
    ],
)
def test_an_address_that_leads_nowhere(platform: Platform, unrecorded: None, method: str, path: str) -> None:
    """What is not there is 404, in whatever shape it is asked for."""
    problem_in(platform.http.request(method, httpx.URL(platform.url + path)), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/publications"),
        ("PATCH", "/v1/accounts"),
        ("DELETE", f"/v1/publications/pub_{NOBODYS}"),
        ("GET", "/v1/screen"),
        ("POST", "/v1/ledger/checkpoint"),
        ("TRACE", "/v1/publications"),
        ("POST", "/healthz"),
        ("POST", "/readyz"),
        ("DELETE", "/metrics"),
    ],
)
def test_a_method_that_is_not_taken(platform: Platform, unrecorded: None, method: str, path: str) -> None:
    """Another method is 405, and says which ones there are."""
    response = platform.http.request(method, path)
    problem_in(response, 405, "method_not_allowed")
    assert response.headers["allow"]


@pytest.mark.parametrize("identity", [f"acc_{NOBODYS}", "pub_x", f"PUB_{NOBODYS}", f"pub_{NOBODYS}0", "x" * 2_000])
@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("GET", "", None),
        ("POST", "/revisions", PLAIN),
        ("POST", "/withdraw", None),
        ("POST", "/release", None),
        ("POST", "/contest", {}),
    ],
)
def test_an_id_of_another_kind(
    platform: Platform, unrecorded: None, identity: str, method: str, rest: str, body: Doc | None
) -> None:
    """An id that cannot be a publication's is refused with the prefix that is expected."""
    shown = problem_in(
        platform.http.request(method, f"/v1/publications/{identity}{rest}", json=body), 422, "wrong_id_kind"
    )
    assert shown["facts"]["expected"] == "pub_"


# --- who asks ----------------------------------------------------------------------------------------------------

ASKED: Final[list[tuple[str, str, Doc | None, str]]] = [
    ("POST", "/v1/screen", PLAIN, "screen"),
    ("POST", "/v1/publications", {"account": f"acc_{NOBODYS}"}, "publication.submit"),
    ("GET", "/v1/publications", None, "publication.read"),
    ("GET", f"/v1/publications/pub_{NOBODYS}", None, "publication.read"),
    ("POST", f"/v1/publications/pub_{NOBODYS}/revisions", PLAIN, "publication.submit"),
    ("POST", f"/v1/publications/pub_{NOBODYS}/claim", None, "publication.claim"),
    ("POST", f"/v1/publications/pub_{NOBODYS}/unclaim", None, "publication.claim"),
    ("POST", f"/v1/publications/pub_{NOBODYS}/decisions", {"decision": "approve", "version": 1}, "publication.decide"),
    (
        "POST",
        f"/v1/publications/pub_{NOBODYS}/decisions",
        {"decision": "take_down", "version": 1},
        "publication.take_down",
    ),
    ("POST", f"/v1/publications/pub_{NOBODYS}/release", None, "publication.release"),
    ("POST", f"/v1/publications/pub_{NOBODYS}/withdraw", None, "publication.submit"),
    ("POST", f"/v1/publications/pub_{NOBODYS}/contest", {}, "publication.submit"),
    ("POST", "/v1/accounts", {}, "account.write"),
    ("GET", "/v1/accounts", None, "account.read"),
    ("GET", f"/v1/accounts/acc_{NOBODYS}", None, "account.read"),
    ("POST", f"/v1/accounts/acc_{NOBODYS}/rights", {"rights": []}, "account.write"),
    ("POST", f"/v1/accounts/acc_{NOBODYS}/agreement", {"agreement": "1"}, "account.write"),
    ("POST", f"/v1/accounts/acc_{NOBODYS}/profile", {}, "account.write"),
    ("POST", f"/v1/accounts/acc_{NOBODYS}/close", None, "account.write"),
    ("GET", f"/v1/dossiers/pub_{NOBODYS}/entries", None, "publication.read"),
    ("GET", "/v1/ledger/entries/0/proof", None, "ledger.read"),
]
"""Every operation that asks for a permission."""


@pytest.mark.parametrize(("method", "path", "body", "permission"), ASKED)
def test_every_operation_asks_who_it_is_and_what_they_may(
    platform: Platform,
    narrow: httpx.Client,
    unrecorded: None,
    method: str,
    path: str,
    body: Doc | None,
    permission: str,
) -> None:
    """Without a token 401; with one that lacks the permission 403, naming it; before anything is looked up."""
    nobody = platform.client().request(method, path, json=body)
    problem_in(nobody, 401, "unauthenticated")
    assert nobody.headers["www-authenticate"] == "Bearer"
    shown = problem_in(narrow.request(method, path, json=body), 403, "forbidden")
    assert shown["facts"] == {"permission": permission}


@pytest.fixture(scope="module")
def narrow(platform: Platform) -> httpx.Client:
    """A client whose key may hardly do anything."""
    return platform.client(platform.key("policy.read").token)


LISTS: Final = ["/v1/lists", *(f"/v1/lists/nobodys/list{part}" for part in ("", "/terms", "/export", "/changes"))]
"""The operations on word lists: `narrow` may read them, so they are tried with another key."""


@pytest.mark.parametrize("path", LISTS)
def test_word_lists_ask_who_it_is_and_what_they_may(platform: Platform, path: str) -> None:
    """Without a token 401; with a key for other things 403, naming the permission."""
    method, permission = ("POST", "list.edit") if path.endswith("/changes") else ("GET", "policy.read")
    body = {"reason": "none"} if method == "POST" else None
    problem_in(platform.client().request(method, path, json=body), 401, "unauthenticated")
    other = platform.client(platform.key("ledger.read").token)
    assert problem_in(other.request(method, path, json=body), 403, "forbidden")["facts"] == {"permission": permission}


def test_the_list_of_operations_is_whole(platform: Platform) -> None:
    """Whatever is described is tried above, but for the batch (tried with bodies) and what is public by design."""
    described = platform.client().get("/v1/openapi.json").json()["paths"]
    tried = {_shape(path) for _, path, _, _ in ASKED}
    lists = {_shape(path) for path in LISTS}
    assert {_shape(path) for path in described} - tried - lists == {
        "/v1/publications/batch",
        "/v1/ledger/checkpoint",
        "/v1/ledger/key",
        "/v1/ledger/tile/*",
        "/v1/ledger/consistency/*",
        "/healthz",
        "/readyz",
        "/metrics",
    }


def _shape(path: str) -> str:
    """A path with a star for each of its parameters."""
    return re.sub(rf"\{{[^}}]*\}}|[a-z]{{3}}_{NOBODYS}|(?<=/)\d+(?=/)|(?<=/)nobodys(?=/)|(?<=/)list(?=/|$)", "*", path)


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Basic YTpi",
        "Bearer plk_x",
        "Bearer pls_x",
        "Bearer pll_x",
        "Bearer " + "x" * 5_000,
        "é",
        "",
    ],
)
def test_a_token_that_is_none(platform: Platform, unrecorded: None, header: str) -> None:
    """Garbage in the Authorization header is nobody."""
    response = platform.client().get("/v1/publications", headers={b"authorization": header.encode("latin-1")})
    problem_in(response, 401, "unauthenticated")


def test_what_has_ended_opens_nothing(platform: Platform) -> None:
    """A revoked key, a token that was replaced and the token of somebody who left stop to work within seconds."""
    key = platform.key(label="short-lived")
    replaced = platform.person("auditor", name="Forgetful")
    gone = platform.person("auditor", name="Leaver")
    clients = [platform.client(token) for token in (key.token, replaced.token, gone.token)]
    for client in clients:
        assert client.get("/v1/publications").status_code == 200
    platform.cli("key", "end", key.id)
    platform.cli("staff", "token", "Forgetful", "--json")
    platform.cli("staff", "end", "Leaver")
    for client in clients:
        until(lambda: client.get("/v1/publications").status_code == 401, "the token has ended")  # noqa: B023 - asked now
        problem_in(client.get("/v1/publications"), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("GET", "/v1/publications/{}", None),
        ("POST", "/v1/publications/{}/revisions", PLAIN),
        ("POST", "/v1/publications/{}/withdraw", None),
        ("POST", "/v1/publications/{}/contest", {}),
        ("POST", "/v1/publications/{}/release", None),
        ("GET", "/v1/dossiers/{}/entries", None),
    ],
)
def test_what_belongs_to_another_account_is_not_there(
    platform: Platform, held: Doc, stranger: Key, unrecorded: None, method: str, rest: str, body: Doc | None
) -> None:
    """For a key bound to an account, another's publication and one that never was give the same answer."""
    client = platform.client(stranger.token)
    others = client.request(method, rest.format(held["id"]), json=body)
    nobodys = client.request(method, rest.format(f"pub_{NOBODYS}"), json=body)
    assert problem_in(others, 404, "not_found") == problem_in(nobodys, 404, "not_found")


def test_a_bound_key_sees_and_acts_for_its_account_only(
    platform: Platform, held: Doc, stranger: Key, unrecorded: None
) -> None:
    """Another's account is not found, not listed, not submitted for, not screened for; and none is opened."""
    client, other = platform.client(stranger.token), held["account"]
    problem_in(client.get(f"/v1/accounts/{other}"), 404, "account_not_found")
    problem_in(client.post(f"/v1/accounts/{other}/close"), 404, "account_not_found")
    problem_in(client.post("/v1/publications", json={"account": other, **PLAIN}), 404, "account_not_found")
    problem_in(client.post("/v1/screen", json={"account": other, **PLAIN}), 404, "account_not_found")
    problem_in(client.post("/v1/accounts", json={}), 403, "forbidden")
    assert client.get("/v1/publications", params={"account": other}).json()["items"] == []
    assert other not in {each["account"] for each in client.get("/v1/publications").json()["items"]}
    assert len(client.get("/v1/accounts").json()["items"]) == 1
    line = json.dumps({"account": other, **PLAIN})
    answer = client.post("/v1/publications/batch", content=line, headers={"content-type": "application/x-ndjson"})
    assert answer.json()["problem"]["code"] == "account_not_found"


# --- the same thing twice, and two at once -----------------------------------------------------------------------


async def _at_once(platform: Platform, asks: list[tuple[str, str, Doc | None, dict[str, str]]]) -> list[httpx.Response]:
    """Post all at once, each on a connection of its own: (token, path, body, headers)."""
    limits = httpx.Limits(max_connections=len(asks))
    async with httpx.AsyncClient(base_url=platform.url, timeout=WAIT_S, limits=limits, verify=False) as client:
        sent = [
            client.post(path, json=body, headers={"authorization": f"Bearer {token}", **headers})
            for token, path, body, headers in asks
        ]
        return list(await asyncio.gather(*sent))


@pytest.mark.parametrize("path", ["/v1/publications", "/v1/accounts", "/v1/publications/{}/withdraw"])
async def test_one_idempotency_key_50_times_at_once(platform: Platform, path: str) -> None:
    """The same request under one key is done once, and all 50 get the same answer."""
    account = platform.open_account()
    body = {"/v1/publications": {"account": account, **PLAIN}, "/v1/accounts": {"display_name": "Once"}}.get(path)
    there = path.format(platform.submit_as("held", account=account)["id"])
    before = platform.recorded()
    answers = await _at_once(platform, [(platform.api_key, there, body, {"idempotency-key": there + account})] * 50)
    assert {answer.status_code for answer in answers} == {200 if body is None else 201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert platform.recorded() == before + 1


def test_an_idempotency_key_with_another_request(platform: Platform, stranger: Key) -> None:
    """Another body, or another address, under the same key is 409; another's key of the same name is another key."""
    account = platform.open_account()
    headers = {"idempotency-key": f"key of {account}"}
    first = platform.http.post("/v1/publications", json={"account": account, **PLAIN}, headers=headers)
    assert first.status_code == 201
    before = platform.recorded()
    other = platform.http.post("/v1/publications", json={"account": account, **SOLICITING}, headers=headers)
    problem_in(other, 409, "idempotency_mismatch")
    elsewhere = platform.http.post(f"/v1/publications/{first.json()['id']}/withdraw", headers=headers)
    problem_in(elsewhere, 409, "idempotency_mismatch")
    assert platform.recorded() == before
    own = platform.client(stranger.token).get("/v1/accounts").json()["items"][0]["id"]
    body = {"account": own, **PLAIN}
    assert platform.client(stranger.token).post("/v1/publications", json=body, headers=headers).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 201, "é", "a\tb"])
def test_an_unusable_idempotency_key(platform: Platform, held: Doc, unrecorded: None, key: str) -> None:
    """A key that could be mistaken for another, or for none, is refused."""
    body = {"account": held["account"], **PLAIN}
    headers = {b"idempotency-key": key.encode("latin-1")}
    problem_in(platform.http.post("/v1/publications", json=body, headers=headers), 400, "bad_idempotency_key")


async def test_an_external_id_is_taken_once(platform: Platform) -> None:
    """Of ten at once with one external_id one is taken; the others are told which. Another account may use it too."""
    account = platform.open_account()
    body = {"account": account, **PLAIN, "external_id": "post-1"}
    answers = await _at_once(platform, [(platform.api_key, "/v1/publications", body, {})] * 10)
    (taken,) = [answer.json() for answer in answers if answer.status_code == 201]
    for answer in answers:
        if answer.status_code != 201:
            shown = problem_in(answer, 409, "external_id_taken")
            assert shown["facts"] == {"dossier": taken["id"]}
    assert platform.submit(PLAIN, account=platform.open_account(), external_id="post-1")["status"] == "approved"


@pytest.mark.parametrize("round_", range(5))
@pytest.mark.parametrize("command", ["decisions", "claim"])
async def test_two_at_once_on_one_item(platform: Platform, command: str, round_: int) -> None:
    """Of two reviewers who decide, or claim, at the same moment exactly one does; the other is told so."""
    shown = platform.submit_as("held")
    tokens = [platform.person("reviewer").token, platform.person("lead").token]
    path = f"/v1/publications/{shown['id']}/{command}"
    bodies = [decision(shown), decision(shown, decision="return", changes="Cut it.")]
    if command == "claim":
        bodies = [{}, {}]
    answers = await _at_once(platform, [(token, path, body, {}) for token, body in zip(tokens, bodies, strict=True)])
    won, lost = sorted(answers, key=lambda answer: answer.status_code)
    assert won.status_code < 300
    assert lost.status_code == 409
    assert lost.json()["code"] in ("stale", "wrong_state", "claimed_by_other")
    assert len(platform.entries(shown["id"])) == 2
    assert platform.read(shown["id"])["status"] == won.json()["status"]


def test_a_stale_screen(platform: Platform, reviewer: httpx.Client) -> None:
    """A decision on a version that is no longer the present one is refused, and says which is."""
    shown = platform.submit_as("held")
    words = {**SOLICITING, "title": "Summer tea"}
    changed = platform.http.post(f"/v1/publications/{shown['id']}/revisions", json=words).json()
    before = platform.recorded()
    for version in (shown["version"], changed["version"] + 1, 2**60):
        body = decision({"version": version})
        problem = problem_in(reviewer.post(f"/v1/publications/{shown['id']}/decisions", json=body), 409, "stale")
        assert problem["facts"] == {"version": changed["version"], "status": "held"}
    assert platform.recorded() == before


def test_nobody_decides_what_they_submitted(platform: Platform) -> None:
    """Whoever submitted an item neither claims nor decides it; nor whoever revised it last."""
    reviewer, lead = platform.person("reviewer"), platform.staff("lead")
    client = platform.client(reviewer.token)
    own = platform.submit_as("held", token=reviewer.token)
    revised = platform.submit_as("held")
    words = {**SOLICITING, "title": "Summer tea"}
    revised = client.post(f"/v1/publications/{revised['id']}/revisions", json=words).json()
    before = platform.recorded()
    for shown in (own, revised):
        path = f"/v1/publications/{shown['id']}"
        problem_in(client.post(f"{path}/claim"), 403, "own_submission")
        for choice in ("approve", "return", "refuse", "escalate"):
            body = decision(shown, decision=choice, changes="Cut.", ground="community.privacy", facts="Seen.")
            problem_in(client.post(f"{path}/decisions", json=body), 403, "own_submission")
    assert platform.recorded() == before
    assert lead.post(f"/v1/publications/{own['id']}/decisions", json=decision(own)).status_code == 201


# --- texts that are made to be expensive -------------------------------------------------------------------------

COSTLY: Final = [
    pytest.param("a" + "\u0301" * 199_000, id="combining marks"),
    pytest.param("加\u200b" * 99_000, id="zero-width characters"),
    pytest.param("\u202e\u2066" * 99_000, id="bidirectional controls"),
    pytest.param("加微信" * 60_000, id="a term over and over"),
    pytest.param("http://a.example/" * 11_000, id="links"),
    pytest.param("<b>" * 60_000, id="tags"),
    pytest.param("微信:" * 40_000, id="the start of a pattern over and over"),
    pytest.param("\U0001f468\u200d" * 99_000, id="joined emoji"),
    pytest.param("㍿ﷺ" * 99_000, id="characters that fold into many"),
]


@pytest.mark.parametrize("kind", ["text", "html", "markdown"])
@pytest.mark.parametrize("text", COSTLY)
def test_costly_texts_get_an_answer(platform: Platform, text: str, kind: str) -> None:
    """Whatever the characters, a text within the limits is decided, and its findings point at its words."""
    account = platform.account
    shown = platform.submit({"title": "", "body": text, "format": kind}, account=account)
    assert shown["status"] in ("approved", "held", "returned")
    for finding in shown["findings"]:
        start, end = finding["span"]
        assert text[start:end] == finding["quote"]


def test_a_million_combining_marks(new_platform: NewPlatform) -> None:
    """Where the operator allows texts of a million characters, also this one is answered, and others meanwhile."""
    roomy = new_platform(max_body_bytes=8_000_000, max_text_chars=2_000_000)
    body = json.dumps({"account": roomy.account, "body": "a" + "\u0301" * 1_000_000}, ensure_ascii=False).encode()
    response = roomy.http.post("/v1/publications", content=body, headers=JSON_TYPE)
    assert response.status_code == 201, response.text[:2_000]
    assert response.json()["status"] in ("approved", "held")
    assert roomy.submit_as("approved")


# --- scripts in every field --------------------------------------------------------------------------------------

MARK: Final = "mark-of-the-script"
SCRIPT: Final = (
    f"""'"><script>alert("{MARK}")</script><img src=x onerror="alert('{MARK}')">{{{{7*7}}}}</textarea></title>"""
)
EVIL_URL: Final = f"javascript:alert('{MARK}')"


class Page(HTMLParser):
    """What a browser would make of a page: its text, and whatever in it could run."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text = ""
        self.dangers: list[str] = []
        self._open = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._open = tag
        for name, value in attributes:
            self.text += f" {value} "
            address = name in ("href", "src", "action", "formaction", "data", "srcset")
            if name.startswith("on") or (
                address and (value or "").strip().lower().startswith(("javascript:", "data:"))
            ):
                self.dangers.append(f"{tag} {name}={value}")
        if tag in ("iframe", "object", "embed", "base"):
            self.dangers.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._open in ("script", "style") and MARK in data:
            self.dangers.append(f"{self._open}: {data[:80]}")


@pytest.fixture(scope="module")
def injected(platform: Platform) -> Doc:
    """An account, a held item and a history, with a script in every field that somebody may fill in."""
    account = platform.open_account(display_name=SCRIPT, external_id=SCRIPT, agreement=SCRIPT, rights=[SCRIPT])
    content = {
        "title": SCRIPT,
        "body": f"{SCRIPT} add me on Telegram",
        "format": "html",
        "origin": "repost",
        "source": {"name": SCRIPT, "author": SCRIPT, "url": EVIL_URL, "title": SCRIPT},
        "media": [{"url": EVIL_URL, "alt": SCRIPT}, {"url": f"https://x.example/{SCRIPT}", "kind": "file"}],
        "external_id": SCRIPT,
    }
    lead, reviewer = platform.staff("lead"), platform.staff("reviewer")
    shown = platform.submit_as("refused", account=account, title=SCRIPT, body=SCRIPT)
    path = f"/v1/publications/{shown['id']}"
    contested = platform.http.post(f"{path}/contest", json={"statement": SCRIPT}).raise_for_status().json()
    words = {"changes": SCRIPT, "ground": "community.other", "law": SCRIPT, "facts": SCRIPT}
    body = decision(contested, decision="return", reason=SCRIPT, **words)
    lead.post(f"{path}/decisions", json=body).raise_for_status()
    item = platform.submit(content, account=account)
    body = decision(item, decision="escalate", reason=SCRIPT)
    reviewer.post(f"/v1/publications/{item['id']}/decisions", json=body).raise_for_status()
    return {"account": account, "item": item["id"], "decided": shown["id"]}


@pytest.fixture(scope="module")
def browser(platform: Platform) -> Iterator[httpx.Client]:
    """Somebody who may see every page of the desk, and whose own name holds a script."""
    somebody = platform.person("admin", "lead", name=f"<script>{MARK}</script>")
    with platform.desk(somebody) as client:
        yield client


PAGES: Final = [
    pytest.param("/desk", SCRIPT[:60], id="queue"),
    pytest.param("/desk/items/{item}", SCRIPT, id="item"),
    pytest.param("/desk/items/{decided}", SCRIPT, id="a decided item"),
    pytest.param("/desk/accounts", SCRIPT, id="accounts"),
    pytest.param("/desk/accounts/{account}", SCRIPT, id="account"),
    pytest.param("/desk/staff", f"<script>{MARK}</script>", id="staff"),
    pytest.param("/desk?account=" + MARK + '"><script>x</script>', MARK, id="a query of the queue"),
    pytest.param("/desk?ground=" + MARK + "'><script>x</script>", None, id="another"),
    pytest.param("/desk/ledger?entry=" + MARK + '"><script>x</script>', MARK, id="a query of the ledger"),
    pytest.param("/desk/items/" + MARK + "<script>x</script>", None, id="an address"),
    pytest.param("/sign-in?done=" + MARK + "<script>x</script>&lang=<script>", None, id="a message"),
    pytest.param("/link/" + MARK + '"><script>x', None, id="a link"),
]


@pytest.mark.parametrize("language", ["en", "zh-Hant", "zh-Hans"])
@pytest.mark.parametrize(("address", "expected"), PAGES)
def test_scripts_are_shown_as_text(
    browser: httpx.Client, injected: Doc, address: str, expected: str | None, language: str
) -> None:
    """On no page does anything that somebody wrote become markup, an address or a template."""
    sign = "&" if "?" in address else "?"
    response = browser.get(f"{address.format(**injected)}{sign}lang={language}")
    assert response.headers["content-type"].startswith("text/html")
    page = Page(response.text)
    assert page.dangers == []
    if expected is not None:
        assert response.status_code == 200
        assert expected in page.text
    policy = response.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "'unsafe-inline'" not in policy


@pytest.mark.parametrize(
    ("path", "field"), [("/desk/keys", "label"), ("/desk/webhooks", "url"), ("/desk/staff", "name")]
)
def test_a_form_gives_scripts_back_as_text(browser: httpx.Client, path: str, field: str) -> None:
    """A form that is refused shows again what was typed, as text."""
    (token,) = set(re.findall(r'name="csrf" value="([^"]+)"', browser.get(path).text))
    text = f"{SCRIPT} {'x' * 100}"
    response = browser.post(path, data={field: text, "csrf": token, "scope": "screen", "role": "auditor"})
    assert response.status_code == 422
    page = Page(response.text)
    assert page.dangers == []
    assert SCRIPT in page.text


def test_the_api_gives_scripts_back_as_data(platform: Platform, injected: Doc) -> None:
    """On the API a text comes back as it was sent, as JSON that no browser takes for a page."""
    response = platform.http.get(f"/v1/publications/{injected['item']}")
    assert response.json()["content"]["title"] == SCRIPT
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"


# --- slow and broken clients -------------------------------------------------------------------------------------


def _connect(platform: Platform, head: bytes) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", platform.port), timeout=WAIT_S)
    line.sendall(head)
    return line


def _head(platform: Platform, length: int) -> bytes:
    return (
        f"POST /v1/publications HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {platform.api_key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def test_20_slow_clients_keep_nobody_waiting(new_platform: NewPlatform) -> None:
    """While 20 clients send a byte now and then, others are answered; the slow ones are told 408 in the end."""
    busy = new_platform(body_timeout_s=2)
    account = busy.account
    before = busy.recorded()
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(_connect(busy, _head(busy, 100_000))) for _ in range(20)]
        silent = [stack.enter_context(_connect(busy, _head(busy, 10)[:40])) for _ in range(20)]
        for _ in range(25):
            _trickle(slow)
            assert busy.submit_as("approved", account=account)
        answers = _answers(slow)
        assert len(silent) == 20
    assert [answer.partition(b"\r\n")[0].split()[1] for answer in answers] == [b"408"] * 20
    assert all(b'"code":"body_timeout"' in answer for answer in answers)
    assert busy.recorded() == before + 25


def _trickle(lines: list[socket.socket]) -> None:
    for line in lines:
        with contextlib.suppress(OSError):
            line.sendall(b" ")


def _answers(lines: list[socket.socket]) -> list[bytes]:
    """What each gets while it goes on sending a byte now and then, until the server has answered and closed."""
    got = dict.fromkeys(lines, b"")
    waiting = set(lines)

    def round_() -> bool:
        readable, _, _ = select.select(list(waiting), [], [], 0.1)
        for line in readable:
            part = _receive(line)
            got[line] += part
            if not part or b'"body_timeout"' in got[line]:
                waiting.discard(line)
        _trickle(list(waiting))
        return not waiting

    until(round_, "the slow clients are answered")
    return [got[line] for line in lines]


def _receive(line: socket.socket) -> bytes:
    try:
        return line.recv(65_536)
    except ConnectionError:
        return b""


def test_a_client_that_goes_away_leaves_no_trace(platform: Platform, held: Doc, unrecorded: None) -> None:
    """Who hangs up in the middle of a body has submitted nothing, and is no fault of the server in its log."""
    errors = platform.log.read_text().count("request_failed")
    body = json.dumps({"account": held["account"], **PLAIN}).encode()
    for cut in (0, 10, len(body) - 1):
        with _connect(platform, _head(platform, len(body))) as line:
            line.sendall(body[:cut])
    assert platform.http.get("/readyz").status_code == 200
    assert platform.log.read_text().count("request_failed") == errors


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 8 + b"\r\n\r\n",
        b"GET /v1/publications HTTP/9.9\r\n\r\n",
        b"POST /v1/publications HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/publications HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    ],
    ids=["TLS", "a version", "a negative length", "two lengths", "a long header"],
)
def test_what_is_no_http_ends_the_connection_only(platform: Platform, unrecorded: None, garbage: bytes) -> None:
    """Bytes that are no request end their own connection; the server goes on."""
    with _connect(platform, b"") as line:
        with contextlib.suppress(OSError):
            line.sendall(garbage)
            line.shutdown(socket.SHUT_WR)
        answer = _receive(line)
    assert not answer or answer.startswith(b"HTTP/1.1 4") or b"200 OK" in answer.partition(b"\r\n")[0]
    assert platform.http.get("/readyz").status_code == 200

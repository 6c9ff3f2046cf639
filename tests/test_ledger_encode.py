"""Canonical bytes, commitments and headers."""

import hashlib
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet.ledger.encode import (
    MAX_DEPTH,
    MAX_INT,
    EncodeError,
    canonical,
    commitment,
    header_bytes,
    leaf_hash,
    parse_header,
)
from placet.model import Json

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
exact_ints = st.integers(-MAX_INT, MAX_INT)
values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | exact_ints | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=15,
)
HEADER: dict[str, Json] = {
    "seq": 7,
    "at": 1_700_000_000_000_000,
    "dossier": "pub_01h455vb4pex5vsknk084sn02q",
    "version": 2,
    "kind": "publication.decided",
    "actor": "system:deadlines",
    "policy": "ab" * 32,
    "instant": -5,
    "entry_id": "ent_01h455vb4pex5vsknk084sn02q",
    "commitment": bytes(range(32)),
}


def header(**changes: Json) -> bytes:
    return header_bytes(**{**HEADER, **changes})


def plain_jcs(value: Json) -> str:
    """RFC 8785 written the slow way, on the standard library's string escapes."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{plain_jcs(key)}:{plain_jcs(value[key])}" for key in keys) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(plain_jcs, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def test_published_example_of_strings_and_literals() -> None:
    """RFC 8785 section 3.2.2 without its floating-point numbers gives the published bytes."""
    value = json.loads(
        r'{"string": "\u20ac$\u000F\u000aA\u0027\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}'
    )
    expected = r"""{"literals":[null,true,false],"string":"€$\u000f\nA'B\"\\\\\"/"}"""
    assert canonical(value).decode() == expected


def test_published_example_of_key_order() -> None:
    """RFC 8785 section 3.2.3: keys are sorted by UTF-16 units, so the emoji stands before U+FB33."""
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    order = list(json.loads(canonical(value)))
    assert order == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_control_characters_have_the_escapes_of_the_rfc() -> None:
    """RFC 8785 section 3.2.2.2: five short escapes, lower-case \\u00xx for the rest, DEL and U+2028 as they are."""
    written = canonical("".join(map(chr, range(0x20))) + "\x7f\u2028").decode()
    short = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r"}
    assert written == '"' + "".join(short.get(n, f"\\u{n:04x}") for n in range(0x20)) + '\x7f\u2028"'


@settings(deadline=None)
@given(values)
def test_bytes_are_those_of_a_plain_implementation(value: Json) -> None:
    """Every value of our types gets the bytes that RFC 8785 gives it."""
    assert canonical(value).decode() == plain_jcs(value)


@settings(deadline=None)
@given(values)
def test_reading_gives_back_the_value_and_the_bytes(value: Json) -> None:
    """Canonical bytes are JSON, and are a fixed point: read and written again they are the same."""
    data = canonical(value)
    assert json.loads(data) == value
    assert canonical(json.loads(data)) == data


@settings(deadline=None)
@given(st.dictionaries(texts, exact_ints, min_size=2))
def test_order_of_insertion_leaves_no_trace(value: dict[str, int]) -> None:
    """A map has one form, however it was put together."""
    assert canonical(dict(reversed(value.items()))) == canonical(value)


class Number(int):
    pass


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (1.5, "$"),
        ({"a": [0, 1, 2, 0.0]}, "$.a[3]"),
        ([{"b": float("nan")}], "$[0].b"),
        ({"a": {"two words": MAX_INT + 1}}, "$.a['two words']"),
        ([-MAX_INT - 1], "$[0]"),
        ({"a": {1: "x"}}, "$.a"),
        ({"a": b"x"}, "$.a"),
        ({"a": {"x"}}, "$.a"),
        ([Number(1)], "$[0]"),
        ({"a": ["ok", "\ud800"]}, "$.a[1]"),
        ({"a": {"\udfff": 1}}, "$.a"),
        (["\ud83d"], "$[0]"),
    ],
)
def test_what_has_no_canonical_form_is_refused_by_path(value: Json, path: str) -> None:
    """Floats, large integers, other types, other keys and lone surrogates are refused, and the error says where."""
    with pytest.raises(EncodeError) as caught:
        canonical(value)
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")


def test_depth_has_a_limit() -> None:
    """The deepest nesting allowed is written, one level more is refused, and so is a list that holds itself."""
    deep: list[Json] = []
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    assert canonical(deep) == b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    endless: list[Json] = []
    endless.append(endless)
    for value in ([deep], endless):
        with pytest.raises(EncodeError, match="nested"):
            canonical(value)


def test_commitment_is_the_hash_of_salt_and_body() -> None:
    """A commitment is SHA-256 over salt and body, and a salt of another length is refused."""
    salt = bytes(range(32))
    assert commitment(salt, b"{}") == hashlib.sha256(salt + b"{}").digest()
    with pytest.raises(ValueError, match="32 bytes"):
        commitment(salt[:-1], b"{}")


def test_header_is_canonical_json_of_its_fields() -> None:
    """A header is what RFC 8785 makes of its fields, with the commitment in lower-case hexadecimal."""
    fields = {**HEADER, "commitment": bytes(range(32)).hex(), "id": HEADER["entry_id"]}
    del fields["entry_id"]
    assert header() == canonical(fields)
    assert leaf_hash(header()) == hashlib.sha256(b"\0" + header()).digest()


@settings(deadline=None)
@given(
    exact_ints.filter(lambda n: n >= 0),
    exact_ints,
    texts,
    st.integers(1, MAX_INT),
    texts,
    texts,
    st.binary(min_size=32, max_size=32),
)
def test_header_is_read_back(
    seq: int, at: int, dossier: str, version: int, kind: str, actor: str, digest: bytes
) -> None:
    """Every header reads back to its fields, whatever its texts hold."""
    read = parse_header(
        header(seq=seq, at=at, dossier=dossier, version=version, kind=kind, actor=actor, commitment=digest)
    )
    assert (read.seq, read.at, read.dossier, read.version) == (seq, at, dossier, version)
    assert (read.kind, read.actor, read.commitment) == (kind, actor, digest.hex())
    assert (read.id, read.instant, read.policy) == (HEADER["entry_id"], HEADER["instant"], HEADER["policy"])


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": -1},
        {"seq": True},
        {"version": 0},
        {"at": 2**53},
        {"instant": 1.0},
        {"commitment": b"short"},
        {"actor": "\ud800"},
    ],
)
def test_header_of_wrong_fields_is_not_written(changes: dict[str, Json]) -> None:
    """A field that is out of range, of another type or not Unicode stops the header from being written."""
    with pytest.raises(EncodeError):
        header(**changes)


def test_header_in_any_other_form_is_refused() -> None:
    """Other spacing, order, case, fields or escapes of the same JSON are no header."""
    good = header()
    fields = json.loads(good)
    others = [
        good + b"\n",
        good.replace(b":7,", b": 7,"),
        json.dumps(dict(reversed(fields.items())), separators=(",", ":")).encode(),
        good.replace(HEADER["commitment"].hex().encode(), HEADER["commitment"].hex().upper().encode()),
        canonical({**fields, "extra": 1}),
        canonical({**fields, "commitment": "ab" * 31}),
        canonical({**fields, "commitment": "zz" * 32}),
        canonical({**fields, "seq": "7"}),
        canonical({**fields, "version": 0}),
        good.replace(b"publication", rb"\u0070ublication"),
        good.replace(b"publication", rb"\ud800ublication"),
        good.replace(b"publication", b"\xff"),
        good[:-1],
        b"",
        b"null",
    ]
    assert parse_header(good).seq == 7
    for other in others:
        with pytest.raises(EncodeError):
            parse_header(other)


@settings(deadline=None)
@given(st.data())
def test_no_byte_of_a_header_can_be_changed_into_the_same_header(data: st.DataObject) -> None:
    """One changed byte gives either no header or another one."""
    good = header()
    at = data.draw(st.integers(0, len(good) - 1))
    changed = bytearray(good)
    changed[at] ^= data.draw(st.integers(1, 255))
    try:
        assert parse_header(bytes(changed)) != parse_header(good)
    except EncodeError:
        assert msgspec.json.decode(good)["seq"] == 7

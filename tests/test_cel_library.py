"""Moments and durations, string and math functions, macros of two variables, and what only some environments have."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.policy.cel import (
    BOOL,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    TYPE,
    CelError,
    CelRuntimeError,
    Duration,
    Environment,
    Function,
    Optional,
    Overload,
    Timestamp,
    Type,
    TypeValue,
    Uint,
    abstract,
    compile_rule,
    list_of,
    map_of,
    object_type,
    parameter,
)
from placet.policy.cel.runtime import MAX_SIZE
from placet.policy.cel.texts import MAX_PARTS
from placet.policy.cel.types import optional_of

HOUR = 3600 * 10**9
SECONDS = "make it a time: timestamp(seconds); the moment of the act is timestamp(act.at / 1000000)"
ISO = "write it as '2024-02-29T12:00:00Z'"
UNITS = "write numbers with the units h, m, s, ms: '1h30m'"
LAST_MOMENT = "timestamp('9999-12-31T23:59:59.999999999Z')"

FACTS: dict[str, Any] = {
    "item": {"text": "Seeds for sale: 3 bags", "at": 1_234_567_890_000_000, "age": 90_000_000},
    "words": ["b", "a"],
    "count": {"b": 2, "a": 1},
    "extra": {"n": 7},
}
VARIABLES: dict[str, Type] = {
    "item": object_type("item", {"text": STRING, "at": TIMESTAMP, "age": DURATION}),
    "words": list_of(STRING),
    "count": map_of(STRING, INT),
    "extra": DYN,
}
RULES = Environment(VARIABLES)
WIDE = Environment(VARIABLES, extensions=frozenset({"optional", "block"}))


class Text:
    """A text matcher that finds nothing."""

    def terms(self, _name: str) -> bool:
        return False

    def hits(self, _name: str) -> Sequence[Mapping[str, Any]]:
        return []

    def count(self, _name: str) -> int:
        return 0

    def matches(self, _field: str, _pattern: str) -> bool:
        return False


def evaluate(source: str, environment: Environment = RULES, facts: Mapping[str, Any] = FACTS) -> Any:
    return compile_rule(source, environment, DYN)(facts, Text())


def failure(source: str, environment: Environment = RULES) -> str:
    with pytest.raises(CelRuntimeError) as caught:
        evaluate(source, environment)
    return str(caught.value)


def mistake(source: str, environment: Environment = RULES) -> CelError:
    with pytest.raises(CelError) as caught:
        compile_rule(source, environment, DYN)
    return caught.value


# --- moments and durations ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("timestamp('1970-01-01T00:00:01Z')", Timestamp(10**9)),
        ("timestamp('1970-01-01T08:00:00.5+08:00')", Timestamp(5 * 10**8)),
        ("timestamp(60)", Timestamp(60 * 10**9)),
        ("duration('1h30m')", Duration(HOUR * 3 // 2)),
        ("duration('-1.5h')", Duration(-HOUR * 3 // 2)),
        ("duration('1us') + duration('1µs') + duration('1ms') + duration('1ns')", Duration(1_002_001)),
        ("duration('0')", Duration(0)),
        ("timestamp(0) + duration('1h') - timestamp(0)", Duration(HOUR)),
        ("duration('1h') + timestamp(0) - duration('1h')", Timestamp(0)),
        ("duration('1h') - duration('30m')", Duration(HOUR // 2)),
        ("timestamp(0) < timestamp(1) && duration('1s') >= duration('1000ms')", True),
        ("timestamp(0) == timestamp('1970-01-01T00:00:00Z') && timestamp(1) != timestamp(0)", True),
        ("timestamp(1) in [timestamp(0), timestamp(1)]", True),
        ("dyn(timestamp(0)) == 0 || dyn(duration('0')) == 0 || dyn(timestamp(0)) == duration('0')", False),
        ("int(timestamp(-1) + duration('500ms'))", -1),
        ("string(timestamp(-62135596800))", "0001-01-01T00:00:00Z"),
        ("string(timestamp(0) + duration('1500us'))", "1970-01-01T00:00:00.0015Z"),
        ("string(duration('-90.5s')) + string(duration('1ns'))", "-90.5s0.000000001s"),
        ("timestamp('2024-02-29T23:30:00Z').getFullYear()", 2024),
        ("timestamp('2024-02-29T23:30:00Z').getMonth()", 1),
        ("timestamp('2024-02-29T23:30:00Z').getDate()", 29),
        ("timestamp('2024-02-29T23:30:00Z').getDayOfMonth()", 28),
        ("timestamp('2024-02-29T23:30:00Z').getDayOfWeek()", 4),
        ("timestamp('2024-03-03T23:30:00Z').getDayOfWeek()", 0),
        ("timestamp('2024-02-29T23:30:00Z').getDayOfYear()", 59),
        ("timestamp('2024-02-29T23:30:00Z').getHours('Asia/Shanghai')", 7),
        ("timestamp('2024-02-29T23:30:00Z').getDate('Asia/Shanghai')", 1),
        ("timestamp('2024-02-29T23:30:00Z').getMinutes('-02:45')", 45),
        ("timestamp('2024-03-31T00:59:59Z').getHours('Europe/Paris')", 1),
        ("timestamp('2024-03-31T01:00:00Z').getHours('Europe/Paris')", 3),
        ("timestamp('1969-12-31T23:59:59.25Z').getMilliseconds('Asia/Shanghai')", 250),
        ("duration('-90m').getHours()", -1),
        ("duration('90m').getMinutes()", 90),
        ("duration('-1.25s').getMilliseconds()", -250),
        ("item.at.getFullYear() == 2009 && item.age.getSeconds() == 90", True),
        ("timestamp('2009-02-14T00:00:00Z') - item.at < duration('1h')", True),
    ],
)
def test_time(source: str, expected: object) -> None:
    """Moments and durations are read, written, added, compared, and taken apart in a time zone."""
    found = evaluate(source)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (f"{LAST_MOMENT} + duration('1ns')", "value out of range"),
        ("timestamp(-62135596801)", "value out of range"),
        (f"{LAST_MOMENT} - timestamp(-62135596800)", "value out of range"),
        ("duration('2000000h') + duration('2000000h')", "value out of range"),
        (f"{LAST_MOMENT}.getHours('+01:00')", "value out of range"),
        ("timestamp(0).getHours(item.text)", "unknown time zone"),
        ("timestamp(0).getHours('../' + 'UTC')", "unknown time zone"),
        ("timestamp(0).getHours('Amer' + 'ica')", "unknown time zone"),
        ("timestamp(0).getHours('+24:' + '00')", "not an offset from UTC"),
        ("timestamp(item.text)", "not a timestamp"),
        ("duration(item.text)", "not a duration"),
        ("duration('1' + '')", "not a duration"),
        ("duration('.' + 's')", "not a duration"),
        ("duration('9' + '999999999h')", "value out of range"),
        ("dyn(timestamp(0)) + 1", "no such overload"),
    ],
)
def test_time_that_is_none(source: str, message: str) -> None:
    """What leaves the range of the calendar, or is no time, fails; the ends themselves do not."""
    assert failure(source) == message


@pytest.mark.parametrize(
    ("source", "message", "hint", "underlined"),
    [
        (
            "item.at.getHours('Asia/Shangai') < 6",
            "unknown time zone",
            "did you mean 'Asia/Shanghai'?",
            "'Asia/Shangai'",
        ),
        ("timestamp('2024-02-30T00:00:00Z') < item.at", "not a timestamp", ISO, "'2024-02-30T00:00:00Z'"),
        ("item.age > duration('1d')", "not a duration", UNITS, "'1d'"),
        ("item.at < 5", "'<' is not defined for timestamp and int", SECONDS, "item.at < 5"),
        ("item.at + 5 > item.at", "'+' is not defined for timestamp and int", None, "item.at + 5"),
    ],
)
def test_a_literal_time_is_checked_at_load(source: str, message: str, hint: str | None, underlined: str) -> None:
    """A rule with a time that could never be one is refused where it stands, instead of failing on every item."""
    error = mistake(source)
    assert (error.message, error.hint) == (message, hint)
    assert source[error.offset : error.offset + error.length] == underlined


@given(st.integers(-62_135_596_800 * 10**9, 253_402_300_800 * 10**9 - 1), st.integers(-(2**63), 2**63 - 1))
def test_times_survive_being_written(moment: int, length: int) -> None:
    """Every moment and every duration is read back from what is written of it."""
    environment = Environment({"m": TIMESTAMP, "d": DURATION})
    facts = {"m": Timestamp(moment), "d": Duration(length)}
    assert evaluate("timestamp(string(m)) == m && duration(string(d)) == d", environment, facts) is True


# --- texts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("'日本語'.charAt(1) + 'ab'.charAt(2)", "本"),
        ("'hello'.indexOf('l') + 'hello'.indexOf('l', 3) + 'hello'.lastIndexOf('l')", 8),
        ("'hello'.lastIndexOf('l', 2) + 'hello'.indexOf('z')", 1),
        ("['a', 'b'].join('-') + ['c'].join()", "a-bc"),
        ("'aaa'.replace('a', 'b', 2).replace('', '.')", ".b.b.a."),
        ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
        ("'abc'.split('')", ["a", "b", "c"]),
        ("'a'.split(',', 0)", []),
        ("'hello'.substring(1, 3) + 'hello'.substring(4) + 'hello'.substring(3, 5)", "elolo"),
        ("' \\u3000\\u2003a\\x1c '.trim()", "a\x1c"),
        ("'añ日'.reverse()", "日ña"),
        ("strings.quote('a\"\\n\\\\')", '"a\\"\\n\\\\"'),
        ("'%s is %d, %.1f%%'.format(['x', 3u, 12.25])", "x is 3, 12.2%"),
        ("'%x %X %o %b %e'.format([255, -255, 8, true, 12345.0])", "ff -FF 10 1 1.234500e+04"),
        ("'%s'.format([{'b': [1.5, null], 'a': type(1)}])", "{a: int, b: [1.5, null]}"),
        ("'%s %s'.format([duration('90s'), timestamp(0)])", "90s 1970-01-01T00:00:00Z"),
        ("item.text.split(' ').exists(w, w.matches('^[0-9]+$') && int(w) > 2)", True),
    ],
)
def test_texts(source: str, expected: object) -> None:
    """Texts are cut, joined, searched and written, by characters."""
    assert evaluate(source) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("'abc'.charAt(4)", "index out of range"),
        ("'abc'.charAt(-1)", "index out of range"),
        ("'abc'.substring(2, 1)", "index out of range"),
        ("'abc'.indexOf('a', 4)", "index out of range"),
        ("'abc'.lastIndexOf('a', -1)", "index out of range"),
        ("['a', dyn(1)].join()", "no such overload"),
        ("'%d'.format([])", "more formatting clauses than values"),
        ("'%q'.format([1])", "unknown formatting clause"),
        ("'100%'.format([])", "unknown formatting clause"),
        ("'%d'.format([1.5])", "formatting clause %d does not take such a value"),
        ("'%.200f'.format([1.5])", "formatting clause %f does not take such a value"),
    ],
)
def test_texts_that_are_none(source: str, message: str) -> None:
    """A place outside a text, and a clause without its value, fail."""
    assert failure(source) == message


@pytest.mark.parametrize(
    "source",
    [
        "t.replace('x', t)",
        "t.replace('', t)",
        "[t, t, t].join(t)",
        "'%s%s%s'.format([t, t, t])",
        "'%s'.format([[t, t, t]])",
        "strings.quote(t + t)",
        "t.split('')",
        "t.split('x')",
        "'%s'.format(['[1]'])" + "".join(f".replace('{n}', '{n}{n}{n}{n}{n}{n}{n}{n}{n}')" for n in "111111"),
    ],
)
def test_no_text_eats_the_memory(source: str) -> None:
    """What a rule makes of a long text stays bounded: it fails before anything large is made."""
    with pytest.raises(CelRuntimeError, match="value too large"):
        evaluate(source, Environment({"t": STRING}), {"t": "x" * 130_000})
    assert MAX_PARTS < 130_000 < MAX_SIZE


def test_writing_shared_parts_is_stopped() -> None:
    """Values that share their parts are small, and endless to write."""
    deep = "[1]" + ".map(a, [a, a])" * 28
    with pytest.raises(CelRuntimeError, match="value too large"):
        compile_rule(f"'%s'.format({deep})", RULES, DYN, cost_limit=10**6)(FACTS, Text())


# --- numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("math.greatest(1, 3, 2)", 3),
        ("math.least([2.5, 1.5])", 1.5),
        ("math.greatest(1, 2.5, 2u)", 2.5),
        ("math.least(3u)", Uint(3)),
        ("math.round(2.5) + math.round(-2.5) + math.round(0.49999999999999994)", 0.0),
        ("math.ceil(1.2) + math.floor(-1.2) + math.trunc(-1.9)", -1.0),
        ("math.abs(-3) + math.sign(-7)", 2),
        ("math.sign(0u) + math.abs(2u)", Uint(2)),
        ("math.sqrt(9) + math.sqrt(2.25)", 4.5),
        ("math.isNaN(math.sqrt(-1.0)) && math.isInf(1.0 / 0.0) && !math.isFinite(0.0 / 0.0)", True),
        ("math.bitAnd(6, 3) + math.bitOr(6, 3) + math.bitXor(6, 3) + math.bitNot(0)", 13),
        ("math.bitNot(0u) - math.bitOr(1u, 2u)", Uint(2**64 - 4)),
        ("math.bitShiftLeft(1, 63)", -(2**63)),
        ("math.bitShiftRight(-1, 60)", 15),
        ("math.bitShiftLeft(1u, 64) + math.bitShiftRight(8u, 2)", Uint(2)),
    ],
)
def test_numbers(source: str, expected: object) -> None:
    """The math functions keep the type of what they are given."""
    found = evaluate(source)
    assert (found, type(found)) == (expected, type(expected))


def test_numbers_that_are_none() -> None:
    """What has no value fails; infinities and not-a-number are values, and are rounded to themselves."""
    assert failure("math.abs(-9223372036854775808)") == "integer overflow"
    assert failure("math.bitShiftLeft(1, -1)") == "negative offset"
    assert failure("math.greatest([])") == "no number to choose from"
    assert failure("math.greatest([1, dyn('a')])") == "no such overload"
    assert math.isnan(evaluate("math.round(0.0 / 0.0)"))
    assert evaluate("math.floor(-1.0 / 0.0)") == -math.inf
    assert mistake("math.greatest()").message == "'math.greatest' takes one number or more"
    assert mistake("math.greatest(1, 2, item.text)").message == "'math.greatest' is not defined for int and string"


# --- macros ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("words.all(i, w, i < 2 && w != '')", True),
        ("words.exists(i, w, i == 1 && w == 'a')", True),
        ("count.exists(k, n, k == 'a' && n == 1)", True),
        ("count.existsOne(k, n, n > 1) && words.exists_one(i, w, i > 0)", True),
        ("words.transformList(i, w, w + string(i))", ["b0", "a1"]),
        ("words.transformList(i, w, i > 0, w)", ["a"]),
        ("count.transformList(k, n, n * 10)", [20, 10]),
        ("count.transformMap(k, n, k == 'a', n + 1)", {"a": 2}),
        ("words.transformMap(i, w, w)", {0: "b", 1: "a"}),
        ("extra.transformMap(k, n, n + 1)", {"n": 8}),
        ("dyn([5, 6]).exists(i, v, i == 1 && v == 6)", True),
        ("[[1, 2], [3]].transformList(i, l, l.transformList(j, v, v + i * 10 + j))", [[1, 3], [13]]),
        ("words.exists(w, w == 'x') || words.exists(i, w, w == 'a')", True),
        ("[1, 0].all(i, v, 1 / v == 1) || true", True),
        ("[0, 1].exists(i, v, 1 / v == 1)", True),
        ("cel.bind(n, size(words), n * n + n)", 6),
        ("cel.bind(n, 1 / 0, true || n > 1)", True),
        ("cel.bind(a, 1, cel.bind(a, a + 1, a) + a)", 3),
        ("cel.bind(w, words, w.map(x, cel.bind(y, x + x, y + y)))", ["bbbb", "aaaa"]),
        ("{true: 'a', 1: 'b', 0: 'c'}.transformMap(k, v, v + '!')[1]", "b!"),
    ],
)
def test_macros(source: str, expected: object) -> None:
    """Macros of two variables see the index or key and the value; bind names a value that is worked out once."""
    assert evaluate(source) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("words.transformList(i, w)", "'transformList' takes two names and an expression"),
        ("words.transformList(i, 1, w)", "'transformList' takes a plain name first"),
        ("words.all(w, w, true)", "the two variables need two names"),
        ("words.all(i, w, i)", "a condition must be bool, found int"),
        ("words.all(i, w, w > i)", "'>' is not defined for string and int"),
        ("cel.bind(n, 1)", "'cel.bind' takes a name, a value and an expression"),
        ("cel.bind(n, 1, n == 'a')", "int and string cannot be compared"),
        ("math.flor(1.5)", "unknown function 'math.flor'"),
        ("'a'.math.abs(1)", "unknown function 'abs'"),
        ("transformList(words, w, w)", "'transformList' is not called like this"),
    ],
)
def test_macros_that_are_none(source: str, message: str) -> None:
    """A macro that is written wrongly, or whose variables are used wrongly, is refused."""
    assert mistake(source).message == message
    if "flor" in source:
        assert mistake(source).hint == "did you mean 'math.floor'?"


def test_a_namespace_is_underlined_with_its_function() -> None:
    """A function in a namespace is one word, also where a mistake is shown."""
    assert mistake("1 + math.max(1, 2)").render() == (
        "1:5: unknown function 'math.max'\n | 1 + math.max(1, 2)\n |     ^^^^^^^^\n did you mean 'math.abs'?"
    )


def test_a_failing_bind_fails_where_it_is_used() -> None:
    """The value of a bind is worked out when it is asked for, once, and fails there."""
    assert failure("cel.bind(n, 1 / 0, n > 1)") == "division by zero"
    assert failure("cel.bind(n, [1][5], words.exists(w, n == 1))") == "index out of range"


# --- types as values, and values of no fixed type ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("type(1)", TypeValue("int")),
        ("type(extra.n) == int && type(null) == null_type && type(type(1)) == type", True),
        ("type([1]) == list && type({'a': 1}) == map && type(item) == map", True),
        ("type(item.at) == google.protobuf.Timestamp && type(item.age) == google.protobuf.Duration", True),
        ("[int, string].exists(t, t == type('a'))", True),
        ("['list'].map(list, list + '!')", ["list!"]),
        ("{true: 1, 1: 2, 0: 3, false: 4} == {1u: 2, true: 1, false: 4, 0.0 == 0.0 ? 0 : 9: 3}", True),
        ("{true: 1, 1: 2}[true] * 10 + {true: 1, 1: 2}[1] + size({true: 1, 1: 2})", 14),
        ("true in {1: 1, true: 2} && 1 in {1: 1, true: 2} && !(false in {0: 1, 1: 1, true: 2})", True),
    ],
)
def test_types_as_values(source: str, expected: object) -> None:
    """A type is a value that can be compared; a map tells true from 1, which Python does not."""
    assert evaluate(source) == expected


def test_the_type_of_a_type() -> None:
    """The checker knows that the name of a type is one, unless a variable bears it."""
    assert compile_rule("type(1)", RULES, TYPE).result == TYPE
    assert compile_rule("int", Environment({"int": BOOL})).result == BOOL


# --- what rules do without ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("count.?a.orValue(0) + count.?z.orValue(5)", 6),
        ("words[?1].value() + words[?9].orValue('none')", "anone"),
        ("extra.?n.optMap(x, x + 1).value()", 8),
        ("extra.?z.?y.optFlatMap(x, optional.of(x)).hasValue()", False),
        ("[?count.?a, ?count.?z, 3]", [1, 3]),
        ("{?'x': count.?a, ?'y': count.?z}", {"x": 1}),
        ("optional.of(1) == optional.of(1) && optional.none() != optional.of(1)", True),
        ("has(extra.?z.y) || optional.of(0).or(optional.none()).value() == 1", False),
        ("cel.block([1 / 0, size(words)], cel.index(1))", 2),
    ],
)
def test_extensions(source: str, expected: object) -> None:
    """An environment can ask for optional values and for the notation of optimisers; rules have neither."""
    assert evaluate(source, WIDE) == expected
    with pytest.raises(CelError):
        compile_rule(source, RULES, DYN)


def test_an_absent_value_has_no_value() -> None:
    """Asking an absent value for its value fails; as a result it is an Optional."""
    assert failure("optional.none().value()", WIDE) == "optional.none() has no value"
    assert failure("[?extra.n]", WIDE) == "no such overload"
    assert evaluate("count.?z", WIDE).held == ()
    assert isinstance(evaluate("count.?a", WIDE), Optional)
    assert compile_rule("count.?a", WIDE, DYN).result == optional_of(INT)
    assert mistake("[?1]", WIDE).message == "only an optional value may follow '?', found int"


def test_names_in_a_container() -> None:
    """A name is looked up in the container first, then in those around it; a dot before it skips them all."""
    environment = Environment({"a.b.x": INT, "a.x": INT, "x": INT, "y.z": INT, "y": DYN}, container="a.b")
    facts = {"a.b.x": 1, "a.x": 2, "x": 3, "y.z": 4, "y": {"z": 5, "w": 6}}
    assert evaluate("[x, a.x, .x, y.z, y.w]", environment, facts) == [1, 2, 3, 4, 6]
    assert evaluate("[{'z': 0}].map(y, y.z + .y.z)", environment, facts) == [4]
    assert compile_rule("x == y.z", environment).reads == {"a.b.x", "y.z"}


def test_functions_of_an_environment() -> None:
    """An environment can declare functions, whose parameters may stand for any type."""
    t = parameter("T")
    pair = Function(frozenset({"function"}), (Overload((t, t), list_of(t), lambda a, b: [a, b]),))
    named = Function(frozenset({"member"}), (Overload((STRING,), abstract("name", STRING), lambda text: text),))
    environment = Environment({}, functions={"pair": pair, "named": named})
    assert compile_rule("pair(1, 2)", environment, DYN).result == list_of(INT)
    assert str(compile_rule("'a'.named()", environment, DYN).result) == "name(string)"
    assert evaluate("pair(1, dyn('a'))", environment, {}) == [1, "a"]
    assert mistake("pair(1, 'a')", environment).message == "'pair' is not defined for int and string"
    assert mistake("pear(1, 2)", environment).hint == "did you mean 'pair'?"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 == 1.0 && 1 != 'a'", True),
        ("nowhere || true", True),
        ("f(17) || true", True),
        ("'a'.f() || [1, 'b'].exists(x, x == 'b')", True),
        ("{'a': 1}.a + [1][0]", 2),
    ],
)
def test_an_unchecked_expression(source: str, expected: object) -> None:
    """An environment that does not check finds every mistake when the expression runs, and errors are absorbed."""
    assert evaluate(source, Environment({}, is_checked=False)) == expected
    with pytest.raises(CelRuntimeError):
        evaluate(f"[nowhere, {source}]", Environment({}, is_checked=False))

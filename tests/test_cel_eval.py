"""Evaluation of rules: the language's semantics, an independent interpreter as oracle, explanations, hostile inputs."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from placet.policy.cel import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    INT,
    STRING,
    UINT,
    CelError,
    CelRuntimeError,
    Environment,
    Program,
    Type,
    Uint,
    compile_rule,
    list_of,
    map_of,
    object_type,
)
from placet.policy.cel.runtime import MAX_SIZE

MAX, MIN, UMAX = 2**63 - 1, -(2**63), 2**64 - 1

ITEM = object_type(
    "item",
    {
        "title": STRING,
        "body": STRING,
        "category": STRING,
        "origin": STRING,
        "source": object_type("source", {"name": STRING}),
        "media": list_of(object_type("medium", {"kind": STRING, "size": UINT})),
    },
)
ACCOUNT = object_type("account", {"rights": list_of(STRING), "class": STRING, "strikes": INT})
ACT = object_type(
    "act", {"views": UINT, "share": DOUBLE, "labels": map_of(STRING, INT), "extra": DYN, "ids": list_of(INT)}
)
ENV = Environment({"item": ITEM, "account": ACCOUNT, "act": ACT}, frozenset({"item.title", "item.body"}))
FACTS: dict[str, Any] = {
    "item": {
        "title": "Three lanterns",
        "body": "They hang over the door.",
        "category": "local-news",
        "origin": "repost",
        "source": {"name": ""},
        "media": [{"kind": "image", "size": 10}, {"kind": "video", "size": 2_000}],
    },
    "account": {"rights": ["notice.post", "photo.post"], "class": "other", "strikes": 3},
    "act": {
        "views": 7,
        "share": 1,
        "labels": {"spam": 2},
        "extra": {"a": [1, "two", None], "yes": True},
        "ids": (1, 2, 3),
    },
}


class Text:
    """A text matcher that knows two lists and writes down what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def terms(self, list_name: str) -> bool:
        self.asked.append(("terms", list_name))
        return list_name == "found"

    def hits(self, list_name: str) -> Sequence[Mapping[str, Any]]:
        self.asked.append(("hits", list_name))
        hit = {"label": "lantern", "field": "title", "view": "folded", "score": 80, "quote": "lantern"}
        return [hit] if list_name == "found" else []

    def count(self, list_name: str) -> int:
        self.asked.append(("count", list_name))
        return 3 if list_name == "found" else 0

    def matches(self, field: str, pattern: str) -> bool:
        self.asked.append(("matches", field, pattern))
        return field == "item.title"


def program(source: str, expect: Type = DYN, cost_limit: int = 10_000) -> Program:
    return compile_rule(source, ENV, expect, cost_limit)


def evaluate(source: str, expect: Type = DYN) -> Any:
    return program(source, expect)(FACTS, Text())


def failure(source: str) -> str:
    with pytest.raises(CelRuntimeError) as caught:
        evaluate(source)
    return str(caught.value)


# --- semantics ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 / -2", -3),
        ("-7 / -2", 3),
        ("7 % -2", 1),
        ("-7 % 2", -1),
        ("-7 % -2", -1),
        (f"{MIN} % -1", 0),
        ("7u / 2u", 3),
        (f"{UMAX}u / 1u == {UMAX}u && {UMAX}u % {MAX}u == 1u", True),
        ("1.0 / 0.0", math.inf),
        ("-1.0 / 0.0", -math.inf),
        ("1.0 / -0.0", -math.inf),
        ("2.0 * 8.988466e307", math.inf),
        ("0.1 + 0.2", 0.1 + 0.2),
        (f"{MAX - 1} + 1", MAX),
        (f"{MIN} + {MAX}", -1),
        (f"{UMAX - 1}u + 1u", UMAX),
        (f"-({MAX})", -MAX),
        ("size('añ日🏮')", 4),
        ("'añ日🏮'.size()", 4),
        ("size(bytes('é'))", 2),
        ("size([1, 2]) + size({'a': 1})", 3),
        ("'abc'.startsWith('ab') && 'abc'.endsWith('bc') && 'abc'.contains('b')", True),
        ("'abc'.contains('')", True),
        ("'banana'.matches('a.a')", True),
        ("'banana'.matches('^a')", False),
        ("matches('banana', 'n$|^b')", True),
        ("'Straße ÀB'.lowerAscii()", "straße Àb"),
        ("'straße àb'.upperAscii()", "STRAßE àB"),
        ("'a' < 'b' && 'B' < 'a' && 'z' < 'é' && b'\\x00' < b'\\x01' && false < true", True),
        ("1 < 2.5 && 2u > 1 && 1u <= 1.0 && 2 >= 2u", True),
        ("0.0/0.0 == 0.0/0.0", False),
        ("0.0/0.0 < 1 || 0.0/0.0 >= 1", False),
        ("[0.0/0.0] == [0.0/0.0]", False),
        ("[1, 2] + [3] == [1, 2, 3]", True),
        ("{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", True),
        ("{'a': 1} == {'a': 2}", False),
        ("2 in [1, 2] && !(3 in [1, 2]) && 'a' in {'a': 1}", True),
        ("[[1], [2]].exists(l, l == [2])", True),
        ("[1, 2, 3][2]", 3),
        ("{'a': 1}['a'] + {'a': 1}.a", 2),
        ("{1: 'x', 2: 'y'}[2]", "y"),
        ("{true: 'x'}[true]", "x"),
        ("has({'a': 1}.a) && !has({'a': 1}.b)", True),
        ("true ? 1 : 1 / 0", 1),
        ("false ? 1 / 0 : 2", 2),
        ("[1, 2, 3].map(x, x * x)", [1, 4, 9]),
        ("[1, 2, 3].map(x, x > 1, x * x)", [4, 9]),
        ("[1, 2, 3].filter(x, x % 2 == 1)", [1, 3]),
        ("[1, 2, 3].all(x, x > 0) && ![1, 2, 3].all(x, x > 1)", True),
        ("[].all(x, x > 0) && ![].exists(x, x > 0)", True),
        ("[1, 2, 2].exists_one(x, x == 1) && ![1, 2, 2].exists_one(x, x == 2)", True),
        ("{'a': 1, 'b': 2}.map(k, k)", ["a", "b"]),
        ("{'a': 1}.exists(k, k == 'a')", True),
        ("[1].filter(x, false).exists(x, x == 1 / 0)", False),
        ("[1].exists(x, x == x) && [1].exists(x, 1 == x)", True),
        ("[1].exists(x, x == [x].map(x, 2)[0])", False),
        ("[1].map(x, [2].map(x, x))", [[2]]),
        ("[1, 2].map(x, [10].map(y, x + y))", [[11], [12]]),
        ("[3].map(x, [x].exists(x, x == 3))", [True]),
        ("int('-12') + int(3u) + int(2.9) + int(-2.9)", -9),
        ("uint('12') + uint(3) + uint(2.9)", 17),
        ("double('1.5e1') + double(1) + double(1u)", 17.0),
        ("string(1) + string(2u) + string(1.5) + string(2.0) + string(true) + string(b'x')", "121.52truex"),
        ("string(1.0/0.0) + string(-1.0/0.0) + string(0.0/0.0)", "+Inf-InfNaN"),
        ("bool('true') && bool('T'.lowerAscii()) && !bool('0')", True),
        ("bytes('é') == b'\\xc3\\xa9'", True),
        ("double('inf') > 1.0 && double('NaN') != double('NaN')", True),
        ("null == null && dyn(null) == null && dyn(1) != null", True),
    ],
)
def test_values(source: str, expected: object) -> None:
    """Operators, functions and macros give what the language definition says."""
    found = evaluate(source)
    assert found == expected
    assert isinstance(found, type(expected))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "division by zero"),
        ("1u / 0u", "division by zero"),
        ("1 % 0", "modulus by zero"),
        ("1u % 0u", "modulus by zero"),
        (f"{MAX} + 1", "integer overflow"),
        (f"{MIN} - 1", "integer overflow"),
        (f"{MIN} * -1", "integer overflow"),
        (f"{MIN} / -1", "integer overflow"),
        (f"-({MIN})", "integer overflow"),
        ("5000000000 * 5000000000", "integer overflow"),
        (f"{UMAX}u + 1u", "integer overflow"),
        ("0u - 1u", "integer overflow"),
        ("5000000000u * 5000000000u", "integer overflow"),
        ("[1][1]", "index out of range"),
        ("[1][-1]", "index out of range"),
        ("{'a': 1}['b']", "no such key"),
        ("{'a': 1}.b", "no such key"),
        ("{dyn('a'): 1, 'a': 2}", "repeated key"),
        ("{dyn(1.5): 1}", "unsupported key type"),
        ("int('1.5')", "not a number"),
        ("int('')", "not a number"),
        ("int('١')", "not a number"),
        (f"int('{MAX + 1}')", "value out of range"),
        (f"int({MAX + 1}u)", "value out of range"),
        ("int(9223372036854775808.0)", "value out of range"),
        ("int(-9223372036854775808.0)", "value out of range"),
        ("int(0.0/0.0)", "value out of range"),
        ("uint(-1)", "value out of range"),
        ("uint(-1.0)", "value out of range"),
        ("uint(1e20)", "value out of range"),
        ("uint('-1')", "not a number"),
        (f"uint('{UMAX + 1}')", "value out of range"),
        ("double('1_0')", "not a number"),
        ("double('1e999')", "value out of range"),
        ("bool('TrUe')", "not a bool"),
        ("string(b'\\xff')", "invalid UTF-8"),
        ("account.class.matches(item.title + '(')", "invalid regular expression"),
        ("[3, 2, 0].map(x, 6 / x)", "division by zero"),
        ("[1, 0].exists_one(x, 1 / x == 1)", "division by zero"),
        ("[1, 0].filter(x, 1 / x == 1)", "division by zero"),
        ("1 / 0 > 0 ? 1 : 2", "division by zero"),
        ("1 / 0 == 1 % 0", "division by zero"),
    ],
)
def test_failures(source: str, message: str) -> None:
    """What has no value fails with a fixed text."""
    assert failure(source) == message


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("dyn(1) == 1u && dyn(1u) == 1.0 && dyn(1.0) == 1", True),
        ("dyn(true) == 1 || dyn(1) == true || dyn('1') == 1 || dyn(b'a') == 'a'", False),
        ("[1.0, 2, 3u] == [1u, 2.0, 3]", True),
        ("{1: 1.0, 2u: 3u} == {1u: 1, 2: 3.0}", True),
        ("dyn(1) in [3.0, 1.0] && dyn(3u) in [3]", True),
        ("dyn(true) in [1] || dyn(1) in [true]", False),
        ("1 in [dyn(true)] || 0 in {dyn(false): 1} || [dyn(true)].exists(x, x == 1)", False),
        ("dyn(1) in {true: 1} || dyn(true) in {1: 1}", False),
        ("dyn(1.0) in {1: 1} && dyn(1u) in {1: 1}", True),
        ("dyn([7, 8])[1u] + dyn([7, 8])[0.0]", 15),
        ("dyn({'a': {'b': 2}}).a.b", 2),
        ("dyn(1) < 2u && dyn(2.5) > 2 && dyn('a') < dyn('b')", True),
        ("dyn(9223372036854775807) < 9223372036854775808.0", False),
        ("dyn(1) + 1 == 2 && dyn(1u) + 1u == 2u && dyn('a') + 'b' == 'ab'", True),
        ("dyn([1]) + [2]", [1, 2]),
        ("size(dyn('ab')) + size(dyn({1: 1}))", 3),
        ("dyn('abc').startsWith('a') && dyn('abc').matches('b') && matches(dyn('b'), dyn('b'))", True),
        ("dyn([1, 2]).map(x, x + 1)", [2, 3]),
        ("dyn({'k': 1}).exists(k, k == 'k')", True),
        ("!dyn(false) && (dyn(true) || false)", True),
        ("int(dyn('5')) + int(dyn(2.0))", 7),
        ("act.extra.a[1] == 'two' && act.extra.a[2] == null && act.extra.yes", True),
        ("has(act.extra.a) && !has(act.extra.b)", True),
    ],
)
def test_dynamic_values(source: str, expected: object) -> None:
    """What is known only at run time is compared and dispatched by its kind; numbers compare across their kinds."""
    assert evaluate(source) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("dyn(1) + 1.0", "no such overload"),
        ("dyn(1) + 1u", "no such overload"),
        ("dyn('a') < 1", "no such overload"),
        ("dyn([1]) < dyn([2])", "no such overload"),
        ("-dyn(1u)", "no such overload"),
        ("!dyn(1)", "no such overload"),
        ("dyn(1) && true", "no such overload"),
        ("dyn(1).a", "no such overload"),
        ("has(dyn(1).a)", "no such overload"),
        ("1 in dyn(1)", "no such overload"),
        ("dyn(1)[0]", "no such overload"),
        ("dyn('abc').exists(c, true)", "no such overload"),
        ("size(dyn(1))", "no such overload"),
        ("dyn([1])[0.5]", "a list index must be a whole number"),
        ("dyn([1])[dyn('a')]", "a list index must be a whole number"),
        ("{1: 1}[dyn(b'')]", "no such key"),
        ("{1: 1}[dyn(true)]", "no such key"),
        ("act.extra.b", "no such key"),
    ],
)
def test_dynamic_failures(source: str, message: str) -> None:
    """A value of the wrong kind fails when it is met."""
    assert failure(source) == message


def test_the_expected_type_of_a_dynamic_result() -> None:
    """A rule whose result is dyn gives a value of the expected type, or fails."""
    assert evaluate("act.extra.yes", BOOL) is True
    with pytest.raises(CelRuntimeError, match="no such overload"):
        evaluate("act.extra.a", BOOL)


T, F, E = "true", "false", "1 / 0 > 0"


@pytest.mark.parametrize("wrap", ["{}", "dyn({})"])
@pytest.mark.parametrize(
    ("left", "right", "both", "either"),
    [
        (T, T, True, True),
        (T, F, False, True),
        (F, T, False, True),
        (F, F, False, False),
        (T, E, None, True),
        (E, T, None, True),
        (F, E, False, None),
        (E, F, False, None),
        (E, E, None, None),
    ],
)
def test_absorption(left: str, right: str, both: bool | None, either: bool | None, wrap: str) -> None:
    """`&&` and `||` do not depend on the order of their sides: false and true absorb an error on the other side."""
    for operator, macro, expected in (("&&", "all", both), ("||", "exists", either)):
        sides = wrap.format(left), wrap.format(right)
        as_macro = f"[1, 2].{macro}(x, x == 1 ? {left} : {right})"
        for source in (f"{sides[0]} {operator} {sides[1]}", as_macro):
            if expected is None:
                assert failure(source) == "division by zero"
            else:
                assert evaluate(source) is expected


def test_the_first_error_is_reported() -> None:
    """When several sides fail and none decides, the failure is the one that stands first."""
    assert failure("1 % 0 > 0 && true && 1 / 0 > 0") == "modulus by zero"
    assert failure("[0, 1].all(x, (x == 0 ? 1 / 0 : 1 % 0) > 0)") == "division by zero"


# --- facts and texts ---------------------------------------------------------------------------------------------


def test_a_rule_over_facts() -> None:
    """The rule that every platform starts with: a repost in a category that needs a right which the account lacks."""
    rule = program(
        "item.category == 'local-news' && item.origin == 'repost' && !account.rights.exists(r, r == 'news.repost')",
        BOOL,
    )
    assert rule(FACTS, Text()) is True
    granted = {**FACTS, "account": {**FACTS["account"], "rights": ["news.repost"]}}
    assert rule(granted, Text()) is False
    assert rule.run(granted, Text()) is False


def test_facts_take_their_declared_types() -> None:
    """JSON has one kind of number; a fact declared uint or double is one, also inside lists of objects."""
    assert evaluate("act.views + 1u") == 8
    assert type(evaluate("act.views")) is Uint
    assert evaluate("act.share / 2.0") == 0.5
    assert evaluate("dyn(act.views) + 1u") == 8
    assert evaluate("item.media.map(m, m.size + 1u)") == [11, 2001]
    assert evaluate("item.media.exists(m, dyn(m.size) + 0u == 10u)") is True
    assert failure("act.views - 8u") == "integer overflow"


def test_a_tuple_is_a_list() -> None:
    """Facts may hold tuples where lists are declared."""
    assert evaluate("act.ids == [1, 2, 3] && act.ids + [4] == [1, 2, 3, 4] && 2 in act.ids") is True


def test_not_a_number_is_in_no_list() -> None:
    """A fact that is not-a-number equals nothing, also where Python would find the same object in a list."""
    facts = {"act": {"share": math.nan}}
    for source in ("act.share in [act.share]", "[act.share].exists(x, x == act.share)", "[act.share] == [act.share]"):
        assert program(source, BOOL)(facts, Text()) is False


def test_the_presence_of_a_field() -> None:
    """`has` of a declared object says that the field is not null; of a map, that the key is there."""
    assert evaluate("has(item.source) && has(act.labels.spam) && !has(act.labels.ham)") is True
    without = {**FACTS, "item": {**FACTS["item"], "source": None}}
    guarded = program("has(item.source) && item.source.name == 'x'", BOOL)
    assert guarded(without, Text()) is False


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({}, "missing fact 'item'"),
        ({"item": {}}, "missing fact 'media'"),
        ({"item": None}, "the facts do not have the declared shape (TypeError)"),
        ({"item": {"media": 5}}, "the facts do not have the declared shape (TypeError)"),
        ({"item": {"media": [1]}}, "the facts do not have the declared shape (TypeError)"),
    ],
)
def test_facts_that_do_not_fit(facts: dict[str, Any], message: str) -> None:
    """Facts that lack what was declared fail as a rule fails: the evaluator sees one exception only."""
    rule = program("item.media.exists(m, m.kind == 'x')", BOOL)
    for call in (rule, rule.run, rule.why):
        with pytest.raises(CelRuntimeError) as caught:
            call(facts, Text())
        assert str(caught.value) == message


def test_text_questions() -> None:
    """terms, hits and matches on a text field are asked of the matcher, the rest is matched where it stands."""
    text = Text()
    rule = program(
        "terms('found') && hits('found').exists(h, h.score >= 80 && h.quote == 'lantern') && "
        "item.title.matches('lan.') && !item.body.matches('x') && account.class.matches('^oth')",
        BOOL,
    )
    assert rule(FACTS, text) is True
    assert sorted(text.asked) == [
        ("hits", "found"),
        ("matches", "item.body", "x"),
        ("matches", "item.title", "lan."),
        ("terms", "found"),
    ]


def test_facts_are_asked_before_texts() -> None:
    """A condition over facts that decides the rule spares the questions to the text matcher."""
    text = Text()
    assert program("terms('found') && item.body.matches('x') && item.origin == 'original'")(FACTS, text) is False
    assert text.asked == []


@pytest.mark.parametrize(
    ("source", "quotes"),
    [
        (
            "item.origin == 'repost' && (act.views > 99u || account.strikes >= 3)",
            ("item.origin == 'repost'", "account.strikes >= 3"),
        ),
        (
            "act.views > 1u || account.strikes >= 3 || act.views > 99u",
            ("act.views > 1u", "account.strikes >= 3"),
        ),
        (
            "(act.views > 1u && act.views > 99u) || (act.views > 2u && act.views > 3u)",
            ("act.views > 2u", "act.views > 3u"),
        ),
        (
            "!(item.origin == 'original' || terms('none')) && terms('found')",
            ("!(item.origin == 'original' || terms('none'))", "terms('found')"),
        ),
        ("1 / 0 > 0 || ( account.strikes > 1 )", ("account.strikes > 1",)),
        ("item.media.exists(m, m.kind == 'video')", ("item.media.exists(m, m.kind == 'video')",)),
        ("account.strikes > 1 ? true : false", ("account.strikes > 1 ? true : false",)),
    ],
)
def test_why(source: str, quotes: tuple[str, ...]) -> None:
    """The explanation quotes the conditions that were true and made the whole true, in source order."""
    assert program(source, BOOL).why(FACTS, Text()) == quotes


def test_why_of_what_is_not_true() -> None:
    """There is nothing to explain when a rule is false, fails, or is no condition."""
    assert program("item.origin == 'x' || 1 / 0 > 0").why(FACTS, Text()) == ()
    assert program("1 + 1").why(FACTS, Text()) == ()


# --- the oracle --------------------------------------------------------------------------------------------------

NUMBERS = st.sampled_from([0, 1, -1, 2, 3, -7, MAX, MIN, 3_037_000_500]) | st.integers(-20, 20)
WORDS = st.sampled_from(["", "a", "ab", "b", "日", "'", '"', "\\", "\n", "' or 1"])
ORACLE_FACTS = st.fixed_dictionaries({"i": NUMBERS, "j": NUMBERS, "s": WORDS, "l": st.lists(NUMBERS, max_size=4)})
ORACLE_TYPES = {"i": INT, "j": INT, "s": STRING, "l": list_of(INT)}
ORACLE_ENV = Environment({"facts": object_type("facts", ORACLE_TYPES)})
UNTYPED_ENV = Environment({"facts": DYN})

Tree = tuple[Any, ...]
Trees = list[st.SearchStrategy[Tree]]


class Failure(Exception):
    """What the oracle answers when an expression has no value."""


def trees(depth: int, variables: tuple[str, ...] = ()) -> tuple[st.SearchStrategy[Tree], ...]:
    """Well-typed trees of type int, bool, string and list(int), at most `depth` high."""
    ints: Trees = [
        st.tuples(st.just("literal"), NUMBERS),
        st.tuples(st.just("fact"), st.sampled_from("ij")),
        *(st.just(("variable", name)) for name in variables),
    ]
    bools: Trees = [st.tuples(st.just("literal"), st.booleans())]
    strings: Trees = [st.tuples(st.just("literal"), WORDS), st.just(("fact", "s"))]
    lists: Trees = [st.just(("fact", "l"))]
    if depth > 0:
        i, b, s, many = trees(depth - 1, variables)
        name = f"x{len(variables)}"
        inner_i, inner_b, _, _ = trees(max(depth - 2, 0), (*variables, name))
        for kind, own in ((i, ints), (b, bools), (s, strings), (many, lists)):
            own.append(st.tuples(st.just("?"), b, kind, kind))
        ints += [
            st.tuples(st.sampled_from("+-*/%"), i, i),
            st.tuples(st.just("negate"), i),
            st.tuples(st.just("size"), s | many),
            st.tuples(st.just("index"), many, i),
        ]
        bools += [
            st.tuples(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), i, i),
            st.tuples(st.sampled_from(["==", "!=", "<"]), s, s),
            st.tuples(st.sampled_from(["==", "!="]), many, many),
            st.tuples(st.sampled_from(["&&", "||"]), b, b),
            st.tuples(st.sampled_from(["&&", "||"]), b, b, b),
            st.tuples(st.just("!"), b),
            st.tuples(st.just("in"), i, many),
            st.tuples(st.sampled_from(["startsWith", "contains"]), s, s),
            st.tuples(st.sampled_from(["all", "exists", "exists_one"]), many, st.just(name), inner_b),
        ]
        strings += [st.tuples(st.just("+"), s, s), st.tuples(st.just("string"), i)]
        lists += [
            st.lists(i, max_size=3).map(lambda parts: ("list", *parts)),
            st.tuples(st.just("+"), many, many),
            st.tuples(st.just("map"), many, st.just(name), inner_i),
            st.tuples(st.just("filter"), many, st.just(name), inner_b),
        ]
    return st.one_of(ints), st.one_of(bools), st.one_of(strings), st.one_of(lists)


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


def write(tree: Tree) -> str:
    """Write a tree as source, fully parenthesised."""
    kind, *parts = tree
    if kind == "literal":
        value = parts[0]
        return quoted(value) if isinstance(value, str) else str(value).lower()
    if kind == "fact":
        return f"facts.{parts[0]}"
    if kind == "variable":
        return str(parts[0])
    if kind in ("all", "exists", "exists_one", "map", "filter"):
        return f"{write(parts[0])}.{kind}({parts[1]}, {write(parts[2])})"
    written = [write(part) for part in parts]
    match kind:
        case "?":
            return "({} ? {} : {})".format(*written)
        case "list":
            return f"[{', '.join(written)}]"
        case "index":
            return "{}[{}]".format(*written)
        case "negate":
            return f"(-({written[0]}))"
        case "!":
            return f"(!{written[0]})"
        case "size" | "string":
            return f"{kind}({written[0]})"
        case "startsWith" | "contains":
            return f"{written[0]}.{kind}({written[1]})"
        case _:
            return f"({f' {kind} '.join(written)})"


def bounded(value: int) -> int:
    if not MIN <= value <= MAX:
        raise Failure
    return value


def arithmetic(operator: str, left: Any, right: Any) -> Any:
    if not isinstance(left, int):
        return left + right
    if operator in "/%":
        if right == 0:
            raise Failure
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        return bounded(quotient) if operator == "/" else left - quotient * right
    return bounded({"+": left + right, "-": left - right, "*": left * right}[operator])


def settle(results: list[bool | None], decisive: bool) -> bool:
    """`&&` and `||` over sides of which None stands for an error."""
    if decisive in results:
        return decisive
    if None in results:
        raise Failure
    return not decisive


def attempt(tree: Tree, scope: dict[str, Any]) -> bool | None:
    try:
        return bool(interpret(tree, scope))
    except Failure:
        return None


def interpret_macro(kind: str, over: Tree, name: str, body: Tree, scope: dict[str, Any]) -> Any:
    inner = [{**scope, name: value} for value in interpret(over, scope)]
    if kind in ("all", "exists"):
        return settle([attempt(body, s) for s in inner], decisive=kind == "exists")
    results = [interpret(body, s) for s in inner]
    if kind == "exists_one":
        return results.count(True) == 1
    return results if kind == "map" else [s[name] for s, kept in zip(inner, results, strict=True) if kept]


def interpret(tree: Tree, scope: dict[str, Any]) -> Any:
    """Walk a tree: an independent and slow reading of the same language."""
    kind, *parts = tree
    if kind == "literal":
        return parts[0]
    if kind in ("fact", "variable"):
        return scope[parts[0]]
    if kind in ("all", "exists", "exists_one", "map", "filter"):
        over, name, body = parts
        return interpret_macro(kind, over, name, body, scope)
    if kind in ("&&", "||"):
        return settle([attempt(part, scope) for part in parts], decisive=kind == "||")
    if kind == "?":
        return interpret(parts[1] if interpret(parts[0], scope) else parts[2], scope)
    values = [interpret(part, scope) for part in parts]
    match kind:
        case "list":
            return values
        case "index":
            if not 0 <= values[1] < len(values[0]):
                raise Failure
            return values[0][values[1]]
        case "negate":
            return bounded(-values[0])
        case "!":
            return not values[0]
        case "size":
            return len(values[0])
        case "string":
            return str(values[0])
        case "startsWith":
            return values[0].startswith(values[1])
        case "contains":
            return values[1] in values[0]
        case "in":
            return values[0] in values[1]
        case "==":
            return values[0] == values[1]
        case "!=":
            return values[0] != values[1]
        case "<":
            return values[0] < values[1]
        case "<=":
            return values[0] <= values[1]
        case ">":
            return values[0] > values[1]
        case ">=":
            return values[0] >= values[1]
        case _:
            return arithmetic(kind, *values)


ANY_TREE = st.one_of(*trees(4))
CONDITION = trees(4)[1]


@settings(max_examples=400)
@given(ANY_TREE, ORACLE_FACTS)
def test_the_compiled_rule_agrees_with_an_interpreter(tree: Tree, facts: dict[str, Any]) -> None:
    """A generated rule gives what a tree-walking interpreter gives, or fails where that fails.

    The same holds when no type is known until run time, so that the static and the dynamic code agree as well.
    """
    source = write(tree)
    try:
        expected, fails = interpret(tree, facts), False
    except Failure:
        expected, fails = None, True
    for env in (ORACLE_ENV, UNTYPED_ENV):
        rule = compile_rule(source, env, DYN, cost_limit=10**12)
        if fails:
            with pytest.raises(CelRuntimeError):
                rule({"facts": facts}, Text())
        else:
            found = rule({"facts": facts}, Text())
            assert found == expected
            assert type(found) is type(expected)


@given(CONDITION, ORACLE_FACTS)
def test_an_explanation_quotes_true_conditions(tree: Tree, facts: dict[str, Any]) -> None:
    """A rule that is true is explained by at least one part of its source, and every part quoted is true by itself."""
    source = write(tree)
    rule = compile_rule(source, ORACLE_ENV, BOOL, cost_limit=10**12)
    try:
        fired = rule({"facts": facts}, Text())
    except CelRuntimeError:
        fired = False
    reasons = rule.why({"facts": facts}, Text())
    assert bool(reasons) is fired
    for reason in reasons:
        assert reason in source
        assert compile_rule(reason, ORACLE_ENV, BOOL, cost_limit=10**12)({"facts": facts}, Text()) is True


# --- hostile inputs ----------------------------------------------------------------------------------------------


@given(st.text(), st.text())
def test_strings_never_become_code(text: str, field: str) -> None:
    """Whatever stands in a string literal, a key or a fact, it is compared as text and as nothing else."""
    assume(text != field)
    source = f"facts[{quoted(field)}] == {quoted(text)} && {{{quoted(text)}: 1}}[{quoted(text)}] == 1"
    env = Environment({"facts": map_of(STRING, STRING)})
    rule = compile_rule(source, env)
    assert rule({"facts": {field: text}}, Text()) is True
    assert rule({"facts": {field: text + "x"}}, Text()) is False


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('false')",
        "{k0.__globals__}",
        "%s%n",
        "\"); raise SystemExit('",
        "'''\"\"\"\\",
        "\n\r\t\x00\u2028\u202e",
    ],
)
def test_payloads_stay_text(text: str) -> None:
    """Classic injections come out as they went in."""
    written = "".join(f"\\U{ord(character):08x}" for character in text)
    assert evaluate(f"'{written}'") == text
    assert program(f"terms('{written}')").lists == {text}


@pytest.mark.parametrize("name", ["__class__", "__init__", "__globals__", "__builtins__", "keys", "get"])
def test_python_attributes_are_out_of_reach(name: str) -> None:
    """A field is a key of a mapping and never an attribute of a Python object."""
    assert failure(f"dyn({{'a': 1}}).{name}") == "no such key"
    assert failure(f"dyn('a').{name}") == "no such overload"
    assert evaluate(f"dyn({{'{name}': 1}}).{name}") == 1
    with pytest.raises(CelError, match="unknown function"):
        program(f"item.title.{name}()")


def test_variables_do_not_meet_the_names_of_the_generated_code() -> None:
    """Names that the generated code uses for itself are ordinary names in a rule."""
    names = ["F", "T", "v0", "v1", "k0", "k1", "rule", "failure", "anything", "misfit", "lambda", "None", "def"]
    env = Environment(dict.fromkeys(names, INT))
    source = " + ".join(names) + " == " + " + ".join(f"[{n}].map({n}, {n} / 1)[0]" for n in names)
    assert compile_rule(source, env, cost_limit=10**6)(dict.fromkeys(names, 2), Text()) is True


@pytest.mark.parametrize(
    "source",
    [
        "['0123456789']" + ".map(a, a + a)" * 30,
        "[[1, 2, 3, 4, 5, 6, 7, 8, 9]]" + ".map(a, a + a)" * 30,
    ],
)
def test_doubling_is_stopped(source: str) -> None:
    """A cheap rule that doubles a value again and again fails before it eats the memory."""
    with pytest.raises(CelRuntimeError, match="value too large"):
        program(source, cost_limit=10**6)(FACTS, Text())
    assert len(evaluate(f"'{'x' * 1_000}' + 'y'")) <= MAX_SIZE


def test_comparing_shared_parts_is_stopped() -> None:
    """Values that share their parts are small and endless to walk: the comparison gives up."""
    deep = "[1]" + ".map(a, [a, a])" * 28
    assert program(f"[{deep}].map(d, d == d)", cost_limit=10**6).cost < 10**6
    with pytest.raises(CelRuntimeError, match="too large to compare"):
        program(f"[{deep}].map(d, d == d)", cost_limit=10**6)(FACTS, Text())
    absorbed = program(f"[{deep}].exists(d, d == d) || item.title.contains('Three')", cost_limit=10**6)
    assert absorbed(FACTS, Text()) is True


def test_deep_facts_can_be_compared() -> None:
    """Facts nested deeper than Python's stack are compared without recursion."""
    left: list[Any] = []
    right: list[Any] = []
    for _ in range(5_000):
        left, right = [left], [right]
    rule = compile_rule("a == b", Environment({"a": DYN, "b": DYN}))
    assert rule({"a": left, "b": right}, Text()) is True


def test_a_program_can_be_shared_by_threads_and_repeats_itself() -> None:
    """A program keeps no state: the same facts give the same answer, in whatever order it is asked."""
    rule = program("item.media.exists(m, m.size > 100u) && bytes(item.title) != b''", BOOL)
    small = {**FACTS, "item": {**FACTS["item"], "media": []}}
    assert [rule(facts, Text()) for facts in (FACTS, small, FACTS, small)] == [True, False, True, False]


def test_types_of_results() -> None:
    """Bytes and doubles come out as Python values of their own types."""
    assert evaluate("b'a' + b'\\xff'", BYTES) == b"a\xff"
    assert type(evaluate("1.0 + 1.0", DOUBLE)) is float
    assert type(evaluate("act.views", UINT)) is Uint

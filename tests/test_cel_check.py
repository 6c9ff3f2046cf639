"""The checker of the rule language: types, what a rule reads, its cost, and the help that a mistake gets."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.policy.cel import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    HIT,
    INT,
    NULL,
    STRING,
    UINT,
    CelError,
    Environment,
    Type,
    compile_rule,
    list_of,
    map_of,
    object_type,
)
from placet.policy.cel.types import accepts, comparable, join

MEDIUM = object_type("medium", {"kind": STRING, "size": INT})
ITEM = object_type(
    "item",
    {
        "title": STRING,
        "body": STRING,
        "category": STRING,
        "format": STRING,
        "source": object_type("source", {"name": STRING, "url": STRING}),
        "media": list_of(MEDIUM),
        "labels": map_of(STRING, INT),
        "extra": DYN,
    },
)
ACCOUNT = object_type("account", {"rights": list_of(STRING), "class": STRING, "strikes": INT})
ENV = Environment({"item": ITEM, "account": ACCOUNT}, frozenset({"item.title", "item.body", "item.text"}))


def mistake(source: str, expect: Type = DYN, cost_limit: int = 10_000) -> CelError:
    with pytest.raises(CelError) as caught:
        compile_rule(source, ENV, expect, cost_limit)
    return caught.value


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("null", NULL),
        ("1 + 2", INT),
        ("1u * 2u", UINT),
        ("1.0 / 2.0", DOUBLE),
        ("'a' + 'b'", STRING),
        ("b'a' + b'b'", BYTES),
        ("1 < 2.0", BOOL),
        ("item", ITEM),
        ("item.source.name", STRING),
        ("item.media[0]", MEDIUM),
        ("item.media[0].size", INT),
        ("item.labels.spam", INT),
        ("item.labels['spam']", INT),
        ("item.extra.anything.at[0].all", DYN),
        ("has(item.labels.spam)", BOOL),
        ("account.class", STRING),
        ("hits('x')", list_of(HIT)),
        ("hits('x')[0].score", INT),
        ("terms('x')", BOOL),
        ("[1, 2]", list_of(INT)),
        ("[1, 'a']", list_of(DYN)),
        ("[[], [1]]", list_of(list_of(INT))),
        ("[] + [1]", list_of(INT)),
        ("[1] + ['a']", list_of(DYN)),
        ("{'a': 1}", map_of(STRING, INT)),
        ("{'a': 1, 2: 'b'}", map_of(DYN, DYN)),
        ("item.media.map(m, m.kind)", list_of(STRING)),
        ("item.media.filter(m, m.size > 1)", list_of(MEDIUM)),
        ("{'a': 1}.map(k, k)", list_of(STRING)),
        ("{1: 1}.exists(k, k == 1)", BOOL),
        ("true ? 1 : 2", INT),
        ("true ? dyn(1) : 'a'", DYN),
        ("true ? [] : [1]", list_of(INT)),
        ("dyn(1) + 1", INT),
        ("dyn(1) + dyn('a')", DYN),
        ("size(dyn([1]))", INT),
        ("string(1.5)", STRING),
        ("int(dyn('1'))", INT),
    ],
)
def test_the_type_of_an_expression(source: str, expected: Type) -> None:
    """Types are as exact as the source allows, and dyn only where it is mixed or unknown."""
    assert compile_rule(source, ENV, DYN).result == expected


@pytest.mark.parametrize(
    ("source", "rendered"),
    [
        (
            "acount.rights == []",
            "1:1: unknown name 'acount'\n | acount.rights == []\n | ^^^^^^\n did you mean 'account'?",
        ),
        (
            "true &&\n  item.categry == 'x'",
            "2:8: item has no field 'categry'\n |   item.categry == 'x'\n |        ^^^^^^^\n did you mean 'category'?",
        ),
        (
            "strtsWith('a', 'b')",
            "1:1: unknown function 'strtsWith'\n | strtsWith('a', 'b')\n | ^^^^^^^^^\n did you mean 'startsWith'?",
        ),
        (
            "startsWith('a', 'b')",
            (
                "1:1: 'startsWith' is not called like this\n | startsWith('a', 'b')\n | ^^^^^^^^^^\n"
                " write value.startsWith(…)"
            ),
        ),
        (
            "item.title.terms('x')",
            "1:12: 'terms' is not called like this\n | item.title.terms('x')\n |            ^^^^^\n write terms(…)",
        ),
        (
            "1 + 1.5",
            "1:1: '+' is not defined for int and double\n | 1 + 1.5\n | ^^^^^^^\n convert one: int(…) or double(…)",
        ),
        (
            "account.strikes == 3.0",
            (
                "1:1: int and double cannot be compared\n | account.strikes == 3.0\n | ^^^^^^^^^^^^^^^^^^^^^^\n"
                " convert one: int(…) or double(…)"
            ),
        ),
    ],
)
def test_a_mistake_is_shown_with_help(source: str, rendered: str) -> None:
    """A mistake is shown in its line, underlined, with the word or the spelling that was probably meant."""
    assert mistake(source).render() == rendered
    assert str(mistake(source)) == rendered


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("terms('a') and terms('b')", "write &&"),
        ("(terms('a') OR terms('b'))", "write ||"),
        ("not terms('a')", "write !"),
        ("item.title is 'x'", "write =="),
        ("item.title <> 'x'", "write !="),
        ("item.title contains 'x'", "write text.contains('part')"),
        ("item.title like 'x'", "write text.matches('pattern')"),
        ("len(item.title) > 1", "write size(x)"),
        ("count(item.media) > 1", "write size(x)"),
        ("any(item.media, true)", "write list.exists(x, condition)"),
        ("item.title.toLowerCase()", "did you mean 'lowerAscii'?"),
        ("item.title.length", "write size(text) for its length"),
        (
            "hits('a').label == 'x'",
            "ask its elements: list.exists(x, condition on x), or size(list)",
        ),
        ("account.age > 1", "it has rights, class, strikes"),
        ("hits('a').exists(h, h.kind == 'x')", "it has label, field, view, score, quote"),
        ("'x' in item.title", "write text.contains('part')"),
        ("account.rights.contains('x')", "write element in list"),
        ("hits('a').exists(h, h.label >= 3)", "make the text a number: int(text)"),
        ("3 == item.title", "make the text a number: int(text)"),
        ("item.title == null", "what is not said is empty: text == ''"),
        ("size(hits('a') > 3)", "write size(list) for how many there are"),
        ("terms('a') > 0", "it is true or false by itself; count what a list found with size(hits('list'))"),
        ("timestamp(0) > '2026-01-01'", "write timestamp('2024-02-29T12:00:00Z')"),
        (
            "account.strikes.getHours() < 6",
            "make it a time: timestamp(seconds); the moment of the act is timestamp(act.at / 1000000)",
        ),
        ("item.source == 'x'", "name a field of it: name, url"),
    ],
)
def test_what_other_languages_would_have_is_explained(source: str, hint: str) -> None:
    """Operators and functions of other languages, and questions to the wrong type, are answered with what to write."""
    assert mistake(source).hint == hint


@pytest.mark.parametrize(
    ("source", "message", "underlined"),
    [
        ("item.category == 3", "string and int cannot be compared", "item.category == 3"),
        ("[1] == ['a']", "list(int) and list(string) cannot be compared", "[1] == ['a']"),
        ("'a' < 1", "'<' is not defined for string and int", "'a' < 1"),
        ("[1] < [2]", "'<' is not defined for list(int) and list(int)", "[1] < [2]"),
        ("null < null", "'<' is not defined for null and null", "null < null"),
        ("1.5 % 1.0", "'%' is not defined for double and double", "1.5 % 1.0"),
        ("-(1u)", "'-' is not defined for uint", "-(1u)"),
        ("!1", "'!' is not defined for int", "!1"),
        ("size(1)", "'size' is not defined for int", "size(1)"),
        ("'a'.startsWith(1)", "'startsWith' is not defined for string and int", "'a'.startsWith(1)"),
        ("'a'.startsWith()", "'startsWith' takes 1 argument, found 0", "startsWith"),
        ("size('a', 'b')", "'size' takes 1 argument, found 2", "size"),
        ("1 in ['a']", "int is never in list(string)", "1"),
        ("1 in 'abc'", "'in' looks into a list or a map, found string", "'abc'"),
        ("account.rights['a']", "the index of list(string) must be int, found string", "'a'"),
        ("{'a': 1}[1]", "the index of map(string, int) must be string, found int", "1"),
        ("item['title']", "item cannot be indexed", "item"),
        ("item.title.length", "string has no fields", "length"),
        ("account.rights.size", "list(string) has no fields", "size"),
        ("1 && true", "a condition must be bool, found int", "1"),
        ("true || item.title", "a condition must be bool, found string", "item.title"),
        ("item.title ? 1 : 2", "a condition must be bool, found string", "item.title"),
        ("true ? 1 : 'a'", "both outcomes must be of one type, found int and string", "'a'"),
        ("item.title.exists(c, true)", "'exists' runs over a list or a map, found string", "item.title"),
        ("item.media.filter(m, m.kind)", "a condition must be bool, found string", "m.kind"),
        ("item.media.exists(m, m.kid == '')", "medium has no field 'kid'", "kid"),
        ("item.media.exists(m, true) && m.size > 0", "unknown name 'm'", "m"),
        ("[1].map(x, .x)", "unknown name 'x'", ".x"),
        ("{1.5: 1}", "double cannot be the key of a map", "1.5"),
        ("{null: 1}", "null cannot be the key of a map", "null"),
        ("{'a': 1, 'a': 2}", "repeated key", "'a'"),
        ("terms(item.title)", "the list of terms() must be a string literal", "item.title"),
        ("hits('a' + 'b')", "the list of hits() must be a string literal", "'a' + 'b'"),
        ("terms('a', 'b')", "'terms' takes 1 argument, found 2", "terms"),
        ("item.body.matches('a(?=b)')", "RE2 refuses the pattern: invalid perl operator: (?=", "'a(?=b)'"),
        ("account.class.matches('(')", "RE2 refuses the pattern: missing ): (", "'('"),
        ("item.extra.matches('[')", "RE2 refuses the pattern: missing ]: [", "'['"),
        ("item.text == ''", "item has no field 'text'", "text"),
        ("item.title.matches(1)", "'matches' is not defined for string and int", "item.title.matches(1)"),
        ("title", "unknown name 'title'", "title"),
        ("__import__('os')", "unknown function '__import__'", "__import__"),
        ("item.__class__", "item has no field '__class__'", "__class__"),
        ("''.__class__", "string has no fields", "__class__"),
        ("F", "unknown name 'F'", "F"),
        ("k0(1)", "unknown function 'k0'", "k0"),
    ],
)
def test_wrong_types_are_refused(source: str, message: str, underlined: str) -> None:
    """What cannot mean anything is refused when the rule is compiled, with the guilty part underlined."""
    error = mistake(source)
    assert error.message == message
    assert source[error.offset : error.offset + error.length] == underlined


def test_the_second_of_two_equal_keys_is_the_mistake() -> None:
    """A repeated key is shown where it is repeated."""
    assert mistake("{'a': 1, 'a': 2}").offset == 9


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("item.category == 'x'", {"item.category"}),
        ("item.source.name == '' || account.class == 'other'", {"item.source.name", "account.class"}),
        ("item.source == null", {"item.source"}),
        ("has(item.source)", {"item.source"}),
        ("item.media.exists(m, m.kind == 'image')", {"item.media"}),
        ("item.media[0].kind == ''", {"item.media"}),
        ("item.labels.spam > 1 && item.labels['ham'] > 1", {"item.labels"}),
        ("item.extra.deep.er == 1", {"item.extra"}),
        ("has(item.labels.spam)", {"item.labels"}),
        ("[item].exists(i, i.title == '')", {"item"}),
        ("true || item.title == ''", {"item.title"}),
        ("item.body.matches('x') && terms('y')", set()),
        ("item.body.matches(account.class)", {"item.body", "account.class"}),
        ("['a'].exists(item, item == 'a')", set()),
        ("['a'].exists(item, .item.title == item)", {"item.title"}),
    ],
)
def test_reads(source: str, reads: set[str]) -> None:
    """A program names the facts that it may read, by their declared paths, whatever branch is taken."""
    assert compile_rule(source, ENV).reads == reads


def test_text_questions_are_collected() -> None:
    """Term lists and the patterns on text fields are collected for the matchers; other patterns are not."""
    program = compile_rule(
        "terms('a/b') || hits('c').exists(h, h.score > 90) || item.body.matches('x+') || "
        "matches(item.text, 'y') || account.class.matches('z') || ['q'].exists(item, item.matches('w'))",
        ENV,
    )
    assert program.lists == {"a/b", "c"}
    assert program.patterns == {("item.body", "x+"), ("item.text", "y")}


def test_a_variable_of_a_macro_hides_a_text_field() -> None:
    """`item.body` is the text field only when `item` is the declared variable."""
    program = compile_rule("[{'body': 'x'}].exists(item, item.body.matches('x'))", ENV)
    assert program.patterns == frozenset()


@pytest.mark.parametrize(
    ("source", "expect", "message"),
    [
        ("1", BOOL, "the rule must give bool, found int"),
        ("true", STRING, "the rule must give string, found bool"),
        ("[1]", list_of(STRING), "the rule must give list(string), found list(int)"),
        ("[1, 'a']", list_of(INT), "the rule must give list(int), found list(dyn)"),
        ("dyn([1])", list_of(INT), "the rule must give list(int), found dyn"),
    ],
)
def test_the_result_must_be_of_the_expected_type(source: str, expect: Type, message: str) -> None:
    """A rule that cannot give what is asked of it is refused; dyn hides no list of the wrong things."""
    assert mistake(source, expect).message == message


def test_cost_multiplies_with_macros() -> None:
    """A macro counts as a hundred turns of its body, so that one inside another exceeds the default limit."""
    flat = "item.media.exists(m, m.kind == 'x')"
    nested = "item.media.exists(m, item.media.exists(n, n.kind == m.kind))"
    assert 100 <= compile_rule(flat, ENV).cost <= 1_000
    error = mistake(f"true && {nested}")
    assert error.message.startswith("too costly: up to ")
    assert nested in error.source[error.offset : error.offset + error.length]
    assert compile_rule(nested, ENV, cost_limit=100_000).cost > 10_000


def test_checking_takes_one_pass() -> None:
    """Each part of a rule is checked once: a chain of calls on unknown values does not double the work at each step."""
    source = "dyn('a')" + ".matches('b')" * 50
    with pytest.raises(CelError, match="bool"):
        compile_rule(source, ENV)
    nested = "dyn(" * 30 + "dyn('a').matches('b')" + ").matches('b')" * 30
    assert compile_rule(nested, ENV).result == BOOL


def test_the_limit_on_cost_can_be_lowered() -> None:
    """The caller sets the limit, and the part that exceeds it is the one that is shown."""
    error = mistake("true || 1 + 2 + 3 > 4", cost_limit=5)
    assert error.source[error.offset : error.offset + error.length] == "1 + 2 + 3 > 4"


def test_a_deep_stack_is_a_mistake_too() -> None:
    """A caller that has nearly used up Python's stack gets a CelError, not a RecursionError."""
    source = "(" * 60 + "true" + ")" * 60

    def descend(levels: int) -> CelError | None:
        if levels:
            return descend(levels - 1)
        try:
            compile_rule(source, ENV)
        except CelError as error:
            return error
        return None

    found: list[CelError] = []
    for levels in range(500, 1_000, 20):
        try:
            error = descend(levels)
        except RecursionError:  # of descend itself: the stack was used up before the compiler was reached
            break
        if error is not None:
            found.append(error)
    assert found
    assert all("nested more than" in error.message for error in found)


def test_an_error_survives_pickling() -> None:
    """An error can cross to another process with everything that render() needs."""
    error = mistake("acount")
    assert pickle.loads(pickle.dumps(error)).render() == error.render()


@pytest.mark.parametrize("name", ["a..b", "a.in", "true", "in", "while", "1a", "", "ﬁ"])
def test_a_variable_needs_a_name_that_can_be_written(name: str) -> None:
    """An environment with a variable that no rule could name is a programmer's mistake."""
    with pytest.raises(ValueError, match="cannot be the name"):
        Environment({name: INT})


def test_a_map_needs_a_possible_key() -> None:
    """A map type with a key that the language does not allow cannot be declared."""
    with pytest.raises(ValueError, match="cannot be the key"):
        map_of(DOUBLE, INT)


SCALARS = st.sampled_from([NULL, BOOL, INT, UINT, DOUBLE, STRING, BYTES, MEDIUM])
TYPES = st.recursive(
    SCALARS, lambda inner: st.one_of(inner.map(list_of), inner.map(lambda t: map_of(STRING, t))), max_leaves=4
)


@given(TYPES, TYPES)
def test_join_is_a_common_type(left: Type, right: Type) -> None:
    """The join of two types accepts both, does not depend on their order, and changes nothing between equals."""
    joined = join(left, right)
    assert accepts(joined, left)
    assert accepts(joined, right)
    assert joined == join(right, left)
    assert join(left, left) == left
    assert comparable(left, right) == comparable(right, left)

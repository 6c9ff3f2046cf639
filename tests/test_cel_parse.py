"""The grammar of the rule language: literals, precedence, the places of nodes and mistakes, hostile sources."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.policy.cel.errors import CelError
from placet.policy.cel.nodes import (
    Call,
    Constant,
    Index,
    ListLiteral,
    Logic,
    Macro,
    MapLiteral,
    Name,
    Node,
    Select,
    Ternary,
    children,
)
from placet.policy.cel.parse import MAX_DEPTH, MAX_SOURCE, parse
from placet.policy.cel.values import Uint


def shape(node: Node) -> str:
    """Write a tree with every grouping made visible."""
    inner = [shape(child) for child in children(node)]
    match node:
        case Constant(value=value):
            return repr(value)
        case Name(name=name, rooted=rooted):
            return "." * rooted + name
        case Select(field=field, test=test):
            return f"has({inner[0]}.{field})" if test else f"{inner[0]}.{field}"
        case Index():
            return f"{inner[0]}[{inner[1]}]"
        case Call(function=function, form="operator") if len(inner) == 2:
            return f"({inner[0]} {function} {inner[1]})"
        case Call(function=function, form=form):
            return f"{form}:{function}({', '.join(inner)})"
        case Logic(operator=operator):
            return f"({f' {operator} '.join(inner)})"
        case Ternary():
            return f"({inner[0]} ? {inner[1]} : {inner[2]})"
        case ListLiteral():
            return f"[{', '.join(inner)}]"
        case MapLiteral(keys=keys):
            return f"{{{', '.join(inner[: len(keys)])} -> {', '.join(inner[len(keys) :])}}}"
        case Macro(kind=kind, variable=variable):
            return f"{kind}:{variable}({', '.join(inner)})"
    raise AssertionError(node)


def value(source: str) -> Any:
    node = parse(source)
    assert isinstance(node, Constant)
    return node.value


def mistake(source: str) -> CelError:
    with pytest.raises(CelError) as caught:
        parse(source)
    return caught.value


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("null", None),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("007", 7),
        ("0x7fFF", 0x7FFF),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("-0x8000000000000000", -(2**63)),
        ("18446744073709551615u", 2**64 - 1),
        ("0xFFU", 255),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-2.3e+1", -23.0),
        ('"a\'b"', "a'b"),
        ("'a\"b'", 'a"b'),
        ("'''a\n'b'\"'''", "a\n'b'\""),
        ('"""a""b"""', 'a""b'),
        ("''", ""),
        ("''''''", ""),
        (r"r'\n\d'", r"\n\d"),
        (r"R'''\''b'''", "\\''b"),
        (r"'\a\b\f\n\r\t\v\\\?\'\"\`'", "\a\b\f\n\r\t\v\\?'\"`"),
        (r"'\x41\X42\103\u00e9\U0001F431'", "ABC\u00e9\U0001f431"),
        (r"'\377'", "\u00ff"),
        (r"b'\377\xff\101'", b"\xff\xffA"),
        ("b'\u00ff'", b"\xc3\xbf"),
        (r"bR'\x'", rb"\x"),
        ("'不可' // a remark", "不可"),
    ],
)
def test_literals(source: str, expected: object) -> None:
    """A literal means what the language definition says, and is of the type that it shows."""
    found = value(source)
    assert found == expected
    assert type(found) is (Uint if source[-1] in "uU" else type(expected))


@pytest.mark.parametrize(
    ("source", "message", "offset"),
    [
        ("9223372036854775808", "int literal out of range", 0),
        ("1 + -9223372036854775809", "int literal out of range", 5),
        ("18446744073709551616u", "uint literal out of range", 0),
        ("1e999", "double literal out of range", 0),
        ("12abc", "malformed number", 0),
        ("0x", "malformed number", 0),
        ("'abc", "string literal is not closed", 0),
        ("'a\nb'", "string literal is not closed", 0),
        ("'abc\\'", "string literal is not closed", 0),
        (r"'\q'", "unknown escape sequence", 1),
        (r"'ab\x4'", "unknown escape sequence", 3),
        (r"'\400'", "unknown escape sequence", 1),
        (r"'\ud800'", "escape sequence is not a character", 1),
        (r"'\U00110000'", "escape sequence is not a character", 1),
        (r"b'\u0041'", "bytes have no \\u or \\U escapes", 2),
        ("a = 1", "unexpected character '='", 2),
        ("a & b", "unexpected character '&'", 2),
        ("a \x00", "unexpected character U+0000", 2),
        ("", "expected an expression, found the end", 0),
        ("1 +", "expected an expression, found the end", 3),
        ("(1", "expected ')', found the end", 2),
        ("[1, 2", "expected ']', found the end", 5),
        ("f(1,)", "expected an argument, found ')'", 4),
        ("{1 2}", "expected ':', found '2'", 3),
        ("a.1", "expected an operator or the end, found '.1'", 1),
        ("a.'b'", "expected a field, found ''b''", 2),
        ("1 2", "expected an operator or the end, found '2'", 2),
        ("a ? b", "expected ':', found the end", 5),
        ("while", "'while' is a reserved word", 0),
        ("x.y{z: 1}", "messages cannot be constructed in a rule", 3),
        ("has(a)", "'has' takes one field of an object or map", 0),
        ("l.exists(x)", "'exists' takes a name and an expression", 2),
        ("l.all(x.y, true)", "'all' takes a plain name first", 6),
    ],
)
def test_mistakes_are_placed(source: str, message: str, offset: int) -> None:
    """A malformed source is refused at the character where the mistake is."""
    error = mistake(source)
    assert (error.message, error.offset, error.source) == (message, offset, source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 + 2 * 3 - 4", "((1 + (2 * 3)) - 4)"),
        ("a || b && c || d", "(a || (b && c) || d)"),
        ("a && b && c", "(a && b && c)"),
        ("!a.b && -c[0] < 3", "(operator:!(a.b) && (operator:-_(c[0]) < 3))"),
        ("a ? b : c ? d : e", "(a ? b : (c ? d : e))"),
        ("a in [b] == c", "((a in [b]) == c)"),
        ("--19", "operator:-_(-19)"),
        ("- 5", "-5"),
        ("x.f(1).g", "member:f(x, 1).g"),
        ("size(.a)", "function:size(.a)"),
        ("has(a.b.c)", "has(a.b.c)"),
        ("m.exists(x, x.y > 1)", "exists:x(m, (x.y > 1))"),
        ("m.map(x, x > 1, x + 1)", "map:x(m, (x > 1), (x + 1))"),
        ("{'a': 1, 'b': 2,}", "{'a', 'b' -> 1, 2}"),
        ("[1, 2,]", "[1, 2]"),
        ("a.class.format.`x-y/z`", "a.class.format.x-y/z"),
        ("a.while.for", "a.while.for"),
        ("a.import()", "member:import(a)"),
        ("// first\na // second\n", "a"),
    ],
)
def test_grammar(source: str, expected: str) -> None:
    """Operators bind and group as in the language definition."""
    assert shape(parse(source)) == expected


def test_a_node_knows_its_source() -> None:
    """The span of a node is its text, without the parentheses around it and with those inside it."""
    source = "( a ) && ((b || c).d == 1)"
    root = parse(source)
    assert isinstance(root, Logic)
    assert [source[node.start : node.end] for node in root.operands] == ["a", "(b || c).d == 1"]


NAMES = st.sampled_from(["a", "b", "item"])
ATOMS = st.one_of(NAMES, st.integers(-9, 9).map(str), st.sampled_from(["'x'", "true", "1u", "2.5", "[]"]))


def _compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(["+", "-", "*", "/", "%", "<", "==", "in", "&&", "||"])
    return st.one_of(
        st.tuples(inner, operators, inner).map(" ".join),
        inner.map("({})".format),
        inner.map("!({})".format),
        st.tuples(NAMES, inner).map("{0[0]}[{0[1]}]".format),
        st.tuples(NAMES, inner).map("{0[0]}.exists(v, {0[1]})".format),
        st.tuples(inner, inner, inner).map("({0[0]}) ? ({0[1]}) : ({0[2]})".format),
    )


@given(st.recursive(ATOMS, _compound, max_leaves=12))
def test_every_span_parses_to_its_node(source: str) -> None:
    """Cutting a node out of its source and parsing that gives the node again."""

    def visit(node: Node) -> None:
        assert shape(parse(source[node.start : node.end])) == shape(node)
        for child in children(node):
            visit(child)

    visit(parse(source))


def _quoted(text: str) -> str:
    """Write a string literal, escaping everything that is not a letter or a digit."""
    return "".join(c if c.isascii() and c.isalnum() else f"\\U{ord(c):08x}" for c in text)


@given(st.text(), st.sampled_from(["'", '"', "'''", '"""']))
def test_any_text_can_be_written(text: str, quote: str) -> None:
    """Every text has a literal, and the literal means the text."""
    assert value(f"{quote}{_quoted(text)}{quote}") == text


@given(st.binary(max_size=40))
def test_any_bytes_can_be_written(data: bytes) -> None:
    """Every byte string has a literal, and the literal means the bytes."""
    assert value("b'" + "".join(f"\\x{byte:02x}" for byte in data) + "'") == data


@given(st.text(alphabet="ab1.'\"\\()[]{}<>=!&|?:,+-*/% \nrbux\t`", max_size=40) | st.text(max_size=40))
def test_any_source_parses_or_is_refused(source: str) -> None:
    """Whatever is written, the answer is a tree or a CelError whose place lies in the source."""
    try:
        end = parse(source).end
    except CelError as error:
        end = error.offset
    assert 0 <= end <= len(source)


@pytest.mark.parametrize(
    "source",
    [
        "(" * 100_000,
        "(" * 100_000 + "1" + ")" * 100_000,
        "[" * 19_999,
        "{1:" * 6_000,
        "!" * 19_000 + "true",
        "-" * 19_000 + "1",
        "f(" * 9_000,
        "a[" * 9_000,
        "a" + ".a" * 9_000,
        "a" + ".f()" * 4_900,
        "1" + "+1" * 9_000,
        "a?b:" * 4_900 + "c",
        "a?" * 9_000,
        "a||b&&c==d+e*(" * 1_400,
        "l.all(x," * 2_400,
        "l.transformMap(k,v," * 1_000,
        "cel.bind(a,1," * 1_500,
        "cel.bind(a," * 1_500 + "1",
        "math.least(" * 1_800,
        "math.greatest(" + "1," * 9_000 + "1)",
        "x" * 1_000_000,
        "'" + "x" * 1_000_000 + "'",
    ],
    ids=lambda source: f"{source[:12]}..{len(source)}",
)
def test_a_hostile_source_is_refused(source: str) -> None:
    """Deep or huge sources end in a CelError by our own limits, never in a RecursionError."""
    error = mistake(source)
    assert error.message in {
        f"nested more than {MAX_DEPTH} levels deep",
        f"the rule is longer than {MAX_SOURCE} characters",
        "expected ':', found '?'",
    }
    assert len(error.render()) < 1_000


def test_reasonable_nesting_is_allowed() -> None:
    """Nesting up to the limit parses, and a chain of && or || of any length counts as one level."""
    assert shape(parse("(" * (MAX_DEPTH - 1) + "1" + ")" * (MAX_DEPTH - 1))) == "1"
    root = parse(" || ".join(["a"] * 3_000))
    assert isinstance(root, Logic)
    assert len(root.operands) == 3_000


def test_a_huge_number_is_refused_before_it_is_converted() -> None:
    """A number of 20,000 digits is out of range, not a ValueError of Python's integer parser."""
    assert mistake("9" * 19_999).message == "int literal out of range"
    assert value("0" * 19_998 + "7") == 7


def test_the_caret_stands_under_wide_characters() -> None:
    """An error is shown with line and column, the line, and a caret under the mistake, also after Chinese text."""
    assert mistake("a &&\n  '中文' $ b").render() == ("2:8: unexpected character '$'\n |   '中文' $ b\n |          ^")


def test_control_characters_are_not_echoed() -> None:
    """A hostile source cannot send escape sequences to the terminal that shows the error."""
    assert "\x1b" not in mistake("'\x1b[31m' $").render()

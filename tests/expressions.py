"""Expressions of the rule language, well typed and made at random, with facts for them.

Left out is what the specification leaves open, and where its implementations in C++ and in Go differ: the digits of
string() of an infinity or of a fraction of a second, white space around numbers, splitting an empty text at an empty
separator, times finer than a microsecond, the clock of a place where it is not yet the year 1 or already the year
10000, the order of the keys of a map.
"""

import math
import string
from collections.abc import Callable, Mapping
from typing import Any, Final

from hypothesis import strategies as st

from placet.policy.cel import BOOL, BYTES, DOUBLE, DYN, INT, STRING, UINT, Type, Uint, list_of, map_of

# --- values ------------------------------------------------------------------------------------------------------

MAX, MIN, UMAX = 2**63 - 1, -(2**63), 2**64 - 1
SECONDS: Final = [
    "1970-01-01T00:00:00Z",
    "2009-02-13T23:31:30.123456Z",
    "1969-12-31T23:59:59.5Z",
    "2024-02-29T12:00:00Z",
]
EDGES: Final = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]

INTS = st.integers(-9, 9) | st.sampled_from([MAX, MIN, MAX - 1, 2**53 + 1, 3_037_000_500, 63, 64])
UINTS = st.integers(0, 9) | st.sampled_from([UMAX, 2**63, 2**53 + 1, 64])
DOUBLES = st.sampled_from(
    [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 1e6, 1e19, -1e19, 2.0**63, 2.0**53, 1e308, 1e-7, 123.456]
)
TEXTS = st.text("ab日🏮 é%.'\"\\\n{}-1", max_size=5) | st.sampled_from(
    ["12", "-7", "true", "1.5", "%s", "%d %s", "1h", "aXbX"]
)
RAW = st.binary(max_size=3)


def quoted(text: str) -> str:
    """A string literal, of escapes alone where a character is not plain."""
    return (
        "'"
        + "".join(c if c in string.ascii_letters + string.digits + " -.%" else f"\\U{ord(c):08x}" for c in text)
        + "'"
    )


def of_double(value: float) -> str:
    """A double literal; a negative one in parentheses, so that a method may follow."""
    return f"({value!r})" if value < 0 or math.copysign(1, value) < 0 else repr(value)


LITERALS: Final[Mapping[str, st.SearchStrategy[str]]] = {
    "int": INTS.map(lambda value: f"({value})" if value < 0 else str(value)),
    "uint": UINTS.map(lambda value: f"{value}u"),
    "double": DOUBLES.map(of_double),
    "string": TEXTS.map(quoted),
    "bytes": RAW.map(lambda value: "b'" + "".join(f"\\x{byte:02x}" for byte in value) + "'"),
    "bool": st.sampled_from(["true", "false"]),
    "timestamp": st.sampled_from([f"timestamp('{each}')" for each in SECONDS + EDGES]),
    "moment": st.sampled_from([f"timestamp('{each}')" for each in SECONDS]),
    "duration": st.sampled_from([f"duration('{each}')" for each in ["0", "1s", "-1s", "1.5s", "90m", "-36h", "250ms"]]),
    "type": st.sampled_from(["int", "uint", "double", "string", "bytes", "bool", "list", "map", "null_type", "type"]),
    "null": st.just("null"),
}
TYPES: Final[Mapping[str, Type]] = {
    "int": INT,
    "uint": UINT,
    "double": DOUBLE,
    "string": STRING,
    "bytes": BYTES,
    "bool": BOOL,
    "list(int)": list_of(INT),
    "list(string)": list_of(STRING),
    "list(double)": list_of(DOUBLE),
    "map(string)": map_of(STRING, INT),
    "map(int)": map_of(INT, STRING),
    "dyn": DYN,
}
FACTS = st.fixed_dictionaries(
    {
        "f_int": INTS,
        "f_uint": UINTS.map(Uint),
        "f_double": DOUBLES,
        "f_string": TEXTS,
        "f_bytes": RAW.filter(lambda value: 0 not in value),  # their binding ends bytes at the first 0
        "f_bool": st.booleans(),
        "f_list_int": st.lists(INTS, max_size=3),
        "f_list_string": st.lists(TEXTS, max_size=3),
        "f_list_double": st.lists(DOUBLES, max_size=3),
        "f_map_string": st.dictionaries(st.sampled_from(["a", "b", "日"]), INTS, max_size=2),
        "f_map_int": st.dictionaries(st.integers(-2, 2), TEXTS, max_size=2),
        "f_dyn": INTS | DOUBLES | TEXTS | st.booleans() | st.none() | st.lists(INTS | TEXTS, max_size=2),
    }
)


def fact(kind: str) -> str:
    """The name of the fact of a kind."""
    return f"f_{kind.rstrip(')').replace('(', '_')}"


# --- expressions -------------------------------------------------------------------------------------------------

SCALARS: Final = ("int", "uint", "double", "string", "bytes", "bool", "timestamp", "duration")
NUMBERS: Final = ("int", "uint", "double")
MATH: Final = ("ceil", "floor", "round", "trunc")
ZONES: Final = ("'UTC'", "'Asia/Kathmandu'", "'America/St_Johns'", "'+05:30'", "'-02:00'", "dyn('Nowhere/Land')")
PARTS: Final = ("FullYear", "Month", "Date", "DayOfMonth", "DayOfWeek", "DayOfYear", "Hours", "Minutes", "Seconds")

# What gives a value of each kind: a template, and the kinds of what stands in it, as {0}, {1} … A `$` before a kind
# binds the variable of the macro, {v}, within it: `$int:bool` is a bool in which {v} is an int.
RULES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "int": (
        *((f"({{0}} {op} {{1}})", "int int") for op in "+-*/%"),
        ("(-{0})", "int"),
        *(("int({0})", kind) for kind in ("uint", "double", "string", "timestamp", "int")),
        *(("size({0})", kind) for kind in ("string", "bytes", "list(int)", "list(string)", "map(string)")),
        ("{0}.size()", "string"),
        ("{0}[{1}]", "list(int) int"),
        ("{0}[{1}]", "map(string) string"),
        ("{0}.a", "map(string)"),
        *((f"{{0}}.{name}({{1}})", "string string") for name in ("indexOf", "lastIndexOf")),
        *((f"{{0}}.{name}({{1}}, {{2}})", "string string int") for name in ("indexOf", "lastIndexOf")),
        ("math.abs({0})", "int"),
        ("math.sign({0})", "int"),
        *((f"math.{name}({{0}}, {{1}})", "int int") for name in ("bitAnd", "bitOr", "bitXor", "greatest", "least")),
        *((f"math.bitShift{way}({{0}}, {{1}})", "int int") for way in ("Left", "Right")),
        ("math.bitNot({0})", "int"),
        ("math.greatest({0}, {1}, {2})", "int int int"),
        *((f"{{0}}.get{part}()", "timestamp") for part in PARTS),
        *((f"{{0}}.get{part}({zone})", "moment") for part in PARTS for zone in ZONES),
        *((f"{{0}}.get{part}()", "duration") for part in ("Hours", "Minutes", "Seconds")),
        ("cel.bind({v}, {0}, {1})", "string $string:int"),
        ("cel.bind({v}, {0}, {1})", "int $int:int"),
    ),
    "uint": (
        *((f"({{0}} {op} {{1}})", "uint uint") for op in "+-*/%"),
        *(("uint({0})", kind) for kind in ("int", "double")),
        ("math.abs({0})", "uint"),
        *((f"math.{name}({{0}}, {{1}})", "uint uint") for name in ("bitAnd", "bitOr", "bitXor", "greatest", "least")),
        *((f"math.bitShift{way}({{0}}, {{1}})", "uint int") for way in ("Left", "Right")),
        ("math.bitNot({0})", "uint"),
    ),
    "double": (
        *((f"({{0}} {op} {{1}})", "double double") for op in "+-*/"),
        ("(-{0})", "double"),
        *(("double({0})", kind) for kind in ("int", "uint")),
        *((f"math.{name}({{0}})", "double") for name in (*MATH, "abs", "sign", "sqrt")),
        *((f"math.{name}({{0}}, {{1}})", "double double") for name in ("greatest", "least")),
        ("{0}[{1}]", "list(double) int"),
    ),
    "string": (
        ("({0} + {1})", "string string"),
        *(("string({0})", kind) for kind in ("int", "uint", "bool", "bytes", "string")),
        ("{0}[{1}]", "list(string) int"),
        ("{0}[{1}]", "map(int) int"),
        ("{0}.charAt({1})", "string int"),
        ("{0}.substring({1})", "string int"),
        # theirs wrongly refuses an end that is the end of the text
        ("cel.bind({v}, {0} + '.', {v}.substring({1}, math.least({2}, size({v}) - 1)))", "string int int"),
        ("{0}.replace({1}, {2})", "string string string"),
        ("{0}.replace({1}, {2}, {3})", "string string string int"),
        *((f"{{0}}.{name}()", "string") for name in ("lowerAscii", "upperAscii", "trim", "reverse")),
        ("{0}.join()", "list(string)"),
        ("{0}.join({1})", "list(string) string"),
        ("strings.quote({0})", "string"),
        *((f"'%{verb}|'.format([{{0}}])", "int") for verb in "sdxXbo"),
        *((f"'%{verb}'.format([{{0}}, {{1}}])", "string bool") for verb in "sxX"),
        *((f"'{verb}'.format([{{0}}])", "double") for verb in ("%f", "%e", "%.0f", "%.3f", "%.2e")),
        ("'%s %s'.format([{0}, {1}])", "list(int) map(int)"),
        ("{0}.format([{1}, {2}])", "string int string"),
        ("string({0} - {0})", "duration"),
    ),
    "bytes": (("({0} + {1})", "bytes bytes"), ("bytes({0})", "string"), ("bytes({0})", "bytes")),
    "bool": (
        *((f"({{0}} {op} {{1}})", "bool bool") for op in ("&&", "||", "==", "!=")),
        ("({0} && {1} && {2})", "bool bool bool"),
        ("({0} || {1} || {2})", "bool bool bool"),
        ("(!{0})", "bool"),
        *((f"({{0}} {op} {{1}})", f"{kind} {kind}") for op in ("==", "!=", "<", "<=", ">", ">=") for kind in SCALARS),
        # the C++ checker lacks the overloads across numbers, which the language definition lists
        *((f"(dyn({{0}}) {op} {{1}})", f"{a} {b}") for op in ("<", ">", "==") for a in NUMBERS for b in NUMBERS),
        *(
            (f"({{0}} {op} {{1}})", f"{kind} {kind}")
            for op in ("==", "!=")
            for kind in ("list(int)", "list(double)", "map(string)", "type", "dyn")
        ),
        ("(dyn({0}) == {1})", "dyn dyn"),
        ("(dyn({0}) < dyn({1}))", "dyn dyn"),
        ("({0} in {1})", "int list(int)"),
        ("({0} in {1})", "string list(string)"),
        ("({0} in {1})", "string map(string)"),
        ("(dyn({0}) in {1})", "dyn list(double)"),
        ("has({0}.a)", "map(string)"),
        *((f"{{0}}.{name}({{1}})", "string string") for name in ("startsWith", "endsWith", "contains")),
        ("{0}.matches('^a|b+$')", "string"),
        *((f"math.{name}({{0}})", "double") for name in ("isNaN", "isInf", "isFinite")),
        *((f"{{0}}.{macro}({{v}}, {{1}})", "list(int) $int:bool") for macro in ("all", "exists", "exists_one")),
        *((f"{{0}}.{macro}({{v}}, {{1}})", "list(string) $string:bool") for macro in ("all", "exists")),
        *((f"{{0}}.{macro}({{v}}, {{1}})", "map(string) $string:bool") for macro in ("all", "exists")),
        ("bool({0})", "string"),
        ("(type({0}) == {1})", "dyn type"),
    ),
    "timestamp": (
        ("({0} + {1})", "timestamp duration"),
        ("({0} + {1})", "duration timestamp"),
        ("({0} - {1})", "timestamp duration"),
        ("timestamp({0})", "int"),
        ("timestamp({0})", "timestamp"),
    ),
    "duration": (
        *((f"({{0}} {op} {{1}})", "duration duration") for op in "+-"),
        ("({0} - {1})", "timestamp timestamp"),
    ),
    "type": (("type({0})", "dyn"), ("type({0})", "type"), ("type({0})", "timestamp")),
    "list(int)": (
        ("[{0}, {1}]", "int int"),
        ("({0} + {1})", "list(int) list(int)"),
        ("{0}.map({v}, {1})", "list(int) $int:int"),
        ("{0}.map({v}, {1})", "list(string) $string:int"),
        ("{0}.map({v}, {1}, {2})", "list(int) $int:bool $int:int"),
        ("{0}.filter({v}, {1})", "list(int) $int:bool"),
    ),
    "list(string)": (
        ("[{0}, {1}]", "string string"),
        ("{0}.map({v}, {1})", "list(int) $int:string"),
        ("{0}.filter({v}, {1})", "list(string) $string:bool"),
        ("('x' + {0}).split({1})", "string string"),
        ("('x' + {0}).split({1}, {2})", "string string int"),
    ),
    "list(double)": (("[{0}, {1}]", "double double"), ("{0}.map({v}, {1})", "list(int) $int:double")),
    "map(string)": (("{{'a': {0}, {1} + '': {2}}}", "int string int"),),
    "map(int)": (("{{1: {0}, {1} + 1: {2}}}", "string int string"),),
    "dyn": (
        *(("{0}", kind) for kind in (*SCALARS, "null", "type", "list(int)", "list(double)", "map(string)")),
        *((f"(dyn({{0}}) {op} {{1}})", "dyn int") for op in "+-*/%"),
        ("(dyn({0}) + dyn({1}))", "dyn dyn"),
        ("dyn({0})[{1}]", "dyn int"),
        ("dyn({0}).size()", "dyn"),
        ("dyn({0}).a", "dyn"),
        ("dyn({0}).map({v}, {v})", "dyn"),
        ("string(dyn({0}) == null)", "dyn"),
        ("[dyn({0}), {1}][{2}]", "dyn int int"),
        ("math.greatest({0}, {1})", "double int"),
        ("math.least({0}, {1}, {2})", "double int uint"),
    ),
}
TERNARY: Final = "({0} ? {1} : {2})"
KINDS: Final = tuple(RULES)


@st.composite
def expressions(draw: Callable[..., Any], kind: str, depth: int, scope: tuple[tuple[str, str], ...] = ()) -> str:
    """The source of an expression of a kind, at most `depth` high, with the variables of the macros around it."""
    leaves = [LITERALS[kind]] if kind in LITERALS else []
    leaves += [st.just(fact(kind))] if kind in TYPES else []
    leaves += [st.just(name) for name, of in scope if of == kind]
    if depth == 0 and leaves:
        return str(draw(st.one_of(leaves)))
    if leaves and draw(st.integers(0, 4)) == 0:
        return str(draw(st.one_of(leaves)))
    template, parts = draw(
        st.sampled_from([*RULES.get(kind, ()), *([(TERNARY, f"bool {kind} {kind}")] if depth else [])])
    )
    variable = f"v{len(scope)}"
    made = []
    for part in parts.split():
        bound, _, inner = part.removeprefix("$").rpartition(":")
        inside = (*scope, (variable, bound)) if bound else scope
        made.append(draw(expressions(inner, max(depth - 1, 0), inside)))
    return str(template.format(*made, v=variable))


VARIABLES: Final = {fact(kind): declared for kind, declared in TYPES.items()}
"""The facts of FACTS, for an Environment."""

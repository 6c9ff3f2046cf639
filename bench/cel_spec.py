"""The conformance tests of the Common Expression Language as plain values: read from a folder, judged, compared.

The files are google/cel-spec's own tests/simple/testdata, in protocol buffers' text format; they are not ours to
ship. Both the table (bench/cel_conformance.py) and the test (tests/test_cel_conformance.py) read them through this
module, which needs the `protobuf` package and nothing else that Placet does not need.
"""

import importlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from placet.policy.cel import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    TYPE,
    UINT,
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
    parameter,
)
from placet.policy.cel.runtime import map_from
from placet.policy.cel.values import kind_of

FOLDER: Final = "PLACET_CEL_SPEC"
"""The environment variable that names the folder of the files."""

# The messages of cel/expr/{value,eval,checked}.proto and conformance/test/simple.proto that the files use, one a
# line: its name, then its fields as number:name:type, `*` before a repeated one. Written from the field numbers of
# the specification's definitions; what the tests never look at is left out and skipped while reading.
_MESSAGES: Final = """
SimpleTestFile 1:name:string 2:description:string 3:section:*SimpleTestSection
SimpleTestSection 1:name:string 2:description:string 3:test:*SimpleTest
SimpleTest 1:name:string 2:description:string 3:expr:string 4:disable_macros:bool 5:disable_check:bool \
15:check_only:bool 6:type_env:*Decl 13:container:string 14:locale:string 7:bindings:*Binding 8:value:Value \
16:typed_result:TypedResult 9:eval_error:ErrorSet 10:any_eval_errors:ErrorSetMatcher 11:unknown:UnknownSet
Binding 1:key:string 2:value:ExprValue
TypedResult 1:result:Value 2:deduced_type:Type
ErrorSetMatcher 1:errors:*ErrorSet
ErrorSet 1:errors:*Status
Status 1:code:int32 2:message:string
UnknownSet 1:exprs:*int64
ExprValue 1:value:Value 2:error:ErrorSet 3:unknown:UnknownSet
Value 1:null_value:NullValue 2:bool_value:bool 3:int64_value:int64 4:uint64_value:uint64 5:double_value:double \
6:string_value:string 7:bytes_value:bytes 9:enum_value:EnumValue 10:object_value:Any 11:map_value:MapValue \
12:list_value:ListValue 15:type_value:string
EnumValue 1:type:string 2:value:int32
ListValue 1:values:*Value
MapValue 1:entries:*Entry
Entry 1:key:Value 2:value:Value
Type 1:dyn:Empty 2:null:NullValue 3:primitive:Primitive 4:wrapper:Primitive 5:well_known:WellKnown \
6:list_type:ListType 7:map_type:MapType 9:message_type:string 10:type_param:string 11:type:Type \
14:abstract_type:AbstractType
ListType 1:elem_type:Type
MapType 1:key_type:Type 2:value_type:Type
AbstractType 1:name:string 2:parameter_types:*Type
Empty
Decl 1:name:string 2:ident:IdentDecl 3:function:FunctionDecl
IdentDecl 1:type:Type
FunctionDecl 1:overloads:*DeclOverload
DeclOverload 1:overload_id:string 2:params:*Type 3:type_params:*string 4:result_type:Type 5:is_instance_function:bool
"""
_ENUMS: Final = {
    "NullValue": ("NULL_VALUE",),
    "Primitive": ("PRIMITIVE_TYPE_UNSPECIFIED", "BOOL", "INT64", "UINT64", "DOUBLE", "STRING", "BYTES"),
    "WellKnown": ("WELL_KNOWN_TYPE_UNSPECIFIED", "ANY", "TIMESTAMP", "DURATION"),
}
_PACKAGE: Final = "placet.spec"

_KNOWN_MESSAGES: Final = ("google.protobuf.Timestamp", "google.protobuf.Duration")
_ANY: Final = "google.protobuf.Any"
_PRIMITIVES: Final = (DYN, BOOL, INT, UINT, DOUBLE, STRING, BYTES)
_WELL_KNOWN: Final = (DYN, DYN, TIMESTAMP, DURATION)
_ESCAPE: Final = re.compile(r"\\.", re.DOTALL)
_QUOTED: Final = re.compile(r"""[rRbB]{0,2}('''.*?'''|\"{3}.*?\"{3}|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")""", re.DOTALL)
_CONSTRUCTS: Final = re.compile(
    r"\b(?!in\b)[A-Za-z_]\w*\s*(?://[^\n]*\n)?\s*\{|\bgoogle\.protobuf\.(?!Timestamp|Duration)"
)
_PROTO_NAMES: Final = re.compile(r"\b(?:TestAllTypes|NestedTestAllTypes|GlobalEnum|NullValue|cel\.expr\.conformance)\b")


class Failed(msgspec.Struct, frozen=True):
    """An error, as an expected result or as what came out. Its text is for people: no two implementations agree."""

    message: str = ""
    when: str = "run"
    """`check` when the expression was refused before it was evaluated."""


class Case(msgspec.Struct, frozen=True):
    """One test. `needs` says why it needs protocol-buffer messages; empty when it does not."""

    file: str
    section: str
    name: str
    source: str
    container: str
    is_checked: bool
    is_check_only: bool
    variables: Mapping[str, Type]
    functions: Mapping[str, Function]
    bindings: Mapping[str, Any]
    expected: Any
    deduced: Type | None
    needs: str

    @property
    def title(self) -> str:
        """How the test is listed."""
        return f"{self.file}/{self.section}/{self.name}"


class _NeedsMessages(Exception):
    """Met a value or type that only protocol buffers have."""


# --- reading -----------------------------------------------------------------------------------------------------


def cases(folder: Path) -> Iterator[Case]:
    """Every test of every file in the folder, in order; raises ImportError where `protobuf` is not installed."""
    text_format: Any = importlib.import_module("google.protobuf.text_format")
    files = sorted(folder.glob("*.textproto"))
    texts = {path: _ESCAPE.sub(_plain, path.read_text("utf-8")) for path in files}
    message, pool = _schema(sorted(set(re.findall(r"\[type\.googleapis\.com/([\w.]+)\]", "".join(texts.values())))))
    for path, text in texts.items():
        read = text_format.Parse(text, message(), allow_unknown_field=True, descriptor_pool=pool)
        for section in read.section:
            for test in section.test:
                yield _case(path.stem, section.name, test)


def _plain(escape: re.Match[str]) -> str:
    """`\\?` is a question mark in the text format, which Python's reader of it does not know."""
    return "?" if escape[0] == "\\?" else escape[0]


def _schema(packed: Iterable[str]) -> tuple[Any, Any]:
    """Make the class of a whole file, and a pool that also knows the names of the messages packed in it."""
    descriptor_pb2: Any = importlib.import_module("google.protobuf.descriptor_pb2")
    factory: Any = importlib.import_module("google.protobuf.message_factory")
    pool = importlib.import_module("google.protobuf.descriptor_pool").DescriptorPool()
    for known in ("any", "timestamp", "duration"):
        module: Any = importlib.import_module(f"google.protobuf.{known}_pb2")
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    pool.Add(_own_file(descriptor_pb2))
    for number, name in enumerate(name for name in packed if name not in (*_KNOWN_MESSAGES, _ANY)):
        package, _, short = name.rpartition(".")
        file = descriptor_pb2.FileDescriptorProto(name=f"packed{number}.proto", package=package, syntax="proto3")
        file.message_type.add(name=short)  # no fields: such a value is only ever seen to be there
        pool.Add(file)
    return factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.SimpleTestFile")), pool


def _own_file(descriptor_pb2: Any) -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="spec.proto", package=_PACKAGE, syntax="proto2")
    file.dependency.append("google/protobuf/any.proto")
    for name, values in _ENUMS.items():
        enum = file.enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    for line in _MESSAGES.strip().splitlines():
        name, *fields = line.split()
        message = file.message_type.add(name=name)
        for field in fields:
            _add_field(descriptor_pb2.FieldDescriptorProto, message, *field.split(":"))
    return file


def _add_field(proto: Any, message: Any, number: str, name: str, kind: str) -> None:
    repeated = kind.startswith("*")
    kind = kind.removeprefix("*")
    label = proto.LABEL_REPEATED if repeated else proto.LABEL_OPTIONAL
    field = message.field.add(name=name, number=int(number), label=label)
    if kind in ("string", "bool", "int32", "int64", "uint64", "double", "bytes"):
        field.type = getattr(proto, f"TYPE_{kind.upper()}")
    else:
        field.type = proto.TYPE_ENUM if kind in _ENUMS else proto.TYPE_MESSAGE
        field.type_name = ".google.protobuf.Any" if kind == "Any" else f".{_PACKAGE}.{kind}"


# --- one test ----------------------------------------------------------------------------------------------------


def _case(file: str, section: str, test: Any) -> Case:
    needs = _needs_messages(test)
    deduced = test.typed_result.deduced_type if test.HasField("typed_result") else None
    return Case(
        file=file,
        section=section,
        name=test.name,
        source=test.expr,
        container=test.container,
        is_checked=not test.disable_check,
        is_check_only=test.check_only,
        variables={} if needs else {d.name: _type(d.ident.type) for d in test.type_env if d.HasField("ident")},
        functions={} if needs else {d.name: _function(d.function) for d in test.type_env if d.HasField("function")},
        bindings={} if needs else {b.key: _value(b.value.value) for b in test.bindings},
        expected=None if needs else _expected(test),
        deduced=None if needs or deduced is None else _type(deduced),
        needs=needs,
    )


def _needs_messages(test: Any) -> str:
    """Why a test needs protocol buffers. Mechanical, so that nobody has to be believed."""
    bare = _QUOTED.sub("''", test.expr)
    if _CONSTRUCTS.search(bare):
        return "constructs a message or names a wrapper type"
    if _PROTO_NAMES.search(bare):
        return "names a message or an enum"
    try:
        for declared in test.type_env:
            if declared.HasField("ident"):
                _type(declared.ident.type)
        for bound in test.bindings:
            _value(bound.value.value)
        _expected(test)
        if test.HasField("typed_result"):
            _type(test.typed_result.deduced_type)
    except _NeedsMessages as reason:
        return str(reason)
    return ""


def _expected(test: Any) -> Any:
    if test.HasField("value"):
        return _value(test.value)
    if test.HasField("typed_result"):
        return _value(test.typed_result.result) if test.typed_result.HasField("result") else None
    if test.HasField("eval_error"):
        return Failed("; ".join(error.message for error in test.eval_error.errors))
    if test.HasField("any_eval_errors"):
        return Failed("one of several")
    if test.HasField("unknown"):
        raise _NeedsMessages("expects an unknown value")
    return True  # simple.proto: an unspecified result matches true


def _value(value: Any) -> Any:
    kind = _set_field(value)
    match kind:
        case "null_value":
            return None
        case "uint64_value":
            return Uint(value.uint64_value)
        case "list_value":
            return [_value(part) for part in value.list_value.values]
        case "map_value":
            return map_from([(_value(entry.key), _value(entry.value)) for entry in value.map_value.entries])
        case "type_value":
            return TypeValue(value.type_value)
        case "object_value":
            return _unpacked(value.object_value)
        case "enum_value":
            raise _NeedsMessages("an enum value")
        case _:
            return getattr(value, kind)


def _unpacked(packed: Any) -> Any:
    name = packed.type_url.rpartition("/")[2]
    if name not in _KNOWN_MESSAGES:
        raise _NeedsMessages(f"a value of {name}")
    module: Any = importlib.import_module(f"google.protobuf.{name.rpartition('.')[2].lower()}_pb2")
    read = getattr(module, name.rpartition(".")[2]).FromString(packed.value)
    nanoseconds = read.seconds * 10**9 + read.nanos
    return Timestamp(nanoseconds) if name.endswith("Timestamp") else Duration(nanoseconds)


def _type(declared: Any) -> Type:
    kind = _set_field(declared)
    match kind:
        case "null":
            return NULL
        case "primitive":
            return _PRIMITIVES[declared.primitive]
        case "well_known":
            return _WELL_KNOWN[declared.well_known]
        case "list_type":
            return list_of(_type(declared.list_type.elem_type))
        case "map_type":
            return map_of(_type(declared.map_type.key_type), _type(declared.map_type.value_type))
        case "type_param":
            return parameter(declared.type_param)
        case "type":
            return TYPE
        case "abstract_type":
            parts = declared.abstract_type
            return abstract(parts.name, *map(_type, parts.parameter_types))
        case "message_type" if declared.message_type in _KNOWN_MESSAGES:
            return TIMESTAMP if declared.message_type.endswith("Timestamp") else DURATION
        case "message_type" | "wrapper":
            raise _NeedsMessages(f"declares a {declared.message_type or 'wrapper type'}")
        case _:
            return DYN


def _set_field(message: Any) -> str:
    """The one field that is set, of those that a oneof holds; a list that is empty all the same is set."""
    set_fields = [field.name for field in message.DESCRIPTOR.fields if message.HasField(field.name)]
    return set_fields[0] if set_fields else ""


def _function(declared: Any) -> Function:
    overloads = declared.overloads
    forms = frozenset("member" if each.is_instance_function else "function" for each in overloads)
    made = [Overload(tuple(map(_type, o.params)), _type(o.result_type), _not_given) for o in overloads]
    return Function(forms, tuple(made))


def _not_given(*_: Any) -> Any:
    raise CelRuntimeError("declared, but not given")


# --- running and comparing ---------------------------------------------------------------------------------------


def environment(case: Case) -> Environment:
    """What a test's expression may name; everything that rules of packs do without is switched on."""
    names = {name: kind for name, kind in case.variables.items() if name not in ("true", "false", "null")}
    return Environment(
        names,  # of what is named like a literal, the tests expect the literal
        container=case.container,
        functions=case.functions,
        extensions=frozenset({"optional", "block"}),
        is_checked=case.is_checked,
    )


class NoText:
    """The texts of a test: there are none."""

    def terms(self, _name: str) -> bool:
        """Nothing was found."""
        return False

    def hits(self, _name: str) -> list[Mapping[str, Any]]:
        """Nothing was found."""
        return []

    def count(self, _name: str) -> int:
        """Nothing was found."""
        return 0

    def matches(self, _field: str, _pattern: str) -> bool:
        """Nothing matches."""
        return False


def run(case: Case) -> tuple[Any, Type | None]:
    """What our implementation answers: the value or Failed, and the type that it deduced."""
    try:
        program = compile_rule(case.source, environment(case), DYN, cost_limit=10**9)
    except CelError as error:
        return Failed(error.message, "check"), None
    if case.is_check_only:
        return None, program.result
    try:
        return program(case.bindings, NoText()), program.result
    except CelRuntimeError as error:
        return Failed(str(error)), program.result


def verdict(case: Case) -> str:
    """Why our implementation fails a test; empty when it passes."""
    found, deduced = run(case)
    if case.deduced is not None and deduced is not None and str(deduced) != str(case.deduced):
        return f"deduces {deduced}, not {case.deduced}"
    if case.is_check_only:
        return found.message if isinstance(found, Failed) else ""
    return mismatch(case.expected, found)


def mismatch(expected: Any, found: Any) -> str:
    """How a result differs from what was expected; empty when it matches.

    An expected error is matched by any error, at run time or while checking: the messages in the files are examples,
    and an expression that is refused before it runs never gives a wrong answer.
    """
    if isinstance(expected, Failed):
        return "" if isinstance(found, Failed) else f"gives {found!r} where an error is due ({expected.message})"
    if isinstance(found, Failed):
        return f"{'refused' if found.when == 'check' else 'fails'}: {found.message}"
    return "" if same(expected, found) else f"gives {found!r}, not {expected!r}"


def same(left: Any, right: Any) -> bool:
    """Whether two values are one, type for type: any NaN matches another, and maps have no order."""
    if isinstance(left, Optional) or isinstance(right, Optional):
        return isinstance(left, Optional) and isinstance(right, Optional) and same(list(left.held), list(right.held))
    kinds = kind_of(left), kind_of(right)
    if kinds[0] != kinds[1]:
        return False
    match kinds[0]:
        case "list":
            return len(left) == len(right) and all(map(same, left, right))
        case "map":
            pairs = [[other for key, other in right.items() if same(key, own)] for own in left]
            return len(left) == len(right) and all(
                p and same(v, p[0]) for v, p in zip(left.values(), pairs, strict=True)
            )
        case "double":
            return bool(left == right and math.copysign(1, left) == math.copysign(1, right)) or (
                math.isnan(left) and math.isnan(right)
            )
        case _:
            return bool(left == right)

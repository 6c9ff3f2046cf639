"""How much of the Common Expression Language is right, by the language's own conformance tests?

The tests are read from a folder named by the environment variable PLACET_CEL_SPEC (the `tests/simple/testdata` of
google/cel-spec), with the `protobuf` package. Beside ours, other implementations for Python answer the same tests where
they are installed. `python -m bench.cel_conformance` prints the table and every test of ours that fails, with the
reason; `--peers` lists theirs too.

What counts as right is the same for all: the expected value, or any error where one is expected. For the others int and
uint are not told apart, nor a type from its name, since not all of them give Python something that differs; and a type
that should be deduced is asked of ours alone.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.cel_spec import FOLDER, Case, Failed, cases, mismatch, verdict
from bench.report import Benchmark, Line, Size
from placet.policy.cel import Duration, Optional, Timestamp, Type, TypeValue, Uint
from placet.policy.cel.values import kind_of

BUDGET: Final = 0.97

Answer = Callable[[Case], Any]
"""A test -> the value that an implementation gives, in our classes, or Failed."""


class Result(msgspec.Struct, frozen=True):
    """What came of one test with one implementation: why it failed, or "" when it passed."""

    case: Case
    reason: str


# --- running -----------------------------------------------------------------------------------------------------


def measure(size: Size) -> Iterator[Line]:
    """One line for each file, and the share of the whole."""
    folder = os.environ.get(FOLDER)
    missing = not folder or not Path(folder).is_dir()
    if missing or not _installed("google.protobuf.text_format"):
        what = f"set {FOLDER} to a folder with the tests" if missing else "install the package protobuf"
        yield Line("conformance of the rule language", "not measured", note=what)
        return
    asked, skipped, answers = _run(Path(str(folder)))
    for file in _files(asked, skipped):
        yield _line(file, skipped, answers)
    passed = sum(not result.reason for result in answers["placet"])
    share = passed / len(asked)
    met = None if size != "full" else share >= BUDGET
    others = ", ".join(_share(name, results) for name, results in answers.items() if name != "placet")
    yield Line("all", f"{passed} of {len(asked)}", ratio=share, budget=f">= {BUDGET:.0%}", met=met, note=others)
    for result in answers["placet"]:
        if result.reason:
            yield Line(result.case.title, "failed", note=f"{result.case.source[:80]}: {result.reason}")


def _line(file: str, skipped: Sequence[Case], answers: Mapping[str, Sequence[Result]]) -> Line:
    own = [result for result in answers["placet"] if result.case.file == file]
    needing = sum(case.file == file for case in skipped)
    others = ", ".join(
        _share(name, [result for result in results if result.case.file == file])
        for name, results in answers.items()
        if name != "placet" and own
    )
    passed = sum(not result.reason for result in own)
    return Line(f"{file} ({needing} more need messages)" if needing else file, f"{passed} of {len(own)}", note=others)


def _share(name: str, results: Sequence[Result]) -> str:
    return f"{name} {sum(not result.reason for result in results)}"


def _run(folder: Path) -> tuple[list[Case], list[Case], dict[str, list[Result]]]:
    """The tests that are asked, those that need messages, and how each implementation does."""
    found = list(cases(folder))
    asked = [case for case in found if not case.needs]
    answers = {"placet": [Result(case, verdict(case)) for case in asked]}
    for name, make in PEERS.items():
        if _installed(_PACKAGES[name]):
            answer = make()
            answers[name] = [Result(case, judged(case, answer)) for case in asked]
    return asked, [case for case in found if case.needs], answers


def _files(*groups: Sequence[Case]) -> list[str]:
    return sorted({case.file for group in groups for case in group})


def judged(case: Case, answer: Answer) -> str:
    """Why another implementation fails a test; empty when it passes."""
    try:
        found = answer(case)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a panic in Rust is no Exception; each says in its own way that it fails
        found = Failed(f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"[:200])
    if case.is_check_only:
        return found.message if isinstance(found, Failed) else ""
    return mismatch(loose(case.expected), found if isinstance(found, Failed) else loose(found))


def loose(value: Any) -> Any:
    """A value without what not every implementation can express: uints as ints, types as their names."""
    match value:
        case Uint():
            return int(value)
        case TypeValue():
            return value.name
        case Failed() | Optional():
            return value
    kind = kind_of(value)
    if kind == "list":
        return [loose(part) for part in value]
    if kind == "map":
        return {loose(key): loose(inner) for key, inner in value.items()}
    return value


@cache
def _installed(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


# --- Python's values, which the others take and give --------------------------------------------------------------

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def python_value(value: Any) -> Any:
    """One of our values as the others take it."""
    match value:
        case Timestamp():
            return _EPOCH + timedelta(microseconds=value // 1000)
        case Duration():
            return timedelta(microseconds=value // 1000)
        case Uint():
            return int(value)
        case list():
            return [python_value(part) for part in value]
        case dict():
            return {python_value(key): python_value(inner) for key, inner in value.items()}
        case _:
            return value


def own_value(value: Any) -> Any:
    """One of Python's values as ours."""
    match value:
        case datetime():
            return Timestamp((value - _EPOCH) // timedelta(microseconds=1) * 1000)
        case timedelta():
            return Duration(value // timedelta(microseconds=1) * 1000)
        case bytearray():
            return bytes(value)
        case list() | tuple():
            return [own_value(part) for part in value]
        case dict():
            return {own_value(key): own_value(inner) for key, inner in value.items()}
        case _:
            return value


# --- the others --------------------------------------------------------------------------------------------------


def cel_environment() -> tuple[Any, Callable[..., Any]]:
    """Google's binding, and what makes an environment of it with every extension that we have too."""
    cel: Any = importlib.import_module("cel_expr_python.cel")
    extensions = [
        getattr(importlib.import_module(f"cel_expr_python.ext.ext_{name}"), f"Ext{name.capitalize()}")()
        for name in ("math", "strings", "optional", "bindings")
    ]
    return cel, lambda **options: cel.NewEnv(extensions=extensions, **options)


def cel_expr_python() -> Answer:
    """Google's own binding of the implementation in C++."""
    cel, new = cel_environment()

    def answer(case: Case) -> Any:
        environment = new(
            variables={name: cel_type(cel, kind) for name, kind in case.variables.items()},
            container=case.container or None,
            functions=_declared(cel, case) or None,
        )
        program = environment.compile(case.source, disable_check=not case.is_checked)
        if case.is_check_only:
            return None
        found = program.eval(data={name: python_value(value) for name, value in case.bindings.items()})
        return from_cel(found)

    return answer


def _declared(cel: Any, case: Case) -> list[Any]:
    return [
        cel.FunctionDecl(
            name,
            [
                cel.Overload(
                    f"{name}_{number}",
                    return_type=cel_type(cel, overload.result),
                    parameters=[cel_type(cel, param) for param in overload.params],
                    is_member="member" in function.forms,
                    impl=lambda *_: None,
                )
                for number, overload in enumerate(function.overloads)
            ],
        )
        for name, function in case.functions.items()
    ]


def cel_type(cel: Any, declared: Type) -> Any:
    """One of our types as theirs."""
    params = [cel_type(cel, param) for param in declared.params]
    match declared.kind:
        case "list":
            return cel.Type.List(*params)
        case "map":
            return cel.Type.Map(*params)
        case "abstract":
            return cel.Type.AbstractType(declared.name, params)
        case "param":
            return cel.Type(declared.name)
        case kind:
            return getattr(cel.Type, kind.upper())


def from_cel(found: Any) -> Any:
    """One of their values, which knows its type, as ours."""
    name = found.type().name()
    if name in ("ERROR", "UNKNOWN"):
        try:
            return Failed(str(found.value()))
        except TypeError:  # their message quotes half a character, which is no text
            return Failed("without a message")
    if name.startswith("optional"):
        return found
    value = found.value()
    match value:
        case list():
            return [from_cel(part) for part in value]
        case dict():
            return {own_value(key): from_cel(inner) for key, inner in value.items()}
        case int() if name == "UINT":
            return Uint(value)
    if name == "TYPE":
        return TypeValue(_CEL_NAMES.get(value.name().partition("<")[0], value.name().lower()))
    return own_value(value)


_CEL_NAMES: Final = {
    "NULL": "null_type",
    "TIMESTAMP": "google.protobuf.Timestamp",
    "DURATION": "google.protobuf.Duration",
    **{name.upper(): name for name in ("bool", "bytes", "double", "int", "list", "map", "string", "type", "uint")},
}


def cel_python() -> Answer:
    """The implementation of Cloud Custodian, in Python."""
    celpy: Any = importlib.import_module("celpy")
    types: Any = importlib.import_module("celpy.celtypes")

    def into(value: Any) -> Any:
        match value:
            case bool():
                return types.BoolType(value)
            case Uint():
                return types.UintType(value)
            case Timestamp():
                return types.TimestampType(python_value(value))
            case Duration():
                return types.DurationType(python_value(value))
            case int():
                return types.IntType(value)
            case float():
                return types.DoubleType(value)
            case str():
                return types.StringType(value)
            case bytes():
                return types.BytesType(value)
            case list():
                return types.ListType([into(part) for part in value])
            case dict():
                return types.MapType({into(key): into(inner) for key, inner in value.items()})
            case _:
                return None

    def back(value: Any) -> Any:
        match value:
            case None:
                return None
            case types.BoolType() | bool():
                return bool(value)
            case list():
                return [back(part) for part in value]
            case dict():
                return {back(key): back(inner) for key, inner in value.items()}
            case type():
                return TypeValue(_CELPY_NAMES.get(value.__name__, value.__name__))
        for kind in (float, str, bytes, int):
            if isinstance(value, kind):
                return kind(value)  # type: ignore[arg-type]
        return own_value(value)

    def answer(case: Case) -> Any:
        environment = celpy.Environment(package=case.container or None)
        program = environment.program(environment.compile(case.source))
        return back(program.evaluate({name: into(value) for name, value in case.bindings.items()}))

    return answer


_CELPY_NAMES: Final = {
    "NoneType": "null_type",
    "TimestampType": "google.protobuf.Timestamp",
    "DurationType": "google.protobuf.Duration",
    "TypeType": "type",
    **{
        f"{name.capitalize()}Type": name for name in ("bool", "bytes", "double", "int", "list", "map", "string", "uint")
    },
}


def common_expression_language() -> Answer:
    """The implementation in Rust, with its Python binding."""
    cel: Any = importlib.import_module("cel")

    def answer(case: Case) -> Any:
        return own_value(cel.evaluate(case.source, {n: python_value(v) for n, v in case.bindings.items()}))

    return answer


PEERS: Final[Mapping[str, Callable[[], Answer]]] = {
    "common-expression-language": common_expression_language,
    "cel-python": cel_python,
    "cel-expr-python": cel_expr_python,
}
_PACKAGES: Final = {
    "common-expression-language": "cel.cel",
    "cel-python": "celpy",
    "cel-expr-python": "cel_expr_python",
}


# --- the table ---------------------------------------------------------------------------------------------------


def main() -> int:
    """Print the table, then what fails."""
    parser = argparse.ArgumentParser(prog="bench.cel_conformance", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--peers", action="store_true", help="list what the other implementations fail, too")
    asked_for = parser.parse_args()
    folder = os.environ.get(FOLDER)
    if not folder or not _installed("google.protobuf.text_format"):
        print(f"Needs the package protobuf, and {FOLDER} set to a folder with the tests.")
        return 2
    asked, skipped, answers = _run(Path(folder))
    print(_table(asked, skipped, answers))
    for name in answers if asked_for.peers else ["placet"]:
        failed = [result for result in answers[name] if result.reason]
        print(f"\n{name}: {len(answers[name]) - len(failed)} of {len(asked)} pass, {len(failed)} fail")
        for result in failed:
            print(f"  {result.case.title}: {' '.join(result.case.source.split())[:100]}\n      {result.reason[:200]}")
    return 0


def _table(asked: Sequence[Case], skipped: Sequence[Case], answers: Mapping[str, Sequence[Result]]) -> str:
    rows = [["file", "tests", "need messages", "asked", *answers]]
    for file in [*_files(asked, skipped), ""]:
        own = sum(case.file == file or not file for case in asked)
        needing = sum(case.file == file or not file for case in skipped)
        passed = [
            sum(not result.reason for result in results if result.case.file == file or not file)
            for results in answers.values()
        ]
        rows.append([file or "all", *map(str, (own + needing, needing, own, *passed))])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    )


BENCHMARK: Final = Benchmark("how much of the rule language is right, by its own conformance tests", measure)


if __name__ == "__main__":
    sys.exit(main())

"""docs/rules-reference.md: what a condition may name, made from what the environment declares, so that both agree.

Each line takes its sentence from beside the declaration; what has none is a KeyError here.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from placet.past import MOST_COUNTED
from placet.policy.cel import BOOL, COST_LIMIT, HIT, Function, Overload, Type, functions, macros
from placet.policy.cel import check as calls
from placet.policy.cel.cost import LIST_BOUND
from placet.policy.cel.overloads import SCAN
from placet.policy.environment import DETECTOR_LISTS, MEANING, OF_FINDINGS, TEXT_FIELDS, VARIABLES, WINDOW_MEANING

_HEAD: Final = f"""\
# Reference for rules

This page is made by `placet pack reference` from what the code declares, and a test holds it to that: it is not edited.
[packs.md](packs.md) explains how a pack is written, [cel.md](cel.md) the language, with an example of every function,
and [cookbook.md](cookbook.md) has rules to begin with.

**Cost.** Before a rule ever runs, its steps are counted: one for every name, field, literal, operator and call,
{SCAN} for a call that walks a text or a list. What stands inside a macro over facts counts {LIST_BOUND} times.
A rule may take {COST_LIMIT:,} steps.

**Errors.** A call that can fail makes the rule fail where it does, and a rule that fails holds the item. *Some* says
that only some of the ways to call it can fail.
"""

_FACTS: Final = f"""
## Facts

*Recorded* says what of it stays in the record, so that the verdict can be derived again. What no rule in force reads
is not recorded. `account.past` is counted in the database: one query for each count that a rule reads, and no further
than {MOST_COUNTED:,}. An element of a list is read by a macro: `item.media.exists(m, m.alt == '')`.
"""

_TEXT: Final = f"""
## Questions about the text

The text is screened once for all rules, so that each of these costs {SCAN} steps and no further search. The list or
pattern is written out in the rule. Findings are recorded with their places, and without the words.
"""

_LISTS: Final = """
## Lists of screening

A rule asks for these, and for the lists of its own pack, with `terms` and `hits`. Beside them there are
`external/<name>`, what a [detector from outside](detectors.md) reports, and `external/<name>/failed`, that it did not
answer.
"""

_OPERATORS: Final = """
## Operators
"""

_MACROS: Final = f"""
## Macros

`l` is a list or map, `m` as well; `x`, `k` and `v` are names of your own, `p` is a condition and `e` any expression.
Over facts, what stands in `p` and `e` counts {LIST_BOUND} times; over a list that is written out, once for each
element.
"""

_FUNCTIONS: Final = """
## Functions
"""


def reference() -> str:
    """The whole page, ending with a line feed."""
    parts = (
        (_HEAD, ()),
        (_FACTS, _facts()),
        (_TEXT, _questions()),
        ("\nEach hit has these fields:\n", _hit()),
        (_LISTS, _lists()),
        (_OPERATORS, _operators()),
        (_MACROS, _macros()),
        (_FUNCTIONS, _functions()),
    )
    return "".join(f"{text}{_table(rows)}" for text, rows in parts)


def _table(rows: Iterable[Sequence[str]]) -> str:
    head, *others = [[cell.replace("|", "\\|") for cell in row] for row in rows] or [[]]
    lines = [head, ["---"] * len(head), *others] if head else []
    return "".join(f"{'' if index else chr(10)}| {' | '.join(line)} |\n" for index, line in enumerate(lines))


# --- facts and lists -----------------------------------------------------------------------------------------------


def _facts() -> Iterator[Sequence[str]]:
    yield "fact", "type", "what it is", "recorded"
    for path, kind, inside in facts():
        shown = f"`{path}`" if not inside else f"`{path.removeprefix(f'{inside}.')}` of each in `{inside}`"
        yield shown, _type(kind), MEANING[path], "with the whole list" if inside else _recorded(path)


def facts() -> Iterator[tuple[str, Type, str]]:
    """Every fact that is no table: its path, its type, and the list whose elements have it, empty for none."""
    for name, kind in VARIABLES.items():
        yield from _beneath(name, kind, "")


def _beneath(path: str, kind: Type, inside: str) -> Iterator[tuple[str, Type, str]]:
    if not kind.fields:
        yield path, kind, inside
    is_list = kind.kind == "list"
    for name, below in (kind.params[0] if is_list else kind).fields:
        yield from _beneath(f"{path}.{name}", below, path if is_list else inside)


def _type(kind: Type) -> str:
    if kind.kind != "list":
        return str(kind)
    return "list of tables" if kind.params[0].fields else f"list of {kind.params[0]}"


def _recorded(path: str) -> str:
    if path in TEXT_FIELDS:
        return "never: the author's words stand in the revision"
    if path in OF_FINDINGS:
        return "with the findings"
    return "always" if path == "act.at" else "when a rule reads it"


def _questions() -> Iterator[Sequence[str]]:
    yield "question", "type", "answer"
    for name, kind in calls.TEXT_CALLS.items():
        yield f"`{name}('list')`", "list of hits" if kind.params else str(kind), calls.MEANING[name]
    for path in TEXT_FIELDS:
        yield f"`{path}.matches('pattern')`", "bool", calls.MEANING["matches"]
    for name, meaning in WINDOW_MEANING.items():
        yield f"`{name}(7)`", "int", meaning


def _hit() -> Iterator[Sequence[str]]:
    yield "field", "type", "what it is"
    for name, kind in HIT.fields:
        yield f"`{name}`", str(kind), calls.HIT_MEANING[name]


def _lists() -> Iterator[Sequence[str]]:
    yield "list", "what it holds"
    for name, meaning in DETECTOR_LISTS.items():
        yield f"`{name}`", meaning


# --- the language --------------------------------------------------------------------------------------------------


def _operators() -> Iterator[Sequence[str]]:
    yield "operator", "of", "steps", "can fail", "gives"
    for name, function in functions.FUNCTIONS.items():
        if "operator" in function.forms:
            of, steps, fails = _called(name, function)
            shown = _compared(function) if all(one.result == BOOL for one in function.overloads) else of
            yield f"`{name.removesuffix('_')}`", shown, steps, fails, functions.MEANING[name]
    for name, steps, fails in _PLAIN:
        yield f"`{name}`", "any", steps, fails, calls.MEANING[name]


def _compared(function: Function) -> str:
    """Of an operator that gives true or false: what may stand on its sides."""
    same = [one.params[0] for one in function.overloads if len(set(one.params)) == 1]
    mixed = dict.fromkeys(tuple(sorted(map(str, one.params))) for one in function.overloads if len(set(one.params)) > 1)
    two = "two of " if len(function.overloads[0].params) > 1 else ""
    pairs = "".join(f"; {' and '.join(pair)}" for pair in mixed)
    return f"{two}{', '.join(map(str, same))}{pairs}"


_PLAIN: Final = (
    ("==", "1", "too many parts"),
    ("!=", "1", "too many parts"),
    ("in", str(SCAN), "too many parts"),
    ("&&", "1", "neither side decides"),
    ("||", "1", "neither side decides"),
    ("?:", "1", ""),
    ("[]", "1", "nothing there"),
    (".", "1", "no such key"),
)
"""The operators that no overload can state: their steps, and when they can fail."""


def _macros() -> Iterator[Sequence[str]]:
    yield "macro", "gives"
    for form, meaning in macros.MEANING.items():
        yield f"`{form}`", meaning


def _functions() -> Iterator[Sequence[str]]:
    yield "function", "of", "steps", "can fail", "gives"
    for name, function in sorted(functions.FUNCTIONS.items(), key=lambda one: (one[0].partition(".")[0:2], one[0])):
        if "operator" not in function.forms:
            yield f"`{name}`", *_called(name, function), functions.MEANING[name]


def _called(name: str, function: Function) -> tuple[str, str, str]:
    """How it is called and what it gives, its steps, whether it can fail."""
    forms = [form for form in ("member", "function", "operator") if form in function.forms]
    ways: dict[str, list[str]] = {}
    for one in function.overloads:
        ways.setdefault(_plain(one.result), []).extend(f"`{_written(name, form, one)}`" for form in forms)
    of = "; ".join(f"{', '.join(written)} → {result}" for result, written in ways.items())
    costs = sorted({one.cost for one in function.overloads})
    fails = {one.fails for one in function.overloads}
    return of, " or ".join(map(str, costs)), "yes" if fails == {True} else "some" if True in fails else ""


def _written(name: str, form: str, overload: Overload) -> str:
    first, *others = map(_plain, overload.params)
    if form == "operator":
        return f"{first} {name} {others[0]}" if others else f"{name.removesuffix('_')}{first}"
    if form == "member":
        return f"{first}.{name}({', '.join(others)})"
    return f"{name}({', '.join([first, *others])})"


def _plain(kind: Type) -> str:
    """A type as the page names it, without what a container of anything holds."""
    return str(kind).removesuffix("(dyn)").removesuffix("(dyn, dyn)").replace("dyn", "any")

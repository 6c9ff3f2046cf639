"""The rule language against the implementation of its makers, cel-expr-python: the same values, the same failures.

Skipped where that package is not installed. expressions.py says what is left out of the generated expressions.
"""

from collections.abc import Mapping
from typing import Any, Final

import pytest
from expressions import FACTS, KINDS, VARIABLES, expressions
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from placet.policy.cel import DYN, CelError, CelRuntimeError, Environment, compile_rule

pytest.importorskip("cel_expr_python", reason="needs the package cel-expr-python, the oracle")

from bench.cel_conformance import cel_environment, cel_type, from_cel, python_value
from bench.cel_spec import Failed, NoText, same

# --- both implementations ----------------------------------------------------------------------------------------

CEL, NEW = cel_environment()
THEIRS: Final = NEW(variables={name: cel_type(CEL, declared) for name, declared in VARIABLES.items()})
OURS: Final = Environment(VARIABLES)
UNTYPED: Final = Environment(VARIABLES, is_checked=False)


def their_answer(source: str, facts: Mapping[str, Any]) -> Any:
    """What the oracle gives, or Failed."""
    try:
        program = THEIRS.compile(source)
    except RuntimeError as error:
        return Failed(str(error), "check")
    try:
        return from_cel(program.eval(data={name: python_value(value) for name, value in facts.items()}))
    except RuntimeError as error:  # most failures are values, but not that of a repeated key
        return Failed(str(error))


def our_answer(source: str, facts: Mapping[str, Any], environment: Environment) -> Any:
    """What we give, or Failed."""
    try:
        program = compile_rule(source, environment, DYN, cost_limit=10**15)
    except CelError as error:
        return Failed(str(error), "check")
    try:
        return program(facts, NoText())
    except CelRuntimeError as error:
        return Failed(str(error))


def agree(ours: Any, theirs: Any) -> bool:
    """Whether two answers are one: both an error, or values alike in type and value."""
    if isinstance(ours, Failed) or isinstance(theirs, Failed):
        return isinstance(ours, Failed) and isinstance(theirs, Failed) and ours.when == theirs.when
    return same(ours, theirs)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data(), facts=FACTS)
def test_we_give_what_the_oracle_gives(kind: str, data: st.DataObject, facts: dict[str, Any]) -> None:
    """A generated expression has the oracle's value, or fails where the oracle does; checked or unchecked alike."""
    source = data.draw(expressions(kind, 3))
    theirs = their_answer(source, facts)
    ours = our_answer(source, facts, OURS)
    note(f"{source}\nours: {ours!r}\ntheirs: {theirs!r}")
    assert agree(ours, theirs)
    if not (isinstance(ours, Failed) and ours.when == "check"):
        assert agree(our_answer(source, facts, UNTYPED), ours)

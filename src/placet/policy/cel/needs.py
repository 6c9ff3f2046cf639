"""What a condition needs of the text: where nothing of it was found, the condition is false and need not be asked.

A false side makes `&&` false whatever the other sides do, their errors included (language definition, "Logical
Operators"), so that passing over such a condition changes nothing but the time that it takes.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from placet.policy.cel.check import TextCall
from placet.policy.cel.nodes import Call, Constant, Logic, Macro, Node

Needs = frozenset[TextCall]
"""Questions to the text matcher, `terms` and `matches`."""

_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def needs(node: Node, asked: Mapping[Node, TextCall]) -> Needs | None:
    """Of these questions one at least must be answered with yes, or the condition is false; None: no such thing."""
    if node in asked:
        call = asked[node]
        return frozenset({call}) if call.method in ("terms", "matches") else None
    match node:
        case Macro(kind="exists", over=over) if over in asked:
            return frozenset({TextCall("terms", asked[over].arguments)})
        case Call(function=name, arguments=(counted, Constant(value=int(bound)))) if counted in asked:
            call, holds = asked[counted], _COMPARISONS.get(name)
            if call.method != "count" or holds is None or holds(0, bound):  # true, perhaps, where nothing was found
                return None
            return frozenset({TextCall("terms", call.arguments)})
        case Logic(operator="&&", operands=operands):
            found = [one for operand in operands if (one := needs(operand, asked)) is not None]
            return min(found, key=_how_often, default=None)
        case Logic(operator="||", operands=operands):
            each = [needs(operand, asked) for operand in operands]
            known = [one for one in each if one is not None]
            return frozenset().union(*known) if len(known) == len(each) else None
        case _:
            return None


def _how_often(found: Needs) -> tuple[int, bool]:
    """Rank needs by how often they will be met, as far as can be told: few questions before many, patterns first."""
    return len(found), any(call.method == "terms" for call in found)

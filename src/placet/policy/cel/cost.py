"""How much work a rule can be, counted before it ever runs."""

from typing import Final

from placet.policy.cel.check import Checked
from placet.policy.cel.errors import CelError
from placet.policy.cel.nodes import Call, ListLiteral, Macro, Node, children
from placet.policy.cel.overloads import SCAN

LIST_BOUND: Final = 100
"""How many elements a macro is assumed to run over, unless they stand in the rule."""


def count(checked: Checked, limit: int) -> dict[Node, int]:
    """Count the steps that each node may take; raises CelError at the innermost node that exceeds the limit."""
    found: dict[Node, int] = {}
    _count(checked, checked.root, limit, found)
    return found


def _count(checked: Checked, node: Node, limit: int, found: dict[Node, int]) -> int:
    if node in checked.failures:
        cost = 1  # of an unchecked expression: it fails at once
    elif node in checked.text_calls:
        cost = SCAN  # asked of the matcher: the arguments are not evaluated
    else:
        below = {child: _count(checked, child, limit, found) for child in children(node)}
        cost = _own(checked, node) + sum(below.values())
        if isinstance(node, Macro):
            over = below[node.over]
            cost = 1 + over + _turns(node.over) * (cost - over)
    if cost > limit:
        message = f"too costly: up to {cost} steps, where {limit} are allowed"
        hint = f"a macro over facts counts as {LIST_BOUND} turns; look into an inner list with 'in'"
        raise CelError(message, node.start, checked.source, hint, node.end - node.start)
    found[node] = cost
    return cost


def _turns(over: Node) -> int:
    return len(over.elements) if isinstance(over, ListLiteral) else LIST_BOUND


def _own(checked: Checked, node: Node) -> int:
    if node in checked.regexes or (isinstance(node, Call) and node.function == "in"):
        return SCAN
    if node not in checked.calls:
        return 1
    return checked.calls[node].cost

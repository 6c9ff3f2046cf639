"""Why a rule came to what it came to: its parts, each with its value, made on demand from facts and findings.

Nothing is recorded for it: facts and findings are, and with them the same rule gives the same trace at any time.
"""

from collections.abc import Mapping
from functools import lru_cache

from placet.model import Json
from placet.policy.cel import Step, TextHits, Trace, trace_rule
from placet.policy.environment import ENVIRONMENT
from placet.policy.values import Rule


def why(rule: Rule, facts: Mapping[str, Json], seen: TextHits, *, words: bool = False) -> Step:
    """Say what every part of a rule's condition comes to on facts and findings; `words` shows the author's words too.

    Recorded facts do, with the author's words put back (`restore`, `requote`). Nothing is raised for facts that lack
    something: the step that misses it says so.
    """
    return _trace(rule.when)(facts, seen, words=words)


@lru_cache(maxsize=512)
def _trace(source: str) -> Trace:
    return trace_rule(source, ENVIRONMENT)

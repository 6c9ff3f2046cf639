"""Policy: packs, rules and the verdicts that they give. docs/packs.md says how a pack is written.

`load_pack` reads and checks a pack, `Policy` puts packs in force together; `placet.policy.cel` is the rule language.
"""

from placet.policy.cel import Step, literal
from placet.policy.environment import AccountFacts, detector_of, external_list, failed_list, requote, restore
from placet.policy.evaluate import PAUSED, SURE, ClauseView, Denial, Explanation, Policy, policy_digest, say
from placet.policy.guard import Counted, Surge, surge
from placet.policy.pack import LoadResult, digest_of, load_pack, read_pack_folder
from placet.policy.trace import why
from placet.policy.values import AccountPast, Case, Clock, Pack, Problem, Rule, Span

__all__ = [
    "PAUSED",
    "SURE",
    "AccountFacts",
    "AccountPast",
    "Case",
    "ClauseView",
    "Clock",
    "Counted",
    "Denial",
    "Explanation",
    "LoadResult",
    "Pack",
    "Policy",
    "Problem",
    "Rule",
    "Span",
    "Step",
    "Surge",
    "detector_of",
    "digest_of",
    "external_list",
    "failed_list",
    "literal",
    "load_pack",
    "policy_digest",
    "read_pack_folder",
    "requote",
    "restore",
    "say",
    "surge",
    "why",
]

"""The index of rules: one that needs what was not found is not asked, which changes nothing but the time it takes."""

from functools import partial
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packs import policy_of, rule, steady

from placet.model import Finding, Item, Medium, Verdict
from placet.policy import AccountFacts, Policy
from placet.policy.cel import CelRuntimeError
from placet.policy.compiled import compile_condition
from placet.policy.environment import FindingIndex, Seen
from placet.policy.evaluate import SURE
from placet.screening import screen

AT: Final = 1_704_067_200_000_000

ATOMS: Final = (
    "terms('rude')",
    "terms('contacts')",
    "hits('rude').exists(h, h.score > 50)",
    "hits('rude').exists(h, h.score > 50 && 1 / size(item.media) > 0)",
    "size(hits('rude')) > 0",
    "near(7) >= 2",
    "near(7) == 0",
    "near(7) + 1 > 1 / size(item.media)",
    "near_accounts(7) < 2 && near(30) != 0",
    "item.body.matches('hum+bug')",
    "item.title.matches('a+b')",
    "item.text.matches('b$')",
    "account.class == 'individual'",
    "item.blank",
    "1 / size(item.media) > 0",
    "true",
    "false",
)
CONDITIONS: Final = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("({} && {} && {})".format, inner, inner, inner),
        st.builds("!({})".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
    ),
    max_leaves=6,
)
MODES: Final = st.sampled_from(["", 'mode = "shadow"', 'mode = "canary"\nshare = "50%"'])
RULES: Final = st.lists(
    st.tuples(CONDITIONS, st.sampled_from(["hold", "refuse"]), st.sampled_from(["words", "form"]), MODES),
    min_size=1,
    max_size=6,
)
WORDS: Final = st.lists(st.sampled_from(["humbug", "hummbug", "aab", "ab", "微信：abc_123", "kind", "b"]), max_size=3)
COPIES: Final = st.dictionaries(
    st.sampled_from(["near/within/7", "near/within/7/accounts", "near/within/30"]), st.integers(1, 50)
).map(lambda counts: [Finding("near", name, str(count), "body", 0, 0, score=95) for name, count in counts.items()])
ITEMS: Final = st.builds(
    Item,
    title=WORDS.map(" ".join),
    body=WORDS.map(" ".join),
    media=st.lists(st.just(Medium("https://example.com/a.jpg")), max_size=1).map(tuple),
)


def one_by_one(policy: Policy, item: Item, findings: list[Finding]) -> dict[str, tuple[str, ...] | str]:
    """What each rule comes to when all are asked: why it is true, or its error; false ones are left out."""
    facts = policy.facts(item, AccountFacts(), AT)
    seen = Seen("sample", FindingIndex(findings), policy._labels)
    found: dict[str, tuple[str, ...] | str] = {}
    for each in policy.packs[0].rules:
        program = compile_condition(each.when)
        try:
            if program(facts, seen):
                found[each.id] = program.why(facts, seen)
        except CelRuntimeError as error:
            found[each.id] = str(error)
    return found


def said(verdict: Verdict) -> dict[str, tuple[str, ...] | str]:
    """The same of a verdict."""
    hits = {hit.rule: hit.why for hit in (*verdict.hits, *verdict.shadow)}
    found = {
        name: why[0].removeprefix("error: ") if why and why[0].startswith("error: ") else why
        for name, why in hits.items()
    }
    return found | {each.rule: each.error for each in verdict.errors}


@steady
@given(RULES, ITEMS, COPIES)
def test_indexed_rules_come_to_what_each_comes_to(
    rules: list[tuple[str, str, str, str]], item: Item, copies: list[Finding]
) -> None:
    """For any rules and text, the verdict lists the rules that fire and fail when each is asked by itself."""
    made = [rule(f"r{n}", when, then, f"sample.{ground}", more) for n, (when, then, ground, more) in enumerate(rules)]
    policy = policy_of("".join(made))
    findings = screen(item, policy.lexicon) + copies
    verdict = policy.evaluate(policy.facts(item, AccountFacts(), AT), findings, "pub_1")
    assert said(verdict) == one_by_one(policy, item, findings)
    places = partial(sorted, key=lambda name: int(name[1:]))
    for given_outcome in ("refuse", "hold"):
        names = [hit.rule for hit in verdict.hits if hit.given == given_outcome]
        assert names == places(names)
    assert [each.rule for each in verdict.errors] == places(each.rule for each in verdict.errors)


@pytest.mark.parametrize(
    ("when", "needs"),
    [
        ("terms('rude')", {("terms", "rude")}),
        ("account.class == 'x' && item.body.matches('a')", {("matches", "item.body", "a")}),
        ("terms('rude') && item.body.matches('a')", {("matches", "item.body", "a")}),
        ("terms('rude') || item.body.matches('a')", {("terms", "rude"), ("matches", "item.body", "a")}),
        ("hits('rude').exists(h, h.score > 90)", {("terms", "rude")}),
        ("(terms('rude') || terms('links')) && terms('contacts')", {("terms", "contacts")}),
        ("terms('rude') || item.blank", None),
        ("!terms('rude')", None),
        ("!terms('rude') && !item.body.matches('a')", None),
        ("hits('rude').all(h, h.score > 90)", None),
        ("size(hits('rude')) > 0", None),
        ("near(7) >= 3", {("terms", "near/within/7")}),
        ("near_accounts(7) != 0 || near(30) == 2", {("terms", "near/within/7/accounts"), ("terms", "near/within/30")}),
        ("near(7) == 0", None),
        ("near(7) < 3", None),
        ("near(7) >= 0", None),
        ("3 <= near(7)", None),
        ("near(7) > near(1)", None),
        ("near(7) + 1 > 3", None),
        ("!(near(7) == 0)", None),
        ("item.blank ? terms('rude') : terms('links')", None),
        ("true", None),
    ],
)
def test_what_a_rule_needs(when: str, needs: set[tuple[str, ...]] | None) -> None:
    """A rule needs a question answered with yes where it is false without; an alternative without one lifts it."""
    found = compile_condition(when).needs
    assert needs == (None if found is None else {(call.method, *call.arguments) for call in found})


def test_a_rule_that_needs_what_was_not_found_is_not_asked() -> None:
    """An error beside a false text predicate is absorbed, as in the rule itself; with the text, the rule fails."""
    policy = policy_of(rule("r", "1 / size(item.media) > 0 && terms('rude')"))
    facts = policy.facts(Item(), AccountFacts(), AT)
    assert policy.evaluate(facts, [], "pub_1").outcome == "approve"
    found = Finding("terms", "sample/rude", "humbug", "body", 0, 6)
    assert policy.evaluate(facts, [found], "pub_1").errors[0].error == "division by zero"


def test_a_guess_still_softens_an_indexed_rule() -> None:
    """What is listed once for all facts is not used where it may have to be softened."""
    policy = policy_of(rule("r", "terms('rude')", "refuse", "sample.form"))
    facts = policy.facts(Item(), AccountFacts(), AT)
    for score, outcome in ((SURE, "refuse"), (SURE - 1, "hold"), (SURE, "refuse")):
        found = Finding("terms", "sample/rude", "humbug", "body", 0, 6, score=score)
        assert policy.evaluate(facts, [found], "pub_1").outcome == outcome


# --- the trace of a verdict, and what is read off the findings ------------------------------------------------------


def test_a_policy_says_why() -> None:
    """Of a rule in force, what each part came to, from the same facts and findings; None for a rule that is not."""
    policy = policy_of(rule("r", "terms('rude') && links.hosts.exists(h, h.endsWith('.org'))"))
    item = Item(body="humbug at https://a.example.com/ and https://b.example.org/x")
    facts, findings = policy.facts(item, AccountFacts(), AT), screen(item, policy.lexicon)
    step = policy.why("sample", "r", facts, findings)
    assert step is not None
    assert [(part.state, part.value, part.found) for part in step.parts] == [
        ("value", True, ("rude",)),
        ("value", True, ()),
    ]
    assert policy.why("sample", "other", facts, findings) is None
    assert policy.why("other", "r", facts, findings) is None


def test_hosts_of_links_are_a_fact() -> None:
    """links.hosts lists each host once; it is read off the findings, and is not recorded beside them."""
    policy = policy_of(rule("r", "links.hosts == ['a.example.com', 'b.example.org']"))
    item = Item(body="https://a.example.com/1 https://b.example.org/ https://a.example.com/2 example[.]net")
    facts = policy.facts(item, AccountFacts(), AT)
    assert policy.evaluate(facts, screen(item, policy.lexicon), "pub_1").outcome == "hold"
    assert policy.evaluate(facts, [], "pub_1").outcome == "approve"
    assert "links" not in policy.recorded(facts)

"""Verdicts: which rule wins, what an error does, which law is in force, and that nothing is left to chance."""

from datetime import date, datetime, timedelta
from functools import cache
from typing import get_args
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packs import FILES, HEAD, RULES, WORDS, pack_of, policy_of, rule, steady

from placet.errors import SettingsError
from placet.ledger.encode import canonical
from placet.model import RESTRICTIVENESS, Citation, Finding, Item, Outcome, RuleHit, Source, Verdict
from placet.policy.compiled import midnight
from placet.policy.environment import (
    DETECTOR_LISTS,
    ENVIRONMENT,
    AccountFacts,
    FindingIndex,
    gather,
    requote,
    restore,
    with_findings,
)
from placet.policy.evaluate import Policy
from placet.policy.pack import load_pack
from placet.policy.values import EPOCH, MICROS, Span
from placet.screening import screen

SHANGHAI = ZoneInfo("Asia/Shanghai")
AT = (datetime(2024, 1, 1, tzinfo=SHANGHAI) - EPOCH) // timedelta(microseconds=1)
LATER = "from = 2024-01-02"
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


def judge(policy: Policy, item: Item | None = None, dossier: str = "pub_1", at: int = AT) -> Verdict:
    item = item or Item(title="A walk")
    return policy.evaluate(policy.facts(item, AccountFacts(), at), screen(item, policy.lexicon), dossier)


def found(name: str, score: int) -> Finding:
    return Finding("terms", f"sample/{name}", name, "title", 0, 1, score=score, quote="A")


# --- which rule wins -----------------------------------------------------------------------------------------------


def test_no_rule_fired_approves() -> None:
    """Where no rule fires, nothing stands in the way."""
    policy = policy_of(rule("never", "false"))
    assert judge(policy) == Verdict("approve", policy=policy.digest)


@steady
@given(st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=5))
def test_most_restrictive_rule_wins_and_all_are_listed(asked: list[Outcome]) -> None:
    """The outcome is the most restrictive of all rules that fired; they are listed from there down, in pack order."""
    policy = policy_of("".join(rule(f"r{i}", "true", then, "sample.form") for i, then in enumerate(asked)))
    verdict = judge(policy)
    assert verdict.outcome == max(asked, key=RESTRICTIVENESS.__getitem__)
    order = sorted(range(len(asked)), key=lambda i: -RESTRICTIVENESS[asked[i]])
    assert [hit.rule for hit in verdict.hits] == [f"r{i}" for i in order]


@pytest.mark.parametrize("then", ["return", "refuse"])
def test_ground_that_is_not_automatic_softens_to_hold(then: str) -> None:
    """A rule alone restricts for good only where its ground says so; else a person decides, and both are recorded."""
    (hit,) = judge(policy_of(rule("r", "true", then, "sample.words"))).hits
    assert (hit.asked, hit.given) == (then, "hold")
    (hit,) = judge(policy_of(rule("r", "true", then, "sample.form"))).hits
    assert (hit.asked, hit.given) == (then, then)


def test_hit_says_what_was_true() -> None:
    """A hit quotes the parts of its condition that held, for the author to see."""
    (hit,) = judge(policy_of(rule("r", "item.title == 'A walk' && (item.blank || item.origin == 'original')"))).hits
    assert hit.why == ("item.title == 'A walk'", "item.origin == 'original'")


def test_rules_about_other_acts_stay_silent() -> None:
    """A rule about publications says nothing about another kind of act."""
    policy = policy_of(rule("r", "true"))
    facts = policy.facts(Item(), AccountFacts(), AT)
    assert policy.evaluate(facts, [], "com_1", on="comment").outcome == "approve"


# --- errors --------------------------------------------------------------------------------------------------------


def test_rule_that_fails_holds_and_the_others_still_count() -> None:
    """A failing rule never disappears: it is named, the verdict is at least hold, and a refusal remains a refusal."""
    breaks = rule("breaks", "1 / size(item.media) > 0")
    verdict = judge(policy_of(breaks + rule("fine", "false")))
    assert verdict.outcome == "hold"
    assert [(error.pack, error.rule) for error in verdict.errors] == [("sample", "breaks")]
    verdict = judge(policy_of(breaks + rule("refuses", "true", "refuse", "sample.form")))
    assert (verdict.outcome, len(verdict.errors)) == ("refuse", 1)


def test_facts_that_do_not_fit_hold() -> None:
    """A rule that misses a fact fails, and a failure is a hold."""
    policy = policy_of(rule("r", "item.category == 'general'"))
    assert policy.evaluate({"act": {"at": AT}}, [], "pub_1").outcome == "hold"


def test_shadow_rule_that_fails_is_recorded_without_effect() -> None:
    """Shadow has no effect, not even by failing; the error stands in the record."""
    verdict = judge(policy_of(rule("breaks", "1 / size(item.media) > 0", more='mode = "shadow"')))
    assert (verdict.outcome, verdict.errors) == ("approve", ())
    assert verdict.shadow[0].why[0].startswith("error: ")


# --- shadow and canary ---------------------------------------------------------------------------------------------


def test_shadow_rule_is_recorded_without_effect() -> None:
    """A rule in shadow shows what it would have done, softened as it would have been."""
    verdict = judge(policy_of(rule("r", "true", "refuse", more='mode = "shadow"')))
    assert (verdict.outcome, verdict.hits) == ("approve", ())
    assert [(hit.asked, hit.given, hit.mode) for hit in verdict.shadow] == [("refuse", "hold", "shadow")]


def test_canary_follows_the_dossier() -> None:
    """A canary counts for about its share of dossiers, always the same ones, and is in shadow for the others."""
    policy = policy_of(rule("r", "true", more='mode = "canary"\nshare = "20%"'))
    names = [f"pub_{i}" for i in range(1_000)]
    verdicts = [judge(policy, dossier=name) for name in names]
    live = {name for name, verdict in zip(names, verdicts, strict=True) if verdict.hits}
    assert 150 < len(live) < 250
    assert all(bool(verdict.hits) != bool(verdict.shadow) for verdict in verdicts)
    assert live == {name for name in names if judge(policy, dossier=name).hits}


def test_wider_canary_keeps_those_that_it_had() -> None:
    """Raising the share adds dossiers and drops none, so that nobody's item changes sides and back."""
    names = [f"pub_{i}" for i in range(300)]
    lives = []
    for share in ("5%", "30%", "80%"):
        policy = policy_of(rule("r", "true", more=f'mode = "canary"\nshare = "{share}"'))
        lives.append({name for name in names if judge(policy, dossier=name).hits})
    assert lives[0] < lives[1] < lives[2]


def test_two_canaries_choose_apart() -> None:
    """Two canaries of one share do not fall on the same dossiers."""
    more = 'mode = "canary"\nshare = "50%"'
    policy = policy_of(rule("one", "true", more=more) + rule("two", "true", more=more))
    assert {len(judge(policy, dossier=f"pub_{i}").hits) for i in range(50)} == {0, 1, 2}


# --- time ----------------------------------------------------------------------------------------------------------


def test_law_begins_at_local_midnight() -> None:
    """CMT22 is in force from 2022-12-15T00:00+08:00, which is 2022-12-14T16:00Z, and not a microsecond earlier."""
    policy = policy_of(rule("r", "true", more="from = 2022-12-15"))
    boundary = (datetime(2022, 12, 14, 16, tzinfo=ZoneInfo("UTC")) - EPOCH) // timedelta(microseconds=1)
    assert judge(policy, at=boundary - 1).outcome == "approve"
    assert judge(policy, at=boundary).outcome == "hold"


def test_rule_ends_at_local_midnight() -> None:
    """`until` names the first day without force."""
    policy = policy_of(rule("r", "true", more="from = 2024-01-01\nuntil = 2024-01-02"))
    day = 24 * 3600 * MICROS
    assert [judge(policy, at=at).outcome for at in (AT - 1, AT, AT + day - 1, AT + day)] == [
        "approve",
        "hold",
        "hold",
        "approve",
    ]


@steady
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 60) | st.none()), min_size=1, max_size=6),
    st.integers(-10, 130),
    st.integers(0, 86_399),
)
def test_rules_in_force_are_those_whose_days_hold_the_act(
    spans: list[tuple[int, int | None]], day: int, second: int
) -> None:
    """Whatever the dates, exactly the rules apply whose days include that of the act in the pack's timezone."""
    first = date(2024, 1, 1)
    since = [first + timedelta(days=start) for start, _ in spans]
    until = [
        start + timedelta(days=length) if length else None for start, (_, length) in zip(since, spans, strict=True)
    ]
    more = [f"from = {a}" + (f"\nuntil = {b}" if b else "") for a, b in zip(since, until, strict=True)]
    policy = policy_of("".join(rule(f"r{i}", "true", more=text) for i, text in enumerate(more)))
    act = first + timedelta(days=day)
    verdict = judge(policy, at=midnight(act, "Asia/Shanghai") + second * MICROS)
    expected = {f"r{i}" for i, (a, b) in enumerate(zip(since, until, strict=True)) if a <= act and (not b or act < b)}
    assert {hit.rule for hit in verdict.hits} == expected


def test_each_pack_keeps_its_own_midnight() -> None:
    """Two packs in two timezones begin one date at two instants."""
    east = pack_of(rule("r", "true", more=LATER), "east")
    west = pack_of(rule("r", "true", more=LATER), "west", **{"pack.toml": HEAD.replace("Asia/Shanghai", "UTC")})
    policy = Policy([east, west])
    at = midnight(date(2024, 1, 2), "Asia/Shanghai")
    assert [hit.pack for hit in judge(policy, at=at).hits] == ["east"]
    assert [hit.pack for hit in judge(policy, at=at + 8 * 3600 * MICROS).hits] == ["east", "west"]


# --- findings ------------------------------------------------------------------------------------------------------


def test_list_pattern_and_link_reach_the_rules() -> None:
    """Rules see terms of their pack's lists, hoisted patterns and what screening says of links."""
    rules = (
        rule("terms", "terms('rude')")
        + rule("hits", "hits('rude').exists(h, h.quote == 'humbug' && h.field == 'body' && h.score == 100)")
        + rule("body", "item.body.matches('hum+bug')")
        + rule("title", "item.title.matches('hum+bug')")
        + rule("either", "item.text.matches('hum+bug')")
        + rule("source", "item.source.name.matches('^S')")
        + rule("link", "terms('links/ip-host')")
    )
    policy = policy_of(rules)
    verdict = judge(policy, Item(title="Bah", body="Bah, humbug", source=Source(name="Sample")))
    assert {hit.rule for hit in verdict.hits} == {"terms", "hits", "body", "either", "source"}
    verdict = judge(policy, Item(title="hummbug", body="http://203.0.113.9/"))
    assert {hit.rule for hit in verdict.hits} == {"title", "either", "link"}


def test_exception_is_no_finding() -> None:
    """A term inside one of its list's exceptions does not count."""
    policy = policy_of(rule("r", "terms('rude')"))
    assert judge(policy, Item(body="This is no humbug.")).outcome == "approve"


def test_one_pack_does_not_see_the_list_of_another() -> None:
    """Two packs may each have a list of one name; each rule asks its own."""
    other = WORDS.replace("humbug", "poppycock")
    policy = Policy(
        [
            pack_of(rule("r", "terms('rude')"), "one"),
            pack_of(rule("r", "terms('rude')"), "two", **{"lists/rude.toml": other}),
        ]
    )
    assert [hit.pack for hit in judge(policy, Item(body="humbug")).hits] == ["one"]
    assert [hit.pack for hit in judge(policy, Item(body="poppycock")).hits] == ["two"]


def test_two_rules_share_one_pattern() -> None:
    """A pattern that several rules ask for is looked for once and answers them all."""
    when = "item.body.matches('hum')"
    policy = policy_of(rule("one", when) + rule("two", f"{when} && !item.blank"))
    item = Item(body="humming")
    assert len(screen(item, policy.lexicon)) == 1
    assert len(judge(policy, item).hits) == 2


@pytest.mark.parametrize(("score", "given"), [(100, "refuse"), (90, "refuse"), (89, "hold"), (1, "hold")])
def test_guess_never_refuses(score: int, given: str) -> None:
    """What was only read on a view that guesses at a disguise may hold an item, never refuse or return it."""
    policy = policy_of(rule("r", "terms('rude')", "refuse", "sample.form"))
    verdict = policy.evaluate(policy.facts(Item(), AccountFacts(), AT), [found("rude", score)], "pub_1")
    assert verdict.outcome == given


def test_sure_finding_outweighs_a_guess_in_its_list() -> None:
    """The best finding of a list counts; where two lists are asked, the weaker of them."""
    files = {"lists/loud.toml": WORDS.replace('"rude"', '"loud"')}
    pack = pack_of(rule("r", "terms('rude') && terms('loud')", "refuse", "sample.form"), **files)
    policy = Policy([pack])
    facts = policy.facts(Item(), AccountFacts(), AT)
    sure = [found("rude", 80), found("rude", 100), found("loud", 95)]
    assert policy.evaluate(facts, sure, "pub_1").outcome == "refuse"
    assert policy.evaluate(facts, [*sure[:2], found("loud", 80)], "pub_1").outcome == "hold"


def test_detector_lists_are_what_screening_reports() -> None:
    """Rules may ask for exactly what screening reports without a list, and for near copies."""
    body = (
        '<a href="https://a.example.com/">www.example.org</a> https://u@b.example.com/ http://203.0.113.9/ '
        "https://bücher.example.com/ https://bit.ly/x https://аррӏе.com/ example[.]com <i hidden>x</i> "
        "13800138000 some.one@example.com 微信：abc_123 QQ：1234567 t.me/some_channel wa.me/12025550123 "
        "line id: abc_123 skype: abc_123 snapchat: abc_123 discord.gg/abc"
    )
    policy = policy_of(RULES)
    items = (Item(body=body, format="html"), Item(body="x" * 200_001))
    lists = {finding.list for item in items for finding in screen(item, policy.lexicon)}
    assert lists | {"near/copies", "near/accounts", "near/refused", "contacts"} == set(DETECTOR_LISTS)


def test_contacts_of_any_kind_are_a_list() -> None:
    """A rule may ask for contacts of one kind, or of any."""
    policy = policy_of(rule("r", "terms('contacts') && terms('contacts/wechat') && !terms('contacts/qq')"))
    item = Item(body="微信：abc_123")
    findings = screen(item, policy.lexicon)
    assert policy.evaluate(policy.facts(item, AccountFacts(), AT), findings, "pub_1").outcome == "hold"


# --- scope ---------------------------------------------------------------------------------------------------------


def scoped(scope: str, rules: str = rule("r", "true")) -> Policy:
    head = HEAD.replace("title =", f'scope = "{scope}"\ntitle =', 1)
    return Policy([pack_of(rules, **{"pack.toml": head})])


def test_out_of_scope_no_gate_fires() -> None:
    """Where a pack's scope is false, neither its rules nor its rights apply (IM14 art 2)."""
    policy = scoped("account.territory == 'CN'")
    assert judge(policy).outcome == "approve"
    assert policy.may(AccountFacts(), "news", "publish", AT) is None
    inside = AccountFacts(territory="CN")
    assert policy.evaluate(policy.facts(Item(), inside, AT), [], "pub_1").outcome == "hold"
    assert policy.may(inside, "news", "publish", AT) is not None


def test_scope_that_fails_holds() -> None:
    """Where the scope cannot be found out, the item is held and the scope named; a missing right stays missing."""
    policy = scoped("1 / size(item.media) > 0")
    verdict = judge(policy)
    assert (verdict.outcome, verdict.hits, verdict.errors[0].rule) == ("hold", (), "scope")
    assert policy.may(AccountFacts(), "news", "publish", AT) is not None


def test_scope_is_among_the_recorded_facts() -> None:
    """What decided the scope is kept with the entry."""
    assert "account.territory" in scoped("account.territory == 'CN'").reads


# --- verdicts without facts ----------------------------------------------------------------------------------------


def of_words(more: str = "") -> str:
    return rule("rude", "terms('rude') && account.rights.size() == 0", more=more)


def test_a_text_without_what_the_rules_look_for_is_approved_without_facts() -> None:
    """Where no rule can fire or fail, the verdict is that of evaluate, whatever the facts are."""
    policy = policy_of(of_words())
    assert policy.unasked([], AT) == judge(policy)
    assert policy.unasked([found("others", 100)], AT) == judge(policy)
    assert policy.unasked([found("rude", 100)], AT, "profile") == Verdict("approve", policy=policy.digest)


@pytest.mark.parametrize(
    "rules",
    [of_words() + rule("rights", "account.rights.size() == 0"), rule("either", "terms('rude') || item.blank")],
)
def test_a_rule_that_may_fire_on_facts_must_be_asked(rules: str) -> None:
    """A rule that may be true of a text in which nothing was found needs the facts."""
    assert policy_of(rules).unasked([], AT) is None


def test_a_rule_must_be_asked_from_its_first_day_on() -> None:
    """What calls for a rule counts while the rule is in force."""
    policy, hit = policy_of(of_words(LATER)), [found("rude", 100)]
    assert policy.unasked(hit, AT) == judge(policy)
    assert policy.unasked(hit, AT + 86_400_000_000) is None


def test_a_scope_must_be_asked() -> None:
    """A scope may fail, and an error holds: it is asked also where nothing was found."""
    assert scoped("item.category == 'general'", of_words()).unasked([], AT) is None


# --- what is recorded, and replay ----------------------------------------------------------------------------------

WORDY = rule("r", "item.title != '' && size(item.text) > 3 && hits('rude').exists(h, h.quote == 'humbug')") + rule(
    "s", "item.source.name != '' || account.rights.exists(r, r == 'x') || item.media.exists(m, m.alt == '')"
)

ITEMS = st.builds(
    Item,
    title=st.sampled_from(["A walk", "", "humbug"]),
    body=st.sampled_from(["", "humbug", "花 言 巧 语"]),
    source=st.builds(Source, name=st.text(max_size=3)),
)


def test_recorded_facts_hold_no_words_of_the_author() -> None:
    """The entry keeps what the rules read, without title and text, which stand in the revision."""
    policy = policy_of(WORDY)
    facts = policy.recorded(policy.facts(Item(title="A walk"), AccountFacts(id="acc_1"), AT))
    assert facts == {"account": {"rights": []}, "act": {"at": AT}, "item": {"media": [], "source": {"name": ""}}}


def test_whole_record_is_expanded_without_the_words() -> None:
    """A rule that reads a record as a whole has its parts recorded, still without the words."""
    policy = policy_of(rule("r", "item == item"))
    facts = policy.recorded(policy.facts(Item(title="Secret", body="Secret"), AccountFacts(), AT))
    assert facts["item"].keys() == gather(Item(), AccountFacts(), AT)["item"].keys() - {"title", "body", "text"}


@cache
def archived(policy: Policy) -> Policy:
    """The same policy, loaded again from the texts that the record keeps."""
    return Policy([load_pack(pack.files).require() for pack in policy.packs])


@steady
@given(ITEMS)
def test_verdict_can_be_derived_again_from_the_record(item: Item) -> None:
    """Recorded facts, the revision and the findings give the same verdict, byte for byte."""
    policy = policy_of(WORDY)
    facts, findings = policy.facts(item, AccountFacts(), AT), screen(item, policy.lexicon)
    first = policy.evaluate(facts, findings, "pub_1")
    recorded = msgspec.json.decode(canonical(policy.recorded(facts)))
    kept = [msgspec.structs.replace(finding, quote="") for finding in findings]
    again = archived(policy).evaluate(restore(recorded, item), requote(kept, item), "pub_1")
    assert canonical(msgspec.to_builtins(again)) == canonical(msgspec.to_builtins(first))


@steady
@given(ITEMS)
def test_evaluation_leaves_its_facts_alone(item: Item) -> None:
    """Evaluating and recording change nothing that they were given."""
    policy = policy_of(WORDY)
    facts = policy.facts(item, AccountFacts(), AT)
    policy.recorded(facts)
    policy.evaluate(facts, screen(item, policy.lexicon), "pub_1")
    assert facts == policy.facts(item, AccountFacts(), AT)


def test_gathered_facts_are_those_declared() -> None:
    """Every declared fact has a value and every value is declared, at every depth."""
    facts = with_findings(gather(Item(), AccountFacts(), AT), FindingIndex([]))
    for name, kind in ENVIRONMENT.variables.items():
        assert set(facts[name]) == {field for field, _ in kind.fields}
    assert facts.keys() == ENVIRONMENT.variables.keys()


# --- packs together ------------------------------------------------------------------------------------------------


def test_order_of_packs_makes_no_difference() -> None:
    """The same packs in another order are the same policy."""
    packs = [pack_of(rule("r", "true"), name) for name in ("one", "two", "six")]
    first, second = Policy(packs), Policy(packs[::-1])
    assert first.digest == second.digest
    assert judge(first) == judge(second)


def test_digest_names_the_set_of_packs() -> None:
    """Adding a pack, or changing a character of one, changes the digest of the policy."""
    one, two = pack_of(rule("r", "true"), "one"), pack_of(rule("r", "true"), "two")
    changed = pack_of(rule("r", "true || true"), "one")
    assert len({Policy(packs).digest for packs in ([one], [two], [one, two], [changed], [changed, two])}) == 5


def test_packs_that_clash_are_refused() -> None:
    """One pack twice, one ground in two packs, one clock in two lengths, or no pack at all: the start is stopped."""
    one, two = pack_of(rule("r", "true"), "one"), pack_of(rule("r", "true"), "two")
    with pytest.raises(SettingsError, match="No rule pack"):
        Policy([])
    with pytest.raises(SettingsError, match="pack 'one'"):
        Policy([one, one])
    with pytest.raises(SettingsError, match=r"ground 'one\.form'"):
        Policy([one, msgspec.structs.replace(two, grounds=one.grounds)])
    clock = msgspec.structs.replace(two.clocks[0], duration="PT48H")
    with pytest.raises(SettingsError, match=r"hold\.max"):
        Policy([one, msgspec.structs.replace(two, clocks=(clock,))])


def test_clause_described_in_two_ways_is_refused() -> None:
    """Two packs may share an instrument, but not tell two stories about one clause."""
    one, two = pack_of(RULES, "one"), pack_of(RULES, "two")
    other = msgspec.structs.replace(one.instruments[0], title=dict.fromkeys(("en", "zh-Hant", "zh-Hans"), "Another"))
    with pytest.raises(SettingsError, match="one-LAW 1"):
        Policy([one, msgspec.structs.replace(two, instruments=(*two.instruments, other))])
    Policy([one, msgspec.structs.replace(two, instruments=(*two.instruments, *one.instruments))])


def test_legal_clock_outranks_product_policy() -> None:
    """Where a law sets a time limit, the house's own gives way."""
    one, two = pack_of(RULES, "one"), pack_of(RULES, "two")
    legal = msgspec.structs.replace(two.clocks[0], duration="PT24H", basis="legal")
    clock = Policy([one, msgspec.structs.replace(two, clocks=(legal,))]).clock("hold.max")
    assert (clock.basis, clock.span) == ("legal", Span(micros=24 * 3600 * MICROS))


# --- rights and explanations ---------------------------------------------------------------------------------------


def test_right_is_asked_for_in_its_category_action_and_time() -> None:
    """The rights table binds its category and action, from its first day on, and a right opens it."""
    policy = policy_of(RULES)
    account = AccountFacts(account_class="individual", rights=("news.repost",))
    denial = policy.may(account, "news", "publish", AT)
    assert denial is not None
    assert denial.ground == "sample.form"
    assert denial.facts["needs_one_of"] == ["news.publish"]
    assert denial.facts["has"] == ["news.repost"]
    assert policy.may(account, "news", "repost", AT) is None
    assert policy.may(account, "other", "publish", AT) is None
    assert policy.may(AccountFacts(rights=("news.publish",)), "news", "publish", AT) is None
    first = midnight(date(2020, 1, 1), "Asia/Shanghai")
    assert policy.may(account, "news", "publish", first - 1) is None
    assert policy.may(account, "news", "publish", first) is not None


def test_right_may_bind_some_classes_only() -> None:
    """A row that names classes binds those alone."""
    head = HEAD.replace('action = "publish"', 'action = "publish"\nclasses = ["individual"]')
    policy = Policy([pack_of(RULES, **{"pack.toml": head})])
    assert policy.may(AccountFacts(account_class="individual"), "news", "publish", AT) is not None
    assert policy.may(AccountFacts(account_class="enterprise"), "news", "publish", AT) is None


def test_explanation_speaks_the_language_or_english() -> None:
    """A hit is explained in the reader's language with its clauses, in English where the language is not spoken."""
    policy = policy_of(rule("r", "true"))
    (hit,) = judge(policy).hits
    chinese = policy.explain(hit, "zh-Hant", AT)
    assert chinese.title == "Words（繁）"
    assert chinese.clauses == (("A law（繁）", "1", "Be kind（繁）"),)
    english = policy.explain(hit, "ug", AT)
    assert (english.reason, english.remedy) == ("The words may hurt", "Explain them")


def test_explanation_leaves_out_law_not_in_force() -> None:
    """An act is not explained by an instrument that came later."""
    policy = policy_of(rule("r", "true"))
    hit = RuleHit("sample", "r", "sample.words", "hold", "hold", "live")
    first = midnight(date(2020, 1, 1), "Asia/Shanghai")
    assert policy.explain(hit, "en", first - 1).clauses == ()
    assert len(policy.explain(hit, "en", first).clauses) == 1


def test_clause_shows_its_evidence() -> None:
    """How well a clause's wording is known is shown with it; the clause's own mark outranks its instrument's."""
    cite = Citation("sample-LAW", "1")
    assert policy_of(RULES).clause(cite).evidence == "TEXT"
    head = HEAD.replace('id = "1"\n', 'id = "1"\nevidence = "DRAFT"\n')
    assert Policy([pack_of(RULES, **{"pack.toml": head})]).clause(cite).evidence == "DRAFT"


def test_sample_files_are_sound() -> None:
    """What these tests bend is sound to begin with."""
    assert load_pack(FILES).problems == ()

"""The packs that ship: sound, neutral where they promise to be, and true to the clauses that they cite."""

from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packs import steady

import placet
from placet.clocks import ends
from placet.errors import SettingsError
from placet.model import LANGUAGES, RESTRICTIVENESS, Citation, Item, Source, Verdict
from placet.policy.compiled import midnight
from placet.policy.environment import AccountFacts
from placet.policy.evaluate import Policy
from placet.policy.pack import load_pack
from placet.policy.values import MICROS, Pack, Span
from placet.screening import TermList, screen
from placet.screening.fold import fold
from placet.screening.lists import DISGUISES
from placet.shelf import load_policy

FOLDER = Path(placet.__file__).parent / "packs"
NAMES = sorted(file.parent.name for file in FOLDER.glob("*/pack.toml"))
COMMUNITY, CN, EU, PENDING = "community", "cn-public-accounts", "eu-dsa", "cn-pending"
TESTED_BELOW = {"community.not-screened-in-full"}
"""Grounds of texts too large for a case."""
AT = midnight(date(2024, 3, 1), "Asia/Shanghai")
CLASSES = ("individual", "enterprise", "social_org", "public_body", "news_org", "licensed_repost", "other")
SOURCE = Source(name="Sample Daily", author="A. Writer", url="https://news.example.org/1", title="Sample report")


@cache
def shipped(name: str) -> Pack:
    return load_pack(FOLDER / name).require()


@cache
def demo() -> Policy:
    """The packs that the demonstration switches on."""
    return Policy([shipped(COMMUNITY), shipped(CN)])


def judge(item: Item, at: int = AT, **account: Any) -> Verdict:
    facts = demo().facts(item, AccountFacts(agreement="1", **account), at)
    return demo().evaluate(facts, screen(item, demo().lexicon), "pub_1")


def news(origin: str, title: str = "Sample report", source: Source = SOURCE) -> Item:
    return Item(
        title=title,
        body="Text of a sample report.",
        category="current-affairs",
        origin="repost" if origin == "repost" else "original",
        source=source if origin == "repost" else Source(),
    )


@pytest.mark.parametrize("name", NAMES)
def test_pack_loads_and_reloads_from_its_texts(name: str) -> None:
    """Every shipped pack passes its own checks and cases, and is the same when loaded from its archived texts."""
    result = load_pack(FOLDER / name)
    assert result.problems == ()
    assert load_pack(result.require().files) == result


@pytest.mark.parametrize("name", NAMES)
def test_pack_has_cases_for_every_rule(name: str) -> None:
    """The ground of every rule with an effect is expected by a golden case, and some case of each pack approves."""
    pack = shipped(name)
    expected = {ground for case in pack.cases for ground in case.grounds}
    assert {rule.ground for rule in pack.rules if rule.mode != "shadow"} - TESTED_BELOW <= expected
    assert "approve" in {case.expect for case in pack.cases}


@pytest.mark.parametrize("name", NAMES)
def test_pack_leaves_judgement_to_people(name: str) -> None:
    """A rule that reads the author's words asks for a hold at most."""
    for rule in shipped(name).rules:
        if "terms(" in rule.when or "hits(" in rule.when or "matches(" in rule.when:
            assert RESTRICTIVENESS[rule.then] <= RESTRICTIVENESS["hold"], rule.id


@pytest.mark.parametrize("name", NAMES)
def test_chinese_texts_are_written_in_their_own_script(name: str) -> None:
    """The two Chinese texts of a ground are not one text twice."""
    same = [g.id for g in shipped(name).grounds if g.reason["zh-Hant"] == g.reason["zh-Hans"]]
    assert same == []
    assert all(set(ground.title) == set(LANGUAGES) for ground in shipped(name).grounds)


HOUR = 3_600 * MICROS
LEGAL: dict[str, dict[str, tuple[Span, Citation]]] = {
    COMMUNITY: {},
    PENDING: {},
    CN: {
        "report.authority": (Span(micros=24 * HOUR), Citation("PSB97", "10(6)")),
        "filing.change": (Span(days=30), Citation("IIS00", "11(3)")),
        "account.dormant": (Span(months=6), Citation("PA21", "10(2)")),
        "licence.validity": (Span(months=36), Citation("NEWS17-RULES", "validity")),
        "licence.renewal": (Span(days=30), Citation("NEWS17-RULES", "renewal")),
        "evidence.punished": (Span(months=24), Citation("DEF13", "2(3)")),
        "evidence.repeated": (Span(months=12), Citation("DEF13", "4")),
    },
    EU: {
        "appeal.window": (Span(months=6), Citation("DSA", "20(1)")),
        "dispute.decide": (Span(days=90), Citation("DSA", "21(4)")),
        "dispute.complex": (Span(days=180), Citation("DSA", "21(4)")),
        "report.yearly": (Span(months=12), Citation("DSA", "15(1)")),
        "report.users": (Span(months=6), Citation("DSA", "24(2)")),
        "flagger.report": (Span(months=12), Citation("DSA", "22(3)")),
    },
}
"""The time limits that a clause sets: each pack's, and no others."""


@pytest.mark.parametrize("name", NAMES)
def test_a_time_limit_is_law_only_where_a_clause_sets_it(name: str) -> None:
    """The limits that a clause sets are those of the clause; all others are product policy, and say so."""
    clocks = shipped(name).clocks
    assert {one.id: (one.span, one.cite) for one in clocks if one.basis == "legal"} == LEGAL[name]


@pytest.mark.parametrize("name", [COMMUNITY, CN, EU])
def test_packs_set_what_the_service_asks_for(name: str) -> None:
    """Each pack that can be in force alone has the time limits that the service needs, as the product decided them."""
    spans = {clock.id: clock.span for clock in shipped(name).clocks}
    asked = {
        "hold.max": Span(micros=72 * HOUR),
        "hold.escalated": Span(micros=24 * HOUR),
        "claim": Span(micros=HOUR // 6),
        "appeal.window": Span(months=6),
        "appeal.decide": Span(days=15),
        "report.acknowledge": Span(micros=24 * HOUR),
        "report.decide": Span(days=7),
        "report.urgent": Span(micros=24 * HOUR),
        "takedown.confirm": Span(micros=24 * HOUR),
    }
    assert {name: spans[name] for name in asked} == asked


def test_a_law_outranks_the_house_among_the_packs_together() -> None:
    """With the Act in force beside house rules, the time to appeal is the Act's, also for the deadlines."""
    policy = Policy([shipped(COMMUNITY), shipped(CN), shipped(EU)])
    assert (policy.clock("appeal.window").basis, policy.clock("hold.max").basis) == ("legal", "product-policy")
    brussels = midnight(date(2024, 9, 3), "Europe/Brussels")
    assert ends(policy, "appeal.window", midnight(date(2024, 3, 2), "Europe/Brussels")) == brussels


def test_a_draft_cannot_be_in_force() -> None:
    """A pack of pending drafts is refused where packs are put in force, and only there."""
    assert [name for name in NAMES if shipped(name).head.status == "draft"] == [PENDING]
    with pytest.raises(SettingsError, match="'cn-pending' is a draft"):
        load_policy((COMMUNITY, PENDING))
    assert load_policy((PENDING,), drafts=True).packs[0].id == PENDING


@pytest.mark.parametrize("name", NAMES)
def test_pending_laws_stand_in_the_draft_pack_alone(name: str) -> None:
    """An instrument that is only a draft is marked so and has no day; every other one begins after it was issued."""
    for one in shipped(name).instruments:
        assert (one.evidence == "DRAFT", one.version == ()) == (name == PENDING, name == PENDING), one.id
        assert one.issued is None or all(version.since >= one.issued for version in one.version), one.id


def test_packs_are_in_force_together() -> None:
    """The two packs of the demonstration fit together, and nothing in their lists is idle or slow."""
    assert demo().lexicon.notes == ()
    assert set(demo().classes) == set(CLASSES)
    assert {"general", "current-affairs", "lifestyle"} <= set(demo().categories)


def test_recorded_facts_name_no_person() -> None:
    """The shipped rules read nothing that identifies an account, so that entries do not keep it among their facts."""
    assert "account.id" not in demo().reads


# --- community -----------------------------------------------------------------------------------------------------


def test_community_rests_on_no_law() -> None:
    """Every clause of the neutral pack is a house rule."""
    assert {instrument.evidence for instrument in shipped(COMMUNITY).instruments} == {"HOUSE"}
    assert shipped(COMMUNITY).head.jurisdiction == ""


def test_every_listed_term_is_found_and_every_exception_excused() -> None:
    """Each term of each list is found where it stands alone, and no exception is a finding of its list."""
    lexicon = demo().lexicon_at(AT)
    for words in shipped(COMMUNITY).lists:
        name = f"{COMMUNITY}/{words.name}"
        assert len(words.texts) >= 25
        for text in words.texts:
            assert name in {one.list for one in screen(Item(body=f"（{text}）"), lexicon)}, text
        for phrase in words.exceptions:
            assert name not in {one.list for one in screen(Item(body=f"（{phrase}）"), lexicon)}, phrase
        for term in words.term:
            for phrase in term.exceptions:
                found = screen(Item(body=f"（{phrase}）"), lexicon)
                assert (name, term.text) not in {(one.list, fold(one.quote)) for one in found}, phrase


FOR_GUESSES = {"加位新", "老师单独带", "导师单独带"}
"""Exceptions that hold no term, but sound like one or hold its characters in another order."""


def test_exceptions_hold_what_they_excuse() -> None:
    """An exception is no misspelling: a term stands in it, unless it is known to excuse a guess."""
    for words in shipped(COMMUNITY).lists:
        texts = [fold(text) for text in words.texts]
        idle = {phrase for phrase in words.exceptions if not any(text in fold(phrase) for text in texts)}
        assert idle <= FOR_GUESSES, words.name


def test_views_fit_the_terms() -> None:
    """Guessing views are asked for where a term has three signs or more; initials are spelt out as terms."""
    for words in shipped(COMMUNITY).lists:
        assert "initials" not in words.views
        assert set(TermList("x", ()).views) <= set(words.views)
        if not DISGUISES.isdisjoint(words.views):
            assert [text for text in words.terms if len(text) < 3 and not text.isascii()] == []
        for term in words.term:
            assert DISGUISES.isdisjoint(term.views)


def test_slurs_are_few_explained_and_never_guessed() -> None:
    """Each word says what else it may mean, none is looked for in disguise, and the rule asks a person."""
    words = next(words for words in shipped(COMMUNITY).lists if words.name == "slurs")
    assert words.terms == ()
    assert 25 <= len(words.term) <= 60
    assert all(term.note and term.languages for term in words.term)
    assert DISGUISES.isdisjoint(words.views)
    assert [rule.then for rule in shipped(COMMUNITY).rules if "'slurs'" in rule.when] == ["hold"]


@pytest.mark.parametrize(
    "body",
    [
        "本次更新增加微信支付功能，欢迎体验。",
        "周末去爬山，山顶可以看到卫星发射塔。",
        "她在乐团里拉小提琴，也教孩子们唱歌。",
        "新買的牙刷很好用，刷毛柔軟。",
        "請向國稅局申請開立統一發票，並保留收據。",
        "医生提醒：感冒时不要自行服用安眠药。",
        "The museum shows weapons of the Bronze Age and old medical instruments.",
        "We followed the river for a week and liked every view of it.",
        "A review of three books on probability, with exercises on dice and cards.",
        "Reset your password at https://www.example.com/settings if you have forgotten it.",
        "他申请了银行卡，并设置了交易限额。",
        "足球比赛的外围赛事将在周日举行。",
        "支援交通警察的志愿者站在路口。",
        "飞机群飞过天空，孩子们欢呼起来。",
    ],
)
def test_ordinary_texts_are_published_at_once(body: str) -> None:
    """Everyday sentences near the lists' words are not held."""
    assert judge(Item(title="Notes", body=body)).hits == ()


@pytest.mark.parametrize(
    ("body", "ground"),
    [
        ("喜歡的話請加ＶＸ私聊", "community.solicitation"),
        ("微信号：abc_12345", "community.solicitation"),
        ("看這裡 https://t.me/somegroup", "community.solicitation"),
        ("專業代刷點讚，價格優惠", "community.fake-engagement"),
        ("線上百家樂，注冊送彩金", "community.gambling"),
        ("保本高收益，老师带单", "community.fraud"),
        ("Fake passport for sale, ships worldwide", "community.forged-documents"),
        ("出售气枪，货到付款", "community.illegal-trade"),
        ("Independent escort, call now", "community.sexual-services"),
    ],
)
def test_offers_wait_for_a_person(body: str, ground: str) -> None:
    """Offers of each kind are held, in traditional or simplified characters, in full width or in English."""
    verdict = judge(Item(title="Notes", body=body))
    assert verdict.outcome == "hold"
    assert ground in {hit.ground for hit in verdict.hits}


def test_text_beyond_the_limits_is_held() -> None:
    """What screening could not read in full is read by a person."""
    verdict = judge(Item(body="字" * 200_001))
    assert (verdict.outcome, verdict.hits[0].ground) == ("hold", "community.not-screened-in-full")


# --- current-affairs news: IM14 art 7(2) --------------------------------------------------------------------------


@pytest.mark.parametrize("account_class", CLASSES)
def test_without_a_right_nobody_publishes_or_reposts_news(account_class: str) -> None:
    """The class alone gives nothing: rights rest on evidence, which may lapse."""
    for origin in ("original", "repost"):
        verdict = judge(news(origin), account_class=account_class)
        assert (verdict.outcome, [hit.ground for hit in verdict.hits]) == ("refuse", ["im14.7.2"])


def test_refusal_tells_the_way_out() -> None:
    """A refused author reads of licence and approval, of contesting the category and of a person who decides."""
    verdict = judge(news("repost"), account_class="other")
    told = demo().explain(verdict.hits[0], "en", AT)
    assert all(word in told.remedy for word in ("licence", "approval", "contest the category", "person"))
    assert tuple(clause for _, clause, _ in told.clauses) == ("7(2)", "5", "5")
    assert verdict.hits[0].why[0] == "item.category == 'current-affairs'"


def test_licence_to_repost_is_none_to_publish() -> None:
    """Original news by the holder of a licence to repost is refused; a repost goes out under its own title."""
    rights = ("news.repost",)
    assert judge(news("original"), account_class="licensed_repost", rights=rights).outcome == "refuse"
    assert judge(news("repost"), account_class="licensed_repost", rights=rights).outcome == "approve"
    changed = judge(news("repost", title="Another title"), account_class="licensed_repost", rights=rights)
    assert (changed.outcome, changed.hits[0].ground) == ("return", "news17.15.title")


def test_news_organisation_still_names_its_sources() -> None:
    """Both actions are open to a news organisation; a repost without provenance comes back."""
    rights = ("news.publish",)
    assert judge(news("original"), account_class="news_org", rights=rights).outcome == "approve"
    assert judge(news("repost"), account_class="news_org", rights=rights).outcome == "approve"
    verdict = judge(news("repost", source=Source(name="Sample Daily")), account_class="news_org", rights=rights)
    assert verdict.outcome == "return"
    assert {hit.ground for hit in verdict.hits} == {"news17.15.source", "pa21.17.1"}


def test_category_is_never_read_off_the_words() -> None:
    """The same words under another declared category are not news to any rule."""
    item = Item(title="Sample report", body="Text of a sample report.", category="general")
    assert judge(item, account_class="other").outcome == "approve"
    assert shipped(CN).lists == ()


@steady
@given(
    account_class=st.sampled_from(CLASSES),
    rights=st.lists(st.sampled_from(["news.publish", "news.repost", "other"]), unique=True).map(tuple),
    category=st.sampled_from(["general", "current-affairs"]),
    origin=st.sampled_from(["original", "repost"]),
    day=st.dates(date(2010, 1, 1), date(2030, 1, 1)),
    territory=st.sampled_from(["", "CN", "FR"]),
)
def test_rules_and_rights_table_agree(
    *, account_class: str, rights: tuple[str, ...], category: str, origin: str, day: date, territory: str
) -> None:
    """Whatever the rules refuse at submission, the rights table refuses at release, and nothing else."""
    at = midnight(day, "Asia/Shanghai")
    item = Item(title="Sample report", category=category, origin="repost" if origin == "repost" else "original")
    verdict = judge(item, at, account_class=account_class, rights=rights, territory=territory)
    account = AccountFacts(account_class=account_class, rights=rights, territory=territory)
    denial = demo().may(account, category, "repost" if origin == "repost" else "publish", at)
    assert ("im14.7.2" in {hit.ground for hit in verdict.hits}) == (denial is not None)


@pytest.mark.parametrize(
    ("cite", "first"),
    [
        (Citation("IM14", "7(2)"), date(2014, 8, 7)),
        (Citation("NEWS17", "15"), date(2017, 6, 1)),
        (Citation("PA17", "7(1)"), date(2017, 10, 8)),
        (Citation("PA21", "17(1)"), date(2021, 2, 22)),
        (Citation("CMT22", "11"), date(2022, 12, 15)),
    ],
)
def test_instruments_begin_on_their_dates(cite: Citation, first: date) -> None:
    """Each instrument is in force from 00:00 in Shanghai of the day that it names."""
    view, start = demo().clause(cite), midnight(first, "Asia/Shanghai")
    assert not view.in_force(start - 1)
    assert view.in_force(start)


def test_the_first_account_provisions_end_when_the_revision_begins() -> None:
    """On 22 February 2021 PA17 gives way to PA21 without a gap."""
    change = midnight(date(2021, 2, 22), "Asia/Shanghai")
    old, new = demo().clause(Citation("PA17", "7(1)")), demo().clause(Citation("PA21", "17(1)"))
    assert (old.in_force(change - 1), new.in_force(change - 1)) == (True, False)
    assert (old.in_force(change), new.in_force(change)) == (False, True)


def test_wording_known_from_a_draft_says_so() -> None:
    """The evidence of a clause is shown as it is."""
    assert demo().clause(Citation("PA21", "17(1)")).evidence == "DRAFT"
    assert demo().clause(Citation("IM14", "7(2)")).evidence == "SEED"
    assert demo().clause(Citation("NEWS17", "15")).evidence == "MEM"


DATES = {
    "PSB97": (date(1997, 12, 16), [date(1997, 12, 30), date(2011, 1, 8)]),
    "IIS00": (date(2000, 9, 25), [date(2000, 9, 25)]),
    "DEC12": (date(2012, 12, 28), [date(2012, 12, 28)]),
    "DEF13": (date(2013, 9, 6), [date(2013, 9, 10)]),
    "IM14": (date(2014, 8, 7), [date(2014, 8, 7)]),
    "CSL": (date(2016, 11, 7), [date(2017, 6, 1), date(2026, 1, 1)]),
    "NEWS17": (date(2017, 5, 2), [date(2017, 6, 1)]),
    "NEWS17-RULES": (date(2017, 5, 22), [date(2017, 6, 1)]),
    "PA17": (date(2017, 9, 7), [date(2017, 10, 8)]),
    "ECO19": (date(2019, 12, 15), [date(2020, 3, 1)]),
    "CC": (date(2020, 5, 28), [date(2021, 1, 1)]),
    "PA21": (date(2021, 1, 22), [date(2021, 2, 22)]),
    "PIPL": (date(2021, 8, 20), [date(2021, 11, 1)]),
    "ACC22": (date(2022, 6, 27), [date(2022, 8, 1)]),
    "CMT22": (date(2022, 11, 16), [date(2022, 12, 15)]),
    "MIN23": (date(2023, 10, 16), [date(2024, 1, 1)]),
    "VIO24": (date(2024, 6, 12), [date(2024, 8, 1)]),
}
"""When each instrument was issued, and when its versions began."""


def test_every_instrument_has_its_dates() -> None:
    """The pack has each instrument with its days; of those whose days are only remembered, it says so."""
    found = {one.id: (one.issued, [v.since for v in one.version]) for one in shipped(CN).instruments if not one.dated}
    assert found.pop("PLACET-CN")
    assert found == DATES
    remembered = {one.id for one in shipped(CN).instruments if one.dated == "MEM" and "from memory" in one.note}
    assert remembered == {"CMT17", "RNTC06", "SPC14", "ALGO21"}


CITED = {
    "IM14": "1 2 3 3(2) 4 5 6(1) 6(2) 7(1) 7(2) 7(3) 7(4) 8(1) 8(2) 9 10",
    "CMT22": "2 4 5 6 7(1) 7(2) 8 10 11 12 13(1) 13(2) 13(3) 14 16",
    "CMT17": "5 5(3) 5(4)",
    "PA21": "5 6(1) 6(2) 7(1) 7(2) 7(3) 8(1) 8(2) 8(3) 9(1) 9(2) 9(3) 10(1) 10(2) 10(3) 11 12 13 13(2) 14(3) 15(2) "
    "16(2) 17(1) 17(2) 18 19 20",
    "PA17": "7(1) 7(2) 7(3) 9 13(1) 13(2) 14(2) 16",
    "IIS00": "11(3) 12 14 15 16",
    "NEWS17": "2 5 11 12 13 14 15 16",
    "CSL": "21(3) 24 47 49 61 68 23(3) 26 49(new) 51 63 70",
    "DEC12": "5 6 8",
    "PSB97": "7 10(4) 10(6) 13",
    "DEF13": "2(1) 2(3) 4 6 7",
    "CC": "200 201 202 203 204 1194 1195 1196 1197",
    "RNTC06": "14 15 16 17 24",
    "ACC22": "7 8 9 10 11 12 13 16 19",
    "ECO19": "6 7 9 10 15 16 17 34",
    "MIN23": "26 29",
    "ALGO21": "22",
    "PIPL": "6 19 24(3) 45 47 50 55 56",
    "SPC14": "3",
    "DSA": "9(1) 9(2) 9(5) 14(1) 15(1) 16(1) 16(2) 16(4) 16(5) 16(6) 17(1) 17(3) 17(4) 18(1) 19(1) 20(1) 20(2) 20(4) "
    "20(5) 20(6) 21(1) 22(1) 23(1) 23(2) 23(3) 23(4) 24(1) 24(2) 24(5)",
    "SCP": "notice appeal numbers foundation",
}
"""The clauses that an obligation of the product is traced to."""


def test_every_clause_that_an_obligation_cites_is_there() -> None:
    """Whatever a decision may have to cite can be shown, in three languages and with how well it is known."""
    policy = Policy([shipped(CN), shipped(EU)])
    for instrument, clauses in CITED.items():
        for clause in clauses.split():
            view = policy.clause(Citation(instrument, clause))
            assert set(view.summary) == set(LANGUAGES)
            assert view.evidence != "HOUSE"


def test_the_cybersecurity_law_changes_its_numbers_with_its_amendment() -> None:
    """Until 2025 the logs rest on article 21(3), from 2026 on on 23(3), never on both or neither."""
    for day, old in ((date(2017, 6, 1), True), (date(2025, 12, 31), True), (date(2026, 1, 1), False)):
        for before, after in (("21(3)", "23(3)"), ("47", "49(new)"), ("49", "51"), ("24", "26"), ("68", "70")):
            found = tuple(shipped(CN).in_force(Citation("CSL", clause), day) for clause in (before, after))
            assert found == (old, not old), (day, before)


@pytest.mark.parametrize(
    ("day", "ladder"),
    [
        (date(2014, 8, 6), "R2"),
        (date(2014, 8, 7), "R0 R1 R2 R3 R5 R7"),
        (date(2017, 10, 8), "R0 R1 R2 R3 R5 R7 R8"),
        (date(2021, 2, 22), "R0 R1 R2 R3 R5 R7 R8 R9"),
        (date(2022, 8, 1), "R0 R1 R2 R3 R5 R6 R7 R8 R9"),
        (date(2022, 12, 15), "R0 R1 R2 R3 R4 R5 R6 R7 R8 R9"),
    ],
)
def test_the_ladder_of_a_day_has_what_the_instruments_of_the_day_allow(day: date, ladder: str) -> None:
    """IM14 allows four of the rungs; the lists came with PA17, the bar with PA21, the comment area with CMT22."""
    assert [rung.id for rung in shipped(CN).ladder(day)] == ladder.split()


def test_im14_allows_its_four_rungs_and_no_others() -> None:
    """Warning, limit, pause and closing rest on IM14 art 8(2), in that order of gravity."""
    measure = Citation("IM14", "8(2)")
    found = [rung.id for rung in shipped(CN).rungs if measure in shipped(CN).allows(rung, date(2024, 3, 1))]
    assert found == ["R1", "R3", "R5", "R7"]


@pytest.mark.parametrize("name", [COMMUNITY, CN, EU])
def test_grave_rungs_need_more_than_one_person(name: str) -> None:
    """From the pause of updates on, a second person looks; from closing on, two decide; what lasts has an end."""
    for rung in shipped(name).rungs:
        number = int(rung.id[1:])
        assert ("two-persons" in rung.needs) == (number >= 7), rung.id
        assert ("peer-check" in rung.needs) == (number in (5, 6)), rung.id
        assert bool(rung.longest) == (number in (3, 4, 5, 6, 8, 9)), rung.id
        assert rung.reversible == (number not in (7, 8)), rung.id


def test_house_rules_list_and_bar_nobody() -> None:
    """The neutral pack ends at the closing of an account, and rests on house rules alone."""
    assert [rung.id for rung in shipped(COMMUNITY).rungs] == [f"R{number}" for number in range(8)]
    assert {one.basis for one in shipped(COMMUNITY).retention} == {"product-policy"}


def test_there_are_seven_commitments() -> None:
    """Each of the seven is accepted by itself (IM14 art 6(2)), and none of them is a ground of a decision."""
    commitments = shipped(CN).commitments
    assert len(commitments) == len({one.id for one in commitments}) == 7
    assert {one.cite for one in commitments} == {Citation("IM14", "6(2)")}
    assert not any(Citation("IM14", "6(2)") in ground.cites for ground in shipped(CN).grounds if ground.automatic)


def test_code_tables_have_their_sizes() -> None:
    """Nine and eleven kinds of illegal content, nine of undesirable content and ten of conduct, each in its table."""
    assert {one.id: (one.kind, one.size) for one in shipped(CN).tables} == {
        "iis00.15": ("illegal", 9),
        "eco19.6": ("illegal", 11),
        "eco19.7": ("undesirable", 9),
        "pa21.18": ("conduct", 10),
    }


def test_codes_are_for_people() -> None:
    """No rule uses a code's ground, "other" needs a named law, and what is merely undesirable closes no account."""
    pack = shipped(CN)
    grounds = {ground.id: ground for ground in pack.grounds}
    kinds = {table.id: table.kind for table in pack.tables}
    assert not {code.ground for code in pack.codes} & {rule.ground for rule in pack.rules}
    for code in pack.codes:
        other = code.code == "other"
        assert (code.needs_law, grounds[code.ground].needs_law, grounds[code.ground].automatic) == (other, other, False)
        assert bool(code.rungs) == (kinds[code.table] == "undesirable")
        assert not {"R5", "R6", "R7", "R8", "R9"} & set(code.rungs)


def test_what_is_published_is_kept_as_long_as_the_law_says() -> None:
    """Sixty days for what was published, six months for logs, three years for an assessment: as law, with a clause."""
    legal = {(one.record, one.floor, one.cite) for one in shipped(CN).retention if one.basis == "legal"}
    assert legal == {
        ("publication", "P60D", Citation("IIS00", "14")),
        ("publication", "P6M", Citation("PA17", "16")),
        ("log", "P6M", Citation("CSL", "21(3)")),
        ("log", "P6M", Citation("CSL", "23(3)")),
        ("impact-assessment", "P3Y", Citation("PIPL", "56")),
    }


@pytest.mark.parametrize("name", [COMMUNITY, CN])
def test_credit_counts_conduct_only_and_says_how(name: str) -> None:
    """Every factor is product policy, bounded, fades and is explained; a short record gives the lowest tier."""
    pack = shipped(name)
    assert {one.basis for one in pack.factors} | {one.basis for one in pack.tiers} == {"product-policy"}
    assert all(set(one.reason) == set(LANGUAGES) and one.most <= 60 for one in pack.factors)
    assert [tier.id for tier in pack.tiers if tier.least is None] == [pack.credit.newcomer]
    tools = [set(tier.tools) for tier in pack.tiers]
    assert all(lower < higher for lower, higher in pairwise(tools))


def test_licences_give_the_rights_of_the_table() -> None:
    """A licence to repost gives no more than that; one for a platform gives neither right to its accounts (NEWS17)."""
    gives = {one.id: set(one.gives) for one in shipped(CN).licences}
    assert gives["news-repost"] == {"news.repost"}
    assert gives["news-gathering"] == gives["news-organisation"] == {"news.publish", "news.repost"}
    assert gives["news-platform"] == gives["professional"] == set()


# --- eu-dsa --------------------------------------------------------------------------------------------------------


def test_the_act_lets_no_rule_refuse() -> None:
    """The Act makes no content illegal: its rules hold at most, and both general grounds need a named law or term."""
    pack = shipped(EU)
    assert {rule.then for rule in pack.rules} == {"hold"}
    needing = {ground.id for ground in pack.grounds if ground.needs_law}
    assert {"dsa.illegal", "dsa.terms"} <= needing
    assert not any(ground.automatic for ground in pack.grounds)


def test_statement_codes_are_those_of_the_database() -> None:
    """Each table has the values of the Transparency Database, under one prefix, with the catch-alls to be explained."""
    pack = shipped(EU)
    sizes = {one.id.removeprefix("dsa."): one.size for one in pack.tables}
    assert sizes == {
        "visibility": 7,
        "monetary": 3,
        "provision": 4,
        "account": 2,
        "account-type": 2,
        "ground": 2,
        "content-type": 8,
        "category": 16,
        "source": 4,
        "detection": 2,
        "automation": 3,
    }
    categories = {code.code for code in pack.codes if code.table == "dsa.category"}
    assert all(code.startswith("STATEMENT_CATEGORY_") for code in categories)
    assert {code.code for code in pack.codes if code.needs_text} == {
        "DECISION_VISIBILITY_OTHER",
        "DECISION_MONETARY_OTHER",
        "CONTENT_TYPE_OTHER",
    }


def test_forms_ask_for_what_the_act_says() -> None:
    """A notice has four elements and an order six; name and address may be left out of a notice about children."""
    fields = shipped(EU).fields
    notice = {one.id: one.required for one in fields if one.form == "notice"}
    assert notice == {"reasons": "always", "location": "always", "contact": "conditional", "good-faith": "always"}
    order = {one.id for one in fields if one.form == "order"}
    assert order == {"legal-basis", "reasons", "issuer", "item", "redress", "territory"}
    always = {one.id for one in fields if one.form == "statement" and one.required == "always"}
    assert {"decision_facts", "decision_ground", "category", "source_type", "automated_detection", "puid"} <= always

"""The packs that ship: sound, neutral where they promise to be, and true to the clauses that they cite."""

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packs import steady

import placet
from placet.model import LANGUAGES, RESTRICTIVENESS, Citation, Item, Source, Verdict
from placet.policy.compiled import midnight
from placet.policy.environment import AccountFacts
from placet.policy.evaluate import Policy
from placet.policy.pack import load_pack
from placet.policy.values import MICROS, Pack, Span
from placet.screening import TermList, screen
from placet.screening.fold import fold
from placet.screening.lists import DISGUISES

FOLDER = Path(placet.__file__).parent / "packs"
NAMES = sorted(file.parent.name for file in FOLDER.glob("*/pack.toml"))
COMMUNITY, CN = "community", "cn-public-accounts"
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


@pytest.mark.parametrize("name", [COMMUNITY, CN])
def test_every_time_limit_is_labelled_product_policy(name: str) -> None:
    """The instruments give no such limits, so that none may be shown as law."""
    pack = shipped(name)
    assert {clock.basis for clock in pack.clocks} == {"product-policy"}
    spans = {clock.id: clock.span for clock in pack.clocks}
    hour = 3_600 * MICROS
    assert spans == {
        "hold.max": Span(micros=72 * hour),
        "hold.escalated": Span(micros=24 * hour),
        "claim": Span(micros=hour // 6),
        "appeal.window": Span(months=6),
    }


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

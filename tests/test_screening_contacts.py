"""Contacts: numbers and names that lead elsewhere, in the open and in disguise, and what only looks like one."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from placet.model import Item
from placet.screening import Lexicon, LexiconError, Limits, screen, screen_batch
from placet.screening.contacts import normalise

LEXICON = Lexicon.build()


def contacts(text: str, form: str = "text", lexicon: Lexicon = LEXICON) -> list[tuple[str, str, int]]:
    """(kind, quote, score) of each contact in a body."""
    findings = screen(Item(body=text, format=form), lexicon)  # type: ignore[arg-type]
    return [(f.list.removeprefix("contacts/"), f.quote, f.score) for f in findings if f.detector == "contacts"]


# The numbers below are reserved for fiction or for tests, or belong to nobody.
@pytest.mark.parametrize(
    ("text", "kind", "quote"),
    [
        ("打我电话 138-0013-8000", "phone", "138-0013-8000"),
        ("13800138000", "phone", "13800138000"),
        ("联系13800138000微信同号", "phone", "13800138000"),
        ("+86 138 0013 8000", "phone", "+86 138 0013 8000"),
        ("0086-13800138000", "phone", "0086-13800138000"),
        ("call +1 (202) 555-0123 now", "phone", "+1 (202) 555-0123"),
        ("202-555-0123", "phone", "202-555-0123"),
        ("call (202) 555-0123", "phone", "(202) 555-0123"),
        ("（02）2345-6789", "phone", "（02）2345-6789"),
        ("(call 202-555-0123)", "phone", "202-555-0123"),
        ("Tel: 2025550123", "phone", "2025550123"),
        ("１３８００１３８０００", "phone", "１３８００１３８０００"),
        ("someone@example.com", "email", "someone@example.com"),
        ("写信到 some.one+x@mail.example.com。", "email", "some.one+x@mail.example.com"),
        ("someone@example。com", "email", "someone@example。com"),
        ("ＱＱ：１２３４５６７", "qq", "１２３４５６７"),
        ("QQ12345678", "qq", "12345678"),
        ("QQ群：123456789", "qq", "123456789"),
        ("我的qq号是12345678", "qq", "12345678"),
        ("微信：abc_123", "wechat", "abc_123"),
        ("微信號：abc_123", "wechat", "abc_123"),
        ("加微信 abc_123", "wechat", "abc_123"),
        ("請加我微信abc_123", "wechat", "abc_123"),
        ("WeChat ID: abc_123", "wechat", "abc_123"),
        ("Telegram: @some_channel", "telegram", "some_channel"),
        ("add me on telegram abc_12345", "telegram", "abc_12345"),
        ("https://t.me/some_channel", "telegram", "t.me/some_channel"),
        ("t.me/joinchat/AbCdEf", "telegram", "t.me/joinchat/AbCdEf"),
        ("WhatsApp +1 202-555-0123", "whatsapp", "+1 202-555-0123"),
        ("wa.me/12025550123", "whatsapp", "wa.me/12025550123"),
        ("LINE ID: abc1234", "line", "abc1234"),
        ("line：@abc1234", "line", "abc1234"),
        ("Skype: live:abc_1", "skype", "live:abc_1"),
        ("Snapchat: abc_12", "snapchat", "abc_12"),
        ("discord: name#1234", "discord", "name#1234"),
        ("discord.gg/AbC123", "discord", "discord.gg/AbC123"),
    ],
)
def test_contacts_in_the_open(text: str, kind: str, quote: str) -> None:
    """A contact as it is usually written is sure, and its finding quotes it alone."""
    assert (kind, quote, 95) in contacts(text)


@pytest.mark.parametrize(
    ("text", "kind", "form"),
    [
        ("加V：abc12345", "wechat", "abc12345"),
        ("加 V abc12345", "wechat", "abc12345"),
        ("➕V abc12345", "wechat", "abc12345"),
        ("➕薇：abc12345", "wechat", "abc12345"),
        ("加我v信abc12345", "wechat", "abc12345"),
        ("vx:ABC12345", "wechat", "abc12345"),
        ("VX abc12345", "wechat", "abc12345"),
        ("🅥🅧：abc12345", "wechat", "abc12345"),
        ("wx：13800138000", "wechat", "13800138000"),
        ("薇❤信 abc_123", "wechat", "abc_123"),
        ("薇信：abc12345", "wechat", "abc12345"),
        ("威信：abc12345", "wechat", "abc12345"),
        ("徽芯：abc12345", "wechat", "abc12345"),
        ("微 信 号：abc12345", "wechat", "abc12345"),
        ("微.信：一二三四五六七", "wechat", "1234567"),
        ("微信 abc123456", "wechat", "abc123456"),
        ("加微信 nobodyinparticular", "wechat", "nobodyinparticular"),
        ("扣扣：12345678", "qq", "12345678"),
        ("q q 12345678", "qq", "12345678"),
        ("加Q：12345678", "qq", "12345678"),
        ("企鹅号：12345678", "qq", "12345678"),
        ("QQ：①②③④⑤⑥⑦", "qq", "1234567"),
        ("QQ：一二三四五六七", "qq", "1234567"),
        ("QQ：1 2 3 4 5 6 7", "qq", "1234567"),
        ("qq 1❤2❤3❤4❤5❤6❤7", "qq", "1234567"),
        ("加飞机 abc12345", "telegram", "abc12345"),
        ("✈️：@abc12345", "telegram", "abc12345"),
        ("TG: abc12345", "telegram", "abc12345"),
        ("加賴 abc1234", "line", "abc1234"),
        ("一三八零零一三八零零零", "phone", "+8613800138000"),
        ("①③⑧⓪⓪①③⑧⓪⓪⓪", "phone", "+8613800138000"),
        ("1 3 8 0 0 1 3 8 0 0 0", "phone", "+8613800138000"),
        ("138❤0013❤8000", "phone", "+8613800138000"),
        ("138零零1三8000", "phone", "+8613800138000"),
        ("someone(at)example.com", "email", "someone@example.com"),
        ("someone [at] example [dot] com", "email", "someone@example.com"),
        ("someone艾特example点com", "email", "someone@example.com"),
        ("someone@example[.]com", "email", "someone@example.com"),
        ("someone#qq.com", "email", "someone@qq.com"),
    ],
)
def test_contacts_in_disguise_are_guesses(text: str, kind: str, form: str) -> None:
    """What is written so that no program should see it is found, scores as a guess, and has the same one form."""
    found = [(quote, score) for each, quote, score in contacts(text) if each == kind]
    assert [(normalise(kind, quote), score) for quote, score in found] == [(form, 70)]


@pytest.mark.parametrize(
    "text",
    [
        # prices, orders, dates, codes
        *("价格 1,299.00 元", "¥13800138000", "13800138000元", "共计13800138000次", "$2,025,550.12"),
        *("订单号：13912345678", "单号 SF1380013800012", "order 20240102123456", "Order no. 202-555-0123"),
        *("2024-01-02 10:20:30", "2024.01.02-2024.03.04", "2023 2024", "2023-2024", "2024年1月2日至2025年3月4日"),
        *("ISBN 978-7-302-12345-6", "ISBN 7-302-12345-6", "ISSN 1234-5678", "1700000000", "1700000000000"),
        *("版本 1.2.3.4567", "v2.13.8001.3800", "192.168.100.200", "39.904200, 116.407396", "N39.9042 E116.4074"),
        *(
            "3.14159265358979",
            "1, 3, 5, 7, 9, 11, 13, 15",
            "12 34 56 78 90",
            "一二三四五六七八九十",
            "二零二四年一月二日",
        ),
        *(
            "IMG_20240101_123456.jpg",
            "DSC13800138000.JPG",
            "110101199001011234",
            "6222 0212 3456 7890 123",
            "1+13800138000",
        ),
        *("12345678", "2025550123", "23456789", "邮编 100000", "房号 138001", "GMT+08001234", "1:1380013800"),
        # names of services that nobody is invited to
        *("加 V 型槽", "加V型槽 12345", "更加v5", "加v2023.10.15", "v × x = 123456", "加 v = 123456", "Ctrl+V 123456"),
        *("微信支付 100000 元", "微信 8.0.50 版", "在微信 iphone15 上", "微信公众号", "增加微信登录", "微信web3.0"),
        *(
            "威信扫地",
            "维新变法1898",
            "卫星 2024001",
            "wx1234567890abcdef12",
            "QQ音乐 12345678",
            "QQ 100000 人在线",
            "QQ 2024",
        ),
        *("飞机 B737max8", "飞机：a320neo", "企鹅 12345 只", "赖床 12345 次", "电报局 123456"),
        *("Telegram is a great app", "Telegram: everything you need to know", "Contact us on Telegram anytime."),
        *(
            "line 12345: error",
            "Error on line number: 12345",
            "add line 1234 to the file",
            "online 12345",
            "Skype for Business 2016",
        ),
        *("a discord server with 1234567 members", "snap 1234567", "oh snap: 3 2 1", "whatsapp 2.23.4"),
        # what is no address of a person
        *(
            "@user hello",
            "你好@小明",
            "git@github.com:org/repo",
            "https://user@example.com/x",
            "pkg@1.2.3",
            "me@localhost",
        ),
        *(
            "@someone@example.com",
            "https://user:pw@example.com/x",
            "C#net.com",
            "a#b.com",
            "meet @ example.com",
            "at example.com",
        ),
        *("t.me", "t.me/share/url", "discord.com", "https://line.me/", "at.me/abcdef"),
        # punctuation where a name would stand
        *("join our discord...", "discord..", "discord ..", "discord: ___", "add me on discord._."),
    ],
)
def test_what_is_no_contact(text: str) -> None:
    """Prices, orders, dates, versions, places, files, talk about services: a bare number is nobody's."""
    assert contacts(text) == []


def test_a_finding_names_the_kind_alone() -> None:
    """A contact is personal data, and findings are recorded without their quotes: so nothing else may give it away."""
    text = "微信：abc_123，电话13800138000，someone@example.com，t.me/some_channel"
    findings = [f for f in screen(Item(body=text), LEXICON) if f.detector == "contacts"]
    assert [(f.list, f.label) for f in findings] == [
        ("contacts/wechat", "wechat"),
        ("contacts/phone", "phone"),
        ("contacts/email", "email"),
        ("contacts/telegram", "telegram"),
    ]


@pytest.mark.parametrize(
    ("kind", "quote", "expected"),
    [
        ("phone", "138-0013-8000", "+8613800138000"),
        ("phone", "+1 (202) 555-0123", "+12025550123"),
        ("phone", "2025550123", "+12025550123"),
        ("phone", "１２３", "123"),
        ("whatsapp", "wa.me/12025550123", "+12025550123"),
        ("qq", "１２３ 456 七", "1234567"),
        ("wechat", "ABC_123", "abc_123"),
        ("email", "Some.One(AT)Example点COM", "some.one@example.com"),
        ("telegram", "t.me/joinchat/AbCdEf", "AbCdEf"),
        ("telegram", "https://t.me/+AbCdEf/", "AbCdEf"),
        ("wechat", "\ud800", "\ufffd"),
        ("email", "", ""),
    ],
)
def test_the_one_form(kind: str, quote: str, expected: str) -> None:
    """Contacts that lead to the same place compare equal; names of groups keep their case, which counts."""
    assert normalise(kind, quote) == expected


def test_regions_say_where_bare_numbers_are_from() -> None:
    """Other regions than the usual ones may be given; a name that is none is refused."""
    text = "电话 01 99 00 12 34"
    assert contacts(text) == []
    assert contacts(text, lexicon=Lexicon.build(regions=("FR",))) == [("phone", "01 99 00 12 34", 95)]
    assert normalise("phone", "01 99 00 12 34", ("FR",)) == "+33199001234"
    with pytest.raises(LexiconError, match="Oz"):
        Lexicon.build(regions=("CN", "Oz"))


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("微<b></b>信：abc<i>_</i>123", "html", [("wechat", "abc<i>_</i>123", 95)]),
        ("&#24494;信：abc_12&#51;", "html", [("wechat", "abc_12&#51;", 95)]),
        ('<a href="https://t.me/some_channel">join</a>', "html", [("telegram", "t.me/some_channel", 95)]),
        ('<a href="mailto:someone@example.com">write</a>', "html", [("email", "someone@example.com", 95)]),
        ('<a href="tel:+12025550123">call</a>', "html", [("phone", "+12025550123", 95)]),
        ("[join](https://t.me/some_channel)", "markdown", [("telegram", "t.me/some_channel", 95)]),
        ("微**信**：`abc_123`", "markdown", [("wechat", "abc_123", 95)]),
        ("<i hidden>微信：abc_123</i>", "html", [("wechat", "abc_123", 95)]),
    ],
)
def test_contacts_in_markup(text: str, form: str, expected: list[tuple[str, str, int]]) -> None:
    """They are read off what is shown, what is hidden and the addresses that can be pressed."""
    assert contacts(text, form) == expected


def test_contacts_are_bounded() -> None:
    """Beyond the limit no further contact of a sort is read, and a finding says so."""
    lexicon = Lexicon.build(limits=Limits(max_contacts=2))
    findings = screen(Item(body="13800138000 someone@example.com " * 4), lexicon)
    assert [f.label for f in findings if f.detector == "limits"] == ["too-many-contacts"]
    assert sum(f.detector == "contacts" for f in findings) == 4


snippets = st.sampled_from(
    [
        *(
            "微信",
            "薇❤信",
            "加V",
            "加",
            "vx",
            "QQ",
            "扣扣",
            "telegram",
            "tg",
            "whatsapp",
            "line",
            "id",
            "号",
            "：",
            ":",
            "@",
        ),
        *("abc_123", "12345678", "13800138000", "+1 202-555-0123", "138", "0013", "8000", "一二三", "①", "-", " ", "."),
        *(
            "someone",
            "example.com",
            "example点com",
            "(at)",
            "艾特",
            "#",
            "qq.com",
            "t.me/",
            "joinchat/",
            "✈️",
            "\n",
            "\ud800",
        ),
    ]
)
texts = st.one_of(
    st.lists(snippets, max_size=8).map("".join), st.text(st.characters(exclude_categories=()), max_size=20)
)


@settings(max_examples=300, deadline=None)
@given(texts)
@example("\ud800微信：abc_123")
def test_every_span_slices_to_its_quote(text: str) -> None:
    """Whatever the text, a contact stands where its finding says, and has a one form."""
    for finding in screen(Item(body=text), LEXICON):
        assert finding.quote == text[finding.start : finding.end]
        if finding.detector == "contacts":
            assert normalise(finding.label, finding.quote)
            assert finding.quote == finding.quote.strip()


NAMES = [
    *(
        "微信",
        "wechat",
        "weixin",
        "薇心",
        "卫信",
        "vx",
        "w信",
        "wei xin",
        "wei信",
        "加v",
        "加我薇",
        "qq",
        "q群",
        "扣扣",
    ),
    *("企鹅", "球球", "加我q", "telegram", "电报", "tg", "飞机", "✈", "whatsapp", "whats app", "line", "赖", "skype"),
    *("snapchat", "snap", "discord"),
]
marks = st.text(st.sampled_from("._ -·:,;!?…。、❤️䷀()[]@#+/'\"\n"), max_size=5)
account = st.sampled_from(["", "", "号", " id", "群", "（同手机号）", "公众号", "is", "是"])
somebody = st.one_of(
    st.sampled_from(
        ["abc_123", "abc12345", "abcdef", "123456", "13800138000", "一二三四五六", "+1 202-555-0123", "n#1234"]
    ),
    st.text(st.sampled_from("ab1_.-"), max_size=6),
)


@st.composite
def names(draw: st.DrawFn) -> str:
    """The name of a service, now and then with marks among its characters."""
    name = draw(st.sampled_from(NAMES))
    cuts = draw(st.sets(st.integers(1, len(name)), max_size=2)) if draw(st.booleans()) else set()
    for cut in sorted(cuts, reverse=True):
        name = name[:cut] + draw(marks)[:3] + name[cut:]
    return name


@settings(max_examples=500, deadline=None)
@given(st.one_of(texts, st.tuples(marks, names(), account, marks, somebody, marks).map("".join)))
@example("wei信：abc_12345")
@example("v-信：abc_123")
@example("卫-信：abc_123")
@example("q-群：123456")
@example("加我❤❤❤v：abc_123")
@example("加䷀v：abc_123")  # a hexagram stands among the ideographs, and is a symbol
@example("_t.me/some_channel")
def test_the_hints_miss_nothing(text: str) -> None:
    """What a close look finds is found at all: the cheap expressions that decide about looking are wide enough."""
    found, _ = LEXICON.contacts.find(text)
    seen = [f for f in screen(Item(body=text), LEXICON) if f.detector == "contacts"]
    assert [(f.start, f.end, f.label) for f in seen] == [(c.start, c.end, c.kind) for c in found]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["discord", *NAMES]), account, st.text(st.sampled_from("._-, :@#"), max_size=8), marks)
@example("discord", "", "...", "")
@example("discord", "", " ..", "\n")
def test_a_name_of_a_service_with_punctuation_is_no_contact(name: str, word: str, link: str, end: str) -> None:
    """Whatever punctuation follows the name of a service, nobody is named, and nothing raises."""
    assert contacts(f"join our {name}{word}{link}{end}") == []


@pytest.mark.parametrize("text", ["微信：abc_123", "加我❤❤❤v：abc_123", "在微信上看到的", "写信给 some.one"])
def test_neighbours_in_a_batch_change_nothing(text: str) -> None:
    """Among texts with more hints than one scan tells apart, a text is found to hold what it holds alone."""
    alone, flood = Item(body=text), Item(body="微信 " * 2_500)
    assert screen_batch([alone, flood, alone], LEXICON)[::2] == [screen(alone, LEXICON)] * 2


@pytest.mark.parametrize(
    "unit",
    [
        *("1", "1 ", "13800138000 ", "12-", "+1", "一", "138-0013-8000", "1234567 ", "(", "+1 202-555-0123 ", "020 1 "),
        *(
            "微",
            "微信",
            "微信：",
            "微信：abc_123 ",
            "加V",
            "qq",
            "qq1",
            "q ",
            "vx",
            "telegram ",
            "加",
            "@",
            "a@",
            "a@b.",
            "a@b.com ",
        ),
        *("a(at)", "t.me/", "t.me/abcdef ", "艾特", "a点", "a[.]", "line id ", "abc", "-", "号", "微信号号"),
    ],
)
def test_floods_are_answered(unit: str) -> None:
    """Texts made to be slow for one step or another get an answer (the test run would hang otherwise)."""
    text = unit * (20_000 // len(unit))
    findings = screen(Item(body=text), LEXICON)
    assert all(f.quote == text[f.start : f.end] for f in findings)

"""Links: hosts in one form, where prose ends, and what may mislead."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.model import Item
from placet.screening import HostList, Lexicon, LexiconError, Limits, links, screen
from placet.screening.hosts import is_confusable, normal_host, registrable
from placet.screening.links import Links, target_host

EMPTY = Lexicon.build()


def hosts(text: str, form: str = "text") -> list[tuple[str, str]]:
    """(host, quote) of each link in a body."""
    findings = screen(Item(body=text, format=form), EMPTY)  # type: ignore[arg-type]
    return [(f.label, f.quote) for f in findings if f.list == "links"]


def properties(text: str, form: str = "text") -> list[tuple[str, str]]:
    """(property, host) of each remark on a link."""
    findings = screen(Item(body=text, format=form), EMPTY)  # type: ignore[arg-type]
    return [(f.list.removeprefix("links/"), f.label) for f in findings if f.list.startswith("links/")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://Example.COM/a?b=c#d.", [("example.com", "https://Example.COM/a?b=c#d")]),
        ("（https://example.com/路径）", [("example.com", "https://example.com/")]),
        ("(https://example.com/a_(b)) ok", [("example.com", "https://example.com/a_(b)")]),
        ("访问https://example.com谢谢", [("example.com", "https://example.com")]),
        ("访问https://example.com。谢谢", [("example.com", "https://example.com")]),
        ("访问www.example.com看看", [("www.example.com", "www.example.com")]),
        ("去example.com吧", [("example.com", "example.com")]),
        ("example.com.", [("example.com", "example.com")]),
        ("example.com:8080/x", [("example.com", "example.com:8080/x")]),
        ("ｅｘａｍｐｌｅ．ｃｏｍ", [("example.com", "ｅｘａｍｐｌｅ．ｃｏｍ")]),
        ("example。com", [("example.com", "example。com")]),
        ("https://例え.テスト/", [("xn--r8jz45g.xn--zckzah", "https://例え.テスト/")]),
        ("例子.中国", [("xn--fsqu00a.xn--fiqs8s", "例子.中国")]),
        ("http://my_host.example.com/", [("my_host.example.com", "http://my_host.example.com/")]),
        ("http://☃.net/", []),  # a symbol is no host character here
        ("http://localhost/x", [("localhost", "http://localhost/x")]),
        ("http://[::1]:80/x", [("[::1]", "http://[::1]:80/x")]),
        ("//example.com/x", [("example.com", "example.com/x")]),
        ("a.co.uk b.example.org", [("a.co.uk", "a.co.uk"), ("b.example.org", "b.example.org")]),
        ("http://a.com,http://b.com", [("a.com", "http://a.com"), ("b.com", "http://b.com")]),
    ],
)
def test_links_are_found_where_they_stand(text: str, expected: list[tuple[str, str]]) -> None:
    """The host is in its one form, and the span stops where the sentence goes on."""
    assert hosts(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "readme.md main.py lib.rs run.sh data.zip",
        "node.js index.html photo.jpg",
        "someone@example.com first.last@example.com",
        "It was done.In fact it was.",
        "e.g. i.e. U.S. 3.14 1,000.50",
        "version 1.2.3.4",
        "src/app.io docs\\app.io",
        "结束了。开始吧 。com",
        "x..com .com com. -.com",
        "a" * 300 + ".com",
        "co.uk",
        "javascript:alert(1) mailto:a@b.com",
        "http:// https://",
    ],
)
def test_what_is_no_link(text: str) -> None:
    """File names, e-mail addresses, sentence ends, versions and paths are not bare hosts."""
    assert hosts(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://127.0.0.1/", [("ip-host", "127.0.0.1")]),
        ("http://0x7f.1/", [("ip-host", "127.0.0.1")]),
        ("http://2130706433/", [("ip-host", "127.0.0.1")]),
        ("http://0177.0.0.1/", [("ip-host", "127.0.0.1")]),
        ("http://[::ffff:1.2.3.4]/", [("ip-host", "[::ffff:102:304]")]),
        ("10.0.0.1:8080", [("ip-host", "10.0.0.1")]),
        ("http://аррӏе.com", [("confusable", "xn--80ak6aa92e.com"), ("punycode", "xn--80ak6aa92e.com")]),
        ("xn--80ak6aa92e.com", [("confusable", "xn--80ak6aa92e.com"), ("punycode", "xn--80ak6aa92e.com")]),
        ("例子.中国", [("punycode", "xn--fsqu00a.xn--fiqs8s")]),
        ("http://bank.com@evil.example/", [("userinfo", "evil.example")]),
        ("http://bank.com:80@evil.example:81/", [("userinfo", "evil.example")]),
        ("t.cn/abc", [("shortener", "t.cn")]),
        ("https://example.com", []),
    ],
)
def test_properties_of_a_link(text: str, expected: list[tuple[str, str]]) -> None:
    """Addresses in any spelling, international names, user names and shorteners are remarked upon."""
    assert properties(text) == expected


def test_html_links_come_from_attributes_and_visible_text() -> None:
    """Attribute values are decoded as browsers do; spans are those of the source."""
    text = '<p>see <A HREF = "ht\ntps:\\\\ev&#105;l.example/a">here</a><img src=//pic.example/x>example.com</p>'
    assert hosts(text, "html") == [
        ("evil.example", "ht\ntps:\\\\ev&#105;l.example/a"),
        ("pic.example", "//pic.example/x"),
        ("example.com", "example.com"),
    ]


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ('<a href="http://evil.example">https://bank.com</a>', "html", [("mismatch", "evil.example")]),
        ('<a href="http://evil.example">bank<b>.</b>com bank.com', "html", [("mismatch", "evil.example")]),
        ('<a href="http://a.bank.com">www.bank.com</a>', "html", []),
        ('<a href="http://evil.example">press here</a> bank.com', "html", []),
        ('<a href="/local">bank.com</a>', "html", []),
        ("[www.bank.com](http://evil.example/x)", "markdown", [("mismatch", "evil.example")]),
        ('[bank.com](<https://bank.com/a(b)> "t")', "markdown", []),
        ("[read](http://evil.example/x)", "markdown", []),
        ("[www.bank.com][1]\n\n[1]: http://evil.example/x", "markdown", [("mismatch", "evil.example")]),
        ("[www.bank.com][]\n\n[www.bank.com]: http://evil.example", "markdown", [("mismatch", "evil.example")]),
        ("[ba**nk**.com](http://evil.example)", "markdown", [("mismatch", "evil.example")]),
        ("<https://bank.com>", "markdown", []),
        ('<a href="http://evil.example">bank&#46;com</a>', "markdown", [("mismatch", "evil.example")]),
        ('<a href="http://evil.example">b<i hidden>x</i>ank.com</a>', "html", [("mismatch", "evil.example")]),
        ('<a href="http://evil.example"><img src="x.png">bank.com</a>', "html", [("mismatch", "evil.example")]),
    ],
)
def test_a_text_that_shows_another_host_is_a_mismatch(text: str, form: str, expected: list[tuple[str, str]]) -> None:
    """Shown and real host are compared by the part that is registered."""
    assert [p for p in properties(text, form) if p[0] == "mismatch"] == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("gооgle.com", True),  # two Cyrillic letters among Latin ones
        ("аррӏе.com", True),  # all Cyrillic, and reads as Latin
        ("ɡoogle.com", True),  # a phonetic letter
        ("foo-бар.com", True),
        ("αpple.com", True),
        ("пример.com", False),
        ("роса.рф", False),  # Cyrillic under a Cyrillic suffix is what it seems
        ("fındık.com", False),  # Turkish
        ("münchen.de", False),
        ("例子.com", False),
        ("qq群.com", False),  # Latin and Chinese are written together
        ("日本ひらカナ.jp", False),
        ("example.com", False),
        ("xn--a.com", False),  # no name at all
        ("[::1]", False),
    ],
)
def test_hosts_that_are_easily_taken_for_others(host: str, expected: bool) -> None:
    """A label that mixes scripts, or that reads as ASCII under a suffix in ASCII, is confusable (UTS 39)."""
    normal = normal_host(host)
    assert normal is not None
    assert is_confusable(normal) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("example[.]com", ("example.com", "example[.]com")),
        ("example(dot)com/a", ("example.com", "example(dot)com/a")),
        ("www【点】example【点】com", ("www.example.com", "www【点】example【点】com")),
        ("去 example 点 com 看看", ("example.com", "example 点 com")),
        ("去example點com看看", ("example.com", "example點com")),
        ("163点com", ("163.com", "163点com")),
        ("see example . com now", ("example.com", "example . com")),
        ("example·com", ("example.com", "example·com")),
        ("example․com", ("example.com", "example․com")),
        ("hxxp://evil.example/x.", ("evil.example", "hxxp://evil.example/x")),
        ("HXXPS://evil[.]example/x", ("evil.example", "HXXPS://evil[.]example/x")),
        ("h**ps://evil.example", ("evil.example", "h**ps://evil.example")),
        ("hxxx://evil.example", ("evil.example", "hxxx://evil.example")),
        ("ｅｘａｍｐｌｅ［．］ｃｏｍ", ("example.com", "ｅｘａｍｐｌｅ［．］ｃｏｍ")),
    ],
)
def test_hosts_in_disguise_are_guesses(text: str, expected: tuple[str, str]) -> None:
    """A host that a reader is meant to put together is found, and scores as a guess."""
    findings = [f for f in screen(Item(body=text), EMPTY) if f.list == "links/disguised"]
    assert [(f.label, f.quote) for f in findings] == [expected]
    assert {f.score for f in findings} == {70}


@pytest.mark.parametrize(
    "text",
    [
        *("the dot com bubble", "下午3点com", "12点cn", "J·K·Rowling", "It ends . No more", "foo[.]py", "a[.]b"),
        *("price 3 . 50", "点 com 点", "example.com", "at 5点 me and you", "Vue·js", "第一点cn", "x[0].com[1]"),
    ],
)
def test_what_is_no_host_in_disguise(text: str) -> None:
    """Hours, names, clauses and plain hosts are none."""
    assert [f for f in screen(Item(body=text), EMPTY) if f.list == "links/disguised"] == []


def test_a_list_finds_a_host_in_disguise_as_a_guess() -> None:
    """What a list says of a host that is written out is as sure as the reading of it."""
    lexicon = Lexicon.build((), (), [HostList("spam/hosts", ("evil.com",))])
    found = [(f.quote, f.score) for f in screen(Item(body="evil.com evil[.]com"), lexicon) if f.list == "spam/hosts"]
    assert found == [("evil.com", 100), ("evil[.]com", 70)]


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("t.me/joinchat/abc", "text", ["t.me/joinchat"]),
        ("https://T.me//JoinChat/./abc?x#y", "text", ["t.me/joinchat"]),
        ("https://t.me/x/../%6Aoinchat", "text", ["t.me/joinchat"]),
        ('<a href="//t.me\\joinchat\\abc">x</a>', "html", ["t.me/joinchat"]),
        ("[x](https://t.me/joinchat/abc)", "markdown", ["t.me/joinchat"]),
        ("t.me/joinchats t.me/x/joinchat t.me", "text", []),
        ("example.com/a/B/c?d sub.example.com/a/b", "text", ["example.com/a/b", "example.com/a/b"]),
        ("example.com/a example.com/b", "text", []),
    ],
)
def test_a_listed_path_stands_for_what_is_beneath_it(text: str, form: str, expected: list[str]) -> None:
    """A list may name a part of a site; steps are compared as a server sees them, without regard to case."""
    lexicon = Lexicon.build((), (), [HostList("spam/paths", ("t.me/joinchat", "example.com/a/b/"))])
    findings = screen(Item(body=text, format=form), lexicon)  # type: ignore[arg-type]
    assert [f.label for f in findings if f.list == "spam/paths"] == expected


def test_listed_hosts_stand_for_their_subdomains() -> None:
    """A list names hosts; neither a longer name nor an inner label is taken for one."""
    lexicon = Lexicon.build((), (), [HostList("spam/hosts", ("Evil.Example", "坏.中国"))])
    text = "http://a.evil.example http://notevil.example http://evil.example.com http://坏.中国"
    found = [(f.label, f.quote) for f in screen(Item(body=text), lexicon) if f.list == "spam/hosts"]
    assert found == [("evil.example", "http://a.evil.example"), (normal_host("坏.中国"), "http://坏.中国")]


def test_a_host_list_with_something_else_is_refused() -> None:
    """An address with a scheme is not a host, and a path has steps; the error names the list."""
    for wrong in ("http://evil.example/x", "evil.example/", "/x", ""):
        with pytest.raises(LexiconError, match="spam/hosts"):
            Lexicon.build((), (), [HostList("spam/hosts", (wrong,))])


@pytest.mark.parametrize(
    ("unit", "form", "kind"),
    [
        ("http://h.example/ ", "text", "links"),
        ("h.com ", "text", "links"),
        ("h.com http://h.example/ ", "text", "links"),
        ("example[.]com ", "text", "links/disguised"),
        ('<a href="//h.com">x</a> ', "html", "links"),
        ("[x](//h.com) h.com ", "markdown", "links"),
    ],
)
def test_links_are_bounded(unit: str, form: str, kind: str) -> None:
    """Beyond the limit no further link of a sort is read, and a finding says so."""
    lexicon = Lexicon.build(limits=Limits(max_links=3))
    findings = screen(Item(body=unit * 9, format=form), lexicon)  # type: ignore[arg-type]
    assert [f.label for f in findings if f.detector == "limits"] == ["too-many-links"]
    found = [f.start for f in findings if f.list == kind]
    assert len(found) == 3
    assert max(found) < 3 * len(unit)
    within = screen(Item(body=unit * 1, format=form), lexicon)  # type: ignore[arg-type]
    assert not [f for f in within if f.detector == "limits"]


def test_links_beyond_the_limit_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many links a text holds, only so many are read as the limit allows, and one more."""
    read = Counter[str]()

    def counted(raw: str) -> str | None:
        read[raw] += 1
        return normal_host(raw)

    monkeypatch.setattr(links, "normal_host", counted)
    text = "h.com " * 500 + "http://h.cn " * 500 + "h[.]com " * 500
    assert Links((), 10).find(text)[1]
    assert read.total() < 60


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("https://a.com", "a.com"),
        ("  HTTPS:a.com/x", "a.com"),
        ("\\\\a.com", "a.com"),
        ("//u@a.com", "a.com"),
        ("/a.com", None),
        ("a.com", None),
        ("javascript://a.com", None),
        ("data:text/html,x", None),
        ("", None),
    ],
)
def test_targets_are_read_as_browsers_read_them(value: str, host: str | None) -> None:
    """Slashes, white space and case are forgiven, relative addresses lead nowhere else."""
    assert target_host(value)[0] == host


def test_registrable_part() -> None:
    """The public suffix list decides what is registered."""
    assert registrable("a.b.example.co.uk") == "example.co.uk"
    assert registrable("localhost") == "localhost"


def test_a_very_long_character_reference_is_read() -> None:
    """A number of thousands of digits is no character; nothing raises."""
    ((_, quote),) = hosts('<a href="http://a&#' + "1" * 5_000 + ';.com">x</a>', "html")
    assert quote.startswith("http://a&#1")


markup = st.text(st.sampled_from("<>/=\"'a hrefs.com:!-&;[]()@0x。1\\中\ud800"), max_size=60)


@given(markup, st.sampled_from(["text", "html", "markdown"]))
def test_broken_markup_never_raises(text: str, form: str) -> None:
    """Whatever the text, every span slices it to the quote."""
    for finding in screen(Item(body=text, format=form), EMPTY):  # type: ignore[arg-type]
        assert finding.quote == text[finding.start : finding.end]


@given(st.text(max_size=40))
def test_a_host_in_its_one_form_stays(text: str) -> None:
    """Normalising twice is normalising once."""
    host = normal_host(text)
    assert host is None or normal_host(host) == host
    assert host is None or is_confusable(host) in (True, False)

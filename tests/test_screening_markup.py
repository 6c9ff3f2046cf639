"""Markup: what a reader sees of HTML and Markdown, and where in the source each character of it stands."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from placet.model import Item
from placet.screening import Lexicon, Limits, PatternSpec, TermList, screen
from placet.screening.markup import visible
from placet.screening.page import Reading

LEXICON = Lexicon.build(
    [TermList("l", ("viagra", "加微信"))],
    [PatternSpec("p", "number", None, r"\d{4,}"), PatternSpec("p", "short", "body", r"^.{0,3}$")],
)


def read(text: str, form: str) -> Reading:
    """The reading of a text, also where it is read as it stands."""
    found = visible(text, form)
    if found is None:
        found = visible(f"{text}<b></b>", "html")
        assert found is not None
        assert found.text == text
    return found


def shown(text: str, form: str = "html") -> str:
    """What a reader sees."""
    reading = read(text, form)
    return reading.text[: reading.shown]


def beside(text: str, form: str = "html") -> list[str]:
    """The lines that stand beside what is shown."""
    reading = read(text, form)
    return reading.text[reading.shown : reading.pressed].split("\n")[bool(reading.shown) :]


def terms(text: str, form: str) -> list[tuple[str, str]]:
    """(term, quote) of each hit in a body."""
    findings = screen(Item(body=text, format=form), LEXICON)  # type: ignore[arg-type]
    return [(f.label, f.quote) for f in findings if f.detector == "terms"]


def hidden(text: str, form: str = "html") -> list[str]:
    """The quotes of hidden text."""
    findings = screen(Item(body=text, format=form), LEXICON)  # type: ignore[arg-type]
    return [f.quote for f in findings if f.list == "markup/hidden-text"]


# --- HTML --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vi<b></b>agra", "viagra"),
        ("vi<!-- x -->agra", "viagra"),
        ("vi<!-->agra<!--->x<!--a--!>y", "viagraxy"),  # comments that end at once, and a wrong end
        ("vi<?x?><!x></>agra", "viagra"),
        ("&#21152;&#x5FAE;信 &amp;lt; &lt;b&gt;", "加微信 &lt; <b>"),
        ("a&nbsp;b&notit;c&copy d&unknown; &#; &", "a\xa0b¬it;c© d&unknown; &#; &"),
        ("&#0000000021152; &#x110000; &#55555; &#128;", "加 \ufffd \ufffd €"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("  <p>\n one <i> x</i>\n</p>\n\ntwo ", "one x\ntwo"),
        ("one<br>two<br/>three</br>four", "one\ntwo\nthree\nfour"),
        ("<tr><td>a</td><td>b</td></tr><tr><td>c", "a\tb\nc"),
        ("加\n微信", "加 微信"),  # a line end of the source is but a space
        ("<pre>\n a\n  b</pre>c", "\n a\n  b\nc"),
        ("<script>var x = '<b>';</script>a<style>b</style>c", "ac"),
        ("<SCRIPT>a</script x>b</SCRIPT>", "b"),
        ("a<script>b", "ab"),  # what is never closed is text
        ("a<b x='>b", "a<b x='>b"),
        ("a <!-- b", "a <!-- b"),
        ('<b ">x</b ">y', "xy"),  # quotes count after "=" alone
        ("<b x=\">\" y='>' z=>>a", ">a"),
        ("a < b <3 </ c", "a < b <3 </ c"),
        ("<textarea><!-- a --></textarea><title>b<c></title>", "<!-- a -->\nb<c>"),
        ("<xmp>&amp;<b></xmp>", "&amp;<b>"),
        ("<ruby>微<rp>(</rp><rt>wei</rt>信<rt>xin</rt></ruby>", "微信"),
        ("vi<span hidden>xx</span>agra", "viagra"),
        ("vi<div hidden>xx</div>agra", "viagra"),
        ("vi<div style='display: inline'>ag</div>ra", "viagra"),
        ("<div style='float:left'>vi</div><div style='float:left'>agra</div>", "viagra"),
        ("vi<span aria-hidden=true>ag</span>ra", "viagra"),  # hidden from screen readers, not from sight
        ("here<img src=x>there", "here\ufffcthere"),
    ],
)
def test_what_is_shown_of_html(text: str, expected: str) -> None:
    """Tags join or part as they do on a page, references are resolved, machines' parts are left out."""
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a<span hidden>b<i>c</i></span>d", ["b<i>c"]),
        ("a<span style='display:none'>b</span>d", ["b"]),
        ("a<span style='DISPLAY : NONE !important; color:red'>b</span>d", ["b"]),
        ("a<span style='display/**/:/* x */none'>b</span>d", ["b"]),
        ("a<span style='visibility:hidden'>b</span>d", ["b"]),
        ("a<span style='font-size:0'>b</span>d", ["b"]),
        ("a<span style='font: 0/0 serif'>b</span>d", ["b"]),
        ("a<span style='font-size:1px'>b</span>d", ["b"]),
        ("a<span style='opacity:.0'>b</span>d", ["b"]),
        ("a<div style='height:0;overflow:hidden'>b</div>d", ["b"]),
        ("a<span style='position:absolute;left:-9999px'>b</span>d", ["b"]),
        ("a<span style='text-indent:-9999px'>b</span>d", ["b"]),
        ("a<span style='color:#fff;background:#fff'>b</span>d", ["b"]),
        ("a<span style='color:transparent'>b</span>d", ["b"]),
        ("a<template>b</template>d", ["b"]),
        ("a<dialog>b</dialog>d", ["b"]),
        ("<p hidden>a<p>b", ["a"]),  # a paragraph ends where the next begins
        ("a<b hidden>b<i>c</b>d", ["b<i>c"]),
        ("a<span hidden>b", ["b"]),
        ("a<span hidden> <br> </span>", []),
        ("a<img hidden alt='b'>c", ["b"]),
        ("a<span style='display:none;display:inline'>b</span>", []),  # the last one counts
        ("a<span style='' style='display:none'>b</span>", []),  # the first attribute counts
        ("a<span style='font-size:12px;font:bold 1em/0 serif'>b</span>", []),
        ("a<dialog open>b</dialog><div style='height:0'>c</div>", []),
        ("a<input type=hidden value=token>", []),
    ],
)
def test_hidden_text_is_a_finding(text: str, expected: list[str]) -> None:
    """What a browser is given but does not show is reported, by what inline styles and HTML itself say."""
    assert hidden(text) == expected


def test_hidden_text_is_read_by_itself() -> None:
    """It neither parts what is shown nor escapes the lists."""
    text = "vi<span hidden>加<b></b>微信</span>agra"
    assert terms(text, "html") == [("viagra", text), ("加微信", "加<b></b>微信")]


def test_what_stands_beside() -> None:
    """Texts of attributes and annotations are lines of their own, and hidden text is."""
    text = '<img alt="a &amp; b">x<a title=c href=/d>y</a><ruby>z<rt>e</rt></ruby><i hidden>f</i><input value=g>'
    assert beside(text) == ["a & b", "c", "e", "f", "g"]
    assert shown(text) == "\ufffcxyz\ufffc"


def test_addresses_that_can_be_pressed() -> None:
    """They are read after all else; those from which a page loads are known but not read."""
    reading = read('<a href="http://a.example/&#97;">x</a><img src=b.png><form action=c>', "html")
    assert reading.text == "x\ufffc\nhttp://a.example/a\nc"
    assert [target.address for target in reading.targets] == ["http://a.example/a", "b.png", "c"]
    assert [(reading.text[a.start : a.end], a.address) for a in reading.anchors] == [("x", "http://a.example/a")]


# --- Markdown ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**vi**agra *x* _y_ ***z*** ~~w~~", "viagra x y z w"),
        ("snake_case_name 5 * 3 * 2 ** x", "snake_case_name 5 * 3 * 2 ** x"),
        ("10~20 30~40", "10~20 30~40"),
        ("a * b\n\nc * d", "a * b\nc * d"),
        ("# one\n## two\n\nthree\n---\n***\nfour\n===", "one\ntwo\nthree\nfour"),
        ("> a\n> > b\n- c\n  * d\n+ e\n1. f", "a\nb\nc\nd\ne\n1. f"),
        (r"\*a\* \\ \x", r"*a* \ \x"),
        ("`a*b*` ``c`d`` `e", "a*b* c`d `e"),
        ("`vi<b></b>agra` vi<b></b>agra", "vi<b></b>agra viagra"),
        ("```py\n*a*\n```\n*b*\n~~~\n*c*", "*a*\nb\n*c*"),
        ("&#21152;微信 &amp; & x", "加微信 & & x"),
        ("[shown](http://a.example 'title') x", "shown x"),
        ("[a](<b c>) [d](e(f)g) [h]() [i](j", "a d h [i](j"),
        ("[one][two] [two][] [two] [no]\n\n[two]: /x", "one two two [no]"),
        ("[a  b] [c][a\tb]\n\n[a b]: /x", "a  b c"),
        ("![alt](x.png)y", "\ufffcy"),
        ("[![alt](x.png) word](/y)", "\ufffc word"),
        ("<https://a.example/x> <b@c.example>", "https://a.example/x b@c.example"),
        ("a <b\nc=d>e</b> f < g", "a e f < g"),
        ("vi<!-- x\n\ny -->agra", "viagra"),
        ("**注意：**请", "**注意：**请"),  # no emphasis to CommonMark either
        ("]( [ ** ` < \\", "]( [ ** ` < \\"),
    ],
)
def test_what_is_shown_of_markdown(text: str, expected: str) -> None:
    """Marks are left out where they mean something, and stay where they do not."""
    assert shown(text, "markdown") == expected


@pytest.mark.parametrize(("length", "defined"), [(999, True), (1_000, False)])
def test_a_label_is_no_longer_than_commonmark_allows(length: int, defined: bool) -> None:
    """A longer one defines nothing, so that a thousand brackets are not each compared with it."""
    label = "x" * length
    reading = read(f"[{label}]\n\n[{label}]: /a", "markdown")
    assert [target.address for target in reading.targets] == (["/a"] if defined else [])
    assert (reading.text[: reading.shown] == label) is defined


def test_what_stands_beside_markdown() -> None:
    """Texts of images, titles, definitions and the names of code are not shown, but read."""
    text = "![alt *x*](a.png) [b](c 'title')\n\n```name\n```\n[d]: e\n"
    assert beside(text, "markdown") == ["alt x", "title", "name", "[d]: e"]


# --- spans -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("buy vi<b></b>agra now", "html", [("viagra", "vi<b></b>agra")]),
        ("请&#21152;微信。", "html", [("加微信", "&#21152;微信")]),
        ("请加<i>微</i>&#x4fe1;", "html", [("加微信", "加<i>微</i>&#x4fe1;")]),
        ("<p>vi</p><p>agra</p>", "html", []),
        ("<img alt='vi&#97;gra'>", "html", [("viagra", "vi&#97;gra")]),
        ("<a href='/viagra'>x</a>", "html", [("viagra", "viagra")]),
        ("<style>viagra</style><!-- viagra -->", "html", []),
        ("vi<b></b>agra &#21152;微信", "text", []),
        ("**vi**agra", "markdown", [("viagra", "vi**agra")]),
        ("[加](/x)微信", "markdown", [("加微信", "加](/x)微信")]),
        ("加\\微信 vi\\_agra", "markdown", [("加微信", "加\\微信"), ("viagra", "vi\\_agra")]),
    ],
)
def test_terms_are_found_in_what_is_read(text: str, form: str, expected: list[tuple[str, str]]) -> None:
    """Their spans are those of the source, from the first to the last character that was read."""
    assert terms(text, form) == expected


def test_patterns_are_tried_on_what_is_read() -> None:
    """A rule speaks of what a reader sees, so tags and references are not in its way."""
    item = Item(body="<p>12<b>34</b>&#53;</p>", format="html")
    assert [(f.label, f.quote) for f in screen(item, LEXICON) if f.detector == "patterns"] == [
        ("number", "12<b>34</b>&#53;")
    ]
    assert [f.label for f in screen(Item(body="<p>abc</p>", format="html"), LEXICON)] == ["short"]
    assert [f.quote for f in screen(Item(body="<p> </p>", format="html"), LEXICON)] == [""]


def test_a_limit_covers_the_source() -> None:
    """What is said of a field as a whole is said of the source."""
    text = "<b>1</b>2345 " * 60
    found = [f for f in screen(Item(body=text, format="html"), LEXICON) if f.detector == "limits"]
    assert [(f.label, f.start, f.end) for f in found] == [("too-many-findings", 0, len(text))]


def test_a_term_may_be_called_like_a_limit() -> None:
    """A finding is about a limit because of its detector, whatever a list calls its terms."""
    lexicon = Lexicon.build([TermList("l", ("bold",), label="text-too-long")])
    (found,) = screen(Item(body="<b>bold</b> text", format="html"), lexicon)
    assert (found.detector, found.start, found.end, found.quote) == ("terms", 3, 7, "bold")


def test_a_long_text_is_quoted_as_it_was_submitted() -> None:
    """What is said of a text that was cut speaks of all of it, also where it holds markup."""
    text = "<b>1</b>" * 20
    findings = screen(Item(body=text, format="html"), Lexicon.build(limits=Limits(max_chars=20)))
    assert [(f.label, f.quote) for f in findings if f.detector == "limits"] == [("text-too-long", text)]


def test_a_title_holds_no_markup() -> None:
    """Only a body is marked up."""
    findings = screen(Item(title="vi<b></b>agra 加<b></b>微信", format="html"), LEXICON)
    assert [f for f in findings if f.detector == "terms"] == []


snippets = st.sampled_from(
    [
        *(
            "<b>",
            "</b>",
            "<p>",
            "</p>",
            "<br>",
            "<i hidden>",
            "</i>",
            "<a href='//evil.example/x'>",
            "</a>",
            "<img alt=加",
        ),
        *("<script>", "</script>", "<!--", "-->", "<", ">", '"', "'", "=", "&#21152;", "&amp", "&#", "&", ";", "\x00"),
        *("**", "*", "_", "`", "```", "[", "](", "](//evil.example/x)", "]", "![", ")", "\n", "\n\n", "> ", "- ", "# "),
        *(
            "[x]: //evil.example\n",
            "\\",
            "~~",
            "viagra",
            "vi",
            "agra",
            "加",
            "微信",
            "1234",
            " ",
            "\ud800",
            "\uffff",
            "ﬁ",
        ),
    ]
)
marked = st.lists(snippets, max_size=14).map("".join)
forms = st.sampled_from(["text", "html", "markdown"])


@settings(max_examples=300, deadline=None)
@given(marked, forms)
@example("\ud800<b>加</b>微信", "html")
@example("[\ud800加](x)微信", "markdown")
def test_every_span_slices_to_its_quote(text: str, form: str) -> None:
    """Whatever the text and its form, a finding quotes what stands at its place."""
    for finding in screen(Item(body=text, format=form), LEXICON):  # type: ignore[arg-type]
        assert 0 <= finding.start <= finding.end <= len(text)
        assert finding.quote == text[finding.start : finding.end]


@given(marked, forms)
def test_a_reading_maps_back(text: str, form: str) -> None:
    """Each part of a reading stands for a part of the source, in order within a stream."""
    reading = visible(text, form)
    if reading is None:
        return
    for first, last in ((0, reading.shown), (reading.shown, reading.pressed)):
        spans = [reading.span(i, i + 1) for i in range(first, last)]
        assert all(0 <= start <= end <= len(text) for start, end in spans)
        starts = [start for i, (start, _) in enumerate(spans) if reading.text[first + i] not in " \t\n"]
        assert starts == sorted(starts)
    assert reading.shown <= reading.pressed <= len(reading.text) <= 2 * len(text) + 2


@given(st.text(st.sampled_from("ab加 。\n"), max_size=30))
def test_a_text_without_markup_is_read_as_it_stands(text: str) -> None:
    """Nothing is done for a text that needs nothing."""
    assert visible(text, "text") is None
    assert visible(text.replace("\n", ""), "html") is None
    assert visible(text.replace("\n", ""), "markdown") is None


@pytest.mark.parametrize("form", ["html", "markdown"])
@pytest.mark.parametrize(
    "unit",
    [
        *("<", "<a href=", '<a href="', '<a b="', "<!--", "<!-- -->", "<b>", "<b hidden>", "</b>", "<a x y z ", "<x\n"),
        *("&", "&#1", "&amp;", "<script>", "<style></x>", "<textarea></", "<p>x", "<td>x", "<li>", "<a href=x>y"),
        *("[", "![", "[a](", '[a](x "', "[a](<", "![a](b)", "*", "* ", "a*b ", "`", "``a`", "> ", "[a]: b\n", "[a]\n"),
        *("<http:a>", "(", "\\", "\n", "]", "x\n\n", "~~a", "[a][b]\n[b]: c\n", "<a b='c\"", "<!x", "<?", "</"),
    ],
)
def test_floods_of_markup_are_answered(unit: str, form: str) -> None:
    """Markup made to be slow for one step or another is read in one pass (the test run would hang otherwise)."""
    for text in (unit * (20_000 // len(unit)), "<x y " + unit * (10_000 // len(unit)) + "](x)" * 2_000):
        reading = visible(text, form)
        assert reading is None or len(reading.text) <= 2 * len(text) + 2

"""Patterns: RE2's meaning, two engines with one answer, spans in characters."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import re2
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from placet.model import Item
from placet.screening import Engine, Lexicon, LexiconError, Limits, PatternSpec, screen
from placet.screening.patterns import Patterns, compile_re2, translate, utf8


def found(regex: str, text: str, *, engine: Engine = "auto") -> list[tuple[int, int]]:
    """Spans of one pattern in a body."""
    lexicon = Lexicon.build((), [PatternSpec("l", "p", "body", regex)], engine=engine)
    return [(f.start, f.end) for f in screen(Item(body=text), lexicon) if f.detector == "patterns"]


BOTH = pytest.mark.parametrize("engine", ["hyperscan", "re2"])


@BOTH
@pytest.mark.parametrize(
    ("regex", "text", "spans"),
    [
        (r"\d{3}", "１２３ 456", [(4, 7)]),  # \d is ASCII
        (r"\w+", "né x", [(0, 1), (3, 4)]),
        (r"\s", "a\x0bb c", [(3, 4)]),  # RE2's \s leaves out the vertical tab
        (r"\S", "\x0b", [(0, 1)]),
        (r"[^\s]", "\x0b", [(0, 1)]),
        (r"[\S]", "\x0b", [(0, 1)]),
        (r"[[]\s", "[ ", [(0, 2)]),
        (r"[]\s]x", "]x", [(0, 2)]),
        (r"\v", "\n\x0b", [(1, 2)]),
        (r"a$", "a\n", []),  # $ is the very end
        (r"(?m)a$", "a\nb", [(0, 1)]),
        (r"^b", "a\nb", []),
        (r"a.b", "a\nb", []),
        (r"(?s)a.b", "a\nb", [(0, 3)]),
        (r"QQ", "qq", []),
        (r"(?i)QQ", "加qq", [(1, 3)]),
        (r"(?i)\w\d", "ſ1", [(0, 2)]),
        (r"(?i)k", "\u212a", [(0, 1)]),  # the Kelvin sign
        (r"(?i)ÿ", "Ÿ", [(0, 1)]),
        (r"(?i)[一-龥]{2}Q", "中文q", [(0, 3)]),
        (r"(?i)\p{Lu}", "a", [(0, 1)]),
        (r"(?i)ა", "Ა", [(0, 1)]),  # a pair that Hyperscan's older Unicode tables lack
        (r"\p{Han}+", "ab中文\U00030000c", [(2, 5)]),
        (r"[^\p{Han}]", "中a", [(1, 2)]),
        (r"\P{Han}", "中a", [(1, 2)]),
        (r"\bx\b", "中x中", [(1, 2)]),
        (r"[一-龥]{2}🙂", "好好🙂好", [(0, 3)]),
        (r"a{0}b", "b", [(0, 1)]),  # Hyperscan refuses it
        (r"(?U)a+", "aa", [(0, 1), (1, 2)]),
        (r"(a|ab)(c|bcd)", "abcd", [(0, 4)]),  # leftmost-first, as in Perl
        (r"\x{1F642}", "🙂", [(0, 1)]),
        (r"\Qa.b\E+", "a.bb", [(0, 4)]),
        ("\x00", "a\x00", [(1, 2)]),
        ("b\x00|a", "a", [(0, 1)]),
        (r"a*", "bbaa", [(2, 4)]),  # empty matches count only when there is nothing else
        (r"a*", "bbb", [(0, 0)]),
        (r"^$", "", [(0, 0)]),
        (r"^$", "x", []),
        (r"", "中", [(0, 0)]),
        (r"\B", "a中", [(1, 1)]),  # RE2 sees a boundary inside the character: offsets stay whole
    ],
)
def test_a_pattern_means_what_re2_says(engine: Engine, regex: str, text: str, spans: list[tuple[int, int]]) -> None:
    """Dialect differences between the engines do not show, and offsets are characters."""
    assert found(regex, text, engine=engine) == spans


PIECES = st.sampled_from(
    [
        *("a", "b", "中", "é", "K", "ſ", ".", r"\d", r"\w", r"\s", r"\S", r"\D", r"\W", r"\b", r"\B", "^", "$"),
        *("[ab]", "[^a]", r"[\s中]", r"[^\S]", "[[:alpha:]]", r"\p{Han}", r"\P{L}", r"\x{4e2d}", "(?i:k)", r"\."),
    ]
)
REGEXES = st.recursive(
    PIECES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(?:" + "|".join(parts) + ")"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "*?"])).map(lambda p: f"(?:{p[0]}){p[1]}"),
        inner.map(lambda part: f"(?i){part}"),
        inner.map(lambda part: f"(?s){part}"),
        inner.map(lambda part: f"(?m){part}"),
    ),
    max_leaves=6,
)
SUBJECTS = st.text(st.sampled_from("abAB中国éÉkK\u212asSſ1 \n\r\x0b\x00.\ud800🙂"), max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.lists(REGEXES, min_size=1, max_size=4), st.lists(SUBJECTS, min_size=1, max_size=8))
def test_both_engines_find_the_same(regexes: list[str], texts: list[str]) -> None:
    """Hyperscan is only a faster way to the same findings."""
    specs = [PatternSpec("l", str(i), None, regex) for i, regex in enumerate(regexes)]
    fast, plain = (Lexicon.build((), specs, engine=engine) for engine in ("hyperscan", "re2"))
    for text in texts:
        assert screen(Item(body=text), fast) == screen(Item(body=text), plain)


@settings(max_examples=150, deadline=None)
@given(REGEXES, SUBJECTS)
def test_a_pattern_hits_exactly_when_re2_searches_it(regex: str, text: str) -> None:
    """There is a finding if and only if RE2 itself finds a match, and the spans are RE2's."""
    assume(r"\B" not in regex)  # RE2's own Python wrapper miscounts when it matches inside a character
    matches = [m.span() for m in compile_re2(regex).finditer(utf8(text).decode())]
    spans = found(regex, text)
    assert bool(spans) == bool(matches)
    whole = [(start, end) for start, end in matches if end > start]
    assert spans == (whole or spans[:1])


def test_the_field_of_a_pattern_counts() -> None:
    """A pattern for the title is silent on the body; one without a field speaks of both."""
    specs = [PatternSpec("l", name or "any", name, "x") for name in ("title", "body", None)]
    findings = screen(Item(title="x", body="x"), Lexicon.build((), specs))
    assert [(f.field, f.label) for f in findings] == [
        ("title", "any"),
        ("title", "title"),
        ("body", "any"),
        ("body", "body"),
    ]


@pytest.mark.parametrize(
    ("regex", "reason"),
    [
        (r"(a", "missing"),
        (r"(?=a)b", "invalid perl operator"),
        (r"(a)\1", "invalid escape"),
        (r"a{2000}", "repetition"),
        (r"\C", "single byte"),
        ("\ud800", "surrogate"),
        ("a" * 10_001, "split"),
        (r"((a{100}){100}){100}", "repetition"),
    ],
)
def test_a_pattern_that_is_not_linear_or_not_valid_is_refused(regex: str, reason: str) -> None:
    """The error names the pattern and repeats RE2's reason."""
    with pytest.raises(LexiconError, match=reason) as caught:
        Lexicon.build((), [PatternSpec("pack/rules", "r1", None, regex)])
    assert "'r1'" in str(caught.value)
    assert "'pack/rules'" in str(caught.value)


def test_an_unknown_field_and_a_double_id_are_refused() -> None:
    """Neither could ever be told from a slip."""
    with pytest.raises(LexiconError, match="field"):
        Lexicon.build((), [PatternSpec("l", "p", "footer", "x")])
    with pytest.raises(LexiconError, match="twice"):
        Lexicon.build((), [PatternSpec("l", "p", None, "x"), PatternSpec("l", "p", "body", "y")])


def test_what_hyperscan_does_not_take_is_noted() -> None:
    """The writer of a slow pattern can learn that it is slow; the others stay fast."""
    lexicon = Lexicon.build((), [PatternSpec("l", "ok", None, "a"), PatternSpec("l", "slow", None, "a{0}b")])
    assert len(lexicon.notes) == 1
    assert "'slow'" in lexicon.notes[0]
    assert "RE2 alone" in lexicon.notes[0]


def test_matches_of_one_pattern_are_bounded() -> None:
    """The spans of one pattern are cut at the limit, and a finding says so."""
    lexicon = Lexicon.build((), [PatternSpec("l", "p", None, "a[^b]*b|a")], limits=Limits(max_spans=5))
    findings = screen(Item(body="a" * 5_000), lexicon)
    assert sum(f.detector == "patterns" for f in findings) == 5
    assert [f.label for f in findings if f.detector == "limits"] == ["too-many-findings"]


def test_lone_surrogates_do_not_shift_spans() -> None:
    """A surrogate has no UTF-8 form; it counts as one character, and the quote is the text as submitted."""
    lexicon = Lexicon.build((), [PatternSpec("l", "p", None, ".b")])
    assert [(f.start, f.quote) for f in screen(Item(body="中\ud800b"), lexicon)] == [(1, "\ud800b")]


def test_many_threads_share_one_lexicon() -> None:
    """Each thread scans with working memory of its own."""
    lexicon = Lexicon.build((), [PatternSpec("l", str(i), None, rf"x{i}\b") for i in range(50)])
    items = [Item(body=f"中 x{i % 50} " * 20) for i in range(400)]
    expected = [screen(item, lexicon) for item in items]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda item: screen(item, lexicon), items)) == expected


def test_a_set_without_memory_counts_as_hit() -> None:
    """When an RE2 set gives no complete answer, each of its patterns is searched by itself."""

    class Exhausted:
        def Match(self, data: bytes) -> list[int]:  # noqa: N802  (RE2's own name)
            return []

    patterns = Patterns([PatternSpec("l", "p", None, "a")], engine="re2")
    assert patterns._slow is not None
    patterns._slow._sets = [(Exhausted(), ids) for _, ids in patterns._slow._sets]
    assert set(patterns.hits(b"a")) == {0}
    assert patterns.spans(0, b"ba") == ([(1, 2)], False)


@settings(deadline=None)
@given(REGEXES)
def test_translation_keeps_the_expression_valid(regex: str) -> None:
    """Hyperscan's dialect is RE2's as well: what is translated is still accepted by RE2."""
    try:
        translated = translate(regex)
    except ValueError:
        return
    assert compile_re2(translated) is not None
    assert not re.search(r"\\[pPsS]", translated)


def test_re2_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    """A refused pattern is reported once, by the error, not by RE2 on stderr."""
    with pytest.raises(re2.error):
        compile_re2("(")
    assert capfd.readouterr().err == ""

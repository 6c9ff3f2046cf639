"""Folded and squeezed readings."""

import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from placet.screening.fold import BARRIER, REPLACEMENT, Buffer, encode, fold, is_word, scalar, squeeze, tables

anything = st.text(st.characters(exclude_categories=()), max_size=60)
disguising = st.text(
    st.sampled_from("aAаée\u0301 .，🙂\u200b\u202e\ud800\x001①臺台Ｗ\U0010ffff\U000e0041ﷺ\u3164"), max_size=40
)


@settings(deadline=None)
@given(anything | disguising)
def test_folding_keeps_the_length(text: str) -> None:
    """One character folds to one character, so that offsets carry over."""
    assert len(fold(text)) == len(text)


@settings(deadline=None)
@given(anything | disguising)
def test_folding_twice_is_folding_once(text: str) -> None:
    """The tables are closed: nothing that came out of a reading changes when it is read again."""
    assert fold(fold(text)) == fold(text)
    assert squeeze(squeeze(text)) == squeeze(text)


@settings(deadline=None)
@given(anything | disguising)
def test_texts_that_fold_alike_squeeze_alike(text: str) -> None:
    """The squeezed reading depends on the folded one alone; the term net relies on it."""
    assert squeeze(fold(text)) == squeeze(text)


def test_every_code_point_is_stable() -> None:
    """The law holds for the whole table, not only for the samples that a generator happens to draw."""
    table = tables()
    assert np.array_equal(table.fold[table.fold], table.fold)
    kept = table.squeeze[table.squeeze != 0]
    assert np.array_equal(table.squeeze[kept], kept)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ＷeＣhat", "wechat"),
        ("臺灣茶葉", "台湾茶叶"),
        ("①٣५߇", "1357"),
        ("раураl", "paypal"),  # Cyrillic а, у, р
        ("𝐇𝓮𝕝𝖑𝗈", "hello"),
        ("ⓗ🄷🅗🅷", "hhhh"),
        ("ＳTRAßE", "straße"),  # ß folds to two letters, so it is left alone
        ("ﷺ", "ﷺ"),  # NFKC would make eighteen characters of it
        ("ｱｶﾞ", "アカ\u3099"),
    ],
)
def test_disguises_that_folding_takes_off(text: str, folded: str) -> None:
    """Width, script, digits and look-alikes fold to the plain form."""
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("text", "squeezed"),
    [
        ("v.i-a g*r_a", "viagra"),
        ("加\u200b微\ufe0f🙂信", "加微信"),
        ("n\u0303o\u0308 é", "noe"),
        ("heeeello", "helo"),
        ("1️⃣2️⃣", "12"),
        ("\u202eabc\u202c", "abc"),
        ("\u3164\u2800\u00ad", ""),
        ("。，！ \t\n", ""),
        ("C++", "c"),
        ("か\u3099が", "か"),
    ],
)
def test_what_squeezing_leaves(text: str, squeezed: str) -> None:
    """Only letters and digits stay, without accents, each run once."""
    assert squeeze(text) == squeezed


@settings(deadline=None)
@given(anything | disguising)
def test_each_squeezed_character_leads_back_to_its_run(text: str) -> None:
    """The extent of one squeezed character begins and ends with characters that squeeze to it."""
    buffer = Buffer(BARRIER + text.replace(BARRIER, REPLACEMENT))
    for i, char in enumerate(buffer.squeezed):
        start, end = buffer.extent(i, i + 1)
        assert buffer.squeezed == squeeze(text.replace(BARRIER, REPLACEMENT))
        assert squeeze(buffer.raw[start]) == squeeze(buffer.raw[end - 1]) == squeeze(buffer.raw[start:end]) == char


@settings(deadline=None)
@given(anything | disguising)
@example("\ud83d\ude00")
def test_surrogates_become_one_replacement_each(text: str) -> None:
    """`scalar` can be encoded as UTF-8 and is as long as before; a pair of surrogates is two characters."""
    safe = scalar(text)
    assert len(safe) == len(text)
    safe.encode()
    assert all(s == t or "\ud800" <= t <= "\udfff" for s, t in zip(safe, text, strict=True))


def test_words_end_at_scripts_without_spaces() -> None:
    """Latin, Cyrillic and digits make words; Han, kana, hangul and Thai do not."""
    assert all(map(is_word, "aя9é"))
    assert not any(map(is_word, "中あ한ก -"))


@pytest.mark.parametrize("flood", ["a" + "\u0301" * 1_000_000, "ﷺ" * 100_000])
def test_a_flood_of_marks_or_ligatures_does_not_grow(flood: str) -> None:
    """A million combining marks vanish; a ligature that NFKC would make eighteen characters stays one."""
    assert len(fold(flood)) == len(flood)
    assert len(squeeze(flood)) == 1


def test_tables_are_small() -> None:
    """Both tables together stay under 12 MB."""
    assert sum(table.nbytes for table in tables()) < 12_000_000


def test_tables_agree_with_unicode_where_it_speaks_of_one_character() -> None:
    """A character whose NFKC case folding is one ASCII character folds to that character."""
    for code in range(0x3000):
        plain = unicodedata.normalize("NFKC", chr(code).casefold()).casefold()
        if len(plain) == 1 and plain.isascii():
            assert fold(chr(code)) == plain


def test_encoding_takes_every_plane() -> None:
    """Code points go in and come out unchanged."""
    text = "a中\U0001f600\U0010fffe\ud800"
    assert encode(text).tolist() == [ord(c) for c in text]

"""The readings of a text that writers of lists are shown."""

import pytest

from placet.screening.readings import MOST_CHARS, as_heard, in_words, readings


def test_readings_that_differ_from_the_text_are_shown() -> None:
    """Each by its name; a text that every reading leaves as it is has none."""
    shown = {each.name: each.text for each in readings("請加　薇 信，ＯＫ")}
    assert shown["folded"] == "请加 薇 信,ok"
    assert shown["squeezed"] == "请加薇信ok"
    assert shown["words"] == "请加| |薇| |信|,ok"
    assert shown["sound"].startswith("qing jia")
    assert readings("ok") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [("今天天气很好", "今天天气|很|好"), ("我用佳威信", "我用|佳|威信"), ("plain words", "")],
)
def test_a_text_is_cut_where_the_dictionary_cuts_it(text: str, words: str) -> None:
    """What no word explains stands alone between bars."""
    assert in_words(text) == words


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("佳威信", "jia wei xin"),
        ("jia wei 信", "jia wei xin"),
        ("hello, world! 信", "· xin"),
        ("nothing heard", ""),
    ],
)
def test_what_is_heard(text: str, heard: str) -> None:
    """Syllables however they are written; what is not heard stands for itself once."""
    assert as_heard(text) == heard


def test_the_beginning_of_a_long_text_is_read() -> None:
    """However long the text, what is shown is bounded."""
    assert all(len(each.text) <= 8 * MOST_CHARS for each in readings("加" * 100_000 + "ＯＫ"))

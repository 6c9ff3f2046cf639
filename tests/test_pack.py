"""Packs: what loads, what is refused and why, and that a pack survives being archived as text."""

import inspect
import json
import os
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packs import CASES, FILES, GROUNDS, HEAD, RULES, WORDS, bend, only, problems, rule, steady, text

from placet.errors import SettingsError
from placet.model import Item
from placet.policy import checks, institution, pack, parse
from placet.policy.compiled import midnight, term_lists
from placet.policy.environment import DETECTOR_LISTS, ENVIRONMENT, TEXT_FIELDS, AccountFacts, leaves
from placet.policy.evaluate import Policy
from placet.policy.pack import digest_of, load_pack, read_pack_folder
from placet.policy.parse import Lines
from placet.policy.values import MICROS, Span, parse_share, parse_span
from placet.screening import TermList, screen


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, body in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(body, encoding="utf-8")
    return folder


# --- what loads ----------------------------------------------------------------------------------------------------


def test_sound_pack_loads() -> None:
    """A sound pack loads, with all that its files say."""
    sound = load_pack(FILES).require()
    assert sound.id == "sample"
    assert [ground.id for ground in sound.grounds] == ["sample.form", "sample.words"]
    assert sound.rules[0].then == "return"
    assert sound.lists[0].terms == ("花言巧语", "humbug")
    assert sound.clocks[0].span == Span(micros=72 * 3600 * MICROS)
    assert re.fullmatch("sha256:[0-9a-f]{64}", sound.digest)


def test_archived_texts_load_again() -> None:
    """The texts that a pack keeps give an equal pack, so that a verdict can be replayed from the record."""
    assert load_pack(load_pack(FILES).require().files) == load_pack(FILES)


def test_folder_and_texts_agree(tmp_path: Path) -> None:
    """A pack on disk is the pack of its texts."""
    assert load_pack(write(tmp_path, dict(FILES))) == load_pack(FILES)


def test_line_ends_and_order_do_not_change_the_digest() -> None:
    """The same pack checked out on another system, its files in another order, has the same digest."""
    windows = {name: body.replace("\n", "\r\n") for name, body in reversed(list(FILES.items()))}
    assert load_pack(windows).require().digest == load_pack(FILES).require().digest


def test_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    """A byte order mark, as some editors write it, is no part of the text."""
    write(tmp_path, dict(FILES))
    (tmp_path / "rules.toml").write_text(RULES, encoding="utf-8-sig")
    assert load_pack(tmp_path) == load_pack(FILES)


@steady
@given(st.sampled_from(sorted(FILES)), st.text(st.characters(codec="utf-8"), min_size=1))
def test_every_character_counts_for_the_digest(name: str, more: str) -> None:
    """Two packs that differ in any character of any file have different digests."""
    assert digest_of({**FILES, name: FILES[name] + more}) != digest_of(FILES)


def test_require_lists_every_problem() -> None:
    """Whoever requires a pack that cannot be used is told all that is wrong with it."""
    with pytest.raises(SettingsError, match=r"rules\.toml") as caught:
        load_pack({**FILES, "rules.toml": "[[rule]]\n"}).require()
    assert str(caught.value).count("[missing-key]") == 5


# --- files ---------------------------------------------------------------------------------------------------------


def test_unknown_file_is_refused() -> None:
    """A misspelt file name is not passed over in silence."""
    assert only({**FILES, "rule.toml": ""}).code == "unknown-file"


@pytest.mark.parametrize(
    "name", ["../rules.toml", "lists/../../x.toml", "/etc/passwd", "lists/a/b.toml", "lists/A.toml"]
)
def test_path_tricks_are_refused(name: str) -> None:
    """A name that leads elsewhere is no file of a pack."""
    assert only({**FILES, name: ""}).code == "unknown-file"


@pytest.mark.parametrize("name", parse.REQUIRED_FILES)
def test_missing_file_is_named(name: str) -> None:
    """Each file that a pack needs is asked for by name."""
    found = only({other: body for other, body in FILES.items() if other != name})
    assert (found.code, found.file) == ("missing-file", name)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    """A folder that does not exist is a problem of the pack, not an exception."""
    assert load_pack(tmp_path / "none").problems[0].code == "missing-file"


def test_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    """A symbolic link is refused unread, wherever it leads."""
    secret = tmp_path / "secret"
    secret.write_text("id = 1")
    folder = write(tmp_path / "pack", dict(FILES))
    (folder / "rules.toml").unlink()
    (folder / "rules.toml").symlink_to(secret)
    assert [problem.code for problem in load_pack(folder).problems] == ["not-a-file"]


def test_linked_subfolder_is_refused(tmp_path: Path) -> None:
    """A linked `lists` folder is refused as a whole."""
    elsewhere = write(tmp_path / "elsewhere", {"rude.toml": WORDS})
    folder = write(tmp_path / "pack", {name: body for name, body in FILES.items() if "lists" not in name})
    (folder / "lists").symlink_to(elsewhere)
    assert [problem.code for problem in load_pack(folder).problems] == ["unknown-file"]


def test_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    """A named pipe in the place of a file is refused, and nobody waits for a writer."""
    folder = write(tmp_path, dict(FILES))
    (folder / "rules.toml").unlink()
    os.mkfifo(folder / "rules.toml")
    assert [problem.code for problem in load_pack(folder).problems] == ["not-a-file"]


def test_oversize_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file over the limit is refused, on disk and as text."""
    monkeypatch.setattr(parse, "MAX_FILE_BYTES", 2_000)
    files = {**FILES, "lists/rude.toml": WORDS + "#" * 2_001}
    assert "too-large" in {problem.code for problem in load_pack(write(tmp_path, files)).problems}
    assert "too-large" in {problem.code for problem in problems(files)}


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with too many files is not read to its end."""
    monkeypatch.setattr(parse, "MAX_FILES", 4)
    assert "too-large" in {problem.code for problem in load_pack(write(tmp_path, dict(FILES))).problems}
    assert "too-large" in {problem.code for problem in problems(FILES)}


def test_hidden_files_are_left_alone(tmp_path: Path) -> None:
    """What editors and version control leave in a folder is no part of the pack."""
    write(tmp_path, {**FILES, ".DS_Store": "x", "lists/.rude.toml.swp": "x"})
    files, found = read_pack_folder(tmp_path)
    assert set(files) == set(FILES)
    assert not found


def test_bytes_that_are_not_utf8_are_named_by_line(tmp_path: Path) -> None:
    """A file in another encoding is refused at the line where it stops being UTF-8."""
    write(tmp_path, dict(FILES))
    (tmp_path / "rules.toml").write_bytes(b"# one\n# caf\xe9\n")
    (found,) = load_pack(tmp_path).problems
    assert (found.code, found.line) == ("not-utf8", 2)


def test_lone_surrogate_is_refused() -> None:
    """A text that UTF-8 cannot hold is refused before it is digested."""
    assert only({**FILES, "rules.toml": RULES + "# \ud800"}).code == "not-utf8"


# --- TOML and shapes -----------------------------------------------------------------------------------------------


def test_broken_toml_names_its_line() -> None:
    """A syntax error is reported with the line at which TOML stops making sense."""
    found = only({**FILES, "rules.toml": RULES + "\nid = = 3\n"})
    assert (found.code, found.file, found.line) == ("not-toml", "rules.toml", 9)


def test_huge_number_is_refused() -> None:
    """A number that Python would not read is refused like any other mistake in the TOML."""
    assert only({**FILES, "rules.toml": RULES + f"note = {'1' * 5_000}\n"}).code == "not-toml"


def test_float_is_refused_where_it_stands() -> None:
    """The record holds no floats, so that a pack has none either."""
    found = only(bend("rules.toml", "from = 2020-01-01", "from = 2020-01-01\nshare = 0.05"))
    assert (found.code, found.line) == ("float", 8)
    assert "0.05" in found.message


@pytest.mark.parametrize(
    ("file", "old", "line"),
    [
        ("pack.toml", "jurisdiction", 4),
        ("pack.toml", "[[clock]]", 23),
        ("grounds.toml", "automatic", 7),
        ("rules.toml", "when", 4),
        ("lists/rude.toml", "label", 2),
        ("cases/form.toml", "expect", 4),
    ],
)
def test_unknown_key_is_refused_in_every_file(file: str, old: str, line: int) -> None:
    """A misspelt key would change what a pack means in silence; it is refused with its line."""
    found = problems(bend(file, old, old.replace("[[", "[[x").replace("]]", "x]]") if "[" in old else f"x{old}"))
    unknown = [problem for problem in found if problem.code == "unknown-key"]
    assert [(problem.file, problem.line) for problem in unknown] == [(file, line)]


def test_unknown_key_deep_inside_is_refused() -> None:
    """Nested tables are checked as well."""
    found = only(bend("cases/form.toml", "expect", "item = { title = '', sauce = '' }\nexpect"))
    assert (found.code, found.line) == ("unknown-key", 4)


def test_missing_key_is_named() -> None:
    """A key that must be there is asked for by name."""
    found = only(bend("rules.toml", 'then = "return"\n', ""))
    assert (found.code, found.line) == ("missing-key", 1)
    assert "'then'" in found.message


@pytest.mark.parametrize("language", ["en", "zh-Hant", "zh-Hans"])
def test_missing_language_is_named(language: str) -> None:
    """A text that lacks a language is refused, since somebody could not read their reason."""
    found = problems(bend("grounds.toml", f"{language} = ", "fr = "))
    assert {problem.code for problem in found} == {"missing-language", "unknown-language"}
    assert all(problem.line == 3 for problem in found)
    assert any(language in problem.message for problem in found)


def test_blank_text_counts_as_missing() -> None:
    """White space is no reason."""
    assert only(bend("grounds.toml", '"The form is wrong"', '" "')).code == "missing-language"


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("rules.toml", '"return"', '"ban"'),
        ("rules.toml", '["publication"]', '["comment"]'),
        ("rules.toml", "2020-01-01", "2020-01-01T00:00:00Z"),
        ("rules.toml", "[[rule]]", "[rule]"),
        ("rules.toml", '"blank"', '"Blank rule"'),
        ("pack.toml", '"TEXT"', '"RUMOUR"'),
        ("pack.toml", "issued = 2020-01-01", "issued = 2020"),
        ("grounds.toml", '[["LAW", "1"]]', '[["LAW"]]'),
        ("grounds.toml", "automatic = true", 'automatic = "yes"'),
        ("cases/form.toml", "2024-01-01T00:00:00+08:00", "2024-01-01T00:00:00"),
        ("lists/rude.toml", '"humbug"]', "3]"),
    ],
)
def test_wrong_values_are_refused(file: str, old: str, new: str) -> None:
    """A value of the wrong kind is refused; among them a case whose time has no zone."""
    found = only(bend(file, old, new))
    assert (found.code, found.file) == ("bad-value", file)


def test_line_of_a_wrong_value_in_a_nested_table() -> None:
    """The line is that of the key itself, three tables deep."""
    found = only(bend("pack.toml", "from = 2020-01-01", 'from = "soon"'))
    assert (found.code, found.line) == ("bad-value", 17)


def test_multi_line_strings_do_not_shift_lines() -> None:
    """Text inside a multi-line string is not taken for tables or keys."""
    rules = rule("a", "\n[[rule]]\nthen = x\n", more='note = "n"') + rule("b", "item.blank", then="ban")
    found = only({**FILES, "rules.toml": rules})
    assert (found.code, found.line) == ("bad-value", rules[: rules.index("ban")].count("\n") + 1)


# --- meanings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "more", "line"),
    [
        ("rules.toml", RULES, 10),
        ("grounds.toml", GROUNDS[: GROUNDS.index("\n\n")], 18),
        ("pack.toml", f'\n[[category]]\nid = "news"\ntitle = {text("N")}\n', 45),
        ("pack.toml", f'\n[[class]]\nid = "individual"\ntitle = {text("N")}\n', 45),
    ],
)
def test_duplicate_ids_are_refused(file: str, more: str, line: int) -> None:
    """An id that stands twice is refused at its second place."""
    found = only({**FILES, file: f"{FILES[file]}\n{more}"})
    assert found.code == "duplicate-id"
    assert FILES[file].count("\n") < found.line <= FILES[file].count("\n") + 5


def test_duplicate_clause_and_list_are_refused() -> None:
    """Clauses within an instrument and lists within a pack have ids of their own."""
    clause = f'[[instrument.clause]]\nid = "1"\nsummary = {text("Again")}\n\n[[clock]]'
    assert only(bend("pack.toml", "[[clock]]", clause)).code == "duplicate-id"
    found = only({**FILES, "lists/second.toml": WORDS})
    assert (found.code, found.file) == ("duplicate-id", "lists/second.toml")


def test_empty_rule_set_is_refused() -> None:
    """A pack without rules would look as if it had looked."""
    assert only({**FILES, "rules.toml": "", "cases/form.toml": ""}).code == "empty-rules"


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../UTC", "Asia\\u0000"])
def test_unknown_timezone_is_refused(name: str) -> None:
    """Dates mean nothing without a timezone that exists."""
    found = only(bend("pack.toml", "Asia/Shanghai", name))
    assert (found.code, found.line) == ("bad-timezone", 3)


@pytest.mark.parametrize("until", ["2020-01-01", "2019-12-31"])
def test_period_that_ends_before_it_begins_is_refused(until: str) -> None:
    """`until` is the first day without force, so that it lies after `from`."""
    assert only(bend("rules.toml", "from = 2020-01-01", f"from = 2020-01-01\nuntil = {until}")).code == "bad-dates"
    version = bend("pack.toml", "from = 2020-01-01", f"from = 2020-01-01\nuntil = {until}")
    assert "bad-dates" in {problem.code for problem in problems(version)}
    right = HEAD.removesuffix("\n") + f"\nuntil = {until}\n"
    assert only({**FILES, "pack.toml": right}).code == "bad-dates"


def test_overlapping_versions_are_refused() -> None:
    """On any day, one version of an instrument is in force at most; adjoining versions do not overlap."""
    second = "from = 2020-01-01\nuntil = {}\n\n[[instrument.version]]\nfrom = 2022-01-01"
    assert only(bend("pack.toml", "from = 2020-01-01", second.format("2022-01-02"))).code == "overlapping-versions"
    assert load_pack(bend("pack.toml", "from = 2020-01-01", second.format("2022-01-01"))).pack


def test_open_ended_version_overlaps_what_follows() -> None:
    """A version without an end reaches into every later one."""
    two = "from = 2020-01-01\n\n[[instrument.version]]\nfrom = 2022-01-01"
    assert only(bend("pack.toml", "from = 2020-01-01", two)).code == "overlapping-versions"


def test_instrument_without_a_version_is_refused() -> None:
    """An instrument says since when it applies."""
    files = bend("pack.toml", "[[instrument.version]]\nfrom = 2020-01-01\n", "")
    files["pack.toml"] = files["pack.toml"].replace('evidence = "TEXT"', 'evidence = "TEXT"\nversion = []')
    assert "no-version" in {problem.code for problem in problems(files)}


@pytest.mark.parametrize("duration", ["72h", "P", "PT", "PT0H", "P1DT1H", "PT1.5H", "-PT1H", "P1H", "P１D"])
def test_bad_durations_are_refused(duration: str) -> None:
    """A duration is ISO 8601 in whole numbers, of clock time or of the calendar."""
    found = only(bend("pack.toml", "PT72H", duration))
    assert (found.code, found.line) == ("bad-duration", 26)


def test_legal_clock_names_its_clause() -> None:
    """A time limit may only be called legal with the clause that sets it."""
    assert only(bend("pack.toml", '"product-policy"', '"legal"')).code == "legal-without-cite"
    assert load_pack(bend("pack.toml", '"product-policy"', '"legal"\ncite = ["LAW", "1"]')).pack
    dangling = bend("pack.toml", '"product-policy"', '"legal"\ncite = ["LAW", "9"]')
    assert only(dangling).code == "dangling-citation"


@pytest.mark.parametrize("cite", ['["LAW", "2"]', '["LEX", "1"]'])
def test_dangling_citation_is_refused(cite: str) -> None:
    """A citation that leads nowhere fails the pack (IM14 art 1)."""
    found = problems(bend("grounds.toml", '["LAW", "1"]', cite))
    assert found[0].code == "dangling-citation"
    assert (found[0].file, found[0].line) == ("grounds.toml", 6)


def test_ground_without_a_citation_is_refused() -> None:
    """Every ground stands on something."""
    assert "ground-without-cite" in {p.code for p in problems(bend("grounds.toml", '[["LAW", "1"]]', "[]"))}


def test_rule_on_an_unknown_ground_is_refused() -> None:
    """A rule names a ground of its pack."""
    found = only(bend("rules.toml", "sample.form", "sample.fork"))
    assert (found.code, found.line) == ("unknown-ground", 6)


def test_right_on_an_unknown_ground_is_refused() -> None:
    """So does a row of the rights table."""
    assert only(bend("pack.toml", "sample.form", "sample.fork")).code == "unknown-ground"


def test_restriction_without_a_ground_is_refused() -> None:
    """Only a rule that approves may leave its ground out."""
    assert only(bend("rules.toml", 'ground = "sample.form"\n', "")).code == "missing-ground"
    approving = bend("rules.toml", 'then = "return"\nground = "sample.form"', 'then = "approve"')
    del approving["cases/form.toml"]
    assert load_pack(approving).pack


def test_catch_all_ground_is_for_people() -> None:
    """A ground that needs a named law is neither automatic nor used by a rule, which cannot name one."""
    both = bend("grounds.toml", "automatic = true", "automatic = true\nneeds_law = true")
    assert {problem.code for problem in problems(both)} == {"automatic-needs-law", "rule-needs-law"}


def test_rights_speak_of_known_names() -> None:
    """The rights table names classes and categories of the pack."""
    assert only(bend("pack.toml", 'category = "news"', 'category = "views"')).code == "unknown-name"
    assert (
        only(bend("pack.toml", 'action = "publish"', 'action = "publish"\nclasses = ["robot"]')).code == "unknown-name"
    )


def test_rule_never_outlives_its_law() -> None:
    """On its first and last day, something that the rule's ground cites is in force."""
    assert only(bend("rules.toml", "2020-01-01", "2019-12-31")).code == "not-in-force"
    ended = bend("pack.toml", "from = 2020-01-01", "from = 2020-01-01\nuntil = 2023-01-01")
    assert {problem.code for problem in problems(ended)} == {"not-in-force"}
    ended["rules.toml"] = RULES + "until = 2023-01-01\n"
    ended["cases/form.toml"] = CASES.replace("2024", "2022")
    assert load_pack(ended).pack


@pytest.mark.parametrize("share", ["", "0%", "100%", "5", "5.12345%", "-1%", "101%", "0.0%"])
def test_canary_share_out_of_range_is_refused(share: str) -> None:
    """A canary's share lies between nothing and everything."""
    assert only({**FILES, "rules.toml": RULES + f'mode = "canary"\nshare = "{share}"\n'}).code == "bad-share"


def test_share_without_a_canary_is_refused() -> None:
    """A share on a live rule would be taken for an effect that it has not."""
    assert only({**FILES, "rules.toml": RULES + 'share = "5%"\n'}).code == "bad-share"


def test_type_error_carries_a_caret() -> None:
    """A condition that does not compile is shown with a mark under the mistake, at its own line."""
    found = only({**FILES, "rules.toml": RULES + rule("x", "item.tilte == ''")})
    assert found.code == "cel"
    assert "^" in found.message
    assert found.line == RULES.count("\n") + 5


def test_condition_must_be_true_or_false() -> None:
    """A condition that gives a number is none."""
    assert only({**FILES, "rules.toml": RULES + rule("x", "size(item.title)")}).code == "cel"


@pytest.mark.parametrize("regex", [r"(a)\\1", "(?=a)", "(", "a{1001}"])
def test_pattern_that_needs_backtracking_is_refused(regex: str) -> None:
    """Patterns run in linear time: what RE2 does not take is refused when the pack is loaded."""
    assert only({**FILES, "rules.toml": RULES + rule("x", f"item.body.matches('{regex}')")}).code == "cel"


def test_scope_is_checked_like_a_rule() -> None:
    """The pack's scope is a condition too."""
    found = only(bend("pack.toml", "title =", "scope = \"account.planet == ''\"\ntitle ="))
    assert (found.code, found.line) == ("cel", 6)


def test_unknown_list_is_refused() -> None:
    """A rule asks for lists that exist; those of screening itself do."""
    found = only({**FILES, "rules.toml": RULES + rule("x", "terms('rude') || terms('lude')")})
    assert found.code == "unknown-list"
    assert "'lude'" in found.message
    assert load_pack({**FILES, "rules.toml": RULES + rule("x", "terms('links/userinfo') || terms('rude')")}).pack


SEES: Final = "terms('external/tone')"
FAILED: Final = "terms('external/tone/failed')"


@pytest.mark.parametrize(
    ("sees", "failed"),
    [
        ("", ""),
        ('mode = "canary"\nshare = "5%"\n', ""),
        ('mode = "shadow"\n', 'mode = "shadow"\n'),
        ('mode = "shadow"\n', ""),
        ("until = 2024-01-01\n", "until = 2024-01-01\n"),
    ],
)
def test_a_rule_that_asks_a_detector_has_one_for_its_failure(sees: str, failed: str) -> None:
    """A rule for what a detector saw loads with one that counts wherever it does and asks whether it saw anything."""
    rules = RULES + rule("sees", SEES, more=sees) + rule("failed", FAILED, more=failed)
    assert load_pack({**FILES, "rules.toml": rules}).require()
    assert load_pack({**FILES, "rules.toml": RULES + rule("sees", f"{SEES} || {FAILED}", more=sees)}).require()
    assert load_pack({**FILES, "rules.toml": RULES + rule("failed", FAILED, more=failed)}).require()


@pytest.mark.parametrize(
    ("sees", "other", "failed"),
    [
        ("", "terms('rude')", ""),
        ("", "terms('external/other/failed')", ""),
        ('mode = "shadow"\n', "terms('rude')", ""),
        ("", FAILED, 'mode = "shadow"\n'),
        ("", FAILED, 'mode = "canary"\nshare = "5%"\n'),
        ('mode = "canary"\nshare = "5%"\n', FAILED, 'mode = "canary"\nshare = "5%"\n'),
        ("", FAILED, "until = 2024-01-01\n"),
        ("until = 2025-01-01\n", FAILED, "until = 2024-01-01\n"),
    ],
)
def test_a_failure_that_nothing_asks_for_is_refused(sees: str, other: str, failed: str) -> None:
    """A detector that fails reports nothing: without a rule for that, all that it should look at would be approved."""
    found = only({**FILES, "rules.toml": RULES + rule("sees", SEES, more=sees) + rule("other", other, more=failed)})
    assert found.code == "failure-not-asked"
    assert "'tone'" in found.message
    assert FAILED in found.hint
    assert found.line == RULES.count("\n") + 5


def test_a_scope_that_asks_a_detector_asks_for_its_failure() -> None:
    """Outside its scope a pack says nothing, and so it would where the detector failed."""
    for scope, codes in ((SEES, {"failure-not-asked"}), (f"{SEES} || {FAILED}", set())):
        files = bend("pack.toml", "title =", f'scope = "{scope}"\ntitle =')
        files["rules.toml"] += rule("failed", FAILED)
        files["cases/form.toml"] = ""
        assert {problem.code for problem in load_pack(files).problems} == codes


def listed(body: str) -> dict[str, str]:
    """The sample with another word list, whose `body` begins on line 4."""
    return {**FILES, "lists/rude.toml": f'name = "rude"\nlabel = "rude"\ntitle = {text("Rude words")}\n{body}'}


def test_term_with_settings_of_its_own_loads() -> None:
    """A [[term]] says more of a term; what it leaves out is as in its list."""
    body = """\
languages = ["en", "zh-Hant"]
terms = ["humbug"]
whole_words = false
added_by = "A. Writer"
added = 2024-01-01
until = 2025-01-01

[[term]]
text = "fiddlesticks"
label = "mild"
views = ["exact"]
whole_words = true
exceptions = ["oh fiddlesticks"]
note = "Nearly harmless."
until = 2024-06-01
"""
    words = load_pack(listed(body)).require().lists[0]
    assert words.texts == ("humbug", "fiddlesticks")
    assert (words.term[0].label, words.term[0].added, words.until) == ("mild", None, date(2025, 1, 1))
    assert [(each.name, each.label, each.terms, each.views, each.exceptions, each.whole_words) for each in
            term_lists([load_pack(listed(body)).require()])] == [
        ("sample/rude", "rude", ("humbug",), TermList("x", ()).views, (), False),
        ("sample/rude", "mild", ("fiddlesticks",), ("exact",), ("oh fiddlesticks",), True),
    ]  # fmt: skip


TERM = '[[term]]\ntext = "a b"\n'


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        ("terms = []", "empty-list", 4),
        ("", "empty-list", 1),
        ('terms = [\n  "a b", # " ",\n  " "]', "blank-term", 6),
        (f'terms = ["c"]\n{TERM.replace("a b", "")}', "blank-term", 6),
        ('terms = [\n  "a b",\n  \'c\', "a b",\n]', "duplicate-term", 6),
        (f'terms = ["a b"]\n{TERM}', "duplicate-term", 6),
        (f'terms = ["c", """\na{"b" * 200}"""]', "long-term", 4),
        (f"{TERM}exceptions = ['a b',\n '{'a b ' * 51}']", "long-term", 7),
        ('terms = [" ab"]', "bad-list", 1),
        ('terms = ["a"]\nlanguages = ["en",\n"Chinese"]', "bad-language", 6),
        (f'{TERM}languages = ["EN"]', "bad-language", 6),
        ('terms = ["a"]\nviews = [\n"exact",\n"sideways"]', "unknown-view", 7),
        (f'{TERM}views = ["sideways"]', "unknown-view", 6),
        ('terms = ["a"]\nadded = 2024-01-02\nuntil = 2024-01-02', "bad-dates", 6),
        (f"{TERM}added = 2024-01-02\nuntil = 2024-01-01", "bad-dates", 7),
        ('terms = ["humbug"]\nexceptions = ["no humbug",\n"no humbag"]', "idle-exception", 6),
        (f'terms = ["humbug"]\n{TERM}exceptions = ["no humbug"]', "idle-exception", 7),
        ('terms = ["a", 7, "b"]', "bad-value", 4),
        ('terms = ["a",\n "b", { c = 1 },\n "d"]', "bad-value", 5),
        (f'terms = ["a"]\n{TERM.replace("[[term]]", "[term]")}', "bad-value", 5),
        (f'terms = ["a"]\n{TERM}colour = "red"', "unknown-key", 7),
        ('terms = ["a"]\n[[term]]\nlabel = "x"', "missing-key", 5),
        ('terms = ["a",\n 1.5]', "float", 5),
    ],
)
def test_lists_are_checked(body: str, code: str, line: int) -> None:
    """Each mistake in a list has its code and names its line, also inside an array of many lines."""
    found = problems(listed(body))[0]
    assert (found.code, found.file, found.line) == (code, "lists/rude.toml", line)
    assert found.hint or code == "bad-list"


@pytest.mark.parametrize("term", ["free money", "加微信"])
def test_exception_may_hold_a_term_in_another_shape(term: str) -> None:
    """An exception excuses what screening finds in it: other case, width and script, and letters set apart."""
    body = f'terms = ["{term}"]\nexceptions = ["No FREE-money here", "请勿加.微信", "请勿加徵信"]'
    left = [found.message for found in problems(listed(body))]
    assert ["FREE" in message for message in left] == ([False, False] if term == "free money" else [True, False])


@steady
@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=20), st.data())
def test_every_term_has_its_line(terms: list[str], data: st.DataObject) -> None:
    """However terms are quoted, commented and broken into lines, a mistake in one names the line on which it stands."""
    written = "terms = [\n"
    lines = []
    for term in terms:
        written += data.draw(st.sampled_from(["", " ", "\n", "# ] \" ' , \n", "\n\t"]))
        lines.append(written.count("\n") + 1)
        written += json.dumps(term, ensure_ascii=False).replace("\x7f", "\\u007f") + ","
    assert tomllib.loads(written + "]")["terms"] == terms
    found = Lines(written + "]")
    assert [found.find(("terms", index)) for index in range(len(terms))] == lines


# --- the end of a term's time --------------------------------------------------------------------------------------

ENDING = """\
terms = ["humbug", "fiddlesticks"]
until = 2025-01-01

[[term]]
text = "balderdash"
until = 2024-06-01

[[term]]
text = "poppycock"
until = 2026-01-01
"""


def instant(day: date) -> int:
    return midnight(day, "Asia/Shanghai")


def test_terms_end_with_their_day_in_the_timezone_of_the_pack() -> None:
    """A term counts until 00:00 of its last date, and never longer than its list."""
    policy = Policy([load_pack(listed(ENDING)).require()])
    first, last = instant(date(2024, 6, 1)), instant(date(2025, 1, 1))
    everything = frozenset({"humbug", "fiddlesticks", "balderdash", "poppycock"})
    assert policy.struck(first - 1) == {}
    assert policy.struck(first) == policy.struck(last - 1) == {"sample/rude": frozenset({"balderdash"})}
    assert policy.struck(last) == {"sample/rude": everything}
    assert [policy.next_struck(at) for at in (0, first - 1, first, last)] == [first, first, last, None]


def test_lexicon_of_an_instant_finds_what_counts_then() -> None:
    """Whoever screens an act uses the terms that counted at it."""
    policy = Policy([load_pack(listed(ENDING)).require()])
    item = Item(body="Humbug, balderdash and poppycock")
    days = (date(2024, 5, 31), date(2024, 6, 1), date(2025, 1, 1))
    found = [[f.quote for f in screen(item, policy.lexicon_at(instant(day)))] for day in days]
    assert found == [["Humbug", "balderdash", "poppycock"], ["Humbug", "poppycock"], []]


def test_golden_cases_know_the_terms_of_their_own_day() -> None:
    """A case is run with the terms that counted at its instant."""
    case = """
[[case]]
name = "Humbug {0}"
at = {1}
item = {{ title = "Humbug" }}
expect = "{2}"
grounds = {3}
"""
    cases = case.format("then", "2024-12-31T23:59:59+08:00", "hold", '["sample.words"]')
    cases += case.format("now", "2025-01-01T00:00:00+08:00", "approve", "[]")
    files = listed(ENDING) | {"rules.toml": RULES + rule("words", "terms('rude')"), "cases/words.toml": cases}
    assert load_pack(files).problems == ()


def test_rules_read_the_findings_of_every_part_of_a_list() -> None:
    """Terms with settings of their own are found under the name of their list."""
    body = f'terms = ["humbug"]\n{TERM}label = "letters"\nviews = ["exact"]'
    files = listed(body) | {"rules.toml": RULES + rule("words", "hits('rude').exists(h, h.label == 'letters')")}
    policy = Policy([load_pack(files).require()])
    item = Item(body="humbug, a b")
    found = screen(item, policy.lexicon)
    assert [(f.list, f.label) for f in found] == [("sample/rude", "rude"), ("sample/rude", "letters")]
    facts = policy.facts(item, AccountFacts(), instant(date(2024, 1, 1)))
    assert policy.evaluate(facts, found, "pub_1").outcome == "hold"


# --- golden cases --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('expect = "return"', 'expect = "refuse"'),
        ('["sample.form"]', "[]"),
        ("expect", 'item = { title = "Something" }\nexpect'),
        ("2024", "2019"),
    ],
)
def test_failing_case_stops_the_pack(old: str, new: str) -> None:
    """A pack does not load unless its own cases pass, in outcome and in grounds."""
    found = only(bend("cases/form.toml", old, new))
    assert (found.code, found.file, found.line) == ("case-fails", "cases/form.toml", 1)
    assert "Nothing comes back" in found.message


@pytest.mark.parametrize(
    ("mode", "listed"), [("shadow", '["words"]'), ("shadow", None), ("live", "[]"), ("live", None)]
)
def test_case_says_what_fires_in_shadow(mode: str, listed: str | None) -> None:
    """`shadow` names the rules that must fire without effect, all of them; left out, any may."""
    expect = 'expect = "hold"\ngrounds = ["sample.words"]' if mode == "live" else 'expect = "approve"'
    shadow = "" if listed is None else f"shadow = {listed}"
    case = f'[[case]]\nname = "Humbug"\nat = 2024-01-01T00:00:00Z\nitem = {{ title = "Humbug" }}\n{expect}\n'
    files = {**FILES, "rules.toml": rule("words", "terms('rude')", more=f'mode = "{mode}"')}
    assert load_pack({**files, "cases/form.toml": case + shadow}).problems == ()
    if listed is not None:
        found = only({**files, "cases/form.toml": f'{case}shadow = ["words", "others"]'})
        came = "['words']" if mode == "shadow" else "[]"
        assert (found.code, found.message.endswith(f"in shadow, came to {came}.")) == ("case-fails", True)


def test_case_whose_rule_fails_does_not_pass() -> None:
    """A case that holds only because a rule failed shows nothing."""
    rules = rule("breaks", "1 / size(item.media) > 0")
    cases = CASES.replace('"return"', '"hold"').replace('["sample.form"]', "[]")
    found = only({**FILES, "rules.toml": rules, "cases/form.toml": cases})
    assert (found.code, "breaks" in found.message) == ("case-fails", True)


@steady
@given(st.dictionaries(st.sampled_from(sorted(FILES)), st.text(max_size=200)))
def test_no_text_makes_loading_raise(changed: dict[str, str]) -> None:
    """Whatever stands in the files, loading answers with a pack or with problems."""
    result = load_pack({**FILES, **changed})
    assert (result.pack is None) == bool(result.problems)


# --- durations and shares ------------------------------------------------------------------------------------------


@steady
@given(st.integers(0, 9_999), st.integers(0, 9_999), st.integers(0, 9_999), st.integers(0, 9_999))
def test_calendar_spans_add_up(years: int, months: int, weeks: int, days: int) -> None:
    """Years count as twelve months and weeks as seven days; a span of nothing is none."""
    span = parse_span(f"P{years}Y{months}M{weeks}W{days}D")
    expected = Span(months=12 * years + months, days=7 * weeks + days)
    assert span == (expected if any(expected) else None)


@steady
@given(st.integers(0, 999_999), st.integers(0, 999_999), st.integers(0, 999_999))
def test_clock_spans_add_up(hours: int, minutes: int, seconds: int) -> None:
    """Clock time is elapsed time, in microseconds."""
    expected = Span(micros=(hours * 3600 + minutes * 60 + seconds) * MICROS)
    assert parse_span(f"PT{hours}H{minutes}M{seconds}S") == (expected if any(expected) else None)


@steady
@given(st.integers(1, 999_999))
def test_share_keeps_every_digit(ppm: int) -> None:
    """A share written with four decimals is exact to a part per million."""
    assert parse_share(f"{ppm // 10_000}.{ppm % 10_000:04}%") == ppm


# --- documentation -------------------------------------------------------------------------------------------------

DOCS = (Path(__file__).parent.parent / "docs" / "packs.md").read_text(encoding="utf-8")


def test_documented_pack_loads() -> None:
    """The pack that the documentation shows is sound."""
    blocks = re.findall(r"```toml\n# (\S+)\n(.*?)```", DOCS, re.DOTALL)
    assert load_pack(dict(blocks)).problems == ()


def test_every_problem_code_is_documented() -> None:
    """The documentation lists exactly the codes that checks may give."""
    source = "".join(inspect.getsource(module) for module in (checks, institution, pack, parse))
    codes = set(re.findall(r"""[pP]roblem\("([a-z0-9-]+)\"""", source))
    section = DOCS.partition("## What a check may say")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert codes == {code for row in rows for code in re.findall(r"`([a-z0-9-]+)`", row)}


def test_every_fact_is_documented() -> None:
    """The documentation lists exactly the facts that a condition may read."""
    section = DOCS.partition("## Facts")[2].partition("What a condition may ask")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    facts = leaves(ENVIRONMENT.variables) | TEXT_FIELDS.keys()
    assert facts == {fact for row in rows for fact in re.findall(r"`([a-z_.]+)`", row)}
    assert set(DETECTOR_LISTS) <= set(re.findall(r"`([a-z/-]+)`", DOCS))

"""The tables around publication, licences, agreement, ladder, records, credit, codes: what loads and what does not."""

from datetime import date
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packs import FILES, GROUNDS, HEAD, RULES, bend, only, pack_of, problems, rule, steady, text

from placet.errors import SettingsError
from placet.model import Citation
from placet.policy import checks, institution
from placet.policy.compiled import midnight
from placet.policy.evaluate import Policy
from placet.policy.pack import load_pack
from placet.policy.values import Pack

ACCOUNTS: Final = f"""\
agreement = "2"
commitments = 1

[[commitment]]
id = "kindness"
title = {text("Kindness")}
text = {text("I am kind.")}
cite = ["LAW", "1"]

[[licence]]
id = "press-card"
title = {text("Press card")}
issuer = "sector-authority"
cite = ["LAW", "1"]
gives = ["news.publish"]
classes = ["individual"]
valid_for = "licence.term"

[[class]]
id = "reporter"
title = {text("Reporter")}
licences = ["press-card"]
"""

SANCTIONS: Final = f"""\
[[rung]]
id = "R0"
title = {text("Advice")}
level = 0
effect = "advise"
allowed = [{{ cite = ["LAW", "1"] }}]

[[rung]]
id = "R1"
title = {text("Warning")}
level = 1
effect = "warn"
longest = "licence.term"
needs = ["peer-check"]
allowed = [{{ cite = ["LAW", "1"], from = 2021-01-01, until = 2022-01-01 }}]
"""

RECORDS: Final = f"""\
[[clock]]
id = "licence.term"
title = {text("Term of a licence")}
duration = "P3Y"
basis = "legal"
cite = ["LAW", "1"]

[[retention]]
id = "log"
title = {text("Logs")}
record = "log"
after = "capture"
basis = "legal"
floor = "P6M"
cite = ["LAW", "1"]

[[retention]]
id = "log.most"
title = {text("Logs, at most")}
record = "log"
after = "capture"
basis = "product-policy"
ceiling = "P1Y"
"""

CREDIT: Final = f"""\
base = 10
newcomer = "low"

[[factor]]
id = "restored"
title = {text("Restored")}
reason = {text("Each takes one point")}
measure = "comments-restored"
weight = -1
most = 5
window = "P1Y"
basis = "product-policy"

[[tier]]
id = "low"
title = {text("Low")}
tools = ["view"]
below = 10
basis = "product-policy"

[[tier]]
id = "high"
title = {text("High")}
tools = ["view", "hide"]
least = 10
lost_at = "R1"
basis = "product-policy"
"""

CODES: Final = f"""\
[[table]]
id = "law.1"
title = {text("Unkind things")}
kind = "undesirable"
cite = ["LAW", "1"]
size = 2

[[code]]
table = "law.1"
code = "words"
ground = "sample.words"
rungs = ["R0"]

[[code]]
table = "law.1"
code = "other"
title = {text("Other")}
needs_law = true

[[field]]
form = "statement"
id = "reason"
title = {text("Reason")}
required = "always"
table = "law.1"
cite = ["LAW", "1"]
"""

WHOLE: Final = {
    **FILES,
    "accounts.toml": ACCOUNTS,
    "codes.toml": CODES,
    "credit.toml": CREDIT,
    "records.toml": RECORDS,
    "sanctions.toml": SANCTIONS,
}
"""The sample with every optional file."""


def changed(file: str, old: str, new: str) -> dict[str, str]:
    """The whole sample with one passage replaced, which must be there."""
    assert old in WHOLE[file], f"{old!r} does not stand in {file}"
    return {**WHOLE, file: WHOLE[file].replace(old, new, 1)}


def line_of(files: dict[str, str], file: str, words: str) -> int:
    """The line of a file on which these words stand first."""
    return files[file][: files[file].index(words)].count("\n") + 1


def whole() -> Pack:
    """The whole sample, loaded."""
    return load_pack(WHOLE).require()


# --- what loads ----------------------------------------------------------------------------------------------------


def test_every_table_becomes_a_value() -> None:
    """A pack with every optional file loads, with all that they say, and again from its texts."""
    pack = whole()
    assert (pack.agreement.agreement, [one.id for one in pack.commitments]) == ("2", ["kindness"])
    assert pack.licences[0].gives == ("news.publish",)
    assert [one.licences for one in pack.classes] == [("press-card",), ()]
    assert [(one.id, one.level, one.reversible) for one in pack.rungs] == [("R0", 0, True), ("R1", 1, True)]
    assert [(one.floor, one.ceiling) for one in pack.retention] == [("P6M", ""), ("", "P1Y")]
    assert (pack.credit.newcomer, pack.factors[0].weight, pack.tiers[1].least) == ("low", -1, 10)
    assert [(one.code, one.needs_law) for one in pack.codes] == [("words", False), ("other", True)]
    assert (pack.tables[0].size, pack.fields[0].table) == (2, "law.1")
    assert load_pack(pack.files).pack == pack


def test_a_pack_needs_none_of_it() -> None:
    """What a pack leaves out is empty, so that older packs stay what they were."""
    pack = load_pack(FILES).require()
    assert (pack.licences, pack.rungs, pack.retention, pack.codes, pack.agreement.commitments) == ((), (), (), (), 0)


def test_tables_may_stand_in_several_files() -> None:
    """Instruments in a folder and clocks of two files are one table; a mistake names the file in which it stands."""
    start, end = HEAD.index("[[instrument]]"), HEAD.index("[[clock]]")
    files = {**WHOLE, "pack.toml": HEAD[:start] + HEAD[end:], "instruments/law.toml": HEAD[start:end]}
    pack = load_pack(files).require()
    assert [one.id for one in pack.instruments] == ["LAW"]
    assert [one.id for one in pack.clocks] == ["hold.max", "licence.term"]
    files["instruments/law.toml"] += HEAD[start:end]
    found = problems(files)[0]
    assert (found.code, found.file) == ("duplicate-id", "instruments/law.toml")
    assert found.line > HEAD[start:end].count("\n")


# --- what is refused -----------------------------------------------------------------------------------------------

OTHER: Final = '[[code]]\ntable = "law.1"\ncode = "other"'
MISTAKES: Final = [
    ("accounts.toml", '["LAW", "1"]\n\n', '["LAW", "7"]\n\n', "dangling-citation", "cite ="),
    ("accounts.toml", "commitments = 1", "commitments = 7", "commitment-count", "commitments ="),
    ("accounts.toml", 'agreement = "2"\n', "", "agreement-version", ""),
    ("accounts.toml", 'gives = ["news.publish"]', 'gives = ["news.publish", "news.edit"]', "unknown-right", "gives ="),
    ("accounts.toml", 'classes = ["individual"]', 'classes = ["robot"]', "unknown-name", "classes ="),
    ("accounts.toml", '"licence.term"', '"licence.life"', "unknown-clock", "valid_for ="),
    ("accounts.toml", 'licences = ["press-card"]', 'licences = ["badge"]', "unknown-licence", "licences ="),
    ("accounts.toml", "sector-authority", "anybody", "bad-value", "issuer ="),
    ("sanctions.toml", "level = 1", "level = 0", "ladder-level", 'level = 0\neffect = "warn'),
    ("sanctions.toml", "level = 1", "level = 2", "ladder-level", "level = 2"),
    ("sanctions.toml", 'allowed = [{ cite = ["LAW", "1"] }]', "allowed = []", "rung-not-allowed", "allowed = []"),
    ("sanctions.toml", "from = 2021-01-01", "from = 2019-01-01", "not-in-force", 'allowed = [{ cite = ["LAW", "1"], '),
    ("sanctions.toml", "until = 2022-01-01", "until = 2021-01-01", "bad-dates", 'allowed = [{ cite = ["LAW", "1"], '),
    ("sanctions.toml", '["LAW", "1"], from', '["LEX", "1"], from', "dangling-citation", 'allowed = [{ cite = ["LEX'),
    ("sanctions.toml", '"licence.term"', '"for.ever"', "unknown-clock", "longest ="),
    ("sanctions.toml", '"warn"', '"whip"', "bad-value", 'effect = "whip"'),
    ("records.toml", 'floor = "P6M"', 'floor = "6 months"', "bad-duration", "floor ="),
    ("records.toml", 'floor = "P6M"\ncite = ["LAW", "1"]', 'floor = "P6M"', "legal-without-cite", "[[retention]]"),
    ("records.toml", 'floor = "P6M"', 'floor = "P13M"', "floor-above-ceiling", "floor ="),
    ("records.toml", 'ceiling = "P1Y"\n', "", "empty-retention", '[[retention]]\nid = "log.most"'),
    ("credit.toml", 'newcomer = "low"', 'newcomer = "lowest"', "unknown-tier", "newcomer ="),
    ("credit.toml", 'newcomer = "low"\n', "", "unknown-tier", ""),
    ("credit.toml", "least = 10", "least = 11", "tier-range", '[[tier]]\nid = "high"'),
    ("credit.toml", "least = 10", "least = 9", "tier-range", '[[tier]]\nid = "high"'),
    ("credit.toml", "least = 10", "least = 10\nbelow = 20", "tier-range", '[[tier]]\nid = "high"'),
    ("credit.toml", "below = 10", "least = 0\nbelow = 10", "tier-range", '[[tier]]\nid = "low"'),
    ("credit.toml", 'window = "P1Y"\n', "", "factor-fading", "[[factor]]"),
    ("credit.toml", 'window = "P1Y"', 'window = "P1Y"\nhalf_life = "P1Y"', "factor-fading", "[[factor]]"),
    ("credit.toml", 'window = "P1Y"', 'window = "a year"', "bad-duration", "window ="),
    ("credit.toml", "weight = -1", "weight = 0", "factor-weight", "weight ="),
    ("credit.toml", '"comments-restored"', '"opinions-held"', "bad-value", "measure ="),
    ("credit.toml", 'lost_at = "R1"', 'lost_at = "R9"', "unknown-rung", "lost_at ="),
    ("codes.toml", "size = 2", "size = 3", "table-size", "size ="),
    ("codes.toml", 'table = "law.1"\ncode = "w', 'table = "law.2"\ncode = "w', "unknown-table", 'table = "law.2"'),
    ("codes.toml", '"always"\ntable = "law.1"', '"always"\ntable = "law.2"', "unknown-table", 'table = "law.2"'),
    ("codes.toml", '"sample.words"', '"sample.swords"', "unknown-ground", "[[code]]"),
    ("codes.toml", 'ground = "sample.words"\n', "", "code-without-title", "[[code]]"),
    ("codes.toml", "needs_law = true", "needs_law = false", "other-without-law", OTHER),
    ("codes.toml", 'rungs = ["R0"]', 'rungs = ["R5"]', "unknown-rung", "rungs ="),
    ("codes.toml", 'code = "other"', 'code = "words"', "duplicate-id", 'code = "words"\ntitle'),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "code", "words"), MISTAKES)
def test_each_mistake_is_named_where_it_stands(file: str, old: str, new: str, code: str, words: str) -> None:
    """Each mistake in these tables has its code, names its line in its file, and says what to do."""
    files = changed(file, old, new)
    found = next((each for each in load_pack(files).problems if each.code == code), None)
    assert found is not None, [str(each) for each in load_pack(files).problems]
    assert (found.file, found.line) == (file, line_of(files, file, words))
    assert found.hint


def test_every_check_has_its_mistake() -> None:
    """Every check of these tables can give a code of a mistake above, and is among those that a pack goes through."""
    shown = {code for _, _, _, code, _ in MISTAKES}
    assert [check.__name__ for check in institution.CHECKS if shown.isdisjoint(check.__code__.co_consts)] == []
    assert set(institution.CHECKS) <= set(checks.STAGES[0])


def test_other_needs_a_ground_that_names_a_law_too() -> None:
    """A code that asks for a law is no use where its ground does not."""
    files = changed("codes.toml", f"title = {text('Other')}\nneeds_law", 'ground = "sample.words"\nneeds_law')
    assert only(files).code == "other-without-law"
    files["grounds.toml"] = GROUNDS.removesuffix("\n") + "\nneeds_law = true\n"
    assert load_pack(files).problems == ()


def test_a_right_that_nobody_can_have_is_refused() -> None:
    """Where a pack says what gives rights, each right that it asks for is among them."""
    found = only(changed("pack.toml", 'any_of = ["news.publish"]', 'any_of = ["news.publish", "news.whisper"]'))
    assert (found.code, found.file) == ("unknown-right", "pack.toml")


@pytest.mark.parametrize(
    ("floor", "ceiling", "fits"),
    [
        ("P6M", "P6M", True),
        ("P184D", "P6M", False),
        ("P181D", "P6M", True),
        ("P6M", "P184D", True),
        ("P6M", "P183D", False),
        ("P1Y", "P366D", True),
        ("P1Y", "P365D", False),
        ("PT48H", "P2D", True),
        ("PT49H", "P2D", False),
    ],
)
def test_floor_and_ceiling_are_compared_by_the_calendar(floor: str, ceiling: str, *, fits: bool) -> None:
    """Six months may be 184 days and may be 181: a floor fits if it does wherever the count begins."""
    files = changed("records.toml", 'ceiling = "P1Y"', f'ceiling = "{ceiling}"')
    files["records.toml"] = files["records.toml"].replace('floor = "P6M"', f'floor = "{floor}"')
    assert {each.code for each in load_pack(files).problems} == (set() if fits else {"floor-above-ceiling"})


def test_another_record_has_a_ceiling_of_its_own() -> None:
    """Floors and ceilings are compared for one record, counted from one event."""
    files = changed("records.toml", '"P6M"', '"P2Y"')
    files["records.toml"] = files["records.toml"].replace('record = "log"', 'record = "notes"', 1)
    assert load_pack(files).problems == ()


@steady
@given(st.lists(st.integers(-50, 50), unique=True, max_size=5), st.permutations(range(6)))
def test_tiers_that_meet_load_in_any_order(bounds: list[int], order: list[int]) -> None:
    """However many tiers there are and in whichever order they are written: those that meet end to end are sound."""
    ends = [None, *sorted(bounds), None]
    tables = []
    for number, (least, below) in enumerate(pairwise(ends)):
        keys = [f"least = {least}" if least is not None else "", f"below = {below}" if below is not None else ""]
        named = f'id = "t{number}"\ntitle = {text("T")}\ntools = ["view"]\nbasis = "product-policy"'
        tables.append("\n".join(["[[tier]]", named, *keys]))
    written = "\n".join(tables[number] for number in order if number < len(tables))
    files = {**WHOLE, "credit.toml": f'newcomer = "t0"\n{written}\n'}
    assert load_pack(files).problems == ()


# --- instruments ---------------------------------------------------------------------------------------------------

LATER: Final = "from = 2020-01-01\nuntil = 2021-01-01\n\n[[instrument.version]]\nfrom = 2021-06-01"


def test_a_gap_between_versions_is_said() -> None:
    """Days on which an instrument is not in force are meant only where they are said, and said only where they are."""
    silent = bend("pack.toml", "from = 2020-01-01", LATER)
    assert only(silent).code == "version-gap"
    said = bend("pack.toml", "from = 2020-01-01", f"{LATER}\ngap = true")
    assert load_pack(said).problems == ()
    none = bend("pack.toml", "from = 2020-01-01", f"{LATER.replace('06-01', '01-01')}\ngap = true")
    assert only(none).code == "version-gap"


def test_instrument_says_when_it_was_issued() -> None:
    """A missing date is not passed over; where it is not known, that is said."""
    assert only(bend("pack.toml", "issued = 2020-01-01\n", "")).code == "not-issued"
    assert load_pack(bend("pack.toml", "issued = 2020-01-01\n", 'dated = "MEM"\n')).pack


def test_clause_that_an_amendment_moved_ends_with_its_day() -> None:
    """A rule does not outlive a clause, though the instrument goes on, and the clause is not shown after its day."""
    files = bend("pack.toml", 'id = "1"\n', 'id = "1"\nuntil = 2024-06-01\n')
    assert {each.code for each in problems(files)} == {"not-in-force"}
    files["rules.toml"] = RULES + "until = 2024-06-01\n"
    policy = Policy([load_pack(files).require()])
    end = midnight(date(2024, 6, 1), "Asia/Shanghai")
    assert [policy.clause(Citation("LAW", "1")).in_force(at) for at in (end - 1, end)] == [True, False]


def test_clause_dates_are_a_period() -> None:
    """The end of a clause lies behind its beginning."""
    found = problems(bend("pack.toml", 'id = "1"\n', 'id = "1"\nfrom = 2024-01-01\nuntil = 2024-01-01\n'))
    assert "bad-dates" in {each.code for each in found}


def test_a_draft_law_stands_only_in_a_draft_pack() -> None:
    """An instrument without a day is held by packs that cannot be in force, marked DRAFT, and by no others."""
    head = HEAD.replace("[[instrument.version]]\nfrom = 2020-01-01\n", "").replace("issued = 2020-01-01\n", "")
    drafted = {**FILES, "pack.toml": head.replace('"TEXT"', '"DRAFT"').replace('"ready"', '"draft"')}
    assert load_pack(drafted).problems == ()
    for ready in (head, head.replace('"TEXT"', '"DRAFT"'), head.replace('"ready"', '"draft"')):
        found = {each.code for each in problems({**FILES, "pack.toml": ready})}
        assert {"no-version", "not-issued"} <= found


# --- the ladder on a day, and packs together -----------------------------------------------------------------------


def test_a_rung_is_there_while_a_clause_allows_it() -> None:
    """The ladder of a day has the rungs that a clause in force allows, mildest first."""
    pack = whole()
    days = [date(2019, 12, 31), date(2020, 1, 1), date(2021, 1, 1), date(2021, 12, 31), date(2022, 1, 1)]
    assert [[rung.id for rung in pack.ladder(day)] for day in days] == [[], ["R0"], ["R0", "R1"], ["R0", "R1"], ["R0"]]
    assert pack.allows(pack.rungs[1], date(2021, 5, 1)) == (Citation("LAW", "1"),)


@pytest.mark.parametrize(("file", "what"), [("accounts.toml", "licence kind"), ("codes.toml", "code table")])
def test_two_packs_do_not_share_a_licence_kind_or_table(file: str, what: str) -> None:
    """A licence or a code belongs to one pack in force, so that what it means does not depend on which is asked."""
    rules = rule("r", "true")
    rest = {name: WHOLE[name] for name in ("records.toml", "sanctions.toml", file)}
    one, two = pack_of(rules, "one", **rest), pack_of(rules, "two", **rest)
    with pytest.raises(SettingsError, match=what):
        Policy([one, two])

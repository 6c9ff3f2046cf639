"""What changes in meaning between two packs: everything that matters, and nothing else."""

from collections.abc import Mapping
from functools import cache

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packs import FILES, RULES, bend, rule, steady

from placet.policy import Pack, load_pack
from placet.policy.difference import Change, Edit, difference, row_name, table_name
from placet.shelf import shipped


def changes(files: Mapping[str, str], before: Mapping[str, str] = FILES) -> tuple[Change, ...]:
    """What changes from the sample, or another, to a pack of these files."""
    old, new = (load_pack(each, run_cases=False).require() for each in (before, files))
    return difference(old, new).changes


def only(files: Mapping[str, str], before: Mapping[str, str] = FILES) -> tuple[str, str, str, tuple[Edit, ...]]:
    """The one thing that changes: table, name, kind and edits."""
    (change,) = changes(files, before)
    return change.table, change.name, change.kind, change.edits


# --- no change -----------------------------------------------------------------------------------------------------

SAME = {
    "a comment": ("rules.toml", "[[rule]]", "# why not\n[[rule]]"),
    "layout of a condition": ("rules.toml", '"item.blank"', '"""\n  ( item.blank ) // nothing\n"""'),
    "a default that is written out": ("rules.toml", "from =", 'mode = "live"\nfrom ='),
    "a duration": ("pack.toml", "PT72H", "PT4320M"),
    "order of keys": (
        "rules.toml",
        'then = "return"\nground = "sample.form"',
        'ground = "sample.form"\nthen = "return"',
    ),
    "order of terms": ("lists/rude.toml", '["花言巧语", "humbug"]', '["humbug", "花言巧语"]'),
    "a term in its own table": ("lists/rude.toml", 'terms = ["花言巧语", "humbug"]', 'terms = ["花言巧语"]\n'),
    "the version": ("pack.toml", 'version = "1"', 'version = "2"'),
}


@pytest.mark.parametrize("what", SAME)
def test_what_means_the_same_is_no_change(what: str) -> None:
    """How something is spelt, ordered, laid out or commented on changes nothing."""
    files = bend(*SAME[what])
    if "own table" in what:
        files["lists/rude.toml"] += '\n[[term]]\ntext = "humbug"\n'
    assert changes(files) == ()


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_pack_does_not_differ_from_itself(name: str) -> None:
    """Read twice, a pack is the same."""
    pack = load_pack(shipped()[name]).require()
    assert difference(pack, load_pack(pack.files).require()).changes == ()


@steady
@given(st.permutations(["a", "b", "c", "d"]))
def test_order_of_rules_is_no_change(order: list[str]) -> None:
    """Rules in another order are the same rules."""
    rules = {name: rule(name, f"item.title == '{name}'") for name in "abcd"}
    before = {**FILES, "rules.toml": RULES + "".join(rules.values())}
    assert changes({**FILES, "rules.toml": "".join(rules[name] for name in order) + RULES}, before) == ()


# --- changes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("rules.toml", '"item.blank"', '"!item.blank"', ("rule", "blank", Edit("when", "item.blank", "!item.blank"))),
        ("rules.toml", '"return"', '"hold"', ("rule", "blank", Edit("then", "return", "hold"))),
        ("rules.toml", "2020-01-01", "2021-01-01", ("rule", "blank", Edit("from", "2020-01-01", "2021-01-01"))),
        ("rules.toml", "from", "until = 2030-01-01\nfrom", ("rule", "blank", Edit("until", None, "2030-01-01"))),
        ("rules.toml", "from", 'mode = "shadow"\nfrom', ("rule", "blank", Edit("mode", None, "shadow"))),
        ("rules.toml", ".form", ".words", ("rule", "blank", Edit("ground", "sample.form", "sample.words"))),
        ("rules.toml", "from", 'note = "x"\nfrom', ("rule", "blank", Edit("note", None, "x", wording=True))),
        ("pack.toml", "PT72H", "PT48H", ("clock", "hold.max", Edit("duration", "PT72H", "PT48H"))),
        ("pack.toml", "Asia/Shanghai", "UTC", ("pack", "sample", Edit("timezone", "Asia/Shanghai", "UTC"))),
        ("pack.toml", '"News"', '"Press"', ("category", "news", Edit("title.en", "News", "Press", wording=True))),
        (
            "pack.toml",
            '["news.publish"]',
            '["news.repost"]',
            ("right", "news publish", Edit("any_of", added=("news.repost",), removed=("news.publish",))),
        ),
        (
            "pack.toml",
            '"Be kind"',
            '"Be good"',
            ("instrument", "LAW", Edit("clause 1.summary.en", "Be kind", "Be good", wording=True)),
        ),
        ("grounds.toml", "automatic = true", "", ("ground", "sample.form", Edit("automatic", True, None))),
        (
            "lists/rude.toml",
            '["花言巧语", "humbug"]',
            '["humbug", "piffle"]',
            ("list", "rude", Edit("term", added=("piffle",), removed=("花言巧语",))),
        ),
        ("cases/form.toml", '"return"', '"hold"', ("case", "Nothing comes back", Edit("expect", "return", "hold"))),
    ],
)
def test_each_change_is_named(file: str, old: str, new: str, expected: tuple[str, str, Edit]) -> None:
    """A change is told with its table, its row and its key as the files have them; wording is told apart."""
    table, name, edit = expected
    assert only(bend(file, old, new)) == (table, name, "changed", (edit,))


def test_rules_come_and_go() -> None:
    """A rule that came is told with all that it says, one that went likewise."""
    more = {**FILES, "rules.toml": RULES + rule("new", "item.title == ''")}
    said = (
        Edit("on", added=("publication",)),
        Edit("when", None, "item.title == ''"),
        Edit("then", None, "hold"),
        Edit("from", None, "2020-01-01"),
        Edit("ground", None, "sample.words"),
    )
    assert only(more) == ("rule", "new", "added", said)
    table, name, kind, edits = only(FILES, more)
    assert (table, name, kind) == ("rule", "new", "removed")
    assert [(edit.key, edit.before, edit.removed) for edit in edits] == [
        (edit.key, edit.after, edit.added) for edit in said
    ]


def test_a_clause_and_a_version_come() -> None:
    """Rows inside a row come and go by their names, with what is said of them."""
    files = bend("pack.toml", "from = 2020-01-01", "from = 2020-01-01\nuntil = 2030-01-01")
    files["pack.toml"] = files["pack.toml"].replace(
        "[[clock]]", "[[instrument.version]]\nfrom = 2031-01-01\ngap = true\n\n[[clock]]", 1
    )
    files["rules.toml"] += "until = 2030-01-01\n"
    found = {change.table: change.edits for change in changes(files)}
    assert found["instrument"] == (
        Edit("version", added=("2031-01-01",)),
        Edit("version 2020-01-01.until", None, "2030-01-01"),
        Edit("version 2031-01-01.gap", None, after=True),
    )
    assert found["rule"] == (Edit("until", None, "2030-01-01"),)


def test_settings_of_a_term_change() -> None:
    """A term that stays and of which something else is said is a change of its list."""
    files = bend("lists/rude.toml", '["花言巧语", "humbug"]', '["花言巧语"]')
    files["lists/rude.toml"] += '\n[[term]]\ntext = "humbug"\nwhole_words = false\n'
    assert only(files) == ("list", "rude", "changed", (Edit("term humbug.whole_words", None, False),))


def test_two_rows_of_one_right() -> None:
    """Rows without an id of their own that are about the same are brought together in order."""
    row = FILES["pack.toml"][FILES["pack.toml"].index("[[right]]") :]
    before = bend("pack.toml", row, f"{row}until = 2022-01-01\n\n{row.replace('2020', '2022')}")
    after = {**before, "pack.toml": before["pack.toml"].replace("from = 2022-01-01", "from = 2023-01-01")}
    assert only(after, before) == ("right", "news publish", "changed", (Edit("from", "2022-01-01", "2023-01-01"),))


@steady
@given(st.data())
def test_there_and_back(data: st.DataObject) -> None:
    """Whatever changes one way changes back the other way: the same rows and keys, with before and after exchanged."""
    old, new = (_mixed(data, _pools()) for _ in range(2))
    there, back = difference(old, new).changes, difference(new, old).changes
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    assert {(each.table, each.name, turned[each.kind]) for each in there} == {
        (each.table, each.name, each.kind) for each in back
    }
    assert {
        (each.table, each.name, edit.key, str(edit.before), str(edit.after)) for each in there for edit in each.edits
    } == {(each.table, each.name, edit.key, str(edit.after), str(edit.before)) for each in back for edit in each.edits}


@cache
def _pools() -> list[Pack]:
    return [load_pack(FILES).require(), *(load_pack(folder).require() for folder in shipped().values())]


def _mixed(data: st.DataObject, pools: list[Pack]) -> Pack:
    """A pack put together from tables of several, some rows left out."""
    made = pools[0]
    for name in ("instruments", "grounds", "rules", "rights", "lists"):
        rows = getattr(data.draw(st.sampled_from(pools)), name)[:4]
        kept = tuple(row for row in rows if data.draw(st.booleans()))
        made = msgspec.structs.replace(made, **{name: kept})
    return made


def test_every_table_of_a_pack_is_compared() -> None:
    """Whichever tables a pack has, each row has a name, and each table the name that it has in files."""
    pack = load_pack(FILES).require()
    bare = msgspec.structs.replace(
        pack,
        **{field.name: () for field in msgspec.structs.fields(Pack) if isinstance(getattr(pack, field.name), tuple)},
    )
    expected = {
        (table_name(field.name, type(row)), row_name(row))
        for field in msgspec.structs.fields(Pack)
        if isinstance(rows := getattr(pack, field.name), tuple)
        for row in rows
    }
    assert {(each.table, each.name) for each in difference(bare, pack).changes} == expected
    assert {table for table, _ in expected} >= {
        "instrument",
        "clock",
        "class",
        "ground",
        "rule",
        "list",
        "case",
        "right",
    }
    assert all(name for _, name in expected)

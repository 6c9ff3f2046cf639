"""`placet pack` as a pack writer uses it: new packs, mistakes, cases, pages, differences and schemas."""

import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import msgspec
import pytest
from packs import CASES, FILES, RULES, bend, rule
from platforms import placet
from typer.testing import CliRunner, Result

from placet.pack_cli import pack_app
from placet.pack_cli.starter import TEMPLATES
from placet.policy import load_pack
from placet.policy import notes as remarks
from placet.policy.schema import schema_name, schemas
from placet.shelf import folder_of, shipped

pytest_plugins = ("platforms",)
pytestmark = pytest.mark.xdist_group("cli")

DOCS: Final = Path(__file__).parents[1] / "docs"


def pack(*arguments: str | Path, code: int = 0) -> Result:
    """Run `placet pack` within this process; it must end with that code, and by no error of its own."""
    done = CliRunner().invoke(pack_app, [str(each) for each in arguments], env={"COLUMNS": "500"})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output
    return done


def said(*arguments: str | Path, code: int = 0) -> Any:
    """Run it with --json and give the value."""
    return json.loads(pack(*arguments, "--json", code=code).stdout)


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write a pack's files."""
    for name, body in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(body, encoding="utf-8")
    return folder


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """The sample pack on disk."""
    return write(tmp_path / "sample", FILES)


# --- new -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_new_pack_is_whole(tmp_path: Path, template: str) -> None:
    """A new pack loads, its cases pass, nothing is left to note, and all in it bears its name."""
    shown = pack("new", "garden", "--template", template, "--in", tmp_path).stdout
    folder = tmp_path / "garden"
    assert shown.endswith(f"Check it with: placet pack check {folder}\n")
    made = load_pack(folder).require()
    assert made.id == "garden"
    assert remarks.notes(made) == ()
    assert all(ground.id.startswith("garden.") for ground in made.grounds)
    assert "my-pack" not in "".join(made.files.values()).casefold()
    assert {case.expect for case in made.cases} > {"approve"}
    assert said("check", folder)["ok"]


def test_a_starter_teaches(tmp_path: Path) -> None:
    """The starter has a list, a rule over words, one over facts, and a comment in every file."""
    pack("new", "garden", "--in", tmp_path)
    made = load_pack(tmp_path / "garden").require()
    assert len(made.lists) == 1
    assert len(made.rules) == 2
    assert all(text.count("\n#") >= 1 for text in made.files.values())


def test_a_new_pack_names_its_schemas(tmp_path: Path) -> None:
    """Each file begins with the place of its schema, where one lies."""
    pack("new", "garden", "--in", tmp_path)
    for file in (tmp_path / "garden").rglob("*.toml"):
        named = re.match(r"#:schema (\S+)\n", file.read_text("utf-8"))
        assert named
        assert "properties" in json.loads((file.parent / named[1]).read_text("utf-8"))


@pytest.mark.parametrize(
    "name", ["../garden", "a/b", "/garden", ".", "..", "Garden", "", "a" * 41, "ga\x1brden", "花園"]
)
def test_a_new_pack_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    """A name that leads elsewhere or could not be a pack's is misuse, and nothing is written."""
    (tmp_path / "in").mkdir()
    shown = pack("new", "--in", tmp_path / "in", "--", name, code=2).output
    assert "\x1b[3" not in shown or "is no name" in shown
    assert [each.name for each in tmp_path.rglob("*")] == ["in"]


@pytest.mark.parametrize("name", ["community", "links", "external"])
def test_a_new_pack_takes_no_name_that_is_taken(tmp_path: Path, name: str) -> None:
    """Names of shipped packs, and those under which findings of no pack are, are refused."""
    pack("new", name, "--in", tmp_path, code=2)
    assert list(tmp_path.iterdir()) == []


def test_a_new_pack_writes_over_nothing(tmp_path: Path) -> None:
    """Where a folder, a file or a dangling link of that name is, it stops and leaves it as it was."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("folder", "file", "link"):
        assert "there already" in pack("new", name, "--in", tmp_path, code=2).output
    assert list((tmp_path / "folder").iterdir()) == []
    assert (tmp_path / "file").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_an_unknown_template_is_misuse(tmp_path: Path) -> None:
    """Templates have names; another is refused with those that there are."""
    shown = pack("new", "garden", "--template", "palace", "--in", tmp_path, code=2).output
    assert all(name in shown for name in TEMPLATES)


# --- check ---------------------------------------------------------------------------------------------------------


def test_check_lists_every_mistake(sample: Path) -> None:
    """Mistakes in several files come together, each with file and line, what to do, and a caret in a condition."""
    write(sample, {"rules.toml": RULES + rule("x", "item.tilte == ''"), "grounds.toml": FILES["grounds.toml"]})
    write(
        sample, bend("lists/rude.toml", '"no humbug"', '"no humbag"') | {"rules.toml": RULES + rule("x", "item.tilte")}
    )
    shown = pack("check", sample, code=1).stdout
    assert f"{sample}/rules.toml:12: mistake: " in shown
    assert re.search(r"\n \| item\.tilte\n \| +\^+\n", shown)
    assert f"{sample}/lists/rude.toml:5: mistake: The exception 'no humbag'" in shown
    assert shown.endswith(f"{sample}: 2 mistakes\n")
    found = said("check", sample, code=1)
    assert {(each["code"], each["file"], each["line"]) for each in found["packs"][0]["problems"]} == {
        ("cel", "rules.toml", 12),
        ("idle-exception", "lists/rude.toml", 5),
    }
    assert all(each["hint"] for each in found["packs"][0]["problems"])


def test_check_of_a_case_that_fails(sample: Path) -> None:
    """A pack whose case fails is refused, with the case's line."""
    write(sample, {"cases/form.toml": CASES.replace('"return"', '"hold"')})
    (problem,) = said("check", sample, code=1)["packs"][0]["problems"]
    assert (problem["code"], problem["file"], problem["line"]) == ("case-fails", "cases/form.toml", 1)


NOTED: Final = {
    "idle-term": bend("lists/rude.toml", '["no humbug"]', '["no humbug", "humbug"]'),
    "unused-list": FILES,
    "softened": bend("rules.toml", "sample.form", "sample.words") | {"cases/form.toml": ""},
    "untried-rule": {**FILES, "rules.toml": RULES + rule("words", "terms('rude')")},
    "screening": {**FILES, "rules.toml": RULES + rule("x", "item.body.matches('^[^\\\\p{Ll}]{12,}$')")},
}


@pytest.mark.parametrize("code", NOTED)
def test_notes_stop_nothing(tmp_path: Path, code: str) -> None:
    """What is allowed and perhaps not meant is noted at its line; the pack is sound all the same."""
    folder = write(tmp_path / "sample", NOTED[code])
    found = said("check", folder)
    notes = {note["code"]: note for note in found["packs"][0]["notes"]}
    assert found["ok"]
    if code == "screening" and code not in notes:
        pytest.skip("without Hyperscan every pattern is searched by RE2, and none is noted")
    assert notes[code]["line"] >= 1
    assert f": note: {notes[code]['message']} [{code}]" in pack("check", folder).stdout


def test_every_note_is_documented() -> None:
    """packs.md lists exactly the notes that there are."""
    section = (DOCS / "packs.md").read_text("utf-8").partition("## What a note may say")[2].partition("\n## ")[0]
    assert set(re.findall(r"(?m)^\| `([a-z-]+)`", section)) == set(NOTED)


def test_packs_are_checked_together(tmp_path: Path, sample: Path) -> None:
    """Two packs with one ground are sound by themselves and cannot be in force together."""
    other = write(tmp_path / "other", bend("pack.toml", 'id = "sample"', 'id = "other"'))
    shown = pack("check", sample, other, code=1).stdout
    assert shown.endswith("together: Two packs in force have one ground 'sample.form'; leave one of them out.\n")
    assert said("check", sample, other, code=1)["together"]
    assert pack("check", *shipped()).stdout.endswith("together: no mistake\n")


@pytest.mark.parametrize("command", ["check", "test", "show", "diff"])
def test_an_unknown_pack_is_misuse(command: str) -> None:
    """A name that is no pack's is misuse, and those that ship are named."""
    twice = ["nowhere"] if command == "diff" else []
    shown = pack(command, "nowhere", *twice, code=2).output
    assert "no rule pack 'nowhere'" in shown
    assert "community" in shown


def test_a_file_is_no_pack(sample: Path) -> None:
    """Whoever names a file is told to name its folder."""
    assert "is a file" in pack("check", sample / "rules.toml", code=2).output


def test_dots_name_folders_and_nothing_shipped(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`.` and `..` are folders of the reader's, not of the package."""
    monkeypatch.chdir(sample)
    assert load_pack(folder_of(".")).require().id == "sample"
    assert folder_of("..").resolve() == sample.parent


def _link(folder: Path) -> None:
    (folder / "rules.toml").unlink()
    (folder / "rules.toml").symlink_to("/etc/hostname")


def _linked_folder(folder: Path) -> None:
    (folder / "lists").rename(folder.parent / "lists")
    (folder / "lists").symlink_to(folder.parent / "lists")


def _bytes(folder: Path) -> None:
    (folder / "lists" / "rude.toml").write_bytes(b'name = "rude"\n\x00\xff\xfe')


def _pipe(folder: Path) -> None:
    (folder / "grounds.toml").unlink()
    os.mkfifo(folder / "grounds.toml")


def _escape(folder: Path) -> None:
    (folder / "\x1b[31mred.toml").write_text("")


def _surrogate(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.toml")).write_text("")


BAD: Final[dict[str, tuple[Callable[[Path], None] | dict[str, str], str]]] = {
    "a link": (_link, "not-a-file"),
    "a linked folder": (_linked_folder, "unknown-file"),
    "bytes": (_bytes, "not-utf8"),
    "a pipe": (_pipe, "not-a-file"),
    "a name that colours": (_escape, "unknown-file"),
    "a name that is no text": (_surrogate, "unknown-file"),
    "an include": ({"rules.toml": f'include = "../rules.toml"\n{RULES}'}, "unknown-key"),
    "deep nesting": ({"rules.toml": f"{RULES}note = {'[' * 100_000}"}, "not-toml"),
    "a huge number": ({"rules.toml": f"{RULES}note = {'9' * 100_000}"}, "not-toml"),
    "a huge literal": ({"rules.toml": RULES + rule("x", f"size(item.media) == {'9' * 100_000}")}, "cel"),
    "a deep condition": ({"rules.toml": RULES + rule("x", "(" * 100_000 + "true" + ")" * 100_000)}, "cel"),
    "a huge term": ({"lists/rude.toml": FILES["lists/rude.toml"].replace("humbug", "h" * 1_000_000)}, "long-term"),
    "nothing": ({"rules.toml": ""}, "empty-rules"),
}
"""What may be done to a pack's folder, by what it is, with the mistake that is then found."""


@pytest.mark.parametrize("what", BAD)
def test_bad_input_has_its_message(sample: Path, what: str) -> None:
    """Whatever lies in the folder, every command says what is wrong with it, and no control character is printed."""
    bend_it, code = BAD[what]
    if callable(bend_it):
        bend_it(sample)
    else:
        write(sample, {"cases/form.toml": "", **bend_it})
    found = said("check", sample, code=1)
    assert code in {problem["code"] for problem in found["packs"][0]["problems"]}
    for command in ("check", "test", "show"):
        shown = pack(command, sample, code=1).stdout
        assert f"[{code}]" in shown
        assert [char for char in shown if not char.isprintable() and char != "\n"] == []


# --- test ----------------------------------------------------------------------------------------------------------


def test_cases_that_pass_have_a_line_each() -> None:
    """Of a sound pack every case is told in a line with what came of it."""
    shown = pack("test", "cn-public-accounts").stdout.splitlines()
    cases = load_pack(folder_of("cn-public-accounts")).require().cases
    assert len(shown) == len(cases) + 2
    assert [line.startswith("  pass  ") for line in shown[1:-1]] == [True] * len(cases)
    assert shown[-1] == f"{len(cases)} cases, 0 failed."


WHY: Final = {
    **FILES,
    "rules.toml": RULES
    + rule("words", "terms('rude') && account.class == 'enterprise'")
    + rule("later", "terms('rude')", more="from = 2030-01-01")
    + rule("watch", "item.title != ''", more='mode = "shadow"'),
    "cases/form.toml": CASES
    + """
[[case]]
name = "Humbug waits"
at = 2024-01-01T00:00:00+08:00
item = { title = "Humbug" }
expect = "hold"
grounds = ["sample.words", "sample.gone"]
""",
}


def test_a_failing_case_says_why(tmp_path: Path) -> None:
    """Rules that were expected to fire are told part by part with their facts, or what kept them from counting."""
    folder = write(tmp_path / "sample", WHY)
    shown = pack("test", folder, code=1).stdout
    assert "  pass  Nothing comes back: return on sample.form\n" in shown
    assert f"  FAIL  Humbug waits  {folder}/cases/form.toml:7\n" in shown
    assert "expected hold on sample.gone, sample.words\n        came to  approve\n" in shown
    assert "did not fire: words (hold on sample.words)\n" in shown
    assert "true   terms('rude')   # rude: \"Humbug\"\n" in shown
    assert "false  account.class == 'enterprise'   # account.class = \"individual\"\n" in shown
    assert "it is not in force then: from 2030-01-01" in shown
    assert "fired: watch (hold on sample.words)\n          it is in shadow, without effect\n" in shown
    assert "no rule restricts on sample.gone" in shown
    assert shown.endswith("2 cases, 1 failed.\n")


def test_a_failing_case_for_programs(tmp_path: Path) -> None:
    """The same as values."""
    found = said("test", write(tmp_path / "sample", WHY), code=1)
    case = found["packs"][0]["cases"][1]
    assert (case["ok"], case["line"], case["came"]) == (
        False,
        7,
        {"outcome": "approve", "grounds": [], "shadow": ["watch"]},
    )
    rules = {each["rule"]: each for each in case["rules"]}
    assert [(part["condition"], part["true"]) for part in rules["words"]["parts"]] == [
        ("terms('rude')", True),
        ("account.class == 'enterprise'", False),
    ]
    assert rules["words"]["parts"][1]["facts"] == {"account.class": "individual"}
    assert (rules["watch"]["fired"], rules["later"]["parts"]) == (True, [])


def test_a_case_says_what_must_fire_in_shadow(tmp_path: Path) -> None:
    """Where only the rules in shadow differ, both are named, and the rule that did not fire is explained."""
    cases = WHY["cases/form.toml"].replace('"hold"', '"approve"').replace('["sample.words", "sample.gone"]', "[]")
    passes = {**WHY, "cases/form.toml": f'{cases}shadow = ["watch"]\n'}
    assert "2 cases, 0 failed." in pack("test", write(tmp_path / "sample", passes)).stdout
    fails = {**WHY, "cases/form.toml": f'{cases}shadow = ["words", "watch"]\n'}
    shown = pack("test", write(tmp_path / "sample", fails), code=1).stdout
    assert "expected approve; in shadow: watch, words\n        came to  approve; in shadow: watch\n" in shown
    assert "did not fire: words (hold on sample.words)\n" in shown


def test_a_rule_that_fails_is_told(tmp_path: Path) -> None:
    """A case that came about through an error fails, with the part that failed and its facts."""
    cases = CASES.replace('"return"', '"hold"').replace('["sample.form"]', "[]")
    files = {**FILES, "rules.toml": rule("breaks", "1 / size(item.media) > 0"), "cases/form.toml": cases}
    shown = pack("test", write(tmp_path / "sample", files), code=1).stdout
    assert "the rule breaks failed: division by zero" in shown
    assert "error  1 / size(item.media) > 0   # division by zero; item.media = []" in shown


def test_a_scope_that_leaves_the_item_out_is_told(tmp_path: Path) -> None:
    """Where the pack does not apply at all, its scope is what is shown."""
    files = bend("pack.toml", "title =", "scope = \"account.territory == 'FR'\"\ntitle =")
    shown = pack("test", write(tmp_path / "sample", files), code=1).stdout
    assert "the scope of the pack does not take the item in: account.territory == 'FR'" in shown


def test_one_case_can_be_run(tmp_path: Path) -> None:
    """--case takes words of a name; words that stand in none are misuse."""
    folder = write(tmp_path / "sample", WHY)
    assert pack("test", folder, "--case", "NOTHING").stdout.endswith("1 case, 0 failed.\n")
    assert "No case has 'zebra'" in pack("test", folder, "--case", "zebra", code=2).output


# --- show and list -------------------------------------------------------------------------------------------------


def test_list_has_what_ships() -> None:
    """Every shipped pack is listed."""
    assert [each["id"] for each in said("list")] == sorted(shipped())
    assert "community  " in pack("list").stdout


def test_a_page_is_of_a_day() -> None:
    """An instrument, and a rule, stand on the page while they are in force; before and after, at its end."""
    for day, old, new in (("2018-01-01", True, False), ("2022-01-01", False, True)):
        tables = said("show", "cn-public-accounts", "--at", day)["tables"]
        ids = {row["id"] for row in tables["instrument"]}
        assert ("PA17" in ids, "PA21" in ids) == (old, new)
    shown = pack("show", "cn-public-accounts", "--at", "2010-01-01").stdout
    assert "\nRULES\n" not in shown
    assert "\n  rule news-publish-needs-right, from 2014-08-07\n" in shown


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ["\nRULES\n", "refuse"]), ("zh-Hant", ["\n規則\n", "拒絕"]), ("zh-Hans", ["\n规则\n", "拒绝"])],
)
def test_a_page_is_in_a_language(language: str, words: list[str]) -> None:
    """Texts and the page's own words are in the language asked for; conditions and citations stand with their rules."""
    made = load_pack(folder_of("cn-public-accounts")).require()
    shown = pack("show", "cn-public-accounts", "--at", "2024-01-01", "--lang", language).stdout
    assert all(word in shown for word in words)
    assert made.head.title[language] in shown
    assert "item.category == 'current-affairs' && item.origin == 'original'" in shown
    assert "(im14.7.2): IM14 7(2); NEWS17 5; PA21 5" in shown


def test_a_page_has_everything_in_force() -> None:
    """Each row of each table stands on it by its name, whichever tables a pack has."""
    made = load_pack(folder_of("community")).require()
    shown = pack("show", "community").stdout
    for field in msgspec.structs.fields(type(made)):
        rows = getattr(made, field.name)
        if isinstance(rows, tuple) and field.name != "cases":
            names = [getattr(row, "id", "") or getattr(row, "name", "") for row in rows]
            assert [name for name in names if name not in shown] == []


@pytest.mark.parametrize("arguments", [["--at", "yesterday"], ["--lang", "fr"], ["--at", "2024-13-01"]])
def test_a_page_that_cannot_be_is_misuse(arguments: list[str]) -> None:
    """Dates are dates, and languages those of the product."""
    pack("show", "community", *arguments, code=2)


# --- diff ----------------------------------------------------------------------------------------------------------


def test_diff_says_what_changes(tmp_path: Path, sample: Path) -> None:
    """Changes stand with their table, name and key; those of wording say so."""
    files = bend("rules.toml", 'then = "return"', 'then = "hold"')
    files["lists/rude.toml"] = files["lists/rude.toml"].replace('"humbug"]', '"humbug", "piffle"]')
    files["grounds.toml"] = files["grounds.toml"].replace('"Explain them"', '"Explain these"')
    other = write(tmp_path / "other", files)
    shown = pack("diff", sample, other).stdout
    assert "~ rule blank: changed\n    then: return → hold\n" in shown
    assert '~ list rude: changed\n    term + 1: "piffle"\n' in shown
    assert "~ ground sample.words: changed (wording)\n    remedy.en: Explain them → Explain these\n" in shown
    assert shown.endswith("2 changes in effect, 1 in wording alone.\n")
    found = said("diff", sample, other)
    assert not found["same_meaning"]
    assert [each["wording"] for each in found["changes"]] == [True, False, False]


def test_diff_of_the_same_meaning(tmp_path: Path, sample: Path) -> None:
    """Files that differ in comments alone have other digests and one meaning."""
    other = write(tmp_path / "other", {**FILES, "rules.toml": f"# remark\n{RULES}"})
    assert pack("diff", sample, other).stdout.endswith("No change in meaning, though the files differ.\n")
    assert pack("diff", sample, sample).stdout.endswith("The files are the same.\n")
    assert said("diff", sample, other)["same_meaning"]


# --- schemas -------------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """TOML as JSON, dates as their texts, as editors hand it to a schema."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.isoformat() if isinstance(value, date | datetime) else value


def complaints(name: str, text: str) -> list[str]:
    """What the schema of such a file says against a text."""
    validator = jsonschema_rs.Draft202012Validator(schemas()[schema_name(name)], validate_formats=True)
    return [str(error) for error in validator.iter_errors(plain(tomllib.loads(text)))]


def test_packs_fit_the_schemas() -> None:
    """Every file of every shipped pack, and of the sample, is valid."""
    packs = [dict(FILES), *({**load_pack(folder).require().files} for folder in shipped().values())]
    assert {
        name: complaints(name, text) for files in packs for name, text in files.items() if complaints(name, text)
    } == {}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("rules.toml", "when", "wenn"),
        ("rules.toml", '"return"', '"ban"'),
        ("rules.toml", '["publication"]', '"publication"'),
        ("rules.toml", "2020-01-01", '"soon"'),
        ("rules.toml", 'id = "blank"', 'id = "Blank rule"'),
        ("grounds.toml", "zh-Hant", "fr"),
        ("grounds.toml", '"The form is wrong"', '" "'),
        ("grounds.toml", '[["LAW", "1"]]', '[["LAW"]]'),
        ("pack.toml", 'timezone = "Asia/Shanghai"\n', ""),
        ("pack.toml", '"TEXT"', '"RUMOUR"'),
        ("pack.toml", "[[clock]]", "[[klock]]"),
        ("cases/form.toml", 'expect = "return"', 'expect = "return"\nitem = { sauce = "" }'),
        ("lists/rude.toml", "exceptions", 'views = ["sideways"]\nexceptions'),
    ],
)
def test_a_mistake_does_not_fit(file: str, old: str, new: str) -> None:
    """What loading refuses for its shape, the schema refuses as well."""
    files = bend(file, old, new)
    assert load_pack(files).pack is None
    assert complaints(file, files[file])


def test_every_key_is_explained() -> None:
    """Each key of each table has its sentence: in explained.KEYS, or as the docstring of its field."""
    silent = [
        f"{name}: {where}.{key}"
        for name, schema in schemas().items()
        for where, table in {"": schema, **schema["$defs"]}.items()
        for key, value in table.get("properties", {}).items()
        if where != "Text" and not value.get("description")
    ]
    assert silent == []


def test_schemas_are_written_anew(tmp_path: Path) -> None:
    """`pack schema` puts valid schemas into a folder, in the place of older ones; a link is not written through."""
    folder = tmp_path / "made" / "here"
    pack("schema", folder)
    (folder / "rules.schema.json").write_text("old")
    (folder / "pack.schema.json").unlink()
    (folder / "pack.schema.json").symlink_to(tmp_path / "elsewhere")
    pack("schema", folder)
    assert not (tmp_path / "elsewhere").exists()
    for name, schema in schemas().items():
        assert json.loads((folder / name).read_text("utf-8")) == schema
        jsonschema_rs.meta.validate(schema)
    assert sorted(each.name for each in folder.iterdir()) == sorted(schemas())


# --- as a program --------------------------------------------------------------------------------------------------


def test_exit_codes_of_the_program(sample: Path) -> None:
    """0 fine, 1 mistakes, 2 misuse; without a terminal nothing is coloured."""
    assert placet("pack", "check", str(sample)).stdout.startswith(f"{sample}/lists/rude.toml:1: note: ")
    (sample / "rules.toml").write_text("")
    done = placet("pack", "check", str(sample), check=False)
    assert (done.returncode, "\x1b" in done.stdout) == (1, False)
    done = placet("pack", "show", "nowhere", check=False)
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (2, "", False)

"""The cookbook and the reference for rule writers: every recipe is a pack that loads, every name has its sentence."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from packs import only
from typer.testing import CliRunner

from placet.pack_cli import pack_app
from placet.pack_cli.reference import facts, reference
from placet.policy import Pack, Policy, load_pack
from placet.policy.cel import (
    BOOL,
    DYN,
    HIT,
    INT,
    STRING,
    CelError,
    Environment,
    compile_rule,
    functions,
    list_of,
    macros,
    map_of,
)
from placet.policy.cel import check as calls
from placet.policy.environment import (
    DETECTOR_LISTS,
    ENVIRONMENT,
    MEANING,
    OF_FINDINGS,
    VARIABLES,
    WINDOW_MEANING,
    WINDOWS,
    leaves,
)
from placet.policy.notes import notes as remarks
from placet.screening.contacts import KINDS

DOCS: Final = Path(__file__).parents[1] / "docs"

# --- the reference -------------------------------------------------------------------------------------------------


def test_the_reference_is_what_is_declared() -> None:
    """docs/rules-reference.md is what `placet pack reference` prints; where it is not, print it anew."""
    printed = CliRunner().invoke(pack_app, ["reference"])
    assert printed.exit_code == 0
    assert (DOCS / "rules-reference.md").read_text("utf-8") == printed.stdout == reference()


NAMED: Final[Mapping[str, tuple[set[str], Mapping[str, str]]]] = {
    "facts": ({path for path, _, _ in facts()}, MEANING),
    "contacts": (
        {f"contacts/{kind}" for kind in KINDS},
        {name: text for name, text in DETECTOR_LISTS.items() if name.startswith("contacts/")},
    ),
    "functions": (set(functions.FUNCTIONS), functions.MEANING),
    "macros": (
        set(macros.MACRO_NAMES),
        {re.sub(r"^\w\.|\(.*$", "", form): text for form, text in macros.MEANING.items()},
    ),
    "calls": ({*calls.TEXT_CALLS, "matches", *["==", "!=", "in", "&&", "||", "?:", "[]", "."]}, calls.MEANING),
    "windows": (set(WINDOWS), WINDOW_MEANING),
    "hits": ({name for name, _ in HIT.fields}, calls.HIT_MEANING),
}
"""What is named by what is declared, and what has a sentence."""


@pytest.mark.parametrize("what", NAMED)
def test_each_name_has_its_sentence(what: str) -> None:
    """Each fact, list, function, macro and operator has one sentence beside it, and nothing else has."""
    named, meaning = NAMED[what]
    assert named == set(meaning)
    assert [text for text in meaning.values() if not re.fullmatch(r"[^\n]+[^.\n]\.", text)] == []


def test_the_reference_says_what_is_recorded() -> None:
    """What is said to be recorded when it is read, or never, is what the policy keeps of the facts."""
    said = dict(re.findall(r"(?m)^\| `([\w.]+)` \|.*\| ([^|]+) \|$", _section("Facts")))
    every = {path for path, _, inside in facts() if not inside}
    assert set(said) == every
    kept = leaves(VARIABLES) - OF_FINDINGS
    assert {path for path, when in said.items() if when in ("when a rule reads it", "always")} == kept


@pytest.mark.parametrize("path", [path for path, _, inside in facts() if not inside])
def test_each_fact_is_of_the_type_that_is_said(path: str) -> None:
    """A condition can name every fact of the reference, and finds it to be of that type."""
    (kind,) = (kind for each, kind, _ in facts() if each == path)
    assert compile_rule(path, ENVIRONMENT, kind).reads == {path}


SHOWN: Final = {"?:": "b ? i : i", "[]": "l[i]", ".": "m.k", "in": "i in l", "&&": "b && b", "||": "b || b"}
"""How an operator is written whose operands are not two numbers; each operand is one step."""


@pytest.mark.parametrize(("name", "steps"), re.findall(r"(?m)^\| `(.+)` \| any \| (\d+) \|", reference()))
def test_operators_take_the_steps_that_are_said(name: str, steps: str) -> None:
    """The steps of operators that are no functions are those that the compiler counts beside their operands."""
    operator = name.replace("\\", "")
    written = SHOWN.get(operator, f"i {operator} i")
    kinds = {"b": BOOL, "i": INT, "l": list_of(INT), "m": map_of(STRING, INT)}
    operands = len(re.findall(r"\b[bilm]\b", written))
    assert compile_rule(written, Environment(kinds), DYN).cost - operands == int(steps)


def test_a_limit_of_the_reference_is_a_limit() -> None:
    """A condition of more steps than the reference allows is refused, as one that is shorter is not."""
    steps = int(re.findall(r"may take ([\d,]+) steps", reference())[0].replace(",", ""))
    fits = " || ".join(["true"] * (steps // 4))
    assert compile_rule(fits[:19_000].rpartition(" ||")[0], ENVIRONMENT).cost < steps
    with pytest.raises(CelError, match="too costly"):
        compile_rule("item.media.exists(a, item.media.exists(b, a == b))", ENVIRONMENT)


def _section(title: str) -> str:
    return reference().partition(f"## {title}\n")[2].partition("\n## ")[0]


# --- the cookbook --------------------------------------------------------------------------------------------------

BOOK: Final = (DOCS / "cookbook.md").read_text("utf-8")
FRAME: Final = "The pack that they were tried in"
WRONG: Final = "*What it gets wrong*: "


@cache
def sections() -> Mapping[str, str]:
    """The sections of the cookbook by their titles."""
    _, *parts = re.split(r"(?m)^## ", BOOK)
    return {title: body for title, _, body in (part.partition("\n") for part in parts)}


RECIPES: Final = [title for title in sections() if title != FRAME]


def files_of(title: str) -> dict[str, str]:
    """The files of a recipe's pack: those that all share, with what the recipe adds to them."""
    files: dict[str, str] = {}
    for block in re.findall(r"(?ms)^```toml\n(.*?)^```$", sections()[FRAME] + sections()[title]):
        name, _, text = block.removeprefix("# ").partition("\n")
        files[name] = f"{files.get(name, '')}\n{text}"
    return files


@cache
def pack_of(title: str) -> Pack:
    """The pack of a recipe, whose cases pass."""
    return load_pack(files_of(title)).require()


@pytest.mark.parametrize("title", RECIPES)
def test_each_recipe_loads(title: str) -> None:
    """A recipe is a pack without a mistake, whose cases pass, and of which nothing is to be remarked."""
    result = load_pack(files_of(title))
    assert [str(problem) for problem in result.problems] == []
    assert remarks(pack_of(title)) == ()


@pytest.mark.parametrize("title", RECIPES)
def test_each_rule_fires_in_a_case_and_rests_in_another(title: str) -> None:
    """Of every rule of a recipe one case shows it at work, and another shows what it leaves alone."""
    pack = pack_of(title)
    verdicts = [Policy([pack]).try_case(case).verdict for case in pack.cases]
    fired = [{hit.rule for hit in (*verdict.hits, *verdict.shadow)} for verdict in verdicts]
    assert pack.rules
    for each in pack.rules:
        assert {each.id in those for those in fired} == {True, False}, each.id


@pytest.mark.parametrize("always", ["true", "false"])
@pytest.mark.parametrize("title", RECIPES)
def test_the_cases_of_a_recipe_guard_its_rules(title: str, always: str) -> None:
    """A rule that fired always, or never, would fail the cases of its recipe."""
    files = files_of(title)
    bend = {"true": "({}) || true", "false": "({}) && false"}[always]
    places = list(re.finditer(r"""(?ms)^when = ('''|").*?\1$""", files["rules.toml"]))
    for each, place in zip(pack_of(title).rules, places, strict=True):
        head, tail = files["rules.toml"][: place.start()], files["rules.toml"][place.end() :]
        bent = {**files, "rules.toml": f"{head}when = '''{bend.format(each.when)}'''{tail}"}
        assert {problem.code for problem in load_pack(bent).problems} == {"case-fails"}


@pytest.mark.parametrize("title", RECIPES)
def test_each_recipe_says_what_it_is_for_and_what_it_gets_wrong(title: str) -> None:
    """A recipe begins with its problem in one sentence and ends with one paragraph on what it gets wrong."""
    paragraphs = re.sub(r"(?ms)^```.*?^```$", "", sections()[title]).strip().split("\n\n")
    problem, wrong = (" ".join(text.split()) for text in (paragraphs[0], paragraphs[-1]))
    assert [text for text in paragraphs[1:-1] if text.strip()] == []
    assert re.fullmatch(r"[A-Z][^.!?]+\.", problem), problem
    assert wrong.startswith(WRONG)
    assert wrong.endswith(".")


def test_the_cookbook_has_each_recipe_once_and_in_its_table() -> None:
    """There are twenty recipes or more, numbered in order, each in the table of what they are about, no rule twice."""
    numbers = [int(title.partition(".")[0]) for title in RECIPES]
    assert numbers == list(range(1, len(RECIPES) + 1))
    assert len(RECIPES) >= 20
    assert [int(number) for number in re.findall(r"\[(\d+)\]\(#\1-", BOOK)] == numbers
    rules = [each.id for title in RECIPES for each in pack_of(title).rules]
    assert sorted(set(rules)) == sorted(rules)


def test_no_recipe_guesses_a_category_from_words() -> None:
    """A category is declared: no recipe that looks at the words asks for one, and none but a right or form needs it."""
    conditions = [each.when for title in RECIPES for each in pack_of(title).rules]
    asks_words = re.compile(r"terms\(|hits\(|matches\(|contains\(")
    assert [when for when in conditions if "category" in when and asks_words.search(when)] == []


def test_a_broken_recipe_is_noticed() -> None:
    """A recipe with a misspelt fact, or a ground that is not there, has a mistake that says where."""
    files = files_of(RECIPES[0])
    for old, new, code in (("past.published", "past.publishd", "cel"), ("house.check", "house.chek", "unknown-ground")):
        found = only({**files, "rules.toml": files["rules.toml"].replace(old, new)})
        assert (found.code, found.file) == (code, "rules.toml")

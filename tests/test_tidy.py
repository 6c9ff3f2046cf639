"""The house rules that no linter knows: direction of imports, purity, lengths, reasons, what is never shipped."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import pytest

from placet.web.render import disagreements, tables

ROOT: Final = Path(__file__).resolve().parents[1]
SOURCE: Final = ROOT / "src" / "placet"

# --- layers: a module imports only from layers above its own, or from its own folder -----------------------------

LAYERS: Final[tuple[tuple[str, ...], ...]] = (
    ("__init__",),
    ("errors", "model"),
    ("ledger",),
    ("screening",),
    ("procedure",),
    ("policy.cel",),
    ("policy",),
    ("settings", "logs", "metrics", "automata"),
    ("store",),
    ("kinds", "clocks", "events", "fresh", "near_index", "backtest_report"),
    ("shelf",),
    ("detection",),
    ("lexicons", "list_export", "near_copies", "past"),
    ("rule_guards",),
    ("judging",),
    ("service",),
    ("activations", "detectors", "lists", "people", "recorder", "webhooks"),
    ("audit", "jobs", "trials"),
    ("house",),
    ("founding",),
    ("web", "web.strict", "web.contexts", "web.render"),
    ("web.automated", "web.multipart", "web.pack_contexts"),
    ("web.problems", "web.wire", "web.auth"),
    ("web.desk",),
    ("web.visit",),
    ("web.api", "web.console.show"),
    ("web.console",),
    ("web.public",),
    ("web.app",),
    ("web.server",),
    ("screening_cli", "pack_cli", "backtest"),
    ("demo",),
    ("cli",),
    ("dev", "__main__"),
)
"""docs/design.md shows the same in larger strokes. A name stands for the module, or for the folder and all in it."""

LONELY: Final = frozenset({"__init__", "web"})
"""Names that stand for their module alone, so that a new module beneath needs a place of its own."""
PLACE: Final = {name: place for place, names in enumerate(LAYERS) for name in names}

PURE: Final = ("screening", "policy", "procedure", "ledger")
OUTSIDE: Final = frozenset(
    {
        "asyncio",
        "concurrent",
        "ctypes",
        "getpass",
        "http",
        "importlib",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "platform",
        "random",
        "secrets",
        "select",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uuid",
        "uuid_utils",
        "typeid",
        "anyio",
        "asyncpg",
        "httpcore",
        "litestar",
        "structlog",
        "uvicorn",
        "uvloop",
    }
)
"""Modules through which the world outside can be reached: clock, chance, environment, files, network, threads."""
ALLOWED: Final = {
    ("ledger/verify.py", "sys"): "run as a program, it reads the file that it is given",
    ("ledger/verify.py", "pathlib"): "the same",
    ("policy/pack.py", "os"): "read_pack_folder reads the folder that it is given",
    ("policy/pack.py", "pathlib"): "the same",
    ("screening/engines.py", "threading"): "each thread has scratch space of its own; nothing is read from outside",
    ("screening/alike.py", "importlib"): "the data of installed packages, read once when the tables are built",
    ("screening/fold.py", "importlib"): "the versions of packages, so that no table of another is used",
    ("screening/terms.py", "importlib"): "the same",
    ("screening/guesses.py", "importlib"): "the same",
    ("screening/spelling.py", "importlib"): "the same",
}
CLOCKS: Final = re.compile(r"\b(now|today|utcnow|time_ns|monotonic|perf_counter|getenv|urandom|uuid4|uuid7)\(")

MOST_MODULE: Final = 700
MOST_FUNCTION: Final = 70
MOST_P90: Final = 35

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> list[Path]:
    """Every Python file of the product."""
    return sorted(SOURCE.rglob("*.py"))


def everything() -> list[Path]:
    """Every Python file of the project."""
    return sorted(path for folder in ("src", "tests", "bench") for path in (ROOT / folder).rglob("*.py"))


def shown(path: Path) -> str:
    """A path as a message names it."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(path.read_text("utf-8"))


@cache
def tracked() -> tuple[Path, ...]:
    """Every text file that belongs to the project: what git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return tuple(path for path in paths if path.is_file() and path.suffix not in {".png", ".jpg", ".ico", ".woff2"})


# --- imports -----------------------------------------------------------------------------------------------------


def module_of(path: Path) -> str:
    """A file's name as a module inside placet: "policy.cel.parse"; a folder's __init__ is the folder."""
    name = path.relative_to(SOURCE).with_suffix("").as_posix().replace("/", ".")
    return name if name == "__init__" else name.removesuffix(".__init__")


def layer_of(module: str) -> tuple[int, str]:
    """The place of a module in LAYERS, and the name under which it stands there; the longest name counts."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        if name in PLACE and (length == len(parts) or name not in LONELY):
            return PLACE[name], name
    raise LookupError(f"{module} has no place in LAYERS")


def imported(path: Path) -> Iterator[str]:
    """The modules of placet that a file imports, wherever in it, as names inside placet."""
    known = {module_of(each) for each in sources()}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == "placet":
            base = (node.module or "").removeprefix("placet").removeprefix(".")
            for alias in node.names:
                whole = f"{base}.{alias.name}".lstrip(".")
                yield whole if whole in known else base or "__init__"
        elif isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("placet.") for alias in node.names if alias.name.startswith("placet."))


def objections(module: str, imports: Iterator[str]) -> list[str]:
    """The imports of a module that go against the direction."""
    place, name = layer_of(module)
    found = []
    for each in imports:
        other_place, other = layer_of(each)
        if other_place > place or (other_place == place and other != name and not {module, each} <= PEERS):
            found.append(f"{module} imports {each}")
    return found


PEERS: Final = frozenset({"errors", "model"})
"""Modules of one layer that may know each other."""


@pytest.mark.parametrize("path", sources(), ids=module_of)
def test_imports_go_one_way(path: Path) -> None:
    """A module has a place in LAYERS and imports nothing from below, nor from beside unless in its own folder."""
    assert objections(module_of(path), imported(path)) == []


def test_no_place_is_empty() -> None:
    """Every name in LAYERS is a module or folder, so that the table says nothing of what is gone."""
    known = {module_of(path) for path in sources()}
    assert [name for name in PLACE if not any(each == name or each.startswith(f"{name}.") for each in known)] == []


def test_a_wrong_import_is_noticed() -> None:
    """The check objects to an import from below and to one from beside, and to a module without a place."""
    assert objections("procedure.account", iter(["service"])) == ["procedure.account imports service"]
    assert objections("people", iter(["recorder"])) == ["people imports recorder"]
    assert objections("policy.pack", iter(["screening", "policy.values", "ledger.encode"])) == []
    with pytest.raises(LookupError):
        layer_of("web.somewhere_new")


# --- purity ------------------------------------------------------------------------------------------------------


def pure_sources() -> list[Path]:
    """Every file of the pure folders."""
    return [path for path in sources() if path.relative_to(SOURCE).parts[0] in PURE]


def outside_imports(path: Path) -> set[str]:
    """The modules of OUTSIDE that a file imports."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").split(".")[0])
    return names & OUTSIDE


def test_pure_folders_reach_nothing_outside() -> None:
    """The pure folders import nothing through which clock, chance, files or network can be reached, but for ALLOWED."""
    found = {(path.relative_to(SOURCE).as_posix(), name) for path in pure_sources() for name in outside_imports(path)}
    assert found == set(ALLOWED)


@pytest.mark.parametrize("path", pure_sources(), ids=module_of)
def test_pure_folders_ask_no_clock(path: Path) -> None:
    """No clock is asked in a pure folder, nor chance, nor the environment."""
    calls = [ast.unparse(node.func) + "(" for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    assert [call for call in calls if CLOCKS.search(call)] == []


# --- lengths and docstrings --------------------------------------------------------------------------------------


def functions() -> list[tuple[str, int]]:
    """Every function of the product with the number of its lines."""
    return [
        (f"{shown(path)}:{node.lineno} {node.name}", (node.end_lineno or node.lineno) - node.lineno + 1)
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, Function)
    ]


def test_modules_are_short() -> None:
    """No module of the product has more than MOST_MODULE lines."""
    lengths = {shown(path): len(path.read_text("utf-8").splitlines()) for path in sources()}
    assert {name: length for name, length in lengths.items() if length > MOST_MODULE} == {}


def test_functions_are_short() -> None:
    """No function has more than MOST_FUNCTION lines, and nine in ten are under MOST_P90."""
    lengths = functions()
    assert [each for each in lengths if each[1] > MOST_FUNCTION] == []
    assert quantiles([length for _, length in lengths], n=10)[8] < MOST_P90


def public(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Public functions and classes, and those inside public classes."""
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{node.name}.")


@pytest.mark.parametrize("path", sources(), ids=module_of)
def test_what_is_public_is_described(path: Path) -> None:
    """Every module, and everything public in it, has a docstring."""
    whole = tree(path)
    assert ast.get_docstring(whole), shown(path)
    assert [name for name, node in public(whole.body) if not ast.get_docstring(node)] == []


def test_every_test_says_what_it_shows() -> None:
    """Every test has a docstring whose first line is one sentence about the behaviour."""
    silent = [
        f"{shown(path)}:{node.lineno} {node.name}"
        for path in sorted((ROOT / "tests").glob("*.py"))
        for node in ast.walk(tree(path))
        if isinstance(node, Function) and node.name.startswith("test_") and not (ast.get_docstring(node) or "").strip()
    ]
    assert silent == []


# --- reasons -----------------------------------------------------------------------------------------------------

NOQA: Final = re.compile(r"#\s*noqa\b(?P<rest>[^#\n]*(?:#.*)?)")
NOQA_GOOD: Final = re.compile(r":\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*\s*(?:-|#|\()\s*\S")
IGNORE: Final = re.compile(r"#\s*type:\s*ignore(?P<rest>.*)")
IGNORE_GOOD: Final = re.compile(r"\[[a-z-]+(?:\s*,\s*[a-z-]+)*\]")


def test_exceptions_carry_their_reason() -> None:
    """A `noqa` names its rule and its reason; a `type: ignore` names the error that it silences."""
    bad = []
    for path in everything():
        if path == Path(__file__).resolve():
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            noqa, ignore = NOQA.search(line), IGNORE.search(line)
            if (noqa and not NOQA_GOOD.match(noqa["rest"])) or (ignore and not IGNORE_GOOD.match(ignore["rest"])):
                bad.append(f"{shown(path)}:{number} {line.strip()[:80]}")
    assert bad == []


def test_ruff_exclusions_carry_their_reason() -> None:
    """Every rule of ruff that is left out says why, on its line in pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    block = text[text.index("ignore = [") : text.index("]\n", text.index("ignore = ["))]
    lines = [line.strip() for line in block.splitlines()[1:] if line.strip()]
    assert [line for line in lines if not re.search(r"#\s*\S.{5,}", line)] == []


# --- what is nowhere ---------------------------------------------------------------------------------------------

ELSEWHERE: Final = {
    "an unfinished note": re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b"),
    "a path of one machine": re.compile(r"(?:^|[\s\"'`(=])/(?:home|root|work|Users|mnt)/\w"),
    "a registry's host": re.compile(r"(?:pypi\.org|pythonhosted\.org|deb\.debian\.org|registry\.npmjs|files\.python)"),
    "how it was written": re.compile(
        r"\b(?:session transcript|language model|AI assistant|co-authored-by)\b", re.IGNORECASE
    ),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
}


@pytest.mark.parametrize("what", sorted(ELSEWHERE))
def test_files_speak_of_the_project_alone(what: str) -> None:
    """No tracked file holds an unfinished note, one machine's path, a registry's host name, or a key."""
    found = []
    for path in tracked():
        if path == Path(__file__).resolve() or path.name == "LICENSE":
            continue
        try:
            lines = path.read_text("utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [f"{shown(path)}:{n}" for n, line in enumerate(lines, 1) if ELSEWHERE[what].search(line)]
    assert found == []


def test_the_licence_is_there() -> None:
    """The whole Apache License 2.0 lies at the root, and the package names it."""
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "9. Accepting Warranty or Additional Liability." in text
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["license"] == "Apache-2.0"


# --- no detection of politics (design promise; requirement S3) ---------------------------------------------------

FORBIDDEN_NAMES: Final = re.compile(
    r"(?:^|_|\b)(?:topic|topics|stance|stances|sentiment|ideolog\w*|opinion\w*|political\w*|politician\w*|dissident\w*|"
    r"watch_?list\w*|black_?list_of_people|sensitive_?(?:words?|terms?|topics?|people|events?)|keyword_?blacklist)(?:$|_|\b)",
    re.IGNORECASE,
)
"""Names that a field, key, function or column of a detector of topics, stances or watched people would bear."""
FORBIDDEN_LABELS: Final = re.compile(
    r"\b(?:politic\w*|government|regime|ideolog\w*|dissent\w*|protest\w*|separatis\w*)\b"
    r"|\bsensitive (?:words?|people|events?)\b"
    r"|政治|時政|时政|政權|政权|敏感詞|敏感词|敏感人物|異見|异见|維權|维权",
    re.IGNORECASE,
)
"""Words that name, title or label a list of political terms, people or events, in each language of the product."""


def code_names(path: Path) -> set[str]:
    """Every name that a Python file gives to something: functions, classes, arguments, fields, variables."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, Function | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name) for name in names}


def data_keys(value: Any) -> Iterator[str]:
    """Every key in a decoded table, however deep."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from data_keys(each)
    elif isinstance(value, list):
        for each in value:
            yield from data_keys(each)


def term_lists() -> dict[str, dict[str, Any]]:
    """Every word list in the project, by its path."""
    return {
        shown(path): tomllib.loads(path.read_text("utf-8"))
        for folder in ("src", "tests", "bench")
        for path in sorted((ROOT / folder).rglob("lists/*.toml"))
    }


def about(table: dict[str, Any]) -> str:
    """What a list says that it is about: name, label, title, note; not its terms."""
    title = table.get("title", {})
    texts = [table.get(key, "") for key in ("name", "label", "note")]
    return " ".join([*texts, *(title.values() if isinstance(title, dict) else [title])])


def test_nothing_is_named_like_a_detector_of_opinions() -> None:
    """No field, function or column is named for topics, stances, sentiments or watched people."""
    named = {shown(path): code_names(path) for path in sources() if path != Path(__file__).resolve()}
    for path in sorted(SOURCE.rglob("*.toml")):
        named[shown(path)] = set(data_keys(tomllib.loads(path.read_text("utf-8"))))
    for path in sorted(SOURCE.rglob("*.sql")):
        named[shown(path)] = set(re.findall(r"^\s+(\w+) ", path.read_text("utf-8"), re.MULTILINE))
    assert {(where, name) for where, names in named.items() for name in names if FORBIDDEN_NAMES.search(name)} == set()


def test_no_list_is_about_politics() -> None:
    """No word list of the packs, the tests or the benchmarks calls itself one of political terms, people or events."""
    lists = term_lists()
    assert lists, "the shipped lists are where the scan looks"
    assert [where for where, table in lists.items() if FORBIDDEN_LABELS.search(about(table))] == []


def test_the_pack_about_news_has_no_words() -> None:
    """A category is declared: the pack with the news rules ships no list, and no condition of it looks at the words."""
    pack = SOURCE / "packs" / "cn-public-accounts"
    assert not (pack / "lists").exists()
    conditions = [rule["when"] for rule in tomllib.loads((pack / "rules.toml").read_text("utf-8"))["rule"]]
    asked = re.compile(r"terms\(|hits\(|matches\(|item\.(?:body|text)\b")
    assert [when for when in conditions if asked.search(when)] == []


def test_no_rule_combines_a_category_with_words() -> None:
    """No shipped rule that looks at the words asks for a category too: that would be detecting it by the back door."""
    words = re.compile(r"terms\(|hits\(|matches\(")
    both = [
        f"{shown(path)}: {rule['id']}"
        for path in sorted(SOURCE.rglob("packs/*/rules.toml"))
        for rule in tomllib.loads(path.read_text("utf-8"))["rule"]
        if words.search(rule["when"]) and "category" in rule["when"]
    ]
    assert both == []


@pytest.mark.parametrize("name", ["topic", "user_topics", "stance_score", "sentiment", "watch_list", "sensitiveWords"])
def test_a_forbidden_name_is_noticed(name: str) -> None:
    """The scan knows such a name, and leaves ordinary ones alone."""
    assert FORBIDDEN_NAMES.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name))
    assert not any(FORBIDDEN_NAMES.search(each) for each in ("ground", "policy", "category", "instance", "substance"))


@pytest.mark.parametrize("label", ["political terms", "Politicians", "敏感词", "時政人物", "protest events"])
def test_a_forbidden_label_is_noticed(label: str) -> None:
    """The scan knows a list that says so in its title, in any of the three languages."""
    assert FORBIDDEN_LABELS.search(about({"name": "x", "title": {"en": label}}))


# --- languages ---------------------------------------------------------------------------------------------------


def test_every_language_has_every_message() -> None:
    """The message tables have the same keys and placeholders."""
    assert disagreements(tables()) == []

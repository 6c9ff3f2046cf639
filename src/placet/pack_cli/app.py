"""The commands of `placet pack`. Exit 0 when all is fine, 1 when a mistake or failure was found, 2 for misuse."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from placet.errors import SettingsError
from placet.pack_cli import report
from placet.pack_cli.page import Page
from placet.pack_cli.paper import Paper, clean, count, print_json
from placet.pack_cli.reference import reference
from placet.pack_cli.report import Checked, Tried
from placet.pack_cli.starter import SCHEMAS, TEMPLATES, create, write_schemas
from placet.policy import Case, LoadResult, Pack, Policy, Problem, load_pack
from placet.policy.difference import difference
from placet.policy.notes import notes
from placet.policy.parse import Draft, check_toml
from placet.policy.trial import explain_case
from placet.screening import LexiconError
from placet.shelf import folder_of, shipped

pack_app = typer.Typer(no_args_is_help=True, help="Rule packs: write, check, try, read and compare them.")

Packs = Annotated[list[str], typer.Argument(metavar="PACK", help="Shipped packs by name, others by their folders.")]
OnePack = Annotated[str, typer.Argument(metavar="PACK", help="A shipped pack by name, another by its folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts and editors.")]


@pack_app.command("new")
def pack_new(
    name: Annotated[str, typer.Argument(help="The pack's name: lower-case letters, digits and hyphens.")],
    template: Annotated[str, typer.Option(help=f"What it begins as: {' or '.join(TEMPLATES)}.")] = TEMPLATES[0],
    parent: Annotated[
        Path, typer.Option("--in", help="The folder to put it into.", exists=True, file_okay=False)
    ] = Path(),
) -> None:
    """Write a small complete pack, with comments that explain it and schemas for editors."""
    folder = create(name, template, parent)
    paper = Paper()
    for path in sorted(each for each in folder.rglob("*.toml")):
        paper.line(str(path))
    paper.line(f"Check it with: placet pack check {_shown(folder)}")
    paper.show()


def _shown(folder: Path) -> str:
    """A folder so that no shipped pack is meant."""
    return str(folder) if len(folder.parts) > 1 else f"./{folder}"


@pack_app.command("schema")
def pack_schema(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write into.", file_okay=False)] = Path(
        SCHEMAS
    ),
) -> None:
    """Write the JSON Schemas of a pack's files, with which editors complete and check them."""
    paper = Paper()
    for path in write_schemas(folder):
        paper.line(str(path))
    paper.show()


@pack_app.command("reference")
def pack_reference() -> None:
    """Print every fact, list, operator, macro and function that a condition may name, as Markdown."""
    typer.echo(reference(), nl=False)


@pack_app.command("list")
def pack_list(as_json: JsonOption = False) -> None:
    """List the packs that ship with Placet."""
    packs = [load_pack(folder, run_cases=False).require() for folder in shipped().values()]
    if as_json:
        print_json([_listed(pack) for pack in packs])
        return
    paper = Paper()
    for pack in packs:
        rules = count(len(pack.rules), "rule")
        paper.line((pack.id, "bold"), f"  {pack.head.version} {pack.head.status}, {rules}: {pack.head.title['en']}")
    paper.show()


def _listed(pack: Pack) -> dict[str, object]:
    head = pack.head
    return {
        "id": pack.id,
        "version": head.version,
        "status": head.status,
        "jurisdiction": head.jurisdiction,
        "title": dict(head.title),
        "rules": len(pack.rules),
        "digest": pack.digest,
    }


@pack_app.command("check")
def pack_check(packs: Packs, as_json: JsonOption = False) -> None:
    """Find every mistake in packs, and what keeps them from being in force together."""
    checked = [_checked(name) for name in packs]
    sound = [each.result.pack for each in checked if each.result.pack]
    conflict = report.together(sound) if len(sound) == len(checked) > 1 else ""
    if as_json:
        print_json(report.check_value(checked, conflict))
    else:
        report.check_lines(checked, conflict).show()
    if conflict or len(sound) < len(checked):
        raise typer.Exit(1)


def _checked(name: str) -> Checked:
    result = load_pack(_folder(name))
    return Checked(name, result, notes(result.pack) if result.pack else ())


@pack_app.command("test")
def pack_test(
    packs: Packs,
    case: Annotated[str, typer.Option(help="Run only the cases whose name holds this.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Run the golden cases of packs; for one that fails, say which rules fired, which did not, and on which facts."""
    tried = [(name, list(_tried(pack, case))) for name, pack in _loaded(packs, as_json=as_json)]
    every = [each for _, cases in tried for each in cases]
    if case and not every:
        raise typer.BadParameter(f"No case has {clean(case)!r} in its name.")
    failed = sum(bool(each.trial.failure) for each in every)
    if as_json:
        shown = [{"name": name, "cases": [report.tried_value(each) for each in cases]} for name, cases in tried]
        print_json({"ok": not failed, "packs": shown})
    else:
        paper = Paper()
        for name, cases in tried:
            paper.line((name, "bold"))
            for each in cases:
                report.tried_lines(paper, name, each)
        paper.line(f"{count(len(every), 'case')}, {failed:,} failed.")
        paper.show()
    if failed:
        raise typer.Exit(1)


def _tried(pack: Pack, name: str) -> Iterator[Tried]:
    policy = Policy([pack])
    for file, line, case in _places(pack):
        if name.casefold() in case.name.casefold():
            trial = policy.try_case(case)
            yield Tried(file, line, trial, explain_case(policy, trial) if trial.failure else ())


def _places(pack: Pack) -> Iterator[tuple[str, int, Case]]:
    """Every case with the file and line at which it begins."""
    draft = Draft(pack.files)
    assert not list(check_toml(draft))
    places = [(name, index) for name in draft.names("cases") for index in range(len(draft.rows(name, "case")))]
    for (name, index), case in zip(places, pack.cases, strict=True):
        yield name, draft.problem("", name, ("case", index), "").line, case


@pack_app.command("show")
def pack_show(
    pack: OnePack,
    at: Annotated[str, typer.Option(metavar="DATE", help="The day: 2026-01-31. Today unless given.")] = "",
    lang: Annotated[Literal["en", "zh-Hant", "zh-Hans"], typer.Option(help="The language of the page.")] = "en",
    as_json: JsonOption = False,
) -> None:
    """Show what a pack says on a day: instruments, clauses, rules, grounds and all else."""
    day = _day(at)
    ((_, loaded),) = _loaded([pack], as_json=as_json)
    page = Page(loaded, day or datetime.now(ZoneInfo(loaded.head.timezone)).date(), lang)
    if as_json:
        print_json(page.value())
    else:
        page.lines().show()


def _day(at: str) -> date | None:
    try:
        return date.fromisoformat(at) if at else None
    except ValueError as problem:
        raise typer.BadParameter(f"{clean(at)!r} is no date: write 2026-01-31.") from problem


@pack_app.command("diff")
def pack_diff(
    before: Annotated[str, typer.Argument(metavar="A", help="The pack as it was: a name or a folder.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The pack as it would be.")],
    as_json: JsonOption = False,
) -> None:
    """Say what changes in meaning from one pack to another; comments, layout and order change nothing."""
    (_, old), (_, new) = _loaded([before, after], as_json=as_json)
    found = difference(old, new)
    if as_json:
        print_json(report.difference_value(found))
    else:
        report.difference_lines(found).show()


# --- reading packs -------------------------------------------------------------------------------------------------


def _folder(name: str) -> Path:
    """The folder of a pack. Raises BadParameter where there is none."""
    try:
        return folder_of(name)
    except SettingsError as problem:
        raise typer.BadParameter(clean(problem.detail)) from problem


def _loaded(names: Sequence[str], *, as_json: bool) -> list[tuple[str, Pack]]:
    """Packs that may fail their own cases. Where one cannot be read, its mistakes are shown and the command ends."""
    results = [(name, _usable(load_pack(_folder(name), run_cases=False))) for name in names]
    wrong = [Checked(name, result) for name, result in results if result.pack is None]
    if not wrong:
        return [(name, result.require()) for name, result in results]
    if as_json:
        print_json(report.check_value(wrong, ""))
    else:
        paper = Paper()
        for each in wrong:
            report.problem_lines(paper, each.name, each.result.problems)
        paper.show()
    raise typer.Exit(1)


def _usable(result: LoadResult) -> LoadResult:
    """The pack, if screening can use its lists and patterns, which checking does with the cases."""
    if result.pack is None:
        return result
    try:
        Policy([result.pack])
    except LexiconError as problem:
        return LoadResult(None, (Problem("bad-list", "lists", 0, str(problem), "Correct the list or pattern."),))
    return result

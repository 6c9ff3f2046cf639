"""A new pack from a template, with schemas beside it for editors. Nothing is ever written over but our own schemas."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Final

import typer

from placet.pack_cli.paper import clean
from placet.policy import load_pack, read_pack_folder
from placet.policy.schema import schema_name, schemas
from placet.shelf import shipped

TEMPLATES: Final = ("starter", "minimal")
"""What a new pack may begin as; the first unless another is asked for."""

SCHEMAS: Final = ".schema"
"""Where a pack keeps the schemas: hidden, so that it is no part of the pack."""

_STAND_IN: Final = "my-pack"
"""The name of every template, for which that of the new pack is put."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def create(name: str, template: str, parent: Path) -> Path:
    """Write a new pack and give its folder. Raises BadParameter where it cannot be, before anything is written."""
    if not _NAME.fullmatch(name):
        raise typer.BadParameter(
            f"{clean(name)!r} is no name for a pack: write up to 40 lower-case letters, digits and hyphens; "
            "--in names the folder that it is put into."
        )
    if name in shipped():
        raise typer.BadParameter(f"A pack of the name {name!r} ships with Placet: choose another.")
    if template not in TEMPLATES:
        raise typer.BadParameter(f"There is no template {clean(template)!r}; there are {', '.join(TEMPLATES)}.")
    texts = _texts(name, template)
    if problems := load_pack(texts).problems:  # a name that findings of no pack bear
        raise typer.BadParameter(f"{problems[0].message} {problems[0].hint}")
    folder = parent / name
    try:
        folder.mkdir()
    except FileExistsError as problem:
        raise typer.BadParameter(f"{folder} is there already, and nothing is written over.") from problem
    for path, text in texts.items():
        (folder / path).parent.mkdir(exist_ok=True)
        with (folder / path).open("x", encoding="utf-8") as file:
            file.write(text)
    write_schemas(folder / SCHEMAS)
    return folder


def _texts(name: str, template: str) -> dict[str, str]:
    found, problems = read_pack_folder(Path(str(files("placet") / "pack_cli" / "templates" / template)))
    assert not problems
    return {path: _named(path, text, name) for path, text in found.items()}


def _named(path: str, text: str, name: str) -> str:
    up = "../" * path.count("/") or "./"
    named = text.replace(_STAND_IN, name).replace(_STAND_IN.upper(), name.upper())
    return f"#:schema {up}{SCHEMAS}/{schema_name(path)}\n\n{named}"


def write_schemas(folder: Path) -> list[Path]:
    """Write the schema of each kind of file into the folder, in the place of those of an earlier version."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, schema in schemas().items():
        path = folder / name
        fresh = folder / f".{name}.new"
        fresh.unlink(missing_ok=True)
        with fresh.open("x", encoding="utf-8") as file:
            file.write(json.dumps(schema, ensure_ascii=False, indent=2) + "\n")
        fresh.replace(path)  # a link of that name is replaced, never written through
        written.append(path)
    return written

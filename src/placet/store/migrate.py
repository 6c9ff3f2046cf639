"""Numbered SQL files, one transaction each, applied in order and never changed once released."""

from importlib.resources import files
from typing import NamedTuple


class Migration(NamedTuple):
    """One numbered step of a schema."""

    number: int
    sql: str


def migrations(dialect: str, above: int) -> list[Migration]:
    """The steps of `dialect` ("sqlite" or "postgres") with a number above the one given, in order."""
    found = []
    for file in (files("placet.store") / "schema").iterdir():
        stem, dot, suffix = file.name.rpartition(".")
        name, _, number = stem.rpartition("_")
        if dot and suffix == "sql" and name == dialect and int(number) > above:
            found.append(Migration(int(number), file.read_text("utf-8")))
    return sorted(found)

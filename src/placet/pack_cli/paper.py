"""Lines for people, coloured on a terminal and plain elsewhere; one JSON value for programs.

What a pack says comes from a file that anybody may have written: control characters in it never reach a terminal.
"""

import json
import sys
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from placet.model import Json

Part = str | tuple[str, str]
"""Words, or words with a style of rich: ("hold", "yellow")."""

OUTCOME_STYLE = {"approve": "green", "hold": "yellow", "return": "magenta", "refuse": "red"}


class Paper:
    """Lines that are written one after the other."""

    def __init__(self) -> None:
        self.lines: list[Text] = []

    def line(self, *parts: Part, indent: int = 0) -> None:
        """Add a line, or several where the parts hold line ends; each is indented by so many characters."""
        whole = Text()
        for part in parts:
            words, style = (part, "") if isinstance(part, str) else part
            whole.append(clean(words), style)
        margin = Text(" " * indent)
        self.lines += [margin + each for each in whole.split("\n", allow_blank=True)] if whole.plain else [Text()]

    def show(self) -> None:
        """Print all of it."""
        console = Console(highlight=False, soft_wrap=True)
        for each in self.lines:
            console.print(each)


def clean(text: str) -> str:
    """Replace what moves a cursor, turns the direction of writing or cannot be encoded."""
    return "".join(char if char == "\n" or char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def outcome(name: str) -> tuple[str, str]:
    """An outcome in its colour."""
    return name, OUTCOME_STYLE.get(name, "")


def quote(value: Json) -> str:
    """A value as it could stand in a file."""
    return json.dumps(value, ensure_ascii=False)


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def first(words: Iterable[str], most: int = 5) -> str:
    """The first of many, quoted, and how many there are besides."""
    some = list(words)
    more = f" and {len(some) - most:,} more" if len(some) > most else ""
    return ", ".join(quote(each) for each in some[:most]) + more


def print_json(value: Json) -> None:
    """Print one value on one line."""
    text = json.dumps(value, ensure_ascii=False)
    sys.stdout.write(text.encode("utf-8", "replace").decode() + "\n")

"""What can go wrong with a rule: a mistake in its source, or a failure while it is evaluated."""

import difflib
import unicodedata
from collections.abc import Iterable
from typing import Final

_WINDOW: Final = 100
"""How many characters of a long line are shown around the mistake."""


class CelError(ValueError):
    """A mistake in the source of a rule, at `offset` (characters from its start) and `length` characters long."""

    def __init__(self, message: str, offset: int, source: str, hint: str | None = None, length: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.source = source
        self.hint = hint
        self.length = length

    def __str__(self) -> str:
        return self.render()

    def __reduce__(self) -> tuple[type["CelError"], tuple[str, int, str, str | None, int]]:
        return type(self), (self.message, self.offset, self.source, self.hint, self.length)

    def render(self) -> str:
        """Line and column (from 1), the message, the line with the mistake underlined, and the hint."""
        first = self.source.rfind("\n", 0, self.offset) + 1
        last = self.source.find("\n", self.offset)
        last = len(self.source) if last < 0 else last
        line = self.source.count("\n", 0, self.offset) + 1
        start = max(first, self.offset - _WINDOW // 2)
        shown = self.source[start : min(last, start + _WINDOW)]
        before = shown[: self.offset - start]
        under = shown[self.offset - start : self.offset - start + self.length]
        lines = [
            f"{line}:{self.offset - first + 1}: {self.message}",
            f" | {_printable(shown)}",
            f" | {_blank(before)}{'^' * max(1, _width(under))}",
        ]
        return "\n".join([*lines, f" {self.hint}"] if self.hint else lines)


class CelRuntimeError(Exception):
    """Evaluation failed: division by zero, no such key, overflow. The message is a fixed text, without data."""


def suggest(name: str, known: Iterable[str]) -> str | None:
    """Name the known word that the writer most likely meant, or nothing when none is close."""
    close = difflib.get_close_matches(name[:64], list(known), n=1)
    return f"did you mean '{close[0]}'?" if close else None


def _printable(text: str) -> str:
    """Keep control characters of a hostile source out of terminals and logs; a tab stays, since it is common."""
    return "".join(c if c == "\t" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def _width(text: str) -> int:
    return sum(2 if _is_wide(c) else 1 for c in text)


def _blank(text: str) -> str:
    """White space as wide as the text, so that the caret stands under the mistake."""
    return "".join("\t" if c == "\t" else "  " if _is_wide(c) else " " for c in text)

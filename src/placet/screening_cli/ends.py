"""How a run may end before the end of its input."""

from typing import Final

from placet.errors import SettingsError

INTERRUPTED: Final = 130
"""The exit code of a program that was interrupted from the keyboard: 128 and the number of SIGINT."""
BROKEN_PIPE: Final = 141
"""The exit code where nobody reads the answers any more, as other filters end: 128 and the number of SIGPIPE."""


class Misuse(SettingsError):
    """What is asked for cannot be done so. Nothing has been answered."""

    def __str__(self) -> str:
        return self.detail


class Ended(Exception):
    """The run cannot go on. What was answered until then is written."""


class NobodyReads(Exception):
    """Whoever read the answers has seen enough."""

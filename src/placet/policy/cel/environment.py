"""What expressions may name: variables, functions, extensions; and what a dotted name stands for."""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from msgspec import field

from placet.policy.cel.functions import FUNCTIONS, WITH_OPTIONALS
from placet.policy.cel.lex import RESERVED
from placet.policy.cel.macros import Extension
from placet.policy.cel.overloads import Function
from placet.policy.cel.types import Type

MOST_DAYS: Final = 365
"""The longest window that a rule may ask for."""
_WORDS: Final = RESERVED | {"true", "false", "null", "in"}


class Environment(msgspec.Struct, frozen=True):
    """What rules may name. Raises ValueError when a variable could not be written as a name.

    `variables` gives the type of each variable, by a name that may be dotted. `text_fields` are the dotted paths whose
    `matches('literal')` the text matcher answers; such a path need not be among the variables.

    `windows` are functions of a literal number of days, 1 to MOST_DAYS: near(7). Each gives the name of a list, with
    `{}` for the days, and comes to the number that the text matcher reports under it.

    The rest serves whoever runs the language beyond rules, as its conformance tests do: `functions` of one's own,
    extensions, the `container` in whose namespace names are looked up first (language definition, "Name resolution").
    An environment that is not `is_checked` refuses only what cannot be parsed: every type is found when the expression
    runs, and so is every mistake; facts are then taken as they are given.
    """

    variables: Mapping[str, Type]
    text_fields: frozenset[str] = frozenset()
    windows: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    extensions: frozenset[Extension] = frozenset()
    container: str = ""
    is_checked: bool = True

    def __post_init__(self) -> None:
        for name in self.variables:
            if not all(map(_can_be_written, name.split("."))):
                raise ValueError(f"'{name}' cannot be the name of a variable")

    def function(self, name: str) -> Function | None:
        """The function of that name, in the container or outside it; its own functions come first."""
        library = WITH_OPTIONALS if "optional" in self.extensions else FUNCTIONS
        for candidate in self.candidates(name):
            if (found := self.functions.get(candidate) or library.get(candidate)) is not None:
                return found
        return None

    def function_names(self) -> list[str]:
        """Every name of a function, for suggestions."""
        library = WITH_OPTIONALS if "optional" in self.extensions else FUNCTIONS
        return [name for name in (*library, *self.functions, *self.windows) if name[0].isalpha()]

    def candidates(self, name: str, *, is_rooted: bool = False) -> Iterator[str]:
        """What a name may be the short form of, the most deeply nested first."""
        parts = self.container.split(".") if self.container and not is_rooted else []
        for length in range(len(parts), 0, -1):
            yield f"{'.'.join(parts[:length])}.{name}"
        yield name


def _can_be_written(name: str) -> bool:
    return name.isascii() and name.isidentifier() and name not in _WORDS

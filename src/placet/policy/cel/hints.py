"""What was probably meant, where a rule is written as in another language, or asks something of the wrong type."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from placet.policy.cel.errors import suggest
from placet.policy.cel.types import NUMBERS, Type

_WORDS: Final[Mapping[str, str]] = {
    "and": "write &&",
    "or": "write ||",
    "not": "write !",
    "is": "write ==",
    "<>": "write !=",
    **{name: f"write text.{name}('part')" for name in ("contains", "startsWith", "endsWith")},
    **dict.fromkeys(["like", "matches"], "write text.matches('pattern')"),
}
"""Operators of other languages, in lower case."""

_FUNCTIONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(["len", "length", "count", "strlen"], "write size(x)"),
    **dict.fromkeys(["any", "some"], "write list.exists(x, condition)"),
    **dict.fromkeys(["every"], "write list.all(x, condition)"),
    **dict.fromkeys(["includes", "has_key"], "write text.contains('part'), or element in list"),
    **dict.fromkeys(["lower", "toLowerCase", "lcase"], "did you mean 'lowerAscii'?"),
    **dict.fromkeys(["upper", "toUpperCase", "ucase"], "did you mean 'upperAscii'?"),
    **dict.fromkeys(["now", "today"], "the moment of the act is timestamp(act.at / 1000000)"),
}
"""Functions of other languages."""

_MOST_NAMED: Final = 20


def of_word(word: str, before: str) -> str | None:
    """Of a word that stands where an operator should, or the word before it."""
    return _WORDS.get(word.lower()) or _WORDS.get(before + word) or (_WORDS["not"] if before.lower() == "not" else None)


def of_function(name: str, known: Iterable[str]) -> str | None:
    """Of a function that there is not."""
    return _FUNCTIONS.get(name) or suggest(name, known)


def of_field(name: str, known: Sequence[str]) -> str | None:
    """Of a field that there is not: the one that is meant, else all that there are."""
    return suggest(name, known) or (f"it has {', '.join(known)}" if len(known) <= _MOST_NAMED else None)


def of_fields(owner: Type) -> str | None:
    """Of a field that is asked of what has none."""
    if owner.kind == "list":
        return "ask its elements: list.exists(x, condition on x), or size(list)"
    return "write size(text) for its length" if owner.kind == "string" else None


def of_types(function: str, found: Sequence[Type]) -> str | None:
    """Of a call that is not defined for these types."""
    kinds = [each.kind for each in found]
    if function == "contains" and kinds[0] == "list":
        return "write element in list"
    if function.startswith("get") and kinds[0] == "int":
        return "make it a time: timestamp(seconds); the moment of the act is timestamp(act.at / 1000000)"
    if function in ("<", "<=", ">", ">=", "==", "!="):
        return of_comparison(*found)
    return next((_of_numbers(a, b) for a, b in pairwise(found)), None)


def of_comparison(left: Type, right: Type) -> str | None:
    """Of two values that cannot be compared."""
    for one, other in ((left, right), (right, left)):
        if one.kind == "list" and other.kind == "int":
            return "write size(list) for how many there are"
        if one.kind == "bool" and other.kind == "int":
            return "it is true or false by itself; count what a list found with size(hits('list'))"
        if one.kind == "string" and other.kind == "int":
            return "make the text a number: int(text)"
        if one.kind == "string" and other.kind == "null":
            return "what is not said is empty: text == ''"
        if one.kind == "timestamp" and other.kind == "string":
            return "write timestamp('2024-02-29T12:00:00Z')"
        if one.kind == "timestamp" and other.kind == "int":
            return "make it a time: timestamp(seconds); the moment of the act is timestamp(act.at / 1000000)"
        if one.kind == "object" and other.kind != "object":
            return f"name a field of it: {', '.join(name for name, _ in one.fields)}"
    return _of_numbers(left, right)


def of_membership(right: Type) -> str | None:
    """Of a value in which nothing can be looked for."""
    return "write text.contains('part')" if right.kind == "string" else None


def _of_numbers(left: Type, right: Type) -> str | None:
    """Numbers are never converted silently; say how to convert them."""
    if left.kind != right.kind and left.kind in NUMBERS and right.kind in NUMBERS:
        return f"convert one: {left}(…) or {right}(…)"
    return None

"""What a detector may answer. It is a stranger's code, so that everything is looked at before it counts."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from numbers import Integral, Real
from typing import Any, Final

from placet.detectors import Seen, Text

MOST_SEEN: Final = 200
"""Most things seen in one text: more is a detector that has gone astray."""

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
VERSION_MOST: Final = 80
LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class BadAnswer(Exception):
    """What is wrong with an answer. It names the mistake, and never quotes a text."""


def check_names(name: object, version: object) -> str:
    """What is wrong with a detector's name or version; empty where nothing is."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return "its `name` must be lower-case letters, digits and hyphens, 40 at most, such as 'toxicity'"
    if not isinstance(version, str) or not version.isprintable() or not 0 < len(version) <= VERSION_MOST:
        return f"its `version` must be a printable string of 1 to {VERSION_MOST} characters, such as '2026-03'"
    return ""


def seen_in_each(texts: Sequence[Text], answers: Any) -> list[tuple[Seen, ...]]:
    """A detector's answers about a batch, each as `seen_in` has it. Raises BadAnswer."""
    if not isinstance(answers, Sequence) or isinstance(answers, str | bytes):
        raise BadAnswer("the answers to a batch are a list of lists of Seen")
    if len(answers) != len(texts):
        raise BadAnswer(f"{len(answers)} answers were given to {len(texts)} texts")
    return [seen_in(text, answer) for text, answer in zip(texts, answers, strict=True)]


def seen_in(text: Text, answer: Any) -> tuple[Seen, ...]:
    """A detector's answer about one text: in plain numbers, ordered by place. Raises BadAnswer."""
    if not isinstance(answer, Iterable) or isinstance(answer, str | bytes):
        raise BadAnswer("an answer is a list of Seen")
    seen = list(islice(answer, MOST_SEEN + 1))
    if len(seen) > MOST_SEEN:
        raise BadAnswer(f"more than {MOST_SEEN} things were seen in one text")
    return tuple(sorted((_plain(text, one) for one in seen), key=_place))


def _place(one: Seen) -> tuple[bool, int, int, str]:
    return one.field == "body", one.start, one.end, one.label


def _plain(text: Text, one: Any) -> Seen:
    """The same with Python's own numbers: models like to give those of numpy."""
    for problem in _problems(text, one):
        raise BadAnswer(problem)
    return Seen(one.label, math.floor(one.score), one.field, int(one.start), int(one.end))


def _problems(text: Text, one: Any) -> Iterator[str]:
    if not isinstance(one, Seen):
        yield f"an answer is a list of Seen, not of {type(one).__name__}"
    if not isinstance(one.label, str) or not LABEL.fullmatch(one.label):
        yield "a label is a letter or digit, then up to 63 of letters, digits, '.', '_' and '-'"
    if one.field not in ("title", "body"):
        yield "a field is 'title' or 'body'"
    if not _is(one.score, Real) or not 0 <= one.score <= 100:  # false for NaN as well
        yield "a score is a number from 0 to 100"
    size = len(text.title if one.field == "title" else text.body)
    if not (_is(one.start, Integral) and _is(one.end, Integral) and 0 <= one.start <= one.end <= size):
        yield "a span is two whole numbers, 0 <= start <= end <= the length of its field"


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)

"""When a live rule hits far beyond its history: the guard that says to move it to shadow, with the numbers.

A rule that hit one item in a thousand last month and hits one in ten today has met something that its writer did not
think of. Until a person has looked, it should be recorded without effect.

The bound is the upper tail of the Poisson distribution. Of `n` acts judged in the window, a rule whose rate is `r` hits
about `n * r` times; the guard speaks only if so many hits as there were, or more, had a chance of less than one in a
million. The rate is taken from the history with one hit and one act added (so that a rule that never hit has a rate as
well) and then widened by FACTOR, since the days of a platform differ more than chance does. Fewer than LEAST_HITS never
count, and a history of fewer than LEAST_ACTS acts says nothing yet. Ten times the rate is noticed from 30 hits on.
"""

import math
from typing import Final

from placet.model import Value

FACTOR: Final = 3
"""A rule may hit this many times as often as its history says, for no reason."""
LEAST_HITS: Final = 20
LEAST_ACTS: Final = 1_000
_LOG_CHANCE: Final = math.log(1e-6)


class Counted(Value, frozen=True):
    """How many acts were judged while a rule was in force, and how many it hit."""

    acts: int
    hits: int


class Surge(Value, frozen=True):
    """The finding that a rule is to be moved to shadow: what it did, and what its history allowed."""

    window: Counted
    history: Counted
    expected: int
    """Hits that the history leads one to expect in the window, rounded up."""
    allowed: int
    """The most hits for which the guard would have said nothing."""


def surge(window: Counted, history: Counted) -> Surge | None:
    """Say whether a rule hits far beyond its history; None: it does not. The window is no part of the history."""
    if window.hits < LEAST_HITS or history.acts < LEAST_ACTS:
        return None
    expected = window.acts * min(1.0, (history.hits + 1) / (history.acts + 1))
    if not _is_beyond(window.hits, FACTOR * expected):
        return None
    return Surge(window, history, math.ceil(expected), _allowed(FACTOR * expected, window.hits))


def _is_beyond(hits: int, mean: float) -> bool:
    """Whether so many hits or more are all but impossible where `mean` are expected.

    Chernoff's bound on the Poisson tail: P(X >= k) <= exp(k - mean - k ln(k / mean)) for k > mean. It never says less
    than the true chance, so that the guard errs on the side of silence.
    """
    return hits > mean and hits - mean - hits * math.log(hits / mean) < _LOG_CHANCE


def _allowed(mean: float, beyond: int) -> int:
    """The most hits that are not beyond the bound, which `beyond` is: found by halving."""
    low, high = int(mean), beyond
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _is_beyond(middle, mean) else (middle, high)
    return max(low, LEAST_HITS - 1)

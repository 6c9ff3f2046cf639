"""The guard: silent while a rule does what it did before, and heard when it hits ten times as often."""

import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from placet.policy.guard import FACTOR, LEAST_ACTS, LEAST_HITS, Counted, surge

ACTS = st.integers(LEAST_ACTS, 1_000_000)


@given(ACTS, st.integers(1, 100_000), st.floats(0, 1), st.floats(0, FACTOR))
def test_a_rate_within_the_factor_is_no_surge(before: int, now: int, rate: float, times: float) -> None:
    """However many acts there are, a rule that hits at most FACTOR times as often as before is left alone."""
    history = Counted(before, math.ceil(before * rate))
    hits = min(now, int(now * history.hits / before * times))
    assert surge(Counted(now, hits), history) is None


@given(ACTS, st.integers(1_000, 100_000), st.floats(0.0001, 0.1))
def test_ten_times_the_rate_is_a_surge(before: int, now: int, rate: float) -> None:
    """Ten times the rate of the history is noticed from 30 hits on; with fewer it may be chance."""
    history = Counted(before, int(before * rate))
    hits = int(now * (history.hits + 1) / (before + 1) * 10)
    assume(30 <= hits <= now)
    found = surge(Counted(now, hits), history)
    assert found is not None
    assert found.allowed < hits
    assert found.expected == pytest.approx(hits / 10, abs=1.1)


@given(ACTS, st.integers(0, 1_000), st.integers(1, 10_000), st.integers(0, 10_000))
def test_the_bound_is_where_it_is_said_to_be(before: int, known: int, now: int, hits: int) -> None:
    """What a surge says was allowed is silent, and one hit more is not; more hits never silence it."""
    history = Counted(before, known)
    found = surge(Counted(now, min(hits, now)), history)
    if found is None:
        return
    assert surge(Counted(now, found.allowed), history) is None
    assert surge(Counted(now, found.allowed + 1), history) is not None
    assert surge(Counted(now, found.window.hits + 1), history) is not None


def test_a_steady_rule_is_left_alone() -> None:
    """A rule that hits one act in a hundred by chance is never moved to shadow, window after window."""
    rng = random.Random(20)
    history = Counted(30_000, 300)
    windows = (sum(rng.random() < 0.01 for _ in range(1_000)) for _ in range(500))
    assert not any(surge(Counted(1_000, hits), history) for hits in windows)


@pytest.mark.parametrize(
    ("window", "history"),
    [
        (Counted(10, 10), Counted(LEAST_ACTS - 1, 0)),
        (Counted(1_000, LEAST_HITS - 1), Counted(1_000_000, 0)),
        (Counted(1_000, 1_000), Counted(10_000, 10_000)),
        (Counted(0, 0), Counted(10_000, 0)),
    ],
)
def test_little_is_no_evidence(window: Counted, history: Counted) -> None:
    """Few hits, a short history, or a rule that has always hit everything give no alarm."""
    assert surge(window, history) is None


def test_a_rule_that_never_hit_and_hits_everything() -> None:
    """The numbers come with the finding, for the person who looks."""
    found = surge(Counted(500, 500), Counted(9_999, 0))
    assert found is not None
    assert (found.window, found.history, found.allowed) == (Counted(500, 500), Counted(9_999, 0), LEAST_HITS - 1)
    assert found.expected == 1

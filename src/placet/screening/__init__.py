"""Screening: content to findings. `screen` and `screen_batch` are the only way in; see docs/screening.md."""

from placet.screening.lists import (
    VIEWS,
    Engine,
    HostList,
    LexiconError,
    Limits,
    ListChange,
    PatternSpec,
    TermList,
    ViewName,
)
from placet.screening.screen import Lexicon, screen, screen_batch

__all__ = [
    "VIEWS",
    "Engine",
    "HostList",
    "Lexicon",
    "LexiconError",
    "Limits",
    "ListChange",
    "PatternSpec",
    "TermList",
    "ViewName",
    "screen",
    "screen_batch",
]

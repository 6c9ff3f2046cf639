"""Screening: content to findings. `screen` and `screen_batch` are the only way in; see docs/screening.md."""

from placet.screening.lists import Engine, HostList, LexiconError, Limits, PatternSpec, TermList
from placet.screening.screen import Lexicon, screen, screen_batch

__all__ = [
    "Engine",
    "HostList",
    "Lexicon",
    "LexiconError",
    "Limits",
    "PatternSpec",
    "TermList",
    "screen",
    "screen_batch",
]

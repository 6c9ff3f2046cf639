"""Placet: a self-hosted publication-review system."""

__version__ = "0.1.0"

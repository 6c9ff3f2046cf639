"""The inner loops of screening, compiled where that could be done: kernel.pyx, and docs/decisions/0021.

Whoever has a loop in numpy and the same loop compiled asks here each time which one to run, so that tests and
benchmarks can have either. Both find the same.
"""

__all__ = ["kernel"]

try:
    from placet.screening import kernel
except ImportError:  # installed without a compiler
    kernel = None  # type: ignore[assignment]

"""`python -m bench [NAME …] [--quick]`: run benchmarks, each in a process of its own, and say which budgets are met.

Exit 0 when every answer was right, budgets missed or not; 1 when one was wrong; 2 when a benchmark could not be run.
"""

import argparse
import importlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec

from bench.report import Benchmark, Line, Size, Wrong, table

NAMES: Final = (
    "screening",
    "screening_growth",
    "peers",
    "evasion",
    "cel_conformance",
    "rules",
    "near",
    "store",
    "submit",
    "batch",
    "ledger",
    "start",
    "growth",
    "screen_files",
    "lists",
    "backtest",
)
_lines: Final = msgspec.json.Decoder(list[Line])


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all when none is given")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_const", dest="size", const="quick", help="smaller sizes")
    sizes.add_argument("--tiny", action="store_const", dest="size", const="tiny", help="only check the answers")
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if unknown := sorted(set(asked.names) - set(NAMES)):
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    size: Size = asked.size or "full"
    names = tuple(asked.names) or NAMES
    if asked.here is not None:
        return run_here(names[0], size, asked.here)
    return run_all(names, size)


def run_all(names: tuple[str, ...], size: Size) -> int:
    """Each in a process of its own, in order; then everything in one table."""
    found: list[Line] = []
    worst = 0
    for name in names:
        code, lines = run_apart(name, size)
        found += lines
        worst = worse(worst, code)
    print(f"\nsummary ({size})\n{table(found)}")
    missed = sum(line.met is False for line in found)
    print(f"\n{sum(line.met is True for line in found)} budgets met, {missed} missed.")
    if worst:
        print("An answer was WRONG: see above." if worst == 1 else "A benchmark could not be run: see above.")
    return worst


def worse(one: int, other: int) -> int:
    """Of two exit codes, the one to end with: a wrong answer before a benchmark that could not be run."""
    return 1 if 1 in (one, other) else max(one, other)


def run_apart(name: str, size: Size) -> tuple[int, list[Line]]:
    """One benchmark in a process of its own, so that none finds caches or memory of another."""
    flags = [] if size == "full" else [f"--{size}"]
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as folder:
        file = Path(folder) / "lines.json"
        command = [sys.executable, "-m", "bench", name, *flags, "--here", str(file)]
        code = subprocess.run(command, check=False).returncode
        lines = _lines.decode(file.read_bytes()) if file.exists() else []
    return (code if code in (0, 1) else 2), lines


def run_here(name: str, size: Size, to: Path) -> int:
    """One benchmark in this process; its lines are left in a file for the summary."""
    benchmark: Benchmark = importlib.import_module(f"bench.{name}").BENCHMARK
    print(f"\n{name}: {benchmark.title}", flush=True)
    lines: list[Line] = []
    started = time.perf_counter()
    try:
        for line in benchmark.measure(size):
            lines.append(line)
            to.write_bytes(msgspec.json.encode(lines))
    except Wrong as problem:
        print(f"WRONG: {name}: {problem}", flush=True)
        return 1
    except Exception as problem:  # noqa: BLE001 - whatever one benchmark meets, the others are still run
        sys.excepthook(type(problem), problem, problem.__traceback__)
        return 2
    print(f"{table(lines)}\n({time.perf_counter() - started:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The benchmarks check what they time: each is run at a size at which only these checks matter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def bench(folder: Path, *arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    """Run `python -m bench`, or some code beside it, with a temporary folder of its own."""
    command = ["-c", code] if code else ["-m", "bench", *arguments]
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"TMPDIR": str(folder)},
    )


@pytest.mark.parametrize(
    "name",
    [
        *("screening", "screening_growth", "peers", "store", "submit", "batch", "ledger", "start", "growth"),
        *("screen_files", "cel_conformance", "rules", "backtest"),
    ],
)
def test_every_answer_of_a_benchmark_is_right(name: str, tmp_path: Path) -> None:
    """A benchmark finds every answer right, judges no budget at a size that is not the budget's, and tidies up."""
    done = bench(tmp_path, name, "--tiny")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 budgets met, 0 missed." in done.stdout
    assert not list(tmp_path.glob("placet-bench-*-*"))


def test_a_wrong_answer_ends_the_run_with_1(tmp_path: Path) -> None:
    """A verifier that finds nothing wrong with a changed entry makes its benchmark say WRONG and exit 1."""
    code = (
        "import sys, pathlib, bench.ledger as ledger, bench.__main__ as run; real = ledger.verify; seen = {};"
        "ledger.verify = lambda lines, vkey: seen.setdefault(vkey, real(lines, vkey));"
        f"sys.exit(run.run_here('ledger', 'tiny', pathlib.Path({str(tmp_path / 'lines')!r})))"
    )
    done = bench(tmp_path, code=code)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "WRONG: ledger: Entry 333 was changed" in done.stdout

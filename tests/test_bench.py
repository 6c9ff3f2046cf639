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


@pytest.mark.parametrize("name", ["screening", "store", "submit", "batch", "ledger", "start", "growth"])
def test_every_answer_of_a_benchmark_is_right(name: str, tmp_path: Path) -> None:
    """A benchmark finds every answer right, judges no budget at a size that is not the budget's, and tidies up."""
    done = bench(tmp_path, name, "--tiny")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 budgets met, 0 missed." in done.stdout
    assert not list(tmp_path.glob("placet-bench-*-*"))

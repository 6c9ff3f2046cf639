"""`make dev`: the demo platform, started again whenever a source file changes."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Final

_PAUSE_S: Final = 0.5
_WATCHED: Final = frozenset((".py", ".toml", ".html", ".css", ".js", ".sql", ".jsonl"))
_ROOT: Final = Path(__file__).parent


def stamps() -> dict[Path, int]:
    """When each source file was last changed."""
    return {file: file.stat().st_mtime_ns for file in _ROOT.rglob("*") if file.suffix in _WATCHED and file.is_file()}


def main() -> None:
    """Run the demo until Ctrl+C; end it and start it again on a change, or wait for one when it has failed."""
    while True:
        before = stamps()
        with subprocess.Popen([sys.executable, "-m", "placet", "demo", *sys.argv[1:]]) as demo:  # noqa: S603 - our own program
            try:
                while stamps() == before:
                    time.sleep(_PAUSE_S)
            except KeyboardInterrupt:
                demo.wait()
                return
            demo.terminate()
        sys.stderr.write("A file has changed: starting again.\n")


if __name__ == "__main__":
    main()

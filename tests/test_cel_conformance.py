"""The conformance tests of the Common Expression Language, as its makers wrote them.

They are not ours to ship: the environment variable PLACET_CEL_SPEC names the folder (`tests/simple/testdata` of
google/cel-spec). Tests that need protocol-buffer messages are not asked; bench/cel_spec.py says of each why.
"""

import os
from collections import defaultdict
from pathlib import Path

import pytest

from bench.cel_spec import FOLDER, Case, cases, verdict

if not os.environ.get(FOLDER):
    pytest.skip(f"{FOLDER} does not name the folder of the conformance tests", allow_module_level=True)
pytest.importorskip("google.protobuf", reason="needs the package protobuf, to read the conformance tests")

BY_FILE: dict[str, list[Case]] = defaultdict(list)
for each in cases(Path(os.environ[FOLDER])):
    BY_FILE[each.file].append(each)


@pytest.mark.parametrize("file", sorted(BY_FILE))
def test_every_test_that_needs_no_messages_passes(file: str) -> None:
    """Of one file, every expression gives the value, the error and the deduced type that are expected."""
    asked = [case for case in BY_FILE[file] if not case.needs]
    failed = {case.title: reason for case in asked if (reason := verdict(case))}
    assert failed == {}


def test_few_tests_need_messages() -> None:
    """What is left out is what is said to be left out: in the files at hand, about one test in five."""
    everything = [case for group in BY_FILE.values() for case in group]
    needing = [case for case in everything if case.needs]
    assert everything
    assert len(needing) < len(everything) / 4
    assert all(case.file not in ("logic", "macros", "math_ext", "string", "timestamps") for case in needing)

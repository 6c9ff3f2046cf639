"""The rule language: the Common Expression Language (google/cel-spec) over declared facts, compiled to Python.

A rule is parsed (parse.py), checked against an Environment (check.py), weighed (cost.py) and turned into one code
object (generate.py, compile.py) that calls the helpers of runtime.py and convert.py. functions.py lists what can be
called, explain.py says why a rule fired.
Left out so far: message construction, timestamps and durations, type values, optional values.
"""

from placet.policy.cel.check import HIT, Environment
from placet.policy.cel.compile import COST_LIMIT, Facts, Program, TextHits, compile_rule
from placet.policy.cel.errors import CelError, CelRuntimeError
from placet.policy.cel.runtime import Uint
from placet.policy.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    INT,
    NULL,
    STRING,
    UINT,
    Type,
    list_of,
    map_of,
    object_type,
)

__all__ = [
    "BOOL",
    "BYTES",
    "COST_LIMIT",
    "DOUBLE",
    "DYN",
    "HIT",
    "INT",
    "NULL",
    "STRING",
    "UINT",
    "CelError",
    "CelRuntimeError",
    "Environment",
    "Facts",
    "Program",
    "TextHits",
    "Type",
    "Uint",
    "compile_rule",
    "list_of",
    "map_of",
    "object_type",
]

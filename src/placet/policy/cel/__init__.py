"""The rule language: the Common Expression Language (google/cel-spec) over declared facts, compiled to Python.

A rule is parsed (parse.py, macros.py), checked against an Environment (check.py), weighed (cost.py) and turned into
one code object (generate.py, compile.py) that calls the helpers of runtime.py and its neighbours. functions.py and
library.py list what can be called, values.py and types.py what there is, explain.py says why a rule fired, trace.py
what each of its parts came to.
Left out: messages, since facts are plain values. Rules have no optional values; an Environment can ask for them.
"""

from placet.policy.cel.check import HIT, TextCall
from placet.policy.cel.compile import COST_LIMIT, Facts, Program, TextHits, compile_rule
from placet.policy.cel.environment import Environment
from placet.policy.cel.errors import CelError, CelRuntimeError
from placet.policy.cel.literal import literal
from placet.policy.cel.overloads import Function, Overload
from placet.policy.cel.trace import Step, Trace, trace_rule
from placet.policy.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    TYPE,
    UINT,
    Type,
    abstract,
    list_of,
    map_of,
    object_type,
    parameter,
)
from placet.policy.cel.values import Duration, Optional, Timestamp, TypeValue, Uint

__all__ = [
    "BOOL",
    "BYTES",
    "COST_LIMIT",
    "DOUBLE",
    "DURATION",
    "DYN",
    "HIT",
    "INT",
    "NULL",
    "STRING",
    "TIMESTAMP",
    "TYPE",
    "UINT",
    "CelError",
    "CelRuntimeError",
    "Duration",
    "Environment",
    "Facts",
    "Function",
    "Optional",
    "Overload",
    "Program",
    "Step",
    "TextCall",
    "TextHits",
    "Timestamp",
    "Trace",
    "Type",
    "TypeValue",
    "Uint",
    "abstract",
    "compile_rule",
    "list_of",
    "literal",
    "map_of",
    "object_type",
    "parameter",
    "trace_rule",
]

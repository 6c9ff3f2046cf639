"""The types of the language: what a fact is declared as, and what the checker finds an expression to be."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

Scalar = Literal["null", "bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration", "type"]
Kind = Scalar | Literal["list", "map", "object", "abstract", "dyn", "empty", "param"]


class Type(msgspec.Struct, frozen=True):
    """One type. `params` holds the element type of a list, the key and value types of a map.

    `name` is that of an object, of an abstract type (`optional_type`), or of a parameter of an overload.
    """

    kind: Kind
    name: str = ""
    params: tuple["Type", ...] = ()
    fields: tuple[tuple[str, "Type"], ...] = ()

    def __str__(self) -> str:
        if self.params:
            return f"{self.name or self.kind}({', '.join(map(str, self.params))})"
        if self.name:
            return self.name
        return "dyn" if self.kind == "empty" else self.kind

    def field(self, name: str) -> "Type | None":
        """The type of a declared field, or None."""
        return dict(self.fields).get(name)

    def mentions(self, *kinds: Kind) -> bool:
        """Whether the type, or a type inside it, is of one of the kinds."""
        inner = (*self.params, *(field for _, field in self.fields))
        return self.kind in kinds or any(part.mentions(*kinds) for part in inner)


NULL: Final = Type("null")
BOOL: Final = Type("bool")
INT: Final = Type("int")
UINT: Final = Type("uint")
DOUBLE: Final = Type("double")
STRING: Final = Type("string")
BYTES: Final = Type("bytes")
TIMESTAMP: Final = Type("timestamp")
DURATION: Final = Type("duration")
TYPE: Final = Type("type")
"""The type of types; what type() gives."""
DYN: Final = Type("dyn")
"""Known only when the rule is evaluated: every use of such a value is checked then, and can fail."""
EMPTY: Final = Type("empty")
"""The element of an empty list or map literal: it joins with anything."""

NUMBERS: Final = ("int", "uint", "double")
_NULLABLE: Final = ("object", "abstract")
"""What null may stand for."""
KEY_KINDS: Final = ("bool", "int", "uint", "string", "dyn")
"""What may be a map key (CEL language definition, "Aggregate values")."""


def list_of(element: Type) -> Type:
    """The type of a list whose elements are all of one type."""
    return Type("list", params=(element,))


def map_of(key: Type, value: Type) -> Type:
    """The type of a map; raises ValueError when the key type cannot be a key."""
    if key.kind not in (*KEY_KINDS, "empty"):
        raise ValueError(f"{key} cannot be the key of a map")
    return Type("map", params=(key, value))


def object_type(name: str, fields: Mapping[str, Type]) -> Type:
    """A declared record: a mapping that always has exactly these fields."""
    return Type("object", name=name, fields=tuple(fields.items()))


def abstract(name: str, *params: Type) -> Type:
    """A type that is known by its name alone, with parameters."""
    return Type("abstract", name=name, params=params)


def optional_of(value: Type) -> Type:
    """The type of a value that may be absent."""
    return abstract("optional_type", value)


def parameter(name: str) -> Type:
    """A type that an overload leaves open: it stands for one type in all its places."""
    return Type("param", name=name)


def accepts(wanted: Type, found: Type) -> bool:
    """Whether a value found to be of one type may stand where another is wanted (dyn is settled at run time)."""
    return unify(wanted, found, {})


def unify(wanted: Type, found: Type, bound: dict[str, Type]) -> bool:
    """`accepts`, where the wanted type may hold parameters; what they turn out to be is left in `bound`.

    A parameter that is met again takes the most general of what it stands for (language definition, "Gradual type
    checking"); types that cannot be compared do not unite.
    """
    if wanted.kind == "param":
        known = bound.get(wanted.name, EMPTY)
        bound[wanted.name] = join(known, found)
        return comparable(known, found)
    if "dyn" in (wanted.kind, found.kind) or "empty" in (wanted.kind, found.kind):
        return True
    if wanted.kind != found.kind:
        return wanted.kind in _NULLABLE and found.kind == "null"
    if wanted.name != found.name or len(wanted.params) != len(found.params):
        return False
    return all(unify(one, other, bound) for one, other in zip(wanted.params, found.params, strict=True))


def substitute(declared: Type, bound: Mapping[str, Type]) -> Type:
    """Put what parameters stand for in their places; anything for one that stands for nothing."""
    if declared.kind == "param":
        return bound.get(declared.name, EMPTY)
    if not declared.params:
        return declared
    params = tuple(substitute(part, bound) for part in declared.params)
    return Type(declared.kind, name=declared.name, params=params)


def comparable(left: Type, right: Type) -> bool:
    """Whether the two may be compared with == (both of one type, as far as is known)."""
    return accepts(left, right) or accepts(right, left)


def join(left: Type, right: Type) -> Type:
    """The most exact type that both are of; dyn when there is none."""
    if left == right or right.kind == "empty":
        return left
    if left.kind == "empty" or (left.kind == "null" and right.kind in _NULLABLE):
        return right
    if left.kind in _NULLABLE and right.kind == "null":
        return left
    is_alike = (left.kind, left.name, len(left.params)) == (right.kind, right.name, len(right.params))
    if is_alike and left.kind in ("list", "map", "abstract"):
        return Type(left.kind, name=left.name, params=tuple(map(join, left.params, right.params)))
    return DYN


def settled(element: Type) -> Type:
    """The type of a value taken out of a container: out of an empty one, anything."""
    return DYN if element.kind == "empty" else element

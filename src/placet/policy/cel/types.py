"""The types of the language: what a fact is declared as, and what the checker finds an expression to be."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

Kind = Literal["null", "bool", "int", "uint", "double", "string", "bytes", "list", "map", "object", "dyn", "empty"]


class Type(msgspec.Struct, frozen=True):
    """One type. `params` holds the element type of a list, the key and value types of a map."""

    kind: Kind
    name: str = ""
    params: tuple["Type", ...] = ()
    fields: tuple[tuple[str, "Type"], ...] = ()

    def __str__(self) -> str:
        if self.kind == "object":
            return self.name
        if self.params:
            return f"{self.kind}({', '.join(map(str, self.params))})"
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
DYN: Final = Type("dyn")
"""Known only when the rule is evaluated: every use of such a value is checked then, and can fail."""
EMPTY: Final = Type("empty")
"""The element of an empty list or map literal: it joins with anything."""

NUMBERS: Final = ("int", "uint", "double")
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


def accepts(wanted: Type, found: Type) -> bool:
    """Whether a value found to be of one type may stand where another is wanted (dyn is settled at run time)."""
    if "dyn" in (wanted.kind, found.kind) or "empty" in (wanted.kind, found.kind):
        return True
    if wanted.kind != found.kind:
        return wanted.kind == "object" and found.kind == "null"
    return wanted.name == found.name and all(map(accepts, wanted.params, found.params))


def comparable(left: Type, right: Type) -> bool:
    """Whether the two may be compared with == (both of one type, as far as is known)."""
    return accepts(left, right) or accepts(right, left)


def join(left: Type, right: Type) -> Type:
    """The most exact type that both are of; dyn when there is none."""
    if left == right or right.kind == "empty":
        return left
    if left.kind == "empty" or (left.kind == "null" and right.kind == "object"):
        return right
    if left.kind == "object" and right.kind == "null":
        return left
    if left.kind == right.kind and left.kind in ("list", "map"):
        return Type(left.kind, params=tuple(map(join, left.params, right.params)))
    return DYN


def settled(element: Type) -> Type:
    """The type of a value taken out of a container: out of an empty one, anything."""
    return DYN if element.kind == "empty" else element

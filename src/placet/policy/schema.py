"""JSON Schemas (draft 2020-12) of a pack's files, for editors that complete and check TOML while it is written.

They say what parse.py says of shapes, since both come from the same structs. What a schema cannot say (citations that
lead nowhere, conditions, cases) `load_pack` still finds.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import msgspec

from placet.model import LANGUAGES, Json
from placet.policy import parse
from placet.policy.explained import KEYS
from placet.screening.lists import VIEWS

_REF: Final = "#/$defs/{name}"

_TEXT: Final[dict[str, Json]] = {
    "description": "One sentence in every language of the product.",
    "type": "object",
    "properties": {language: {"type": "string", "pattern": r"\S"} for language in LANGUAGES},
    "required": list(LANGUAGES),
    "additionalProperties": False,
}

_CITATION: Final[dict[str, Json]] = {
    "description": 'A clause of an instrument: ["IM14", "7(2)"].',
    "type": "array",
    "items": {"type": "string"},
    "minItems": 2,
    "maxItems": 2,
}


def schemas() -> dict[str, dict[str, Json]]:
    """Give the schema of each kind of file by the name to write it under: "rules.schema.json"."""
    return {schema_name(kind): _schema(kind, head, tables) for kind, (head, tables) in parse.shapes().items()}


def schema_name(file: str) -> str:
    """Name the schema for a file of a pack: "lists.schema.json" for "lists/seeds.toml"."""
    return f"{file.partition('/')[0].removesuffix('.toml')}.schema.json"


def _schema(
    kind: str, head: type[msgspec.Struct] | None, tables: Mapping[str, type[msgspec.Struct]]
) -> dict[str, Json]:
    definitions = _definitions([*([head] if head else []), *tables.values()])
    whole = definitions.pop(head.__name__) if head else {"properties": {}, "required": []}
    for name, struct in tables.items():
        described = f"[[{name}]]: {_first_line(struct)}"
        ref = {"$ref": _REF.format(name=struct.__name__)}
        whole["properties"][name] = {"description": described, "type": "array", "items": ref}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{kind if kind.endswith('.toml') else f'{kind}/*.toml'} of a Placet rule pack",
        "type": "object",
        "properties": whole["properties"],
        "required": whole["required"],
        "additionalProperties": False,
        "$defs": {**definitions, "Text": _TEXT},
    }


def _definitions(structs: list[type[msgspec.Struct]]) -> dict[str, dict[str, Json]]:
    """Give the schema of each struct, as files write it, its keys explained."""
    _, components = msgspec.json.schema_components(structs, ref_template=_REF)
    found = {each.__name__: each for struct in structs for each in _reached(struct)}
    return {name: _CITATION if name == "Citation" else _explained(found[name], components[name]) for name in components}


def _explained(struct: type[msgspec.Struct], component: Mapping[str, Json]) -> dict[str, Json]:
    properties = {key: _property(struct, key, value) for key, value in component["properties"].items()}
    return {
        "description": _first_line(struct),
        "type": "object",
        "properties": properties,
        "required": component.get("required", []),
        "additionalProperties": False,
    }


def _property(struct: type[msgspec.Struct], key: str, value: Json) -> Json:
    made = _as_written(value)
    if key == "views":
        made["items"] = {"enum": list(VIEWS)}
    if "$ref" in made:  # what stands beside a reference is passed over by older readers
        made = {"allOf": [made]}
    return {"description": explain(struct, key), **made} if explain(struct, key) else made


def _as_written(value: Json) -> Json:
    """Turn what msgspec says of a value into what TOML can write: without null, and texts by their definition."""
    made = dict(value)
    if made.get("default", ...) is None or isinstance(made.get("default"), dict):
        del made["default"]
    if made.get("default") == ():
        made["default"] = []
    if "anyOf" in made:
        some = [each for each in made.pop("anyOf") if each != {"type": "null"}]
        made |= some[0] if len(some) == 1 else {"anyOf": some}
    if made.get("type") == "object" and made.get("additionalProperties") == {"type": "string"}:
        return {"$ref": _REF.format(name="Text")}
    return made


# --- explaining ----------------------------------------------------------------------------------------------------


def explain(struct: type[msgspec.Struct], key: str) -> str:
    """Say what a key of a struct means; empty where nobody has written it down."""
    return KEYS.get(f"{struct.__name__}.{key}") or _docstrings(struct).get(key) or KEYS.get(key, "")


def _first_line(struct: type[msgspec.Struct]) -> str:
    return inspect.cleandoc(struct.__doc__ or "").partition("\n")[0]


@cache
def _docstrings(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Read the docstrings of a struct's fields, by key as files write them; none where its source is not there."""
    try:
        source = textwrap.dedent(inspect.getsource(struct))
    except (OSError, TypeError):
        return {}
    keys = {field.name: field.encode_name for field in msgspec.structs.fields(struct)}
    return {keys[name]: text for name, text in _described(ast.parse(source)) if name in keys}


def _described(tree: ast.Module) -> Iterator[tuple[str, str]]:
    (made,) = tree.body
    assert isinstance(made, ast.ClassDef)
    for field, following in zip(made.body, made.body[1:], strict=False):
        match field, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())


def _reached(struct: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    """Give the struct and all those that its fields hold."""
    yield struct
    for field in msgspec.structs.fields(struct):
        for inner in _structs_in(field.type):
            yield from _reached(inner)


def _structs_in(kind: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for inner in getattr(kind, "__args__", ()):
        yield from _structs_in(inner)

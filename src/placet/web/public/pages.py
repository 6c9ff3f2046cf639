"""Home, and the API in words."""

from typing import Any, Final

import msgspec
from litestar import Litestar, Response, get
from litestar.routes import HTTPRoute

from placet.errors import CODES
from placet.web.contexts import ApiOperation, ApiPage, HomePage
from placet.web.public.rules import pack_card
from placet.web.strict import StrictRequest
from placet.web.visit import visit


@get("/", include_in_schema=False)
async def home_page(request: StrictRequest) -> Response[str]:
    """What this place is, and which rules are in force."""
    here = await visit(request)
    desk = here.desk
    packs = tuple(pack_card(pack, here.language) for pack in desk.service.policy.packs)
    return here.page(HomePage(here.chrome(), packs, desk.recorder.origin, await desk.store.size()))


_GROUPS: Final = ("publications", "accounts", "ledger", "system")


@get("/api", include_in_schema=False)
async def api_page(request: StrictRequest) -> Response[str]:
    """The API in words and examples, from the same description as /v1/openapi.json."""
    here = await visit(request)
    schema = request.app.openapi_schema.to_schema()
    scopes = _scopes(request.app)
    groups = tuple((group, tuple(_operations(schema, scopes, group))) for group in _GROUPS)
    codes = tuple((code, known.status, known.title, known.next_step) for code, known in CODES.items())
    return here.page(ApiPage(here.chrome(), groups, here.desk.settings.base_url, codes))


def _scopes(app: Litestar) -> dict[tuple[str, str], str]:
    """The permission that each operation asks for, by method and path."""
    found: dict[tuple[str, str], str] = {}
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                scope = str(handler.opt.get("scope", ""))
                found |= {(method, route.path_format): scope for method in handler.http_methods}
    return found


def _operations(schema: dict[str, Any], scopes: dict[tuple[str, str], str], group: str) -> list[ApiOperation]:
    found = []
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            if group in operation.get("tags", ()):
                scope = scopes.get((method.upper(), path), "")
                found.append(_operation(schema, path, method, operation, scope))
    return found


def _operation(schema: dict[str, Any], path: str, method: str, operation: dict[str, Any], scope: str) -> ApiOperation:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    example = _example(schema, content.get("schema", {}), 0) if content else None
    responses = tuple((status, response.get("description", "")) for status, response in operation["responses"].items())
    return ApiOperation(
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        scope=scope,
        request="" if example is None else msgspec.json.format(msgspec.json.encode(example), indent=2).decode(),
        responses=responses,
    )


def _example(schema: dict[str, Any], node: dict[str, Any], depth: int) -> Any:
    """An example value of a JSON schema: defaults and first choices, enough to show the shape."""
    if depth > 6:
        return None
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return _example(schema, schema["components"]["schemas"].get(name, {}), depth + 1)
    if "default" in node and node["default"] not in ({}, []):
        return node["default"]
    if "enum" in node:
        return node["enum"][0]
    for choice in ("oneOf", "anyOf", "allOf"):
        if choice in node:
            return _example(schema, node[choice][0], depth + 1)
    if node.get("type") == "object":
        return {name: _example(schema, each, depth + 1) for name, each in node.get("properties", {}).items()}
    return _plain_example(node)


def _plain_example(node: dict[str, Any]) -> Any:
    match node.get("type"):
        case "array":
            return []
        case "integer" | "number":
            return node.get("minimum", 0)
        case "boolean":
            return False
        case "string" if node.get("format") == "date-time":
            return "2027-01-01T09:00:00+08:00"
        case _:
            return ""


HANDLERS = [home_page, api_page]

"""Errors as RFC 9457 problems on the API, and as a page on the desk."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, ValidationException
from litestar.openapi.spec import OpenAPI, OpenAPIMediaType, OpenAPIResponse, OpenAPIType, Schema

from placet.errors import CODES, PlacetError
from placet.model import Refusal

_HTTP_CODES: Final[Mapping[int, str]] = {
    400: "malformed_json",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "wrong_media_type",
    422: "invalid",
}


_TEXT: Final = Schema(type=OpenAPIType.STRING)
_PROBLEM: Final = OpenAPIResponse(
    description="A problem (RFC 9457): `code` is stable, `next_step` says the way out.",
    content={
        "application/problem+json": OpenAPIMediaType(
            schema=Schema(
                type=OpenAPIType.OBJECT,
                properties={
                    "type": _TEXT,
                    "title": _TEXT,
                    "status": Schema(type=OpenAPIType.INTEGER),
                    "detail": _TEXT,
                    "code": Schema(type=OpenAPIType.STRING, enum=sorted(CODES)),
                    "next_step": _TEXT,
                    "facts": Schema(type=OpenAPIType.OBJECT),
                },
                required=["type", "title", "status", "detail", "code", "next_step", "facts"],
            )
        )
    },
)


def describe_problems(api: OpenAPI) -> None:
    """Say in the API's description what its errors look like; litestar would describe its own."""
    for path in (api.paths or {}).values():
        for operation in (path.get, path.post):
            if operation is not None and operation.responses is not None:
                operation.responses.pop("400", None)
                operation.responses["default"] = _PROBLEM


def problem(code: str, detail: str = "", facts: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The members of a problem: RFC 9457's own, then our `code`, `next_step` and `facts`."""
    known = CODES[code]
    return {
        "type": f"/api#error-{code}",
        "title": known.title,
        "status": known.status,
        "detail": detail or known.title,
        "code": code,
        "next_step": known.next_step,
        "facts": dict(facts or {}),
    }


def problem_response(code: str, detail: str = "", facts: Mapping[str, Any] | None = None) -> Response[bytes]:
    """A problem as a response; those that pass by themselves say when to try again."""
    status = CODES[code].status
    headers = {"retry-after": "1"} if status == 503 else {}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    body = msgspec.json.encode(problem(code, detail, facts))
    return Response(body, status_code=status, media_type="application/problem+json", headers=headers)


def refusal_response(refusal: Refusal) -> Response[bytes]:
    """A procedure's refusal as a problem."""
    return problem_response(refusal.code, "", refusal.facts)


def describe(error: Exception) -> tuple[str, str, dict[str, Any]]:
    """What an exception means: (code, detail, facts). Our own mistakes say nothing of their inside."""
    if isinstance(error, PlacetError):
        return error.code, error.detail, error.facts
    if isinstance(error, ValidationException):
        found = error.extra if isinstance(error.extra, list) else []
        texts = [str(each.get("message", "")) for each in found if isinstance(each, dict)]
        if texts == ["'data'"]:  # how litestar words a body that is not there
            return "malformed_json", "The body is empty.", {}
        fields = [str(each.get("key", "")) for each in found if isinstance(each, dict)]
        detail = "; ".join(texts) or "A parameter has a wrong value."
        code = "zone_missing" if "timezone component" in detail else "invalid"
        return code, detail, {"field": fields[0] if fields else "", "errors": texts}
    if isinstance(error, HTTPException):
        return _HTTP_CODES.get(error.status_code, "internal"), "", {}
    return "internal", "", {}


def shown_path(path: str) -> str:
    """A path as logs may hold it: a sign-in link's token would let its reader in."""
    return "/link" if path.startswith("/link/") else path


def api_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The exception handler of everything under /v1."""
    code, detail, facts = describe(error)
    if code == "internal":
        request.app.state.log.error("request_failed", path=request.url.path, error=type(error).__name__, exc_info=error)
    facts = {**facts, "request": request.scope.get("placet_request_id", "")} if code == "internal" else facts
    response = problem_response(code, detail, facts)
    if isinstance(error, MethodNotAllowedException):  # RFC 9110 section 15.5.6: it must say what is allowed
        response.headers.update(error.headers or {})
    return response

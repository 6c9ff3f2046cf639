"""The ASGI application: routes, errors, headers, request ids, one log line for each request that failed."""

import itertools
import secrets
import time
from importlib.resources import files
from typing import Any, Final

import structlog
from litestar import Litestar, Response, Router, get
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.response import Redirect
from litestar.static_files import create_static_files_router
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from placet import __version__
from placet.errors import CODES, PlacetError
from placet.house import House
from placet.lists import Lists
from placet.metrics import Metrics
from placet.trials import Trials
from placet.web.api import accounts, ledger, lists, publications, system
from placet.web.auth import Gate
from placet.web.console import admin, figures, packs, records, review, session, trial, versions
from placet.web.console import lists as lists_desk
from placet.web.contexts import ProblemPage
from placet.web.desk import Desk
from placet.web.problems import api_error, describe, describe_problems, shown_path
from placet.web.public import pages, rules
from placet.web.strict import Patience, StrictRequest
from placet.web.visit import SignInNeeded, visit_so_far
from placet.web.wire import encode

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "form-action 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_API: Final = ("/v1/", "/healthz/", "/readyz/", "/metrics/")
_API_HEADERS: Final = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
_PAGE_HEADERS: Final = [
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cache-control", b"no-store"),
]
_STATIC_HEADERS: Final = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"public, max-age=3600")]


def create_app(house: House, *, demo: bool = False) -> Litestar:
    """The application over an open house. The house outlives it."""
    settings = house.settings
    gate = Gate(house.people, house.store, settings)
    desk = Desk(
        settings=settings,
        store=house.store,
        service=house.service,
        people=house.people,
        lists=Lists(house.service),
        activations=house.activations,
        trials=Trials(house.service),
        gate=gate,
        recorder=house.recorder,
        courier=house.courier,
        metrics=house.metrics,
        log=house.log,
        demo=demo,
    )
    api = Router(
        "/v1",
        route_handlers=[
            publications.router(settings.max_batch_bytes),
            accounts.router(),
            ledger.router(),
            lists.router(),
            openapi_json,
        ],
        exception_handlers={Exception: api_error},
    )
    static = create_static_files_router("/static", [str(files("placet.web") / "static")], include_in_schema=False)
    sections = (session, review, trial, packs, versions, figures, lists_desk, records, admin)
    handlers = [*pages.HANDLERS, *rules.HANDLERS, *(each for section in sections for each in section.HANDLERS)]
    checks = Router(
        "/",
        route_handlers=[system.healthz, system.readyz, system.metrics],
        exception_handlers={Exception: api_error},
    )
    app = Litestar(
        route_handlers=[api, checks, static, *handlers],
        request_class=StrictRequest,
        exception_handlers={Exception: page_error, SignInNeeded: _sign_in},  # type: ignore[dict-item]
        state=State({"desk": desk, "log": house.log, "patience": Patience(settings.body_timeout_s)}),
        openapi_config=_openapi(),
        request_max_body_size=settings.max_body_bytes,
        logging_config=None,
    )
    describe_problems(app.openapi_schema)
    return app


def asgi(app: Litestar) -> ASGIApp:
    """The application inside what every request passes: id, headers, metrics, log."""
    desk: Desk = app.state.desk
    return _Outer(app, desk.metrics, desk.log)


def _headers_for(path: str) -> list[tuple[bytes, bytes]]:
    """What is added to every answer, by where it comes from: only what is the same for everybody may be kept."""
    if f"{path}/".startswith(_API):
        return _API_HEADERS
    return _STATIC_HEADERS if path.startswith("/static/") else _PAGE_HEADERS


class _Outer:
    """Around the application, as plain ASGI: it costs every request a few microseconds and no copy of the body."""

    def __init__(self, app: ASGIApp, metrics: Metrics, log: structlog.stdlib.BoundLogger) -> None:
        self._app = app
        self._metrics = metrics
        self._log = log
        self._counters: dict[tuple[str, int], Any] = {}
        self._run = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:  # litestar types only http and websocket; a lifespan passes here too
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = f"{self._run}-{next(self._numbers)}"
        scope["placet_request_id"] = request_id  # type: ignore[typeddict-unknown-key]
        path: str = scope["path"]
        extra = _headers_for(path)
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(each for each in extra if each[0] not in present),
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            self._count(str(scope["method"]), path, status, time.perf_counter() - started, request_id)

    def _count(self, method: str, path: str, status: int, seconds: float, request_id: str) -> None:
        counter = self._counters.get((method, status))
        if counter is None:
            counter = self._counters[method, status] = self._metrics.requests.labels(method, str(status))
        counter.inc()
        self._metrics.seconds.observe(seconds)
        if status >= 400:  # the path only: a query or a link's token could tell who somebody is
            self._log.warning("request", method=method, path=shown_path(path), status=status, request=request_id)


@get("/openapi.json", include_in_schema=False)
async def openapi_json(request: StrictRequest) -> Response[bytes]:
    """The API as OpenAPI 3.1."""
    schema = encode(request.app.openapi_schema.to_schema())
    return Response(schema, media_type="application/json")


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Placet",
        version=__version__,
        description="Publication review: submit, decide, release, and prove it from the record.",
        path="/v1/described",
        render_plugins=(
            JsonRenderPlugin(path="/openapi.json"),
        ),  # none by default, they would load scripts from elsewhere
        components=Components(
            security_schemes={
                "key": SecurityScheme(type="http", scheme="bearer", description="An API key or personal token.")
            }
        ),
        security=[{"key": []}],
        use_handler_docstrings=True,
    )


def page_error(request: StrictRequest, error: Exception) -> Response[Any]:
    """Any error on a page, as a page in the reader's language; a bug says nothing of its inside."""
    if f"{request.url.path}/".startswith(_API):
        return api_error(request, error)
    code, _, _ = describe(error)
    if code == "internal" and not isinstance(error, HTTPException | PlacetError):
        request.app.state.log.error(
            "page_failed", path=shown_path(request.url.path), error=type(error).__name__, exc_info=error
        )
    code = "not_found" if code == "wrong_id_kind" else code  # an address that cannot be is an address that is not
    here = visit_so_far(request)
    identity = str(request.scope.get("placet_request_id", ""))
    status = CODES[code].status
    return here.page(ProblemPage(here.chrome(), status, code, identity), status=status)


def _sign_in(_: StrictRequest, __: Exception) -> Response[Any]:
    return Redirect("/sign-in", status_code=303)

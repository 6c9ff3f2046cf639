"""What the handlers work with: one Desk an application, reached through `desk_of(request)`."""

import hashlib
from typing import Any, NamedTuple

import structlog
from litestar import Request, Response
from litestar.types import ASGIApp, Receive, Scope, Send

from placet.activations import Activations
from placet.errors import BadInput
from placet.lists import Lists
from placet.metrics import Metrics
from placet.model import Micros
from placet.people import People
from placet.recorder import Recorder
from placet.service import Idempotency, Service
from placet.settings import Settings
from placet.store.contract import Store
from placet.trials import Trials
from placet.web.auth import Gate
from placet.web.strict import StrictRequest
from placet.webhooks import Courier


class Desk(NamedTuple):
    """The parts of one running platform."""

    settings: Settings
    store: Store
    service: Service
    people: People
    lists: Lists
    activations: Activations
    trials: Trials
    gate: Gate
    recorder: Recorder
    courier: Courier
    metrics: Metrics
    log: structlog.stdlib.BoundLogger
    demo: bool = False

    def now(self) -> Micros:
        """The service's clock."""
        return self.service.clock()


def desk_of(request: Request[Any, Any, Any]) -> Desk:
    """The desk that serves this request."""
    desk: Desk = request.app.state.desk
    return desk


def idempotency(request: StrictRequest, body: bytes) -> Idempotency | None:
    """The Idempotency-Key with the digest of what is asked; None without one."""
    key = request.header("idempotency-key")
    if key is None:  # an empty one is not none: whoever sends it wants to be safe, and is not
        return None
    if not 1 <= len(key) <= 200 or not key.isascii() or not key.isprintable():
        raise BadInput(code="bad_idempotency_key")
    return Idempotency(key, digest_of(request, body))


def digest_of(request: Request[Any, Any, Any], body: bytes) -> bytes:
    """What makes two requests the same: method, path and body."""
    return hashlib.sha256(b"\n".join((request.method.encode(), request.url.path.encode(), body))).digest()


class Answer(Response[bytes]):
    """JSON bytes that are ready to go: sent as they are, where litestar would build a second response of the first."""

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIApp:  # type: ignore[override]  # all that is asked is a call
        """Give the application that sends the bytes."""
        return self._send

    async def _send(self, _: Scope, __: Receive, send: Send) -> None:
        length = str(len(self.content)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": self.status_code or 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.content, "more_body": False})

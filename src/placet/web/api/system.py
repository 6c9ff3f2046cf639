"""/healthz, /readyz, /metrics."""

from typing import Any

from litestar import Response, get

from placet.errors import StoreError
from placet.web.api.publications import JSON
from placet.web.desk import desk_of
from placet.web.strict import StrictRequest
from placet.web.wire import encode


@get("/healthz", summary="Alive", tags=["system"])
async def healthz(request: StrictRequest) -> Response[dict[str, Any]]:
    """Whether the process answers at all."""
    return Response(encode({"status": "ok", "demo": desk_of(request).demo}), media_type=JSON)  # type: ignore[arg-type]


@get("/readyz", summary="Ready", tags=["system"])
async def readyz(request: StrictRequest) -> Response[dict[str, Any]]:
    """Whether it can do its work: the database answers and the record verifies. 503 otherwise, with which does not."""
    desk = desk_of(request)
    checks = {"ledger": "halted" if desk.recorder.halted else "ok", "store": "ok"}
    try:
        await desk.store.size()
    except StoreError:
        checks["store"] = "unavailable"
    good = all(each == "ok" for each in checks.values())
    body = encode({"status": "ok" if good else "failing", "checks": checks})
    return Response(body, status_code=200 if good else 503, media_type=JSON)  # type: ignore[arg-type]


@get("/metrics", summary="Metrics", tags=["system"], media_type="text/plain")
async def metrics(request: StrictRequest) -> Response[bytes]:
    """Prometheus metrics. Serve this address to your network only."""
    return Response(desk_of(request).metrics.text(), media_type="text/plain; version=0.0.4")

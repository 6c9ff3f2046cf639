"""Running the application with uvicorn in this process, until a signal ends it."""

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import structlog
import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from placet.errors import PlacetError
from placet.house import House, open_house
from placet.settings import Settings
from placet.web.app import asgi, create_app

SWITCH_S = 0.0005
"""How long a thread may hold the interpreter while another waits: the writer thread needs it often and briefly."""
GARBAGE_AT = 20_000
"""New containers that are made before the youngest of them are looked through."""
GRACE_S = 10
"""Seconds that running requests are given to end when the server is stopped."""
MOST_HELD = 65_536
"""Bytes of an answer that wait for the end of the loop's turn."""


def serve(
    settings: Settings,
    ready: Callable[[House], Awaitable[None]],
    *,
    demo: bool = False,
    log: structlog.stdlib.BoundLogger | None = None,
) -> None:
    """Open the house, serve it, close it. `ready` is called when the address answers."""
    sys.setswitchinterval(SWITCH_S)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, ready, demo=demo, log=log))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop where it is installed: it is not, on Windows."""
    try:
        import uvloop  # noqa: PLC0415 - absent on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop


def _settle_garbage() -> None:
    """Keep what was built for the start (tables, automata, packs) out of later collections, and collect less often.

    A full collection walks all of that again and again, for tens of milliseconds, and finds nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_AT, 20, 100)


async def _serve(
    settings: Settings,
    ready: Callable[[House], Awaitable[None]],
    *,
    demo: bool,
    log: structlog.stdlib.BoundLogger | None,
) -> None:
    async with open_house(settings, serving=True, log=log) as house, running(house, demo=demo) as server:
        _settle_garbage()
        await ready(house)
        while not server.should_exit and not server.force_exit:  # noqa: ASYNC110 - uvicorn sets flags, no event
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def running(house: House, *, demo: bool = False) -> AsyncIterator[uvicorn.Server]:
    """The application of an open house, answering on its address while inside."""
    settings = house.settings
    config = uvicorn.Config(
        asgi(create_app(house, demo=demo)),
        host=settings.host,
        port=settings.port,
        http=_Protocol,
        access_log=False,
        proxy_headers=False,  # links are made from `base_url`, and nothing here asks for the caller's address
        log_config=None,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=30,
    )
    server = _Server(config)
    sockets = _listen(settings.host, settings.port)
    task = asyncio.create_task(server.serve(sockets), name="http")
    try:
        while not server.started:
            if task.done():
                raise PlacetError(f"The server on {settings.host}:{settings.port} did not start.", code="settings")
            await asyncio.sleep(0.02)
        yield server
    finally:
        server.should_exit = True
        with contextlib.suppress(SystemExit):
            await task


class _Server(uvicorn.Server):
    """Uvicorn's server with our signals: by itself it raises SIGTERM again, before the house is closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop gracefully on SIGINT and SIGTERM; a second SIGINT does not wait for running requests."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, self.handle_exit, each, None)
        yield


def _listen(host: str, port: int) -> list[socket.socket]:
    """A listening socket for each address of the host. Uvicorn, left to do this, ends the process when it cannot."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return [socket.create_server(address, family=family) for family, address in {(f[0], f[4]) for f in found}]
    except OSError as problem:
        raise PlacetError(f"Cannot listen on {host}:{port}: {problem.strerror}.", code="settings") from problem


class _Joined:
    """A transport that writes what it was given in one turn of the loop with one system call: head and body together.

    The answers to a group of submissions, which become durable at once, then also go out in one row. Their clients are
    woken while we are still writing, not one by one between two pieces of our own work.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)
        self._size += len(data)
        if self._size > MOST_HELD:
            self._flush()

    def _flush(self) -> None:
        held, self._held, self._size = self._held, [], 0
        if held and not self._transport.is_closing():  # the caller may have gone away meanwhile
            self._transport.write(b"".join(held))

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Protocol(AutoHTTPProtocol):  # type: ignore[misc,valid-type]  # one of two, as uvicorn finds httptools or not
    """Uvicorn's HTTP/1.1 over a joined transport."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(_Joined(transport))  # it has what uvicorn asks for

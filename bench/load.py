"""A bounded HTTP/1.1 load: N connections, each with one request under way, for so many requests; figures as JSON.

Small on purpose: what it costs is taken from the same two cores as the server that it loads, so it writes prepared
bytes and reads only status and length of each answer.
"""

import asyncio
import time
from typing import NamedTuple

_LONGEST_S = 300


class Figures(NamedTuple):
    """What came of a load; times in seconds."""

    seconds: float
    rate: float
    p50: float
    p99: float
    statuses: dict[int, int]
    times: list[float]
    """Of each request, shortest first."""


class Caller(asyncio.Protocol):
    """One connection: sends the next request when the last one is answered."""

    def __init__(self, load: "Load") -> None:
        self.load = load
        self.buffer = b""
        self.started = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's own, of the same shape
        self.send()

    def send(self) -> None:
        request = self.load.next_request()
        assert self.transport is not None
        if request is None:
            self.transport.close()
            return
        self.started = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, blank, rest = self.buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        length = int(lowered[at + 15 :].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        self.load.answered(int(head[9:12]), time.perf_counter() - self.started)
        self.send()

    def connection_lost(self, _: Exception | None) -> None:
        self.load.closed()


class Load:
    """Counts what was asked and answered."""

    def __init__(self, requests: list[bytes], connections: int) -> None:
        self.requests = iter(requests)
        self.open = connections
        self.times: list[float] = []
        self.statuses: dict[int, int] = {}
        self.done = asyncio.Event()

    def next_request(self) -> bytes | None:
        return next(self.requests, None)

    def answered(self, status: int, seconds: float) -> None:
        self.times.append(seconds)
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def closed(self) -> None:
        self.open -= 1
        if not self.open:
            self.done.set()


def request_bytes(host: str, path: str, headers: dict[str, str], body: bytes | None) -> bytes:
    """A POST of JSON as it goes over the wire, or a GET where there is no body."""
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", f"host: {host}"]
    if body is not None:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


async def run(port: int, requests: list[bytes], connections: int) -> Figures:
    """Send every request over `connections` connections."""
    load = Load(requests, connections)
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    for _ in range(connections):
        await loop.create_connection(lambda: Caller(load), "127.0.0.1", port)
    await asyncio.wait_for(load.done.wait(), _LONGEST_S)
    seconds = time.perf_counter() - started
    times = sorted(load.times)
    return Figures(
        seconds=seconds,
        rate=len(times) / seconds,
        p50=times[len(times) // 2],
        p99=times[int(len(times) * 0.99)],
        statuses=load.statuses,
        times=times,
    )

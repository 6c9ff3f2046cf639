"""A bounded HTTP/1.1 load: N connections, each with one request under way, for so many requests; figures as JSON.

Small on purpose: what it costs is taken from the same two cores as the server that it loads, so it writes prepared
bytes and reads only status and length of each answer.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

import uvloop


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


def request_bytes(host: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    """One POST as it goes over the wire."""
    lines = [f"POST {path} HTTP/1.1", f"host: {host}", "content-type: application/json", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def run(port: int, requests: list[bytes], connections: int) -> dict[str, object]:
    """Send every request over `connections` connections; gives rate, latencies and statuses."""
    load = Load(requests, connections)
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    for _ in range(connections):
        await loop.create_connection(lambda: Caller(load), "127.0.0.1", port)
    await asyncio.wait_for(load.done.wait(), 300)
    seconds = time.perf_counter() - started
    times = sorted(load.times)
    return {
        "requests": len(times),
        "seconds": seconds,
        "rate": len(times) / seconds,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[int(len(times) * 0.99)] * 1000,
        "statuses": {str(status): count for status, count in load.statuses.items()},
    }


def main() -> None:
    """load.py PORT PATH CONNECTIONS HEADERS_JSON BODIES_FILE"""
    port, path, connections, headers, bodies = sys.argv[1:6]
    lines = Path(bodies).read_bytes().splitlines()
    requests = [request_bytes(f"127.0.0.1:{port}", path, json.loads(headers), line) for line in lines]
    sys.stdout.write(json.dumps(uvloop.run(run(int(port), requests, int(connections)))) + "\n")


if __name__ == "__main__":
    main()

"""Servers to be measured, each a process of its own on a free port of 127.0.0.1, ended by its own handle."""

import asyncio
import contextlib
import io
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from unittest import mock
from urllib.parse import urlsplit

import asyncpg
import httpx
import uvloop

from bench.load import Figures, request_bytes, run
from bench.report import Wrong, check
from placet.cli import app
from placet.errors import PlacetError

PACKS: Final = ("community", "cn-public-accounts")
WAIT_S: Final = 120.0
POLL_S: Final = 0.01
POSTGRES: Final = os.environ.get("PLACET_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


def environment() -> dict[str, str]:
    """The environment without settings that would reach into what is measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PLACET_")}


def placet(*arguments: str) -> Any:
    """Run a command of `placet` in this process; gives the JSON that it prints. Raises Wrong when it ends badly."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.dict(os.environ, environment(), clear=True),
    ):
        try:
            code = app(list(arguments), standalone_mode=False) or 0
        except PlacetError as problem:
            raise Wrong(f"placet {' '.join(arguments)}: {problem}") from problem
    check(code == 0, f"placet {' '.join(arguments)} ended with {code}: {out.getvalue()}{err.getvalue()}")
    return json.loads(out.getvalue()) if out.getvalue() else None


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def initialise(folder: Path, packs: tuple[str, ...] = PACKS, database: str = "") -> dict[str, Any]:
    """Make a platform; gives what `placet init` says, with the API key."""
    chosen = [part for pack in packs for part in ("--pack", pack)]
    place = ["--database", database] if database else []
    made: dict[str, Any] = placet("init", "--data", str(folder), *chosen, *place, "--json")
    return made


def memory_of(pid: int, field: str = "VmRSS") -> int:
    """Bytes of resident memory of a process now; `field` is a line of /proc/PID/status: VmRSS, RssAnon, VmHWM."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1_024
    raise OSError(f"/proc/{pid}/status has no {field}.")


class Running:
    """A server process, its port, and how long it took to answer."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log
        self.ready_s = 0.0

    def memory(self, field: str = "VmRSS") -> int:
        """See memory_of."""
        return memory_of(self.process.pid, field)

    def cpu_s(self) -> float:
        """Seconds of processor time that it has taken so far; on a busy machine these say more than the clock."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def load(self, bodies: list[bytes], connections: int, key: str, path: str = "/v1/publications") -> Figures:
        """Send every body once; each must be answered with 201."""
        host = f"127.0.0.1:{self.port}"
        headers = {"authorization": f"Bearer {key}"}
        requests = [request_bytes(host, path, headers, body) for body in bodies]
        figures = uvloop.run(run(self.port, requests, connections))
        check(figures.statuses == {201: len(bodies)}, f"{len(bodies)} submissions were answered {figures.statuses}.")
        return figures

    def get(self, path: str, count: int, headers: dict[str, str], connections: int = 1) -> Figures:
        """Ask for a page so often, one after another; each must be answered with 200."""
        one = request_bytes(f"127.0.0.1:{self.port}", path, headers, None)
        figures = uvloop.run(run(self.port, [one] * count, connections))
        check(figures.statuses == {200: count}, f"{path} was answered {figures.statuses}.")
        return figures


@contextlib.contextmanager
def process(command: list[str], port: int, log: Path, ready: Callable[[int], bool]) -> Iterator[Running]:
    """Run a server while inside; entered when it answers."""
    started = time.perf_counter()
    with log.open("ab") as out:
        child = subprocess.Popen([sys.executable, "-m", *command], stdout=out, stderr=out, env=environment())
    running = Running(child, port, log)
    try:
        while not ready(port):
            check(child.poll() is None, f"{' '.join(command)} ended: {log.read_text('utf-8')[-2_000:]}")
            check(time.perf_counter() - started < WAIT_S, f"{' '.join(command)} does not answer.")
            time.sleep(POLL_S)
        running.ready_s = time.perf_counter() - started
        yield running
    finally:
        child.terminate()
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Running]:
    """`placet serve` on a platform, ready as /readyz says. Its log is kept in a file, as in operation."""
    port = free_port()
    command = ["placet", "serve", "--data", str(folder), "--port", str(port)]
    with process(command, port, folder / "serve.log", _is_ready) as running:
        yield running


@contextlib.contextmanager
def floor_serving(folder: Path) -> Iterator[Running]:
    """The floor of a submission (floor_app.py)."""
    port = free_port()
    with process(["bench.floor_app", str(port), str(folder)], port, folder / "floor.log", _listens) as running:
        yield running


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def client(running: Running, key: str) -> httpx.Client:
    """A client of the API."""
    headers = {"authorization": f"Bearer {key}"}
    return httpx.Client(base_url=f"http://127.0.0.1:{running.port}", headers=headers, timeout=WAIT_S)


def open_account(running: Running, key: str) -> str:
    """A new account with an agreement; gives its id."""
    asked = {"class": "individual", "display_name": "A sample account", "agreement": "2026-01"}
    with client(running, key) as api:
        identity: str = api.post("/v1/accounts", json=asked).raise_for_status().json()["id"]
        return identity


@contextlib.contextmanager
def postgres_database() -> Iterator[str]:
    """The address of a PostgreSQL database of our own, dropped afterwards. Raises OSError where no server answers."""
    name = f"placet_bench_{secrets.token_hex(6)}"
    asyncio.run(_on_postgres(f"CREATE DATABASE {name}"))
    try:
        yield urlsplit(POSTGRES)._replace(path=f"/{name}").geturl()
    finally:
        asyncio.run(_on_postgres(f"DROP DATABASE {name} WITH (FORCE)"))


async def _on_postgres(statement: str) -> None:
    connection = await asyncpg.connect(POSTGRES, timeout=5)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()

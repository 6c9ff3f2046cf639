"""Reading request bodies strictly: size, time, encoding, duplicate keys, NaN, depth, lone surrogates, NUL.

The standard decoder is used because it can see every pair of an object; msgspec then gives the typed value, refusing
unknown fields and wrong types with the path to each.
"""

import asyncio
import json
import time
from collections.abc import Awaitable
from typing import Any, Final, NoReturn, TypeVar

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.types import Empty

from placet.errors import BadInput

T = TypeVar("T")

MOST_DEPTH: Final = 32


def loads(body: bytes) -> Any:
    """Decode one JSON value. Raises BadInput with the code that names the mistake."""
    try:
        value = _decoder.decode(body.decode("utf-8"))
    except BadInput:
        raise
    except RecursionError as problem:
        raise BadInput(code="too_deep", facts={"limit": MOST_DEPTH}) from problem
    except UnicodeDecodeError as problem:
        raise BadInput(f"The body is not UTF-8: byte {problem.start}.", code="malformed_json") from problem
    except ValueError as problem:
        raise BadInput(f"{problem}.", code="malformed_json") from problem
    # Only an escape can smuggle a lone surrogate or NUL past the decoder; without one there is nothing to look for.
    if b"\\u" in body:
        _check_text(value, "$", 0)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BadInput(f"The key {twice[:80]!r} stands twice in one object.", code="duplicate_key")
    return found


def _constant(name: str) -> NoReturn:
    raise BadInput(f"{name} is not a JSON number.", code="not_a_number")


_decoder: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)


def _check_text(value: Any, path: str, depth: int) -> None:
    if depth > MOST_DEPTH:
        raise BadInput(code="too_deep", facts={"limit": MOST_DEPTH})
    if isinstance(value, str):
        check_text(value, path)
    elif isinstance(value, dict):
        for key, each in value.items():
            check_text(key, path)
            _check_text(each, f"{path}.{key[:40]}", depth + 1)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            _check_text(each, f"{path}[{place}]", depth + 1)


def check_text(text: str, path: str) -> None:
    """Refuse what no database and no signature can hold alike: lone surrogates and U+0000."""
    if "\x00" in text:
        raise BadInput(f"{path} holds U+0000.", code="bad_text", facts={"field": path})
    try:
        text.encode()
    except UnicodeEncodeError as problem:
        raise BadInput(f"{path} holds a lone surrogate.", code="bad_text", facts={"field": path}) from problem


def convert(value: Any, kind: type[T]) -> T:
    """Give a decoded value its type. Raises BadInput naming the field."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as problem:
        raise invalid(str(problem)) from problem


def invalid(message: str) -> BadInput:
    """A type mistake as msgspec words it: what was expected, and at which path."""
    what, _, path = message.partition(" - at ")
    code = "zone_missing" if "timezone" in what else "invalid"
    field = path.strip("`").removeprefix("$.") or "$"
    return BadInput(f"{what}{f' (at {field})' if path else ''}.", code=code, facts={"field": field, "problem": what})


class Patience:
    """Ends the reading of bodies that come too slowly: one look a second over all, instead of a timer for each."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._waiting: dict[asyncio.Task[Any], float] = {}
        self._spent: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        """Kept, since to ask for the running loop is a system call (getpid) before Python 3.12."""

    async def wait(self, reading: Awaitable[bytes]) -> bytes:
        """Wait for a body. Raises BadInput when it takes longer than is allowed."""
        if self._timer is None:
            self._look_later()
        task = asyncio.current_task(self._loop)
        assert task is not None
        self._waiting[task] = time.monotonic() + self._seconds
        try:
            return await reading
        except asyncio.CancelledError:
            if task not in self._spent:
                raise
            task.uncancel()
            raise BadInput(code="body_timeout", facts={"seconds": self._seconds}) from None
        finally:
            self._waiting.pop(task, None)
            self._spent.discard(task)

    def _look_later(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(1.0, self._look)

    def _look(self) -> None:
        now = time.monotonic()
        for task, until in self._waiting.items():
            if until < now and task not in self._spent:
                self._spent.add(task)
                task.cancel()
        self._timer = None
        if self._waiting:
            self._look_later()


class StrictRequest(Request[Any, Any, Any]):
    """A request whose body is read within a time and a size, and whose JSON is read by `loads`."""

    @property
    def content_length(self) -> int | None:
        """What the request announces, without building a mapping of its headers."""
        announced = self.header("content-length")
        try:
            return None if announced is None else int(announced)
        except ValueError as problem:
            raise BadInput("Content-Length is not a number.", code="malformed_json") from problem

    async def body(self) -> bytes:
        """The body; BadInput when it comes too slowly or is too large."""
        if self._body is not Empty:
            return self._body
        patience: Patience = self.app.state.patience
        try:
            return await patience.wait(super().body())
        except RequestEntityTooLarge as problem:
            limit = self.route_handler.resolve_request_max_body_size()
            raise BadInput(code="too_large", facts={"limit": limit, "unit": "bytes"}) from problem
        except InternalServerException as problem:  # so litestar says that the client went away in the middle
            raise BadInput("The connection ended before the body.", code="body_timeout") from problem

    def header(self, name: str) -> str | None:
        """A header's value, or None; read straight from the request, without building a mapping of all."""
        wanted = name.encode()
        for each, value in self.scope["headers"]:
            if each == wanted:
                return value.decode("latin-1")
        return None

    async def json(self) -> Any:
        """The body as JSON, once: as the type that the handler takes, or plain where it takes none.

        Litestar would convert laxly, so that "1" passes for a number and a number for an instant.
        """
        self.check_media_type("application/json")
        value = loads(await self.body())
        wanted = self.route_handler.parsed_data_field
        return value if wanted is None else convert(value, wanted.annotation)

    def check_media_type(self, wanted: str) -> None:
        """Refuse other types, and any Content-Encoding: a compressed body could be a bomb, and has no need here."""
        sent = (self.header("content-type") or "").partition(";")[0].strip().lower()
        encoding = (self.header("content-encoding") or "identity").lower()
        if sent != wanted or encoding != "identity":
            raise BadInput(code="wrong_media_type", facts={"expected": wanted, "got": sent or "nothing"})

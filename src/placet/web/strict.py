"""Reading request bodies strictly: size, time, encoding, duplicate keys, NaN, depth, lone surrogates, NUL.

The standard decoder is used because it can see every pair of an object; msgspec then gives the typed value, refusing
unknown fields and wrong types with the path to each.
"""

import asyncio
import json
from typing import Any, Final, NoReturn, TypeVar

import msgspec
from litestar import Request

from placet.errors import BadInput

T = TypeVar("T")

MOST_DEPTH: Final = 32


def loads(body: bytes) -> Any:
    """Decode one JSON value. Raises BadInput with the code that names the mistake."""
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
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


class StrictRequest(Request[Any, Any, Any]):
    """A request whose body is read within a time and a size, and whose JSON is read by `loads`."""

    async def body(self) -> bytes:
        """The body; BadInput when it comes too slowly."""
        seconds = self.app.state.settings.body_timeout_s
        try:
            async with asyncio.timeout(seconds):
                return await super().body()
        except TimeoutError as problem:
            raise BadInput(code="body_timeout", facts={"seconds": seconds}) from problem

    async def json(self) -> Any:
        """The body as JSON, once."""
        self.check_media_type("application/json")
        return loads(await self.body())

    def check_media_type(self, wanted: str) -> None:
        """Refuse other types, and any Content-Encoding: a compressed body could be a bomb, and has no need here."""
        sent = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        encoding = self.headers.get("content-encoding", "identity").lower()
        if sent != wanted or encoding != "identity":
            raise BadInput(code="wrong_media_type", facts={"expected": wanted, "got": sent or "nothing"})

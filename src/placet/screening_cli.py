"""`placet screen`: JSON lines in, JSON lines out, in the same order; a bad line is answered with its mistake."""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from placet.errors import BadInput, SettingsError
from placet.model import Item
from placet.policy import AccountFacts, Policy
from placet.screening import screen_batch
from placet.service import now
from placet.settings import Settings
from placet.shelf import load_policy
from placet.web.strict import convert, loads
from placet.web.wire import ContentIn, encode, finding_out, item_of, verdict_out

_CHUNK: Final = 512


class Line(ContentIn, frozen=True):
    """One line: an item, or just {"text": "…"}; `id` comes back unchanged."""

    text: str = ""
    id: Any = None


def screen_lines(file: str, settings: Settings, *, quiet: bool) -> int:
    """Screen every line; gives how many could not be read."""
    policy = load_policy(settings.packs)
    console = Console(stderr=True)
    with _opened(file) as source, _bar(console, quiet=quiet) as bar:
        task = bar.add_task("screened", total=None)
        done = bad = 0
        lines = enumerate(source, 1)
        while part := list(islice(lines, _CHUNK)):
            for answer, good in _screened(part, policy, settings):
                sys.stdout.buffer.write(answer + b"\n")
                bad += not good
            done += len(part)
            bar.update(task, completed=done, description=f"screened {done} lines, {bad} unreadable")
        sys.stdout.buffer.flush()
    return bad


def _opened(file: str) -> BinaryIO:
    if file == "-":
        return sys.stdin.buffer
    try:
        return Path(file).open("rb")
    except OSError as problem:
        raise SettingsError(f"{file} cannot be read: {problem.strerror}.") from problem


def _bar(console: Console, *, quiet: bool) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True)


def _screened(part: list[tuple[int, bytes]], policy: Policy, settings: Settings) -> Iterator[tuple[bytes, bool]]:
    """The answer to each line of a part, in order, and whether the line was good."""
    read = [_read(line, policy, settings) for _, line in part]
    items = [each[0] for each in read if not isinstance(each, BadInput)]
    findings = iter(screen_batch(items, policy.lexicon))
    at = now()
    for (number, _), each in zip(part, read, strict=True):
        if isinstance(each, BadInput):
            shown = {"line": number, "error": {"code": each.code, "detail": each.detail, "facts": each.facts}}
            yield encode(shown), False
            continue
        item, identity = each
        found = next(findings)
        verdict = policy.evaluate(policy.facts(item, AccountFacts(), at), found, "")
        answer: dict[str, Any] = {"line": number} | ({} if identity is None else {"id": identity})
        answer |= {
            "outcome": verdict.outcome,
            "findings": [msgspec.to_builtins(finding_out(finding, item)) for finding in found],
            "verdict": msgspec.to_builtins(verdict_out(verdict, policy)),
        }
        yield encode(answer), True


def _read(line: bytes, policy: Policy, settings: Settings) -> tuple[Item, Any] | BadInput:
    try:
        given = convert(loads(line), Line)
        whole = msgspec.structs.replace(given, body=_body_of(given))
        return item_of(whole, policy, settings.max_text_chars), given.id
    except BadInput as problem:
        return problem


def _body_of(given: Line) -> str:
    if given.text and given.body:
        raise BadInput("Give `text` or `body`, not both.", facts={"field": "text"})
    return given.text or given.body

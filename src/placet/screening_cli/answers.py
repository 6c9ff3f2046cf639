"""What is said of each line: its findings and verdict, or its mistake."""

from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from placet.errors import CODES, BadInput
from placet.model import Finding, Item, Micros, Verdict
from placet.policy import AccountFacts, Policy
from placet.screening import screen_batch
from placet.screening_cli.lines import Block
from placet.screening_cli.tally import Tally
from placet.settings import Settings
from placet.shelf import load_policy
from placet.web.strict import convert, loads
from placet.web.wire import ContentIn, FindingOut, encode, finding_out, item_of, verdict_out

_VERDICTS_KEPT: Final = 1_024
_NOBODY: Final = AccountFacts()

Id = msgspec.Raw | msgspec.UnsetType
"""What came as `id`, byte for byte, so that no number loses a digit; UNSET where there was none."""


class Line(ContentIn, frozen=True):
    """One line: an item, or just {"text": "…"}. Its `id` is whatever the sender knows it by."""

    text: str = ""
    id: object = None


class Mistake(msgspec.Struct, frozen=True):
    """Why a line could not be read: a code of errors.CODES, and what is wrong."""

    code: str
    detail: str
    facts: dict[str, object]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a line that was screened."""

    line: int
    id: Id = msgspec.UNSET
    outcome: str
    findings: list[FindingOut]
    verdict: msgspec.Raw


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a line that could not be read."""

    line: int
    id: Id = msgspec.UNSET
    error: Mistake


class Answered(NamedTuple):
    """The answers to a block: a line each, in order."""

    data: bytes
    tally: Tally


class _Readable(NamedTuple):
    """A line that can be screened."""

    line: int
    id: Id
    item: Item


class Screener:
    """Answers lines by one policy, as of one instant. The same block always gets the same answers."""

    def __init__(self, policy: Policy, settings: Settings, at: Micros) -> None:
        self.policy = policy
        self.at = at
        self._lexicon = policy.lexicon_at(at)
        self._most_bytes = settings.max_body_bytes
        self._most_chars = settings.max_text_chars
        self._shown = lru_cache(_VERDICTS_KEPT)(self._show)  # few verdicts differ, and their grounds are long

    @classmethod
    def load(cls, settings: Settings, at: Micros) -> "Screener":
        """One with the packs of the settings."""
        return cls(load_policy(settings.packs, drafts=True), settings, at)

    def answer(self, block: Block) -> Answered:
        """Answer a block: whatever can be read of it is screened in one scan."""
        read = [self._read(number, line) for number, line in enumerate(block.lines(), block.first)]
        items = [each.item for each in read if isinstance(each, _Readable)]
        findings = iter(screen_batch(items, self._lexicon))
        tally, data = Tally(), bytearray()
        for each in read:
            answer = self._judged(each, next(findings)) if isinstance(each, _Readable) else each
            if isinstance(answer, Answer):
                tally.count(answer.outcome, answer.findings)
            else:
                tally.count_mistake(answer.error.code)
            data += encode(answer) + b"\n"
        return Answered(bytes(data), tally)

    def _read(self, number: int, line: bytes) -> _Readable | Unreadable:
        identity: Id = msgspec.UNSET
        try:
            value = loads(self._bounded(line))
            identity = _id_of(line) if b'"id"' in line else identity
            given = convert(value, Line)
            return _Readable(number, identity, item_of(_content_of(given), self.policy, self._most_chars))
        except BadInput as problem:
            detail = problem.detail or CODES[problem.code].title
            return Unreadable(line=number, id=identity, error=Mistake(problem.code, detail, problem.facts))

    def _bounded(self, line: bytes) -> bytes:
        if len(line) > self._most_bytes:
            raise BadInput(
                f"The line has more than {self._most_bytes} bytes.",
                code="too_large",
                facts={"limit": self._most_bytes, "unit": "bytes"},
            )
        if not line.strip():
            raise BadInput("The line is blank.", code="malformed_json")
        return line

    def _judged(self, given: _Readable, found: list[Finding]) -> Answer:
        policy = self.policy
        verdict = policy.evaluate(policy.facts(given.item, _NOBODY, self.at), found, "")
        return Answer(
            line=given.line,
            id=given.id,
            outcome=verdict.outcome,
            findings=[finding_out(finding, given.item) for finding in found],
            verdict=self._shown(verdict),
        )

    def _show(self, verdict: Verdict) -> msgspec.Raw:
        return msgspec.Raw(encode(verdict_out(verdict, self.policy)))


class _Identified(msgspec.Struct, frozen=True):
    id: Id = msgspec.UNSET


_identified: Final = msgspec.json.Decoder(_Identified)


def _id_of(line: bytes) -> Id:
    """The `id` of a line that is known to be JSON, without reading anything into it."""
    try:
        return _identified.decode(line).id
    except msgspec.MsgspecError:  # no object: `convert` says so
        return msgspec.UNSET


def _content_of(given: Line) -> ContentIn:
    """The line as content: `text` is another name for `body`."""
    if not given.text:
        return given
    if given.body:
        raise BadInput("Give `text` or `body`, not both.", facts={"field": "text"})
    return msgspec.structs.replace(given, body=given.text)

"""What screening and policy say of an item for an account at an instant, under the policy in force at that instant."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count, islice
from typing import Final, NamedTuple

import msgspec

from placet.detection import READ_OFF, Detection, Found, InForce, Source, Subject
from placet.lexicons import Lexicons
from placet.model import Finding, Item, Json, Micros, Verdict
from placet.near_copies import NearCopies
from placet.policy import AccountFacts, Policy
from placet.procedure import publication as publications
from placet.rule_guards import RuleGuards
from placet.screening import screen
from placet.shelf import Shelf
from placet.store.contract import Store

_item_encoder: Final = msgspec.json.Encoder(order="sorted")


class Screening(NamedTuple):
    """What screening and policy say of an item for an account at an instant."""

    content: bytes
    """The canonical item: the bytes that the revision's hash is over."""
    revision: str
    item: Item
    findings: Sequence[Finding]
    facts: Mapping[str, Json]
    verdict: Verdict
    lists: Mapping[str, Json] = {}
    """By what the lists differed from those of the packs (lexicons.py); empty where they did not."""
    sketch: bytes = b""
    """What is stored so that near copies of the item are found."""


class Judging:
    """Screens items and asks the rules. `shelf` says which are in force when."""

    def __init__(
        self,
        store: Store,
        shelf: Shelf,
        sources: Sequence[Source],
        near: NearCopies | None,
        clock: Callable[[], Micros],
    ) -> None:
        self.shelf = shelf
        self.guards = RuleGuards(store, clock)
        self.lexicons = Lexicons(store, shelf, clock)
        self.detection = Detection(lambda: self.lexicons.in_force, [*([near] if near else ()), *sources])
        self.near = near
        self._attempts = count(1)

    async def screen(self, item: Item, account: AccountFacts, subject: Subject) -> Screening:
        """What screening and policy say of an item."""
        return self.judged(item, account, subject, await self.detection.find(item, subject))

    def judged(self, item: Item, account: AccountFacts, subject: Subject, found: Found) -> Screening:
        """What the rules in force at the act say of what was found."""
        policy = self.shelf.at(subject.at)
        if found.policy is not policy:
            found = self._read_again(item, found, self.lexicons.of(policy))
        return self._judged(item, account, subject, found)

    async def tried(
        self, item: Item, account: AccountFacts, subject: Subject, found: Found, policy: Policy
    ) -> Screening:
        """What the rules of a policy that is not in force would say of what was found; nothing of it is kept."""
        if found.policy is not policy:
            found = self._read_again(item, found, await self.lexicons.tried(policy))
        return self._judged(item, account, subject, found)

    def _judged(self, item: Item, account: AccountFacts, subject: Subject, found: Found) -> Screening:
        policy = found.policy
        facts = policy.facts(item, account, subject.at)
        verdict = policy.evaluate(facts, found.findings, subject.dossier, paused=self.guards.names(policy))
        content = _item_encoder.encode(item)
        revision = hashlib.sha256(content).hexdigest()
        sketch = self.near.sketch(subject.attempt) if self.near else b""
        return Screening(content, revision, item, found.findings, facts, verdict, found.lists, sketch)

    def _read_again(self, item: Item, found: Found, in_force: InForce) -> Found:
        """Another policy has begun, or not yet, between the act and the scan: its rules ask for other findings."""
        lexicon, lists, policy = in_force
        asked = [each for each in found.findings if each.detector not in READ_OFF]
        return Found([*screen(item, lexicon), *asked], lists, policy)

    def recorded(self, screening: Screening) -> publications.Screened:
        """What of it goes on record: no quote, since the words stand in the revision."""
        verdict = screening.verdict
        return publications.Screened(
            revision=screening.revision,
            category=screening.item.category,
            origin=screening.item.origin,
            outcome=verdict.outcome,
            grounds=grounds_of(verdict),
            record={
                "findings": [_without_quote(finding) for finding in screening.findings],
                "facts": self.shelf.at_hand(verdict.policy).recorded(screening.facts),
                "verdict": msgspec.to_builtins(verdict),
                **({"lists": screening.lists} if screening.lists else {}),
            },
        )

    @contextmanager
    def attempting(self, times: int = 1) -> Iterator[list[int]]:
        """Numbers for so many texts to be submitted: until it is recorded or given up, its copies see each."""
        attempts = list(islice(self._attempts, times))
        try:
            yield attempts
        finally:
            if self.near:
                self.near.settled(attempts)


def grounds_of(verdict: Verdict) -> tuple[str, ...]:
    """The grounds of a verdict, each once, most restrictive first."""
    return tuple(dict.fromkeys(hit.ground for hit in verdict.hits))


def _without_quote(finding: Finding) -> Json:
    kept: dict[str, Json] = msgspec.to_builtins(finding)
    kept.pop("quote", None)
    return kept

"""The rules that are out of effect since they hit far beyond their history: which, and who finds that out.

Every process knows which they are. The leading one reads the verdicts of the record as they come, counts hits by rule
in stretches of a few minutes, and asks policy/guard.py whether the last of them are far beyond those before. Hits of
rules in shadow count as well, so that a rule on trial has a history by the time that it is live.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from placet import kinds
from placet.fresh import id_from
from placet.model import Micros
from placet.policy import Counted, Policy, surge
from placet.procedure.rule_guard import Pause, RuleGuard
from placet.store.contract import EntryRow, Query, Store

_STRETCH: Final[Micros] = 300_000_000
_WINDOW: Final = 3
"""Stretches that count as lately: 15 minutes, of which the last is not over."""
_MOST_STRETCHES: Final = 8_640
"""30 days of them."""
_BACK: Final = 50_000
"""Entries of before the start from which the history is taken."""
_BATCH: Final = 2_000
_JUDGED: Final = ("publication.submitted", "publication.revised")

Rule = tuple[str, str]
"""Pack and rule, by their ids."""


def guard_id(pack: str, rule: str) -> str:
    """The id of the dossier of a rule that was ever paused: made from its name, so that it is one everywhere."""
    return id_from("guard", f"guard\n{pack}/{rule}")


class _Hit(msgspec.Struct):
    pack: str
    rule: str


class _Verdict(msgspec.Struct):
    hits: tuple[_Hit, ...] = ()
    shadow: tuple[_Hit, ...] = ()


class _Judged(msgspec.Struct):
    verdict: _Verdict


_judged: Final = msgspec.json.Decoder(_Judged)


class _Stretch(NamedTuple):
    """Some minutes: how many acts were judged, and how many of them each rule hit."""

    number: int
    acts: list[int]
    hits: Counter[Rule]


class RuleGuards:
    """What one process knows of rules that are out of effect."""

    def __init__(self, store: Store, clock: Callable[[], Micros]) -> None:
        self._store = store
        self._clock = clock
        self._paused: tuple[RuleGuard, ...] = ()
        self._lately: deque[_Stretch] = deque()
        self._before: deque[_Stretch] = deque()
        self._acts, self._hits = 0, Counter[Rule]()
        """Of all stretches before, together."""
        self._next = -1
        self._since: dict[Rule, Micros] = {}
        """When a rule was last put back: what it hit before is no surge any more."""

    async def refresh(self) -> None:
        """Read which rules are out of effect."""
        found: list[RuleGuard] = await kinds.every(self._store, Query(kind="guard"))
        self._paused = tuple(each for each in found if each.status == "paused")
        self._since = {(each.pack, each.rule): each.since for each in found if each.status == "resumed"}

    def paused(self, policy: Policy) -> tuple[RuleGuard, ...]:
        """The rules that are out of effect under a policy."""
        if not self._paused:
            return ()
        digests = {pack.id: pack.digest for pack in policy.packs}
        return tuple(each for each in self._paused if digests.get(each.pack) == each.digest)

    def names(self, policy: Policy) -> frozenset[Rule]:
        """The same by their names, for evaluating."""
        return frozenset((each.pack, each.rule) for each in self.paused(policy)) if self._paused else _NONE

    async def surges(self, policy: Policy) -> list[Pause]:
        """The live rules that hit far beyond their history now, with the numbers."""
        await self._read()
        self._grow_old(self._clock() // _STRETCH)
        out = self.names(policy)
        found: list[Pause] = []
        for pack in policy.packs:
            for rule in pack.rules:
                name = (pack.id, rule.id)
                if rule.mode == "shadow" or name in out:
                    continue
                window, history = self._counted(name)
                beyond = surge(window, history)
                if beyond is not None:
                    found.append(
                        Pause(
                            id=guard_id(*name),
                            pack=pack.id,
                            rule=rule.id,
                            digest=pack.digest,
                            window=(window.acts, window.hits),
                            history=(history.acts, history.hits),
                            allowed=beyond.allowed,
                        )
                    )
        return found

    def _counted(self, rule: Rule) -> tuple[Counted, Counted]:
        """The rule's counts lately, and before."""
        first = -(-self._since.get(rule, 0) // _STRETCH)
        lately = [each for each in self._lately if each.number >= first]
        window = Counted(sum(each.acts[0] for each in lately), sum(each.hits[rule] for each in lately))
        return window, Counted(self._acts, self._hits[rule])

    def _grow_old(self, now: int) -> None:
        """Stretches that are no longer lately belong to the history, and after a month to nothing."""
        while self._lately and self._lately[0].number <= now - _WINDOW:
            stretch = self._lately.popleft()
            self._before.append(stretch)
            self._acts += stretch.acts[0]
            self._hits.update(stretch.hits)
        while self._before and self._before[0].number <= now - _MOST_STRETCHES:
            stretch = self._before.popleft()
            self._acts -= stretch.acts[0]
            self._hits.subtract(stretch.hits)

    async def _read(self) -> None:
        """Count what is new in the record; at first, the last of what is there."""
        if self._next < 0:
            self._next = max(0, await self._store.size() - _BACK)
        while rows := await self._store.entries_from(self._next, _BATCH):
            for row in rows:
                if row.kind in _JUDGED and row.body is not None:
                    self._count(row, row.body)
            self._next = rows[-1].seq + 1

    def _count(self, row: EntryRow, body: bytes) -> None:
        stretch = self._stretch(row.at // _STRETCH)
        stretch.acts[0] += 1
        verdict = _judged.decode(body).verdict
        stretch.hits.update((hit.pack, hit.rule) for hit in (*verdict.hits, *verdict.shadow))

    def _stretch(self, number: int) -> _Stretch:
        """The stretch of that number; where time ran backwards, the last one."""
        if not self._lately or self._lately[-1].number < number:
            self._lately.append(_Stretch(number, [0], Counter()))
            self._grow_old(number)
        return self._lately[-1]


_NONE: Final = frozenset[Rule]()

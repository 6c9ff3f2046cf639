"""Near copies of what is submitted: how many there were lately, of how many accounts, and whether one was refused.

Each submission leaves a sketch of its text in the store, in its own transaction. An index of the sketches' keys is kept
in memory (near_index.py): it is filled from the store when it is first asked, and then follows what this process and
others add, so that nothing must be told to it. Texts that share a key are read from the store, compared sketch by
sketch, and taken with what has become of them by now.

What is submitted but not yet durable is pending: of copies that arrive together in one process, each but the first
sees those before it. All that is asked within one turn of the event loop is sketched and sought together.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from heapq import nlargest
from itertools import chain, islice, zip_longest
from typing import Final, NamedTuple

from placet import kinds
from placet.detection import Subject
from placet.errors import StoreUnavailable
from placet.model import Finding, Item, Micros
from placet.near_index import NearIndex
from placet.screening.near import SIZE, VERSION, identical, keys_of, keys_of_all, similarities, sketches
from placet.store.contract import DossierRow, SketchRow, Store

ALIKE: Final = 50
"""Estimated similarity, in per cent, from which a text counts as a copy: about one character in ten changed."""
MOST_COPIES: Final = 50
"""No higher number is given: "50" means "50 or more". So many stored texts are looked at, the oldest and the newest,
and so many pending ones."""
DAY: Final[Micros] = 86_400_000_000
_MOST_BY_CHANCE: Final = 16
"""Of texts that share one key only, which most often are not alike, so many are looked at besides."""
_PAGE: Final = 20_000
_NEWS: Final = 500
_MARK: Final = 16
"""The index learns what to forget in steps of so many texts."""


class _Pending(NamedTuple):
    dossier: str
    account: str
    sketch: bytes


class _Asked(NamedTuple):
    item: Item
    subject: Subject
    future: asyncio.Future[list[Finding]]


class _Other(NamedTuple):
    """A text that shares a key, stored or pending; the account of a stored one is yet to be read."""

    dossier: str
    sketch: bytes
    at: Micros
    account: str = ""


class _Copy(NamedTuple):
    """A text that is alike, by so much; and whether it is the same to the letter."""

    dossier: str
    score: int
    identical: bool
    at: Micros
    account: str


class NearCopies:
    """A Source (detection.py) over the sketches in the store; bound to one event loop.

    `find` raises StoreUnavailable when the store does, as the submission itself would.
    """

    def __init__(
        self, store: Store, days: int, most: int, windows: Callable[[Micros], Collection[int]] = lambda _: ()
    ) -> None:
        """Texts of the last `days` days are sought, and no more than the last `most`, which bounds memory.

        `windows` says within how many days besides they are to be counted, for an act at that instant.
        """
        self._store = store
        self._window = days * DAY
        self._most = most
        self._windows = windows
        self._index = NearIndex()
        self._known = 0
        self._marks: deque[tuple[Micros, int]] = deque()
        """Instant and seq of each _MARK-th text in the index."""
        self._following = asyncio.Lock()
        self._filled = False
        self._pending: dict[int, _Pending] = {}
        """By the number of the attempt."""
        self._pending_by_key: dict[int, dict[int, None]] = {}
        """The attempts that have each key, in order."""
        self._waiting: list[_Asked] = []
        self._turn: asyncio.Task[None] | None = None

    def start(self, now: Micros) -> None:
        """Begin to fill the index, so that the first who asks need not wait for it."""
        self._turn = asyncio.create_task(self._fill_ahead(now), name="near-copies")

    async def _fill_ahead(self, now: Micros) -> None:
        with suppress(StoreUnavailable):  # whoever asks will try again, and hear of it
            await self._follow(now)

    async def find(self, item: Item, subject: Subject) -> list[Finding]:
        """Findings over the whole text, each labelled with a number: docs/screening.md, "Near copies".

        An attempt to submit the text is pending from now on, until it is `settled`.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Finding]] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._begin)
        self._waiting.append(_Asked(item, subject, future))
        return await future

    def sketch(self, attempt: int) -> bytes:
        """The sketch of a pending text, to be stored with it; empty where there is nothing to compare."""
        pending = self._pending.get(attempt)
        return pending.sketch if pending else b""

    def settled(self, attempts: Iterable[int]) -> None:
        """Their texts are durable, and so in the store, or will never be: they are pending no longer."""
        for attempt in attempts:
            pending = self._pending.pop(attempt, None)
            for key in set(keys_of(pending.sketch)) if pending else ():
                holders = self._pending_by_key[key]
                del holders[attempt]
                if not holders:
                    del self._pending_by_key[key]

    # --- one turn ------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        asked, self._waiting = self._waiting, []
        self._turn = asyncio.create_task(self._answer(asked), name="near-copies")

    async def _answer(self, asked: Sequence[_Asked]) -> None:
        try:
            found = await self._find(asked)
        except BaseException as problem:
            for each in asked:
                if not each.future.done():
                    each.future.set_exception(problem)
            if not isinstance(problem, Exception):
                raise
            return
        for each, findings in zip(asked, found, strict=True):
            if not each.future.done():  # a caller that went away has cancelled it
                each.future.set_result(findings)

    async def _find(self, asked: Sequence[_Asked]) -> list[list[Finding]]:
        owns = sketches([each.item for each in asked])
        # Before anything is waited for: what is durable, and so pending no longer, by the time that the store has
        # answered may be missing from its answer. What is found both here and there counts once.
        others = [self._announce(each, own) for each, own in zip(asked, owns, strict=True)]
        await self._follow(asked[0].subject.at)
        windows = [sorted(self._windows(each.subject.at)) for each in asked]
        sought = self._sought(owns, is_timed=any(windows))
        wanted = sorted(set(chain.from_iterable(sought)))
        rows = {row.seq: row for row in await self._store.sketches_at(wanted)} if wanted else {}
        for each, seqs, found in zip(asked, sought, others, strict=True):
            since = each.subject.at - self._window
            there = [rows[seq] for seq in seqs if seq in rows]
            found += [_Other(row.dossier, row.sketch, row.at) for row in there if row.at >= since and _is_ours(row)]
        copies = _alike([each.subject for each in asked], owns, others)
        named = sorted({copy.dossier for of_one in copies for copy in of_one if not copy.account})
        dossiers = {row.id: row for row in await self._store.dossiers(named)} if named else {}
        return [_findings(*each, dossiers) for each in zip(asked, copies, windows, strict=True)]

    def _announce(self, asked: _Asked, sketch: bytes) -> list[_Other]:
        """What is pending and shares a key; then the text is pending itself, unless its caller went away."""
        if not sketch or asked.future.done():
            return []
        subject, keys = asked.subject, keys_of(sketch)
        self.settled((subject.attempt,))  # a command that is decided again
        sharing: set[int] = set()
        for key in keys:
            if holders := self._pending_by_key.get(key):
                sharing.update(islice(holders, MOST_COPIES // 2), islice(reversed(holders), MOST_COPIES // 2))
        if subject.attempt:
            self._pending[subject.attempt] = _Pending(subject.dossier, subject.account, sketch)
            for key in keys:
                self._pending_by_key.setdefault(key, {})[subject.attempt] = None
        pending = [self._pending[other] for other in _from_both_ends([*sharing])[:MOST_COPIES]]
        return [_Other(each.dossier, each.sketch, subject.at, each.account) for each in pending]

    def _sought(self, owns: Sequence[bytes], *, is_timed: bool) -> list[list[int]]:
        """Of each text, by its sketch, those in the index that are most likely alike.

        Where copies are counted by time, the newest are all among them, so that older ones hide none of a short window.
        """
        newest = MOST_COPIES if is_timed else 0
        shared = iter(self._index.sharing([keys_of(own) for own in owns if own], MOST_COPIES + newest))
        return [_likeliest(next(shared), newest) if own else [] for own in owns]

    # --- keeping up with the store -------------------------------------------------------------------------------

    async def _follow(self, now: Micros) -> None:
        """Take in what is new in the store; at first, everything of the window."""
        async with self._following:
            if not self._filled:
                await self._fill(now - self._window)
                self._filled = True
            more = True
            while more:
                rows = await self._store.sketches(self._index.last, _NEWS)
                for row in rows:
                    self._learn(row)
                more = len(rows) == _NEWS
            self._expire(now - self._window)

    async def _fill(self, since: Micros) -> None:
        """Take in the window, page by page, beginning with the newest."""
        self._index, self._known = NearIndex(), 0
        self._marks.clear()
        before = 1 << 62
        while self._known < self._most and (rows := await self._store.sketches(before, _PAGE, back=True)):
            self._index.last = max(self._index.last, rows[0].seq)
            before = rows[-1].seq
            ours = [row for row in rows if row.at >= since and _is_ours(row)]
            if ours:
                await asyncio.to_thread(self._take, ours)
                self._known += len(ours)
                self._marks.extendleft((row.at, row.seq) for row in ours[::_MARK])
            if rows[-1].at < since:
                break
        await asyncio.to_thread(self._index.settle)

    def _take(self, rows: Sequence[SketchRow]) -> None:
        """In a thread, while whoever asks waits for `_following`."""
        self._index.add_older([row.seq for row in rows], keys_of_all(b"".join([row.sketch for row in rows])))

    def _learn(self, row: SketchRow) -> None:
        if not _is_ours(row):
            self._index.last = row.seq
            return
        self._index.add(row.seq, keys_of(row.sketch))
        self._known += 1
        if self._known % _MARK == 0:
            self._marks.append((row.at, row.seq))

    def _expire(self, since: Micros) -> None:
        marks = self._marks
        while marks and (marks[0][0] < since or len(marks) * _MARK > self._most):
            self._index.floor = marks.popleft()[1]


def _is_ours(row: SketchRow) -> bool:
    """Whether it is a sketch that this version makes: others cannot be compared."""
    return len(row.sketch) == SIZE and row.sketch[0] == VERSION


def _likeliest(shared: dict[int, int], newest: int) -> list[int]:
    """The texts that share most keys; of those that share as many, some of the oldest and some of the newest.

    Besides, of those that share several, so many of the newest.
    """
    if not shared:
        return []
    several = _from_both_ends([seq for seq, count in shared.items() if count > 1])
    several.sort(key=shared.__getitem__, reverse=True)
    by_chance = _from_both_ends([seq for seq, count in shared.items() if count == 1])
    likeliest = [*several[:MOST_COPIES], *by_chance[:_MOST_BY_CHANCE]]
    if newest:
        likeliest = list(dict.fromkeys([*likeliest, *nlargest(newest, several)]))
    return likeliest


def _from_both_ends(seqs: list[int]) -> list[int]:
    """The oldest, the newest, the second oldest, and so on."""
    seqs.sort()
    half = (len(seqs) + 1) // 2
    pairs = zip_longest(seqs[:half], reversed(seqs[half:]))
    return [seq for pair in pairs for seq in pair if seq is not None]


def _alike(subjects: Sequence[Subject], owns: Sequence[bytes], others: Sequence[Sequence[_Other]]) -> list[list[_Copy]]:
    """Of each subject's others those that are alike, and not its own."""
    copies: list[list[_Copy]] = [[] for _ in subjects]
    pairs = [
        (found, owns[place], other)
        for place, (found, subject) in enumerate(zip(copies, subjects, strict=True))
        for other in others[place]
        if other.dossier != subject.dossier
    ]
    if pairs:
        scores = similarities([own for _, own, _ in pairs], [other.sketch for _, _, other in pairs])
        for (found, own, other), score in zip(pairs, scores, strict=True):
            if score >= ALIKE:
                found.append(_Copy(other.dossier, score, identical(own, other.sketch), other.at, other.account))
    return copies


def _findings(
    asked: _Asked, copies: Sequence[_Copy], windows: Sequence[int], dossiers: Mapping[str, DossierRow]
) -> list[Finding]:
    """What the copies come to; a dossier counts once, however many of its texts are alike."""
    item = asked.item
    refused = {dossier for dossier, row in dossiers.items() if _stands_refused(row)}
    field, quote = ("body", item.body) if item.body else ("title", item.title)

    def accounts(of: Sequence[_Copy]) -> int:
        return len({each.account or dossiers[each.dossier].account for each in of})

    def finding(name: str, count: int, of: Sequence[_Copy]) -> Finding:
        view = "exact" if any(each.identical for each in of) else "squeezed"
        score = max(each.score for each in of)
        return Finding("near", f"near/{name}", str(min(count, MOST_COPIES)), field, 0, len(quote), view, score, quote)

    found = []
    if copies:
        found.append(finding("copies", len({each.dossier for each in copies}), copies))
        found.append(finding("accounts", accounts(copies), copies))
    if rejected := [each for each in copies if each.dossier in refused]:
        found.append(finding("refused", len({each.dossier for each in rejected}), rejected))
    for days in windows:
        if recent := [each for each in copies if each.at >= asked.subject.at - days * DAY]:
            found.append(finding(f"within/{days}", len({each.dossier for each in recent}), recent))
            found.append(finding(f"within/{days}/accounts", accounts(recent), recent))
    return found


def _stands_refused(row: DossierRow) -> bool:
    """Whether a person refused it or took it down. What rules refuse by themselves, they judge again."""
    if row.status == "taken_down":
        return True
    return row.status == "refused" and not kinds.decode(row).automatic

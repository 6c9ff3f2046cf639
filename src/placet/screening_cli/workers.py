"""Blocks are answered by several processes, and the answers come back in the order of the blocks.

The standard library's ProcessPoolExecutor would do, but for three things that were seen of it: a worker that is
killed while it sends a large result leaves the executor waiting for the rest for ever; workers outlive a parent that
is killed, since each holds the others' pipes open; and one lost worker breaks the whole pool, without telling whose
work it had. Here each worker has a pipe of its own, of which nobody else holds an end, so that the system itself
reports the death of either side, and has one block at a time, so that it is known what must be done again. One thread
looks after all.

Processes are forked where that is safe, on Linux: they share the packs and automata that are loaded once, which could
not be sent to them anyway. Nothing has started a thread by then that holds a lock. Elsewhere they are spawned, and each
loads the packs for itself.
"""

import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkContext, SpawnContext
from typing import Final, Literal

from placet.screening_cli.answers import Answered, Screener
from placet.screening_cli.ends import Ended
from placet.screening_cli.lines import Block, Lines

Method = Literal["fork", "spawn"]
METHOD: Final[Method] = "fork" if sys.platform == "linux" else "spawn"

_AHEAD: Final = 2
"""Blocks for each worker that are read and not yet written: one in work, one that waits for it or for its turn."""
_TRIES: Final = 3
"""How many workers may be lost over one block. One can be killed by chance; three in a row are the block's doing."""
_PATIENCE_S: Final = 5.0
"""For a worker that has closed its pipe to end by itself, so that its exit code can be told."""


class Pool:
    """Up to `count` processes that answer blocks, started as they are needed."""

    def __init__(self, make: Callable[[], Screener], count: int, method: Method = METHOD) -> None:
        """`make` is called in each worker; to be spawned, it must be something that can be pickled."""
        self._make = make
        self._count = count
        self._method = method
        self._idle: list[_Worker] = []
        self._busy: dict[Connection, _Worker] = {}
        self._todo: deque[Block] = deque()
        self._order: deque[int] = deque()
        """Blocks that are not given back yet, by their first lines."""
        self._done: dict[int, Answered | Ended] = {}
        self._lost: dict[int, int] = {}
        """How many workers were lost over a block that is not done yet."""

    def answers(self, lines: Lines) -> Iterator[Answered]:
        """The answers to all blocks, in order. Reads ahead only so far. Raises Ended where it cannot go on."""
        while True:
            while self._order and self._order[0] in self._done:
                done = self._done.pop(self._order.popleft())
                if isinstance(done, Ended):  # not before its turn: what comes before it is still answered
                    raise done
                yield done
            self._hand_out()
            wanted = not lines.ended and len(self._order) < _AHEAD * self._count
            if wanted and lines.at_hand:
                self._take(lines)
            elif wanted or self._busy:
                for ready in wait([*self._busy, *([lines.fileno()] if wanted else [])]):
                    if isinstance(ready, Connection):
                        self._collect(ready)
                    else:
                        self._take(lines)
            else:
                return

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        for worker in (*self._idle, *self._busy.values()):
            worker.end()

    def _take(self, lines: Lines) -> None:
        block = lines.read()
        if block is not None:
            self._todo.append(block)
            self._order.append(block.first)

    def _hand_out(self) -> None:
        while self._todo and len(self._busy) < self._count:
            block = self._todo.popleft()
            worker = self._idle.pop() if self._idle else self._started()
            self._busy[worker.pipe] = worker
            try:
                worker.give(block)
            except OSError:
                self._bury(worker.pipe)

    def _collect(self, pipe: Connection) -> None:
        try:
            answered = pipe.recv()
        except (EOFError, OSError):
            self._bury(pipe)
            return
        worker = self._busy[pipe]
        if answered is None:
            worker.begun = True
        else:
            del self._busy[pipe]
            worker.served = True
            self._done[worker.block.first] = answered
            self._lost.pop(worker.block.first, None)
            self._idle.append(worker)

    def _bury(self, pipe: Connection) -> None:
        """A worker is gone. Its block is done again, before others, unless too many have ended over it."""
        worker = self._busy.pop(pipe)
        code, block = worker.end(_PATIENCE_S), worker.block
        # One that was killed while idle, and given the block before that could be seen, says nothing of the block.
        lost = self._lost.get(block.first, 0) + (worker.begun or not worker.served)
        self._lost[block.first] = lost
        if lost == _TRIES:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            last = block.first + block.length - 1
            what = f"Lines {block.first} to {last} cannot be screened: {lost} workers ended over them ({how})."
            self._done[block.first] = Ended(what)
        else:
            self._todo.appendleft(block)

    def _started(self) -> "_Worker":
        others = [worker.pipe for worker in (*self._idle, *self._busy.values())]
        return _Worker(self._make, self._method, others)


class _Worker:
    """One process and the block that it has."""

    block: Block
    begun = False
    """It has said that it is at work on its block."""
    served = False
    """It has answered a block."""

    def __init__(self, make: Callable[[], Screener], method: Method, others: list[Connection]) -> None:
        context: ForkContext | SpawnContext = get_context("fork") if method == "fork" else get_context("spawn")
        self.pipe, theirs = context.Pipe()
        inherited = [self.pipe, *others] if method == "fork" else []
        self._process = context.Process(target=_work, args=(theirs, inherited, make), daemon=True)
        # An interrupt from the keyboard goes to every process of the terminal, and is for the parent to act on.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()

    def give(self, block: Block) -> None:
        """Hand it a block. Raises OSError where the worker is gone."""
        self.block, self.begun = block, False
        self.pipe.send(block)

    def end(self, patience_s: float = 0) -> int:
        """Make sure that it has ended, at once or after that long; gives its exit code, or its signal below zero."""
        self.pipe.close()
        self._process.join(patience_s)
        self._process.kill()
        self._process.join()
        return self._process.exitcode or 0


def _work(pipe: Connection, inherited: list[Connection], make: Callable[[], Screener]) -> None:
    """What a worker does, until its parent goes away."""
    for each in inherited:  # else a parent's death would not be seen by whoever is at the other end
        each.close()
    screener = make()
    while True:
        try:
            block = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            pipe.send(None)  # at work
            answered = screener.answer(block)
            pipe.send(answered)
        except OSError:
            return

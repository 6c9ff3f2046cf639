# What kernel.pyx offers. Arrays are C-contiguous, of the dtypes and shapes that its twins in numpy have.

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

class Table:
    def __init__(
        self, levels: Sequence[tuple[NDArray[np.uint64], NDArray[np.int32], int]], sieve: NDArray[np.uint8], shift: int
    ) -> None: ...

class Groups:
    def __init__(
        self, table: Table, first: NDArray[np.int64], count: NDArray[np.int64], entries: NDArray[np.int32]
    ) -> None: ...

class Reading:
    def __init__(self, table: NDArray[np.uint32]) -> None: ...
    def kept(self, text: str) -> str: ...
    def squeezed(self, text: str) -> str: ...

class Narrow:
    def __init__(self, table: NDArray[np.uint8]) -> None: ...
    def read(self, text: str) -> bytes: ...

class Speller:
    def __init__(
        self,
        sign: NDArray[np.uint16],
        first_emoji: int,
        first_syllable: int,
        first_ascii: int,
        emoji_cost: int,
        read: Callable[[str], tuple[int, Sequence[tuple[int, int]], Sequence[tuple[int, int, int]]]],
    ) -> None: ...
    def spell(self, text: str) -> tuple[Any, ...]: ...

class Explainer:
    def __init__(
        self, table: Table, alone: NDArray[np.int64], costs: NDArray[np.int64], longest: int, piece: int
    ) -> None: ...
    def explain(
        self, signs: NDArray[np.uint16], han: NDArray[np.uint8], others: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]: ...

class Alike:
    def __init__(
        self,
        values: NDArray[np.uint16],
        costs: NDArray[np.int32],
        seen_costs: NDArray[np.int32],
        digest: NDArray[np.uint64],
    ) -> None: ...

class Terms:
    def __init__(self, signs: NDArray[np.uint16], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> None: ...

class AnchorNet:
    def __init__(
        self,
        terms: Terms,
        alike: Alike,
        groups: Groups,
        entries: NDArray[np.int32],
        least_costs: NDArray[np.int32],
        anchor: Any,
        shortest: int,
        longest: int,
        term_cost: int,
    ) -> None: ...
    def add(
        self,
        found: dict[tuple[int, int], int],
        signs: NDArray[np.uint16],
        before: NDArray[np.int64],
        after: NDArray[np.int64],
        least: int,
    ) -> None: ...

class ShuffledNet:
    def __init__(
        self,
        bags: Groups,
        together: Table,
        chosen: NDArray[np.int64],
        common: NDArray[np.int64],
        alone: NDArray[np.int64],
        mixed: NDArray[np.uint64],
        windows: Sequence[tuple[int, int, tuple[int, ...], int]],
        common_cost: int,
    ) -> None: ...
    def windows_of(
        self,
        signs: NDArray[np.uint16],
        han: NDArray[np.uint8],
        before: NDArray[np.int64],
        after: NDArray[np.int64],
        least: int,
    ) -> list[tuple[int, int, int, int]]: ...

class SplitNet:
    def __init__(
        self, wholes: Groups, pairs: Groups, begun: Table, made: NDArray[np.int64], found: NDArray[np.int64]
    ) -> None: ...
    def joined(self, signs: NDArray[np.uint16]) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]: ...

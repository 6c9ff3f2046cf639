"""What a text becomes on each reading, for people who write lists and want to see why something was found or not."""

from itertools import pairwise
from typing import Final

from placet.model import Value
from placet.screening.alike import likeness
from placet.screening.fold import fold, scalar, squeeze
from placet.screening.guesses import words
from placet.screening.spelling import spell

MOST_CHARS: Final = 2_000
"""Characters of a text of which readings are shown."""
_UNHEARD: Final = "·"


class Reading(Value, frozen=True):
    """A reading by name, and the text on it."""

    name: str
    """"folded", "squeezed", "words" (cut into the words of the dictionary), or "sound" (as syllables)."""
    text: str


def readings(text: str) -> tuple[Reading, ...]:
    """The readings of the beginning of a text that differ from it."""
    shown = scalar(text[:MOST_CHARS])
    found = (
        Reading("folded", fold(shown)),
        Reading("squeezed", squeeze(shown)),
        Reading("words", in_words(shown)),
        Reading("sound", as_heard(shown)),
    )
    return tuple(reading for reading in found if reading.text not in ("", shown))


def in_words(text: str) -> str:
    """The folded text cut into words where the cheapest segmentation cuts it; "" where it holds no Chinese.

    What stands alone between two bars is what words do not explain: there a disguise can be.
    """
    spelling = spell(text)
    if not spelling.han.any():
        return ""
    explained = words().explain(spelling.signs, spelling.han, spelling.others)
    size = len(spelling.signs)
    beside = [True, *(spelling.han[:-1] | spelling.han[1:]).tolist(), True]  # nothing but Chinese is cut
    cuts = [i for i in range(size + 1) if beside[i] and explained.before[i] == explained.after[i]]
    folded = fold(text)
    places = [*spelling.start.tolist(), len(text)]
    return "|".join(folded[places[first] : places[last]] for first, last in pairwise(cuts))


def as_heard(text: str) -> str:
    """Each sign as its first syllable, "·" where for a while none is heard; "" where none is at all."""
    tables = likeness()
    names = {int(tables.sounds[sign, 0]): name for name, sign in tables.syllable_signs.items()}
    heard: list[str] = []
    for sign in spell(text).signs.tolist():
        name = names.get(int(tables.sounds[sign, 0]), _UNHEARD)
        if name != _UNHEARD or heard[-1:] != [_UNHEARD]:
            heard.append(name)
    return " ".join(heard) if set(heard) - {_UNHEARD} else ""

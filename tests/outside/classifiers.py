"""Detectors as teams write them, good and bad; tests/test_outside.py starts each in a process of its own.

What a detector does is asked for by a word in the text, so that one text can go wrong among others that do not.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from placet.detectors import Detector, Seen, Text

MARKER: Final = "MARKER"
"""The environment variable that names the file by which a detector tells that it did something."""


class Rude(Detector):
    """Sees the word "rude" where it stands, and shouting in the text as a whole; tells its process id."""

    name = "rude"
    version = "7"

    def find(self, texts: Sequence[Text], /) -> list[list[Seen]]:
        print("whatever a model prints must not get between the messages")  # noqa: T201 - what is tested
        return [self.seen(text) for text in texts]

    def seen(self, text: Text) -> list[Seen]:
        found = []
        for field in ("title", "body"):
            at = getattr(text, field).find("rude")
            if at >= 0:
                found.append(Seen("word", 97.9, field, at, at + 4))
        if text.body == "pid":
            found.append(Seen(str(os.getpid()), 0))
        return [*found, Seen("loud", 40)] if "!!!" in text.body else found

    def close(self) -> None:
        tell("closed")


class Patient(Rude):
    """The same, asked asynchronously."""

    name = "patient"

    async def find(self, texts: Sequence[Text], /) -> list[list[Seen]]:  # type: ignore[override]  # sync or async
        await asyncio.sleep(0)
        return [self.seen(text) for text in texts]

    async def close(self) -> None:  # type: ignore[override]  # the same
        await asyncio.sleep(0)
        tell("closed")


class Counting(Detector):
    """Tells, as its label, how many texts it is asked about at once."""

    name = "counting"
    version = "1"

    def find(self, texts: Sequence[Text], /) -> list[list[Seen]]:
        return [[Seen(str(len(texts)), 50)] for _ in texts]


class Modelled(Detector):
    """Gives the numbers of numpy, as models do."""

    name = "modelled"
    version = "1"

    def find(self, texts: Sequence[Text], /) -> list[list[Seen]]:
        score, start, end = np.float32(61.5), np.int64(0), np.int64(2)
        return [[Seen("x", score, "body", start, end)] for _ in texts]  # type: ignore[arg-type]  # what is tested


class Knowing(Detector):
    """Tells which names it can find out: of what it is shown, and of the environment's settings."""

    name = "knowing"
    version = "1"

    def find(self, texts: Sequence[Text], /) -> list[list[Seen]]:
        settings = [name for name in os.environ if name.startswith("PLACET_")]
        return [[Seen(name, 1) for name in [*text.__struct_fields__, *settings]] for text in texts]


class Troubled(Rude):
    """Does whatever goes wrong in the field, each when a text asks for it."""

    name = "troubled"

    def find(self, texts: Sequence[Text], /) -> list[list[Seen]]:
        return [self.trouble(text) for text in texts]

    def trouble(self, text: Text) -> Any:
        match text.body.partition(" ")[0]:
            case "raise":
                raise RuntimeError(text.body)
            case "hang":
                time.sleep(3_600)
            case "exit":
                os._exit(3)
            case "abort":
                os.abort()
            case "many":
                return [Seen("x", 1)] * 201
            case "endless":
                return (Seen("x", 1) for _ in iter(int, 1))
            case "none":
                return None
            case "span":
                return [Seen("x", 50, "body", 0, len(text.body) + 1)]
            case "backwards":
                return [Seen("x", 50, "body", 3, 2)]
            case "fraction":
                return [Seen("x", 50, "body", 0, 1.5)]  # type: ignore[arg-type]  # what is tested
            case "nan":
                return [Seen("x", float("nan"))]
            case "above":
                return [Seen("x", 100.5)]
            case "truth":
                return [Seen("x", True)]
            case "field":
                return [Seen("x", 50, "account")]  # type: ignore[arg-type]  # what is tested
            case "label":
                return [Seen("two words", 50)]
            case "dict":
                return [{"label": "x", "score": 50}]
        return self.seen(text)


class Short(Rude):
    """Gives no answer to the last text of a batch, nor to one alone."""

    name = "short"

    def find(self, texts: Sequence[Text], /) -> list[list[Seen]]:
        return super().find(texts)[:-1]


class Healing(Troubled):
    """Fails until its file is there."""

    name = "healing"

    def find(self, texts: Sequence[Text], /) -> list[list[Seen]]:
        if not Path(os.environ[MARKER]).exists():
            raise ConnectionError
        return super().find(texts)


class Unnamed(Rude):
    """Has a name that no list could bear."""

    name = "Un named"


class Unmade(Rude):
    """Cannot be made."""

    def __init__(self) -> None:
        raise FileNotFoundError("model.bin")


class Sleepy(Rude):
    """Is not ready for an hour."""

    def __init__(self) -> None:
        time.sleep(3_600)


def made() -> Detector:
    """A function that makes a detector."""
    return Rude()


def tell(what: str) -> None:
    """Write to the file that the test looks into."""
    if MARKER in os.environ:
        with Path(os.environ[MARKER]).open("a", encoding="utf-8") as file:
            file.write(f"{what}\n")

"""The demo platform's content: sample accounts and the submissions they hand in, all invented for this project.

`accounts.toml` and `submissions.jsonl` lie beside this module and are decoded strictly: an unknown field, a missing
field or a value of the wrong type raises `msgspec.ValidationError` with the path to it. Every address in the content
is reserved for documentation (RFC 2606, RFC 5737) and every telephone number and handle is a placeholder, so nothing
shown on a screen leads anywhere. A medium's digest stands in for bytes that do not exist.
"""

from importlib.resources import files
from typing import Annotated, Final, Literal

import msgspec

from placet.model import Language, Medium, Outcome, Source, Value

__all__ = ["DemoAccount", "DemoSubmission", "load_accounts", "load_submissions"]

_FOLDER: Final = files(__name__)

Hours = Annotated[int, msgspec.Meta(ge=2, le=72)]
"""Whole hours from the moment at which the demo is set up."""


class DemoAccount(Value, frozen=True, rename={"account_class": "class"}):
    """A sample account. `key` is how submissions name it; the platform gives it an id of its own."""

    key: str
    account_class: str
    """One of the account classes of the packs in force; written `class` in the file."""
    display_name: str
    language: Language
    """The language in which the account usually writes; single submissions may differ."""
    rights: tuple[str, ...]
    agreement: str
    """The version of the service agreement that the account has accepted."""
    about: str


class DemoSubmission(Value, frozen=True):
    """A sample submission: the fields of `placet.model.Item`, who hands it in, and what to expect of it."""

    external_id: str
    account: str
    """The `key` of a DemoAccount."""
    title: str
    body: str
    format: Literal["text", "html", "markdown"]
    category: Literal["general", "current-affairs"]
    origin: Literal["original", "repost"]
    language: Language
    expect: Outcome
    """What a careful reader of the rules expects; a detector may honestly miss it, and then a person decides."""
    kind: str
    """The class of sample, for filtering and statistics: "recipe", "repost-partial", "link-ip"."""
    source: Source = Source()
    media: tuple[Medium, ...] = ()
    schedule_in_hours: Hours | None = None


class _AccountsFile(Value, frozen=True):
    account: tuple[DemoAccount, ...]


def load_accounts() -> tuple[DemoAccount, ...]:
    """Return the sample accounts, in file order. Raises msgspec.ValidationError if the file has been damaged."""
    return msgspec.toml.decode(_FOLDER.joinpath("accounts.toml").read_bytes(), type=_AccountsFile).account


def load_submissions() -> tuple[DemoSubmission, ...]:
    """Return the sample submissions, in file order. Raises msgspec.ValidationError if a line does not decode."""
    lines = _FOLDER.joinpath("submissions.jsonl").read_bytes()
    return tuple(msgspec.json.Decoder(DemoSubmission).decode_lines(lines))

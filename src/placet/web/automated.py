"""What an author is told of detectors from outside: which one spoke, that it is a machine, and that a person decides.

Asked for by PIPL art 24 (automated decisions are to be open to a person's), and by DSA art 17(3)(c) (a statement of
reasons says whether automated means were used).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from placet.model import LANGUAGES, Finding, Verdict
from placet.policy import detector_of, failed_list
from placet.web.render import translator

_MOST_LABELS: Final = 8


class AutomatedOut(msgspec.Struct, frozen=True):
    """A detector from outside that took part: what it reported, or why it could not, and the rules that asked it."""

    detector: str
    version: str
    failed: bool
    labels: tuple[str, ...]
    """What it reported, each once; the reason where it failed."""
    rules: tuple[str, ...]
    """The live rules that fired with this in their condition: "community/hold-toxic"."""
    text: dict[str, str]
    """The same in words, by language."""


def automated(verdict: Verdict, findings: Iterable[Finding]) -> tuple[AutomatedOut, ...]:
    """What detectors from outside had to do with a verdict, in the order of their findings; mostly nothing."""
    by_list: dict[str, list[Finding]] = {}
    for each in findings:
        if each.detector == "external":
            by_list.setdefault(each.list, []).append(each)
    return tuple(_told(verdict, name, found) for name, found in by_list.items())


def _told(verdict: Verdict, name: str, found: Sequence[Finding]) -> AutomatedOut:
    detector, version, failed = detector_of(name), found[0].version, is_failure(found[0])
    labels = tuple(dict.fromkeys(each.label for each in found))
    said = ", ".join(labels[:_MOST_LABELS])
    texts: dict[str, str] = {}
    for language in LANGUAGES:
        t = translator(language)
        if failed:
            texts[language] = t("automated.failed", name=detector, reason=said)
        else:
            texts[language] = t("automated.seen", name=detector, version=version, labels=said)
    return AutomatedOut(detector, version, failed, labels, tuple(_rules_that_asked(verdict, name)), texts)


def is_failure(finding: Finding) -> bool:
    """Whether a finding says that a detector from outside did not answer."""
    return finding.detector == "external" and finding.list == failed_list(detector_of(finding.list))


def _rules_that_asked(verdict: Verdict, name: str) -> Iterator[str]:
    quoted = (f"'{name}'", f'"{name}"')
    for hit in verdict.hits:
        if any(each in part for part in hit.why for each in quoted):
            yield f"{hit.pack}/{hit.rule}"

"""What the writer of a pack may want to know though nothing is wrong: one small function a remark.

A note has the form of a problem, with its place, and stops nothing.
"""

from collections.abc import Iterator
from typing import Final

from placet.model import RESTRICTIVENESS
from placet.policy.compiled import MAX_DOUBT, compile_pack
from placet.policy.evaluate import Policy
from placet.policy.parse import Draft, Path
from placet.policy.values import Pack, Problem
from placet.screening.fold import fold


def notes(pack: Pack) -> tuple[Problem, ...]:
    """Give every note on a pack that loads."""
    draft, policy = Draft(pack.files), Policy([pack])
    return tuple(note for look in _NOTES for note in look(draft, pack, policy))


def _idle_terms(draft: Draft, pack: Pack, _: Policy) -> Iterator[Problem]:
    """A term that is an exception itself is never found."""
    for file, words in zip(draft.names("lists"), pack.lists, strict=True):
        innocent = {fold(phrase) for phrase in words.exceptions}
        own = {term.text: {fold(phrase) for phrase in term.exceptions} for term in words.term}
        for text in words.texts:
            if fold(text) in innocent | own.get(text, set()):
                message = f"The term {text!r} is never found: it is an exception as well."
                yield draft.problem("idle-term", file, ("terms",), message, "Remove it, or the exception.")


def _unused_lists(draft: Draft, pack: Pack, _: Policy) -> Iterator[Problem]:
    """What no condition asks for has no effect."""
    asked = {name for _, program in compile_pack(pack).programs() for name in program.lists}
    for file, words in zip(draft.names("lists"), pack.lists, strict=True):
        if words.name not in asked:
            message = f"No condition asks for the list {words.name!r}, so that nothing follows from its terms."
            yield draft.problem("unused-list", file, ("name",), message, f"Ask for it: terms('{words.name}').")


def _softened(draft: Draft, pack: Pack, _: Policy) -> Iterator[Problem]:
    """A rule that asks for more than its ground, or a detector from outside, lets it have."""
    for index, rule in enumerate(compile_pack(pack).rules):
        if rule.given != rule.rule.then and RESTRICTIVENESS[rule.rule.then] > MAX_DOUBT:
            message = f"The rule {rule.rule.id!r} asks for {rule.rule.then} and comes to {rule.given}."
            hint = "A machine alone returns or refuses only on a ground that is automatic, without outside detectors."
            yield draft.problem("softened", "rules.toml", ("rule", index, "then"), message, hint)


def _untried_rules(draft: Draft, pack: Pack, policy: Policy) -> Iterator[Problem]:
    """A rule that no golden case shows at work may never have fired."""
    tried = [policy.try_case(case).verdict for case in pack.cases]
    fired = {hit.rule for verdict in tried for hit in (*verdict.hits, *verdict.shadow)}
    for index, rule in enumerate(pack.rules):
        if rule.id not in fired:
            message = f"In no case does the rule {rule.id!r} fire."
            yield draft.problem("untried-rule", "rules.toml", ("rule", index), message, "Write a case for it.")


def _screening(draft: Draft, pack: Pack, policy: Policy) -> Iterator[Problem]:
    """What screening notes while it builds the automata."""
    for note in policy.lexicon.notes:
        file, path = _noted(draft, pack, note)
        yield draft.problem("screening", file, path, f"{note[:1].upper()}{note[1:].rstrip('.')}.")


def _noted(draft: Draft, pack: Pack, note: str) -> tuple[str, Path]:
    """Find the list that a note of screening names, or the rule whose pattern it names."""
    for file, words in zip(draft.names("lists"), pack.lists, strict=True):
        if f"'{pack.id}/{words.name}'" in note:
            return file, ()
    for index, rule in enumerate(pack.rules):
        if f"'{rule.id}/" in note:
            return "rules.toml", ("rule", index, "when")
    return "pack.toml", ("scope",)


_NOTES: Final = (_idle_terms, _unused_lists, _softened, _untried_rules, _screening)

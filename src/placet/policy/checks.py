"""What the checks of a pack's meaning look for: one small function a mistake, each with a test of its own.

A check takes the draft and the pack built from it and yields problems; CHECKS lists them all.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import chain, combinations, pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from placet.model import Citation
from placet.policy import institution
from placet.policy.cel import CelError, Program
from placet.policy.compiled import compile_condition
from placet.policy.environment import DETECTOR_LISTS, detector_of, failed_list, window_of
from placet.policy.evaluate import Policy
from placet.policy.parse import Draft, Path
from placet.policy.values import Instrument, Pack, Problem, Rule, Term, WordList, parse_share
from placet.screening import LexiconError
from placet.screening.fold import fold, squeeze
from placet.screening.lists import DISGUISES, VIEWS


def _repeated(ids: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Give the place of every id that has stood before."""
    seen: set[str] = set()
    for index, one in enumerate(ids):
        if one in seen:
            yield index, one
        seen.add(one)


def check_duplicate_ids(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """No id stands twice in its table."""
    tables: tuple[tuple[str, Sequence[Any]], ...] = (
        ("instrument", pack.instruments),
        ("clock", pack.clocks),
        ("class", pack.classes),
        ("category", pack.categories),
        ("ground", pack.grounds),
        ("rule", pack.rules),
        ("licence", pack.licences),
        ("commitment", pack.commitments),
        ("rung", pack.rungs),
        ("retention", pack.retention),
        ("factor", pack.factors),
        ("tier", pack.tiers),
        ("table", pack.tables),
    )
    for table, rows in tables:
        for index, one in _repeated(row.id for row in rows):
            yield _twice(draft, *draft.place(table, index, "id"), f"The {table} {one!r}")
    for index, one in _repeated(f"{code.code} of {code.table}" for code in pack.codes):
        yield _twice(draft, *draft.place("code", index, "code"), f"The code {one}")
    for index, one in _repeated(f"{each.id} of a {each.form}" for each in pack.fields):
        yield _twice(draft, *draft.place("field", index, "id"), f"The field {one}")
    for number, instrument in enumerate(pack.instruments):
        for index, one in _repeated(clause.id for clause in instrument.clause):
            place = draft.place("instrument", number, "clause", index, "id")
            yield _twice(draft, *place, f"The clause {one!r} of {instrument.id}")
    for index, one in _repeated(words.name for words in pack.lists):
        yield _twice(draft, draft.names("lists")[index], ("name",), f"The list {one!r}")


def _twice(draft: Draft, file: str, path: Path, what: str) -> Problem:
    return draft.problem("duplicate-id", file, path, f"{what} stands twice.", "Give one of them another id.")


def check_rules_exist(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """A pack without rules would approve everything, and look as if it had looked."""
    if not pack.rules:
        yield draft.problem("empty-rules", "rules.toml", (), "The pack has no rules.", "Write at least one [[rule]].")


_RESERVED: Final = frozenset(name.split("/")[0] for name in DETECTOR_LISTS) | {"external"}


def check_pack_id(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """A pack's id is no name under which something else than a pack's list is found."""
    if pack.id in _RESERVED:
        message = f"The id {pack.id!r} is taken: findings that are no pack's bear it."
        yield draft.problem("reserved-id", "pack.toml", ("id",), message, "Choose another id.")


def check_timezone(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """The pack's dates need a timezone that the tz database knows."""
    try:
        ZoneInfo(pack.head.timezone)
    except (OSError, ValueError, ZoneInfoNotFoundError):  # unknown names, and names that are no names
        hint = 'Name one of the tz database, such as "Asia/Shanghai".'
        message = f"The timezone {pack.head.timezone!r} is not known."
        yield draft.problem("bad-timezone", "pack.toml", ("timezone",), message, hint)


def _dated(draft: Draft, file: str, path: Path, since: date | None, until: date | None) -> Iterator[Problem]:
    if until is not None and since is not None and until <= since:
        message = f"`until` ({until}) is not after `from` ({since})."
        hint = "`until` is the first day on which it no longer applies."
        yield draft.problem("bad-dates", file, (*path, "until"), message, hint)


def check_dates(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """A period ends after it begins."""
    for index, rule in enumerate(pack.rules):
        yield from _dated(draft, "rules.toml", ("rule", index), rule.since, rule.until)
    for index, right in enumerate(pack.rights):
        yield from _dated(draft, *draft.place("right", index), right.since, right.until)
    for number, instrument in enumerate(pack.instruments):
        for index, version in enumerate(instrument.version):
            yield from _dated(draft, *draft.place("instrument", number, "version", index), version.since, version.until)
        for index, clause in enumerate(instrument.clause):
            yield from _dated(draft, *draft.place("instrument", number, "clause", index), clause.since, clause.until)


def check_versions(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """On any day, one version of an instrument is in force at most, and there is one version at least.

    Days between two versions on which none is in force are said to be meant.
    """
    for number, instrument in enumerate(pack.instruments):
        place = draft.place("instrument", number)
        if not instrument.version and not _is_pending(pack, instrument):
            message = f"{instrument.id} has no version."
            hint = 'Say since when. What is only a draft has evidence = "DRAFT", in a pack with status = "draft".'
            yield draft.problem("no-version", *place, message, hint)
        for before, after in pairwise(sorted(instrument.version, key=lambda version: version.since)):
            end = before.until or date.max
            if after.since < end:
                message = f"Two versions of {instrument.id} are in force on {after.since}."
                hint = "End one of them with `until` on the day the other begins."
                yield draft.problem("overlapping-versions", *place, message, hint)
            elif (after.since > end) != after.gap:
                what = "nothing from" if after.since > end else "no gap, though one is said, between"
                message = f"There is {what} {end} to {after.since} among the versions of {instrument.id}."
                hint = "Set gap = true on the later version where nothing was in force before it, and only there."
                yield draft.problem("version-gap", *place, message, hint)


def _is_pending(pack: Pack, instrument: Instrument) -> bool:
    """Whether it is a draft of a law that has no day yet: only a pack that cannot be in force may hold one."""
    return not instrument.version and instrument.evidence == "DRAFT" and pack.head.status == "draft"


def check_issued(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """An instrument says when it was issued, or how little is known of its dates; only a draft may be silent."""
    for number, instrument in enumerate(pack.instruments):
        if instrument.issued is None and instrument.dated is None and not _is_pending(pack, instrument):
            message = f"{instrument.id} does not say when it was issued."
            hint = 'Write `issued`; where the day is not known, say so: dated = "MEM".'
            yield draft.problem("not-issued", *draft.place("instrument", number), message, hint)


def check_citations(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """Every citation leads to a clause of an instrument of the pack (IM14 art 1)."""
    known = {Citation(instrument.id, clause.id) for instrument in pack.instruments for clause in instrument.clause}
    for table, number, key, cite in institution.cited(pack):
        if cite not in known:
            message = f"There is no clause {cite.clause} of {cite.instrument} in this pack."
            hint = "Add the [[instrument.clause]] to the instrument, or correct the citation."
            yield draft.problem("dangling-citation", *draft.place(table, number, key), message, hint)


def check_grounds(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """A ground cites something, and one that needs a named law is left to people, who can name it."""
    for index, ground in enumerate(pack.grounds):
        if not ground.cites:
            message = f"The ground {ground.id!r} cites nothing."
            yield draft.problem("ground-without-cite", "grounds.toml", ("ground", index), message, "Name a clause.")
        if ground.automatic and ground.needs_law:
            message = f"The ground {ground.id!r} is automatic, yet needs a law that only a person can name."
            hint = "Set one of `automatic` and `needs_law` to false."
            yield draft.problem("automatic-needs-law", "grounds.toml", ("ground", index), message, hint)


def check_rule_grounds(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """A rule or right restricts on a ground of the pack, and no rule uses one that needs a named law."""
    grounds = {ground.id: ground for ground in pack.grounds}
    for index, rule in enumerate(pack.rules):
        path: Path = ("rule", index, "ground")
        if not rule.ground and rule.then != "approve":
            message = f"The rule {rule.id!r} restricts without a ground."
            yield draft.problem("missing-ground", "rules.toml", path, message, "Name a ground of grounds.toml.")
        elif rule.ground and rule.ground not in grounds:
            yield _no_ground(draft, "rules.toml", path, rule.ground)
        elif rule.ground and grounds[rule.ground].needs_law:
            message = f"The ground {rule.ground!r} needs a law that only a person can name."
            yield draft.problem("rule-needs-law", "rules.toml", path, message, "Choose a specific ground.")
    for index, right in enumerate(pack.rights):
        if right.ground not in grounds:
            yield _no_ground(draft, *draft.place("right", index, "ground"), right.ground)


def _no_ground(draft: Draft, file: str, path: Path, ground: str) -> Problem:
    return draft.problem("unknown-ground", file, path, f"There is no ground {ground!r}.", "Add it to grounds.toml.")


def check_rights(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """A row of the rights table speaks of classes and categories of the pack."""
    classes, categories = {one.id for one in pack.classes}, {one.id for one in pack.categories}
    for index, right in enumerate(pack.rights):
        unknown = [*({right.category} - categories), *sorted(set(right.classes) - classes)]
        for name in unknown:
            message = f"The pack has no class or category {name!r}."
            hint = "Add it as [[class]] or [[category]], or correct the row."
            yield draft.problem("unknown-name", *draft.place("right", index), message, hint)


def check_in_force(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """A rule never outlives the law that its ground cites: on its first and last day, something cited is in force."""
    pending = {instrument.id for instrument in pack.instruments if _is_pending(pack, instrument)}
    grounds = {ground.id: ground for ground in pack.grounds}
    for index, rule in enumerate(pack.rules):
        if rule.ground not in grounds or (rule.until and rule.until <= rule.since):  # see the checks above
            continue
        cites = grounds[rule.ground].cites
        if any(cite.instrument in pending for cite in cites):  # it is only tried on past items
            continue
        last = rule.until - timedelta(days=1) if rule.until else date.max
        for day in (rule.since, last):
            if not any(pack.in_force(cite, day) for cite in cites):
                when = "without an end" if day == date.max else f"on {day}"
                message = f"The rule {rule.id!r} is in force {when}, when nothing that its ground cites is."
                hint = "Set `from` and `until` of the rule to the days on which its instruments are in force."
                yield draft.problem("not-in-force", "rules.toml", ("rule", index), message, hint)


def check_modes(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """A canary has a share between 0 and 100 per cent, and nothing else has one."""
    for index, rule in enumerate(pack.rules):
        if rule.mode == "canary" and parse_share(rule.share) is None:
            message = f"{rule.share!r} is not a share between 0% and 100%."
            yield draft.problem("bad-share", "rules.toml", ("rule", index, "share"), message, 'Write "5%" or "0.5%".')
        if rule.mode != "canary" and rule.share:
            message = f"The rule {rule.id!r} has a share and is no canary."
            hint = 'Set `mode = "canary"`, or remove `share`.'
            yield draft.problem("bad-share", "rules.toml", ("rule", index, "share"), message, hint)


MAX_TERM_CHARS: Final = 200
"""A term is a word or a phrase; what is longer is hardly ever written twice in the same way."""


def _lists(draft: Draft, pack: Pack) -> Iterator[tuple[str, WordList]]:
    """Give every word list with its file."""
    yield from zip(draft.names("lists"), pack.lists, strict=True)


def _term_path(words: WordList, index: int) -> Path:
    """Give the place of one of the texts of a list, which come from `terms` first and then from [[term]]."""
    plain = len(words.terms)
    return ("terms", index) if index < plain else ("term", index - plain, "text")


def check_terms(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """A list has terms; none of them is blank or stands twice."""
    for file, words in _lists(draft, pack):
        texts = words.texts
        if not texts:
            yield draft.problem("empty-list", file, ("terms",), f"The list {words.name!r} is empty.", "Write terms.")
        for index, text in enumerate(texts):
            if not text or text.isspace():
                yield draft.problem("blank-term", file, _term_path(words, index), "A term is blank.", "Remove it.")
        if len(set(texts)) < len(texts):
            for index, text in _repeated(texts):
                message = f"The term {text!r} stands twice."
                yield draft.problem("duplicate-term", file, _term_path(words, index), message, "Remove one.")


def check_lengths(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """Terms and exceptions are words and phrases, not texts."""
    for file, words in _lists(draft, pack):
        terms = ((_term_path(words, index), text) for index, text in enumerate(words.texts))
        for path, text in chain(terms, *(_exceptions(*entry) for entry in _entries(words))):
            if len(text) > MAX_TERM_CHARS:
                message = f"A term or exception of {len(text)} characters is longer than {MAX_TERM_CHARS}."
                hint = "Write the shortest phrase that gives it away, or a rule with a pattern."
                yield draft.problem("long-term", file, path, message, hint)


def _exceptions(path: Path, entry: WordList | Term) -> Iterator[tuple[Path, str]]:
    """Give the exceptions of a list or of one of its terms, with their places."""
    yield from (((*path, "exceptions", index), text) for index, text in enumerate(entry.exceptions))


def _entries(words: WordList) -> Iterator[tuple[Path, WordList | Term]]:
    """Give the list and each of its [[term]] tables, with their places."""
    yield (), words
    yield from ((("term", index), term) for index, term in enumerate(words.term))


_TAG: Final = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
"""Language, script and region of BCP 47, in the case that it recommends; extensions say nothing about words."""


def check_languages(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """The languages of terms are written as everywhere, so that they can be compared."""
    for file, words in _lists(draft, pack):
        for path, entry in _entries(words):
            for index, tag in enumerate(entry.languages):
                if not _TAG.fullmatch(tag):
                    hint = 'Write a BCP 47 tag: "zh", "zh-Hant", "en-GB".'
                    place = (*path, "languages", index)
                    yield draft.problem("bad-language", file, place, f"{tag!r} is no language.", hint)


def check_views(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """A list names readings that screening knows: a misspelt one would silently look at less."""
    for file, words in _lists(draft, pack):
        for path, entry in _entries(words):
            for index, view in enumerate(entry.views):
                if view not in VIEWS:
                    hint = f"Readings: {', '.join(VIEWS)}."
                    place = (*path, "views", index)
                    yield draft.problem("unknown-view", file, place, f"There is no reading {view!r}.", hint)


def check_term_dates(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """What ends does so after it began."""
    for file, words in _lists(draft, pack):
        for path, entry in _entries(words):
            if entry.added and entry.until and entry.until <= entry.added:
                message = f"It ends on {entry.until}, yet was added on {entry.added}, so that it never counts."
                hint = "`until` is the first day on which it no longer counts; correct one of the dates."
                yield draft.problem("bad-dates", file, (*path, "until"), message, hint)


def check_exceptions(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """An exception holds a term that it can excuse, or it was misspelt.

    Where a list asks for readings that guess, it may be meant for a guess: for words that merely sound like a term.
    """
    for file, words in _lists(draft, pack):
        for path, entry in _entries(words):
            if DISGUISES.isdisjoint(entry.views or words.views):
                texts = words.texts if isinstance(entry, WordList) else (entry.text,)
                for place, phrase in _idle(list(_exceptions(path, entry)), texts):
                    message = f"The exception {phrase!r} holds no term that it could excuse."
                    yield draft.problem("idle-exception", file, place, message, "Correct its spelling, or remove it.")


def _idle(exceptions: Sequence[tuple[Path, str]], texts: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """Give the exceptions in which no text stands, folded or squeezed; to squeeze very many is put off while it can."""
    if exceptions:
        folded = set(fold("\n".join(texts)).split("\n"))
        exceptions = [(path, phrase) for path, phrase in exceptions if folded.isdisjoint(_parts(fold(phrase)))]
    if exceptions:
        squeezed = {squeeze(text) for text in texts}
        yield from ((path, phrase) for path, phrase in exceptions if squeezed.isdisjoint(_parts(squeeze(phrase))))


def _parts(phrase: str) -> Iterator[str]:
    """Give every part of an exception that is as short as a term may be."""
    phrase = phrase[:MAX_TERM_CHARS]  # a longer one is a mistake of its own
    return (phrase[start:end] for start, end in combinations(range(len(phrase) + 1), 2))


def _conditions(pack: Pack) -> Iterator[tuple[str, Path, str]]:
    """Give every condition of the pack, with its place."""
    if pack.head.scope:
        yield "pack.toml", ("scope",), pack.head.scope
    for index, rule in enumerate(pack.rules):
        yield "rules.toml", ("rule", index, "when"), rule.when


def _programs(pack: Pack) -> Iterator[tuple[str, Path, Program]]:
    """Give the compiled conditions; those that do not compile are reported by check_conditions alone."""
    for file, path, source in _conditions(pack):
        try:
            yield file, path, compile_condition(source)
        except CelError:
            continue


def check_conditions(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """Every condition compiles: known names, right types, a bounded cost."""
    for file, path, source in _conditions(pack):
        try:
            compile_condition(source)
        except CelError as error:
            hint = "docs/packs.md lists the facts that a rule may read."
            yield draft.problem("cel", file, path, error.render(), hint)


def check_list_names(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """A condition asks for lists that the pack, or screening itself, has."""
    own = {words.name for words in pack.lists}
    for file, path, program in _programs(pack):
        for name in sorted(program.lists):
            if name not in own and name not in DETECTOR_LISTS and not detector_of(name) and not window_of(name):
                hint = f"Lists of this pack: {', '.join(sorted(own)) or 'none'}."
                yield draft.problem("unknown-list", file, path, f"There is no list {name!r}.", hint)


def check_failures(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """Where a detector from outside is asked, it is asked whether it failed: else a text that none saw is approved."""
    programs = list(_programs(pack))
    asked = [(pack.rules[int(path[1])], each.lists) for file, path, each in programs if file == "rules.toml"]
    for file, path, program in programs:
        for detector in sorted({detector_of(name) for name in program.lists} - {""}):
            failed = failed_list(detector)
            others = [rule for rule, lists in asked if failed in lists]
            by_others = file == "rules.toml" and _stand_in(others, pack.rules[int(path[1])])
            if failed not in program.lists and not by_others:
                message = f"No rule that counts wherever this one does asks whether the detector {detector!r} failed."
                hint = f"Write one with the condition terms('{failed}'), as a rule: then = \"hold\"."
                yield draft.problem("failure-not-asked", file, path, message, hint)


def _stand_in(others: Sequence[Rule], rule: Rule) -> bool:
    """Whether, on its first and last day, one of the others counts wherever a rule does."""
    equals = [each for each in others if each.mode == "live" or rule.mode == "shadow"]  # canaries have their own shares
    days = (rule.since, rule.until - timedelta(days=1) if rule.until else date.max)
    return all(any(each.since <= day and (not each.until or day < each.until) for each in equals) for day in days)


def check_cases(draft: Draft, pack: Pack) -> Iterator[Problem]:
    """Screening can use the pack's lists and patterns, and the pack does what its own golden cases say."""
    try:
        policy = Policy([pack])
    except LexiconError as error:
        yield _unusable(draft, pack, error)
        return
    places = [(name, index) for name in draft.names("cases") for index in range(len(draft.rows(name, "case")))]
    for (file, index), case in zip(places, pack.cases, strict=True):
        if failure := policy.run_case(case):
            message = f"The case {case.name!r} fails: {failure}"
            yield draft.problem("case-fails", file, ("case", index), message, "Correct the rule, or the case.")


def _unusable(draft: Draft, pack: Pack, error: LexiconError) -> Problem:
    """Name the file of the list that screening refuses; patterns stand in the rules."""
    files = zip(draft.names("lists"), pack.lists, strict=True)
    named = [file for file, words in files if repr(f"{pack.id}/{words.name}") in error.where]
    return draft.problem("bad-list", (named or ["rules.toml"])[0], (), str(error), "Correct the list or pattern.")


STAGES: Final = (
    (
        check_duplicate_ids,
        check_rules_exist,
        check_pack_id,
        check_timezone,
        check_dates,
        check_versions,
        check_issued,
        check_citations,
        check_grounds,
        check_rule_grounds,
        check_rights,
        check_in_force,
        check_modes,
        check_terms,
        check_lengths,
        check_languages,
        check_views,
        check_term_dates,
        check_exceptions,
        check_conditions,
        check_list_names,
        check_failures,
        *institution.CHECKS,
    ),
    (check_cases,),
)
"""What the meaning of a pack is checked for; a stage is only reached when the one before has found nothing."""

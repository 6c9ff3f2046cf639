"""Rules made ready to run: conditions compiled, dates turned into instants, patterns hoisted for screening."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from placet.model import RESTRICTIVENESS, Ground, Micros, Outcome, RuleHit
from placet.policy.cel import BOOL, Program, TextCall, TextHits, compile_rule
from placet.policy.environment import ENVIRONMENT, TEXT_FIELDS, detector_of, full_name
from placet.policy.values import EPOCH, Pack, Rule, WordList
from placet.screening import PatternSpec, TermList

Run = Callable[[Mapping[str, Any], TextHits], Any]

Labels = Mapping[tuple[str, str], tuple[str, str]]
"""(fact, pattern) -> the list and label of the finding under which screening reports that it was found."""

Found = str | tuple[str, str]
"""What findings come to for the index of rules: the full name of a list, or list and label of a pattern."""

MAX_DOUBT: Final = RESTRICTIVENESS["hold"]
"""What a rule may come to where a person should look first."""


_DEFAULT_VIEWS: Final = TermList("", ()).views
"""Those that screening takes where a list says nothing."""


class Compiled(NamedTuple):
    """A rule ready to run."""

    rule: Rule
    program: Program
    given: Outcome
    """What it comes to, unless it rests on a guess: refuse and return need a ground that is automatic, and no detector
    from outside."""
    starts: Micros
    ends: Micros | None
    hit: RuleHit | None
    """What is listed when it fires, for a rule that is true in one way only and rests on no guess: made once."""


Runnable = tuple[Run, Compiled]
"""A rule with the function that runs its condition."""


class Group(NamedTuple):
    """The rules of one pack that are in force together, and an index of what each needs of the text.

    A rule that needs what was not found is false, and is not even asked: `always` are those that need nothing,
    `called_by` are the places of the others by what calls for them.
    """

    pack: str
    scope: Program | None
    rules: tuple[Runnable, ...]
    always: tuple[Runnable, ...]
    called_by: Mapping[Found, tuple[int, ...]]
    always_places: frozenset[int]

    def is_silent(self, found: Iterable[Found]) -> bool:
        """Whether no rule can be true, or fail, where this was found, and no scope need be asked."""
        return not self.always and self.scope is None and self.called_by.keys().isdisjoint(found)

    def called_for(self, found: Iterable[Found]) -> Sequence[Runnable]:
        """Give the rules that may be true, or fail, where this was found, in the order of the pack."""
        called_by = self.called_by
        places = [place for one in found if one in called_by for place in called_by[one]]
        if not places:
            return self.always
        rules = self.rules
        return [rules[place] for place in sorted(self.always_places.union(places))]


class Timeline(NamedTuple):
    """The rules for one kind of act: `groups[i]` are in force until `boundaries[i]`, the last ones without end."""

    boundaries: tuple[Micros, ...]
    groups: tuple[tuple[Group, ...], ...]
    silent: tuple[bool, ...]
    """Of each of `groups`, whether no rule is to be asked where nothing was found."""


class PackRules(NamedTuple):
    """A pack's conditions, compiled."""

    pack: str
    scope: Program | None
    rules: tuple[Compiled, ...]

    def programs(self) -> Iterator[tuple[str, Program]]:
        """Give every condition with the name of its rule."""
        yield from ((one.rule.id, one.program) for one in self.rules)
        if self.scope:
            yield "scope", self.scope


@lru_cache(maxsize=4_096)
def compile_condition(source: str) -> Program:
    """Compile one condition over the facts; raises CelError. Programs are pure, so equal sources share one."""
    return compile_rule(source, ENVIRONMENT, expect=BOOL)


def midnight(day: date, timezone: str) -> Micros:
    """Give the instant at which a local date begins."""
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone))
    return (local - EPOCH) // timedelta(microseconds=1)


def covers(since: date, until: date | None, timezone: str, at: Micros) -> bool:
    """Whether an instant lies between the beginnings of two local dates, the second excluded."""
    return midnight(since, timezone) <= at and (until is None or at < midnight(until, timezone))


def compile_pack(pack: Pack) -> PackRules:
    """Compile a pack's conditions, which its checks have found to be sound."""
    grounds = {ground.id: ground for ground in pack.grounds}
    scope = compile_condition(pack.head.scope) if pack.head.scope else None
    return PackRules(pack.id, scope, tuple(_compile(pack, rule, grounds) for rule in pack.rules))


def _compile(pack: Pack, rule: Rule, grounds: Mapping[str, Ground]) -> Compiled:
    given: Outcome = rule.then
    program = compile_condition(rule.when)
    by_machine = any(detector_of(name) for name in program.lists)
    if RESTRICTIVENESS[given] > MAX_DOUBT and (by_machine or not grounds[rule.ground].automatic):
        given = "hold"
    zone = pack.head.timezone
    ends = midnight(rule.until, zone) if rule.until else None
    hit = None
    if program.settled is not None and (RESTRICTIVENESS[given] <= MAX_DOUBT or not program.lists):
        hit = RuleHit(pack.id, rule.id, rule.ground, rule.then, given, rule.mode, program.settled)
    return Compiled(rule, program, given, midnight(rule.since, zone), ends, hit)


def timelines(packs: Iterable[PackRules], labels: Labels) -> dict[str, Timeline]:
    """Lay out the rules in time, for each kind of act that any of them is about."""
    packs = tuple(packs)
    kinds = sorted({kind for pack in packs for one in pack.rules for kind in one.rule.on})
    return {kind: _timeline(kind, packs, labels) for kind in kinds}


def _timeline(kind: str, packs: tuple[PackRules, ...], labels: Labels) -> Timeline:
    """Cut time at every instant at which a rule begins or ends, so that one bisection finds the rules in force."""
    chosen = tuple(pack._replace(rules=tuple(one for one in pack.rules if kind in one.rule.on)) for pack in packs)
    rules = [one for pack in chosen for one in pack.rules]
    boundaries = sorted({one.starts for one in rules} | {one.ends for one in rules if one.ends is not None})
    groups = ((), *(_in_force(start, chosen, labels) for start in boundaries))
    silent = tuple(all(group.is_silent(()) for group in each) for each in groups)
    return Timeline(tuple(boundaries), groups, silent)


def _in_force(start: Micros, packs: tuple[PackRules, ...], labels: Labels) -> tuple[Group, ...]:
    """Give the rules in force from one boundary to the next."""
    groups = []
    for pack, scope, rules in packs:
        active = [one for one in rules if one.starts <= start and (one.ends is None or start < one.ends)]
        if active:
            groups.append(_group(pack, scope, active, labels))
    return tuple(groups)


def _group(pack: str, scope: Program | None, active: Sequence[Compiled], labels: Labels) -> Group:
    rules = tuple((one.program.run, one) for one in active)
    called_by: dict[Found, list[int]] = {}
    always = []
    for place, one in enumerate(active):
        if one.program.needs is None:
            always.append(place)
            continue
        for found in {_found_by(call, pack, labels) for call in one.program.needs}:
            called_by.setdefault(found, []).append(place)
    index = {found: tuple(places) for found, places in called_by.items()}
    return Group(pack, scope, rules, tuple(rules[place] for place in always), index, frozenset(always))


def _found_by(call: TextCall, pack: str, labels: Labels) -> Found:
    """What is found where that question is answered with yes."""
    if call.method == "matches":
        path, regex = call.arguments
        return labels[path, regex]
    return full_name(pack, call.arguments[0])


def term_lists(packs: Iterable[Pack]) -> list[TermList]:
    """Give the lists of every pack, each named after its pack.

    Terms that are to be sought in another way than their list form further term lists of the same name.
    """
    return [made for pack in packs for words in pack.lists for made in _parts_of(f"{pack.id}/{words.name}", words)]


def _parts_of(name: str, words: WordList) -> Iterator[TermList]:
    """Give the term lists that one list comes to: its plain terms, and those of each setting of their own."""
    whole = TermList(name, (), words.label, words.views or _DEFAULT_VIEWS, words.exceptions, words.whole_words)
    groups: dict[TermList, list[str]] = {whole: list(words.terms)}  # first, since terms that come are added to it
    for term in words.term:
        own = TermList(
            name,
            (),
            term.label or whole.label,
            term.views or whole.views,
            (*whole.exceptions, *term.exceptions),
            whole.whole_words if term.whole_words is None else term.whole_words,
        )
        groups.setdefault(own, []).append(term.text)
    return (replace(group, terms=tuple(terms)) for group, terms in groups.items())


class Lapse(NamedTuple):
    """Terms of one list that no longer count from an instant on."""

    at: Micros
    list: str
    terms: frozenset[str]


def lapses(packs: Iterable[Pack]) -> tuple[Lapse, ...]:
    """Give every end of a term's time, in order: its own end or that of its list, whichever comes first."""
    found: dict[tuple[Micros, str], set[str]] = {}
    for pack in packs:
        for words in pack.lists:
            for text, until in _ends(words):
                at = midnight(until, pack.head.timezone)
                found.setdefault((at, f"{pack.id}/{words.name}"), set()).add(text)
    return tuple(Lapse(at, name, frozenset(terms)) for (at, name), terms in sorted(found.items()))


def _ends(words: WordList) -> Iterator[tuple[str, date]]:
    """Give the terms that end, with the first day on which they do not count."""
    if words.until is not None:
        yield from ((text, words.until) for text in words.terms)
    for term in words.term:
        if ends := [until for until in (term.until, words.until) if until is not None]:
            yield term.text, min(ends)


def hoist(packs: Iterable[PackRules]) -> tuple[list[PatternSpec], Labels]:
    """Give the patterns of every condition to screening, each once, so that one pass over the text answers them all."""
    specs: list[PatternSpec] = []
    labels: dict[tuple[str, str], tuple[str, str]] = {}
    for pack in packs:
        for name, program in pack.programs():
            for number, (path, regex) in enumerate(sorted(program.patterns), 1):
                if (path, regex) not in labels:
                    spec = PatternSpec(pack.pack, f"{name}/{number}", TEXT_FIELDS[path], regex)
                    specs.append(spec)
                    labels[path, regex] = spec.list, spec.id
    return specs, labels

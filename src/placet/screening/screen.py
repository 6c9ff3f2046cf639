"""Content to findings: the only entry of this folder.

`screen(item, lexicon)` and `screen_batch(items, lexicon)` are pure: the same item and lexicon give the same findings,
in the same order, one at a time or together. Nothing raises for any text, and every step is bounded; where a bound is
reached, a finding of the detector "limits" says so, for a rule to hold the item.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Final

from msgspec.structs import replace

from placet.model import TEXT_FIELDS, Finding, Item
from placet.screening import contacts, links
from placet.screening.contacts import Contacts
from placet.screening.engines import Hits
from placet.screening.fold import BARRIER, BREAK, REPLACEMENT, Buffer
from placet.screening.hints import Hints
from placet.screening.links import Links
from placet.screening.lists import (
    DISGUISES,
    Crowded,
    Disguises,
    Engine,
    HostList,
    LexiconError,
    Limits,
    ListChange,
    PatternSpec,
    TermList,
)
from placet.screening.look import Hit
from placet.screening.markup import visible
from placet.screening.page import Reading
from placet.screening.patterns import Patterns, utf8
from placet.screening.phones import REGIONS
from placet.screening.terms import Candidate, Compiled, Terms

_CHUNK: Final = 16_384
"""Characters that a batch joins into one buffer: enough to make a call's overhead small, few enough for the cache."""

_FIELDS: Final = len(TEXT_FIELDS)
_LINKS: Final = 0
"""Among the hints, that for links; the others are for contacts."""
_DEFAULT_LIMITS: Final = Limits()


class Lexicon:
    """What to look for, compiled once. Immutable; several threads may screen with it at once."""

    def __init__(
        self,
        terms: Terms,
        patterns: Patterns,
        hints: Hints,
        links: Links,
        contacts: Contacts,
        limits: Limits,
        disguises: Disguises | None = None,
    ) -> None:
        self.terms = terms
        self.patterns = patterns
        self.hints = hints
        """Where it is worth while to look for links and contacts."""
        self.links = links
        self.contacts = contacts
        self.limits = limits
        self.disguises = disguises
        """What looks for disguises; None where no list asks for a view of lists.DISGUISES."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the writer of a list may want to know, though nothing is wrong."""
        return self.terms.notes + self.patterns.notes

    @classmethod
    def build(
        cls,
        term_lists: Sequence[TermList] = (),
        pattern_specs: Sequence[PatternSpec] = (),
        host_lists: Sequence[HostList] = (),
        limits: Limits = _DEFAULT_LIMITS,
        *,
        engine: Engine = "auto",
        regions: Sequence[str] = REGIONS,
    ) -> "Lexicon":
        """Compile lists, patterns and hosts. Raises LexiconError, which names the list or pattern and the reason.

        `regions` says where telephone numbers without a country code may be from (ISO 3166).
        """
        names = {source.name for source in term_lists}  # term lists of one name are parts of one list
        _distinct("list", [*names, *(source.name for source in host_lists)])
        _distinct("pattern", [f"{spec.list}/{spec.id}" for spec in pattern_specs])
        _positive(limits)
        return cls(
            Terms(Compiled.of(term_lists)),
            Patterns(pattern_specs, engine=engine, max_spans=limits.max_spans),
            _hints(engine),
            Links(host_lists, limits.max_links),
            Contacts(regions, limits.max_contacts),
            limits,
            _disguises(term_lists),
        )

    def revised(self, changes: Mapping[str, ListChange]) -> "Lexicon":
        """The lexicon as it was built, with changes of its term lists, by list name. Raises LexiconError.

        It shares the automata of the lexicon that was built, so that a few changes in a long list take milliseconds.
        What is found is what a lexicon built from the changed lists finds, but that provisional terms score less.
        Changes do not add up: a further revision replaces this one.
        """
        disguises = self.disguises and self.disguises.revised(changes)
        terms = self.terms.revised(changes)
        return Lexicon(terms, self.patterns, self.hints, self.links, self.contacts, self.limits, disguises)


@cache
def _hints(engine: Engine) -> Hints:
    """They are the same for every lexicon."""
    return Hints((links.HINT, *contacts.HINTS), engine)


def _disguises(term_lists: Sequence[TermList]) -> Disguises | None:
    """What finds the terms of the lists that ask for a view of DISGUISES; None where none does."""
    if all(DISGUISES.isdisjoint(source.views) for source in term_lists):
        return None
    from placet.screening.disguise import DisguiseIndex  # noqa: PLC0415 - its dictionaries take half a second to read

    return DisguiseIndex(term_lists)


def _distinct(what: str, names: Sequence[str]) -> None:
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise LexiconError(f"{what} {twice[0]!r}", "this name stands twice; give each its own")


def _positive(limits: Limits) -> None:
    for name in limits.__struct_fields__:
        if getattr(limits, name) < 1:
            raise LexiconError(f"limit {name!r}", "must be at least 1")


def screen(item: Item, lexicon: Lexicon) -> list[Finding]:
    """What can be read off one item, ordered by field, start, end, detector, list and label."""
    return _screen((item,), [item.title, item.body], lexicon, marked_up=item.format != "text")[0]


def screen_batch(items: Sequence[Item], lexicon: Lexicon) -> list[list[Finding]]:
    """`[screen(item, lexicon) for item in items]`, several times faster for short texts."""
    texts = [""] * (_FIELDS * len(items))
    texts[::_FIELDS], texts[1::_FIELDS] = [item.title for item in items], [item.body for item in items]
    marked_up = any(item.format != "text" for item in items)
    ends = list(accumulate(map(len, texts)))
    out: list[list[Finding]] = []
    first = 0
    while first < len(items):
        before = ends[first * _FIELDS - 1] if first else 0
        last = min(bisect_left(ends, before + _CHUNK) // _FIELDS + 1, len(items))
        own = texts[first * _FIELDS : last * _FIELDS]
        out += _screen(items[first:last], own, lexicon, marked_up=marked_up)
        first = last
    return out


def _screen(items: Sequence[Item], texts: list[str], lexicon: Lexicon, *, marked_up: bool) -> list[list[Finding]]:
    """Findings of each item. Its fields stand in `texts` one after the other, in the order of TEXT_FIELDS."""
    found: defaultdict[int, list[Finding]] = defaultdict(list)
    joined = f"{BREAK}{BREAK.join(texts)}{BREAK}"
    if len(joined) > lexicon.limits.max_chars and _cut(texts, lexicon.limits.max_chars, found):
        joined = f"{BREAK}{BREAK.join(texts)}{BREAK}"
    sources, readings = texts, {}
    if marked_up and (readings := _readings(items, texts)):
        texts = [readings[place].text if place in readings else text for place, text in enumerate(sources)]
        joined = f"{BREAK}{BREAK.join(texts)}{BREAK}"
    if joined.count(BARRIER) == len(texts) + 1:
        hits = lexicon.patterns.hits_together(texts, joined)
    else:  # a text holds what parts the texts
        joined = f"{BREAK}{BREAK.join(text.replace(BARRIER, REPLACEMENT) for text in texts)}{BREAK}"
        hits = lexicon.patterns.hits_apart(texts)
    buffer = Buffer(joined)
    hints = lexicon.hints.find(texts, buffer)
    _add_terms(texts, buffer, lexicon, found)
    if lexicon.disguises is not None:
        _add_disguises(texts, lexicon.disguises, found)
    for place, indices in hits.items():
        found[place // _FIELDS] += _pattern_findings(indices, place, texts[place], lexicon.patterns)
    if hints:
        _add_contacts(texts, hints, lexicon.contacts, found)
    _carry_back(readings, sources, found)
    _add_links(sources, readings, hints, lexicon.links, found)
    if not found:
        return [[] for _ in items]
    return [_arranged(found[i], item, lexicon.limits) if i in found else [] for i, item in enumerate(items)]


def _cut(texts: list[str], limit: int, found: dict[int, list[Finding]]) -> bool:
    """Cut the texts that are longer than the limit; says whether there were any."""
    long = [place for place, text in enumerate(texts) if len(text) > limit]
    for place in long:
        found[place // _FIELDS].append(_limit_finding("text-too-long", place, texts[place]))
        texts[place] = texts[place][:limit]
    return bool(long)


# --- markup ------------------------------------------------------------------------------------------------------


def _readings(items: Sequence[Item], texts: Sequence[str]) -> dict[int, Reading]:
    """What is read of the bodies that hold markup, by their place. A title holds none."""
    bodies = ((owner * _FIELDS + 1, item.format) for owner, item in enumerate(items) if item.format != "text")
    return {place: reading for place, form in bodies if (reading := visible(texts[place], form))}


def _carry_back(readings: Mapping[int, Reading], sources: Sequence[str], found: dict[int, list[Finding]]) -> None:
    """Give findings that were made on a reading the places of the text as it was submitted."""
    for place, reading in readings.items():
        owner = place // _FIELDS
        if owner in found:
            found[owner] = [_carried(each, place, reading, sources[place]) for each in found[owner]]


def _carried(finding: Finding, place: int, reading: Reading, source: str) -> Finding:
    if finding.field != TEXT_FIELDS[place % _FIELDS]:
        return finding
    if finding.detector == "limits":  # of the whole text, which "text-too-long" quotes as it was submitted
        return finding if finding.label == "text-too-long" else _limit_finding(finding.label, place, source)
    start, end = reading.span(finding.start, finding.end)
    return replace(finding, start=start, end=end, quote=source[start:end])


# --- detectors ---------------------------------------------------------------------------------------------------


def _add_terms(texts: Sequence[str], buffer: Buffer, lexicon: Lexicon, found: dict[int, list[Finding]]) -> None:
    """One pass over all texts joined; BARRIER parts them, and no term holds it."""
    candidates = lexicon.terms.candidates(buffer)
    if not candidates:
        return
    starts = buffer.starts()
    if len(candidates) > lexicon.limits.max_candidates:
        candidates = _first_of_each(candidates, starts, texts, lexicon.limits.max_candidates, found)
    for candidate in candidates:
        if hits := Terms.look(candidate, buffer):
            place = bisect_right(starts, candidate[0]) - 1
            found[place // _FIELDS] += [_term_finding(hit, place, starts[place], texts[place]) for hit in hits]


def _first_of_each(
    candidates: Sequence[Candidate],
    starts: Sequence[int],
    texts: Sequence[str],
    most: int,
    found: dict[int, list[Finding]],
) -> list[Candidate]:
    """The first places of each item, up to so many; an item with more is reported."""
    kept: list[Candidate] = []
    looked: Counter[int] = Counter()
    for candidate in candidates:
        place = bisect_right(starts, candidate[0]) - 1
        owner = place // _FIELDS
        looked[owner] += 1
        if looked[owner] <= most:
            kept.append(candidate)
        elif looked[owner] == most + 1:
            found[owner].append(_limit_finding("too-many-findings", place, texts[place]))
    return kept


def _term_finding(hit: Hit, place: int, offset: int, text: str) -> Finding:
    first, last, entry, view, score = hit
    start, end = first - offset, last - offset
    quote = text[start:end]
    name = TEXT_FIELDS[place % _FIELDS]
    return Finding("terms", entry.source.name, entry.name(quote), name, start, end, view, score, quote)


def _add_disguises(texts: Sequence[str], disguises: Disguises, found: dict[int, list[Finding]]) -> None:
    """What is found only on a reading that guesses, where no surer reading has found it already."""
    covers: dict[int, _Cover] = {}
    for hit in disguises.find(texts):
        if isinstance(hit, Crowded):
            found[hit.place // _FIELDS].append(_limit_finding("too-many-findings", hit.place, texts[hit.place]))
            continue
        place, start, end, source, label, view, score = hit
        owner, name = place // _FIELDS, TEXT_FIELDS[place % _FIELDS]
        cover = covers.get(owner) or covers.setdefault(owner, _Cover(found[owner]))
        if not cover.overlaps((source, label, name), start, end):
            quote = texts[place][start:end]
            found[owner].append(Finding("terms", source, label, name, start, end, view, score, quote))


class _Cover:
    """Where in an item each term is found already."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        spans: dict[tuple[str, str, str], list[tuple[int, int]]] = defaultdict(list)
        for each in findings:
            if each.detector == "terms":
                spans[each.list, each.label, each.field].append((each.start, each.end))
        self._starts = {term: sorted(start for start, _ in own) for term, own in spans.items()}
        self._ends = {term: list(accumulate((end for _, end in sorted(own)), max)) for term, own in spans.items()}

    def overlaps(self, term: tuple[str, str, str], start: int, end: int) -> bool:
        """Whether the term, (list, label, field), is found at a place that shares a character with this one."""
        before = bisect_left(self._starts.get(term, ()), end)
        return before > 0 and self._ends[term][before - 1] > start


def _add_contacts(texts: Sequence[str], hints: Hits, detector: Contacts, found: dict[int, list[Finding]]) -> None:
    for place, indices in hints.items():
        if any(index != _LINKS for index in indices):
            found[place // _FIELDS] += _contact_findings(place, texts[place], detector)


def _add_links(
    sources: Sequence[str],
    readings: Mapping[int, Reading],
    hints: Hits,
    detector: Links,
    found: dict[int, list[Finding]],
) -> None:
    """Links, and text that markup hides."""
    for place, indices in hints.items():
        if _LINKS in indices and place not in readings:
            found[place // _FIELDS] += _link_findings(place, sources[place], None, detector)
    for place, reading in readings.items():
        own, text = found[place // _FIELDS], sources[place]
        if reading.targets or _LINKS in hints.get(place, {}):
            own += _link_findings(place, text, reading, detector)
        for start, end in reading.hidden:
            name, label = TEXT_FIELDS[place % _FIELDS], "hidden-text"
            own.append(Finding("markup", f"markup/{label}", label, name, start, end, quote=text[start:end]))


def _pattern_findings(hits: Mapping[int, int], place: int, text: str, patterns: Patterns) -> Iterator[Finding]:
    name, data = TEXT_FIELDS[place % _FIELDS], utf8(text)
    for index, most in hits.items():
        spec = patterns.specs[index]
        if spec.field in (None, name):
            spans, more = patterns.spans(index, data, most)
            for start, end in spans:
                yield Finding("patterns", spec.list, spec.id, name, start, end, quote=text[start:end])
            if more:
                yield _limit_finding("too-many-findings", place, text)


def _contact_findings(place: int, text: str, detector: Contacts) -> Iterator[Finding]:
    """Contacts by their kind. A finding never says more: a contact is personal data, and findings are recorded."""
    found, more = detector.find(text)
    for start, end, kind, score, view in found:
        name, source = TEXT_FIELDS[place % _FIELDS], f"contacts/{kind}"
        yield Finding("contacts", source, kind, name, start, end, view, score, text[start:end])
    if more:
        yield _limit_finding("too-many-contacts", place, text)


def _link_findings(place: int, text: str, reading: Reading | None, detector: Links) -> Iterator[Finding]:
    facts, more = detector.find(text, reading)
    for start, end, source, label, score in facts:
        name, view = TEXT_FIELDS[place % _FIELDS], "exact" if score == 100 else "squeezed"
        yield Finding("links", source, label, name, start, end, view, score, text[start:end])
    if more:
        yield _limit_finding("too-many-links", place, text)


# --- arranging ---------------------------------------------------------------------------------------------------


def _limit_finding(label: str, place: int, text: str) -> Finding:
    return Finding("limits", "limits", label, TEXT_FIELDS[place % _FIELDS], 0, len(text), quote=text)


def _order(finding: Finding) -> tuple[int, int, int, str, str, str]:
    place = TEXT_FIELDS.index(finding.field)
    return (place, finding.start, finding.end, finding.detector, finding.list, finding.label)


def _score(finding: Finding) -> int:
    return finding.score


def _arranged(found: list[Finding], item: Item, limits: Limits) -> list[Finding]:
    """In order, each once, and no more than the limit; what is said of the limits of a field is never dropped."""
    if len(found) == 1:
        return found
    about_limits = {(f.label, f.field): f for f in found if f.detector == "limits"}
    surest_last = sorted((f for f in found if f.detector != "limits"), key=_score)
    findings = sorted({_order(f): f for f in surest_last}.values(), key=_order)
    if len(findings) > limits.max_findings:
        field = findings[limits.max_findings].field
        last = TEXT_FIELDS.index(field)
        one = _limit_finding("too-many-findings", last, (item.title, item.body)[last])
        about_limits.setdefault((one.label, field), one)
        findings = findings[: limits.max_findings]
    return sorted((*findings, *about_limits.values()), key=_order)

"""Content to findings: the only entry of this folder.

`screen(item, lexicon)` and `screen_batch(items, lexicon)` are pure: the same item and lexicon give the same findings,
in the same order, one at a time or together. Nothing raises for any text, and every step is bounded; where a bound is
reached, a finding of the detector "limits" says so, for a rule to hold the item.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final

from placet.model import TEXT_FIELDS, Finding, Item
from placet.screening.fold import BARRIER, REPLACEMENT, Buffer
from placet.screening.links import HINT, Links
from placet.screening.lists import Engine, HostList, LexiconError, Limits, PatternSpec, TermList
from placet.screening.patterns import Patterns, utf8
from placet.screening.terms import SCORES, Hit, Terms

_CHUNK: Final = 16_384
"""Characters that a batch joins into one buffer: enough to make a call's overhead small, few enough for the cache."""

_FIELDS: Final = len(TEXT_FIELDS)
_DEFAULT_LIMITS: Final = Limits()


class Lexicon:
    """What to look for, compiled once. Immutable; several threads may screen with it at once."""

    def __init__(self, terms: Terms, patterns: Patterns, links: Links, limits: Limits) -> None:
        self.terms = terms
        self.patterns = patterns
        self.links = links
        self.limits = limits

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
    ) -> "Lexicon":
        """Compile lists, patterns and hosts. Raises LexiconError, which names the list or pattern and the reason."""
        _distinct("list", [*(source.name for source in term_lists), *(source.name for source in host_lists)])
        _distinct("pattern", [f"{spec.list}/{spec.id}" for spec in pattern_specs])
        _positive(limits)
        patterns = Patterns(pattern_specs, hint=HINT, engine=engine, max_spans=limits.max_spans)
        return cls(Terms(term_lists), patterns, Links(host_lists, limits.max_links), limits)


def _distinct(what: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LexiconError(f"{what} {twice[0]!r}", "this name stands twice; give each its own")


def _positive(limits: Limits) -> None:
    for name in limits.__struct_fields__:
        if getattr(limits, name) < 1:
            raise LexiconError(f"limit {name!r}", "must be at least 1")


def screen(item: Item, lexicon: Lexicon) -> list[Finding]:
    """What can be read off one item, ordered by field, start, end, detector, list and label."""
    return _screen((item,), lexicon)[0]


def screen_batch(items: Sequence[Item], lexicon: Lexicon) -> list[list[Finding]]:
    """`[screen(item, lexicon) for item in items]`, several times faster for short texts."""
    out: list[list[Finding]] = []
    first = size = 0
    for i, item in enumerate(items):
        size += len(item.title) + len(item.body)
        if size >= _CHUNK:
            out += _screen(items[first : i + 1], lexicon)
            first, size = i + 1, 0
    return out + _screen(items[first:], lexicon) if first < len(items) else out


def _screen(items: Sequence[Item], lexicon: Lexicon) -> list[list[Finding]]:
    """Findings of each item. Its fields stand in `texts` one after the other, in the order of TEXT_FIELDS."""
    limit = lexicon.limits.max_chars
    texts = [text for item in items for text in (item.title, item.body)]
    found: dict[int, list[Finding]] = defaultdict(list)
    for place, text in enumerate(texts):
        if len(text) > limit:
            found[place // _FIELDS].append(_limit_finding("text-too-long", place, text))
            texts[place] = text[:limit]
    _add_terms(texts, lexicon, found)
    _add_matches(texts, items, lexicon, found)
    return [_arranged(found[i], item, lexicon.limits) if i in found else [] for i, item in enumerate(items)]


# --- detectors ---------------------------------------------------------------------------------------------------


def _add_terms(texts: Sequence[str], lexicon: Lexicon, found: dict[int, list[Finding]]) -> None:
    """One pass over all texts joined; BARRIER parts them, and no term holds it."""
    apart = [text.replace(BARRIER, REPLACEMENT) if BARRIER in text else text for text in texts]
    buffer = Buffer(BARRIER + BARRIER.join(apart))
    candidates = lexicon.terms.candidates(buffer)
    if not candidates:
        return
    starts = list(accumulate((len(text) + 1 for text in texts), initial=1))
    looked: Counter[int] = Counter()
    for net, candidate in candidates:
        place = bisect_right(starts, candidate.start) - 1
        owner = place // _FIELDS
        looked[owner] += 1
        if looked[owner] <= lexicon.limits.max_candidates:
            hits = Terms.look(net, candidate, buffer)
            found[owner] += [_term_finding(hit, place, starts[place], texts[place]) for hit in hits]
        elif looked[owner] == lexicon.limits.max_candidates + 1:
            found[owner].append(_limit_finding("too-many-findings", place, texts[place]))


def _term_finding(hit: Hit, place: int, offset: int, text: str) -> Finding:
    start, end = hit.start - offset, hit.end - offset
    quote = text[start:end]
    label = hit.entry.name(quote)
    name, score = TEXT_FIELDS[place % _FIELDS], SCORES[hit.view]
    return Finding("terms", hit.entry.source.name, label, name, start, end, hit.view, score, quote)


def _add_matches(
    texts: Sequence[str], items: Sequence[Item], lexicon: Lexicon, found: dict[int, list[Finding]]
) -> None:
    """Patterns and links. Both are looked for in the text exactly as it was submitted."""
    patterns = lexicon.patterns
    for place, text in enumerate(texts):
        hits: Iterable[int] = patterns.hits(utf8(text)) if text else patterns.on_nothing
        form = items[place // _FIELDS].format if place % _FIELDS else "text"  # a title holds no markup
        if hits or (form == "html" and "<" in text):
            found[place // _FIELDS] += _pattern_findings(set(hits), place, text, patterns)
            if patterns.hint in hits or form == "html":
                found[place // _FIELDS] += _link_findings(place, text, form, lexicon.links)


def _pattern_findings(hits: set[int], place: int, text: str, patterns: Patterns) -> Iterator[Finding]:
    name, data = TEXT_FIELDS[place % _FIELDS], utf8(text)
    for index in hits - {patterns.hint}:
        if patterns.specs[index].field in (None, name):
            spans, more = patterns.spans(index, data)
            for start, end, spec in spans:
                yield Finding("patterns", spec.list, spec.id, name, start, end, quote=text[start:end])
            if more:
                yield _limit_finding("too-many-findings", place, text)


def _link_findings(place: int, text: str, form: str, links: Links) -> Iterator[Finding]:
    facts, more = links.find(text, form)
    for start, end, source, label in facts:
        name = TEXT_FIELDS[place % _FIELDS]
        yield Finding("links", source, label, name, start, end, quote=text[start:end])
    if more:
        yield _limit_finding("too-many-links", place, text)


# --- arranging ---------------------------------------------------------------------------------------------------


def _limit_finding(label: str, place: int, text: str) -> Finding:
    return Finding("limits", "limits", label, TEXT_FIELDS[place % _FIELDS], 0, len(text), quote=text)


def _order(finding: Finding) -> tuple[int, int, int, str, str, str]:
    place = TEXT_FIELDS.index(finding.field)
    return (place, finding.start, finding.end, finding.detector, finding.list, finding.label)


def _arranged(found: list[Finding], item: Item, limits: Limits) -> list[Finding]:
    """In order, each once, and no more than the limit; the findings about limits themselves are never dropped."""
    if len(found) == 1:
        return found
    about_limits = {f.label: f for f in found if f.detector == "limits"}
    findings = sorted({f for f in found if f.detector != "limits"}, key=_order)
    if len(findings) > limits.max_findings:
        last = TEXT_FIELDS.index(findings[limits.max_findings].field)
        text = (item.title, item.body)[last]
        about_limits.setdefault("too-many-findings", _limit_finding("too-many-findings", last, text))
        findings = findings[: limits.max_findings]
    return sorted((*findings, *about_limits.values()), key=_order)

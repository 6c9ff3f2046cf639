"""The report as a person reads it on a terminal."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from placet.backtest.report import OUTCOMES
from placet.backtest_report import Agreement, Group, Newly, Report, Share

_MOST_RULES: Final = 40
_GAP: Final = "  "
_WORDS: Final = ("approved", "held", "returned", "refused")


def shown(report: Report) -> str:
    """The report in tables, the most important first."""
    parts = [_head(report), _transitions(report), *_rules(report)]
    parts += [_groups("account class", report.account_classes), _groups("language (a guess)", report.languages)]
    parts += [_agreement(report), *_troubles(report), *_samples(report), _time(report)]
    return "\n\n".join(part for part in parts if part)


def _head(report: Report) -> str:
    times = [f"since {report.since}"] if report.since else []
    times += [f"until {report.until}"] if report.until else []
    times += [f"all by the rules in force at {report.judged_at}"] if report.judged_at else []
    left_out = f"; left out: {report.erased:,} erased, {report.unreadable:,} unreadable" if _left_out(report) else ""
    lines = [
        f"{report.items:,} items{', ' if times else ''}{', '.join(times)}{left_out}",
        f"{report.unchanged:,} unchanged; newly {_newly(report.newly)}",
    ]
    return "\n".join([*(f"pack {pack}" for pack in report.packs), *lines])


def _left_out(report: Report) -> bool:
    return bool(report.erased or report.unreadable)


def _newly(newly: Newly) -> str:
    return ", ".join(f"{word} {getattr(newly, word):,}" for word in _WORDS)


def _transitions(report: Report) -> str:
    counts = {(each.then, each.now): each.items for each in report.transitions}
    rows: list[tuple[str, ...]] = [("then \\ now", *OUTCOMES)]
    rows += [(then, *(f"{counts.get((then, now), 0):,}" for now in OUTCOMES)) for then in OUTCOMES]
    return _table(rows)


def _rules(report: Report) -> Iterator[str]:
    """The rules that did something, most new hits first; and how many did nothing."""
    acted = [each for each in report.rules if each.fired or each.fired_then or each.shadow or each.errors]
    acted.sort(key=lambda each: (-each.new, -each.fired, each.rule))
    if acted:
        rows: list[tuple[str, ...]] = [
            ("rule", "asks for", "fired", "then", "new", "alone", "shadow", "µs", "people restricted")
        ]
        rows += [
            (
                each.rule,
                each.then if each.mode == "live" else f"{each.then} ({each.mode})",
                *(f"{count:,}" for count in (each.fired, each.fired_then, each.new, each.alone, each.shadow)),
                "" if each.micros is None else f"{each.micros:.2f}",
                _share(each.restricted_by_people),
            )
            for each in acted[:_MOST_RULES]
        ]
        yield _table(rows, names=2)
    silent = len(report.rules) - len(acted)
    if silent:
        yield f"{silent} rules never fired. One that begins later than the items were submitted cannot: see --at."


def _groups(title: str, groups: Sequence[Group]) -> str:
    rows: list[tuple[str, ...]] = [(title, "items", *(f"newly {word}" for word in _WORDS))]
    rows += [
        (each.name or "unknown", f"{each.items:,}", *(f"{getattr(each.newly, word):,}" for word in _WORDS))
        for each in groups
    ]
    return _table(rows)


def _agreement(report: Report) -> str:
    if not report.agreement_now.decided:
        return "No person has decided on any of these items."
    rows: list[tuple[str, ...]] = [("against what people decided", "items", "precision", "recall")]
    rows += [_agreed("then", report.agreement_then), _agreed("now", report.agreement_now)]
    note = "Recall is among items that a person looked at. Intervals: 95 %, Wilson."
    return f"{_table(rows)}\n{note}"


def _agreed(name: str, agreement: Agreement) -> tuple[str, ...]:
    return name, f"{agreement.decided:,}", _share(agreement.precision), _share(agreement.recall)


def _share(share: Share) -> str:
    if share.share is None or share.low is None or share.high is None:
        return ""
    return f"{share.share:.0%} ({share.low:.0%}-{share.high:.0%}) of {share.of:,}"


def _troubles(report: Report) -> Iterator[str]:
    for each in report.troubles:
        yield f"FAILED on {each.items:,} items: {each.error}\n  {' '.join(each.publications)}"
    if report.unreadable:
        yield f"{report.unreadable:,} items of the record cannot be read: run placet replay."


def _samples(report: Report) -> Iterator[str]:
    for each in report.transitions:
        if each.then != each.now:
            lines = [f"{each.then} -> {each.now}, to read:"]
            lines += [f"  {one.publication}  {' '.join(one.rules)}" for one in islice(each.samples, 5)]
            yield "\n".join(lines)


def _time(report: Report) -> str:
    if report.time.screening is None:
        return ""
    return f"{report.time.screening:,.1f} µs an item for screening, {report.time.rules:,.1f} µs for the rules"


def _table(rows: Sequence[tuple[str, ...]], names: int = 1) -> str:
    """Rows in columns: so many names to the left, then numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = enumerate(zip(row, widths, strict=True))
        aligned = [f"{cell:<{width}}" if place < names else f"{cell:>{width}}" for place, (cell, width) in cells]
        lines.append(_GAP.join(aligned).rstrip())
    return "\n".join(lines)

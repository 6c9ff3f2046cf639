"""A pack as a page: what it says on a day, in a language. Tables without a form of their own are written key by key."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

import msgspec

from placet.model import Citation, Ground, Json, Text
from placet.pack_cli.paper import Paper, outcome, quote
from placet.policy import Pack, Rule, say
from placet.policy.difference import row_name, table_name
from placet.policy.values import Instrument, WordList

_WORDS: Final[dict[str, tuple[str, str, str]]] = {
    "instrument": ("Instruments", "法規與規則", "法规与规则"),
    "clock": ("Time limits", "時限", "时限"),
    "class": ("Account classes", "帳號類型", "账号类型"),
    "category": ("Categories", "內容類別", "内容类别"),
    "right": ("Rights", "權利", "权利"),
    "ground": ("Grounds", "依據", "依据"),
    "rule": ("Rules", "規則", "规则"),
    "list": ("Word lists", "詞表", "词表"),
    "on_day": ("As of", "基準日", "基准日"),
    "scope": ("Applies where", "適用條件", "适用条件"),
    "since": ("from", "自", "自"),
    "until": ("until", "至", "至"),
    "later": ("Not in force on that day", "該日未生效", "该日未生效"),
    "cases": ("golden cases", "個範例", "个范例"),
    "terms": ("terms", "個詞", "个词"),
    "remedy": ("What to do", "處理方式", "处理方式"),
    "automatic": ("a rule alone may return or refuse on it", "規則可自動退回或拒絕", "规则可自动退回或拒绝"),
    "needs_law": ("only with a law that a person names", "須由人指明法律", "须由人指明法律"),
    "version": ("version", "版本", "版本"),
    "draft": ("draft", "草案", "草案"),
    "ready": ("ready", "可用", "可用"),
    "shadow": ("shadow: without effect", "試行：不生效力", "试行：不产生效力"),
    "canary": ("canary", "部分生效", "部分生效"),
    "approve": ("approve", "通過", "通过"),
    "hold": ("hold", "待人工審核", "待人工审核"),
    "return": ("return", "退回", "退回"),
    "refuse": ("refuse", "拒絕", "拒绝"),
}
"""What the page says by itself, in the order of LANGUAGES."""

_PLACE: Final = {"en": 0, "zh-Hant": 1, "zh-Hans": 2}

_ORDER: Final = ("instrument", "rule", "ground", "right", "list")
"""The tables that come first; the others follow as Pack has them."""


class Page:
    """A pack on a day, in a language."""

    def __init__(self, pack: Pack, day: date, language: str) -> None:
        self._pack = pack
        self._day = day
        self._language = language
        self._grounds = {ground.id: ground for ground in pack.grounds}

    # --- what stands on it -------------------------------------------------------------------------------------------

    def _tables(self) -> dict[str, list[Any]]:
        """Every table but the cases, with its rows, by the name that it has in files."""
        found: dict[str, list[Any]] = {}
        for field in msgspec.structs.fields(Pack):
            rows = getattr(self._pack, field.name)
            if isinstance(rows, tuple) and rows and field.name != "cases":
                found[table_name(field.name, type(rows[0]))] = list(rows)
        return dict(sorted(found.items(), key=lambda item: _ORDER.index(item[0]) if item[0] in _ORDER else len(_ORDER)))

    def _counts(self, row: Any) -> bool:
        """Whether the row is in force on the day: by its own dates, or those of its versions."""
        if isinstance(row, Instrument):
            return row.in_force(self._day)
        since, until = getattr(row, "since", None), getattr(row, "until", None)
        return (since is None or since <= self._day) and (until is None or self._day < until)

    def value(self) -> Json:
        """The page for programs: the rows in force, as the files name their keys, texts in the page's language."""
        pack = self._pack
        head = {key: self._plain(value) for key, value in _keys(pack.head)}
        tables = {
            name: [{key: self._plain(value) for key, value in _keys(row)} for row in rows if self._counts(row)]
            for name, rows in self._tables().items()
        }
        return {**head, "digest": pack.digest, "at": self._day.isoformat(), "cases": len(pack.cases), "tables": tables}

    def _plain(self, value: Any) -> Json:
        if isinstance(value, msgspec.Struct) and not isinstance(value, Citation):
            return {key: self._plain(inner) for key, inner in _keys(value)}
        if isinstance(value, Citation):
            return [value.instrument, value.clause]
        if isinstance(value, tuple):
            return [self._plain(each) for each in value]
        return say(value, self._language) if _is_text(value) else msgspec.to_builtins(value)

    # --- for people --------------------------------------------------------------------------------------------------

    def lines(self) -> Paper:
        """The page for people."""
        paper, head = Paper(), self._pack.head
        status = f"{head.id}, {self._word('version')} {head.version}, {self._word(head.status)}"
        paper.line((self._say(head.title), "bold"), f"  ({status})")
        paper.line(self._say(head.summary))
        where = f", {head.jurisdiction}" if head.jurisdiction else ""
        cases = f"{len(self._pack.cases)} {self._word('cases')}"
        paper.line(
            f"{self._word('on_day')} {self._day} ({head.timezone}){where} · {cases} · ", (self._pack.digest, "dim")
        )
        if head.scope:
            paper.line(f"{self._word('scope')} {head.scope}")
        later: list[tuple[str, Any]] = []
        for name, rows in self._tables().items():
            now = [row for row in rows if self._counts(row)]
            later += [(name, row) for row in rows if row not in now]
            if now:
                paper.line()
                paper.line((self._word(name).upper(), "bold cyan"))
                for row in now:
                    self._row(paper, row)
        if later:
            paper.line()
            paper.line((self._word("later").upper(), "bold cyan"))
            for name, row in later:
                paper.line(f"{name} {row_name(row)}{self._dates(row)}", indent=2)
        return paper

    def _row(self, paper: Paper, row: Any) -> None:
        if isinstance(row, Instrument):
            self._instrument(paper, row)
        elif isinstance(row, Rule):
            self._rule(paper, row)
        elif isinstance(row, Ground):
            self._ground(paper, row)
        elif isinstance(row, WordList):
            held = [term for term in row.term if term.until is None or self._day < term.until]
            words = f"{len(row.terms) + len(held):,} {self._word('terms')}"
            paper.line((row.name, "bold"), f"  {self._say(row.title)}: {words}{self._dates(row)}", indent=2)
        else:
            self._other(paper, row)

    def _instrument(self, paper: Paper, row: Instrument) -> None:
        version = next(each for each in row.version if each.covers(self._day))
        paper.line((row.id, "bold"), f"  {self._say(row.title)}", indent=2)
        paper.line(f"{self._say(row.issuer)}, {row.issued} [{row.evidence}]{self._dates(version)}", indent=4)
        for clause in row.clause:
            known = f" [{clause.evidence}]" if clause.evidence else ""
            paper.line((clause.id, "bold"), f"  {self._say(clause.summary)}{known}", indent=4)

    def _rule(self, paper: Paper, row: Rule) -> None:
        mode = "" if row.mode == "live" else f" ({self._word(row.mode)}{f' {row.share}' if row.share else ''})"
        name, style = outcome(row.then)
        paper.line((row.id, "bold"), " → ", (self._word(name), style), f"{mode}{self._dates(row)}", indent=2)
        paper.line(row.when.strip(), indent=4)
        if ground := self._grounds.get(row.ground):
            cites = "; ".join(f"{cite.instrument} {cite.clause}" for cite in ground.cites)
            paper.line(f"{self._say(ground.title)} ({ground.id}): {cites}", indent=4)

    def _ground(self, paper: Paper, row: Ground) -> None:
        marks = [self._word(name) for name in ("automatic", "needs_law") if getattr(row, name)]
        paper.line((row.id, "bold"), f"  {self._say(row.title)}{f' ({marks[0]})' if marks else ''}", indent=2)
        paper.line(self._say(row.reason), indent=4)
        paper.line(f"{self._word('remedy')}: {self._say(row.remedy)}", indent=4)

    def _other(self, paper: Paper, row: Any) -> None:
        name = row_name(row)
        title = f"  {self._say(row.title)}" if _is_text(getattr(row, "title", None)) else ""
        said = [f"{key} = {self._value(value)}" for key, value in _keys(row) if key not in _SAID and value]
        paper.line((name, "bold"), f"{title}{': ' if said else ''}{', '.join(said)}{self._dates(row)}", indent=2)

    def _value(self, value: Any) -> str:
        plain = self._plain(value)
        return plain if isinstance(plain, str) else quote(plain)

    def _dates(self, row: Any) -> str:
        """The days of a row, behind it."""
        versions = row.version if isinstance(row, Instrument) else (row,)
        spans = [
            "".join(
                f", {self._word(word)} {day}"
                for word in ("since", "until")
                if (day := getattr(each, word, None)) is not None
            )
            for each in versions
        ]
        return ";".join(spans)

    def _word(self, name: str) -> str:
        words = _WORDS.get(name)
        return words[_PLACE[self._language]] if words else name

    def _say(self, text: Text) -> str:
        return say(text, self._language)


_SAID: Final = frozenset({"id", "name", "text", "title", "from", "until"})
"""Keys that the first words of a row say already."""


def _keys(row: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(row):
        yield field.encode_name, getattr(row, field.name)


def _is_text(value: Any) -> bool:
    return isinstance(value, Mapping) and "en" in value

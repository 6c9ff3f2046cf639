"""HTML as a reader sees it. Tags are told apart from text as browsers do it (WHATWG HTML standard, "Tokenization").

Left out are tags, comments and what is meant for machines (scripts, styles). Character references are resolved. Block
elements end a line, cells are parted by tabs, all other elements join: "vi<b></b>agra" reads "viagra". Hidden text and
the texts of attributes stand aside, see page.py. What is never closed is text, so that nothing can swallow the rest.

It is one pass over the source, in time linear in its length.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from html import unescape
from html.entities import html5
from typing import Final, NamedTuple

from placet.screening.page import Characters, Mode, Page, Reading
from placet.screening.styles import declarations, hides, in_line

_SPACE: Final = " \t\n\r\f"
_SPACES: Final = frozenset(_SPACE)
_BEFORE_ATTRIBUTE: Final = _SPACES | {"/"}
_AFTER_NAME: Final = _SPACES | {"/", ">"}
_AFTER_ATTRIBUTE: Final = _AFTER_NAME | {"="}
_AFTER_VALUE: Final = _SPACES | {">"}
_LETTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_DECIMAL: Final = frozenset("0123456789")
_HEXADECIMAL: Final = _DECIMAL | frozenset("ABCDEFabcdef")
_ALIKE: Final = str.maketrans("\t\n\r\f", "    ")
_LONGEST_NAME: Final = max(map(len, html5))
_LONGEST_BARE_NAME: Final = max(len(name) for name in html5 if not name.endswith(";"))
"""Names of old may stand without a semicolon."""
_PATIENCE: Final = 8
"""Times the length of the source that are read in vain, looking for the end of tags that have none."""

# HTML standard, "Rendering": what begins and ends a line. Cells are blocks too, but stand side by side.
_BLOCKS: Final = frozenset(
    [
        *("address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd", "details"),
        *("dialog", "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2"),
        *("h3", "h4", "h5", "h6", "head", "header", "hgroup", "hr", "html", "legend", "li", "listing", "main"),
        *("menu", "nav", "ol", "optgroup", "option", "p", "pre", "search", "section", "select", "summary", "table"),
        *("tbody", "textarea", "tfoot", "thead", "title", "tr", "ul", "xmp"),
    ]
)
_CELLS: Final = frozenset(["td", "th"])
_VOID: Final = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
_OBJECTS: Final = frozenset(["embed", "img", "input"])
OBJECT: Final = "\ufffc"
"""Stands for an image and the like among the words (Unicode, section 23.8)."""
_LEFT_OUT: Final = frozenset(["iframe", "noembed", "noframes", "script", "style"])
_VERBATIM: Final = frozenset(["textarea", "title", "xmp"])  # what looks like a tag in them is shown as it is
_MODES: Final = {"datalist": Mode.HIDDEN, "rp": Mode.HIDDEN, "template": Mode.HIDDEN, "rt": Mode.ASIDE}
# HTML standard, "Optional tags": the elements that end where one of the others begins.
_ENDED_BY: Final[Mapping[str, frozenset[str]]] = {
    "p": _BLOCKS - {"br"},
    "li": frozenset(["li"]),
    **dict.fromkeys(("dd", "dt"), frozenset(["dd", "dt"])),
    **dict.fromkeys(("td", "th"), frozenset(["td", "th", "tr"])),
    **dict.fromkeys(("rt", "rp"), frozenset(["rt", "rp"])),
}

# Attributes that hold an address; those that a reader can follow, and the elements on which they can.
_LEADING: Final = frozenset(
    ["action", "background", "cite", "data", "formaction", "href", "poster", "src", "xlink:href"]
)
_PRESSED: Final = frozenset(["action", "formaction", "href", "xlink:href"])
_PRESSED_ON: Final = frozenset(["a", "area", "button", "form", "input"])
_TEXTS: Final = frozenset(["alt", "aria-label", "label", "placeholder", "title"])
_BUTTONS: Final = frozenset(["button", "input"])


class Tag(NamedTuple):
    """A tag in the source. The name is in lower case, and empty for a comment and the like.

    Attributes are given by where their values stand, without quotes; the first of each name counts.
    """

    start: int
    end: int
    name: str = ""
    closing: bool = False
    attributes: Mapping[str, tuple[int, int]] = {}


class Element(NamedTuple):
    """An element that is open: its name, the mode outside it, and whether it leaves the line as it is."""

    name: str
    outside: Mode
    inline: bool


class Source:
    """A text that is looked through from left to right. What was found far ahead is remembered."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._seen: dict[str, tuple[int, int]] = {}

    def find(self, needle: str, at: int) -> int:
        """`text.find(needle, at)`; while `at` grows from call to call, all calls together are linear in the text."""
        asked, found = self._seen.get(needle, (len(self.text) + 1, -1))
        if at < asked or 0 <= found < at:
            found = self.text.find(needle, at)
            self._seen[needle] = (at, found)
        return found

    def span(self, characters: frozenset[str], at: int) -> int:
        """The end of the run of those characters that begins at a place."""
        text, end = self.text, len(self.text)
        while at < end and text[at] in characters:
            at += 1
        return at

    def until(self, characters: frozenset[str], at: int) -> int:
        """The next place at which one of those characters stands, else the end of the text."""
        text, end = self.text, len(self.text)
        while at < end and text[at] not in characters:
            at += 1
        return at


# --- character references ----------------------------------------------------------------------------------------


def references(text: str, start: int, end: int) -> Iterator[Characters]:
    """text[start:end] with its character references resolved."""
    done = start
    at = text.find("&", start, end)
    while at >= 0:
        characters, stop = reference(text, at, end)
        if stop > at:
            if done < at:
                yield text[done:at], done, at
            yield characters, at, stop
            done = stop
        at = text.find("&", max(stop, at + 1), end)
    if done < end:
        yield text[done:end], done, end


def reference(text: str, at: int, end: int) -> tuple[str, int]:
    """What the character reference that begins at a place stands for, and its end; ("", at) where none begins."""
    if text.startswith("#", at + 1, end):
        return _numeric(text, at, end)
    name = text[at + 1 : min(end, at + 1 + _LONGEST_NAME)]
    closed = name[: name.find(";") + 1]
    if closed in html5:
        return html5[closed], at + 1 + len(closed)
    for length in range(min(len(name), _LONGEST_BARE_NAME), 1, -1):
        if name[:length] in html5:
            return html5[name[:length]], at + 1 + length
    return "", at


def _numeric(text: str, at: int, end: int) -> tuple[str, int]:
    hexadecimal = text[at + 2 : at + 3] in ("x", "X")
    digits = _HEXADECIMAL if hexadecimal else _DECIMAL
    first = stop = at + 3 if hexadecimal else at + 2
    while stop < end and text[stop] in digits:
        stop += 1
    if stop == first:
        return "", at
    number = text[first:stop].lstrip("0")
    code = int(number or "0", 16 if hexadecimal else 10) if len(number) <= 7 else 0x110000
    return unescape(f"&#{code};"), stop + text.startswith(";", stop, end)


# --- the page ----------------------------------------------------------------------------------------------------


class Hypertext:
    """Reads HTML onto a page, a tag at a time."""

    def __init__(self, text: str) -> None:
        self.source = Source(text)
        self.page = Page()
        self._elements: list[Element] = []
        self._open: Counter[str] = Counter()
        self._anchor: tuple[int, str] | None = None
        self._patience = _PATIENCE * len(text)
        self._never_closed: set[str] = set()

    def read(self) -> Reading:
        """The whole text."""
        text, done = self.source.text, 0
        at = text.find("<")
        while at >= 0:
            tag = self.tag(at)
            if tag:
                self._write(done, at)
                done = self.apply(tag)
            at = text.find("<", max(done, at + 1))
        self._write(done, len(text))
        return self.finish()

    def finish(self) -> Reading:
        """What was read."""
        self._end_anchor()
        return self.page.reading(len(self.source.text))

    def _write(self, start: int, end: int) -> None:
        """Text between tags, in which white space collapses: at the edges it only parts, within it is but spaces."""
        stream = self.page.stream
        kept = self._open["pre"] or self._open["listing"]
        for characters, first, last in references(self.source.text, start, end):
            core = characters if kept else characters.strip(_SPACE)
            if not core:
                if characters:
                    stream.part(" ", first, last)
                continue
            lead = characters.index(core[0])
            if lead:
                stream.part(" ", first, first + lead)
            one_by_one = last - first == len(characters)
            stop = first + lead + len(core) if one_by_one else last
            stream.put(core if kept else core.translate(_ALIKE), first + lead if one_by_one else first, stop)
            if stop < last:
                stream.part(" ", stop, last)

    # --- telling tags from text ----------------------------------------------------------------------------------

    def tag(self, at: int) -> Tag | None:
        """The tag, comment or the like that begins with the "<" at a place; None where it is text."""
        text = self.source.text
        after = text[at + 1 : at + 2]
        if after in _LETTERS:
            return self._tag(at, at + 1, closing=False)
        if after == "/" and text[at + 2 : at + 3] in _LETTERS:
            return self._tag(at, at + 2, closing=True)
        if text.startswith("<!--", at):
            return self._comment(at)
        if after in ("/", "!", "?"):
            stop = self.source.find(">", at + 2)
            return Tag(at, stop + 1) if stop >= 0 else None
        return None

    def _comment(self, at: int) -> Tag | None:
        for empty in ("<!-->", "<!--->"):
            if self.source.text.startswith(empty, at):
                return Tag(at, at + len(empty))
        stops = [stop + len(mark) for mark in ("-->", "--!>") if (stop := self.source.find(mark, at + 4)) >= 0]
        return Tag(at, min(stops)) if stops else None

    def _tag(self, start: int, name: int, *, closing: bool) -> Tag | None:
        if self._patience <= 0:
            return None
        source, text = self.source, self.source.text
        attributes: dict[str, tuple[int, int]] = {}
        at = after_name = source.until(_AFTER_NAME, name)
        while (at := source.span(_BEFORE_ATTRIBUTE, at)) < len(text):
            if text[at] == ">":
                return Tag(start, at + 1, text[name:after_name].lower(), closing, attributes)
            attribute, value, at = self._attribute(at)
            attributes.setdefault(attribute, value)
        self._patience -= len(text) - start
        return None

    def _attribute(self, first: int) -> tuple[str, tuple[int, int], int]:
        """Its name, where its value stands, and what comes after it: the end of the text if a quote stays open."""
        source, text = self.source, self.source.text
        at = source.until(_AFTER_ATTRIBUTE, first + 1)
        name = text[first:at].lower()
        at = source.span(_SPACES, at)
        if not text.startswith("=", at):
            return name, (at, at), at
        at = source.span(_SPACES, at + 1)
        quote = text[at : at + 1]
        if quote in ("'", '"'):
            stop = source.find(quote, at + 1)
            return name, (at + 1, stop), stop + 1 if stop >= 0 else len(text)
        stop = source.until(_AFTER_VALUE, at)
        return name, (at, stop), stop

    # --- what tags do --------------------------------------------------------------------------------------------

    def apply(self, tag: Tag) -> int:
        """Let a tag take effect. Gives the end of what it takes up: with scripts and the like, their content too."""
        if not tag.name:
            return tag.end
        if tag.closing:
            self._end(tag)
            return tag.end
        return self._begin(tag)

    def _begin(self, tag: Tag) -> int:
        name, page = tag.name, self.page
        if self._elements and name in _ENDED_BY.get(self._elements[-1].name, ()):
            self._pop(tag)
        if name == "a":
            self._end_anchor()
        css = declarations(self._value(tag, "style")) if "style" in tag.attributes else {}
        mode = self._mode(tag, css)
        inline = mode is Mode.HIDDEN or in_line(css)
        self._part(tag, inline=inline)
        outside = page.mode
        page.turn(max(mode, outside), tag.start)
        if name in _OBJECTS and page.mode is Mode.SHOWN:
            page.stream.put(OBJECT, tag.start, tag.end)
        self._read_attributes(tag)
        end = self._content(tag) if name in _LEFT_OUT or name in _VERBATIM else -1
        if name in _VOID or end >= 0:
            page.turn(outside, tag.end)
            self._part(tag, inline=inline)
        elif name not in _LEFT_OUT:
            self._elements.append(Element(name, outside, inline))
            self._open[name] += 1
        return max(end, tag.end)

    def _end(self, tag: Tag) -> None:
        if not self._open[tag.name]:
            self._part(tag, inline=False)  # "</p>" alone is an empty paragraph
            return
        while self._pop(tag) != tag.name:
            pass

    def _pop(self, tag: Tag) -> str:
        """End the innermost element because of a tag."""
        element = self._elements.pop()
        self._open[element.name] -= 1
        self.page.turn(element.outside, tag.start)
        if element.name == "a":
            self._end_anchor()
        self._part(tag._replace(name=element.name), inline=element.inline)
        return element.name

    def _part(self, tag: Tag, *, inline: bool) -> None:
        if tag.name in _BLOCKS and not inline:
            self.page.stream.part("\n", tag.start, tag.end)
        elif tag.name in _CELLS and not inline:
            self.page.stream.part("\t", tag.start, tag.end)

    def _mode(self, tag: Tag, css: Mapping[str, str]) -> Mode:
        shut = tag.name == "dialog" and "open" not in tag.attributes
        return Mode.HIDDEN if shut or "hidden" in tag.attributes or hides(css) else _MODES.get(tag.name, Mode.SHOWN)

    def _value(self, tag: Tag, attribute: str) -> str:
        start, end = tag.attributes.get(attribute, (0, 0))
        return "".join(characters for characters, _, _ in references(self.source.text, start, end))

    def _read_attributes(self, tag: Tag) -> None:
        """Addresses and texts that attributes hold."""
        text, page = self.source.text, self.page
        for name, (start, end) in tag.attributes.items():
            if start == end:
                continue
            if name in _LEADING:
                pressed = name in _PRESSED and tag.name in _PRESSED_ON
                address = page.leads(list(references(text, start, end)), start, end, pressed=pressed)
                if name == "href" and tag.name == "a":
                    self._anchor = (len(page.shown.pieces), address)
            elif name in _TEXTS or (name == "value" and tag.name in _BUTTONS):
                page.beside(references(text, start, end), start)

    def _end_anchor(self) -> None:
        if self._anchor:
            first, address = self._anchor
            self.page.anchor(first, len(self.page.shown.pieces), address)
            self._anchor = None

    def _content(self, tag: Tag) -> int:
        """The end of an element that holds no tags but its own end, or -1 where that is missing."""
        text = self.source.text
        stop = self._closing(tag.name, tag.end)
        if stop >= 0 and tag.name in _VERBATIM:
            whole = [(text[tag.end : stop], tag.end, stop)] if stop > tag.end else []
            found = whole if tag.name == "xmp" else references(text, tag.end, stop)
            for characters in found:
                self.page.stream.put(*characters)
        closing = self.tag(stop) if stop >= 0 else None
        return closing.end if closing else stop

    def _closing(self, name: str, at: int) -> int:
        """Where the tag stands that ends such an element, or -1. Names that have none are remembered."""
        text = self.source.text
        at = -1 if name in self._never_closed else self.source.find("</", at)
        while at >= 0:
            after = at + 2 + len(name)
            if text[at + 2 : after].lower() == name and text[after : after + 1] in _AFTER_NAME:
                return at
            at = self.source.find("</", at + 2)
        self._never_closed.add(name)
        return -1

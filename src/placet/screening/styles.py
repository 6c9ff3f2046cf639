"""Inline styles (CSS): whether they hide an element, and whether they keep it in the line.

Only what stands in the `style` attribute is known: style sheets, and how elements lie upon each other, are not.
"""

from collections.abc import Mapping
from typing import Final

_FAR: Final = 900
"""Units by which a text is pushed aside so far that it stands outside any window."""


def declarations(style: str) -> dict[str, str]:
    """The declarations of a `style` attribute, in lower case: {"display": "none"}. The last of each name counts."""
    found = {}
    for declaration in _without_comments(style).lower().split(";"):
        name, _, value = declaration.partition(":")
        found[name.strip()] = value.replace("!important", "").strip()
    return found


def _without_comments(style: str) -> str:
    head, *rest = style.split("/*")
    return head + "".join(part.partition("*/")[2] for part in rest)


def in_line(css: Mapping[str, str]) -> bool:
    """Whether an element stands in the line although elements of its name do not."""
    floats = css.get("float", "none") != "none"
    return floats or css.get("display", "").startswith("inline") or css.get("display") == "contents"


def hides(css: Mapping[str, str]) -> bool:
    """Whether a reader does not see the text of an element with these declarations."""
    return bool(css) and (
        css.get("display") == "none"
        or css.get("visibility") in ("hidden", "collapse")
        or _is_zero(css.get("opacity"))
        or _has_no_size(css)
        or _is_clipped(css)
        or _is_far_off(css)
        or _has_no_colour(css)
    )


def _number(value: str | None) -> float | None:
    """The number of a length such as "0px" or ".5em"; None if it is none."""
    try:
        return float((value or "").rstrip("abcdefghijklmnopqrstuvwxyz% "))
    except ValueError:
        return None


def _is_zero(value: str | None) -> bool:
    return _number(value) == 0


def _has_no_size(css: Mapping[str, str]) -> bool:
    size = css.get("font-size", "")
    number = _number(size)
    tiny = number is not None and (number <= 0 or (number <= 1 and size.endswith(("px", "pt"))))
    shorthand = any(_is_zero(word.partition("/")[0]) for word in css.get("font", "").split())
    return tiny or shorthand or "scale(0)" in css.get("transform", "").replace(" ", "")


def _is_clipped(css: Mapping[str, str]) -> bool:
    cut = any(css.get(name) in ("hidden", "clip") for name in ("overflow", "overflow-x", "overflow-y"))
    empty = any(_is_zero(css.get(name)) for name in ("width", "height", "max-width", "max-height"))
    return (cut and empty) or css.get("clip", "").replace(" ", "").startswith(("rect(0", "rect(1px"))


def _is_far_off(css: Mapping[str, str]) -> bool:
    moved = css.get("position") in ("absolute", "fixed")
    names = ("left", "top", "right", "bottom") if moved else ()
    return any((_number(css.get(name)) or 0) <= -_FAR for name in ("text-indent", *names))


def _has_no_colour(css: Mapping[str, str]) -> bool:
    colour = css.get("color", "")
    ground = css.get("background-color") or css.get("background")
    return colour == "transparent" or (colour != "" and colour == ground)

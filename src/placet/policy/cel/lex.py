"""Source text to tokens: the lexical grammar of CEL (language definition, "Syntax"), with its literals decoded."""

import math
import re
from typing import Any, Final, Literal

import msgspec

from placet.policy.cel.errors import CelError
from placet.policy.cel.values import INT_MAX, UINT_MAX, Uint

TokenKind = Literal["constant", "name", "field", "operator", "end"]

RESERVED: Final = frozenset(
    {
        *("as", "break", "const", "continue", "else", "for", "function", "if", "import"),
        *("let", "loop", "package", "namespace", "return", "var", "void", "while"),
    }
)
"""Words that may be a field or a member function, but not a name."""

_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\n\f\r]+|//[^\n]*)
    |(?P<string>[bB]?[rR]?(?:\"\"\"|'''|"|'))
    |(?P<double>(?:[0-9]+\.[0-9]+|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)
    |(?P<integer>0x[0-9a-fA-F]+[uU]?|[0-9]+[uU]?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |`(?P<field>[A-Za-z0-9_./ -]+)`
    |(?P<operator>&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{}])""",
    re.VERBOSE,
)
_WORD: Final = re.compile(r"[A-Za-z0-9_]")
_ESCAPE: Final = re.compile(
    r"\\(?:(?P<plain>[abfnrtv\\?\"'`])|[xX](?P<hex>[0-9a-fA-F]{2})|(?P<octal>[0-3][0-7]{2})"
    r"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8}))"
)
_PLAIN: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_CONSTANTS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
_ALMOST: Final = {"=": "'=='", "&": "'&&'", "|": "'||'", "“": "a straight quote", "‘": "a straight quote"}
_MAX_DIGITS: Final = 20
"""2^64 has 20 decimal digits; a longer number is refused before it is converted."""


class Token(msgspec.Struct, frozen=True):
    """A word of the source. `text` is what is written, `value` what a constant means."""

    kind: TokenKind
    text: str
    start: int
    end: int
    value: Any = None


def tokenize(source: str) -> list[Token]:
    """Split the source into tokens, the last of kind "end"; raises CelError at the first that is malformed."""
    tokens: list[Token] = []
    position = 0
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None:
            raise _strange(source, position)
        token = _token(source, match)
        position = match.end() if token is None else token.end
        if token is not None:
            tokens.append(token)
    return [*tokens, Token("end", "", len(source), len(source))]


def _token(source: str, match: re.Match[str]) -> Token | None:
    text, start, end = match.group(), match.start(), match.end()
    match match.lastgroup:
        case "string":
            return _string(source, start, text)
        case "double" | "integer" as kind:
            if _WORD.match(source, end):
                raise CelError("malformed number", start, source, length=end - start + 1)
            value = _double(source, start, text) if kind == "double" else _integer(source, start, text)
            return Token("constant", text, start, end, value)
        case "name" if text in _CONSTANTS:
            return Token("constant", text, start, end, _CONSTANTS[text])
        case "name":
            return Token("operator" if text == "in" else "name", text, start, end)
        case "field":
            return Token("field", match.group("field"), start, end)
        case "operator":
            return Token("operator", text, start, end)
        case _:
            return None


def _strange(source: str, at: int) -> CelError:
    character = source[at]
    shown = f"'{character}'" if character.isprintable() else f"U+{ord(character):04X}"
    almost = _ALMOST.get(character)
    return CelError(f"unexpected character {shown}", at, source, f"did you mean {almost}?" if almost else None)


def _double(source: str, start: int, text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise CelError("double literal out of range", start, source, length=len(text))
    return value


def _integer(source: str, start: int, text: str) -> int:
    """Decode an int or a uint. 2^63 passes here, since a minus sign may stand before it; the parser decides."""
    unsigned = text[-1] in "uU"
    digits = text[:-1] if unsigned else text
    base = 16 if digits.startswith("0x") else 10
    digits = digits.removeprefix("0x").lstrip("0") or "0"
    limit = UINT_MAX if unsigned else INT_MAX + 1
    if len(digits) > _MAX_DIGITS or int(digits, base) > limit:
        raise CelError(f"{'uint' if unsigned else 'int'} literal out of range", start, source, length=len(text))
    return Uint(digits, base) if unsigned else int(digits, base)


def _string(source: str, start: int, opening: str) -> Token:
    """Read a string or bytes literal, whose prefix and opening quote stand at `start`."""
    prefix = opening.rstrip("\"'").lower()
    quote = opening[len(prefix) :]
    inside = start + len(opening)
    close = _closing(source, inside, quote, raw="r" in prefix)
    body = source[inside : max(close, inside)]
    if close < 0 or (len(quote) == 1 and ("\n" in body or "\r" in body)):
        raise CelError("string literal is not closed", start, source, length=len(opening))
    end = close + len(quote)
    decoded = _decode(source, inside, body, prefix)
    return Token("constant", source[start:end], start, end, decoded)


def _closing(source: str, at: int, quote: str, *, raw: bool) -> int:
    """Where the closing quote stands, or -1. A backslash protects the character after it, except in a raw string."""
    while True:
        close = source.find(quote, at)
        escape = -1 if raw else source.find("\\", at, close)
        if close < 0 or escape < 0:
            return close
        at = escape + 2


def _decode(source: str, at: int, body: str, prefix: str) -> str | bytes:
    """Give a literal's value: text, or the UTF-8 bytes of the text with hex and octal escapes as single bytes."""
    if any("\ud800" <= c <= "\udfff" for c in body):
        raise CelError("string literal holds a surrogate, which is not a character", at, source)
    if "r" in prefix or "\\" not in body:
        return body.encode() if "b" in prefix else body
    parts: list[bytes | str] = []
    position = 0
    while (escape := body.find("\\", position)) >= 0:
        match = _ESCAPE.match(body, escape)
        if match is None:
            raise CelError("unknown escape sequence", at + escape, source, length=2)
        parts += [body[position:escape], _escaped(source, at + escape, match, is_bytes="b" in prefix)]
        position = match.end()
    parts.append(body[position:])
    if "b" in prefix:
        return b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return "".join(part for part in parts if isinstance(part, str))


def _escaped(source: str, at: int, match: re.Match[str], *, is_bytes: bool) -> str | bytes:
    if plain := match.group("plain"):
        return _PLAIN.get(plain, plain)
    octal = match.group("octal")
    point = int(octal, 8) if octal else int(match.group("hex") or match.group("short") or match.group("long"), 16)
    if not is_bytes:
        if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
            raise CelError("escape sequence is not a character", at, source, length=len(match.group()))
        return chr(point)
    if match.group("short") or match.group("long"):
        raise CelError("bytes have no \\u or \\U escapes", at, source, length=len(match.group()))
    return bytes([point])

"""Tokens to a syntax tree: the whole grammar of CEL, with a limit on nesting that is ours and not the interpreter's.

Binary operators are read by precedence climbing, so one level of parentheses costs five Python frames, not ten. Message
construction is refused, since the facts are plain values.
"""

from typing import Final, Literal, NoReturn, cast

import msgspec

from placet.policy.cel.errors import CelError
from placet.policy.cel.lex import RESERVED, Token, tokenize
from placet.policy.cel.nodes import (
    Call,
    Constant,
    Index,
    ListLiteral,
    Logic,
    Macro,
    MacroName,
    MapLiteral,
    Name,
    Node,
    Select,
    Ternary,
)
from placet.policy.cel.runtime import INT_MAX

MAX_SOURCE: Final = 20_000
"""Longest source of one rule, in characters."""
MAX_DEPTH: Final = 64
"""Deepest nesting, and highest tree: the later passes recurse over the tree, and must not exhaust Python's stack."""

_PRECEDENCE: Final = {
    **dict.fromkeys(["||"], 1),
    **dict.fromkeys(["&&"], 2),
    **dict.fromkeys(["<", "<=", ">", ">=", "==", "!=", "in"], 3),
    **dict.fromkeys(["+", "-"], 4),
    **dict.fromkeys(["*", "/", "%"], 5),
}
_MACROS: Final[dict[str, tuple[int, ...]]] = {
    "all": (2,),
    "exists": (2,),
    "exists_one": (2,),
    "filter": (2,),
    "map": (2, 3),
}
"""Macros by name, with the numbers of arguments that they take."""


def parse(source: str) -> Node:
    """Parse one expression; raises CelError with the place of the first mistake."""
    if len(source) > MAX_SOURCE:
        raise CelError(f"the rule is longer than {MAX_SOURCE} characters", MAX_SOURCE, source)
    return _Parser(source).whole()


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokenize(source)
        self.at = 0
        self.depth = 0

    # --- tokens ---

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def sees(self, *operators: str) -> bool:
        token = self.token
        return token.kind == "operator" and token.text in operators

    def next(self) -> Token:
        token = self.token
        self.at += 1
        return token

    def accept(self, operator: str) -> bool:
        found = self.sees(operator)
        self.at += found
        return found

    def expect(self, operator: str) -> Token:
        if not self.sees(operator):
            self.unexpected(f"'{operator}'")
        return self.next()

    def unexpected(self, wanted: str) -> NoReturn:
        token = self.token
        found = "the end" if token.kind == "end" else f"'{token.text[:40]}'"
        raise CelError(f"expected {wanted}, found {found}", token.start, self.source, length=len(token.text))

    @property
    def end(self) -> int:
        """Where the last token that was read ends."""
        return self.tokens[self.at - 1].end

    def height(self, at: int, *nodes: Node) -> int:
        height = 1 + max((node.height for node in nodes), default=0)
        if height > MAX_DEPTH:
            raise self.too_deep(at)
        return height

    def descend(self) -> None:
        """Count one more level of recursion: nesting is refused while reading, before a tree exists to be measured."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.too_deep(self.token.start)

    def too_deep(self, at: int) -> CelError:
        return CelError(f"nested more than {MAX_DEPTH} levels deep", at, self.source)

    # --- expressions ---

    def whole(self) -> Node:
        node = self.expression()
        if self.token.kind != "end":
            self.unexpected("an operator or the end")
        return node

    def expression(self) -> Node:
        self.descend()
        start = self.token.start
        node = self.binary(1)
        if self.accept("?"):
            then = self.binary(1)
            self.expect(":")
            otherwise = self.expression()
            node = Ternary(start, self.end, self.height(start, node, then, otherwise), node, then, otherwise)
        self.depth -= 1
        return node

    def binary(self, least: int) -> Node:
        start = self.token.start
        left = self.unary()
        while self.token.kind == "operator" and (level := _PRECEDENCE.get(self.token.text, 0)) >= least:
            operator = self.token.text
            if operator in ("&&", "||"):
                left = self.chain(start, left, cast("Literal['&&', '||']", operator), level)
            else:
                at = self.next().start
                right = self.operand(level + 1)
                height = self.height(at, left, right)
                left = Call(start, self.end, height, operator, (left, right), at, "operator")
        return left

    def operand(self, least: int) -> Node:
        self.descend()
        node = self.binary(least)
        self.depth -= 1
        return node

    def chain(self, start: int, first: Node, operator: Literal["&&", "||"], level: int) -> Node:
        operands = [first]
        while self.accept(operator):
            operands.append(self.operand(level + 1))
        return Logic(start, self.end, self.height(start, *operands), operator, tuple(operands))

    def unary(self) -> Node:
        signs: list[Token] = []
        while self.sees("-", "!"):
            signs.append(self.next())
        if signs and signs[-1].text == "-" and _is_number(self.token):
            minus = signs.pop()
            node = self.member(minus)
        else:
            node = self.member(None)
        for sign in reversed(signs):
            height = self.height(sign.start, node)
            name = "-_" if sign.text == "-" else "!"
            node = Call(sign.start, self.end, height, name, (node,), sign.start, "operator")
        return node

    def member(self, minus: Token | None) -> Node:
        start = (minus or self.token).start
        node = self.number(minus) if minus else self.primary()
        while self.sees(".", "[", "{"):
            at = self.token.start
            if self.accept("."):
                node = self.selection(start, node)
            elif self.accept("["):
                key = self.expression()
                self.expect("]")
                node = Index(start, self.end, self.height(at, node, key), node, key)
            else:
                raise CelError(
                    "messages cannot be constructed in a rule", at, self.source, "write a map: {'key': value}"
                )
        return node

    def selection(self, start: int, operand: Node) -> Node:
        token = self.next()
        if token.kind not in ("name", "field"):
            self.at -= 1
            self.unexpected("a field")
        if not self.sees("(") or token.kind == "field":
            height = self.height(token.start, operand)
            return Select(start, self.end, height, operand, token.text, token.start)
        arguments = self.arguments()
        if token.text in _MACROS:
            return self.macro(start, token, operand, arguments)
        height = self.height(token.start, operand, *arguments)
        return Call(start, self.end, height, token.text, (operand, *arguments), token.start, "member")

    def arguments(self) -> tuple[Node, ...]:
        self.expect("(")
        return self.sequence(")")

    def sequence(self, closing: str) -> tuple[Node, ...]:
        """Expressions between commas, up to and with the closing bracket; one comma may trail before `]`."""
        nodes: list[Node] = []
        while not self.accept(closing):
            nodes.append(self.expression())
            if not self.accept(","):
                self.expect(closing)
                break
            if self.sees(closing) and closing == ")":
                self.unexpected("an argument")
        return tuple(nodes)

    def macro(self, start: int, name: Token, over: Node, arguments: tuple[Node, ...]) -> Node:
        if len(arguments) not in _MACROS[name.text]:
            hint = f"write {name.text}(name, expression)"
            raise CelError(
                f"'{name.text}' takes a name and an expression", name.start, self.source, hint, len(name.text)
            )
        variable, *conditions, body = arguments
        if not isinstance(variable, Name) or variable.rooted:
            length = variable.end - variable.start
            raise CelError(f"'{name.text}' takes a plain name first", variable.start, self.source, None, length)
        condition = conditions[0] if conditions else None
        height = self.height(name.start, over, *arguments)
        return Macro(start, self.end, height, cast("MacroName", name.text), over, variable.name, body, condition)

    def primary(self) -> Node:
        token = self.token
        if token.kind == "constant":
            return self.constant(self.next())
        if token.kind == "name":
            return self.name(self.next(), token.start, rooted=False)
        if self.accept("."):
            if self.token.kind != "name":
                self.unexpected("a name")
            return self.name(self.next(), token.start, rooted=True)
        return self.bracketed(token.start)

    def bracketed(self, start: int) -> Node:
        if self.accept("("):
            node = self.expression()
            self.expect(")")
            return node
        if self.accept("["):
            elements = self.sequence("]")
            return ListLiteral(start, self.end, self.height(start, *elements), elements)
        if not self.accept("{"):
            self.unexpected("an expression")
        return self.mapping(start)

    def number(self, minus: Token) -> Node:
        token = self.next()
        return Constant(minus.start, token.end, 1, -token.value)

    def constant(self, token: Token) -> Node:
        if type(token.value) is int and token.value > INT_MAX:
            hint = f"for a uint, write {token.text}u"
            raise CelError("int literal out of range", token.start, self.source, hint, len(token.text))
        return Constant(token.start, token.end, 1, token.value)

    def name(self, token: Token, start: int, *, rooted: bool) -> Node:
        if token.text in RESERVED:
            raise CelError(f"'{token.text}' is a reserved word", token.start, self.source, length=len(token.text))
        if not self.sees("("):
            return Name(start, token.end, 1, token.text, rooted)
        arguments = self.arguments()
        if token.text == "has":
            return self.has(token, arguments)
        height = self.height(token.start, *arguments)
        return Call(start, self.end, height, token.text, arguments, token.start, "function")

    def has(self, token: Token, arguments: tuple[Node, ...]) -> Node:
        if len(arguments) != 1 or not isinstance(arguments[0], Select) or arguments[0].test:
            hint = "write has(object.field)"
            raise CelError("'has' takes one field of an object or map", token.start, self.source, hint, len("has"))
        return msgspec.structs.replace(arguments[0], start=token.start, end=self.end, test=True)

    def mapping(self, start: int) -> Node:
        keys: list[Node] = []
        values: list[Node] = []
        while not self.accept("}"):
            keys.append(self.expression())
            self.expect(":")
            values.append(self.expression())
            if not self.accept(","):
                self.expect("}")
                break
        return MapLiteral(start, self.end, self.height(start, *keys, *values), tuple(keys), tuple(values))


def _is_number(token: Token) -> bool:
    """Whether a minus sign before the token belongs to the literal; a uint has no negative literals."""
    return token.kind == "constant" and type(token.value) in (int, float)

"""Tokens to a syntax tree: the whole grammar of CEL, with a limit on nesting that is ours and not the interpreter's.

Binary operators are read by precedence climbing, so one level of parentheses costs five Python frames, not ten. Message
construction is refused, since the facts are plain values. What a macro becomes is in macros.py.
"""

from typing import Final, Literal, NoReturn, cast

from placet.policy.cel.errors import CelError
from placet.policy.cel.hints import of_word
from placet.policy.cel.lex import RESERVED, Token, tokenize
from placet.policy.cel.macros import NAMESPACES, Extension, Written, function_call, member_call, path_of
from placet.policy.cel.nodes import (
    Call,
    Constant,
    Index,
    ListLiteral,
    Logic,
    MapLiteral,
    Name,
    Node,
    Select,
    Ternary,
)
from placet.policy.cel.values import INT_MAX

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


def parse(source: str, extensions: frozenset[Extension] = frozenset()) -> Node:
    """Parse one expression; raises CelError with the place of the first mistake."""
    if len(source) > MAX_SOURCE:
        raise CelError(f"the rule is longer than {MAX_SOURCE} characters", MAX_SOURCE, source)
    return _Parser(source, extensions).whole()


class _Parser:
    def __init__(self, source: str, extensions: frozenset[Extension]) -> None:
        self.source = source
        self.extensions = extensions
        self.namespaces = NAMESPACES | ({"optional"} & extensions)
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
        before = self.tokens[self.at - 1].text if self.at else ""
        hint = of_word(token.text, before)
        raise CelError(f"expected {wanted}, found {found}", token.start, self.source, hint, len(token.text))

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
                optional = self.asks_optional()
                key = self.expression()
                self.expect("]")
                node = Index(start, self.end, self.height(at, node, key), node, key, optional)
            else:
                raise CelError(
                    "messages cannot be constructed in a rule", at, self.source, "write a map: {'key': value}"
                )
        return node

    def selection(self, start: int, operand: Node) -> Node:
        optional = self.asks_optional()
        token = self.next()
        if token.kind not in ("name", "field"):
            self.at -= 1
            self.unexpected("a field")
        if not self.sees("(") or token.kind == "field" or optional:
            height = self.height(token.start, operand)
            return Select(start, self.end, height, operand, token.text, token.start, optional=optional)
        path = path_of(operand)
        if path in self.namespaces:
            return self.called(start, token, f"{path}.{token.text}")
        arguments = self.arguments()
        written = self.written(start, token.start, token.text, arguments)
        if (made := member_call(written, operand)) is not None:
            return self.measured(made)
        height = self.height(token.start, operand, *arguments)
        return Call(start, self.end, height, token.text, (operand, *arguments), token.start, "member")

    def called(self, start: int, token: Token, name: str) -> Node:
        """A call of a function, in a namespace or in none, of which the name has been read."""
        at = token.start if name == token.text else start
        arguments = self.arguments()
        if (made := function_call(self.written(start, at, name, arguments))) is not None:
            return self.measured(made)
        height = self.height(at, *arguments)
        return Call(start, self.end, height, name, arguments, at, "function")

    def written(self, start: int, at: int, name: str, arguments: tuple[Node, ...]) -> Written:
        return Written(self.source, self.extensions, name, at, start, self.end, arguments)

    def measured(self, node: Node) -> Node:
        if node.height > MAX_DEPTH:
            raise self.too_deep(node.start)
        return node

    def asks_optional(self) -> bool:
        """Whether a `?` stands here that makes what follows optional."""
        return "optional" in self.extensions and self.accept("?")

    def arguments(self) -> tuple[Node, ...]:
        self.expect("(")
        return self.sequence(")")[0]

    def sequence(self, closing: str) -> tuple[tuple[Node, ...], tuple[int, ...]]:
        """Expressions between commas, up to and with the closing bracket; one comma may trail before `]`.

        Beside them the places of those that are optional, which only elements of a list can be.
        """
        nodes: list[Node] = []
        optional: list[int] = []
        while not self.accept(closing):
            if closing == "]" and self.asks_optional():
                optional.append(len(nodes))
            nodes.append(self.expression())
            if not self.accept(","):
                self.expect(closing)
                break
            if self.sees(closing) and closing == ")":
                self.unexpected("an argument")
        return tuple(nodes), tuple(optional)

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
            elements, optional = self.sequence("]")
            return ListLiteral(start, self.end, self.height(start, *elements), elements, optional)
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
        if self.sees("("):
            return self.called(start, token, token.text)
        return Name(start, token.end, 1, token.text, rooted)

    def mapping(self, start: int) -> Node:
        keys: list[Node] = []
        values: list[Node] = []
        optional: list[int] = []
        while not self.accept("}"):
            if self.asks_optional():
                optional.append(len(keys))
            keys.append(self.expression())
            self.expect(":")
            values.append(self.expression())
            if not self.accept(","):
                self.expect("}")
                break
        height = self.height(start, *keys, *values)
        return MapLiteral(start, self.end, height, tuple(keys), tuple(values), tuple(optional))


def _is_number(token: Token) -> bool:
    """Whether a minus sign before the token belongs to the literal; a uint has no negative literals."""
    return token.kind == "constant" and type(token.value) in (int, float)

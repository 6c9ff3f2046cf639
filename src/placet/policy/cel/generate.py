"""Checked rules to Python expressions, as syntax trees: no text of a rule ever becomes the text of a program.

Names in the generated code are our own (F, T, v0, k0); strings of a rule stand in it as constants. Every expression
carries whether it can raise CelRuntimeError. What cannot is compiled to plain operators; `&&` and `||` call a helper
only where two operands can fail. Pure operands may be asked in any order, so those that cannot fail come first (a false
one then absorbs the error of the rest without a helper), and among them those that read facts before those that scan.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from placet.policy.cel import optionals, runtime, values
from placet.policy.cel.check import Checked
from placet.policy.cel.nodes import (
    Bind,
    Call,
    Constant,
    Index,
    ListLiteral,
    Logic,
    Macro,
    MapLiteral,
    Name,
    Node,
    Select,
    Ternary,
    children,
)
from placet.policy.cel.overloads import SCAN
from placet.policy.cel.types import BOOL, Type

_EXACT: Final = ("string", "int", "uint", "timestamp", "duration")
"""Types whose Python equality, hash and order are those of the language, within one type."""
_INLINE_EQUAL: Final = ("bool", "int", "uint", "double", "timestamp", "duration", "type")
_SELF_EVIDENT: Final = ("null", "string", "bytes")
"""A Python None, str or bytes equals nothing of another type, whatever stands on the other side."""
_CONTAINERS: Final = ("list", "map", "object", "abstract", "dyn")


_IN_PAIRS: Final = (runtime.all_in_pairs, runtime.any_in_pairs)


class Code(NamedTuple):
    """A Python expression, and whether it can raise CelRuntimeError."""

    expression: ast.expr
    fails: bool


class Variable(NamedTuple):
    """A variable of a rule, and its name in the code; one that is `lazy` is called for its value, and can fail."""

    name: str
    code: str
    lazy: bool = False


class Generator:
    """Generates the code of the nodes of one rule. `bound` holds what the code refers to by name."""

    def __init__(self, checked: Checked, costs: Mapping[Node, int]) -> None:
        self.checked = checked
        self.costs = costs
        self.bound: dict[str, Any] = {}
        self.names: dict[int, str] = {}
        self.scopes: list[Variable] = []
        self.variables = 0
        self.by_type: dict[type[Node], Callable[[Any], Code]] = {
            Constant: self._constant,
            Name: self._name,
            Select: self._select,
            Index: self._index,
            Call: self._call,
            Logic: self._logic,
            Ternary: self._ternary,
            ListLiteral: self._list_literal,
            MapLiteral: self._map_literal,
            Macro: self._macro,
            Bind: self._bind,
        }

    def generate(self, node: Node) -> Code:
        """Generate the code of a node: its value, with facts given their declared types."""
        if node in self.checked.text_calls:
            asked = self.checked.text_calls[node]
            return Code(_method(_name("T"), asked.method, *map(_constant, asked.arguments)), fails=False)
        if node in self.checked.failures:
            return Code(self.helper(runtime.fail, _constant(self.checked.failures[node])), fails=True)
        if node in self.checked.constants:
            return Code(self.bind(self.checked.constants[node]), fails=False)
        code = self._fact(self.checked.names[node]) if node in self.checked.names else self.by_type[type(node)](node)
        tag = values.tagger(self.checked.types[node]) if node in self.checked.facts else None
        return code if tag is None else Code(self.helper(tag, code.expression), code.fails)

    def condition(self, node: Node) -> Code:
        """Generate the code of a node that must be true or false."""
        code = self.generate(node)
        if self.type(node) == BOOL:
            return code
        return Code(self.helper(runtime.want_bool, code.expression), fails=True)

    def thunk(self, node: Node) -> ast.expr:
        """Generate a condition as a function of no arguments, to be asked later."""
        return _lambda(self.condition(node).expression)

    def type(self, node: Node) -> Type:
        """The type that the checker found."""
        return self.checked.types[node]

    def bind(self, value: Any) -> ast.expr:
        """Refer to a Python object by a name of ours."""
        name = self.names.setdefault(id(value), f"k{len(self.names)}")
        self.bound[name] = value
        return _name(name)

    def helper(self, function: Callable[..., Any], *arguments: ast.expr) -> ast.expr:
        """Call a Python function."""
        return _call(self.bind(function), *arguments)

    # --- values ---

    def _constant(self, node: Constant) -> Code:
        if isinstance(node.value, values.Uint):  # not a constant to Python's compiler
            return Code(self.bind(node.value), fails=False)
        return Code(_constant(node.value), fails=False)

    def _fact(self, name: str) -> Code:
        return Code(_item(_name("F"), name), fails=False)

    def _name(self, node: Name) -> Code:
        variable = next(each for each in reversed(self.scopes) if each.name == node.name)
        code = _name(variable.code)
        return Code(_call(code) if variable.lazy else code, fails=variable.lazy)

    def _select(self, node: Select) -> Code:
        owner = self.generate(node.operand)
        field = _constant(node.field)
        kind = self.type(node.operand).kind
        if node.optional and not node.test:
            return Code(self.helper(runtime.optional_index, owner.expression, field), fails=True)
        if kind == "object":  # facts are complete, so a declared field cannot be missing
            if not node.test:
                return Code(_item(owner.expression, node.field), owner.fails)
            present = _compare(_method(owner.expression, "get", field), ast.IsNot(), _constant(None))
            return Code(present, owner.fails)
        if kind == "map" and self.type(node.operand).params[0].kind == "string":
            if node.test:
                return Code(_compare(field, ast.In(), owner.expression), owner.fails)
            return Code(self.helper(runtime.map_get, owner.expression, field), fails=True)
        function = runtime.has_field if node.test else runtime.select
        return Code(self.helper(function, owner.expression, field), fails=True)

    def _index(self, node: Index) -> Code:
        owner, key = self.type(node.operand), self.type(node.key)
        if node.optional:
            function: Callable[..., Any] = runtime.optional_index
        elif owner.kind == "list" and key.kind == "int":
            function = runtime.list_get
        elif owner.kind == "map" and owner.params[0] == key and key.kind in _EXACT:
            function = runtime.map_get
        else:
            function = runtime.index
        arguments = self.generate(node.operand).expression, self.generate(node.key).expression
        return Code(self.helper(function, *arguments), fails=True)

    def _list_literal(self, node: ListLiteral) -> Code:
        parts = [self.generate(element) for element in node.elements]
        made = _list([part.expression for part in parts])
        if node.optional:
            return Code(self.helper(runtime.make_list, made, _constant(node.optional)), fails=True)
        return Code(made, any(part.fails for part in parts))

    def _map_literal(self, node: MapLiteral) -> Code:
        keys = [self.generate(key) for key in node.keys]
        values = [self.generate(value) for value in node.values]
        fails = any(part.fails for part in (*keys, *values))
        key_list, value_list = [key.expression for key in keys], [value.expression for value in values]
        is_plain = all(isinstance(key, Constant) and isinstance(key.value, str) for key in node.keys)
        if is_plain and not node.optional:
            return Code(ast.Dict(keys=[*key_list], values=value_list), fails)
        optional = [_constant(node.optional)] if node.optional else []
        return Code(self.helper(runtime.make_map, _list(key_list), _list(value_list), *optional), fails=True)

    # --- conditions ---

    def _logic(self, node: Logic) -> Code:
        codes = [(self.condition(operand), self.costs[operand]) for operand in node.operands]
        sure = sorted((pair for pair in codes if not pair[0].fails), key=lambda pair: pair[1] >= SCAN)
        operands = [code.expression for code, _ in sure]
        unsure = [code.expression for code, _ in codes if code.fails]
        if len(unsure) > 1:
            function = runtime.all_of if node.operator == "&&" else runtime.any_of
            unsure = [self.helper(function, *map(_lambda, unsure))]
        operands += unsure
        operator = ast.And() if node.operator == "&&" else ast.Or()
        joined = operands[0] if len(operands) == 1 else ast.BoolOp(op=operator, values=operands)
        return Code(joined, fails=bool(unsure))

    def _ternary(self, node: Ternary) -> Code:
        condition = self.condition(node.condition)
        then, otherwise = self.generate(node.then), self.generate(node.otherwise)
        chosen = ast.IfExp(test=condition.expression, body=then.expression, orelse=otherwise.expression)
        return Code(chosen, condition.fails or then.fails or otherwise.fails)

    # --- calls ---

    def _call(self, node: Call) -> Code:
        if node.function in ("==", "!="):
            return self._equality(node)
        if node.function == "in":
            element, container = node.arguments
            return self._membership(element, self.generate(element), container)
        codes = [self.generate(argument) for argument in node.arguments]
        fails = any(code.fails for code in codes)
        arguments = [code.expression for code in codes]
        if node in self.checked.regexes:
            found = _method(self.bind(self.checked.regexes[node]), "search", arguments[0])
            return Code(_compare(found, ast.IsNot(), _constant(None)), fails)
        overload = self.checked.calls[node]
        if overload.inline is not None:
            return Code(overload.inline(*arguments), fails or overload.fails)
        return Code(self.helper(overload.function, *arguments), fails or overload.fails)

    def _equality(self, node: Call) -> Code:
        left, right = node.arguments
        codes = self.generate(left), self.generate(right)
        fails = any(code.fails for code in codes)
        kinds = {self.type(left).kind, self.type(right).kind}
        operands = [code.expression for code in codes]
        if kinds & {*_SELF_EVIDENT} or (len(kinds) == 1 and kinds <= {*_INLINE_EQUAL}):
            operator = ast.Eq() if node.function == "==" else ast.NotEq()
            return Code(_compare(operands[0], operator, operands[1]), fails)
        same = self.helper(runtime.equal, *operands)
        whole = same if node.function == "==" else ast.UnaryOp(op=ast.Not(), operand=same)
        return Code(whole, fails or kinds <= {*_CONTAINERS})

    def _membership(self, element: Node, code: Code, container: Node) -> Code:
        codes = code, self.generate(container)
        found, into = codes[0].expression, codes[1].expression
        fails = any(code.fails for code in codes)
        left, right = self.type(element), self.type(container)
        is_plain = right.kind == "list" and left.kind in _SELF_EVIDENT
        if is_plain or (right.kind in ("list", "map") and right.params[0] == left and left.kind in _EXACT):
            return Code(_compare(found, ast.In(), into), fails)
        return Code(self.helper(runtime.contains, found, into), fails=True)

    # --- macros ---

    @contextmanager
    def _scope(self, *names: str | None, lazy: bool = False) -> Iterator[list[str]]:
        """Bring variables into scope, under names of ours; None is a variable that the macro does not have."""
        made = [Variable(name, f"v{self.variables + i}", lazy) for i, name in enumerate(names) if name is not None]
        self.variables += len(names)
        self.scopes += made
        yield [variable.code for variable in made]
        del self.scopes[-len(made) :]

    def _bind(self, node: Bind) -> Code:
        value = self.generate(node.value)
        with self._scope(node.variable, lazy=value.fails) as variables:
            body = self.generate(node.body)
        bound = self.helper(runtime.lazy, _lambda(value.expression)) if value.fails else value.expression
        return Code(_call(_lambda(body.expression, *variables), bound), body.fails)

    def _over(self, node: Macro) -> Code:
        """Generate what a macro runs over; a mapping gives its keys in Python too."""
        code = self.generate(node.over)
        kind = self.type(node.over).kind
        if kind == "dyn":
            function = runtime.elements if node.second is None else runtime.pairs
            return Code(self.helper(function, code.expression), fails=True)
        if node.second is None:
            return code
        paired = self.helper(enumerate, code.expression) if kind == "list" else _method(code.expression, "items")
        return Code(paired, code.fails)

    def _macro(self, node: Macro) -> Code:
        if node.kind == "exists" and (sought := self._sought(node)) is not None:
            return self._membership(*sought, node.over)
        if node.kind in ("optMap", "optFlatMap"):
            return self._optional_macro(node)
        over = self._over(node)
        with self._scope(node.variable, node.second) as variables:
            if node.kind in ("map", "transformMap"):
                return self._map(node, over, variables)
            body = self.condition(node.body)
        if node.kind == "filter":
            made = ast.ListComp(elt=_name(variables[0]), generators=[_for(variables, over, body)])
            return Code(made, over.fails or body.fails)
        if node.kind == "exists_one":
            ones = ast.GeneratorExp(elt=_constant(1), generators=[_for(variables, over, body)])
            return Code(_compare(self.helper(sum, ones), ast.Eq(), _constant(1)), over.fails or body.fails)
        return self._quantifier(node, over, variables, body)

    def _map(self, node: Macro, over: Code, variables: list[str]) -> Code:
        condition = None if node.condition is None else self.condition(node.condition)
        body = self.generate(node.body)
        each = [_for(variables, over, condition)]
        made: ast.expr = ast.ListComp(elt=body.expression, generators=each)
        if node.kind == "transformMap":
            pair = ast.Tuple(elts=[_name(variables[0]), body.expression], ctx=ast.Load())
            made = self.helper(runtime.map_from, ast.ListComp(elt=pair, generators=each))
        return Code(made, over.fails or body.fails or (condition is not None and condition.fails))

    def _quantifier(self, node: Macro, over: Code, variables: list[str], body: Code) -> Code:
        is_all = node.kind == "all"
        if body.fails:
            helpers = (runtime.all_in, runtime.any_in) if node.second is None else _IN_PAIRS
            made = self.helper(helpers[not is_all], over.expression, _lambda(body.expression, *variables))
        else:
            each = ast.GeneratorExp(elt=body.expression, generators=[_for(variables, over, None)])
            made = self.helper(all if is_all else any, each)
        return Code(made, over.fails or body.fails)

    def _optional_macro(self, node: Macro) -> Code:
        over = self.generate(node.over)
        with self._scope(node.variable) as variables:
            body = self.generate(node.body)
        function = optionals.map_value if node.kind == "optMap" else optionals.flat_map_value
        return Code(self.helper(function, over.expression, _lambda(body.expression, *variables)), fails=True)

    def _sought(self, node: Macro) -> tuple[Node, Code] | None:
        """Give `x` when a macro is `list.exists(v, v == x)`, which is `x in list`, as long as finding x cannot fail."""
        body = node.body
        is_list = self.type(node.over).kind == "list" and node.second is None
        if not isinstance(body, Call) or body.function != "==" or not is_list:
            return None
        for variable, other in (body.arguments, body.arguments[::-1]):
            is_variable = isinstance(variable, Name) and variable.name == node.variable and not variable.rooted
            is_exact = self.type(variable) == self.type(other) and self.type(other).kind in _EXACT
            if is_variable and is_exact and not _mentions(other, node.variable):
                code = self.generate(other)
                return None if code.fails else (other, code)
        return None


def _mentions(node: Node, name: str) -> bool:
    return (isinstance(node, Name) and node.name == name) or any(_mentions(c, name) for c in children(node))


def _name(name: str) -> ast.expr:
    return ast.Name(id=name, ctx=ast.Load())


def _constant(value: Any) -> ast.expr:
    return ast.Constant(value=value)


def _call(function: ast.expr, *arguments: ast.expr) -> ast.expr:
    return ast.Call(func=function, args=list(arguments), keywords=[])


def _method(target: ast.expr, name: str, *arguments: ast.expr) -> ast.expr:
    return _call(ast.Attribute(value=target, attr=name, ctx=ast.Load()), *arguments)


def _item(container: ast.expr, key: str) -> ast.expr:
    return ast.Subscript(value=container, slice=_constant(key), ctx=ast.Load())


def _compare(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.expr:
    return ast.Compare(left=left, ops=[operator], comparators=[right])


def _list(elements: list[ast.expr]) -> ast.expr:
    return ast.List(elts=elements, ctx=ast.Load())


def _for(variables: list[str], over: Code, condition: Code | None) -> ast.comprehension:
    conditions = [] if condition is None else [condition.expression]
    names: list[ast.expr] = [ast.Name(id=variable, ctx=ast.Store()) for variable in variables]
    target = names[0] if len(names) == 1 else ast.Tuple(elts=names, ctx=ast.Store())
    return ast.comprehension(target=target, iter=over.expression, ifs=conditions, is_async=0)


def _lambda(body: ast.expr, *variables: str) -> ast.expr:
    arguments = ast.arguments(
        posonlyargs=[], args=[ast.arg(arg=v) for v in variables], kwonlyargs=[], kw_defaults=[], defaults=[]
    )
    return ast.Lambda(args=arguments, body=body)

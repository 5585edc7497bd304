"""Expressions: the value of a word of a line.

The rule of this file: a text is parsed once, without a device, into an :class:`Expr`, and evaluated
any number of times in an :class:`Environment`, which alone has names and memory.

The operators and their precedence are Python's, so ``[R] & 1 == 1`` means ``([R] & 1) == 1``, which
it does not in C.  Parsing is precedence climbing over a tuple of tokens: ``expression(power)``
takes a value and then every operator that binds tighter than ``power``.  It is our own and not
``ast.parse`` because its messages name the column, and explain the operators of C.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Protocol

from espshell.errors import UsageError
from espshell.records import dataclass
from espshell.shell.language.tokens import CHARACTER, ESCAPES, HEX, HINTS, TOKEN, Token, printable
from espshell.units import parse_number

MAX_TOKENS = 150
"""Longest expression; it bounds the depth of the tree, and so the use of Python's stack."""

_LIMIT = 1 << 64
KEPT = 1024
"""Parsed texts that are kept: a line is parsed when it is checked, and again when it runs."""


class Environment(Protocol):
    """Names and memory for the evaluation of an expression."""

    def name(self, name: str) -> int | None:
        """Return the address of a register, region or symbol, or a field's contents.

        None for an unknown name.  Case does not matter.
        """

    def read(self, address: int, bits: int) -> int:
        """Return the contents of memory; ``bits`` is 8, 16 or 32, and ``address`` any integer."""

    def suggest(self, name: str) -> str | None:
        """Return the name nearest to an unknown one; None if none is near."""


@dataclass(frozen=True, slots=True)
class Number:
    """A literal."""

    value: int


@dataclass(frozen=True, slots=True)
class Name:
    """A dotted name, or ``efuse:`` and the name of a field; spelled as typed."""

    text: str


@dataclass(frozen=True, slots=True)
class Contents:
    """``[address]``, or ``u8[address]``."""

    bits: int
    address: Node


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator and its one or two operands."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """``a < b <= c``: one operand more than operators; ``spans`` locates each operand."""

    operators: tuple[str, ...]
    operands: tuple[Node, ...]
    spans: tuple[tuple[int, int], ...]


Node = Number | Name | Contents | Operation | Comparison


@dataclass(frozen=True, slots=True)
class Expr:
    """A parsed expression."""

    text: str
    root: Node

    def evaluate(self, scope: Environment) -> int:
        """Return the value: true is 1 and false is 0; ``and`` and ``or`` give an operand.

        Raises: UsageError: unknown name, division by zero, a shift or a result over 64 bits.
        """
        try:
            return _value(self.root, scope)
        except _NoValue as error:
            raise UsageError(f"`{printable(self.text)}`: {error}") from None

    def names(self) -> tuple[str, ...]:
        """Return the names in the expression, unique and in order."""
        return tuple(dict.fromkeys(n.text for n in _walk(self.root) if isinstance(n, Name)))

    def lone_name(self) -> str | None:
        """Return the name if the expression consists of one, else None."""
        return self.root.text if isinstance(self.root, Name) else None

    @property
    def is_constant(self) -> bool:
        """Whether it needs neither names nor memory."""
        return not any(isinstance(node, Name | Contents) for node in _walk(self.root))

    def constant(self) -> int | None:
        """Return the value if it is constant, else None. Raises: UsageError: as `evaluate`."""
        return self.evaluate(_Nothing()) if self.is_constant else None

    def sides(self) -> tuple[Expr, str, Expr] | None:
        """Return both sides and the operator if the expression is one comparison, else None."""
        if not isinstance(self.root, Comparison) or len(self.root.operators) != 1:
            return None
        lhs, rhs = (
            Expr(self.text[start:end], node)
            for node, (start, end) in zip(self.root.operands, self.root.spans, strict=True)
        )
        return lhs, self.root.operators[0], rhs


@lru_cache(maxsize=KEPT)
def parse(text: str) -> Expr:
    """Parse an expression.

    Raises: UsageError: the column of the error, from 1, and what was expected there.
    """
    text = text.strip()
    if not text:
        raise UsageError("expected an expression, found nothing")
    parser = _Parser(text)
    if len(parser.tokens) - 1 > MAX_TOKENS:
        raise UsageError(
            f"`{printable(text[:20])}...`: expected at most {MAX_TOKENS} words"
            " and operators in an expression"
        )
    root = parser.expression()
    if parser.token.kind != "end":
        raise parser.expected("an operator")
    return Expr(text, root)


def compare(lhs: int, symbol: str, rhs: int) -> bool:
    """Return whether a comparison from :meth:`Expr.sides` is true."""
    return _COMPARISONS[symbol](lhs, rhs)


def unknown_name(name: str, suggestion: str | None = None) -> UsageError:
    """Return the error for an unknown name; hexadecimal digits without 0x get a hint."""
    likely = [suggestion] if suggestion else []
    if HEX.fullmatch(name):
        likely.append(f"0x{name}")
    hint = "did you mean {}?".format(" or ".join(f"`{text}`" for text in likely)) if likely else ""
    return UsageError(f"`{name}` is not a known name", hint=hint)


# The parser --------------------------------------------------------------------------------------

_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
# Loosest first, as in Python's reference; the third level is `not`, which stands in front.
_LEVELS = ("or", "and", "", "== != < <= > >=", "|", "^", "&", "<< >>", "+ -", "* // %")
_POWER = {symbol: power for power, level in enumerate(_LEVELS, 1) for symbol in level.split()}
_NOT, _COMPARE, _UNARY = 3, 4, 11
_WIDTHS = {"u8": 8, "u16": 16, "u32": 32}


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [
            Token(match.lastgroup or "", match[0], match.start())
            for match in TOKEN.finditer(text)
            if match.lastgroup != "space"
        ]
        self.tokens.append(Token("end", "", len(text)))
        self.index = 0
        self.end = 0  # of the token before this one

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def advance(self) -> str:
        token = self.token
        self.end = token.start + len(token.text)
        self.index += 1
        return token.text

    def expression(self, power: int = 0) -> Node:
        """Take a value and every operator after it that binds tighter than ``power``."""
        start = self.token.start
        node = self.value(power)
        while (binding := _POWER.get(self.token.text, 0)) > power:
            if binding == _COMPARE:
                node = self.comparison(node, start)
            else:
                node = Operation(self.advance(), (node, self.expression(binding)))
        return node

    def comparison(self, first: Node, start: int) -> Node:
        operators, operands, spans = [], [first], [(start, self.end)]
        while self.token.text in _COMPARISONS:
            operators.append(self.advance())
            start = self.token.start
            operands.append(self.expression(_COMPARE))
            spans.append((start, self.end))
        return Comparison(tuple(operators), tuple(operands), tuple(spans))

    def value(self, power: int) -> Node:
        token = self.token
        if token.kind == "number":
            return self.number()
        if token.kind == "char":
            return self.character()
        if token.kind == "name":
            return self.name()
        if token.text in ("+", "-", "~"):
            return Operation(self.advance(), (self.expression(_UNARY),))
        if token.text == "not" and power <= _NOT:
            return Operation(self.advance(), (self.expression(_NOT),))
        if token.text == "(":
            return self.enclosed(")")
        if token.text == "[":
            return Contents(32, self.enclosed("]"))
        raise self.expected("a value")

    def enclosed(self, closer: str) -> Node:
        self.advance()
        inner = self.expression()
        if self.token.text != closer:
            raise self.expected(f"`{closer}`")
        self.advance()
        return inner

    def name(self) -> Node:
        name = self.advance()
        bits = _WIDTHS.get(name.lower())
        if bits is not None and self.token.text == "[":
            return Contents(bits, self.enclosed("]"))
        return Name(name)

    def number(self) -> Node:
        word = self.token.text
        value = parse_number(word)
        if value is None or value >= _LIMIT:
            raise self.not_a_number(word, too_large=value is not None)
        self.advance()
        return Number(value)

    def character(self) -> Node:
        match = CHARACTER.fullmatch(self.token.text)
        if match is None:
            raise self.expected("one ASCII character in quotes")
        self.advance()
        code, escape, plain = match.groups()
        return Number(int(code, 16) if code else ESCAPES[escape] if escape else ord(plain))

    def expected(self, what: str) -> UsageError:
        """Return the error for the current token."""
        token = self.token
        where = f"at column {token.start + 1}"
        if token.kind != "end":
            where += f", not `{printable(token.text)}`"
        elif what == "a value":
            where = "at the end"
        message = f"`{printable(self.text)}`: expected {what} {where}"
        return UsageError(message, hint=HINTS.get(token.text, ""))

    def not_a_number(self, word: str, *, too_large: bool) -> UsageError:
        where = "" if word == self.text else f" at column {self.token.start + 1}"
        shown = f"`{printable(word)}`{where}"
        if too_large:
            return UsageError(f"{shown} does not fit in 64 bits")
        if (bare := word.lstrip("0_")) != word and parse_number(bare or "0") is not None:
            octal = f"0o{bare}" if parse_number(f"0o{bare}") is not None else ""
            hint = " or ".join(f"`{text}`" for text in (bare or "0", octal) if text)
            return UsageError(f"{shown} has a leading zero", hint=f"write {hint}")
        if HEX.fullmatch(word):
            return UsageError(f"{shown} is not a number", hint=f"did you mean `0x{word}`?")
        return UsageError(f"{shown} is not a number")


# Evaluation --------------------------------------------------------------------------------------


class _NoValue(ArithmeticError):
    """An operation has no value, for the reason in the message."""


class _Nothing:
    """The environment of constants."""

    def name(self, name: str) -> int | None:
        return None

    def read(self, address: int, bits: int) -> int:
        raise UsageError("memory cannot be read here")

    def suggest(self, name: str) -> str | None:
        return None


def _value(node: Node, scope: Environment) -> int:
    match node:
        case Number(value):
            return value
        case Name(text):
            if (named := scope.name(text)) is None:
                raise unknown_name(text, scope.suggest(text))
            return named
        case Contents(bits, address):
            return scope.read(_value(address, scope), bits)
        case Comparison():
            return _compared(node, scope)
        case Operation("and", (lhs, rhs)):
            return _value(lhs, scope) and _value(rhs, scope)
        case Operation("or", (lhs, rhs)):
            return _value(lhs, scope) or _value(rhs, scope)
        case Operation(symbol, operands):
            return _applied(symbol, *(_value(operand, scope) for operand in operands))


def _compared(node: Comparison, scope: Environment) -> int:
    lhs = _value(node.operands[0], scope)
    for symbol, operand in zip(node.operators, node.operands[1:], strict=True):
        rhs = _value(operand, scope)
        if not compare(lhs, symbol, rhs):
            return 0
        lhs = rhs
    return 1


_UNARIES: dict[str, Callable[[int], int]] = {
    "+": operator.pos,
    "-": operator.neg,
    "~": operator.invert,
    "not": operator.not_,
}
_BINARIES: dict[str, Callable[[int, int], int]] = {
    "|": operator.or_,
    "^": operator.xor,
    "&": operator.and_,
    "<<": operator.lshift,
    ">>": operator.rshift,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
}


def _applied(symbol: str, lhs: int, rhs: int | None = None) -> int:
    if rhs is None:
        result = int(_UNARIES[symbol](lhs))
    elif symbol in ("//", "%") and rhs == 0:
        raise _NoValue("division by zero")
    elif symbol in ("<<", ">>") and not 0 <= rhs <= 64:
        raise _NoValue(f"expected a shift count of 0 to 64, not {rhs}")
    else:
        result = _BINARIES[symbol](lhs, rhs)
    if abs(result) >= _LIMIT:
        raise _NoValue("the result does not fit in 64 bits")
    return result


def _walk(node: Node) -> Iterator[Node]:
    """Yield the node and all below it, from left to right."""
    yield node
    match node:
        case Contents(_, address):
            yield from _walk(address)
        case Operation(_, operands) | Comparison(_, operands):
            for operand in operands:
                yield from _walk(operand)

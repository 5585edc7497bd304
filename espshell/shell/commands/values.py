"""print: the value of an expression, and what lies there."""

from __future__ import annotations

from espshell.chips import Kind
from espshell.ops.result import Result
from espshell.records import dataclass
from espshell.shell.language.expr import Expr
from espshell.shell.registry import Registry
from espshell.shell.session import Session
from espshell.units import number_text

VERBS = Registry("Memory")


@dataclass(frozen=True, slots=True)
class Printed(Result):
    """A value, and what the chip and the program have at that address."""

    expression: str
    value: int
    form: str = ""
    """``x``, ``d``, ``t`` (binary) or ``c``; all of them if empty."""
    number: int | None = None
    """Of the values at the prompt: ``$~1`` is the first."""
    symbol: str = ""
    register: str = ""
    region: str = ""
    notes: tuple[str, ...] = ()
    """What to keep in mind about what was read for it."""

    @property
    def last_value(self) -> int:
        """The value."""
        return self.value


@VERBS.add(
    "print", rest="expression", variants={f"print/{form}": {"form": form} for form in "xdtc"}
)
def print_value(session: Session, expression: Expr, *, form: str = "") -> Printed:
    """Show the value of an expression and what is at that address.

    Shown in hexadecimal, decimal, binary and as a character; print/x, /d, /t and /c pick one
    format. At the prompt an expression on its own is printed too, and values are numbered: $~1 is
    the first, $_ the last. A name is an address; `print [UART0.STATUS]` shows what is stored there.

    Example: print DRAM + 0x100
    Example: print/x [UART0.CLKDIV] & 0xfff
    """
    scope = session.scope
    value = expression.evaluate(scope)
    number = None
    if session.interactive:
        number = 1 + sum(name.startswith("~") for name in session.variables)
        session.variables[f"~{number}"] = number_text(value)
    area = scope.chip.region_at(value) if scope.chip else None
    tables = scope.tables if area is not None and area.kind is Kind.PERIPHERAL else None
    behind = value - area.start if area else 0
    return Printed(
        expression.text,
        value,
        form,
        number,
        session.symbol_at(value),
        (tables.label(value) or "") if tables else "",
        f"{area.name}{f'+{behind:#x}' if behind else ''}" if area else "",
        tuple(scope.notes),
    )

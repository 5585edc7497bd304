"""reg and regs: registers and their fields by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple, cast

from espshell import files
from espshell.errors import UsageError
from espshell.ops.memory import registers
from espshell.ops.result import Result
from espshell.records import replace
from espshell.shell.arguments.types import (
    TEXT,
    ArgType,
    Completed,
    Offer,
    Unfinished,
    complete_files,
    complete_names,
    offer_names,
)
from espshell.shell.commands.memory import Check, Unverified
from espshell.shell.declaration import DRY_RUN, Option, Trait
from espshell.shell.language import expr
from espshell.shell.registry import Registry

if TYPE_CHECKING:
    from espshell.registers.table import BitField, Register
    from espshell.shell.language.scope import TargetScope
    from espshell.shell.session import Session

VERBS = Registry("Memory")
_OFF = "off"

# Compiled when first used, not at every start.
_ASSIGNMENT = r"(?s)(?P<name>\.?[A-Za-z_][\w.]*)=(?!=)(?P<value>.*)"
_NAME = r"\.?[\w.*?!\[\]-]+"


class Request(NamedTuple):
    """One word of ``reg``: a full name or pattern, and perhaps what it is to be set to."""

    name: str
    value: expr.Expr | None = None
    choices: bool = False
    """Whether ``=?`` asks what there is to choose from."""

    @property
    def is_pattern(self) -> bool:
        """Whether it stands for several registers by ``*``, ``?`` or ``[]``."""
        return any(char in self.name for char in "*?[")


def _parse_requests(texts: Sequence[str]) -> tuple[Request, ...]:
    """Take the words apart. Raises: UsageError where a register or a value is missing."""
    requests: list[Request] = []
    for text in texts:
        match = re.fullmatch(_ASSIGNMENT, text)
        name = match["name"] if match else text
        if re.fullmatch(_NAME, name) is None:
            raise UsageError(
                f"`{text}` is not the name of a register", hint="for example `UART0.CONF0`"
            )
        if name.startswith("."):
            register = ".".join(requests[-1].name.split(".")[:2]) if requests else ""
            if register.count(".") != 1:
                raise UsageError(
                    f"`{name}` is a field without a register", hint="name the register first"
                )
            name = register + name
        value = match["value"].strip() if match else None
        if value == "":
            raise UsageError(f"`{text}` has no value", hint=f"`{name}=?` lists what there is")
        is_question = value == "?"
        parsed = expr.parse(value) if value and not is_question else None
        requests.append(Request(name, parsed, choices=is_question))
    return tuple(requests)


def _request_names(parsed: tuple[Request, ...]) -> tuple[str, ...]:
    """Return the names that must be known; a lone name as value may be one of the field's."""
    values = [r.value for r in parsed if r.value is not None and r.value.lone_name() is None]
    return (
        *(request.name for request in parsed if not request.is_pattern),
        *(name for value in values for name in value.names()),
    )


def _complete_requests(at: Unfinished) -> Iterable[Completed]:
    """Offer registers, fields (``.F`` of the register before), and the values of a field."""
    last = ""
    for word in (*at.before, at.word):
        name = word.partition("=")[0]
        register = ".".join(last.split(".")[:2])
        last = register + name if name.startswith(".") else name
    typed, equals, value = at.word.partition("=")
    if equals:
        match = cast("TargetScope", at.scope).field(last)
        for number, word in match[1].values if match else ():
            yield Offer(word, f"{number}", value)
        yield Offer("?", "list what there is", value)
        if value:
            yield from complete_names(value, at.scope)
    elif typed.startswith("."):
        for one in offer_names(last, at.scope):
            yield Offer(f".{one.text.rpartition('.')[2]}", one.about)
    else:
        yield from complete_names(typed, at.scope)


REQUESTS: ArgType[tuple[Request, ...], tuple[Request, ...]] = ArgType(
    "registers and fields",
    _parse_requests,  # what a value means depends on its field
    names=_request_names,
    complete_at=_complete_requests,
    most=999,
    raw=True,
    label="PATTERN|P.R[.F][=V]",
)
"""Names of registers and fields, each perhaps with ``=VALUE``; ``.F`` is of the one before."""


@VERBS.add("reg", options=[DRY_RUN], needs="memory")
def reg(
    session: Session,
    requests: Annotated[tuple[Request, ...], REQUESTS],
    *,
    unverified: Unverified = False,
    check: Check = False,
    force: Annotated[
        bool, Option("--force", "also read write-only and write read-only registers")
    ] = False,
) -> Result:
    """Show registers field by field, or set fields.

    `reg UART0.CONF0` shows a register and its fields, `reg UART0.*` all registers that can be read
    without side effects. `reg UART0.CONF0.PARITY=1 .PARITY_EN=0` is a single masked write, read
    back like a poke. `reg UART0.CONF0.PARITY=?` lists the possible values.

    Example: reg UART0.CONF0
    Example: reg UART0.CONF0.PARITY=1
    """
    registers.tables(session.chip.memory)
    if any(request.choices for request in requests):
        if len(requests) > 1:
            raise UsageError("`=?` stands alone")
        register, field = _meant(session, requests[0].name)
        return registers.FieldList(register, (field,) if field else register.fields)
    if any(request.value is not None for request in requests):
        verify = session.settings.verify and not unverified
        return _write(session, requests, verify=verify, force=force)
    check = check or session.settings.check
    return _read(session, requests, check=check, force=force)


PATTERN = replace(TEXT, complete=lambda text, scope: offer_names(text, scope))
"""A part of names, a peripheral or a pattern."""


@VERBS.add("regs", needs="chip")
def regs(session: Session, pattern: Annotated[str, PATTERN] = "") -> registers.RegisterList:
    """List peripherals or registers without reading them.

    Search by part of a name, by peripheral, or by a pattern with `*` and `?`.

    Example: regs UART0
    """
    return registers.list_registers(session.chip.memory, pattern)


SVD = replace(
    TEXT,
    kind="SVD file",
    complete=lambda text, scope: ((_OFF, "the built-in tables"), *complete_files(text, scope)),
    label="FILE|off",
)
"""The name of an SVD file, or ``off``."""


@VERBS.add("svd", traits=Trait.SYMBOLS)
def svd(
    session: Session, file: Annotated[str, SVD] = ""
) -> registers.SvdTables | registers.BuiltInTables:
    """Load register definitions from an SVD file, or return to the built-in ones (off).

    svd chip.svd; svd off; svd alone shows what is in use. Arrays, clusters, derived peripherals and
    enumerated values are supported: `reg UART0.CONF0` shows them, `reg UART0.CONF0.PARITY=?` lists
    them. The file stays in use until the session ends, whatever is connected.

    Example: svd board.svd
    """
    if file.lower() == _OFF:
        session.svd = None
    elif file:
        session.svd = registers.load_svd(files.path_of(file))
    session.apply_settings()
    return session.svd or registers.BuiltInTables()


def _read(session: Session, requests: Sequence[Request], *, check: bool, force: bool) -> Result:
    memory, scope = session.chip.memory, session.scope
    if len(requests) == 1 and not requests[0].is_pattern:
        name = requests[0].name
        if scope.peripheral(name) is None:
            register, field = _meant(session, name)
            return registers.read_register(memory, register, field, check=check, force=force)
    registers_to_read: list[Register] = []
    for request in requests:
        peripheral = None if request.is_pattern else scope.peripheral(request.name)
        if request.is_pattern or peripheral:
            pattern = peripheral.name if peripheral else request.name
            registers_to_read += registers.list_registers(memory, pattern).registers
        else:
            registers_to_read.append(_meant(session, request.name)[0])
    chosen = tuple(dict.fromkeys(registers_to_read))
    return registers.read_registers(memory, chosen, check=check, force=force)


def _write(
    session: Session, requests: Sequence[Request], *, verify: bool, force: bool
) -> registers.FieldWrite:

    if any(request.value is None for request in requests):
        raise UsageError("either all of these are set, or none", hint="write NAME=VALUE for each")
    targets = [(*_meant(session, request.name), request) for request in requests]
    register = targets[0][0]
    if any(other != register for other, _, _ in targets):
        raise UsageError("these are of several registers", hint="one command sets those of one")
    memory = session.chip.memory
    values = [(field, _value(session, field, request)) for _, field, request in targets]
    fields = [(field, value) for field, value in values if field is not None]
    if len(fields) == len(values):
        return registers.write_fields(memory, register, fields, verify=verify, force=force)
    if len(values) > 1:
        raise UsageError(f"{register.full_name} is set as a whole or by its fields, not both")
    value = values[0][1]
    return registers.write_register(memory, register, value, verify=verify, force=force)


def _meant(session: Session, name: str) -> tuple[Register, BitField | None]:
    """Return the register of a name, and the field if it is that of one."""
    scope = session.scope
    register = scope.register(name)
    if register is not None:
        return register, None
    match = scope.field(name)
    if match is not None:
        return match
    whole, _, last = name.rpartition(".")
    register = scope.register(whole)
    if register is not None:
        return register, registers.field_named(register, last)
    raise expr.unknown_name(name, scope.suggest(name))


def _value(session: Session, field: BitField | None, request: Request) -> int:
    """Return the new value of a field: one of its own names, or an expression."""
    if request.value is None:
        raise UsageError(f"{request.name} has no value")
    name = request.value.lone_name()
    named = field.number(name) if field and name else None
    return request.value.evaluate(session.scope) if named is None else named

"""sr, sfdp, spi, and esptool's names for what is done to the flash's status registers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

from espshell import files
from espshell.errors import EspError, UsageError
from espshell.nor import layout, parts
from espshell.nor import plan as planning
from espshell.nor import settings as typed
from espshell.ops.flash import sfdp
from espshell.ops.status import registers as ops
from espshell.records import dataclass, replace
from espshell.render.document import Block, Document
from espshell.render.status import change
from espshell.render.view import View
from espshell.shell.arguments.flash import erasable
from espshell.shell.arguments.places import Extent
from espshell.shell.arguments.types import (
    FILE,
    INPUT_FILE,
    TEXT,
    Completed,
    Offer,
    Unfinished,
    checked,
    many,
)
from espshell.shell.declaration import DRY_RUN, Option
from espshell.shell.outcome import Presentation
from espshell.shell.registry import Registry
from espshell.shell.session import NOTHING_CHANGED, Session
from espshell.shell.terminal import grid
from espshell.span import Span

VERBS = Registry("Flash status")

MAY_BE_WRITTEN = "the status registers may have been written; `sr` shows them"


_RISK = "the board may no longer boot, or its flash may stay locked"


def _part(at: Unfinished) -> Iterator[parts.Part]:
    """Yield the flash part, asked for its id only if a person waits for it; none if it fails."""
    connection = cast("Session", at.state).connection
    if connection is not None and (connection.part or at.may_read):
        with contextlib.suppress(EspError):
            yield connection.identified().part


def _complete_fields(at: Unfinished) -> Iterable[Completed]:
    name, equals, value = at.word.partition("=")
    for part in _part(at):
        field = part.layout.field(name.upper()) if equals else None
        if field:
            words = field.values or tuple((n, str(n)) for n in range(min(field.most, 15) + 1))
            yield from (Offer(word, f"{field.name} {number}", value) for number, word in words)
        for field in () if equals else part.layout.fields:
            if field.kind.settable and field.register in part.written:
                yield f"{field.name}=", field.meaning


BITS = replace(
    TEXT,
    complete_at=lambda at: (
        (field.name, field.meaning) for part in _part(at) for field in part.layout.fields
    ),
)
"""The name of a field."""

FIELD_SETTINGS = replace(
    many(checked(TEXT, lambda text: typed.split(text))),
    kind="settings",
    complete_at=_complete_fields,
)
"""Settings of fields: NAME=VALUE.  Which names there are only the flash can tell."""


PART = replace(
    TEXT,
    complete=lambda text, scope: (
        (name, f"id {part.jedec_id:06x}") for part in parts.rows() for name in part.names
    ),
)

PartName = Annotated[
    str, Option("--part", "part number on the package, if the ID is ambiguous", PART)
]


@dataclass(frozen=True, slots=True)
class How:
    """The options of a change: how long it lasts, what a person insists on, of which part."""

    nv: Annotated[
        bool,
        Option(
            "--nv", "write non-volatile bits; otherwise lost at power-off where the part allows"
        ),
    ] = False
    otp: Annotated[
        str, Option("--otp", "allow one-time-programmable bits: give the part's full name", TEXT)
    ] = ""
    risk: Annotated[
        bool, Option("--risk", "allow, without a question, what can stop the board from booting")
    ] = False
    part: PartName = ""


@VERBS.add("sr", aliases=["sr show"], needs="memory")
def show(session: Session, *, part: PartName = "") -> Presentation:
    """Show the flash status registers bit by bit.

    Also shows the protected range, what locks the registers, and the settings in the form that `sr
    set` accepts.

    Example: sr
    """
    return Presentation(
        _status(session, part), partitions=lambda: session.connected.known_partitions
    )


@VERBS.add("sr bits", needs="memory")
def bits(
    session: Session, name: Annotated[str, BITS] = "", *, part: PartName = ""
) -> ops.StatusBits:
    """Explain the status register bits, or one of them.

    Example: sr bits QE
    """
    return ops.StatusBits(_status(session, part), name)


@VERBS.add("sr set", options=[DRY_RUN], needs="memory")
def set_fields(
    session: Session, settings: Annotated[tuple[str, ...], FIELD_SETTINGS], *, how: How
) -> ops.StatusChange | None:
    """Change fields: sr set QE=1 BP=0 DRV=50%.

    Shows the bits that would change, the resulting protection and the commands to be sent, then
    asks. The change is volatile where the part supports that, unless --nv is given. The registers
    are read back and must match.

    Example: sr set QE=1
    """
    identified = session.connected.identified(how.part or None)
    requested = typed.parse(identified.part, settings)
    return _change(session, identified, requested, how)


@VERBS.add("sr edit", options=[DRY_RUN], needs="memory")
def edit(session: Session, *, how: How) -> ops.StatusChange | None:
    """Edit bits in a grid: arrows move, Space toggles, Enter reviews, Escape leaves.

    Example: sr edit
    """
    if session.ask is None:
        raise UsageError("`sr edit` needs a terminal", hint="`sr set NAME=VALUE` works everywhere")

    current = _status(session, how.part)
    volatile = _volatile(current.identified, how)
    view = replace(session.output.view, partitions=session.connected.known_partitions)
    session.output.finished()
    requested = grid.edit(current, view, volatile=volatile, recolored=session.output.recolored)
    if requested is None:
        session.output.note(NOTHING_CHANGED)
        return None
    return _change(session, current.identified, requested, how)


@VERBS.add("sr protect", options=[DRY_RUN], needs="memory")
def protect(
    session: Session, region: Annotated[Extent, erasable(bare=True)], *, how: How
) -> ops.StatusChange | None:
    """Write-protect exactly a region, a partition or the whole flash (chip).

    Only the ranges that the part supports can be protected; `sr ranges` lists them.

    Example: sr protect flash:fctry
    """
    identified = session.connected.identified(how.part or None)
    return _change(session, identified, Span.of(region.address, region.size), how)


@VERBS.add("sr unprotect", options=[DRY_RUN], needs="memory")
def unprotect(session: Session, *, how: How) -> ops.StatusChange | None:
    """Remove write protection from the whole flash.

    Example: sr unprotect
    """
    identified = session.connected.identified(how.part or None)
    return _change(session, identified, Span(0, 0), how)


@VERBS.add("sr ranges", needs="memory")
def list_ranges(session: Session, *, part: PartName = "") -> ops.Ranges:
    """List the ranges that the part can protect and the settings for each.

    Example: sr ranges
    """
    return ops.protection_ranges(session.flash(), session.connected.identified(part or None))


@VERBS.add("sr save", needs="memory")
def save(session: Session, file: Annotated[Path, FILE], *, part: PartName = "") -> ops.Status:
    """Save the status registers and the flash ID to a file.

    Example: sr save status.json
    """
    result = _status(session, part)
    contents = {
        "format": 1,
        "id": f"{result.identified.jedec_id:06x}",
        "part": result.part.name,
        "registers": {name: f"0x{value:02x}" for name, value in result.registers.items()},
    }
    files.write_bytes(file, (json.dumps(contents, indent=2) + "\n").encode())
    return result


@VERBS.add("sr restore", options=[DRY_RUN], needs="memory")
def restore(
    session: Session, file: Annotated[Path | None, INPUT_FILE] = None, *, how: How
) -> ops.StatusChange | None:
    """Restore the status registers from a file of `sr save`, or as this session found them.

    Example: sr save status.json; sr restore status.json
    """
    identified = session.connected.identified(how.part or None)
    first = session.first_looks.get(session.connected.flash_key())
    saved = _saved(file, identified) if file else first
    if saved is None:
        raise UsageError(
            "nothing was read from this flash before", hint="sr restore FILE takes a file"
        )
    now = _status(session, "").registers
    settings = []
    for register in identified.part.layout.registers:
        if register.name in saved and register.name in identified.part.written:
            burnt = (
                now[register.name] & register.mask(layout.BitKind.ONE_WAY) & ~saved[register.name]
            )
            if burnt:
                session.output.note(f"one-way bits of {register.name} stay 1: 0x{burnt:02x}")
            settings.append(typed.Setting(register.name, saved[register.name] | burnt))
    return _change(session, identified, settings, how)


@VERBS.add("sfdp", aliases=["sr sfdp"], needs="memory")
def show_sfdp(
    session: Session, *, raw: Annotated[bool, Option("--raw", "also show the raw bytes")] = False
) -> Presentation:
    """Decode the parameter tables of the flash (SFDP, JESD216).

    Example: sfdp
    """
    return Presentation(sfdp.read_sfdp(session.flash()), every_row=raw)


# --- what they share


def _status(session: Session, part: str) -> ops.Status:
    result = ops.read_status(session.flash(), session.connected.identified(part or None))
    session.first_looks.setdefault(session.connected.flash_key(), dict(result.registers))
    return result


def _volatile(identified: parts.Identified, how: How) -> bool:
    """Return whether a change is volatile. Raises: UsageError if it can only be permanent."""
    if how.nv:
        return False
    possible, why = parts.volatile_possible(identified)
    if not possible:
        raise UsageError(
            f"a change of this flash is permanent ({why})", hint="--nv writes it permanently"
        )
    return True


def _change(
    session: Session,
    identified: parts.Identified,
    request: Sequence[typed.Setting] | Span,
    how: How,
) -> ops.StatusChange | None:
    """Plan settings or a protected range, show the plan, ask as much as it needs, carry it out."""
    volatile, output, flash = _volatile(identified, how), session.output, session.flash()
    if isinstance(request, Span):
        ends = request.start, request.end
        plan = ops.plan_protection(flash, identified, *ends, volatile=volatile)
    else:
        plan = ops.plan_change(flash, identified, request, volatile=volatile)

    def preview(view: View) -> Iterator[Block]:
        table = session.connected.known_partitions
        return change.status_plan(plan, replace(view, partitions=table))

    if not plan.nothing_to_do:
        output.show(Document(preview, output.view))
    if plan.refusals:
        raise UsageError(plan.refusals[0], hint="; ".join(plan.refusals[1:]))
    keep_first_look(session, plan)
    if not plan.nothing_to_do:
        session.require_permission("writing status registers")
        require_confirmed(session, plan, otp=how.otp, risk=how.risk)
        kind = "until the flash loses power or is reset" if plan.volatile else "PERMANENTLY"
        if not may_write(session, f"write {kind}", volatile=plan.volatile):
            return None
    with session.changing(MAY_BE_WRITTEN):
        return ops.change_status(flash, plan)


def require_confirmed(session: Session, plan: planning.StatusPlan, *, otp: str, risk: bool) -> None:
    """Require that a person insists on what cannot be undone, or can stop a board from booting.

    Raises: UsageError.
    """
    part = plan.part
    for confirmation in plan.confirmations:
        one_way = confirmation.kind is planning.ConfirmationKind.ONE_WAY
        if one_way and not (otp and part.is_called(otp)):
            names = " or ".join(part.names)
            wrong = f"; this is no {otp}" if otp else ""
            raise UsageError(
                f"{confirmation.reason}: it can never be undone{wrong}",
                hint=f"--otp {names} confirms it with the part's full name",
            )
    risks = [c.reason for c in plan.confirmations if c.kind is planning.ConfirmationKind.DANGER]
    if not risks or risk or session.dry_run:
        return
    if session.ask is None:
        raise UsageError(f"{risks[0]}: {_RISK}", hint="--risk confirms that")
    if not session.ask(f"{'; '.join(risks)}: {_RISK}. Go on?"):
        raise UsageError(NOTHING_CHANGED)


def may_write(session: Session, what: str, *, volatile: bool) -> bool:
    """Ask whether registers shall be written; twice, if it cannot be undone by a power cycle."""
    sure = "it is permanent; really write"
    return session.may_destroy(what) and (volatile or session.may_destroy(sure))


def _saved(file: Path, identified: parts.Identified) -> dict[str, int]:
    """Return the registers of a file. Raises: UsageError if it is for another flash, or none."""
    try:
        contents: Any = files.parse_json(files.read_bytes(file, files.JSON))
        number = int(contents["id"], 16)
        registers = {str(name): int(text, 16) for name, text in contents["registers"].items()}
        if not registers or not all(0 <= value <= 0xFF for value in registers.values()):
            raise ValueError(registers)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{file} contains no status registers", hint="`sr save` writes such a file a file"
        ) from error
    if number != identified.jedec_id:
        raise UsageError(
            f"{file} is of another flash: {number:06x}, this one is {identified.jedec_id:06x}"
        )
    return registers


def keep_first_look(session: Session, plan: planning.StatusPlan) -> None:
    """Remember the registers that a plan has read, if this flash was not looked at before."""
    before = {register.name: register.before for register in plan.registers}
    session.first_looks.setdefault(session.connected.flash_key(), before)

"""sr, sfdp, spi, and esptool's names for what is done to the flash's status registers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from espshell.errors import UsageError, file_error
from espshell.nor import parts
from espshell.nor import settings as typed
from espshell.nor.plan import Gate, StatusPlan
from espshell.nor.settings import Setting
from espshell.ops import status as ops
from espshell.ops.save import new_file
from espshell.ops.sfdp import SpiAnswer, read_sfdp, read_sfdp_bytes, spi_command
from espshell.ops.status import Ranges, Status, StatusBytes
from espshell.shell.argtypes import Choice, File, Number, Positive, Span, Text, Texts
from espshell.shell.commands.flash import NOTHING_DONE, Erasable
from espshell.shell.registry import Option, Param, Registry
from espshell.units import count_text

if TYPE_CHECKING:
    from espshell.nor.parts import Identified
    from espshell.shell.display import Shown
    from espshell.shell.session import Session

VERBS = Registry()

GROUP = "Flash status"

_FORMAT = 1

_PART = Option("--part", "what is printed on the flash, if its id leaves it open", Text())
_CHANGE = (
    Option("--nv", "permanently, not only until the flash loses power"),
    Option("--otp", "set a one-way bit: the part's name typed out", Text()),
    Option("--risk", "yes to what can stop the board from booting, where nobody is asked"),
    _PART,
)


class Bytes(Texts):
    """Bytes in hexadecimal, one word or several."""

    def parse(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Check them. Raises: UsageError."""
        for text in texts:
            _byte_text(text)
        return tuple(texts)


@VERBS.add("sr", group=GROUP, options=[_PART], needs="memory")
def show(session: Session, *, part: str = "") -> Shown:
    """Show the flash's status registers bit by bit.

    What is protected, what locks the registers, and settings that can be typed back: `sr set`.
    """
    from espshell.render.status import status_lines
    from espshell.shell.display import Shown

    result = _status(session, part)
    output = session.output
    if not output.as_json:
        table = session.known_partitions
        output.lines(status_lines(result, table, width=output.width or 80, color=output.color))
    return Shown(result)


@VERBS.add("sr show", group=GROUP, options=[_PART], needs="memory", alias_of="sr")
def show_too(session: Session, *, part: str = "") -> Shown:
    """Show the flash's status registers, as `sr` does."""
    return show(session, part=part)


@VERBS.add(
    "sr bits",
    group=GROUP,
    params=[Param("name", Text(), optional=True)],
    options=[_PART],
    needs="memory",
)
def bits(session: Session, name: str = "", *, part: str = "") -> Shown:
    """Explain the bits of the registers, or one of them."""
    from espshell.render.status import bits_lines
    from espshell.shell.display import Shown

    result = _status(session, part)
    output = session.output
    lines = bits_lines(result, name, width=output.width or 80, color=output.color)
    if not output.as_json:
        output.lines(lines)
    return Shown(result)


@VERBS.add(
    "sr set",
    group=GROUP,
    params=[Param("settings", Texts())],
    options=list(_CHANGE),
    needs="memory",
)
def set_fields(
    session: Session,
    settings: tuple[str, ...],
    *,
    nv: bool = False,
    otp: str = "",
    risk: bool = False,
    part: str = "",
) -> Shown | None:
    """Change fields: sr set QE=1 BP=0 DRV=50%.

    Shows the bits that would change, what would be protected and what would be sent, and asks.
    Where the part has it the change is volatile, unless --nv is given. Reads back, and fails if a
    bit is not as wanted.
    """
    identified = _identified(session, part)
    wanted = typed.parse(identified.part, settings)
    volatile = _volatile(identified, nv)
    made = ops.plan_change(session.flash(), identified, wanted, volatile=volatile)
    return _change(session, made, otp=otp, risk=risk)


@VERBS.add("sr edit", group=GROUP, options=list(_CHANGE), needs="memory")
def edit(
    session: Session, *, nv: bool = False, otp: str = "", risk: bool = False, part: str = ""
) -> Shown | None:
    """Change bits in a grid: arrows, space, Enter to review, Escape to leave."""
    if session.ask is None:
        raise UsageError("`sr edit` is for a terminal", hint="`sr set NAME=VALUE` works everywhere")
    from espshell.shell import grid

    found = _status(session, part)
    volatile = _volatile(found.identified, nv)
    table, color = session.known_partitions, session.output.color
    wanted = grid.edit(found, table, color=color, volatile=volatile)
    if wanted is None:
        session.output.note(NOTHING_DONE)
        return None
    made = ops.plan_change(session.flash(), found.identified, wanted, volatile=volatile)
    return _change(session, made, otp=otp, risk=risk)


@VERBS.add(
    "sr protect",
    group=GROUP,
    params=[Param("region", Erasable(bare=True))],
    options=list(_CHANGE),
    needs="memory",
)
def protect(
    session: Session,
    region: Span,
    *,
    nv: bool = False,
    otp: str = "",
    risk: bool = False,
    part: str = "",
) -> Shown | None:
    """Protect exactly a region, a partition, or all (chip).

    Only ranges that the part has can be protected; `sr ranges` lists them.
    """
    identified = _identified(session, part)
    made = ops.plan_protection(
        session.flash(),
        identified,
        region.address,
        region.address + region.size,
        volatile=_volatile(identified, nv),
    )
    return _change(session, made, otp=otp, risk=risk)


@VERBS.add("sr unprotect", group=GROUP, options=list(_CHANGE), needs="memory")
def unprotect(
    session: Session, *, nv: bool = False, otp: str = "", risk: bool = False, part: str = ""
) -> Shown | None:
    """Lift the protection of the whole flash."""
    identified = _identified(session, part)
    volatile = _volatile(identified, nv)
    made = ops.plan_protection(session.flash(), identified, 0, 0, volatile=volatile)
    return _change(session, made, otp=otp, risk=risk)


@VERBS.add("sr ranges", group=GROUP, options=[_PART], needs="memory")
def list_ranges(session: Session, *, part: str = "") -> Ranges:
    """List the ranges that the part can protect, and the settings for each."""
    return ops.ranges(session.flash(), _identified(session, part))


@VERBS.add("sr save", group=GROUP, params=[Param("file", File())], options=[_PART], needs="memory")
def save(session: Session, file: Path, *, part: str = "") -> Status:
    """Write the registers to a file, with the id of the flash."""
    result = _status(session, part)
    contents = {
        "format": _FORMAT,
        "id": f"{result.identified.jedec_id:06x}",
        "part": result.part.name,
        "registers": {name: f"0x{value:02x}" for name, value in result.registers.items()},
    }
    with new_file(file) as temporary:
        temporary.write_text(json.dumps(contents, indent=2) + "\n", "utf-8")
    return result


@VERBS.add(
    "sr restore",
    group=GROUP,
    params=[Param("file", File(), optional=True)],
    options=list(_CHANGE),
    needs="memory",
)
def restore(
    session: Session,
    file: Path | None = None,
    *,
    nv: bool = False,
    otp: str = "",
    risk: bool = False,
    part: str = "",
) -> Shown | None:
    """Put the registers back: as in a file of `sr save`, or as this session found them."""
    identified = _identified(session, part)
    wanted = _saved(file, identified) if file else _first_look(session, identified)
    known = {each.name for each in identified.part.layout.registers} & identified.part.written
    settings = [Setting(name, value) for name, value in wanted.items() if name in known]
    volatile = _volatile(identified, nv)
    made = ops.plan_change(session.flash(), identified, settings, volatile=volatile)
    return _change(session, made, otp=otp, risk=risk)


@VERBS.add(
    "sfdp",
    group=GROUP,
    options=[Option("--raw", "show the bytes, too")],
    needs="memory",
)
def show_sfdp(session: Session, *, raw: bool = False) -> Shown:
    """Decode what the flash says of itself (SFDP, JESD216)."""
    from espshell.render.sfdp import raw_lines
    from espshell.render.text import render
    from espshell.shell.display import Shown

    result = read_sfdp(session.flash())
    output = session.output
    if not output.as_json:
        output.lines(render(result, color=output.color))
        if raw:
            output.lines(raw_lines(result, color=output.color))
    return Shown(result)


@VERBS.add(
    "sr sfdp",
    group=GROUP,
    options=[Option("--raw", "show the bytes, too")],
    needs="memory",
    alias_of="sfdp",
)
def show_sfdp_too(session: Session, *, raw: bool = False) -> Shown:
    """Decode what the flash says of itself, as `sfdp` does."""
    return show_sfdp(session, raw=raw)


@VERBS.add(
    "spi",
    group=GROUP,
    params=[Param("opcode", Number()), Param("data", Bytes(), optional=True)],
    options=[
        Option("--read", "bytes to read", Number()),
        Option("--address", "24 bits behind the opcode", Number()),
        Option("--dummy", "clocks before the data", Number()),
        Option("--force", "send also what may change something"),
    ],
    needs="memory",
)
def spi(
    session: Session,
    opcode: int,
    data: tuple[str, ...] = (),
    *,
    read: int = 0,
    address: int | None = None,
    dummy: int = 0,
    force: bool = False,
) -> SpiAnswer:
    """Send any command to the flash: spi 0x9f --read 3.

    Bytes are hexadecimal: spi 0x01 00 02 --force. What may write, erase, lock or change the way the
    flash listens is refused without --force.
    """
    sent = b"".join(_byte_text(text) for text in data)
    return spi_command(
        session.flash(),
        opcode,
        sent,
        read=read,
        address=address,
        dummy_bits=dummy,
        force=force,
    )


@VERBS.add(
    "read-flash-sfdp",
    group=GROUP,
    params=[Param("address", Number()), Param("count", Positive())],
    needs="memory",
    alias_of="sfdp",
)
def read_flash_sfdp(session: Session, address: int, count: int) -> SpiAnswer:
    """Read bytes of SFDP, as esptool does; of any number."""
    if not 0 <= address < 1 << 24:
        raise UsageError(f"{address:#x} is no address of 24 bits")
    flash = session.flash()
    return SpiAnswer(0x5A, "read SFDP", b"", read_sfdp_bytes(flash, address, count))


_COUNT = Option("--bytes", "how many: 1, 2 or 3 (2)", Choice("1", "2", "3"), into="count")


@VERBS.add(
    "read-flash-status",
    group=GROUP,
    options=[_COUNT, Option("--force", "send 35h and 15h whatever they mean here")],
    needs="memory",
    alias_of="sr",
)
def read_flash_status(session: Session, *, count: str = "2", force: bool = False) -> StatusBytes:
    """Read status bytes by 05h, 35h and 15h, as esptool does."""
    return ops.read_bytes(session.flash(), int(count), force=force)


@VERBS.add(
    "write-flash-status",
    group=GROUP,
    params=[Param("value", Number())],
    options=[
        _COUNT,
        Option("--non-volatile", "permanently (06h), not by 50h"),
        Option("--otp", "set a one-way bit: the part's name typed out", Text()),
        Option("--risk", "yes to what can stop the board from booting"),
    ],
    needs="memory",
    alias_of="sr set",
)
def write_flash_status(
    session: Session,
    value: int,
    *,
    count: str = "2",
    non_volatile: bool = False,
    otp: str = "",
    risk: bool = False,
) -> StatusBytes | None:
    """Write status bytes, as esptool does; but wait, compare and tell what changed.

    `sr set` changes single fields by the commands that the part wants.
    """
    size = int(count)
    if not 0 <= value < 1 << 8 * size:
        raise UsageError(f"{value:#x} does not fit into {count_text(size, 'byte')}")
    session.see_may_destroy("writing status registers")
    flash = session.flash()
    identified = _identified(session, "")
    read = ops.read_bytes(flash, size)
    made = _as_plan(session, identified, value, size)
    _keep_first_look(session, identified, made)
    unknown = ops.unknown_bits(identified, read.value, value, size)
    _see_gates(session, replace(made, gates=(*made.gates, *unknown)), otp=otp, risk=risk)
    loses = parts.loses_bits(identified.part, size)
    if loses:
        session.output.note(loses)
    kind = "permanently" if non_volatile else "until the flash loses power"
    digits = 2 * size
    question = f"write 0x{value:0{digits}x} over 0x{read.value:0{digits}x} {kind}"
    if not session.may_destroy(question):
        session.output.note(NOTHING_DONE)
        return None
    return ops.write_bytes(flash, value, size, non_volatile=non_volatile, identified=identified)


# --- what they share


def _identified(session: Session, part: str) -> Identified:
    return session.identified(part or None)


def _status(session: Session, part: str) -> Status:
    result = ops.status(session.flash(), _identified(session, part))
    session.first_looks.setdefault(result.identified.jedec_id, dict(result.registers))
    return result


def _volatile(identified: Identified, nv: bool) -> bool:
    """Say whether a change is to be volatile. Raises: UsageError if it can only be permanent."""
    if nv:
        return False
    possible, why = parts.volatile_possible(identified)
    if not possible:
        raise UsageError(
            f"a change of this flash is permanent ({why})", hint="--nv writes it permanently"
        )
    return True


def _change(session: Session, made: StatusPlan, *, otp: str, risk: bool) -> Shown | None:
    """Show a plan, ask as much as it needs, and carry it out."""
    from espshell.render.status import change_lines, plan_lines
    from espshell.shell.display import Shown

    output, flash = session.output, session.flash()
    table, width = session.known_partitions, output.width or 80
    if not (output.as_json or made.nothing_to_do):
        output.lines(plan_lines(made, table, width=width, color=output.color))
    if made.refusals:
        raise UsageError(made.refusals[0], hint="; ".join(made.refusals[1:]))
    _keep_first_look(session, session.identified(None), made)
    if not made.nothing_to_do:
        session.see_may_destroy("writing status registers")
        _see_gates(session, made, otp=otp, risk=risk)
        kind = "until the flash loses power or is reset" if made.volatile else "PERMANENTLY"
        if not session.may_destroy(f"write {kind}"):
            output.note(NOTHING_DONE)
            return None
    result = ops.change(flash, made)
    if not output.as_json:
        output.lines(change_lines(result, width=width, color=output.color))
    return Shown(result)


def _see_gates(session: Session, made: StatusPlan, *, otp: str, risk: bool) -> None:
    """See that a person has insisted on what cannot be undone, or can stop a board from booting.

    Raises: UsageError.
    """
    part = made.part
    for gate in made.gates:
        if gate.gate is Gate.ONE_WAY and not (otp and part.is_called(otp)):
            names = " or ".join(part.names)
            wrong = f"; this is no {otp}" if otp else ""
            raise UsageError(
                f"{gate.why}: it can never be undone{wrong}",
                hint=f"--otp {names} does it, with the name typed out",
            )
    risks = [gate.why for gate in made.gates if gate.gate is Gate.DANGER]
    if not risks or risk or session.dry_run:
        return
    if session.ask is None:
        raise UsageError(
            f"{risks[0]}: the board may not boot any more", hint="--risk says yes to that"
        )
    if not session.ask(f"{'; '.join(risks)}: the board may not boot any more. Go on?"):
        raise UsageError(NOTHING_DONE)


def _as_plan(session: Session, identified: Identified, value: int, count: int) -> StatusPlan:
    """Return what a write of bytes means for the named bits of the part, for its gates."""
    by_opcode = {each.read_opcode: each.name for each in identified.part.layout.registers}
    names = [by_opcode.get(opcode) for opcode in (0x05, 0x35, 0x15)[:count]]
    data = value.to_bytes(count, "little")
    wanted = [Setting(name, byte) for name, byte in zip(names, data, strict=True) if name]
    return ops.plan_change(session.flash(), identified, wanted, volatile=False)


def _saved(file: Path, identified: Identified) -> dict[str, int]:
    """Return the registers of a file. Raises: UsageError if it is for another flash, or none."""
    try:
        contents = json.loads(file.read_text("utf-8"))
        number = int(contents["id"], 16)
        registers = {str(name): int(text, 16) for name, text in contents["registers"].items()}
    except OSError as error:
        raise file_error("read", file, error) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{file} holds no status registers", hint="`sr save` writes such"
        ) from error
    if number != identified.jedec_id:
        raise UsageError(
            f"{file} is of another flash: {number:06x}, this one is {identified.jedec_id:06x}"
        )
    return registers


def _keep_first_look(session: Session, identified: Identified, made: StatusPlan) -> None:
    before = {each.name: each.before for each in made.registers}
    session.first_looks.setdefault(identified.jedec_id, before)


def _first_look(session: Session, identified: Identified) -> dict[str, int]:
    found = session.first_looks.get(identified.jedec_id)
    if found is None:
        raise UsageError(
            "nothing has been seen of this flash before", hint="sr restore FILE takes a file"
        )
    return found


def _byte_text(text: str) -> bytes:
    """Return the bytes of a word: ``0x02``, ``02`` or ``0002``."""
    digits = text.lower().removeprefix("0x")
    try:
        return bytes.fromhex(digits if len(digits) % 2 == 0 else f"0{digits}")
    except ValueError:
        raise UsageError(
            f"`{text}` is no byte", hint="two hexadecimal digits each: 01 ff"
        ) from None

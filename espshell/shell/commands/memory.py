"""peek, poke, dump, fill, save, and esptool's names for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espshell.chips import Kind
from espshell.device.memory import ADDRESS_SPACE
from espshell.errors import UsageError
from espshell.ops.chip import efuse as efuses
from espshell.ops.memory import save as saving
from espshell.ops.memory import words as memory
from espshell.ops.memory import writing
from espshell.records import replace
from espshell.render.hexdump import Hexdump
from espshell.shell.arguments.places import (
    ADDRESS,
    PLACE,
    REGION,
    WRITABLE_ADDRESS,
    WRITABLE_PLACE,
    WRITABLE_REGION,
    Extent,
    Location,
    region,
)
from espshell.shell.arguments.types import FILE, NUMBER, NUMBERS, POSITIVE
from espshell.shell.commands import flash as flash_commands
from espshell.shell.declaration import DRY_RUN, Option, Trait
from espshell.shell.outcome import Presentation, shown
from espshell.shell.registry import Registry
from espshell.signals import Terminated
from espshell.units import WORD, size_text

if TYPE_CHECKING:
    from espshell.ops.flash.load import Written
    from espshell.shell.session import Session

VERBS = Registry("Memory")
DUMP_SIZE = 256
"""Bytes that `dump ADDRESS` shows."""

_MARKED_SIZE = 64 * 1024  # dumps up to this are remembered, to mark what has changed

_LABELLED_SIZE = 1024  # dumps up to this name registers; in longer ones equal rows shall be one

Check = Annotated[bool, Option("--check", "read twice and compare")]
Force = Annotated[bool, Option("--force", "skip the memory map check")]
Unverified = Annotated[bool, Option("--no-verify", "do not read back")]


def by_width(name: str, *widths: int) -> dict[str, dict[str, object]]:
    """Return the variants of a command whose names end in the width of a value."""
    return {f"{name}{width}": {"width": width} for width in widths}


@VERBS.add("peek", variants=by_width("peek", 8, 16, 32), needs="memory")
def peek(
    session: Session,
    place: Annotated[Location, PLACE],
    count: Annotated[int, POSITIVE] = 1,
    *,
    width: int = 32,
    check: Check = False,
    force: Force = False,
) -> memory.Peek:
    """Read memory and show it in hexadecimal and decimal.

    The bus reads 32-bit words; peek8 and peek16 read the enclosing word and show part of it. RAM
    and ROM are read twice; registers only with --check. A single register is shown with its fields.
    An empty Enter continues at the next address.

    Example: peek DRAM 4
    Example: peek UART0.CLKDIV
    """
    at, size = place.address, count * width // 8
    space = session.space(place.space, size)
    checked = check or session.settings.check
    result = memory.peek(space, at, count, width=width, check=checked, force=force)
    is_word = count == 1 and width == 32 and place.space == "mem"
    if is_word and (registers := writing.registers_at(session.chip.memory, at)):
        result = replace(result, register=registers[0])
    if place.space == "efuse" and place.name:
        text = efuses.show(session.chip, place.name)
        if isinstance(text, efuses.FuseDetail):
            result = replace(result, notes=(*result.notes, f"{place.name}: {text.value.text}"))
    if session.symbols and place.space == "mem":
        labels = tuple(session.symbol_at(at + i * width // 8) for i in range(count))
        result = replace(result, labels=labels)
    session.go_on_with(f"peek{width} {place.typed(at + size)} {count}", check=check, force=force)
    return result


@VERBS.add(
    "poke",
    options=[DRY_RUN],
    traits=Trait.PARTITIONS,
    variants=by_width("poke", 8, 16, 32),
    needs="memory",
)
def poke(
    session: Session,
    place: Annotated[Location, WRITABLE_PLACE],
    value: Annotated[tuple[int, ...], NUMBERS],
    *,
    width: int = 32,
    mask: Annotated[int | None, Option("--mask", "write only these bits", NUMBER)] = None,
    unverified: Unverified = False,
    force: Force = False,
) -> memory.Poke | Written | None:
    """Write memory; shows the old value, the new one and the changed bits.

    Several values go to consecutive addresses. A masked or narrow write is a single command; the
    chip applies the mask. The result is read back and must match, except where reading changes a
    register. In flash the sector is read, erased and rewritten.

    Example: poke DRAM 0x12345678
    Example: poke8 (DRAM + 1) 0xff
    """
    if place.space == "flash":
        if mask is not None:
            raise UsageError("--mask is for memory; flash is written in sectors")
        data = memory.packed(value, width)
        return flash_commands.write_flash(session, place, data, "a poke", force=force)
    return memory.poke(
        session.chip.memory,
        place.address,
        value,
        width=width,
        mask=mask,
        verify=session.settings.verify and not unverified,
        force=force,
    )


@VERBS.add("dump", variants=by_width("dump", 8, 16, 32, 64), needs="memory")
def dump(
    session: Session,
    region: Annotated[Extent, region(DUMP_SIZE)],
    *,
    width: int = 8,
    every_row: Annotated[bool, Option("--all", "show repeated rows too")] = False,
    check: Check = False,
    force: Force = False,
) -> Presentation:
    """Show a range as a hexdump, row by row as it arrives.

    Any size and alignment. Repeated rows are folded into one line with a count; bytes that changed
    since a dump last showed them are marked. An address alone shows 256 bytes. An empty Enter
    continues at the end, or where Ctrl-C stopped it.

    Example: dump DRAM 64
    Example: dump32 flash:parttable 32
    """
    space = session.space(region.space, region.size)
    settings, output = session.settings, session.output
    dumps, is_marked = session.connected.dumps, region.size <= _MARKED_SIZE
    rows = Hexdump(
        region.address,
        b"",
        width,
        squeeze=settings.squeeze and not every_row,
        before=dumps.recall(region.space, region.address, region.size) if is_marked else None,
        label=lambda address: _label(session, region, address),
    )

    def go_on(address: int, size: int) -> None:
        line = f"dump{width} {region.typed(address)} {size}"
        session.go_on_with(line, all=every_row, check=check, force=force)

    shown_size = 0
    try:
        with output.dumping(rows, region.size) as sink:

            def show(piece: bytes) -> None:
                nonlocal shown_size
                sink(piece)
                shown_size += len(piece)

            result = memory.dump(
                space,
                region.address,
                region.size,
                width=width,
                check=check or settings.check,
                force=force,
                report=output.progress,
                sink=show,
            )
    except KeyboardInterrupt:
        go_on(region.address + shown_size, region.size - shown_size)
        raise
    if is_marked:
        dumps.keep(region.space, region.address, result.data)
    go_on(region.end, region.size)
    return shown(result)


def _label(session: Session, region: Extent, address: int) -> str:
    """Return the name at an address: of a partition, symbol, register or region."""
    if region.space == "flash":
        return session.connected.partition_name(address)
    if region.space == "efuse":
        return session.chip.efuse.block_name(address)
    if name := session.symbol_at(address, offset=region.size <= _LABELLED_SIZE):
        return name
    area = session.chip.chip.region_at(address)
    if area is None or area.kind is not Kind.PERIPHERAL:
        return area.name if area else ""
    tables = session.scope.tables
    if tables is None:
        return area.name
    if region.size > _LABELLED_SIZE:
        return next((peripheral.name for peripheral in tables.around(address)), area.name)
    return tables.label(address) or area.name


@VERBS.add(
    "fill",
    options=[DRY_RUN],
    traits=Trait.PARTITIONS,
    variants=by_width("fill", 8, 16, 32),
    needs="memory",
)
def fill(
    session: Session,
    region: Annotated[Extent, WRITABLE_REGION],
    value: Annotated[int, NUMBER],
    *,
    width: int = 32,
    unverified: Unverified = False,
    force: Force = False,
) -> memory.Fill | Written | None:
    """Fill a range with a value; fill8 fills with a byte.

    RAM is written in checksummed blocks, registers word by word, flash by whole sectors whose other
    bytes are kept. The range is read back and must match.

    Example: fill DRAM 256 0xffffffff
    """
    if region.space == "flash":
        session.chip.flash.check(region.address, region.size)
        memory.check_aligned("fill", region.size, width)
        data = memory.packed((value,), width) * (region.size * 8 // width)
        place = Location(region.address, "flash")
        return flash_commands.write_flash(session, place, data, "a fill", force=force)
    verify = session.settings.verify and not unverified
    return memory.fill(
        session.chip.memory,
        region.address,
        region.size,
        value,
        width=width,
        verify=verify,
        force=force,
        report=session.output.progress,
    )


@VERBS.add("save", needs="memory")
def save_region(
    session: Session,
    region: Annotated[Extent, REGION],
    file: Annotated[Path, FILE],
    *,
    resume: Annotated[
        bool, Option("--resume", "continue from the FILE.part of an interrupted save")
    ] = False,
    check: Check = False,
    force: Force = False,
) -> saving.Saved:
    """Read a range into a file: raw bytes, or Intel HEX (.hex).

    The file appears complete or not at all. If reading flash stops half-way, what was read stays in
    FILE.part.

    Example: save flash:nvs nvs.bin
    Example: save DRAM 4K ram.hex
    """
    flash = session.chip.flash
    if region.space == "flash" and region.address + region.size > flash.size:
        flash.check(region.address, region.size)  # before a stub is started for it
    try:
        return saving.save(
            session.space(region.space, region.size),
            region.address,
            region.size,
            file,
            resume=resume,
            check=check or session.settings.check,
            force=force,
            report=session.output.progress,
        )
    except (KeyboardInterrupt, Terminated):
        if region.space == "flash" and (held := saving.held_part(file)):
            text = f"{saving.part_of(file).name} holds the first {size_text(held)}"
            session.output.note(f"{text}; --resume continues it")
        raise


@VERBS.add("read-mem", needs="memory", alias_of="peek")
def read_mem(session: Session, address: Annotated[int, ADDRESS]) -> memory.Peek:
    """Read one word, as esptool does.

    Example: read-mem 0x3fc80000
    """
    return peek(session, Location(address), force=_is_unmapped(session, address, WORD))


@VERBS.add("write-mem", options=[DRY_RUN], needs="memory", alias_of="poke", traits=Trait.PARTITIONS)
def write_mem(
    session: Session,
    address: Annotated[int, WRITABLE_ADDRESS],
    value: Annotated[int, NUMBER],
    mask: Annotated[int | None, NUMBER] = None,
) -> memory.Poke | Written | None:
    """Write one word, perhaps under a mask, as esptool does; but read it back.

    Example: write-mem 0x3fc80000 0x12 0xff
    """
    force = _is_unmapped(session, address, WORD, write=True)
    return poke(session, Location(address), (value,), mask=mask, unverified=force, force=force)


@VERBS.add("dump-mem", needs="memory", alias_of="save")
def dump_mem(
    session: Session,
    address: Annotated[int, ADDRESS],
    size: Annotated[int, POSITIVE],
    file: Annotated[Path, FILE],
) -> saving.Saved:
    """Read a range into a file, as esptool does; but all of it, to the last byte.

    Example: dump-mem 0x3fc80000 64 ram.bin
    """
    force = _is_unmapped(session, address, size)
    return save_region(session, Extent(address, size), file, force=force)


def _is_unmapped(session: Session, address: int, size: int, *, write: bool = False) -> bool:
    """Return whether a range is none of the memory map's, with a note that it is sent all the same.

    For a write a range that cannot be written is none, too.  esptool asks no map.
    """
    memory, region = session.chip.memory, session.chip.chip.region_at(address)
    read_only = write and region is not None and region.kind not in (Kind.RAM, Kind.PERIPHERAL)
    try:
        memory.check(address, size, write=read_only)
    except UsageError as error:
        if not 0 <= address <= ADDRESS_SPACE - size:
            raise
        session.output.note(f"{error.message}; sent anyway, as esptool does")
        return True
    return False

"""Results as lines for a person; colour is a parameter, the words are the same without it.

The larger renderers are imported when something is to be shown by them, not at every start.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from itertools import zip_longest

from espshell.ops.chip.info import ChipId, Flash, Info, Mac, Security, SecurityReport
from espshell.ops.memory.copy import Copied
from espshell.ops.memory.diff import Difference, diff
from espshell.ops.memory.find import Found
from espshell.ops.memory.hash import Digest
from espshell.ops.memory.journal import Journaled
from espshell.ops.memory.save import Saved
from espshell.ops.memory.snapshot import Snapshot
from espshell.ops.memory.undo import Undone
from espshell.ops.memory.words import Dump, Fill, Peek, Poke
from espshell.ops.memory.writing import WriteResult
from espshell.render.homes import load_home
from espshell.render.journal import journal_rows, restored_line, snapshot_row
from espshell.render.theme import paint
from espshell.units import count_text, hex32, hex_width, size_text


@singledispatch
def render(result: object, *, color: bool = False) -> list[str]:
    """Return a result as lines, without line ends."""
    if load_home(result):
        return render(result, color=color)
    raise TypeError(f"no text form for {type(result).__name__}")


@render.register
def _(result: Peek, *, color: bool = False) -> list[str]:
    step = result.width // 8
    lines = [
        f"{paint(hex32(result.address + i * step), 'address', color=color)}  "
        f"{paint(hex_width(value, result.width), 'value', color=color)}  {value}"
        + (f"  {paint(label, 'label', color=color)}" if label else "")
        for i, (value, label) in enumerate(zip_longest(result.values, result.labels))
    ]
    if result.register is not None and result.register.access.readable:
        from espshell.render.registers import field_rows

        lines[0] += f"  {paint(result.register.full_name, 'name', color=color)}"
        lines += field_rows(result.register.fields, result.values[0], color=color)
    return lines


@render.register
def _(result: Poke, *, color: bool = False) -> list[str]:
    from espshell.render.bits import bit_diff

    lines: list[str] = []
    step = result.width // 8
    for i, wanted in enumerate(result.wanted):
        address = result.address + i * step
        if result.old is None or result.new is None:
            lines.append(
                f"{paint(f'{address:08x}', 'address', color=color)}  "
                f"{paint(hex_width(wanted & result.mask, result.width), 'value', color=color)}"
                f"   {_unread(dry_run=result.dry_run)}"
            )
            continue
        title = f"{address:08x}"
        old, new = result.old[i], result.new[i]
        lines += bit_diff(old, new, width=result.width, title=title, color=color)
    return lines


@render.register
def _(result: Dump, *, color: bool = False) -> list[str]:
    from espshell.render.hexdump import Hexdump

    dump = Hexdump(result.address, result.data, result.width)
    return dump.text(color=color).splitlines()


@render.register
def _(result: Fill, *, color: bool = False) -> list[str]:
    end = result.address + result.size
    count = count_text(result.size * 8 // result.width, f"{result.width}-bit value")
    told = _outcome(result)
    lines = _would_change(result.address, result.old, result.data, color) if result.dry_run else []
    return [
        *lines,
        f"{hex32(result.address)}..{hex32(end)}  {count} {hex_width(result.value, result.width)}"
        f"  ({size_text(result.size)}, {told})",
    ]


def _outcome(result: WriteResult) -> str:
    """Return how a write to memory ended, in two words."""
    if result.dry_run:
        return "dry run"
    if not result.ok:
        return "not as written"
    return "read back" if result.verified else "not read back"


def _unread(*, dry_run: bool) -> str:
    return "not sent (dry run)" if dry_run else "written, not read back"


def _would_change(address: int, old: bytes | None, new: bytes, color: bool) -> list[str]:
    """Return what a write that was not sent would change, where that is known."""
    from espshell.render.diff import difference_lines

    if old is None:
        return []
    return difference_lines(diff(old, new, address=address), color=color)


@render.register
def _(result: Copied, *, color: bool = False) -> list[str]:
    size = len(result.data)
    told = _outcome(result)
    lines = _would_change(result.to, result.old, result.data, color) if result.dry_run else []
    return [
        *lines,
        f"{hex32(result.address)}..{hex32(result.address + size)} → "
        f"{hex32(result.to)}..{hex32(result.to + size)}  ({size_text(size)}, {told})",
    ]


@render.register
def _(result: Found, *, color: bool = False) -> list[str]:
    from espshell.render.find import found_lines

    return found_lines(result, color=color)


@render.register
def _(result: Difference, *, color: bool = False) -> list[str]:
    from espshell.render.diff import difference_lines

    return difference_lines(result, color=color)


@render.register
def _(result: Digest, *, color: bool = False) -> list[str]:
    span = f"{hex32(result.address)}..{hex32(result.address + result.size)}"
    return [f"{paint(result.digest, 'value', color=color)}  {result.algorithm} of {span}"]


@render.register
def _(result: Snapshot, *, color: bool = False) -> list[str]:
    return table([snapshot_row(result)], color=color)


@render.register
def _(result: Journaled, *, color: bool = False) -> list[str]:
    return table(journal_rows(result), color=color)


@render.register
def _(result: Undone, *, color: bool = False) -> list[str]:
    return [restored_line(write, color=color) for write in result.writes]


@render.register
def _(result: Saved, *, color: bool = False) -> list[str]:
    end = result.address + result.size
    return [f"{result.path}  {size_text(result.size)} of {hex32(result.address)}..{hex32(end)}"]


@render.register
def _(result: Mac, *, color: bool = False) -> list[str]:
    return [paint(result.mac, "value", color=color)]


@render.register
def _(result: ChipId, *, color: bool = False) -> list[str]:
    return table(
        [
            (
                "chip id",
                f"none: an {result.chip} has but its MAC"
                if result.chip_id is None
                else hex32(result.chip_id),
            ),
            ("MAC", result.mac),
        ],
        color=color,
    )


@render.register
def _(result: Info, *, color: bool = False) -> list[str]:
    revision = "revision v{}.{}".format(*result.revision) if result.revision else ""
    crystal = f"{result.crystal_mhz} MHz" if result.crystal_mhz else ""
    rows = [
        ("chip", ", ".join(filter(None, (result.description, revision)))),
        ("features", ", ".join(result.features)),
        ("crystal", crystal),
        ("MAC", result.mac or ""),
        ("EUI-64", result.eui64 or ""),
        ("chip id", hex32(result.sdk_id) if result.sdk_id is not None else ""),
        ("flash", _flash(result.flash) if result.flash else ""),
        ("security", _security(result.security) if result.security else ""),
        ("loader", f"{result.loader} on {result.port} at {result.baud} baud"),
    ]
    return table([row for row in rows if row[1]], color=color)


@render.register
def _(result: SecurityReport, *, color: bool = False) -> list[str]:
    security = result.security
    purposes = [f"key {n}: {text}" for n, text in enumerate(security.key_purposes)]
    rows = [
        ("chip id", "" if result.chip_id is None else str(result.chip_id)),
        ("secure boot", _switch(security.secure_boot)),
        (
            "flash encryption",
            f"{_switch(security.flash_encryption)} (count {security.flash_crypt_count:#x})",
        ),
        ("secure download", _switch(security.secure_download)),
        ("flags", " ".join(security.flags)),
        ("key purposes", ", ".join(purposes)),
    ]
    return table([row for row in rows if row[1]], color=color)


@render.register
def _(result: Flash, *, color: bool = False) -> list[str]:
    from espshell.nor import makers

    maker = makers.name(result.id) or "maker not known"
    size = size_text(result.size) if result.size else "size not known"
    return [f"{paint(f'{result.id:06x}', 'value', color=color)}  {maker}, {size}"]


def _flash(flash: Flash) -> str:
    size = size_text(flash.size) if flash.size else "size not known"
    return f"{size} (id {flash.id:06x})"


def _security(security: Security) -> str:
    told = [
        f"secure boot {_switch(security.secure_boot)}",
        f"flash encryption {_switch(security.flash_encryption)}",
    ]
    if security.secure_download:
        told.append("secure download mode (memory cannot be reached)")
    if security.flags:
        told.append(f"flags {' '.join(security.flags)}")
    return ", ".join(told)


def _switch(on: bool) -> str:
    return "on" if on else "off"


def table(rows: Sequence[tuple[str, ...]], *, color: bool = False) -> list[str]:
    """Return rows of cells as aligned lines; the first column is a name.

    Not a table of rich, whose import costs a quarter of the time that the shell has to start.
    """
    widths = [max(len(cell) for cell in column) for column in zip_longest(*rows, fillvalue="")]
    return [
        "  ".join(
            [
                paint(row[0], "name", color=color) + " " * (widths[0] - len(row[0])),
                *(cell.ljust(width) for cell, width in zip(row[1:], widths[1:], strict=False)),
            ]
        ).rstrip()
        for row in rows
    ]

"""What a flash chip says of itself in SFDP: decoded, as JSON, and as bytes; and its raw answers.

What a table does not reach (nine words of 2011 end before QE) is ``not said``, never "no".
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from espshell.nor.bfpt import Basic, Duration, EraseType, FastRead
from espshell.nor.sfdp import Sfdp
from espshell.ops.flash.sfdp import SfdpRead, SpiAnswer
from espshell.render.cells import COLUMNS, labelled
from espshell.render.hexdump import HexWriter
from espshell.render.json import Json, to_json
from espshell.render.text import render, table
from espshell.render.theme import paint
from espshell.units import count_text, size_text

_REVISIONS = {0: "2011", 5: "JESD216A", 6: "JESD216B", 7: "JESD216C", 8: "JESD216D"}
_NOT_SAID = "not said"
_SUSPEND, _POWER_DOWN = 13, 14
"""Words without which a table says nothing of these."""
_TEXT = 66
"""Columns of what stands behind a label."""


def sfdp_lines(result: SfdpRead, *, color: bool = False) -> list[str]:
    """Return the tables and what the basic one says; nothing if there is no SFDP.

    ``SfdpRead.failure`` says what is there instead.
    """
    found = result.table
    if found is None:
        return []
    rows = [("SFDP", _revision(found)), *_tables(found)]
    if found.basic:
        rows += _basic(found.basic)
    lines = table(list(_wrapped(rows)), color=color)
    for text in found.problems:
        lines += labelled("problem", text, width=COLUMNS, style="error", color=color)
    return lines


def raw_lines(result: SfdpRead, *, color: bool = False) -> list[str]:
    """Return the bytes as a hexdump from address 0; what was not read is FF."""
    writer = HexWriter(0, color=color)
    return (writer.feed(result.data) + writer.finish()).splitlines()


@render.register
def _(result: SfdpRead, *, color: bool = False) -> list[str]:
    return sfdp_lines(result, color=color)


@to_json.register
def _(result: SfdpRead) -> Json:
    found = result.table
    if found is None:
        return {"found": False, "data": result.data.hex()}
    return {
        "found": True,
        "revision": list(found.revision),
        "tables": [
            {
                "id": each.id,
                "name": each.name,
                "revision": list(each.revision),
                "address": each.address,
                "words": list(each.words),
            }
            for each in found.tables
        ],
        "basic": _basic_json(found.basic) if found.basic else None,
        "problems": list(found.problems),
        "data": result.data.hex(),
    }


@render.register
def _(result: SpiAnswer, *, color: bool = False) -> list[str]:
    name = f"{result.opcode:02X}h {result.name}"
    sent = f", {result.sent.hex(' ')} sent" if result.sent else ""
    if result.dry_run:
        return [f"dry run: {name}{sent.replace(' sent', '')} was not sent"]
    if not result.data:
        return [f"{name}{sent or ', sent'}"]
    data = paint(result.data.hex(" "), "value", color=color)
    return [f"{name}{sent}", f"{data}  0x{result.data.hex()}  {result.last_value}"]


@to_json.register
def _(result: SpiAnswer) -> Json:
    return {
        "opcode": result.opcode,
        "name": result.name,
        "sent": result.sent.hex(),
        "data": result.data.hex(),
        "value": result.last_value if result.data else None,
        "dry_run": result.dry_run,
    }


# --- lines


def _wrapped(rows: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for label, text in rows:
        yield from _column(label, textwrap.wrap(text, _TEXT) if len(text) > _TEXT else [text])


def _revision(found: Sfdp) -> str:
    major, minor = found.revision
    known = f" ({_REVISIONS[minor]})" if major == 1 and minor in _REVISIONS else ""
    return f"{major}.{minor}{known}, {count_text(len(found.tables), 'table')}"


def _tables(found: Sfdp) -> Iterator[tuple[str, str]]:
    for each in found.tables:
        revision = "{}.{}".format(*each.revision)
        words = count_text(each.count, "word")
        yield "", f"{each.id:04x} {each.name} {revision}, {words} at 0x{each.address:x}"


def _basic(basic: Basic) -> Iterator[tuple[str, str]]:
    count = len(basic.words)
    yield "size", size_text(basic.size) if basic.size else "makes no sense"
    yield "page", size_text(basic.page_size) if basic.page_size else _NOT_SAID
    yield "address", f"{basic.address_bytes} bytes"
    yield from _column("erase", [_erase(each) for each in basic.erase_types])
    yield "chip erase", _time(basic.chip_erase)
    yield "program", f"page {_time(basic.page_program)}, first byte {_time(basic.byte_program)}"
    yield from _column("fast reads", [_fast_read(each) for each in basic.fast_reads])
    yield "others", f"QPI (4-4-4) {_yes(basic.qpi)}, double rate {_yes(basic.double_rate)}"
    if basic.enters_qpi_by_35h:
        yield "", "35h enters QPI, so it does not read SR2"
    yield "quad enable", basic.qer_text
    if basic.qer is not None:
        yield "", f"QER {basic.qer:03b}"
    yield "status write", basic.status_write
    yield "suspend", _pair(basic.suspend, "resumed by", said=count >= _SUSPEND)
    yield "power-down", _pair(basic.power_down, "left by", said=count >= _POWER_DOWN)
    yield "reset", basic.reset_text
    yield "HOLD#", f"can be switched off: {_yes(basic.hold_can_be_disabled)}"
    if basic.address_bytes != "3":
        yield "4 bytes", f"entered by {_either(basic.enters_four_bytes)}"
        yield "", f"left by {_either(basic.leaves_four_bytes)}"


def _column(label: str, texts: list[str]) -> Iterator[tuple[str, str]]:
    """Yield rows of which only the first has the label."""
    for index, text in enumerate(texts or [_NOT_SAID]):
        yield ("" if index else label), text


def _erase(each: EraseType) -> str:
    time = ""
    if each.typical_s is not None and each.maximum_s is not None:
        time = f"  {_time(Duration(each.typical_s, each.maximum_s))}"
    return f"{size_text(each.size):<8}{each.opcode:02X}h{time}"


def _fast_read(each: FastRead) -> str:
    mode, dummy = (
        count_text(count, noun)
        for count, noun in ((each.mode_clocks, "mode clock"), (each.dummy_clocks, "dummy clock"))
    )
    return f"{each.mode}   {each.opcode:02X}h  {mode}, {dummy}"


def _time(time: Duration | None) -> str:
    if time is None:
        return _NOT_SAID
    return f"{_seconds(time.typical_s)} (at most {_seconds(time.maximum_s)})"


def _seconds(value: float) -> str:
    for unit, name in ((1.0, "s"), (1e-3, "ms")):
        if value >= unit:
            return f"{value / unit:.4g} {name}"
    return f"{value / 1e-6:.4g} µs"


def _pair(opcodes: tuple[int, int] | None, word: str, *, said: bool) -> str:
    if opcodes is None:
        return "no" if said else _NOT_SAID
    return f"{opcodes[0]:02X}h, {word} {opcodes[1]:02X}h"


def _either(ways: tuple[str, ...]) -> str:
    return " or ".join(ways) or _NOT_SAID


def _yes(value: bool | None) -> str:
    return {True: "yes", False: "no", None: _NOT_SAID}[value]


# --- JSON


def _basic_json(basic: Basic) -> Json:
    return {
        "size": basic.size,
        "page_size": basic.page_size,
        "address_bytes": basic.address_bytes,
        "erase_types": [to_json(each) for each in basic.erase_types],
        "chip_erase": to_json(basic.chip_erase),
        "page_program": to_json(basic.page_program),
        "byte_program": to_json(basic.byte_program),
        "fast_reads": [to_json(each) for each in basic.fast_reads],
        "quad": basic.quad,
        "qpi": basic.qpi,
        "double_rate": basic.double_rate,
        "enters_qpi_by_35h": basic.enters_qpi_by_35h,
        "qer": basic.qer,
        "qer_text": basic.qer_text,
        "volatile_50h": basic.volatile_50h,
        "status_write": basic.status_write,
        "suspend": to_json(basic.suspend),
        "power_down": to_json(basic.power_down),
        "software_reset": basic.software_reset,
        "reset": basic.reset_text,
        "hold_can_be_disabled": basic.hold_can_be_disabled,
        "enters_four_bytes": list(basic.enters_four_bytes),
        "leaves_four_bytes": list(basic.leaves_four_bytes),
    }

"""What a flash chip says of itself in SFDP: decoded, as JSON, and as bytes; and its raw answers.

What a table does not reach (nine words of 2011 end before QE) is ``not said``, never "no".
"""

from __future__ import annotations

from collections.abc import Iterator

from espshell.nor.sfdp import Basic, Duration, Sfdp
from espshell.ops.flash.sfdp import SfdpRead, SpiAnswer
from espshell.render.document import Block, Labelled, Styled, Table, Text
from espshell.render.forms import Json, form, json_form, json_rows, pick
from espshell.render.hexdump import Hexdump
from espshell.render.view import View
from espshell.units import count_text, size_text

_REVISIONS = {0: "2011", 5: "JESD216A", 6: "JESD216B", 7: "JESD216C", 8: "JESD216D"}
_NOT_SAID = "not said"
_SUSPEND, _POWER_DOWN = 13, 14
"""Words without which a table says nothing of these."""


json_rows(
    Basic=(
        "size page_size address_bytes erase_types chip_erase page_program byte_program fast_reads"
        " quad qpi double_rate enters_qpi_by_35h qer qer_text volatile_50h status_write suspend"
        " power_down software_reset reset=reset_text hold_can_be_disabled enters_four_bytes"
        " leaves_four_bytes"
    ),
    SpiAnswer="opcode name sent data value=last_value dry_run",
    Table="id name revision address words",
)


@form
def sfdp_read(result: SfdpRead, view: View) -> Iterator[Block]:
    """Yield the tables and what the basic one says; the bytes, if every row is to be shown.

    Without SFDP nothing is decoded; ``SfdpRead.failure`` says what is there instead.
    """
    if result.table is not None:
        rows = list(_tables(result.table))
        if result.table.basic:
            rows += _basic(result.table.basic)
        yield Table(rows, wrap=True)
        for text in result.table.problems:
            yield Labelled("problem", text, style="error")
    if view.every_row:
        yield Hexdump(0, result.data)


@json_form
def sfdp_read_json(result: SfdpRead) -> Json:
    """Return what the tables say, and the bytes."""
    table = pick(result.table, "revision tables basic problems") if result.table else {}
    return {"found": result.table is not None, **table, **pick(result, "data")}


@form
def spi_answer(result: SpiAnswer, view: View) -> Iterator[Block]:
    """Yield the command, and what came."""
    name, data = f"{result.opcode:02X}h {result.name}", result.sent.hex(" ")
    if result.dry_run:
        yield Text(f"dry run: {name}{f', {data}' * bool(data)} was not sent")
        return
    sent = f", {data} sent" if data else "" if result.data else ", sent"
    yield Text(name, sent)
    if result.data:
        answer = Styled(result.data.hex(" "), "value")
        number = f"  {result.last_value}" if result.last_value is not None else ""
        yield Text(answer, f"  0x{result.data.hex()}{number}")


def _tables(table: Sfdp) -> Iterator[tuple[str, str]]:
    major, minor = table.revision
    standard = f" ({_REVISIONS[minor]})" if major == 1 and minor in _REVISIONS else ""
    yield "SFDP", f"{major}.{minor}{standard}, {count_text(len(table.tables), 'table')}"
    for entry in table.tables:
        revision = "{}.{}".format(*entry.revision)
        words = count_text(entry.count, "word")
        yield "", f"{entry.id:04x} {entry.name} {revision}, {words} at 0x{entry.address:x}"


def _basic(basic: Basic) -> Iterator[tuple[str, str]]:
    count = len(basic.words)
    yield "size", size_text(basic.size) if basic.size else "makes no sense"
    yield "page", size_text(basic.page_size) if basic.page_size else _NOT_SAID
    yield "address", f"{basic.address_bytes} bytes"
    erase = []
    for kind in basic.erase_types:
        time = ""
        if kind.typical_s is not None and kind.maximum_s is not None:
            time = f"  {_time(Duration(kind.typical_s, kind.maximum_s))}"
        erase.append(f"{size_text(kind.size):<8}{kind.opcode:02X}h{time}")
    yield from _column("erase", erase)
    yield "chip erase", _time(basic.chip_erase)
    yield "program", f"page {_time(basic.page_program)}, first byte {_time(basic.byte_program)}"
    fast_reads = [
        f"{read.mode}   {read.opcode:02X}h  {count_text(read.mode_clocks, 'mode clock')}, "
        f"{count_text(read.dummy_clocks, 'dummy clock')}"
        for read in basic.fast_reads
    ]
    yield from _column("fast reads", fast_reads)
    yield "others", f"QPI (4-4-4) {_yes(basic.qpi)}, double rate {_yes(basic.double_rate)}"
    if basic.enters_qpi_by_35h:
        yield "", "35h enters QPI, so it does not read SR2"
    yield "quad enable", basic.qer_text
    if basic.qer is not None:
        yield "", f"QER {basic.qer:03b}"
    yield "status write", basic.status_write
    yield "suspend", _pair(basic.suspend, "resumed by", is_given=count >= _SUSPEND)
    yield "power-down", _pair(basic.power_down, "left by", is_given=count >= _POWER_DOWN)
    yield "reset", basic.reset_text
    yield "HOLD#", f"can be switched off: {_yes(basic.hold_can_be_disabled)}"
    if basic.address_bytes != "3":
        ways = basic.enters_four_bytes, basic.leaves_four_bytes
        enters, leaves = (" or ".join(way) or _NOT_SAID for way in ways)
        yield from (("4 bytes", f"entered by {enters}"), ("", f"left by {leaves}"))


def _column(label: str, texts: list[str]) -> Iterator[tuple[str, str]]:
    """Yield rows of which only the first has the label."""
    for index, text in enumerate(texts or [_NOT_SAID]):
        yield ("" if index else label), text


def _time(time: Duration | None) -> str:
    if time is None:
        return _NOT_SAID
    return f"{_seconds(time.typical_s)} (at most {_seconds(time.maximum_s)})"


def _seconds(value: float) -> str:
    for unit, name in ((1.0, "s"), (1e-3, "ms")):
        if value >= unit:
            return f"{value / unit:.4g} {name}"
    return f"{value / 1e-6:.4g} µs"


def _pair(opcodes: tuple[int, int] | None, word: str, *, is_given: bool) -> str:
    if opcodes is None:
        return "no" if is_given else _NOT_SAID
    return f"{opcodes[0]:02X}h, {word} {opcodes[1]:02X}h"


def _yes(value: bool | None) -> str:
    return {True: "yes", False: "no", None: _NOT_SAID}[value]

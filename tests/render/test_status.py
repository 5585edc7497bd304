"""The picture of status registers: cells, carets, the bar over the flash, and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.errors import UsageError
from espshell.image import partitions
from espshell.image.partitions import PartitionTable
from espshell.loader.spi import FlashCommand
from espshell.nor import parts, plan, protection, settings
from espshell.nor.parts import Identified
from espshell.nor.plan import StatusPlan
from espshell.nor.protection import Protected
from espshell.ops.status import registers as ops
from espshell.ops.status.raw_bytes import StatusBytes
from espshell.ops.status.registers import Ranges, Status, StatusBits, StatusChange
from espshell.render import View, cells, flashbar, to_json
from espshell.render.document import LABEL
from espshell.render.status.change import plan_json, sent_text, status_plan
from espshell.span import Span
from espshell.units import KIB, MIB
from tests.loader.support import open_sim
from tests.render.support import drawn, drawn_blocks, uncoloured

TABLE = partitions.parse_csv(
    """\
nvs,data,nvs,0x9000,0x6000
phy_init,data,phy,0xf000,0x1000
ota_0,app,ota_0,0x10000,1M
ota_1,app,ota_1,0x110000,1M
storage,data,spiffs,0x210000,0x1f0000
"""
)

STATUS = """\
flash     ef4016  Winbond  W25Q32JV  4 MiB  no SFDP
layout    w25q: confirmed by two independent sources; protected ranges are
          computed, not from a datasheet
          7       6       5       4       3       2       1       0
SR1  05h  SRP0!   SEC     TB      BP2     BP1     BP0     wel     busy
          0       0       1       1       0       1       1       .       0x36
SR2  35h  sus     CMP     LB3*    LB2*    LB1*    -       QE      SRP1!
          .       0       0       0       0       .       1       0       0x02
SR3  15h  HRSW!   DRV1    DRV0    -       -       WPS!    -       -
          0       1       1       .       .       0       .       .       0x60
          * one-way  ! locks or may stop booting  . not settable
protected 0x000000..0x100000 (1 MiB, bottom; computed)
         [################................................................]
          0x000000                                                0x400000
          |bootloader, partition table, nvs, phy_init
           |ota_0----------|ota_1----------|storage-----------------------
covers    bootloader, partition table, nvs, phy_init; partly ota_0
lock      software: the registers can be written
volatile  possible: the part supports 50h
settings  sr set BP=5 TB=1 SEC=0 SRP0=0 SRP1=0 QE=1 LB1=0 LB2=0 LB3=0 CMP=0 \\
          WPS=0 DRV=25% HRSW=0"""

PLAN = """\
SR1  05h  SRP0!   SEC     TB      BP2     BP1     BP0     wel     busy
  before  0       0       0       0       0       0       .       .       0x00
   after  0       0       1       1       0       1       .       .       0x34
                          ^       ^               ^
          BP 0→5  TB 0→1
unchanged SR2 0x02  SR3 0x60
protected none (computed) → 0x000000..0x100000 (1 MiB, bottom; computed)
         [################................................................]
          0x000000                                                0x400000
          |bootloader, partition table, nvs, phy_init
           |ota_0----------|ota_1----------|storage-----------------------
protects  bootloader, partition table, nvs, phy_init; partly ota_0
warning   it is lost when the flash loses power or is reset (66h, 99h), as
          esptool does
write     volatile (50h): lost at power-off or when the flash is reset
sends     04 · 05 · 50 · 01 34 02 · 05"""

REFUSED = """\
SR2  35h  sus     CMP     LB3*    LB2*    LB1*    -       QE      SRP1!
  before  .       0       0       0       0       .       1       0       0x02
   after  .       0       0       0       1       .       1       0       0x0a
                                          ^
          LB1 0→1
unchanged SR1 0x00  SR3 0x60
one-way   LB1: locks security register 1; one-way: once 1 it stays 1; a security
          register becomes read-only for ever
refused   LB1 is one-way and cannot be set temporarily"""

MISMATCH = """\
SR2  35h  sus     CMP     LB3*    LB2*    LB1*    -       QE      SRP1!
  before  .       0       0       0       0       .       1       0       0x02
  wanted  .       0       0       0       0       .       0       0       0x00
     got  .       0       0       0       0       .       1       0       0x02
                                                          ^"""

HELD = {"SR1": 0x00, "SR2": 0x02, "SR3": 0x60}
EVERY = tuple(parts.identify(number, None) for number in {p.jedec_id for p in parts.rows()})


def known(name: str) -> Identified:
    """Return a part of the table."""
    part = parts.by_name(name)
    assert part is not None
    return parts.identify(part.jedec_id, None, name=name)


def planned(*texts: str, volatile: bool = True, name: str = "W25Q32JV") -> StatusPlan:
    found = known(name)
    typed = settings.parse(found.part, texts)
    return plan.make(found, HELD, typed, volatile=volatile)


def shown(found: Identified, value: int = 0) -> Status:
    """Return a flash all of whose registers hold a value."""
    return ops.explain_status(found, {each.name: value for each in found.part.layout.registers})


def status_lines(found: Status, table: PartitionTable | None = None, width: int = 80) -> list[str]:
    return drawn(found, View(width, partitions=table))


def bits_lines(found: Status, name: str = "") -> list[str]:
    return drawn(StatusBits(found, name))


def plan_lines(
    made: StatusPlan,
    table: PartitionTable | None = None,
    *,
    width: int = 80,
    color: bool = False,
) -> list[str]:
    view = View(width, color=color, partitions=table)
    return drawn_blocks(lambda view: status_plan(made, view), view)


def text(lines: list[str]) -> str:
    return "\n".join(lines)


# --- sr


def test_status() -> None:
    """Bits with their names, range, bar, partitions, lock and what can be typed back."""
    found = ops.explain_status(known("W25Q32JV"), HELD | {"SR1": 0x36})
    assert text(status_lines(found, TABLE)) == STATUS


def test_ranges_in_print_are_not_called_computed() -> None:
    """Only what no source has in print is marked."""
    found = ops.explain_status(known("W25Q128JV"), HELD | {"SR1": 0x2C})
    told = text(status_lines(found))
    assert "protected 0x000000..0x100000 (1 MiB, bottom)\n" in told
    assert "computed" not in told


def test_narrow_terminal_gets_names() -> None:
    """Below 80 columns there are no cells and no bar, and no line is longer than the terminal."""
    lines = status_lines(ops.explain_status(known("W25Q32JV"), HELD), TABLE, width=60)
    assert max(map(len, lines)) <= 60
    assert "SR2 0x02  sus=0 CMP=0 LB3*=0 LB2*=0 LB1*=0 QE=1 SRP1!=0" in lines
    assert not any(line.lstrip().startswith("[") for line in lines)
    made = plan_lines(planned("TB=1", "BP=5"), TABLE, width=60)
    assert max(map(len, made)) <= 60
    assert made[0] == "SR1  0x00 → 0x34  BP 0→5  TB 0→1"


@pytest.mark.parametrize("found", EVERY, ids=lambda each: f"{each.jedec_id:06x}")
def test_every_part_fits(found: Identified) -> None:
    """No part of the table has a line of more than 80 columns, and colour changes no word."""
    for value in (0x00, 0xFF):
        status = shown(found, value)
        lines = status_lines(status, TABLE)
        assert max(map(len, lines)) <= 80
        assert uncoloured(drawn(status, View(partitions=TABLE, color=True))) == lines
        assert uncoloured(drawn(StatusBits(status), View(color=True))) == drawn(StatusBits(status))


@pytest.mark.parametrize("found", EVERY, ids=lambda each: f"{each.jedec_id:06x}")
def test_settings_can_be_typed_back(found: Identified) -> None:
    """The lines continued by backslashes are the settings, and set nothing new."""
    status = shown(found)
    told = text(status_lines(status)).partition("settings  ")[2]
    words = told.replace("\\\n", " ").split()
    if not status.settings:
        assert told == "none can be written"
        return
    typed = settings.parse(found.part, words[2:])
    assert words[:2] == ["sr", "set"]
    assert plan.make(found, status.registers, typed, volatile=False).nothing_to_do


def test_candidates() -> None:
    """Bits that candidates have in different places are marked, and named whole if cut."""
    told = text(status_lines(shown(parts.identify(0x1C7016, None))))
    assert "what 2 candidates have in common: inferred, or sources disagree" in told
    assert "SRP!    WHDIS~? TB/BP3? BP2" in told
    assert "? differs by candidate" in told
    assert "~ SR1.6 WHDIS/EBL" in told


def test_part_that_is_not_in_the_table() -> None:
    """It is said that nothing is known of its range, and why; JSON names no part."""
    found = ops.explain_status(parts.identify(0x123416, None), {"SR1": 0x3C})
    lines = status_lines(found, TABLE)
    assert "layout    generic1: the id is not in the table; known from SFDP only is known" in lines
    assert "protected unknown: how this part counts BP is unknown" in lines
    assert f"         [{'?' * 64}]" in lines
    assert "settings  none can be written" in lines
    value = to_json(found)
    assert isinstance(value, dict)
    assert (value["part"], value["candidates"], value["protected_known"]) == (None, [], False)


def test_status_as_json() -> None:
    """Registers and fields are numbers by their names; ranges have address and size."""
    value = to_json(ops.explain_status(known("W25Q32JV"), HELD | {"SR1": 0x34}))
    assert json.loads(json.dumps(value)) == value
    assert isinstance(value, dict)
    assert value["part"] == "W25Q32JV"
    assert value["registers"] == {"SR1": 0x34, "SR2": 2, "SR3": 0x60}
    assert isinstance(value["fields"], dict)
    assert (value["fields"]["QE"], value["fields"]["BP"]) == (1, 5)
    assert value["protected"] == [{"address": 0, "size": MIB}]
    assert (value["lock"], value["volatile"], value["id"]) == ("software", True, 0xEF4016)


# --- the bar


def protected(start: int, end: int, *, known: bool = True) -> Protected:
    return Protected((Span(start, end),), known=known, published=True)


def bar(found: Protected, size: int) -> str:
    (line,) = drawn_blocks(lambda _: [flashbar.bar(found, size)])
    return line[10:-1]


def test_less_than_a_cell_is_seen() -> None:
    """A protected sector of a large flash is a plus and not nothing."""
    assert bar(protected(0, 4 * KIB), 16 * MIB) == "+" + "." * 63
    assert bar(protected(0, 16 * MIB - 4 * KIB), 16 * MIB) == "#" * 63 + "+"


@given(st.sampled_from([64 * KIB, 4 * MIB, 16 * MIB]), st.integers(0, 4096), st.integers(1, 4096))
def test_cells_are_what_they_stand_for(size: int, first: int, count: int) -> None:
    """A cell is # if all of it is protected, + if some of it, and a dot if nothing is."""
    start = first * 4 * KIB % size
    end = min(start + count * 4 * KIB, size)
    cell = size // 64
    for index, sign in enumerate(bar(protected(start, end), size)):
        both = min(end, (index + 1) * cell) - max(start, index * cell)
        assert sign == ("#" if both == cell else "+" if both > 0 else ".")


def test_range_that_is_not_certain() -> None:
    """What may be protected is a question mark, and the rest is free."""
    assert bar(protected(0, 2 * MIB, known=False), 4 * MIB) == "?" * 32 + "." * 32


def test_sizes_of_ranges_are_exact() -> None:
    """All but a sector of 4 MiB is not called 4 MiB."""
    told = flashbar.range_text(0x1000, 4 * MIB, 4 * MIB)
    assert told == "0x001000..0x400000 (4092 KiB, top)"
    ranges = ((0, 4 * MIB), (0, MIB), (MIB, 2 * MIB), (3 * MIB, 4 * MIB))
    words = [flashbar.range_text(*span, 4 * MIB).split(", ")[1] for span in ranges]
    assert words == ["all)", "bottom)", "middle)", "top)"]


def test_too_many_partitions() -> None:
    """Names for which there is no row are counted."""
    table = partitions.parse_csv(
        "".join(f"p{i},data,nvs,{0x10000 + i * 0x20000:#x},0x20000\n" for i in range(20))
    )
    rows = flashbar.partition_rows(table, 4 * MIB, most=1)
    assert len(rows) == 2
    assert rows[-1].strip() == f"... and {22 - rows[0].count('|') - 1} more"


def test_partitions_behind_the_flash() -> None:
    """A table for a larger flash names what begins within this one."""
    rows = flashbar.partition_rows(TABLE, 2 * MIB)
    assert "ota_1" in "".join(rows)
    assert "storage" not in "".join(rows)
    assert max(map(len, rows)) == LABEL + flashbar.CELLS


# --- plans


def test_plan() -> None:
    """Changed bits have carets; ranges, partitions, warnings and opcodes follow."""
    assert text(plan_lines(planned("TB=1", "BP=5"), TABLE)) == PLAN


def test_refused_plan() -> None:
    """What is refused is shown all the same, with the reason; nothing is said to be sent."""
    assert text(plan_lines(planned("LB1=1"))) == REFUSED


def test_plan_that_frees() -> None:
    """Partitions that are writable afterwards are named."""
    found = known("W25Q32JV")
    made = plan.make(
        found, HELD | {"SR1": 0x34}, settings.parse(found.part, ["BP=0"]), volatile=False
    )
    lines = plan_lines(made, TABLE)
    assert "frees     bootloader, partition table, nvs, phy_init; partly ota_0" in lines
    assert "write     non-volatile (06h): permanent; power must not fail during the write" in lines


def test_plan_with_two_ways() -> None:
    """Where candidates are written in different ways both are shown, and which comes first."""
    found = parts.identify(0xC84016, None)
    made = plan.make(
        found,
        dict.fromkeys(("SR1", "SR2", "SR3"), 0),
        settings.parse(found.part, ["SRP0=1", "QE=1"]),
        volatile=False,
    )
    told = [line for line in plan_lines(made) if line.startswith("sends")]
    assert told == [
        "sends     04 · 05 · 06 · 05 · 01 80 02 · 05",
        "sends     if that is ignored: 04 · 05 · 06 · 05 · 31 02 · 05 · 04 · 05 · 06 · 05",
    ]


def _toggles(found: Identified) -> list[tuple[int, settings.Setting]]:
    """Return each change of one bit, from all zeros and from all ones: before, and the setting."""
    return [
        (before, settings.Setting(register.name, before ^ 1 << position))
        for before in (0x00, 0xFF)
        for register in found.part.layout.registers
        for position in range(8)
    ]


@pytest.mark.parametrize("found", EVERY, ids=lambda each: f"{each.jedec_id:06x}")
def test_carets_stand_below_what_differs(found: Identified, stride: Callable[[int], int]) -> None:
    """In every part, at every bit: before and after differ exactly where the caret is."""
    for old, setting in _toggles(found)[:: stride(5)]:
        held = {each.name: old for each in found.part.layout.registers}
        made = plan.make(found, held, [setting], volatile=False)
        lines = plan_lines(made)
        assert max(map(len, lines)) <= 80
        assert uncoloured(plan_lines(made, color=True)) == lines
        if not any(each.changed for each in made.registers):
            continue
        names, before, after, carets, *_ = lines
        at = carets.index("^")
        (below_all,) = drawn_blocks(lambda _: [cells.carets(0xFF)])
        place = LABEL + 8 * len(below_all[LABEL:at].split())
        (changed,) = (bit for each in made.registers for bit in each.changed)
        assert at == place == LABEL + cells.CELL * (7 - changed.position)
        assert (before[at], after[at]) in ((".", "1"), ("1", "."), ("0", "1"), ("1", "0"))
        assert before[: at - 1][10:] == after[: at - 1][10:]
        assert names[at] != " "


@pytest.mark.parametrize("volatile", [True, False])
def test_what_is_announced_is_what_is_sent(monkeypatch: pytest.MonkeyPatch, volatile: bool) -> None:
    """The opcodes of a plan are those that the flash gets; polls of BUSY count once."""
    flash = open_sim("flash=W25Q32JV").flash
    found = ops.identify(flash)
    wanted = settings.parse(found.part, ["QE=1", "BP=1", "DRV=50%"])
    made = ops.plan_change(flash, found, wanted, volatile=volatile)
    sent: list[str] = []
    run = flash.command

    def record(command: FlashCommand) -> bytes:
        told = " ".join(f"{byte:02x}" for byte in (command.opcode, *command.data))
        if not (told == "05" and sent and sent[-1] == "05"):
            sent.append(told)
        return run(command)

    monkeypatch.setattr(flash, "command", record)
    assert ops.change_status(flash, made).ok
    announced = sent_text(made.attempts[0]).split(" · ")
    assert sent[: len(announced)] == announced
    assert not set(sent[len(announced) :]) - {"05", "35", "15"}


# --- changes


def test_done() -> None:
    """One line tells what changed, and whether it lasts."""
    made = planned("QE=0", volatile=False)
    got = HELD | {"SR2": 0}
    assert drawn(StatusChange(made, got)) == ["done and verified: QE 1→0"]
    lasts = drawn(StatusChange(planned("QE=0"), got))
    assert lasts == ["done and verified: QE 1→0, until the next power-off or reset"]


def test_nothing_to_do_and_dry_run() -> None:
    """Both say that nothing was sent."""
    same = planned("QE=1")
    assert plan_lines(same) == ["nothing to do: the registers already have these values"]
    assert drawn(StatusChange(same, HELD)) == plan_lines(same)
    dry = drawn(StatusChange(planned("QE=0"), HELD, dry_run=True))
    assert dry == ["dry run: nothing was sent; it would be QE 1→0"]


def test_mismatch() -> None:
    """Before, wanted and got stand below each other, with carets where it was not taken."""
    made = planned("QE=0")
    result = StatusChange(made, HELD, made.differing(HELD))
    assert text(drawn(result)) == MISMATCH
    assert uncoloured(drawn(result, View(color=True))) == MISMATCH.splitlines()
    assert drawn(result, View(width=60)) == ["SR2.QE  before 1  wanted 0  got 1"]


def test_change_as_json() -> None:
    """Each changed bit has its class; the range is there before and after."""
    made = planned("LB1=1", "BP=1", volatile=False)
    value = to_json(StatusChange(made, made.wanted, notes=("a note",)))
    assert json.loads(json.dumps(value)) == value
    assert isinstance(value, dict)
    assert isinstance(value["registers"], list)
    assert value["registers"][1] == {
        "reg": "SR2",
        "before": 2,
        "after": 0x0A,
        "changed": [{"bit": "LB1", "from": 0, "to": 1, "class": "otp"}],
    }
    assert isinstance(value["after"], dict)
    assert value["after"]["protected"] == [{"address": 0x3F_0000, "size": 0x1_0000}]
    assert (value["ok"], value["got"], value["notes"]) == (True, made.wanted, ["a note"])
    assert plan_json(made)["gates"] == value["gates"] != []


# --- bits, ranges, bytes


def test_bits() -> None:
    """A bit of a field is explained with its field: place, class, value, meaning, hazard."""
    status = ops.explain_status(known("W25Q32JV"), HELD)
    assert bits_lines(status, "drv1") == [
        "DRV  SR3.6..5    = 25%",
        "          how strongly outputs drive",
        "          values: 0=100% 1=75% 2=50% 3=25%",
        "          ! signal integrity only",
    ]
    one_way = bits_lines(status, "LB2")
    assert one_way[0] == "LB2  SR2.4  one-way  = 0"
    assert one_way[2].startswith("          ! one-way: once 1 it stays 1")


def test_bits_of_a_register_or_of_all() -> None:
    """A register's name means its fields; what was not read has no values."""
    found = known("W25Q32JV")
    unread = ops.explain_status(found, {})
    heads = [line.split()[0] for line in bits_lines(unread, "SR3") if line[0] != " "]
    assert heads == ["WPS", "DRV", "HRSW"]
    heads = [line.split()[0] for line in bits_lines(unread) if line[0] != " "]
    assert heads == [field.name for field in found.part.layout.fields]
    assert "=" not in text(bits_lines(unread, "WPS"))


def test_bits_that_candidates_do_not_share() -> None:
    """They are listed as such, also when one of their names is asked for."""
    (line,) = bits_lines(shown(parts.identify(0x1C7016, None)), "EBL")
    assert line.endswith("different between the candidates, and never written: SR1.6 (WHDIS/EBL)")


def test_bits_of_no_name() -> None:
    """A name that is none is an error that lists those that there are."""
    with pytest.raises(UsageError, match="W25Q32JV has no QF") as caught:
        bits_lines(shown(known("W25Q32JV")), "QF")
    assert "did you mean QE?" in caught.value.hint


def test_ranges() -> None:
    """Each range has the settings that make it; what is protected now is marked."""
    found = known("W25Q32JV")
    flash = ops.explain_status(found, HELD | {"SR1": 0x34})
    choices = protection.ranges(found.part, flash.registers)
    result = Ranges(found.part, choices, flash.protected)
    lines = drawn(result)
    assert lines[0] == "W25Q32JV: computed by a rule, not from a datasheet"
    assert lines[1] == "   none                                  BP=0 TB=1 SEC=0 CMP=0"
    marked = [line for line in lines if line.startswith(">")]
    assert marked == [">  0x000000..0x100000  1 MiB     bottom  BP=5 TB=1 SEC=0 CMP=0"]
    value = to_json(result)
    assert isinstance(value, dict)
    assert isinstance(value["ranges"], list)
    assert len(value["ranges"]) == len(choices) == len(lines) - 1
    assert {
        "address": 0,
        "size": MIB,
        "settings": ["BP=5", "TB=1", "SEC=0", "CMP=0"],
        "present": True,
    } in value["ranges"]
    assert drawn(result) == lines


def test_no_ranges() -> None:
    """A part that protects nothing that is known says so."""
    part = parts.identify(0x123416, None).part
    result = Ranges(part, (), protection.decode(part, {"SR1": 0}))
    assert drawn(result)[-1] == "no range is known that can be set"


def test_bytes() -> None:
    """The value has two digits a byte; several bytes have a line each."""
    assert drawn(StatusBytes(2, 1)) == ["0x02"]
    assert drawn(StatusBytes(0x0200, 2)) == ["0x0200", "05h  0x00", "35h  0x02"]


def test_written_bytes() -> None:
    """Old and new value and the bits that changed; else what was wanted and what came."""
    changed = ("QE 0→1",)
    done = StatusBytes(0x0200, 2, before=0, wanted=0x0200, changed=changed)
    assert drawn(done) == ["done and verified: 0x0000 → 0x0200", "QE 0→1"]
    failed = StatusBytes(0, 2, before=0, wanted=0x0200)
    assert drawn(failed) == ["before  0x0000", "wanted  0x0200", "got     0x0000"]
    dry = StatusBytes(0, 1, before=0, wanted=4, dry_run=True)
    assert drawn(dry) == ["dry run: 0x04 would be written over 0x00"]
    value = to_json(done)
    assert isinstance(value, dict)
    assert (value["value"], value["wanted"], value["changed"]) == (0x200, 0x200, ["QE 0→1"])

"""Programs for RAM: what is refused before anything is sent, what is sent, and what is known."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from espshell.chips import USB_VID
from espshell.device import Target
from espshell.errors import DeviceError, UsageError
from espshell.link.ports import PortInfo
from espshell.link.trace import Direction
from espshell.loader.connect import Connected
from espshell.ops.chip.loadram import RamPlan, has_returned, load_ram, plan_ram
from espshell.protocol import slip
from espshell.protocol.packet import HEADER, Opcode
from espshell.sim.boot import ChipMode
from tests.image.support import RISCV, Segments, elf, esp8266, esp8266_v2, firmware
from tests.loader.support import held, open_sim, wire_of

IRAM, DRAM = 0x4039_8000, 0x3FC9_C000
CODE = bytes(range(256)) * 30


def image(segments: Segments, *, bounds: tuple[int, int] = (0, 0xFFFF), **header: Any) -> bytes:
    """Return an image for revisions within bounds; 0 and 0xffff are none."""
    made = bytearray(firmware(segments, hashed=False, **header))
    made[14:19] = struct.pack("<BHH", 0, *bounds)
    return bytes(made)


def good(**header: Any) -> bytes:
    return image([(IRAM, CODE), (DRAM, b"hello")], **{"chip": 5, "entry": IRAM + 4, **header})


def hex_lines(pieces: Segments) -> bytes:
    """Return Intel HEX with rows of at most 16 bytes."""
    lines = []
    for start, data in pieces:
        lines.append(record(4, 0, struct.pack(">H", start >> 16)))
        for at in range(0, len(data), 16):
            lines.append(record(0, (start + at) & 0xFFFF, data[at : at + 16]))
    return "".join([*lines, ":00000001FF\n"]).encode()


def record(kind: int, address: int, data: bytes) -> str:
    body = struct.pack(">BHB", len(data), address, kind) + data
    return f":{body.hex().upper()}{-sum(body) & 0xFF:02X}\n"


@pytest.fixture
def c3() -> Target:
    return open_sim("says=hello%0a", "esp32c3")


@pytest.fixture
def planned(tmp_path: Path) -> Callable[..., RamPlan]:
    """Return a function that writes a file and plans to load it."""

    def plan(target: Target, data: bytes, **how: bool) -> RamPlan:
        file = tmp_path / "program.bin"
        file.write_bytes(data)
        return plan_ram(target, file, **how)

    return plan


def listening(target: Target) -> list[bytes]:
    """Return a list of the requests that will be sent."""
    sent: list[bytes] = []
    decoder = slip.Decoder(lambda data: len(data) >= HEADER.size)

    def tap(now: float, direction: Direction, data: bytes) -> None:
        if direction == "tx":
            sent.extend(f.data for f in decoder.feed(data) if isinstance(f, slip.Frame))

    target.link.taps.append(tap)
    return sent


Plan = Callable[..., RamPlan]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is empty"),
        (b"\xe8 not an image", "not a firmware image"),
        (image([(0x4200_0000, CODE)], chip=5, entry=0x4200_0000), "is in IROM"),
        (image([(IRAM, CODE), (0x3C00_0000, CODE)], chip=5, entry=IRAM), "is in DROM"),
        (image([(0x4000_0000, CODE)], chip=5, entry=0x4000_0000), "is in ROM0"),
        (image([(0x6000_0000, CODE)], chip=5, entry=0x6000_0000), "is in PERIPH"),
        (image([(0x3FCD_FFF0, CODE)], chip=5, entry=0x3FCD_FFF0), "0x3fce0000 is outside the mem"),
        (
            image([(IRAM + 2, CODE)], chip=5, entry=IRAM + 2),
            "does not start at a word boundary",
        ),
        (image([(0, CODE)], chip=5), "has no segments to load"),
        (image([(IRAM, b"")], chip=5), "has no segments to load"),
        (good()[: -len(CODE)], "the image is damaged"),
        (good(chip=9), "is for another chip: its header has ID 9"),
        (good(bounds=(101, 0xFFFF)), "needs a revision of at least v1.1; this chip is v0.4"),
        (good(bounds=(0, 3)), "needs a revision of at most v0.3; this chip is v0.4"),
        (good(entry=IRAM - 4), "starts at 0x40397ffc, which is in none of its segments"),
        (good(entry=IRAM + len(CODE)), "which is in none of its segments"),
        (good().replace(b"hello", b"hallo"), "is damaged"),
        (esp8266([(0x4010_0000, CODE)]), "is an image for an ESP8266"),
        (esp8266_v2(bytes(16), [(0x4010_0000, CODE)]), "whose first part stays in flash"),
        (elf([(IRAM, CODE)], entry=IRAM), "is for xtensa, an ESP32-C3 is riscv"),
        (elf([(0x4200_0000, CODE)], entry=0x4200_0000, machine=RISCV), "is in IROM"),
        (elf([], entry=0, machine=RISCV), "has no segments to load"),
        (b"\x7fELF" + bytes(60), "is not for a 32-bit little-endian CPU"),
        (hex_lines([(0, CODE)]), "not a firmware image"),
        (hex_lines([(0, good()[:64]), (96, good()[64:])]), "has a gap behind 0x00000040"),
    ],
)
def test_refused_before_anything_is_sent(c3: Target, planned: Plan, data: bytes, told: str) -> None:
    """What cannot run on this chip is one sentence with the file's name, and no request."""
    c3.read_revision()
    sent = listening(c3)
    with pytest.raises(UsageError) as caught:
        planned(c3, data)
    assert told in caught.value.message
    assert "program.bin" in caught.value.message
    assert not sent


def test_a_huge_segment_is_broken(c3: Target, planned: Plan) -> None:
    """A size that the file does not have is told without making room for it."""
    data = bytearray(good())
    data[28:32] = struct.pack("<I", 0xFFFF_FFF0)
    with pytest.raises(UsageError, match="the segment for 0x40398000 has 0xfffffff0 bytes"):
        planned(c3, bytes(data))


def test_a_missing_file(c3: Target, tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(UsageError, match=r"cannot read .*none\.bin: no such file"):
        plan_ram(c3, tmp_path / "none.bin")


@pytest.mark.parametrize(
    "data",
    [good(chip=9), good(bounds=(101, 0xFFFF)), good(entry=0), good().replace(b"hello", b"hallo")],
)
def test_force_goes_on(c3: Target, planned: Plan, data: bytes) -> None:
    """What speaks against a file that fits into RAM is only noted with force."""
    plan = planned(c3, data, force=True)
    assert len(plan.notes) == 1
    assert load_ram(c3, plan).notes == plan.notes


def test_force_puts_nothing_into_flash(c3: Target, planned: Plan) -> None:
    """A segment that is not for RAM is refused with force, too."""
    with pytest.raises(UsageError, match="is in IROM"):
        planned(c3, image([(0x4200_0000, CODE)], chip=5, entry=0x4200_0000), force=True)


def test_the_entry_matters_only_to_run(c3: Target, planned: Plan) -> None:
    """What is loaded only may have any entry."""
    assert planned(c3, good(entry=0), run=False).notes == ()


@pytest.mark.parametrize(
    "data",
    [
        good(),
        hex_lines([(0x1000, good())]),
        elf([(IRAM, CODE), (DRAM, b"hello")], entry=IRAM + 4, machine=RISCV),
    ],
    ids=["image", "hex", "elf"],
)
def test_loaded_and_started(c3: Target, planned: Plan, data: bytes) -> None:
    """Whatever the kind of the file, its words are in RAM, padded, and the loader is gone."""
    result = load_ram(c3, planned(c3, data))
    chip = wire_of(c3).chip
    assert chip.memory.read(IRAM, len(CODE)) == CODE
    assert chip.memory.read(DRAM, 8) == b"hello\0\0\0"
    assert (result.entry, result.size, result.blocks) == (IRAM + 4, len(CODE) + 8, 3)
    assert result.started
    assert wire_of(c3).mode is ChipMode.APPLICATION
    assert c3.link.noise == b"hello\n"


def test_loaded_only(c3: Target, planned: Plan) -> None:
    """Without a run nothing is started and the loader stays in step; MEM_END is not sent."""
    sent = listening(c3)
    result = load_ram(c3, planned(c3, good(), run=False), run=False)
    assert not result.started
    assert Opcode.MEM_END not in {each[1] for each in sent}
    assert c3.memory.read(DRAM, 5) == b"hello"


def test_dry_run(c3: Target, planned: Plan) -> None:
    """In a dry run no MEM_* is sent and the plan is told."""
    c3.memory.dry_run = True
    sent = listening(c3)
    result = load_ram(c3, planned(c3, good()))
    assert not {each[1] for each in sent} & {Opcode.MEM_BEGIN, Opcode.MEM_DATA, Opcode.MEM_END}
    assert (result.started, result.dry_run, result.blocks) == (False, True, 3)
    assert held(c3, DRAM) == 0


@pytest.mark.parametrize(("address", "part"), [(0x4038_1000, "code"), (0x3FC8_5000, "data")])
def test_the_stub_is_in_the_way(c3: Target, planned: Plan, address: int, part: str) -> None:
    """A segment on the running stub's code, data or variables is refused before it is sent."""
    c3.start_stub()
    sent = listening(c3)
    plan = planned(c3, image([(address, CODE[:64])], chip=5, entry=address))
    assert plan.clash is not None
    assert [piece.name for piece in plan.clash] == ["segment 0", f"stub {part}"]
    with pytest.raises(UsageError, match=f"would overwrite the stub {part}") as caught:
        load_ram(c3, plan)
    assert "`stub never`" in caught.value.hint
    assert len(caught.value.one_line()) < 140
    assert Opcode.MEM_BEGIN not in {each[1] for each in sent}


@pytest.mark.parametrize(
    ("chip", "number", "address", "part"),
    [
        ("esp32c3", 5, 0x4039_0000, "data"),
        ("esp32c3", 5, 0x3FC8_1000, "code"),
        ("esp32s3", 9, 0x403A_0000, "data"),
        ("esp32s2", 2, 0x4005_0000, "data"),
        ("esp32c2", 12, 0x4039_0000, "data"),
        ("esp32", 0, 0x3FFF_7000, "code"),
    ],
)
def test_the_stub_is_in_the_way_on_the_other_bus(
    planned: Plan, chip: str, number: int, address: int, part: str
) -> None:
    """RAM has one address on each bus: a segment on the stub's under the other one is refused."""
    target = open_sim("", chip)
    plan = planned(target, image([(address, CODE[:64])], chip=number, entry=address))
    assert plan.clash is None
    target.start_stub()
    plan = planned(target, image([(address, CODE[:64])], chip=number, entry=address))
    with pytest.raises(UsageError, match=f"stub {part} at .*, the same RAM on another bus") as told:
        load_ram(target, plan)
    assert len(told.value.one_line()) < 140


def test_where_an_esp32_reverses_its_ram(planned: Plan) -> None:
    """On an ESP32 the first words of one bus are the last of the other, so this is free."""
    target = open_sim()
    target.start_stub()
    at = 0x3FFE_8000
    assert planned(target, image([(at, CODE[:64])], entry=at)).clash is None


@pytest.mark.parametrize("other", [IRAM + 64, 0x3FC9_8040])
def test_segments_that_are_the_same_ram(c3: Target, planned: Plan, other: int) -> None:
    """Two segments for one place, on one bus or on both, are refused, and with force noted."""
    data = image([(IRAM, CODE), (other, CODE[:64])], chip=5, entry=IRAM)
    with pytest.raises(UsageError, match="segment 0 and segment 1 overlap in RAM"):
        planned(c3, data)
    assert len(planned(c3, data, force=True).notes) == 1


def test_a_stub_that_ran_already_is_in_the_way_too(c3: Target, planned: Plan) -> None:
    """Where a stub lies that somebody else has started is taken from its file."""
    c3.start_stub()
    found = Target(c3.link, Connected(c3.loader, c3.chip, c3.security))
    c3.loader.stub = None
    plan = planned(found, image([(0x4038_0000, CODE[:64])], chip=5, entry=0x4038_0000))
    assert plan.clash is not None


def test_beside_the_stub(c3: Target, planned: Plan) -> None:
    """What the stub leaves free is loaded through it."""
    c3.start_stub()
    result = load_ram(c3, planned(c3, good()), verify=True)
    assert (result.started, result.verified) == (True, True)
    assert wire_of(c3).chip.memory.read(IRAM, len(CODE)) == CODE


def test_what_reads_back_otherwise_is_not_started(planned: Plan) -> None:
    """A flipped bit that a stub does not notice is found before the start."""
    target = open_sim("says=x", "esp32c3")
    target.start_stub()
    plan = planned(target, good())
    writes = plan.segments
    broken = replace(plan, segments=(replace(writes[0], data=CODE[:-1] + b"\0"), writes[1]))
    chip = wire_of(target).chip
    load = target.memory.load

    def flipping(address: int, data: bytes) -> Any:
        yield from load(address, data)
        chip.memory.write(IRAM, b"\xff")

    target.memory.load = flipping  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match="1 word did not read back as written: 0x40398000; noth"):
        load_ram(target, broken, verify=True)
    assert wire_of(target).mode is ChipMode.DOWNLOAD


@pytest.mark.parametrize(("returns", "version"), [(1, 2), (0, 2), (1, 1)])
def test_whether_the_program_returns(planned: Plan, returns: int, version: int) -> None:
    """Only a v2 stub goes on behind its program, and then the loader is in step again."""
    target = open_sim(f"says=x&returns={returns}", "esp32c3")
    target.start_stub(version=version)
    load_ram(target, planned(target, good()))
    comes_back = bool(returns) and version == 2
    assert has_returned(target) is comes_back
    if comes_back:
        assert target.memory.read(DRAM, 5) == b"hello"


def test_a_rom_is_not_asked(c3: Target, planned: Plan) -> None:
    """A program that a ROM has started gets no SYNC to read."""
    load_ram(c3, planned(c3, good()))
    sent = listening(c3)
    assert not has_returned(c3)
    assert not sent


def test_over_usb_otg_blocks_are_small(tmp_path: Path) -> None:
    """The ROM takes 2 KiB over USB-OTG, and where that cannot be ruled out; 6 KiB over a bridge."""
    file = tmp_path / "program.bin"
    file.write_bytes(image([(0x3FC9_0000, CODE)], chip=9, entry=0x3FC9_0000))
    target = open_sim("", "esp32s3")
    own, bridge = PortInfo("x", vid=USB_VID, pid=9), PortInfo("x", vid=0x10C4, pid=0xEA60)
    for usb, size in ((None, 0x800), (own, 0x800), (bridge, 0x1800)):
        target.loader.dialect = target.chip.rom
        again = Target(target.link, Connected(target.loader, target.chip, None), usb)
        assert plan_ram(again, file).block_size == size


def test_esp8266(planned: Plan) -> None:
    """An image of version 1 is loaded into an ESP8266."""
    target = open_sim("says=x", "esp8266")
    result = load_ram(target, planned(target, esp8266([(0x4010_0000, CODE), (0x3FFE_8000, b"x")])))
    assert (result.size, result.blocks) == (len(CODE) + 4, 3)
    assert wire_of(target).mode is ChipMode.APPLICATION


def test_secure_boot_starts_nothing(planned: Plan) -> None:
    """A chip that starts signed code only says so before it is loaded."""
    target = open_sim("flags=1", "esp32s3")
    data = image([(0x3FC9_0000, CODE)], chip=9, entry=0x3FC9_0000)
    with pytest.raises(UsageError, match="with secure boot does not start code"):
        planned(target, data)
    assert planned(target, data, run=False).notes == ()


@pytest.mark.parametrize("size", [0xFFFF_FFFF, 0x10_0000, 0x6_5000])
@pytest.mark.parametrize("data", [b"", b"data"])
def test_zeros_that_no_ram_has(
    c3: Target, planned: Callable[..., RamPlan], size: int, data: bytes
) -> None:
    """Memory that an ELF file wants zeroed must be RAM, too, however much of it there is."""
    program = bytearray(elf([(IRAM, CODE), (DRAM, b"data")], entry=IRAM + 4, machine=RISCV))
    struct.pack_into("<II", program, 52 + 32 + 16, len(data), size)
    with pytest.raises(UsageError, match=r"outside the memory map|not in RAM"):
        planned(c3, bytes(program))
    struct.pack_into("<II", program, 52 + 32 + 16, len(data), 0x1000)
    assert planned(c3, bytes(program)).entry == IRAM + 4

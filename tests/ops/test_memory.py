"""peek, poke, dump, fill and save on a simulated chip."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intelhex import IntelHex

from espshell.device import Memory
from espshell.device.memory import Change
from espshell.errors import EspError, NoReply, ReadsDiffer, Refused, UsageError
from espshell.ops.memory import words as memory
from espshell.ops.memory import writing
from espshell.ops.memory.reading import read_chunks, read_settled
from espshell.ops.memory.save import save
from espshell.ops.result import Step
from espshell.span import Span
from espshell.units import KIB, MIB
from tests.loader.support import held, open_sim, wire_of

C3 = open_sim(chip="esp32c3")
MEM = C3.memory
RAM = 0x3FC9_0000
UART_FIFO = 0x6000_0000


def ram(size: int = 16, address: int = RAM) -> bytes:
    """Return what the simulated chip holds."""
    return wire_of(C3).chip.memory.read(address, size)


def set_ram(data: bytes) -> None:
    """Put bytes into the simulated chip, past the loader."""
    wire_of(C3).chip.memory.write(RAM, data)


def requests(text: str = "requests") -> int:
    """Return how many requests have been sent so far."""
    return int(getattr(wire_of(C3).count, text))


@pytest.mark.parametrize(
    ("width", "address", "count", "values"),
    [
        (32, RAM, 2, (0x03020100, 0x07060504)),
        (16, RAM + 2, 3, (0x0302, 0x0504, 0x0706)),
        (8, RAM + 3, 2, (3, 4)),
    ],
)
def test_peek(width: int, address: int, count: int, values: tuple[int, ...]) -> None:
    """Values of each width come little-endian from any aligned address."""
    set_ram(bytes(range(16)))

    assert memory.peek(MEM, address, count, width=width).values == values


@pytest.mark.parametrize(("width", "address"), [(32, RAM + 1), (32, RAM + 2), (16, RAM + 1)])
def test_misaligned(width: int, address: int) -> None:
    """A misaligned address is refused with the nearest good ones, and nothing is sent."""
    before = requests()
    with pytest.raises(UsageError, match=f"peek{width} needs an address that is a multiple"):
        memory.peek(MEM, address, width=width)
    with pytest.raises(UsageError, match=f"poke{width} needs"):
        memory.poke(MEM, address, [1], width=width)
    assert requests() == before


@pytest.mark.parametrize(("width", "value"), [(8, 256), (16, 0x10000), (32, 1 << 32), (8, -129)])
def test_value_too_wide(width: int, value: int) -> None:
    """A value that does not fit is refused before anything is sent."""
    before = requests()
    with pytest.raises(UsageError, match=f"does not fit {width} bits"):
        memory.poke(MEM, RAM, [value], width=width)
    assert requests() == before


def test_poke_shows_old_and_new() -> None:
    """A poke returns what was there and what reads back."""
    set_ram(bytes.fromhex("11223344"))
    result = memory.poke(MEM, RAM, [0xCAFEF00D])

    assert (result.old, result.new, result.ok) == ((0x44332211,), (0xCAFEF00D,), True)
    assert held(C3, RAM) == 0xCAFEF00D


def test_negative_value_is_its_bits() -> None:
    """-1 writes all ones."""
    assert memory.poke(MEM, RAM, [-1], width=16).new == (0xFFFF,)


@pytest.mark.parametrize(
    ("width", "offset", "value", "mask", "expected"),
    [
        (8, 1, 0xAB, None, "11ab3344"),
        (16, 2, 0xABCD, None, "1122cdab"),
        (32, 0, 0xFFFFFFFF, 0x0F, "1f223344"),
        (8, 3, 0x00, 0x40, "11223304"),
    ],
)
def test_narrow_and_masked_writes_are_one_frame(
    width: int, offset: int, value: int, mask: int | None, expected: str
) -> None:
    """A narrow or masked poke is one WRITE_REG that the chip masks."""
    set_ram(bytes.fromhex("11223344"))
    before = requests()
    memory.poke(MEM, RAM + offset, [value], width=width, mask=mask, verify=False)

    assert requests() - before == 1
    assert ram(4).hex() == expected


@settings(max_examples=50)
@given(
    st.binary(min_size=12, max_size=12),
    st.sampled_from([8, 16, 32]),
    st.lists(st.integers(0, 0xFFFFFFFF), min_size=1, max_size=3),
    st.integers(0, 0xFFFFFFFF),
)
def test_masked_poke_is_arithmetic(before: bytes, width: int, values: list[int], mask: int) -> None:
    """What a poke under a mask leaves is old & ~mask | value & mask, place by place."""
    set_ram(before)
    bits = (1 << width) - 1
    size = width // 8
    result = memory.poke(MEM, RAM, [v & bits for v in values], width=width, mask=mask & bits)

    old = [int.from_bytes(before[i * size : (i + 1) * size], "little") for i in range(len(values))]
    expected = [o & ~(mask & bits) | v & mask & bits for o, v in zip(old, values, strict=True)]
    assert list(result.new or ()) == expected
    assert result.ok


def test_register_that_changes_is_not_read_back() -> None:
    """Nothing is read where reading has a side effect, and the result says so."""
    before = requests()
    result = memory.poke(MEM, UART_FIFO, [0x41])

    assert (result.old, result.new, result.ok) == (None, None, True)
    assert "UART0.FIFO" in result.notes[0]
    assert requests() - before == 1


def test_flipped_bit_in_a_write_is_found() -> None:
    """WRITE_REG has no checksum: a damaged write is good to the ROM, and not to us."""
    number = requests_to(lambda target: memory.poke(target.memory, 0x3FFB_0000, [0x22222222]), 9)
    target = open_sim(f"fault=flip@request:{number}:12.0")
    result = memory.poke(target.memory, 0x3FFB_0000, [0x22222222])

    assert not result.ok
    assert result.new == (0x22222223,)
    assert "0x3ffb0000 reads back 0x22222223, not 0x22222222" in result.failure


def requests_to(deed: object, opcode: int) -> int:
    """Return the number of the first request with an opcode that a deed sends on an ESP32."""
    target = open_sim()
    numbers: list[int] = []
    start = wire_of(target).count.requests

    def tap(_now: float, direction: str, data: bytes) -> None:
        if direction == "tx":
            numbers.extend(frame[1] for frame in data.split(b"\xc0") if frame)

    target.link.taps.append(tap)
    assert callable(deed)
    deed(target)
    return start + numbers.index(opcode) + 1


@pytest.mark.parametrize("what", ["drop@reply", "drop@request"])
def test_lost_write_is_told_by_reading_back(what: str) -> None:
    """When the answer to a write is lost, what reads back decides whether it was done."""
    number = requests_to(lambda target: memory.poke(target.memory, 0x3FFB_0000, [5]), 9)
    if what == "drop@reply":
        number += 14  # an ESP32 answers SYNC and one refusal eight times
    target = open_sim(f"fault={what}:{number}")
    result = memory.poke(target.memory, 0x3FFB_0000, [5])

    assert result.ok is (what == "drop@reply")
    assert result.new == ((5,) if result.ok else (0,))
    assert "lost" in result.notes[0]


def test_lost_write_that_cannot_be_read_back() -> None:
    """Where reading back is not possible, an unanswered write says that its state is unknown."""
    target = open_sim("fault=hang@request:12")

    with pytest.raises(NoReply, match="0x3ff40000 may have been written"):
        memory.poke(target.memory, 0x3FF4_0000, [5])


@pytest.mark.parametrize("size", [1, 2, 3, 5, 63, 64, 65, 1027])
@pytest.mark.parametrize("offset", [0, 1, 3])
def test_dump_has_every_byte(offset: int, size: int) -> None:
    """A dump of any size and alignment is exactly what the chip holds, the tail included."""
    result = memory.dump(MEM, 0x4000_0000 + offset, size)

    assert result.data == ram(size, 0x4000_0000 + offset)


def test_dump_hands_on_pieces_as_they_come() -> None:
    """The sink gets all bytes in pieces, and the steps end at the total."""
    pieces: list[bytes] = []
    steps: list[Step] = []
    result = memory.dump(MEM, 0x4000_0000, 5000, sink=pieces.append, report=steps.append)

    assert b"".join(pieces) == result.data
    assert len(pieces) > 3
    assert steps[-1] == Step("reading", 5000, 5000)


def test_check_reads_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """With check a bit that flips on the way is read again; what never agrees has its place."""
    target = open_sim("fault=flip@reply:60:4.0")
    data = memory.dump(target.memory, 0x4000_0100, 64, check=True).data
    assert data == wire_of(target).chip.memory.read(0x4000_0100, 64)
    values = itertools.count(1)
    monkeypatch.setattr(Memory, "read", lambda *place: next(values).to_bytes(place[-1], "big"))
    with pytest.raises(ReadsDiffer, match=r"readings of 0x40000100\.\.0x40000140 do not agree"):
        read_settled(MEM, Span(0x4000_0100, 0x4000_0140), bytes(64))


def test_check_of_a_longer_range() -> None:
    """It is what the chip holds."""
    assert memory.dump(MEM, 0x4000_0100, 640, check=True).data == ram(640, 0x4000_0100)


@pytest.mark.parametrize("offset", range(4))
@pytest.mark.parametrize("size", [1, 3, 63, 64, 65, 66, 130])
def test_fill_touches_its_range_only(offset: int, size: int) -> None:
    """fill8 writes exactly its range, by words or by blocks, and leaves the neighbours."""
    set_ram(bytes([0xEE]) * 160)
    result = memory.fill(MEM, RAM + 8 + offset, size, 0x55, width=8)

    expected = b"\xee" * (8 + offset) + b"\x55" * size
    assert ram(160) == expected.ljust(160, b"\xee")
    assert result.ok
    assert result.verified


def test_fill_with_words() -> None:
    """Fill writes 32-bit values as poke does."""
    memory.fill(MEM, RAM, 256, 0xDEADBEEF)

    assert ram(256) == bytes.fromhex("efbeadde") * 64


@pytest.mark.parametrize(
    ("address", "size", "value", "width", "message"),
    [
        (RAM, 5, 0, 32, "multiple of 4; 5 is not"),
        (RAM + 1, 8, 0, 16, "fill16 needs an address"),
        (RAM, 8, 256, 8, "does not fit 8 bits"),
        (0x4000_0000, 8, 0, 32, "cannot be written"),
    ],
)
def test_fill_refuses(address: int, size: int, value: int, width: int, message: str) -> None:
    """What cannot be filled is refused before anything is sent."""
    before = requests()
    with pytest.raises(UsageError, match=message):
        memory.fill(MEM, address, size, value, width=width)
    assert requests() == before


def test_the_most_that_is_written_at_once() -> None:
    """64 MiB and no byte more; what is larger is refused before any of it is made or sent."""
    target = open_sim(chip="esp32c3")
    before = wire_of(target).count.requests
    writing.require_size(64 * MIB)
    with pytest.raises(UsageError, match=r"64\.0 MiB is too much for one write") as caught:
        writing.require_size(64 * MIB + 1)
    assert caught.value.hint == "at most 64 MiB"
    with pytest.raises(UsageError, match="is too much for one write"):
        memory.fill(target.memory, 0x3FC9_0000, 1 << 60, 0, force=True)
    with pytest.raises(UsageError, match="is too much for one write"):
        writing.write_and_verify(
            target.memory, 0x3FC9_0000, bytes(64 * MIB + 1), verify=False, sending=[1]
        )
    assert wire_of(target).count.requests == before


def test_a_change_is_recorded_before_it_is_sent() -> None:
    """With what was there: an answer that is lost leaves it to be undone."""
    target, seen = open_sim(chip="esp32c3"), list[tuple[bytes | None, int]]()
    old = held(target, 0x3FC9_0000)

    def record(change: Change) -> None:
        seen.append((change.old, held(target, change.address)))

    target.memory.before_write = record
    memory.poke(target.memory, 0x3FC9_0000, [old ^ 0x55])
    assert seen == [(old.to_bytes(4, "little"), old)]
    assert held(target, 0x3FC9_0000) == old ^ 0x55


@pytest.mark.parametrize("more", [0, 4])
def test_how_much_is_read_before_it_is_overwritten(
    more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to a limit, so that `undo` brings them back; of what is larger nothing."""
    assert writing.KEEP == 64 * KIB
    monkeypatch.setattr(writing, "KEEP", 256)
    target = open_sim(chip="esp32c3")
    done = memory.fill(target.memory, 0x3FC9_0000, 256 + more, 1, width=32)
    assert (done.writes[0].old is None) is bool(more)


def test_what_was_there_is_read_until_two_readings_agree() -> None:
    """One bit that flips on the way would be written back by `undo`."""
    target = open_sim(chip="esp32c3")
    words, turn = target.memory.words_twice, iter((1, 0, 0, 0, 0))

    def flipped(address: int, count: int) -> tuple[list[int], list[int]]:
        first, second = words(address, count)
        return [first[0] ^ next(turn), *first[1:]], second

    target.memory.words_twice = flipped  # type: ignore[method-assign]
    old = held(target, 0x3FC9_0000).to_bytes(4, "little")
    (write,) = memory.poke(target.memory, 0x3FC9_0000, [7]).writes
    assert write.old == old
    assert next(turn) == 0


def test_blocks_are_whole_words() -> None:
    """At whichever byte a range begins and ends; what is left over goes word by word."""
    target = open_sim(chip="esp32c3")
    blocks, load = list[tuple[int, int]](), target.memory.load

    def logged(address: int, data: bytes) -> Iterator[int]:
        blocks.append((address % 4, len(data) % 4))
        return load(address, data)

    target.memory.load = logged  # type: ignore[method-assign]
    for offset in range(4):
        for size in range(100, 104):
            assert memory.fill(target.memory, 0x3FC9_0000 + offset, size, 5, width=8).ok
    assert blocks == [(0, 0)] * 16


def test_a_refused_write_is_no_lost_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the error, and nothing that reads back makes it good."""
    target = open_sim(chip="esp32c3")

    def refuse(_: object) -> None:
        raise Refused("no", code=0x500)

    monkeypatch.setattr(target.memory, "write", refuse)
    with pytest.raises(Refused, match="no; 0x3fc90000 may have been written"):
        memory.poke(target.memory, 0x3FC9_0000, [held(target, 0x3FC9_0000)])


def test_large_fill_is_blocks() -> None:
    """8 KiB of RAM are written in four requests, not in two thousand."""
    before = requests()
    memory.fill(MEM, RAM, 8192, 0, verify=False)

    assert requests() - before == 3


def test_save_is_whole_or_not_at_all(tmp_path: Path) -> None:
    """A saved file holds exactly the range; one that failed half-way leaves nothing behind."""
    good, bad = tmp_path / "good.bin", tmp_path / "bad.bin"
    save(MEM, 0x4000_0001, 1027, good)
    target = open_sim("fault=hang@request:120")

    with pytest.raises(EspError):
        save(target.memory, 0x4000_0000, 4096, bad)
    assert good.read_bytes() == ram(1027, 0x4000_0001)
    assert [path.name for path in tmp_path.iterdir()] == ["good.bin"]


def test_save_replaces_a_file_only_at_the_end(tmp_path: Path) -> None:
    """A file that was there is still there when saving fails."""
    path = tmp_path / "old.bin"
    path.write_bytes(b"old")
    target = open_sim("fault=unplug@request:120")

    with pytest.raises(EspError):
        save(target.memory, 0x4000_0000, 4096, path)
    assert path.read_bytes() == b"old"


def test_save_intel_hex(tmp_path: Path) -> None:
    """A name that ends in .hex gives Intel HEX, with the addresses."""
    path = tmp_path / "ram.hex"
    set_ram(bytes(range(100)))
    save(MEM, RAM + 2, 70, path)

    image = IntelHex(str(path))
    assert image.segments() == [(RAM + 2, RAM + 72)]
    assert image.tobinstr() == bytes(range(2, 72))


def test_missing_package_is_found_out_before_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without intelhex a .hex file is refused at once, with how to get it."""
    monkeypatch.setitem(sys.modules, "intelhex", None)
    before = requests()
    with pytest.raises(UsageError, match="needs the package intelhex") as caught:
        save(MEM, RAM, 64, tmp_path / "x.hex")
    assert "pip install" in caught.value.hint
    assert requests() == before


@pytest.mark.parametrize("name", ["missing/x.bin", "."])
def test_save_refuses_before_reading(tmp_path: Path, name: str) -> None:
    """A file that cannot be written is found out before anything is read."""
    before = requests()
    with pytest.raises(UsageError, match="cannot write"):
        save(MEM, RAM, 64, tmp_path / name)
    assert requests() == before


def test_save_to_a_device_that_is_full() -> None:
    """What is not a regular file is written in place, and its error is one line."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(UsageError, match="cannot write /dev/full: no space left"):
        save(MEM, RAM, 64, full)
    assert not full.is_file()


def test_force_goes_past_the_map() -> None:
    """With force an address outside the map is sent all the same."""
    before = requests()
    memory.peek(MEM, 0x10, force=True)

    assert requests() > before


def test_flash_behind_the_cache_is_said() -> None:
    """Reading flash through the cache in download mode comes with a warning."""
    assert "are meaningless" in memory.peek(MEM, 0x3C00_0000).notes[0]


@pytest.mark.parametrize(("wrong", "verified"), [(1, True), (2, False)])
def test_what_reads_back_otherwise_is_read_twice(
    wrong: int, verified: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One reading that was damaged is no reason to say that a write has failed."""
    target = open_sim(chip="esp32c3")
    read, readings = read_chunks, 0

    def damaged(memory: Memory, address: int, size: int, **how: Any) -> Iterator[bytes]:
        nonlocal readings
        readings += 1
        return iter([bytes(size)]) if readings <= wrong else read(memory, address, size, **how)

    monkeypatch.setattr(writing, "read_chunks", damaged)
    done = writing.write_and_verify(target.memory, 0x3FC9_0000, b"data" * 50)
    assert (done.verified, readings) == (verified, 2)


def test_only_bits_under_the_mask_count() -> None:
    """What another has changed beside them meanwhile is no failure of the write."""
    for mask, differing in ((0x0FFF, ()), (0x1000, (RAM + 4,)), (None, (RAM + 4,))):
        done = writing.MemoryWrite(RAM, bytes(8), bytes(8), bytes(5) + b"\x10\0\0", 16, mask)
        assert done.differing == differing


def test_a_range_with_a_register_that_cannot_be_read() -> None:
    """Wherever in the range it is, nothing is read back, and the note names it."""
    first = 0x6000_4004  # GPIO.OUT, in front of GPIO.OUT_W1TS
    said = "not read back: GPIO.OUT_W1TS is write-only"
    assert writing.write_and_verify(MEM, first, bytes(8)).notes == (said,)
    assert writing.write_and_verify(MEM, first, bytes(4)).verified

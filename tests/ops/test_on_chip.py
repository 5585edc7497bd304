"""What handlers in the stub do for the host: searches, sums, tests of RAM, calls."""

from __future__ import annotations

import contextlib
import random
import zlib
from collections.abc import Callable, Iterator

import pytest

from espshell.device import Target
from espshell.errors import EspError, NoReply, UsageError
from espshell.ops.chip import call as calling
from espshell.ops.memory import memtest
from espshell.ops.memory.find import Pattern, find
from espshell.ops.memory.hash import hash_range
from espshell.protocol.packet import Opcode
from tests.loader.support import open_sim, wire_of

FREE = {"esp32c3": 0x3FC9_8000, "esp32": 0x3FFC_0000}
"""RAM that no stub uses."""
SIZE = 0x2000


def stubbed(chip: str, options: str = "", version: int | None = None) -> Target:
    """Return a chip whose stub runs."""
    target = open_sim(options, chip=chip)
    target.start_stub(version=version)
    return target


def filled(target: Target, start: int) -> bytes:
    """Fill RAM with few different bytes, so that patterns are found often; return them."""
    data = bytes(random.Random(5).choices(b"\x00\xde\xad", k=SIZE))
    wire_of(target).chip.memory.write(start, data)
    return data


@pytest.mark.parametrize("chip", FREE)
def test_searches_find_what_is_there(chip: str) -> None:
    """Aligned or not, with any bytes, at the edges, overlapping: all places, and no others."""
    target, start = stubbed(chip), FREE[chip]
    data = filled(target, start)
    before = wire_of(target).count.bytes_to_host
    for text in ("deaddeadde", "de??ad", "00dead00de??de", "adadadadadadadadadad", "77"):
        pattern = Pattern.of_hex(text)
        expected = [start + m.start() for m in pattern.expression().finditer(data)][:64]
        result = find(target.memory, start, SIZE, pattern, most=64)
        assert [hit.address for hit in result.hits] == expected, text
        for hit in result.hits:
            at = hit.row_address - start
            assert hit.row == data[at : at + len(hit.row)]
    assert target.loader.proven == {Opcode.FIND}
    end = Pattern.of_bytes(data[-3:])
    cut = find(target.memory, start + 1, SIZE - 1, end, align=1)
    assert start + SIZE - 3 in [hit.address for hit in cut.hits] or not cut.complete
    before = wire_of(target).count.bytes_to_host
    assert not find(target.memory, start, SIZE, Pattern.of_hex("77")).hits
    assert wire_of(target).count.bytes_to_host - before < 100


@pytest.mark.parametrize("chip", FREE)
def test_sums_are_those_of_the_host(chip: str) -> None:
    """The CRC-32 of whole words comes from the chip; of other ranges, and registers, it is read."""
    target, start = stubbed(chip), FREE[chip]
    data = filled(target, start)
    for first, size, by_chip in ((0, SIZE, True), (4, 8, True), (1, 64, False), (0, 63, False)):
        digest = hash_range(target.memory, start + first, size, "crc32")
        assert int(digest.digest, 16) == zlib.crc32(data[first : first + size])
        assert ("computed on the chip" in digest.notes) == by_chip
    rom = hash_range(open_sim(chip=chip).memory, start, 64, "crc32")
    assert "computed on the chip" not in rom.notes


def test_a_handler_that_is_wrong_is_not_believed() -> None:
    """One that was overwritten gives another answer about known words, and all is read."""
    target, start = stubbed("esp32c3"), FREE["esp32c3"]
    data = filled(target, start)
    assert hash_range(target.memory, start, 64, "crc32").readings == 2
    target.loader.proven.clear()
    span = target.loader.handlers[Opcode.CRC32]
    wire_of(target).chip.memory.write(span.start, b"\x01\x45\x82\x80" * 2)  # li a0, 0; ret
    digest = hash_range(target.memory, start, 64, "crc32")
    assert int(digest.digest, 16) == zlib.crc32(data[:64])
    assert "computed on the chip" not in digest.notes


FAULTS = [
    ("stuck:{0:#x}.5=1", 0x20, {0}),
    ("stuck:{0:#x}.31=0", 1 << 31, {0}),
    ("couple:{0:#x}.5>{1:#x}.6", 0x40, {0x80}),
    ("couple:{1:#x}.5>{0:#x}.6", 0x40, {0}),
]


@pytest.mark.parametrize("stub", [False, True])
@pytest.mark.parametrize(("fault", "bits", "places"), FAULTS)
def test_faults_of_ram_are_found(fault: str, bits: int, places: set[int], stub: bool) -> None:
    """A stuck bit and a coupled cell are found, with address and bits, by the chip or the host."""
    start = FREE["esp32c3"] + 0x100
    options = "ram=" + fault.format(start, start + 0x80)
    target = stubbed("esp32c3", options) if stub else open_sim(options, chip="esp32c3")
    result = memtest.examine(target.memory, start, 0x100)
    assert not result.ok
    assert result.on_chip == stub
    assert result.bits == bits
    assert {fault.address - start for fault in result.faults} == places
    assert result.failure.count("bits")


@pytest.mark.parametrize(
    "rule",
    ["flip@request:{}:8.3", "flip@request:{}:12.3", "flip@request:{}:16.3", "drop@request:{}"],
)
def test_a_damaged_write_is_no_fault_of_ram(rule: str) -> None:
    """A bit that flips in one write of the host is not found at the same place again."""
    for number in range(60, 200, 13):
        target = open_sim(f"fault={rule.format(number)}", chip="esp32c3")
        assert memtest.examine(target.memory, FREE["esp32c3"], 64).ok


@pytest.mark.parametrize(("chip", "stub"), [("esp32c3", False), ("esp32c3", True), ("esp32", True)])
def test_bridged_address_lines_are_found(chip: str, stub: bool) -> None:
    """Words that are one word are found, by either of the tests that see it."""
    start = FREE[chip]
    options = f"ram=bridge:{start:#x}%2B0x400:5,7"
    target = stubbed(chip, options) if stub else open_sim(options, chip=chip)
    result = memtest.examine(target.memory, start, 0x100)
    assert not result.ok
    assert "address lines" in {fault.test for fault in result.faults}


@pytest.mark.parametrize("stub", [False, True])
def test_good_ram_is_good_and_restored(stub: bool) -> None:
    """Without a fault nothing is found; what the RAM held is there again if that was asked for."""
    start = FREE["esp32c3"]
    target = stubbed("esp32c3") if stub else open_sim(chip="esp32c3")
    data = filled(target, start)
    size = SIZE if stub else 0x200
    result = memtest.examine(target.memory, start, size, restore=True)
    assert (result.ok, result.restored, result.count) == (True, True, 0)
    assert wire_of(target).chip.memory.read(start, SIZE) == data
    assert memtest.examine(target.memory, start, 0x100).restored is None


def test_what_cannot_be_tested_is_refused() -> None:
    """The stub's own RAM, its handlers', parts of words, what is not RAM, too much for the host."""
    target = stubbed("esp32c3")
    stub = target.loader.stub
    assert stub is not None
    for address, size in (
        (stub.data_start, 4),
        (stub.text_start, 0x100),
        (stub.text_start + len(stub.text) + stub.reserve - 4, 4),
        (FREE["esp32c3"] + 1, 4),
        (FREE["esp32c3"], 6),
        (FREE["esp32c3"], 0),
        (0x6000_0000, 4),
        (0x4000_0000, 4),
        (0x3FCD_FFFC, 8),
    ):
        with pytest.raises(UsageError):
            memtest.require_testable(target.memory, address, size)
    with pytest.raises(UsageError, match="at most 1 KiB"):
        memtest.examine(open_sim(chip="esp32c3").memory, FREE["esp32c3"], 0x404)


ADD = (0x00B5_0533, 0x0000_8067)
"""RISC-V: add a0, a0, a1; ret."""
FOREVER = (0x0000_006F,)


def test_a_call_returns_its_value() -> None:
    """Arguments and result are words; negative ones wrap; a dry run calls nothing."""
    target = stubbed("esp32c3")
    code = 0x4039_8000
    for n, word in enumerate(ADD):
        wire_of(target).chip.memory.write_word(code + 4 * n, word)
    calling.require_callable(target, code, (1, 2))
    assert calling.call(target, code, (40, 2)).value == 42
    assert calling.call(target, code, (1, -2)).value == 0xFFFF_FFFF
    target.memory.dry_run = True
    assert calling.call(target, code).value is None


def test_a_call_that_does_not_return_is_said() -> None:
    """The function that never returns is named, and how long it was waited for."""
    target = stubbed("esp32c3")
    wire_of(target).chip.memory.write_word(0x4039_8000, FOREVER[0])
    with pytest.raises(NoReply, match=r"at 0x40398000 has not returned within 0\.5 s"):
        calling.call(target, 0x4039_8000, timeout_s=0.5)


def test_what_cannot_be_called_is_refused() -> None:
    """Data, flash, registers, holes, odd addresses, too many arguments; no stub, or another one."""
    target = open_sim(chip="esp32c3")
    for address in (0x3FC9_8000, 0x4200_0000, 0x6000_0000, 0, 0x4039_8001, 1 << 32):
        with pytest.raises(UsageError):
            calling.require_callable(target, address, ())
    with pytest.raises(UsageError, match="at most 8"):
        calling.require_callable(target, 0x4039_8000, range(9))
    for loader in (target, stubbed("esp32c3", version=1)):
        with pytest.raises(UsageError, match="needs the flasher stub"):
            calling.call(loader, 0x4039_8000)


def verbs(target: Target, data: bytes) -> Iterator[Callable[[], bool]]:
    """Yield what is done on the chip, each with whether its result is right."""
    start, pattern = FREE["esp32c3"], Pattern.of_hex("deaddead")
    places = [start + m.start() for m in pattern.expression().finditer(data)][:8]
    memory = target.memory
    yield lambda: int(hash_range(memory, start, SIZE, "crc32").digest, 16) == zlib.crc32(data)
    yield lambda: [h.address for h in find(memory, start, SIZE, pattern, most=8).hits] == places
    yield lambda: not find(memory, start, SIZE, Pattern.of_hex("77")).hits
    yield lambda: memtest.examine(memory, start, 0x400, restore=True).ok


@pytest.mark.long
@pytest.mark.parametrize("fault", ["drop", "double", "late:0.4", "flip:5.3", "cut:6"])
@pytest.mark.parametrize("direction", ["request", "reply"])
def test_results_are_right_on_a_link_with_faults(fault: str, direction: str) -> None:
    """With a fault in any frame what is done on the chip is right, or a clean error."""
    action, _, argument = fault.partition(":")
    for number in range(60, 200, 11):
        rule = f"fault={action}@{direction}:{number}" + f":{argument}" * bool(argument)
        target = stubbed("esp32c3", rule)
        for is_right in verbs(target, filled(target, FREE["esp32c3"])):
            with contextlib.suppress(EspError):
                assert is_right(), rule

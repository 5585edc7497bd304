"""Streams of memory and flash: right or an error, whatever happens to any frame of them."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator

import pytest

from espshell.device import Target
from espshell.errors import EspError, NoReply
from espshell.loader import flash_read, stream
from espshell.loader.dialogue import OVERDUE_S
from espshell.loader.loader import Fault, Loader
from espshell.protocol.commands import ReadReg
from espshell.protocol.dialect import STUB
from espshell.protocol.handlers import SectorCrcs, StreamFlash, StreamMemory
from espshell.protocol.packet import Opcode
from espshell.sim import fault
from espshell.sim.fault import Direction, Faults
from espshell.span import Span
from espshell.units import KIB, SECTOR
from tests.loader.support import held, open_sim, scripted, wire_of
from tests.loader.test_flash_read import interrupt
from tests.loader.test_loader import reply

ROM = 0x4000_0000
CHIPS = ["esp32", "esp32c3", "esp8266"]
DATA = random.Random(8).randbytes(128 * KIB)
FAULTS = {"drop": "", "double": "", "flip": ":7.3", "cut": ":9", "late": ":0.7", "noise": ":ets\\n"}
SIZE = 40 * KIB  # at 115200 baud two and a half parts


def opened(chip: str, options: str = "") -> Target:
    """Return a chip with a stub, whose flash holds something that has been read from."""
    target = open_sim(options, chip)
    target.start_stub()
    wire_of(target).chip.flash.load(DATA)
    target.flash.read(0, SECTOR)
    return target


def spoil(target: Target, rule: str, way: Direction) -> None:
    """Have a fault come, counted from the next frame on."""
    faults = Faults([fault.parse(rule)], way)
    if way is Direction.REPLY:
        wire_of(target)._replies = faults
    else:
        wire_of(target)._requests = faults


def read(target: Target, space: str) -> bytes:
    """Read a range that does not begin at a word."""
    where = target.memory if space == "mem" else target.flash
    return where.read(ROM + 1 if space == "mem" else 1, SIZE)


def expected(target: Target, space: str) -> bytes:
    """Return what the simulated chip has there."""
    if space == "flash":
        return DATA[1 : SIZE + 1]
    return wire_of(target).chip.memory.read(ROM + 1, SIZE)


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("space", ["mem", "flash"])
def test_one_request_a_part(chip: str, space: str) -> None:
    """A range takes a request for each second of the wire, and 1.03 times its bytes."""
    target = opened(chip)
    assert target.loader.has_streams
    assert target.loader.has_flash_streams
    count = wire_of(target).count
    requests, size = count.requests, count.bytes_to_host
    assert read(target, space) == expected(target, space)
    assert count.requests - requests <= 4 + (space == "flash")  # which is asked whether it is blank
    assert count.bytes_to_host - size < 1.03 * SIZE


@pytest.mark.long
@pytest.mark.parametrize("action", FAULTS)
@pytest.mark.parametrize("space", ["mem", "flash"])
def test_a_fault_in_any_frame(space: str, action: str) -> None:
    """Lost, doubled, damaged, cut, late, or text before it: what is read is what is there."""
    target = opened("esp32c3")
    replies = wire_of(target).count.replies
    read(target, space)
    frames = wire_of(target).count.replies - replies
    ends = (1, 2, 3, 16, 17, 18, 19, frames - 1, frames)
    for number in (*ends, *random.Random(action).sample(range(4, frames), 3)):
        target.link.clock.sleep(OVERDUE_S)
        target.loader.streams_ahead = True
        spoil(target, f"{action}@reply:{number}{FAULTS[action]}", Direction.REPLY)
        assert read(target, space) == expected(target, space)
        assert target.loader.execute(ReadReg(ROM)) == held(target, ROM)


@pytest.mark.long
@pytest.mark.parametrize("space", ["mem", "flash"])
def test_a_fault_in_any_request(space: str) -> None:
    """A request that is lost, doubled or cut, or has any bit flipped, reads nothing else."""
    target = opened("esp32c3")
    rules = [f"{action}:{n}{arg}" for action, arg in (("drop@request", ""), ("double@request", ""),
        ("cut@request", ":6")) for n in (1, 2, 3)]  # fmt: skip
    flips = [f"flip@request:2:{byte}.{byte % 8}" for byte in (1, *range(8, 24, 2))]
    for rule in (*rules, *flips):
        target.link.clock.sleep(OVERDUE_S)
        target.loader.streams_ahead = True
        spoil(target, rule, Direction.REQUEST)
        assert read(target, space) == expected(target, space)


@pytest.mark.parametrize("space", ["mem", "flash"])
def test_killed(space: str) -> None:
    """A stub that dies in any frame of a stream gives an error, and not a byte that is wrong."""
    for number in (1, 2, 9, 18, 19, 30):
        target = opened("esp32c3")
        spoil(target, f"kill@reply:{number}", Direction.REPLY)
        with pytest.raises(EspError):
            read(target, space)


@pytest.mark.parametrize("space", ["mem", "flash"])
def test_ctrl_c(space: str) -> None:
    """Wherever a stream is stopped the next command works, and reads right."""
    for after in (1, 3, 20, 150, 300):
        target = opened("esp32c3")
        interrupt(target, after)
        with pytest.raises(KeyboardInterrupt):
            read(target, space)
        assert target.loader.execute(ReadReg(ROM)) == held(target, ROM)
        assert read(target, space) == expected(target, space)


def test_a_stream_that_nobody_reads_to_its_end() -> None:
    """What is asked next waits until it is over."""
    target = opened("esp32c3")
    pieces = target.memory.chunks(ROM, 64 * KIB)
    first = next(pieces)
    assert target.loader.execute(ReadReg(ROM)) == held(target, ROM)
    assert first + b"".join(pieces) == wire_of(target).chip.memory.read(ROM, 64 * KIB)
    next(target.memory.chunks(ROM, 64 * KIB))
    assert target.loader.execute(ReadReg(ROM)) == held(target, ROM)


def test_a_handler_that_reads_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is not believed, neither for memory nor for flash: everything is read as without it."""
    target = opened("esp32c3")
    request = StreamFlash.payload
    monkeypatch.setattr(StreamFlash, "payload", lambda c: request(type(c)(c.offset + 4, c.size)))
    assert not stream.enable(target.loader)
    target.loader.has_streams, target.loader.has_flash_streams = True, None
    assert target.flash.read(0, 3 * SECTOR) == DATA[: 3 * SECTOR]
    assert target.loader.has_flash_streams is False


def run(target: Target, size: int = 64 * KIB) -> float:
    """Read memory as one part that fails; return the seconds until that is noticed."""
    began = target.link.clock.now()
    with pytest.raises(Fault):
        list(stream.run(target.loader, StreamMemory, Span.of(ROM, size), size))
    return target.link.clock.now() - began


def test_a_frame_of_another_size_ends_a_part_at_once() -> None:
    """Nobody waits for the rest of a part that cannot be right any more."""
    target = opened("esp32c3")
    spoil(target, "cut@reply:3:9", Direction.REPLY)
    assert run(target) < target.link.wire_s(4 * KIB)


def test_after_a_fault_nothing_is_asked_for_ahead() -> None:
    """A stub keeps one request during a stream; whether it still does is not known then."""
    target = opened("esp32c3")
    spoil(target, "flip@reply:3:7.3", Direction.REPLY)
    assert read(target, "mem") == expected(target, "mem")
    assert not target.loader.streams_ahead


def test_a_read_that_never_comes_right_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some faults in a row, of ever shorter parts, a read is an error."""
    target = opened("esp32c3")
    tries: list[int] = []

    def fail(_loader: object, _kind: object, _span: Span, part: int) -> Iterator[bytes]:
        tries.append(part)
        raise Fault("bytes were lost")

    monkeypatch.setattr(stream, "run", fail)
    with pytest.raises(NoReply, match="in a row"):
        list(stream.read_memory(target.loader, ROM, 64 * KIB))
    assert len(tries) == stream.RETRIES + 1
    assert tries[-1] < tries[0]


def test_sums_of_sectors() -> None:
    """They are those of the sectors; one that is missing is noticed."""
    import zlib

    target = opened("esp32c3")
    crcs = [zlib.crc32(DATA[at : at + SECTOR]) for at in range(0, len(DATA), SECTOR)]
    assert stream.sector_crcs(target.loader, 0, len(DATA)) == crcs
    spoil(target, "drop@reply:2", Direction.REPLY)
    with pytest.raises(Fault):
        stream.sector_crcs(target.loader, 0, len(DATA))
    assert stream.sector_crcs(target.loader, 0, len(DATA)) == crcs
    assert len(DATA) < SectorCrcs.PER_FRAME * SECTOR


def test_blank_flash_behind_a_stream_is_not_transferred() -> None:
    """A part that ends blank is the last one until a digest says where something is."""
    target = opened("esp32c3")
    wire_of(target).chip.flash.load(DATA[: 20 * KIB] + b"\xff" * 108 * KIB)
    before = wire_of(target).count.bytes_to_host
    assert target.flash.read(0, 128 * KIB) == DATA[: 20 * KIB] + b"\xff" * 108 * KIB
    assert wire_of(target).count.bytes_to_host - before < 40 * KIB
    assert flash_read.CHUNK == 64 * KIB


@pytest.mark.parametrize("latency", [1, 4, 16, 64])
@pytest.mark.parametrize("chip", ["esp32", "esp32c3"])
def test_never_slower_than_the_rom(chip: str, latency: int, stride: Callable[[int], int]) -> None:
    """Any size takes less time through a stub, or that of the same round trip."""
    rom, stub = (Target.open(f"sim://{chip}?latency={latency}ms", baud=921600) for _ in range(2))
    stub.start_stub()
    for size in (16 * KIB, 4096, 4, 16, 64, 128, 256, 1024)[stride(1) - 1 :]:
        seconds = []
        for target in (rom, stub):
            began = target.link.clock.now()
            target.memory.read(ROM, size)
            seconds.append(target.link.clock.now() - began)
        assert seconds[1] < 1.02 * seconds[0] + 2e-4
    size = 64 * KIB
    began = stub.link.clock.now()
    stub.memory.read(ROM, size)
    fraction = stub.link.wire_s(size) / (stub.link.clock.now() - began)
    assert fraction > (0.95 if latency <= 16 else 0.9)


def test_only_the_answer_to_the_request_accepts_it() -> None:
    """A good reply to another command may belong to one given up: no stream follows."""
    link, port = scripted()
    port.say(reply(Opcode.READ_REG, 7, bytes(2)))
    with link.streaming(deque()), pytest.raises(Fault, match="no reply"):
        stream.await_acceptance(Loader(link, STUB))
    port.say(reply(Opcode.READ_REG, 7, bytes(2)) + reply(Opcode.STREAM, 0, bytes(2)))
    with link.streaming(deque()):
        stream.await_acceptance(Loader(link, STUB))

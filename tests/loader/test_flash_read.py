"""Reading flash: right or an error, whatever happens to a frame, and no more than is needed."""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Callable
from functools import cache

import pytest

from espshell.device import Target
from espshell.errors import NoReply
from espshell.loader.flash_read import CHUNK, TRIES, read_chunks
from espshell.protocol import slip
from espshell.protocol.packet import Opcode
from espshell.units import KIB, MIB
from tests.loader.support import open_sim, wire_of

DATA = hashlib.shake_128(b"flash").digest(256 * KIB)
LOADERS = [("esp32", False), ("esp32c3", False), ("esp32c3", True), ("esp8266", True)]

FAULTS = {
    "drop@reply": "",
    "double@reply": "",
    "late@reply": ":0.7",
    "flip@reply": ":9.3",
    "cut@reply": ":11",
    "drop@request": "",
    "double@request": "",
    "flip@request": ":9.4",
}
"""What may happen to a frame, with its argument."""


def opened(
    chip: str = "esp32c3", stub: bool = True, options: str = "", contents: bytes = DATA
) -> Target:
    """Return a chip whose flash holds something and has been asked for its size."""
    target = open_sim(options, chip)
    if stub:
        target.start_stub()
    assert target.flash.size == 4 * MIB
    wire_of(target).chip.flash.load(contents)
    return target


@pytest.mark.parametrize(("chip", "stub"), LOADERS)
@pytest.mark.parametrize(
    ("address", "size"), [(0, 1), (63, 2), (0, 4096), (1, 4097), (0xFFF, 20_000), (64, 0)]
)
def test_ranges_of_any_alignment(chip: str, stub: bool, address: int, size: int) -> None:
    """Exactly the bytes that were asked for come, in one piece or many."""
    target = opened(chip, stub)
    assert target.flash.read(address, size) == DATA[address : address + size]


def test_the_rom_of_an_esp8266() -> None:
    """It can do nothing of this; commands to the flash itself do it."""
    target = opened("esp8266", False)
    assert target.flash.read(0x7FD, 300) == DATA[0x7FD : 0x7FD + 300]


@pytest.mark.parametrize(("chip", "stub"), LOADERS[1:3])
def test_blank_flash_is_not_transferred(chip: str, stub: bool) -> None:
    """A MiB of nothing is less than 8 KB on the wire, stub included; what is in it is found."""
    target = opened(chip, stub, contents=b"")
    count = wire_of(target).count
    assert target.flash.read(0, MIB) == b"\xff" * MIB
    before = count.bytes_to_host
    assert before < 8 * KIB
    contents = bytearray(b"\xff" * MIB)
    contents[300_000:300_100] = DATA[:100]
    wire_of(target).chip.flash.load(bytes(contents))
    assert target.flash.read(0, MIB) == bytes(contents)
    assert count.bytes_to_host - before < 2 * CHUNK + 4 * KIB


@cache
def frames(chip: str, stub: bool, contents: bytes) -> dict[str, tuple[int, int]]:
    """Return how many frames have gone each way before and after a read without faults."""
    target = opened(chip, stub, contents=contents)
    count = wire_of(target).count
    before = count.requests, count.replies
    assert target.flash.read(0, len(contents)) == contents
    after = count.requests, count.replies
    return dict(zip(("request", "reply"), zip(before, after, strict=True), strict=True))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("chip", "stub"), LOADERS[1:3])
@pytest.mark.parametrize("blank", [False, True], ids=["random", "partly blank"])
def test_right_or_an_error(
    chip: str, stub: bool, fault: str, blank: bool, stride: Callable[[int], int]
) -> None:
    """One fault, at any frame: what is read is what is there."""
    half = 24 * KIB if stub else 6 * KIB
    contents = (b"\xff" * half if blank else DATA[:half]) + DATA[:half]
    first, last = frames(chip, stub, contents)[fault.partition("@")[2]]
    for at in range(first + 1, last + 1, stride(6) * max(1, (last - first) // 6)):
        options = f"fault={fault}:{at}{FAULTS[fault]}"
        target = opened(chip, stub, options, contents)
        assert target.flash.read(0, len(contents)) == contents


def test_a_request_for_another_place_is_noticed() -> None:
    """A stub's digest is of what it sent: a flipped bit of the offset passes it."""
    number = wire_of(opened()).count.requests + 1
    for byte, bit in ((8, 6), (9, 7), (10, 1), (10, 5)):
        target = opened(options=f"fault=flip@request:{number}:{byte}.{bit}")
        assert target.flash.read(0, 8 * KIB) == DATA[: 8 * KIB]


def test_given_up_after_five_more_tries() -> None:
    """Then the baud rate is lowered if that may be, and else it is an error that says so."""
    target = opened()
    loader, tried = target.loader, 0

    def deaf(timeout_s: float) -> None:
        nonlocal tried
        tried += 1

    target.link.receive_frame = deaf  # type: ignore[method-assign]
    with pytest.raises(NoReply, match="6 times in a row"):
        list(read_chunks(loader, 0, CHUNK))
    assert tried == TRIES + 1
    lowered: list[bool] = []

    def slower() -> bool:
        lowered.append(True)
        return len(lowered) < 3

    tried = 0
    with pytest.raises(NoReply):
        list(read_chunks(loader, 0, CHUNK, slower=slower))
    assert (tried, len(lowered)) == (3 * (TRIES + 1), 3)


def test_frames_of_other_sizes() -> None:
    """Each try asks for frames of another length, and for half as much."""
    target = opened()
    target.loader.has_streams = False
    asked: list[tuple[int, int]] = []
    send = target.link.send

    def watched(data: bytes) -> None:
        if len(data) > 24 and data[2] == Opcode.READ_FLASH:
            request = slip.unescape(data[1:-1])
            assert request is not None
            size, block_size = struct.unpack_from("<II", request, 12)
            asked.append((size, block_size))
        send(data)

    target.link.send = watched  # type: ignore[method-assign]
    target.link.receive_frame = lambda timeout_s: None  # type: ignore[method-assign]
    with pytest.raises(NoReply):
        list(read_chunks(target.loader, 0, 48 * KIB))
    assert len({block for _, block in asked}) >= 4
    assert [size for size, _ in asked] == sorted((size for size, _ in asked), reverse=True)


def deafen(target: Target) -> None:
    """Let no frame come at a high rate."""
    receive = target.link.receive_frame

    def frame(timeout_s: float) -> bytes | None:
        return None if target.link.port.baud > 460800 else receive(timeout_s)

    target.link.receive_frame = frame  # type: ignore[method-assign]


def interrupt(target: Target, after: int) -> None:
    """Let Ctrl-C come in the middle of waiting for bytes."""
    read = target.link.port.read
    left = after

    def interrupted(wait_s: float) -> bytes:
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt
        return read(wait_s)

    target.link.port.read = interrupted  # type: ignore[method-assign]


def test_lower_baud_rate() -> None:
    """A link that fails again and again is slowed down, unless `slower` is off."""
    for may in (True, False):
        target = Target.open("sim://esp32c3", baud=921600)
        target.start_stub()
        wire_of(target).chip.flash.load(DATA)
        assert target.flash.size
        target.flash.may_slow_down = may
        deafen(target)
        if may:
            assert target.flash.read(0, 70_000) == DATA[:70_000]
            assert target.link.port.baud == 460800
        else:
            with pytest.raises(NoReply):
                target.flash.read(0, 70_000)
            assert target.link.port.baud == 921600


@pytest.mark.parametrize(("chip", "stub"), LOADERS[1:3])
def test_ctrl_c(chip: str, stub: bool) -> None:
    """Wherever a read is stopped, the next command works, and reads right."""
    for stop in range(1, 12, 3):
        target = opened(chip, stub)
        interrupt(target, after=7 * stop)
        with pytest.raises(KeyboardInterrupt):
            target.flash.read(0, 200 * KIB)
        assert target.flash.read(0x100, 5000) == DATA[0x100 : 0x100 + 5000]
        assert target.flash.identify()


@pytest.mark.parametrize("stub", [True, False])
def test_a_byte_that_changes_on_the_way_is_seen_by_the_digest(
    stub: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is not in the part that is asked about once more."""
    contents = DATA[:512] + b"\x55" * (4 * KIB - 512)
    target = opened("esp32", False, contents=contents)
    if stub:
        target.start_stub(handlers=False)
    feed, damaged = slip.Decoder.feed, list[int]()

    def once_wrong(decoder: slip.Decoder, data: bytes) -> object:
        at = data.find(b"\x55" * 4)
        if at >= 0 and not damaged:
            damaged.append(at)
            data = data[: at + 2] + b"\x54" + data[at + 3 :]
        return feed(decoder, data)

    monkeypatch.setattr(slip.Decoder, "feed", once_wrong)
    assert target.flash.read(0, 4 * KIB) == contents
    assert damaged


def test_a_rom_is_read_in_pieces_as_small_as_a_bad_link_wants() -> None:
    """Where each seventeenth reply comes twice no piece of 1 KiB is right, smaller ones are."""
    target = open_sim("fault=double@reply:60+17", "esp32c5")
    data = random.Random(3).randbytes(8192)
    wire_of(target).chip.flash.load(data)
    assert target.flash.read(0, 2048) == data[:2048]

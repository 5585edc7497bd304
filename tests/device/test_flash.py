"""The space ``flash:``: its size, its id, and how few requests it takes."""

from __future__ import annotations

import pytest

from espshell.chips import USB_VID
from espshell.errors import DeviceError, EspError, UsageError
from espshell.link.ports import PortInfo
from espshell.loader.spi import FlashCommand
from espshell.nor import opcodes
from espshell.protocol.flash import SpiSetParams
from espshell.units import KIB, MIB
from tests.loader.support import open_sim, wire_of

CHIPS = ("esp8266", "esp32", "esp32s2", "esp32s3", "esp32c2", "esp32c3", "esp32c6", "esp32h2")
MOST_REQUESTS = 5


@pytest.mark.parametrize("stub", [False, True], ids=["rom", "stub"])
@pytest.mark.parametrize("chip", CHIPS)
def test_a_command_takes_few_requests(chip: str, stub: bool) -> None:
    """At most five for one that reads, whichever loader runs; and it reads right."""
    target = open_sim("flash=W25Q32JV", chip)
    if stub:
        target.start_stub()
    assert target.flash.size == 4 * MIB
    count = wire_of(target).count
    data = bytes(range(64))
    wire_of(target).chip.flash.load(data)
    for command, answer in (
        (FlashCommand(opcodes.RDID, read_size=3), b"\xef\x40\x16"),
        (FlashCommand(0x03, address=4, read_size=4), data[4:8]),
        (FlashCommand(0x05, read_size=1), b"\0"),
        (FlashCommand(0x5A, address=0, dummy_bits=8, read_size=4), b"SFDP"),
    ):
        before = count.requests
        assert target.flash.command(command) == answer
        assert count.requests - before <= MOST_REQUESTS


@pytest.mark.parametrize("part", ["1M", "4M", "8M", "16M", "W25Q32JV"])
def test_size_by_id(part: str) -> None:
    """What the id tells is the size, and where the space ends."""
    target = open_sim(f"flash={part}", "esp32c3")
    size = target.flash.size
    assert size == (4 if part == "W25Q32JV" else int(part[:-1])) * MIB
    target.flash.check(size - 1, 1)
    target.flash.check(size, 0)
    for address, count in ((size, 1), (size - 1, 2), (0, size + 1), (-1, 1)):
        with pytest.raises(UsageError, match="past the end of the flash"):
            target.flash.check(address, count)


def test_a_declared_size_counts_more() -> None:
    """Also where nothing answers that could be asked."""
    target = open_sim("sdm=1", "esp32c3")
    with pytest.raises(DeviceError, match="the flash size is unknown"):
        assert target.flash.size
    target.flash.declared_size = 8 * MIB
    assert target.flash.size == 8 * MIB
    assert not target.flash.is_readable


def test_asked_once_for_each_loader() -> None:
    """Attaching and the id cost requests the first time only, and again when a stub is started."""
    target = open_sim("", "esp32c3")
    count = wire_of(target).count
    assert target.flash.size
    before = count.requests
    assert target.flash.size
    target.flash.check(0, 1)
    assert count.requests == before
    target.start_stub()
    assert not target.flash.is_ready
    assert target.flash.size


def test_a_size_that_is_no_exponent() -> None:
    """Some makers' ids say the size in another way; it is known all the same."""
    assert open_sim("flash=MX25U6435F", "esp32c3").flash.size == 8 * MIB


def test_only_whole_sectors_are_changed() -> None:
    """Anything else is a mistake of the caller, and nothing is sent."""
    target = open_sim("", "esp32c3")
    assert target.flash.size
    before = wire_of(target).count.requests
    for steps in (
        target.flash.erase(1, 4096),
        target.flash.erase(0, 1),
        target.flash.program(0, b"abc"),
        target.flash.program(8, bytes(4096)),
    ):
        with pytest.raises(ValueError, match="not whole sectors"):
            list(steps)
    assert wire_of(target).count.requests == before


def test_a_dry_run_sends_nothing() -> None:
    """Erasing and programming say how far they would have come."""
    target = open_sim("", "esp32c3")
    target.flash.dry_run = True
    assert target.flash.size
    before = wire_of(target).count.requests
    assert list(target.flash.erase(0x1000, 0x2_0000)) == [
        0x1000,
        0x3000,
        0x7000,
        0xF000,
        0x1F000,
        0x20000,
    ]
    assert list(target.flash.program(0, bytes(8192))) == [8192]
    assert wire_of(target).count.requests == before


def test_a_failure_lets_it_be_told_its_size_again() -> None:
    """A byte that was lost on the way to the loader does not spoil the rest of the session."""
    target = open_sim("", "esp32c3")
    assert target.flash.size == 4 * MIB
    target.loader.execute(SpiSetParams(64 * KIB))
    with pytest.raises(EspError):
        target.flash.digest(MIB, 4096)
    assert target.flash.read(MIB, 64) == b"\xff" * 64


def test_no_flipped_bit_makes_another_id() -> None:
    """Whichever reply it is in: the size that is told is that of the flash."""
    target = open_sim("", "esp32c3")
    first = wire_of(target).count.replies
    assert target.flash.size == 4 * MIB
    for number in range(first + 1, wire_of(target).count.replies + 1):
        faulty = open_sim(f"fault=flip@reply:{number}:6.0", "esp32c3")
        assert faulty.flash.size == 4 * MIB


def test_a_read_command_has_three_bytes_of_address() -> None:
    """What lies beyond 16 MiB cannot be asked for where the flash itself is read, forced or not."""
    target = open_sim("", "esp8266")
    for address, size in ((0x3FC9_0000, 256), (0xFF_FFFF, 2)):
        with pytest.raises(UsageError, match="beyond 16 MiB"):
            target.flash.read(address, size)


def test_what_has_no_rate_is_not_read_more_slowly() -> None:
    """A chip's own USB, the lowest rate, and `set slower off`; else it goes down by one step."""
    target = open_sim("flash=W25Q32JV", "esp32c3")
    target.start_stub()
    target.usb = PortInfo("x", USB_VID, 0x1001)
    assert not target.flash._slow_down()
    target.usb, target.flash.may_slow_down = None, False
    assert not target.flash._slow_down()
    target.flash.may_slow_down = True
    assert (target.flash._slow_down(), target.link.port.baud) == (True, 57600)
    assert (target.flash._slow_down(), target.link.port.baud) == (False, 57600)

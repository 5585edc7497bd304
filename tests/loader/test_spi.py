"""Commands to the flash chip: what they cost, and that none is sent that was not meant."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial

import pytest

from espshell.device import Target
from espshell.errors import DeviceError, NoReply
from espshell.loader import spi
from espshell.loader.spi import START, FlashCommand
from espshell.protocol.commands import WriteReg
from espshell.sim.fault import Direction, Faults, parse
from tests.loader.support import open_sim, wire_of

LOADERS = (("esp32", False), ("esp32s3", False), ("esp32", True), ("esp32c3", True))
"""ROMs and stubs, on controllers of both kinds."""

COMMANDS = (
    FlashCommand(0x06),
    FlashCommand(0x06, checked=True),
    FlashCommand(0x05, read_size=1),
    FlashCommand(0x05, read_size=1, checked=True),
    FlashCommand(0x9F, read_size=3, checked=True),
    FlashCommand(0x01, data=b"\0\0", checked=True),
    FlashCommand(0x20, address=0x1000, checked=True),
    FlashCommand(0x5A, address=0, dummy_bits=8, read_size=16),
)


def opened(chip: str, stub: bool) -> Target:
    """Return a chip whose flash has been used once."""
    target = open_sim("flash=W25Q32JV", chip)
    if stub:
        target.start_stub()
    assert target.flash.identify() == 0xEF4016
    return target


def fault(target: Target, rule: str) -> None:
    """Let the next requests suffer."""
    wire_of(target)._requests = Faults([parse(rule)], Direction.REQUEST)


@pytest.mark.parametrize(("chip", "stub"), LOADERS)
@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_round_trips(
    chip: str, stub: bool, command: FlashCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command costs five waits for an answer at most, also one whose set-up is read back."""
    target = opened(chip, stub)
    trips: list[bytes] = []
    send = target.link.send

    def counted(data: bytes) -> None:
        trips.append(data)
        send(data)

    monkeypatch.setattr(target.link, "send", counted)
    target.flash.command(command)
    assert len(trips) <= 5


def test_an_esp8266_takes_more() -> None:
    """Its loaders answer one read at a time, so that a checked command costs ten."""
    target = opened("esp8266", False)
    before = wire_of(target).count.requests
    target.flash.command(FlashCommand(0x05, read_size=1, checked=True))
    assert wire_of(target).count.requests - before <= 10


@pytest.mark.parametrize(("chip", "stub"), LOADERS)
def test_registers_of_the_loader_are_put_back(chip: str, stub: bool) -> None:
    """USER, USER1 and USER2 hold after each command what they held before the first."""
    target = open_sim("flash=W25Q32JV", chip)
    if stub:
        target.start_stub()
    spi, memory = target.chip.spi, wire_of(target).chip.memory
    places = [spi.base + offset for offset in (spi.user, spi.user1, spi.user2)]
    for number, place in enumerate(places):
        memory.set_register(place, 0x1234_5600 + number)
    for command in COMMANDS:
        target.flash.command(command)
        assert [memory.word(place) - 0x1234_5600 for place in places] == [0, 1, 2]


def test_a_start_that_never_comes() -> None:
    """A command that was not started reads as FF, as of a flash that is busy, and not as 0."""
    target = opened("esp32c3", False)
    entry = 8 + 16 * 5  # behind length, W0, USER, USER1 and USER2
    for byte in (entry + 4 + 2, entry + 8 + 2):  # bit 18 of the value, and of the mask
        fault(target, f"flip@request:1:{byte}.2")
        assert target.flash.command(FlashCommand(0x05, read_size=1)) == b"\xff"
        assert target.flash.command(FlashCommand(0x05, read_size=1)) == b"\x00"


@pytest.mark.parametrize(
    ("command", "starts"),
    [
        (FlashCommand(0x01, data=b"\0"), 1),
        (FlashCommand(0x20, address=0x1000), 1),
        (FlashCommand(0x05, read_size=1), 2),
    ],
)
def test_only_what_reads_is_started_again(command: FlashCommand, starts: int) -> None:
    """A command that may have been run, and whose answer is lost, is not run a second time."""
    target = opened("esp32c3", True)
    execute, started = target.loader.execute, list[WriteReg]()

    def lose(sent: object, **options: object) -> object:
        if isinstance(sent, WriteReg):
            started.append(sent)
            if len(started) == 1:
                raise NoReply("lost")
        return execute(sent, **options)  # type: ignore[arg-type]

    target.loader.execute = lose  # type: ignore[method-assign, assignment]
    with contextlib.suppress(NoReply):
        target.flash.command(command)
    assert len(started) == starts


@pytest.mark.parametrize("bit", range(32))
def test_no_other_bit_starts_anything(bit: int) -> None:
    """Whatever flips in the start, only its own bit is written: others erase, or reset."""
    target = opened("esp32c3", False)
    memory = wire_of(target).chip.memory
    spi, seen = target.chip.spi, list[int]()
    write = memory._watched[spi.base + spi.cmd]

    def watched(value: int) -> None:
        seen.append(value)
        write(value)

    memory.watch(spi.base + spi.cmd, watched)
    for first in (8 + 16 * 5 + 4, 8 + 16 * 5 + 8):
        fault(target, f"flip@request:1:{first + bit // 8}.{bit % 8}")
        target.flash.command(FlashCommand(0x05, read_size=1))
    assert set(seen) <= {START, 0}


@pytest.mark.parametrize(("chip", "stub"), LOADERS)
def test_set_up_that_does_not_hold(chip: str, stub: bool) -> None:
    """What does not read back as it was set up is set up again; and not started at last."""
    target = opened(chip, stub)
    flash = wire_of(target).chip.flash
    flash.status.stored = flash.status.active = [0x1C, 0x02, 0x60]
    command = FlashCommand(0x01, data=b"\x1c\x02", checked=True)
    target.flash.command(FlashCommand(0x06))
    # Data first of all in the frame: length, W0 and its value.
    fault(target, "flip@request:1:28.7")
    target.flash.command(command)
    assert flash.status.active == [0x1C, 0x02, 0x60]
    target.flash.command(FlashCommand(0x06))
    before = flash.count.status_writes
    fault(target, "flip@request:1-99:28.7")
    with pytest.raises(DeviceError, match="does not keep what is written to it"):
        target.flash.command(command)
    assert flash.count.status_writes == before


def test_a_read_that_becomes_a_write() -> None:
    """One bit makes 01h of 05h; unchecked and with WEL set that writes, checked it does not."""
    target = opened("esp32c3", False)
    flash = wire_of(target).chip.flash
    opcode = 8 + 16 * 4 + 4
    for checked, active in ((True, 0x00), (False, 0xFC)):
        target.flash.command(FlashCommand(0x06))
        fault(target, f"flip@request:1:{opcode}.2")
        target.flash.command(FlashCommand(0x05, read_size=1, checked=checked))
        assert flash.status.active[0] == active


def answered(commands: Iterator[int], *_: object) -> list[int]:
    """Return the next value of the command register, and one word of data."""
    return [next(commands), 0x1234]


def test_a_command_that_is_not_over_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read counts when the start bit is cleared, and never if it stays."""
    target = open_sim()
    controller = spi.Controller(target.loader, target.chip.spi)
    for busy, value in ((2, 0x1234), (99, None)):
        turns = iter([*[START] * busy, 0])
        monkeypatch.setattr(spi, "_words", partial(answered, turns))
        if value is None:
            with pytest.raises(DeviceError, match="does not finish"):
                controller._result(4)
        else:
            assert controller._result(4) == value.to_bytes(4, "little")

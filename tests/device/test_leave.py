"""How a chip is left: by the lines, by command, by the watchdog, and after a stop half-way."""

from __future__ import annotations

import pytest

from espshell.chips import USB_VID
from espshell.device import Target, leave
from espshell.errors import NoReply
from espshell.link import reset
from espshell.link.ports import PortInfo
from espshell.protocol import slip
from espshell.protocol.packet import Opcode
from tests.link.support import FakePort
from tests.loader.support import open_sim, wire_of

HARD_RESET = [(0.0, None, True), (0.1, None, False)]
RELEASED = [(0.0, False, False), *HARD_RESET]


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("default-reset", "hard-reset", RELEASED),
        ("no-reset", "hard-reset", RELEASED),
        ("default-reset", "soft-reset", RELEASED),
        ("usb-reset", "watchdog-reset", RELEASED),
        ("no-reset", "D1|D0", [(0.0, False, False), (0.0, True, None), (0.0, False, None)]),
        ("no-reset", "soft-reset", []),
        ("no-reset-no-sync", "watchdog-reset", []),
        ("default-reset", "no-reset", []),
        ("default-reset", "no-reset-stub", []),
    ],
)
def test_half_way(before: str, after: str, lines: list[object]) -> None:
    """IO0 is released before the reset; what must not be reset on either side is left alone."""
    port = FakePort()
    assert leave.half_way(port, before=before, after=after) is bool(lines)
    assert port.log == lines


def gone(target: Target) -> None:
    """Let the loader of a chip answer nothing more."""

    def silent(*_: object, **__: object) -> None:
        raise NoReply("gone")

    target.loader.execute = silent  # type: ignore[method-assign, assignment]


def moved(target: Target) -> list[tuple[bool | None, bool | None]]:
    """Return the lines that will be moved from now on."""
    port, lines = target.link.port, list[tuple[bool | None, bool | None]]()
    port.set_lines = lambda *, dtr=None, rts=None: lines.append((dtr, rts))  # type: ignore[method-assign]
    return lines


def test_a_loader_that_is_gone_is_reset_all_the_same() -> None:
    """That FORCE_DOWNLOAD_BOOT of an S3 cannot be cleared does not keep the lines from moving."""
    target = open_sim(chip="esp32s3")
    gone(target)
    lines = moved(target)
    assert leave.by_reset(target)
    assert lines == [(None, True), (None, False)]


@pytest.mark.parametrize("strapped", [False, True])
def test_over_usb_otg_the_strap_decides(strapped: bool) -> None:
    """Where IO0 is high the lines lead into the application; else they would not."""
    target = open_sim(chip="esp32s3")
    target.usb = PortInfo("port", vid=USB_VID, pid=target.chip.usb_otg_pid)
    strap = target.chip.boot_strap
    assert strap is not None
    wire_of(target).chip.memory.set_register(strap.address, 0 if strapped else strap.mask)
    lines, before = moved(target), target.link.clock.now()
    assert leave.by_reset(target)
    assert lines == ([] if strapped else [(None, True), (None, False)])
    assert (target.link.clock.now() - before >= 0.5) is strapped  # until the watchdog has bitten


def test_a_secure_chip_is_asked_for_no_register() -> None:
    """In secure download mode there is nothing but the lines, also over USB-OTG."""
    target = open_sim("sdm=1", chip="esp32s3")
    assert target.loader.dialect.is_secure
    target.usb = PortInfo("port", vid=USB_VID, pid=target.chip.usb_otg_pid)
    lines, before = moved(target), wire_of(target).count.requests
    assert leave.by_reset(target)
    assert (lines, wire_of(target).count.requests) == ([(None, True), (None, False)], before)


@pytest.mark.parametrize(("chip", "attached"), [("esp32c3", True), ("esp8266", False)])
def test_by_command_the_flash_is_attached_first(chip: str, attached: bool) -> None:
    """A ROM that knows SPI_ATTACH starts the application only from a flash that it reaches."""
    target, opcodes = open_sim(chip=chip), list[int]()

    def tap(now: float, direction: str, data: bytes) -> None:
        if direction == "tx":
            opcodes.append(slip.unescape(data.strip(slip.END))[1])  # type: ignore[index]

    target.link.taps.append(tap)
    leave.by_command(target)
    expected = [Opcode.SPI_ATTACH] * attached + [Opcode.FLASH_BEGIN, Opcode.FLASH_END]
    assert opcodes == expected


def test_stopped_early_a_soft_reset_is_one_by_the_lines() -> None:
    """A loader that may be out of step is asked nothing."""
    target = open_sim(chip="esp32c3")
    lines, before = moved(target), wire_of(target).count.requests
    assert leave.early(target, before="default-reset", after="soft-reset")
    release = (reset.RELEASE.dtr, reset.RELEASE.rts)
    assert lines == [release, (None, True), (None, False)]
    assert wire_of(target).count.requests == before

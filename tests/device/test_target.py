"""Opening a chip and leaving it."""

from __future__ import annotations

import pytest

from espshell.chips import CHIPS
from espshell.chips.esp32 import ESP32
from espshell.device import Target
from espshell.errors import NoSync, PortError, UsageError
from espshell.link.port import SerialPort
from espshell.loader.spi import FlashCommand
from espshell.sim.boot import ChipMode
from tests.loader.support import open_sim, wire_of


def test_first_contact_is_at_115200() -> None:
    """A higher rate is changed to after the first contact, at both ends."""
    target = Target.open("sim://esp32c3", baud=921600)

    assert (target.link.port.baud, wire_of(target).chip.baud) == (921600, 921600)


@pytest.mark.parametrize("failing", ["sim://esp32c3", "sim://esp32?fault=hang@request:1"])
def test_port_is_closed_when_connecting_fails(
    monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """When the chip is another, or does not answer, the port is given back."""
    closed: list[str] = []
    monkeypatch.setattr(SerialPort, "close", lambda port: closed.append(port.url))

    with pytest.raises((UsageError, NoSync)):
        Target.open(failing, expected=ESP32, before="no-reset")
    assert closed == [failing]


@pytest.mark.parametrize(
    ("after", "mode"),
    [
        ("hard-reset", ChipMode.BOOTING),
        ("soft-reset", ChipMode.APPLICATION),
        ("no-reset", ChipMode.DOWNLOAD),
    ],
)
def test_leaving(after: str, mode: ChipMode) -> None:
    """Each way to leave does to the chip what its name says."""
    target = open_sim(chip="esp32c3")
    wire = wire_of(target)
    target.close(after)
    if mode is not ChipMode.DOWNLOAD:
        target.link.clock.sleep(0.2)
        wire.settle()

    assert wire.mode is (ChipMode.APPLICATION if mode is ChipMode.BOOTING else mode)
    with pytest.raises(PortError):
        target.link.port.write(b"")


def test_run_application() -> None:
    """Running the application is a reset where there are lines."""
    target = open_sim(chip="esp32c3")
    wire = wire_of(target)

    assert target.run_application()
    target.link.clock.sleep(0.2)
    wire.settle()
    assert wire.mode is ChipMode.APPLICATION


def test_run_application_by_command() -> None:
    """Without lines the loader is told to leave, and it does."""
    target = open_sim(chip="esp32")
    target.link.port.has_lines = False
    wire = wire_of(target)

    assert not target.run_application()
    target.link.clock.sleep(0.2)
    wire.settle()
    assert wire.mode is ChipMode.APPLICATION


@pytest.mark.parametrize("name", ["esp32c3", "esp32s3"])
def test_run_application_where_the_stub_ignores_commands(name: str) -> None:
    """Without lines a v2 stub is left by the watchdog, because it answers FLASH_END and stays."""
    target = open_sim(chip=name)
    target.start_stub()
    target.link.port.has_lines = False

    assert target.run_application()
    target.link.clock.sleep(0.2)
    wire_of(target).settle()
    assert wire_of(target).mode is ChipMode.APPLICATION


def test_run_application_where_nothing_leaves_the_stub() -> None:
    """A chip that its watchdog cannot reset stays in the v2 stub, and that is said."""
    target = open_sim(chip="esp32")
    target.start_stub()
    target.link.port.has_lines = False

    with pytest.raises(UsageError, match="the flasher stub does not start the application"):
        target.run_application()
    assert wire_of(target).mode is ChipMode.DOWNLOAD
    assert target.memory.words(target.chip.markers[0], 1)


def test_a_legacy_stub_runs_the_application_by_command() -> None:
    """FLASH_END leaves a v1 stub for the ROM loader, so that one is told to run user code."""
    target = open_sim(chip="esp32")
    target.start_stub(version=1)
    target.link.port.has_lines = False

    assert not target.run_application()
    target.link.clock.sleep(0.2)
    wire_of(target).settle()
    assert wire_of(target).mode is not ChipMode.DOWNLOAD


@pytest.mark.parametrize("name", [chip.name for chip in CHIPS if chip.rom_clock])
def test_rate_is_right_where_the_rom_is_wrong_about_its_clock(name: str) -> None:
    """A ROM that mistakes its crystal is asked for another rate; the wire has the wanted one."""
    target = open_sim(chip=name)
    target.change_baud(921600)

    assert target.link.port.baud == 921600
    assert target.memory.words(target.chip.markers[0], 1)


@pytest.mark.parametrize("name", [chip.name for chip in CHIPS])
@pytest.mark.parametrize("with_stub", [False, True])
def test_flash_command(name: str, with_stub: bool) -> None:
    """The JEDEC id is read through each chip's controller, whose registers are restored."""
    target = open_sim(chip=name)
    if with_stub:
        target.start_stub()
    base = target.chip.spi
    places = [base.base + offset for offset in (base.user, base.user1, base.user2)]
    before = target.memory.gather(places)

    assert target.flash.command(FlashCommand(0x9F, read_size=3)).hex() == "ef4016"
    assert target.memory.gather(places) == before


def test_flash_command_is_few_round_trips() -> None:
    """Once attached, one command is four frames of words: registers, start, result, registers."""
    target = open_sim(chip="esp32c3")
    target.start_stub()
    target.flash.command(FlashCommand(0x9F, read_size=3))
    before = wire_of(target).count.requests
    target.flash.command(FlashCommand(0x9F, read_size=3))

    assert wire_of(target).count.requests - before <= 2 + 6 + 5


def test_stub_of_a_revision() -> None:
    """A P4 gets the stub of its revision."""
    old, new = (open_sim(f"rev={rev}", "esp32p4") for rev in ("1.3", "3.1"))

    assert old.start_stub().path.endswith("esp32p4-rev1.json")
    assert new.start_stub().path.endswith("esp32p4.json")

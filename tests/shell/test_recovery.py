"""Losing the chip and finding it again; the stub, secure download mode, and ports."""

from __future__ import annotations

from pathlib import Path

import pytest

from espshell.chips import Chip
from espshell.clock import VirtualClock
from espshell.errors import NoSync, PortError, PortStalled, UsageError
from espshell.link import ports
from espshell.link.ports import PortInfo
from espshell.loader.plugins import install
from espshell.shell import recovery
from espshell.shell.settings import Bench
from tests.shell.support import RAM, Shell

BOARD = PortInfo("/dev/ttyUSB0", 0x10C4, 0xEA60, "0001", "CP2102", "1-1")


def test_reconnect_forgets_what_was_seen(shell: Shell) -> None:
    """After a reconnect the last value and the marks of dumps are gone, and it is said."""
    shell.type(f"peek {RAM}; dump {RAM} 16")
    assert shell.session.connected.dumps
    said = shell.type("reconnect")

    assert said.out == "esp32c3  rom on sim://esp32c3 at 115200 baud\n"
    assert "stale" in said.err
    assert not shell.session.connected.dumps
    assert "_" not in shell.session.variables


def test_reconnect_starts_the_stub_again(shell: Shell) -> None:
    """A stub that was running runs again."""
    shell.type("stub always")
    shell.type("stub auto; reconnect")

    assert shell.session.chip.loader.dialect.is_stub


def test_lost_port(offline: Shell) -> None:
    """A port that goes away is told in one line, and the session stays."""
    shell = offline.connect("?fault=unplug@request:60")
    said = shell.type(f"dump {RAM} 4096")

    assert said.status == 3
    assert said.err.count("\n") == 1
    assert shell.session.lost is not None
    assert shell.type(f"peek {RAM}").err == (
        "peek: no chip is connected; `connect PORT`, or start with --port\n"
    )
    assert shell.type("connect sim://esp32c3; peek DRAM").status == 0


def test_which_errors_mean_that_the_port_is_gone(shell: Shell) -> None:
    """One of the connected port, or of no port by name; not that of another, or one that stalls."""
    session, url = shell.session, shell.session.chip.link.port.url
    errors = [PortError("x", port=port) for port in (url, "", "/dev/other")]
    errors.append(PortStalled("x", port=url))
    assert [recovery.is_lost(session, error) for error in errors] == [True, True, False, False]
    session.disconnect()
    assert not recovery.is_lost(session, errors[0])


def test_a_try_that_fails_does_not_forget_the_device(shell: Shell) -> None:
    """The next one looks for it again, and starts its stub."""
    session = shell.session
    session.start_stub()
    recovery.lose(session)
    right, session.bench = session.bench, Bench(port="/dev/no-such-port")
    lost = session.lost
    assert shell.type("reconnect").status == 3
    assert session.lost is lost
    session.bench = right
    assert shell.type("reconnect").status == 0
    assert session.chip.loader.dialect.is_stub


@pytest.mark.parametrize("in_step", [True, False])
def test_a_handler_is_blamed_only_for_silence(shell: Shell, in_step: bool) -> None:
    """One that was tried, and whose stub still answers, has done no harm."""
    session = shell.session
    session.start_stub()
    session.chip.loader.on_trial, session.chip.loader.in_step = True, in_step
    assert shell.type("reconnect").status == 0
    assert session.without_handlers == (set() if in_step else {"esp32c3"})


def test_reset_is_recognised(offline: Shell) -> None:
    """A chip that has reset, and finds nothing to run in its flash, is said to have done so."""
    shell = offline.connect("?fault=reset@request:60")
    said = shell.type(f"dump {RAM} 4096")

    assert said.status == 3
    assert "the chip is in a boot loop (RTCWDT_RTC_RST): its flash holds no program" in said.err


def test_device_that_comes_back_under_another_name(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same device is found by its serial number; another board is not taken for it."""
    other = PortInfo("/dev/ttyUSB0", 0x10C4, 0xEA60, "0002", "CP2102", "1-2")
    moved = PortInfo("sim://esp32c3?latency=2ms", 0x10C4, 0xEA60, "0001", "CP2102", "1-1")
    shell.session.chip.usb = BOARD
    monkeypatch.setattr(ports, "list_ports", lambda: (other,))
    assert shell.type("reconnect").err.startswith("reconnect: /dev/ttyUSB0 is not there")
    monkeypatch.setattr(ports, "list_ports", lambda: (other, moved))

    assert shell.type("reconnect").status == 0
    assert shell.session.bench.port == moved.device


def test_waiting_for_a_device(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting looks again and again, and reconnects as soon as the device is there."""
    clock = VirtualClock()
    here = PortInfo("sim://esp32c3", 0x10C4, 0xEA60, "0001", "CP2102", "1-1")
    monkeypatch.setattr(ports, "list_ports", lambda: (here,) if clock.now() > 1 else ())
    shell.session.chip.usb = BOARD
    recovery.lose(shell.session)

    assert recovery.wait_and_reconnect(shell.session, clock)
    assert 1 < clock.now() < 2
    assert shell.session.target is not None


def test_waiting_ends(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience ends, and it is said how to try again."""
    monkeypatch.setattr(ports, "list_ports", lambda: ())
    shell.session.chip.usb = BOARD
    recovery.lose(shell.session)

    assert not recovery.wait_and_reconnect(shell.session, VirtualClock())
    assert "`reconnect` tries again" in shell.said(0).err


def test_stub_command(shell: Shell) -> None:
    """`stub always` starts it now and says so once; `stub` tells."""
    assert shell.type("stub").out == "stub auto: it does not run\n"
    said = shell.type("stub always")
    assert said.out == "stub always: it runs, with bulk reads\n"
    assert "flasher stub started" in said.err
    assert "started" not in shell.type("stub always").err
    assert shell.type(f"peek {RAM}").status == 0


def test_stub_that_cannot_be_found(shell: Shell, tmp_path: object) -> None:
    """A folder without the chip's stub is one line with what to do; the ROM goes on working."""
    said = shell.type(f"stub always --dir {tmp_path}")

    assert said.status == 2
    assert said.err.startswith("stub: no flasher stub for the ESP32-C3 is in ")
    assert "pip install" in said.err
    assert shell.type(f"peek {RAM}").status == 0


def test_secure_download_mode(offline: Shell) -> None:
    """What cannot work is refused before anything is sent, with what can; info still tells."""
    shell = offline.connect("?sdm=1")
    said = shell.type(f"peek {RAM}")

    assert said.status == 2
    assert "`peek` is not possible: the chip is in secure download mode" in said.err
    assert "available: load, write-flash, " in said.err
    assert "secure download mode" in shell.type("info").out


def test_ports(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ports are listed with what USB says."""
    monkeypatch.setattr(ports, "list_ports", lambda: (BOARD, PortInfo("/dev/ttyS0")))

    assert shell.type("ports").out == (
        "/dev/ttyUSB0  CP210x  10c4:ea60  CP2102  0001\n/dev/ttyS0\n"
    )
    shell.session.output.as_json = True
    told = shell.type("ports").objects[0]["value"]
    assert told[0] == {
        "device": "/dev/ttyUSB0",
        "likely": True,
        "kind": "CP210x",
        "vid": 0x10C4,
        "pid": 0xEA60,
        "product": "CP2102",
        "serial": "0001",
        "location": "1-1",
    }


def test_rate_that_only_the_stub_can_change(offline: Shell) -> None:
    """The ROM of an ESP8266 cannot change its rate: the stub is started for that, and said."""
    offline.session.connect(Bench(port="sim://esp8266", baud=230400))
    said = offline.type("baud")

    assert said.out == "esp8266  stub on sim://esp8266 at 230400 baud\n"
    assert "flasher stub started" in said.err


def test_rate_without_the_stub(offline: Shell) -> None:
    """If the stub is forbidden, it is said what would help, and the port is given back."""
    with pytest.raises(UsageError, match="does not support CHANGE_BAUDRATE") as caught:
        offline.session.connect(Bench(port="sim://esp8266", baud=230400, stub="never"))
    assert "stub" in caught.value.hint
    assert offline.session.target is None


def test_rate_of_no_chip(shell: Shell) -> None:
    """A rate that no chip can make is refused before anything is sent."""
    assert (
        shell.type("baud 1").err
        == "baud: 1 baud is not a rate that a chip supports; 300 to 8000000 are\n"
    )
    assert shell.type(f"peek {RAM}").status == 0


def test_running_stub_is_spared(shell: Shell) -> None:
    """A write over the running stub is refused, and with --force it is the user's wish."""
    shell.type("stub always")
    said = shell.type("fill 0x3fc90000 200k 0x66")

    assert said.status == 2
    assert "the running flasher stub has its data at 0x3fc84000" in said.err
    assert shell.type("poke 0x3fc84000 1 --force").status == 0
    assert shell.type("poke 0x3fca0000 1").status == 0


def test_reset_sequence_of_another_board(offline: Shell) -> None:
    """After one that does not suit, what the chip says is told: its flash holds no program."""
    with pytest.raises(NoSync, match="its flash holds no program"):
        offline.session.connect(Bench(port="sim://esp32c3", before="usb-reset"))


def spoil(monkeypatch: pytest.MonkeyPatch, spoilt: str) -> None:
    """Have a handler uploaded as code that does not run."""
    place = install.place

    def other(name: str, chip: Chip, address: int) -> tuple[bytes, int] | None:
        placed = place(name, chip, address)
        return (bytes(len(placed[0])), placed[1]) if placed and name == spoilt else placed

    monkeypatch.setattr(install, "place", other)


@pytest.mark.parametrize("chip", ["esp8266", "esp32c3"])
@pytest.mark.parametrize("handler", ["words", "stream"])
def test_a_handler_that_ends_the_stub(
    offline: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, chip: str, handler: str
) -> None:
    """At the start of the stub the chip is reset, and the stub does without, until the end."""
    spoil(monkeypatch, handler)
    monkeypatch.chdir(tmp_path)
    offline.session.connect(Bench(port=f"sim://{chip}", stub="always"))
    said = offline.type("save flash:0 64K a.bin; reconnect; dump flash:0 16")
    assert said.status == 0
    assert offline.session.chip.loader.dialect.is_stub
    assert not offline.session.chip.loader.has_bulk_read
    assert offline.session.without_handlers == {chip}


def test_a_handler_that_ends_the_stub_later(
    offline: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The command fails; after `reconnect` the stub runs without handlers, and it works."""
    spoil(monkeypatch, "deflate")
    monkeypatch.chdir(tmp_path)
    offline.connect()
    assert offline.type("save flash:0 128K a.bin").status == 3
    assert "on trial" in offline.type("reconnect").err
    assert offline.type("save flash:0 128K a.bin").status == 0

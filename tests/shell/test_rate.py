"""The baud rate: measured, raised by hand and unasked, and lowered again."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from espshell.cli import main
from espshell.device import Flash
from espshell.errors import NoReply, ReadsDiffer
from espshell.ops.flash import load
from espshell.ops.flash.guard import Stray
from espshell.ops.flash.write_job import WriteJob
from espshell.ops.result import Report
from espshell.shell.settings import Bench
from espshell.span import Span
from tests.loader.support import wire_of
from tests.shell.support import Shell

LONG = 320 * 1024
WIRE_S = 10 * 1024 * 1024 / 115_200
"""A MiB at the rate of the first contact."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a file of random bytes that is long enough for a rate to be raised."""
    path = tmp_path / "data.bin"
    path.write_bytes(random.Random(6).randbytes(LONG))
    return path


def baud(shell: Shell) -> int:
    """Return the rate, which is the same at both ends."""
    port = shell.session.chip.link.port
    assert wire_of(shell.session.chip).chip.baud == port.baud
    return port.baud


@pytest.mark.parametrize(
    ("options", "highest", "tried"),
    [
        ("", 3_000_000, 6),
        ("?maxbaud=921600", 921_600, 4),
        ("?noise=921600:0.01", 460_800, 3),
        ("?maxbaud=115200", 115_200, 1),
    ],
)
@pytest.mark.parametrize("stub", [False, True])
def test_baud_auto(offline: Shell, options: str, highest: int, tried: int, stub: bool) -> None:
    """The highest clean rate stays, whatever the faster ones do; a stub runs again if one did."""
    shell = offline.connect(options)
    if stub:
        shell.type("stub always")
    ran = shell.type("baud auto")
    assert ran.status == 0
    assert ran.out.count(" baud  ") == tried
    assert baud(shell) == highest
    assert shell.session.chip.loader.dialect.is_stub == stub
    assert shell.type("link").status == 0
    assert shell.session.bench.baud == highest
    assert shell.type("reset; peek ROM0").status == 0
    assert baud(shell) == highest


def test_an_esp8266_needs_its_stub(offline: Shell) -> None:
    """Its ROM cannot change the rate, so the stub is started for it."""
    offline.session.connect(Bench("sim://esp8266").at_rate("auto"))
    assert baud(offline) == 3_000_000


def test_a_chip_that_must_not_be_reset_is_lost(offline: Shell) -> None:
    """It is said in one line, with status 3."""
    offline.session.connect(Bench("sim://esp32c3?maxbaud=460800", before="no-reset"))
    ran = offline.type("baud auto")
    assert ran.status == 3
    assert ran.err.count("\n") == 1
    assert "the loader was lost, and --before forbids" in ran.err


def test_the_own_usb_has_no_rate(offline: Shell) -> None:
    """There is nothing to raise: said when asked for, not tried unasked."""
    offline.session.connect(Bench("sim://esp32c3?usb=jtag", before="usb-reset").at_rate("auto"))
    ran = offline.type("baud auto")
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert "no baud rate" in ran.err
    assert "no rate" in offline.type("link").out


def test_link_says_what_to_do(offline: Shell) -> None:
    """A latency timer, errors and a rate that could be higher are recognised; errors fail."""
    assert "`baud auto`" in offline.connect().type("link").out
    late = offline.connect("?latency=16ms").type("link")
    assert late.status == 0
    assert "/sys/bus/usb-serial/devices/ttyUSB0/latency_timer" in late.out
    assert "nothing to do" in offline.connect().type("baud 921600; link").out
    noisy = offline.connect("?noise=460800:0.01").type("baud 460800; link")
    assert noisy.status == 1
    assert "were lost or damaged at 460800 baud" in noisy.err
    assert "`baud 230400`" in noisy.out
    offline.session.output.as_json = True
    value = offline.connect().type("link").objects[0]["value"]
    assert value["errors"] == 0
    assert 0 < value["latency_s"]["least"] <= value["latency_s"]["most"] < 2e-3
    assert 0.9 < value["up"]["measured"] / (115_200 / 10) <= 1


def test_long_transfers_raise_the_rate(offline: Shell, data: Path) -> None:
    """Loads and saves do so once, and say so once; short ones do not."""
    offline.session.assume_yes = True
    out = data.with_suffix(".out")
    for line in (
        f"load {data} flash:0x10000",
        f"save flash:0x10000 {LONG} {out}",
    ):
        shell = offline.connect()
        shell.session.clean_rates.clear()
        ran = shell.type(line)
        assert ran.status == 0, line
        assert ran.err.count("rate raised to 3000000 baud for 320 KiB") == 1
        assert baud(shell) == 3_000_000
        assert "rate raised" not in shell.type(line).err
    short = offline.connect().type(f"save flash:0x10000 0x40000 {out}")
    assert "rate raised" not in short.err
    assert baud(offline) == 115_200
    offline.session.clean_rates.clear()
    offline.session.space("mem", LONG)
    assert baud(offline) == 3_000_000


@pytest.mark.parametrize(
    ("bench", "first"),
    [
        (Bench("sim://esp32c3").at_rate(115_200), ""),
        (Bench("sim://esp32c3", before="no-reset"), ""),
        (Bench("sim://esp32c3?usb=jtag", before="usb-reset"), ""),
        (Bench("sim://esp32c3"), "set rate fixed"),
        (Bench("sim://esp32c3"), "set dry-run on"),
        (Bench("sim://esp32c3"), "baud 115200"),
    ],
)
def test_a_rate_that_was_chosen_stays(
    offline: Shell, tmp_path: Path, bench: Bench, first: str
) -> None:
    """Chosen by -b, `baud` or the setting, without a bridge, or where no reset could help."""
    offline.session.connect(bench)
    offline.type(first)
    ran = offline.type(f"save flash:0 {LONG} {tmp_path / 'out'}")  # blank, so it takes no time
    assert ran.status == 0
    assert "rate raised" not in ran.err
    assert offline.session.chip.link.port.baud == 115_200


@pytest.mark.parametrize("noise", ["1500000:0.0001", "460800:0.0003"])
def test_a_load_goes_on_at_a_lower_rate(offline: Shell, data: Path, noise: str) -> None:
    """Errors at a raised rate cost time and not the load; what is in flash is right."""
    shell = offline.connect(f"?noise={noise}")
    shell.session.assume_yes = True
    ran = shell.type(f"load {data} flash:0x10000")
    assert ran.status == 0, ran.err
    flash = wire_of(shell.session.chip).chip.flash
    assert flash.read(0x10000, LONG) == data.read_bytes()
    assert "rate raised" not in shell.type(f"verify {data} flash:0x10000").err


@pytest.mark.parametrize("tries", [1, 2])
def test_a_load_that_fails_at_a_raised_rate(
    offline: Shell, data: Path, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is done again, and what may have gone astray is told; not if a digest had failed."""
    shell, right, jobs = offline.connect(), load.write, list[WriteJob]()
    shell.session.assume_yes = True

    def fail(flash: Flash, job: WriteJob, report: Report) -> load.Written:
        jobs.append(job)
        if len(jobs) > 1:
            return right(flash, job, report)
        job.segments[0].tries = tries
        job.strays.append(Stray(Span(0, 4096), "holds the same data"))
        raise NoReply("nothing came")

    monkeypatch.setattr(load, "write", fail)
    ran = shell.type(f"load {data} flash:0x10000")
    assert len(jobs) == 3 - tries
    told = "0x00000000..0x00001000 holds the same data" if tries == 1 else "nothing came"
    assert (ran.status == 0, told in ran.err) == (False, True)


def test_from_a_default_start_a_mebibyte_is_loaded_in_a_sixth_of_the_time(
    offline: Shell, tmp_path: Path
) -> None:
    """The time of connecting, of the stub, of raising the rate and of the flash included."""
    path = tmp_path / "data.bin"
    path.write_bytes(random.Random(7).randbytes(1024 * 1024))
    shell = offline.connect("?latency=16ms")
    shell.session.assume_yes = True
    assert shell.type(f"load {path} flash:0x10000").status == 0
    assert shell.session.clock.now() < WIRE_S / 6


def test_the_outer_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """``-b auto`` raises it at connecting; another word is a usage error."""
    port = ["-p", "sim://esp32c3?maxbaud=921600"]
    assert main([*port, "-b", "auto", "-c", "baud"]) == 0
    assert "at 921600 baud" in capsys.readouterr().out
    assert main([*port, "-b", "fast", "-c", "baud"]) == 2
    assert "or auto, not `fast`" in capsys.readouterr().err
    assert main([*port, "-c", "connect --baud auto; baud"]) == 0
    assert capsys.readouterr().out.count("at 921600 baud") == 2


def test_a_raw_socket_has_no_rate_to_raise(offline: Shell) -> None:
    """What is behind it would keep its rate, and the chip would be lost."""
    shell = offline.connect()
    shell.session.chip.link.port.url = "socket://host:1"
    assert "rfc2217://" in shell.type("baud auto").err
    shell.session.space("mem", LONG)
    assert baud(shell) == 115_200
    assert "no rate" in shell.type("link").out


def test_readings_that_differ_lower_a_raised_rate(
    offline: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are a fault of the link, as silence is."""

    def differ(*_: object, **__: object) -> None:
        raise ReadsDiffer("two readings differ")

    monkeypatch.setattr("espshell.ops.memory.words.peek", differ)
    shell = offline.connect()
    shell.session.space("mem", LONG)
    raised = baud(shell)
    assert "two readings differ" in shell.type("peek DRAM").err
    assert 115_200 <= baud(shell) < raised


def test_a_finding_about_the_chip_leaves_the_rate(offline: Shell) -> None:
    """Only faults of the link lower a rate: an image that is none is not a fault of the link."""
    shell = offline.connect()
    shell.session.space("mem", LONG)
    raised = baud(shell)
    assert raised > 115200
    assert shell.type("image info flash:0").status == 1
    assert shell.type("expect 0").status == 1
    assert baud(shell) == raised

"""loadram and monitor: what is shown, what fails, and whether the loader is still there."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from espshell.link.port import SerialPort
from espshell.shell.settings import Bench
from espshell.sim.boot import ChipMode
from tests.loader.support import wire_of
from tests.ops.test_loadram import CODE, IRAM, good, image
from tests.shell.support import Shell

SAYS = r"?says=hi\r\n\x1b[31mready\x1b[2J\n"
GONE = "the loader has stopped; `reconnect` resets the chip into it again\n"


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Return the name of a program's file."""
    path = tmp_path / "program.bin"
    path.write_bytes(good())
    return shlex.quote(str(path))


@pytest.fixture
def clash(tmp_path: Path) -> str:
    """Return the name of a program that lies where the stub does."""
    path = tmp_path / "clash.bin"
    path.write_bytes(image([(0x4038_0000, CODE)], chip=5, entry=0x4038_0000))
    return shlex.quote(str(path))


def test_what_it_says_is_shown_safely(offline: Shell, file: str) -> None:
    """It is loaded and started, its text is shown until the awaited one, the loader is gone."""
    ran = offline.connect(SAYS).type(f"loadram {file} --until ready --timeout 5")
    assert ran.status == 0
    lines = ran.out.splitlines()
    assert lines[-3].endswith("2 segments, 7.5 KiB in 3 blocks; started at 0x40398004")
    assert lines[-2:] == ["hi", r"ready\x1b[2J"]
    assert ran.err == GONE
    assert offline.session.target is None


@pytest.mark.parametrize("name", ["load-ram", "load_ram"])
def test_other_names(offline: Shell, file: str, name: str) -> None:
    """The names of esptool do the same."""
    assert offline.connect(SAYS).type(f"{name} {file} -t 1").out.endswith("ready\\x1b[2J\n")


def test_what_it_does_not_say_is_a_failure(offline: Shell, file: str) -> None:
    """A bench is told by the status, and the session is in order."""
    ran = offline.connect(SAYS).type(f"loadram {file} --until steady --timeout 5")
    assert ran.status == 1
    assert ran.err == f"{GONE}loadram: `steady` did not appear within 5 s\n"
    assert offline.type("peek 0x3fc90000").status == 3
    assert offline.type("reconnect").status == 0
    assert offline.type("peek 0x3fc90000").status == 0


def test_ten_seconds_by_themselves(offline: Shell, file: str) -> None:
    """Who gives no time waits for ten seconds."""
    ran = offline.connect(SAYS).type(f"loadram {file} --until steady")
    assert "did not appear within 10 s" in ran.err


def test_without_a_terminal_nobody_listens_for_ever(offline: Shell, file: str) -> None:
    """Where nobody can press Ctrl-C it is started only, and that is said."""
    ran = offline.connect(SAYS).type(f"loadram {file}")
    assert (ran.status, "ready" in ran.out) == (0, False)
    assert ran.err == "its output is not shown; --until TEXT or --timeout S shows it\n" + GONE
    assert offline.connect(SAYS).type(f"loadram {file} --no-monitor").err == GONE


def test_json(offline: Shell, file: str) -> None:
    """One object holds all of it, and nothing else is on stdout."""
    session = offline.connect(SAYS).session
    session.output.as_json = True
    (found,) = offline.type(f"loadram {file} --until ready").objects
    assert found["ok"]
    assert found["value"]["segments"][0] == {"address": IRAM, "size": len(CODE), "region": "IRAM"}
    assert found["value"]["monitor"]["text"] == "hi\nready\\x1b[2J\n"
    offline.connect(SAYS)
    (found,) = offline.type(f"loadram {file} --until no -t 2").objects
    assert (found["ok"], found["error"]) == (False, "`no` did not appear within 2 s")


def test_loaded_only(offline: Shell, file: str) -> None:
    """With --no-run the loader stays."""
    ran = offline.connect(SAYS).type(f"loadram {file} --no-run")
    assert ran.out.endswith("in 3 blocks; not started\n")
    assert offline.type(f"peek {IRAM:#x}").out.startswith("0x40398000  0x03020100")


@pytest.mark.parametrize("option", ["--no-run", "--no-monitor"])
def test_options_that_exclude_each_other(shell: Shell, file: str, option: str) -> None:
    """What is not started or not heard cannot be waited for."""
    ran = shell.type(f"loadram {file} {option} --until ready")
    assert (ran.status, "started and monitored" in ran.err) == (2, True)
    assert shell.session.target is not None


def test_the_stub_in_the_way_is_shown(shell: Shell, clash: str) -> None:
    """The picture says who lies where, and the refusal what helps; after that way out it runs."""
    shell.type("stub always")
    ran = shell.type(f"loadram {clash}")
    assert ran.status == 2
    *picture, refusal = ran.err.splitlines()
    assert any("XXX" in row and row.endswith("  X segment 0") for row in picture)
    assert "would overwrite the stub code" in refusal
    assert ran.out == ""
    shell.type("stub never; reset")
    assert shell.type(f"loadram {clash} --no-run").status == 0


def test_a_program_that_returns_to_the_stub(offline: Shell, file: str) -> None:
    """The connection stays, at its rate, and that is said."""
    offline.connect(SAYS + "&returns=1").type("stub always; baud 460800")
    ran = offline.type(f"loadram {file} --monitor-baud 460800 -t 1")
    assert ran.err == "the program has returned: the stub still runs\n"
    assert ran.out.count("read back") == 1
    assert offline.type("baud").out.endswith(
        "stub on sim://esp32c3" + SAYS + "&returns=1 at 460800 baud\n"
    )


@pytest.mark.parametrize("line", ["loadram {} --monitor-baud {} -t 1", "monitor --baud {1} -t 1"])
@pytest.mark.parametrize("rate", [1, 99999999999])
def test_a_rate_that_no_chip_has(shell: Shell, file: str, line: str, rate: int) -> None:
    """It is refused before anything is sent, and the connection stays."""
    before = wire_of(shell.session.chip).count.requests
    ran = shell.type(line.format(file, rate))
    assert (ran.status, "is not a rate that a chip supports; 300 to 8000000 are" in ran.err) == (
        2,
        True,
    )
    assert wire_of(shell.session.chip).count.requests == before


def test_a_chip_that_is_lost_in_a_load(offline: Shell, file: str) -> None:
    """The bench is told by status 3, and how to reach the chip again."""
    ran = offline.connect("?fault=hang@request:13").type(f"loadram {file} -t 1")
    assert (ran.status, ran.out) == (3, "")
    assert "loadram: writing at 0x40399800 failed" in ran.err
    assert "`reconnect` resets it" in ran.err


def test_ctrl_c_stops_listening(offline: Shell, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends what was shown until Ctrl-C; where a text is waited for, it ends the line."""
    interrupt(offline.connect(SAYS), monkeypatch)
    ran = offline.type(f"loadram {file} -t 100")
    assert (ran.status, ran.err) == (130, GONE)
    interrupt(offline.connect(SAYS), monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        offline.type(f"loadram {file} --until never")
    assert offline.session.target is None


def interrupt(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Ctrl-C pressed when the chip has been silent for a while."""
    target = shell.session.target
    assert target is not None
    read: Callable[[SerialPort, float], bytes] = SerialPort.read
    silent = 0

    def reading(port: SerialPort, wait_s: float) -> bytes:
        nonlocal silent
        data = read(port, wait_s)
        silent = 0 if data or wait_s < 0.2 else silent + 1
        if silent > 3:
            silent = 0
            raise KeyboardInterrupt
        return data

    monkeypatch.setattr(SerialPort, "read", reading)


def test_dry_run(offline: Shell, file: str) -> None:
    """Nothing is sent, and the plan is shown."""
    offline.connect(SAYS)
    session = offline.session
    session.dry_run = session.chip.memory.dry_run = True
    ran = offline.type(f"loadram {file} -t 1")
    assert "would be loaded, entry 0x40398004" in ran.out
    assert ran.err == "dry run: nothing was sent\n"
    assert wire_of(session.chip).mode is ChipMode.DOWNLOAD


def test_monitor_runs_the_application(shell: Shell) -> None:
    """With --run the loader is left, and nothing of the boot log is missed."""
    wire_of(shell.session.chip).chip.flash.load(b"\xe9")
    ran = shell.type('monitor --run --until "the application" -t 5')
    assert ran.out.startswith("ESP-ROM:esp32c3")
    assert ran.out.endswith("hello from the application\n")
    assert (ran.status, ran.err) == (0, "")
    assert shell.session.target is None


def test_monitor_opens_the_port_as_it_is(offline: Shell) -> None:
    """Without a connection the port is opened and the chip not reset."""
    offline.session.bench = Bench(port="sim://esp32c3?boot=app")
    ran = offline.type("monitor -t 1")
    assert ran.out == "hello from the application\n"
    assert offline.session.target is None


def test_monitor_recognises_a_boot_loop(offline: Shell) -> None:
    """What happens to the chip is one note."""
    offline.session.bench = Bench(port="sim://esp32c3?boot=loop")
    ran = offline.type("monitor -t 3")
    assert "the chip is in a boot loop" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("monitor -t 1", "`monitor --run` starts the application"),
        ("monitor --run", "--until TEXT or --timeout S ends it"),
    ],
)
def test_monitor_refuses(shell: Shell, line: str, told: str) -> None:
    """A loader says nothing, and what never ends is not begun."""
    ran = shell.type(line)
    assert (ran.status, told in ran.err) == (2, True)
    assert shell.session.target is not None


@pytest.mark.parametrize("line", ["run", "reset run"])
@pytest.mark.parametrize("stub", [False, True])
def test_run_leaves_the_loader(shell: Shell, line: str, stub: bool) -> None:
    """By ROM or by stub the application starts, and the session knows that it has no chip."""
    if stub:
        shell.type("stub always")
    target = shell.session.target
    assert target is not None
    ran = shell.type(line)
    assert (ran.status, ran.out) == (0, "left the loader by reset; the application starts\n")
    assert shell.session.target is None
    target.link.clock.sleep(0.2)
    wire = wire_of(target)
    wire.settle()
    assert wire.mode is ChipMode.APPLICATION


def test_reset_comes_back_into_the_loader(shell: Shell) -> None:
    """`reset` and `reset boot` stay connected, without the stub."""
    shell.session.start_stub()
    assert shell.type("reset boot").out.startswith("esp32c3  rom on")
    assert shell.type("reset").out.startswith("esp32c3  rom on")


def test_a_port_without_lines_and_a_stub_that_ignores_commands(offline: Shell) -> None:
    """What cannot leave the loader does not say that it has."""
    session = offline.session
    session.connect(Bench(port="sim://esp32"))
    offline.type("stub always")
    session.chip.link.port.has_lines = False
    ran = offline.type("run")
    assert ran.status == 2
    assert "does not start the application" in ran.err
    assert session.target is not None

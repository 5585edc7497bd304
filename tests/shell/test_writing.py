"""Writes to memory as a person makes them: what is verified, what is lost, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from espshell.ops.result import Step
from espshell.protocol.commands import MemBegin, MemData, WriteReg
from espshell.sim import fault
from espshell.sim.fault import Direction, Faults
from tests.loader.support import held, wire_of
from tests.shell.support import RAM, Shell

EFUSE = 0x6000_8800
"""Where the ESP32-C3 has a register that is not writable once the controller is idle."""

READ_ONLY = 0x6000_882C
"""EFUSE.RD_WR_DIS of the ESP32-C3 (its technical reference manual, "eFuse Controller")."""

WRITES = [
    f"poke {RAM:#x} 0x12345678",
    f"poke {RAM:#x} 0x12345678 --mask 0xff00",
    f"poke8 {RAM:#x} 1 2 3",
    f"fill {RAM:#x} 0x20 0x12345678",
    f"fill {RAM:#x} 0x200 0x12345678",
    f"copy {RAM + 0x1000:#x} 0x40 {RAM:#x}",
    f"copy {RAM + 0x1000:#x} 0x200 {RAM:#x}",
    f"load x.bin mem:{RAM:#x}",
    "reg GPIO.OUT.DATA_ORIG=0x15",
    "reg GPIO.OUT=0x15",
]
"""Every verb that writes memory, by register writes and by blocks."""

OLD = bytes(i * 7 % 251 for i in range(0x200))


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Return a session in a folder with a file."""
    monkeypatch.chdir(tmp_path)
    Path("x.bin").write_bytes(bytes(range(200)))
    shell = Shell().connect()
    assert shell.session.target is not None
    wire_of(shell.session.target).chip.memory.write(RAM, OLD)
    return shell


def on_write(shell: Shell, rule: str) -> None:
    """Have a rule of the simulator begin at the first command of a line that writes memory."""
    target = shell.session.target
    assert target is not None
    wire, execute = wire_of(target), target.loader.execute

    def ruled(asked, *, timeout_s=None):  # type: ignore[no-untyped-def]
        if isinstance(asked, WriteReg | MemBegin | MemData):
            target.loader.execute = execute  # type: ignore[method-assign]
            wire._requests = Faults([fault.parse(rule)], Direction.REQUEST)
            wire._replies = Faults([fault.parse(rule)], Direction.REPLY)
        return execute(asked, timeout_s=timeout_s)

    target.loader.execute = ruled  # type: ignore[method-assign]


SILENT = "drop@reply:1+1"
"""No reply comes any more, and what is asked is done."""


@pytest.mark.parametrize("options", ["", " --no-verify"])
@pytest.mark.parametrize("line", WRITES)
def test_a_write_whose_answer_is_lost(shell: Shell, line: str, options: str) -> None:
    """It says what may have been written, and the journal holds what was there before."""
    if options and line.startswith("load"):
        shell.type("set verify off")
        options = ""
    on_write(shell, SILENT)
    ran = shell.type(line + options)
    assert ran.status == 3
    assert "may have been written" in ran.err
    (entry,) = shell.session.journal.last(5).entries
    assert not entry.is_sure
    is_read = not options and shell.session.settings.verify
    if entry.change.address == RAM:
        assert entry.change.old == (OLD[: entry.change.size] if is_read else None)
    assert "may have been written" in shell.type("journal").out


def test_an_undo_spares_the_stub(shell: Shell) -> None:
    """What lay where a stub was started since is not put back over it."""
    assert shell.type("fill DRAM 6k 1").status == 0
    assert shell.type("stub always").status == 0
    ran = shell.type("undo")
    assert ran.status == 2
    assert "the running flasher stub has its" in ran.err
    assert "--force" not in ran.err
    assert shell.type("peek DRAM").status == 0


def test_an_undo_whose_answer_is_lost(shell: Shell) -> None:
    """It says so and can be tried again."""
    shell.type(f"poke {RAM:#x} 1 2")
    on_write(shell, SILENT)
    ran = shell.type("undo")
    assert (ran.status, "may have been written" in ran.err) == (3, True)
    target = shell.session.target
    assert target is not None
    wire_of(target)._replies = Faults([], Direction.REPLY)
    assert shell.type("undo").status == 0
    assert held(target, RAM) == int.from_bytes(OLD[:4], "little")


def test_ctrl_c_in_a_write(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what may have been written, and the journal can put it back."""

    def stop(step: Step) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shell.session.output, "progress", stop)
    with pytest.raises(KeyboardInterrupt):
        shell.type(f"fill {RAM:#x} 0x200 5")
    assert f"{RAM:#010x}..{RAM + 0x200:#010x} may have been written" in shell.said(130).err
    assert shell.type("undo").status == 0
    assert wire_of(shell.session.chip).chip.memory.read(RAM, 0x200) == OLD


@pytest.mark.parametrize(("rule", "status"), [("drop@reply:1", 0), ("drop@request:1", 1)])
def test_one_lost_answer_is_decided_by_reading(shell: Shell, rule: str, status: int) -> None:
    """Written is good, not written is a failure; neither is said to be read-only."""
    on_write(shell, rule)
    ran = shell.type(f"poke {RAM:#x} 0x12345678")
    assert ran.status == status
    assert "read-only" not in ran.err
    assert "the answer to the write was lost" in ran.err


@pytest.mark.parametrize(
    "line",
    [
        f"fill {READ_ONLY:#x} 8 5 --force",
        f"copy {RAM:#x} 8 {READ_ONLY:#x} --force",
        f"load x.bin {READ_ONLY:#x} --force",
        f"poke {READ_ONLY:#x} 5 --force",
    ],
)
def test_verified_is_compared_and_equal(shell: Shell, line: str) -> None:
    """What does not read back is verified nowhere: in the text, in JSON, in the status."""
    ran = shell.type(line)
    assert ran.status == 1
    assert "verified" not in ran.out
    assert "read back " not in ran.out
    assert "read back)" not in ran.out
    shell.session.output.as_json = True
    (answer,) = shell.type(line).objects
    assert (answer["ok"], answer["value"].get("verified", False)) == (False, False)


@pytest.mark.parametrize("place", [f"{EFUSE:#x}", f"{EFUSE + 0x1FC:#x}", f"{EFUSE - 4:#x}"])
@pytest.mark.parametrize("line", ["fill {} 8 0", "poke {} 0 0", "copy DRAM 8 {}", "load x.bin {}"])
def test_efuse_registers_need_force(shell: Shell, line: str, place: str) -> None:
    """A write that touches the eFuse controller is refused before anything is sent."""
    ran = shell.type(line.format(place))
    assert ran.status == 2
    assert "eFuse controller" in ran.err or "outside the memory map" in ran.err
    assert not shell.session.journal.last(1).entries


@pytest.mark.parametrize(
    "line",
    [
        "fill efuse:0 4 0",
        "fill efuse:0..4 0",
        "poke efuse:0 0",
        "poke8 efuse:0 0 --mask 1",
        "copy DRAM 4 efuse:0",
        "load x.bin efuse:0",
        "write-mem efuse:0 0",
    ],
)
@pytest.mark.parametrize("force", ["", " --force"])
def test_the_space_of_efuses_is_read_only(shell: Shell, line: str, force: str) -> None:
    """Also with --force; and reading is not refused."""
    ran = shell.type(line + ("" if line.startswith("write-mem") else force))
    assert ran.status == 2
    assert "`efuse:` is read-only" in ran.err
    assert shell.type("copy efuse:0x44 8 DRAM").status == 0

"""How often is read, and what is said about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from espshell.device.memory import ADDRESS_SPACE
from espshell.sim import fault
from espshell.sim.fault import Direction, Faults
from tests.loader.support import wire_of
from tests.shell.support import RAM, Ran, Shell

READS = [
    f"peek {RAM:#x} 3",
    f"peek8 {RAM + 1:#x}",
    "peek UART0.CLKDIV",
    "reg UART0.CLKDIV",
    "reg UART0.CLK* UART0.DATE",
    f"dump {RAM:#x} 64",
    f"expect [{RAM:#x}] == 0x150e0700",
    f"expect u8[{RAM + 1:#x}]",
    f"let x = [{RAM:#x}]",
    f"find {RAM:#x} 64 0x150e0700",
    f"hash {RAM:#x} 64",
    f"diff {RAM:#x} 64 x.bin",
    f"watch {RAM:#x} 32 --count 1",
    f"watch [{RAM:#x}] --count 1",
    f"snap a {RAM:#x} 64",
    f"save {RAM:#x} 64 y.bin",
    f"copy {RAM:#x} 64 {RAM + 0x100:#x}",
]
"""Every command that reads memory."""

DATA = bytes(i * 7 % 251 for i in range(64))

TWICE = [READS[0], READS[1], READS[6], READS[7], READS[8]]
"""Those that read a few words of plain memory, which are read twice anyway."""


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Return a session with JSON, in a folder with a file, on a chip that holds the same."""
    monkeypatch.chdir(tmp_path)
    Path("x.bin").write_bytes(DATA)
    shell = Shell().connect()
    assert shell.session.target is not None
    wire_of(shell.session.target).chip.memory.write(RAM, DATA)
    shell.session.output.as_json = True
    return shell


def effect(shell: Shell, ran: Ran) -> Any:
    """Return what came of a line: its value without the readings, and what it has written."""
    (answer,) = ran.objects
    value = answer["value"]
    for key in ("readings", "seconds"):
        if isinstance(value, dict):
            value.pop(key, None)
    file = Path("y.bin")
    kept = shell.session.snapshots.get("a")
    copied = wire_of(shell.session.chip).chip.memory.read(RAM + 0x100, 64)
    return value, file.exists() and file.read_bytes(), kept and kept.data, copied


@pytest.mark.parametrize(
    ("line", "check"), [*((line, True) for line in READS), *((line, False) for line in TWICE)]
)
def test_a_flipped_bit_is_never_believed(shell: Shell, line: str, check: bool) -> None:
    """Whichever reply of a command has it, the value is right or there is an error."""
    if check:
        shell.type("set check on")
    shell.type(line)
    wire = wire_of(shell.session.chip)
    before = wire.count.replies
    right = effect(shell, shell.type(line))
    count = wire.count.replies - before
    assert count > 1
    for number in range(1, count + 1, 1 + count // 10):
        wire._replies = Faults([fault.parse(f"flip@reply:{number}:5.2")], Direction.REPLY)
        ran = shell.type(line)
        wire._replies = Faults([], Direction.REPLY)
        if ran.status == 0:
            assert effect(shell, ran) == right
        else:
            assert "differ" in ran.err or "agree" in ran.err
        shell.session.clock.sleep(6)


@pytest.mark.parametrize(
    ("line", "readings"),
    [
        (f"peek {RAM:#x}", 2),
        ("peek UART0.CLKDIV", 1),
        ("peek UART0.CLKDIV --check", 2),
        ("peek UART0.FIFO --check", 1),
        (f"dump {RAM:#x} 64", 1),
        (f"dump {RAM:#x} 64 --check", 2),
        (f"save {RAM:#x} 64 y.bin", 1),
        (f"save {RAM:#x} 64 y.bin --check", 2),
        (f"hash {RAM:#x} 64", 1),
        (f"find {RAM:#x} 64 1 --check", 2),
        (f"snap a {RAM:#x} 64", 1),
    ],
)
def test_readings_are_counted(shell: Shell, line: str, readings: int) -> None:
    """A script can tell what was read once from what was read twice."""
    assert shell.type(line).objects[0]["value"]["readings"] == readings


@pytest.mark.parametrize("line", [f"save {RAM:#x} 64 y.bin", f"hash {RAM:#x} 64"])
def test_read_once_is_said(shell: Shell, line: str) -> None:
    """What goes on to others says that nothing has confirmed it."""
    assert "read once" in shell.type(line).err
    assert "read once" not in shell.type(f"{line} --check").err


@pytest.mark.parametrize(
    "line",
    [
        "peek {}",
        "dump {} 16",
        "dump {}-16 32 --force",
        "save {} 16 y.bin",
        "dump-mem {} 16 y.bin",
        "hash {} 16",
        "find {} 16 0",
        "snap a {} 16",
        "diff {} 16 DRAM..+16",
        "diff DRAM..+16 {}",
        "copy {} 16 DRAM",
        "expect [{}] == 0",
        "expect [{}]",
        "wait -t 1ms [{}] == 0",
        "watch [{}] --count 1",
        "watch {} 16 --count 1",
        "let x = [{}]",
    ],
)
def test_mapped_flash_means_nothing(shell: Shell, line: str) -> None:
    """Every command that reads what is seen through a cache that is off says so, once."""
    ran = shell.type(line.format("0x42000000"))
    assert ran.err.count("these values are meaningless") == 1


@pytest.mark.parametrize(
    "command", ["peek {}", "poke {} 0", "dump {} 4", "fill {} 4 0", "save {} 4 y.bin"]
)
@pytest.mark.parametrize("address", ["-1", "0x1ffffffff", f"{ADDRESS_SPACE:#x}", "0xfffffffe"])
def test_addresses_have_32_bits(shell: Shell, command: str, address: str) -> None:
    """One that does not is said to be outside, and no other such is suggested."""
    ran = shell.type(command.format(address))
    assert ran.status == 2
    assert "-0x0" not in ran.err
    assert "0x2000" not in ran.err
    if address != "0xfffffffe":
        assert "is outside the 32-bit address space" in ran.err


@pytest.mark.parametrize("line", [f"peek {RAM:#x}", "peek8 DRAM", f"expect [{RAM:#x}] < 1 << 32"])
def test_two_readings_of_a_word_are_one_exchange(shell: Shell, line: str) -> None:
    """Both go to the chip in one write, and are three replies."""
    writes: list[bytes] = []
    shell.session.chip.link.taps.append(
        lambda _now, direction, data: writes.append(data) if direction == "tx" else None
    )
    before = wire_of(shell.session.chip).count.replies

    shell.type(line)
    assert wire_of(shell.session.chip).count.replies - before == 3
    assert len(writes) == 1

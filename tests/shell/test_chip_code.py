"""memtest and call at the prompt: asked about first, and in JSON."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.loader.support import wire_of
from tests.shell.support import Shell
from tests.shell.test_complete import words

FREE = 0x3FC9_8000
CODE = 0x4039_9000


@pytest.mark.parametrize("line", [f"memtest {FREE:#x} 64", f"call {CODE:#x}"])
def test_they_are_asked_about(shell: Shell, line: str) -> None:
    """Where nobody can be asked --yes is needed; a no changes nothing and starts no stub."""
    ran = shell.type(line)
    assert ran.status == 2
    assert "--yes allows it" in ran.err
    shell.session.ask = lambda question: False
    ran = shell.type(line)
    assert (ran.status, ran.err) == (0, "nothing was changed\n")
    assert not shell.session.chip.loader.dialect.is_stub


@pytest.mark.parametrize("line", [f"memtest {FREE:#x} 4096", f"call {CODE:#x} 1"])
def test_a_dry_run_sends_nothing(shell: Shell, line: str) -> None:
    """It says what would be done."""
    before = wire_of(shell.session.chip).count.requests
    ran = shell.type(f"{line} --dry-run")
    assert ran.status == 0
    assert ran.out.startswith("dry run: ")
    assert wire_of(shell.session.chip).count.requests == before


def test_memtest_in_json(offline: Shell) -> None:
    """Addresses and bits are numbers; RAM that is wrong is a finding about the device."""
    shell = offline.connect(f"?ram=stuck:{FREE + 16:#x}.5=1")
    shell.session.assume_yes = shell.session.output.as_json = True
    ran = shell.type(f"memtest {FREE:#x} 0x800 --restore")
    value = ran.objects[0]["value"]
    assert ran.status == 1
    assert value["faults"][0] == {"address": FREE + 16, "bits": 32, "test": "march C-"}
    assert (value["on_chip"], value["bits"]) == (True, 32)
    good = shell.type(f"memtest {FREE + 0x1000:#x} 0x800").objects[0]
    assert (good["ok"], good["value"]["count"], good["value"]["restored"]) == (True, 0, None)


def test_a_call_gives_a_value(shell: Shell) -> None:
    """The stub is started for it; what is returned can be gone on with."""
    shell.session.assume_yes = True
    for n, word in enumerate((0x00B5_0533, 0x0000_8067)):  # add a0, a0, a1; ret
        wire_of(shell.session.chip).chip.memory.write_word(CODE + 4 * n, word)
    ran = shell.type(f"call {CODE:#x} 40 1+1; expect $_ == 42")
    assert ran.status == 0
    assert ran.out.startswith("0x0000002a  42  0x40399000(0x28, 0x2)")
    for refused, reason in (
        (f"call {FREE:#x}", "code cannot run"),
        (f"call {CODE + 1:#x}", "not a multiple of 2"),
        ("stub never; reset; call ROM0", "needs the flasher stub"),
    ):
        ran = shell.type(refused)
        assert (ran.status, ran.err.count("\n")) == (2, 1)
        assert reason in ran.err


def test_completion(shell: Shell) -> None:
    """Names of places, options and words are offered."""
    assert "DRAM" in words(shell, "memtest DR")
    assert "--restore" in words(shell, "memtest --")
    assert "IRAM" in words(shell, "call IR")
    assert words(shell, "baud a") == ["auto"]
    assert "auto" in words(shell, "connect --baud ")
    assert "--crc32" in words(shell, "hash --")
    assert words(shell, "set rate f") == ["fixed"]


def test_a_memtest_that_is_refused_has_written_nothing(offline: Shell) -> None:
    """Where the stub must not be started too much RAM is refused, and nothing is said of it."""
    offline.connect().session.ask = lambda question: True
    offline.session.bench = replace(offline.session.bench, stub="never")
    ran = offline.type(f"memtest {FREE:#x} 64k")
    assert (ran.status, "would take too long" in ran.err) == (2, True)
    assert "test patterns now" not in ran.err

"""Every command with what cannot be right in each of its arguments: a message, and no more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import fuzz
from tests.shell.support import RAM, Shell

# The Ctrl-C that ends a long line may come while an object is finalized, where Python drops it.
pytestmark = pytest.mark.filterwarnings(
    "ignore:(?s).*KeyboardInterrupt:pytest.PytestUnraisableExceptionWarning"
)


@pytest.mark.parametrize("forced", [False, True])
def test_numbers_beyond_every_bound(forced: bool, stride: Callable[[int], int]) -> None:
    """Negative, beyond 32 and 64 bits, 10^30, no number: nothing but an EspError leaves."""
    step = stride(2 if forced else 5)
    count, typed = fuzz.sweep(lambda _: list(fuzz.number_lines(forced=forced))[::step])
    assert not typed.examples
    assert count > 100


def test_hostile_paths(stride: Callable[[int], int]) -> None:
    """No user, no folder, too long, a folder, a pipe, a device, a full disk: an EspError each."""
    step = stride(2) - 1 or 1  # prime to the number of paths, so that all of them are in it
    count, typed = fuzz.sweep(lambda paths: list(fuzz.path_lines(paths))[::step])
    assert not typed.examples
    assert count > 100


def test_completion_of_hostile_paths() -> None:
    """Tab at any path that there cannot be offers nothing, and raises nothing."""
    typed = fuzz.Fuzz()
    with fuzz.surroundings() as folder:
        for path in fuzz.hostile_paths(folder):
            for line in (
                f"save dram {path}",
                f'load "{path}',
                f"source {path}/",
                f"sr save {path}",
            ):
                typed.type(line, tab=True)
    assert not typed.examples


def test_a_sample_of_the_fuzz(stride: Callable[[int], int]) -> None:
    """Lines made of every command, number, path and character do not end a session."""
    typed = fuzz.run(1000 // stride(2), seed=20)
    assert not typed.examples
    assert typed.session.variables["?"] == "0"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("peek -1", "peek: -1 is outside the 32-bit address space\n"),
        ("peek 0x1ffffffff", "peek: 0x1ffffffff is outside the 32-bit address space\n"),
        ("peek --force 0xfffffffc 2", "0xfffffffc..0x100000004 is outside the 32-bit"),
        ("dump --force -1", "dump: -1 is outside the 32-bit address space"),
        (
            "dump --force flash:0x100000000 4",
            "0x100000000 is outside the 32-bit address range of fl",
        ),
        ("hash --force flash:0 0x100000000", "0x100000000 is outside the 32-bit sizes of a digest"),
        ("poke --force 0x100000000 1", "0x100000000 is outside the 32-bit address space"),
        ("fill --force 0 0xfffffffc 0", "is too much for one write; at most 64 MiB"),
        ("fill flash:0 0xfffffffc 0", "is past the end of the flash"),
        ("spi 0x9f --read -1", "spi: -1 bytes cannot be read"),
        ("sleep 10000000", "`10000000` is too long; at most 1000000 seconds"),
        ("fails " * 500 + "echo", "nested more than 20 deep"),
        ("set flash-size 9999999M", "`9999999M` is not a size of a flash"),
        ("read-flash-sfdp 0 0xffffffff", "go past the end of the 24-bit SFDP"),
        ("peek dram 0x100000000", "at most 0xffffffff was expected"),
    ],
)
def test_bounds_are_told(shell: Shell, line: str, message: str) -> None:
    """What is out of bounds is said with the bound, before anything is sent."""
    ran = shell.type(line)
    assert ran.status == 2
    assert message in ran.err
    assert shell.type(f"peek {RAM:#x}").status == 0


@pytest.mark.parametrize("folder", [".", "/", "..", "././."])
def test_a_folder_in_the_place_of_an_output(
    shell: Shell, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path without a name of its own is not a file to write, nor with a suffix added."""
    monkeypatch.chdir(tmp_path)
    Path("a.bin").write_bytes(bytes(4))
    for line in (
        f"make-image -f a.bin -a 0x3ffe8000 {folder}",
        f"merge-bin --chip esp32 -o {folder} 0 a.bin",
        f"elf2image {folder}",
        f"elf2image -o {folder} a.bin",
        f"save flash:0 64 {folder} --resume",
        f"sr save {folder}",
        f"dump-mem {RAM:#x} 4 {folder}",
    ):
        ran = shell.type(line)
        assert ran.status == 2, line
        assert "bug" not in ran.err


def test_escapes_in_names_and_lines(shell: Shell) -> None:
    """What comes from outside is shown, and never changes the terminal."""
    for line in ('load "a\x1b[2Jb" flash:0', "\x1b]0;title\x07", 'echo "\x1b[31mred"'):
        ran = shell.type(line)
        assert "\x1b" not in ran.out + ran.err
        assert r"\x1b" in ran.out + ran.err


def test_an_answer_longer_than_a_number(shell: Shell) -> None:
    """Thousands of bytes of an answer are bytes, and no number of thousands of digits."""
    assert shell.type("read-flash-sfdp 0 4").out.split()[-1] == str(0x53464450)
    ran = shell.type("read-flash-sfdp 0 4k")
    assert ran.status == 0
    assert len(ran.out.split()[-1]) == len("0x") + 2 * 4096
    shell.session.output.as_json = True
    assert shell.type("read-flash-sfdp 0 4k").objects[0]["ok"]


def test_bytes_that_are_no_text_can_be_found(shell: Shell) -> None:
    """A byte of a command line that is not UTF-8 is itself."""
    assert shell.type(f"poke {RAM:#x} 0x41ff41").status == 0
    assert f"{RAM + 1:08x}" in shell.type(f'find {RAM:#x} 16 "\udcff"').out

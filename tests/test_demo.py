"""The board behind sim://demo: what it holds, how it boots, and README's examples on it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from espshell.image import firmware, partitions
from espshell.image.description import AppDescription, describe
from espshell.ops.image.inspect import inspect
from espshell.shell.registry import COMMANDS
from espshell.shell.settings import Bench
from espshell.sim import board, protocol_sim, url
from espshell.sim.chip import SimChip
from scripts import demo
from tests.shell.support import Shell

ROOT = Path(__file__).parent.parent


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """Return a session on a demo board that nobody has touched."""
    monkeypatch.setattr(protocol_sim, "_kept", {})
    shell = Shell()
    shell.session.assume_yes = True
    shell.session.connect(Bench(port="sim://demo"))
    yield shell
    shell.session.close()


def test_the_files_are_what_the_script_makes() -> None:
    """Nobody has edited them, and nobody has changed the script without running it."""
    assert zlib.decompress((demo.DATA / "demo.bin.z").read_bytes()) == demo.flash()
    assert (demo.DATA / "demo.txt").read_text().splitlines() == list(demo.register_lines())


def test_what_lies_in_the_flash() -> None:
    """Table and images are whole, two versions, most of whose sectors are the same."""
    flash = board.flash_of("demo")
    table = partitions.parse(flash[0x8000:0x9000])
    assert (table.md5, table.problems(len(flash))) == ("ok", ())
    assert inspect(flash[:0x8000], "bootloader").firmware is not None
    versions, sectors = [], []
    for name in ("app0", "app1"):
        row = table.find(name)
        assert row is not None
        data = flash[row.offset : row.end]
        image = firmware.parse(data)
        description = describe(firmware.reader(data), image)
        assert isinstance(description, AppDescription)
        assert image.ok
        versions.append(description.version)
        sectors.append([data[at : at + 4096] for at in range(0, image.end, 4096)])
    same = sum(one == other for one, other in zip(*sectors, strict=True))
    assert versions == list(demo.VERSIONS)
    assert 0 < same < len(sectors[0])


def test_nvs_is_as_espressif_writes_it() -> None:
    """The digest is that of the same entries by ``esp_idf_nvs_partition_gen`` 0.3.0."""
    page = demo.nvs(demo.NVS)
    assert zlib.crc32(page) == 0x0F34_2C44


def test_registers_of_the_board() -> None:
    """Its MAC, straps and resting lines are there, and what the chip sets by itself still is."""
    chip = SimChip(url.parse("sim://demo"))
    word = chip.memory.word
    assert chip.facts.base_mac(word) == 0x7CDF_A1DE_3042
    assert word(0x6000_4038) == 0x5
    assert word(0x6000_001C) == 0xE000_C000
    assert word(0x6000_0014) == SimChip(url.parse("sim://esp32c3")).memory.word(0x6000_0014)


def test_options_change_the_board(tmp_path: Path) -> None:
    """A larger flash holds the same from its start on; a file takes it over, and keeps it."""
    file = tmp_path / "flash.bin"
    for _ in range(2):
        chip = SimChip(url.parse(f"sim://demo?flash=8M&flash-file={file}"))
        assert chip.flash.data[:0x400000] == board.flash_of("demo")
        assert set(chip.flash.data[0x400000:]) == {0xFF}
    assert file.stat().st_size == 0x80_0000


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ((), "hello from demo 1.1.0"),
        (("erase flash:otadata",), "hello from demo 1.0.3"),
        (("save flash:app0 64k a.bin", "load a.bin flash:app1"), "hello from demo 1.0.3"),
        (("fill flash:app1+0x1000 16 0",), "Image hash failed - image is corrupt"),
        (("erase flash:app1 4k",), "offset 0x10000"),
        (("erase flash:app1 4k", "erase flash:app0 4k"), "No bootable app partitions"),
        (("erase flash:0x8000..0x9000",), "hello from the application"),
    ],
)
def test_it_boots_what_its_flash_holds(
    lines: tuple[str, ...],
    says: str,
    shell: Shell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """OTA data chooses, what is damaged is passed over, and the log has the version."""
    monkeypatch.chdir(tmp_path)
    for line in lines:
        assert shell.type(line).status == 0
    assert shell.type("reset run").status == 0
    ran = shell.type(f'monitor -t 2 --until "{says}"')
    assert (ran.status, says in ran.out) == (0, True), ran.out


def test_the_board_stays_as_it_is_between_connections(shell: Shell) -> None:
    """RAM and flash hold what was written before the port was closed."""
    assert shell.type("poke 0x3fc90000 0x1234").status == 0
    assert shell.type("disconnect").status == 0
    assert shell.type("connect").status == 0
    assert shell.type("expect [0x3fc90000] == 0x1234").status == 0


def test_the_protected_region_keeps_what_it_holds(shell: Shell) -> None:
    """BP0 of the W25Q32JV covers the factory data, and nothing else."""
    assert "0x3f0000..0x400000" in shell.type("sr").out
    ran = shell.type("erase flash:fctry")
    assert ran.status != 0
    assert "protect" in ran.err


def readme_blocks() -> list[str]:
    """Return README's blocks of lines of the shell, each as a script without explanations."""
    blocks = []
    for block in re.findall(r"^```\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S):
        rows = [re.split(r"\s{2,}", row)[0] for row in block.splitlines()]
        if all(COMMANDS.get(row.split()[0]) or row.startswith("#!") for row in rows):
            blocks.append("\n".join(rows))
    return blocks


def test_the_readme_has_examples() -> None:
    """One block is about flash, one is a script."""
    assert len(readme_blocks()) >= 2


@pytest.mark.parametrize("block", readme_blocks())
def test_the_examples_of_the_readme(
    block: str, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line does what it says; app.bin is the other version of the program."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.bin").write_bytes(demo.application(demo.VERSIONS[1]))
    ran = shell.script(block)
    assert ran.status == 0, ran.err


@pytest.mark.parametrize(
    "line",
    [
        "verify app.bin flash:app0",
        "image info flash:app1",
        "dump flash:fctry 128",
        'find flash:app0 32k "hello from"',
        "diff flash:app0 4k flash:app1 4k",
        "hash flash:app0 64k sha256",
        "dump flash:0x8000..0x8100",
        "peek (DRAM + 4*3)",
        "reg UART0.STATUS",
        "reg GPIO.STRAP",
        "sr bits",
        "sfdp",
    ],
)
def test_there_is_something_to_see(
    line: str, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a first session looks at answers with more than blanks."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.bin").write_bytes(demo.application(demo.VERSIONS[1]))
    ran = shell.type(line)
    assert ran.status in (0, 1), ran.err
    assert ran.out

"""Merged files compared with those of unmodified esptool, run as a program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from espshell import chips
from espshell.image import intel_hex, merge
from espshell.image.merge import Format, MergePart
from tests.image import support
from tests.shell.support import Shell

pytest.importorskip("esptool")

pytestmark = pytest.mark.oracle

PACE_S = 60
"""No run takes seconds; this only ends one that hangs."""

RANDOM = Random(5)
BOOT = MergePart(0x1000, RANDOM.randbytes(5000), "boot.bin")
TABLE = MergePart(0x8000, RANDOM.randbytes(0xC00), "table.bin")
APP = MergePart(0x1_0000, RANDOM.randbytes(0x5000), "app.bin")
NEXT = MergePart(0x1_5000, RANDOM.randbytes(452), "next.bin")
PARTS = [APP, BOOT, NEXT, TABLE]


def esptool(folder: Path, chip: str, fmt: Format, *options: str) -> Path:
    """Merge the parts with esptool and return the file."""
    output = folder / "merged"
    words = ["--chip", chip, "merge-bin", "--output", str(output), "--format", fmt, *options]
    for part in PARTS:
        (folder / part.name).write_bytes(part.data)
        words += [hex(part.offset), str(folder / part.name)]
    subprocess.run(
        [sys.executable, "-m", "esptool", *words],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        timeout=PACE_S,
    )
    return output


@pytest.mark.parametrize(
    ("options", "target", "pad_to"),
    [
        ((), 0, None),
        (("--target-offset", "0x1000"), 0x1000, None),
        (("--target-offset", "0x800", "--pad-to-size", "256KB"), 0x800, 0x4_0000),
    ],
    ids=["plain", "target", "padded"],
)
def test_raw(tmp_path: Path, options: tuple[str, ...], target: int, pad_to: int | None) -> None:
    """The same bytes, also from a target offset on and up to a flash's size."""
    theirs = esptool(tmp_path, "esp32", "raw", *options).read_bytes()
    assert merge.merge(PARTS, target_offset=target, pad_to=pad_to) == theirs


@pytest.mark.parametrize(
    ("chip", "options", "chunk", "md5"),
    [
        ("esp32s3", (), None, True),
        ("esp8266", ("--chunk-size", "256"), 256, True),
        ("esp32c61", ("--md5-disable",), None, False),
    ],
)
def test_uf2(
    tmp_path: Path, chip: str, options: tuple[str, ...], chunk: int | None, md5: bool
) -> None:
    """The same blocks, with each chip's family, shorter payloads, and without digests."""
    theirs = esptool(tmp_path, chip, "uf2", *options).read_bytes()
    family = chips.load(chip).uf2_family
    ours = merge.merge(PARTS, fmt="uf2", family=family, chunk_size=chunk, md5=md5)
    assert ours == theirs


def test_hex(tmp_path: Path) -> None:
    """The same memory, read from theirs and from ours by the same reader."""
    theirs = intel_hex.read(esptool(tmp_path, "esp32", "hex"))
    assert intel_hex.read(merge.merge(PARTS, fmt="hex")) == theirs
    assert theirs[-1] == (APP.offset, APP.data + NEXT.data)


# Through the command: pasted from esptool's manual, and in our own order ----------------------

BOOTLOADER = support.firmware([(0x4008_0000, b"boot" * 200)], chip=0, size_frequency=0x20)
"""For an ESP32."""


def by_command(folder: Path, line: str) -> bytes:
    """Run a line of ours in a folder; return the file that it made."""
    shell = Shell()
    ran = shell.type(line.replace("@", f"{folder}/"))
    assert ran.status == 0, ran.err
    return (folder / "ours").read_bytes()


def by_esptool(folder: Path, line: str) -> bytes:
    """Run the same words by esptool, which takes the chip before the command."""
    line = line.replace("--chip esp32 ", "").replace("@ours", f"{folder}/theirs")
    words = line.replace("@", f"{folder}/").split()
    subprocess.run(
        [sys.executable, "-m", "esptool", "--chip", "esp32", *words],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        timeout=PACE_S,
    )
    return (folder / "theirs").read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        "",
        "--format raw --target-offset 0x1000 --pad-to-size 256KB",
        "-f raw -fm dout -ff 26m -fs 8MB",
        "--format uf2 --flash-mode qout --flash-freq 80m --flash-size 2MB --chunk-size 256",
        "--format uf2 --md5-disable",
    ],
)
def test_the_command_takes_esptools_words(tmp_path: Path, options: str) -> None:
    """The same line, byte for byte the same file; flash settings are patched the same way."""
    (tmp_path / "boot").write_bytes(BOOTLOADER)
    (tmp_path / "app").write_bytes(APP.data)
    line = f"merge-bin --chip esp32 -o @ours {options} 0x10000 @app 0x1000 @boot"
    ours = by_command(tmp_path, line)
    assert ours == by_esptool(tmp_path, line)
    # And in our words, where the chip is known from the image.
    told = options.replace("-size 256KB", " 256K").replace("--md5-disable", "--no-md5")
    told = told.replace("-f raw", "--format raw")
    assert by_command(tmp_path, f"image merge {told} @ours @app 0x10000 @boot 0x1000") == ours


def test_the_command_writes_the_same_memory(tmp_path: Path) -> None:
    """Intel HEX is the same memory, with a header that was patched; its lines may differ."""
    (tmp_path / "boot").write_bytes(BOOTLOADER)
    (tmp_path / "app").write_bytes(APP.data)
    line = "merge-bin --chip esp32 -o @ours --format hex -fm dout 0x10000 @app 0x1000 @boot"
    ours, theirs = by_command(tmp_path, line), by_esptool(tmp_path, line)
    assert intel_hex.read(ours) == intel_hex.read(theirs)
    assert BOOTLOADER not in intel_hex.read(ours)[0]


def test_what_has_no_settings_stays(tmp_path: Path) -> None:
    """What stands in the bootloader's place and is not an image is left as it is, as by esptool."""
    (tmp_path / "app").write_bytes(APP.data)
    line = "merge-bin --chip esp32 -o @ours -fm dout -fs 4MB 0x1000 @app"
    assert by_command(tmp_path, line) == by_esptool(tmp_path, line)


def test_hex_is_taken_apart_as_by_esptool(tmp_path: Path) -> None:
    """Intel HEX among the files is merged as the memory that it means."""
    (tmp_path / "in.hex").write_bytes(intel_hex.to_bytes([(0x1000, b"one"), (0x3000, b"two")]))
    line = "merge-bin --chip esp32 -o @ours -f raw 0x0 @in.hex"
    assert by_command(tmp_path, line) == by_esptool(tmp_path, line)

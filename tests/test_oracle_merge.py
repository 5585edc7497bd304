"""Merged files compared with those of unmodified esptool, run as a program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from espshell import chips
from espshell.image import intel_hex, merge
from espshell.image.merge import Format, Part

pytest.importorskip("esptool")

PACE_S = 60
"""No run takes seconds; this only ends one that hangs."""

RANDOM = Random(5)
BOOT = Part(0x1000, RANDOM.randbytes(5000), "boot.bin")
TABLE = Part(0x8000, RANDOM.randbytes(0xC00), "table.bin")
APP = Part(0x1_0000, RANDOM.randbytes(0x5000), "app.bin")
NEXT = Part(0x1_5000, RANDOM.randbytes(452), "next.bin")
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

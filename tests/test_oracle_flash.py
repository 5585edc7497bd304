"""The simulated flash examined by esptool: written, read, erased, verified, and its status.

Each chip has one server for its ROM and one for esptool's stub, and one list of runs on each.  The
lists run side by side, as many as there are processors; the contents of the flash are a file.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from espshell.ops.status.raw_bytes import write_status_bytes
from espshell.sim import parts
from espshell.units import KIB, MIB
from tests.loader.support import open_sim, wire_of
from tests.oracle_support import esptool, served

pytest.importorskip("esptool")
pytest.importorskip("termios")

pytestmark = pytest.mark.oracle

CHIPS = ("esp8266", "esp32", "esp32s3", "esp32c3")
PLACES = [(chip, stub) for chip in CHIPS for stub in (False, True)]
NO_FLASH_READS = ("esp8266", False)
"""The ROM of an ESP8266 has no digest and cannot read flash, and esptool has no way around."""

IMAGE = hashlib.shake_128(b"image").digest(10 * KIB)
WRONG = IMAGE[:5000] + bytes([IMAGE[5000] ^ 0xFF]) + IMAGE[5001:]
PLAIN_AT, PACKED_AT, OLD_AT = 0x10000, 0x20000, 0x30000

STATUS = (
    ("W25Q32JV", "0x600000", "0x0240"),
    ("GD25Q32C", "0x200000", "0x0240"),
)
"""Parts, what is read of three registers first, and what is written to two."""

WRITES = (
    ("W25Q32JV", 1, "0x40", True),
    ("W25Q32JV", 2, "0x0240", True),
    ("W25Q32JV", 3, "0x600240", False),
    ("GD25LQ32", 2, "0x0204", True),
    ("XM25QH64C", 2, "0x0204", False),
)
"""Parts, bytes, values, and whether for good."""

ON_THE_WIRE = """
import sys, serial
from espshell.sim.nor import Nor

serial.protocol_handler_packages.append("espshell.sim")
transfer = Nor.transfer

def logged(self, sent, size, now):
    print("SPI", sent.hex())
    return transfer(self, sent, size, now)

Nor.transfer = logged
import esptool
esptool.main(sys.argv[1:])
"""
"""Runs unmodified esptool on a simulated flash that tells what it is sent."""

Texts = dict[str, str]
Place = tuple[str, bool]


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    """As many workers as there are processors."""
    with ThreadPoolExecutor(os.cpu_count()) as found:
        yield found


def worked(place: Place, folder: Path) -> Texts:
    """Let esptool do all it can with a flash; ``flash`` is the name of what it holds then."""
    chip, stub = place
    folder = folder / f"{chip}.{stub}"
    folder.mkdir()
    flash, image, wrong, back = (folder / name for name in ("flash", "image", "wrong", "back"))
    flash.write_bytes(bytes(MIB))
    image.write_bytes(IMAGE)
    wrong.write_bytes(WRONG)
    with served(f"{chip}?flash=W25Q80", "--pty", "--flash-file", str(flash)) as port:

        def run(*arguments: str, status: int = 0) -> str:
            options = () if stub else ("--no-stub",)
            return esptool(port, *options, *arguments, status=status)

        able = place != NO_FLASH_READS
        texts = {
            "flash-id": run("flash-id"),
            "sfdp": run("read-flash-sfdp", "0", "4"),
            "write": run("write-flash", "-u", hex(PLAIN_AT), str(image)),
            "packed": run("write-flash", "-z", hex(PACKED_AT), str(image)),
            "erase": run("erase-region", hex(OLD_AT), "0x2000", status=0 if able else 2),
        }
        if able:
            at = hex(PACKED_AT)
            texts["same"] = run("verify-flash", "--diff", at, str(image))
            texts["differs"] = run("verify-flash", "--diff", at, str(wrong), status=2)
            run("read-flash", at, "0x400", str(back))
            texts["back"] = str(back.read_bytes() == IMAGE[:KIB])
        (folder / "written").write_bytes(flash.read_bytes())
        texts["erase all"] = run("erase-flash", status=0 if stub else 2)
        texts["blank"] = str(set(flash.read_bytes()) == {0xFF})
    texts["written"] = str(folder / "written")
    return texts


def with_status(part: str, value: str) -> Texts:
    """Let esptool read and write the status registers."""
    with served(f"esp32c3?flash={part}", "--pty") as port:
        texts = {"first": esptool(port, "read-flash-status", "--bytes", "3")}
        write = ("write-flash-status", "--bytes", "2")
        texts["write"] = esptool(port, *write, "--non-volatile", value)
        texts["volatile"] = esptool(port, *write, "0x001c")
        # Its next run resets the flash, and with it what was written for a time.
        texts["last"] = esptool(port, "read-flash-status", "--bytes", "2")
    return texts


@pytest.fixture(scope="module")
def works(
    pool: ThreadPoolExecutor, tmp_path_factory: pytest.TempPathFactory
) -> dict[Place, Future[Texts]]:
    """Begin what is done in each place."""
    folder = tmp_path_factory.mktemp("flash")
    return {place: pool.submit(worked, place, folder) for place in PLACES}


@pytest.fixture(scope="module")
def statuses(pool: ThreadPoolExecutor) -> dict[str, Future[Texts]]:
    """Begin what is done to the registers of each part."""
    return {part: pool.submit(with_status, part, value) for part, _, value in STATUS}


@pytest.fixture(scope="module", autouse=True)
def _all_at_once(works: object, statuses: object) -> None:
    """Have everything start with the first test."""


@pytest.fixture(params=PLACES, ids=lambda place: f"{place[0]}-{'stub' if place[1] else 'rom'}")
def place(request: pytest.FixtureRequest) -> Place:
    chip, stub = request.param
    return chip, stub


def test_esptool_identifies_the_flash(place: Place, works: dict[Place, Future[Texts]]) -> None:
    """Its id, its size, and the first word of its parameters."""
    texts = works[place].result()
    assert "Device: 4014" in texts["flash-id"]
    assert "Detected flash size: 1MB" in texts["flash-id"]
    assert "0x53 0x46 0x44 0x50" in texts["sfdp"]
    assert ("Stub flasher running" in texts["flash-id"]) is place[1]


def test_esptool_writes(place: Place, works: dict[Place, Future[Texts]]) -> None:
    """Plain and compressed data arrives where it should, and esptool finds its digest right."""
    texts = works[place].result()
    if place != NO_FLASH_READS:
        assert "Hash of data verified" in texts["write"]
        assert "Hash of data verified" in texts["packed"]
    flash = Path(texts["written"]).read_bytes()
    for at in (PLAIN_AT, PACKED_AT):
        assert flash[at : at + len(IMAGE)] == IMAGE
        assert flash[at - 1] == 0


def test_esptool_reads_and_verifies(place: Place, works: dict[Place, Future[Texts]]) -> None:
    """What is there comes back; the one byte that differs is found."""
    if place == NO_FLASH_READS:
        pytest.skip("esptool needs a digest or a read for that, and this ROM has neither")
    texts = works[place].result()
    assert texts["back"] == "True"
    assert "Verification successful" in texts["same"]
    assert "Verification failed" in texts["differs"]
    assert f"{PACKED_AT + 5000:08x} {IMAGE[5000]:02x} {WRONG[5000]:02x}" in texts["differs"]


def test_esptool_erases(place: Place, works: dict[Place, Future[Texts]]) -> None:
    """A region, nothing beside it, and everything; no ROM can do the last, nor an ESP8266's one."""
    texts = works[place].result()
    flash = Path(texts["written"]).read_bytes()
    if place == NO_FLASH_READS:
        assert "does not support function erase_region" in texts["erase"]
    else:
        assert flash[OLD_AT : OLD_AT + 0x2000] == b"\xff" * 0x2000
        assert flash[OLD_AT + 0x2000] == 0
    if place[1]:
        assert texts["blank"] == "True"
    else:
        assert "does not support function erase_flash" in texts["erase all"]


@pytest.mark.parametrize(("part", "first", "value"), STATUS)
def test_esptool_reads_and_writes_status(
    part: str, first: str, value: str, statuses: dict[str, Future[Texts]]
) -> None:
    """What the part has is read, what is written stays, what is written for a time goes."""
    texts = statuses[part].result()
    found = parts.by_name(part)
    assert found is not None
    stored = int.from_bytes(bytes(each.factory for each in found.registers), "little")
    assert int(first, 0) == stored
    assert f"Flash memory status: {first}" in texts["first"]
    assert f"After flash memory status:   {value}" in texts["write"]
    assert "After flash memory status:   0x001c" in texts["volatile"]
    assert f"Flash memory status: {value}" in texts["last"]


@pytest.mark.parametrize(("part", "count", "value", "for_good"), WRITES)
def test_status_is_written_as_esptool_does(
    part: str, count: int, value: str, for_good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flash is sent the same enables and writes in the same order, and holds the same."""
    where = ("--no-stub", "--before", "no-reset", "--after", "no-reset")
    options = ("--bytes", str(count), *["--non-volatile"] * for_good)
    arguments = ("--port", f"sim://esp32c3?flash={part}", *where, "write-flash-status", *options)
    done = subprocess.run(
        [sys.executable, "-c", ON_THE_WIRE, *arguments, value],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    target = open_sim(f"flash={part}", "esp32c3")
    nor, sent = wire_of(target).chip.flash, list[str]()
    transfer = nor.transfer

    def logged(data: bytes, size: int, now: float) -> bytes:
        sent.append(data.hex())
        return transfer(data, size, now)

    monkeypatch.setattr(nor, "transfer", logged)
    result = write_status_bytes(target.flash, int(value, 0), count, non_volatile=for_good)
    theirs = [line[4:] for line in done.stdout.splitlines() if line.startswith("SPI ")]
    assert _writes(sent) == _writes(theirs) != []
    after = result.value & ~3
    assert f"After flash memory status:   0x{after:0{2 * count}x}" in done.stdout


def _writes(sent: list[str]) -> list[str]:
    """Return the enables and writes of status among commands."""
    return [each for each in sent if each[:2] in ("06", "50", "01", "31", "11")]

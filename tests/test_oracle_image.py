"""Our reading of images against programs that we have not written: esptool and espsecure.

Images are built by unmodified esptool from small ELF files, one or more for every chip, and what
its ``image-info`` prints of them is compared field by field.  The programs run side by side, as
many as there are processors; a test waits for those that it looks at.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from espshell import chips
from espshell.chips import Chip, Isa, Kind
from espshell.image import firmware, signature
from espshell.image.description import AppDescription, BootloaderDescription, describe
from espshell.image.firmware import Firmware, ImageLayout, reader
from espshell.ops.image.inspect import inspect
from espshell.render import render
from tests.image import support

pytest.importorskip("esptool")

pytestmark = pytest.mark.oracle

PACE_S = 60
"""No run takes seconds; this only ends one that hangs."""

MODES = ("qio", "qout", "dio", "dout")
APP = support.app_description(name="blink", version="1.2-dirty", idf="v5.5.1")
BOOTLOADER = support.bootloader_description(date="Aug  8 2025 16:22:1")


@dataclass(frozen=True)
class Case:
    """An image to build: ``first`` begins its first segment, ``edits`` are made to it later."""

    chip: str
    first: bytes = APP
    options: tuple[str, ...] = ()
    edits: tuple[tuple[int, int], ...] = ()
    in_flash: bool = True


HEADER_EDITS = ((8, 0x05), (9, 0x21), (10, 0x03), (11, 0x12), (14, 2), (34, 0x77))
"""WP pin, drives, legacy revision, and a byte of the first segment."""

CASES = {
    **{name: Case(name) for name in chips.NAMES if name != "esp8266"},
    "version 1": Case("esp8266", options=("--version", "1")),
    "version 2": Case("esp8266", options=("--version", "2")),
    "version 3": Case("esp8266", options=("--version", "3")),
    "a bootloader": Case("esp32", first=BOOTLOADER, in_flash=False),
    "no digest": Case("esp32c3", options=("--dont-append-digest",)),
    "other settings": Case(
        "esp32", options=("--min-rev-full", "101", "--max-rev-full", "399"), edits=HEADER_EDITS
    ),
    "padded": Case("esp32s3", options=("--pad-to-size", "128KB")),
    "ready to be signed": Case("esp32c6", options=("--secure-pad-v2",)),
}


def run(module: str, *arguments: object) -> str:
    """Run a program of the esptool package to its end and return what it printed."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PACE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Built:
    """An image, and what ``image-info`` printed of it."""

    chip: Chip
    data: bytes
    info: str

    def field(self, pattern: str) -> str:
        """Return what follows a name in the print; every one of ours is there once."""
        (found,) = re.findall(rf"^{pattern} *(.*)$", self.info, re.MULTILINE)
        return str(found)


def sections(chip: Chip, case: Case) -> list[tuple[int, bytes]]:
    """Return pieces of memory for a chip: flash and RAM as its table has them."""
    flash = [each.start for each in chip.regions if each.kind is Kind.FLASH]
    ram = [
        r.start for r in chip.regions if r.kind is Kind.RAM and r.name in ("DRAM", "RAM", "IRAM")
    ]
    found = [(ram[0] + 0x400, case.first + b"odd")] if not case.in_flash else []
    if case.in_flash:
        found += [(at + 0x20, case.first + b"odd" * (n + 1)) for n, at in enumerate(flash)]
    return [*found, *((at + 0x1000, b"ram %d" % n) for n, at in enumerate(ram))]


def build(name: str, folder: Path) -> Built:
    """Write an ELF file, let esptool make an image of it, and print it."""
    case = CASES[name]
    chip = chips.load(case.chip)
    elf, image = folder / f"{name}.elf", folder / f"{name}.bin"
    machine = support.RISCV if chip.isa is Isa.RISCV else support.XTENSA
    pieces = sections(chip, case)
    elf.write_bytes(support.elf(pieces, entry=pieces[-1][0] + 4, machine=machine))
    number = list(CASES).index(name)
    settings = (
        *("--flash-mode", MODES[number % 4]),
        *("--flash-size", chip.flash_sizes[number % len(chip.flash_sizes)].name),
        *("--flash-freq", chip.flash_frequencies[number % len(chip.flash_frequencies)][0]),
    )
    run("esptool", "-c", chip.name, "elf2image", "-o", image, *settings, *case.options, elf)
    if case.options == ("--version", "1"):
        image = folder / f"{name}.bin0x00000.bin"
    data = bytearray(image.read_bytes())
    for offset, value in case.edits:
        data[offset] = value
    image.write_bytes(data)
    return Built(chip, bytes(data), run("esptool", "-c", chip.name, "image-info", image))


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    """As many workers as there are processors; each waits for the programs that it has started."""
    with ThreadPoolExecutor(os.cpu_count()) as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where files of the programs go."""
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def built(pool: ThreadPoolExecutor, folder: Path) -> dict[str, Future[Built]]:
    """All images, as they come."""
    return {name: pool.submit(build, name, folder) for name in CASES}


@pytest.fixture(scope="module")
def signed(
    pool: ThreadPoolExecutor, folder: Path, built: dict[str, Future[Built]]
) -> dict[str, Future[tuple[bytes, str]]]:
    """Sign an image by each scheme; give it, and what espsecure says of the signature."""

    def sign(scheme: str) -> tuple[bytes, str]:
        key, image, out = (folder / f"{scheme}.{suffix}" for suffix in ("pem", "bin", "signed"))
        image.write_bytes(built["esp32c5"].result().data)
        version = ("--version", "1" if scheme == "v1" else "2")
        kind = () if scheme == "v1" else ("--scheme", scheme)
        run("espsecure", "generate-signing-key", *version, *kind, key)
        run("espsecure", "sign-data", *version, "--keyfile", key, "--output", out, image)
        return out.read_bytes(), run("espsecure", "signature-info-v2", out)

    return {scheme: pool.submit(sign, scheme) for scheme in SCHEMES}


SCHEMES = {
    "ecdsa192": "ECDSA P-192",
    "ecdsa256": "ECDSA P-256",
    "ecdsa384": "ECDSA P-384",
    "rsa3072": "RSA-3072",
}

every_image = pytest.mark.parametrize("name", CASES)


@every_image
def test_header_and_segments(name: str, built: dict[str, Future[Built]]) -> None:
    """Version, entry, flash settings and every segment are what image-info says."""
    image = built[name].result()
    found = firmware.parse(image.data)
    assert image.field("Image size:") == f"{found.size} bytes"
    assert image.field("Image version:") == ("2" if found.layout is ImageLayout.ESP8266_V2 else "1")
    assert int(image.field("Entry point:"), 16) == found.header.entry
    assert image.field("Segments:") == str(len(found.segments))
    sizes = {each.code: each.name for each in image.chip.flash_sizes}
    # On ESP32-C6 two names have one code; the program gives the first.
    frequencies = {code: name for name, code in reversed(image.chip.flash_frequencies)}
    assert image.field("Flash size:") == sizes[found.header.size_code]
    assert image.field("Flash freq:") == frequencies[found.header.frequency_code]
    assert image.field("Flash mode:") == MODES[found.header.mode].upper()
    rows = re.findall(r"^ +(\d+)  0x(\w+)  0x(\w+)  0x(\w+)  (.*)$", image.info, re.MULTILINE)
    # The program gives where a segment's header is, we where its data is.
    assert [tuple(int(value, 16) for value in row[1:4]) for row in rows] == [
        (each.size, each.address, each.offset - 8) for each in found.segments
    ]
    if found.layout is not ImageLayout.ESP8266_V2:
        padding = [row[4].strip() == "PADDING" for row in rows]
        assert padding == [not each.placed for each in found.segments]


@every_image
def test_extended_header(name: str, built: dict[str, Future[Built]]) -> None:
    """WP pin, drives, chip and revisions are what image-info says; an ESP8266 image has none."""
    image = built[name].result()
    found = firmware.parse(image.data).extended
    if found is None:
        assert "Extended" not in image.info
        assert image.chip.name == "esp8266"
        return
    assert int(image.field("WP pin:").split()[0], 16) == found.wp_pin
    drives = re.findall(r"_drv: (\w+)", image.field("Flash pins drive settings:"))
    assert tuple(int(each, 16) for each in drives) == found.drives
    assert image.field("Chip ID:").split()[0] == str(found.chip_id)
    assert found.chip_id == image.chip.id
    low, high = (divmod(full, 100) for full in (found.min_revision_full, found.max_revision_full))
    assert image.field("Minimal chip revision:") == (
        f"v{low[0]}.{low[1]}, (legacy min_rev = {found.min_revision_legacy})"
    )
    assert image.field("Maximal chip revision:") == f"v{high[0]}.{high[1]}"


def verdict(ok: bool | None) -> str:
    """Return the program's word."""
    return "valid" if ok else "invalid"


def digest_text(found: Firmware) -> list[str]:
    """Return what the program prints: the digest that it computed, and nothing of version 3's."""
    if found.digest is None or found.layout is ImageLayout.ESP8266_V1:
        return []
    assert found.digest.computed is not None
    return [f"{found.digest.computed.hex()} ({verdict(found.digest.ok)})"]


@every_image
def test_sums(name: str, built: dict[str, Future[Built]]) -> None:
    """Checksum and digest are the program's, and so is whether they agree."""
    image = built[name].result()
    found = firmware.parse(image.data)
    checksum = re.match(r"0x(\w+) \((\w+)", image.field("Checksum:"))
    assert checksum is not None
    assert int(checksum[1], 16) == found.checksum.stored[0]
    assert checksum[2] == verdict(found.checksum.ok)
    assert re.findall(r"^Validation hash: (.*)$", image.info, re.MULTILINE) == digest_text(found)
    assert found.ok is not bool(CASES[name].edits)


def test_which_sums_there_are(built: dict[str, Future[Built]]) -> None:
    """Version 2 has a CRC that agrees; version 3 a digest, which has no flag; padding is blank."""
    second, third, padded = (
        firmware.parse(built[name].result().data) for name in ("version 2", "version 3", "padded")
    )
    assert second.crc is not None
    assert (second.crc.ok, second.trailing) == (True, 0)
    assert third.digest is not None
    assert (third.digest.ok, third.trailing) == (True, 0)
    assert (padded.size, padded.blank_after) == (0x2_0000, True)


@every_image
def test_descriptions(name: str, built: dict[str, Future[Built]]) -> None:
    """Every field is what image-info says; where it says nothing there is no description."""
    image = built[name].result()
    found = describe(reader(image.data), firmware.parse(image.data))
    if isinstance(found, AppDescription):
        assert image.field("Project name:") == found.name
        assert image.field("App version:") == found.version
        assert image.field("Compile time:") == f"{found.date} {found.time}"
        assert image.field("ELF file SHA256:") == found.elf_sha256.hex()
        assert image.field("ESP-IDF:") == found.idf
        revisions = (found.min_block_revision, found.max_block_revision)
        for what, (major, minor) in zip(("Minimal", "Maximal"), revisions, strict=True):
            assert image.field(f"{what} eFuse block revision:") == f"{major}.{minor}"
        assert found.mmu_page_size is not None
        assert image.field("MMU page size:") == f"{found.mmu_page_size // 1024} KB"
        assert image.field("Secure version:") == str(found.secure_version)
    elif isinstance(found, BootloaderDescription):
        assert image.field("Bootloader version:") == str(found.version)
        assert image.field("ESP-IDF:") == found.idf
        assert image.field("Compile time:") == found.date_time
    else:
        assert "ESP-IDF" not in image.info


@every_image
def test_names_of_what_is_shown(name: str, built: dict[str, Future[Built]]) -> None:
    """Our command shows chip, flash settings and entry by the names that image-info has."""
    image = built[name].result()
    found = inspect(image.data, name)
    info = found.firmware
    assert info is not None
    assert (info.chip, info.mode.upper()) == (image.chip.name, image.field("Flash mode:"))
    assert info.flash_size == image.field("Flash size:")
    assert image.field("Flash freq:") in info.frequencies
    assert info.firmware.ok is found.ok
    told = str(render(found))
    for shown in (image.field("Flash mode:"), f"{info.firmware.header.entry:08x}"):
        assert shown in told


@pytest.mark.parametrize("scheme", SCHEMES)
def test_signatures(scheme: str, signed: dict[str, Future[tuple[bytes, str]]]) -> None:
    """A signature of each scheme is found and whole, and the digest of its key is espsecure's."""
    data, info = signed[scheme].result()
    (found,) = signature.find(reader(data), firmware.parse(data))
    assert (found.scheme, found.ok) == (SCHEMES[scheme], True)
    assert "Signature block 0 is valid" in info
    assert found.key_digest is not None
    assert found.key_digest.hex(" ") in info


@pytest.mark.parametrize("name", ["esp32", "esp32c6", "no digest", "version 1"])
def test_new_flash_settings(name: str, built: dict[str, Future[Built]], folder: Path) -> None:
    """New settings and a new digest are byte for byte what esptool's merge-bin makes of them."""
    image = built[name].result()
    chip, size, (text, code) = (
        image.chip,
        image.chip.flash_sizes[2],
        image.chip.flash_frequencies[1],
    )
    whole, merged = folder / f"{name}.whole", folder / f"{name}.merged"
    whole.write_bytes(image.data)
    offset = chip.bootloader_offset
    settings = ("--flash-mode", "dout", "--flash-size", size.name, "--flash-freq", text)
    target = ("--target-offset", hex(offset), hex(offset), whole)
    run("esptool", "-c", chip.name, "merge-bin", "-o", merged, *settings, *target)
    ours = firmware.patch_header(image.data, mode=3, size=size.code, frequency=code)
    assert ours == merged.read_bytes()
    assert ours != image.data

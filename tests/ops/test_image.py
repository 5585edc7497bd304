"""What is in files and in flash, and making files of files."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from random import Random

import pytest

from espshell import chips
from espshell.device import Target
from espshell.errors import DeviceError, UsageError
from espshell.image import firmware, intel_hex, partitions, uf2
from espshell.image.recognise import FileKind
from espshell.ops.flash.payload import FlashSettings
from espshell.ops.image import build
from espshell.ops.image.build import FilePart, elf_to_image, make_image, merge_files
from espshell.ops.image.inspect import PADDING, ImageInfo, inspect, inspect_file, inspect_flash
from tests.image import support
from tests.image.support import partition_csv, partition_table

C3, S3, ESP32, ESP8266 = (chips.load(n) for n in ("esp32c3", "esp32s3", "esp32", "esp8266"))

APP = support.firmware(
    [
        (0x3C00_0020, support.app_description(name="blink") + bytes(100)),
        (0x4037_C000, b"code" * 64),
        (0, bytes(12)),
        (0x3FCD_FFF0, b"data" * 8),
    ],
    chip=C3.id,
    entry=0x4037_C010,
)
BOOT = support.firmware([(0x3FC8_0400, support.bootloader_description())], chip=C3.id)
TABLE = partition_table(
    partitions.parse_csv(
        "nvs, data, nvs, 0x9000, 0x6000\n"
        "factory, app, factory, 0x10000, 0x10000\n"
        "spare, app, ota_0, 0x20000, 0x10000\n"
        "other, app, ota_1, 0x30000, 0x10000\n"
    )
)
VECTORS = json.loads((Path(__file__).parents[1] / "data" / "make-image.json").read_text("utf-8"))


def damaged(data: bytes, offset: int = 60) -> bytes:
    """Return data with one bit flipped."""
    found = bytearray(data)
    found[offset] ^= 1
    return bytes(found)


def flash_image(*places: tuple[int, bytes]) -> bytes:
    """Return pieces at their places, FF elsewhere."""
    found = bytearray(b"\xff" * 0x4_0000)
    for offset, data in places:
        found[offset : offset + len(data)] = data
    return bytes(found)


# Looking into files -------------------------------------------------------------------------------


def test_firmware() -> None:
    """Chip, flash settings and the memory of each segment are said by their names."""
    found = inspect(APP, "app.bin")
    assert (found.kind, found.size, found.ok, found.failure) == (
        FileKind.FIRMWARE,
        len(APP),
        True,
        "",
    )
    info = found.firmware
    assert info is not None
    assert (info.chip, info.mode, info.flash_size) == ("esp32c3", "dio", "4MB")
    assert info.frequencies == ("80m",)
    memories = ["DROM", "CACHE", PADDING, "DRAM and past its end"]
    assert [each.memory for each in info.segments] == memories
    assert [APP[each.offset :][: each.size] for each in info.segments][1] == b"code" * 64


@pytest.mark.parametrize("chip", chips.CHIPS, ids=lambda chip: chip.name)
def test_every_chip_is_known_by_its_image(chip: chips.Chip) -> None:
    """The id in a header, or that there is none, names the chip; its words are the chip's own."""
    frequency = chip.flash_frequencies[0][1]
    if chip.name == "esp8266":
        data = support.esp8266([(0x4010_0000, b"code")])
    else:
        data = support.firmware([(0x4000_0000, b"c")], chip=chip.id, size_frequency=frequency)
    info = inspect(data, "x").firmware
    assert info is not None
    assert info.chip == chip.name
    code = info.firmware.header.frequency_code
    assert info.frequencies == tuple(n for n, c in chip.flash_frequencies if c == code)


def test_one_code_with_two_names() -> None:
    """On an ESP32-C6 nobody can know which of two frequencies is meant: both are said."""
    chip = chips.load("esp32c6")
    data = support.firmware([(0x4080_0000, b"code")], chip=chip.id, size_frequency=0x20)
    info = inspect(data, "x").firmware
    assert info is not None
    assert info.frequencies == ("80m", "40m")


def test_a_chip_that_is_told() -> None:
    """A chip that is told counts where the image does not say one; else both are mentioned."""
    unknown = support.firmware([(0x3FC8_0000, b"data")], chip=0x7777)
    for told, name, memory in ((None, "", ""), (C3, "esp32c3", "DRAM")):
        info = inspect(unknown, "x", chip=told).firmware
        assert info is not None
        assert (info.chip, info.segments[0].memory) == (name, memory)
    found = inspect(APP, "x", chip=ESP32)
    assert found.firmware is not None
    assert found.firmware.chip == "esp32c3"
    assert found.notes == ("its header names an ESP32-C3, not for an ESP32",)


def test_wrong_sums_are_a_finding() -> None:
    """A flipped bit leaves everything to be looked at, and says which sums are wrong."""
    found = inspect(damaged(APP), "app.bin")
    assert not found.ok
    assert [text.partition(" is ")[0] for text in found.problems] == ["the checksum", "the SHA-256"]
    assert found.failure.startswith("app.bin: the checksum is wrong: ")
    second = inspect(damaged(support.esp8266_v2(bytes(64), [(0x4010_0000, b"code")]), 20), "x")
    assert second.problems == ("the CRC is wrong",)


def test_signatures() -> None:
    """A signature of another image and a damaged one are findings."""
    good = support.signed(APP)
    assert inspect(good, "x").ok
    assert inspect(damaged(good, 0x1000 + 5), "x").problems == ("signature 0 is damaged",)
    other = good[: 0x1000 - 1] + b"\0" + good[0x1000:]
    assert inspect(other, "x").problems == ("signature 0 is not part of this image",)


@pytest.mark.parametrize("text", [False, True])
def test_partition_table(text: bool) -> None:
    """Binary or as text: the table, with what is wrong with it."""
    data = partition_csv(partitions.parse(TABLE)).encode() if text else TABLE
    found = inspect(data, "parts")
    assert found.ok
    assert found.table is not None
    assert [each.name for each in found.table.table.partitions][:2] == ["nvs", "factory"]


def test_a_wrong_md5_is_a_finding() -> None:
    """As with `parts`."""
    found = inspect(damaged(TABLE, 20), "parts")
    assert (found.ok, found.failure) == (False, "parts: the MD5 of the partition table is wrong")


def test_flash_image() -> None:
    """What stands where, with the applications that the partition table tells of; and each is read.

    An application that is broken is a finding; a blank partition is none.
    """
    data = flash_image((0, BOOT), (0x8000, TABLE), (0x1_0000, APP), (0x3_0000, damaged(APP)))
    found = inspect(data, "dump")
    assert [(each.offset, each.kind) for each in found.contents] == [
        (0, FileKind.FIRMWARE),
        (0x8000, FileKind.PARTITION_TABLE),
        (0x1_0000, FileKind.FIRMWARE),
        (0x3_0000, FileKind.FIRMWARE),
    ]
    assert [each.ok for each in found.contents] == [True, True, True, False]
    assert found.failure.startswith("dump at 0x30000: the checksum is wrong")
    cut = inspect(flash_image((0, BOOT), (0x8000, TABLE), (0x3_FF00, APP[:256])), "dump")
    assert cut.ok


def test_elf() -> None:
    """Machine, entry and segments; memory is named for a chip that is told."""
    data = support.elf([(0x3FC8_0000, b"data")], entry=0x4037_C000, machine=support.RISCV)
    found = inspect(data, "x", chip=C3)
    assert (found.machine, found.entry) == ("riscv", 0x4037_C000)
    assert [(each.address, each.size, each.memory) for each in found.segments] == [
        (0x3FC8_0000, 4, "DRAM")
    ]


def test_intel_hex_and_uf2() -> None:
    """Segments with their addresses; a family by the name of its chip, or its number."""
    pieces = [(0x1000, b"one"), (0x8000, b"other")]
    wanted = [(at, len(data)) for at, data in pieces]
    found = inspect(intel_hex.to_bytes(pieces), "x")
    assert found.kind is FileKind.INTEL_HEX
    assert [(each.address, each.size) for each in found.segments] == wanted
    for family, name in ((C3.uf2_family, "ESP32-C3"), (0x1234, "0x00001234")):
        data = b"".join(uf2.write(at, piece, family=family) for at, piece in pieces)
        found = inspect(data, "x")
        assert (found.kind, found.families) == (FileKind.UF2, (name,))
        assert [(each.address, each.size) for each in found.segments] == wanted


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "x is empty"),
        (b"\xff" * 4096, "x is blank: nothing but FF"),
        (b"hello\n", "x is nothing known: it begins with 68 65 6c 6c"),
        (APP[:100], "x: the image is damaged: the segment for 0x3c000020 has 0x164 bytes"),
        (APP[:16], "x: the image is damaged: its extended header at 0x8 reaches past its end"),
        (b"\xe9\x00" + APP[2:], "x: the image is damaged: it has 0 segments, expected 1 to 16"),
        (b"\xe9\x11" + APP[2:], "x: the image is damaged: it has 17 segments"),
        (b"\xe9", "x: the image is damaged: its header"),
        (struct.pack("<BBBBI", 0xEA, 4, 0, 0, 0) + b"\xff" * 24, "x: the image is damaged: "),
        (b"\x7fELF" + bytes(60), "x is not for a 32-bit"),
        (b":00000001F", "x is nothing known"),
        (TABLE[:32], "x: not a partition table: it does not end"),
    ],
)
def test_what_cannot_be_looked_at(data: bytes, told: str) -> None:
    """One line says what is wrong, and which file it is."""
    with pytest.raises(UsageError) as raised:
        inspect(data, "x")
    assert raised.value.one_line().startswith(told)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file and a directory are said as what they are."""
    for path, reason in ((tmp_path / "none", "no such file"), (tmp_path, "is a directory")):
        with pytest.raises(UsageError, match=f"cannot read {path}: {reason}"):
            inspect_file(path)


# Looking into flash -------------------------------------------------------------------------------


class Counted:
    """A target's flash that counts the bytes that are read."""

    def __init__(self, target: Target) -> None:
        self._flash = target.flash
        self.bytes_read = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._flash, name)

    def read(self, address: int, size: int) -> bytes:
        """Read, and count."""
        self.bytes_read += size
        return self._flash.read(address, size)


@pytest.fixture(scope="module")
def chip(tmp_path_factory: pytest.TempPathFactory) -> Target:
    """Return a simulated chip whose flash holds images, large and small."""
    large = support.firmware([(0x3C00_0020, bytes(0x8000))], chip=C3.id)
    path = tmp_path_factory.mktemp("flash") / "flash.bin"
    pieces = ((0, BOOT), (0x8000, TABLE), (0x1_0000, large), (0x2_0000, support.signed(APP)))
    path.write_bytes(flash_image(*pieces, (0x3_0000, damaged(APP))).ljust(4 << 20, b"\xff"))
    return Target.open(f"sim://esp32c3?flash=4M&flash-file={path}")


def look(target: Target, address: int, *, verify: bool = False, size: int = 0x1_0000) -> ImageInfo:
    return inspect_flash(target.flash, address, size, source="flash", chip=C3, verify=verify)


def test_flash_headers_only(chip: Target) -> None:
    """Of a large image a few hundred bytes are read, and of its sums nothing is known."""
    counted = Counted(chip)
    found = inspect_flash(counted, 0x1_0000, 0x1_0000, source="flash", chip=C3)  # type: ignore[arg-type]
    assert found.firmware is not None
    assert (found.ok, found.firmware.firmware.ok) == (True, None)
    assert found.firmware.segments[0].size == 0x8000
    assert counted.bytes_read < 2048
    assert found.notes == ("checksum and digest not checked (--verify reads everything)",)


def test_flash_verified(chip: Target) -> None:
    """With `verify` it is what the same bytes in a file are: sums and signatures."""
    found = look(chip, 0x2_0000, verify=True)
    assert (found.ok, found.notes) == (True, ())
    assert found.firmware is not None
    in_file = inspect(support.signed(APP), "x").firmware
    assert in_file is not None
    assert found.firmware.signatures == in_file.signatures
    assert found.firmware.segments == in_file.segments
    assert found.firmware.description == in_file.description
    assert not look(chip, 0x3_0000, verify=True).ok


def test_flash_table(chip: Target) -> None:
    """A partition table is recognised where it stands."""
    found = look(chip, 0x8000)
    assert found.table is not None
    assert (found.table.table.offset, found.ok) == (0x8000, True)


@pytest.mark.parametrize(
    ("address", "size", "told"),
    [
        (0x9000, 0x1000, "flash: neither firmware nor a partition table: it is blank"),
        (0x1_0100, 0x1000, "flash: neither firmware nor a partition table: it begins with 00 00"),
        (0x2_0000, 0x100, "flash: the image is damaged: "),
    ],
)
def test_flash_without_an_image(chip: Target, address: int, size: int, told: str) -> None:
    """That there is no whole image is a failure of the device, not of who asked."""
    with pytest.raises(DeviceError) as raised:
        look(chip, address, size=size)
    assert raised.value.one_line().startswith(told)
    assert ("is encrypted" in raised.value.hint) == ("begins with" in told)


# Making ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", VECTORS["images"], ids=lambda vector: vector["name"])
def test_make_as_esptool_4(vector: dict[str, object], tmp_path: Path) -> None:
    """The files are byte for byte those of esptool 4; one alone has the name that was given."""
    segments, files = vector["segments"], vector["files"]
    assert isinstance(segments, list)
    assert isinstance(files, dict)
    pairs = []
    for number, each in enumerate(segments):
        path = tmp_path / f"in{number}"
        path.write_bytes(bytes.fromhex(each["data"]))
        pairs.append((path, int(each["address"], 0)))
    out = tmp_path / "out"
    made = make_image(pairs, out, entry=int(str(vector["entry"]), 0))
    wanted = {
        str(out) + (ending if len(files) > 1 else ""): bytes.fromhex(data)
        for ending, data in files.items()
    }
    assert {each.name: Path(each.name).read_bytes() for each in made.files} == wanted
    assert made.ok
    assert {path.name for path in tmp_path.glob("out*")} == {Path(name).name for name in wanted}


def test_make_with_flash_settings(tmp_path: Path) -> None:
    """Settings stand in the header, and nothing else is different."""
    source, out = tmp_path / "in", tmp_path / "out"
    source.write_bytes(b"code")
    pairs = [(source, 0x4010_0000)]
    make_image(pairs, out)
    plain = out.read_bytes()
    make_image(pairs, out, settings=FlashSettings("dio", "80m", "4MB-c1"))
    assert out.read_bytes() == plain[:2] + b"\x02\x6f" + plain[4:]


def test_nothing_is_made_of_what_is_wrong(tmp_path: Path) -> None:
    """An error leaves the file that was there, and no other."""
    source, out = tmp_path / "in", tmp_path / "out"
    source.write_bytes(b"code")
    out.write_bytes(b"before")
    with pytest.raises(UsageError):
        make_image([(source, 1 << 33)], out)
    with pytest.raises(UsageError, match="overlaps"):
        merge_files([(source, 0), (source, 2)], out)
    with pytest.raises(UsageError, match="is a directory"):
        merge_files([(source, 0)], tmp_path)
    assert out.read_bytes() == b"before"
    assert {path.name for path in tmp_path.iterdir()} == {"in", "out"}


# Merging --------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> list[tuple[Path, int]]:
    """Return files of a bootloader for an ESP32-C3 and of something, with their places."""
    pairs = [("boot", 0, BOOT), ("rest", 0x1_0000, Random(3).randbytes(99))]
    for name, _, data in pairs:
        (tmp_path / name).write_bytes(data)
    return [(tmp_path / name, at) for name, at, _ in pairs]


def test_format_goes_by_the_name(tmp_path: Path, files: list[tuple[Path, int]]) -> None:
    """A name says the format, unless the format is said."""
    for name, kind in (
        ("a.hex", FileKind.INTEL_HEX),
        ("a.UF2", FileKind.UF2),
        ("a.bin", FileKind.FIRMWARE),
    ):
        merged = merge_files(files, tmp_path / name)
        assert inspect_file(tmp_path / name).kind in (kind, FileKind.FLASH)
        assert merged.size == (tmp_path / name).stat().st_size
    assert merge_files(files, tmp_path / "a.uf2", fmt="raw").format == "raw"


def test_a_flash_image_in_hex_or_uf2() -> None:
    """What lies in their pieces is looked at, at its place in flash, and a wrong sum is found."""
    table = partition_table(partitions.parse_csv("app,app,factory,0x20000,64K"))
    bad = APP[:-33] + bytes([APP[-33] ^ 1]) + APP[-32:]
    parts = [(0x1000, BOOT.ljust(0x7000, b"\xff")), (0x8000, table), (0x2_0000, bad)]
    blocks = b"".join(uf2.write(at, piece, family=C3.uf2_family) for at, piece in parts)
    for data in (intel_hex.to_bytes(parts), blocks):
        found = inspect(data, "x")
        assert [piece.address for piece in found.segments] == [0x1000, 0x2_0000]
        assert [(each.offset, each.kind, each.ok) for each in found.contents] == [
            (0x1000, FileKind.FIRMWARE, True),
            (0x8000, FileKind.PARTITION_TABLE, True),
            (0x2_0000, FileKind.FIRMWARE, False),
        ]
        assert found.failure.startswith("x at 0x20000: the checksum is wrong")


def test_hex_files_are_taken_apart(tmp_path: Path) -> None:
    """Intel HEX is merged as the memory that it means, moved by the place that is given."""
    source = tmp_path / "in.hex"
    source.write_bytes(intel_hex.to_bytes([(0x10, b"one"), (0x20, b"two")]))
    merged = merge_files([(source, 0x100)], tmp_path / "out", target_offset=0x100)
    assert [(each.address, each.size) for each in merged.parts] == [(0x110, 3), (0x120, 3)]
    data = (tmp_path / "out").read_bytes()
    assert data == b"\xff" * 16 + b"one" + b"\xff" * 13 + b"two"


def test_whose_family(tmp_path: Path, files: list[tuple[Path, int]]) -> None:
    """The family is of the chip that is said, else of the image's, else of the connected one."""
    out = tmp_path / "out.uf2"

    def family(pairs: list[tuple[Path, int]], **told: chips.Chip) -> tuple[int, ...]:
        merge_files(pairs, out, **told)  # type: ignore[arg-type]
        return uf2.read(out.read_bytes()).families

    assert family(files, chip=S3, connected=ESP32) == (S3.uf2_family,)
    assert family(files, connected=ESP32) == (C3.uf2_family,)
    assert family(files[1:], connected=ESP32) == (ESP32.uf2_family,)
    with pytest.raises(UsageError, match="UF2 names the chip, and nothing names it"):
        merge_files(files[1:], out)
    (note,) = merge_files(files, out, chip=S3).notes
    assert note.endswith("is for another chip: its header has ID 5, an ESP32-S3 has 9")


def test_what_will_not_boot_is_noted(tmp_path: Path) -> None:
    """A merged file is made of anything, but what will not boot from there is said."""
    page, cut, out = tmp_path / "page", tmp_path / "cut", tmp_path / "out"
    page.write_bytes(b"<html>404 not found</html>")
    cut.write_bytes(APP[:-8])
    first, second = merge_files([(page, 0x1_0000), (cut, 0x2_0000)], out, chip=C3).notes
    assert "is not firmware: HTML or XML page; 0x10000 is for an application" in first
    assert "cut: the image is damaged" in second
    assert out.stat().st_size == 0x2_0000 + len(APP) - 8


def test_what_is_read_is_not_overwritten(tmp_path: Path) -> None:
    """A slip of the names costs no file, also by way of a link, or of another spelling."""
    source, link = tmp_path / "app.bin", tmp_path / "link"
    source.write_bytes(APP)
    link.symlink_to(source)
    for out in (source, link, tmp_path / ".." / tmp_path.name / "app.bin"):
        with pytest.raises(UsageError, match="would be overwritten"):
            merge_files([(source, 0)], out)
        with pytest.raises(UsageError, match="would be overwritten"):
            make_image([(source, 0x4010_0000)], out)
    assert source.read_bytes() == APP
    path = tmp_path / "program.bin"
    path.write_bytes(program(tmp_path).read_bytes())
    with pytest.raises(UsageError, match="would be overwritten"):
        elf_to_image(path, chip=C3)


def test_links_in_a_circle(tmp_path: Path) -> None:
    """An output that is a link to itself is replaced, as one that leads nowhere."""
    source, link = tmp_path / "app.bin", tmp_path / "link"
    source.write_bytes(APP)
    link.symlink_to("link")
    merge_files([(source, 0)], link)
    assert link.read_bytes() == APP


def test_new_settings_of_the_bootloader(tmp_path: Path, files: list[tuple[Path, int]]) -> None:
    """Only the bootloader's header is changed, and its digest; the other bytes stay."""
    out = tmp_path / "out"
    merge_files(files, out, settings=FlashSettings(mode="dout", size="2MB"))
    data = out.read_bytes()
    assert data[: len(BOOT)] == firmware.patch_header(BOOT, mode=3, size=0x10)
    assert data[0x1_0000:] == files[1][0].read_bytes()


@pytest.mark.parametrize(
    ("data", "place", "told"),
    [
        (
            support.esp8266_v2(bytes(64), [(0x4010_0000, b"code")]),
            0,
            "not set: only images that begin with 0xe9",
        ),
        (b"something", 0, "not set: not a firmware image"),
        (BOOT, 0x1000, "no file is for 0x0, where the bootloader is"),
        (damaged(BOOT), 0, "not set: the image is damaged"),
        (support.signed(BOOT), 0, "not set: it is signed"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, data: bytes, place: int, told: str) -> None:
    """What has no settings stays as it is, as with esptool, and that is said."""
    source, out = tmp_path / "in", tmp_path / "out"
    source.write_bytes(data)
    merged = merge_files(
        [(source, place)], out, chip=C3, settings=FlashSettings("qio"), target_offset=place
    )
    assert out.read_bytes() == data
    assert any(told in note for note in merged.notes)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (FlashSettings(size="3MB"), "no flash size `3MB`"),
        (FlashSettings(frequency="9m"), "`9m`"),
    ],
)
def test_settings_that_no_chip_has(
    tmp_path: Path, files: list[tuple[Path, int]], settings: FlashSettings, told: str
) -> None:
    """A setting is one of the chip's."""
    with pytest.raises(UsageError, match=told):
        merge_files(files, tmp_path / "out", settings=settings)


@pytest.mark.parametrize(
    ("address", "size", "told"),
    [
        (0x4002_7F00, 0x200, "IRAM0 and IRAM1"),
        (0x3FFB_7F00, 0x200, "DRAM0 and DRAM1"),
        (0x3FFB_8000, 0x100, "DRAM1"),
        (0x4006_FF00, 0x1000, "IRAM1 and RTC_FAST_I"),
        (0x4007_1F00, 0x200, "RTC_FAST_I and past its end"),
        (0x1000, 0x200, "not in the memory map"),
    ],
)
def test_a_segment_across_regions(address: int, size: int, told: str) -> None:
    """RAM that follows RAM is named; only what ends in nothing is past the end."""
    s2 = chips.load("esp32s2")
    found = inspect(support.firmware([(address, bytes(size))], chip=s2.id), "x").firmware
    assert found is not None
    assert found.segments[0].memory == told


def test_a_wrong_digest_shows_where_it_differs() -> None:
    """As many digits as tell the two apart, and never less than 16."""
    last = APP[:-1] + bytes([APP[-1] ^ 1])
    first = APP[:-32] + bytes([APP[-32] ^ 1]) + APP[-31:]
    for data, size in ((last, 64), (first, 16)):
        (problem,) = inspect(data, "x").problems
        stored, computed = problem.removeprefix("the SHA-256 is wrong: ").split(", computed is ")
        assert (len(stored), len(computed), stored != computed) == (size, size, True)
        assert data[-32:].hex().startswith(stored)
        assert APP[-32:].hex().startswith(computed)


# ELF ------------------------------------------------------------------------------------------


def program(folder: Path, machine: int = support.RISCV) -> Path:
    """Write a small program."""
    path = folder / "app.elf"
    path.write_bytes(support.elf([(0x4037_C000, b"code" * 8)], entry=0x4037_C000, machine=machine))
    return path


def test_elf_to_image(tmp_path: Path) -> None:
    """The image has the program's name unless another is given, and our reader likes it."""
    pytest.importorskip("esptool")
    lines: list[str] = []
    made = elf_to_image(
        program(tmp_path), chip=C3, options=["--flash-mode=dout"], tell=lines.append
    )
    (only,) = made.files
    assert only == FilePart(str(tmp_path / "app.bin"), None, (tmp_path / "app.bin").stat().st_size)
    assert made.ok
    assert made.image.firmware is not None
    assert made.image.firmware.mode == "dout"
    assert any("ESP32-C3" in line for line in lines)


def test_elf_of_several_files(tmp_path: Path) -> None:
    """An ESP8266 image of version 1 has a file for each place in flash."""
    pytest.importorskip("esptool")
    path = tmp_path / "app.elf"
    pieces = [(0x4010_0000, b"iram"), (0x4021_0010, b"irom")]
    path.write_bytes(support.elf(pieces, entry=0x4010_0000))
    made = elf_to_image(path, tmp_path / "out", chip=ESP8266, options=["--version=1"])
    assert [(Path(each.name).name, each.address) for each in made.files] == [
        ("out0x00000.bin", 0),
        ("out0x10010.bin", 0x1_0010),
    ]
    assert made.image.kind is FileKind.ESP8266_V1


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ("1", [("app.elf-0x00000.bin", 0), ("app.elf-0x10010.bin", 0x1_0010)]),
        ("2", [("app-0x10000.bin", 0x1_0000)]),
        ("3", [("app.bin", None)]),
    ],
)
def test_elf_of_an_esp8266_is_named_as_esptool_does(
    tmp_path: Path, version: str, names: list[tuple[str, int | None]]
) -> None:
    """Without a name the files have those that esptool gives them, and their places."""
    pytest.importorskip("esptool")
    path = tmp_path / "app.elf"
    pieces = [(0x4010_0000, b"iram"), (0x4021_0010, b"irom")]
    path.write_bytes(support.elf(pieces, entry=0x4010_0000))
    made = elf_to_image(path, chip=ESP8266, options=[f"--version={version}"])
    assert [(Path(each.name).name, each.address) for each in made.files] == names
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(
        ["app.elf", *(name for name, _ in names)]
    )


def test_elf_that_fails(tmp_path: Path) -> None:
    """What esptool refuses is one error of ours; what it said was told, and nothing is written."""
    pytest.importorskip("esptool")
    source, lines = program(tmp_path), list[str]()
    with pytest.raises(UsageError, match="esptool could not make an image") as raised:
        elf_to_image(source, chip=C3, options=["--flash-freq=7m"], tell=lines.append)
    assert raised.value.hint == "see its message above"
    assert any("7m" in line for line in lines)
    assert [path.name for path in tmp_path.iterdir()] == ["app.elf"]


def test_elf_that_becomes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What our reader cannot read is an error by the name that it would have, and does not stay."""

    def cut(chip: object, path: Path, out: Path, *rest: object) -> None:
        out.write_bytes(APP[:40])

    source = program(tmp_path)
    monkeypatch.setattr(build, "_run_esptool", cut)
    with pytest.raises(UsageError, match=r"app\.bin: the image is damaged") as caught:
        elf_to_image(source, chip=C3)
    assert str(tmp_path / "app.bin") in caught.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["app.elf"]


def test_elf_without_esptool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where esptool is missing, the error says how to get it."""
    from importlib import metadata

    def missing(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(UsageError) as raised:
        elf_to_image(program(tmp_path), chip=C3)
    assert raised.value.hint == build._GET_IT


def test_elf_is_none(tmp_path: Path) -> None:
    """Another file is refused before anything is started."""
    (tmp_path / "x").write_bytes(APP)
    with pytest.raises(UsageError, match="is not an ELF file"):
        elf_to_image(tmp_path / "x", chip=C3)


def test_a_script_with_the_name_of_esptool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file esptool.py beside the program is not what is run."""
    pytest.importorskip("esptool")
    (tmp_path / "esptool.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    program(tmp_path)
    assert elf_to_image(Path("app.elf"), Path("app.bin"), chip=C3).ok

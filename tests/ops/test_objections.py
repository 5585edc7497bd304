"""What speaks against a file at a place of flash: every kind of file, at every kind of place."""

from __future__ import annotations

import gzip
import hashlib
import struct

import pytest

from espshell import chips
from espshell.chips import Chip, Kind
from espshell.image import partitions, uf2
from espshell.image.partitions import APP, BOOTLOADER, DATA, Partition, PartitionTable
from espshell.ops.flash.payload import Payload
from espshell.ops.image.objections import FlashMap, Role, _is_almost_firmware, objections
from tests.image import support
from tests.image.support import partition_csv, partition_table
from tests.ops.support import noise

TABLE = PartitionTable(
    (
        Partition("nvs", DATA, 2, 0x9000, 0x6000),
        Partition("factory", APP, 0, 0x1_0000, 0x10_0000),
        Partition("storage", DATA, 0x82, 0x11_0000, 0x1_0000),
    ),
    partitions.OFFSET,
)
PLACES = {Role.TABLE: 0x8000, Role.APP: 0x1_0000, Role.DATA: 0x11_0000, Role.ANY: 0x20_0000}
NEW = [name for name in chips.NAMES if name != "esp8266"]


def firmware(chip: Chip, *, app: bool, described: bool = True, legacy: int = 0) -> bytes:
    """Return a bootloader or an application for any revision of a chip."""
    ram = next(r.start for r in chip.regions if r.kind is Kind.RAM)
    flash = next(r.start for r in chip.regions if r.kind is Kind.FLASH)
    text = support.app_description() if app else support.bootloader_description()
    first = (flash + 0x20 if app else ram, text if described else bytes(256))
    data = support.firmware([first, (ram + 0x1000, b"code")], chip=chip.id, entry=ram + 0x1000)
    return with_header(data, legacy=legacy)


def with_header(
    data: bytes, *, legacy: int = 0, least: int = 0, most: int = 0xFFFF, chip: int | None = None
) -> bytes:
    """Return an image with other bounds of the revision, its digest made anew."""
    (known,) = struct.unpack_from("<H", data, 12)
    head = struct.pack("<HBHH", known if chip is None else chip, legacy, least, most)
    body = data[:12] + head + data[19:-32]
    return body + hashlib.sha256(body).digest()


def damaged(data: bytes) -> bytes:
    """Return data with one other byte near its middle."""
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def files(chip: Chip) -> dict[str, tuple[bytes, set[Role]]]:
    """Return every kind of file for a chip, and where nothing speaks against it."""
    other = chips.load("esp32c3" if chip.name != "esp32c3" else "esp32s3")
    boot, app = firmware(chip, app=False), firmware(chip, app=True)
    whole = b"\xff" * chip.bootloader_offset + boot
    merged = whole.ljust(0x8000, b"\xff") + partition_table(TABLE)
    elf = support.elf([(0x4008_0000, bytes(64))], entry=0x4008_0000)
    everywhere, data = set(Role), {Role.DATA}
    return {
        "bootloader": (boot, {Role.BOOTLOADER, Role.DATA, Role.ANY}),
        "bootloader, not described": (
            firmware(chip, app=False, described=False),
            {Role.BOOTLOADER, Role.APP, Role.DATA, Role.ANY},
        ),
        "bootloader, signed": (support.signed(boot), {Role.BOOTLOADER, Role.DATA, Role.ANY}),
        "application": (app, {Role.APP, Role.DATA, Role.ANY}),
        "application, not described": (
            firmware(chip, app=True, described=False),
            {Role.APP, Role.DATA, Role.ANY},
        ),
        "application, signed": (support.signed(app), {Role.APP, Role.DATA, Role.ANY}),
        "damaged bootloader": (damaged(boot), data),
        "damaged application": (damaged(app), data),
        "wrong checksum only": (app[:-33] + bytes([app[-33] ^ 1]) + app[-32:], data),
        "cut application": (app[:-40], data),
        "application cut in its header": (app[:20], data),
        "application of another chip": (firmware(other, app=True), data),
        "application of an ESP8266": (support.esp8266([(0x4010_0000, bytes(64))]), data),
        "for a later revision": (firmware(chip, app=True, legacy=9), data),
        "partition table": (partition_table(TABLE), {Role.TABLE, Role.DATA, Role.ANY}),
        "partition table, damaged": (damaged_table(), {Role.DATA, Role.ANY}),
        "table as text": (partition_csv(TABLE).encode(), {Role.DATA, Role.ANY}),
        "ELF": (elf, data),
        "UF2": (a_uf2(), data),
        "gzip": (gzip.compress(app), {Role.DATA, Role.ANY}),
        "HTML": (b"<!DOCTYPE html><html>404 not found</html>", {Role.DATA, Role.ANY}),
        "text": (b"version https://git-lfs.github.com/spec/v1\n", {Role.DATA, Role.ANY}),
        "blank": (b"\xff" * 5000, everywhere),
        "zeros": (bytes(5000), everywhere),
        "noise": (noise(5000), everywhere),
        "merged": (merged, data),
    }


def damaged_table() -> bytes:
    """Return a table whose MD5 is wrong."""
    data = bytearray(partition_table(TABLE))
    data[12] ^= 1
    return bytes(data)


def a_uf2() -> bytes:
    """Return a UF2 file."""
    return uf2.write(0x1000, bytes(700), family=1)


@pytest.mark.parametrize("name", NEW)
def test_every_kind_at_every_place(name: str) -> None:
    """What cannot start from where it goes is objected to, and nothing else is."""
    chip = chips.load(name)
    flash_map = FlashMap(chip, lambda: TABLE)
    places = {**PLACES, Role.BOOTLOADER: chip.bootloader_offset}
    for title, (data, good) in files(chip).items():
        for role, address in places.items():
            assert flash_map.role(address) is role
            found = objections(Payload(address, data, "x"), flash_map, (3, 1))
            if title == "merged":
                # From 0 on everything in it is where it belongs.
                assert not objections(Payload(0, data, "x"), flash_map, (3, 1))
            else:
                assert bool(found) is (role not in good), (title, role, found)


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("broken", range(2))
@pytest.mark.parametrize("cut", [False, True])
def test_a_merged_file(name: str, broken: int, cut: bool) -> None:
    """Of a file that several were merged into each is looked at, also behind one that is good."""
    chip = chips.load(name)
    pieces = [firmware(chip, app=False), firmware(chip, app=True)]
    places = (chip.bootloader_offset, 0x1_0000)

    def merged() -> bytes:
        whole = b"\xff" * places[0] + pieces[0]
        return whole.ljust(places[1], b"\xff") + pieces[1]

    assert not objections(Payload(0, merged(), "x"), FlashMap(chip), (3, 1))
    pieces[broken] = damaged(pieces[broken])
    if cut and broken:
        pieces[1] = pieces[1][:100]
    found = objections(Payload(0, merged(), "x"), FlashMap(chip), (3, 1))
    assert len(found) == 1 + (not cut or not broken)
    where = f" at {places[broken]:#x}" if places[broken] else ""
    assert found[0].startswith(f"x{where}: " if cut and broken else f"x{where} is damaged: ")


def test_what_lies_inside_an_image_is_a_part_of_it() -> None:
    """A segment that holds the firmware of another chip, just where one might begin, is fine."""
    chip = chips.load("esp32c3")
    ram = next(r.start for r in chip.regions if r.kind is Kind.RAM)
    head = support.bootloader_description().ljust(0x1000 - 32, b"\0")
    segments = [(ram, head + firmware(chips.load("esp32"), app=True)), (ram + 0x4000, b"code")]
    data = support.firmware(segments, chip=chip.id, entry=ram + 0x4000)
    assert data[0x1000] == data[0]
    assert not objections(Payload(0, with_header(data), "x"), FlashMap(chip))


def test_the_inside_of_a_partition_is_for_anything() -> None:
    """Only where an application begins one is expected."""
    flash_map = FlashMap(chips.load("esp32c3"), lambda: TABLE)
    html = b"<!DOCTYPE html><html>404 not found</html>"
    found = [objections(Payload(at, html, "x"), flash_map) for at in (0x1_0000, 0x2_0000)]
    assert list(map(bool, found)) == [True, False]


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("place", [0, 0x1000, 0x2000])
def test_a_bootloader_at_the_offset_of_another_family(name: str, place: int) -> None:
    """It starts from its own offset only, described or not."""
    chip = chips.load(name)
    for described in (False, True):
        data = firmware(chip, app=False, described=described)
        found = objections(Payload(place, data, "boot.bin"), FlashMap(chip))
        assert bool(found) is (place != chip.bootloader_offset)
        if found:
            assert f"looks for its bootloader at {chip.bootloader_offset:#x}" in found[0]


def test_an_esp8266() -> None:
    """It has no partition table, and its application stands at 0; damage and rubbish are told."""
    flash_map = FlashMap(chips.load("esp8266"))
    good = support.esp8266([(0x4010_0000, bytes(64))])
    for place in (0, 0x8000, 0x1_0000):
        assert not objections(Payload(place, good, "x"), flash_map)
        assert (
            "is damaged: the checksum is wrong"
            in objections(Payload(place, good[:30] + b"\1" + good[31:], "x"), flash_map)[0]
        )
        assert "is damaged" in objections(Payload(place, good[:40], "x"), flash_map)[0]
    assert objections(Payload(0, gzip.compress(good), "x"), flash_map)


def test_the_table_is_looked_for_only_if_it_matters() -> None:
    """A good file at its place asks for no partition table; one that is not good asks once."""
    asked = []
    chip = chips.load("esp32c3")
    flash_map = FlashMap(chip, lambda: asked.append(1))
    for address, data in (
        (0, firmware(chip, app=False)),
        (0x8000, partition_table(TABLE)),
        (0x2_0000, firmware(chip, app=True)),
        (0x2_0000, noise(5000)),
    ):
        assert not objections(Payload(address, data, "x"), flash_map)
    assert not asked
    assert objections(Payload(0x2_0000, b"\x7fELF" + bytes(60), "x"), flash_map)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("name", "revision", "bounds", "good"),
    [
        ("esp32", (1, 0), {"legacy": 3}, False),
        ("esp32", (3, 0), {"legacy": 3}, True),
        ("esp32", (1, 0), {"legacy": 3, "most": 0}, False),
        ("esp32", (1, 0), {"legacy": 3, "least": 300, "most": 0}, False),
        ("esp32", (3, 0), {"legacy": 3, "least": 301, "most": 0}, True),
        ("esp32", (3, 0), {"legacy": 0, "least": 301}, False),
        ("esp32", (3, 1), {"legacy": 0, "least": 301}, True),
        ("esp32", (3, 99), {"legacy": 0, "most": 399}, True),
        ("esp32", (3, 0), {"legacy": 9, "most": 399}, True),
        ("esp32", (4, 0), {"legacy": 0, "most": 399}, False),
        ("esp32c3", (0, 2), {"legacy": 3}, False),
        ("esp32c3", (0, 3), {"legacy": 3}, True),
        ("esp32c3", (1, 1), {"legacy": 3}, False),
        ("esp32s3", (0, 9), {"legacy": 1}, False),
    ],
)
def test_revisions(
    name: str, revision: tuple[int, int], bounds: dict[str, int], good: bool
) -> None:
    """The legacy byte counts where the newer fields are not set, on an ESP32-C3 as a minor one."""
    chip = chips.load(name)
    data = with_header(firmware(chip, app=False), **bounds)
    image = Payload(chip.bootloader_offset, data, "x")
    assert bool(objections(image, FlashMap(chip), revision)) is not good
    assert not objections(image, FlashMap(chip))


@pytest.mark.parametrize(
    ("at", "byte", "is_one"),
    [(0, 0xE9, True), (1, 0, False), (1, 17, False), (19, 1, False), (23, 1, True), (23, 2, False)],
)
def test_what_begins_as_firmware_does(at: int, byte: int, is_one: bool) -> None:
    """The first byte alone does not make a damaged image of a file; its header must make sense."""
    data = bytearray(support.firmware([(0x4038_0000, bytes(64))]))
    data[at] = byte
    assert _is_almost_firmware(bytes(data[:24])) is is_one


def test_a_partition_for_a_bootloader_is_for_anything() -> None:
    """What an update puts there is none of the files that start by themselves, nor data."""
    rows = (Partition("boot", BOOTLOADER, 2, 0x2_0000, 0x8000, 0),)
    table = PartitionTable(rows, offset=0x8000, md5_ok=True)
    roles = FlashMap(chips.load("esp32c3"), lambda: table)
    assert [roles.role(at) for at in (0x2_0000, 0x2_1000)] == [Role.ANY, Role.ANY]

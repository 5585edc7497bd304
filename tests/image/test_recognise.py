"""What a file is, by its content."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.image.recognise import Content, FileKind, contents, recognise
from tests.image import support

CODE = ((0x4008_0400, b"code" * 20),)
APP = support.firmware(CODE)
V1 = support.esp8266(((0x4010_0000, b"code"),))
V2 = support.esp8266_v2(bytes(16), ((0x4010_0000, b"code"),))
TABLE = (b"\xaa\x50\x01\x02" + bytes(28)).ljust(0xC00, b"\xff")
UF2 = (b"UF2\n\x57\x51\x5d\x9e" + bytes(500)) + b"\x30\x6f\xb1\x0a"
CSV = b"# Name, Type, SubType, Offset, Size, Flags\nnvs, data, nvs, 0x9000, 0x6000,\n"


def flash(**parts: bytes) -> bytes:
    """Return flash with parts at offsets, which their names are (``at_1000``), FF between."""
    data = b""
    for name, part in parts.items():
        data = data.ljust(int(name[3:], 16), b"\xff") + part
    return data


FILES = {
    "esp32": (APP, FileKind.FIRMWARE),
    "esp32, damaged": (APP[:28] + b"\xff" * 4 + APP[32:], FileKind.FIRMWARE),
    "esp32, with a table's mark inside": (
        support.firmware(((0x3F40_0020, b"\xaa\x50" * 0x8000),)),
        FileKind.FIRMWARE,
    ),
    "esp32, signed": (support.signed(APP), FileKind.FIRMWARE),
    "version 1": (V1, FileKind.ESP8266_V1),
    "version 2": (V2, FileKind.ESP8266_V2),
    "no segments": (b"\xe9\0" + APP[2:], FileKind.UNKNOWN),
    "a table": (TABLE, FileKind.PARTITION_TABLE),
    "a table as text": (CSV, FileKind.PARTITION_CSV),
    "with other line ends and a mark": (
        b"\xef\xbb\xbfnvs,data,nvs,,24k\r\n\r\nx,0x40,1,,4k,encrypted",
        FileKind.PARTITION_CSV,
    ),
    "text": (b"hello, app, world\n", FileKind.TEXT),
    "comments": (b"# Name, Type\n", FileKind.UNKNOWN),
    "other columns": (b"nvs,data,nvs,0x9000\nand this\n", FileKind.TEXT),
    "elf": (support.elf(CODE, entry=0x4008_0400), FileKind.ELF),
    "hex": (b":0400000001020304F2\n:00000001FF\n", FileKind.INTEL_HEX),
    "hex, one line": (b":00000001FF", FileKind.INTEL_HEX),
    "hex with a wrong sum": (b":0400000001020304F3\n", FileKind.TEXT),
    "hex with a wrong size": (b":0300000001020304F3\n", FileKind.TEXT),
    "uf2": (UF2, FileKind.UF2),
    "uf2 that is truncated": (UF2[:511], FileKind.UNKNOWN),
    "gzip": (gzip.compress(b"x"), FileKind.COMPRESSED),
    "zip": (b"PK\x03\x04" + bytes(26), FileKind.COMPRESSED),
    "a page": (b"\n<!DOCTYPE html>\n<html>", FileKind.MARKUP),
    "a pointer of git-lfs": (b"version https://git-lfs.github.com/spec/v1\n", FileKind.TEXT),
    "long text with umlauts": ("\u00fc".encode() * 65537, FileKind.TEXT),
    "blank": (b"\xff" * 5000, FileKind.BLANK),
    "zeros": (bytes(5000), FileKind.UNKNOWN),
    "nothing": (b"", FileKind.EMPTY),
    "flash of an esp32": (flash(at_1000=APP, at_8000=TABLE, at_10000=APP), FileKind.FLASH),
    "flash of an esp32c3": (flash(at_0=APP, at_8000=TABLE), FileKind.FLASH),
    "a bootloader at its offset": (flash(at_1000=APP), FileKind.FLASH),
    "a table at its offset": (flash(at_8000=TABLE), FileKind.FLASH),
    "a broken image behind a whole one": (flash(at_0=APP, at_10000=APP[:-1]), FileKind.FIRMWARE),
    "a broken image not at the start": (flash(at_1000=APP[:-1]), FileKind.UNKNOWN),
}


@pytest.mark.parametrize(("data", "kind"), FILES.values(), ids=FILES)
def test_a_file_is_what_it_holds(data: bytes, kind: FileKind) -> None:
    """Each format is recognised, what is nearly one is not, and a damaged image is still one."""
    assert recognise(data) is kind


def test_the_contents_of_a_flash_image() -> None:
    """Everything at a known offset is listed, in order."""
    assert contents(flash(at_2000=APP, at_8000=TABLE, at_10000=V2)) == (
        Content(0x2000, FileKind.FIRMWARE),
        Content(0x8000, FileKind.PARTITION_TABLE),
        Content(0x10000, FileKind.ESP8266_V2),
    )


@given(st.one_of(st.binary(max_size=300), st.text(max_size=100).map(str.encode)))
def test_anything_is_recognised_as_something(data: bytes) -> None:
    """No bytes make it raise, and only no bytes are an empty file."""
    assert (recognise(data) is FileKind.EMPTY) is (not data)

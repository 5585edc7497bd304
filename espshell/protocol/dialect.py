"""The dialects of ROM loaders and stubs, as data: their commands and the form of their replies.

Sources: the command table of the esptool manual; sizes and orders measured on ROM code
(``tests/data/esp32-rom.json``).
"""

from __future__ import annotations

from espshell.protocol.packet import Opcode
from espshell.records import dataclass, replace

UART_FIFO = 128
"""Receive FIFO of a chip's UART (bytes); it loses what arrives while it is full."""

PIPELINE_BYTES = 112
"""Encoded request bytes that may be in flight to a ROM: the FIFO with a margin of one frame."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The commands of one kind of loader, and the form of its requests and replies."""

    name: str
    commands: frozenset[Opcode]
    status_size: int
    """Bytes of status at the end of every reply; the first two have a meaning."""
    pipeline_bytes: int
    """Encoded bytes of requests that may be unanswered; 0: one request at a time."""
    flash_begin_words: int
    """Words of FLASH_BEGIN: a fifth, "encrypted", where the loader expects it."""
    attach_words: int
    """Words of SPI_ATTACH; 0: there is none, a FLASH_BEGIN of nothing attaches."""
    block_size: int
    """Largest block of MEM_DATA (bytes)."""
    flash_block_size: int
    """Largest block of FLASH_DATA, or of FLASH_DEFL_DATA where that is used (bytes)."""
    sync_value: int
    """The value field of its SYNC replies."""
    digest_size: int
    """Payload of SPI_FLASH_MD5 (bytes): 32 is text, 16 is binary, 0 there is none."""
    security_info_size: int = 0
    """Payload of GET_SECURITY_INFO (bytes): 20, 12 without the chip id, 0 there is none."""
    is_stub: bool = False
    is_secure: bool = False
    """Secure download mode: memory cannot be reached."""


_EVERYWHERE = frozenset((
    Opcode.FLASH_BEGIN, Opcode.FLASH_DATA, Opcode.FLASH_END, Opcode.MEM_BEGIN, Opcode.MEM_DATA,
    Opcode.MEM_END, Opcode.SYNC, Opcode.WRITE_REG, Opcode.READ_REG,
))  # fmt: skip
_SINCE_ESP32 = _EVERYWHERE | {
    Opcode.SPI_SET_PARAMS, Opcode.SPI_ATTACH, Opcode.READ_FLASH_SLOW, Opcode.CHANGE_BAUDRATE,
    Opcode.FLASH_DEFL_BEGIN, Opcode.FLASH_DEFL_DATA, Opcode.FLASH_DEFL_END, Opcode.SPI_FLASH_MD5,
}  # fmt: skip

ESP32_ROM = Dialect(
    name="rom",
    commands=_SINCE_ESP32,
    status_size=4,
    pipeline_bytes=PIPELINE_BYTES,
    flash_begin_words=4,
    attach_words=2,
    block_size=0x1800,
    flash_block_size=0x1800,
    sync_value=0x20120707,
    digest_size=32,
)

ESP8266_ROM = replace(
    ESP32_ROM,
    commands=_EVERYWHERE,
    status_size=2,
    pipeline_bytes=0,  # not tried on this ROM
    attach_words=0,
    flash_block_size=0x400,  # as esptool does; larger ones were not tried on this ROM
    digest_size=0,
)

ROM = replace(
    ESP32_ROM,
    commands=_SINCE_ESP32 | {Opcode.GET_SECURITY_INFO},
    flash_begin_words=5,
    security_info_size=20,
)

ESP32S2_ROM = replace(ROM, security_info_size=12)

_OF_STUBS = (_SINCE_ESP32 - {Opcode.READ_FLASH_SLOW}) | {
    Opcode.GET_SECURITY_INFO, Opcode.ERASE_FLASH, Opcode.ERASE_REGION, Opcode.READ_FLASH,
    Opcode.RUN_USER_CODE, Opcode.UNKNOWN,  # each version refuses the unknown one in its own way
}  # fmt: skip

_STUB = Dialect(
    name="stub",
    commands=_OF_STUBS,
    status_size=2,
    pipeline_bytes=0,
    flash_begin_words=5,
    attach_words=1,
    block_size=0x1800,
    flash_block_size=0x4000,
    sync_value=0,
    digest_size=16,
    security_info_size=20,
    is_stub=True,
)

STUB_V1 = replace(_STUB, commands=_STUB.commands - {Opcode.GET_SECURITY_INFO}, security_info_size=0)
"""The legacy stub; it loses the second of two requests sent back to back."""

_OURS = {
    Opcode.READ_MEMORY, Opcode.STREAM, Opcode.DEFLATE, Opcode.FIND, Opcode.CRC32, Opcode.CALL,
    Opcode.MEMTEST,
}  # fmt: skip

STUB = replace(_STUB, commands=_STUB.commands | _OURS)
"""The stub since version 2. Our commands it has only with the handlers of ``loader.plugins``."""

_SECURE_DOWNLOAD = frozenset((
    Opcode.SYNC, Opcode.GET_SECURITY_INFO, Opcode.SPI_ATTACH, Opcode.SPI_SET_PARAMS,
    Opcode.CHANGE_BAUDRATE, Opcode.FLASH_BEGIN, Opcode.FLASH_DATA, Opcode.FLASH_END,
))  # fmt: skip


def secure_download(rom: Dialect) -> Dialect:
    """Return the dialect of a ROM whose chip is in secure download mode: few commands are left.

    Source: ESP-IDF guide "Secure Boot v2", section on UART ROM download mode; esptool manual.
    """
    return replace(rom, name="secure", commands=rom.commands & _SECURE_DOWNLOAD, is_secure=True)

"""The loaders' commands as values: what each sends, and what its answer means.

Every command is a frozen dataclass.  ``payload()`` gives the bytes behind the header, ``parse()``
turns a good reply into a value.  Golden pairs of both stand in ``tests/data``.

Source: command table of the esptool manual; replies recorded from ROM code.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from espshell.protocol import packet, slip
from espshell.protocol.packet import Opcode

T = TypeVar("T", covariant=True)

ALL_BITS = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class LoaderCommand(Generic[T]):
    """A question that knows how it is asked and answered.

    ``timeout_s`` is how long the chip may take to answer, the wire not counted.
    """

    opcode: ClassVar[Opcode]
    timeout_s: ClassVar[float] = 1.0
    repeatable: ClassVar[bool] = False
    """Asking twice is as good as once."""

    def payload(self) -> bytes:
        """Return the bytes behind the header."""
        return b""

    def check(self) -> int:
        """Return the header's checksum; only the data commands have one."""
        return 0

    def parse(self, value: int, payload: bytes) -> T:
        """Return the meaning of a good reply.

        Raises: ValueError if the payload has not the size or form that the command promises.
        """
        raise NotImplementedError

    def encode(self) -> bytes:
        """Return the request as it goes on the wire."""
        return slip.encode(packet.request(self.opcode, self.payload(), self.check()))


@dataclass(frozen=True, slots=True)
class Action(LoaderCommand[None]):
    """A command whose answer says no more than that it was done."""

    def parse(self, value: int, payload: bytes) -> None:
        """Accept any payload: ROMs put leftovers there."""


@dataclass(frozen=True, slots=True)
class Sync(LoaderCommand[int]):
    """Let the loader find the baud rate; answered eight times. Gives the value field."""

    opcode = Opcode.SYNC
    timeout_s = 0.1
    REPLIES: ClassVar[int] = 8

    def payload(self) -> bytes:
        """Return the fixed pattern."""
        return b"\x07\x07\x12\x20" + b"\x55" * 32

    def parse(self, value: int, payload: bytes) -> int:
        """Return the value field, which tells a ROM from a stub."""
        return value


@dataclass(frozen=True, slots=True)
class Unknown(Action):
    """A command that no loader knows: how it is refused tells the versions of the stub apart.

    Source: ``tests/data/esp32-stub-v1.json`` and ``esp32-stub-v2.json``.
    """

    opcode = Opcode.UNKNOWN
    repeatable = True
    STUB_V1_REFUSAL: ClassVar[int] = 0xFF00

    def payload(self) -> bytes:
        """Return nothing."""
        return b""


@dataclass(frozen=True, slots=True)
class ReadReg(LoaderCommand[int]):
    """Read one 32-bit word."""

    opcode = Opcode.READ_REG
    address: int

    def payload(self) -> bytes:
        """Return the address."""
        return self.address.to_bytes(4, "little")

    def parse(self, value: int, payload: bytes) -> int:
        """Return the word."""
        return value


@dataclass(frozen=True, slots=True)
class RegisterWrite:
    """One entry of WRITE_REG: the bits in ``mask`` become those of ``value``; the chip does it."""

    address: int
    value: int
    mask: int = ALL_BITS
    delay_us: int = 0


@dataclass(frozen=True, slots=True)
class WriteReg(Action):
    """Write words under masks, in order, in one frame."""

    opcode = Opcode.WRITE_REG
    writes: tuple[RegisterWrite, ...]

    def payload(self) -> bytes:
        """Return 16 bytes an entry."""
        return b"".join(
            struct.pack("<IIII", w.address, w.value, w.mask, w.delay_us) for w in self.writes
        )


@dataclass(frozen=True, slots=True)
class MemBegin(Action):
    """Announce blocks of data for RAM."""

    opcode = Opcode.MEM_BEGIN
    size: int
    blocks: int
    block_size: int
    address: int

    def payload(self) -> bytes:
        """Return four words."""
        return struct.pack("<IIII", self.size, self.blocks, self.block_size, self.address)


@dataclass(frozen=True, slots=True)
class MemData(Action):
    """One announced block; the ROM refuses a bad checksum (07) and a wrong number (05)."""

    opcode = Opcode.MEM_DATA
    sequence: int
    data: bytes

    def payload(self) -> bytes:
        """Return size, number, two zero words and the data."""
        return struct.pack("<IIII", len(self.data), self.sequence, 0, 0) + self.data

    def check(self) -> int:
        """Return the checksum over the data."""
        return packet.checksum(self.data)


@dataclass(frozen=True, slots=True)
class MemEnd(Action):
    """End a download to RAM; jump to ``entry``, or stay in the loader if it is 0."""

    opcode = Opcode.MEM_END
    entry: int = 0

    def payload(self) -> bytes:
        """Return the flag "stay" and the entry."""
        return struct.pack("<II", int(self.entry == 0), self.entry)


@dataclass(frozen=True, slots=True)
class ChangeBaudrate(Action):
    """Change the chip's baud rate; it answers at the old one. A ROM wants 0 as the old rate."""

    opcode = Opcode.CHANGE_BAUDRATE
    baud: int
    old: int = 0

    def payload(self) -> bytes:
        """Return the new rate and the old."""
        return struct.pack("<II", self.baud, self.old)


@dataclass(frozen=True, slots=True)
class ReadMemory(LoaderCommand[bytes]):
    """Read up to 16 consecutive words in one go; see ``loader.bulk``."""

    opcode = Opcode.READ_MEMORY
    MOST: ClassVar[int] = 16
    address: int
    count: int

    def payload(self) -> bytes:
        """Return address and count."""
        return struct.pack("<II", self.address, self.count)

    def parse(self, value: int, payload: bytes) -> bytes:
        """Return the bytes.

        Raises: ValueError if they are not as many as were asked for, or if the value is not the
        sum of the address and all words.
        """
        if len(payload) != 4 * self.count:
            raise ValueError(f"{len(payload)} bytes of memory, not {4 * self.count}")
        total = self.address + sum(struct.unpack(f"<{self.count}I", payload))
        if value != total & 0xFFFFFFFF:
            raise ValueError(f"a sum of 0x{value:08x}, not 0x{total & 0xFFFFFFFF:08x}")
        return payload


@dataclass(frozen=True, slots=True)
class SecurityInfo:
    """What GET_SECURITY_INFO tells; ``chip_id`` and ``api_version`` are None where it is short."""

    flags: int
    flash_crypt_count: int
    key_purposes: tuple[int, ...]
    chip_id: int | None
    api_version: int | None

    @property
    def secure_boot(self) -> bool:
        """Whether only signed code runs (SECURE_BOOT_EN, bit 0)."""
        return bool(self.flags & 1)

    @property
    def secure_download(self) -> bool:
        """Whether the chip is in secure download mode (SECURE_DOWNLOAD_ENABLE, bit 2)."""
        return bool(self.flags >> 2 & 1)


@dataclass(frozen=True, slots=True)
class GetSecurityInfo(LoaderCommand[SecurityInfo]):
    """Ask for security flags and chip id; the ESP8266 and ESP32 ROMs do not know it."""

    opcode = Opcode.GET_SECURITY_INFO
    repeatable = True
    WITHOUT_ID: ClassVar[int] = 12
    WITH_ID: ClassVar[int] = 20

    def parse(self, value: int, payload: bytes) -> SecurityInfo:
        """Take apart 20 bytes, or the 12 that an ESP32-S2 sends."""
        size = len(payload)
        if size not in (self.WITHOUT_ID, self.WITH_ID):
            raise ValueError(f"{size} bytes of security information, not 12 or 20")
        flags, count, *purposes = struct.unpack_from("<IB7B", payload)
        with_id = size == self.WITH_ID
        chip_id, api = struct.unpack_from("<II", payload, 12) if with_id else (None, None)
        return SecurityInfo(flags, count, tuple(purposes), chip_id, api)

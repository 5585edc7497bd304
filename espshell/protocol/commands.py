"""The loaders' commands as values: what each sends, and what its answer means.

Every command is a frozen dataclass.  ``payload()`` returns the bytes behind the header, ``parse()``
turns a good reply into a value.  Golden pairs of both are in ``tests/data``.

Source: command table of the esptool manual; replies recorded from ROM code.
"""

from __future__ import annotations

import struct
from typing import ClassVar, Generic, TypeVar

from espshell.protocol import packet, slip
from espshell.protocol.packet import Opcode
from espshell.records import dataclass
from espshell.units import ALL_BITS

T = TypeVar("T", covariant=True)


@dataclass(frozen=True, slots=True)
class LoaderCommand(Generic[T]):
    """A request that knows its bytes and what a reply to it means.

    ``FORMAT`` packs the fields of a subclass in their order. ``timeout_s`` is how long the chip may
    take to answer, the time on the wire not counted.
    """

    opcode: ClassVar[Opcode]
    FORMAT: ClassVar[str] = "<"
    timeout_s: ClassVar[float] = 1.0
    repeatable: ClassVar[bool] = False
    """Whether a second request does no harm."""

    def payload(self) -> bytes:
        """Return the bytes behind the header."""
        names: tuple[str, ...] = self.__match_args__  # all fields, inherited ones too
        return struct.pack(self.FORMAT, *(getattr(self, name) for name in names))

    def parse(self, value: int, payload: bytes) -> T:
        """Return the meaning of a good reply.

        Raises: ValueError if the payload has not the size or form that the command promises.
        """
        raise NotImplementedError

    def encode(self) -> bytes:
        """Return the request as it goes on the wire."""
        return slip.encode(packet.request(self.opcode, self.payload()))


@dataclass(frozen=True, slots=True)
class Action(LoaderCommand[None]):
    """A command whose reply only says that it is done."""

    def parse(self, value: int, payload: bytes) -> None:
        """Accept any payload: ROMs put leftovers there."""


@dataclass(frozen=True, slots=True)
class DataBlock(Action):
    """One numbered block of a download: size, number, two zero words, then the data.

    The ROM refuses a bad checksum (07) and a wrong number (05).
    """

    sequence: int
    data: bytes

    def payload(self) -> bytes:
        """Return four words and the data."""
        return struct.pack("<II8x", len(self.data), self.sequence) + self.data

    def encode(self) -> bytes:
        """Return the request, with the checksum of the data in its header."""
        return slip.encode(packet.request(self.opcode, self.payload(), packet.checksum(self.data)))


@dataclass(frozen=True, slots=True)
class Sync(LoaderCommand[int]):
    """Let the loader find the baud rate; answered eight times.

    The reply's value tells a ROM from a stub.
    """

    opcode = Opcode.SYNC
    timeout_s = 0.1
    REPLIES: ClassVar[int] = 8

    def payload(self) -> bytes:
        """Return the fixed pattern."""
        return b"\x07\x07\x12\x20" + b"\x55" * 32

    def parse(self, value: int, payload: bytes) -> int:
        """Return the value field."""
        return value


@dataclass(frozen=True, slots=True)
class Unknown(Action):
    """A command that no loader has: how it is refused tells the versions of the stub apart.

    Source: ``tests/data/esp32-stub-v1.json`` and ``esp32-stub-v2.json``.
    """

    opcode = Opcode.UNKNOWN
    repeatable = True
    STUB_V1_REFUSAL: ClassVar[int] = 0xFF00


@dataclass(frozen=True, slots=True)
class ReadReg(LoaderCommand[int]):
    """Read one 32-bit word."""

    opcode = Opcode.READ_REG
    address: int

    def payload(self) -> bytes:
        """Return the address; quicker than ``FORMAT``, because a dump asks for every word."""
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
    FORMAT = "<4I"
    size: int
    blocks: int
    block_size: int
    address: int


@dataclass(frozen=True, slots=True)
class MemData(DataBlock):
    """One announced block for RAM."""

    opcode = Opcode.MEM_DATA


@dataclass(frozen=True, slots=True)
class MemEnd(Action):
    """End a download to RAM; jump to ``entry``, or stay in the loader if it is 0."""

    opcode = Opcode.MEM_END
    entry: int = 0

    def payload(self) -> bytes:
        """Return the flag "stay" and the entry."""
        return struct.pack("<II", self.entry == 0, self.entry)


@dataclass(frozen=True, slots=True)
class ChangeBaudrate(Action):
    """Change the chip's baud rate; it answers at the old one. A ROM takes 0 as the old rate."""

    opcode = Opcode.CHANGE_BAUDRATE
    FORMAT = "<II"
    baud: int
    old: int = 0


@dataclass(frozen=True, slots=True)
class ReadMemory(LoaderCommand[bytes]):
    """Read up to 16 consecutive words at once; see ``loader.transfer``."""

    opcode = Opcode.READ_MEMORY
    FORMAT = "<II"
    MOST: ClassVar[int] = 16
    address: int
    count: int

    def parse(self, value: int, payload: bytes) -> bytes:
        """Return the bytes.

        Raises: ValueError if they are not ``count`` words, or if the value is not the sum of the
        address and all words.
        """
        if len(payload) != 4 * self.count:
            raise ValueError(f"{len(payload)} bytes of memory, not {4 * self.count}")
        total = self.address + sum(struct.unpack(f"<{self.count}I", payload)) & ALL_BITS
        if value != total:
            raise ValueError(f"a sum of 0x{value:08x}, not 0x{total:08x}")
        return payload


@dataclass(frozen=True, slots=True)
class SecurityInfo:
    """The reply to GET_SECURITY_INFO; a short one has no ``chip_id``."""

    flags: int
    flash_crypt_count: int
    key_purposes: tuple[int, ...]
    chip_id: int | None

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
    """Read security flags and chip id; the ROMs of ESP8266 and ESP32 lack it."""

    opcode = Opcode.GET_SECURITY_INFO
    repeatable = True
    WITHOUT_ID: ClassVar[int] = 12
    WITH_ID: ClassVar[int] = 20

    def parse(self, value: int, payload: bytes) -> SecurityInfo:
        """Return the fields of 20 bytes, or of the 12 that an ESP32-S2 sends."""
        size = len(payload)
        if size not in (self.WITHOUT_ID, self.WITH_ID):
            raise ValueError(f"{size} bytes of security information, not 12 or 20")
        flags, count, *purposes = struct.unpack_from("<IB7B", payload)
        chip_id = int.from_bytes(payload[12:16], "little") if size == self.WITH_ID else None
        return SecurityInfo(flags, count, tuple(purposes), chip_id)

"""The space ``flash:``: the flash chip, read in bytes and written in sectors.

Before the first use the flash is attached and asked for its id, and the loader is told its size;
all that is done anew when another loader runs.  Nothing here decides what to write: that is a plan
of ``ops``.  A range is checked against the size of the flash before anything is sent.
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from espshell.chips import Quirk
from espshell.device.board import Board, Pads, require_pads
from espshell.device.memory import require_32_bits
from espshell.errors import DeviceError, EspError, NoReply, ReadsDiffer, UsageError
from espshell.loader import digest, flash, flash_read, spi, stream
from espshell.loader.loader import Fault, agreed
from espshell.loader.spi import Controller, FlashCommand
from espshell.nor import makers, opcodes
from espshell.protocol import flash as frames
from espshell.protocol.packet import Opcode
from espshell.span import Span
from espshell.units import MIB, SECTOR, WORD, hex32, size_text

if TYPE_CHECKING:
    from espshell.clock import Clock

_READ_ID = FlashCommand(opcodes.RDID, read_size=3)
"""The reply is manufacturer, type, capacity (JEDEC JEP106 and JESD216)."""

RATES = (921600, 460800, 230400, 115200, 57600)
"""Where a read goes on more slowly when it fails again and again."""

_ADDRESSES = "the 32-bit address range of flash"

_SEGMENT_S = 3.0  # on the wire; more than a block is one segment only as long as it is so quick

_THREE_BYTES = 16 * MIB  # what a ROM, and some stubs, can address


class Flash:
    """Reads and writes of one flash chip."""

    name = "flash"

    def __init__(self, board: Board) -> None:
        self._board = board
        self.dry_run = False
        """Whether nothing is written: the one place that keeps it, so that no verb can forget."""
        self.may_slow_down = True
        """Whether a read that fails again and again may go on at a lower baud rate."""
        self.declared_size: int | None = None
        """The size that the user says it has, in bytes; it counts more than the id."""
        self.id: int | None = None
        """Its JEDEC id, once it has been asked for; 0 if nothing answered."""
        self.is_ready = False
        """Whether the loader that runs now has attached it and knows its size."""
        self.pads: Pads | None = None
        """The pins that it hangs on, where these are not the usual ones."""
        self._controller = Controller(board.loader, board.chip.spi)
        self._is_attached = False
        self._limit: int | None = None

    @property
    def size(self) -> int:
        """Bytes, as declared or as its id says. Raises: DeviceError if nothing answers."""
        self._prepare()
        size = self.declared_size or makers.size(self.id or 0)
        if size is None and not self.is_readable:
            raise DeviceError(
                "the flash size is unknown: in secure download mode the flash ID cannot be read",
                hint="`set flash-size 4M` declares it",
            )
        if size is None:
            reason = f"its id is {self.id:06x}" if self.id else "no flash chip answers"
            raise DeviceError(
                f"the flash size is unknown: {reason}",
                hint="`set flash-size 4M` declares it; is the flash connected and powered?",
            )
        return size

    @property
    def known_id(self) -> int:
        """Its JEDEC id, 0 if nothing answers; asked for if need be."""
        self._prepare()
        return self.id or 0

    @property
    def clock(self) -> Clock:
        """The clock of the link."""
        return self._board.link.clock

    @property
    def has_digest(self) -> bool:
        """Whether the loader computes digests."""
        return Opcode.SPI_FLASH_MD5 in self._board.loader.dialect.commands

    @property
    def is_readable(self) -> bool:
        """Whether the loader lets anybody read: not in secure download mode."""
        return not self._board.loader.dialect.is_secure

    @property
    def has_chip_erase(self) -> bool:
        """Whether one command erases everything."""
        return Opcode.ERASE_FLASH in self._board.loader.dialect.commands

    @property
    def erases_as_data_comes(self) -> bool:
        """Whether a download erases no further than its data reach: a stub's does."""
        return self._board.loader.dialect.is_stub

    @property
    def largest_erase(self) -> int:
        """What one command should erase at most, but for all (bytes, a power of two)."""
        return digest.LARGEST if self._board.loader.dialect.is_stub else digest.BLOCK

    @property
    def reach(self) -> int:
        """The address behind the last byte that can be changed or read now; see ``limited``."""
        return self.size if self._limit is None else self._limit

    @property
    def erases_in_doubt(self) -> int:
        """How many erases were not answered."""
        return self._board.loader.erases_in_doubt

    @property
    def segment_size(self) -> int:
        """What one download should cover at most (bytes, whole sectors)."""
        loader = self._board.loader
        if not loader.dialect.is_stub:
            return flash.ROM_SEGMENT
        size = digest.BLOCK
        while size < digest.LARGEST and loader.link.wire_s(2 * size) <= _SEGMENT_S:
            size *= 2
        return size

    def check(self, address: int, size: int, *, write: bool = False) -> None:
        """Require a range that is in the flash, and within reach of the loader.

        Raises: UsageError with its size; nothing was read or written.
        """
        whole = self.size
        if address < 0 or size < 0 or address + size > whole:
            first = hex32(max(address, whole)) if address >= 0 else str(address)
            raise UsageError(
                f"{first} is past the end of the flash: it has {size_text(whole)}",
                hint=f"flash:0..{whole:#x} is all of it",
            )
        chip = self._board.chip
        wide = chip.flash_32bit and self._board.loader.dialect.is_stub
        if address + size > _THREE_BYTES and not wide:
            raise UsageError(
                f"the {self._board.loader.dialect.name} loader of the {chip.title} can only "
                "access the first 16 MiB of the flash",
                hint="the flasher stub may access all of it: `stub always`"
                if chip.flash_32bit
                else "",
            )

    def chunks(self, address: int, size: int) -> Iterator[bytes]:
        """Yield a range in pieces, each checked by digest where the loader computes one.

        Where the link made trouble meanwhile, one digest of the whole range is asked for at the
        end.

        Raises: ReadsDiffer if that does not agree.
        """
        require_32_bits(address, size, _ADDRESSES)
        loader = self._board.loader
        with self._attached():
            if not self.has_digest:
                if address + size > _THREE_BYTES:
                    raise UsageError(
                        f"{Span.of(address, size)} is beyond 16 MiB, the limit of a read "
                        "command with a 24-bit address"
                    )
                yield from flash_read.controller_pieces(self._controller, address, size)
                return
            import hashlib  # 3 ms that only reading flash is worth

            before = loader.resynchronisations
            state = hashlib.md5(usedforsecurity=False)
            for piece in flash_read.read_chunks(loader, address, size, slower=self._slow_down):
                state.update(piece)
                yield piece
            troubled = loader.resynchronisations != before
            if troubled and digest.confirmed_digest(loader, address, size) != state.digest():
                raise ReadsDiffer(
                    f"the data read from flash {Span.of(address, size)} does not match its digest",
                    hint="read it again; check cable and baud rate",
                )

    def read(self, address: int, size: int) -> bytes:
        """Return a range of any alignment."""
        return b"".join(self.chunks(address, size))

    def words(self, address: int, count: int) -> list[int]:
        """Return consecutive little-endian words."""
        return list(struct.unpack(f"<{count}I", self.read(address, WORD * count)))

    def digest(self, address: int, size: int, *, confirmed: bool = False) -> bytes:
        """Return the MD5 that the chip computes of a range; ``confirmed``: asked twice.

        Raises: UsageError if this loader has no digests.
        """
        require_32_bits(address, size, _ADDRESSES)
        require_32_bits(size, 1, "the 32-bit sizes of a digest")
        ask = digest.confirmed_digest if confirmed else digest.digest
        with self._attached():
            return ask(self._board.loader, address, size)

    def ask_digest(
        self, address: int, size: int, is_doubtful: Callable[[bytes], bool] = lambda _: False
    ) -> bytes:
        """Return the digest of a range, when it came twice if doubtful; see ``loader.digest``."""
        with self._attached():
            return digest.ask(self._board.loader, address, size, is_doubtful)

    def sector_crcs(self, span: Span) -> list[int] | None:
        """Return the CRC-32 of each sector of a range that begins with one, None if unknown.

        They tell where something may differ; that it does not only a digest says.
        """
        loader = self._board.loader
        if not loader.has_streams or span.end > _THREE_BYTES or span.start % SECTOR:
            return None
        try:
            with self._attached():
                return stream.sector_crcs(loader, span.start, span.size)
        except (Fault, NoReply):
            return None

    @property
    def latency_s(self) -> float:
        """What a round trip takes besides the time on the wire, where that is known; else 0."""
        latency_s = self._board.loader.latency_s
        return 0.0 if math.isinf(latency_s) else latency_s

    def digest_behind_fence(self, address: int, size: int) -> bytes:
        """Return a digest that no reply to an earlier request can be taken for."""
        with self._attached():
            return digest.digest_behind_fence(self._board.loader, address, size)

    @contextlib.contextmanager
    def limited(self, end: int) -> Iterator[bool]:
        """Have the loader refuse what is at ``end`` and behind; yield whether it does.

        Nothing else in there may be asked for meanwhile.
        """
        size, loader = self.size, self._board.loader
        if end >= size or not self.has_digest or self.dry_run:
            yield end >= size
            return
        holds = False
        try:
            with self._attached():
                holds = flash.limit(loader, end)
            self._limit = end if holds else None
            if not holds:
                loader.execute(frames.SpiSetParams(size))
            yield holds
        except BaseException:
            self.is_ready = False
            raise
        finally:
            self._limit = None
        if holds:
            loader.execute(frames.SpiSetParams(size))

    def erase(self, address: int, size: int) -> Iterator[int]:
        """Erase whole sectors in pieces; yield the bytes that are erased. Not in a dry run."""
        if address % SECTOR or size % SECTOR:
            raise ValueError(f"{address:#x} + {size:#x} are not whole sectors")
        board = self._board
        with self._attached():
            if not self.dry_run and self.has_chip_erase and (address, size) == (0, self.size):
                flash.erase_chip(board.loader, size)
                yield size
                return
            span = Span.of(address, size)
            largest = self.largest_erase
            for piece in (
                span.aligned_pieces(largest) if self.has_digest else span.pieces(digest.BLOCK)
            ):
                if not self.dry_run:
                    flash.erase_sectors(
                        board.loader, board.chip, self._controller, piece.start, piece.size
                    )
                yield piece.end - address

    def program(self, address: int, data: bytes) -> Iterator[int]:
        """Erase and program whole sectors; yield the bytes that were sent. Not in a dry run.

        What the flash holds afterwards only a digest tells.
        """
        if address % SECTOR or len(data) % SECTOR:
            raise ValueError(f"{address:#x} + {len(data):#x} are not whole sectors")
        if self.dry_run:
            yield len(data)
            return
        board = self._board
        with self._attached():
            yield from flash.program(board.loader, board.chip, self._controller, address, data)

    def identify(self) -> int:
        """Return its JEDEC id, asked for anew until two answers agree; 0 if nothing answers.

        Where the flash ends rests on it, and nothing else would see a bit that flips.

        Raises: ReadsDiffer if no two agree.
        """
        answer = agreed(lambda: self.command(_READ_ID), "the id of the flash", show=bytes.hex)
        number = int.from_bytes(answer, "big")
        self.id = 0 if number == 0xFF_FFFF else number
        return self.id

    def command(self, command: FlashCommand) -> bytes:
        """Run one command of the flash chip itself; see ``loader.spi``.

        Raises: UsageError for pins that the chip has not for it; DeviceError if the controller
        does not finish.
        """
        if not self._is_attached:
            self._attach()
        return self._controller.run(command)

    def forget(self) -> None:
        """Attach and identify it anew before the next use: another loader runs now."""
        self._is_attached = self.is_ready = False

    def choose_pads(self, pads: Pads | None) -> None:
        """Reach it on other pins from now on."""
        self.pads, self.id = pads, None
        self.forget()

    def _attach(self) -> None:
        """Give it its power and connect its pins, once a loader."""
        board = self._board
        chip, loader = board.chip, board.loader
        if self.pads is not None:
            require_pads(chip, self.pads)
        conditions = [condition.field for step in chip.flash_power for condition in step.when]
        needed = [a for field in (*conditions, *chip.spi_pads) for a in field.addresses]
        words = board.memory.gather(needed).__getitem__
        if chip.flash_power:
            board.memory.send(chip.power_up(board.read_revision(), words))
        fused = tuple(field.value(words) for field in chip.spi_pads)
        by_fuse = not loader.dialect.is_stub and Quirk.PADS_FROM_EFUSE in chip.quirks and any(fused)
        spi.attach(loader, self.pads or (fused if by_fuse else ()))
        self._controller = Controller(loader, chip.spi)
        self._is_attached = True

    @contextlib.contextmanager
    def _attached(self) -> Iterator[None]:
        """Attach it and tell the loader its size; anew after a failure, which may be why."""
        self._prepare()
        try:
            yield
        except EspError:
            self.is_ready = False
            raise

    def _prepare(self) -> None:
        """Attach the flash, ask it for its id, tell the loader its size; once a loader."""
        if self.is_ready:
            return
        loader = self._board.loader
        if loader.dialect.is_secure:
            # Its eFuses cannot be read; the ROM knows its usual pads.
            spi.attach(loader, self.pads or ())
        else:
            self.identify()
        size = self._limit or self.declared_size or makers.size(self.id or 0)
        if size is not None and Opcode.SPI_SET_PARAMS in loader.dialect.commands:
            loader.execute(frames.SpiSetParams(size))
        self.is_ready = True

    def _slow_down(self) -> bool:
        """Lower the baud rate by one step; say whether that was possible."""
        board = self._board
        if not self.may_slow_down or (board.usb and board.usb.is_usb_serial_jtag):
            return False
        rates = [rate for rate in RATES if rate < board.link.port.baud]
        if not rates or Opcode.CHANGE_BAUDRATE not in board.loader.dialect.commands:
            return False
        with contextlib.suppress(EspError):
            board.change_baud(rates[0])
            return True
        return False

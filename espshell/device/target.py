"""One connected chip: its facts, its loader, its spaces, and how to leave it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from espshell.chips import USB_VID, Chip, Quirk
from espshell.chips.common import USB_OTG_RAM_BLOCK
from espshell.device import leave
from espshell.device.efuse import Efuse
from espshell.device.flash import Flash
from espshell.device.memory import Memory
from espshell.efuse import table
from espshell.errors import EspError, NoReply, UsageError
from espshell.files import path_of
from espshell.link import ports, trace
from espshell.link.link import Link
from espshell.link.port import Port, open_port
from espshell.link.ports import Bridge, PortInfo
from espshell.loader import connect, stream, stub, stub_file, transfer
from espshell.loader.dialogue import Gone
from espshell.loader.loader import Loader
from espshell.loader.plugins import install
from espshell.protocol.commands import SecurityInfo
from espshell.protocol.dialect import STUB_V1
from espshell.records import replace

SYNC_BAUD = 115200
"""The rate of the first contact; every ROM finds it."""

SLOWEST, FASTEST = 300, 8_000_000
"""Rates that the dividers of all UARTs can make, and that a bridge might."""

UNKNOWN_STUB = "an unknown flasher stub is running: RAM is written with --force only"

REPLAY = "replay://"
"""Scheme of a port that plays a recording back."""


def require_rate(baud: int) -> int:
    """Return a baud rate that a chip may have. Raises: UsageError."""
    if not SLOWEST <= baud <= FASTEST:
        raise UsageError(
            f"{baud} baud is not a rate that a chip supports", hint=f"{SLOWEST} to {FASTEST} are"
        )
    return baud


class HandlerFailed(NoReply):
    """The stub has not outlived the first call of a handler of ours: it has to be reset."""


class Target:
    """A chip whose loader answers.  ``memory`` is the space ``mem:``, ``flash`` is ``flash:``."""

    def __init__(
        self, link: Link, connected: connect.Connected, usb: PortInfo | None = None
    ) -> None:
        self.link = link
        self.usb = usb
        """What USB says about the port, where it is a USB device."""
        self.loader: Loader = connected.loader
        self.chip: Chip = connected.chip
        self.security: SecurityInfo | None = connected.security
        self.notes = connected.notes
        maybe_otg = self.chip.usb_otg and (usb is None or usb.vid is None)
        if (self.over_usb_otg or maybe_otg) and not self.loader.dialect.is_stub:
            # The ROM takes smaller blocks there, which no other way minds (esptool 5.6).
            self.loader.dialect = replace(self.loader.dialect, block_size=USB_OTG_RAM_BLOCK)
        self.memory = Memory(self.chip, self.loader)
        self.revision: tuple[int, int] | None = None
        """Major and minor, once they have been read."""
        self.flash = Flash(self)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        baud: int = SYNC_BAUD,
        before: str = "default-reset",
        expected: Chip | None = None,
        taps: tuple[trace.Tap, ...] = (),
        stub_dir: Path | None = None,
        on_stop: Callable[[Port], object] | None = None,
    ) -> Target:
        """Open a port and reach the loader behind it, at 115200 baud first and then at ``baud``.

        ``on_stop`` gets the port, still open, if a signal stops connecting.

        Raises: PortError, NoSync, UsageError (another chip than expected); the port is closed
        again then.
        """
        link = Link(_open(url, first_baud(baud, before)))
        link.taps.extend(taps)
        usb = None if "://" in url else ports.info_of(link.port.url)
        own_usb = usb is not None and usb.is_usb_serial_jtag
        try:
            connected = connect.connect(
                link, before=before, expected=expected, usb_serial_jtag=own_usb
            )
            target = cls(link, connected, usb)
            if own_usb and not (target.loader.dialect.is_stub or target.loader.dialect.is_secure):
                # A reset over the chip's own USB port leaves them running.
                target.memory.send(target.chip.watchdogs)
            if target.loader.dialect.is_stub and not target.recognise_stub(stub_dir):
                target.notes += (UNKNOWN_STUB,)
            if baud != link.port.baud:
                target.change_baud(baud)
        except BaseException as stop:
            if on_stop is not None and not isinstance(stop, Exception):
                on_stop(link.port)
            link.port.close()
            raise
        return target

    def start_stub(
        self, *, folder: Path | None = None, version: int | None = None, handlers: bool = True
    ) -> stub_file.Stub:
        """Upload the flasher stub, with our handlers in it where it has a place for them.

        Raises: UsageError if there is no stub for this chip; DeviceError or NoReply if it does not
        start; HandlerFailed if it ran and a handler has ended it.
        """
        secure_boot = self.security is not None and self.security.secure_boot
        if secure_boot and Quirk.NO_STUB_WITH_SECURE_BOOT in self.chip.quirks:
            raise UsageError(
                f"an {self.chip.title} with secure boot does not start a flasher stub",
                hint="everything that the ROM supports works without it",
            )
        file = self._stub_file(folder, version)
        better = install.with_handlers(file, self.chip) if handlers else None
        by_read = secure_boot and Quirk.STUB_START_BY_READ in self.chip.quirks
        pointer = self.chip.read_pointer if by_read else None
        stub.start(self.loader, better or file, read_pointer=pointer)
        self.flash.forget()
        if better and not (transfer.enable_bulk(self.loader) and stream.enable(self.loader)):
            try:
                with self.loader.exchange():
                    pass  # it still answers, though a handler did not
            except Gone as error:
                raise HandlerFailed(error.message, hint=error.hint) from error
        return file

    def recognise_stub(self, folder: Path | None = None) -> bool:
        """Find out which stub it is that was running before we came; return whether it is known.

        Until it is, its RAM cannot be spared, so ``Memory.check`` lets nothing be written to RAM.
        """
        version = 1 if self.loader.dialect == STUB_V1 else 2
        with contextlib.suppress(UsageError):
            file = self._stub_file(folder, version)
            better = install.with_handlers(file, self.chip) if self.loader.has_bulk_read else None
            return stub.recognise(self.loader, [better or file]) is not None
        return False

    def _stub_file(self, folder: Path | None, version: int | None) -> stub_file.Stub:
        name = self.chip.stub_name(self.read_revision())
        if name is None:
            major, minor = self.read_revision()
            raise UsageError(f"no flasher stub runs on an {self.chip.title} v{major}.{minor}")
        return stub_file.find(self.chip, name, folder=folder, version=version)

    @property
    def efuse(self) -> Efuse:
        """The space ``efuse:``.  The revision, which selects the table, is read where it must."""
        several = self.chip.name in table.LATER and not self.loader.dialect.is_secure
        return Efuse(
            self.memory, table.of(self.chip.name, self.read_revision() if several else None)
        )

    def read_revision(self) -> tuple[int, int]:
        """Return major and minor revision, read once."""
        if self.revision is None:
            words = self.memory.gather(self.chip.revision_addresses).__getitem__
            self.revision = self.chip.revision(words)
        return self.revision

    @property
    def bridge(self) -> Bridge | None:
        """The USB to UART bridge of the port; None where there is none or it is not known."""
        return ports.bridge_of(self.link.port.url, self.usb)

    @property
    def has_rate(self) -> bool:
        """Whether there is a UART whose rate can be set at both ends.

        The chip's own USB has none, and what is behind a raw socket is out of reach.
        """
        own = self.over_usb_otg or (self.usb is not None and self.usb.is_usb_serial_jtag)
        scheme = self.link.port.url.partition("://")[0].lower()
        no_bridge = scheme == "sim" and self.bridge is None
        return not (own or no_bridge or scheme == "socket")

    def change_baud(self, baud: int) -> None:
        """Change the rate at both ends; see ``Loader.change_baud`` for what is proven and raised.

        A ROM that may be wrong about its crystal is asked for another rate than is wanted.
        """
        require_rate(baud)
        fixed = Quirk.BAUD_FIXED_IN_SECURE_DOWNLOAD in self.chip.quirks
        if fixed and self.loader.dialect.is_secure:
            raise UsageError(
                f"an {self.chip.title} in secure download mode cannot change its baud rate"
            )
        request = None
        clock = self.chip.rom_clock
        if clock is not None and not self.loader.dialect.is_stub and self.loader.markers:
            divider = self.chip.uart_divider
            factors = [address for field in clock.factors for address in field.addresses]
            words = self.memory.gather([divider.address, *factors]).__getitem__
            mhz = self.chip.crystal_mhz(divider.of(words(divider.address)), self.link.port.baud)
            request = clock.asked_baud(baud, mhz * 1_000_000, words)
        self.loader.change_baud(baud, requested=request)

    def run_application(self) -> bool:
        """Leave the loader and start the application; the loader is gone then.

        By reset where there is a way, else by command. Returns whether it was by reset.

        Raises: UsageError where nothing leaves it: a v2 stub on a port without lines.
        """
        if leave.by_reset(self):
            return True
        if self.chip.watchdog_reset and leave.ignores_commands(self):
            leave.by_watchdog(self)
            return True
        leave.by_command(self)
        return False

    def leave(self, after: str) -> None:
        """Leave the loader as ``after`` says. Raises: what stands in the way."""
        leave.leave(self, after)

    def close(self, after: str = "no-reset") -> None:
        """Leave the chip as ``after`` says, as far as it can be, and give the port back."""
        with contextlib.suppress(EspError):  # a chip that is gone cannot be left in order
            self.leave(after)
        self.link.port.close()

    @property
    def over_usb_otg(self) -> bool:
        """Whether the port is the chip's own USB-OTG."""
        own = (USB_VID, self.chip.usb_otg_pid)
        return self.usb is not None and (self.usb.vid, self.usb.pid) == own


def first_baud(baud: int, before: str) -> int:
    """Return the rate of the first contact; without SYNC it is the one that is wanted."""
    return baud if before == "no-reset-no-sync" else min(baud, SYNC_BAUD)


def _open(url: str, baud: int) -> Port:
    if url.startswith(REPLAY):
        events = trace.read_recording(path_of(url.removeprefix(REPLAY)))
        return trace.ReplayPort(events, url=url, baud=baud)
    return open_port(url, baud)

"""The serial ports of this machine, and which of them are likely to be a board.

Sources: USB ids of bridges as their vendors publish them (Silicon Labs AN721, WCH and FTDI driver
files); Espressif's as in its list of allocated product ids.
"""

from __future__ import annotations

import os
import re

from espshell.chips import USB_JTAG_SERIAL_PID, USB_VID
from espshell.errors import BenchError, printable
from espshell.records import dataclass, replace

USB = "usb"
"""What ``usb:SERIAL`` begins with: the name of a port by its USB serial number."""

USB_SERIAL_JTAG = (USB_VID, USB_JTAG_SERIAL_PID)
"""The USB peripheral inside newer chips; it needs a reset sequence of its own."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """A USB to UART bridge: its name, and the fastest rate of its data sheet; 0: not known."""

    name: str
    max_baud: int = 0
    has_latency_timer: bool = False
    """Whether it holds back the last bytes of an answer for 16 ms, unless its driver is told.

    Source: FTDI application note AN232B-04.
    """


_CP210X = Bridge("CP210x", 921_600)
_CP210X_BY_PRODUCT = {"CP2102N": 3_000_000, "CP2104": 2_000_000}
"""All three have the same ids; the text of the product tells them apart."""

_BRIDGES = {
    (0x10C4, 0xEA60): _CP210X,
    (0x10C4, 0xEA63): _CP210X,
    (0x10C4, 0xEA64): Bridge("CP2102C"),
    (0x10C4, 0xEA70): Bridge("CP2105", 921_600),  # its second port; the first has 2 Mbaud
    (0x10C4, 0xEA71): Bridge("CP2108", 2_000_000),
    (0x1A86, 0x5523): Bridge("CH341", 2_000_000),
    (0x1A86, 0x7522): Bridge("CH340K", 2_000_000),
    (0x1A86, 0x7523): Bridge("CH340", 2_000_000),
    (0x1A86, 0x55D2): Bridge("CH9104"),
    (0x1A86, 0x55D3): Bridge("CH343", 6_000_000),
    (0x1A86, 0x55D4): Bridge("CH9102", 4_000_000),
    (0x0403, 0x6001): Bridge("FT232R", 3_000_000, has_latency_timer=True),
    (0x0403, 0x6010): Bridge("FT2232", 3_000_000, has_latency_timer=True),  # H: 12 Mbaud
    (0x0403, 0x6011): Bridge("FT4232", 12_000_000, has_latency_timer=True),
    (0x0403, 0x6014): Bridge("FT232H", 12_000_000, has_latency_timer=True),
    (0x0403, 0x6015): Bridge("FT231X", 3_000_000, has_latency_timer=True),
    (0x067B, 0x2303): Bridge("PL2303"),
}
"""Vendor and product id of the USB bridges that boards carry.

Rates are those of the data sheets: CP2102/9 (the list of rates ends at 921600), CP2102N, CP2104,
CP2105, CP2108, CH340DS1 (also for the CH341), CH343DS1, CH9102DS1, FT232R, FT2232D, FT2232H,
FT4232H, FT232H, FT231X.
"""

SIMULATED = Bridge("simulated bridge", 3_000_000, has_latency_timer=True)
"""What carries the bytes of ``sim://``, unless its URL says ``usb=jtag``."""


@dataclass(frozen=True, slots=True)
class PortInfo:
    """A port and its USB descriptors; the ids are None where it is not a USB device."""

    device: str
    vid: int | None = None
    pid: int | None = None
    serial: str = ""
    product: str = ""
    location: str = ""

    @property
    def kind(self) -> str:
        """What is at the other end of the cable: a bridge by name, or one of Espressif's own."""
        if self.is_usb_serial_jtag:
            return "USB-JTAG/serial"
        if self.vid == USB_VID:
            return "Espressif USB"
        return self.bridge.name if self.bridge else ""

    @property
    def bridge(self) -> Bridge | None:
        """The USB to UART bridge that this is; None for anything else, or if it is not known."""
        bridge = _BRIDGES.get((self.vid or 0, self.pid or 0))
        if bridge is _CP210X:
            rates = (rate for name, rate in _CP210X_BY_PRODUCT.items() if name in self.product)
            return replace(bridge, max_baud=next(rates, bridge.max_baud))
        return bridge

    @property
    def is_usb_serial_jtag(self) -> bool:
        """Whether this is the USB-JTAG/serial peripheral of a chip."""
        return (self.vid, self.pid) == USB_SERIAL_JTAG

    @property
    def is_likely(self) -> bool:
        """Whether a board is likely to be connected there."""
        return bool(self.kind)

    @property
    def ids(self) -> str:
        """Vendor and product id, or an empty text."""
        return "" if self.vid is None else f"{self.vid:04x}:{self.pid or 0:04x}"

    def is_same_as(self, other: PortInfo) -> bool:
        """Whether this is the same device, by serial number or location, whatever its name.

        Devices without either are the same if their name is.
        """
        if self.ids != other.ids:
            return False
        if self.serial or other.serial:
            return self.serial == other.serial
        if self.location or other.location:
            return self.location == other.location
        return self.device == other.device


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do about a port of a kind: once it is lost, is not there, or damages bytes."""

    lost: str
    absent: str = ""
    damages: str = ""
    """What to try instead."""


_CABLE = "a shorter cable, another USB port"
_DEVICE = Remedy(
    "plug it in again, then `reconnect`",
    "is it plugged in, and is the name right?",
    _CABLE,
)
_PTY = Remedy(
    "start what serves it again, then `connect` to the name that it prints",
    "a pseudo-terminal is there while what serves it runs",
    f"{_CABLE} where it is served",
)
_SERVER = Remedy(
    "does its server run, and is the board plugged in there? then `reconnect`",
    damages=f"{_CABLE} where it is served",
)
_SIMULATED = Remedy("`reconnect` begins with it anew", damages="its URL without noise")
_REMEDIES = (
    (r"/dev/(pts/|ttys\d)", _PTY),  # of Linux, of macOS
    (r"(socket|rfc2217)://", _SERVER),
    (r"sim://", _SIMULATED),
)


def remedy(url: str) -> Remedy:
    """Return what to do about a port, by its name alone: it may be gone."""
    name = os.path.realpath(url) if url.startswith("/") else url  # a link outlasts its device
    fits = (advice for pattern, advice in _REMEDIES if re.match(pattern, name, re.IGNORECASE))
    return next(fits, _DEVICE)


def list_ports() -> tuple[PortInfo, ...]:
    """Return the ports of this machine, likely boards first."""
    from serial.tools import list_ports as listing

    infos = [
        PortInfo(
            device=port.device,
            vid=port.vid,
            pid=port.pid,
            serial=port.serial_number or "",
            product=port.product or "",
            location=port.location or "",
        )
        for port in listing.comports()
    ]
    return tuple(sorted(infos, key=lambda port: (not port.is_likely, port.device)))


def device_of(name: str) -> str:
    """Return the device of ``usb:SERIAL``, whatever the system calls it now; other names stay.

    Raises: BenchError if there is no device of that serial number, or several.
    """
    scheme, _, serial = name.partition(":")
    if scheme.lower() != USB or serial.startswith("//"):
        return name
    devices = [port.device for port in list_ports() if port.serial and port.serial == serial]
    if len(devices) == 1:
        return devices[0]
    there = ", ".join(f"{port.device} {port.serial}" for port in list_ports() if port.serial)
    count = "several devices have" if devices else "no device has"
    raise BenchError(
        f"{count} the USB serial number `{printable(serial)}`",
        hint=f"there are {there}" if there else "`ports` lists the ports",
    )


def info_of(device: str) -> PortInfo | None:
    """Return the USB descriptors of a port, or None if the machine has no such port."""
    return next((port for port in list_ports() if port.device == device), None)


def bridge_of(url: str, info: PortInfo | None) -> Bridge | None:
    """Return the bridge behind a port; None where there is none, or it is not known which."""
    if url.lower().startswith("sim://"):
        return None if "usb=jtag" in url.lower() else SIMULATED
    return info.bridge if info else None

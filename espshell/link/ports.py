"""The serial ports of this machine, and which of them are likely to be a board.

Sources: USB ids of bridges as their vendors publish them (Silicon Labs AN721, WCH and FTDI driver
files); Espressif's as in its list of allocated product ids.
"""

from __future__ import annotations

from dataclasses import dataclass

from espshell.chips import USB_JTAG_SERIAL_PID, USB_VID
from espshell.errors import BenchError, printable

USB = "usb"
"""What ``usb:SERIAL`` begins with: the name of a port by its USB serial number."""

USB_SERIAL_JTAG = (USB_VID, USB_JTAG_SERIAL_PID)
"""The USB peripheral inside newer chips; it needs a reset sequence of its own."""

_BRIDGES = {
    (0x10C4, 0xEA60): "CP210x",
    (0x10C4, 0xEA63): "CP210x",
    (0x10C4, 0xEA64): "CP2102C",
    (0x10C4, 0xEA70): "CP2105",
    (0x10C4, 0xEA71): "CP2108",
    (0x1A86, 0x5523): "CH341",
    (0x1A86, 0x7522): "CH340K",
    (0x1A86, 0x7523): "CH340",
    (0x1A86, 0x55D2): "CH9104",
    (0x1A86, 0x55D3): "CH343",
    (0x1A86, 0x55D4): "CH9102",
    (0x0403, 0x6001): "FT232R",
    (0x0403, 0x6010): "FT2232",
    (0x0403, 0x6011): "FT4232",
    (0x0403, 0x6014): "FT232H",
    (0x0403, 0x6015): "FT231X",
    (0x067B, 0x2303): "PL2303",
}
"""Vendor and product id of the USB bridges that boards carry."""


@dataclass(frozen=True, slots=True)
class PortInfo:
    """A port and its USB descriptors; the ids are None where it is no USB device."""

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
        return _BRIDGES.get((self.vid or 0, self.pid or 0), "")

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
        hint=f"there are {there}" if there else "`ports` lists what is there",
    )


def info_of(device: str) -> PortInfo | None:
    """Return the USB descriptors of a port, or None if the machine has no such port."""
    return next((port for port in list_ports() if port.device == device), None)

"""The ports of a machine: what is likely to be a board, and what is the same device again."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from espshell.chips import USB_JTAG_SERIAL_PID, USB_VID
from espshell.link import ports
from espshell.link.ports import PortInfo


def test_the_ids_of_bridges() -> None:
    """Every row is a pair of 16-bit numbers with a name, and none is Espressif's."""
    for (vid, pid), bridge in ports._BRIDGES.items():
        assert 0 < vid < 0x1_0000
        assert 0 < pid < 0x1_0000
        assert vid != USB_VID
        assert bridge.name
        assert bridge.max_baud == 0 or 921_600 <= bridge.max_baud <= 12_000_000
        assert bridge.has_latency_timer == (vid == 0x0403)


def test_the_ids_of_espressif() -> None:
    """They are those that the tables of chips have."""
    assert ports.USB_SERIAL_JTAG == (USB_VID, USB_JTAG_SERIAL_PID)


@pytest.mark.parametrize(
    ("vid", "pid", "kind", "ids"),
    [
        (0x10C4, 0xEA60, "CP210x", "10c4:ea60"),
        (0x303A, 0x1001, "USB-JTAG/serial", "303a:1001"),
        (0x303A, 0x0002, "Espressif USB", "303a:0002"),
        (0x10C4, 0x0001, "", "10c4:0001"),
        (None, None, "", ""),
    ],
)
def test_what_is_at_the_other_end(vid: int | None, pid: int | None, kind: str, ids: str) -> None:
    """A known bridge or one of Espressif's own is likely a board; a plain port is not."""
    info = PortInfo("/dev/ttyX", vid, pid)
    assert (info.kind, info.ids, info.is_likely) == (kind, ids, bool(kind))


@pytest.mark.parametrize(
    ("product", "limit"),
    [
        ("CP2102 USB to UART Bridge Controller", 921_600),
        ("CP2102N USB to UART Bridge Controller", 3_000_000),
        ("CP2104 USB to UART Bridge Controller", 2_000_000),
        ("", 921_600),
    ],
)
def test_bridges_that_share_their_ids(product: str, limit: int) -> None:
    """The text of the product tells how fast one of them is; without it the slowest counts."""
    info = PortInfo("/dev/ttyX", 0x10C4, 0xEA60, product=product)
    assert info.bridge
    assert (info.bridge.name, info.bridge.max_baud) == ("CP210x", limit)


def test_what_carries_the_bytes_of_a_port() -> None:
    """A simulated chip hangs on a bridge, unless on its own USB; a network may be anything."""
    assert ports.bridge_of("sim://esp32", None) is ports.SIMULATED
    assert ports.bridge_of("sim://esp32c3?usb=jtag", None) is None
    assert ports.bridge_of("socket://h:1", None) is None
    assert ports.bridge_of("/dev/ttyS0", PortInfo("/dev/ttyS0")) is None


def port(device: str = "a", pid: int = 1, serial: str = "", location: str = "") -> PortInfo:
    return PortInfo(device, 0x303A, pid, serial, location=location)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (port("a", serial="1"), port("b", serial="1"), True),
        (port("a", serial="1"), port("a", serial="2"), False),
        (port("a", serial="1"), port("a"), False),
        (port("a", location="1-2"), port("b", location="1-2"), True),
        (port("a", location="1-2"), port("a", location="1-3"), False),
        (port("a"), port("a"), True),
        (port("a"), port("b"), False),
        (port("a", serial="1"), port("a", pid=2, serial="1"), False),
    ],
)
def test_the_same_device_again(one: PortInfo, other: PortInfo, same: bool) -> None:
    """By serial number, else by place, else by name; and never with other ids."""
    assert one.is_same_as(other) == other.is_same_as(one) == same


def test_likely_boards_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system says is taken over, missing texts as empty ones."""
    listed = [
        SimpleNamespace(
            device=device, vid=vid, pid=1, serial_number=None, product=None, location=None
        )
        for device, vid in (("a", None), ("c", 0x303A), ("b", 0x303A))
    ]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: listed)
    assert [info.device for info in ports.list_ports()] == ["b", "c", "a"]
    assert ports.info_of("b") == PortInfo("b", 0x303A, 1)
    assert ports.info_of("z") is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("/dev/ttyUSB0", "plug it in"),
        ("COM3", "plug it in"),
        ("usb:A50285BI", "plug it in"),
        ("spy:///dev/ttyACM0", "plug it in"),
        ("/dev/pts/3", "what serves it"),
        ("/dev/ttys003", "what serves it"),
        ("socket://10.0.0.1:4000", "its server"),
        ("rfc2217://10.0.0.1:4000?logging=debug", "its server"),
        ("RFC2217://[::1]:4000", "its server"),
        ("sim://esp32c3?usb=jtag", "`reconnect`"),
    ],
)
def test_what_to_do_about_a_lost_port(url: str, words: str) -> None:
    """It fits the kind of port: only what hangs on a cable of this machine is to be plugged in."""
    advice = ports.remedy(url)
    assert words in advice.lost
    assert ("plug" in advice.absent) is (words == "plug it in")
    assert ("plug it in" in advice.lost) is (words == "plug it in")

"""Opening ports, losing them, and what they can and cannot do."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import serial

from espshell.clock import VirtualClock
from espshell.errors import EspError, PortError, PortStalled, UsageError
from espshell.link import reset
from espshell.link.port import SerialPort, open_port

BAUD = 115200
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
USE: dict[str, Callable[[SerialPort], object]] = {
    "read": lambda port: port.read(0.1),
    "write": lambda port: port.write(b"a"),
}


@dataclass
class Pty:
    """A pseudo-terminal: what the program opens, and the other end of it."""

    name: str
    other: int

    def hang_up(self) -> None:
        """Close the other end."""
        if self.other >= 0:
            os.close(self.other)
            self.other = -1


@pytest.fixture
def pty() -> Iterator[Pty]:
    other, own = os.openpty()
    name = os.ttyname(own)
    os.close(own)
    made = Pty(name, other)
    yield made
    made.hang_up()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def url_of(server: socket.socket) -> str:
    return f"socket://127.0.0.1:{server.getsockname()[1]}"


def refused(url: str, baud: int = BAUD) -> EspError:
    """Return the error that opening raises, which is one line and says what was opened."""
    with pytest.raises(EspError) as caught:
        open_port(url, baud)
    assert "\n" not in caught.value.one_line()
    return caught.value


# -- opening ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "kind", "reason"),
    [
        ("/dev/no-such-device", PortError, "no such file"),
        ("sim://esp99", UsageError, "esp99"),
        ("sim://esp32?colour=red", UsageError, "colour"),
        ("sim://", UsageError, "a chip"),
        ("nosuch://x", UsageError, "nosuch"),
        ("socket://127.0.0.1", UsageError, "a host and a port"),
        ("socket://:5555", UsageError, "a host and a port"),
        ("rfc2217://", UsageError, "a host and a port"),
        ("socket://127.0.0.1:http", UsageError, "http"),
        ("socket://127.0.0.1:99999", UsageError, "up to 65535"),
        ("socket://[::1", UsageError, "a host and a port"),
        ("a\0b", UsageError, "NUL"),
    ],
)
def test_what_cannot_be_opened(url: str, kind: type[EspError], reason: str) -> None:
    """A device that is not there is the bench's error; a URL that cannot be meant is usage."""
    error = refused(url)
    assert type(error) is kind
    assert reason in error.message


@pytest.mark.parametrize("scheme", ["socket", "rfc2217", "RFC2217"])
def test_a_refused_connection(listener: socket.socket, scheme: str) -> None:
    """Nobody listens there: the bench's error, without pyserial's wrapping."""
    place = url_of(listener).replace("socket", scheme)
    listener.close()
    error = refused(place)
    assert isinstance(error, PortError)
    assert error.message == f"cannot open {place}: connection refused"


@POSIX
def test_files_that_are_no_ports(tmp_path: Path) -> None:
    """A directory, /dev/null and a regular file are told what they are, and left alone."""
    file = tmp_path / "file"
    file.write_text("precious")
    for path, reason in (
        (str(tmp_path), "directory"),
        ("/dev/null", "not a serial port"),
        (str(file), "not a serial port"),
    ):
        error = refused(path)
        assert isinstance(error, PortError)
        assert reason in error.message
    assert file.read_text() == "precious"


@POSIX
def test_a_port_in_use(pty: Pty) -> None:
    """Two programs cannot talk to one chip; the second is told so, the first goes on."""
    port = open_port(pty.name, BAUD)
    error = refused(pty.name)
    assert isinstance(error, PortError)
    assert "in use" in error.message
    assert error.hint
    port.write(b"a")
    assert os.read(pty.other, 9) == b"a"
    port.close()
    open_port(pty.name, BAUD).close()


@POSIX
@pytest.mark.parametrize("baud", [-1, 1 << 40])
def test_a_rate_that_cannot_be(pty: Pty, baud: int) -> None:
    """A rate out of all range is refused like any other mistake."""
    assert isinstance(refused(pty.name, baud), UsageError)
    port = open_port(pty.name, BAUD)
    with pytest.raises(PortError, match="baud"):
        port.baud = baud
    port.close()


# -- reading and writing ---------------------------------------------------------------------------


@POSIX
def test_a_pty(pty: Pty) -> None:
    """Bytes both ways as they are; a read without a wait returns at once; no control lines."""
    port = open_port(pty.name, BAUD)
    assert port.read(0) == b""
    port.write(b"\x00\r\n\x03\xff")
    assert os.read(pty.other, 9) == b"\x00\r\n\x03\xff"
    os.write(pty.other, b"\x11\r\n\x04\xff")
    assert port.read(1.0) == b"\x11\r\n\x04\xff"
    port.baud = 921600
    assert port.baud == 921600
    assert not reset.play(port, reset.HARD_RESET)
    assert not port.has_lines
    port.close()


@POSIX
@pytest.mark.parametrize("use", USE.values(), ids=USE)
def test_the_other_end_closes(pty: Pty, use: Callable[[SerialPort], object]) -> None:
    """A device that goes away is the bench's error, with what to do."""
    port = open_port(pty.name, BAUD)
    pty.hang_up()
    with pytest.raises(PortError, match="lost") as caught:
        use(port)
    assert caught.value.hint
    assert "\n" not in caught.value.one_line()
    port.close()


@POSIX
def test_a_port_that_takes_nothing(pty: Pty) -> None:
    """It is not gone, and nobody is told to plug it in again."""
    port = open_port(pty.name, BAUD)
    port._device.write_timeout = 0.01
    with pytest.raises(PortStalled, match="is open but has accepted no data for 5 s") as caught:
        port.write(bytes(1 << 20))
    assert "plug" not in caught.value.one_line()
    port.close()


def test_changing_the_rate_of_what_is_gone(pty: Pty) -> None:
    """The same for a change of the baud rate."""
    port = open_port(pty.name, BAUD)
    pty.hang_up()
    with pytest.raises(PortError):
        port.baud = 9600
    port.close()


def test_a_socket(listener: socket.socket) -> None:
    """Bytes both ways; nothing behind it has control lines; its end is the bench's error."""
    port = open_port(url_of(listener), BAUD)
    peer, _ = listener.accept()
    with peer:
        assert not port.has_lines
        assert not reset.play(port, reset.CLASSIC)
        port.write(b"ask")
        assert peer.recv(9) == b"ask"
        peer.sendall(b"answer")
        assert port.read(1.0) == b"answer"
    with pytest.raises(PortError, match="lost"):
        port.read(1.0)
    port.close()


@pytest.mark.parametrize("url", ["sim://esp32", "loop://"])
@pytest.mark.parametrize("use", USE.values(), ids=USE)
def test_a_port_that_was_closed(url: str, use: Callable[[SerialPort], object]) -> None:
    """Using it is an error and no traceback; closing it again is none."""
    port = open_port(url, BAUD)
    port.close()
    with pytest.raises(PortError):
        use(port)
    port.close()


@POSIX
def test_a_port_closed_underneath(pty: Pty) -> None:
    """Somebody else closed the device: an error, whatever pyserial makes of it."""
    port = open_port(pty.name, BAUD)
    port._device.close()
    for use in USE.values():
        with pytest.raises(PortError):
            use(port)
    port.close()


# -- ports that must be polled ---------------------------------------------------------------------


@dataclass
class PolledDevice:
    """A device without a descriptor: a read blocks for a fixed time, as on Windows."""

    clock: VirtualClock
    arriving: list[tuple[float, bytes]] = field(default_factory=list)
    timeout: float = 0.02

    @property
    def in_waiting(self) -> int:
        """Bytes that have arrived."""
        return sum(len(data) for at, data in self.arriving if at <= self.clock.now())

    def read(self, size: int) -> bytes:
        """Return as many as are wanted; wait for the first only."""
        if not self.in_waiting:
            self.clock.sleep(self.timeout)
        if not self.in_waiting:
            return b""
        at, data = self.arriving.pop(0)
        if data[size:]:
            self.arriving.insert(0, (at, data[size:]))
        return data[:size]


def polled(*arriving: tuple[float, bytes]) -> SerialPort:
    clock = VirtualClock()
    port = SerialPort("COM3", PolledDevice(clock, list(arriving)))
    port.clock = clock
    return port


def test_a_polled_port_waits_as_long_as_it_was_told() -> None:
    """Its own timeout is shorter; "nothing came" must mean nothing came all that time."""
    port = polled((0.09, b"late"))
    assert port.read(0.05) == b""
    assert port.clock.now() == pytest.approx(0.06)
    assert port.read(0.05) == b"l"
    assert port.read(0.05) == b"ate"
    assert port.clock.now() < 0.11


def test_a_polled_port_does_not_block_without_a_wait() -> None:
    """What has come is returned, and if nothing has, that."""
    port = polled((0.0, b"here"))
    assert port.read(0) == b"here"
    assert port.read(0) == b""
    assert port.clock.now() == 0.0


def test_a_real_polled_port() -> None:
    """The loop-back of pyserial has no descriptor either."""
    port = open_port("loop://", BAUD)
    port.write(b"round")
    assert port.read(1.0) == b"round"
    assert port.read(0) == b""
    assert port.has_lines
    port.close()


# -- lines -----------------------------------------------------------------------------------------


class LinedDevice:
    """A device whose lines can be set; what was set is kept in order."""

    timeout = 0.02

    def __init__(self, error: OSError | None = None) -> None:
        self.log: list[tuple[str, bool]] = []
        self._error = error
        self._dtr = True

    @property
    def dtr(self) -> bool:
        """The state that was set last."""
        return self._dtr

    @dtr.setter
    def dtr(self, on: bool) -> None:
        self._dtr = on
        self.log.append(("dtr", on))

    def _set_rts(self, on: bool) -> None:
        if self._error is not None:
            raise self._error
        self.log.append(("rts", on))

    rts = property(None, _set_rts)


@pytest.mark.parametrize("waits", [False, True])
def test_lines_one_after_another(monkeypatch: pytest.MonkeyPatch, waits: bool) -> None:
    """RTS first; and DTR once more where the driver sends RTS only together with it."""
    monkeypatch.setattr("espshell.link.port._RTS_WAITS_FOR_DTR", waits)
    device = LinedDevice()
    port = SerialPort("COM3", device)
    port.set_lines(dtr=False, rts=True)
    port.set_lines(rts=False)
    port.set_lines(dtr=True)
    again = [("dtr", False)] if waits else []
    assert device.log == [("rts", True), ("dtr", False), ("rts", False), *again, ("dtr", True)]
    assert port.has_lines


def test_lines_that_are_lost() -> None:
    """A device that goes away during a reset is lost, not one without lines."""
    port = SerialPort("COM3", LinedDevice(OSError(5, "Input/output error")))
    with pytest.raises(PortError, match="resetting"):
        port.set_lines(rts=True)


def test_lines_of_a_simulated_chip() -> None:
    """They reset it, and the port keeps believing in them."""
    port = open_port("sim://esp32", BAUD)
    assert reset.play(port, reset.CLASSIC)
    assert b"DOWNLOAD" in port.read(0.5)
    assert reset.play(port, reset.HARD_RESET)
    assert port.has_lines
    port.close()


def test_the_simulator_is_registered_once() -> None:
    """It is found however often a port is opened."""
    for _ in range(3):
        port = open_port("sim://esp32", BAUD)
        assert type(port._device).__module__ == "espshell.sim.protocol_sim"
    assert serial.protocol_handler_packages.count("espshell.sim") == 1

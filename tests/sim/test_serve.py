"""Serving in real time: a client's bytes, its rate, its coming and going. One thread, no sleeps."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from espshell.clock import SystemClock, VirtualClock
from espshell.errors import PortError, UsageError
from espshell.protocol.commands import ChangeBaudrate, MemEnd, ReadReg, Sync
from espshell.sim import serve, url
from espshell.sim.boot import ChipMode
from espshell.sim.clients import PtyClient, TcpClient
from espshell.sim.rfc2217 import Rfc2217Client, Rfc2217Port
from espshell.sim.wire import Wire

termios = pytest.importorskip("termios")

READ = ReadReg(0x4000_1000).encode()
REPLY_SIZE = 14


class Bench:
    """A served pty and the client's side of it, both turned by hand."""

    def __init__(self, chip_url: str) -> None:
        self.server = PtyClient()
        self.wire = Wire(url.parse(chip_url), SystemClock(), paced=False)
        self.fd = -1

    def open(self, speed: int) -> None:
        """Be the next client."""
        self.fd = os.open(self.server.name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.set_speed(speed)

    def set_speed(self, speed: int) -> None:
        """Set the client's rate, and the pty raw."""
        settings = termios.tcgetattr(self.fd)
        settings[0] = settings[1] = settings[3] = 0
        settings[4] = settings[5] = speed
        termios.tcsetattr(self.fd, termios.TCSANOW, settings)

    def ask(self, request: bytes) -> int:
        """Send a request; return the number of bytes that come back."""
        os.write(self.fd, request)
        serve.turn(self.wire, self.server)
        self.wire.settle()
        if not self.wire.waiting:
            return 0
        self.server.send(self.wire.receive(self.wire.waiting))
        return len(os.read(self.fd, 65536))

    def leave(self) -> None:
        """Close the client's side, and let the server see it."""
        os.close(self.fd)
        self.fd = -1
        serve.turn(self.wire, self.server)

    def close(self) -> None:
        """Close what is open."""
        if self.fd >= 0:
            os.close(self.fd)
        self.server.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench("sim://esp32")
    yield made
    made.close()


def test_a_pty_answers_one_client_after_another(bench: Bench) -> None:
    """RAM outlives clients, and the second one is served as the first."""
    bench.wire.chip.memory.write(0x3FFB_0000, b"kept")
    for _ in range(3):
        bench.open(termios.B115200)
        assert bench.ask(READ) == REPLY_SIZE
        bench.leave()
    assert bench.wire.chip.memory.read(0x3FFB_0000, 4) == b"kept"


def test_a_one_sided_change_of_rate_makes_the_chip_deaf(bench: Bench) -> None:
    """As on a real one: even a SYNC is not heard until the client sets a rate, or goes."""
    bench.open(termios.B115200)
    assert bench.ask(Sync().encode()) == 8 * REPLY_SIZE
    assert bench.ask(ChangeBaudrate(230_400).encode()) > 0
    assert bench.ask(READ) == 0
    assert bench.ask(Sync().encode()) == 0
    bench.leave()
    bench.open(termios.B115200)
    assert bench.ask(READ) == REPLY_SIZE


def test_a_pty_resets_into_the_loader_when_the_last_client_has_left(bench: Bench) -> None:
    """Whatever runs then: the next one finds a ROM that waits."""
    bench.open(termios.B115200)
    bench.ask(MemEnd(0x4008_0000).encode())
    assert bench.wire.mode is ChipMode.APPLICATION
    assert bench.ask(READ) == 0
    bench.leave()
    bench.open(termios.B115200)
    assert bench.ask(READ) == REPLY_SIZE


def test_a_client_that_only_listens(bench: Bench) -> None:
    """What the chip prints comes at the rate that the client has set, and is not garbled."""
    bench.wire = Wire(url.parse("sim://esp32?boot=loop"), SystemClock(), paced=False)
    bench.wire.host_baud = 921_600
    bench.open(termios.B115200)
    text = b""
    for _ in range(20):  # a slow machine takes more turns until the ROM has printed it
        serve.turn(bench.wire, bench.server)
        with contextlib.suppress(BlockingIOError):
            text += os.read(bench.fd, 65536)
        if b"invalid header" in text:
            return
    raise AssertionError(text)


def test_both_sides_may_change_their_rate(bench: Bench) -> None:
    """After both have changed they go on; a later client syncs at the usual rate."""
    bench.open(termios.B115200)
    assert bench.ask(ChangeBaudrate(921_600).encode()) > 0
    bench.set_speed(termios.B921600)
    assert bench.ask(READ) == REPLY_SIZE
    bench.set_speed(termios.B115200)
    assert bench.ask(READ) == 0
    assert bench.ask(Sync().encode()) == 8 * REPLY_SIZE


def test_a_pty_is_raw_before_and_after_clients(bench: Bench) -> None:
    """What the chip prints while nobody listens does not come back to it as an echo."""
    bench.open(termios.B115200)
    bench.ask(READ)
    bench.leave()
    descriptor = os.open(bench.server.name, os.O_RDWR | os.O_NOCTTY)
    assert not termios.tcgetattr(descriptor)[3] & termios.ECHO
    os.close(descriptor)


def test_tcp_serves_one_client_after_another() -> None:
    """A connection is taken, answered, and the next one too; its rate is not known."""
    server = TcpClient("127.0.0.1", 0)
    wire = Wire(url.parse("sim://esp32c3"), SystemClock(), paced=False)
    host, _, number = server.name.partition(":")
    for _ in range(2):
        with socket.create_connection((host, int(number))) as client:
            serve.turn(wire, server)
            client.sendall(Sync().encode())
            serve.turn(wire, server)
            wire.settle()
            server.send(wire.receive(wire.waiting))
            assert len(client.recv(4096)) == 8 * REPLY_SIZE
        serve.turn(wire, server)
    server.close()


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_an_ipv6_address() -> None:
    """Its name is in brackets, as a URL wants it."""
    try:
        server = TcpClient("::1", 0)
    except OSError:
        pytest.skip("no IPv6 loopback")
    assert server.name == f"[::1]:{server.number}"
    with socket.create_connection(("::1", server.number)):
        serve.turn(Wire(url.parse("sim://esp32"), SystemClock(), paced=False), server)
    server.close()


def test_lines_by_rfc2217() -> None:
    """Reset in two moves with a pause between them leads to the loader; RTS alone to the flash."""
    clock = VirtualClock()
    wire = Wire(url.parse("sim://esp32?boot=app"), clock, paced=False)
    client = Rfc2217Client("127.0.0.1", 0, wire)
    port = Rfc2217Port(client, wire)

    def after(*moves: tuple[bool, bool]) -> ChipMode:
        for port.dtr, port.rts in moves:
            clock.sleep(0.1)
            wire.settle()
        return wire.mode

    assert after((False, True), (True, True), (True, False)) is ChipMode.DOWNLOAD
    assert after((False, True), (False, False)) is ChipMode.APPLICATION
    client.close()


def test_faults_have_their_time_in_real_time() -> None:
    """A late frame waits for its moment in the agenda, the next one does not."""
    clock = SystemClock()
    wire = Wire(url.parse("sim://esp32?fault=late@reply:1:60"), clock, paced=False)
    wire.send(READ)
    wire.settle()
    assert wire.waiting == 0
    due = wire.next_event()
    assert due is not None
    assert 50 < due - clock.now() <= 60
    wire.send(READ)
    wire.settle()
    assert wire.waiting == REPLY_SIZE


def test_an_unplugged_chip_ends_the_server(tmp_path: Path) -> None:
    """The port is gone, and the flash file holds what was written."""
    served = tmp_path / "flash.bin"
    served.write_bytes(b"contents")
    found: list[str] = []

    def announce(path: str) -> None:
        found.append(path)
        descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
        os.write(descriptor, READ)
        os.close(descriptor)

    serve.serve_pty("sim://esp32?flash=64k&fault=unplug@request:1", announce, flash_file=served)
    assert len(found) == 1
    assert not os.path.exists(found[0])
    assert served.read_bytes() == b"contents".ljust(64 * 1024, b"\xff")


def test_a_device_that_is_plugged_in_again(tmp_path: Path) -> None:
    """It is announced again, at a new pty or at the same TCP port, and unplugged for good later."""
    faults = "fault=replug@request:1:0.01&fault=unplug@request:2"
    found: list[str] = []

    def announce(path: str) -> None:
        found.append(path)
        descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
        os.write(descriptor, READ)
        os.close(descriptor)

    serve.serve_pty(f"sim://esp32?{faults}", announce)
    assert len(found) == 2
    clients: list[socket.socket] = []

    def connect(place: str) -> None:
        host, _, number = place.partition(":")
        clients.append(socket.create_connection((host, int(number))))
        clients[-1].sendall(READ)

    serve.serve_tcp(f"sim://esp32?{faults}", "127.0.0.1", 0, connect)
    assert len({client.getpeername() for client in clients}) == 1
    assert len(clients) == 2
    for client in clients:
        client.close()


def test_an_interrupt_while_the_device_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends without a word; its client was closed when the device went away, once."""

    def interrupt(_clock: SystemClock, _seconds: float) -> None:
        raise KeyboardInterrupt

    def announce(name: str) -> None:
        clients.append(os.open(name, os.O_RDWR | os.O_NOCTTY))
        os.write(clients[0], READ)

    clients: list[int] = []
    monkeypatch.setattr(SystemClock, "sleep", interrupt)
    serve.serve_pty("sim://esp32?fault=replug@request:1:99", announce)
    os.close(*clients)


def test_what_cannot_be_served(tmp_path: Path) -> None:
    """A wrong URL, a port in use and a file that cannot be read are said in one line."""
    ignore: Callable[[str], None] = lambda _: None  # noqa: E731
    with pytest.raises(UsageError):
        serve.serve_pty("sim://esp99", ignore)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(PortError):
        serve.serve_tcp("sim://esp32", "127.0.0.1", taken.getsockname()[1], ignore)
    with pytest.raises(PortError):
        serve.serve_pty("sim://esp32", ignore, flash_file=tmp_path)


def test_a_reset_in_real_time_needs_no_pacing() -> None:
    """Only the reset takes time; the log comes at once."""
    wire = Wire(url.parse("sim://esp32?fault=reset@request:1"), SystemClock(), paced=False)
    wire.send(READ)
    due = wire.next_event()
    assert due is not None
    assert wire.mode is ChipMode.BOOTING

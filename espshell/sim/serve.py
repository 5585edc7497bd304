"""A simulated chip in real time, for other programs: on a pty, on a TCP port, or by RFC 2217.

One client after another; the chip lives on between them.  Bytes and commands take no time, resets
and faults do.  RFC 2217 carries DTR, RTS and the rate, so a client resets the chip as a real one
(``sim.rfc2217``).  A pty has no DTR and RTS, and a raw TCP port has no baud rate either, so a
client must use ``no-reset``.  On a TCP port a chip that a fault has hung or reset stays so; on a
pty it is reset into its loader when the last client has left.

**Baud rates on a pty.**  The client's rate is read from the pty's settings, so that a chip whose
rate was changed by only one of the two is deaf, as a real one is.  A real chip is put right by its
reset, which a pty cannot carry.  Instead a SYNC sets the chip's rate (as after a reset) once the
client's rate has changed since the chip last heard a request.  That
somebody has gone shows only while nobody else holds the pty open: so we hold it open while it is
idle and let go of it when a client has spoken; the hang-up that follows is the client's.

A device that is unplugged for a time is gone for clients; it comes back on the same TCP port, or on
a new pty, and is announced again.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import NoReturn, Protocol

from espshell.clock import SystemClock
from espshell.errors import PortError, system_reason
from espshell.sim import url as sim_url
from espshell.sim.wire import Wire

_CHUNK = 65536


class Client(Protocol):
    """Whoever talks to the chip: bytes both ways, and waiting."""

    name: str
    """What a client must open."""
    has_lines: bool
    """Whether it moves DTR and RTS by itself."""

    def wait(self, timeout_s: float | None) -> bytes:
        """Return what has come, perhaps nothing, within a time."""

    def send(self, data: bytes) -> None:
        """Give bytes to the client; without one they are lost."""

    def baud(self) -> int | None:
        """Return the client's rate, or None if it cannot be known."""

    def has_gone(self) -> bool:
        """Say, once, that the last client has gone and the chip is to be reset."""

    def close(self) -> None:
        """Give everything back."""


def serve_pty(url: str, announce: Callable[[str], None], *, flash_file: Path | None = None) -> None:
    """Serve a ``sim://`` chip on a new pty, whose path is announced, until interrupted.

    Returns when a fault unplugs the chip, or after Ctrl-C or SIGTERM.

    Raises: UsageError for a wrong URL; PortError where there are no ptys or no such file.
    """
    wire = _made(url, flash_file)
    try:
        client = PtyClient()
    except ImportError as error:
        raise PortError("this system has no ptys", hint="use a TCP port") from error
    except OSError as error:
        raise PortError(
            f"cannot make a pty: {system_reason(error)}", hint="use a TCP port"
        ) from error
    _serve(wire, client, again=PtyClient, announce=announce)


def serve_tcp(
    url: str,
    host: str,
    port: int,
    announce: Callable[[str], None],
    *,
    flash_file: Path | None = None,
) -> None:
    """Serve a ``sim://`` chip on a TCP port; 0 picks one. HOST:PORT is announced.

    Returns and raises as ``serve_pty``; PortError also if the port is taken.
    """
    _serve_at(_made(url, flash_file), TcpClient, host, port, announce)


def serve_rfc2217(
    url: str,
    host: str,
    port: int,
    announce: Callable[[str], None],
    *,
    flash_file: Path | None = None,
) -> None:
    """Serve a ``sim://`` chip by RFC 2217 on a TCP port; otherwise as ``serve_tcp``."""
    from espshell.sim.rfc2217 import Rfc2217Client

    wire = _made(url, flash_file)
    _serve_at(wire, lambda host, port: Rfc2217Client(host, port, wire), host, port, announce)


def _serve_at(
    wire: Wire,
    listen: Callable[[str, int], TcpClient],
    host: str,
    port: int,
    announce: Callable[[str], None],
) -> None:
    try:
        client = listen(host, port)
    except OSError as error:
        raise PortError(f"cannot listen at {host}:{port}: {system_reason(error)}") from error
    number = client.number
    _serve(wire, client, again=lambda: listen(host, number), announce=announce)


class PtyClient:
    """The master side of a pty."""

    has_lines = False

    def __init__(self) -> None:
        import termios
        import tty

        self._termios, self._tty = termios, tty
        self._master, slave = os.openpty()
        self._slave: int | None = slave
        self.name = os.ttyname(slave)
        self._tty.setraw(slave)
        os.set_blocking(self._master, False)
        self._poll = select.poll()
        self._poll.register(self._master, select.POLLIN)
        self._left = False

    def wait(self, timeout_s: float | None) -> bytes:
        """Return what the client has sent; let go of the slave, so that its leaving shows."""
        events = self._poll.poll(None if timeout_s is None else max(0, timeout_s * 1000))
        flags = events[0][1] if events else 0
        data = self._read() if flags & select.POLLIN else b""
        if data:
            self._release()
        elif flags & (select.POLLHUP | select.POLLERR):
            self._hold()
        return data

    def send(self, data: bytes) -> None:
        """Write as much as the pty takes; what nobody reads is lost, as on a wire."""
        while data:
            try:
                data = data[os.write(self._master, data) :]
            except BlockingIOError:
                if not select.select([], [self._master], [], 0.5)[1]:
                    return
            except OSError:
                return  # the client has gone

    def baud(self) -> int | None:
        """Return the rate in the pty's settings."""
        try:
            speed = self._termios.tcgetattr(self._master)[5]
        except self._termios.error:
            return None
        return _rates(self._termios).get(speed)

    def has_gone(self) -> bool:
        """Say, once, that the last client has closed the pty."""
        left, self._left = self._left, False
        return left

    def close(self) -> None:
        """Give the pty back."""
        self._release()
        os.close(self._master)

    def _read(self) -> bytes:
        try:
            return os.read(self._master, _CHUNK)
        except OSError:
            return b""

    def _release(self) -> None:
        if self._slave is not None:
            os.close(self._slave)
            self._slave = None

    def _hold(self) -> None:
        # The last close has given the pty its default settings again, echo among them.
        if self._slave is None:
            self._slave = os.open(self.name, os.O_RDWR | os.O_NOCTTY)
            self._tty.setraw(self._slave)
            self._left = True


class TcpClient:
    """A listening socket and at most one connection."""

    has_lines = False

    def __init__(self, host: str, port: int) -> None:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        self._listener = socket.create_server((host, port), family=family)
        self._connection: socket.socket | None = None
        address, self.number = self._listener.getsockname()[:2]
        self.name = f"[{address}]:{self.number}" if ":" in address else f"{address}:{self.number}"

    def wait(self, timeout_s: float | None) -> bytes:
        """Return what the client has sent; take the next client when there is none."""
        source = self._connection or self._listener
        if not select.select([source], [], [], timeout_s)[0]:
            return b""
        if self._connection is None:
            self._connection = self._listener.accept()[0]
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._greet()
            return b""
        try:
            data = self._connection.recv(_CHUNK)
        except OSError:
            data = b""
        if not data:
            self._hang_up()
        return data

    def _greet(self) -> None:
        """Begin with a new client."""

    def send(self, data: bytes) -> None:
        """Send everything; without a client it is lost."""
        if self._connection is None:
            return
        try:
            self._connection.sendall(data)
        except OSError:
            self._hang_up()

    def baud(self) -> int | None:
        """Return None: a raw TCP port carries bytes and nothing else."""
        return None

    def has_gone(self) -> bool:
        """Return False: the chip lives on as it is."""
        return False

    def close(self) -> None:
        """Close the connection and stop listening."""
        self._hang_up()
        self._listener.close()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _made(url: str, flash_file: Path | None) -> Wire:
    setup = sim_url.parse(url)
    if flash_file is not None:
        setup = replace(setup, flash_file=flash_file)
    return Wire(setup, SystemClock(), paced=False)


def _serve(
    wire: Wire,
    client: Client,
    *,
    again: Callable[[], Client],
    announce: Callable[[str], None],
) -> None:
    try:
        with _interruptible(), contextlib.suppress(KeyboardInterrupt):
            announce(client.name)
            while _turns(wire, client):
                client.close()
                _wait_for_plug(wire)
                client = again()
                announce(client.name)
    finally:
        client.close()


def _turns(wire: Wire, client: Client) -> bool:
    """Serve until the chip is unplugged; say whether it will come back."""
    while not wire.unplugged:
        turn(wire, client)
    return wire.back_at is not None


def _wait_for_plug(wire: Wire) -> None:
    clock = SystemClock()
    while wire.unplugged and wire.back_at is not None:
        clock.sleep(max(0.0, wire.back_at - clock.now()))
        wire.settle()


def turn(wire: Wire, client: Client) -> None:
    """Carry bytes once in each direction, and wait for the next event if there are none."""
    wire.settle()
    if wire.waiting:
        client.send(wire.receive(wire.waiting))
    at = wire.next_event()
    data = client.wait(None if at is None else max(0.0, at - SystemClock().now()))
    if client.has_gone():
        wire.return_to_download()
    if data:
        baud = client.baud()
        if baud != wire.host_baud:
            wire.host_baud = baud
            if not client.has_lines:
                wire.expect_sync()
        wire.send(data)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Make SIGTERM an interrupt like Ctrl-C; only the main thread may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _rates(termios: object) -> dict[int, int]:
    """Return the rates by the codes that the settings use for them (B115200 and so on)."""
    names = [name for name in dir(termios) if name[0] == "B" and name[1:].isdigit()]
    return {getattr(termios, name): int(name[1:]) for name in names}

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
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from espshell.clock import SystemClock
from espshell.errors import PortError, system_reason
from espshell.records import dataclass, replace
from espshell.sim import rfc2217
from espshell.sim import url as sim_url
from espshell.sim.clients import Client, PtyClient, TcpClient
from espshell.sim.wire import Wire


def serve_pty(url: str, announce: Callable[[str], None], *, flash_file: Path | None = None) -> None:
    """Serve a ``sim://`` chip on a new pty, whose path is announced, until interrupted.

    Returns when a fault unplugs the chip, or after Ctrl-C or SIGTERM.

    Raises: UsageError for a wrong URL; PortError where there are no ptys or no such file.
    """
    _serve(_make_wire(url, flash_file), _open_pty, announce)


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
    wire = _make_wire(url, flash_file)
    _serve(wire, _Listener(TcpClient, host, port), announce)


def serve_rfc2217(
    url: str,
    host: str,
    port: int,
    announce: Callable[[str], None],
    *,
    flash_file: Path | None = None,
) -> None:
    """Serve a ``sim://`` chip by RFC 2217 on a TCP port; otherwise as ``serve_tcp``."""
    # pyserial is needed for nothing else here.

    wire = _make_wire(url, flash_file)
    listener = _Listener(lambda host, port: rfc2217.Rfc2217Client(host, port, wire), host, port)
    _serve(wire, listener, announce)


def _make_wire(url: str, flash_file: Path | None) -> Wire:
    setup = sim_url.parse(url)
    if flash_file is not None:
        setup = replace(setup, flash_file=flash_file)
    return Wire(setup, SystemClock(), paced=False)


def _open_pty() -> Client:
    try:
        return PtyClient()
    except (ImportError, OSError) as error:
        reason = "this system has no ptys"
        if isinstance(error, OSError):
            reason = f"cannot make a pty: {system_reason(error)}"
        raise PortError(reason, hint="use a TCP port") from error


@dataclass
class _Listener:
    """Opens a TCP port, again and again the same one."""

    listen: Callable[[str, int], TcpClient]
    host: str
    port: int

    def __call__(self) -> Client:
        try:
            client = self.listen(self.host, self.port)
        except OSError as error:
            reason = f"cannot listen at {self.host}:{self.port}: {system_reason(error)}"
            raise PortError(reason) from error
        self.port = client.number
        return client


def _serve(wire: Wire, open_client: Callable[[], Client], announce: Callable[[str], None]) -> None:
    """Serve until interrupted, or until the chip is unplugged for good."""
    clock = SystemClock()
    with _interruptible(), contextlib.suppress(KeyboardInterrupt):
        while True:
            with contextlib.closing(open_client()) as client:
                announce(client.name)
                while not wire.unplugged:
                    turn(wire, client)
            if wire.back_at is None:
                return
            while wire.unplugged:
                clock.sleep(max(0.0, wire.back_at - clock.now()))
                wire.settle()


def turn(wire: Wire, client: Client) -> None:
    """Carry bytes once in each direction, and wait for the next event if there are none."""
    _match_rate(wire, client)
    wire.settle()
    if wire.waiting:
        client.send(wire.receive(wire.waiting))
    at = wire.next_event()
    data = client.wait(None if at is None else max(0.0, at - SystemClock().now()))
    if client.has_gone():
        wire.return_to_download()
    if data:
        _match_rate(wire, client)
        wire.send(data)


def _match_rate(wire: Wire, client: Client) -> None:
    """Take over the client's rate; on a port without lines the next SYNC sets the chip's."""
    baud = client.baud()
    if baud != wire.host_baud:
        wire.host_baud = baud
        if not client.has_lines:
            wire.expect_sync()


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Make SIGTERM an interrupt like Ctrl-C; only the main thread may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

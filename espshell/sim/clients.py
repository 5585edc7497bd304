"""The ends at which other programs reach a served chip: a pty, a TCP port."""

from __future__ import annotations

import os
import select
import socket

_CHUNK = 65536


class PtyClient:
    """The master side of a pty: a program that sends and receives bytes, but moves no lines."""

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
        self._has_gone = False

    def wait(self, timeout_s: float | None) -> bytes:
        """Return what the client has sent; close our slave then, so that its hang-up shows."""
        events = self._poll.poll(None if timeout_s is None else max(0, timeout_s * 1000))
        flags = events[0][1] if events else 0
        data = self._read() if flags & select.POLLIN else b""
        if data:
            self._release()
        elif flags & (select.POLLHUP | select.POLLERR) and self._slave is None:
            # The last close has given the pty its default settings again, echo among them.
            self._slave = os.open(self.name, os.O_RDWR | os.O_NOCTTY)
            self._tty.setraw(self._slave)
            self._has_gone = True
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
        # The settings use codes for the rates: B115200 and so on.
        names = [name for name in dir(self._termios) if name[0] == "B" and name[1:].isdigit()]
        return next((int(n[1:]) for n in names if getattr(self._termios, n) == speed), None)

    def has_gone(self) -> bool:
        """Return True once after the last client has closed the pty."""
        has_gone, self._has_gone = self._has_gone, False
        return has_gone

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


class TcpClient:
    """A listening socket and at most one connection; ``name`` is what a client must open."""

    has_lines = False
    """Whether it moves DTR and RTS by itself."""

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

    def baud(self) -> int | None:
        """Return the client's rate; None: on a raw TCP port it cannot be known."""
        return None

    def has_gone(self) -> bool:
        """Return False: the chip stays as it is when a client has gone."""
        return False

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

    def close(self) -> None:
        """Close the connection and stop listening."""
        self._hang_up()
        self._listener.close()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


Client = PtyClient | TcpClient
"""The other end of a served chip."""

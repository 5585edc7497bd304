"""An RFC 2217 server in front of a simulated chip, made of pyserial's own protocol code.

Run as a program with the address of the chip's TCP port; prints the address that it serves.
"""

from __future__ import annotations

import socket
import sys
import threading

import serial
import serial.rfc2217


class Redirector:
    """Carries bytes between one client and a port, and lets pyserial answer the negotiation."""

    def __init__(self, port: serial.SerialBase, client: socket.socket) -> None:
        self._port = port
        self._client = client
        self._lock = threading.Lock()
        self._manager = serial.rfc2217.PortManager(port, self)  # type: ignore[arg-type]
        self._alive = True

    def write(self, data: bytes) -> None:
        """Send to the client; called by the port manager, too."""
        with self._lock:
            self._client.sendall(data)

    def serve(self) -> None:
        """Carry bytes until the client leaves."""
        reader = threading.Thread(target=self._read, daemon=True)
        reader.start()
        while data := self._client.recv(4096):
            self._port.write(b"".join(self._manager.filter(data)))
        self._alive = False
        reader.join()

    def _read(self) -> None:
        while self._alive:
            data = self._port.read(1)
            if data:
                self.write(b"".join(self._manager.escape(data)))


def main() -> None:
    """Serve one client after another."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(f"127.0.0.1:{server.getsockname()[1]}", flush=True)  # noqa: T201
        while True:
            client, _ = server.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with client, serial.serial_for_url(f"socket://{sys.argv[1]}", timeout=0.05) as port:
                Redirector(port, client).serve()


if __name__ == "__main__":
    main()

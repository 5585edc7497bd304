"""A port with a simulated chip, and talking to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from espshell.protocol import slip
from espshell.protocol.packet import is_response, parse_response
from espshell.sim.protocol_sim import Serial

Opener = Callable[..., Serial]
Exchange = Callable[..., bytes]


@pytest.fixture
def open_sim() -> Iterator[Opener]:
    """Open ``sim://`` URLs at 115200 baud without a timeout, and close them in the end."""
    ports: list[Serial] = []

    def opened(url: str, baud: int = 115_200) -> Serial:
        port = Serial(baudrate=baud, timeout=0)
        port.port = url
        # A driver would assert both lines at once; here no line moves.
        port.dtr = port.rts = False
        port.open()
        ports.append(port)
        return port

    yield opened
    for port in ports:
        port.close()


@pytest.fixture
def exchange() -> Exchange:
    """Send bytes and return everything that comes until nothing has come for so long."""

    def exchanged(port: Serial, data: bytes = b"", quiet_s: float = 1.0) -> bytes:
        port.write(data)
        found = b""
        while port.wait_readable(quiet_s):
            found += port.read(65536)
        return found

    return exchanged


@pytest.fixture
def answers(exchange: Exchange) -> Callable[..., list[str]]:
    """As ``exchange``, with replies written ``opcode value+payload``."""

    def answered(port: Serial, data: bytes, quiet_s: float = 1.0) -> list[str]:
        found = slip.Decoder(is_response).feed(exchange(port, data, quiet_s))
        texts = []
        for frame in found:
            assert isinstance(frame, slip.Frame)
            reply = parse_response(frame.data)
            texts.append(f"{reply.opcode:02x} {reply.value:08x}+{reply.body.hex()}")
        return texts

    return answered

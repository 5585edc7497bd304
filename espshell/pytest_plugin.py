"""Fixtures for tests of boards: ``esp_chip``, a connected chip, and ``esp_port``, where it is.

    def test_ram(esp_chip):
        assert esp_chip.poke("DRAM", 0x1234).ok

    @pytest.mark.esp_chips("esp32c3", "esp32s3")
    def test_usb(esp_chip): ...

``pytest --esp-port /dev/ttyUSB0`` runs them on a board; without a port a chip is simulated, the
first that the marker names.  A test for other chips than the board's is skipped.  With ``-n 2`` of
pytest-xdist each worker has a board of its own: ``--esp-port`` is given twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from espshell import api
from espshell.errors import EspError

MARKER = "esp_chips"
DEFAULT_CHIP = "esp32c3"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--esp-port`` and ``--esp-baud``."""
    add = parser.getgroup("espshell", "boards with Espressif chips").addoption
    port_help = "device or URL of the board; again for the next worker (ESPSHELL_PORT)"
    add("--esp-port", action="append", default=[], metavar="PORT", help=port_help)
    add("--esp-baud", metavar="RATE", help="its baud rate; raised by itself without this")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and require a board for each worker. Raises: UsageError."""
    config.addinivalue_line("markers", f"{MARKER}(*names): the chips that a test is for")
    ports, workers = _ports(config), config.getoption("numprocesses", None) or 0
    if ports and len(ports) < workers and not ports[0].startswith("sim://"):
        raise pytest.UsageError(
            f"{workers} workers and {len(ports)} of --esp-port: each worker needs its own board"
        )


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Return which boards are tested; nothing where they are simulated by default."""
    ports = _ports(config)
    return [f"espshell: {', '.join(ports)}"] if ports else []


@pytest.fixture
def esp_port(request: pytest.FixtureRequest) -> str:
    """Return the port of the board, or the URL of a simulated chip that the test is for."""
    ports = _ports(request.config)
    if not ports:
        return f"sim://{_chips(request)[0]}"
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return ports[int(worker) % len(ports)]


@pytest.fixture
def esp_chip(esp_port: str, request: pytest.FixtureRequest) -> Iterator[api.ConnectedChip]:
    """Yield the connected chip; the test is skipped on another chip than those it is for."""
    try:
        chip = api.connect(esp_port, baud=request.config.getoption("--esp-baud"))
    except EspError as error:
        pytest.fail(f"{esp_port}: {error.one_line()}", pytrace=False)
    with chip:
        possible = _chips(request)
        if request.node.get_closest_marker(MARKER) and chip.name not in possible:
            pytest.skip(f"for {', '.join(possible)}; {esp_port} has an {chip.name}")
        yield chip


def _ports(config: pytest.Config) -> list[str]:
    port = os.environ.get("ESPSHELL_PORT", "")
    return list(config.getoption("--esp-port")) or [port] * bool(port)


def _chips(request: pytest.FixtureRequest) -> tuple[str, ...]:
    marker = request.node.get_closest_marker(MARKER)
    return marker.args if marker and marker.args else (DEFAULT_CHIP,)

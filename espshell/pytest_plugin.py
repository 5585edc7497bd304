"""Fixtures for tests of boards: ``esp_chip``, a connected chip, and ``esp_port``, where it is.

    def test_ram(esp_chip):
        assert esp_chip.poke("DRAM", 0x1234).ok

    @pytest.mark.esp_chips("esp32c3", "esp32s3")
    def test_usb(esp_chip): ...

``pytest --esp-port /dev/ttyUSB0`` runs them on a board; without a port a chip is simulated, the
first that the marker names.  A test for other chips than the board's is skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from espshell import api

MARKER = "esp_chips"
DEFAULT_CHIP = "esp32c3"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--esp-port`` and ``--esp-baud``."""
    group = parser.getgroup("espshell", "boards with Espressif chips")
    port = os.environ.get("ESPSHELL_PORT", "")
    group.addoption("--esp-port", default=port, metavar="PORT", help="device or URL of the board")
    group.addoption("--esp-baud", default=115200, type=int, metavar="RATE", help="its baud rate")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", f"{MARKER}(*names): the chips that a test is for")


@pytest.fixture
def esp_port(request: pytest.FixtureRequest) -> str:
    """Return the port of the board, or the URL of a simulated chip that the test is for."""
    return str(request.config.getoption("--esp-port")) or f"sim://{_chips(request)[0]}"


@pytest.fixture
def esp_chip(esp_port: str, request: pytest.FixtureRequest) -> Iterator[api.ConnectedChip]:
    """Yield the connected chip; the test is skipped on another chip than those it is for."""
    baud = int(request.config.getoption("--esp-baud"))
    with api.connect(esp_port, baud=baud) as chip:
        possible = _chips(request)
        if request.node.get_closest_marker(MARKER) and chip.name not in possible:
            pytest.skip(f"for {', '.join(possible)}; {esp_port} has an {chip.name}")
        yield chip


def _chips(request: pytest.FixtureRequest) -> tuple[str, ...]:
    marker = request.node.get_closest_marker(MARKER)
    return marker.args if marker and marker.args else (DEFAULT_CHIP,)

"""A simulated chip served by RFC 2217, with pyserial's own protocol code at both ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from espshell.device import Target


def started(stack: ExitStack, *command: str) -> str:
    """Start a server and return the first line that it prints: its address."""
    process = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    stack.enter_context(process)
    stack.callback(process.terminate)
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve a chip whose application runs, so that only a reset by the lines helps."""
    command = ("-m", "espshell", "sim", "esp32c3?boot=app", "--rfc2217", "127.0.0.1:0")
    with ExitStack() as stack:
        yield started(stack, *command)


def test_a_hundred_peeks(address: str) -> None:
    """Over RFC 2217 every word is the same as over a bulk of them."""
    target = Target.open(f"rfc2217://{address}")
    try:
        words = [target.memory.words(0x4000_0000 + 4 * i, 1)[0] for i in range(100)]
        assert words == target.memory.words(0x4000_0000, 100)
    finally:
        target.close()

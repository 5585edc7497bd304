"""Serving simulated chips, and running unmodified esptool on them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

PACE_S = 60
"""No run takes seconds; this only ends one that hangs."""


@contextlib.contextmanager
def served(*arguments: str) -> Iterator[str]:
    """Serve a chip; give the place where a client finds it."""
    command = [sys.executable, "-m", "espshell", "sim", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()
        assert server.wait(PACE_S) == 0


@contextlib.contextmanager
def held_open(port: str) -> Iterator[None]:
    """Be a client of a pty meanwhile, so that the chip is not reset between two others."""
    descriptor = os.open(port, os.O_RDWR | os.O_NOCTTY)
    try:
        yield
    finally:
        os.close(descriptor)


def esptool(
    port: str,
    *arguments: str,
    before: str = "no-reset",
    after: str = "no-reset",
    status: int = 0,
) -> str:
    """Run esptool, which must exit with a status; return what it prints."""
    options = ["--port", port, "--before", before, "--after", after]
    done = subprocess.run(
        [sys.executable, "-m", "esptool", *options, *arguments],
        capture_output=True,
        text=True,
        timeout=PACE_S,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr

"""Sessions for the tests of the shell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.shell.support import Shell


@pytest.fixture
def offline() -> Iterator[Shell]:
    """Return a session without a chip."""
    shell = Shell()
    yield shell
    shell.session.close()


@pytest.fixture
def shell(offline: Shell) -> Shell:
    """Return a session on a simulated ESP32-C3."""
    return offline.connect()

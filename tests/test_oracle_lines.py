"""Lines of esptool's manuals, and random ones, leave the same through our aliases as by esptool."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("esptool")

pytestmark = pytest.mark.oracle

ROOT = Path(__file__).parent.parent


def differential(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run scripts/differential."""
    command = [sys.executable, "-m", "scripts.differential", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_lines_of_the_manuals_leave_the_same() -> None:
    """A sample on six chips, ROM and stub: status, flash, files and words are the same."""
    done = differential("--manual", "150")
    assert done.returncode == 0, done.stdout + done.stderr


def test_random_jobs_leave_the_same() -> None:
    """A sample of random arguments; `scripts/differential 300` runs more."""
    done = differential("30")
    assert done.returncode == 0, done.stdout + done.stderr
